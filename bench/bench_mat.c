/* Matrix products by number format, at the shapes of a 1B and a 135M model: one row of activations
 * against the bandwidth at which as many bytes can be read, 8 rows as a multiple of that, 512 rows
 * against the peak of integer (or fp32) arithmetic. Several matrices of a shape take turns, so that
 * one pass reads more than the caches hold, as a model's layers do; the small shapes are also
 * measured from the cache. */
#include "bench.h"

#include "base/clock.h"
#include "kernels/mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, ROWS = 512 };

struct set {
    struct mat m[MOST];
    int n_mats, next, n;
    struct acts a;
    float *x, *y;
    size_t bytes; /* of all matrices */
};

static uint32_t seed = 1;
static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed;
}

/* Random bits, with scales that are small and finite. */
static void fill(enum quant type, char *p, size_t bytes)
{
    size_t block = quant_row_bytes(type, (size_t)quant_block(type));
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        uint32_t v = rnd();
        if (type == QUANT_F32 || type == QUANT_F16 || type == QUANT_BF16) v &= 0xbcffbcff;
        memcpy(p + i, &v, 4);
    }
    uint16_t d = f32_to_f16(0.01f);
    for (size_t i = 0; quant_block(type) > 1 && i < bytes; i += block) {
        if (type == QUANT_Q6_K) memcpy(p + i + block - 2, &d, 2);
        else memcpy(p + i, &d, 2);
        if (type == QUANT_Q4_K || type == QUANT_Q5_K) memcpy(p + i + 2, &d, 2);
    }
}

static void set_clear(struct set *s)
{
    for (int i = 0; i < s->n_mats; i++) mat_clear(&s->m[i]);
    acts_clear(&s->a);
    free(s->x);
    free(s->y);
    *s = (struct set){ 0 };
}

static int set_make(struct set *s, enum quant type, int rows, int cols, size_t least,
                    struct err *err)
{
    size_t one = quant_row_bytes(type, (size_t)cols) * (size_t)rows;
    char *data = malloc(one);
    int rc = data ? acts_init(&s->a, ROWS, cols, err) : err_nomem(err);
    if (rc) goto out;
    fill(type, data, one);
    do {
        struct mat *m = &s->m[s->n_mats];
        rc = mat_init(m, type, rows, cols, data, err);
        if (!rc) rc = mat_pack(m, err);
        if (rc) goto out;
        s->n_mats++;
        s->bytes += mat_packed(m) ? m->packed_bytes : one;
    } while (s->bytes < least && s->n_mats < MOST && mat_packed(s->m));
    s->x = malloc(sizeof(float) * ROWS * (size_t)cols);
    s->y = malloc(sizeof(float) * ROWS * (size_t)rows);
    if (!s->x || !s->y) rc = err_nomem(err);
    for (size_t i = 0; s->x && i < ROWS * (size_t)cols; i++)
        s->x[i] = (float)(int32_t)rnd() / 2147483648.0f;
    if (s->y) memset(s->y, 0, sizeof(float) * ROWS * (size_t)rows);
out:
    if (mat_packed(s->m) || rc) free(data); /* plain matrices go on borrowing it */
    return rc;
}

static void once(void *ud)
{
    struct set *s = ud;
    for (int i = 0; i < s->n_mats; i++) {
        acts_set(&s->a, s->x, s->n, s->m[i].cols);
        mat_mul(&s->m[i], &s->a, s->y, s->m[i].rows);
        if (s->n > 64) return;
    }
}

static int shape(struct bench *b, enum quant type, int rows, int cols, bool cached, struct err *err)
{
    struct set s = { 0 };
    char name[64];
    int rc = set_make(&s, type, rows, cols, (size_t)(cached ? 10 : 192) << 20, err);
    if (rc) goto out;
    double limit = bench_read_rate(s.bytes, b->threads) / 1e9, best = 0;
    s.n = 1;
    bench_time(once, &s, 3, 0.25, &best);
    double one = bench_time(once, &s, 3, 0.25, &best) / s.n_mats;
    snprintf(name, sizeof name, "gemv_%s_%dx%d%s", quant_name(type), rows, cols,
             cached ? "_cached" : "");
    bench_report(b, name, (double)s.bytes / s.n_mats / one / 1e9, "GB/s", limit, BENCH_NONE,
                 "%.1f us", one * 1e6);
    if (cached) goto out;
    s.n = 8;
    double eight = bench_time(once, &s, 3, 0.25, &best) / s.n_mats;
    snprintf(name, sizeof name, "gemm8_%s_%dx%d", quant_name(type), rows, cols);
    bench_report(b, name, 8 * one / eight, "x", 8, BENCH_NONE, "of one row's speed");
    s.n = ROWS;
    double all = bench_time(once, &s, 2, 0.3, &best);
    snprintf(name, sizeof name, "gemm512_%s_%dx%d", quant_name(type), rows, cols);
    limit = quant_block(type) > 1 ? bench_int8_rate(b->threads) : bench_fp32_rate(b->threads);
    bench_report(b, name, 2.0 * ROWS * rows * cols / all / 1e9, "GOPS", limit, BENCH_NONE,
                 "%.1f ms", all * 1e3);
out:
    set_clear(&s);
    return rc;
}

static int shapes(struct bench *b, enum quant type, struct err *err)
{
    static const struct {
        int rows, cols;
        bool cached;
    } all[] = { { 2048, 2048, false },   { 8192, 2048, false }, { 2048, 8192, false },
                { 128256, 2048, false }, { 1536, 576, true },   { 576, 1536, true } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].cols % quant_block(type) || (all[i].rows > 100000 && type != QUANT_Q6_K))
            continue;
        int rc = shape(b, type, all[i].rows, all[i].cols, all[i].cached, err);
        if (rc) return rc;
    }
    return 0;
}

int bench_mat_q8_0(struct bench *b, struct err *err) { return shapes(b, QUANT_Q8_0, err); }
int bench_mat_q4_0(struct bench *b, struct err *err) { return shapes(b, QUANT_Q4_0, err); }
int bench_mat_q4_k(struct bench *b, struct err *err) { return shapes(b, QUANT_Q4_K, err); }
int bench_mat_q5_k(struct bench *b, struct err *err) { return shapes(b, QUANT_Q5_K, err); }
int bench_mat_q6_k(struct bench *b, struct err *err) { return shapes(b, QUANT_Q6_K, err); }
int bench_mat_f16(struct bench *b, struct err *err) { return shapes(b, QUANT_F16, err); }
