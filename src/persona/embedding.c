/* What is stored of an embedder, and what its cosines mean.
 *
 * Key phrases and topics need to know how rare a word is in this corpus. The hash embedder learns
 * that for itself; beside any other a hash embedder is kept that learns the same and embeds
 * nothing.
 *
 * A cosine of 0.4 is high for one embedder and usual for another. Instead of a table of constants
 * the corpus is asked: a sentence of each of some dozen passages, taken as a question, against the
 * other passages, which mostly have nothing to do with it. Their mean and deviation make the scale,
 * and what 99 of 100 stay below is the floor. A corpus too small for that takes the embedder's own
 * floor, and shares of it that fit the encoders we know.
 *
 * Sentences of an answer are compared by the dozen, within milliseconds: when the embedder is an
 * encoder, the static table does it, or without that the companion. */
#include "persona/embedding.h"

#include "base/str.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH_PAIRS 400
#define WEIGHT_WORDS 0.2f /* an embedder that knows words only adds little to BM25 */
#define WEIGHT_TABLE 0.6f
#define WEIGHT       0.7f

static struct scale usual_scale(const struct embedder *e)
{
    float floor = e->floor > 0 ? e->floor : 0.5f;
    return (struct scale){ 0.15f * floor, 0.35f * floor, floor };
}

static float share_above(float from, float cosine)
{
    return cosine > from && from < 1 ? fminf(1, (cosine - from) / (1 - from)) : 0;
}

float scale_level(const struct scale *s, float cosine) { return share_above(s->mean, cosine); }
float scale_beyond(const struct scale *s, float cosine) { return share_above(s->floor, cosine); }

const char *embedding_default(void)
{
    struct embedder *e = embed_open("static", NULL, 0, NULL);
    embed_close(e);
    return e ? "static" : "hash";
}

void embedding_close(struct embedding *m)
{
    if (m->quick != m->e && m->quick != m->words) embed_close(m->quick);
    if (m->words != m->e) embed_close(m->words);
    embed_close(m->e);
    *m = (struct embedding){ 0 };
}

/* Where is a model that is not to be had? */
static int say_missing(const char *name, const struct err *why, struct err *err)
{
    if (why->code == ERR_NOMEM) return err_nomem(err);
    if (str_starts(name, "model:"))
        return err_set(err, why->code,
                       "this persona's vectors are of an embedder that cannot be used: %.300s; "
                       "`likeness model pull %.100s` fetches it, `likeness doctor --reembed %s` "
                       "does without",
                       why->msg, name + 6, embedding_default());
    return err_set(
        err, why->code,
        "this persona's vectors are of an embedder that cannot be used: %.300s; `likeness "
        "doctor --reembed %s` does without",
        why->msg, embedding_default());
}

static int open_all(const char *name, struct span state, struct span words, struct embedding *m,
                    struct err *err)
{
    struct err why = { 0 };
    if (!(m->e = embed_open(name, state.n ? state.p : NULL, state.n, &why)))
        return say_missing(name, &why, err);
    m->words =
        m->e->kind->learns ? m->e : embed_open("hash", words.n ? words.p : NULL, words.n, err);
    if (!m->words) return err_nomem(err);
    if (m->e->kind->text) m->quick = m->e;
    else if (!(m->quick = embed_open("static", NULL, 0, NULL))) m->quick = m->words;
    m->weight = m->e->kind->learns ? WEIGHT_WORDS : m->e->kind->text ? WEIGHT_TABLE : WEIGHT;
    m->scale = usual_scale(m->e);
    m->near = usual_scale(m->quick);
    return 0;
}

int embedding_open(const char *name, struct embedding *out, struct err *err)
{
    struct embedding m = { 0 };
    *out = m;
    if (!embed_kind_by_name(name))
        return err_set(err, ERR_INVAL,
                       "there is no embedder \"%.100s\"; the one that needs no model is called %s",
                       name, embedding_default());
    int rc = open_all(name, span_of(NULL), span_of(NULL), &m, err);
    if (rc) embedding_close(&m);
    else *out = m;
    return rc;
}

int embedding_unlearn(struct embedding *m, struct err *err)
{
    struct embedder *words = embed_open("hash", NULL, 0, err);
    if (!words) return err_nomem(err);
    if (m->quick == m->words) m->quick = words;
    embed_close(m->words);
    m->words = words;
    return 0;
}

/* ---- stored ---- */

static float read_float(struct cursor *c, const char *field)
{
    uint32_t bits = cursor_u32(c, field);
    float v;
    memcpy(&v, &bits, 4);
    if (!(v >= -1 && v <= 1)) cursor_fail(c, field);
    return v;
}

static void read_scale(struct cursor *c, struct scale *s)
{
    struct scale r = { read_float(c, "mean"), read_float(c, "spread"), read_float(c, "floor") };
    if (r.spread <= 0) cursor_fail(c, "spread");
    if (!c->bad) *s = r;
}

static void write_scale(struct buf *b, const struct scale *s)
{
    const float v[] = { s->mean, s->spread, s->floor };
    for (int i = 0; i < 3; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], 4);
        buf_u32(b, bits);
    }
}

bool embedding_is(const struct row_embedder *row, const char *name)
{
    struct cursor c = cursor_of(row->body, row->body_n, "stored embedder");
    struct span stored = cursor_lstr(&c, "name");
    return !c.bad && span_eq(stored, name);
}

int embedding_read(const struct row_embedder *row, struct embedding *out, struct err *err)
{
    struct cursor c = cursor_of(row->body, row->body_n, "stored embedder");
    struct span name = cursor_lstr(&c, "name"), state = cursor_lstr(&c, "state");
    struct span version = cursor_left(&c) ? cursor_lstr(&c, "version") : span_of(NULL);
    struct span words = cursor_left(&c) ? cursor_lstr(&c, "words") : span_of(NULL);
    struct embedding m = { 0 };
    char what[4200];
    *out = m;
    if (name.n >= sizeof what) cursor_fail(&c, "name");
    int rc = cursor_check(&c, err);
    if (rc) return rc;
    memcpy(what, name.p, name.n);
    what[name.n] = 0;
    rc = open_all(what, state, words, &m, err);
    if (!rc && (m.e->dim != row->dim || (version.n && !span_eq(version, m.e->version))))
        rc = err_set(err, ERR_VERSION,
                     "this persona's vectors were made by another version of the embedder %.100s: "
                     "`likeness doctor --reembed %.100s` makes them anew",
                     what, what);
    if (!rc && cursor_left(&c)) {
        read_scale(&c, &m.scale);
        read_scale(&c, &m.near);
        rc = cursor_check(&c, err);
    }
    m.id = row->id;
    if (rc) embedding_close(&m);
    else *out = m;
    return rc;
}

int embedding_pack(const struct embedding *m, struct buf *out)
{
    struct buf state = BUF_INIT(0), words = BUF_INIT(0);
    int rc = embed_save(m->e, &state);
    if (!rc && m->words != m->e) rc = embed_save(m->words, &words);
    buf_lstr(out, m->e->name, strlen(m->e->name));
    buf_lstr(out, buf_str(&state), state.n);
    buf_lstr(out, m->e->version, strlen(m->e->version));
    buf_lstr(out, buf_str(&words), words.n);
    write_scale(out, &m->scale);
    write_scale(out, &m->near);
    buf_free(&state);
    buf_free(&words);
    return rc ? rc : out->failed;
}

/* ---- scale ---- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static bool scale_of(float *c, size_t n, struct scale *out)
{
    double sum = 0, squares = 0;
    if (n < ENOUGH_PAIRS) return false;
    qsort(c, n, sizeof *c, by_value);
    for (size_t i = 0; i < n; i++) {
        sum += (double)c[i];
        squares += (double)c[i] * (double)c[i];
    }
    double mean = sum / (double)n, spread = sqrt(fmax(0, squares / (double)n - mean * mean));
    if (!(spread > 1e-3)) return false;
    *out = (struct scale){ (float)mean, (float)spread, c[n - 1 - n / 100] };
    return true;
}

int embedding_calibrate(struct embedder *e, const struct span *question, size_t n, const float *v,
                        const uint32_t *of, size_t n_v, struct scale *out, struct err *err)
{
    size_t dim = (size_t)e->dim, count = 0;
    float *q = calloc(n * dim + 1, sizeof *q), *c = calloc(n * n_v + 1, sizeof *c);
    int rc = q && c ? embed_texts(e, EMBED_QUERY, question, n, q, err) : err_nomem(err);
    for (size_t i = 0; i < n && !rc; i++)
        for (size_t k = 0; k < n_v; k++) {
            if (of[k] == i) continue;
            c[count] = kernels.dot_f32(q + i * dim, v + k * dim, dim);
            count += c[count] != 0; /* 0: one of them is empty */
        }
    if (!rc) scale_of(c, count, out);
    free(q);
    free(c);
    return rc;
}
