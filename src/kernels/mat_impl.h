/* Between mat.c and the files that multiply: how matrices of one number format are kept and
 * multiplied by one CPU variant. A variant is the generic table with better entries laid over it,
 * as in kernels.c; kernels_init fills `mat_ops` beside `kernels`.
 *
 * Integer formats (mat_block.c, mat_generic.c, mat_avx2.c, mat_avx512.c) share one packed layout
 * and one order of float operations, so all variants give the same bits:
 *
 *     for each block b of 32 columns, in order, i = exact integer sum of (q - off) * a:
 *         acc = fma((float)i * s, ad, acc)                          Q8_0, Q4_0, Q4_K, Q5_K
 *         acc = fma(-m, ads, acc)                                   Q4_K, Q5_K, after that
 *         acc = fma(fma((float)i1, s1, (float)i0 * s0), ad, acc)    Q6_K: halves of 16
 *
 * where s is the block's scale (d, or d * scale), m = dmin * min, ad the scale of the activations
 * and ads = ad * (sum of the block's int8 activations).
 *
 * Float formats (matf*.c) fill the kinds f32, f16 and bf16 in matf_fill_*. */
#ifndef LK_KERNELS_MAT_IMPL_H
#define LK_KERNELS_MAT_IMPL_H

#include "kernels/mat.h"

/* Rows are packed, and given to mul, in groups of 16; the last group may be short. */
enum { MAT_GROUP = 16 };
enum mat_layout { MAT_PLAIN, MAT_PACKED }; /* struct mat.layout */

struct mat_kind {
    /* Bytes of all rows when packed; NULL: this format is left as it is in the file. */
    size_t (*packed_bytes)(const struct mat *m);
    /* Write rows [from, to) of m->data in their place in `packed`, 64-byte aligned. from is a
     * multiple of 16, to too or m->rows. Called from several threads for different rows. */
    void (*pack)(const struct mat *m, void *packed, int from, int to);
    /* Row r as floats, from either form. */
    void (*row)(const struct mat *m, int r, float *x);
    /* y[t * stride + r] (+)= row r times activation row t, for all t < a->n and from <= r < to.
     * One thread does one call; from and to as in pack. Reads a->x (floats) or a->q (integers,
     * made ready before). The order of additions must depend on nothing but the columns. */
    void (*mul)(const struct mat *m, const struct acts *a, int from, int to, float *y, int stride,
                bool add);
    bool integer; /* mul reads a->q */
};

struct mat_ops {
    struct mat_kind f32, f16, bf16, q8_0, q4_0, q4_k, q5_k, q6_k;
    /* int8 form of rows [t0, t0 + w) of a->x, one tile: w is `tile` or what the last has. */
    void (*quantise)(const struct acts *a, int t0, int w);
    int tile; /* rows of activations that the integer products take at once */
    /* Rows [t, t + m) of a->x into a->f, in the order in which float products read it, a tile: m is
     * tile_f or what the last has. */
    void (*lay_tile)(const struct acts *a, int t, int m);
    int tile_f;
    int few_f; /* so many rows are read from x itself, if the matrix is packed */
};
extern struct mat_ops mat_ops;
/* Fill mat_ops for a variant of kernels.c; called by kernels_init. */
void mat_choose(const char *cpu);

void mat_ops_generic(struct mat_ops *o); /* everything */
void mat_fill_avx2(struct mat_ops *o);
void mat_fill_avx512(struct mat_ops *o);
void matf_fill_generic(struct mat_ops *o); /* f32, f16, bf16 only */
void matf_fill_avx2(struct mat_ops *o);
void matf_fill_avx512(struct mat_ops *o);

/* --- integer formats --- */

/* The int8 activations. Rows lie in tiles of mat_ops.tile (the last may be narrower): tile t0 of w
 * rows holds for each block of 32 columns 8 steps of 4 columns of w rows, so that a kernel that
 * handles w rows at once reads on and on:
 *     q[t0 * cols + ((b * 8 + g) * w + t) * 4 + c]    column 32 b + 4 g + c of row t0 + t
 *     d, ds, b8, b128 [t0 * nb + b * w + t]           nb = cols / 32
 *     b32 [2 * t0 * nb + (2 * b + half) * w + t]
 * d: scale; ds: d * sum; b8, b128: -8 and -128 times the sum of the block; b32: -32 times the sum
 * of each half: what an unsigned weight's offset takes away. */
struct acts_view {
    int8_t *q;
    float *d, *ds;
    int32_t *b8, *b128, *b32;
};
struct acts_view acts_view(const struct acts *a);
/* The same from row t0, the first of a tile, on. */
static inline struct acts_view acts_tile(const struct acts *a, int t0)
{
    struct acts_view v = acts_view(a);
    size_t at = (size_t)t0 * (size_t)(a->cols / 32);
    return (struct acts_view){ v.q + 32 * at, v.d + at,    v.ds + at,
                               v.b8 + at,     v.b128 + at, v.b32 + 2 * at };
}
/* What belongs to one block: d and the sums of its halves. at, at2: its place in the planes and in
 * b32; w: width of the tile. */
static inline void acts_put(struct acts_view v, size_t at, size_t at2, int w, float d, int32_t s0,
                            int32_t s1)
{
    v.d[at] = d;
    v.ds[at] = d * (float)(s0 + s1);
    v.b8[at] = -8 * (s0 + s1);
    v.b128[at] = -128 * (s0 + s1);
    v.b32[at2] = -32 * s0;
    v.b32[at2 + (size_t)w] = -32 * s1;
}

/* One block of 32 numbers of one row, whatever the format and form. */
struct mat_block {
    uint8_t q[32];    /* unsigned: the number is (q - off) * scale - min */
    uint16_t d, dmin; /* f16 bits */
    uint8_t sc[2];    /* K types: scale of the block, or of its halves (Q6_K: signed) */
    uint8_t min;
};
void mat_block_get(const struct mat *m, int r, int b, struct mat_block *k);
int mat_block_off(enum quant type);
/* s: scale of both halves; the return value is the minimum. */
float mat_block_scale(enum quant type, const struct mat_block *k, float s[2]);

/* A packed group of 16 rows: a head with the scales, then the weights, both read in order.
 *   Q8_0, Q4_0: head [nb] of 16 f16 d
 *   Q4_K, Q5_K: head [nb / 8] of { d[16], dmin[16] f16; scale[8][16], min[8][16] bytes }
 *   Q6_K:       head [nb / 8] of { d[16] f16; scale[16][16] signed bytes }
 *   weights [nb] of
 *   Q8_0: [8][16][4] bytes q: column 4 g + c of row r at g, r, c
 *   others: [4][16][4] bytes: low nibble column 4 g + c, high nibble column 16 + 4 g + c; then
 *   Q5_K: [16][4] bytes whose bit g is the fifth bit of column 4 g + c
 *   Q6_K: [2][16][4] bytes whose bits 2 g, 2 g + 1 are the upper bits of column 16 h + 4 g + c */
struct mat_shape {
    int nb;            /* blocks of 32 a row */
    size_t head, step; /* bytes of the head (a multiple of 64) and of a block of weights */
    size_t group;      /* bytes of 16 rows */
};
struct mat_shape mat_shape(const struct mat *m);
static inline size_t mat_step(enum quant type)
{
    return type == QUANT_Q8_0 ? 512 : type == QUANT_Q5_K ? 320 : type == QUANT_Q6_K ? 384 : 256;
}
enum {
    MAT_HEAD_Q0 = 32,    /* a block */
    MAT_HEAD_Q45K = 320, /* 8 blocks */
    MAT_HEAD_Q6K = 288,  /* 8 blocks */
};

size_t mat_q_packed_bytes(const struct mat *m);
void mat_q_pack(const struct mat *m, void *packed, int from, int to);
void mat_q_row(const struct mat *m, int r, float *x);
void generic_mat_q_mul(const struct mat *m, const struct acts *a, int from, int to, float *y,
                       int stride, bool add);
void generic_mat_quantise(const struct acts *a, int t0, int w);

#endif
