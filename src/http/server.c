/* The server: settings made whole, the socket, libmicrohttpd, and the order of starting and
 * stopping.
 *
 * libmicrohttpd runs `threads` threads with epoll; they never wait for anything but the network
 * (request.c). The listening socket is ours, because then a busy port or a strange address is told
 * in words. Its log is only listened to while it starts, for the same reason; afterwards its
 * sentences are about single connections and hold paths.
 *
 * Plain HTTP goes to loopback only, unless told otherwise: tokens travel in these requests.
 *
 * Stopping, in order: new connections are refused and /readyz says so; handlers under way have
 * their seconds; then `closing` makes everything that asks call_gone, stream_gone or socket_gone
 * stop, kept streams and sockets are let go, and what handlers are left is waited for, however
 * long: a thread cannot be taken out of a transaction. Replies get a moment to be sent. Only when
 * no connection is suspended any more may libmicrohttpd be stopped. An errand is counted before it
 * is looked whether the server closes, and the other way round here, so none is missed. */
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "base/threads.h"
#include "http/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, OTHER_FILES = 256, CONNECTIONS = 16384, REPLY_S = 5 };

/* What libmicrohttpd says while it starts, in this thread. */
static _Thread_local char *hears;
static _Thread_local size_t hears_n;

static void hear(void *ud, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void hear(void *ud, const char *fmt, va_list ap)
{
    (void)ud;
    if (!hears) return;
    vsnprintf(hears, hears_n, fmt, ap);
    hears[strcspn(hears, "\n")] = 0;
}

/* ---- settings ---- */
static int files_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r)) return 1024;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
        getrlimit(RLIMIT_NOFILE, &r);
    }
    return r.rlim_cur > 1 << 20 ? 1 << 20 : (int)r.rlim_cur;
}

static double rate(double given, double usual) { return given > 0 || given < 0 ? given : usual; }

static int copy_text(struct server *s, const char **p, struct err *err)
{
    if (!*p) return 0;
    *p = arena_strdup(s->mem, *p);
    return *p ? 0 : err_nomem(err);
}

static int settle_opts(struct server *s, const struct server_opts *given, struct err *err)
{
    struct server_opts *o = &s->o;
    int cores = (int)sysconf(_SC_NPROCESSORS_ONLN), files = files_limit();
    *o = *given;
    if (!o->address) o->address = "127.0.0.1";
    int rc = copy_text(s, &o->address, err);
    if (!rc) rc = copy_text(s, &o->tls_cert, err);
    if (!rc) rc = copy_text(s, &o->tls_key, err);
    if (!rc) rc = copy_text(s, &o->origins, err);
    if (rc) return rc;
    if (!o->tls_cert != !o->tls_key)
        return err_set(err, ERR_INVAL, "TLS takes both a certificate and its key");
    if (o->port < 0 || o->port > 65535)
        return err_set(err, ERR_INVAL, "a port is a number from 0 to 65535");
    if (cores < 1) cores = 1;
    if (o->threads <= 0) o->threads = cores;
    if (o->workers <= 0) o->workers = 2 * cores;
    if (o->queue <= 0) o->queue = 1024;
    if (o->idle_seconds <= 0) o->idle_seconds = 60;
    if (o->slow_seconds <= 0) o->slow_seconds = 30;
    if (o->quiet_seconds <= 0) o->quiet_seconds = 15;
    if (o->connections <= 0) o->connections = CONNECTIONS;
    if (files < 2 * OTHER_FILES)
        return err_set(err, ERR_LIMIT, "only %d open files are allowed: raise it (ulimit -n)",
                       files);
    if (o->connections > files - OTHER_FILES) o->connections = files - OTHER_FILES;
    if (o->connections < o->threads) o->connections = o->threads;
    o->rate_account = rate(o->rate_account, 200);
    o->rate_address = rate(o->rate_address, 400);
    o->rate_login = rate(o->rate_login, 1);
    if (!o->tables) o->tables = route_tables;
    return 0;
}

/* ---- the socket ---- */
static bool loopback(const struct sockaddr *a)
{
    const struct sockaddr_in *four = (const void *)a;
    const struct sockaddr_in6 *six = (const void *)a;
    if (a->sa_family == AF_INET) return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static int listen_on(const struct addrinfo *a, const struct server_opts *o, int *out,
                     struct err *err)
{
    int on = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_errno(err, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG)) {
        *out = fd;
        return 0;
    }
    int e = errno;
    close(fd);
    if (e == EADDRINUSE)
        return err_set(err, ERR_BUSY, "port %d of %s is in use: choose another with --port",
                       o->port, o->address);
    if (e == EACCES)
        return err_set(err, ERR_INVAL,
                       "port %d is for the system alone: choose one from 1024 up with --port",
                       o->port);
    errno = e;
    return err_errno(err, "cannot listen on %s, port %d", o->address, o->port);
}

static int open_socket(const struct server_opts *o, int *out, struct err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *a = NULL;
    char port[8];
    snprintf(port, sizeof port, "%d", o->port);
    int rc = getaddrinfo(o->address, port, &hints, &a);
    if (rc)
        return err_set(err, ERR_INVAL, "cannot listen on \"%s\": %s", o->address, gai_strerror(rc));
    if (!o->tls_cert && !o->plain_anywhere && !loopback(a->ai_addr))
        rc = err_set(err, ERR_INVAL,
                     "%s can be reached from other machines, and without TLS passwords would be "
                     "readable on the way: give --tls-cert and --tls-key, or --plain yes behind "
                     "a proxy that does TLS",
                     o->address);
    if (!rc) rc = listen_on(a, o, out, err);
    freeaddrinfo(a);
    return rc;
}

int server_port(const struct server *s)
{
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } a;
    socklen_t n = sizeof a;
    memset(&a, 0, sizeof a);
    if (!i || getsockname(i->listen_fd, &a.any, &n)) return 0;
    return ntohs(a.any.sa_family == AF_INET6 ? a.six.sin6_port : a.four.sin_port);
}

/* ---- libmicrohttpd ---- */
static void on_connection(void *cls, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        link_free(s->links, *ctx);
        *ctx = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *ctx = fd ? link_new(s->links, fd->connect_fd, from ? from->client_addr : NULL) : NULL;
}

static enum MHD_Result may_connect(void *cls, const struct sockaddr *a, socklen_t n)
{
    struct server *s = cls;
    (void)a;
    (void)n;
    return atomic_load(&s->stopping) ? MHD_NO : MHD_YES;
}

/* Paths and queries come as they are: percent_decode knows what to refuse. */
static size_t as_it_is(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static int read_pem(const char *path, struct buf *out, struct err *err)
{
    int rc = io_read_file(path, 1 << 20, out, err);
    return rc ? err_prefix(err, rc, "TLS") : 0;
}

static int start_daemon(struct server *s, int fd, const struct buf *cert, const struct buf *key,
                        struct err *err)
{
    const struct server_opts *o = &s->o;
    char said[300] = "";
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG | (cert->n ? MHD_USE_TLS : 0);
    struct MHD_OptionItem more[8];
    int n = 0;
    if (o->threads > 1)
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, o->threads, NULL };
    if (cert->n) {
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, cert->p };
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, key->p };
    }
    /* One client must not take all connections; on loopback, or behind a proxy, all are one. */
    if (!o->trust_proxy && o->plain_anywhere + (cert->n > 0) > 0)
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                             o->connections / 4 + 1, NULL };
    more[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    sigset_t old;
    threads_mask(&old); /* its threads inherit it */
    hears = said;
    hears_n = sizeof said;
    s->daemon = MHD_start_daemon(
        flags, 0, may_connect, s, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, hear, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, as_it_is,
        NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_MEMORY, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_seconds, MHD_OPTION_ARRAY, more,
        MHD_OPTION_END);
    hears = NULL;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (s->daemon) return 0;
    if (cert->n)
        return err_set(err, ERR_INVAL,
                       "cannot use the certificate %s with the key %s: are both PEM, and do they "
                       "belong together? (%s)",
                       o->tls_cert, o->tls_key, said);
    return err_set(err, ERR_INTERNAL, "the HTTP server cannot start (%s)", said);
}

static int open_daemon(struct server *s, struct err *err)
{
    struct buf cert = BUF_INIT(0), key = BUF_INIT(0);
    int fd = -1;
    int rc = s->o.tls_cert ? read_pem(s->o.tls_cert, &cert, err) : 0;
    if (!rc && s->o.tls_key) rc = read_pem(s->o.tls_key, &key, err);
    if (!rc && s->o.tls_cert && (!cert.n || !key.n))
        rc = err_set(err, ERR_INVAL, "the certificate or its key is an empty file");
    if (!rc) rc = open_socket(&s->o, &fd, err);
    if (!rc) rc = start_daemon(s, fd, &cert, &key, err);
    if (rc && fd >= 0) close(fd);
    buf_free(&cert);
    buf_free(&key);
    return rc;
}

/* ---- starting and stopping ---- */
static void server_free(struct server *s)
{
    workers_close(s->workers);
    if (s->streams) streams_close(s);
    if (s->sockets) sockets_close(s);
    links_close(s->links);
    health_close(s);
    log_close(s->log);
    metrics_free(s->metrics);
    limits_free(s->limits);
    router_close(s->router);
    arena_free(s->mem);
    free(s);
}

int server_start(const struct server_opts *o, struct world *w, struct accounts *as,
                 struct server **out, struct err *err)
{
    struct server *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s || sodium_init() < 0) {
        free(s);
        return err_nomem(err);
    }
    s->world = w;
    s->accounts = as;
    randombytes_buf(&s->seed, sizeof s->seed);
    s->mem = arena_new(0);
    int rc = s->mem ? settle_opts(s, o, err) : err_nomem(err);
    if (!rc) rc = router_open(s->o.tables, &s->router, err);
    if (!rc) rc = log_open(s->o.log, &s->log, err);
    if (!rc && !(s->metrics = metrics_new(s->router))) rc = err_nomem(err);
    if (!rc && !(s->limits = limits_new(s->o.rate_account, s->o.rate_address, s->o.rate_login)))
        rc = err_nomem(err);
    if (!rc) rc = health_open(s, err);
    if (!rc) rc = links_open(s, &s->links, err);
    if (!rc) rc = workers_open(s->o.workers, s->o.queue, &s->workers, err);
    if (!rc) rc = streams_open(s, err);
    if (!rc) rc = sockets_open(s, err);
    if (!rc) rc = open_daemon(s, err);
    if (!rc) {
        *out = s;
        return 0;
    }
    if (s->streams) streams_stop(s);
    if (s->sockets) sockets_stop(s);
    server_free(s);
    return rc;
}

static void wait_for(_Atomic uint64_t *count, double until)
{
    while (atomic_load(count) && (until < 0 || clock_mono() < until)) usleep(5000);
}

void server_stop(struct server *s, int seconds)
{
    if (!s) return;
    atomic_store(&s->stopping, true);
    wait_for(&s->errands, clock_mono() + seconds);
    atomic_store(&s->closing, true);
    streams_stop(s);
    sockets_stop(s);
    wait_for(&s->errands, -1);
    wait_for(&s->in_flight, clock_mono() + (seconds < REPLY_S ? seconds : REPLY_S));
    MHD_stop_daemon(s->daemon);
    server_free(s);
}
