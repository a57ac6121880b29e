/* The opening handshake of a WebSocket (RFC 6455, section 4.2): what a client must have said, and
 * the answer that proves we understood it.
 *
 * The proof is SHA-1 of the client's key and a fixed word. It protects nothing, it only shows that
 * the answer does not come from a cache or a server that speaks something else, so SHA-1 (RFC 3174)
 * does, and stands here because the library we use for cryptography rightly has none.
 *
 * A browser tells the origin of the page that opens the socket and lets any page do it, so a page
 * whose origin is neither this server nor one of the configured ones is refused (section 10.2). It
 * has no token either; this is the second lock. */
#include "base/str.h"
#include "http/inside.h"

#include <sodium.h>
#include <string.h>

static uint32_t turn(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const uint8_t block[64])
{
    static const uint32_t K[4] = { 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6 };
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        uint32_t next = turn(a, 5) + f + e + w[i] + K[i / 20];
        e = d;
        d = c;
        c = turn(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* Of at most 119 bytes: two blocks. */
static void sha1(const char *p, size_t n, uint8_t out[20])
{
    uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
    uint8_t block[128] = { 0 };
    size_t end = n < 56 ? 64 : 128;
    memcpy(block, p, n);
    block[n] = 0x80;
    block[end - 1] = (uint8_t)(n * 8);
    block[end - 2] = (uint8_t)(n * 8 >> 8);
    sha1_block(h, block);
    if (end == 128) sha1_block(h, block + 64);
    for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* The next of words that commas part; false at the end. */
static bool next_word(const char **list, struct span *word)
{
    while (**list == ',' || **list == ' ' || **list == '\t') ++*list;
    size_t n = strcspn(*list, ",");
    *word = span_trim((struct span){ *list, n });
    *list += n;
    return word->n > 0;
}

static bool has_word(const char *list, const char *want)
{
    struct span word;
    while (list && next_word(&list, &word))
        if (span_ieq(word, want)) return true;
    return false;
}

const char *socket_token(const char *protocols, char *out, size_t n)
{
    static const char mark[] = "bearer.";
    struct span word;
    size_t k = sizeof mark - 1;
    while (protocols && next_word(&protocols, &word)) {
        if (word.n <= k || word.n - k >= n || memcmp(word.p, mark, k) != 0) continue;
        memcpy(out, word.p + k, word.n - k);
        out[word.n - k] = 0;
        return out;
    }
    return NULL;
}

static bool origin_good(const struct call *c)
{
    const char *origin = call_header(c, "Origin"), *host = call_header(c, "Host");
    if (!origin || origin_allowed(c->server->o.origins, origin)) return true;
    const char *name = str_starts(origin, "https://")  ? origin + 8
                       : str_starts(origin, "http://") ? origin + 7
                                                       : NULL;
    return name && host && !strcasecmp(name, host);
}

static int upgrade_required(struct call *c, struct err *err, const char *words)
{
    c->status = 426;
    call_reply_header(c, "Upgrade", "websocket");
    call_reply_header(c, "Sec-WebSocket-Version", "13");
    return err_set(err, ERR_INVAL, "%s", words);
}

int handshake(struct call *c, char accept[29], bool *likeness, struct err *err)
{
    static const char word[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const char *key = call_header(c, "Sec-WebSocket-Key");
    const char *version = call_header(c, "Sec-WebSocket-Version");
    uint8_t raw[16], sum[20];
    char both[24 + sizeof word];
    size_t n = 0;
    if (!has_word(call_header(c, "Upgrade"), "websocket") ||
        !has_word(call_header(c, "Connection"), "upgrade"))
        return upgrade_required(c, err, "this is a WebSocket: connect to it with ws:// or wss://");
    if (!version || strcmp(version, "13") != 0)
        return upgrade_required(c, err, "only version 13 of WebSocket is spoken here");
    if (!key || strlen(key) != 24 ||
        sodium_base642bin(raw, sizeof raw, key, 24, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) ||
        n != sizeof raw)
        return err_set(err, ERR_INVAL, "Sec-WebSocket-Key is not 16 bytes in base64");
    if (!origin_good(c)) {
        c->status = 403;
        return err_set(err, ERR_KEY, "pages of this origin may not open a socket here");
    }
    memcpy(both, key, 24);
    memcpy(both + 24, word, sizeof word);
    sha1(both, 24 + sizeof word - 1, sum);
    sodium_bin2base64(accept, 29, sum, sizeof sum, sodium_base64_VARIANT_ORIGINAL);
    *likeness = has_word(call_header(c, "Sec-WebSocket-Protocol"), "likeness");
    return 0;
}
