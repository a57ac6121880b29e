/* Products with integer weights over a group of 16 rows: what the instruction sets share. Each
 * mat_<set>.c includes this once, after defining
 *
 *     v16               16 floats, one for each row of a group; v16_zero, v16_mul, v16_halves (from
 *                       f16), v16_bytes_u, v16_bytes_s (from bytes), v16_put (into memory)
 *     MAT_FILL          the function that fills the table
 *     TILE_MOST         rows of activations a tile, at most 12
 *     RUN_MOST(type)    of which so many are done at once
 *
 * and defines afterwards block(), the sums of one block, and quantise_tile(). A tile is 16 rows of
 * weights by T rows of activations, T known when it is compiled, so that its sums stay in registers
 * over all columns; weights are unpacked once for the T. The sums are exact and the float
 * operations those of mat_impl.h, in that order, whatever T is. */
#include "kernels/inline.h"
#include "kernels/mat_impl.h"

/* Bytes that prefetching runs ahead of the weights, into the second-level cache: the first has too
 * few fill buffers to hide the latency of memory. */
enum { AHEAD = 32768 };
#define UNROLL _Pragma("GCC unroll 16")

/* Scales of 16 rows for one block of 32. */
struct scales {
    v16 s0, s1, min;
};

INLINE struct scales scales_of(enum quant type, const uint8_t *head, int b)
{
    struct scales s;
    if (type == QUANT_Q8_0 || type == QUANT_Q4_0) {
        s.s0 = s.s1 = s.min = v16_halves(head + (size_t)b * MAT_HEAD_Q0);
    } else if (type == QUANT_Q6_K) {
        head += (size_t)(b / 8) * MAT_HEAD_Q6K;
        s.min = v16_halves(head);
        s.s0 = v16_mul(s.min, v16_bytes_s(head + 32 + b % 8 * 32));
        s.s1 = v16_mul(s.min, v16_bytes_s(head + 48 + b % 8 * 32));
    } else {
        head += (size_t)(b / 8) * MAT_HEAD_Q45K;
        s.s0 = s.s1 = v16_mul(v16_halves(head), v16_bytes_u(head + 64 + b % 8 * 16));
        s.min = v16_mul(v16_halves(head + 32), v16_bytes_u(head + 192 + b % 8 * 16));
    }
    return s;
}

/* Where a tile's activations are: w rows side by side, of which a run does T. */
struct tile {
    struct acts_view v;
    int w;
};

/* f[t] += block b times row t. w: its weights; s.min: of formats that have a minimum. */
INLINE void block(enum quant type, int T, const uint8_t *w, struct scales s, const struct tile *x,
                  int b, v16 *f);
/* The int8 form of rows t0 .. t0 + w - 1, a tile. */
static void quantise_tile(const struct acts *a, struct acts_view v, int t0, int w);

#define TILE_ARGS                                                                                  \
    const uint8_t *group, const struct mat_shape *s, const struct tile *x, int rows, float *y,     \
        int stride, bool add

/* Rows t .. t + T of a tile, into y. */
INLINE void run(enum quant type, int T, int t, TILE_ARGS)
{
    const struct acts_view *v = &x->v;
    struct tile z = { { v->q + 4 * t, v->d + t, v->ds + t, v->b8 + t, v->b128 + t, v->b32 + t },
                      x->w };
    size_t step = mat_step(type);
    const uint8_t *w = group + s->head;
    v16 f[TILE_MOST];
    UNROLL for (int i = 0; i < T; i++) f[i] = v16_zero();
    for (int b = 0; b < s->nb; b++, w += step) {
        UNROLL for (size_t i = 0; i < step; i += 64)
            _mm_prefetch((const char *)w + AHEAD + i, _MM_HINT_T1);
        block(type, T, w, scales_of(type, group, b), &z, b, f);
    }
    UNROLL for (int i = 0; i < T; i++)
        v16_put(y + (size_t)(t + i) * (size_t)stride, f[i], rows, add);
}

/* In two runs where the sums would not fit the registers. */
INLINE void tile(enum quant type, int T, TILE_ARGS)
{
    int first = T > RUN_MOST(type) ? (T + 1) / 2 : T;
    struct tile z = { x->v, T };
    run(type, first, 0, group, s, &z, rows, y, stride, add);
    if (first < T) run(type, T - first, first, group, s, &z, rows, y, stride, add);
}

#define TILE(T)                                                                                    \
    case T:                                                                                        \
        if (T <= TILE_MOST) tile(type, T, group, s, x, rows, y, stride, add);                      \
        break;
INLINE void tile_of(enum quant type, TILE_ARGS)
{
    switch (x->w) {
        TILE(1)
        TILE(2)
        TILE(3)
        TILE(4)
        TILE(5)
        TILE(6)
        TILE(7)
        TILE(8)
        TILE(9)
        TILE(10)
        TILE(11)
        TILE(12)
    default: break;
    }
}

#define DEFINE_MUL(name, type)                                                                     \
    static void tile_##name(TILE_ARGS) { tile_of(type, group, s, x, rows, y, stride, add); }       \
    static void mul_##name(const struct mat *m, const struct acts *a, int from, int to, float *y,  \
                           int stride, bool add)                                                   \
    {                                                                                              \
        mul(tile_##name, m, a, from, to, y, stride, add);                                          \
    }

static void mul(void (*fn)(TILE_ARGS), const struct mat *m, const struct acts *a, int from, int to,
                float *y, int stride, bool add)
{
    if (m->layout == MAT_PLAIN) {
        generic_mat_q_mul(m, a, from, to, y, stride, add);
        return;
    }
    struct mat_shape s = mat_shape(m);
    for (int t = 0; t < a->n; t += TILE_MOST) {
        struct tile x = { acts_tile(a, t), a->n - t < TILE_MOST ? a->n - t : TILE_MOST };
        for (int r = from; r < to; r += MAT_GROUP)
            fn((const uint8_t *)m->packed + (size_t)(r / MAT_GROUP) * s.group, &s, &x, to - r,
               y + (size_t)t * (size_t)stride + r, stride, add);
    }
}
DEFINE_MUL(q8_0, QUANT_Q8_0)
DEFINE_MUL(q4_0, QUANT_Q4_0)
DEFINE_MUL(q4_k, QUANT_Q4_K)
DEFINE_MUL(q5_k, QUANT_Q5_K)
DEFINE_MUL(q6_k, QUANT_Q6_K)

static void quantise(const struct acts *a, int t0, int w)
{
    quantise_tile(a, acts_tile(a, t0), t0, w);
}

void MAT_FILL(struct mat_ops *o)
{
    o->q8_0.mul = mul_q8_0;
    o->q4_0.mul = mul_q4_0;
    o->q4_k.mul = mul_q4_k;
    o->q5_k.mul = mul_q5_k;
    o->q6_k.mul = mul_q6_k;
    o->quantise = quantise;
    o->tile = TILE_MOST;
}
