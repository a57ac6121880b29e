/* Files that share a transaction, and parsers that read ahead: what is told, in which order, and
 * that a file that fails in the midst of others leaves nothing of itself. */
#include "check.h"
#include "persona_home.h"

#include "persona/internal.h"
#include "persona/tape.h"
#include "store/sql.h"

#include <signal.h>
#include <sys/resource.h>

static struct err err;

/* ---- tapes ---- */

#define PIECES 1000

/* A parser that says as many pieces as `size` tells, a note after every tenth, and may fail. */
static int parse_made(struct format_in *in, const struct format_opts *o,
                      const struct piece_sink *sink, struct err *e)
{
    for (uint64_t i = 0; i < PIECES; i++) {
        char text[64], author[64];
        snprintf(text, sizeof text, "text %llu", (unsigned long long)i);
        snprintf(author, sizeof author, "author %llu", (unsigned long long)i % 7);
        struct piece p = { .text = text,
                           .author = author,
                           .author_id = "",
                           .title = "",
                           .thread = "",
                           .id = "",
                           .reply_to = "",
                           .quoted = "" };
        int rc = sink->piece(sink->ud, &p, e);
        memset(text, 'x', sizeof text); /* what was handed over is copied */
        if (!rc && i % 10 == 9) sink->skipped(sink->ud, "a note", i);
        if (!rc && i % 100 == 99) rc = sink->consumed(sink->ud, i);
        if (rc) return rc;
        if (in->mtime && i == 700) return err_set(e, ERR_PARSE, "broken at 700");
    }
    return 0;
}

static const struct format made = { .name = "made", .parse = parse_made };

struct heard {
    struct buf all;
    int pieces, notes, ready, stop_at, cancel;
};

static int on_ready(void *ud, struct tape_piece *t, struct arena *mem, struct err *e)
{
    struct heard *h = ud;
    h->ready++;
    t->known = arena_printf(mem, "known %s", t->p.author);
    return t->known ? 0 : err_nomem(e);
}

static int on_piece(void *ud, const struct tape_piece *t, struct err *e)
{
    struct heard *h = ud;
    buf_printf(&h->all, "%s|%s\n", t->p.text, t->known);
    if (++h->pieces == h->stop_at) return err_set(e, ERR_FULL, "no room");
    return 0;
}

static void on_skipped(void *ud, const char *what, uint64_t where)
{
    struct heard *h = ud;
    buf_printf(&h->all, "%s %llu\n", what, (unsigned long long)where);
    h->notes++;
}

static int on_consumed(void *ud, uint64_t bytes) { return ((struct heard *)ud)->cancel; }

static int hear(struct heard *h, uint64_t size, bool broken, size_t most, struct tape **keep)
{
    struct tape_user u = { on_ready, on_piece, on_skipped, on_consumed, h };
    struct format_in in = { .size = size, .mtime = broken };
    struct format_opts o = { 0 };
    return tape_parse(&made, &in, &o, &u, most, keep, &err);
}

/* Small ones are parsed by the caller, large ones in a thread: nobody can tell. */
static void the_same_in_order(void **state)
{
    struct heard alone = { .all = BUF_INIT(0) }, ahead = { .all = BUF_INIT(0) },
                 again = { .all = BUF_INIT(0) };
    struct tape *t = NULL, *short_one = NULL;
    check_ok(hear(&alone, 10, false, 0, NULL), err);
    check_ok(hear(&ahead, 1 << 20, false, 64 << 20, &t), err);
    check_int(alone.pieces, PIECES);
    check_int(alone.notes, PIECES / 10);
    check_str(buf_str(&ahead.all), buf_str(&alone.all));
    assert_non_null(t);
    struct tape_user u = { on_ready, on_piece, on_skipped, on_consumed, &again };
    check_ok(tape_play(t, &u, &err), err);
    check_int(again.ready, 0);
    check_str(buf_str(&again.all), buf_str(&alone.all));
    buf_clear(&again.all);
    check_ok(hear(&again, 1 << 20, false, 100000, &short_one), err);
    assert_null(short_one); /* too long to be kept, but heard */
    check_str(buf_str(&again.all), buf_str(&alone.all));
    tape_free(t);
    buf_free(&alone.all);
    buf_free(&ahead.all);
    buf_free(&again.all);
}

static void errors_of_both_sides(void **state)
{
    const uint64_t sizes[] = { 10, 1 << 20 };
    for (int i = 0; i < 2; i++) {
        struct heard h = { .all = BUF_INIT(0) };
        struct tape *t = NULL;
        check_int(hear(&h, sizes[i], true, 64 << 20, &t), ERR_PARSE);
        check_str(err.msg, "broken at 700");
        check_int(h.pieces, 701); /* all that came before it */
        assert_null(t);
        h.stop_at = h.pieces + 5;
        check_int(hear(&h, sizes[i], false, 0, NULL), ERR_FULL);
        check_str(err.msg, "no room");
        check_int(h.pieces, h.stop_at);
        h.stop_at = 0;
        h.cancel = ERR_CANCEL;
        int before = h.pieces;
        int rc = hear(&h, sizes[i], false, 0, NULL);
        check_int(rc, ERR_CANCEL);
        check_int(h.pieces, before + 100);
        buf_free(&h.all);
    }
}

/* ---- files ---- */

struct told {
    struct buf all;
    int n, aside;
};

static void tell(void *ud, const struct ingest_file *f)
{
    struct told *t = ud;
    const char *slash = strrchr(f->path, '/');
    if (f->format && !strcmp(f->format, "aside")) { /* a picture, whatever becomes of the others */
        assert_null(f->error);
        t->aside++;
        return;
    }
    buf_printf(&t->all, "%s %s %llu\n", slash + 1, f->error ? "bad" : "in",
               (unsigned long long)f->added);
    t->n++;
}

static void put_file(const struct test_home *t, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/many/%s", t->dir, name);
    check_ok(io_write_file(path, text, strlen(text), 0600, &err), err);
}

static int find_text(void *ud, const struct row_piece *r)
{
    static const char needle[] = "ONLY IN THE BROKEN ONE";
    *(bool *)ud |= memmem(r->body, r->body_n, needle, sizeof needle - 1) != NULL;
    return 0;
}

/* Twenty chats, and one that breaks after some messages, which another file has, too. */
static void one_of_many_fails(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct told told = { .all = BUF_INIT(0) };
    struct buf want = BUF_INIT(0);
    char folder[400], name[64], text[600];
    bool found = false;
    test_home_open(&t);
    check_ok(persona_alias_add(t.home, t.persona, "Marit", &err), err);
    snprintf(folder, sizeof folder, "%s/many", t.dir);
    check_ok(io_mkdirs(folder, 0700, &err), err);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%02d WhatsApp Chat with P%d.txt", i, i);
        snprintf(text, sizeof text,
                 "12/03/2019, 21:%02d - Marit: number %d of them\n"
                 "12/03/2019, 21:%02d - P%d: so it is\n13/03/2019, 09:00 - Marit: yes, %d\n",
                 i, i, i, i, i);
        put_file(&t, name, text);
        buf_printf(&want, "%s in 3\n", name);
        if (i == 9) buf_adds(&want, "09b.json bad 0\n");
    }
    put_file(&t, "09b.json",
             "{\"name\": \"Anna\", \"type\": \"personal_chat\", \"id\": 7, \"messages\": ["
             "{\"id\": 1, \"type\": \"message\", \"date\": \"2020-01-01T10:00:00\", \"from\": "
             "\"Marit\", \"from_id\": \"user7\", \"text\": \"ONLY IN THE BROKEN ONE\"}, {\"id");
    struct ingest in = {
        .home = t.home, .persona = t.persona, .day_first = -1, .on_file = tell, .ud = &told
    };
    const char *path = folder;
    check_ok(ingest_paths(&in, &path, 1, &tot, &err), err);
    check_int(tot.files, 21);
    check_int(tot.failed, 1);
    check_int(tot.added, 60);
    check_str(buf_str(&told.all), buf_str(&want));
    struct persona_counts n;
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.sources, 20);
    check_int(n.pieces, 60);
    check_ok(
        store_piece_each(t.home->store, &t.persona->seal, 0, PIECE_BY_SEQ, find_text, &found, &err),
        err);
    assert_false(found);
    check_ok(ingest_paths(&in, &path, 1, &tot, &err), err); /* all is known, and nothing doubled */
    check_int(tot.added, 0);
    check_int(tot.known, 60);
    buf_free(&told.all);
    buf_free(&want);
    test_home_close(&t);
}

struct stopper {
    struct told *told;
    int files;
};

static int stop_after(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    struct stopper *s = ud;
    return !strcmp(stage, "look") && ++s->files > 10 ? ERR_CANCEL : 0;
}

/* Cancelled in the midst: the files before it are in, and were told of. */
static void cancelled_among_many(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct told told = { .all = BUF_INIT(0) };
    struct stopper s = { &told, 0 };
    struct progress pr = { stop_after, &s };
    char folder[400], name[64], text[100];
    test_home_open(&t);
    snprintf(folder, sizeof folder, "%s/many", t.dir);
    check_ok(io_mkdirs(folder, 0700, &err), err);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "%02d.txt", i);
        snprintf(text, sizeof text, "What I wrote on page %d, and no other.\n", i);
        put_file(&t, name, text);
    }
    struct ingest in = { .home = t.home,
                         .persona = t.persona,
                         .day_first = -1,
                         .on_file = tell,
                         .progress = &pr,
                         .ud = &told };
    const char *path = folder;
    check_int(ingest_paths(&in, &path, 1, &tot, &err), ERR_CANCEL);
    check_has(err.msg, "what was added before stays");
    struct persona_counts n;
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    assert_true(n.sources > 0 && n.sources < 60);
    check_int(n.sources, (uint64_t)told.n);
    check_int(tot.added, n.sources);
    buf_free(&told.all);
    test_home_close(&t);
}

/* ---- commits that fail ---- */

#define PAGES 60

static void put_pages(struct test_home *t, char folder[400])
{
    char name[64], text[100];
    test_home_open(t);
    snprintf(folder, 400, "%s/many", t->dir);
    check_ok(io_mkdirs(folder, 0700, &err), err);
    for (int i = 0; i < PAGES; i++) {
        snprintf(name, sizeof name, "%02d.txt", i);
        snprintf(text, sizeof text, "What I wrote on page %d, and no other.\n", i);
        put_file(t, name, text);
    }
}

/* Files told of as "in", each once and in order; what is stored is just these. */
static int only_those_told(struct test_home *t, struct told *told, bool whole)
{
    struct persona_counts n;
    const char *s = buf_str(&told->all);
    int in = 0;
    for (int k = 0; k < told->n; k++, s = strchr(s, '\n') + 1) {
        char was_in[32], was_bad[32];
        snprintf(was_in, sizeof was_in, "%02d.txt in 1\n", k);
        snprintf(was_bad, sizeof was_bad, "%02d.txt bad 0\n", k);
        bool came = !strncmp(s, was_in, strlen(was_in));
        assert_true(came || !strncmp(s, was_bad, strlen(was_bad)));
        in += came;
    }
    if (whole) check_int(told->n, PAGES);
    check_ok(persona_counts(t->home, t->persona, &n, &err), err);
    check_int(n.sources, in);
    check_int(n.pieces, in);
    return in;
}

/* Once more, when the trouble is over: all is in, nothing twice. */
static void and_then_all(struct test_home *t, struct ingest *in, const char *folder, int had)
{
    struct ingest_totals tot;
    struct persona_counts n;
    in->progress = NULL;
    in->on_file = NULL;
    check_ok(ingest_paths(in, &folder, 1, &tot, &err), err);
    check_int(tot.known, had);
    check_int(tot.added, PAGES - had);
    check_ok(persona_counts(t->home, t->persona, &n, &err), err);
    check_int(n.pieces, PAGES);
}

struct trouble {
    struct store *st;
    int files, cancel;
    bool undo; /* else: the disk is full */
};

static int make_trouble(void *ud, const char *stage, uint64_t done, uint64_t total,
                        const char *unit)
{
    struct trouble *x = ud;
    struct rlimit none;
    if (strcmp(stage, "look") != 0 || ++x->files != 10) return 0;
    if (x->undo) {
        if (!sqlite3_get_autocommit(x->st->db)) sql_do(x->st, NULL, "ROLLBACK", "");
        return 0;
    }
    getrlimit(RLIMIT_FSIZE, &none);
    none.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    return x->cancel;
}

/* SQLite undoes a transaction by itself when it must: those in it are told of as not in. */
static void undone_among_many(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct told told = { .all = BUF_INIT(0) };
    char folder[400];
    put_pages(&t, folder);
    put_file(&t, "05.png", "\x89PNG\r\n\x1a\n\x01\x02");
    struct trouble x = { .st = t.home->store, .undo = true };
    struct progress pr = { make_trouble, &x };
    struct ingest in = { .home = t.home,
                         .persona = t.persona,
                         .day_first = -1,
                         .on_file = tell,
                         .progress = &pr,
                         .ud = &told };
    const char *path = folder;
    check_ok(ingest_paths(&in, &path, 1, &tot, &err), err);
    int had = only_those_told(&t, &told, true);
    assert_true(had > 0 && had < PAGES);
    check_int(told.aside, 1);
    check_int(tot.failed, PAGES - had);
    check_int(tot.added, had);
    and_then_all(&t, &in, folder, had);
    buf_free(&told.all);
    test_home_close(&t);
}

/* No room for a commit: who cancelled is told so, too. */
static void full_among_many(void **state)
{
    struct rlimit was;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    for (int i = 0; i < 2; i++) {
        struct test_home t;
        struct ingest_totals tot;
        struct told told = { .all = BUF_INIT(0) };
        char folder[400];
        put_pages(&t, folder);
        struct trouble x = { .st = t.home->store, .cancel = i ? ERR_CANCEL : 0 };
        struct progress pr = { make_trouble, &x };
        struct ingest in = { .home = t.home,
                             .persona = t.persona,
                             .day_first = -1,
                             .on_file = tell,
                             .progress = &pr,
                             .ud = &told };
        const char *path = folder;
        int rc = ingest_paths(&in, &path, 1, &tot, &err);
        setrlimit(RLIMIT_FSIZE, &was);
        /* Where the machine was so slow that all before it was committed, none is lost. */
        if (rc != ERR_CANCEL || !i) check_int(rc, ERR_FULL);
        int had = only_those_told(&t, &told, false);
        assert_true(had < PAGES);
        and_then_all(&t, &in, folder, had);
        buf_free(&told.all);
        test_home_close(&t);
    }
}

/* A file that is too long for a tape leaves the others; one that is there twice is known. */
static void too_long_for_a_tape(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct ingest_run run;
    struct told told = { .all = BUF_INIT(0) };
    struct persona_counts n;
    char folder[400];
    static const char chat[] = "12/03/2019, 21:00 - Marit: here we are\n"
                               "12/03/2019, 21:01 - Anna: so we are\n"
                               "12/03/2019, 21:01 - Marit: ok\n12/03/2019, 21:01 - Marit: ok\n";
    test_home_open(&t);
    check_ok(persona_alias_add(t.home, t.persona, "Marit", &err), err);
    snprintf(folder, sizeof folder, "%s/many", t.dir);
    check_ok(io_mkdirs(folder, 0700, &err), err);
    put_file(&t, "1 WhatsApp Chat with Anna.txt", chat);
    put_file(&t, "2 WhatsApp Chat with Anna.txt", chat);
    put_file(&t, "3.txt", "A page of its own.\n");
    put_file(&t, "4 WhatsApp Chat with Anna.txt", chat);
    struct ingest in = {
        .home = t.home, .persona = t.persona, .day_first = -1, .on_file = tell, .ud = &told
    };
    const char *path = folder;
    check_ok(ingest_run_begin(&in, &run, &err), err);
    run.tape_most = 1;
    check_ok(ingest_paths(&in, &path, 1, &tot, &err), err);
    ingest_run_end(&in, &run);
    check_str(buf_str(&told.all),
              "1 WhatsApp Chat with Anna.txt in 4\n2 WhatsApp Chat with Anna.txt in 0\n"
              "3.txt in 1\n4 WhatsApp Chat with Anna.txt in 0\n");
    check_int(tot.known, 8);
    check_ok(persona_counts(t.home, t.persona, &n, &err), err);
    check_int(n.sources, 2);
    check_int(n.pieces, 5);
    buf_free(&told.all);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_same_in_order),   cmocka_unit_test(errors_of_both_sides),
        cmocka_unit_test(one_of_many_fails),   cmocka_unit_test(cancelled_among_many),
        cmocka_unit_test(undone_among_many),   cmocka_unit_test(full_among_many),
        cmocka_unit_test(too_long_for_a_tape),
    };
    return check_run("persona/batch", t);
}
