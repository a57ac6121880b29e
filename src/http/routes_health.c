/* Pages about the server itself: is it alive, is it ready, how is it doing, what can it do.
 *
 * /healthz and /readyz are asked by whoever keeps the server running, many times a second if they
 * like: their replies are made once, when the server starts, and sent from the network's threads
 * without making a request of them (request.c). For the rare request to them that is not plain
 * there is a handler as well. */
#include "base/str.h"
#include "http/inside.h"
#include "model/engine.h"
#include "persona/native.h"

#include <stdlib.h>
#include <string.h>

enum page { NO_PAGE, ALIVE, READY };

struct health {
    struct MHD_Response *alive, *ready, *stopping;
    size_t index[3]; /* of the routes, for counting */
};

static int alive(struct call *c, struct err *err)
{
    c->out = json_pack("{s:s}", "status", "ok");
    return c->out ? 0 : err_nomem(err);
}

static int ready(struct call *c, struct err *err)
{
    bool stopping = atomic_load(&c->server->stopping);
    c->status = stopping ? 503 : 200;
    c->out = json_pack("{s:s}", "status", stopping ? "stopping" : "ready");
    return c->out ? 0 : err_nomem(err);
}

static bool on_this_machine(const char *address)
{
    return str_starts(address, "127.") || !strcmp(address, "::1") ||
           str_starts(address, "::ffff:127.");
}

/* A proxy on this machine asks for somebody elsewhere. */
static bool is_passed_on(const struct call *c)
{
    return call_header(c, "X-Forwarded-For") || call_header(c, "Forwarded") ||
           call_header(c, "Via");
}

static int may_measure(struct call *c, struct err *err)
{
    const char *who = c->server->o.metrics;
    if (!who || !strcmp(who, "loopback")) {
        if (on_this_machine(c->address) && !is_passed_on(c)) return 0;
        c->status = 403;
        return err_set(err, ERR_INVAL,
                       "these are for this machine alone: see the setting `metrics`");
    }
    return strcmp(who, "off") ? 0 : err_set(err, ERR_NOTFOUND, "there is no such page");
}

static int metrics(struct call *c, struct err *err)
{
    struct buf b = BUF_INIT(16 << 20);
    int rc = may_measure(c, err);
    if (!rc) rc = metrics_write(c->server, &b, err);
    if (!rc) {
        c->text.p = arena_strndup(c->mem, b.p, b.n);
        c->text.n = b.n;
        c->type = "text/plain; version=0.0.4; charset=utf-8";
        if (!c->text.p) rc = err_nomem(err);
    }
    buf_free(&b);
    return rc;
}

static int openapi(struct call *c, struct err *err)
{
    struct buf b = BUF_INIT(16 << 20);
    int rc = openapi_make(&b, err);
    if (!rc) {
        c->text.p = arena_strndup(c->mem, b.p, b.n);
        c->text.n = b.n;
        c->type = "application/json";
        if (!c->text.p) rc = err_nomem(err);
    }
    buf_free(&b);
    return rc;
}

static int about(struct call *c, struct err *err)
{
    c->out = json_pack("{s:s,s:s,s:s,s:s}", "name", "likeness", "about",
                       "a private persona engine; this is its HTTP interface", "openapi",
                       "/openapi.json", "health", "/healthz");
    return c->out ? 0 : err_nomem(err);
}

static const struct field STATUS[] = { { "status", FIELD_WORD, FIELD_REQUIRED, 0, 0, "how it is",
                                         NULL, "ok ready stopping" },
                                       FIELD_END };
static const struct field ABOUT[] = {
    { "name", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "likeness", NULL, NULL },
    { "about", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what this is", NULL, NULL },
    { "openapi", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "where the description of all routes is", NULL,
      NULL },
    { "health", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "where to ask whether it lives", NULL, NULL },
    FIELD_END
};

const struct route routes_health[] = {
    { "GET", "/", ACCESS_ANYONE, ROUTE_QUICK, .reply = ABOUT, .status = 200, .run = about,
      .name = "server.about", .summary = "What this is" },
    { "GET", "/healthz", ACCESS_ANYONE, ROUTE_QUICK | ROUTE_UNLIMITED | ROUTE_LOOSE,
      .reply = STATUS, .status = 200, .run = alive, .name = "server.health",
      .summary = "Whether the server lives" },
    { "GET", "/readyz", ACCESS_ANYONE, ROUTE_QUICK | ROUTE_UNLIMITED | ROUTE_LOOSE, .reply = STATUS,
      .status = 200, .run = ready, .name = "server.ready", .summary = "Whether it takes requests",
      .about = "Status 503 and `stopping` when the server was told to stop." },
    { "GET", "/metrics", ACCESS_ANYONE, ROUTE_UNLIMITED, .status = 200, .run = metrics,
      .name = "server.metrics", .summary = "Counters for Prometheus",
      .about = "Text in Prometheus's format. It names routes, but no account and no persona. The "
               "setting `metrics` says who may read it: `open` anybody, `loopback` this machine "
               "alone (so it is unless set otherwise), `off` nobody." },
    { "GET", "/openapi.json", ACCESS_ANYONE, 0, .status = 200, .run = openapi,
      .name = "server.openapi", .summary = "This description",
      .about = "An OpenAPI 3.1 document of all routes." },
    ROUTE_END
};

/* ---- replies made before ---- */
static struct MHD_Response *made(const char *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                             MHD_RESPMEM_PERSISTENT);
    if (r) safe_headers(r, "application/json");
    return r;
}

int health_open(struct server *s, struct err *err)
{
    struct health *h = s->health = calloc(1, sizeof *h);
    if (!h) return err_nomem(err);
    h->alive = made("{\"status\":\"ok\"}");
    h->ready = made("{\"status\":\"ready\"}");
    h->stopping = made("{\"status\":\"stopping\"}");
    for (size_t i = 0; i < router_count(s->router); i++)
        h->index[health_page(router_at(s->router, i))] = i;
    return h->alive && h->ready && h->stopping ? 0 : err_nomem(err);
}

void health_close(struct server *s)
{
    struct health *h = s->health;
    if (!h) return;
    if (h->alive) MHD_destroy_response(h->alive);
    if (h->ready) MHD_destroy_response(h->ready);
    if (h->stopping) MHD_destroy_response(h->stopping);
    free(h);
    s->health = NULL;
}

int health_page(const struct route *r)
{
    return r->run == ready ? READY : r->run == alive ? ALIVE : NO_PAGE;
}

enum MHD_Result health_queue(struct server *s, int page, struct MHD_Connection *mhd)
{
    struct health *h = s->health;
    bool stopping = page == READY && atomic_load_explicit(&s->stopping, memory_order_relaxed);
    unsigned status = stopping ? 503 : 200;
    metrics_count(s->metrics, h->index[page], status, -1, 0);
    return MHD_queue_response(mhd, status,
                              page == ALIVE ? h->alive
                              : stopping    ? h->stopping
                                            : h->ready);
}
