/* Encoders: BERT and kin (all-MiniLM, bge, e5, gte, bge-m3, nomic), text to one vector.
 *
 *     struct encoder *e;
 *     encoder_open(g, &(struct encoder_opts){ .q8 = true }, &e, err);   g: an open GGUF; kept by e
 *     struct encoder_text t = { s, n, ENCODER_PASSAGE };
 *     encoder_embed(e, &t, 1, v, err);                  v: [dim], of length 1
 *     encoder_close(e);
 *
 * A text longer than the model reads (512 tokens usually) is read by windows of equal length that
 * share at least an eighth with their neighbour; its vector is the mean of the windows' unit
 * vectors, each weighed by its tokens, scaled to length 1 again.
 *
 * Batches are sorted by length and packed without padding. The bits of a text's vector do not
 * depend on the texts beside it or on the number of threads. One encoder_embed runs at a time on
 * one encoder; others wait. */
#ifndef LK_MODEL_ENCODER_H
#define LK_MODEL_ENCODER_H

#include "base/err.h"
#include "kernels/quant.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum encoder_pooling {
    ENCODER_MEAN = 1,
    ENCODER_CLS = 2
}; /* as <arch>.pooling_type numbers them */
enum encoder_role { ENCODER_PASSAGE, ENCODER_QUERY };

struct encoder_opts {
    bool q8;      /* float matrices become Q8_0 when loaded: twice the speed, cosine >= 0.999 */
    int max_rows; /* tokens computed together; 0: 1024, at least one whole window */
};

struct encoder_facts {
    const char *arch; /* "bert", "nomic-bert" */
    char name[96];    /* general.name, "" if none */
    int layers, dim, heads, ff, vocab;
    int context; /* tokens a window holds, [CLS] and [SEP] with it */
    enum encoder_pooling pooling;
    enum quant type;     /* of the matrices, as computed with */
    size_t weight_bytes; /* in memory */
    /* Put before a query and before a passage; "" if the model wants none. Of the keys
     * likeness.embed.query_prefix and .passage_prefix, else by general.name (e5, bge, nomic). */
    char prefix[2][96]; /* by enum encoder_role */
};

struct encoder;
int encoder_open(const struct gguf *g, const struct encoder_opts *o, struct encoder **out,
                 struct err *err);
void encoder_close(struct encoder *e); /* accepts NULL */
const struct encoder_facts *encoder_facts(const struct encoder *e);
const struct tokenizer *encoder_tokenizer(const struct encoder *e);

struct encoder_text {
    const char *s;
    size_t n;
    enum encoder_role role;
};
/* out: [n, dim], rows of length 1. An empty text has the vector of [CLS][SEP], as the reference
 * implementation has it. ERR_NOMEM. */
int encoder_embed(struct encoder *e, const struct encoder_text *texts, size_t n, float *out,
                  struct err *err);
/* The same of token ids without [CLS] and [SEP], e.g. of one word of the vocabulary: no text is
 * made of them. ids: n_ids[0] + n_ids[1] + ... in a row. */
int encoder_embed_ids(struct encoder *e, const int32_t *ids, const int *n_ids, size_t n, float *out,
                      struct err *err);

#endif
