/* Accounts over a real service.db: making them, looking them up, taking them over, changing them,
 * keys, rights. */
#include "setup.h"

#include <fcntl.h>
#include <sys/file.h>

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

static void imported(void **state)
{
    char h[HASH_MAX], whole[101], other[101], huge[PASSWORD_MAX + 2];
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
    bcrypt_of(whole, h); /* more than any password may have, of which 72 bytes would do */
    check_ok(account_import(as, "eve@example.org", h, &again, &err), err);
    memset(huge, 'a', PASSWORD_MAX + 1);
    huge[PASSWORD_MAX + 1] = 0;
    check_int(login_as("eve@example.org", huge, &t), ERR_KEY);
    check_ok(password_hash("a long secret", h, &err), err);
    check_ok(account_import(as, "ben@example.org", h, &again, &err), err);
    check_ok(login_as("ben@example.org", "a long secret", &t), err);
}

/* ---- sessions and keys ---- */

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

static void is_locked(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s/accounts.lock", home);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    check_int(flock(fd, LOCK_EX | LOCK_NB), -1);
    close(fd);
}

static void changes_are_locked(void **state)
{
    int64_t id = make("ann@example.org");
    hook_at = 1; /* between reading and writing */
    hook = is_locked;
    check_ok(account_password_set(as, id, "another secret", &err), err);
    assert_null(hook);
}

/* The server and the command line change the same account: nothing is lost. */
struct other {
    struct accounts *as;
    int64_t id;
    atomic_bool stop;
    atomic_int failed;
};

static void *change_persona(void *ud)
{
    struct other *o = ud;
    for (uint8_t i = 1; !atomic_load(&o->stop); i = i % 100 + 1) {
        uint8_t uid[VAULT_UID] = { i };
        struct account_info a;
        if (account_default_persona(o->as, o->id, uid, NULL) ||
            account_info(o->as, o->id, &a, NULL) || a.persona[0] != i)
            atomic_fetch_add(&o->failed, 1);
    }
    return NULL;
}

static void two_processes(void **state)
{
    struct service *sv2 = NULL;
    struct other o = { .id = make("ann@example.org") };
    pthread_t id;
    check_ok(service_open(home, vault, &sv2, &err), err);
    check_ok(accounts_open(sv2, NULL, &o.as, &err), err);
    pthread_create(&id, NULL, change_persona, &o);
    for (int i = 0; i < 30; i++) {
        char hash[HASH_MAX];
        const char *word = i & 1 ? "a long secret" : "another secret";
        check_ok(account_password_set(as, o.id, word, &err), err);
        hash_of(o.id, hash);
        check_ok(password_check(word, hash, &err), err);
    }
    atomic_store(&o.stop, true);
    pthread_join(id, NULL);
    check_int(o.failed, 0);
    accounts_close(o.as);
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

int main(void)
{
    const struct CMUnitTest t[] = {
        CASE(addresses),
        CASE(one_account_for_an_address),
        CASE(nothing_plain_on_disk),
        CASE(disabled),
        CASE(gone),
        CASE(imported),
        CASE(keys),
        CASE(rights),
        CASE(too_many_keys),
        CASE(kept),
        CASE(changes_are_locked),
        CASE(two_processes),
        CASE(levels),
    };
    setenv("LIKENESS_KDF", "fast", 1);
    if (sodium_init() < 0) return 1;
    return check_run("account/account", t);
}
