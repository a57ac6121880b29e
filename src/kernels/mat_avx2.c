/* Products with integer weights for AVX2: a group of 16 rows as two halves of 8, by up to 4 rows of
 * activations. vpmaddubsw adds two products of unsigned and signed bytes in 16 bits, where it would
 * saturate; so weights of 4 bits are summed over all 32 columns in 16 bits before they are widened
 * (8 * 2 * 15 * 127 = 30480), of 5 bits over 16 columns (31496), of 6 bits over 8 (32004). Q8_0
 * moves the weight's sign to the activation, which leaves at most 2 * 128 * 127 = 32512.
 * Activations are within +-127. */
#include "kernels/mat_impl.h"

#include <immintrin.h>

typedef struct {
    __m256 h[2];
} v16;

static inline v16 v16_zero(void) { return (v16){ { _mm256_setzero_ps(), _mm256_setzero_ps() } }; }
static inline v16 v16_mul(v16 a, v16 b)
{
    return (v16){ { _mm256_mul_ps(a.h[0], b.h[0]), _mm256_mul_ps(a.h[1], b.h[1]) } };
}
static inline v16 v16_halves(const uint8_t *p)
{
    const __m128i *at = (const __m128i *)p;
    return (
        v16){ { _mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at + 1)) } };
}
static inline v16 v16_bytes_u(const uint8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p), w = _mm_unpackhi_epi64(v, v);
    return (v16){ { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v)),
                    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(w)) } };
}
static inline v16 v16_bytes_s(const uint8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p), w = _mm_unpackhi_epi64(v, v);
    return (v16){ { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
                    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(w)) } };
}
static inline void v16_put(float *y, v16 v, int n, bool add)
{
    float out[16];
    if (n >= 16) {
        for (int i = 0; i < 2; i++) {
            __m256 to = v.h[i];
            if (add) to = _mm256_add_ps(_mm256_loadu_ps(y + 8 * i), to);
            _mm256_storeu_ps(y + 8 * i, to);
        }
        return;
    }
    for (int i = 0; i < 2; i++) _mm256_storeu_ps(out + 8 * i, v.h[i]);
    for (int r = 0; r < n; r++) y[r] = add ? y[r] + out[r] : out[r];
}

#define MAT_FILL       mat_fill_avx2
#define TILE_MOST      4
#define RUN_MOST(type) 4
#include "kernels/mat_loops.h"

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

/* So that the compiler neither puts off additions nor keeps what is used once a block: there are
 * hardly enough registers for the sums. */
#define SETTLE(v)  __asm__("" : "+x"(v))
#define FORGET(at) __asm__("" : "+r"(at) : : "memory")

INLINE __m256i activations(const int8_t *q, int width, int g, int t)
{
    return _mm256_set1_epi32(*(const int32_t *)(q + 4 * (g * width + t)));
}

INLINE __m256i product(enum quant type, __m256i v, __m256i a)
{
    if (type != QUANT_Q8_0) return _mm256_maddubs_epi16(v, a);
    return _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(a, v));
}

INLINE void widen(__m256i *acc, __m256i sum)
{
    *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
    SETTLE(*acc);
}

/* acc[t] += steps g .. g + n - 1 of a block, for an n that is small: the long sums stay. */
INLINE void short_sums(enum quant type, int T, int n, const uint8_t *w, const int8_t *q, int width,
                       int g, __m256i acc[][2])
{
    __m256i v[2][2];
    UNROLL for (int i = 0; i < n; i++) UNROLL for (int h = 0; h < 2; h++)
    {
        v[i][h] = weights(type, w + 32 * h, g + i);
        SETTLE(v[i][h]);
    }
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int h = 0; h < 2; h++)
    {
        __m256i sum = product(type, v[0][h], activations(q, width, g, t));
        if (n == 2)
            sum = _mm256_add_epi16(sum, product(type, v[1][h], activations(q, width, g + 1, t)));
        widen(&acc[t][h], sum);
    }
}

/* The same for a larger n: the short sums stay. */
INLINE void long_sums(enum quant type, int T, int n, const uint8_t *w, const int8_t *q, int width,
                      int from, __m256i acc[][2])
{
    __m256i sum[TILE_MOST][2];
    UNROLL for (int i = 0; i < n; i++)
    {
        int g = n == 8 ? i / 2 + i % 2 * 4 : from + i;
        __m256i v[2] = { weights(type, w, g), weights(type, w + 32, g) };
        SETTLE(v[0]);
        SETTLE(v[1]);
        UNROLL for (int t = 0; t < T; t++)
        {
            __m256i a = activations(q, width, g, t);
            UNROLL for (int h = 0; h < 2; h++)
            {
                __m256i p = product(type, v[h], a);
                sum[t][h] = i ? _mm256_add_epi16(sum[t][h], p) : p;
                SETTLE(sum[t][h]);
            }
        }
    }
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int h = 0; h < 2; h++)
        widen(&acc[t][h], sum[t][h]);
}

INLINE void sums(enum quant type, int T, const uint8_t *w, const int8_t *q, int width, int from,
                 int to, __m256i acc[][2])
{
    int n = steps(type);
    UNROLL for (int g = from; g < to; g += n)
    {
        if (n <= 2) short_sums(type, T, n, w, q, width, g, acc);
        else long_sums(type, T, n, w, q, width, g, acc);
    }
}

INLINE void start(enum quant type, int T, const struct tile *x, size_t at, int half,
                  __m256i acc[][2])
{
    UNROLL for (int t = 0; t < T; t++)
    {
        __m256i v = _mm256_setzero_si256();
        if (type == QUANT_Q4_0) v = _mm256_set1_epi32(x->v.b8[at + (size_t)t]);
        if (type == QUANT_Q6_K) v = _mm256_set1_epi32(x->v.b32[2 * at + (size_t)(half * x->w + t)]);
        acc[t][0] = acc[t][1] = v;
    }
}

INLINE void block(enum quant type, int T, const uint8_t *w, struct scales s, const struct tile *x,
                  int b, v16 *f)
{
    size_t at = (size_t)b * (size_t)x->w;
    const int8_t *q = x->v.q + 32 * at;
    __m256i acc[TILE_MOST][2], acc2[TILE_MOST][2];
    struct scales *scale = &s;
    FORGET(f);
    FORGET(scale);
    start(type, T, x, at, 0, acc);
    sums(type, T, w, q, x->w, 0, type == QUANT_Q6_K ? 4 : 8, acc);
    if (type == QUANT_Q6_K) {
        start(type, T, x, at, 1, acc2);
        sums(type, T, w, q, x->w, 4, 8, acc2);
    }
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int h = 0; h < 2; h++)
    {
        __m256 p = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[t][h]), scale->s0.h[h]), *to = &f[t].h[h];
        if (type == QUANT_Q6_K)
            p = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc2[t][h]), scale->s1.h[h], p);
        *to = _mm256_fmadd_ps(p, _mm256_set1_ps(x->v.d[at + (size_t)t]), *to);
        if (type == QUANT_Q4_K || type == QUANT_Q5_K)
            *to = _mm256_fnmadd_ps(scale->min.h[h], _mm256_set1_ps(x->v.ds[at + (size_t)t]), *to);
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

static void quantise_tile(const struct acts *a, struct acts_view v, int t0, int w)
{
    for (int t = 0; t < w; t++) quantise_row(a, v, t0, w, t);
}
