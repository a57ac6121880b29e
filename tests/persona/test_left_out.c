/* Secrets in files: they never reach the store, are told, and do not make a file another one. */
#include "check.h"
#include "persona_home.h"

#include "base/arena.h"
#include "persona/internal.h"

#define CARD "4111 1111 1111 1111"

static struct err err;
static struct ingest_file last;

static void keep_file(void *ud, const struct ingest_file *f) { last = *f; }

static void add(struct test_home *t, const char *path, struct ingest in)
{
    struct ingest_totals tot;
    in.home = t->home;
    in.persona = t->persona;
    in.day_first = -1;
    in.on_file = keep_file;
    check_ok(ingest_paths(&in, &path, 1, &tot, &err), err);
}

static uint64_t noted(const char *what)
{
    for (size_t i = 0; i < last.n_notes; i++)
        if (!strcmp(last.notes[i].what, what)) return last.notes[i].count;
    return 0;
}

/* ---- everything that is stored, opened ---- */

static int add_piece(void *ud, const struct row_piece *r)
{
    return buf_add(ud, r->body, r->body_n);
}
static int add_chunk(void *ud, const struct row_chunk *r)
{
    return buf_add(ud, r->body, r->body_n);
}
static int add_source(void *ud, const struct row_source *r)
{
    return buf_add(ud, r->body, r->body_n);
}
static int add_doc(void *ud, const char *name, const char *body, size_t n)
{
    return buf_add(ud, body, n);
}

static void stored(struct test_home *t, struct buf *out)
{
    const struct sealed *ps = &t->persona->seal;
    struct store *st = t->home->store;
    buf_clear(out);
    check_ok(store_piece_each(st, ps, 0, PIECE_BY_TIME, add_piece, out, &err), err);
    check_ok(store_chunk_each(st, ps, 0, add_chunk, out, &err), err);
    check_ok(store_source_each(st, ps, 0, add_source, out, &err), err);
    check_ok(store_doc_each(st, ps, add_doc, out, &err), err);
}

static bool holds(const struct buf *b, const char *s) { return memmem(b->p, b->n, s, strlen(s)); }

static const char *put(const struct test_home *t, const char *name, const char *text)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    check_ok(io_write_file(path, text, strlen(text), 0600, &err), err);
    return path;
}

static const char *put_mail(const struct test_home *t)
{
    return put(t, "x.eml",
               "From: Marit <marit@penhallow.example.org>\r\n"
               "To: Bank <bank@example.com>\r\n"
               "Date: Mon, 4 Mar 2019 10:22:07 +0000\r\n"
               "Message-ID: <1@example.org>\r\n"
               "Subject: My password is hunter2x\r\n\r\n"
               "The card is " CARD ", of the harbour shop.\r\n\r\n"
               "On Sun, 3 Mar 2019, Bank wrote:\r\n"
               "> Your account DE89 3704 0044 0532 0130 00 was opened.\r\n");
}

static void secrets_are_left_out(void **state)
{
    struct test_home t;
    struct buf all = BUF_INIT(0);
    test_home_open(&t);
    check_ok(persona_alias_add(t.home, t.persona, "marit@penhallow.example.org", &err), err);
    add(&t, put_mail(&t), (struct ingest){ .dry_run = true });
    check_int(noted("card number"), 1);
    add(&t, put_mail(&t), (struct ingest){ 0 });
    check_int(last.added, 1);
    check_int(noted("card number"), 1);
    check_int(noted("password"), 1);
    check_int(noted("bank account number"), 1);
    stored(&t, &all);
    assert_true(holds(&all, "The card is [card number left out], of the harbour shop."));
    assert_true(holds(&all, "My password is [password left out]"));
    assert_false(holds(&all, "4111"));
    assert_false(holds(&all, "hunter2x"));
    assert_false(holds(&all, "0532"));
    add(&t, put_mail(&t), (struct ingest){ 0 });
    check_int(last.known, 1);
    check_int(last.added, 0);
    check_int(last.n_notes, 0);
    buf_free(&all);
    test_home_close(&t);
}

/* What came in whole, before or by choice, is known again, whichever way it comes. */
static void kept_on_request_and_known_again(void **state)
{
    struct test_home t;
    struct buf all = BUF_INIT(0);
    const char *text = "Marit writes: the card is " CARD ".\n";
    test_home_open(&t);
    add(&t, put(&t, "a.txt", text), (struct ingest){ .keep_secrets = true });
    check_int(last.added, 1);
    check_int(last.n_notes, 0);
    stored(&t, &all);
    assert_true(holds(&all, CARD));
    add(&t, put(&t, "a.txt", text), (struct ingest){ 0 });
    check_int(last.known, 1);
    check_int(last.added, 0);
    buf_free(&all);
    test_home_close(&t);
}

static void texts_in_memory_too(void **state)
{
    struct test_home t;
    struct buf all = BUF_INIT(0);
    const char *text = "The pin is 4711, do not tell.";
    test_home_open(&t);
    check_ok(ingest_text(t.home, t.persona, "Card " CARD, text, strlen(text), 1, &err), err);
    stored(&t, &all);
    assert_true(holds(&all, "The pin is [code left out], do not tell."));
    assert_false(holds(&all, "4711"));
    assert_false(holds(&all, "4111"));
    buf_free(&all);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(secrets_are_left_out),
        cmocka_unit_test(kept_on_request_and_known_again),
        cmocka_unit_test(texts_in_memory_too),
    };
    return check_run("persona/left_out", t);
}
