/* The pool: desks are shared out fairly, never two hands on one, within what they may hold; changes
 * are seen by whoever asks after pool_changed; one writer at a time; what desks search they have in
 * common, for as long as one of them has it. */
#include "persona_home.h"

#include "persona/corpus.h"
#include "persona/pool.h"

#include <pthread.h>
#include <stdatomic.h>

static struct err err;
static const struct persona_new ANN = { .name = "Ann",
                                        .kind = PERSONA_FICTIONAL,
                                        .consent_by = "x",
                                        .consent_to = "y",
                                        .consent_at = 1,
                                        .chunk_overlap = -1,
                                        .any_name = true };

static void ask(struct desk *d, const char *question, size_t *found)
{
    struct err e = { 0 };
    struct query q = query_default(question);
    struct passages ps = { 0 };
    check_ok(retrieve(d->retriever, &q, &ps, &e), e);
    *found = ps.n;
    passages_clear(&ps);
}

static void add(struct home *h, const uint8_t uid[VAULT_UID], const char *text)
{
    struct persona *p;
    check_ok(persona_open_uid(h, uid, &p, &err), err);
    check_ok(ingest_text(h, p, "a note", text, strlen(text), 86400, &err), err);
    check_ok(persona_settle(h, p, NULL, &err), err);
    persona_close(p);
}

static void desks_stay_warm(void **state)
{
    struct test_home t;
    struct pool *pool;
    struct desk *a, *b, *c;
    struct pool_load load;
    size_t n;
    test_home_open(&t);
    test_home_sample(&t);
    const uint8_t *uid = t.persona->seal.uid;
    check_ok(pool_open(t.home, &(struct pool_opts){ .desks = 2 }, &pool, &err), err);
    check_ok(pool_take(pool, uid, 0, &a, &err), err);
    ask(a, "Where is the ferry?", &n);
    assert_true(n > 0);
    check_ok(pool_take(pool, uid, 0, &b, &err), err);
    assert_ptr_not_equal(a, b);
    check_int(pool_take(pool, uid, 0, &c, &err), ERR_BUSY);
    check_int(pool_take(pool, uid, 20, &c, &err), ERR_BUSY);
    assert_null(c);
    pool_give(pool, b);
    check_ok(pool_take(pool, uid, 0, &c, &err), err);
    assert_ptr_equal(b, c);
    pool_load(pool, &load);
    check_int(load.desks, 2);
    check_int(load.busy, 2);
    check_int(load.opened, 2);
    assert_true(load.bytes > corpus_bytes(retriever_corpus(a->retriever)));
    pool_give(pool, a);
    pool_give(pool, c);
    pool_give(pool, NULL);
    pool_close(pool);
    test_home_close(&t);
}

static void a_change_is_seen(void **state)
{
    struct test_home t;
    struct pool *pool;
    struct desk *busy, *fresh;
    struct home *w;
    size_t n;
    test_home_open(&t);
    const uint8_t *uid = t.persona->seal.uid;
    check_ok(pool_open(t.home, &(struct pool_opts){ .desks = 2 }, &pool, &err), err);
    check_ok(pool_take(pool, uid, 0, &busy, &err), err);
    ask(busy, "What about the zorblax?", &n);
    check_int(n, 0);
    check_ok(pool_write(pool, 0, &w, &err), err);
    add(w, uid, "I bake the zorblax in the evening.");
    pool_changed(pool, uid);
    pool_wrote(pool, w);
    ask(busy, "What about the zorblax?", &n);
    check_int(n, 0); /* pinned */
    check_ok(pool_take(pool, uid, 0, &fresh, &err), err);
    ask(fresh, "What about the zorblax?", &n);
    check_int(n, 1);
    pool_give(pool, busy); /* behind: closed */
    struct pool_load load;
    pool_load(pool, &load);
    check_int(load.desks, 1);
    pool_give(pool, fresh);
    pool_close(pool);
    test_home_close(&t);
}

static uint64_t bytes_of(struct pool *pool)
{
    struct pool_load load;
    pool_load(pool, &load);
    return load.bytes;
}

static size_t with_word(struct desk *d, const char *word)
{
    struct err e = { 0 };
    struct query q = query_default(word);
    struct passages ps = { 0 };
    q.mode = QUERY_KEYWORD;
    check_ok(retrieve(d->retriever, &q, &ps, &e), e);
    size_t n = ps.n;
    passages_clear(&ps);
    return n;
}

/* The corpus is counted once, and is there until the last desk that has it goes. */
static void desks_have_a_corpus_in_common(void **state)
{
    struct test_home t;
    struct pool *pool;
    struct desk *d[3], *fresh[2];
    struct home *w;
    uint64_t bytes[3];
    test_home_open(&t);
    test_home_sample(&t);
    const uint8_t *uid = t.persona->seal.uid;
    check_ok(pool_open(t.home, &(struct pool_opts){ .desks = 5 }, &pool, &err), err);
    for (int i = 0; i < 3; i++) {
        check_ok(pool_take(pool, uid, 0, &d[i], &err), err);
        assert_ptr_equal(retriever_corpus(d[0]->retriever), retriever_corpus(d[i]->retriever));
        bytes[i] = bytes_of(pool);
    }
    struct corpus *c = retriever_corpus(d[0]->retriever);
    check_int(atomic_load(&c->holders), 3);
    check_int(bytes[2] - bytes[1], bytes[1] - bytes[0]);
    check_int(bytes[0] - (bytes[1] - bytes[0]), corpus_bytes(c));
    check_ok(pool_write(pool, 0, &w, &err), err);
    add(w, uid, "I bake the zorblax in the evening.");
    pool_changed(pool, uid);
    pool_wrote(pool, w);
    for (int i = 0; i < 2; i++) check_ok(pool_take(pool, uid, 0, &fresh[i], &err), err);
    assert_ptr_not_equal(c, retriever_corpus(fresh[0]->retriever));
    assert_ptr_equal(retriever_corpus(fresh[0]->retriever), retriever_corpus(fresh[1]->retriever));
    for (int i = 0; i < 3; i++) { /* those before them go on, and go one by one */
        check_int(with_word(d[i], "zorblax"), 0);
        assert_true(with_word(d[i], "ferry") > 0);
        check_int(atomic_load(&c->holders), 3 - i);
        pool_give(pool, d[i]);
    }
    for (int i = 0; i < 2; i++) {
        check_int(with_word(fresh[i], "zorblax"), 1);
        pool_give(pool, fresh[i]);
    }
    assert_true(bytes_of(pool) > 0);
    pool_changed(pool, uid);
    check_int(bytes_of(pool), 0);
    pool_close(pool);
    test_home_close(&t);
}

static void a_forgotten_persona_is_not_there(void **state)
{
    struct test_home t;
    struct pool *pool;
    struct desk *d;
    struct home *w;
    struct pool_load load;
    uint8_t uid[VAULT_UID], other[VAULT_UID] = { 1 };
    test_home_open(&t);
    memcpy(uid, t.persona->seal.uid, sizeof uid);
    check_ok(pool_open(t.home, &(struct pool_opts){ 0 }, &pool, &err), err);
    check_int(pool_take(pool, other, 0, &d, &err), ERR_NOTFOUND);
    assert_null(d);
    check_ok(pool_take(pool, uid, 0, &d, &err), err);
    pool_give(pool, d);
    check_ok(pool_write(pool, 0, &w, &err), err);
    check_ok(persona_forget_uid(w, uid, &err), err);
    pool_changed(pool, uid);
    pool_wrote(pool, w);
    pool_load(pool, &load);
    check_int(load.desks, 0);
    check_int(load.bytes, 0);
    check_int(pool_take(pool, uid, 0, &d, &err), ERR_NOTFOUND);
    pool_close(pool);
    test_home_close(&t);
}

static void memory_has_a_limit(void **state)
{
    struct test_home t;
    struct persona *p;
    struct pool *pool;
    struct desk *a, *b;
    struct pool_load load;
    uint8_t uid[4][VAULT_UID];
    test_home_open(&t);
    for (int i = 0; i < 4; i++) {
        check_ok(persona_create(t.home, &ANN, &p, &err), err);
        memcpy(uid[i], p->seal.uid, VAULT_UID);
        persona_close(p);
    }
    check_ok(pool_open(t.home, &(struct pool_opts){ .memory = 1 << 20, .desks = 8 }, &pool, &err),
             err);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 4; i++) {
            check_ok(pool_take(pool, uid[i], 0, &a, &err), err);
            pool_give(pool, a);
            pool_load(pool, &load);
            assert_true(load.bytes <= 1 << 20);
            assert_true(load.desks >= 1);
        }
    pool_close(pool);
    check_ok(pool_open(t.home, &(struct pool_opts){ .memory = 1, .desks = 8 }, &pool, &err), err);
    check_ok(pool_take(pool, uid[0], 0, &a, &err), err); /* the first, whatever it takes */
    check_int(pool_take(pool, uid[0], 0, &b, &err), ERR_BUSY);
    pool_give(pool, a);
    pool_load(pool, &load);
    check_int(load.desks, 0);
    pool_close(pool);
    test_home_close(&t);
}

/* ---- many threads ---- */

#define THREADS 8
#define ROUNDS  25

struct crowd {
    struct pool *pool;
    uint8_t uid[2][VAULT_UID];
    atomic_int at_desks[2], writing, asked, wrote, failed, most[2];
};

static void note_most(atomic_int *most, int now)
{
    int was = atomic_load(most);
    while (now > was && !atomic_compare_exchange_weak(most, &was, now)) continue;
}

static int one_question(struct crowd *c, int which)
{
    struct desk *d;
    struct query q = query_default("the boat in the harbour");
    struct passages ps = { 0 };
    struct conversation *talk = NULL;
    struct answer a = { 0 };
    int rc = pool_take(c->pool, c->uid[which], 60000, &d, NULL);
    if (rc) return rc;
    note_most(&c->most[which], atomic_fetch_add(&c->at_desks[which], 1) + 1);
    rc = conversation_open(d->retriever, "quote", 0, false, &talk, NULL);
    if (!rc) rc = conversation_ask(talk, "Where is the boat?", NULL, &a, NULL, NULL);
    if (!rc) rc = retrieve(d->retriever, &q, &ps, NULL);
    conversation_close(talk);
    answer_clear(&a);
    passages_clear(&ps);
    atomic_fetch_sub(&c->at_desks[which], 1);
    pool_give(c->pool, d);
    return rc;
}

static int one_change(struct crowd *c, int which, int i)
{
    struct home *w;
    struct persona *p = NULL;
    char text[80];
    int rc = pool_write(c->pool, 60000, &w, NULL);
    if (rc) return rc;
    if (atomic_fetch_add(&c->writing, 1)) rc = ERR_INTERNAL;
    snprintf(text, sizeof text, "The boat number %d lies in the harbour.", i);
    if (!rc) rc = persona_open_uid(w, c->uid[which], &p, NULL);
    if (!rc) rc = ingest_text(w, p, NULL, text, strlen(text), i, NULL);
    persona_close(p);
    pool_changed(c->pool, c->uid[which]);
    atomic_fetch_sub(&c->writing, 1);
    pool_wrote(c->pool, w);
    return rc;
}

static void *crowd_member(void *ud)
{
    struct crowd *c = ud;
    for (int i = 0; i < ROUNDS; i++) {
        int n = atomic_fetch_add(&c->asked, 1), which = n % 2, rc;
        if (n % 8 == 0) {
            atomic_fetch_add(&c->wrote, 1);
            rc = one_change(c, which, n);
        } else {
            rc = one_question(c, which);
        }
        if (rc) atomic_fetch_add(&c->failed, 1);
    }
    return NULL;
}

static void many_threads(void **state)
{
    struct test_home t;
    struct persona *p;
    struct crowd c = { 0 };
    struct persona_counts counts;
    struct pool_load load;
    pthread_t th[THREADS];
    test_home_open(&t);
    memcpy(c.uid[0], t.persona->seal.uid, VAULT_UID);
    check_ok(persona_create(t.home, &ANN, &p, &err), err);
    memcpy(c.uid[1], p->seal.uid, VAULT_UID);
    check_ok(pool_open(t.home, &(struct pool_opts){ .desks = 3 }, &c.pool, &err), err);
    for (int i = 0; i < THREADS; i++) check_int(pthread_create(&th[i], NULL, crowd_member, &c), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(th[i], NULL);
    check_int(atomic_load(&c.failed), 0);
    assert_true(atomic_load(&c.most[0]) <= 3 && atomic_load(&c.most[1]) <= 3);
    pool_load(c.pool, &load);
    check_int(load.busy, 0);
    assert_true(load.desks <= 6);
    for (int i = 0; i < 2; i++) pool_changed(c.pool, c.uid[i]);
    pool_load(c.pool, &load);
    check_int(load.desks, 0);
    check_int(load.bytes, 0);
    pool_close(c.pool);
    uint64_t pieces = 0;
    check_ok(persona_counts(t.home, t.persona, &counts, &err), err);
    pieces += counts.pieces;
    check_ok(persona_counts(t.home, p, &counts, &err), err);
    check_int(pieces + counts.pieces, atomic_load(&c.wrote)); /* none was lost */
    persona_close(p);
    test_home_close(&t);
}

/* Who came first is served first: the waiters queue up one after the other. */
struct queue {
    struct pool *pool;
    int order[4];
    atomic_int at, standing;
};

struct in_line {
    struct queue *q;
    int number;
};

static void *stand_in_line(void *ud)
{
    struct in_line *me = ud;
    struct home *w;
    atomic_fetch_add(&me->q->standing, 1);
    if (pool_write(me->q->pool, 60000, &w, NULL)) return NULL;
    me->q->order[atomic_fetch_add(&me->q->at, 1)] = me->number;
    pool_wrote(me->q->pool, w);
    return NULL;
}

static void the_writer_goes_round(void **state)
{
    struct test_home t;
    struct queue q = { 0 };
    struct home *w, *other;
    test_home_open(&t);
    check_ok(pool_open(t.home, &(struct pool_opts){ 0 }, &q.pool, &err), err);
    check_ok(pool_write(q.pool, 0, &w, &err), err);
    assert_ptr_equal(w, t.home);
    check_int(pool_write(q.pool, 0, &other, &err), ERR_BUSY);
    check_int(pool_write(q.pool, 10, &other, &err), ERR_BUSY);
    assert_false(pool_wanted(q.pool));
    pthread_t th;
    struct in_line me = { &q, 7 };
    check_int(pthread_create(&th, NULL, stand_in_line, &me), 0);
    while (!pool_wanted(q.pool)) sched_yield();
    check_int(atomic_load(&q.at), 0);
    check_ok(store_begin(w->store, &err), err); /* left open: undone */
    pool_wrote(q.pool, w);
    pthread_join(th, NULL);
    check_int(q.order[0], 7);
    check_ok(pool_write(q.pool, 0, &w, &err), err);
    check_ok(store_begin(w->store, &err), err);
    pool_wrote(q.pool, w);
    pool_close(q.pool);
    test_home_close(&t);
}

/* ---- conversations ---- */

static void turns_are_saved_by_the_writer(void **state)
{
    struct test_home t;
    struct pool *pool;
    struct desk *d;
    struct home *w;
    struct conversation *c;
    struct answer a;
    bool unsaved;
    test_home_open(&t);
    test_home_sample(&t);
    const uint8_t *uid = t.persona->seal.uid;
    check_ok(pool_open(t.home, &(struct pool_opts){ 0 }, &pool, &err), err);
    check_ok(pool_take(pool, uid, 0, &d, &err), err);
    check_ok(conversation_open(d->retriever, "quote", 0, true, &c, &err), err);
    check_ok(conversation_ask(c, "Where do you live?", NULL, &a, &unsaved, &err), err);
    assert_true(unsaved); /* a desk only reads */
    answer_clear(&a);
    pool_keep(pool, c);
    check_ok(conversation_ask(c, "And what about boats?", NULL, &a, &unsaved, &err), err);
    assert_false(unsaved);
    answer_clear(&a);
    int64_t id = conversation_id(c);
    assert_true(id > 0);
    check_ok(pool_write(pool, 0, &w, &err), err); /* nobody can save now, but answer */
    check_ok(conversation_ask(c, "Why?", NULL, &a, &unsaved, &err), err);
    assert_true(unsaved);
    assert_true(strlen(a.text) > 0);
    answer_clear(&a);
    conversation_close(c);
    pool_wrote(pool, w);
    check_ok(conversation_open(d->retriever, "quote", id, true, &c, &err), err);
    check_int(conversation_turns(c), 1);
    conversation_close(c);
    pool_give(pool, d);
    pool_close(pool);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desks_stay_warm),
        cmocka_unit_test(a_change_is_seen),
        cmocka_unit_test(desks_have_a_corpus_in_common),
        cmocka_unit_test(a_forgotten_persona_is_not_there),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(the_writer_goes_round),
        cmocka_unit_test(turns_are_saved_by_the_writer),
    };
    return check_run("persona/pool", tests);
}
