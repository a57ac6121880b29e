/* Products with float weights over the vectors of vec.h; each matf_<set>.c includes this once,
 * after defining MATF_FILL, TILE_M (rows of activations a tile), TILE_N (vectors of outputs a tile)
 * and WIDE(m), how many vectors a narrow tile of m rows takes.
 *
 * y[t][r] is the sum, in order, of the sums over runs of STEP columns, and each of those is one
 * chain of multiply-adds in the order of the columns; tiles, threads and the form of the weights
 * don't show.
 *
 * Few rows: weights are read once, in order, and widened on the way to the multiplier; memory is
 * the limit. Many rows: the multiplier is the limit, and everything it reads lies in the order in
 * which it is read (Goto and van de Geijn, 2008). Activations are copied into tiles beforehand,
 * once for all threads; STEP columns of CHUNK outputs are widened into a panel that stays in the
 * second-level cache, while the numbers of the next panel are fetched. */
#include "kernels/inline.h"
#include "kernels/matf.h"
#include "kernels/vec.h"

enum {
    STEP = 512,
    CHUNK = 128,
    AHEAD = 1536,      /* bytes that few rows are fetched ahead of their use, by group */
    PITCH = STEP + 16, /* floats between few rows: no power of two, for the cache's sake */
    NARROW = 8,        /* most rows that are "few" */
    UP = (TILE_M + VN - 1) / VN * VN,                              /* floats a column of a tile */
    WIDTH = TILE_N * VN > MAT_GROUP ? TILE_N *VN : (int)MAT_GROUP, /* outputs side by side */
};

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

/* How far apart things are in a tile's operands, in numbers: vectors 0 and MAT_GROUP / VN of w,
 * columns of w, rows of x, columns of x. */
struct pace {
    size_t group, w, row, x;
};

/* m rows times nv vectors over n columns. keep: NULL, or where in a panel these numbers belong. */
INLINE void tile(int m, int nv, bool ahead, enum quant type, const void *w, struct pace p,
                 const float *x, int n, float *keep, const struct out *o)
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
            __builtin_prefetch((const char *)w +
                               ((size_t)(j * VN / MAT_GROUP) * p.group + (size_t)k * p.w) *
                                   (type == QUANT_F32 ? 4 : 2) +
                               AHEAD);
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++)
            b[j] = w_load(type, w,
                          (size_t)(j * VN / MAT_GROUP) * p.group + (size_t)k * p.w +
                              (size_t)(j * VN % MAT_GROUP));
#pragma GCC unroll 4
        for (int j = 0; keep && j < nv; j++) vf_store(keep + k * WIDTH + j * VN, b[j]);
#pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            vf a = vf_set1(x[(size_t)i * p.row + (size_t)k * p.x]);
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

#define TILE_ARGS int m, const void *w, size_t pitch, const float *x, int n, const struct out *o
/* Many rows: w is a block of a panel, or where the matrix is, and then pitch says how many columns
 * it has; x is a tile. */
#define PACE                                                                                       \
    ((struct pace){ pitch ? pitch * MAT_GROUP : MAT_GROUP, pitch ? MAT_GROUP : WIDTH, 1, UP })
#define TILE(M) tile(M, TILE_N, false, QUANT_F32, w, PACE, x, n, NULL, o)
static void tile_wide(TILE_ARGS)
{
    switch (m) {
        UP_TO_14
    }
}
#undef TILE
#define TILE(M) tile(M, 1, false, QUANT_F32, w, PACE, x, n, NULL, o)
static void tile_last(TILE_ARGS)
{
    switch (m) {
        UP_TO_14
    }
}
#undef TILE
#undef PACE
/* The first tile of many rows makes the panel on its way. w is where the matrix is. */
#define KEEP_ARGS                                                                                  \
    const void *w, size_t pitch, const float *x, int n, float *keep, const struct out *o
#define PACE ((struct pace){ pitch * MAT_GROUP, MAT_GROUP, 1, UP })
typedef void keep_fn(KEEP_ARGS);
#define KEEPING(name, type, nv)                                                                    \
    static void keep_##name(KEEP_ARGS) { tile(TILE_M, nv, true, type, w, PACE, x, n, keep, o); }
KEEPING(f32, QUANT_F32, TILE_N)
KEEPING(f16, QUANT_F16, TILE_N)
KEEPING(bf16, QUANT_BF16, TILE_N)
KEEPING(last_f32, QUANT_F32, 1)
KEEPING(last_f16, QUANT_F16, 1)
KEEPING(last_bf16, QUANT_BF16, 1)
#undef PACE
/* Few rows: w is where the matrix is, pitch columns a row; x are rows. */
#define PACE ((struct pace){ pitch * MAT_GROUP, MAT_GROUP, PITCH, 1 })

typedef void tile_fn(TILE_ARGS);
#define NARROW_TILES(name)                                                                         \
    static void narrow_##name(TILE_ARGS)                                                           \
    {                                                                                              \
        switch (m) {                                                                               \
            UP_TO_8                                                                                \
        }                                                                                          \
    }
#define TILE(M) tile(M, WIDE(M), true, QUANT_F32, w, PACE, x, n, NULL, o)
NARROW_TILES(f32)
#undef TILE
#define TILE(M) tile(M, WIDE(M), true, QUANT_F16, w, PACE, x, n, NULL, o)
NARROW_TILES(f16)
#undef TILE
#define TILE(M) tile(M, WIDE(M), true, QUANT_BF16, w, PACE, x, n, NULL, o)
NARROW_TILES(bf16)
#undef TILE
#define TILE(M) tile(M, 1, true, QUANT_F32, w, PACE, x, n, NULL, o)
NARROW_TILES(last_f32)
#undef TILE
#define TILE(M) tile(M, 1, true, QUANT_F16, w, PACE, x, n, NULL, o)
NARROW_TILES(last_f16)
#undef TILE
#define TILE(M) tile(M, 1, true, QUANT_BF16, w, PACE, x, n, NULL, o)
NARROW_TILES(last_bf16)
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

/* Few rows of columns k .. k + n - 1. One row is used where it lies. */
static const float *take_x(const struct acts *a, int m, int k, int n, float *to)
{
    const float *x = a->x + k;
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
            (whole ? narrow : last)(n, w + (size_t)(k * MAT_GROUP + r % MAT_GROUP) * one,
                                    (size_t)cols, take_x(p->a, n, k, len, x), len, &o);
        }
    }
}

/* --- many rows --- */

/* Tiles of activations: [cols / STEP][rows / TILE_M][STEP][UP]. Where the tile of row t and column
 * k is; len: columns of that step. */
static size_t tile_at(const struct acts *a, int t, int k, int len)
{
    size_t tiles = ((size_t)a->f_n + TILE_M - 1) / TILE_M;
    return (tiles * (size_t)k + (size_t)(t / TILE_M) * (size_t)len) * UP;
}

static void lay_tile(const struct acts *a, int t, int m)
{
    for (int k = 0; k < a->cols; k += STEP) {
        int len = a->cols - k < STEP ? a->cols - k : STEP, c = 0;
        const float *x = a->x + (size_t)t * (size_t)a->cols + k;
        float *to = a->f + tile_at(a, t, k, len);
        /* Lanes past TILE_M hold what follows; nobody looks. */
        for (; t + UP <= a->n && c + VN <= len; c += VN) {
            for (int i = 0; i < UP; i++)
                __builtin_prefetch(x + (size_t)i * (size_t)a->cols + c + 64);
            for (int i = 0; i < UP; i += VN)
                vf_transpose(to + c * UP + i, UP, x + (size_t)i * (size_t)a->cols + c,
                             (size_t)a->cols);
        }
        for (; c < len; c++)
            for (int i = 0; i < m; i++) to[c * UP + i] = x[(size_t)i * (size_t)a->cols + c];
    }
}

/* Columns k .. k + n - 1 of outputs r .. r + rows - 1 as floats, [rows / WIDTH][n][WIDTH]. */
INLINE void widen(const struct part *p, enum quant type, int r, int rows, int k, int n, float *to)
{
    size_t one = type == QUANT_F32 ? 4 : 2, cols = (size_t)p->m->cols;
    for (int g = 0; g < rows; g += MAT_GROUP) {
        float *at = to + (size_t)(g / WIDTH * WIDTH) * (size_t)n + g % WIDTH;
        if (!p->m->packed) {
            matf_gather(p->m, r + g, k, n, at, WIDTH);
            continue;
        }
        const char *w =
            (const char *)p->m->packed + ((size_t)(r + g) * cols + (size_t)k * MAT_GROUP) * one;
        for (int c = 0; c < n; c++)
            for (int i = 0; i < MAT_GROUP; i += VN)
                vf_store(at + c * WIDTH + i, w_load(type, w, (size_t)c * MAT_GROUP + (size_t)i));
    }
}

/* While a tile is multiplied, where the sums of the next go is fetched. */
INLINE void fetch_sums(const struct out *o, int m)
{
    for (int r = 0; r < m; r++)
        for (int j = 0; j < TILE_N * VN; j += 16)
            __builtin_prefetch(o->y + (size_t)r * o->stride + j, 1);
}

/* A panel: `rows` outputs from r, columns k .. k + n - 1. */
struct panel {
    int r, rows, k, n;
    float *f;   /* its numbers; NULL: few enough rows to use the matrix itself, which is f32 */
    bool empty; /* not made yet */
};

/* Rows t .. t + m - 1 by a panel. */
INLINE void mul_panel(const struct part *p, enum quant type, struct panel *w, int t, int m,
                      keep_fn *keep, keep_fn *keep_last)
{
    size_t one = type == QUANT_F32 ? 4 : 2, cols = (size_t)p->m->cols;
    const float *x = p->a->f + tile_at(p->a, p->a->f_first + t, w->k, w->n);
    for (int i = 0, step; i < w->rows; i += step) {
        bool whole = w->rows - i >= TILE_N * VN;
        struct out o = out_at(p, t, w->r + i, w->k);
        size_t at = (size_t)(i / WIDTH * WIDTH) * (size_t)w->n + (size_t)(i % WIDTH);
        size_t from = ((size_t)((w->r + i) / MAT_GROUP) * cols + (size_t)w->k) * MAT_GROUP +
                      (size_t)(i % MAT_GROUP);
        step = whole ? TILE_N * VN : VN;
        fetch_sums(&o, m);
        if (w->empty)
            (whole ? keep : keep_last)((const char *)p->m->packed + from * one, cols, x, w->n,
                                       w->f + at, &o);
        else if (w->f) (whole ? tile_wide : tile_last)(m, w->f + at, 0, x, w->n, &o);
        else
            (whole ? tile_wide : tile_last)(m, (const float *)p->m->packed + from, cols, x, w->n,
                                            &o);
    }
    w->empty = false;
}

INLINE void mul_many(const struct part *p, enum quant type, keep_fn *keep, keep_fn *keep_last)
{
    float f[CHUNK * STEP] __attribute__((aligned(64)));
    int n = p->a->n, cols = p->m->cols;
    bool as_is = type == QUANT_F32 && p->m->packed && n <= 4 * TILE_M;
    for (int r = p->from; r < p->to; r += CHUNK)
        for (int k = 0; k < cols; k += STEP) {
            int rows = p->to - r < CHUNK ? p->to - r : CHUNK;
            struct panel w = { .r = r, .k = k, .f = as_is ? NULL : f };
            w.rows = (rows + MAT_GROUP - 1) & -MAT_GROUP;
            w.n = cols - k < STEP ? cols - k : STEP;
            w.empty = w.f && p->m->packed && n >= TILE_M;
            if (w.f && !w.empty) widen(p, type, r, w.rows, k, w.n, f);
            for (int t = 0; t < n; t += TILE_M)
                mul_panel(p, type, &w, t, n - t < TILE_M ? n - t : TILE_M, keep, keep_last);
        }
}

#define DEFINE_MUL(name, type)                                                                     \
    static void mul_##name(const struct mat *m, const struct acts *a, int from, int to, float *y,  \
                           int stride, bool add)                                                   \
    {                                                                                              \
        struct part p = { m, a, from, to, y, (size_t)stride, add };                                \
        if (a->f_ready) mul_many(&p, type, keep_##name, keep_last_##name);                         \
        else mul_few(&p, type, narrow_##name, narrow_last_##name);                                 \
    }
DEFINE_MUL(f32, QUANT_F32)
DEFINE_MUL(f16, QUANT_F16)
DEFINE_MUL(bf16, QUANT_BF16)

void MATF_FILL(struct mat_ops *o)
{
    o->f32 = (struct mat_kind){ matf_packed_bytes, matf_pack, matf_row, mul_f32, false };
    o->f16 = (struct mat_kind){ matf_packed_bytes, matf_pack, matf_row, mul_f16, false };
    o->bf16 = (struct mat_kind){ matf_packed_bytes, matf_pack, matf_row, mul_bf16, false };
    o->lay_tile = lay_tile;
    o->tile_f = TILE_M;
    o->few_f = NARROW < TILE_M ? NARROW : TILE_M;
}
