/* Choosing what is characteristic: phrases, openings of sentences, and words.
 *
 * Phrases. A run of words stands out when it is met far more often than its words' own frequencies
 * would make it, in many pieces. The score is
 *
 *     pieces^0.85 * tie^2,    tie = ln(count / expected) / sqrt(words - 1), at most 8,
 *
 * where expected = N * product of the words' shares; the division keeps a long phrase from winning
 * by the product alone. Left out are phrases that are function words only (but for a few idioms),
 * that end or begin in the middle of nothing ("end of the"), that everybody says, that hold a name
 * or an unknown word, and those that are nearly always part of a longer one that is itself chosen.
 *
 * Words. A content word outside the commonplace few hundred is expected at most 100 times in a
 * million words of general English; the liking is how far a word is beyond that, times the square
 * root of the pieces it is in, so that one long piece about one thing does not decide.
 *
 * Names are words mostly written with a capital inside sentences. Ties are broken by bytes: the
 * same corpus gives the same profile. */
#include "persona/profile_impl.h"

#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHORTLIST   400
#define PER_MILLION 100.0

struct pick {
    char text[96];
    double score;
    const struct pgram *g;
    uint32_t count;
};

static int by_score(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return strcmp(x->text, y->text);
}

/* Keep the best `cap` of what is offered: the list is sorted and cut when it is twice as long. */
struct shortlist {
    struct pick *p;
    size_t n, cap;
};

static int shortlist_init(struct shortlist *l, size_t cap)
{
    *l = (struct shortlist){ .p = calloc(cap * 2, sizeof *l->p), .cap = cap };
    return l->p ? 0 : ERR_NOMEM;
}

static void shortlist_settle(struct shortlist *l)
{
    if (l->n) qsort(l->p, l->n, sizeof *l->p, by_score);
    if (l->n > l->cap) l->n = l->cap;
}

static void shortlist_offer(struct shortlist *l, const struct pick *p)
{
    if (l->n == l->cap * 2) shortlist_settle(l);
    l->p[l->n++] = *p;
}

static void shortlist_free(struct shortlist *l)
{
    if (l->p) explicit_bzero(l->p, l->cap * 2 * sizeof *l->p);
    free(l->p);
}

/* A word that was only ever seen with a capital, at the head of sentences, counts as a name too. */
static bool is_name(const struct pword *w)
{
    uint32_t seen = w->mid_upper + w->mid_lower;
    if (w->flags & (WF_STOP | WF_OPENER)) return false;
    if (!w->mid_lower && !w->start_lower) return w->mid_upper || w->start_upper;
    return seen > 0 && w->mid_upper * 10 >= seen * 6;
}

/* The words joined by spaces, "i" as "I"; false when it does not fit. */
static bool gram_text(const struct profile_counter *c, const struct pgram *g, char *out, size_t cap,
                      bool proper)
{
    size_t k = 0;
    for (int i = 0; i < g->n; i++) {
        const char *s = profile_word_text(c, g->word[i]);
        size_t n = strlen(s);
        if (k + n + 2 > cap) return false;
        if (i) out[k++] = ' ';
        memcpy(out + k, s, n + 1);
        if (proper && s[0] == 'i' && (n == 1 || s[1] == '\'')) out[k] = 'I';
        k += n;
    }
    return true;
}

static bool is_common(const struct map *common, const struct pword *w)
{
    return (w->flags & WF_STOP) || map_get(common, w->stem);
}

/* 0: not a phrase to show; else how much its words weigh. */
static double gram_worth(const struct profile_counter *c, const struct pgram *g,
                         const struct map *common, const char *plain)
{
    int content = 0, rare = 0;
    for (int i = 0; i < g->n; i++) {
        const struct pword *w = &c->word[g->word[i]];
        if (!g->word[i] || (w->flags & WF_DIGIT) || is_name(w)) return 0;
        if (strlen(profile_word_text(c, g->word[i])) == 1 && !(w->flags & WF_STOP)) return 0;
        content += !(w->flags & WF_STOP);
        rare += !is_common(common, w);
    }
    if (profile_phrase_idiom(plain)) return 1.0;
    if (!content || profile_phrase_ordinary(plain)) return 0;
    const struct pword *head = &c->word[g->word[0]], *tail = &c->word[g->word[g->n - 1]];
    if ((head->flags & WF_WEAK_START) || (tail->flags & WF_WEAK_END)) return 0;
    if (g->n == 2 && (head->flags & WF_PAIR_START)) return 0;
    double worth = rare ? 1.0 : g->n == 2 ? 0.4 : 0.7;
    if (g->n - content > content + 1) worth *= 0.8;
    return worth;
}

static bool holds_words(const char *text, const char *part)
{
    size_t n = strlen(part);
    for (const char *p = text; (p = strstr(p, part)); p++)
        if ((p == text || p[-1] == ' ') && (p[n] == 0 || p[n] == ' ')) return true;
    return false;
}

/* Two phrases with the same content words say the same. */
static bool same_content(const struct profile_counter *c, const struct pgram *a,
                         const struct pgram *b)
{
    int shared = 0, na = 0, nb = 0;
    for (int j = 0; j < b->n; j++) nb += !(c->word[b->word[j]].flags & WF_STOP);
    for (int i = 0; i < a->n; i++) {
        if (c->word[a->word[i]].flags & WF_STOP) continue;
        na++;
        for (int j = 0; j < b->n; j++)
            if (c->word[a->word[i]].stem == c->word[b->word[j]].stem) {
                shared++;
                break;
            }
    }
    return na > 0 && na == nb && shared == na;
}

/* A phrase that is mostly part of a longer one gives way to it. */
static void fold_into_longer(struct shortlist *l)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < l->n; j++) {
            const struct pick *s = &l->p[i], *big = &l->p[j];
            if (s->g->n < big->g->n && big->count * 10 >= s->count * 6 &&
                holds_words(big->text, s->text)) {
                if (l->p[j].score < s->score) l->p[j].score = s->score;
                l->p[i].score = 0;
                break;
            }
        }
    if (l->n) qsort(l->p, l->n, sizeof *l->p, by_score);
}

static json_t *choose_phrases(const struct profile_counter *c, struct shortlist *l)
{
    json_t *out = json_array();
    const struct pick *chosen[PROFILE_PHRASES];
    size_t n = 0;
    for (size_t i = 0; out && i < l->n && n < PROFILE_PHRASES && l->p[i].score > 0; i++) {
        bool like = false;
        for (size_t j = 0; j < n && !like; j++)
            like = holds_words(l->p[i].text, chosen[j]->text) ||
                   holds_words(chosen[j]->text, l->p[i].text) ||
                   same_content(c, l->p[i].g, chosen[j]->g);
        if (like) continue;
        chosen[n++] = &l->p[i];
        char shown[96];
        gram_text(c, l->p[i].g, shown, sizeof shown, true);
        json_array_append_new(out, json_string(shown));
    }
    return out;
}

json_t *profile_pick_phrases(struct profile_counter *c)
{
    struct map common = { 0 };
    struct shortlist l = { 0 };
    json_t *out = NULL;
    double total = (double)c->words + 1;
    uint32_t least = (uint32_t)(c->words / 100000), least_pieces = c->pieces >= 30  ? 3
                                                                   : c->pieces >= 4 ? 2
                                                                                    : 1;
    if (least < 3) least = 3;
    if (profile_common_set(&common) || shortlist_init(&l, SHORTLIST)) goto done;
    for (size_t i = 0; i < c->grams.cap; i++) {
        const struct pgram *g = &c->grams.e[i];
        struct pick p = { .g = g, .count = g->count };
        if (!g->n || g->count < least || g->pieces < least_pieces) continue;
        if (!gram_text(c, g, p.text, sizeof p.text, false)) continue;
        double worth = gram_worth(c, g, &common, p.text), expected = total;
        if (worth <= 0) continue;
        for (int k = 0; k < g->n; k++) expected *= c->word[g->word[k]].count / total;
        double tie = log(g->count / expected) / sqrt(g->n - 1.0);
        if (tie < 1) continue;
        p.score = worth * pow(g->pieces, 0.85) * (tie > 8 ? 64 : tie * tie);
        shortlist_offer(&l, &p);
    }
    shortlist_settle(&l);
    fold_into_longer(&l);
    out = choose_phrases(c, &l);
done:
    map_free(&common);
    shortlist_free(&l);
    return out;
}

/* ---- openers ---- */

/* May this word stand in an opener? "Anna, ..." is somebody spoken to; "Seriously, ..." is not,
 * even where it was seen nowhere else. */
static bool opener_word(const struct pword *w, const char *text)
{
    size_t n = strlen(text);
    if (w->flags & WF_DIGIT) return false;
    if (w->flags & (WF_OPENER | WF_STOP)) return true;
    return !is_name(w) || (!w->mid_upper && n > 4 && !strcmp(text + n - 2, "ly"));
}

static bool opener_fits(const struct profile_counter *c, const struct pgram *g)
{
    const struct pword *last = &c->word[g->word[g->n - 1]];
    bool told = g->comma && !(last->flags & WF_WEAK_END);
    for (int i = 0; i < g->n; i++) {
        const struct pword *w = &c->word[g->word[i]];
        if (!g->word[i] || !opener_word(w, profile_word_text(c, g->word[i]))) return false;
        told |= !(w->flags & WF_STOP) || (w->flags & WF_OPENER);
    }
    return told;
}

json_t *profile_pick_openers(struct profile_counter *c)
{
    struct shortlist l = { 0 };
    json_t *out = NULL;
    uint32_t least = (uint32_t)(c->sentences / 250), least_pieces = c->pieces >= 4 ? 2 : 1;
    if (least < 3) least = 3;
    if (shortlist_init(&l, 64)) return NULL;
    for (size_t i = 0; i < c->openers.cap; i++) {
        const struct pgram *g = &c->openers.e[i];
        struct pick p = { .g = g, .count = g->count, .score = g->count };
        if (!g->n || g->count < least || g->pieces < least_pieces || !opener_fits(c, g)) continue;
        if (!gram_text(c, g, p.text, sizeof p.text - 1, true)) continue;
        p.text[0] = (char)toupper((unsigned char)p.text[0]);
        if (g->comma == 255 || g->comma * 2u >= g->count) strcat(p.text, ",");
        shortlist_offer(&l, &p);
    }
    shortlist_settle(&l);
    out = json_array();
    for (size_t i = 0; out && i < l.n && i < 6; i++)
        json_array_append_new(out, json_string(l.p[i].text));
    shortlist_free(&l);
    return out;
}

/* ---- words ---- */

struct liked {
    uint64_t stem, count, pieces, best;
    uint32_t id;
};

/* Sum the forms of each word ("boat", "boats") under its stem; the form met most often is shown. */
static struct liked *by_stem(const struct profile_counter *c, size_t *n_out)
{
    struct map at = { 0 };
    struct liked *v = calloc(c->n_words ? c->n_words : 1, sizeof *v);
    size_t n = 0;
    for (uint32_t i = 1; v && i < c->n_words; i++) {
        const struct pword *w = &c->word[i];
        uint64_t *slot = map_slot(&at, w->stem);
        if (!slot) {
            free(v);
            v = NULL;
            break;
        }
        if (!*slot) {
            v[n] = (struct liked){ .stem = w->stem };
            *slot = ++n;
        }
        struct liked *k = &v[*slot - 1];
        k->count += w->count;
        if (w->pieces > k->pieces) k->pieces = w->pieces;
        if (w->count > k->best) {
            k->best = w->count;
            k->id = i;
        }
    }
    map_free(&at);
    *n_out = n;
    return v;
}

json_t *profile_pick_words(struct profile_counter *c)
{
    struct map common = { 0 };
    struct shortlist l = { 0 };
    size_t n = 0;
    json_t *out = NULL;
    struct liked *v = by_stem(c, &n);
    uint32_t least_pieces = c->pieces >= 30 ? 3 : c->pieces >= 4 ? 2 : 1;
    if (!v || profile_common_set(&common) || shortlist_init(&l, 64)) goto done;
    for (size_t i = 0; i < n; i++) {
        const struct pword *w = &c->word[v[i].id];
        const char *s = profile_word_text(c, v[i].id);
        struct pick p = { .count = (uint32_t)v[i].count };
        double rate = (double)v[i].count * 1e6 / ((double)c->words + 1);
        size_t len = strlen(s);
        if (v[i].count < 4 || v[i].pieces < least_pieces || rate < 1.5 * PER_MILLION || len < 3)
            continue;
        if ((w->flags & (WF_STOP | WF_DIGIT | WF_SHORT)) || is_common(&common, w) || is_name(w))
            continue;
        if (len >= sizeof p.text || !(w->mid_lower || w->start_lower) || strchr(s, '\'')) continue;
        p.score = (rate / PER_MILLION) * sqrt((double)v[i].pieces);
        memcpy(p.text, s, len + 1);
        shortlist_offer(&l, &p);
    }
    shortlist_settle(&l);
    out = json_array();
    for (size_t i = 0; out && i < l.n && i < 16; i++)
        json_array_append_new(out, json_string(l.p[i].text));
done:
    map_free(&common);
    shortlist_free(&l);
    free(v);
    return out;
}
