/* The life of a request on the network's threads: libmicrohttpd's callbacks, and the two errands a
 * request sends to a worker. inside.h draws the way.
 *
 * libmicrohttpd calls on_request when the head of a request is here, with each piece of its body,
 * and when all of it is here. After a connection was suspended and resumed the call that was under
 * way is made again; `phase` says what it was. A reply may only be queued in the first or the last
 * of these calls. After the first one it closes the connection, because the body is still to come;
 * so a request that is refused reads a small body over and replies in the last call, and only what
 * is large or waits for "100 Continue" is refused at once.
 *
 * Framing is checked once more: libmicrohttpd prefers Transfer-Encoding where Content-Length stands
 * beside it, which is what RFC 9112 (section 6.3) allows, but two servers that disagree here are
 * how requests are smuggled. Both together, one of them twice, or an encoding other than chunked:
 * 400, and the connection ends.
 *
 * Pages that are asked all the time (health) take a way of their own: no request is made, nothing
 * is allocated, the reply is one made before. *con is then the link with the page's number in its
 * lowest bits. */
#include "base/clock.h"
#include "base/str.h"
#include "http/inside.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum phase { WHOLE, BODY, REFUSED, RUNNING, REPLYING };
enum { PAGE = 7 };
enum { BODY_RATE = 32768, SWALLOW_MOST = 16 << 20 };

void request_hold(struct request *q) { atomic_fetch_add(&q->refs, 1); }

void request_drop(struct request *q)
{
    if (atomic_fetch_sub(&q->refs, 1) != 1) return;
    struct server *s = q->server;
    struct call *c = &q->call;
    double seconds = clock_mono() - q->t0;
    metrics_count(s->metrics, q->index, q->status, seconds, atomic_load(&q->written));
    log_request(s->log, q, seconds);
    if (q->begun) q->sink->drop(q);
    struct MHD_Response *r = atomic_load(&q->response);
    if (r) MHD_destroy_response(r);
    if (c->file.f) fclose(c->file.f);
    json_decref(c->body);
    json_decref(c->query);
    json_decref(c->out);
    arena_free(c->mem);
    free(q);
    atomic_fetch_sub(&s->in_flight, 1);
}

/* ---- the head ---- */
struct head {
    struct request *q;
    const char *(*h)[2];
    size_t n, cap;
    int lengths, encodings, hosts, tokens;
    bool failed;
};

static enum MHD_Result take_header(void *ud, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct head *h = ud;
    struct arena *mem = h->q->call.mem;
    (void)kind;
    if (!value) value = "";
    if (!strcasecmp(key, "Content-Length")) h->lengths++;
    else if (!strcasecmp(key, "Transfer-Encoding")) h->encodings++;
    else if (!strcasecmp(key, "Host")) h->hosts++;
    else if (!strcasecmp(key, "Authorization")) h->tokens++;
    if (h->n < h->cap) {
        h->h[h->n][0] = arena_strdup(mem, key);
        h->h[h->n][1] = arena_strdup(mem, value);
        if (!h->h[h->n][0] || !h->h[h->n][1]) h->failed = true;
        else h->n++;
    }
    return MHD_YES;
}

struct args {
    json_t *doc;
    struct err *err;
    int rc;
};

static enum MHD_Result take_query(void *ud, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    struct args *q = ud;
    (void)kind;
    q->rc = form_add(q->doc, key ? key : "", key ? strlen(key) : 0, value,
                     value ? strlen(value) : 0, q->err);
    return q->rc ? MHD_NO : MHD_YES;
}

/* The request's own id, when it looks like one; else sixteen digits that were not there before. */
static void name_request(struct request *q)
{
    const char *given = call_header(&q->call, "X-Request-Id");
    size_t n = given ? strlen(given) : 0;
    uint64_t serial = atomic_fetch_add(&q->server->serial, 1);
    if (n >= 4 && n <= 16 &&
        strspn(given, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") == n)
        memcpy(q->call.request_id, given, n + 1);
    else
        snprintf(q->call.request_id, sizeof q->call.request_id, "%016llx",
                 (unsigned long long)hash64(&serial, sizeof serial, q->server->seed));
}

/* What the proxy next to us says: the last address of the last header. A copy: the connection may
 * be gone when the request is written to the log. */
static const char *client_address(struct request *q)
{
    const char *via = NULL;
    char text[INET6_ADDRSTRLEN];
    unsigned char ip[16];
    for (size_t i = 0; q->server->o.trust_proxy && i < q->n_headers; i++)
        if (!strcasecmp(q->headers[i][0], "X-Forwarded-For")) via = q->headers[i][1];
    if (!via) return arena_strdup(q->call.mem, link_address(q->link));
    const char *last = strrchr(via, ',');
    struct span s = span_trim(span_of(last ? last + 1 : via));
    snprintf(text, sizeof text, "%.*s", (int)s.n, s.p);
    if (inet_pton(AF_INET, text, ip) != 1 && inet_pton(AF_INET6, text, ip) != 1)
        return arena_strdup(q->call.mem, link_address(q->link));
    return arena_strdup(q->call.mem, text);
}

/* Is it one request, and where does it end? */
static int framing(struct request *q, const struct head *h, struct err *err)
{
    const char *te = call_header(&q->call, "Transfer-Encoding");
    const char *cl = call_header(&q->call, "Content-Length");
    if (h->lengths + h->encodings > 1)
        return err_set(err, ERR_INVAL,
                       "Content-Length and Transfer-Encoding do not go together, nor twice");
    if (h->hosts > 1 || h->tokens > 1)
        return err_set(err, ERR_INVAL, "Host or Authorization stands there twice");
    if (te && strcasecmp(te, "chunked"))
        return err_set(err, ERR_INVAL, "no Transfer-Encoding but chunked is taken");
    int64_t n = 0;
    if (cl && (!str_i64(span_of(cl), &n) || n < 0 || strspn(cl, "0123456789") != strlen(cl)))
        return err_set(err, ERR_INVAL, "Content-Length is no number");
    q->length = te ? UINT64_MAX : (uint64_t)n;
    q->has_body = q->length > 0;
    return 0;
}

static int read_head(struct request *q, struct MHD_Connection *mhd, struct err *err)
{
    struct head h = { .q = q };
    int most = MHD_get_connection_values(mhd, MHD_HEADER_KIND, NULL, NULL);
    h.cap = most > 0 ? (size_t)most : 0;
    h.h = arena_alloc(q->call.mem, h.cap * sizeof *h.h + 1);
    if (!h.h) return err_nomem(err);
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, take_header, &h);
    q->headers = h.h;
    q->n_headers = h.n;
    name_request(q);
    q->call.address = client_address(q);
    return h.failed || !q->call.address ? err_nomem(err) : framing(q, &h, err);
}

static struct request *request_new(struct server *s, struct link *link, struct MHD_Connection *mhd)
{
    struct request *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    struct call *c = &q->call;
    if (!(c->mem = arena_small(4096 - 64))) {
        free(q);
        return NULL;
    }
    c->internal = q;
    c->server = s;
    c->world = s->world;
    c->accounts = s->accounts;
    q->server = s;
    q->mhd = mhd;
    q->link = link;
    q->sink = &sink_none;
    q->t0 = q->t_body = clock_mono();
    q->index = SIZE_MAX;
    c->address = "";
    atomic_init(&q->refs, 1);
    atomic_fetch_add(&s->in_flight, 1);
    return q;
}

struct request *request_again(struct request *first)
{
    struct request *q = request_new(first->server, NULL, NULL);
    if (!q) return NULL;
    struct call *c = &q->call, *f = &first->call;
    c->route = f->route;
    c->who = f->who;
    memcpy(c->persona, f->persona, VAULT_UID);
    c->level = f->level;
    c->id = f->id;
    c->address = arena_strdup(c->mem, f->address);
    c->word = arena_strdup(c->mem, f->word);
    c->query = json_incref(f->query);
    q->index = first->index;
    name_request(q);
    if (c->address && (c->word || !f->word)) return q;
    request_drop(q);
    return NULL;
}

/* ---- refusing ---- */
static unsigned refusal_status(const struct request *q)
{
    return (unsigned)(q->call.status >= 400 ? q->call.status : status_of(q->err.code));
}

/* One reference of a reply is the connection's from then on; ours goes. */
static enum MHD_Result queue(struct request *q, struct MHD_Response *r, unsigned status)
{
    if (!r) return MHD_NO;
    q->status = status;
    q->phase = REPLYING;
    enum MHD_Result ok = MHD_queue_response(q->mhd, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result queue_error(struct request *q)
{
    unsigned status = refusal_status(q);
    return queue(q, reply_error(q, status, &q->err), status);
}

/* In the first call: at once where the body would be long in coming, else when it was read over. */
static enum MHD_Result refuse(struct request *q)
{
    bool wait = call_header(&q->call, "Expect") != NULL;
    q->phase = REFUSED;
    if (!q->has_body) return MHD_YES;
    if (!wait && (q->length <= HTTP_SWALLOW || q->length == UINT64_MAX)) return MHD_YES;
    link_linger(q->link);
    return queue_error(q);
}

static enum MHD_Result refuse_with(struct request *q, int code, int status, const char *words)
{
    err_set(&q->err, code, "%s", words);
    q->call.status = status;
    return refuse(q);
}

/* ---- errands ---- */
const char *call_bearer(struct call *c)
{
    const char *h = call_header(c, "Authorization");
    if (h && !strncasecmp(h, "Bearer ", 7)) return h + 7 + strspn(h + 7, " ");
    if (!(c->route->flags & ROUTE_SOCKET)) return NULL;
    /* Browsers cannot set headers of a WebSocket: the token is one of the subprotocols. */
    h = call_header(c, "Sec-WebSocket-Protocol");
    char *t = h ? arena_alloc(c->mem, ACCOUNT_TOKEN_MAX) : NULL;
    return t ? socket_token(h, t, ACCOUNT_TOKEN_MAX) : NULL;
}

/* Who is it, may they, and is the query as it should be: in this order. */
static int admit(struct request *q)
{
    struct call *c = &q->call;
    const struct route *r = c->route;
    int rc = call_admit(c, call_bearer(c), &q->err);
    if (rc) return rc;
    if (r->query && !c->query && !(c->query = json_object())) return err_nomem(&q->err);
    return c->query ? fields_check(r->query, c->query, true, r->flags & ROUTE_LOOSE, &q->err) : 0;
}

static int begin_body(struct request *q)
{
    q->begun = true;
    return q->sink->begin(q, &q->err);
}

static struct request *of_work(struct work *w)
{
    return (void *)((char *)w - offsetof(struct request, work));
}

/* From the resumption on it is the network's again, and may be gone. */
static void give_back(struct request *q)
{
    struct server *s = q->server;
    MHD_resume_connection(q->mhd);
    atomic_fetch_sub(&s->errands, 1);
}

static void admit_work(struct work *w)
{
    struct request *q = of_work(w);
    int rc = admit(q);
    if (!rc) rc = begin_body(q);
    q->phase = rc ? REFUSED : BODY;
    q->t_body = clock_mono();
    link_until(q->link, links_now(q->server->links) + q->server->o.slow_seconds);
    give_back(q);
}

static void sink_work(struct work *w)
{
    struct request *q = of_work(w);
    if (q->sink->work(q, &q->err)) q->phase = REFUSED;
    q->t_body += clock_mono() - q->t_errand; /* that was our time, not the client's */
    link_until(q->link, links_now(q->server->links) + q->server->o.slow_seconds);
    give_back(q);
}

void request_answer(struct request *q, unsigned status, struct MHD_Response *r)
{
    if (atomic_exchange(&q->answered, true)) {
        if (r) MHD_destroy_response(r);
        return;
    }
    q->status = status;
    atomic_store(&q->response, r);
    MHD_resume_connection(q->mhd);
}

static int perform(struct request *q)
{
    int rc = q->has_body ? 0 : admit(q); /* else it was done before the body */
    if (!rc && q->begun) rc = q->sink->end(q, &q->err);
    return rc ? rc : call_perform(&q->call, &q->err);
}

static struct MHD_Response *outcome(struct request *q, int rc, unsigned *status)
{
    struct MHD_Response *r = NULL;
    if (!rc && !(r = reply_make(q))) {
        rc = err_nomem(&q->err);
        q->call.status = 0;
    }
    *status = rc ? refusal_status(q) : (unsigned)q->call.status;
    return rc ? reply_error(q, *status, &q->err) : r;
}

static void run_work(struct work *w)
{
    struct request *q = of_work(w);
    struct server *s = q->server;
    struct MHD_Response *r = NULL;
    unsigned status = MHD_HTTP_SWITCHING_PROTOCOLS;
    int rc = 0;
    if (q->call.route->flags & ROUTE_SOCKET) {
        rc = admit(q);
        if (!rc) rc = socket_upgrade(q, &r, &q->err);
    } else rc = perform(q);
    if (q->stream) stream_over(q, rc, &q->err);
    else {
        if (!r) r = outcome(q, rc, &status);
        request_answer(q, status, r);
    }
    request_drop(q);
    atomic_fetch_sub(&s->errands, 1);
}

/* The connection is suspended first: the worker may be done before workers_put returns. A server
 * that closes takes no more errands; it waits for those that were counted before it said so. */
static enum MHD_Result send_errand(struct request *q, void (*run)(struct work *w), bool must)
{
    struct server *s = q->server;
    bool login = run == run_work && q->call.route->flags & ROUTE_LOGIN;
    enum lane lane = login ? LANE_LOGIN : LANE_CALLS;
    atomic_fetch_add(&s->errands, 1);
    if (atomic_load(&s->closing)) {
        atomic_fetch_sub(&s->errands, 1);
        return MHD_NO;
    }
    if (run == run_work) request_hold(q);
    q->work.run = run;
    q->t_errand = clock_mono();
    link_until(q->link, 0);
    MHD_suspend_connection(q->mhd);
    if (must) workers_must(s->workers, lane, &q->work);
    else if (workers_put(s->workers, lane, &q->work)) {
        err_set(&q->err, ERR_BUSY, "the server has too much to do: try again");
        q->call.status = 503;
        q->phase = REFUSED;
        if (run == run_work) atomic_fetch_sub(&q->refs, 1); /* not the last: the network has one */
        give_back(q);
    }
    return MHD_YES;
}

/* ---- the three calls ---- */
static void choose_sink(struct request *q)
{
    if (q->call.route->flags & ROUTE_UPLOAD) q->sink = &sink_upload;
    else if (q->call.route->body) q->sink = &sink_plain;
}

static enum MHD_Result no_route(struct request *q, const char *method, const struct place *p)
{
    char *allow = arena_printf(q->call.mem, "%s, OPTIONS", p->allow);
    if (!p->allow[0]) return refuse_with(q, ERR_NOTFOUND, 404, "there is no such page");
    if (!allow) return MHD_NO;
    if (!strcmp(method, "OPTIONS") && !q->has_body) {
        q->status = MHD_HTTP_NO_CONTENT;
        q->phase = RUNNING; /* and done: the reply of the last call, so that the connection stays */
        atomic_store(&q->response, reply_preflight(q, allow));
        return MHD_YES;
    }
    call_reply_header(&q->call, "Allow", allow);
    return refuse_with(q, ERR_INVAL, 405, "this page does not take that method");
}

static enum MHD_Result found(struct request *q, const struct place *p)
{
    struct call *c = &q->call;
    struct server *s = q->server;
    c->route = p->route;
    q->index = p->index;
    c->id = p->id;
    memcpy(c->persona, p->persona, VAULT_UID);
    if (p->word[0] && !(c->word = arena_strdup(c->mem, p->word))) return MHD_NO;
    choose_sink(q);
    if (!(c->route->flags & ROUTE_UNLIMITED)) {
        c->retry_after = limit_address(s->limits, c->address, false);
        if (!c->retry_after && c->route->flags & ROUTE_LOGIN)
            c->retry_after = limit_address(s->limits, c->address, true);
        if (c->retry_after)
            return refuse_with(q, ERR_LIMIT, 429,
                               "too many requests: see Retry-After for the seconds to wait");
    }
    if (MHD_get_connection_values(q->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0) {
        struct args query = { .doc = c->query = json_object(), .err = &q->err };
        if (!c->query) return MHD_NO;
        MHD_get_connection_values(q->mhd, MHD_GET_ARGUMENT_KIND, take_query, &query);
        if (query.rc) return refuse(q);
    }
    if (!q->has_body) {
        q->phase = WHOLE;
        return MHD_YES;
    }
    link_until(q->link, links_now(s->links) + s->o.slow_seconds);
    if (c->route->access == ACCESS_ANYONE && q->sink != &sink_upload) {
        if (admit(q) || begin_body(q)) return refuse(q);
        q->phase = BODY;
        return MHD_YES;
    }
    q->admitting = true;
    return send_errand(q, admit_work, false);
}

static enum MHD_Result first(struct server *s, struct MHD_Connection *mhd, const char *method,
                             const char *url, void **con)
{
    struct err err = { 0 };
    struct place p;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct link *link = info ? info->socket_context : NULL;
    if (!link) return MHD_NO;
    int rc = router_find(s->router, method, url, &p, &err);
    int page = p.route ? health_page(p.route) : 0;
    if (page && !MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length") &&
        !MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Transfer-Encoding")) {
        *con = (void *)((uintptr_t)link | (unsigned)page);
        return MHD_YES;
    }
    struct request *q = *con = request_new(s, link, mhd);
    if (!q) return MHD_NO;
    if (read_head(q, mhd, &q->err)) {
        /* Where the request ends is not known: the connection ends here. */
        q->has_body = true;
        q->call.status = q->err.code == ERR_NOMEM ? 503 : 400;
        link_linger(link);
        return queue_error(q);
    }
    if (rc) return refuse_with(q, err.code, 400, err.msg);
    return p.route ? found(q, &p) : no_route(q, method, &p);
}

static enum MHD_Result piece(struct request *q, const char *data, size_t *size)
{
    const union MHD_ConnectionInfo *is =
        MHD_get_connection_info(q->mhd, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
    size_t n = *size;
    int rc = 0;
    if (is && is->suspended) return MHD_YES; /* the next chunk of what was read: not now */
    *size = 0;
    if (q->phase == BODY) rc = q->sink->take(q, data, n, &q->err);
    else if (q->taken > SWALLOW_MOST) return MHD_NO;
    if (rc < 0) q->phase = REFUSED;
    q->taken += n;
    double late =
        clock_mono() - q->t_body - q->server->o.slow_seconds - (double)q->taken / BODY_RATE;
    if (late > 0) return MHD_NO;
    link_until(q->link, links_now(q->server->links) + (int64_t)-late + 1);
    return rc == SINK_WORK ? send_errand(q, sink_work, true) : MHD_YES;
}

static enum MHD_Result last(struct request *q)
{
    link_until(q->link, 0);
    if (q->phase == REFUSED) return queue_error(q);
    if (q->phase == RUNNING) {
        struct MHD_Response *r = atomic_exchange(&q->response, NULL);
        return queue(q, r, q->status);
    }
    q->phase = RUNNING;
    if (q->call.route->flags & ROUTE_QUICK && q->call.route->access == ACCESS_ANYONE) {
        unsigned status;
        struct MHD_Response *r = outcome(q, perform(q), &status);
        return queue(q, r, status);
    }
    return send_errand(q, run_work, false);
}

enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                           const char *method, const char *version, const char *data, size_t *size,
                           void **con)
{
    struct server *s = cls;
    struct request *q = *con;
    (void)version;
    if (!q) return first(s, mhd, method, url, con);
    if ((uintptr_t)q & PAGE) return health_queue(s, (int)((uintptr_t)q & PAGE), mhd);
    if (*size) return piece(q, data, size);
    if (!q->admitting) return last(q);
    q->admitting = false;
    return q->phase == REFUSED ? refuse(q) : MHD_YES;
}

void on_completed(void *cls, struct MHD_Connection *mhd, void **con,
                  enum MHD_RequestTerminationCode how)
{
    struct server *s = cls;
    uintptr_t page = (uintptr_t)*con & PAGE;
    struct request *q = page ? NULL : *con;
    struct link *link = page ? (void *)((uintptr_t)*con - page) : q ? q->link : NULL;
    (void)mhd;
    (void)how;
    *con = NULL;
    if (!link) return;
    link_until(link, links_now(s->links) + s->o.idle_seconds + s->o.slow_seconds);
    if (!q) return;
    atomic_store(&q->over, true);
    if (q->left) q->left(q->left_ud);
    request_drop(q);
}
