/* From an encoder to a table of token vectors, in four steps (after Model2Vec and its kin):
 *
 *  1. The teacher reads the corpus, and every token of the vocabulary alone.
 *  2. Its space is reduced to the directions that matter most.
 *  3. Rows begin as the teacher's vectors of single tokens, weighed by a / (a + frequency) (Arora
 *     et al., 2017), and are fitted to the corpus (distill_fit.c). Each token alone is a text of
 *     the corpus too, so that words that it lacks keep their meaning. The row of [CLS] is added to
 *     every text: what texts have in common, which shows the more the shorter they are.
 *  4. Rows become Q8_0. Tokens that no text can have ("[unused12]") are left out, which makes new
 *     ids; the vocabulary goes into the file, so that it needs no other.
 *
 * What comes of it is measured on texts that were kept aside, with the file as written. */
#include "model/distill.h"

#include "base/io.h"
#include "base/str.h"
#include "kernels/kernels.h"
#include "kernels/nn.h"
#include "model/distill_fit.h"
#include "model/distill_impl.h"
#include "model/static_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIF         1e-3f
#define SAMPLE      20000 /* texts that the directions are found from */
#define COMPARED    1500  /* held-out texts whose pairs are ranked */
#define EPOCHS      8
#define RATE        0.04f
#define GRAM        4.0f
#define DIM_DEFAULT 256

struct making {
    const struct distill_opts *o;
    struct distill_report *r;
    struct progress *p;
    struct gguf *g;
    struct encoder *teacher;
    const struct tokenizer *tok;
    struct distill_texts train, held;
    int vocab, wide, dim; /* wide: the teacher's */
    float *basis;         /* [dim, wide] */
    float *row;           /* [vocab, dim] */
    float *target;        /* [train.n + vocab, dim] of length 1; then each token alone */
    int32_t *ids;         /* of these */
    size_t *at;
};

static void to_unit(float *v, size_t n)
{
    float sum = kernels.dot_f32(v, v, n);
    nn_scale(v, sum > 1e-20f ? 1 / sqrtf(sum) : 0, n);
}

static void wide_of(const struct distill_texts *t, size_t i, float *x)
{
    quant_decode(QUANT_F16, t->said + i * (size_t)t->dim, (size_t)t->dim, x);
}

/* x: [wide] -> y: [dim] */
static void reduce(const struct making *m, const float *x, float *y)
{
    for (int k = 0; k < m->dim; k++)
        y[k] = kernels.dot_f32(m->basis + (size_t)k * (size_t)m->wide, x, (size_t)m->wide);
}

static int open_teacher(struct making *m, struct err *err)
{
    int rc = gguf_open(m->o->teacher, &m->g, err);
    if (!rc) rc = encoder_open(m->g, &(struct encoder_opts){ .q8 = !m->o->f32 }, &m->teacher, err);
    if (rc) return rc;
    m->tok = encoder_tokenizer(m->teacher);
    m->vocab = tokenizer_size(m->tok);
    m->wide = encoder_facts(m->teacher)->dim;
    m->dim = m->o->dim ? m->o->dim : m->wide < DIM_DEFAULT ? m->wide : DIM_DEFAULT;
    if (tokenizer_kind(m->tok) != TOKENIZER_WORDPIECE)
        return err_set(err, ERR_INVAL, "%s has no WordPiece vocabulary: only those are distilled",
                       m->o->teacher);
    if (m->dim < 32 || m->dim % 32 || m->dim > m->wide)
        return err_set(err, ERR_INVAL,
                       "a table of %d numbers a token: a multiple of 32, at most the teacher's %d",
                       m->dim, m->wide);
    return 0;
}

static int read_texts(struct making *m, struct err *err)
{
    const struct distill_opts *o = m->o;
    uint64_t key = static_table_hash(m->g) + (uint64_t)o->f32;
    int rc = distill_texts_read(o->corpus, o->max_texts, m->tok, &m->train, err);
    if (!rc) rc = distill_texts_teach(&m->train, m->teacher, o->cache, key, m->p, err);
    if (!rc && o->held) rc = distill_texts_read(o->held, COMPARED, m->tok, &m->held, err);
    if (!rc && o->held) rc = distill_texts_teach(&m->held, m->teacher, NULL, key, NULL, err);
    m->r->texts = m->train.n;
    m->r->tokens = rc ? 0 : m->train.at[m->train.n];
    m->r->held = m->held.n;
    return rc;
}

static int find_basis(struct making *m, struct err *err)
{
    size_t wide = (size_t)m->wide, n = m->train.n < SAMPLE ? m->train.n : SAMPLE;
    float *x = malloc(n * wide * sizeof *x);
    m->basis = malloc((size_t)m->dim * wide * sizeof *m->basis);
    int rc = x && m->basis ? 0 : err_nomem(err);
    for (size_t i = 0; i < n && !rc; i++) wide_of(&m->train, i * (m->train.n / n), x + i * wide);
    if (!rc) rc = fit_directions(x, n, m->wide, m->dim, m->basis, err);
    free(x);
    return rc;
}

/* Targets of the corpus's texts and of each token alone; rows as they begin. */
static int begin_rows(struct making *m, struct err *err)
{
    const struct distill_texts *t = &m->train;
    size_t dim = (size_t)m->dim, vocab = (size_t)m->vocab, total = t->at[t->n], n = t->n + vocab;
    float *alone = malloc(vocab * (size_t)m->wide * sizeof *alone), *x = malloc(vocab * 4 + 65536);
    int *ones = malloc(vocab * sizeof *ones);
    uint32_t *count = calloc(vocab, sizeof *count);
    m->row = malloc(vocab * dim * sizeof *m->row);
    m->target = malloc(n * dim * sizeof *m->target);
    m->ids = malloc((total + 2 * vocab) * sizeof *m->ids);
    m->at = malloc((n + 1) * sizeof *m->at);
    int rc = 0;
    if (!alone || !x || !ones || !count || !m->row || !m->target || !m->ids || !m->at) {
        rc = err_nomem(err);
        goto out;
    }
    memcpy(m->ids, t->ids, total * sizeof *m->ids);
    memcpy(m->at, t->at, (t->n + 1) * sizeof *m->at);
    for (size_t i = 0; i < total; i++) count[t->ids[i]]++;
    for (size_t i = 0; i < vocab; i++) {
        m->ids[total + i] = (int32_t)i;
        ones[i] = 1;
    }
    if ((rc = encoder_embed_ids(m->teacher, m->ids + total, ones, vocab, alone, err))) goto out;
    for (size_t i = 0; i < vocab; i++) {
        m->ids[total + 2 * i] = tokenizer_cls(m->tok);
        m->ids[total + 2 * i + 1] = (int32_t)i;
        m->at[t->n + i + 1] = total + 2 * i + 2;
    }
    for (size_t i = 0; i < n; i++) {
        float *y = m->target + i * dim;
        if (i < t->n) wide_of(t, i, x);
        reduce(m, i < t->n ? x : alone + (i - t->n) * (size_t)m->wide, y);
        to_unit(y, dim);
    }
    for (size_t i = 0; i < vocab; i++) {
        memcpy(m->row + i * dim, m->target + (t->n + i) * dim, dim * sizeof *m->row);
        float often = ((float)count[i] + 0.5f) / (float)total;
        nn_scale(m->row + i * dim, SIF / (SIF + often), dim);
    }
out:
    free(alone);
    free(x);
    free(ones);
    free(count);
    return rc;
}

/* ---- the file ---- */

static bool left_out(struct span token)
{
    return token.n > 8 && !memcmp(token.p, "[unused", 7) && token.p[token.n - 1] == ']';
}

static int new_id(const int32_t *to, int32_t id) { return id >= 0 ? to[id] : -1; }

static void put_id(struct gguf_writer *w, const char *key, int id)
{
    if (id >= 0) gguf_put_u32(w, key, (uint32_t)id);
}

static void put_keys(const struct making *m, struct gguf_writer *w, const struct span *token,
                     const int32_t *type, int n, const int32_t *to)
{
    const struct encoder_facts *f = encoder_facts(m->teacher);
    gguf_put_str(w, "general.architecture", "static", 6);
    gguf_put_str(w, "general.name", f->name, strlen(f->name));
    struct span licence = gguf_str_or(m->g, "general.license", "");
    if (licence.n) gguf_put_str(w, "general.license", licence.p, licence.n);
    gguf_put_u32(w, "static.embedding_length", (uint32_t)m->dim);
    gguf_put_u32(w, "static.texts", (uint32_t)m->train.n);
    gguf_put_str(w, "tokenizer.ggml.model", "bert", 4);
    gguf_put_bool(w, "tokenizer.ggml.lower_case",
                  gguf_bool_or(m->g, "tokenizer.ggml.lower_case", true));
    gguf_put_strs(w, "tokenizer.ggml.tokens", token, (size_t)n);
    gguf_put_nums(w, "tokenizer.ggml.token_type", GGUF_I32, type, (size_t)n);
    put_id(w, "tokenizer.ggml.unknown_token_id", new_id(to, tokenizer_unk(m->tok)));
    put_id(w, "tokenizer.ggml.cls_token_id", new_id(to, tokenizer_cls(m->tok)));
    put_id(w, "tokenizer.ggml.bos_token_id", new_id(to, tokenizer_cls(m->tok)));
    put_id(w, "tokenizer.ggml.seperator_token_id", new_id(to, tokenizer_sep(m->tok)));
}

static int write_rows(const struct making *m, struct gguf_writer *w, const int32_t *to,
                      struct err *err)
{
    size_t dim = (size_t)m->dim, bytes = quant_row_bytes(QUANT_Q8_0, dim);
    float most = 0;
    char *q = malloc(bytes);
    int rc = q ? 0 : err_nomem(err);
    /* Only directions and proportions matter: the longest row gets length 64, for f16's sake. */
    for (int i = 0; i < m->vocab; i++) {
        const float *row = m->row + (size_t)i * dim;
        most = fmaxf(most, sqrtf(kernels.dot_f32(row, row, dim)));
    }
    for (int i = 0; i < m->vocab && !rc; i++) {
        if (to[i] < 0) continue;
        nn_scale(m->row + (size_t)i * dim, 64 / most, dim);
        quant_encode(QUANT_Q8_0, m->row + (size_t)i * dim, dim, q);
        rc = gguf_write(w, q, bytes, err);
    }
    free(q);
    return rc;
}

static int write_table(struct making *m, const char *path, struct err *err)
{
    struct gguf_array tokens = { 0 };
    size_t vocab = (size_t)m->vocab;
    struct span *token = malloc(vocab * sizeof *token);
    int32_t *to = malloc(vocab * sizeof *to), *type = malloc(vocab * sizeof *type);
    struct gguf_writer *w = NULL;
    int rc = 0, n = 0;
    if (!token || !to || !type) {
        rc = err_nomem(err);
        goto out;
    }
    if (!gguf_array(m->g, "tokenizer.ggml.tokens", &tokens) || tokens.n != vocab)
        rc = err_set(err, ERR_PARSE, "%s: tokenizer.ggml.tokens is missing", m->o->teacher);
    for (size_t i = 0; i < vocab && !rc; i++) {
        struct span s = gguf_array_str(&tokens, i);
        to[i] = left_out(s) ? -1 : n;
        if (to[i] < 0) continue;
        type[n] = (int32_t)i == tokenizer_unk(m->tok)     ? 2
                  : tokenizer_special(m->tok, (int32_t)i) ? 3
                                                          : 1;
        token[n++] = s;
    }
    if (!rc) rc = gguf_create(path, &w, err);
    if (!rc) {
        put_keys(m, w, token, type, n, to);
        gguf_declare(w, "token_embd.weight", QUANT_Q8_0, 2,
                     (uint64_t[]){ (uint64_t)m->dim, (uint64_t)n });
        rc = write_rows(m, w, to, err);
        if (rc) gguf_abandon(w);
        else rc = gguf_finish(w, err);
    }
out:
    m->r->vocab = n;
    m->r->dim = m->dim;
    m->r->bytes = io_file_size(path);
    free(token);
    free(to);
    free(type);
    return rc;
}

/* ---- how good it is ---- */

/* made: [n, dim] vectors of the first n texts by the rows as they are. */
static void by_rows(const struct making *m, const struct distill_texts *t, size_t n, float *made)
{
    size_t dim = (size_t)m->dim;
    for (size_t i = 0; i < n; i++) {
        float *v = made + i * dim;
        memset(v, 0, dim * sizeof *v);
        for (size_t k = t->at[i]; k < t->at[i + 1]; k++)
            kernels.axpy_f32(v, 1, m->row + (size_t)t->ids[k] * dim, dim);
        to_unit(v, dim);
    }
}

static int by_file(const struct making *m, const struct distill_texts *x, size_t n, float *made,
                   struct err *err)
{
    struct gguf *g = NULL;
    struct static_table *t = NULL;
    int rc = gguf_open(m->o->out, &g, err);
    if (!rc) rc = static_table_open(g, &t, err);
    for (size_t i = 0; i < n && !rc; i++)
        if (static_table_text(t, x->line[i].p, x->line[i].n, made + i * (size_t)m->dim))
            rc = err_nomem(err);
    static_table_close(t);
    gguf_close(g);
    return rc;
}

/* Ranks and cosines of the first texts of t. written: by the file, else by the rows. */
static int compare(struct making *m, const struct distill_texts *t, bool written, double *rank,
                   struct err *err)
{
    size_t n = t->n < COMPARED ? t->n : COMPARED, dim = (size_t)m->dim, wide = (size_t)m->wide;
    if (!n) return 0;
    float *made = malloc(n * dim * sizeof *made), *said = malloc(n * wide * sizeof *said);
    float *less = malloc(n * dim * sizeof *less);
    double sum = 0;
    int rc = 0;
    if (!made || !said || !less) {
        rc = err_nomem(err);
        goto out;
    }
    if (written) rc = by_file(m, t, n, made, err);
    else by_rows(m, t, n, made);
    for (size_t i = 0; i < n && !rc; i++) {
        wide_of(t, i, said + i * wide);
        reduce(m, said + i * wide, less + i * dim);
        to_unit(less + i * dim, dim);
        sum += (double)kernels.dot_f32(less + i * dim, made + i * dim, dim);
    }
    if (!rc) *rank = fit_spearman(made, m->dim, said, m->wide, n);
    if (!rc && written) m->r->spearman_reduced = fit_spearman(less, m->dim, said, m->wide, n);
    if (written) m->r->cosine = sum / (double)n;
out:
    free(made);
    free(said);
    free(less);
    return rc;
}

static int fit(struct making *m, struct err *err)
{
    struct fit f = { .dim = m->dim,
                     .vocab = m->vocab,
                     .row = m->row,
                     .n = m->train.n + (size_t)m->vocab,
                     .ids = m->ids,
                     .at = m->at,
                     .target = m->target,
                     .epochs = m->o->epochs ? m->o->epochs : EPOCHS,
                     .rate = m->o->rate > 0 ? m->o->rate : RATE,
                     .gram = m->o->gram >= 0 ? m->o->gram : GRAM,
                     .seed = 1 };
    return fit_run(&f, m->p, err);
}

int distill(const struct distill_opts *o, struct distill_report *r, struct progress *p,
            struct err *err)
{
    struct making m = { .o = o, .r = r, .p = p };
    memset(r, 0, sizeof *r);
    m.train.bytes = m.held.bytes = BUF_INIT((size_t)1 << 30);
    int rc = open_teacher(&m, err);
    if (!rc) rc = read_texts(&m, err);
    if (!rc && o->out) {
        rc = find_basis(&m, err);
        if (!rc) rc = begin_rows(&m, err);
        if (!rc) rc = compare(&m, &m.held, false, &r->spearman_first, err);
        if (!rc) rc = fit(&m, err);
        if (!rc) rc = compare(&m, &m.train, false, &r->spearman_fitted, err);
        if (!rc) rc = write_table(&m, o->out, err);
        if (!rc) rc = compare(&m, &m.held, true, &r->spearman, err);
    }
    distill_texts_free(&m.train);
    distill_texts_free(&m.held);
    free(m.basis);
    free(m.row);
    free(m.target);
    free(m.ids);
    free(m.at);
    encoder_close(m.teacher);
    gguf_close(m.g);
    return rc;
}
