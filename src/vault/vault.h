/* The vault: keys, and bytes sealed with them (libsodium).
 *
 *     struct secret s = { .key_file = "/home/ann/.config/likeness/3f9a....key" };
 *     struct vault *v;
 *     if (vault_unlock(home, &s, &v, err)) return err->code;
 *     uint8_t k[VAULT_KEY];
 *     vault_persona_key(v, uid, k, err);
 *     struct vault_ad ad = { .table = "chunk", .row = 17, .column = "body", .uid = uid };
 *     vault_seal(k, &ad, p, n, &sealed, err);
 *     sodium_memzero(k, sizeof k);
 *     vault_lock(v);
 *
 * Key tree: secret (32 random bytes in a key file, or a passphrase through Argon2id) opens the
 * master key in HOME/vault; the master key opens the account key (also there); the account key
 * opens one key file for each persona, HOME/keys/UID.key. Destroying that small file is what
 * forgetting a persona begins with: it is renamed to UID.forget, overwritten and synced, and no
 * copy of it was ever in the database or its log. A changed passphrase re-wraps the master key
 * only. Formats: docs/STORAGE.md. Master and account key live in sodium_malloc'ed memory (guarded,
 * locked, zeroed); a persona's key, and what a secret becomes on the way, in ordinary memory,
 * zeroed by whom it was given to as soon as it is not needed. The first call of any function here
 * that can meet a key switches core dumps off for the process, unless LIKENESS_DEBUG is set. */
#ifndef LK_VAULT_VAULT_H
#define LK_VAULT_VAULT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VAULT_KEY       32
#define VAULT_UID       16 /* bytes of a persona's random id */
#define VAULT_OVERHEAD  41 /* 1 format byte + 24 nonce + 16 tag */
#define VAULT_BOUND_MAX 256
#define VAULT_FORMAT    1 /* of HOME/vault and of sealed rows */

struct secret {
    const char *key_file;   /* path, or NULL */
    const char *passphrase; /* borrowed, or NULL; one of the two */
    size_t passphrase_n;
};

struct vault_info {   /* readable without any key */
    char home_id[33]; /* hex */
    int needs_passphrase;
    uint32_t format;
};

/* Additional data of a sealed value: it opens only where it was put. */
struct vault_ad {
    const char *table;
    int64_t row;
    const char *column;
    const uint8_t *uid; /* VAULT_UID bytes of the persona, or NULL: account-level */
    const void *bound;  /* plain columns of the row that may not change unseen, */
    size_t bound_n;     /* as bytes; at most VAULT_BOUND_MAX. NULL: none */
};

struct vault;

/* A new key file of 32 random bytes, as one printable line (0600, folders 0700). ERR_EXISTS. */
int vault_keyfile_make(const char *path, struct err *err);

/* Make HOME/vault (0600) and HOME/keys (0700) with new keys. With secret.key_file the key file is
 * made (0600, folders 0700; ERR_EXISTS if it is there). ERR_EXISTS if home has a vault already.
 * Argon2id runs at libsodium's MODERATE (3 passes, 256 MiB); with LIKENESS_KDF=fast, for tests, at
 * its minimum. */
int vault_create(const char *home, const struct secret *s, struct err *err);
int vault_peek(const char *home, struct vault_info *info, struct err *err);
/* ERR_KEY: wrong passphrase or key file; ERR_VERSION: newer format; ERR_PARSE: damaged file. */
int vault_unlock(const char *home, const struct secret *s, struct vault **out, struct err *err);
/* Re-wrap the master key under another secret (passphrase <-> key file too), atomically. After an
 * error the old secret opens the home, but for one: when the folder could not be synced the message
 * says that the new one does; the new key file then stays, and the old secret is to be kept too. */
int vault_rewrap(struct vault *v, const struct secret *s, struct err *err);
const char *vault_home(const struct vault *v);       /* borrowed */
const uint8_t *vault_home_id(const struct vault *v); /* 16 bytes, borrowed */
void vault_lock(struct vault *v);                    /* zeroes and frees; accepts NULL */

const uint8_t *vault_account_key(const struct vault *v); /* VAULT_KEY bytes, borrowed */
int vault_persona_new(struct vault *v, const uint8_t uid[VAULT_UID], uint8_t key[VAULT_KEY],
                      struct err *err); /* random key, file written and synced */
int vault_persona_put(struct vault *v, const uint8_t uid[VAULT_UID], const uint8_t key[VAULT_KEY],
                      struct err *err); /* a given key (import) */
int vault_persona_key(struct vault *v, const uint8_t uid[VAULT_UID], uint8_t key[VAULT_KEY],
                      struct err *err); /* ERR_NOTFOUND: destroyed or never there */
/* Destroy the key in a way that needs no free disk space and leaves a mark, the empty file
 * HOME/keys/UID.forget, until vault_persona_destroy. Safe to repeat. ERR_NOTFOUND: no key, no
 * mark. */
int vault_persona_doom(struct vault *v, const uint8_t uid[VAULT_UID], struct err *err);
bool vault_persona_doomed(const struct vault *v, const uint8_t uid[VAULT_UID]); /* is it marked? */
/* Destroy key and mark. ERR_NOTFOUND: neither was there. */
int vault_persona_destroy(struct vault *v, const uint8_t uid[VAULT_UID], struct err *err);
/* Calls fn for each key file present; _doomed_each: for each mark. fn may destroy it. */
int vault_persona_each(struct vault *v, int (*fn)(void *ud, const uint8_t uid[VAULT_UID]), void *ud,
                       struct err *err);
int vault_doomed_each(struct vault *v, int (*fn)(void *ud, const uint8_t uid[VAULT_UID]), void *ud,
                      struct err *err);

/* Overwrite a file with random bytes, sync, unlink, sync its folder. ERR_NOTFOUND. */
int vault_shred(const char *path, struct err *err);

/* Seal n bytes: appends format byte, random nonce, ciphertext and tag to out (n +
 * VAULT_OVERHEAD). */
int vault_seal(const uint8_t key[VAULT_KEY], const struct vault_ad *ad, const void *p, size_t n,
               struct buf *out, struct err *err);
/* Appends the plain bytes to out. ERR_SEAL if anything differs from what was sealed, and where. */
int vault_open(const uint8_t key[VAULT_KEY], const struct vault_ad *ad, const void *p, size_t n,
               struct buf *out, struct err *err);
/* Keyed 128-bit fingerprint (BLAKE2b) of data under a sub-key named by `purpose` (<= 8 chars):
 * finds equal things without storing what they are. */
void vault_digest(const uint8_t key[VAULT_KEY], const char *purpose, const void *p, size_t n,
                  uint8_t out[16]);

#endif
