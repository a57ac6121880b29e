/* The workers: threads that may wait, so that those of the network never do.
 *
 * Two lanes, each with a queue of its own. Logins are slow on purpose (a password hash takes 64 MiB
 * and some 60 ms, one at a time): two hundred of them at once fill their own lane and nobody
 * else's.
 *
 * `base` errands run at a time. One that turns out to be long, an answer that is streamed while a
 * model makes it, says so (workers_long) and no longer counts; a thread that was idle, or a new
 * one, takes its place. At most EXTRA threads are added; beyond that long errands are in the way of
 * others and the queue grows, up to its limit, where callers get ERR_BUSY and clients 503.
 *
 * Threads are kept once they are made. The lane's lock is held for a few instructions only and
 * nothing is called with it held but pthread_create. */
#include "base/threads.h"
#include "http/inside.h"

#include <pthread.h>
#include <stdlib.h>

enum { EXTRA = 64, MAX_BASE = 256, LOGIN_THREADS = 2 };

struct lane_state {
    pthread_mutex_t m;
    pthread_cond_t wake;
    struct work *head, **tail;
    size_t waiting, limit;
    int base, running; /* running: not long ones */
    int idle, threads, most;
    bool stop;
    size_t all; /* long ones, too */
    pthread_t thread[MAX_BASE + EXTRA];
};

struct workers {
    struct lane_state lane[LANES];
};

static _Thread_local bool is_long;
static _Thread_local struct lane_state *my_lane;

static void *work(void *ud)
{
    struct lane_state *l = my_lane = ud;
    pthread_mutex_lock(&l->m);
    for (;;) {
        l->idle++;
        while (!(l->head && l->running < l->base) && !(l->stop && !l->head))
            pthread_cond_wait(&l->wake, &l->m);
        l->idle--;
        struct work *w = l->head;
        if (!w) break;
        if (!(l->head = w->next)) l->tail = &l->head;
        l->waiting--;
        l->running++;
        l->all++;
        pthread_mutex_unlock(&l->m);
        is_long = false;
        w->run(w);
        pthread_mutex_lock(&l->m);
        if (!is_long) l->running--;
        l->all--;
    }
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->m);
    return NULL;
}

/* With the lock held. */
static bool add_thread(struct lane_state *l)
{
    bool ok = l->threads < l->most && !thread_start(&l->thread[l->threads], work, l, NULL);
    if (ok) l->threads++;
    return ok;
}

/* With the lock held: somebody for the next errand, if it may run now. */
static void find_hands(struct lane_state *l)
{
    if (!l->head || l->running >= l->base) return;
    if (l->idle) pthread_cond_signal(&l->wake);
    else add_thread(l); /* when that fails, whoever is done next takes it */
}

int workers_open(int threads, int queue, struct workers **out, struct err *err)
{
    struct workers *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return err_nomem(err);
    int rc = 0;
    for (int i = 0; i < LANES; i++) {
        struct lane_state *l = &w->lane[i];
        pthread_mutex_init(&l->m, NULL);
        pthread_cond_init(&l->wake, NULL);
        l->tail = &l->head;
        l->limit = (size_t)queue;
        l->base = i == LANE_LOGIN ? LOGIN_THREADS : threads < MAX_BASE ? threads : MAX_BASE;
        l->most = l->base + (i == LANE_LOGIN ? 0 : EXTRA);
    }
    for (int i = 0; !rc && i < LANES; i++) {
        struct lane_state *l = &w->lane[i];
        pthread_mutex_lock(&l->m);
        while (!rc && l->threads < l->base)
            if (!add_thread(l)) rc = err_set(err, ERR_NOMEM, "cannot start a thread");
        pthread_mutex_unlock(&l->m);
    }
    if (rc) workers_close(w);
    else *out = w;
    return rc;
}

/* With the lock held. */
static void append(struct lane_state *l, struct work *item)
{
    item->next = NULL;
    *l->tail = item;
    l->tail = &item->next;
    l->waiting++;
    find_hands(l);
}

int workers_put(struct workers *w, enum lane lane, struct work *item)
{
    struct lane_state *l = &w->lane[lane];
    pthread_mutex_lock(&l->m);
    int rc = l->stop || l->waiting >= l->limit ? ERR_BUSY : 0;
    if (!rc) append(l, item);
    pthread_mutex_unlock(&l->m);
    return rc;
}

void workers_must(struct workers *w, enum lane lane, struct work *item)
{
    struct lane_state *l = &w->lane[lane];
    pthread_mutex_lock(&l->m);
    append(l, item);
    pthread_mutex_unlock(&l->m);
}

void workers_long(struct workers *w)
{
    struct lane_state *l = my_lane;
    if (!l || is_long || l < w->lane || l >= w->lane + LANES) return;
    pthread_mutex_lock(&l->m);
    /* Nobody would take the place: then this one keeps it, and the lane its order. */
    if (l->idle || l->threads < l->most) {
        is_long = true;
        l->running--;
        find_hands(l);
    }
    pthread_mutex_unlock(&l->m);
}

static size_t sum(struct workers *w, bool waiting)
{
    size_t n = 0;
    for (int i = 0; i < LANES; i++) {
        struct lane_state *l = &w->lane[i];
        pthread_mutex_lock(&l->m);
        n += waiting ? l->waiting : l->all;
        pthread_mutex_unlock(&l->m);
    }
    return n;
}

size_t workers_waiting(struct workers *w) { return sum(w, true); }
size_t workers_running(struct workers *w) { return sum(w, false); }

void workers_close(struct workers *w)
{
    if (!w) return;
    for (int i = 0; i < LANES; i++) {
        struct lane_state *l = &w->lane[i];
        pthread_mutex_lock(&l->m);
        l->stop = true;
        pthread_cond_broadcast(&l->wake);
        pthread_mutex_unlock(&l->m);
    }
    for (int i = 0; i < LANES; i++) {
        struct lane_state *l = &w->lane[i];
        /* Threads may still be added while others end: the last number is read under the lock. */
        for (int t = 0;; t++) {
            pthread_mutex_lock(&l->m);
            bool more = t < l->threads;
            pthread_mutex_unlock(&l->m);
            if (!more) break;
            pthread_join(l->thread[t], NULL);
        }
        pthread_cond_destroy(&l->wake);
        pthread_mutex_destroy(&l->m);
    }
    free(w);
}
