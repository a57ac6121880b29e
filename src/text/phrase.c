/* Key phrases. Every stretch of one to three content words that no stop word, mark or number
 * interrupts is a candidate; candidates are told apart by their stems, so "old boat" and "old
 * boats" count together, and shown as they were written most often (a majority vote in one pass).
 *
 * Capitals: a word at the start of a sentence has one whether it is a name or not. A stem is a name
 * when, inside sentences, it is written with a capital more often than without. */
#include "text/phrase.h"

#include "base/map.h"
#include "base/str.h"
#include "text/sentence.h"
#include "text/token.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define MAX_WORDS      3
#define MAX_CANDIDATES 65536

struct word {
    size_t from, to; /* bytes */
    uint64_t stem;
};

struct candidate {
    struct word w[MAX_WORDS]; /* the form that leads the vote */
    int n;
    int count, votes;
    uint64_t key, form;
    float weight;
};

struct phrases {
    const char *s;
    struct candidate *c;
    size_t n, cap;
    struct map index;    /* key of the phrase -> place in c, plus one */
    struct map capitals; /* stem -> times with a capital << 32 | times without, inside sentences */
    bool failed;
};

static uint64_t join_key(const struct word *w, int n)
{
    uint64_t k = w[0].stem;
    for (int i = 1; i < n; i++) k = hash64(&w[i].stem, sizeof w[i].stem, k);
    return k;
}

/* A hash of the phrase as written, capitals aside. */
static uint64_t form_key(const char *s, const struct word *w, int n)
{
    uint64_t k = 0;
    for (int i = 0; i < n; i++)
        for (size_t j = w[i].from; j < w[i].to; j++) {
            char c = s[j] >= 'A' && s[j] <= 'Z' ? (char)(s[j] + 32) : s[j];
            k = (k ^ (unsigned char)c) * 0x100000001B3u + 1;
        }
    return k;
}

static void count(struct phrases *p, const struct word *w, int n)
{
    uint64_t key = join_key(w, n), form = form_key(p->s, w, n);
    if (p->n >= MAX_CANDIDATES) return;
    uint64_t *at = map_slot(&p->index, key);
    if (at && !*at && p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 256;
        struct candidate *q = realloc(p->c, cap * sizeof *q);
        if (q) p->c = q, p->cap = cap;
        else at = NULL;
    }
    if (!at) {
        p->failed = true;
        return;
    }
    if (!*at) {
        p->c[p->n] = (struct candidate){ .n = n, .key = key };
        *at = ++p->n;
    }
    struct candidate *c = &p->c[*at - 1];
    c->count++;
    if (c->votes && c->form == form) {
        c->votes++;
    } else if (c->votes) {
        c->votes--;
    } else {
        memcpy(c->w, w, (size_t)n * sizeof *w);
        c->form = form;
        c->votes = 1;
    }
}

/* All stretches that end with the newest word of the run. */
static void count_run(struct phrases *p, const struct word *run, int n)
{
    for (int k = 1; k <= n; k++) count(p, run + n - k, k);
}

static bool capital(const char *s, size_t n)
{
    const char *p = s;
    return u_isUUppercase((UChar32)utf8_next(&p, s + n));
}

static void note_capital(struct phrases *p, uint64_t stem, bool has)
{
    uint64_t *v = map_slot(&p->capitals, stem);
    if (v) *v += has ? (uint64_t)1 << 32 : 1;
}

static bool is_name(const struct phrases *p, uint64_t stem)
{
    const uint64_t *v = map_get(&p->capitals, stem);
    return v && *v >> 32 > (*v & 0xFFFFFFFFu);
}

static void read_sentence(struct phrases *p, size_t from, size_t to)
{
    struct tokens t = tokens_of(p->s, to);
    struct word run[MAX_WORDS];
    int n = 0;
    bool first = true;
    t.at = from;
    while (tokens_next(&t) && !p->failed) {
        const char *w = p->s + t.start;
        struct token_word tw = token_word(w, t.end - t.start);
        if (!t.is_word || tw.stop || (*w >= '0' && *w <= '9') ||
            (tw.fold_n < 2 && (unsigned char)*w < 0x80)) {
            n = 0;
            first &= !t.is_word;
            continue;
        }
        if (!first) note_capital(p, tw.key, capital(w, t.end - t.start));
        first = false;
        if (n == MAX_WORDS) memmove(run, run + 1, (MAX_WORDS - 1) * sizeof *run), n--;
        run[n++] = (struct word){ t.start, t.end, tw.key };
        count_run(p, run, n);
    }
}

/* ---- choosing ---- */

static int by_weight(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;
    if (a->weight != b->weight) return a->weight < b->weight ? 1 : -1;
    return a->w[0].from < b->w[0].from ? -1 : a->w[0].from > b->w[0].from ? 1 : b->n - a->n;
}

static void weigh(struct phrases *p, float (*idf)(void *ud, uint64_t stem), void *ud)
{
    for (size_t i = 0; i < p->n; i++) {
        struct candidate *c = &p->c[i];
        float sum = 0;
        for (int k = 0; k < c->n; k++) sum += idf ? idf(ud, c->w[k].stem) : 1;
        c->weight = (float)c->count * sum / (float)c->n * (1 + 0.25f * (float)(c->n - 1));
    }
    if (p->n) qsort(p->c, p->n, sizeof *p->c, by_weight);
}

static bool contains(const struct candidate *big, const struct candidate *small)
{
    for (int i = 0; i + small->n <= big->n; i++) {
        int k = 0;
        while (k < small->n && big->w[i + k].stem == small->w[k].stem) k++;
        if (k == small->n) return true;
    }
    return false;
}

static void put_lower(struct buf *b, const char *s, size_t n)
{
    for (const char *p = s, *end = s + n; p < end;) {
        char t[4];
        buf_add(b, t, (size_t)utf8_put(t, (uint32_t)u_tolower((UChar32)utf8_next(&p, end))));
    }
}

/* "Anna's" ends a phrase as "Anna". */
static size_t without_possessive(const char *s, size_t from, size_t to)
{
    if (to - from > 2 && !memcmp(s + to - 2, "'s", 2)) return to - 2;
    if (to - from > 4 && !memcmp(s + to - 4, "\xE2\x80\x99s", 4)) return to - 4;
    return to;
}

/* Writes the phrase as shown; false if it is too long. */
static bool show(const struct phrases *p, const struct candidate *c, char out[PHRASE_BYTES])
{
    struct buf b = BUF_INIT(4 * (TOKEN_BYTES + 2) * MAX_WORDS);
    for (int i = 0; i < c->n; i++) {
        const char *w = p->s + c->w[i].from;
        size_t to = c->w[i].to;
        if (i + 1 == c->n) to = without_possessive(p->s, c->w[i].from, to);
        size_t n = to - c->w[i].from;
        if (i) buf_addc(&b, ' ');
        if (is_name(p, c->w[i].stem)) buf_add(&b, w, n);
        else put_lower(&b, w, n);
    }
    bool fits = !b.failed && b.n && b.n < PHRASE_BYTES;
    if (fits) memcpy(out, b.p, b.n + 1);
    buf_free(&b);
    return fits;
}

size_t phrases_of(const char *text, size_t n, float (*idf)(void *ud, uint64_t stem), void *ud,
                  struct phrase *out, size_t cap)
{
    struct phrases p = { .s = text };
    struct sentences *it = cap ? sentences_new(NULL) : NULL;
    size_t from, to, got = 0;
    const struct candidate **kept = calloc(cap ? cap : 1, sizeof *kept);
    if (!it || !kept || sentences_text(it, text, n)) goto out;
    while (sentences_next(it, &from, &to)) read_sentence(&p, from, to);
    weigh(&p, idf, ud);
    for (size_t i = 0; i < p.n && got < cap; i++) {
        const struct candidate *c = &p.c[i];
        bool covered = false;
        for (size_t k = 0; k < got && !covered; k++) covered = contains(kept[k], c);
        if (covered || c->weight <= 0 || !show(&p, c, out[got].text)) continue;
        out[got].key = c->key;
        out[got].weight = c->weight;
        kept[got++] = c;
    }
out:
    sentences_free(it);
    map_free(&p.index);
    map_free(&p.capitals);
    free(p.c);
    free(kept);
    return got;
}
