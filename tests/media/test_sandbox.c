/* The cell holds: each attempt runs in a child that shut itself in as the helper does. */
#include "check.h"

#include "media/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static int other_fd; /* open before the cell was shut */

/* What each attempt returns: 0 it could not, as it should be; other: it could. */
static int opens(void) { return open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES; }
static int opens_at(void) { return (int)syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) >= 0; }
static int makes(void) { return open("/tmp/likeness-cell", O_CREAT | O_WRONLY, 0600) >= 0; }
static int connects(void) { return socket(AF_INET, SOCK_STREAM, 0) >= 0; }
static int unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }
static int runs(void) { return execl("/bin/true", "true", NULL), 1; }
static int forks(void) { return fork() >= 0; }
static int kills(void) { return kill(1, 0) == 0 || errno != EPERM; }
static int traces(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0; }
static int unlinks(void) { return unlink("/tmp/likeness-cell") == 0; }
static int writes_other(void) { return write(other_fd, "x", 1) == 1; }
static int reads_other(void)
{
    char c;
    return read(other_fd, &c, 1) >= 0;
}
static int code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}
static int makes_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 2 : mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}
static int too_much(void)
{
    return mmap(NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}
static int too_long(void)
{
    volatile unsigned i = 1;
    while (i) i |= 1;
    return 1;
}
static int works(void)
{
    char c = 0;
    char *p = malloc(1 << 20);
    if (!p || read(0, &c, 1) != 1 || c != 'i' || write(1, "o", 1) != 1) return 1;
    free(p);
    return 0;
}

/* Runs it in a cell; its status as of waitpid. */
static int status_of(int (*attempt)(void), int in, int out)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(in, 0);
        dup2(out, 1);
        struct err err;
        if (sandbox_enter(&(struct sandbox){ .memory = 1 << 30, .cpu_s = 1 }, &err)) _exit(99);
        _exit(attempt());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void work_goes_on(void **state)
{
    int in[2], out[2];
    char c = 0;
    assert_int_equal(pipe(in) | pipe(out), 0);
    assert_int_equal(write(in[1], "i", 1), 1);
    check_int(status_of(works, in[0], out[1]), 0);
    assert_int_equal(read(out[0], &c, 1), 1);
    check_int(c, 'o');
    for (int i = 0; i < 2; i++) close(in[i]), close(out[i]);
}

static void nothing_else_does(void **state)
{
    static const struct {
        const char *name;
        int (*attempt)(void);
        int signal; /* that ends it; 0: it is refused and goes on */
    } t[] = {
        { "opens a file", opens, 0 },
        { "opens a file another way", opens_at, SIGSYS },
        { "makes a file", makes, 0 },
        { "makes a socket", connects, SIGSYS },
        { "makes a local socket", unix_socket, SIGSYS },
        { "runs a program", runs, SIGSYS },
        { "forks", forks, SIGSYS },
        { "sends a signal", kills, SIGSYS },
        { "is traced", traces, SIGSYS },
        { "removes a file", unlinks, SIGSYS },
        { "writes to another descriptor", writes_other, SIGSYS },
        { "reads from another descriptor", reads_other, SIGSYS },
        { "maps code", code, SIGSYS },
        { "makes code", makes_code, SIGSYS },
        { "takes 2 GiB", too_much, 0 },
        { "computes for ever", too_long, SIGXCPU },
    };
    other_fd = open("/dev/zero", O_RDWR);
    int null = open("/dev/null", O_RDWR);
    assert_true(other_fd > 2 && null > 2);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        bool watched = (__asan_init || __tsan_init) && t[i].attempt == too_much;
        if (watched) continue; /* sanitizers need all the address space there is */
        int s = status_of(t[i].attempt, null, null);
        bool ended = t[i].signal ? WIFSIGNALED(s) && WTERMSIG(s) == t[i].signal
                                 : WIFEXITED(s) && WEXITSTATUS(s) == 0;
        /* The processor limit ends with a second signal when the first is not taken. */
        ended |= t[i].signal == SIGXCPU && WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL;
        if (!ended) fail_msg("a helper that %s: status %x", t[i].name, (unsigned)s);
    }
    close(other_fd);
    close(null);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(work_goes_on),
                                    cmocka_unit_test(nothing_else_does) };
    return check_run("media/sandbox", t);
}
