/* Sealed bytes: XChaCha20-Poly1305 with a random 24-byte nonce, one format byte in front.
 *
 * The additional data says where the value belongs: format, table, row, column, persona, and the
 * plain columns bound to it. It is not stored; the reader states it again. So a row that was copied
 * to another place, or whose plain columns were edited, does not open. Every part is preceded by
 * its length: no two places have the same encoding. Random nonces of 192 bits may be drawn without
 * a counter for any number of rows this program will ever hold.
 *
 * Everything here is a pure function of its arguments and may be called from any thread. */
#include "vault/inside.h"

#include <sodium.h>
#include <string.h>

static uint8_t *put_u32(uint8_t *o, uint32_t v)
{
    for (int i = 0; i < 4; i++) *o++ = (uint8_t)(v >> 8 * i);
    return o;
}

static uint8_t *put_part(uint8_t *o, const void *p, size_t n)
{
    o = put_u32(o, (uint32_t)n);
    if (n) memcpy(o, p, n);
    return o + n;
}

size_t ad_encode(const struct vault_ad *ad, uint8_t out[AD_MAX])
{
    size_t tn = strlen(ad->table), cn = strlen(ad->column), bn = ad->bound ? ad->bound_n : 0;
    if (tn > 64 || cn > 64 || bn > VAULT_BOUND_MAX) return 0;
    uint8_t *o = out;
    uint64_t row = (uint64_t)ad->row;
    o = put_u32(o, VAULT_FORMAT);
    o = put_part(o, ad->table, tn);
    o = put_u32(o, (uint32_t)row);
    o = put_u32(o, (uint32_t)(row >> 32));
    o = put_part(o, ad->column, cn);
    o = put_part(o, ad->uid, ad->uid ? VAULT_UID : 0);
    o = put_part(o, ad->bound, bn);
    return (size_t)(o - out);
}

int seal_bytes(const uint8_t key[VAULT_KEY], const void *ad, size_t ad_n, const void *p, size_t n,
               struct buf *out, struct err *err)
{
    if (buf_reserve(out, n + VAULT_OVERHEAD)) {
        if (out->failed == ERR_NOMEM) return err_nomem(err);
        return err_set(err, ERR_LIMIT, "%zu bytes are too many to seal as one value", n);
    }
    uint8_t *o = (uint8_t *)out->p + out->n;
    unsigned long long cn = 0;
    o[0] = VAULT_FORMAT;
    randombytes_buf(o + 1, 24);
    crypto_aead_xchacha20poly1305_ietf_encrypt(o + 25, &cn, p ? p : (const void *)"", n, ad, ad_n,
                                               NULL, o + 1, key);
    out->n += 25 + (size_t)cn;
    out->p[out->n] = 0;
    return 0;
}

int open_bytes(const uint8_t key[VAULT_KEY], const void *ad, size_t ad_n, const void *p, size_t n,
               struct buf *out)
{
    const uint8_t *in = p;
    if (n < VAULT_OVERHEAD) return ERR_SEAL;
    if (in[0] > VAULT_FORMAT) return ERR_VERSION;
    if (in[0] != VAULT_FORMAT) return ERR_SEAL;
    if (buf_reserve(out, n - VAULT_OVERHEAD)) return out->failed;
    unsigned long long pn = 0;
    int bad = crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)out->p + out->n, &pn, NULL,
                                                         in + 25, n - 25, ad, ad_n, in + 1, key);
    if (bad) {
        out->p[out->n] = 0;
        return ERR_SEAL;
    }
    out->n += (size_t)pn;
    out->p[out->n] = 0;
    return 0;
}

int vault_seal(const uint8_t key[VAULT_KEY], const struct vault_ad *ad, const void *p, size_t n,
               struct buf *out, struct err *err)
{
    uint8_t a[AD_MAX];
    size_t an = ad_encode(ad, a);
    if (!an) return err_set(err, ERR_INVAL, "the place of a sealed value has too long a name");
    return seal_bytes(key, a, an, p, n, out, err);
}

int vault_open(const uint8_t key[VAULT_KEY], const struct vault_ad *ad, const void *p, size_t n,
               struct buf *out, struct err *err)
{
    uint8_t a[AD_MAX];
    size_t an = ad_encode(ad, a);
    if (!an) return err_set(err, ERR_INVAL, "the place of a sealed value has too long a name");
    int rc = open_bytes(key, a, an, p, n, out);
    if (!rc) return 0;
    if (rc == ERR_NOMEM) return err_nomem(err);
    if (rc == ERR_LIMIT)
        return err_set(err, rc, "%s %lld is too large", ad->table, (long long)ad->row);
    if (rc == ERR_VERSION)
        return err_set(err, rc,
                       "%s %lld was sealed by a newer version of Likeness: update the program",
                       ad->table, (long long)ad->row);
    return err_set(err, ERR_SEAL,
                   "%s %lld, column %s, does not open: it was damaged, changed or moved here from "
                   "elsewhere; run `likeness doctor`, or restore a backup",
                   ad->table, (long long)ad->row, ad->column);
}

void vault_digest(const uint8_t key[VAULT_KEY], const char *purpose, const void *p, size_t n,
                  uint8_t out[16])
{
    uint8_t label[24] = "likeness-digest", sub[32];
    memcpy(label + 16, purpose, strnlen(purpose, 8));
    crypto_generichash(sub, sizeof sub, label, sizeof label, key, VAULT_KEY);
    crypto_generichash(out, 16, p ? p : (const void *)"", n, sub, sizeof sub);
    sodium_memzero(sub, sizeof sub);
}
