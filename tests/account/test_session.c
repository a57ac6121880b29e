/* Logins over a real service.db: tokens and how they end, guessing, refresh tokens and their reuse,
 * passwords that change while others log in. */
#include "setup.h"

/* ---- logging in ---- */

static void in_and_out(void **state)
{
    struct principal p;
    int64_t id = make("ann@example.org");
    struct account_tokens t = login(" ANN@example.org");
    check_int(t.account, id);
    check_int(t.expires_in, 900);
    check_int(strlen(t.refresh), WORD_BYTES);
    check_ok(account_bearer(as, t.access, &p, &err), err);
    check_int(p.account, id);
    check_int(p.session, t.session);
    check_int(p.key, 0);
    check_int(p.n_only, 0);
    check_ok(account_logout(as, id, t.session, &err), err);
    check_int(who_is(t.access), ERR_KEY);
    check_int(account_refresh(as, t.refresh, &t, &err), ERR_KEY);
    check_int(account_logout(as, id, 12345, &err), ERR_NOTFOUND);
}

static void over_after_a_while(void **state)
{
    make("ann@example.org");
    struct account_tokens t = login("ann@example.org"), t2;
    shift = 899;
    check_ok(who_is(t.access), err);
    shift = 900;
    check_int(who_is(t.access), ERR_KEY);
    check_has(err.msg, "expired");
    check_ok(account_refresh(as, t.refresh, &t2, &err), err);
    check_ok(who_is(t2.access), err);
    shift = 29 * 86400;
    check_ok(account_refresh(as, t2.refresh, &t, &err), err);
    shift = 60 * 86400;
    check_int(account_refresh(as, t.refresh, &t2, &err), ERR_KEY);
}

static void sessions_end_before_tokens(void **state)
{
    struct account_opts o = { .refresh_seconds = 60 };
    struct account a;
    shut();
    open_with(&o);
    int64_t id = make("ann@example.org");
    struct account_tokens t = login("ann@example.org");
    check_ok(who_is(t.access), err);
    check_ok(account_load(as, id, NULL, NULL, &a, &err), err); /* switched off, the session left */
    a.info.disabled = true;
    check_ok(account_save(as, &a, &err), err);
    check_int(who_is(t.access), ERR_KEY);
    a.info.disabled = false;
    check_ok(account_save(as, &a, &err), err);
    check_ok(who_is(t.access), err);
    shift = 61;
    check_int(who_is(t.access), ERR_KEY);
}

/* No word, code or side effect tells an address that is not there from a wrong password. */
static void strangers_learn_nothing(void **state)
{
    struct account_tokens t;
    struct err unknown, wrong, off;
    int64_t id = make("ann@example.org");
    int64_t ben = make("ben@example.org");
    check_ok(account_disable(as, ben, true, &err), err);
    check_int(
        account_login(as, "nobody@example.org", "a long secret", NULL, NULL, &t, NULL, &unknown),
        ERR_KEY);
    check_int(account_login(as, "ann@example.org", "a long secrex", NULL, NULL, &t, NULL, &wrong),
              ERR_KEY);
    check_int(account_login(as, "ben@example.org", "a long secret", NULL, NULL, &t, NULL, &off),
              ERR_KEY);
    check_str(wrong.msg, unknown.msg);
    check_str(off.msg, unknown.msg);
    check_int(account_login(as, "", "", NULL, NULL, &t, NULL, &wrong), ERR_KEY);
    check_str(wrong.msg, unknown.msg);
    check_int(t.access[0] || t.refresh[0], 0);
    check_int(id > 0, 1);
}

static void guessing_is_slowed(void **state)
{
    struct account_opts o = { .tries = 3 };
    struct account_tokens t;
    int retry = 0;
    shut();
    open_with(&o);
    make("ann@example.org");
    for (int i = 0; i < 3; i++) check_int(login_as("ann@example.org", "wrong guess", &t), ERR_KEY);
    for (int i = 0; i < 2; i++) { /* the right one too, and it costs no hashing */
        check_int(
            account_login(as, "ann@example.org", "a long secret", NULL, PLACE, &t, &retry, &err),
            ERR_LIMIT);
        check_int(retry, 1);
        check_has(err.msg, "1 second");
    }
    check_int(account_login(as, "ann@example.org", "x", NULL, "198.51.100.7", &t, &retry, &err),
              ERR_LIMIT);
    check_int(account_login(as, "nobody@example.org", "x", NULL, PLACE, &t, &retry, &err),
              ERR_LIMIT);
    check_int(account_login(as, "nobody@example.org", "x", NULL, "198.51.100.7", &t, &retry, &err),
              ERR_KEY);
    shift += 1;
    check_int(login_as("ann@example.org", "wrong guess", &t), ERR_KEY);
    check_int(account_login(as, "ann@example.org", "x", NULL, PLACE, &t, &retry, &err), ERR_LIMIT);
    check_int(retry, 2);
    shift += 2;
    check_ok(login_as("ann@example.org", "a long secret", &t), err);
    check_int(account_password(as, t.account, "wrong", "another secret", 0, &err), ERR_KEY);
    check_int(account_check(as, t.account, "wrong", NULL, &err), ERR_KEY);
    check_int(account_check(as, t.account, "wrong", NULL, &err), ERR_KEY);
    check_int(account_check(as, t.account, "a long secret", &retry, &err), ERR_LIMIT);
}

/* Neither the count of wrong tries nor the places that were right are forgotten by a restart. */
static void guesses_outlive_a_restart(void **state)
{
    struct account_opts o = { .tries = 3 };
    struct account_tokens t;
    int retry = 0;
    shut();
    open_with(&o);
    make("ann@example.org");
    check_ok(account_login(as, "ann@example.org", "a long secret", NULL, "203.0.113.9", &t, &retry,
                           &err),
             err);
    for (int i = 0; i < 3; i++) check_int(login_as("ann@example.org", "wrong guess", &t), ERR_KEY);
    shut();
    open_with(&o);
    check_int(account_login(as, "ann@example.org", "a long secret", NULL, PLACE, &t, &retry, &err),
              ERR_LIMIT);
    check_int(retry, 1);
    check_int(account_login(as, "ann@example.org", "x", NULL, "198.51.100.7", &t, &retry, &err),
              ERR_LIMIT);
    check_ok(account_login(as, "ann@example.org", "a long secret", NULL, "203.0.113.9", &t, &retry,
                           &err),
             err);
    check_int(login_as("ann@example.org", "wrong guess", &t), ERR_LIMIT);
    shift += 3700;
    check_int(login_as("ann@example.org", "wrong guess", &t), ERR_KEY); /* an hour forgets */
}

/* A process that dies has kept all but the last seconds; a table that is no table is none. */
static void guesses_outlive_a_crash(void **state)
{
    struct account_opts o = { .tries = 2 };
    struct account_tokens t;
    struct guesses *other = NULL;
    uint8_t digest[16];
    shut();
    open_with(&o);
    make("ann@example.org");
    for (int i = 0; i < 7; i++) { /* the waits are 1, 2, 4, 8, 16 and 32 seconds */
        check_int(login_as("ann@example.org", "wrong guess", &t), ERR_KEY);
        if (i < 6) shift += 20;
    }
    account_digest(as, "ann@example.org", digest);
    check_ok(guesses_open(sv, 2, &other, &err), err); /* as a new process would */
    check_int(guess_wait(other, digest, PLACE, account_now(as)) > 0, 1);
    guesses_close(other);
    check_ok(service_note_put(sv, "guesses", "\1half an entry", 14, &err), err);
    check_ok(guesses_open(sv, 2, &other, &err), err);
    check_int(guess_wait(other, digest, PLACE, account_now(as)), 0);
    guesses_close(other);
}

/* Those who stand in line with a guess do not come through when the count is full. */
static void *guess(void *ud)
{
    struct account_tokens t;
    int rc = account_login(as, "ann@example.org", "wrong guess", NULL, PLACE, &t, NULL, NULL);
    if (rc == ERR_KEY) atomic_fetch_add((atomic_int *)ud, 1);
    return NULL;
}

static void many_guess_at_once(void **state)
{
    enum { N = 24 };
    struct account_opts o = { .tries = 3, .hashers = 2 };
    pthread_t id[N];
    atomic_int checked = 0;
    shut();
    open_with(&o);
    make("ann@example.org");
    check_ok(hashers_enter(as->hashers, &err), err); /* so that they all stand in line */
    check_ok(hashers_enter(as->hashers, &err), err);
    for (int i = 0; i < N; i++) pthread_create(&id[i], NULL, guess, &checked);
    while (hashers_waiting(as->hashers) < N) sched_yield();
    hashers_leave(as->hashers);
    hashers_leave(as->hashers);
    for (int i = 0; i < N; i++) pthread_join(id[i], NULL);
    assert_in_range(checked, 3, 4);
}

/* ---- refreshing ---- */

static void reuse_ends_the_session(void **state)
{
    make("ann@example.org");
    struct account_tokens t1 = login("ann@example.org"), t2, t3, none;
    struct account_tokens other = login("ann@example.org");
    check_ok(account_refresh(as, t1.refresh, &t2, &err), err);
    check_int(t2.session, t1.session);
    assert_string_not_equal(t1.refresh, t2.refresh);
    check_ok(account_refresh(as, t2.refresh, &t3, &err), err);
    check_ok(who_is(t3.access), err);
    check_int(account_refresh(as, t1.refresh, &none, &err), ERR_KEY);
    check_has(err.msg, "used before");
    check_int(none.access[0] || none.refresh[0], 0);
    check_int(who_is(t3.access), ERR_KEY); /* thief or owner: nobody goes on */
    check_int(account_refresh(as, t3.refresh, &none, &err), ERR_KEY);
    check_ok(who_is(other.access), err); /* other logins do */
    check_ok(account_refresh(as, other.refresh, &none, &err), err);
}

static void bad_refresh_tokens(void **state)
{
    make("ann@example.org");
    struct account_tokens t = login("ann@example.org"), none;
    char changed[64];
    static const char *const BAD[] = { "", "x", "lk-x", "null",
                                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        check_int(account_refresh(as, BAD[i], &none, &err), ERR_KEY);
    check_int(account_refresh(as, t.access, &none, &err), ERR_KEY);
    check_int(who_is(t.refresh), ERR_KEY);
    for (size_t i = 0; i < WORD_BYTES; i++) {
        snprintf(changed, sizeof changed, "%s", t.refresh);
        changed[i] = changed[i] == 'A' ? 'E' : 'A';
        check_int(account_refresh(as, changed, &none, &err), ERR_KEY);
    }
    check_ok(account_refresh(as, t.refresh, &t, &err), err); /* in place */
    check_ok(who_is(t.access), err);
}

struct race {
    pthread_barrier_t start;
    const char *refresh;
    atomic_int won;
};

static void *refresh_at_once(void *ud)
{
    struct race *r = ud;
    struct account_tokens t;
    pthread_barrier_wait(&r->start);
    if (!account_refresh(as, r->refresh, &t, NULL)) atomic_fetch_add(&r->won, 1);
    return NULL;
}

static void one_winner(void **state)
{
    enum { N = 4 };
    make("ann@example.org");
    for (int round = 0; round < 5; round++) {
        struct account_tokens t = login("ann@example.org");
        struct race r = { .refresh = t.refresh };
        pthread_t id[N];
        pthread_barrier_init(&r.start, NULL, N);
        for (int i = 0; i < N; i++) pthread_create(&id[i], NULL, refresh_at_once, &r);
        for (int i = 0; i < N; i++) pthread_join(id[i], NULL);
        pthread_barrier_destroy(&r.start);
        check_int(r.won, 1);
        check_int(who_is(t.access), ERR_KEY);
    }
}

/* ---- passwords change ---- */

static void a_change_revokes(void **state)
{
    char key[64];
    struct account_tokens none;
    int64_t id = make("ann@example.org");
    struct account_tokens mine = login("ann@example.org"), other = login("ann@example.org");
    check_ok(account_key_new(as, id, "laptop", NULL, 0, key, NULL, &err), err);
    check_ok(who_is(key), err);
    check_int(account_password(as, id, "a long secrex", "another secret", mine.session, &err),
              ERR_KEY);
    check_int(account_password(as, id, "a long secret", "short", mine.session, &err), ERR_INVAL);
    check_int(account_password(as, id, "a long secret", "a long secret", mine.session, &err),
              ERR_INVAL);
    check_ok(who_is(other.access), err);
    check_ok(account_password(as, id, "a long secret", "another secret", mine.session, &err), err);
    check_ok(who_is(mine.access), err);
    check_int(who_is(other.access), ERR_KEY);
    check_int(who_is(key), ERR_KEY);
    check_int(account_refresh(as, other.refresh, &none, &err), ERR_KEY);
    check_int(login_as("ann@example.org", "a long secret", &none), ERR_KEY);
    check_ok(login_as("ann@example.org", "another secret", &none), err);
    check_ok(account_password_set(as, id, "a third secret", &err), err);
    check_int(who_is(mine.access), ERR_KEY);
    check_ok(login_as("ann@example.org", "a third secret", &none), err);
}

struct changing {
    atomic_bool stop;
    const char *email;
};

static void *log_in_on_and_on(void *ud)
{
    struct changing *c = ud;
    struct account_tokens t;
    while (!atomic_load(&c->stop))
        if (account_login(as, c->email, "a long secret", NULL, NULL, &t, NULL, NULL)) break;
    return NULL;
}

static int count_live(void *ud, const struct account_session *s)
{
    *(int *)ud += !s->revoked;
    return 0;
}

/* Whatever a login with the old password was doing, nothing of it is left. */
static void no_login_outlives_its_password(void **state)
{
    struct account_opts o = { .hashers = 4 };
    shut();
    open_with(&o);
    for (int round = 0; round < 8; round++) {
        struct changing c = { .email = "ann@example.org" };
        pthread_t id[3];
        int live = 0;
        int64_t n = 0;
        if (account_by_email(as, "ann@example.org", &n, NULL)) n = make("ann@example.org");
        for (int i = 0; i < 3; i++) pthread_create(&id[i], NULL, log_in_on_and_on, &c);
        check_ok(account_password_set(as, n, "another secret", &err), err);
        atomic_store(&c.stop, true);
        for (int i = 0; i < 3; i++) pthread_join(id[i], NULL);
        check_ok(account_sessions(as, n, count_live, &live, &err), err);
        check_int(live, 0);
        check_ok(account_password_set(as, n, "a long secret", &err), err);
    }
}

static struct account_tokens between;
static int64_t whose;

static void change_now(void)
{
    check_ok(account_password_set(as, whose, "another secret", &err), err);
}
static void login_now(void)
{
    check_ok(login_as("ann@example.org", "a long secret", &between), err);
}

/* The same, at the worst moments: the password changes between check and session, and somebody logs
 * in between revoking and storing. */
static void changes_in_the_midst(void **state)
{
    struct account_opts o = { .hashers = 4 };
    struct account_tokens t;
    shut();
    open_with(&o);
    whose = make("ann@example.org");
    hook_at = 4; /* before the line, at its end, after the hash, for the session */
    hook = change_now;
    check_int(login_as("ann@example.org", "a long secret", &t), ERR_KEY);
    assert_null(hook);
    check_int(t.access[0] || t.refresh[0], 0);
    check_ok(login_as("ann@example.org", "another secret", &t), err);
    check_ok(account_password_set(as, whose, "a long secret", &err), err);
    hook_at = 1; /* for the new hash */
    hook = login_now;
    check_ok(account_password_set(as, whose, "another secret", &err), err);
    assert_null(hook);
    assert_int_not_equal(between.access[0], 0);
    check_int(who_is(between.access), ERR_KEY);
    check_int(account_refresh(as, between.refresh, &t, &err), ERR_KEY);
}

/* An old hash that is made anew at a login does not undo a new password. */
static void an_upgrade_undoes_nothing(void **state)
{
    struct account_opts o = { .hashers = 4 };
    char old[HASH_MAX], email[64];
    shut();
    open_with(&o);
    bcrypt_of("a long secret", old);
    for (int round = 0; round < 8; round++) {
        struct changing c = { .email = email };
        struct account_tokens t;
        pthread_t id[3];
        int64_t n = 0;
        snprintf(email, sizeof email, "ann%d@example.org", round);
        check_ok(account_import(as, email, old, &n, &err), err);
        for (int i = 0; i < 3; i++) pthread_create(&id[i], NULL, log_in_on_and_on, &c);
        check_ok(account_password_set(as, n, "another secret", &err), err);
        atomic_store(&c.stop, true);
        for (int i = 0; i < 3; i++) pthread_join(id[i], NULL);
        check_ok(login_as(email, "another secret", &t), err);
    }
}

/* ---- the list ---- */

static int note_session(void *ud, const struct account_session *s)
{
    struct account_session *out = ud;
    if (!s->revoked) *out = *s;
    return 0;
}

static void sessions_are_listed(void **state)
{
    struct account_session s = { 0 };
    struct account_tokens t;
    int live = 0;
    int64_t id = make("ann@example.org"), ben = make("ben@example.org");
    check_ok(account_login(as, "ann@example.org", "a long secret", "  Fire\nfox\x01 \xff 99 ",
                           PLACE, &t, NULL, &err),
             err);
    login("ben@example.org");
    check_ok(account_sessions(as, id, note_session, &s, &err), err);
    check_int(s.id, t.session);
    check_has(s.client, "Fire fox");
    check_str(s.address, PLACE);
    check_int(s.expires_at - s.created_at, 30 * 86400);
    check_int(account_logout(as, ben, t.session, &err), ERR_NOTFOUND); /* not Ben's to end */
    check_ok(who_is(t.access), err);
    login("ann@example.org");
    check_ok(account_sessions(as, id, count_live, &live, &err), err);
    check_int(live, 2);
    check_ok(account_logout(as, id, 0, &err), err);
    check_int(who_is(t.access), ERR_KEY);
    live = 0;
    check_ok(account_sessions(as, id, count_live, &live, &err), err);
    check_int(live, 0);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        CASE(in_and_out),
        CASE(over_after_a_while),
        CASE(sessions_end_before_tokens),
        CASE(strangers_learn_nothing),
        CASE(guessing_is_slowed),
        CASE(guesses_outlive_a_restart),
        CASE(guesses_outlive_a_crash),
        CASE(many_guess_at_once),
        CASE(reuse_ends_the_session),
        CASE(bad_refresh_tokens),
        CASE(one_winner),
        CASE(a_change_revokes),
        CASE(no_login_outlives_its_password),
        CASE(changes_in_the_midst),
        CASE(an_upgrade_undoes_nothing),
        CASE(sessions_are_listed),
    };
    setenv("LIKENESS_KDF", "fast", 1);
    if (sodium_init() < 0) return 1;
    return check_run("account/session", t);
}
