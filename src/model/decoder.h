/* Decoders: LLaMA and kin, one forward pass for all of them, steered by a table of architecture
 * facts (arch.c).
 *
 *     struct decoder *d;
 *     decoder_open(g, &(struct decoder_opts){ 0 }, &d, err);       g: an open GGUF; kept by d
 *     struct timeline *t;
 *     timeline_new(d, 8192, QUANT_F16, &t, err);                  the KV cache of one sequence
 *     struct decoder_row rows[] = { { t, id0, 0, false }, { t, id1, 1, true } };
 *     decoder_step(d, rows, 2, logits, err);                      logits of the rows that asked
 *     timeline_free(t);
 *     decoder_close(d);
 *
 * A decoder is the loaded model, a timeline one sequence of tokens with its keys and values. Both
 * belong to one thread at a time (the engine's), which shares the work of a step among those of
 * base/threads.h; threads_set comes before timeline_new. decoder_step allocates nothing. The logits
 * of a row have the same bits whatever rows stand beside it and however many threads there are. */
#ifndef LK_MODEL_DECODER_H
#define LK_MODEL_DECODER_H

#include "base/err.h"
#include "kernels/quant.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decoder_opts {
    int max_batch;    /* rows computed at a time (a step may have more); 0: 256 */
    size_t memory;    /* bytes it may use; 0: what the machine has free */
    bool keep_mapped; /* do not re-lay weights: slower, starts at once */
};

struct decoder_facts { /* what a caller may want to know */
    const char *arch;  /* "llama", "qwen2", "qwen3", "gemma2", "gemma3" */
    char name[96];     /* general.name, "" if none */
    int layers, dim, heads, heads_kv, head_dim, ff, vocab;
    int context; /* trained length */
    uint64_t params;
    size_t weight_bytes;   /* in memory */
    size_t kv_bytes_token; /* of f16 cache, all layers */
};

struct decoder;
/* ERR_PARSE names the file and the key or tensor that is missing or unfit; ERR_LIMIT says how much
 * memory is needed and how much there is. */
int decoder_open(const struct gguf *g, const struct decoder_opts *o, struct decoder **out,
                 struct err *err);
void decoder_close(struct decoder *d); /* accepts NULL */
const struct decoder_facts *decoder_facts(const struct decoder *d);
/* Of the cache of one timeline of ctx tokens. Layers with a window keep little more than it. */
size_t decoder_cache_bytes(const struct decoder *d, int ctx, enum quant kv);
/* NULL if the file has none. */
const struct tokenizer *decoder_tokenizer(const struct decoder *d);
struct decoder_need {
    int ctx;                          /* tokens: as asked, at most the trained length */
    size_t weights, cache, rest, all; /* bytes; all is their sum */
};
/* What opening g and one timeline of ctx tokens (0: the trained length) would take; reads the
 * header only, allocates nothing. */
int decoder_plan(const struct gguf *g, int ctx, enum quant kv, struct decoder_need *out,
                 struct err *err);
/* Bytes that the machine, or the group of processes we are in, can still give. */
size_t decoder_memory_free(void);

struct timeline;
/* cap: positions; kv: QUANT_F16 or QUANT_Q8_0 (or QUANT_F32 for tests). Memory is taken as
 * positions are used; ERR_LIMIT when the machine could not give it all. */
int timeline_new(struct decoder *d, int cap, enum quant kv, struct timeline **out, struct err *err);
void timeline_free(struct timeline *t); /* before its decoder; accepts NULL */
int timeline_len(const struct timeline *t);
int timeline_cap(const struct timeline *t);
const int32_t *timeline_ids(const struct timeline *t); /* [len] tokens whose keys are kept */
/* Forget all positions from len on. Layers with a window have forgotten the oldest themselves:
 * where they could not go on from len, which is some hundred tokens back, all is forgotten. */
void timeline_cut(struct timeline *t, int len);
/* How many of ids[0..n) are already there as a prefix that timeline_cut can keep. */
int timeline_common(const struct timeline *t, const int32_t *ids, int n);
/* Copy the first len positions of `from` into t (same decoder and kv type); len is one that
 * timeline_cut would keep, here and for saving. */
int timeline_copy(struct timeline *t, const struct timeline *from, int len, struct err *err);
/* The first len positions as bytes, and back; the caller seals them. The blob names the model by a
 * hash of its file's header, and load refuses another's. */
int timeline_save(const struct timeline *t, int len, struct buf *out, struct err *err);
int timeline_load(struct timeline *t, const void *p, size_t n, struct err *err);

struct decoder_row {
    struct timeline *t;
    int32_t id;
    int pos; /* timeline_len(t) for its first row, then one more each; the step makes the timeline
              * longer. Rows of one timeline that stand side by side are computed together */
    bool want_logits;
};
/* logits: [number of rows that want them, vocab], in row order. ERR_LIMIT when a timeline is full,
 * ERR_INVAL for an id outside of the vocabulary; then nothing has changed. */
int decoder_step(struct decoder *d, const struct decoder_row *rows, int n, float *logits,
                 struct err *err);

/* exp of the mean of -ln p over the tokens that ids hold: windows of ctx tokens, the second half of
 * each counted (the last may be shorter). For measuring; allocates. */
int decoder_perplexity(struct decoder *d, const int32_t *ids, size_t n, int ctx, double *out,
                       struct err *err);

#endif
