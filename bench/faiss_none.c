/* Stands in for faiss_flat.cc where faiss is not installed: no peer is measured. */
#include "bench.h"

void *bench_faiss_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud,
                      int threads)
{
    return NULL;
}

void bench_faiss_search(void *index, const float *q, int k, float *scores, long long *ids) {}

void bench_faiss_free(void *index) {}
