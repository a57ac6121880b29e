/* Opening a corpus. The current embedder's vectors and the words of every chunk are read once and
 * held in memory: vectors for cosine (also of the few chunks that are not settled yet, fresh.h),
 * postings of hashed stems for BM25 (the words themselves are not kept), and a row of facts per
 * chunk for the filters. Chunk texts stay sealed in the store.
 *
 * Rows are never patched: who wants what changed since opens another corpus. Hence no lock: opening
 * is one thread's, and a corpus reaches others only whole (through the pool's mutex). The count of
 * holders is the one thing that moves, and who brings it to zero frees all. */
#include "persona/corpus.h"

#include "base/arena.h"
#include "persona/fresh.h"
#include "persona/mask.h"
#include "persona/nearby.h"
#include "persona/pack.h"
#include "persona/windows.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT_WEIGHT 0.5f /* of the others' words in BM25 */
#define TITLE_WEIGHT   0.7f

struct opening {
    struct corpus *c;
    struct embedding *m;
    struct arena *tmp;
    struct err *err;
};

static int read_title(void *ud, const struct row_source *row)
{
    struct opening *o = ud;
    json_t *j = json_loadb(row->body, row->body_n, JSON_REJECT_DUPLICATES, NULL);
    const char *t = json_string_value(json_object_get(j, "title"));
    uint64_t *slot = map_slot(&o->c->title, (uint64_t)row->id);
    char *copy = arena_strdup(o->c->mem, t ? t : "");
    json_decref(j);
    if (!slot || !copy) return err_nomem(o->err);
    *slot = (uint64_t)(uintptr_t)copy;
    return 0;
}

static int read_embedder(void *ud, const struct row_embedder *row)
{
    struct opening *o = ud;
    if (!row->current || o->m->e) return 0;
    return embedding_read(row, o->m, o->err);
}

static int add_words(struct opening *o, int64_t id, const struct chunk_text *t)
{
    struct bm25 *words = o->c->words;
    int rc = bm25_add(words, id, t->title, strlen(t->title), TITLE_WEIGHT, o->err);
    for (size_t i = 0; i < t->n_seg && !rc; i++)
        rc = bm25_add(words, id, t->seg[i].text, t->seg[i].text_n,
                      t->seg[i].voice ? 1.0f : CONTEXT_WEIGHT, o->err);
    return rc;
}

static int read_chunk(void *ud, const struct row_chunk *row)
{
    struct opening *o = ud;
    struct corpus *c = o->c;
    struct chunk_text t;
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 1024;
        struct fact *grown = realloc(c->fact, cap * sizeof *grown);
        if (!grown) return err_nomem(o->err);
        c->fact = grown;
        c->cap = cap;
    }
    c->fact[c->n++] = (struct fact){
        .chunk = row->id, .source = row->source, .written_at = row->written_at, .topic = row->topic
    };
    uint64_t *slot = map_slot(&c->by_chunk, (uint64_t)row->id);
    if (!slot) return err_nomem(o->err);
    *slot = c->n;
    arena_reset(o->tmp);
    int rc = unpack_chunk(row->body, row->body_n, o->tmp, &t, o->err);
    return rc ? rc : add_words(o, row->id, &t);
}

static struct fact *fact_of(const struct corpus *c, int64_t chunk)
{
    const uint64_t *at = map_get(&c->by_chunk, (uint64_t)chunk);
    return at ? &c->fact[*at - 1] : NULL;
}

const struct fact *corpus_fact(const struct corpus *c, int64_t chunk) { return fact_of(c, chunk); }

static int read_vector(void *ud, int64_t chunk, const float *v, int count)
{
    struct opening *o = ud;
    struct corpus *c = o->c;
    struct fact *x = fact_of(c, chunk);
    int dim = o->m->e->dim, n = count / dim, rc = 0;
    if (!x || count % dim || n > WINDOWS_MAX) return 0;
    x->row = (uint32_t)vectors_count(c->vectors);
    for (int i = 0; i < n && !rc; i++)
        rc = vectors_add(c->vectors, window_id(chunk, i), v + (size_t)i * (size_t)dim, o->err);
    x->windows = (uint8_t)n;
    c->windowed |= n > 1;
    return rc;
}

/* What is not settled yet has vectors for as long as this is open. */
static int read_fresh(struct opening *o, struct home *h, const struct persona *p)
{
    const struct corpus *c = o->c;
    int64_t *chunk = malloc((c->n + 1) * sizeof *chunk);
    size_t n = 0;
    if (!chunk) return err_nomem(o->err);
    for (size_t i = 0; i < c->n; i++)
        if (!c->fact[i].windows) chunk[n++] = c->fact[i].chunk;
    int rc = fresh_vectors(h, p, o->m, chunk, n, read_vector, o, o->err);
    free(chunk);
    return rc;
}

int corpus_embedding(struct home *h, const struct persona *p, struct embedding *m, struct err *err)
{
    struct err quiet = { 0 };
    struct opening o = { .m = m, .err = err ? err : &quiet };
    *m = (struct embedding){ 0 };
    int rc = store_embedder_each(h->store, &p->seal, read_embedder, &o, o.err);
    if (!rc && !m->e) rc = embedding_open(p->embedder, m, o.err);
    if (!rc) rc = mask_embedder(h, p, m->e, o.err);
    if (rc) embedding_close(m);
    return rc;
}

static int read_all(struct opening *o, struct home *h, const struct persona *p)
{
    struct store *st = h->store;
    struct corpus *c = o->c;
    int rc = store_source_each(st, &p->seal, 0, read_title, o, o->err);
    if (!rc) rc = store_chunk_each(st, &p->seal, 0, read_chunk, o, o->err);
    if (!rc) rc = corpus_embedding(h, p, o->m, o->err);
    if (!rc && !(c->vectors = vectors_new(o->m->e->dim, o->err))) rc = ERR_NOMEM;
    if (!rc && o->m->id) rc = store_vector_each(st, &p->seal, o->m->id, read_vector, o, o->err);
    if (!rc) rc = read_fresh(o, h, p);
    if (!rc) rc = nearby_load(h, p, c->vectors, &c->graph, o->err);
    return rc;
}

int corpus_open(struct home *h, const struct persona *p, struct embedding *m, struct corpus **out,
                struct err *err)
{
    struct err quiet = { 0 };
    struct opening o = { .c = calloc(1, sizeof *o.c), .m = m, .err = err ? err : &quiet };
    *out = NULL;
    *m = (struct embedding){ 0 };
    if (!o.c) return err_nomem(err);
    atomic_init(&o.c->holders, 1);
    o.tmp = arena_new(0);
    o.c->mem = arena_new(0);
    o.c->words = bm25_new(o.err);
    int rc = o.tmp && o.c->mem && o.c->words ? read_all(&o, h, p) : err_nomem(o.err);
    arena_free(o.tmp);
    if (rc) {
        corpus_drop(o.c);
        embedding_close(m);
        return rc;
    }
    o.c->embedder = m->id;
    memcpy(o.c->version, m->e->version, sizeof o.c->version);
    *out = o.c;
    return 0;
}

struct corpus *corpus_keep(struct corpus *c)
{
    atomic_fetch_add(&c->holders, 1);
    return c;
}

void corpus_drop(struct corpus *c)
{
    if (!c || atomic_fetch_sub(&c->holders, 1) > 1) return;
    graph_free(c->graph);
    vectors_free(c->vectors);
    bm25_free(c->words);
    free(c->fact);
    map_free(&c->by_chunk);
    map_free(&c->title);
    arena_free(c->mem);
    free(c);
}

size_t corpus_bytes(const struct corpus *c)
{
    size_t graph = c->graph ? graph_info(c->graph).bytes : 0;
    return graph + vectors_bytes(c->vectors) + bm25_bytes(c->words) + c->cap * sizeof *c->fact;
}

bool corpus_fits(const struct corpus *c, const struct embedding *m)
{
    return c->embedder == m->id && vectors_dim(c->vectors) == m->e->dim &&
           !strcmp(c->version, m->e->version);
}
