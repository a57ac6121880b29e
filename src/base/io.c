/* Files. Replacing a file is always: write beside it, fsync, rename, fsync the folder; so a crash or a
 * full disk leaves the old file. Reading has a limit, always. */
#include "base/io.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

int io_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    bool in = !strcmp(path, "-");
    int rc = 0, fd = in ? 0 : open(path, O_RDONLY | O_CLOEXEC);
    char tmp[65536];
    size_t total = 0;
    if (fd < 0) return err_errno(err, "cannot open %s", path);
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
            rc = err_nomem(err);
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

int io_write_file(const char *path, const void *p, size_t n, unsigned mode, struct err *err)
{
    char tmp[PATH_MAX], dir[PATH_MAX];
    int fd = -1, rc = 0;
    if (snprintf(tmp, sizeof tmp, "%s.tmp-XXXXXX", path) >= (int)sizeof tmp)
        return err_set(err, ERR_INVAL, "the path %s is too long", path);
    folder_of(path, dir, sizeof dir);
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) return err_errno(err, "cannot write in %s", dir);
    for (size_t at = 0; at < n;) {
        ssize_t k = write(fd, (const char *)p + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            rc = err_errno(err, "cannot write %s", path);
            goto out;
        }
        at += (size_t)k;
    }
    if (fchmod(fd, mode) || fsync(fd)) {
        rc = err_errno(err, "cannot write %s", path);
        goto out;
    }
    if (rename(tmp, path)) {
        rc = err_errno(err, "cannot put %s in place", path);
        goto out;
    }
    close(fd);
    return io_sync_dir(dir, err);
out:
    close(fd);
    unlink(tmp);
    return rc;
}

int io_mkdirs(const char *path, unsigned mode, struct err *err)
{
    char t[PATH_MAX];
    if (snprintf(t, sizeof t, "%s", path) >= (int)sizeof t)
        return err_set(err, ERR_INVAL, "the path %s is too long", path);
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

/* The folders from the root of the walk to here, so that a link back up is seen. */
struct trail {
    const struct trail *up;
    dev_t dev;
    ino_t ino;
};

struct walk {
    int (*fn)(void *ud, const char *path, struct err *err);
    void *ud;
};

static int visible(const struct dirent *d) { return d->d_name[0] != '.'; }

static int walk_at(const struct walk *w, const char *path, const struct trail *up, struct err *err)
{
    struct stat st;
    if (stat(path, &st)) {
        if (up && errno == ELOOP) return 0;
        if (up && errno == ENOENT) return 0;          /* a dangling link inside a folder */
        return err_errno(err, "cannot open %s", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        if (!S_ISREG(st.st_mode) && up) return 0;     /* sockets, devices inside a folder */
        return w->fn(w->ud, path, err);
    }
    for (const struct trail *t = up; t; t = t->up)
        if (t->dev == st.st_dev && t->ino == st.st_ino) return 0;
    struct trail here = { up, st.st_dev, st.st_ino };
    struct dirent **e = NULL;
    int n = scandir(path, &e, visible, alphasort), rc = 0;
    if (n < 0) return err_errno(err, "cannot list folder %s", path);
    for (int i = 0; i < n; i++) {
        char sub[PATH_MAX];
        const char *sep = str_ends(path, "/") ? "" : "/";
        if (!rc && snprintf(sub, sizeof sub, "%s%s%s", path, sep, e[i]->d_name) < (int)sizeof sub)
            rc = walk_at(w, sub, &here, err);
        free(e[i]);
    }
    free(e);
    return rc;
}

int io_walk(const char *path, int (*fn)(void *, const char *, struct err *), void *ud, struct err *err)
{
    struct walk w = { fn, ud };
    return walk_at(&w, path, NULL, err);
}

int io_remove_tree(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st)) return errno == ENOENT ? 0 : err_errno(err, "cannot remove %s", path);
    if (S_ISDIR(st.st_mode)) {
        DIR *d = opendir(path);
        if (!d) return err_errno(err, "cannot remove %s", path);
        int rc = 0;
        for (struct dirent *e; !rc && (e = readdir(d));) {
            char sub[PATH_MAX];
            if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
            if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) < (int)sizeof sub)
                rc = io_remove_tree(sub, err);
        }
        closedir(d);
        if (rc) return rc;
    }
    return remove(path) ? err_errno(err, "cannot remove %s", path) : 0;
}

bool io_on_terminal(FILE *f) { return isatty(fileno(f)); }

int io_columns(void)
{
    struct winsize w;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col) return w.ws_col;
    const char *e = getenv("COLUMNS");
    int64_t n;
    return e && str_i64(span_of(e), &n) && n >= 20 && n <= 1000 ? (int)n : 80;
}

int io_ask_secret(const char *prompt, struct buf *out, struct err *err)
{
    struct termios was, quiet;
    int rc = 0, fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &was)) {
        if (fd >= 0) close(fd);
        return err_set(err, ERR_INVAL,
                       "a passphrase is needed and there is no terminal to ask on: set "
                       "LIKENESS_PASSPHRASE_FILE or use --passphrase-file FILE");
    }
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s", prompt);
    for (char c;;) {
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || c == '\n') break;
        buf_addc(out, c);
    }
    tcsetattr(fd, TCSAFLUSH, &was);
    dprintf(fd, "\n");
    close(fd);
    if (out->failed) rc = err_nomem(err);
    return rc;
}
