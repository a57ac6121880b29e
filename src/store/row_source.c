/* Sources, and the pieces they are made of. Counts are kept by triggers (schema.c). */
#include "store/sql.h"

#include <string.h>

/* ---- sources ---- */

static struct bound source_bound(const struct row_source *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->added_at);
    bound_i64(&b, r->from);
    bound_i64(&b, r->to);
    return b;
}

/* Columns: id, added_at, first_at, last_at, n_pieces, n_voice, n_chunks, body. */
static int open_source(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                       struct row_source *r, struct buf *body, struct err *err)
{
    *r = (struct row_source){ .id = sqlite3_column_int64(s, 0),
                              .added_at = sqlite3_column_int64(s, 1),
                              .from = sql_time(s, 2),
                              .to = sql_time(s, 3),
                              .n_pieces = (uint64_t)sqlite3_column_int64(s, 4),
                              .n_voice = (uint64_t)sqlite3_column_int64(s, 5),
                              .n_chunks = (uint64_t)sqlite3_column_int64(s, 6) };
    struct bound b = source_bound(r);
    int rc = row_open(st, ps, "source", r->id, "body", &b, s, 7, body, err);
    r->body = buf_str(body);
    r->body_n = body->n;
    return rc;
}

int store_source_put(struct store *st, const struct sealed *ps, struct row_source *r,
                     struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    bool fresh = !r->id;
    int64_t added_at = CLOCK_NONE;
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    if (fresh) {
        if (!r->added_at) r->added_at = clock_now();
        rc = next_id(st, "source", &r->id, err);
    } else {
        rc = sql_int(st, &added_at, err, "SELECT added_at FROM source WHERE id=? AND persona=?",
                     "ii", r->id, ps->id);
        r->added_at = added_at;
    }
    struct bound b = source_bound(r);
    if (!rc) rc = row_seal(st, ps, "source", r->id, "body", &b, r->body, r->body_n, &sealed, err);
    if (!rc && fresh)
        rc = sql_do(st, err,
                    "INSERT INTO source(id, persona, added_at, first_at, last_at, body)"
                    " VALUES(?, ?, ?, ?, ?, ?)",
                    "iiinnb", r->id, ps->id, r->added_at, r->from, r->to, sealed.p, sealed.n);
    else if (!rc)
        rc = sql_do(st, err,
                    "UPDATE source SET first_at=?, last_at=?, body=? WHERE id=? AND persona=?",
                    "nnbii", r->from, r->to, sealed.p, sealed.n, r->id, ps->id);
    if (!rc) rc = must_change(st, "source", r->id, err);
    rc = scope_end(st, &sc, rc, err);
    if (rc && fresh) r->id = 0;
    buf_free(&sealed);
    return rc;
}

#define SOURCE_COLS                                                                                \
    "SELECT id, added_at, first_at, last_at, n_pieces, n_voice, n_chunks, body FROM source"

int store_source_each(struct store *st, const struct sealed *ps, int64_t id,
                      int (*fn)(void *, const struct row_source *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    struct row_source r;
    int rc = id ? sql_get(st, &s, err, SOURCE_COLS " WHERE persona=? AND id=?", "ii", ps->id, id)
                : sql_get(st, &s, err, SOURCE_COLS " WHERE persona=? ORDER BY id", "i", ps->id);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_source(st, ps, s, &r, &body, err))) break;
        if ((rc = fn(ud, &r))) break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

int store_source_delete(struct store *st, const struct sealed *ps, int64_t id, struct gone *gone,
                        struct err *err)
{
    struct scope sc = { 0 };
    int64_t n[4] = { 0 };
    uint64_t *deletions = map_slot(&st->deletions, (uint64_t)ps->id);
    int rc = deletions ? scope_begin(st, &sc, err) : err_nomem(err);
    if (rc) return rc;
    ++*deletions;
    rc = sql_int(st, &n[0], err, "SELECT count(*) FROM piece WHERE source=?", "i", id);
    if (!rc) rc = sql_int(st, &n[1], err, "SELECT count(*) FROM chunk WHERE source=?", "i", id);
    if (!rc)
        rc = sql_int(st, &n[2], err,
                     "SELECT count(*) FROM vector WHERE chunk IN"
                     " (SELECT id FROM chunk WHERE source=?)",
                     "i", id);
    if (!rc)
        rc = sql_do(st, err,
                    "DELETE FROM turn WHERE persona=? AND id IN"
                    " (SELECT turn FROM turn_source WHERE source=?)",
                    "ii", ps->id, id);
    if (!rc) n[3] = sqlite3_changes(st->db);
    if (!rc) rc = sql_do(st, err, "DELETE FROM source WHERE id=? AND persona=?", "ii", id, ps->id);
    if (!rc) rc = must_change(st, "source", id, err);
    if (!rc) rc = sql_do(st, err, "UPDATE persona SET stale=1 WHERE id=?", "i", ps->id);
    rc = scope_end(st, &sc, rc, err);
    if (gone) {
        *gone = (struct gone){ 0 };
        if (!rc)
            *gone = (struct gone){ .pieces = (uint64_t)n[0],
                                   .chunks = (uint64_t)n[1],
                                   .vectors = (uint64_t)n[2],
                                   .turns = (uint64_t)n[3] };
    }
    return rc;
}

uint64_t store_deletions(const struct store *st, const struct sealed *ps)
{
    const uint64_t *n = map_get(&st->deletions, (uint64_t)ps->id);
    return n ? *n : 0;
}

/* ---- pieces ---- */

static struct bound piece_bound(const struct row_piece *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->source);
    bound_i64(&b, r->written_at);
    bound_i64(&b, r->seq);
    bound_i64(&b, r->kind);
    bound_i64(&b, r->voice);
    bound_bytes(&b, r->digest, sizeof r->digest);
    return b;
}

/* The plain columns: id, source, written_at, seq, kind, voice, digest. */
static void read_piece(sqlite3_stmt *s, struct row_piece *r)
{
    struct span d = sql_blob(s, 6);
    *r = (struct row_piece){ .id = sqlite3_column_int64(s, 0),
                             .source = sqlite3_column_int64(s, 1),
                             .written_at = sql_time(s, 2),
                             .seq = sqlite3_column_int64(s, 3),
                             .kind = sqlite3_column_int(s, 4),
                             .voice = sqlite3_column_int(s, 5) };
    if (d.n == sizeof r->digest) memcpy(r->digest, d.p, d.n);
}

static int open_piece(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                      struct row_piece *r, struct buf *body, struct err *err)
{
    read_piece(s, r);
    struct bound b = piece_bound(r);
    int rc = row_open(st, ps, "piece", r->id, "body", &b, s, 7, body, err);
    r->body = buf_str(body);
    r->body_n = body->n;
    return rc;
}

static int new_piece(struct store *st, const struct sealed *ps, struct row_piece *r,
                     struct buf *sealed, struct err *err)
{
    int rc = next_id(st, "piece", &r->id, err);
    struct bound b = piece_bound(r);
    if (!rc) rc = row_seal(st, ps, "piece", r->id, "body", &b, r->body, r->body_n, sealed, err);
    if (rc) return rc;
    rc = sql_do(st, err,
                "INSERT INTO piece(id, persona, source, written_at, seq, kind, voice, digest, body)"
                " SELECT ?, persona, id, ?, ?, ?, ?, ?, ? FROM source WHERE id=? AND persona=?",
                "iniiibbii", r->id, r->written_at, r->seq, (int64_t)r->kind, (int64_t)r->voice,
                r->digest, sizeof r->digest, sealed->p, sealed->n, r->source, ps->id);
    if (rc == ERR_EXISTS) return err_set(err, rc, "this piece is stored already");
    return rc ? rc : must_change(st, "source", r->source, err);
}

/* Replace body and voice; all else is as it was stored. */
static int change_piece(struct store *st, const struct sealed *ps, struct row_piece *r,
                        struct buf *sealed, struct err *err)
{
    struct row_piece was = { 0 };
    sqlite3_stmt *s = NULL;
    int rc = sql_get(st, &s, err,
                     "SELECT id, source, written_at, seq, kind, voice, digest FROM piece"
                     " WHERE id=? AND persona=?",
                     "ii", r->id, ps->id);
    if (rc) return rc;
    rc = sql_step(st, s, err);
    if (rc > 0) read_piece(s, &was);
    sql_put(st, s);
    if (rc < 0) return rc;
    if (!rc) return err_set(err, ERR_NOTFOUND, "there is no piece %lld here", (long long)r->id);
    was.voice = r->voice;
    struct bound b = piece_bound(&was);
    rc = row_seal(st, ps, "piece", r->id, "body", &b, r->body, r->body_n, sealed, err);
    if (!rc)
        rc = sql_do(st, err, "UPDATE piece SET voice=?, body=? WHERE id=?", "ibi",
                    (int64_t)r->voice, sealed->p, sealed->n, r->id);
    return rc;
}

int store_piece_put(struct store *st, const struct sealed *ps, struct row_piece *r, struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    bool fresh = !r->id;
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    rc = fresh ? new_piece(st, ps, r, &sealed, err) : change_piece(st, ps, r, &sealed, err);
    rc = scope_end(st, &sc, rc, err);
    if (rc && fresh) r->id = 0;
    buf_free(&sealed);
    return rc;
}

int store_piece_find(struct store *st, const struct sealed *ps, const uint8_t digest[16],
                     int64_t *id, int64_t *source, struct err *err)
{
    sqlite3_stmt *s = NULL;
    *id = 0;
    if (source) *source = 0;
    int rc = sql_get(st, &s, err, "SELECT id, source FROM piece WHERE persona=? AND digest=?", "ib",
                     ps->id, digest, (size_t)16);
    if (rc) return rc;
    rc = sql_step(st, s, err);
    if (rc > 0) {
        *id = sqlite3_column_int64(s, 0);
        if (source) *source = sqlite3_column_int64(s, 1);
        rc = 0;
    }
    sql_put(st, s);
    return rc;
}

#define PIECE_COLS "SELECT id, source, written_at, seq, kind, voice, digest, body FROM piece"
#define BY_SEQ     " ORDER BY source, seq, id"
#define BY_TIME    " ORDER BY written_at, source, seq, id"
/* Source by source, each by its index: sorting all pieces would hold them in memory. */
#define ALL_BY_SEQ                                                                                 \
    "SELECT p.id, p.source, p.written_at, p.seq, p.kind, p.voice, p.digest, p.body"                \
    " FROM source s CROSS JOIN piece p ON p.source=s.id"                                           \
    " WHERE s.persona=?1 AND p.persona=?1 ORDER BY s.id, p.seq, p.id"

int store_piece_each(struct store *st, const struct sealed *ps, int64_t source, int order,
                     int (*fn)(void *, const struct row_piece *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    struct row_piece r;
    int rc;
    if (source && order == PIECE_BY_TIME)
        rc = sql_get(st, &s, err, PIECE_COLS " WHERE persona=? AND source=?" BY_TIME, "ii", ps->id,
                     source);
    else if (source)
        rc = sql_get(st, &s, err, PIECE_COLS " WHERE persona=? AND source=?" BY_SEQ, "ii", ps->id,
                     source);
    else if (order == PIECE_BY_TIME)
        rc = sql_get(st, &s, err, PIECE_COLS " WHERE persona=?" BY_TIME, "i", ps->id);
    else rc = sql_get(st, &s, err, ALL_BY_SEQ, "i", ps->id);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_piece(st, ps, s, &r, &body, err))) break;
        if ((rc = fn(ud, &r))) break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

/* ---- for check.c ---- */

static int check_source(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                        struct buf *body, struct err *err)
{
    struct row_source r;
    return open_source(st, ps, s, &r, body, err);
}

static int check_piece(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct buf *body,
                       struct err *err)
{
    struct row_piece r;
    return open_piece(st, ps, s, &r, body, err);
}

const struct row_kind source_rows = { "source", SOURCE_COLS " WHERE persona=?1 ORDER BY id",
                                      check_source };
const struct row_kind piece_rows = { "piece", PIECE_COLS " WHERE persona=?1 ORDER BY id",
                                     check_piece };
