/* HOME/keys/UID.key: one small file for each persona, its key sealed under the account key.
 *
 * Forgetting a persona begins and, in what matters, ends here: the file is overwritten with random
 * bytes and synced, and then nothing that was sealed with the key can be opened again, in the
 * database, its log, or a copy of either. So the key must never have been anywhere else: a
 * temporary file of a crashed write (UID.key.tmp-XXXXXX, see io_create_file) is destroyed with it.
 *
 * The first step is the rename to UID.forget, the last the removal of that file, empty by then:
 * while it is there the persona is being forgotten, and whoever opens the home for writing goes on
 * with it. A mark in the database would need free blocks, and a full disk is a time when somebody
 * forgets a persona; a rename in place and overwriting need none. When not even the rename
 * goes, the key is destroyed without a mark: that its rows remain is the lesser evil, and can be
 * mended.
 *
 * The uid is in the file's name, in the file and in the additional data: a key file renamed to
 * another persona's does not open. The folder is synced after each change. */
#include "base/io.h"
#include "vault/inside.h"

#include <dirent.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES (8 + 4 + VAULT_UID + WRAPPED)
#define HEX_UID    (2 * VAULT_UID)
static const char MAGIC[8] = "LKPKEY";

static int file_of(const struct vault *v, const uint8_t uid[VAULT_UID], const char *end,
                   char out[PATH_MAX], struct err *err)
{
    char hex[HEX_UID + 1];
    sodium_bin2hex(hex, sizeof hex, uid, VAULT_UID);
    if (snprintf(out, PATH_MAX, "%s/keys/%s%s", vault_home(v), hex, end) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", vault_home(v));
    return 0;
}

static int path_of(const struct vault *v, const uint8_t uid[VAULT_UID], char out[PATH_MAX],
                   struct err *err)
{
    return file_of(v, uid, ".key", out, err);
}

static struct vault_ad place_of(const uint8_t uid[VAULT_UID])
{
    return (struct vault_ad){ .table = "keys", .row = 0, .column = "key", .uid = uid };
}

int vault_persona_put(struct vault *v, const uint8_t uid[VAULT_UID], const uint8_t key[VAULT_KEY],
                      struct err *err)
{
    char path[PATH_MAX];
    struct buf b = BUF_INIT(4096);
    struct vault_ad ad = place_of(uid);
    int rc = path_of(v, uid, path, err);
    if (rc) return rc;
    buf_add(&b, MAGIC, sizeof MAGIC);
    buf_u32(&b, VAULT_FORMAT);
    buf_add(&b, uid, VAULT_UID);
    rc = b.failed ? err_nomem(err) : vault_seal(vault_account_key(v), &ad, key, VAULT_KEY, &b, err);
    if (!rc) rc = io_create_file(path, b.p, b.n, 0600, err);
    buf_free(&b);
    return rc;
}

int vault_persona_new(struct vault *v, const uint8_t uid[VAULT_UID], uint8_t key[VAULT_KEY],
                      struct err *err)
{
    randombytes_buf(key, VAULT_KEY);
    int rc = vault_persona_put(v, uid, key, err);
    if (rc) sodium_memzero(key, VAULT_KEY);
    return rc;
}

int vault_persona_key(struct vault *v, const uint8_t uid[VAULT_UID], uint8_t key[VAULT_KEY],
                      struct err *err)
{
    char path[PATH_MAX];
    struct buf b = BUF_INIT(4096), plain = BUF_INIT(2 * VAULT_KEY);
    struct vault_ad ad = place_of(uid);
    int rc = path_of(v, uid, path, err);
    if (!rc) rc = io_read_file(path, 4095, &b, err);
    if (rc == ERR_LIMIT || rc == ERR_INVAL)
        rc =
            err_set(err, ERR_PARSE, "%s is no key file: restore this one file from a backup", path);
    if (rc) goto out;
    struct cursor c = cursor_of(b.p, b.n, path);
    struct span magic = cursor_bytes(&c, sizeof MAGIC, "magic");
    if (!c.bad && memcmp(magic.p, MAGIC, sizeof MAGIC)) cursor_fail(&c, "magic");
    uint32_t format = cursor_u32(&c, "format");
    if (!c.bad && format > VAULT_FORMAT) {
        rc = err_set(err, ERR_VERSION,
                     "%s was made by a newer version of Likeness: update the program", path);
        goto out;
    }
    if (!c.bad && format != VAULT_FORMAT) cursor_fail(&c, "format");
    struct span id = cursor_bytes(&c, VAULT_UID, "uid");
    if (!c.bad && cursor_left(&c) != WRAPPED) cursor_fail(&c, "sealed key");
    if ((rc = cursor_check(&c, err))) goto out;
    if (memcmp(id.p, uid, VAULT_UID) ||
        vault_open(vault_account_key(v), &ad, b.p + c.at, WRAPPED, &plain, NULL) ||
        plain.n != VAULT_KEY) {
        rc = err_set(err, ERR_SEAL,
                     "%s does not open: it was damaged, changed or renamed; restore "
                     "this one file from a backup",
                     path);
        goto out;
    }
    memcpy(key, plain.p, VAULT_KEY);
out:
    if (rc) sodium_memzero(key, VAULT_KEY);
    buf_free(&plain);
    buf_free(&b);
    return rc;
}

/* Destroy what a crash left of writing this persona's key. */
static int destroy_leftovers(const char *keys, const char *prefix, struct err *err)
{
    DIR *d = opendir(keys);
    int rc = 0;
    if (!d) return err_errno(err, "cannot list folder %s", keys);
    for (struct dirent *e; !rc && (e = readdir(d));) {
        char path[PATH_MAX];
        if (strncmp(e->d_name, prefix, strlen(prefix))) continue;
        if (snprintf(path, sizeof path, "%s/%s", keys, e->d_name) < PATH_MAX)
            rc = vault_shred(path, err);
    }
    closedir(d);
    return rc;
}

static int destroy_all_leftovers(const struct vault *v, const uint8_t uid[VAULT_UID],
                                 struct err *err)
{
    char keys[PATH_MAX], prefix[HEX_UID + 16], hex[HEX_UID + 1];
    sodium_bin2hex(hex, sizeof hex, uid, VAULT_UID);
    snprintf(prefix, sizeof prefix, "%s.key.tmp-", hex);
    if (snprintf(keys, sizeof keys, "%s/keys", vault_home(v)) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", vault_home(v));
    return destroy_leftovers(keys, prefix, err);
}

int vault_persona_doom(struct vault *v, const uint8_t uid[VAULT_UID], struct err *err)
{
    char key[PATH_MAX], mark[PATH_MAX], keys[PATH_MAX];
    int rc = path_of(v, uid, key, err);
    if (!rc) rc = file_of(v, uid, ".forget", mark, err);
    if (!rc) rc = destroy_all_leftovers(v, uid, err);
    if (rc) return rc;
    bool marked = io_exists(mark);
    if (marked && (rc = overwrite_file(mark, true, err))) return rc;
    if (!io_exists(key))
        return marked ? 0 : err_set(err, ERR_NOTFOUND, "the key %s is not there", key);
    if (rename(key, mark)) {
        rc = err_errno(err, "cannot rename %s", key);
        return rc == ERR_FULL ? vault_shred(key, err) : rc;
    }
    snprintf(keys, sizeof keys, "%.*s", (int)(strrchr(key, '/') - key), key);
    if ((rc = io_sync_dir(keys, err))) return rc;
    return overwrite_file(mark, true, err);
}

bool vault_persona_doomed(const struct vault *v, const uint8_t uid[VAULT_UID])
{
    char mark[PATH_MAX];
    return !file_of(v, uid, ".forget", mark, NULL) && io_exists(mark);
}

int vault_persona_destroy(struct vault *v, const uint8_t uid[VAULT_UID], struct err *err)
{
    char key[PATH_MAX], mark[PATH_MAX];
    int rc = path_of(v, uid, key, err);
    if (!rc) rc = file_of(v, uid, ".forget", mark, err);
    if (!rc) rc = destroy_all_leftovers(v, uid, err);
    if (rc) return rc;
    bool marked = io_exists(mark);
    rc = vault_shred(key, err);
    if (rc == ERR_NOTFOUND && marked) rc = 0;
    return !rc && marked ? vault_shred(mark, err) : rc;
}

/* Calls fn for each UID with this ending. The names are gathered first, so that fn may remove. */
static int each_with(struct vault *v, const char *end, int (*fn)(void *, const uint8_t[VAULT_UID]),
                     void *ud, struct err *err)
{
    char keys[PATH_MAX];
    uint8_t uid[VAULT_UID];
    struct buf all = BUF_INIT(0);
    int rc = 0;
    if (snprintf(keys, sizeof keys, "%s/keys", vault_home(v)) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", vault_home(v));
    DIR *d = opendir(keys);
    if (!d) return err_errno(err, "cannot list folder %s", keys);
    for (struct dirent *e; (e = readdir(d));) {
        size_t got = 0;
        const char *n = e->d_name;
        if (strlen(n) != HEX_UID + strlen(end) || strcmp(n + HEX_UID, end)) continue;
        if (sodium_hex2bin(uid, sizeof uid, n, HEX_UID, NULL, &got, NULL) || got != VAULT_UID)
            continue;
        buf_add(&all, uid, VAULT_UID);
    }
    closedir(d);
    if (all.failed) rc = err_nomem(err);
    for (size_t i = 0; !rc && i < all.n; i += VAULT_UID) rc = fn(ud, (uint8_t *)all.p + i);
    buf_free(&all);
    return rc;
}

int vault_persona_each(struct vault *v, int (*fn)(void *, const uint8_t[VAULT_UID]), void *ud,
                       struct err *err)
{
    return each_with(v, ".key", fn, ud, err);
}

int vault_doomed_each(struct vault *v, int (*fn)(void *, const uint8_t[VAULT_UID]), void *ud,
                      struct err *err)
{
    return each_with(v, ".forget", fn, ud, err);
}
