/* The arithmetic of a distillation: reducing vectors, fitting rows to texts, comparing ranks. */
#ifndef LK_MODEL_DISTILL_FIT_H
#define LK_MODEL_DISTILL_FIT_H

#include "base/err.h"
#include "base/progress.h"

#include <stddef.h>
#include <stdint.h>

/* The k directions in which the vectors x: [n, dim] are longest, as rows of out: [k, dim]; they
 * are orthogonal and of length 1, the longest first. Not centred: cosines are to be kept. */
int fit_directions(const float *x, size_t n, int dim, int k, float *out, struct err *err);

struct fit {
    int dim, vocab;
    float *row; /* [vocab, dim] in and out: a text's vector is the sum of its tokens' rows */
    size_t n;   /* texts */
    const int32_t *ids;
    const size_t *at;    /* [n + 1] tokens of text i are ids[at[i] .. at[i + 1]) */
    const float *target; /* [n, dim] of length 1 */
    int epochs;
    float rate, gram; /* step at first; weight of the cosines between texts */
    uint64_t seed;
};
int fit_run(struct fit *f, struct progress *p, struct err *err);

/* Spearman's rank correlation of all pairwise dot products of a: [n, da] and b: [n, db]. -2 when
 * memory is short. */
double fit_spearman(const float *a, int da, const float *b, int db, size_t n);

#endif
