/* The tensors of a folder under their GGUF names, in file order of the convention.
 *
 * A table per form says which name becomes which; %d is the layer. What is computed on the way:
 *   rotated pairs  LLaMA's q and k: GGUF has the two numbers of a rotated pair side by side, the
 *                  folder has them half a head apart; rows change places
 *   plus one       Gemma stores norms as their difference from 1
 *   skipped rows   XLM-RoBERTa counts positions from pad + 1; rows before are never used
 *   rope_freqs     LLaMA 3.1's stretched wavelengths, as divisors of the frequencies
 * Vectors become f32; matrices keep their type or get that of the mix. */
#include "base/str.h"
#include "model/hf_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (4u << 20) /* numbers converted at a time, about */

enum { OPTIONAL = 1, PAIRS = 2, POSITIONS = 4 };

struct rule {
    const char *hf, *gguf;
    int flags;
    char rows, cols; /* d: dim, f: ff, q: all heads, k: kv heads, v: vocab, h: head, 3: 3 dim, */
                     /* p: positions, t: token types (any); 1: a vector */
};

static const struct rule decoder_rules[] = {
    { "model.embed_tokens.weight", "token_embd.weight", 0, 'v', 'd' },
    { "model.norm.weight", "output_norm.weight", 0, '1', 'd' },
    { "lm_head.weight", "output.weight", OPTIONAL, 'v', 'd' },
    { "model.layers.%d.input_layernorm.weight", "blk.%d.attn_norm.weight", 0, '1', 'd' },
    { "model.layers.%d.self_attn.q_proj.weight", "blk.%d.attn_q.weight", PAIRS, 'q', 'd' },
    { "model.layers.%d.self_attn.k_proj.weight", "blk.%d.attn_k.weight", PAIRS, 'k', 'd' },
    { "model.layers.%d.self_attn.v_proj.weight", "blk.%d.attn_v.weight", 0, 'k', 'd' },
    { "model.layers.%d.self_attn.o_proj.weight", "blk.%d.attn_output.weight", 0, 'd', 'q' },
    { "model.layers.%d.self_attn.q_proj.bias", "blk.%d.attn_q.bias", OPTIONAL | PAIRS, '1', 'q' },
    { "model.layers.%d.self_attn.k_proj.bias", "blk.%d.attn_k.bias", OPTIONAL | PAIRS, '1', 'k' },
    { "model.layers.%d.self_attn.v_proj.bias", "blk.%d.attn_v.bias", OPTIONAL, '1', 'k' },
    { "model.layers.%d.self_attn.q_norm.weight", "blk.%d.attn_q_norm.weight", OPTIONAL, '1', 'h' },
    { "model.layers.%d.self_attn.k_norm.weight", "blk.%d.attn_k_norm.weight", OPTIONAL, '1', 'h' },
    { "model.layers.%d.mlp.gate_proj.weight", "blk.%d.ffn_gate.weight", 0, 'f', 'd' },
    { "model.layers.%d.mlp.up_proj.weight", "blk.%d.ffn_up.weight", 0, 'f', 'd' },
    { "model.layers.%d.mlp.down_proj.weight", "blk.%d.ffn_down.weight", 0, 'd', 'f' },
    { NULL, NULL, 0, 0, 0 },
};
static const struct rule two_norms[] = {
    { "model.layers.%d.post_attention_layernorm.weight", "blk.%d.ffn_norm.weight", 0, '1', 'd' },
    { NULL, NULL, 0, 0, 0 },
};
static const struct rule four_norms[] = {
    { "model.layers.%d.post_attention_layernorm.weight", "blk.%d.post_attention_norm.weight", 0,
      '1', 'd' },
    { "model.layers.%d.pre_feedforward_layernorm.weight", "blk.%d.ffn_norm.weight", 0, '1', 'd' },
    { "model.layers.%d.post_feedforward_layernorm.weight", "blk.%d.post_ffw_norm.weight", 0, '1',
      'd' },
    { NULL, NULL, 0, 0, 0 },
};

#define LINEAR(hf, gguf, rows, cols)                                                               \
    { hf ".weight", gguf ".weight", 0, rows, cols },                                               \
    {                                                                                              \
        hf ".bias", gguf ".bias", OPTIONAL, '1', rows                                              \
    }
#define NORM(hf, gguf)                                                                             \
    { hf ".weight", gguf ".weight", 0, '1', 'd' }, { hf ".bias", gguf ".bias", OPTIONAL, '1', 'd' }

static const struct rule bert_rules[] = {
    { "embeddings.word_embeddings.weight", "token_embd.weight", 0, 'v', 'd' },
    { "embeddings.position_embeddings.weight", "position_embd.weight", POSITIONS, 'p', 'd' },
    { "embeddings.token_type_embeddings.weight", "token_types.weight", OPTIONAL, 't', 'd' },
    NORM("embeddings.LayerNorm", "token_embd_norm"),
    LINEAR("encoder.layer.%d.attention.self.query", "blk.%d.attn_q", 'd', 'd'),
    LINEAR("encoder.layer.%d.attention.self.key", "blk.%d.attn_k", 'd', 'd'),
    LINEAR("encoder.layer.%d.attention.self.value", "blk.%d.attn_v", 'd', 'd'),
    LINEAR("encoder.layer.%d.attention.output.dense", "blk.%d.attn_output", 'd', 'd'),
    NORM("encoder.layer.%d.attention.output.LayerNorm", "blk.%d.attn_output_norm"),
    LINEAR("encoder.layer.%d.intermediate.dense", "blk.%d.ffn_up", 'f', 'd'),
    LINEAR("encoder.layer.%d.output.dense", "blk.%d.ffn_down", 'd', 'f'),
    NORM("encoder.layer.%d.output.LayerNorm", "blk.%d.layer_output_norm"),
    { NULL, NULL, 0, 0, 0 },
};
static const struct rule nomic_rules[] = {
    { "embeddings.word_embeddings.weight", "token_embd.weight", 0, 'v', 'd' },
    { "embeddings.token_type_embeddings.weight", "token_types.weight", OPTIONAL, 't', 'd' },
    NORM("emb_ln", "token_embd_norm"),
    LINEAR("encoder.layers.%d.attn.Wqkv", "blk.%d.attn_qkv", '3', 'd'),
    LINEAR("encoder.layers.%d.attn.out_proj", "blk.%d.attn_output", 'd', 'd'),
    NORM("encoder.layers.%d.norm1", "blk.%d.attn_output_norm"),
    LINEAR("encoder.layers.%d.mlp.fc11", "blk.%d.ffn_up", 'f', 'd'),
    LINEAR("encoder.layers.%d.mlp.fc12", "blk.%d.ffn_gate", 'f', 'd'),
    LINEAR("encoder.layers.%d.mlp.fc2", "blk.%d.ffn_down", 'd', 'f'),
    NORM("encoder.layers.%d.norm2", "blk.%d.layer_output_norm"),
    { NULL, NULL, 0, 0, 0 },
};

struct job { /* one tensor to be written */
    const struct st_tensor *t;
    char name[64];
    enum quant type;
    uint64_t rows, cols, skip; /* skip: rows of t that are left out in front */
    int head;                  /* rows of a head whose halves are interleaved; 0: as they are */
    bool plus_one;
};

struct plan {
    const struct hf_config *c;
    const struct safetensors *s;
    const struct quantize_mix *mix;
    const char *what, *prefix; /* of the folder's tensor names */
    struct job *jobs;
    size_t n, cap;
    uint64_t total;
    bool *used; /* by tensor of s */
    struct err *err;
};

/* ---- planning ---- */

static uint64_t size_of(const struct hf_config *c, char code)
{
    switch (code) {
    case 'd': return (uint64_t)c->dim;
    case 'f': return (uint64_t)c->ff;
    case 'q': return (uint64_t)c->heads * (uint64_t)c->head_dim;
    case 'k': return (uint64_t)c->heads_kv * (uint64_t)c->head_dim;
    case 'h': return (uint64_t)c->head_dim;
    case 'v': return (uint64_t)c->vocab;
    case '3': return 3 * (uint64_t)c->dim;
    case 'p': return (uint64_t)c->context + (uint64_t)c->position_offset;
    default: return 1;
    }
}

/* The same model may or may not have the name of an outer class in front. The last one makes
 * "model.language_model.norm.weight" of "model.norm.weight". */
static const char *find_prefix(const struct safetensors *s, const char *probe)
{
    static const char *const tries[] = { "",         "language_model.", "bert.",
                                         "roberta.", "model.",          "model.language_" };
    char name[256];
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        snprintf(name, sizeof name, "%s%s", tries[i], probe);
        if (safetensors_find(s, name)) return tries[i];
    }
    return "";
}

static struct job *new_job(struct plan *p)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        struct job *more = realloc(p->jobs, cap * sizeof *more);
        if (!more) return NULL;
        p->jobs = more, p->cap = cap;
    }
    p->jobs[p->n] = (struct job){ 0 };
    return &p->jobs[p->n++];
}

static int check_shape(struct plan *p, const struct rule *r, const struct st_tensor *t)
{
    uint64_t rows = size_of(p->c, r->rows), cols = size_of(p->c, r->cols);
    int want = r->rows == '1' ? 1 : 2;
    uint64_t have_rows = want == 1 ? 1 : t->dim[0], have_cols = want == 1 ? t->dim[0] : t->dim[1];
    if (!t->readable)
        return err_set(p->err, ERR_INVAL, "%s: tensor \"%s\" is not F32, F16 or BF16", p->what,
                       t->name);
    if (r->rows == 't' && have_rows >= 1) rows = have_rows;
    if (t->n_dims == want && have_rows == rows && have_cols == cols) return 0;
    return err_set(p->err, ERR_PARSE,
                   "%s: tensor \"%s\" is %llu x %llu, but config.json makes it %llu x %llu",
                   p->what, t->name, (unsigned long long)have_rows, (unsigned long long)have_cols,
                   (unsigned long long)rows, (unsigned long long)cols);
}

static int plan_one(struct plan *p, const struct rule *r, int layer)
{
    char hf[160], tail[128], name[64];
    snprintf(tail, sizeof tail, r->hf, layer);
    snprintf(hf, sizeof hf, "%s%s", p->prefix, tail);
    snprintf(name, sizeof name, r->gguf, layer);
    const struct st_tensor *t = safetensors_find(p->s, hf);
    bool head = !strcmp(name, "output.weight"), embed = !strcmp(name, "token_embd.weight");
    if (head && p->c->tied) return 0;
    /* Tied weights are stored once, under either name. */
    if (!t && (head || (embed && p->c->tied))) t = safetensors_find(p->s, "lm_head.weight");
    if (!t && r->flags & OPTIONAL) return 0;
    if (!t) return err_set(p->err, ERR_PARSE, "%s has no tensor \"%s\"", p->what, hf);
    int rc = check_shape(p, r, t);
    if (rc) return rc;
    struct job *j = new_job(p);
    if (!j) return err_nomem(p->err);
    snprintf(j->name, sizeof j->name, "%s", name);
    j->t = t;
    j->skip = r->flags & POSITIONS ? (uint64_t)p->c->position_offset : 0;
    j->rows = r->rows == '1' ? 0 : t->dim[0] - j->skip;
    j->cols = r->rows == '1' ? t->dim[0] : t->dim[1];
    j->head = r->flags & PAIRS && p->c->family->rotate_pairs ? p->c->head_dim : 0;
    j->plus_one = p->c->family->norm_plus_one && str_ends(name, "norm.weight");
    j->type = t->type;
    if (r->rows == '1' || r->rows == 't' || r->rows == 'p') j->type = QUANT_F32;
    else if (p->mix)
        j->type = quantize_type(p->mix, name, 2, j->cols, p->c->layers,
                                p->c->tied || p->c->family->form != HF_DECODER, t->type);
    p->total += t->bytes;
    p->used[t - safetensors_at(p->s, 0)] = true;
    return 0;
}

/* A tensor of a layer that no rule took would be missed in every forward pass. */
static int check_left_over(const struct plan *p)
{
    char layers[64];
    snprintf(layers, sizeof layers, "%s%s", p->prefix,
             p->c->family->form == HF_DECODER ? "model.layers." : "encoder.layer");
    for (size_t i = 0; i < safetensors_count(p->s); i++) {
        const struct st_tensor *t = safetensors_at(p->s, i);
        if (!p->used[i] && str_starts(t->name, layers) && !strstr(t->name, "rotary_emb.inv_freq"))
            return err_set(p->err, ERR_INVAL,
                           "%s: tensor \"%.80s\" has no place in a model of type %s", p->what,
                           t->name, p->c->family->model_type);
    }
    return 0;
}

/* Rules without a layer once, in front; then all others layer by layer. */
static int plan_rules(struct plan *p, const struct rule *rules, int layer)
{
    int rc = 0;
    for (const struct rule *r = rules; r->hf && !rc; r++)
        if ((strstr(r->hf, "%d") != NULL) == (layer >= 0)) rc = plan_one(p, r, layer);
    return rc;
}

static int plan_all(struct plan *p)
{
    const struct hf_family *f = p->c->family;
    const struct rule *rules = f->form == HF_DECODER ? decoder_rules
                               : f->form == HF_BERT  ? bert_rules
                                                     : nomic_rules;
    const struct rule *norms = f->four_norms ? four_norms : two_norms;
    char probe[96];
    snprintf(probe, sizeof probe, "%s",
             f->form == HF_DECODER ? "model.norm.weight" : "embeddings.word_embeddings.weight");
    p->prefix = find_prefix(p->s, probe);
    int rc = plan_rules(p, rules, -1);
    for (int l = 0; l < p->c->layers && !rc; l++) {
        rc = plan_rules(p, rules, l);
        if (!rc && f->form == HF_DECODER) rc = plan_rules(p, norms, l);
    }
    return rc ? rc : check_left_over(p);
}

/* ---- writing ---- */

/* Row r of the result is this row of the source. */
static uint64_t source_row(const struct job *j, uint64_t r)
{
    if (!j->head) return r + j->skip;
    uint64_t head = (uint64_t)j->head, in = r % head;
    return r - in + in / 2 + in % 2 * (head / 2);
}

/* A vector: f32, a handful of numbers. */
static int write_vector(struct gguf_writer *w, const struct job *j, struct err *err)
{
    size_t n = (size_t)j->cols;
    float *x = malloc(2 * n * sizeof *x), *y = x ? x + n : NULL;
    if (!x) return err_nomem(err);
    quant_decode(j->t->type, j->t->data, n, x);
    for (size_t i = 0; i < n; i++) y[i] = x[source_row(j, i)] + (j->plus_one ? 1 : 0);
    int rc = gguf_write(w, y, n * sizeof *y, err);
    free(x);
    return rc;
}

static int write_matrix(struct gguf_writer *w, const struct job *j, struct err *err)
{
    size_t cols = (size_t)j->cols, rows = (size_t)j->rows;
    size_t in = quant_row_bytes(j->t->type, cols), out = quant_row_bytes(j->type, cols);
    size_t each = PIECE / cols ? PIECE / cols : 1;
    if (each > rows) each = rows;
    char *from = malloc(each * in + 1), *to = malloc(each * out + 1);
    int rc = 0;
    if (!from || !to) {
        rc = err_nomem(err);
        goto out;
    }
    for (size_t r = 0; r < rows && !rc; r += each) {
        size_t n = rows - r < each ? rows - r : each;
        for (size_t i = 0; i < n; i++)
            memcpy(from + i * in, (const char *)j->t->data + source_row(j, r + i) * in, in);
        rc = quantize_rows(j->t->type, from, j->type, to, n, cols, err);
        if (!rc) rc = gguf_write(w, to, n * out, err);
    }
out:
    free(from);
    free(to);
    return rc;
}

/* See read_rope in arch.c, and LLaMA 3.1's model card. Empty unless the scaling is llama3's. */
static int rope_factors(const struct hf_config *c, float *out)
{
    int n = c->rope_type && !strcmp(c->rope_type, "llama3") ? c->head_dim / 2 : 0;
    for (int i = 0; i < n; i++) {
        double wave = 2 * M_PI * pow(c->rope_base, 2.0 * i / c->head_dim);
        double blend = (c->rope_context / wave - c->low_freq) / (c->high_freq - c->low_freq);
        blend = fmin(fmax(blend, 0), 1);
        out[i] = (float)(1 / ((1 - blend) / c->rope_factor + blend));
    }
    return n;
}

int hf_tensors(struct gguf_writer *w, const struct hf_config *c, const struct safetensors *s,
               const struct quantize_mix *mix, const char *what, const struct progress *progress,
               struct err *err)
{
    struct plan p = { .c = c, .s = s, .mix = mix, .what = what, .err = err };
    float factors[512];
    int n = rope_factors(c, factors), rc = 0;
    uint64_t done = 0;
    p.used = calloc(safetensors_count(s) + 1, sizeof *p.used);
    rc = p.used ? plan_all(&p) : err_nomem(err);
    if (rc) goto out;
    if (n) gguf_declare(w, "rope_freqs.weight", QUANT_F32, 1, &(uint64_t){ (uint64_t)n });
    for (size_t i = 0; i < p.n; i++) {
        uint64_t dim[2] = { p.jobs[i].cols, p.jobs[i].rows };
        gguf_declare(w, p.jobs[i].name, p.jobs[i].type, p.jobs[i].rows ? 2 : 1, dim);
    }
    if (n) rc = gguf_write(w, factors, (size_t)n * sizeof *factors, err);
    for (size_t i = 0; i < p.n && !rc; i++) {
        const struct job *j = &p.jobs[i];
        rc = j->rows ? write_matrix(w, j, err) : write_vector(w, j, err);
        safetensors_done_with(s, j->t);
        done += j->t->bytes;
        if (!rc && (rc = progress_tick(progress, "import", done, p.total, "bytes")))
            err_set(err, rc, "cancelled");
    }
out:
    free(p.used);
    free(p.jobs);
    return rc;
}

uint32_t hf_file_type(const struct safetensors *s, const struct quantize_mix *mix)
{
    size_t bytes[3] = { 0 };
    if (mix) return mix->file_type;
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct st_tensor *t = safetensors_at(s, i);
        if (t->readable) bytes[t->type == QUANT_F32 ? 0 : t->type == QUANT_F16 ? 1 : 2] += t->bytes;
    }
    if (bytes[0] >= bytes[1] && bytes[0] >= bytes[2]) return 0;
    return bytes[1] >= bytes[2] ? 1 : 32;
}
