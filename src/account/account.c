/* Accounts as they are stored: made, looked up, changed.
 *
 * A row's body is JSON: {"email", "hash", "persona"?, "quota"?}. The address is found by a keyed
 * digest of its folded form (trimmed, ASCII letters small), so the database tells nobody who is in
 * here. Only ASCII is folded: other letters belong to whoever runs that mail server, and folding
 * them could make one account of two people.
 *
 * A change reads, changes and writes the whole row. Two of them at once (a new password and the
 * upgrade of the old one's hash at a login; the server and the command line) must not undo each
 * other, so `change` and a lock on HOME/accounts.lock are held meanwhile; what was read before is
 * read again under them. Slow hashing is always done outside. Locks are taken in the order change,
 * then the service's own; callbacks of the service run under its lock and must not call us. */
#include "account/inside.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define EMAIL_MAX 254 /* RFC 5321, 4.5.3.1.3, without the angle brackets */
#define LOCAL_MAX 64

/* ---- opening ---- */

static void defaults(struct account_opts *o)
{
    if (o->hashers <= 0) o->hashers = 1;
    if (o->hash_queue <= 0) o->hash_queue = 512;
    if (!o->access_seconds) o->access_seconds = 900;
    if (!o->refresh_seconds) o->refresh_seconds = 30 * 86400;
    if (o->tries <= 0) o->tries = 10;
}

static int open_lock(struct accounts *as, struct err *err)
{
    struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/accounts.lock", service_home(as->sv));
    if (path.failed) return err_nomem(err);
    as->change_fd = open(buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = as->change_fd < 0 ? err_errno(err, "cannot open %s", buf_str(&path)) : 0;
    buf_free(&path);
    return rc;
}

int accounts_open(struct service *sv, const struct account_opts *o, struct accounts **out,
                  struct err *err)
{
    uint8_t key[32];
    struct accounts *as = calloc(1, sizeof *as);
    *out = NULL;
    if (!as) return err_nomem(err);
    as->sv = sv;
    as->change_fd = -1;
    if (o) as->o = *o;
    defaults(&as->o);
    pthread_mutex_init(&as->change, NULL);
    int rc = open_lock(as, err);
    if (!rc) rc = service_note_key(sv, "token_key", key, err);
    if (!rc) rc = token_key_make(key, vault_home_id(service_vault(sv)), &as->key, err);
    if (!rc) rc = hashers_open(as->o.hashers, as->o.hash_queue, &as->hashers, err);
    if (!rc) rc = guesses_open(sv, as->o.tries, &as->guesses, err);
    sodium_memzero(key, sizeof key);
    if (rc) accounts_close(as);
    else *out = as;
    return rc;
}

void accounts_close(struct accounts *as)
{
    if (!as) return;
    token_key_clear(&as->key);
    hashers_close(as->hashers);
    guesses_close(as->guesses);
    if (as->change_fd >= 0) close(as->change_fd);
    pthread_mutex_destroy(&as->change);
    free(as);
}

struct service *accounts_service(struct accounts *as) { return as->sv; }
int64_t account_now(const struct accounts *as) { return service_now(as->sv); }
void account_clear(struct account *a) { sodium_memzero(a, sizeof *a); }

/* ---- addresses ---- */

static void fold(const char *email, char out[EMAIL_MAX + 2])
{
    struct span s = span_trim(span_of(email));
    size_t n = s.n <= EMAIL_MAX ? s.n : EMAIL_MAX + 1;
    for (size_t i = 0; i < n; i++)
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    out[n] = 0;
}

void account_digest(const struct accounts *as, const char *email, uint8_t out[16])
{
    char folded[EMAIL_MAX + 2];
    fold(email, folded);
    vault_digest(vault_account_key(service_vault(as->sv)), "mail", folded, strlen(folded), out);
    sodium_memzero(folded, sizeof folded);
}

static bool has_odd(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("()<>,;:\\\"[]", *p)) return true;
    return false;
}

static int email_check(const char *folded, struct err *err)
{
    const char *at = strchr(folded, '@');
    size_t n = strlen(folded), local = at ? (size_t)(at - folded) : 0;
    const char *domain = at ? at + 1 : "";
    if (!at || strchr(domain, '@') || !local || !*domain || has_odd(folded) ||
        !utf8_valid(folded, n) || *domain == '.' || *domain == '-' || strstr(domain, "..") ||
        folded[n - 1] == '.' || folded[n - 1] == '-')
        return err_set(err, ERR_INVAL,
                       "this is not an address of mail: it should look like ann@example.org");
    if (n > EMAIL_MAX || local > LOCAL_MAX)
        return err_set(err, ERR_INVAL, "the address is too long: at most %d bytes", EMAIL_MAX);
    return 0;
}

/* ---- the sealed body ---- */

json_t *account_text(const char *s, size_t max)
{
    struct buf clean = BUF_INIT(4096);
    struct span t = span_trim(span_of(s ? s : ""));
    utf8_clean(&clean, t.p, t.n < 2048 ? t.n : 2048);
    for (size_t i = 0; i < clean.n; i++)
        if (clean.p[i] == '\n' || clean.p[i] == '\t') clean.p[i] = ' ';
    json_t *j = clean.failed
                    ? NULL
                    : json_stringn(buf_str(&clean), utf8_cut(buf_str(&clean), clean.n, max));
    buf_free(&clean);
    return j;
}

void account_text_get(const json_t *doc, const char *name, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(doc, name));
    snprintf(out, size, "%.*s", s ? (int)utf8_cut(s, strlen(s), size - 1) : 0, s ? s : "");
}

bool account_uid_get(const json_t *v, uint8_t out[VAULT_UID])
{
    const char *hex = json_string_value(v);
    size_t n = 0;
    memset(out, 0, VAULT_UID);
    return hex && !sodium_hex2bin(out, VAULT_UID, hex, strlen(hex), NULL, &n, NULL) &&
           n == VAULT_UID;
}

json_t *account_uid_json(const uint8_t uid[VAULT_UID])
{
    char hex[33];
    sodium_bin2hex(hex, sizeof hex, uid, VAULT_UID);
    return json_string(hex);
}

static int parse_row(const struct row_account *r, struct account *a)
{
    json_t *doc = json_loadb(r->body, r->body_n, JSON_REJECT_DUPLICATES, NULL);
    *a = (struct account){ .changed_at = r->changed_at };
    a->info.id = r->id;
    a->info.created_at = r->created_at;
    a->info.disabled = r->disabled;
    memcpy(a->info.uid, r->uid, sizeof a->info.uid);
    memcpy(a->digest, r->mail_digest, sizeof a->digest);
    account_text_get(doc, "email", a->info.email, sizeof a->info.email);
    account_text_get(doc, "hash", a->hash, sizeof a->hash);
    account_uid_get(json_object_get(doc, "persona"), a->info.persona);
    a->info.quota_bytes = json_integer_value(json_object_get(doc, "quota"));
    bool whole = doc && a->info.email[0] && a->hash[0];
    json_decref(doc);
    return whole ? 0 : ERR_SEAL;
}

static int take_row(void *ud, const struct row_account *r) { return parse_row(r, ud); }

int account_load(struct accounts *as, int64_t id, const uint8_t *uid, const uint8_t *digest,
                 struct account *out, struct err *err)
{
    struct err why = { 0 };
    int rc = service_account_get(as->sv, id, uid, digest, take_row, out, &why);
    if (rc == ERR_NOTFOUND) return err_set(err, rc, "there is no such account");
    if (rc) return err_set(err, rc, "%s", why.msg[0] ? why.msg : "an account's row is damaged");
    return 0;
}

int account_save(struct accounts *as, struct account *a, struct err *err)
{
    static const uint8_t none[VAULT_UID];
    json_t *doc = json_pack("{s:s, s:s, s:I}", "email", a->info.email, "hash", a->hash, "quota",
                            (json_int_t)a->info.quota_bytes);
    if (doc && memcmp(a->info.persona, none, VAULT_UID) != 0)
        json_object_set_new(doc, "persona", account_uid_json(a->info.persona));
    char *body = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (!body) return err_nomem(err);
    struct row_account r = { .id = a->info.id,
                             .created_at = a->info.created_at,
                             .changed_at = a->changed_at,
                             .disabled = a->info.disabled,
                             .body = body,
                             .body_n = strlen(body) };
    memcpy(r.uid, a->info.uid, sizeof r.uid);
    memcpy(r.mail_digest, a->digest, sizeof r.mail_digest);
    int rc = service_account_put(as->sv, &r, err);
    if (!rc) {
        a->info.id = r.id;
        memcpy(a->info.uid, r.uid, sizeof r.uid);
    }
    sodium_memzero(body, r.body_n);
    free(body);
    return rc;
}

int account_change_begin(struct accounts *as, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&as->change);
    while (flock(as->change_fd, LOCK_EX))
        if (errno != EINTR) {
            rc = err_errno(err, "cannot lock %s/accounts.lock", service_home(as->sv));
            pthread_mutex_unlock(&as->change);
            break;
        }
    return rc;
}

void account_change_end(struct accounts *as)
{
    flock(as->change_fd, LOCK_UN);
    pthread_mutex_unlock(&as->change);
}

/* ---- making ---- */

static int put_new(struct accounts *as, const char *email, const char *hash, int64_t *id,
                   struct err *err)
{
    struct account a = { .changed_at = account_now(as) };
    struct span s = span_trim(span_of(email));
    a.info.created_at = a.changed_at;
    account_digest(as, email, a.digest);
    snprintf(a.info.email, sizeof a.info.email, "%.*s", (int)s.n, s.p);
    snprintf(a.hash, sizeof a.hash, "%s", hash);
    int rc = account_save(as, &a, err);
    if (rc == ERR_EXISTS) rc = err_set(err, rc, "there is an account with this address already");
    if (!rc) *id = a.info.id;
    account_clear(&a);
    return rc;
}

int account_create(struct accounts *as, const char *email, const char *password, int64_t *id,
                   struct err *err)
{
    char folded[EMAIL_MAX + 2], hash[HASH_MAX];
    fold(email, folded);
    int rc = email_check(folded, err);
    if (!rc) rc = password_fit(password, folded, err);
    if (!rc) rc = hashers_enter(as->hashers, err);
    if (!rc) {
        rc = password_hash(password, hash, err);
        hashers_leave(as->hashers);
    }
    if (!rc) rc = put_new(as, email, hash, id, err);
    sodium_memzero(hash, sizeof hash);
    return rc;
}

int account_import(struct accounts *as, const char *email, const char *hash, int64_t *id,
                   struct err *err)
{
    char folded[EMAIL_MAX + 2];
    fold(email, folded);
    int rc = email_check(folded, err);
    if (!rc && !password_known(hash))
        rc = err_set(err, ERR_INVAL,
                     "the hash is none that is known: bcrypt ($2a$, $2b$, $2y$, cost 4 to 16) and "
                     "Argon2id ($argon2id$v=19$...,p=1) are");
    return rc ? rc : put_new(as, email, hash, id, err);
}

/* ---- looking up and changing ---- */

int account_info(struct accounts *as, int64_t id, struct account_info *out, struct err *err)
{
    struct account a;
    int rc = id ? account_load(as, id, NULL, NULL, &a, err)
                : err_set(err, ERR_NOTFOUND, "there is no such account");
    if (rc) return rc;
    *out = a.info;
    account_clear(&a);
    return 0;
}

int account_by_email(struct accounts *as, const char *email, int64_t *id, struct err *err)
{
    struct account a;
    uint8_t digest[16];
    account_digest(as, email, digest);
    int rc = account_load(as, 0, NULL, digest, &a, err);
    if (rc) return rc;
    *id = a.info.id;
    account_clear(&a);
    return 0;
}

struct each {
    int (*fn)(void *ud, const struct account_info *a);
    void *ud;
};

static int give_one(void *ud, const struct row_account *r)
{
    const struct each *e = ud;
    struct account a;
    int rc = parse_row(r, &a);
    if (!rc) rc = e->fn(e->ud, &a.info);
    account_clear(&a);
    return rc;
}

int account_each(struct accounts *as, int (*fn)(void *ud, const struct account_info *a), void *ud,
                 struct err *err)
{
    struct each e = { fn, ud };
    return service_account_each(as->sv, give_one, &e, err);
}

enum what { SET_PERSONA, SET_DISABLED };

static int change(struct accounts *as, int64_t id, enum what what, const uint8_t *persona,
                  bool disabled, struct err *err)
{
    struct account a = { 0 };
    int rc = account_change_begin(as, err);
    if (rc) return rc;
    rc = account_load(as, id, NULL, NULL, &a, err);
    if (what == SET_PERSONA) memcpy(a.info.persona, persona, VAULT_UID);
    else a.info.disabled = disabled;
    if (!rc) rc = account_save(as, &a, err);
    account_change_end(as);
    account_clear(&a);
    return rc;
}

int account_default_persona(struct accounts *as, int64_t id, const uint8_t persona[VAULT_UID],
                            struct err *err)
{
    return change(as, id, SET_PERSONA, persona, false, err);
}

int account_disable(struct accounts *as, int64_t id, bool disabled, struct err *err)
{
    int rc = change(as, id, SET_DISABLED, NULL, disabled, err);
    return rc || !disabled ? rc : service_session_revoke(as->sv, id, 0, 0, NULL, err);
}

int account_delete(struct accounts *as, int64_t id, struct err *err)
{
    int rc = account_change_begin(as, err);
    if (rc) return rc;
    rc = service_account_delete(as->sv, id, err);
    account_change_end(as);
    return rc;
}
