/* AVX2 with FMA: 256-bit arithmetic, on every x86 of the last ten years.
 *
 * The int8 dot product. There is no signed x signed byte multiply, only vpmaddubsw, unsigned x
 * signed; so the sign of q goes over to the row: row * q = (row * sign q) * |q|. Negating costs a
 * place in the two pipes that multiply (vpsignb), flipping all bits does not (vpxor), and flipped
 * is -row - 1: so
 *
 *     sum row * q = sum (q < 0 ? ~row : row) * |q|  +  sum over q < 0 of |q|
 *
 * and the last sum is the same for every row. vpmaddubsw adds two products in int16, at most 2 *
 * 128 * 127 = 32512 < 32767, so nothing saturates, and vpmaddwd widens to int32: exact. Four rows
 * go side by side: they share the loads of q, their additions hide each other's latency, and as
 * rows lie one after another memory is still read in one stream (eight rows were slower: the
 * processor's own prefetching lost the thread). */
#include "kernels/variants.h"

#include <immintrin.h>
#include <string.h>

enum {
    AHEAD = 2048, /* bytes the prefetch runs ahead of the scan */
    MAX_DIM = 8192,
};

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

static inline __m256i load_i8(const int8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

/* acc += the products of 32 bytes: flip is all ones where q is negative, mag is |q|. */
static inline __m256i mul_add(__m256i acc, const int8_t *row, __m256i flip, __m256i mag)
{
    __m256i r = _mm256_xor_si256(load_i8(row), flip);
    __m256i p = _mm256_madd_epi16(_mm256_maddubs_epi16(mag, r), _mm256_set1_epi16(1));
    return _mm256_add_epi32(acc, p);
}

static inline __m128i sum_each(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

/* q made ready: once a call, not once a row. */
struct query {
    int8_t flip[MAX_DIM], mag[MAX_DIM];
    int32_t owed; /* sum over q < 0 of |q| */
} __attribute__((aligned(32)));

static void prepare(struct query *p, const int8_t *q, size_t dim)
{
    const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi16(1);
    __m256i owed = zero;
    for (size_t i = 0; i < dim; i += 32) {
        __m256i v = load_i8(q + i), flip = _mm256_cmpgt_epi8(zero, v), mag = _mm256_abs_epi8(v);
        _mm256_store_si256((__m256i *)(p->flip + i), flip);
        _mm256_store_si256((__m256i *)(p->mag + i), mag);
        __m256i one = _mm256_abs_epi8(flip);
        owed = _mm256_add_epi32(owed, _mm256_madd_epi16(_mm256_maddubs_epi16(mag, one), ones));
    }
    __m128i s = sum_each(owed, zero, zero, zero);
    p->owed = _mm_cvtsi128_si32(s);
}

static __m128i scan_one(const struct query *q, const int8_t *row, size_t dim)
{
    __m256i a = _mm256_setzero_si256();
    for (size_t i = 0; i < dim; i += 32)
        a = mul_add(a, row + i, load_i8(q->flip + i), load_i8(q->mag + i));
    return sum_each(a, _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256());
}

static void scan_i8(const int8_t *rows, size_t n, size_t dim, const int8_t *q, int32_t *out)
{
    struct query p;
    prepare(&p, q, dim);
    const __m128i owed = _mm_set1_epi32(p.owed);
    size_t r = 0;
    for (; r + 4 <= n; r += 4, rows += 4 * dim) {
        const int8_t *p1 = rows + dim, *p2 = p1 + dim, *p3 = p2 + dim;
        const char *next = (const char *)rows + AHEAD;
        __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
#pragma GCC unroll 2
        for (size_t i = 0; i < dim; i += 32) {
            __m256i flip = load_i8(p.flip + i), mag = load_i8(p.mag + i);
            _mm_prefetch(next + 4 * i, _MM_HINT_T0);
            _mm_prefetch(next + 4 * i + 64, _MM_HINT_T0);
            a = mul_add(a, rows + i, flip, mag);
            b = mul_add(b, p1 + i, flip, mag);
            c = mul_add(c, p2 + i, flip, mag);
            d = mul_add(d, p3 + i, flip, mag);
        }
        _mm_storeu_si128((__m128i *)(out + r), _mm_add_epi32(sum_each(a, b, c, d), owed));
    }
    for (; r < n; r++, rows += dim) out[r] = _mm_cvtsi128_si32(scan_one(&p, rows, dim)) + p.owed;
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
        _mm_storel_epi64((__m128i *)(out + i),
                         _mm_max_epi8(_mm_packs_epi16(w, w), _mm_set1_epi8(-127)));
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

/* Rows of a table are far apart: the next ones are asked for while these are added. */
static void fetch_row(const char *row, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64) _mm_prefetch(row + i, _MM_HINT_T0);
}

static inline __m256 q8_8(const char *p, __m256 d)
{
    __m128i q = _mm_loadl_epi64((const __m128i *)p);
    return _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)));
}

/* One block of 32 columns of all rows, then the next: sums stay in registers. */
static void sum_q8_0(float *y, const void *table, size_t row_bytes, const int32_t *ids, size_t n,
                     size_t dim)
{
    enum { BLOCK = 34, WAIT = 8 };
    for (size_t c = 0; c < dim; c += 32) {
        const char *col = (const char *)table + c / 32 * BLOCK;
        __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
        for (size_t i = 0; i < n; i++) {
            const char *p = col + (size_t)ids[i] * row_bytes;
            if (c == 0 && i + WAIT < n)
                fetch_row(col + (size_t)ids[i + WAIT] * row_bytes, row_bytes);
            uint16_t h;
            memcpy(&h, p, 2);
            __m256 d = _mm256_cvtph_ps(_mm_set1_epi16((short)h));
            s0 = _mm256_add_ps(s0, q8_8(p + 2, d));
            s1 = _mm256_add_ps(s1, q8_8(p + 10, d));
            s2 = _mm256_add_ps(s2, q8_8(p + 18, d));
            s3 = _mm256_add_ps(s3, q8_8(p + 26, d));
        }
        _mm256_storeu_ps(y + c, s0);
        _mm256_storeu_ps(y + c + 8, s1);
        _mm256_storeu_ps(y + c + 16, s2);
        _mm256_storeu_ps(y + c + 24, s3);
    }
}

void kernels_fill_avx2(struct kernels *k)
{
    k->name = "avx2";
    k->dot_f32 = dot_f32;
    k->axpy_f32 = axpy_f32;
    k->scan_i8 = scan_i8;
    k->quant_i8 = quant_i8;
    k->pass_i8 = pass_i8;
    k->sum_q8_0 = sum_q8_0;
}
