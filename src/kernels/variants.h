/* Between kernels.c and the instruction-set files: each fills the entries it is better at. */
#ifndef LK_KERNELS_VARIANTS_H
#define LK_KERNELS_VARIANTS_H

#include "kernels/kernels.h"

float generic_dot_f32(const float *x, const float *y, size_t n);
void generic_axpy_f32(float *y, float a, const float *x, size_t n);
void generic_scan_i8(const int8_t *rows, size_t n, size_t dim, const int8_t *q, int32_t *out);
float generic_quant_i8(const float *x, size_t n, int8_t *out);
size_t generic_pass_i8(const int32_t *dot, const float *scale, const float *slack, size_t n,
                       float a, float b, float t, uint32_t *idx);
void generic_sum_q8_0(float *y, const void *table, size_t row_bytes, const int32_t *ids, size_t n,
                      size_t dim);

void kernels_fill_avx2(struct kernels *k);
void kernels_fill_avx512(struct kernels *k);

#endif
