/* Key files: a secret of 32 random bytes, written as one line that can be printed and typed in
 * again:
 *
 *     likeness-key 1 <64 hex digits> <8 hex digits>
 *
 * The last group is a check sum (the first 4 bytes of BLAKE2b-256 of the 32), so that a slip of the
 * pen is told apart from the wrong key. Whoever has this file and the data folder can read
 * everything; it belongs in another place than the folder's backups.
 *
 * Also here: destroying a small file as well as a program can. */
#include "base/io.h"
#include "vault/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 256
static const char HEAD[] = "likeness-key 1 ";

static void check_sum(const uint8_t key[VAULT_KEY], uint8_t out[4])
{
    uint8_t h[32];
    crypto_generichash(h, sizeof h, key, VAULT_KEY, NULL, 0);
    memcpy(out, h, 4);
    sodium_memzero(h, sizeof h);
}

int vault_keyfile_make(const char *path, struct err *err)
{
    uint8_t key[VAULT_KEY], sum[4];
    char hex[2 * VAULT_KEY + 1], sumhex[9], line[LINE_MAX_BYTES], dir[PATH_MAX];
    int rc = vault_ready(err);
    if (rc) return rc;
    if (io_exists(path))
        return err_set(err, ERR_EXISTS, "the key file %s is there already: choose another path",
                       path);
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash && slash != dir) {
        *slash = 0;
        if ((rc = io_mkdirs(dir, 0700, err))) return rc;
    }
    randombytes_buf(key, sizeof key);
    check_sum(key, sum);
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    sodium_bin2hex(sumhex, sizeof sumhex, sum, sizeof sum);
    int n = snprintf(line, sizeof line, "%s%s %s\n", HEAD, hex, sumhex);
    rc = io_create_file(path, line, (size_t)n, 0600, err);
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
    sodium_memzero(line, sizeof line);
    return rc;
}

static bool parse_line(const char *s, size_t n, uint8_t key[VAULT_KEY])
{
    uint8_t sum[4], want[4];
    size_t hn = strlen(HEAD), got = 0;
    const char *end;
    if (n < hn + 64 + 1 + 8 || memcmp(s, HEAD, hn)) return false;
    s += hn;
    if (sodium_hex2bin(key, VAULT_KEY, s, 64, NULL, &got, &end) || got != VAULT_KEY) return false;
    if (s[64] != ' ') return false;
    if (sodium_hex2bin(sum, 4, s + 65, 8, NULL, &got, &end) || got != 4) return false;
    for (size_t i = 73; i < n - hn; i++)
        if (!strchr("\r\n\t ", s[i])) return false;
    check_sum(key, want);
    return !memcmp(sum, want, 4);
}

int keyfile_read(const char *path, uint8_t key[VAULT_KEY], struct err *err)
{
    struct buf b = BUF_INIT(LINE_MAX_BYTES);
    int rc = io_read_file(path, LINE_MAX_BYTES, &b, err);
    if (rc == ERR_NOTFOUND)
        rc = err_set(err, ERR_KEY,
                     "the key file %s is not there: put it back from where you keep a copy", path);
    else if (rc == ERR_LIMIT || (!rc && !parse_line(buf_str(&b), b.n, key)))
        rc = err_set(err, ERR_KEY,
                     "%s is not a whole key file (one line, \"likeness-key 1 ...\"): use a copy",
                     path);
    if (rc) sodium_memzero(key, VAULT_KEY);
    buf_free(&b);
    return rc;
}

int overwrite_file(const char *path, bool empty, struct err *err)
{
    uint8_t noise[512];
    struct stat st;
    int rc = 0, fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return err_errno(err, "cannot open %s", path);
    if (fstat(fd, &st)) rc = err_errno(err, "cannot look at %s", path);
    for (off_t at = 0; !rc && at < st.st_size; at += (off_t)sizeof noise) {
        size_t n = st.st_size - at < (off_t)sizeof noise ? (size_t)(st.st_size - at) : sizeof noise;
        randombytes_buf(noise, n);
        errno = EIO;
        if (pwrite(fd, noise, n, at) != (ssize_t)n)
            rc = err_errno(err, "cannot overwrite %s", path);
    }
    if (empty && rc == ERR_FULL) rc = 0;
    if (!rc && fsync(fd)) rc = err_errno(err, "cannot overwrite %s", path);
    if (!rc && empty && st.st_size && (ftruncate(fd, 0) || fsync(fd)))
        rc = err_errno(err, "cannot empty %s", path);
    close(fd);
    return rc;
}

int vault_shred(const char *path, struct err *err)
{
    int rc = overwrite_file(path, false, err);
    if (rc) return rc;
    if (unlink(path)) return err_errno(err, "cannot remove %s", path);
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) *slash = 0;
    return io_sync_dir(slash ? dir : ".", err);
}
