/* Number formats of weights, as GGUF stores them, and how rows of floats become them and come back.
 *
 *     size_t bytes = quant_row_bytes(QUANT_Q4_K, 2048);           1152
 *     quant_decode(QUANT_Q4_K, row, 2048, x);                     2048 floats
 *     quant_encode(QUANT_Q8_0, x, 2048, row);
 *
 * A row is a sequence of blocks: 32 numbers (Q8_0, Q4_0), 256 (K types) or 1 (floats). Layouts are
 * those of ggml, little-endian; docs/MODELS.md draws each. These are the plain, exact routines that
 * files are read, written and tested with; the fast products are in kernels/mat.h.
 *
 * Q4_1, Q5_0 and Q5_1 are only read: files called Q4_0, Q4_K_M and Q5_K_M may hold them beside
 * others (docs/MODELS.md). Nothing multiplies them; they become Q8_0 when a model is opened. */
#ifndef LK_KERNELS_QUANT_H
#define LK_KERNELS_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, number in GGUF, "name", numbers a block, bytes a block) */
#define QUANT_LIST(X)                                                                              \
    X(F32, 0, "f32", 1, 4)                                                                         \
    X(F16, 1, "f16", 1, 2)                                                                         \
    X(Q4_0, 2, "q4_0", 32, 18)                                                                     \
    X(Q4_1, 3, "q4_1", 32, 20)                                                                     \
    X(Q5_0, 6, "q5_0", 32, 22)                                                                     \
    X(Q5_1, 7, "q5_1", 32, 24)                                                                     \
    X(Q8_0, 8, "q8_0", 32, 34)                                                                     \
    X(Q4_K, 12, "q4_k", 256, 144)                                                                  \
    X(Q5_K, 13, "q5_k", 256, 176)                                                                  \
    X(Q6_K, 14, "q6_k", 256, 210)                                                                  \
    X(BF16, 30, "bf16", 1, 2)

enum quant {
#define X(id, number, name, n, bytes) QUANT_##id = number,
    QUANT_LIST(X)
#undef X
};

struct quant_q4_0 { /* x[j] = d * ((qs[j] & 15) - 8), x[j + 16] = d * ((qs[j] >> 4) - 8) */
    uint16_t d;     /* f16 */
    uint8_t qs[16];
};
struct quant_q4_1 { /* q as Q4_0: x = d * q + m */
    uint16_t d, m;  /* f16 */
    uint8_t qs[16];
};
struct quant_q5_0 { /* as Q4_0, with 16 more in q where bit j (j + 16) of qh is set; minus 16 */
    uint16_t d;     /* f16 */
    uint8_t qh[4], qs[16];
};
struct quant_q5_1 { /* the same q: x = d * q + m */
    uint16_t d, m;  /* f16 */
    uint8_t qh[4], qs[16];
};
struct quant_q8_0 { /* x[j] = d * qs[j] */
    uint16_t d;     /* f16 */
    int8_t qs[32];
};
struct quant_q4_k {     /* 8 groups of 32: x = d * scale * q - dmin * min */
    uint16_t d, dmin;   /* f16 */
    uint8_t scales[12]; /* 8 scales and 8 minima of 6 bits */
    uint8_t qs[128];
};
struct quant_q5_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32]; /* the fifth bits */
    uint8_t qs[128];
};
struct quant_q6_k {  /* 16 groups of 16: x = d * scale * (q - 32) */
    uint8_t ql[128]; /* low 4 bits */
    uint8_t qh[64];  /* high 2 bits */
    int8_t scales[16];
    uint16_t d; /* f16 */
};

bool quant_known(uint32_t number); /* one of the list */
const char *quant_name(enum quant q);
/* By name, case ignored; false if unknown. */
bool quant_parse(const char *name, enum quant *out);
int quant_block(enum quant q); /* numbers a block */
/* Bytes of n numbers; 0 when n is no multiple of the block. */
size_t quant_row_bytes(enum quant q, size_t n);

float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float x); /* nearest, ties to even; too large becomes infinity */
float bf16_to_f32(uint16_t h);
uint16_t f32_to_bf16(float x); /* nearest, ties to even; NaN stays NaN */

/* n: a multiple of the block. The pointers need no alignment. */
void quant_decode(enum quant q, const void *row, size_t n, float *x);
/* Scales are searched for the least squared error, so this is slow for K types (tens of MB/s). x is
 * finite; a NaN or infinity is taken as 0. Not for what is only read. */
void quant_encode(enum quant q, const float *x, size_t n, void *row);
bool quant_only_read(enum quant q); /* Q4_1, Q5_0, Q5_1 */
/* A row of one of these as Q8_0: Q5_0 exactly, the others as near as Q8_0 comes. */
void quant_as_q8_0(enum quant q, const void *row, size_t n, void *out);

#endif
