/* Stream files: round trips, and cuts, changes and swaps at every byte. */
#include "base/io.h"
#include "check.h"
#include "vault/stream.h"

#include <signal.h>
#include <sys/resource.h>

static struct err err;
static const struct secret PASS = { .passphrase = "correct horse", .passphrase_n = 13 };
static const struct secret WRONG = { .passphrase = "incorrect horse", .passphrase_n = 15 };

static void write_three(const char *path, const struct secret *s)
{
    struct stream *w = NULL;
    check_ok(stream_create(path, s, 0, &w, &err), err);
    check_ok(stream_put(w, 'P', "first", 5, &err), err);
    check_ok(stream_put(w, 'Q', NULL, 0, &err), err);
    check_ok(stream_put(w, 'R', "third record", 12, &err), err);
    check_ok(stream_finish(w, &err), err);
    stream_free(w);
}

/* Reads to the end; 0 only when the end was seen. *n: how many records came. */
static int read_all(const char *path, const struct secret *s, int *n)
{
    struct stream *r = NULL;
    struct buf body = BUF_INIT(0);
    uint8_t type = 1;
    *n = 0;
    int rc = stream_open(path, s, &r, &err);
    while (!rc && type) {
        rc = stream_next(r, &type, &body, &err);
        if (!rc && type) ++*n;
    }
    stream_free(r);
    buf_free(&body);
    return rc;
}

static void round_trip(void **state)
{
    char path[300];
    const char *dir = check_tmp_dir();
    struct stream *s = NULL;
    struct buf body = BUF_INIT(0);
    uint8_t type;
    int n;
    snprintf(path, sizeof path, "%s/a.likeness", dir);
    write_three(path, &PASS);
    check_int(stream_create(path, &PASS, 0, &s, &err), ERR_EXISTS);
    check_int(read_all(path, &WRONG, &n), ERR_KEY);
    check_ok(stream_open(path, &PASS, &s, &err), err);
    check_ok(stream_next(s, &type, &body, &err), err);
    check_int(type, 'P');
    check_str(buf_str(&body), "first");
    check_ok(stream_next(s, &type, &body, &err), err);
    check_int(type, 'Q');
    check_int(body.n, 0);
    check_ok(stream_next(s, &type, &body, &err), err);
    check_str(buf_str(&body), "third record");
    check_ok(stream_next(s, &type, &body, &err), err);
    check_int(type, 0);
    check_ok(stream_next(s, &type, &body, &err), err); /* and stays at the end */
    check_int(type, 0);
    stream_free(s);
    buf_free(&body);
    check_ok(stream_create(path, &PASS, 1, &s, &err), err);
    check_ok(stream_finish(s, &err), err);
    stream_free(s);
    check_ok(read_all(path, &PASS, &n), err);
    check_int(n, 0);
}

static void key_file(void **state)
{
    char path[300], key[300];
    const char *dir = check_tmp_dir();
    int n;
    snprintf(path, sizeof path, "%s/a.likeness", dir);
    snprintf(key, sizeof key, "%s/k", dir);
    struct secret s = { .key_file = key };
    struct stream *w = NULL;
    check_int(stream_create(path, &s, 0, &w, &err), ERR_KEY);
    check_ok(vault_keyfile_make(key, &err), err);
    write_three(path, &s);
    check_ok(read_all(path, &s, &n), err);
    check_int(n, 3);
    check_int(read_all(path, &PASS, &n), ERR_KEY);
}

static void unfinished_leaves_nothing(void **state)
{
    const char *dir = check_tmp_dir();
    char path[300];
    struct stream *w = NULL;
    snprintf(path, sizeof path, "%s/a.likeness", dir);
    check_ok(stream_create(path, &PASS, 0, &w, &err), err);
    check_ok(stream_put(w, 'P', "x", 1, &err), err);
    stream_free(w);
    check_int(rmdir(dir), 0);
}

/* A disk that fills up: an error in the end, and nothing at the path. */
static void full_disk(void **state)
{
    static char body[200000];
    char path[300];
    const char *dir = check_tmp_dir();
    struct stream *w = NULL;
    struct rlimit was, low = { 100000, RLIM_INFINITY };
    snprintf(path, sizeof path, "%s/a.likeness", dir);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    low.rlim_max = was.rlim_max;
    check_ok(stream_create(path, &PASS, 0, &w, &err), err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int rc = stream_put(w, 'P', body, sizeof body, &err);
    if (!rc) rc = stream_finish(w, &err);
    int again = stream_finish(w, NULL);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_not_equal(rc, 0);
    check_int(again, ERR_INVAL);
    stream_free(w);
    check_int(rmdir(dir), 0);
}

static void cut_anywhere(void **state)
{
    char path[300], cut[300];
    const char *dir = check_tmp_dir();
    struct buf b = BUF_INIT(0);
    int n;
    snprintf(path, sizeof path, "%s/a", dir);
    snprintf(cut, sizeof cut, "%s/b", dir);
    write_three(path, &PASS);
    check_ok(io_read_file(path, 1 << 20, &b, &err), err);
    for (size_t i = 0; i < b.n; i++) {
        check_ok(io_write_file(cut, b.p, i, 0600, &err), err);
        int rc = read_all(cut, &PASS, &n);
        if (rc != ERR_PARSE) fail_msg("cut at %zu: %d %s", i, rc, err.msg);
        b.p[i] ^= 1;
        check_ok(io_write_file(cut, b.p, b.n, 0600, &err), err);
        rc = read_all(cut, &PASS, &n);
        if (!rc) fail_msg("byte %zu changed: not seen", i);
        b.p[i] ^= 1;
    }
    buf_adds(&b, "x");
    check_ok(io_write_file(cut, b.p, b.n, 0600, &err), err);
    check_int(read_all(cut, &PASS, &n), ERR_PARSE);
    buf_free(&b);
}

static void swapped_records(void **state)
{
    char path[300];
    struct buf b = BUF_INIT(0);
    struct stream *w = NULL;
    int n;
    snprintf(path, sizeof path, "%s/a", check_tmp_dir());
    check_ok(stream_create(path, &PASS, 0, &w, &err), err);
    check_ok(stream_put(w, 'P', "one", 3, &err), err);
    check_ok(stream_put(w, 'P', "two", 3, &err), err);
    check_ok(stream_finish(w, &err), err);
    stream_free(w);
    check_ok(io_read_file(path, 1 << 20, &b, &err), err);
    size_t first = 88 + 22, len = 4 + 18 + 3;
    char t[25];
    memcpy(t, b.p + first, len);
    memcpy(b.p + first, b.p + first + len, len);
    memcpy(b.p + first + len, t, len);
    check_ok(io_write_file(path, b.p, b.n, 0600, &err), err);
    check_int(read_all(path, &PASS, &n), ERR_SEAL);
    check_int(n, 0);
    buf_free(&b);
}

static void limits(void **state)
{
    char path[300];
    struct stream *w = NULL;
    snprintf(path, sizeof path, "%s/a", check_tmp_dir());
    check_ok(stream_create(path, &PASS, 0, &w, &err), err);
    check_int(stream_put(w, 0, "x", 1, &err), ERR_INVAL);
    check_int(stream_put(w, 255, "x", 1, &err), ERR_INVAL);
    check_int(stream_put(w, 'P', "x", STREAM_RECORD_MAX + 1, &err), ERR_LIMIT);
    stream_free(w);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(key_file),
        cmocka_unit_test(unfinished_leaves_nothing),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(swapped_records),
        cmocka_unit_test(limits),
    };
    return check_run("vault/stream", t);
}
