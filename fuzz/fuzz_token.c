/* What a stranger may send as a token. The first byte chooses: the bytes as an access token; as the
 * payload of one with a right signature, so that what reads claims is reached; or as a refresh
 * token. A token that was not signed here must never be taken. */
#include "account/inside.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define NOW 1700000000
#define URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

static const uint8_t KEY[32] = { 1 }, HOME[16] = { 2 };
static struct token_key key;

static void as_it_is(const uint8_t *p, size_t n)
{
    struct token_claims c;
    struct err err = { 0 };
    if (!token_check(&key, (struct span){ (const char *)p, n }, NOW, &c, &err)) abort();
    if (err.code != ERR_KEY) abort();
}

static void with_signature(const uint8_t *p, size_t n)
{
    char text[ACCOUNT_TOKEN_MAX + 64] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", sum[48];
    size_t at = strlen(text);
    uint8_t mac[32];
    struct token_claims c;
    if (n > 640) n = 640;
    sodium_bin2base64(text + at, sizeof text - at, p, n, URL);
    crypto_auth_hmacsha256(mac, (const uint8_t *)text, strlen(text), KEY);
    sodium_bin2base64(sum, sizeof sum, mac, sizeof mac, URL);
    at = strlen(text);
    snprintf(text + at, sizeof text - at, ".%s", sum);
    struct span token = { text, strlen(text) };
    if (!token_check(&key, token, NOW, &c, NULL) && (c.expires <= NOW || c.issued > NOW + 60))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char word[64];
    uint8_t digest[SERVICE_DIGEST];
    if (!key.jwk && (sodium_init() < 0 || token_key_make(KEY, HOME, &key, NULL))) abort();
    if (!n) return 0;
    int which = *p++ % 3;
    n--;
    if (which == 0) as_it_is(p, n);
    else if (which == 1) with_signature(p, n);
    else {
        size_t used = n < sizeof word - 1 ? n : sizeof word - 1;
        memcpy(word, p, used);
        word[used] = 0;
        if (word_digest("x", word, digest) && strlen(word) != WORD_BYTES) abort();
    }
    return 0;
}
