/* The pool. One job at a time: `busy` is held by the caller whose job it is, and a caller that
 * finds it held does its own work alone, so nested and concurrent use cannot deadlock.
 *
 * A model makes thousands of jobs a second of some ten microseconds each, so taking part in one
 * costs no lock. One 64-bit word holds the number of the job and how many of its parts are still to
 * be had; a part is taken by lowering that word by one with compare-and-swap. Since the word never
 * has the same value twice, a thread whose swap succeeds knows that fn, ud and n_parts, read just
 * before, are those of this very job: they are only written while no part is to be had. A worker
 * adds what it did to `done` when nothing is left, and the caller waits for the sum.
 *
 * Waiting is spinning for a tenth of a millisecond, then sleeping on a condition: waking takes the
 * system about as long as many a job lasts, so a worker that slept between them would never be of
 * use. Sleeping and waking follow one pattern on both sides: the sleeper says that it sleeps, then
 * looks once more; the waker makes its change, then looks for sleepers.
 *
 * On a machine that is shared a worker may lose its core in the middle of a part, and the caller
 * would wait for as long as the scheduler lets the stranger run. Such a stall, if it is long beside
 * the work itself, makes the caller work alone for a while, longer each time it happens again, so
 * that what is lost is a few per cent rather than half of the time. A job that turns out to be
 * long, or has hardly more parts than there are threads and did not stall, is shared in any case. A
 * worker that loses its core while it spins stops spinning for a while.
 *
 * The workers block all signals: Ctrl-C belongs to the main thread, which may be asking something
 * and has to see its read interrupted. A child of fork has none of them and starts anew. */
#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 64

/* Nanoseconds. */
enum {
    SPIN = 100000,       /* between two jobs of a model there is rarely more */
    LOST_CORE = 200000,  /* a spin that skips this much was not running */
    NO_SPIN = 100000000, /* how long it is then believed that the core is shared */
    STALL = 800000,      /* less than what a scheduler gives the stranger */
    SOON = 100000000,    /* one stall says little, two within this that a core is shared */
    ALONE_LEAST = 10000000,
    ALONE_MOST = 500000000,
    LONG_JOB = 1000000,
};

static struct {
    pthread_mutex_t busy; /* held by the caller whose job this is */
    pthread_mutex_t m;    /* guards t, running, and going to sleep */
    pthread_cond_t wake, finished;
    pthread_t t[MAX_THREADS];
    int running;       /* workers started */
    atomic_int wanted; /* threads asked for, with the caller; 0: not yet */
    atomic_bool stop;
    _Atomic uint64_t state; /* number of the job << 32 | parts that nobody has taken yet */
    void (*_Atomic fn)(void *, int);
    void *_Atomic ud;
    atomic_int n_parts;
    atomic_int done;     /* parts that workers have finished, each told once it finds no more */
    atomic_int sleeping; /* workers */
    atomic_bool waiting; /* the caller sleeps on `finished` */
    void (*stalled)(void *, int);
    int64_t alone_until, alone_for, last_stall; /* the holder of busy only */
} pool = { .busy = PTHREAD_MUTEX_INITIALIZER,
           .m = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER,
           .finished = PTHREAD_COND_INITIALIZER };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool parts_left(void) { return (uint32_t)atomic_load(&pool.state) != 0; }

/* Takes and runs parts until there are none; how many it ran. */
static int take_parts(void)
{
    int did = 0;
    uint64_t s = atomic_load(&pool.state);
    while ((uint32_t)s) {
        void (*fn)(void *, int) = atomic_load_explicit(&pool.fn, memory_order_relaxed);
        void *ud = atomic_load_explicit(&pool.ud, memory_order_relaxed);
        int n = atomic_load_explicit(&pool.n_parts, memory_order_relaxed);
        if (!atomic_compare_exchange_weak(&pool.state, &s, s - 1)) continue;
        fn(ud, n - (int)(uint32_t)s);
        did++;
        s = atomic_load(&pool.state);
    }
    return did;
}

static void work(void)
{
    int did = take_parts();
    if (!did) return;
    atomic_fetch_add(&pool.done, did);
    if (!atomic_load(&pool.waiting)) return;
    pthread_mutex_lock(&pool.m);
    pthread_cond_signal(&pool.finished);
    pthread_mutex_unlock(&pool.m);
}

/* True when there is something to do. not_before: the worker's own note of when spinning makes
 * sense again. */
static bool spin_for_work(int64_t *not_before)
{
    int64_t start = now_ns(), last = start, t = start;
    if (start < *not_before) return parts_left();
    do {
        for (int i = 0; i < 16; i++) {
            if (parts_left() || atomic_load_explicit(&pool.stop, memory_order_relaxed)) return true;
            relax();
        }
        last = t;
        t = now_ns();
    } while (t - start < SPIN && t - last < LOST_CORE);
    if (t - last >= LOST_CORE) *not_before = t + NO_SPIN;
    return false;
}

static void *worker(void *unused)
{
    int64_t not_before = 0;
    while (!atomic_load(&pool.stop)) {
        if (!spin_for_work(&not_before)) {
            pthread_mutex_lock(&pool.m);
            atomic_fetch_add(&pool.sleeping, 1);
            while (!parts_left() && !atomic_load(&pool.stop))
                pthread_cond_wait(&pool.wake, &pool.m);
            atomic_fetch_sub(&pool.sleeping, 1);
            pthread_mutex_unlock(&pool.m);
        }
        work();
    }
    return NULL;
}

void threads_set(int n)
{
    threads_stop();
    if (n <= 0) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    atomic_store(&pool.wanted, n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n);
}

int threads_count(void)
{
    int n = atomic_load_explicit(&pool.wanted, memory_order_relaxed);
    if (n) return n;
    threads_set(0);
    return threads_count();
}

static void in_child(void)
{
    pthread_mutex_init(&pool.busy, NULL);
    pthread_mutex_init(&pool.m, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.finished, NULL);
    pool.running = 0;
    atomic_store(&pool.state, atomic_load(&pool.state) >> 32 << 32);
    atomic_store(&pool.sleeping, 0);
    atomic_store(&pool.waiting, false);
    atomic_store(&pool.stop, false);
}

/* A fault whose signal is blocked ends the program without a word, the sanitizers' too. */
void threads_mask(sigset_t *was)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, was);
}

static void hook_fork(void) { pthread_atfork(NULL, NULL, in_child); }

/* Up to `want` threads with the caller, who holds busy. */
static void start_workers(int want)
{
    static pthread_once_t hooked = PTHREAD_ONCE_INIT;
    sigset_t was;
    if (pool.running >= want - 1) return;
    pthread_once(&hooked, hook_fork);
    threads_mask(&was);
    while (pool.running < want - 1 && !pthread_create(&pool.t[pool.running], NULL, worker, NULL))
        pool.running++;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
}

/* Until workers have finished n parts. Nanoseconds waited, 0 if hardly any. */
static int64_t wait_for(int n)
{
    for (int i = 0; i < 64; i++) {
        if (atomic_load(&pool.done) == n) return 0;
        relax();
    }
    int64_t start = now_ns(), t = start;
    for (; atomic_load(&pool.done) != n && t - start < SPIN; t = now_ns())
        for (int i = 0; i < 16 && atomic_load(&pool.done) != n; i++) relax();
    if (atomic_load(&pool.done) == n) return t - start;
    pthread_mutex_lock(&pool.m);
    atomic_store(&pool.waiting, true);
    while (atomic_load(&pool.done) != n) pthread_cond_wait(&pool.finished, &pool.m);
    atomic_store(&pool.waiting, false);
    pthread_mutex_unlock(&pool.m);
    return now_ns() - start;
}

/* After a stall: alone for a while if there was another not long ago. */
static void work_alone(void (*fn)(void *, int))
{
    pool.stalled = fn;
    int64_t t = now_ns(), since = t - pool.last_stall;
    pool.last_stall = t;
    if (since > SOON + pool.alone_for) {
        pool.alone_for = 0;
        return;
    }
    pool.alone_for = pool.alone_for ? 2 * pool.alone_for : ALONE_LEAST;
    if (pool.alone_for > ALONE_MOST) pool.alone_for = ALONE_MOST;
    pool.alone_until = t + pool.alone_for;
}

/* Parts from on; the caller holds busy. */
static void share(int from, int n_parts, void (*fn)(void *, int), void *ud)
{
    uint64_t job = (atomic_load(&pool.state) >> 32) + 1;
    atomic_store(&pool.done, 0);
    atomic_store_explicit(&pool.fn, fn, memory_order_relaxed);
    atomic_store_explicit(&pool.ud, ud, memory_order_relaxed);
    atomic_store_explicit(&pool.n_parts, n_parts, memory_order_relaxed);
    atomic_store(&pool.state, job << 32 | (uint32_t)(n_parts - from));
    if (atomic_load(&pool.sleeping)) {
        pthread_mutex_lock(&pool.m);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.m);
    }
    int64_t start = now_ns();
    int did = take_parts();
    int64_t worked = now_ns() - start, waited = wait_for(n_parts - from - did);
    if (waited > STALL && waited > 2 * worked) work_alone(fn);
}

void threads_run(int n_parts, void (*fn)(void *, int), void *ud)
{
    int want = threads_count(), i = 0;
    if (n_parts < 2 || want < 2 || pthread_mutex_trylock(&pool.busy)) {
        for (; i < n_parts; i++) fn(ud, i);
        return;
    }
    start_workers(want);
    if (pool.alone_until && (n_parts > 2 * want || fn == pool.stalled)) {
        int64_t start = now_ns(), t = start;
        for (; i < n_parts && t < pool.alone_until && t - start < LONG_JOB; t = now_ns())
            fn(ud, i++);
        if (t >= pool.alone_until) pool.alone_until = 0;
    }
    if (i < n_parts) share(i, n_parts, fn, ud);
    pthread_mutex_unlock(&pool.busy);
}

void threads_stop(void)
{
    pthread_mutex_lock(&pool.busy);
    pthread_mutex_lock(&pool.m);
    atomic_store(&pool.stop, true);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.m);
    for (int i = 0; i < pool.running; i++) pthread_join(pool.t[i], NULL);
    pool.running = 0;
    atomic_store(&pool.stop, false);
    pool.alone_until = 0;
    pthread_mutex_unlock(&pool.busy);
}

int thread_start(pthread_t *t, void *(*fn)(void *), void *ud, struct err *err)
{
    sigset_t was;
    threads_mask(&was);
    int e = pthread_create(t, NULL, fn, ud);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return e ? err_set(err, ERR_NOMEM, "no more threads can be made: %s", strerror(e)) : 0;
}
