/* PDFs that were encrypted so that anybody can read them: "printing not allowed", with an owner's
 * password and an empty one for the user, as banks and offices send them (ISO 32000-1, 7.6; ISO
 * 32000-2, 7.6.4 for AES with 256 bits). The empty password opens them as it does in any viewer; no
 * other is tried, and files that need one, or another handler than "Standard", are refused.
 *
 *     V 1, 2   RC4, a key of 40 to 128 bits     key of an object: MD5(key, number, generation)
 *     V 4      RC4 or AES-128 (AESV2)           the same, with "sAlT" for AES
 *     V 5      AES-256 (AESV3), R 5 and 6       the key of the file
 *
 * Streams, and strings that stand in the file itself, are decrypted when they are read; what lies
 * in an object stream was decrypted with that. Names follow the algorithms' numbers in the
 * standard. */
#include "media/pdf.h"

#include "base/str.h"

#include <nettle/aes.h>
#include <nettle/arcfour.h>
#include <nettle/cbc.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 16
#define FIELD 128 /* bytes looked at of O, U and the others */

enum cipher { CIPHER_NONE, CIPHER_RC4, CIPHER_AES128, CIPHER_AES256, CIPHER_UNKNOWN };

struct pdf_crypt {
    int revision;
    enum cipher streams, strings;
    uint8_t key[32];
    size_t key_n;
};

/* What a password is filled up with; an empty one is nothing else (Algorithm 2, step a). */
static const uint8_t padding[32] = { 0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41,
                                     0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08,
                                     0x2E, 0x2E, 0x00, 0xB6, 0xD0, 0x68, 0x3E, 0x80,
                                     0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A };

/* ---- the empty password, V 1 to 4 ---- */

struct entries { /* of the encryption dictionary */
    struct buf o, u, ue, id;
    uint32_t p;
    bool metadata;
};

static void rc4(const uint8_t *key, size_t key_n, uint8_t *p, size_t n)
{
    struct arcfour_ctx c;
    arcfour_set_key(&c, key_n, key);
    arcfour_crypt(&c, n, p, p);
    explicit_bzero(&c, sizeof c);
}

/* Algorithm 2 */
static void key_of_file(struct pdf_crypt *c, const struct entries *e)
{
    struct md5_ctx m;
    uint8_t d[16], p[4] = { (uint8_t)e->p, (uint8_t)(e->p >> 8), (uint8_t)(e->p >> 16),
                            (uint8_t)(e->p >> 24) };
    md5_init(&m);
    md5_update(&m, sizeof padding, padding);
    md5_update(&m, 32, (const uint8_t *)e->o.p);
    md5_update(&m, sizeof p, p);
    md5_update(&m, e->id.n, (const uint8_t *)buf_str(&e->id));
    if (c->revision >= 4 && !e->metadata) md5_update(&m, 4, (const uint8_t *)"\xFF\xFF\xFF\xFF");
    md5_digest(&m, sizeof d, d);
    for (int i = 0; c->revision >= 3 && i < 50; i++) {
        md5_update(&m, c->key_n, d);
        md5_digest(&m, sizeof d, d);
    }
    memcpy(c->key, d, c->key_n);
    explicit_bzero(d, sizeof d);
}

/* Algorithms 4 and 5, against U */
static bool key_fits(const struct pdf_crypt *c, const struct entries *e)
{
    uint8_t want[32], key[16];
    struct md5_ctx m;
    memcpy(want, padding, sizeof want);
    if (c->revision == 2) {
        rc4(c->key, c->key_n, want, sizeof want);
        return !memcmp(want, e->u.p, 32);
    }
    md5_init(&m);
    md5_update(&m, sizeof padding, padding);
    md5_update(&m, e->id.n, (const uint8_t *)buf_str(&e->id));
    md5_digest(&m, 16, want);
    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < c->key_n; k++) key[k] = c->key[k] ^ (uint8_t)i;
        rc4(key, c->key_n, want, 16);
    }
    explicit_bzero(key, sizeof key);
    return !memcmp(want, e->u.p, 16);
}

/* ---- the empty password, V 5 ---- */

/* SHA-256, 384 or 512 by bits; returns its bytes. */
static size_t sha2(int bits, const uint8_t *p, size_t n, uint8_t out[64])
{
    struct sha256_ctx s;
    struct sha512_ctx l;
    if (bits == 256) {
        sha256_init(&s);
        sha256_update(&s, n, p);
        sha256_digest(&s, 32, out);
    } else if (bits == 384) {
        sha384_init(&l);
        sha384_update(&l, n, p);
        sha384_digest(&l, 48, out);
    } else {
        sha512_init(&l);
        sha512_update(&l, n, p);
        sha512_digest(&l, 64, out);
    }
    return (size_t)bits / 8;
}

/* Algorithm 2.B of an empty password and this salt; for revision 5 its first step alone. */
static void hash_of(int revision, const uint8_t salt[8], uint8_t out[32])
{
    static const int bits[] = { 256, 384, 512 };
    uint8_t k[64], text[64 * 64], iv[BLOCK];
    struct aes128_ctx aes;
    size_t n = sha2(256, salt, 8, k), last = 0;
    for (size_t round = 0; revision >= 6 && (round < 64 || last + 32 > round); round++) {
        for (size_t i = 0; i < 64; i++) memcpy(text + i * n, k, n);
        memcpy(iv, k + BLOCK, BLOCK);
        aes128_set_encrypt_key(&aes, k);
        cbc_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, BLOCK, iv, 64 * n, text, text);
        int sum = 0;
        for (int i = 0; i < BLOCK; i++) sum += text[i];
        last = text[64 * n - 1];
        n = sha2(bits[sum % 3], text, 64 * n, k);
    }
    memcpy(out, k, 32);
    explicit_bzero(k, sizeof k);
    explicit_bzero(text, sizeof text);
    explicit_bzero(&aes, sizeof aes);
}

/* Algorithm 2.A: U is a hash, a salt to check it by and a salt for the key in UE. */
static bool open_256(struct pdf_crypt *c, const struct entries *e)
{
    uint8_t hash[32], iv[BLOCK] = { 0 };
    struct aes256_ctx aes;
    const uint8_t *u = (const uint8_t *)e->u.p;
    if (e->u.n < 48 || e->ue.n < 32) return false;
    hash_of(c->revision, u + 32, hash);
    bool fits = !memcmp(hash, u, 32);
    if (fits) {
        hash_of(c->revision, u + 40, hash);
        aes256_set_decrypt_key(&aes, hash);
        cbc_decrypt(&aes, (nettle_cipher_func *)aes256_decrypt, BLOCK, iv, 32, c->key,
                    (const uint8_t *)e->ue.p);
        explicit_bzero(&aes, sizeof aes);
    }
    explicit_bzero(hash, sizeof hash);
    return fits;
}

/* ---- the dictionary ---- */

/* The filter that /StmF or /StrF names. */
static enum cipher named(const struct pdf *d, struct pdf_value dict, const char *which)
{
    struct span name = pdf_name(pdf_get(d, dict, which));
    char key[64];
    if (!name.n || span_eq(name, "Identity")) return CIPHER_NONE;
    if (name.n >= sizeof key) return CIPHER_UNKNOWN;
    memcpy(key, name.p, name.n);
    key[name.n] = 0;
    struct pdf_value how = pdf_get(d, pdf_get(d, pdf_get(d, dict, "CF"), key), "CFM");
    if (pdf_is_name(how, "None")) return CIPHER_NONE;
    if (pdf_is_name(how, "V2")) return CIPHER_RC4;
    if (pdf_is_name(how, "AESV2")) return CIPHER_AES128;
    return pdf_is_name(how, "AESV3") ? CIPHER_AES256 : CIPHER_UNKNOWN;
}

static bool read_dict(const struct pdf *d, struct pdf_value dict, struct pdf_crypt *c,
                      struct entries *e)
{
    int version = pdf_int(pdf_get(d, dict, "V"), 0);
    int bits = pdf_int(pdf_get(d, dict, "Length"), 40);
    struct pdf_value meta = pdf_get(d, dict, "EncryptMetadata"), at, id = { NULL, NULL };
    c->revision = pdf_int(pdf_get(d, dict, "R"), 0);
    c->streams = c->strings = CIPHER_RC4;
    if (version >= 4) {
        c->streams = named(d, dict, "StmF");
        c->strings = named(d, dict, "StrF");
    }
    if (bits > 0 && bits < 40) bits *= 8; /* some say how many bytes */
    c->key_n = version == 1 || c->revision == 2 ? 5 : version == 2 ? (size_t)bits / 8 : 16;
    pdf_string(pdf_get(d, dict, "O"), &e->o);
    pdf_string(pdf_get(d, dict, "U"), &e->u);
    pdf_string(pdf_get(d, dict, "UE"), &e->ue);
    at = pdf_inside(pdf_resolve(d, d->id));
    if (pdf_next(&at, &id)) pdf_string(pdf_resolve(d, id), &e->id);
    e->p = (uint32_t)(int64_t)pdf_number(pdf_get(d, dict, "P"), 0);
    e->metadata = !(meta.p && meta.end - meta.p >= 5 && !memcmp(meta.p, "false", 5));
    return pdf_is_name(pdf_get(d, dict, "Filter"), "Standard") &&
           (version == 1 || version == 2 || version == 4 || version == 5) && c->revision >= 2 &&
           c->revision <= 6 && (version == 5) == (c->revision >= 5) &&
           c->streams != CIPHER_UNKNOWN && c->strings != CIPHER_UNKNOWN && c->key_n >= 5 &&
           c->key_n <= 16 && e->o.n >= 32 && e->u.n >= 32;
}

enum fault pdf_crypt_open(struct pdf *d)
{
    struct pdf_crypt *c = calloc(1, sizeof *c);
    struct entries e = {
        .o = BUF_INIT(FIELD), .u = BUF_INIT(FIELD), .ue = BUF_INIT(FIELD), .id = BUF_INIT(FIELD)
    };
    if (!c) return FAULT_NOMEM;
    bool fits = read_dict(d, pdf_resolve(d, d->encrypt), c, &e);
    if (fits && c->revision >= 5) {
        fits = open_256(c, &e);
        c->key_n = 32;
    } else if (fits) {
        key_of_file(c, &e);
        fits = key_fits(c, &e);
    }
    struct buf *all[] = { &e.o, &e.u, &e.ue, &e.id };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buf_free(all[i]);
    d->crypt = c;
    return fits ? FAULT_NONE : FAULT_ENCRYPTED;
}

void pdf_crypt_close(struct pdf_crypt *c)
{
    if (!c) return;
    explicit_bzero(c, sizeof *c);
    free(c);
}

/* ---- decrypting ---- */

/* Algorithm 1 */
static size_t key_of_object(const struct pdf_crypt *c, const struct pdf_place *at, bool aes,
                            uint8_t out[16])
{
    struct md5_ctx m;
    uint8_t id[5] = { (uint8_t)at->number, (uint8_t)(at->number >> 8), (uint8_t)(at->number >> 16),
                      (uint8_t)at->generation, (uint8_t)(at->generation >> 8) };
    md5_init(&m);
    md5_update(&m, c->key_n, c->key);
    md5_update(&m, sizeof id, id);
    if (aes) md5_update(&m, 4, (const uint8_t *)"sAlT");
    md5_digest(&m, 16, out);
    return c->key_n + 5 < 16 ? c->key_n + 5 : 16;
}

/* An initial vector, then blocks, the last of which says how many bytes of it are none. */
static void cbc(const void *ctx, nettle_cipher_func *f, struct buf *b)
{
    uint8_t iv[BLOCK];
    if (b->n < 2 * BLOCK) {
        buf_clear(b);
        return;
    }
    uint8_t *p = (uint8_t *)b->p;
    size_t n = (b->n - BLOCK) / BLOCK * BLOCK;
    memcpy(iv, p, BLOCK);
    memmove(p, p + BLOCK, n);
    cbc_decrypt(ctx, f, BLOCK, iv, n, p, p);
    uint8_t pad = p[n - 1];
    b->n = n - (pad <= BLOCK ? pad : 0);
    p[b->n] = 0;
}

void pdf_decrypt(const struct pdf *d, const struct pdf_place *at, bool string, struct buf *b)
{
    const struct pdf_crypt *c = d->crypt;
    uint8_t key[16];
    struct aes128_ctx short_aes;
    struct aes256_ctx long_aes;
    enum cipher how = !c || !at ? CIPHER_NONE : string ? c->strings : c->streams;
    if (how == CIPHER_NONE || !b->n) return;
    if (how == CIPHER_AES256) {
        aes256_set_decrypt_key(&long_aes, c->key);
        cbc(&long_aes, (nettle_cipher_func *)aes256_decrypt, b);
        explicit_bzero(&long_aes, sizeof long_aes);
        return;
    }
    size_t n = key_of_object(c, at, how == CIPHER_AES128, key);
    if (how == CIPHER_RC4) {
        rc4(key, n, (uint8_t *)b->p, b->n);
    } else {
        aes128_set_decrypt_key(&short_aes, key);
        cbc(&short_aes, (nettle_cipher_func *)aes128_decrypt, b);
        explicit_bzero(&short_aes, sizeof short_aes);
    }
    explicit_bzero(key, sizeof key);
}
