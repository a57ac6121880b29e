/* From a secret to a key.
 *
 * A secret is a key file (32 random bytes: nothing to guess, so one keyed hash is enough) or a
 * passphrase (guessable, so Argon2id makes each guess cost time and memory). Both end in
 *
 *     key = BLAKE2b-256(key = secret or Argon2id(passphrase, salt), message = purpose || salt)
 *
 * where purpose keeps the key of a vault apart from that of an exported stream under the same
 * secret. The cost of Argon2id stands in the file's head, which anybody may have written: bounds
 * are checked before a byte is allocated. Making it cheaper gains an attacker nothing: the key is
 * then another.
 *
 * No state but libsodium's own; any thread. */
#include "vault/inside.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define OPS_MAX 16
#define MEM_MAX ((uint64_t)1 << 30)

/* Before the first key is in memory: the kernel writes no core file of this process (the limit, and
 * for pipes to a crash reporter, which pass over the limit, the dumpable flag), and other processes
 * of the same user may not read its memory. */
static void no_core_dumps(void)
{
    struct rlimit none = { 0, 0 };
    if (getenv("LIKENESS_DEBUG")) return;
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

int vault_ready(struct err *err)
{
    no_core_dumps();
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "libsodium does not start");
    return 0;
}

int kdf_new(const struct secret *s, struct kdf *k, struct err *err)
{
    memset(k, 0, sizeof *k);
    if (!s || !s->key_file == !s->passphrase)
        return err_set(err, ERR_INVAL, "give either a key file or a passphrase");
    randombytes_buf(k->salt, sizeof k->salt);
    if (s->key_file) {
        k->kind = SECRET_KEY_FILE;
        return 0;
    }
    if (!s->passphrase_n) return err_set(err, ERR_INVAL, "the passphrase is empty");
    const char *env = getenv("LIKENESS_KDF");
    bool fast = env && !strcmp(env, "fast");
    k->kind = SECRET_PASSPHRASE;
    k->ops = fast ? crypto_pwhash_OPSLIMIT_MIN : crypto_pwhash_OPSLIMIT_MODERATE;
    k->mem = fast ? crypto_pwhash_MEMLIMIT_MIN : crypto_pwhash_MEMLIMIT_MODERATE;
    return 0;
}

void kdf_write(struct buf *b, const struct kdf *k)
{
    buf_u32(b, k->kind);
    buf_add(b, k->salt, sizeof k->salt);
    buf_u64(b, k->ops);
    buf_u64(b, k->mem);
}

void kdf_read(struct cursor *c, struct kdf *k)
{
    uint32_t kind = cursor_u32(c, "kind of secret");
    struct span salt = cursor_bytes(c, sizeof k->salt, "salt");
    memset(k, 0, sizeof *k);
    k->ops = cursor_u64(c, "passes of Argon2id");
    k->mem = cursor_u64(c, "memory of Argon2id");
    if (c->bad) return;
    memcpy(k->salt, salt.p, sizeof k->salt);
    k->kind = (uint8_t)kind;
    if (kind == SECRET_KEY_FILE) {
        if (k->ops || k->mem) cursor_fail(c, "passes of Argon2id");
    } else if (kind == SECRET_PASSPHRASE) {
        if (k->ops < crypto_pwhash_OPSLIMIT_MIN || k->ops > OPS_MAX)
            cursor_fail(c, "passes of Argon2id");
        else if (k->mem < crypto_pwhash_MEMLIMIT_MIN || k->mem > MEM_MAX)
            cursor_fail(c, "memory of Argon2id");
    } else {
        cursor_fail(c, "kind of secret");
    }
}

static int from_passphrase(const struct kdf *k, const struct secret *s, const char *what,
                           uint8_t raw[32], struct err *err)
{
    if (!s->passphrase)
        return err_set(err, ERR_KEY, "%s is locked with a passphrase, not with a key file", what);
    if (!crypto_pwhash(raw, 32, s->passphrase, s->passphrase_n, k->salt, k->ops, (size_t)k->mem,
                       crypto_pwhash_ALG_ARGON2ID13))
        return 0;
    return err_set(err, ERR_NOMEM,
                   "checking the passphrase needs %llu MiB of memory, which are not free: close "
                   "other programs",
                   (unsigned long long)(k->mem >> 20));
}

int kdf_key(const struct kdf *k, const struct secret *s, const char *purpose, const char *what,
            uint8_t key[VAULT_KEY], struct err *err)
{
    uint8_t raw[32] = { 0 };
    crypto_generichash_state h;
    int rc;
    if (!s || (!s->key_file && !s->passphrase))
        return err_set(err, ERR_KEY, "%s is locked: a key file or a passphrase is needed", what);
    if (k->kind == SECRET_PASSPHRASE) {
        rc = from_passphrase(k, s, what, raw, err);
    } else if (!s->key_file) {
        rc = err_set(err, ERR_KEY, "%s is locked with a key file, not with a passphrase", what);
    } else {
        rc = keyfile_read(s->key_file, raw, err);
    }
    if (!rc) {
        crypto_generichash_init(&h, raw, sizeof raw, VAULT_KEY);
        crypto_generichash_update(&h, (const uint8_t *)purpose, strlen(purpose));
        crypto_generichash_update(&h, k->salt, sizeof k->salt);
        crypto_generichash_final(&h, key, VAULT_KEY);
        sodium_memzero(&h, sizeof h);
    }
    sodium_memzero(raw, sizeof raw);
    return rc;
}
