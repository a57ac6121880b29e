/* Settling: what is derived is up to date, repeatable, and readable while it is being made. */
#include "check.h"
#include "persona_home.h"

#include "base/map.h"
#include "base/str.h"
#include "base/threads.h"
#include "model/embed.h"
#include "persona/internal.h"
#include "persona/profile.h"
#include "persona/retrieve.h"
#include "persona/topics.h"

static struct err err;

#define ENCODER "tests/model/encoders/bert-mean.gguf"

static const char *const WORD[] = { "harbour", "boat",  "bread",  "oven",   "pump",  "tide",
                                    "letter",  "shed",  "garden", "window", "paint", "winter",
                                    "dog",     "train", "market", "kettle" };

/* With the embedder that learns, whatever new personas get. */
static void open_home(struct test_home *t)
{
    test_home_open(t);
    check_ok(persona_reembed(t->home, t->persona, "hash", NULL, &err), err);
}

/* Text i: a few sentences; neighbours share words, so that there are topics to find. */
static void text_of(int i, struct buf *b)
{
    buf_clear(b);
    for (int k = 0; k < 6; k++)
        buf_printf(b, "I saw the %s near the %s on day %d and wrote %s%d. ", WORD[(i / 8 + k) % 16],
                   WORD[(i + k * 3) % 16], i, WORD[(i * 5 + k) % 16], i % 7);
}

static void add_texts(struct test_home *t, int from, int to)
{
    struct buf b = BUF_INIT(0);
    for (int i = from; i < to; i++) {
        char title[32];
        snprintf(title, sizeof title, "Note %d", i);
        text_of(i, &b);
        check_ok(ingest_text(t->home, t->persona, title, b.p, b.n, 86400 * (int64_t)i, &err), err);
    }
    buf_free(&b);
}

static void settle(struct test_home *t)
{
    check_ok(persona_settle(t->home, t->persona, NULL, &err), err);
    check_int(t->persona->stale, false);
}

/* ---- everything derived, as one number, and vectors by chunk ---- */

struct look {
    uint64_t sum;
    uint64_t vectors, chunks, current, embedders;
    int64_t embedder;
    int dim;
    struct map by_chunk; /* chunk -> hash of its vector */
};

static int look_embedder(void *ud, const struct row_embedder *r)
{
    struct look *l = ud;
    struct cursor c = cursor_of(r->body, r->body_n, "embedder");
    struct span name = cursor_lstr(&c, "name"), state = cursor_lstr(&c, "state");
    l->embedders++;
    if (r->current) {
        l->current++;
        l->embedder = r->id;
        l->dim = r->dim;
        assert_true(span_eq(name, "hash") || span_eq(name, ENCODER));
        l->sum = hash64(state.p, state.n, l->sum);
    }
    return 0;
}

static int look_vector(void *ud, int64_t chunk, const float *v, int dim)
{
    struct look *l = ud;
    double norm = 0;
    l->vectors++;
    check_int(dim % l->dim, 0);
    for (int i = 0; i < dim; i++) norm += (double)v[i] * v[i];
    check_near(norm / (dim / l->dim), 1, 1e-4);
    uint64_t h = hash64(v, (size_t)dim * sizeof *v, 0);
    *map_slot(&l->by_chunk, (uint64_t)chunk) = h;
    l->sum = hash64(&h, sizeof h, l->sum);
    return 0;
}

static int look_chunk(void *ud, const struct row_chunk *r)
{
    struct look *l = ud;
    l->chunks++;
    l->sum = hash64(r->body, r->body_n, l->sum);
    l->sum = hash64(&r->topic, sizeof r->topic, l->sum);
    return 0;
}

static int look_doc(void *ud, const char *name, const char *body, size_t n)
{
    struct look *l = ud;
    l->sum = hash64(name, strlen(name), l->sum);
    l->sum = hash64(body, n, l->sum);
    return 0;
}

static struct look look(struct test_home *t)
{
    struct look l = { 0 };
    struct store *st = t->home->store;
    const struct sealed *ps = &t->persona->seal;
    check_ok(store_embedder_each(st, ps, look_embedder, &l, &err), err);
    check_ok(store_vector_each(st, ps, l.embedder, look_vector, &l, &err), err);
    check_ok(store_chunk_each(st, ps, 0, look_chunk, &l, &err), err);
    check_ok(store_doc_each(st, ps, look_doc, &l, &err), err);
    check_int(l.current, 1);
    check_int(l.embedders, 1);
    check_int(l.vectors, l.chunks);
    return l;
}

static void get_doc(struct test_home *t, const char *name, struct buf *b)
{
    *b = BUF_INIT(0);
    check_ok(store_doc_get(t->home->store, &t->persona->seal, name, b, &err), err);
    assert_true(b->n > 0);
}

/* ---- tests ---- */

static void all_is_there(void **state)
{
    struct test_home t;
    struct buf b;
    struct topics ts;
    struct profile pf = { 0 };
    open_home(&t);
    add_texts(&t, 0, 60);
    check_int(t.persona->stale, true);
    settle(&t);
    struct look l = look(&t);
    check_int(l.chunks, 60);
    get_doc(&t, "topics", &b);
    check_ok(topics_load(b.p, b.n, &ts, &err), err);
    assert_true(ts.n >= 2);
    uint64_t in_topics = 0;
    for (size_t i = 0; i < ts.n; i++) in_topics += ts.t[i].chunks;
    assert_true(in_topics > 0 && in_topics <= 60);
    topics_clear(&ts);
    buf_free(&b);
    get_doc(&t, "profile", &b);
    check_ok(profile_load(b.p, b.n, &pf, &err), err);
    profile_clear(&pf);
    buf_free(&b);
    map_free(&l.by_chunk);
    test_home_close(&t);
}

static void an_empty_persona_settles(void **state)
{
    struct test_home t;
    open_home(&t);
    settle(&t);
    settle(&t);
    test_home_close(&t);
}

static void small_additions_keep_the_old_vectors(void **state)
{
    struct test_home t;
    open_home(&t);
    add_texts(&t, 0, 60);
    settle(&t);
    struct look a = look(&t);
    add_texts(&t, 60, 70);
    settle(&t);
    struct look b = look(&t);
    check_int(b.vectors, 70);
    check_int(b.embedder, a.embedder);
    for (size_t i = 0; (i = map_iter(&a.by_chunk, i));) {
        const uint64_t *now = map_get(&b.by_chunk, a.by_chunk.e[i - 1].key);
        assert_non_null(now);
        assert_true(*now == a.by_chunk.e[i - 1].value);
    }
    settle(&t); /* nothing to do: nothing changes */
    struct look c = look(&t);
    assert_true(c.sum == b.sum);
    add_texts(&t, 70, 90); /* now it is more than a quarter */
    settle(&t);
    struct look d = look(&t);
    check_int(d.vectors, 90);
    assert_true(d.embedder != a.embedder);
    size_t same = 0;
    for (size_t i = 0; (i = map_iter(&a.by_chunk, i));) {
        const uint64_t *now = map_get(&d.by_chunk, a.by_chunk.e[i - 1].key);
        same += now && *now == a.by_chunk.e[i - 1].value;
    }
    assert_true(same < 60);
    map_free(&a.by_chunk);
    map_free(&b.by_chunk);
    map_free(&c.by_chunk);
    map_free(&d.by_chunk);
    test_home_close(&t);
}

/* Nothing is embedded twice by an embedder that learns nothing; words and topics are anew. */
static void an_encoder_keeps_its_vectors(void **state)
{
    struct test_home t;
    struct retriever *r;
    test_home_open(&t);
    check_ok(persona_reembed(t.home, t.persona, ENCODER, NULL, &err), err);
    add_texts(&t, 0, 520);
    settle(&t);
    struct look a = look(&t);
    add_texts(&t, 520, 700);
    settle(&t);
    struct look b = look(&t);
    check_int(b.vectors, 700);
    check_int(b.embedder, a.embedder);
    for (size_t i = 0; (i = map_iter(&a.by_chunk, i));) {
        const uint64_t *now = map_get(&b.by_chunk, a.by_chunk.e[i - 1].key);
        assert_true(now && *now == a.by_chunk.e[i - 1].value);
    }
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    check_int(embed_learned(retriever_embedding(r)->words), 700);
    retriever_close(r);
    settle(&t);
    struct look c = look(&t);
    assert_true(c.sum == b.sum);
    map_free(&a.by_chunk);
    map_free(&b.by_chunk);
    map_free(&c.by_chunk);
    test_home_close(&t);
}

/* The counts in the list of topics follow the chunks. */
static void topics_count_new_chunks(void **state)
{
    struct test_home t;
    struct buf b;
    struct topics ts;
    uint64_t n = 0;
    open_home(&t);
    add_texts(&t, 0, 80);
    settle(&t);
    add_texts(&t, 80, 90);
    settle(&t);
    get_doc(&t, "topics", &b);
    check_ok(topics_load(b.p, b.n, &ts, &err), err);
    for (size_t i = 0; i < ts.n; i++) n += ts.t[i].chunks;
    check_int(n, 90);
    topics_clear(&ts);
    buf_free(&b);
    test_home_close(&t);
}

static void it_is_deterministic(void **state)
{
    uint64_t sum[3];
    for (int round = 0; round < 3; round++) {
        struct test_home t;
        struct buf topics, profile;
        threads_set(round == 2 ? 5 : 1);
        open_home(&t);
        add_texts(&t, 0, 300);
        settle(&t);
        struct look l = look(&t);
        get_doc(&t, "topics", &topics);
        get_doc(&t, "profile", &profile);
        sum[round] = hash64(topics.p, topics.n, l.sum);
        sum[round] = hash64(profile.p, profile.n, sum[round]);
        buf_free(&topics);
        buf_free(&profile);
        map_free(&l.by_chunk);
        test_home_close(&t);
    }
    threads_set(0);
    assert_true(sum[0] == sum[1]);
    assert_true(sum[0] == sum[2]);
}

static void check_search(struct retriever *r)
{
    struct query q = query_default("harbour boat");
    struct passages ps = { 0 };
    check_ok(retrieve(r, &q, &ps, &err), err);
    assert_true(ps.n >= 3);
    for (size_t i = 0; i < ps.n; i++)
        assert_true(ps.p[i].similarity > 0 && *ps.p[i].text.seg[0].text);
    passages_clear(&ps);
}

/* A reader asks at every step of the work. */
struct reader {
    struct home *home;
    struct persona *p;
    struct retriever *r;
    int asked;
};

static int ask_now(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    struct reader *r = ud;
    r->asked++;
    check_search(r->r);
    return 0;
}

static void searches_go_on_while_embedding(void **state)
{
    struct test_home t;
    struct reader r = { 0 };
    struct progress pr = { ask_now, &r };
    open_home(&t);
    add_texts(&t, 0, 80);
    settle(&t);
    struct look before = look(&t);
    check_ok(home_open(t.path, &t.secret, STORE_READ, &r.home, &err), err);
    check_ok(persona_open(r.home, "", &r.p, &err), err);
    check_ok(retriever_open(r.home, r.p, &r.r, &err), err);
    check_search(r.r);
    check_ok(persona_reembed(t.home, t.persona, "hash", &pr, &err), err);
    assert_true(r.asked > 3);
    check_search(r.r); /* reads the new ones */
    struct look after = look(&t);
    assert_true(after.embedder != before.embedder);
    for (size_t i = 0; (i = map_iter(&before.by_chunk, i));)
        assert_true(*map_get(&after.by_chunk, before.by_chunk.e[i - 1].key) ==
                    before.by_chunk.e[i - 1].value);
    check_int(persona_reembed(t.home, t.persona, "nonesuch", NULL, &err), ERR_INVAL);
    check_str(t.persona->embedder, "hash");
    retriever_close(r.r);
    persona_close(r.p);
    home_close(r.home);
    map_free(&before.by_chunk);
    map_free(&after.by_chunk);
    test_home_close(&t);
}

static int cancel_at(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    return !strcmp(stage, ud);
}

static void cancelled_changes_nothing(void **state)
{
    static const char *const stages[] = { "learn", "embed", "topics" };
    struct test_home t;
    open_home(&t);
    add_texts(&t, 0, 40);
    settle(&t);
    struct look a = look(&t);
    for (size_t i = 0; i < 3; i++) {
        struct progress pr = { cancel_at, (void *)(uintptr_t)stages[i] };
        err.msg[0] = 'x';
        check_int(persona_reembed(t.home, t.persona, "hash", &pr, &err), ERR_CANCEL);
        check_has(err.msg, "stopped");
        check_int(persona_reembed(t.home, t.persona, "hash", &pr, NULL), ERR_CANCEL);
        struct look b = look(&t);
        assert_true(a.sum == b.sum);
        map_free(&b.by_chunk);
    }
    test_home_reopen(&t, STORE_READ);
    check_int(persona_settle(t.home, t.persona, NULL, &err), ERR_INVAL);
    map_free(&a.by_chunk);
    test_home_close(&t);
}

/* Three hundred sources whose chunks were dropped, as an interrupted change leaves them. */
static int drop_chunks(void *ud, const struct row_source *r)
{
    struct test_home *t = ud;
    return store_chunks_clear(t->home->store, &t->persona->seal, r->id, &err);
}

static void missing_chunks_are_made(void **state)
{
    struct test_home t;
    open_home(&t);
    add_texts(&t, 0, 300);
    settle(&t);
    check_ok(store_begin(t.home->store, &err), err);
    check_ok(store_source_each(t.home->store, &t.persona->seal, 0, drop_chunks, &t, &err), err);
    check_ok(store_commit(t.home->store, &err), err);
    settle(&t);
    struct look l = look(&t);
    check_int(l.chunks, 300);
    map_free(&l.by_chunk);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(all_is_there),
        cmocka_unit_test(an_empty_persona_settles),
        cmocka_unit_test(small_additions_keep_the_old_vectors),
        cmocka_unit_test(an_encoder_keeps_its_vectors),
        cmocka_unit_test(topics_count_new_chunks),
        cmocka_unit_test(it_is_deterministic),
        cmocka_unit_test(searches_go_on_while_embedding),
        cmocka_unit_test(cancelled_changes_nothing),
        cmocka_unit_test(missing_chunks_are_made),
    };
    int rc = check_run("persona/settle", t);
    threads_stop();
    return rc;
}
