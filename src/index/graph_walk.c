/* Searching the graph.
 *
 * A walk keeps the `ef` best nodes it has seen, best first, and looks at the neighbours of the best
 * one it has not looked at yet, until there is none: the best-first search of Malkov and Yashunin
 * (algorithm 2), with candidates and results in one sorted array.
 *
 * The paper finds where to begin by descending a hierarchy of ever denser graphs. Text vectors lie
 * in clumps that are nearly at right angles to each other, and from one clump there is no slope
 * towards another: a descent that starts in the wrong one stays there. Instead, all seeds are
 * scanned: up to 2,048 nodes chosen so that every clump has one (graph_link.c), whose codes lie
 * together in the cache of the processor. The walk begins at the best few.
 *
 * Scores in a walk are products of codes, times the scale of the node; the scale of the question is
 * the same for all. They are off by some 0.001, so the nodes that could be among the best k are in
 * the end scored in f32 from the vectors, exactly as vectors_search would. How far a score can be
 * off: each code is rounded by at most half a step, evenly, so the error of the sum has about the
 * deviation sqrt((s_q^2 + s_v^2) / 12), and six of them are allowed for.
 *
 * A filter, or dead nodes, thin the pool out; so it is made longer by as much as a sample of nodes
 * says, for filters by twice as much, since they reach for nodes farther off, which walks find less
 * surely. A pool of the nearest nodes of all holds the best kept ones, if it holds k; if it does
 * not, all vectors are scanned. Filters that keep less than an eighth are scanned at once.
 *
 * Threads: a search only reads the graph and takes a `struct walk` of its own from a list. */
#include "index/graph_impl.h"

#include "kernels/kernels.h"
#include "kernels/near.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOUCHED = 16384, /* beyond, all of `seen` is cleared */
    SEED_BLOCK = 256,
    SAMPLE = 256,    /* nodes asked about a filter */
    MANY_HITS = 256, /* more are not a question of nearness */
    SAMPLE_FEW = 32, /* fewer of them, and all vectors are scanned */
};

/* ---- what a walk works with ---- */

static void walk_free(struct walk *w)
{
    if (!w) return;
    free(w->seen);
    free(w->touched);
    free(w);
}

static struct walk *walk_new(size_t cap)
{
    struct walk *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->cap = (cap + 63) / 64 * 64;
    w->seen = calloc(w->cap / 64 + 1, sizeof *w->seen);
    w->touched = malloc(TOUCHED * sizeof *w->touched);
    if (w->seen && w->touched) return w;
    walk_free(w);
    return NULL;
}

/* The list of idle walks is the one thing that searches change. */
struct walk *walk_take(const struct graph *graph)
{
    struct graph *g = (struct graph *)graph;
    pthread_mutex_lock(&g->m);
    struct walk *w = g->idle;
    if (w) g->idle = w->next;
    pthread_mutex_unlock(&g->m);
    if (w && w->cap >= g->n) return w;
    walk_free(w);
    return walk_new(g->cap);
}

void walk_give(const struct graph *graph, struct walk *w)
{
    struct graph *g = (struct graph *)graph;
    if (!w) return;
    pthread_mutex_lock(&g->m);
    w->next = g->idle;
    g->idle = w;
    pthread_mutex_unlock(&g->m);
}

void walk_free_all(struct graph *g)
{
    while (g->idle) {
        struct walk *w = g->idle;
        g->idle = w->next;
        walk_free(w);
    }
}

static bool see(struct walk *w, uint32_t node)
{
    uint64_t bit = (uint64_t)1 << (node & 63), *word = &w->seen[node >> 6];
    if (*word & bit) return false;
    *word |= bit;
    if (w->n_touched < TOUCHED) w->touched[w->n_touched] = node;
    w->n_touched++;
    return true;
}

static void forget_seen(struct walk *w)
{
    if (w->n_touched > TOUCHED) memset(w->seen, 0, w->cap / 8);
    else
        for (size_t i = 0; i < w->n_touched; i++) w->seen[w->touched[i] >> 6] = 0;
    w->n_touched = 0;
}

/* ---- walking ---- */

/* Where it went, or ef if it is not among the best. */
static size_t pool_put(struct walk *w, size_t ef, float score, uint32_t node)
{
    struct near *p = w->pool;
    if (w->n == ef && !(score > p[ef - 1].score)) return ef;
    size_t lo = 0, hi = w->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p[mid].score >= score) lo = mid + 1;
        else hi = mid;
    }
    if (w->n < ef) w->n++;
    memmove(p + lo + 1, p + lo, (w->n - 1 - lo) * sizeof *p);
    p[lo] = (struct near){ score, node };
    return lo;
}

static void scan_seeds(const struct graph *g, struct walk *w, const uint8_t *q, size_t want)
{
    const float *scale = seed_scales(g);
    uint32_t pass[SEED_BLOCK];
    w->n = 0;
    near_dots(g->door.p, g->stride, seed_order(g), g->n_seeds, q, w->dot);
    for (size_t b = 0; b < g->n_seeds; b += SEED_BLOCK) {
        size_t n = g->n_seeds - b < SEED_BLOCK ? g->n_seeds - b : SEED_BLOCK;
        float t = w->n == want ? w->pool[want - 1].score : -INFINITY;
        size_t m = kernels.pass_i8(w->dot + b, scale + b, scale + b, n, 1, 0, t, pass);
        for (size_t i = 0; i < m; i++) {
            size_t s = b + pass[i];
            pool_put(w, want, (float)w->dot[s] * scale[s], g->seed[s]);
        }
    }
}

float walk_best_seed(const struct graph *g, struct walk *w, const uint8_t *q)
{
    scan_seeds(g, w, q, 1);
    return w->n ? w->pool[0].score : -INFINITY;
}

/* The neighbours that were not seen before, into w->at. */
static size_t gather(const struct graph *g, struct walk *w, uint32_t node)
{
    const link_t *links = node_links(g, node);
    size_t n = 0;
    for (size_t i = 0; i < LINKS; i++) {
        uint32_t to = atomic_load_explicit(links + i, memory_order_relaxed);
        if (to == NONE) break;
        if (see(w, to)) w->at[n++] = to;
    }
    return n;
}

void walk_from_seeds(const struct graph *g, struct walk *w, const uint8_t *q, size_t ef)
{
    const float *scale = g->scale.p;
    scan_seeds(g, w, q, ef < ENTRIES ? ef : ENTRIES);
    for (size_t i = 0; i < w->n; i++) see(w, w->pool[i].node);
    for (size_t i = 0; i < w->n;) {
        uint32_t node = w->pool[i].node;
        if (node & EXPANDED) {
            i++;
            continue;
        }
        w->pool[i].node |= EXPANDED;
        if (i + 1 < w->n) {
            const char *after = (const char *)node_links(g, w->pool[i + 1].node & ~EXPANDED);
            __builtin_prefetch(after);
            __builtin_prefetch(after + 64);
        }
        size_t n = gather(g, w, node), low = i + 1;
        near_dots(g->codes.p, g->stride, w->at, n, q, w->dot);
        for (size_t j = 0; j < n; j++) {
            size_t p = pool_put(w, ef, (float)w->dot[j] * scale[w->at[j]], w->at[j]);
            if (p < low) low = p;
        }
        i = low;
    }
    forget_seen(w);
    for (size_t i = 0; i < w->n; i++) w->pool[i].node &= ~EXPANDED;
}

/* ---- questions ---- */

/* As vectors_search makes it, so that scores are the same to the bit. */
static bool make_unit(const float *v, int dim, float *out)
{
    double sum = 0;
    for (int i = 0; i < dim; i++) sum += (double)v[i] * v[i];
    if (!isfinite(sum)) return false;
    double norm = sqrt(sum), inv = norm > 0 ? 1 / norm : 0;
    for (int i = 0; i < dim; i++) out[i] = (float)(v[i] * inv);
    return true;
}

struct ask {
    const struct graph *g;
    const struct vectors *ix;
    const float *q; /* unit */
    float s_q;
    size_t k;
    bool (*keep)(void *ud, int64_t id);
    void *ud;
};

static bool wanted(const struct ask *a, uint32_t node)
{
    return !node_dead(a->g, node) && (!a->keep || a->keep(a->ud, node_id(a->g, node)));
}

/* How long a pool must be to hold as many wanted nodes as it would without filter; 0: too long. */
static size_t pool_length(const struct ask *a)
{
    size_t yes = 0;
    if (a->k > MANY_HITS) return 0;
    size_t ef = (size_t)a->g->ef > 2 * a->k ? (size_t)a->g->ef : 2 * a->k;
    if (a->keep || a->g->dead) {
        for (uint64_t i = 0; i < SAMPLE; i++)
            yes += wanted(a, (uint32_t)((i * 0x9E3779B97F4A7C15u >> 33) * a->g->n >> 31));
        if (yes < SAMPLE_FEW) return 0;
        ef = (a->keep ? 2 : 1) * ef * SAMPLE / yes;
    }
    return ef <= POOL ? ef : 0;
}

static bool hit_before(const struct hit *a, const struct hit *b)
{
    return a->score != b->score ? a->score > b->score : a->id < b->id;
}

/* Into out[0..*n), best first, at most k. */
static void put_hit(struct hit *out, size_t *n, size_t k, struct hit h)
{
    size_t i = *n;
    if (i == k && !hit_before(&h, &out[k - 1])) return;
    if (i == k) i--;
    else ++*n;
    for (; i && hit_before(&h, &out[i - 1]); i--) out[i] = out[i - 1];
    out[i] = h;
}

/* The wanted ones of the pool, scored in f32. */
static size_t settle(const struct ask *a, const struct walk *w, struct hit *out)
{
    size_t n = 0, seen = 0;
    float least = -INFINITY;
    for (size_t i = 0; i < w->n; i++) {
        uint32_t node = w->pool[i].node;
        float s_v = node_scale(a->g, node), approx = w->pool[i].score * a->s_q;
        float off = 6 * sqrtf((a->s_q * a->s_q + s_v * s_v) / 12);
        if (approx + off < least) break;
        if (!wanted(a, node)) continue;
        const float *v = vectors_get(a->ix, node_id(a->g, node));
        if (!v) continue;
        float x = kernels.dot_f32(a->q, v, (size_t)a->g->dim);
        x = x > 1 ? 1 : x < -1 ? -1 : x;
        put_hit(out, &n, a->k, (struct hit){ .id = node_id(a->g, node), .score = x });
        if (++seen == a->k) least = approx - off;
    }
    return n;
}

size_t graph_search(const struct graph *g, const struct vectors *ix, const float *q, size_t k,
                    bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out)
{
    float unit[VECTORS_DIM_MAX];
    uint8_t codes[VECTORS_DIM_MAX] __attribute__((aligned(64)));
    if (k > vectors_count(ix)) k = vectors_count(ix);
    if (!k || !make_unit(q, g->dim, unit)) return 0;
    struct ask a = { .g = g, .ix = ix, .q = unit, .k = k, .keep = keep, .ud = ud };
    size_t ef = g->n - g->dead == vectors_count(ix) ? pool_length(&a) : 0, n = 0;
    struct walk *w = ef ? walk_take(g) : NULL;
    if (w) {
        graph_encode(g, unit, codes, &a.s_q);
        walk_from_seeds(g, w, codes, ef);
        n = settle(&a, w, out);
        walk_give(g, w);
    }
    return n == k ? n : vectors_search(ix, q, k, keep, ud, out);
}
