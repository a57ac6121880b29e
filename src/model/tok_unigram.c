/* SentencePiece unigram (Kudo 2018), as XLM-RoBERTa uses it: of all ways to write the text in
 * tokens, the one whose scores (log probabilities) sum highest, found by Viterbi's forward pass
 * over byte positions and a trie of the tokens. A character that is no token costs the worst
 * score less 10; neighbours of these become one unknown token, or bytes where the vocabulary has
 * them.
 *
 * As in tok_spm.c, words are done one by one where no token reaches over their borders. */
#include "model/tok_impl.h"

#include <math.h>
#include <stdlib.h>

enum { SHORT = 256 };
#define UNK_PENALTY 10.0

struct node { /* the best way to reach a byte position */
    double score;
    uint32_t from;
    int32_t id; /* -1: an unknown character */
};

static void forward(const struct tokenizer *t, const char *s, size_t n, struct node *v)
{
    double unk = t->min_score - UNK_PENALTY;
    v[0].score = 0;
    for (size_t i = 1; i <= n; i++) v[i].score = -INFINITY;
    for (size_t i = 0, k; i < n; i += k) {
        uint32_t node = 0;
        bool single = false;
        k = (size_t)tok_utf8((const unsigned char *)s + i, n - i, NULL);
        if (!k) k = 1;
        for (size_t j = i; j < n && (node = tok_step(&t->trie, node, (unsigned char)s[j])); j++) {
            int32_t id = t->trie.id[node];
            if (id < 0) continue;
            double score = t->type[id] == TOK_USER ? (double)(j + 1 - i) * t->max_score - 0.1
                                                   : (double)t->score[id];
            if (v[i].score + score > v[j + 1].score)
                v[j + 1] = (struct node){ v[i].score + score, (uint32_t)i, id };
            single |= j + 1 - i == k;
        }
        if (!single && v[i].score + unk > v[i + k].score)
            v[i + k] = (struct node){ v[i].score + unk, (uint32_t)i, -1 };
    }
}

/* Tokens of s[at .. at + n). was_unk: the token before was unknown. */
static bool word(const struct tokenizer *t, const char *s, size_t at, size_t n, bool was_unk,
                 struct tok_out *o)
{
    struct node few[SHORT + 1], *v = n <= SHORT ? few : malloc((n + 1) * sizeof *v);
    if (!v) {
        o->nomem = true;
        return false;
    }
    forward(t, s + at, n, v);
    uint32_t next = UINT32_MAX; /* turn the way round: `from` becomes `to` */
    for (uint32_t i = (uint32_t)n;;) {
        uint32_t from = v[i].from; /* NOLINT(clang-analyzer-core.uninitialized.Assign): forward() */
        v[i].from = next;          /* wrote every node that it came from */
        next = i;
        if (!i) break;
        i = from;
    }
    for (uint32_t i = 0; i < n; i = v[i].from) {
        int32_t id = v[v[i].from].id;
        if (id >= 0) tok_put(o, id, at + i);
        else if (t->bytes || !was_unk) tok_put_bytes(t, s, at + i, v[i].from - i, o);
        was_unk = id < 0;
    }
    if (v != few) free(v);
    return was_unk;
}

void tok_unigram_encode(const struct tokenizer *t, const char *s, size_t n, bool first,
                        struct tok_out *o)
{
    struct tok_norm m = { .want_map = o->off != NULL, .first = first };
    struct tok_norm nfkc = { .want_map = o->off != NULL };
    if (!t->charsmap) {
        tok_norm_icu(true, s, n, &nfkc);
        for (size_t i = 0; i < nfkc.text.n; i++)
            if (memchr("\t\n\r", nfkc.text.p[i], 3)) nfkc.text.p[i] = ' ';
        s = nfkc.text.p, n = nfkc.text.n;
    }
    tok_norm_charsmap(t, s, n, &m);
    if (nfkc.map)
        for (size_t i = 0; i < m.text.n; i++) m.map[i] = nfkc.map[m.map[i]];
    if (m.failed || nfkc.failed) o->nomem = true;
    s = m.text.p, n = m.text.n, o->map = m.map;
    bool was_unk = false;
    for (size_t at = 0, to; at < n && !o->nomem; at = to) {
        to = t->words ? tok_word_end(s, n, at) : n;
        int32_t id = tok_find(t, s + at, to - at);
        unsigned char whole = id < 0 ? 2 : __atomic_load_n(&t->whole[id], __ATOMIC_RELAXED);
        size_t before = o->n;
        if (whole == 1) {
            tok_put(o, id, at);
            was_unk = false;
            continue;
        }
        was_unk = word(t, s, at, to - at, was_unk, o);
        if (!whole && !o->nomem) {
            bool one = o->n == before + 1 && !was_unk && before < o->cap && o->ids[before] == id;
            if (one || before + 1 < o->cap)
                __atomic_store_n(&t->whole[id], one ? 1 : 2, __ATOMIC_RELAXED);
        }
    }
    o->map = NULL;
    tok_norm_free(&m);
    tok_norm_free(&nfkc);
}
