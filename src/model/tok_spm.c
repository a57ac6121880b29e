/* SentencePiece BPE (Kudo and Richardson 2018), as LLaMA, Mistral and Gemma use it: characters are
 * joined in order of the score of what they make; what is no token goes as bytes, <0xE2>.
 *
 * SentencePiece writes a space as U+2581 in its tokens. Ours hold the space itself, so text needs
 * no rewriting but for a space put before it, and for U+2581 in the text, which counts as a
 * space.
 *
 * Where no token holds a space after something else, no merge crosses the beginning of a word: then
 * words are merged one by one, with the same result as all at once, and mostly by one look-up. */
#include "model/tok_impl.h"

#include <math.h>
#include <stdlib.h>

#define BLANK "\xE2\x96\x81"

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "<0xE2>" is the byte E2: -1 if s is not of that form. */
static int byte_named(struct span s)
{
    if (s.n != 6 || memcmp(s.p, "<0x", 3) != 0 || s.p[5] != '>') return -1;
    int a = hex(s.p[3]), b = hex(s.p[4]);
    return a < 0 || b < 0 ? -1 : a * 16 + b;
}

/* Tokens in place, as bytes. Says which of them text may become. */
static void unescape_all(struct tokenizer *t, bool *in)
{
    uint32_t to = 0;
    for (int id = 0; id < t->n; id++) {
        struct span s = tok_text(t, id);
        int b = t->type[id] == TOK_BYTE ? byte_named(s) : -1;
        bool other = false;
        t->at[id] = to;
        in[id] = t->type[id] == TOK_NORMAL || t->type[id] == TOK_USER || t->type[id] == TOK_UNUSED;
        t->has_unused |= t->type[id] == TOK_UNUSED;
        if (b >= 0) {
            t->byte_id[b] = id;
            t->text[to++] = (char)b;
            continue;
        }
        for (size_t i = 0; i < s.n; i++) {
            bool blank = i + 3 <= s.n && !memcmp(s.p + i, BLANK, 3);
            char c = blank ? ' ' : s.p[i];
            if (blank) i += 2;
            if (c == ' ' && other && in[id]) t->words = false;
            other |= c != ' ';
            t->text[to++] = c;
        }
    }
    t->at[t->n] = to;
}

static int check_scores(struct tokenizer *t, struct err *err)
{
    t->min_score = 0, t->max_score = -INFINITY;
    for (int i = 0; i < t->n; i++) {
        if (!isfinite(t->score[i]))
            return err_set(err, ERR_PARSE, "tokenizer.ggml.scores: entry %d is no number", i);
        if (t->type[i] != TOK_NORMAL) continue;
        if (t->score[i] < t->min_score) t->min_score = t->score[i];
        if (t->score[i] > t->max_score) t->max_score = t->score[i];
    }
    return 0;
}

static int open_trie(struct tokenizer *t, const bool *in, struct err *err)
{
    int rc = tok_trie_init(&t->trie, 1);
    for (int i = 0; i < t->n && !rc; i++)
        if (in[i] && t->type[i] != TOK_UNUSED && tok_text(t, i).n)
            rc = tok_trie_add(&t->trie, 0, tok_text(t, i), i);
    return rc ? err_set(err, rc, "tokenizer.ggml.tokens: no room for a trie of them") : 0;
}

static int open_charsmap(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    struct gguf_array a;
    if (!gguf_array(g, "tokenizer.ggml.precompiled_charsmap", &a) || !a.n) return 0;
    if (a.n > 1u << 26)
        return err_set(err, ERR_LIMIT, "tokenizer.ggml.precompiled_charsmap: %zu bytes", a.n);
    t->charsmap = malloc(a.n + 1);
    if (!t->charsmap) return err_nomem(err);
    for (size_t i = 0; i < a.n; i++) t->charsmap[i] = (unsigned char)(int)gguf_array_num(&a, i);
    t->charsmap[a.n] = 0; /* ends the last string, whatever the file says */
    t->charsmap_n = a.n;
    uint32_t trie = 0;
    if (a.n > 4) memcpy(&trie, t->charsmap, 4);
    if (trie < 4 || trie % 4 || trie > a.n - 4)
        return err_set(err, ERR_PARSE,
                       "tokenizer.ggml.precompiled_charsmap: its trie has %u bytes of %zu", trie,
                       a.n);
    return 0;
}

int tok_sentencepiece_open(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    bool *in = calloc((size_t)t->n + 1, sizeof *in);
    int rc = 0;
    if (!in) return err_nomem(err);
    t->words = true;
    unescape_all(t, in);
    if (!(rc = check_scores(t, err))) rc = tok_map_build(t, in, err);
    if (!rc && t->kind == TOKENIZER_UNIGRAM) rc = open_trie(t, in, err);
    if (!rc && t->kind == TOKENIZER_UNIGRAM) rc = open_charsmap(t, g, err);
    free(in);
    return rc;
}

/* A word begins at a space that follows something else. */
size_t tok_word_end(const char *s, size_t n, size_t at)
{
    while (at < n && s[at] == ' ') at++;
    const char *sp = memchr(s + at, ' ', n - at);
    return sp ? (size_t)(sp - s) : n;
}

void tok_spm_encode(const struct tokenizer *t, const char *s, size_t n, bool first,
                    struct tok_out *o)
{
    struct tok_norm m = { .want_map = o->off != NULL };
    bool prefix = t->space_prefix && first, blank = memmem(s, n, BLANK, 3) != NULL;
    if (prefix || blank) {
        if (prefix) tok_norm_add(&m, " ", 1, 0, 0);
        for (size_t i = 0, k; i < n; i = k) {
            const char *b = blank ? memmem(s + i, n - i, BLANK, 3) : NULL;
            k = b ? (size_t)(b - s) : n;
            if (k == i) tok_norm_add(&m, " ", 1, i, 0), k = i + 3;
            else tok_norm_add(&m, s + i, k - i, i, 1);
        }
        if (m.failed) o->nomem = true;
        s = m.text.p, n = m.text.n, o->map = m.map;
    }
    for (size_t at = 0, to; at < n && !o->nomem; at = to) {
        to = t->words ? tok_word_end(s, n, at) : n;
        tok_merge_piece(t, s, at, to - at, o);
    }
    o->map = NULL;
    tok_norm_free(&m);
}
