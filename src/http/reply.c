/* Replies: JSON as bytes, errors in both forms, the headers that each reply carries.
 *
 * What an error says to a client is for the client: bad input, no right, too many. What went wrong
 * in here (a disk, memory, a sealed row that does not open) is told in general, with the request's
 * id; the sentence itself, which may name files of the machine, goes to the log.
 *
 * No reply may be read as something else than it is, framed, or kept by a cache (OWASP, HTTP
 * Headers Cheat Sheet). Other origins read replies only when they are configured; there are no
 * cookies, so a page of another origin has nothing to send that it does not know itself. */
#include "base/str.h"
#include "http/inside.h"

#include <string.h>

static const struct {
    int code, status;
} statuses[] = {
    { ERR_INVAL, 400 },    { ERR_PARSE, 400 },  { ERR_KEY, 401 },   { ERR_CONSENT, 403 },
    { ERR_NOTFOUND, 404 }, { ERR_EXISTS, 409 }, { ERR_LIMIT, 429 }, { ERR_CANCEL, 499 },
    { ERR_BUSY, 503 },     { ERR_NOMEM, 503 },  { ERR_FULL, 507 },  { ERR_AWAY, 502 },
};

int status_of(int code)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].code == code) return statuses[i].status;
    return 500;
}

static const char *public_words(int code, const char *msg)
{
    switch (code) {
    case ERR_NOMEM: return "the server has no memory left for this: try again later";
    case ERR_FULL: return "the server's disk is full: nothing was changed; reading still works";
    case ERR_IO:
    case ERR_SEAL:
    case ERR_VERSION:
    case ERR_INTERNAL: return "something went wrong in the server: its log has more";
    default: return msg[0] ? msg : err_text(code);
    }
}

/* OpenAI's clients raise exceptions by status; type and code are read by people. */
static const char *openai_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

json_t *error_json(const struct route *r, int status, const struct err *err)
{
    const char *words = public_words(err->code, err->msg), *name = err_name(err->code);
    if (r && r->flags & ROUTE_OPENAI)
        return json_pack("{s:{s:s,s:s,s:n,s:s}}", "error", "message", words, "type",
                         openai_type(status), "param", "code", name);
    return json_pack("{s:{s:s,s:s}}", "error", "code", name, "message", words);
}

static int dump(const char *p, size_t n, void *ud) { return buf_add(ud, p, n) ? -1 : 0; }

int json_into(struct buf *out, const json_t *j, struct err *err)
{
    int flags = JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY;
    if (!json_dump_callback(j, dump, out, flags)) return 0;
    return out->failed == ERR_NOMEM ? err_nomem(err)
                                    : err_set(err, ERR_INTERNAL, "a reply could not be written");
}

bool origin_allowed(const char *origins, const char *origin)
{
    size_t n = strlen(origin);
    for (const char *o = origins; o && *o;) {
        size_t len = strcspn(o, " ");
        if (len == n && !strncasecmp(o, origin, n)) return true;
        o += len;
        o += strspn(o, " ");
    }
    return false;
}

static void cors(struct request *q, struct MHD_Response *r)
{
    const char *origin = call_header(&q->call, "Origin");
    if (!q->server->o.origins) return;
    MHD_add_response_header(r, "Vary", "Origin");
    if (!origin || !origin_allowed(q->server->o.origins, origin)) return;
    MHD_add_response_header(r, "Access-Control-Allow-Origin", origin);
    MHD_add_response_header(r, "Access-Control-Expose-Headers",
                            "Location, Retry-After, Content-Disposition, X-Request-Id");
}

void safe_headers(struct MHD_Response *r, const char *type)
{
    if (type) MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(r, "Content-Security-Policy",
                            "default-src 'none'; frame-ancestors 'none'");
}

void reply_headers(struct request *q, struct MHD_Response *r, const char *type)
{
    struct call *c = &q->call;
    safe_headers(r, type);
    cors(q, r);
    MHD_add_response_header(r, "X-Request-Id", c->request_id);
    for (size_t i = 0; i < c->n_headers; i++)
        MHD_add_response_header(r, c->header[i].name, c->header[i].value);
}

int call_location(struct call *c, struct err *err, const char *fmt, ...)
{
    char where[400];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(where, sizeof where, fmt, ap);
    va_end(ap);
    char *kept = n < (int)sizeof where ? arena_strdup(c->mem, where) : NULL;
    if (!kept) return err_nomem(err);
    call_reply_header(c, "Location", kept);
    return 0;
}

/* What a page of an allowed origin wants to send may be sent: clients have headers of their own
 * (X-Stainless-..., of the openai packages), and none but those we know is looked at. */
static const char *headers_wanted(struct request *q)
{
    const char *h = call_header(&q->call, "Access-Control-Request-Headers");
    size_t n =
        h ? strspn(h, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ") : 0;
    return n && !h[n] && n <= 1000 ? h : "Authorization, Content-Type, X-Request-Id";
}

struct MHD_Response *reply_preflight(struct request *q, const char *allow)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (!r) return NULL;
    reply_headers(q, r, NULL);
    MHD_add_response_header(r, "Allow", allow);
    if (MHD_get_response_header(r, "Access-Control-Allow-Origin")) {
        MHD_add_response_header(r, "Access-Control-Allow-Methods", allow);
        MHD_add_response_header(r, "Access-Control-Allow-Headers", headers_wanted(q));
        MHD_add_response_header(r, "Access-Control-Max-Age", "600");
    }
    return r;
}

/* ---- a file, as it is read ---- */

/* "bytes=100-", "bytes=0-99", "bytes=-50": one range (RFC 9110, section 14). 1: it is [*from, *to);
 * 0: all of it is to be sent; -1: there is no such part. */
static int range_of(const char *s, uint64_t size, uint64_t *from, uint64_t *to)
{
    int64_t a = -1, b = -1;
    *from = 0;
    *to = size;
    if (!s || !str_starts(s, "bytes=")) return 0;
    s += 6;
    const char *dash = strchr(s, '-');
    size_t head = dash ? (size_t)(dash - s) : 0;
    if (!dash || strspn(s, "0123456789") != head || dash[1 + strspn(dash + 1, "0123456789")])
        return 0;
    bool first = head > 0, last = dash[1] != 0;
    if ((first && !str_i64((struct span){ s, head }, &a)) ||
        (last && !str_i64(span_of(dash + 1), &b)) || (!first && !last))
        return 0;
    if (first && last && b < a) return 0;
    if (!first) a = (uint64_t)b < size ? (int64_t)(size - (uint64_t)b) : 0;
    if ((uint64_t)a >= size) return -1;
    *from = (uint64_t)a;
    if (first && last && (uint64_t)b < size) *to = (uint64_t)b + 1;
    return 1;
}

/* The part that is asked for, if the file is still the one it was asked of. */
static int file_part(struct request *q, uint64_t *from, uint64_t *to, struct MHD_Response **r)
{
    struct call *c = &q->call;
    const char *if_range = call_header(c, "If-Range");
    bool same = !if_range || (c->file.tag && !strcmp(if_range, c->file.tag));
    int part = range_of(same ? call_header(c, "Range") : NULL, c->file.n, from, to);
    if (part > 0 && fseeko(c->file.f, (off_t)*from, SEEK_SET)) part = 0;
    if (part > 0) c->status = MHD_HTTP_PARTIAL_CONTENT;
    if (part >= 0) return part;
    c->status = MHD_HTTP_RANGE_NOT_SATISFIABLE;
    *r = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    return part;
}

struct file_reply {
    FILE *f;
    struct request *q;
};

static ssize_t file_read(void *ud, uint64_t at, char *p, size_t max)
{
    struct file_reply *fr = ud;
    size_t n = fread(p, 1, max, fr->f);
    (void)at;
    atomic_fetch_add(&fr->q->written, n);
    return n ? (ssize_t)n : MHD_CONTENT_READER_END_WITH_ERROR; /* shorter than was said */
}

static void file_over(void *ud)
{
    struct file_reply *fr = ud;
    fclose(fr->f);
    request_drop(fr->q);
    free(fr);
}

static void part_headers(struct request *q, struct MHD_Response *r, int part, uint64_t from,
                         uint64_t to)
{
    char range[80];
    const struct call *c = &q->call;
    unsigned long long size = c->file.n;
    MHD_add_response_header(r, "Accept-Ranges", "bytes");
    if (c->file.tag) MHD_add_response_header(r, "ETag", c->file.tag);
    if (part < 0) snprintf(range, sizeof range, "bytes */%llu", size);
    else
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)from,
                 (unsigned long long)to - 1, size);
    if (part) MHD_add_response_header(r, "Content-Range", range);
}

static struct MHD_Response *file_response(struct request *q)
{
    uint64_t from, to;
    struct MHD_Response *r = NULL;
    int part = file_part(q, &from, &to, &r);
    struct file_reply *fr = part < 0 ? NULL : malloc(sizeof *fr);
    if (fr) {
        *fr = (struct file_reply){ q->call.file.f, q };
        r = MHD_create_response_from_callback(to - from, 65536, file_read, fr, file_over);
        if (!r) free(fr);
        else {
            request_hold(q);
            q->call.file.f = NULL; /* the reply's */
        }
    }
    if (r) part_headers(q, r, part, from, to);
    return r;
}

/* ---- the reply of a handler ---- */
static struct MHD_Response *json_response(struct request *q, const json_t *j)
{
    struct buf b = BUF_INIT(0);
    struct MHD_Response *r = NULL;
    if (!json_into(&b, j, NULL)) {
        size_t n = b.n;
        char *p = buf_take(&b);
        atomic_store(&q->written, n);
        r = p ? MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE) : NULL;
        if (p && !r) free(p);
    }
    buf_free(&b);
    return r;
}

struct MHD_Response *reply_error(struct request *q, unsigned status, const struct err *err)
{
    struct call *c = &q->call;
    json_t *j = error_json(c->route, (int)status, err);
    struct MHD_Response *r = j ? json_response(q, j) : NULL;
    char seconds[16];
    json_decref(j);
    if (!r) return NULL;
    if (status == 401) {
        MHD_add_response_header(r, "WWW-Authenticate",
                                call_header(c, "Authorization")
                                    ? "Bearer realm=\"likeness\", error=\"invalid_token\""
                                    : "Bearer realm=\"likeness\"");
    }
    if (status == 429 || status == 503) {
        snprintf(seconds, sizeof seconds, "%d", c->retry_after > 0 ? c->retry_after : 1);
        MHD_add_response_header(r, "Retry-After", seconds);
    }
    reply_headers(q, r, "application/json");
    return r;
}

struct MHD_Response *reply_make(struct request *q)
{
    struct call *c = &q->call;
    struct MHD_Response *r;
    const char *type = c->type;
    if (c->file.f) {
        r = file_response(q);
        if (!type) type = "application/octet-stream";
    } else if (c->out) {
        r = json_response(q, c->out);
        if (!type) type = "application/json";
    } else {
        atomic_store(&q->written, c->text.n);
        r = MHD_create_response_from_buffer(c->text.n, (void *)(uintptr_t)c->text.p,
                                            MHD_RESPMEM_MUST_COPY);
    }
    if (r) reply_headers(q, r, type);
    return r;
}
