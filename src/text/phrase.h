/* Key phrases: runs of content words that stand out in a passage against the whole corpus.
 *
 * Candidates are maximal runs of 1-3 non-stop words within a sentence (Rose et al., RAKE, 2010);
 * the weight is their frequency in the passage times the mean inverse document frequency of their
 * stems, longer phrases favoured a little; a phrase contained in a better one is dropped. */
#ifndef LK_TEXT_PHRASE_H
#define LK_TEXT_PHRASE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PHRASE_BYTES 64

struct phrase {
    char text[PHRASE_BYTES]; /* as written most often, lower-cased unless a name; NUL-terminated */
    uint64_t key;            /* hash64 of the joined stems: equal for "old boat" and "old boats" */
    float weight;
};

/* idf(ud, hash64(stem)) gives the inverse document frequency of a stem; NULL: all equal.
 * Writes at most cap phrases to out, best first; returns how many. */
size_t phrases_of(const char *text, size_t n, float (*idf)(void *ud, uint64_t stem), void *ud,
                  struct phrase *out, size_t cap);

#endif
