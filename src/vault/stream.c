/* Stream files: libsodium's secretstream (XChaCha20-Poly1305, each record chained to the one
 * before) in a file. Layout, all integers little-endian:
 *
 *     head      magic "LKSTREAM" 8, format u32, how the secret becomes a key 36, secretstream
 * header 24, BLAKE2b-128 of the 72 bytes before record*   u32 n, then n bytes: ciphertext of (type
 * u8, body), secretstream's 17 bytes added
 *
 * The first record is empty, of type 255: it tells a wrong passphrase (ERR_KEY) from later damage
 * (ERR_SEAL). The last is empty, of type 0, with the FINAL tag; nothing may follow. Additional data
 * is the head for the first record and the length field for each. A reader must use nothing for
 * good until it has seen the end: import in one transaction.
 *
 * Written beside the path and renamed in stream_finish. One thread at a time. */
#include "vault/stream.h"

#include "base/io.h"
#include "base/str.h"
#include "vault/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAM_FORMAT 1
#define HEAD_BYTES    88
#define SUM_AT        72
#define REC_OVERHEAD  (crypto_secretstream_xchacha20poly1305_ABYTES + 1)
#define TYPE_HELLO    255
static const char MAGIC[8] = { 'L', 'K', 'S', 'T', 'R', 'E', 'A', 'M' };
static const char PURPOSE[] = "likeness-stream-1";

struct stream {
    FILE *f;
    char *path, *tmp; /* tmp: being written, removed unless finished */
    int overwrite;
    bool ended, broken;
    uint64_t n_records;
    crypto_secretstream_xchacha20poly1305_state st;
    struct buf cipher;
    uint8_t head[HEAD_BYTES];
};

static struct stream *stream_new(const char *path)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->cipher = BUF_INIT(STREAM_RECORD_MAX + REC_OVERHEAD + 16);
    if (!(s->path = str_dup(path))) {
        free(s);
        return NULL;
    }
    return s;
}

void stream_free(struct stream *s)
{
    if (!s) return;
    if (s->f) fclose(s->f);
    if (s->tmp) unlink(s->tmp);
    free(s->tmp);
    free(s->path);
    buf_free(&s->cipher);
    sodium_memzero(s, sizeof *s);
    free(s);
}

/* Additional data of record i: its length field, after the head for the first. */
static size_t record_ad(const struct stream *s, const uint8_t len[4], uint8_t out[HEAD_BYTES + 4])
{
    size_t n = 0;
    if (!s->n_records) memcpy(out, s->head, n = HEAD_BYTES);
    memcpy(out + n, len, 4);
    return n + 4;
}

/* ---- writing ---- */

static int write_failed(struct stream *s, struct err *err)
{
    s->broken = true;
    return err_errno(err, "cannot write %s", s->path);
}

static int put_record(struct stream *s, uint8_t type, const void *p, size_t n, uint8_t tag,
                      struct err *err)
{
    uint8_t len[4], ad[HEAD_BYTES + 4];
    struct buf plain = BUF_INIT(STREAM_RECORD_MAX + 16);
    uint32_t cn = (uint32_t)(n + REC_OVERHEAD);
    int rc = 0;
    for (int i = 0; i < 4; i++) len[i] = (uint8_t)(cn >> 8 * i);
    buf_clear(&s->cipher);
    buf_u8(&plain, type);
    if (buf_add(&plain, p, n) || buf_reserve(&s->cipher, cn)) {
        rc = err_nomem(err);
        goto out;
    }
    size_t ad_n = record_ad(s, len, ad);
    crypto_secretstream_xchacha20poly1305_push(&s->st, (uint8_t *)s->cipher.p, NULL,
                                               (uint8_t *)plain.p, plain.n, ad, ad_n, tag);
    s->n_records++;
    if (fwrite(len, 1, 4, s->f) != 4 || fwrite(s->cipher.p, 1, cn, s->f) != cn)
        rc = write_failed(s, err);
out:
    buf_free(&plain);
    return rc;
}

static int make_head(struct stream *s, const struct secret *secret, struct err *err)
{
    uint8_t key[VAULT_KEY], header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
    struct kdf kdf;
    struct buf b = BUF_INIT(4096);
    int rc = kdf_new(secret, &kdf, err);
    if (!rc) rc = kdf_key(&kdf, secret, PURPOSE, s->path, key, err);
    if (rc) return rc;
    crypto_secretstream_xchacha20poly1305_init_push(&s->st, header, key);
    sodium_memzero(key, sizeof key);
    buf_add(&b, MAGIC, sizeof MAGIC);
    buf_u32(&b, STREAM_FORMAT);
    kdf_write(&b, &kdf);
    buf_add(&b, header, sizeof header);
    if (b.failed) rc = err_nomem(err);
    else memcpy(s->head, b.p, SUM_AT);
    crypto_generichash(s->head + SUM_AT, 16, s->head, SUM_AT, NULL, 0);
    buf_free(&b);
    return rc;
}

static int open_tmp(struct stream *s, struct err *err)
{
    size_t n = strlen(s->path) + 16;
    char *t = malloc(n);
    if (!t) return err_nomem(err);
    snprintf(t, n, "%s.tmp-XXXXXX", s->path);
    int fd = mkostemp(t, O_CLOEXEC);
    if (fd < 0) {
        free(t);
        return err_errno(err, "cannot write %s", s->path);
    }
    s->tmp = t;
    if (!(s->f = fdopen(fd, "w"))) {
        close(fd);
        return err_nomem(err);
    }
    return 0;
}

int stream_create(const char *path, const struct secret *secret, int overwrite, struct stream **out,
                  struct err *err)
{
    int rc = vault_ready(err);
    *out = NULL;
    if (rc) return rc;
    if (!overwrite && io_exists(path))
        return err_set(err, ERR_EXISTS, "%s is there already: choose another name", path);
    struct stream *s = stream_new(path);
    if (!s) return err_nomem(err);
    s->overwrite = overwrite;
    if ((rc = make_head(s, secret, err))) goto out;
    if ((rc = open_tmp(s, err))) goto out;
    if (fwrite(s->head, 1, HEAD_BYTES, s->f) != HEAD_BYTES) {
        rc = write_failed(s, err);
        goto out;
    }
    if ((rc = put_record(s, TYPE_HELLO, NULL, 0, 0, err))) goto out;
    *out = s;
    s = NULL;
out:
    stream_free(s);
    return rc;
}

int stream_put(struct stream *s, uint8_t type, const void *p, size_t n, struct err *err)
{
    if (!s->tmp || s->ended || s->broken || !type || type == TYPE_HELLO)
        return err_set(err, ERR_INVAL, "a record of type %d cannot be written here", type);
    if (n > STREAM_RECORD_MAX)
        return err_set(err, ERR_LIMIT,
                       "a record of %zu bytes is larger than the %zu a stream file "
                       "can hold",
                       n, STREAM_RECORD_MAX);
    return put_record(s, type, p, n, 0, err);
}

static int put_in_place(struct stream *s, struct err *err)
{
    char dir[PATH_MAX];
    int rc = s->overwrite ? rename(s->tmp, s->path)
                          : renameat2(AT_FDCWD, s->tmp, AT_FDCWD, s->path, RENAME_NOREPLACE);
    if (rc && !s->overwrite && errno == EINVAL) /* a file system without NOREPLACE */
        rc = io_exists(s->path) ? (errno = EEXIST, -1) : rename(s->tmp, s->path);
    if (rc) return err_errno(err, "cannot put %s in place", s->path);
    free(s->tmp);
    s->tmp = NULL;
    snprintf(dir, sizeof dir, "%s", s->path);
    char *slash = strrchr(dir, '/');
    if (slash == dir) slash++;
    if (slash) *slash = 0;
    return io_sync_dir(slash ? dir : ".", err);
}

int stream_finish(struct stream *s, struct err *err)
{
    if (!s->tmp || s->ended || s->broken)
        return err_set(err, ERR_INVAL, "%s cannot be finished after a failure", s->path);
    int rc = put_record(s, 0, NULL, 0, crypto_secretstream_xchacha20poly1305_TAG_FINAL, err);
    if (rc) return rc;
    s->ended = true;
    if (fflush(s->f) || fsync(fileno(s->f))) return write_failed(s, err);
    return put_in_place(s, err);
}

/* ---- reading ---- */

static int cut_short(struct stream *s, struct err *err)
{
    s->broken = true;
    if (ferror(s->f)) return err_errno(err, "cannot read %s", s->path);
    return err_set(err, ERR_PARSE,
                   "%s ends too early: it was cut; copy it again from where it came", s->path);
}

static int read_head(struct stream *s, const struct secret *secret, struct err *err)
{
    uint8_t sum[16], key[VAULT_KEY];
    struct kdf kdf;
    size_t got = fread(s->head, 1, HEAD_BYTES, s->f);
    if (got < sizeof MAGIC || memcmp(s->head, MAGIC, sizeof MAGIC))
        return err_set(err, ERR_PARSE, "%s is not a Likeness export", s->path);
    struct cursor c = cursor_of(s->head, got, s->path);
    cursor_bytes(&c, sizeof MAGIC, "magic");
    uint32_t format = cursor_u32(&c, "format");
    if (!c.bad && format > STREAM_FORMAT)
        return err_set(err, ERR_VERSION,
                       "%s has format %u, made by a newer version of Likeness than "
                       "this one (which knows %d): update the program",
                       s->path, format, STREAM_FORMAT);
    if (got < HEAD_BYTES) return cut_short(s, err);
    crypto_generichash(sum, sizeof sum, s->head, SUM_AT, NULL, 0);
    if (format != STREAM_FORMAT || memcmp(sum, s->head + SUM_AT, sizeof sum))
        return err_set(err, ERR_PARSE,
                       "the head of %s is damaged: copy it again from where it came", s->path);
    kdf_read(&c, &kdf);
    struct span header =
        cursor_bytes(&c, crypto_secretstream_xchacha20poly1305_HEADERBYTES, "header");
    int rc = cursor_check(&c, err);
    if (!rc) rc = kdf_key(&kdf, secret, PURPOSE, s->path, key, err);
    if (rc) return rc;
    crypto_secretstream_xchacha20poly1305_init_pull(&s->st, (const uint8_t *)header.p, key);
    sodium_memzero(key, sizeof key);
    return 0;
}

/* Read n bytes into s->cipher, growing as they come: a length field is not believed in advance. */
static int read_cipher(struct stream *s, size_t n, struct err *err)
{
    char part[16384];
    buf_clear(&s->cipher);
    while (s->cipher.n < n) {
        size_t want = n - s->cipher.n < sizeof part ? n - s->cipher.n : sizeof part;
        if (fread(part, 1, want, s->f) != want) return cut_short(s, err);
        if (buf_add(&s->cipher, part, want)) return err_nomem(err);
    }
    return 0;
}

static int get_record(struct stream *s, uint8_t *type, uint8_t *tag, struct buf *body,
                      struct err *err)
{
    uint8_t len[4], ad[HEAD_BYTES + 4];
    struct buf plain = BUF_INIT(STREAM_RECORD_MAX + 16);
    unsigned long long pn = 0;
    int rc = 0;
    if (fread(len, 1, 4, s->f) != 4) return cut_short(s, err);
    size_t n = len[0] | (size_t)len[1] << 8 | (size_t)len[2] << 16 | (size_t)len[3] << 24;
    if (n < REC_OVERHEAD || n > STREAM_RECORD_MAX + REC_OVERHEAD) goto changed;
    if ((rc = read_cipher(s, n, err))) return rc;
    if (buf_reserve(&plain, n)) return err_nomem(err);
    size_t ad_n = record_ad(s, len, ad);
    if (crypto_secretstream_xchacha20poly1305_pull(&s->st, (uint8_t *)plain.p, &pn, tag,
                                                   (uint8_t *)s->cipher.p, n, ad, ad_n))
        goto changed;
    plain.n = (size_t)pn;
    *type = (uint8_t)plain.p[0];
    if (body && buf_add(body, plain.p + 1, plain.n - 1)) {
        rc = body->failed == ERR_LIMIT
                 ? err_set(err, ERR_LIMIT, "record %llu of %s is larger than is allowed here",
                           (unsigned long long)s->n_records, s->path)
                 : err_nomem(err);
    }
    s->n_records++;
    buf_free(&plain);
    return rc;
changed:
    s->broken = true;
    buf_free(&plain);
    return err_set(err, ERR_SEAL,
                   "record %llu of %s does not open: the file was damaged or changed; "
                   "copy it again from where it came",
                   (unsigned long long)s->n_records, s->path);
}

int stream_open(const char *path, const struct secret *secret, struct stream **out, struct err *err)
{
    uint8_t type = 0, tag = 0;
    int rc = vault_ready(err);
    *out = NULL;
    if (rc) return rc;
    struct stream *s = stream_new(path);
    if (!s) return err_nomem(err);
    if (!(s->f = fopen(path, "re"))) {
        rc = err_errno(err, "cannot open %s", path);
        goto out;
    }
    if ((rc = read_head(s, secret, err))) goto out;
    rc = get_record(s, &type, &tag, NULL, err);
    if (rc == ERR_SEAL)
        rc = err_set(err, ERR_KEY, "that is not the passphrase or key file %s was exported with",
                     path);
    else if (!rc && type != TYPE_HELLO)
        rc = err_set(err, ERR_PARSE, "%s does not begin as an export does", path);
    if (rc) goto out;
    *out = s;
    s = NULL;
out:
    stream_free(s);
    return rc;
}

int stream_next(struct stream *s, uint8_t *type, struct buf *body, struct err *err)
{
    uint8_t tag = 0;
    *type = 0;
    buf_clear(body);
    if (s->ended) return 0;
    if (s->tmp || s->broken)
        return err_set(err, ERR_INVAL, "%s cannot be read on after a failure", s->path);
    int rc = get_record(s, type, &tag, body, err);
    if (rc) return rc;
    bool final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    if (final != (*type == 0) || *type == TYPE_HELLO || (final && fgetc(s->f) != EOF)) {
        s->broken = true;
        *type = 0;
        buf_clear(body);
        return err_set(err, ERR_PARSE,
                       "%s does not end as an export does: it was damaged or added to", s->path);
    }
    s->ended = final;
    return 0;
}
