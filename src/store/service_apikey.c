/* Keys of programs, and grants.
 *
 * A grant has an empty sealed body, bound to all it says: who can write the file but has no key
 * cannot give anybody a right, or a higher one. (They can take rights away, by removing rows.) */
#include "store/service_impl.h"

#include <string.h>

struct want_apikey {
    int (*fn)(void *ud, const struct row_apikey *r);
    void *ud;
};

static struct bound bound_of(const struct row_apikey *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->account);
    bound_i64(&b, r->created_at);
    bound_bytes(&b, r->digest, sizeof r->digest);
    return b;
}

int give_apikey(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
                struct err *err)
{
    const struct want_apikey *w = want;
    struct row_apikey r = { .id = sqlite3_column_int64(s, 0),
                            .account = sqlite3_column_int64(s, 1),
                            .created_at = sqlite3_column_int64(s, 2),
                            .used_at = sql_time(s, 3),
                            .revoked = sqlite3_column_int(s, 4) };
    take_bytes(s, 5, r.digest, sizeof r.digest);
    struct bound b = bound_of(&r);
    int rc = row_value(sv, s, 6, "apikey", r.id, "body", &b, body, err);
    if (rc) return rc;
    r.body = buf_str(body);
    r.body_n = body->n;
    return w ? w->fn(w->ud, &r) : 0;
}

int service_apikey_put(struct service *sv, struct row_apikey *r, struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct row_apikey a = *r;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    if (!a.created_at) a.created_at = sv->now();
    a.used_at = CLOCK_NONE;
    a.revoked = false;
    rc = next_id(sv->st, "apikey", &a.id, err);
    struct bound b = bound_of(&a);
    if (!rc) rc = seal_value(sv, "apikey", a.id, "body", &b, a.body, a.body_n, &sealed, err);
    if (!rc)
        rc = sql_do(
            sv->st, err, "INSERT INTO apikey(" APIKEY_COLUMNS ") VALUES(?, ?, ?, NULL, 0, ?, ?)",
            "iiibb", a.id, a.account, a.created_at, a.digest, sizeof a.digest, sealed.p, sealed.n);
    rc = tx_end(sv, rc, err);
    if (!rc) *r = a;
    buf_free(&sealed);
    return rc;
}

static void mark_used(struct service *sv, const uint8_t digest[SERVICE_DIGEST])
{
    int64_t now = sv->now(), due = 0;
    look_begin(sv);
    int rc = sql_int(sv->st, &due, NULL,
                     "SELECT 1 FROM apikey WHERE digest=? AND coalesce(used_at, 0)<=?", "bi",
                     digest, (size_t)SERVICE_DIGEST, now - 60);
    look_end(sv);
    if (rc || !due || tx_begin_light(sv, NULL)) return;
    rc = sql_do(sv->st, NULL, "UPDATE apikey SET used_at=? WHERE digest=?", "ib", now, digest,
                (size_t)SERVICE_DIGEST);
    tx_end_light(sv, rc, NULL);
}

int service_apikey_get(struct service *sv, const uint8_t digest[SERVICE_DIGEST],
                       int (*fn)(void *ud, const struct row_apikey *r), void *ud, struct err *err)
{
    const struct want_apikey w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err, "SELECT " APIKEY_COLUMNS " FROM apikey WHERE digest=?", "b",
                     digest, (size_t)SERVICE_DIGEST);
    rc = give_all(sv, rc, s, give_apikey, &w, "there is no such key", err);
    if (!rc) mark_used(sv, digest);
    return rc;
}

int service_apikey_each(struct service *sv, int64_t account,
                        int (*fn)(void *ud, const struct row_apikey *r), void *ud, struct err *err)
{
    const struct want_apikey w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc =
        sql_get(sv->st, &s, err,
                "SELECT " APIKEY_COLUMNS " FROM apikey WHERE account=? ORDER BY id", "i", account);
    return give_all(sv, rc, s, give_apikey, &w, NULL, err);
}

int service_apikey_revoke(struct service *sv, int64_t account, int64_t id, struct err *err)
{
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = sql_do(sv->st, err, "UPDATE apikey SET revoked=1 WHERE account=?1 AND (?2=0 OR id=?2)",
                "ii", account, id);
    if (!rc && id && !sqlite3_changes(sv->st->db))
        rc = err_set(err, ERR_NOTFOUND, "there is no such key");
    return tx_end(sv, rc, err);
}

/* ---- grants ---- */

struct want_grant {
    int (*fn)(void *ud, const struct row_grant *r);
    void *ud;
};

static struct bound bound_grant(const struct row_grant *r)
{
    struct bound b = { 0 };
    bound_bytes(&b, r->persona, sizeof r->persona);
    bound_i64(&b, r->level);
    bound_i64(&b, r->created_at);
    return b;
}

int give_grant(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
               struct err *err)
{
    const struct want_grant *w = want;
    struct row_grant r = { .account = sqlite3_column_int64(s, 1),
                           .level = (enum level)sqlite3_column_int(s, 2),
                           .created_at = sqlite3_column_int64(s, 3) };
    take_bytes(s, 0, r.persona, sizeof r.persona);
    struct bound b = bound_grant(&r);
    int rc = row_value(sv, s, 4, "persona_grant", r.account, "body", &b, body, err);
    if (rc) return rc;
    return w ? w->fn(w->ud, &r) : 0;
}

static int put_grant(struct service *sv, const struct row_grant *r, struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct bound b = bound_grant(r);
    int rc = seal_value(sv, "persona_grant", r->account, "body", &b, NULL, 0, &sealed, err);
    if (!rc)
        rc = sql_do(sv->st, err,
                    "INSERT OR REPLACE INTO persona_grant(" GRANT_COLUMNS ") VALUES(?, ?, ?, ?, ?)",
                    "biiib", r->persona, sizeof r->persona, r->account, (int64_t)r->level,
                    r->created_at, sealed.p, sealed.n);
    buf_free(&sealed);
    return rc;
}

int service_grant_put(struct service *sv, const uint8_t persona[VAULT_UID], int64_t account,
                      enum level level, struct err *err)
{
    struct row_grant r = { .account = account, .level = level, .created_at = sv->now() };
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    memcpy(r.persona, persona, VAULT_UID);
    if (level == LEVEL_NONE)
        rc = sql_do(sv->st, err, "DELETE FROM persona_grant WHERE persona=? AND account=?", "bi",
                    persona, (size_t)VAULT_UID, account);
    else if (!(rc = sql_int(sv->st, &r.created_at, err,
                            "SELECT created_at FROM persona_grant WHERE persona=? AND account=?",
                            "bi", persona, (size_t)VAULT_UID, account)))
        rc = put_grant(sv, &r, err);
    return tx_end(sv, rc, err);
}

static int take_level(void *ud, const struct row_grant *r)
{
    *(enum level *)ud = r->level;
    return 0;
}

int service_grant_get(struct service *sv, const uint8_t persona[VAULT_UID], int64_t account,
                      enum level *level, struct err *err)
{
    const struct want_grant w = { take_level, level };
    sqlite3_stmt *s = NULL;
    *level = LEVEL_NONE;
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err,
                     "SELECT " GRANT_COLUMNS " FROM persona_grant WHERE persona=? AND account=?",
                     "bi", persona, (size_t)VAULT_UID, account);
    return give_all(sv, rc, s, give_grant, &w, NULL, err);
}

int service_grant_each(struct service *sv, const uint8_t *persona, int64_t account,
                       int (*fn)(void *ud, const struct row_grant *r), void *ud, struct err *err)
{
    const struct want_grant w = { fn, ud };
    sqlite3_stmt *s = NULL;
    int rc;
    look_begin(sv);
    if (persona)
        rc = sql_get(sv->st, &s, err,
                     "SELECT " GRANT_COLUMNS
                     " FROM persona_grant WHERE persona=? ORDER BY created_at, account",
                     "b", persona, (size_t)VAULT_UID);
    else
        rc = sql_get(sv->st, &s, err,
                     "SELECT " GRANT_COLUMNS
                     " FROM persona_grant WHERE account=? ORDER BY created_at, persona",
                     "i", account);
    return give_all(sv, rc, s, give_grant, &w, NULL, err);
}

int service_grant_drop(struct service *sv, const uint8_t persona[VAULT_UID], struct err *err)
{
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = sql_do(sv->st, err, "DELETE FROM persona_grant WHERE persona=?", "b", persona,
                (size_t)VAULT_UID);
    return tx_end(sv, rc, err);
}
