/* A persona for others to have: nobody else's name is in the file, the persona's own words are, and
 * it opens elsewhere as a whole persona. */
#include "check.h"
#include "persona_home.h"

#include "base/arena.h"
#include "persona/internal.h"
#include "persona/portable.h"

static struct err err;

static const char CHAT[] =
    "04/03/2019, 10:01 - Zelda Quimby: Have you seen the harbour today?\n"
    "04/03/2019, 10:02 - Marit: Yes, Zelda, I told Ortwin about the boats of the harbour.\n"
    "04/03/2019, 10:03 - Ortwin Brandt: Write to ortwin@brandt.example or ring 07911 123456.\n"
    "04/03/2019, 10:04 - Marit: I love the harbour, and Quimby's boats most of all.\n";

struct everything {
    struct buf text;
    uint64_t pieces, voice;
};

static int see_piece(void *ud, const struct row_piece *r)
{
    struct everything *x = ud;
    x->pieces++;
    x->voice += r->voice;
    return buf_add(&x->text, r->body, r->body_n);
}
static int see_chunk(void *ud, const struct row_chunk *r)
{
    struct everything *x = ud;
    return buf_add(&x->text, r->body, r->body_n);
}
static int see_source(void *ud, const struct row_source *r)
{
    struct everything *x = ud;
    return buf_add(&x->text, r->body, r->body_n);
}
static int see_doc(void *ud, const char *name, const char *body, size_t n)
{
    struct everything *x = ud;
    return buf_add(&x->text, body, n);
}

static struct everything everything(struct home *h, const struct persona *p)
{
    struct everything x = { .text = BUF_INIT(0) };
    check_ok(store_piece_each(h->store, &p->seal, 0, PIECE_BY_TIME, see_piece, &x, &err), err);
    check_ok(store_chunk_each(h->store, &p->seal, 0, see_chunk, &x, &err), err);
    check_ok(store_source_each(h->store, &p->seal, 0, see_source, &x, &err), err);
    check_ok(store_doc_each(h->store, &p->seal, see_doc, &x, &err), err);
    return x;
}

static bool holds(const struct everything *x, const char *s)
{
    return memmem(x->text.p, x->text.n, s, strlen(s)) != NULL;
}

static void add_chat(struct test_home *t)
{
    char path[400];
    struct ingest_totals tot;
    snprintf(path, sizeof path, "%s/WhatsApp Chat with Zelda Quimby.txt", t->dir);
    check_ok(io_write_file(path, CHAT, strlen(CHAT), 0600, &err), err);
    check_ok(persona_alias_add(t->home, t->persona, "Marit", &err), err);
    check_int(test_home_add(t, path, &tot), 0);
    check_int(tot.added, 4);
}

static void nobody_else_is_in_it(void **state)
{
    static const char *const others[] = { "Zelda",  "Quimby", "Ortwin",
                                          "Brandt", "brandt", "07911 123456" };
    struct test_home t;
    struct persona *copy = NULL;
    struct portable_counts n;
    char file[400], lock[400];
    test_home_open(&t);
    add_chat(&t);
    snprintf(file, sizeof file, "%s/out.likeness", t.dir);
    snprintf(lock, sizeof lock, "%s/out.key", t.dir);
    check_ok(vault_keyfile_make(lock, &err), err);
    struct secret s = { .key_file = lock };
    check_ok(portable_export_masked(t.home, t.persona, file, &s, false, NULL, &n, &err), err);
    check_int(n.pieces, 4);
    check_int(n.chunks + n.vectors + n.docs + n.conversations, 0);
    check_ok(portable_import(t.home, file, &s, "Copy", NULL, &copy, &n, &err), err);
    assert_true(memcmp(copy->seal.key, t.persona->seal.key, VAULT_KEY) != 0);
    assert_true(copy->stale);
    check_ok(persona_settle(t.home, copy, NULL, &err), err);
    struct everything x = everything(t.home, copy), own = everything(t.home, t.persona);
    check_int(x.pieces, 4);
    check_int(x.voice, 2);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (holds(&x, others[i])) fail_msg("%s is in the copy", others[i]);
        if (strcmp(others[i], "brandt") != 0) assert_true(holds(&own, others[i]));
    }
    assert_false(holds(&x, t.dir));
    assert_true(holds(&x, "about the boats of the harbour."));
    assert_true(holds(&x, "Person "));
    assert_true(holds(&x, "Marit"));
    buf_free(&x.text);
    buf_free(&own.text);
    persona_close(copy);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(nobody_else_is_in_it) };
    return check_run("persona/masked_export", t);
}
