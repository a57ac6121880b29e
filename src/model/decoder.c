/* The forward pass of a decoder (Vaswani et al., 2017; Touvron et al., LLaMA, 2023).
 *
 * A step computes rows: one token each, of any timelines. Rows are worked on in slices of at most
 * `batch`, layer by layer:
 *
 *     y = norm(x);  q, k, v = Wq y, Wk y, Wv y;  rotate q and k;  keep k and v
 *     x += Wo attention(q, all k and v so far)
 *     y = norm(x);  x += Wdown (act(Wgate y) * Wup y)
 *
 * and at the end logits = Whead norm(x). What one architecture does and another does not (biases,
 * norms of heads, norms after a block, caps, windows) is a weight that is NULL or a fact of the
 * table in arch.c.
 *
 * In the last layer only the keys and values of rows without logits matter to anyone, so such rows
 * stop there, and the head is computed for rows that asked.
 *
 * Everything is checked before anything is computed: a step that fails has changed nothing. The
 * kernels promise that a row's bits do not depend on the rows beside it or on the number of
 * threads; nothing here adds rows up, so the promise holds for logits. No loop over numbers stands
 * here, and nothing is allocated. */
#include "base/threads.h"
#include "kernels/nn.h"
#include "model/decoder_impl.h"

#include <string.h>

struct slice { /* of the rows of a step */
    const struct decoder_row *rows;
    int n;
    int run; /* rows still worked on: n, then only those that want logits */
};

struct attn_shape decoder_attn_shape(const struct decoder *d, int layer, enum quant kv)
{
    const struct hparams *h = &d->h;
    return (struct attn_shape){ .heads = h->heads,
                                .heads_kv = h->heads_kv,
                                .head_dim = h->head_dim,
                                .scale = h->attn_scale,
                                .softcap = h->softcap_attn,
                                .window = d->layers[layer].window,
                                .type = kv };
}

static float *row_of(float *m, int i, int width) { return m + (size_t)i * (size_t)width; }

static void embed(struct decoder *d, const struct slice *b)
{
    for (int i = 0; i < b->n; i++) {
        mat_row(&d->embed, b->rows[i].id, row_of(d->x, i, d->h.dim));
        d->pos[i] = b->rows[i].pos;
    }
    if (d->h.arch->has & ARCH_EMBED_SCALE)
        nn_scale(d->x, d->h.embed_scale, (size_t)b->n * (size_t)d->h.dim);
}

/* How many rows from i on are of one timeline, one position after the other. */
static int stretch(const struct slice *b, int i)
{
    int n = 1;
    while (i + n < b->n && b->rows[i + n].t == b->rows[i].t) n++;
    return n;
}

static void keep_keys(struct decoder *d, const struct slice *b, int layer)
{
    int width = d->h.heads_kv * d->h.head_dim;
    for (int i = 0, n; i < b->n; i += n) {
        struct timeline *t = b->rows[i].t;
        struct attn_shape s = decoder_attn_shape(d, layer, t->kv);
        struct layer_cache c = timeline_cache(t, layer);
        n = stretch(b, i);
        attn_cache_put(&s, c.at, c.cap, b->rows[i].pos - c.base, n, row_of(d->k, i, width),
                       row_of(d->v, i, width), width);
    }
}

/* After the last keys are kept: move the rows that want logits to the front of x and q, and work
 * on with those alone. */
static void drop_silent(struct decoder *d, struct slice *b)
{
    int width = d->h.heads * d->h.head_dim, kept = 0;
    for (int i = 0; i < b->n; i++) {
        if (!b->rows[i].want_logits) continue;
        if (kept < i) {
            memcpy(row_of(d->x, kept, d->h.dim), row_of(d->x, i, d->h.dim),
                   (size_t)d->h.dim * sizeof *d->x);
            memcpy(row_of(d->q, kept, width), row_of(d->q, i, width), (size_t)width * sizeof *d->q);
        }
        kept++;
    }
    b->run = kept;
}

/* z = attention of the rows still worked on; one call for each run of timelines whose caches are of
 * one type. */
static void attend(struct decoder *d, const struct slice *b, int layer)
{
    int width = d->h.heads * d->h.head_dim, n = 0;
    bool all = b->run == b->n;
    enum quant kv = QUANT_F16;
    for (int i = 0, at = 0; i <= b->n; i++) {
        const struct decoder_row *r = i < b->n ? &b->rows[i] : NULL;
        if (r && !all && !r->want_logits) continue;
        if (n > 0 && (!r || r->t->kv != kv)) {
            struct attn_shape s = decoder_attn_shape(d, layer, kv);
            attn_rows(&s, d->rows, n, d->scratch);
            n = 0;
        }
        if (!r) break;
        kv = r->t->kv;
        struct layer_cache c = timeline_cache(r->t, layer);
        d->rows[n++] = (struct attn_row){ .q = row_of(d->q, at, width),
                                          .out = row_of(d->z, at, width),
                                          .cache = c.at,
                                          .cap = c.cap,
                                          .pos = r->pos - c.base };
        at++;
    }
}

static void norm_rows(void *ud, int t, int n)
{
    struct decoder *d = ud;
    int dim = d->h.dim;
    nn_rmsnorm(row_of(d->y, t, dim), row_of(d->x, t, dim), d->norm, n, dim, d->h.eps);
}

/* y = norm(x) is what the next products take. */
static void take_norm(struct decoder *d, const float *norm, int n)
{
    d->norm = norm;
    acts_make(&d->acts, d->y, n, d->h.dim, norm_rows, d);
}

static void gate_rows(void *ud, int t, int n)
{
    struct decoder *d = ud;
    float *gate = row_of(d->gate, t, d->h.ff);
    const float *up = row_of(d->up, t, d->h.ff);
    size_t numbers = (size_t)n * (size_t)d->h.ff;
    if (d->h.arch->has & ARCH_GELU) nn_gelu_mul(gate, up, numbers);
    else nn_silu_mul(gate, up, numbers);
}

/* x += norm(W acts + bias), where there is a norm, and a bias. */
static void add_to_residual(struct decoder *d, const struct slice *b, const struct mat *w,
                            const float *bias, const float *norm)
{
    if (!bias && !norm) {
        mat_mul_add(w, &d->acts, d->x, d->h.dim);
        return;
    }
    mat_mul(w, &d->acts, d->y, d->h.dim);
    nn_bias(d->y, bias, b->run, d->h.dim);
    if (norm) nn_rmsnorm(d->y, d->y, norm, b->run, d->h.dim, d->h.eps);
    nn_add(d->x, d->y, (size_t)b->run * (size_t)d->h.dim);
}

static void attention(struct decoder *d, struct slice *b, int layer)
{
    const struct layer *w = &d->layers[layer];
    const struct hparams *h = &d->h;
    int n = b->n, q_dim = h->heads * h->head_dim, kv_dim = h->heads_kv * h->head_dim;
    bool pairs = h->arch->has & ARCH_ROPE_PAIRS;
    const float *turn = w->window && d->rope_window ? d->rope_window : d->rope;

    take_norm(d, w->attn_norm, n);
    mat_mul_many((const struct mat *[]){ &w->wq, &w->wk, &w->wv }, 3, &d->acts,
                 (float *[]){ d->q, d->k, d->v }, (int[]){ q_dim, kv_dim, kv_dim });
    nn_bias(d->q, w->bq, n, q_dim);
    nn_bias(d->k, w->bk, n, kv_dim);
    nn_bias(d->v, w->bv, n, kv_dim);
    if (w->q_norm) nn_rmsnorm(d->q, d->q, w->q_norm, n * h->heads, h->head_dim, h->eps);
    if (w->k_norm) nn_rmsnorm(d->k, d->k, w->k_norm, n * h->heads_kv, h->head_dim, h->eps);
    nn_rope(d->q, d->pos, n, h->heads, h->head_dim, h->n_rot, q_dim, turn, pairs);
    nn_rope(d->k, d->pos, n, h->heads_kv, h->head_dim, h->n_rot, kv_dim, turn, pairs);
    keep_keys(d, b, layer);
    if (layer == h->layers - 1) drop_silent(d, b);
    if (b->run == 0) return;
    attend(d, b, layer);
    acts_set(&d->acts, d->z, b->run, q_dim);
    add_to_residual(d, b, &w->wo, w->bo, w->attn_post_norm);
}

static void feed_forward(struct decoder *d, const struct slice *b, int layer)
{
    const struct layer *w = &d->layers[layer];
    const struct hparams *h = &d->h;

    take_norm(d, w->ffn_norm, b->run);
    mat_mul_many((const struct mat *[]){ &w->w_gate, &w->w_up }, 2, &d->acts,
                 (float *[]){ d->gate, d->up }, (int[]){ h->ff, h->ff });
    acts_make(&d->acts, d->gate, b->run, h->ff, gate_rows, d);
    add_to_residual(d, b, &w->w_down, NULL, w->ffn_post_norm);
}

static void head(struct decoder *d, const struct slice *b, float *logits)
{
    const struct hparams *h = &d->h;
    take_norm(d, d->out_norm, b->run);
    mat_mul(d->w_head, &d->acts, logits, h->vocab);
    if (h->softcap_logits > 0)
        nn_softcap(logits, h->softcap_logits, (size_t)b->run * (size_t)h->vocab);
}

/* Returns how many rows of logits were written. */
static int forward(struct decoder *d, const struct decoder_row *rows, int n, float *logits)
{
    struct slice b = { rows, n, n };
    for (int i = 0, k; i < n; i += k) {
        k = stretch(&b, i);
        timeline_advance(rows[i].t, rows[i].pos, k);
    }
    embed(d, &b);
    for (int l = 0; l < d->h.layers && b.run > 0; l++) {
        attention(d, &b, l);
        if (b.run > 0) feed_forward(d, &b, l);
    }
    if (b.run > 0) head(d, &b, logits);
    return b.run;
}

static int check_rows(struct decoder *d, const struct decoder_row *rows, int n, struct err *err)
{
    for (int i = 0; i < n; i++) rows[i].t->next = rows[i].t->len;
    for (int i = 0; i < n; i++) {
        const struct decoder_row *r = &rows[i];
        if (r->t->d != d)
            return err_set(err, ERR_INVAL, "row %d: the timeline is of another model", i);
        if (r->id < 0 || r->id >= d->h.vocab)
            return err_set(err, ERR_INVAL, "row %d: token %d is not in the vocabulary of %d", i,
                           (int)r->id, d->h.vocab);
        if (r->t->next >= r->t->cap)
            return err_set(err, ERR_LIMIT, "the context of %d tokens is full", r->t->cap);
        if (r->pos != r->t->next++)
            return err_set(err, ERR_INVAL, "row %d: position %d, but the next is %d", i, r->pos,
                           r->t->next - 1);
    }
    return 0;
}

int decoder_step(struct decoder *d, const struct decoder_row *rows, int n, float *logits,
                 struct err *err)
{
    int rc = check_rows(d, rows, n, err);
    if (!rc && n > 0 && threads_count() > d->scratch_threads) rc = decoder_room(d, 0, err);
    if (rc) return rc;
    for (int i = 0; i < n; i += d->batch) {
        int part = n - i < d->batch ? n - i : d->batch;
        int said = forward(d, rows + i, part, logits);
        if (said) logits += (size_t)said * (size_t)d->h.vocab;
    }
    for (int i = 0; i < n; i++) rows[i].t->ids[rows[i].t->len++] = rows[i].id;
    return 0;
}
