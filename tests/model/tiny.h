/* The tiny random models of tests/model/tiny, each with the logits that it should give. */
#ifndef LK_TESTS_TINY_H
#define LK_TESTS_TINY_H

#include "check.h"

#include "model/decoder.h"

#include <math.h>

#define TINY_MAX 64 /* ids of a prompt */

struct tiny {
    struct gguf *g;
    struct decoder *d;
    int n, vocab;
    int32_t ids[TINY_MAX], best[TINY_MAX]; /* the prompt; the likeliest id after each */
    int at[2];                             /* positions whose logits are known */
    float *want;                           /* [2, vocab] */
};

static inline int tiny_numbers(const struct gguf *g, const char *key, void *out, int most)
{
    struct gguf_array a;
    if (!gguf_array(g, key, &a)) fail_msg("%s: no key %s", gguf_path(g), key);
    for (size_t i = 0; i < a.n && i < (size_t)most; i++) {
        if (a.of == GGUF_F32) ((float *)out)[i] = (float)gguf_array_num(&a, i);
        else ((int32_t *)out)[i] = (int32_t)gguf_array_num(&a, i);
    }
    return (int)a.n;
}

static inline void tiny_open(struct tiny *t, const char *name, const struct decoder_opts *o)
{
    struct err err = { 0 };
    char path[128];
    *t = (struct tiny){ 0 };
    snprintf(path, sizeof path, "tests/model/tiny/%s.gguf", name);
    check_ok(gguf_open(path, &t->g, &err), err);
    check_ok(decoder_open(t->g, o ? o : &(struct decoder_opts){ 0 }, &t->d, &err), err);
    t->vocab = decoder_facts(t->d)->vocab;
    t->n = tiny_numbers(t->g, "test.ids", t->ids, TINY_MAX);
    tiny_numbers(t->g, "test.best", t->best, TINY_MAX);
    tiny_numbers(t->g, "test.at", t->at, 2);
    t->want = calloc(2 * (size_t)t->vocab, sizeof *t->want);
    check_int(tiny_numbers(t->g, "test.logits", t->want, 2 * t->vocab), 2 * t->vocab);
}

static inline void tiny_close(struct tiny *t)
{
    decoder_close(t->d);
    gguf_close(t->g);
    free(t->want);
}

static inline struct timeline *tiny_timeline(const struct tiny *t, int cap, enum quant kv)
{
    struct err err = { 0 };
    struct timeline *line;
    check_ok(timeline_new(t->d, cap, kv, &line, &err), err);
    return line;
}

/* Compute ids[0 .. n) at the end of line in steps of `slice`; logits of all: [n, vocab]. */
static inline void tiny_run(const struct tiny *t, struct timeline *line, const int32_t *ids, int n,
                            int slice, float *logits)
{
    struct err err = { 0 };
    struct decoder_row rows[256];
    for (int i = 0; i < n; i += slice) {
        int part = n - i < slice ? n - i : slice, from = timeline_len(line);
        for (int k = 0; k < part; k++)
            rows[k] = (struct decoder_row){ line, ids[i + k], from + k, logits != NULL };
        float *to = logits ? logits + (size_t)i * (size_t)t->vocab : NULL;
        check_ok(decoder_step(t->d, rows, part, to, &err), err);
    }
}

static inline int tiny_best(const float *logits, int vocab)
{
    int best = 0;
    for (int i = 1; i < vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

#endif
