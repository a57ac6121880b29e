/* The graph against the exact index: the same cosines to the bit, nearly the same rows; filters,
 * removals, additions, bytes and back, hostile bytes, threads. */
#include "check.h"

#include "base/clock.h"
#include "base/threads.h"
#include "index/graph.h"
#include "index/graph_impl.h"
#include "kernels/kernels.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { COUNTS = 0, N = 1500 };
static atomic_long allocations;
#else
enum { COUNTS = 1, N = 4000 };
static atomic_long allocations;
extern void *__libc_malloc(size_t);
void *malloc(size_t n)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(n);
}
#endif

enum { K = 10 };

static uint64_t seed = 1;

static uint64_t rnd(void)
{
    uint64_t z = seed += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static float gauss(void)
{
    double s = -6;
    for (int i = 0; i < 12; i++) s += (double)(rnd() >> 11) * 0x1p-53;
    return (float)s;
}

/* Clumps of about fifty; kind 1: one cloud; kind 2: few vectors, copied many times. */
static void make(int kind, float *v, int dim, int64_t i)
{
    uint64_t kept = seed;
    seed = 7777 + (uint64_t)(i % (kind == 2 ? 5 : 1 + N / 50));
    for (int j = 0; j < dim; j++) v[j] = kind == 1 ? 0 : gauss();
    seed = 99 + (uint64_t)i * 1000003;
    for (int j = 0; j < dim && kind < 2; j++) v[j] += gauss();
    seed = kept;
}

static struct vectors *fill(int kind, int dim, int64_t from, int64_t to)
{
    float *v = calloc((size_t)dim, sizeof *v);
    struct vectors *ix = vectors_new(dim, NULL);
    for (int64_t i = from; i < to; i++) {
        make(kind, v, dim, i);
        check_int(vectors_add(ix, i, v, NULL), 0);
    }
    free(v);
    return ix;
}

static struct graph *build(const struct vectors *ix)
{
    struct err err = { 0 };
    struct graph *g = graph_new(vectors_dim(ix), &err);
    check_ok(graph_update(g, ix, NULL, &err), err);
    check_int(graph_info(g).live, vectors_count(ix));
    return g;
}

/* Share of the true best that are found, for questions near vectors; every cosine is the exact
 * one, and the order is right. */
static double found(const struct graph *g, const struct vectors *ix, bool (*keep)(void *, int64_t),
                    void *ud, size_t k)
{
    int dim = vectors_dim(ix);
    float *q = calloc((size_t)dim, sizeof *q);
    struct hit *want = calloc(2 * k, sizeof *want), *got = want + k;
    size_t hits = 0, all = 0;
    for (int i = 0; i < 50; i++) {
        const float *near = vectors_get(ix, vectors_id(ix, rnd() % vectors_count(ix)));
        for (int j = 0; j < dim; j++) q[j] = near[j] + 0.5f * gauss() / sqrtf((float)dim);
        size_t n = vectors_search(ix, q, k, keep, ud, want);
        check_int(graph_search(g, ix, q, k, keep, ud, got), n);
        for (size_t a = 0; a < n; a++) {
            if (a && (got[a].score > got[a - 1].score ||
                      (got[a].score == got[a - 1].score && got[a].id <= got[a - 1].id)))
                fail_msg("out of order at %zu", a);
            if (keep) assert_true(keep(ud, got[a].id));
            for (size_t b = 0; b < n; b++)
                if (want[b].id == got[a].id && want[b].score != got[a].score)
                    fail_msg("cosine %.9g, want %.9g", got[a].score, want[b].score);
            hits += got[a].score >= want[n - 1].score;
        }
        all += n;
    }
    free(q);
    free(want);
    return all ? (double)hits / (double)all : 1;
}

static void check_above(double got, double least)
{
    if (!(got >= least)) fail_msg("recall %.4f, want %.4f or more", got, least);
}

static void finds(void **state)
{
    static const int dims[] = { 384, 100, 8, 1 };
    for (size_t d = 0; d < 4; d++)
        for (int kind = 0; kind < 3; kind++) {
            struct vectors *ix = fill(kind, dims[d], 0, N);
            struct graph *g = build(ix);
            double r = found(g, ix, NULL, NULL, K), first = found(g, ix, NULL, NULL, 1);
            print_message("# %d dimensions, kind %d: %.4f, %.4f\n", dims[d], kind, r, first);
            check_above(r, kind == 1 ? 0.9 : 0.95); /* no clump: hardly any is nearer than others */
            check_above(first, 0.95);
            graph_free(g);
            vectors_free(ix);
        }
}

static void every_variant(void **state)
{
    for (const char *const *name = kernels_available(); *name; name++) {
        check_int(kernels_init(*name, NULL), 0);
        struct vectors *ix = fill(0, 130, 0, 800);
        struct graph *g = build(ix);
        check_above(found(g, ix, NULL, NULL, K), 0.97);
        graph_free(g);
        vectors_free(ix);
    }
}

static void small_ones(void **state)
{
    struct err err = { 0 };
    struct hit h[20];
    float q[8] = { 1, 2, 3 };
    for (int n = 1; n < 20; n++) {
        struct vectors *ix = fill(1, 8, 0, n);
        struct graph *g = build(ix);
        check_int(graph_search(g, ix, q, 20, NULL, NULL, h), n);
        check_near(found(g, ix, NULL, NULL, 5), 1, 0);
        q[0] = NAN;
        check_int(graph_search(g, ix, q, 5, NULL, NULL, h), 0);
        q[0] = 1;
        check_int(graph_search(g, ix, q, 0, NULL, NULL, h), 0);
        graph_free(g);
        vectors_free(ix);
    }
    assert_null(graph_new(0, &err));
    check_int(err.code, ERR_INVAL);
    assert_null(graph_new(VECTORS_DIM_MAX + 1, &err));
    struct vectors *ix = fill(1, 8, 0, 0);
    struct graph *g = build(ix);
    check_int(graph_search(g, ix, q, 20, NULL, NULL, h), 0);
    graph_free(g);
    vectors_free(ix);
    ix = fill(1, 8, 0, 3);
    g = graph_new(9, &err);
    check_int(graph_update(g, ix, NULL, &err), ERR_INVAL);
    graph_free(g);
    graph_free(NULL);
    vectors_free(ix);
}

static bool divisible(void *ud, int64_t id) { return id % *(int64_t *)ud == 0; }
static bool one_clump(void *ud, int64_t id) { return id % (1 + N / 50) == 3; }
static bool nothing(void *ud, int64_t id) { return false; }

static void filters(void **state)
{
    struct vectors *ix = fill(0, 64, 0, N);
    struct graph *g = build(ix);
    for (int64_t by = 1; by < 2000; by = by * 3 + 1)
        check_above(found(g, ix, divisible, &by, K), 0.9);
    check_above(found(g, ix, one_clump, NULL, K), 1);
    check_above(found(g, ix, one_clump, NULL, 100), 1);
    check_above(found(g, ix, nothing, NULL, K), 1);
    check_above(found(g, ix, NULL, NULL, N), 1); /* more than a pool holds */
    check_above(found(g, ix, NULL, NULL, 64), 0.9);
    graph_free(g);
    vectors_free(ix);
}

static void removed_and_added(void **state)
{
    struct err err = { 0 };
    struct vectors *ix = fill(0, 64, 0, N);
    struct graph *g = build(ix);
    struct hit h[K];
    float v[64];
    assert_false(graph_remove(g, N));
    for (int64_t i = 0; i < N; i += 10) {
        assert_true(graph_remove(g, i));
        assert_false(graph_remove(g, i));
        check_int(vectors_remove(ix, i), 1);
    }
    assert_false(graph_stale(g));
    check_above(found(g, ix, NULL, NULL, K), 0.95);
    for (int64_t i = 0; i < N; i += 97) {
        make(0, v, 64, i);
        size_t n = graph_search(g, ix, v, K, NULL, NULL, h);
        check_int(n, K);
        for (size_t j = 0; j < n; j++)
            if (h[j].id % 10 == 0) fail_msg("%lld was removed", (long long)h[j].id);
    }
    for (int64_t i = 0; i < N; i += 20) { /* some come back, as others */
        make(0, v, 64, i + 1);
        check_int(vectors_add(ix, i, v, NULL), 0);
    }
    make(0, v, 64, 123456);
    check_int(vectors_add(ix, 5, v, NULL), 0);   /* a changed one */
    check_above(found(g, ix, NULL, NULL, K), 1); /* not linked yet: all are scanned */
    check_ok(graph_update(g, ix, NULL, &err), err);
    check_int(graph_info(g).live, vectors_count(ix));
    check_above(found(g, ix, NULL, NULL, K), 0.95);
    check_int(graph_search(g, ix, v, 1, NULL, NULL, h), 1);
    check_int(h[0].id, 5);
    for (int64_t i = 1; i < N; i += 5) vectors_remove(ix, i);
    check_ok(graph_update(g, ix, NULL, &err), err); /* finds out by itself what is gone */
    check_above(found(g, ix, NULL, NULL, K), 0.95);
    assert_true(graph_stale(g));
    graph_free(g);
    vectors_free(ix);
}

static int stop_at(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    check_str(stage, "index");
    return done >= *(uint64_t *)ud;
}

static void cancelled(void **state)
{
    struct err err = { 0 };
    uint64_t at = N / 2;
    struct progress pr = { stop_at, &at };
    struct vectors *ix = fill(0, 32, 0, N);
    struct graph *g = graph_new(32, &err);
    check_int(graph_update(g, ix, &pr, &err), ERR_CANCEL);
    check_above(found(g, ix, NULL, NULL, K), 1);
    check_ok(graph_update(g, ix, NULL, &err), err);
    check_above(found(g, ix, NULL, NULL, K), 0.95);
    graph_free(g);
    vectors_free(ix);
}

/* ---- bytes ---- */

enum { MOST = 64 };

struct parts {
    struct buf b[MOST];
    unsigned n;
};

static int put(void *ud, unsigned part, const char *p, size_t n)
{
    struct parts *s = ud;
    check_int(part, s->n);
    assert_true(part < MOST);
    s->b[part] = BUF_INIT(0);
    buf_add(&s->b[s->n++], p, n);
    return 0;
}

static int get(void *ud, unsigned part, struct buf *out)
{
    struct parts *s = ud;
    if (part >= s->n) return ERR_NOTFOUND;
    return buf_add(out, s->b[part].p, s->b[part].n);
}

static void parts_free(struct parts *s)
{
    for (unsigned i = 0; i < s->n; i++) buf_free(&s->b[i]);
    s->n = 0;
}

static void same_bytes(const struct parts *a, const struct parts *b)
{
    check_int(a->n, b->n);
    for (unsigned i = 0; i < a->n; i++) {
        check_int(a->b[i].n, b->b[i].n);
        assert_memory_equal(a->b[i].p, b->b[i].p, a->b[i].n);
    }
}

static void saved_and_loaded(void **state)
{
    struct err err = { 0 };
    double recall;
    size_t missing;
    struct parts s = { .n = 0 }, again = { .n = 0 };
    struct vectors *ix = fill(0, 96, 0, N);
    struct graph *g = build(ix), *h;
    check_ok(graph_tune(g, ix, 0.98, &recall, &err), err);
    check_above(recall, 0.98);
    check_ok(graph_save_parts(g, 20000, put, &s, &err), err);
    assert_true(s.n > 5);
    check_ok(graph_load(ix, get, &s, &h, &missing, &err), err);
    check_int(missing, 0);
    check_ok(graph_save_parts(h, 20000, put, &again, &err), err);
    same_bytes(&s, &again);
    check_int(graph_info(h).ef, graph_info(g).ef);
    check_int(graph_info(h).built_at, graph_info(g).built_at);
    check_near(graph_info(h).recall, recall, 1e-6);
    check_above(found(h, ix, NULL, NULL, K), 0.95);
    graph_free(h);
    parts_free(&again);

    for (int64_t i = 0; i < N; i += 6) vectors_remove(ix, i); /* gone, and other ones */
    float v[96];
    for (int64_t i = 1; i < N; i += 60) make(0, v, 96, i + 7), vectors_add(ix, i, v, NULL);
    for (int64_t i = N; i < N + 50; i++) make(0, v, 96, i), vectors_add(ix, i, v, NULL);
    check_ok(graph_load(ix, get, &s, &h, &missing, &err), err);
    check_int(graph_info(h).dead, 0);
    check_int(graph_info(h).live + missing, vectors_count(ix));
    check_int(missing, 50 + (N + 58) / 60);
    check_above(found(h, ix, NULL, NULL, K), 1); /* scans: some are missing */
    check_ok(graph_update(h, ix, NULL, &err), err);
    check_int(graph_info(h).live, vectors_count(ix));
    check_above(found(h, ix, NULL, NULL, K), 0.95);
    graph_free(h);

    s.n--; /* the last part is not there */
    check_int(graph_load(ix, get, &s, &h, &missing, &err), ERR_NOTFOUND);
    assert_null(h);
    s.n++;
    struct vectors *other = fill(0, 95, 0, 10);
    check_int(graph_load(other, get, &s, &h, &missing, &err), ERR_PARSE);
    parts_free(&s);
    graph_free(g);
    vectors_free(ix);
    vectors_free(other);
}

static void hostile(void **state)
{
    struct err err = { 0 };
    size_t missing, parsed = 0;
    struct parts s = { .n = 0 };
    struct vectors *ix = fill(0, 8, 0, 60);
    struct graph *g = build(ix), *h;
    check_ok(graph_save_parts(g, 2000, put, &s, &err), err);
    assert_true(s.n > 1);
    for (unsigned p = 0; p < s.n; p++)
        for (size_t cut = 0; cut < s.b[p].n; cut++) {
            size_t whole = s.b[p].n;
            s.b[p].n = cut;
            check_int(graph_load(ix, get, &s, &h, &missing, &err) != 0, 1);
            s.b[p].n = whole;
        }
    for (int i = 0; i < (COUNTS ? 20000 : 2000); i++) {
        struct buf *b = &s.b[rnd() % s.n];
        size_t at = rnd() % (rnd() % 2 ? 48 : b->n);
        char was = b->p[at];
        b->p[at] = (char)(rnd() % 3 ? rnd() : 255);
        if (!graph_load(ix, get, &s, &h, &missing, &err)) {
            check_above(found(h, ix, NULL, NULL, 3), 0); /* answers, in full */
            parsed += !graph_update(h, ix, NULL, &err);
            check_int(graph_info(h).live, 60);
            graph_free(h);
        } else if (err.code != ERR_PARSE && err.code != ERR_NOTFOUND)
            fail_msg("%d: %s", err.code, err.msg);
        b->p[at] = was;
    }
    assert_true(parsed > 10);
    parts_free(&s);
    graph_free(g);
    vectors_free(ix);
}

/* ---- threads ---- */

static void same_each_time(void **state)
{
    struct err err = { 0 };
    struct parts a = { .n = 0 }, b = { .n = 0 };
    threads_set(1);
    struct vectors *ix = fill(0, 32, 0, 1000);
    for (int i = 0; i < 2; i++) {
        struct graph *g = build(ix);
        check_ok(graph_save(g, put, i ? &b : &a, &err), err);
        graph_free(g);
    }
    same_bytes(&a, &b);
    parts_free(&a);
    parts_free(&b);
    vectors_free(ix);
    threads_set(4);
}

struct shared {
    const struct graph *g;
    const struct vectors *ix;
};

static void *searcher(void *ud)
{
    const struct shared *s = ud;
    struct hit first[K], h[K];
    int64_t by = 3;
    const float *q = vectors_get(s->ix, 17);
    if (graph_search(s->g, s->ix, q, K, NULL, NULL, first) != K) return "count";
    for (int i = 0; i < 200; i++) {
        if (graph_search(s->g, s->ix, q, K, divisible, &by, h) != K) return "count";
        if (graph_search(s->g, s->ix, q, K, NULL, NULL, h) != K) return "count";
        for (int j = 0; j < K; j++)
            if (h[j].id != first[j].id || h[j].score != first[j].score) return "differs";
    }
    return NULL;
}

static void side_by_side(void **state)
{
    struct vectors *ix = fill(0, 64, 0, N);
    struct graph *g = build(ix);
    struct shared s = { g, ix };
    pthread_t t[4];
    for (int i = 0; i < 4; i++) check_int(pthread_create(&t[i], NULL, searcher, &s), 0);
    for (int i = 0; i < 4; i++) {
        void *said;
        pthread_join(t[i], &said);
        if (said) fail_msg("%s", (char *)said);
    }
    long before = atomic_load(&allocations);
    assert_null(searcher(&s));
    check_int(atomic_load(&allocations) - before, 0);
    graph_free(g);
    vectors_free(ix);
}

int main(void)
{
    kernels_init(NULL, NULL);
    threads_set(4);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(small_ones),        cmocka_unit_test(finds),
        cmocka_unit_test(every_variant),     cmocka_unit_test(filters),
        cmocka_unit_test(removed_and_added), cmocka_unit_test(cancelled),
        cmocka_unit_test(saved_and_loaded),  cmocka_unit_test(hostile),
        cmocka_unit_test(same_each_time),    cmocka_unit_test(side_by_side),
    };
    int rc = check_run("index/graph", t);
    threads_stop();
    return rc;
}
