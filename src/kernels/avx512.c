/* AVX-512 with VNNI. vpdpbusd multiplies unsigned by signed bytes and adds four products to an
 * int32 without saturating between. Rows are made unsigned by flipping their top bit, which adds
 * 128: sum (row + 128) * q = sum row * q + 128 * sum q, and the last term is the same for every
 * row. The entries not given here stay those of AVX2. */
#include "kernels/variants.h"

#include <immintrin.h>

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

void kernels_fill_avx512(struct kernels *k)
{
    k->name = "avx512";
    k->dot_f32 = dot_f32;
    k->axpy_f32 = axpy_f32;
    k->scan_i8 = scan_i8;
}
