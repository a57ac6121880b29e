/* The pool: every part once, whoever else is using it. Meant to run under the thread sanitizer
 * too. */
#include "base/threads.h"
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { PARTS = 1000 };

struct job {
    atomic_int ran[PARTS];
    atomic_int inner;
};

static void part(void *ud, int i)
{
    struct job *j = ud;
    atomic_fetch_add(&j->ran[i], 1);
}

static void check_once(void)
{
    struct job *j = calloc(1, sizeof *j);
    threads_run(PARTS, part, j);
    for (int i = 0; i < PARTS; i++) check_int(atomic_load(&j->ran[i]), 1);
    free(j);
}

static void every_part_once(void **state)
{
    for (int n = 1; n <= 8; n++) {
        threads_set(n);
        check_int(threads_count(), n);
        for (int k = 0; k < 50; k++) check_once();
    }
    threads_run(0, part, NULL);
    threads_run(-3, part, NULL);
    threads_set(1000);
    check_int(threads_count(), 64);
    threads_set(0);
    assert_true(threads_count() >= 1);
}

static void nest(void *ud, int i)
{
    struct job *j = ud;
    struct job in = { 0 };
    threads_run(20, part, &in);
    for (int k = 0; k < 20; k++) atomic_fetch_add(&j->inner, atomic_load(&in.ran[k]));
    part(j, i);
}

static void nested_use(void **state)
{
    struct job *j = calloc(1, sizeof *j);
    threads_set(4);
    threads_run(100, nest, j);
    check_int(atomic_load(&j->inner), 2000);
    for (int i = 0; i < 100; i++) check_int(atomic_load(&j->ran[i]), 1);
    free(j);
}

static void *caller(void *unused)
{
    struct job *j = calloc(1, sizeof *j);
    long bad = 0;
    for (int k = 0; k < 100; k++) {
        memset(j, 0, sizeof *j);
        threads_run(50, part, j);
        for (int i = 0; i < 50; i++) bad += atomic_load(&j->ran[i]) != 1;
    }
    free(j);
    return (void *)bad;
}

static void concurrent_callers(void **state)
{
    pthread_t t[6];
    threads_set(3);
    for (int i = 0; i < 6; i++) assert_int_equal(pthread_create(&t[i], NULL, caller, NULL), 0);
    for (int k = 0; k < 20; k++) threads_set(1 + k % 4); /* while they are at it */
    for (int i = 0; i < 6; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        check_int((long)bad, 0);
    }
}

static void stop_and_start(void **state)
{
    for (int k = 0; k < 20; k++) {
        threads_set(4);
        check_once();
        threads_stop();
        threads_stop();
        check_once();
    }
}

static atomic_int signals_blocked;

static void look_at_mask(void *ud, int i)
{
    sigset_t now;
    pthread_t *main_thread = ud;
    if (pthread_equal(*main_thread, pthread_self())) {
        usleep(1000); /* leave some for the others */
        return;
    }
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    atomic_fetch_add(&signals_blocked, sigismember(&now, SIGINT) ? 1 : 1000000);
}

static void signals_belong_to_the_caller(void **state)
{
    pthread_t self = pthread_self();
    sigset_t now;
    threads_set(4);
    while (!atomic_load(&signals_blocked)) threads_run(64, look_at_mask, &self);
    assert_true(atomic_load(&signals_blocked) < 1000000);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    assert_false(sigismember(&now, SIGINT));
}

static void a_child_starts_anew(void **state)
{
#if defined(__SANITIZE_THREAD__)
    skip(); /* it does not follow forks of threaded programs */
#endif
    int status;
    threads_set(4);
    check_once();
    pid_t pid = fork();
    if (!pid) {
        struct job *j = calloc(1, sizeof *j);
        int bad = 0;
        alarm(600);
        threads_run(PARTS, part, j);
        for (int i = 0; i < PARTS; i++) bad += atomic_load(&j->ran[i]) != 1;
        threads_stop();
        _exit(bad ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    check_int(status, 0);
    check_once();
}

static void *look_at_signals(void *ud)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    *(int *)ud =
        sigismember(&now, SIGINT) && sigismember(&now, SIGTERM) && !sigismember(&now, SIGSEGV);
    return NULL;
}

static void own_threads_take_no_signals_but_for_faults(void **state)
{
    pthread_t t;
    struct err err = { 0 };
    sigset_t now;
    int blocked = -1;
    check_ok(thread_start(&t, look_at_signals, &blocked, &err), err);
    pthread_join(t, NULL);
    check_int(blocked, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    check_int(sigismember(&now, SIGINT), 0); /* and the caller still does */
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_part_once),
        cmocka_unit_test(nested_use),
        cmocka_unit_test(concurrent_callers),
        cmocka_unit_test(stop_and_start),
        cmocka_unit_test(signals_belong_to_the_caller),
        cmocka_unit_test(a_child_starts_anew),
        cmocka_unit_test(own_threads_take_no_signals_but_for_faults),
    };
    int rc = check_run("base/threads", t);
    threads_stop();
    return rc;
}
