/* Embedders: text to unit vectors, behind one interface.
 *
 *     struct embedder *e = embed_open("hash", state, state_n, err);
 *     embed_text(e, text, n, v);                 v: e->dim floats, L2 norm 1 (or all 0: no content)
 *     embed_query(e, question, n, v);            the same for what is searched with
 *     embed_texts(e, EMBED_PASSAGE, texts, n, out, err);   many at once: faster
 *     embed_close(e);
 *
 * Names: "hash", "static" (the table shipped with the program), "model:NAME" (a model of the shelf,
 * see embed_set_finder), the path of a GGUF file: an encoder or a table, or "remote:MODEL" where
 * embed_set_remote has said who asks. Vectors of equal version and state compare.
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
#include "base/cursor.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMBED_DIM_MAX 4096 /* so that a vector fits on the stack */

enum embed_role { EMBED_PASSAGE, EMBED_QUERY }; /* some models want to be told which */

struct embedder;

struct embed_kind {      /* the interface an embedder implements */
    const char *name;    /* "hash" */
    const char *version; /* "hash-384-1"; NULL: known when open */
    const char *help;
    int dim;     /* 1 .. EMBED_DIM_MAX; 0: known when open */
    float floor; /* cosine from which a passage counts as about the question (adaptive k) */
    bool learns; /* embed_learn does something */
    /* what: the name asked for. state NULL: fresh. Sets dim and version where the kind has none. */
    struct embedder *(*open)(const char *what, const void *state, size_t n, struct err *err);
    void (*close)(struct embedder *e);
    /* One of these two. text may run on several threads at once. */
    int (*text)(struct embedder *e, enum embed_role role, const char *s, size_t n, float *v);
    int (*texts)(struct embedder *e, enum embed_role role, const struct span *s, size_t n,
                 float *out, struct err *err);
    int (*learn)(struct embedder *e, const char *s, size_t n);
    int (*save)(const struct embedder *e, struct buf *out);
    uint64_t (*learned)(const struct embedder *e);
    float (*idf)(const struct embedder *e, uint64_t stem); /* of hash64(stem, seed 0); >= 0 */
    size_t (*tokens)(const struct embedder *e, const char *s, size_t n, uint32_t *off, size_t cap);
};

struct embed_veil { /* what a text becomes before it is sent to another machine; from any thread */
    int (*text)(void *ud, const char *s, size_t n, struct buf *out); /* 0 or ERR_NOMEM */
    void (*close)(void *ud);
    void *ud;
};

struct embedder { /* base of every implementation's struct */
    const struct embed_kind *kind;
    char *name;       /* as it was opened */
    char version[64]; /* kind->version, or of the file's contents and precision */
    int dim;
    float floor;
    struct embed_veil veil; /* of who opened it; closed with it. text NULL: none */
};

extern const struct embed_kind *const embed_kinds[]; /* NULL-terminated */
/* Of "hash", "static"; the kind of model files for "model:NAME" and paths; else NULL. */
const struct embed_kind *embed_kind_by_name(const char *name);
struct embedder *embed_open(const char *name, const void *state, size_t n, struct err *err);
void embed_close(struct embedder *e);                                  /* accepts NULL */
int embed_text(struct embedder *e, const char *s, size_t n, float *v); /* a passage */
int embed_query(struct embedder *e, const char *s, size_t n, float *v);
/* out: [n, e->dim]. The bits of each vector are those of embed_text or embed_query. */
int embed_texts(struct embedder *e, enum embed_role role, const struct span *s, size_t n,
                float *out, struct err *err);
int embed_learn(struct embedder *e, const char *s, size_t n);
int embed_save(const struct embedder *e, struct buf *out);
uint64_t embed_learned(const struct embedder *e);
float embed_idf(const struct embedder *e, uint64_t stem);
/* How many tokens the embedder makes of a text, without [CLS] and the like; off: [cap] where each
 * begins in s, or NULL. Those of text/token.h where it has no tokenizer of its own. */
size_t embed_tokens(const struct embedder *e, const char *s, size_t n, uint32_t *off, size_t cap);

/* Does this file embed texts (an encoder, or a table made from one)? Else it answers. */
struct gguf;
bool embed_is_embedder(const struct gguf *g);
/* Where "model:NAME" is: find appends the path of the file to out. Set once, before threads. */
void embed_set_finder(int (*find)(void *ud, const char *name, struct buf *out, struct err *err),
                      void *ud);
/* Who makes the vectors of "remote:MODEL": this room has no network. NULL: nobody. Set once, before
 * threads. */
void embed_set_remote(const struct embed_kind *kind);
/* For kinds: path of "model:NAME" by the finder, of anything else the thing itself. */
int embed_find(const char *what, struct buf *out, struct err *err);

#endif
