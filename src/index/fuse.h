/* Putting rankings together, and choosing a varied few of them. Pure functions, no memory kept. */
#ifndef LK_INDEX_FUSE_H
#define LK_INDEX_FUSE_H

#include "index/vectors.h"

/* Weighted fusion of two rankings: each is min-max normalised over its own hits, then
 * score = w * a + (1 - w) * b, with a reciprocal-rank part (Cormack et al., 2009, k = 60) that
 * keeps one list from drowning the other. Writes at most cap hits, best first; returns how many. */
size_t fuse_rankings(const struct hit *a, size_t na, const struct hit *b, size_t nb, float w,
                     struct hit *out, size_t cap);

/* Maximal marginal relevance (Carbonell and Goldstein, 1998): reorders hits in place so that the
 * first k maximise lambda * score - (1 - lambda) * max cosine to those chosen. vec(ud, id) gives a
 * unit vector of dim floats or NULL. Scores are normalised to [0, 1] inside. Returns min(k, n). */
size_t fuse_mmr(struct hit *hits, size_t n, size_t k, float lambda, int dim,
                const float *(*vec)(void *ud, int64_t id), void *ud);

/* The adaptive k of retrieval: how many of hits[0..n) (cosines, best first) to keep: those above
 * `floor`, at most k_max; if fewer than k_min are above it, the best k_max. */
size_t fuse_adaptive_k(const struct hit *hits, size_t n, float floor, size_t k_min, size_t k_max);

#endif
