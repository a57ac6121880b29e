/* The vocabulary on its way from a folder to the keys of a GGUF: room for the tokens, the other
 * layouts than tokenizer.json (vocab.txt, vocab.json with merges.txt, and their older names
 * encoder.json and vocab.bpe), tokenizer_config.json, and the writing.
 *
 * Ids are the file's; a hole between them, or above them up to the rows of the embedding matrix,
 * becomes "[PAD17]" of type unused, which no text yields. */
#include "base/io.h"
#include "base/str.h"
#include "model/hf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_JSON   ((size_t)128 << 20)
#define MAX_TOKENS ((size_t)1 << 22)
#define MAX_TEXT   ((size_t)1 << 20) /* a chat template */

int hf_vocab_init(struct hf_vocab *v, struct err *err)
{
    *v = (struct hf_vocab){ .model = "gpt2", .bos = -1, .eos = -1, .unk = -1, .pad = -1 };
    v->cls = v->sep = v->mask = -1;
    v->add_bos = v->add_eos = v->space_prefix = v->squeeze = v->lower = -1;
    v->a = arena_new(0);
    return v->a ? 0 : err_nomem(err);
}

void hf_vocab_clear(struct hf_vocab *v)
{
    arena_free(v->a);
    free(v->tokens);
    free(v->scores);
    free(v->types);
    free(v->merges);
    *v = (struct hf_vocab){ 0 };
}

int hf_vocab_size(struct hf_vocab *v, size_t n, struct err *err)
{
    if (n <= v->n) return 0;
    if (n > MAX_TOKENS)
        return err_set(err, ERR_LIMIT, "a vocabulary of %zu tokens is too large", n);
    if (n > v->cap) {
        size_t cap = n > 2 * v->cap ? n : 2 * v->cap;
        struct span *tokens = realloc(v->tokens, cap * sizeof *tokens);
        if (tokens) v->tokens = tokens;
        float *scores = realloc(v->scores, cap * sizeof *scores);
        if (scores) v->scores = scores;
        int32_t *types = realloc(v->types, cap * sizeof *types);
        if (types) v->types = types;
        if (!tokens || !scores || !types) return err_nomem(err);
        v->cap = cap;
    }
    for (; v->n < n; v->n++) {
        v->tokens[v->n] = (struct span){ NULL, 0 };
        v->scores[v->n] = 0;
        v->types[v->n] = HF_UNUSED;
    }
    return 0;
}

int hf_vocab_set(struct hf_vocab *v, size_t id, const char *s, size_t len, int32_t type)
{
    char *copy = arena_strndup(v->a, s, len);
    if (!copy) return ERR_NOMEM;
    v->tokens[id] = (struct span){ copy, len };
    v->types[id] = type;
    return 0;
}

int hf_vocab_find(const struct hf_vocab *v, const char *s)
{
    for (size_t i = 0; s && i < v->n; i++)
        if (v->tokens[i].p && span_eq(v->tokens[i], s)) return (int)i;
    return -1;
}

int hf_vocab_fill(struct hf_vocab *v, struct err *err)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->tokens[i].p) continue;
        char *s = arena_printf(v->a, "[PAD%zu]", i);
        if (!s) return err_nomem(err);
        v->tokens[i] = span_of(s);
        v->types[i] = HF_UNUSED;
    }
    return 0;
}

/* ---- other layouts than tokenizer.json ---- */

static int read_text(const char *folder, const char *name, size_t max, struct buf *out,
                     struct err *err)
{
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "%s/%s", folder, name);
    int rc = path.failed ? err_nomem(err) : io_read_file(path.p, max, out, err);
    buf_free(&path);
    return rc;
}

static struct span next_line(struct span *rest)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct span line = { rest->p, end ? (size_t)(end - rest->p) : rest->n };
    size_t used = end ? line.n + 1 : line.n;
    rest->p += used, rest->n -= used;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

/* BERT's vocab.txt: a token a line. Tokens that begin a word carry a mark in GGUF, the others
 * lose their "##". */
int hf_wordpiece_set(struct hf_vocab *v, size_t id, const char *s, size_t len)
{
    bool special = len > 2 && s[0] == '[' && s[len - 1] == ']';
    if (special) return hf_vocab_set(v, id, s, len, HF_CONTROL);
    if (len > 2 && s[0] == '#' && s[1] == '#')
        return hf_vocab_set(v, id, s + 2, len - 2, HF_NORMAL);
    char *marked = arena_alloc(v->a, len + 4);
    if (!marked) return ERR_NOMEM;
    memcpy(marked, "\u2581", 3);
    memcpy(marked + 3, s, len);
    v->tokens[id] = (struct span){ marked, len + 3 };
    v->types[id] = HF_NORMAL;
    return 0;
}

static int from_vocab_txt(struct hf_vocab *v, const char *folder, struct err *err)
{
    struct buf text = BUF_INIT(0);
    int rc = read_text(folder, "vocab.txt", MAX_JSON, &text, err);
    struct span rest = { text.p, text.n };
    v->model = "bert";
    v->lower = 1;
    while (!rc && rest.n) {
        struct span line = next_line(&rest);
        rc = hf_vocab_size(v, v->n + 1, err);
        if (!rc && hf_wordpiece_set(v, v->n - 1, line.p, line.n)) rc = err_nomem(err);
    }
    buf_free(&text);
    return rc;
}

static int add_merges_txt(struct hf_vocab *v, struct span rest, const char *what, struct err *err)
{
    size_t cap = 0;
    for (int n = 1; rest.n; n++) {
        struct span line = next_line(&rest);
        if (!line.n || (n == 1 && str_starts(line.p, "#version"))) continue;
        const char *gap = memchr(line.p, ' ', line.n);
        if (!gap || gap == line.p || gap == line.p + line.n - 1)
            return err_set(err, ERR_PARSE, "%s line %d is not two tokens", what, n);
        if (v->n_merges == cap) {
            cap = cap ? 2 * cap : 1024;
            struct span *more = realloc(v->merges, cap * sizeof *more);
            if (!more) return err_nomem(err);
            v->merges = more;
        }
        char *copy = arena_strndup(v->a, line.p, line.n);
        if (!copy) return err_nomem(err);
        v->merges[v->n_merges++] = (struct span){ copy, line.n };
    }
    return 0;
}

/* A JSON object token -> id. */
int hf_vocab_object(struct hf_vocab *v, json_t *object, const char *what, struct err *err)
{
    size_t most = json_object_size(object) + 65536; /* a few holes are usual, many are an attack */
    const char *token;
    json_t *id;
    json_object_foreach(object, token, id)
    {
        json_int_t i = json_is_integer(id) ? json_integer_value(id) : -1;
        if (i < 0 || (uint64_t)i >= most)
            return err_set(err, ERR_PARSE, "%s: token \"%.60s\" has no usable id", what, token);
        int rc = hf_vocab_size(v, (size_t)i + 1, err);
        if (rc) return rc;
        if (v->tokens[i].p)
            return err_set(err, ERR_PARSE, "%s: id %lld is given to two tokens", what,
                           (long long)i);
        if (hf_vocab_set(v, (size_t)i, token, strlen(token), HF_NORMAL)) return err_nomem(err);
    }
    return 0;
}

static int from_vocab_json(struct hf_vocab *v, const char *folder, const char *vocab,
                           const char *merges, const char *pre, struct err *err)
{
    struct buf text = BUF_INIT(0);
    json_t *root = NULL;
    int rc = hf_read_json(folder, vocab, MAX_JSON, 0, &root, err);
    if (!rc) rc = hf_vocab_object(v, root, vocab, err);
    if (!rc) rc = read_text(folder, merges, MAX_JSON, &text, err);
    if (!rc) rc = add_merges_txt(v, (struct span){ text.p, text.n }, merges, err);
    if (!rc && !pre)
        rc =
            err_set(err, ERR_INVAL,
                    "%s has no tokenizer.json, so its pre-tokeniser must be named (--pre)", folder);
    v->pre = pre;
    json_decref(root);
    buf_free(&text);
    return rc;
}

static int from_spm(struct hf_vocab *v, const char *folder, const char *name, struct err *err)
{
    struct buf file = BUF_INIT(0);
    int rc = read_text(folder, name, MAX_JSON, &file, err);
    if (!rc) rc = hf_vocab_spm(v, file.p, file.n, name, err);
    buf_free(&file);
    return rc;
}

/* ---- tokenizer_config.json ---- */

/* "eos_token": "</s>" or {"content": "</s>"}. */
static void named_token(const struct hf_vocab *v, const json_t *root, const char *key, int *id)
{
    const json_t *t = json_object_get(root, key);
    if (json_is_object(t)) t = json_object_get(t, "content");
    int found = hf_vocab_find(v, json_string_value(t));
    if (found >= 0) *id = found;
}

static void tristate(const json_t *root, const char *key, int *out)
{
    const json_t *t = json_object_get(root, key);
    if (json_is_boolean(t)) *out = json_is_true(t);
}

static const char *template_of(const json_t *t)
{
    size_t i;
    json_t *one;
    if (json_is_string(t)) return json_string_value(t);
    json_array_foreach((json_t *)t, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && !strcmp(name, "default"))
            return json_string_value(json_object_get(one, "template"));
    }
    return NULL;
}

static int read_config(struct hf_vocab *v, const char *folder, struct err *err)
{
    json_t *root = NULL;
    struct buf jinja = BUF_INIT(0);
    int rc = 0;
    /* "model_max_length" may be 1e30, written as an integer. */
    if (hf_has_file(folder, "tokenizer_config.json"))
        rc = hf_read_json(folder, "tokenizer_config.json", MAX_JSON, JSON_DECODE_INT_AS_REAL, &root,
                          err);
    named_token(v, root, "bos_token", &v->bos);
    named_token(v, root, "eos_token", &v->eos);
    named_token(v, root, "unk_token", &v->unk);
    named_token(v, root, "pad_token", &v->pad);
    named_token(v, root, "cls_token", &v->cls);
    named_token(v, root, "sep_token", &v->sep);
    named_token(v, root, "mask_token", &v->mask);
    tristate(root, "add_bos_token", &v->add_bos);
    tristate(root, "add_eos_token", &v->add_eos);
    if (!strcmp(v->model, "bert")) tristate(root, "do_lower_case", &v->lower);
    const char *chat = template_of(json_object_get(root, "chat_template"));
    if (!rc && hf_has_file(folder, "chat_template.jinja")) {
        rc = read_text(folder, "chat_template.jinja", MAX_TEXT, &jinja, err);
        chat = buf_str(&jinja);
    }
    if (!rc && chat && *chat && !(v->chat_template = arena_strdup(v->a, chat))) rc = err_nomem(err);
    json_decref(root);
    buf_free(&jinja);
    return rc;
}

int hf_vocab_folder(struct hf_vocab *v, const char *folder, const struct hf_family *family,
                    const char *pre, struct err *err)
{
    json_t *root = NULL;
    int rc;
    const char *said = pre;
    if (!pre && family) pre = family->pre;
    if (hf_has_file(folder, "tokenizer.json")) {
        rc = hf_read_json(folder, "tokenizer.json", MAX_JSON, 0, &root, err);
        v->pre = said;
        if (!rc) rc = hf_vocab_json(v, root, "tokenizer.json", err);
        json_decref(root);
    } else if (hf_has_file(folder, "vocab.txt")) rc = from_vocab_txt(v, folder, err);
    else if (hf_has_file(folder, "tokenizer.model"))
        rc = from_spm(v, folder, "tokenizer.model", err);
    else if (hf_has_file(folder, "vocab.json"))
        rc = from_vocab_json(v, folder, "vocab.json", "merges.txt", pre, err);
    else if (hf_has_file(folder, "encoder.json"))
        rc = from_vocab_json(v, folder, "encoder.json", "vocab.bpe", pre, err);
    else
        rc = err_set(err, ERR_NOTFOUND,
                     "%s has no tokenizer.json, vocab.txt, tokenizer.model or vocab.json", folder);
    return rc ? rc : read_config(v, folder, err);
}

/* ---- writing ---- */

static void put_id(struct gguf_writer *w, const char *key, int id)
{
    if (id >= 0) gguf_put_u32(w, key, (uint32_t)id);
}

static void put_flag(struct gguf_writer *w, const char *key, int flag)
{
    if (flag >= 0) gguf_put_bool(w, key, flag != 0);
}

void hf_vocab_put(const struct hf_vocab *v, struct gguf_writer *w)
{
    bool scored = !strcmp(v->model, "llama") || !strcmp(v->model, "t5");
    gguf_put_str(w, "tokenizer.ggml.model", v->model, strlen(v->model));
    if (v->pre) gguf_put_str(w, "tokenizer.ggml.pre", v->pre, strlen(v->pre));
    gguf_put_strs(w, "tokenizer.ggml.tokens", v->tokens, v->n);
    if (scored) gguf_put_nums(w, "tokenizer.ggml.scores", GGUF_F32, v->scores, v->n);
    gguf_put_nums(w, "tokenizer.ggml.token_type", GGUF_I32, v->types, v->n);
    if (v->n_merges) gguf_put_strs(w, "tokenizer.ggml.merges", v->merges, v->n_merges);
    if (v->charsmap.n)
        gguf_put_nums(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, v->charsmap.p,
                      v->charsmap.n);
    put_id(w, "tokenizer.ggml.bos_token_id", v->bos);
    put_id(w, "tokenizer.ggml.eos_token_id", v->eos);
    put_id(w, "tokenizer.ggml.unknown_token_id", v->unk);
    put_id(w, "tokenizer.ggml.padding_token_id", v->pad);
    put_id(w, "tokenizer.ggml.cls_token_id", v->cls);
    put_id(w, "tokenizer.ggml.seperator_token_id", v->sep);
    put_id(w, "tokenizer.ggml.mask_token_id", v->mask);
    put_flag(w, "tokenizer.ggml.add_bos_token", v->add_bos);
    put_flag(w, "tokenizer.ggml.add_eos_token", v->add_eos);
    put_flag(w, "tokenizer.ggml.add_space_prefix", v->space_prefix);
    put_flag(w, "tokenizer.ggml.remove_extra_whitespaces", v->squeeze);
    put_flag(w, "tokenizer.ggml.lower_case", v->lower);
    if (v->chat_template)
        gguf_put_str(w, "tokenizer.chat_template", v->chat_template, strlen(v->chat_template));
}
