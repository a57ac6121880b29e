/* Putting rankings together.
 *
 * Scores of different kinds (cosine, BM25) have different scales, so each list is first mapped to
 * [0, 1] over its own hits. That alone lets one outlier flatten all else in its list, so a part of
 * the fused score comes from the rank alone: 61 / (60 + rank), which is 1 for the first and falls
 * slowly (Cormack, Clarke, Buettcher: reciprocal rank fusion, SIGIR 2009). A hit that one list
 * lacks gets 0 there, less than that list's last. Fused scores lie in [0, 1]. */
#include "index/fuse.h"

#include "base/map.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANK_PART 0.5f /* share of the score that comes from ranks */
#define RANK_K    60.0f

#define LEAST_COSINE (-1.001f) /* of unit vectors, with rounding */

enum { STACK_HITS = 256, SMALL_LIST = 32 };

struct list {
    const struct hit *h;
    size_t n;
    float least, most;
    struct map rank_of; /* id -> rank + 1, for long lists */
};

static void list_open(struct list *l, const struct hit *h, size_t n)
{
    *l = (struct list){ .h = h, .n = n };
    for (size_t i = 0; i < n; i++) {
        l->least = i ? fminf(l->least, h[i].score) : h[i].score;
        l->most = i ? fmaxf(l->most, h[i].score) : h[i].score;
    }
    for (size_t i = 0; n > SMALL_LIST && i < n; i++) {
        uint64_t *slot = map_slot(&l->rank_of, (uint64_t)h[i].id);
        if (!slot) {
            map_free(&l->rank_of); /* out of memory: searched one by one */
            return;
        }
        if (!*slot) *slot = i + 1;
    }
}

/* The rank of id from 0, or n. */
static size_t list_rank(const struct list *l, int64_t id)
{
    if (l->rank_of.n) {
        const uint64_t *r = map_get(&l->rank_of, (uint64_t)id);
        return r ? (size_t)*r - 1 : l->n;
    }
    size_t i = 0;
    while (i < l->n && l->h[i].id != id) i++;
    return i;
}

/* What a list says of the hit at `rank`, in [0, 1]. */
static float list_worth(const struct list *l, size_t rank)
{
    if (rank >= l->n) return 0;
    float span = l->most - l->least;
    float level = span > 0 ? (l->h[rank].score - l->least) / span : 1;
    float by_rank = (RANK_K + 1) / (RANK_K + 1 + (float)rank);
    return (1 - RANK_PART) * level + RANK_PART * by_rank;
}

static bool before(const struct hit *a, const struct hit *b)
{
    return a->score != b->score ? a->score > b->score : a->id < b->id;
}

static void sift(struct hit *h, size_t n, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&h[child], &h[child + 1])) child++;
        if (!before(&h[i], &h[child])) break;
        struct hit t = h[i];
        h[i] = h[child];
        h[child] = t;
    }
}

/* out is a heap of the best so far with the worst on top. */
static size_t keep_best(struct hit *out, size_t n, size_t cap, struct hit h)
{
    if (n < cap) {
        out[n++] = h;
        for (size_t i = n - 1; i && before(&out[(i - 1) / 2], &out[i]); i = (i - 1) / 2) {
            struct hit t = out[i];
            out[i] = out[(i - 1) / 2];
            out[(i - 1) / 2] = t;
        }
    } else if (cap && before(&h, &out[0])) {
        out[0] = h;
        sift(out, n, 0);
    }
    return n;
}

size_t fuse_rankings(const struct hit *a, size_t na, const struct hit *b, size_t nb, float w,
                     struct hit *out, size_t cap)
{
    struct list la, lb;
    list_open(&la, a, na);
    list_open(&lb, b, nb);
    w = fminf(fmaxf(w, 0), 1);
    size_t n = 0;
    for (size_t i = 0; i < na; i++) {
        if (list_rank(&la, a[i].id) != i) continue;
        float s = w * list_worth(&la, i) + (1 - w) * list_worth(&lb, list_rank(&lb, a[i].id));
        n = keep_best(out, n, cap, (struct hit){ .id = a[i].id, .score = s });
    }
    for (size_t i = 0; i < nb; i++) {
        if (list_rank(&lb, b[i].id) != i || list_rank(&la, b[i].id) < na) continue;
        float s = (1 - w) * list_worth(&lb, i);
        n = keep_best(out, n, cap, (struct hit){ .id = b[i].id, .score = s });
    }
    for (size_t end = n; end-- > 1;) {
        struct hit t = out[0];
        out[0] = out[end];
        out[end] = t;
        sift(out, end, 0);
    }
    map_free(&la.rank_of);
    map_free(&lb.rank_of);
    return n;
}

static float cosine(const float *a, const float *b, int dim)
{
    return a && b ? kernels.dot_f32(a, b, (size_t)dim) : 0;
}

struct vying { /* a hit that is not chosen yet */
    struct hit h;
    const float *v;
    float near; /* largest cosine to the first `met` of those chosen */
    size_t met;
    bool looked; /* v is known */
};

/* v[from] goes to v[to], to <= from; what is between keeps its order. */
static void move_up(struct vying *v, size_t from, size_t to)
{
    struct vying x = v[from];
    memmove(v + to + 1, v + to, (from - to) * sizeof *v);
    v[to] = x;
}

struct mmr {
    struct vying *v;
    size_t done; /* v[0..done) are chosen */
    float least, span, lambda;
    int dim;
    const float *(*vec)(void *ud, int64_t id);
    void *ud;
};

static float worth(const struct mmr *m, const struct vying *x, float near)
{
    return m->lambda * (x->h.score - m->least) / m->span - (1 - m->lambda) * near;
}

static const float *vector_of(const struct mmr *m, struct vying *x)
{
    if (!x->looked) x->v = m->vec(m->ud, x->h.id);
    x->looked = true;
    return x->v;
}

static void meet(const struct mmr *m, struct vying *x)
{
    for (; x->met < m->done; x->met++) {
        const float *chosen = vector_of(m, &m->v[x->met]);
        if (!chosen) continue;
        float c = cosine(chosen, vector_of(m, x), m->dim);
        x->near = x->met ? fmaxf(x->near, c) : c;
    }
}

/* A candidate's worth only falls as more are chosen, so one that would not be the best with the
 * cosines known so far, or with the least that a first one can be, is not compared any further:
 * most of a long list never is. */
size_t fuse_mmr(struct hit *hits, size_t n, size_t k, float lambda, int dim,
                const float *(*vec)(void *ud, int64_t id), void *ud)
{
    struct vying few[STACK_HITS];
    struct mmr m = {
        .v = few, .least = INFINITY, .lambda = lambda, .dim = dim, .vec = vec, .ud = ud
    };
    size_t all = n;
    float top = -INFINITY;
    if (n > STACK_HITS && !(m.v = malloc(n * sizeof *m.v))) {
        m.v = few;
        n = STACK_HITS; /* out of memory: vary the first, leave the rest */
    }
    for (size_t i = 0; i < n; i++) {
        m.least = fminf(m.least, hits[i].score);
        top = fmaxf(top, hits[i].score);
        m.v[i] = (struct vying){ .h = hits[i] };
    }
    m.span = top > m.least ? top - m.least : 1;
    for (; m.done < k && m.done < n; m.done++) {
        size_t best = m.done;
        float most = -INFINITY;
        for (size_t i = m.done; i < n; i++) {
            struct vying *x = &m.v[i];
            if (worth(&m, x, m.done && !x->met ? LEAST_COSINE : x->near) <= most) continue;
            meet(&m, x);
            float s = worth(&m, x, x->near);
            if (s > most) most = s, best = i;
        }
        move_up(m.v, best, m.done);
    }
    for (size_t i = 0; i < n; i++) hits[i] = m.v[i].h;
    if (m.v != few) free(m.v);
    return k < all ? k : all;
}

size_t fuse_adaptive_k(const struct hit *hits, size_t n, float floor, size_t k_min, size_t k_max)
{
    size_t above = 0;
    while (above < n && above < k_max && hits[above].score > floor) above++;
    if (above >= k_min) return above;
    return n < k_max ? n : k_max;
}
