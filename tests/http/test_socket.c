/* WebSockets: the handshake and who is refused, messages and their order, the codes of closing, and
 * whoever leaves or loses the right. */
#include "local.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

enum { TEXT = 1, BINARY, CLOSE = 8, PING, PONG, FIN = 0x80, UNMASKED = 0x100 };

static struct local l;
static sem_t over;
static atomic_int running, most, last_rc;

static void wait_for(sem_t *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    if (sem_timedwait(s, &until)) fail_msg("nothing happened in two minutes");
}

/* ---- the route ---- */

static int flood(struct call *c)
{
    char text[4000];
    int rc = 0;
    memset(text, 'x', sizeof text);
    while (!rc) rc = socket_send(c->socket, text, sizeof text);
    atomic_store(&last_rc, socket_gone(c->socket) ? rc : 0);
    sem_post(&over);
    return rc;
}

/* Long work that says nothing, and looks now and then whether anybody is there. */
static int wait_long(struct call *c)
{
    int rc = call_gone(c) ? ERR_CANCEL : socket_send(c->socket, "waits", 5);
    while (!rc && !call_gone(c)) usleep(2000);
    atomic_store(&last_rc, rc ? 0 : ERR_CANCEL);
    sem_post(&over);
    return ERR_CANCEL;
}

static int talk(struct call *c, struct err *err)
{
    const char *say = call_str(c, "say");
    int now = atomic_fetch_add(&running, 1) + 1, rc = 0;
    if (now > atomic_load(&most)) atomic_store(&most, now);
    for (int i = 0; i < (int)call_int(c, "times", 0) && !rc; i++)
        rc = socket_send(c->socket, say, strlen(say));
    if (!strcmp(say, "flood")) rc = flood(c);
    else if (!strcmp(say, "wait")) rc = wait_long(c);
    else if (!strcmp(say, "fail")) rc = err_set(err, ERR_NOTFOUND, "there is no such word");
    else if (strcmp(say, "quiet") != 0) c->out = json_pack("{s:s}", "said", say);
    atomic_fetch_sub(&running, 1);
    return rc;
}

static const struct field body[] = { { "say", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what", NULL,
                                       NULL },
                                     { "times", FIELD_INT, 0, 0, 1000, "often", NULL, NULL },
                                     FIELD_END };
static const struct route routes[] = { { "GET", "/talk", ACCESS_ACCOUNT, ROUTE_SOCKET, 5000, NULL,
                                         body, NULL, 101, talk, "talk", "", NULL },
                                       ROUTE_END };
static const struct route *const tables[] = { routes, NULL };

static int set_up(void **state)
{
    sem_init(&over, 0, 0);
    atomic_store(&most, 0);
    local_open(&l, &(struct server_opts){ .tables = tables,
                                          .rate_address = -1,
                                          .rate_account = -1,
                                          .origins = "https://app.example.org" });
    return 0;
}

static int tear_down(void **state)
{
    local_close(&l);
    return 0;
}

/* ---- a client ---- */

#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"       \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct reply ask(const char *head)
{
    int fd = local_connect(&l);
    local_request(fd, "GET", "/talk", head, NULL);
    struct buf b = BUF_INIT(0);
    char c;
    while (!strstr(buf_str(&b), "\r\n\r\n") && recv(fd, &c, 1, 0) == 1) buf_addc(&b, c);
    struct reply r = { .status = b.n > 12 ? (int)strtol(b.p + 9, NULL, 10) : 0,
                       .all = b,
                       .body = "" };
    close(fd);
    return r;
}

static int open_socket(void)
{
    int fd = local_connect(&l);
    struct buf b = BUF_INIT(0);
    char c;
    local_request(fd, "GET", "/talk", local_auth(&l, UPGRADE), NULL);
    while (!strstr(buf_str(&b), "\r\n\r\n") && recv(fd, &c, 1, 0) == 1) buf_addc(&b, c);
    check_has(buf_str(&b), "HTTP/1.1 101 ");
    buf_free(&b);
    return fd;
}

static void put_frame(int fd, int head, const char *p, size_t n)
{
    static const unsigned char mask[4] = { 1, 200, 3, 77 };
    struct buf b = BUF_INIT(0);
    bool masked = !(head & UNMASKED);
    int bit = masked ? 0x80 : 0;
    buf_u8(&b, (uint8_t)head);
    if (n < 126) buf_u8(&b, (uint8_t)(bit | (int)n));
    else {
        buf_u8(&b, (uint8_t)(bit | 126));
        buf_u8(&b, (uint8_t)(n >> 8));
        buf_u8(&b, (uint8_t)n);
    }
    if (masked) buf_add(&b, mask, 4);
    for (size_t i = 0; i < n; i++) buf_addc(&b, (char)(p[i] ^ (masked ? mask[i % 4] : 0)));
    local_send(fd, b.p, b.n);
    buf_free(&b);
}

static void say(int fd, const char *text) { put_frame(fd, FIN | TEXT, text, strlen(text)); }

/* The next frame: its opcode, 0 when the connection ended; its payload. */
static int get_frame(int fd, struct buf *out)
{
    unsigned char h[10];
    buf_clear(out);
    if (recv(fd, h, 2, MSG_WAITALL) != 2) return 0;
    size_t n = h[1] & 127, more = n == 126 ? 2 : n == 127 ? 8 : 0;
    if (h[1] & 0x80) fail_msg("a server does not mask");
    if (more) {
        check_int(recv(fd, h + 2, more, MSG_WAITALL), more);
        n = 0;
        for (size_t i = 0; i < more; i++) n = n << 8 | h[2 + i];
    }
    check_int(buf_reserve(out, n + 1), 0);
    if (n) check_int(recv(fd, out->p, n, MSG_WAITALL), n);
    out->n = n;
    out->p[n] = 0;
    return h[0] & 15;
}

static void hears(int fd, const char *want)
{
    struct buf b = BUF_INIT(0);
    check_int(get_frame(fd, &b), TEXT);
    check_has(buf_str(&b), want);
    buf_free(&b);
}

static void closed_with(int fd, int code)
{
    struct buf b = BUF_INIT(0);
    if (get_frame(fd, &b) != CLOSE) fail_msg("no close with %d, but \"%s\"", code, buf_str(&b));
    check_int(b.n < 2 ? 0 : (unsigned char)b.p[0] << 8 | (unsigned char)b.p[1], code);
    put_frame(fd, FIN | CLOSE, b.p, b.n < 2 ? 0 : 2);
    check_int(get_frame(fd, &b), 0);
    buf_free(&b);
    close(fd);
}

/* ---- tests ---- */

static void handshakes(void **state)
{
    char head[3000];
    check_reply(ask(UPGRADE), 401, "");
    check_reply(ask(local_auth(&l, UPGRADE)), 101,
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    check_reply(ask(local_auth(&l, "")), 426, "Upgrade: websocket");
    check_reply(ask(local_auth(&l, "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Version: 8\r\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
                426, "Sec-WebSocket-Version: 13");
    check_reply(ask(local_auth(&l, "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n")),
                400, "");
    check_reply(ask(local_auth(&l, UPGRADE "Origin: https://evil.example.org\r\n")), 403, "");
    check_reply(ask(local_auth(&l, UPGRADE "Origin: null\r\n")), 403, "");
    check_reply(ask(local_auth(&l, UPGRADE "Origin: https://app.example.org\r\n")), 101, "");
    check_reply(ask(local_auth(&l, UPGRADE "Origin: http://test\r\n")), 101, "");
    snprintf(head, sizeof head, "%sSec-WebSocket-Protocol: likeness, bearer.%s\r\n", UPGRADE,
             l.tokens.access);
    check_reply(ask(head), 101, "Sec-WebSocket-Protocol: likeness\r\n");
    check_reply(ask(UPGRADE "Sec-WebSocket-Protocol: likeness, bearer.x\r\n"), 401, "");
    check_reply(local_ask(&l, "POST", "/talk", local_auth(&l, UPGRADE), "{}"), 405, "Allow: GET");
}

static void messages(void **state)
{
    int fd = open_socket();
    struct buf b = BUF_INIT(0);
    say(fd, "{\"say\": \"hello\"}");
    hears(fd, "{\"said\":\"hello\"}");
    put_frame(fd, TEXT, "{\"say\": ", 8);
    put_frame(fd, FIN | PING, "are you there", 13);
    put_frame(fd, 0, "\"in pie", 7);
    put_frame(fd, FIN, "ces\"}", 5);
    check_int(get_frame(fd, &b), PONG);
    check_str(buf_str(&b), "are you there");
    hears(fd, "in pieces");
    say(fd, "{\"say\": \"again\", \"times\": 3}");
    for (int i = 0; i < 3; i++) hears(fd, "again");
    hears(fd, "{\"said\":\"again\"}");
    say(fd, "{\"say\": ");
    hears(fd, "\"code\":\"PARSE\"");
    say(fd, "{\"say\": 7}");
    hears(fd, "\"code\":\"INVAL\"");
    say(fd, "{\"say\": \"x\", \"other\": 7}");
    hears(fd, "other");
    say(fd, "{\"say\": \"fail\"}");
    hears(fd, "there is no such word");
    say(fd, "{\"say\": \"quiet\"}");
    say(fd, "{\"say\": \"after\"}");
    hears(fd, "after");
    put_frame(fd, FIN | CLOSE, "\x03\xe8", 2);
    closed_with(fd, 1000);
    buf_free(&b);
}

static void closings(void **state)
{
    static char large[6000];
    int fd = open_socket();
    put_frame(fd, FIN | BINARY, "x", 1);
    closed_with(fd, 1003);
    fd = open_socket();
    say(fd, "\xC3\x28");
    closed_with(fd, 1007);
    fd = open_socket();
    memset(large, ' ', sizeof large);
    put_frame(fd, FIN | TEXT, large, sizeof large);
    closed_with(fd, 1009);
    fd = open_socket();
    for (int i = 0; i < 4; i++) put_frame(fd, i ? 0 : TEXT, large, 2000);
    closed_with(fd, 1009);
    fd = open_socket();
    put_frame(fd, UNMASKED | FIN | TEXT, "{}", 2);
    closed_with(fd, 1002);
    fd = open_socket();
    put_frame(fd, FIN, "goes on from nothing", 20);
    closed_with(fd, 1002);
    fd = open_socket();
    put_frame(fd, FIN | 0x40 | TEXT, "{}", 2);
    closed_with(fd, 1002);
    fd = open_socket();
    put_frame(fd, PING, "unfinished", 10); /* what is no frame at all: wslay gives no code */
    closed_with(fd, 0);
}

/* More than wait at a time; answered in their order, one by one. */
static void in_order(void **state)
{
    int fd = open_socket();
    char text[64];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "{\"say\": \"number %d.\"}", i);
        say(fd, text);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "number %d.", i);
        hears(fd, text);
    }
    check_int(atomic_load(&most), 1);
    close(fd);
}

static void leaves_while_it_flows(void **state)
{
    for (int i = 0; i < 3; i++) {
        int fd = open_socket();
        say(fd, "{\"say\": \"flood\"}");
        for (int k = 0; k <= i; k++) hears(fd, "xxx"); /* it has begun */
        close(fd);
        wait_for(&over);
        check_int(atomic_load(&last_rc), ERR_CANCEL);
    }
}

static void leaves_while_nothing_is_said(void **state)
{
    int fd = open_socket();
    say(fd, "{\"say\": \"wait\"}");
    hears(fd, "waits");
    close(fd);
    wait_for(&over);
    check_int(atomic_load(&last_rc), ERR_CANCEL);
}

static void revoked(void **state)
{
    struct err err;
    int fd = open_socket();
    say(fd, "{\"say\": \"hello\"}");
    hears(fd, "hello");
    check_ok(account_logout(l.accounts, l.account, 0, &err), err);
    say(fd, "{\"say\": \"secret\"}");
    hears(fd, "\"code\":\"KEY\"");
    closed_with(fd, 1008);
}

static void *chat(void *ud)
{
    int *fd = ud;
    char text[64];
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "{\"say\": \"%d of %d\", \"times\": 2}", i, *fd);
        say(*fd, text);
    }
    for (int i = 0; i < 90; i++) hears(*fd, " of ");
    close(*fd);
    return NULL;
}

static void many(void **state)
{
    pthread_t t[16];
    int fd[16];
    for (int i = 0; i < 16; i++) fd[i] = open_socket();
    for (int i = 0; i < 16; i++) pthread_create(&t[i], NULL, chat, &fd[i]);
    for (int i = 0; i < 16; i++) pthread_join(t[i], NULL);
}

static void server_stops(void **state)
{
    int fd[3] = { open_socket(), open_socket(), open_socket() };
    struct buf b = BUF_INIT(0);
    say(fd[0], "{\"say\": \"hello\"}");
    hears(fd[0], "hello");
    say(fd[2], "{\"say\": \"flood\"}");
    hears(fd[2], "xxx");
    server_stop(l.server, 0);
    l.server = NULL;
    wait_for(&over);
    for (int i = 0; i < 2; i++) {
        check_int(get_frame(fd[i], &b), CLOSE);
        check_int((unsigned char)b.p[0] << 8 | (unsigned char)b.p[1], 1001);
    }
    for (int i = 0; i < 3; i++) close(fd[i]);
    buf_free(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = { T(handshakes),
                                    T(messages),
                                    T(closings),
                                    T(in_order),
                                    T(leaves_while_it_flows),
                                    T(leaves_while_nothing_is_said),
                                    T(revoked),
                                    T(many),
                                    T(server_stops) };
    return check_run("http/socket", t);
}
