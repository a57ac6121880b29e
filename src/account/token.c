/* Access tokens: JWT (RFC 7519) signed as JWS (RFC 7515) with HS256, by libjose.
 *
 * Most holes of JWT libraries lie in the header, which an attacker writes and a server believes:
 * alg none, another alg under the same key, a key or its address within the token. Nobody but us
 * makes our tokens, so there is exactly one header, {"alg":"HS256","typ":"JWT"}, and a token that
 * does not begin with these very bytes is refused before anything is parsed (RFC 8725, 3.1). What
 * is left is the payload, and that is looked into only after the signature was found right. Each
 * part has one spelling: base64url without padding and with no stray bits in its last character, so
 * a token cannot be changed into another that means the same.
 *
 * Claims: iss "likeness", aud the home's id (another home's tokens are worth nothing even under the
 * same key), sub the account, sid the session, iat, nbf, exp. All are required, nothing else is
 * looked at, and the rest is the session's: it says whether the token was revoked.
 *
 * The comparison of signatures is constant in time (libjose calls CRYPTO_memcmp). The key stays in
 * ordinary memory, in the JSON that libjose wants, and is zeroed at the end. No state; any thread.
 */
#include "account/inside.h"

#include <jose/b64.h>
#include <jose/jws.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "likeness"
#define HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define EARLY  5 /* seconds that a clock may have been set back */
#define URL    sodium_base64_VARIANT_URLSAFE_NO_PADDING

int token_key_make(const uint8_t key[32], const uint8_t home_id[16], struct token_key *out,
                   struct err *err)
{
    char k[WORD_BYTES + 1];
    sodium_bin2base64(k, sizeof k, key, 32, URL);
    sodium_bin2hex(out->home, sizeof out->home, home_id, 16);
    out->jwk = json_pack("{s:s, s:s, s:s}", "kty", "oct", "alg", "HS256", "k", k);
    sodium_memzero(k, sizeof k);
    return out->jwk ? 0 : err_nomem(err);
}

void token_key_clear(struct token_key *k)
{
    json_t *value = json_object_get(k->jwk, "k");
    char *p = (char *)(uintptr_t)json_string_value(value);
    if (p) sodium_memzero(p, json_string_length(value));
    json_decref(k->jwk);
    k->jwk = NULL;
}

static json_t *claims_json(const struct token_key *k, const struct token_claims *c)
{
    char sub[33], sid[33];
    sodium_bin2hex(sub, sizeof sub, c->account, VAULT_UID);
    sodium_bin2hex(sid, sizeof sid, c->session, VAULT_UID);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", ISSUER, "aud", k->home, "sub",
                     sub, "sid", sid, "iat", (json_int_t)c->issued, "nbf", (json_int_t)c->issued,
                     "exp", (json_int_t)c->expires);
}

int token_make(const struct token_key *k, const struct token_claims *c, char out[ACCOUNT_TOKEN_MAX],
               struct err *err)
{
    json_t *claims = claims_json(k, c), *jws = NULL, *head = NULL;
    const char *payload = NULL, *protected = NULL, *signature = NULL;
    int rc = 0;
    if (claims) jws = json_pack("{s:o}", "payload", jose_b64_enc_dump(claims));
    head = json_pack("{s:{s:s, s:s}}", "protected", "alg", "HS256", "typ", "JWT");
    if (!jws || !head || !jose_jws_sig(NULL, jws, head, k->jwk) ||
        json_unpack(jws, "{s:s, s:s, s:s}", "payload", &payload, "protected", &protected,
                    "signature", &signature)) {
        rc = err_set(err, ERR_INTERNAL, "the access token could not be signed");
        goto out;
    }
    int n = snprintf(out, ACCOUNT_TOKEN_MAX, "%s.%s.%s", protected, payload, signature);
    if (n >= ACCOUNT_TOKEN_MAX || strcmp(protected, HEADER) != 0)
        rc = err_set(err, ERR_INTERNAL, "the access token came out in another form");
out:
    json_decref(claims);
    json_decref(jws);
    json_decref(head);
    return rc;
}

/* Is this the one way to write these bytes? */
static bool canonical(struct span part, uint8_t *out, size_t size, size_t *n)
{
    const char *end = NULL;
    return part.n && !sodium_base642bin(out, size, part.p, part.n, NULL, n, &end, URL) &&
           end == part.p + part.n;
}

static bool signed_by(const struct token_key *k, struct span payload, struct span signature)
{
    json_t *jws = json_pack("{s:s%, s:s, s:s%}", "payload", payload.p, payload.n, "protected",
                            HEADER, "signature", signature.p, signature.n);
    bool right = jws && jose_jws_ver(NULL, jws, NULL, k->jwk, false);
    json_decref(jws);
    return right;
}

static bool uid_of(const char *hex, uint8_t out[VAULT_UID])
{
    size_t n = 0;
    return strlen(hex) == (size_t)2 * VAULT_UID && strspn(hex, "0123456789abcdef") == 32 &&
           !sodium_hex2bin(out, VAULT_UID, hex, 32, NULL, &n, NULL) && n == VAULT_UID;
}

static bool claims_read(const struct token_key *k, const uint8_t *p, size_t n, int64_t now,
                        struct token_claims *out)
{
    const char *iss = "", *aud = "", *sub = "", *sid = "";
    json_int_t iat = 0, nbf = 0, exp = 0;
    json_t *doc = json_loadb((const char *)p, n, JSON_REJECT_DUPLICATES, NULL);
    bool ok = doc &&
              !json_unpack(doc, "{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", &iss, "aud", &aud,
                           "sub", &sub, "sid", &sid, "iat", &iat, "nbf", &nbf, "exp", &exp) &&
              !strcmp(iss, ISSUER) && !strcmp(aud, k->home) && uid_of(sub, out->account) &&
              uid_of(sid, out->session) && nbf <= now + EARLY && iat <= now + EARLY && iat < exp;
    out->issued = iat;
    out->expires = exp;
    json_decref(doc);
    return ok;
}

int token_check(const struct token_key *k, struct span token, int64_t now, struct token_claims *out,
                struct err *err)
{
    static const size_t HEAD = sizeof HEADER; /* with the dot where the string has its NUL */
    uint8_t payload[ACCOUNT_TOKEN_MAX], mac[64];
    size_t payload_n = 0, mac_n = 0;
    struct token_claims c;
    bool ok = token.n > HEAD && token.n < ACCOUNT_TOKEN_MAX && !memcmp(token.p, HEADER ".", HEAD) &&
              !memchr(token.p, 0, token.n);
    if (ok) {
        struct span rest = { token.p + HEAD, token.n - HEAD };
        const char *dot = memchr(rest.p, '.', rest.n);
        struct span first = { rest.p, dot ? (size_t)(dot - rest.p) : 0 };
        struct span last = { dot ? dot + 1 : rest.p, dot ? rest.n - first.n - 1 : 0 };
        ok = canonical(first, payload, sizeof payload, &payload_n) &&
             canonical(last, mac, sizeof mac, &mac_n) && mac_n == 32 && signed_by(k, first, last) &&
             claims_read(k, payload, payload_n, now, &c);
    }
    if (!ok) return err_set(err, ERR_KEY, "the access token is not valid: log in again");
    if (now >= c.expires)
        return err_set(err, ERR_KEY,
                       "the access token has expired: ask for a new one with the "
                       "refresh token, or log in again");
    *out = c;
    return 0;
}

void word_make(char out[WORD_BYTES + 1])
{
    uint8_t raw[32];
    randombytes_buf(raw, sizeof raw);
    sodium_bin2base64(out, WORD_BYTES + 1, raw, sizeof raw, URL);
    sodium_memzero(raw, sizeof raw);
}

/* Such a word holds 256 bits that nobody chose: a plain hash of it is as good as a slow one. */
bool word_digest(const char *purpose, const char *word, uint8_t out[SERVICE_DIGEST])
{
    uint8_t raw[33];
    size_t n = 0;
    crypto_generichash_state h;
    bool ok = strnlen(word, WORD_BYTES + 1) == WORD_BYTES &&
              canonical((struct span){ word, WORD_BYTES }, raw, sizeof raw, &n) && n == 32;
    if (ok) {
        crypto_generichash_init(&h, NULL, 0, SERVICE_DIGEST);
        crypto_generichash_update(&h, (const uint8_t *)purpose, strlen(purpose) + 1);
        crypto_generichash_update(&h, raw, n);
        crypto_generichash_final(&h, out, SERVICE_DIGEST);
    }
    sodium_memzero(raw, sizeof raw);
    return ok;
}
