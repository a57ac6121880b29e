/* A call: what a handler sees of a request, and the part of a request's life that may wait: who is
 * it and what may they do, the checks of body and query, the handler, the audit log.
 *
 * Rights come from the route's `access` and nowhere else, before anything of the body is looked at.
 * A persona that somebody has no right to answers as one that does not exist: the same status, the
 * same words, and the same reading of the same table before it.
 *
 * The audit log has what was read or changed, by whom. A change (not GET, and more than asking or
 * reading a persona) is in the log before it is acknowledged; if it cannot be written there, the
 * client hears of an error although the change was made, which is the safe side of the two. */
#include "base/clock.h"
#include "base/str.h"
#include "http/inside.h"
#include "jobs/jobs.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* ---- what handlers use ---- */
json_t *call_json(const struct call *c, const char *name)
{
    json_t *v = json_object_get(c->body, name);
    if (!v) v = json_object_get(c->query, name);
    return json_is_null(v) ? NULL : v;
}

const char *call_str(const struct call *c, const char *name)
{
    return json_string_value(call_json(c, name));
}

int64_t call_int(const struct call *c, const char *name, int64_t dflt)
{
    const json_t *v = call_json(c, name);
    return json_is_integer(v) ? json_integer_value(v) : dflt;
}

double call_num(const struct call *c, const char *name, double dflt)
{
    const json_t *v = call_json(c, name);
    return json_is_number(v) ? json_number_value(v) : dflt;
}

bool call_bool(const struct call *c, const char *name, bool dflt)
{
    const json_t *v = call_json(c, name);
    return json_is_boolean(v) ? json_is_true(v) : dflt;
}

int64_t call_time(const struct call *c, const char *name)
{
    int64_t t;
    const json_t *v = call_json(c, name);
    struct span s = { json_string_value(v), json_string_length(v) };
    return s.p && clock_parse_iso(s, &t) ? t : CLOCK_NONE;
}

const char *call_header(const struct call *c, const char *name)
{
    const struct request *q = request_of(c);
    for (size_t i = 0; q && i < q->n_headers; i++)
        if (!strcasecmp(q->headers[i][0], name)) return q->headers[i][1];
    return NULL;
}

void call_reply_header(struct call *c, const char *name, const char *value)
{
    if (c->n_headers >= sizeof c->header / sizeof *c->header) return;
    c->header[c->n_headers].name = name;
    c->header[c->n_headers++].value = value;
}

int call_accepted(struct call *c, int64_t job, struct err *err)
{
    char *where = arena_printf(c->mem, "/api/jobs/%lld", (long long)job);
    if (!where) return err_nomem(err);
    c->out = json_pack("{s:{s:I,s:s}}", "job", "id", (json_int_t)job, "state", "waiting");
    if (!c->out) return err_nomem(err);
    call_reply_header(c, "Location", where);
    c->status = 202;
    return 0;
}

char *uid_hex(const uint8_t uid[VAULT_UID], char out[33])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < VAULT_UID; i++) {
        out[2 * i] = digits[uid[i] >> 4];
        out[2 * i + 1] = digits[uid[i] & 15];
    }
    out[2 * VAULT_UID] = 0;
    return out;
}

bool uid_parse(const char *hex, uint8_t uid[VAULT_UID])
{
    for (int i = 0; i < 2 * VAULT_UID; i++) {
        int c = (unsigned char)hex[i];
        int v = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (v < 0) return false;
        uid[i / 2] = (uint8_t)(i % 2 ? uid[i / 2] | v : v << 4);
    }
    return !hex[2 * VAULT_UID];
}

bool call_gone(struct call *c)
{
    struct request *q = request_of(c);
    if (!q) return false;
    if (c->socket) return socket_gone(c->socket); /* a message: it has no connection of its own */
    if (atomic_load(&q->over) || atomic_load(&q->server->closing)) return true;
    return !atomic_load(&q->answered) && link_gone(q->link);
}

/* ---- bodies of ordinary size ---- */
static int none_begin(struct request *q, struct err *err)
{
    if (q->length <= HTTP_SWALLOW || q->length == UINT64_MAX) return 0;
    q->call.status = 413;
    return err_set(err, ERR_LIMIT, "this route takes no body");
}

static int none_take(struct request *q, const char *p, size_t n, struct err *err)
{
    if (q->taken + n <= HTTP_SWALLOW) return 0;
    q->call.status = 413;
    return err_set(err, ERR_LIMIT, "this route takes no body");
}

static int none_end(struct request *q, struct err *err) { return 0; }
static void none_drop(struct request *q) {}
const struct sink sink_none = { none_begin, none_take, none_end, none_drop, NULL };

static size_t body_max(const struct request *q)
{
    return q->call.route->body_max ? q->call.route->body_max : HTTP_BODY;
}

static int too_large(struct request *q, struct err *err)
{
    q->call.status = 413;
    return err_set(err, ERR_LIMIT, "the body is too large: at most %zu bytes are taken here",
                   body_max(q));
}

/* Is the media type `want`, or does it end so; with no charset but UTF-8? */
static bool media_is(const char *type, const char *want, const char *ending)
{
    size_t n = strcspn(type, "; \t"), m = strlen(want), e = ending ? strlen(ending) : 0;
    const char *set = strcasestr(type, "charset=");
    if (set) {
        set += 8 + (set[8] == '"');
        if (strncasecmp(set, "utf-8", 5) && strncasecmp(set, "utf8", 4)) return false;
    }
    if (n == m && !strncasecmp(type, want, n)) return true;
    return e && n > e && !strncasecmp(type + n - e, ending, e);
}

static int plain_begin(struct request *q, struct err *err)
{
    const char *type = call_header(&q->call, "Content-Type");
    bool form = q->call.route->flags & ROUTE_FORM;
    const char *packed = call_header(&q->call, "Content-Encoding");
    q->body.max = body_max(q);
    if (packed && strcasecmp(packed, "identity")) {
        q->call.status = 415;
        return err_set(err, ERR_INVAL, "packed bodies (Content-Encoding) are not taken");
    }
    if (type && form && media_is(type, "application/x-www-form-urlencoded", NULL)) q->texts = true;
    else if (type && !media_is(type, "application/json", "+json")) {
        q->call.status = 415;
        return err_set(err, ERR_INVAL,
                       "the body should be JSON in UTF-8 (Content-Type: application/json)%s",
                       form ? ", or a form (application/x-www-form-urlencoded)" : "");
    }
    return q->length != UINT64_MAX && q->length > q->body.max ? too_large(q, err) : 0;
}

static int plain_take(struct request *q, const char *p, size_t n, struct err *err)
{
    int rc = buf_add(&q->body, p, n);
    return rc == ERR_LIMIT ? too_large(q, err) : rc ? err_nomem(err) : 0;
}

static int plain_end(struct request *q, struct err *err)
{
    const char *p = buf_str(&q->body);
    int rc = q->texts ? form_read(p, q->body.n, &q->call.body, err)
                      : json_read(p, q->body.n, &q->call.body, err);
    buf_free(&q->body);
    return rc;
}

static void plain_drop(struct request *q) { buf_free(&q->body); }
const struct sink sink_plain = { plain_begin, plain_take, plain_end, plain_drop, NULL };

/* ---- who is it, and may they ---- */
static enum level level_for(enum access a)
{
    switch (a) {
    case ACCESS_CHAT: return LEVEL_CHAT;
    case ACCESS_READ: return LEVEL_READ;
    case ACCESS_MANAGE: return LEVEL_MANAGE;
    case ACCESS_OWNER: return LEVEL_OWNER;
    default: return LEVEL_NONE;
    }
}

static int admit_persona(struct call *c, bool named, struct err *err)
{
    enum level want = level_for(c->route->access);
    if (!named) return 0;
    int rc = account_may(c->accounts, &c->who, c->persona, &c->level, err);
    if (rc || want == LEVEL_NONE) return rc;
    if (c->level == LEVEL_NONE) return err_set(err, ERR_NOTFOUND, "there is no such persona");
    if (c->level >= want) return 0;
    c->status = 403;
    return err_set(err, ERR_KEY, "this takes the right to %s the persona; yours is to %s it",
                   want == LEVEL_OWNER ? "own" : level_word(want), level_word(c->level));
}

int call_admit(struct call *c, const char *token, struct err *err)
{
    const struct route *r = c->route;
    if (r->access == ACCESS_ANYONE) return 0;
    if (!token)
        return err_set(err, ERR_KEY,
                       "this needs an access token: send Authorization: Bearer TOKEN");
    int rc = account_bearer(c->accounts, token, &c->who, err);
    if (rc) return rc;
    if (c->who.key && !(r->flags & ROUTE_KEYS)) {
        c->status = 403;
        return err_set(err, ERR_KEY, "a program's key does not reach this: log in");
    }
    if (!(r->flags & ROUTE_UNLIMITED)) {
        c->retry_after = limit_account(c->server->limits, c->who.account);
        if (c->retry_after)
            return err_set(err, ERR_LIMIT, "too many requests: wait %d s", c->retry_after);
    }
    return admit_persona(c, strstr(r->path, "{persona}") != NULL, err);
}

/* ---- the handler ---- */
int call_audit(struct call *c, int status, struct err *err)
{
    const struct route *r = c->route;
    struct row_audit a = { .at = clock_now(), .account = c->who.account, .status = status };
    if (!(r->flags & ROUTE_AUDIT) || !c->world || !c->world->service) return 0;
    bool change = strcmp(r->method, "GET") && !(r->flags & ROUTE_ASK) && r->access != ACCESS_CHAT &&
                  r->access != ACCESS_READ;
    memcpy(a.persona, c->persona, VAULT_UID);
    snprintf(a.action, sizeof a.action, "%s", r->name);
    json_t *j = json_pack("{s:s,s:s}", "request", c->request_id, "address", c->address);
    char *body = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (!body) return err_nomem(err);
    a.body = body;
    a.body_n = strlen(body);
    int rc = service_audit_put(c->world->service, &a, change && status < 400, err);
    free(body);
    return rc;
}

static int check_body(struct call *c, struct err *err)
{
    const struct route *r = c->route;
    if (!r->body) {
        json_decref(c->body);
        c->body = NULL;
        return 0;
    }
    if (!c->body && !(c->body = json_object())) return err_nomem(err);
    return fields_check(r->body, c->body, request_of(c)->texts, r->flags & ROUTE_LOOSE, err);
}

int call_perform(struct call *c, struct err *err)
{
    struct err second = { 0 };
    int rc = check_body(c, err);
    if (!rc) rc = c->route->run(c, err);
    if (!rc) rc = veil_reply(c, err);
    int status = rc ? (c->status >= 400 ? c->status : status_of(rc))
                    : (c->status ? c->status : c->route->status);
    c->status = status;
    int rc2 = call_audit(c, status, &second);
    if (!rc && rc2) {
        *err = second;
        rc = rc2;
        c->status = status_of(rc2);
    }
    return rc;
}
