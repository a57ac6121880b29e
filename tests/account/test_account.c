/* Accounts over a real service.db: making them, logging in, refreshing, revoking, keys, rights. */
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
static int64_t shift; /* of the clock */
static const char PLACE[] = "192.0.2.1";

static int64_t shifted(void) { return clock_now() + shift; }

static void open_with(const struct account_opts *o)
{
    check_ok(service_open(home, vault, &sv, &err), err);
    service_clock(sv, shifted);
    check_ok(accounts_open(sv, o, &as, &err), err);
}

static void shut(void)
{
    accounts_close(as);
    service_close(sv);
    as = NULL;
    sv = NULL;
}

static int begin(void **state)
{
    struct secret s = { .passphrase = "correct horse", .passphrase_n = 13 };
    shift = 0;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    if (vault_create(home, &s, &err) || vault_unlock(home, &s, &vault, &err)) return -1;
    open_with(NULL);
    return 0;
}

static int end(void **state)
{
    shut();
    vault_lock(vault);
    return 0;
}

static int64_t make(const char *email)
{
    int64_t id = 0;
    check_ok(account_create(as, email, "a long secret", &id, &err), err);
    assert_int_not_equal(id, 0);
    return id;
}

static int login_as(const char *email, const char *password, struct account_tokens *t)
{
    return account_login(as, email, password, "curl/8", PLACE, t, NULL, &err);
}

static struct account_tokens login(const char *email)
{
    struct account_tokens t;
    check_ok(login_as(email, "a long secret", &t), err);
    return t;
}

static int who_is(const char *token)
{
    struct principal p;
    return account_bearer(as, token, &p, &err);
}

/* ---- making ---- */

static void addresses(void **state)
{
    /* clang-format off */
    static const char *const BAD[] = {
        "", "@", "ann", "ann@", "@example.org", "a@b@c.org", "ann lee@example.org",
        "ann@exa mple.org", "ann@example..org", "ann@.example.org", "ann@example.org.",
        "ann\n@example.org", "ann@exam\x01ple.org", "ann@exa\xffmple.org", "<ann@example.org>",
        "ann,ben@example.org", "Ann <ann@example.org>",
    };
    /* clang-format on */
    char long_one[300] = "a@";
    int64_t id;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        check_int(account_create(as, BAD[i], "a long secret", &id, &err), ERR_INVAL);
        check_has(err.msg, "ann@example.org"); /* an example, not what was typed */
        if (strlen(BAD[i]) > 16) check_hasnt(err.msg, BAD[i]);
    }
    memset(long_one + 2, 'x', 253);
    check_int(account_create(as, long_one, "a long secret", &id, &err), ERR_INVAL);
    long_one[254] = 0;
    make(long_one);
    make("o'brien+tag@mail.example.co.uk");
    make("jürgen@exämple.org");
    make("ann@localhost");
}

static void one_account_for_an_address(void **state)
{
    struct account_info a;
    int64_t id = make("  Ann.Lee@Example.ORG \n"), other;
    check_int(account_create(as, "ann.lee@example.org", "another secret", &other, &err),
              ERR_EXISTS);
    check_hasnt(err.msg, "lee");
    check_ok(account_by_email(as, "ANN.LEE@example.org", &other, &err), err);
    check_int(other, id);
    check_int(account_by_email(as, "ann@example.org", &other, &err), ERR_NOTFOUND);
    check_ok(account_info(as, id, &a, &err), err);
    check_str(a.email, "Ann.Lee@Example.ORG");
    assert_false(a.disabled);
    check_int(a.id, id);
    check_int(account_info(as, 0, &a, &err), ERR_NOTFOUND);
    check_int(account_info(as, id + 1, &a, &err), ERR_NOTFOUND);
}

static void nothing_plain_on_disk(void **state)
{
    static const char *const NAMES[] = { "service.db", "service.db-wal" };
    struct account_tokens t;
    char key[64];
    make("zebulon@example.org");
    t = login("zebulon@example.org");
    check_ok(account_key_new(as, t.account, "labelled", NULL, 0, key, NULL, &err), err);
    for (size_t i = 0; i < 2; i++) {
        char path[400];
        struct buf b = BUF_INIT(0);
        snprintf(path, sizeof path, "%s/%s", home, NAMES[i]);
        check_ok(io_read_file(path, 64 << 20, &b, &err), err);
        assert_null(memmem(b.p, b.n, "zebulon", 7));
        assert_null(memmem(b.p, b.n, "argon2id", 8));
        assert_null(memmem(b.p, b.n, "labelled", 8));
        assert_null(memmem(b.p, b.n, "curl/8", 6));
        assert_null(memmem(b.p, b.n, t.refresh, WORD_BYTES));
        assert_null(memmem(b.p, b.n, key + 3, WORD_BYTES));
        assert_null(memmem(b.p, b.n, key + 3, 8));
        buf_free(&b);
    }
}

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
    check_ok(account_refresh(as, t.refresh, &none, &err), err);
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
    int64_t id;
};

static void *log_in_on_and_on(void *ud)
{
    struct changing *c = ud;
    struct account_tokens t;
    while (!atomic_load(&c->stop))
        if (account_login(as, "ann@example.org", "a long secret", NULL, NULL, &t, NULL, NULL))
            break;
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
    for (int round = 0; round < 5; round++) {
        struct changing c = { .id = 0 };
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

static void disabled(void **state)
{
    char key[64];
    struct account_tokens none;
    int64_t id = make("ann@example.org");
    struct account_tokens t = login("ann@example.org");
    check_ok(account_key_new(as, id, "laptop", NULL, 0, key, NULL, &err), err);
    check_ok(account_disable(as, id, true, &err), err);
    check_int(who_is(t.access), ERR_KEY);
    check_int(who_is(key), ERR_KEY);
    check_int(account_refresh(as, t.refresh, &none, &err), ERR_KEY);
    check_int(login_as("ann@example.org", "a long secret", &none), ERR_KEY);
    check_ok(account_disable(as, id, false, &err), err);
    check_int(who_is(t.access), ERR_KEY);
    check_ok(who_is(key), err);
    check_ok(login_as("ann@example.org", "a long secret", &none), err);
    check_int(account_disable(as, id + 9, true, &err), ERR_NOTFOUND);
}

static void gone(void **state)
{
    char key[64];
    struct account_tokens none;
    int64_t id = make("ann@example.org");
    struct account_tokens t = login("ann@example.org");
    check_ok(account_key_new(as, id, "laptop", NULL, 0, key, NULL, &err), err);
    check_ok(account_delete(as, id, &err), err);
    check_int(who_is(t.access), ERR_KEY);
    check_int(who_is(key), ERR_KEY);
    check_int(account_refresh(as, t.refresh, &none, &err), ERR_KEY);
    check_int(account_delete(as, id, &err), ERR_NOTFOUND);
    assert_int_not_equal(make("ann@example.org"), id); /* a new one is another */
    check_int(who_is(t.access), ERR_KEY);
}

/* ---- imported hashes ---- */

static void bcrypt_of(const char *password, char out[HASH_MAX])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *h = crypt_rn(password, "$2b$04$abcdefghijklmnopqrstuu", data, sizeof *data);
    assert_non_null(h);
    snprintf(out, HASH_MAX, "%s", h);
    free(data);
}

static void hash_of(int64_t id, char out[HASH_MAX])
{
    struct account a;
    check_ok(account_load(as, id, NULL, NULL, &a, &err), err);
    snprintf(out, HASH_MAX, "%s", a.hash);
}

static void imported(void **state)
{
    char h[HASH_MAX], whole[101], other[101];
    struct account_tokens t;
    int64_t id = 0, again = 0;
    memset(whole, 'a', 100);
    whole[100] = 0;
    memcpy(other, whole, 101);
    other[99] = 'b';
    bcrypt_of(whole, h);
    check_int(account_import(as, "ann@example.org", "nonsense", &id, &err), ERR_INVAL);
    check_int(account_import(as, "ann", h, &id, &err), ERR_INVAL);
    check_ok(account_import(as, "ann@example.org", h, &id, &err), err);
    check_int(account_import(as, "Ann@example.org", h, &again, &err), ERR_EXISTS);
    check_int(login_as("ann@example.org", "a wrong one", &t), ERR_KEY);
    hash_of(id, h);
    check_int(strncmp(h, "$2b$04$", 7), 0);
    check_ok(login_as("ann@example.org", whole, &t), err);
    check_ok(who_is(t.access), err);
    hash_of(id, h);
    check_int(strncmp(h, "$argon2id$", 10), 0);
    check_ok(login_as("ann@example.org", whole, &t), err);
    check_int(login_as("ann@example.org", other, &t), ERR_KEY); /* all 100 bytes count now */
    check_ok(password_hash("a long secret", h, &err), err);
    check_ok(account_import(as, "ben@example.org", h, &again, &err), err);
    check_ok(login_as("ben@example.org", "a long secret", &t), err);
}

/* ---- sessions and keys ---- */

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

static int note_key(void *ud, const struct account_key *k)
{
    *(struct account_key *)ud = *k;
    return 0;
}

static const uint8_t P1[VAULT_UID] = { 1 }, P2[VAULT_UID] = { 2 };

static void keys(void **state)
{
    char key[64], bad[80];
    struct principal p;
    struct account_key k = { 0 };
    int64_t id = make("ann@example.org"), ben = make("ben@example.org"), n = 0;
    check_ok(account_key_new(as, id, "a laptop", NULL, 0, key, &n, &err), err);
    check_int(strlen(key), 46);
    check_int(strncmp(key, "lk-", 3), 0);
    check_ok(account_bearer(as, key, &p, &err), err);
    check_int(p.account, id);
    check_int(p.key, n);
    check_int(p.session, 0);
    check_ok(account_keys(as, id, note_key, &k, &err), err);
    check_int(k.id, n);
    check_str(k.label, "a laptop");
    check_int(strncmp(k.begins, key, 8), 0);
    check_int(k.n_only, 0);
    for (size_t i = 0; i < strlen(key); i++) {
        snprintf(bad, sizeof bad, "%s", key);
        bad[i] = bad[i] == 'E' ? 'I' : 'E';
        check_int(who_is(bad), ERR_KEY);
    }
    snprintf(bad, sizeof bad, "%sA", key);
    check_int(who_is(bad), ERR_KEY);
    check_int(who_is("lk-"), ERR_KEY);
    check_int(account_key_revoke(as, ben, n, &err), ERR_NOTFOUND);
    check_int(account_key_revoke(as, id, 0, &err), ERR_NOTFOUND);
    check_ok(who_is(key), err);
    check_ok(account_key_revoke(as, id, n, &err), err);
    check_int(who_is(key), ERR_KEY);
}

static enum level may(const struct principal *p, const uint8_t persona[VAULT_UID])
{
    enum level l = LEVEL_OWNER;
    check_ok(account_may(as, p, persona, &l, &err), err);
    return l;
}

static void rights(void **state)
{
    char key[64];
    struct principal ann, ben, with_key, nobody = { 0 };
    int64_t a = make("ann@example.org"), b = make("ben@example.org");
    struct account_tokens ta = login("ann@example.org"), tb = login("ben@example.org");
    uint8_t nine[9][VAULT_UID] = { { 1 } };
    check_ok(account_bearer(as, ta.access, &ann, &err), err);
    check_ok(account_bearer(as, tb.access, &ben, &err), err);
    check_ok(service_grant_put(sv, P1, a, LEVEL_OWNER, &err), err);
    check_ok(service_grant_put(sv, P1, b, LEVEL_CHAT, &err), err);
    check_ok(service_grant_put(sv, P2, a, LEVEL_READ, &err), err);
    check_int(may(&ann, P1), LEVEL_OWNER);
    check_int(may(&ann, P2), LEVEL_READ);
    check_int(may(&ben, P1), LEVEL_CHAT);
    check_int(may(&ben, P2), LEVEL_NONE);
    check_int(may(&nobody, P1), LEVEL_NONE);
    check_int(account_key_new(as, b, "x", &P2, 1, key, NULL, &err), ERR_NOTFOUND);
    check_int(account_key_new(as, a, "x", nine, 9, key, NULL, &err), ERR_INVAL);
    check_ok(account_key_new(as, a, "one of them", &P2, 1, key, NULL, &err), err);
    check_ok(account_bearer(as, key, &with_key, &err), err);
    check_int(may(&with_key, P1), LEVEL_NONE);
    check_int(may(&with_key, P2), LEVEL_READ);
    check_ok(service_grant_put(sv, P2, a, LEVEL_NONE, &err), err);
    check_int(may(&with_key, P2), LEVEL_NONE); /* a key never outranks its account */
}

static void too_many_keys(void **state)
{
    char key[64];
    int64_t id = make("ann@example.org"), first = 0;
    check_ok(account_key_new(as, id, "first", NULL, 0, key, &first, &err), err);
    for (int i = 1; i < 100; i++)
        check_ok(account_key_new(as, id, "more", NULL, 0, key, NULL, &err), err);
    check_int(account_key_new(as, id, "more", NULL, 0, key, NULL, &err), ERR_LIMIT);
    check_ok(account_key_revoke(as, id, first, &err), err);
    check_ok(account_key_new(as, id, "more", NULL, 0, key, NULL, &err), err);
}

static int count(void *ud, const struct account_info *a)
{
    ++*(int *)ud;
    return 0;
}

static void kept(void **state)
{
    struct account_info a;
    struct account_tokens t;
    int n = 0;
    int64_t id = make("ann@example.org");
    make("ben@example.org");
    t = login("ann@example.org");
    check_ok(account_default_persona(as, id, P2, &err), err);
    shut();
    open_with(NULL); /* another process: the same key of tokens */
    check_ok(account_info(as, id, &a, &err), err);
    check_int(memcmp(a.persona, P2, VAULT_UID), 0);
    check_str(a.email, "ann@example.org");
    check_ok(who_is(t.access), err);
    check_ok(account_each(as, count, &n, &err), err);
    check_int(n, 2);
}

/* The server and the command line change the same account: nothing is lost. */
static void *change_persona(void *ud)
{
    struct accounts *mine = ud;
    for (uint8_t i = 1; i < 40; i++) {
        uint8_t uid[VAULT_UID] = { i };
        int64_t id = 0;
        if (account_by_email(mine, "ann@example.org", &id, NULL) ||
            account_default_persona(mine, id, uid, NULL))
            return ud;
    }
    return NULL;
}

static void two_processes(void **state)
{
    struct service *sv2 = NULL;
    struct accounts *as2 = NULL;
    struct account_info a;
    struct account_tokens t;
    pthread_t id;
    void *failed = NULL;
    int64_t ann = make("ann@example.org");
    check_ok(service_open(home, vault, &sv2, &err), err);
    check_ok(accounts_open(sv2, NULL, &as2, &err), err);
    pthread_create(&id, NULL, change_persona, as2);
    for (int i = 0; i < 10; i++)
        check_ok(account_password_set(as, ann, i & 1 ? "a long secret" : "another secret", &err),
                 err);
    pthread_join(id, &failed);
    assert_null(failed);
    check_ok(account_info(as, ann, &a, &err), err);
    check_int(a.persona[0], 39);
    check_ok(login_as("ann@example.org", "a long secret", &t), err);
    accounts_close(as2);
    service_close(sv2);
}

static void levels(void **state)
{
    enum level l = LEVEL_NONE;
    static const char *const WORD[] = { "none", "chat", "read", "manage", "owner" };
    for (int i = 0; i < 5; i++) {
        check_str(level_word((enum level)i), WORD[i]);
        assert_true(level_parse(WORD[i], &l));
        check_int(l, i);
    }
    assert_false(level_parse("Chat", &l));
    assert_false(level_parse("", &l));
    check_str(level_word((enum level)17), "none");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest t[] = {
        CASE(addresses),
        CASE(one_account_for_an_address),
        CASE(nothing_plain_on_disk),
        CASE(in_and_out),
        CASE(over_after_a_while),
        CASE(strangers_learn_nothing),
        CASE(guessing_is_slowed),
        CASE(reuse_ends_the_session),
        CASE(bad_refresh_tokens),
        CASE(one_winner),
        CASE(a_change_revokes),
        CASE(no_login_outlives_its_password),
        CASE(disabled),
        CASE(gone),
        CASE(imported),
        CASE(sessions_are_listed),
        CASE(keys),
        CASE(rights),
        CASE(too_many_keys),
        CASE(kept),
        CASE(two_processes),
        CASE(levels),
    };
    setenv("LIKENESS_KDF", "fast", 1);
    if (sodium_init() < 0) return 1;
    return check_run("account/account", t);
}
