/* Approximate nearest neighbours by cosine, for personas with more vectors than a scan reads at
 * ease.
 *
 *     struct graph *g = graph_new(384, err);
 *     graph_update(g, vectors, &progress, err);       links what is new, drops what is gone
 *     graph_tune(g, vectors, 0.98, &recall, err);     how far a search looks, by measuring
 *     size_t n = graph_search(g, vectors, q, 10, keep, ud, hits);
 *     graph_save(g, put, ud, err);                    pieces of at most GRAPH_PART bytes
 *     graph_free(g);
 *
 * A graph of near neighbours (Malkov and Yashunin, 2016) entered through seeds. It finds which
 * rows to look at; their cosines come from `vectors` in f32 and equal those of vectors_search.
 * Where the graph cannot know (a narrow filter, vectors it has not linked yet), search scans
 * all, so the answer is never short. Searches may run side by side; changes may not. */
#ifndef LK_INDEX_GRAPH_H
#define LK_INDEX_GRAPH_H

#include "base/buf.h"
#include "base/progress.h"
#include "index/vectors.h"

#define GRAPH_PART   ((size_t)16 << 20)
#define GRAPH_EF_MAX 2048

struct graph;
struct graph *graph_new(int dim, struct err *err);
void graph_free(struct graph *g);
/* Make the graph hold what ix holds: new and changed vectors are linked, by all threads, in an
 * order that depends on nothing but their number; vectors that are gone are marked. Ticks stage
 * "index". After an error (ERR_CANCEL, ERR_NOMEM) the graph is usable, and searches scan. */
int graph_update(struct graph *g, const struct vectors *ix, const struct progress *pr,
                 struct err *err);
/* Forget one id now, along with vectors_remove: it is walked through and never returned. */
bool graph_remove(struct graph *g, int64_t id);
/* As vectors_search, to the recall that graph_tune found. ix: the vectors it was last updated with,
 * less those removed. Allocates nothing once as many searches ran side by side before, k <= 64. */
size_t graph_search(const struct graph *g, const struct vectors *ix, const float *q, size_t k,
                    bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out);
/* The share of the true best k that searches find, for `sample` of the vectors as questions. */
int graph_recall(const struct graph *g, const struct vectors *ix, size_t sample, size_t k,
                 double *recall, struct err *err);
/* Choose the least ef whose recall of the best 10 is `want` or more, and note it; *recall (or NULL)
 * is what the chosen one reaches, less than `want` if none does. */
int graph_tune(struct graph *g, const struct vectors *ix, double want, double *recall,
               struct err *err);

struct graph_info {
    size_t live, dead, seeds; /* nodes; dead ones are still walked through */
    size_t left_out;          /* nodes of the file that graph_load left out */
    size_t bytes;             /* memory held */
    int ef;                   /* candidates a search holds */
    float recall;             /* as last measured by graph_tune; 0: not yet */
    int64_t built_at;         /* of the last graph_tune; CLOCK_NONE: not yet */
};
struct graph_info graph_info(const struct graph *g);
void graph_set_ef(struct graph *g, int ef); /* 16 .. GRAPH_EF_MAX */
/* More than a fifth is dead: building anew gives back memory and speed. */
bool graph_stale(const struct graph *g);

/* Part 0, 1, ... in turn, as docs/STORAGE.md describes. Vectors are not among the bytes. */
int graph_save(const struct graph *g, int (*put)(void *ud, unsigned part, const char *p, size_t n),
               void *ud, struct err *err);
/* get(ud, part, out) gives the bytes of a part. Nodes whose vector is gone or is another one now
 * are left out, and what was linked through them is linked anew; vectors without a node are
 * *missing: graph_update links them. ERR_PARSE: not a graph, or not a whole one. */
int graph_load(const struct vectors *ix, int (*get)(void *ud, unsigned part, struct buf *out),
               void *ud, struct graph **out, size_t *missing, struct err *err);

#endif
