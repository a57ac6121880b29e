/* Sources: counts, and a deletion after which nothing remembers what was deleted. */
#include "check.h"
#include "persona_home.h"

#include "persona/converse.h"
#include "persona/internal.h"
#include "persona/source.h"

static struct err err;

static void add(struct test_home *t, const char *title, const char *text)
{
    check_ok(ingest_text(t->home, t->persona, title, text, strlen(text), 86400, &err), err);
}

static const char *const BOATS[] = {
    "I bought the old boat in spring. The boat leaks at the stern, but I love the old boat.",
    "The harbour was quiet this morning. I walked along the harbour wall and looked at the boat.",
    "A boat teaches you patience. The harbour master laughed at my boat.",
    "In winter the harbour freezes. The boat stands in the shed until the harbour is open.",
    "I painted the boat blue. The harbour smelled of paint for a week.",
};
static const char *const SECRET[] = {
    "The zorblax recipe came from my aunt. I bake the zorblax in the evening with quince.",
    "Nobody knows about the zorblax. The quince must be ripe or the zorblax is bitter.",
    "I took the zorblax to the fair. People asked about the quince and the zorblax.",
};

static char shown[8000];
static int n_shown;

static int show(void *ud, const struct source *s)
{
    size_t n = strlen(shown);
    snprintf(shown + n, sizeof shown - n, "%s|%s|%llu/%llu/%llu|%s\n", s->title, s->format,
             (unsigned long long)s->pieces, (unsigned long long)s->voice,
             (unsigned long long)s->chunks, s->topics);
    n_shown++;
    if (ud) *(int64_t *)ud = s->id;
    return 0;
}

static void list(struct test_home *t, int64_t *last_id)
{
    shown[0] = 0;
    n_shown = 0;
    check_ok(source_each(t->home, t->persona, 0, show, last_id, &err), err);
}

static int remember(void *ud, const struct source *s)
{
    if (strstr(s->title, ud)) *(int64_t *)((char *)ud + 32) = s->id;
    return 0;
}

static int64_t id_of(struct test_home *t, const char *title)
{
    _Alignas(8) char want[40] = { 0 };
    snprintf(want, 32, "%s", title);
    check_ok(source_each(t->home, t->persona, 0, remember, want, &err), err);
    int64_t id;
    memcpy(&id, want + 32, 8);
    assert_true(id > 0);
    return id;
}

static void counts_and_dates(void **state)
{
    struct test_home t;
    struct persona_counts n;
    test_home_open(&t);
    test_home_sample(&t);
    list(&t, NULL);
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.sources, n_shown);
    assert_true(n.pieces > 150 && n.voice > 100 && n.chunks > 50 && n.voice < n.pieces);
    char from[24], to[24];
    clock_date(n.from, from);
    clock_date(n.to, to);
    assert_true(strcmp(from, "2000") > 0 && strcmp(to, "2026") < 0 && strcmp(from, to) < 0);
    check_has(shown, "Anna Whitlock");
    check_has(shown, "mail.mbox|mbox");
    check_int(source_each(t.home, t.persona, 987654, show, NULL, &err), ERR_NOTFOUND);
    test_home_close(&t);
}

struct find {
    const char *word;
    int hits;
};

static int find_doc(void *ud, const char *name, const char *body, size_t n)
{
    struct find *f = ud;
    f->hits += memmem(body, n, f->word, strlen(f->word)) != NULL;
    return 0;
}

static int find_turn(void *ud, const struct row_turn *r)
{
    struct find *f = ud;
    f->hits += memmem(r->body, r->body_n, f->word, strlen(f->word)) != NULL;
    return 0;
}

static int find_conversation(void *ud, int64_t id, int64_t at, uint64_t n_turns, const char *b,
                             size_t n)
{
    struct test_home *t = ((void **)ud)[0];
    return store_turn_each(t->home->store, &t->persona->seal, id, find_turn, ((void **)ud)[1],
                           &err);
}

static int derived_mentions(struct test_home *t, const char *word)
{
    struct find f = { word, 0 };
    check_ok(store_doc_each(t->home->store, &t->persona->seal, find_doc, &f, &err), err);
    return f.hits;
}

static int turns_mention(struct test_home *t, const char *word)
{
    struct find f = { word, 0 };
    void *ud[] = { t, &f };
    check_ok(
        store_conversation_each(t->home->store, &t->persona->seal, find_conversation, ud, &err),
        err);
    return f.hits;
}

static void ask(struct test_home *t, const char *question)
{
    struct retriever *r;
    struct conversation *c;
    struct answer a;
    check_ok(retriever_open(t->home, t->persona, &r, &err), err);
    check_ok(conversation_open(r, "quote", 0, true, &c, &err), err);
    check_ok(conversation_ask(c, question, NULL, &a, NULL, &err), err);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static void deleted_and_forgotten(void **state)
{
    struct test_home t;
    struct gone gone;
    struct persona_counts before, after;
    char path[500];
    struct buf b = BUF_INIT(0);
    test_home_open(&t);
    for (size_t i = 0; i < 30; i++) {
        char text[400];
        snprintf(text, sizeof text, "%s This was day %zu.", BOATS[i % 5], i);
        add(&t, "Boats", text);
    }
    for (size_t i = 0; i < 90; i++) buf_printf(&b, "%s This was day %zu.\n\n", SECRET[i % 3], i);
    snprintf(path, sizeof path, "%s/kitchen.txt", t.dir);
    check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
    struct ingest_totals tot;
    check_int(test_home_add(&t, path, &tot), 0);
    ask(&t, "What do you bake with quince?");
    assert_true(derived_mentions(&t, "zorblax") > 0);
    assert_true(turns_mention(&t, "zorblax") > 0);
    check_ok(persona_counts(t.home, t.persona, &before, &err), err);

    int64_t id = id_of(&t, "kitchen");
    check_ok(source_delete(t.home, t.persona, id, &gone, &err), err);
    check_int(gone.pieces, 1);
    assert_true(gone.chunks >= 1);
    check_int(gone.vectors, gone.chunks);
    assert_true(gone.turns >= 1);
    assert_true(gone.phrases >= 1);
    check_int(t.persona->stale, true);
    check_int(derived_mentions(&t, "zorblax"), 0); /* even before settling */
    check_int(turns_mention(&t, "zorblax"), 0);
    check_ok(persona_counts(t.home, t.persona, &after, &err), err);
    check_int(after.pieces, before.pieces - 1);
    check_int(after.chunks, before.chunks - gone.chunks);
    check_int(source_delete(t.home, t.persona, id, &gone, &err), ERR_NOTFOUND);
    check_int(gone.pieces, 0);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    check_int(derived_mentions(&t, "zorblax"), 0);
    assert_true(derived_mentions(&t, "boat") > 0);
    list(&t, NULL);
    check_hasnt(shown, "zorblax");
    check_hasnt(shown, "kitchen");

    check_int(test_home_add(&t, path, &tot), 0); /* and it may come back */
    check_int(tot.added, 1);
    buf_free(&b);
    test_home_close(&t);
}

/* What the embedder learnt from a deleted source goes too: settled homes with and without the
 * detour are the same. */
struct state_of {
    struct buf body;
};

static int keep_state(void *ud, const struct row_embedder *r)
{
    struct state_of *s = ud;
    if (r->current) buf_add(&s->body, r->body, r->body_n);
    return 0;
}

static void the_embedder_forgets(void **state)
{
    struct state_of s[2] = { { BUF_INIT(0) }, { BUF_INIT(0) } };
    for (int detour = 0; detour < 2; detour++) {
        struct test_home t;
        test_home_open(&t);
        for (size_t i = 0; i < 5; i++) add(&t, "Boats", BOATS[i]);
        if (detour) add(&t, "Kitchen", SECRET[0]);
        check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
        if (detour) {
            check_ok(source_delete(t.home, t.persona, id_of(&t, "Kitchen"), NULL, &err), err);
            check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
        }
        check_ok(store_embedder_each(t.home->store, &t.persona->seal, keep_state, &s[detour], &err),
                 err);
        test_home_close(&t);
    }
    check_int(s[0].body.n, s[1].body.n);
    assert_memory_equal(s[0].body.p, s[1].body.p, s[0].body.n);
    buf_free(&s[0].body);
    buf_free(&s[1].body);
}

static void everything_deleted(void **state)
{
    struct test_home t;
    test_home_open(&t);
    for (size_t i = 0; i < 5; i++) add(&t, "Boats", BOATS[i]);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    for (int i = 0; i < 5; i++) {
        int64_t id = 0;
        list(&t, &id);
        check_int(n_shown, 5 - i);
        check_ok(source_delete(t.home, t.persona, id, NULL, &err), err);
    }
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    list(&t, NULL);
    check_int(n_shown, 0);
    test_home_reopen(&t, STORE_READ);
    check_int(source_delete(t.home, t.persona, 1, NULL, &err), ERR_INVAL);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(counts_and_dates),
        cmocka_unit_test(deleted_and_forgotten),
        cmocka_unit_test(the_embedder_forgets),
        cmocka_unit_test(everything_deleted),
    };
    return check_run("persona/source", t);
}
