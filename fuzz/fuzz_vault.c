/* The small files of a home as anybody may have written them: vault, persona key, key file, and
 * sealed values. The first byte chooses which. A right check sum is put under a vault file half the
 * time, so that what comes after it is reached; costly Argon2id is left out, its bounds are
 * tested. */
#include "base/io.h"
#include "vault/inside.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char home[64], vault[96], key_file[96], persona[160];
static struct vault *good;
static const uint8_t UID[VAULT_UID] = { 1 };

static void write_file(const char *path, const uint8_t *p, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f) abort();
    fwrite(p, 1, n, f);
    fclose(f);
}

static void prepare(void)
{
    struct secret s = { .passphrase = "x", .passphrase_n = 1 };
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(home, sizeof home, "/dev/shm/fuzz-vault-%d", (int)getpid());
    snprintf(vault, sizeof vault, "%s/vault", home);
    snprintf(key_file, sizeof key_file, "%s/k", home);
    snprintf(persona, sizeof persona, "%s/keys/01000000000000000000000000000000.key", home);
    if (vault_create(home, &s, NULL) || vault_unlock(home, &s, &good, NULL)) abort();
}

static void open_vault(const uint8_t *p, size_t n, int with_sum)
{
    uint8_t copy[512];
    struct vault_info info;
    struct vault *v = NULL;
    struct secret pass = { .passphrase = "x", .passphrase_n = 1 }, key = { .key_file = key_file };
    if (n > sizeof copy) n = sizeof copy;
    memcpy(copy, p, n);
    if (with_sum && n > 16) crypto_generichash(copy + n - 16, 16, copy, n - 16, NULL, 0);
    if (n > 64 && (memcmp(copy + 48, "\1\0\0\0\0\0\0", 8) || copy[58] || copy[59])) copy[60] = 1;
    write_file(vault, copy, n);
    vault_peek(home, &info, NULL);
    if (!vault_unlock(home, &pass, &v, NULL)) abort();
    if (!vault_unlock(home, &key, &v, NULL)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t key[VAULT_KEY] = { 0 };
    struct buf out = BUF_INIT(1 << 20);
    if (!good) prepare();
    if (!n) return 0;
    int which = *p++ & 7;
    n--;
    if (which < 2) {
        open_vault(p, n, which);
    } else if (which == 2) {
        write_file(key_file, p, n);
        if (!keyfile_read(key_file, key, NULL) && n < 88) abort();
    } else if (which == 3) {
        write_file(persona, p, n);
        if (!vault_persona_key(good, UID, key, NULL)) abort();
    } else {
        struct vault_ad ad = {
            .table = "t", .row = 1, .column = "c", .uid = which & 1 ? UID : NULL
        };
        if (!vault_open(key, &ad, p, n, &out, NULL)) abort();
    }
    buf_free(&out);
    return 0;
}
