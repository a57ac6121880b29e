/* The vectors of chunks, their key phrases, and what is learnt on the way: a sample for the topics,
 * and questions for the scale of cosines. BATCH chunks at a time: read, cut into windows, embedded
 * together, and only then written, so that the writer is not needed while the embedder works. */
#include "kernels/kernels.h"
#include "persona/settle_impl.h"
#include "persona/windows.h"
#include "text/token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MAX 20000 /* chunks that topics are clustered from */
#define BATCH      32    /* chunks embedded together */

int settle_ready_sample(struct settle *s)
{
    size_t dim = (size_t)s->m.e->dim;
    if (!(s->cut = sentences_new(s->err))) return s->err->code;
    if (!s->relearn) return 0;
    s->asked.v = malloc(ASKED_MAX * ASKED_WINDOWS * dim * sizeof *s->asked.v);
    s->stride = s->n > SAMPLE_MAX ? (s->n + SAMPLE_MAX - 1) / SAMPLE_MAX : 1;
    size_t most = s->n / s->stride + 1;
    s->item = calloc(most, sizeof *s->item);
    s->vectors = malloc(most * dim * sizeof *s->vectors);
    s->phrases = malloc(most * CHUNK_PHRASES * sizeof *s->phrases);
    return s->item && s->vectors && s->phrases && s->asked.v ? 0 : err_nomem(s->err);
}

static float idf_of(void *ud, uint64_t stem) { return embed_idf(ud, stem); }

/* What a chunk is embedded by: its title, then its text. */
void chunk_embed_text(const struct chunk_text *t, struct buf *out)
{
    if (t->title && *t->title) buf_printf(out, "%s\n", t->title);
    chunk_plain(t, false, out);
}

void settle_mean(const float *v, size_t n, size_t dim, float *out)
{
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < n; i++) kernels.axpy_f32(out, 1, v + i * dim, dim);
    float norm = sqrtf(kernels.dot_f32(out, out, dim));
    for (size_t i = 0; i < dim; i++) out[i] = norm > 1e-20f ? out[i] / norm : 0;
}

/* Chunks that are embedded together. */
struct batch {
    struct settle *s;
    size_t at[BATCH];        /* index in s->chunk */
    size_t first[BATCH + 1]; /* window of each */
    size_t n, n_windows;
    struct phrase phrase[BATCH][CHUNK_PHRASES];
    size_t n_phrase[BATCH];
    struct buf text; /* of all windows, one after the other */
    size_t *end;     /* of each in text */
    struct span *part;
    float *v;
    struct buf body; /* of all chunks, likewise */
    size_t body_end[BATCH];
    struct row_chunk row[BATCH];
};

/* Every stride-th chunk gives its longest sentence that could be a question. */
static void keep_question(struct settle *s, const char *text, size_t n)
{
    struct asked *a = &s->asked;
    size_t from, to, best = 0;
    struct span q = { 0 };
    if (a->n == ASKED_MAX) return;
    bool cut = sentences_text(s->cut, text, n) == 0;
    while (cut && sentences_next(s->cut, &from, &to)) {
        size_t tokens = tokens_count(text + from, to - from);
        if (tokens <= best || tokens > 16) continue;
        best = tokens;
        q = (struct span){ text + from, to - from };
    }
    a->question[a->n++] = (struct span){ NULL, q.n };
    buf_add(&a->text, q.p, q.n);
}

static bool asks(const struct settle *s, size_t at)
{
    size_t stride = s->n / ASKED_MAX + 1;
    return s->relearn && !s->kept && at % stride == 0;
}

static int add_windows(struct batch *b, const char *title, const char *text, size_t n)
{
    struct window w[WINDOWS_MAX];
    size_t tokens = b->s->m.e == b->s->m.words ? 0 : WINDOW_TOKENS;
    size_t k = windows_of(b->s->cut, text, n, tokens, w);
    for (size_t i = 0; i < k; i++) {
        if (title && *title) buf_printf(&b->text, "%s\n", title);
        buf_add(&b->text, text + w[i].from, w[i].to - w[i].from);
        b->end[b->n_windows++] = b->text.n;
    }
    return b->text.failed;
}

static bool has_vectors(const struct settle *s, size_t at)
{
    return map_get(&s->has_vector, (uint64_t)s->chunk[at].id) != NULL;
}

/* One chunk joins the batch: its windows, unless it has vectors, and what is stored with it. */
static int derive_chunk(void *ud, const struct row_chunk *r)
{
    struct batch *b = ud;
    struct settle *s = b->s;
    struct chunk_text t;
    struct buf all = BUF_INIT(0), own = BUF_INIT(0);
    arena_reset(s->mem);
    int rc = unpack_chunk(r->body, r->body_n, s->mem, &t, s->err);
    if (rc) goto out;
    chunk_plain(&t, false, &all);
    chunk_plain(&t, true, &own);
    t.phrase = b->phrase[b->n];
    t.n_phrase = b->n_phrase[b->n] =
        phrases_of(buf_str(&own), own.n, idf_of, s->m.words, b->phrase[b->n], CHUNK_PHRASES);
    if (all.failed || own.failed || pack_chunk(&b->body, &t) ||
        (!has_vectors(s, b->at[b->n]) && add_windows(b, t.title, buf_str(&all), all.n))) {
        rc = err_nomem(s->err);
        goto out;
    }
    if (asks(s, b->at[b->n])) keep_question(s, buf_str(&own), own.n);
    b->row[b->n] = *r;
    b->body_end[b->n] = b->body.n;
out:
    buf_free(&all);
    buf_free(&own);
    return rc;
}

static void keep_windows(struct settle *s, size_t question, const float *v, size_t n)
{
    struct asked *a = &s->asked;
    size_t dim = (size_t)s->m.e->dim;
    for (size_t i = 0; i < n && i < ASKED_WINDOWS; i++) {
        memcpy(a->v + a->n_v * dim, v + i * dim, dim * sizeof *v);
        a->of[a->n_v++] = (uint32_t)question;
    }
}

/* Topics are clustered from every stride-th chunk. */
static void keep_sample(struct settle *s, size_t at, const float *v, const struct phrase *ph,
                        size_t n_ph)
{
    size_t i = at / s->stride, dim = (size_t)s->m.e->dim;
    if (at % s->stride != 0 || i >= SAMPLE_MAX) return;
    if (v) memcpy(s->vectors + i * dim, v, dim * sizeof *v);
    if (n_ph) memcpy(s->phrases + i * CHUNK_PHRASES, ph, n_ph * sizeof *ph);
    s->item[i] =
        (struct topic_item){ s->vectors + i * dim, s->phrases + i * CHUNK_PHRASES, n_ph, -1 };
    s->n_items = i + 1;
}

/* The mean of vectors that hold, for the sample. */
static int sample_vector(void *ud, int64_t chunk, const float *v, int n)
{
    struct settle *s = ud;
    const uint64_t *at = map_get(&s->has_vector, (uint64_t)chunk);
    size_t dim = (size_t)s->m.e->dim;
    if (!at || !*at || (*at - 1) % s->stride || (size_t)n % dim) return 0;
    settle_mean(v, (size_t)n / dim, dim, s->vectors + (*at - 1) / s->stride * dim);
    return 0;
}

static int sample_kept(struct settle *s)
{
    for (size_t i = 0; s->kept && i < s->n; i++) {
        if (!has_vectors(s, i)) continue;
        uint64_t *at = map_slot(&s->has_vector, (uint64_t)s->chunk[i].id);
        if (!at) return err_nomem(s->err);
        *at = i + 1;
    }
    if (!s->kept) return 0;
    return store_vector_each(s->home->store, ps_of(s), s->m.id, sample_vector, s, s->err);
}

/* A chunk that others took away meanwhile: its place in the sample says nothing. */
static void skip_sample(struct settle *s, size_t at)
{
    size_t i = at / s->stride, dim = (size_t)s->m.e->dim;
    if (!s->relearn || at % s->stride != 0 || i >= SAMPLE_MAX) return;
    memset(s->vectors + i * dim, 0, dim * sizeof *s->vectors);
    keep_sample(s, at, NULL, NULL, 0);
}

static int store_one(struct batch *b, size_t i, const float *v, const float *mean, size_t n)
{
    struct settle *s = b->s;
    struct store *st = s->to->store;
    struct known *k = &s->chunk[b->at[i]];
    struct row_chunk *row = &b->row[i];
    size_t from = i ? b->body_end[i - 1] : 0;
    row->body = buf_str(&b->body) + from;
    row->body_n = b->body_end[i] - from;
    if (n && !s->relearn) row->topic = k->topic = topics_assign(&s->topics, mean);
    int rc = store_chunk_put(st, ps_of(s), row, s->err);
    if (!rc && n) rc = store_vectors_put(st, ps_of(s), s->m.id, k->id, v, s->m.e->dim, n, s->err);
    return is_gone(s, rc) ? 0 : rc;
}

static int store_batch(struct batch *b, size_t asked)
{
    struct settle *s = b->s;
    size_t dim = (size_t)s->m.e->dim;
    float mean[EMBED_DIM_MAX];
    int rc = settle_write(s);
    for (size_t i = 0; i < b->n && !rc; i++) {
        const float *v = b->v + b->first[i] * dim;
        size_t n = b->first[i + 1] - b->first[i];
        if (n) {
            settle_mean(v, n, dim, mean);
            if (asks(s, b->at[i]) && asked < s->asked.n) keep_windows(s, asked++, v, n);
        }
        if (s->relearn || !n) /* without n it has vectors, and the sample them */
            keep_sample(s, b->at[i], n ? mean : NULL, b->phrase[i], b->n_phrase[i]);
        rc = store_one(b, i, v, mean, n);
    }
    return settle_writes_on(s, rc);
}

static int embed_batch(struct batch *b, size_t asked)
{
    struct settle *s = b->s;
    size_t dim = (size_t)s->m.e->dim, from = 0;
    b->first[b->n] = b->n_windows;
    for (size_t i = 0; i < b->n_windows; from = b->end[i++])
        b->part[i] = (struct span){ buf_str(&b->text) + from, b->end[i] - from };
    free(b->v);
    if (!(b->v = malloc((b->n_windows + 1) * dim * sizeof *b->v))) return err_nomem(s->err);
    int rc = embed_texts(s->m.e, EMBED_PASSAGE, b->part, b->n_windows, b->v, s->err);
    if (!rc) rc = store_batch(b, asked);
    b->n = b->n_windows = 0;
    buf_clear(&b->text);
    buf_clear(&b->body);
    return rc;
}

static int derive_batches(struct settle *s, struct batch *b)
{
    size_t asked = 0;
    int rc = 0;
    for (size_t i = 0; i <= s->n && !rc; i++) {
        if (b->n == BATCH || (i == s->n && b->n)) {
            rc = embed_batch(b, asked);
            asked = s->asked.n;
            if (!rc) rc = progress_tick(s->pr, "embed", i, s->n, "passages");
        }
        if (i == s->n || rc) break;
        if (!s->relearn && has_vectors(s, i)) continue;
        b->at[b->n] = i;
        b->first[b->n] = b->n_windows;
        rc = store_chunk_get(s->home->store, ps_of(s), s->chunk[i].id, derive_chunk, b, s->err);
        if (!rc) b->n++;
        else if (is_gone(s, rc)) rc = 0, skip_sample(s, i);
    }
    return settle_wrote(s, rc);
}

int settle_derive(struct settle *s)
{
    struct batch *b = calloc(1, sizeof *b);
    int rc = b ? 0 : err_nomem(s->err);
    if (rc || !b) return rc;
    b->s = s;
    b->text = b->body = BUF_INIT(0);
    b->end = calloc(BATCH * WINDOWS_MAX, sizeof *b->end);
    b->part = calloc(BATCH * WINDOWS_MAX, sizeof *b->part);
    rc = b->end && b->part ? sample_kept(s) : err_nomem(s->err);
    if (!rc) rc = derive_batches(s, b);
    buf_free(&b->text);
    buf_free(&b->body);
    free(b->end);
    free(b->part);
    free(b->v);
    free(b);
    return rc;
}

/* The questions put to the windows of the other chunks, and to each other as sentences are. */
int settle_scale(struct settle *s)
{
    struct asked *a = &s->asked;
    struct embedder *quick = s->m.quick;
    uint32_t of[ASKED_MAX];
    size_t at = 0;
    if (!s->relearn || s->kept || a->text.failed) return a->text.failed ? err_nomem(s->err) : 0;
    for (size_t i = 0; i < a->n; at += a->question[i++].n) {
        a->question[i].p = buf_str(&a->text) + at;
        of[i] = (uint32_t)i;
    }
    float *v = malloc((a->n + 1) * (size_t)quick->dim * sizeof *v);
    int rc =
        v ? embed_texts(quick, EMBED_PASSAGE, a->question, a->n, v, s->err) : err_nomem(s->err);
    if (!rc)
        rc = embedding_calibrate(s->m.e, a->question, a->n, a->v, a->of, a->n_v, &s->m.scale,
                                 s->err);
    if (!rc) rc = embedding_calibrate(quick, a->question, a->n, v, of, a->n, &s->m.near, s->err);
    free(v);
    return rc ? rc : settle_save_embedder(s);
}
