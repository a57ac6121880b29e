/* Routes of accounts: register, log in, refresh, log out, sessions, keys, passwords, leave.
 *
 * /api/token speaks two languages. JSON with email and password, as earlier clients of such servers
 * do, and the form of OAuth 2.0's password and refresh grants (RFC 6749, 4.3 and 6), with errors as
 * that wants them (5.2). Replies carry the names of both: access_token, refresh_token, token_type,
 * expires_in, and access, refresh.
 *
 * A password that is asked for again, by somebody who is logged in, is answered with 403 when it is
 * wrong: 401 would tell clients that their token is over, and they would ask for another. */
#include "base/json.h"
#include "base/str.h"
#include "http/inside.h"
#include "jobs/jobs.h"
#include "persona/work.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

extern const struct route routes_account[];

static json_t *uid_or_null(const uint8_t uid[VAULT_UID])
{
    static const uint8_t none[VAULT_UID];
    char hex[33];
    return memcmp(uid, none, VAULT_UID) ? json_string(uid_hex(uid, hex)) : json_null();
}

static int reply(struct call *c, json_t *out, struct err *err)
{
    c->out = out;
    return out ? 0 : err_nomem(err);
}

static int refuse(struct call *c, int status, int code, const char *words, struct err *err)
{
    c->status = status;
    return err_set(err, code, "%s", words);
}

/* The address, which some clients call username. */
static const char *email_of(const struct call *c)
{
    const char *email = call_str(c, "email");
    return email ? email : call_str(c, "username");
}

/* ---- registering ---- */

static json_t *account_reply(const struct account_info *a)
{
    return json_pack("{s:I, s:s, s:o, s:o}", "id", (json_int_t)a->id, "email", a->email, "persona",
                     uid_or_null(a->persona), "created_at", json_time(a->created_at));
}

/* Everybody begins with a persona of themselves: the routes without an id are about that one. */
static int first_persona(struct call *c, const struct account_info *a, struct err *err)
{
    char name[65];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(a->email, "@"), a->email);
    struct persona_new n = { .name = name,
                             .kind = PERSONA_SELF,
                             .consent_by = a->email,
                             .consent_to = "use on this server, by registering",
                             .consent_at = clock_now(),
                             .chunk_overlap = -1 };
    int rc = world_persona_new(c->world, a->id, &n, c->persona, err);
    return rc ? rc : account_default_persona(c->accounts, a->id, c->persona, err);
}

static int createuser(struct call *c, struct err *err)
{
    const char *email = email_of(c);
    struct account_info a = { 0 };
    int64_t id = 0;
    if (!c->server->o.registration)
        return refuse(c, 403, ERR_KEY,
                      "this server takes no registrations: ask whoever runs it for an account",
                      err);
    if (!email) return err_set(err, ERR_INVAL, "email: is missing");
    int rc = account_create(c->accounts, email, call_str(c, "password"), &id, err);
    if (rc) return rc;
    rc = account_info(c->accounts, id, &a, err);
    if (!rc) rc = first_persona(c, &a, err);
    if (!rc) rc = account_info(c->accounts, id, &a, err);
    if (rc) account_delete(c->accounts, id, NULL);
    else rc = reply(c, account_reply(&a), err);
    if (!rc) c->who.account = id; /* for the audit log */
    return rc;
}

/* ---- tokens ---- */

static bool is_form(const struct call *c) { return request_of(c)->texts; }

static json_t *tokens_reply(const struct account_tokens *t)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:s}", "access_token", t->access,
                     "refresh_token", t->refresh, "token_type", "bearer", "expires_in",
                     t->expires_in, "refresh_expires_in", t->refresh_expires_in, "access",
                     t->access, "refresh", t->refresh);
}

/* RFC 6749, 5.2: what a client library of OAuth 2.0 reads. Errors of our own side keep our form. */
static int oauth_error(struct call *c, int rc, const char *word, struct err *err)
{
    char seconds[16];
    c->status = rc == ERR_LIMIT ? 429 : 400;
    if (rc == ERR_LIMIT) {
        snprintf(seconds, sizeof seconds, "%d", c->retry_after > 0 ? c->retry_after : 1);
        call_reply_header(c, "Retry-After", arena_strdup(c->mem, seconds));
    }
    c->out = json_pack("{s:s, s:s}", "error", word, "error_description", err->msg);
    return c->out ? 0 : err_nomem(err);
}

static int give_tokens(struct call *c, int rc, struct account_tokens *t, struct err *err)
{
    if (!rc) {
        c->who.account = t->account;
        rc = reply(c, tokens_reply(t), err);
        call_reply_header(c, "Pragma", "no-cache");
    } else if (is_form(c)) {
        if (rc == ERR_KEY) rc = oauth_error(c, rc, "invalid_grant", err);
        else if (rc == ERR_INVAL) rc = oauth_error(c, rc, "invalid_request", err);
        else if (rc == ERR_LIMIT) rc = oauth_error(c, rc, "temporarily_unavailable", err);
    }
    account_tokens_clear(t);
    return rc;
}

static int by_refresh(struct call *c, struct err *err)
{
    struct account_tokens t = { 0 };
    const char *token = call_str(c, "refresh_token");
    if (!token) token = call_str(c, "refresh");
    int rc = token ? account_refresh(c->accounts, token, &t, err)
                   : err_set(err, ERR_INVAL, "refresh_token: is missing");
    return give_tokens(c, rc, &t, err);
}

static int token(struct call *c, struct err *err)
{
    struct account_tokens t = { 0 };
    const char *grant = call_str(c, "grant_type"), *email = email_of(c);
    const char *password = call_str(c, "password");
    int rc;
    if (grant && !strcmp(grant, "refresh_token")) return by_refresh(c, err);
    if (grant && strcmp(grant, "password") != 0) {
        rc = err_set(err, ERR_INVAL, "grant_type: should be password or refresh_token");
        return is_form(c) ? oauth_error(c, rc, "unsupported_grant_type", err) : rc;
    }
    if (!email || !password)
        rc = err_set(err, ERR_INVAL, "%s: is missing",
                     email        ? "password"
                     : is_form(c) ? "username"
                                  : "email");
    else
        rc = account_login(c->accounts, email, password, call_header(c, "User-Agent"), c->address,
                           &t, &c->retry_after, err);
    return give_tokens(c, rc, &t, err);
}

static int logout(struct call *c, struct err *err)
{
    int rc = account_logout(c->accounts, c->who.account, c->who.session, err);
    return rc == ERR_NOTFOUND ? 0 : rc; /* it was ended in the same moment */
}

/* ---- me ---- */

static int me(struct call *c, struct err *err)
{
    struct account_info a;
    int rc = account_info(c->accounts, c->who.account, &a, err);
    return rc ? rc : reply(c, account_reply(&a), err);
}

static int password(struct call *c, struct err *err)
{
    int rc = account_password(c->accounts, c->who.account, call_str(c, "password"),
                              call_str(c, "new_password"), c->who.session, err);
    if (rc == ERR_KEY) c->status = 403;
    return rc;
}

static int keep_owned(void *ud, const struct row_grant *r)
{
    if (r->level == LEVEL_OWNER) buf_add(ud, r->persona, VAULT_UID);
    return 0;
}

/* The jobs are the machine's: those of the account go with it. */
static int forget_owned(struct call *c, int *n, struct err *err)
{
    struct buf owned = BUF_INIT(0);
    struct service *sv = c->world->service;
    int rc = service_grant_each(sv, NULL, c->who.account, keep_owned, &owned, err);
    if (!rc && owned.failed) rc = err_nomem(err);
    for (size_t i = 0; !rc && i < owned.n; i += VAULT_UID) {
        int64_t job;
        rc = jobs_submit(c->world->jobs,
                         &(struct job_ask){ .kind = "forget",
                                            .persona = (const uint8_t *)owned.p + i,
                                            .once = true },
                         &job, err);
        if (!rc) ++*n;
    }
    buf_free(&owned);
    return rc;
}

static int leave(struct call *c, struct err *err)
{
    int n = 0;
    int rc =
        account_check(c->accounts, c->who.account, call_str(c, "password"), &c->retry_after, err);
    if (rc == ERR_KEY) c->status = 403;
    if (!rc) rc = forget_owned(c, &n, err);
    if (!rc) rc = account_delete(c->accounts, c->who.account, err);
    return rc ? rc : reply(c, json_pack("{s:b, s:i}", "deleted", 1, "personas", n), err);
}

/* ---- sessions ---- */

struct list {
    const struct call *c;
    json_t *items;
};

static int add_session(void *ud, const struct account_session *s)
{
    const struct list *l = ud;
    if (s->revoked || s->expires_at <= service_now(l->c->world->service)) return 0;
    return json_array_append_new(
        l->items,
        json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:b}", "id", (json_int_t)s->id, "client",
                  s->client, "address", s->address, "created_at", json_time(s->created_at),
                  "seen_at", json_time(s->seen_at), "expires_at", json_time(s->expires_at),
                  "current", s->id == l->c->who.session));
}

static int give_list(struct call *c, const char *name, struct list *l, int rc, struct err *err)
{
    if (!rc) return reply(c, json_pack("{s:o}", name, l->items), err);
    json_decref(l->items);
    return rc;
}

static int sessions(struct call *c, struct err *err)
{
    struct list l = { c, json_array() };
    int rc = account_sessions(c->accounts, c->who.account, add_session, &l, err);
    return give_list(c, "sessions", &l, rc, err);
}

static int session_end(struct call *c, struct err *err)
{
    return account_logout(c->accounts, c->who.account, c->id, err);
}

/* ---- keys ---- */

static json_t *uids_json(const uint8_t (*only)[VAULT_UID], size_t n)
{
    char hex[33];
    json_t *list = n ? json_array() : json_null();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_string(uid_hex(only[i], hex)));
    return list;
}

static int add_key(void *ud, const struct account_key *k)
{
    const struct list *l = ud;
    if (k->revoked) return 0;
    return json_array_append_new(
        l->items,
        json_pack("{s:I, s:s, s:s, s:o, s:o, s:o}", "id", (json_int_t)k->id, "label", k->label,
                  "begins", k->begins, "personas", uids_json(k->only, k->n_only), "created_at",
                  json_time(k->created_at), "used_at", json_time(k->used_at)));
}

static int keys(struct call *c, struct err *err)
{
    struct list l = { c, json_array() };
    int rc = account_keys(c->accounts, c->who.account, add_key, &l, err);
    return give_list(c, "keys", &l, rc, err);
}

static int key_new(struct call *c, struct err *err)
{
    uint8_t only[8][VAULT_UID];
    const json_t *list = call_json(c, "personas");
    size_t n = json_array_size(list);
    char key[64] = "";
    int64_t id = 0;
    if (json_is_array(list) && !n)
        return err_set(err, ERR_INVAL, "personas: is empty; leave it out for all personas");
    if (n > 8) return err_set(err, ERR_INVAL, "personas: at most 8, or none for all");
    for (size_t i = 0; i < n; i++)
        if (!uid_parse(json_string_value(json_array_get(list, i)), only[i]))
            return err_set(err, ERR_INVAL, "personas: should be ids of 32 hexadecimal digits");
    int rc = account_key_new(c->accounts, c->who.account, call_str(c, "label"),
                             (const uint8_t(*)[VAULT_UID])only, n, key, &id, err);
    if (!rc)
        rc = reply(c,
                   json_pack("{s:I, s:s, s:o}", "id", (json_int_t)id, "key", key, "personas",
                             uids_json((const uint8_t(*)[VAULT_UID])only, n)),
                   err);
    sodium_memzero(key, sizeof key);
    return rc;
}

static int key_revoke(struct call *c, struct err *err)
{
    return account_key_revoke(c->accounts, c->who.account, c->id, err);
}

/* ---- the table ---- */

#define TEXT(name, flags, min, max, help)                                                          \
    {                                                                                              \
        name, FIELD_TEXT, flags, min, max, help, NULL, NULL                                        \
    }
#define TIME(name, flags, help)                                                                    \
    {                                                                                              \
        name, FIELD_TIME, FIELD_REQUIRED | (flags), 0, 0, help, NULL, NULL                         \
    }
#define ID(help)                                                                                   \
    {                                                                                              \
        "id", FIELD_INT, FIELD_REQUIRED, 1, 9e15, help, NULL, NULL                                 \
    }
#define PASSWORD TEXT("password", FIELD_REQUIRED, 1, 4096, "your password")

static const struct field NEW[] = {
    TEXT("email", 0, 1, 1024, "address of mail"),
    TEXT("username", 0, 1, 1024, "the same, for clients that call it so"),
    TEXT("password", FIELD_REQUIRED, 1, 4096, "at least 8 bytes, and none of the commonest"),
    FIELD_END,
};
static const struct field ACCOUNT[] = {
    ID("of the account"),
    TEXT("email", FIELD_REQUIRED, 0, 0, "address of mail"),
    { "persona", FIELD_UID, FIELD_REQUIRED | FIELD_NULL, 0, 0,
      "the account's own persona, which routes without an id are about", NULL, NULL },
    TIME("created_at", 0, "when it was made"),
    FIELD_END,
};
static const struct field LOGIN[] = {
    TEXT("email", 0, 0, 1024, "address of mail"),
    TEXT("username", 0, 0, 1024, "the same, as OAuth 2.0 calls it"),
    TEXT("password", 0, 0, 4096, "the password"),
    TEXT("grant_type", 0, 0, 100, "password (also when left out) or refresh_token"),
    TEXT("refresh_token", 0, 0, 4096, "with grant_type refresh_token"),
    FIELD_END,
};
static const struct field REFRESH[] = {
    TEXT("refresh_token", 0, 0, 4096, "the refresh token; it is used up"),
    TEXT("refresh", 0, 0, 4096, "the same, for clients that call it so"),
    FIELD_END,
};
static const struct field TOKENS[] = {
    TEXT("access_token", FIELD_REQUIRED, 0, 0, "send it as Authorization: Bearer TOKEN"),
    TEXT("refresh_token", FIELD_REQUIRED, 0, 0, "good once, for the next pair"),
    { "token_type", FIELD_WORD, FIELD_REQUIRED, 0, 0, "bearer", NULL, "bearer" },
    { "expires_in", FIELD_INT, FIELD_REQUIRED, 0, 0, "seconds, of the access token", NULL, NULL },
    { "refresh_expires_in", FIELD_INT, FIELD_REQUIRED, 0, 0, "seconds, of the refresh token", NULL,
      NULL },
    TEXT("access", FIELD_REQUIRED, 0, 0, "the access token again, by an older name"),
    TEXT("refresh", FIELD_REQUIRED, 0, 0, "the refresh token again"),
    FIELD_END,
};
static const struct field SURE[] = { PASSWORD, FIELD_END };
static const struct field LEFT[] = {
    { "deleted", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "true", NULL, NULL },
    { "personas", FIELD_INT, FIELD_REQUIRED, 0, 0, "how many are being forgotten", NULL, NULL },
    FIELD_END,
};
static const struct field CHANGE[] = {
    PASSWORD,
    TEXT("new_password", FIELD_REQUIRED, 1, 4096, "at least 8 bytes, and none of the commonest"),
    FIELD_END,
};
static const struct field SESSION[] = {
    ID("of the session"),
    TEXT("client", FIELD_REQUIRED, 0, 0, "what the client called itself"),
    TEXT("address", FIELD_REQUIRED, 0, 0, "where the login came from"),
    TIME("created_at", 0, "the login"),
    TIME("seen_at", 0, "the last use, to a minute"),
    TIME("expires_at", 0, "unless it is refreshed"),
    { "current", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "is this request of it?", NULL, NULL },
    FIELD_END,
};
static const struct field A_SESSION[] = { { "", FIELD_OBJECT, 0, 0, 0, "a session", SESSION, NULL },
                                          FIELD_END };
static const struct field SESSIONS[] = {
    { "sessions", FIELD_LIST, FIELD_REQUIRED, 0, 0, "newest first", A_SESSION, NULL }, FIELD_END
};
static const struct field A_PERSONA[] = { { "", FIELD_UID, 0, 0, 0, "a persona", NULL, NULL },
                                          FIELD_END };
#define ONLY(flags, help)                                                                          \
    {                                                                                              \
        "personas", FIELD_LIST, (flags) | FIELD_NULL, 0, 0, help, A_PERSONA, NULL                  \
    }
static const struct field KEY[] = {
    ID("of the key"),
    TEXT("label", FIELD_REQUIRED, 0, 0, "what it is for"),
    TEXT("begins", FIELD_REQUIRED, 0, 0, "its first characters"),
    ONLY(FIELD_REQUIRED, "those it may use; null: all"),
    TIME("created_at", 0, "when it was made"),
    TIME("used_at", FIELD_NULL, "the last use, to a minute"),
    FIELD_END,
};
static const struct field A_KEY[] = { { "", FIELD_OBJECT, 0, 0, 0, "a key", KEY, NULL },
                                      FIELD_END };
static const struct field KEYS[] = {
    { "keys", FIELD_LIST, FIELD_REQUIRED, 0, 0, "oldest first", A_KEY, NULL }, FIELD_END
};
static const struct field KEY_NEW[] = {
    TEXT("label", FIELD_REQUIRED, 1, 200, "what it is for"),
    ONLY(0, "those it may use, at most 8; left out: all"),
    FIELD_END,
};
static const struct field KEY_MADE[] = {
    ID("of the key"),
    TEXT("key", FIELD_REQUIRED, 0, 0, "the key itself: shown now and never again"),
    ONLY(FIELD_REQUIRED, "those it may use; null: all"),
    FIELD_END,
};

const struct route routes_account[] = {
    { "POST", "/api/createuser", ACCESS_ANYONE,
      ROUTE_FORM | ROUTE_LOGIN | ROUTE_LOOSE | ROUTE_AUDIT, 16384, .body = NEW, .reply = ACCOUNT,
      .status = 201, .run = createuser, .name = "account.create", .summary = "Register",
      .about = "Makes an account and a persona of yourself, with consent given by registering. "
               "Status 403 where the server takes no registrations." },
    { "POST", "/api/token", ACCESS_ANYONE, ROUTE_FORM | ROUTE_LOGIN | ROUTE_LOOSE, 16384,
      .body = LOGIN, .reply = TOKENS, .status = 200, .run = token, .name = "account.token",
      .summary = "Log in",
      .about = "JSON with `email` and `password`, or a form as in OAuth 2.0's password grant, with "
               "errors as RFC 6749 has them." },
    { "POST", "/api/token/refresh", ACCESS_ANYONE, ROUTE_FORM | ROUTE_LOOSE, 16384, .body = REFRESH,
      .reply = TOKENS, .status = 200, .run = by_refresh, .name = "account.refresh",
      .summary = "Exchange a refresh token for the next pair",
      .about = "A refresh token is good once. When one is shown again, its session is ended." },
    { "POST", "/api/logout", ACCESS_ACCOUNT, ROUTE_FORM | ROUTE_LOOSE, 16384, .body = REFRESH,
      .status = 204, .run = logout, .name = "account.logout", .summary = "End this session" },
    { "GET", "/api/me", ACCESS_ACCOUNT, ROUTE_KEYS, .reply = ACCOUNT, .status = 200, .run = me,
      .name = "account.me", .summary = "Whose token this is" },
    { "DELETE", "/api/me", ACCESS_ACCOUNT, ROUTE_LOGIN | ROUTE_AUDIT, 16384, .body = SURE,
      .reply = LEFT, .status = 200, .run = leave, .name = "account.delete",
      .summary = "Delete the account and forget its personas",
      .about = "Keys of its personas are destroyed by jobs that begin at once. Status 403 when the "
               "password is wrong." },
    { "POST", "/api/me/password", ACCESS_ACCOUNT, ROUTE_LOGIN | ROUTE_AUDIT, 16384, .body = CHANGE,
      .status = 204, .run = password, .name = "account.password", .summary = "Change the password",
      .about = "Ends all other sessions and revokes all keys. Status 403 when the old password is "
               "wrong." },
    { "GET", "/api/sessions", ACCESS_ACCOUNT, 0, .reply = SESSIONS, .status = 200, .run = sessions,
      .name = "account.sessions", .summary = "Where you are logged in" },
    { "DELETE", "/api/sessions/{id}", ACCESS_ACCOUNT, ROUTE_AUDIT, .status = 204,
      .run = session_end, .name = "account.session_end", .summary = "End a session" },
    { "GET", "/api/keys", ACCESS_ACCOUNT, 0, .reply = KEYS, .status = 200, .run = keys,
      .name = "account.keys", .summary = "Keys of programs" },
    { "POST", "/api/keys", ACCESS_ACCOUNT, ROUTE_AUDIT, 16384, .body = KEY_NEW, .reply = KEY_MADE,
      .status = 201, .run = key_new, .name = "account.key_new", .summary = "A key for a program",
      .about = "For clients of /v1 and others that cannot log in. It is shown once." },
    { "DELETE", "/api/keys/{id}", ACCESS_ACCOUNT, ROUTE_AUDIT, .status = 204, .run = key_revoke,
      .name = "account.key_revoke", .summary = "Revoke a key" },
    ROUTE_END
};
