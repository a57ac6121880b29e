/* Vocabularies for the tests of tokenizers: a GGUF in memory, made of tokenizer keys alone, and
 * loaders of the vocabularies in the test data that are no GGUF.
 *
 *     struct vocab v = vocab_begin();
 *     vocab_str(&v, "model", "gpt2");          keys are tokenizer.ggml.NAME
 *     vocab_strs(&v, "tokens", tokens, n);
 *     struct tokenizer *t = vocab_open(&v);    fails the test when it does not open
 *     tokenizer_close(t);
 *     vocab_free(&v); */
#ifndef LK_TESTS_MODEL_TOK_FIXTURE_H
#define LK_TESTS_MODEL_TOK_FIXTURE_H

#include "check.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"
#include "model/tokenizer.h"

#include <jansson.h>

struct vocab {
    struct buf keys, file;
    uint64_t n;
};

static inline struct vocab vocab_begin(void) { return (struct vocab){ 0 }; }

static inline void vocab_text(struct buf *b, const char *s, size_t n)
{
    buf_u64(b, n);
    buf_add(b, s, n);
}

static inline void vocab_key(struct vocab *v, const char *name, uint32_t type)
{
    char key[96];
    int n = snprintf(key, sizeof key, "tokenizer.ggml.%s", name);
    vocab_text(&v->keys, key, (size_t)n);
    buf_u32(&v->keys, type);
    v->n++;
}

static inline void vocab_str(struct vocab *v, const char *name, const char *s)
{
    vocab_key(v, name, 8);
    vocab_text(&v->keys, s, strlen(s));
}

static inline void vocab_u32(struct vocab *v, const char *name, uint32_t x)
{
    vocab_key(v, name, 4);
    buf_u32(&v->keys, x);
}

static inline void vocab_bool(struct vocab *v, const char *name, bool x)
{
    vocab_key(v, name, 7);
    buf_u8(&v->keys, x);
}

static inline void vocab_array(struct vocab *v, const char *name, uint32_t of, size_t n)
{
    vocab_key(v, name, 9);
    buf_u32(&v->keys, of);
    buf_u64(&v->keys, n);
}

static inline void vocab_strs(struct vocab *v, const char *name, const char *const *s, size_t n)
{
    vocab_array(v, name, 8, n);
    for (size_t i = 0; i < n; i++) vocab_text(&v->keys, s[i], strlen(s[i]));
}

static inline void vocab_ints(struct vocab *v, const char *name, const int32_t *x, size_t n)
{
    vocab_array(v, name, 5, n);
    for (size_t i = 0; i < n; i++) buf_u32(&v->keys, (uint32_t)x[i]);
}

static inline void vocab_floats(struct vocab *v, const char *name, const float *x, size_t n)
{
    vocab_array(v, name, 6, n);
    for (size_t i = 0; i < n; i++) buf_add(&v->keys, &x[i], 4);
}

static inline void vocab_free(struct vocab *v)
{
    buf_free(&v->keys);
    buf_free(&v->file);
}

/* What tokenizer_open says; *out may be NULL then. */
static inline int vocab_try(struct vocab *v, struct tokenizer **out, struct err *err)
{
    struct gguf *g;
    *out = NULL;
    buf_clear(&v->file);
    buf_adds(&v->file, "GGUF");
    buf_u32(&v->file, 3);
    buf_u64(&v->file, 0);
    buf_u64(&v->file, v->n);
    buf_add(&v->file, v->keys.p, v->keys.n);
    while (v->file.n % 32) buf_u8(&v->file, 0);
    assert_int_equal(v->file.failed, 0);
    int rc = gguf_open_mem(v->file.p, v->file.n, "vocabulary", &g, err);
    if (!rc) rc = tokenizer_open(g, out, err);
    gguf_close(g);
    return rc;
}

static inline struct tokenizer *vocab_open(struct vocab *v)
{
    struct err err = { 0 };
    struct tokenizer *t;
    check_ok(vocab_try(v, &t, &err), err);
    return t;
}

static inline struct tokenizer *vocab_open_file(const char *path)
{
    struct err err = { 0 };
    struct tokenizer *t;
    struct gguf *g;
    check_ok(gguf_open(path, &g, &err), err);
    check_ok(tokenizer_open(g, &t, &err), err);
    gguf_close(g);
    return t;
}

static inline json_t *vocab_json(const char *dir, const char *name)
{
    char path[512];
    json_error_t e;
    snprintf(path, sizeof path, "%s/tokenizers/%s", dir, name);
    json_t *j = json_load_file(path, 0, &e);
    if (!j) fail_msg("%s: %s", path, e.text);
    return j;
}

/* {"token": id, ...} and, where `added` is a list of them, {"id": .., "content": ..}. */
static inline void vocab_from(struct vocab *v, json_t *ids, json_t *added)
{
    size_t n = json_object_size(ids), k;
    const char *name;
    json_t *x;
    json_array_foreach(added, k, x)
    {
        size_t id = (size_t)json_integer_value(json_object_get(x, "id"));
        if (id >= n) n = id + 1;
    }
    const char **s = calloc(n, sizeof *s);
    int32_t *type = calloc(n, sizeof *type);
    for (size_t i = 0; i < n; i++) s[i] = "", type[i] = 1;
    json_object_foreach(ids, name, x) s[json_integer_value(x)] = name;
    json_array_foreach(added, k, x)
    {
        size_t id = (size_t)json_integer_value(json_object_get(x, "id"));
        s[id] = json_string_value(json_object_get(x, "content"));
        type[id] = strcmp(s[id], "[UNK]") ? 3 : 2;
    }
    vocab_strs(v, "tokens", s, n);
    vocab_ints(v, "token_type", type, n);
    free(s);
    free(type);
}

/* llama3/encoder.json and vocab.bpe. */
static inline struct tokenizer *vocab_llama3(const char *dir, const char *pre)
{
    struct vocab v = vocab_begin();
    struct buf merges = { 0 };
    struct err err = { 0 };
    char path[512];
    json_t *ids = vocab_json(dir, "llama3/encoder.json");
    vocab_str(&v, "model", "gpt2");
    vocab_str(&v, "pre", pre);
    vocab_from(&v, ids, NULL);
    snprintf(path, sizeof path, "%s/tokenizers/llama3/vocab.bpe", dir);
    check_ok(io_read_file(path, 1 << 24, &merges, &err), err);
    size_t n = 0;
    for (char *p = merges.p, *q; (q = memchr(p, '\n', (size_t)(merges.p + merges.n - p)));
         p = q + 1)
        n += q > p;
    vocab_array(&v, "merges", 8, n);
    for (char *p = merges.p, *q; (q = memchr(p, '\n', (size_t)(merges.p + merges.n - p)));
         p = q + 1)
        if (q > p) vocab_text(&v.keys, p, (size_t)(q - p));
    struct tokenizer *t = vocab_open(&v);
    json_decref(ids);
    buf_free(&merges);
    vocab_free(&v);
    return t;
}

/* smollm/tokenizer.json (BPE) or minilm/tokenizer.json (WordPiece, in its "##" form). */
static inline struct tokenizer *vocab_tokenizer_json(const char *dir, const char *name,
                                                     const char *model, const char *pre)
{
    struct vocab v = vocab_begin();
    json_t *j = vocab_json(dir, name), *m = json_object_get(j, "model"), *x;
    json_t *merges = json_object_get(m, "merges");
    size_t k;
    vocab_str(&v, "model", model);
    vocab_str(&v, "pre", pre);
    vocab_from(&v, json_object_get(m, "vocab"), json_object_get(j, "added_tokens"));
    vocab_array(&v, "merges", 8, json_array_size(merges));
    json_array_foreach(merges, k, x)
    {
        char both[512];
        const char *s = json_string_value(x);
        if (!s) {
            snprintf(both, sizeof both, "%s %s", json_string_value(json_array_get(x, 0)),
                     json_string_value(json_array_get(x, 1)));
            s = both;
        }
        vocab_text(&v.keys, s, strlen(s));
    }
    struct tokenizer *t = vocab_open(&v);
    json_decref(j);
    vocab_free(&v);
    return t;
}

/* All bytes and "ab", "abc", " a", with the merges for them; 256.. are the specials. */
static inline struct vocab vocab_small(const char *pre)
{
    static const char *const more[] = { "ab",         "abc",         "Ġa",       "<|im_start|>",
                                        "<|im_end|>", "<tool_call>", "<tool_ca", "\n\n" };
    static const char *const merges[] = { "a b", "ab c", "Ġ a" };
    static char text[256][4];
    const char *s[264];
    int32_t type[264];
    struct vocab v = vocab_begin();
    for (int b = 0, other = 0; b < 256; b++) {
        bool plain = (b > ' ' && b < 127) || (b > 160 && b != 173);
        int cp = plain ? b : 256 + other++;
        text[b][utf8_put(text[b], (uint32_t)cp)] = 0;
        s[b] = text[b], type[b] = 1;
    }
    for (int i = 0; i < 8; i++) s[256 + i] = more[i], type[256 + i] = i < 3 ? 1 : i < 5 ? 3 : 4;
    vocab_str(&v, "model", "gpt2");
    vocab_str(&v, "pre", pre);
    vocab_strs(&v, "tokens", s, 264);
    vocab_ints(&v, "token_type", type, 264);
    vocab_strs(&v, "merges", merges, 3);
    vocab_u32(&v, "eos_token_id", 260);
    return v;
}

#endif
