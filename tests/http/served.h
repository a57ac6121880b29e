/* Routes and a server that the tests of the request's life share. */
#ifndef LK_TESTS_HTTP_SERVED_H
#define LK_TESTS_HTTP_SERVED_H

#include "http/local.h"

#include "base/clock.h"

#include <pthread.h>

static struct local l;

/* ---- routes of this test ---- */
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int inside, let_out, gone_seen; /* of `wait` and `linger`, under m */

static inline void gate_reset(void)
{
    pthread_mutex_lock(&m);
    inside = let_out = gone_seen = 0;
    pthread_mutex_unlock(&m);
}

static inline void gate_await(const int *what, int n)
{
    pthread_mutex_lock(&m);
    while (*what < n) pthread_cond_wait(&moved, &m);
    pthread_mutex_unlock(&m);
}

static inline void gate_open(int n)
{
    pthread_mutex_lock(&m);
    let_out += n;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&m);
}

static inline int echo(struct call *c, struct err *err)
{
    c->veiled = true; /* of nobody: there is no persona behind these routes */
    c->out = json_pack("{s:O?,s:O?,s:I,s:s?,s:s,s:I}", "body", c->body, "query", c->query, "id",
                       (json_int_t)c->id, "word", c->word, "address", c->address, "account",
                       (json_int_t)c->who.account);
    return c->out ? 0 : err_nomem(err);
}

static inline int wait_inside(struct call *c, struct err *err)
{
    pthread_mutex_lock(&m);
    inside++;
    pthread_cond_broadcast(&moved);
    while (!let_out) pthread_cond_wait(&moved, &m);
    let_out--;
    pthread_mutex_unlock(&m);
    return echo(c, err);
}

/* Until the client leaves: what a handler does that waits for something slow. */
static inline int linger(struct call *c, struct err *err)
{
    pthread_mutex_lock(&m);
    inside++;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&m);
    while (!call_gone(c)) usleep(2000);
    pthread_mutex_lock(&m);
    gone_seen++;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&m);
    return err_set(err, ERR_CANCEL, "the client left");
}

static inline int broken(struct call *c, struct err *err)
{
    return err_set(err, ERR_IO, "cannot read /secret/file");
}

static inline int text(struct call *c, struct err *err)
{
    c->text = (struct span){ "plain words", 11 };
    c->type = "text/plain; charset=utf-8";
    call_reply_header(c, "X-Extra", "more");
    return 0;
}

static inline int file(struct call *c, struct err *err)
{
    c->file.f = tmpfile();
    if (!c->file.f) return err_errno(err, "no file");
    for (int i = 0; i < 200000; i++) fputc('a' + i % 26, c->file.f);
    rewind(c->file.f);
    c->file.n = 200000;
    return 0;
}

static int accepted(struct call *c, struct err *err) { return call_accepted(c, 42, err); }

static const struct field INNER[] = { { "role", FIELD_WORD, FIELD_REQUIRED, 0, 0, "", NULL, "a b" },
                                      FIELD_END };
static const struct field ITEM = { NULL, FIELD_OBJECT, 0, 0, 0, "", INNER, NULL };
static const struct field BODY[] = { { "prompt", FIELD_TEXT, FIELD_REQUIRED, 1, 100, "", NULL,
                                       NULL },
                                     { "k", FIELD_INT, 0, 1, 50, "", NULL, NULL },
                                     { "t", FIELD_NUMBER, FIELD_NULL, 0, 2, "", NULL, NULL },
                                     { "stream", FIELD_BOOL, 0, 0, 0, "", NULL, NULL },
                                     { "after", FIELD_TIME, 0, 0, 0, "", NULL, NULL },
                                     { "who", FIELD_UID, 0, 0, 0, "", NULL, NULL },
                                     { "list", FIELD_LIST, 0, 0, 3, "", &ITEM, NULL },
                                     FIELD_END };
static const struct field QUERY[] = { { "limit", FIELD_INT, 0, 1, 100, "", NULL, NULL },
                                      { "q", FIELD_TEXT, 0, 0, 0, "", NULL, NULL },
                                      FIELD_END };

#define ROUTE(m, p, a, f, fn, nm, ...)                                                             \
    {                                                                                              \
        m, p, a, f, .status = 200, .run = fn, .name = nm, .summary = nm, __VA_ARGS__               \
    }
static const struct route routes[] = {
    ROUTE("GET", "/open", ACCESS_ANYONE, 0, echo, "t.open", .query = QUERY),
    ROUTE("POST", "/open", ACCESS_ANYONE, ROUTE_FORM, echo, "t.post", .body = BODY),
    ROUTE("POST", "/small", ACCESS_ANYONE, 0, echo, "t.small", .body = BODY, .body_max = 1000),
    ROUTE("POST", "/loose", ACCESS_ANYONE, ROUTE_LOOSE, echo, "t.loose", .body = BODY),
    ROUTE("GET", "/mine", ACCESS_ACCOUNT, ROUTE_AUDIT, echo, "t.mine", .query = QUERY),
    ROUTE("POST", "/mine", ACCESS_ACCOUNT, ROUTE_AUDIT, echo, "t.mine-post", .body = BODY),
    ROUTE("GET", "/keys", ACCESS_ACCOUNT, ROUTE_KEYS, echo, "t.keys"),
    ROUTE("GET", "/p/{persona}", ACCESS_READ, 0, echo, "t.persona"),
    ROUTE("GET", "/n/{id}", ACCESS_ANYONE, 0, echo, "t.number"),
    ROUTE("GET", "/w/{name}", ACCESS_ANYONE, 0, echo, "t.word"),
    ROUTE("GET", "/w/fixed", ACCESS_ANYONE, 0, text, "t.fixed"),
    ROUTE("GET", "/wait", ACCESS_ANYONE, 0, wait_inside, "t.wait"),
    ROUTE("GET", "/linger", ACCESS_ANYONE, 0, linger, "t.linger"),
    ROUTE("GET", "/broken", ACCESS_ANYONE, 0, broken, "t.broken"),
    ROUTE("GET", "/v1/broken", ACCESS_ACCOUNT, ROUTE_OPENAI, broken, "t.openai"),
    ROUTE("GET", "/text", ACCESS_ANYONE, ROUTE_QUICK, text, "t.text"),
    ROUTE("GET", "/file", ACCESS_ANYONE, 0, file, "t.file"),
    ROUTE("POST", "/job", ACCESS_ANYONE, 0, accepted, "t.job"),
    ROUTE("POST", "/login", ACCESS_ANYONE, ROUTE_LOGIN, echo, "t.login", .body = BODY),
    ROUTE_END
};
extern const struct route routes_health[];
static const struct route *const tables[] = { routes, routes_health, NULL };

#define JSON "Content-Type: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static inline int begin(void **state)
{
    local_open(&l, &(struct server_opts){ .tables = tables,
                                          .rate_account = -1,
                                          .rate_address = -1,
                                          .rate_login = -1,
                                          .origins = "https://app.example.org" });
    return 0;
}

static inline int end(void **state)
{
    local_close(&l);
    return 0;
}

#endif
