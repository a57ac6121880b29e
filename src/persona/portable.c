/* A persona as one file, and back.
 *
 * The file is a sealed stream of records (vault/stream.h). Each record has a type letter and a body
 * of little-endian integers and length-prefixed strings, in this order (docs/STORAGE.md has the
 * fields): P persona, E current embedder, then all S sources, M pieces, C chunks, V vectors,
 * D documents, T conversations, U turns, and Z, which counts them.
 *
 * Ids are those of the home it came from. Import gives new ones and puts them into the two bodies
 * that hold ids: chunks (their segments name pieces) and turns (their citations name source, chunk
 * and piece). The persona's key travels with it, because the digests by which a piece is known
 * again are keyed with it: the same chat exported a month later still adds only what is new.
 *
 * Import is one transaction. The stream says for certain whether it ended where its writer ended
 * it; nothing is committed before that, so a cut or changed file changes nothing. What stands in a
 * record is checked all the same: whoever has the file's secret may have written it. */
#include "persona/portable.h"

#include "base/map.h"
#include "base/str.h"
#include "persona/converse.h"
#include "persona/internal.h"
#include "persona/mask.h"
#include "persona/nearby.h"
#include "persona/pack.h"
#include "persona/windows.h"
#include "vault/stream.h"

#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PORTABLE_VERSION 2 /* 1: one vector a chunk */
#define DIM_MAX          65536
#define MASKED_TEXTS     8 /* of a piece */
#define NO_ACCOUNT                                                                                 \
    "{\"v\":1}" /* a conversation's body: numbers of accounts mean nothing elsewhere */

/* ---- out ---- */

struct writer {
    struct home *home;
    const struct sealed *ps;
    struct stream *s;
    struct buf rec;
    struct portable_counts *n;
    const struct progress *pr;
    uint64_t done, total;
    int64_t embedder, talk;
    int64_t account;   /* whose conversations; < 0: all */
    struct mask *mask; /* NULL: all as it is */
    struct arena *mem;
    uint8_t uid[VAULT_UID], key[VAULT_KEY]; /* of what is written */
    struct err *err;
};

static int put(struct writer *w, uint8_t type)
{
    int rc = w->rec.failed ? err_nomem(w->err) : stream_put(w->s, type, w->rec.p, w->rec.n, w->err);
    buf_clear(&w->rec);
    if (!rc && progress_tick(w->pr, "export", ++w->done, w->total, "records"))
        rc = err_set(w->err, ERR_CANCEL, "stopped: no file was written");
    return rc;
}

static int write_persona(void *ud, const struct row_persona *r)
{
    struct writer *w = ud;
    if (r->id != w->ps->id) return 0;
    buf_u8(&w->rec, PORTABLE_VERSION);
    buf_add(&w->rec, w->uid, VAULT_UID);
    buf_add(&w->rec, w->key, VAULT_KEY);
    buf_u64(&w->rec, (uint64_t)r->created_at);
    buf_u8(&w->rec, r->stale || w->mask);
    buf_u64(&w->rec, w->total);
    buf_lstr(&w->rec, r->body, r->body_n);
    return put(w, 'P');
}

static int write_embedder(void *ud, const struct row_embedder *r)
{
    struct writer *w = ud;
    if (!r->current) return 0;
    w->embedder = r->id;
    buf_u32(&w->rec, (uint32_t)r->dim);
    buf_lstr(&w->rec, r->body, r->body_n);
    return put(w, 'E');
}

/* Without the path, which tells of whoever has the files. */
static int masked_source(struct writer *w, const struct row_source *r)
{
    json_t *o = json_loadb(r->body, r->body_n, 0, NULL);
    const char *title = json_string_value(json_object_get(o, "title"));
    struct buf b = BUF_INIT(0);
    int rc = mask_title(w->mask, title ? title : "", title ? strlen(title) : 0, &b);
    if (o) json_object_set_new(o, "title", json_stringn(buf_str(&b), b.n));
    if (o) json_object_set_new(o, "path", json_string(""));
    char *body = o ? json_dumps(o, JSON_COMPACT) : str_dup("{}");
    if (!rc && body) rc = buf_lstr(&w->rec, body, strlen(body));
    json_decref(o);
    buf_free(&b);
    free(body);
    return body ? rc : ERR_NOMEM;
}

static int write_source(void *ud, const struct row_source *r)
{
    struct writer *w = ud;
    w->n->sources++;
    buf_u64(&w->rec, (uint64_t)r->id);
    buf_u64(&w->rec, (uint64_t)r->added_at);
    buf_u64(&w->rec, (uint64_t)r->from);
    buf_u64(&w->rec, (uint64_t)r->to);
    if (!w->mask) buf_lstr(&w->rec, r->body, r->body_n);
    else if (masked_source(w, r)) return err_nomem(w->err);
    return put(w, 'S');
}

static int masked_piece(struct writer *w, const struct row_piece *r)
{
    struct piece p;
    struct buf b[MASKED_TEXTS] = { 0 }, body = BUF_INIT(0);
    uint8_t digest[sizeof r->digest];
    arena_reset(w->mem);
    int rc = unpack_piece(r->body, r->body_n, w->mem, &p, w->err);
    if (rc) return rc;
    const char **text[MASKED_TEXTS] = { &p.text, &p.quoted,   &p.title,  &p.thread,
                                        &p.id,   &p.reply_to, &p.author, &p.author_id };
    for (int i = 0; i < MASKED_TEXTS && !rc; i++) {
        const char *s = *text[i];
        bool author = text[i] == &p.author || text[i] == &p.author_id;
        if (author && r->voice) continue;
        bool title = text[i] == &p.title || text[i] == &p.thread;
        rc = author  ? mask_author(w->mask, s, text[i] == &p.author_id, &b[i])
             : title ? mask_title(w->mask, s, strlen(s), &b[i])
                     : mask_text(w->mask, s, strlen(s), &b[i]);
        *text[i] = buf_str(&b[i]);
    }
    vault_digest(w->key, "masked", (const char *)r->digest, sizeof r->digest, digest);
    buf_add(&w->rec, digest, sizeof digest);
    if (!rc) rc = pack_piece(&body, &p);
    buf_lstr(&w->rec, buf_str(&body), body.n);
    for (int i = 0; i < MASKED_TEXTS; i++) buf_free(&b[i]);
    buf_free(&body);
    return rc ? err_nomem(w->err) : 0;
}

static int write_piece(void *ud, const struct row_piece *r)
{
    struct writer *w = ud;
    w->n->pieces++;
    buf_u64(&w->rec, (uint64_t)r->id);
    buf_u64(&w->rec, (uint64_t)r->source);
    buf_u64(&w->rec, (uint64_t)r->written_at);
    buf_u64(&w->rec, (uint64_t)r->seq);
    buf_u8(&w->rec, (uint8_t)r->kind);
    buf_u8(&w->rec, r->voice);
    if (w->mask) {
        int rc = masked_piece(w, r);
        return rc ? rc : put(w, 'M');
    }
    buf_add(&w->rec, r->digest, sizeof r->digest);
    buf_lstr(&w->rec, r->body, r->body_n);
    return put(w, 'M');
}

static int write_chunk(void *ud, const struct row_chunk *r)
{
    struct writer *w = ud;
    w->n->chunks++;
    buf_u64(&w->rec, (uint64_t)r->id);
    buf_u64(&w->rec, (uint64_t)r->source);
    buf_u64(&w->rec, (uint64_t)r->written_at);
    buf_u32(&w->rec, (uint32_t)r->n_tokens);
    buf_u32(&w->rec, (uint32_t)r->topic);
    buf_lstr(&w->rec, r->body, r->body_n);
    return put(w, 'C');
}

static int write_vector(void *ud, int64_t chunk, const float *v, int count)
{
    struct writer *w = ud;
    w->n->vectors++;
    buf_u64(&w->rec, (uint64_t)chunk);
    for (int i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], 4);
        buf_u32(&w->rec, bits);
    }
    return put(w, 'V');
}

static int write_doc(void *ud, const char *name, const char *body, size_t n)
{
    struct writer *w = ud;
    if (nearby_is_part(name)) return 0;
    w->n->docs++;
    buf_lstr(&w->rec, name, strlen(name));
    buf_lstr(&w->rec, body, n);
    return put(w, 'D');
}

static int write_turn(void *ud, const struct row_turn *r)
{
    struct writer *w = ud;
    w->n->turns++;
    buf_u64(&w->rec, (uint64_t)w->talk);
    buf_u64(&w->rec, (uint64_t)r->created_at);
    buf_u32(&w->rec, (uint32_t)r->n_sources);
    for (size_t i = 0; i < r->n_sources; i++) buf_u64(&w->rec, (uint64_t)r->sources[i]);
    buf_lstr(&w->rec, r->body, r->body_n);
    return put(w, 'U');
}

static int write_talk(void *ud, int64_t id, int64_t created_at, uint64_t n_turns, const char *body,
                      size_t n)
{
    struct writer *w = ud;
    int64_t whose = conversation_account(body, n);
    if (w->account >= 0 && whose && whose != w->account) return 0;
    w->n->conversations++;
    buf_u64(&w->rec, (uint64_t)id);
    buf_u64(&w->rec, (uint64_t)created_at);
    buf_lstr(&w->rec, NO_ACCOUNT, sizeof NO_ACCOUNT - 1);
    int rc = put(w, 'T');
    w->talk = id;
    return rc ? rc : store_turn_each(w->home->store, w->ps, id, write_turn, w, w->err);
}

static int write_end(struct writer *w)
{
    const struct portable_counts *n = w->n;
    const uint64_t all[] = { n->sources, n->pieces,        n->chunks, n->vectors,
                             n->docs,    n->conversations, n->turns };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buf_u64(&w->rec, all[i]);
    return put(w, 'Z');
}

static int write_all(struct writer *w)
{
    struct store *st = w->home->store;
    int rc = store_persona_each(st, write_persona, w, w->err);
    if (!rc && !w->mask) rc = store_embedder_each(st, w->ps, write_embedder, w, w->err);
    if (!rc) rc = store_source_each(st, w->ps, 0, write_source, w, w->err);
    if (!rc) rc = store_piece_each(st, w->ps, 0, PIECE_BY_SEQ, write_piece, w, w->err);
    if (w->mask) return rc ? rc : write_end(w);
    if (!rc) rc = store_chunk_each(st, w->ps, 0, write_chunk, w, w->err);
    if (!rc && w->embedder) rc = store_vector_each(st, w->ps, w->embedder, write_vector, w, w->err);
    if (!rc) rc = store_doc_each(st, w->ps, write_doc, w, w->err);
    if (!rc) rc = store_conversation_each(st, w->ps, write_talk, w, w->err);
    return rc ? rc : write_end(w);
}

int portable_export(struct home *h, const struct persona *p, const char *path,
                    const struct secret *s, bool overwrite, const struct progress *pr,
                    struct portable_counts *n, struct err *err)
{
    return portable_export_for(h, p, -1, path, s, overwrite, pr, n, err);
}

static int write_file(struct writer *w, const struct persona *p, const char *path,
                      const struct secret *s, bool overwrite)
{
    struct persona_counts have;
    *w->n = (struct portable_counts){ 0 };
    int rc = persona_counts(w->home, p, &have, w->err);
    if (rc) return rc;
    w->total = have.sources + have.pieces + (w->mask ? 0 : 2 * have.chunks);
    rc = stream_create(path, s, overwrite, &w->s, w->err);
    if (!rc) rc = write_all(w);
    if (!rc) rc = stream_finish(w->s, w->err);
    stream_free(w->s);
    buf_free(&w->rec);
    sodium_memzero(w->key, sizeof w->key);
    return rc;
}

int portable_export_for(struct home *h, const struct persona *p, int64_t account, const char *path,
                        const struct secret *s, bool overwrite, const struct progress *pr,
                        struct portable_counts *n, struct err *err)
{
    struct portable_counts counted = { 0 };
    struct writer w = { .home = h,
                        .ps = &p->seal,
                        .rec = BUF_INIT(STREAM_RECORD_MAX),
                        .account = account,
                        .pr = pr,
                        .n = n ? n : &counted,
                        .err = err };
    memcpy(w.uid, p->seal.uid, sizeof w.uid);
    memcpy(w.key, p->seal.key, sizeof w.key);
    return write_file(&w, p, path, s, overwrite);
}

int portable_export_masked(struct home *h, const struct persona *p, const char *path,
                           const struct secret *s, bool overwrite, const struct progress *pr,
                           struct portable_counts *n, struct err *err)
{
    struct portable_counts counted = { 0 };
    struct writer w = { .home = h,
                        .ps = &p->seal,
                        .rec = BUF_INIT(STREAM_RECORD_MAX),
                        .pr = pr,
                        .n = n ? n : &counted,
                        .mem = arena_new(0),
                        .err = err };
    randombytes_buf(w.uid, sizeof w.uid);
    randombytes_buf(w.key, sizeof w.key);
    int rc = w.mem ? mask_open(h, p, &w.mask, err) : err_nomem(err);
    if (!rc) rc = write_file(&w, p, path, s, overwrite);
    mask_close(w.mask);
    arena_free(w.mem);
    return rc;
}

/* ---- in ---- */

struct reader {
    struct home *home;
    struct sealed ps;
    bool made; /* key file and row are there: undo them on failure */
    bool ended;
    const char *path, *name;
    struct map sources, pieces, chunks, talks; /* id in the file -> id here */
    int64_t embedder;
    int dim;
    struct portable_counts n;
    const struct progress *pr;
    uint64_t done, total;
    struct err *err;
};

static int broken(struct reader *r, const char *what)
{
    return err_set(r->err, ERR_PARSE,
                   "%s: %s: the file was not written by this program, or by a broken "
                   "one",
                   r->path, what);
}

static int remember(struct reader *r, struct map *m, int64_t old, int64_t now)
{
    uint64_t *v = map_slot(m, (uint64_t)old);
    if (!v) return err_nomem(r->err);
    if (*v) return broken(r, "an id stands there twice");
    *v = (uint64_t)now;
    return 0;
}

static int64_t now_of(const struct map *m, int64_t old)
{
    const uint64_t *v = map_get(m, (uint64_t)old);
    return v ? (int64_t)*v : 0;
}

/* ---- P ---- */

/* Instants outside the years 1 to 9999 are no dates of anybody's life. */
static int64_t read_time(struct cursor *c)
{
    int64_t t = (int64_t)cursor_u64(c, "time");
    bool sane =
        t >= clock_from_civil(1, 1, 1, 0, 0, 0) && t < clock_from_civil(10000, 1, 1, 0, 0, 0);
    return sane ? t : CLOCK_NONE;
}

/* As read_time, for when something was made here: that is always known. */
static int64_t read_stamp(struct cursor *c)
{
    int64_t t = read_time(c);
    return t == CLOCK_NONE ? clock_now() : t;
}

static int read_persona(struct reader *r, struct cursor *c)
{
    uint8_t version = cursor_u8(c, "version");
    if (!c->bad && version > PORTABLE_VERSION)
        return err_set(r->err, ERR_VERSION,
                       "%s was made by a newer version of Likeness: update the "
                       "program",
                       r->path);
    struct span uid = cursor_bytes(c, VAULT_UID, "uid"), key = cursor_bytes(c, VAULT_KEY, "key");
    int64_t created = read_stamp(c);
    bool stale = cursor_u8(c, "stale");
    r->total = cursor_u64(c, "record count");
    struct span body = cursor_lstr(c, "body");
    char *text = NULL;
    int rc = cursor_check(c, r->err);
    if (!rc && r->made) rc = broken(r, "it holds two personas");
    if (!rc) rc = persona_adopt(r->home, body.p, body.n, r->name, &text, r->err);
    if (!rc)
        rc = store_persona_import(r->home->store, (const uint8_t *)uid.p, (const uint8_t *)key.p,
                                  text, strlen(text), created, &r->ps, r->err);
    if (!rc) r->made = true;
    if (!rc && stale) rc = store_persona_stale(r->home->store, &r->ps, true, r->err);
    if (text) explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

/* ---- the others ---- */

static int read_embedder(struct reader *r, struct cursor *c)
{
    struct row_embedder e = { .dim = (int32_t)cursor_u32(c, "dimension"), .current = true };
    struct span body = cursor_lstr(c, "body");
    e.body = body.p;
    e.body_n = body.n;
    if (e.dim < 1 || e.dim > DIM_MAX || r->embedder) cursor_fail(c, "dimension");
    int rc = cursor_check(c, r->err);
    if (!rc) rc = store_embedder_put(r->home->store, &r->ps, &e, r->err);
    r->embedder = e.id;
    r->dim = e.dim;
    return rc;
}

static int read_source(struct reader *r, struct cursor *c)
{
    int64_t old = (int64_t)cursor_u64(c, "id");
    struct row_source s = { .added_at = read_stamp(c) };
    s.from = read_time(c);
    s.to = read_time(c);
    struct span body = cursor_lstr(c, "body");
    s.body = body.p;
    s.body_n = body.n;
    int rc = cursor_check(c, r->err);
    if (!rc) rc = store_source_put(r->home->store, &r->ps, &s, r->err);
    r->n.sources++;
    return rc ? rc : remember(r, &r->sources, old, s.id);
}

static int read_piece(struct reader *r, struct cursor *c)
{
    int64_t old = (int64_t)cursor_u64(c, "id");
    struct row_piece p = { .source = now_of(&r->sources, (int64_t)cursor_u64(c, "source")) };
    p.written_at = read_time(c);
    p.seq = (int64_t)cursor_u64(c, "order");
    p.kind = cursor_u8(c, "kind");
    p.voice = cursor_u8(c, "voice");
    struct span digest = cursor_bytes(c, sizeof p.digest, "digest"), body = cursor_lstr(c, "body");
    if (p.kind > PIECE_MAIL) cursor_fail(c, "kind");
    if (!p.source) cursor_fail(c, "source");
    int rc = cursor_check(c, r->err);
    if (rc || !digest.p) return rc;
    memcpy(p.digest, digest.p, sizeof p.digest);
    p.body = body.p;
    p.body_n = body.n;
    rc = store_piece_put(r->home->store, &r->ps, &p, r->err);
    r->n.pieces++;
    return rc ? rc : remember(r, &r->pieces, old, p.id);
}

static int read_chunk(struct reader *r, struct cursor *c)
{
    int64_t old = (int64_t)cursor_u64(c, "id");
    struct row_chunk k = { .source = now_of(&r->sources, (int64_t)cursor_u64(c, "source")) };
    k.written_at = read_time(c);
    k.n_tokens = (int32_t)cursor_u32(c, "tokens");
    k.topic = (int32_t)cursor_u32(c, "topic");
    struct span body = cursor_lstr(c, "body");
    if (!k.source) cursor_fail(c, "source");
    int rc = cursor_check(c, r->err);
    struct arena *a = rc ? NULL : arena_new(0);
    struct buf packed = BUF_INIT(STREAM_RECORD_MAX);
    struct chunk_text t = { 0 };
    if (!rc) rc = a ? unpack_chunk(body.p, body.n, a, &t, r->err) : err_nomem(r->err);
    if (rc) goto out;
    for (size_t i = 0; i < t.n_seg; i++) t.seg[i].piece = now_of(&r->pieces, t.seg[i].piece);
    if (pack_chunk(&packed, &t)) {
        rc = err_nomem(r->err);
        goto out;
    }
    k.body = buf_str(&packed);
    k.body_n = packed.n;
    rc = store_chunk_put(r->home->store, &r->ps, &k, r->err);
    if (!rc) rc = remember(r, &r->chunks, old, k.id);
    r->n.chunks++;
out:
    buf_free(&packed);
    arena_free(a);
    return rc;
}

static int read_vector(struct reader *r, struct cursor *c)
{
    int64_t chunk = now_of(&r->chunks, (int64_t)cursor_u64(c, "chunk"));
    size_t one = (size_t)r->dim * 4, n = r->dim ? cursor_left(c) / one : 0;
    if (!chunk || !r->embedder || !n || n > WINDOWS_MAX || cursor_left(c) != n * one)
        cursor_fail(c, "chunk");
    int rc = cursor_check(c, r->err);
    float *v = !rc && n && one ? calloc(n, one) : NULL;
    if (!rc && !v) rc = err_nomem(r->err);
    for (size_t i = 0; !rc && v && i < n * (size_t)r->dim; i++) {
        uint32_t bits = cursor_u32(c, "vector");
        memcpy(&v[i], &bits, 4);
        if (!isfinite(v[i])) rc = broken(r, "a vector is not made of numbers");
    }
    if (!rc)
        rc = store_vectors_put(r->home->store, &r->ps, r->embedder, chunk, v, r->dim, n, r->err);
    r->n.vectors++;
    free(v);
    return rc;
}

static int read_doc(struct reader *r, struct cursor *c)
{
    struct span name = cursor_lstr(c, "name"), body = cursor_lstr(c, "body");
    char n[65];
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~') cursor_fail(c, "name");
    if (!name.n || name.n >= sizeof n) cursor_fail(c, "name");
    int rc = cursor_check(c, r->err);
    if (rc || !name.p) return rc;
    memcpy(n, name.p, name.n);
    n[name.n] = 0;
    r->n.docs++;
    return body.n ? store_doc_put(r->home->store, &r->ps, n, body.p, body.n, r->err) : 0;
}

static int read_talk(struct reader *r, struct cursor *c)
{
    int64_t old = (int64_t)cursor_u64(c, "id"), id = 0;
    int64_t created_at = read_stamp(c);
    cursor_lstr(c, "body"); /* says whose it was there */
    int rc = cursor_check(c, r->err);
    if (!rc)
        rc = store_conversation_new(r->home->store, &r->ps, NO_ACCOUNT, sizeof NO_ACCOUNT - 1,
                                    created_at, &id, r->err);
    r->n.conversations++;
    return rc ? rc : remember(r, &r->talks, old, id);
}

static void renumber(json_t *o, const char *key, const struct map *m)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_integer(v))
        json_object_set_new(o, key, json_integer(now_of(m, json_integer_value(v))));
}

/* A turn's citations under the ids of this home. A body that is not JSON is kept as it is. */
static char *turn_body(struct reader *r, struct span body)
{
    json_t *j = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL), *s;
    size_t i;
    if (!json_is_object(j)) {
        json_decref(j);
        return strndup(body.p ? body.p : "", body.n);
    }
    json_array_foreach(json_object_get(j, "sources"), i, s)
    {
        renumber(s, "source", &r->sources);
        renumber(s, "chunk", &r->chunks);
        renumber(s, "piece", &r->pieces);
    }
    char *out = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    return out;
}

static int read_turn(struct reader *r, struct cursor *c)
{
    struct row_turn t = { .conversation = now_of(&r->talks, (int64_t)cursor_u64(c, "talk")) };
    t.created_at = read_stamp(c);
    size_t n = cursor_u32(c, "source count");
    if (n > cursor_left(c) / 8) cursor_fail(c, "source count");
    if (!t.conversation) cursor_fail(c, "talk");
    int64_t *ids = c->bad ? NULL : calloc(n + 1, sizeof *ids);
    char *body = NULL;
    for (size_t i = 0; ids && i < n; i++) {
        ids[i] = now_of(&r->sources, (int64_t)cursor_u64(c, "source"));
        if (!ids[i]) cursor_fail(c, "source");
    }
    struct span text = cursor_lstr(c, "body");
    int rc = cursor_check(c, r->err);
    if (!rc && ids) body = turn_body(r, text);
    if (!rc && !body) rc = err_nomem(r->err);
    if (!rc && body) {
        t.sources = ids;
        t.n_sources = n;
        t.body = body;
        t.body_n = strlen(body);
        rc = store_turn_put(r->home->store, &r->ps, &t, r->err);
    }
    r->n.turns++;
    if (body) explicit_bzero(body, strlen(body));
    free(body);
    free(ids);
    return rc;
}

static int read_end(struct reader *r, struct cursor *c)
{
    const uint64_t all[] = { r->n.sources, r->n.pieces,        r->n.chunks, r->n.vectors,
                             r->n.docs,    r->n.conversations, r->n.turns };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (cursor_u64(c, "count") != all[i]) cursor_fail(c, "count");
    r->ended = true;
    return cursor_check(c, r->err);
}

static int read_record(struct reader *r, uint8_t type, const struct buf *body)
{
    static const struct {
        uint8_t type;
        int (*fn)(struct reader *, struct cursor *);
    } readers[] = {
        { 'P', read_persona }, { 'E', read_embedder }, { 'S', read_source }, { 'M', read_piece },
        { 'C', read_chunk },   { 'V', read_vector },   { 'D', read_doc },    { 'T', read_talk },
        { 'U', read_turn },    { 'Z', read_end },
    };
    struct cursor c = cursor_of(body->p, body->n, r->path);
    if (r->ended) return broken(r, "something follows its end");
    if (type != 'P' && !r->made) return broken(r, "it does not begin with a persona");
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (readers[i].type == type) return readers[i].fn(r, &c);
    return broken(r, "it holds a record of a kind that is not known");
}

static int read_all(struct reader *r, struct stream *s)
{
    struct buf body = BUF_INIT(STREAM_RECORD_MAX);
    uint8_t type = 0;
    int rc;
    while (!(rc = stream_next(s, &type, &body, r->err)) && type) {
        if ((rc = read_record(r, type, &body))) break;
        r->done++;
        if (progress_tick(r->pr, "import", r->done, r->total > r->done ? r->total : 0, "records")) {
            rc = err_set(r->err, ERR_CANCEL, "stopped: nothing was imported");
            break;
        }
    }
    if (!rc && !r->ended) rc = broken(r, "it has no end");
    buf_free(&body);
    return rc;
}

int portable_import(struct home *h, const char *path, const struct secret *s, const char *name,
                    const struct progress *pr, struct persona **out, struct portable_counts *n,
                    struct err *err)
{
    struct reader r = { .home = h, .path = path, .name = name, .pr = pr, .err = err };
    struct stream *st = NULL;
    *out = NULL;
    int rc = stream_open(path, s, &st, err);
    if (rc) return rc;
    if ((rc = store_begin(h->store, err))) goto out;
    rc = read_all(&r, st);
    if (!rc) rc = store_commit(h->store, err);
    if (rc) {
        store_rollback(h->store);
        if (r.made) vault_persona_destroy(h->vault, r.ps.uid, NULL);
        goto out;
    }
    if (n) *n = r.n;
    rc = persona_load(h, r.ps.id, out, err);
out:
    stream_free(st);
    map_free(&r.sources);
    map_free(&r.pieces);
    map_free(&r.chunks);
    map_free(&r.talks);
    store_sealed_clear(&r.ps);
    return rc;
}
