/* The table of architecture facts, and the reading of a file's keys.
 *
 * All these models are one: pre-normed blocks of grouped-query attention with rotary positions and
 * a gated feed-forward, around a residual stream (Touvron et al., LLaMA, 2023). What sets them
 * apart fits into a line each; the forward pass in decoder.c asks the table, never the name.
 *
 *   llama    LLaMA 1-3.2, Mistral, SmolLM2 and others of that form
 *   qwen2    biases on q, k and v
 *   qwen3    norms on the heads of q and k
 *   gemma2   norms after each block too, soft-capped scores and logits, every other layer with a
 *            window (Gemma Team, 2024)
 *   gemma3   gemma2 without caps, with qwen3's norms; five of six layers have a window and a RoPE
 *            base of their own (Gemma Team, 2025)
 *
 * Numbers out of a file are bounded here, once: whoever uses hparams may multiply two of them in
 * int64_t, and allocate by them after the tensors' shapes were found to agree. */
#include "model/arch.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct arch archs[] = {
    { "llama", ARCH_ROPE_PAIRS, 0, 1, 0, 0, 0, 0 },
    { "qwen2", ARCH_QKV_BIAS, 0, 1, 0, 0, 0, 0 },
    { "qwen3", ARCH_QK_NORM, 0, 1, 0, 0, 0, 0 },
    { "gemma2", ARCH_POST_NORM | ARCH_EMBED_SCALE | ARCH_GELU, 4096, 2, 0, 50, 30, 46 },
    { "gemma3", ARCH_POST_NORM | ARCH_EMBED_SCALE | ARCH_GELU | ARCH_QK_NORM, 0, 6, 10000, 0, 0,
      62 },
};
enum { N_ARCHS = sizeof archs / sizeof *archs };

struct keys { /* of one file, with the first error */
    const struct gguf *g;
    const char *arch;
    char key[96];
    struct err *err;
    int rc;
};

static const char *key_of(struct keys *k, const char *name)
{
    snprintf(k->key, sizeof k->key, "%s.%s", k->arch, name);
    return k->key;
}

static int bad(struct keys *k, const char *what)
{
    k->rc = err_set(k->err, ERR_PARSE, "%s: %s %s", gguf_path(k->g), k->key, what);
    return k->rc;
}

/* An integer in [least, most]; absent: def, or an error if def is negative. */
static int read_int(struct keys *k, const char *name, int def, int least, int most)
{
    uint32_t v = (uint32_t)def;
    if (k->rc) return least;
    key_of(k, name);
    if (gguf_has(k->g, k->key) || def < 0) k->rc = gguf_u32(k->g, k->key, &v, k->err);
    if (k->rc) return least;
    if (v >= (uint32_t)least && v <= (uint32_t)most) return (int)v;
    k->rc = err_set(k->err, ERR_PARSE, "%s: %s is %u, but must be %d to %d", gguf_path(k->g),
                    k->key, v, least, most);
    return least;
}

static float read_float(struct keys *k, const char *name, float def, float least, float most)
{
    if (k->rc) return least;
    float v = gguf_f32_or(k->g, key_of(k, name), def);
    if (v >= least && v <= most) return v;
    k->rc = err_set(k->err, ERR_PARSE, "%s: %s is %g, but must be %g to %g", gguf_path(k->g),
                    k->key, (double)v, (double)least, (double)most);
    return least;
}

static const struct arch *find_arch(const struct gguf *g, struct err *err)
{
    struct span name = gguf_str_or(g, "general.architecture", "");
    for (int i = 0; i < N_ARCHS; i++)
        if (span_eq(name, archs[i].name)) return &archs[i];
    char shown[33] = "";
    for (size_t i = 0; i < name.n && i < sizeof shown - 1; i++)
        shown[i] = name.p[i] > ' ' && name.p[i] < 127 ? name.p[i] : '?';
    err_set(err, ERR_PARSE,
            "%s: general.architecture is \"%s\"; this program runs llama, qwen2, qwen3, gemma2 and "
            "gemma3",
            gguf_path(g), shown);
    return NULL;
}

static void read_sizes(struct keys *k, struct hparams *h)
{
    h->layers = read_int(k, "block_count", -1, 1, ARCH_MAX_LAYERS);
    h->dim = read_int(k, "embedding_length", -1, 1, 1 << 17);
    h->heads = read_int(k, "attention.head_count", -1, 1, 1024);
    h->heads_kv = read_int(k, "attention.head_count_kv", h->heads, 1, h->heads);
    h->ff = read_int(k, "feed_forward_length", -1, 1, 1 << 20);
    h->context = read_int(k, "context_length", 2048, 1, 1 << 30);
    if (k->rc) return;
    int head_dim = h->dim % h->heads ? -1 : h->dim / h->heads;
    h->head_dim = read_int(k, "attention.key_length", head_dim, 2, ARCH_MAX_ROT);
    int value_dim = read_int(k, "attention.value_length", h->head_dim, 2, ARCH_MAX_ROT);
    h->n_rot = read_int(k, "rope.dimension_count", h->head_dim, 2, ARCH_MAX_ROT);
    int experts = read_int(k, "expert_count", 0, 0, 1 << 20);
    if (k->rc) return;
    if (h->heads % h->heads_kv) {
        key_of(k, "attention.head_count_kv");
        bad(k, "does not divide the number of heads");
    } else if (value_dim != h->head_dim) {
        key_of(k, "attention.value_length");
        bad(k, "differs from key_length, which no architecture here does");
    } else if (h->head_dim % 2 || h->n_rot % 2 || h->n_rot > h->head_dim) {
        key_of(k, "rope.dimension_count");
        bad(k, "must be even and at most the size of a head");
    } else if (experts > 0) {
        key_of(k, "expert_count");
        bad(k, "is not 0: mixtures of experts are not supported");
    }
}

/* Of Llama 3.1: long wavelengths are stretched, short ones kept, those between blended. */
static void llama3_factors(struct keys *k, struct hparams *h, float factor)
{
    double low = read_float(k, "rope.scaling.low_freq_factor", 1, 1e-3f, 1e6f),
           high = read_float(k, "rope.scaling.high_freq_factor", 4, 1e-3f, 1e6f),
           old = read_int(k, "rope.scaling.original_context_length", 8192, 1, 1 << 30);
    if (!k->rc && high <= low) {
        bad(k, "and the other freq_factor leave nothing between them");
        return;
    }
    for (int i = 0; i < h->n_rot / 2; i++) {
        double wave = 2 * M_PI * pow(h->rope_base, 2.0 * i / h->n_rot);
        double blend = (old / wave - low) / (high - low);
        blend = fmin(fmax(blend, 0), 1);
        h->rope_factors[i] = (float)(1 / ((1 - blend) / factor + blend));
    }
}

/* YaRN (Peng et al., 2023): pairs that turn often are kept, slow ones stretched; scores grow by
 * the square of the temperature. */
static void yarn_factors(struct keys *k, struct hparams *h, float factor)
{
    double fast = read_float(k, "rope.scaling.yarn_beta_fast", 32, 1e-3f, 1e6f),
           slow = read_float(k, "rope.scaling.yarn_beta_slow", 1, 1e-3f, 1e6f),
           old = read_int(k, "rope.scaling.original_context_length", h->context, 1, 1 << 30),
           temper = read_float(k, "rope.scaling.attn_factor", 1, 1e-3f, 1e3f);
    double per = h->n_rot / (2 * log(h->rope_base));
    double from = fmax(0, floor(per * log(old / (fast * 2 * M_PI)))),
           to = fmin(h->n_rot - 1, ceil(per * log(old / (slow * 2 * M_PI))));
    for (int i = 0; i < h->n_rot / 2; i++) {
        double ramp = fmin(fmax((i - from) / fmax(0.001, to - from), 0), 1);
        h->rope_factors[i] = (float)(1 / (ramp / factor + (1 - ramp)));
    }
    temper *= 1 + 0.1 * log(factor);
    h->attn_scale *= (float)(temper * temper);
}

static void read_rope(struct keys *k, struct hparams *h)
{
    h->rope_base = read_float(k, "rope.freq_base", 10000, 1.5f, 1e12f);
    float window_base = h->arch->base_window > 0 ? h->arch->base_window : h->rope_base;
    h->rope_base_window = read_float(k, "rope.freq_base_swa", window_base, 1.5f, 1e12f);
    h->rope_scale = h->rope_scale_window = 1;
    float factor = read_float(k, "rope.scale_linear", 1, 1e-3f, 1e6f);
    factor = read_float(k, "rope.scaling.factor", factor, 0, 1e6f);
    if (k->rc) return;
    if (factor == 0) factor = 1;
    struct span type = gguf_str_or(k->g, key_of(k, "rope.scaling.type"), "linear");
    for (int i = 0; i < h->n_rot / 2; i++) h->rope_factors[i] = 1;
    h->rope_scaled = span_eq(type, "llama3") || span_eq(type, "yarn");
    if (span_eq(type, "linear")) h->rope_scale = 1 / factor;
    else if (span_eq(type, "llama3")) llama3_factors(k, h, factor);
    else if (span_eq(type, "yarn")) yarn_factors(k, h, factor);
    else if (type.n > 0 && !span_eq(type, "none"))
        bad(k, "is not one of none, linear, llama3 and yarn");
    if (!(h->arch->base_window > 0)) h->rope_scale_window = h->rope_scale;
}

/* Which layers have the window: every one but the last of so many, or as an array says. */
static void read_windows(struct keys *k, struct hparams *h)
{
    static const char key[] = "attention.sliding_window_pattern";
    struct gguf_array a;
    h->window = read_int(k, "attention.sliding_window", h->arch->window, 0, INT32_MAX);
    h->window_every = h->arch->window_every;
    if (k->rc) return;
    bool array = gguf_array(k->g, key_of(k, key), &a);
    if (!array) h->window_every = read_int(k, key, h->window_every, 1, h->layers + 1);
    else if (a.n != (size_t)h->layers || a.of == GGUF_STR || a.of == GGUF_ARRAY)
        bad(k, "is not an array of a truth for each layer");
    if (k->rc) return;
    for (int l = 0; l < h->layers; l++) {
        int every = h->window_every;
        h->windowed[l] =
            array ? gguf_array_num(&a, (size_t)l) != 0 : every < 2 || l % every != every - 1;
    }
}

static void read_attention(struct keys *k, struct hparams *h)
{
    const struct arch *a = h->arch;
    bool by_dim = a->scale_by_dim == h->layers;
    float scale = 1 / sqrtf(by_dim ? (float)h->dim / (float)h->heads : (float)h->head_dim);
    h->attn_scale = read_float(k, "attention.scale", scale, 0, 1e6f);
    if (h->attn_scale == 0) h->attn_scale = scale;
    h->softcap_attn = read_float(k, "attn_logit_softcapping", a->softcap_attn, 0, 1e6f);
    h->softcap_logits = read_float(k, "final_logit_softcapping", a->softcap_logits, 0, 1e6f);
    read_windows(k, h);
}

int arch_read(const struct gguf *g, struct hparams *h, struct err *err)
{
    *h = (struct hparams){ .arch = find_arch(g, err) };
    if (!h->arch) return ERR_PARSE;
    struct keys k = { .g = g, .arch = h->arch->name, .err = err };
    read_sizes(&k, h);
    if (!k.rc) read_attention(&k, h);
    if (!k.rc) read_rope(&k, h);
    h->eps = read_float(&k, "attention.layer_norm_rms_epsilon", 1e-5f, 0, 1);
    if (k.rc) return k.rc;
    h->embed_scale = h->arch->has & ARCH_EMBED_SCALE ? sqrtf((float)h->dim) : 1;
    const struct gguf_tensor *e = gguf_tensor(g, "token_embd.weight");
    if (!e || e->n_dims != 2 || e->dim[1] < 1 || e->dim[1] > 1 << 24)
        return err_set(err, ERR_PARSE, "%s: tensor token_embd.weight is %s", gguf_path(g),
                       e ? "not a matrix of usable size" : "missing");
    h->vocab = (int)e->dim[1];
    return 0;
}

int arch_window(const struct hparams *h, int l) { return h->windowed[l] ? h->window : 0; }
