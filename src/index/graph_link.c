/* Building the graph, and how well it finds.
 *
 * A new node is searched for, and of what the search holds those become its neighbours that are not
 * nearer to a better one than to the node itself (algorithm 4 of the paper): so links point in
 * different directions and not all into one clump. Each neighbour gets a link back; one that has
 * LINKS already chooses anew among them and the newcomer.
 *
 * Seeds are leaders: going through a sample, a node that is less alike than `apart` to every seed
 * becomes one. When there are too many, `apart` is lowered and the seeds go through the same
 * sieve. Where vectors lie in clumps each clump gets its seed, however small it is; where they
 * don't, seeds lie evenly.
 *
 * Threads: new nodes are written and entered in the table first, then linked in batches, by all
 * threads, in an order that strides through them, since neighbours in time are often alike.
 * Links are changed under the lock of their node (a bit that is spun on) and read without: each is
 * one atomic word, a reader may meet a list half changed, and every number in it is a node. With
 * one thread a build gives the same graph each time. */
#include "index/graph_impl.h"

#include "base/clock.h"
#include "base/threads.h"
#include "kernels/near.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
    EF_BUILD = 100,      /* candidates held while linking */
    NEW_LINKS = 16,      /* M: links a new node begins with */
    BATCH = 4096,        /* nodes linked between two ticks */
    RUN = 16,            /* nodes a thread takes at a time */
    SIEVED = 32 * SEEDS, /* nodes that seeds are chosen from */
};

/* ---- links ---- */

static void node_lock(const struct graph *g, uint32_t i)
{
    for (int spins = 0;
         atomic_fetch_or_explicit(node_flags(g, i), NODE_LOCK, memory_order_acquire) & NODE_LOCK;)
        if (++spins % 64 == 0) sched_yield();
}

static void node_unlock(const struct graph *g, uint32_t i)
{
    atomic_fetch_and_explicit(node_flags(g, i), (uint8_t)~NODE_LOCK, memory_order_release);
}

static void near_sort(struct near *c, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct near x = c[i];
        size_t j = i;
        for (; j &&
               (c[j - 1].score < x.score || (c[j - 1].score == x.score && c[j - 1].node > x.node));
             j--)
            c[j] = c[j - 1];
        c[j] = x;
    }
}

/* Marks those of c[i + 1 .. n) that are nearer to c[i] than to the node they are candidates of. */
static void hide_behind(const struct graph *g, const struct near *c, size_t i, size_t n,
                        bool *hidden)
{
    uint32_t at[LINK_CANDS], which[LINK_CANDS];
    int32_t dot[LINK_CANDS];
    size_t m = 0;
    for (size_t j = i + 1; j < n; j++)
        if (!hidden[j]) which[m] = (uint32_t)j, at[m++] = c[j].node;
    if (!m) return;
    near_dots(g->codes.p, g->stride, at, m, node_codes(g, c[i].node), dot);
    float s = node_scale(g, c[i].node);
    for (size_t j = 0; j < m; j++)
        hidden[which[j]] = (float)dot[j] * s * node_scale(g, at[j]) > c[which[j]].score;
}

size_t link_choose(const struct graph *g, const struct near *c, size_t n, size_t most, size_t fill,
                   uint32_t *out)
{
    bool hidden[LINK_CANDS] = { 0 };
    size_t m = 0;
    if (n > LINK_CANDS) n = LINK_CANDS;
    for (size_t i = 0; i < n && m < most; i++) {
        if (hidden[i]) continue;
        out[m++] = c[i].node;
        if (m < most) hide_behind(g, c, i, n, hidden);
    }
    for (size_t i = 0; i < n && m < fill; i++)
        if (hidden[i]) out[m++] = c[i].node;
    return m;
}

void link_set(const struct graph *g, uint32_t node, const uint32_t *to, size_t n)
{
    link_t *l = node_links(g, node);
    for (size_t i = 0; i < LINKS; i++)
        atomic_store_explicit(l + i, i < n ? to[i] : NONE, memory_order_relaxed);
}

/* Cosines of `node` with c[0..n), which are then sorted. */
void near_score(const struct graph *g, uint32_t node, struct near *c, size_t n)
{
    uint32_t at[LINK_CANDS];
    int32_t dot[LINK_CANDS];
    if (n > LINK_CANDS) n = LINK_CANDS;
    if (!n) return;
    for (size_t i = 0; i < n; i++) at[i] = c[i].node;
    near_dots(g->codes.p, g->stride, at, n, node_codes(g, node), dot);
    float s = node_scale(g, node);
    for (size_t i = 0; i < n; i++) c[i].score = (float)dot[i] * s * node_scale(g, at[i]);
    near_sort(c, n);
}

static void add_link(const struct graph *g, uint32_t node, uint32_t to)
{
    struct near c[LINKS + 1];
    uint32_t chosen[LINKS];
    link_t *l = node_links(g, node);
    size_t n = 0;
    node_lock(g, node);
    for (; n < LINKS; n++) {
        uint32_t x = atomic_load_explicit(l + n, memory_order_relaxed);
        if (x == to) goto out;
        if (x == NONE) break;
        c[n].node = x;
    }
    if (n < LINKS) {
        atomic_store_explicit(l + n, to, memory_order_relaxed);
        goto out;
    }
    c[n++].node = to;
    near_score(g, node, c, n);
    link_set(g, node, chosen, link_choose(g, c, n, LINKS, REFILL, chosen));
out:
    node_unlock(g, node);
}

static void link_node(const struct graph *g, struct walk *w, uint32_t node)
{
    uint32_t chosen[NEW_LINKS];
    size_t n = 0;
    size_t ef = g->dead * 2 < g->n ? EF_BUILD * g->n / (g->n - g->dead) : 2 * EF_BUILD;
    walk_from_seeds(g, w, node_codes(g, node), ef);
    for (size_t i = 0; i < w->n; i++) {
        struct near c = w->pool[i];
        if (c.node == node || node_dead(g, c.node)) continue;
        c.score *= node_scale(g, node);
        w->pool[n++] = c;
    }
    size_t m = link_choose(g, w->pool, n, NEW_LINKS, NEW_LINKS, chosen);
    for (size_t i = 0; i < m; i++) add_link(g, node, chosen[i]);
    for (size_t i = 0; i < m; i++) add_link(g, chosen[i], node);
}

/* ---- seeds ---- */

/* The seeds go through the sieve again, at a lower `apart`, until a quarter of the room is free. */
static void thin_seeds(struct graph *g, struct walk *w)
{
    while (g->n_seeds > SEEDS / 4 * 3) {
        size_t n = g->n_seeds;
        g->apart -= 0.05f;
        g->n_seeds = 0;
        for (size_t i = 0; i < n; i++) {
            uint32_t node = g->seed[i];
            float best = walk_best_seed(g, w, node_codes(g, node)) * node_scale(g, node);
            if (!(best >= g->apart)) graph_add_seed(g, node);
        }
    }
}

static void offer_seed(struct graph *g, struct walk *w, uint32_t node)
{
    float best = walk_best_seed(g, w, node_codes(g, node)) * node_scale(g, node);
    if (best >= g->apart) return;
    if (g->n_seeds == SEEDS) {
        thin_seeds(g, w);
        best = walk_best_seed(g, w, node_codes(g, node)) * node_scale(g, node);
    }
    if (!(best >= g->apart)) graph_add_seed(g, node);
}

/* ---- bringing up to date ---- */

struct linking {
    struct graph *g;
    size_t first, count, step; /* new nodes, and how the order strides through them */
    size_t from, to;           /* of the order: this batch */
    atomic_bool failed;
};

static uint32_t nth(const struct linking *l, size_t i)
{
    return (uint32_t)(l->first + i * l->step % l->count);
}

static size_t common(size_t a, size_t b) { return b ? common(b, a % b) : a; }

static size_t stride_of(size_t n)
{
    size_t step = (size_t)((double)n * 0.6180339887);
    if (step < 1) step = 1;
    while (common(n, step) != 1) step++;
    return step;
}

static void link_run(void *ud, int part)
{
    struct linking *l = ud;
    size_t from = l->from + (size_t)part * RUN, to = from + RUN < l->to ? from + RUN : l->to;
    struct walk *w = walk_take(l->g);
    if (!w) atomic_store(&l->failed, true);
    for (size_t i = from; w && i < to; i++) link_node(l->g, w, nth(l, i));
    walk_give(l->g, w);
}

/* The first few one by one: what is linked at the same time does not find each other. */
static int link_all(struct linking *l, const struct progress *pr, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < l->count && !rc; i = l->to) {
        size_t there = l->first + i, n = there / 8 + 1 < BATCH ? there / 8 + 1 : BATCH;
        l->from = i;
        l->to = i + n < l->count ? i + n : l->count;
        threads_run((int)((l->to - i + RUN - 1) / RUN), link_run, l);
        if (atomic_load(&l->failed)) rc = err_nomem(err);
        else if (progress_tick(pr, "index", l->to, l->count, "passages"))
            rc = err_set(err, ERR_CANCEL, "stopped while the index was built");
    }
    return rc;
}

static int choose_seeds(struct linking *l, const struct progress *pr, struct err *err)
{
    struct walk *w = walk_take(l->g);
    size_t every = l->count / SIEVED + 1;
    int rc = w ? 0 : err_nomem(err);
    for (size_t i = 0, n = 0; !rc && i < l->count; i += every) {
        offer_seed(l->g, w, nth(l, i));
        if (++n % BATCH == 0 && progress_tick(pr, "index", 0, l->count, "passages"))
            rc = err_set(err, ERR_CANCEL, "stopped while the index was built");
    }
    walk_give(l->g, w);
    return rc;
}

static void drop_changed(struct graph *g, const struct vectors *ix)
{
    uint8_t codes[VECTORS_DIM_MAX];
    for (size_t i = 0; i < g->n; i++) {
        if (node_dead(g, i)) continue;
        const float *v = vectors_get(ix, node_id(g, i));
        float scale = 0;
        if (v) graph_encode(g, v, codes, &scale);
        if (!v || scale != node_scale(g, i) || memcmp(codes, node_codes(g, i), g->stride))
            graph_kill(g, (uint32_t)i);
    }
}

int graph_update(struct graph *g, const struct vectors *ix, const struct progress *pr,
                 struct err *err)
{
    struct linking l = { .g = g };
    uint32_t at;
    int rc = 0;
    if (vectors_dim(ix) != g->dim)
        return err_set(err, ERR_INVAL, "the index is for vectors of another dimension");
    drop_changed(g, ix);
    l.first = g->n;
    size_t n = vectors_count(ix), fresh = n - (g->n - g->dead);
    if (!fresh) return 0;
    rc = graph_reserve(g, g->n + fresh, err);
    for (size_t i = 0; i < n && !rc; i++) {
        int64_t id = vectors_id(ix, i);
        if (graph_find(g, id) == NONE) rc = graph_append(g, id, vectors_get(ix, id), &at, err);
    }
    l.count = g->n - l.first;
    l.step = stride_of(l.count);
    if (!rc) rc = choose_seeds(&l, pr, err);
    if (!rc) rc = link_all(&l, pr, err);
    for (size_t i = l.first; rc && i < g->n; i++) graph_kill(g, (uint32_t)i);
    if (rc && !l.first) graph_empty(g); /* nothing old has links to what is not linked */
    return rc;
}

/* ---- measuring ---- */

int graph_recall(const struct graph *g, const struct vectors *ix, size_t sample, size_t k,
                 double *recall, struct err *err)
{
    size_t n = vectors_count(ix), found = 0, all = 0;
    struct hit *h = calloc(2 * k + 1, sizeof *h);
    if (!h) return err_nomem(err);
    if (sample > n) sample = n;
    for (size_t i = 0; i < sample; i++) {
        const float *q =
            vectors_get(ix, vectors_id(ix, (size_t)((double)n / (double)sample * (double)i)));
        size_t want = vectors_search(ix, q, k, NULL, NULL, h);
        size_t got = graph_search(g, ix, q, k, NULL, NULL, h + k);
        for (size_t j = 0; j < got; j++) found += h[k + j].score >= h[want - 1].score;
        all += want;
    }
    *recall = all ? (double)found / (double)all : 1;
    free(h);
    return 0;
}

int graph_tune(struct graph *g, const struct vectors *ix, double want, double *recall,
               struct err *err)
{
    static const int steps[] = { 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024 };
    double r = 0;
    int rc = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !rc && r < want; i++) {
        graph_set_ef(g, steps[i]);
        rc = graph_recall(g, ix, 200, 10, &r, err);
    }
    g->recall = (float)r;
    g->built_at = clock_now();
    if (recall) *recall = r;
    return rc;
}
