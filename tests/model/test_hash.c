/* The hash embedder: what is near, what it learns, what its state may look like. */
#include "check.h"

#include "base/str.h"
#include "model/embed.h"

#include <math.h>
#include <pthread.h>

#define DIM    384
#define GOLDEN 0xf0978fd1ec67baa9u

static struct embedder *fresh(void)
{
    struct err err = { 0 };
    struct embedder *e = embed_open("hash", NULL, 0, &err);
    if (!e) fail_msg("%s", err.msg);
    return e;
}

static float near_by(struct embedder *e, const char *a, const char *b)
{
    float x[DIM], y[DIM], sum = 0;
    check_int(embed_text(e, a, strlen(a), x), 0);
    check_int(embed_text(e, b, strlen(b), y), 0);
    for (int i = 0; i < DIM; i++) sum += x[i] * y[i];
    return sum;
}

static void learn(struct embedder *e, const char *s) { check_int(embed_learn(e, s, strlen(s)), 0); }

static void length_is_one_or_none(void **state)
{
    struct embedder *e = fresh();
    check_int(e->kind->dim, DIM);
    check_near(near_by(e, "the old boat", "the old boat"), 1, 1e-5);
    check_near(near_by(e, "", ""), 0, 0);
    check_near(near_by(e, "what would you do?!", "what would you do?!"), 0, 0);
    check_near(near_by(e, "日本語", "日本語"), 1, 1e-5);
    embed_close(e);
}

static void meaning_separates(void **state)
{
    struct embedder *e = fresh();
    assert_true(near_by(e, "gardening", "gardener") > 0.6f);
    assert_true(near_by(e, "Portsmouth", "Portsmoth") > 0.1f);
    assert_true(near_by(e, "We sailed to the islands", "sailing near an island") > 0.5f);
    assert_true(fabsf(near_by(e, "We sailed to the islands", "the tax office wrote again")) < 0.2f);
    assert_true(near_by(e, "the old boat", "an old boat!") > 0.999f);
    assert_true(near_by(e, "old boat house", "boat house") >
                near_by(e, "old boat house", "house by a boat"));
    embed_close(e);
}

static void rare_words_weigh_more(void **state)
{
    struct embedder *e = fresh();
    float before = near_by(e, "common lantern", "lantern");
    for (int i = 0; i < 50; i++) learn(e, "a common day, a common thing");
    learn(e, "lantern");
    check_int(embed_learned(e), 51);
    assert_true(near_by(e, "common lantern", "lantern") > before + 0.1f);
    float common = embed_idf(e, hash64("common", 6, 0)),
          rare = embed_idf(e, hash64("lantern", 7, 0)),
          unseen = embed_idf(e, hash64("zebra", 5, 0));
    assert_true(common >= 0 && common < rare && rare < unseen);
    check_near(common, log(1 + 1.5 / 50.5), 1e-6); /* once a passage, however often in it */
    check_near(unseen, log(1 + 51.5 / 0.5), 1e-6);
    embed_close(e);
}

static void state_round_trips(void **state)
{
    struct err err = { 0 };
    struct buf a = BUF_INIT(0), b = BUF_INIT(0);
    struct embedder *e = fresh(), *f;
    learn(e, "The old boat lies in the harbour.");
    learn(e, "An old letter from Bergen.");
    check_int(embed_save(e, &a), 0);
    f = embed_open("hash", a.p, a.n, &err);
    if (!f) fail_msg("%s", err.msg);
    check_int(embed_learned(f), 2);
    check_int(embed_save(f, &b), 0);
    check_int(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    float x[DIM], y[DIM];
    embed_text(e, "the boat from Bergen", 20, x);
    embed_text(f, "the boat from Bergen", 20, y);
    assert_memory_equal(x, y, sizeof x);
    learn(f, "old"); /* learning goes on */
    assert_true(embed_idf(f, hash64("old", 3, 0)) < embed_idf(e, hash64("old", 3, 0)));
    embed_close(e);
    embed_close(f);
    buf_free(&a);
    buf_free(&b);
}

static void broken_states_are_refused(void **state)
{
    struct err err = { 0 };
    struct buf a = BUF_INIT(0);
    struct embedder *e = fresh();
    learn(e, "The old boat lies in the harbour.");
    embed_save(e, &a);
    embed_close(e);
    for (size_t n = 0; n < a.n; n++) {
        err.code = 0;
        char *cut = mem_dup(a.p, n);
        assert_null(embed_open("hash", cut, n, &err));
        check_int(err.code, ERR_PARSE);
        free(cut);
    }
    buf_u8(&a, 0);
    assert_null(embed_open("hash", a.p, a.n, &err)); /* bytes after the end */
    check_int(err.code, ERR_PARSE);
    a.p[4] = 9;
    assert_null(embed_open("hash", a.p, a.n, &err));
    check_int(err.code, ERR_VERSION);
    buf_free(&a);
}

/* Stored vectors must not change with the program, compiler or machine: if this fails, the version
 * string "hash-384-1" has to change with it. */
static void bits_are_fixed(void **state)
{
    struct embedder *e = fresh();
    float v[DIM];
    const char *s =
        "We sailed the old boat to Bergen; the harbour was full of boats, and Anna’s café.";
    learn(e, "The old boat lies in the harbour.");
    learn(e, "An old letter from Bergen.");
    embed_text(e, s, strlen(s), v);
    unsigned char bytes[DIM * 4];
    for (int i = 0; i < DIM; i++) {
        uint32_t u;
        memcpy(&u, &v[i], 4);
        if (u == 0x80000000u) u = 0;
        for (int k = 0; k < 4; k++) bytes[4 * i + k] = (unsigned char)(u >> (8 * k));
    }
    uint64_t got = hash64(bytes, sizeof bytes, 0);
    if (got != GOLDEN) fail_msg("vector hashes to 0x%016llx", (unsigned long long)got);
    embed_close(e);
}

static void *embed_much(void *ud)
{
    float first[DIM], v[DIM];
    long bad = 0;
    embed_text(ud, "the boat from Bergen", 20, first);
    for (int i = 0; i < 500; i++) {
        char s[64];
        int n = snprintf(s, sizeof s, "passage %d about boats%d", i, i);
        bad += embed_text(ud, s, (size_t)n, v) != 0;
        embed_text(ud, "the boat from Bergen", 20, v);
        bad += memcmp(v, first, sizeof v) != 0;
    }
    return (void *)bad;
}

static void threads(void **state)
{
    struct embedder *e = fresh();
    pthread_t t[3];
    learn(e, "An old letter from Bergen.");
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&t[i], NULL, embed_much, e), 0);
    for (int i = 0; i < 3; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        check_int((long)bad, 0);
    }
    embed_close(e);
}

static void names(void **state)
{
    struct err err = { 0 };
    assert_non_null(embed_kind_by_name("hash"));
    assert_null(embed_kind_by_name("nothing"));
    assert_null(embed_kind_by_name(NULL));
    assert_null(embed_open("nothing", NULL, 0, &err));
    check_int(err.code, ERR_NOTFOUND);
    check_has(err.msg, "hash");
    embed_close(NULL);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(length_is_one_or_none),
        cmocka_unit_test(meaning_separates),
        cmocka_unit_test(rare_words_weigh_more),
        cmocka_unit_test(state_round_trips),
        cmocka_unit_test(broken_states_are_refused),
        cmocka_unit_test(bits_are_fixed),
        cmocka_unit_test(threads),
        cmocka_unit_test(names),
    };
    return check_run("model/hash", t);
}
