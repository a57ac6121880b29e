/* The index of a large persona: from GRAPH_FROM vectors on, a graph (index/graph.h) finds the
 * nearest ones. It is kept in sealed documents "graph.0", "graph.1", ... beside the vectors.
 *
 *     nearby_make(h, p, embedder, dim, false, &progress, &made, err);    may take long
 *     nearby_put(h, p, made, err);                           in settle's last transaction
 *     nearby_load(h, p, vectors, &g, err);                   g NULL: scan all
 *     n = nearby_search(g, vectors, q, k, keep, ud, hits);
 *
 * Vectors that came since it was written are linked when it is loaded. */
#ifndef LK_PERSONA_NEARBY_H
#define LK_PERSONA_NEARBY_H

#include "index/graph.h"
#include "persona/persona.h"

#define NEARBY_RECALL 0.98

/* How many vectors a persona has at least that gets a graph: 200,000, or what LIKENESS_GRAPH_FROM
 * says, for tests. */
size_t nearby_from(void);
/* Brings the index up to date with the vectors of an embedder: builds it, adds to it, or finds that
 * there is to be none; *out NULL when the stored one is good as it is. anew: builds it in any case.
 * h is only read. */
struct nearby_made;
int nearby_make(struct home *h, const struct persona *p, int64_t embedder, int dim, bool anew,
                const struct progress *pr, struct nearby_made **out, struct err *err);
/* Stores it, inside the caller's transaction. m NULL: nothing. */
int nearby_put(struct home *h, const struct persona *p, struct nearby_made *m, struct err *err);
void nearby_made_free(struct nearby_made *m);
/* *out NULL, and 0: there is none, or it no longer fits; then all vectors are to be scanned. */
int nearby_load(struct home *h, const struct persona *p, const struct vectors *ix,
                struct graph **out, struct err *err);

struct nearby_look {
    size_t vectors;
    bool wanted, there; /* enough vectors for an index; one that fits them */
    double recall;      /* of the best ten, measured now */
    struct graph_info info;
};
/* Reads the vectors and the stored index and measures it: seconds for a large persona. */
int nearby_look(struct home *h, const struct persona *p, struct nearby_look *out, struct err *err);
/* Builds the stored index anew, in a transaction. */
int nearby_repair(struct home *h, const struct persona *p, const struct progress *pr,
                  struct err *err);
size_t nearby_search(const struct graph *g, const struct vectors *ix, const float *q, size_t k,
                     bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out);
/* All vectors of an embedder, by window_id. */
int nearby_vectors(struct home *h, const struct persona *p, int64_t embedder, int dim,
                   struct vectors **out, struct err *err);
/* Is this document a part of an index? It is made again from the vectors, so nobody copies it. */
bool nearby_is_part(const char *name);

#endif
