/* Topics: spherical k-means (Dhillon and Modha, "Concept decompositions for large sparse text data
 * using clustering", 2001) over chunk vectors, seeded by a greedy k-means++ from a fixed seed.
 *
 * The steps of topics_cluster:
 *
 *  1. Items with a vector of zeros are set aside. Beyond SAMPLE items, every n/SAMPLE-th is
 *     clustered and the rest joins afterwards.
 *  2. k = sqrt(n / 2), within 2 .. 24; k-means until nothing moves or ROUNDS are over.
 *  3. The two most alike topics are merged while their centres' cosine is above ALIKE; topics of
 *     fewer than LEAST items dissolve into their neighbours. Every item then joins its nearest
 *     centre, so that topics_assign gives an old chunk the topic that it has.
 *  4. Topics are numbered by size and labelled (topic_label.c).
 *
 * The same items give the same topics whatever the number of threads: an item is assigned by
 * itself, and a centre sums its members in their order, each by one thread. */
#include "persona/topic_impl.h"

#include "base/threads.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE 20000
#define K_MAX  24
#define ROUNDS 30
#define SETTLE 10  /* rounds after each merge */
#define PART   128 /* items a thread takes at once */
#define ALIKE  0.90f
#define LEAST  3
#define TRIALS 3 /* candidates for each seed */

struct work {
    const float **v; /* [n] the vectors that are clustered */
    int32_t *of;     /* [n] their cluster */
    float *near;     /* [n] cosine to the nearest centre */
    uint8_t *moved;  /* [parts] did an item of this part move? */
    size_t n;
    int dim, k;
    float *centre;  /* [k][dim], unit length, or 0 when empty */
    uint32_t *size; /* [k] */
    uint64_t rng;
};

static uint64_t rng_next(uint64_t *s) /* splitmix64 (Steele, Lea and Flood, 2014) */
{
    uint64_t z = *s += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double rng_unit(uint64_t *s) { return (double)(rng_next(s) >> 11) * 0x1p-53; }

static bool has_content(const float *v, int dim)
{
    for (int i = 0; i < dim; i++)
        if (v[i] != 0 && isfinite(v[i])) return true;
    return false;
}

static float *centre_of(const struct work *w, int c)
{
    return w->centre + (size_t)c * (size_t)w->dim;
}

/* Nearest centre of v; ties go to the smaller number. */
static int nearest(const float *centre, int k, int dim, const float *v, float *cosine)
{
    int best = 0;
    float top = -2;
    for (int c = 0; c < k; c++) {
        float d = kernels.dot_f32(centre + (size_t)c * (size_t)dim, v, (size_t)dim);
        if (d > top) {
            top = d;
            best = c;
        }
    }
    if (cosine) *cosine = top;
    return best;
}

static void assign_part(void *ud, int part)
{
    struct work *w = ud;
    size_t from = (size_t)part * PART, to = from + PART < w->n ? from + PART : w->n;
    w->moved[part] = 0;
    for (size_t i = from; i < to; i++) {
        int c = nearest(w->centre, w->k, w->dim, w->v[i], &w->near[i]);
        if (c == w->of[i]) continue;
        w->of[i] = c;
        w->moved[part] = 1;
    }
}

static bool assign_all(struct work *w)
{
    int parts = (int)((w->n + PART - 1) / PART);
    bool moved = false;
    threads_run(parts, assign_part, w);
    for (int i = 0; i < parts; i++) moved |= w->moved[i];
    return moved;
}

static void centre_part(void *ud, int c)
{
    struct work *w = ud;
    float *m = centre_of(w, c);
    memset(m, 0, (size_t)w->dim * sizeof *m);
    w->size[c] = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->of[i] != c) continue;
        kernels.axpy_f32(m, 1, w->v[i], (size_t)w->dim);
        w->size[c]++;
    }
    float len = sqrtf(kernels.dot_f32(m, m, (size_t)w->dim));
    for (int d = 0; d < w->dim; d++) m[d] = len > 1e-20f ? m[d] / len : 0;
}

/* Centres from members. A cluster that lost them all is pointed at the item that fits worst. */
static void centre_all(struct work *w, bool refill)
{
    threads_run(w->k, centre_part, w);
    for (int c = 0; refill && c < w->k; c++) {
        size_t worst = 0;
        if (w->size[c]) continue;
        for (size_t i = 1; i < w->n; i++)
            if (w->near[i] < w->near[worst]) worst = i;
        memcpy(centre_of(w, c), w->v[worst], (size_t)w->dim * sizeof(float));
        w->near[worst] = 2;
    }
}

/* ---- seeds ---- */

struct closer { /* how close everything would be with one more seed */
    const struct work *w;
    const float *seed;
    float *near;
};

static void closer_part(void *ud, int part)
{
    struct closer *s = ud;
    const struct work *w = s->w;
    size_t from = (size_t)part * PART, to = from + PART < w->n ? from + PART : w->n;
    for (size_t i = from; i < to; i++) {
        float d = kernels.dot_f32(s->seed, w->v[i], (size_t)w->dim);
        s->near[i] = d > w->near[i] ? d : w->near[i];
    }
}

static double gap(float cosine) { return cosine < 1 ? 1.0 - (double)cosine : 0; }

/* An item drawn with a chance in proportion to its distance from the seeds so far. */
static size_t draw(struct work *w, double total)
{
    double at = rng_unit(&w->rng) * total;
    for (size_t i = 0; i < w->n; i++)
        if ((at -= gap(w->near[i])) < 0) return i;
    return w->n - 1;
}

/* k-means++ (Arthur and Vassilvitskii, 2007), the best of TRIALS draws each time. */
static int seed(struct work *w)
{
    int parts = (int)((w->n + PART - 1) / PART);
    float *trial = malloc(w->n * sizeof *trial), *best = malloc(w->n * sizeof *best);
    int rc = trial && best ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < w->n; i++) w->near[i] = 0; /* the first is drawn evenly */
    for (int c = 0; !rc && c < w->k; c++) {
        double total = 0, least = INFINITY;
        size_t chosen = 0;
        for (size_t i = 0; i < w->n; i++) total += gap(w->near[i]);
        for (int t = 0; t < (c ? TRIALS : 1); t++) {
            size_t at = draw(w, total);
            struct closer s = { w, w->v[at], trial };
            double sum = 0;
            if (c == 0)
                for (size_t i = 0; i < w->n; i++) w->near[i] = -1;
            threads_run(parts, closer_part, &s);
            for (size_t i = 0; i < w->n; i++) sum += gap(trial[i]);
            if (sum >= least) continue;
            least = sum;
            chosen = at;
            float *swap = best;
            best = trial;
            trial = swap;
        }
        memcpy(w->near, best, w->n * sizeof *best);
        memcpy(centre_of(w, c), w->v[chosen], (size_t)w->dim * sizeof(float));
    }
    free(trial);
    free(best);
    return rc;
}

/* ---- after the rounds ---- */

/* Take cluster c away: the last one gets its number. Members must have been moved. */
static void drop_cluster(struct work *w, int c)
{
    int last = --w->k;
    if (c == last) return;
    memcpy(centre_of(w, c), centre_of(w, last), (size_t)w->dim * sizeof(float));
    w->size[c] = w->size[last];
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i] == last) w->of[i] = c;
}

static void merge_alike(struct work *w)
{
    while (w->k > 1) {
        int a = -1, b = -1;
        float top = ALIKE;
        for (int i = 0; i < w->k; i++)
            for (int j = i + 1; j < w->k; j++) {
                float d = kernels.dot_f32(centre_of(w, i), centre_of(w, j), (size_t)w->dim);
                if (d > top) {
                    top = d;
                    a = i;
                    b = j;
                }
            }
        if (a < 0) return;
        for (size_t i = 0; i < w->n; i++)
            if (w->of[i] == b) w->of[i] = a;
        centre_part(w, a);
        drop_cluster(w, b);
    }
}

/* Dissolve the smallest topic of fewer than LEAST items; false when there is none. */
static bool dissolve_small(struct work *w)
{
    int s = 0;
    if (w->k < 2) return false;
    for (int c = 1; c < w->k; c++)
        if (w->size[c] < w->size[s]) s = c;
    if (w->size[s] >= LEAST) return false;
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i] == s) w->of[i] = -1;
    drop_cluster(w, s);
    return true;
}

static int k_for(size_t n)
{
    if (n < 8) return 1;
    int k = (int)sqrt((double)n / 2);
    return k < 2 ? 2 : k > K_MAX ? K_MAX : k;
}

static int cluster(struct work *w)
{
    int rc = seed(w);
    if (rc) return rc;
    for (size_t i = 0; i < w->n; i++) w->of[i] = -1;
    for (int r = 0; r < ROUNDS && assign_all(w); r++) centre_all(w, true);
    centre_all(w, false);
    merge_alike(w);
    do {
        for (int r = 0; r < SETTLE && assign_all(w); r++) centre_all(w, false);
    } while (dissolve_small(w));
    return 0;
}

/* ---- the result ---- */

/* Larger topics first; those of one size stay in their order, which is their id before. */
static int by_size(const void *a, const void *b)
{
    const struct topic *x = a, *y = b;
    return x->chunks != y->chunks ? (x->chunks < y->chunks ? 1 : -1) : x->id - y->id;
}

static void count_sizes(struct topics *ts, const struct topic_item *item, size_t n)
{
    for (size_t t = 0; t < ts->n; t++) ts->t[t].chunks = 0;
    for (size_t i = 0; i < n; i++)
        if (item[i].topic >= 0) ts->t[item[i].topic].chunks++;
}

struct join {
    struct topic_item *item;
    size_t n;
    const struct topics *ts;
};

static void join_part(void *ud, int part)
{
    struct join *j = ud;
    size_t from = (size_t)part * PART, to = from + PART < j->n ? from + PART : j->n;
    for (size_t i = from; i < to; i++) j->item[i].topic = topics_assign(j->ts, j->item[i].vector);
}

/* Centres to topics: every item joins its nearest, and topics are numbered by what that comes
 * to. */
static int publish(const struct work *w, struct topic_item *item, size_t n, struct topics *out)
{
    int32_t now[K_MAX];
    struct join j = { item, n, out };
    if (!(out->t = calloc((size_t)w->k, sizeof *out->t))) return ERR_NOMEM;
    out->dim = w->dim;
    for (int c = 0; c < w->k; c++) {
        struct topic *t = &out->t[c];
        t->id = c;
        t->centre = malloc((size_t)w->dim * sizeof *t->centre);
        if (!t->centre) return ERR_NOMEM;
        memcpy(t->centre, centre_of(w, c), (size_t)w->dim * sizeof *t->centre);
        out->n++;
    }
    threads_run((int)((n + PART - 1) / PART), join_part, &j);
    count_sizes(out, item, n);
    qsort(out->t, out->n, sizeof *out->t, by_size);
    for (size_t t = 0; t < out->n; t++) {
        now[out->t[t].id] = (int32_t)t;
        out->t[t].id = (int32_t)t;
    }
    for (size_t i = 0; i < n; i++)
        if (item[i].topic >= 0) item[i].topic = now[item[i].topic];
    return 0;
}

static void work_free(struct work *w)
{
    free(w->v);
    free(w->of);
    free(w->near);
    free(w->moved);
    free(w->centre);
    free(w->size);
}

static int work_init(struct work *w, const struct topic_item *item, size_t n, int dim)
{
    size_t step = (n + SAMPLE - 1) / SAMPLE, most = n / (step ? step : 1) + 1;
    *w = (struct work){ .dim = dim, .rng = 0x4C696B656E657373u };
    if (!(w->v = malloc(most * sizeof *w->v))) return ERR_NOMEM;
    for (size_t i = 0; i < n; i += step)
        if (has_content(item[i].vector, dim)) w->v[w->n++] = item[i].vector;
    if (!w->n) return 0;
    w->k = k_for(w->n);
    w->of = malloc(w->n * sizeof *w->of);
    w->near = malloc(w->n * sizeof *w->near);
    w->moved = malloc((w->n + PART - 1) / PART);
    w->centre = calloc((size_t)w->k * (size_t)dim, sizeof *w->centre);
    w->size = calloc((size_t)w->k, sizeof *w->size);
    return w->of && w->near && w->moved && w->centre && w->size ? 0 : ERR_NOMEM;
}

int topics_cluster(struct topic_item *item, size_t n, int dim, struct topics *out, struct err *err)
{
    struct work w = { 0 };
    int rc = 0;
    *out = (struct topics){ 0 };
    for (size_t i = 0; i < n; i++) item[i].topic = -1;
    if (!n) return 0;
    if (dim < 1) return err_set(err, ERR_INVAL, "topics: vectors of %d dimensions", dim);
    if ((rc = work_init(&w, item, n, dim)) || !w.n) goto out;
    if ((rc = cluster(&w)) == 0 && (rc = publish(&w, item, n, out)) == 0)
        rc = topics_label(out, item, n);
out:
    work_free(&w);
    if (rc) {
        topics_clear(out);
        rc = err_nomem(err);
    }
    return rc;
}

int32_t topics_assign(const struct topics *ts, const float *v)
{
    float top = -2;
    int32_t best = -1;
    if (!ts->n || !has_content(v, ts->dim)) return -1;
    for (size_t t = 0; t < ts->n; t++) {
        float d = kernels.dot_f32(ts->t[t].centre, v, (size_t)ts->dim);
        if (d > top) {
            top = d;
            best = ts->t[t].id;
        }
    }
    return best;
}

void topics_clear(struct topics *ts)
{
    if (!ts) return;
    for (size_t i = 0; i < ts->n; i++) {
        struct topic *t = &ts->t[i];
        if (t->label) explicit_bzero(t->label, strlen(t->label));
        free(t->label);
        for (size_t k = 0; k < t->n_phrases; k++) free(t->phrases[k]);
        free(t->centre);
    }
    free(ts->t);
    *ts = (struct topics){ 0 };
}
