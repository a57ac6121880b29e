/* AVX2 has no product of bytes that cannot saturate, so bytes become 16-bit numbers first; pairs of
 * products are then exact in int32. */
#include "kernels/near.h"

#include <immintrin.h>

enum { AHEAD = 4 };

static inline void fetch(const uint8_t *row, size_t stride)
{
    for (size_t j = 0; j < stride; j += 64) _mm_prefetch((const char *)row + j, _MM_HINT_T0);
}

static inline __m256i wide(const uint8_t *p)
{
    __m128i b = _mm_xor_si128(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8(-128));
    return _mm256_cvtepi8_epi16(b);
}

static inline int32_t sum_of(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

void near_dots_avx2(const uint8_t *rows, size_t stride, const uint32_t *at, size_t n,
                    const uint8_t *q, int32_t *out)
{
    for (size_t i = 0; i < n && i < AHEAD; i++) fetch(rows + at[i] * stride, stride);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *r = rows + at[i] * stride;
        __m256i a = _mm256_setzero_si256(), b = a;
        if (i + AHEAD < n) fetch(rows + at[i + AHEAD] * stride, stride);
        for (size_t j = 0; j < stride; j += 32) {
            a = _mm256_add_epi32(a, _mm256_madd_epi16(wide(r + j), wide(q + j)));
            b = _mm256_add_epi32(b, _mm256_madd_epi16(wide(r + j + 16), wide(q + j + 16)));
        }
        out[i] = sum_of(_mm256_add_epi32(a, b));
    }
}
