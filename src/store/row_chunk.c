/* Chunks, embedders, and the vectors that an embedder made of chunks.
 *
 * A vector is its floats, little-endian, as one sealed value at (vector, row = chunk); the
 * embedder's id is bound to it. So it needs no id of its own and goes with either. */
#include "store/sql.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "vectors are stored as this machine's floats, which must be little-endian");

/* ---- chunks ---- */

static struct bound chunk_bound(const struct row_chunk *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->source);
    bound_i64(&b, r->written_at);
    bound_i64(&b, r->n_tokens);
    return b;
}

/* Columns: id, source, written_at, n_tokens, topic, body. */
static int open_chunk(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                      struct row_chunk *r, struct buf *body, struct err *err)
{
    *r = (struct row_chunk){ .id = sqlite3_column_int64(s, 0),
                             .source = sqlite3_column_int64(s, 1),
                             .written_at = sql_time(s, 2),
                             .n_tokens = sqlite3_column_int(s, 3),
                             .topic = sqlite3_column_int(s, 4) };
    struct bound b = chunk_bound(r);
    int rc = row_open(st, ps, "chunk", r->id, "body", &b, s, 5, body, err);
    r->body = buf_str(body);
    r->body_n = body->n;
    return rc;
}

static int insert_chunk(struct store *st, const struct sealed *ps, const struct row_chunk *r,
                        const struct buf *sealed, struct err *err)
{
    int rc = sql_do(st, err,
                    "INSERT INTO chunk(id, persona, source, written_at, n_tokens, topic, body)"
                    " SELECT ?, persona, id, ?, ?, ?, ? FROM source WHERE id=? AND persona=?",
                    "iniibii", r->id, r->written_at, (int64_t)r->n_tokens, (int64_t)r->topic,
                    sealed->p, sealed->n, r->source, ps->id);
    return rc ? rc : must_change(st, "source", r->source, err);
}

int store_chunk_put(struct store *st, const struct sealed *ps, struct row_chunk *r, struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    bool fresh = !r->id;
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    if (fresh) rc = next_id(st, "chunk", &r->id, err);
    else
        rc = sql_int(st, &r->source, err, "SELECT source FROM chunk WHERE id=? AND persona=?", "ii",
                     r->id, ps->id);
    struct bound b = chunk_bound(r);
    if (!rc) rc = row_seal(st, ps, "chunk", r->id, "body", &b, r->body, r->body_n, &sealed, err);
    if (!rc && fresh) {
        rc = insert_chunk(st, ps, r, &sealed, err);
    } else if (!rc) {
        rc = sql_do(st, err,
                    "UPDATE chunk SET written_at=?, n_tokens=?, topic=?, body=?"
                    " WHERE id=? AND persona=?",
                    "niibii", r->written_at, (int64_t)r->n_tokens, (int64_t)r->topic, sealed.p,
                    sealed.n, r->id, ps->id);
        if (!rc) rc = must_change(st, "chunk", r->id, err);
    }
    rc = scope_end(st, &sc, rc, err);
    if (rc && fresh) r->id = 0;
    buf_free(&sealed);
    return rc;
}

#define CHUNK_COLS "SELECT id, source, written_at, n_tokens, topic, body FROM chunk"

/* Runs fn over the rows of s, which it puts back. *n: how many there were. */
static int chunks_over(struct store *st, const struct sealed *ps, sqlite3_stmt *s, uint64_t *n,
                       int (*fn)(void *, const struct row_chunk *), void *ud, struct err *err)
{
    struct buf body = BUF_INIT(0);
    struct row_chunk r;
    int rc;
    *n = 0;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        ++*n;
        if ((rc = open_chunk(st, ps, s, &r, &body, err))) break;
        if ((rc = fn(ud, &r))) break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

int store_chunk_get(struct store *st, const struct sealed *ps, int64_t id,
                    int (*fn)(void *, const struct row_chunk *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    uint64_t n = 0;
    int rc = sql_get(st, &s, err, CHUNK_COLS " WHERE id=? AND persona=?", "ii", id, ps->id);
    if (!rc) rc = chunks_over(st, ps, s, &n, fn, ud, err);
    if (!rc && !n) rc = err_set(err, ERR_NOTFOUND, "there is no chunk %lld here", (long long)id);
    return rc;
}

int store_chunk_each(struct store *st, const struct sealed *ps, int64_t source,
                     int (*fn)(void *, const struct row_chunk *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    uint64_t n;
    int rc = source ? sql_get(st, &s, err, CHUNK_COLS " WHERE persona=? AND source=? ORDER BY id",
                              "ii", ps->id, source)
                    : sql_get(st, &s, err, CHUNK_COLS " WHERE persona=? ORDER BY id", "i", ps->id);
    return rc ? rc : chunks_over(st, ps, s, &n, fn, ud, err);
}

int store_chunk_last(struct store *st, const struct sealed *ps, int64_t *id, struct err *err)
{
    *id = 0;
    return sql_int(st, id, err, "SELECT coalesce(max(id), 0) FROM chunk WHERE persona=?", "i",
                   ps->id);
}

int store_chunk_topic(struct store *st, const struct sealed *ps, int64_t id, int32_t topic,
                      struct err *err)
{
    int rc = write_ready(st, err);
    if (!rc)
        rc = sql_do(st, err, "UPDATE chunk SET topic=? WHERE id=? AND persona=?", "iii",
                    (int64_t)topic, id, ps->id);
    return rc ? rc : must_change(st, "chunk", id, err);
}

int store_chunks_clear(struct store *st, const struct sealed *ps, int64_t source, struct err *err)
{
    struct scope sc = { 0 };
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    rc = sql_do(st, err, "DELETE FROM chunk WHERE source=? AND persona=?", "ii", source, ps->id);
    return scope_end(st, &sc, rc, err);
}

/* ---- embedders ---- */

static struct bound embedder_bound(int64_t dim)
{
    struct bound b = { 0 };
    bound_i64(&b, dim);
    return b;
}

/* Columns: id, dim, current, body. */
static int open_embedder(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                         struct row_embedder *r, struct buf *body, struct err *err)
{
    *r = (struct row_embedder){ .id = sqlite3_column_int64(s, 0),
                                .dim = sqlite3_column_int(s, 1),
                                .current = sqlite3_column_int(s, 2) };
    struct bound b = embedder_bound(r->dim);
    int rc = row_open(st, ps, "embedder", r->id, "body", &b, s, 3, body, err);
    r->body = buf_str(body);
    r->body_n = body->n;
    return rc;
}

int store_embedder_put(struct store *st, const struct sealed *ps, struct row_embedder *r,
                       struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    bool fresh = !r->id;
    int64_t dim = r->dim;
    int rc = scope_begin(st, &sc, err);
    if (rc) return rc;
    if (fresh) rc = next_id(st, "embedder", &r->id, err);
    else
        rc = sql_int(st, &dim, err, "SELECT dim FROM embedder WHERE id=? AND persona=?", "ii",
                     r->id, ps->id);
    struct bound b = embedder_bound(dim);
    if (!rc) rc = row_seal(st, ps, "embedder", r->id, "body", &b, r->body, r->body_n, &sealed, err);
    if (!rc && r->current)
        rc = sql_do(st, err, "UPDATE embedder SET current=0 WHERE persona=? AND current", "i",
                    ps->id);
    if (!rc && fresh)
        rc = sql_do(st, err,
                    "INSERT INTO embedder(id, persona, dim, current, body) VALUES(?, ?, ?, ?, ?)",
                    "iiiib", r->id, ps->id, dim, (int64_t)r->current, sealed.p, sealed.n);
    else if (!rc)
        rc = sql_do(st, err, "UPDATE embedder SET current=?, body=? WHERE id=? AND persona=?",
                    "ibii", (int64_t)r->current, sealed.p, sealed.n, r->id, ps->id);
    if (!rc) rc = must_change(st, "embedder", r->id, err);
    rc = scope_end(st, &sc, rc, err);
    if (rc && fresh) r->id = 0;
    buf_free(&sealed);
    return rc;
}

#define EMBEDDER_COLS "SELECT id, dim, current, body FROM embedder WHERE persona=?1 ORDER BY id"

int store_embedder_each(struct store *st, const struct sealed *ps,
                        int (*fn)(void *, const struct row_embedder *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    struct row_embedder r;
    int rc = sql_get(st, &s, err, EMBEDDER_COLS, "i", ps->id);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_embedder(st, ps, s, &r, &body, err))) break;
        if ((rc = fn(ud, &r))) break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

int store_embedder_switch(struct store *st, const struct sealed *ps, int64_t id, struct err *err)
{
    struct scope sc = { 0 };
    int rc = scope_begin(st, &sc, err);
    if (rc) return rc;
    rc =
        sql_do(st, err, "UPDATE embedder SET current=1 WHERE id=? AND persona=?", "ii", id, ps->id);
    if (!rc) rc = must_change(st, "embedder", id, err);
    if (!rc)
        rc = sql_do(st, err, "DELETE FROM embedder WHERE persona=? AND id<>?", "ii", ps->id, id);
    return scope_end(st, &sc, rc, err);
}

/* ---- vectors ---- */

static struct bound vector_bound(int64_t embedder)
{
    struct bound b = { 0 };
    bound_i64(&b, embedder);
    return b;
}

int store_vector_put(struct store *st, const struct sealed *ps, int64_t embedder, int64_t chunk,
                     const float *v, int dim, struct err *err)
{
    return store_vectors_put(st, ps, embedder, chunk, v, dim, 1, err);
}

int store_vectors_put(struct store *st, const struct sealed *ps, int64_t embedder, int64_t chunk,
                      const float *v, int dim, size_t n, struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    struct bound b = vector_bound(embedder);
    size_t bytes;
    if (dim <= 0 || !n) return err_set(err, ERR_INVAL, "%zu vectors of %d numbers", n, dim);
    if (__builtin_mul_overflow((size_t)dim * sizeof *v, n, &bytes)) return err_nomem(err);
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    rc = row_seal(st, ps, "vector", chunk, "body", &b, v, bytes, &sealed, err);
    if (!rc)
        rc = sql_do(st, err,
                    "INSERT INTO vector(embedder, chunk, body) SELECT e.id, c.id, ?"
                    " FROM embedder e, chunk c WHERE e.id=? AND e.persona=? AND e.dim=?"
                    " AND c.id=? AND c.persona=?"
                    " ON CONFLICT(embedder, chunk) DO UPDATE SET body=excluded.body",
                    "biiiii", sealed.p, sealed.n, embedder, ps->id, (int64_t)dim, chunk, ps->id);
    if (!rc && !sqlite3_changes(st->db))
        rc = err_set(err, ERR_NOTFOUND,
                     "there is no chunk %lld, or no embedder %lld of %d dimensions, "
                     "here",
                     (long long)chunk, (long long)embedder, dim);
    rc = scope_end(st, &sc, rc, err);
    buf_free(&sealed);
    return rc;
}

/* Columns: chunk, embedder, body. */
static int open_vector(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct buf *body,
                       struct err *err)
{
    struct bound b = vector_bound(sqlite3_column_int64(s, 1));
    return row_open(st, ps, "vector", sqlite3_column_int64(s, 0), "body", &b, s, 2, body, err);
}

int store_vector_each(struct store *st, const struct sealed *ps, int64_t embedder,
                      int (*fn)(void *, int64_t, const float *, int), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    int rc = sql_get(st, &s, err,
                     "SELECT chunk, embedder, body FROM vector WHERE embedder=? ORDER BY chunk",
                     "i", embedder);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_vector(st, ps, s, &body, err))) break;
        if ((rc = fn(ud, sqlite3_column_int64(s, 0), (const float *)(const void *)body.p,
                     (int)(body.n / sizeof(float)))))
            break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

/* ---- for check.c ---- */

static int check_chunk(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct buf *body,
                       struct err *err)
{
    struct row_chunk r;
    return open_chunk(st, ps, s, &r, body, err);
}

static int check_embedder(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                          struct buf *body, struct err *err)
{
    struct row_embedder r;
    return open_embedder(st, ps, s, &r, body, err);
}

const struct row_kind chunk_rows = { "chunk", CHUNK_COLS " WHERE persona=?1 ORDER BY id",
                                     check_chunk };
const struct row_kind embedder_rows = { "embedder", EMBEDDER_COLS, check_embedder };
const struct row_kind vector_rows = {
    "vector",
    "SELECT v.chunk, v.embedder, v.body FROM vector v JOIN embedder e ON e.id=v.embedder"
    " WHERE e.persona=?1 ORDER BY v.chunk",
    open_vector
};
