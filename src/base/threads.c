/* The pool. One job at a time: a mutex guards the job slot, a condition wakes the sleepers, parts
 * are taken with an atomic counter so that a slow part does not hold up the rest. A caller that
 * finds the pool busy does its own work alone, so nested and concurrent use cannot deadlock.
 *
 * The sleepers block all signals: Ctrl-C belongs to the main thread, which may be asking something
 * and has to see its read interrupted. A child of fork has none of them and starts anew. */
#include "base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define MAX_THREADS 64

static struct {
    pthread_mutex_t busy; /* held by the caller whose job this is */
    pthread_mutex_t m;    /* guards all below but `next` */
    pthread_cond_t wake, done;
    pthread_t t[MAX_THREADS];
    int wanted, running; /* threads asked for (with the caller), started */
    unsigned long job;   /* number of the job; sleepers wait for it to change */
    bool stop;
    void (*fn)(void *, int);
    void *ud;
    int n_parts, working;
    atomic_int next;
} pool = { .busy = PTHREAD_MUTEX_INITIALIZER,
           .m = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER,
           .done = PTHREAD_COND_INITIALIZER };

static void take_parts(void (*fn)(void *, int), void *ud, int n)
{
    for (int i; (i = atomic_fetch_add(&pool.next, 1)) < n;) fn(ud, i);
}

static void *sleeper(void *unused)
{
    pthread_mutex_lock(&pool.m);
    unsigned long seen = 0;
    for (;;) {
        while (!pool.stop && (pool.job == seen || !pool.fn)) pthread_cond_wait(&pool.wake, &pool.m);
        if (pool.stop) break;
        seen = pool.job;
        void (*fn)(void *, int) = pool.fn;
        void *ud = pool.ud;
        int n = pool.n_parts;
        pool.working++;
        pthread_mutex_unlock(&pool.m);
        take_parts(fn, ud, n);
        pthread_mutex_lock(&pool.m);
        if (--pool.working == 0) pthread_cond_signal(&pool.done);
    }
    pthread_mutex_unlock(&pool.m);
    return NULL;
}

void threads_set(int n)
{
    threads_stop();
    pthread_mutex_lock(&pool.m);
    if (n <= 0) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    pool.wanted = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
    pthread_mutex_unlock(&pool.m);
}

int threads_count(void)
{
    pthread_mutex_lock(&pool.m);
    bool unset = pool.wanted == 0;
    int n = pool.wanted;
    pthread_mutex_unlock(&pool.m);
    if (!unset) return n;
    threads_set(0);
    return threads_count();
}

static void in_child(void)
{
    pthread_mutex_init(&pool.busy, NULL);
    pthread_mutex_init(&pool.m, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.done, NULL);
    pool.running = pool.working = 0;
    pool.stop = false;
    pool.fn = NULL;
}

static void hook_fork(void) { pthread_atfork(NULL, NULL, in_child); }

/* Up to `want` threads with the caller; the caller holds busy and m. */
static void start_sleepers(int want)
{
    static pthread_once_t hooked = PTHREAD_ONCE_INIT;
    sigset_t all, was;
    if (pool.running >= want - 1) return;
    pthread_once(&hooked, hook_fork);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    while (pool.running < want - 1 && !pthread_create(&pool.t[pool.running], NULL, sleeper, NULL))
        pool.running++;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
}

void threads_run(int n_parts, void (*fn)(void *, int), void *ud)
{
    int want = threads_count();
    if (n_parts < 2 || want < 2 || pthread_mutex_trylock(&pool.busy)) {
        for (int i = 0; i < n_parts; i++) fn(ud, i);
        return;
    }
    pthread_mutex_lock(&pool.m);
    start_sleepers(want);
    atomic_store(&pool.next, 0);
    pool.fn = fn;
    pool.ud = ud;
    pool.n_parts = n_parts;
    pool.job++;
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.m);
    take_parts(fn, ud, n_parts);
    pthread_mutex_lock(&pool.m);
    while (pool.working) pthread_cond_wait(&pool.done, &pool.m);
    pool.fn = NULL; /* a sleeper that wakes late finds no job */
    pthread_mutex_unlock(&pool.m);
    pthread_mutex_unlock(&pool.busy);
}

void threads_stop(void)
{
    pthread_mutex_lock(&pool.busy);
    pthread_mutex_lock(&pool.m);
    pool.stop = true;
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.m);
    for (int i = 0; i < pool.running; i++) pthread_join(pool.t[i], NULL);
    pthread_mutex_lock(&pool.m);
    pool.running = 0;
    pool.stop = false;
    pthread_mutex_unlock(&pool.m);
    pthread_mutex_unlock(&pool.busy);
}
