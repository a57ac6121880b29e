/* Products with float weights against double, for every variant, packed and not, on odd shapes; and
 * the promise of mat.h that bits depend on the row of x and the row of W alone. */
#include "check.h"

#include "base/threads.h"
#include "kernels/kernels.h"
#include "kernels/mat.h"

#include <math.h>

static uint64_t seed = 88172645463325252u;

static float rnd_f(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (float)(uint32_t)(seed >> 16) / 2147483648.0f - 1;
}

static void each(void (*fn)(void))
{
    int ran = 0;
    for (const char *const *n = kernels_available(); *n; n++, ran++) {
        struct err err = { 0 };
        check_ok(kernels_init(*n, &err), err);
        fn();
    }
    print_message("# %d variants ran, %d skipped: not on this processor\n", ran, 3 - ran);
}

/* Weights of one format at an odd address, and what they say as floats. */
struct weights {
    char *bytes, *data;
    float *w;
    struct mat plain, packed;
};

static struct weights weights_new(enum quant type, int rows, int cols)
{
    struct weights k = { 0 };
    struct err err = { 0 };
    size_t n = (size_t)rows * (size_t)cols;
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = rnd_f();
    k.w = malloc(n * sizeof *k.w);
    k.bytes = malloc(quant_row_bytes(type, n) + 2);
    k.data = k.bytes + 2;
    quant_encode(type, x, n, k.data);
    quant_decode(type, k.data, n, k.w);
    check_ok(mat_init(&k.plain, type, rows, cols, k.data, &err), err);
    check_ok(mat_init(&k.packed, type, rows, cols, k.data, &err), err);
    check_ok(mat_pack(&k.packed, &err), err);
    assert_true(mat_packed(&k.packed));
    free(x);
    return k;
}

static void weights_free(struct weights *k)
{
    mat_clear(&k->plain);
    mat_clear(&k->packed);
    free(k->bytes);
    free(k->w);
}

static void multiply(const struct mat *m, const float *x, int n, float *y, int stride)
{
    struct acts a;
    struct err err = { 0 };
    check_ok(acts_init(&a, n, m->cols, &err), err);
    acts_set(&a, x, n, m->cols);
    mat_mul(m, &a, y, stride);
    acts_clear(&a);
}

/* One product of n rows; then plain, row by row, and added twice: the same bits each time. */
static void check_product(const struct weights *k, int n)
{
    int rows = k->packed.rows, cols = k->packed.cols, stride = rows + 3;
    size_t all = (size_t)n * (size_t)stride;
    float *x = malloc((size_t)n * (size_t)cols * sizeof *x), *y = malloc(all * sizeof *y);
    float *z = malloc(all * sizeof *z);
    for (int i = 0; i < n * cols; i++) x[i] = rnd_f();
    for (size_t i = 0; i < all; i++) y[i] = z[i] = 7;
    multiply(&k->packed, x, n, y, stride);
    for (int t = 0; t<n; t += n> 40 ? 7 : 1)
        for (int r = 0; r<stride; r += rows> 100 && r < rows - 20 ? 5 : 1) {
            double want = r < rows ? 0 : 7, size = 1e-30;
            for (int c = 0; r < rows && c < cols; c++) {
                double p = (double)k->w[r * cols + c] * x[t * cols + c];
                want += p;
                size += fabs(p);
            }
            check_near(y[t * stride + r], want, 1e-5 * size);
        }
    multiply(&k->plain, x, n, z, stride);
    assert_memory_equal(y, z, all * sizeof *y);
    for (int t = 0; t<n; t += n> 16 ? 9 : 1)
        multiply(&k->packed, x + t * cols, 1, z + t * stride, stride);
    assert_memory_equal(y, z, all * sizeof *y);
    free(x), free(y), free(z);
}

static const enum quant types[] = { QUANT_F32, QUANT_F16, QUANT_BF16 };

static void products_of(void)
{
    static const int shapes[][2] = { { 1, 1 },    { 16, 1 },   { 15, 33 },   { 17, 256 },
                                     { 33, 257 }, { 64, 300 }, { 150, 515 }, { 300, 70 } };
    static const int ns[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 29, 61 };
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
            struct weights k = weights_new(types[i], shapes[j][0], shapes[j][1]);
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++) check_product(&k, ns[n]);
            weights_free(&k);
        }
}

static void products(void **state)
{
    threads_set(3);
    each(products_of);
}

/* Sums of many columns keep within the tolerance; += adds; rows come back as they were. */
static void long_rows_of(void)
{
    enum { ROWS = 18, COLS = 8192, N = 3 };
    static float x[N * COLS], y[N * ROWS], z[N * ROWS], row[COLS];
    for (size_t i = 0; i < 3; i++) {
        struct weights k = weights_new(types[i], ROWS, COLS);
        struct acts a;
        struct err err = { 0 };
        for (int j = 0; j < N * COLS; j++) x[j] = rnd_f() + 0.5f;
        multiply(&k.packed, x, N, y, ROWS);
        for (int t = 0; t < N; t++)
            for (int r = 0; r < ROWS; r++) {
                double want = 0, size = 0;
                for (int c = 0; c < COLS; c++) {
                    double p = (double)k.w[r * COLS + c] * x[t * COLS + c];
                    want += p, size += fabs(p);
                }
                check_near(y[t * ROWS + r], want, 1e-6 * size);
            }
        for (int j = 0; j < N * ROWS; j++) z[j] = 100;
        check_ok(acts_init(&a, N, COLS, &err), err);
        acts_set(&a, x, N, COLS);
        mat_mul_add(&k.packed, &a, z, ROWS);
        for (int j = 0; j < N * ROWS; j++) check_near(z[j], y[j] + 100, 1e-3);
        for (int r = 0; r < ROWS; r++) {
            mat_row(&k.packed, r, row);
            assert_memory_equal(row, k.w + r * COLS, sizeof row);
            mat_row(&k.plain, r, row);
            assert_memory_equal(row, k.w + r * COLS, sizeof row);
        }
        acts_clear(&a);
        weights_free(&k);
    }
}

static void long_rows(void **state) { each(long_rows_of); }

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(products), cmocka_unit_test(long_rows) };
    int failed = check_run("kernels/matf", t);
    threads_stop();
    return failed;
}
