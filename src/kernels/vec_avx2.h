/* vec.h with AVX2, FMA and F16C: eight lanes. */
#ifndef LK_KERNELS_VEC_AVX2_H
#define LK_KERNELS_VEC_AVX2_H

#include <immintrin.h>

#define VN 8
typedef __m256 vf;

static inline __m256i vf_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf vf_set1(float a) { return _mm256_set1_ps(a); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline vf vf_loadn(const float *p, size_t n) { return _mm256_maskload_ps(p, vf_lanes(n)); }
static inline void vf_storen(float *p, vf v, size_t n) { _mm256_maskstore_ps(p, vf_lanes(n), v); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); } /* b if either is NaN */
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf vf_copysign(vf a, vf sign)
{
    return _mm256_or_ps(vf_abs(a), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
static inline vf vf_if_less(vf a, vf b, vf then, vf other)
{
    return _mm256_blendv_ps(other, then, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline float vf_sum(vf a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float vf_most(vf a)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
/* p * 2^n, t = n + VEC_ROUND; -126 <= n <= 128. */
static inline vf vf_pow2(vf p, vf t)
{
    __m256i n = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(0x4b400000));
    __m256i half = _mm256_srai_epi32(n, 1), one = _mm256_set1_epi32(127);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(n, half), one), 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}
static inline vf vf_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
/* One number in every lane. */
static inline vf vf_f16_all(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_set1_epi16((short)*p));
}
static inline vf vf_bf16(const uint16_t *p)
{
    __m256i w = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
}
/* The first n numbers. */
static inline void vf_store_f16(uint16_t *p, vf v, size_t n)
{
    __m128i h = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    memcpy(p, &h, n * sizeof *p);
}
static inline vf vf_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
/* VN x VN numbers, rows `pitch` and `stride` floats apart, mirrored at the diagonal. */
static inline void vf_transpose(float *to, size_t pitch, const float *from, size_t stride)
{
    __m256 a[8], b[8];
    for (size_t i = 0; i < 4; i++) { /* halves of rows i and i + 4 side by side */
        __m256 x = _mm256_loadu_ps(from + i * stride), y = _mm256_loadu_ps(from + (i + 4) * stride);
        a[i] = _mm256_permute2f128_ps(x, y, 0x20);
        a[i + 4] = _mm256_permute2f128_ps(x, y, 0x31);
    }
    for (int i = 0; i < 8; i += 4) { /* 4 x 4 in each half */
        b[0] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
        b[2] = _mm256_unpacklo_ps(a[i + 2], a[i + 3]);
        b[3] = _mm256_unpackhi_ps(a[i + 2], a[i + 3]);
        float *at = to + (size_t)i * pitch;
        _mm256_storeu_ps(at, _mm256_shuffle_ps(b[0], b[2], 0x44));
        _mm256_storeu_ps(at + pitch, _mm256_shuffle_ps(b[0], b[2], 0xee));
        _mm256_storeu_ps(at + 2 * pitch, _mm256_shuffle_ps(b[1], b[3], 0x44));
        _mm256_storeu_ps(at + 3 * pitch, _mm256_shuffle_ps(b[1], b[3], 0xee));
    }
}
/* Pairs (x0, x1) turned by (cos, sin): (x0 c - x1 s, x1 c + x0 s). */
static inline vf vf_turn(vf x, vf cs)
{
    vf swapped = _mm256_permute_ps(x, 0xb1);
    return _mm256_fmaddsub_ps(x, _mm256_moveldup_ps(cs),
                              _mm256_mul_ps(swapped, _mm256_movehdup_ps(cs)));
}

#endif
