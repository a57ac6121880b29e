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

/* Bytes that prefetching runs ahead of the weights, into the second-level cache: the first has too
 * few fill buffers to hide the latency of memory. */
enum { AHEAD = 32768 };
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Scales of 16 rows for one block of 32. */
struct scales {
    __m512 s0, s1, min;
};

INLINE __m512 halves(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

INLINE __m512 bytes_u(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

INLINE __m512 bytes_s(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

INLINE struct scales scales_of(enum quant type, const uint8_t *head, int b)
{
    struct scales s = { 0 };
    if (type == QUANT_Q8_0 || type == QUANT_Q4_0) {
        s.s0 = halves(head + (size_t)b * MAT_HEAD_Q0);
    } else if (type == QUANT_Q6_K) {
        head += (size_t)(b / 8) * MAT_HEAD_Q6K;
        __m512 d = halves(head);
        s.s0 = _mm512_mul_ps(d, bytes_s(head + 32 + b % 8 * 32));
        s.s1 = _mm512_mul_ps(d, bytes_s(head + 48 + b % 8 * 32));
    } else {
        head += (size_t)(b / 8) * MAT_HEAD_Q45K;
        s.s0 = _mm512_mul_ps(halves(head), bytes_u(head + 64 + b % 8 * 16));
        s.min = _mm512_mul_ps(halves(head + 32), bytes_u(head + 192 + b % 8 * 16));
    }
    return s;
}

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

/* Where a tile's activations are: w rows side by side, of which a kernel does T. */
struct tile {
    struct acts_view v;
    int w;
};

INLINE __m512i start(enum quant type, const struct tile *x, size_t at, int b, int t, int half)
{
    if (type == QUANT_Q8_0) return _mm512_set1_epi32(x->v.b128[at + (size_t)t]);
    if (type == QUANT_Q4_0) return _mm512_set1_epi32(x->v.b8[at + (size_t)t]);
    if (type == QUANT_Q6_K) return _mm512_set1_epi32(x->v.b32[(2 * b + half) * x->w + t]);
    return _mm512_setzero_si512();
}

/* f[t] += block b times row t. The second half of the columns has sums of its own where it has a
 * scale of its own, and where rows are so few that the chains of additions would hold up the
 * rest. */
INLINE void block(enum quant type, int T, const uint8_t *w, struct scales s, const struct tile *x,
                  int b, __m512 *f)
{
    const bool apart = type == QUANT_Q6_K || T <= 3;
    size_t at = (size_t)b * (size_t)x->w;
    const int8_t *q = x->v.q + 32 * at;
    __m512i acc[ACTS_TILE], acc2[ACTS_TILE];
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

/* 16 rows of weights by T rows of activations into y. */
INLINE void tile_T(enum quant type, int T, const uint8_t *group, const struct mat_shape *s,
                   const struct tile *x, __mmask16 rows, float *y, int stride, bool add)
{
    const uint8_t *w = group + s->head;
    __m512 f[ACTS_TILE];
    UNROLL for (int t = 0; t < T; t++) f[t] = _mm512_setzero_ps();
    for (int b = 0; b < s->nb; b++, w += s->step) {
        UNROLL for (size_t i = 0; i < s->step; i += 64)
            _mm_prefetch((const char *)w + AHEAD + i, _MM_HINT_T1);
        block(type, T, w, scales_of(type, group, b), x, b, f);
    }
    UNROLL for (int t = 0; t < T; t++)
    {
        float *to = y + (size_t)t * (size_t)stride;
        if (add) f[t] = _mm512_add_ps(_mm512_maskz_loadu_ps(rows, to), f[t]);
        _mm512_mask_storeu_ps(to, rows, f[t]);
    }
}

typedef void tile_fn(const uint8_t *group, const struct mat_shape *s, const struct tile *x,
                     __mmask16 rows, float *y, int stride, bool add);

/* Rows t .. t + T of a tile of w. */
INLINE void tile_part(enum quant type, int w, int t, int T, size_t step, const uint8_t *group,
                      const struct mat_shape *s, const struct tile *x, __mmask16 rows, float *y,
                      int stride, bool add)
{
    struct mat_shape c = { .nb = s->nb, .head = s->head, .step = step, .group = s->group };
    const struct acts_view *v = &x->v;
    struct tile z = { { v->q + 4 * t, v->d + t, v->ds + t, v->b8 + t, v->b128 + t, v->b32 + t },
                      w };
    tile_T(type, T, group, &c, &z, rows, y + (size_t)t * (size_t)stride, stride, add);
}

/* The sums of Q6_K take two registers a row; more than 8 rows are done in two runs. */
#define TILE(type, T)                                                                              \
    static void tile_##type##_##T(const uint8_t *group, const struct mat_shape *s,                 \
                                  const struct tile *x, __mmask16 rows, float *y, int stride,      \
                                  bool add)                                                        \
    {                                                                                              \
        enum { FIRST = QUANT_##type == QUANT_Q6_K && T > 8 ? (T + 1) / 2 : T };                    \
        tile_part(QUANT_##type, T, 0, FIRST, STEP_##type, group, s, x, rows, y, stride, add);      \
        if (FIRST < T)                                                                             \
            tile_part(QUANT_##type, T, FIRST, T - FIRST, STEP_##type, group, s, x, rows, y,        \
                      stride, add);                                                                \
    }
#define STEP_Q8_0 512
#define STEP_Q4_0 256
#define STEP_Q4_K 256
#define STEP_Q5_K 320
#define STEP_Q6_K 384
#define TILES(type)                                                                                \
    TILE(type, 1)                                                                                  \
    TILE(type, 2)                                                                                  \
    TILE(type, 3)                                                                                  \
    TILE(type, 4)                                                                                  \
    TILE(type, 5)                                                                                  \
    TILE(type, 6)                                                                                  \
    TILE(type, 7)                                                                                  \
    TILE(type, 8)                                                                                  \
    TILE(type, 9)                                                                                  \
    TILE(type, 10)                                                                                 \
    TILE(type, 11)                                                                                 \
    TILE(type, 12)                                                                                 \
    static tile_fn *const tiles_##type[] = { 0,                                                    \
                                             tile_##type##_1,                                      \
                                             tile_##type##_2,                                      \
                                             tile_##type##_3,                                      \
                                             tile_##type##_4,                                      \
                                             tile_##type##_5,                                      \
                                             tile_##type##_6,                                      \
                                             tile_##type##_7,                                      \
                                             tile_##type##_8,                                      \
                                             tile_##type##_9,                                      \
                                             tile_##type##_10,                                     \
                                             tile_##type##_11,                                     \
                                             tile_##type##_12 };
TILES(Q8_0)
TILES(Q4_0)
TILES(Q4_K)
TILES(Q5_K)
TILES(Q6_K)

static tile_fn *const *tiles_of(enum quant type)
{
    switch (type) {
    case QUANT_Q8_0: return tiles_Q8_0;
    case QUANT_Q4_0: return tiles_Q4_0;
    case QUANT_Q4_K: return tiles_Q4_K;
    case QUANT_Q5_K: return tiles_Q5_K;
    default: return tiles_Q6_K;
    }
}

static void mul(const struct mat *m, const struct acts *a, int from, int to, float *y, int stride,
                bool add)
{
    if (m->layout == MAT_PLAIN) {
        generic_mat_q_mul(m, a, from, to, y, stride, add);
        return;
    }
    struct mat_shape s = mat_shape(m);
    tile_fn *const *tiles = tiles_of(m->type);
    for (int t0 = 0; t0 < a->n; t0 += ACTS_TILE) {
        int w = a->n - t0 < ACTS_TILE ? a->n - t0 : ACTS_TILE;
        struct tile x = { .v = acts_tile(a, t0), .w = w };
        for (int r = from; r < to; r += MAT_GROUP) {
            const uint8_t *group = (const uint8_t *)m->packed + (size_t)(r / MAT_GROUP) * s.group;
            __mmask16 rows = to - r >= 16 ? 0xffff : (__mmask16)((1u << (to - r)) - 1);
            tiles[w](group, &s, &x, rows, y + (size_t)t0 * (size_t)stride + r, stride, add);
        }
    }
}

/* --- activations --- */

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

static void quantise(const struct acts *a, int t0, int w)
{
    struct acts_view v = acts_tile(a, t0);
    for (int t = 0; t < w; t++) quantise_row(a, v, t0, w, t);
}

void mat_fill_avx512(struct mat_ops *o)
{
    o->q8_0.mul = o->q4_0.mul = o->q4_k.mul = o->q5_k.mul = o->q6_k.mul = mul;
    o->quantise = quantise;
}
