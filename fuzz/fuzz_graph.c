/* A stored index from anybody, over vectors that are there. Whatever the bytes, loading ends, takes
 * no more than they justify, and gives a graph that answers in full, or says why not.
 *
 * Input: a u16, at which the bytes behind it are cut into two parts, then the bytes. Vectors 0 to
 * 59 are those of the seeds in the corpus. */
#include "base/threads.h"
#include "index/graph.h"
#include "index/graph_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { DIM = 8, N = 60 };

struct input {
    const char *p[2];
    size_t n[2];
};

static int get(void *ud, unsigned part, struct buf *out)
{
    const struct input *in = ud;
    return part > 1 ? ERR_NOTFOUND : buf_add(out, in->p[part], in->n[part]);
}

static int drop(void *ud, unsigned part, const char *p, size_t n) { return 0; }

static void demand(bool ok)
{
    if (!ok) abort();
}

static struct vectors *vectors(void)
{
    static struct vectors *ix;
    float v[DIM];
    uint32_t x = 1;
    if (ix) return ix;
    threads_set(1);
    ix = vectors_new(DIM, NULL);
    for (int64_t i = 0; i < N; i++) {
        for (int j = 0; j < DIM; j++) {
            x = x * 1664525 + 1013904223;
            v[j] = (float)(int32_t)x;
        }
        demand(!vectors_add(ix, i, v, NULL));
    }
    return ix;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) return 0;
    struct vectors *ix = vectors();
    size_t cut = (size_t)(data[0] | data[1] << 8), missing;
    if (cut > n - 2) cut = n - 2;
    struct input in = { { (const char *)data + 2, (const char *)data + 2 + cut },
                        { cut, n - 2 - cut } };
    struct graph *g;
    struct err err = { 0 };
    struct hit h[3];
    int rc = graph_load(ix, get, &in, &g, &missing, &err);
    if (rc) {
        demand(!g && (rc == ERR_NOTFOUND || err.msg[0]));
        return 0;
    }
    demand(graph_info(g).live + missing == N);
    demand(graph_search(g, ix, vectors_get(ix, 7), 3, NULL, NULL, h) == 3);
    demand(!graph_update(g, ix, NULL, &err));
    demand(graph_search(g, ix, vectors_get(ix, 7), 3, NULL, NULL, h) == 3);
    demand(isfinite(graph_info(g).recall));
    demand(!graph_save(g, drop, NULL, &err));
    graph_free(g);
    return 0;
}
