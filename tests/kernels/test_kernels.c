/* Every variant that this machine has against generic: odd sizes, odd addresses, extreme values. A
 * variant that is compiled but cannot run here is counted as skipped, not as passed. */
#include "check.h"

#include "kernels/kernels.h"
#include "kernels/quant.h"

#include <math.h>

enum { MOST = 1030 };

static struct kernels generic;
static uint64_t seed = 88172645463325252u;

static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static float rnd_f(void) { return (float)rnd() / 2147483648.0f - 1; }

/* Runs fn for every variant but generic. */
static void each(void (*fn)(const struct kernels *k))
{
    int ran = 0;
    check_int(kernels_get("generic", &generic, NULL), 0);
    for (const char *const *n = kernels_available(); *n; n++) {
        struct kernels k;
        struct err err = { 0 };
        check_ok(kernels_get(*n, &k, &err), err);
        check_str(k.name, *n);
        fn(&k);
        ran++;
    }
    print_message("# %d variants ran, %d skipped: not on this processor\n", ran, 3 - ran);
}

static void dot_of(const struct kernels *k)
{
    float x[MOST + 8], y[MOST + 8];
    for (size_t n = 0; n <= MOST; n++) {
        float *a = x + n % 5, *b = y + n % 3;
        double want = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            a[i] = rnd_f();
            b[i] = rnd_f();
            want += (double)a[i] * b[i];
            size += fabs((double)a[i] * b[i]);
        }
        check_near(k->dot_f32(a, b, n), want, 1e-5 * size);
    }
}

static void axpy_of(const struct kernels *k)
{
    float x[MOST + 8], y[MOST + 8], z[MOST + 8];
    for (size_t n = 0; n <= MOST; n++) {
        for (size_t i = 0; i < n + 1; i++) {
            x[i + 1] = rnd_f();
            y[i + 3] = z[i + 3] = rnd_f();
        }
        k->axpy_f32(y + 3, 0.37f, x + 1, n);
        generic.axpy_f32(z + 3, 0.37f, x + 1, n);
        for (size_t i = 0; i < n; i++) check_near(y[i + 3], z[i + 3], 1e-6);
        check_int(y[n + 3] == z[n + 3], 1); /* nothing beyond the end */
    }
}

/* The same bits from every variant. */
static void sum_q8_of(const struct kernels *k)
{
    enum { ROWS = 37, DIM = 416 };
    static struct quant_q8_0 table[ROWS][DIM / 32];
    float y[DIM], z[DIM];
    int32_t ids[100];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t b = 0; b < DIM / 32; b++) {
            table[r][b].d = f32_to_f16(rnd_f());
            for (size_t i = 0; i < 32; i++) table[r][b].qs[i] = (int8_t)(rnd_f() * 127);
        }
    for (size_t i = 0; i < 100; i++) ids[i] = (int32_t)(i * i % ROWS);
    for (size_t dim = 32; dim <= DIM; dim += 32)
        for (size_t n = 0; n <= 100; n += 20) {
            k->sum_q8_0(y, table, sizeof table[0], ids, n, dim);
            generic.sum_q8_0(z, table, sizeof table[0], ids, n, dim);
            assert_memory_equal(y, z, dim * sizeof *y);
        }
}

static void fill(int8_t *p, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (int8_t)(kind == 0   ? (int)(rnd() % 255) - 127
                        : kind == 1 ? 127
                        : kind == 2 ? -127
                                    : (rnd() & 1 ? 127 : -127));
}

static void scan_of(const struct kernels *k)
{
    enum { ROWS = 13 };
    static int8_t rows[ROWS * 1056] __attribute__((aligned(64)));
    static int8_t q[1056] __attribute__((aligned(64)));
    for (size_t dim = 32; dim <= 1056; dim += 32)
        for (int kind = 0; kind < 16; kind++) {
            fill(rows, ROWS * dim, kind & 3);
            fill(q, dim, kind >> 2);
            for (size_t n = 0; n <= ROWS; n++) {
                int32_t got[ROWS + 1], want[ROWS + 1];
                got[n] = want[n] = 4242;
                k->scan_i8(rows, n, dim, q, got);
                generic.scan_i8(rows, n, dim, q, want);
                for (size_t r = 0; r <= n; r++) check_int(got[r], want[r]);
            }
        }
}

static void quant_of(const struct kernels *k)
{
    float x[MOST + 8];
    int8_t got[MOST + 8], want[MOST + 8];
    static const float sizes[] = { 1, 1e-20f, 1e20f, 1e-38f, 3e38f, 0 };
    for (size_t n = 0; n <= MOST; n++) {
        float *a = x + n % 7, size = sizes[n % 6];
        for (size_t i = 0; i < n; i++) a[i] = rnd_f() * size;
        if (n > 3) a[rnd() % n] = n & 1 ? size : -size;
        got[n] = want[n] = 99;
        float s = k->quant_i8(a, n, got), t = generic.quant_i8(a, n, want);
        assert_true(s == t);
        for (size_t i = 0; i <= n; i++) check_int(got[i], want[i]);
        for (size_t i = 0; s > 0 && i < n; i++) check_near(a[i] / s, want[i], 0.5001);
    }
}

static void pass_of(const struct kernels *k)
{
    static int32_t dot[MOST];
    static float scale[MOST], slack[MOST];
    static uint32_t got[MOST + 1], want[MOST + 1];
    for (size_t n = 0; n < MOST; n++) {
        for (size_t i = 0; i < n; i++) {
            dot[i] = (int32_t)(rnd() % 2000001) - 1000000;
            scale[i] = 0.001f * (1 + rnd_f());
            slack[i] = 0.01f * (1 + rnd_f());
        }
        float t = n % 4 ? (float)(n % 4) * 0.2f : -INFINITY;
        got[n] = want[n] = 4242;
        size_t m = k->pass_i8(dot, scale, slack, n, 0.002f, 1.01f, t, got);
        check_int(m, generic.pass_i8(dot, scale, slack, n, 0.002f, 1.01f, t, want));
        if (t < 0) check_int(m, n);
        for (size_t i = 0; i < m; i++) check_int(got[i], want[i]);
        check_int(got[n], m < n ? got[n] : 4242);
    }
}

static void dot(void **state) { each(dot_of); }
static void axpy(void **state) { each(axpy_of); }
static void sum_q8(void **state) { each(sum_q8_of); }
static void scan(void **state) { each(scan_of); }
static void quant(void **state) { each(quant_of); }
static void pass(void **state) { each(pass_of); }

static void chooses(void **state)
{
    struct err err = { 0 };
    struct kernels k;
    check_str(kernels.name, "generic");
    check_int(kernels_init("mmx", &err), ERR_INVAL);
    check_has(err.msg, "mmx");
    check_str(kernels.name, "generic");
    check_ok(kernels_init(NULL, &err), err);
    const char *const *best = kernels_available();
    while (best[1]) best++;
    check_str(kernels.name, *best);
    check_ok(kernels_init("generic", &err), err);
    check_str(kernels.name, "generic");
    int there = 0;
    for (const char *const *n = kernels_available(); *n; n++) there += !strcmp(*n, "avx512");
    check_int(kernels_get("avx512", &k, &err), there ? 0 : ERR_INVAL);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(chooses), cmocka_unit_test(dot),  cmocka_unit_test(axpy),
        cmocka_unit_test(sum_q8),  cmocka_unit_test(scan), cmocka_unit_test(quant),
        cmocka_unit_test(pass),
    };
    return check_run("kernels/kernels", t);
}
