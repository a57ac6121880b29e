/* Grounding: which sentence of the person's own words a sentence of a made answer rests on.
 *
 *     struct grounder *g;
 *     ground_new(r, &passages, question, &g, err);
 *     struct ground w = ground_sentence(g, s, n);
 *     if (w.claims && w.support < GROUND_ENOUGH) nothing that was found says so
 *     ground_free(g);
 *
 * What it says is judged by its content words, not by their order: a sentence that turns a source's
 * words round can pass, and a true one in wholly other words can fail. It is a mark for the reader,
 * not a proof. */
#ifndef LK_PERSONA_GROUND_H
#define LK_PERSONA_GROUND_H

#include "persona/retrieve.h"

#define GROUND_ENOUGH 0.5f

struct ground {
    bool claims; /* it says something that could be wrong: a word of content beyond the question */
    float support;  /* 0..1 */
    size_t passage; /* where the best support stands; meaningful when support > 0 */
    size_t seg;
    const char *text; /* of the supporting sentence: borrowed from the passages */
    size_t n;
    size_t offset; /* in its piece */
};

struct grounder;
/* r and passages are borrowed until ground_free. */
int ground_new(struct retriever *r, const struct passages *ps, const char *question,
               struct grounder **out, struct err *err);
struct ground ground_sentence(struct grounder *g, const char *s, size_t n);
void ground_free(struct grounder *g); /* accepts NULL */

#endif
