/* Counting how somebody writes, one piece after the other, in memory that does not grow with them.
 *
 * A million words are read in one pass. Each distinct word is met once with its lists
 * (profile_lists.c) and is a small number from then on; all later counting is by number. What is
 * kept:
 *
 * - the vocabulary, at most PROFILE_VOCAB words; later ones count as one unknown word, which breaks
 *   phrases but stays in the totals. Twenty megabytes at the most; forty thousand words for a diary
 * of a million;
 * - runs of 2-4 words within a sentence and between marks, by lossy counting (Manku and Motwani,
 * "Approximate frequency counts over data streams", 2002): when the table is full, what has not
 * been seen often enough goes, and newcomers carry the count they may have lost. What recurs
 * survives; what is counted is never too high;
 * - how sentences begin, in a second, smaller table of the same kind;
 * - the last thousand words in a ring, for the moving type-token ratio (Covington and McFall,
 * 2010).
 *
 * Web addresses are passed over: their parts are not words anybody chose. Numbers are counted as
 * words only where they are letters. The counter keeps word texts and frees them zeroed: they are
 * personal. */
#include "persona/profile_impl.h"

#include "base/clock.h"
#include "base/str.h"
#include "text/token.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define GRAM_SLOTS   (1u << 18)
#define OPENER_SLOTS (1u << 14)

/* ---- the tables ---- */

static int gramtab_init(struct gramtab *t, size_t slots)
{
    t->cap = slots;
    t->max = slots / 4 * 3;
    t->e = calloc(slots, sizeof *t->e);
    t->spare = calloc(slots, sizeof *t->spare);
    return t->e && t->spare ? 0 : ERR_NOMEM;
}

static struct pgram *gramtab_place(struct pgram *e, size_t cap, uint64_t key)
{
    size_t i = (size_t)(key >> 16) & (cap - 1);
    while (e[i].n && e[i].key != key) i = (i + 1) & (cap - 1);
    return &e[i];
}

/* Let go of what was seen least, until half the room is free. */
static void gramtab_prune(struct gramtab *t)
{
    while (t->n > t->max / 2) {
        t->floor++;
        memset(t->spare, 0, t->cap * sizeof *t->spare);
        t->n = 0;
        for (size_t i = 0; i < t->cap; i++) {
            const struct pgram *g = &t->e[i];
            if (!g->n || g->count + g->slack <= t->floor) continue;
            *gramtab_place(t->spare, t->cap, g->key) = *g;
            t->n++;
        }
        struct pgram *swap = t->e;
        t->e = t->spare;
        t->spare = swap;
    }
}

static void gramtab_add(struct gramtab *t, const uint32_t *word, int n, uint32_t piece, bool comma)
{
    uint64_t key = hash64(word, (size_t)n * sizeof *word, (uint64_t)n);
    struct pgram *g = gramtab_place(t->e, t->cap, key);
    if (!g->n) {
        if (t->n >= t->max) {
            gramtab_prune(t);
            g = gramtab_place(t->e, t->cap, key);
        }
        *g = (struct pgram){ .key = key, .n = (uint8_t)n, .slack = t->floor };
        memcpy(g->word, word, (size_t)n * sizeof *word);
        t->n++;
    }
    g->count++;
    if (g->last_piece != piece) {
        g->last_piece = piece;
        g->pieces++;
    }
    if (comma && g->comma < 255) g->comma++;
}

/* ---- the vocabulary ---- */

const char *profile_word_text(const struct profile_counter *c, uint32_t id)
{
    return c->text.p + c->word[id].text;
}

static int vocab_grow(struct profile_counter *c)
{
    size_t cap = c->cap_words ? c->cap_words * 2 : 4096;
    struct pword *w = realloc(c->word, cap * sizeof *w);
    if (!w) return c->failed = ERR_NOMEM;
    c->word = w;
    c->cap_words = cap;
    return 0;
}

/* The number of a folded word; 0 for the unknown one. */
static uint32_t vocab_id(struct profile_counter *c, const char *s, size_t n, uint64_t stem,
                         bool stop)
{
    uint64_t key = hash64(s, n, 7);
    const uint64_t *have = map_get(&c->vocab, key);
    if (have) return (uint32_t)*have;
    if (c->n_words >= PROFILE_VOCAB || (c->n_words == c->cap_words && vocab_grow(c))) return 0;
    uint64_t *slot = map_slot(&c->vocab, key);
    if (!slot) {
        c->failed = ERR_NOMEM;
        return 0;
    }
    struct pword w = { .text = (uint32_t)c->text.n, .stem = stem };
    w.flags = (uint16_t)(profile_word_flags(s, n) | (stop ? WF_STOP : 0));
    buf_add(&c->text, s, n);
    if (buf_addc(&c->text, 0)) c->failed = c->text.failed;
    c->word[c->n_words] = w;
    *slot = c->n_words;
    return (uint32_t)c->n_words++;
}

struct profile_counter *profile_counter_new(struct err *err)
{
    struct profile_counter *c = calloc(1, sizeof *c);
    if (!c) goto fail;
    c->text = BUF_INIT((size_t)64 << 20);
    c->from = c->to = CLOCK_NONE;
    c->ring = calloc(PROFILE_WINDOW, sizeof *c->ring);
    if (!c->ring || vocab_grow(c) || gramtab_init(&c->grams, GRAM_SLOTS) ||
        gramtab_init(&c->openers, OPENER_SLOTS) || buf_addc(&c->text, 0))
        goto fail;
    c->word[c->n_words++] = (struct pword){ .flags = WF_STOP | WF_DIGIT };
    if (!(c->it = sentences_new(err))) {
        profile_counter_free(c);
        return NULL;
    }
    return c;
fail:
    profile_counter_free(c);
    err_nomem(err);
    return NULL;
}

static void gramtab_free(struct gramtab *t)
{
    free(t->e);
    free(t->spare);
}

void profile_counter_free(struct profile_counter *c)
{
    if (!c) return;
    sentences_free(c->it);
    map_free(&c->vocab);
    free(c->word);
    buf_free(&c->text);
    gramtab_free(&c->grams);
    gramtab_free(&c->openers);
    free(c->ring);
    free(c);
}

/* ---- one word ---- */

/* A contraction with its apostrophe. 's counts after words that own nothing: it's, that's,
 * who's. */
static bool is_contraction(const char *s, size_t n)
{
    static const char *const heads[] = { "it",        "that",  "he",   "she",  "what",
                                         "who",       "there", "here", "let",  "how",
                                         "where",     "when",  "why",  "this", "everything",
                                         "something", NULL };
    size_t at = n;
    for (size_t i = 1; i + 1 < n; i++)
        if (s[i] == '\'' ||
            (s[i] == (char)0xE2 && i + 3 < n && s[i + 1] == (char)0x80 && s[i + 2] == (char)0x99))
            at = i;
    if (at == n) return false;
    size_t skip = s[at] == '\'' ? 1 : 3;
    struct span tail = { s + at + skip, n - at - skip }, head = { s, at };
    if (span_ieq(tail, "t") || span_ieq(tail, "re") || span_ieq(tail, "ve") ||
        span_ieq(tail, "ll") || span_ieq(tail, "d") || span_ieq(tail, "m") || span_ieq(tail, "em"))
        return true;
    for (int i = 0; span_ieq(tail, "s") && heads[i]; i++)
        if (span_ieq(head, heads[i])) return true;
    return false;
}

static size_t letters_of(const char *s, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += ((unsigned char)s[i] & 0xC0) != 0x80 && s[i] != '\'' && !(s[i] >= '0' && s[i] <= '9');
    return k;
}

static void window_push(struct profile_counter *c, uint32_t id)
{
    uint32_t *cell = &c->ring[c->words % PROFILE_WINDOW];
    if (c->words >= PROFILE_WINDOW && --c->word[*cell].in_window == 0) c->distinct--;
    *cell = id;
    if (c->word[id].in_window++ == 0) c->distinct++;
    if (c->words + 1 >= PROFILE_WINDOW) {
        c->mattr += (double)c->distinct / PROFILE_WINDOW;
        c->windows++;
    }
}

/* Which case a word begins with: 1 upper, -1 lower, 0 neither. */
static int case_of(const char *s, size_t n)
{
    const char *p = s;
    uint32_t cp = n ? utf8_next(&p, s + n) : 0;
    if (cp < 0x80) return cp >= 'A' && cp <= 'Z' ? 1 : cp >= 'a' && cp <= 'z' ? -1 : 0;
    return u_isupper((UChar32)cp) ? 1 : u_islower((UChar32)cp) ? -1 : 0;
}

/* Folded with its 's kept, so that "that's it" does not read "that it". */
static uint32_t intern(struct profile_counter *c, const char *s, size_t n)
{
    struct token_word w = token_word(s, n);
    bool has_s = n > 2 && (s[n - 1] | 32) == 's' &&
                 (s[n - 2] == '\'' || (n > 4 && !memcmp(s + n - 4, "\xE2\x80\x99", 3)));
    if (!has_s || (w.fold_n > 2 && w.fold[w.fold_n - 2] == '\''))
        return vocab_id(c, w.fold, w.fold_n, w.key, w.stop);
    char t[TOKEN_BYTES * 2 + 4];
    size_t k = w.fold_n < sizeof t - 3 ? w.fold_n : sizeof t - 3;
    memcpy(t, w.fold, k);
    memcpy(t + k, "'s", 3);
    return vocab_id(c, t, k + 2, w.key, w.stop);
}

struct run {          /* the sentence being read */
    uint32_t last[4]; /* words since the last mark, newest last */
    int n_last;
    uint32_t first[4]; /* the first words, up to the first mark */
    int n_first;
    bool first_open; /* no mark yet */
    uint64_t words;
    int start_case;
    uint32_t negated; /* words left that a negation still covers */
};

static void count_word(struct profile_counter *c, struct run *r, const char *s, size_t n)
{
    uint32_t id = intern(c, s, n);
    struct pword *w = &c->word[id];
    uint32_t piece = (uint32_t)c->pieces;
    size_t letters = letters_of(s, n);
    int cs = case_of(s, n);
    window_push(c, id);
    c->words++;
    r->words++;
    c->letters += letters;
    c->long_words += letters >= 7;
    c->contractions += (w->flags & WF_SHORT) || is_contraction(s, n);
    c->first_person += (w->flags & WF_FIRST) != 0;
    c->hedges += (w->flags & WF_HEDGE) != 0;
    c->intense += (w->flags & WF_INTENSE) != 0;
    c->positive += (w->flags & WF_POSITIVE) && !r->negated;
    c->negative += (w->flags & WF_NEGATIVE) && !r->negated;
    r->negated = w->flags & WF_NEGATES ? 2 : r->negated ? r->negated - 1 : 0;
    w->count++;
    if (w->last_piece != piece) {
        w->last_piece = piece;
        w->pieces++;
    }
    if (r->words > 1) {
        w->mid_upper += cs > 0;
        w->mid_lower += cs < 0;
    } else {
        w->start_upper += cs > 0;
        w->start_lower += cs < 0;
        r->start_case = cs;
    }
    if (r->n_last == 4) memmove(r->last, r->last + 1, 3 * sizeof *r->last);
    else r->n_last++;
    r->last[r->n_last - 1] = id;
    if (r->n_last > 1) {
        const char *before = profile_word_text(c, r->last[r->n_last - 2]);
        if (!(w->flags & WF_HEDGE) && profile_pair_hedges(before, profile_word_text(c, id)))
            c->hedges++;
    }
    for (int k = 2; k <= r->n_last; k++)
        gramtab_add(&c->grams, r->last + r->n_last - k, k, piece, false);
    if (r->first_open && r->n_first < 4) r->first[r->n_first++] = id;
}

/* ---- one mark ---- */

static bool is_emoji(const char *s, size_t n)
{
    const char *p = s;
    uint32_t c = utf8_next(&p, s + n);
    return (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x1F1E6 && c <= 0x1F1FF) ||
           (c >= 0x2600 && c <= 0x27BF) || c == 0x2B50 || c == 0x2B55 || c == 0x231A || c == 0x23F0;
}

/* Bytes of ":)" and its kin at s, 0 if there is none. */
static size_t emoticon(const char *s, size_t n)
{
    if (n >= 2 && s[0] == '<' && s[1] == '3' && !(n > 2 && s[2] >= '0' && s[2] <= '9')) return 2;
    if (n < 2 || (s[0] != ':' && s[0] != ';' && s[0] != '=')) return 0;
    size_t i = s[1] == '-' || s[1] == '\'' ? 2 : 1;
    if (i >= n || !strchr(")(DPp/*|]", s[i])) return 0;
    if (s[i] == '/' && i + 1 < n && s[i + 1] == '/') return 0;
    bool letter = (s[i] | 32) >= 'a' && (s[i] | 32) <= 'z';
    if (letter && i + 1 < n && ((s[i + 1] | 32) >= 'a' && (s[i + 1] | 32) <= 'z')) return 0;
    return i + 1;
}

static void opener_end(struct profile_counter *c, struct run *r, bool comma)
{
    uint32_t piece = (uint32_t)c->pieces;
    if (!r->first_open) return;
    r->first_open = false;
    if (!r->n_first) return;
    if (comma && r->n_first <= 3) gramtab_add(&c->openers, r->first, r->n_first, piece, true);
    else if (c->word[r->first[0]].flags & WF_OPENER)
        gramtab_add(&c->openers, r->first, 1, piece, false);
}

static size_t url_bytes(const char *s, size_t n)
{
    if (!(n > 8 && (str_starts(s, "http://") || str_starts(s, "https://"))) &&
        !(n > 5 && str_starts(s, "www.")))
        return 0;
    size_t i = 0;
    while (i < n && (unsigned char)s[i] > ' ') i++;
    return i;
}

/* How the sentence ends: the last ".", "?" or "!" and those beside it, behind closing marks and
 * emoji. */
static void count_end(struct profile_counter *c, const char *s, size_t n)
{
    bool q = false, x = false, seen = false;
    for (size_t i = n; i-- > 0;) {
        unsigned char b = (unsigned char)s[i];
        if (b == '?' || b == '!' || b == '.') {
            seen = true;
            q |= b == '?';
            x |= b == '!';
        } else if (seen || (b < 0x80 && !strchr("\"')]} *_:;-", b))) {
            break;
        }
    }
    c->questions += q;
    c->exclaims += x;
    c->ellipses += memmem(s, n, "...", 3) || memmem(s, n, "\xE2\x80\xA6", 3);
}

static void count_sentence(struct profile_counter *c, const char *s, size_t n)
{
    struct run r = { .first_open = true };
    struct tokens t = tokens_of(s, n);
    uint64_t emoji = 0;
    while (tokens_next(&t)) {
        const char *p = s + t.start;
        size_t left = n - t.start, skip;
        if (t.is_word) {
            if ((*p == 'h' || *p == 'w') && (skip = url_bytes(p, left))) {
                t.at = t.start + skip;
                r.n_last = 0;
            } else if (*p < '0' || *p > '9') {
                count_word(c, &r, p, t.end - t.start);
                continue;
            }
        } else if ((skip = emoticon(p, left))) {
            emoji++;
            t.at = t.start + skip;
        } else if (is_emoji(p, left)) {
            emoji++;
        }
        if (r.n_first || t.is_word) opener_end(c, &r, *p == ',');
        r.n_last = 0;
        r.negated = 0;
    }
    opener_end(c, &r, false);
    c->emoji += emoji;
    if (!r.words) return;
    c->sentences++;
    c->len_sum += (double)r.words;
    c->len_sq += (double)r.words * (double)r.words;
    c->cased += r.start_case != 0;
    c->capitals += r.start_case > 0;
    count_end(c, s, n);
}

int profile_count(struct profile_counter *c, const char *text, size_t n, int kind,
                  int64_t written_at)
{
    size_t from, to;
    uint64_t before = c->words;
    if (!n) return c->failed;
    c->pieces++;
    int rc = sentences_text(c->it, text, n);
    if (rc) return c->failed = rc;
    while (sentences_next(c->it, &from, &to)) count_sentence(c, text + from, to - from);
    if (c->words == before) c->pieces--; /* emoji, numbers or a link alone: nothing to learn from */
    else if (kind >= 0 && kind < 3) c->by_kind[kind]++;
    if (c->words != before && written_at != CLOCK_NONE) {
        if (c->from == CLOCK_NONE || written_at < c->from) c->from = written_at;
        if (c->to == CLOCK_NONE || written_at > c->to) c->to = written_at;
    }
    return c->failed;
}
