/* A home in a fresh folder, for the tests of the store. */
#ifndef LK_TESTS_STORE_HOME_H
#define LK_TESTS_STORE_HOME_H

#include "base/io.h"
#include "behind.h"
#include "store/store.h"

static struct err err;
static const struct secret PASS = { .passphrase = "correct horse", .passphrase_n = 13 };

struct home {
    char path[300], db[340];
    struct vault *v;
    struct store *st;
};

static inline void home_make(struct home *h)
{
    memset(h, 0, sizeof *h);
    snprintf(h->path, sizeof h->path, "%s/home", check_tmp_dir());
    snprintf(h->db, sizeof h->db, "%s/likeness.db", h->path);
    check_ok(vault_create(h->path, &PASS, &err), err);
    check_ok(vault_unlock(h->path, &PASS, &h->v, &err), err);
    check_ok(store_create(h->path, h->v, &err), err);
    check_ok(store_open(h->path, h->v, STORE_WRITE, &h->st, &err), err);
}

static inline void home_reopen(struct home *h)
{
    store_close(h->st);
    h->st = NULL;
    check_ok(store_open(h->path, h->v, STORE_WRITE, &h->st, &err), err);
}

static inline void home_done(struct home *h)
{
    store_close(h->st);
    vault_lock(h->v);
    memset(h, 0, sizeof *h);
}

static inline void meddle(const struct home *h, const char *sql) { behind_do(h->db, sql); }
static inline int64_t peek(const struct home *h, const char *sql) { return behind_get(h->db, sql); }

static inline int64_t add_source(struct store *st, const struct sealed *ps, const char *body)
{
    struct row_source r = {
        .added_at = 1000, .from = 10, .to = CLOCK_NONE, .body = body, .body_n = strlen(body)
    };
    check_ok(store_source_put(st, ps, &r, &err), err);
    return r.id;
}

static inline int64_t add_piece(struct store *st, const struct sealed *ps, int64_t source,
                                int64_t seq, bool voice, const char *body)
{
    struct row_piece r = { .source = source,
                           .written_at = seq == 3 ? CLOCK_NONE : 1000 - seq,
                           .seq = seq,
                           .kind = 1,
                           .voice = voice,
                           .body = body,
                           .body_n = strlen(body) };
    vault_digest(ps->key, "piece", body, strlen(body), r.digest);
    check_ok(store_piece_put(st, ps, &r, &err), err);
    return r.id;
}

static inline int64_t add_chunk(struct store *st, const struct sealed *ps, int64_t source,
                                const char *body)
{
    struct row_chunk r = { .source = source,
                           .written_at = 5,
                           .n_tokens = 12,
                           .topic = -1,
                           .body = body,
                           .body_n = strlen(body) };
    check_ok(store_chunk_put(st, ps, &r, &err), err);
    return r.id;
}

/* A persona with two sources, pieces, chunks, vectors, a document, a conversation of two turns. */
struct filled {
    struct sealed ps;
    int64_t s1, s2, p1, p2, c1, c2, e, conv, t1, t2;
};

static inline void fill(struct store *st, struct filled *f)
{
    float v[4] = { 1, 2, 3, 4 };
    check_ok(store_persona_new(st, "{\"name\":\"Marigold\"}", 19, &f->ps, &err), err);
    f->s1 = add_source(st, &f->ps, "quince source");
    f->s2 = add_source(st, &f->ps, "medlar source");
    f->p1 = add_piece(st, &f->ps, f->s1, 1, true, "the saxifrage is out");
    f->p2 = add_piece(st, &f->ps, f->s1, 2, false, "is the columbine too");
    add_piece(st, &f->ps, f->s2, 3, true, "no columbine here");
    f->c1 = add_chunk(st, &f->ps, f->s1, "chunk of saxifrage");
    f->c2 = add_chunk(st, &f->ps, f->s2, "chunk of columbine");
    struct row_embedder e = { .dim = 4, .current = true, .body = "hashed", .body_n = 6 };
    check_ok(store_embedder_put(st, &f->ps, &e, &err), err);
    f->e = e.id;
    check_ok(store_vector_put(st, &f->ps, f->e, f->c1, v, 4, &err), err);
    v[0] = 9;
    check_ok(store_vector_put(st, &f->ps, f->e, f->c2, v, 4, &err), err);
    check_ok(store_doc_put(st, &f->ps, "profile", "likes gentian", 13, &err), err);
    check_ok(store_conversation_new(st, &f->ps, "about hellebore", 15, 0, &f->conv, &err), err);
    int64_t both[] = { f->s2, f->s1 };
    struct row_turn t = { .conversation = f->conv,
                          .created_at = 50,
                          .sources = both,
                          .n_sources = 2,
                          .body = "turn bryony",
                          .body_n = 11 };
    check_ok(store_turn_put(st, &f->ps, &t, &err), err);
    f->t1 = t.id;
    t = (struct row_turn){ .conversation = f->conv,
                           .created_at = 51,
                           .sources = both,
                           .n_sources = 1,
                           .body = "turn campion",
                           .body_n = 12 };
    check_ok(store_turn_put(st, &f->ps, &t, &err), err);
    f->t2 = t.id;
}

#endif
