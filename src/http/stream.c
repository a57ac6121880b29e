/* Server-sent events (HTML, "Server-sent events"): a reply that goes on for as long as somebody has
 * something to say.
 *
 * Two sides share a buffer of 64 KiB. The producer, a worker or a watcher of jobs, adds events to
 * it; the network thread takes bytes out of it when libmicrohttpd asks for more (take_bytes). When
 * there is nothing to take, the connection is suspended, and whoever adds something resumes it: no
 * thread waits for a stream that is quiet, and a quiet stream is a connection, a request and this
 * struct. A producer that is faster than the client waits (stream_send) or lets the client go
 * (stream_offer).
 *
 * That a client has left is seen in two ways. One thread has the descriptors of all streams in an
 * epoll set that reports only their end; it is told at once by a client that closes its side. A
 * client that has vanished without a word does not answer the comment that the same thread sends
 * every 15 s of silence, and TCP or libmicrohttpd's own timeout ends the connection. Before such a
 * comment the stream's token is looked at again: one that has expired or was revoked meanwhile ends
 * the stream.
 *
 * Locks: a stream's lock covers its fields, and libmicrohttpd's own is taken with it held, to
 * suspend and to resume; so libmicrohttpd must not call us with its lock held, and does not here. A
 * connection is resumed only by who cleared `suspended` under the lock: once for each time that it
 * was suspended. A suspended connection is not closed, so q->mhd is good as long as `suspended` is
 * true, and the descriptor until forget_reply. The lock of the table is taken before a stream's.
 * Nobody is called back with a lock held.
 *
 * References: one of the producer, until stream_end; one of the request, until its handler
 * returned; one of the reply, until libmicrohttpd frees it. */
#include "base/clock.h"
#include "base/str.h"
#include "base/threads.h"
#include "http/bell.h"
#include "http/inside.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536, EVENT_MAX = 16 << 20, SLOW_S = 30, BATCH = 64 };
#define BELL UINT64_MAX /* no slot of a stream */

struct stream {
    pthread_mutex_t m;
    pthread_cond_t moved; /* bytes were taken, or the client left */
    atomic_int refs;
    struct request *q; /* NULL: libmicrohttpd is done with the reply, and the server may be gone */
    struct streams *all;
    size_t slot; /* in all->at */
    uint32_t serial;
    char *token; /* NULL: anybody may listen */
    struct accounts *accounts;
    int fd;          /* of the connection, until the reply is forgotten */
    struct buf out;  /* what was said */
    size_t taken;    /* how much of it is with libmicrohttpd */
    double said;     /* clock_mono of the last time that something was */
    bool suspended;  /* by take_bytes */
    bool left;       /* the client has gone, or was let go */
    bool ending;     /* nothing more will be said */
    bool kept, told; /* gone is to be called; was called */
    bool telling;    /* just now, by */
    pthread_t teller;
    void (*gone)(void *ud);
    void *gone_ud;
};

struct streams {
    pthread_mutex_t m;
    struct stream **at; /* NULL where a slot is free */
    size_t n, cap;
    uint32_t serial;
    int quiet;        /* seconds */
    struct bell bell; /* rings when the first stream came, or it is time to stop */
    bool stop;
    pthread_t thread;
};

static void release(struct stream *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1) return;
    buf_free(&s->out);
    if (s->token) sodium_memzero(s->token, strlen(s->token));
    free(s->token);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->m);
    if (s->q) request_drop(s->q);
    free(s);
}

/* ---- with the stream's lock held ---- */

static size_t pending(const struct stream *s) { return s->out.n - s->taken; }

static void wake_reply(struct stream *s)
{
    if (!s->suspended || !s->q) return;
    s->suspended = false;
    MHD_resume_connection(s->q->mhd);
}

static bool is_over(const struct stream *s)
{
    return s->left || s->ending || !s->q || atomic_load(&s->q->server->closing);
}

/* The connection ends, whatever it was about to say. */
static void let_go(struct stream *s)
{
    s->left = true;
    if (s->fd >= 0 && !s->suspended) shutdown(s->fd, SHUT_RDWR);
    wake_reply(s);
    pthread_cond_broadcast(&s->moved);
}

/* What was said is still sent. */
static void end_reply(struct stream *s)
{
    s->ending = true;
    wake_reply(s);
}

static int say(struct stream *s, const char *p, size_t n)
{
    if (s->taken && s->taken == s->out.n) {
        buf_clear(&s->out);
        s->taken = 0;
    } else if (s->taken > ROOM) {
        s->out.n -= s->taken;
        memmove(s->out.p, s->out.p + s->taken, s->out.n);
        s->taken = 0;
    }
    int rc = buf_add(&s->out, p, n);
    s->said = clock_mono();
    wake_reply(s);
    return rc;
}

/* ---- the network's side ---- */

static ssize_t take_bytes(void *ud, uint64_t pos, char *p, size_t max)
{
    struct stream *s = ud;
    ssize_t n = 0;
    (void)pos;
    pthread_mutex_lock(&s->m);
    if (s->left) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (pending(s)) {
        n = (ssize_t)(pending(s) < max ? pending(s) : max);
        memcpy(p, s->out.p + s->taken, (size_t)n);
        s->taken += (size_t)n;
        atomic_fetch_add(&s->q->written, (uint64_t)n);
        if (!pending(s)) { /* a quiet stream holds no memory */
            buf_free(&s->out);
            s->taken = 0;
        }
        pthread_cond_broadcast(&s->moved);
    } else if (s->ending || atomic_load(&s->q->server->closing)) {
        n = MHD_CONTENT_READER_END_OF_STREAM; /* when closing, nothing may be suspended any more */
    } else {
        s->suspended = true;
        MHD_suspend_connection(s->q->mhd);
    }
    pthread_mutex_unlock(&s->m);
    return n;
}

/* With the lock held, which is not held during the call: stream_end waits for it instead. */
static void say_gone(struct stream *s)
{
    s->told = true;
    if (!s->gone) return;
    s->telling = true;
    s->teller = pthread_self();
    pthread_mutex_unlock(&s->m);
    s->gone(s->gone_ud);
    pthread_mutex_lock(&s->m);
    s->telling = false;
    pthread_cond_broadcast(&s->moved);
}

/* Tells the owner of a kept stream, once. The caller holds a reference and no lock. */
static void tell_gone(struct stream *s)
{
    pthread_mutex_lock(&s->m);
    if (s->kept && !s->told && !s->ending) say_gone(s);
    pthread_mutex_unlock(&s->m);
}

/* The reply may never have been queued: the client left first. It is not the request's any more
 * then, because the request is held by the stream, and the stream by the reply. */
static void connection_over(void *ud)
{
    struct request *q = ud;
    struct MHD_Response *r = atomic_exchange(&q->response, NULL);
    if (r) MHD_destroy_response(r);
}

static void forget_reply(void *ud)
{
    struct stream *s = ud;
    struct streams *all = s->all;
    pthread_mutex_lock(&all->m);
    epoll_ctl(all->bell.epoll, EPOLL_CTL_DEL, s->fd, NULL);
    all->at[s->slot] = NULL;
    all->n--;
    pthread_mutex_unlock(&all->m);
    pthread_mutex_lock(&s->m);
    struct request *q = s->q;
    s->fd = -1;
    s->q = NULL;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->m);
    tell_gone(s);
    request_drop(q);
    release(s);
}

/* ---- all streams ---- */

/* The stream that an epoll event means, with a reference, if it is still there. */
static struct stream *stream_at(struct streams *all, uint64_t data)
{
    size_t slot = (size_t)(data >> 32);
    pthread_mutex_lock(&all->m);
    struct stream *s = slot < all->cap ? all->at[slot] : NULL;
    if (s && s->serial != (uint32_t)data) s = NULL;
    if (s) atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&all->m);
    return s;
}

static void client_left(struct streams *all, uint64_t data)
{
    struct stream *s = stream_at(all, data);
    if (!s) return;
    pthread_mutex_lock(&s->m);
    let_go(s);
    pthread_mutex_unlock(&s->m);
    release(s);
}

/* May who opened the stream still listen? An error of ours is no reason to end it. */
static bool is_welcome(const struct stream *s)
{
    struct principal who;
    return !s->token || account_bearer(s->accounts, s->token, &who, NULL) != ERR_KEY;
}

/* Those that were silent for so long, each with a reference: they are looked at without the table's
 * lock, since that asks the store. */
static size_t silent(struct streams *all, struct stream **out, size_t cap)
{
    double now = clock_mono();
    size_t n = 0;
    pthread_mutex_lock(&all->m);
    for (size_t i = 0; i < all->cap && n < cap; i++) {
        struct stream *s = all->at[i];
        if (!s) continue;
        pthread_mutex_lock(&s->m);
        if (s->suspended && now - s->said >= all->quiet) {
            atomic_fetch_add(&s->refs, 1);
            out[n++] = s;
        }
        pthread_mutex_unlock(&s->m);
    }
    pthread_mutex_unlock(&all->m);
    return n;
}

static void break_silence(struct streams *all)
{
    struct stream *s[BATCH];
    size_t n;
    do {
        n = silent(all, s, BATCH);
        for (size_t i = 0; i < n; i++) {
            bool may = is_welcome(s[i]);
            pthread_mutex_lock(&s[i]->m);
            if (!may || (s[i]->suspended && say(s[i], ":\n\n", 3))) let_go(s[i]);
            pthread_mutex_unlock(&s[i]->m);
            release(s[i]);
        }
    } while (n == BATCH);
}

static void *watch(void *ud)
{
    struct streams *all = ud;
    struct epoll_event e[BATCH];
    double looked = clock_mono();
    for (;;) {
        pthread_mutex_lock(&all->m);
        bool stop = all->stop, any = all->n > 0;
        pthread_mutex_unlock(&all->m);
        if (stop) return NULL;
        int n = epoll_wait(all->bell.epoll, e, BATCH, any ? 1000 : -1);
        for (int i = 0; i < n; i++) {
            if (e[i].data.u64 != BELL) client_left(all, e[i].data.u64);
            else if (bell_hear(&all->bell)) return NULL;
        }
        if (clock_mono() - looked < 1) continue;
        looked = clock_mono();
        break_silence(all);
    }
}

/* A slot for s, and its descriptor watched. */
static int enter(struct streams *all, struct stream *s)
{
    size_t i = 0;
    pthread_mutex_lock(&all->m);
    bool room = !all->stop;
    if (room && all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 64;
        struct stream **more = realloc(all->at, cap * sizeof *more);
        room = more != NULL;
        if (more) {
            memset(more + all->cap, 0, (cap - all->cap) * sizeof *more);
            all->at = more;
            i = all->cap;
            all->cap = cap;
        }
    }
    if (room) {
        while (all->at[i]) i++;
        s->slot = i;
        s->serial = ++all->serial;
        struct epoll_event e = { .events = EPOLLRDHUP | EPOLLONESHOT,
                                 .data.u64 = (uint64_t)i << 32 | s->serial };
        room = !epoll_ctl(all->bell.epoll, EPOLL_CTL_ADD, s->fd, &e);
    }
    if (room) {
        all->at[i] = s;
        if (!all->n++) bell_ring(&all->bell);
    }
    pthread_mutex_unlock(&all->m);
    return room ? 0 : -1;
}

int streams_open(struct server *s, struct err *err)
{
    struct streams *all = calloc(1, sizeof *all);
    if (!all) return err_nomem(err);
    pthread_mutex_init(&all->m, NULL);
    all->quiet = s->o.quiet_seconds;
    if (!bell_open(&all->bell, BELL) && !thread_start(&all->thread, watch, all, NULL)) {
        s->streams = all;
        return 0;
    }
    bell_close(&all->bell);
    pthread_mutex_destroy(&all->m);
    free(all);
    return err_set(err, ERR_NOMEM, "the server cannot watch its streams: too many open files");
}

void streams_stop(struct server *server)
{
    struct streams *all = server->streams;
    if (!all) return;
    pthread_mutex_lock(&all->m);
    all->stop = true;
    bell_ring(&all->bell);
    size_t cap = all->cap;
    pthread_mutex_unlock(&all->m);
    for (size_t i = 0; i < cap; i++) {
        pthread_mutex_lock(&all->m);
        struct stream *s = all->at[i];
        if (s) atomic_fetch_add(&s->refs, 1);
        pthread_mutex_unlock(&all->m);
        if (!s) continue;
        tell_gone(s);
        pthread_mutex_lock(&s->m);
        end_reply(s);
        pthread_cond_broadcast(&s->moved);
        pthread_mutex_unlock(&s->m);
        release(s);
    }
}

void streams_close(struct server *server)
{
    struct streams *all = server->streams;
    if (!all) return;
    server->streams = NULL;
    pthread_join(all->thread, NULL);
    bell_close(&all->bell);
    pthread_mutex_destroy(&all->m);
    free(all->at);
    free(all);
}

/* ---- the producer's side ---- */

static struct stream *stream_new(struct request *q)
{
    pthread_condattr_t a;
    struct stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(q->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    pthread_mutex_init(&s->m, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&s->moved, &a);
    pthread_condattr_destroy(&a);
    atomic_init(&s->refs, 1);
    s->q = q;
    s->all = q->server->streams;
    s->fd = info ? info->connect_fd : -1;
    s->out = BUF_INIT(EVENT_MAX + 2 * (size_t)ROOM);
    s->said = clock_mono();
    s->accounts = q->call.accounts;
    request_hold(q); /* from here on release drops it */
    if (q->call.who.account && !(s->token = str_dup(call_bearer(&q->call)))) {
        release(s);
        return NULL;
    }
    return s;
}

/* The comment makes the head go out at once, also through proxies that wait for something to send.
 */
int call_events(struct call *c, struct stream **out, struct err *err)
{
    struct request *q = request_of(c);
    *out = NULL;
    if (atomic_load(&q->server->stopping))
        return err_set(err, ERR_BUSY, "the server is about to stop: try again later");
    struct stream *s = stream_new(q);
    if (!s) return err_nomem(err);
    if (s->fd < 0 || buf_adds(&s->out, ":\n\n") || enter(s->all, s)) {
        release(s);
        return err_nomem(err);
    }
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 2048, take_bytes, s, forget_reply);
    if (!r) {
        forget_reply(s);
        return err_nomem(err);
    }
    atomic_fetch_add(&s->refs, 2); /* the first one is the reply's */
    workers_long(q->server->workers);
    reply_headers(q, r, "text/event-stream");
    MHD_add_response_header(r, "X-Accel-Buffering", "no");
    q->stream = *out = s;
    q->left = connection_over;
    q->left_ud = q;
    request_answer(q, MHD_HTTP_OK, r);
    return 0;
}

/* A line of its own for each line of data; a lone CR is an end of line, too. */
static int format(struct buf *b, const char *event, const char *data, size_t n)
{
    const char *p = data, *end = data + n;
    if (event) buf_printf(b, "event: %s\n", event);
    do {
        const char *q = p;
        while (q < end && *q != '\n' && *q != '\r') q++;
        buf_adds(b, "data: ");
        buf_add(b, p, (size_t)(q - p));
        buf_addc(b, '\n');
        p = q < end && *q == '\r' && q + 1 < end && q[1] == '\n' ? q + 2 : q + 1;
    } while (p <= end);
    buf_addc(b, '\n');
    return b->failed;
}

/* With the lock held: room for n bytes, or the client is gone, at the latest after SLOW_S in which
 * it took nothing. One event of any size fits into an empty buffer. */
static void wait_for_room(struct stream *s, size_t n)
{
    double moved = clock_mono();
    size_t left = pending(s);
    while (!is_over(s) && left && left + n > ROOM) {
        struct timespec look;
        clock_gettime(CLOCK_MONOTONIC, &look);
        look.tv_sec += 1;
        pthread_cond_timedwait(&s->moved, &s->m, &look);
        if (pending(s) < left) moved = clock_mono();
        else if (clock_mono() - moved > SLOW_S) let_go(s);
        left = pending(s);
    }
}

static int add_event(struct stream *s, const char *event, const char *data, size_t n, bool wait)
{
    struct buf b = BUF_INIT(EVENT_MAX);
    int rc = format(&b, event, data, n);
    pthread_mutex_lock(&s->m);
    if (!rc && wait) wait_for_room(s, b.n);
    else if (!rc && pending(s) && pending(s) + b.n > ROOM) let_go(s);
    if (!rc) rc = is_over(s) ? ERR_CANCEL : say(s, b.p, b.n);
    pthread_mutex_unlock(&s->m);
    buf_free(&b);
    return rc;
}

int stream_send(struct stream *s, const char *event, const char *data, size_t n)
{
    return add_event(s, event, data, n, true);
}

int stream_offer(struct stream *s, const char *event, const char *data, size_t n)
{
    return add_event(s, event, data, n, false);
}

bool stream_gone(struct stream *s)
{
    pthread_mutex_lock(&s->m);
    bool gone = is_over(s);
    pthread_mutex_unlock(&s->m);
    return gone;
}

/* That a client left before, or that the server stops, is told at once, by the caller's thread. */
void stream_keep(struct stream *s, void (*gone)(void *ud), void *ud)
{
    pthread_mutex_lock(&s->m);
    s->gone = gone;
    s->gone_ud = ud;
    s->kept = true;
    bool now = (!s->q || atomic_load(&s->q->server->stopping)) && !s->told;
    if (now) end_reply(s);
    if (now) say_gone(s);
    pthread_mutex_unlock(&s->m);
}

void stream_end(struct stream *s)
{
    pthread_mutex_lock(&s->m);
    end_reply(s);
    while (s->telling && !pthread_equal(s->teller, pthread_self()))
        pthread_cond_wait(&s->moved, &s->m);
    pthread_mutex_unlock(&s->m);
    release(s);
}

static void send_error(struct request *q, struct stream *s, int rc, const struct err *err)
{
    json_t *j = error_json(q->call.route, status_of(rc), err);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    if (text) stream_send(s, "error", text, strlen(text));
    free(text);
    json_decref(j);
}

void stream_over(struct request *q, int rc, const struct err *err)
{
    struct stream *s = q->stream;
    pthread_mutex_lock(&s->m);
    bool kept = s->kept;
    pthread_mutex_unlock(&s->m);
    q->stream = NULL;
    if (!kept) {
        if (rc && rc != ERR_CANCEL) send_error(q, s, rc, err);
        pthread_mutex_lock(&s->m);
        end_reply(s);
        pthread_mutex_unlock(&s->m);
        atomic_fetch_sub(&s->refs, 1); /* the producer's */
    }
    release(s);
}
