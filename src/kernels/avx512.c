/* AVX-512 with VNNI. vpdpbusd multiplies unsigned by signed bytes and adds four products to an
 * int32 without saturating between. Rows are made unsigned by flipping their top bit, which adds
 * 128: sum (row + 128) * q = sum row * q + 128 * sum q, and the last term is the same for every
 * row. The entries not given here stay those of AVX2. */
#include "kernels/variants.h"

#include <immintrin.h>
#include <string.h>

#define AHEAD 2048 /* bytes the prefetch runs ahead of the scan */

static float dot_f32(const float *x, const float *y, size_t n)
{
    __m512 a = _mm512_setzero_ps(), b = a;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i), a);
        b = _mm512_fmadd_ps(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(y + i + 16), b);
    }
    for (; i < n; i += 16) {
        __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        a = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_maskz_loadu_ps(m, y + i), a);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(a, b));
}

static void axpy_f32(float *y, float a, const float *x, size_t n)
{
    __m512 va = _mm512_set1_ps(a);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        __m512 v = _mm512_maskz_loadu_ps(m, y + i);
        v = _mm512_fmadd_ps(va, _mm512_maskz_loadu_ps(m, x + i), v);
        _mm512_mask_storeu_ps(y + i, m, v);
    }
}

/* One step of 64 bytes; the mask is half at the end of a dim that is an odd multiple of 32. */
static inline __m512i mul_add(__m512i acc, __mmask64 m, const int8_t *row, __m512i q)
{
    __m512i r = _mm512_xor_si512(_mm512_maskz_loadu_epi8(m, row), _mm512_set1_epi8(-128));
    return _mm512_dpbusd_epi32(acc, r, q); /* q is 0 where the mask is */
}

static void scan_i8(const int8_t *rows, size_t n, size_t dim, const int8_t *q, int32_t *out)
{
    int32_t bias = 0;
    for (size_t i = 0; i < dim; i++) bias += q[i];
    bias *= 128;
    for (size_t r = 0; r < n; r += 4) {
        size_t rest = n - r < 4 ? n - r : 4;
        const int8_t *p[4];
        for (size_t j = 0; j < 4; j++) p[j] = rows + (r + (j < rest ? j : 0)) * dim;
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
        for (size_t i = 0; i < dim; i += 64) {
            __mmask64 m = dim - i >= 64 ? ~(__mmask64)0 : 0xffffffffu;
            __m512i vq = _mm512_maskz_loadu_epi8(m, q + i);
            for (size_t j = 0; j < 4; j++)
                _mm_prefetch((const char *)p[0] + 4 * i + AHEAD + 64 * j, _MM_HINT_T0);
            a = mul_add(a, m, p[0] + i, vq);
            b = mul_add(b, m, p[1] + i, vq);
            c = mul_add(c, m, p[2] + i, vq);
            d = mul_add(d, m, p[3] + i, vq);
        }
        int32_t s[4] = { _mm512_reduce_add_epi32(a), _mm512_reduce_add_epi32(b),
                         _mm512_reduce_add_epi32(c), _mm512_reduce_add_epi32(d) };
        for (size_t j = 0; j < rest; j++) out[r + j] = s[j] - bias;
    }
}

static inline __m512 add_q8(__m512 s, const char *p, __m512 d)
{
    __m128i q = _mm_loadu_si128((const __m128i *)p);
    return _mm512_fmadd_ps(d, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)), s);
}

static inline __m512 q8_scale(const char *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _mm512_cvtph_ps(_mm256_set1_epi16((short)h));
}

/* Four blocks of columns of all rows, then the next four: their sums stay in registers. A scale of
 * 11 bits times 8 bits is exact, so fused or not makes no difference. */
static void sum_q8_0(float *y, const void *table, size_t row_bytes, const int32_t *ids, size_t n,
                     size_t dim)
{
    enum { BLOCK = 34, WAIT = 8, WIDE = 4 };
    for (size_t c = 0; c < dim; c += 32 * WIDE) {
        const char *col = (const char *)table + c / 32 * BLOCK;
        size_t blocks = (dim - c) / 32 < WIDE ? (dim - c) / 32 : WIDE;
        __m512 s[2 * WIDE];
        for (size_t b = 0; b < 2 * WIDE; b++) s[b] = _mm512_setzero_ps();
        for (size_t i = 0; i < n; i++) {
            const char *p = col + (size_t)ids[i] * row_bytes;
            if (c == 0 && i + WAIT < n)
                for (size_t j = 0; j < row_bytes; j += 64)
                    _mm_prefetch(col + (size_t)ids[i + WAIT] * row_bytes + j, _MM_HINT_T0);
            if (blocks == WIDE) {
#pragma GCC unroll 4
                for (size_t b = 0; b < WIDE; b++) {
                    __m512 d = q8_scale(p + b * BLOCK);
                    s[2 * b] = add_q8(s[2 * b], p + b * BLOCK + 2, d);
                    s[2 * b + 1] = add_q8(s[2 * b + 1], p + b * BLOCK + 18, d);
                }
                continue;
            }
            for (size_t b = 0; b < blocks; b++) {
                __m512 d = q8_scale(p + b * BLOCK);
                s[2 * b] = add_q8(s[2 * b], p + b * BLOCK + 2, d);
                s[2 * b + 1] = add_q8(s[2 * b + 1], p + b * BLOCK + 18, d);
            }
        }
        for (size_t b = 0; b < 2 * blocks; b++) _mm512_storeu_ps(y + c + 16 * b, s[b]);
    }
}

void kernels_fill_avx512(struct kernels *k)
{
    k->name = "avx512";
    k->dot_f32 = dot_f32;
    k->axpy_f32 = axpy_f32;
    k->scan_i8 = scan_i8;
    k->sum_q8_0 = sum_q8_0;
}
