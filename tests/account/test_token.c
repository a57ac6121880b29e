/* Access tokens: what is made is taken, and everything else that looks like one is not. Forgeries
 * are made with libjose and the right key where that is possible, so that only our own checks stand
 * in their way. */
#include "account/inside.h"
#include "base/str.h"
#include "check.h"

#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <sodium.h>

#define NOW 1700000000

static struct err err;
static const uint8_t KEY[32] = "0123456789abcdef0123456789abcde", HOME[16] = { 0xab, 1 };
static struct token_key key;
static struct token_claims claims = {
    .account = { 1, 2, 3 }, .session = { 9, 8, 7 }, .issued = NOW, .expires = NOW + 900
};
static const char HEAD[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static int take(const char *token, int64_t now)
{
    struct token_claims c;
    return token_check(&key, span_of(token), now, &c, &err);
}

static char *b64(const char *text)
{
    static char out[4][4096];
    static int turn;
    char *p = out[turn++ & 3];
    sodium_bin2base64(p, sizeof out[0], (const uint8_t *)text, strlen(text),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return p;
}

/* head and payload as they are, signed with HMAC-SHA-256 under k. */
static char *forge(const char *head, const char *payload, const uint8_t k[32])
{
    static char out[4][8192];
    static int turn;
    char *p = out[turn++ & 3];
    uint8_t mac[32];
    char sum[64];
    int n = snprintf(p, 4096, "%s.%s", b64(head), b64(payload));
    crypto_auth_hmacsha256(mac, (const uint8_t *)p, (size_t)n, k);
    sodium_bin2base64(sum, sizeof sum, mac, sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(p + n, 8192 - (size_t)n, ".%s", sum);
    return p;
}

static const char *payload(const char *iss, const char *aud, int64_t nbf, int64_t exp,
                           const char *more)
{
    static char out[2048];
    snprintf(
        out, sizeof out,
        "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"01020300000000000000000000000000\","
        "\"sid\":\"09080700000000000000000000000000\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld%s}",
        iss, aud, (long long)nbf, (long long)nbf, (long long)exp, more);
    return out;
}

#define AUD "ab010000000000000000000000000000"

static void refuse(const char *token, const char *what)
{
    int rc = take(token, NOW);
    if (rc != ERR_KEY) fail_msg("%s: got %d, want %d", what, rc, ERR_KEY);
    check_has(err.msg, "not valid");
}

static void ours(void **state)
{
    char token[ACCOUNT_TOKEN_MAX];
    struct token_claims c;
    check_ok(token_make(&key, &claims, token, &err), err);
    check_ok(token_check(&key, span_of(token), NOW, &c, &err), err);
    check_int(memcmp(c.account, claims.account, VAULT_UID), 0);
    check_int(memcmp(c.session, claims.session, VAULT_UID), 0);
    check_int(c.issued, NOW);
    check_int(c.expires, NOW + 900);
    check_ok(take(token, NOW + 899), err);
    check_int(take(token, NOW + 900), ERR_KEY);
    check_has(err.msg, "expired");
    check_int(strlen(token) < 500, 1);
    /* made by hand it is the same */
    check_ok(take(forge(HEAD, payload("likeness", AUD, NOW, NOW + 900, ""), KEY), NOW), err);
}

static void other_claims(void **state)
{
    refuse(forge(HEAD, payload("likeness", AUD, NOW + 60, NOW + 900, ""), KEY), "not yet");
    refuse(forge(HEAD, payload("Likeness", AUD, NOW, NOW + 900, ""), KEY), "iss");
    refuse(forge(HEAD, payload("likeness", "ab010000000000000000000000000001", NOW, NOW + 900, ""),
                 KEY),
           "aud");
    refuse(forge(HEAD, payload("likeness", "", NOW, NOW + 900, ""), KEY), "no aud");
    refuse(forge(HEAD, payload("likeness", AUD, NOW, NOW, ""), KEY), "exp is iat");
    refuse(forge(HEAD, payload("likeness", AUD, NOW, NOW + 900, ",\"iss\":\"likeness\""), KEY),
           "twice");
    refuse(forge(HEAD,
                 "{\"iss\":\"likeness\",\"aud\":\"" AUD "\","
                 "\"sub\":\"01020300000000000000000000000000\","
                 "\"sid\":\"09080700000000000000000000000000\","
                 "\"iat\":1700000000,\"nbf\":1700000060,\"exp\":1700000900}",
                 KEY),
           "nbf alone");
    refuse(forge(HEAD, "{}", KEY), "no claims");
    refuse(forge(HEAD, "[]", KEY), "no object");
    refuse(forge(HEAD, "null", KEY), "null");
    refuse(forge(HEAD, "\xff\xfe", KEY), "no UTF-8");
    refuse(forge(HEAD, "{\"iss\":1,\"aud\":2,\"sub\":3,\"sid\":4}", KEY), "numbers");
    check_ok(take(forge(HEAD, payload("likeness", AUD, NOW, NOW + 900, ",\"x\":1"), KEY), NOW),
             err);
}

static void expiry_is_a_number(void **state)
{
    char text[512];
    static const char *const EXP[] = { "\"1700000900\"", "1700000900.5", "true",
                                       "null",           "[1]",          "1e99" };
    for (size_t i = 0; i < sizeof EXP / sizeof *EXP; i++) {
        snprintf(text, sizeof text,
                 "{\"iss\":\"likeness\",\"aud\":\"" AUD "\",\"sub\":\"%032d\",\"sid\":\"%032d\","
                 "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":%s}",
                 0, 0, EXP[i]);
        refuse(forge(HEAD, text, KEY), EXP[i]);
    }
}

static void subjects(void **state)
{
    static const char *const SUB[] = { "",
                                       "01",
                                       "0102030000000000000000000000000",
                                       "010203000000000000000000000000000",
                                       "0102030000000000000000000000000g",
                                       "0102030000000000000000000000000A" };
    char text[512];
    for (size_t i = 0; i < sizeof SUB / sizeof *SUB; i++) {
        snprintf(text, sizeof text,
                 "{\"iss\":\"likeness\",\"aud\":\"" AUD "\",\"sub\":\"%s\",\"sid\":\"%032d\","
                 "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700000900}",
                 SUB[i], 0);
        refuse(forge(HEAD, text, KEY), SUB[i]);
    }
}

static void headers(void **state)
{
    static const char *const OTHER[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"None\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\"}",
        "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jku\":\"https://example.org\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"typ\":\"JWE\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"} ",
        "{\"alg\":\"HS256\",\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{}",
    };
    const char *body = payload("likeness", AUD, NOW, NOW + 900, "");
    char bare[2048];
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++) {
        refuse(forge(OTHER[i], body, KEY), OTHER[i]);
        snprintf(bare, sizeof bare, "%s.%s.", b64(OTHER[i]), b64(body));
        refuse(bare, "no signature");
        snprintf(bare, sizeof bare, "%s.%s", b64(OTHER[i]), b64(body));
        refuse(bare, "two parts");
    }
}

/* As forge, by libjose: other algorithms, and a key of the attacker's own in the header. */
static void jose_sign(const json_t *jwk, json_t *head, char out[8192])
{
    const char *p = NULL, *h = NULL, *s = NULL;
    const char *body = payload("likeness", AUD, NOW, NOW + 900, "");
    json_t *jws = json_pack("{s:o}", "payload", jose_b64_enc(body, strlen(body)));
    json_t *with = json_pack("{s:o}", "protected", head);
    assert_true(jose_jws_sig(NULL, jws, with, jwk));
    assert_int_equal(
        json_unpack(jws, "{s:s, s:s, s:s}", "payload", &p, "protected", &h, "signature", &s), 0);
    snprintf(out, 8192, "%s.%s.%s", h, p, s);
    json_decref(jws);
    json_decref(with);
}

static void other_algorithms(void **state)
{
    static const char *const ALG[] = { "HS256", "HS384", "HS512", "RS256", "ES256" };
    char token[8192];
    for (size_t i = 0; i < sizeof ALG / sizeof *ALG; i++) {
        json_t *jwk = json_pack("{s:s}", "alg", ALG[i]);
        assert_true(jose_jwk_gen(NULL, jwk));
        json_t *pub = json_deep_copy(jwk);
        if (ALG[i][0] != 'H') jose_jwk_pub(NULL, pub);
        jose_sign(jwk, json_pack("{s:s, s:s}", "alg", ALG[i], "typ", "JWT"), token);
        refuse(token, ALG[i]);
        jose_sign(jwk, json_pack("{s:s, s:s, s:o}", "alg", ALG[i], "typ", "JWT", "jwk", pub),
                  token);
        refuse(token, "jwk");
        json_decref(jwk);
    }
}

static void tampered(void **state)
{
    char token[ACCOUNT_TOKEN_MAX], copy[ACCOUNT_TOKEN_MAX + 8];
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    check_ok(token_make(&key, &claims, token, &err), err);
    size_t n = strlen(token);
    for (size_t i = 0; i < n;
         i++) { /* every character, to each that follows it by one bit or more */
        const char *d = strchr(DIGITS, token[i]);
        strcpy(copy, token);
        for (int bit = 1; bit < 64; bit <<= 1) {
            copy[i] = d ? DIGITS[(d - DIGITS) ^ bit] : DIGITS[bit];
            refuse(copy, "one character");
        }
        copy[i] = '=';
        refuse(copy, "padding inside");
        copy[i] = ' ';
        refuse(copy, "a space");
    }
    for (size_t i = 0; i < n; i++) {
        strcpy(copy, token);
        copy[i] = 0;
        refuse(copy, "cut short");
    }
}

static void spellings(void **state)
{
    static const char *const AFTER[] = { ".", "=", "==", " ", "\n", "A", ".AAAA", "\t", "AAAA" };
    static const char *const BEFORE[] = { " ", ".", "Bearer ", "=" };
    char token[ACCOUNT_TOKEN_MAX], copy[ACCOUNT_TOKEN_MAX + 16];
    check_ok(token_make(&key, &claims, token, &err), err);
    for (size_t i = 0; i < sizeof AFTER / sizeof *AFTER; i++) {
        snprintf(copy, sizeof copy, "%s%s", token, AFTER[i]);
        refuse(copy, "after");
    }
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++) {
        snprintf(copy, sizeof copy, "%s%s", BEFORE[i], token);
        refuse(copy, "before");
    }
    /* 32 bytes end in a character of which only four bits count: the other two must be none. */
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t last = strlen(token) - 1;
    const char *d = strchr(DIGITS, token[last]);
    for (int bits = 1; bits < 4; bits++) {
        strcpy(copy, token);
        copy[last] = DIGITS[(d - DIGITS) | bits];
        refuse(copy, "another spelling of the same signature");
    }
    refuse("", "nothing");
    refuse(".", "one dot");
    refuse("..", "two dots");
    refuse("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "a head");
    refuse("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", "a head and a dot");
    refuse("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..", "a head and two dots");
}

static void huge(void **state)
{
    size_t n = 1 << 20;
    char *big = malloc(n + 1);
    memset(big, 'A', n);
    memcpy(big, b64(HEAD), strlen(b64(HEAD)));
    big[36] = '.';
    big[n - 44] = '.';
    big[n] = 0;
    refuse(big, "a megabyte");
    memset(big, '.', n);
    refuse(big, "dots");
    free(big);
    char more[1200];
    memset(more, 'x', sizeof more);
    memcpy(more, ",\"x\":\"", 6);
    strcpy(more + 1100, "\"");
    refuse(forge(HEAD, payload("likeness", AUD, NOW, NOW + 900, more), KEY), "too long, signed");
}

static void other_keys(void **state)
{
    uint8_t other[32];
    static const uint8_t elsewhere[16] = { 0xab, 2 };
    struct token_key k2, k3;
    char token[ACCOUNT_TOKEN_MAX];
    memcpy(other, KEY, 32);
    other[31] ^= 1;
    check_ok(token_key_make(other, HOME, &k2, &err), err);
    check_ok(token_key_make(KEY, elsewhere, &k3, &err), err);
    check_ok(token_make(&k2, &claims, token, &err), err);
    refuse(token, "another key");
    check_ok(token_make(&k3, &claims, token, &err), err);
    refuse(token, "another home under the same key");
    token_key_clear(&k2);
    token_key_clear(&k3);
    uint8_t none[32] = { 0 };
    refuse(forge(HEAD, payload("likeness", AUD, NOW, NOW + 900, ""), none), "a key of zeros");
}

static void words(void **state)
{
    char a[WORD_BYTES + 1], b[WORD_BYTES + 1], long_one[64];
    uint8_t d1[SERVICE_DIGEST], d2[SERVICE_DIGEST];
    word_make(a);
    word_make(b);
    check_int(strlen(a), WORD_BYTES);
    assert_string_not_equal(a, b);
    assert_true(word_digest("x", a, d1));
    assert_true(word_digest("y", a, d2));
    assert_int_not_equal(memcmp(d1, d2, sizeof d1), 0);
    assert_true(word_digest("x", b, d2));
    assert_int_not_equal(memcmp(d1, d2, sizeof d1), 0);
    snprintf(long_one, sizeof long_one, "%sA", a);
    assert_false(word_digest("x", long_one, d1));
    a[42] = a[42] == 'A' ? 'B' : (char)(a[42] + 1); /* two bits of it are no bits of the word */
    assert_false(word_digest("x", a, d1));
    a[42] = 0;
    assert_false(word_digest("x", a, d1));
    assert_false(word_digest("x", "", d1));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(ours),     cmocka_unit_test(other_claims),
        cmocka_unit_test(subjects), cmocka_unit_test(expiry_is_a_number),
        cmocka_unit_test(headers),  cmocka_unit_test(other_algorithms),
        cmocka_unit_test(tampered), cmocka_unit_test(spellings),
        cmocka_unit_test(huge),     cmocka_unit_test(other_keys),
        cmocka_unit_test(words),
    };
    if (sodium_init() < 0 || token_key_make(KEY, HOME, &key, &err)) return 1;
    int rc = check_run("account/token", t);
    token_key_clear(&key);
    return rc;
}
