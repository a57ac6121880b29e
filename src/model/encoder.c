/* One forward pass for BERT and its kin.
 *
 * BERT (Devlin et al., 2018) normalises after each residual: x = LN(x + f(x)), learns its
 * positions, and has biases everywhere. nomic-bert turns queries and keys by their position (RoPE)
 * instead, has one matrix for q, k and v, a gated feed-forward of SiLU, and hardly a bias. XLM-R is
 * BERT with another tokenizer; its first two positions are for padding and are cut off when the
 * file is made, or <arch>.position_offset says how many to pass over. What a file holds decides:
 * a tensor that is absent is a step that is left out.
 *
 * Sequences stand one after another in x, without padding; only attention knows where one ends.
 * Every matrix product and norm works on all rows at once. What a text becomes is independent of
 * its neighbours, because each row is (kernels/mat.h).
 *
 * Texts come in groups whose tokens fit in a few hundred KB; the windows of a group are sorted by
 * length, so that sequences of like length share a batch and the threads finish together. */
#include "kernels/kernels.h"
#include "kernels/nn.h"
#include "model/encoder_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_TOKENS 65536
#define SHORT        6 /* tokens: so few that the errors of Q8_0 do not average out */
#define SHARED       8 /* windows share at least 1/8 of their tokens */

/* ---- the pass ---- */

static float *row_of(float *m, int i, int width) { return m + (size_t)i * (size_t)width; }

static void embed_rows(void *ud, int from, int n)
{
    struct encoder *e = ud;
    int dim = e->facts.dim;
    for (int t = from; t < from + n; t++) {
        float *x = row_of(e->x, t, dim), *position = row_of(e->a, t, dim);
        mat_row(&e->token, e->row_id[t], x);
        if (e->position.rows) {
            mat_row(&e->position, e->pos[t] + e->position_offset, position);
            nn_add(x, position, (size_t)dim);
        }
        if (e->type0) nn_add(x, e->type0, (size_t)dim);
    }
    float *x = row_of(e->x, from, dim);
    nn_layernorm(x, x, e->embed_norm_w, e->embed_norm_b, n, dim, e->eps);
}

/* What a block left undone: its bias and norm. */
static void norm_rows(void *ud, int t, int n)
{
    struct encoder *e = ud;
    int dim = e->facts.dim;
    float *x = row_of(e->x, t, dim);
    nn_bias(x, e->norm.bias, n, dim);
    nn_layernorm(x, x, e->norm.w, e->norm.b, n, dim, e->eps);
}

static void leave_norm(struct encoder *e, const float *bias, const float *w, const float *b)
{
    e->norm.bias = bias;
    e->norm.w = w;
    e->norm.b = b;
}

static void gelu_rows(void *ud, int t, int n)
{
    struct encoder *e = ud;
    float *h = row_of(e->h, t, e->facts.ff);
    nn_bias(h, e->up_bias, n, e->facts.ff);
    nn_gelu(h, (size_t)n * (size_t)e->facts.ff);
}

static void silu_rows(void *ud, int t, int n)
{
    struct encoder *e = ud;
    float *h = row_of(e->h, t, e->facts.ff);
    nn_bias(h, e->up_bias, n, e->facts.ff);
    nn_silu_mul(row_of(e->g, t, e->facts.ff), h, (size_t)n * (size_t)e->facts.ff);
}

static void self_attention(struct encoder *e, const struct encoder_layer *l, int n, int n_seq,
                           acts_fn *make, bool exact)
{
    const struct mat *value = exact && l->v_exact.rows ? &l->v_exact : &l->v;
    int dim = e->facts.dim, wide = 3 * dim;
    float *q = e->qkv, *k = q + dim, *v = k + dim;

    acts_make(&e->acts, e->x, n, dim, make, e);
    if (l->qkv.rows) {
        mat_mul(&l->qkv, &e->acts, q, wide);
    } else {
        mat_mul_many((const struct mat *[]){ &l->q, &l->k, value }, 3, &e->acts,
                     (float *[]){ q, k, v }, (int[]){ wide, wide, wide });
    }
    nn_bias(q, l->bqkv, n, wide);
    if (e->rope) {
        nn_rope(q, e->pos, n, e->shape.heads, e->shape.head_dim, e->shape.head_dim, wide, e->rope,
                0);
        nn_rope(k, e->pos, n, e->shape.heads, e->shape.head_dim, e->shape.head_dim, wide, e->rope,
                0);
    }
    attn_full(&e->shape, q, k, v, wide, e->a, e->len, n_seq, e->scratch);

    acts_set(&e->acts, e->a, n, dim);
    mat_mul_add(&l->out, &e->acts, e->x, dim);
    leave_norm(e, l->bout, l->attn_norm_w, l->attn_norm_b);
}

static void feed_forward(struct encoder *e, const struct encoder_layer *l, int n, bool exact)
{
    int dim = e->facts.dim, ff = e->facts.ff;
    const struct mat *up = exact && l->up_exact.rows ? &l->up_exact : &l->up;
    const struct mat *down = exact && l->up_exact.rows ? &l->down_exact : &l->down;

    acts_make(&e->acts, e->x, n, dim, norm_rows, e);
    e->up_bias = l->bup;
    if (l->gate.rows) {
        mat_mul_many((const struct mat *[]){ &l->gate, up }, 2, &e->acts, (float *[]){ e->g, e->h },
                     (int[]){ ff, ff });
        acts_make(&e->acts, e->g, n, ff, silu_rows, e);
    } else {
        mat_mul(up, &e->acts, e->h, ff);
        acts_make(&e->acts, e->h, n, ff, gelu_rows, e);
    }
    mat_mul_add(down, &e->acts, e->x, dim);
    leave_norm(e, l->bdown, l->out_norm_w, l->out_norm_b);
}

/* x: the last layer's rows of row_id[0..n), of which n_seq sequences have len[] rows each. */
static void forward(struct encoder *e, int n, int n_seq, bool exact)
{
    for (int i = 0; i < e->facts.layers; i++) {
        self_attention(e, &e->layers[i], n, n_seq, i ? norm_rows : embed_rows, exact);
        feed_forward(e, &e->layers[i], n, exact);
    }
    norm_rows(e, 0, n);
}

static void to_unit(float *v, int dim)
{
    float sum = kernels.dot_f32(v, v, (size_t)dim);
    if (sum > 0) nn_scale(v, 1 / sqrtf(sum), (size_t)dim);
}

/* The mean of a sequence's rows, or its first. */
static void pool(const struct encoder *e, const float *x, int n, float *v)
{
    int dim = e->facts.dim;
    memcpy(v, x, (size_t)dim * sizeof *v);
    if (e->facts.pooling == ENCODER_MEAN)
        for (int t = 1; t < n; t++) nn_add(v, x + (size_t)t * dim, (size_t)dim);
    to_unit(v, dim);
}

/* ---- texts to windows to vectors ---- */

static int by_length(const void *x, const void *y)
{
    const struct encoder_window *a = x, *b = y;
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Vectors of the group's windows, added to their texts' rows of out. */
static void flush_group(struct encoder *e, float *out)
{
    int dim = e->facts.dim;
    qsort(e->windows, e->n_windows, sizeof *e->windows, by_length);
    for (size_t i = 0; i < e->n_windows;) {
        int rows = 0, n_seq = 0;
        bool exact = e->windows[i].n <= SHORT;
        for (; i + (size_t)n_seq < e->n_windows; n_seq++) {
            const struct encoder_window *w = &e->windows[i + (size_t)n_seq];
            if (rows + w->n + 2 > e->max_rows || (w->n <= SHORT) != exact) break;
            e->row_id[rows] = e->cls;
            memcpy(e->row_id + rows + 1, e->ids + w->at, (size_t)w->n * sizeof *e->ids);
            e->row_id[rows + w->n + 1] = e->sep;
            for (int p = 0; p < w->n + 2; p++) e->pos[rows + p] = p;
            e->len[n_seq] = w->n + 2;
            rows += w->n + 2;
        }
        forward(e, rows, n_seq, exact);
        const float *x = e->x;
        for (int s = 0; s < n_seq; s++, i++) {
            const struct encoder_window *w = &e->windows[i];
            pool(e, x, w->n + 2, e->pooled);
            kernels.axpy_f32(out + w->text * (size_t)dim, (float)(w->n + 2), e->pooled,
                             (size_t)dim);
            x += (size_t)(w->n + 2) * (size_t)dim;
        }
    }
    e->n_windows = e->n_ids = 0;
}

static int room_for_ids(struct encoder *e, size_t more, struct err *err)
{
    size_t want = e->n_ids + more;
    if (want <= e->cap_ids) return 0;
    want += want / 2 + 1024;
    int32_t *p = realloc(e->ids, want * sizeof *p);
    if (!p) return err_nomem(err);
    e->ids = p;
    e->cap_ids = want;
    return 0;
}

/* The n tokens at the end of ids belong to `text`: cut them into windows. */
static int add_windows(struct encoder *e, size_t text, size_t n, struct err *err)
{
    size_t most = (size_t)e->facts.context - 2, shared = most / SHARED, count = 1;
    if (n > most) /* encoder_open takes no context under 8. NOLINTNEXTLINE(*-core.DivideZero) */
        count = (n - shared + most - shared - 1) / (most - shared);
    if (e->n_windows + count > e->cap_windows) {
        size_t cap = (e->n_windows + count) * 2;
        struct encoder_window *p = realloc(e->windows, cap * sizeof *p);
        if (!p) return err_nomem(err);
        e->windows = p;
        e->cap_windows = cap;
    }
    size_t len = count == 1 ? n : most;
    for (size_t i = 0; i < count; i++) {
        size_t from = count == 1 ? 0 : (n - len) * i / (count - 1);
        e->windows[e->n_windows++] = (struct encoder_window){ text, e->n_ids + from, (int)len };
    }
    e->n_ids += n;
    return 0;
}

static int add_text(struct encoder *e, const struct encoder_text *t, size_t at, struct err *err)
{
    const char *s = t->s, *prefix = e->facts.prefix[t->role];
    size_t n = t->n;
    if (*prefix) {
        buf_clear(&e->text);
        buf_adds(&e->text, prefix);
        buf_add(&e->text, s, n);
        if (e->text.failed) return err_nomem(err);
        s = buf_str(&e->text), n = e->text.n;
    }
    /* Most texts have fewer tokens than half their bytes; the rare others are cut again. */
    size_t room = n / 2 + 16, count;
    for (;;) {
        int rc = room_for_ids(e, room, err);
        if (rc) return rc;
        count = tokenizer_encode(e->tok, s, n, 0, e->ids + e->n_ids, room);
        if (count == SIZE_MAX) return err_nomem(err);
        if (count <= room) break;
        room = count;
    }
    return add_windows(e, at, count, err);
}

static void finish(struct encoder *e, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) to_unit(out + i * (size_t)e->facts.dim, e->facts.dim);
    buf_clear(&e->text);
    e->n_windows = e->n_ids = 0;
}

int encoder_embed(struct encoder *e, const struct encoder_text *texts, size_t n, float *out,
                  struct err *err)
{
    pthread_mutex_lock(&e->busy);
    int rc = encoder_room(e, err);
    memset(out, 0, n * (size_t)e->facts.dim * sizeof *out);
    for (size_t i = 0; i < n && !rc; i++) {
        rc = add_text(e, &texts[i], i, err);
        if (!rc && (e->n_ids >= GROUP_TOKENS || i + 1 == n)) flush_group(e, out);
    }
    finish(e, out, n);
    pthread_mutex_unlock(&e->busy);
    return rc;
}

int encoder_embed_ids(struct encoder *e, const int32_t *ids, const int *n_ids, size_t n, float *out,
                      struct err *err)
{
    pthread_mutex_lock(&e->busy);
    int rc = encoder_room(e, err);
    memset(out, 0, n * (size_t)e->facts.dim * sizeof *out);
    for (size_t i = 0; i < n && !rc; i++) {
        size_t count = (size_t)n_ids[i];
        if ((rc = room_for_ids(e, count, err))) break;
        for (size_t j = 0; j < count && !rc; j++, ids++) {
            if (*ids < 0 || *ids >= e->facts.vocab)
                rc = err_set(err, ERR_INVAL, "token %d is not in the vocabulary of %d", *ids,
                             e->facts.vocab);
            e->ids[e->n_ids + j] = *ids;
        }
        if (!rc) rc = add_windows(e, i, count, err);
        if (!rc && (e->n_ids >= GROUP_TOKENS || i + 1 == n)) flush_group(e, out);
    }
    finish(e, out, n);
    pthread_mutex_unlock(&e->busy);
    return rc;
}

const struct encoder_facts *encoder_facts(const struct encoder *e) { return &e->facts; }
const struct tokenizer *encoder_tokenizer(const struct encoder *e) { return e->tok; }
