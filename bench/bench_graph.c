/* Approximate search: building the graph, questions a second on one thread, recall and memory.
 *
 * The vectors are drawn as in bench_search.c: around centres, each a centre and noise as long as
 * it, so that two of a cluster have a cosine of about 0.5 and the ten nearest are hardly nearer
 * than the hundred nearest; questions lie near a vector that is there. Recall is that of the best
 * ten against the exact index, which is itself held to a scan in f64 by `search_top5_*`. */
#include "bench.h"

#include "base/clock.h"
#include "base/threads.h"
#include "index/graph.h"

#include <stdlib.h>
#include <string.h>

enum { DIM = 384, TOP = 10, QUERIES = 1000 };

struct world {
    struct vectors *ix;
    struct graph *g;
    size_t n, centres;
    float *centre, (*q)[DIM];
    struct hit (*truth)[TOP];
    struct hit got[TOP];
    size_t next;
    void *peer;
    int peer_ef;
};

static int draw(struct world *w, struct err *err)
{
    float v[DIM];
    bench_seed(20 + w->n);
    w->centre = malloc(w->centres * DIM * sizeof *w->centre);
    w->q = malloc(QUERIES * sizeof *w->q);
    w->truth = malloc(QUERIES * sizeof *w->truth);
    if (!w->centre || !w->q || !w->truth) return err_nomem(err);
    for (size_t i = 0; i < w->centres * DIM; i++) w->centre[i] = bench_gauss();
    if (!(w->ix = vectors_new(DIM, err))) return err->code;
    int rc = vectors_reserve(w->ix, w->n, err);
    for (size_t i = 0; !rc && i < w->n; i++) {
        const float *c = w->centre + bench_random() % w->centres * DIM;
        for (int j = 0; j < DIM; j++) v[j] = c[j] + bench_gauss();
        rc = vectors_add(w->ix, (int64_t)i, v, err);
    }
    for (int i = 0; !rc && i < QUERIES; i++) {
        const float *near = vectors_get(w->ix, (int64_t)(bench_random() % w->n));
        for (int j = 0; j < DIM; j++) w->q[i][j] = near[j] + 0.03f * bench_gauss();
    }
    return rc;
}

static void clear(struct world *w)
{
    graph_free(w->g);
    vectors_free(w->ix);
    free(w->centre);
    free(w->q);
    free(w->truth);
}

static double recall(struct world *w)
{
    size_t found = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        graph_search(w->g, w->ix, w->q[i], TOP, NULL, NULL, w->got);
        for (int j = 0; j < TOP; j++) found += w->got[j].score >= w->truth[i][TOP - 1].score;
    }
    return (double)found / (TOP * QUERIES);
}

static void ask(void *ud)
{
    struct world *w = ud;
    graph_search(w->g, w->ix, w->q[w->next++ % QUERIES], TOP, NULL, NULL, w->got);
}

static const float *row(void *ud, size_t i)
{
    return vectors_get(((struct world *)ud)->ix, (int64_t)i);
}

static void ask_peer(void *ud)
{
    struct world *w = ud;
    float scores[TOP];
    long long ids[TOP];
    bench_hnsw_search(w->peer, w->q[w->next++ % QUERIES], TOP, w->peer_ef, scores, ids);
}

/* libhnswlib with the same M, at the first of its ef that finds as much; questions a second. */
static double peer(struct world *w)
{
    double from = clock_mono(), rate = BENCH_NONE;
    if (!(w->peer = bench_hnsw_new(DIM, w->n, row, w, 16, 100))) return rate;
    double built = clock_mono() - from, found = 0;
    for (w->peer_ef = 32; found < 0.98 && w->peer_ef <= 2048; w->peer_ef *= 2) {
        size_t hits = 0;
        for (size_t i = 0; i < QUERIES; i++) {
            float scores[TOP];
            long long ids[TOP];
            bench_hnsw_search(w->peer, w->q[i], TOP, w->peer_ef, scores, ids);
            for (int a = 0; a < TOP; a++)
                for (int j = 0; j < TOP; j++) hits += ids[a] == w->truth[i][j].id;
        }
        found = (double)hits / (TOP * QUERIES);
        rate = 1 / bench_time(ask_peer, w, 200, 0.5, NULL);
        bench_note("libhnswlib: ef %d recall@10 %.4f, %.0f a second, built in %.1f s on 1",
                   w->peer_ef, found, rate, built);
    }
    bench_hnsw_free(w->peer);
    return rate;
}

static int ticks(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    double *last = ud;
    if (clock_mono() - *last > 20)
        bench_note("%s: %llu of %llu %s", stage, (unsigned long long)done,
                   (unsigned long long)total, unit),
            *last = clock_mono();
    return 0;
}

static void report(struct bench *b, struct world *w, const char *name, double built, double peer)
{
    static const int ef[] = { 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024 };
    double found = 0, best = 0;
    for (size_t i = 0; i < sizeof ef / sizeof *ef; i++) {
        graph_set_ef(w->g, ef[i]);
        found = recall(w);
        double took = bench_time(ask, w, QUERIES, 0.5, NULL);
        bench_note("%s: ef %d recall@10 %.4f, %.0f a second", name, ef[i], found, 1 / took);
        best = 1 / took;
        if (found >= 0.98) break;
    }
    struct graph_info in = graph_info(w->g);
    bench_report(
        b, name, best, "1/s", BENCH_NONE, peer,
        "recall@10 %.4f at ef %d, 1 thread; built in %.1f s on %d, %.0f bytes a vector, %zu "
        "seeds",
        found, in.ef, built, b->threads, (double)in.bytes / (double)w->n, in.seeds);
}

static int search(struct bench *b, const char *name, size_t n, bool beside, struct err *err)
{
    struct world w = { .n = n, .centres = 1000 };
    double need = (double)n * DIM * 6.5 + 3e8, last = clock_mono();
    if ((double)bench_memory_free() < need) {
        bench_note("%s: skipped, needs %.1f GB of memory", name, need / 1e9);
        return 0;
    }
    struct progress pr = { ticks, &last };
    int rc = draw(&w, err);
    for (int i = 0; !rc && i < QUERIES; i++)
        vectors_search(w.ix, w.q[i], TOP, NULL, NULL, w.truth[i]);
    if (!rc && !(w.g = graph_new(DIM, err))) rc = err->code;
    double from = clock_mono();
    if (!rc) rc = graph_update(w.g, w.ix, &pr, err);
    double built = clock_mono() - from;
    if (!rc) report(b, &w, name, built, beside ? peer(&w) : BENCH_NONE);
    clear(&w);
    return rc;
}

int bench_graph_100k(struct bench *b, struct err *err)
{
    return search(b, "search_hnsw_100k", 100000, true, err);
}

int bench_graph_200k(struct bench *b, struct err *err)
{
    return search(b, "search_hnsw_200k", 200000, false, err);
}

int bench_graph_1m(struct bench *b, struct err *err)
{
    return search(b, "search_hnsw_1m", 1000000, false, err);
}
