/* Products of one row of bytes with rows that lie far apart: the step of a walk over a graph, where
 * the neighbours of a node are anywhere in memory.
 *
 *     near_dots(rows, 384, neighbours, 32, row, out);
 *
 * Bytes are biased: 128 stands for 0, so a row never holds 0 (-128). Every variant gives the same
 * integers. Rows are asked for some steps ahead of their use. */
#ifndef LK_KERNELS_NEAR_H
#define LK_KERNELS_NEAR_H

#include <stddef.h>
#include <stdint.h>

/* out[i] = sum over j of (rows[at[i] * stride + j] - 128) * (q[j] - 128).
 * rows: [.., stride], stride a multiple of 64, at most 8192; q: [stride]; n rows. */
void near_dots(const uint8_t *rows, size_t stride, const uint32_t *at, size_t n, const uint8_t *q,
               int32_t *out);

/* By the name of a variant of kernels.h; kernels_init calls it. Unknown: generic. */
void near_choose(const char *cpu);

/* For near.c and for tests: the variants themselves. */
typedef void near_fn(const uint8_t *rows, size_t stride, const uint32_t *at, size_t n,
                     const uint8_t *q, int32_t *out);
near_fn near_dots_generic, near_dots_avx2, near_dots_avx512;

#endif
