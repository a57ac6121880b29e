/* Importing: small folders made here for every family, and the real ones where they are. */
#include "base/io.h"
#include "base/str.h"
#include "check.h"
#include "model/gguf.h"
#include "model/hf_impl.h"
#include "model/hf_import.h"

#include <math.h>

static char folder[300], out[320];

static void put(const char *name, const void *p, size_t n)
{
    char path[400];
    struct err err = { 0 };
    snprintf(path, sizeof path, "%s/%s", folder, name);
    check_ok(io_write_file(path, p, n, 0644, &err), err);
}

static void puts_in(const char *name, const char *s) { put(name, s, strlen(s)); }

static void fresh(void)
{
    snprintf(folder, sizeof folder, "%s", check_tmp_dir());
    snprintf(out, sizeof out, "%s.gguf", folder);
}

/* ---- safetensors made here: every number tells where it stands ---- */

struct maker {
    struct buf head, data;
    int n;
};

static void add(struct maker *m, const char *name, const char *dtype, int rows, int cols)
{
    int n = (rows ? rows : 1) * cols, size = strcmp(dtype, "F32") ? 2 : 4;
    buf_printf(&m->head, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", m->n++ ? "," : "{", name, dtype);
    if (rows) buf_printf(&m->head, "%d,", rows);
    buf_printf(&m->head, "%d],\"data_offsets\":[%zu,%zu]}", cols, m->data.n,
               m->data.n + (size_t)(n * size));
    for (int i = 0; i < n; i++) {
        float x = (float)i;
        uint16_t h = strcmp(dtype, "BF16") ? f32_to_f16(x) : f32_to_bf16(x);
        buf_add(&m->data, size == 4 ? (void *)&x : (void *)&h, (size_t)size);
    }
}

static void save(struct maker *m, const char *name)
{
    struct buf all = BUF_INIT(0);
    buf_addc(&m->head, '}');
    buf_u64(&all, m->head.n);
    buf_add(&all, m->head.p, m->head.n);
    buf_add(&all, m->data.p, m->data.n);
    put(name, all.p, all.n);
    buf_free(&all);
    buf_free(&m->head);
    buf_free(&m->data);
    *m = (struct maker){ 0 };
}

/* One layer: dim 8, 2 heads of 4, 1 kv head, ff 16, 6 tokens. */
static void add_layer(struct maker *m, int l, bool gemma, const char *dtype)
{
    static const struct {
        const char *name;
        int rows, cols;
    } t[] = { { "input_layernorm", 0, 8 },
              { "post_attention_layernorm", 0, 8 },
              { "self_attn.q_proj", 8, 8 },
              { "self_attn.k_proj", 4, 8 },
              { "self_attn.v_proj", 4, 8 },
              { "self_attn.o_proj", 8, 8 },
              { "mlp.gate_proj", 16, 8 },
              { "mlp.up_proj", 16, 8 },
              { "mlp.down_proj", 8, 16 },
              { "pre_feedforward_layernorm", 0, 8 },
              { "post_feedforward_layernorm", 0, 8 } };
    char name[96];
    for (size_t i = 0; i < (gemma ? 11 : 9); i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", l, t[i].name);
        add(m, name, dtype, t[i].rows, t[i].cols);
    }
}

static const char bpe_tokenizer[] =
    "{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],"
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{"
    "\"Regex\":\"(?i:'s|'t)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?x\"}},"
    "{\"type\":\"ByteLevel\",\"use_regex\":false}]},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<"
    "s>"
    "\"}},{\"Sequence\":{\"id\":\"A\"}}]},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}";

static void make_llama(const char *more, const char *dtype)
{
    struct maker m = { 0 };
    char config[800];
    fresh();
    snprintf(config, sizeof config,
             "{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,"
             "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"intermediate_size\":16,"
             "\"vocab_size\":6,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5%s}",
             more);
    puts_in("config.json", config);
    puts_in("tokenizer.json", bpe_tokenizer);
    add(&m, "model.embed_tokens.weight", dtype, 6, 8);
    add(&m, "model.norm.weight", dtype, 0, 8);
    add_layer(&m, 0, false, dtype);
    add(&m, "lm_head.weight", dtype, 6, 8);
    save(&m, "model.safetensors");
}

static struct gguf *imported(const struct import_opts *o)
{
    struct err err = { 0 };
    struct gguf *g = NULL;
    check_ok(model_import(folder, out, o, NULL, &err), err);
    check_ok(gguf_open(out, &g, &err), err);
    return g;
}

static void refused(int code, const char *part)
{
    struct err err = { 0 };
    check_int(model_import(folder, out, NULL, NULL, &err), code);
    check_has(err.msg, part);
    assert_false(io_exists(out));
}

static float at(const struct gguf *g, const char *name, size_t i)
{
    const struct gguf_tensor *t = gguf_tensor(g, name);
    if (!t) fail_msg("there is no %s", name);
    float *x = malloc(t->n * sizeof *x), v;
    quant_decode(t->type, t->data, t->n, x);
    v = x[i];
    free(x);
    return v;
}

static void llama(void **state)
{
    make_llama("", "F32");
    struct gguf *g = imported(NULL);
    uint32_t u;
    struct gguf_array a;
    check_int(gguf_u32(g, "llama.attention.head_count_kv", &u, NULL), 0);
    check_int(u, 1);
    check_int(gguf_u32_or(g, "llama.attention.key_length", 0), 4);
    /* Row 1 of a head of 4 comes from row 2: pairs (0, 2) and (1, 3) side by side. */
    static const int from[] = { 0, 2, 1, 3, 4, 6, 5, 7 };
    for (size_t r = 0; r < 8; r++) check_near(at(g, "blk.0.attn_q.weight", 8 * r), 8 * from[r], 0);
    check_near(at(g, "blk.0.attn_k.weight", 8), 16, 0);
    check_near(at(g, "blk.0.attn_v.weight", 8), 8, 0);
    check_near(at(g, "blk.0.ffn_norm.weight", 3), 3, 0);
    check_near(at(g, "output.weight", 9), 9, 0);
    assert_true(gguf_array(g, "tokenizer.ggml.tokens", &a) && a.n == 6);
    assert_true(span_eq(gguf_array_str(&a, 3), "<s>") && span_eq(gguf_array_str(&a, 5), "[PAD5]"));
    assert_true(gguf_array(g, "tokenizer.ggml.token_type", &a));
    check_near(gguf_array_num(&a, 3), HF_CONTROL, 0);
    check_near(gguf_array_num(&a, 4), HF_UNUSED, 0);
    assert_true(span_eq(gguf_str_or(g, "tokenizer.ggml.pre", ""), "llama-bpe"));
    assert_true(gguf_array(g, "tokenizer.ggml.merges", &a) &&
                span_eq(gguf_array_str(&a, 0), "a b"));
    assert_true(gguf_bool_or(g, "tokenizer.ggml.add_bos_token", false));
    check_int(gguf_u32_or(g, "tokenizer.ggml.bos_token_id", 9), 3);
    assert_null(gguf_tensor(g, "rope_freqs.weight"));
    gguf_close(g);
}

static void llama31_and_types(void **state)
{
    make_llama(
        ",\"tie_word_embeddings\":true,\"rope_theta\":500000,\"rope_scaling\":{\"rope_type\":"
        "\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
        "\"original_max_position_embeddings\":64}",
        "BF16");
    struct gguf *g = imported(NULL);
    assert_null(gguf_tensor(g, "output.weight"));
    check_int(gguf_tensor(g, "blk.0.ffn_up.weight")->type, QUANT_BF16);
    check_int(gguf_tensor(g, "blk.0.ffn_norm.weight")->type, QUANT_F32);
    check_int(gguf_u32_or(g, "general.file_type", 0), 32);
    check_near(at(g, "rope_freqs.weight", 0), 1, 0);    /* 6 tokens a turn: kept */
    check_near(at(g, "rope_freqs.weight", 1), 8, 1e-6); /* 4,443: stretched */
    gguf_close(g);
    g = imported(&(struct import_opts){ .type = "f16", .name = "Tiny" });
    check_int(gguf_tensor(g, "blk.0.ffn_up.weight")->type, QUANT_F16);
    assert_true(span_eq(gguf_str_or(g, "general.name", ""), "Tiny"));
    gguf_close(g);
}

static void gemma2(void **state)
{
    struct maker m = { 0 };
    struct gguf_array a;
    fresh();
    puts_in("config.json",
            "{\"model_type\":\"gemma2\",\"hidden_size\":8,\"num_hidden_layers\":1,\"head_dim\":4,"
            "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"intermediate_size\":16,"
            "\"vocab_size\":5,\"hidden_act\":\"gelu_pytorch_tanh\",\"attn_logit_softcapping\":50.0,"
            "\"final_logit_softcapping\":30.0,\"query_pre_attn_scalar\":4,\"sliding_window\":16}");
    puts_in(
        "tokenizer.json",
        "{\"normalizer\":{\"type\":\"Replace\"},\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\","
        "\"special\":true}],\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":"
        "\"<unk>\",\"vocab\":{\"<unk>\":0,\"<0x41>\":1,\"a\":2,\"aa\":3,\"aaa\":4,\"beyond\":5},"
        "\"merges\":[\"a a\",\"aa a\",\"a aa\"]}}");
    puts_in("tokenizer_config.json",
            "{\"bos_token\":{\"content\":\"a\"},\"add_bos_token\":true,\"model_max_length\":"
            "1000000000000000019884624838656,\"chat_template\":[{\"name\":\"default\",\"template\":"
            "\"{{ x }}\"}]}");
    add(&m, "model.embed_tokens.weight", "F16", 5, 8);
    add(&m, "model.norm.weight", "F16", 0, 8);
    add_layer(&m, 0, true, "F16");
    save(&m, "model.safetensors");
    struct gguf *g = imported(NULL);
    check_near(at(g, "output_norm.weight", 2), 3, 0); /* plus one */
    check_near(at(g, "blk.0.post_attention_norm.weight", 2), 3, 0);
    check_near(at(g, "blk.0.post_ffw_norm.weight", 2), 3, 0);
    check_near(at(g, "blk.0.attn_q.weight", 8), 8, 0); /* not permuted */
    check_near(gguf_f32_or(g, "gemma2.attn_logit_softcapping", 0), 50, 0);
    check_near(gguf_f32_or(g, "gemma2.attention.scale", 0), 0.5, 0);
    check_int(gguf_u32_or(g, "gemma2.attention.sliding_window", 0), 16);
    assert_true(gguf_array(g, "tokenizer.ggml.scores", &a) && a.n == 5);
    check_near(gguf_array_num(&a, 3), -1, 0);
    check_near(gguf_array_num(&a, 4), -2, 0);
    assert_true(gguf_array(g, "tokenizer.ggml.token_type", &a));
    check_near(gguf_array_num(&a, 0), HF_UNKNOWN, 0);
    check_near(gguf_array_num(&a, 1), HF_BYTE, 0);
    assert_false(gguf_bool_or(g, "tokenizer.ggml.add_space_prefix", true));
    check_int(gguf_u32_or(g, "tokenizer.ggml.bos_token_id", 9), 2);
    assert_true(span_eq(gguf_str_or(g, "tokenizer.chat_template", ""), "{{ x }}"));
    gguf_close(g);
}

static void add_bert(struct maker *m, const char *prefix, int positions)
{
    static const struct {
        const char *name;
        int rows, cols;
    } t[] = { { "attention.self.query", 8, 8 },
              { "attention.self.key", 8, 8 },
              { "attention.self.value", 8, 8 },
              { "attention.output.dense", 8, 8 },
              { "attention.output.LayerNorm", 0, 8 },
              { "intermediate.dense", 16, 8 },
              { "output.dense", 8, 16 },
              { "output.LayerNorm", 0, 8 } };
    char name[120];
    snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefix);
    add(m, name, "F32", 5, 8);
    snprintf(name, sizeof name, "%sembeddings.position_embeddings.weight", prefix);
    add(m, name, "F32", positions, 8);
    snprintf(name, sizeof name, "%sembeddings.token_type_embeddings.weight", prefix);
    add(m, name, "F32", 1, 8);
    snprintf(name, sizeof name, "%sembeddings.LayerNorm.weight", prefix);
    add(m, name, "F32", 0, 8);
    snprintf(name, sizeof name, "%sembeddings.LayerNorm.bias", prefix);
    add(m, name, "F32", 0, 8);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        snprintf(name, sizeof name, "%sencoder.layer.0.%s.weight", prefix, t[i].name);
        add(m, name, "F32", t[i].rows, t[i].cols);
        snprintf(name, sizeof name, "%sencoder.layer.0.%s.bias", prefix, t[i].name);
        add(m, name, "F32", 0, t[i].rows ? t[i].rows : 8);
    }
}

static void xlm_roberta(void **state)
{
    struct maker m = { 0 };
    struct gguf_array a;
    char pooling[400];
    struct err err = { 0 };
    fresh();
    puts_in(
        "config.json",
        "{\"model_type\":\"xlm-roberta\",\"hidden_size\":8,\"num_hidden_layers\":1,\"hidden_act\":"
        "\"gelu\",\"num_attention_heads\":2,\"intermediate_size\":16,\"vocab_size\":5,"
        "\"max_position_embeddings\":12,\"pad_token_id\":1,\"layer_norm_eps\":1e-5}");
    puts_in(
        "tokenizer.json",
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},{\"id\":2,\"content\":"
        "\"</s>\",\"special\":true}],\"normalizer\":{\"type\":\"Precompiled\","
        "\"precompiled_charsmap\":\"AAEC/w==\"},\"post_processor\":{\"type\":"
        "\"RobertaProcessing\",\"sep\":[\"</s>\",2],\"cls\":[\"<s>\",0]},\"model\":{\"type\":"
        "\"Unigram\",\"unk_id\":3,\"vocab\":[[\"<s>\",0],[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0],"
        "[\"\u2581a\",-1.5]]}}");
    puts_in("config_sentence_transformers.json",
            "{\"prompts\":{\"query\":\"query: \",\"passage\":\"passage: \"}}");
    snprintf(pooling, sizeof pooling, "%s/1_Pooling", folder);
    check_ok(io_mkdirs(pooling, 0755, &err), err);
    puts_in("1_Pooling/config.json", "{\"pooling_mode_cls_token\":true}");
    add_bert(&m, "roberta.", 12);
    add(&m, "roberta.pooler.dense.weight", "F32", 8, 8); /* of no use */
    save(&m, "model.safetensors");
    struct gguf *g = imported(NULL);
    check_int(gguf_u32_or(g, "bert.pooling_type", 0), 2);
    check_int(gguf_u32_or(g, "tokenizer.ggml.token_type_count", 0), 2);
    check_int(gguf_u32_or(g, "bert.context_length", 0), 10);
    check_int(gguf_tensor(g, "position_embd.weight")->dim[1], 10);
    check_near(at(g, "position_embd.weight", 0), 16, 0); /* two rows are passed over */
    assert_true(span_eq(gguf_str_or(g, "tokenizer.ggml.model", ""), "t5"));
    assert_true(gguf_array(g, "tokenizer.ggml.precompiled_charsmap", &a) && a.n == 4);
    check_near(gguf_array_num(&a, 3), 255, 0);
    check_int(gguf_u32_or(g, "tokenizer.ggml.cls_token_id", 9), 0);
    check_int(gguf_u32_or(g, "tokenizer.ggml.seperator_token_id", 9), 2);
    check_int(gguf_u32_or(g, "tokenizer.ggml.unknown_token_id", 9), 3);
    assert_true(span_eq(gguf_str_or(g, "likeness.embed.query_prefix", ""), "query: "));
    assert_null(gguf_tensor(g, "pooler.weight"));
    gguf_close(g);
}

static void parts_and_vocab_txt(void **state)
{
    struct maker m = { 0 }, all = { 0 };
    struct buf index = BUF_INIT(0);
    struct gguf_array a;
    fresh();
    puts_in(
        "config.json",
        "{\"model_type\":\"bert\",\"hidden_size\":8,\"num_hidden_layers\":1,\"hidden_act\":\"gelu"
        "\",\"num_attention_heads\":2,\"intermediate_size\":16,\"vocab_size\":5,"
        "\"max_position_embeddings\":12}");
    puts_in("vocab.txt", "[PAD]\n[UNK]\nthe\n##ing\n#\n");
    puts_in("tokenizer_config.json", "{\"do_lower_case\":false,\"unk_token\":\"[UNK]\"}");
    add_bert(&all, "", 12);
    save(&all, "b.safetensors");
    add(&m, "other", "F32", 1, 1);
    save(&m, "a.safetensors");
    buf_adds(&index, "{\"weight_map\":{\"other\":\"a.safetensors\",\"embeddings.LayerNorm.bias\":"
                     "\"b.safetensors\"}}");
    put("model.safetensors.index.json", index.p, index.n);
    struct gguf *g = imported(NULL);
    assert_true(gguf_array(g, "tokenizer.ggml.tokens", &a));
    assert_true(span_eq(gguf_array_str(&a, 2), "\u2581the") &&
                span_eq(gguf_array_str(&a, 3), "ing"));
    assert_true(span_eq(gguf_array_str(&a, 4), "\u2581#"));
    assert_false(gguf_bool_or(g, "tokenizer.ggml.lower_case", true));
    gguf_close(g);
    unlink(out);
    puts_in("model.safetensors.index.json", "{\"weight_map\":{\"x\":\"../b.safetensors\"}}");
    refused(ERR_PARSE, "no usable file name");
    puts_in("model.safetensors.index.json", "{\"weight_map\":{\"x\":\"a.safetensors\"}}");
    refused(ERR_PARSE, "tensor \"x\" is not in a.safetensors");
    puts_in("model.safetensors.index.json", "{\"weight_map\":{\"x\":\"c.safetensors\"}}");
    refused(ERR_NOTFOUND, "c.safetensors");
    buf_free(&index);
}

static void sentencepiece(void **state)
{
    static const char model[] = "\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02"
                                "\x0a\x0a\x0a\x03\xe2\x96\x81\x15\0\0\x80\xbf"
                                "\x12\x0e\x18\x02\xd8\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                "\x1a\x04\x18\x00\x20\x00";
    struct hf_vocab v;
    struct err err = { 0 };
    check_ok(hf_vocab_init(&v, &err), err);
    check_ok(hf_vocab_spm(&v, model, sizeof model - 1, "m", &err), err);
    check_str(v.model, "llama");
    check_int(v.n, 2);
    check_int(v.types[0], HF_UNKNOWN);
    check_near(v.scores[1], -1, 0);
    check_int(v.pad, -1);
    check_int(v.space_prefix, 0);
    hf_vocab_clear(&v);
    for (size_t n = 1; n < sizeof model - 1; n++) { /* cut anywhere: never worse than refused */
        check_ok(hf_vocab_init(&v, &err), err);
        hf_vocab_spm(&v, model, n, "m", &err);
        hf_vocab_clear(&v);
    }
}

static void refusals(void **state)
{
    make_llama(",\"model_type2\":1", "F32");
    puts_in("config.json", "{\"model_type\":\"mamba\"}");
    refused(ERR_INVAL, "\"model_type\" is \"mamba\"");
    puts_in("config.json", "{\"a\":1,\"a\":2}");
    refused(ERR_PARSE, "config.json line 1");
    make_llama(",\"hidden_act\":\"relu\"", "F32");
    refused(ERR_PARSE, "\"hidden_act\"");
    make_llama(",\"rope_scaling\":{\"rope_type\":\"longrope\"}", "F32");
    refused(ERR_PARSE, "\"rope_scaling\"");
    make_llama(",\"num_local_experts\":8", "F32");
    refused(ERR_PARSE, "mixture of experts");
    make_llama(",\"head_dim\":6", "F32");
    refused(ERR_PARSE, "self_attn.q_proj.weight\" is 8 x 8, but config.json makes it 12 x 8");
    make_llama("", "F32");
    puts_in("tokenizer.json", "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false},"
                              "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}");
    refused(ERR_INVAL, "\"pre_tokenizer\"");
    puts_in("tokenizer.json", "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":9000000000}}}");
    refused(ERR_PARSE, "token \"a\" has no usable id");
    puts_in("model.safetensors", "");
    puts_in("tokenizer.json", bpe_tokenizer);
    refused(ERR_PARSE, "is empty");
    puts_in("model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}");
    refused(ERR_PARSE, "beyond 64 MiB");
    make_llama("", "F32");
    struct maker m = { 0 };
    add(&m, "model.embed_tokens.weight", "F32", 6, 8);
    save(&m, "model.safetensors");
    refused(ERR_PARSE, "has no tensor \"model.norm.weight\"");
}

static void safetensors_refused(const char *head, size_t data, const char *part)
{
    struct buf b = BUF_INIT(0);
    struct safetensors *s;
    struct err err = { 0 };
    buf_u64(&b, strlen(head));
    buf_adds(&b, head);
    while (data--) buf_addc(&b, 0);
    check_int(safetensors_open_mem(b.p, b.n, "x", &s, &err), ERR_PARSE);
    check_has(err.msg, part);
    buf_free(&b);
}

static void bad_safetensors(void **state)
{
    safetensors_refused("[]", 0, "no JSON object");
    safetensors_refused("{\"a\":1", 0, "no JSON at byte");
    safetensors_refused("{\"a\":{\"dtype\":\"Q9\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
                        "\"dtype\"");
    safetensors_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
                        "\"shape\"");
    safetensors_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
                        "\"data_offsets\":[0,4]}}",
                        4, "\"shape\"");
    safetensors_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 4,
                        "beyond");
    safetensors_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
                        "another number of bytes");
    safetensors_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                        "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
                        12, "shares bytes");
}

static void real_ones(void **state)
{
    const char *dir = check_data_dir();
    struct err err = { 0 };
    struct gguf *g;
    if (!dir) skip();
    fresh();
    snprintf(folder, sizeof folder, "%s/models/tinystories-656k", dir);
    g = imported(NULL);
    check_int(gguf_tensor_count(g), 20);
    check_int(gguf_u32_or(g, "tokenizer.ggml.eos_token_id", 0), 2);
    gguf_close(g);
    snprintf(folder, sizeof folder, "%s/models/stories260k/stories260K.bin", dir);
    assert_true(model_importable(folder));
    g = imported(NULL);
    check_int(gguf_tensor_count(g), 47);
    check_int(gguf_u32_or(g, "llama.attention.head_count_kv", 0), 4);
    gguf_close(g);
    snprintf(folder, sizeof folder, "%s/tokenizers/smollm", dir);
    g = imported(&(struct import_opts){ .vocab_only = true });
    assert_true(span_eq(gguf_str_or(g, "tokenizer.ggml.pre", ""), "smollm"));
    check_int(gguf_count(g, "tokenizer.ggml.merges", NULL), 48900);
    gguf_close(g);
    snprintf(folder, sizeof folder, "%s/tokenizers/llama3", dir);
    check_int(model_import(folder, out, &(struct import_opts){ .vocab_only = true }, NULL, &err),
              ERR_INVAL);
    g = imported(&(struct import_opts){ .vocab_only = true, .pre = "llama-bpe" });
    check_int(gguf_count(g, "tokenizer.ggml.tokens", NULL), 128000);
    gguf_close(g);
    snprintf(folder, sizeof folder, "%s/README.md", dir);
    assert_false(model_importable(folder));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(llama),         cmocka_unit_test(llama31_and_types),
        cmocka_unit_test(gemma2),        cmocka_unit_test(xlm_roberta),
        cmocka_unit_test(sentencepiece), cmocka_unit_test(parts_and_vocab_txt),
        cmocka_unit_test(refusals),      cmocka_unit_test(bad_safetensors),
        cmocka_unit_test(real_ones),
    };
    return check_run("model/import", t);
}
