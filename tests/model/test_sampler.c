/* The sampler against a plain one that sorts, against counts over many seeds, and against choices
 * written down once, which every machine must make. */
#include "check.h"
#include "model/sampler.h"

#include <math.h>
#include <time.h>

enum { V = 1000 };

static uint64_t rnd_state;
static double rnd(void)
{
    rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(rnd_state >> 40) * 0x1p-24;
}

static void make_logits(float *l, int n, uint64_t seed, double spread)
{
    rnd_state = seed;
    for (int i = 0; i < n; i++) l[i] = (float)((rnd() + rnd() + rnd() - 1.5) * spread);
}

static const float *sort_by;
static int by_logit(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    if (sort_by[x] != sort_by[y]) return sort_by[x] > sort_by[y] ? -1 : 1;
    return x - y;
}

/* prob[i] of each token by sorting all; 0 where it cannot be drawn. */
static void reference(const float *l, int n, const struct sampler_opts *o, double *prob)
{
    int *order = malloc((size_t)n * sizeof *order);
    for (int i = 0; i < n; i++) order[i] = i;
    sort_by = l;
    qsort(order, (size_t)n, sizeof *order, by_logit);
    int k = o->top_k && o->top_k < n ? o->top_k : n, m = 0;
    double sum = 0, have = 0, max = l[order[0]];
    for (int i = 0; i < n; i++) prob[i] = 0;
    for (; m < k; m++) {
        double p = exp(((double)l[order[m]] - max) / (double)o->temperature);
        if (p < (double)o->min_p || p < 1e-17) break;
        sum += prob[order[m]] = p;
    }
    for (int i = 0; i < m; i++) {
        if (have >= sum * (double)o->top_p) prob[order[i]] = 0;
        have += prob[order[i]];
    }
    have = 0;
    for (int i = 0; i < n; i++) have += prob[i];
    for (int i = 0; i < n; i++) prob[i] /= have;
    free(order);
}

static int32_t pick(struct sampler *s, const struct sampler_opts *o, const float *l, int n)
{
    float copy[V];
    memcpy(copy, l, (size_t)n * sizeof *l);
    return sampler_pick(s, o, NULL, NULL, copy);
}

static void counts_follow_the_probabilities(void **state)
{
    static const struct sampler_opts opts[] = {
        { .temperature = 1, .top_p = 1 },
        { .temperature = 0.7f, .top_p = 0.9f },
        { .temperature = 1.5f, .top_p = 1, .top_k = 7 },
        { .temperature = 1, .top_p = 1, .min_p = 0.2f },
        { .temperature = 0.8f, .top_p = 0.8f, .top_k = 40, .min_p = 0.02f },
        { .temperature = 100, .top_p = 0.5f },
        { .temperature = 0.01f, .top_p = 0.99f },
        { .temperature = 1, .top_p = 1, .top_k = 2 },
    };
    enum { DRAWS = 20000 };
    struct sampler *s;
    struct err err;
    check_ok(sampler_new(V, &s, &err), err);
    for (size_t c = 0; c < sizeof opts / sizeof *opts; c++) {
        struct sampler_opts o = opts[c];
        float l[V];
        double prob[V], off = 0;
        static int got[V];
        memset(got, 0, sizeof got);
        make_logits(l, V, c + 1, 6);
        reference(l, V, &o, prob);
        for (int i = 0; i < DRAWS; i++) {
            o.seed = (uint64_t)i * 977 + c;
            int32_t id = pick(s, &o, l, V);
            assert_in_range(id, 0, V - 1);
            if (prob[id] == 0) fail_msg("options %zu drew %d, which is out", c, (int)id);
            got[id]++;
        }
        for (int i = 0; i < V; i++) off += fabs(got[i] / (double)DRAWS - prob[i]);
        if (off > 0.2) fail_msg("options %zu: counts are %g off", c, off);
    }
    sampler_free(s);
}

static void ties_go_to_the_lowest_ids(void **state)
{
    struct sampler *s;
    struct err err;
    float l[V];
    for (int i = 0; i < V; i++) l[i] = 1;
    check_ok(sampler_new(V, &s, &err), err);
    check_int(pick(s, &(struct sampler_opts){ 0 }, l, V), 0);
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sampler_opts o = { .temperature = 1, .top_p = 1, .top_k = 5, .seed = seed };
        assert_true(pick(s, &o, l, V) < 5);
        o.top_k = 0;
        o.top_p = 0.01f;
        assert_true(pick(s, &o, l, V) <= 10);
    }
    sampler_free(s);
}

static void masks_and_bias_and_odd_numbers(void **state)
{
    struct sampler *s;
    struct err err;
    float l[V];
    uint32_t mask[(V + 31) / 32] = { 0 };
    check_ok(sampler_new(V, &s, &err), err);
    make_logits(l, V, 3, 5);
    struct sampler_opts o = { .temperature = 1, .top_p = 1 };
    check_int(sampler_pick(s, &o, NULL, mask, l), -1);
    mask[31] = 1u << 7;
    make_logits(l, V, 3, 5);
    check_int(sampler_pick(s, &o, NULL, mask, l), 31 * 32 + 7);
    struct sampler_bias bias[] = { { 5, 1000 }, { 6, -INFINITY } };
    o.bias = bias;
    o.n_bias = 2;
    make_logits(l, V, 3, 5);
    check_int(sampler_pick(s, &o, NULL, NULL, l), 5);
    o.n_bias = 0;
    for (int i = 0; i < V; i++) l[i] = NAN;
    check_int(sampler_pick(s, &o, NULL, NULL, l), -1);
    for (int i = 0; i < V; i++) l[i] = NAN;
    l[17] = -3e38f;
    check_int(sampler_pick(s, &o, NULL, NULL, l), 17);
    for (int i = 0; i < V; i++) l[i] = -INFINITY;
    l[18] = INFINITY;
    check_int(sampler_pick(s, &o, NULL, NULL, l), 18);
    sampler_free(s);
}

static void penalties_count_the_window(void **state)
{
    struct sampler *s;
    struct err err;
    check_ok(sampler_new(8, &s, &err), err);
    int32_t ids[] = { 0, 1, 1, 2, 2, 2, 3 };
    struct sampler_opts o = { .frequency = 0.5f, .presence = 0.25f, .repeat = 2, .window = 6 };
    for (int twice = 0; twice < 2; twice++) {
        float l[8] = { 4, 4, 4, -4, 4, 4, 4, 4 };
        sampler_pick(s, &o, &(struct sampler_at){ ids, 7, 2 }, NULL, l);
        check_near(l[0], 4, 0); /* out of the window */
        check_near(l[1], 2 - 0.5 - 0.25, 0);
        check_near(l[2], 2 - 1.5 - 0.25, 0);
        check_near(l[3], -8 - 0.5 - 0.25, 0);
        check_near(l[4], 4, 0);
    }
    sampler_free(s);
}

static void bad_options_are_named(void **state)
{
    struct err err;
    struct sampler_opts o = SAMPLER_DEFAULTS;
    check_ok(sampler_check(&o, 10, &err), err);
    check_ok(sampler_check(&(struct sampler_opts){ 0 }, 10, &err), err);
    o.top_p = 1.5f;
    check_int(sampler_check(&o, 10, &err), ERR_INVAL);
    check_has(err.msg, "top_p");
    o = SAMPLER_DEFAULTS;
    o.temperature = NAN;
    check_int(sampler_check(&o, 10, &err), ERR_INVAL);
    check_has(err.msg, "temperature");
    o = SAMPLER_DEFAULTS;
    o.bias = &(struct sampler_bias){ 10, 1 };
    o.n_bias = 1;
    check_int(sampler_check(&o, 10, &err), ERR_INVAL);
    check_has(err.msg, "token 10");
}

static void every_machine_chooses_alike(void **state)
{
    static const int want[] = { 609, 752, 117, 432, 689, 155, 704, 418, 927, 880, 116, 436 };
    struct sampler *s;
    struct err err;
    int32_t ids[64] = { 1, 2, 3 };
    check_ok(sampler_new(V, &s, &err), err);
    for (int i = 0; i < (int)(sizeof want / sizeof *want); i++) {
        struct sampler_opts o = SAMPLER_DEFAULTS;
        float l[V];
        o.seed = 42;
        make_logits(l, V, (uint64_t)i + 100, 8);
        ids[3 + i] = sampler_pick(s, &o, &(struct sampler_at){ ids, 3 + i, 3 }, NULL, l);
        check_int(ids[3 + i], want[i]);
    }
    sampler_free(s);
}

/* Not a bench: a guard against a sort of everything. */
static void large_vocabularies_are_no_matter(void **state)
{
    enum { BIG = 128256, RUNS = 20 };
    struct sampler *s;
    struct err err;
    float *l = malloc(BIG * sizeof *l), *copy = malloc(BIG * sizeof *l);
    check_ok(sampler_new(BIG, &s, &err), err);
    make_logits(l, BIG, 1, 10);
    double spent = 0;
    for (int i = 0; i < RUNS; i++) {
        struct sampler_opts o = SAMPLER_DEFAULTS;
        o.seed = (uint64_t)i;
        memcpy(copy, l, BIG * sizeof *l);
        clock_t t = clock(); /* of the processor: others may have it meanwhile */
        assert_true(sampler_pick(s, &o, NULL, NULL, copy) >= 0);
        spent += (double)(clock() - t) / CLOCKS_PER_SEC;
    }
    print_message("# %.3f ms a token\n", spent / RUNS * 1e3);
    assert_true(spent / RUNS < 0.2);
    free(l);
    free(copy);
    sampler_free(s);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(counts_follow_the_probabilities),
        cmocka_unit_test(ties_go_to_the_lowest_ids),
        cmocka_unit_test(masks_and_bias_and_odd_numbers),
        cmocka_unit_test(penalties_count_the_window),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(every_machine_chooses_alike),
        cmocka_unit_test(large_vocabularies_are_no_matter),
    };
    return check_run("model/sampler", t);
}
