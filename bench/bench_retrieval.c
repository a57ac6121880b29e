/* How well passages are found: the questions of tests/retrieval put to the sample person and four
 * books, each a persona made for it. Ways of searching, a row each:
 *
 *     bm25      keywords alone
 *     vector E  cosine alone, with embedder E: of the windows of passages, as the program does
 *     fused E   as retrieve.c puts both together, no variety asked for
 *     search E  the same with the variety that the program asks for (query_default)
 *     whole E   cosine alone with one vector for a passage; LIKENESS_EVAL_WHOLE=1 asks for it
 *
 * E is each embedder that needs no file, and each of LIKENESS_EVAL_MODELS (names or files, with
 * commas between). The persona is embedded anew for each, so what retrieve.c does for that embedder
 * in particular is part of what is measured. A diary of 1.2 million words takes its time; no figure
 * here is a time.
 *
 * Printed is the half that may be tuned on; LIKENESS_EVAL_KEPT=1 adds the totals of the other
 * half. LIKENESS_EVAL_LIST=1 prints the rank of the first right passage for each question of the
 * tuned half. With `whole` comes a line of cosines: those of questions with right passages, and the
 * highest of a thousand with others. */
#include "bench.h"
#include "retrieval_set.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"
#include "kernels/kernels.h"
#include "persona/ingest.h"
#include "persona/internal.h"
#include "persona/retrieve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUESTIONS "tests/retrieval/questions.tsv"
#define WAYS_MAX  48
#define CORPORA   5
#define ALL_MAX   1000 /* questions */
#define BATCH     256
#define SAMPLE_ME                                                                                  \
    "Marit Penhallow,marit@penhallow.example.org,m.penhallow@tollickferries.example.com,"          \
    "shop@secondwind.example.org,Marit at Second Wind,Marit P,Marit"

static const char *const corpora[CORPORA] = { "person", "pepys_diary", "thoreau_walden",
                                              "franklin_autobiography", "emerson_essays" };

struct one { /* one question answered one way */
    struct eval_score score;
    bool kept;
    int kind, corpus;
};

struct way {
    char name[80];
    struct one *one; /* ALL_MAX of them */
    size_t n;
    float *right, *other; /* cosines of tuned questions, for `vector` */
    size_t n_right, n_other, cap_right, cap_other;
};

struct eval {
    struct way way[WAYS_MAX];
    size_t n_ways;
    size_t questions, unplaced, chunks;
    char dir[256], home[300], key[300];
};

struct place { /* one corpus, open */
    struct eval *ev;
    struct eval_set set;
    int corpus;
    struct home *home;
    struct persona *persona;
    struct retriever *r;
};

static struct way *way_of(struct eval *ev, const char *how, const char *embedder)
{
    char name[80];
    snprintf(name, sizeof name, "%s%s%s", how, *embedder ? " " : "", embedder);
    for (size_t i = 0; i < ev->n_ways; i++)
        if (!strcmp(ev->way[i].name, name)) return &ev->way[i];
    if (ev->n_ways == WAYS_MAX) return NULL;
    struct way *w = &ev->way[ev->n_ways];
    if (!(w->one = calloc(ALL_MAX, sizeof *w->one))) return NULL;
    snprintf(w->name, sizeof w->name, "%s", name);
    ev->n_ways++;
    return w;
}

static bool asked_for(const char *name)
{
    const char *v = getenv(name);
    return v && *v && strcmp(v, "0") != 0;
}

static void note_answer(struct way *w, const struct place *at, const struct eval_question *q,
                        const int64_t *ids, size_t n)
{
    if (w->n == ALL_MAX) return;
    struct eval_score s = eval_score(q, ids, n);
    w->one[w->n++] = (struct one){ s, q->kept, q->kind, at->corpus };
    if (!q->kept && asked_for("LIKENESS_EVAL_LIST"))
        printf("  %s %-20s %3.0f  %s\n", q->id, w->name, s.rr > 0 ? 1 / s.rr : 0, q->text);
}

/* ---- a persona of a corpus ---- */

static int make_persona(struct place *at, const char *path, struct err *err)
{
    struct eval *ev = at->ev;
    struct secret secret = { .key_file = ev->key };
    bool sample = !strcmp(corpora[at->corpus], "person");
    struct persona_new n = { .name = sample ? "Marit Penhallow" : "The Author",
                             .kind = sample ? PERSONA_FICTIONAL : PERSONA_LEGACY,
                             .consent_by = sample ? "the authors" : "public domain",
                             .consent_to = "measuring",
                             .consent_at = 1,
                             .chunk_overlap = -1 };
    struct ingest_totals t;
    const char *tokens = getenv("LIKENESS_EVAL_TOKENS"); /* of a passage; unset: the default */
    if (tokens) n.chunk_tokens = atoi(tokens);
    int rc = home_create(ev->home, &secret, err);
    if (!rc) rc = home_open(ev->home, &secret, STORE_WRITE, &at->home, err);
    if (!rc) rc = persona_create(at->home, &n, &at->persona, err);
    if (!rc && sample) rc = persona_alias_add(at->home, at->persona, SAMPLE_ME, err);
    struct ingest in = { .home = at->home, .persona = at->persona, .day_first = -1 };
    return rc ? rc : ingest_paths(&in, &path, 1, &t, err);
}

struct reading {
    struct eval_set *set;
    struct arena *mem;
    struct err *err;
};

static int read_chunk(void *ud, const struct row_chunk *row)
{
    struct reading *rd = ud;
    struct chunk_text t;
    struct buf embed = BUF_INIT(0), plain = BUF_INIT(0);
    arena_reset(rd->mem);
    int rc = unpack_chunk(row->body, row->body_n, rd->mem, &t, rd->err);
    if (!rc) chunk_embed_text(&t, &embed);
    if (!rc) chunk_plain(&t, false, &plain);
    if (!rc && (embed.failed || plain.failed)) rc = err_nomem(rd->err);
    if (!rc) rc = eval_set_chunk(rd->set, row->id, buf_str(&embed), buf_str(&plain), rd->err);
    buf_free(&embed);
    buf_free(&plain);
    return rc;
}

static int read_chunks(struct place *at, struct err *err)
{
    struct reading rd = { &at->set, arena_new(0), err };
    int rc = rd.mem ? store_chunk_each(at->home->store, &at->persona->seal, 0, read_chunk, &rd, err)
                    : err_nomem(err);
    arena_free(rd.mem);
    return rc ? rc : eval_set_judge(&at->set, err);
}

/* ---- one vector for a passage ---- */

static int add_cosine(float **v, size_t *n, size_t *cap, float c)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 4096;
        float *grown = realloc(*v, more * sizeof *grown);
        if (!grown) return ERR_NOMEM;
        *v = grown;
        *cap = more;
    }
    (*v)[(*n)++] = c;
    return 0;
}

static int note_cosines(struct way *w, const struct place *at, const struct eval_question *q,
                        const struct vectors *ix, const float *v, size_t dim)
{
    int rc = 0;
    for (size_t i = 0; i < at->set.n_chunks && !rc && !q->kept; i++) {
        const float *c = vectors_get(ix, at->set.chunk[i].id);
        float cosine = c ? kernels.dot_f32(v, c, dim) : 0;
        if (eval_is_right(q, at->set.chunk[i].id))
            rc = add_cosine(&w->right, &w->n_right, &w->cap_right, cosine);
        else rc = add_cosine(&w->other, &w->n_other, &w->cap_other, cosine);
    }
    return rc;
}

static int embed_chunks(const struct eval_set *s, struct embedder *e, struct vectors *ix,
                        struct err *err)
{
    size_t dim = (size_t)e->dim;
    float *v = calloc(BATCH * dim, sizeof *v);
    int rc = v ? 0 : err_nomem(err);
    for (size_t i = 0; i < s->n_chunks && !rc && e->kind->learns; i++)
        if (embed_learn(e, s->chunk[i].embed, strlen(s->chunk[i].embed))) rc = err_nomem(err);
    for (size_t i = 0; i < s->n_chunks && !rc; i += BATCH) {
        struct span text[BATCH];
        size_t n = s->n_chunks - i < BATCH ? s->n_chunks - i : BATCH;
        for (size_t k = 0; k < n; k++) text[k] = span_of(s->chunk[i + k].embed);
        rc = embed_texts(e, EMBED_PASSAGE, text, n, v, err);
        for (size_t k = 0; k < n && !rc; k++)
            rc = vectors_add(ix, s->chunk[i + k].id, v + k * dim, err);
    }
    free(v);
    return rc;
}

static int by_whole(struct place *at, struct embedder *e, const char *name, struct err *err)
{
    const struct eval_set *s = &at->set;
    struct way *w = way_of(at->ev, "whole", name);
    struct vectors *ix = vectors_new(e->dim, err);
    float *v = calloc((size_t)e->dim, sizeof *v);
    int rc = w && ix && v ? embed_chunks(s, e, ix, err) : err_nomem(err);
    for (size_t i = 0; i < s->n_q && !rc; i++) {
        struct hit hit[EVAL_DEPTH];
        int64_t ids[EVAL_DEPTH];
        if (embed_query(e, s->q[i].text, strlen(s->q[i].text), v)) rc = err_nomem(err);
        size_t n = rc ? 0 : vectors_search(ix, v, EVAL_DEPTH, NULL, NULL, hit);
        for (size_t k = 0; k < n; k++) ids[k] = hit[k].id;
        if (!rc) note_answer(w, at, &s->q[i], ids, n);
        if (!rc && note_cosines(w, at, &s->q[i], ix, v, (size_t)e->dim)) rc = err_nomem(err);
    }
    free(v);
    vectors_free(ix);
    return rc;
}

/* ---- as the program searches ---- */

enum how { KEYWORDS, VECTORS, FUSED, SEARCH };

static struct query query_for(enum how how, const char *text)
{
    struct query q = query_default(text);
    q.adaptive = false;
    q.k = how == SEARCH ? 10 : EVAL_DEPTH;
    if (how != SEARCH) q.diversity = 0;
    if (how == KEYWORDS) q.mode = QUERY_KEYWORD;
    if (how == VECTORS) q.mode = QUERY_VECTOR;
    return q;
}

static int by_retriever(struct place *at, enum how how, const char *embedder, struct err *err)
{
    static const char *const names[] = { "bm25", "vector", "fused", "search" };
    struct way *w = way_of(at->ev, names[how], embedder);
    int rc = w ? 0 : err_nomem(err);
    for (size_t i = 0; i < at->set.n_q && !rc; i++) {
        struct passages ps = { 0 };
        int64_t ids[EVAL_DEPTH];
        struct query q = query_for(how, at->set.q[i].text);
        if ((rc = retrieve(at->r, &q, &ps, err))) break;
        size_t n = ps.n < EVAL_DEPTH ? ps.n : EVAL_DEPTH;
        for (size_t k = 0; k < n; k++) ids[k] = ps.p[k].chunk;
        note_answer(w, at, &at->set.q[i], ids, n);
        passages_clear(&ps);
    }
    return rc;
}

/* One that cannot be opened is said, once, and passed over. */
static int by_embedder(struct place *at, const char *name, struct err *err)
{
    struct err why = { 0 };
    struct embedder *e = embed_open(name, NULL, 0, &why);
    if (!e) {
        if (!at->corpus) bench_note("%s", why.msg);
        return 0;
    }
    const char *base = strrchr(name, '/');
    base = base ? base + 1 : name;
    int rc = asked_for("LIKENESS_EVAL_WHOLE") ? by_whole(at, e, base, err) : 0;
    embed_close(e);
    if (!rc && strcmp(at->persona->embedder, name) != 0)
        rc = persona_reembed(at->home, at->persona, name, NULL, err);
    if (!rc) rc = retriever_open(at->home, at->persona, &at->r, err);
    for (enum how how = VECTORS; how <= SEARCH && !rc; how++) rc = by_retriever(at, how, base, err);
    retriever_close(at->r);
    at->r = NULL;
    return rc;
}

static int by_models(struct place *at, struct err *err)
{
    const char *list = getenv("LIKENESS_EVAL_MODELS");
    char *copy = strdup(list ? list : ""), *rest = NULL;
    int rc = copy ? 0 : err_nomem(err);
    for (char *m = rc ? NULL : strtok_r(copy, ",", &rest); m && !rc; m = strtok_r(NULL, ",", &rest))
        rc = by_embedder(at, m, err);
    free(copy);
    return rc;
}

static int measure_corpus(struct eval *ev, int corpus, const char *path, struct err *err)
{
    struct place at = { .ev = ev, .corpus = corpus };
    int rc = eval_set_open(&at.set, QUESTIONS, corpora[corpus], err);
    if (!rc) rc = make_persona(&at, path, err);
    if (!rc) rc = read_chunks(&at, err);
    if (!rc) rc = retriever_open(at.home, at.persona, &at.r, err);
    if (!rc) rc = by_retriever(&at, KEYWORDS, "", err);
    retriever_close(at.r);
    at.r = NULL;
    for (size_t i = 0; embed_kinds[i] && !rc; i++)
        if (!str_starts(embed_kinds[i]->name, "model"))
            rc = by_embedder(&at, embed_kinds[i]->name, err);
    if (!rc) rc = by_models(&at, err);
    ev->questions += at.set.n_q;
    ev->unplaced += at.set.unplaced;
    ev->chunks += at.set.n_chunks;
    persona_close(at.persona);
    home_close(at.home);
    eval_set_close(&at.set);
    io_remove_tree(ev->home, NULL);
    unlink(ev->key);
    return rc;
}

/* ---- the table ---- */

struct sums {
    double recall5, recall10, ndcg, rr, lo, hi;
    size_t n;
};

/* kind, corpus: -1 for all. */
static struct sums sums_of(const struct way *w, bool kept, int kind, int corpus)
{
    static double ndcg[ALL_MAX];
    struct sums s = { 0 };
    for (size_t i = 0; i < w->n; i++) {
        const struct one *o = &w->one[i];
        if (o->kept != kept || (kind >= 0 && o->kind != kind)) continue;
        if (corpus >= 0 && o->corpus != corpus) continue;
        s.recall5 += o->score.recall5;
        s.recall10 += o->score.recall10;
        s.rr += o->score.rr;
        s.ndcg += ndcg[s.n++] = o->score.ndcg10;
    }
    if (!s.n) return s;
    s.recall5 /= (double)s.n;
    s.recall10 /= (double)s.n;
    s.rr /= (double)s.n;
    s.ndcg /= (double)s.n;
    eval_interval(ndcg, s.n, &s.lo, &s.hi);
    return s;
}

static void print_table(const struct eval *ev, bool kept)
{
    printf("\n%s half                                       nDCG@10 by corpus"
           "                by kind\n",
           kept ? "kept" : "tune");
    printf("%-22s   n  R@5  R@10 nDCG@10 [95%%]      MRR | person pepys walden frankl emersn |"
           " other  same  keyw\n",
           "");
    for (size_t i = 0; i < ev->n_ways; i++) {
        const struct way *w = &ev->way[i];
        struct sums s = sums_of(w, kept, -1, -1);
        printf("%-22s %3zu %.3f %.3f %.3f [%.3f %.3f] %.3f |", w->name, s.n, s.recall5, s.recall10,
               s.ndcg, s.lo, s.hi, s.rr);
        for (int c = 0; c < CORPORA; c++) printf("  %.3f", sums_of(w, kept, -1, c).ndcg);
        printf(" |");
        for (int k = 0; k < EVAL_KINDS; k++) printf(" %.3f", sums_of(w, kept, k, -1).ndcg);
        printf("\n");
    }
}

static int by_cosine(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static float share(const float *v, size_t n, double at)
{
    return n ? v[(size_t)(at * (double)(n - 1))] : 0;
}

static void print_cosines(const struct eval *ev)
{
    printf("\ncosine with       right: 10%%   25%%   50%%   75%% | others: 50%%   99%%  99.9%% "
           "99.99%%\n");
    for (size_t i = 0; i < ev->n_ways; i++) {
        const struct way *w = &ev->way[i];
        if (!w->n_right || !w->n_other) continue;
        qsort(w->right, w->n_right, sizeof *w->right, by_cosine);
        qsort(w->other, w->n_other, sizeof *w->other, by_cosine);
        printf("%-22s  %.3f %.3f %.3f %.3f |        %.3f %.3f %.3f %.3f\n", w->name,
               (double)share(w->right, w->n_right, 0.1), (double)share(w->right, w->n_right, 0.25),
               (double)share(w->right, w->n_right, 0.5), (double)share(w->right, w->n_right, 0.75),
               (double)share(w->other, w->n_other, 0.5), (double)share(w->other, w->n_other, 0.99),
               (double)share(w->other, w->n_other, 0.999),
               (double)share(w->other, w->n_other, 0.9999));
    }
}

static void report(struct bench *b, const struct eval *ev)
{
    print_table(ev, false);
    bool kept = asked_for("LIKENESS_EVAL_KEPT");
    if (kept) print_table(ev, true);
    if (asked_for("LIKENESS_EVAL_WHOLE")) print_cosines(ev);
    printf("\n%zu questions over %zu passages; %zu anchors stand in no passage\n", ev->questions,
           ev->chunks, ev->unplaced);
    for (size_t i = 0; i < ev->n_ways; i++) {
        struct sums s = sums_of(&ev->way[i], kept, -1, -1);
        char name[64];
        snprintf(name, sizeof name, "retrieval_%.50s", ev->way[i].name);
        for (char *c = name; *c; c++)
            if (*c == ' ') *c = '_';
        bench_report(b, name, s.ndcg, "nDCG", BENCH_NONE, BENCH_NONE,
                     "@10, %s half, n %zu; recall@5 %.3f", kept ? "kept" : "tune", s.n, s.recall5);
    }
}

static void eval_clear(struct eval *ev)
{
    for (size_t i = 0; i < ev->n_ways; i++) {
        free(ev->way[i].one);
        free(ev->way[i].right);
        free(ev->way[i].other);
    }
    if (*ev->dir) io_remove_tree(ev->dir, NULL);
}

int bench_retrieval(struct bench *b, struct err *err)
{
    static struct eval ev;
    const char *data = getenv("LIKENESS_TEST_DATA"), *tmp = getenv("TMPDIR");
    int rc = 0;
    memset(&ev, 0, sizeof ev);
    if (!io_exists(QUESTIONS)) {
        bench_note("%s is not there: run from the project's root", QUESTIONS);
        return 0;
    }
    snprintf(ev.dir, sizeof ev.dir, "%s/likeness-bench-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(ev.dir)) return err_errno(err, "cannot make a folder");
    snprintf(ev.home, sizeof ev.home, "%s/home", ev.dir);
    snprintf(ev.key, sizeof ev.key, "%s/home.key", ev.dir);
    setenv("LIKENESS_KDF", "fast", 1);
    for (int c = 0; c < CORPORA && !rc; c++) {
        char path[400] = "examples/person";
        if (c)
            snprintf(path, sizeof path, "%s/corpora/%s.jsonl", data ? data : "../shared/data",
                     corpora[c]);
        if (io_exists(path)) rc = measure_corpus(&ev, c, path, err);
        else bench_note("%s is not there: name its folder in LIKENESS_TEST_DATA", path);
    }
    if (!rc) report(b, &ev);
    eval_clear(&ev);
    return rc;
}
