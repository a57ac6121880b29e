/* Settling: everything that is derived from the pieces is brought up to date, so that a reader sees
 * the old state or the new one.
 *
 *  1. Sources whose chunks were dropped (a new alias, an interrupted change) are cut anew.
 *  2. The embedder, and how rare words are. When the corpus has grown or shrunk by a quarter since
 *     that was learnt, when something was deleted from it (then there are no topics: see source.c),
 *     or when the embedder or its version is another, it is learnt anew and every chunk embedded
 *     again under a new embedder row, which then becomes the current one. Otherwise, and where the
 *     embedder itself learns nothing and the corpus was not small, only chunks without vectors are
 *     embedded.
 *  3. Vectors, one for each window of a chunk (windows.c), BATCH chunks at a time; and key phrases
 *     of the chunks that were embedded. A few sentences of the corpus, put to it as questions, say
 *     what a cosine means here (embedding.c).
 *  4. Topics: clustered anew with the embedder, else new chunks join the nearest topic.
 *  5. The profile, counted over all voice pieces.
 *
 * With the only writer in hand all of this is one transaction. Where many share it
 * (persona_settle_by), what takes long is done while others write, and what is stored goes in steps
 * that are each harmless: vectors of an embedder that is not the current one yet are seen by
 * nobody, a chunk gets its phrases and vector a little before the others; and the last step, in one
 * transaction, is the switch, with topics and profile. If it does not come to that, the persona is
 * stale as before, and the next settling takes the unfinished embedder away. Meanwhile texts may be
 * added (they wait for the next settling: the persona then stays stale) and chunks may be cut anew
 * (then those that were known here are gone, and passed over). */
#include "base/str.h"
#include "persona/mask.h"
#include "persona/nearby.h"
#include "persona/profile.h"
#include "persona/settle_impl.h"
#include "persona/windows.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_FROM 500 /* chunks: what a cosine means was asked of enough of them */
#define HOLD      0.1 /* seconds: how long others wait for a settling at most */

/* ---- 0. writing ---- */

int settle_write(struct settle *s)
{
    if (s->to) return 0;
    int rc = s->by->take(s->by->ud, &s->to, s->err);
    if (rc) return rc;
    s->since = clock_mono();
    if ((rc = store_begin(s->to->store, s->err))) {
        s->by->give(s->by->ud, s->to);
        s->to = NULL;
    }
    return rc;
}

int settle_wrote(struct settle *s, int rc)
{
    if (!s->by || !s->to) return rc;
    if (!rc) rc = store_commit(s->to->store, s->err);
    else store_rollback(s->to->store);
    s->by->give(s->by->ud, s->to);
    s->to = NULL;
    return rc;
}

int settle_writes_on(struct settle *s, int rc)
{
    bool slow = s->m.e != s->m.quick;
    return !rc && !slow && clock_mono() - s->since < HOLD ? 0 : settle_wrote(s, rc);
}

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
        rc = settle_write(s);
        if (!rc) rc = settle_wrote(s, chunk_source(s->to, s->p, m.id[i], &n, s->err));
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
    if (r->id > s->last) s->last = r->id;
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

int settle_save_embedder(struct settle *s)
{
    struct buf body = BUF_INIT(0);
    struct row_embedder r = { .id = s->m.id, .dim = s->m.e->dim, .current = s->kept };
    int rc = embedding_pack(&s->m, &body) ? err_nomem(s->err) : 0;
    r.body = buf_str(&body);
    r.body_n = body.n;
    if (!rc && !(rc = settle_write(s)))
        rc = settle_wrote(s, store_embedder_put(s->to->store, ps_of(s), &r, s->err));
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

struct unfinished {
    int64_t current;
    bool others;
};

static int find_unfinished(void *ud, const struct row_embedder *r)
{
    struct unfinished *u = ud;
    if (r->current) u->current = r->id;
    else u->others = true;
    return 0;
}

/* What an earlier settling left behind that did not come to its end. */
static int drop_unfinished(struct settle *s)
{
    struct unfinished u = { 0 };
    int rc = store_embedder_each(s->home->store, ps_of(s), find_unfinished, &u, s->err);
    if (rc || !u.others || !u.current || (rc = settle_write(s))) return rc;
    return settle_wrote(s, store_embedder_switch(s->to->store, ps_of(s), u.current, s->err));
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
    if (!s->relearn) {
        rc = mask_embedder(s->home, s->p, s->m.e, s->err);
        return rc ? rc : store_vector_each(st, ps_of(s), s->m.id, have_vector, s, s->err);
    }
    topics_clear(&s->topics);
    s->kept = s->m.e && !s->m.e->kind->learns && learned >= KEEP_FROM;
    if (s->kept) {
        rc = embedding_unlearn(&s->m, s->err);
        if (!rc) rc = store_vector_each(st, ps_of(s), s->m.id, have_vector, s, s->err);
    } else {
        embedding_close(&s->m);
        rc = embedding_open(s->p->embedder, &s->m, s->err);
    }
    if (!rc) rc = mask_embedder(s->home, s->p, s->m.e, s->err);
    if (rc) return rc;
    s->todo = s->n;
    rc = store_chunk_each(st, ps_of(s), 0, learn_chunk, s, s->err);
    return rc ? rc : settle_save_embedder(s);
}

/* ---- 4. topics ---- */

static int assign_vector(void *ud, int64_t chunk, const float *v, int n)
{
    struct settle *s = ud;
    int dim = s->m.e->dim;
    float mean[EMBED_DIM_MAX];
    if (n % dim) return 0;
    settle_mean(v, (size_t)(n / dim), (size_t)dim, mean);
    int32_t topic = topics_assign(&s->topics, mean);
    if (topic >= 0) s->topics.t[topic].chunks++;
    int rc = store_chunk_topic(s->to->store, ps_of(s), chunk, topic, s->err);
    return is_gone(s, rc) ? 0 : rc;
}

static int cluster(struct settle *s)
{
    int rc = progress_tick(s->pr, "topics", 0, 0, "");
    if (!rc) rc = topics_cluster(s->item, s->n_items, s->m.e->dim, &s->topics, s->err);
    free(s->vectors); /* before the graph takes memory; of the items, topics alone are wanted now */
    free(s->phrases);
    s->vectors = NULL;
    s->phrases = NULL;
    return rc;
}

/* Every chunk's topic; those of a sample made them, and then all chunks join them. */
static int store_topics(struct settle *s)
{
    struct store *st = s->to->store;
    int rc = 0;
    for (size_t t = 0; s->stride > 1 && t < s->topics.n; t++) s->topics.t[t].chunks = 0;
    if (s->stride > 1) return store_vector_each(st, ps_of(s), s->m.id, assign_vector, s, s->err);
    for (size_t i = 0; i < s->n_items && !rc; i++) {
        rc = store_chunk_topic(st, ps_of(s), s->chunk[i].id, s->item[i].topic, s->err);
        if (is_gone(s, rc)) rc = 0;
    }
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

static int put_topics(struct settle *s)
{
    struct buf doc = BUF_INIT(0);
    int rc = s->relearn ? store_topics(s) : 0;
    if (rc || (!s->relearn && !recount(s))) return rc;
    rc = topics_save(&s->topics, &doc, s->err);
    if (!rc) rc = store_doc_put(s->to->store, ps_of(s), "topics", buf_str(&doc), doc.n, s->err);
    buf_free(&doc);
    return rc;
}

/* ---- 5. profile and people ---- */

struct counting {
    struct settle *s;
    struct profile_counter *c;
    uint64_t n;
};

static int count_piece(void *ud, const struct row_piece *r)
{
    struct counting *k = ud;
    struct piece p;
    if (!r->voice && r->kind == PIECE_DOC) return 0;
    arena_reset(k->s->mem);
    int rc = unpack_piece(r->body, r->body_n, k->s->mem, &p, k->s->err);
    p.kind = (enum piece_kind)r->kind;
    p.written_at = r->written_at;
    if (!rc && people_count(k->s->people, r->source, r->voice, &p)) rc = err_nomem(k->s->err);
    if (!rc && r->voice && profile_count(k->c, p.text, strlen(p.text), r->kind, r->written_at))
        rc = err_nomem(k->s->err);
    if (!rc && ++k->n % 256 == 0) rc = progress_tick(k->s->pr, "profile", k->n, 0, "pieces");
    return rc;
}

static int count_pieces(struct settle *s)
{
    struct counting k = { s, profile_counter_new(s->err), 0 };
    int rc = k.c ? 0 : ERR_NOMEM;
    if (!rc && !(s->people = people_counter_new(s->home, s->p, s->err))) rc = s->err->code;
    if (!rc)
        rc = store_piece_each(s->home->store, ps_of(s), 0, PIECE_BY_SEQ, count_piece, &k, s->err);
    if (!rc) rc = profile_finish(k.c, &s->profile, s->err);
    if (!rc && people_counted(s->people, &s->correspondents)) rc = err_nomem(s->err);
    profile_counter_free(k.c);
    return rc;
}

/* ---- all of it ---- */

/* The name of its embedder, in the record as it is now. */
static int put_embedder(struct settle *s)
{
    struct persona *now;
    int rc = persona_load(s->to, ps_of(s)->id, &now, s->err);
    if (rc) return rc;
    char *old = now->embedder;
    now->embedder = s->p->embedder;
    rc = persona_save(s->to, now, s->err);
    now->embedder = old;
    persona_close(now);
    return rc;
}

/* All is well, unless something came in that was not yet there at the beginning. */
static int put_settled(struct settle *s)
{
    int64_t last = 0;
    int rc = store_chunk_last(s->to->store, ps_of(s), &last, s->err);
    bool more = !rc && last > s->last;
    if (!rc && !more) rc = store_persona_stale(s->to->store, ps_of(s), false, s->err);
    if (!rc) s->p->stale = more;
    return rc;
}

static int settle_last(struct settle *s, struct nearby_made *near)
{
    struct store *st = s->to->store;
    int rc = s->relearn ? store_embedder_switch(st, ps_of(s), s->m.id, s->err) : 0;
    if (!rc) rc = put_topics(s);
    if (!rc)
        rc = store_doc_put(st, ps_of(s), "profile", buf_str(&s->profile), s->profile.n, s->err);
    if (!rc) rc = people_put(s->people, s->to, &s->correspondents, s->err);
    if (!rc) rc = nearby_put(s->to, s->p, near, s->err);
    if (!rc && s->reembed) rc = put_embedder(s);
    return rc ? rc : put_settled(s);
}

static int settle_steps(struct settle *s)
{
    struct nearby_made *near = NULL;
    int rc = drop_unfinished(s);
    if (!rc) rc = chunk_missing(s);
    if (!rc) rc = ready_embedder(s);
    if (!rc) rc = settle_ready_sample(s);
    if (!rc) rc = settle_derive(s);
    if (!rc) rc = settle_scale(s);
    if (!rc && s->relearn) rc = cluster(s);
    if (!rc) rc = count_pieces(s);
    if (!rc) rc = nearby_make(s->home, s->p, s->m.id, s->m.e->dim, false, s->pr, &near, s->err);
    if (!rc) rc = settle_write(s);
    if (!rc) rc = settle_wrote(s, settle_last(s, near));
    nearby_made_free(near);
    return rc;
}

static void settle_clear(struct settle *s)
{
    embedding_close(&s->m);
    sentences_free(s->cut);
    buf_free(&s->asked.text);
    buf_free(&s->profile);
    buf_free(&s->correspondents);
    people_counter_free(s->people);
    free(s->asked.v);
    topics_clear(&s->topics);
    map_free(&s->has_vector);
    arena_free(s->mem);
    free(s->chunk);
    free(s->item);
    free(s->vectors);
    free(s->phrases);
}

static int settle(struct home *h, struct persona *p, bool reembed, const struct home_writer *by,
                  const struct progress *pr, struct err *err)
{
    struct err local = { 0 };
    struct settle s = { .home = h,
                        .to = by ? NULL : h,
                        .by = by,
                        .p = p,
                        .pr = pr,
                        .err = err ? err : &local,
                        .relearn = reembed,
                        .reembed = reembed,
                        .stride = 1 };
    bool was_stale = p->stale;
    int rc = by ? 0 : store_begin(h->store, s.err);
    if (rc) return rc;
    s.mem = arena_new(0);
    rc = s.mem ? settle_steps(&s) : err_nomem(s.err);
    if (!by && !rc) rc = store_commit(h->store, s.err);
    if (!by && rc) store_rollback(h->store);
    if (rc) p->stale = was_stale;
    if (rc == ERR_CANCEL)
        err_set(s.err, rc, "stopped: what was added is there; `likeness doctor` finishes the rest");
    settle_clear(&s);
    return rc;
}

int persona_settle_by(struct home *h, struct persona *p, const struct home_writer *by,
                      const struct progress *pr, struct err *err)
{
    return settle(h, p, false, by, pr, err);
}

int persona_settle(struct home *h, struct persona *p, const struct progress *pr, struct err *err)
{
    return settle(h, p, false, NULL, pr, err);
}

int persona_reembed_by(struct home *h, struct persona *p, const char *embedder,
                       const struct home_writer *by, const struct progress *pr, struct err *err)
{
    char *name = str_dup(embedder), *old = p->embedder;
    if (!name) return err_nomem(err);
    p->embedder = name;
    int rc = settle(h, p, true, by, pr, err);
    if (rc) p->embedder = old, old = name;
    free(old);
    return rc;
}

int persona_reembed(struct home *h, struct persona *p, const char *embedder,
                    const struct progress *pr, struct err *err)
{
    return persona_reembed_by(h, p, embedder, NULL, pr, err);
}
