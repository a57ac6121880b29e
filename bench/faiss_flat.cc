// The peer: Debian's faiss, IndexFlatIP, which also answers exactly, from f32.
#include <faiss/IndexFlat.h>
#include <omp.h>

#include <cstddef>
#include <cstdint>

extern "C" {
void *bench_faiss_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud,
                      int threads);
void bench_faiss_search(void *index, const float *q, int k, float *scores, long long *ids);
void bench_faiss_free(void *index);
}

void *bench_faiss_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud,
                      int threads)
{
    omp_set_num_threads(threads);
    auto *ix = new faiss::IndexFlatIP(dim);
    ix->codes.reserve(n * dim * sizeof(float));
    for (size_t i = 0; i < n; i++) ix->add(1, row(ud, i));
    return ix;
}

void bench_faiss_search(void *index, const float *q, int k, float *scores, long long *ids)
{
    std::int64_t found[64];
    static_cast<faiss::IndexFlatIP *>(index)->search(1, q, k, scores, found);
    for (int i = 0; i < k; i++) ids[i] = found[i];
}

void bench_faiss_free(void *index) { delete static_cast<faiss::IndexFlatIP *>(index); }
