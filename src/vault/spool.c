/* Spools: files that are written once, front to back, and read from any place.
 *
 * A head of 32 bytes (magic, format, size of a block, a random id of the file), then the plain
 * bytes in blocks of SPOOL_BLOCK, each sealed by itself as every value of the vault is (seal.c).
 * The additional data of a block is the head, the block's number and whether it is the last: so a
 * block opens in its own file, at its own place, and a file that was cut off between two blocks has
 * no last one. There is always a last block, of no bytes when the file is empty; it is opened
 * before anything else is read, and from then on the size that the file system tells is known to be
 * right. Reading keeps one opened block. docs/STORAGE.md has the layout.
 *
 * Written beside the path, synced, and renamed in spool_finish. One thread at a time for each
 * struct spool and each FILE; any number of FILEs of one path. */
#include "vault/spool.h"

#include "base/cursor.h"
#include "base/io.h"
#include "base/str.h"
#include "vault/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_FORMAT 1
#define HEAD_BYTES   32
#define SEALED_BLOCK (SPOOL_BLOCK + VAULT_OVERHEAD)
#define AD_BYTES     (HEAD_BYTES + 9)
static const char MAGIC[8] = { 'L', 'K', 'S', 'P', 'O', 'O', 'L', 0 };

struct spool {
    int fd;
    char *path, *tmp; /* tmp: removed unless finished */
    bool over;        /* finished, or broken */
    uint64_t block, bytes;
    uint8_t key[VAULT_KEY], head[HEAD_BYTES];
    struct buf plain, sealed; /* the block that is being filled; room for one sealed */
};

static size_t block_ad(const uint8_t head[HEAD_BYTES], uint64_t block, bool last,
                       uint8_t out[AD_BYTES])
{
    memcpy(out, head, HEAD_BYTES);
    for (int i = 0; i < 8; i++) out[HEAD_BYTES + i] = (uint8_t)(block >> 8 * i);
    out[HEAD_BYTES + 8] = last;
    return AD_BYTES;
}

/* ---- writing ---- */

void spool_free(struct spool *s)
{
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    if (s->tmp) unlink(s->tmp);
    free(s->tmp);
    free(s->path);
    buf_free(&s->plain);
    buf_free(&s->sealed);
    sodium_memzero(s, sizeof *s);
    free(s);
}

static int put_bytes(struct spool *s, const void *p, size_t n, struct err *err)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = write(s->fd, (const char *)p + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_errno(err, "cannot write %s", s->path);
        at += (size_t)k;
    }
    return 0;
}

static int put_block(struct spool *s, bool last, struct err *err)
{
    uint8_t ad[AD_BYTES];
    size_t ad_n = block_ad(s->head, s->block++, last, ad);
    buf_clear(&s->sealed);
    int rc = seal_bytes(s->key, ad, ad_n, s->plain.p, s->plain.n, &s->sealed, err);
    if (!rc) rc = put_bytes(s, s->sealed.p, s->sealed.n, err);
    if (rc) s->over = true;
    buf_clear(&s->plain);
    return rc;
}

static int put_head(struct spool *s, struct err *err)
{
    uint8_t id[16];
    struct buf b = BUF_INIT(HEAD_BYTES);
    randombytes_buf(id, sizeof id);
    buf_add(&b, MAGIC, sizeof MAGIC);
    buf_u32(&b, SPOOL_FORMAT);
    buf_u32(&b, SPOOL_BLOCK);
    buf_add(&b, id, sizeof id);
    int rc = b.failed ? err_nomem(err) : 0;
    if (!rc) memcpy(s->head, b.p, HEAD_BYTES);
    if (!rc) rc = put_bytes(s, s->head, HEAD_BYTES, err);
    buf_free(&b);
    return rc;
}

static struct spool *spool_new(const char *path, struct err *err)
{
    struct spool *s = calloc(1, sizeof *s);
    if (s) {
        s->fd = -1;
        s->plain = BUF_INIT(SPOOL_BLOCK);
        s->sealed = BUF_INIT(SEALED_BLOCK);
    }
    if (s && (s->path = str_dup(path)) && !buf_reserve(&s->plain, SPOOL_BLOCK) &&
        !buf_reserve(&s->sealed, SEALED_BLOCK))
        return s;
    spool_free(s);
    err_set_nomem(err);
    return NULL;
}

int spool_create(const char *path, const uint8_t key[VAULT_KEY], struct spool **out,
                 struct err *err)
{
    size_t n = strlen(path) + 16;
    *out = NULL;
    int rc = vault_ready(err);
    if (rc) return rc;
    struct spool *s = spool_new(path, err);
    char *tmp = malloc(n);
    if (!s || !tmp) {
        rc = err_nomem(err);
        goto out;
    }
    memcpy(s->key, key, VAULT_KEY);
    snprintf(tmp, n, "%s.tmp-XXXXXX", path);
    if ((s->fd = mkostemp(tmp, O_CLOEXEC)) < 0) {
        rc = err_errno(err, "cannot write %s", path);
        goto out;
    }
    s->tmp = tmp;
    tmp = NULL;
    if ((rc = put_head(s, err))) goto out;
    *out = s;
    s = NULL;
out:
    free(tmp);
    spool_free(s);
    return rc;
}

/* Unlinked before the first byte is in it, so that a crash leaves nothing to find. */
int spool_temporary(struct spool **out, struct err *err)
{
    char path[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    *out = NULL;
    if (!folder || !*folder) folder = "/var/tmp";
    snprintf(path, sizeof path, "%s/likeness-XXXXXX", folder);
    int rc = vault_ready(err);
    if (rc) return rc;
    struct spool *s = spool_new("a temporary file", err);
    if (!s) return ERR_NOMEM;
    randombytes_buf(s->key, VAULT_KEY);
    if ((s->fd = mkostemp(path, O_CLOEXEC)) < 0)
        rc = err_errno(err, "cannot make a temporary file in %s (TMPDIR names another folder)",
                       folder);
    else unlink(path);
    if (!rc) rc = put_head(s, err);
    if (!rc) *out = s;
    else spool_free(s);
    return rc;
}

/* A full block is put when more comes, so that the last one is put by spool_finish. */
int spool_write(struct spool *s, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    if (s->over) return err_set(err, ERR_INVAL, "%s cannot be written any more", s->path);
    while (n) {
        int rc = s->plain.n == SPOOL_BLOCK ? put_block(s, false, err) : 0;
        if (rc) return rc;
        size_t room = SPOOL_BLOCK - s->plain.n, k = n < room ? n : room;
        buf_add(&s->plain, at, k);
        at += k;
        n -= k;
        s->bytes += k;
    }
    return 0;
}

uint64_t spool_bytes(const struct spool *s) { return s->bytes; }

int spool_finish(struct spool *s, struct err *err)
{
    char dir[PATH_MAX];
    if (s->over) return err_set(err, ERR_INVAL, "%s cannot be written any more", s->path);
    int rc = put_block(s, true, err);
    s->over = true;
    if (rc) return rc;
    if (fsync(s->fd)) return err_errno(err, "cannot write %s", s->path);
    if (rename(s->tmp, s->path)) return err_errno(err, "cannot put %s in place", s->path);
    free(s->tmp);
    s->tmp = NULL;
    const char *slash = strrchr(s->path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - s->path) + 1 : 1,
             slash ? s->path : ".");
    return io_sync_dir(dir, err);
}

/* ---- reading ---- */

struct reader {
    int fd;
    uint64_t size, blocks; /* plain bytes; blocks are at least one */
    uint64_t at;
    uint64_t held; /* the block in plain; UINT64_MAX: none */
    uint8_t key[VAULT_KEY], head[HEAD_BYTES];
    struct buf plain, sealed;
};

static void reader_free(struct reader *r)
{
    if (!r) return;
    if (r->fd >= 0) close(r->fd);
    buf_free(&r->plain);
    buf_free(&r->sealed);
    sodium_memzero(r, sizeof *r);
    free(r);
}

/* As many bytes as there are up to n; -1 with errno. */
static ssize_t get_bytes(int fd, void *p, size_t n, uint64_t from)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = pread(fd, (char *)p + got, n - got, (off_t)(from + got));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return -1;
        if (!k) break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}

/* Opens block i into r->plain: 0, ERR_IO with errno, or a code of open_bytes. */
static int hold_block(struct reader *r, uint64_t i)
{
    uint8_t ad[AD_BYTES];
    if (r->held == i) return 0;
    bool last = i + 1 == r->blocks;
    size_t n = VAULT_OVERHEAD + (last ? (size_t)(r->size - i * SPOOL_BLOCK) : SPOOL_BLOCK);
    r->held = UINT64_MAX;
    buf_clear(&r->plain);
    ssize_t got = get_bytes(r->fd, r->sealed.p, n, HEAD_BYTES + i * SEALED_BLOCK);
    if (got < 0) return ERR_IO;
    size_t ad_n = block_ad(r->head, i, last, ad);
    int rc = open_bytes(r->key, ad, ad_n, r->sealed.p, (size_t)got, &r->plain);
    if (!rc) r->held = i;
    return rc;
}

static ssize_t reader_read(void *cookie, char *p, size_t n)
{
    struct reader *r = cookie;
    if (r->at >= r->size || !n) return 0;
    uint64_t i = r->at / SPOOL_BLOCK;
    int rc = hold_block(r, i);
    if (rc) {
        errno = rc == ERR_NOMEM ? ENOMEM : EIO;
        return -1;
    }
    size_t from = (size_t)(r->at - i * SPOOL_BLOCK), k = r->plain.n - from;
    if (k > n) k = n;
    memcpy(p, r->plain.p + from, k);
    r->at += k;
    return (ssize_t)k;
}

static int reader_seek(void *cookie, off64_t *offset, int whence)
{
    struct reader *r = cookie;
    int64_t base = whence == SEEK_SET ? 0 : (int64_t)(whence == SEEK_CUR ? r->at : r->size), to;
    if (__builtin_add_overflow(base, *offset, &to) || to < 0) {
        errno = EINVAL;
        return -1;
    }
    r->at = (uint64_t)to;
    *offset = to;
    return 0;
}

static int reader_close(void *cookie)
{
    reader_free(cookie);
    return 0;
}

static int read_head(struct reader *r, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(r->fd, &st)) return err_errno(err, "cannot read %s", path);
    ssize_t got = get_bytes(r->fd, r->head, HEAD_BYTES, 0);
    if (got < 0) return err_errno(err, "cannot read %s", path);
    struct cursor c = cursor_of(r->head, (size_t)got, path);
    struct span magic = cursor_bytes(&c, sizeof MAGIC, "magic");
    if (c.bad || memcmp(magic.p, MAGIC, sizeof MAGIC))
        return err_set(err, ERR_PARSE, "%s is not a spool of Likeness", path);
    uint32_t format = cursor_u32(&c, "format"), block = cursor_u32(&c, "size of a block");
    if (!c.bad && format > SPOOL_FORMAT)
        return err_set(err, ERR_VERSION,
                       "%s was made by a newer version of Likeness: update the program", path);
    if (!c.bad && (format != SPOOL_FORMAT || block != SPOOL_BLOCK)) cursor_fail(&c, "format");
    cursor_bytes(&c, 16, "id");
    int rc = cursor_check(&c, err);
    if (rc) return rc;
    uint64_t rest = (uint64_t)st.st_size - HEAD_BYTES, full = rest / SEALED_BLOCK,
             left = rest % SEALED_BLOCK;
    if (left ? left < VAULT_OVERHEAD : !full)
        return err_set(err, ERR_SEAL, "%s was cut off: its end is missing", path);
    r->blocks = full + (left ? 1 : 0);
    r->size = full * SPOOL_BLOCK + (left ? left - VAULT_OVERHEAD : 0);
    return 0;
}

/* What lies behind fd, which is taken. */
static FILE *reader_open(int fd, const char *path, const uint8_t key[VAULT_KEY], uint64_t *size,
                         struct err *err)
{
    static const cookie_io_functions_t io = { reader_read, NULL, reader_seek, reader_close };
    FILE *f = NULL;
    struct reader *r = calloc(1, sizeof *r);
    if (!r) {
        close(fd);
        err_set_nomem(err);
        return NULL;
    }
    r->fd = fd;
    r->held = UINT64_MAX;
    r->plain = BUF_INIT(SPOOL_BLOCK);
    r->sealed = BUF_INIT(SEALED_BLOCK);
    memcpy(r->key, key, VAULT_KEY);
    if (buf_reserve(&r->plain, SPOOL_BLOCK) || buf_reserve(&r->sealed, SEALED_BLOCK)) {
        err_set_nomem(err);
        goto out;
    }
    if (read_head(r, path, err)) goto out;
    int rc = hold_block(r, r->blocks - 1);
    if (rc) {
        if (rc == ERR_IO) err_errno(err, "cannot read %s", path);
        else
            err_set(err, ERR_SEAL,
                    "%s does not open: it was cut off, changed or belongs to another home", path);
        goto out;
    }
    if (size) *size = r->size;
    if ((f = fopencookie(r, "r", io))) r = NULL;
    else err_set_nomem(err);
out:
    reader_free(r);
    return f;
}

FILE *spool_fopen(const char *path, const uint8_t key[VAULT_KEY], uint64_t *size, struct err *err)
{
    if (vault_ready(err)) return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return reader_open(fd, path, key, size, err);
    err_errno(err, "cannot open %s", path);
    return NULL;
}

FILE *spool_reread(struct spool *s, uint64_t *size, struct err *err)
{
    if (s->over) {
        err_set(err, ERR_INVAL, "%s cannot be written any more", s->path);
        return NULL;
    }
    int rc = put_block(s, true, err), fd = rc ? -1 : fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    s->over = true;
    if (fd >= 0) return reader_open(fd, s->path, s->key, size, err);
    if (!rc) err_errno(err, "cannot read %s", s->path);
    return NULL;
}
