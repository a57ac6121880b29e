/* Texts a second through encoders of real shapes (random weights, Q8_0) and through the shipped
 * table. The limit of an encoder is the machine's peak of int8 products over the operations of a
 * text: two for each weight of a layer and token, and attention's. A table reads memory: its limit
 * is the rate at which the rows of a text can be read. */
#include "bench.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "make_model.h"
#include "model/embed.h"
#include "model/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 32, CHUNKS = 4096, WORDS = 110 };

struct run {
    struct gguf *g;
    struct encoder *e;
    int32_t ids[TEXTS * 512];
    int n_ids[TEXTS], texts;
    float *out;
    struct err err;
};

static void embed_once(void *ud)
{
    struct run *r = ud;
    encoder_embed_ids(r->e, r->ids, r->n_ids, (size_t)r->texts, r->out, &r->err);
}

static int encode(struct bench *b, const char *name, const char *shape, int tokens, struct err *err)
{
    struct run *r = calloc(1, sizeof *r);
    char path[300];
    int rc = r ? bench_model_file(path, sizeof path, shape, "q8_0", err) : err_nomem(err);
    if (!rc) rc = gguf_open(path, &r->g, err);
    if (!rc) rc = encoder_open(r->g, &(struct encoder_opts){ 0 }, &r->e, err);
    if (rc) goto out;
    const struct encoder_facts *f = encoder_facts(r->e);
    r->texts = tokens > 128 ? TEXTS / 4 : TEXTS;
    r->out = malloc((size_t)r->texts * (size_t)f->dim * sizeof *r->out);
    if (!r->out) {
        rc = err_nomem(err);
        goto out;
    }
    for (int i = 0; i < r->texts; i++) r->n_ids[i] = tokens - 2;
    for (int i = 0; i < r->texts * tokens; i++) r->ids[i] = 1000 + i * 7919 % 20000;
    double best, s = bench_time(embed_once, r, 3, 2, &best);
    if ((rc = r->err.code)) {
        if (err) *err = r->err;
        goto out;
    }
    double dim = f->dim, weights = 4 * dim * dim + 2 * dim * f->ff;
    double ops = f->layers * (2.0 * tokens * weights + 4.0 * tokens * tokens * dim);
    bench_report(b, name, r->texts / s, "seq/s", BENCH_NONE, BENCH_NONE, "%.0f GOPS, best %.1f",
                 r->texts * ops / s * 1e-9, r->texts / best);
out:
    if (r) {
        encoder_close(r->e);
        gguf_close(r->g);
        free(r->out);
    }
    free(r);
    return rc;
}

int bench_embed_minilm_128(struct bench *b, struct err *err)
{
    return encode(b, "embed_minilm_128", "minilm", 128, err);
}

int bench_embed_minilm_512(struct bench *b, struct err *err)
{
    return encode(b, "embed_minilm_512", "minilm", 512, err);
}

int bench_embed_bgesmall_128(struct bench *b, struct err *err)
{
    return encode(b, "embed_bgesmall_128", "bge-small", 128, err);
}

int bench_embed_bgesmall_512(struct bench *b, struct err *err)
{
    return encode(b, "embed_bgesmall_512", "bge-small", 512, err);
}

struct table_run {
    struct embedder *e;
    struct span text[CHUNKS];
    float *out;
    int rc;
};

static void table_once(void *ud)
{
    struct table_run *r = ud;
    r->rc = embed_texts(r->e, EMBED_PASSAGE, r->text, CHUNKS, r->out, NULL);
}

/* Chunks of about 128 tokens, the tokenizing with them, of words as often as in English. */
int bench_embed_static(struct bench *b, struct err *err)
{
    static const char *const words[] = {
        "the",     "of",      "and",       "to",   "a",      "in",     "that",   "I",
        "was",     "it",      "for",       "my",   "on",     "with",   "garden", "breakfast",
        "harbour", "because", "we",        "they", "letter", "silver", "never",  "weather",
        "brother", "mended",  "yesterday", "she,", "him.",   "cycling"
    };
    struct table_run *r = calloc(1, sizeof *r);
    struct buf text = BUF_INIT(0);
    if (!r) return err_nomem(err);
    int rc = (r->e = embed_open("static", NULL, 0, err)) ? 0 : ERR_NOTFOUND;
    size_t tokens = 0;
    uint64_t draw = 1;
    for (int i = 0; i < CHUNKS * WORDS && !rc; i++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        size_t k = (draw >> 33) % 30, j = (draw >> 45) % 30;
        rc = buf_printf(&text, "%s%c", words[k < j ? k : j], i % WORDS == WORDS - 1 ? '\n' : ' ');
    }
    if (!rc && !(r->out = malloc((size_t)CHUNKS * (size_t)r->e->dim * sizeof *r->out)))
        rc = err_nomem(err);
    if (!rc) {
        const char *s = buf_str(&text);
        for (int i = 0; i < CHUNKS; i++) {
            const char *end = strchr(s, '\n');
            r->text[i] = (struct span){ s, (size_t)(end - s) };
            tokens += embed_tokens(r->e, s, (size_t)(end - s), NULL, 0);
            s = end + 1;
        }
        double best, t = bench_time(table_once, r, 3, 1, &best);
        bench_report(b, "embed_static", (double)tokens / 128 / t, "chunk/s", BENCH_NONE, BENCH_NONE,
                     "of 128 tokens, %.0f on average here, tokenizing included",
                     (double)tokens / CHUNKS);
    }
    embed_close(r->e);
    free(r->out);
    free(r);
    buf_free(&text);
    return rc;
}
