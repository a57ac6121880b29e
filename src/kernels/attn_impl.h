/* Between attn.c, which knows caches, rows and threads, and the instruction-set files attn_*.c,
 * which know the loops. */
#ifndef LK_KERNELS_ATTN_IMPL_H
#define LK_KERNELS_ATTN_IMPL_H

#include "kernels/attn.h"
#include "kernels/quant.h"

#include <stddef.h>
#include <stdint.h>

enum {
    ATTN_SUB = 16,          /* positions whose keys lie interleaved */
    ATTN_BLOCK = ATTN_STEP, /* positions a step: scores, then their share of the values */
    ATTN_MAX_DIM = 1024,    /* of a head */
    ATTN_GROUP = 32,        /* numbers that share a scale in a q8_0 cache */
};

/* Keys and values of one key-value head, from position 0.
 * k: [pos / 16][head_dim][16]; ks, q8_0 only: [pos / 16][head_dim / 32][16] f16 scales.
 * v: [pos][dim_v], dim_v = head_dim rounded up to 16; vs, q8_0 only: [pos][head_dim / 32]. */
struct attn_kv {
    enum quant type; /* F32, F16, Q8_0 */
    const void *k, *v;
    const uint16_t *ks, *vs;
};

/* m query rows that look at the same head. */
struct attn_work {
    struct attn_kv kv;
    int m, dim, dim_v;
    float softcap;
    const float *q;      /* [m, dim], already scaled */
    float *o;            /* [m, dim_v], the result */
    float *most, *total; /* [m], scratch: largest score so far, sum of exponentials */
    const int *lo, *hi;  /* [m]: row i sees positions lo[i] .. hi[i] - 1 */
    float *panel;        /* scratch: 64 * (dim + dim_v) */
    float *s;            /* scratch: 12 * ATTN_BLOCK */
};

struct attn_loops {
    /* n keys, rows `stride` floats apart, interleaved as in a cache; zeros fill the last 16. */
    void (*lay_keys)(float *to, const float *k, size_t stride, int n, int dim);
    void (*attend)(const struct attn_work *w);
    void (*scaled)(float *y, const float *x, float by, size_t n); /* y = x * by */
    void (*to_f16)(uint16_t *y, const float *x, size_t n);        /* beyond 65504: 65504 */
};

extern const struct attn_loops attn_loops_generic, attn_loops_avx2, attn_loops_avx512;
const struct attn_loops *attn_chosen(void);

int attn_dim_v(int head_dim);
struct attn_kv attn_cache_head(const struct attn_shape *s, const void *cache, int cap, int head);

/* By the name of a variant of kernels.h; kernels_init calls it. Unknown: generic. */
void attn_choose(const char *cpu);

#endif
