/* Sentence vectors by look-up. A bag of words, so word order is lost; but each token's vector was
 * fitted so that sums of them come close to what an encoder makes of whole texts, and how much a
 * token says is in its length. A text costs its tokenizing and one pass over some rows.
 *
 * The table that is shipped stands in the program's read-only data (static_data.c): opening it maps
 * nothing and copies nothing but the vocabulary. */
#include "model/static_table.h"

#include "base/str.h"
#include "kernels/kernels.h"
#include "model/embed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON_STACK     1024  /* tokens */
#define FLOOR_STATIC 0.42f /* 99 of 100 passages about something else stay below */
#define MAX_VOCAB    (1 << 20)

struct static_table {
    struct tokenizer *tok;
    const void *rows; /* Q8_0 [vocab, dim], borrowed */
    size_t row_bytes;
    int dim, vocab;
    int32_t cls;
    float floor;
};

int static_table_open(const struct gguf *g, struct static_table **out, struct err *err)
{
    const struct gguf_tensor *w = gguf_tensor(g, "token_embd.weight");
    *out = NULL;
    if (!w || w->type != QUANT_Q8_0 || w->n_dims != 2 || w->dim[0] > EMBED_DIM_MAX ||
        w->dim[1] > MAX_VOCAB)
        return err_set(err, ERR_PARSE,
                       "%s: token_embd.weight is not a q8_0 matrix of at most %d x %d",
                       gguf_path(g), EMBED_DIM_MAX, MAX_VOCAB);
    struct static_table *t = calloc(1, sizeof *t);
    if (!t) return err_nomem(err);
    t->rows = w->data;
    t->dim = (int)w->dim[0];
    t->vocab = (int)w->dim[1];
    t->row_bytes = quant_row_bytes(QUANT_Q8_0, w->dim[0]);
    t->floor = gguf_f32_or(g, "likeness.embed.floor", FLOOR_STATIC);
    int rc = tokenizer_open(g, &t->tok, err);
    if (!rc && tokenizer_size(t->tok) != t->vocab)
        rc = err_set(err, ERR_PARSE, "%s: %d tokens, but token_embd.weight has %d rows",
                     gguf_path(g), tokenizer_size(t->tok), t->vocab);
    t->cls = rc ? -1 : tokenizer_cls(t->tok);
    if (!rc && (t->cls < 0 || t->cls >= t->vocab))
        rc = err_set(err, ERR_PARSE, "%s: tokenizer.ggml.cls_token_id is missing", gguf_path(g));
    if (rc) static_table_close(t);
    else *out = t;
    return rc;
}

void static_table_close(struct static_table *t)
{
    if (!t) return;
    tokenizer_close(t->tok);
    free(t);
}

int static_table_dim(const struct static_table *t) { return t->dim; }
float static_table_floor(const struct static_table *t) { return t->floor; }
const struct tokenizer *static_table_tokenizer(const struct static_table *t) { return t->tok; }

int static_table_text(const struct static_table *t, const char *s, size_t n, float *v)
{
    int32_t few[ON_STACK], *ids = few;
    size_t count = tokenizer_encode(t->tok, s, n, 0, ids + 1, ON_STACK - 1);
    if (count > SIZE_MAX / sizeof *ids - 1) return ERR_NOMEM;
    if (count > ON_STACK - 1) {
        ids = malloc((count + 1) * sizeof *ids);
        if (!ids) return ERR_NOMEM;
        if (tokenizer_encode(t->tok, s, n, 0, ids + 1, count) != count) {
            free(ids);
            return ERR_NOMEM;
        }
    }
    ids[0] = t->cls;
    count = count ? count + 1 : 0;
    kernels.sum_q8_0(v, t->rows, t->row_bytes, ids, count, (size_t)t->dim);
    float sum = kernels.dot_f32(v, v, (size_t)t->dim);
    float scale = sum > 1e-20f ? 1 / sqrtf(sum) : 0;
    for (int i = 0; i < t->dim; i++) v[i] *= scale;
    if (ids != few) free(ids);
    return 0;
}

uint64_t static_table_hash(const struct gguf *g)
{
    uint64_t h = 1;
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        uint64_t shape[] = { (uint64_t)t->type, t->dim[0], t->dim[1], t->dim[2], t->dim[3] };
        h = hash64(t->name.p, t->name.n, h);
        h = hash64(shape, sizeof shape, h);
        h = hash64(t->data, t->bytes, h);
    }
    return h;
}

size_t static_table_tokens(const struct tokenizer *t, const char *s, size_t n, uint32_t *off,
                           size_t cap)
{
    if (!off || !cap) return tokenizer_encode(t, s, n, 0, NULL, 0);
    int32_t *ids = malloc(cap * sizeof *ids);
    size_t count = ids ? tokenizer_encode_at(t, s, n, 0, ids, off, cap) : SIZE_MAX;
    free(ids);
    return count;
}

/* ---- the embedder ---- */

struct static_embedder {
    struct embedder base;
    struct gguf *g;
    struct static_table *table;
};

extern const struct embed_kind embed_static;
extern const unsigned char static_data[], static_data_end[]; /* static_data.c */

static void static_close(struct embedder *base)
{
    struct static_embedder *e = (struct static_embedder *)base;
    static_table_close(e->table);
    gguf_close(e->g);
    free(e);
}

struct embedder *static_embedder_new(struct gguf *g, struct err *err)
{
    struct static_embedder *e = calloc(1, sizeof *e);
    if (!e) {
        gguf_close(g);
        err_nomem(err);
        return NULL;
    }
    e->base.kind = &embed_static;
    e->g = g;
    if (static_table_open(g, &e->table, err) || !e->table) {
        static_close(&e->base);
        return NULL;
    }
    e->base.dim = e->table->dim;
    e->base.floor = e->table->floor;
    snprintf(e->base.version, sizeof e->base.version, "static-%d-%016llx", e->base.dim,
             (unsigned long long)static_table_hash(g));
    return &e->base;
}

static struct embedder *static_open(const char *what, const void *state, size_t n, struct err *err)
{
    struct gguf *g;
    size_t size = (size_t)((uintptr_t)static_data_end - (uintptr_t)static_data);
    if (gguf_open_mem(static_data, size, "the built-in table", &g, err)) return NULL;
    return static_embedder_new(g, err);
}

static int static_text(struct embedder *base, enum embed_role role, const char *s, size_t n,
                       float *v)
{
    return static_table_text(((struct static_embedder *)base)->table, s, n, v);
}

static size_t static_tokens(const struct embedder *base, const char *s, size_t n, uint32_t *off,
                            size_t cap)
{
    const struct tokenizer *t = ((const struct static_embedder *)base)->table->tok;
    return static_table_tokens(t, s, n, off, cap);
}

const struct embed_kind embed_static = {
    .name = "static",
    .help = "meaning of words, learnt from a sentence encoder; shipped with the program",
    .open = static_open,
    .close = static_close,
    .text = static_text,
    .tokens = static_tokens,
};
