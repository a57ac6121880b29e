/* Event streams: what is said arrives as it is said, slow clients hold up nobody, and whoever
 * leaves or is let go frees what worked for them. */
#include "local.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

enum { MANY = 100 };

static struct local l;
static sem_t kept, left, over;
static struct stream *stream[MANY];
static atomic_int n_kept, n_left, last_rc;

static void wait_for(sem_t *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    if (sem_timedwait(s, &until)) fail_msg("nothing happened in two minutes");
}

/* ---- routes ---- */

static int say_three(struct call *c, struct err *e)
{
    struct stream *s;
    int rc = call_events(c, &s, e);
    if (!rc) rc = stream_send(s, NULL, "one", 3);
    if (!rc) rc = stream_send(s, "word", "two\nlines\r\nand\rmore\n", 20);
    if (!rc) rc = stream_send(s, NULL, NULL, 0);
    return rc;
}

static int say_and_fail(struct call *c, struct err *e)
{
    struct stream *s;
    int rc = call_events(c, &s, e);
    if (!rc) rc = stream_send(s, NULL, "one", 3);
    return rc ? rc : err_set(e, ERR_NOTFOUND, "it is not there");
}

static void has_left(void *ud)
{
    atomic_fetch_add(&n_left, 1);
    sem_post(&left);
}

static int keep(struct call *c, struct err *e)
{
    struct stream *s;
    int rc = call_events(c, &s, e);
    if (rc) return rc;
    stream_keep(s, has_left, NULL);
    stream[atomic_fetch_add(&n_kept, 1)] = s;
    sem_post(&kept);
    return 0;
}

static int flood(struct call *c, struct err *e)
{
    struct stream *s;
    char text[4000];
    memset(text, 'x', sizeof text);
    int rc = call_events(c, &s, e);
    while (!rc) rc = stream_send(s, NULL, text, sizeof text);
    atomic_store(&last_rc, rc);
    sem_post(&over);
    return rc;
}

static int large(struct call *c, struct err *e)
{
    struct stream *s;
    char *text = malloc(1 << 20);
    memset(text, 'y', 1 << 20);
    int rc = call_events(c, &s, e);
    for (int i = 0; i < 8 && !rc; i++) rc = stream_send(s, NULL, text, 1 << 20);
    free(text);
    return rc;
}

static const struct route routes[] = {
    { "GET", "/three", ACCESS_ANYONE, 0, .status = 200, .run = say_three, .name = "three" },
    { "GET", "/fail", ACCESS_ANYONE, 0, .status = 200, .run = say_and_fail, .name = "fail" },
    { "GET", "/keep", ACCESS_ANYONE, 0, .status = 200, .run = keep, .name = "keep" },
    { "GET", "/mine", ACCESS_ACCOUNT, 0, .status = 200, .run = keep, .name = "mine" },
    { "GET", "/flood", ACCESS_ANYONE, 0, .status = 200, .run = flood, .name = "flood" },
    { "GET", "/large", ACCESS_ANYONE, 0, .status = 200, .run = large, .name = "large" },
    ROUTE_END
};
static const struct route *const tables[] = { routes, NULL };

static int set_up(void **state)
{
    sem_init(&kept, 0, 0);
    sem_init(&left, 0, 0);
    sem_init(&over, 0, 0);
    atomic_store(&n_kept, 0);
    atomic_store(&n_left, 0);
    local_open(&l,
               &(struct server_opts){ .tables = tables, .rate_address = -1, .quiet_seconds = 1 });
    return 0;
}

static int tear_down(void **state)
{
    local_close(&l);
    return 0;
}

/* Reads until `end` has come; without the head, and without the sizes of chunks. */
static void read_until(int fd, const char *end, struct buf *out)
{
    char p[4096];
    while (!strstr(buf_str(out), end)) {
        ssize_t n = recv(fd, p, sizeof p, 0);
        if (n <= 0) fail_msg("the stream ended before \"%s\": %s", end, buf_str(out));
        buf_add(out, p, (size_t)n);
    }
}

static int open_stream(const char *path)
{
    int fd = local_connect(&l);
    local_request(fd, "GET", path, NULL, NULL);
    return fd;
}

/* ---- tests ---- */

static void events(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    int fd = open_stream("/three");
    read_until(fd, "\r\n0\r\n\r\n", &b);
    check_has(b.p, "HTTP/1.1 200");
    check_has(b.p, "Content-Type: text/event-stream");
    check_has(b.p, "Cache-Control: no-store");
    check_has(b.p, "data: one\n\n");
    check_has(b.p, "event: word\ndata: two\ndata: lines\ndata: and\ndata: more\ndata: \n\n");
    check_has(b.p, "data: \n\n");
    buf_clear(&b);
    local_request(fd, "GET", "/fail", NULL, NULL); /* the connection is good for more */
    read_until(fd, "\r\n0\r\n\r\n", &b);
    check_has(b.p, "data: one\n\n");
    check_has(b.p, "event: error\ndata: {\"error\":{\"code\":\"NOTFOUND\",\"message\":\"it is not");
    close(fd);
    buf_free(&b);
}

static void old_clients(void **state)
{
    struct reply a = local_raw(&l, "GET /three HTTP/1.0\r\nHost: x\r\n\r\n");
    check_int(a.status, 200);
    check_str(a.body, ":\n\ndata: one\n\nevent: word\ndata: two\ndata: lines\ndata: and\ndata: "
                      "more\ndata: \n\ndata: \n\n");
    reply_free(&a);
}

static void kept_stream(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    int fd = open_stream("/keep");
    read_until(fd, ":\n\n", &b); /* before anything was said */
    wait_for(&kept);
    for (int i = 0; i < 20; i++) {
        char text[32];
        int n = snprintf(text, sizeof text, "number %d.", i);
        check_int(stream_offer(stream[0], NULL, text, (size_t)n), 0);
        read_until(fd, text, &b);
    }
    check_int(stream_gone(stream[0]), 0);
    stream_end(stream[0]);
    read_until(fd, "\r\n0\r\n\r\n", &b);
    check_int(atomic_load(&n_left), 0);
    close(fd);
    buf_free(&b);
}

static void client_leaves(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    for (int half = 0; half < 2; half++) {
        int fd = open_stream("/keep");
        read_until(fd, ":\n\n", &b);
        wait_for(&kept);
        if (half) shutdown(fd, SHUT_WR);
        else close(fd);
        wait_for(&left);
        check_int(stream_gone(stream[half]), 1);
        check_int(stream_send(stream[half], NULL, "x", 1), ERR_CANCEL);
        stream_end(stream[half]);
        if (half) close(fd);
        buf_clear(&b);
    }
    check_int(atomic_load(&n_left), 2);
    buf_free(&b);
}

static void leaves_while_it_flows(void **state)
{
    for (int i = 0; i < 4; i++) {
        int fd = open_stream("/flood");
        char p[1000];
        if (i & 1) check_int(recv(fd, p, sizeof p, MSG_WAITALL), sizeof p);
        close(fd);
        wait_for(&over);
        check_int(atomic_load(&last_rc), ERR_CANCEL);
    }
}

static void slow_client_is_let_go(void **state)
{
    struct buf b = BUF_INIT(0);
    char text[4000], p[65536];
    int fd = open_stream("/keep"), rc = 0, sent = 0;
    memset(text, 'z', sizeof text);
    wait_for(&kept);
    while (!(rc = stream_offer(stream[0], NULL, text, sizeof text)) && sent < 1000000) sent++;
    check_int(rc, ERR_CANCEL); /* what the kernel buffers, and 64 KiB here */
    wait_for(&left);
    ssize_t n;
    while ((n = recv(fd, p, sizeof p, 0)) > 0) buf_add(&b, p, (size_t)n);
    if (b.n > 6 && !memcmp(b.p + b.n - 5, "0\r\n\r\n", 5)) fail_msg("it ended as if whole");
    stream_end(stream[0]);
    close(fd);
    buf_free(&b);
}

/* In its silence a stream says a comment, and is over when its token is worth nothing any more. */
static void silence(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    struct err err = { 0 };
    int fd = local_connect(&l);
    local_request(fd, "GET", "/mine", local_auth(&l, NULL), NULL);
    wait_for(&kept);
    read_until(fd, ":\n\n", &b);
    buf_clear(&b);
    read_until(fd, ":\n\n", &b); /* said to nobody's question */
    check_ok(account_logout(l.accounts, l.account, 0, &err), err);
    wait_for(&left);
    check_int(stream_gone(stream[0]), 1);
    stream_end(stream[0]);
    close(fd);
    buf_free(&b);
}

static void large_events(void **state)
{
    struct buf b = BUF_INIT(64 << 20);
    size_t y = 0;
    char p[65536];
    int fd = open_stream("/large");
    while (b.n < 5 || memcmp(b.p + b.n - 5, "0\r\n\r\n", 5) != 0) {
        ssize_t n = recv(fd, p, sizeof p, 0);
        if (n <= 0) fail_msg("it ended early, after %zu bytes", b.n);
        buf_add(&b, p, (size_t)n);
    }
    const char *body = strstr(b.p, "\r\n\r\n");
    for (const char *q = body; q < b.p + b.n; q++) y += *q == 'y';
    check_int(y, 8 << 20);
    close(fd);
    buf_free(&b);
}

/* Four threads talk to a hundred streams at once, while clients leave. */
static void *talk(void *ud)
{
    for (int round = 0; round < 50; round++)
        for (int i = 0; i < MANY; i++) stream_offer(stream[i], "t", "text", 4);
    return NULL;
}

static void many(void **state)
{
    pthread_t t[4];
    int fd[MANY];
    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < MANY; i++) fd[i] = open_stream("/keep");
    for (int i = 0; i < MANY; i++) wait_for(&kept);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, talk, NULL);
    for (int i = 0; i < MANY; i += 2) close(fd[i]);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < MANY; i += 2) wait_for(&left);
    for (int i = 0; i < MANY; i++) stream_end(stream[i]);
    check_int(atomic_load(&n_left), MANY / 2);
    for (int i = 1; i < MANY; i += 2) {
        size_t n = 0;
        buf_clear(&b);
        read_until(fd[i], "\r\n0\r\n\r\n", &b);
        for (const char *p = b.p; (p = strstr(p, "event: t\ndata: text\n\n")); p++) n++;
        check_int(n, 200);
        close(fd[i]);
    }
    buf_free(&b);
}

/* The owners are told, and what was said arrives. */
static void server_stops(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    int fd[2] = { open_stream("/keep"), open_stream("/keep") };
    wait_for(&kept);
    wait_for(&kept);
    check_int(stream_send(stream[0], NULL, "last words", 10), 0);
    server_stop(l.server, 60);
    l.server = NULL;
    check_int(atomic_load(&n_left), 2);
    check_int(stream_send(stream[0], NULL, "too late", 8), ERR_CANCEL);
    stream_end(stream[0]);
    stream_end(stream[1]);
    for (int i = 0; i < 2; i++) {
        char p[4096];
        ssize_t n;
        while ((n = recv(fd[i], p, sizeof p, 0)) > 0) buf_add(&b, p, (size_t)n);
        close(fd[i]);
    }
    check_has(buf_str(&b), "data: last words\n\n");
    check_hasnt(buf_str(&b), "too late");
    buf_free(&b);
}

/* A client that takes nothing does not hold the server up; its producer is told. */
static void server_stops_at_once(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    int fd = open_stream("/flood");
    read_until(fd, "xxx", &b);
    server_stop(l.server, 0);
    l.server = NULL;
    wait_for(&over);
    check_int(atomic_load(&last_rc), ERR_CANCEL);
    close(fd);
    buf_free(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(events),        T(old_clients),           T(kept_stream),
        T(client_leaves), T(leaves_while_it_flows), T(slow_client_is_let_go),
        T(silence),       T(large_events),          T(many),
        T(server_stops),  T(server_stops_at_once)
    };
    return check_run("http/stream", t);
}
