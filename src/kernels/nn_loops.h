/* The loops of nn_impl.h over the vectors of vec.h; each nn_<set>.c includes this once, after
 * defining NN_TABLE, the name of the table to fill. Sums run in four accumulators of VN lanes. */
#include "kernels/nn_impl.h"
#include "kernels/vec.h"

/* y[i] = EXPR of v (y's numbers) and, if need be, u (x's). */
#define EACH(y, n, EXPR)                                                                           \
    do {                                                                                           \
        size_t e_ = 0;                                                                             \
        for (; e_ + VN <= (n); e_ += VN) {                                                         \
            vf v = vf_load((y) + e_);                                                              \
            vf_store((y) + e_, (EXPR));                                                            \
        }                                                                                          \
        if (e_ < (n)) {                                                                            \
            vf v = vf_loadn((y) + e_, (n)-e_);                                                     \
            vf_storen((y) + e_, (EXPR), (n)-e_);                                                   \
        }                                                                                          \
    } while (0)
#define EACH2(y, x, n, EXPR)                                                                       \
    do {                                                                                           \
        size_t e_ = 0;                                                                             \
        for (; e_ + VN <= (n); e_ += VN) {                                                         \
            vf v = vf_load((y) + e_), u = vf_load((x) + e_);                                       \
            vf_store((y) + e_, (EXPR));                                                            \
        }                                                                                          \
        if (e_ < (n)) {                                                                            \
            vf v = vf_loadn((y) + e_, (n)-e_), u = vf_loadn((x) + e_, (n)-e_);                     \
            vf_storen((y) + e_, (EXPR), (n)-e_);                                                   \
        }                                                                                          \
    } while (0)

static inline vf at(const float *x, size_t i, size_t n)
{
    return n - i >= VN ? vf_load(x + i) : vf_loadn(x + i, n - i);
}

static inline void put(float *y, size_t i, size_t n, vf v)
{
    if (n - i >= VN) vf_store(y + i, v);
    else vf_storen(y + i, v, n - i);
}

static float sum4(const vf s[4]) { return vf_sum(vf_add(vf_add(s[0], s[2]), vf_add(s[1], s[3]))); }

static float sum(const float *x, size_t n)
{
    vf s[4] = { vf_set1(0), vf_set1(0), vf_set1(0), vf_set1(0) };
    size_t i = 0;
    for (; i + 4 * VN <= n; i += 4 * VN)
        for (int j = 0; j < 4; j++) s[j] = vf_add(s[j], vf_load(x + i + j * VN));
    for (int j = 0; i < n; i += VN, j++) s[j] = vf_add(s[j], at(x, i, n));
    return sum4(s);
}

/* Sum of (x - mean)^2; lanes past the end must not count, hence the masked end on its own. */
static float sum_squares(const float *x, size_t n, float mean)
{
    vf s[4] = { vf_set1(0), vf_set1(0), vf_set1(0), vf_set1(0) }, m = vf_set1(mean);
    size_t i = 0, j = 0;
    for (; i + VN <= n; i += VN, j = (j + 1) & 3) {
        vf d = vf_sub(vf_load(x + i), m);
        s[j] = vf_fma(d, d, s[j]);
    }
    if (i < n) {
        float end[VN] = { 0 };
        for (size_t k = i; k < n; k++) end[k - i] = x[k] - mean;
        vf d = vf_load(end);
        s[j] = vf_fma(d, d, s[j]);
    }
    return sum4(s);
}

static void rmsnorm(float *y, const float *x, const float *w, size_t n, float eps)
{
    vf by = vf_set1(1 / sqrtf(sum_squares(x, n, 0) / (float)n + eps));
    for (size_t i = 0; i < n; i += VN) put(y, i, n, vf_mul(vf_mul(at(x, i, n), by), at(w, i, n)));
}

static void layernorm(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    float mean = sum(x, n) / (float)n;
    vf by = vf_set1(1 / sqrtf(sum_squares(x, n, mean) / (float)n + eps)), m = vf_set1(mean);
    for (size_t i = 0; i < n; i += VN) {
        vf v = vf_mul(vf_sub(at(x, i, n), m), by);
        put(y, i, n, vf_fma(v, at(w, i, n), b ? at(b, i, n) : vf_set1(0)));
    }
}

static void add(float *y, const float *x, size_t n) { EACH2(y, x, n, vf_add(v, u)); }
static void scale(float *y, float a, size_t n) { EACH(y, n, vf_mul(v, vf_set1(a))); }
static void silu_mul(float *y, const float *x, size_t n) { EACH2(y, x, n, vf_mul(vf_silu(v), u)); }
static void gelu_mul(float *y, const float *x, size_t n)
{
    EACH2(y, x, n, vf_mul(vf_gelu_tanh(v), u));
}
static void gelu(float *y, size_t n) { EACH(y, n, vf_gelu_erf(v)); }
static void exp_all(float *y, size_t n) { EACH(y, n, vf_exp(v)); }
static void tanh_all(float *y, size_t n) { EACH(y, n, vf_tanh(v)); }

static void softcap(float *y, float cap, size_t n)
{
    vf c = vf_set1(cap), by = vf_set1(1 / cap);
    EACH(y, n, vf_mul(c, vf_tanh(vf_mul(v, by))));
}

/* All scores -infinity: nothing is seen, and every weight is 0. */
static void softmax(float *x, size_t n)
{
    float most = -INFINITY;
    size_t i = 0;
    if (n >= VN) {
        vf m = vf_load(x);
        for (; i + VN <= n; i += VN) m = vf_max(m, vf_load(x + i));
        most = vf_most(m);
    }
    for (; i < n; i++) most = x[i] > most ? x[i] : most;
    vf m = vf_set1(most == -INFINITY ? 0 : most);
    EACH(x, n, vf_exp(vf_sub(v, m)));
    float total = sum(x, n);
    scale(x, total > 0 ? 1 / total : 0, n);
}

static void turn_pairs(float *x, const float *cs, size_t n)
{
#if VN > 1
    EACH2(x, cs, 2 * n, vf_turn(v, u));
#else
    for (size_t i = 0; i < n; i++) {
        float a = x[2 * i], b = x[2 * i + 1], c = cs[2 * i], s = cs[2 * i + 1];
        x[2 * i] = a * c - b * s;
        x[2 * i + 1] = b * c + a * s;
    }
#endif
}

static void turn_halves(float *a, float *b, const float *c, const float *s, size_t n)
{
    for (size_t i = 0; i < n; i += VN) {
        vf x = at(a, i, n), y = at(b, i, n), vc = at(c, i, n), vs = at(s, i, n);
        put(a, i, n, vf_sub(vf_mul(x, vc), vf_mul(y, vs)));
        put(b, i, n, vf_fma(y, vc, vf_mul(x, vs)));
    }
}

const struct nn_loops NN_TABLE = {
    .rmsnorm = rmsnorm,
    .layernorm = layernorm,
    .add = add,
    .scale = scale,
    .silu_mul = silu_mul,
    .gelu_mul = gelu_mul,
    .gelu = gelu,
    .softcap = softcap,
    .softmax = softmax,
    .turn_pairs = turn_pairs,
    .turn_halves = turn_halves,
    .exp = exp_all,
    .tanh = tanh_all,
};
