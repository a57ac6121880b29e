/* Products with integer weights for AVX-512 with VNNI. One 512-bit accumulator holds one row of
 * activations times 16 rows of weights: vpdpbusd multiplies four columns of all 16 by the same four
 * activations, which it takes from memory by broadcast. A tile is 16 rows of weights by T rows of
 * activations, T known when it is compiled, so that its sums stay in registers over all columns;
 * weights are unpacked once for the T. The sums are exact and the float operations those of
 * mat_impl.h, in that order, whatever T is.
 *
 * The offset of unsigned weights is taken away by starting a block's sum at its share: acts_view's
 * b8, b128 and b32. */
#include "kernels/mat_impl.h"

#include <immintrin.h>

typedef __m512 v16;

static inline v16 v16_zero(void) { return _mm512_setzero_ps(); }
static inline v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
static inline v16 v16_halves(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline v16 v16_bytes_u(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline v16 v16_bytes_s(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline void v16_put(float *y, v16 v, int n, bool add)
{
    __mmask16 rows = n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
    if (add) v = _mm512_add_ps(_mm512_maskz_loadu_ps(rows, y), v);
    _mm512_mask_storeu_ps(y, rows, v);
}

#define MAT_FILL       mat_fill_avx512
#define TILE_MOST      12
#define RUN_MOST(type) ((type) == QUANT_Q6_K ? 8 : 12) /* whose sums take two registers a row */
#include "kernels/mat_loops.h"

/* Columns 4 g .. 4 g + 3 of a block of 16 rows, unsigned. */
INLINE __m512i weights(enum quant type, const uint8_t *w, int g)
{
    if (type == QUANT_Q8_0) return _mm512_load_si512(w + 64 * g);
    const __m512i low = _mm512_set1_epi8(15);
    __m512i v = _mm512_load_si512(w + 64 * (g % 4));
    /* So that the compiler does not load the bytes once for each nibble. */
    __asm__("" : "+v"(v));
    v = _mm512_and_si512(g < 4 ? v : _mm512_srli_epi16(v, 4), low);
    if (type == QUANT_Q5_K) {
        __m512i h = _mm512_load_si512(w + 256);
        h = g < 4 ? _mm512_slli_epi16(h, 4 - g) : _mm512_srli_epi16(h, g - 4);
        v = _mm512_ternarylogic_epi32(v, h, _mm512_set1_epi8(16), 0xf8); /* v | (h & 16) */
    } else if (type == QUANT_Q6_K) {
        __m512i h = _mm512_load_si512(w + 256 + 64 * (g / 4));
        int by = 4 - 2 * (g % 4);
        h = by >= 0 ? _mm512_slli_epi16(h, (unsigned)by) : _mm512_srli_epi16(h, (unsigned)-by);
        v = _mm512_ternarylogic_epi32(v, h, _mm512_set1_epi8(48), 0xf8);
    }
    return v;
}

INLINE __m512i four(const int8_t *q) { return _mm512_set1_epi32(*(const int32_t *)q); }

INLINE __m512i start(enum quant type, const struct tile *x, size_t at, int b, int t, int half)
{
    if (type == QUANT_Q8_0) return _mm512_set1_epi32(x->v.b128[at + (size_t)t]);
    if (type == QUANT_Q4_0) return _mm512_set1_epi32(x->v.b8[at + (size_t)t]);
    if (type == QUANT_Q6_K) return _mm512_set1_epi32(x->v.b32[(2 * b + half) * x->w + t]);
    return _mm512_setzero_si512();
}

/* The second half of the columns has sums of its own where it has a scale of its own, and where
 * rows are so few that the chains of additions would hold up the rest. */
INLINE void block(enum quant type, int T, const uint8_t *w, struct scales s, const struct tile *x,
                  int b, __m512 *f)
{
    const bool apart = type == QUANT_Q6_K || T <= 3;
    size_t at = (size_t)b * (size_t)x->w;
    const int8_t *q = x->v.q + 32 * at;
    __m512i acc[TILE_MOST], acc2[TILE_MOST];
    UNROLL for (int t = 0; t < T; t++)
    {
        acc[t] = start(type, x, at, b, t, 0);
        acc2[t] = type == QUANT_Q6_K ? start(type, x, at, b, t, 1) : _mm512_setzero_si512();
    }
    UNROLL for (int i = 0; i < 8; i++)
    {
        int g = type == QUANT_Q8_0 || (type == QUANT_Q6_K && T > 3) ? i : i / 2 + i % 2 * 4;
        __m512i v = weights(type, w, g);
        UNROLL for (int t = 0; t < T; t++)
        {
            __m512i *to = apart && g >= 4 ? &acc2[t] : &acc[t];
            *to = _mm512_dpbusd_epi32(*to, v, four(q + 4 * (g * x->w + t)));
        }
    }
    UNROLL for (int t = 0; t < T; t++)
    {
        if (apart && type != QUANT_Q6_K) acc[t] = _mm512_add_epi32(acc[t], acc2[t]);
        __m512 p = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[t]), s.s0);
        if (type == QUANT_Q6_K) p = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc2[t]), s.s1, p);
        f[t] = _mm512_fmadd_ps(p, _mm512_set1_ps(x->v.d[at + (size_t)t]), f[t]);
        if (type == QUANT_Q4_K || type == QUANT_Q5_K)
            f[t] = _mm512_fnmadd_ps(s.min, _mm512_set1_ps(x->v.ds[at + (size_t)t]), f[t]);
    }
}

static void quantise_row(const struct acts *a, struct acts_view v, int t0, int w, int t)
{
    int nb = a->cols / 32;
    const float *x = a->x + (size_t)(t0 + t) * (size_t)a->cols;
    int8_t *q = v.q + 4 * (size_t)t;
    size_t at = (size_t)t;
    for (int b = 0; b < nb; b++, x += 32, at += (size_t)w) {
        __m512 lo = _mm512_loadu_ps(x), hi = _mm512_loadu_ps(x + 16);
        float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(lo), _mm512_abs_ps(hi)));
        float d = most / 127, inv = 127 / most;
        if (!(most >= 1e-30f)) d = inv = 0;
        __m512 by = _mm512_set1_ps(inv);
        __m128i n0 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(lo, by)));
        __m128i n1 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(hi, by)));
        __m256i n = _mm256_set_m128i(n1, n0), ones = _mm256_set1_epi8(1);
        int32_t bytes[8], four[8];
        _mm256_storeu_si256((__m256i *)bytes, n);
        n = _mm256_dpbusd_epi32(_mm256_setzero_si256(), ones, n);
        _mm256_storeu_si256((__m256i *)four, n);
        for (int g = 0; g < 8; g++, q += 4 * w) *(int32_t *)q = bytes[g];
        acts_put(v, at, 2 * at - (size_t)t, w, d, four[0] + four[1] + four[2] + four[3],
                 four[4] + four[5] + four[6] + four[7]);
    }
}

/* The largest magnitudes of 32 numbers of each of four rows, `cols` apart. */
INLINE __m128 most_of_four(const float *x, size_t cols)
{
    __m512 m[4];
    for (size_t i = 0; i < 4; i++) {
        __m512 lo = _mm512_loadu_ps(x + i * cols), hi = _mm512_loadu_ps(x + i * cols + 16);
        m[i] = _mm512_max_ps(_mm512_abs_ps(lo), _mm512_abs_ps(hi));
    }
    __m512 a = _mm512_max_ps(_mm512_unpacklo_ps(m[0], m[1]), _mm512_unpackhi_ps(m[0], m[1]));
    __m512 b = _mm512_max_ps(_mm512_unpacklo_ps(m[2], m[3]), _mm512_unpackhi_ps(m[2], m[3]));
    a = _mm512_max_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
    __m128 low = _mm_max_ps(_mm512_castps512_ps128(a), _mm512_extractf32x4_ps(a, 1));
    return _mm_max_ps(low, _mm_max_ps(_mm512_extractf32x4_ps(a, 2), _mm512_extractf32x4_ps(a, 3)));
}

/* 32 numbers of two rows as bytes: part l of four holds columns 4 l .. 4 l + 3 and 16 + 4 l ..
 * 19 + 4 l of the first, then of the second. */
INLINE __m512 bytes_of_two(const float *x, size_t cols, const float *by)
{
    __m512i n[2];
    for (size_t i = 0; i < 2; i++, x += cols) {
        __m512 v = _mm512_set1_ps(by[i]);
        n[i] = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), v)),
                                  _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16), v)));
    }
    return _mm512_castsi512_ps(_mm512_packs_epi16(n[0], n[1]));
}

/* Part l to q + l * step; returns the sums of each row's bytes. */
INLINE __m128i put_four(int8_t *q, size_t step, __m512i v)
{
    __m512i s = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), v);
    _mm_storeu_si128((__m128i *)q, _mm512_castsi512_si128(v));
    _mm_storeu_si128((__m128i *)(q + step), _mm512_extracti32x4_epi32(v, 1));
    _mm_storeu_si128((__m128i *)(q + 2 * step), _mm512_extracti32x4_epi32(v, 2));
    _mm_storeu_si128((__m128i *)(q + 3 * step), _mm512_extracti32x4_epi32(v, 3));
    __m128i low = _mm_add_epi32(_mm512_castsi512_si128(s), _mm512_extracti32x4_epi32(s, 1));
    return _mm_add_epi32(
        low, _mm_add_epi32(_mm512_extracti32x4_epi32(s, 2), _mm512_extracti32x4_epi32(s, 3)));
}

/* As acts_put, of four rows. */
INLINE void acts_put_four(struct acts_view v, size_t at, size_t at2, size_t w, __m128 d, __m128i s0,
                          __m128i s1)
{
    __m128i sum = _mm_add_epi32(s0, s1), none = _mm_setzero_si128();
    _mm_storeu_ps(v.d + at, d);
    _mm_storeu_ps(v.ds + at, _mm_mul_ps(d, _mm_cvtepi32_ps(sum)));
    _mm_storeu_si128((__m128i *)(v.b8 + at), _mm_sub_epi32(none, _mm_slli_epi32(sum, 3)));
    _mm_storeu_si128((__m128i *)(v.b128 + at), _mm_sub_epi32(none, _mm_slli_epi32(sum, 7)));
    _mm_storeu_si128((__m128i *)(v.b32 + at2), _mm_sub_epi32(none, _mm_slli_epi32(s0, 5)));
    _mm_storeu_si128((__m128i *)(v.b32 + at2 + w), _mm_sub_epi32(none, _mm_slli_epi32(s1, 5)));
}

/* Rows t .. t + 3 of a tile at once: what one row would scatter lies side by side. */
static void quantise_four(const struct acts *a, struct acts_view v, int t0, int w, int t)
{
    size_t cols = (size_t)a->cols, wide = (size_t)w, at = (size_t)t;
    const float *x = a->x + (size_t)(t0 + t) * cols;
    int8_t *q = v.q + 4 * at;
    for (size_t b = 0; b < cols / 32; b++, x += 32, at += wide, q += 32 * wide) {
        const __m128 steps = _mm_set1_ps(127);
        float by[4];
        __m128 most = most_of_four(x, cols);
        __mmask8 some = _mm_cmp_ps_mask(most, _mm_set1_ps(1e-30f), _CMP_GE_OQ);
        __m128 d = _mm_maskz_div_ps(some, most, steps);
        _mm_storeu_ps(by, _mm_maskz_div_ps(some, steps, most));
        __m512 n0 = bytes_of_two(x, cols, by), n1 = bytes_of_two(x + 2 * cols, cols, by + 2);
        __m512i low = _mm512_castps_si512(_mm512_shuffle_ps(n0, n1, 0x88));
        __m512i high = _mm512_castps_si512(_mm512_shuffle_ps(n0, n1, 0xdd));
        __m128i s0 = put_four(q, 4 * wide, low);
        __m128i s1 = put_four(q + 16 * wide, 4 * wide, high);
        acts_put_four(v, at, 2 * at - (size_t)t, wide, d, s0, s1);
    }
}

static void quantise_tile(const struct acts *a, struct acts_view v, int t0, int w)
{
    int t = 0;
    for (; t + 4 <= w; t += 4) quantise_four(a, v, t0, w, t);
    for (; t < w; t++) quantise_row(a, v, t0, w, t);
}
