/* Settling: everything that is derived from the pieces is brought up to date in one transaction, so
 * a reader sees the old state or the new one.
 *
 *  1. Sources whose chunks were dropped (a new alias, an interrupted change) are cut anew.
 *  2. The embedder, and how rare words are. When the corpus has grown or shrunk by a quarter since
 * that was learnt, when something was deleted from it (then there are no topics: see source.c), or
 * when the embedder or its version is another, it is learnt anew and every chunk embedded again
 * under a new embedder row, which then becomes the current one. Otherwise, and where the embedder
 * itself learns nothing and the corpus was not small, only chunks without vectors are embedded.
 *  3. Vectors, one for each window of a chunk (windows.c), BATCH chunks at a time; and key phrases
 *     of the chunks that were embedded. A few sentences of the corpus, put to it as questions, say
 *     what a cosine means here (embedding.c).
 *  4. Topics: clustered anew with the embedder, else new chunks join the nearest topic.
 *  5. The profile, counted over all voice pieces. */
#include "base/map.h"
#include "base/str.h"
#include "kernels/kernels.h"
#include "persona/embedding.h"
#include "persona/internal.h"
#include "persona/nearby.h"
#include "persona/profile.h"
#include "persona/topics.h"
#include "persona/windows.h"
#include "text/token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_PHRASES 6
#define SAMPLE_MAX    20000 /* chunks that topics are clustered from */
#define BATCH         32    /* chunks embedded together */
#define KEEP_FROM     500   /* chunks: what a cosine means was asked of enough of them */
#define ASKED_MAX     64    /* chunks of which a sentence becomes a question for the scale */
#define ASKED_WINDOWS 8     /* of each of them */

struct settle {
    struct home *home;
    struct persona *p;
    const struct progress *pr;
    struct err *err;
    struct embedding m;
    bool relearn;
    bool kept;     /* relearn, but vectors that are there hold: the embedder learns nothing */
    bool reembed;  /* p->embedder is new and to be saved */
    struct known { /* all chunks */
        int64_t id;
        int32_t topic;
    } * chunk;
    size_t n, cap;
    struct map has_vector;
    struct arena *mem;
    struct topics topics;
    struct topic_item *item; /* when clustering: one per sampled chunk */
    float *vectors;
    struct phrase *phrases;
    size_t n_items, stride;
    struct sentences *cut;
    struct asked { /* for the scale */
        struct buf text;
        struct span question[ASKED_MAX]; /* p: offset in text, until all are there */
        size_t n;
        float *v; /* windows of those chunks */
        uint32_t of[ASKED_MAX * ASKED_WINDOWS];
        size_t n_v;
    } asked;
    uint64_t done, todo;
};

static const struct sealed *ps_of(const struct settle *s) { return &s->p->seal; }

/* ---- 1. chunks ---- */

struct missing {
    int64_t *id;
    size_t n, cap;
    struct err *err;
};

static int find_unchunked(void *ud, const struct row_source *r)
{
    struct missing *m = ud;
    if (!r->n_voice || r->n_chunks) return 0;
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        int64_t *grown = realloc(m->id, cap * sizeof *grown);
        if (!grown) return err_nomem(m->err);
        m->id = grown;
        m->cap = cap;
    }
    m->id[m->n++] = r->id;
    return 0;
}

static int chunk_missing(struct settle *s)
{
    struct missing m = { .err = s->err };
    uint64_t n;
    int rc = store_source_each(s->home->store, ps_of(s), 0, find_unchunked, &m, s->err);
    for (size_t i = 0; i < m.n && !rc; i++) {
        rc = chunk_source(s->home, s->p, m.id[i], &n, s->err);
        if (!rc) rc = progress_tick(s->pr, "chunk", i + 1, m.n, "sources");
    }
    free(m.id);
    return rc;
}

/* ---- 2. embedder ---- */

static int keep_id(void *ud, const struct row_chunk *r)
{
    struct settle *s = ud;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        struct known *grown = realloc(s->chunk, cap * sizeof *grown);
        if (!grown) return err_nomem(s->err);
        s->chunk = grown;
        s->cap = cap;
    }
    s->chunk[s->n++] = (struct known){ r->id, r->topic };
    return 0;
}

/* One that is damaged, of another kind or of another version is passed over: made anew. */
static int open_current(void *ud, const struct row_embedder *r)
{
    struct settle *s = ud;
    struct err why = { 0 };
    if (!r->current || s->m.e || s->relearn || !embedding_is(r, s->p->embedder)) return 0;
    return embedding_read(r, &s->m, &why) == ERR_NOMEM ? err_nomem(s->err) : 0;
}

static int have_vector(void *ud, int64_t chunk, const float *v, int dim)
{
    struct settle *s = ud;
    return map_slot(&s->has_vector, (uint64_t)chunk) ? 0 : err_nomem(s->err);
}

static int learn_chunk(void *ud, const struct row_chunk *r)
{
    struct settle *s = ud;
    struct chunk_text t;
    struct buf b = BUF_INIT(0);
    arena_reset(s->mem);
    int rc = unpack_chunk(r->body, r->body_n, s->mem, &t, s->err);
    if (!rc) {
        chunk_plain(&t, false, &b);
        rc = embed_learn(s->m.words, buf_str(&b), b.n) ? err_nomem(s->err) : 0;
    }
    buf_free(&b);
    if (!rc) rc = progress_tick(s->pr, "learn", ++s->done, s->todo, "passages");
    return rc;
}

static int save_embedder(struct settle *s)
{
    struct buf body = BUF_INIT(0);
    struct row_embedder r = { .id = s->m.id, .dim = s->m.e->dim, .current = s->kept };
    int rc = embedding_pack(&s->m, &body) ? err_nomem(s->err) : 0;
    r.body = buf_str(&body);
    r.body_n = body.n;
    if (!rc) rc = store_embedder_put(s->home->store, ps_of(s), &r, s->err);
    s->m.id = r.id;
    buf_free(&body);
    return rc;
}

static int no_topics(struct settle *s)
{
    struct buf doc = BUF_INIT(0);
    int rc = store_doc_get(s->home->store, ps_of(s), "topics", &doc, NULL);
    if (!rc && topics_load(buf_str(&doc), doc.n, &s->topics, NULL))
        topics_clear(&s->topics), rc = 1;
    buf_free(&doc);
    return rc || (s->m.e && s->topics.n && s->topics.dim != s->m.e->dim);
}

static int ready_embedder(struct settle *s)
{
    struct store *st = s->home->store;
    int rc = store_chunk_each(st, ps_of(s), 0, keep_id, s, s->err);
    if (!rc) rc = store_embedder_each(st, ps_of(s), open_current, s, s->err);
    if (rc) return rc;
    uint64_t learned = s->m.e ? embed_learned(s->m.words) : 0;
    if (no_topics(s) || !s->m.e || s->n * 4 > learned * 5 || s->n * 5 < learned * 4)
        s->relearn = true;
    if (!s->relearn) return store_vector_each(st, ps_of(s), s->m.id, have_vector, s, s->err);
    topics_clear(&s->topics);
    s->kept = s->m.e && !s->m.e->kind->learns && learned >= KEEP_FROM;
    if (s->kept) {
        rc = embedding_unlearn(&s->m, s->err);
        if (!rc) rc = store_vector_each(st, ps_of(s), s->m.id, have_vector, s, s->err);
    } else {
        embedding_close(&s->m);
        rc = embedding_open(s->p->embedder, &s->m, s->err);
    }
    if (rc) return rc;
    s->todo = s->n;
    rc = store_chunk_each(st, ps_of(s), 0, learn_chunk, s, s->err);
    return rc ? rc : save_embedder(s);
}

/* ---- 3. vectors and phrases ---- */

static float idf_of(void *ud, uint64_t stem) { return embed_idf(ud, stem); }

/* What a chunk is embedded by: its title, then its text. */
void chunk_embed_text(const struct chunk_text *t, struct buf *out)
{
    if (t->title && *t->title) buf_printf(out, "%s\n", t->title);
    chunk_plain(t, false, out);
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
    struct buf body; /* of the chunk at hand */
    struct row_chunk row;
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
    buf_clear(&b->body);
    if (all.failed || own.failed || pack_chunk(&b->body, &t) ||
        (!has_vectors(s, b->at[b->n]) && add_windows(b, t.title, buf_str(&all), all.n))) {
        rc = err_nomem(s->err);
        goto out;
    }
    if (asks(s, b->at[b->n])) keep_question(s, buf_str(&own), own.n);
    b->row = *r;
    b->row.body = buf_str(&b->body);
    b->row.body_n = b->body.n;
out:
    buf_free(&all);
    buf_free(&own);
    return rc;
}

/* What a chunk's windows have in common: their mean, of length 1. */
static void mean_of(const float *v, size_t n, size_t dim, float *out)
{
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < n; i++) kernels.axpy_f32(out, 1, v + i * dim, dim);
    float norm = sqrtf(kernels.dot_f32(out, out, dim));
    for (size_t i = 0; i < dim; i++) out[i] = norm > 1e-20f ? out[i] / norm : 0;
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
    memcpy(s->phrases + i * CHUNK_PHRASES, ph, n_ph * sizeof *ph);
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
    mean_of(v, (size_t)n / dim, dim, s->vectors + (*at - 1) / s->stride * dim);
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

static int store_batch(struct batch *b, size_t asked)
{
    struct settle *s = b->s;
    struct store *st = s->home->store;
    size_t dim = (size_t)s->m.e->dim;
    float mean[EMBED_DIM_MAX];
    int rc = 0;
    for (size_t i = 0; i < b->n && !rc; i++) {
        struct known *k = &s->chunk[b->at[i]];
        const float *v = b->v + b->first[i] * dim;
        size_t n = b->first[i + 1] - b->first[i];
        if (!n) { /* it has them */
            keep_sample(s, b->at[i], NULL, b->phrase[i], b->n_phrase[i]);
            continue;
        }
        mean_of(v, n, dim, mean);
        if (asks(s, b->at[i]) && asked < s->asked.n) keep_windows(s, asked++, v, n);
        if (s->relearn) keep_sample(s, b->at[i], mean, b->phrase[i], b->n_phrase[i]);
        else {
            k->topic = topics_assign(&s->topics, mean);
            rc = store_chunk_topic(st, ps_of(s), k->id, k->topic, s->err);
        }
        if (!rc) rc = store_vectors_put(st, ps_of(s), s->m.id, k->id, v, (int)dim, n, s->err);
    }
    return rc;
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
        if (!rc) rc = store_chunk_put(s->home->store, ps_of(s), &b->row, s->err);
        b->n++;
    }
    return rc;
}

static int derive_all(struct settle *s)
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
static int settle_scale(struct settle *s)
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
    return rc ? rc : save_embedder(s);
}

/* ---- 4. topics ---- */

static int ready_sample(struct settle *s)
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

static int assign_vector(void *ud, int64_t chunk, const float *v, int n)
{
    struct settle *s = ud;
    int dim = s->m.e->dim;
    float mean[EMBED_DIM_MAX];
    if (n % dim) return 0;
    mean_of(v, (size_t)(n / dim), (size_t)dim, mean);
    int32_t topic = topics_assign(&s->topics, mean);
    if (topic >= 0) s->topics.t[topic].chunks++;
    return store_chunk_topic(s->home->store, ps_of(s), chunk, topic, s->err);
}

static int cluster(struct settle *s)
{
    struct store *st = s->home->store;
    int rc = progress_tick(s->pr, "topics", 0, 0, "");
    if (!rc) rc = topics_cluster(s->item, s->n_items, s->m.e->dim, &s->topics, s->err);
    for (size_t t = 0; !rc && s->stride > 1 && t < s->topics.n; t++) s->topics.t[t].chunks = 0;
    if (!rc && s->stride > 1) /* the sample made them; all chunks join them */
        return store_vector_each(st, ps_of(s), s->m.id, assign_vector, s, s->err);
    for (size_t i = 0; i < s->n_items && !rc; i++)
        rc = store_chunk_topic(st, ps_of(s), s->chunk[i].id, s->item[i].topic, s->err);
    return rc;
}

/* Chunks came and went: how many each topic has now. Says whether that is news. */
static bool recount(struct settle *s)
{
    bool changed = false;
    for (size_t t = 0; t < s->topics.n; t++) {
        uint32_t n = 0;
        for (size_t i = 0; i < s->n; i++) n += s->chunk[i].topic == s->topics.t[t].id;
        changed |= n != s->topics.t[t].chunks;
        s->topics.t[t].chunks = n;
    }
    return changed;
}

static int settle_topics(struct settle *s)
{
    struct buf doc = BUF_INIT(0);
    int rc = s->relearn ? cluster(s) : 0;
    if (rc || (!s->relearn && !recount(s))) return rc;
    rc = topics_save(&s->topics, &doc, s->err);
    if (!rc) rc = store_doc_put(s->home->store, ps_of(s), "topics", buf_str(&doc), doc.n, s->err);
    buf_free(&doc);
    return rc;
}

/* ---- 5. profile ---- */

struct counting {
    struct settle *s;
    struct profile_counter *c;
    uint64_t n;
};

static int count_voice(void *ud, const struct row_piece *r)
{
    struct counting *k = ud;
    struct piece p;
    if (!r->voice) return 0;
    arena_reset(k->s->mem);
    int rc = unpack_piece(r->body, r->body_n, k->s->mem, &p, k->s->err);
    if (!rc && profile_count(k->c, p.text, strlen(p.text), r->kind, r->written_at))
        rc = err_nomem(k->s->err);
    if (!rc && ++k->n % 256 == 0) rc = progress_tick(k->s->pr, "profile", k->n, 0, "pieces");
    return rc;
}

static int settle_profile(struct settle *s)
{
    struct buf doc = BUF_INIT(0);
    struct counting k = { s, profile_counter_new(s->err), 0 };
    int rc =
        k.c ? store_piece_each(s->home->store, ps_of(s), 0, PIECE_BY_SEQ, count_voice, &k, s->err)
            : ERR_NOMEM;
    if (!rc) rc = profile_finish(k.c, &doc, s->err);
    if (!rc) rc = store_doc_put(s->home->store, ps_of(s), "profile", buf_str(&doc), doc.n, s->err);
    profile_counter_free(k.c);
    buf_free(&doc);
    return rc;
}

/* ---- all of it ---- */

static int settle_steps(struct settle *s)
{
    int rc = chunk_missing(s);
    if (!rc) rc = ready_embedder(s);
    if (!rc) rc = ready_sample(s);
    if (!rc) rc = derive_all(s);
    if (!rc) rc = settle_scale(s);
    if (!rc && s->relearn) rc = store_embedder_switch(s->home->store, ps_of(s), s->m.id, s->err);
    if (!rc) rc = settle_topics(s);
    if (!rc) rc = settle_profile(s);
    if (!rc) rc = nearby_settle(s->home, s->p, s->m.id, s->m.e->dim, false, s->pr, s->err);
    if (!rc && s->reembed) rc = persona_save(s->home, s->p, s->err);
    if (!rc) rc = store_persona_stale(s->home->store, ps_of(s), false, s->err);
    return rc;
}

static int settle(struct home *h, struct persona *p, bool reembed, const struct progress *pr,
                  struct err *err)
{
    struct err local = { 0 };
    struct settle s = { .home = h,
                        .p = p,
                        .pr = pr,
                        .err = err ? err : &local,
                        .relearn = reembed,
                        .reembed = reembed,
                        .stride = 1 };
    int rc = store_begin(h->store, s.err);
    if (rc) return rc;
    s.mem = arena_new(0);
    rc = s.mem ? settle_steps(&s) : err_nomem(s.err);
    if (!rc) rc = store_commit(h->store, s.err);
    if (rc) store_rollback(h->store);
    else p->stale = false;
    if (rc == ERR_CANCEL)
        err_set(s.err, rc, "stopped: what was added is there; `likeness doctor` finishes the rest");
    embedding_close(&s.m);
    sentences_free(s.cut);
    buf_free(&s.asked.text);
    free(s.asked.v);
    topics_clear(&s.topics);
    map_free(&s.has_vector);
    arena_free(s.mem);
    free(s.chunk);
    free(s.item);
    free(s.vectors);
    free(s.phrases);
    return rc;
}

int persona_settle(struct home *h, struct persona *p, const struct progress *pr, struct err *err)
{
    return settle(h, p, false, pr, err);
}

int persona_reembed(struct home *h, struct persona *p, const char *embedder,
                    const struct progress *pr, struct err *err)
{
    char *name = str_dup(embedder), *old = p->embedder;
    if (!name) return err_nomem(err);
    p->embedder = name;
    int rc = settle(h, p, true, pr, err);
    if (rc) p->embedder = old, old = name;
    free(old);
    return rc;
}
