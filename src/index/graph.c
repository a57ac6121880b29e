/* The nodes of the graph: what is kept of each, and how it is found by its id.
 *
 * A node has its own copy of the vector as bytes (a walk reads nothing else), so that rows of the
 * exact index may move. It takes stride + 4 (scale) + 8 (id) + 4 LINKS (links) + 1 (flags) bytes,
 * and 8 to 16 in the table of ids. Nodes are only ever added: one whose vector is gone is marked,
 * walked through and never returned, and left out when the graph is next loaded.
 *
 * The table holds the newest node of an id. A slot is never emptied: the dead node stays in it
 * until a new one of the same id takes its place, which spares the marks that removal would need.
 *
 * Changes are for one thread, but for linking (graph_link.c), which shares its work itself. */
#include "index/graph_impl.h"

#include "base/clock.h"
#include "base/str.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { EF_DEFAULT = 128 };
#define APART 0.95f /* to begin with */

struct graph *graph_new(int dim, struct err *err)
{
    if (dim < 1 || dim > VECTORS_DIM_MAX) {
        err_set(err, ERR_INVAL, "vectors have 1 to %d dimensions, not %d", VECTORS_DIM_MAX, dim);
        return NULL;
    }
    struct graph *g = calloc(1, sizeof *g);
    if (!g) {
        err_nomem(err);
        return NULL;
    }
    pthread_mutex_init(&g->m, NULL);
    g->dim = dim;
    g->stride = ((size_t)dim + 63) / 64 * 64;
    g->ef = EF_DEFAULT;
    g->apart = APART;
    g->built_at = CLOCK_NONE;
    g->seed = malloc(SEEDS * sizeof *g->seed);
    if (!g->seed || grow_to(&g->door, SEEDS * (g->stride + 8), NULL)) {
        graph_free(g);
        err_nomem(err);
        return NULL;
    }
    for (uint32_t i = 0; i < SEEDS; i++) seed_order(g)[i] = i;
    return g;
}

void graph_free(struct graph *g)
{
    if (!g) return;
    walk_free_all(g);
    grow_free(&g->codes);
    grow_free(&g->scale);
    grow_free(&g->ids);
    grow_free(&g->links);
    grow_free(&g->flags);
    grow_free(&g->table);
    grow_free(&g->door);
    free(g->seed);
    pthread_mutex_destroy(&g->m);
    free(g);
}

/* ---- ids ---- */

static size_t slot_of(const struct graph *g, int64_t id)
{
    const uint32_t *table = g->table.p;
    size_t mask = g->slots - 1, s = (size_t)hash64(&id, sizeof id, 0) & mask;
    while (table[s] && node_id(g, table[s] - 1) != id) s = (s + 1) & mask;
    return s;
}

uint32_t graph_find(const struct graph *g, int64_t id)
{
    if (!g->slots) return NONE;
    uint32_t at = ((const uint32_t *)g->table.p)[slot_of(g, id)];
    return at && !node_dead(g, at - 1) ? at - 1 : NONE;
}

static void index_nodes(struct graph *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (!node_dead(g, i)) ((uint32_t *)g->table.p)[slot_of(g, node_id(g, i))] = (uint32_t)i + 1;
}

void graph_index_ids(struct graph *g)
{
    if (g->slots) memset(g->table.p, 0, g->slots * sizeof(uint32_t));
    index_nodes(g);
}

void graph_empty(struct graph *g)
{
    g->n = g->dead = g->n_seeds = 0;
    g->apart = APART;
    graph_index_ids(g);
}

/* Half full at most, once n nodes are in it. */
static int grow_table(struct graph *g, size_t n, struct err *err)
{
    size_t slots = g->slots ? g->slots : 64;
    while (slots < 2 * n) slots *= 2;
    if (slots == g->slots) return 0;
    struct grow fresh = { 0 };
    int rc = grow_to(&fresh, slots * sizeof(uint32_t), err);
    if (rc) return rc;
    grow_free(&g->table);
    g->table = fresh;
    g->slots = slots;
    index_nodes(g);
    return 0;
}

/* ---- nodes ---- */

int graph_reserve(struct graph *g, size_t n, struct err *err)
{
    if (n >= NODES_MAX) return err_set(err, ERR_LIMIT, "a graph holds 2 billion vectors at most");
    int rc = grow_table(g, n, err);
    if (rc || n <= g->cap) return rc;
    if (!rc) rc = grow_to(&g->codes, n * g->stride, err);
    if (!rc) rc = grow_to(&g->scale, n * sizeof(float), err);
    if (!rc) rc = grow_to(&g->ids, n * sizeof(int64_t), err);
    if (!rc) rc = grow_to(&g->links, n * LINKS * sizeof(link_t), err);
    if (!rc) rc = grow_to(&g->flags, n, err);
    if (!rc) g->cap = n;
    return rc;
}

/* The codes are those of struct vectors, biased. */
void graph_encode(const struct graph *g, const float *v, uint8_t *codes, float *scale)
{
    *scale = kernels.quant_i8(v, (size_t)g->dim, (int8_t *)codes);
    memset(codes + g->dim, 0, g->stride - (size_t)g->dim);
    for (size_t i = 0; i < g->stride; i++) codes[i] ^= 0x80;
}

/* Without codes, id and links. */
static int new_node(struct graph *g, uint8_t flags, uint32_t *at, struct err *err)
{
    int rc = 0;
    if (g->n == g->cap) rc = graph_reserve(g, g->cap ? g->cap + g->cap / 2 : 64, err);
    if (rc) return rc;
    *at = (uint32_t)g->n++;
    link_set(g, *at, NULL, 0);
    atomic_store_explicit(node_flags(g, *at), flags, memory_order_relaxed);
    return 0;
}

int graph_append(struct graph *g, int64_t id, const float *v, uint32_t *at, struct err *err)
{
    int rc = new_node(g, 0, at, err);
    if (rc) return rc;
    graph_encode(g, v, node_codes(g, *at), (float *)g->scale.p + *at);
    ((int64_t *)g->ids.p)[*at] = id;
    ((uint32_t *)g->table.p)[slot_of(g, id)] = *at + 1;
    return 0;
}

int graph_append_gone(struct graph *g, uint32_t *at, struct err *err)
{
    int rc = new_node(g, NODE_DEAD, at, err);
    if (!rc) g->dead++;
    return rc;
}

void graph_kill(struct graph *g, uint32_t node)
{
    if (node_dead(g, node)) return;
    atomic_fetch_or_explicit(node_flags(g, node), NODE_DEAD, memory_order_relaxed);
    g->dead++;
}

bool graph_remove(struct graph *g, int64_t id)
{
    uint32_t node = graph_find(g, id);
    if (node == NONE) return false;
    graph_kill(g, node);
    return true;
}

void graph_add_seed(struct graph *g, uint32_t node)
{
    memcpy(seed_codes(g, g->n_seeds), node_codes(g, node), g->stride);
    seed_scales(g)[g->n_seeds] = node_scale(g, node);
    g->seed[g->n_seeds++] = node;
}

/* ---- looking in ---- */

struct graph_info graph_info(const struct graph *g)
{
    size_t node = g->stride + sizeof(float) + sizeof(int64_t) + LINKS * sizeof(link_t) + 1;
    return (struct graph_info){
        .live = g->n - g->dead,
        .dead = g->dead,
        .seeds = g->n_seeds,
        .left_out = g->left_out,
        .bytes = sizeof *g + g->n * node + g->slots * sizeof(uint32_t) + g->n_seeds * g->stride,
        .ef = g->ef,
        .recall = g->recall,
        .built_at = g->built_at,
    };
}

void graph_set_ef(struct graph *g, int ef)
{
    g->ef = ef < 16 ? 16 : ef > GRAPH_EF_MAX ? GRAPH_EF_MAX : ef;
}

bool graph_stale(const struct graph *g) { return g->dead * 5 > g->n; }
