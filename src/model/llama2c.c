/* llama2.c's .bin (its first layout) and tokenizer.bin as a GGUF.
 *
 *   seven i32: dim, hidden, layers, heads, heads_kv, vocab (negative: a separate output matrix),
 *   context; then f32: embeddings [vocab, dim]; attention norms [layers, dim]; q, k, v, o of all
 *   layers, one kind after the other; feed-forward norms; w1 (gate), w2 (down), w3 (up); the last
 *   norm; two tables of context * head / 2 rotations, which nobody needs; the output matrix.
 *
 *   tokenizer.bin: i32 longest token; for each token f32 score, i32 length, bytes.
 *
 * Rotated pairs stand side by side, as in GGUF. The format has no magic number: a file is taken for
 * one when its length is the one that its seven numbers make. */
#include "base/io.h"
#include "base/str.h"
#include "model/hf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BIN   ((size_t)16 << 30)
#define MAX_VOCAB ((size_t)64 << 20)
#define HEAD      28 /* bytes */

struct shape {
    uint64_t dim, ff, layers, heads, heads_kv, vocab, context, kv;
    bool shared; /* the output matrix is that of the embeddings */
};

/* How many bytes the file must have; 0 when the numbers make no model. */
static uint64_t read_shape(struct cursor *c, struct shape *s)
{
    uint64_t *to[] = {
        &s->dim, &s->ff, &s->layers, &s->heads, &s->heads_kv, &s->vocab, &s->context
    };
    *s = (struct shape){ .shared = true };
    for (size_t i = 0; i < 7; i++) {
        int32_t v = (int32_t)cursor_u32(c, "header");
        if (i == 5 && v < 0 && v > INT32_MIN) s->shared = false, v = -v;
        if (c->bad || v < 1 || v > 1 << 24) return 0;
        *to[i] = (uint64_t)v;
    }
    if (s->dim % s->heads || s->heads % s->heads_kv || s->layers > 1024 || s->dim > 1 << 17 ||
        s->ff > 1 << 20)
        return 0;
    s->kv = s->dim / s->heads * s->heads_kv;
    uint64_t layer = 2 * s->dim + 2 * s->dim * s->dim + 2 * s->kv * s->dim + 3 * s->ff * s->dim;
    uint64_t n = s->vocab * s->dim * (s->shared ? 1 : 2) + s->layers * layer + s->dim +
                 s->context * (s->dim / s->heads);
    return HEAD + 4 * n;
}

bool llama2c_is(const char *path)
{
    uint8_t head[HEAD];
    struct shape s;
    FILE *f = fopen(path, "rbe");
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f) fclose(f);
    struct cursor c = cursor_of(head, n, path);
    uint64_t want = read_shape(&c, &s);
    return want && want == io_file_size(path);
}

/* ---- the vocabulary ---- */

/* A token as GGUF has it: spaces are marks; the two control tokens lose their line ends. */
static int add_token(struct hf_vocab *v, size_t id, struct span s, struct err *err)
{
    struct buf text = BUF_INIT(0);
    int32_t type = id == 0 ? HF_UNKNOWN : id < 3 ? HF_CONTROL : id < 259 ? HF_BYTE : HF_NORMAL;
    if (type == HF_BYTE && (s.n != 6 || memcmp(s.p, "<0x", 3) != 0)) type = HF_NORMAL;
    s = type == HF_NORMAL ? s : span_trim(s);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ' ') buf_adds(&text, "\u2581");
        else buf_addc(&text, s.p[i]);
    }
    int rc = text.failed || hf_vocab_set(v, id, buf_str(&text), text.n, type) ? err_nomem(err) : 0;
    buf_free(&text);
    return rc;
}

static int read_vocab(struct hf_vocab *v, const char *path, size_t n, struct err *err)
{
    struct buf file = BUF_INIT(0);
    int rc = io_read_file(path, MAX_VOCAB, &file, err);
    struct cursor c = cursor_of(file.p, file.n, path);
    cursor_u32(&c, "longest token");
    if (!rc && n > file.n / 8)
        rc = err_set(err, ERR_PARSE, "%s is too short for a vocabulary of %zu tokens", path, n);
    if (!rc) rc = hf_vocab_size(v, n, err);
    for (size_t i = 0; i < n && !rc; i++) {
        uint32_t bits = cursor_u32(&c, "score");
        struct span s = cursor_lstr(&c, "token");
        memcpy(&v->scores[i], &bits, sizeof bits);
        if (!(rc = cursor_check(&c, err))) rc = add_token(v, i, s, err);
        if (!rc && !(v->scores[i] > -1e30f && v->scores[i] < 1e30f))
            rc = err_set(err, ERR_PARSE, "%s: the score of token %zu is no number", path, i);
    }
    v->model = "llama";
    v->pre = "default";
    v->unk = 0, v->bos = n > 1 ? 1 : -1, v->eos = n > 2 ? 2 : -1;
    v->add_bos = v->space_prefix = 1;
    v->add_eos = 0;
    buf_free(&file);
    return rc;
}

/* tokenizer.bin beside the model, or tokN.bin where N is the size of the vocabulary. */
static char *find_tokenizer(const char *path, const struct import_opts *o, uint64_t vocab)
{
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) + 1 : 0;
    struct buf own = BUF_INIT(0), sized = BUF_INIT(0);
    if (o->tokenizer) return str_dup(o->tokenizer);
    buf_printf(&own, "%.*stokenizer.bin", n, path);
    buf_printf(&sized, "%.*stok%llu.bin", n, path, (unsigned long long)vocab);
    bool by_size = !sized.failed && io_exists(sized.p);
    buf_free(by_size ? &own : &sized);
    return buf_take(by_size ? &sized : &own);
}

/* ---- the tensors ---- */

struct kind { /* one kind of tensor, of all layers in a row */
    const char *name;
    uint64_t rows, cols; /* rows 0: a vector */
    bool layered;
    uint64_t at; /* first byte */
};

static size_t list_kinds(const struct shape *s, struct kind k[13])
{
    const struct kind all[] = {
        { "token_embd.weight", s->vocab, s->dim, false, 0 },
        { "blk.%d.attn_norm.weight", 0, s->dim, true, 0 },
        { "blk.%d.attn_q.weight", s->dim, s->dim, true, 0 },
        { "blk.%d.attn_k.weight", s->kv, s->dim, true, 0 },
        { "blk.%d.attn_v.weight", s->kv, s->dim, true, 0 },
        { "blk.%d.attn_output.weight", s->dim, s->dim, true, 0 },
        { "blk.%d.ffn_norm.weight", 0, s->dim, true, 0 },
        { "blk.%d.ffn_gate.weight", s->ff, s->dim, true, 0 },
        { "blk.%d.ffn_down.weight", s->dim, s->ff, true, 0 },
        { "blk.%d.ffn_up.weight", s->ff, s->dim, true, 0 },
        { "output_norm.weight", 0, s->dim, false, 0 },
        { "rotations", 0, s->context * (s->dim / s->heads), false, 0 },
        { "output.weight", s->vocab, s->dim, false, 0 },
    };
    uint64_t at = HEAD;
    for (size_t i = 0; i < 13; i++) {
        k[i] = all[i];
        k[i].at = at;
        uint64_t rows = k[i].rows ? k[i].rows : 1, times = k[i].layered ? s->layers : 1;
        at += 4 * rows * k[i].cols * times;
    }
    return s->shared ? 12 : 13;
}

struct writing {
    struct gguf_writer *w;
    const struct shape *s;
    const struct quantize_mix *mix;
    const char *file;
    const struct progress *progress;
    struct err *err;
};

static enum quant type_of(const struct writing *x, const struct kind *k, const char *name)
{
    if (!k->rows || !x->mix) return QUANT_F32;
    return quantize_type(x->mix, name, 2, k->cols, (int)x->s->layers, x->s->shared, QUANT_F32);
}

static int write_one(const struct writing *x, const struct kind *k, const char *name, uint64_t at)
{
    uint64_t rows = k->rows ? k->rows : 1;
    enum quant q = type_of(x, k, name);
    size_t bytes = quant_row_bytes(q, (size_t)k->cols) * (size_t)rows;
    if (q == QUANT_F32) return gguf_write(x->w, x->file + at, bytes, x->err);
    void *out = malloc(bytes);
    if (!out) return err_nomem(x->err);
    int rc = quantize_rows(QUANT_F32, x->file + at, q, out, (size_t)rows, (size_t)k->cols, x->err);
    if (!rc) rc = gguf_write(x->w, out, bytes, x->err);
    free(out);
    return rc;
}

/* Twice over all tensors: declaring, then writing. */
static int each_tensor(const struct writing *x, const struct kind *kinds, size_t n, bool write)
{
    char name[64];
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct kind *k = &kinds[i];
        uint64_t dim[2] = { k->cols, k->rows }, bytes = 4 * (k->rows ? k->rows : 1) * k->cols;
        if (!strcmp(k->name, "rotations")) continue;
        for (uint64_t l = 0; l < (k->layered ? x->s->layers : 1) && !rc; l++) {
            snprintf(name, sizeof name, k->name, (int)l);
            if (write) rc = write_one(x, k, name, k->at + l * bytes);
            else gguf_declare(x->w, name, type_of(x, k, name), k->rows ? 2 : 1, dim);
        }
        if (write && !rc && (rc = progress_tick(x->progress, "import", i + 1, n, "tensors")))
            err_set(x->err, rc, "cancelled");
    }
    return rc;
}

static int write_all(const struct writing *x, const struct hf_vocab *v, const char *name)
{
    const struct shape *s = x->s;
    struct kind kinds[13];
    size_t n = list_kinds(s, kinds);
    gguf_put_str(x->w, "general.architecture", "llama", 5);
    gguf_put_str(x->w, "general.name", name, strlen(name));
    gguf_put_u32(x->w, "general.file_type", x->mix ? x->mix->file_type : 0);
    gguf_put_u32(x->w, "general.quantization_version", 2);
    gguf_put_u32(x->w, "llama.block_count", (uint32_t)s->layers);
    gguf_put_u32(x->w, "llama.context_length", (uint32_t)s->context);
    gguf_put_u32(x->w, "llama.embedding_length", (uint32_t)s->dim);
    gguf_put_u32(x->w, "llama.feed_forward_length", (uint32_t)s->ff);
    gguf_put_u32(x->w, "llama.attention.head_count", (uint32_t)s->heads);
    gguf_put_u32(x->w, "llama.attention.head_count_kv", (uint32_t)s->heads_kv);
    gguf_put_u32(x->w, "llama.rope.dimension_count", (uint32_t)(s->dim / s->heads));
    gguf_put_u32(x->w, "llama.vocab_size", (uint32_t)s->vocab);
    gguf_put_f32(x->w, "llama.rope.freq_base", 10000);
    gguf_put_f32(x->w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    hf_vocab_put(v, x->w);
    int rc = each_tensor(x, kinds, n, false);
    return rc ? rc : each_tensor(x, kinds, n, true);
}

int llama2c_import(const char *path, const char *out_gguf, const struct import_opts *o,
                   const struct progress *progress, struct err *err)
{
    struct buf file = BUF_INIT(MAX_BIN);
    struct hf_vocab v = { 0 };
    struct shape s;
    struct writing x = {
        .s = &s, .mix = o->type ? quantize_mix(o->type) : NULL, .progress = progress, .err = err
    };
    char *tokenizer = NULL;
    int rc = 0;
    if (o->type && !x.mix) return err_set(err, ERR_INVAL, "there is no type \"%s\"", o->type);
    if (!llama2c_is(path))
        return err_set(err, ERR_PARSE,
                       "%s is neither a folder with config.json nor a llama2.c file (of its first "
                       "layout)",
                       path);
    if ((rc = hf_vocab_init(&v, err))) goto out;
    if ((rc = io_read_file(path, MAX_BIN, &file, err))) goto out;
    struct cursor c = cursor_of(file.p, file.n, path);
    if (read_shape(&c, &s) != file.n) {
        rc = err_set(err, ERR_PARSE, "%s changed while it was read", path);
        goto out;
    }
    x.file = file.p;
    if (!(tokenizer = find_tokenizer(path, o, s.vocab))) rc = err_nomem(err);
    if (!rc) rc = read_vocab(&v, tokenizer, (size_t)s.vocab, err);
    if (rc) goto out;
    const char *slash = strrchr(path, '/');
    if ((rc = gguf_create(out_gguf, &x.w, err))) goto out;
    if ((rc = write_all(&x, &v, o->name ? o->name : slash ? slash + 1 : path))) gguf_abandon(x.w);
    else rc = gguf_finish(x.w, err);
out:
    free(tokenizer);
    hf_vocab_clear(&v);
    buf_free(&file);
    return rc;
}
