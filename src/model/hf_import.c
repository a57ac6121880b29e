/* Importing a folder: configuration, vocabulary, pooling and prefixes, tensors; each read by a part
 * of its own, put together here.
 *
 * Everything that is small is read and checked before the first byte is written, so that a folder
 * that cannot be imported costs no time. The vocabulary is made to have as many tokens as the
 * embedding has rows: holes are filled, and tokens beyond (an image mark of a text model)
 * dropped. */
#include "model/hf_import.h"

#include "base/io.h"
#include "base/str.h"
#include "model/hf_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG ((size_t)4 << 20)

static char *file_in(const char *folder, const char *name)
{
    struct buf path = BUF_INIT(PATH_MAX);
    buf_printf(&path, "%s/%s", folder, name);
    if (!path.failed) return buf_take(&path);
    buf_free(&path);
    return NULL;
}

bool hf_has_file(const char *folder, const char *name)
{
    char *path = file_in(folder, name);
    bool there = path && io_exists(path);
    free(path);
    return there;
}

int hf_read_json(const char *folder, const char *name, size_t max, size_t flags, json_t **out,
                 struct err *err)
{
    struct buf text = BUF_INIT(0);
    json_error_t e;
    char *path = file_in(folder, name);
    *out = NULL;
    int rc = path ? io_read_file(path, max, &text, err) : err_nomem(err);
    if (!rc) *out = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | flags, &e);
    if (!rc && !*out)
        rc = err_set(err, ERR_PARSE, "%s line %d column %d: %s", path, e.line, e.column, e.text);
    if (!rc && !json_is_object(*out)) {
        rc = err_set(err, ERR_PARSE, "%s is no JSON object", path);
        json_decref(*out);
        *out = NULL;
    }
    buf_free(&text);
    free(path);
    return rc;
}

/* ---- sentence-transformers' files ---- */

static int read_pooling(const char *folder, struct hf_config *c, struct err *err)
{
    json_t *root = NULL;
    if (c->family->form == HF_DECODER) return 0;
    c->pooling = 1;
    if (!hf_has_file(folder, "1_Pooling/config.json")) return 0;
    int rc = hf_read_json(folder, "1_Pooling/config.json", MAX_CONFIG, 0, &root, err);
    if (rc) return rc;
    if (json_is_true(json_object_get(root, "pooling_mode_cls_token"))) c->pooling = 2;
    else if (!json_is_true(json_object_get(root, "pooling_mode_mean_tokens")))
        rc =
            err_set(err, ERR_INVAL,
                    "%s/1_Pooling/config.json: the pooling is neither of the mean nor of the first "
                    "token",
                    folder);
    json_decref(root);
    if (!rc && hf_has_file(folder, "2_Dense/config.json"))
        rc =
            err_set(err, ERR_INVAL, "%s: a dense layer after the pooling is not supported", folder);
    return rc;
}

static void put_prompt(const json_t *prompts, const char *const *names, const char *key,
                       struct gguf_writer *w)
{
    for (; *names; names++) {
        const char *s = json_string_value(json_object_get(prompts, *names));
        if (!s) continue;
        gguf_put_str(w, key, s, strlen(s));
        return;
    }
}

/* What is put before queries and passages, where the model's makers wrote it down. */
static int put_prompts(const char *folder, struct gguf_writer *w, struct err *err)
{
    static const char *const query[] = { "query", "search_query", "retrieval.query", NULL };
    static const char *const passage[] = { "passage", "document", "search_document",
                                           "retrieval.passage", NULL };
    static const char name[] = "config_sentence_transformers.json";
    json_t *root = NULL;
    int rc = hf_has_file(folder, name) ? hf_read_json(folder, name, MAX_CONFIG, 0, &root, err) : 0;
    const json_t *prompts = json_object_get(root, "prompts");
    put_prompt(prompts, query, "likeness.embed.query_prefix", w);
    put_prompt(prompts, passage, "likeness.embed.passage_prefix", w);
    json_decref(root);
    return rc;
}

/* ---- the whole ---- */

/* A folder that is called after nothing: "model", or a revision in a cache. */
static bool says_nothing(const char *name)
{
    return !strcmp(name, "model") || !strcmp(name, "main") ||
           (strlen(name) == 40 && strspn(name, "0123456789abcdef") == 40);
}

static void put_name(const char *folder, const struct import_opts *o, const struct hf_config *c,
                     struct gguf_writer *w)
{
    char whole[PATH_MAX];
    const char *name = o->name;
    if (!name && !realpath(folder, whole)) name = folder;
    if (!name) name = strrchr(whole, '/') ? strrchr(whole, '/') + 1 : whole;
    if (!o->name && *c->name && says_nothing(name)) name = c->name;
    if (utf8_valid(name, strlen(name))) gguf_put_str(w, "general.name", name, strlen(name));
}

/* As many tokens as the embedding has rows. */
static int fit_vocab(struct hf_vocab *v, size_t rows, struct err *err)
{
    int rc = hf_vocab_size(v, rows, err);
    if (v->n > rows) v->n = rows;
    int *ids[] = { &v->bos, &v->eos, &v->unk, &v->pad, &v->cls, &v->sep, &v->mask };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (*ids[i] >= (int)v->n) *ids[i] = -1;
    return rc ? rc : hf_vocab_fill(v, err);
}

struct import {
    struct hf_config c;
    struct hf_vocab v;
    struct safetensors *s;
    struct gguf_writer *w;
    const struct quantize_mix *mix;
};

static int read_parts(struct import *m, const char *folder, const struct import_opts *o,
                      struct err *err)
{
    json_t *root = NULL;
    bool config = !o->vocab_only || hf_has_file(folder, "config.json");
    int rc = hf_vocab_init(&m->v, err);
    if (!rc && config) rc = hf_read_json(folder, "config.json", MAX_CONFIG, 0, &root, err);
    if (!rc && config && !o->vocab_only) {
        rc = hf_config_read(root, "config.json", &m->c, err);
        if (rc) rc = err_prefix(err, rc, "%s", folder);
    }
    json_decref(root);
    if (!rc && !o->vocab_only) rc = read_pooling(folder, &m->c, err);
    if (!rc && (rc = hf_vocab_folder(&m->v, folder, m->c.family, o->pre, err)))
        rc = err_prefix(err, rc, "%s", folder);
    if (rc || o->vocab_only) return rc ? rc : hf_vocab_fill(&m->v, err);
    if (m->v.bos < 0) m->v.bos = m->c.bos;
    if (m->v.eos < 0) m->v.eos = m->c.eos;
    rc = fit_vocab(&m->v, (size_t)m->c.vocab, err);
    return rc ? rc : safetensors_open(folder, &m->s, err);
}

static int write_parts(struct import *m, const char *folder, const struct import_opts *o,
                       const struct progress *progress, struct err *err)
{
    int rc = 0;
    if (o->vocab_only) gguf_put_str(m->w, "general.architecture", "llama", 5);
    else hf_config_put(&m->c, m->w);
    put_name(folder, o, &m->c, m->w);
    if (!o->vocab_only) {
        gguf_put_u32(m->w, "general.file_type", hf_file_type(m->s, m->mix));
        gguf_put_u32(m->w, "general.quantization_version", 2);
        if (m->c.family->form != HF_DECODER) rc = put_prompts(folder, m->w, err);
    }
    hf_vocab_put(&m->v, m->w);
    if (rc || o->vocab_only) return rc;
    return hf_tensors(m->w, &m->c, m->s, m->mix, folder, progress, err);
}

static int import_folder(const char *folder, const char *out_gguf, const struct import_opts *o,
                         const struct progress *progress, struct err *err)
{
    struct import m = { .mix = o->type ? quantize_mix(o->type) : NULL };
    int rc = 0;
    if (o->type && !m.mix) return err_set(err, ERR_INVAL, "there is no type \"%s\"", o->type);
    if ((rc = read_parts(&m, folder, o, err))) goto out;
    if ((rc = gguf_create(out_gguf, &m.w, err))) goto out;
    if ((rc = write_parts(&m, folder, o, progress, err))) gguf_abandon(m.w);
    else rc = gguf_finish(m.w, err);
out:
    safetensors_close(m.s);
    hf_vocab_clear(&m.v);
    return rc;
}

int model_import(const char *path, const char *out_gguf, const struct import_opts *o,
                 const struct progress *progress, struct err *err)
{
    static const struct import_opts none;
    if (!o) o = &none;
    if (io_is_dir(path)) return import_folder(path, out_gguf, o, progress, err);
    if (!io_exists(path)) return err_set(err, ERR_NOTFOUND, "there is no %s", path);
    return llama2c_import(path, out_gguf, o, progress, err);
}

bool model_importable(const char *path)
{
    return io_is_dir(path) ? hf_has_file(path, "config.json") : llama2c_is(path);
}
