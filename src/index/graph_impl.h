/* What the graph's files share: graph.c (nodes), graph_walk.c (searching), graph_link.c
 * (building), graph_file.c (bytes). */
#ifndef LK_INDEX_GRAPH_IMPL_H
#define LK_INDEX_GRAPH_IMPL_H

#include "index/graph.h"
#include "index/grow.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LINKS = 32,    /* of a node, at most: 2 M */
    REFILL = 24,   /* links a full node keeps at least, so that not every newcomer sorts it */
    SEEDS = 2048,  /* at most */
    ENTRIES = 8,   /* seeds a walk begins with */
    FEW_HITS = 64, /* largest k that needs no allocation */
    POOL = GRAPH_EF_MAX,
};
#define NONE      UINT32_MAX
#define NODES_MAX ((size_t)1 << 31)
#define EXPANDED  ((uint32_t)1 << 31) /* in a pool */

enum { NODE_LOCK = 1, NODE_DEAD = 2 };

typedef _Atomic uint32_t link_t;

struct graph {
    int dim;
    size_t stride; /* bytes of codes a node, a multiple of 64 */
    size_t n, cap, dead, left_out;
    struct grow codes; /* uint8_t [cap, stride], biased by 128 */
    struct grow scale; /* float [cap]: unit vector = scale * (codes - 128) */
    struct grow ids;   /* int64_t [cap] */
    struct grow links; /* link_t [cap, LINKS]; those behind the first NONE are NONE too */
    struct grow flags; /* _Atomic uint8_t [cap] */
    struct grow table; /* uint32_t [slots]: node + 1 by id, the newest of an id; 0: empty */
    size_t slots, used;

    uint32_t *seed;   /* [SEEDS]: nodes */
    struct grow door; /* uint8_t [SEEDS, stride], then float [SEEDS], uint32_t [SEEDS]: their codes,
                         their scales, 0 1 2 .. */
    size_t n_seeds;
    float apart; /* seeds are less alike than this */

    int ef;
    float recall;
    int64_t built_at;
    pthread_mutex_t m; /* guards idle */
    struct walk *idle;
};

static inline uint8_t *node_codes(const struct graph *g, size_t i)
{
    return (uint8_t *)g->codes.p + i * g->stride;
}

static inline float node_scale(const struct graph *g, size_t i)
{
    return ((const float *)g->scale.p)[i];
}

static inline int64_t node_id(const struct graph *g, size_t i)
{
    return ((const int64_t *)g->ids.p)[i];
}

static inline link_t *node_links(const struct graph *g, size_t i)
{
    return (link_t *)g->links.p + i * LINKS;
}

static inline _Atomic uint8_t *node_flags(const struct graph *g, size_t i)
{
    return (_Atomic uint8_t *)g->flags.p + i;
}

static inline bool node_dead(const struct graph *g, size_t i)
{
    return atomic_load_explicit(node_flags(g, i), memory_order_relaxed) & NODE_DEAD;
}

static inline uint8_t *seed_codes(const struct graph *g, size_t i)
{
    return (uint8_t *)g->door.p + i * g->stride;
}

static inline float *seed_scales(const struct graph *g) { return (float *)seed_codes(g, SEEDS); }

static inline uint32_t *seed_order(const struct graph *g)
{
    return (uint32_t *)(seed_scales(g) + SEEDS);
}

/* ---- graph.c ---- */
int graph_reserve(struct graph *g, size_t n, struct err *err);
/* A node without links; *at is its number. v: unit vector, [dim]. */
int graph_append(struct graph *g, int64_t id, const float *v, uint32_t *at, struct err *err);
/* A dead node that stands for one of a file: it has a number and links, nothing else. */
int graph_append_gone(struct graph *g, uint32_t *at, struct err *err);
void graph_empty(struct graph *g);
void graph_index_ids(struct graph *g);                  /* the table anew */
uint32_t graph_find(const struct graph *g, int64_t id); /* its live node, or NONE */
void graph_kill(struct graph *g, uint32_t node);
void graph_encode(const struct graph *g, const float *v, uint8_t *codes, float *scale);
void graph_add_seed(struct graph *g, uint32_t node); /* there is room: fewer than SEEDS */

/* ---- graph_walk.c ---- */
struct near { /* a node seen: cosine over the scale of what was searched for */
    float score;
    uint32_t node; /* with EXPANDED */
};

struct walk { /* what one search works with; kept for the next */
    struct walk *next;
    size_t cap; /* nodes that `seen` has bits for */
    uint64_t *seen;
    uint32_t *touched;
    size_t n_touched;
    struct near pool[POOL + 1]; /* best first */
    size_t n;
    uint32_t at[LINKS];
    int32_t dot[SEEDS];
};
struct walk *walk_take(const struct graph *g); /* NULL: no memory */
void walk_give(const struct graph *g, struct walk *w);
void walk_free_all(struct graph *g);
/* Fills w->pool with the ef best nodes that a walk finds, dead ones among them. */
void walk_from_seeds(const struct graph *g, struct walk *w, const uint8_t *q, size_t ef);
/* The best seed by score; -INFINITY if there is none. */
float walk_best_seed(const struct graph *g, struct walk *w, const uint8_t *q);

/* ---- graph_link.c ---- */
enum { LINK_CANDS = 256 }; /* candidates that are looked at, at most */
/* Cosines of `node` with c[0..n), which are then sorted, best first. */
void near_score(const struct graph *g, uint32_t node, struct near *c, size_t n);
/* Of c[0..n), best first, those that no better one hides from the node they are candidates of;
 * then the best of the hidden, up to `fill`. Writes at most `most` nodes to out; returns how
 * many. */
size_t link_choose(const struct graph *g, const struct near *c, size_t n, size_t most, size_t fill,
                   uint32_t *out);
void link_set(const struct graph *g, uint32_t node, const uint32_t *to, size_t n);

/* ---- graph_file.c ---- */
/* graph_save with parts of another length (at least 200), for tests. */
int graph_save_parts(const struct graph *g, size_t most,
                     int (*put)(void *ud, unsigned part, const char *p, size_t n), void *ud,
                     struct err *err);

#endif
