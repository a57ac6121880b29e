/* The style profile: how the persona writes, counted from their own messages alone (voice pieces).
 *
 *     struct profile_counter *c = profile_counter_new(err);
 *     profile_count(c, text, n, kind, written_at);           each voice piece
 *     profile_finish(c, &json, err);                         JSON, kept as the doc "profile"
 *     profile_counter_free(c);
 *     struct profile pr;
 *     profile_load(json, n, &pr, err); ... profile_clear(&pr);
 *
 * Everything is a count or a ratio of counts that can be shown to the owner; the sentences for the
 * prompt are made from them by fixed thresholds, so the same corpus gives the same profile. */
#ifndef LK_PERSONA_PROFILE_H
#define LK_PERSONA_PROFILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_PHRASES 12

struct profile {
    uint64_t pieces, words, sentences;
    float words_per_sentence, sentence_sd; /* mean and standard deviation */
    float word_length;                     /* letters */
    float type_token; /* distinct words per 1,000 words, mean over windows (MATTR, Covington and
                         McFall 2010), 0..1 */
    float long_words; /* share of words of 7 letters or more */
    float questions, exclaims, ellipses; /* share of sentences */
    float contractions, first_person;    /* share of words */
    float emoji, capitals_start;    /* per sentence; share of sentences that begin upper-case */
    float hedges, intensifiers;     /* per 100 words */
    float positive, negative;       /* per 100 words, by a small own word list */
    float formality;                /* 0 casual .. 1 formal, from the above (formula: profile.c) */
    char *phrases[PROFILE_PHRASES]; /* characteristic 2-4 word phrases, best first */
    size_t n_phrases;
    char *openers[6]; /* how sentences like to begin: "Honestly," */
    size_t n_openers;
    char *words_liked[16]; /* content words used more than most people do */
    size_t n_words_liked;
};

struct profile_counter;
struct profile_counter *profile_counter_new(struct err *err);
int profile_count(struct profile_counter *c, const char *text, size_t n, int kind,
                  int64_t written_at);
int profile_finish(struct profile_counter *c, struct buf *json, struct err *err);
void profile_counter_free(struct profile_counter *c);

int profile_load(const char *json, size_t n, struct profile *out, struct err *err);
void profile_clear(struct profile *p);
/* Sentences for the prompt; each appends one short paragraph or list, second person ("You write
 * ..."). */
void profile_style(const struct profile *p, struct buf *out);
void profile_tone(const struct profile *p, struct buf *out);
void profile_common_phrases(const struct profile *p, struct buf *out);
void profile_vocabulary(const struct profile *p, struct buf *out);
void profile_structure(const struct profile *p, struct buf *out);

#endif
