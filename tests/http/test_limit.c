/* Token buckets, and the workers' queue. Nothing here waits for a clock: rates are so slow, or so
 * fast, that it does not matter how long the test takes. */
#include "check.h"
#include "http/inside.h"

#include <pthread.h>

static int taken(struct limits *l, const char *address, bool login)
{
    int n = 0;
    while (n < 1000 && !limit_address(l, address, login)) n++;
    return n;
}

static void buckets(void **state)
{
    struct limits *l = limits_new(0.001, 0.002, 0.001);
    check_int(taken(l, "192.0.2.1", false), 10);
    check_int(taken(l, "192.0.2.1", false), 0);
    check_int(limit_address(l, "192.0.2.1", false) > 100, 1);
    check_int(taken(l, "192.0.2.2", false), 10);
    check_int(taken(l, "192.0.2.1", true), 10); /* logins are counted apart */
    /* One network of IPv6 is one client. */
    check_int(taken(l, "2001:db8:1:2::1", false), 10);
    check_int(taken(l, "2001:db8:1:2:ffff::9", false), 0);
    check_int(taken(l, "2001:db8:1:3::1", false), 10);
    for (int i = 0; i < 10; i++) check_int(limit_account(l, 7), 0);
    check_int(limit_account(l, 7) > 100, 1);
    check_int(limit_account(l, 8), 0);
    limits_free(l);
    l = limits_new(-1, 1e9, 5000);
    check_int(taken(l, "192.0.2.1", false), 1000);
    check_int(taken(l, "192.0.2.1", true), 1000); /* a burst of two seconds' worth */
    for (int i = 0; i < 1000; i++) check_int(limit_account(l, 7), 0);
    limits_free(l);
}

/* Very many addresses: memory stays, and somebody who was never seen is let in. */
static void crowd(void **state)
{
    struct limits *l = limits_new(0, 0.001, 0);
    char address[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        if (limit_address(l, address, false)) fail_msg("%s was never here", address);
    }
    limits_free(l);
}

/* ---- workers ---- */
struct errand {
    struct work work;
    struct workers *workers;
    bool is_long;
};
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int inside, out, done;

static void run(struct work *w)
{
    struct errand *e = (struct errand *)w;
    if (e->is_long) workers_long(e->workers);
    pthread_mutex_lock(&m);
    inside++;
    pthread_cond_broadcast(&moved);
    while (!out) pthread_cond_wait(&moved, &m);
    done++;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&m);
}

static void await(const int *what, int n)
{
    pthread_mutex_lock(&m);
    while (*what < n) pthread_cond_wait(&moved, &m);
    pthread_mutex_unlock(&m);
}

static void let_go(void)
{
    pthread_mutex_lock(&m);
    out = 1;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&m);
}

static void queue(void **state)
{
    struct err err = { 0 };
    struct workers *w;
    struct errand e[8] = { 0 };
    inside = out = done = 0;
    check_ok(workers_open(2, 3, &w, &err), err);
    for (int i = 0; i < 8; i++) e[i] = (struct errand){ .work = { .run = run }, .workers = w };
    for (int i = 0; i < 2; i++) check_int(workers_put(w, LANE_CALLS, &e[i].work), 0);
    await(&inside, 2);
    for (int i = 2; i < 5; i++) check_int(workers_put(w, LANE_CALLS, &e[i].work), 0);
    check_int(workers_waiting(w), 3);
    check_int(workers_running(w), 2);
    check_int(workers_put(w, LANE_CALLS, &e[5].work), ERR_BUSY);
    workers_must(w, LANE_CALLS, &e[5].work);
    check_int(workers_waiting(w), 4);
    check_int(workers_put(w, LANE_LOGIN, &e[6].work), 0); /* another lane */
    await(&inside, 3);
    let_go();
    workers_close(w); /* what waits is still run */
    check_int(done, 7);
}

static void long_errands(void **state)
{
    struct err err = { 0 };
    struct workers *w;
    struct errand e[6] = { 0 };
    inside = out = done = 0;
    check_ok(workers_open(1, 10, &w, &err), err);
    for (int i = 0; i < 6; i++) {
        e[i] = (struct errand){ .work = { .run = run }, .workers = w, .is_long = i < 5 };
        check_int(workers_put(w, LANE_CALLS, &e[i].work), 0);
    }
    await(&inside, 6); /* the long ones do not keep the short one waiting */
    check_int(workers_running(w), 6);
    let_go();
    await(&done, 6);
    workers_close(w);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(buckets),
        cmocka_unit_test(crowd),
        cmocka_unit_test(queue),
        cmocka_unit_test(long_errands),
    };
    return check_run("http/limit", t);
}
