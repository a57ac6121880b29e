/* Opening: the lock, versions, wrong vaults, read-only folders, full disks. */
#include "store/home.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void create_and_reopen(void **state)
{
    struct home h;
    struct stat s;
    home_make(&h);
    check_int(store_create(h.path, h.v, &err), ERR_BUSY);
    store_close(h.st);
    h.st = NULL;
    check_int(store_create(h.path, h.v, &err), ERR_EXISTS);
    assert_int_equal(stat(h.db, &s), 0);
    check_int(s.st_mode & 0777, 0600);
    check_int(peek(&h, "PRAGMA application_id"), 0x4c6b6e73);
    check_int(peek(&h, "PRAGMA user_version"), STORE_SCHEMA);
    check_ok(store_open(h.path, h.v, STORE_READ, &h.st, &err), err);
    check_int(store_begin(h.st, &err), ERR_INVAL);
    home_done(&h);
}

static void empty_or_missing_file(void **state)
{
    struct home h;
    home_make(&h);
    store_close(h.st);
    h.st = NULL;
    assert_int_equal(truncate(h.db, 0), 0);
    check_int(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), ERR_NOTFOUND);
    check_ok(store_create(h.path, h.v, &err), err); /* a crash in the first store_create */
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    store_close(h.st);
    unlink(h.db);
    check_int(store_open(h.path, h.v, STORE_READ, &h.st, &err), ERR_NOTFOUND);
    check_ok(io_write_file(h.db,
                           "not a database, but longer than a header of one hundred bytes would be,"
                           " so that it is looked at as one",
                           102, 0600, &err),
             err);
    check_int(store_open(h.path, h.v, STORE_READ, &h.st, &err), ERR_PARSE);
    home_done(&h);
}

static void newer_and_foreign_files(void **state)
{
    struct home h, other;
    struct buf b = BUF_INIT(0);
    home_make(&h);
    home_make(&other);
    store_close(h.st);
    h.st = NULL;
    meddle(&h, "PRAGMA user_version=99");
    check_int(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), ERR_VERSION);
    check_has(err.msg, "update the program");
    meddle(&h, "PRAGMA user_version=2; PRAGMA application_id=1");
    check_int(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), ERR_PARSE);
    store_close(other.st);
    other.st = NULL;
    check_ok(io_read_file(other.db, 1 << 24, &b, &err), err);
    check_ok(io_write_file(h.db, b.p, b.n, 0600, &err), err);
    check_int(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), ERR_KEY);
    check_has(err.msg, "do not belong together");
    buf_free(&b);
    home_done(&h);
    home_done(&other);
}

/* A second process that writes; then one that only reads. */
static void one_writer(void **state)
{
    struct home h;
    int ready[2], go[2], status;
    char c, pid_text[32];
    home_make(&h);
    store_close(h.st);
    h.st = NULL;
    assert_int_equal(pipe(ready) | pipe(go), 0);
    pid_t pid = fork();
    if (!pid) {
        struct store *st = NULL;
        struct sealed ps;
        int rc = store_open(h.path, h.v, STORE_WRITE, &st, NULL);
        if (write(ready[1], rc ? "x" : "o", 1) != 1 || read(go[0], &c, 1) != 1) _exit(3);
        if (!rc) rc = store_persona_new(st, "{}", 2, &ps, NULL);
        if (write(ready[1], rc ? "x" : "o", 1) != 1 || read(go[0], &c, 1) != 1) _exit(3);
        _exit(0); /* without closing: as if killed */
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    check_int(c, 'o');
    check_int(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), ERR_BUSY);
    snprintf(pid_text, sizeof pid_text, "pid %d", (int)pid);
    check_has(err.msg, pid_text);
    check_ok(store_open(h.path, h.v, STORE_READ, &h.st, &err), err);
    int64_t before = store_data_version(h.st);
    check_int(store_data_version(h.st), before);
    assert_int_equal(write(go[1], "g", 1) + read(ready[0], &c, 1), 2);
    check_int(c, 'o');
    assert_true(store_data_version(h.st) != before);
    assert_int_equal(write(go[1], "g", 1), 1);
    waitpid(pid, &status, 0);
    check_int(WEXITSTATUS(status), 0);
    home_reopen(&h);
    check_int(peek(&h, "SELECT count(*) FROM persona"), 1);
    home_done(&h);
}

/* Killed with a transaction half written: what was committed is there, the rest is not. */
static void killed_in_the_middle(void **state)
{
    struct home h;
    struct filled f;
    struct store_report rep;
    int status;
    home_make(&h);
    fill(h.st, &f);
    store_close(h.st);
    h.st = NULL;
    pid_t pid = fork();
    if (!pid) {
        struct store *st = NULL;
        if (store_open(h.path, h.v, STORE_WRITE, &st, NULL)) _exit(1);
        add_source(st, &f.ps, "committed");
        if (store_begin(st, NULL)) _exit(1);
        for (int i = 0; i < 3000; i++)
            add_piece(st, &f.ps, f.s1, 100 + i, true,
                      (char[]){ 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676, 0 });
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM source"), 3);
    check_int(peek(&h, "SELECT count(*) FROM piece"), 3);
    check_ok(store_check(h.st, false, NULL, NULL, &rep, &err), err);
    check_int(rep.problems, 0);
    home_done(&h);
}

static int count_source(void *ud, const struct row_source *r)
{
    ++*(int *)ud;
    return 0;
}

/* In a child without the right to write: 0 when it went as expected, else a line's number. */
static int read_only_child(struct home *h, int64_t id, int want)
{
    struct store *st = NULL;
    struct sealed ps;
    int n = 0;
    if (!geteuid() && setresuid(65534, 65534, 65534)) return __LINE__ % 200;
    int rc = store_open(h->path, h->v, STORE_READ, &st, &err);
    if (want) return rc == want ? 0 : __LINE__ % 200;
    if (rc) return __LINE__ % 200;
    if (store_persona_handle(st, id, &ps, &err)) return __LINE__ % 200;
    if (store_source_each(st, &ps, 0, count_source, &n, &err) || n != 2) return __LINE__ % 200;
    store_close(st);
    rc = store_open(h->path, h->v, STORE_WRITE, &st, &err);
    return rc == ERR_FULL ? 0 : __LINE__ % 200;
}

static int in_child(struct home *h, int64_t id, int want)
{
    int status;
    pid_t pid = fork();
    if (!pid) _exit(read_only_child(h, id, want));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void set_modes(const struct home *h, mode_t file, mode_t dir)
{
    char cmd[1200];
    snprintf(cmd, sizeof cmd,
             "chmod 755 '%s/..' && find '%s' -type f -exec chmod %o {} + && find '%s' "
             "-type d -exec chmod %o {} +",
             h->path, h->path, file, h->path, dir);
    assert_int_equal(system(cmd), 0);
}

static void read_only_folder(void **state)
{
    struct home h;
    struct filled f;
    char wal[400], lock[400];
    home_make(&h);
    fill(h.st, &f);
    store_close(h.st);
    h.st = NULL;
    set_modes(&h, 0444, 0555);
    check_int(in_child(&h, f.ps.id, 0), 0);
    /* with changes waiting in the log and no index of it */
    set_modes(&h, 0600, 0700);
    snprintf(wal, sizeof wal, "%s-wal", h.db);
    snprintf(lock, sizeof lock, "%s/lock", h.path);
    check_ok(io_write_file(wal, "something", 9, 0600, &err), err);
    set_modes(&h, 0444, 0555);
    check_int(in_child(&h, f.ps.id, ERR_FULL), 0);
    set_modes(&h, 0600, 0700);
    home_done(&h);
}

static int fill_up(struct store *st, const struct sealed *ps)
{
    static char body[20000];
    int rc = 0;
    for (int i = 0; !rc && i < 2000; i++) {
        struct row_source r = { .from = i, .to = i, .body = body, .body_n = sizeof body };
        rc = store_source_put(st, ps, &r, &err);
    }
    return rc;
}

/* A limit on file sizes stands in for the full disk: the write that crosses it fails. */
static void full_disk_by_limit(void **state)
{
    struct home h;
    struct filled f;
    struct rlimit was, low = { 900000, RLIM_INFINITY };
    home_make(&h);
    fill(h.st, &f);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    low.rlim_max = was.rlim_max;
    check_ok(store_begin(h.st, &err), err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int rc = fill_up(h.st, &f.ps);
    int rc2 = rc ? rc : store_commit(h.st, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    check_int(rc2, ERR_FULL);
    check_has(err.msg, "free space");
    store_rollback(h.st);
    check_int(peek(&h, "SELECT count(*) FROM source"), 2);
    add_source(h.st, &f.ps, "works again");
    home_done(&h);
}

static void full_disk_by_tmpfs(void **state)
{
    struct home h = { 0 };
    struct filled f;
    char dir[280];
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    if (geteuid() || mount("none", dir, "tmpfs", 0, "size=1500k")) skip();
    snprintf(h.path, sizeof h.path, "%s/home", dir);
    snprintf(h.db, sizeof h.db, "%s/likeness.db", h.path);
    check_ok(vault_create(h.path, &PASS, &err), err);
    check_ok(vault_unlock(h.path, &PASS, &h.v, &err), err);
    check_ok(store_create(h.path, h.v, &err), err);
    check_ok(store_open(h.path, h.v, STORE_WRITE, &h.st, &err), err);
    fill(h.st, &f);
    check_ok(store_begin(h.st, &err), err);
    int rc = fill_up(h.st, &f.ps);
    if (!rc) rc = store_commit(h.st, &err);
    check_int(rc, ERR_FULL);
    check_has(err.msg, "free space");
    /* the transaction is undone as a whole: nothing after the failure is committed alone */
    struct row_source r = { .body = "x", .body_n = 1 };
    if (store_source_put(h.st, &f.ps, &r, &err)) check_int(err.code, ERR_IO);
    store_rollback(h.st);
    store_close(h.st);
    check_ok(store_open(h.path, h.v, STORE_READ, &h.st, &err), err);
    check_int(peek(&h, "SELECT count(*) FROM source"), 2);
    home_done(&h);
    umount(dir);
}

int main(void)
{
    setenv("LIKENESS_KDF", "fast", 1);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(create_and_reopen),       cmocka_unit_test(empty_or_missing_file),
        cmocka_unit_test(newer_and_foreign_files), cmocka_unit_test(one_writer),
        cmocka_unit_test(killed_in_the_middle),    cmocka_unit_test(read_only_folder),
        cmocka_unit_test(full_disk_by_limit),      cmocka_unit_test(full_disk_by_tmpfs),
    };
    return check_run("store/open", t);
}
