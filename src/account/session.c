/* Logins, and what comes of them.
 *
 * A login checks a password once and makes a session; an access token names account and session and
 * is good for a quarter of an hour; a refresh token is good for one exchange against the next pair.
 * Who shows a refresh token a second time has stolen it, or was stolen from: nobody can tell which,
 * so the whole session is over (RFC 9700, 4.14.2). Each request asks the session's and the
 * account's row, so a revoked token is worth nothing from that moment on, not only after it has
 * expired.
 *
 * An address that nobody has, a wrong password and an account that is switched off take the same
 * way through the code, with the same words and one hashing, so that nobody can ask who is in here.
 * An imported account answers at the pace of its bcrypt until its first login; that is the
 * exception.
 *
 * A password may change while a login with the old one is under way. Changing revokes, stores, and
 * revokes again; a login looks, after its session is there, whether the hash it has checked is
 * still the account's, and takes the session back when not. Either comes last, so no session
 * outlives the password it was opened with; and when the power goes in the midst of a change,
 * sessions are gone but none is left. */
#include "account/inside.h"

#include "base/str.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH "likeness refresh"
#define SEEN    60          /* seconds between two marks of a session as seen */
#define KEPT    (7 * 86400) /* an ended session stays listed so long in the database */
#define DAY     86400

void account_tokens_clear(struct account_tokens *t) { sodium_memzero(t, sizeof *t); }

/* ---- checking a password ---- */

static int wrong_words(struct err *err)
{
    return err_set(err, ERR_KEY, "address or password is wrong, or the account is switched off");
}

static int wait_words(int seconds, int *retry, struct err *err)
{
    if (retry) *retry = seconds;
    return err_set(err, ERR_LIMIT, "too many wrong passwords: try again in %d second%s", seconds,
                   seconds == 1 ? "" : "s");
}

struct check {
    const uint8_t *digest; /* of the address */
    int64_t id;            /* or the account, whose digest it is */
    const char *place;     /* NULL: none */
    const char *password;
    struct account a;     /* as it was when the password was right */
    char fresh[HASH_MAX]; /* the hash made anew; "": it is as it should be */
};

/* Has this address or place to wait, and how long? Asked before the line, and again at its end:
 * those who stood in it with the same guess must not all come through. */
static int may_try(struct accounts *as, const struct check *c, int *retry, struct err *err)
{
    int wait = guess_wait(as->guesses, c->digest, c->place, account_now(as));
    return wait ? wait_words(wait, retry, err) : 0;
}

static int check_hash(struct accounts *as, struct check *c, struct err *err)
{
    char dummy[HASH_MAX];
    password_dummy(dummy);
    int rc = account_load(as, c->id, NULL, c->id ? NULL : c->digest, &c->a, err);
    bool there = !rc;
    if (rc && rc != ERR_NOTFOUND) return rc;
    rc = password_check(c->password, there ? c->a.hash : dummy, err);
    if (rc && rc != ERR_KEY) return rc;
    if (rc || !there || c->a.info.disabled || strlen(c->password) > PASSWORD_MAX) {
        guess_wrong(as->guesses, c->digest, c->place, account_now(as));
        return wrong_words(err);
    }
    guess_right(as->guesses, c->digest, c->place, account_now(as));
    if (password_stale(c->a.hash)) rc = password_hash(c->password, c->fresh, err);
    return rc;
}

static int check(struct accounts *as, struct check *c, int *retry, struct err *err)
{
    int rc = may_try(as, c, retry, err);
    if (!rc) rc = hashers_enter(as->hashers, err);
    if (rc) return rc;
    rc = may_try(as, c, retry, err);
    if (!rc) rc = check_hash(as, c, err);
    hashers_leave(as->hashers);
    return rc;
}

static void check_clear(struct check *c)
{
    account_clear(&c->a);
    sodium_memzero(c->fresh, sizeof c->fresh);
}

/* Puts the new hash in the place of the one that was checked, unless somebody has been there. */
static int upgrade(struct accounts *as, struct check *c, struct err *err)
{
    struct account now = { 0 };
    int rc = account_change_begin(as, err);
    if (rc) return rc;
    rc = account_load(as, c->a.info.id, NULL, NULL, &now, err);
    if (!rc && !strcmp(now.hash, c->a.hash)) {
        memcpy(now.hash, c->fresh, sizeof now.hash);
        rc = account_save(as, &now, err);
        if (!rc) memcpy(c->a.hash, c->fresh, sizeof c->a.hash);
    }
    account_change_end(as);
    account_clear(&now);
    return rc;
}

int account_check(struct accounts *as, int64_t id, const char *password, int *retry,
                  struct err *err)
{
    struct account a;
    struct check c = { .id = id, .password = password };
    int rc = account_load(as, id, NULL, NULL, &a, err);
    if (rc) return rc;
    c.digest = a.digest;
    rc = check(as, &c, retry, err);
    if (rc == ERR_KEY) err_set(err, rc, "the password is wrong");
    check_clear(&c);
    account_clear(&a);
    return rc;
}

/* ---- logging in ---- */

static int make_access(struct accounts *as, const uint8_t account[VAULT_UID],
                       const uint8_t session[VAULT_UID], struct account_tokens *out,
                       struct err *err)
{
    struct token_claims c = { .issued = account_now(as) };
    c.expires = c.issued + as->o.access_seconds;
    memcpy(c.account, account, VAULT_UID);
    memcpy(c.session, session, VAULT_UID);
    out->expires_in = as->o.access_seconds;
    out->refresh_expires_in = as->o.refresh_seconds;
    return token_make(&as->key, &c, out->access, err);
}

static int new_session(struct accounts *as, const struct account *a, const char *client,
                       const char *address, struct account_tokens *out, struct err *err)
{
    uint8_t digest[SERVICE_DIGEST];
    json_t *doc = json_pack("{s:o, s:o}", "client", account_text(client, 127), "address",
                            account_text(address, 63));
    char *body = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (!body) return err_nomem(err);
    struct row_session r = { .account = a->info.id,
                             .created_at = account_now(as),
                             .seen_at = account_now(as),
                             .expires_at = account_now(as) + as->o.refresh_seconds,
                             .body = body,
                             .body_n = strlen(body) };
    word_make(out->refresh);
    word_digest(REFRESH, out->refresh, digest);
    int rc = service_session_new(as->sv, &r, digest, err);
    free(body);
    if (rc) return rc;
    out->account = a->info.id;
    out->session = r.id;
    return make_access(as, a->info.uid, r.uid, out, err);
}

/* After the session is there: is the password that opened it still the account's? */
static int still_right(struct accounts *as, const struct account *was,
                       const struct account_tokens *t, struct err *err)
{
    struct account now = { 0 };
    int rc = account_load(as, was->info.id, NULL, NULL, &now, err);
    bool same = !rc && !strcmp(now.hash, was->hash) && !now.info.disabled;
    account_clear(&now);
    if (same) return 0;
    service_session_revoke(as->sv, was->info.id, t->session, 0, NULL, NULL);
    return rc && rc != ERR_NOTFOUND ? rc : wrong_words(err);
}

/* Ended sessions are dropped from the database, once a day. */
static void tidy(struct accounts *as)
{
    int64_t now = account_now(as), last = atomic_load(&as->tidied);
    if (now - last < DAY || !atomic_compare_exchange_strong(&as->tidied, &last, now)) return;
    service_sessions_tidy(as->sv, now - KEPT, NULL);
}

int account_login(struct accounts *as, const char *email, const char *password, const char *client,
                  const char *address, struct account_tokens *out, int *retry, struct err *err)
{
    uint8_t digest[16];
    struct check c = { .digest = digest, .place = address, .password = password };
    memset(out, 0, sizeof *out);
    account_digest(as, email, digest);
    int rc = check(as, &c, retry, err);
    if (!rc && c.fresh[0]) rc = upgrade(as, &c, err);
    if (!rc) rc = new_session(as, &c.a, client, address, out, err);
    if (!rc) rc = still_right(as, &c.a, out, err);
    check_clear(&c);
    if (rc) account_tokens_clear(out);
    else tidy(as);
    return rc;
}

/* ---- the next pair ---- */

struct session {
    int64_t id, account, seen_at, expires_at;
    uint8_t uid[VAULT_UID];
    bool revoked;
};

static int take_session(void *ud, const struct row_session *r)
{
    struct session *s = ud;
    *s = (struct session){ r->id, r->account, r->seen_at, r->expires_at, { 0 }, r->revoked };
    memcpy(s->uid, r->uid, VAULT_UID);
    return 0;
}

static int no_refresh(struct err *err)
{
    return err_set(err, ERR_KEY, "the refresh token is not valid, or over: log in again");
}

int account_refresh(struct accounts *as, const char *refresh, struct account_tokens *out,
                    struct err *err)
{
    uint8_t old[SERVICE_DIGEST], next[SERVICE_DIGEST];
    enum refresh_result what = REFRESH_UNKNOWN;
    struct session s = { 0 };
    struct account a = { 0 };
    bool good = word_digest(REFRESH, refresh, old); /* refresh may stand in out */
    memset(out, 0, sizeof *out);
    if (!good) return no_refresh(err);
    word_make(out->refresh);
    word_digest(REFRESH, out->refresh, next);
    int rc = service_session_rotate(as->sv, old, next, account_now(as) + as->o.refresh_seconds,
                                    &what, &out->session, &out->account, err);
    if (!rc && what == REFRESH_REUSED)
        rc = err_set(err, ERR_KEY,
                     "this refresh token was used before, so somebody else may have it: the login "
                     "it belongs to was ended; log in again");
    else if (!rc && what != REFRESH_OK) rc = no_refresh(err);
    if (!rc) rc = service_session_get(as->sv, out->session, NULL, take_session, &s, err);
    if (!rc) rc = account_load(as, out->account, NULL, NULL, &a, err);
    if (!rc) rc = make_access(as, a.info.uid, s.uid, out, err);
    account_clear(&a);
    if (rc) account_tokens_clear(out);
    return rc == ERR_NOTFOUND ? no_refresh(err) : rc;
}

/* ---- who is it? ---- */

int account_bearer_token(struct accounts *as, struct span token, struct principal *out,
                         struct err *err)
{
    struct token_claims c;
    struct session s = { 0 };
    struct account a = { 0 };
    int rc = token_check(&as->key, token, account_now(as), &c, err);
    if (rc) return rc;
    rc = service_session_get(as->sv, 0, c.session, take_session, &s, err);
    if (!rc) rc = account_load(as, s.account, NULL, NULL, &a, err);
    bool good = !rc && !s.revoked && s.expires_at > account_now(as) && !a.info.disabled &&
                !memcmp(a.info.uid, c.account, VAULT_UID);
    if (good) {
        out->account = a.info.id;
        out->session = s.id;
        memcpy(out->uid, a.info.uid, VAULT_UID);
        if (s.seen_at < account_now(as) - SEEN) service_session_seen(as->sv, s.id);
    }
    account_clear(&a);
    if (good) return 0;
    return rc && rc != ERR_NOTFOUND
               ? rc
               : err_set(err, ERR_KEY, "the access token is not valid: log in again");
}

/* ---- new passwords ---- */

static int make_hash(struct accounts *as, const char *password, char out[HASH_MAX], struct err *err)
{
    int rc = hashers_enter(as->hashers, err);
    if (rc) return rc;
    rc = password_hash(password, out, err);
    hashers_leave(as->hashers);
    return rc;
}

static int revoke_all(struct accounts *as, int64_t id, int64_t keep, struct err *err)
{
    int rc = service_session_revoke(as->sv, id, 0, keep, NULL, err);
    if (!rc) rc = service_apikey_revoke(as->sv, id, 0, err);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

/* was: the hash that the old password was checked against; NULL: whatever it is. */
static int store_hash(struct accounts *as, int64_t id, const char *was, const char *hash,
                      struct err *err)
{
    struct account a = { 0 };
    int rc = account_change_begin(as, err);
    if (rc) return rc;
    rc = account_load(as, id, NULL, NULL, &a, err);
    if (!rc && was && strcmp(was, a.hash) != 0)
        rc = err_set(err, ERR_BUSY, "the password has just been changed: try again");
    if (!rc) {
        snprintf(a.hash, sizeof a.hash, "%s", hash);
        a.changed_at = account_now(as);
        rc = account_save(as, &a, err);
    }
    account_change_end(as);
    account_clear(&a);
    return rc;
}

static int change_password(struct accounts *as, int64_t id, const char *was, const char *fresh,
                           int64_t keep, struct err *err)
{
    struct account_info info = { 0 };
    char hash[HASH_MAX];
    int rc = account_info(as, id, &info, err);
    if (!rc) rc = password_fit(fresh, info.email, err);
    if (!rc) rc = make_hash(as, fresh, hash, err);
    if (!rc) rc = revoke_all(as, id, keep, err);
    if (!rc) rc = store_hash(as, id, was, hash, err);
    if (!rc) rc = revoke_all(as, id, keep, err);
    sodium_memzero(hash, sizeof hash);
    sodium_memzero(&info, sizeof info);
    return rc;
}

int account_password(struct accounts *as, int64_t id, const char *old, const char *fresh,
                     int64_t keep, struct err *err)
{
    struct account a;
    struct check c = { .id = id, .password = old };
    int rc = account_load(as, id, NULL, NULL, &a, err);
    if (rc) return rc;
    c.digest = a.digest;
    rc = password_fit(fresh, a.info.email, err);
    if (!rc && !strcmp(old, fresh))
        rc = err_set(err, ERR_INVAL, "the new password is the old one: take another");
    if (!rc) rc = check(as, &c, NULL, err);
    if (rc == ERR_KEY) err_set(err, rc, "the old password is wrong");
    if (!rc) rc = change_password(as, id, c.a.hash, fresh, keep, err);
    check_clear(&c);
    account_clear(&a);
    return rc;
}

int account_password_set(struct accounts *as, int64_t id, const char *fresh, struct err *err)
{
    return change_password(as, id, NULL, fresh, 0, err);
}

/* ---- the list ---- */

struct each {
    int (*fn)(void *ud, const struct account_session *s);
    void *ud;
};

static int give_one(void *ud, const struct row_session *r)
{
    const struct each *e = ud;
    json_t *doc = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);
    struct account_session s = { .id = r->id,
                                 .created_at = r->created_at,
                                 .seen_at = r->seen_at,
                                 .expires_at = r->expires_at,
                                 .revoked = r->revoked };
    account_text_get(doc, "client", s.client, sizeof s.client);
    account_text_get(doc, "address", s.address, sizeof s.address);
    json_decref(doc);
    return e->fn(e->ud, &s);
}

int account_sessions(struct accounts *as, int64_t id,
                     int (*fn)(void *ud, const struct account_session *s), void *ud,
                     struct err *err)
{
    struct each e = { fn, ud };
    return service_session_each(as->sv, id, give_one, &e, err);
}

int account_logout(struct accounts *as, int64_t id, int64_t session, struct err *err)
{
    uint64_t n = 0;
    int rc = service_session_revoke(as->sv, id, session, 0, &n, err);
    if (rc && rc != ERR_NOTFOUND) return rc;
    if (!rc && (n || !session)) return 0;
    return session ? err_set(err, ERR_NOTFOUND, "there is no such session") : 0;
}
