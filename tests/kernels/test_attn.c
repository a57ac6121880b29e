/* attn.h against attention in double, for every variant, cache type and many shapes; and the
 * promise that a row's bits do not depend on the rows computed beside it. */
#include "check.h"

#include "base/threads.h"
#include "kernels/attn.h"
#include "kernels/kernels.h"

#include <math.h>

static uint64_t seed = 88172645463325252u;

static float rnd_f(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (float)(uint32_t)(seed >> 16) / 2147483648.0f - 1;
}

static void *fresh(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    assert_non_null(p);
    memset(p, 0xff, bytes); /* NaN, so that what was not put shows */
    return p;
}

static float *fresh_f(size_t n) { return fresh(n * sizeof(float)); }

static float *randoms(size_t n, float size)
{
    float *x = fresh_f(n);
    for (size_t i = 0; i < n; i++) x[i] = size * rnd_f();
    return x;
}

/* One head of one query over positions [lo, hi) of k and v, in double. */
static void want_row(const struct attn_shape *s, const float *q, const float *k, const float *v,
                     size_t stride, int lo, int hi, double *out)
{
    double most = -INFINITY, total = 0, *p = malloc((size_t)hi * sizeof *p);
    for (int j = lo; j < hi; j++) {
        p[j] = 0;
        for (int d = 0; d < s->head_dim; d++)
            p[j] += (double)q[d] * k[(size_t)j * stride + (size_t)d];
        p[j] *= s->scale;
        if (s->softcap > 0) p[j] = s->softcap * tanh(p[j] / s->softcap);
        if (p[j] > most) most = p[j];
    }
    for (int d = 0; d < s->head_dim; d++) out[d] = 0;
    for (int j = lo; j < hi; j++) {
        p[j] = exp(p[j] - most);
        total += p[j];
        for (int d = 0; d < s->head_dim; d++) out[d] += p[j] * v[(size_t)j * stride + (size_t)d];
    }
    for (int d = 0; d < s->head_dim; d++) out[d] /= total;
    free(p);
}

/* What each variant must come within: the cache rounds keys and values. */
static double slack(const struct attn_shape *s, float size)
{
    if (s->type == QUANT_F32) return 1e-5;
    double bits = s->type == QUANT_F16 ? 5e-4 : 5e-3; /* of a number of about 1 */
    return bits * 2 + bits * size * size * s->scale * sqrt(s->head_dim) * 2;
}

struct seq {
    float *q, *k, *v, *out;
    void *cache;
    int cap, len;
};

static struct seq seq_new(const struct attn_shape *s, int len, int cap, float size)
{
    size_t wide = (size_t)(s->heads * s->head_dim), kv = (size_t)(s->heads_kv * s->head_dim);
    struct seq q = { .len = len, .cap = cap };
    q.q = randoms((size_t)len * wide, size);
    q.k = randoms((size_t)len * kv, size);
    q.v = randoms((size_t)len * kv, 1);
    q.out = fresh_f((size_t)len * wide);
    q.cache = fresh(attn_cache_bytes(s, cap));
    int half = len / 2; /* in two slices */
    attn_cache_put(s, q.cache, cap, 0, half, q.k, q.v, (int)kv);
    attn_cache_put(s, q.cache, cap, half, len - half, q.k + (size_t)half * kv,
                   q.v + (size_t)half * kv, (int)kv);
    return q;
}

static void seq_free(struct seq *q)
{
    free(q->q), free(q->k), free(q->v), free(q->out), free(q->cache);
}

static struct attn_row row_of(const struct attn_shape *s, const struct seq *q, int pos, float *out)
{
    size_t at = (size_t)pos * (size_t)(s->heads * s->head_dim);
    return (struct attn_row){ q->q + at, out + at, q->cache, q->cap, pos };
}

static void check_seq(const struct attn_shape *s, const struct seq *q, const float *out, double tol)
{
    size_t dim = (size_t)s->head_dim, kv = (size_t)s->heads_kv * dim;
    double want[1024];
    for (int i = 0; i < q->len; i += i < 5 || i > q->len - 5 ? 1 : 3)
        for (int h = 0; h < s->heads; h++) {
            size_t at = ((size_t)i * (size_t)s->heads + (size_t)h) * dim;
            size_t head = (size_t)(h / (s->heads / s->heads_kv)) * dim;
            int lo = s->window > 0 && i >= s->window ? i - s->window + 1 : 0;
            want_row(s, q->q + at, q->k + head, q->v + head, kv, lo, i + 1, want);
            for (size_t d = 0; d < dim; d++) check_near(out[at + d], want[d], tol);
        }
}

/* All rows at once, then each alone, then in odd slices: one set of bits, and the right one. */
static void check_shape(const struct attn_shape *s, int len, float size)
{
    struct seq q = seq_new(s, len, len + 3, size);
    size_t n = (size_t)len * (size_t)(s->heads * s->head_dim);
    float *alone = fresh_f(n), *odd = fresh_f(n);
    void *scratch = fresh(attn_scratch_bytes(s, len, threads_count()));
    struct attn_row *rows = malloc((size_t)len * sizeof *rows);
    for (int i = 0; i < len; i++) rows[i] = row_of(s, &q, i, q.out);
    attn_rows(s, rows, len, scratch);
    check_seq(s, &q, q.out, slack(s, size));
    for (int i = 0; i < len; i++) {
        struct attn_row r = row_of(s, &q, i, alone);
        attn_rows(s, &r, 1, scratch);
    }
    assert_memory_equal(alone, q.out, n * sizeof *alone);
    for (int i = 0; i < len; i++) rows[i] = row_of(s, &q, i, odd);
    for (int i = 0, step = 1; i < len; i += step, step = step % 7 + 1)
        attn_rows(s, rows + i, len - i < step ? len - i : step, scratch);
    assert_memory_equal(odd, q.out, n * sizeof *odd);
    free(alone), free(odd), free(scratch), free(rows);
    seq_free(&q);
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

static const enum quant types[] = { QUANT_F32, QUANT_F16, QUANT_Q8_0 };

static void shapes_of(void)
{
    static const struct {
        int heads, kv, dim, len, window;
        float softcap, size;
    } t[] = {
        { 1, 1, 32, 1, 0, 0, 1 },    { 4, 1, 32, 65, 0, 0, 1 },   { 8, 2, 64, 131, 0, 0, 2 },
        { 3, 3, 96, 70, 0, 30, 4 },  { 6, 2, 128, 80, 0, 50, 1 }, { 4, 4, 64, 200, 37, 0, 1 },
        { 7, 1, 64, 150, 64, 0, 1 }, { 2, 1, 256, 66, 1, 0, 1 },  { 40, 1, 32, 33, 0, 0, 1 },
        { 9, 3, 64, 128, 0, 0, 1 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (size_t j = 0; j < 3; j++) {
            struct attn_shape s = { t[i].heads,   t[i].kv,     t[i].dim, 1 / sqrtf((float)t[i].dim),
                                    t[i].softcap, t[i].window, types[j] };
            check_shape(&s, t[i].len, t[i].size);
        }
    for (int dim = 1; dim < 50; dim += 5) /* not a multiple of 16 */
        for (size_t j = 0; j < 2; j++) {
            struct attn_shape s = { 2, 1, dim, 0.3f, 0, 0, types[j] };
            check_shape(&s, 19, 1);
        }
}

static void shapes(void **state) { each(shapes_of); }

/* Rows of several sequences in one call are those of each sequence alone. */
static void batch_of(void)
{
    struct attn_shape s = { 4, 2, 64, 0.125f, 0, 0, QUANT_F16 };
    enum { SEQS = 5 };
    struct seq q[SEQS];
    struct attn_row rows[64];
    int n = 0;
    void *scratch = fresh(attn_scratch_bytes(&s, 200, threads_count()));
    for (int i = 0; i < SEQS; i++) {
        q[i] = seq_new(&s, 40 * i + 3, 256, 1);
        for (int p = q[i].len > 6 ? q[i].len - 6 : 0; p < q[i].len; p += i == 3 ? 6 : 1)
            rows[n++] = row_of(&s, &q[i], p, q[i].out);
    }
    attn_rows(&s, rows, n, scratch);
    for (int i = 0; i < n; i++) {
        float out[256];
        struct attn_row r = rows[i];
        r.out = out;
        attn_rows(&s, &r, 1, scratch);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
    attn_rows(&s, rows, 0, scratch);
    for (int i = 0; i < SEQS; i++) seq_free(&q[i]);
    free(scratch);
}

static void batch(void **state) { each(batch_of); }

/* Scores of thousands must not overflow, and numbers that f16 lacks are kept as its largest. */
static void extremes_of(void)
{
    for (size_t j = 0; j < 3; j++) {
        struct attn_shape s = { 1, 1, 32, 100, 0, 0, types[j] };
        struct seq q = seq_new(&s, 90, 90, 10);
        float out[90 * 32];
        void *scratch = fresh(attn_scratch_bytes(&s, 90, threads_count()));
        for (int i = 0; i < 90; i++) {
            struct attn_row r = row_of(&s, &q, i, out);
            attn_rows(&s, &r, 1, scratch);
            for (int d = 0; d < 32; d++) assert_true(fabsf(r.out[d]) <= 1.01f);
        }
        float k[32] = { 0 }, v[32], o[32];
        for (int d = 0; d < 32; d++) v[d] = d % 2 ? 1e30f : -1e30f;
        attn_cache_put(&s, q.cache, 90, 0, 1, k, v, 32);
        struct attn_row r = { q.q, o, q.cache, 90, 0 };
        attn_rows(&s, &r, 1, scratch);
        for (int d = 0; d < 32; d++) assert_true(isfinite(o[d]) && fabsf(o[d]) > 65000);
        free(scratch);
        seq_free(&q);
    }
}

static void extremes(void **state) { each(extremes_of); }

/* After cutting the middle the rest is where it would be had the middle never been there. */
static void move_of(void)
{
    for (size_t j = 0; j < 3; j++) {
        struct attn_shape s = { 2, 2, 32, 0.2f, 0, 0, types[j] };
        enum { LEN = 150, KV = 64 };
        struct seq q = seq_new(&s, LEN, 160, 1);
        void *other = fresh(attn_cache_bytes(&s, 160));
        attn_cache_put(&s, other, 160, 0, 21, q.k, q.v, KV);
        attn_cache_put(&s, other, 160, 21, LEN - 58, q.k + 58 * KV, q.v + 58 * KV, KV);
        attn_cache_move(&s, q.cache, 160, 58, 21, LEN - 58);
        attn_cache_move(&s, q.cache, 160, 5, 2, 0);
        float a[64], b[64];
        void *scratch = fresh(attn_scratch_bytes(&s, LEN, threads_count()));
        struct attn_row ra = { q.q, a, q.cache, 160, LEN - 58 + 20 };
        struct attn_row rb = { q.q, b, other, 160, LEN - 58 + 20 };
        attn_rows(&s, &ra, 1, scratch);
        attn_rows(&s, &rb, 1, scratch);
        assert_memory_equal(a, b, sizeof a);
        free(scratch), free(other);
        seq_free(&q);
    }
}

static void move(void **state) { each(move_of); }

static void full_shape(int heads, int kv, int dim, int window)
{
    static const int len[] = { 1, 17, 200, 64, 3, 0, 300, 65 };
    enum { SEQS = sizeof len / sizeof *len };
    struct attn_shape s = { heads, kv, dim, 1 / sqrtf((float)dim), 0, window, QUANT_F32 };
    int total = 0, wide = heads * dim, stride = wide + 2 * kv * dim;
    for (int i = 0; i < SEQS; i++) total += len[i];
    float *qkv = randoms((size_t)(total * stride), 2), *out = fresh_f((size_t)(total * wide));
    float *k = qkv + wide, *v = k + kv * dim;
    void *scratch = fresh(attn_full_scratch_bytes(&s, 300, threads_count()));
    attn_full(&s, qkv, k, v, stride, out, len, SEQS, scratch);
    for (int i = 0, at = 0; i < SEQS; at += len[i++]) {
        for (int p = 0; p < len[i]; p += 3)
            for (int h = 0; h < heads; h++) {
                double want[256];
                size_t first = (size_t)(at * stride + h / (heads / kv) * dim);
                int lo = window && p >= window ? p - window + 1 : 0;
                int hi = window && p + window < len[i] ? p + window : len[i];
                want_row(&s, qkv + (size_t)((at + p) * stride + h * dim), k + first, v + first,
                         (size_t)stride, lo, hi, want);
                for (int d = 0; d < dim; d++)
                    check_near(out[(at + p) * wide + h * dim + d], want[d], 1e-5);
            }
        if (!len[i]) continue;
        float *alone = fresh_f((size_t)(len[i] * wide));
        size_t first = (size_t)at * (size_t)stride;
        attn_full(&s, qkv + first, k + first, v + first, stride, alone, &len[i], 1, scratch);
        assert_memory_equal(alone, out + at * wide, (size_t)(len[i] * wide) * sizeof *out);
        free(alone);
    }
    free(qkv), free(out), free(scratch);
}

static void full_of(void)
{
    full_shape(12, 12, 32, 0);
    full_shape(4, 2, 64, 0);
    full_shape(2, 2, 7, 0);
    full_shape(3, 3, 64, 50);
}

static void full(void **state) { each(full_of); }

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(shapes), cmocka_unit_test(batch), cmocka_unit_test(extremes),
        cmocka_unit_test(move),   cmocka_unit_test(full),
    };
    threads_set(3);
    int failed = check_run("kernels/attn", t);
    threads_stop();
    return failed;
}
