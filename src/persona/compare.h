/* Comparing embedders on a persona's own texts: how fast they are, what they take, and how far they
 * find the same.
 *
 *     struct compared c[3];
 *     float agree[3 * 3];
 *     embed_compare(h, p, names, 3, progress, c, agree, err);
 *     agree[i * 3 + k]: share of the ten nearest passages that i and k have in common
 *
 * Passages are chunks spread evenly over all of the persona's; questions are own sentences, which
 * are taken out of the passage they stand in. Nothing is stored. */
#ifndef LK_PERSONA_COMPARE_H
#define LK_PERSONA_COMPARE_H

#include "base/progress.h"
#include "persona/persona.h"

#define COMPARE_PASSAGES  2000
#define COMPARE_QUESTIONS 200
#define COMPARE_NEAREST   10

struct compared {
    int dim;
    double open_seconds;
    double passages_per_second, questions_per_second;
    uint64_t memory;     /* bytes that opening it added to the process */
    size_t vector_bytes; /* of the persona's whole index: four bytes a number, and one */
    size_t found;        /* questions whose own passage was among the nearest ten */
    size_t n_passages, n_questions;
};

/* ERR_NOTFOUND when the persona has too little text, or an embedder is not there. agree: [n, n]. */
int embed_compare(struct home *h, const struct persona *p, const char *const *names, size_t n,
                  const struct progress *progress, struct compared *out, float *agree,
                  struct err *err);

#endif
