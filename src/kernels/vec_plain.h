/* vec.h in plain C: one lane. No fused multiply-add is asked for: libm's is slow where the
 * processor has none. */
#ifndef LK_KERNELS_VEC_PLAIN_H
#define LK_KERNELS_VEC_PLAIN_H

#include "kernels/quant.h"

#include <math.h>

#define VN 1
typedef float vf;

static inline vf vf_set1(float a) { return a; }
static inline vf vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, vf v) { *p = v; }
static inline vf vf_loadn(const float *p, size_t n) { return *p; }
static inline void vf_storen(float *p, vf v, size_t n) { *p = v; }
static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_sub(vf a, vf b) { return a - b; }
static inline vf vf_mul(vf a, vf b) { return a * b; }
static inline vf vf_div(vf a, vf b) { return a / b; }
static inline vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
static inline vf vf_max(vf a, vf b) { return a > b ? a : b; } /* b if either is NaN */
static inline vf vf_min(vf a, vf b) { return a < b ? a : b; }
static inline vf vf_abs(vf a) { return fabsf(a); }
static inline vf vf_copysign(vf a, vf sign) { return copysignf(a, sign); }
static inline vf vf_if_less(vf a, vf b, vf then, vf other) { return a < b ? then : other; }
static inline float vf_sum(vf a) { return a; }
static inline float vf_most(vf a) { return a; }
/* p * 2^n, t = n + VEC_ROUND; -126 <= n <= 128. */
static inline vf vf_pow2(vf p, vf t)
{
    uint32_t bits;
    memcpy(&bits, &t, 4);
    int n = (int)(bits & 0x7fffff) - 0x400000, half = n / 2;
    uint32_t a = (uint32_t)(half + 127) << 23, b = (uint32_t)(n - half + 127) << 23;
    float fa, fb;
    memcpy(&fa, &a, 4);
    memcpy(&fb, &b, 4);
    return p * fa * fb;
}
static inline vf vf_f16(const uint16_t *p) { return f16_to_f32(*p); }
/* One number in every lane. */
static inline vf vf_f16_all(const uint16_t *p) { return f16_to_f32(*p); }
static inline vf vf_bf16(const uint16_t *p) { return bf16_to_f32(*p); }
static inline void vf_store_f16(uint16_t *p, vf v, size_t n) { *p = f32_to_f16(v); }
/* VN x VN numbers, rows `pitch` and `stride` floats apart, mirrored at the diagonal. */
static inline void vf_transpose(float *to, size_t pitch, const float *from, size_t stride)
{
    *to = *from;
}
static inline vf vf_i8(const int8_t *p) { return *p; }

#endif
