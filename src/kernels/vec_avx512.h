/* vec.h with AVX-512: sixteen lanes. */
#ifndef LK_KERNELS_VEC_AVX512_H
#define LK_KERNELS_VEC_AVX512_H

#include <immintrin.h>

#define VN 16
typedef __m512 vf;

static inline __mmask16 vf_lanes(size_t n) { return (__mmask16)((1u << n) - 1); }
static inline vf vf_set1(float a) { return _mm512_set1_ps(a); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf vf_loadn(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(vf_lanes(n), p);
}
static inline void vf_storen(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, vf_lanes(n), v); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); } /* b if either is NaN */
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf vf_copysign(vf a, vf sign)
{
    __m512i top = _mm512_set1_epi32((int)0x80000000u);
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(top, _mm512_castps_si512(sign), _mm512_castps_si512(a), 0xca));
}
static inline vf vf_if_less(vf a, vf b, vf then, vf other)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), other, then);
}
static inline float vf_sum(vf a) { return _mm512_reduce_add_ps(a); }
static inline float vf_most(vf a) { return _mm512_reduce_max_ps(a); }
/* p * 2^n, t = n + VEC_ROUND; -126 <= n <= 128. */
static inline vf vf_pow2(vf p, vf t)
{
    return _mm512_scalef_ps(p, _mm512_sub_ps(t, _mm512_set1_ps(12582912.0f)));
}
static inline vf vf_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
/* One number in every lane. */
static inline vf vf_f16_all(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_set1_epi16((short)*p));
}
static inline vf vf_bf16(const uint16_t *p)
{
    __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}
/* The first n numbers. */
static inline void vf_store_f16(uint16_t *p, vf v, size_t n)
{
    __m256i h = _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm256_mask_storeu_epi16(p, vf_lanes(n), h);
}
static inline vf vf_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
/* VN x VN numbers, rows `pitch` and `stride` floats apart, mirrored at the diagonal. */
static inline void vf_transpose(float *to, size_t pitch, const float *from, size_t stride)
{
    for (size_t q = 0; q < 16; q += 4) { /* columns q .. q + 3 */
        __m512 a[4], b[4];
        for (size_t i = 0; i < 4; i++) { /* of rows i, i + 4, i + 8, i + 12 */
            const float *at = from + i * stride + q;
            __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(at));
            x = _mm512_insertf32x4(x, _mm_loadu_ps(at + 4 * stride), 1);
            x = _mm512_insertf32x4(x, _mm_loadu_ps(at + 8 * stride), 2);
            a[i] = _mm512_insertf32x4(x, _mm_loadu_ps(at + 12 * stride), 3);
        }
        b[0] = _mm512_unpacklo_ps(a[0], a[1]);
        b[1] = _mm512_unpackhi_ps(a[0], a[1]);
        b[2] = _mm512_unpacklo_ps(a[2], a[3]);
        b[3] = _mm512_unpackhi_ps(a[2], a[3]);
        float *out = to + q * pitch;
        _mm512_storeu_ps(out, _mm512_shuffle_ps(b[0], b[2], 0x44));
        _mm512_storeu_ps(out + pitch, _mm512_shuffle_ps(b[0], b[2], 0xee));
        _mm512_storeu_ps(out + 2 * pitch, _mm512_shuffle_ps(b[1], b[3], 0x44));
        _mm512_storeu_ps(out + 3 * pitch, _mm512_shuffle_ps(b[1], b[3], 0xee));
    }
}
/* Pairs (x0, x1) turned by (cos, sin): (x0 c - x1 s, x1 c + x0 s). */
static inline vf vf_turn(vf x, vf cs)
{
    vf swapped = _mm512_permute_ps(x, 0xb1);
    return _mm512_fmaddsub_ps(x, _mm512_moveldup_ps(cs),
                              _mm512_mul_ps(swapped, _mm512_movehdup_ps(cs)));
}

#endif
