/* WebSockets (RFC 6455): libmicrohttpd upgrades the connection, wslay speaks the protocol, and one
 * thread waits for all of them.
 *
 * Each text message is JSON and becomes a request of its own (request_again): who sends it is asked
 * again, so a token that ran out or was revoked ends the socket; it is checked, limited, run,
 * logged and counted as any request. Messages of one socket are run one after the other, by
 * whatever worker is free; while WAITING of them wait, nothing more is read and TCP holds the
 * client back. What a handler sends leaves at once, from its own thread; when the client takes less
 * than it gets, the handler waits, and after SLOW_S in which nothing moved the socket is closed.
 *
 * Locks: a socket's lock covers its fields and wslay's state, whose callbacks run with it held and
 * only copy bytes. The lock of the table covers the list and is taken before a socket's.
 * libmicrohttpd is called with neither: it calls socket_over with a lock of its own held.
 *
 * Only the thread here takes sockets off the list and hands the descriptor back, so what epoll
 * reports is never about a socket that is gone. References: one of the connection, one of the list,
 * one of the errand under way. */
#include "base/clock.h"
#include "base/threads.h"
#include "http/bell.h"
#include "http/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

enum {
    WAITING = 8,
    ROOM = 262144,
    UNSENT = 64,
    PING_S = 30,
    DEAD_S = 75,
    SLOW_S = 30,
    DRAIN_S = 2,
    BATCH = 64
};

struct message {
    struct message *next;
    size_t n;
    char text[];
};

struct socket {
    pthread_mutex_t m;
    pthread_cond_t moved; /* bytes went out, or it is over */
    atomic_int refs;
    struct request *q; /* the one that was upgraded */
    const char *token; /* its own; NULL: none */
    struct sockets *all;
    struct socket *prev, *next; /* of the list */
    int fd;                     /* -1: over */
    int net;                    /* the connection itself, where fd is one of a pair */
    struct MHD_UpgradeResponseHandle *handle;
    wslay_event_context_ptr ws;
    struct buf early; /* came together with the handshake */
    size_t early_at;
    size_t unsent; /* bytes of messages that wslay has */
    double heard, pinged;
    unsigned events; /* what epoll waits for */
    bool failed;     /* the connection broke, or all is said */
    double drained;  /* until then what still comes is thrown away; 0: not yet */
    struct message *first, **last;
    int waiting;
    bool busy; /* an errand is under way */
    struct work work;
};

struct sockets {
    pthread_mutex_t m;
    struct socket *head;
    struct server *server;
    struct bell bell;
    bool stop;
    pthread_t thread;
};

static void release(struct socket *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1) return;
    for (struct message *t; (t = s->first);) {
        s->first = t->next;
        explicit_bzero(t->text, t->n);
        free(t);
    }
    if (s->ws) wslay_event_context_free(s->ws);
    buf_free(&s->early);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->m);
    request_drop(s->q);
    free(s);
}

/* ---- what wslay calls, with the lock held ---- */

static ssize_t get_bytes(wslay_event_context_ptr ws, uint8_t *p, size_t n, int flags, void *ud)
{
    struct socket *s = ud;
    (void)flags;
    if (s->waiting >= WAITING || wslay_event_get_queued_msg_count(ws) > UNSENT) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (s->early_at < s->early.n) {
        size_t k = s->early.n - s->early_at < n ? s->early.n - s->early_at : n;
        memcpy(p, s->early.p + s->early_at, k);
        s->early_at += k;
        return (ssize_t)k;
    }
    ssize_t k;
    do k = recv(s->fd, p, n, MSG_DONTWAIT);
    while (k < 0 && errno == EINTR);
    if (k > 0) {
        s->heard = clock_mono();
        return k;
    }
    bool later = k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    s->failed = !later;
    wslay_event_set_error(ws, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t put_bytes(wslay_event_context_ptr ws, const uint8_t *p, size_t n, int flags,
                         void *ud)
{
    struct socket *s = ud;
    int more = flags & WSLAY_MSG_MORE ? MSG_MORE : 0;
    ssize_t k;
    do k = send(s->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT | more);
    while (k < 0 && errno == EINTR);
    if (k >= 0) return k;
    bool later = errno == EAGAIN || errno == EWOULDBLOCK;
    wslay_event_set_error(ws, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void close_with(struct socket *s, uint16_t code, const char *why)
{
    wslay_event_shutdown_read(s->ws);
    wslay_event_queue_close(s->ws, code, (const uint8_t *)why, strlen(why));
}

static void got_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *a,
                        void *ud)
{
    struct socket *s = ud;
    (void)ws;
    if (wslay_is_ctrl_frame(a->opcode)) return; /* wslay answers */
    if (a->opcode != WSLAY_TEXT_FRAME) {
        close_with(s, WSLAY_CODE_UNSUPPORTED_DATA, "messages are text: JSON");
        return;
    }
    struct message *t = malloc(sizeof *t + a->msg_length);
    if (!t) {
        close_with(s, WSLAY_CODE_INTERNAL_SERVER_ERROR, "out of memory");
        return;
    }
    t->next = NULL;
    t->n = a->msg_length;
    if (t->n) memcpy(t->text, a->msg, t->n);
    *s->last = t;
    s->last = &t->next;
    s->waiting++;
}

/* ---- a socket ---- */

static bool is_over(const struct socket *s)
{
    return s->fd < 0 || s->failed || wslay_event_get_close_sent(s->ws) ||
           wslay_event_get_close_received(s->ws) || atomic_load(&s->q->server->closing);
}

/* With the lock held. An errand is counted before the server's closing is looked at: whoever closes
 * it waits for those that were counted. */
static void start_errand(struct socket *s)
{
    struct server *server = s->q->server;
    if (s->busy || !s->first || s->fd < 0 || s->failed) return;
    atomic_fetch_add(&server->errands, 1);
    if (atomic_load(&server->closing)) {
        atomic_fetch_sub(&server->errands, 1);
        return;
    }
    s->busy = true;
    atomic_fetch_add(&s->refs, 1);
    workers_must(server->workers, LANE_CALLS, &s->work);
}

/* With the lock held: our goodbye has gone out. Closing a connection with bytes unread resets it,
 * and the reset may overtake the goodbye; so what the client had under way is read over for a
 * while. With TLS the descriptor is one of a pair, and libmicrohttpd drops what it has not
 * forwarded when half of it closes. */
static void drain(struct socket *s)
{
    char waste[4096];
    ssize_t k = 1;
    if (s->drained == 0) {
        s->drained = clock_mono() + DRAIN_S;
        if (!s->q->server->o.tls_cert) shutdown(s->fd, SHUT_WR);
    }
    for (int i = 0; i < 64 && k > 0; i++) k = recv(s->fd, waste, sizeof waste, MSG_DONTWAIT);
    if (!k || (k < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        s->failed = true;
}

/* With the lock held: everything that can be done now is done, and epoll waits for the rest. */
static void pump(struct socket *s)
{
    if (s->fd < 0) return;
    /* An error that is not the connection's is a client's that breaks the rules: wslay says
     * goodbye. */
    if (!s->failed && wslay_event_want_read(s->ws)) wslay_event_recv(s->ws);
    if (!s->failed && wslay_event_want_write(s->ws)) {
        if (wslay_event_send(s->ws)) s->failed = true;
        if (!wslay_event_want_write(s->ws)) s->unsent = 0;
        pthread_cond_broadcast(&s->moved);
    }
    start_errand(s);
    bool reads = wslay_event_want_read(s->ws), writes = wslay_event_want_write(s->ws);
    if (!reads && !writes) drain(s);
    if (s->failed) { /* the thread takes it off the list */
        pthread_cond_broadcast(&s->moved);
        bell_ring(&s->all->bell);
        return;
    }
    reads = reads || s->drained > 0;
    unsigned want = (reads && s->waiting < WAITING ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0);
    struct epoll_event e = { .events = want, .data.ptr = s };
    if (want != s->events && !epoll_ctl(s->all->bell.epoll, EPOLL_CTL_MOD, s->fd, &e))
        s->events = want;
}

static int queue_text(struct socket *s, const char *text, size_t n)
{
    struct wslay_event_msg msg = { WSLAY_TEXT_FRAME, (const uint8_t *)text, n };
    if (is_over(s) || wslay_event_queue_msg(s->ws, &msg)) return ERR_CANCEL;
    s->unsent += n + 16;
    pump(s);
    return s->failed ? ERR_CANCEL : 0;
}

int socket_send(struct socket *s, const char *text, size_t n)
{
    pthread_mutex_lock(&s->m);
    double moved = clock_mono();
    size_t left = wslay_event_get_queued_msg_count(s->ws);
    while (!is_over(s) && s->unsent && s->unsent + n > ROOM) {
        struct timespec look;
        clock_gettime(CLOCK_MONOTONIC, &look);
        look.tv_sec += 1;
        pthread_cond_timedwait(&s->moved, &s->m, &look);
        size_t now = wslay_event_get_queued_msg_count(s->ws);
        if (now < left) moved = clock_mono();
        left = now;
        if (clock_mono() - moved > SLOW_S) {
            s->failed = true;
            pump(s);
        }
    }
    int rc = queue_text(s, text, n);
    pthread_mutex_unlock(&s->m);
    return rc;
}

bool socket_gone(struct socket *s)
{
    pthread_mutex_lock(&s->m);
    bool gone = is_over(s);
    pthread_mutex_unlock(&s->m);
    return gone;
}

/* ---- messages, on workers ---- */

static void send_json(struct socket *s, const json_t *j)
{
    struct buf b = BUF_INIT(0);
    if (j && !json_into(&b, j, NULL)) socket_send(s, b.p, b.n);
    buf_free(&b);
}

/* True: whoever sent it may not any more, and the socket is to be closed. */
static bool perform(struct socket *s, struct request *m, const struct message *t)
{
    struct call *c = &m->call;
    c->socket = s;
    int rc = call_admit(c, s->token, &m->err);
    bool out = rc == ERR_KEY || rc == ERR_NOTFOUND;
    if (!rc) rc = json_read(t->text, t->n, &c->body, &m->err);
    if (!rc) rc = call_perform(c, &m->err);
    m->status = (unsigned)(rc ? (c->status >= 400 ? c->status : status_of(rc)) : c->status);
    json_t *e = rc ? error_json(c->route, (int)m->status, &m->err) : NULL;
    send_json(s, rc ? e : c->out);
    json_decref(e);
    return out;
}

static void run_message(struct work *w)
{
    struct socket *s = (void *)((char *)w - offsetof(struct socket, work));
    struct server *server = s->q->server;
    pthread_mutex_lock(&s->m);
    struct message *t = s->first;
    if (!(s->first = t->next)) s->last = &s->first;
    pthread_mutex_unlock(&s->m);
    workers_long(server->workers);
    struct request *m = request_again(s->q);
    bool out = m ? perform(s, m, t) : true;
    if (m) request_drop(m);
    explicit_bzero(t->text, t->n);
    free(t);
    pthread_mutex_lock(&s->m);
    s->waiting--;
    s->busy = false;
    if (out && s->fd >= 0 && !s->failed)
        close_with(s, m ? WSLAY_CODE_POLICY_VIOLATION : WSLAY_CODE_INTERNAL_SERVER_ERROR,
                   m ? "not allowed any more" : "out of memory");
    pump(s);
    pthread_mutex_unlock(&s->m);
    release(s);
    atomic_fetch_sub(&server->errands, 1);
}

/* ---- the thread ---- */

/* Hands the descriptor back. With TLS, libmicrohttpd (0.9.75, 1.0.1) shuts the pair down first and
 * notes afterwards that it was us: when its own thread looks between the two, it goes on waiting
 * for the client, and the connection never ends. So the connection is woken once more when both
 * are done; through a copy of it, for by then libmicrohttpd may have closed its own. */
static void hand_back(struct socket *s)
{
    int again = s->net >= 0 ? fcntl(s->net, F_DUPFD_CLOEXEC, 0) : -1;
    MHD_upgrade_action(s->handle, MHD_UPGRADE_ACTION_CLOSE);
    if (again < 0) return;
    shutdown(again, SHUT_RD);
    close(again);
}

static void take_off(struct sockets *all, struct socket *s)
{
    pthread_mutex_lock(&all->m);
    if (s->prev) s->prev->next = s->next;
    else all->head = s->next;
    if (s->next) s->next->prev = s->prev;
    pthread_mutex_unlock(&all->m);
    pthread_mutex_lock(&s->m);
    epoll_ctl(all->bell.epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->fd = -1;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->m);
    hand_back(s);
    release(s);
}

/* Pings, and who does not answer them. */
static void look_after(struct socket *s, double now)
{
    if (now - s->heard > DEAD_S || (s->drained > 0 && now > s->drained)) s->failed = true;
    else if (now - s->heard > PING_S && now - s->pinged > PING_S) {
        struct wslay_event_msg ping = { WSLAY_PING, NULL, 0 };
        s->pinged = now;
        wslay_event_queue_msg(s->ws, &ping);
        pump(s);
    }
}

/* Goes through all of them: those that are over leave the list. tick: a second has gone by; bye:
 * the server stops; cut: and has waited long enough for their goodbyes. Only this thread takes any
 * off, so `next` stays good while the lock is let go. */
static void sweep(struct sockets *all, bool tick, bool bye, bool cut)
{
    double now = clock_mono();
    pthread_mutex_lock(&all->m);
    for (struct socket *s = all->head, *next; s; s = next) {
        pthread_mutex_lock(&s->m);
        if (tick && !s->failed) look_after(s, now);
        if (bye && !s->failed) {
            close_with(s, WSLAY_CODE_GOING_AWAY, "the server stops");
            pump(s);
        }
        bool over = s->failed || cut;
        pthread_mutex_unlock(&s->m);
        next = s->next;
        if (!over) continue;
        pthread_mutex_unlock(&all->m);
        take_off(all, s);
        pthread_mutex_lock(&all->m);
    }
    pthread_mutex_unlock(&all->m);
}

static void *watch(void *ud)
{
    struct sockets *all = ud;
    struct epoll_event e[BATCH];
    double looked = clock_mono(), stopped = 0;
    for (;;) {
        pthread_mutex_lock(&all->m);
        bool stop = all->stop, any = all->head != NULL, first = stop && stopped == 0;
        pthread_mutex_unlock(&all->m);
        if (stop && !any) return NULL;
        double now = clock_mono();
        if (first) stopped = now;
        bool tick = now - looked >= 1;
        if (tick) looked = now;
        sweep(all, tick, first, stop && now - stopped > 1);
        int n = epoll_wait(all->bell.epoll, e, BATCH, stop ? 100 : any ? 1000 : -1);
        for (int i = 0; i < n; i++) {
            struct socket *s = e[i].data.ptr;
            if (!s) {
                if (bell_hear(&all->bell)) return NULL;
                continue;
            }
            pthread_mutex_lock(&s->m);
            if (e[i].events & (EPOLLERR | EPOLLHUP)) s->failed = true;
            pump(s);
            pthread_mutex_unlock(&s->m);
        }
    }
}

/* ---- the upgrade ---- */

/* libmicrohttpd is done with the connection; it may hold a lock of its own. */
static void socket_over(void *ud)
{
    struct socket *s = ud;
    struct MHD_Response *r = atomic_exchange(&s->q->response, NULL); /* it was never queued */
    if (r) MHD_destroy_response(r);
    release(s);
}

/* Network thread. sock is the connection itself, or with TLS our end of a pair that libmicrohttpd
 * forwards; Nagle's algorithm is switched off where the network is. */
static void upgraded(void *ud, struct MHD_Connection *mhd, void *con, const char *extra, size_t n,
                     MHD_socket sock, struct MHD_UpgradeResponseHandle *handle)
{
    struct socket *s = ud;
    struct sockets *all = s->all;
    int one = 1;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    (void)con;
    if (info) setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pthread_mutex_lock(&all->m);
    if (all->stop) { /* nobody will look after it */
        pthread_mutex_unlock(&all->m);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        return;
    }
    pthread_mutex_lock(&s->m);
    s->fd = sock;
    s->net = info && info->connect_fd != sock ? info->connect_fd : -1;
    s->handle = handle;
    s->heard = s->pinged = clock_mono();
    s->events = EPOLLIN;
    struct epoll_event e = { .events = s->events, .data.ptr = s };
    if ((n && buf_add(&s->early, extra, n)) || epoll_ctl(all->bell.epoll, EPOLL_CTL_ADD, sock, &e))
        s->failed = true;
    atomic_fetch_add(&s->refs, 1);
    s->next = all->head;
    if (s->next) s->next->prev = s;
    all->head = s;
    pump(s);
    bell_ring(&all->bell);
    pthread_mutex_unlock(&s->m);
    pthread_mutex_unlock(&all->m);
}

static struct socket *socket_new(struct request *q)
{
    static const struct wslay_event_callbacks cb = { .recv_callback = get_bytes,
                                                     .send_callback = put_bytes,
                                                     .on_msg_recv_callback = got_message };
    pthread_condattr_t a;
    struct socket *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    if (wslay_event_context_server_init(&s->ws, &cb, s)) {
        free(s);
        return NULL;
    }
    size_t max = q->call.route->body_max ? q->call.route->body_max : HTTP_BODY;
    wslay_event_config_set_max_recv_msg_length(s->ws, max);
    pthread_mutex_init(&s->m, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&s->moved, &a);
    pthread_condattr_destroy(&a);
    atomic_init(&s->refs, 1);
    s->fd = s->net = -1;
    s->last = &s->first;
    s->work.run = run_message;
    s->all = q->server->sockets;
    s->q = q;
    s->token = call_bearer(&q->call);
    request_hold(q);
    return s;
}

int socket_upgrade(struct request *q, struct MHD_Response **out, struct err *err)
{
    char accept[29];
    bool likeness = false;
    *out = NULL;
    int rc = handshake(&q->call, accept, &likeness, err);
    if (rc) return rc;
    if (atomic_load(&q->server->stopping))
        return err_set(err, ERR_BUSY, "the server is about to stop: try again later");
    struct socket *s = socket_new(q);
    struct MHD_Response *r = s ? MHD_create_response_for_upgrade(upgraded, s) : NULL;
    if (!r) {
        if (s) release(s);
        return err_nomem(err);
    }
    reply_headers(q, r, NULL);
    MHD_add_response_header(r, "Upgrade", "websocket");
    MHD_add_response_header(r, "Sec-WebSocket-Accept", accept);
    if (likeness) MHD_add_response_header(r, "Sec-WebSocket-Protocol", "likeness");
    q->left = socket_over;
    q->left_ud = s;
    *out = r;
    return 0;
}

/* ---- all of them ---- */

int sockets_open(struct server *s, struct err *err)
{
    struct sockets *all = calloc(1, sizeof *all);
    if (!all) return err_nomem(err);
    pthread_mutex_init(&all->m, NULL);
    all->server = s;
    if (!bell_open(&all->bell, 0) && !thread_start(&all->thread, watch, all, NULL)) {
        s->sockets = all;
        return 0;
    }
    bell_close(&all->bell);
    pthread_mutex_destroy(&all->m);
    free(all);
    return err_set(err, ERR_NOMEM, "the server cannot watch its sockets: too many open files");
}

void sockets_stop(struct server *server)
{
    struct sockets *all = server->sockets;
    if (!all) return;
    pthread_mutex_lock(&all->m);
    all->stop = true;
    bell_ring(&all->bell);
    pthread_mutex_unlock(&all->m);
    pthread_join(all->thread, NULL);
}

void sockets_close(struct server *server)
{
    struct sockets *all = server->sockets;
    if (!all) return;
    server->sockets = NULL;
    bell_close(&all->bell);
    pthread_mutex_destroy(&all->m);
    free(all);
}
