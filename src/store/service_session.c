/* Sessions and their refresh tokens.
 *
 * A session has a chain of refresh tokens, kept as digests, of which only the last is unused. Who
 * brings one that was used before has a copy of somebody's token, or is that somebody after a thief
 * came first; the two cannot be told apart, so the whole session ends (RFC 9700, 4.14.2). Looking a
 * token up, marking it used and adding the next are one IMMEDIATE transaction: of two who bring the
 * same token at once, one wins. The used ones stay as long as their session, or reuse would look
 * like a token that never was. */
#include "store/service_impl.h"

#include <sodium.h>
#include <string.h>

struct want_session {
    int (*fn)(void *ud, const struct row_session *r);
    void *ud;
};

static struct bound bound_of(const struct row_session *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->account);
    bound_bytes(&b, r->uid, sizeof r->uid);
    bound_i64(&b, r->created_at);
    return b;
}

int give_session(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
                 struct err *err)
{
    const struct want_session *w = want;
    struct row_session r = { .id = sqlite3_column_int64(s, 0),
                             .account = sqlite3_column_int64(s, 1),
                             .created_at = sqlite3_column_int64(s, 3),
                             .seen_at = sqlite3_column_int64(s, 4),
                             .expires_at = sqlite3_column_int64(s, 5),
                             .revoked = sqlite3_column_int(s, 6) };
    take_bytes(s, 2, r.uid, sizeof r.uid);
    struct bound b = bound_of(&r);
    int rc = row_value(sv, s, 7, "session", r.id, "body", &b, body, err);
    if (rc) return rc;
    r.body = buf_str(body);
    r.body_n = body->n;
    return w ? w->fn(w->ud, &r) : 0;
}

static int add_token(struct service *sv, const uint8_t digest[SERVICE_DIGEST], int64_t session,
                     struct err *err)
{
    return sql_do(sv->st, err, "INSERT INTO refresh(digest, session) VALUES(?, ?)", "bi", digest,
                  (size_t)SERVICE_DIGEST, session);
}

int service_session_new(struct service *sv, struct row_session *r,
                        const uint8_t refresh[SERVICE_DIGEST], struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct row_session a = *r;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    randombytes_buf(a.uid, sizeof a.uid);
    if (!a.created_at) a.created_at = sv->now();
    if (!a.seen_at) a.seen_at = a.created_at;
    a.revoked = false;
    rc = next_id(sv->st, "session", &a.id, err);
    struct bound b = bound_of(&a);
    if (!rc) rc = seal_value(sv, "session", a.id, "body", &b, a.body, a.body_n, &sealed, err);
    if (!rc)
        rc = sql_do(sv->st, err,
                    "INSERT INTO session(" SESSION_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, 0, ?)",
                    "iibiiib", a.id, a.account, a.uid, sizeof a.uid, a.created_at, a.seen_at,
                    a.expires_at, sealed.p, sealed.n);
    if (!rc) rc = add_token(sv, refresh, a.id, err);
    rc = tx_end(sv, rc, err);
    if (!rc) *r = a;
    buf_free(&sealed);
    return rc;
}

struct chain { /* what is known of a refresh token */
    int64_t session, account, expires_at;
    bool there, used, over;
};

static int find_token(struct service *sv, const uint8_t digest[SERVICE_DIGEST], struct chain *c,
                      struct err *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sql_get(sv->st, &s, err,
                     "SELECT s.id, s.account, s.expires_at, r.used_at IS NOT NULL,"
                     " s.revoked OR a.disabled"
                     " FROM refresh r JOIN session s ON s.id=r.session"
                     " JOIN account a ON a.id=s.account WHERE r.digest=?",
                     "b", digest, (size_t)SERVICE_DIGEST);
    if (rc) return rc;
    rc = sql_step(sv->st, s, err);
    if (rc > 0) {
        *c = (struct chain){ .there = true,
                             .session = sqlite3_column_int64(s, 0),
                             .account = sqlite3_column_int64(s, 1),
                             .expires_at = sqlite3_column_int64(s, 2),
                             .used = sqlite3_column_int(s, 3),
                             .over = sqlite3_column_int(s, 4) };
        rc = 0;
    }
    sql_put(sv->st, s);
    return rc;
}

static int replace_token(struct service *sv, const struct chain *c, const uint8_t *old,
                         const uint8_t *next, int64_t expires_at, struct err *err)
{
    int64_t now = sv->now();
    int rc = sql_do(sv->st, err, "UPDATE refresh SET used_at=? WHERE digest=?", "ib", now, old,
                    (size_t)SERVICE_DIGEST);
    if (!rc) rc = add_token(sv, next, c->session, err);
    if (!rc)
        rc = sql_do(sv->st, err, "UPDATE session SET seen_at=?, expires_at=? WHERE id=?", "iii",
                    now, expires_at, c->session);
    return rc;
}

int service_session_rotate(struct service *sv, const uint8_t old[SERVICE_DIGEST],
                           const uint8_t next[SERVICE_DIGEST], int64_t expires_at,
                           enum refresh_result *what, int64_t *session, int64_t *account,
                           struct err *err)
{
    struct chain c = { 0 };
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = find_token(sv, old, &c, err);
    if (rc) goto out;
    *session = c.session;
    *account = c.account;
    if (!c.there) *what = REFRESH_UNKNOWN;
    else if (c.used) {
        *what = REFRESH_REUSED;
        rc = sql_do(sv->st, err, "UPDATE session SET revoked=1 WHERE id=?", "i", c.session);
    } else if (c.over || c.expires_at <= sv->now()) *what = REFRESH_OVER;
    else {
        *what = REFRESH_OK;
        rc = replace_token(sv, &c, old, next, expires_at, err);
    }
out:
    return tx_end(sv, rc, err);
}

int service_session_get(struct service *sv, int64_t id, const uint8_t *uid,
                        int (*fn)(void *ud, const struct row_session *r), void *ud, struct err *err)
{
    const struct want_session w = { fn, ud };
    sqlite3_stmt *s = NULL;
    int rc;
    look_begin(sv);
    if (uid)
        rc = sql_get(sv->st, &s, err, "SELECT " SESSION_COLUMNS " FROM session WHERE uid=?", "b",
                     uid, (size_t)VAULT_UID);
    else
        rc =
            sql_get(sv->st, &s, err, "SELECT " SESSION_COLUMNS " FROM session WHERE id=?", "i", id);
    return give_all(sv, rc, s, give_session, &w, "there is no such session", err);
}

int service_session_each(struct service *sv, int64_t account,
                         int (*fn)(void *ud, const struct row_session *r), void *ud,
                         struct err *err)
{
    const struct want_session w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err,
                     "SELECT " SESSION_COLUMNS " FROM session WHERE account=? ORDER BY id DESC",
                     "i", account);
    return give_all(sv, rc, s, give_session, &w, NULL, err);
}

int service_session_revoke(struct service *sv, int64_t account, int64_t session, int64_t except,
                           uint64_t *n, struct err *err)
{
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = sql_do(sv->st, err,
                "UPDATE session SET revoked=1"
                " WHERE account=?1 AND revoked=0 AND (?2=0 OR id=?2) AND id<>?3",
                "iii", account, session, except);
    if (n) *n = rc ? 0 : (uint64_t)sqlite3_changes(sv->st->db);
    return tx_end(sv, rc, err);
}

/* Once a minute is enough: it is for people to look at. */
void service_session_seen(struct service *sv, int64_t id)
{
    int64_t now = sv->now(), due = 0;
    look_begin(sv);
    int rc = sql_int(sv->st, &due, NULL, "SELECT 1 FROM session WHERE id=? AND seen_at<=?", "ii",
                     id, now - 60);
    look_end(sv);
    if (rc || !due || tx_begin_light(sv, NULL)) return;
    rc = sql_do(sv->st, NULL, "UPDATE session SET seen_at=? WHERE id=?", "ii", now, id);
    tx_end_light(sv, rc, NULL);
}

int service_sessions_tidy(struct service *sv, int64_t before, struct err *err)
{
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc =
        sql_do(sv->st, err, "DELETE FROM session WHERE expires_at<?1 OR (revoked=1 AND seen_at<?1)",
               "i", before);
    return tx_end(sv, rc, err);
}
