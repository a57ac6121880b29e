/* What the float products of every instruction set share: how F32, F16 and BF16 matrices are
 * packed. Groups of 16 rows, [cols][16] numbers each, zero-filled past the last row: a vector is 16
 * outputs at one column. */
#ifndef LK_KERNELS_MATF_H
#define LK_KERNELS_MATF_H

#include "kernels/mat_impl.h"

size_t matf_packed_bytes(const struct mat *m);
void matf_pack(const struct mat *m, void *packed, int from, int to);
void matf_row(const struct mat *m, int r, float *x);
/* Columns k .. k + n - 1 of the 16 rows from r, out of m->data, as floats: [n][16], width apart. */
void matf_gather(const struct mat *m, int r, int k, int n, float *to, int width);

/* How a product of n rows of activations is cut into parts: rows of m, and rows of activations.
 * Beforehand they hold what suits other formats. */
void matf_cut(const struct mat *m, int n, int *rows, int *tokens);

#endif
