/* Where libhnswlib-dev is not installed there is no peer for approximate search. */
#include "bench.h"

void *bench_hnsw_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud, int m,
                     int ef_build)
{
    return NULL;
}

void bench_hnsw_search(void *index, const float *q, int k, int ef, float *scores, long long *ids) {}

void bench_hnsw_free(void *index) {}
