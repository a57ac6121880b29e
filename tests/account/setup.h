/* What the tests of accounts share: a home with a service.db and accounts over it, on a clock that
 * only they move. begin and end go around each case. */
#ifndef LK_TESTS_ACCOUNT_SETUP_H
#define LK_TESTS_ACCOUNT_SETUP_H

#include "account/inside.h"
#include "base/io.h"
#include "check.h"

#include <crypt.h>
#include <sodium.h>

static struct err err;
static char home[300];
static struct vault *vault;
static struct service *sv;
static struct accounts *as;
static int64_t began, shift; /* of the clock, which stands still but for what a test adds */
static const char PLACE[] = "192.0.2.1";

static void (*hook)(
    void);          /* run once, when the time is asked for the hook_at-th time: between two */
static int hook_at; /* steps of what is tested */

static inline int64_t shifted(void)
{
    if (hook && --hook_at == 0) {
        void (*run)(void) = hook;
        hook = NULL;
        run();
    }
    return began + shift;
}

static inline void open_with(const struct account_opts *o)
{
    check_ok(service_open(home, vault, &sv, &err), err);
    service_clock(sv, shifted);
    check_ok(accounts_open(sv, o, &as, &err), err);
}

static inline void shut(void)
{
    accounts_close(as);
    service_close(sv);
    as = NULL;
    sv = NULL;
}

static inline int begin(void **state)
{
    struct secret s = { .passphrase = "correct horse", .passphrase_n = 13 };
    began = clock_now();
    shift = 0;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    if (vault_create(home, &s, &err) || vault_unlock(home, &s, &vault, &err)) return -1;
    open_with(NULL);
    return 0;
}

static inline int end(void **state)
{
    shut();
    vault_lock(vault);
    return 0;
}

static inline int64_t make(const char *email)
{
    int64_t id = 0;
    check_ok(account_create(as, email, "a long secret", &id, &err), err);
    assert_int_not_equal(id, 0);
    return id;
}

static inline int login_as(const char *email, const char *password, struct account_tokens *t)
{
    return account_login(as, email, password, "curl/8", PLACE, t, NULL, &err);
}

static inline struct account_tokens login(const char *email)
{
    struct account_tokens t;
    check_ok(login_as(email, "a long secret", &t), err);
    return t;
}

static inline int who_is(const char *token)
{
    struct principal p;
    return account_bearer(as, token, &p, &err);
}

static inline void bcrypt_of(const char *password, char out[HASH_MAX])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *h = crypt_rn(password, "$2b$04$abcdefghijklmnopqrstuu", data, sizeof *data);
    assert_non_null(h);
    snprintf(out, HASH_MAX, "%s", h);
    free(data);
}

static inline void hash_of(int64_t id, char out[HASH_MAX])
{
    struct account a;
    check_ok(account_load(as, id, NULL, NULL, &a, &err), err);
    snprintf(out, HASH_MAX, "%s", a.hash);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
