/* Accounts. A row is found by a keyed digest of its address; the address itself, the password's
 * hash and all else are sealed in the body, bound to every other column: none of them changes but
 * together with the body. */
#include "store/service_impl.h"

#include <sodium.h>
#include <string.h>

struct want_account {
    int (*fn)(void *ud, const struct row_account *r);
    void *ud;
};

static struct bound bound_of(const struct row_account *r)
{
    struct bound b = { 0 };
    bound_bytes(&b, r->uid, sizeof r->uid);
    bound_bytes(&b, r->mail_digest, sizeof r->mail_digest);
    bound_i64(&b, r->created_at);
    bound_i64(&b, r->changed_at);
    bound_i64(&b, r->disabled);
    return b;
}

int give_account(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
                 struct err *err)
{
    const struct want_account *w = want;
    struct row_account r = { .id = sqlite3_column_int64(s, 0),
                             .created_at = sqlite3_column_int64(s, 3),
                             .changed_at = sqlite3_column_int64(s, 4),
                             .disabled = sqlite3_column_int(s, 5) };
    take_bytes(s, 1, r.uid, sizeof r.uid);
    take_bytes(s, 2, r.mail_digest, sizeof r.mail_digest);
    struct bound b = bound_of(&r);
    int rc = row_value(sv, s, 6, "account", r.id, "body", &b, body, err);
    if (rc) return rc;
    r.body = buf_str(body);
    r.body_n = body->n;
    return w ? w->fn(w->ud, &r) : 0;
}

static int insert(struct service *sv, const struct row_account *r, const struct buf *sealed,
                  struct err *err)
{
    return sql_do(sv->st, err,
                  "INSERT INTO account(" ACCOUNT_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?)", "ibbiiib",
                  r->id, r->uid, sizeof r->uid, r->mail_digest, sizeof r->mail_digest,
                  r->created_at, r->changed_at, (int64_t)r->disabled, sealed->p, sealed->n);
}

/* What never changes comes from the row that is there. */
static int replace(struct service *sv, const struct row_account *r, const struct buf *sealed,
                   struct err *err)
{
    return sql_do(sv->st, err,
                  "UPDATE account SET mail_digest=?, changed_at=?, disabled=?, body=? WHERE id=?",
                  "biibi", r->mail_digest, sizeof r->mail_digest, r->changed_at,
                  (int64_t)r->disabled, sealed->p, sealed->n, r->id);
}

static int fill_kept(struct service *sv, struct row_account *r, struct err *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sql_get(sv->st, &s, err, "SELECT uid, created_at FROM account WHERE id=?", "i", r->id);
    if (rc) return rc;
    rc = sql_step(sv->st, s, err);
    if (!rc) rc = err_set(err, ERR_NOTFOUND, "there is no such account");
    else if (rc > 0) {
        take_bytes(s, 0, r->uid, sizeof r->uid);
        rc = 0;
        r->created_at = sqlite3_column_int64(s, 1);
    }
    sql_put(sv->st, s);
    return rc;
}

int service_account_put(struct service *sv, struct row_account *r, struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct row_account a = *r;
    bool fresh = !r->id;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    if (fresh) {
        randombytes_buf(a.uid, sizeof a.uid);
        if (!a.created_at) a.created_at = sv->now();
        rc = next_id(sv->st, "account", &a.id, err);
    } else rc = fill_kept(sv, &a, err);
    struct bound b = bound_of(&a);
    if (!rc) rc = seal_value(sv, "account", a.id, "body", &b, a.body, a.body_n, &sealed, err);
    if (!rc) rc = fresh ? insert(sv, &a, &sealed, err) : replace(sv, &a, &sealed, err);
    if (rc == ERR_EXISTS) err_set(err, rc, "there is an account with this address already");
    rc = tx_end(sv, rc, err);
    if (!rc) *r = a;
    buf_free(&sealed);
    return rc;
}

int service_account_get(struct service *sv, int64_t id, const uint8_t *uid,
                        const uint8_t *mail_digest,
                        int (*fn)(void *ud, const struct row_account *r), void *ud, struct err *err)
{
    const struct want_account w = { fn, ud };
    sqlite3_stmt *s = NULL;
    int rc;
    look_begin(sv);
    if (id)
        rc =
            sql_get(sv->st, &s, err, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id=?", "i", id);
    else if (uid)
        rc = sql_get(sv->st, &s, err, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE uid=?", "b",
                     uid, (size_t)VAULT_UID);
    else
        rc = sql_get(sv->st, &s, err, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE mail_digest=?",
                     "b", mail_digest, mail_digest ? (size_t)16 : 0);
    return give_all(sv, rc, s, give_account, &w, "there is no such account", err);
}

int service_account_each(struct service *sv, int (*fn)(void *ud, const struct row_account *r),
                         void *ud, struct err *err)
{
    const struct want_account w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err, "SELECT " ACCOUNT_COLUMNS " FROM account ORDER BY id", "");
    return give_all(sv, rc, s, give_account, &w, NULL, err);
}

int service_account_delete(struct service *sv, int64_t id, struct err *err)
{
    int64_t version;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = sql_do(sv->st, err, "DELETE FROM account WHERE id=?", "i", id);
    if (!rc && !sqlite3_changes(sv->st->db))
        rc = err_set(err, ERR_NOTFOUND, "there is no such account");
    if (!rc) rc = sql_do(sv->st, err, "DELETE FROM job WHERE account=?", "i", id);
    if (!rc) rc = next_id(sv->st, "job_version", &version, err);
    return tx_end(sv, rc, err);
}
