/* The client against a server that does what it is told, one reply for each connection: what real
 * ones do on a bad day. */
#include "check.h"

#include "base/clock.h"
#include "net/client.h"
#include "net/sse.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#define JSON_OK(body)                                                                              \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define EVENTS                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: "            \
    "close\r\n\r\n"
#define STATUS(line, more)                                                                         \
    "HTTP/1.1 " line "\r\nContent-Length: 0\r\nConnection: close\r\n" more "\r\n"

/* One reply: bytes, then the line is closed; hold: it stays open until the client leaves. */
struct answer {
    const char *bytes;
    bool hold;
};
struct server {
    int fd, port;
    pthread_t thread;
    const struct answer *answer; /* bytes NULL: closed without a word */
    int n, served;
    char request[16384]; /* the last one */
    char url[64];
};

static void read_request(struct server *s, int fd)
{
    size_t n = 0;
    char *end = NULL;
    unsigned long want = 0;
    while (n < sizeof s->request - 1 && (!end || n < (size_t)(end + 4 - s->request) + want)) {
        ssize_t got = read(fd, s->request + n, sizeof s->request - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
        s->request[n] = 0;
        if (!end && (end = strstr(s->request, "\r\n\r\n"))) {
            const char *length = strstr(s->request, "Content-Length: ");
            want = length ? strtoul(length + 16, NULL, 10) : 0;
        }
    }
}

static void *serve(void *ud)
{
    struct server *s = ud;
    for (s->served = 0; s->served < s->n; s->served++) {
        const struct answer *a = &s->answer[s->served];
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) break;
        read_request(s, fd);
        for (size_t at = 0, n = a->bytes ? strlen(a->bytes) : 0; at < n;) {
            ssize_t w = send(fd, a->bytes + at, n - at, MSG_NOSIGNAL);
            if (w <= 0) break;
            at += (size_t)w;
        }
        char c;
        if (a->hold) (void)!read(fd, &c, 1);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static void start(struct server *s, const struct answer *a, int n)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    memset(s, 0, sizeof *s);
    s->answer = a;
    s->n = n;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    check_int(listen(s->fd, 8), 0);
    getsockname(s->fd, (struct sockaddr *)&at, &len);
    s->port = ntohs(at.sin_port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/v1/x", s->port);
    pthread_create(&s->thread, NULL, serve, s);
}

static void stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

struct seen {
    char text[256];
    int n, stop_after;
};

static int on_event(void *ud, const char *data, size_t n)
{
    struct seen *s = ud;
    if (strlen(s->text) + n + 2 < sizeof s->text) {
        strcat(s->text, data);
        strcat(s->text, "|");
    }
    return ++s->n == s->stop_after;
}

#define ONE_SERVER(...)                                                                            \
    const struct answer script[] = { __VA_ARGS__ };                                                \
    struct server s;                                                                               \
    struct buf reply = BUF_INIT(0);                                                                \
    struct err err = { 0 };                                                                        \
    start(&s, script, (int)(sizeof script / sizeof *script))

static void a_document_comes_whole(void **state)
{
    ONE_SERVER({ .bytes = JSON_OK("{\"a\":1}") });
    check_ok(client_post(
                 &(struct client_call){
                     .url = s.url, .body = "{\"q\":2}", .body_n = 7, .key = "sk-secret" },
                 &reply, &err),
             err);
    stop(&s);
    check_str(buf_str(&reply), "{\"a\":1}");
    check_has(s.request, "POST /v1/x HTTP/1.1");
    check_has(s.request, "Authorization: Bearer sk-secret\r\n");
    check_has(s.request, "{\"q\":2}");
    buf_free(&reply);
}

static void without_a_body_it_is_a_get(void **state)
{
    ONE_SERVER({ .bytes = JSON_OK("[]") });
    check_ok(client_post(&(struct client_call){ .url = s.url }, &reply, &err), err);
    stop(&s);
    check_has(s.request, "GET /v1/x");
    check_hasnt(s.request, "Authorization");
    buf_free(&reply);
}

static void events_come_as_they_are_sent(void **state)
{
    ONE_SERVER({ EVENTS
                 ": hello\r\n\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata:lines\n\ndata\n\n"
                 "data: cut off",
                 false });
    struct seen seen = { .text = "" };
    struct client_call c = {
        .url = s.url, .body = "{}", .body_n = 2, .event = on_event, .ud = &seen
    };
    check_ok(client_post(&c, &reply, &err), err);
    stop(&s);
    check_str(seen.text, "one|two\nlines||");
    check_int(reply.n, 0);
    buf_free(&reply);
}

static void a_server_that_cannot_stream_gives_a_document(void **state)
{
    ONE_SERVER({ .bytes = JSON_OK("{}") });
    struct seen seen = { .text = "" };
    struct client_call c = {
        .url = s.url, .body = "{}", .body_n = 2, .event = on_event, .ud = &seen
    };
    check_ok(client_post(&c, &reply, &err), err);
    stop(&s);
    check_int(seen.n, 0);
    check_str(buf_str(&reply), "{}");
    buf_free(&reply);
}

static void the_reader_can_stop(void **state)
{
    ONE_SERVER({ EVENTS "data: one\n\ndata: two\n\n", true });
    struct seen seen = { .text = "", .stop_after = 2 };
    struct client_call c = {
        .url = s.url, .body = "{}", .body_n = 2, .event = on_event, .ud = &seen
    };
    check_int(client_post(&c, &reply, &err), ERR_CANCEL);
    stop(&s);
    check_str(seen.text, "one|two|");
    buf_free(&reply);
}

static int third_time(void *ud) { return ++*(int *)ud == 3; }

static void whoever_waits_can_stop(void **state)
{
    ONE_SERVER({ "HTTP/1.1 200 OK\r\n", true });
    int asked = 0;
    struct client_call c = { .url = s.url, .stop = third_time, .ud = &asked };
    check_int(client_post(&c, &reply, &err), ERR_CANCEL);
    stop(&s);
    check_int(asked, 3);
    buf_free(&reply);
}

static void a_silent_server_is_given_up(void **state)
{
    ONE_SERVER({ "", true }, { "", true });
    struct client_call c = { .url = s.url, .quiet_seconds = 1 };
    check_int(client_post(&c, &reply, &err), ERR_IO);
    stop(&s);
    check_has(err.msg, "1 seconds");
    assert_true(s.served < 2); /* 0 where this came to no turn in that second */
    buf_free(&reply);
}

static void what_is_busy_is_asked_again(void **state)
{
    ONE_SERVER({ .bytes = STATUS("503 Busy", "") }, { .bytes = NULL },
               { .bytes = JSON_OK("\"third\"") });
    check_ok(
        client_post(&(struct client_call){ .url = s.url, .body = "{}", .body_n = 2 }, &reply, &err),
        err);
    stop(&s);
    check_str(buf_str(&reply), "\"third\"");
    check_int(s.served, 3);
    buf_free(&reply);
}

static void retry_after_is_obeyed(void **state)
{
    ONE_SERVER({ .bytes = STATUS("429 Slow", "Retry-After: 1\r\n") }, { .bytes = JSON_OK("1") });
    double t = clock_mono();
    check_ok(client_post(&(struct client_call){ .url = s.url }, &reply, &err), err);
    stop(&s);
    if (clock_mono() - t < 0.99) fail_msg("asked again after %.2f s", clock_mono() - t);
    buf_free(&reply);
}

static void a_long_wait_is_said_and_not_waited(void **state)
{
    ONE_SERVER({ .bytes = STATUS("429 Slow", "Retry-After: 3600\r\n") }, { .bytes = JSON_OK("1") });
    check_int(client_post(&(struct client_call){ .url = s.url }, &reply, &err), ERR_BUSY);
    check_has(err.msg, "3600 seconds");
    stop(&s);
    check_int(s.served, 1);
    buf_free(&reply);
}

static void an_answer_that_broke_off_is_not_asked_for_again(void **state)
{
    ONE_SERVER({ "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
                 "data: half\n\n",
                 false },
               { .bytes = JSON_OK("1") });
    struct seen seen = { .text = "" };
    struct client_call c = {
        .url = s.url, .body = "{}", .body_n = 2, .event = on_event, .ud = &seen
    };
    check_int(client_post(&c, &reply, &err), ERR_IO);
    check_has(err.msg, "broke off");
    check_str(seen.text, "half|");
    stop(&s);
    check_int(s.served, 1);
    buf_free(&reply);
}

static void nobody_there(void **state)
{
    ONE_SERVER({ .bytes = NULL });
    struct client_call c = { .url = s.url, .tries = 1 };
    stop(&s);
    check_int(client_post(&c, &reply, &err), ERR_IO);
    check_has(err.msg, "is the server running?");
    char who[32];
    snprintf(who, sizeof who, "127.0.0.1:%d", s.port);
    check_has(err.msg, who);
    buf_free(&reply);
}

static void statuses_are_told_apart(void **state)
{
    static const struct {
        const char *answer;
        int code;
        const char *says;
    } t[] = {
        { STATUS("401 No", ""), ERR_KEY, "key" },
        { STATUS("403 No", ""), ERR_KEY, "key" },
        { "HTTP/1.1 404 No\r\n\r\n{\"error\":{\"message\":\"model llama9 not found\"}}",
          ERR_NOTFOUND, "llama9" },
        { "HTTP/1.1 404 No\r\n\r\n{\"error\":\"no\\n\\u0007such\"}", ERR_NOTFOUND, ": no such" },
        { STATUS("302 Go", "Location: http://elsewhere.example/\r\n"), ERR_INVAL,
          "another address" },
        { STATUS("413 No", ""), ERR_LIMIT, "large" },
        { STATUS("400 No", ""), ERR_INVAL, "status 400" },
        { STATUS("500 No", ""), ERR_IO, "status 500" },
        { "garbage\r\n\r\n", ERR_IO, "cannot reach" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        ONE_SERVER({ .bytes = t[i].answer });
        struct client_call c = { .url = s.url, .tries = 1 };
        check_int(client_post(&c, &reply, &err), t[i].code);
        check_has(err.msg, t[i].says);
        check_hasnt(err.msg, "elsewhere");
        stop(&s);
        buf_free(&reply);
    }
}

static void what_was_sent_is_never_in_a_message(void **state)
{
    static const char body[] = "{\"q\":\"My neighbour is called Aurelia Thistlewood and owes me\"}";
    ONE_SERVER(
        { .bytes =
              "HTTP/1.1 400 No\r\n\r\n{\"error\":{\"message\":\"bad input: My neighbour is called "
              "Aurelia Thistlewood and owes me\"}}" },
        { .bytes = "HTTP/1.1 401 No\r\n\r\n{\"error\":{\"message\":\"bad key sk-abcdef123\"}}" });
    struct client_call c = {
        .url = s.url, .body = body, .body_n = sizeof body - 1, .tries = 1, .key = "sk-abcdef123"
    };
    check_int(client_post(&c, &reply, &err), ERR_INVAL);
    check_hasnt(err.msg, "Aurelia");
    check_int(client_post(&c, &reply, &err), ERR_KEY);
    check_hasnt(err.msg, "abcdef");
    stop(&s);
    buf_free(&reply);
}

static void a_reply_has_a_maximum(void **state)
{
    ONE_SERVER({ .bytes = JSON_OK("0123456789") }, { .bytes = EVENTS "data: 0123456789\n\n" });
    struct seen seen = { .text = "" };
    struct client_call c = { .url = s.url, .max = 9 };
    check_int(client_post(&c, &reply, &err), ERR_LIMIT);
    c.event = on_event;
    c.ud = &seen;
    check_int(client_post(&c, &reply, &err), ERR_LIMIT);
    check_int(seen.n, 0);
    stop(&s);
    buf_free(&reply);
}

static void which_hosts_are_this_machine(void **state)
{
    static const char *const here[] = { "http://localhost/v1", "http://LOCALHOST:1/",
                                        "http://127.0.0.1/", "https://127.8.9.10:11434/v1",
                                        "http://[::1]:80/" };
    static const char *const there[] = { "http://127.0.0.1.example.org/",
                                         "http://127.example.org/",
                                         "http://localhost.example.org/",
                                         "http://10.0.0.1/",
                                         "http://[fe80::1]/",
                                         "https://api.example.org/v1",
                                         "http://localhost@example.org/",
                                         "ftp://localhost/",
                                         "" };
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        if (!client_is_local(here[i])) fail_msg("%s is not local", here[i]);
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (client_is_local(there[i])) fail_msg("%s is local", there[i]);
    char host[256];
    struct err err = { 0 };
    check_ok(client_host("https://u:p@api.example.org:8443/v1", host, &err), err);
    check_str(host, "api.example.org:8443");
    check_int(client_host("file:///etc/passwd", host, &err), ERR_INVAL);
    check_int(client_host("gopher://x/", host, &err), ERR_INVAL);
}

static void plain_http_stays_on_this_machine(void **state)
{
    struct buf reply = BUF_INIT(0);
    struct err err = { 0 };
    check_int(client_post(&(struct client_call){ .url = "http://192.0.2.1/v1" }, &reply, &err),
              ERR_INVAL);
    check_has(err.msg, "https://");
    buf_free(&reply);
}

/* Every way of cutting a stream in two gives the same events. */
static void events_may_be_cut_anywhere(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "data: a\r\ndata: b\r\n\r\n:c\r\rdata:c\r\rid: 1\ndata:  d\n\n"
                               "datax: no\ndata: e\n\n";
    for (size_t cut = 0; cut <= sizeof text - 1; cut++) {
        struct seen seen = { .text = "" };
        struct sse s = { .event = on_event, .ud = &seen, .max = 100 };
        struct err err = { 0 };
        check_ok(sse_feed(&s, text, cut, &err), err);
        check_ok(sse_feed(&s, text + cut, sizeof text - 1 - cut, &err), err);
        check_str(seen.text, "a\nb|c| d|e|");
        sse_free(&s);
    }
}

static void an_event_has_a_maximum(void **state)
{
    struct seen seen = { .text = "" };
    struct sse s = { .event = on_event, .ud = &seen, .max = 8 };
    struct err err = { 0 };
    check_int(sse_feed(&s, "data: 123456", 12, &err), ERR_LIMIT);
    sse_free(&s);
    s = (struct sse){ .event = on_event, .ud = &seen, .max = 12 };
    check_int(sse_feed(&s, "data: 12345\ndata: 12345\ndata: 1\n", 32, &err), ERR_LIMIT);
    sse_free(&s);
    check_int(seen.n, 0);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_document_comes_whole),
        cmocka_unit_test(without_a_body_it_is_a_get),
        cmocka_unit_test(events_come_as_they_are_sent),
        cmocka_unit_test(a_server_that_cannot_stream_gives_a_document),
        cmocka_unit_test(the_reader_can_stop),
        cmocka_unit_test(whoever_waits_can_stop),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(what_is_busy_is_asked_again),
        cmocka_unit_test(retry_after_is_obeyed),
        cmocka_unit_test(a_long_wait_is_said_and_not_waited),
        cmocka_unit_test(an_answer_that_broke_off_is_not_asked_for_again),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(statuses_are_told_apart),
        cmocka_unit_test(what_was_sent_is_never_in_a_message),
        cmocka_unit_test(a_reply_has_a_maximum),
        cmocka_unit_test(which_hosts_are_this_machine),
        cmocka_unit_test(plain_http_stays_on_this_machine),
        cmocka_unit_test(events_may_be_cut_anywhere),
        cmocka_unit_test(an_event_has_a_maximum),
    };
    return check_run("net/client", t);
}
