/* Sampling: from the logits of one row to a token, the same on every machine.
 *
 *     struct sampler *s;
 *     sampler_new(vocab, &s, err);                       scratch of one thread, used for all rows
 *     struct sampler_opts o = SAMPLER_DEFAULTS;
 *     o.seed = 7;
 *     int32_t id = sampler_pick(s, &o, &(struct sampler_at){ ids, n, n_prompt }, NULL, logits);
 *     sampler_free(s);
 *
 * Order of the steps: mask; bias; repetition, frequency and presence penalties; temperature; top-k;
 * min-p; top-p; draw. A step whose option is off costs nothing. The draw is a function of the seed
 * and of how many tokens were made before, not of earlier draws: a token may be sampled again, or
 * ahead, with the same result. The arithmetic uses + - * / and an exponential of its own, so equal
 * logits give equal tokens wherever doubles are IEEE. */
#ifndef LK_MODEL_SAMPLER_H
#define LK_MODEL_SAMPLER_H

#include "base/err.h"

#include <stdint.h>

struct sampler_bias {
    int32_t id;
    float add; /* to the logit; -INFINITY forbids */
};

struct sampler_opts {
    float temperature; /* 0: greedy, the highest logit, of equals the lowest id */
    int top_k;         /* keep the k likeliest; 0: all */
    float top_p;       /* keep the fewest that reach this share of the probability; 1: all */
    float min_p;       /* keep those at least this share of the likeliest's; 0: all */
    float repeat;      /* logits of tokens in the window divided (if > 0) by this; 1: off */
    float frequency;   /* taken from the logit for each time that it was made, in the window */
    float presence;    /* taken once if it was made, in the window */
    int window;        /* tokens looked back; prompt counts for `repeat` only. 0: 256 */
    uint64_t seed;
    const struct sampler_bias *bias; /* borrowed */
    int n_bias;
};
/* What the earlier systems used; see docs and DESIGN. */
#define SAMPLER_DEFAULTS                                                                           \
    ((struct sampler_opts){                                                                        \
        .temperature = 0.7f, .top_p = 0.9f, .repeat = 1, .frequency = 0.3f, .presence = 0.2f })

struct sampler_at {     /* where in the text */
    const int32_t *ids; /* prompt, then what was made so far */
    int n, n_prompt;
};

struct sampler;
int sampler_new(int vocab, struct sampler **out, struct err *err);
void sampler_free(struct sampler *s); /* accepts NULL */
/* ERR_INVAL names the option that is out of range. */
int sampler_check(const struct sampler_opts *o, int vocab, struct err *err);
/* mask: one bit per token, allowed ones set, (vocab + 31) / 32 words; NULL: all. logits are
 * changed. Never allocates. Returns the token, or -1 when nothing is allowed. NaN counts as
 * -infinity. */
int32_t sampler_pick(struct sampler *s, const struct sampler_opts *o, const struct sampler_at *at,
                     const uint32_t *mask, float *logits);

#endif
