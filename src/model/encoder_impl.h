/* What encoder.c (the pass) and encoder_load.c (from file to weights) share. */
#ifndef LK_MODEL_ENCODER_IMPL_H
#define LK_MODEL_ENCODER_IMPL_H

#include "base/buf.h"
#include "kernels/attn.h"
#include "kernels/mat.h"
#include "model/encoder.h"

#include <pthread.h>

struct encoder_layer {
    struct mat q, k, v;                       /* [dim, dim] */
    struct mat qkv;                           /* [3 dim, dim] instead of these, nomic */
    struct mat out;                           /* [dim, dim] */
    struct mat gate;                          /* [ff, dim], nomic */
    struct mat up, down;                      /* [ff, dim], [dim, ff] */
    struct mat v_exact, up_exact, down_exact; /* the file's floats, for short texts; or none */
    float *bqkv, *bout;                       /* [3 dim], [dim]; NULL: none */
    float *bup, *bdown;                       /* [ff], [dim] */
    float *attn_norm_w, *attn_norm_b;         /* [dim] */
    float *out_norm_w, *out_norm_b;           /* [dim] */
};

struct encoder_window { /* of one text */
    size_t text, at;    /* its tokens: ids[at .. at + n) */
    int n;
};

struct encoder {
    struct encoder_facts facts;
    struct tokenizer *tok;
    struct mat token, position; /* [vocab, dim], [context, dim] */
    float *type0;               /* [dim] of token type 0; NULL: none */
    float *embed_norm_w, *embed_norm_b;
    struct encoder_layer *layers;
    float *rope; /* [context, head_dim / 2, 2]; NULL: none */
    float eps;
    int position_offset, max_rows;
    int32_t cls, sep;
    struct arena *vectors; /* biases and norms */
    void **made;           /* matrices made Q8_0 here, until they are packed */
    size_t n_made, cap_made;

    pthread_mutex_t busy; /* guards all below: one pass at a time */
    struct acts acts;
    struct attn_shape shape;
    float *x, *qkv, *a, *h, *g; /* [max_rows, dim], 3 dim, dim, ff, ff (gate) */
    float *pooled;              /* [dim] */
    struct {
        const float *bias, *w, *b;
    } norm;               /* which x has yet to be given before it is read: LN(x + bias) */
    const float *up_bias; /* [ff], likewise of h */
    int *pos, *len;       /* [max_rows] */
    int32_t *row_id;      /* [max_rows] */
    void *scratch;        /* of attention, for so many threads */
    int scratch_threads;
    int32_t *ids; /* tokens of a group */
    size_t n_ids, cap_ids;
    struct encoder_window *windows;
    size_t n_windows, cap_windows;
    struct buf text; /* prefix and text */
};

/* Scratch for as many threads as there are now. */
int encoder_room(struct encoder *e, struct err *err);

#endif
