/* nn.h against the same formulas in double, for every variant of this machine and odd sizes; and
 * the promise that a row's bits depend on nothing beside it. */
#include "check.h"

#include "base/threads.h"
#include "kernels/kernels.h"
#include "kernels/nn.h"
#include "kernels/nn_impl.h"

#include <float.h>
#include <math.h>

enum { MOST = 700 };

static uint64_t seed = 88172645463325252u;

static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static float rnd_f(void) { return (float)rnd() / 2147483648.0f - 1; }

static const struct nn_loops *loops_of(const char *name)
{
#ifdef __x86_64__
    if (!strcmp(name, "avx2")) return &nn_loops_avx2;
    if (!strcmp(name, "avx512")) return &nn_loops_avx512;
#endif
    return &nn_loops_generic;
}

/* fn for every variant, chosen for the whole program. */
static void each(void (*fn)(const struct nn_loops *l))
{
    int ran = 0;
    for (const char *const *n = kernels_available(); *n; n++, ran++) {
        struct err err = { 0 };
        check_ok(kernels_init(*n, &err), err);
        fn(loops_of(*n));
    }
    print_message("# %d variants ran, %d skipped: not on this processor\n", ran, 3 - ran);
}

/* Distance in units of the last place of `want`. */
static double ulps(float got, double want)
{
    int e;
    if (got == want) return 0;
    frexp(want, &e);
    double unit = ldexp(1, (e < -125 ? -125 : e) - 24);
    return fabs(got - want) / unit;
}

static void check_curve(const char *what, void (*fn)(float *, size_t), double (*want)(double),
                        float from, float to, double most_ulps, double most_abs)
{
    enum { STEPS = 100001 };
    static float x[STEPS], y[STEPS];
    for (int i = 0; i < STEPS; i++) x[i] = y[i] = from + (to - from) * (float)i / (STEPS - 1);
    fn(y, STEPS);
    for (int i = 0; i < STEPS; i++) {
        double w = want(x[i]);
        if (!(ulps(y[i], w) <= most_ulps || fabs(y[i] - w) <= most_abs))
            fail_msg("%s(%.9g): got %.9g, want %.9g, %.2f ulp", what, x[i], y[i], w, ulps(y[i], w));
    }
}

static double gelu_erf(double x) { return 0.5 * x * erfc(-x / sqrt(2)); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static void ones_mul(void (*fn)(float *, const float *, size_t), float *x, size_t n)
{
    static float ones[100001];
    for (size_t i = 0; i < n; i++) ones[i] = 1;
    fn(x, ones, n);
}
static void silu_1(float *x, size_t n) { ones_mul(nn_silu_mul, x, n); }
static void gelu_tanh_1(float *x, size_t n) { ones_mul(nn_gelu_mul, x, n); }

static void curves_of(const struct nn_loops *l)
{
    check_curve("exp", l->exp, exp, -87.3f, 88.7f, 2, 0);
    check_curve("exp", l->exp, exp, -1, 1, 2, 0);
    check_curve("tanh", l->tanh, tanh, -12, 12, 3, 0);
    check_curve("tanh", l->tanh, tanh, -0.7f, 0.7f, 3, 0);
    check_curve("gelu", nn_gelu, gelu_erf, -9, 9, 0, 6e-7);
    check_curve("gelu", nn_gelu, gelu_erf, 9, 1000, 1, 0);
    check_curve("silu", silu_1, silu, -80, 80, 5, 1e-30);
    check_curve("gelu tanh", gelu_tanh_1, gelu_tanh, -8, 8, 0, 1e-6);
}

static void curves(void **state) { each(curves_of); }

static void ends_of(const struct nn_loops *l)
{
    float x[] = { -INFINITY, -1000, -88, -0.0f, 0, 89, 1000, INFINITY, NAN };
    enum { N = sizeof x / sizeof *x };
    float e[N], t[N], g[N], s[N];
    memcpy(e, x, sizeof x), memcpy(t, x, sizeof x), memcpy(g, x, sizeof x);
    memcpy(s, x, sizeof x);
    l->exp(e, N);
    l->tanh(t, N);
    nn_gelu(g, N - 2);
    ones_mul(nn_silu_mul, s, N - 2);
    for (int i = 0; i < 3; i++) check_near(e[i], 0, 0);
    check_near(e[3], 1, 0);
    check_near(e[4], 1, 0);
    for (int i = 5; i < 8; i++) assert_true(isinf(e[i]) && e[i] > 0);
    assert_true(isnan(e[8]) && isnan(t[8]));
    check_near(t[0], -1, 0);
    check_near(t[6], 1, 0);
    check_near(t[7], 1, 0);
    check_near(g[1], 0, 2e-7);
    check_near(g[6], 1000, 0);
    check_near(s[1], 0, 1e-30);
    check_near(s[6], 1000, 0);
}

static void ends(void **state) { each(ends_of); }

static void norms_of(const struct nn_loops *l)
{
    static float x[MOST], y[MOST], w[MOST], b[MOST];
    for (int dim = 1; dim <= MOST; dim += dim < 70 ? 1 : 63) {
        double ss = 0, mean = 0, var = 0;
        for (int i = 0; i < dim; i++) {
            x[i] = 3 * rnd_f() + 5, w[i] = rnd_f(), b[i] = rnd_f();
            ss += (double)x[i] * x[i];
            mean += x[i];
        }
        mean /= dim;
        for (int i = 0; i < dim; i++) var += (x[i] - mean) * (x[i] - mean);
        nn_rmsnorm(y, x, w, 1, dim, 1e-5f);
        for (int i = 0; i < dim; i++) check_near(y[i], x[i] / sqrt(ss / dim + 1e-5) * w[i], 1e-6);
        nn_layernorm(y, x, w, b, 1, dim, 1e-12f);
        for (int i = 0; i < dim; i++) {
            double want = (x[i] - mean) / sqrt(var / dim + 1e-12) * w[i] + b[i];
            if (dim > 1) check_near(y[i], want, 2e-5);
        }
        nn_layernorm(y, x, w, NULL, 1, dim, 1e-3f);
        nn_layernorm(x, x, w, NULL, 1, dim, 1e-3f); /* in place */
        assert_memory_equal(x, y, (size_t)dim * sizeof *x);
    }
}

static void norms(void **state) { each(norms_of); }

static void softmax_of(const struct nn_loops *l)
{
    static float x[MOST], y[MOST];
    nn_softmax(x, 0);
    for (int n = 1; n <= MOST; n += n < 70 ? 1 : 63) {
        double most = -1e30, total = 0;
        for (int i = 0; i < n; i++) {
            x[i] = y[i] = i % 7 == 3 ? -INFINITY : 1e4f * rnd_f();
            if (x[i] > most) most = x[i];
        }
        nn_softmax(y, n);
        for (int i = 0; i < n; i++) total += exp(x[i] - most);
        for (int i = 0; i < n; i++) check_near(y[i], exp(x[i] - most) / total, 1e-6);
        for (int i = 0; i < n; i++) y[i] = -INFINITY;
        nn_softmax(y, n);
        for (int i = 0; i < n; i++) check_near(y[i], 0, 0);
    }
}

static void softmax(void **state) { each(softmax_of); }

static void simple_of(const struct nn_loops *l)
{
    static float x[MOST], y[MOST], z[MOST];
    for (size_t n = 0; n <= 70; n++) {
        for (size_t i = 0; i < n; i++) x[i] = 60 * rnd_f(), y[i] = z[i] = rnd_f();
        nn_add(y, x, n);
        for (size_t i = 0; i < n; i++) check_near(y[i], z[i] + x[i], 0);
        nn_scale(y, 0.3f, n);
        for (size_t i = 0; i < n; i++) check_near(y[i], (z[i] + x[i]) * 0.3f, 0);
        memcpy(y, x, sizeof y);
        nn_softcap(y, 30, n);
        for (size_t i = 0; i < n; i++) check_near(y[i], 30 * tanh(x[i] / 30.0), 1e-5);
        memcpy(y, z, sizeof y);
        if (n) nn_bias(y, x, 1, (int)n);
        nn_bias(y, NULL, 1, (int)n);
        for (size_t i = 0; i < n; i++) check_near(y[i], z[i] + x[i], 0);
        check_near(y[n], z[n], 0); /* nothing behind the end */
    }
}

static void simple(void **state) { each(simple_of); }

static void rope_of(const struct nn_loops *l)
{
    enum { POS = 50, HEADS = 3, DIM = 80, STRIDE = HEADS * DIM + 5, N = 4 };
    static float table[POS * DIM], x[N * STRIDE], y[N * STRIDE], factors[DIM / 2];
    const int pos[N] = { 0, 7, 7, 49 };
    for (int i = 0; i < DIM / 2; i++) factors[i] = 1 + (float)(i % 3);
    for (int rot = 2; rot <= DIM; rot += 2)
        for (int pairs = 0; pairs < 2; pairs++) {
            nn_rope_table(table, POS, rot, 10000, 0.5f, pairs ? factors : NULL);
            for (int i = 0; i < N * STRIDE; i++) x[i] = y[i] = rnd_f();
            nn_rope(y, pos, N, HEADS, DIM, rot, STRIDE, table, pairs);
            for (int i = 0; i < N; i++)
                for (int h = 0; h < HEADS; h++)
                    for (int d = 0; d < DIM; d++) {
                        int at = i * STRIDE + h * DIM, k = pairs ? d / 2 : d % (rot / 2);
                        int a = pairs ? 2 * k : k, b = pairs ? a + 1 : k + rot / 2;
                        double t = pos[i] * 0.5 * pow(10000, -2.0 * k / rot);
                        if (pairs) t /= factors[k];
                        double want = x[at + d];
                        if (d < rot && d == a) want = x[at + a] * cos(t) - x[at + b] * sin(t);
                        else if (d < rot) want = x[at + b] * cos(t) + x[at + a] * sin(t);
                        check_near(y[at + d], want, 1e-6);
                    }
            for (int i = HEADS * DIM; i < STRIDE; i++) check_near(y[i], x[i], 0);
        }
}

static void rope(void **state) { each(rope_of); }

/* The same bits in one batch on two threads as row by row. */
static void invariant_of(const struct nn_loops *l)
{
    enum { N = 131, DIM = 515 };
    static float x[N * DIM], y[N * DIM], z[N * DIM], w[DIM], b[DIM];
    for (int i = 0; i < N * DIM; i++) x[i] = 4 * rnd_f();
    for (int i = 0; i < DIM; i++) w[i] = rnd_f(), b[i] = rnd_f();
    memcpy(y, x, sizeof y);
    nn_rmsnorm(y, y, w, N, DIM, 1e-6f);
    nn_layernorm(y, y, w, b, N, DIM, 1e-6f);
    nn_silu_mul(y, x, (size_t)N * DIM);
    nn_gelu_mul(y, x, (size_t)N * DIM);
    nn_add(y, x, (size_t)N * DIM);
    nn_gelu(y, (size_t)N * DIM);
    nn_softcap(y, 3, (size_t)N * DIM);
    nn_bias(y, b, N, DIM);
    memcpy(z, x, sizeof z);
    for (int i = 0; i < N; i++) {
        float *r = z + i * DIM;
        const float *u = x + i * DIM;
        nn_rmsnorm(r, r, w, 1, DIM, 1e-6f);
        nn_layernorm(r, r, w, b, 1, DIM, 1e-6f);
        nn_silu_mul(r, u, DIM);
        nn_gelu_mul(r, u, DIM);
        nn_add(r, u, DIM);
        nn_gelu(r, DIM);
        nn_softcap(r, 3, DIM);
        nn_bias(r, b, 1, DIM);
    }
    assert_memory_equal(y, z, sizeof y);
}

static void invariant(void **state)
{
    threads_set(3);
    each(invariant_of);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(curves),    cmocka_unit_test(ends),   cmocka_unit_test(norms),
        cmocka_unit_test(softmax),   cmocka_unit_test(simple), cmocka_unit_test(rope),
        cmocka_unit_test(invariant),
    };
    int failed = check_run("kernels/nn", t);
    threads_stop();
    return failed;
}
