/* Two passes: the texts are gathered once, then each embedder in turn is opened, learns (if it
 * does), embeds passages and questions, and leaves its ten nearest for each question. Only these
 * lists are kept, so one embedder is in memory at a time.
 *
 * A question is a sentence of the middle of its passage, and the passage is embedded without it:
 * what finds it is not the same words but what stands around them. */
#include "persona/compare.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "index/vectors.h"
#include "model/embed.h"
#include "persona/internal.h"
#include "persona/mask.h"
#include "text/sentence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENOUGH 12 /* passages */
#define BATCH  64

struct gathering {
    struct arena *mem, *tmp;
    struct sentences *it;
    struct span passage[COMPARE_PASSAGES], question[COMPARE_QUESTIONS];
    size_t of[COMPARE_QUESTIONS]; /* the passage of a question */
    size_t n, n_questions;
    uint64_t seen, chunks, every, ask_every;
    struct err *err;
};

static int count_chunk(void *ud, const struct row_chunk *r)
{
    ++*(uint64_t *)ud;
    return 0;
}

/* The middle sentence of s, if it says enough; its range in s. */
static bool middle_sentence(struct gathering *g, const char *s, size_t n, size_t *from, size_t *to)
{
    size_t a, b, k = 0, all = 0;
    if (sentences_text(g->it, s, n)) return false;
    while (sentences_next(g->it, &a, &b)) all++;
    if (all < 3 || sentences_text(g->it, s, n)) return false;
    while (sentences_next(g->it, &a, &b))
        if (k++ >= all / 2 && b - a >= 30 && b - a <= 300) {
            *from = a, *to = b;
            return true;
        }
    return false;
}

static int gather_chunk(void *ud, const struct row_chunk *r)
{
    struct gathering *g = ud;
    struct chunk_text t;
    struct buf b = BUF_INIT(1 << 20);
    size_t from = 0, to = 0;
    if (g->seen++ % g->every || g->n == COMPARE_PASSAGES) return 0;
    arena_reset(g->tmp);
    int rc = unpack_chunk(r->body, r->body_n, g->tmp, &t, g->err);
    if (rc) return rc;
    chunk_embed_text(&t, &b);
    if (b.n && g->n_questions < COMPARE_QUESTIONS && g->n % g->ask_every == 0 &&
        middle_sentence(g, b.p, b.n, &from, &to)) {
        g->question[g->n_questions] =
            (struct span){ arena_strndup(g->mem, b.p + from, to - from), to - from };
        g->of[g->n_questions++] = g->n;
        memmove(b.p + from, b.p + to, b.n - to);
        b.n -= to - from;
    }
    g->passage[g->n++] = (struct span){ arena_strndup(g->mem, buf_str(&b), b.n), b.n };
    if (b.failed || !g->passage[g->n - 1].p) rc = err_nomem(g->err);
    if (g->n_questions && !g->question[g->n_questions - 1].p) rc = err_nomem(g->err);
    buf_free(&b);
    return rc;
}

static int gather(struct gathering *g, struct home *h, const struct persona *p)
{
    int rc = store_chunk_each(h->store, &p->seal, 0, count_chunk, &g->chunks, g->err);
    if (!rc && g->chunks < ENOUGH)
        rc = err_set(g->err, ERR_NOTFOUND,
                     "the persona has too little text to compare embedders on: %d passages are "
                     "needed; likeness add FILE",
                     ENOUGH);
    if (rc) return rc;
    g->every = (g->chunks + COMPARE_PASSAGES - 1) / COMPARE_PASSAGES;
    uint64_t taken = g->chunks / g->every;
    g->ask_every = taken > COMPARE_QUESTIONS ? taken / COMPARE_QUESTIONS : 1;
    return store_chunk_each(h->store, &p->seal, 0, gather_chunk, g, g->err);
}

static uint64_t resident(void)
{
    char line[128] = "", *second;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && !fgets(line, sizeof line, f)) line[0] = 0;
    if (f) fclose(f);
    second = strchr(line, ' ');
    unsigned long now = second ? strtoul(second, NULL, 10) : 0;
    return (uint64_t)now * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct trial {
    struct home *home;
    const struct persona *p;
    struct gathering *g;
    struct embedder *e;
    struct vectors *ix;
    float *v; /* [BATCH, dim] */
    const struct progress *pr;
    struct err *err;
};

static int embed_all(struct trial *t, struct compared *c)
{
    const struct gathering *g = t->g;
    int rc = 0;
    if (t->e->kind->learns)
        for (size_t i = 0; i < g->n && !rc; i++)
            rc = embed_learn(t->e, g->passage[i].p, g->passage[i].n) ? err_nomem(t->err) : 0;
    double from = clock_mono();
    for (size_t i = 0; i < g->n && !rc; i += BATCH) {
        size_t n = g->n - i < BATCH ? g->n - i : BATCH;
        rc = embed_texts(t->e, EMBED_PASSAGE, g->passage + i, n, t->v, t->err);
        for (size_t k = 0; k < n && !rc; k++)
            rc = vectors_add(t->ix, (int64_t)(i + k), t->v + k * (size_t)t->e->dim, t->err);
        if (!rc) rc = progress_tick(t->pr, t->e->name, i + n, g->n, "passages");
    }
    c->passages_per_second = (double)g->n / (clock_mono() - from);
    return rc;
}

/* near: [questions, COMPARE_NEAREST], -1 where there are fewer. */
static int ask_all(struct trial *t, struct compared *c, int32_t *near)
{
    const struct gathering *g = t->g;
    struct hit hit[COMPARE_NEAREST];
    double from = clock_mono();
    for (size_t i = 0; i < g->n_questions; i++) {
        if (embed_query(t->e, g->question[i].p, g->question[i].n, t->v)) return err_nomem(t->err);
        size_t n = vectors_search(t->ix, t->v, COMPARE_NEAREST, NULL, NULL, hit);
        for (size_t k = 0; k < COMPARE_NEAREST; k++) {
            near[i * COMPARE_NEAREST + k] = k < n ? (int32_t)hit[k].id : -1;
            c->found += k < n && (size_t)hit[k].id == g->of[i];
        }
    }
    c->questions_per_second = (double)g->n_questions / (clock_mono() - from);
    return 0;
}

static int try_one(struct trial *t, const char *name, struct compared *c, int32_t *near)
{
    uint64_t before = resident();
    double from = clock_mono();
    int rc = 0;
    *c = (struct compared){ .n_passages = t->g->n, .n_questions = t->g->n_questions };
    if (!(t->e = embed_open(name, NULL, 0, t->err))) return t->err ? t->err->code : ERR_NOTFOUND;
    c->open_seconds = clock_mono() - from;
    c->dim = t->e->dim;
    t->v = malloc(BATCH * (size_t)c->dim * sizeof *t->v);
    t->ix = vectors_new(c->dim, t->err);
    if (!t->v || !t->ix) rc = err_nomem(t->err);
    if (!rc) rc = mask_embedder(t->home, t->p, t->e, t->err);
    if (!rc) rc = embed_all(t, c);
    if (!rc) rc = ask_all(t, c, near);
    uint64_t now = resident(), own = t->ix ? vectors_bytes(t->ix) : 0;
    c->memory = now > before + own ? now - before - own : 0;
    c->vector_bytes = (size_t)t->g->chunks * (size_t)c->dim * 5;
    embed_close(t->e);
    vectors_free(t->ix);
    free(t->v);
    return rc;
}

static float share(const int32_t *a, const int32_t *b, size_t questions)
{
    size_t same = 0, all = 0;
    for (size_t i = 0; i < questions; i++)
        for (size_t k = 0; k < COMPARE_NEAREST; k++) {
            int32_t x = a[i * COMPARE_NEAREST + k];
            all += x >= 0;
            for (size_t m = 0; m < COMPARE_NEAREST; m++)
                same += x >= 0 && b[i * COMPARE_NEAREST + m] == x;
        }
    return all ? (float)same / (float)all : 0;
}

int embed_compare(struct home *h, const struct persona *p, const char *const *names, size_t n,
                  const struct progress *progress, struct compared *out, float *agree,
                  struct err *err)
{
    struct gathering *g = calloc(1, sizeof *g);
    size_t list = (size_t)COMPARE_QUESTIONS * COMPARE_NEAREST;
    int32_t *near = calloc(n + 1, list * sizeof *near);
    int rc = g && near ? 0 : err_nomem(err);
    if (g) {
        g->err = err;
        g->mem = arena_new(0);
        g->tmp = arena_new(0);
        g->it = sentences_new(err);
        if (!rc && (!g->mem || !g->tmp || !g->it)) rc = err_nomem(err);
    }
    if (!rc) rc = gather(g, h, p);
    for (size_t i = 0; i < n && !rc; i++) {
        struct trial t = { .home = h, .p = p, .g = g, .pr = progress, .err = err };
        rc = try_one(&t, names[i], &out[i], near + i * list);
    }
    for (size_t i = 0; i < n && !rc; i++)
        for (size_t k = 0; k < n; k++)
            agree[i * n + k] = share(near + i * list, near + k * list, g->n_questions);
    if (g) {
        arena_free(g->mem);
        arena_free(g->tmp);
        sentences_free(g->it);
    }
    free(g);
    free(near);
    return rc;
}
