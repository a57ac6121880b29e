/* Passages that came in a moment ago have no vectors before the persona is settled. So that they
 * are found by their meaning at once, a reader makes those of the newest for itself; they are
 * stored nowhere, and settling makes them again.
 *
 *     fresh_vectors(h, p, &m, chunk, n, keep, ud, err);
 *
 * As many as take some milliseconds: hundreds of windows by a table, a few by an encoder, and none
 * where the text would be sent to another machine. */
#ifndef LK_PERSONA_FRESH_H
#define LK_PERSONA_FRESH_H

#include "persona/embedding.h"
#include "persona/persona.h"

/* chunk: [n], the newest last. fn gets what store_vector_each would give: the vectors of a chunk's
 * windows, count numbers in all. What the embedder cannot embed stays without; other errors are
 * returned. */
int fresh_vectors(struct home *h, const struct persona *p, const struct embedding *m,
                  const int64_t *chunk, size_t n,
                  int (*fn)(void *ud, int64_t chunk, const float *v, int count), void *ud,
                  struct err *err);

#endif
