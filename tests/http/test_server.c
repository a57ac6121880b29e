/* A server with routes of this test: the life of a request from its first byte to its reply. */
#include "served.h"

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
    check_reply(local_ask(&l, "OPTIONS", "/mine",
                          "Origin: https://app.example.org\r\n"
                          "Access-Control-Request-Headers: authorization,x-stainless-os\r\n",
                          NULL),
                204, "Access-Control-Allow-Headers: authorization,x-stainless-os\r\n");
    check_reply(local_ask(&l, "OPTIONS", "/mine",
                          "Origin: https://app.example.org\r\n"
                          "Access-Control-Request-Headers: x;y\r\n",
                          NULL),
                204, "Access-Control-Allow-Headers: Authorization, Content-Type");
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest t[] = {
        T(replies),        T(errors_say_no_more_than_they_should),
        T(heads),          T(other_origins),
        T(paths),          T(rights),
        T(audit),          T(bodies),
        T(forms),          T(sizes),
        T(expecting),      T(smuggling),
        T(one_connection),
    };
    return check_run("http/server", t);
}
