/* A persona out and in again; and files that somebody else wrote under a known secret. The command
 * line's tests cover cuts, wrong secrets and names that are taken. */
#include "persona_home.h"

#include "persona/portable.h"
#include "persona/retrieve.h"
#include "vault/stream.h"

#include <jansson.h>

struct copy {
    struct stream *to;
    const char *body; /* of the persona record, instead of the one that is there */
    int64_t time;     /* of the pieces, 0: as it is */
};

/* Writes the file `from` again as `to`, with changes. */
static void forge(const char *from, const char *to, const struct secret *s, struct copy *c)
{
    struct err err = { 0 };
    struct stream *in;
    struct buf rec = BUF_INIT(0);
    uint8_t type;
    check_ok(stream_open(from, s, &in, &err), err);
    check_ok(stream_create(to, s, 1, &c->to, &err), err);
    for (;;) {
        check_ok(stream_next(in, &type, &rec, &err), err);
        if (!type) break;
        if (type == 'P' && c->body) {
            rec.n = 1 + VAULT_UID + VAULT_KEY + 8 + 1 + 8;
            buf_lstr(&rec, c->body, strlen(c->body));
        }
        if (type == 'M' && c->time)
            for (int i = 0; i < 8; i++) rec.p[16 + i] = (char)((uint64_t)c->time >> (8 * i));
        check_ok(stream_put(c->to, type, rec.p, rec.n, &err), err);
    }
    check_ok(stream_finish(c->to, &err), err);
    stream_free(c->to);
    stream_free(in);
    buf_free(&rec);
}

struct fixture {
    struct test_home t;
    char file[400], forged[400];
    struct secret lock;
};

static void export_sample(struct fixture *f)
{
    struct err err = { 0 };
    struct portable_counts n;
    memset(f, 0, sizeof *f);
    test_home_open(&f->t);
    check_ok(ingest_text(f->t.home, f->t.persona, "Bread",
                         "Good bread needs time and a cold night.", 39, 1500000000, &err),
             err);
    check_ok(persona_settle(f->t.home, f->t.persona, NULL, &err), err);
    snprintf(f->file, sizeof f->file, "%s/out.likeness", f->t.dir);
    snprintf(f->forged, sizeof f->forged, "%s/forged.likeness", f->t.dir);
    f->lock = (struct secret){ .passphrase = "between us", .passphrase_n = 10 };
    check_ok(portable_export(f->t.home, f->t.persona, f->file, &f->lock, false, NULL, &n, &err),
             err);
    check_int(n.pieces, 1);
    persona_close(f->t.persona);
    f->t.persona = NULL;
    check_ok(persona_forget(f->t.home, "Marit", &err), err);
}

static void there_and_back(void **state)
{
    struct fixture f;
    struct err err = { 0 };
    struct portable_counts n;
    struct retriever *r;
    struct passages ps;
    export_sample(&f);
    check_ok(portable_import(f.t.home, f.file, &f.lock, " Nora ", NULL, &f.t.persona, &n, &err),
             err);
    check_str(f.t.persona->name, "Nora");
    check_ok(retriever_open(f.t.home, f.t.persona, &r, &err), err);
    struct query q = query_default("bread");
    check_ok(retrieve(r, &q, &ps, &err), err);
    check_int(ps.n, 1);
    assert_true(ps.p[0].similarity > 0.1f);
    passages_clear(&ps);
    retriever_close(r);
    test_home_close(&f.t);
}

static int count_one(void *ud, const struct persona *p)
{
    ++*(int *)ud;
    return 0;
}

static void hostile_bodies(void **state)
{
    static const struct {
        const char *body;
        int code;
    } bad[] = {
        { "{\"name\":\"A\\u001b]0;x\",\"kind\":\"self\",\"consent\":{\"by\":\"a\",\"to\":\"b\"}}",
          ERR_INVAL },
        { "{\"name\":\"A\",\"kind\":\"zork\",\"consent\":{\"by\":\"a\",\"to\":\"b\"}}", ERR_PARSE },
        { "{\"name\":\"A\",\"kind\":\"self\",\"consent\":{\"by\":\" \",\"to\":\"b\"}}",
          ERR_CONSENT },
        { "{\"name\":\"A\",\"kind\":\"self\",\"consent\":{\"by\":\"a\\u001b\",\"to\":\"b\"}}",
          ERR_INVAL },
        { "{\"name\":\"A\",\"kind\":\"self\",\"aliases\":[\"x\\ny\"],"
          "\"consent\":{\"by\":\"a\",\"to\":\"b\"}}",
          ERR_PARSE },
        { "[]", ERR_PARSE },
    };
    struct fixture f;
    struct err err = { 0 };
    struct portable_counts n;
    export_sample(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct copy c = { .body = bad[i].body };
        int personas = 0;
        forge(f.file, f.forged, &f.lock, &c);
        check_int(portable_import(f.t.home, f.forged, &f.lock, NULL, NULL, &f.t.persona, &n, &err),
                  bad[i].code);
        check_hasnt(err.msg, "\x1b");
        check_ok(persona_each(f.t.home, count_one, &personas, &err), err);
        check_int(personas, 0);
    }
    test_home_close(&f.t);
}

static int see_time(void *ud, const struct row_piece *r)
{
    *(int64_t *)ud = r->written_at;
    return 0;
}

/* A time that no calendar holds is no time. */
static void absurd_times(void **state)
{
    struct fixture f;
    struct err err = { 0 };
    struct portable_counts n;
    struct copy c = { .time = INT64_MIN + 8 };
    int64_t seen = 0;
    export_sample(&f);
    forge(f.file, f.forged, &f.lock, &c);
    check_ok(portable_import(f.t.home, f.forged, &f.lock, NULL, NULL, &f.t.persona, &n, &err), err);
    check_ok(store_piece_each(f.t.home->store, &f.t.persona->seal, 0, PIECE_BY_SEQ, see_time, &seen,
                              &err),
             err);
    assert_true(seen == CLOCK_NONE);
    test_home_close(&f.t);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(there_and_back),
                                    cmocka_unit_test(hostile_bodies),
                                    cmocka_unit_test(absurd_times) };
    return check_run("persona/portable", t);
}
