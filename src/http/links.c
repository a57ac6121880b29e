/* Connections, and the one thread that looks after them.
 *
 * libmicrohttpd closes a connection on which nothing moves for `idle_seconds`. That is no help
 * against somebody who sends a byte now and then, so each connection also has a moment until which
 * what is expected of it must be here: the head of a request, or bytes of a body at not less than
 * 32 KiB/s after the first half minute. The keeper looks at all of them once a second and shuts
 * down those whose time is up; libmicrohttpd then sees the end of the stream and closes as usual.
 *
 * It also wakes libmicrohttpd for clients that have closed their side. That listens by epoll, edge
 * triggered, and takes a read that fills less than its buffer for the last there is (0.9.75): a
 * close that came in together with the last bytes is lost to it, and the connection, with what was
 * sent of an upload, would stay until it has been idle for long enough.
 *
 * A reply that is sent before the request was read to its end (a body that is too large, sent to
 * somebody who may not send one) would be lost: closing a socket with unread bytes resets it, and
 * the reset may overtake the reply. So a copy of such a descriptor is kept for two seconds and what
 * comes in is thrown away (RFC 9112, section 9.6).
 *
 * The list's lock is taken when a connection begins or ends and by the keeper; link_free is called
 * before the descriptor is closed, so the keeper never shuts down somebody else's. `until` is
 * atomic. The keeper also writes out the log, five times a second. */
#include "base/clock.h"
#include "base/threads.h"
#include "http/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 200, LINGER_S = 2, LINGER_MOST = 256 };

struct link {
    struct link *prev, *next;
    int fd;
    bool linger;
    _Atomic int64_t until;
    char address[INET6_ADDRSTRLEN];
};

struct lingering {
    int fd;
    int64_t until;
};

struct links {
    pthread_mutex_t m;
    pthread_cond_t wake;
    struct link *head;
    struct lingering late[LINGER_MOST];
    size_t n_late;
    bool stop;
    _Atomic int64_t now;
    pthread_t keeper;
    struct server *server;
};

/* The client has closed its side and all that it sent has been read: shutting down for reading what
 * ends here anyway changes nothing but makes epoll tell of it again. */
static void tell_of_end(int fd)
{
    char next;
    if (recv(fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0) shutdown(fd, SHUT_RD);
}

static void look(struct links *l, int64_t now)
{
    for (struct link *k = l->head; k; k = k->next) {
        int64_t until = atomic_load_explicit(&k->until, memory_order_relaxed);
        if (until && now > until) shutdown(k->fd, SHUT_RDWR);
        else tell_of_end(k->fd);
    }
}

static bool drained(int fd)
{
    char waste[4096];
    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
        if (n > 0) continue;
        return n == 0 || (errno != EAGAIN && errno != EINTR);
    }
    return false;
}

static void drain_late(struct links *l, int64_t now)
{
    for (size_t i = 0; i < l->n_late;) {
        struct lingering *g = &l->late[i];
        if (now > g->until || drained(g->fd)) {
            close(g->fd);
            *g = l->late[--l->n_late];
        } else i++;
    }
}

static void *keep(void *ud)
{
    struct links *l = ud;
    pthread_mutex_lock(&l->m);
    while (!l->stop) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t now = t.tv_sec, before = atomic_exchange(&l->now, now);
        if (now != before) look(l, now);
        drain_late(l, now);
        pthread_mutex_unlock(&l->m);
        log_flush(l->server->log);
        pthread_mutex_lock(&l->m);
        t.tv_nsec += TICK_MS * 1000000L;
        if (t.tv_nsec >= 1000000000L) {
            t.tv_sec++;
            t.tv_nsec -= 1000000000L;
        }
        if (!l->stop) pthread_cond_timedwait(&l->wake, &l->m, &t);
    }
    pthread_mutex_unlock(&l->m);
    return NULL;
}

int links_open(struct server *s, struct links **out, struct err *err)
{
    struct links *l = calloc(1, sizeof *l);
    pthread_condattr_t attr;
    *out = NULL;
    if (!l) return err_nomem(err);
    l->server = s;
    atomic_store(&l->now, (int64_t)clock_mono());
    pthread_mutex_init(&l->m, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    int rc = thread_start(&l->keeper, keep, l, err);
    if (!rc) {
        *out = l;
        return 0;
    }
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->m);
    free(l);
    return rc;
}

void links_close(struct links *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->m);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->m);
    pthread_join(l->keeper, NULL);
    for (size_t i = 0; i < l->n_late; i++) close(l->late[i].fd);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->m);
    free(l);
}

static void address_text(const struct sockaddr *from, char out[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in6 *six = (const void *)from;
    const struct sockaddr_in *four = (const void *)from;
    out[0] = 0;
    if (from && from->sa_family == AF_INET)
        inet_ntop(AF_INET, &four->sin_addr, out, INET6_ADDRSTRLEN);
    if (from && from->sa_family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
        inet_ntop(mapped ? AF_INET : AF_INET6, six->sin6_addr.s6_addr + (mapped ? 12 : 0), out,
                  INET6_ADDRSTRLEN);
    }
}

struct link *link_new(struct links *l, int fd, const struct sockaddr *from)
{
    struct link *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->fd = fd;
    address_text(from, k->address);
    atomic_store_explicit(&k->until, links_now(l) + l->server->o.slow_seconds,
                          memory_order_relaxed);
    pthread_mutex_lock(&l->m);
    k->next = l->head;
    if (k->next) k->next->prev = k;
    l->head = k;
    pthread_mutex_unlock(&l->m);
    return k;
}

void link_free(struct links *l, struct link *k)
{
    if (!k) return;
    pthread_mutex_lock(&l->m);
    if (k->prev) k->prev->next = k->next;
    else l->head = k->next;
    if (k->next) k->next->prev = k->prev;
    if (k->linger && l->n_late < LINGER_MOST) {
        int fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0) {
            shutdown(fd, SHUT_WR);
            l->late[l->n_late++] = (struct lingering){ fd, links_now(l) + LINGER_S };
        }
    }
    pthread_mutex_unlock(&l->m);
    free(k);
}

const char *link_address(const struct link *k) { return k->address; }

int64_t links_now(const struct links *l)
{
    return atomic_load_explicit(&l->now, memory_order_relaxed);
}

void link_until(struct link *k, int64_t seconds)
{
    atomic_store_explicit(&k->until, seconds, memory_order_relaxed);
}

void link_linger(struct link *k) { k->linger = true; }

bool link_gone(const struct link *k)
{
    struct pollfd p = { .fd = k->fd, .events = POLLRDHUP };
    return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}
