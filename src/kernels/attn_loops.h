/* The loops of attn_impl.h over the vectors of vec.h; each attn_<set>.c includes this once, after
 * defining ATTN_TABLE, TILE_M (query rows a tile) and WIDE(m) (vectors a tile of m rows, 2 or 4).
 *
 * Softmax runs along with the blocks (Milakov and Gimelshein, 2018): each row keeps its largest
 * score and the sum of exponentials relative to it, and its output is rescaled when a larger one
 * comes. Blocks of 128 positions start at multiples of 128 and go upward, and each number is one
 * chain of multiply-adds in the order of k, so a row's bits do not depend on the rows of its tile.
 *
 * Both products are C[m][n] = sum over k of A[m][k] B[k][n] with B in memory as vectors along n:
 * scores have n = positions (keys are interleaved by 16 for that), outputs have n = dimensions. B
 * is widened to floats on the fly; for more than DIRECT rows once, into a panel. */
#include "kernels/attn_impl.h"
#include "kernels/inline.h"
#include "kernels/vec.h"

enum { DIRECT = 12 };

/* What is read from memory, not from a panel, is fetched ahead of its use. */
INLINE void ahead(enum quant type, const void *b, size_t i)
{
    if (type == QUANT_F16) __builtin_prefetch((const uint16_t *)b + i);
    if (type == QUANT_Q8_0) __builtin_prefetch((const int8_t *)b + i);
}

INLINE vf b_load(enum quant type, const void *b, size_t i)
{
    if (type == QUANT_F32) return vf_load((const float *)b + i);
    if (type == QUANT_F16) return vf_f16((const uint16_t *)b + i);
    return vf_i8((const int8_t *)b + i);
}

/* Where vector j of row 0 of the interleaved keys lies. */
INLINE size_t key_at(int dim, int j)
{
    return (size_t)(j * VN / ATTN_SUB) * (size_t)dim * ATTN_SUB + (size_t)(j * VN % ATTN_SUB);
}

/* s[i][0 .. nv * VN) for i < m. k, ks: at the first of these keys, a multiple of 16. `off`: lane
 * within the 16. */
INLINE void score_tile(int m, int nv, const struct attn_kv *kv, const float *q, int dim, float *s,
                       int off)
{
    vf acc[TILE_M][4], by[4];
    int step = kv->type == QUANT_Q8_0 ? ATTN_GROUP : dim;
    UNROLL_BY(12)
    for (int i = 0; i < m; i++) {
        UNROLL_BY(4)
        for (int j = 0; j < nv; j++) acc[i][j] = vf_set1(0);
    }
    for (int g = 0; g < dim; g += step) {
        if (kv->type == QUANT_Q8_0) {
            UNROLL_BY(4)
            for (int j = 0; j < nv; j++)
                by[j] =
                    vf_f16(kv->ks + key_at(dim / ATTN_GROUP, j) + off + g / ATTN_GROUP * ATTN_SUB);
        }
        for (int d = g; d < g + step; d++) {
            vf b[4];
            UNROLL_BY(4)
            for (int j = 0; j < nv; j++) {
                size_t at = key_at(dim, j) + (size_t)(d * ATTN_SUB + off);
                b[j] = b_load(kv->type, kv->k, at);
                ahead(kv->type, kv->k, at + (size_t)(4 * ATTN_SUB) * (size_t)dim);
                if (kv->type == QUANT_Q8_0) b[j] = vf_mul(b[j], by[j]);
            }
            UNROLL_BY(12)
            for (int i = 0; i < m; i++) {
                vf a = vf_set1(q[i * dim + d]);
                UNROLL_BY(4)
                for (int j = 0; j < nv; j++) acc[i][j] = vf_fma(a, b[j], acc[i][j]);
            }
        }
    }
    UNROLL_BY(12)
    for (int i = 0; i < m; i++) {
        UNROLL_BY(4)
        for (int j = 0; j < nv; j++) vf_store(s + i * ATTN_BLOCK + j * VN, acc[i][j]);
    }
}

/* o[i][at .. at + nv * VN) = o * alpha[i] + sum over k < n of p[i][k] * v[k][...]. */
INLINE void value_tile(int m, int nv, const struct attn_kv *kv, const float *p, int n, int dim_v,
                       const float *alpha, float *o, int at)
{
    vf acc[TILE_M][4];
    UNROLL_BY(12)
    for (int i = 0; i < m; i++) {
        UNROLL_BY(4)
        for (int j = 0; j < nv; j++)
            acc[i][j] = vf_mul(vf_load(o + i * dim_v + at + j * VN), vf_set1(alpha[i]));
    }
    for (int k = 0; k < n; k++) {
        vf b[4];
        UNROLL_BY(4)
        for (int j = 0; j < nv; j++) {
            b[j] = b_load(kv->type, kv->v, (size_t)k * (size_t)dim_v + (size_t)(at + j * VN));
            ahead(kv->type, kv->v, (size_t)(k + 32) * (size_t)dim_v + (size_t)(at + j * VN));
            if (kv->type == QUANT_Q8_0)
                b[j] = vf_mul(b[j], vf_f16_all(kv->vs + k * (dim_v / ATTN_GROUP) +
                                               (at + j * VN) / ATTN_GROUP));
        }
        UNROLL_BY(12)
        for (int i = 0; i < m; i++) {
            vf a = vf_set1(p[i * ATTN_BLOCK + k]);
            UNROLL_BY(4)
            for (int j = 0; j < nv; j++) acc[i][j] = vf_fma(a, b[j], acc[i][j]);
        }
    }
    UNROLL_BY(12)
    for (int i = 0; i < m; i++) {
        UNROLL_BY(4)
        for (int j = 0; j < nv; j++) vf_store(o + i * dim_v + at + j * VN, acc[i][j]);
    }
}

/* A block's keys or values from position `pos`, a multiple of 16. */
INLINE struct attn_kv kv_from(const struct attn_kv *kv, enum quant type, int dim, int dim_v,
                              int pos)
{
    size_t one = type == QUANT_F32 ? 4 : type == QUANT_F16 ? 2 : 1, p = (size_t)pos;
    struct attn_kv at = { .type = type };
    at.k = (const char *)kv->k + p * (size_t)dim * one;
    at.v = (const char *)kv->v + p * (size_t)dim_v * one;
    if (type == QUANT_Q8_0) {
        at.ks = kv->ks + p * (size_t)(dim / ATTN_GROUP);
        at.vs = kv->vs + p * (size_t)(dim_v / ATTN_GROUP);
    }
    return at;
}

INLINE void scores(int m, enum quant type, const struct attn_kv *kv, const float *q, int dim, int n,
                   float *s)
{
    for (int i = 0; i < n;) {
        struct attn_kv at = kv_from(kv, type, dim, 0, i & -ATTN_SUB);
        int off = i % ATTN_SUB, left = (n - i) / VN;
        int nv = left >= WIDE(m) ? WIDE(m) : left >= 2 ? 2 : 1;
        if (nv == WIDE(m)) score_tile(m, WIDE(m), &at, q, dim, s + i, off);
        else if (nv == 2) score_tile(m, 2, &at, q, dim, s + i, off);
        else score_tile(m, 1, &at, q, dim, s + i, off);
        i += nv * VN;
    }
}

INLINE void values(int m, enum quant type, const struct attn_kv *kv, const float *p, int n,
                   int dim_v, const float *alpha, float *o)
{
    struct attn_kv at = kv_from(kv, type, 0, dim_v, 0);
    at.vs = kv->vs;
    for (int d = 0; d < dim_v;) {
        int left = (dim_v - d) / VN, nv = left >= WIDE(m) ? WIDE(m) : left >= 2 ? 2 : 1;
        if (nv == WIDE(m)) value_tile(m, WIDE(m), &at, p, n, dim_v, alpha, o, d);
        else if (nv == 2) value_tile(m, 2, &at, p, n, dim_v, alpha, o, d);
        else value_tile(m, 1, &at, p, n, dim_v, alpha, o, d);
        d += nv * VN;
    }
}

/* The tile's height is a constant inside, so that the sums stay in registers. */
#define CASE(M, CALL)                                                                              \
    case M:                                                                                        \
        CALL(M);                                                                                   \
        break;
#define BY_HEIGHT(m, CALL)                                                                         \
    switch (m) {                                                                                   \
        CASE(1, CALL)                                                                              \
        CASE(2, CALL)                                                                              \
        CASE(3, CALL)                                                                              \
        CASE(4, CALL)                                                                              \
        CASE(5, CALL)                                                                              \
        CASE(6, CALL)                                                                              \
        CASE(7, CALL)                                                                              \
        CASE(8, CALL)                                                                              \
        CASE(9, CALL)                                                                              \
        CASE(10, CALL)                                                                             \
        CASE(11, CALL)                                                                             \
        CASE(12, CALL)                                                                             \
    default: break;                                                                                \
    }
_Static_assert(TILE_M <= 12, "BY_HEIGHT knows twelve heights");

#define DEFINE_TILES(name, type)                                                                   \
    static void scores_##name(int m, const struct attn_kv *kv, const float *q, int dim, int n,     \
                              float *s)                                                            \
    {                                                                                              \
        BY_HEIGHT(m, SCORES_##name)                                                                \
    }                                                                                              \
    static void values_##name(int m, const struct attn_kv *kv, const float *p, int n, int dim_v,   \
                              const float *alpha, float *o)                                        \
    {                                                                                              \
        BY_HEIGHT(m, VALUES_##name)                                                                \
    }
#define MIN_M(M)      ((M) < TILE_M ? (M) : TILE_M)
#define SCORES_f32(M) scores(MIN_M(M), QUANT_F32, kv, q, dim, n, s)
#define VALUES_f32(M) values(MIN_M(M), QUANT_F32, kv, p, n, dim_v, alpha, o)
#define SCORES_f16(M) scores(MIN_M(M), QUANT_F16, kv, q, dim, n, s)
#define VALUES_f16(M) values(MIN_M(M), QUANT_F16, kv, p, n, dim_v, alpha, o)
#define SCORES_q8(M)  scores(MIN_M(M), QUANT_Q8_0, kv, q, dim, n, s)
#define VALUES_q8(M)  values(MIN_M(M), QUANT_Q8_0, kv, p, n, dim_v, alpha, o)
DEFINE_TILES(f32, QUANT_F32)
DEFINE_TILES(f16, QUANT_F16)
DEFINE_TILES(q8, QUANT_Q8_0)

/* n keys (rounded up to 16) and n values as floats, laid out as in the cache. */
static void widen(const struct attn_kv *kv, int dim, int dim_v, int n, float *k, float *v)
{
    int up = (n + ATTN_SUB - 1) & -ATTN_SUB, groups = dim / ATTN_GROUP;
    for (int i = 0; i < up * dim; i += VN) {
        vf x = b_load(kv->type, kv->k, (size_t)i);
        if (kv->type == QUANT_Q8_0) {
            int sub = i / (dim * ATTN_SUB), d = i / ATTN_SUB % dim;
            x = vf_mul(x,
                       vf_f16(kv->ks + (sub * groups + d / ATTN_GROUP) * ATTN_SUB + i % ATTN_SUB));
        }
        vf_store(k + i, x);
    }
    for (int i = 0; i < n * dim_v; i += VN) {
        vf x = b_load(kv->type, kv->v, (size_t)i);
        if (kv->type == QUANT_Q8_0) x = vf_mul(x, vf_f16_all(kv->vs + i / ATTN_GROUP));
        vf_store(v + i, x);
    }
}

/* s[from..n) = -infinity where a lane's place is below `low` or not below `high`. */
INLINE void hide(float *s, int from, int n, int low, int high)
{
    static const float places[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    vf none = vf_set1(-INFINITY), lo = vf_set1((float)low), hi = vf_set1((float)high);
    for (int j = from & -VN; j < n; j += VN) {
        vf at = vf_add(vf_load(places), vf_set1((float)j));
        vf v = vf_if_less(at, hi, vf_load(s + j), none);
        vf_store(s + j, vf_if_less(at, lo, none, v));
    }
}

/* Scores of rows row .. row + m - 1 against the block at pos become weights. alpha: what the
 * outputs so far are to be multiplied by. n: scores there are, a multiple of 16 (what others see
 * adds nothing to the sums). Row after row in three passes, so that what waits for one row's
 * largest score or sum need not hold up the next. */
static void soften(const struct attn_work *w, int row, int m, int pos, int n, float *alpha)
{
    float refs[ATTN_SUB], was[ATTN_SUB] = { 0 };
    for (int i = 0; i < m; i++) {
        float *s = w->s + i * ATTN_BLOCK;
        int lo = w->lo[row + i] - pos, hi = w->hi[row + i] - pos;
        if (w->softcap > 0) {
            vf cap = vf_set1(w->softcap), by = vf_set1(1 / w->softcap);
            for (int j = 0; j < n && j < hi; j += VN)
                vf_store(s + j, vf_mul(cap, vf_tanh(vf_mul(vf_load(s + j), by))));
        }
        if (lo > 0) hide(s, 0, n, lo, hi);
        else if (hi < n) hide(s, hi < 0 ? 0 : hi, n, 0, hi);
        vf most = vf_load(s);
        for (int j = VN; j < n; j += VN) most = vf_max(most, vf_load(s + j));
        float now = vf_most(most);
        was[i] = w->most[row + i];
        if (!(now > was[i])) now = was[i];
        w->most[row + i] = now;
        refs[i] = now == -INFINITY ? 0 : now;
    }
    for (int i = m; i < ATTN_SUB; i++) refs[i] = 0;
    for (int i = 0; i < m; i += VN)
        vf_store(alpha + i, vf_exp(vf_sub(vf_load(was + i), vf_load(refs + i))));
    for (int i = 0; i < m; i++) {
        float *s = w->s + i * ATTN_BLOCK;
        vf ref = vf_set1(refs[i]), sum = vf_set1(0);
        for (int j = 0; j < n; j += VN) {
            vf e = vf_exp(vf_sub(vf_load(s + j), ref));
            vf_store(s + j, e);
            sum = vf_add(sum, e);
        }
        w->total[row + i] = w->total[row + i] * alpha[i] + vf_sum(sum);
    }
}

/* m <= TILE_M rows against the block at `pos`, of which the cache holds n positions. */
static void tile_block(const struct attn_work *w, const struct attn_kv *kv, int row, int m, int pos)
{
    int n = 0;
    float alpha[ATTN_SUB];
    for (int i = row; i < row + m; i++) {
        int seen = w->lo[i] < pos + ATTN_BLOCK ? w->hi[i] - pos : 0;
        n = seen > n ? seen : n;
    }
    if (n == 0) return;
    if (n > ATTN_BLOCK) n = ATTN_BLOCK;
    int up = (n + ATTN_SUB - 1) & -ATTN_SUB;
    const float *q = w->q + (size_t)row * (size_t)w->dim;
    float *o = w->o + (size_t)row * (size_t)w->dim_v;
    if (kv->type == QUANT_F32) scores_f32(m, kv, q, w->dim, up, w->s);
    else if (kv->type == QUANT_F16) scores_f16(m, kv, q, w->dim, up, w->s);
    else scores_q8(m, kv, q, w->dim, up, w->s);
    soften(w, row, m, pos, up, alpha);
    if (kv->type == QUANT_F32) values_f32(m, kv, w->s, n, w->dim_v, alpha, o);
    else if (kv->type == QUANT_F16) values_f16(m, kv, w->s, n, w->dim_v, alpha, o);
    else values_q8(m, kv, w->s, n, w->dim_v, alpha, o);
}

static void attend(const struct attn_work *w)
{
    int lo = w->lo[0], hi = w->hi[0];
    for (int i = 0; i < w->m; i++) {
        w->most[i] = -INFINITY;
        w->total[i] = 0;
        lo = w->lo[i] < lo ? w->lo[i] : lo;
        hi = w->hi[i] > hi ? w->hi[i] : hi;
    }
    memset(w->o, 0, (size_t)w->m * (size_t)w->dim_v * sizeof *w->o);
    for (int pos = lo & -ATTN_BLOCK; pos < hi; pos += ATTN_BLOCK) {
        struct attn_kv kv = kv_from(&w->kv, w->kv.type, w->dim, w->dim_v, pos);
        if (w->m > DIRECT && kv.type != QUANT_F32) {
            float *v = w->panel + ATTN_BLOCK * w->dim;
            int n = hi - pos < ATTN_BLOCK ? hi - pos : ATTN_BLOCK;
            widen(&kv, w->dim, w->dim_v, n, w->panel, v);
            kv = (struct attn_kv){ .type = QUANT_F32, .k = w->panel, .v = v };
        }
        for (int i = 0; i < w->m; i += TILE_M)
            tile_block(w, &kv, i, w->m - i < TILE_M ? w->m - i : TILE_M, pos);
    }
    for (int i = 0; i < w->m; i++) {
        vf by = vf_set1(w->total[i] > 0 ? 1 / w->total[i] : 0);
        for (int d = 0; d < w->dim_v; d += VN) {
            float *o = w->o + (size_t)i * (size_t)w->dim_v + d;
            vf_store(o, vf_mul(vf_load(o), by));
        }
    }
}

static void scaled(float *y, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i += VN) {
        size_t m = n - i < VN ? n - i : VN;
        vf_storen(y + i, vf_mul(vf_loadn(x + i, m), vf_set1(by)), m);
    }
}

static void to_f16(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VN) {
        size_t m = n - i < VN ? n - i : VN;
        vf v = vf_loadn(x + i, m);
        vf_store_f16(y + i, vf_max(vf_set1(-65504), vf_min(vf_set1(65504), v)), m);
    }
}

static void lay_keys(float *to, const float *k, size_t stride, int n, int dim)
{
    for (int p = 0; p < n; p += ATTN_SUB, to += (size_t)dim * ATTN_SUB, k += ATTN_SUB * stride) {
        int rows = n - p < ATTN_SUB ? n - p : ATTN_SUB, d = 0;
        for (; rows == ATTN_SUB && d + VN <= dim; d += VN)
            for (int i = 0; i < ATTN_SUB; i += VN)
                vf_transpose(to + (size_t)d * ATTN_SUB + i, ATTN_SUB, k + (size_t)i * stride + d,
                             stride);
        for (; d < dim; d++)
            for (int i = 0; i < ATTN_SUB; i++)
                to[(size_t)d * ATTN_SUB + (size_t)i] = i < rows ? k[(size_t)i * stride + d] : 0;
    }
}

const struct attn_loops ATTN_TABLE = {
    .attend = attend,
    .scaled = scaled,
    .to_f16 = to_f16,
    .lay_keys = lay_keys,
};
