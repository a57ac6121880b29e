/* config.json: which family, and the numbers of the model, as the keys of a GGUF.
 *
 * Families that differ from LLaMA only by facts (biases, norms, windows) share the form HF_DECODER;
 * BERT and XLM-RoBERTa are HF_BERT; Nomic's model has names of its own for the same numbers.
 * Multimodal Gemma 3 keeps the numbers of its language part under "text_config".
 *
 * Whatever would change the result and is not understood is refused by name: an activation, a
 * RoPE scaling, a position embedding, experts. */
#include "base/str.h"
#include "model/hf_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct hf_family families[] = {
    { "llama", "llama", HF_DECODER, true, false, false, NULL },
    { "mistral", "llama", HF_DECODER, true, false, false, NULL },
    { "qwen2", "qwen2", HF_DECODER, false, false, false, "qwen2" },
    { "qwen3", "qwen3", HF_DECODER, false, false, false, "qwen2" },
    { "gemma2", "gemma2", HF_DECODER, false, true, true, NULL },
    { "gemma3", "gemma3", HF_DECODER, false, true, true, NULL },
    { "gemma3_text", "gemma3", HF_DECODER, false, true, true, NULL },
    { "bert", "bert", HF_BERT, false, false, false, NULL },
    { "xlm-roberta", "bert", HF_BERT, false, false, false, NULL },
    { "nomic_bert", "nomic-bert", HF_NOMIC, false, false, false, NULL },
};

struct reading {
    const json_t *root;
    const char *what;
    struct err *err;
    int rc;
};

static int fail(struct reading *r, const char *key, const char *how)
{
    if (!r->rc) r->rc = err_set(r->err, ERR_PARSE, "%s: field \"%s\" %s", r->what, key, how);
    return r->rc;
}

/* An integer in [1, most]; absent or null: def, or an error when def is negative. */
static int integer(struct reading *r, const char *key, int def, int most)
{
    const json_t *v = json_object_get(r->root, key);
    if (!v || json_is_null(v)) {
        if (def < 0) fail(r, key, "is missing");
        return def;
    }
    json_int_t i = json_is_integer(v) ? json_integer_value(v) : 0;
    if (i >= 1 && i <= most) return (int)i;
    fail(r, key, "is not a whole number of usable size");
    return 1;
}

static double real(struct reading *r, const json_t *in, const char *key, double def)
{
    const json_t *v = json_object_get(in, key);
    if (!v || json_is_null(v)) return def;
    double x = json_number_value(v);
    if (json_is_number(v) && isfinite(x) && x >= 0) return x;
    fail(r, key, "is not a usable number");
    return def;
}

static const char *string(const json_t *in, const char *key)
{
    const char *s = json_string_value(json_object_get(in, key));
    return s ? s : "";
}

/* A token id, or the first of a list of them. */
static int token_id(const struct reading *r, const char *key)
{
    const json_t *v = json_object_get(r->root, key);
    if (json_is_array(v)) v = json_array_get(v, 0);
    json_int_t i = json_is_integer(v) ? json_integer_value(v) : -1;
    return i >= 0 && i < 1 << 24 ? (int)i : -1;
}

static const struct hf_family *find_family(struct reading *r)
{
    const char *type = string(r->root, "model_type");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].model_type, type)) return &families[i];
    r->rc =
        err_set(r->err, ERR_INVAL,
                "%s: field \"model_type\" is \"%.40s\"; known are llama, mistral, qwen2, qwen3, "
                "gemma2, gemma3, bert, xlm-roberta and nomic_bert",
                r->what, type);
    return NULL;
}

static void check_activation(struct reading *r, const char *key, const char *a, const char *b)
{
    const char *s = string(r->root, key);
    if (*s && strcmp(s, a) && strcmp(s, b)) fail(r, key, "is an activation that is not known here");
}

static void read_rope(struct reading *r, struct hf_config *c)
{
    const json_t *s = json_object_get(r->root, "rope_scaling");
    const json_t *p = json_object_get(r->root, "rope_parameters");
    if (!json_is_object(s)) s = p;
    c->rope_base = real(r, r->root, "rope_theta", real(r, p, "rope_theta", 10000));
    c->rope_base_local = real(r, r->root, "rope_local_base_freq", 0);
    const char *type = string(s, "rope_type");
    if (!*type) type = string(s, "type");
    if (!*type || !strcmp(type, "default")) {
        c->rope_type = "";
        return;
    }
    static const char *const known[] = { "linear", "yarn", "llama3" };
    for (int i = 0; i < 3; i++)
        if (!strcmp(type, known[i])) c->rope_type = known[i];
    if (!c->rope_type) {
        fail(r, "rope_scaling", "has a type other than linear, llama3 and yarn");
        c->rope_type = "";
        return;
    }
    c->rope_factor = real(r, s, "factor", 1);
    c->low_freq = real(r, s, "low_freq_factor", 1);
    c->high_freq = real(r, s, "high_freq_factor", 4);
    c->rope_context = (int)fmin(real(r, s, "original_max_position_embeddings", 8192), 1 << 30);
    if (c->rope_factor < 1e-3 || c->rope_context < 1 || c->high_freq <= c->low_freq)
        fail(r, "rope_scaling", "has unusable numbers");
}

/* Newer files say of each layer what it sees; the first that sees everything ends the period. */
static int period(struct reading *r)
{
    const json_t *types = json_object_get(r->root, "layer_types");
    size_t n = json_array_size(types), every = 0;
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(types, i));
        bool full = s && !strcmp(s, "full_attention");
        if (full && !every) every = i + 1;
        if (every && full != (i % every == every - 1)) fail(r, "layer_types", "has no period");
    }
    return every && every <= 1024 ? (int)every : 0;
}

static void read_windows(struct reading *r, struct hf_config *c)
{
    bool gemma = c->family->norm_plus_one;
    if (json_is_true(json_object_get(r->root, "use_sliding_window")))
        fail(r, "use_sliding_window", "is true, which is not supported");
    /* Qwen names a window that it does not use. */
    if (gemma || !strcmp(c->family->model_type, "mistral"))
        c->window = integer(r, "sliding_window", 0, 1 << 30);
    if (c->window && !gemma && c->window >= c->context) c->window = 0;
    if (!gemma) return;
    c->window_every = integer(r, "sliding_window_pattern", period(r), 1024);
    c->softcap_attn = real(r, r->root, "attn_logit_softcapping", 0);
    c->softcap_logits = real(r, r->root, "final_logit_softcapping", 0);
    c->query_scalar = real(r, r->root, "query_pre_attn_scalar", 0);
}

static void read_decoder(struct reading *r, struct hf_config *c)
{
    bool gemma = c->family->norm_plus_one;
    c->layers = integer(r, "num_hidden_layers", -1, 1024);
    c->dim = integer(r, "hidden_size", -1, 1 << 17);
    c->heads = integer(r, "num_attention_heads", -1, 1024);
    c->heads_kv = integer(r, "num_key_value_heads", c->heads, 1024);
    c->ff = integer(r, "intermediate_size", -1, 1 << 20);
    c->context = integer(r, "max_position_embeddings", gemma ? 8192 : 2048, 1 << 30);
    c->vocab = integer(r, "vocab_size", -1, 1 << 22);
    c->eps = real(r, r->root, "rms_norm_eps", 1e-6);
    if (r->rc) return;
    c->head_dim = integer(r, "head_dim", gemma ? 256 : c->dim / c->heads, 1024);
    if (c->head_dim < 2 || c->head_dim % 2) fail(r, "head_dim", "must be even");
    if (c->heads % c->heads_kv)
        fail(r, "num_key_value_heads", "does not divide the number of heads");
    const json_t *tied = json_object_get(r->root, "tie_word_embeddings");
    c->tied = tied ? json_is_true(tied) : gemma;
    check_activation(r, "hidden_act", gemma ? "gelu_pytorch_tanh" : "silu",
                     gemma ? "gelu" : "silu");
    if (json_object_get(r->root, "num_local_experts"))
        fail(r, "num_local_experts", "makes it a mixture of experts, which is not supported");
    if (json_is_true(json_object_get(r->root, "mlp_bias")))
        fail(r, "mlp_bias", "is true, which is not supported");
    read_rope(r, c);
    read_windows(r, c);
}

static void read_bert(struct reading *r, struct hf_config *c)
{
    const char *positions = string(r->root, "position_embedding_type");
    c->layers = integer(r, "num_hidden_layers", -1, 1024);
    c->dim = integer(r, "hidden_size", -1, 1 << 17);
    c->heads = c->heads_kv = integer(r, "num_attention_heads", -1, 1024);
    c->ff = integer(r, "intermediate_size", -1, 1 << 20);
    c->context = integer(r, "max_position_embeddings", 512, 1 << 24);
    c->vocab = integer(r, "vocab_size", -1, 1 << 22);
    c->token_types = integer(r, "type_vocab_size", 2, 1024);
    c->eps = real(r, r->root, "layer_norm_eps", 1e-12);
    if (*positions && strcmp(positions, "absolute"))
        fail(r, "position_embedding_type", "is not \"absolute\"");
    check_activation(r, "hidden_act", "gelu", "gelu");
    if (strcmp(c->family->model_type, "xlm-roberta")) return;
    /* Its first position is that of the padding token, plus one. */
    int pad = token_id(r, "pad_token_id");
    c->position_offset = (pad < 0 ? 1 : pad) + 1;
    if (c->context <= c->position_offset)
        fail(r, "max_position_embeddings", "is no larger than pad_token_id");
    else c->context -= c->position_offset;
}

static void read_nomic(struct reading *r, struct hf_config *c)
{
    c->layers = integer(r, "n_layer", -1, 1024);
    c->dim = integer(r, "n_embd", -1, 1 << 17);
    c->heads = c->heads_kv = integer(r, "n_head", -1, 1024);
    c->ff = integer(r, "n_inner", -1, 1 << 20);
    c->context = integer(r, "n_positions", 2048, 1 << 24);
    c->vocab = integer(r, "vocab_size", -1, 1 << 22);
    c->token_types = integer(r, "type_vocab_size", 2, 1024);
    c->eps = real(r, r->root, "layer_norm_epsilon", 1e-12);
    c->rope_base = real(r, r->root, "rotary_emb_base", 10000);
    c->rope_type = "";
    if (real(r, r->root, "rotary_emb_fraction", 1) != 1) fail(r, "rotary_emb_fraction", "is not 1");
    if (json_is_true(json_object_get(r->root, "rotary_emb_interleaved")))
        fail(r, "rotary_emb_interleaved", "is true, which is not supported");
    check_activation(r, "activation_function", "swiglu", "swiglu");
}

int hf_config_read(const json_t *root, const char *what, struct hf_config *c, struct err *err)
{
    struct reading r = { root, what, err, 0 };
    *c = (struct hf_config){ .bos = -1, .eos = -1 };
    if (!json_is_object(root)) return err_set(err, ERR_PARSE, "%s is no JSON object", what);
    if (!(c->family = find_family(&r))) return r.rc;
    const json_t *text = json_object_get(root, "text_config");
    const char *name = string(root, "_name_or_path"), *slash = strrchr(name, '/');
    snprintf(c->name, sizeof c->name, "%s", slash ? slash + 1 : name);
    c->bos = token_id(&r, "bos_token_id");
    c->eos = token_id(&r, "eos_token_id");
    if (json_is_object(text) && !json_object_get(root, "hidden_size")) r.root = text;
    if (c->family->form == HF_DECODER) read_decoder(&r, c);
    else if (c->family->form == HF_BERT) read_bert(&r, c);
    else read_nomic(&r, c);
    if (!r.rc && c->heads && c->family->form != HF_DECODER && c->dim % c->heads)
        fail(&r, "hidden_size", "is no multiple of the number of heads");
    return r.rc;
}

/* ---- keys ---- */

struct putting {
    struct gguf_writer *w;
    const char *arch;
};

static void put_u32(const struct putting *p, const char *key, int v)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    gguf_put_u32(p->w, full, (uint32_t)v);
}

static void put_f32(const struct putting *p, const char *key, double v)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    gguf_put_f32(p->w, full, (float)v);
}

static void put_rope(const struct putting *p, const struct hf_config *c)
{
    char key[96];
    put_u32(p, "rope.dimension_count", c->head_dim);
    put_f32(p, "rope.freq_base", c->rope_base);
    if (c->rope_base_local > 0) put_f32(p, "rope.freq_base_swa", c->rope_base_local);
    if (!strcmp(c->rope_type, "llama3") || !*c->rope_type) return; /* factors are a tensor */
    snprintf(key, sizeof key, "%s.rope.scaling.type", p->arch);
    gguf_put_str(p->w, key, c->rope_type, strlen(c->rope_type));
    put_f32(p, "rope.scaling.factor", c->rope_factor);
    if (strcmp(c->rope_type, "yarn")) return;
    put_u32(p, "rope.scaling.original_context_length", c->rope_context);
}

static void put_encoder(const struct putting *p, const struct hf_config *c)
{
    char key[96];
    snprintf(key, sizeof key, "%s.attention.causal", p->arch);
    gguf_put_bool(p->w, key, false);
    put_f32(p, "attention.layer_norm_epsilon", c->eps);
    if (c->pooling) put_u32(p, "pooling_type", c->pooling);
    /* Not read here, but llama.cpp opens no encoder without it. */
    gguf_put_u32(p->w, "tokenizer.ggml.token_type_count", (uint32_t)c->token_types);
    if (c->family->form == HF_NOMIC) put_f32(p, "rope.freq_base", c->rope_base);
}

void hf_config_put(const struct hf_config *c, struct gguf_writer *w)
{
    struct putting p = { w, c->family->arch };
    gguf_put_str(w, "general.architecture", p.arch, strlen(p.arch));
    put_u32(&p, "block_count", c->layers);
    put_u32(&p, "context_length", c->context);
    put_u32(&p, "embedding_length", c->dim);
    put_u32(&p, "feed_forward_length", c->ff);
    put_u32(&p, "attention.head_count", c->heads);
    put_u32(&p, "vocab_size", c->vocab);
    if (c->family->form != HF_DECODER) {
        put_encoder(&p, c);
        return;
    }
    put_u32(&p, "attention.head_count_kv", c->heads_kv);
    put_u32(&p, "attention.key_length", c->head_dim);
    put_u32(&p, "attention.value_length", c->head_dim);
    put_f32(&p, "attention.layer_norm_rms_epsilon", c->eps);
    put_rope(&p, c);
    if (c->window) put_u32(&p, "attention.sliding_window", c->window);
    if (c->window_every) put_u32(&p, "attention.sliding_window_pattern", c->window_every);
    if (c->softcap_attn > 0) put_f32(&p, "attn_logit_softcapping", c->softcap_attn);
    if (c->softcap_logits > 0) put_f32(&p, "final_logit_softcapping", c->softcap_logits);
    if (c->query_scalar > 0) put_f32(&p, "attention.scale", 1 / sqrt(c->query_scalar));
}
