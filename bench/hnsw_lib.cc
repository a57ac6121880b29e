// The peer: Debian's libhnswlib, hierarchical navigable small worlds over f32.
#include <hnswlib/hnswlib.h>

#include <cstddef>

extern "C" {
void *bench_hnsw_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud, int m,
                     int ef_build);
void bench_hnsw_search(void *index, const float *q, int k, int ef, float *scores, long long *ids);
void bench_hnsw_free(void *index);
}

struct peer {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> index;
    peer(int dim, size_t n, int m, int ef) : space(dim), index(&space, n, m, ef) {}
};

void *bench_hnsw_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud, int m,
                     int ef_build)
{
    auto *p = new peer(dim, n, m, ef_build);
    for (size_t i = 0; i < n; i++) p->index.addPoint(row(ud, i), i);
    return p;
}

void bench_hnsw_search(void *index, const float *q, int k, int ef, float *scores, long long *ids)
{
    auto *p = static_cast<peer *>(index);
    p->index.setEf(ef);
    auto found = p->index.searchKnn(q, k);
    for (int i = (int)found.size() - 1; i >= 0; i--, found.pop()) {
        scores[i] = 1 - found.top().first;
        ids[i] = (long long)found.top().second;
    }
}

void bench_hnsw_free(void *index) { delete static_cast<peer *>(index); }
