/* Embedders: text to unit vectors, behind one interface.
 *
 *     struct embedder *e = embed_open("hash", state, state_n, err);
 *     embed_text(e, text, n, v);                 v: dim floats, L2 norm 1 (or all 0: no content)
 *     embed_close(e);
 *
 * An embedder may learn from the corpus before use (the hash embedder: document frequencies):
 *     embed_learn(e, text, n) for each passage; embed_learned(e) says how many it has seen;
 *     embed_save(e, &state) keeps what it learnt, sealed by the caller.
 * embed_text after embed_learn uses all that was learnt so far, so callers freeze: learn, save,
 * then embed everything with that state. Thread-safe for embed_text on one embedder when nothing
 * learns. */
#ifndef LK_MODEL_EMBED_H
#define LK_MODEL_EMBED_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define EMBED_DIM_MAX 4096 /* so that a vector fits on the stack */

struct embedder;

struct embed_kind {      /* the interface an embedder implements */
    const char *name;    /* "hash" */
    const char *version; /* "hash-384-1": vectors of equal version and state compare */
    const char *help;
    int dim;                                                                /* 1 .. EMBED_DIM_MAX */
    struct embedder *(*open)(const void *state, size_t n, struct err *err); /* state NULL: fresh */
    void (*close)(struct embedder *e);
    int (*text)(struct embedder *e, const char *s, size_t n, float *v);
    int (*learn)(struct embedder *e, const char *s, size_t n);
    int (*save)(const struct embedder *e, struct buf *out);
    uint64_t (*learned)(const struct embedder *e);
    float (*idf)(const struct embedder *e, uint64_t stem); /* of hash64(stem, seed 0); >= 0 */
};

struct embedder { /* base of every implementation's struct */
    const struct embed_kind *kind;
};

extern const struct embed_kind *const embed_kinds[]; /* NULL-terminated */
const struct embed_kind *embed_kind_by_name(const char *name);
struct embedder *embed_open(const char *name, const void *state, size_t n, struct err *err);
void embed_close(struct embedder *e); /* accepts NULL */
int embed_text(struct embedder *e, const char *s, size_t n, float *v);
int embed_learn(struct embedder *e, const char *s, size_t n);
int embed_save(const struct embedder *e, struct buf *out);
uint64_t embed_learned(const struct embedder *e);
float embed_idf(const struct embedder *e, uint64_t stem);

#endif
