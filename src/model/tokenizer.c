/* Tokenizers: opening one from the keys of a GGUF, and the walk over a text that is the same for
 * all kinds.
 *
 * A text is first searched for added tokens: those that the vocabulary's maker defined as units
 * ("<tool_call>", a run of line ends) always, control tokens ("<|eot_id|>") only in trusted text.
 * What lies between goes to the encoder of the kind. Control tokens are in none of the tables that
 * text is looked up in, so that no text becomes one; files that mark such tokens as ordinary ones
 * are corrected by the form of their names.
 *
 * Nothing changes after opening but the memory of which tokens encode to themselves (tok_merge.c),
 * single bytes that are written atomically. */
#include "base/str.h"
#include "model/tok_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_TOKENS = 1 << 22 };

/* ---- opening ---- */

static int read_tokens(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    struct gguf_array a;
    size_t bytes = 0;
    if (!gguf_array(g, "tokenizer.ggml.tokens", &a) || a.of != GGUF_STR || !a.n)
        return err_set(err, ERR_PARSE, "%s: tokenizer.ggml.tokens is missing", gguf_path(g));
    if (a.n > MAX_TOKENS)
        return err_set(err, ERR_LIMIT, "%s: tokenizer.ggml.tokens has %zu entries, at most %d",
                       gguf_path(g), a.n, MAX_TOKENS);
    t->n = (int)a.n;
    for (size_t i = 0; i < a.n; i++) bytes += gguf_array_str(&a, i).n;
    if (bytes >= UINT32_MAX - MAX_TOKENS)
        return err_set(err, ERR_LIMIT, "%s: tokenizer.ggml.tokens is too long", gguf_path(g));
    t->text = malloc(bytes + 1);
    t->at = malloc((a.n + 1) * sizeof *t->at);
    t->type = malloc(a.n);
    t->score = calloc(a.n, sizeof *t->score);
    t->whole = calloc(a.n, 1);
    if (!t->text || !t->at || !t->type || !t->score || !t->whole) return err_nomem(err);
    uint32_t at = 0;
    for (size_t i = 0; i < a.n; i++) {
        struct span s = gguf_array_str(&a, i);
        t->at[i] = at;
        if (s.n) memcpy(t->text + at, s.p, s.n);
        at += (uint32_t)s.n;
    }
    t->at[a.n] = at;
    return 0;
}

/* An array of numbers beside the tokens; false when there is none. */
static int read_beside(const struct tokenizer *t, const struct gguf *g, const char *key,
                       struct gguf_array *a, struct err *err)
{
    *a = (struct gguf_array){ 0 };
    if (!gguf_array(g, key, a)) return 0;
    if (a->of == GGUF_STR || a->of == GGUF_ARRAY)
        return err_set(err, ERR_PARSE, "%s: %s is no array of numbers", gguf_path(g), key);
    if (a->n != (size_t)t->n)
        return err_set(err, ERR_PARSE, "%s: %s has %zu entries for %d tokens", gguf_path(g), key,
                       a->n, t->n);
    return 0;
}

/* "<|name|>", whatever the type says: text for the model's own use. DeepSeek's bars are wide. */
static bool looks_control(struct span s)
{
    static const char *const names[] = { "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>",
                                         "<pad>",           "<s>",           "</s>",  "[INST]",
                                         "[/INST]",         "[CLS]",         "[SEP]", "[PAD]",
                                         "[MASK]",          "[UNK]" };
    static const char *const marks[][2] = { { "<|", "|>" }, { "<\uff5c", "\uff5c>" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_eq(s, names[i])) return true;
    for (int m = 0; m < 2; m++) {
        size_t n = strlen(marks[m][0]);
        if (s.n <= 2 * n || memcmp(s.p, marks[m][0], n) != 0 ||
            memcmp(s.p + s.n - n, marks[m][1], n) != 0)
            continue;
        for (size_t i = n; i < s.n - n; i++) {
            unsigned char c = (unsigned char)s.p[i];
            if (c <= ' ' || c == '<' || c == '>' || c == '|') return false;
        }
        return true;
    }
    return false;
}

static int read_types(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    struct gguf_array type, score;
    int rc = read_beside(t, g, "tokenizer.ggml.token_type", &type, err);
    if (!rc) rc = read_beside(t, g, "tokenizer.ggml.scores", &score, err);
    if (rc) return rc;
    if ((t->kind == TOKENIZER_SPM || t->kind == TOKENIZER_UNIGRAM) && !score.n)
        return err_set(err, ERR_PARSE, "%s: tokenizer.ggml.scores is missing", gguf_path(g));
    for (int i = 0; i < t->n; i++) {
        double k = type.n ? gguf_array_num(&type, (size_t)i) : TOK_NORMAL;
        if (!(k >= 0 && k <= TOK_BYTE))
            return err_set(err, ERR_PARSE, "%s: tokenizer.ggml.token_type: entry %d is of type %g",
                           gguf_path(g), i, k);
        t->type[i] = (uint8_t)(k < TOK_NORMAL ? TOK_NORMAL : k);
        if (score.n) t->score[i] = (float)gguf_array_num(&score, (size_t)i);
        if (t->type[i] != TOK_BYTE && looks_control(tok_text(t, i))) t->type[i] = TOK_CONTROL;
    }
    return 0;
}

/* A special token's id; -1 when the file names none. Ordinary tokens in that place (files that
 * pad with token 0) stay ordinary. */
static int read_id(struct tokenizer *t, const struct gguf *g, const char *name, int32_t *out,
                   struct err *err)
{
    char key[64];
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
    uint32_t id = gguf_u32_or(g, key, UINT32_MAX);
    *out = -1;
    if (id == UINT32_MAX) return 0;
    if (id >= (uint32_t)t->n)
        return err_set(err, ERR_PARSE, "%s: %s is %u, but there are %d tokens", gguf_path(g), key,
                       id, t->n);
    *out = (int32_t)id;
    struct span s = tok_text(t, *out);
    bool bracket = s.n > 2 && ((s.p[0] == '<' && s.p[s.n - 1] == '>') ||
                               (s.p[0] == '[' && s.p[s.n - 1] == ']'));
    if (t->type[id] == TOK_USER || (t->type[id] == TOK_NORMAL && bracket))
        t->type[id] = TOK_CONTROL;
    return 0;
}

static void add_end(struct tokenizer *t, int32_t id)
{
    if (id < 0 || t->n_ends == TOK_ENDS_MAX || tokenizer_ends(t, id)) return;
    t->ends[t->n_ends++] = id;
}

static int read_ids(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    static const char *const ends[] = { "<|eot_id|>",    "<|im_end|>",      "<end_of_turn>",
                                        "<|endoftext|>", "<|end_of_text|>", "<|eom_id|>",
                                        "<|end|>",       "<|return|>",      "<|eot|>" };
    int32_t eot = -1, eom = -1, mask = -1;
    struct {
        const char *name;
        int32_t *id;
    } all[] = { { "bos", &t->bos }, { "eos", &t->eos },       { "eot", &eot },
                { "eom", &eom },    { "unknown", &t->unk },   { "padding", &t->pad },
                { "cls", &t->cls }, { "seperator", &t->sep }, { "mask", &mask } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int rc = read_id(t, g, all[i].name, all[i].id, err);
        if (rc) return rc;
    }
    if (t->sep < 0) {
        int rc = read_id(t, g, "separator", &t->sep, err);
        if (rc) return rc;
    }
    add_end(t, t->eos);
    add_end(t, eot);
    add_end(t, eom);
    for (int i = 0; i < t->n; i++) {
        if (t->type[i] != TOK_CONTROL) continue;
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
            if (span_eq(tok_text(t, i), ends[k])) add_end(t, i);
    }
    if (t->unk >= 0 && t->type[t->unk] == TOK_NORMAL &&
        (t->kind == TOKENIZER_SPM || t->kind == TOKENIZER_UNIGRAM))
        t->type[t->unk] = TOK_UNKNOWN;
    return 0;
}

/* BERT's files may not say which are [CLS], [SEP] and [UNK]. */
static void find_bert_ids(struct tokenizer *t)
{
    for (int i = 0; i < t->n; i++) {
        struct span s = tok_text(t, i);
        if (t->type[i] != TOK_CONTROL && t->type[i] != TOK_UNKNOWN) continue;
        if (t->cls < 0 && span_eq(s, "[CLS]")) t->cls = i;
        if (t->sep < 0 && span_eq(s, "[SEP]")) t->sep = i;
        if (t->unk < 0 && span_eq(s, "[UNK]")) t->unk = i;
    }
    if (t->cls < 0) t->cls = t->bos;
    if (t->sep < 0) t->sep = t->eos;
}

static int read_kind(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    static const struct {
        const char *name;
        enum tokenizer_kind kind;
        bool prefix, squeeze, bos, eos;
    } kinds[] = { { "gpt2", TOKENIZER_BPE, false, false, false, false },
                  { "llama", TOKENIZER_SPM, true, false, true, false },
                  { "bert", TOKENIZER_WORDPIECE, true, false, true, true },
                  { "t5", TOKENIZER_UNIGRAM, true, true, false, true } };
    struct span name = gguf_str_or(g, "tokenizer.ggml.model", "");
    size_t k = 0, n = sizeof kinds / sizeof *kinds;
    while (k < n && !span_eq(name, kinds[k].name)) k++;
    if (k == n)
        return err_set(err, ERR_PARSE,
                       "%s: tokenizer.ggml.model is \"%.*s\"; known are gpt2, llama, bert and t5",
                       gguf_path(g), (int)(name.n < 40 ? name.n : 40), name.n ? name.p : "");
    t->kind = kinds[k].kind;
    struct span pre = gguf_str_or(g, "tokenizer.ggml.pre", "default");
    const struct tok_pre_facts *f = t->kind == TOKENIZER_BPE ? tok_pre_by_name(pre) : NULL;
    t->pre_known = f || t->kind != TOKENIZER_BPE;
    snprintf(t->pre_name, sizeof t->pre_name, "%.*s", (int)(pre.n < 39 ? pre.n : 39), pre.p);
    if (f) t->pre = f->pre, t->ignore_merges = f->ignore_merges, t->nfc = f->nfc;
    bool bos = f ? f->bos : kinds[k].bos, bert = t->kind == TOKENIZER_WORDPIECE;
    t->add_bos = bert || gguf_bool_or(g, "tokenizer.ggml.add_bos_token", bos);
    t->add_eos = bert || gguf_bool_or(g, "tokenizer.ggml.add_eos_token", kinds[k].eos);
    t->squeeze = gguf_bool_or(g, "tokenizer.ggml.remove_extra_whitespaces", kinds[k].squeeze);
    t->space_prefix = bert || gguf_bool_or(g, "tokenizer.ggml.add_space_prefix", kinds[k].prefix);
    return 0;
}

static int open_kind(struct tokenizer *t, const struct gguf *g, struct err *err)
{
    switch (t->kind) {
    case TOKENIZER_BPE: return tok_bpe_open(t, g, err);
    case TOKENIZER_WORDPIECE: return tok_wordpiece_open(t, g, err);
    case TOKENIZER_SPM:
    case TOKENIZER_UNIGRAM: break;
    }
    return tok_sentencepiece_open(t, g, err);
}

int tokenizer_open(const struct gguf *g, struct tokenizer **out, struct err *err)
{
    struct tokenizer *t = calloc(1, sizeof *t);
    int rc;
    *out = NULL;
    if (!t || tok_classes_ready()) {
        free(t);
        return err_nomem(err);
    }
    memset(t->byte_id, 0xFF, sizeof t->byte_id);
    t->bos = t->eos = t->unk = t->sep = t->cls = t->pad = -1;
    if ((rc = read_kind(t, g, err)) || (rc = read_tokens(t, g, err)) ||
        (rc = read_types(t, g, err)) || (rc = read_ids(t, g, err)))
        goto out;
    if (t->kind == TOKENIZER_WORDPIECE) find_bert_ids(t);
    if ((rc = open_kind(t, g, err))) goto out;
    t->bytes = true;
    for (int b = 0; b < 256; b++) t->bytes &= t->byte_id[b] >= 0;
    if (tok_added_build(t)) rc = err_nomem(err);
out:
    if (rc) tokenizer_close(t);
    else *out = t;
    return rc;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t) return;
    free(t->text);
    free(t->at);
    free(t->type);
    free(t->score);
    free(t->whole);
    free(t->map.e);
    free(t->merges.e);
    tok_trie_free(&t->trie);
    free(t->user.id);
    free(t->special.id);
    free(t->charsmap);
    free(t);
}

/* ---- encoding ---- */

static void segment(const struct tokenizer *t, const char *s, size_t at, size_t n, bool first,
                    struct tok_out *o)
{
    if (!n || o->nomem) return;
    o->base = at;
    switch (t->kind) {
    case TOKENIZER_BPE: tok_bpe_encode(t, s + at, n, o); break;
    case TOKENIZER_SPM: tok_spm_encode(t, s + at, n, first, o); break;
    case TOKENIZER_WORDPIECE: tok_wordpiece_encode(t, s + at, n, o); break;
    case TOKENIZER_UNIGRAM: tok_unigram_encode(t, s + at, n, first, o); break;
    }
    o->base = 0;
}

size_t tokenizer_encode_at(const struct tokenizer *t, const char *s, size_t n, int flags,
                           int32_t *ids, uint32_t *off, size_t cap)
{
    struct tok_out o = { .ids = ids, .off = off, .cap = cap };
    const struct tok_added *a = flags & TOKENIZE_SPECIAL ? &t->special : &t->user;
    int32_t begin = t->cls >= 0 && t->kind == TOKENIZER_WORDPIECE ? t->cls : t->bos;
    int32_t end = t->sep >= 0 && t->kind == TOKENIZER_WORDPIECE ? t->sep : t->eos;
    size_t from = 0;
    bool first = true;
    if (n > INT32_MAX) return SIZE_MAX;
    if (flags & TOKENIZE_ADD && t->add_bos && begin >= 0) tok_put(&o, begin, 0);
    for (size_t i = 0; a->n && i < n;) {
        unsigned char c = (unsigned char)s[i];
        int32_t id = a->first[c] == a->first[c + 1] ? -1 : tok_added_at(t, a, s + i, n - i);
        if (id < 0) {
            i++;
            continue;
        }
        segment(t, s, from, i - from, first, &o);
        tok_put(&o, id, i);
        from = i += tok_text(t, id).n;
        first = true;
    }
    segment(t, s, from, n - from, first, &o);
    if (flags & TOKENIZE_ADD && t->add_eos && end >= 0) tok_put(&o, end, n);
    return o.nomem ? SIZE_MAX : o.n;
}

size_t tokenizer_encode(const struct tokenizer *t, const char *s, size_t n, int flags, int32_t *ids,
                        size_t cap)
{
    return tokenizer_encode_at(t, s, n, flags, ids, NULL, cap);
}
