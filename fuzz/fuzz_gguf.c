/* GGUF: refused with a message, or everything in it can be read. */
#include "model/gguf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_keys(const struct gguf *g)
{
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        struct buf text = BUF_INIT(1 << 20);
        enum gguf_type type;
        struct span key = gguf_key_at(g, i, &type, &text);
        char name[1100];
        memcpy(name, key.p, key.n);
        name[key.n] = 0;
        struct gguf_array a;
        uint32_t u;
        if (strlen(name) == key.n && !gguf_has(g, name)) abort();
        gguf_u32(g, name, &u, NULL);
        gguf_f32_or(g, name, 0);
        gguf_str_or(g, name, "");
        if (gguf_array(g, name, &a))
            for (size_t k = 0; k < a.n; k++) {
                struct span s = gguf_array_str(&a, k);
                if (s.n && s.p[s.n - 1] == 1) buf_addc(&text, '1'); /* touch the last byte */
                gguf_array_num(&a, k);
            }
        buf_free(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct gguf *g;
    float x[256];
    if (gguf_open_mem(data, n, "fuzz", &g, &err)) {
        if (!err.code || !err.msg[0] || g) abort();
        return 0;
    }
    read_keys(g);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        size_t block = (size_t)quant_block(t->type);
        const char *last = (const char *)t->data + t->bytes - quant_row_bytes(t->type, block);
        quant_decode(t->type, t->data, block, x);
        quant_decode(t->type, last, block, x);
    }
    gguf_close(g);
    return 0;
}
