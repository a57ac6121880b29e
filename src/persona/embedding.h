/* The embedder of a persona, as it is stored beside the vectors that it made, and what goes with
 * it: a companion that knows how rare words are in this corpus, whatever the embedder; a quick
 * embedder for single sentences, when the persona's own takes too long; and the scale of each: what
 * a cosine means here.
 *
 *     struct embedding m;
 *     embedding_open(NAME, &m, err);                  fresh: has learnt nothing
 *     embedding_read(&row, &m, err);                  as stored
 *     embedding_pack(&m, &body);                      what is stored
 *     embedding_close(&m);
 *
 * Layout of the body: docs/STORAGE.md, "Packed bodies". */
#ifndef LK_PERSONA_EMBEDDING_H
#define LK_PERSONA_EMBEDDING_H

#include "model/embed.h"
#include "store/store.h"

/* Cosines of questions with texts that have nothing to do with them. */
struct scale {
    float mean, spread; /* spread: standard deviation, > 0 */
    float floor;        /* 99 of 100 lie below: from here on a text counts as about the question */
};

struct embedding {
    struct embedder *e;     /* makes the vectors of passages and questions */
    struct embedder *words; /* document frequencies: embed_idf; e itself when that learns */
    struct embedder *quick; /* microseconds for a sentence: e itself, or another */
    struct scale scale;     /* of e: a question with windows of passages */
    struct scale near;      /* of quick: a question with sentences */
    float weight;           /* of its ranking against that by words, in [0, 1] */
    int64_t id;             /* of the row; 0: not stored */
};

/* What new personas are embedded by: "static" where its table is in the program, else "hash". */
const char *embedding_default(void);
/* ERR_NOTFOUND where the file of a model is gone, with what to do. */
int embedding_open(const char *name, struct embedding *out, struct err *err);
/* Also ERR_VERSION, with what to do: these vectors were made by another version of it. */
int embedding_read(const struct row_embedder *row, struct embedding *out, struct err *err);
int embedding_pack(const struct embedding *m, struct buf *out);
/* Is this stored row of the embedder of that name? */
bool embedding_is(const struct row_embedder *row, const char *name);
/* The words start anew; the embedder stays. Not for one that learns. */
int embedding_unlearn(struct embedding *m, struct err *err);
void embedding_close(struct embedding *m);

/* The scale of an embedder from text of the corpus itself: question[i] belongs with the vectors
 * whose of[k] == i and is compared with all others. v: [n_v, e->dim], unit length. Left as it is
 * when there are too few. */
int embedding_calibrate(struct embedder *e, const struct span *question, size_t n, const float *v,
                        const uint32_t *of, size_t n_v, struct scale *out, struct err *err);
/* How far a cosine lies above what is usual, and above the floor, on the way to 1: in [0, 1]. */
float scale_level(const struct scale *s, float cosine);
float scale_beyond(const struct scale *s, float cosine);

#endif
