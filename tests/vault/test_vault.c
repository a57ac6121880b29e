/* The vault: key files, passphrases, sealed values, persona keys, damage at every byte. */
#include "base/io.h"
#include "check.h"
#include "vault/inside.h"

#include <signal.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static struct err err;
static const struct secret PASS = { .passphrase = "correct horse", .passphrase_n = 13 };
static const struct secret WRONG = { .passphrase = "incorrect horse", .passphrase_n = 15 };

static char *in_dir(const char *dir, const char *name)
{
    static char path[4][512];
    static int turn;
    char *p = path[turn++ & 3];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void slurp(const char *path, struct buf *b)
{
    *b = BUF_INIT(1 << 20);
    check_ok(io_read_file(path, 1 << 20, b, &err), err);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void passphrase_opens(void **state)
{
    char home[300];
    struct vault *v = NULL;
    struct vault_info info;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    check_int(vault_peek(home, &info, &err), ERR_NOTFOUND);
    check_has(err.msg, "likeness init");
    check_ok(vault_create(home, &PASS, &err), err);
    check_int(vault_create(home, &PASS, &err), ERR_EXISTS);
    check_int(mode_of(home), 0700);
    check_int(mode_of(in_dir(home, "keys")), 0700);
    check_int(mode_of(in_dir(home, "vault")), 0600);
    check_ok(vault_peek(home, &info, &err), err);
    check_int(info.needs_passphrase, 1);
    check_int(info.format, VAULT_FORMAT);
    check_int(strlen(info.home_id), 32);
    check_int(vault_unlock(home, &WRONG, &v, &err), ERR_KEY);
    check_hasnt(err.msg, "incorrect horse");
    assert_null(v);
    struct secret file = { .key_file = in_dir(home, "vault") };
    check_int(vault_unlock(home, &file, &v, &err), ERR_KEY);
    check_has(err.msg, "passphrase");
    struct secret none = { 0 };
    check_int(vault_unlock(home, &none, &v, &err), ERR_KEY);
    check_ok(vault_unlock(home, &PASS, &v, &err), err);
    vault_lock(v);
    vault_lock(NULL);
}

static void key_file_opens(void **state)
{
    char home[300], key[300], other[300], none[300];
    const char *dir = check_tmp_dir();
    struct vault *v = NULL;
    struct buf b;
    snprintf(home, sizeof home, "%s/home", dir);
    snprintf(key, sizeof key, "%s/conf/a.key", dir);
    snprintf(other, sizeof other, "%s/conf/b.key", dir);
    snprintf(none, sizeof none, "%s/conf/none.key", dir);
    struct secret s = { .key_file = key }, wrong = { .key_file = other },
                  gone = { .key_file = none };
    check_ok(vault_create(home, &s, &err), err);
    check_int(mode_of(key), 0600);
    check_int(mode_of(in_dir(dir, "conf")), 0700);
    check_ok(vault_keyfile_make(other, &err), err);
    check_int(vault_keyfile_make(other, &err), ERR_EXISTS);
    check_int(vault_unlock(home, &wrong, &v, &err), ERR_KEY);
    check_has(err.msg, "does not belong");
    check_int(vault_unlock(home, &gone, &v, &err), ERR_KEY);
    check_has(err.msg, "none.key");
    check_int(vault_unlock(home, &PASS, &v, &err), ERR_KEY);
    check_ok(vault_unlock(home, &s, &v, &err), err);
    vault_lock(v);
    /* One wrong digit is told from a wrong key; a copied line with CRLF is fine. */
    slurp(key, &b);
    b.p[20] = b.p[20] == 'a' ? 'b' : 'a';
    check_ok(io_write_file(other, b.p, b.n, 0600, &err), err);
    check_int(vault_unlock(home, &wrong, &v, &err), ERR_KEY);
    check_has(err.msg, "not a whole key file");
    buf_free(&b);
    slurp(key, &b);
    b.n--;
    buf_adds(&b, "\r\n\r\n");
    check_ok(io_write_file(other, b.p, b.n, 0600, &err), err);
    check_ok(vault_unlock(home, &wrong, &v, &err), err);
    vault_lock(v);
    buf_free(&b);
}

static void refuses_no_secret_and_two(void **state)
{
    const char *dir = check_tmp_dir();
    struct secret none = { 0 }, both = { .key_file = "x", .passphrase = "y", .passphrase_n = 1 };
    struct secret empty = { .passphrase = "", .passphrase_n = 0 };
    check_int(vault_create(in_dir(dir, "h"), &none, &err), ERR_INVAL);
    check_int(vault_create(in_dir(dir, "h"), &both, &err), ERR_INVAL);
    check_int(vault_create(in_dir(dir, "h"), &empty, &err), ERR_INVAL);
    assert_false(io_exists(in_dir(dir, "h")));
}

/* Every single changed byte, and every length, is refused and told apart from a wrong
 * passphrase. */
static void damage_is_seen(void **state)
{
    char home[300];
    struct vault *v = NULL;
    struct buf b;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    check_ok(vault_create(home, &PASS, &err), err);
    char *path = in_dir(home, "vault");
    slurp(path, &b);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 0x41;
        check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
        int rc = vault_unlock(home, &PASS, &v, &err);
        if (rc != ERR_PARSE && !(i >= 8 && i < 12 && rc == ERR_VERSION))
            fail_msg("byte %zu changed: %d %s", i, rc, err.msg);
        b.p[i] ^= 0x41;
    }
    for (size_t n = 0; n < b.n; n += 5) {
        check_ok(io_write_file(path, b.p, n, 0600, &err), err);
        check_int(vault_unlock(home, &PASS, &v, &err), ERR_PARSE);
    }
    /* With a right check sum, as somebody who means it would write: the tags refuse it. */
    for (size_t i = 12; i < b.n - 16; i += 3) {
        b.p[i] ^= 1;
        crypto_generichash((uint8_t *)b.p + b.n - 16, 16, (uint8_t *)b.p, b.n - 16, NULL, 0);
        check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
        int rc = vault_unlock(home, &PASS, &v, &err);
        if (rc != ERR_PARSE && rc != ERR_KEY && rc != ERR_SEAL && rc != ERR_NOMEM)
            fail_msg("byte %zu changed: %d %s", i, rc, err.msg);
        b.p[i] ^= 1;
    }
    buf_free(&b);
}

/* A file that asks for 4 GiB, or for a billion passes, is refused before any work. */
static void hostile_cost_is_refused(void **state)
{
    char home[300];
    struct vault *v = NULL;
    struct buf b;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    check_ok(vault_create(home, &PASS, &err), err);
    char *path = in_dir(home, "vault");
    slurp(path, &b);
    uint8_t was[16];
    memcpy(was, b.p + 48, 16);
    for (int which = 0; which < 2; which++) {
        memcpy(b.p + 48, was, 16);
        b.p[48 + 8 * which + (which ? 4 : 3)] = 1;
        crypto_generichash((uint8_t *)b.p + b.n - 16, 16, (uint8_t *)b.p, b.n - 16, NULL, 0);
        check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
        check_int(vault_unlock(home, &PASS, &v, &err), ERR_PARSE);
        check_has(err.msg, "Argon2id");
    }
    buf_free(&b);
}

static void newer_format_is_named(void **state)
{
    char home[300];
    struct vault *v = NULL;
    struct buf b;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    check_ok(vault_create(home, &PASS, &err), err);
    char *path = in_dir(home, "vault");
    slurp(path, &b);
    b.p[8] = 9;
    check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
    check_int(vault_unlock(home, &PASS, &v, &err), ERR_VERSION);
    check_has(err.msg, "update");
    buf_free(&b);
}

static void secret_changes(void **state)
{
    char home[300], key[300];
    const char *dir = check_tmp_dir();
    struct vault *v = NULL;
    uint8_t account[VAULT_KEY], uid[VAULT_UID] = { 7 }, k1[VAULT_KEY], k2[VAULT_KEY];
    snprintf(home, sizeof home, "%s/home", dir);
    snprintf(key, sizeof key, "%s/a.key", dir);
    struct secret file = { .key_file = key };
    check_ok(vault_create(home, &PASS, &err), err);
    check_ok(vault_unlock(home, &PASS, &v, &err), err);
    memcpy(account, vault_account_key(v), VAULT_KEY);
    check_ok(vault_persona_new(v, uid, k1, &err), err);
    check_ok(vault_rewrap(v, &WRONG, &err), err);
    vault_lock(v);
    check_int(vault_unlock(home, &PASS, &v, &err), ERR_KEY);
    check_ok(vault_unlock(home, &WRONG, &v, &err), err);
    check_ok(vault_rewrap(v, &file, &err), err);
    check_int(vault_rewrap(v, &file, &err), ERR_EXISTS); /* a new key file goes to a new place */
    vault_lock(v);
    check_int(vault_unlock(home, &WRONG, &v, &err), ERR_KEY);
    check_ok(vault_unlock(home, &file, &v, &err), err);
    assert_memory_equal(account, vault_account_key(v), VAULT_KEY);
    check_ok(vault_persona_key(v, uid, k2, &err), err);
    assert_memory_equal(k1, k2, VAULT_KEY);
    /* A change that fails in the middle leaves the old secret working and no new key file. */
    struct secret again = { .key_file = in_dir(dir, "b.key") };
    struct rlimit was, low = { 150, RLIM_INFINITY }; /* a key file fits, a vault does not */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    low.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int rc = vault_rewrap(v, &again, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_not_equal(rc, 0);
    assert_false(io_exists(in_dir(dir, "b.key")));
    vault_lock(v);
    check_ok(vault_unlock(home, &file, &v, &err), err);
    vault_lock(v);
}

#define want(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #cond, err.msg), _exit(1);     \
    } while (0)

static void child_is_fine(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    check_int(status, 0);
}

/* The folder can be written and not be synced: so the new vault file is in place, and an error came
 * all the same. Not as root, who may read every folder. */
static void rewrap_blindly(const char *dir)
{
    char home[300];
    struct vault *v = NULL;
    struct secret file = { .key_file = in_dir(dir, "new.key") };
    if (!geteuid()) want(!chown(dir, 65534, 65534) && !setgid(65534) && !setuid(65534));
    snprintf(home, sizeof home, "%s/home", dir);
    want(!vault_create(home, &PASS, &err) && !vault_unlock(home, &PASS, &v, &err));
    chmod(home, 0300);
    want(vault_rewrap(v, &file, &err));
    want(strstr(err.msg, "keep both"));
    chmod(home, 0700);
    vault_lock(v);
    want(!vault_unlock(home, &file, &v, &err));
    vault_lock(v);
    _exit(0);
}

static void a_secret_half_changed_is_kept(void **state)
{
    const char *dir = check_tmp_dir();
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) rewrap_blindly(dir);
    child_is_fine(pid);
}

/* A second process is stopped while it makes the same home, its slow hash under way, and goes on
 * when the first is done. */
static void two_makers_one_home(void **state)
{
    char home[300], keys[320];
    const char *dir = check_tmp_dir();
    struct vault *v = NULL;
    struct timespec ms = { .tv_nsec = 1000000 };
    uint8_t uid[VAULT_UID] = { 3 }, k[VAULT_KEY];
    snprintf(home, sizeof home, "%s/home", dir);
    snprintf(keys, sizeof keys, "%s/keys", home);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        unsetenv("LIKENESS_KDF");
        int rc = vault_create(home, &WRONG, &err);
        _exit(!rc ? 7 : rc == ERR_EXISTS ? 0 : 8);
    }
    while (!io_exists(keys)) nanosleep(&ms, NULL);
    kill(pid, SIGSTOP);
    int rc = vault_create(home, &PASS, &err), status;
    if (!rc) rc = vault_unlock(home, &PASS, &v, &err);
    if (!rc) rc = vault_persona_new(v, uid, k, &err);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    check_ok(rc, err);
    check_int(WEXITSTATUS(status), 0);
    vault_lock(v);
    check_ok(vault_unlock(home, &PASS, &v, &err), err);
    check_ok(vault_persona_key(v, uid, k, &err), err);
    vault_lock(v);
}

static void first_call_stops_core_dumps(void **state)
{
    struct vault_info info;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        struct rlimit r = { 4096, 4096 };
        want(!prctl(PR_SET_DUMPABLE, 1) && !setenv("LIKENESS_DEBUG", "1", 1));
        setrlimit(RLIMIT_CORE, &r);
        vault_peek("/nowhere", &info, &err);
        want(prctl(PR_GET_DUMPABLE) == 1);
        unsetenv("LIKENESS_DEBUG");
        vault_peek("/nowhere", &info, &err);
        want(prctl(PR_GET_DUMPABLE) == 0 && !getrlimit(RLIMIT_CORE, &r) && !r.rlim_cur);
        prctl(PR_SET_DUMPABLE, 1);
        want(vault_create("/dev/null/home", &PASS, &err)); /* before a key is made */
        want(prctl(PR_GET_DUMPABLE) == 0);
        _exit(0);
    }
    child_is_fine(pid);
}

static void seals_and_opens(void **state)
{
    uint8_t k[VAULT_KEY] = { 1, 2, 3 }, k2[VAULT_KEY] = { 1, 2, 4 }, uid[VAULT_UID] = { 9 },
            uid2[VAULT_UID] = { 8 };
    struct buf s = BUF_INIT(0), p = BUF_INIT(0);
    struct vault_ad ad = {
        .table = "chunk", .row = 17, .column = "body", .uid = uid, .bound = "ab", .bound_n = 2
    };
    check_ok(vault_seal(k, &ad, "hello", 5, &s, &err), err);
    check_int(s.n, 5 + VAULT_OVERHEAD);
    check_ok(vault_open(k, &ad, s.p, s.n, &p, &err), err);
    check_str(buf_str(&p), "hello");
    struct vault_ad other[] = { ad, ad, ad, ad, ad, ad, ad };
    other[0].table = "piece";
    other[1].row = 18;
    other[2].column = "title";
    other[3].uid = uid2;
    other[4].uid = NULL;
    other[5].bound_n = 1;
    other[6].bound = NULL;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        check_int(vault_open(k, &other[i], s.p, s.n, &p, &err), ERR_SEAL);
    check_int(vault_open(k2, &ad, s.p, s.n, &p, &err), ERR_SEAL);
    check_has(err.msg, "chunk 17, column body");
    check_hasnt(err.msg, "hello");
    for (size_t i = 0; i < s.n; i++) {
        s.p[i] ^= 1;
        int rc = vault_open(k, &ad, s.p, s.n, &p, &err);
        if (rc != ERR_SEAL) fail_msg("byte %zu: %d", i, rc);
        s.p[i] ^= 1;
        check_int(vault_open(k, &ad, s.p, i, &p, &err), ERR_SEAL);
    }
    s.p[0] = 2;
    check_int(vault_open(k, &ad, s.p, s.n, &p, &err), ERR_VERSION);
    check_str(buf_str(&p), "hello"); /* failures added nothing */
    buf_clear(&s);
    buf_clear(&p);
    check_ok(vault_seal(k, &ad, NULL, 0, &s, &err), err);
    check_ok(vault_open(k, &ad, s.p, s.n, &p, &err), err);
    check_int(p.n, 0);
    buf_free(&s);
    buf_free(&p);
}

/* The worked example of docs/STORAGE.md: these bytes, opened by vault_open, and printed in the
 * document as they stand here. */
static const char EXAMPLE_AD[] = "01000000"
                                 "05000000"
                                 "6368756e6b"
                                 "0700000000000000"
                                 "04000000"
                                 "626f6479"
                                 "10000000"
                                 "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
                                 "18000000"
                                 "0300000000000000"
                                 "e42f685900000000"
                                 "0600000000000000";
static const char EXAMPLE_SEALED[] = "01"
                                     "404142434445464748494a4b4c4d4e4f5051525354555657"
                                     "bc5c691cbf548a50d2a36d53d40ec540aa3fd8ed68";
static const char EXAMPLE_DIGEST[] = "75d4212a674f9a8136d46fc71e4ed304";

static void find_docs(char out[4096])
{
    char exe[1000] = { 0 }, file[1000];
    assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    snprintf(file, sizeof file, "%s", __FILE__);
    *strrchr(exe, '/') = 0;
    char *tests = strstr(file, "tests/vault");
    assert_non_null(tests);
    *tests = 0;
    if (file[0] == '/') snprintf(out, 4096, "%sdocs/STORAGE.md", file);
    else snprintf(out, 4096, "%s/%sdocs/STORAGE.md", exe, file);
    if (!io_exists(out)) snprintf(out, 4096, "docs/STORAGE.md");
}

static void worked_example(void **state)
{
    uint8_t key[VAULT_KEY], uid[VAULT_UID], bound[24] = { 3 }, ad[AD_MAX], want[200], sealed[200],
                                            d[16];
    char path[4096], hex[600];
    size_t wn, i, n = 0;
    struct buf out = BUF_INIT(0), doc = BUF_INIT(0);
    for (i = 0; i < VAULT_KEY; i++) key[i] = (uint8_t)i;
    for (i = 0; i < VAULT_UID; i++) uid[i] = (uint8_t)(0xa0 + i);
    memcpy(bound + 8, "\xe4\x2f\x68\x59", 4); /* 1500000228 */
    bound[16] = 6;
    struct vault_ad place = { .table = "chunk",
                              .row = 7,
                              .column = "body",
                              .uid = uid,
                              .bound = bound,
                              .bound_n = sizeof bound };
    size_t an = ad_encode(&place, ad);
    assert_int_equal(
        sodium_hex2bin(want, sizeof want, EXAMPLE_AD, strlen(EXAMPLE_AD), NULL, &wn, NULL), 0);
    check_int(an, wn);
    assert_memory_equal(ad, want, an);
    check_str(sodium_bin2hex(hex, sizeof hex, ad, an), EXAMPLE_AD);
    sealed[0] = 1;
    for (i = 0; i < 24; i++) sealed[1 + i] = (uint8_t)(0x40 + i);
    unsigned long long cn;
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + 25, &cn, (const uint8_t *)"hello", 5, ad,
                                               an, NULL, sealed + 1, key);
    n = 25 + (size_t)cn;
    check_str(sodium_bin2hex(hex, sizeof hex, sealed, n), EXAMPLE_SEALED);
    check_ok(vault_open(key, &place, sealed, n, &out, &err), err);
    check_str(buf_str(&out), "hello");
    vault_digest(key, "piece", "hello", 5, d);
    check_str(sodium_bin2hex(hex, sizeof hex, d, 16), EXAMPLE_DIGEST);
    find_docs(path);
    check_ok(io_read_file(path, 1 << 20, &doc, &err), err);
    for (i = n = 0; i < doc.n; i++) /* without its blanks: lines may be broken */
        if (!strchr(" \n", doc.p[i])) doc.p[n++] = doc.p[i];
    doc.p[n] = 0;
    check_has(doc.p, EXAMPLE_AD);
    check_has(doc.p, EXAMPLE_SEALED);
    check_has(doc.p, EXAMPLE_DIGEST);
    buf_free(&out);
    buf_free(&doc);
}

static void digests_differ_by_purpose(void **state)
{
    uint8_t k[VAULT_KEY] = { 1 }, a[16], b[16], c[16], d[16];
    vault_digest(k, "piece", "x", 1, a);
    vault_digest(k, "piece", "x", 1, b);
    vault_digest(k, "email", "x", 1, c);
    k[0] = 2;
    vault_digest(k, "piece", "x", 1, d);
    assert_memory_equal(a, b, 16);
    assert_memory_not_equal(a, c, 16);
    assert_memory_not_equal(a, d, 16);
}

static int count_uid(void *ud, const uint8_t uid[VAULT_UID])
{
    ++*(int *)ud;
    return 0;
}

static void persona_keys(void **state)
{
    char home[300], path[400], temp[420];
    struct vault *v = NULL;
    uint8_t uid[VAULT_UID] = { 0xab, 1 }, uid2[VAULT_UID] = { 0xab, 2 }, k[VAULT_KEY],
            k2[VAULT_KEY];
    struct buf b;
    int n = 0;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    check_ok(vault_create(home, &PASS, &err), err);
    check_ok(vault_unlock(home, &PASS, &v, &err), err);
    check_int(vault_persona_key(v, uid, k, &err), ERR_NOTFOUND);
    check_ok(vault_persona_new(v, uid, k, &err), err);
    check_int(vault_persona_put(v, uid, k, &err), ERR_EXISTS);
    check_ok(vault_persona_key(v, uid, k2, &err), err);
    assert_memory_equal(k, k2, VAULT_KEY);
    check_ok(vault_persona_each(v, count_uid, &n, &err), err);
    check_int(n, 1);
    snprintf(path, sizeof path, "%s/keys/ab010000000000000000000000000000.key", home);
    check_int(mode_of(path), 0600);
    slurp(path, &b);
    assert_null(memmem(b.p, b.n, k, VAULT_KEY));
    /* renamed to another persona's name */
    snprintf(temp, sizeof temp, "%s/keys/ab020000000000000000000000000000.key", home);
    check_ok(io_write_file(temp, b.p, b.n, 0600, &err), err);
    check_int(vault_persona_key(v, uid2, k2, &err), ERR_SEAL);
    unlink(temp);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
        int rc = vault_persona_key(v, uid, k2, &err);
        if (rc != ERR_PARSE && rc != ERR_SEAL && rc != ERR_VERSION) fail_msg("byte %zu: %d", i, rc);
        b.p[i] ^= 1;
    }
    check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
    /* what a crashed write left goes too */
    snprintf(temp, sizeof temp, "%s.tmp-abc123", path);
    check_ok(io_write_file(temp, b.p, b.n, 0600, &err), err);
    check_ok(vault_persona_destroy(v, uid, &err), err);
    assert_false(io_exists(path));
    assert_false(io_exists(temp));
    check_int(vault_persona_destroy(v, uid, &err), ERR_NOTFOUND);
    check_int(vault_persona_key(v, uid, k2, &err), ERR_NOTFOUND);
    check_ok(vault_persona_put(v, uid, k, &err), err);
    check_ok(vault_persona_key(v, uid, k2, &err), err);
    assert_memory_equal(k, k2, VAULT_KEY);
    buf_free(&b);
    vault_lock(v);
}

/* Doomed: the file's bytes are overwritten where they are, and an empty mark stays. */
static void doomed_keys_leave_a_mark(void **state)
{
    char home[300], key[400], mark[400], copy[340];
    struct vault *v = NULL;
    uint8_t uid[VAULT_UID] = { 0xcd, 9 }, k[VAULT_KEY];
    int n = 0;
    snprintf(home, sizeof home, "%s/home", check_tmp_dir());
    check_ok(vault_create(home, &PASS, &err), err);
    check_ok(vault_unlock(home, &PASS, &v, &err), err);
    snprintf(key, sizeof key, "%s/keys/cd090000000000000000000000000000.key", home);
    snprintf(mark, sizeof mark, "%s/keys/cd090000000000000000000000000000.forget", home);
    snprintf(copy, sizeof copy, "%s/copy", home);
    check_int(vault_persona_doom(v, uid, &err), ERR_NOTFOUND);
    for (int again = 0; again < 2; again++) { /* the second: a key restored beside the mark */
        check_ok(vault_persona_new(v, uid, k, &err), err);
        unlink(copy);
        assert_int_equal(link(key, copy), 0);
        check_ok(vault_persona_doom(v, uid, &err), err);
        check_ok(vault_persona_doom(v, uid, &err), err);
        assert_false(io_exists(key));
        assert_true(io_exists(mark) && vault_persona_doomed(v, uid));
        check_int(io_file_size(copy), 0);
        check_int(vault_persona_key(v, uid, k, &err), ERR_NOTFOUND);
    }
    check_ok(vault_persona_each(v, count_uid, &n, &err), err);
    check_int(n, 0);
    check_ok(vault_doomed_each(v, count_uid, &n, &err), err);
    check_int(n, 1);
    check_ok(vault_persona_destroy(v, uid, &err), err);
    assert_false(io_exists(mark) || vault_persona_doomed(v, uid));
    check_int(vault_persona_destroy(v, uid, &err), ERR_NOTFOUND);
    vault_lock(v);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(passphrase_opens),
        cmocka_unit_test(key_file_opens),
        cmocka_unit_test(refuses_no_secret_and_two),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(hostile_cost_is_refused),
        cmocka_unit_test(newer_format_is_named),
        cmocka_unit_test(secret_changes),
        cmocka_unit_test(seals_and_opens),
        cmocka_unit_test(digests_differ_by_purpose),
        cmocka_unit_test(persona_keys),
        cmocka_unit_test(doomed_keys_leave_a_mark),
        cmocka_unit_test(a_secret_half_changed_is_kept),
        cmocka_unit_test(two_makers_one_home),
        cmocka_unit_test(first_call_stops_core_dumps),
        cmocka_unit_test(worked_example),
    };
    return check_run("vault/vault", t);
}
