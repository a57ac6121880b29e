/* AVX-512 with VNNI: vpdpbusd wants one side unsigned, which the rows are; the other side becomes
 * signed, and what the bias of the rows added, 128 times the sum of q, is taken off at the end.
 * Four rows at a time, so that four chains of additions run side by side. */
#include "kernels/near.h"

#include <immintrin.h>

enum { AHEAD = 8 };

static inline void fetch(const uint8_t *row, size_t stride)
{
    for (size_t j = 0; j < stride; j += 64) _mm_prefetch((const char *)row + j, _MM_HINT_T0);
}

static inline __m512i load(const uint8_t *p) { return _mm512_loadu_si512(p); }

static inline __m128i quarter(__m512i v)
{
    __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

/* The sums of four vectors, in order. */
static inline __m128i sums(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m128i ab = _mm_hadd_epi32(quarter(a), quarter(b));
    return _mm_hadd_epi32(ab, _mm_hadd_epi32(quarter(c), quarter(d)));
}

void near_dots_avx512(const uint8_t *rows, size_t stride, const uint32_t *at, size_t n,
                      const uint8_t *q, int32_t *out)
{
    const __m512i top = _mm512_set1_epi8(-128), ones = _mm512_set1_epi8(1);
    __m512i own = _mm512_setzero_si512();
    for (size_t i = 0; i < n && i < AHEAD; i++) fetch(rows + at[i] * stride, stride);
    for (size_t j = 0; j < stride; j += 64)
        own = _mm512_dpbusd_epi32(own, ones, _mm512_xor_si512(load(q + j), top));
    __m128i bias = _mm_set1_epi32(128 * _mm512_reduce_add_epi32(own));
    for (size_t i = 0; i < n; i += 4) {
        size_t rest = n - i < 4 ? n - i : 4;
        const uint8_t *r[4];
        for (size_t k = 0; k < 4; k++) {
            r[k] = rows + at[i + (k < rest ? k : 0)] * stride;
            if (i + k + AHEAD < n) fetch(rows + at[i + k + AHEAD] * stride, stride);
        }
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
        for (size_t j = 0; j < stride; j += 64) {
            __m512i v = _mm512_xor_si512(load(q + j), top);
            a = _mm512_dpbusd_epi32(a, load(r[0] + j), v);
            b = _mm512_dpbusd_epi32(b, load(r[1] + j), v);
            c = _mm512_dpbusd_epi32(c, load(r[2] + j), v);
            d = _mm512_dpbusd_epi32(d, load(r[3] + j), v);
        }
        __m128i s = _mm_sub_epi32(sums(a, b, c, d), bias);
        if (rest == 4) _mm_storeu_si128((__m128i *)(out + i), s);
        else _mm_mask_storeu_epi32(out + i, (__mmask8)((1u << rest) - 1), s);
    }
}
