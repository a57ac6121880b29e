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

static int save(struct parts *s, struct graph *g, const struct vectors *ix)
{
    int rc = graph_tune(g, ix, NEARBY_RECALL, NULL, s->err);
    if (!rc) rc = graph_save(g, put_part, s, s->err);
    return rc ? rc : drop_parts(s);
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

int nearby_settle(struct home *h, const struct persona *p, int64_t embedder, int dim, bool anew,
                  const struct progress *pr, struct err *err)
{
    struct parts s = { .store = h->store, .ps = &p->seal, .err = err };
    struct vectors *ix = NULL;
    struct graph *g = NULL;
    size_t missing = 0;
    bool large;
    int rc = is_large(h, p, embedder, dim, &large, err);
    if (!rc && !large) rc = drop_parts(&s);
    if (rc || !large) return rc;
    rc = nearby_vectors(h, p, embedder, dim, &ix, err);
    s.err = NULL; /* what is stored and cannot be read is built anew */
    if (!rc && !anew && graph_load(ix, get_part, &s, &g, &missing, NULL) == ERR_NOMEM)
        rc = err_nomem(err);
    s.err = err;
    size_t left_out = g ? graph_info(g).left_out : 0, n = rc ? 0 : vectors_count(ix);
    if (g && (left_out * 5 > n || missing * 2 > n)) {
        graph_free(g);
        g = NULL;
    }
    bool change = !g || (missing + left_out) * 100 > n;
    if (!rc && !g && !(g = graph_new(dim, err))) rc = ERR_NOMEM;
    if (!rc && change) rc = graph_update(g, ix, pr, err);
    if (!rc && change) rc = save(&s, g, ix);
    graph_free(g);
    vectors_free(ix);
    return rc;
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
    struct row_embedder e = { 0 };
    int rc = store_embedder_each(h->store, &p->seal, current_embedder, &e, err);
    if (rc || !e.id) return rc;
    if ((rc = store_begin(h->store, err))) return rc;
    rc = nearby_settle(h, p, e.id, e.dim, true, pr, err);
    if (!rc) rc = store_commit(h->store, err);
    if (rc) store_rollback(h->store);
    return rc;
}
