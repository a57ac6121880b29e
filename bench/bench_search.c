/* Search: vectors at three sizes, the kernels under them, and keywords.
 *
 * Vectors are drawn as embeddings of real text lie: around 1,000 centres, each vector a centre and
 * noise of its own, queries near a vector that is there; and, as the other extreme, spread evenly
 * ("_random"), where the best are hardly better than the rest. The limit is the time in which as
 * many threads as the search uses read as many bytes as its scan reads, from a buffer of that
 * size, in the same run. Recall is counted against a full scan in f64. */
#include "bench.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/threads.h"
#include "index/bm25.h"
#include "index/vectors.h"
#include "kernels/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 384, TOP = 5, CENTRES = 1000, QUERIES = 64 };

struct world {
    struct vectors *ix;
    size_t n;
    bool clustered;
    float *centres; /* [CENTRES, DIM] */
    float q[QUERIES][DIM];
    int next;
    void *faiss;
    struct hit got[TOP];
};

/* Noise as long as the centre: vectors of one cluster have a cosine of about 0.5. */
static void draw(const struct world *w, float *v)
{
    const float *c = w->centres + bench_random() % CENTRES * DIM;
    for (int j = 0; j < DIM; j++) v[j] = (w->clustered ? c[j] : 0) + bench_gauss();
}

static const float *row(void *ud, size_t i)
{
    return vectors_get(((struct world *)ud)->ix, (int64_t)i);
}

static int build(struct world *w, struct err *err)
{
    float v[DIM];
    bench_seed(20 + w->n);
    if (!(w->centres = malloc(CENTRES * DIM * sizeof *w->centres))) return err_nomem(err);
    for (size_t i = 0; i < CENTRES * DIM; i++) w->centres[i] = bench_gauss();
    if (!(w->ix = vectors_new(DIM, err))) return err->code;
    int rc = vectors_reserve(w->ix, w->n, err);
    for (size_t i = 0; !rc && i < w->n; i++) {
        draw(w, v);
        rc = vectors_add(w->ix, (int64_t)i, v, err);
    }
    for (int i = 0; !rc && i < QUERIES; i++) {
        const float *near = row(w, bench_random() % w->n);
        for (int j = 0; j < DIM; j++)
            w->q[i][j] = w->clustered ? near[j] + 0.03f * bench_gauss() : bench_gauss();
    }
    return rc;
}

static void clear(struct world *w)
{
    vectors_free(w->ix);
    bench_faiss_free(w->faiss);
    free(w->centres);
    *w = (struct world){ 0 };
}

static void search_ours(void *ud)
{
    struct world *w = ud;
    vectors_search(w->ix, w->q[w->next++ % QUERIES], TOP, NULL, NULL, w->got);
}

static void search_faiss(void *ud)
{
    struct world *w = ud;
    float scores[TOP];
    long long ids[TOP];
    bench_faiss_search(w->faiss, w->q[w->next++ % QUERIES], TOP, scores, ids);
}

/* The share of the true best that were found. `got` better than the fifth true score counts. */
static double recall(struct world *w, int queries)
{
    int found = 0;
    for (int i = 0; i < queries; i++) {
        double best[TOP] = { -2, -2, -2, -2, -2 }, norm = 0;
        for (int j = 0; j < DIM; j++) norm += (double)w->q[i][j] * w->q[i][j];
        norm = sqrt(norm);
        for (size_t r = 0; r < w->n; r++) {
            const float *v = row(w, r);
            double s = 0;
            for (int j = 0; j < DIM; j++) s += (double)v[j] * w->q[i][j];
            s /= norm;
            for (int j = 0; j < TOP; j++)
                if (s > best[j]) {
                    double t = best[j];
                    best[j] = s;
                    s = t;
                }
        }
        vectors_search(w->ix, w->q[i], TOP, NULL, NULL, w->got);
        for (int j = 0; j < TOP; j++) found += (double)w->got[j].score >= best[TOP - 1] - 1e-6;
    }
    return (double)found / (TOP * queries);
}

/* Ours and the limit are measured in turns, so that a busy moment meets both, and by one
 * yardstick: the median of the calmest turn. */
static void measure(struct bench *b, struct world *w, const char *name, double peer)
{
    size_t bytes = vectors_scan_bytes(w->ix);
    int threads = vectors_scan_threads(w->ix);
    double rate = 0, best = 1e9, typical = 1e9;
    for (int i = 0; i < 8; i++) {
        double r = bench_read_rate(bytes, threads), once;
        if (r > rate) rate = r;
        typical = fmin(typical, bench_time(search_ours, w, 10, 0.2, &once));
        if (once < best) best = once;
    }
    double found = recall(w, w->n > 200000 ? 4 : 20);
    bench_report(b, name, typical * 1e3, "ms", (double)bytes / rate * 1e3, peer,
                 "recall@5 %.3f, best %.4g ms, %d thread%s, %.1f of %.1f GB/s", found, best * 1e3,
                 threads, threads > 1 ? "s" : "", (double)bytes / typical / 1e9, rate / 1e9);
}

static int search(struct bench *b, const char *name, size_t n, struct err *err)
{
    struct world w = { .n = n, .clustered = true };
    char other[64];
    snprintf(other, sizeof other, "%s_random", name);
    double need = (double)n * DIM * 4 * 2.6 + 3e8, peer = BENCH_NONE;
    if ((double)bench_memory_free() < need) {
        bench_note("%s: skipped, needs %.1f GB of memory", name, need / 1e9);
        return 0;
    }
    int rc = build(&w, err);
    if (!rc) w.faiss = bench_faiss_new(DIM, n, row, &w, b->threads);
    if (!rc && w.faiss) {
        peer = 1e9;
        for (int i = 0; i < 3; i++)
            peer = fmin(peer, bench_time(search_faiss, &w, 5, 0.3, NULL) * 1e3);
        bench_faiss_free(w.faiss);
        w.faiss = NULL;
    }
    if (!rc) measure(b, &w, name, peer);
    clear(&w);
    w = (struct world){ .n = n };
    if (!rc) rc = build(&w, err);
    if (!rc) measure(b, &w, other, peer);
    clear(&w);
    return rc;
}

int bench_search_10k(struct bench *b, struct err *err)
{
    return search(b, "search_top5_10k", 10000, err);
}

int bench_search_100k(struct bench *b, struct err *err)
{
    return search(b, "search_top5_100k", 100000, err);
}

int bench_search_1m(struct bench *b, struct err *err)
{
    return search(b, "search_top5_1m", 1000000, err);
}

struct kernel_run {
    struct kernels k;
    int8_t *rows;
    int8_t q[DIM];
    int32_t out[512];
    float *x;
    float sum;
};
enum { K_ROWS = 512 }; /* 192 KiB of codes: the second-level cache holds them */

static void run_scan(void *ud)
{
    struct kernel_run *r = ud;
    r->k.scan_i8(r->rows, K_ROWS, DIM, r->q, r->out);
}

static void run_dot(void *ud)
{
    struct kernel_run *r = ud;
    for (size_t i = 0; i < 100; i++) r->sum += r->k.dot_f32(r->x, r->x + i * DIM, DIM);
}

int bench_kernels(struct bench *b, struct err *err)
{
    struct kernel_run r = { .sum = 0 };
    r.rows = aligned_alloc(64, K_ROWS * DIM);
    r.x = aligned_alloc(64, 100 * DIM * sizeof *r.x);
    int rc = r.rows && r.x ? 0 : err_nomem(err);
    for (size_t i = 0; !rc && i < K_ROWS * DIM; i++)
        r.rows[i] = (int8_t)(bench_random() % 255 - 127);
    for (size_t i = 0; !rc && i < DIM; i++) r.q[i] = (int8_t)(bench_random() % 255 - 127);
    for (size_t i = 0; !rc && i < 100 * DIM; i++) r.x[i] = bench_gauss();
    double limit = rc ? 0 : bench_read_rate(K_ROWS * DIM, 1) / 1e9, scan0 = NAN, dot0 = NAN;
    for (const char *const *n = kernels_available(); !rc && *n; n++) {
        char name[64];
        rc = kernels_get(*n, &r.k, err);
        if (rc) break;
        double scan = K_ROWS * DIM / bench_time(run_scan, &r, 100, 0.2, NULL) / 1e9;
        double dot = 100.0 * DIM * 4 / bench_time(run_dot, &r, 100, 0.2, NULL) / 1e9;
        snprintf(name, sizeof name, "scan_i8_%s", *n);
        bench_report(b, name, scan, "GB/s", limit, scan0, "%s", "1 thread; peer: generic");
        snprintf(name, sizeof name, "dot_f32_%s", *n);
        bench_report(b, name, dot, "GB/s", limit, dot0, "%s", "1 thread; peer: generic");
        if (n == kernels_available()) scan0 = scan, dot0 = dot;
    }
    free(r.rows);
    free(r.x);
    return rc;
}

struct keyword_run {
    struct bm25 *b;
    struct bm25_term t[8];
    size_t n;
    struct hit h[50];
};

static void run_bm25(void *ud)
{
    struct keyword_run *r = ud;
    bm25_search(r->b, r->t, r->n, 50, NULL, NULL, r->h, NULL);
}

int bench_bm25(struct bench *b, struct err *err)
{
    struct keyword_run r = { .b = bm25_new(err) };
    struct buf text = BUF_INIT(0);
    double words = 0, took = 0;
    int rc = r.b ? 0 : err->code;
    for (int64_t d = 0; !rc && d < 5000; d++) {
        buf_clear(&text);
        for (int i = 0; i < 512; i++)
            buf_printf(&text, "w%u ", (unsigned)(bench_random() % (bench_random() % 30000 + 1)));
        double from = clock_mono();
        rc = bm25_add(r.b, d, buf_str(&text), text.n, 1, err);
        took += clock_mono() - from;
        words += 512;
    }
    if (!rc) {
        const char *question = "w1 w5 w17 w80 w300 w900 w4000 w20000";
        r.n = bm25_terms(question, strlen(question), r.t, 8);
        double ms = bench_time(run_bm25, &r, 100, 0.5, NULL) * 1e3;
        bench_report(b, "bm25_top50_5k", ms, "ms", BENCH_NONE, BENCH_NONE, "8 terms, %.1f MB",
                     (double)bm25_bytes(r.b) / 1e6);
        bench_report(b, "bm25_add", words / took / 1e6, "Mw/s", BENCH_NONE, BENCH_NONE, "%s",
                     "million words a second, cut and stemmed");
    }
    buf_free(&text);
    bm25_free(r.b);
    return rc;
}
