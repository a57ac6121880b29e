/* Retrieval. What is searched is a corpus (corpus.h): it does not change, so retrievers on other
 * threads may have the same one. What a question leaves behind lies here: the last question with
 * the windows that were near it, and how near each chunk was that somebody looked at. Chunk texts
 * stay sealed in the store and are opened for the few that are returned; what the quote voice reads
 * of them is kept for a while (reading.h), and counts in retriever_bytes.
 *
 * Ranking: the best CANDIDATES by cosine and by BM25 are fused (index/fuse.h), thinned by maximal
 * marginal relevance, and cut to k. A chunk that only one of the two found still has a cosine, and
 * that is what `similarity` reports.
 *
 * A retriever is used by one thread at a time. When the store was changed by somebody else, the
 * next retrieve opens everything anew: rows are never patched, so there is one way in. */
#include "persona/retrieve.h"

#include "base/str.h"
#include "index/fuse.h"
#include "kernels/kernels.h"
#include "persona/converse.h"
#include "persona/corpus.h"
#include "persona/internal.h"
#include "persona/nearby.h"
#include "persona/question.h"
#include "persona/reading.h"
#include "persona/topics.h"
#include "persona/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES    64
#define WIDE          3         /* windows looked at for each chunk that is wanted */
#define FEWER         8         /* but of what is more than one for each, at first this part only */
#define BEST_WINDOW   0.5f      /* of the nearest window against the mean of all */
#define BEFORE_WEIGHT 0.45f     /* of an earlier turn against the question */
#define UNREAD        INT64_MIN /* version of what could not be read: tried again */
#define TERMS_MAX     64

struct nearness {     /* of a chunk to a question */
    uint32_t asked;   /* the number of that question */
    uint8_t window;   /* the nearest */
    float best, rank; /* its cosine; half of that and half of the mean over all windows */
};

struct near { /* a chunk, and the place of its best window among all windows */
    int64_t chunk;
    size_t first;
    float rank;
};

/* The last question: an answer is often followed by a look at the passages for the same words. */
struct lately {
    char *asked; /* its text, a NUL, and what was asked before; NULL: nothing was yet */
    size_t asked_n;
    float *v;          /* its vector */
    struct near *near; /* in the order of their windows; cap of them fit */
    size_t n, cap;
    size_t wide; /* nearest windows that they are of; 0: of no further use */
};

struct retriever {
    struct home *home;
    const struct persona *p;
    int64_t version; /* of the store's data when it was read */
    bool pinned;     /* and it is not asked for again */
    struct embedding m;
    struct corpus *c;          /* NULL: it could not be read anew */
    struct nearness *near;     /* [c->n], of the facts: none is made twice for a question */
    struct readings *readings; /* made when first asked for */
    struct profile profile;
    int64_t profile_version; /* of the store's data when it was read */
    struct topics topics;
    int64_t topics_version;
    struct lately last;
    uint32_t asked; /* number of the last question */
    struct arena *tmp;
};

struct query query_default(const char *text)
{
    return (struct query){ .text = text,
                           .k = 5,
                           .adaptive = true,
                           .diversity = 0.1f,
                           .from = CLOCK_NONE,
                           .to = CLOCK_NONE,
                           .topic = -1 };
}

/* ---- opening ---- */

static void forget_last(struct lately *l)
{
    if (l->asked) explicit_bzero(l->asked, l->asked_n);
    free(l->asked);
    free(l->v);
    free(l->near);
    *l = (struct lately){ 0 };
}

static void unload(struct retriever *r)
{
    readings_free(r->readings);
    forget_last(&r->last);
    embedding_close(&r->m);
    corpus_drop(r->c);
    free(r->near);
    arena_free(r->tmp);
    /* Whoever is being answered still has the profile and the topics. */
    *r = (struct retriever){ .home = r->home,
                             .p = r->p,
                             .pinned = r->pinned,
                             .profile = r->profile,
                             .profile_version = r->profile_version,
                             .topics = r->topics,
                             .topics_version = r->topics_version };
}

/* Takes c, and what goes with it. Without memory all stays as it is, and c the caller's. */
static int take_corpus(struct retriever *r, struct corpus *c, struct err *err)
{
    struct nearness *near = calloc(c->n + 1, sizeof *near);
    if (!near) return err_nomem(err);
    corpus_drop(r->c);
    free(r->near);
    forget_last(&r->last);
    r->c = c;
    r->near = near;
    r->asked = 0;
    return 0;
}

/* shared: what to search, if the embedder is still the one that it is made with; or NULL. */
static int load(struct retriever *r, struct corpus *shared, struct err *err)
{
    struct corpus *c = NULL;
    unload(r);
    r->version = store_data_version(r->home->store);
    r->tmp = arena_new(0);
    int rc = r->tmp ? 0 : err_nomem(err);
    if (!rc && shared) rc = corpus_embedding(r->home, r->p, &r->m, err);
    if (!rc && shared && corpus_fits(shared, &r->m)) {
        c = corpus_keep(shared);
    } else if (!rc) {
        embedding_close(&r->m);
        rc = corpus_open(r->home, r->p, &r->m, &c, err);
    }
    if (!rc) rc = take_corpus(r, c, err);
    if (rc) {
        corpus_drop(c);
        r->version = UNREAD;
    }
    return rc;
}

int retriever_open_on(struct home *h, const struct persona *p, struct corpus *c,
                      struct retriever **out, struct err *err)
{
    struct retriever *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r) return err_nomem(err);
    r->home = h;
    r->p = p;
    r->profile_version = r->topics_version = UNREAD;
    int rc = load(r, c, err);
    if (rc) retriever_close(r);
    else *out = r;
    return rc;
}

int retriever_open(struct home *h, const struct persona *p, struct retriever **out, struct err *err)
{
    return retriever_open_on(h, p, NULL, out, err);
}

void retriever_adopt(struct retriever *r, struct corpus *c)
{
    if (c == r->c || !corpus_fits(c, &r->m)) return;
    if (take_corpus(r, corpus_keep(c), NULL)) corpus_drop(c);
}

void retriever_close(struct retriever *r)
{
    if (!r) return;
    unload(r);
    profile_clear(&r->profile);
    topics_clear(&r->topics);
    free(r);
}

void retriever_pin(struct retriever *r, bool pinned) { r->pinned = pinned; }

static bool is_behind(const struct retriever *r)
{
    return r->version == UNREAD || (!r->pinned && r->version != store_data_version(r->home->store));
}

int retriever_ready(struct retriever *r, struct err *err)
{
    return is_behind(r) ? load(r, NULL, err) : 0;
}

/* ---- one question ---- */

struct filter {
    const struct retriever *r;
    const struct query *q;
};

static bool keep(void *ud, int64_t id)
{
    const struct filter *f = ud;
    const struct query *q = f->q;
    const struct fact *x = corpus_fact(f->r->c, id);
    if (!x) return false;
    if (q->source && x->source != q->source) return false;
    if (q->topic >= 0 && x->topic != q->topic) return false;
    if (x->written_at == CLOCK_NONE) return q->from == CLOCK_NONE && q->to == CLOCK_NONE;
    return (q->from == CLOCK_NONE || x->written_at >= q->from) &&
           (q->to == CLOCK_NONE || x->written_at < q->to);
}

static bool keep_window(void *ud, int64_t id) { return keep(ud, window_chunk(id)); }

static bool filtered(const struct query *q)
{
    return q->source || q->topic >= 0 || q->from != CLOCK_NONE || q->to != CLOCK_NONE;
}

static int embed_question(struct retriever *r, const struct query *q, float *v, struct err *err)
{
    size_t dim = (size_t)r->m.e->dim, n = q->before && *q->before ? 2 : 1;
    struct span text[] = { span_of(q->text), span_of(q->before) };
    float *both = arena_alloc(r->tmp, n * dim * sizeof *both);
    int rc = both ? embed_texts(r->m.e, EMBED_QUERY, text, n, both, err) : err_nomem(err);
    if (rc) return rc;
    memcpy(v, both, dim * sizeof *v);
    if (n == 1) return 0;
    kernels.axpy_f32(v, BEFORE_WEIGHT, both + dim, dim);
    float norm = sqrtf(kernels.dot_f32(v, v, dim));
    for (size_t i = 0; norm > 0 && i < dim; i++) v[i] /= norm;
    return 0;
}

/* Makes r->last this question's: question and, for a follow-up, the turns before it are one unit
 * vector. A search by words goes on without one, all 0, when the embedder cannot be asked. */
static int ask(struct retriever *r, const struct query *q, struct err *err)
{
    struct lately *l = &r->last;
    const char *before = q->before ? q->before : "";
    size_t n = strlen(q->text) + 1, all = n + strlen(before) + 1;
    if (l->asked && l->asked_n == all && !strcmp(l->asked, q->text) &&
        !strcmp(l->asked + n, before))
        return 0;
    forget_last(l);
    r->asked++;
    l->v = calloc((size_t)r->m.e->dim, sizeof *l->v);
    int rc = l->v ? embed_question(r, q, l->v, err) : err_nomem(err);
    if (rc) return rc != ERR_NOMEM && q->mode == QUERY_KEYWORD ? 0 : rc;
    if (!(l->asked = malloc(all))) return err_nomem(err);
    l->asked_n = all;
    memcpy(l->asked, q->text, n);
    memcpy(l->asked + n, before, all - n);
    return 0;
}

/* How near a chunk is to the last question; all 0: it has no vectors, or there is no such chunk. */
static struct nearness nearness_of(struct retriever *r, int64_t chunk)
{
    const struct fact *x = corpus_fact(r->c, chunk);
    if (!x || !x->windows) return (struct nearness){ 0 };
    struct nearness *n = &r->near[x - r->c->fact];
    float sum = 0;
    if (n->asked == r->asked) return *n;
    *n = (struct nearness){ .asked = r->asked };
    for (int i = 0; i < x->windows; i++) {
        const float *w = vectors_row(r->c->vectors, x->row + (size_t)i);
        float c = kernels.dot_f32(r->last.v, w, (size_t)r->m.e->dim);
        if (!i || c > n->best) n->best = c, n->window = (uint8_t)i;
        sum += c;
    }
    n->rank = BEST_WINDOW * n->best + (1 - BEST_WINDOW) * sum / x->windows;
    return *n;
}

/* The window that is nearest to the question stands for its chunk. */
static const float *vector_of(void *ud, int64_t id)
{
    struct retriever *r = ud;
    const struct fact *x = corpus_fact(r->c, id);
    if (!x || !x->windows) return NULL;
    return vectors_row(r->c->vectors, x->row + (size_t)nearness_of(r, id).window);
}

static int by_score(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* How many of the chunks that were found have a window among the nearest `wide`. */
static size_t within(const struct lately *l, size_t wide)
{
    size_t n = 0;
    while (n < l->n && l->near[n].first < wide) n++;
    return n;
}

/* The chunks of the nearest `wide` windows, `want` of them at most, into r->last. */
static int look_at(struct retriever *r, size_t want, size_t wide, bool (*fn)(void *, int64_t),
                   struct filter *f)
{
    struct lately *l = &r->last;
    struct hit *w = arena_alloc(r->tmp, wide * sizeof *w);
    struct near *room = l->cap < want ? realloc(l->near, want * sizeof *room) : l->near;
    if (room) l->near = room;
    if (!room || !w) return ERR_NOMEM;
    if (l->cap < want) l->cap = want;
    size_t found = nearby_search(r->c->graph, r->c->vectors, l->v, wide, fn, f, w);
    l->n = 0;
    for (size_t i = 0; i < found && l->n < want; i++) {
        int64_t chunk = window_chunk(w[i].id);
        size_t k = 0;
        while (k < l->n && l->near[k].chunk != chunk) k++;
        if (k == l->n) l->near[l->n++] = (struct near){ chunk, i, 0 };
    }
    for (size_t i = 0; i < l->n; i++) l->near[i].rank = nearness_of(r, l->near[i].chunk).rank;
    size_t there = vectors_count(r->c->vectors);
    l->wide = fn || r->c->graph || found < (wide < there ? wide : there) ? 0 : wide;
    return 0;
}

/* Looks for the chunks whose windows are nearest to the question: the one place that asks the
 * vectors. Most often few windows more than chunks are enough to find so many chunks: the best ones
 * are the same, however many are asked for. That holds for a scan of all vectors, not for a walk;
 * and what was found without a filter holds for the next search, too. */
static int look_near(struct retriever *r, size_t want, size_t wide, bool (*fn)(void *, int64_t),
                     struct filter *f)
{
    struct lately *l = &r->last;
    if (!fn && l->wide && (l->wide >= wide || within(l, wide) >= want)) return 0;
    size_t few = r->c->graph ? wide : want + (wide - want) / FEWER;
    int rc = look_at(r, want, few, fn, f);
    return rc || l->n >= want || few == wide ? rc : look_at(r, want, wide, fn, f);
}

/* The nearest chunks, best first, at most `want`. */
static size_t near_chunks(struct retriever *r, size_t want, bool (*fn)(void *, int64_t),
                          struct filter *f, struct hit *out, struct err *err, int *rc)
{
    size_t wide = r->c->windowed ? want * WIDE : want;
    const struct lately *l = &r->last;
    if (look_near(r, want, wide, fn, f)) {
        *rc = err_nomem(err);
        return 0;
    }
    size_t n = within(l, wide);
    if (n > want) n = want;
    for (size_t i = 0; i < n; i++) out[i] = (struct hit){ l->near[i].chunk, l->near[i].rank };
    qsort(out, n, sizeof *out, by_score);
    return n;
}

/* The question's words, with everyday synonyms unless they were given or words alone are wanted. */
static size_t query_terms(const struct retriever *r, const struct query *q, struct bm25_term *t)
{
    size_t n = bm25_terms(q->text, strlen(q->text), t, TERMS_MAX);
    for (size_t i = 0; i < q->n_extra && n < TERMS_MAX; i++) t[n++] = q->extra[i];
    if (!q->extra && q->mode == QUERY_HYBRID) {
        struct question read;
        question_read(q->text, NULL, r->c->words, &read);
        n += question_expand(&read, t + n, TERMS_MAX - n);
    }
    if (!q->before || !*q->before) return n;
    struct bm25_term b[TERMS_MAX];
    size_t m = bm25_terms(q->before, strlen(q->before), b, TERMS_MAX);
    for (size_t i = 0; i < m && n < TERMS_MAX; i++) {
        size_t j = 0;
        while (j < n && t[j].stem != b[i].stem) j++;
        if (j < n) continue;
        t[n] = b[i];
        t[n++].weight *= BEFORE_WEIGHT;
    }
    return n;
}

/* Candidates, best first; `score` in [0, 1]. */
static size_t rank(struct retriever *r, const struct query *q, size_t want, struct hit *out,
                   size_t cap, struct err *err, int *rc)
{
    struct filter f = { r, q };
    bool some = filtered(q);
    struct hit *a = calloc(2 * want, sizeof *a), *b = a ? a + want : NULL;
    struct bm25_term t[TERMS_MAX];
    size_t na = 0, nb = 0, n;
    if (!a) {
        *rc = err_nomem(err);
        return 0;
    }
    if (q->mode != QUERY_KEYWORD)
        na = near_chunks(r, want, some ? keep_window : NULL, &f, a, err, rc);
    if (q->mode != QUERY_VECTOR)
        nb =
            bm25_search(r->c->words, t, query_terms(r, q, t), want, some ? keep : NULL, &f, b, err);
    n = fuse_rankings(a, na, b, nb, r->m.weight, out, cap);
    free(a);
    return n;
}

struct opened {
    struct passage *p;
    struct arena *mem;
    struct err *err;
};

static int open_text(void *ud, const struct row_chunk *row)
{
    struct opened *o = ud;
    return unpack_chunk(row->body, row->body_n, o->mem, &o->p->text, o->err);
}

/* Adaptive k: the passages above the floor; fewer than three, then the best k as they are. */
static size_t cut(const struct retriever *r, const struct query *q, const float *sim, bool *keep_it,
                  size_t n)
{
    size_t above = 0, k = q->k > 0 ? (size_t)q->k : 5;
    float floor = q->floor != 0 ? q->floor : r->m.scale.floor;
    for (size_t i = 0; i < n; i++) above += sim[i] > floor;
    bool adapt = q->adaptive && above >= 3;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        keep_it[i] = kept < k && (!adapt || sim[i] > floor);
        kept += keep_it[i];
    }
    return kept;
}

static int fill(struct retriever *r, const struct query *q, const struct hit *hit, size_t n,
                struct passages *out, struct err *err)
{
    float *sim = arena_alloc(r->tmp, (n + 1) * sizeof *sim);
    bool *want = arena_alloc(r->tmp, (n + 1) * sizeof *want);
    int rc = 0;
    if (!sim || !want) return err_nomem(err);
    /* Only an adaptive k asks how near the others are. */
    size_t most = !q->adaptive && q->k > 0 && (size_t)q->k < n ? (size_t)q->k : n;
    for (size_t i = 0; i < most; i++) sim[i] = nearness_of(r, hit[i].id).best;
    size_t kept = cut(r, q, sim, want, n);
    out->p = arena_alloc(out->mem, (kept + 1) * sizeof *out->p);
    if (!out->p) return err_nomem(err);
    for (size_t i = 0; i < n && !rc; i++) {
        if (!want[i]) continue;
        const struct fact *x = corpus_fact(r->c, hit[i].id);
        struct passage *p = &out->p[out->n];
        *p = (struct passage){ x->chunk, x->source,    x->written_at, x->topic,
                               sim[i],   hit[i].score, { 0 } };
        struct opened o = { p, out->mem, err };
        if (!q->bare)
            rc = store_chunk_get(r->home->store, &r->p->seal, x->chunk, open_text, &o, err);
        if (rc == ERR_NOTFOUND) rc = 0; /* deleted since: the next question reads anew */
        else out->n++;
    }
    return rc;
}

int retrieve(struct retriever *r, const struct query *q, struct passages *out, struct err *err)
{
    int rc = retriever_ready(r, err);
    *out = (struct passages){ 0 };
    if (rc) return rc;
    size_t k = q->k > 0 ? (size_t)q->k : 5, want = k * 4 > CANDIDATES ? k * 4 : CANDIDATES;
    struct hit *hit = calloc(2 * want, sizeof *hit);
    arena_reset(r->tmp);
    if (!hit || !(out->mem = arena_new(0))) rc = err_nomem(err);
    if (!rc) rc = ask(r, q, err);
    size_t n = rc ? 0 : rank(r, q, want, hit, 2 * want, err, &rc);
    if (!rc && q->diversity > 0)
        n = fuse_mmr(hit, n, k, 1 - q->diversity, r->m.e->dim, vector_of, r);
    if (!rc) rc = fill(r, q, hit, n, out, err);
    free(hit);
    if (rc) passages_clear(out);
    return rc;
}

void passages_clear(struct passages *ps)
{
    arena_free(ps->mem);
    *ps = (struct passages){ 0 };
}

/* ---- looking in ---- */

const struct bm25 *retriever_words(const struct retriever *r) { return r->c->words; }
struct embedder *retriever_embedder(const struct retriever *r) { return r->m.e; }
const struct embedding *retriever_embedding(const struct retriever *r) { return &r->m; }
struct home *retriever_home(const struct retriever *r) { return r->home; }
const struct persona *retriever_persona(const struct retriever *r) { return r->p; }

struct corpus *retriever_corpus(const struct retriever *r) { return r->c; }

size_t retriever_bytes(const struct retriever *r)
{
    return (r->c ? corpus_bytes(r->c) : 0) + retriever_own_bytes(r);
}

size_t retriever_own_bytes(const struct retriever *r)
{
    return (r->c ? r->c->n * sizeof *r->near : 0) + (r->readings ? readings_bytes(r->readings) : 0);
}

static int64_t version_now(const struct retriever *r)
{
    return r->pinned ? r->version : store_data_version(r->home->store);
}

int retriever_topics(struct retriever *r, const struct topics **out, struct err *err)
{
    int64_t version = version_now(r);
    struct buf doc = BUF_INIT((size_t)256 << 20);
    int rc = 0;
    if (r->topics_version != version) {
        topics_clear(&r->topics);
        rc = store_doc_get(r->home->store, &r->p->seal, "topics", &doc, err);
        if (rc == ERR_NOTFOUND) rc = 0; /* none yet */
        else if (!rc && topics_load(buf_str(&doc), doc.n, &r->topics, NULL))
            topics_clear(&r->topics); /* damaged: the doctor's */
        r->topics_version = rc ? UNREAD : version;
        buf_free(&doc);
    }
    *out = &r->topics;
    return rc;
}

int retriever_profile(struct retriever *r, const struct profile **out, struct err *err)
{
    int64_t version = version_now(r);
    int rc = 0;
    if (r->profile_version != version) {
        profile_clear(&r->profile);
        rc = profile_of(r->home, r->p, &r->profile, err);
        r->profile_version = rc ? UNREAD : version;
    }
    *out = !rc && r->profile.words ? &r->profile : NULL;
    return rc;
}

struct readings *retriever_readings(struct retriever *r, struct err *err)
{
    if (!r->readings) r->readings = readings_new(r->home, r->p, r->m.quick, err);
    return r->readings;
}

const char *retriever_title(const struct retriever *r, int64_t source)
{
    const uint64_t *t = r->c ? map_get(&r->c->title, (uint64_t)source) : NULL;
    return t ? (const char *)(uintptr_t)*t : "";
}
