/* Passwords: which are taken, hashes made here and elsewhere, the line in front of hashing, and the
 * counting of wrong guesses. */
#include "account/inside.h"
#include "check.h"

#include <crypt.h>
#include <sodium.h>

static struct err err;

static void fit(void **state)
{
    static const char *const BAD[] = { "",          "short",           "1234567",  "password",
                                       "PASSWORD",  "Passw0rd",        "12345678", "qwertyui",
                                       "Qwerty123", "ann@example.org", "1a2b3c4d" };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        check_int(password_fit(BAD[i], "ann@example.org", &err), ERR_INVAL);
        if (i > 3) check_hasnt(err.msg, BAD[i]);
    }
    check_int(password_fit("annabella", "annabella@example.org", &err), ERR_INVAL);
    check_has(err.msg, "address itself");
    check_ok(password_fit("annabella", "ann@example.org", &err), err);
    check_ok(password_fit("password of mine", "ann@example.org", &err), err);
    check_ok(password_fit("1a2b3c4d ", "ann@example.org", &err), err);
    check_ok(password_fit("pässwörter und mehr", "ann@example.org", &err), err);
    char longest[PASSWORD_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[PASSWORD_MAX + 1] = 0;
    check_int(password_fit(longest, "ann@example.org", &err), ERR_INVAL);
    check_has(err.msg, "too long");
    longest[PASSWORD_MAX] = 0;
    check_ok(password_fit(longest, "ann@example.org", &err), err);
}

static void argon(void **state)
{
    char a[HASH_MAX], b[HASH_MAX];
    check_ok(password_hash("correct horse", a, &err), err);
    check_ok(password_hash("correct horse", b, &err), err);
    assert_string_not_equal(a, b);
    check_int(strncmp(a, "$argon2id$v=19$", 15), 0);
    check_ok(password_check("correct horse", a, &err), err);
    check_int(password_check("correct horsf", a, &err), ERR_KEY);
    check_int(password_check("", a, &err), ERR_KEY);
    assert_false(password_stale(a));
    assert_true(password_known(a));
    setenv("LIKENESS_KDF", "no", 1);
    assert_true(password_stale(a)); /* cheaper than it should be */
    check_ok(password_hash("correct horse", a, &err), err);
    check_has(a, "m=65536,t=2,p=1");
    assert_false(password_stale(a));
    check_ok(password_check("correct horse", a, &err), err);
    setenv("LIKENESS_KDF", "fast", 1);
}

static void dummy(void **state)
{
    char a[HASH_MAX], real[HASH_MAX];
    password_dummy(a);
    check_ok(password_hash("x", real, &err), err);
    check_int(strlen(a), strlen(real));
    check_int(strncmp(a, real, (size_t)(strstr(real, "p=1$") - real) + 4), 0); /* the same costs */
    assert_false(password_stale(a));
    check_int(password_check("", a, &err), ERR_KEY);
    check_int(password_check("correct horse", a, &err), ERR_KEY);
}

static void bcrypt_of(const char *password, const char *prefix, char out[HASH_MAX])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    uint8_t raw[16];
    randombytes_buf(raw, sizeof raw);
    assert_non_null(crypt_gensalt_rn(prefix, 4, (const char *)raw, sizeof raw, salt, sizeof salt));
    const char *h = crypt_rn(password, salt, data, sizeof *data);
    assert_non_null(h);
    snprintf(out, HASH_MAX, "%s", h);
    free(data);
}

static void bcrypt(void **state)
{
    static const char *const PREFIX[] = { "$2a$", "$2b$", "$2y$" };
    char h[HASH_MAX];
    for (size_t i = 0; i < 3; i++) {
        bcrypt_of("correct horse", PREFIX[i], h);
        check_int(strncmp(h, PREFIX[i], 4), 0);
        assert_true(password_known(h));
        assert_true(password_stale(h));
        check_ok(password_check("correct horse", h, &err), err);
        check_int(password_check("correct horsf", h, &err), ERR_KEY);
        check_int(password_check("", h, &err), ERR_KEY);
    }
    /* From the tests of John the Ripper and of OpenBSD: known everywhere. */
    check_ok(
        password_check("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", &err),
        err);
    check_ok(password_check("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
                            &err),
             err);
    check_ok(password_check("\xff\xff\xa3",
                            "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", &err),
             err);
}

static void bytes_after_72(void **state)
{
    char whole[101], other[101], cut[73], h[HASH_MAX];
    memset(whole, 'a', 100);
    whole[100] = 0;
    memcpy(other, whole, 101);
    other[99] = 'b';
    memcpy(cut, whole, 72);
    cut[72] = 0;
    bcrypt_of(whole, "$2b$", h);
    check_ok(password_check(whole, h, &err), err);
    check_ok(password_check(other, h, &err), err); /* as bcrypt has it */
    check_ok(password_check(cut, h, &err), err);
    cut[71] = 0;
    check_int(password_check(cut, h, &err), ERR_KEY);
    check_ok(password_hash(whole, h, &err), err); /* kept whole from then on */
    check_ok(password_check(whole, h, &err), err);
    check_int(password_check(other, h, &err), ERR_KEY);
}

#define SUM "RdescudvJCsgt3ub+b7dWRWJTmaaJObGRdescudvJCs"

static void unknown_hashes(void **state)
{
    assert_true(password_known("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" SUM));
    static const char *const BAD[] = {
        "",
        "x",
        "plain text",
        "$1$abc$defghi",
        "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", /* for days */
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe!",
        "$6$rounds=5000$salt$hash",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" SUM,
        "$argon2id$v=19$m=65536,t=999,p=1$c29tZXNhbHRzb21lc2FsdA$" SUM,
        "$argon2id$v=19$m=65536,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$" SUM,
        "$argon2id$v=19$m=65536,t=,p=1$c29tZXNhbHRzb21lc2FsdA$" SUM,
        "$argon2id$v=19$m=18446744073709617152,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" SUM,
        "$argon2id$v=19$m=65536,t=2,p=1$",
        "$argon2id$",
        "*0",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (password_known(BAD[i])) fail_msg("%s is taken", BAD[i]);
}

/* ---- the line ---- */

#define THREADS 24

struct crowd {
    struct hashers *h;
    atomic_int inside, most, turned_away, done;
};

static void *one_of_many(void *ud)
{
    struct crowd *c = ud;
    for (int i = 0; i < 20; i++) {
        char out[HASH_MAX];
        if (hashers_enter(c->h, NULL)) {
            atomic_fetch_add(&c->turned_away, 1);
            continue;
        }
        int now = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);
        while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) continue;
        password_hash("correct horse", out, NULL);
        atomic_fetch_sub(&c->inside, 1);
        atomic_fetch_add(&c->done, 1);
        hashers_leave(c->h);
    }
    return NULL;
}

static void crowd(int running, int waiting, struct crowd *c)
{
    pthread_t t[THREADS];
    *c = (struct crowd){ 0 };
    check_ok(hashers_open(running, waiting, &c->h, &err), err);
    for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, one_of_many, c);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    hashers_close(c->h);
}

static void never_more_than_allowed(void **state)
{
    struct crowd c;
    crowd(2, THREADS, &c);
    assert_in_range(atomic_load(&c.most), 1, 2);
    check_int(c.turned_away, 0);
    check_int(c.done, THREADS * 20);
    crowd(1, 3, &c);
    check_int(c.most, 1);
    check_int(c.done + c.turned_away, THREADS * 20);
}

struct in_turn {
    struct hashers *h;
    pthread_mutex_t *lock;
    int *order, *n, me;
};

static void *take_turn(void *ud)
{
    struct in_turn *t = ud;
    if (hashers_enter(t->h, NULL)) return NULL;
    pthread_mutex_lock(t->lock);
    t->order[(*t->n)++] = t->me;
    pthread_mutex_unlock(t->lock);
    hashers_leave(t->h);
    return NULL;
}

/* Each thread is in line before the next is begun: seen by the line being so long. */
static void first_come_first_served(void **state)
{
    enum { N = 8 };
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct hashers *h = NULL;
    struct in_turn t[N];
    pthread_t id[N];
    int order[N], n = 0;
    check_ok(hashers_open(1, N, &h, &err), err);
    check_ok(hashers_enter(h, &err), err);
    for (int i = 0; i < N; i++) {
        t[i] = (struct in_turn){ h, &lock, order, &n, i };
        pthread_create(&id[i], NULL, take_turn, &t[i]);
        while (hashers_waiting(h) <= i) sched_yield();
    }
    check_int(hashers_enter(h, &err), ERR_BUSY);
    hashers_leave(h);
    for (int i = 0; i < N; i++) pthread_join(id[i], NULL);
    check_int(n, N);
    for (int i = 0; i < N; i++) check_int(order[i], i);
    check_ok(hashers_enter(h, &err), err);
    hashers_leave(h);
    hashers_close(h);
}

/* ---- guesses ---- */

static const uint8_t ANN[16] = { 1 }, BEN[16] = { 2 };

static void waits_grow(void **state)
{
    struct guesses *g = NULL;
    int64_t now = 1000000;
    check_ok(guesses_open(NULL, 3, &g, &err), err);
    for (int i = 0; i < 3; i++) {
        check_int(guess_wait(g, ANN, "192.0.2.1", now), 0);
        guess_wrong(g, ANN, "192.0.2.1", now);
    }
    for (int want = 1; want <= 512; want *= 2) {
        check_int(guess_wait(g, ANN, "192.0.2.1", now), want);
        check_int(guess_wait(g, ANN, "192.0.2.1", now + want - 1), 1);
        check_int(guess_wait(g, ANN, "198.51.100.7", now), want); /* the address, from elsewhere */
        check_int(guess_wait(g, BEN, "192.0.2.1", now), want);    /* the place, for others */
        check_int(guess_wait(g, BEN, "198.51.100.7", now), 0);
        now += want;
        check_int(guess_wait(g, ANN, "192.0.2.1", now), 0);
        guess_wrong(g, ANN, "192.0.2.1", now);
    }
    for (int i = 0; i < 100; i++) {
        check_int(guess_wait(g, ANN, "192.0.2.1", now), 900);
        now += 900;
        guess_wrong(g, ANN, "192.0.2.1", now);
    }
    check_int(guess_wait(g, ANN, "192.0.2.1", now + 3601), 0); /* forgotten */
    guess_wrong(g, ANN, "192.0.2.1", now + 3601);
    check_int(guess_wait(g, ANN, "192.0.2.1", now + 3601), 0);
    guesses_close(g);
}

static void right_ones_clear_the_address(void **state)
{
    struct guesses *g = NULL;
    check_ok(guesses_open(NULL, 2, &g, &err), err);
    guess_wrong(g, ANN, "192.0.2.1", 1000);
    guess_right(g, ANN, "192.0.2.1", 1000);
    guess_wrong(g, ANN, "192.0.2.1", 1000);
    check_int(guess_wait(g, ANN, "198.51.100.7", 1000), 0); /* one only, of this address */
    check_int(guess_wait(g, ANN, "192.0.2.1", 1000), 1);    /* but two of this place */
    guesses_close(g);
}

static void owners_are_not_locked_out(void **state)
{
    struct guesses *g = NULL;
    check_ok(guesses_open(NULL, 2, &g, &err), err);
    guess_right(g, ANN, "192.0.2.1", 1000);
    for (int i = 0; i < 50; i++) guess_wrong(g, ANN, "203.0.113.9", 2000);
    check_int(guess_wait(g, ANN, "203.0.113.9", 2000), 900);
    check_int(guess_wait(g, ANN, "198.51.100.7", 2000), 900);
    check_int(guess_wait(g, ANN, "192.0.2.1", 2000), 0);
    check_int(guess_wait(g, ANN, NULL, 2000), 900); /* no place: only the address counts */
    guesses_close(g);
}

static void places(void **state)
{
    struct guesses *g = NULL;
    check_ok(guesses_open(NULL, 2, &g, &err), err);
    guess_wrong(g, ANN, "2001:db8:1:2::1", 1000);
    guess_wrong(g, BEN, "2001:db8:1:2:ffff::9", 1000);
    check_int(guess_wait(g, (const uint8_t[16]){ 3 }, "2001:db8:1:2:3:4:5:6", 1000), 1);
    check_int(guess_wait(g, (const uint8_t[16]){ 3 }, "2001:db8:1:3::1", 1000), 0);
    guess_wrong(g, (const uint8_t[16]){ 4 }, "192.0.2.1", 1000);
    guess_wrong(g, (const uint8_t[16]){ 5 }, "::ffff:192.0.2.1", 1000);
    check_int(guess_wait(g, (const uint8_t[16]){ 6 }, "192.0.2.1", 1000), 1);
    guesses_close(g);
}

/* A hundred thousand addresses neither grow it nor let the busiest guesser off. */
static void table_is_bounded(void **state)
{
    struct guesses *g = NULL;
    char place[32];
    check_ok(guesses_open(NULL, 2, &g, &err), err);
    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t mail[16] = { 7 };
        memcpy(mail + 1, &i, sizeof i);
        snprintf(place, sizeof place, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        guess_wrong(g, mail, place, 1000 + i / 100);
        if (i % 100 == 0) guess_wrong(g, ANN, "192.0.2.1", 1000 + i / 100);
    }
    check_int(guess_wait(g, ANN, "198.51.100.7", 2000) > 800, 1);
    guesses_close(g);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(fit),
        cmocka_unit_test(argon),
        cmocka_unit_test(dummy),
        cmocka_unit_test(bcrypt),
        cmocka_unit_test(bytes_after_72),
        cmocka_unit_test(unknown_hashes),
        cmocka_unit_test(never_more_than_allowed),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(waits_grow),
        cmocka_unit_test(right_ones_clear_the_address),
        cmocka_unit_test(owners_are_not_locked_out),
        cmocka_unit_test(places),
        cmocka_unit_test(table_is_bounded),
    };
    setenv("LIKENESS_KDF", "fast", 1);
    if (sodium_init() < 0) return 1;
    return check_run("account/password", t);
}
