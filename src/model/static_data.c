/* The table of the "static" embedder, data/static-embedder.gguf, as the program's read-only data.
 * How it was made stands in NOTICE. STATIC_DATA_FILE is set by meson.build. */
extern const unsigned char static_data[], static_data_end[];

__asm__(".section .rodata.static_data,\"a\",@progbits\n"
        ".balign 64\n"
        ".globl static_data\n"
        ".hidden static_data\n"
        "static_data:\n"
        ".incbin \"" STATIC_DATA_FILE "\"\n"
        ".globl static_data_end\n"
        ".hidden static_data_end\n"
        "static_data_end:\n"
        ".byte 0\n"
        ".previous\n");
