/* WordPiece as BERT uses it (Devlin et al. 2019): clean, split into words and marks, then for each
 * word the longest token it begins with, and so on; a word that cannot be written so is unknown as
 * a whole.
 *
 * Cleaning drops control characters and U+FFFD (but not code points that are assigned nothing: the
 * tokenizers that models are used with keep them); an uncased model also wants lower case without
 * accents (canonical decomposition, nonspacing marks dropped, case by character). Ideographs and
 * punctuation are words of their own. All of it happens while the text is walked once, into a
 * buffer that holds one word.
 *
 * Files write the pieces in one of two ways, which we tell apart by looking: begins of words as
 * "▁the" and the rest bare (GGUF), or the rest as "##ing" and begins bare (vocab.txt). Kept are "
 * the" and "ing". */
#include "base/str.h"
#include "model/tok_impl.h"

#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>

enum { WORD_CHARS = 100, WORD_BYTES = 4 * WORD_CHARS };
#define BLANK "\xE2\x96\x81"

static bool special(const struct tokenizer *t, int id)
{
    return t->type[id] == TOK_CONTROL || t->type[id] == TOK_UNKNOWN;
}

/* Neither cased nor uncased is written in the file: an uncased vocabulary has no capitals. */
static bool has_capitals(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z') return s.p[0] != '[';
    return false;
}

/* All tokens rewritten as " the" and "ing". */
static int rewrite(struct tokenizer *t, bool *in)
{
    size_t hashes = 0, blanks = 0, capitals = 0;
    uint32_t to = 0;
    for (int i = 0; i < t->n; i++) {
        struct span s = tok_text(t, i);
        hashes += span_starts(s, "##"), blanks += span_starts(s, BLANK);
        capitals += !special(t, i) && has_capitals(s);
    }
    t->lower = !capitals;
    bool raw = hashes > blanks;
    char *text = malloc((size_t)t->at[t->n] + (size_t)t->n + 1);
    if (!text) return ERR_NOMEM;
    for (int i = 0; i < t->n; i++) {
        struct span s = tok_text(t, i);
        in[i] = !special(t, i);
        t->at[i] = to;
        bool begin = raw ? !span_starts(s, "##") : span_starts(s, BLANK);
        size_t skip = raw ? (begin ? 0 : 2) : begin ? 3 : 0;
        if (!in[i]) begin = false, skip = 0;
        if (begin) text[to++] = ' ';
        memcpy(text + to, s.p + skip, s.n - skip);
        to += (uint32_t)(s.n - skip);
    }
    t->at[t->n] = to;
    free(t->text);
    t->text = text;
    return 0;
}

int tok_wordpiece_open(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    bool *in = calloc((size_t)t->n + 1, sizeof *in);
    int rc = in ? rewrite(t, in) : ERR_NOMEM;
    if (rc) rc = err_nomem(err);
    if (!rc) rc = tok_map_build(t, in, err);
    if (!rc && (rc = tok_trie_init(&t->trie, 2))) rc = err_nomem(err);
    for (int i = 0; i < t->n && !rc; i++) {
        struct span s = tok_text(t, i);
        uint32_t root = s.n && s.p[0] == ' ' ? 0 : 1;
        if (!root) s.p++, s.n--;
        if (in[i] && s.n && (rc = tok_trie_add(&t->trie, root, s, i)))
            rc = err_set(err, rc, "tokenizer.ggml.tokens: no room for a trie of them");
    }
    free(in);
    t->lower = gguf_bool_or(g, "tokenizer.ggml.lower_case", t->lower);
    if (!rc && t->unk < 0)
        rc = err_set(err, ERR_PARSE, "tokenizer.ggml.unknown_token_id is missing");
    return rc;
}

/* ---- encoding ---- */

struct word {
    const struct tokenizer *t;
    struct tok_out *o;
    const UNormalizer2 *nfd;
    size_t n, from;              /* bytes after the space; where in the text it begins */
    int chars;                   /* may pass WORD_CHARS: then it is unknown */
    char s[WORD_BYTES + 8];      /* s[0] is a space */
    uint32_t at[WORD_BYTES + 8]; /* of each byte of s + 1: where it came from */
};

static void end_word(struct word *w)
{
    const struct tokenizer *t = w->t;
    int32_t ids[WORD_BYTES];
    uint16_t pos[WORD_BYTES];
    size_t k = 0, i = 0, n = w->n;
    int chars = w->chars;
    w->n = 0, w->chars = 0;
    if (!chars) return;
    if (chars > WORD_CHARS) {
        tok_put(w->o, t->unk, w->from);
        return;
    }
    int32_t whole = tok_find(t, w->s, n + 1);
    if (whole >= 0) {
        tok_put(w->o, whole, w->from);
        return;
    }
    while (i < n) {
        uint32_t node = i ? 1 : 0;
        size_t best = 0;
        int32_t id = -1;
        for (size_t j = i; j < n && (node = tok_step(&t->trie, node, (unsigned char)w->s[1 + j]));
             j++)
            if (t->trie.id[node] >= 0) id = t->trie.id[node], best = j + 1;
        if (id < 0) {
            tok_put(w->o, t->unk, w->from);
            return;
        }
        ids[k] = id, pos[k++] = (uint16_t)i;
        i = best;
    }
    for (i = 0; i < k; i++) tok_put(w->o, ids[i], w->at[pos[i]]);
}

static void add_char(struct word *w, uint32_t c, size_t from)
{
    if (!w->chars) w->from = from;
    if (w->chars++ >= WORD_CHARS) {
        w->chars = WORD_CHARS + 1;
        return;
    }
    uint8_t *b = (uint8_t *)w->s + 1;
    size_t n = w->n;
    U8_APPEND_UNSAFE(b, n, c);
    for (; w->n < n; w->n++) w->at[w->n] = (uint32_t)from;
}

/* A character after normalisation. */
static void on_char(struct word *w, uint32_t c, size_t from)
{
    int k = tok_class(c);
    bool mark = k & (TC_PUNCT | TC_CJK) || (c > 32 && c < 127 && !(k & (TC_LETTER | TC_NUMBER)));
    if (mark || k & TC_SPACE) end_word(w);
    if (k & TC_SPACE) return;
    add_char(w, c, from);
    if (mark) end_word(w);
}

static void uncased(struct word *w, uint32_t c, size_t from)
{
    UChar u[64];
    UErrorCode e = U_ZERO_ERROR;
    int n = unorm2_getDecomposition(w->nfd, (UChar32)c, u, 64, &e);
    if (n < 0 || U_FAILURE(e)) {
        if (!(tok_class(c) & TC_MN)) on_char(w, (uint32_t)u_tolower((UChar32)c), from);
        return;
    }
    for (int i = 0; i < n;) {
        UChar32 d;
        U16_NEXT(u, i, n, d);
        if (!(tok_class((uint32_t)d) & TC_MN)) on_char(w, (uint32_t)u_tolower(d), from);
    }
}

void tok_wordpiece_encode(const struct tokenizer *t, const char *s, size_t n, struct tok_out *o)
{
    UErrorCode e = U_ZERO_ERROR;
    struct word w;
    w.t = t, w.o = o, w.n = 0, w.chars = 0, w.from = 0, w.s[0] = ' ';
    w.nfd = unorm2_getNFDInstance(&e);
    if (U_FAILURE(e)) {
        o->nomem = true;
        return;
    }
    for (size_t i = 0; i < n;) {
        uint32_t c;
        int len = tok_utf8((const unsigned char *)s + i, n - i, &c);
        size_t from = i;
        i += len ? (size_t)len : 1;
        if (!len || !c || c == 0xFFFD) continue;
        int k = tok_class(c);
        if (k & TC_CONTROL) continue;
        if (!t->lower) on_char(&w, c, from);
        else if (c < 0x80) on_char(&w, c >= 'A' && c <= 'Z' ? c + 32 : c, from);
        else uncased(&w, c, from);
    }
    end_word(&w);
}
