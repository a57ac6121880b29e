/* Starting a helper and seeing it off.
 *
 * A helper is a program of its own, not a fork: it shares no memory, keys least of all, with the
 * process that starts it. It gets three descriptors (the file, read-only, or a socket by which its
 * pieces come; the pipe; /dev/null), a fourth for the journal of a database, an environment without
 * anything of ours, and two numbers for its limits. The sanitizers of a sanitized build are told
 * through their variables not to look for leaks, since a process that does traces itself.
 *
 * It is looked for beside the program in a build folder, in libexec beside the folder of the
 * program, then where it was installed; LIKENESS_MEDIA names another one, for tests. */
#include "media/launch.h"

#include "base/clock.h"
#include "media/media_config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICE_MS 200

static const char *const end_texts[] = {
#define X(name, text) text,
    HELPER_END_LIST(X)
#undef X
};

const char *helper_end_text(enum helper_end e) { return end_texts[e]; }

/* ---- where it is ---- */

static int find(char *out, size_t cap, struct err *err)
{
    static const char *const beside[] = { "likeness-media", "../../likeness-media",
                                          "../likeness-media",
                                          "../libexec/likeness/likeness-media" };
    const char *named = getenv("LIKENESS_MEDIA");
    char exe[3000];
    if (named && *named) {
        snprintf(out, cap, "%s", named);
        return 0;
    }
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    for (size_t i = 0; slash && i < sizeof beside / sizeof *beside; i++) {
        snprintf(out, cap, "%.*s/%s", (int)(slash - exe), exe, beside[i]);
        if (!access(out, X_OK)) return 0;
    }
    snprintf(out, cap, "%s", MEDIA_LIBEXEC "/likeness-media");
    if (!access(out, X_OK)) return 0;
    return err_set(err, ERR_NOTFOUND,
                   "the program likeness-media, which reads archives and documents, is missing: "
                   "install Likeness again (it belongs into %s)",
                   MEDIA_LIBEXEC);
}

/* ---- start ---- */

/* A descriptor of the same file that can only read, with a place of its own in it; none of those
 * that the helper's will be. */
static int read_only(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_RDONLY | O_CLOEXEC);
    int high = fcntl(own >= 0 ? own : fd, F_DUPFD_CLOEXEC, 4);
    if (own >= 0) close(own);
    return high;
}

static void stop_giving(struct helper *h)
{
    if (h->give >= 0) close(h->give);
    h->give = -1;
}

static int spawn(struct helper *h, const char *program, const int fd[3], char *const argv[],
                 struct err *err)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t all, none;
    static char asan[] = "ASAN_OPTIONS=detect_leaks=0", ubsan[] = "UBSAN_OPTIONS=halt_on_error=1",
                tsan[] = "TSAN_OPTIONS=halt_on_error=1";
    static char *const env[] = { asan, ubsan, tsan, NULL };
    int rc = posix_spawn_file_actions_init(&fa);
    if (rc) return err_nomem(err);
    if ((rc = posix_spawnattr_init(&at))) {
        posix_spawn_file_actions_destroy(&fa);
        return err_nomem(err);
    }
    sigfillset(&all);
    sigemptyset(&none);
    rc = posix_spawn_file_actions_adddup2(&fa, fd[0], 0);
    if (!rc) rc = posix_spawn_file_actions_adddup2(&fa, fd[1], 1);
    if (!rc) rc = posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
    if (!rc && fd[2] >= 0) rc = posix_spawn_file_actions_adddup2(&fa, fd[2], 3);
    if (!rc) rc = posix_spawn_file_actions_addclosefrom_np(&fa, fd[2] >= 0 ? 4 : 3);
    if (!rc) rc = posix_spawnattr_setsigdefault(&at, &all);
    if (!rc) rc = posix_spawnattr_setsigmask(&at, &none);
    if (!rc)
        rc = posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETPGROUP);
    if (!rc) rc = posix_spawn(&h->pid, program, &fa, &at, argv, env);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&at);
    errno = rc;
    return rc ? err_errno(err, "cannot start %s", program) : 0;
}

/* A socket and not a pipe: to write to one whose reader is gone is no signal then. */
static int make_ends(struct helper *h, const struct helper_input *in, int *input, struct err *err)
{
    int pair[2];
    if (in->fd >= 0) {
        *input = read_only(in->fd);
    } else {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
            return err_errno(err, "cannot make a pair of sockets");
        h->give = pair[0];
        *input = fcntl(pair[1], F_DUPFD_CLOEXEC, 4);
        close(pair[1]);
    }
    return *input < 0 ? err_errno(err, "cannot open the file again") : 0;
}

int helper_start(struct helper *h, const struct helper_input *in, const char *kind, uint64_t memory,
                 uint64_t cpu_s, struct err *err)
{
    char program[4096], name[] = "likeness-media", what[32], mem[32], cpu[32], with[] = "journal",
                        asks[32];
    char *last = in->fd < 0 ? asks : in->journal_fd >= 0 ? with : NULL;
    char *argv[] = { name, what, mem, cpu, last, NULL };
    int ends[2] = { -1, -1 }, fd[3] = { -1, -1, -1 };
    h->pid = 0;
    h->fd = h->give = -1;
    h->late = false;
    snprintf(asks, sizeof asks, "asks=%llu", (unsigned long long)in->size);
    snprintf(what, sizeof what, "%s", kind);
    snprintf(mem, sizeof mem, "%llu", (unsigned long long)memory);
    snprintf(cpu, sizeof cpu, "%llu", (unsigned long long)cpu_s);
    int rc = find(program, sizeof program, err);
    if (rc) return rc;
    rc = make_ends(h, in, &fd[0], err);
    fd[2] = !rc && in->journal_fd >= 0 ? read_only(in->journal_fd) : -1;
    if (!rc && in->journal_fd >= 0 && fd[2] < 0) rc = err_errno(err, "cannot open the file again");
    if (!rc && pipe2(ends, O_CLOEXEC)) rc = err_errno(err, "cannot make a pipe");
    fd[1] = ends[1];
    if (!rc) rc = spawn(h, program, fd, argv, err);
    for (int i = 0; i < 3; i++)
        if (fd[i] >= 0) close(fd[i]);
    if (!rc) h->fd = ends[0];
    else if (ends[0] >= 0) close(ends[0]);
    if (rc) stop_giving(h);
    return rc;
}

/* ---- while it runs ---- */

static int wait_for(struct helper *h, int fd, short events, struct err *err)
{
    double began = clock_mono();
    for (;;) {
        struct pollfd p = { .fd = fd, .events = events };
        int k = poll(&p, 1, SLICE_MS);
        if (k > 0) return 0;
        if (k < 0 && errno != EINTR) return err_errno(err, "cannot wait for the helper");
        if (h->tick && h->tick(h->ud)) return err_set(err, ERR_CANCEL, "cancelled");
        if (clock_mono() - began < h->idle_s) continue;
        h->late = true;
        return err_set(err, ERR_LIMIT, "%s", helper_end_text(HELPER_TOOK_TOO_LONG));
    }
}

int helper_wait(void *h, struct err *err)
{
    return wait_for(h, ((struct helper *)h)->fd, POLLIN, err);
}

int helper_give(struct helper *h, const void *p, size_t n, struct err *err)
{
    const char *s = p;
    int rc = h->tick && h->tick(h->ud) ? err_set(err, ERR_CANCEL, "cancelled") : 0;
    while (n && !rc) {
        ssize_t k = send(h->give, s, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k > 0) {
            s += k;
            n -= (size_t)k;
        } else if (k < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            return 0; /* it is gone, and why is known when it is seen off */
        } else {
            rc = wait_for(h, h->give, POLLOUT, err);
        }
    }
    return rc;
}

enum helper_end helper_stop(struct helper *h, bool ended)
{
    int status = 0;
    pid_t gone;
    stop_giving(h);
    if (h->fd >= 0) close(h->fd);
    h->fd = -1;
    if (h->pid <= 0) return HELPER_WELL;
    if (!ended) kill(h->pid, SIGKILL);
    do gone = waitpid(h->pid, &status, 0);
    while (gone < 0 && errno == EINTR);
    h->pid = 0;
    if (h->late) return HELPER_TOOK_TOO_LONG;
    if (!ended) return HELPER_WELL;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return HELPER_TOOK_TOO_LONG;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return HELPER_BROKE_RULES;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) return HELPER_NO_CELL;
    return WIFEXITED(status) && !WEXITSTATUS(status) ? HELPER_WELL : HELPER_CRASHED;
}
