/* From a GGUF file to an encoder: which tensors there are, whether their shapes fit, the scratch
 * for one batch. Names are those of ggml's converters: blk.0.attn_q.weight and so on. Matrices keep
 * the file's type, or become Q8_0 where the caller wants speed; biases, norms and token types are
 * decoded to f32. */
#include "base/arena.h"
#include "base/str.h"
#include "base/threads.h"
#include "kernels/nn.h"
#include "model/encoder_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX    1024 /* what attention takes */
#define MAX_DIM     8192
#define MAX_FF      65536
#define MAX_LAYERS  256
#define MAX_CONTEXT 32768
#define MAX_ROWS    1024

enum how {
    AS_IN_FILE,
    PACKED,
    MADE_Q8
}; /* tables; as the file has it; Q8_0 if that is asked for */

struct load {
    const struct gguf *g;
    struct encoder *e;
    bool q8;
    int rc; /* sticky: the first failure */
    struct err *err;
};

static const struct gguf_tensor *find(struct load *l, bool must, const char *fmt, va_list ap)
{
    char name[96];
    vsnprintf(name, sizeof name, fmt, ap);
    const struct gguf_tensor *t = l->rc ? NULL : gguf_tensor(l->g, name);
    if (!t && must && !l->rc)
        l->rc = err_set(l->err, ERR_PARSE, "%s: there is no tensor \"%s\"", gguf_path(l->g), name);
    return t;
}

static bool shape_is(struct load *l, const struct gguf_tensor *t, int cols, int rows)
{
    if (t->dim[0] == (uint64_t)cols && t->dim[1] == (uint64_t)rows && t->dim[2] == 1 &&
        t->dim[3] == 1)
        return true;
    l->rc = err_set(l->err, ERR_PARSE, "%s: tensor \"%.*s\" is %llu x %llu, not %d x %d",
                    gguf_path(l->g), (int)t->name.n, t->name.p, (unsigned long long)t->dim[0],
                    (unsigned long long)t->dim[1], cols, rows);
    return false;
}

/* [n] f32, or NULL when it is absent and need not be there. */
static float *vector(struct load *l, int n, bool must, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const struct gguf_tensor *t = find(l, must, fmt, ap);
    va_end(ap);
    if (!t || !shape_is(l, t, n, 1)) return NULL;
    float *v = arena_alloc(l->e->vectors, (size_t)n * sizeof *v);
    if (v) quant_decode(t->type, t->data, (size_t)n, v);
    else l->rc = err_nomem(l->err);
    return v;
}

/* data of t, made Q8_0 in memory of our own. */
static const void *as_q8(struct load *l, const struct gguf_tensor *t)
{
    size_t cols = t->dim[0], row = quant_row_bytes(QUANT_Q8_0, cols);
    size_t in = quant_row_bytes(t->type, cols);
    struct encoder *e = l->e;
    char *made = NULL;
    float *x = malloc(cols * sizeof *x);
    if (e->n_made < e->cap_made) made = malloc(row * t->dim[1]);
    if (!x || !made) {
        free(x);
        free(made);
        l->rc = err_nomem(l->err);
        return NULL;
    }
    for (size_t r = 0; r < t->dim[1]; r++) {
        const char *from = (const char *)t->data + r * in;
        if (quant_only_read(t->type)) {
            quant_as_q8_0(t->type, from, cols, made + r * row);
            continue;
        }
        quant_decode(t->type, from, cols, x);
        quant_encode(QUANT_Q8_0, x, cols, made + r * row);
    }
    free(x);
    return e->made[e->n_made++] = made;
}

/* Look-up tables stay as they are in the file; the others are multiplied with and are packed. */
static void matrix(struct load *l, struct mat *m, int rows, int cols, enum how how, bool must,
                   const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const struct gguf_tensor *t = find(l, must, fmt, ap);
    va_end(ap);
    if (!t || !shape_is(l, t, cols, rows)) return;
    enum quant type = t->type;
    const void *data = t->data;
    bool is_float = type == QUANT_F32 || type == QUANT_F16 || type == QUANT_BF16;
    if (quant_only_read(type) ||
        (l->q8 && how == MADE_Q8 && is_float && cols % quant_block(QUANT_Q8_0) == 0)) {
        type = QUANT_Q8_0;
        data = as_q8(l, t);
    }
    if (!l->rc) l->rc = mat_init(m, type, rows, cols, data, l->err);
    if (!l->rc && how != AS_IN_FILE) l->rc = mat_pack(m, l->err);
    if (l->rc) return;
    if (data != t->data && mat_packed(m)) { /* the copy has served */
        struct encoder *e = l->e;
        free(e->made[--e->n_made]);
        m->data = NULL;
    }
    if (data == t->data && mat_packed(m)) gguf_done_with(l->g, t->data, t->bytes);
    l->e->facts.weight_bytes +=
        m->packed ? m->packed_bytes : quant_row_bytes(type, (size_t)cols) * (size_t)rows;
}

static const struct gguf_tensor *find_in_layer(struct load *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const struct gguf_tensor *t = find(l, false, fmt, ap);
    va_end(ap);
    return t;
}

/* Were these floats in the file, and are Q8_0 now? */
static bool lost_floats(const struct gguf_tensor *t, const struct mat *m)
{
    return t && t->type != m->type && !quant_only_read(t->type);
}

static void load_layer(struct load *l, int i)
{
    struct encoder_layer *y = &l->e->layers[i];
    int dim = l->e->facts.dim, ff = l->e->facts.ff;
    bool last = i == l->e->facts.layers - 1; /* what its values lose is not mended by any other */
    matrix(l, &y->qkv, 3 * dim, dim, MADE_Q8, false, "blk.%d.attn_qkv.weight", i);
    y->bqkv = vector(l, 3 * dim, false, "blk.%d.attn_qkv.bias", i);
    if (!y->qkv.rows) {
        matrix(l, &y->q, dim, dim, MADE_Q8, true, "blk.%d.attn_q.weight", i);
        matrix(l, &y->k, dim, dim, MADE_Q8, true, "blk.%d.attn_k.weight", i);
        matrix(l, &y->v, dim, dim, last ? PACKED : MADE_Q8, true, "blk.%d.attn_v.weight", i);
        const struct gguf_tensor *in_file = find_in_layer(l, "blk.%d.attn_v.weight", i);
        if (lost_floats(in_file, &y->v))
            matrix(l, &y->v_exact, dim, dim, PACKED, true, "blk.%d.attn_v.weight", i);
        const float *q = vector(l, dim, false, "blk.%d.attn_q.bias", i);
        const float *k = vector(l, dim, false, "blk.%d.attn_k.bias", i);
        const float *v = vector(l, dim, false, "blk.%d.attn_v.bias", i);
        size_t bytes = (size_t)dim * sizeof(float);
        if (q || k || v) y->bqkv = arena_alloc(l->e->vectors, 3 * bytes); /* zeroed */
        if ((q || k || v) && !y->bqkv && !l->rc) l->rc = err_nomem(l->err);
        if (y->bqkv && q) memcpy(y->bqkv, q, bytes);
        if (y->bqkv && k) memcpy(y->bqkv + dim, k, bytes);
        if (y->bqkv && v) memcpy(y->bqkv + 2 * dim, v, bytes);
    }
    matrix(l, &y->out, dim, dim, MADE_Q8, true, "blk.%d.attn_output.weight", i);
    y->bout = vector(l, dim, false, "blk.%d.attn_output.bias", i);
    y->attn_norm_w = vector(l, dim, true, "blk.%d.attn_output_norm.weight", i);
    y->attn_norm_b = vector(l, dim, false, "blk.%d.attn_output_norm.bias", i);
    matrix(l, &y->gate, ff, dim, MADE_Q8, false, "blk.%d.ffn_gate.weight", i);
    matrix(l, &y->up, ff, dim, MADE_Q8, true, "blk.%d.ffn_up.weight", i);
    y->bup = vector(l, ff, false, "blk.%d.ffn_up.bias", i);
    matrix(l, &y->down, dim, ff, MADE_Q8, true, "blk.%d.ffn_down.weight", i);
    y->bdown = vector(l, dim, false, "blk.%d.ffn_down.bias", i);
    const struct gguf_tensor *up = find_in_layer(l, "blk.%d.ffn_up.weight", i);
    if (lost_floats(up, &y->up) && !y->gate.rows) { /* keep them at hand */
        matrix(l, &y->up_exact, ff, dim, AS_IN_FILE, true, "blk.%d.ffn_up.weight", i);
        matrix(l, &y->down_exact, dim, ff, AS_IN_FILE, true, "blk.%d.ffn_down.weight", i);
    }
    y->out_norm_w = vector(l, dim, true, "blk.%d.layer_output_norm.weight", i);
    y->out_norm_b = vector(l, dim, false, "blk.%d.layer_output_norm.bias", i);
    if (!l->rc) l->e->facts.type = y->up.type;
}

static void load_layers(struct load *l)
{
    struct encoder *e = l->e;
    e->layers = calloc((size_t)e->facts.layers, sizeof *e->layers);
    if (!e->layers) {
        l->rc = err_nomem(l->err);
        return;
    }
    for (int i = 0; i < e->facts.layers && !l->rc; i++) load_layer(l, i);
}

/* A whole number of the file's architecture, within 1 .. most. */
static int number(struct load *l, const char *key, int most)
{
    char full[96];
    uint32_t v = 0;
    snprintf(full, sizeof full, "%s.%s", l->e->facts.arch, key);
    if (l->rc || (l->rc = gguf_u32(l->g, full, &v, l->err))) return 1;
    if (v < 1 || v > (uint32_t)most) {
        l->rc =
            err_set(l->err, ERR_PARSE, "%s: %s is %u; 1 to %d go", gguf_path(l->g), full, v, most);
        return 1;
    }
    return (int)v;
}

static float real(struct load *l, const char *key, float def)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", l->e->facts.arch, key);
    return gguf_f32_or(l->g, full, def);
}

/* What the makers of a model ask to be put before texts; a file may say so itself. */
static void set_prefixes(struct load *l)
{
    static const struct {
        const char *part, *passage, *query; /* part of general.name, case ignored */
    } known[] = {
        { "e5", "passage: ", "query: " },
        { "nomic-embed", "search_document: ", "search_query: " },
        { "bge-small-en", "", "Represent this sentence for searching relevant passages: " },
        { "bge-base-en", "", "Represent this sentence for searching relevant passages: " },
        { "bge-large-en", "", "Represent this sentence for searching relevant passages: " },
    };
    struct encoder_facts *f = &l->e->facts;
    const char *def[2] = { "", "" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!span_ifind(span_of(f->name), known[i].part)) continue;
        def[ENCODER_PASSAGE] = known[i].passage, def[ENCODER_QUERY] = known[i].query;
        break;
    }
    struct span p = gguf_str_or(l->g, "likeness.embed.passage_prefix", def[ENCODER_PASSAGE]);
    struct span q = gguf_str_or(l->g, "likeness.embed.query_prefix", def[ENCODER_QUERY]);
    snprintf(f->prefix[ENCODER_PASSAGE], sizeof f->prefix[0], "%.*s", p.n < 95 ? (int)p.n : 95,
             p.p);
    snprintf(f->prefix[ENCODER_QUERY], sizeof f->prefix[0], "%.*s", q.n < 95 ? (int)q.n : 95, q.p);
}

static void load_facts(struct load *l)
{
    struct encoder *e = l->e;
    struct encoder_facts *f = &e->facts;
    struct span arch = gguf_str_or(l->g, "general.architecture", "");
    f->arch = span_eq(arch, "bert") ? "bert" : span_eq(arch, "nomic-bert") ? "nomic-bert" : NULL;
    if (!f->arch) {
        l->rc = err_set(l->err, ERR_PARSE,
                        "%s is of the architecture \"%.*s\"; encoders are \"bert\" and "
                        "\"nomic-bert\"",
                        gguf_path(l->g), arch.n > 40 ? 40 : (int)arch.n, arch.p);
        return;
    }
    struct span name = gguf_str_or(l->g, "general.name", "");
    snprintf(f->name, sizeof f->name, "%.*s", name.n < 95 ? (int)name.n : 95, name.p);
    f->layers = number(l, "block_count", MAX_LAYERS);
    f->dim = number(l, "embedding_length", MAX_DIM);
    f->ff = number(l, "feed_forward_length", MAX_FF);
    f->heads = number(l, "attention.head_count", MAX_DIM);
    f->context = number(l, "context_length", MAX_CONTEXT);
    if (l->rc) return;
    if (f->dim / f->heads > HEAD_MAX)
        l->rc = err_set(l->err, ERR_PARSE, "%s: heads of %d numbers; at most %d go",
                        gguf_path(l->g), f->dim / f->heads, HEAD_MAX);
    if (!l->rc && (f->dim % f->heads || f->context < 8))
        l->rc = err_set(l->err, ERR_PARSE,
                        "%s: %d heads do not share %d numbers, or a context of "
                        "%d is too short",
                        gguf_path(l->g), f->heads, f->dim, f->context);
    char key[64];
    snprintf(key, sizeof key, "%s.pooling_type", f->arch);
    uint32_t pooling = gguf_u32_or(l->g, key, ENCODER_MEAN);
    if (pooling != ENCODER_MEAN && pooling != ENCODER_CLS && !l->rc)
        l->rc = err_set(l->err, ERR_PARSE, "%s: pooling %u is not known; mean is 1, CLS is 2",
                        gguf_path(l->g), pooling);
    f->pooling = (enum encoder_pooling)pooling;
    e->eps = real(l, "attention.layer_norm_epsilon", 1e-12f);
    snprintf(key, sizeof key, "%s.position_offset", f->arch);
    uint32_t offset = gguf_u32_or(l->g, key, 0);
    if (offset > 16 && !l->rc)
        l->rc = err_set(l->err, ERR_PARSE, "%s: %s is %u", gguf_path(l->g), key, offset);
    e->position_offset = (int)offset;
    set_prefixes(l);
}

static void load_embeddings(struct load *l)
{
    struct encoder *e = l->e;
    struct encoder_facts *f = &e->facts;
    if (!l->rc && !(l->rc = tokenizer_open(l->g, &e->tok, l->err))) {
        f->vocab = tokenizer_size(e->tok);
        e->cls = tokenizer_cls(e->tok) >= 0 ? tokenizer_cls(e->tok) : tokenizer_bos(e->tok);
        e->sep = tokenizer_sep(e->tok) >= 0 ? tokenizer_sep(e->tok) : tokenizer_eos(e->tok);
    }
    if (l->rc) return;
    if (e->cls < 0 || e->sep < 0 || e->cls >= f->vocab || e->sep >= f->vocab) {
        l->rc = err_set(l->err, ERR_PARSE, "%s: the tokenizer names no [CLS] or [SEP]",
                        gguf_path(l->g));
        return;
    }
    e->cap_made = (size_t)f->layers * 8 + 2;
    if (!(e->made = calloc(e->cap_made, sizeof *e->made))) {
        l->rc = err_nomem(l->err);
        return;
    }
    matrix(l, &e->token, f->vocab, f->dim, AS_IN_FILE, true, "token_embd.weight");
    const struct gguf_tensor *p = gguf_tensor(l->g, "position_embd.weight");
    const struct gguf_tensor *t = gguf_tensor(l->g, "token_types.weight");
    if (p && p->dim[1] <= MAX_CONTEXT) {
        matrix(l, &e->position, (int)p->dim[1], f->dim, AS_IN_FILE, true, "position_embd.weight");
        int room = e->position.rows - e->position_offset;
        if (room < f->context) f->context = room;
        if (!l->rc && room < 8)
            l->rc = err_set(l->err, ERR_PARSE, "%s: position_embd.weight has %d rows",
                            gguf_path(l->g), e->position.rows);
    } else if (!l->rc) {
        int half = f->dim / f->heads / 2;
        if (f->dim / f->heads % 2)
            l->rc = err_set(l->err, ERR_PARSE, "%s: heads of %d numbers cannot be turned",
                            gguf_path(l->g), f->dim / f->heads);
        else if (!(e->rope = arena_alloc(e->vectors, (size_t)f->context * (size_t)half * 8)))
            l->rc = err_nomem(l->err);
        else
            nn_rope_table(e->rope, f->context, 2 * half, real(l, "rope.freq_base", 10000), 1, NULL);
    }
    if (t && t->dim[0] == (uint64_t)f->dim && !l->rc) {
        if (!(e->type0 = arena_alloc(e->vectors, (size_t)f->dim * sizeof(float))))
            l->rc = err_nomem(l->err);
        else quant_decode(t->type, t->data, (size_t)f->dim, e->type0);
    }
    e->embed_norm_w = vector(l, f->dim, true, "token_embd_norm.weight");
    e->embed_norm_b = vector(l, f->dim, false, "token_embd_norm.bias");
}

int encoder_room(struct encoder *e, struct err *err)
{
    int threads = threads_count();
    if (threads <= e->scratch_threads) return 0;
    size_t bytes = attn_full_scratch_bytes(&e->shape, e->facts.context, threads);
    void *scratch = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!scratch) return err_nomem(err);
    free(e->scratch);
    e->scratch = scratch;
    e->scratch_threads = threads;
    return 0;
}

static void make_scratch(struct load *l, int max_rows)
{
    struct encoder *e = l->e;
    const struct encoder_facts *f = &e->facts;
    if (l->rc) return;
    if (max_rows <= 0) max_rows = MAX_ROWS;
    if (max_rows < f->context) max_rows = f->context;
    e->max_rows = max_rows;
    int head_dim = f->dim / f->heads;
    e->shape = (struct attn_shape){ .heads = f->heads,
                                    .heads_kv = f->heads,
                                    .head_dim = head_dim,
                                    .scale = 1 / sqrtf((float)head_dim),
                                    .type = QUANT_F32 };
    size_t n = (size_t)max_rows, dim = (size_t)f->dim, ff = (size_t)f->ff;
    bool gated = e->layers[0].gate.rows > 0;
    e->x = malloc(n * dim * sizeof(float));
    e->qkv = malloc(n * dim * 3 * sizeof(float));
    e->a = malloc(n * dim * sizeof(float));
    e->h = malloc(n * ff * sizeof(float));
    e->g = gated ? malloc(n * ff * sizeof(float)) : NULL;
    e->pooled = malloc(dim * sizeof(float));
    e->pos = malloc(n * sizeof(int));
    e->len = malloc(n * sizeof(int));
    e->row_id = malloc(n * sizeof(int32_t));
    if (!e->x || !e->qkv || !e->a || !e->h || (gated && !e->g) || !e->pooled || !e->pos ||
        !e->len || !e->row_id)
        l->rc = err_nomem(l->err);
    if (!l->rc) l->rc = encoder_room(e, l->err);
    if (!l->rc) l->rc = acts_init(&e->acts, max_rows, f->ff > f->dim ? f->ff : f->dim, l->err);
}

int encoder_open(const struct gguf *g, const struct encoder_opts *o, struct encoder **out,
                 struct err *err)
{
    struct encoder *e = calloc(1, sizeof *e);
    *out = NULL;
    if (!e) return err_nomem(err);
    struct load l = { .g = g, .e = e, .q8 = o->q8, .err = err };
    pthread_mutex_init(&e->busy, NULL);
    e->text = BUF_INIT(0);
    if (!(e->vectors = arena_new(0))) l.rc = err_nomem(err);
    if (!l.rc) load_facts(&l);
    if (!l.rc) load_embeddings(&l);
    if (!l.rc) load_layers(&l);
    make_scratch(&l, o->max_rows);
    if (l.rc) encoder_close(e);
    else *out = e;
    return l.rc;
}

void encoder_close(struct encoder *e)
{
    if (!e) return;
    for (int i = 0; e->layers && i < e->facts.layers; i++) {
        struct encoder_layer *y = &e->layers[i];
        struct mat *all[] = { &y->q,  &y->k,    &y->v,       &y->qkv,      &y->out,       &y->gate,
                              &y->up, &y->down, &y->v_exact, &y->up_exact, &y->down_exact };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) mat_clear(all[j]);
    }
    mat_clear(&e->token);
    mat_clear(&e->position);
    for (size_t i = 0; i < e->n_made; i++) free(e->made[i]);
    acts_clear(&e->acts);
    void *blocks[] = { e->layers, e->made, e->x,   e->qkv,    e->a,       e->h,   e->g,
                       e->pooled, e->pos,  e->len, e->row_id, e->scratch, e->ids, e->windows };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    buf_free(&e->text);
    tokenizer_close(e->tok);
    arena_free(e->vectors);
    pthread_mutex_destroy(&e->busy);
    free(e);
}
