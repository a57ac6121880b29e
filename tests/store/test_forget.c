/* Nothing plain on disk; and forgetting, also when the power fails in the middle of it. */
#include "store/home.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define N_WORDS 9
static const char *const WORDS[N_WORDS] = { "Marigold",  "quince", "saxifrage",
                                            "columbine", "hashed", "gentian",
                                            "hellebore", "bryony", "campion" };

/* Calls fn with the content of each file of the home, also in keys. */
static void each_file(const char *dir, void (*fn)(void *ud, const char *path, const struct buf *b),
                      void *ud)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[700];
        struct buf b = BUF_INIT(0);
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (io_is_dir(path)) {
            each_file(path, fn, ud);
            continue;
        }
        check_ok(io_read_file(path, 1 << 28, &b, &err), err);
        fn(ud, path, &b);
        buf_free(&b);
    }
    closedir(d);
}

static void no_words(void *ud, const char *path, const struct buf *b)
{
    for (int i = 0; i < N_WORDS; i++)
        if (b->n && memmem(b->p, b->n, WORDS[i], strlen(WORDS[i])))
            fail_msg("%s holds \"%s\" in plain", path, WORDS[i]);
}

static void nothing_plain_on_disk(void **state)
{
    struct home h;
    struct filled f;
    home_make(&h);
    fill(h.st, &f);
    each_file(h.path, no_words, NULL); /* with the log as it stands */
    check_ok(store_compact(h.st, &err), err);
    each_file(h.path, no_words, NULL);
    store_close(h.st);
    h.st = NULL;
    each_file(h.path, no_words, NULL);
    home_done(&h);
}

/* The first bytes of every sealed value in the database. */
struct samples {
    uint8_t p[64][24];
    int n;
};

static void take_samples(const struct home *h, struct samples *sm)
{
    static const char *const sql[] = { "SELECT body FROM persona",
                                       "SELECT body FROM source",
                                       "SELECT body FROM piece",
                                       "SELECT body FROM chunk",
                                       "SELECT body FROM vector",
                                       "SELECT body FROM doc",
                                       "SELECT body FROM turn",
                                       "SELECT sources FROM turn",
                                       "SELECT body FROM conversation",
                                       "SELECT body FROM embedder",
                                       "SELECT digest||x'0000000000000000' FROM piece" };
    sqlite3 *db = NULL;
    sqlite3_open(h->db, &db);
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        sqlite3_stmt *s = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql[i], -1, &s, NULL), SQLITE_OK);
        while (sqlite3_step(s) == SQLITE_ROW && sm->n < 64)
            memcpy(sm->p[sm->n++], sqlite3_column_blob(s, 0), 24);
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
}

static void no_samples(void *ud, const char *path, const struct buf *b)
{
    const struct samples *sm = ud;
    for (int i = 0; i < sm->n; i++)
        if (b->n && memmem(b->p, b->n, sm->p[i], 16))
            fail_msg("%s still holds sealed value %d", path, i);
}

static void forgetting_leaves_nothing(void **state)
{
    struct home h;
    struct filled f, other;
    struct samples sm = { .n = 0 };
    struct sealed ps;
    home_make(&h);
    fill(h.st, &f);
    take_samples(&h, &sm);
    assert_true(sm.n > 15);
    fill(h.st, &other);
    check_ok(store_begin(h.st, &err), err);
    check_int(store_persona_forget(h.st, f.ps.id, &err), ERR_INVAL);
    store_rollback(h.st);
    check_ok(store_persona_forget(h.st, f.ps.id, &err), err);
    each_file(h.path, no_samples, &sm);
    check_int(store_persona_forget(h.st, f.ps.id, &err), ERR_NOTFOUND);
    check_int(store_persona_handle(h.st, f.ps.id, &ps, &err), ERR_NOTFOUND);
    check_int(vault_persona_key(h.v, f.ps.uid, ps.key, &err), ERR_NOTFOUND);
    check_ok(store_persona_handle(h.st, other.ps.id, &ps, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM piece"), 3);
    check_int(peek(&h, "SELECT count(*) FROM meta"), 1);
    home_done(&h);
}

static void key_path(const struct home *h, const struct sealed *ps, char out[512])
{
    char hex[33];
    sodium_bin2hex(hex, sizeof hex, ps->uid, VAULT_UID);
    snprintf(out, 512, "%s/keys/%s.key", h->path, hex);
}

static int only(void *ud, const struct row_persona *r)
{
    ((int *)ud)[r->forgotten]++;
    return 0;
}

/* The mark is committed, then: before the key is destroyed, and after. */
static void interrupted_after_the_mark(void **state)
{
    for (int key_gone = 0; key_gone < 2; key_gone++) {
        struct home h;
        struct filled f, other;
        struct samples sm = { .n = 0 };
        int n[2] = { 0 };
        char key[512];
        home_make(&h);
        fill(h.st, &f);
        take_samples(&h, &sm);
        fill(h.st, &other);
        key_path(&h, &f.ps, key);
        meddle(&h, "UPDATE persona SET forgetting=1 WHERE id=1");
        if (key_gone) check_ok(vault_persona_destroy(h.v, f.ps.uid, &err), err);
        check_ok(store_persona_each(h.st, only, n, &err), err);
        check_int(n[0], 1);
        check_int(n[1], 1);
        home_reopen(&h);
        assert_false(io_exists(key));
        check_int(peek(&h, "SELECT count(*) FROM persona"), 1);
        check_int(peek(&h, "SELECT count(*) FROM turn"), 2);
        each_file(h.path, no_samples, &sm);
        home_done(&h);
    }
}

static void mark_path(const struct home *h, const struct sealed *ps, char out[512])
{
    key_path(h, ps, out);
    strcpy(strrchr(out, '.'), ".forget");
}

/* The key renamed; renamed and emptied; and the rows gone as well. */
static void interrupted_at_each_step(void **state)
{
    for (int step = 0; step < 3; step++) {
        struct home h;
        struct filled f, other;
        struct sealed ps;
        struct samples sm = { .n = 0 };
        int n[2] = { 0 };
        char key[512], mark[512];
        home_make(&h);
        fill(h.st, &f);
        take_samples(&h, &sm);
        fill(h.st, &other);
        key_path(&h, &f.ps, key);
        mark_path(&h, &f.ps, mark);
        if (step == 0) assert_int_equal(rename(key, mark), 0);
        else check_ok(vault_persona_doom(h.v, f.ps.uid, &err), err);
        if (step == 2)
            meddle(&h, "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
                       "DELETE FROM persona WHERE id=1;"
                       "INSERT INTO meta(name, body) VALUES('compact', x'')");
        check_ok(store_persona_each(h.st, only, n, &err), err);
        check_int(n[0], 1);
        check_int(n[1], step < 2);
        check_int(store_persona_handle(h.st, f.ps.id, &ps, &err), ERR_NOTFOUND);
        home_reopen(&h);
        assert_false(io_exists(key) || io_exists(mark));
        check_int(peek(&h, "SELECT count(*) FROM persona"), 1);
        each_file(h.path, no_samples, &sm);
        home_done(&h);
    }
}

/* No block is free (a limit on the size of files stands for it): the key goes all the same, and the
 * rows when there is room. */
static void a_full_disk_forgets_too(void **state)
{
    struct home h;
    struct filled f, other;
    struct samples sm = { .n = 0 };
    struct rlimit was, none;
    char key[512], mark[512], copy[540];
    uint8_t k[VAULT_KEY];
    int n[2] = { 0 };
    home_make(&h);
    fill(h.st, &f);
    take_samples(&h, &sm);
    fill(h.st, &other);
    check_ok(store_compact(h.st, &err), err);
    key_path(&h, &f.ps, key);
    mark_path(&h, &f.ps, mark);
    snprintf(copy, sizeof copy, "%s/../copy", h.path);
    assert_int_equal(link(key, copy), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    none = was;
    none.rlim_cur = 256; /* as much as a key */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int rc = store_persona_forget(h.st, f.ps.id, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_not_equal(rc, 0);
    check_has(err.msg, "is forgotten (its key is destroyed)");
    assert_false(io_exists(key));
    assert_true(io_exists(mark));
    check_int(io_file_size(copy), 0);
    check_int(vault_persona_key(h.v, f.ps.uid, k, &err), ERR_NOTFOUND);
    check_ok(store_persona_each(h.st, only, n, &err), err);
    check_int(n[1], 1);
    home_reopen(&h);
    assert_false(io_exists(mark));
    check_int(peek(&h, "SELECT count(*) FROM persona"), 1);
    each_file(h.path, no_samples, &sm);
    home_done(&h);
}

/* The same on a disk that is full indeed, which takes root to set up. The home opens for writing
 * all the same, as forgetting is one of the things to do then. */
static void a_full_file_system_forgets_too(void **state)
{
    struct home h;
    struct filled f, other;
    char key[512], mark[512], fill_path[400], tmp[300];
    const char *was = getenv("TMPDIR");
    static char noise[4096];
    snprintf(tmp, sizeof tmp, "%s", check_tmp_dir());
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", tmp, "tmpfs", 0, "size=1m"))
        skip();
    char *keep = was ? strdup(was) : NULL;
    setenv("TMPDIR", tmp, 1);
    home_make(&h);
    fill(h.st, &f);
    fill(h.st, &other);
    snprintf(fill_path, sizeof fill_path, "%s/filler", tmp);
    key_path(&h, &f.ps, key);
    mark_path(&h, &f.ps, mark);
    check_ok(store_compact(h.st, &err), err);
    store_close(h.st);
    h.st = NULL;
    FILE *filler = fopen(fill_path, "w");
    assert_non_null(filler);
    setvbuf(filler, NULL, _IONBF, 0);
    while (fwrite(noise, 1, sizeof noise, filler) == sizeof noise) continue;
    fclose(filler);
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    int rc = store_persona_forget(h.st, f.ps.id, &err);
    if (rc != ERR_FULL) fail_msg("%d %s", rc, err.msg);
    check_has(err.msg, "is forgotten (its key is destroyed)");
    assert_true(!io_exists(key) && io_exists(mark) && !io_file_size(mark));
    home_reopen(&h);
    assert_true(io_exists(mark));
    check_int(store_persona_forget(h.st, other.ps.id, &err), ERR_FULL);
    unlink(fill_path);
    home_reopen(&h);
    assert_false(io_exists(mark));
    check_int(peek(&h, "SELECT count(*) FROM piece"), 0);
    home_done(&h);
    umount2(tmp, MNT_DETACH);
    if (keep) setenv("TMPDIR", keep, 1);
    else unsetenv("TMPDIR");
    free(keep);
}

/* Rows deleted, power gone before the log was emptied. */
static void interrupted_before_compaction(void **state)
{
    struct home h;
    struct filled f;
    struct samples sm = { .n = 0 };
    home_make(&h);
    fill(h.st, &f);
    take_samples(&h, &sm);
    check_ok(vault_persona_destroy(h.v, f.ps.uid, &err), err);
    meddle(&h, "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; DELETE FROM persona;"
               "INSERT INTO meta(name, body) VALUES('compact', x'')");
    home_reopen(&h);
    each_file(h.path, no_samples, &sm);
    check_int(peek(&h, "SELECT count(*) FROM meta WHERE name='compact'"), 0);
    home_done(&h);
}

/* A home restored without keys is not wiped. */
static void missing_keys_wipe_nothing(void **state)
{
    struct home h;
    struct filled f;
    struct sealed ps;
    char key[512], aside[540], keys[340], keys2[350];
    int n[2] = { 0 };
    home_make(&h);
    fill(h.st, &f);
    key_path(&h, &f.ps, key);
    snprintf(aside, sizeof aside, "%s-aside", key);
    assert_int_equal(rename(key, aside), 0);
    home_reopen(&h);
    check_int(peek(&h, "SELECT count(*) FROM piece"), 3);
    check_ok(store_persona_each(h.st, only, n, &err), err);
    check_int(n[1], 1);
    check_int(store_persona_handle(h.st, f.ps.id, &ps, &err), ERR_KEY);
    check_has(err.msg, "restore");
    assert_int_equal(rename(aside, key), 0);
    check_ok(store_persona_handle(h.st, f.ps.id, &ps, &err), err);
    snprintf(keys, sizeof keys, "%s/keys", h.path);
    snprintf(keys2, sizeof keys2, "%s2", keys);
    assert_int_equal(rename(keys, keys2), 0);
    store_close(h.st);
    h.st = NULL;
    check_int(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), ERR_KEY);
    check_has(err.msg, "keys");
    assert_int_equal(rename(keys2, keys), 0);
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    /* asked to, a persona whose key is gone is forgotten */
    assert_int_equal(unlink(key), 0);
    check_ok(store_persona_forget(h.st, f.ps.id, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM piece"), 0);
    home_done(&h);
}

static void import_brings_it_back(void **state)
{
    struct home h;
    struct filled f;
    struct sealed ps;
    home_make(&h);
    fill(h.st, &f);
    check_int(store_persona_import(h.st, f.ps.uid, f.ps.key, "{}", 2, 77, &ps, &err), ERR_EXISTS);
    struct sealed was = f.ps;
    check_ok(store_persona_forget(h.st, f.ps.id, &err), err);
    check_ok(store_persona_import(h.st, was.uid, was.key, "{}", 2, 77, &ps, &err), err);
    assert_true(ps.id > was.id);
    check_int(peek(&h, "SELECT created_at FROM persona"), 77);
    home_done(&h);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(nothing_plain_on_disk),
        cmocka_unit_test(forgetting_leaves_nothing),
        cmocka_unit_test(interrupted_after_the_mark),
        cmocka_unit_test(interrupted_at_each_step),
        cmocka_unit_test(a_full_disk_forgets_too),
        cmocka_unit_test(a_full_file_system_forgets_too),
        cmocka_unit_test(interrupted_before_compaction),
        cmocka_unit_test(missing_keys_wipe_nothing),
        cmocka_unit_test(import_brings_it_back),
    };
    return check_run("store/forget", t);
}
