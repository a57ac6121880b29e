/* What the files of the decoder share: the loaded weights, with the paper's names and shapes, and
 * the room that one slice of rows is computed in. */
#ifndef LK_MODEL_DECODER_IMPL_H
#define LK_MODEL_DECODER_IMPL_H

#include "base/arena.h"
#include "kernels/attn.h"
#include "kernels/mat.h"
#include "model/arch.h"
#include "model/decoder.h"

struct layer {
    const float *attn_norm;       /* [dim] */
    struct mat wq;                /* [heads * head_dim, dim] */
    struct mat wk, wv;            /* [heads_kv * head_dim, dim] */
    struct mat wo;                /* [dim, heads * head_dim] */
    const float *bq, *bk, *bv;    /* as the rows of wq, wk, wv; NULL: none */
    const float *bo;              /* [dim] or NULL */
    const float *q_norm, *k_norm; /* [head_dim] or NULL */
    const float *attn_post_norm;  /* [dim] or NULL */
    const float *ffn_norm;        /* [dim] */
    struct mat w_gate, w_up;      /* [ff, dim] */
    struct mat w_down;            /* [dim, ff] */
    const float *ffn_post_norm;   /* [dim] or NULL */
    int window;                   /* 0: sees everything */
    int nth;                      /* among the layers that do, or those that do not */
};

struct decoder {
    const struct gguf *g;
    struct hparams h;
    struct decoder_facts facts;
    struct tokenizer *tok;     /* NULL if the file has none */
    struct arena *vectors;     /* norms, biases */
    struct layer *layers;      /* [h.layers] */
    struct mat embed;          /* [vocab, dim] */
    struct mat head;           /* [vocab, dim], empty when tied */
    const struct mat *w_head;  /* &head or &embed */
    const float *out_norm;     /* [dim] */
    const float *rope_divisor; /* [n_rot / 2] of rope_freqs.weight or the keys, or NULL */
    uint64_t mark;             /* hash of the file's header and samples of its weights */

    int batch;             /* rows of a slice; all below has room for so many */
    float *block;          /* all floats below */
    float *x, *y;          /* [batch, dim]: the residual stream, and what is added to it */
    float *q, *z;          /* [batch, heads * head_dim] */
    float *k, *v;          /* [batch, heads_kv * head_dim] */
    float *gate, *up;      /* [batch, ff], where q, z, k and v are */
    const float *norm;     /* weights of the norm that makes y */
    int *pos;              /* [batch] */
    struct attn_row *rows; /* [batch] */
    struct acts acts;      /* the input of the next products */

    float *rope, *rope_window; /* [rope_n, n_rot / 2, 2]; the second for layers with a window */
    int rope_n;                /* the longest timeline */
    void *scratch;             /* of attention */
    int scratch_threads;
};

struct timeline {
    struct decoder *d;
    int cap, len;
    int next; /* decoder_step: position of the next row, while rows are checked */
    enum quant kv;
    int32_t *ids; /* [cap] */
    char *cache;  /* a cache for each layer: those that see all, then those with a window */
    size_t full_bytes, window_bytes; /* of one of these */
    int slots, base; /* of the latter: how many positions there is room for; the first one kept */
    void *block;     /* all of it */
    size_t block_bytes;
};
/* timeline.c: where a layer's keys and values are, how many positions there is room for, and the
 * position of the first of them. */
struct layer_cache {
    char *at;
    int cap, base;
};
struct layer_cache timeline_cache(const struct timeline *t, int layer);
/* Before positions [pos, pos + n) are kept: forget what no window reaches any more, if need be. */
void timeline_advance(struct timeline *t, int pos, int n);

struct attn_shape decoder_attn_shape(const struct decoder *d, int layer, enum quant kv);

/* decoder_memory.c: what is taken, and whether it is there. */
#define DECODER_BATCH     256 /* rows of a slice, unless asked otherwise */
#define DECODER_BATCH_MAX 4096
size_t decoder_weight_bytes(const struct gguf *g); /* of weights that stay in memory */
size_t decoder_token_bytes(const struct hparams *h, enum quant kv); /* of cache, all layers */
int decoder_check_cache(const struct hparams *h, enum quant kv, struct err *err);
int decoder_window_slots(const struct hparams *h, int batch, int cap);
/* ERR_LIMIT, saying how much is needed and how much there is. */
int decoder_must_fit(const struct decoder *d, const struct decoder_opts *o, struct err *err);
int decoder_make_slice(struct decoder *d, struct err *err);
/* Room for positions below cap: the rotations and attention's scratch. Called when a timeline is
 * made, and by decoder_step only after threads_set raised their number. */
int decoder_room(struct decoder *d, int cap, struct err *err);
#endif
