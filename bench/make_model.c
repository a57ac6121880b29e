/* See make_model.h. Quantised blocks are filled directly: random codes under scales chosen so that
 * weights have mean 0 and a deviation of 1 / sqrt(columns), which keeps activations of all layers
 * in the range of a trained model. So a file of 1 GB takes a second or two, not the minutes that
 * encoding would.
 *
 * The vocabulary of decoders: the 256 byte letters of GPT-2, then words over a to z and the space
 * mark, shortest first, each a merge of the word without its last letter and that letter; then the
 * special tokens of the family. That of encoders: the special tokens where BERT has them, then
 * words and endings in the same order. */
#include "make_model.h"

#include "base/str.h"
#include "model/gguf.h"
#include "model/quantize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    const char *name, *title, *arch;
    int dim, layers, heads, heads_kv, ff, vocab, context;
    float rope_base, eps;
    int pooling; /* of encoders */
    const char *pre, *prefix;
};

static const struct shape shapes[] = {
    { "llama-1b", "Llama 3.2 1B shape", "llama", 2048, 16, 32, 8, 8192, 128256, 131072, 500000,
      1e-5f, 0, "llama-bpe", NULL },
    { "smollm-135m", "SmolLM2 135M shape", "llama", 576, 30, 9, 3, 1536, 49152, 8192, 100000, 1e-5f,
      0, "smollm", NULL },
    { "minilm", "all-MiniLM-L6-v2 shape", "bert", 384, 6, 12, 12, 1536, 30522, 512, 0, 1e-12f, 1,
      NULL, NULL },
    { "bge-small", "bge-small-en-v1.5 shape", "bert", 384, 12, 12, 12, 1536, 30522, 512, 0, 1e-12f,
      2, NULL, NULL },
};
#define N_SHAPES (sizeof shapes / sizeof *shapes)
const char *const make_model_shapes[] = { "llama-1b", "smollm-135m", "minilm", "bge-small", NULL };

struct maker {
    const struct shape *s;
    const struct quantize_mix *mix;
    struct gguf_writer *w;
    uint64_t seed;
    struct spec {
        char name[64];
        enum quant type;
        uint64_t rows, cols; /* rows 0: a vector */
    } * specs;
    size_t n_specs;
};

/* ---- weights ---- */

static uint64_t draw(uint64_t *s) /* splitmix64 */
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void draw_bytes(uint64_t *s, void *p, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = draw(s);
        memcpy((char *)p + i, &v, n - i < 8 ? n - i : 8);
    }
}

static void fill_floats(uint64_t *s, enum quant q, float sd, char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 4) {
        uint64_t v = draw(s);
        for (size_t k = i; k < i + 4 && k < n; k++, v >>= 16) { /* uniform has the right width */
            float x = ((float)(v & 0xffff) - 32767.5f) / 32768 * 1.7320508f * sd;
            quant_encode(q, &x, 1, p + quant_row_bytes(q, k));
        }
    }
}

/* Blocks of random codes; d is what makes their deviation sd. */
static void fill_blocks(uint64_t *s, enum quant q, float sd, char *p, size_t n)
{
    size_t bytes = quant_row_bytes(q, (size_t)quant_block(q));
    draw_bytes(s, p, quant_row_bytes(q, n));
    for (size_t i = 0; i < n; i += (size_t)quant_block(q), p += bytes) {
        uint16_t d, dmin;
        switch (q) {
        case QUANT_Q4_0: d = f32_to_f16(sd / 4.64f), memcpy(p, &d, 2); break;
        case QUANT_Q8_0:
            d = f32_to_f16(sd / 73.6f), memcpy(p, &d, 2);
            for (size_t j = 2; j < bytes; j++)
                if (p[j] == -128) p[j] = 127; /* no encoder writes it */
            break;
        case QUANT_Q4_K: /* sub-scales average 31.5; minima as their scales: x = d s (q - 7.5) */
        case QUANT_Q5_K:
            d = f32_to_f16(sd / (q == QUANT_Q4_K ? 4.61f * 36.5f : 9.23f * 36.5f));
            dmin = f32_to_f16(f16_to_f32(d) * (q == QUANT_Q4_K ? 7.5f : 15.5f));
            memcpy(p, &d, 2), memcpy(p + 2, &dmin, 2);
            memcpy(p + 8, p + 4, 4);
            for (int j = 12; j < 16; j++) p[j] = (char)((p[j] & 15) * 17);
            break;
        case QUANT_Q6_K: d = f32_to_f16(sd / (18.5f * 73.9f)), memcpy(p + 208, &d, 2); break;
        default: break;
        }
    }
}

static int write_tensor(struct maker *m, const struct spec *t, struct err *err)
{
    uint64_t rows = t->rows ? t->rows : 1, each = (1u << 20) / t->cols + 1;
    float sd = 1 / sqrtf((float)t->cols);
    char *buf = malloc(quant_row_bytes(t->type, t->cols) * each);
    if (!buf) return err_nomem(err);
    int rc = 0;
    for (uint64_t r = 0; r < rows && !rc; r += each) {
        uint64_t n = (rows - r < each ? rows - r : each) * t->cols;
        bool norm = !t->rows && str_ends(t->name, "norm.weight");
        if (quant_block(t->type) > 1) fill_blocks(&m->seed, t->type, sd, buf, n);
        else fill_floats(&m->seed, t->type, t->rows ? sd : 0.02f, buf, n);
        for (uint64_t i = 0; norm && i < n; i++) ((float *)buf)[i] += 1;
        rc = gguf_write(m->w, buf, quant_row_bytes(t->type, n), err);
    }
    free(buf);
    return rc;
}

static void tensor(struct maker *m, int rows, int cols, const char *fmt, int layer)
{
    struct spec *t = &m->specs[m->n_specs++];
    snprintf(t->name, sizeof t->name, fmt, layer);
    t->rows = (uint64_t)rows, t->cols = (uint64_t)cols;
    t->type = quantize_type(m->mix, t->name, rows ? 2 : 1, t->cols, m->s->layers, true, QUANT_F32);
    uint64_t dim[2] = { t->cols, t->rows };
    gguf_declare(m->w, t->name, t->type, rows ? 2 : 1, dim);
}

static void declare_decoder(struct maker *m)
{
    const struct shape *s = m->s;
    int kv = s->dim / s->heads * s->heads_kv;
    tensor(m, s->vocab, s->dim, "token_embd.weight", 0);
    for (int l = 0; l < s->layers; l++) {
        tensor(m, 0, s->dim, "blk.%d.attn_norm.weight", l);
        tensor(m, s->dim, s->dim, "blk.%d.attn_q.weight", l);
        tensor(m, kv, s->dim, "blk.%d.attn_k.weight", l);
        tensor(m, kv, s->dim, "blk.%d.attn_v.weight", l);
        tensor(m, s->dim, s->dim, "blk.%d.attn_output.weight", l);
        tensor(m, 0, s->dim, "blk.%d.ffn_norm.weight", l);
        tensor(m, s->ff, s->dim, "blk.%d.ffn_gate.weight", l);
        tensor(m, s->ff, s->dim, "blk.%d.ffn_up.weight", l);
        tensor(m, s->dim, s->ff, "blk.%d.ffn_down.weight", l);
    }
    tensor(m, 0, s->dim, "output_norm.weight", 0);
}

static void declare_encoder(struct maker *m)
{
    static const char *const square[] = { "attn_q", "attn_k", "attn_v", "attn_output" };
    const struct shape *s = m->s;
    char fmt[64];
    tensor(m, s->vocab, s->dim, "token_embd.weight", 0);
    tensor(m, s->context, s->dim, "position_embd.weight", 0);
    tensor(m, 2, s->dim, "token_types.weight", 0);
    tensor(m, 0, s->dim, "token_embd_norm.weight", 0);
    tensor(m, 0, s->dim, "token_embd_norm.bias", 0);
    for (int l = 0; l < s->layers; l++) {
        for (int i = 0; i < 4; i++) {
            snprintf(fmt, sizeof fmt, "blk.%%d.%s.weight", square[i]);
            tensor(m, s->dim, s->dim, fmt, l);
            snprintf(fmt, sizeof fmt, "blk.%%d.%s.bias", square[i]);
            tensor(m, 0, s->dim, fmt, l);
        }
        tensor(m, 0, s->dim, "blk.%d.attn_output_norm.weight", l);
        tensor(m, 0, s->dim, "blk.%d.attn_output_norm.bias", l);
        tensor(m, s->ff, s->dim, "blk.%d.ffn_up.weight", l);
        tensor(m, 0, s->ff, "blk.%d.ffn_up.bias", l);
        tensor(m, s->dim, s->ff, "blk.%d.ffn_down.weight", l);
        tensor(m, 0, s->dim, "blk.%d.ffn_down.bias", l);
        tensor(m, 0, s->dim, "blk.%d.layer_output_norm.weight", l);
        tensor(m, 0, s->dim, "blk.%d.layer_output_norm.bias", l);
    }
}

/* ---- vocabulary ---- */

struct vocab {
    struct span *tokens, *merges;
    int32_t *types;
    int n, n_merges;
    char (*room)[32]; /* of tokens, then of merges */
};

static int vocab_init(struct vocab *v, int n)
{
    size_t k = (size_t)n;
    *v = (struct vocab){ calloc(k, sizeof(struct span)),
                         calloc(k, sizeof(struct span)),
                         calloc(k, sizeof(int32_t)),
                         0,
                         0,
                         calloc(2 * k, 32) };
    return v->tokens && v->merges && v->types && v->room ? 0 : ERR_NOMEM;
}

static void vocab_clear(struct vocab *v)
{
    free(v->tokens), free(v->merges), free(v->types), free(v->room);
}

static void vocab_add(struct vocab *v, int32_t type, const char *s)
{
    snprintf(v->room[v->n], 32, "%s", s);
    v->types[v->n] = type;
    v->tokens[v->n] = span_of(v->room[v->n]);
    v->n++;
}

/* The i-th word, shortest first: digits of base 27 (space mark only in front) or 26. The space mark
 * of both families is a character of its own; `mark` writes it. */
static void word_at(uint64_t i, const char *mark, char out[24])
{
    char letters[16];
    int n = 0;
    bool marked = i % 2 == 0;
    for (uint64_t v = i / 2;; v = v / 26 - 1) {
        letters[n++] = (char)('a' + v % 26);
        if (v < 26) break;
    }
    size_t k = (size_t)snprintf(out, 24, "%s", marked ? mark : "");
    while (n) out[k++] = letters[--n];
    out[k] = 0;
}

static void byte_letters(struct vocab *v)
{
    char s[5];
    int other = 0;
    for (int b = 0; b < 256; b++) {
        bool shown = (b > 32 && b < 127) || (b > 160 && b < 256 && b != 173);
        s[utf8_put(s, shown ? (uint32_t)b : (uint32_t)(256 + other++))] = 0;
        vocab_add(v, 1, s);
    }
}

/* A word is merged of the one without its last letter, and that letter. */
static void add_merge(struct vocab *v, int n_all, const char *word)
{
    size_t n = strlen(word);
    char *m = v->room[n_all + v->n_merges];
    snprintf(m, 32, "%.*s %s", (int)(n - 1), word, word + n - 1);
    v->merges[v->n_merges++] = span_of(m);
}

static void decoder_vocab(struct vocab *v, int n, const char *const *special)
{
    char word[24];
    int n_special = 0;
    while (special[n_special]) n_special++;
    byte_letters(v);
    for (uint64_t i = 0; v->n < n - n_special; i++) {
        word_at(i, "\u0120", word);
        if (!word[1]) continue; /* a single letter is there already */
        add_merge(v, n, word);
        vocab_add(v, 1, word);
    }
    for (int i = 0; i < n_special; i++) vocab_add(v, 3, special[i]);
}

static void encoder_vocab(struct vocab *v, int n)
{
    static const char *const special[] = { "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
    static const char marks[] = "!\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~";
    char s[40];
    vocab_add(v, 3, "[PAD]");
    for (int i = 0; i < 99; i++) snprintf(s, sizeof s, "[unused%d]", i), vocab_add(v, 3, s);
    for (int i = 0; i < 4; i++) vocab_add(v, 3, special[i]);
    for (const char *c = marks; *c; c++) snprintf(s, sizeof s, "\u2581%c", *c), vocab_add(v, 1, s);
    for (uint64_t i = 0; v->n < n; i++) {
        word_at(i, "\u2581", s);
        vocab_add(v, 1, s);
    }
}

static int32_t id_of(const struct vocab *v, const char *s)
{
    for (int i = v->n - 1; i >= 0; i--)
        if (span_eq(v->tokens[i], s)) return i;
    return 0;
}

static void put_vocab(struct maker *m, const struct vocab *v)
{
    size_t n = (size_t)v->n;
    gguf_put_strs(m->w, "tokenizer.ggml.tokens", v->tokens, n);
    gguf_put_nums(m->w, "tokenizer.ggml.token_type", GGUF_I32, v->types, n);
    if (v->n_merges) gguf_put_strs(m->w, "tokenizer.ggml.merges", v->merges, (size_t)v->n_merges);
}

static const char llama3_template[] =
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 "
    "%}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if "
    "add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
static const char chatml_template[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}{% endif %}";

static void put_str(struct maker *m, const char *key, const char *s)
{
    gguf_put_str(m->w, key, s, strlen(s));
}

static int put_decoder_vocab(struct maker *m, struct err *err)
{
    static const char *const llama3[] = { "<|begin_of_text|>",   "<|end_of_text|>",   "<|eot_id|>",
                                          "<|start_header_id|>", "<|end_header_id|>", NULL };
    static const char *const chatml[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>", NULL };
    bool is_llama3 = !strcmp(m->s->pre, "llama-bpe");
    struct vocab v;
    if (vocab_init(&v, m->s->vocab)) {
        vocab_clear(&v);
        return err_nomem(err);
    }
    decoder_vocab(&v, m->s->vocab, is_llama3 ? llama3 : chatml);
    put_str(m, "tokenizer.ggml.model", "gpt2");
    put_str(m, "tokenizer.ggml.pre", m->s->pre);
    put_vocab(m, &v);
    gguf_put_u32(m->w, "tokenizer.ggml.bos_token_id",
                 (uint32_t)id_of(&v, is_llama3 ? "<|begin_of_text|>" : "<|im_start|>"));
    gguf_put_u32(m->w, "tokenizer.ggml.eos_token_id",
                 (uint32_t)id_of(&v, is_llama3 ? "<|eot_id|>" : "<|im_end|>"));
    gguf_put_bool(m->w, "tokenizer.ggml.add_bos_token", is_llama3);
    put_str(m, "tokenizer.chat_template", is_llama3 ? llama3_template : chatml_template);
    vocab_clear(&v);
    return 0;
}

static int put_encoder_vocab(struct maker *m, struct err *err)
{
    struct vocab v;
    if (vocab_init(&v, m->s->vocab)) {
        vocab_clear(&v);
        return err_nomem(err);
    }
    encoder_vocab(&v, m->s->vocab);
    put_str(m, "tokenizer.ggml.model", "bert");
    put_str(m, "tokenizer.ggml.pre", "jina-v2-en");
    gguf_put_u32(m->w, "tokenizer.ggml.token_type_count", 2);
    put_vocab(m, &v);
    gguf_put_u32(m->w, "tokenizer.ggml.padding_token_id", 0);
    gguf_put_u32(m->w, "tokenizer.ggml.unknown_token_id", 100);
    gguf_put_u32(m->w, "tokenizer.ggml.cls_token_id", 101);
    gguf_put_u32(m->w, "tokenizer.ggml.seperator_token_id", 102);
    gguf_put_u32(m->w, "tokenizer.ggml.mask_token_id", 103);
    vocab_clear(&v);
    return 0;
}

/* ---- the file ---- */

static void put_u32(struct maker *m, const char *key, int v)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", m->s->arch, key);
    gguf_put_u32(m->w, full, (uint32_t)v);
}

static int put_keys(struct maker *m, struct err *err)
{
    const struct shape *s = m->s;
    put_str(m, "general.architecture", s->arch);
    put_str(m, "general.name", s->title);
    gguf_put_u32(m->w, "general.file_type", m->mix->file_type);
    gguf_put_u32(m->w, "general.quantization_version", 2);
    put_u32(m, "block_count", s->layers);
    put_u32(m, "context_length", s->context);
    put_u32(m, "embedding_length", s->dim);
    put_u32(m, "feed_forward_length", s->ff);
    put_u32(m, "attention.head_count", s->heads);
    if (s->pooling) {
        put_u32(m, "pooling_type", s->pooling);
        gguf_put_bool(m->w, "bert.attention.causal", false);
        gguf_put_f32(m->w, "bert.attention.layer_norm_epsilon", s->eps);
        return put_encoder_vocab(m, err);
    }
    put_u32(m, "attention.head_count_kv", s->heads_kv);
    put_u32(m, "rope.dimension_count", s->dim / s->heads);
    put_u32(m, "vocab_size", s->vocab);
    gguf_put_f32(m->w, "llama.rope.freq_base", s->rope_base);
    gguf_put_f32(m->w, "llama.attention.layer_norm_rms_epsilon", s->eps);
    return put_decoder_vocab(m, err);
}

int make_model(const char *shape, const char *type, const char *path, struct err *err)
{
    struct maker m = { .mix = quantize_mix(type), .seed = 20250101 };
    for (size_t i = 0; i < N_SHAPES; i++)
        if (!strcmp(shape, shapes[i].name)) m.s = &shapes[i];
    if (!m.s) return err_set(err, ERR_INVAL, "there is no shape \"%s\"", shape);
    if (!m.mix) return err_set(err, ERR_INVAL, "there is no type \"%s\"", type);
    int rc = gguf_create(path, &m.w, err);
    if (rc) return rc;
    m.specs = calloc((size_t)m.s->layers * 16 + 8, sizeof *m.specs);
    rc = m.specs ? put_keys(&m, err) : err_nomem(err);
    if (!rc && m.s->pooling) declare_encoder(&m);
    else if (!rc) declare_decoder(&m);
    for (size_t i = 0; i < m.n_specs && !rc; i++) rc = write_tensor(&m, &m.specs[i], err);
    if (rc) gguf_abandon(m.w);
    else rc = gguf_finish(m.w, err);
    free(m.specs);
    return rc;
}
