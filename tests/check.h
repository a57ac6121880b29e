/* What every unit test includes: cmocka, and checks that print both values.
 *
 *     static void adds(void **state) { check_int(1 + 1, 2); check_str(name, "x"); check_near(a, b,
 * 1e-6); } int main(void)
 *     {
 *         const struct CMUnitTest t[] = { cmocka_unit_test(adds) };
 *         return check_run("base/sum", t);
 *     } */
#ifndef LK_TESTS_CHECK_H
#define LK_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define check_int(got, want)                                                                       \
    do {                                                                                           \
        long long g_ = (long long)(got), w_ = (long long)(want);                                   \
        if (g_ != w_) fail_msg("%s: got %lld, want %lld", #got, g_, w_);                           \
    } while (0)
#define check_str(got, want)                                                                       \
    do {                                                                                           \
        const char *g_ = (got), *w_ = (want);                                                      \
        if (!g_ || strcmp(g_, w_))                                                                 \
            fail_msg("%s: got \"%s\", want \"%s\"", #got, g_ ? g_ : "NULL", w_);                   \
    } while (0)
#define check_has(got, part)                                                                       \
    do {                                                                                           \
        const char *g_ = (got), *w_ = (part);                                                      \
        if (!g_ || !strstr(g_, w_))                                                                \
            fail_msg("%s: \"%s\" does not hold \"%s\"", #got, g_ ? g_ : "NULL", w_);               \
    } while (0)
#define check_hasnt(got, part)                                                                     \
    do {                                                                                           \
        const char *g_ = (got), *w_ = (part);                                                      \
        if (g_ && strstr(g_, w_)) fail_msg("%s: \"%s\" holds \"%s\"", #got, g_, w_);               \
    } while (0)
#define check_near(got, want, tol)                                                                 \
    do {                                                                                           \
        double g_ = (got), w_ = (want), t_ = (tol);                                                \
        if (!(g_ - w_ <= t_ && w_ - g_ <= t_))                                                     \
            fail_msg("%s: got %.9g, want %.9g +- %g", #got, g_, w_, t_);                           \
    } while (0)
/* rc is 0, or the message in err (a struct err) is shown. */
#define check_ok(rc, err)                                                                          \
    do {                                                                                           \
        int r_ = (rc);                                                                             \
        if (r_) fail_msg("%s: %d (%s)", #rc, r_, (err).msg);                                       \
    } while (0)

/* The folder of real test data, or NULL: then the test calls skip(). */
static inline const char *check_data_dir(void)
{
    const char *d = getenv("LIKENESS_TEST_DATA");
    struct stat st;
    if (!d) d = "../shared/data";
    return stat(d, &st) == 0 ? d : NULL;
}

/* A fresh folder under TMPDIR, removed by the runner. */
static inline const char *check_tmp_dir(void)
{
    static char path[256];
    const char *t = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/likeness-test-XXXXXX", t ? t : "/tmp");
    return mkdtemp(path);
}

/* TAP on stdout, for tools/runtests. */
#define check_run(name, tests)                                                                     \
    (cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests_name(name, tests, NULL, NULL))

#endif
