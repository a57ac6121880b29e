/* A server with routes of this test: many at once, those that leave or are slow, stopping, and what
 * is seen of it. */
#include "served.h"

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
                .tables = tables, .rate_account = 1e-4, .rate_address = 1000, .rate_login = 1e-4 });
    for (int i = 0; i < 10; i++)
        check_reply(local_ask(&t, "GET", "/mine", local_auth(&t, NULL), NULL), 200, "account");
    struct reply a = local_ask(&t, "GET", "/mine", local_auth(&t, NULL), NULL);
    check_int(a.status, 429);
    check_has(a.body, "\"LIMIT\"");
    const char *after = strstr(buf_str(&a.all), "Retry-After: ");
    assert_non_null(after);
    long seconds = strtol(after + 13, NULL, 10);
    check_int(seconds > 1000 && seconds <= 10000, 1);
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
    return check_run("http/serving", t);
}
