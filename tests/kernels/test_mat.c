/* Matrix products. Integer formats: every variant gives the bits of the generic one, from the
 * file's form and from the packed one, and all keep to what rounding the activations to 8 bits in
 * blocks of 32 allows. Weights are random bytes, so that all of a block's scales, minima and
 * numbers come up, and extremes. Then the contract of mat.h: a row's bits do not depend on how many
 * rows, threads or matrices were multiplied at once. */
#include "check.h"

#include "base/threads.h"
#include "kernels/kernels.h"
#include "kernels/mat.h"

#include <math.h>

enum { MOST_N = 512 };
static const enum quant types[] = { QUANT_Q8_0, QUANT_Q4_0, QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K };
enum { N_TYPES = sizeof types / sizeof *types };
enum extreme { RANDOM, HIGHEST, LOWEST, ZERO_SCALE, ZERO_ROWS, N_EXTREMES };

static uint64_t seed = 88172645463325252u;

static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static float rnd_f(void) { return (float)rnd() / 2147483648.0f - 1; }

static uint8_t *random_weights(enum quant type, int rows, int cols, enum extreme kind)
{
    size_t n = quant_row_bytes(type, (size_t)cols) * (size_t)rows;
    size_t block = quant_row_bytes(type, (size_t)quant_block(type));
    uint8_t *p = malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = kind == HIGHEST ? 0xff : kind == LOWEST ? 0 : kind == ZERO_ROWS ? 0 : (uint8_t)rnd();
    for (size_t i = 0; i < n; i += block) {
        uint16_t d = kind == ZERO_SCALE ? 0 : f32_to_f16(0.01f * rnd_f());
        if (type == QUANT_Q8_0 && (kind == HIGHEST || kind == LOWEST))
            memset(p + i, kind == HIGHEST ? 0x7f : 0x80, block);
        memcpy(p + i + (type == QUANT_Q6_K ? block - 2 : 0), &d, 2);
        if (type == QUANT_Q4_K || type == QUANT_Q5_K) memcpy(p + i + 2, &d, 2);
    }
    return p;
}

static float *random_acts(int n, int cols, enum extreme kind)
{
    float *x = malloc(sizeof *x * (size_t)n * (size_t)cols);
    for (int i = 0; i < n * cols; i++)
        x[i] = kind == HIGHEST ? 3.0f : kind == LOWEST ? (rnd() & 1 ? -3.0f : 3.0f) : rnd_f();
    for (int i = 0; i < n * cols && kind == RANDOM; i += 977) x[i] *= 50; /* outliers */
    if (kind == RANDOM) memset(x, 0, 4 * 32);
    return x;
}

static void product(const struct mat *m, const float *x, int n, float *y)
{
    struct acts a;
    struct err err = { 0 };
    check_ok(acts_init(&a, n, m->cols, &err), err);
    acts_set(&a, x, n, m->cols);
    mat_mul(m, &a, y, m->rows);
    acts_clear(&a);
}

static void check_same(const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], 4))
            fail_msg("%s, number %zu: got %.9g, want %.9g", what, i, got[i], want[i]);
}

/* Against doubles. Rounding moves an activation by at most half a step, 1/254 of the largest of its
 * block. */
static void check_exact(enum quant type, const uint8_t *w, int rows, int cols, const float *x,
                        int n, const float *y)
{
    float *row = malloc(sizeof *row * (size_t)cols);
    for (int r = 0; r < rows; r++) {
        quant_decode(type, w + quant_row_bytes(type, (size_t)cols) * (size_t)r, (size_t)cols, row);
        for (int t = 0; t < n; t++) {
            double want = 0, slack = 1e-30;
            for (int c = 0; c < cols; c += 32) {
                const float *a = x + (size_t)t * (size_t)cols + c;
                double most = 0, weights = 0, size = 0;
                for (int i = 0; i < 32; i++) {
                    most = fmax(most, fabs((double)a[i]));
                    weights += fabs((double)row[c + i]);
                    size += fabs((double)row[c + i] * (double)a[i]);
                    want += (double)row[c + i] * (double)a[i];
                }
                slack += weights * most / 254 + 1e-5 * (size + weights * most);
            }
            check_near(y[t * rows + r], want, slack);
        }
    }
    free(row);
}

static void variants_of(enum quant type, int rows, int cols, int n, enum extreme kind)
{
    uint8_t *w = random_weights(type, rows, cols, kind);
    float *x = random_acts(n, cols, kind);
    size_t all = (size_t)n * (size_t)rows;
    float *want = calloc(all, 4), *got = calloc(all, 4);
    float *row = malloc(4 * (size_t)cols), *row2 = malloc(4 * (size_t)cols);
    struct err err = { 0 };
    struct mat m;
    check_ok(kernels_init("generic", &err), err);
    check_ok(mat_init(&m, type, rows, cols, w, &err), err);
    product(&m, x, n, want);
    check_exact(type, w, rows, cols, x, n, want);
    for (const char *const *v = kernels_available(); *v; v++) {
        check_ok(kernels_init(*v, &err), err);
        check_ok(mat_init(&m, type, rows, cols, w, &err), err);
        product(&m, x, n, got);
        check_same("from the file's form", got, want, all);
        check_ok(mat_pack(&m, &err), err);
        assert_true(mat_packed(&m));
        memset(got, 0, 4 * all);
        product(&m, x, n, got);
        check_same(*v, got, want, all);
        for (int r = 0; r < rows; r += 5) {
            mat_row(&m, r, row);
            quant_decode(type, w + quant_row_bytes(type, (size_t)cols) * (size_t)r, (size_t)cols,
                         row2);
            for (int c = 0; c < cols; c++) check_near(row[c], row2[c], 1e-6 * fabs(row2[c]));
        }
        mat_clear(&m);
    }
    free(w), free(x), free(want), free(got), free(row), free(row2);
}

static void odd_sizes(void **state)
{
    static const int rows[] = { 1, 7, 16, 17, 31, 48 };
    for (int k = 0; k < N_TYPES; k++)
        for (int n = 1; n <= 40; n++) {
            int block = quant_block(types[k]);
            variants_of(types[k], rows[n % 6], block * (1 + n % 5 * (n % 3)), n, RANDOM);
        }
    int ran = 0;
    while (kernels_available()[ran]) ran++;
    print_message("# %d variants ran, %d skipped: not on this processor\n", ran, 3 - ran);
}

static void extremes(void **state)
{
    for (int k = 0; k < N_TYPES; k++)
        for (int kind = HIGHEST; kind < N_EXTREMES; kind++)
            variants_of(types[k], 18, 1024, 5, (enum extreme)kind);
}

/* One set of weights and inputs, multiplied in many ways. */
struct ways {
    struct mat m;
    float *x, *want, *y;
    int rows, cols;
};

static void same_whatever_beside(struct ways *w)
{
    static const int ns[] = { 1, 2, 3, 7, 8, 33, 512 };
    struct acts a;
    struct err err = { 0 };
    check_ok(acts_init(&a, MOST_N, w->cols, &err), err);
    for (int threads = 1; threads <= 3; threads++) {
        threads_set(threads);
        for (size_t k = 0; k < sizeof ns / sizeof *ns; k++) {
            int from = MOST_N - ns[k]; /* the last rows: none has the place it had before */
            acts_set(&a, w->x + (size_t)from * (size_t)w->cols, ns[k], w->cols);
            mat_mul(&w->m, &a, w->y, w->rows);
            check_same("bits", w->y, w->want + (size_t)from * (size_t)w->rows,
                       (size_t)ns[k] * (size_t)w->rows);
        }
    }
    threads_set(2);
    acts_clear(&a);
}

static void same_with_others(struct ways *w)
{
    struct err err = { 0 };
    struct acts a;
    enum { N = 9, PAD = 3 };
    int stride = w->rows + PAD;
    size_t all = (size_t)N * (size_t)stride;
    float *ys[3];
    const struct mat *ms[] = { &w->m, &w->m, &w->m };
    int strides[] = { stride, stride, stride };
    for (int i = 0; i < 3; i++) ys[i] = calloc(all, 4);
    check_ok(acts_init(&a, N, w->cols, &err), err);
    acts_set(&a, w->x, N, w->cols);
    mat_mul_many(ms, 3, &a, ys, strides);
    for (int i = 0; i < 3; i++)
        for (int t = 0; t < N; t++) {
            check_same("many", ys[i] + t * stride, w->want + t * w->rows, (size_t)w->rows);
            for (int j = w->rows; j < stride; j++) check_near(ys[i][t * stride + j], 0, 0);
        }
    for (size_t i = 0; i < all; i++) ys[1][i] = 0.5f;
    mat_mul_add(&w->m, &a, ys[1], stride);
    for (int t = 0; t < N; t++)
        for (int r = 0; r < w->rows; r++)
            check_near(ys[1][t * stride + r], 0.5f + w->want[t * w->rows + r], 0);
    for (int i = 0; i < 3; i++) free(ys[i]);
    acts_clear(&a);
}

/* Rows written when the first product wants them. */
struct making {
    const float *from;
    float *to;
    int cols, made[MOST_N]; /* how often each row was */
};

static void make_rows(void *ud, int t, int n)
{
    struct making *j = ud;
    size_t at = (size_t)t * (size_t)j->cols;
    memcpy(j->to + at, j->from + at, (size_t)n * (size_t)j->cols * sizeof *j->to);
    for (int i = t; i < t + n; i++) j->made[i]++;
}

/* The same bits as of rows that were there, with each row made once, whichever product is first. */
static void same_when_made(struct ways *w, const struct mat *floats, bool floats_first)
{
    static const int ns[] = { 1, 5, 12, 13, 40, MOST_N };
    const struct mat *ms[] = { floats_first ? floats : &w->m, floats_first ? &w->m : floats };
    size_t all = (size_t)MOST_N * (size_t)w->rows;
    float *x = calloc((size_t)MOST_N * (size_t)w->cols, 4), *want = calloc(all, 4);
    struct err err = { 0 };
    struct acts a;
    check_ok(acts_init(&a, MOST_N, w->cols, &err), err);
    for (size_t k = 0; k < sizeof ns / sizeof *ns; k++) {
        struct making j = { .from = w->x, .to = x, .cols = w->cols };
        memset(x, 0xff, (size_t)MOST_N * (size_t)w->cols * sizeof *x); /* no numbers */
        acts_make(&a, x, ns[k], w->cols, make_rows, &j);
        for (int i = 0; i < 2; i++) {
            struct acts b;
            size_t n = (size_t)ns[k] * (size_t)w->rows;
            mat_mul(ms[i], &a, w->y, w->rows);
            check_ok(acts_init(&b, ns[k], w->cols, &err), err);
            acts_set(&b, w->x, ns[k], w->cols);
            mat_mul(ms[i], &b, want, w->rows);
            acts_clear(&b);
            check_same("made", w->y, want, n);
        }
        for (int t = 0; t < MOST_N; t++) check_int(j.made[t], t < ns[k]);
    }
    acts_clear(&a);
    free(x), free(want);
}

static void rows_made(void **state)
{
    struct err err = { 0 };
    for (const char *const *v = kernels_available(); *v; v++) {
        struct ways w = { .rows = 40, .cols = 64 };
        struct mat floats;
        check_ok(kernels_init(*v, &err), err);
        uint8_t *data = random_weights(QUANT_Q8_0, w.rows, w.cols, RANDOM);
        float *f = random_acts(w.rows, w.cols, RANDOM);
        w.x = random_acts(MOST_N, w.cols, RANDOM);
        w.y = calloc((size_t)MOST_N * (size_t)w.rows, 4);
        check_ok(mat_init(&w.m, QUANT_Q8_0, w.rows, w.cols, data, &err), err);
        check_ok(mat_init(&floats, QUANT_F32, w.rows, w.cols, f, &err), err);
        check_ok(mat_pack(&w.m, &err), err);
        check_ok(mat_pack(&floats, &err), err);
        same_when_made(&w, &floats, false);
        same_when_made(&w, &floats, true);
        mat_clear(&w.m);
        mat_clear(&floats);
        free(data), free(f), free(w.x), free(w.y);
    }
}

static void invariance(void **state)
{
    struct err err = { 0 };
    for (const char *const *v = kernels_available() + 1; *v; v++)
        for (int k = 0; k < N_TYPES; k++) {
            struct ways w = { .rows = 163, .cols = 512 };
            check_ok(kernels_init(*v, &err), err);
            uint8_t *data = random_weights(types[k], w.rows, w.cols, RANDOM);
            size_t all = (size_t)MOST_N * (size_t)w.rows;
            w.x = random_acts(MOST_N, w.cols, RANDOM);
            w.want = malloc(4 * all);
            w.y = malloc(4 * all);
            check_ok(mat_init(&w.m, types[k], w.rows, w.cols, data, &err), err);
            check_ok(mat_pack(&w.m, &err), err);
            product(&w.m, w.x, MOST_N, w.want);
            same_whatever_beside(&w);
            same_with_others(&w);
            mat_clear(&w.m);
            free(data), free(w.x), free(w.want), free(w.y);
        }
}

static void memory(void **state)
{
    struct err err = { 0 };
    for (int k = 0; k < N_TYPES; k++) {
        struct mat m;
        size_t bytes = quant_row_bytes(types[k], 2048) * 256;
        uint8_t *w = random_weights(types[k], 256, 2048, RANDOM);
        check_ok(mat_init(&m, types[k], 256, 2048, w, &err), err);
        check_ok(mat_pack(&m, &err), err);
        assert_true(m.packed_bytes <= bytes + bytes / 25);
        mat_clear(&m);
        free(w);
    }
}

static void refusals(void **state)
{
    struct err err = { 0 };
    struct mat m, zero = { 0 };
    struct acts a, none = { 0 };
    check_int(mat_init(&m, QUANT_Q4_K, 3, 128, "", &err), ERR_INVAL);
    check_has(err.msg, "q4_k");
    check_int(mat_init(&m, QUANT_Q8_0, 0, 32, "", &err), ERR_INVAL);
    check_int(mat_init(&m, QUANT_Q8_0, 3, 0, "", &err), ERR_INVAL);
    check_int(mat_init(&m, (enum quant)77, 3, 32, "", &err), ERR_INVAL);
    check_int(acts_init(&a, 0, 32, &err), ERR_INVAL);
    mat_clear(&zero);
    acts_clear(&none);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(odd_sizes), cmocka_unit_test(extremes), cmocka_unit_test(invariance),
        cmocka_unit_test(rows_made), cmocka_unit_test(memory),   cmocka_unit_test(refusals),
    };
    int rc = check_run("kernels/mat", t);
    threads_stop();
    return rc;
}
