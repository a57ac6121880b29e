/* Prompt lookup: guesses of the next tokens from what was read and said before. An answer that
 * quotes its context says again what stands there, and checking eight guesses in one step of the
 * decoder costs little more than one token.
 *
 *     struct lookup l = { 0 };
 *     int m = lookup_guess(&l, ids, n, most, guess);     0: nothing to go by
 *     ... of which the first `right` were what the model said ...
 *     lookup_told(&l, m, right);
 *
 * A guess is only ever a row to check, never an answer: what is accepted is what the plain path
 * would have chosen. No allocation; a call reads at most n tokens. */
#ifndef LK_MODEL_LOOKUP_H
#define LK_MODEL_LOOKUP_H

#include <stdint.h>

#define LOOKUP_MAX 16 /* guesses at once */

struct lookup { /* zeroed: ready */
    int k;      /* how many to guess next; 0: as at the beginning */
    int rest;   /* calls to sit out after guesses that were all wrong */
    int wrong;  /* times in a row that all were */
};

/* guess: [min(most, LOOKUP_MAX)]. Returns how many were written. */
int lookup_guess(struct lookup *l, const int32_t *ids, int n, int most, int32_t *guess);
void lookup_told(struct lookup *l, int guessed, int right);

#endif
