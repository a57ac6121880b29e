/* A load generator. One thread and epoll; every connection has one request under way, so as many
 * are waiting at the server as there are connections, and the rate is the server's own (a closed
 * loop). Time is taken from the first byte sent to the last one received.
 *
 * It shares the machine's cores with the server, so it does little: requests are made beforehand,
 * and of an answer it reads the status and Content-Length. */
#include "load.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)16 << 20)

struct connection {
    int fd;
    const char *out; /* what is to be sent */
    size_t out_n, sent;
    double began, due; /* due: when the next request goes out; 0: one is under way */
    size_t want;       /* bytes of the answer, once its head is here; else 0 */
    int status;
    struct buf in;
};

struct running {
    const struct load *l;
    struct load_result *r;
    int epoll;
    struct connection *c;
    float *took;
    size_t cap;
    uint64_t asked;
    double until;
};

uint64_t load_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r)) return 0;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r)) getrlimit(RLIMIT_NOFILE, &r);
    return r.rlim_cur;
}

int load_connect(int port, struct err *err)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) return err_errno(err, "cannot make a socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        int rc = err_errno(err, "cannot connect to port %d", port);
        close(fd);
        return rc;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

void load_request(struct buf *out, const char *method, const char *path, const char *token,
                  const char *json)
{
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path);
    if (token) buf_printf(out, "Authorization: Bearer %s\r\n", token);
    if (json)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(json));
    buf_adds(out, "\r\n");
    if (json) buf_adds(out, json);
}

/* ---- answers ---- */

/* Length of the whole answer once its head is there, 0 until then; SIZE_MAX: it cannot be read. */
static size_t answer_size(const char *p, size_t n, int *status)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return n > 65536 ? SIZE_MAX : 0;
    size_t head = (size_t)(end - p) + 4, length = 0;
    bool told = false;
    if (n < 12 || memcmp(p, "HTTP/1.1 ", 9) != 0) return SIZE_MAX;
    *status = (int)strtol(p + 9, NULL, 10);
    for (const char *line = p; line < end && (line = memchr(line, '\n', (size_t)(end - line)));) {
        line++;
        if (strncasecmp(line, "content-length:", 15) != 0) continue;
        length = strtoul(line + 15, NULL, 10);
        told = true;
    }
    if (!told && *status != 204) return SIZE_MAX;
    return length < ANSWER_MAX ? head + length : SIZE_MAX;
}

/* ---- many connections ---- */

static int watch(struct running *x, struct connection *c, int op, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = c };
    return epoll_ctl(x->epoll, op, c->fd, &e) ? ERR_IO : 0;
}

static int send_some(struct running *x, struct connection *c, struct err *err)
{
    while (c->sent < c->out_n) {
        ssize_t n = send(c->fd, c->out + c->sent, c->out_n - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return watch(x, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        if (n < 0) return err_errno(err, "the server left while a request was sent");
        c->sent += (size_t)n;
    }
    return 0;
}

static bool enough(const struct running *x) { return x->l->most && x->asked >= x->l->most; }

static int ask(struct running *x, struct connection *c, struct err *err)
{
    c->due = 0;
    if (enough(x)) return 0;
    x->asked++;
    c->out = x->l->next(x->l->ud, &c->out_n);
    c->sent = c->want = 0;
    c->began = clock_mono();
    buf_clear(&c->in);
    return send_some(x, c, err);
}

static int note(struct running *x, struct connection *c, struct err *err)
{
    struct load_result *r = x->r;
    if (r->answers == x->cap) {
        size_t cap = x->cap ? 2 * x->cap : 65536;
        float *grown = realloc(x->took, cap * sizeof *grown);
        if (!grown) return err_nomem(err);
        x->took = grown;
        x->cap = cap;
    }
    x->took[r->answers++] = (float)(clock_mono() - c->began);
    if (c->status < 200 || c->status > 299) {
        size_t n = c->in.n < sizeof r->first_bad - 1 ? c->in.n : sizeof r->first_bad - 1;
        if (!r->bad++) memcpy(r->first_bad, c->in.p, n);
    }
    return 0;
}

static int receive(struct running *x, struct connection *c, struct err *err)
{
    if (buf_reserve(&c->in, 16384)) return err_nomem(err);
    ssize_t n = recv(c->fd, c->in.p + c->in.n, c->in.cap - c->in.n - 1, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : err_errno(err, "the server left");
    if (!n) return err_set(err, ERR_IO, "the server closed a connection");
    c->in.n += (size_t)n;
    if (!c->want) c->want = answer_size(c->in.p, c->in.n, &c->status);
    if (c->want == SIZE_MAX) return err_set(err, ERR_PARSE, "an answer cannot be read");
    if (!c->want || c->in.n < c->want) return 0;
    int rc = note(x, c, err);
    if (rc || x->l->pause > 0) {
        c->due = clock_mono() + x->l->pause;
        return rc;
    }
    return ask(x, c, err);
}

/* Sends what is due, and says how long to wait for the next thing, in milliseconds. */
static int send_due(struct running *x, int *wait, struct err *err)
{
    double now = clock_mono(), first = x->until;
    int rc = 0;
    for (int i = 0; i < x->l->connections && !rc && x->l->pause > 0; i++) {
        struct connection *c = &x->c[i];
        if (c->due > 0 && c->due <= now) rc = ask(x, c, err);
        if (c->due > 0 && c->due < first) first = c->due;
    }
    *wait = first > now ? (int)((first - now) * 1e3) + 1 : 0;
    return rc;
}

static bool is_over(const struct running *x)
{
    const struct load *l = x->l;
    return clock_mono() >= x->until || (l->most && x->r->answers >= l->most) ||
           (l->over && l->over(l->ud));
}

static int loop(struct running *x, struct err *err)
{
    struct epoll_event events[64];
    int rc = 0, wait = 0;
    for (;;) {
        rc = send_due(x, &wait, err);
        if (rc || is_over(x)) return rc;
        int n = epoll_wait(x->epoll, events, 64, wait);
        for (int i = 0; i < n && !rc; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                watch(x, c, EPOLL_CTL_MOD, EPOLLIN);
                rc = send_some(x, c, err);
            }
            if (!rc && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) rc = receive(x, c, err);
        }
        if (rc) return rc;
    }
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void sum_up(struct running *x)
{
    struct load_result *r = x->r;
    if (!r->answers || !x->took) return;
    qsort(x->took, r->answers, sizeof *x->took, by_size);
    r->p50 = (double)x->took[r->answers / 2];
    r->p99 = (double)x->took[r->answers * 99 / 100];
    r->max = (double)x->took[r->answers - 1];
}

int load_run(const struct load *l, struct load_result *out, struct err *err)
{
    struct running x = { .l = l, .r = out, .epoll = epoll_create1(EPOLL_CLOEXEC) };
    int rc = 0, open = 0;
    *out = (struct load_result){ 0 };
    x.c = calloc((size_t)l->connections, sizeof *x.c);
    if (x.epoll < 0 || !x.c) rc = err_nomem(err);
    for (; open < l->connections && !rc; open++) {
        struct connection *c = &x.c[open];
        c->in = BUF_INIT(ANSWER_MAX + 65536);
        c->fd = load_connect(l->port, err);
        rc = c->fd < 0 ? c->fd : watch(&x, c, EPOLL_CTL_ADD, EPOLLIN);
    }
    double start = clock_mono();
    x.until = start + l->seconds;
    for (int i = 0; i < open && !rc; i++) rc = ask(&x, &x.c[i], err);
    if (!rc) rc = loop(&x, err);
    out->seconds = clock_mono() - start;
    sum_up(&x);
    for (int i = 0; i < open; i++) {
        if (x.c[i].fd >= 0) close(x.c[i].fd);
        buf_free(&x.c[i].in);
    }
    if (x.epoll >= 0) close(x.epoll);
    free(x.c);
    free(x.took);
    return rc;
}

/* ---- one at a time ---- */

int load_ask(int port, const char *method, const char *path, const char *token, const char *json,
             struct buf *out, struct err *err)
{
    struct buf request = BUF_INIT(0);
    struct connection c = { .in = BUF_INIT(ANSWER_MAX + 65536) };
    int rc = c.fd = load_connect(port, err);
    load_request(&request, method, path, token, json);
    buf_clear(out);
    for (size_t at = 0; rc >= 0 && at < request.n;) {
        ssize_t n = send(c.fd, request.p + at, request.n - at, MSG_NOSIGNAL);
        if (n < 0) rc = err_errno(err, "the server left");
        else at += (size_t)n;
    }
    while (rc >= 0 && (!c.want || c.in.n < c.want)) {
        ssize_t n =
            buf_reserve(&c.in, 16384) ? -1 : recv(c.fd, c.in.p + c.in.n, c.in.cap - c.in.n - 1, 0);
        if (n <= 0)
            rc = err_set(err, ERR_IO, "%s %s: the server closed the connection", method, path);
        else c.in.n += (size_t)n;
        if (rc >= 0 && !c.want) c.want = answer_size(c.in.p, c.in.n, &c.status);
        if (c.want == SIZE_MAX)
            rc = err_set(err, ERR_PARSE, "%s %s: no answer to read", method, path);
    }
    if (rc >= 0) {
        const char *body = (const char *)memmem(c.in.p, c.in.n, "\r\n\r\n", 4) + 4;
        buf_add(out, body, c.want - (size_t)(body - c.in.p));
        rc = c.status;
    }
    if (c.fd >= 0) close(c.fd);
    buf_free(&c.in);
    buf_free(&request);
    return rc;
}
