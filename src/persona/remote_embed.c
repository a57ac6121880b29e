/* The embedder `remote:MODEL`: vectors from a server's /embeddings.
 *
 * A fresh one asks the server how many numbers its vectors have, and keeps that as its state; one
 * that is opened from its state needs no network, so that a persona can be opened, and searched by
 * words, while the server is away. Its version is the model's name and that number, not the host:
 * the same model elsewhere gives the same vectors. A model that changes under its name cannot be
 * seen from here, unless it changes the length of its vectors. */
#include "base/str.h"
#include "persona/remote_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64
#define FLOOR 0.5f /* until calibrated by the corpus */

/* ---- vectors of a server ---- */

struct vectors {
    struct remote *r;
    const char *model;
    int *dim, known; /* known: *dim at the beginning */
    float *v;        /* [n, *dim]; NULL until the dimension is known */
    size_t n;
    struct err *err;
};

static int wrong(struct vectors *x, const char *what)
{
    return err_set(x->err, ERR_PARSE, "%s sent vectors that cannot be used: %s", x->r->host, what);
}

static int take_dim(struct vectors *x, size_t dim)
{
    if (!dim || dim > EMBED_DIM_MAX) return wrong(x, "of no length, or longer than 4096 numbers");
    if (!*x->dim) *x->dim = (int)dim;
    if (!x->v && !(x->v = calloc(x->n * dim + 1, sizeof *x->v))) return err_nomem(x->err);
    if ((int)dim == *x->dim) return 0;
    if (!x->known) return wrong(x, "of different lengths");
    return err_set(
        x->err, ERR_VERSION,
        "%s now makes vectors of %zu numbers with %.100s, and those that are stored have "
        "%d: it is another model; `likeness doctor --reembed` makes them anew",
        x->r->host, dim, x->model, x->known);
}

static int take_vector(struct vectors *x, size_t at, const json_t *list)
{
    double sum = 0;
    int rc = take_dim(x, json_array_size(list));
    if (rc || !x->v) return rc;
    float *v = x->v + at * (size_t)*x->dim;
    for (size_t i = 0; i < (size_t)*x->dim; i++) {
        const json_t *e = json_array_get(list, i);
        double d = json_number_value(e);
        if (!json_is_number(e) || !isfinite(d)) return wrong(x, "something is no number");
        v[i] = (float)d;
        sum += d * d;
    }
    if (!(sum > 0) || !isfinite(sum)) return wrong(x, "of no direction");
    for (int i = 0; i < *x->dim; i++) v[i] = (float)(v[i] / sqrt(sum));
    return 0;
}

/* Texts of at[0 .. n), into rows at[i]. */
static int ask_batch(struct vectors *x, const struct span *texts, const size_t *at, size_t n)
{
    json_t *input = json_array(), *j = NULL, *q, *d;
    bool seen[BATCH] = { false };
    size_t i, got = 0;
    for (i = 0; i < n; i++) {
        struct buf b = BUF_INIT(0);
        utf8_clean(&b, texts[at[i]].p, texts[at[i]].n);
        json_array_append_new(input, json_stringn(buf_str(&b), b.n));
        buf_free(&b);
    }
    q = json_pack("{s:s, s:o, s:s}", "model", x->model, "input", input, "encoding_format", "float");
    int rc = q && json_array_size(input) == n ? remote_json(x->r, "/embeddings", q, &j, x->err)
                                              : err_nomem(x->err);
    json_array_foreach(json_object_get(j, "data"), i, d)
    {
        const json_t *index = json_object_get(d, "index");
        size_t k = json_is_integer(index) ? (size_t)json_integer_value(index) : i;
        if (rc) break;
        if (k >= n || seen[k]) rc = wrong(x, "for texts that were not sent");
        else rc = take_vector(x, at[k], json_object_get(d, "embedding"));
        if (!rc) seen[k] = true, got++;
    }
    if (!rc && got < n) rc = wrong(x, "fewer than texts");
    json_decref(j);
    json_decref(q);
    return rc;
}

int remote_embed(struct remote *r, const char *model, const struct span *texts, size_t n,
                 float **out, int *dim, struct err *err)
{
    struct vectors x = { r, model ? model : r->embed, dim, *dim, NULL, n, err };
    size_t at[BATCH], wait = 0;
    int rc = 0;
    *out = NULL;
    if (!x.model)
        return err_set(err, ERR_INVAL,
                       "no model for vectors is named: `likeness config remote_embed MODEL` does");
    for (size_t i = 0; i < n && !rc; i++) {
        if (span_trim(texts[i]).n) at[wait++] = i;
        if (wait == BATCH) rc = ask_batch(&x, texts, at, wait), wait = 0;
    }
    if (!rc && wait) rc = ask_batch(&x, texts, at, wait);
    if (!rc && !x.v && *dim && !(x.v = calloc(n * (size_t)*dim + 1, sizeof *x.v)))
        rc = err_nomem(err);
    if (rc) free(x.v);
    else *out = x.v;
    return rc;
}

/* ---- the embedder ---- */

static struct remote *asked; /* by all of them */
extern const struct embed_kind embed_remote;

struct remote_embedder {
    struct embedder base;
    char *model;
};

static int find_dim(struct remote_embedder *e, struct err *err)
{
    struct span word = span_of("word");
    float *v = NULL;
    int rc = remote_embed(asked, e->model, &word, 1, &v, &e->base.dim, err);
    free(v);
    return rc;
}

static void embedder_close(struct embedder *base)
{
    struct remote_embedder *e = (struct remote_embedder *)base;
    free(e->model);
    free(e);
}

static int say_nobody(const char *what, struct err *err)
{
    return err_set(err, ERR_INVAL,
                   "%.100s is asked of a server, and none is named: `likeness config remote_url "
                   "http://127.0.0.1:11434/v1`, say, names one",
                   what);
}

static struct embedder *embedder_open(const char *what, const void *state, size_t n,
                                      struct err *err)
{
    const char *model = strchr(what, ':') + 1;
    struct cursor c = cursor_of(state, n, "stored embedder");
    if (!*model && asked && asked->embed) model = asked->embed;
    if (!*model) {
        err_set(err, ERR_INVAL, "remote: is followed by the name of a model of the server");
        return NULL;
    }
    struct remote_embedder *e = calloc(1, sizeof *e);
    if (!e || !(e->model = str_dup(model))) {
        free(e);
        err_nomem(err);
        return NULL;
    }
    e->base.kind = &embed_remote;
    int rc = 0;
    if (n) {
        e->base.dim = (int)cursor_u32(&c, "dimension");
        rc = cursor_check(&c, err);
    } else {
        rc = asked ? remote_failed(find_dim(e, err), err) : say_nobody(what, err);
    }
    if (rc) {
        embedder_close(&e->base);
        return NULL;
    }
    snprintf(e->base.version, sizeof e->base.version, "remote-%.24s-%016llx-%d", model,
             (unsigned long long)hash64(model, strlen(model), 0), e->base.dim);
    return &e->base;
}

/* The texts under the veil: in bufs, which take n. */
static int veiled(const struct embed_veil *v, const struct span *s, size_t n, struct buf *bufs,
                  struct span *out, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (v->text(v->ud, s[i].p, s[i].n, &bufs[i])) return err_nomem(err);
        out[i] = (struct span){ buf_str(&bufs[i]), bufs[i].n };
    }
    return 0;
}

static int embedder_texts(struct embedder *base, enum embed_role role, const struct span *s,
                          size_t n, float *out, struct err *err)
{
    struct remote_embedder *e = (struct remote_embedder *)base;
    int dim = base->dim, rc = 0;
    float *v = NULL;
    if (!asked) return say_nobody(base->name, err);
    bool veil = base->veil.text && remote_masks(asked);
    struct buf *bufs = veil ? calloc(n + 1, sizeof *bufs) : NULL;
    struct span *texts = veil ? calloc(n + 1, sizeof *texts) : NULL;
    if (veil) rc = bufs && texts ? veiled(&base->veil, s, n, bufs, texts, err) : err_nomem(err);
    if (!rc)
        rc = remote_failed(remote_embed(asked, e->model, veil ? texts : s, n, &v, &dim, err), err);
    if (!rc && v) memcpy(out, v, n * (size_t)dim * sizeof *v);
    for (size_t i = 0; bufs && i < n; i++) buf_free(&bufs[i]);
    free(bufs);
    free(texts);
    free(v);
    return rc;
}

static int embedder_save(const struct embedder *base, struct buf *out)
{
    return buf_u32(out, (uint32_t)base->dim);
}

const struct embed_kind embed_remote = {
    .name = "remote:MODEL",
    .help = "a model of a server that speaks the OpenAI API",
    .floor = FLOOR,
    .open = embedder_open,
    .close = embedder_close,
    .texts = embedder_texts,
    .save = embedder_save,
};

bool remote_embeds(const struct embedder *e)
{
    return e->kind == &embed_remote && asked && remote_masks(asked);
}

void remote_for_embedding(struct remote *r)
{
    asked = r;
    embed_set_remote(&embed_remote);
}
