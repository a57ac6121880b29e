/* tokenizer.json, the tokenizers library's own format, as a GGUF vocabulary.
 *
 *   model.type   with                          becomes
 *   WordPiece                                  bert
 *   Unigram      scores                        t5, with the normaliser's character map
 *   BPE          a ByteLevel pre-tokeniser     gpt2, and which regular expression splits the text
 *   BPE          byte_fallback                 llama: SentencePiece merges by score; the score of a
 *                                              token is minus the rank of the first merge making it
 *
 * What splits text before BPE is a regular expression here and a name in GGUF. The known ones are
 * recognised by a piece of them that the others lack; any other is refused, since tokens cut
 * otherwise are silently wrong. */
#include "base/str.h"
#include "model/hf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct hf_vocab *v;
    const char *what;
    struct err *err;
};

static const char *type_of(const json_t *t)
{
    const char *s = json_string_value(json_object_get(t, "type"));
    return s ? s : "";
}

/* Look for `type` in a normaliser, pre-tokeniser, decoder or post-processor and those inside a
 * Sequence; the nth of it, from 0. */
static const json_t *find_type(const json_t *t, const char *type, int *nth)
{
    static const char *const lists[] = { "pretokenizers", "normalizers", "decoders", "processors" };
    if (!strcmp(type_of(t), type) && (*nth)-- == 0) return t;
    for (size_t k = 0; k < 4; k++) {
        const json_t *list = json_object_get(t, lists[k]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *one = json_array_get(list, i);
            /* Sequences of sequences do not occur: one level keeps hostile depth out. */
            if (!strcmp(type_of(one), type) && (*nth)-- == 0) return one;
        }
    }
    return NULL;
}

static const json_t *first(const json_t *t, const char *type)
{
    int nth = 0;
    return find_type(t, type, &nth);
}

/* ---- tokens ---- */

static int read_merges(struct reading *r, const json_t *list)
{
    struct hf_vocab *v = r->v;
    size_t n = json_array_size(list);
    v->merges = malloc((n + 1) * sizeof *v->merges);
    if (!v->merges) return err_nomem(r->err);
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(list, i);
        const char *whole = json_string_value(m), *a = json_string_value(json_array_get(m, 0)),
                   *b = json_string_value(json_array_get(m, 1));
        char *s;
        if (whole && strchr(whole, ' ')) s = arena_strdup(v->a, whole);
        else if (a && b && json_array_size(m) == 2) s = arena_printf(v->a, "%s %s", a, b);
        else
            return err_set(r->err, ERR_PARSE, "%s: model.merges[%zu] is not two tokens", r->what,
                           i);
        if (!s) return err_nomem(r->err);
        v->merges[v->n_merges++] = span_of(s);
    }
    return 0;
}

/* Special tokens and others beside the model's own vocabulary. */
static int read_added(struct reading *r, const json_t *list)
{
    struct hf_vocab *v = r->v;
    size_t most = v->n + json_array_size(list) + 65536;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *t = json_array_get(list, i);
        const char *s = json_string_value(json_object_get(t, "content"));
        const json_t *id = json_object_get(t, "id");
        json_int_t at = json_is_integer(id) ? json_integer_value(id) : -1;
        if (!s || at < 0 || (uint64_t)at >= most)
            return err_set(r->err, ERR_PARSE, "%s: added_tokens[%zu] has no usable id or content",
                           r->what, i);
        int rc = hf_vocab_size(v, (size_t)at + 1, r->err);
        if (rc) return rc;
        bool special = json_is_true(json_object_get(t, "special"));
        int32_t type = v->types[at] == HF_UNKNOWN ? HF_UNKNOWN : special ? HF_CONTROL : HF_USER;
        if (hf_vocab_set(v, (size_t)at, s, strlen(s), type)) return err_nomem(r->err);
    }
    return 0;
}

/* <0x00> to <0xFF> */
static bool is_byte(struct span s) { return s.n == 6 && !memcmp(s.p, "<0x", 3) && s.p[5] == '>'; }

static void mark_bytes(struct hf_vocab *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->tokens[i].p && v->types[i] == HF_NORMAL && is_byte(v->tokens[i]))
            v->types[i] = HF_BYTE;
}

static int by_text(const void *a, const void *b)
{
    const struct span *x = *(const struct span *const *)a, *y = *(const struct span *const *)b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : x->n < y->n ? -1 : x->n > y->n;
}

/* Scores from merges: -1 - rank of the first that makes the token; single characters, which no
 * merge makes, lie below all. */
static int score_by_rank(struct reading *r)
{
    struct hf_vocab *v = r->v;
    const struct span **sorted = malloc((v->n + 1) * sizeof *sorted);
    size_t n = 0;
    if (!sorted) return err_nomem(r->err);
    for (size_t i = 0; i < v->n; i++) {
        if (v->types[i] == HF_NORMAL) v->scores[i] = -1e9f;
        if (v->tokens[i].p && v->types[i] == HF_NORMAL) sorted[n++] = &v->tokens[i];
    }
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = v->n_merges; i-- > 0;) {
        const char *gap = memchr(v->merges[i].p, ' ', v->merges[i].n);
        size_t left = (size_t)(gap - v->merges[i].p), right = v->merges[i].n - left - 1;
        char *joined = malloc(left + right + 1);
        if (!joined) break;
        memcpy(joined, v->merges[i].p, left);
        memcpy(joined + left, gap + 1, right);
        struct span key = { joined, left + right };
        const struct span *at = &key, **hit = bsearch(&at, sorted, n, sizeof *sorted, by_text);
        if (hit) v->scores[*hit - v->tokens] = -1 - (float)i;
        free(joined);
    }
    free(sorted);
    return 0;
}

/* ---- kinds ---- */

/* The name of what splits text before byte-level BPE. */
static const char *pre_name(const json_t *pre)
{
    static const struct {
        const char *part, *name;
    } known[] = {
        /* Letters of any case run together and digits come in threes: LLaMA 3. */
        { "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|", "llama-bpe" },
        { "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|", "qwen2" },
        { "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*", "tekken" },
        { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+", "gpt-2" },
    };
    const json_t *digits = first(pre, "Digits"), *bytes = first(pre, "ByteLevel"), *split;
    bool regex = !json_is_false(json_object_get(bytes, "use_regex"));
    for (int i = 0, nth; nth = i, (split = find_type(pre, "Split", &nth)); i++) {
        const char *s =
            json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
        for (size_t k = 0; s && k < sizeof known / sizeof *known; k++)
            if (strstr(s, known[k].part)) return known[k].name;
        return NULL;
    }
    if (!bytes || !regex) return NULL;
    if (!digits) return "gpt-2";
    return json_is_true(json_object_get(digits, "individual_digits")) ? "smollm" : NULL;
}

static int read_bpe(struct reading *r, const json_t *root, const json_t *model)
{
    struct hf_vocab *v = r->v;
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    bool bytes = first(pre, "ByteLevel") || first(json_object_get(root, "decoder"), "ByteLevel");
    int rc = hf_vocab_object(v, json_object_get(model, "vocab"), r->what, r->err);
    if (!rc) rc = read_merges(r, json_object_get(model, "merges"));
    if (rc) return rc;
    if (bytes) {
        v->model = "gpt2";
        if (!v->pre) v->pre = pre_name(pre);
        if (v->pre) return 0;
        return err_set(r->err, ERR_INVAL,
                       "%s: field \"pre_tokenizer\" splits text in a way that is not known here; "
                       "known are llama-bpe, qwen2, gpt-2 and smollm",
                       r->what);
    }
    if (!json_is_true(json_object_get(model, "byte_fallback")))
        return err_set(r->err, ERR_INVAL,
                       "%s: a BPE model that knows no bytes is not supported (field \"model\")",
                       r->what);
    const json_t *normal = json_object_get(root, "normalizer");
    v->model = "llama";
    v->pre = "default";
    v->space_prefix = first(normal, "Prepend") != NULL;
    const char *scheme =
        json_string_value(json_object_get(first(pre, "Metaspace"), "prepend_scheme"));
    if (first(pre, "Metaspace")) v->space_prefix = !scheme || strcmp(scheme, "never") != 0;
    return 0;
}

/* Standard base64, as the library writes byte strings. */
static int decode_base64(struct hf_vocab *v, const char *s, struct span *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = arena_alloc(v->a, strlen(s) / 4 * 3 + 4);
    uint32_t bits = 0;
    int have = 0;
    *out = (struct span){ p, 0 };
    if (!p) return ERR_NOMEM;
    for (; *s && *s != '='; s++) {
        const char *at = strchr(letters, *s);
        if (!at) return ERR_PARSE;
        bits = bits << 6 | (uint32_t)(at - letters);
        if ((have += 6) < 8) continue;
        p[out->n++] = (char)(bits >> (have -= 8));
    }
    return 0;
}

static int read_unigram(struct reading *r, const json_t *root, const json_t *model)
{
    struct hf_vocab *v = r->v;
    const json_t *list = json_object_get(model, "vocab"), *unk = json_object_get(model, "unk_id");
    int rc = hf_vocab_size(v, json_array_size(list), r->err);
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const json_t *pair = json_array_get(list, i), *score = json_array_get(pair, 1);
        const char *s = json_string_value(json_array_get(pair, 0));
        if (!s || !json_is_number(score))
            return err_set(r->err, ERR_PARSE, "%s: model.vocab[%zu] is not a token and a score",
                           r->what, i);
        if (hf_vocab_set(v, i, s, strlen(s), HF_NORMAL)) return err_nomem(r->err);
        v->scores[i] = (float)json_number_value(score);
    }
    if (rc) return rc;
    v->model = "t5";
    v->pre = "default";
    if (json_is_integer(unk) && (size_t)json_integer_value(unk) < v->n) {
        v->unk = (int)json_integer_value(unk);
        v->types[v->unk] = HF_UNKNOWN;
    }
    const json_t *normal = json_object_get(root, "normalizer");
    const char *map =
        json_string_value(json_object_get(first(normal, "Precompiled"), "precompiled_charsmap"));
    if (map && decode_base64(v, map, &v->charsmap))
        return err_set(r->err, ERR_PARSE, "%s: field \"precompiled_charsmap\" is not base64",
                       r->what);
    v->space_prefix = 1;
    v->squeeze = 1;
    return 0;
}

static int read_wordpiece(struct reading *r, const json_t *root, const json_t *model)
{
    struct hf_vocab *v = r->v;
    const json_t *normal = first(json_object_get(root, "normalizer"), "BertNormalizer");
    int rc = hf_vocab_object(v, json_object_get(model, "vocab"), r->what, r->err);
    for (size_t i = 0; i < v->n && !rc; i++)
        if (v->tokens[i].p && hf_wordpiece_set(v, i, v->tokens[i].p, v->tokens[i].n))
            rc = err_nomem(r->err);
    v->model = "bert";
    v->lower = !json_is_false(json_object_get(normal, "lowercase"));
    return rc;
}

/* ---- the whole ---- */

/* Which special tokens stand around a text. */
static void read_template(struct hf_vocab *v, const json_t *post)
{
    const json_t *t = first(post, "TemplateProcessing"), *single = json_object_get(t, "single");
    size_t n = json_array_size(single);
    const char *begin = json_string_value(
        json_object_get(json_object_get(json_array_get(single, 0), "SpecialToken"), "id"));
    const char *end =
        n > 1 ? json_string_value(json_object_get(
                    json_object_get(json_array_get(single, n - 1), "SpecialToken"), "id"))
              : NULL;
    if (!t) return;
    v->add_bos = begin != NULL;
    v->add_eos = end != NULL;
    if (begin) v->bos = hf_vocab_find(v, begin);
    if (end) v->eos = hf_vocab_find(v, end);
}

/* RobertaProcessing and BertProcessing: "sep": ["</s>", 2], "cls": ["<s>", 0]. */
static void read_pair_processing(struct hf_vocab *v, const json_t *post)
{
    const json_t *t = first(post, "RobertaProcessing");
    if (!t) t = first(post, "BertProcessing");
    if (!t) return;
    const char *cls = json_string_value(json_array_get(json_object_get(t, "cls"), 0));
    const char *sep = json_string_value(json_array_get(json_object_get(t, "sep"), 0));
    v->add_bos = v->add_eos = 1;
    v->cls = v->bos = hf_vocab_find(v, cls);
    v->sep = v->eos = hf_vocab_find(v, sep);
}

int hf_vocab_json(struct hf_vocab *v, const json_t *root, const char *what, struct err *err)
{
    struct reading r = { v, what, err };
    const json_t *model = json_object_get(root, "model");
    const char *type = type_of(model),
               *unk = json_string_value(json_object_get(model, "unk_token"));
    int rc;
    if (!*type && json_object_get(model, "merges")) type = "BPE"; /* old files leave it out */
    if (!strcmp(type, "BPE")) rc = read_bpe(&r, root, model);
    else if (!strcmp(type, "Unigram")) rc = read_unigram(&r, root, model);
    else if (!strcmp(type, "WordPiece")) rc = read_wordpiece(&r, root, model);
    else
        rc = err_set(err, ERR_PARSE, "%s: field \"model.type\" is not BPE, Unigram or WordPiece",
                     what);
    if (rc) return rc;
    if (unk && (v->unk = hf_vocab_find(v, unk)) >= 0 && strcmp(v->model, "bert") &&
        strcmp(v->model, "gpt2"))
        v->types[v->unk] = HF_UNKNOWN;
    if ((rc = read_added(&r, json_object_get(root, "added_tokens")))) return rc;
    if (!v->n) return err_set(err, ERR_PARSE, "%s: field \"model.vocab\" is empty", what);
    if (!strcmp(v->model, "llama")) {
        mark_bytes(v);
        if ((rc = score_by_rank(&r))) return rc;
    }
    read_template(v, json_object_get(root, "post_processor"));
    read_pair_processing(v, json_object_get(root, "post_processor"));
    return 0;
}
