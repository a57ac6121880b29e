/* HOME/vault: the master key under the secret, the account key under the master key.
 *
 * Two keys and not one, so that a changed passphrase re-wraps 32 bytes and touches nothing else,
 * and so that another account can later be given another account key under the same master.
 *
 * The head of the file (magic, format, home id, how the secret becomes a key) is additional data of
 * the wrapped master key. A check sum at the end tells a damaged file (ERR_PARSE) from a wrong
 * passphrase (ERR_KEY); it protects against accidents only, the tags protect against people.
 *
 * Opened keys are in sodium_malloc'ed pages: locked in memory where the system allows it, between
 * guard pages, zeroed when freed, and read-only after vault_unlock. Core dumps are switched off for
 * the process by its first call here, unless LIKENESS_DEBUG is set.
 *
 * Under a new key file two files change, and no order of steps makes that one step. So the new key
 * file comes first and is taken back only when HOME/vault is known to be the old one still: a key
 * too many can be removed, a key too few cannot be made again.
 *
 * A struct vault does not change after vault_unlock and may be read by many threads. */
#include "base/io.h"
#include "base/str.h"
#include "vault/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_BYTES   16
#define ID_END     28 /* magic 8, format 4, home id 16 */
#define HEAD_END   (ID_END + KDF_BYTES)
#define SUM_AT     (HEAD_END + 2 * WRAPPED)
#define FILE_BYTES (SUM_AT + 16)
static const char MAGIC[8] = "LKVAULT";
static const char PURPOSE[] = "likeness-vault-1";

struct keys {
    uint8_t master[VAULT_KEY], account[VAULT_KEY];
};

struct vault {
    char *home;
    uint8_t id[ID_BYTES];
    struct keys *keys; /* sodium_malloc */
};

/* What HOME/vault says without a key. */
struct head {
    uint32_t format;
    uint8_t id[ID_BYTES];
    struct kdf kdf;
    const char *master, *account; /* WRAPPED bytes each, borrowed */
};

static int path_of(const char *home, const char *name, char out[PATH_MAX], struct err *err)
{
    if (snprintf(out, PATH_MAX, "%s/%s", home, name) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", home);
    return 0;
}

static int read_head(const char *home, struct buf *b, struct head *h, struct err *err)
{
    char path[PATH_MAX];
    uint8_t sum[16];
    int rc = path_of(home, "vault", path, err);
    if (!rc) rc = io_read_file(path, 4096, b, err);
    if (rc == ERR_NOTFOUND)
        return err_set(err, rc,
                       "%s is not a Likeness home (it has no file \"vault\"): make one with "
                       "`likeness init`, or name another with --home",
                       home);
    if (rc == ERR_LIMIT) rc = ERR_PARSE;
    if (rc && rc != ERR_PARSE) return rc;
    struct cursor c = cursor_of(b->p, b->n, path);
    struct span magic = cursor_bytes(&c, sizeof MAGIC, "magic");
    if (!rc && !c.bad && memcmp(magic.p, MAGIC, sizeof MAGIC)) cursor_fail(&c, "magic");
    h->format = cursor_u32(&c, "format");
    if (!rc && !c.bad && h->format > VAULT_FORMAT)
        return err_set(err, ERR_VERSION,
                       "%s has format %u, made by a newer version of Likeness than this one (which "
                       "knows %d): update the program",
                       path, h->format, VAULT_FORMAT);
    if (rc || c.bad || h->format != VAULT_FORMAT || b->n != FILE_BYTES) goto damaged;
    crypto_generichash(sum, sizeof sum, (const uint8_t *)b->p, SUM_AT, NULL, 0);
    if (memcmp(sum, b->p + SUM_AT, sizeof sum)) goto damaged;
    memcpy(h->id, cursor_bytes(&c, ID_BYTES, "home id").p, ID_BYTES);
    kdf_read(&c, &h->kdf);
    h->master = cursor_bytes(&c, WRAPPED, "master key").p;
    h->account = cursor_bytes(&c, WRAPPED, "account key").p;
    return cursor_check(&c, err);
damaged:
    return err_set(err, ERR_PARSE,
                   "%s is damaged: restore this one file from a backup; the key file "
                   "or passphrase of that time opens it",
                   path);
}

/* Additional data of the account key: the file's magic, format and id, and what it is. */
static void account_ad(const char *file, uint8_t out[ID_END + 7])
{
    memcpy(out, file, ID_END);
    memcpy(out + ID_END, "account", 7);
}

static int build_file(const uint8_t id[ID_BYTES], const struct keys *k, const struct secret *s,
                      struct buf *b, struct err *err)
{
    uint8_t kek[VAULT_KEY], ad[ID_END + 7], sum[16];
    struct kdf kdf;
    int rc = kdf_new(s, &kdf, err);
    if (!rc) rc = kdf_key(&kdf, s, PURPOSE, "the vault", kek, err);
    if (rc) return rc;
    buf_add(b, MAGIC, sizeof MAGIC);
    buf_u32(b, VAULT_FORMAT);
    buf_add(b, id, ID_BYTES);
    kdf_write(b, &kdf);
    if (b->failed || buf_reserve(b, FILE_BYTES)) {
        rc = err_nomem(err);
        goto out;
    }
    account_ad(b->p, ad);
    if ((rc = seal_bytes(kek, b->p, HEAD_END, k->master, VAULT_KEY, b, err))) goto out;
    if ((rc = seal_bytes(k->master, ad, sizeof ad, k->account, VAULT_KEY, b, err))) goto out;
    crypto_generichash(sum, sizeof sum, (const uint8_t *)b->p, b->n, NULL, 0);
    if (buf_add(b, sum, sizeof sum)) rc = err_nomem(err);
out:
    sodium_memzero(kek, sizeof kek);
    return rc;
}

/* But for the lock of who is making the home. */
static bool folder_empty(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    if (!d) return false;
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, "lock") != 0;
    closedir(d);
    return n <= 2;
}

static int make_folders(const char *home, struct err *err)
{
    char keys[PATH_MAX];
    int rc = path_of(home, "keys", keys, err);
    if (!rc && !io_is_dir(home)) rc = io_mkdirs(home, 0700, err);
    if (rc) return rc;
    /* A folder with other things in it keeps its mode: it may not be ours alone. `check` says so.
     */
    if (folder_empty(home) && chmod(home, 0700)) return err_errno(err, "cannot protect %s", home);
    return io_mkdirs(keys, 0700, err);
}

int vault_create(const char *home, const struct secret *s, struct err *err)
{
    char path[PATH_MAX];
    uint8_t id[ID_BYTES];
    struct buf b = BUF_INIT(4096);
    struct keys *k = NULL;
    bool made_key = false;
    int rc = vault_ready(err);
    if (!rc) rc = path_of(home, "vault", path, err);
    if (rc) return rc;
    if (io_exists(path)) return err_set(err, ERR_EXISTS, "%s is a Likeness home already", home);
    struct kdf trial;
    if ((rc = kdf_new(s, &trial, err))) return rc;
    if ((rc = make_folders(home, err))) return rc;
    if (s->key_file) {
        if ((rc = vault_keyfile_make(s->key_file, err))) return rc;
        made_key = true;
    }
    if (!(k = sodium_malloc(sizeof *k))) {
        rc = err_nomem(err);
        goto out;
    }
    randombytes_buf(k, sizeof *k);
    randombytes_buf(id, sizeof id);
    if ((rc = build_file(id, k, s, &b, err))) goto out;
    if ((rc = io_create_file(path, b.p, b.n, 0600, err)) == ERR_EXISTS)
        rc = err_set(err, rc, "%s is a Likeness home already", home);
out:
    if (rc && made_key) vault_shred(s->key_file, NULL);
    sodium_free(k);
    buf_free(&b);
    return rc;
}

int vault_peek(const char *home, struct vault_info *info, struct err *err)
{
    struct buf b = BUF_INIT(4097);
    struct head h = { 0 };
    int rc = vault_ready(err);
    if (!rc) rc = read_head(home, &b, &h, err);
    if (!rc) {
        sodium_bin2hex(info->home_id, sizeof info->home_id, h.id, sizeof h.id);
        info->needs_passphrase = h.kdf.kind == SECRET_PASSPHRASE;
        info->format = h.format;
    }
    buf_free(&b);
    return rc;
}

/* Open the two wrapped keys of file into k. */
static int unwrap(const struct head *h, const char *file, const char *home, const struct secret *s,
                  struct keys *k, struct err *err)
{
    uint8_t kek[VAULT_KEY], ad[ID_END + 7];
    struct buf plain = BUF_INIT(2 * VAULT_KEY);
    int rc = kdf_key(&h->kdf, s, PURPOSE, home, kek, err);
    if (rc) return rc;
    if (open_bytes(kek, file, HEAD_END, h->master, WRAPPED, &plain)) {
        rc =
            h->kdf.kind == SECRET_PASSPHRASE
                ? err_set(err, ERR_KEY, "that is not the passphrase of %s", home)
                : err_set(err, ERR_KEY, "the key file %s does not belong to %s", s->key_file, home);
        goto out;
    }
    memcpy(k->master, plain.p, VAULT_KEY);
    buf_clear(&plain);
    account_ad(file, ad);
    if (open_bytes(k->master, ad, sizeof ad, h->account, WRAPPED, &plain)) {
        rc = err_set(err, ERR_SEAL,
                     "the account key in %s/vault was changed: restore this one file "
                     "from a backup",
                     home);
        goto out;
    }
    memcpy(k->account, plain.p, VAULT_KEY);
out:
    sodium_memzero(kek, sizeof kek);
    buf_free(&plain);
    return rc;
}

int vault_unlock(const char *home, const struct secret *s, struct vault **out, struct err *err)
{
    struct buf b = BUF_INIT(4097);
    struct vault *v = NULL;
    struct head h = { 0 };
    int rc = vault_ready(err);
    *out = NULL;
    if (!rc) rc = read_head(home, &b, &h, err);
    if (rc) goto out;
    if (!(v = calloc(1, sizeof *v)) || !(v->home = str_dup(home)) ||
        !(v->keys = sodium_malloc(sizeof *v->keys))) {
        rc = err_nomem(err);
        goto out;
    }
    memcpy(v->id, h.id, sizeof v->id);
    if ((rc = unwrap(&h, b.p, home, s, v->keys, err))) goto out;
    sodium_mprotect_readonly(v->keys);
    *out = v;
    v = NULL;
out:
    vault_lock(v);
    buf_free(&b);
    return rc;
}

/* The old wrapping still opens with the old secret, so its bytes are overwritten once the new file
 * is in place; a hard link somebody made as a backup is left alone. Best effort. */
static void overwrite_unlinked(int fd)
{
    uint8_t noise[FILE_BYTES];
    struct stat st;
    if (fd < 0) return;
    if (!fstat(fd, &st) && st.st_nlink == 0) {
        randombytes_buf(noise, sizeof noise);
        if (pwrite(fd, noise, sizeof noise, 0) > 0) fsync(fd);
    }
    close(fd);
}

/* Is the file at path, as far as can be told, these bytes? */
static bool file_is(const char *path, const struct buf *want)
{
    struct buf b = BUF_INIT(4097);
    bool same = !io_read_file(path, 4096, &b, NULL) && b.n == want->n && !memcmp(b.p, want->p, b.n);
    buf_free(&b);
    return same;
}

int vault_rewrap(struct vault *v, const struct secret *s, struct err *err)
{
    char path[PATH_MAX];
    struct buf b = BUF_INIT(4096), was = BUF_INIT(4097);
    bool made_key = false, replaced = false;
    struct kdf trial;
    int fd = -1, rc = path_of(v->home, "vault", path, err);
    if (!rc) rc = kdf_new(s, &trial, err);
    if (!rc) rc = io_read_file(path, 4096, &was, err);
    if (rc) goto out;
    if (s->key_file) {
        if ((rc = vault_keyfile_make(s->key_file, err))) goto out;
        made_key = true;
    }
    if ((rc = build_file(v->id, v->keys, s, &b, err))) goto out;
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    rc = io_replace_file(path, b.p, b.n, 0600, &replaced, err);
    if (rc && replaced)
        rc = err_prefix(err, rc,
                        "%s opens with the new key file or passphrase now, but may open with the "
                        "old one again after a power cut: keep both, and mend the cause",
                        v->home);
out:
    if (rc && made_key && !replaced && file_is(path, &was)) vault_shred(s->key_file, NULL);
    if (!rc) overwrite_unlinked(fd);
    else if (fd >= 0) close(fd);
    buf_free(&b);
    buf_free(&was);
    return rc;
}

void vault_lock(struct vault *v)
{
    if (!v) return;
    if (v->keys) sodium_free(v->keys);
    free(v->home);
    free(v);
}

const uint8_t *vault_account_key(const struct vault *v) { return v->keys->account; }
const char *vault_home(const struct vault *v) { return v->home; }
const uint8_t *vault_home_id(const struct vault *v) { return v->id; }
