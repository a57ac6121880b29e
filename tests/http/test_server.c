/* A server with routes of this test: the life of a request from its first byte to its reply. */
#include "http/local.h"

#include "base/clock.h"

#include <pthread.h>

static struct local l;

/* ---- routes of this test ---- */
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int inside, let_out, gone_seen; /* of `wait` and `linger`, under m */

static void gate_reset(void)
{
    pthread_mutex_lock(&m);
    inside = let_out = gone_seen = 0;
    pthread_mutex_unlock(&m);
}

static void gate_await(const int *what, int n)
{
    pthread_mutex_lock(&m);
    while (*what < n) pthread_cond_wait(&moved, &m);
    pthread_mutex_unlock(&m);
}

static void gate_open(int n)
{
    pthread_mutex_lock(&m);
    let_out += n;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&m);
}

static int echo(struct call *c, struct err *err)
{
    c->out = json_pack("{s:O?,s:O?,s:I,s:s?,s:s,s:I}", "body", c->body, "query", c->query, "id",
                       (json_int_t)c->id, "word", c->word, "address", c->address, "account",
                       (json_int_t)c->who.account);
    return c->out ? 0 : err_nomem(err);
}

static int wait_inside(struct call *c, struct err *err)
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
static int linger(struct call *c, struct err *err)
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

static int broken(struct call *c, struct err *err)
{
    return err_set(err, ERR_IO, "cannot read /secret/file");
}

static int text(struct call *c, struct err *err)
{
    c->text = (struct span){ "plain words", 11 };
    c->type = "text/plain; charset=utf-8";
    call_reply_header(c, "X-Extra", "more");
    return 0;
}

static int file(struct call *c, struct err *err)
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

static int begin(void **state)
{
    local_open(&l, &(struct server_opts){ .tables = tables,
                                          .rate_account = -1,
                                          .rate_address = -1,
                                          .rate_login = -1,
                                          .origins = "https://app.example.org" });
    return 0;
}

static int end(void **state)
{
    local_close(&l);
    return 0;
}

/* ---- replies ---- */
static void replies(void **state)
{
    check_reply(local_ask(&l, "GET", "/healthz", NULL, NULL), 200, "{\"status\":\"ok\"}");
    check_reply(local_ask(&l, "GET", "/readyz/", NULL, NULL), 200, "{\"status\":\"ready\"}");
    check_reply(local_ask(&l, "GET", "/", NULL, NULL), 200, "\"name\":\"likeness\"");
    check_reply(local_ask(&l, "GET", "/text", NULL, NULL), 200, "X-Extra: more");
    check_reply(local_ask(&l, "GET", "/text", NULL, NULL), 200, "\r\n\r\nplain words");
    check_reply(local_ask(&l, "POST", "/job", NULL, ""), 202, "Location: /api/jobs/42");
    check_reply(local_ask(&l, "POST", "/job", NULL, ""), 202, "{\"job\":{\"id\":42,");
    check_reply(local_raw(&l, "GET http://test/healthz HTTP/1.1\r\nHost: test\r\n\r\n"), 200, "ok");
    check_reply(local_raw(&l, "GET /healthz HTTP/1.0\r\n\r\n"), 200, "ok");
    check_reply(local_ask(&l, "GET", "/healthz", NULL, "hi"), 200, "ok");
    struct reply a = local_raw(&l, "HEAD /open HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    check_int(a.status, 200);
    check_str(a.body, "");
    check_has(buf_str(&a.all), "Content-Length:");
    reply_free(&a);
    a = local_ask(&l, "GET", "/file", NULL, NULL);
    check_int(a.status, 200);
    check_int(strlen(a.body), 200000);
    check_int(a.body[199999], 'a' + 199999 % 26);
    reply_free(&a);
}

static void errors_say_no_more_than_they_should(void **state)
{
    struct reply a = local_ask(&l, "GET", "/broken", NULL, NULL);
    check_int(a.status, 500);
    check_has(a.body, "{\"error\":{\"code\":\"IO\",");
    check_hasnt(a.body, "/secret");
    reply_free(&a);
    a = local_ask(&l, "GET", "/v1/broken", local_auth(&l, NULL), NULL);
    check_int(a.status, 500);
    check_has(a.body, "\"type\":\"server_error\",\"param\":null,\"code\":\"IO\"");
    reply_free(&a);
    check_reply(local_ask(&l, "GET", "/v1/broken", NULL, NULL), 401, "authentication_error");
}

static void heads(void **state)
{
    struct reply a = local_ask(&l, "GET", "/open", "X-Request-Id: abc-123_Z\r\n", NULL);
    check_has(buf_str(&a.all), "X-Request-Id: abc-123_Z\r\n");
    check_has(buf_str(&a.all), "Content-Type: application/json\r\n");
    check_has(buf_str(&a.all), "X-Content-Type-Options: nosniff\r\n");
    check_has(buf_str(&a.all), "Cache-Control: no-store\r\n");
    check_has(buf_str(&a.all), "Referrer-Policy: no-referrer\r\n");
    check_has(buf_str(&a.all), "Content-Security-Policy: default-src 'none'");
    reply_free(&a);
    a = local_ask(&l, "GET", "/open", "X-Request-Id: <script>\r\n", NULL);
    const char *id = strstr(buf_str(&a.all), "X-Request-Id: ");
    assert_non_null(id);
    check_int(strspn(id + 14, "0123456789abcdef"), 16);
    reply_free(&a);
}

static void other_origins(void **state)
{
    static const char ours[] = "Origin: https://app.example.org\r\n";
    static const char theirs[] = "Origin: https://evil.example.org\r\n";
    check_reply(local_ask(&l, "GET", "/open", ours, NULL), 200,
                "Access-Control-Allow-Origin: https://app.example.org\r\n");
    struct reply a = local_ask(&l, "GET", "/open", theirs, NULL);
    check_int(a.status, 200);
    check_hasnt(buf_str(&a.all), "Access-Control");
    check_has(buf_str(&a.all), "Vary: Origin");
    reply_free(&a);
    a = local_ask(&l, "OPTIONS", "/mine", ours, NULL);
    check_int(a.status, 204);
    check_has(buf_str(&a.all), "Access-Control-Allow-Methods: GET, POST, HEAD, OPTIONS\r\n");
    check_has(buf_str(&a.all), "Access-Control-Allow-Headers: Authorization, Content-Type");
    check_hasnt(buf_str(&a.all), "Access-Control-Allow-Credentials");
    reply_free(&a);
    a = local_ask(&l, "OPTIONS", "/mine", theirs, NULL);
    check_int(a.status, 204);
    check_hasnt(buf_str(&a.all), "Access-Control");
    reply_free(&a);
    check_reply(local_ask(&l, "OPTIONS", "/nowhere", ours, NULL), 404, "NOTFOUND");
}

static void paths(void **state)
{
    check_reply(local_ask(&l, "GET", "/nowhere", NULL, NULL), 404, "NOTFOUND");
    check_reply(local_ask(&l, "GET", "//open", NULL, NULL), 404, "NOTFOUND");
    check_reply(local_ask(&l, "DELETE", "/open", NULL, NULL), 405,
                "Allow: GET, POST, HEAD, OPTIONS");
    check_reply(local_ask(&l, "BREW", "/open", NULL, NULL), 405, "INVAL");
    check_reply(local_ask(&l, "GET", "/n/17/", NULL, NULL), 200, "\"id\":17");
    check_reply(local_ask(&l, "GET", "/n/x", NULL, NULL), 404, "NOTFOUND");
    check_reply(local_ask(&l, "GET", "/n/-1", NULL, NULL), 404, "NOTFOUND");
    check_reply(local_ask(&l, "GET", "/n/99999999999999999999", NULL, NULL), 404, "NOTFOUND");
    check_reply(local_ask(&l, "GET", "/w/a%20b%C3%A9", NULL, NULL), 200, "\"word\":\"a bé\"");
    check_reply(local_ask(&l, "GET", "/w/fixed", NULL, NULL), 200, "plain words");
    check_reply(local_ask(&l, "GET", "/w/a%2Fb", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/a%5cb", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/a%00b", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/a%0ab", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/%2e%2e", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/../open", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/%ff", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/w/%4", NULL, NULL), 400, "INVAL");
    check_reply(local_ask(&l, "GET", "/open?limit=5&q=a%26b+c", NULL, NULL), 200,
                "\"query\":{\"limit\":5,\"q\":\"a&b c\"}");
    check_reply(local_ask(&l, "GET", "/open?limit=x", NULL, NULL), 400, "limit");
    check_reply(local_ask(&l, "GET", "/open?limit=500", NULL, NULL), 400, "limit");
    check_reply(local_ask(&l, "GET", "/open?other=1", NULL, NULL), 400, "other");
    check_reply(local_ask(&l, "GET", "/open?q=1&q=2", NULL, NULL), 400, "twice");
    check_reply(local_ask(&l, "GET", "/open?q=%ff", NULL, NULL), 400, "UTF-8");
}

/* ---- who it is ---- */
static void rights(void **state)
{
    char key[64], head[200], path[64], hex[33];
    struct err err = { 0 };
    int64_t id;
    check_reply(local_ask(&l, "GET", "/mine", NULL, NULL), 401,
                "WWW-Authenticate: Bearer realm=\"likeness\"\r\n");
    check_reply(local_ask(&l, "GET", "/mine", "Authorization: Bearer nonsense\r\n", NULL), 401,
                "error=\"invalid_token\"");
    check_reply(local_ask(&l, "GET", "/mine", "Authorization: Basic YTpi\r\n", NULL), 401, "KEY");
    check_reply(local_ask(&l, "GET", "/mine", local_auth(&l, NULL), NULL), 200, "\"account\":1");
    check_reply(local_ask(&l, "GET", "/mine?limit=x", NULL, NULL), 401, "KEY");
    check_reply(local_ask(&l, "POST", "/mine", JSON, "{broken"), 401, "KEY");
    check_reply(local_ask(&l, "POST", "/mine", local_auth(&l, JSON), "{\"prompt\":\"x\"}"), 200,
                "\"prompt\":\"x\"");
    check_ok(account_key_new(l.accounts, l.account, "test", NULL, 0, key, &id, &err), err);
    snprintf(head, sizeof head, "Authorization: Bearer %s\r\n", key);
    check_reply(local_ask(&l, "GET", "/keys", head, NULL), 200, "\"account\":1");
    check_reply(local_ask(&l, "GET", "/mine", head, NULL), 403, "key");
    /* A persona that is not there, one that is somebody else's, no uid: all the same. */
    uint8_t uid[VAULT_UID] = { 1, 2, 3 };
    snprintf(path, sizeof path, "/p/%s", uid_hex(uid, hex));
    check_reply(local_ask(&l, "GET", path, NULL, NULL), 401, "KEY");
    check_reply(local_ask(&l, "GET", path, local_auth(&l, NULL), NULL), 404, "NOTFOUND");
    check_ok(account_create(l.accounts, "bob@example.org", "a long secret", &id, &err), err);
    check_ok(service_grant_put(l.world.service, uid, id, LEVEL_OWNER, &err), err);
    check_reply(local_ask(&l, "GET", path, local_auth(&l, NULL), NULL), 404, "NOTFOUND");
    check_reply(local_ask(&l, "GET", "/p/xyz", local_auth(&l, NULL), NULL), 404, "NOTFOUND");
    check_ok(service_grant_put(l.world.service, uid, l.account, LEVEL_CHAT, &err), err);
    check_reply(local_ask(&l, "GET", path, local_auth(&l, NULL), NULL), 403, "chat");
    check_ok(service_grant_put(l.world.service, uid, l.account, LEVEL_READ, &err), err);
    check_reply(local_ask(&l, "GET", path, local_auth(&l, NULL), NULL), 200, "\"account\":1");
}

struct found {
    int n, mine;
};
static int count_audit(void *ud, const struct row_audit *r)
{
    struct found *f = ud;
    f->n++;
    if (!strcmp(r->action, "t.mine") && r->account == 1 && r->status == 200) f->mine++;
    return 0;
}

static void audit(void **state)
{
    struct err err = { 0 };
    struct found f = { 0, 0 };
    check_reply(local_ask(&l, "GET", "/mine", local_auth(&l, NULL), NULL), 200, "account");
    check_reply(local_ask(&l, "GET", "/open", NULL, NULL), 200, "account");
    check_reply(local_ask(&l, "POST", "/mine", local_auth(&l, JSON), "{\"prompt\":\"x\"}"), 200,
                "prompt");
    check_ok(service_audit_each(l.world.service, NULL, -1, 0, 100, count_audit, &f, &err), err);
    check_int(f.n, 2);
    check_int(f.mine, 1);
}

/* ---- bodies ---- */
static void bodies(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } t[] = {
        { "{\"prompt\":\"x\",\"k\":5,\"t\":null,\"stream\":true}", 200, "\"k\":5" },
        { "{\"prompt\":\"x\",\"t\":1}", 200, "\"t\":1" },
        { "{\"prompt\":\"x\",\"list\":[{\"role\":\"a\"}]}", 200, "role" },
        { "{}", 400, "prompt: is required" },
        { "", 400, "prompt: is required" },
        { "{\"prompt\":\"\"}", 400, "prompt: should not be empty" },
        { "{\"prompt\":5}", 400, "prompt: should be a string" },
        { "{\"prompt\":null}", 400, "prompt: should be a string" },
        { "{\"prompt\":\"x\",\"k\":1.5}", 400, "k: should be a whole number" },
        { "{\"prompt\":\"x\",\"k\":\"5\"}", 400, "k: should be a whole number" },
        { "{\"prompt\":\"x\",\"k\":51}", 400, "k: should be between 1 and 50" },
        { "{\"prompt\":\"x\",\"k\":99999999999999999999}", 400, "PARSE" },
        { "{\"prompt\":\"x\",\"stream\":\"yes\"}", 400, "stream: should be true or false" },
        { "{\"prompt\":\"x\",\"after\":\"soon\"}", 400, "after: should be a time" },
        { "{\"prompt\":\"x\",\"who\":\"12\"}", 400, "who: should be 32 hex" },
        { "{\"prompt\":\"x\",\"list\":[{\"role\":\"c\"}]}", 400, "list[0].role: should be one of" },
        { "{\"prompt\":\"x\",\"list\":[1]}", 400, "list[0]: should be an object" },
        { "{\"prompt\":\"x\",\"list\":[{\"role\":\"a\"},{},{},{}]}", 400, "list: has 4 entries" },
        { "{\"prompt\":\"x\",\"promt\":1}", 400, "\\\"promt\\\" is not known" },
        { "{\"prompt\":\"x\",\"prompt\":\"y\"}", 400, "twice" },
        { "{\"prompt\":\"x\\u0000\"}", 400, "PARSE" },
        { "{\"prompt\":\"\xff\"}", 400, "UTF-8" },
        { "{\"prompt\":\"\\ud800\"}", 400, "PARSE" },
        { "[]", 400, "should be an object" },
        { "7", 400, "PARSE" },
        { "{\"prompt\":\"x\"} x", 400, "PARSE" },
        { "{", 400, "not JSON" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        check_reply(local_ask(&l, "POST", "/open", JSON, t[i].body), t[i].status, t[i].says);
    check_reply(local_ask(&l, "POST", "/loose", JSON, "{\"prompt\":\"x\",\"more\":{}}"), 200,
                "more");
    check_reply(local_ask(&l, "POST", "/loose", NULL, "{\"prompt\":\"x\"}"), 200, "prompt");
    char deep[400] = "{\"prompt\":\"x\",\"list\":";
    size_t n = strlen(deep);
    memset(deep + n, '[', 100);
    check_reply(local_ask(&l, "POST", "/open", JSON, deep), 400, "nested more than 64");
}

static void forms(void **state)
{
    check_reply(local_ask(&l, "POST", "/open", FORM, "prompt=a+b%21&k=7&stream=true&t=0.5"), 200,
                "{\"prompt\":\"a b!\",\"k\":7,\"stream\":true,\"t\":0.5}");
    check_reply(local_ask(&l, "POST", "/open", FORM, "prompt=a&k=seven"), 400, "k: should be");
    check_reply(local_ask(&l, "POST", "/open", FORM, "prompt=a&prompt=b"), 400, "twice");
    check_reply(local_ask(&l, "POST", "/open", FORM, "prompt=%zz"), 400, "escape");
    check_reply(local_ask(&l, "POST", "/open", FORM, "prompt=a%00"), 400, "zero");
    check_reply(local_ask(&l, "POST", "/open", FORM, "=a"), 400, "without a name");
    check_reply(local_ask(&l, "POST", "/small", FORM, "prompt=a"), 415, "application/json");
    check_reply(local_ask(&l, "POST", "/open", JSON "Content-Encoding: gzip\r\n", "{}"), 415,
                "packed");
    check_reply(local_ask(&l, "POST", "/open", "Content-Type: text/xml\r\n", "<a/>"), 415, "form");
    check_reply(
        local_ask(&l, "POST", "/open", "Content-Type: application/json; charset=latin-1\r\n", "{}"),
        415, "UTF-8");
    check_reply(local_ask(&l, "POST", "/open",
                          "Content-Type: Application/JSON; charset=\"UTF-8\"\r\n",
                          "{\"prompt\":\"x\"}"),
                200, "prompt");
}

static void sizes(void **state)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "{\"prompt\":\"");
    for (int i = 0; i < 2000; i++) buf_addc(&b, 'x');
    buf_adds(&b, "\"}");
    check_reply(local_ask(&l, "POST", "/small", JSON, buf_str(&b)), 413, "1000 bytes");
    check_reply(local_ask(&l, "POST", "/open", JSON, buf_str(&b)), 400, "at most 100");
    buf_free(&b);
    /* Chunked, with nothing said of its length. */
    buf_adds(&b, "POST /small HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 40; i++) buf_adds(&b, "1e\r\n012345678901234567890123456789\r\n");
    buf_adds(&b, "0\r\n\r\n");
    check_reply(local_raw(&l, buf_str(&b)), 413, "too large");
    buf_free(&b);
    check_reply(local_raw(&l, "POST /open HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
                              "\r\n8\r\n{\"prompt\r\n6\r\n\":\"x\"}\r\n0\r\n\r\n"),
                200, "\"prompt\":\"x\"");
    /* A very large one is refused before it was sent; the reply arrives all the same. */
    int fd = local_connect(&l);
    local_says(fd, "POST /small HTTP/1.1\r\nHost: t\r\nContent-Length: 900000000\r\n\r\n");
    char waste[65536] = { 0 };
    for (int i = 0; i < 8; i++)
        if (!local_send(fd, waste, sizeof waste)) break;
    struct reply a = local_reads(fd);
    close(fd);
    check_int(a.status, 413);
    reply_free(&a);
    check_reply(local_ask(&l, "POST", "/job", NULL, "never mind"), 202, "job");
    /* Headers that do not fit. */
    buf_adds(&b, "GET /open HTTP/1.1\r\nHost: t\r\nX: ");
    for (int i = 0; i < 40000; i++) buf_addc(&b, 'x');
    buf_adds(&b, "\r\n\r\n");
    a = local_raw(&l, buf_str(&b));
    check_int(a.status == 431 || a.status == 413 || a.status == 0, 1);
    reply_free(&a);
    buf_free(&b);
}

static void expecting(void **state)
{
    int fd = local_connect(&l);
    local_says(fd, "POST /mine HTTP/1.1\r\nHost: t\r\nContent-Length: 14\r\n"
                   "Expect: 100-continue\r\n\r\n");
    check_reply(local_reads(fd), 401, "KEY");
    close(fd);
    fd = local_connect(&l);
    struct buf b = BUF_INIT(0);
    buf_printf(&b,
               "POST /mine HTTP/1.1\r\nHost: t\r\nContent-Length: 14\r\n%s"
               "Expect: 100-continue\r\n\r\n",
               local_auth(&l, JSON));
    local_says(fd, buf_str(&b));
    check_reply(local_reads(fd), 100, "Continue");
    local_says(fd, "{\"prompt\":\"x\"}");
    check_reply(local_reads(fd), 200, "prompt");
    close(fd);
    buf_free(&b);
}

/* ---- framing ---- */
static void smuggling(void **state)
{
    static const char *const t[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 5, 5\r\n\r\nhello",
        "Content-Length: -5\r\n\r\nhello",
        "Content-Length: +5\r\n\r\nhello",
        "Content-Length: 0x5\r\n\r\nhello",
        "Content-Length: 5 5\r\n\r\nhello",
        "Transfer-Encoding: gzip\r\n\r\nhello",
        "Transfer-Encoding: chunked, gzip\r\n\r\nhello",
        "Transfer-Encoding: xchunked\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "Host: other\r\n\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = BUF_INIT(0);
        buf_printf(&b,
                   "POST /open HTTP/1.1\r\nHost: t\r\n%sGET /healthz HTTP/1.1\r\nHost: t\r\n\r\n",
                   t[i]);
        int fd = local_connect(&l);
        local_says(fd, buf_str(&b));
        struct reply a = local_reads(fd);
        if (a.status != 400 && a.status != 413) fail_msg("%s: got %s", t[i], buf_str(&a.all));
        reply_free(&a);
        /* What follows on the connection is not a second request. */
        a = local_reads(fd);
        if (a.status) fail_msg("%s: was followed by %s", t[i], buf_str(&a.all));
        reply_free(&a);
        close(fd);
        buf_free(&b);
    }
    check_reply(local_raw(&l, "GET /open HTTP/1.1\r\n\r\n"), 400, "");
}

static void one_connection(void **state)
{
    int fd = local_connect(&l);
    for (int i = 0; i < 3; i++) {
        local_request(fd, "GET", "/open", NULL, NULL);
        check_reply(local_reads(fd), 200, "body");
        local_request(fd, "GET", "/readyz", NULL, NULL);
        check_reply(local_reads(fd), 200, "ready");
        local_request(fd, "POST", "/mine", JSON, "{\"prompt\":\"x\"}");
        check_reply(local_reads(fd), 401, "KEY");
        local_request(fd, "POST", "/mine", local_auth(&l, JSON), "{\"prompt\":\"x\"}");
        check_reply(local_reads(fd), 200, "prompt");
        local_request(fd, "POST", "/open", JSON, "{broken");
        check_reply(local_reads(fd), 400, "PARSE");
    }
    /* Two at once: replies come in order. */
    local_says(fd, "GET /n/1 HTTP/1.1\r\nHost: t\r\n\r\nGET /n/2 HTTP/1.1\r\nHost: t\r\n\r\n");
    check_reply(local_reads(fd), 200, "\"id\":1");
    check_reply(local_reads(fd), 200, "\"id\":2");
    close(fd);
}

/* ---- leaving and waiting ---- */
static void somebody_leaves(void **state)
{
    gate_reset();
    int fd = local_connect(&l);
    local_request(fd, "GET", "/linger", NULL, NULL);
    gate_await(&inside, 1);
    close(fd);
    gate_await(&gone_seen, 1);
    /* In the middle of a body, and of a head. */
    fd = local_connect(&l);
    local_says(fd, "POST /open HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{");
    close(fd);
    fd = local_connect(&l);
    local_says(fd, "GET /op");
    close(fd);
    while (atomic_load(&l.server->in_flight)) usleep(1000);
}

static void full_queue(void **state)
{
    struct local t;
    int fd[3];
    gate_reset();
    local_open(&t, &(struct server_opts){ .tables = tables, .workers = 1, .queue = 1 });
    for (int i = 0; i < 2; i++) {
        fd[i] = local_connect(&t);
        local_request(fd[i], "GET", "/wait", NULL, NULL);
        if (!i) gate_await(&inside, 1);
    }
    while (workers_waiting(t.server->workers) < 1) usleep(1000);
    check_reply(local_ask(&t, "GET", "/wait", NULL, NULL), 503, "Retry-After: 1\r\n");
    check_reply(local_ask(&t, "GET", "/healthz", NULL, NULL), 200, "ok");
    check_reply(local_ask(&t, "GET", "/text", NULL, NULL), 200, "plain");
    /* Logins have a lane of their own. */
    check_reply(local_ask(&t, "POST", "/login", JSON, "{\"prompt\":\"x\"}"), 200, "prompt");
    gate_open(2);
    for (int i = 0; i < 2; i++) {
        check_reply(local_reads(fd[i]), 200, "body");
        close(fd[i]);
    }
    local_close(&t);
}

static void limits(void **state)
{
    struct local t;
    local_open(
        &t, &(struct server_opts){
                .tables = tables, .rate_account = 0.01, .rate_address = 1000, .rate_login = 0.01 });
    for (int i = 0; i < 10; i++)
        check_reply(local_ask(&t, "GET", "/mine", local_auth(&t, NULL), NULL), 200, "account");
    struct reply a = local_ask(&t, "GET", "/mine", local_auth(&t, NULL), NULL);
    check_int(a.status, 429);
    check_has(a.body, "\"LIMIT\"");
    const char *after = strstr(buf_str(&a.all), "Retry-After: ");
    assert_non_null(after);
    long seconds = strtol(after + 13, NULL, 10);
    check_int(seconds > 10 && seconds <= 100, 1);
    reply_free(&a);
    check_reply(local_ask(&t, "GET", "/open", NULL, NULL), 200, "account");
    for (int i = 0; i < 10; i++)
        check_reply(local_ask(&t, "POST", "/login", JSON, "{\"prompt\":\"x\"}"), 200, "prompt");
    check_reply(local_ask(&t, "POST", "/login", JSON, "{\"prompt\":\"x\"}"), 429, "Retry-After: ");
    check_reply(local_ask(&t, "GET", "/open", NULL, NULL), 200, "account");
    local_close(&t);
}

static void slow_clients(void **state)
{
    struct local t;
    char p[64];
    local_open(&t, &(struct server_opts){ .tables = tables, .slow_seconds = 1 });
    int head = local_connect(&t), body = local_connect(&t);
    local_says(head, "GET /open HTTP/1.1\r\nHost: t\r\nX-Slow: ");
    local_says(body, "POST /open HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n{");
    /* Bytes that trickle in do not help. */
    bool open[2] = { true, true };
    while (open[0] || open[1]) {
        int fd[2] = { head, body };
        for (int i = 0; i < 2; i++) {
            if (!open[i]) continue;
            struct pollfd f = { fd[i], POLLIN, 0 };
            open[i] = local_send(fd[i], "x", 1);
            if (poll(&f, 1, 20) > 0 && recv(fd[i], p, sizeof p, MSG_DONTWAIT) <= 0) open[i] = false;
        }
    }
    close(head);
    close(body);
    check_reply(local_ask(&t, "GET", "/open", NULL, NULL), 200, "body");
    local_close(&t);
}

static void *stop(void *ud)
{
    struct local *t = ud;
    local_close(t);
    return NULL;
}

static void stopping(void **state)
{
    struct local t;
    pthread_t thread;
    gate_reset();
    local_open(&t, &(struct server_opts){ .tables = tables });
    int fd = local_connect(&t), idle = local_connect(&t);
    local_request(fd, "GET", "/wait", NULL, NULL);
    gate_await(&inside, 1);
    local_request(idle, "GET", "/readyz", NULL, NULL);
    check_reply(local_reads(idle), 200, "ready");
    struct server *s = t.server;
    pthread_create(&thread, NULL, stop, &t);
    while (!atomic_load(&s->stopping)) usleep(1000);
    local_request(idle, "GET", "/readyz", NULL, NULL);
    check_reply(local_reads(idle), 503, "stopping");
    struct reply a = local_ask(&t, "GET", "/healthz", NULL, NULL); /* refused: no reply */
    check_int(a.status, 0);
    reply_free(&a);
    gate_open(1);
    check_reply(local_reads(fd), 200, "body");
    pthread_join(thread, NULL);
    close(fd);
    close(idle);
}

static void stopping_in_haste(void **state)
{
    struct local t;
    gate_reset();
    local_open(&t, &(struct server_opts){ .tables = tables });
    int fd = local_connect(&t), half = local_connect(&t);
    local_request(fd, "GET", "/linger", NULL, NULL); /* for as long as the client is there */
    local_says(half, "POST /open HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{");
    gate_await(&inside, 1);
    server_stop(t.server, 0);
    t.server = NULL;
    gate_await(&gone_seen, 1);
    local_close(&t);
    close(fd);
    close(half);
}

/* ---- starting ---- */
static void refused(struct server_opts o, int code, const char *says)
{
    struct err err = { 0 };
    struct server *s = NULL;
    o.tables = tables;
    o.log = o.log ? o.log : "none";
    int rc = server_start(&o, &l.world, l.accounts, &s, &err);
    if (rc != code || !strstr(err.msg, says))
        fail_msg("got %d (%s), want %d with \"%s\"", rc, err.msg, code, says);
    assert_null(s);
}

static void starting(void **state)
{
    char junk[340];
    struct err err = { 0 };
    snprintf(junk, sizeof junk, "%s/junk.pem", l.dir);
    check_ok(io_write_file(junk, "junk", 4, 0600, &err), err);
    refused((struct server_opts){ .address = "0.0.0.0" }, ERR_INVAL, "--tls-cert");
    refused((struct server_opts){ .address = "::" }, ERR_INVAL, "--tls-cert");
    refused((struct server_opts){ .address = "no such host" }, ERR_INVAL, "no such host");
    refused((struct server_opts){ .port = l.port }, ERR_BUSY, "in use");
    refused((struct server_opts){ .port = 70000 }, ERR_INVAL, "port");
    refused((struct server_opts){ .tls_cert = junk }, ERR_INVAL, "both");
    refused((struct server_opts){ .tls_cert = junk, .tls_key = junk }, ERR_INVAL, "junk.pem");
    refused((struct server_opts){ .tls_cert = "/none.pem", .tls_key = junk }, ERR_NOTFOUND,
            "/none.pem");
    refused((struct server_opts){ .log = "xml" }, ERR_INVAL, "json");
    struct local t;
    local_open(&t, &(struct server_opts){ .tables = tables,
                                          .address = "0.0.0.0",
                                          .plain_anywhere = true,
                                          .trust_proxy = true,
                                          .threads = 1 });
    check_reply(local_ask(&t, "GET", "/open", "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n", NULL),
                200, "\"address\":\"192.0.2.7\"");
    check_reply(local_ask(&t, "GET", "/open",
                          "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 2001:db8::1\r\n", NULL),
                200, "\"address\":\"2001:db8::1\"");
    check_reply(local_ask(&t, "GET", "/open", "X-Forwarded-For: <script>\r\n", NULL), 200,
                "\"address\":\"127.0.0.1\"");
    local_close(&t);
    check_reply(local_ask(&l, "GET", "/open", "X-Forwarded-For: 192.0.2.7\r\n", NULL), 200,
                "\"address\":\"127.0.0.1\"");
}

/* ---- sight ---- */
static void logged(void **state)
{
    struct local t;
    char path[340];
    struct err err = { 0 };
    struct buf b = BUF_INIT(0);
    snprintf(path, sizeof path, "%s/log", l.dir);
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    dup2(fileno(f), STDERR_FILENO);
    fclose(f);
    local_open(&t, &(struct server_opts){ .tables = tables, .log = "json" });
    check_reply(local_ask(&t, "GET", "/n/1234567?secret=1", "X-Request-Id: r-1\r\n", NULL), 400,
                "");
    check_reply(
        local_ask(&t, "GET", "/mine?q=hush", local_auth(&t, "X-Request-Id: req-2\r\n"), NULL), 200,
        "");
    check_reply(local_ask(&t, "GET", "/broken", NULL, NULL), 500, "");
    check_reply(local_ask(&t, "GET", "/healthz", NULL, NULL), 200, "");
    local_close(&t);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    check_ok(io_read_file(path, 1 << 20, &b, &err), err);
    check_has(buf_str(&b),
              "\"request\":\"req-2\",\"method\":\"GET\",\"route\":\"t.mine\",\"status\":200");
    check_has(buf_str(&b), "\"account\":1}");
    check_has(buf_str(&b), "\"error\":\"cannot read /secret/file\"");
    check_hasnt(buf_str(&b), "hush");
    check_hasnt(buf_str(&b), "1234567");
    check_hasnt(buf_str(&b), "server.health");
    int lines = 0;
    for (const char *s = buf_str(&b); *s; lines++) {
        size_t n = strcspn(s, "\n");
        json_t *j = json_loadb(s, n, JSON_REJECT_DUPLICATES, NULL);
        if (!j) fail_msg("no JSON: %.*s", (int)n, s);
        json_decref(j);
        s += n + 1;
    }
    check_int(lines, 3);
    buf_free(&b);
}

static void counted(void **state)
{
    for (int i = 0; i < 3; i++)
        check_reply(local_ask(&l, "GET", "/readyz", NULL, NULL), 200, "ready");
    check_reply(local_ask(&l, "GET", "/open", NULL, NULL), 200, "body");
    check_reply(local_ask(&l, "GET", "/nowhere", NULL, NULL), 404, "");
    while (atomic_load(&l.server->in_flight)) usleep(1000);
    struct reply a = local_ask(&l, "GET", "/metrics", NULL, NULL);
    check_int(a.status, 200);
    check_has(a.body, "likeness_http_requests_total{route=\"server.ready\",status=\"2xx\"} 3\n");
    check_has(a.body, "likeness_http_requests_total{route=\"t.open\",status=\"2xx\"} 1\n");
    check_has(a.body, "likeness_http_requests_total{route=\"none\",status=\"4xx\"} 1\n");
    check_has(a.body, "likeness_http_request_seconds_bucket{route=\"t.open\",le=\"+Inf\"} 1\n");
    check_has(a.body, "likeness_http_request_seconds_count{route=\"t.open\"} 1\n");
    check_has(a.body, "likeness_jobs{state=\"waiting\"} 0\n");
    check_has(a.body, "# TYPE likeness_http_requests_in_flight gauge\n");
    check_has(a.body, "likeness_process_resident_bytes ");
    reply_free(&a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest t[] = {
        T(replies),
        T(errors_say_no_more_than_they_should),
        T(heads),
        T(other_origins),
        T(paths),
        T(rights),
        T(audit),
        T(bodies),
        T(forms),
        T(sizes),
        T(expecting),
        T(smuggling),
        T(one_connection),
        T(somebody_leaves),
        T(starting),
        T(logged),
        T(counted),
        cmocka_unit_test(full_queue),
        cmocka_unit_test(limits),
        cmocka_unit_test(slow_clients),
        cmocka_unit_test(stopping),
        cmocka_unit_test(stopping_in_haste),
    };
    return check_run("http/server", t);
}
