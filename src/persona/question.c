/* Reading a question. Its content words become weighted terms: rare words of the corpus weigh more
 * (their BM25 idf), words that say little about a subject ("think", "good", "ever") weigh little, and
 * words that the corpus has never seen weigh as much as its rarest: a question about something
 * unseen must not be answered by its small words. */
#include "persona/question.h"

#include "base/str.h"
#include "text/token.h"

#include <stdio.h>
#include <string.h>

/* Stems of words that carry little of a question's subject. */
static const char *const light_words[] = {
    "think", "thought", "opinion", "view", "feel", "feel", "say", "said", "tell", "told", "talk", "know", "consid",
    "want", "get", "got", "make", "made", "go", "went", "come", "take", "give", "keep", "good", "better", "best", "bad",
    "thing", "kind", "sort", "ever", "never", "favourit", "favorit", "worth", "day", "time", "year", "peopl", "way", "use",
    "long", "much", "mani", "right", "like", "happen", "mean", "realli", "one", "someon", "someth", "anyth", "anoth",
    "these", "alway", "still", "now", "ago", "life", "believ", "hope", "wish", "prefer", "enjoy", "hate", "should",
    "often", "lot", "quit", "must", "would", "could", "person", "becom", "let", "seem", "look", "find", "whi", "through",
};
static const char *const opinion_words[] = {
    "think", "opinion", "view", "feel", "like", "love", "hate", "believ", "prefer", "enjoy", "favourit", "favorit",
    "should", "worth", "good", "better", "best", "ani", "trust", "want", "would",
};
static const char *const leaning[] = {
    "it", "that", "this", "they", "them", "those", "these", "he", "him", "she", "her", "there", "then", "so",
};

static bool among(const char *const *list, size_t count, const char *w)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i], w)) return true;
    return false;
}
#define AMONG(list, w) among(list, sizeof list / sizeof list[0], w)

static enum question_kind kind_of(const char *first, const char *second)
{
    if (!strcmp(first, "and") || !strcmp(first, "but") || !strcmp(first, "so")) {
        if (*second) return kind_of(second, "");
    }
    if (!strcmp(first, "why")) return ASKS_WHY;
    if (!strcmp(first, "when")) return ASKS_WHEN;
    if (!strcmp(first, "where")) return ASKS_WHERE;
    if (!strcmp(first, "who") || !strcmp(first, "whose") || !strcmp(first, "whom")) return ASKS_WHO;
    if (!strcmp(first, "how"))
        return !strcmp(second, "many") || !strcmp(second, "much") || !strcmp(second, "old") ||
                       !strcmp(second, "often") || !strcmp(second, "long")
                   ? ASKS_HOW_MANY
                   : ASKS_HOW;
    if (!strcmp(first, "what") || !strcmp(first, "which") || !strcmp(first, "what's")) return ASKS_WHAT;
    return ASKS_YES_NO;
}

struct words {                         /* the first words, folded, for the shape of the question */
    char w[3][32];
    size_t n, content;
    bool leans;
};

static void shape(const char *text, struct words *out)
{
    struct tokens t = tokens_of(text, strlen(text));
    memset(out, 0, sizeof *out);
    while (tokens_next(&t)) {
        char f[64];
        if (!t.is_word) continue;
        size_t n = token_fold(text + t.start, t.end - t.start, f, sizeof f);
        if (out->n < 3) snprintf(out->w[out->n], sizeof out->w[0], "%.31s", f);
        out->n++;
        char s[64];
        token_stem(text + t.start, t.end - t.start, s, sizeof s);
        if (!token_is_stop(f, n) && !AMONG(light_words, s)) out->content++;
        else if (AMONG(leaning, f)) out->leans = true;
    }
}

bool question_leans(const char *text)
{
    struct words w;
    shape(text, &w);
    bool joins = !strcmp(w.w[0], "and") || !strcmp(w.w[0], "but") || !strcmp(w.w[0], "so") ||
                 !strcmp(w.w[0], "then") ||
                 ((!strcmp(w.w[0], "what") || !strcmp(w.w[0], "how")) && !strcmp(w.w[1], "about"));
    return w.content == 0 || joins || (w.leans && w.content <= 2);
}

/* The term's own idf when the corpus has the word, else that of its commonest synonym there. */
static float idf_of(const struct bm25 *words, const struct question_term *t, bool *seen)
{
    float own = bm25_idf(words, t->form[0].stem), least = own;
    *seen = bm25_df(words, t->form[0].stem) > 0;
    if (*seen) return own;
    for (size_t i = 1; i < t->n_forms; i++) {
        if (!bm25_df(words, t->form[i].stem)) continue;
        float idf = bm25_idf(words, t->form[i].stem);
        if (idf < least) least = idf;
        *seen = true;
    }
    return least;
}

static void add_term(struct question *q, const char *word, size_t n, bool before,
                     const struct bm25 *words)
{
    struct question_term *t = &q->term[q->n];
    char f[64];
    uint64_t syn[TERM_FORMS - 1];
    size_t fn = token_fold(word, n, f, sizeof f);
    memset(t, 0, sizeof *t);
    t->stem_n = token_stem(word, n, t->stem, sizeof t->stem);
    if (!t->stem_n || (token_is_stop(f, fn) && !AMONG(opinion_words, t->stem))) return;
    if (AMONG(opinion_words, t->stem) && !before) q->opinion = true;
    if (token_is_stop(f, fn)) return;
    for (size_t i = 0; i < q->n; i++)
        if (q->term[i].stem_n == t->stem_n && !memcmp(q->term[i].stem, t->stem, t->stem_n)) return;
    t->form[t->n_forms++] = (struct term_form){ hash64(t->stem, t->stem_n, 0), 1 };
    t->light = AMONG(light_words, t->stem);
    size_t m = t->light ? 0 : synonyms_of(t->stem, t->stem_n, syn, TERM_FORMS - 1);
    for (size_t i = 0; i < m; i++) t->form[t->n_forms++] = (struct term_form){ syn[i], 0.7f };
    t->weight = idf_of(words, t, &t->seen) * (t->light ? 0.12f : 1.0f) * (before ? 0.6f : 1.0f);
    t->before = before;
    q->n++;
}

static void add_text(struct question *q, const char *text, bool before, const struct bm25 *words)
{
    struct tokens t = tokens_of(text, strlen(text));
    while (tokens_next(&t) && q->n < QUESTION_TERMS)
        if (t.is_word) add_term(q, text + t.start, t.end - t.start, before, words);
}

void question_read(const char *text, const char *before, const struct bm25 *words, struct question *out)
{
    struct words w;
    float sum = 0;
    memset(out, 0, sizeof *out);
    shape(text, &w);
    out->kind = kind_of(w.w[0], w.w[1]);
    out->elliptical = before && *before && question_leans(text);
    add_text(out, text, false, words);
    if (out->elliptical) add_text(out, before, true, words);
    for (size_t i = 0; i < out->n; i++) sum += out->term[i].weight;
    for (size_t i = 0; i < out->n; i++) out->term[i].weight = sum > 0 ? out->term[i].weight / sum : 0;
}

float question_match(const struct question_term *t, uint64_t hash, const char *stem, size_t n)
{
    for (size_t i = 0; i < t->n_forms; i++)
        if (t->form[i].stem == hash) return t->form[i].weight;
    /* Near forms that the stemmer keeps apart: "gardener" and "gardening". */
    if (n < 5 || t->stem_n < 5) return 0;
    size_t k = 0, most = n > t->stem_n ? n : t->stem_n;
    while (k < n && k < t->stem_n && stem[k] == t->stem[k]) k++;
    return k >= 5 && k * 10 >= most * 7 ? 0.6f : 0;
}

float question_cover(const struct question *q, const float *match)
{
    float sum = 0;
    for (size_t i = 0; i < q->n; i++) sum += q->term[i].weight * match[i];
    return sum;
}

size_t question_expand(const struct question *q, struct bm25_term *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++)
        for (size_t k = 1; k < q->term[i].n_forms && n < cap; k++)
            out[n++] = (struct bm25_term){ q->term[i].form[k].stem, 0.45f };
    return n;
}
