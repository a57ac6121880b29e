/* A server inside a test: routes of the test's own over real accounts, and a client that sends
 * bytes as they are.
 *
 *     struct local l;
 *     local_open(&l, &(struct server_opts){ .tables = tables });
 *     struct reply a = local_ask(&l, "GET", "/healthz", NULL, NULL);
 *     check_int(a.status, 200); check_has(a.body, "ok");
 *     reply_free(&a);
 *     local_close(&l); */
#ifndef LK_TESTS_HTTP_LOCAL_H
#define LK_TESTS_HTTP_LOCAL_H

#include "base/io.h"
#include "base/str.h"
#include "check.h"
#include "http/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

struct local {
    char dir[300], home[340];
    struct vault *vault;
    struct world world;
    struct accounts *accounts;
    struct server *server;
    int port;
    int64_t account;
    struct account_tokens tokens; /* of ann@example.org */
};

static inline void local_open(struct local *l, const struct server_opts *o)
{
    struct err err = { 0 };
    struct secret secret = { .passphrase = "correct horse", .passphrase_n = 13 };
    struct server_opts mine = *o;
    memset(l, 0, sizeof *l);
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(l->dir, sizeof l->dir, "%s", check_tmp_dir());
    snprintf(l->home, sizeof l->home, "%s/home", l->dir);
    check_ok(vault_create(l->home, &secret, &err), err);
    check_ok(vault_unlock(l->home, &secret, &l->vault, &err), err);
    check_ok(service_open(l->home, l->vault, &l->world.service, &err), err);
    check_ok(accounts_open(l->world.service, NULL, &l->accounts, &err), err);
    check_ok(account_create(l->accounts, "ann@example.org", "a long secret", &l->account, &err),
             err);
    check_ok(account_login(l->accounts, "ann@example.org", "a long secret", "test", "127.0.0.1",
                           &l->tokens, NULL, &err),
             err);
    if (!mine.log) mine.log = "none";
    if (!mine.threads) mine.threads = 2;
    check_ok(server_start(&mine, &l->world, l->accounts, &l->server, &err), err);
    l->port = server_port(l->server);
}

static inline void local_close(struct local *l)
{
    server_stop(l->server, 5);
    accounts_close(l->accounts);
    service_close(l->world.service);
    vault_lock(l->vault);
    io_remove_tree(l->dir, NULL);
    memset(l, 0, sizeof *l);
}

/* ---- a client ---- */
static inline int local_connect(const struct local *l)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
    struct timeval patience = { .tv_sec = 600 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) fail_msg("cannot connect");
    return fd;
}

static inline bool local_send(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0) return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

static inline void local_says(int fd, const char *s)
{
    if (!local_send(fd, s, strlen(s))) fail_msg("the server does not listen");
}

struct reply {
    int status;
    struct buf all;   /* head and body, as they came */
    const char *body; /* in all */
};

static inline void reply_free(struct reply *a) { buf_free(&a->all); }

/* Reads one reply with a Content-Length, or until the end. interim: also the ones before it (100).
 */
static inline struct reply local_reads(int fd)
{
    struct reply a = { .all = BUF_INIT(64 << 20), .body = "" };
    size_t need = SIZE_MAX;
    char p[16384];
    while (a.all.n < need) {
        const char *end = a.all.n ? strstr(buf_str(&a.all), "\r\n\r\n") : NULL;
        struct span head = { a.all.p, end ? (size_t)(end - a.all.p) : 0 };
        const char *length = span_ifind(head, "content-length:");
        if (length) need = (size_t)(end - a.all.p) + 4 + (size_t)strtoul(length + 15, NULL, 10);
        else if (end && (strstr(buf_str(&a.all), " 100 Continue") ||
                         !strncmp(buf_str(&a.all) + 8, " 204", 4))) /* has no body */
            need = (size_t)(end - a.all.p) + 4;
        if (a.all.n >= need) break;
        size_t want = !end ? 1 : need - a.all.n < sizeof p ? need - a.all.n : sizeof p;
        ssize_t n = recv(fd, p, want, 0);
        if (n < 0 && errno == EAGAIN) fail_msg("no reply within a minute");
        if (n <= 0) break;
        buf_add(&a.all, p, (size_t)n);
    }
    const char *end = a.all.n ? strstr(buf_str(&a.all), "\r\n\r\n") : NULL;
    if (end) {
        a.status = (int)strtol(a.all.p + 9, NULL, 10);
        a.body = end + 4;
    }
    return a;
}

static inline void local_request(int fd, const char *method, const char *path, const char *head,
                                 const char *body)
{
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "%s %s HTTP/1.1\r\nHost: test\r\n%s", method, path, head ? head : "");
    if (body && !(head && strcasestr(head, "transfer-encoding")))
        buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
    buf_printf(&b, "\r\n%s", body ? body : "");
    local_send(fd, b.p, b.n);
    buf_free(&b);
}

/* One request on a connection of its own. head: "Name: value\r\n" lines. */
static inline struct reply local_ask(const struct local *l, const char *method, const char *path,
                                     const char *head, const char *body)
{
    int fd = local_connect(l);
    local_request(fd, method, path, head, body);
    struct reply a = local_reads(fd);
    close(fd);
    return a;
}

/* The bytes as they are; the first reply. */
static inline struct reply local_raw(const struct local *l, const char *bytes)
{
    int fd = local_connect(l);
    local_send(fd, bytes, strlen(bytes));
    struct reply a = local_reads(fd);
    close(fd);
    return a;
}

/* "Authorization: Bearer ...\r\n" and more; static, until the next call. */
static inline const char *local_auth(const struct local *l, const char *more)
{
    static char head[2048];
    snprintf(head, sizeof head, "Authorization: Bearer %s\r\n%s", l->tokens.access,
             more ? more : "");
    return head;
}

#define check_reply(a, want_status, part)                                                          \
    do {                                                                                           \
        struct reply a_ = (a);                                                                     \
        if (a_.status != (want_status) || !strstr(buf_str(&a_.all), (part)))                       \
            fail_msg("%s: got %d, want %d with \"%s\": %s", #a, a_.status, (want_status), (part),  \
                     buf_str(&a_.all));                                                            \
        reply_free(&a_);                                                                           \
    } while (0)

#endif
