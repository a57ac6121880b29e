/* Retrieval: filters, fixed and adaptive k, the three modes, the similarity that is reported,
 * what two retrievers have in common, and what another handle changed. */
#include "check.h"
#include "persona_home.h"

#include "base/clock.h"
#include "persona/converse.h"
#include "persona/corpus.h"
#include "persona/internal.h"
#include "persona/retrieve.h"

#include <math.h>

static struct test_home t;

static const struct {
    const char *title, *text;
    int year;
} texts[] = {
    { "Bees",
      "The bees swarmed on Tuesday. I caught the swarm in a wine box and gave it to the school.",
      2012 },
    { "More bees", "Two hives now. Bees are better company than most of the parish council.",
      2015 },
    { "Ferry", "The ferry was late and I read half a novel on the slip.", 2016 },
    { "Harbour", "Walked round the harbour with the dog. The ferry had gone.", 2017 },
    { "Kitchen", "New kitchen at last. The oven works and the tap does not.", 2018 },
    { "Choir", "Sang the alto part in the choir and nobody left.", 2019 },
    { "Undated", "I once saw bees in a cathedral.", 0 },
};
#define N_TEXTS (sizeof texts / sizeof texts[0])

static void add(struct home *h, struct persona *p, size_t i)
{
    struct err err = { 0 };
    int64_t at = texts[i].year ? clock_from_civil(texts[i].year, 6, 1, 12, 0, 0) : CLOCK_NONE;
    check_ok(ingest_text(h, p, texts[i].title, texts[i].text, strlen(texts[i].text), at, &err),
             err);
}

static int setup(void **state)
{
    struct err err = { 0 };
    test_home_open(&t);
    for (size_t i = 0; i < N_TEXTS; i++) add(t.home, t.persona, i);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    return 0;
}

static int teardown(void **state)
{
    test_home_close(&t);
    return 0;
}

static struct retriever *open_retriever(void)
{
    struct err err = { 0 };
    struct retriever *r = NULL;
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    return r;
}

static struct passages get(struct retriever *r, const struct query *q)
{
    struct err err = { 0 };
    struct passages ps;
    check_ok(retrieve(r, q, &ps, &err), err);
    return ps;
}

static bool holds(const struct passages *ps, const char *part)
{
    for (size_t i = 0; i < ps->n; i++)
        for (size_t k = 0; k < ps->p[i].text.n_seg; k++)
            if (strstr(ps->p[i].text.seg[k].text, part)) return true;
    return false;
}

static void finds(void **state)
{
    struct retriever *r = open_retriever();
    struct query q = query_default("What happened with the swarm of bees?");
    struct passages ps = get(r, &q);
    assert_true(ps.n >= 1);
    check_has(ps.p[0].text.seg[0].text, "swarmed");
    for (size_t i = 1; i < ps.n; i++) assert_true(ps.p[i].score >= 0 && ps.p[i].score <= 1);
    passages_clear(&ps);
    check_int(ps.n, 0);
    retriever_close(r);
}

static void by_time(void **state)
{
    struct retriever *r = open_retriever();
    struct query q = query_default("bees");
    q.adaptive = false;
    q.k = 20;
    struct passages ps = get(r, &q);
    assert_true(holds(&ps, "cathedral"));
    passages_clear(&ps);
    q.from = clock_from_civil(2014, 1, 1, 0, 0, 0);
    q.to = clock_from_civil(2016, 1, 1, 0, 0, 0);
    ps = get(r, &q);
    check_int(ps.n, 1);
    assert_true(holds(&ps, "Two hives"));
    passages_clear(&ps);
    q.to = clock_from_civil(2015, 6, 1, 12, 0, 0); /* the end is not in it */
    ps = get(r, &q);
    check_int(ps.n, 0);
    passages_clear(&ps);
    q.from = CLOCK_NONE;
    ps = get(r, &q);
    assert_true(holds(&ps, "swarmed") && !holds(&ps, "cathedral"));
    passages_clear(&ps);
    retriever_close(r);
}

static void by_source_and_topic(void **state)
{
    struct retriever *r = open_retriever();
    struct query q = query_default("bees");
    q.adaptive = false;
    q.k = 20;
    struct passages ps = get(r, &q);
    int64_t source = ps.p[0].source;
    int32_t topic = ps.p[0].topic;
    passages_clear(&ps);
    q.source = source;
    ps = get(r, &q);
    assert_true(ps.n >= 1);
    for (size_t i = 0; i < ps.n; i++) check_int(ps.p[i].source, source);
    assert_true(strlen(retriever_title(r, source)) > 0);
    check_str(retriever_title(r, 999999), "");
    passages_clear(&ps);
    q.source = 999999;
    ps = get(r, &q);
    check_int(ps.n, 0);
    passages_clear(&ps);
    q.source = 0;
    if (topic >= 0) {
        q.topic = topic;
        ps = get(r, &q);
        for (size_t i = 0; i < ps.n; i++) check_int(ps.p[i].topic, topic);
        passages_clear(&ps);
    }
    q.topic = 4711;
    ps = get(r, &q);
    check_int(ps.n, 0);
    passages_clear(&ps);
    retriever_close(r);
}

static void how_many(void **state)
{
    struct retriever *r = open_retriever();
    struct query q = query_default("bees");
    q.adaptive = false;
    for (int k = 1; k <= 3; k++) {
        q.k = k;
        struct passages ps = get(r, &q);
        check_int(ps.n, k);
        passages_clear(&ps);
    }
    /* Adaptive: all above the floor when there are three; else the best k as they are. */
    q.adaptive = true;
    q.k = 4;
    q.mode = QUERY_VECTOR;
    q.floor = 2;
    struct passages ps = get(r, &q);
    check_int(ps.n, 4);
    passages_clear(&ps);
    q.floor = 0.02f;
    ps = get(r, &q);
    if (ps.n >= 3)
        for (size_t i = 0; i < ps.n; i++) assert_true(ps.p[i].similarity > q.floor);
    passages_clear(&ps);
    q.floor = -1;
    ps = get(r, &q);
    check_int(ps.n, 4);
    passages_clear(&ps);
    retriever_close(r);
}

static void modes(void **state)
{
    struct retriever *r = open_retriever();
    struct query q = query_default("ferry");
    q.adaptive = false;
    q.k = 20;
    q.diversity = 0;
    q.mode = QUERY_KEYWORD;
    struct passages ps = get(r, &q);
    check_int(ps.n, 2); /* only those that have the word */
    assert_true(holds(&ps, "half a novel") && holds(&ps, "harbour"));
    passages_clear(&ps);
    q.mode = QUERY_VECTOR;
    ps = get(r, &q);
    assert_true(ps.n >= 2);
    for (size_t i = 1; i < ps.n; i++)
        assert_true(ps.p[i - 1].similarity >= ps.p[i].similarity - 1e-6f);
    passages_clear(&ps);
    q.mode = QUERY_HYBRID;
    ps = get(r, &q);
    assert_true(holds(&ps, "half a novel") && holds(&ps, "harbour"));
    passages_clear(&ps);
    q.text = "the of and"; /* nothing but function words */
    ps = get(r, &q);
    passages_clear(&ps);
    q.text = "";
    ps = get(r, &q);
    passages_clear(&ps);
    retriever_close(r);
}

/* Whatever a passage was ranked by, similarity is the cosine of the question and its chunk, title
 * and text. */
static void plain_cosine(void **state)
{
    static const enum query_mode all[] = { QUERY_HYBRID, QUERY_VECTOR, QUERY_KEYWORD };
    struct retriever *r = open_retriever();
    struct embedder *e = retriever_embedder(r);
    int dim = e->dim;
    float *a = calloc((size_t)dim, sizeof *a), *b = calloc((size_t)dim, sizeof *b);
    assert_non_null(a);
    assert_non_null(b);
    for (size_t m = 0; m < 3; m++) {
        struct query q = query_default("bees in the harbour");
        q.adaptive = false;
        q.k = 5;
        q.mode = all[m];
        struct passages ps = get(r, &q);
        assert_true(ps.n >= 1);
        check_int(embed_query(e, q.text, strlen(q.text), a), 0);
        for (size_t i = 0; i < ps.n; i++) {
            struct buf plain = BUF_INIT(1 << 20);
            double dot = 0, na = 0, nb = 0;
            chunk_embed_text(&ps.p[i].text, &plain);
            check_int(embed_text(e, buf_str(&plain), plain.n, b), 0);
            for (int k = 0; k < dim; k++) {
                dot += (double)a[k] * (double)b[k];
                na += (double)a[k] * (double)a[k];
                nb += (double)b[k] * (double)b[k];
            }
            check_near(ps.p[i].similarity, na > 0 && nb > 0 ? dot / sqrt(na * nb) : 0, 5e-3);
            buf_free(&plain);
        }
        passages_clear(&ps);
    }
    free(a);
    free(b);
    retriever_close(r);
}

/* An earlier turn brings its passages along, for a follow-up. */
static void with_before(void **state)
{
    struct retriever *r = open_retriever();
    struct query q = query_default("And why?");
    q.before = "Did nobody leave when you sang in the choir?";
    struct passages ps = get(r, &q);
    assert_true(ps.n >= 1);
    check_has(ps.p[0].text.seg[0].text, "alto");
    passages_clear(&ps);
    retriever_close(r);
}

/* A text that came in a moment ago is as near to a question as it will be. */
static void not_settled_yet(void **state)
{
    static const char *const news = "Bought a violin in Leipzig, and two spare strings for it.";
    struct err err = { 0 };
    struct query q = query_default("Which musical instrument did you purchase?");
    float similarity[2] = { 0 };
    q.adaptive = false;
    q.mode = QUERY_VECTOR; /* by meaning alone: it has no word of the question's */
    check_ok(ingest_text(t.home, t.persona, "Fiddle", news, strlen(news),
                         clock_from_civil(2020, 1, 1, 0, 0, 0), &err),
             err);
    for (int settled = 0; settled < 2; settled++) {
        if (settled) check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
        struct retriever *r = open_retriever();
        struct passages ps = get(r, &q);
        for (size_t i = 0; i < ps.n; i++)
            if (strstr(ps.p[i].text.seg[0].text, "violin"))
                similarity[settled] = ps.p[i].similarity;
        passages_clear(&ps);
        retriever_close(r);
    }
    assert_true(similarity[0] > 0);
    check_near(similarity[0], similarity[1], 1e-3);
}

static void changed_elsewhere(void **state)
{
    static const char *const news =
        "A lighthouse keeper came to tea and told me about fog signals.";
    struct err err = { 0 };
    test_home_reopen(&t, STORE_READ);
    struct retriever *r = open_retriever();
    struct query q = query_default("lighthouse fog signals");
    q.adaptive = false;
    q.mode = QUERY_KEYWORD;
    struct passages ps = get(r, &q);
    assert_false(holds(&ps, "lighthouse"));
    passages_clear(&ps);
    struct home *h;
    struct persona *p;
    check_ok(home_open(t.path, &t.secret, STORE_WRITE, &h, &err), err);
    check_ok(persona_open(h, "", &p, &err), err);
    check_ok(
        ingest_text(h, p, "Tea", news, strlen(news), clock_from_civil(2021, 1, 1, 0, 0, 0), &err),
        err);
    check_ok(persona_settle(h, p, NULL, &err), err);
    persona_close(p);
    home_close(h);
    ps = get(r, &q);
    assert_true(holds(&ps, "lighthouse"));
    passages_clear(&ps);
    assert_true(retriever_bytes(r) > 0);
    retriever_close(r);
}

/* What another handle left cannot be read: every question says so, until it is mended. */
static void cannot_be_read_anew(void **state)
{
    struct err err = { 0 };
    struct home *h;
    struct persona *p;
    struct conversation *talk;
    struct answer a;
    bool unsaved;
    test_home_reopen(&t, STORE_READ);
    struct retriever *r = open_retriever();
    check_ok(conversation_open(r, "quote", 0, false, &talk, &err), err);
    struct query q = query_default("What about the bees?");
    struct passages ps = get(r, &q);
    assert_true(ps.n > 0);
    int64_t source = ps.p[0].source;
    passages_clear(&ps);
    assert_string_not_equal(retriever_title(r, source), "");
    struct row_chunk broken = {
        .source = source, .written_at = CLOCK_NONE, .topic = -1, .body = "?", .body_n = 1
    };
    check_ok(home_open(t.path, &t.secret, STORE_WRITE, &h, &err), err);
    check_ok(persona_open(h, "", &p, &err), err);
    check_ok(store_chunk_put(h->store, &p->seal, &broken, &err), err);
    for (int i = 0; i < 2; i++) {
        check_int(conversation_ask(talk, q.text, &q, &a, &unsaved, &err), ERR_PARSE);
        check_int(retrieve(r, &q, &ps, &err), ERR_PARSE);
        check_int(ps.n, 0);
        assert_string_equal(retriever_title(r, source), "");
        check_int(retriever_bytes(r), 0);
    }
    check_ok(store_chunks_clear(h->store, &p->seal, source, &err), err);
    check_ok(persona_settle(h, p, NULL, &err), err);
    persona_close(p);
    home_close(h);
    err = (struct err){ 0 };
    check_ok(conversation_ask(talk, q.text, &q, &a, &unsaved, &err), err);
    assert_true(a.n_cites > 0);
    answer_clear(&a);
    assert_string_not_equal(retriever_title(r, source), "");
    conversation_close(talk);
    retriever_close(r);
}

static void check_same(struct retriever *a, struct retriever *b, const char *question)
{
    struct query q = query_default(question);
    struct passages x = get(a, &q), y = get(b, &q);
    assert_true(x.n > 0);
    check_int(x.n, y.n);
    for (size_t i = 0; i < x.n; i++) {
        check_int(x.p[i].chunk, y.p[i].chunk);
        assert_true(x.p[i].similarity == y.p[i].similarity && x.p[i].score == y.p[i].score);
        assert_string_equal(x.p[i].text.seg[0].text, y.p[i].text.seg[0].text);
    }
    passages_clear(&x);
    passages_clear(&y);
}

static struct retriever *open_on(struct corpus *c)
{
    struct err err = { 0 };
    struct retriever *r = NULL;
    check_ok(retriever_open_on(t.home, t.persona, c, &r, &err), err);
    return r;
}

/* Two search one corpus, and find what each finds in its own; it outlives who read it. */
static void one_corpus_for_two(void **state)
{
    struct retriever *a = open_retriever(), *own = open_retriever();
    struct corpus *c = retriever_corpus(a);
    struct retriever *b = open_on(c);
    assert_ptr_equal(retriever_corpus(b), c);
    assert_ptr_not_equal(retriever_corpus(own), c);
    check_int(retriever_bytes(b), corpus_bytes(c) + retriever_own_bytes(b));
    check_same(a, b, "What about the bees?");
    retriever_close(a);
    check_same(b, own, "Where was the ferry?");
    check_same(b, own, "What about the bees?");
    retriever_adopt(own, c);
    assert_ptr_equal(retriever_corpus(own), c);
    check_int(atomic_load(&c->holders), 2);
    retriever_close(b);
    check_int(atomic_load(&c->holders), 1);
    b = open_retriever();
    check_same(b, own, "Where was the ferry?");
    retriever_close(b);
    retriever_close(own);
}

/* Vectors of another embedder are no use to who opens now. */
static void of_another_embedder(void **state)
{
    struct err err = { 0 };
    check_ok(persona_reembed(t.home, t.persona, "hash", NULL, &err), err);
    struct retriever *before = open_retriever();
    retriever_pin(before, true);
    check_ok(persona_reembed(t.home, t.persona, "static", NULL, &err), err);
    struct retriever *r = open_on(retriever_corpus(before));
    assert_ptr_not_equal(retriever_corpus(r), retriever_corpus(before));
    assert_true(corpus_fits(retriever_corpus(r), retriever_embedding(r)));
    assert_false(corpus_fits(retriever_corpus(before), retriever_embedding(r)));
    retriever_adopt(r, retriever_corpus(before)); /* it does not */
    assert_ptr_not_equal(retriever_corpus(r), retriever_corpus(before));
    struct retriever *fresh = open_retriever();
    check_same(r, fresh, "What about the bees?");
    retriever_close(fresh);
    retriever_close(r);
    retriever_close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(by_time),
        cmocka_unit_test(by_source_and_topic),
        cmocka_unit_test(how_many),
        cmocka_unit_test(modes),
        cmocka_unit_test(plain_cosine),
        cmocka_unit_test(with_before),
        cmocka_unit_test(not_settled_yet),
        cmocka_unit_test(one_corpus_for_two),
        cmocka_unit_test(of_another_embedder),
        cmocka_unit_test(changed_elsewhere),
        cmocka_unit_test(cannot_be_read_anew),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("persona/retrieve", tests, setup, teardown);
}
