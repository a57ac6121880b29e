/* Files: replacing is all or nothing, walking meets every odd thing, reading ends. The parts that
 * need a file system saying no run as another user in a child when the tests run as root. */
#include "base/io.h"
#include "base/str.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

static struct err err;
static char dir[300];

static char *at(const char *name)
{
    static char path[8][600];
    static int turn;
    char *p = path[turn++ & 7];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    chmod(dir, 0777);
    return 0;
}

static int teardown(void **state) { return io_remove_tree(dir, &err); }

static void put(const char *name, const char *text)
{
    check_ok(io_write_file(at(name), text, strlen(text), 0644, &err), err);
}

static void check_file(const char *name, const char *want)
{
    struct buf b = BUF_INIT(0);
    check_ok(io_read_file(at(name), 1 << 20, &b, &err), err);
    check_str(buf_str(&b), want);
    buf_free(&b);
}

/* fn in a child that is not root; its failures are the test's. */
static void as_nobody(void (*fn)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        if (!geteuid() && (setgid(65534) || setuid(65534))) _exit(3);
        fn();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    check_int(status, 0);
}

#define want(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #cond, err.msg), _exit(1);     \
    } while (0)

/* ---- writing and reading ---- */

static int count_entries(void *ud, const char *path, struct err *e)
{
    ++*(int *)ud;
    return 0;
}

static void written_whole(void **state)
{
    struct stat st;
    put("a", "one");
    put("a", "two");
    check_file("a", "two");
    check_ok(io_write_file(at("secret"), "x", 1, 0600, &err), err);
    assert_int_equal(stat(at("secret"), &st), 0);
    check_int(st.st_mode & 0777, 0600);
    check_ok(io_write_file(at("empty"), NULL, 0, 0600, &err), err);
    check_file("empty", "");
    int n = 0;
    check_ok(io_walk(dir, count_entries, &n, &err), err);
    check_int(n, 3); /* no temporary file is left */
    check_int(io_write_file(at("none/x"), "x", 1, 0600, &err), ERR_NOTFOUND);
    check_int(io_write_file(dir, "x", 1, 0600, &err) != 0, 1);
}

static void write_in_closed_folder(void)
{
    want(io_write_file(at("closed/f"), "new", 3, 0644, &err) != 0);
    want(strstr(err.msg, "closed"));
}

static void closed_folder_keeps_the_old(void **state)
{
    check_ok(io_mkdirs(at("closed"), 0755, &err), err);
    put("closed/f", "old");
    chmod(at("closed"), 0555);
    as_nobody(write_in_closed_folder);
    check_file("closed/f", "old");
}

/* A limit on the size of files stands for the full disk: EFBIG is reported as ERR_FULL too. */
static void write_too_much(void)
{
    static char big[100000];
    struct rlimit r = { 50000, 50000 };
    int n = 0;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &r);
    want(io_write_file(at("full/f"), big, sizeof big, 0644, &err) == ERR_FULL);
    want(!io_walk(at("full"), count_entries, &n, &err) && n == 1);
}

static void full_disk_keeps_the_old(void **state)
{
    check_ok(io_mkdirs(at("full"), 0777, &err), err);
    chmod(at("full"), 0777);
    put("full/f", "old");
    as_nobody(write_too_much);
    check_file("full/f", "old");
}

static void created_but_never_replaced(void **state)
{
    int n = 0;
    check_ok(io_mkdirs(at("new"), 0700, &err), err);
    check_ok(io_create_file(at("new/f"), "one", 3, 0600, &err), err);
    check_int(io_create_file(at("new/f"), "two", 3, 0600, &err), ERR_EXISTS);
    check_file("new/f", "one");
    check_ok(io_walk(at("new"), count_entries, &n, &err), err);
    check_int(n, 1);
}

/* A folder that may be written but not read cannot be synced. */
static void write_without_sync(void)
{
    bool replaced = false;
    chmod(at("blind"), 0700);
    want(!io_write_file(at("blind/f"), "old", 3, 0600, &err));
    chmod(at("blind"), 0300);
    want(io_replace_file(at("blind/f"), "new", 3, 0600, &replaced, &err) && replaced);
    want(io_replace_file(at("blind/no/f"), "new", 3, 0600, &replaced, &err) && !replaced);
    want(io_create_file(at("blind/g"), "new", 3, 0600, &err));
    want(!io_exists(at("blind/g")));
}

static void replaced_is_told_from_not_replaced(void **state)
{
    check_ok(io_mkdirs(at("blind"), 0700, &err), err);
    if (!geteuid()) assert_int_equal(chown(at("blind"), 65534, 65534), 0);
    as_nobody(write_without_sync);
    chmod(at("blind"), 0700);
    check_file("blind/f", "new");
}

static void reading_has_a_limit(void **state)
{
    struct buf b = BUF_INIT(0);
    put("ten", "0123456789");
    check_ok(io_read_file(at("ten"), 10, &b, &err), err);
    check_int(b.n, 10);
    buf_clear(&b);
    check_int(io_read_file(at("ten"), 9, &b, &err), ERR_LIMIT);
    check_has(err.msg, "9 bytes");
    buf_clear(&b);
    check_int(io_read_file("/dev/zero", 1000000, &b, &err), ERR_LIMIT);
    buf_free(&b);
    b = (struct buf)BUF_INIT(5);
    check_int(io_read_file(at("ten"), 100, &b, &err), ERR_LIMIT);
    buf_free(&b);
    b = (struct buf)BUF_INIT(0);
    check_int(io_read_file(at("nothing"), 9, &b, &err), ERR_NOTFOUND);
    check_int(io_read_file(dir, 9, &b, &err), ERR_INVAL);
    check_has(err.msg, "folder");
    check_int(io_file_size(at("ten")), 10);
    check_int(io_file_size(dir), 0);
    check_int(io_file_size(at("nothing")), 0);
    buf_free(&b);
}

static void pipes_end(void **state)
{
    struct buf b = BUF_INIT(0);
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    check_int(io_read_file(at("pipe"), 100, &b, &err), ERR_IO);
    check_has(err.msg, "pipe");
    pid_t pid = fork();
    if (!pid) {
        int fd = open(at("pipe"), O_WRONLY);
        usleep(200000);
        if (write(fd, "first ", 6) != 6) _exit(1);
        usleep(200000);
        if (write(fd, "second", 6) != 6) _exit(1);
        _exit(0);
    }
    check_ok(io_read_file(at("pipe"), 100, &b, &err), err);
    check_str(buf_str(&b), "first second");
    waitpid(pid, NULL, 0);
    buf_free(&b);
}

static void folders_are_made(void **state)
{
    check_ok(io_mkdirs(at("a1/b/c"), 0700, &err), err);
    check_ok(io_mkdirs(at("a1/b/c"), 0700, &err), err);
    check_ok(io_mkdirs(at("a1//b/d/"), 0700, &err), err);
    assert_true(io_is_dir(at("a1/b/d")));
    put("file", "x");
    check_int(io_mkdirs(at("file"), 0700, &err), ERR_EXISTS);
    assert_true(io_mkdirs(at("file/sub"), 0700, &err) < 0);
    check_int(io_mkdirs("", 0700, &err), ERR_INVAL);
    assert_true(io_exists(at("file")));
    assert_false(io_exists(at("file2")));
}

/* ---- walking ---- */

struct seen {
    struct buf names;
    int stop_at, n;
};

static int note_name(void *ud, const char *path, struct err *e)
{
    struct seen *s = ud;
    buf_printf(&s->names, "%s ", path + strlen(dir) + 1);
    return ++s->n == s->stop_at ? ERR_CANCEL : 0;
}

static void check_walk(const char *below, const char *want_names)
{
    struct seen s = { BUF_INIT(0), 0, 0 };
    check_ok(io_walk(at(below), note_name, &s, &err), err);
    check_str(buf_str(&s.names), want_names);
    buf_free(&s.names);
}

static void walk_in_order(void **state)
{
    io_mkdirs(at("w/B"), 0755, NULL);
    io_mkdirs(at("w/a/deep"), 0755, NULL);
    put("w/z.txt", "");
    put("w/B/2", "");
    put("w/B/10", "");
    put("w/a/deep/x", "");
    put("w/.hidden", "");
    put("w/\xC3\xA9", "");
    check_walk("w", "w/B/10 w/B/2 w/a/deep/x w/z.txt w/\xC3\xA9 ");
    check_walk("w/", "w/B/10 w/B/2 w/a/deep/x w/z.txt w/\xC3\xA9 ");
    check_walk("w/z.txt", "w/z.txt ");
    check_walk("w/.hidden", "w/.hidden "); /* named, so meant */
    struct seen s = { BUF_INIT(0), 2, 0 };
    check_int(io_walk(at("w"), note_name, &s, &err), ERR_CANCEL);
    check_int(s.n, 2);
    buf_free(&s.names);
    check_int(io_walk(at("nowhere"), note_name, &s, &err), ERR_NOTFOUND);
}

static void walk_odd_things(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    io_mkdirs(at("o/sub"), 0755, NULL);
    put("o/file", "");
    put("o/sub/inner", "");
    assert_int_equal(symlink("..", at("o/sub/up")), 0); /* a loop */
    assert_int_equal(symlink("sub", at("o/again")), 0); /* the same folder twice */
    assert_int_equal(symlink("self", at("o/self")), 0);
    assert_int_equal(symlink("gone", at("o/dangling")), 0);
    assert_int_equal(symlink("file", at("o/link")), 0);
    assert_int_equal(mkfifo(at("o/pipe"), 0600), 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", at("o/s"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(fd, (struct sockaddr *)&a, sizeof a);
    check_walk("o", "o/again/inner o/file o/link ");
    close(fd);
}

static void walk_closed(void)
{
    struct seen s = { BUF_INIT(0), 0, 0 };
    want(!io_walk(at("p"), note_name, &s, &err));
    want(!strcmp(buf_str(&s.names), "p/a p/closed p/nolist p/z "));
    want(io_walk(at("p/closed"), note_name, &s, &err) == ERR_IO); /* named: an error */
    buf_free(&s.names);
}

static void closed_folders_are_reported(void **state)
{
    io_mkdirs(at("p/closed"), 0755, NULL);
    io_mkdirs(at("p/nolist"), 0755, NULL);
    put("p/a", "");
    put("p/z", "");
    put("p/closed/x", "");
    chmod(at("p/closed"), 0);
    chmod(at("p/nolist"), 0111);
    as_nobody(walk_closed);
    chmod(at("p/closed"), 0755);
    chmod(at("p/nolist"), 0755);
}

/* Deeper than there may be open files. */
static void deep_folders(void **state)
{
    char here[4096];
    int n = 0, depth = 0;
    struct rlimit was, few = { 64, 64 };
    assert_non_null(getcwd(here, sizeof here));
    io_mkdirs(at("deep"), 0755, NULL);
    assert_int_equal(chdir(at("deep")), 0);
    while (depth < 500 && !mkdir("d", 0755) && !chdir("d")) depth++;
    assert_int_equal(chdir(here), 0);
    check_int(depth, 500);
    getrlimit(RLIMIT_NOFILE, &was);
    few.rlim_max = was.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    check_ok(io_walk(at("deep"), count_entries, &n, &err), err);
    check_int(n, 0);
    check_ok(io_remove_tree(at("deep"), &err), err);
    assert_false(io_exists(at("deep")));
    setrlimit(RLIMIT_NOFILE, &was);
}

static void links_are_removed_not_followed(void **state)
{
    io_mkdirs(at("r/sub"), 0755, NULL);
    io_mkdirs(at("kept"), 0755, NULL);
    put("kept/file", "here");
    put("r/.hidden", "");
    assert_int_equal(symlink("../kept", at("r/link")), 0);
    assert_int_equal(symlink("..", at("r/sub/loop")), 0);
    check_ok(io_remove_tree(at("r"), &err), err);
    assert_false(io_exists(at("r")));
    check_file("kept/file", "here");
    check_ok(io_remove_tree(at("r"), &err), err); /* gone already: fine */
}

/* ---- terminals ---- */

/* The child asks on a terminal of its own; bytes are typed, or a signal sent, when the prompt
 * shows. What it got comes by a pipe: a terminal may drop what it still holds when its last user
 * leaves. */
static int ask_in_child(const char *typed, int sig, bool *echo_after, char said[64])
{
    int master, status, answer[2];
    char seen[256] = { 0 };
    assert_int_equal(pipe(answer), 0);
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    if (!pid) {
        signal(sig ? sig : SIGINT, SIG_DFL); /* whoever started the tests may have it ignored */
        struct buf b = BUF_INIT(16);
        int rc = io_ask_secret("Passphrase: ", &b, &err);
        dprintf(answer[1], "rc %d, %s\n", rc, buf_str(&b));
        _exit(0);
    }
    close(answer[1]);
    size_t n = 0;
    while (n < sizeof seen - 1 && !strstr(seen, "Passphrase: ")) {
        ssize_t k = read(master, seen + n, sizeof seen - 1 - n);
        if (k <= 0) break;
        n += (size_t)k;
    }
    struct termios t;
    tcgetattr(master, &t);
    check_int(t.c_lflag & ECHO, 0);
    if (typed) assert_true(write(master, typed, strlen(typed)) > 0);
    if (sig) kill(pid, sig);
    for (n = 0; n < 63;) {
        ssize_t k = read(answer[0], said + n, 63 - n);
        if (k <= 0) break;
        n += (size_t)k;
    }
    said[n] = 0;
    close(answer[0]);
    waitpid(pid, &status, 0);
    tcgetattr(master, &t);
    *echo_after = t.c_lflag & ECHO;
    close(master);
    return status;
}

static void secrets_are_asked(void **state)
{
    char said[64];
    bool echo;
    check_int(ask_in_child("tea pot\n", 0, &echo, said), 0);
    check_has(said, "rc 0, tea pot");
    assert_true(echo);
    check_int(ask_in_child("\n", 0, &echo, said), 0);
    check_has(said, "rc 0, ");
    check_int(ask_in_child("\x04", 0, &echo, said), 0); /* Ctrl-D */
    check_has(said, "rc -13");
    check_int(ask_in_child("far too long a passphrase\n", 0, &echo, said), 0);
    check_has(said, "rc -12");
}

static void interrupted_terminals_are_set_back(void **state)
{
    static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    char said[64];
    bool echo;
    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
        int status = ask_in_child(NULL, sigs[i], &echo, said);
        if (!WIFSIGNALED(status)) fail_msg("signal %d: status %d, %s", sigs[i], status, said);
        check_int(WTERMSIG(status), sigs[i]);
        assert_true(echo);
    }
    int status = ask_in_child("half\x03", 0, &echo, said); /* Ctrl-C */
    assert_true(WIFSIGNALED(status) && echo);
}

static void no_terminal_to_ask_on(void **state)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct buf b = BUF_INIT(100);
        setsid();
        _exit(io_ask_secret("? ", &b, &err) == ERR_INVAL ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    check_int(status, 0);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(written_whole),
        cmocka_unit_test(closed_folder_keeps_the_old),
        cmocka_unit_test(full_disk_keeps_the_old),
        cmocka_unit_test(created_but_never_replaced),
        cmocka_unit_test(replaced_is_told_from_not_replaced),
        cmocka_unit_test(reading_has_a_limit),
        cmocka_unit_test(pipes_end),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(walk_in_order),
        cmocka_unit_test(walk_odd_things),
        cmocka_unit_test(closed_folders_are_reported),
        cmocka_unit_test(deep_folders),
        cmocka_unit_test(links_are_removed_not_followed),
        cmocka_unit_test(secrets_are_asked),
        cmocka_unit_test(interrupted_terminals_are_set_back),
        cmocka_unit_test(no_terminal_to_ask_on),
    };
    setup(NULL);
    int rc = check_run("base/io", t);
    teardown(NULL);
    return rc;
}
