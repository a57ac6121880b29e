/* Persona rows, and forgetting.
 *
 * A new persona: key file first, then the row; a crash between leaves a key without persona, which
 * store_check removes. Forgetting goes the other way, in steps that may each be the last before the
 * power fails:
 *
 *     1. keys/UID.key is renamed to keys/UID.forget: the mark
 *     2. that file is overwritten and emptied: from here nothing of the persona can be opened
 *     3. the rows are deleted and the wish to compact is noted, committed
 *     4. keys/UID.forget is removed
 *     5. the log is emptied, freed pages given back, the note removed
 *
 * Opening for writing resumes after the mark. Steps 1 and 2 need no free block (see
 * vault/persona_key.c), so a full disk stops forgetting only after what matters; the rows then wait
 * for room. Homes of earlier versions may hold the mark as the column `forgetting`; it means the
 * same. A persona that merely has no key file is never removed by itself: that is what a home
 * restored without its keys folder looks like.
 *
 * One damaged key or body must not hide the other personas: its row is walked past as `unreadable`,
 * and can be forgotten like any other, as that opens nothing. */
#include "store/sql.h"

#include <sodium.h>
#include <string.h>

static struct bound persona_bound(int64_t created_at)
{
    struct bound b = { 0 };
    bound_i64(&b, created_at);
    return b;
}

static int insert(struct store *st, struct sealed *ps, const char *body, size_t n,
                  int64_t created_at, struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    struct bound b = persona_bound(created_at);
    int rc = scope_begin(st, &sc, err);
    if (rc) return rc;
    if ((rc = next_id(st, "persona", &ps->id, err))) goto out;
    if ((rc = row_seal(st, ps, "persona", ps->id, "body", &b, body, n, &sealed, err))) goto out;
    rc = sql_do(st, err, "INSERT INTO persona(id, uid, created_at, body) VALUES(?, ?, ?, ?)",
                "ibib", ps->id, ps->uid, (size_t)VAULT_UID, created_at, sealed.p, sealed.n);
out:
    rc = scope_end(st, &sc, rc, err);
    buf_free(&sealed);
    return rc;
}

int store_persona_new(struct store *st, const char *body, size_t n, struct sealed *out,
                      struct err *err)
{
    uint8_t uid[VAULT_UID];
    randombytes_buf(uid, VAULT_UID);
    return store_persona_new_as(st, uid, body, n, out, err);
}

int store_persona_new_as(struct store *st, const uint8_t uid[VAULT_UID], const char *body, size_t n,
                         struct sealed *out, struct err *err)
{
    int rc = write_ready(st, err);
    memset(out, 0, sizeof *out);
    if (rc) return rc;
    memcpy(out->uid, uid, VAULT_UID);
    if ((rc = vault_persona_new(st->v, out->uid, out->key, err))) return rc;
    rc = insert(st, out, body, n, clock_now(), err);
    if (rc) {
        vault_persona_destroy(st->v, out->uid, NULL);
        store_sealed_clear(out);
    }
    return rc;
}

int store_persona_import(struct store *st, const uint8_t uid[VAULT_UID],
                         const uint8_t key[VAULT_KEY], const char *body, size_t n,
                         int64_t created_at, struct sealed *out, struct err *err)
{
    int64_t there = 0;
    int rc = write_ready(st, err);
    memset(out, 0, sizeof *out);
    if (!rc)
        rc = sql_int(st, &there, err, "SELECT id FROM persona WHERE uid=?", "b", uid,
                     (size_t)VAULT_UID);
    if (rc) return rc;
    if (there)
        return err_set(err, ERR_EXISTS,
                       "this persona is here already, as number %lld: forget it first, "
                       "or import into another home",
                       (long long)there);
    memcpy(out->uid, uid, VAULT_UID);
    memcpy(out->key, key, VAULT_KEY);
    rc = vault_persona_destroy(st->v, uid, err); /* a key left by a crash: there is no row */
    if (!rc || rc == ERR_NOTFOUND) rc = vault_persona_put(st->v, uid, key, err);
    if (!rc && (rc = insert(st, out, body, n, created_at, err)))
        vault_persona_destroy(st->v, uid, NULL);
    if (rc) store_sealed_clear(out);
    return rc;
}

bool row_is_damaged(int rc) { return rc == ERR_SEAL || rc == ERR_PARSE || rc == ERR_VERSION; }

/* Columns: id, uid, created_at, stale, forgetting, body. */
static int open_persona(struct store *st, sqlite3_stmt *s, struct sealed *ps, struct row_persona *r,
                        struct buf *body, struct err *err)
{
    struct span uid = sql_blob(s, 1);
    *r = (struct row_persona){ .id = sqlite3_column_int64(s, 0),
                               .created_at = sqlite3_column_int64(s, 2),
                               .stale = sqlite3_column_int(s, 3),
                               .body = "" };
    if (uid.n != VAULT_UID)
        return err_set(err, ERR_PARSE, "persona %lld has no uid", (long long)r->id);
    ps->id = r->id;
    memcpy(ps->uid, uid.p, VAULT_UID);
    memcpy(r->uid, uid.p, VAULT_UID);
    r->forgotten = sqlite3_column_int(s, 4) || vault_persona_doomed(st->v, r->uid);
    if (r->forgotten) return 0;
    int rc = vault_persona_key(st->v, ps->uid, ps->key, err);
    if (rc == ERR_NOTFOUND) {
        r->forgotten = true;
        return 0;
    }
    if (rc) return rc;
    struct bound b = persona_bound(r->created_at);
    if ((rc = row_open(st, ps, "persona", r->id, "body", &b, s, 5, body, err))) return rc;
    r->body = buf_str(body);
    r->body_n = body->n;
    return 0;
}

/* Steps through s and puts it back. *n: rows that fn was called for. */
static int each_row(struct store *st, sqlite3_stmt *s,
                    int (*fn)(void *, const struct row_persona *), void *ud, uint64_t *n,
                    struct err *err)
{
    struct buf body = BUF_INIT(0);
    struct sealed ps = { 0 };
    struct row_persona r;
    int rc;
    *n = 0;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        rc = open_persona(st, s, &ps, &r, &body, err);
        r.unreadable = row_is_damaged(rc);
        if (rc && !r.unreadable) break;
        ++*n;
        if ((rc = fn(ud, &r))) break;
    }
    read_leave(st);
    sql_put(st, s);
    store_sealed_clear(&ps);
    buf_free(&body);
    return rc;
}

int store_persona_each(struct store *st, int (*fn)(void *, const struct row_persona *), void *ud,
                       struct err *err)
{
    sqlite3_stmt *s = NULL;
    uint64_t n;
    int rc =
        sql_get(st, &s, err,
                "SELECT id, uid, created_at, stale, forgetting, body FROM persona ORDER BY id", "");
    return rc ? rc : each_row(st, s, fn, ud, &n, err);
}

int store_persona_get(struct store *st, const uint8_t uid[VAULT_UID],
                      int (*fn)(void *, const struct row_persona *), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    uint64_t n;
    int rc = sql_get(st, &s, err,
                     "SELECT id, uid, created_at, stale, forgetting, body FROM persona WHERE uid=?",
                     "b", uid, (size_t)VAULT_UID);
    if (!rc) rc = each_row(st, s, fn, ud, &n, err);
    else return rc;
    return rc || n ? rc : err_set(err, ERR_NOTFOUND, "there is no such persona");
}

int store_persona_handle(struct store *st, int64_t id, struct sealed *out, struct err *err)
{
    sqlite3_stmt *s = NULL;
    memset(out, 0, sizeof *out);
    int rc = sql_get(st, &s, err, "SELECT uid, forgetting FROM persona WHERE id=?", "i", id);
    if (rc) return rc;
    rc = sql_step(st, s, err);
    struct span uid = rc > 0 ? sql_blob(s, 0) : (struct span){ 0 };
    bool going =
        rc > 0 && (sqlite3_column_int(s, 1) ||
                   (uid.n == VAULT_UID && vault_persona_doomed(st->v, (const uint8_t *)uid.p)));
    if (rc == 0 || going) {
        rc = err_set(err, ERR_NOTFOUND, "there is no persona %lld", (long long)id);
    } else if (rc > 0 && uid.n != VAULT_UID) {
        rc = err_set(err, ERR_PARSE, "persona %lld has no uid", (long long)id);
    } else if (rc > 0) {
        out->id = id;
        memcpy(out->uid, uid.p, VAULT_UID);
        rc = vault_persona_key(st->v, out->uid, out->key, err);
        if (rc == ERR_NOTFOUND)
            rc = err_set(err, ERR_KEY,
                         "the key of persona %lld is missing: restore the folder %s/keys "
                         "from a backup, or forget the persona",
                         (long long)id, st->home);
    }
    if (rc) store_sealed_clear(out);
    sql_put(st, s);
    return rc;
}

int store_persona_set(struct store *st, const struct sealed *ps, const char *body, size_t n,
                      struct err *err)
{
    struct scope sc = { 0 };
    struct buf sealed = BUF_INIT(0);
    int64_t created_at = 0;
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    rc = sql_int(st, &created_at, err, "SELECT created_at FROM persona WHERE id=?", "i", ps->id);
    struct bound b = persona_bound(created_at);
    if (!rc) rc = row_seal(st, ps, "persona", ps->id, "body", &b, body, n, &sealed, err);
    if (!rc)
        rc = sql_do(st, err, "UPDATE persona SET body=? WHERE id=? AND uid=?", "bib", sealed.p,
                    sealed.n, ps->id, ps->uid, (size_t)VAULT_UID);
    if (!rc) rc = must_change(st, "persona", ps->id, err);
    rc = scope_end(st, &sc, rc, err);
    buf_free(&sealed);
    return rc;
}

int store_persona_stale(struct store *st, const struct sealed *ps, bool stale, struct err *err)
{
    int rc = write_ready(st, err);
    if (!rc)
        rc = sql_do(st, err, "UPDATE persona SET stale=? WHERE id=?", "ii", (int64_t)stale, ps->id);
    return rc ? rc : must_change(st, "persona", ps->id, err);
}

/* ---- forgetting ---- */

/* Steps 3 and 4 for a persona whose key is destroyed; id 0: it has no row (any more). */
static int remove_rows(struct store *st, int64_t id, const uint8_t uid[VAULT_UID], struct err *err)
{
    struct scope sc = { 0 };
    int rc = id ? scope_begin(st, &sc, err) : 0;
    if (rc) return rc;
    if (id) {
        rc = sql_do(st, err, "DELETE FROM persona WHERE id=?", "i", id);
        if (!rc)
            rc = sql_do(st, err, "INSERT OR IGNORE INTO meta(name, body) VALUES('compact', x'')",
                        "");
        rc = scope_end(st, &sc, rc, err);
    }
    if (!rc && (rc = vault_persona_destroy(st->v, uid, err)) == ERR_NOTFOUND) rc = 0;
    return rc;
}

static int destroy_key(struct store *st, int64_t id, const uint8_t uid[VAULT_UID], struct err *err)
{
    int rc = vault_persona_doom(st->v, uid, err);
    if (!rc || rc == ERR_NOTFOUND) return 0;
    return err_prefix(err, rc, "the key of persona %lld could not be destroyed", (long long)id);
}

static int compact_noted(struct store *st, struct err *err)
{
    int64_t noted = 0;
    int rc = sql_int(st, &noted, err, "SELECT 1 FROM meta WHERE name='compact'", "");
    if (rc || !noted) return rc;
    if ((rc = store_compact(st, err))) return rc;
    return sql_do(st, err, "DELETE FROM meta WHERE name='compact'", "");
}

struct finish {
    struct store *st;
    struct err *err;
};

static int finish_marked(void *ud, const uint8_t uid[VAULT_UID])
{
    struct finish *f = ud;
    int64_t id = 0;
    int rc = sql_int(f->st, &id, f->err, "SELECT id FROM persona WHERE uid=?", "b", uid,
                     (size_t)VAULT_UID);
    if (!rc) rc = destroy_key(f->st, id, uid, f->err);
    return rc ? rc : remove_rows(f->st, id, uid, f->err);
}

/* Rows that carry the mark of an earlier version. */
static int finish_column(struct store *st, struct err *err)
{
    for (;;) {
        sqlite3_stmt *s = NULL;
        uint8_t uid[VAULT_UID] = { 0 };
        int64_t id = 0;
        int rc = sql_get(st, &s, err, "SELECT id, uid FROM persona WHERE forgetting=1 LIMIT 1", "");
        if (rc) return rc;
        if ((rc = sql_step(st, s, err)) > 0) {
            struct span u = sql_blob(s, 1);
            id = sqlite3_column_int64(s, 0);
            memcpy(uid, u.p, u.n == VAULT_UID ? VAULT_UID : 0);
        }
        sql_put(st, s);
        if (rc < 0 || !id) return rc;
        rc = destroy_key(st, id, uid, err);
        if (!rc) rc = remove_rows(st, id, uid, err);
        if (rc) return rc;
    }
}

int finish_forgetting(struct store *st, struct err *err)
{
    struct finish f = { st, err };
    int rc = vault_doomed_each(st->v, finish_marked, &f, err);
    if (!rc) rc = finish_column(st, err);
    if (!rc) rc = compact_noted(st, err);
    return rc == ERR_BUSY || rc == ERR_FULL ? 0 : rc; /* a reader, or no room: next time */
}

int store_persona_forget(struct store *st, int64_t id, struct err *err)
{
    sqlite3_stmt *s = NULL;
    uint8_t uid[VAULT_UID] = { 0 };
    int rc = write_ready(st, err);
    if (rc) return rc;
    if (st->in_tx) return err_set(err, ERR_INVAL, "forgetting cannot be part of a transaction");
    if ((rc = sql_get(st, &s, err, "SELECT uid FROM persona WHERE id=?", "i", id))) return rc;
    rc = sql_step(st, s, err);
    struct span u = rc > 0 ? sql_blob(s, 0) : (struct span){ 0 };
    if (u.n == VAULT_UID) memcpy(uid, u.p, VAULT_UID);
    sql_put(st, s);
    if (!rc) return err_set(err, ERR_NOTFOUND, "there is no persona %lld", (long long)id);
    if (rc < 0 || (rc = destroy_key(st, id, uid, err))) return rc;
    rc = remove_rows(st, id, uid, err);
    if (!rc) rc = compact_noted(st, err);
    if (rc == ERR_BUSY)
        rc = err_set(err, rc,
                     "persona %lld is forgotten (its key is destroyed); another process is still "
                     "reading %s, so its unreadable remains leave the log when that is done",
                     (long long)id, st->home);
    else if (rc == ERR_FULL)
        rc = err_set(err, rc,
                     "persona %lld is forgotten (its key is destroyed); the disk is full, so its "
                     "unreadable remains in %s go when Likeness next writes there and has room",
                     (long long)id, st->home);
    else if (rc)
        rc = err_prefix(err, rc,
                        "persona %lld is forgotten (its key is destroyed); its unreadable remains "
                        "go when this is mended and Likeness next writes here",
                        (long long)id);
    return rc;
}

static int check_persona(struct store *st, const struct sealed *ps, sqlite3_stmt *s,
                         struct buf *body, struct err *err)
{
    struct sealed self;
    struct row_persona r;
    int rc = open_persona(st, s, &self, &r, body, err);
    store_sealed_clear(&self);
    return rc;
}

const struct row_kind persona_rows = {
    "persona", "SELECT id, uid, created_at, stale, forgetting, body FROM persona WHERE id=?1",
    check_persona
};
