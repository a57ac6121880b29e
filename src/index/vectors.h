/* Exact nearest neighbours by cosine, over all vectors, in memory.
 *
 *     struct vectors *ix = vectors_new(384, err);
 *     vectors_add(ix, id, v);                     copies; v is made unit length
 *     size_t n = vectors_search(ix, q, 5, NULL, NULL, hits);
 *     vectors_free(ix);
 *
 * Each vector is kept twice: int8 (one scale a row) for the scan, f32 for the verdict. The scan
 * bounds the true cosine by |q.v - q8.v8| <= |q| e_v + e_q |v8|, keeps every row that could still
 * be among the best k, and settles those in f32: so the result equals a full f32 scan
 * (docs/ARCHITECTURE.md), while reading a quarter of the bytes. Searches may run side by side; add
 * and remove may not. */
#ifndef LK_INDEX_VECTORS_H
#define LK_INDEX_VECTORS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hit {
    int64_t id;
    float score; /* cosine in [-1, 1], or a BM25 or fused score */
};

#define VECTORS_DIM_MAX 8192

struct vectors;
struct vectors *vectors_new(int dim, struct err *err); /* dim 1 .. VECTORS_DIM_MAX */
int vectors_reserve(struct vectors *ix, size_t n, struct err *err);
/* An id that is there already gets the new vector. A zero vector is allowed (cosine 0 with all);
 * ERR_INVAL if a component is not finite; then, and after ERR_NOMEM, the index is as it was. */
int vectors_add(struct vectors *ix, int64_t id, const float *v, struct err *err);
bool vectors_remove(struct vectors *ix, int64_t id);
size_t vectors_count(const struct vectors *ix);
int vectors_dim(const struct vectors *ix);
/* Ids in no order: i < vectors_count; the order changes with removals. */
int64_t vectors_id(const struct vectors *ix, size_t i);
const float *vectors_row(const struct vectors *ix, size_t i); /* unit length; until a removal */
size_t vectors_bytes(const struct vectors *ix);               /* memory held */
size_t vectors_scan_bytes(const struct vectors *ix); /* bytes one search reads in its scan */
int vectors_scan_threads(const struct vectors *ix);  /* threads one search would use */
/* Best k by cosine, best first, ties by smaller id. keep(ud, id) false leaves a row out; NULL:
 * all. keep is asked only about rows that could be among the best, and, in large indexes, from
 * several threads at once. Returns how many (<= k); out holds k. Allocates nothing when k <= 64
 * and the pool is warm; should memory be short for a larger k, the best 64. 0 if q is not
 * finite. */
size_t vectors_search(const struct vectors *ix, const float *q, size_t k,
                      bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out);
const float *vectors_get(const struct vectors *ix, int64_t id); /* unit length, borrowed
                                                 until the next change; NULL if absent */
void vectors_free(struct vectors *ix);

#endif
