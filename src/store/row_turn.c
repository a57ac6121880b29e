/* Conversations and their turns.
 *
 * A turn knows the sources its answer rests on twice: sealed in its column `sources`, which is the
 * truth, and as rows of turn_source, which is how removing a source finds the turns to take with
 * it. store_check compares the two. */
#include "store/sql.h"

#include <stdlib.h>
#include <string.h>

static struct bound conversation_bound(int64_t created_at)
{
    struct bound b = { 0 };
    bound_i64(&b, created_at);
    return b;
}

int store_conversation_new(struct store *st, const struct sealed *ps, const char *body, size_t n,
                           int64_t created_at, int64_t *id, struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    int64_t now = created_at ? created_at : clock_now();
    struct bound b = conversation_bound(now);
    *id = 0;
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    rc = next_id(st, "conversation", id, err);
    if (!rc) rc = row_seal(st, ps, "conversation", *id, "body", &b, body, n, &sealed, err);
    if (!rc)
        rc = sql_do(st, err,
                    "INSERT INTO conversation(id, persona, created_at, body) VALUES(?, ?, ?, ?)",
                    "iiib", *id, ps->id, now, sealed.p, sealed.n);
    rc = scope_end(st, &sc, rc, err);
    if (rc) *id = 0;
    buf_free(&sealed);
    return rc;
}

/* Columns: id, created_at, body, then any. */
static int open_conversation(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                             struct buf *body, struct err *err)
{
    struct bound b = conversation_bound(sqlite3_column_int64(s, 1));
    return row_open(st, ps, "conversation", sqlite3_column_int64(s, 0), "body", &b, s, 2, body,
                    err);
}

#define CONVERSATION_COLS                                                                          \
    "SELECT c.id, c.created_at, c.body, (SELECT count(*) FROM turn t WHERE t.conversation=c.id)"   \
    " FROM conversation c WHERE c.persona=?1 ORDER BY c.id"

int store_conversation_each(struct store *st, const struct sealed *ps,
                            int (*fn)(void *, int64_t, int64_t, uint64_t, const char *, size_t),
                            void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    int rc = sql_get(st, &s, err, CONVERSATION_COLS, "i", ps->id);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_conversation(st, ps, s, &body, err))) break;
        if ((rc = fn(ud, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                     (uint64_t)sqlite3_column_int64(s, 3), buf_str(&body), body.n)))
            break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

int store_conversation_delete(struct store *st, const struct sealed *ps, int64_t id,
                              struct err *err)
{
    struct scope sc = { 0 };
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    rc = sql_do(st, err, "DELETE FROM conversation WHERE id=? AND persona=?", "ii", id, ps->id);
    if (!rc) rc = must_change(st, "conversation", id, err);
    return scope_end(st, &sc, rc, err);
}

/* ---- turns ---- */

static struct bound turn_bound(int64_t conversation, int64_t created_at)
{
    struct bound b = { 0 };
    bound_i64(&b, conversation);
    bound_i64(&b, created_at);
    return b;
}

static int link_sources(struct store *st, const struct sealed *ps, const struct row_turn *r,
                        struct err *err)
{
    for (size_t i = 0; i < r->n_sources; i++) {
        bool twice = false;
        for (size_t j = 0; j < i; j++) twice |= r->sources[j] == r->sources[i];
        if (twice) continue;
        int rc = sql_do(st, err,
                        "INSERT INTO turn_source(turn, source) SELECT ?, id FROM source"
                        " WHERE id=? AND persona=?",
                        "iii", r->id, r->sources[i], ps->id);
        if (!rc) rc = must_change(st, "source", r->sources[i], err);
        if (rc) return rc;
    }
    return 0;
}

static int insert_turn(struct store *st, const struct sealed *ps, struct row_turn *r,
                       struct err *err)
{
    struct buf body = BUF_INIT(0), list = BUF_INIT(0), plain = BUF_INIT(0);
    if (!r->created_at) r->created_at = clock_now();
    struct bound b = turn_bound(r->conversation, r->created_at);
    int rc = next_id(st, "turn", &r->id, err);
    for (size_t i = 0; i < r->n_sources; i++) buf_u64(&plain, (uint64_t)r->sources[i]);
    if (!rc && plain.failed) rc = err_nomem(err);
    if (!rc) rc = row_seal(st, ps, "turn", r->id, "body", &b, r->body, r->body_n, &body, err);
    if (!rc) rc = row_seal(st, ps, "turn", r->id, "sources", &b, plain.p, plain.n, &list, err);
    if (!rc)
        rc = sql_do(st, err,
                    "INSERT INTO turn(id, persona, conversation, created_at, sources, body)"
                    " SELECT ?, persona, id, ?, ?, ? FROM conversation WHERE id=? AND persona=?",
                    "iibbii", r->id, r->created_at, list.p, list.n, body.p, body.n, r->conversation,
                    ps->id);
    if (!rc) rc = must_change(st, "conversation", r->conversation, err);
    if (!rc) rc = link_sources(st, ps, r, err);
    buf_free(&plain);
    buf_free(&list);
    buf_free(&body);
    return rc;
}

int store_turn_put(struct store *st, const struct sealed *ps, struct row_turn *r, struct err *err)
{
    struct scope sc = { 0 };
    if (r->id) return err_set(err, ERR_INVAL, "a turn is not changed after it was stored");
    int rc = scope_begin(st, &sc, err);
    if (rc) return rc;
    rc = insert_turn(st, ps, r, err);
    rc = scope_end(st, &sc, rc, err);
    if (rc) r->id = 0;
    return rc;
}

/* The sealed list of sources in column col, checked to be whole numbers of 8 bytes. The current row
 * has id in column 0, conversation in 1, created_at in 2. */
int open_turn_sources(struct store *st, const struct sealed *ps, int64_t id, sqlite3_stmt *s,
                      int col, struct buf *out, struct err *err)
{
    struct bound b = turn_bound(sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2));
    int rc = row_open(st, ps, "turn", id, "sources", &b, s, col, out, err);
    if (!rc && out->n % 8)
        rc = err_set(err, ERR_SEAL, "turn %lld, column sources, is not a list", (long long)id);
    return rc;
}

/* Columns: id, conversation, created_at, sources, body. The sources go into list. */
static int open_turn(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct row_turn *r,
                     struct buf *list, struct buf *body, struct err *err)
{
    *r = (struct row_turn){ .id = sqlite3_column_int64(s, 0),
                            .conversation = sqlite3_column_int64(s, 1),
                            .created_at = sqlite3_column_int64(s, 2) };
    struct bound b = turn_bound(r->conversation, r->created_at);
    int rc = open_turn_sources(st, ps, r->id, s, 3, list, err);
    if (!rc) rc = row_open(st, ps, "turn", r->id, "body", &b, s, 4, body, err);
    r->sources = (const int64_t *)(const void *)list->p;
    r->n_sources = list->n / 8;
    r->body = buf_str(body);
    r->body_n = body->n;
    return rc;
}

#define TURN_COLS "SELECT id, conversation, created_at, sources, body FROM turn"

int store_turn_each(struct store *st, const struct sealed *ps, int64_t conversation,
                    int (*fn)(void *, const struct row_turn *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0), list = BUF_INIT(0);
    struct row_turn r;
    int rc = sql_get(st, &s, err, TURN_COLS " WHERE conversation=? AND persona=? ORDER BY id", "ii",
                     conversation, ps->id);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_turn(st, ps, s, &r, &list, &body, err))) break;
        if ((rc = fn(ud, &r))) break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    buf_free(&list);
    return rc;
}

/* The links that turn id should have: sources of its sealed list that are still here. */
static int links_of(struct store *st, const struct sealed *ps, int64_t id, const struct buf *list,
                    bool mend, uint64_t *wrong, struct err *err)
{
    int64_t source, there, want = 0, have = 0;
    int rc = 0;
    for (size_t at = 0; !rc && at < list->n; at += 8) {
        memcpy(&source, list->p + at, 8);
        there = 0;
        rc = sql_int(st, &there, err,
                     "SELECT 1 + EXISTS(SELECT 1 FROM turn_source WHERE turn=? AND source=?)"
                     " FROM source WHERE id=? AND persona=?",
                     "iiii", id, source, source, ps->id);
        if (rc || !there) continue;
        want++;
        if (there == 2) continue;
        ++*wrong;
        if (mend)
            rc = sql_do(st, err, "INSERT INTO turn_source(turn, source) VALUES(?, ?)", "ii", id,
                        source);
    }
    if (!rc) rc = sql_int(st, &have, err, "SELECT count(*) FROM turn_source WHERE turn=?", "i", id);
    if (!rc && have > want) ++*wrong; /* a link too many loses a turn, if anything */
    return rc;
}

int turn_links(struct store *st, const struct sealed *ps, bool mend, uint64_t *wrong,
               struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf list = BUF_INIT(0);
    *wrong = 0;
    int rc = sql_get(st, &s, err,
                     "SELECT id, conversation, created_at, sources FROM turn"
                     " WHERE persona=? ORDER BY id",
                     "i", ps->id);
    if (rc) return rc;
    while ((rc = sql_step(st, s, err)) > 0) {
        int64_t id = sqlite3_column_int64(s, 0);
        if (open_turn_sources(st, ps, id, s, 3, &list, NULL)) continue; /* reported as a row */
        if ((rc = links_of(st, ps, id, &list, mend, wrong, err))) break;
    }
    sql_put(st, s);
    buf_free(&list);
    return rc;
}

static int check_turn(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct buf *body,
                      struct err *err)
{
    struct row_turn r;
    struct buf list = BUF_INIT(0);
    int rc = open_turn(st, ps, s, &r, &list, body, err);
    buf_free(&list);
    return rc;
}

const struct row_kind conversation_rows = { "conversation", CONVERSATION_COLS, open_conversation };
const struct row_kind turn_rows = { "turn", TURN_COLS " WHERE persona=?1 ORDER BY id", check_turn };
