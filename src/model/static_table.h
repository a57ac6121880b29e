/* Static tables: one vector for every token of a vocabulary; a text's vector is their sum, with
 * that of [CLS], scaled to length 1. Made from an encoder by `likeness model distill` (distill.h).
 *
 *     struct static_table *t;
 *     static_table_open(g, &t, err);            g: a GGUF of architecture "static"; kept by t
 *     static_table_text(t, s, n, v);            v: [dim]; all 0 where there is no token
 *     static_table_close(t);
 *
 * The file: tensor token_embd.weight [dim, vocab] in Q8_0, whose rows hold the token's weight as
 * their length; tokenizer.ggml.* as in the encoder's file; likeness.embed.floor. Thread-safe. */
#ifndef LK_MODEL_STATIC_TABLE_H
#define LK_MODEL_STATIC_TABLE_H

#include "base/err.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

#include <stddef.h>
#include <stdint.h>

struct static_table;
int static_table_open(const struct gguf *g, struct static_table **out, struct err *err);
void static_table_close(struct static_table *t); /* accepts NULL */
int static_table_dim(const struct static_table *t);
float static_table_floor(const struct static_table *t);
const struct tokenizer *static_table_tokenizer(const struct static_table *t);
/* 0 or ERR_NOMEM. Allocates only for texts of more than 1,000 tokens. */
int static_table_text(const struct static_table *t, const char *s, size_t n, float *v);
/* Of names, types, shapes and contents of all tensors of a file. */
uint64_t static_table_hash(const struct gguf *g);
/* How many tokens a text has, and where they begin (off: [cap], may be NULL). SIZE_MAX when memory
 * is short. */
size_t static_table_tokens(const struct tokenizer *t, const char *s, size_t n, uint32_t *off,
                           size_t cap);

/* As an embedder; g is closed with it, and on failure. NULL: err says why. */
struct embedder *static_embedder_new(struct gguf *g, struct err *err);

#endif
