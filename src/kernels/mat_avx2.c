/* Products with integer weights for AVX2: the packed layout of mat_impl.h read as two halves of 8
 * rows, a tile being 8 rows of weights by up to 4 rows of activations. vpmaddubsw adds two products
 * of unsigned and signed bytes in 16 bits, where it would saturate; so weights of 4 bits are summed
 * over all 32 columns in 16 bits before they are widened (8 * 2 * 15 * 127 = 30480), of 5 bits over
 * 16 columns (31496), of 6 bits over 8 (32004). Q8_0 moves the weight's sign to the activation,
 * which leaves at most 2 * 128 * 127 = 32512. Activations are within +-127. The sums are exact and
 * the float operations those of mat_impl.h, so the bits are those of every other variant. */
#include "kernels/mat_impl.h"

#include <immintrin.h>

enum { AHEAD = 4096, WIDE = 4 };
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

struct scales {
    __m256 s0, s1, min;
};

INLINE __m256 halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

INLINE __m256 bytes_u(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

INLINE __m256 bytes_s(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

/* Of the 8 rows from row i (0 or 8) of the group on. */
INLINE struct scales scales_of(enum quant type, const uint8_t *head, int i, int b)
{
    struct scales s = { 0 };
    if (type == QUANT_Q8_0 || type == QUANT_Q4_0) {
        s.s0 = halves(head + (size_t)b * MAT_HEAD_Q0 + 2 * i);
    } else if (type == QUANT_Q6_K) {
        head += (size_t)(b / 8) * MAT_HEAD_Q6K;
        __m256 d = halves(head + 2 * i);
        s.s0 = _mm256_mul_ps(d, bytes_s(head + 32 + b % 8 * 32 + i));
        s.s1 = _mm256_mul_ps(d, bytes_s(head + 48 + b % 8 * 32 + i));
    } else {
        head += (size_t)(b / 8) * MAT_HEAD_Q45K;
        s.s0 = _mm256_mul_ps(halves(head + 2 * i), bytes_u(head + 64 + b % 8 * 16 + i));
        s.min = _mm256_mul_ps(halves(head + 32 + 2 * i), bytes_u(head + 192 + b % 8 * 16 + i));
    }
    return s;
}

/* Columns 4 g .. 4 g + 3 of 8 rows: unsigned, but signed for Q8_0. w: at the first of them. */
INLINE __m256i weights(enum quant type, const uint8_t *w, int g)
{
    if (type == QUANT_Q8_0)
        return _mm256_xor_si256(_mm256_load_si256((const __m256i *)(w + 64 * g)),
                                _mm256_set1_epi8(-128));
    __m256i v = _mm256_load_si256((const __m256i *)(w + 64 * (g % 4)));
    v = _mm256_and_si256(g < 4 ? v : _mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
    if (type == QUANT_Q5_K) {
        __m256i h = _mm256_load_si256((const __m256i *)(w + 256));
        h = g < 4 ? _mm256_slli_epi16(h, 4 - g) : _mm256_srli_epi16(h, g - 4);
        v = _mm256_or_si256(v, _mm256_and_si256(h, _mm256_set1_epi8(16)));
    } else if (type == QUANT_Q6_K) {
        __m256i h = _mm256_load_si256((const __m256i *)(w + 256 + 64 * (g / 4)));
        int by = 4 - 2 * (g % 4);
        h = by >= 0 ? _mm256_slli_epi16(h, by) : _mm256_srli_epi16(h, -by);
        v = _mm256_or_si256(v, _mm256_and_si256(h, _mm256_set1_epi8(48)));
    }
    return v;
}

/* How many steps of 4 columns fit 16 bits. */
INLINE int steps(enum quant type)
{
    return type == QUANT_Q8_0 ? 1 : type == QUANT_Q6_K ? 2 : type == QUANT_Q5_K ? 4 : 8;
}

struct tile {
    struct acts_view v; /* from the first row of the tile on */
    int w, t;           /* rows side by side; the first that is done here */
};

/* acc[t] += steps [from, to) of a block. */
INLINE void sums(enum quant type, int T, const uint8_t *w, const int8_t *q, int width, int from,
                 int to, __m256i *acc)
{
    for (int g0 = from; g0 < to; g0 += steps(type)) {
        __m256i sum[WIDE];
        UNROLL for (int t = 0; t < T; t++) sum[t] = _mm256_setzero_si256();
        UNROLL for (int i = 0; i < steps(type); i++)
        {
            int g = g0 + i;
            __m256i v = weights(type, w, g);
            UNROLL for (int t = 0; t < T; t++)
            {
                __m256i a = _mm256_set1_epi32(*(const int32_t *)(q + 4 * (g * width + t)));
                __m256i p = type == QUANT_Q8_0
                                ? _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(a, v))
                                : _mm256_maddubs_epi16(v, a);
                sum[t] = i ? _mm256_add_epi16(sum[t], p) : p;
            }
        }
        UNROLL for (int t = 0; t < T; t++) acc[t] =
            _mm256_add_epi32(acc[t], _mm256_madd_epi16(sum[t], _mm256_set1_epi16(1)));
    }
}

/* f[t] += block b times row x->t + t. */
INLINE void block(enum quant type, int T, const uint8_t *w, struct scales s, const struct tile *x,
                  int b, __m256 *f)
{
    size_t at = (size_t)b * (size_t)x->w + (size_t)x->t;
    const int8_t *q = x->v.q + 32 * (size_t)b * (size_t)x->w + 4 * (size_t)x->t;
    const int32_t *b32 = x->v.b32 + 2 * (size_t)b * (size_t)x->w + x->t;
    __m256i acc[WIDE];
    __m256 p[WIDE];
    UNROLL for (int t = 0; t < T; t++) acc[t] = type == QUANT_Q4_0
                                                    ? _mm256_set1_epi32(x->v.b8[at + (size_t)t])
                                                : type == QUANT_Q6_K ? _mm256_set1_epi32(b32[t])
                                                                     : _mm256_setzero_si256();
    sums(type, T, w, q, x->w, 0, type == QUANT_Q6_K ? 4 : 8, acc);
    UNROLL for (int t = 0; t < T; t++)
    {
        p[t] = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[t]), s.s0);
        if (type == QUANT_Q6_K) acc[t] = _mm256_set1_epi32(b32[x->w + t]);
    }
    if (type == QUANT_Q6_K) sums(type, T, w, q, x->w, 4, 8, acc);
    UNROLL for (int t = 0; t < T; t++)
    {
        if (type == QUANT_Q6_K) p[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc[t]), s.s1, p[t]);
        f[t] = _mm256_fmadd_ps(p[t], _mm256_set1_ps(x->v.d[at + (size_t)t]), f[t]);
        if (type == QUANT_Q4_K || type == QUANT_Q5_K)
            f[t] = _mm256_fnmadd_ps(s.min, _mm256_set1_ps(x->v.ds[at + (size_t)t]), f[t]);
    }
}

/* 8 rows of weights, of which `rows` are there, by T rows of activations. */
INLINE void tile_T(enum quant type, int T, const uint8_t *group, int half,
                   const struct mat_shape *s, const struct tile *x, int rows, float *y, int stride,
                   bool add)
{
    const uint8_t *w = group + s->head + 32 * half;
    __m256 f[WIDE];
    UNROLL for (int t = 0; t < T; t++) f[t] = _mm256_setzero_ps();
    for (int b = 0; b < s->nb; b++, w += s->step) {
        for (size_t i = 0; half == 0 && i < s->step; i += 64)
            _mm_prefetch((const char *)w + AHEAD + i, _MM_HINT_T0);
        block(type, T, w, scales_of(type, group, 8 * half, b), x, b, f);
    }
    UNROLL for (int t = 0; t < T; t++)
    {
        float out[8], *to = y + (size_t)t * (size_t)stride;
        _mm256_storeu_ps(out, f[t]);
        for (int r = 0; r < rows; r++) to[r] = add ? to[r] + out[r] : out[r];
    }
}

typedef void tile_fn(const uint8_t *group, int half, const struct mat_shape *s,
                     const struct tile *x, int rows, float *y, int stride, bool add);

#define TILE(type, T)                                                                              \
    static void tile_##type##_##T(const uint8_t *group, int half, const struct mat_shape *s,       \
                                  const struct tile *x, int rows, float *y, int stride, bool add)  \
    {                                                                                              \
        tile_T(QUANT_##type, T, group, half, s, x, rows, y, stride, add);                          \
    }
#define TILES(type)                                                                                \
    TILE(type, 1)                                                                                  \
    TILE(type, 2)                                                                                  \
    TILE(type, 3)                                                                                  \
    TILE(type, 4)                                                                                  \
    static tile_fn *const tiles_##type[] = { 0, tile_##type##_1, tile_##type##_2, tile_##type##_3, \
                                             tile_##type##_4 };
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
        struct tile x = { .v = acts_tile(a, t0),
                          .w = a->n - t0 < ACTS_TILE ? a->n - t0 : ACTS_TILE };
        for (int r = from; r < to; r += 8) {
            const uint8_t *group = (const uint8_t *)m->packed + (size_t)(r / MAT_GROUP) * s.group;
            int rows = to - r < 8 ? to - r : 8;
            for (x.t = 0; x.t < x.w; x.t += WIDE) {
                int n = x.w - x.t < WIDE ? x.w - x.t : WIDE;
                float *to_y = y + (size_t)(t0 + x.t) * (size_t)stride + r;
                tiles[n](group, r % MAT_GROUP / 8, &s, &x, rows, to_y, stride, add);
            }
        }
    }
}

/* --- activations --- */

static float most_of(const __m256 x[4])
{
    const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 m = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) m = _mm256_max_ps(m, _mm256_and_ps(x[i], no_sign));
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}

static void quantise_row(const struct acts *a, struct acts_view v, int t0, int w, int t)
{
    int nb = a->cols / 32;
    const float *p = a->x + (size_t)(t0 + t) * (size_t)a->cols;
    int8_t *q = (int8_t *)v.q + 4 * (size_t)t;
    size_t at = (size_t)t;
    for (int b = 0; b < nb; b++, p += 32, at += (size_t)w) {
        __m256 x[4];
        __m256i n[4];
        for (int i = 0; i < 4; i++) x[i] = _mm256_loadu_ps(p + 8 * i);
        float most = most_of(x), d = most / 127, inv = 127 / most;
        if (!(most >= 1e-30f)) d = inv = 0;
        for (int i = 0; i < 4; i++)
            n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(x[i], _mm256_set1_ps(inv)));
        __m256i all =
            _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3]));
        all = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        __m256i two = _mm256_maddubs_epi16(_mm256_set1_epi8(1), all);
        int32_t bytes[8], four[8];
        _mm256_storeu_si256((__m256i *)bytes, all);
        _mm256_storeu_si256((__m256i *)four, _mm256_madd_epi16(two, _mm256_set1_epi16(1)));
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

void mat_fill_avx2(struct mat_ops *o)
{
    o->q8_0.mul = o->q4_0.mul = o->q4_k.mul = o->q5_k.mul = o->q6_k.mul = mul;
    o->quantise = quantise;
}
