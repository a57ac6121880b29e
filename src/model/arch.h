/* What a decoder file says of its model: the architecture, and the numbers that shape it.
 *
 *     struct hparams h;
 *     arch_read(g, &h, err);                               ERR_PARSE names file and key
 *     if (h.arch->has & ARCH_QK_NORM) ...
 *
 * The facts that all models of an architecture share are one line of a table in arch.c; what
 * differs between its models comes from the file's keys. docs/MODELS.md has both as equations. */
#ifndef LK_MODEL_ARCH_H
#define LK_MODEL_ARCH_H

#include "base/err.h"
#include "model/gguf.h"

#include <stdbool.h>

enum {
    ARCH_QKV_BIAS = 1,    /* q, k and v have biases */
    ARCH_QK_NORM = 2,     /* each head of q and k is normalised before it is rotated */
    ARCH_POST_NORM = 4,   /* what a block adds to the residual stream is normalised first */
    ARCH_EMBED_SCALE = 8, /* embeddings are multiplied by sqrt(dim) */
    ARCH_GELU = 16,       /* the gate is gelu (tanh form), else silu */
    ARCH_ROPE_PAIRS = 32, /* rotated pairs are (2i, 2i + 1), else (i, i + n_rot / 2) */
};
#define ARCH_MAX_ROT    1024 /* numbers of a head */
#define ARCH_MAX_LAYERS 1024

struct arch {
    const char *name; /* general.architecture */
    unsigned has;
    int window;        /* where the file names none */
    int window_every;  /* of so many layers the last sees everything, the others a window; 1: any
                        * window is every layer's */
    float base_window; /* RoPE base of layers with a window; 0: as the others */
    float softcap_attn, softcap_logits; /* where the file names none */
    int scale_by_dim; /* with that many layers queries are scaled by sqrt(heads / dim) (27B) */
};

struct hparams {
    const struct arch *arch;
    int layers, dim, heads, heads_kv, head_dim, ff, vocab, context;
    int n_rot;
    float eps;          /* of the norms */
    float embed_scale;  /* 1: none */
    float attn_scale;   /* of q k^T */
    float softcap_attn; /* 0: none */
    float softcap_logits;
    int window; /* 0: none */
    int window_every;
    bool windowed[ARCH_MAX_LAYERS];
    float rope_base, rope_scale;               /* of layers that see everything */
    float rope_base_window, rope_scale_window; /* of the others */
    bool rope_scaled;                          /* rope_factors matter */
    float rope_factors[ARCH_MAX_ROT / 2];      /* frequencies are divided by these */
};

int arch_read(const struct gguf *g, struct hparams *h, struct err *err);
/* Positions that layer l sees; 0: all. */
int arch_window(const struct hparams *h, int l);

#endif
