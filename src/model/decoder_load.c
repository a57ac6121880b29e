/* Opening a decoder: tensors by name, their shapes checked, memory planned, weights re-laid.
 *
 * Order matters here. First the keys (arch.c) and every tensor's shape are read, which costs
 * nothing; then the memory that all of it will take is counted and compared with what there is, so
 * that a model too large is refused in a sentence instead of by the kernel's out-of-memory killer;
 * only then are weights touched. They are packed one matrix at a time, and the pages of the file
 * that held it are given back before the next, so that a model is in memory once.
 *
 * A tensor that the file has and this architecture does not use is an error: such a file would
 * compute something else than its author meant. */
#include "base/str.h"
#include "model/decoder_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shapes of tensors, in words of hparams. */
enum extent { NONE, DIM, Q_DIM, KV_DIM, HEAD_DIM, FF, VOCAB };
/* When a vector must be there. */
enum { MAY = 0, MUST = 1 << 30 };

static const struct {
    const char *name; /* blk.N.NAME */
    size_t at;        /* in struct layer */
    enum extent rows, cols;
} matrices[] = {
    { "attn_q.weight", offsetof(struct layer, wq), Q_DIM, DIM },
    { "attn_k.weight", offsetof(struct layer, wk), KV_DIM, DIM },
    { "attn_v.weight", offsetof(struct layer, wv), KV_DIM, DIM },
    { "attn_output.weight", offsetof(struct layer, wo), DIM, Q_DIM },
    { "ffn_gate.weight", offsetof(struct layer, w_gate), FF, DIM },
    { "ffn_up.weight", offsetof(struct layer, w_up), FF, DIM },
    { "ffn_down.weight", offsetof(struct layer, w_down), DIM, FF },
};
static const struct {
    const char *name;
    size_t at;
    enum extent n;
    unsigned need; /* MUST, MAY, or the architectures that need it; others may not have it */
} vectors[] = {
    { "attn_norm.weight", offsetof(struct layer, attn_norm), DIM, MUST },
    { "attn_q.bias", offsetof(struct layer, bq), Q_DIM, ARCH_QKV_BIAS | MAY },
    { "attn_k.bias", offsetof(struct layer, bk), KV_DIM, ARCH_QKV_BIAS | MAY },
    { "attn_v.bias", offsetof(struct layer, bv), KV_DIM, ARCH_QKV_BIAS | MAY },
    { "attn_output.bias", offsetof(struct layer, bo), DIM, MAY },
    { "attn_q_norm.weight", offsetof(struct layer, q_norm), HEAD_DIM, ARCH_QK_NORM },
    { "attn_k_norm.weight", offsetof(struct layer, k_norm), HEAD_DIM, ARCH_QK_NORM },
    { "post_attention_norm.weight", offsetof(struct layer, attn_post_norm), DIM, ARCH_POST_NORM },
    { "ffn_norm.weight", offsetof(struct layer, ffn_norm), DIM, MUST },
    { "post_ffw_norm.weight", offsetof(struct layer, ffn_post_norm), DIM, ARCH_POST_NORM },
};
enum {
    N_MATRICES = sizeof matrices / sizeof *matrices,
    N_VECTORS = sizeof vectors / sizeof *vectors,
};

static int extent_of(const struct hparams *h, enum extent e)
{
    const int of[] = { [NONE] = 1,
                       [DIM] = h->dim,
                       [Q_DIM] = h->heads * h->head_dim,
                       [KV_DIM] = h->heads_kv * h->head_dim,
                       [HEAD_DIM] = h->head_dim,
                       [FF] = h->ff,
                       [VOCAB] = h->vocab };
    return of[e];
}

/* The tensor `name` with that shape (rows 1: a vector). *out NULL if absent and not needed. */
static int find(const struct gguf *g, const char *name, int rows, int cols, bool vector,
                bool needed, const struct gguf_tensor **out, struct err *err)
{
    const struct gguf_tensor *t = *out = gguf_tensor(g, name);
    if (!t && !needed) return 0;
    if (!t) return err_set(err, ERR_PARSE, "%s: tensor %s is missing", gguf_path(g), name);
    if (t->dim[0] == (uint64_t)cols && t->dim[1] == (uint64_t)rows && t->dim[2] == 1 &&
        t->dim[3] == 1 && (!vector || t->n_dims == 1))
        return 0;
    return err_set(err, ERR_PARSE, "%s: tensor %s is %llu x %llu, but its model needs %d x %d",
                   gguf_path(g), name, (unsigned long long)t->dim[1], (unsigned long long)t->dim[0],
                   rows, cols);
}

static int bind_matrix(const struct gguf *g, const char *name, int rows, int cols, struct mat *m,
                       struct err *err)
{
    const struct gguf_tensor *t;
    int rc = find(g, name, rows, cols, false, true, &t, err);
    if (rc) return rc;
    if (cols % quant_block(t->type))
        return err_set(err, ERR_PARSE, "%s: tensor %s: rows of %d numbers in blocks of %d",
                       gguf_path(g), name, cols, quant_block(t->type));
    rc = mat_init(m, t->type, rows, cols, t->data, err);
    return rc ? err_prefix(err, rc, "%s: tensor %s", gguf_path(g), name) : 0;
}

/* Copies, as floats: the kernels want them so, and aligned. */
static int bind_vector(struct decoder *d, const char *name, int n, bool needed, const float **out,
                       struct err *err)
{
    const struct gguf_tensor *t;
    int rc = find(d->g, name, 1, n, true, needed, &t, err);
    if (rc || !t) return rc;
    if (n % quant_block(t->type))
        return err_set(err, ERR_PARSE, "%s: tensor %s has an unfit type", gguf_path(d->g), name);
    float *x = arena_alloc(d->vectors, (size_t)n * sizeof *x);
    if (!x) return err_nomem(err);
    quant_decode(t->type, t->data, (size_t)n, x);
    *out = x;
    return 0;
}

static int bind_layer(struct decoder *d, int l, struct err *err)
{
    char name[64], *to = (char *)&d->layers[l];
    const struct hparams *h = &d->h;
    int rc = 0;
    for (int i = 0; i < N_MATRICES && !rc; i++) {
        snprintf(name, sizeof name, "blk.%d.%s", l, matrices[i].name);
        rc = bind_matrix(d->g, name, extent_of(h, matrices[i].rows), extent_of(h, matrices[i].cols),
                         (struct mat *)(to + matrices[i].at), err);
    }
    for (int i = 0; i < N_VECTORS && !rc; i++) {
        snprintf(name, sizeof name, "blk.%d.%s", l, vectors[i].name);
        bool needed = vectors[i].need & (h->arch->has | MUST);
        rc = bind_vector(d, name, extent_of(h, vectors[i].n), needed,
                         (const float **)(to + vectors[i].at), err);
    }
    struct layer *w = &d->layers[l];
    w->window = arch_window(h, l);
    for (int k = 0; k < l; k++) w->nth += !d->layers[k].window == !w->window;
    return rc;
}

/* Does this architecture use blk.N.NAME? */
static bool layer_has(const struct hparams *h, struct span name)
{
    for (int i = 0; i < N_MATRICES; i++)
        if (span_eq(name, matrices[i].name)) return true;
    for (int i = 0; i < N_VECTORS; i++)
        if (span_eq(name, vectors[i].name)) {
            unsigned archs = vectors[i].need & ~(unsigned)MUST;
            return !archs || archs & ARCH_QKV_BIAS || archs & h->arch->has;
        }
    return span_eq(name, "attn_rot_embd") || span_eq(name, "rope_freqs.weight"); /* old files */
}

static bool known_tensor(const struct hparams *h, struct span name)
{
    static const char *const whole[] = { "token_embd.weight", "output.weight", "output_norm.weight",
                                         "rope_freqs.weight" };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (span_eq(name, whole[i])) return true;
    if (name.n < 6 || memcmp(name.p, "blk.", 4) != 0) return false;
    struct span at = { name.p + 4, name.n - 4 };
    int l = 0;
    while (at.n > 0 && at.p[0] >= '0' && at.p[0] <= '9' && l < 100000) {
        l = l * 10 + (at.p[0] - '0');
        at.p++, at.n--;
    }
    if (at.n < 2 || at.p[0] != '.' || l >= h->layers) return false;
    return layer_has(h, (struct span){ at.p + 1, at.n - 1 });
}

static int no_stranger(const struct gguf *g, const struct hparams *h, struct err *err)
{
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        struct span name = gguf_tensor_at(g, i)->name;
        if (!known_tensor(h, name))
            return err_set(err, ERR_PARSE, "%s: tensor %.*s is no part of a %s model of %d layers",
                           gguf_path(g), (int)(name.n < 64 ? name.n : 64), name.p, h->arch->name,
                           h->layers);
    }
    return 0;
}

static int bind_all(struct decoder *d, struct err *err)
{
    const struct hparams *h = &d->h;
    int rc = no_stranger(d->g, h, err);
    if (!rc) rc = bind_matrix(d->g, "token_embd.weight", h->vocab, h->dim, &d->embed, err);
    if (!rc && gguf_tensor(d->g, "output.weight"))
        rc = bind_matrix(d->g, "output.weight", h->vocab, h->dim, &d->head, err);
    d->w_head = d->head.rows ? &d->head : &d->embed;
    if (!rc) rc = bind_vector(d, "output_norm.weight", h->dim, true, &d->out_norm, err);
    if (!rc) rc = bind_vector(d, "rope_freqs.weight", h->n_rot / 2, false, &d->rope_divisor, err);
    if (!rc && !d->rope_divisor && h->rope_scaled) d->rope_divisor = h->rope_factors;
    for (int l = 0; l < h->layers && !rc; l++) rc = bind_layer(d, l, err);
    return rc;
}

/* The name of these weights in a saved timeline. Two tunings of one model have the same header, so
 * a line of each tensor's data goes in. */
static uint64_t mark_of(const struct gguf *g)
{
    uint64_t mark = gguf_size(g);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        uint64_t shape[] = { t->type, t->dim[0], t->dim[1], t->bytes };
        mark = hash64(t->name.p, t->name.n, mark);
        mark = hash64(shape, sizeof shape, mark);
        mark = hash64(t->data, t->bytes < 256 ? t->bytes : 256, mark);
    }
    return mark;
}

/* Weights of a format that is only read become packed Q8_0. */
static int remake(struct mat *m, struct err *err)
{
    size_t from = quant_row_bytes(m->type, (size_t)m->cols);
    size_t to = quant_row_bytes(QUANT_Q8_0, (size_t)m->cols);
    char *rows = malloc(to * (size_t)m->rows);
    struct mat made;
    if (!rows) return err_nomem(err);
    for (size_t r = 0; r < (size_t)m->rows; r++)
        quant_as_q8_0(m->type, (const char *)m->data + r * from, (size_t)m->cols, rows + r * to);
    int rc = mat_init(&made, QUANT_Q8_0, m->rows, m->cols, rows, err);
    if (!rc) rc = mat_pack(&made, err);
    made.data = NULL;
    if (!rc) *m = made;
    free(rows);
    return rc;
}

static int pack(const struct decoder *d, struct mat *m, struct err *err)
{
    const void *data = m->data;
    size_t bytes = quant_row_bytes(m->type, (size_t)m->cols) * (size_t)m->rows;
    int rc = quant_only_read(m->type) ? remake(m, err) : mat_pack(m, err);
    if (!rc && mat_packed(m)) gguf_done_with(d->g, data, bytes);
    return rc;
}

static int pack_all(struct decoder *d, bool keep_mapped, struct err *err)
{
    struct mat *const ends[] = { &d->embed, &d->head };
    int rc = 0;
    for (int i = 0; i < 2 && !rc; i++)
        if (ends[i]->rows &&
            (quant_only_read(ends[i]->type) || (!keep_mapped && d->w_head == ends[i])))
            rc = pack(d, ends[i], err);
    for (int l = 0; l < d->h.layers && !rc; l++)
        for (int i = 0; i < N_MATRICES && !rc; i++) {
            struct mat *m = (struct mat *)((char *)&d->layers[l] + matrices[i].at);
            if (!keep_mapped || quant_only_read(m->type)) rc = pack(d, m, err);
        }
    return rc;
}

static void state_facts(struct decoder *d)
{
    const struct hparams *h = &d->h;
    struct span name = gguf_str_or(d->g, "general.name", "");
    d->facts = (struct decoder_facts){ .arch = h->arch->name,
                                       .layers = h->layers,
                                       .dim = h->dim,
                                       .heads = h->heads,
                                       .heads_kv = h->heads_kv,
                                       .head_dim = h->head_dim,
                                       .ff = h->ff,
                                       .vocab = h->vocab,
                                       .context = h->context,
                                       .weight_bytes = decoder_weight_bytes(d->g),
                                       .kv_bytes_token = decoder_token_bytes(h, QUANT_F16) };
    size_t n = utf8_cut(name.p, name.n, sizeof d->facts.name - 1);
    if (n) memcpy(d->facts.name, name.p, n);
    for (size_t i = 0; i < gguf_tensor_count(d->g); i++)
        d->facts.params += gguf_tensor_at(d->g, i)->n;
}

int decoder_open(const struct gguf *g, const struct decoder_opts *o, struct decoder **out,
                 struct err *err)
{
    struct decoder *d = *out = NULL;
    d = calloc(1, sizeof *d);
    if (!d) return err_nomem(err);
    d->g = g;
    d->batch = o->max_batch > 0 ? o->max_batch : DECODER_BATCH;
    if (d->batch > DECODER_BATCH_MAX) d->batch = DECODER_BATCH_MAX;
    int rc = arch_read(g, &d->h, err);
    if (rc) goto out;
    d->vectors = arena_new(0);
    d->layers = calloc((size_t)d->h.layers, sizeof *d->layers);
    if (!d->vectors || !d->layers) {
        rc = err_nomem(err);
        goto out;
    }
    rc = bind_all(d, err);
    if (rc) goto out;
    state_facts(d);
    rc = decoder_must_fit(d, o, err);
    if (!rc && gguf_has(g, "tokenizer.ggml.model")) rc = tokenizer_open(g, &d->tok, err);
    if (!rc) rc = decoder_make_slice(d, err);
    if (rc) goto out;
    d->mark = mark_of(g);
    rc = pack_all(d, o->keep_mapped, err);
out:
    if (rc) decoder_close(d);
    else *out = d;
    return rc;
}

void decoder_close(struct decoder *d)
{
    if (!d) return;
    for (int l = 0; d->layers && l < d->h.layers; l++)
        for (int i = 0; i < N_MATRICES; i++)
            mat_clear((struct mat *)((char *)&d->layers[l] + matrices[i].at));
    mat_clear(&d->embed);
    mat_clear(&d->head);
    acts_clear(&d->acts);
    arena_free(d->vectors);
    tokenizer_close(d->tok);
    free(d->layers);
    free(d->block);
    free(d->pos);
    free(d->rows);
    free(d->rope);
    free(d->rope_window);
    free(d->scratch);
    free(d);
}

const struct decoder_facts *decoder_facts(const struct decoder *d) { return &d->facts; }
const struct tokenizer *decoder_tokenizer(const struct decoder *d) { return d->tok; }
