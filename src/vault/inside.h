/* What the files of the vault share among themselves. */
#ifndef LK_VAULT_INSIDE_H
#define LK_VAULT_INSIDE_H

#include "base/cursor.h"
#include "vault/vault.h"

#include <stdbool.h>

#define WRAPPED (VAULT_KEY + VAULT_OVERHEAD) /* a key sealed under another */

enum { SECRET_KEY_FILE = 1, SECRET_PASSPHRASE = 2 };

/* How a secret becomes a key: stored in plain in the head of vault and stream files. */
struct kdf {
    uint8_t kind;
    uint8_t salt[16];
    uint64_t ops, mem;
};
#define KDF_BYTES 36

int vault_ready(struct err *err); /* no core dumps; sodium_init, once */

/* A kdf for s with a fresh salt. */
int kdf_new(const struct secret *s, struct kdf *k, struct err *err);
void kdf_write(struct buf *b, const struct kdf *k); /* appends KDF_BYTES */
void kdf_read(struct cursor *c, struct kdf *k);     /* fails the cursor when out of bounds */
/* The 32-byte key that s gives under k. purpose separates vault from stream files. `what` names the
 * file in errors. ERR_KEY: no such key file, not a key file, or the other kind of secret. */
int kdf_key(const struct kdf *k, const struct secret *s, const char *purpose, const char *what,
            uint8_t key[VAULT_KEY], struct err *err);

/* Random bytes over all of the file, synced. empty: then cut it to nothing; a want of room is
 * passed over, because where overwriting takes new blocks it would not destroy the old ones either.
 * */
int overwrite_file(const char *path, bool empty, struct err *err);

int keyfile_read(const char *path, uint8_t key[VAULT_KEY], struct err *err);

/* The layout of vault_seal with the additional data given as bytes. open_bytes: 0, or ERR_SEAL,
 * ERR_VERSION, ERR_NOMEM, without a message; nothing is added to out then. */
int seal_bytes(const uint8_t key[VAULT_KEY], const void *ad, size_t ad_n, const void *p, size_t n,
               struct buf *out, struct err *err);
int open_bytes(const uint8_t key[VAULT_KEY], const void *ad, size_t ad_n, const void *p, size_t n,
               struct buf *out);

/* The additional data of a sealed value as bytes (docs/STORAGE.md); returns its length, or 0 when
 * the parts are too long. */
#define AD_MAX 512
size_t ad_encode(const struct vault_ad *ad, uint8_t out[AD_MAX]);

#endif
