/* Arbitrary text through small built-in vocabularies, one of each kind. The first byte chooses the
 * vocabulary, the second the flags. Ids stay in range, positions never go back, text is never
 * special unless that was asked for, and where the vocabulary has bytes, valid UTF-8 comes back
 * as it went. */
#include "base/buf.h"
#include "base/str.h"
#include "model/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) abort();                                                                         \
    } while (0)

enum { N_VOCABS = 9, TEKKEN = 8, N_TOKENS = 270 };

static const char *const pres[] = { "gpt-2",  "llama-bpe", "qwen2",
                                    "smollm", "default",   [TEKKEN] = "tekken" };
static const char *const bpe[] = { "ab",   "abc", "Ġa",         "ĠĠ",    "aa",
                                   "aaaa", "12",  "<|eot_id|>", "<tool>" };
static const char *const merges[] = { "a b", "ab c", "Ġ a", "Ġ Ġ", "a a", "aa aa", "1 2" };
static const char *const words[] = { "\u2581", "\u2581a", "ab",       "abc",   "\u2581\u2581",
                                     "é",      "aa",      "\u2581ab", "<unk>", "<|eot_id|>",
                                     "<tool>", "[UNK]",   "b" };

static void put(struct buf *b, const char *s)
{
    buf_u64(b, strlen(s));
    buf_adds(b, s);
}

static void key(struct buf *b, const char *name, uint32_t type)
{
    char k[64];
    snprintf(k, sizeof k, "tokenizer.ggml.%s", name);
    put(b, k);
    buf_u32(b, type);
}

static void array(struct buf *b, const char *name, uint32_t of, size_t n)
{
    key(b, name, 9);
    buf_u32(b, of);
    buf_u64(b, n);
}

static size_t byte_names(char out[256][8], bool alphabet)
{
    for (int c = 0, other = 256; c < 256; c++) {
        bool plain = (c > ' ' && c < 127) || (c > 160 && c != 173);
        if (alphabet) out[c][utf8_put(out[c], (uint32_t)(plain ? c : other++))] = 0;
        else snprintf(out[c], 8, "<0x%02X>", c);
    }
    return 256;
}

static struct tokenizer *make(int k)
{
    static const char *const models[] = { "llama", "t5", "bert" };
    bool is_bpe = k < 5 || k == TEKKEN, bytes = is_bpe || k == 5;
    char names[256][8];
    const char *tokens[N_TOKENS];
    int32_t type[N_TOKENS];
    struct buf b = { 0 };
    struct gguf *g;
    struct tokenizer *t;
    size_t n = bytes ? byte_names(names, is_bpe) : 0;
    for (size_t i = 0; i < n; i++) tokens[i] = names[i], type[i] = is_bpe ? 1 : 6;
    const char *const *more = is_bpe ? bpe : words;
    size_t m = is_bpe ? sizeof bpe / sizeof *bpe : sizeof words / sizeof *words;
    for (size_t i = 0; i < m; i++) {
        tokens[n] = more[i];
        type[n++] = !strcmp(more[i], "<tool>")                               ? 4
                    : !strcmp(more[i], "<|eot_id|>")                         ? 3
                    : !strcmp(more[i], "<unk>") || !strcmp(more[i], "[UNK]") ? 2
                                                                             : 1;
    }
    buf_adds(&b, "GGUF");
    buf_u32(&b, 3);
    buf_u64(&b, 0);
    buf_u64(&b, 7);
    key(&b, "model", 8), put(&b, is_bpe ? "gpt2" : models[k - 5]);
    key(&b, "pre", 8), put(&b, is_bpe ? pres[k] : "");
    array(&b, "tokens", 8, n);
    for (size_t i = 0; i < n; i++) put(&b, tokens[i]);
    array(&b, "token_type", 5, n);
    for (size_t i = 0; i < n; i++) buf_u32(&b, (uint32_t)type[i]);
    array(&b, "scores", 5, n);
    for (size_t i = 0; i < n; i++) buf_u32(&b, (uint32_t) - (int32_t)(i % 7) - 1);
    array(&b, "merges", 8, sizeof merges / sizeof *merges);
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) put(&b, merges[i]);
    key(&b, "unknown_token_id", 4), buf_u32(&b, (uint32_t)n - 2);
    while (b.n % 32) buf_u8(&b, 0);
    MUST(!gguf_open_mem(b.p, b.n, "vocabulary", &g, NULL));
    MUST(!tokenizer_open(g, &t, NULL));
    gguf_close(g);
    buf_free(&b);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct tokenizer *all[N_VOCABS];
    if (n < 2) return 0;
    int k = data[0] % N_VOCABS, flags = data[1] & 3;
    const char *s = (const char *)data + 2;
    n -= 2;
    if (!all[k]) all[k] = make(k);
    const struct tokenizer *t = all[k];
    size_t cap = 4 * n + 16;
    int32_t *ids = malloc(cap * sizeof *ids);
    uint32_t *off = malloc(cap * sizeof *off);
    MUST(ids && off);
    size_t got = tokenizer_encode_at(t, s, n, flags, ids, off, cap);
    MUST(got <= cap);
    MUST(tokenizer_encode(t, s, n, flags, NULL, 0) == got);
    struct buf out = { 0 };
    struct utf8_hold hold = { 0 };
    bool special = false;
    for (size_t i = 0; i < got; i++) {
        MUST(ids[i] >= 0 && ids[i] < tokenizer_size(t));
        MUST(off[i] <= n && (!i || off[i] >= off[i - 1]));
        special |= tokenizer_special(t, ids[i]);
        MUST(!tokenizer_ends(t, ids[i]) || flags & TOKENIZE_SPECIAL);
        tokenizer_text(t, ids[i], &hold, &out);
    }
    tokenizer_flush(&hold, &out);
    MUST(utf8_valid(buf_str(&out), out.n));
    bool back = (k < 6 || k == TEKKEN) && k != 2 && !special && utf8_valid(s, n);
    if (back && (k != 5 || !memmem(s, n, "\u2581", 3)) && (k != 5 || !memmem(s, n, "<tool>", 6)))
        MUST(out.n == n && (!n || !memcmp(out.p, s, n)));
    buf_free(&out);
    free(ids);
    free(off);
    return 0;
}
