/* Embeddings: of the table that comes with the program, of a persona's own embedder, of a model of
 * the shelf. The embedders that are no persona's are opened when they are first asked for, and
 * stay: few and large, and opening one takes longer than using it. Names are names of the shelf,
 * never paths. */
#include "base/arena.h"
#include "base/str.h"
#include "http/openai.h"
#include "shelf/shelf.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS    2048
#define INPUT_MAX 65536
#define DESK_MS   5000
#define OPEN_MAX  8

static struct {
    pthread_mutex_t lock; /* around all of it, and whatever an open embedder does */
    struct embedder *e[OPEN_MAX];
    size_t n;
} shelf = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct job {
    struct call *c;
    struct span *text;
    size_t n;
    float *v;
    int dim;
    uint64_t tokens;
    struct err *err;
};

/* ---- the request ---- */

static int add_text(struct job *j, const json_t *v)
{
    struct span s = { json_string_value(v), json_string_length(v) };
    if (json_is_integer(v) || json_is_array(v))
        return err_set(j->err, ERR_INVAL,
                       "input: lists of tokens are not read here: send the texts themselves");
    if (!s.p) return err_set(j->err, ERR_INVAL, "input: a text, or a list of texts");
    if (!s.n) return err_set(j->err, ERR_INVAL, "input: an empty text has no vector");
    if (s.n > INPUT_MAX)
        return err_set(j->err, ERR_INVAL, "input: a text is at most %d bytes", INPUT_MAX);
    j->text[j->n++] = s;
    return 0;
}

static int read_input(struct job *j)
{
    const json_t *v = call_json(j->c, "input"), *one;
    size_t n = json_is_array(v) ? json_array_size(v) : 1, i;
    int rc = 0;
    if (!n || n > INPUTS) return err_set(j->err, ERR_INVAL, "input: from 1 to %d texts", INPUTS);
    if (!(j->text = arena_alloc(j->c->mem, n * sizeof *j->text))) return err_nomem(j->err);
    if (!json_is_array(v)) return add_text(j, v);
    json_array_foreach(v, i, one) if (!rc) rc = add_text(j, one);
    return rc;
}

/* ---- the vectors ---- */

static int embed_by(struct job *j, struct embedder *e)
{
    int64_t want = call_int(j->c, "dimensions", e->dim);
    j->dim = e->dim;
    if (want != e->dim)
        return err_set(j->err, ERR_INVAL, "dimensions: vectors of this model have %d", e->dim);
    if (!(j->v = calloc(j->n * (size_t)e->dim + 1, sizeof *j->v))) return err_nomem(j->err);
    for (size_t i = 0; i < j->n; i++)
        j->tokens += embed_tokens(e, j->text[i].p, j->text[i].n, NULL, 0);
    return embed_texts(e, EMBED_PASSAGE, j->text, j->n, j->v, j->err);
}

static int embed_by_persona(struct job *j)
{
    struct desk *d = NULL;
    int rc = pool_take(j->c->world->pool, j->c->persona, DESK_MS, &d, j->err);
    if (!rc) rc = embed_by(j, retriever_embedder(d->retriever));
    else if (rc == ERR_BUSY) j->c->retry_after = 1;
    pool_give(j->c->world->pool, d);
    return rc;
}

/* With the lock held. */
static struct embedder *embedder_of(struct job *j, const char *name)
{
    struct err why = { 0 };
    for (size_t i = 0; i < shelf.n; i++)
        if (!strcmp(shelf.e[i]->name, name)) return shelf.e[i];
    if (shelf.n == OPEN_MAX) {
        err_set(j->err, ERR_LIMIT, "model: %d embedders are open already", OPEN_MAX);
        return NULL;
    }
    struct embedder *e = embed_open(name, NULL, 0, &why);
    if (e) return shelf.e[shelf.n++] = e;
    if (why.code == ERR_NOMEM) err_nomem(j->err);
    else
        err_set(j->err, ERR_NOTFOUND,
                "there is no such embedder: static, a persona's id, or model:NAME of the shelf");
    return NULL;
}

static int embed_by_name(struct job *j, const char *name)
{
    pthread_mutex_lock(&shelf.lock);
    struct embedder *e = embedder_of(j, name);
    int rc = e ? embed_by(j, e) : j->err->code;
    pthread_mutex_unlock(&shelf.lock);
    return rc;
}

static int find_and_embed(struct job *j, const char *name)
{
    struct openai_model m;
    if (!strcmp(name, "static") || (str_starts(name, "model:") && shelf_name_ok(name + 6)))
        return embed_by_name(j, name);
    int rc = openai_find(j->c, name, &m, j->err);
    if (!rc && m.plain)
        rc = err_set(j->err, ERR_INVAL, "model: a language model answers, and does not embed");
    return rc ? rc : embed_by_persona(j);
}

/* ---- the reply ---- */

static json_t *numbers(const float *v, int dim)
{
    json_t *list = json_array();
    for (int i = 0; list && i < dim; i++) json_array_append_new(list, json_real((double)v[i]));
    return list;
}

/* Little-endian 32-bit floats, as they lie in memory here. */
static json_t *base64(struct job *j, const float *v)
{
    size_t n = (size_t)j->dim * sizeof *v;
    size_t cap = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(cap);
    json_t *s = NULL;
    if (text)
        s = json_string(sodium_bin2base64(text, cap, (const unsigned char *)v, n,
                                          sodium_base64_VARIANT_ORIGINAL));
    free(text);
    return s;
}

int openai_embed_run(struct call *c, struct err *err)
{
    struct job j = { .c = c, .err = err };
    const char *form = call_str(c, "encoding_format");
    bool packed = form && !strcmp(form, "base64");
    json_t *data = NULL;
    int rc = read_input(&j);
    if (!rc) rc = find_and_embed(&j, call_str(c, "model"));
    if (!rc && !(data = json_array())) rc = err_nomem(err);
    for (size_t i = 0; i < j.n && j.v && !rc; i++) {
        const float *v = j.v + i * (size_t)j.dim;
        json_t *e = packed ? base64(&j, v) : numbers(v, j.dim);
        if (json_array_append_new(data, json_pack("{s:s, s:I, s:o}", "object", "embedding", "index",
                                                  (json_int_t)i, "embedding", e)))
            rc = err_nomem(err);
    }
    if (!rc)
        c->out = json_pack("{s:s, s:O, s:s, s:{s:I, s:I}}", "object", "list", "data", data, "model",
                           call_str(c, "model"), "usage", "prompt_tokens", (json_int_t)j.tokens,
                           "total_tokens", (json_int_t)j.tokens);
    if (!rc && !c->out) rc = err_nomem(err);
    json_decref(data);
    free(j.v);
    return rc;
}
