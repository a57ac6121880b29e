/* What is stored of an embedder and read again; windows of passages; what cosines mean. */
#include "check.h"
#include "persona_home.h"

#include "base/str.h"
#include "persona/embedding.h"
#include "persona/internal.h"
#include "persona/retrieve.h"
#include "persona/windows.h"
#include "text/token.h"

static const char *const sentence[] = { "The boat lay in the harbour. ", "Bread wants a hot oven. ",
                                        "Sheila mended the chain of her bicycle twice. ",
                                        "It rained on the choir and nobody minded. " };

static void text_of(struct buf *b, size_t sentences)
{
    for (size_t i = 0; i < sentences; i++) buf_adds(b, sentence[i % 4]);
}

static void windows_cover_the_text(void **state)
{
    struct err err = { 0 };
    struct sentences *it = sentences_new(&err);
    struct window w[WINDOWS_MAX];
    assert_non_null(it);
    check_int(windows_of(it, "", 0, 64, w), 1);
    check_int(w[0].to, 0);
    for (size_t n = 1; n < 3000; n = n * 2 + 1) {
        struct buf b = BUF_INIT(0);
        text_of(&b, n);
        size_t k = windows_of(it, b.p, b.n, 64, w), tokens = tokens_count(b.p, b.n);
        check_int(w[0].from, 0);
        check_int(w[k - 1].to, b.n);
        for (size_t i = 1; i < k; i++) check_int(w[i].from, w[i - 1].to);
        for (size_t i = 0; i < k; i++) {
            size_t t = tokens_count(b.p + w[i].from, w[i].to - w[i].from);
            if (k > 1 && k < WINDOWS_MAX && (t < 32 || t > 110))
                fail_msg("window %zu of %zu has %zu of %zu tokens", i, k, t, tokens);
            if (i) assert_true(b.p[w[i].from - 1] == ' ' && b.p[w[i].from] >= 'A');
        }
        check_int(windows_of(it, b.p, b.n, 0, w), 1);
        buf_free(&b);
    }
    sentences_free(it);
}

static struct row_embedder row_of(const struct embedding *m, struct buf *b)
{
    check_int(embedding_pack(m, b), 0);
    return (struct row_embedder){ 7, m->e->dim, true, b->p, b->n };
}

static void there_and_back(void **state)
{
    struct err err = { 0 };
    struct embedding m, r;
    struct buf b = BUF_INIT(0);
    check_ok(embedding_open("hash", &m, &err), err);
    assert_true(m.words == m.e && m.quick == m.e);
    check_int(embed_learn(m.words, "the boat", 8), 0);
    m.scale = (struct scale){ 0.1f, 0.2f, 0.3f };
    m.near = (struct scale){ 0.4f, 0.5f, 0.6f };
    struct row_embedder row = row_of(&m, &b);
    assert_true(embedding_is(&row, "hash") && !embedding_is(&row, "static"));
    check_ok(embedding_read(&row, &r, &err), err);
    check_int(r.id, 7);
    check_int(embed_learned(r.words), 1);
    check_near(r.scale.floor, 0.3, 1e-6);
    check_near(r.near.mean, 0.4, 1e-6);
    embedding_close(&r);
    for (size_t n = 0; n < b.n; n++) { /* cut anywhere: an error, or one of an older version */
        row.body_n = n;
        if (!embedding_read(&row, &r, &err)) check_str(r.e->name, "hash");
        embedding_close(&r);
    }
    embedding_close(&m);
    buf_free(&b);
}

static void what_cannot_be_used(void **state)
{
    struct err err = { 0 };
    struct embedding m;
    struct buf b = BUF_INIT(0);
    struct row_embedder row = { .dim = 384, .current = true };
    check_int(embedding_open("nothing", &m, &err), ERR_INVAL);
    assert_null(m.e);
    buf_lstr(&b, "hash", 4);
    buf_lstr(&b, "", 0);
    buf_lstr(&b, "hash-384-99", 11);
    row.body = b.p;
    row.body_n = b.n;
    check_int(embedding_read(&row, &m, &err), ERR_VERSION);
    check_has(err.msg, "likeness doctor --reembed hash");
    buf_clear(&b);
    buf_lstr(&b, "model:gone", 10);
    buf_lstr(&b, "", 0);
    buf_lstr(&b, "bert-384-q8_0-00", 16);
    row.body = b.p;
    row.body_n = b.n;
    assert_true(embedding_read(&row, &m, &err) != 0);
    check_has(err.msg, "likeness model pull gone");
    check_has(err.msg, "likeness doctor --reembed");
    buf_free(&b);
}

static void scales(void **state)
{
    struct err err = { 0 };
    const struct scale s = { 0.2f, 0.1f, 0.6f };
    check_near(scale_level(&s, 0.1f), 0, 1e-6);
    check_near(scale_level(&s, 0.6f), 0.5, 1e-6);
    check_near(scale_beyond(&s, 0.6f), 0, 1e-6);
    check_near(scale_beyond(&s, 0.8f), 0.5, 1e-6);
    check_near(scale_beyond(&s, 1.5f), 1, 1e-6);
    struct embedding m;
    check_ok(embedding_open("hash", &m, &err), err);
    struct scale was = m.scale;
    struct span q[4];
    for (size_t i = 0; i < 4; i++) q[i] = span_of(sentence[i]);
    float v[4 * 384];
    uint32_t of[] = { 0, 1, 2, 3 };
    check_ok(embed_texts(m.e, EMBED_PASSAGE, q, 4, v, &err), err);
    check_ok(embedding_calibrate(m.e, q, 4, v, of, 4, &m.scale, &err), err);
    check_int(memcmp(&was, &m.scale, sizeof was), 0); /* too few to tell */
    embedding_close(&m);
}

/* Once the embedder's version is another, reading says so, and settling makes the vectors anew. */
static void another_version(void **state)
{
    struct err err = { 0 };
    struct test_home t;
    struct buf text = BUF_INIT(0), body = BUF_INIT(0);
    struct retriever *r;
    struct embedding m;
    test_home_open(&t);
    text_of(&text, 30);
    check_ok(ingest_text(t.home, t.persona, "Note", text.p, text.n, 86400, &err), err);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    int64_t id = retriever_embedding(r)->id;
    int dim = retriever_embedder(r)->dim;
    retriever_close(r);
    check_ok(embedding_open(t.persona->embedder, &m, &err), err);
    snprintf(m.e->version, sizeof m.e->version, "other");
    struct row_embedder row = row_of(&m, &body);
    row.id = id;
    row.dim = dim;
    check_ok(store_embedder_put(t.home->store, &t.persona->seal, &row, &err), err);
    check_int(retriever_open(t.home, t.persona, &r, &err), ERR_VERSION);
    check_has(err.msg, "--reembed");
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    retriever_close(r);
    embedding_close(&m);
    buf_free(&text);
    buf_free(&body);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_text), cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_cannot_be_used),    cmocka_unit_test(scales),
        cmocka_unit_test(another_version),
    };
    return check_run("persona/embedding", tests);
}
