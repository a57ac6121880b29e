/* Fusion, variety and adaptive k. */
#include "check.h"

#include "index/fuse.h"
#include "kernels/kernels.h"

#include <math.h>

static bool descending(const struct hit *h, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (h[i - 1].score < h[i].score) return false;
    return true;
}

static void fuses(void **state)
{
    const struct hit a[] = { { 1, 0.9f }, { 2, 0.8f }, { 3, 0.1f } };
    const struct hit b[] = { { 2, 30 }, { 4, 20 }, { 1, 1 } };
    struct hit out[6];
    size_t n = fuse_rankings(a, 3, b, 3, 0.5f, out, 6);
    check_int(n, 4);
    assert_true(descending(out, n));
    check_int(out[0].id, 2); /* second and first beats first and last */
    check_int(out[1].id, 1);
    for (size_t i = 0; i < n; i++) assert_true(out[i].score >= 0 && out[i].score <= 1);
    check_int(fuse_rankings(a, 3, b, 3, 1, out, 6), 4);
    check_int(out[0].id, 1); /* all weight on a: a's order, then the rest */
    check_int(out[2].id, 3);
    check_int(out[3].id, 4);
    check_near(out[0].score, 1, 1e-6);
    check_near(out[3].score, 0, 1e-6);
    check_int(fuse_rankings(a, 3, b, 3, 0.5f, out, 2), 2);
    check_int(out[0].id, 2);
    check_int(out[1].id, 1);
    check_int(fuse_rankings(a, 3, NULL, 0, 0.5f, out, 6), 3);
    check_int(out[0].id, 1);
    check_int(fuse_rankings(NULL, 0, b, 3, 0.5f, out, 6), 3);
    check_int(out[0].id, 2);
    check_int(fuse_rankings(NULL, 0, NULL, 0, 0.5f, out, 6), 0);
    check_int(fuse_rankings(a, 3, b, 3, 0.5f, out, 0), 0);
}

/* An outlier must not flatten the rest of its list to nothing. */
static void outlier(void **state)
{
    struct hit a[10], b[10], out[20];
    for (int i = 0; i < 10; i++) {
        a[i] = (struct hit){ i, i ? 1 - 0.01f * (float)i : 1000 };
        b[i] = (struct hit){ 100 + i, 1 - 0.1f * (float)i };
    }
    size_t n = fuse_rankings(a, 10, b, 10, 0.7f, out, 20), at = n;
    for (size_t i = 0; i < n; i++)
        if (out[i].id == 1) at = i;
    assert_true(at < 10);
}

/* Long lists take the way through a map; it must say the same. */
static void long_lists(void **state)
{
    enum { N = 500 };
    struct hit a[N], b[N], out[2 * N], few[50];
    for (int i = 0; i < N; i++) {
        a[i] = (struct hit){ i * 7 % 1009, 1 - (float)i / N };
        b[i] = (struct hit){ i * 11 % 1009, 50 - (float)i / 10 };
    }
    size_t n = fuse_rankings(a, N, b, N, 0.6f, out, 2 * N);
    assert_true(descending(out, n));
    for (size_t i = 0; i < n; i++) {
        double want = 0;
        for (int j = 0; j < N; j++) {
            double level = 1 - (double)j / (N - 1), rank = 61.0 / (61 + j);
            if (a[j].id == out[i].id) want += 0.6 * (level + rank) / 2;
            if (b[j].id == out[i].id) want += 0.4 * (level + rank) / 2;
        }
        check_near(out[i].score, want, 1e-5);
        for (size_t j = 0; j < i; j++) assert_true(out[j].id != out[i].id);
    }
    check_int(fuse_rankings(a, N, b, N, 0.6f, few, 50), 50);
    for (int i = 0; i < 50; i++) check_int(few[i].id, out[i].id);
}

static float table[400][4];

static const float *vec(void *ud, int64_t id) { return id < 0 ? NULL : table[id]; }

static void varies(void **state)
{
    memcpy(table[0], (float[4]){ 1, 0, 0, 0 }, sizeof *table);
    memcpy(table[1], (float[4]){ 1, 0, 0, 0 }, sizeof *table); /* says the same as 0 */
    memcpy(table[2], (float[4]){ 0, 1, 0, 0 }, sizeof *table);
    memcpy(table[3], (float[4]){ 0, 0, 1, 0 }, sizeof *table);
    const struct hit from[] = { { 0, 0.9f }, { 1, 0.89f }, { 2, 0.8f }, { 3, 0.5f } };
    struct hit h[4];
    memcpy(h, from, sizeof h);
    check_int(fuse_mmr(h, 4, 2, 0.5f, 4, vec, NULL), 2);
    check_int(h[0].id, 0);
    check_int(h[1].id, 2);
    check_near(h[1].score, 0.8, 1e-6); /* scores stay */
    check_int(h[2].id, 1);             /* the rest keeps its order */
    check_int(h[3].id, 3);
    memcpy(h, from, sizeof h);
    check_int(fuse_mmr(h, 4, 9, 1, 4, vec, NULL), 4); /* lambda 1: as it was */
    for (int i = 0; i < 4; i++) check_int(h[i].id, from[i].id);
    check_int(fuse_mmr(h, 0, 3, 0.5f, 4, vec, NULL), 0);
    h[1].id = -1; /* one without a vector */
    check_int(fuse_mmr(h, 4, 4, 0.5f, 4, vec, NULL), 4);
}

/* Each choice compared with all that were made, as it is defined. */
static size_t vary_slowly(struct hit *h, size_t n, size_t k, float lambda)
{
    float least = 1e9f, top = -1e9f;
    for (size_t i = 0; i < n; i++) {
        least = fminf(least, h[i].score);
        top = fmaxf(top, h[i].score);
    }
    for (size_t done = 0; done < k && done < n; done++) {
        size_t best = done;
        float most = -INFINITY;
        for (size_t i = done; i < n; i++) {
            float near = 0;
            for (size_t j = 0; j < done; j++) {
                const float *a = vec(NULL, h[j].id), *b = vec(NULL, h[i].id);
                float c = a && b ? kernels.dot_f32(a, b, 4) : 0;
                if (a) near = j ? fmaxf(near, c) : c;
            }
            float s = lambda * (h[i].score - least) / (top - least) - (1 - lambda) * near;
            if (s > most) most = s, best = i;
        }
        struct hit x = h[best];
        memmove(h + done + 1, h + done, (best - done) * sizeof *h);
        h[done] = x;
    }
    return k < n ? k : n;
}

/* Cosines that are not needed are not taken; what comes out is the same. */
static void varies_as_defined(void **state)
{
    uint32_t seed = 7;
    for (int round = 0; round < 60; round++) {
        struct hit h[200], want[200];
        for (int i = 0; i < 200; i++) {
            float v[4], sum = 0;
            for (int j = 0; j < 4; j++) {
                seed = seed * 1664525 + 1013904223;
                v[j] = (float)(seed >> 16) / 32768 - 1;
                sum += v[j] * v[j];
            }
            for (int j = 0; j < 4; j++) table[i][j] = v[j] / sqrtf(sum);
            seed = seed * 1664525 + 1013904223;
            h[i] = (struct hit){ (seed >> 8) % 9 ? i : -1, (float)(seed >> 20) / 4096 };
        }
        memcpy(want, h, sizeof h);
        float lambda = (float)round / 60;
        size_t n = vary_slowly(want, 200, 30, lambda);
        check_int(fuse_mmr(h, 200, 30, lambda, 4, vec, NULL), n);
        for (size_t i = 0; i < 200; i++) {
            check_int(h[i].id, want[i].id);
            check_near(h[i].score, want[i].score, 0);
        }
    }
}

static void varies_many(void **state)
{
    struct hit h[400];
    for (int i = 0; i < 400; i++) {
        float a = (float)(i % 40) * 0.1f;
        memcpy(table[i], (float[4]){ cosf(a), sinf(a), 0, 0 }, sizeof *table);
        h[i] = (struct hit){ i, 1 - (float)i / 400 };
    }
    check_int(fuse_mmr(h, 400, 10, 0.3f, 4, vec, NULL), 10);
    bool seen[400] = { 0 };
    for (int i = 0; i < 400; i++) {
        assert_false(seen[h[i].id]);
        seen[h[i].id] = true;
        for (int j = 0; i < 10 && j < i; j++) assert_true(h[i].id % 40 != h[j].id % 40);
    }
}

static void adapts(void **state)
{
    struct hit h[8];
    for (int i = 0; i < 8; i++) h[i] = (struct hit){ i, 0.9f - 0.1f * (float)i };
    check_int(fuse_adaptive_k(h, 8, 0.15f, 3, 5), 5); /* many above: k_max */
    check_int(fuse_adaptive_k(h, 8, 0.45f, 3, 5), 5);
    check_int(fuse_adaptive_k(h, 8, 0.55f, 3, 5), 4);
    check_int(fuse_adaptive_k(h, 8, 0.65f, 3, 5), 3);
    check_int(fuse_adaptive_k(h, 8, 0.75f, 3, 5), 5); /* two above: too few, the best 5 */
    check_int(fuse_adaptive_k(h, 2, 0.75f, 3, 5), 2);
    check_int(fuse_adaptive_k(h, 0, 0.75f, 3, 5), 0);
}

int main(void)
{
    kernels_init(NULL, NULL);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(fuses),
        cmocka_unit_test(outlier),
        cmocka_unit_test(long_lists),
        cmocka_unit_test(varies),
        cmocka_unit_test(varies_as_defined),
        cmocka_unit_test(varies_many),
        cmocka_unit_test(adapts),
    };
    return check_run("index/fuse", t);
}
