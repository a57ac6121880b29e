/* Rows in, rows out, counts, deletions, seals, transactions. */
#include "store/home.h"

#include <time.h>

struct seen {
    int n;
    char text[512];
    int64_t id;
};

static void note(struct seen *s, const char *body, size_t n)
{
    s->n++;
    size_t at = strlen(s->text);
    snprintf(s->text + at, sizeof s->text - at, "%.*s|", (int)n, body);
}

static int on_source(void *ud, const struct row_source *r)
{
    struct seen *s = ud;
    note(s, r->body, r->body_n);
    check_int(r->added_at, 1000);
    check_int(r->from, 10);
    check_int(r->to, CLOCK_NONE);
    return 0;
}

static int on_piece(void *ud, const struct row_piece *r)
{
    note(ud, r->body, r->body_n);
    return 0;
}

static int on_chunk(void *ud, const struct row_chunk *r)
{
    note(ud, r->body, r->body_n);
    ((struct seen *)ud)->id = r->topic;
    return 0;
}

static int on_vector(void *ud, int64_t chunk, const float *v, int dim)
{
    struct seen *s = ud;
    s->n++;
    s->id = (int64_t)v[0];
    check_int(dim, 4);
    check_near(v[3], 4, 0);
    return 0;
}

static int on_embedder(void *ud, const struct row_embedder *r)
{
    note(ud, r->body, r->body_n);
    if (r->current) ((struct seen *)ud)->id = r->id;
    return 0;
}

static int on_doc(void *ud, const char *name, const char *body, size_t n)
{
    note(ud, name, strlen(name));
    note(ud, body, n);
    return 0;
}

static int on_turn(void *ud, const struct row_turn *r)
{
    note(ud, r->body, r->body_n);
    ((struct seen *)ud)->id += (int64_t)r->n_sources;
    return 0;
}

static int on_conversation(void *ud, int64_t id, int64_t created_at, uint64_t n_turns,
                           const char *body, size_t n)
{
    note(ud, body, n);
    ((struct seen *)ud)->id = (int64_t)n_turns;
    return 0;
}

static int on_persona(void *ud, const struct row_persona *r)
{
    note(ud, r->body, r->body_n);
    if (r->stale) ((struct seen *)ud)->id = 1;
    return 0;
}

static void rows_come_back(void **state)
{
    struct home h;
    struct filled f;
    struct buf b = BUF_INIT(0);
    home_make(&h);
    fill(h.st, &f);
    home_reopen(&h);
    struct seen s = { 0 };
    check_ok(store_persona_each(h.st, on_persona, &s, &err), err);
    check_str(s.text, "{\"name\":\"Marigold\"}|");
    struct sealed ps;
    check_ok(store_persona_handle(h.st, f.ps.id, &ps, &err), err);
    assert_memory_equal(ps.key, f.ps.key, VAULT_KEY);
    s = (struct seen){ 0 };
    check_ok(store_source_each(h.st, &ps, 0, on_source, &s, &err), err);
    check_str(s.text, "quince source|medlar source|");
    s = (struct seen){ 0 };
    check_ok(store_piece_each(h.st, &ps, 0, PIECE_BY_SEQ, on_piece, &s, &err), err);
    check_str(s.text, "the saxifrage is out|is the columbine too|no columbine here|");
    s = (struct seen){ 0 };
    check_ok(store_piece_each(h.st, &ps, 0, PIECE_BY_TIME, on_piece, &s, &err), err);
    check_str(s.text, "no columbine here|is the columbine too|the saxifrage is out|");
    s = (struct seen){ 0 };
    check_ok(store_piece_each(h.st, &ps, f.s1, PIECE_BY_TIME, on_piece, &s, &err), err);
    check_str(s.text, "is the columbine too|the saxifrage is out|");
    s = (struct seen){ 0 };
    check_ok(store_chunk_each(h.st, &ps, 0, on_chunk, &s, &err), err);
    check_str(s.text, "chunk of saxifrage|chunk of columbine|");
    check_int(s.id, -1);
    check_ok(store_chunk_topic(h.st, &ps, f.c1, 7, &err), err);
    s = (struct seen){ 0 };
    check_ok(store_chunk_get(h.st, &ps, f.c1, on_chunk, &s, &err), err);
    check_int(s.id, 7);
    check_int(store_chunk_get(h.st, &ps, 999, on_chunk, &s, &err), ERR_NOTFOUND);
    s = (struct seen){ 0 };
    check_ok(store_vector_each(h.st, &ps, f.e, on_vector, &s, &err), err);
    check_int(s.n, 2);
    check_int(s.id, 9);
    check_ok(store_doc_get(h.st, &ps, "profile", &b, &err), err);
    check_str(buf_str(&b), "likes gentian");
    check_int(store_doc_get(h.st, &ps, "topics", &b, &err), ERR_NOTFOUND);
    s = (struct seen){ 0 };
    check_ok(store_doc_each(h.st, &ps, on_doc, &s, &err), err);
    check_str(s.text, "profile|likes gentian|");
    s = (struct seen){ 0 };
    check_ok(store_turn_each(h.st, &ps, f.conv, on_turn, &s, &err), err);
    check_str(s.text, "turn bryony|turn campion|");
    check_int(s.id, 3);
    s = (struct seen){ 0 };
    check_ok(store_conversation_each(h.st, &ps, on_conversation, &s, &err), err);
    check_str(s.text, "about hellebore|");
    check_int(s.id, 2);
    buf_free(&b);
    home_done(&h);
}

static void rows_change(void **state)
{
    struct home h;
    struct filled f;
    struct buf b = BUF_INIT(0);
    home_make(&h);
    fill(h.st, &f);
    check_ok(store_persona_set(h.st, &f.ps, "new body", 8, &err), err);
    struct row_source src = {
        .id = f.s1, .from = 10, .to = CLOCK_NONE, .body = "changed", .body_n = 7
    };
    check_ok(store_source_put(h.st, &f.ps, &src, &err), err);
    struct row_piece p = { .id = f.p2, .voice = true, .body = "now voice", .body_n = 9 };
    check_ok(store_piece_put(h.st, &f.ps, &p, &err), err);
    struct row_chunk c = {
        .id = f.c1, .written_at = 6, .n_tokens = 1, .topic = 2, .body = "c", .body_n = 1
    };
    check_ok(store_chunk_put(h.st, &f.ps, &c, &err), err);
    check_int(c.source, f.s1);
    check_ok(store_doc_put(h.st, &f.ps, "profile", "other", 5, &err), err);
    struct seen s = { 0 };
    check_ok(store_persona_each(h.st, on_persona, &s, &err), err);
    check_str(s.text, "new body|");
    s = (struct seen){ 0 };
    check_ok(store_source_each(h.st, &f.ps, f.s1, on_source, &s, &err), err);
    check_str(s.text, "changed|");
    s = (struct seen){ 0 };
    check_ok(store_piece_each(h.st, &f.ps, f.s1, PIECE_BY_SEQ, on_piece, &s, &err), err);
    check_str(s.text, "the saxifrage is out|now voice|");
    s = (struct seen){ 0 };
    check_ok(store_chunk_each(h.st, &f.ps, f.s1, on_chunk, &s, &err), err);
    check_str(s.text, "c|");
    check_ok(store_doc_get(h.st, &f.ps, "profile", &b, &err), err);
    check_str(buf_str(&b), "other");
    check_ok(store_doc_put(h.st, &f.ps, "profile", NULL, 0, &err), err);
    check_int(store_doc_get(h.st, &f.ps, "profile", &b, &err), ERR_NOTFOUND);
    check_int(peek(&h, "SELECT n_voice FROM source WHERE id=1"), 2);
    src.id = c.id = p.id = 999;
    check_int(store_source_put(h.st, &f.ps, &src, &err), ERR_NOTFOUND);
    check_int(store_chunk_put(h.st, &f.ps, &c, &err), ERR_NOTFOUND);
    check_int(store_piece_put(h.st, &f.ps, &p, &err), ERR_NOTFOUND);
    buf_free(&b);
    home_done(&h);
}

static void pieces_are_unique(void **state)
{
    struct home h;
    struct filled f;
    int64_t id, source;
    home_make(&h);
    fill(h.st, &f);
    struct row_piece r = { .source = f.s2, .body = "x", .body_n = 1 };
    vault_digest(f.ps.key, "piece", "the saxifrage is out", 20, r.digest);
    check_int(store_piece_put(h.st, &f.ps, &r, &err), ERR_EXISTS);
    check_int(r.id, 0);
    check_ok(store_piece_find(h.st, &f.ps, r.digest, &id, &source, &err), err);
    check_int(id, f.p1);
    check_int(source, f.s1);
    r.digest[0] ^= 1;
    check_ok(store_piece_find(h.st, &f.ps, r.digest, &id, &source, &err), err);
    check_int(id, 0);
    r.source = 77;
    check_int(store_piece_put(h.st, &f.ps, &r, &err), ERR_NOTFOUND);
    home_done(&h);
}

/* Another persona's handle finds and changes nothing of this one. */
static void personas_are_apart(void **state)
{
    struct home h;
    struct filled a, b;
    struct seen s = { 0 };
    home_make(&h);
    fill(h.st, &a);
    fill(h.st, &b);
    check_int(store_chunk_get(h.st, &b.ps, a.c1, on_chunk, &s, &err), ERR_NOTFOUND);
    check_int(store_source_delete(h.st, &b.ps, a.s1, NULL, &err), ERR_NOTFOUND);
    check_int(store_conversation_delete(h.st, &b.ps, a.conv, &err), ERR_NOTFOUND);
    check_int(store_embedder_switch(h.st, &b.ps, a.e, &err), ERR_NOTFOUND);
    struct row_chunk c = { .source = a.s1, .body = "x", .body_n = 1 };
    check_int(store_chunk_put(h.st, &b.ps, &c, &err), ERR_NOTFOUND);
    float v[4] = { 0 };
    check_int(store_vector_put(h.st, &b.ps, b.e, a.c1, v, 4, &err), ERR_NOTFOUND);
    check_int(store_vector_put(h.st, &b.ps, b.e, b.c1, v, 3, &err), ERR_NOTFOUND);
    struct row_turn t = {
        .conversation = b.conv, .sources = &a.s1, .n_sources = 1, .body = "x", .body_n = 1
    };
    check_int(store_turn_put(h.st, &b.ps, &t, &err), ERR_NOTFOUND);
    check_int(peek(&h, "SELECT count(*) FROM turn"), 4);
    home_done(&h);
}

static void source_takes_all_with_it(void **state)
{
    struct home h;
    struct filled f;
    struct gone g;
    home_make(&h);
    fill(h.st, &f);
    check_int(peek(&h, "SELECT n_pieces FROM source WHERE id=1"), 2);
    check_int(peek(&h, "SELECT n_voice FROM source WHERE id=1"), 1);
    check_int(peek(&h, "SELECT n_chunks FROM source WHERE id=1"), 1);
    check_ok(store_source_delete(h.st, &f.ps, f.s1, &g, &err), err);
    check_int(g.pieces, 2);
    check_int(g.chunks, 1);
    check_int(g.vectors, 1);
    check_int(g.turns, 1);
    struct seen s = { 0 };
    check_ok(store_turn_each(h.st, &f.ps, f.conv, on_turn, &s, &err), err);
    check_str(s.text, "turn campion|");
    s = (struct seen){ 0 };
    check_ok(store_persona_each(h.st, on_persona, &s, &err), err);
    check_int(s.id, 1);
    check_ok(store_persona_stale(h.st, &f.ps, false, &err), err);
    check_ok(store_chunks_clear(h.st, &f.ps, f.s2, &err), err);
    check_int(peek(&h, "SELECT n_chunks FROM source WHERE id=2"), 0);
    check_int(peek(&h, "SELECT count(*) FROM vector"), 0);
    check_int(peek(&h, "SELECT count(*) FROM turn"), 1);
    /* a new source does not get the old one's number */
    int64_t s3 = add_source(h.st, &f.ps, "x");
    check_ok(store_source_delete(h.st, &f.ps, s3, NULL, &err), err);
    check_int(add_source(h.st, &f.ps, "y"), s3 + 1);
    check_ok(store_conversation_delete(h.st, &f.ps, f.conv, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM turn_source"), 0);
    home_done(&h);
}

static void embedder_switches(void **state)
{
    struct home h;
    struct filled f;
    struct seen s = { 0 };
    home_make(&h);
    fill(h.st, &f);
    struct row_embedder e = { .dim = 2, .body = "second", .body_n = 6 };
    check_ok(store_embedder_put(h.st, &f.ps, &e, &err), err);
    float v[2] = { 1, 2 };
    check_ok(store_vector_put(h.st, &f.ps, e.id, f.c1, v, 2, &err), err);
    check_ok(store_embedder_each(h.st, &f.ps, on_embedder, &s, &err), err);
    check_str(s.text, "hashed|second|");
    check_int(s.id, f.e);
    check_ok(store_embedder_switch(h.st, &f.ps, e.id, &err), err);
    s = (struct seen){ 0 };
    check_ok(store_embedder_each(h.st, &f.ps, on_embedder, &s, &err), err);
    check_str(s.text, "second|");
    check_int(s.id, e.id);
    check_int(peek(&h, "SELECT count(*) FROM vector"), 1);
    home_done(&h);
}

/* Each edit that somebody with the file but without the key can make is seen on reading. */
static void edits_are_seen(void **state)
{
    static const struct {
        const char *sql, *table;
    } edits[] = {
        { "UPDATE source SET body=(SELECT body FROM source WHERE id=2) WHERE id=1", "source 1" },
        { "UPDATE source SET first_at=11 WHERE id=1", "source 1" },
        { "UPDATE piece SET body=(SELECT body FROM piece WHERE id=1) WHERE id=2", "piece 2" },
        { "UPDATE piece SET voice=1 WHERE id=2", "piece 2" },
        { "UPDATE piece SET source=2 WHERE id=1", "piece 1" },
        { "UPDATE piece SET written_at=3 WHERE id=1", "piece 1" },
        { "UPDATE chunk SET body=(SELECT body FROM chunk WHERE id=1) WHERE id=2", "chunk 2" },
        { "UPDATE chunk SET body=(SELECT body FROM piece WHERE id=1) WHERE id=1", "chunk 1" },
        { "UPDATE vector SET body=(SELECT body FROM vector WHERE chunk=1) WHERE chunk=2",
          "vector 2" },
        { "UPDATE doc SET name='topics'", "doc 1" },
        { "UPDATE turn SET sources=(SELECT sources FROM turn WHERE id=1) WHERE id=2", "turn 2" },
        { "UPDATE turn SET body=sources WHERE id=2", "turn 2" },
        { "UPDATE turn SET created_at=1 WHERE id=1", "turn 1" },
        { "UPDATE conversation SET created_at=1", "conversation 1" },
        { "UPDATE embedder SET dim=5", "embedder 1" },
        { "UPDATE piece SET body=x'01' WHERE id=1", "piece 1" },
        { "UPDATE piece SET body=x'' WHERE id=1", "piece 1" },
    };
    struct seen s = { 0 };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct home h;
        struct filled f;
        home_make(&h);
        fill(h.st, &f);
        meddle(&h, edits[i].sql);
        int rc = store_source_each(h.st, &f.ps, 0, on_source, &s, &err);
        if (!rc) rc = store_piece_each(h.st, &f.ps, 0, PIECE_BY_SEQ, on_piece, &s, &err);
        if (!rc) rc = store_chunk_each(h.st, &f.ps, 0, on_chunk, &s, &err);
        if (!rc) rc = store_vector_each(h.st, &f.ps, f.e, on_vector, &s, &err);
        if (!rc) rc = store_doc_each(h.st, &f.ps, on_doc, &s, &err);
        if (!rc) rc = store_turn_each(h.st, &f.ps, f.conv, on_turn, &s, &err);
        if (!rc) rc = store_conversation_each(h.st, &f.ps, on_conversation, &s, &err);
        if (!rc) rc = store_embedder_each(h.st, &f.ps, on_embedder, &s, &err);
        if (rc != ERR_SEAL) fail_msg("%s: %d", edits[i].sql, rc);
        check_has(err.msg, edits[i].table);
        home_done(&h);
    }
}

static void transactions(void **state)
{
    struct home h;
    struct filled f;
    home_make(&h);
    fill(h.st, &f);
    check_ok(store_begin(h.st, &err), err);
    check_int(store_begin(h.st, &err), ERR_INVAL);
    add_source(h.st, &f.ps, "a");
    store_rollback(h.st);
    store_rollback(h.st);
    check_int(peek(&h, "SELECT count(*) FROM source"), 2);
    check_ok(store_begin(h.st, &err), err);
    add_source(h.st, &f.ps, "a");
    /* a failing operation of several statements undoes itself only */
    int64_t bad[] = { f.s1, 999 };
    struct row_turn t = {
        .conversation = f.conv, .sources = bad, .n_sources = 2, .body = "x", .body_n = 1
    };
    check_int(store_turn_put(h.st, &f.ps, &t, &err), ERR_NOTFOUND);
    check_ok(store_commit(h.st, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM source"), 3);
    check_int(peek(&h, "SELECT count(*) FROM turn"), 2);
    check_int(store_commit(h.st, &err), ERR_INVAL);
    home_done(&h);
}

struct nest {
    struct store *st;
    const struct sealed *ps;
    struct seen inner;
};

static int read_and_write(void *ud, const struct row_chunk *r)
{
    struct nest *n = ud;
    check_ok(store_chunk_each(n->st, n->ps, 0, on_chunk, &n->inner, &err), err);
    check_ok(store_chunk_get(n->st, n->ps, r->id, on_chunk, &n->inner, &err), err);
    check_int(store_chunk_topic(n->st, n->ps, r->id, 1, &err), ERR_INVAL);
    return 42;
}

static void callbacks_may_read(void **state)
{
    struct home h;
    struct filled f;
    home_make(&h);
    fill(h.st, &f);
    struct nest n = { h.st, &f.ps, { 0 } };
    check_int(store_chunk_each(h.st, &f.ps, 0, read_and_write, &n, &err), 42);
    check_int(n.inner.n, 3);
    check_ok(store_chunk_topic(h.st, &f.ps, f.c1, 1, &err), err);
    home_done(&h);
}

static int embed_again(void *ud, const struct row_chunk *r)
{
    struct nest *n = ud;
    float v[2] = { (float)r->id, 0 };
    n->inner.n++;
    return store_vector_put(n->st, n->ps, n->inner.id, r->id, v, 2, &err);
}

/* Inside a transaction a callback may write another table: how vectors are made of chunks. */
static void callbacks_may_write_elsewhere(void **state)
{
    struct home h;
    struct filled f;
    home_make(&h);
    fill(h.st, &f);
    check_ok(store_begin(h.st, &err), err);
    for (int i = 0; i < 200; i++) add_chunk(h.st, &f.ps, f.s1, "more");
    struct row_embedder e = { .dim = 2, .body = "e", .body_n = 1 };
    check_ok(store_embedder_put(h.st, &f.ps, &e, &err), err);
    struct nest n = { h.st, &f.ps, { .id = e.id } };
    check_ok(store_chunk_each(h.st, &f.ps, 0, embed_again, &n, &err), err);
    check_int(n.inner.n, 202);
    check_ok(store_embedder_switch(h.st, &f.ps, e.id, &err), err);
    check_ok(store_commit(h.st, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM vector"), 202);
    home_done(&h);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int count_vector(void *ud, int64_t chunk, const float *v, int dim)
{
    ++*(int *)ud;
    return 0;
}

static void bulk_is_quick(void **state)
{
    struct home h;
    struct sealed ps;
    static float v[384];
    static char body[1500];
    int n = 0;
    home_make(&h);
    memset(body, 'x', sizeof body - 1);
    check_ok(store_persona_new(h.st, "{}", 2, &ps, &err), err);
    double t0 = now_s();
    check_ok(store_begin(h.st, &err), err);
    int64_t src = add_source(h.st, &ps, "s");
    for (int i = 0; i < 4000; i++) {
        snprintf(body, 12, "%d", i);
        body[11] = 'x';
        add_piece(h.st, &ps, src, i, true, body);
    }
    struct row_embedder e = { .dim = 384, .current = true, .body = "", .body_n = 0 };
    check_ok(store_embedder_put(h.st, &ps, &e, &err), err);
    for (int i = 0; i < 5000; i++) {
        int64_t c = add_chunk(h.st, &ps, src, body);
        check_ok(store_vector_put(h.st, &ps, e.id, c, v, 384, &err), err);
    }
    check_ok(store_commit(h.st, &err), err);
    double t1 = now_s();
    check_ok(store_vector_each(h.st, &ps, e.id, count_vector, &n, &err), err);
    double t2 = now_s();
    check_int(n, 5000);
    check_int(peek(&h, "SELECT n_pieces*10000+n_chunks FROM source"), 40005000);
    print_message("# insert %.0f ms, vectors %.0f ms\n", 1e3 * (t1 - t0), 1e3 * (t2 - t1));
    home_done(&h);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(rows_change),
        cmocka_unit_test(pieces_are_unique),
        cmocka_unit_test(personas_are_apart),
        cmocka_unit_test(source_takes_all_with_it),
        cmocka_unit_test(embedder_switches),
        cmocka_unit_test(edits_are_seen),
        cmocka_unit_test(transactions),
        cmocka_unit_test(callbacks_may_read),
        cmocka_unit_test(callbacks_may_write_elsewhere),
        cmocka_unit_test(bulk_is_quick),
    };
    return check_run("store/store", t);
}
