/* AVX2 with FMA: 256-bit arithmetic, on every x86 of the last ten years.
 *
 * The int8 dot product. There is no signed x signed byte multiply, so the sign of q is moved onto the
 * row: row * q = (row * sign q) * |q|, which vpmaddubsw takes as signed x unsigned. It adds two
 * products in int16, at most 2 * 127 * 127 = 32258 < 32767, so with values in [-127, 127] nothing
 * saturates (-128 would; that is why it is not a value), and vpmaddwd widens to int32: exact.
 * Four rows go side by side: q is loaded once for the four, four chains of additions hide each other's
 * latency, and rows lie one after another, so memory is still read in one stream. Measured with six
 * and eight rows: no faster, memory is the limit. */
#include "kernels/variants.h"

#include <immintrin.h>
#include <string.h>

#define AHEAD 2048      /* bytes the prefetch runs ahead of the scan */

static float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static float dot_f32(const float *x, const float *y, size_t n)
{
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), a);
        b = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), b);
        c = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 16), _mm256_loadu_ps(y + i + 16), c);
        d = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 24), _mm256_loadu_ps(y + i + 24), d);
    }
    for (; i + 8 <= n; i += 8)
        a = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), a);
    float s = sum8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    for (; i < n; i++) s += x[i] * y[i];
    return s;
}

static void axpy_f32(float *y, float a, const float *x, size_t n)
{
    __m256 va = _mm256_set1_ps(a);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256 u = _mm256_fmadd_ps(va, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i));
        __m256 v = _mm256_fmadd_ps(va, _mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8));
        _mm256_storeu_ps(y + i, u);
        _mm256_storeu_ps(y + i + 8, v);
    }
    for (; i < n; i++) y[i] += a * x[i];
}

static inline __m256i mul_add(__m256i acc, const int8_t *row, __m256i q, __m256i mag)
{
    __m256i r = _mm256_sign_epi8(_mm256_loadu_si256((const __m256i *)row), q);
    __m256i p = _mm256_madd_epi16(_mm256_maddubs_epi16(mag, r), _mm256_set1_epi16(1));
    return _mm256_add_epi32(acc, p);
}

static inline __m256i load_i8(const int8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static void scan_i8(const int8_t *rows, size_t n, size_t dim, const int8_t *q, int32_t *out)
{
    size_t r = 0;
    for (; r + 4 <= n; r += 4, rows += 4 * dim) {
        __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
        for (size_t i = 0; i < dim; i += 32) {
            __m256i vq = load_i8(q + i), mag = _mm256_abs_epi8(vq);
            _mm_prefetch((const char *)rows + 4 * i + AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)rows + 4 * i + AHEAD + 64, _MM_HINT_T0);
            a = mul_add(a, rows + i, vq, mag);
            b = mul_add(b, rows + dim + i, vq, mag);
            c = mul_add(c, rows + 2 * dim + i, vq, mag);
            d = mul_add(d, rows + 3 * dim + i, vq, mag);
        }
        __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
        _mm_storeu_si128((__m128i *)(out + r), t);
    }
    for (; r < n; r++, rows += dim) {
        __m256i a = _mm256_setzero_si256();
        for (size_t i = 0; i < dim; i += 32) {
            __m256i vq = load_i8(q + i);
            a = mul_add(a, rows + i, vq, _mm256_abs_epi8(vq));
        }
        __m128i t = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
        t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
        t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1));
        out[r] = _mm_cvtsi128_si32(t);
    }
}

static float quant_i8(const float *x, size_t n, int8_t *out)
{
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 m = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        m = _mm256_max_ps(m, _mm256_and_ps(magnitude, _mm256_loadu_ps(x + i)));
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    float most = _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
    for (; i < n; i++) most = __builtin_fmaxf(most, __builtin_fabsf(x[i]));
    if (!(most > 1e-30f)) {
        memset(out, 0, n);
        return 0;
    }
    const float inv = 127.0f / most;
    const __m256 vinv = _mm256_set1_ps(inv);
    for (i = 0; i + 8 <= n; i += 8) {
        __m256i v = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), vinv));
        __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storel_epi64((__m128i *)(out + i), _mm_max_epi8(_mm_packs_epi16(w, w),
                                                            _mm_set1_epi8(-127)));
    }
    for (; i < n; i++) {
        int v = _mm_cvtss_si32(_mm_set_ss(x[i] * inv));
        out[i] = (int8_t)(v > 127 ? 127 : v < -127 ? -127 : v);
    }
    return most / 127.0f;
}

static size_t pass_i8(const int32_t *dot, const float *scale, const float *slack, size_t n, float a,
                      float b, float t, uint32_t *idx)
{
    const __m256 va = _mm256_set1_ps(a), vb = _mm256_set1_ps(b), vt = _mm256_set1_ps(t);
    size_t m = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 d = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(dot + i)));
        __m256 s = _mm256_mul_ps(_mm256_mul_ps(d, _mm256_loadu_ps(scale + i)), va);
        s = _mm256_add_ps(s, _mm256_mul_ps(_mm256_loadu_ps(slack + i), vb));
        int mask = _mm256_movemask_ps(_mm256_cmp_ps(s, vt, _CMP_GE_OQ));
        for (; mask; mask &= mask - 1) idx[m++] = (uint32_t)(i + (size_t)__builtin_ctz(mask));
    }
    for (; i < n; i++)
        if ((float)dot[i] * scale[i] * a + slack[i] * b >= t) idx[m++] = (uint32_t)i;
    return m;
}

void kernels_fill_avx2(struct kernels *k)
{
    k->name = "avx2";
    k->dot_f32 = dot_f32;
    k->axpy_f32 = axpy_f32;
    k->scan_i8 = scan_i8;
    k->quant_i8 = quant_i8;
    k->pass_i8 = pass_i8;
}
