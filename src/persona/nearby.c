/* The stored index. It is written in the transaction that settles the persona, so a crash leaves
 * the old one or none, and an old one is not wrong: nodes whose vector is gone or changed are left
 * out when it is read, and vectors it does not know are linked then. Because writing it anew costs
 * some hundred bytes a vector, that is done when a hundredth has changed, and built anew when a
 * fifth is gone. */
#include "persona/nearby.h"

#include "persona/internal.h"
#include "persona/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAPH_FROM 200000
/* A chunk has rarely more vectors than this: below GRAPH_FROM of these, nobody counts. */
#define OFTEN 16

size_t nearby_from(void)
{
    const char *s = getenv("LIKENESS_GRAPH_FROM");
    long n = s ? strtol(s, NULL, 10) : 0;
    return n > 0 ? (size_t)n : GRAPH_FROM;
}

bool nearby_is_part(const char *name) { return !strncmp(name, "graph.", 6); }

/* ---- vectors ---- */

struct reading {
    struct vectors *ix;
    int dim;
    struct err *err;
};

static int read_vector(void *ud, int64_t chunk, const float *v, int count)
{
    struct reading *r = ud;
    int n = count / r->dim, rc = 0;
    if (count % r->dim || n > WINDOWS_MAX) return 0;
    for (int i = 0; i < n && !rc; i++)
        rc = vectors_add(r->ix, window_id(chunk, i), v + (size_t)i * (size_t)r->dim, r->err);
    return rc;
}

int nearby_vectors(struct home *h, const struct persona *p, int64_t embedder, int dim,
                   struct vectors **out, struct err *err)
{
    struct reading r = { .ix = vectors_new(dim, err), .dim = dim, .err = err };
    int rc = r.ix ? 0 : ERR_NOMEM;
    if (!rc) rc = store_vector_each(h->store, &p->seal, embedder, read_vector, &r, err);
    if (rc) {
        vectors_free(r.ix);
        r.ix = NULL;
    }
    *out = r.ix;
    return rc;
}

/* ---- parts ---- */

struct parts {
    struct store *store;
    const struct sealed *ps;
    struct err *err;
    unsigned n; /* written */
};

static const char *name_of(unsigned part, char name[32])
{
    snprintf(name, 32, "graph.%u", part);
    return name;
}

static int put_part(void *ud, unsigned part, const char *p, size_t n)
{
    struct parts *s = ud;
    char name[32];
    s->n = part + 1;
    return store_doc_put(s->store, s->ps, name_of(part, name), p, n, s->err);
}

static int get_part(void *ud, unsigned part, struct buf *out)
{
    struct parts *s = ud;
    char name[32];
    return store_doc_get(s->store, s->ps, name_of(part, name), out, s->err);
}

/* Those from the nth on. */
static int drop_parts(struct parts *s)
{
    int rc = 0;
    for (unsigned part = s->n; !rc; part++) {
        char name[32];
        struct buf b = BUF_INIT(0);
        bool there = !store_doc_get(s->store, s->ps, name_of(part, name), &b, NULL);
        buf_free(&b);
        if (!there) break;
        rc = store_doc_put(s->store, s->ps, name, NULL, 0, s->err);
    }
    return rc;
}

/* ---- settling ---- */

static int count_vectors(void *ud, int64_t chunk, const float *v, int count)
{
    *(size_t *)ud += (size_t)count;
    return 0;
}

static int count_chunks(void *ud, const struct row_source *r)
{
    *(size_t *)ud += r->n_chunks;
    return 0;
}

static int is_large(struct home *h, const struct persona *p, int64_t embedder, int dim, bool *large,
                    struct err *err)
{
    size_t n = 0, from = nearby_from();
    int rc = store_source_each(h->store, &p->seal, 0, count_chunks, &n, err);
    *large = false;
    if (rc || n < from / OFTEN) return rc;
    n = 0;
    rc = store_vector_each(h->store, &p->seal, embedder, count_vectors, &n, err);
    *large = n / (size_t)dim >= from;
    return rc;
}

/* What is to be stored: a graph and the vectors that it is about, or nothing to keep. */
struct nearby_made {
    struct graph *g;
    struct vectors *ix;
    bool drop;
};

void nearby_made_free(struct nearby_made *m)
{
    if (!m) return;
    graph_free(m->g);
    vectors_free(m->ix);
    free(m);
}

static int make(struct home *h, const struct persona *p, bool anew, const struct progress *pr,
                struct nearby_made *m, int dim, bool *change, struct err *err)
{
    struct parts s = { .store = h->store, .ps = &p->seal }; /* what cannot be read is built anew */
    size_t missing = 0;
    int rc = 0;
    if (!anew && graph_load(m->ix, get_part, &s, &m->g, &missing, NULL) == ERR_NOMEM)
        rc = err_nomem(err);
    size_t left_out = m->g ? graph_info(m->g).left_out : 0, n = vectors_count(m->ix);
    if (m->g && (left_out * 5 > n || missing * 2 > n)) {
        graph_free(m->g);
        m->g = NULL;
    }
    *change = !m->g || (missing + left_out) * 100 > n;
    if (!rc && !m->g && !(m->g = graph_new(dim, err))) rc = ERR_NOMEM;
    if (!rc && *change) rc = graph_update(m->g, m->ix, pr, err);
    if (!rc && *change) rc = graph_tune(m->g, m->ix, NEARBY_RECALL, NULL, err);
    return rc;
}

int nearby_make(struct home *h, const struct persona *p, int64_t embedder, int dim, bool anew,
                const struct progress *pr, struct nearby_made **out, struct err *err)
{
    struct nearby_made *m = calloc(1, sizeof *m);
    bool large, change = true;
    *out = NULL;
    if (!m) return err_nomem(err);
    int rc = is_large(h, p, embedder, dim, &large, err);
    m->drop = !large;
    if (!rc && large) rc = nearby_vectors(h, p, embedder, dim, &m->ix, err);
    if (!rc && large) rc = make(h, p, anew, pr, m, dim, &change, err);
    if (rc || !change) nearby_made_free(m);
    else *out = m;
    return rc;
}

int nearby_put(struct home *h, const struct persona *p, struct nearby_made *m, struct err *err)
{
    struct parts s = { .store = h->store, .ps = &p->seal, .err = err };
    int rc = 0;
    if (!m) return 0;
    if (!m->drop) rc = graph_save(m->g, put_part, &s, err);
    return rc ? rc : drop_parts(&s);
}

/* ---- searching ---- */

int nearby_load(struct home *h, const struct persona *p, const struct vectors *ix,
                struct graph **out, struct err *err)
{
    struct parts s = { .store = h->store, .ps = &p->seal };
    struct graph *g = NULL;
    size_t missing = 0;
    *out = NULL;
    if (vectors_count(ix) < nearby_from()) return 0;
    int rc = graph_load(ix, get_part, &s, &g, &missing, NULL);
    if (!rc && missing * 20 <= vectors_count(ix)) rc = graph_update(g, ix, NULL, NULL);
    else if (!rc) rc = ERR_NOTFOUND;
    if (rc) graph_free(g);
    else *out = g;
    return rc == ERR_NOMEM ? err_nomem(err) : 0;
}

size_t nearby_search(const struct graph *g, const struct vectors *ix, const float *q, size_t k,
                     bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out)
{
    return g ? graph_search(g, ix, q, k, keep, ud, out) : vectors_search(ix, q, k, keep, ud, out);
}

/* ---- for the doctor ---- */

static int current_embedder(void *ud, const struct row_embedder *r)
{
    if (r->current) *(struct row_embedder *)ud = *r;
    return 0;
}

int nearby_look(struct home *h, const struct persona *p, struct nearby_look *out, struct err *err)
{
    struct row_embedder e = { 0 };
    struct vectors *ix = NULL;
    struct graph *g = NULL;
    *out = (struct nearby_look){ 0 };
    int rc = store_embedder_each(h->store, &p->seal, current_embedder, &e, err);
    if (!rc && e.id) rc = is_large(h, p, e.id, e.dim, &out->wanted, err);
    if (rc || !out->wanted) return rc;
    rc = nearby_vectors(h, p, e.id, e.dim, &ix, err);
    if (!rc) out->vectors = vectors_count(ix);
    if (!rc) rc = nearby_load(h, p, ix, &g, err);
    if (!rc && g) {
        out->there = true;
        out->info = graph_info(g);
        rc = graph_recall(g, ix, 200, 10, &out->recall, err);
    }
    graph_free(g);
    vectors_free(ix);
    return rc;
}

int nearby_repair(struct home *h, const struct persona *p, const struct progress *pr,
                  struct err *err)
{
    struct nearby_made *made = NULL;
    struct row_embedder e = { 0 };
    int rc = store_embedder_each(h->store, &p->seal, current_embedder, &e, err);
    if (rc || !e.id) return rc;
    if ((rc = store_begin(h->store, err))) return rc;
    rc = nearby_make(h, p, e.id, e.dim, true, pr, &made, err);
    if (!rc) rc = nearby_put(h, p, made, err);
    if (!rc) rc = store_commit(h->store, err);
    if (rc) store_rollback(h->store);
    nearby_made_free(made);
    return rc;
}
