/* Settling: everything that is derived from the pieces is brought up to date in one transaction, so
 * a reader sees the old state or the new one.
 *
 *  1. Sources whose chunks were dropped (a new alias, an interrupted change) are cut anew.
 *  2. The embedder. Its document frequencies are learnt from the chunks; when the corpus has grown
 * or shrunk by a quarter since, or something was deleted from it (then there are no topics: see
 *     source.c), it is learnt anew and every chunk embedded again under a new embedder row, which
 *     then becomes the current one. Otherwise only chunks without a vector are embedded.
 *  3. Key phrases of the chunks that were embedded; they need the same frequencies.
 *  4. Topics: clustered anew with the embedder, else new chunks join the nearest topic.
 *  5. The profile, counted over all voice pieces. */
#include "base/map.h"
#include "base/str.h"
#include "model/embed.h"
#include "persona/internal.h"
#include "persona/profile.h"
#include "persona/topics.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_PHRASES 6
#define SAMPLE_MAX    20000 /* chunks that topics are clustered from */

struct settle {
    struct home *home;
    struct persona *p;
    const struct progress *pr;
    struct err *err;
    struct embedder *e;
    int64_t embedder_id;
    bool relearn;
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

/* One that is damaged, of another kind or of another version is passed over: learnt anew. */
static int open_current(void *ud, const struct row_embedder *r)
{
    struct settle *s = ud;
    struct cursor c = cursor_of(r->body, r->body_n, "stored embedder");
    struct span name = cursor_lstr(&c, "name"), state = cursor_lstr(&c, "state");
    struct span version = cursor_left(&c) ? cursor_lstr(&c, "version") : span_of(NULL);
    const struct embed_kind *k = embed_kind_by_name(s->p->embedder);
    if (!r->current || s->e || c.bad || !k || !span_eq(name, k->name) || r->dim != k->dim) return 0;
    if (version.n && !span_eq(version, k->version)) return 0;
    s->e = embed_open(k->name, state.p, state.n, NULL);
    s->embedder_id = r->id;
    return 0;
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
        rc = embed_learn(s->e, buf_str(&b), b.n) ? err_nomem(s->err) : 0;
    }
    buf_free(&b);
    if (!rc) rc = progress_tick(s->pr, "learn", ++s->done, s->todo, "passages");
    return rc;
}

static int save_embedder(struct settle *s)
{
    struct buf state = BUF_INIT(0), body = BUF_INIT(0);
    struct row_embedder r = { .dim = s->e->kind->dim };
    int rc = embed_save(s->e, &state) ? err_nomem(s->err) : 0;
    buf_lstr(&body, s->e->kind->name, strlen(s->e->kind->name));
    buf_lstr(&body, buf_str(&state), state.n);
    buf_lstr(&body, s->e->kind->version, strlen(s->e->kind->version));
    if (!rc && body.failed) rc = err_nomem(s->err);
    r.body = buf_str(&body);
    r.body_n = body.n;
    if (!rc) rc = store_embedder_put(s->home->store, ps_of(s), &r, s->err);
    s->embedder_id = r.id;
    buf_free(&state);
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
    return rc || (s->e && s->topics.n && s->topics.dim != s->e->kind->dim);
}

static int ready_embedder(struct settle *s)
{
    struct store *st = s->home->store;
    int rc = store_chunk_each(st, ps_of(s), 0, keep_id, s, s->err);
    if (!rc) rc = store_embedder_each(st, ps_of(s), open_current, s, s->err);
    if (rc) return rc;
    uint64_t learned = s->e ? embed_learned(s->e) : 0;
    if (no_topics(s) || !s->e || s->n * 4 > learned * 5 || s->n * 5 < learned * 4)
        s->relearn = true;
    if (!s->relearn) return store_vector_each(st, ps_of(s), s->embedder_id, have_vector, s, s->err);
    topics_clear(&s->topics);
    embed_close(s->e);
    s->err->code = 0;
    if (!(s->e = embed_open(s->p->embedder, NULL, 0, s->err)))
        return s->err->code ? s->err->code : err_nomem(s->err);
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

struct derive {
    struct settle *s;
    size_t at; /* index in s->chunk */
    struct buf body;
    struct row_chunk row;
};

/* Topics are clustered from every stride-th chunk. */
static void keep_sample(struct settle *s, size_t at, const float *v, const struct phrase *ph,
                        size_t n_ph)
{
    size_t i = s->n_items, dim = (size_t)s->e->kind->dim;
    if (at % s->stride != 0 || i >= SAMPLE_MAX) return;
    memcpy(s->vectors + i * dim, v, dim * sizeof *v);
    memcpy(s->phrases + i * CHUNK_PHRASES, ph, n_ph * sizeof *ph);
    s->item[i] =
        (struct topic_item){ s->vectors + i * dim, s->phrases + i * CHUNK_PHRASES, n_ph, -1 };
    s->n_items++;
}

static int derive_chunk(void *ud, const struct row_chunk *r)
{
    struct derive *d = ud;
    struct settle *s = d->s;
    struct chunk_text t;
    struct phrase ph[CHUNK_PHRASES];
    struct buf text = BUF_INIT(0), own = BUF_INIT(0);
    float v[EMBED_DIM_MAX];
    arena_reset(s->mem);
    int rc = unpack_chunk(r->body, r->body_n, s->mem, &t, s->err);
    if (rc) goto out;
    chunk_embed_text(&t, &text);
    chunk_plain(&t, true, &own);
    t.phrase = ph;
    t.n_phrase = phrases_of(buf_str(&own), own.n, idf_of, s->e, ph, CHUNK_PHRASES);
    if (text.failed || own.failed || embed_text(s->e, buf_str(&text), text.n, v) ||
        pack_chunk(&d->body, &t)) {
        rc = err_nomem(s->err);
        goto out;
    }
    d->row = *r;
    d->row.body = buf_str(&d->body);
    d->row.body_n = d->body.n;
    if (s->relearn) keep_sample(s, d->at, v, ph, t.n_phrase);
    else d->row.topic = s->chunk[d->at].topic = topics_assign(&s->topics, v);
    rc = store_vector_put(s->home->store, ps_of(s), s->embedder_id, r->id, v, s->e->kind->dim,
                          s->err);
out:
    buf_free(&text);
    buf_free(&own);
    return rc;
}

static int derive_all(struct settle *s)
{
    int rc = 0;
    for (size_t i = 0; i < s->n && !rc; i++) {
        struct derive d = { .s = s, .at = i, .body = BUF_INIT(0) };
        if (!s->relearn && map_get(&s->has_vector, (uint64_t)s->chunk[i].id)) continue;
        rc = store_chunk_get(s->home->store, ps_of(s), s->chunk[i].id, derive_chunk, &d, s->err);
        if (!rc) rc = store_chunk_put(s->home->store, ps_of(s), &d.row, s->err);
        buf_free(&d.body);
        if (!rc && i % 64 == 0) rc = progress_tick(s->pr, "embed", i, s->n, "passages");
    }
    return rc;
}

/* ---- 4. topics ---- */

static int ready_sample(struct settle *s)
{
    size_t dim = (size_t)s->e->kind->dim;
    if (!s->relearn) return 0;
    s->stride = s->n > SAMPLE_MAX ? (s->n + SAMPLE_MAX - 1) / SAMPLE_MAX : 1;
    size_t most = s->n / s->stride + 1;
    s->item = calloc(most, sizeof *s->item);
    s->vectors = malloc(most * dim * sizeof *s->vectors);
    s->phrases = malloc(most * CHUNK_PHRASES * sizeof *s->phrases);
    return s->item && s->vectors && s->phrases ? 0 : err_nomem(s->err);
}

static int assign_vector(void *ud, int64_t chunk, const float *v, int dim)
{
    struct settle *s = ud;
    if (dim != s->e->kind->dim) return 0;
    int32_t topic = topics_assign(&s->topics, v);
    if (topic >= 0) s->topics.t[topic].chunks++;
    return store_chunk_topic(s->home->store, ps_of(s), chunk, topic, s->err);
}

static int cluster(struct settle *s)
{
    struct store *st = s->home->store;
    int rc = progress_tick(s->pr, "topics", 0, 0, "");
    if (!rc) rc = topics_cluster(s->item, s->n_items, s->e->kind->dim, &s->topics, s->err);
    for (size_t t = 0; !rc && s->stride > 1 && t < s->topics.n; t++) s->topics.t[t].chunks = 0;
    if (!rc && s->stride > 1) /* the sample made them; all chunks join them */
        return store_vector_each(st, ps_of(s), s->embedder_id, assign_vector, s, s->err);
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
    if (!rc && s->relearn)
        rc = store_embedder_switch(s->home->store, ps_of(s), s->embedder_id, s->err);
    if (!rc) rc = settle_topics(s);
    if (!rc) rc = settle_profile(s);
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
    embed_close(s.e);
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
    if (!embed_kind_by_name(embedder))
        return err_set(err, ERR_INVAL,
                       "there is no embedder of that name; the one that needs no "
                       "model is called hash");
    char *name = str_dup(embedder), *old = p->embedder;
    if (!name) return err_nomem(err);
    p->embedder = name;
    int rc = settle(h, p, true, pr, err);
    if (rc) p->embedder = old, old = name;
    free(old);
    return rc;
}
