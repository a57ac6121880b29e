/* Spools: every size around a block's, reading from any place, and every kind of damage. */
#include "base/io.h"
#include "check.h"
#include "vault/spool.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static struct err err;
static const uint8_t KEY[VAULT_KEY] = { 1, 2, 3 }, OTHER[VAULT_KEY] = { 1, 2, 4 };
static char dir[256], path[300];

#define HEAD   32
#define SEALED (SPOOL_BLOCK + VAULT_OVERHEAD)

static int set_up(void **state)
{
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    snprintf(path, sizeof path, "%s/spool", dir);
    return 0;
}

static uint8_t byte_at(uint64_t i) { return (uint8_t)(i * 31 + i / SPOOL_BLOCK * 7); }

/* n bytes of byte_at, written in pieces of `step`. */
static void make(const char *where, uint64_t n, size_t step)
{
    struct spool *s = NULL;
    uint8_t *part = malloc(step);
    unlink(where);
    check_ok(spool_create(where, KEY, &s, &err), err);
    for (uint64_t at = 0; at < n;) {
        size_t k = n - at < step ? (size_t)(n - at) : step;
        for (size_t i = 0; i < k; i++) part[i] = byte_at(at + i);
        check_ok(spool_write(s, part, k, &err), err);
        at += k;
    }
    check_int(spool_bytes(s), n);
    check_int(io_exists(where), 0);
    check_ok(spool_finish(s, &err), err);
    spool_free(s);
    free(part);
    check_int(io_exists(where), 1);
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') n++;
    closedir(d);
    return n;
}

static void sizes(void **state)
{
    static const uint64_t size[] = {
        0, 1, SPOOL_BLOCK - 1, SPOOL_BLOCK, SPOOL_BLOCK + 1, 3 * SPOOL_BLOCK, 5 * SPOOL_BLOCK + 77
    };
    static const size_t step[] = { 7001, SPOOL_BLOCK, 200000 };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (size_t j = 0; j < 3; j++) {
            uint64_t told = 99, n = 0;
            make(path, size[i], step[j]);
            FILE *f = spool_fopen(path, KEY, &told, &err);
            if (!f) fail_msg("%s", err.msg);
            check_int(told, size[i]);
            for (int c; (c = fgetc(f)) != EOF; n++)
                if (c != byte_at(n)) fail_msg("byte %llu differs", (unsigned long long)n);
            check_int(ferror(f), 0);
            check_int(n, size[i]);
            fclose(f);
            uint64_t blocks = size[i] ? (size[i] - 1) / SPOOL_BLOCK + 1 : 1;
            check_int(io_file_size(path), HEAD + size[i] + blocks * VAULT_OVERHEAD);
        }
    check_int(entries(), 1);
}

static void seeks(void **state)
{
    const uint64_t n = 4 * SPOOL_BLOCK + 1000;
    make(path, n, 65536);
    FILE *f = spool_fopen(path, KEY, NULL, &err), *g = spool_fopen(path, KEY, NULL, &err);
    assert_non_null(f);
    assert_non_null(g);
    uint64_t at = 12345;
    for (int i = 0; i < 2000; i++) {
        at = (at * 6364136223846793005u + 1442695040888963407u) % (n - 1);
        FILE *one = i & 1 ? f : g;
        check_int(fseeko(one, (off_t)at, SEEK_SET), 0);
        check_int(fgetc(one), byte_at(at));
        check_int(fgetc(one), byte_at(at + 1));
        check_int(ftello(one), at + 2);
    }
    check_int(fseeko(f, -1, SEEK_END), 0);
    check_int(fgetc(f), byte_at(n - 1));
    check_int(fgetc(f), EOF);
    check_int(ferror(f), 0);
    check_int(fseeko(f, 10, SEEK_END), 0);
    check_int(fgetc(f), EOF);
    check_int(fseeko(f, -1, SEEK_SET), -1);
    rewind(f);
    check_int(fseeko(f, 100000, SEEK_CUR), 0);
    check_int(fgetc(f), byte_at(100000));
    check_int(fputc('x', f), EOF);
    fclose(f);
    fclose(g);
}

/* 0: reads to its end as it should be. Else a code of err.h, or 1 when reading failed with EIO. */
static int read_all(const uint8_t *key, uint64_t want)
{
    char part[5000];
    uint64_t n = 0, told = 0;
    FILE *f = spool_fopen(path, key, &told, &err);
    if (!f) return err.code;
    for (size_t k; (k = fread(part, 1, sizeof part, f));)
        for (size_t i = 0; i < k; i++, n++)
            if ((uint8_t)part[i] != byte_at(n)) fail_msg("wrong bytes came through");
    int bad = ferror(f);
    if (bad) check_int(errno, EIO);
    else check_int(n, told);
    fclose(f);
    if (!bad) check_int(n, want);
    return bad ? 1 : 0;
}

static void put(const void *p, size_t n)
{
    FILE *f = fopen(path, "w");
    check_int(fwrite(p, 1, n, f), n);
    fclose(f);
}

static void changed(void **state)
{
    const uint64_t n = 2 * SPOOL_BLOCK + 500;
    struct buf good = BUF_INIT(0);
    make(path, n, 65536);
    check_ok(io_read_file(path, 1 << 20, &good, &err), err);
    check_int(read_all(KEY, n), 0);
    check_int(read_all(OTHER, n), ERR_SEAL);
    for (size_t at = 0; at < good.n; at += at < 80 ? 1 : 997) {
        good.p[at] ^= 4;
        put(good.p, good.n);
        if (!read_all(KEY, n)) fail_msg("changed byte %zu was not seen", at);
        good.p[at] ^= 4;
    }
    good.p[8] = 2;
    put(good.p, good.n);
    check_int(read_all(KEY, n), ERR_VERSION);
    good.p[8] = 1;
    put(good.p, good.n);
    check_int(read_all(KEY, n), 0);
    buf_free(&good);
}

static void cut_and_moved(void **state)
{
    const uint64_t n = 3 * SPOOL_BLOCK;
    struct buf good = BUF_INIT(0), b = BUF_INIT(0), foreign = BUF_INIT(0);
    make(path, n, 65536);
    check_ok(io_read_file(path, 1 << 20, &foreign, &err), err);
    make(path, n, 65536);
    check_ok(io_read_file(path, 1 << 20, &good, &err), err);
    static const size_t cut[] = { 0,
                                  1,
                                  HEAD - 1,
                                  HEAD,
                                  HEAD + 1,
                                  HEAD + 40,
                                  HEAD + 41,
                                  HEAD + 100,
                                  HEAD + SEALED,
                                  HEAD + SEALED + 5,
                                  HEAD + 2 * SEALED,
                                  HEAD + 3 * SEALED - 1 };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        put(good.p, cut[i]);
        int rc = read_all(KEY, n);
        if (rc != ERR_SEAL && rc != ERR_PARSE) fail_msg("cut to %zu: %d", cut[i], rc);
    }
    for (size_t more = 1; more < 200000; more = more * 3 + 40) {
        buf_clear(&b);
        buf_add(&b, good.p, good.n);
        while (b.n < good.n + more) buf_addc(&b, 1);
        put(b.p, b.n);
        check_int(read_all(KEY, n), ERR_SEAL);
    }
    buf_clear(&b); /* a block that was there twice, so that the number of bytes is right */
    buf_add(&b, good.p, HEAD + SEALED);
    buf_add(&b, good.p + HEAD, SEALED);
    buf_add(&b, good.p + HEAD + 2 * SEALED, SEALED);
    put(b.p, b.n);
    check_int(read_all(KEY, n), 1);
    buf_clear(&b); /* a block of another spool at the same place */
    buf_add(&b, good.p, HEAD + SEALED);
    buf_add(&b, foreign.p + HEAD + SEALED, SEALED);
    buf_add(&b, good.p + HEAD + 2 * SEALED, SEALED);
    put(b.p, b.n);
    check_int(read_all(KEY, n), 1);
    buf_clear(&b); /* the last block as the last but one */
    buf_add(&b, good.p, HEAD + 2 * SEALED);
    buf_add(&b, good.p + HEAD + 2 * SEALED, SEALED);
    buf_add(&b, good.p + HEAD + 2 * SEALED, SEALED);
    put(b.p, b.n);
    check_int(read_all(KEY, n), ERR_SEAL);
    buf_free(&good);
    buf_free(&b);
    buf_free(&foreign);
}

static void nothing_is_left(void **state)
{
    struct spool *s = NULL;
    char deep[320];
    check_ok(spool_create(path, KEY, &s, &err), err);
    check_ok(spool_write(s, "half", 4, &err), err);
    check_int(entries(), 1);
    spool_free(s);
    check_int(entries(), 0);
    spool_free(NULL);
    snprintf(deep, sizeof deep, "%s/none/spool", dir);
    check_int(spool_create(deep, KEY, &s, &err), ERR_NOTFOUND);
    assert_null(spool_fopen(path, KEY, NULL, &err));
    check_int(err.code, ERR_NOTFOUND);
    check_ok(spool_create(path, KEY, &s, &err), err);
    check_ok(spool_finish(s, &err), err);
    check_int(spool_write(s, "late", 4, &err), ERR_INVAL);
    check_int(spool_finish(s, &err), ERR_INVAL);
    spool_free(s);
    check_int(read_all(KEY, 0), 0);
}

/* A limit on the size of files stands for a full disk. */
static void no_room(void **state)
{
    struct rlimit old, low;
    struct spool *s = NULL;
    char part[4096] = { 0 };
    int rc = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 100000;
    check_ok(spool_create(path, KEY, &s, &err), err);
    setrlimit(RLIMIT_FSIZE, &low);
    for (int i = 0; i < 100 && !rc; i++) rc = spool_write(s, part, sizeof part, &err);
    int after = spool_finish(s, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    check_int(rc, ERR_FULL);
    check_has(err.msg, "cannot write");
    check_int(after, ERR_INVAL);
    spool_free(s);
    check_int(entries(), 0);
}

/* Without a name: what is written comes back, and no folder ever shows it. */
static void temporary(void **state)
{
    static const uint64_t size[] = { 0, 1, SPOOL_BLOCK, 3 * SPOOL_BLOCK + 77 };
    char *was = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    setenv("TMPDIR", dir, 1);
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        struct spool *s = NULL;
        uint64_t told = 99, n = 0;
        check_ok(spool_temporary(&s, &err), err);
        for (uint64_t k = 0; k < size[i]; k++) {
            uint8_t b = byte_at(k);
            check_ok(spool_write(s, &b, 1, &err), err);
        }
        FILE *f = spool_reread(s, &told, &err);
        if (!f) fail_msg("%s", err.msg);
        check_int(spool_write(s, "x", 1, &err), ERR_INVAL);
        assert_null(spool_reread(s, &told, &err));
        spool_free(s); /* the FILE goes on without it */
        check_int(told, size[i]);
        for (int c; (c = fgetc(f)) != EOF; n++)
            if (c != byte_at(n)) fail_msg("byte %llu differs", (unsigned long long)n);
        check_int(n, size[i]);
        check_int(fileno(f), -1);
        fclose(f);
        check_int(entries(), 0);
    }
    setenv("TMPDIR", "/no/such/folder", 1);
    struct spool *s = NULL;
    check_int(spool_temporary(&s, &err), ERR_NOTFOUND);
    assert_null(s);
    check_has(err.msg, "/no/such/folder");
    if (was) setenv("TMPDIR", was, 1);
    else unsetenv("TMPDIR");
    free(was);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup(sizes, set_up),
        cmocka_unit_test_setup(seeks, set_up),
        cmocka_unit_test_setup(changed, set_up),
        cmocka_unit_test_setup(cut_and_moved, set_up),
        cmocka_unit_test_setup(nothing_is_left, set_up),
        cmocka_unit_test_setup(no_room, set_up),
        cmocka_unit_test_setup(temporary, set_up),
    };
    return check_run("vault/spool", t);
}
