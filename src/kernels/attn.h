/* Attention over a cache of keys and values, and over whole sequences.
 *
 * A cache of one layer holds `cap` positions of heads_kv heads of head_dim numbers, in f16 or q8_0
 * (blocks of 32 along head_dim, which must then be a multiple of 32). Its bytes are laid out as
 * attn_cache_bytes says; how is private to attn*.c, so that scores read memory in order.
 *
 * Invariance as in kernels/mat.h: a row's output does not depend on the rows computed beside it. */
#ifndef LK_KERNELS_ATTN_H
#define LK_KERNELS_ATTN_H

#include "kernels/quant.h"

#include <stdbool.h>
#include <stddef.h>

struct attn_shape {
    int heads, heads_kv, head_dim; /* heads is a multiple of heads_kv; head_dim at most 1024 */
    float scale;                   /* 1 / sqrt(head_dim) usually */
    float softcap;                 /* 0: none; scores become cap * tanh(score / cap) (gemma 2) */
    int window;                    /* 0: all; else a row at p sees positions > p - window */
    enum quant type;               /* of the cache: QUANT_F16, QUANT_Q8_0 or QUANT_F32 */
};

/* A row's bits stay the same when its position and those of its cache all move by a multiple of
 * this. */
enum { ATTN_STEP = 128 };

size_t attn_cache_bytes(const struct attn_shape *s, int cap); /* keys and values together */
/* Store k and v ([n, heads_kv, head_dim] f32, rows `stride` floats apart) at positions pos ..
 * pos + n - 1 of a cache with room for cap positions. */
void attn_cache_put(const struct attn_shape *s, void *cache, int cap, int pos, int n,
                    const float *k, const float *v, int stride);
/* Positions [from, from + n) to [to, to + n), where to < from: after some of the middle was cut.
 * The keys keep their old rotation; the caller recomputes what needs more. */
void attn_cache_move(const struct attn_shape *s, void *cache, int cap, int from, int to, int n);
/* The first n positions of a cache with room for from_cap, exactly, into one with room for to_cap;
 * n is at most both. A cache with room for n alone, attn_cache_bytes(s, n) long and of any
 * alignment, is the form in which positions are saved: every byte of it is set then. */
void attn_cache_copy(const struct attn_shape *s, void *to, int to_cap, const void *from,
                     int from_cap, int n);

/* One query row of one sequence. */
struct attn_row {
    const float *q;    /* [heads, head_dim] */
    float *out;        /* [heads, head_dim] */
    const void *cache; /* of this layer and sequence */
    int cap, pos;      /* sees positions 0 .. pos (or its window of them) */
};
/* Rows of any number of sequences; consecutive rows with the same cache are a prefill slice and are
 * computed together. scratch: attn_scratch_bytes(s, the longest pos + 1, threads_count()) bytes,
 * aligned to 64. In an f16 cache, numbers beyond 65504 are kept as 65504. */
void attn_rows(const struct attn_shape *s, const struct attn_row *rows, int n, void *scratch);
size_t attn_scratch_bytes(const struct attn_shape *s, int max_pos, int threads);

/* Encoders: every token sees all tokens of its own sequence. q, k, v, out: [total, heads *
 * head_dim] rows `stride` floats apart (out: heads * head_dim); sequence i has len[i] rows, one
 * after the other. scratch: attn_full_scratch_bytes(s, the longest len, threads). */
void attn_full(const struct attn_shape *s, const float *q, const float *k, const float *v,
               int stride, float *out, const int *len, int n_seq, void *scratch);
size_t attn_full_scratch_bytes(const struct attn_shape *s, int max_len, int threads);

#endif
