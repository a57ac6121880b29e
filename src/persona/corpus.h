/* A corpus: what a retriever reads of a persona when it opens, and what does not change afterwards.
 *
 *     struct embedding m;
 *     struct corpus *c;
 *     corpus_open(h, p, &m, &c, err);           m is the caller's own, as the persona has it stored
 *     corpus_keep(c);                           for another retriever, on another thread
 *     corpus_drop(c);                           the last one to let go frees it
 *
 * Once it is open nobody writes to it, so all its holders may read side by side. It has neither key
 * nor home: who opened it may go before it. What a question leaves behind is the retriever's. */
#ifndef LK_PERSONA_CORPUS_H
#define LK_PERSONA_CORPUS_H

#include "base/map.h"
#include "index/bm25.h"
#include "index/graph.h"
#include "persona/embedding.h"
#include "persona/persona.h"

#include <stdatomic.h>

struct fact { /* of a chunk */
    int64_t chunk, source, written_at;
    int32_t topic;
    uint32_t row;    /* of its first vector; the others follow */
    uint8_t windows; /* vectors it has */
};

struct corpus {
    struct vectors *vectors; /* of windows: window_id */
    struct graph *graph;     /* of a large persona, or NULL */
    struct bm25 *words;
    struct fact *fact;
    size_t n, cap;
    struct map by_chunk; /* chunk -> index in fact + 1 */
    struct map title;    /* source -> pointer into mem */
    bool windowed;       /* some chunk has several vectors */
    int64_t embedder;    /* that made the vectors: row, version */
    char version[64];
    struct arena *mem;
    atomic_int holders;
};

/* After an error there is nothing to close. */
int corpus_open(struct home *h, const struct persona *p, struct embedding *m, struct corpus **out,
                struct err *err);
struct corpus *corpus_keep(struct corpus *c);
void corpus_drop(struct corpus *c); /* accepts NULL */
size_t corpus_bytes(const struct corpus *c);
/* NULL: there is no such chunk. */
const struct fact *corpus_fact(const struct corpus *c, int64_t chunk);
/* The embedder of a persona as it is stored, or a fresh one. */
int corpus_embedding(struct home *h, const struct persona *p, struct embedding *m, struct err *err);
/* Did this embedder make the vectors? */
bool corpus_fits(const struct corpus *c, const struct embedding *m);

#endif
