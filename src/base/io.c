/* Files. Replacing a file is always: write beside it, fsync, rename, fsync the folder; so a crash
 * or a full disk leaves the old file. Who writes what others may be making at the same moment does
 * not look first whether it is there: io_create_file leaves that to the system.
 * Reading has a limit, always. */
#include "base/io.h"

#include "base/map.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WRITER_WAIT_MS 3000

/* The first byte of a pipe goes to out. A silent writer is waited for; a pipe that has none would
 * be read for ever, so after WRITER_WAIT_MS without one it is given up. */
static int await_writer(int fd, const char *path, struct buf *out, struct err *err)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char c;
    for (int ms = 0; ms < WRITER_WAIT_MS;) {
        ssize_t n = read(fd, &c, 1);
        if (n > 0) return buf_add(out, &c, 1) ? err_nomem(err) : 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_errno(err, "cannot read %s", path);
        if (n < 0) {
            poll(&p, 1, -1);
            continue;
        }
        if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP)) return 0; /* it came and went */
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        ms += 20;
    }
    return err_set(err, ERR_IO, "nothing comes out of the pipe %s: give a file", path);
}

/* A folder, or a pipe without a writer, is an error at once or soon. */
static int open_to_read(const char *path, int *fd, struct buf *out, struct err *err)
{
    struct stat st;
    int rc = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) return err_errno(err, "cannot open %s", path);
    if (fstat(*fd, &st)) rc = err_errno(err, "cannot read %s", path);
    else if (S_ISDIR(st.st_mode)) rc = err_set(err, ERR_INVAL, "%s is a folder, not a file", path);
    else if (S_ISFIFO(st.st_mode)) rc = await_writer(*fd, path, out, err);
    if (!rc && fcntl(*fd, F_SETFL, 0)) rc = err_errno(err, "cannot read %s", path);
    if (rc) close(*fd);
    return rc;
}

int io_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    bool in = !strcmp(path, "-");
    size_t before = out->n;
    int fd = 0, rc = in ? 0 : open_to_read(path, &fd, out, err);
    char tmp[65536];
    size_t total = out->n - before;
    if (rc) return rc;
    for (;;) {
        ssize_t n = read(fd, tmp, sizeof tmp);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) rc = err_errno(err, "cannot read %s", path);
        if (n <= 0) break;
        total += (size_t)n;
        if (total > max) {
            rc = err_set(err, ERR_LIMIT, "%s is larger than the %zu bytes allowed here", path, max);
            break;
        }
        if (buf_add(out, tmp, (size_t)n)) {
            rc = out->failed == ERR_LIMIT
                     ? err_set(err, ERR_LIMIT, "%s is larger than is allowed here", path)
                     : err_nomem(err);
            break;
        }
    }
    explicit_bzero(tmp, sizeof tmp);
    if (!in) close(fd);
    return rc;
}

static void folder_of(const char *path, char *out, size_t cap)
{
    const char *slash = strrchr(path, '/');
    if (!slash) snprintf(out, cap, ".");
    else snprintf(out, cap, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

int io_sync_dir(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, "cannot open folder %s", path);
    int rc = fsync(fd) && errno != EINVAL ? err_errno(err, "cannot sync folder %s", path) : 0;
    close(fd);
    return rc;
}

/* The bytes, synced, in a new file beside path; its name goes to tmp. */
static int write_beside(const char *path, const void *p, size_t n, unsigned mode,
                        char tmp[PATH_MAX], struct err *err)
{
    char dir[PATH_MAX];
    int rc = 0;
    if (snprintf(tmp, PATH_MAX, "%s.tmp-XXXXXX", path) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", path);
    folder_of(path, dir, sizeof dir);
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) return err_errno(err, "cannot write in %s", dir);
    for (size_t at = 0; at < n && !rc;) {
        ssize_t k = write(fd, (const char *)p + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) rc = err_errno(err, "cannot write %s", path);
        else at += (size_t)k;
    }
    if (!rc && (fchmod(fd, mode) || fsync(fd))) rc = err_errno(err, "cannot write %s", path);
    close(fd);
    if (rc) unlink(tmp);
    return rc;
}

int io_replace_file(const char *path, const void *p, size_t n, unsigned mode, bool *replaced,
                    struct err *err)
{
    char tmp[PATH_MAX], dir[PATH_MAX];
    *replaced = false;
    int rc = write_beside(path, p, n, mode, tmp, err);
    if (rc) return rc;
    if (rename(tmp, path)) {
        rc = err_errno(err, "cannot put %s in place", path);
        unlink(tmp);
        return rc;
    }
    *replaced = true;
    folder_of(path, dir, sizeof dir);
    return io_sync_dir(dir, err);
}

int io_write_file(const char *path, const void *p, size_t n, unsigned mode, struct err *err)
{
    bool replaced;
    return io_replace_file(path, p, n, mode, &replaced, err);
}

/* Not every file system can rename without replacing, and not every one has links. */
static int move_new(const char *tmp, const char *path)
{
    if (!renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE)) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (link(tmp, path)) return -1;
    unlink(tmp);
    return 0;
}

int io_create_file(const char *path, const void *p, size_t n, unsigned mode, struct err *err)
{
    char tmp[PATH_MAX], dir[PATH_MAX];
    int rc = write_beside(path, p, n, mode, tmp, err);
    if (rc) return rc;
    if (move_new(tmp, path)) {
        rc = errno == EEXIST ? err_set(err, ERR_EXISTS, "%s is there already", path)
                             : err_errno(err, "cannot put %s in place", path);
        unlink(tmp);
        return rc;
    }
    folder_of(path, dir, sizeof dir);
    if ((rc = io_sync_dir(dir, err))) unlink(path);
    return rc;
}

int io_mkdirs(const char *path, unsigned mode, struct err *err)
{
    char t[PATH_MAX];
    if (snprintf(t, sizeof t, "%s", path) >= (int)sizeof t)
        return err_set(err, ERR_INVAL, "the path %s is too long", path);
    if (!*t) return err_set(err, ERR_INVAL, "the name of a folder is empty");
    for (char *p = t + 1;; p++) {
        char c = *p;
        if (c && c != '/') continue;
        *p = 0;
        if (mkdir(t, mode) && errno != EEXIST) return err_errno(err, "cannot make folder %s", t);
        if (!c) break;
        *p = c;
    }
    return io_is_dir(path) ? 0 : err_set(err, ERR_EXISTS, "%s is there, but is not a folder", path);
}

bool io_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool io_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

uint64_t io_file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* ---- whole folders ----
 *
 * One buffer holds the path at hand and every folder is listed, and closed, before it is entered:
 * so neither the stack nor the open files grow with the depth. */

struct walk {
    char path[PATH_MAX];
    size_t n;
    struct map seen; /* folders that were entered: hash of device and number */
    int (*fn)(void *ud, const char *path, struct err *err);
    void *ud;
    struct err *err;
};

static int walk_init(struct walk *w, const char *path, struct err *err)
{
    w->n = strlen(path);
    w->err = err;
    if (w->n >= sizeof w->path) return err_set(err, ERR_INVAL, "the path %s is too long", path);
    memcpy(w->path, path, w->n + 1);
    return 0;
}

static int visible(const struct dirent *d) { return d->d_name[0] != '.'; }
static int real(const struct dirent *d)
{
    return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

/* By bytes: the order must not depend on the user's language. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Calls step with every entry's path in w->path. */
static int each_entry(struct walk *w, int (*keep)(const struct dirent *),
                      int (*step)(struct walk *))
{
    struct dirent **e = NULL;
    size_t was = w->n;
    int n = scandir(w->path, &e, keep, by_bytes), rc = 0;
    if (n < 0) return err_errno(w->err, "cannot list folder %s", w->path);
    for (int i = 0; i < n; free(e[i++])) {
        const char *sep = was && w->path[was - 1] == '/' ? "" : "/";
        int more = rc ? 0 : snprintf(w->path + was, PATH_MAX - was, "%s%s", sep, e[i]->d_name);
        if (!rc && (size_t)more >= PATH_MAX - was) {
            w->path[was] = 0;
            rc = err_set(w->err, ERR_LIMIT, "the folders below %s are too deep", w->path);
        }
        if (rc) continue;
        w->n = was + (size_t)more;
        rc = step(w);
        w->path[w->n = was] = 0;
    }
    free(e);
    return rc;
}

static int walk_here(struct walk *w, bool top);
static int walk_entry(struct walk *w) { return walk_here(w, false); }

static int walk_here(struct walk *w, bool top)
{
    struct stat st;
    if (stat(w->path, &st)) {
        if (top) return err_errno(w->err, "cannot open %s", w->path);
        return errno == ELOOP || errno == ENOENT ? 0 : w->fn(w->ud, w->path, w->err);
    }
    if (!S_ISDIR(st.st_mode)) /* sockets, pipes, devices inside a folder */
        return top || S_ISREG(st.st_mode) ? w->fn(w->ud, w->path, w->err) : 0;
    uint64_t id[2] = { (uint64_t)st.st_dev, (uint64_t)st.st_ino };
    uint64_t *seen = map_slot(&w->seen, hash64(id, sizeof id, 0));
    if (!seen) return err_nomem(w->err);
    if (*seen) return 0;
    *seen = 1;
    if (!top && access(w->path, R_OK | X_OK)) return w->fn(w->ud, w->path, w->err);
    return each_entry(w, visible, walk_entry);
}

int io_walk(const char *path, int (*fn)(void *, const char *, struct err *), void *ud,
            struct err *err)
{
    struct walk *w = calloc(1, sizeof *w);
    if (!w) return err_nomem(err);
    int rc = walk_init(w, path, err);
    w->fn = fn;
    w->ud = ud;
    if (!rc) rc = walk_here(w, true);
    map_free(&w->seen);
    free(w);
    return rc;
}

static int remove_here(struct walk *w)
{
    struct stat st;
    if (lstat(w->path, &st))
        return errno == ENOENT ? 0 : err_errno(w->err, "cannot remove %s", w->path);
    int rc = S_ISDIR(st.st_mode) ? each_entry(w, real, remove_here) : 0;
    if (!rc && remove(w->path)) rc = err_errno(w->err, "cannot remove %s", w->path);
    return rc;
}

int io_remove_tree(const char *path, struct err *err)
{
    struct walk *w = calloc(1, sizeof *w);
    if (!w) return err_nomem(err);
    int rc = walk_init(w, path, err);
    if (!rc) rc = remove_here(w);
    free(w);
    return rc;
}

/* ---- terminals ---- */

bool io_on_terminal(FILE *f) { return isatty(fileno(f)); }

int io_columns(void)
{
    struct winsize w;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col) return w.ws_col;
    const char *e = getenv("COLUMNS");
    int64_t n;
    return e && str_i64(span_of(e), &n) && n >= 20 && n <= 1000 ? (int)n : 80;
}

/* Signals that end or stop a program while it asks: the terminal is given back before they act.
 * They are blocked but for the moment of waiting (ppoll), so that none can slip in before the
 * wait. */
static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define N_ENDING (sizeof ending / sizeof *ending)
static volatile sig_atomic_t caught;

static void catch (int sig) { caught = sig; }

/* One line without its end. 0, ERR_CANCEL at end of input or when a signal came, ERR_IO. */
static int read_line(int fd, const sigset_t *open_mask, struct buf *out, struct err *err)
{
    size_t before = out->n;
    char c = 0;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int ready = ppoll(&p, 1, NULL, open_mask);
        if (caught) return err_set(err, ERR_CANCEL, "interrupted");
        if (ready < 0 && errno == EINTR) continue;
        ssize_t n = ready < 0 ? -1 : read(fd, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, "cannot read from the terminal");
        if (!n && out->n == before) return err_set(err, ERR_CANCEL, "nothing was typed");
        if (!n || c == '\n') break;
        buf_addc(out, c);
    }
    explicit_bzero(&c, 1);
    return 0;
}

static int ask_once(int fd, const char *prompt, struct buf *out, struct err *err)
{
    struct sigaction now = { .sa_handler = catch }, was[N_ENDING];
    struct termios old, quiet;
    sigset_t block, mask, open_mask;
    size_t before = out->n;
    if (tcgetattr(fd, &old)) return err_errno(err, "cannot set up the terminal");
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    sigfillset(&now.sa_mask);
    sigemptyset(&block);
    for (size_t i = 0; i < N_ENDING; i++) sigaddset(&block, ending[i]);
    pthread_sigmask(SIG_BLOCK, &block, &mask);
    open_mask = mask;
    caught = 0;
    for (size_t i = 0; i < N_ENDING; i++) {
        sigaction(ending[i], &now, &was[i]);
        if (was[i].sa_handler == SIG_IGN) sigaction(ending[i], &was[i], NULL);
        sigdelset(&open_mask, ending[i]);
    }
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s", prompt);
    int rc = read_line(fd, &open_mask, out, err), sig = caught;
    tcsetattr(fd, TCSAFLUSH, &old);
    dprintf(fd, "\n");
    for (size_t i = 0; i < N_ENDING; i++) sigaction(ending[i], &was[i], NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (!sig) return rc;
    if (out->p) {
        explicit_bzero(out->p + before, out->n - before);
        out->p[out->n = before] = 0;
    }
    raise(sig); /* whoever handles it, or nobody: the end */
    return rc;
}

int io_ask_secret(const char *prompt, struct buf *out, struct err *err)
{
    int rc, fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || !isatty(fd)) {
        if (fd >= 0) close(fd);
        return err_set(err, ERR_INVAL,
                       "a passphrase is needed and there is no terminal to ask on: set "
                       "LIKENESS_PASSPHRASE_FILE or use --passphrase-file FILE");
    }
    do rc = ask_once(fd, prompt, out, err); /* again when the user comes back from Ctrl-Z */
    while (rc == ERR_CANCEL && caught == SIGTSTP);
    close(fd);
    if (!rc && out->failed)
        rc = out->failed == ERR_LIMIT ? err_set(err, ERR_LIMIT, "that is too long for a passphrase")
                                      : err_nomem(err);
    return rc;
}
