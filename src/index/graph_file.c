/* The graph as bytes: docs/STORAGE.md has the table. Written are ids and links; the codes are made
 * again from the vectors, which costs less than reading them and leaves no trace of a vector that
 * was deleted.
 *
 * A node's check is a hash of its codes: one whose vector is gone, or is another one now (embedded
 * anew, imported under another id), is left out. What was linked through such a node gets the
 * neighbours of that node to choose from, and the rest is moved together.
 *
 * The bytes come sealed, but a reader takes nothing on trust: every length and number is checked,
 * nothing is reserved before the bytes that justify it were read, and every loop runs over
 * what was read. */
#include "index/graph_impl.h"

#include "base/cursor.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x31474b4cu /* "LKG1" */

enum {
    NODE_MOST = 8 + 4 + 1 + 4 * LINKS,
    IS_SEED = 0x80,
    PARTS_MAX = 1 << 16,
};

struct head { /* repeated in every part */
    uint32_t part, dim, ef, recall, apart;
    uint64_t nodes, built_at;
};

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint32_t check_of(const struct graph *g, size_t i)
{
    return (uint32_t)hash64(node_codes(g, i), g->stride, bits_of(node_scale(g, i)));
}

/* ---- writing ---- */

static void put_head(const struct graph *g, unsigned part, struct buf *b)
{
    buf_u32(b, MAGIC);
    buf_u32(b, part);
    buf_u32(b, (uint32_t)g->dim);
    buf_u64(b, g->n);
    buf_u32(b, (uint32_t)g->ef);
    buf_u32(b, bits_of(g->recall));
    buf_u64(b, (uint64_t)g->built_at);
    buf_u32(b, bits_of(g->apart));
}

static void put_node(const struct graph *g, size_t i, bool is_seed, struct buf *b)
{
    const link_t *l = node_links(g, i);
    uint32_t to[LINKS];
    size_t n = 0;
    for (; n < LINKS; n++) {
        to[n] = atomic_load_explicit(l + n, memory_order_relaxed);
        if (to[n] == NONE) break;
    }
    buf_u64(b, (uint64_t)node_id(g, i));
    buf_u32(b, check_of(g, i));
    buf_u8(b, (uint8_t)(n | (is_seed ? IS_SEED : 0)));
    for (size_t k = 0; k < n; k++) buf_u32(b, to[k]);
}

int graph_save_parts(const struct graph *g, size_t most,
                     int (*put)(void *ud, unsigned part, const char *p, size_t n), void *ud,
                     struct err *err)
{
    struct buf b = BUF_INIT(most);
    unsigned part = 0;
    int rc = 0;
    uint64_t *seeds = calloc(g->n / 64 + 1, sizeof *seeds);
    if (!seeds) return err_nomem(err);
    for (size_t s = 0; s < g->n_seeds; s++)
        seeds[g->seed[s] / 64] |= (uint64_t)1 << g->seed[s] % 64;
    put_head(g, part, &b);
    for (size_t i = 0; i < g->n && !rc; i++) {
        put_node(g, i, seeds[i / 64] >> i % 64 & 1, &b);
        if (b.failed || b.n + NODE_MOST <= most) continue;
        rc = put(ud, part++, buf_str(&b), b.n);
        buf_clear(&b);
        put_head(g, part, &b);
    }
    if (!rc && b.failed) rc = err_nomem(err);
    if (!rc) rc = put(ud, part, buf_str(&b), b.n);
    buf_free(&b);
    free(seeds);
    return rc;
}

int graph_save(const struct graph *g, int (*put)(void *ud, unsigned part, const char *p, size_t n),
               void *ud, struct err *err)
{
    return graph_save_parts(g, GRAPH_PART, put, ud, err);
}

/* ---- reading ---- */

static struct head get_head(struct cursor *c)
{
    struct head h = { 0 };
    if (cursor_u32(c, "magic") != MAGIC) cursor_fail(c, "magic");
    h.part = cursor_u32(c, "part");
    h.dim = cursor_u32(c, "dimensions");
    h.nodes = cursor_u64(c, "nodes");
    h.ef = cursor_u32(c, "ef");
    h.recall = cursor_u32(c, "recall");
    h.built_at = cursor_u64(c, "time");
    h.apart = cursor_u32(c, "apart");
    if (h.nodes >= NODES_MAX) cursor_fail(c, "nodes");
    return h;
}

/* Takes the node if its vector is there and the same, else marks it as gone. */
static int get_node(struct graph *g, const struct vectors *ix, const struct head *h,
                    struct cursor *c, struct err *err)
{
    uint32_t to[LINKS], at;
    int64_t id = (int64_t)cursor_u64(c, "id");
    uint32_t check = cursor_u32(c, "check");
    uint8_t n = cursor_u8(c, "links");
    bool is_seed = n & IS_SEED;
    n &= (uint8_t)~IS_SEED;
    if (n > LINKS) cursor_fail(c, "links");
    for (uint8_t k = 0; k < n && !c->bad; k++) {
        to[k] = cursor_u32(c, "link");
        if (to[k] >= h->nodes) cursor_fail(c, "link");
    }
    if (c->bad) return cursor_check(c, err);
    const float *v = graph_find(g, id) == NONE ? vectors_get(ix, id) : NULL;
    int rc = v ? graph_append(g, id, v, &at, err) : graph_append_gone(g, &at, err);
    if (rc) return rc;
    if (v && check_of(g, at) != check) graph_kill(g, at);
    link_set(g, at, to, n);
    if (is_seed && g->n_seeds < SEEDS) graph_add_seed(g, at);
    return 0;
}

static int get_part(struct graph *g, const struct vectors *ix, const struct head *first,
                    struct cursor *c, struct err *err)
{
    struct head h = get_head(c);
    int rc = cursor_check(c, err);
    if (rc) return rc;
    if (h.dim != first->dim || h.nodes != first->nodes)
        return err_set(err, ERR_PARSE, "the parts of the stored index do not belong together");
    if (!cursor_left(c) && g->n < h.nodes) cursor_fail(c, "id");
    while (!rc && cursor_left(c) && g->n < h.nodes) rc = get_node(g, ix, first, c, err);
    if (!rc && cursor_left(c)) cursor_fail(c, "end");
    return rc ? rc : cursor_check(c, err);
}

static bool linked(const struct near *c, size_t n, uint32_t node)
{
    for (size_t i = 0; i < n; i++)
        if (c[i].node == node) return true;
    return false;
}

static size_t add_live(const struct graph *g, uint32_t of, uint32_t but, struct near *c, size_t n)
{
    for (size_t k = 0; k < LINKS && n < LINK_CANDS; k++) {
        uint32_t to = atomic_load_explicit(node_links(g, of) + k, memory_order_relaxed);
        if (to == NONE) break;
        if (to != but && !node_dead(g, to) && !linked(c, n, to)) c[n++].node = to;
    }
    return n;
}

/* Links to nodes that are gone give way to the neighbours of these. */
static void mend(const struct graph *g, uint32_t node)
{
    struct near c[LINK_CANDS];
    uint32_t gone[LINKS], chosen[LINKS];
    size_t n_gone = 0;
    for (size_t k = 0; k < LINKS; k++) {
        uint32_t to = atomic_load_explicit(node_links(g, node) + k, memory_order_relaxed);
        if (to == NONE) break;
        if (node_dead(g, to)) gone[n_gone++] = to;
    }
    if (!n_gone) return;
    size_t n = add_live(g, node, node, c, 0);
    for (size_t k = 0; k < n_gone; k++) n = add_live(g, gone[k], node, c, n);
    near_score(g, node, c, n);
    link_set(g, node, chosen, link_choose(g, c, n, LINKS, REFILL, chosen));
}

/* Live nodes move together; to: [n], where each one goes. */
static void compact(struct graph *g, uint32_t *to)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) to[i] = node_dead(g, i) ? NONE : (uint32_t)n++;
    for (size_t i = 0; i < g->n; i++) {
        if (to[i] == NONE) continue;
        for (size_t k = 0; k < LINKS; k++) {
            uint32_t l = atomic_load_explicit(node_links(g, i) + k, memory_order_relaxed);
            atomic_store_explicit(node_links(g, to[i]) + k, l == NONE ? NONE : to[l],
                                  memory_order_relaxed);
        }
        memmove(node_codes(g, to[i]), node_codes(g, i), g->stride);
        ((float *)g->scale.p)[to[i]] = node_scale(g, i);
        ((int64_t *)g->ids.p)[to[i]] = node_id(g, i);
        atomic_store_explicit(node_flags(g, to[i]), 0, memory_order_relaxed);
    }
    size_t had = g->n_seeds;
    g->n = n;
    g->dead = 0;
    g->n_seeds = 0;
    for (size_t s = 0; s < had; s++) {
        uint32_t node = to[g->seed[s]];
        if (node != NONE) graph_add_seed(g, node);
    }
    graph_index_ids(g);
}

static int check_whole(struct graph *g, struct err *err)
{
    uint32_t *to = malloc((g->n + 1) * sizeof *to);
    if (!to) return err_nomem(err);
    g->left_out = g->dead;
    for (size_t i = 0; g->dead && i < g->n; i++)
        if (!node_dead(g, i)) mend(g, (uint32_t)i);
    if (g->dead) compact(g, to);
    free(to);
    return 0;
}

int graph_load(const struct vectors *ix, int (*get)(void *ud, unsigned part, struct buf *out),
               void *ud, struct graph **out, size_t *missing, struct err *err)
{
    struct buf b = BUF_INIT(GRAPH_PART);
    struct graph *g = NULL;
    struct head first = { 0 };
    int rc = 0;
    *out = NULL;
    for (unsigned part = 0; !rc && (!part || g->n < first.nodes); part++) {
        buf_clear(&b);
        if (part >= PARTS_MAX) rc = err_set(err, ERR_PARSE, "stored index: too many parts");
        if (!rc) rc = get(ud, part, &b);
        if (rc) break;
        struct cursor c = cursor_of(buf_str(&b), b.n, "stored index");
        if (!part) {
            struct cursor look = c;
            first = get_head(&look);
            if ((int64_t)first.dim != vectors_dim(ix)) cursor_fail(&look, "dimensions");
            if ((rc = cursor_check(&look, err))) break;
            if (!(g = graph_new((int)first.dim, err))) rc = ERR_NOMEM;
        }
        if (!rc) rc = get_part(g, ix, &first, &c, err);
    }
    if (!rc) rc = check_whole(g, err);
    buf_free(&b);
    if (rc) {
        graph_free(g);
        return rc;
    }
    graph_set_ef(g, (int)(first.ef > POOL ? POOL : first.ef));
    g->recall = float_of(first.recall);
    if (!(g->recall >= 0 && g->recall <= 1)) g->recall = 0;
    g->built_at = (int64_t)first.built_at;
    g->apart = float_of(first.apart);
    if (!(g->apart >= -1 && g->apart <= 1)) g->apart = 0.95f;
    *missing = vectors_count(ix) - g->n;
    *out = g;
    return 0;
}
