/* vectors_search against a full scan: equal to the last bit to one with the same dot product, and
 * equal to one in f64 but for near ties. Over many kinds of data, with filters, removals, copies
 * and threads. malloc is replaced to count, so that "search allocates nothing" is tested, not
 * claimed. */
#include "check.h"

#include "base/threads.h"
#include "index/vectors.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

/* Counting is left out under sanitizers, which have their own malloc. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS 0
static atomic_long allocations, fail_malloc;
#else
#define COUNTS 1
static atomic_long allocations, fail_malloc;
extern void *__libc_malloc(size_t);
void *malloc(size_t n)
{
    atomic_fetch_add(&allocations, 1);
    if (atomic_load(&fail_malloc)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(n);
}
#endif

static uint64_t seed = 1;

static double uniform(void)
{
    seed += 0x9E3779B97F4A7C15u;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static float gauss(void)
{
    double s = -6;
    for (int i = 0; i < 12; i++) s += uniform();
    return (float)s;
}

enum kind { RANDOM, CLUSTERED, COPIES, ZEROS, SPIKES, TINY, NEAR_COPIES, N_KINDS };

static void make(enum kind kind, float *v, int dim, int64_t i)
{
    uint64_t kept = seed;
    for (int j = 0; j < dim; j++) v[j] = 0;
    if (kind == CLUSTERED || kind == COPIES || kind == NEAR_COPIES) {
        seed = 1000 + (uint64_t)(i % (kind == CLUSTERED ? 20 : 3));
        for (int j = 0; j < dim; j++) v[j] = gauss();
        seed = kept;
    }
    float noise = kind == COPIES ? 0 : kind == CLUSTERED ? 0.3f : kind == NEAR_COPIES ? 1e-4f : 1;
    if (kind == ZEROS && i % 3) noise = 0;
    for (int j = 0; noise > 0 && j < dim; j++) {
        float x = gauss() * noise;
        if (kind == SPIKES) x *= powf(10, (float)(uniform() * 12 - 6));
        if (kind == TINY) x *= 1e-30f;
        v[j] += x;
    }
}

static void unit(float *v, int dim)
{
    double s = 0;
    for (int j = 0; j < dim; j++) s += (double)v[j] * v[j];
    double inv = s > 0 ? 1 / sqrt(s) : 0;
    for (int j = 0; j < dim; j++) v[j] = (float)(v[j] * inv);
}

struct world {
    struct vectors *ix;
    int dim;
    size_t n; /* ids 0 .. n-1 were added */
    bool (*keep)(void *ud, int64_t id);
};

static int order(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* All hits of a full scan with the same arithmetic, best first. Free with free. */
static struct hit *full_scan(const struct world *w, const float *query, size_t *n)
{
    float *q = malloc((size_t)w->dim * sizeof *q);
    struct hit *h = malloc((w->n + 1) * sizeof *h);
    memcpy(q, query, (size_t)w->dim * sizeof *q);
    unit(q, w->dim);
    *n = 0;
    for (int64_t id = 0; id < (int64_t)w->n; id++) {
        const float *v = vectors_get(w->ix, id);
        if (!v || (w->keep && !w->keep(NULL, id))) continue;
        float s = kernels.dot_f32(q, v, (size_t)w->dim);
        double exact = 0;
        for (int j = 0; j < w->dim; j++) exact += (double)q[j] * v[j];
        check_near(s, exact, 1e-5);
        h[(*n)++] = (struct hit){ id, s > 1 ? 1 : s < -1 ? -1 : s };
    }
    qsort(h, *n, sizeof *h, order);
    free(q);
    return h;
}

static void check_search(const struct world *w, const float *q, size_t k)
{
    size_t all;
    struct hit *want = full_scan(w, q, &all), *got = calloc(k + 1, sizeof *got);
    got[k].id = 4242;
    size_t n = vectors_search(w->ix, q, k, w->keep, NULL, got);
    check_int(n, all < k ? all : k);
    check_int(got[k].id, 4242);
    for (size_t i = 0; i < n; i++)
        if (got[i].id != want[i].id || got[i].score != want[i].score)
            fail_msg("hit %zu of %zu: id %lld (%.9g), want %lld (%.9g)", i, n, (long long)got[i].id,
                     (double)got[i].score, (long long)want[i].id, (double)want[i].score);
    free(want);
    free(got);
}

static struct world build(enum kind kind, int dim, size_t n)
{
    struct world w = { .ix = vectors_new(dim, NULL), .dim = dim, .n = n };
    float v[VECTORS_DIM_MAX];
    for (size_t i = 0; i < n; i++) {
        make(kind, v, dim, (int64_t)i);
        check_int(vectors_add(w.ix, (int64_t)i, v, NULL), 0);
    }
    check_int(vectors_count(w.ix), n);
    return w;
}

static bool odd(void *ud, int64_t id) { return id & 1; }
static bool few(void *ud, int64_t id) { return id % 97 == 5; }
static bool none(void *ud, int64_t id) { return false; }

static void search_all_ways(struct world *w, enum kind kind)
{
    static const size_t ks[] = { 1, 5, 64, 65, 700, 5000 };
    bool (*const keeps[])(void *, int64_t) = { NULL, odd, few, none };
    float q[VECTORS_DIM_MAX];
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        for (size_t f = 0; f < 4; f++) {
            make(i % 2 ? kind : RANDOM, q, w->dim, (int64_t)(i + f));
            w->keep = keeps[f];
            check_search(w, q, ks[i]);
        }
    memset(q, 0, sizeof q);
    w->keep = NULL;
    check_search(w, q, 5); /* a zero query: all tie at 0 */
}

static void equals_full_scan(void **state)
{
    static const int dims[] = { 1, 7, 32, 100, 384 };
    for (int kind = 0; kind < N_KINDS; kind++)
        for (size_t d = 0; d < 5; d++) {
            struct world w = build((enum kind)kind, dims[d], 1500);
            search_all_ways(&w, (enum kind)kind);
            vectors_free(w.ix);
        }
}

static void equals_full_scan_in_parallel(void **state)
{
    threads_set(3);
    static const enum kind kinds[] = { RANDOM, CLUSTERED, NEAR_COPIES };
    for (size_t i = 0; i < 3; i++) {
        struct world w = build(kinds[i], 64, 130000);
        assert_true(vectors_scan_bytes(w.ix) > (8u << 20));
        float q[64];
        for (int64_t j = 0; j < 4; j++) {
            make(j % 2 ? kinds[i] : RANDOM, q, 64, j);
            w.keep = j == 3 ? odd : NULL;
            check_search(&w, q, j == 2 ? 2000 : 5);
        }
        vectors_free(w.ix);
    }
    threads_set(0);
}

static void every_variant(void **state)
{
    for (const char *const *n = kernels_available(); *n; n++) {
        check_int(kernels_init(*n, NULL), 0);
        struct world w = build(CLUSTERED, 384, 3000);
        search_all_ways(&w, CLUSTERED);
        vectors_free(w.ix);
    }
    check_int(kernels_init(NULL, NULL), 0);
}

static void removes_and_replaces(void **state)
{
    struct world w = build(RANDOM, 48, 3000);
    float v[48], q[48];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 200; i++) {
            int64_t id = (int64_t)(uniform() * (double)w.n);
            if (i % 3) {
                bool there = vectors_get(w.ix, id) != NULL;
                check_int(vectors_remove(w.ix, id), there);
                assert_null(vectors_get(w.ix, id));
            } else {
                make(RANDOM, v, 48, id);
                check_int(vectors_add(w.ix, id, v, NULL), 0);
                unit(v, 48);
                assert_memory_equal(vectors_get(w.ix, id), v, sizeof v);
            }
        }
        make(RANDOM, q, 48, 0);
        check_search(&w, q, 1 + (size_t)round * 7);
    }
    for (int64_t id = 0; id < (int64_t)w.n; id++) vectors_remove(w.ix, id);
    check_int(vectors_count(w.ix), 0);
    check_search(&w, q, 5);
    for (int64_t id = 0; id < 40000; id++) { /* come and go: memory must not pile up */
        check_int(vectors_add(w.ix, 100000 + id, v, NULL), 0);
        check_int(vectors_remove(w.ix, 100000 + id), 1);
    }
    assert_true(vectors_bytes(w.ix) < 400000);
    check_int(vectors_add(w.ix, -5, v, NULL), 0);
    check_int(vectors_search(w.ix, v, 5, NULL, NULL, (struct hit[5]){ 0 }), 1);
    vectors_free(w.ix);
}

static void edges(void **state)
{
    struct err err = { 0 };
    assert_null(vectors_new(0, &err));
    check_int(err.code, ERR_INVAL);
    assert_null(vectors_new(VECTORS_DIM_MAX + 1, &err));
    struct vectors *ix = vectors_new(3, &err);
    struct hit h[4] = { { 7, 7 } };
    float v[3] = { 1, 2, 2 }, bad[3] = { 1, NAN, 0 }, inf[3] = { INFINITY, 0, 0 };
    float large[3] = { 3e38f, 3e38f, 0 }, small[3] = { 1e-45f, 0, 0 };
    check_int(vectors_search(ix, v, 4, NULL, NULL, h), 0);
    check_int(vectors_add(ix, 1, bad, &err), ERR_INVAL);
    check_int(vectors_add(ix, 1, inf, &err), ERR_INVAL);
    check_int(vectors_count(ix), 0);
    assert_false(vectors_remove(ix, 1));
    check_int(vectors_add(ix, 1, v, &err), 0);
    check_int(vectors_add(ix, 2, large, &err), 0);
    check_int(vectors_add(ix, 3, small, &err), 0);
    check_int(vectors_search(ix, v, 0, NULL, NULL, h), 0);
    check_int(vectors_search(ix, bad, 4, NULL, NULL, h), 0);
    check_int(vectors_search(ix, v, 4, NULL, NULL, h), 3);
    check_int(h[0].id, 1);
    check_near(h[0].score, 1, 1e-6);
    check_near(h[1].score, sqrt(0.5), 1e-6);
    check_near(h[2].score, 1.0 / 3, 1e-6);
    vectors_free(ix);
    vectors_free(NULL);
}

static void allocates_nothing(void **state)
{
    if (!COUNTS) skip();
    struct world small = build(CLUSTERED, 384, 3000), large = build(CLUSTERED, 64, 130000);
    struct hit h[64], *many = calloc(1000, sizeof *h);
    float q[384];
    make(CLUSTERED, q, 384, 3);
    vectors_search(large.ix, q, 64, NULL, NULL, h); /* starts the pool */
    long before = atomic_load(&allocations);
    for (size_t k = 1; k <= 64; k++) {
        vectors_search(small.ix, q, k, NULL, NULL, h);
        vectors_search(large.ix, q, k, k & 1 ? odd : NULL, NULL, h);
    }
    check_int(atomic_load(&allocations) - before, 0);
    size_t n = vectors_search(small.ix, q, 1000, NULL, NULL, many);
    check_int(n, 1000);
    check_int(atomic_load(&allocations) - before, 1);
    atomic_store(&fail_malloc, 1); /* short of memory: the best 64 */
    n = vectors_search(small.ix, q, 1000, NULL, NULL, many);
    atomic_store(&fail_malloc, 0);
    check_int(n, 64);
    check_int(vectors_search(small.ix, q, 64, NULL, NULL, h), 64);
    for (int i = 0; i < 64; i++) check_int(many[i].id, h[i].id);
    free(many);
    vectors_free(small.ix);
    vectors_free(large.ix);
}

static void *searcher(void *ud)
{
    const struct world *w = ud;
    float q[64];
    struct hit first[5], h[5];
    for (int i = 0; i < 64; i++) q[i] = (float)(i % 7) - 3;
    if (vectors_search(w->ix, q, 5, NULL, NULL, first) != 5) return "count";
    for (int i = 0; i < 20; i++) {
        if (vectors_search(w->ix, q, 5, odd, NULL, h) != 5) return "count";
        if (vectors_search(w->ix, q, 5, NULL, NULL, h) != 5) return "count";
        if (memcmp(h, first, sizeof h)) return "differs";
    }
    return NULL;
}

static void side_by_side(void **state)
{
    threads_set(2);
    struct world w = build(CLUSTERED, 64, 130000);
    pthread_t t[4];
    for (int i = 0; i < 4; i++) check_int(pthread_create(&t[i], NULL, searcher, &w), 0);
    for (int i = 0; i < 4; i++) {
        void *said;
        pthread_join(t[i], &said);
        if (said) fail_msg("%s", (char *)said);
    }
    vectors_free(w.ix);
    threads_set(0);
}

int main(void)
{
    kernels_init(NULL, NULL);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(edges),
        cmocka_unit_test(equals_full_scan),
        cmocka_unit_test(equals_full_scan_in_parallel),
        cmocka_unit_test(every_variant),
        cmocka_unit_test(removes_and_replaces),
        cmocka_unit_test(allocates_nothing),
        cmocka_unit_test(side_by_side),
    };
    int rc = check_run("index/vectors", t);
    threads_stop();
    return rc;
}
