/* Embedders that are model files: an encoder (encoder.h), or a table made from one (static.h). What
 * the file is, its header says. A table
 * is an embedder of the kind "static". Encoders run in Q8_0, which keeps the cosine to the f32
 * model at
 * 0.999 or more and takes half the time; the version of the vectors says so, with a hash over all
 * that the file's tensors hold. */
#include "base/str.h"
#include "model/embed.h"
#include "model/encoder.h"
#include "model/static_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOOR_ENCODER 0.5f /* until calibrated for each */

struct model_embedder {
    struct embedder base;
    struct gguf *g;
    struct encoder *encoder;
};

extern const struct embed_kind embed_model;

bool embed_is_embedder(const struct gguf *g)
{
    struct span arch = gguf_str_or(g, "general.architecture", "");
    return span_ifind(arch, "bert") || span_eq(arch, "static");
}

static void model_close(struct embedder *base)
{
    struct model_embedder *e = (struct model_embedder *)base;
    encoder_close(e->encoder);
    gguf_close(e->g);
    free(e);
}

/* g is the embedder's, also on failure. */
static struct embedder *encoder_embedder_new(struct gguf *g, struct err *err)
{
    struct model_embedder *e = calloc(1, sizeof *e);
    if (!e) {
        gguf_close(g);
        err_nomem(err);
        return NULL;
    }
    e->base.kind = &embed_model;
    e->g = g;
    if (encoder_open(g, &(struct encoder_opts){ .q8 = true }, &e->encoder, err)) {
        model_close(&e->base);
        return NULL;
    }
    const struct encoder_facts *f = encoder_facts(e->encoder);
    e->base.dim = f->dim;
    e->base.floor = gguf_f32_or(g, "likeness.embed.floor", FLOOR_ENCODER);
    snprintf(e->base.version, sizeof e->base.version, "%s-%d-%s-%016llx", f->arch, f->dim,
             quant_name(f->type), (unsigned long long)static_table_hash(g));
    return &e->base;
}

static struct embedder *model_open(const char *what, const void *state, size_t n, struct err *err)
{
    struct buf path = BUF_INIT(8192);
    struct gguf *g = NULL;
    int rc = embed_find(what, &path, err);
    if (!rc) rc = gguf_open(buf_str(&path), &g, err);
    buf_free(&path);
    if (rc) return NULL;
    if (span_eq(gguf_str_or(g, "general.architecture", ""), "static"))
        return static_embedder_new(g, err);
    return encoder_embedder_new(g, err);
}

static int model_texts(struct embedder *base, enum embed_role role, const struct span *s, size_t n,
                       float *out, struct err *err)
{
    struct model_embedder *e = (struct model_embedder *)base;
    size_t dim = (size_t)base->dim;
    struct encoder_text *t = calloc(n ? n : 1, sizeof *t);
    if (!t) return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        t[i] = (struct encoder_text){ s[i].p, s[i].n,
                                      role == EMBED_QUERY ? ENCODER_QUERY : ENCODER_PASSAGE };
    int rc = encoder_embed(e->encoder, t, n, out, err);
    free(t);
    for (size_t i = 0; i < n && !rc; i++) /* of nothing there is no meaning to find */
        if (!span_trim(s[i]).n) memset(out + i * dim, 0, dim * sizeof *out);
    return rc;
}

static size_t model_tokens(const struct embedder *base, const char *s, size_t n, uint32_t *off,
                           size_t cap)
{
    const struct model_embedder *e = (const struct model_embedder *)base;
    const struct tokenizer *t = encoder_tokenizer(e->encoder);
    return static_table_tokens(t, s, n, off, cap);
}

const struct embed_kind embed_model = {
    .name = "model:NAME",
    .help = "a sentence encoder, or a table made from one: a file of the shelf, or a path",
    .open = model_open,
    .close = model_close,
    .texts = model_texts,
    .tokens = model_tokens,
};
