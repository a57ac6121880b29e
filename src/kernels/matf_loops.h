/* Products with float weights over the vectors of vec.h; each matf_<set>.c includes this once,
 * after defining MATF_FILL, TILE_M (rows of activations a tile), TILE_N (vectors of outputs a tile)
 * and WIDE(m), how many vectors a narrow tile of m rows takes.
 *
 * y[t][r] is the sum, in order, of the sums over runs of STEP columns, and each of those is one
 * chain of multiply-adds in the order of the columns; tiles, threads and the form of the weights
 * don't show.
 *
 * Few rows: weights are read once, in order, and widened on the way to the multiplier; memory is
 * the limit. Many rows: STEP columns of CHUNK outputs are widened into a panel that stays in the
 * second-level cache, activations are copied into a dense tile that stays in the first, and the
 * multiplier is the limit. */
#include "kernels/matf.h"
#include "kernels/vec.h"

enum {
    STEP = 256,
    CHUNK = 256,
    AHEAD = 1536,      /* bytes that few rows are fetched ahead of their use, by group */
    PITCH = STEP + 16, /* floats between rows of a tile: no power of two, for the cache's sake */
    NARROW = 8,        /* most rows that are "few" */
};

#define INLINE static inline __attribute__((always_inline))

struct out {
    float *y; /* of the first row and the tile's first output */
    size_t stride;
    int rows; /* outputs from there to the end of the matrix's part */
    bool add;
};

INLINE vf w_load(enum quant type, const void *b, size_t i)
{
    if (type == QUANT_F32) return vf_load((const float *)b + i);
    if (type == QUANT_F16) return vf_f16((const uint16_t *)b + i);
    return vf_bf16((const uint16_t *)b + i);
}

INLINE void put_out(const struct out *o, int i, int j, vf acc)
{
    float *y = o->y + (size_t)i * o->stride + j * VN;
    int left = o->rows - j * VN;
    if (left >= VN) vf_store(y, o->add ? vf_add(vf_load(y), acc) : acc);
    else if (left > 0) {
        size_t n = (size_t)left;
        vf_storen(y, o->add ? vf_add(vf_loadn(y, n), acc) : acc, n);
    }
}

/* m rows times nv vectors over n columns. w: [group][pitch columns][16], from lane `off` of the
 * first group; x: rows PITCH apart. */
INLINE void tile(int m, int nv, bool ahead, enum quant type, const void *w, size_t pitch, int off,
                 const float *x, int n, const struct out *o)
{
    vf acc[TILE_M][4];
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) acc[i][j] = vf_set1(0);
    for (int k = 0; k < n; k++) {
        vf b[4];
#pragma GCC unroll 4
        for (int j = 0; ahead && j<nv; j += MAT_GROUP / VN> 4 ? 4 : MAT_GROUP / VN)
            __builtin_prefetch((const char *)w + AHEAD +
                               ((size_t)(j * VN / MAT_GROUP) * pitch + (size_t)k) * MAT_GROUP *
                                   (type == QUANT_F32 ? 4 : 2));
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++)
            b[j] = w_load(type, w,
                          (size_t)(j * VN / MAT_GROUP) * pitch * MAT_GROUP +
                              (size_t)(k * MAT_GROUP + off + j * VN % MAT_GROUP));
#pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            vf a = vf_set1(x[i * PITCH + k]);
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++) acc[i][j] = vf_fma(a, b[j], acc[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) put_out(o, i, j, acc[i][j]);
}

/* The tile's height is a constant inside, so that the sums stay in registers. */
#define LEAST_OF(a, b) ((a) < (b) ? (a) : (b))
#define CASE(M)                                                                                    \
    case M:                                                                                        \
        TILE(LEAST_OF(M, TILE_M));                                                                 \
        break;
#define UP_TO_8  CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#define UP_TO_14 UP_TO_8 CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
_Static_assert(TILE_M <= 14, "UP_TO_14 knows fourteen heights");

#define TILE_ARGS                                                                                  \
    int m, const void *w, size_t pitch, int off, const float *x, int n, const struct out *o
#define TILE(M) tile(M, TILE_N, false, QUANT_F32, w, pitch, off, x, n, o)
static void tile_wide(TILE_ARGS)
{
    switch (m) {
        UP_TO_14
    }
}
#undef TILE
#define TILE(M) tile(M, 1, false, QUANT_F32, w, pitch, off, x, n, o)
static void tile_last(TILE_ARGS)
{
    switch (m) {
        UP_TO_14
    }
}
#undef TILE

typedef void tile_fn(TILE_ARGS);
#define NARROW_TILES(name, type)                                                                   \
    static void narrow_##name(TILE_ARGS)                                                           \
    {                                                                                              \
        switch (m) {                                                                               \
            UP_TO_8                                                                                \
        }                                                                                          \
    }
#define TILE(M) tile(M, WIDE(M), true, QUANT_F32, w, pitch, off, x, n, o)
NARROW_TILES(f32, QUANT_F32)
#undef TILE
#define TILE(M) tile(M, WIDE(M), true, QUANT_F16, w, pitch, off, x, n, o)
NARROW_TILES(f16, QUANT_F16)
#undef TILE
#define TILE(M) tile(M, WIDE(M), true, QUANT_BF16, w, pitch, off, x, n, o)
NARROW_TILES(bf16, QUANT_BF16)
#undef TILE
#define TILE(M) tile(M, 1, true, QUANT_F16, w, pitch, off, x, n, o)
NARROW_TILES(last_f16, QUANT_F16)
#undef TILE
#define TILE(M) tile(M, 1, true, QUANT_BF16, w, pitch, off, x, n, o)
NARROW_TILES(last_bf16, QUANT_BF16)
#undef TILE

/* One part of a product. */
struct part {
    const struct mat *m;
    const struct acts *a;
    int from, to;
    float *y;
    size_t stride;
    bool add;
};

INLINE struct out out_at(const struct part *p, int t, int row, int k)
{
    return (struct out){ .y = p->y + (size_t)t * p->stride + row,
                         .stride = p->stride,
                         .rows = p->to - row,
                         .add = p->add || k > 0 };
}

/* Rows t .. t + m - 1, columns k .. k + n - 1. One row is used where it lies. */
static const float *take_x(const struct acts *a, int t, int m, int k, int n, float *to)
{
    const float *x = a->x + (size_t)t * (size_t)a->cols + k;
    if (m == 1) return x;
    for (int i = 0; i < m; i++, x += a->cols) memcpy(to + i * PITCH, x, (size_t)n * sizeof *x);
    return to;
}

INLINE void mul_few(const struct part *p, enum quant type, tile_fn *narrow, tile_fn *last)
{
    float x[NARROW * PITCH];
    int cols = p->m->cols, n = p->a->n, step;
    size_t one = type == QUANT_F32 ? 4 : 2, group = (size_t)cols * MAT_GROUP * one;
    for (int r = p->from; r < p->to; r += step) {
        const char *w = (const char *)p->m->packed + (size_t)(r / MAT_GROUP) * group;
        int up = (p->to - r + MAT_GROUP - 1) & -MAT_GROUP;
        bool whole = up >= WIDE(n) * VN;
        step = whole ? WIDE(n) * VN : VN;
        for (int k = 0; k < cols; k += STEP) {
            int len = cols - k < STEP ? cols - k : STEP;
            struct out o = out_at(p, 0, r, k);
            (whole ? narrow : last)(n, w + (size_t)k * MAT_GROUP * one, (size_t)cols, r % MAT_GROUP,
                                    take_x(p->a, 0, n, k, len, x), len, &o);
        }
    }
}

/* Columns k .. k + n - 1 of outputs r .. r + rows - 1 as floats, [group][n][16]. */
INLINE void widen(const struct part *p, enum quant type, int r, int rows, int k, int n, float *to)
{
    size_t one = type == QUANT_F32 ? 4 : 2, cols = (size_t)p->m->cols;
    for (int g = r; g < r + rows; g += MAT_GROUP, to += n * MAT_GROUP) {
        if (!p->m->packed) {
            matf_gather(p->m, g, k, n, to);
            continue;
        }
        const char *w =
            (const char *)p->m->packed + ((size_t)g * cols + (size_t)k * MAT_GROUP) * one;
        for (int i = 0; i < n * MAT_GROUP; i += VN) vf_store(to + i, w_load(type, w, (size_t)i));
    }
}

/* While a tile is multiplied, what comes next is fetched: where its sums go, and its share (outputs
 * i.. of n) of the activations of the next tile, whose rows lie too far apart for the processor to
 * guess. */
static void fetch(const struct part *p, const struct out *o, int m, int t, int k, int i, int n)
{
    for (int r = 0; r < m; r++)
        for (int j = 0; j < TILE_N * VN; j += 16)
            __builtin_prefetch(o->y + (size_t)r * o->stride + j, 1);
    int last = p->a->n - t < TILE_M ? p->a->n - t : TILE_M;
    int end = i + TILE_N * VN < n ? i + TILE_N * VN : n;
    for (int r = last * i / n; r < last * end / n; r++)
        for (int j = 0; j < STEP; j += 16)
            __builtin_prefetch(p->a->x + (size_t)(t + r) * (size_t)p->a->cols + k + j);
}

INLINE void mul_many(const struct part *p, enum quant type)
{
    float panel[CHUNK * STEP] __attribute__((aligned(64)));
    float x[TILE_M * PITCH] __attribute__((aligned(64)));
    int cols = p->m->cols;
    bool as_is = type == QUANT_F32 && p->m->packed && p->a->n <= 4 * TILE_M;
    for (int r = p->from; r < p->to; r += CHUNK)
        for (int k = 0; k < cols; k += STEP) {
            int rows = p->to - r < CHUNK ? p->to - r : CHUNK;
            int len = cols - k < STEP ? cols - k : STEP;
            const float *w = panel;
            size_t pitch = (size_t)(as_is ? cols : len);
            if (!as_is) widen(p, type, r, rows, k, len, panel);
            else w = (const float *)p->m->packed + (size_t)r * pitch + (size_t)k * MAT_GROUP;
            rows = (rows + MAT_GROUP - 1) & -MAT_GROUP;
            for (int t = 0; t < p->a->n; t += TILE_M) {
                int m = p->a->n - t < TILE_M ? p->a->n - t : TILE_M, step;
                const float *xt = take_x(p->a, t, m, k, len, x);
                for (int i = 0; i < rows; i += step) {
                    bool whole = rows - i >= TILE_N * VN;
                    struct out o = out_at(p, t, r + i, k);
                    const float *wi = w + (size_t)(i / MAT_GROUP) * pitch * MAT_GROUP;
                    fetch(p, &o, m, t + TILE_M, k, i, rows);
                    (whole ? tile_wide : tile_last)(m, wi, pitch, i % MAT_GROUP, xt, len, &o);
                    step = whole ? TILE_N * VN : VN;
                }
            }
        }
}

#define DEFINE_MUL(name, type, narrow, last)                                                       \
    static void mul_##name(const struct mat *m, const struct acts *a, int from, int to, float *y,  \
                           int stride, bool add)                                                   \
    {                                                                                              \
        struct part p = { m, a, from, to, y, (size_t)stride, add };                                \
        if (m->packed && a->n <= NARROW && a->n <= TILE_M) mul_few(&p, type, narrow, last);        \
        else mul_many(&p, type);                                                                   \
    }
DEFINE_MUL(f32, QUANT_F32, narrow_f32, tile_last)
DEFINE_MUL(f16, QUANT_F16, narrow_f16, narrow_last_f16)
DEFINE_MUL(bf16, QUANT_BF16, narrow_bf16, narrow_last_bf16)

void MATF_FILL(struct mat_ops *o)
{
    o->f32 = (struct mat_kind){ matf_packed_bytes, matf_pack, matf_row, mul_f32, false };
    o->f16 = (struct mat_kind){ matf_packed_bytes, matf_pack, matf_row, mul_f16, false };
    o->bf16 = (struct mat_kind){ matf_packed_bytes, matf_pack, matf_row, mul_bf16, false };
}
