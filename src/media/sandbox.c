/* The cell of a helper.
 *
 * Four walls, each of which would do for most faults; the helper refuses to work when one that
 * every kernel since 3.17 has cannot be raised.
 *
 * - Limits (setrlimit): address space, processor time, no new descriptors, no file to grow, no
 *   process to start, no core dump.
 * - no_new_privs and not dumpable: no setuid program, no ptrace from or into it.
 * - Landlock, where the kernel has it (5.13): no path can be opened at all.
 * - A seccomp filter: a list of the system calls that parsing needs. What libraries try by
 *   habit and can do without (opening files, asking for the time zone) fails with EACCES; anything
 *   else (sockets, processes, signals to others, executable memory) ends the process with SIGSYS,
 *   which the program sees and reports.
 *
 * Reading is allowed from descriptor 0, writing to 1 and 2; there are no others (launch.c).
 *
 * Sanitizers need address space without limit and a few calls more. Whether one is linked in is
 * asked of the program itself, by weak symbols, so a build without them has no way to open this
 * door. */
#include "media/sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool sanitized(void) { return __asan_init || __tsan_init; }

static int limit(int what, uint64_t most, struct err *err)
{
    struct rlimit r = { .rlim_cur = most, .rlim_max = most };
    return setrlimit((__rlimit_resource_t)what, &r) ? err_errno(err, "cannot set a limit") : 0;
}

static int limits(const struct sandbox *s, struct err *err)
{
    int rc = limit(RLIMIT_CORE, 0, err);
    if (!rc) rc = limit(RLIMIT_CPU, s->cpu_s, err);
    if (!rc) rc = limit(RLIMIT_NOFILE, 0, err);
    if (!rc) rc = limit(RLIMIT_FSIZE, 0, err);
    if (!rc) rc = limit(RLIMIT_NPROC, 0, err);
    if (!rc && !sanitized()) rc = limit(RLIMIT_AS, s->memory, err);
    return rc;
}

/* Every access that the first version of Landlock knows is forbidden, and no rule allows any. */
static void landlock(void)
{
    struct landlock_ruleset_attr a = { .handled_access_fs =
                                           (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
    int fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof a, 0);
    if (fd < 0) return; /* an older kernel: the filter forbids opening as well */
    (void)syscall(SYS_landlock_restrict_self, fd, 0);
    close(fd);
}

static int allow(scmp_filter_ctx f, const int *calls, size_t n, uint32_t action)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        rc = seccomp_rule_add(f, action, calls[i], 0);
        if (rc == -EDOM) rc = 0; /* this machine has no such call */
    }
    return rc;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))

static int rules(scmp_filter_ctx f)
{
    static const int free_calls[] = {
        SCMP_SYS(lseek),        SCMP_SYS(munmap),         SCMP_SYS(mremap),
        SCMP_SYS(brk),          SCMP_SYS(madvise),        SCMP_SYS(futex),
        SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday), SCMP_SYS(time),           SCMP_SYS(getrandom),
        SCMP_SYS(sched_yield),  SCMP_SYS(restart_syscall)
    };
    static const int refused[] = { SCMP_SYS(open),
                                   SCMP_SYS(openat),
                                   SCMP_SYS(access),
                                   SCMP_SYS(faccessat),
                                   SCMP_SYS(faccessat2),
                                   SCMP_SYS(stat),
                                   SCMP_SYS(lstat),
                                   SCMP_SYS(newfstatat),
                                   SCMP_SYS(statx),
                                   SCMP_SYS(fstat),
                                   SCMP_SYS(readlink),
                                   SCMP_SYS(readlinkat),
                                   SCMP_SYS(ioctl),
                                   SCMP_SYS(fcntl),
                                   SCMP_SYS(getcwd),
                                   SCMP_SYS(uname),
                                   SCMP_SYS(sysinfo),
                                   SCMP_SYS(prlimit64),
                                   SCMP_SYS(getrusage),
                                   SCMP_SYS(close),
                                   SCMP_SYS(getpid),
                                   SCMP_SYS(gettid),
                                   SCMP_SYS(sched_getaffinity) };
    static const int watched[] = { SCMP_SYS(sigaltstack), SCMP_SYS(getpid),
                                   SCMP_SYS(gettid),      SCMP_SYS(nanosleep),
                                   SCMP_SYS(prctl),       SCMP_SYS(clock_nanosleep) };
    int rc = allow(f, free_calls, COUNT(free_calls), SCMP_ACT_ALLOW);
    if (!rc && sanitized()) rc = allow(f, watched, COUNT(watched), SCMP_ACT_ALLOW);
    for (size_t i = 0; i < COUNT(refused) && !rc; i++) {
        bool ours =
            sanitized() && (refused[i] == SCMP_SYS(getpid) || refused[i] == SCMP_SYS(gettid));
        if (!ours) rc = allow(f, &refused[i], 1, SCMP_ACT_ERRNO(EACCES));
    }
    if (!rc) rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, SCMP_A0(SCMP_CMP_EQ, 0));
    for (unsigned fd = 1; fd <= 2 && !rc; fd++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, fd));
    if (!rc)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!rc)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return rc;
}

static int filter(struct err *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = f ? rules(f) : -ENOMEM;
    if (!rc) rc = seccomp_load(f);
    seccomp_release(f);
    errno = -rc;
    return rc ? err_errno(err, "cannot set up the filter of system calls") : 0;
}

int sandbox_enter(const struct sandbox *s, struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_errno(err, "cannot give up rights");
    landlock();
    int rc = limits(s, err);
    return rc ? rc : filter(err);
}
