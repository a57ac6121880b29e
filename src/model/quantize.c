/* Quantising a file: which tensor gets which type, and the conversion, a few rows at a time.
 *
 * The rules are those that files of these names follow everywhere, so that a q4_k_m made here has
 * the size and the quality that people know. Vectors (norms, biases) and position tables stay
 * floats: they are small, and every activation passes through them. The output matrix, or the
 * embeddings where they serve for it, get Q6_K in all types below 6 bits, since its errors reach
 * the logits at once. In the "_m" mixes half of the value and down matrices get Q6_K: the first and
 * last eighth of the layers and every third between.
 *
 * Where the columns are not whole blocks, a matrix gets Q8_0, and if that does not fit either, F16.
 *
 * A tensor is read where it is mapped, converted into one buffer and written; memory stays at some
 * tens of MB whatever the model. */
#include "model/quantize.h"

#include "base/str.h"
#include "base/threads.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PIECE (8u << 20) /* numbers converted at a time, about */

const struct quantize_mix quantize_mixes[] = {
    { "f32", QUANT_F32, false, 0, "32-bit floats" },
    { "f16", QUANT_F16, false, 1, "16-bit floats" },
    { "bf16", QUANT_BF16, false, 32, "16-bit floats with the range of 32-bit ones" },
    { "q8_0", QUANT_Q8_0, false, 7, "8.5 bits a weight, hardly told from f16" },
    { "q6_k", QUANT_Q6_K, false, 18, "6.6 bits a weight" },
    { "q5_k_m", QUANT_Q5_K, true, 17, "about 5.7 bits a weight" },
    { "q4_k_m", QUANT_Q4_K, true, 15, "about 4.9 bits a weight, the usual choice" },
    { "q4_0", QUANT_Q4_0, false, 2, "4.5 bits a weight, the fastest" },
    { NULL, QUANT_F32, false, 0, NULL },
};

const struct quantize_mix *quantize_mix(const char *name)
{
    for (const struct quantize_mix *m = quantize_mixes; m->name; m++)
        if (!strcasecmp(m->name, name)) return m;
    return NULL;
}

static bool is_float(enum quant q) { return q == QUANT_F32 || q == QUANT_F16 || q == QUANT_BF16; }

/* Does this layer belong to the half that gets more bits? */
static bool more_bits(int layer, int layers)
{
    int eighth = layers / 8;
    return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

static bool stays_float(const char *name, int n_dims)
{
    return n_dims < 2 || !str_ends(name, ".weight") || str_ends(name, "norm.weight") ||
           !strcmp(name, "position_embd.weight") || !strcmp(name, "token_types.weight") ||
           !strcmp(name, "rope_freqs.weight");
}

static int layer_of(const char *name) /* -1: of none */
{
    char *end;
    if (strncmp(name, "blk.", 4)) return -1;
    long layer = strtol(name + 4, &end, 10);
    return end > name + 4 && *end == '.' && layer >= 0 && layer <= INT_MAX ? (int)layer : -1;
}

enum quant quantize_type(const struct quantize_mix *m, const char *name, int n_dims, uint64_t cols,
                         int layers, bool tied, enum quant now)
{
    if (stays_float(name, n_dims)) return is_float(now) ? now : QUANT_F32;
    enum quant q = m->base;
    if (is_float(q)) return q;
    bool output = !strcmp(name, tied ? "token_embd.weight" : "output.weight");
    if (output && q != QUANT_Q8_0) q = QUANT_Q6_K;
    int layer = layer_of(name);
    if (m->more && layer >= 0 && more_bits(layer, layers) &&
        (strstr(name, ".attn_v.") || strstr(name, ".ffn_down.")))
        q = QUANT_Q6_K;
    if (cols % (uint64_t)quant_block(q)) q = QUANT_Q8_0;
    return cols % (uint64_t)quant_block(q) ? QUANT_F16 : q;
}

/* ---- converting ---- */

struct rows_job {
    enum quant from, to;
    const char *in;
    char *out;
    size_t rows, cols, each; /* rows a part */
    atomic_bool failed;
};

static void convert_part(void *ud, int part)
{
    struct rows_job *j = ud;
    size_t in = quant_row_bytes(j->from, j->cols), out = quant_row_bytes(j->to, j->cols);
    float *x = malloc(j->cols * sizeof *x);
    if (!x) {
        j->failed = true;
        return;
    }
    size_t from = (size_t)part * j->each, to = from + j->each < j->rows ? from + j->each : j->rows;
    for (size_t r = from; r < to; r++) {
        quant_decode(j->from, j->in + r * in, j->cols, x);
        quant_encode(j->to, x, j->cols, j->out + r * out);
    }
    free(x);
}

int quantize_rows(enum quant from, const void *in, enum quant to, void *out, size_t rows,
                  size_t cols, struct err *err)
{
    if (from == to) {
        memcpy(out, in, quant_row_bytes(to, cols) * rows);
        return 0;
    }
    size_t parts = (size_t)threads_count() * 4;
    struct rows_job j = { from, to, in, out, rows, cols, (rows + parts - 1) / parts, false };
    threads_run((int)((rows + j.each - 1) / j.each), convert_part, &j);
    return j.failed ? err_nomem(err) : 0;
}

struct work {
    const struct gguf *g;
    struct gguf_writer *w;
    const struct progress *progress;
    uint64_t done, total;
    char *out; /* [PIECE_bytes] */
    size_t cap;
};

static int convert_tensor(struct work *k, const struct gguf_tensor *t, enum quant to,
                          struct err *err)
{
    size_t cols = t->dim[0], rows = t->n / cols;
    size_t in = quant_row_bytes(t->type, cols), out = quant_row_bytes(to, cols);
    size_t each = PIECE / cols ? PIECE / cols : 1;
    if (each > rows) each = rows;
    if (each * out > k->cap) {
        char *more = realloc(k->out, each * out);
        if (!more) return err_nomem(err);
        k->out = more, k->cap = each * out;
    }
    int rc = 0;
    for (size_t r = 0; r < rows && !rc; r += each) {
        size_t n = rows - r < each ? rows - r : each;
        rc = quantize_rows(t->type, (const char *)t->data + r * in, to, k->out, n, cols, err);
        if (!rc) rc = gguf_write(k->w, k->out, n * out, err);
        k->done += n * in;
        if (!rc && (rc = progress_tick(k->progress, "quantize", k->done, k->total, "bytes")))
            err_set(err, rc, "cancelled");
    }
    gguf_done_with(k->g, t->data, t->bytes);
    return rc;
}

/* The types all tensors get; to: [tensors]. */
static int choose(const struct gguf *g, const struct quantize_mix *m, enum quant *to,
                  struct err *err)
{
    char name[256], key[128];
    struct span arch = gguf_str_or(g, "general.architecture", "llama");
    snprintf(key, sizeof key, "%.*s.block_count", arch.n < 64 ? (int)arch.n : 64, arch.p);
    uint32_t layers = gguf_u32_or(g, key, 0);
    bool tied = !gguf_tensor(g, "output.weight");
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        snprintf(name, sizeof name, "%.*s", t->name.n < 255 ? (int)t->name.n : 255, t->name.p);
        to[i] = quantize_type(m, name, t->n_dims, t->dim[0], layers < 4096 ? (int)layers : 0, tied,
                              t->type);
        if (to[i] != t->type && !is_float(to[i]) && !is_float(t->type) && t->type != QUANT_Q8_0)
            return err_set(err, ERR_INVAL,
                           "%s: tensor \"%s\" is %s already, and %s out of that would add one "
                           "loss to another: quantise from the f16 or q8_0 file",
                           gguf_path(g), name, quant_name(t->type), quant_name(to[i]));
    }
    return 0;
}

static int write_file(struct work *k, const struct quantize_mix *m, const enum quant *to,
                      struct err *err)
{
    static const char *const except[] = { "general.file_type", "general.quantization_version",
                                          NULL };
    size_t n = gguf_tensor_count(k->g);
    char name[1100];
    int rc = gguf_copy_keys(k->w, k->g, except);
    if (rc) return err_nomem(err);
    gguf_put_u32(k->w, "general.file_type", m->file_type);
    gguf_put_u32(k->w, "general.quantization_version", 2);
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(k->g, i);
        snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.p);
        gguf_declare(k->w, name, to[i], t->n_dims, t->dim);
        k->total += t->bytes;
    }
    for (size_t i = 0; i < n && !rc; i++)
        rc = convert_tensor(k, gguf_tensor_at(k->g, i), to[i], err);
    return rc;
}

int model_quantize(const char *in_gguf, const char *out_gguf, const char *what,
                   const struct progress *progress, struct err *err)
{
    const struct quantize_mix *m = quantize_mix(what);
    struct work k = { .progress = progress };
    struct gguf *g = NULL;
    enum quant *to = NULL;
    int rc = 0;
    if (!m)
        return err_set(err, ERR_INVAL, "there is no type \"%s\"; see likeness help model", what);
    if ((rc = gguf_open(in_gguf, &g, err))) return rc;
    k.g = g;
    if (!(to = calloc(gguf_tensor_count(g) + 1, sizeof *to))) {
        rc = err_nomem(err);
        goto out;
    }
    rc = choose(g, m, to, err);
    if (!rc) rc = gguf_create(out_gguf, &k.w, err);
    if (rc) goto out;
    if ((rc = write_file(&k, m, to, err))) gguf_abandon(k.w);
    else rc = gguf_finish(k.w, err);
out:
    free(k.out);
    free(to);
    gguf_close(g);
    return rc;
}
