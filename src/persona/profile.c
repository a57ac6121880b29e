/* The profile as a document: what the counts come to, its JSON, and reading it back.
 *
 * The JSON names its fields as struct profile does, with a version, the time span and the kinds of
 * pieces besides, so that `likeness show --json` can hand it out as it is. A reader takes what it
 * knows and leaves the rest: fields that are missing are 0, strings that are too many are dropped,
 * numbers that are no numbers are 0.
 *
 * Formality is a logistic of seven things that the eye takes for formal or casual, each measured
 * from where ordinary written English stands:
 *
 *     z =  10 (long words - 0.20) + 0.06 (words per sentence - 14, at most 20 either way)
 *        - 45 (contractions - 0.012) - 6 (first person - 0.06) - 3 (exclamations - 0.06)
 *        - 4 (emoji per sentence, at most 0.5) + 2 (sentences begun with a capital - 0.95)
 *     formality = 1 / (1 + exp(-z))
 *
 * So a letter of long words without contractions comes near 0.8, and chat in lower case with emoji
 * near 0.1. */
#include "persona/profile_impl.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every number of the profile once: the JSON is written and read from this list. */
/* clang-format off */
#define PROFILE_FLOATS(X)                                                                   \
    X(words_per_sentence) X(sentence_sd) X(word_length) X(type_token) X(long_words)         \
    X(questions) X(exclaims) X(ellipses) X(contractions) X(first_person) X(emoji)           \
    X(capitals_start) X(hedges) X(intensifiers) X(positive) X(negative) X(formality)
/* clang-format on */

static float ratio(double a, double b) { return b > 0 ? (float)(a / b) : 0; }

static double within(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

static float formality_of(const struct profile *p)
{
    double z = 10 * (p->long_words - 0.20) + 0.06 * within(p->words_per_sentence - 14, -20, 20) -
               45 * (p->contractions - 0.012) - 6 * (p->first_person - 0.06) -
               3 * (p->exclaims - 0.06) - 4 * within(p->emoji, 0, 0.5) +
               2 * (p->capitals_start - 0.95);
    return (float)(1 / (1 + exp(-z)));
}

static void figures(const struct profile_counter *c, struct profile *p)
{
    double s = (double)c->sentences, w = (double)c->words;
    *p = (struct profile){ .pieces = c->pieces, .words = c->words, .sentences = c->sentences };
    if (!c->words) return;
    double mean = s > 0 ? c->len_sum / s : 0, var = s > 0 ? c->len_sq / s - mean * mean : 0;
    p->words_per_sentence = (float)mean;
    p->sentence_sd = var > 0 ? (float)sqrt(var) : 0;
    p->word_length = ratio((double)c->letters, w);
    p->type_token =
        c->windows ? (float)(c->mattr / (double)c->windows) : ratio((double)c->distinct, w);
    p->long_words = ratio((double)c->long_words, w);
    p->questions = ratio((double)c->questions, s);
    p->exclaims = ratio((double)c->exclaims, s);
    p->ellipses = ratio((double)c->ellipses, s);
    p->contractions = ratio((double)c->contractions, w);
    p->first_person = ratio((double)c->first_person, w);
    p->emoji = ratio((double)c->emoji, s);
    p->capitals_start = ratio((double)c->capitals, (double)c->cased);
    p->hedges = ratio(100.0 * (double)c->hedges, w);
    p->intensifiers = ratio(100.0 * (double)c->intense, w);
    p->positive = ratio(100.0 * (double)c->positive, w);
    p->negative = ratio(100.0 * (double)c->negative, w);
    p->formality = formality_of(p);
}

static int dump_json(const char *s, size_t n, void *ud) { return buf_add(ud, s, n) ? -1 : 0; }

int profile_finish(struct profile_counter *c, struct buf *json, struct err *err)
{
    struct profile p;
    char day[24];
    json_t *j = NULL;
    int rc = 0;
    if (c->failed)
        return err_set(err, c->failed, "the style profile could not be counted: %s",
                       err_text(c->failed));
    figures(c, &p);
    json_t *phrases = profile_pick_phrases(c), *openers = profile_pick_openers(c),
           *liked = profile_pick_words(c);
    j = json_pack("{s:i, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:o, s:o, s:o}", "v", 1, "pieces",
                  (json_int_t)p.pieces, "words", (json_int_t)p.words, "sentences",
                  (json_int_t)p.sentences, "kinds", "documents", (json_int_t)c->by_kind[0],
                  "messages", (json_int_t)c->by_kind[1], "mails", (json_int_t)c->by_kind[2],
                  "phrases", phrases, "openers", openers, "words_liked", liked);
    if (!j) return err_nomem(err);
#define X(f)                                                                                       \
    if (!rc) rc = json_object_set_new(j, #f, json_real(p.f));
    PROFILE_FLOATS(X)
#undef X
    if (c->from != CLOCK_NONE) {
        rc |= json_object_set_new(j, "from", json_string(clock_date(c->from, day)));
        rc |= json_object_set_new(j, "to", json_string(clock_date(c->to, day)));
    }
    if (!rc) rc = json_dump_callback(j, dump_json, json, JSON_COMPACT | JSON_REAL_PRECISION(7));
    json_decref(j);
    return rc || json->failed ? err_nomem(err) : 0;
}

/* ---- reading ---- */

static uint64_t whole(const json_t *j, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(j, key));
    return v > 0 ? (uint64_t)v : 0;
}

static float real(const json_t *j, const char *key)
{
    double v = json_number_value(json_object_get(j, key));
    return isfinite(v) && v >= 0 && v < 1e6 ? (float)v : 0;
}

static int strings(const json_t *j, const char *key, char **out, size_t cap, size_t *n)
{
    const json_t *a = json_object_get(j, key);
    for (size_t i = 0; i < json_array_size(a) && *n < cap; i++) {
        const char *s = json_string_value(json_array_get(a, i));
        if (!s || !*s || strlen(s) > 200) continue;
        if (!(out[*n] = str_dup(s))) return ERR_NOMEM;
        ++*n;
    }
    return 0;
}

int profile_load(const char *json, size_t n, struct profile *out, struct err *err)
{
    json_error_t je;
    *out = (struct profile){ 0 };
    json_t *j = json_loadb(json, n, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(j)) {
        json_decref(j);
        return err_set(err, ERR_PARSE,
                       "the style profile is damaged: run `likeness doctor` to count it anew");
    }
    out->pieces = whole(j, "pieces");
    out->words = whole(j, "words");
    out->sentences = whole(j, "sentences");
#define X(f) out->f = real(j, #f);
    PROFILE_FLOATS(X)
#undef X
    int rc = strings(j, "phrases", out->phrases, PROFILE_PHRASES, &out->n_phrases);
    if (!rc)
        rc = strings(j, "openers", out->openers, sizeof out->openers / sizeof *out->openers,
                     &out->n_openers);
    if (!rc)
        rc = strings(j, "words_liked", out->words_liked,
                     sizeof out->words_liked / sizeof *out->words_liked, &out->n_words_liked);
    json_decref(j);
    if (rc) {
        profile_clear(out);
        return err_nomem(err);
    }
    return 0;
}

static void wipe(char **s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        explicit_bzero(s[i], strlen(s[i]));
        free(s[i]);
    }
}

void profile_clear(struct profile *p)
{
    if (!p) return;
    wipe(p->phrases, p->n_phrases);
    wipe(p->openers, p->n_openers);
    wipe(p->words_liked, p->n_words_liked);
    *p = (struct profile){ 0 };
}
