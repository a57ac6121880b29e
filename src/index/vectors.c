/* Exact search at a quarter of the bytes.
 *
 * A scan of all vectors is bound by memory, not by arithmetic, so what counts is how few bytes it
 * reads. Every vector v (unit length) is kept as v8 = s_v * (int8 codes), with the length of what
 * was lost, e_v = |v - v8|; the scan reads codes, s_v and e_v. The query is treated likewise. Then
 *
 *     q.v = q8.v8 + q.(v - v8) + (q - q8).v8
 *     |q.v - q8.v8| <= |q| e_v + e_q |v8| <= e_v + e_q (1 + e_v)               (Cauchy-Schwarz)
 *
 * q8.v8 = s_q s_v * (an exact integer). Adding a margin for rounding gives, for every row, bounds
 * lo <= score <= hi on the score that a full scan with kernels.dot_f32 would compute: a float sum
 * of n products of unit vectors is off by at most n u (u = 2^-24), the norms, e_v and the bound
 * itself by a few u; the margin is (2 n + 64) u.
 *
 * Let T be the k-th largest lo among any rows seen. At least k rows score T or more, so a row with
 * hi < T cannot be among the best k, not even through a tie. All others are kept as candidates and
 * in the end scored in f32. Hence the result is the full f32 scan's, bit for bit, ties included.
 *
 * Candidates lie in a fixed buffer. When it is full, `prune` finds T and drops those below; if
 * that frees less than half (thousands of near copies), `settle` scores what is left and keeps the
 * best k, whose bounds are then exact. T only rises, and is shared between the threads that scan
 * parts of the rows.
 *
 * Memory: five arrays that grow without copying (grow.c); a removed row is filled by the last one,
 * so rows stay dense. `at` maps id to row + 1; base/map.h cannot remove, so 0 marks an absent id,
 * and the map is made anew when most of it is such marks.
 *
 * Threads: searches only read. Nothing is locked; adding and removing is the owner's business. */
#include "index/vectors.h"

#include "base/map.h"
#include "base/threads.h"
#include "index/grow.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 256,     /* rows scanned between two looks at the bounds */
    FEW = 64,        /* largest k that needs no allocation */
    CANDS = 4 * FEW, /* candidates a part holds on its stack */
    MAX_PARTS = 32,
    AHEAD = 4, /* rows that are fetched before they are scored */
};
#define PARALLEL_BYTES ((size_t)8 << 20) /* below, waking a thread costs more than it saves */

struct vectors {
    int dim;
    size_t stride;           /* dim rounded up to 32: codes and floats a row */
    size_t n, cap;           /* rows used, rows there is room for */
    struct grow codes;       /* int8_t [cap, stride] */
    struct grow rows;        /* float [cap, stride], unit length */
    struct grow scale, lost; /* float [cap]: s_v, e_v */
    struct grow ids;         /* int64_t [cap] */
    struct map at;           /* id -> row + 1; 0: removed */
};

static const float *row_of(const struct vectors *ix, size_t r)
{
    return (const float *)ix->rows.p + r * ix->stride;
}

static int8_t *codes_of(const struct vectors *ix, size_t r)
{
    return (int8_t *)ix->codes.p + r * ix->stride;
}

static int64_t id_of(const struct vectors *ix, size_t r) { return ((const int64_t *)ix->ids.p)[r]; }

struct vectors *vectors_new(int dim, struct err *err)
{
    if (dim < 1 || dim > VECTORS_DIM_MAX) {
        err_set(err, ERR_INVAL, "vectors have 1 to %d dimensions, not %d", VECTORS_DIM_MAX, dim);
        return NULL;
    }
    struct vectors *ix = calloc(1, sizeof *ix);
    if (!ix) {
        err_nomem(err);
        return NULL;
    }
    ix->dim = dim;
    ix->stride = ((size_t)dim + 31) / 32 * 32;
    return ix;
}

void vectors_free(struct vectors *ix)
{
    if (!ix) return;
    grow_free(&ix->codes);
    grow_free(&ix->rows);
    grow_free(&ix->scale);
    grow_free(&ix->lost);
    grow_free(&ix->ids);
    map_free(&ix->at);
    free(ix);
}

int vectors_reserve(struct vectors *ix, size_t n, struct err *err)
{
    if (n <= ix->cap) return 0;
    if (n >= UINT32_MAX) return err_set(err, ERR_LIMIT, "an index holds 4 billion vectors at most");
    int rc = grow_to(&ix->codes, n * ix->stride, err);
    if (!rc) rc = grow_to(&ix->rows, n * ix->stride * sizeof(float), err);
    if (!rc) rc = grow_to(&ix->scale, n * sizeof(float), err);
    if (!rc) rc = grow_to(&ix->lost, n * sizeof(float), err);
    if (!rc) rc = grow_to(&ix->ids, n * sizeof(int64_t), err);
    if (!rc) ix->cap = n;
    return rc;
}

/* v / |v| into out [stride], zero-padded. Returns |v|, or NAN if a component is not finite. */
static double make_unit(const float *v, int dim, size_t stride, float *out)
{
    double sum = 0;
    for (int i = 0; i < dim; i++) sum += (double)v[i] * v[i];
    if (!isfinite(sum)) return NAN;
    double norm = sqrt(sum), inv = norm > 0 ? 1 / norm : 0;
    for (int i = 0; i < dim; i++) out[i] = (float)(v[i] * inv);
    memset(out + dim, 0, (stride - (size_t)dim) * sizeof *out);
    return norm;
}

/* Codes of the unit vector v, their scale, and a bound on the length of what they lost. */
static float encode(const float *v, size_t n, int8_t *codes, float *lost)
{
    float s = kernels.quant_i8(v, n, codes);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)v[i] - (double)s * codes[i];
        sum += d * d;
    }
    *lost = (float)(sqrt(sum) * (1 + 1e-6));
    return s;
}

/* Marks of removed ids would pile up where ids come and go; make it anew when they prevail. */
static int trim_map(struct vectors *ix, struct err *err)
{
    if (ix->at.n < 1024 || ix->at.n < 2 * (ix->n + 1)) return 0;
    struct map fresh = { 0 };
    for (size_t r = 0; r < ix->n; r++) {
        uint64_t *slot = map_slot(&fresh, (uint64_t)id_of(ix, r));
        if (!slot) {
            map_free(&fresh);
            return err_nomem(err);
        }
        *slot = r + 1;
    }
    map_free(&ix->at);
    ix->at = fresh;
    return 0;
}

int vectors_add(struct vectors *ix, int64_t id, const float *v, struct err *err)
{
    float unit[VECTORS_DIM_MAX];
    if (isnan(make_unit(v, ix->dim, ix->stride, unit)))
        return err_set(err, ERR_INVAL, "a vector has a component that is not a number");
    int rc = trim_map(ix, err);
    if (!rc && ix->n == ix->cap) rc = vectors_reserve(ix, ix->cap ? 2 * ix->cap : 64, err);
    if (rc) return rc;
    uint64_t *slot = map_slot(&ix->at, (uint64_t)id);
    if (!slot) return err_nomem(err);
    if (!*slot) *slot = ++ix->n;
    size_t r = (size_t)*slot - 1;
    memcpy((float *)ix->rows.p + r * ix->stride, unit, ix->stride * sizeof *unit);
    ((float *)ix->scale.p)[r] = encode(unit, ix->stride, codes_of(ix, r), (float *)ix->lost.p + r);
    ((int64_t *)ix->ids.p)[r] = id;
    return 0;
}

bool vectors_remove(struct vectors *ix, int64_t id)
{
    const uint64_t *found = map_get(&ix->at, (uint64_t)id);
    if (!found || !*found) return false;
    size_t r = (size_t)*found - 1, last = --ix->n;
    *map_slot(&ix->at, (uint64_t)id) = 0;
    if (r != last) {
        memcpy(codes_of(ix, r), codes_of(ix, last), ix->stride);
        memcpy((float *)ix->rows.p + r * ix->stride, row_of(ix, last), ix->stride * sizeof(float));
        ((float *)ix->scale.p)[r] = ((float *)ix->scale.p)[last];
        ((float *)ix->lost.p)[r] = ((float *)ix->lost.p)[last];
        ((int64_t *)ix->ids.p)[r] = id_of(ix, last);
        *map_slot(&ix->at, (uint64_t)id_of(ix, r)) = r + 1;
    }
    memset(codes_of(ix, last), 0, ix->stride);
    memset((float *)ix->rows.p + last * ix->stride, 0, ix->stride * sizeof(float));
    return true;
}

const float *vectors_get(const struct vectors *ix, int64_t id)
{
    const uint64_t *found = map_get(&ix->at, (uint64_t)id);
    return found && *found ? row_of(ix, (size_t)*found - 1) : NULL;
}

size_t vectors_count(const struct vectors *ix) { return ix->n; }

int vectors_dim(const struct vectors *ix) { return ix->dim; }

int64_t vectors_id(const struct vectors *ix, size_t i) { return id_of(ix, i); }

const float *vectors_row(const struct vectors *ix, size_t i) { return row_of(ix, i); }

static size_t row_bytes(const struct vectors *ix)
{
    return ix->stride * (1 + sizeof(float)) + 2 * sizeof(float) + sizeof(int64_t);
}

size_t vectors_bytes(const struct vectors *ix)
{
    return sizeof *ix + ix->n * row_bytes(ix) + ix->at.cap * sizeof *ix->at.e;
}

size_t vectors_scan_bytes(const struct vectors *ix)
{
    return ix->n * (ix->stride + 2 * sizeof(float));
}

struct cand {
    float lo, hi; /* equal once scored in f32 */
    uint32_t row;
};

struct search {
    const struct vectors *ix;
    const float *q; /* [stride], unit length */
    const int8_t *q8;
    float s_q, widen, base; /* hi, lo = s_q s_v dot +- (widen e_v + base) */
    size_t k;
    bool (*keep)(void *ud, int64_t id);
    void *ud;
    size_t part_rows;
    size_t cap;         /* candidates a part holds */
    struct cand *cands; /* [parts, cap], or NULL: on the stack of the part */
    struct hit *hits;   /* [parts, k] */
    size_t n_hits[MAX_PARTS];
    _Atomic float floor; /* T */
};

struct part {
    struct search *s;
    struct cand *c;
    size_t n, full; /* candidates; at `full` of them, prune */
};

static void raise_floor(struct search *s, float t)
{
    float old = atomic_load_explicit(&s->floor, memory_order_relaxed);
    while (t > old && !atomic_compare_exchange_weak(&s->floor, &old, t)) {}
}

/* A total order, since no two rows have one id. */
static bool better(const struct vectors *ix, const struct cand *a, const struct cand *b)
{
    if (a->lo != b->lo) return a->lo > b->lo;
    return id_of(ix, a->row) < id_of(ix, b->row);
}

static void swap(struct cand *a, struct cand *b)
{
    struct cand t = *a;
    *a = *b;
    *b = t;
}

/* Quickselect (Hoare): afterwards c[0..k) are the k best of c[0..n), c[k-1] the least of them.
 * Which side of the pivot a candidate is on cannot be foreseen, so both are moved without a branch.
 */
static void select_best(const struct vectors *ix, struct cand *c, size_t n, size_t k)
{
    uint32_t seed = 2463534242u;
    size_t from = 0, to = n;
    while (to - from > 1) {
        seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
        swap(&c[from + seed % (to - from)], &c[to - 1]);
        size_t mid = from;
        for (size_t i = from; i + 1 < to; i++) {
            bool ahead = better(ix, &c[i], &c[to - 1]);
            swap(&c[i], &c[mid]);
            mid += ahead;
        }
        swap(&c[mid], &c[to - 1]);
        if (mid == k - 1) return;
        if (mid < k - 1) from = mid + 1;
        else to = mid;
    }
}

static void drop_below_floor(struct part *p)
{
    float t = atomic_load_explicit(&p->s->floor, memory_order_relaxed);
    size_t m = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->c[i].hi >= t) p->c[m++] = p->c[i];
    p->n = m;
}

static void prefetch_row(const struct vectors *ix, size_t r)
{
    const char *p = (const char *)row_of(ix, r);
    for (size_t i = 0; i < (size_t)ix->dim * sizeof(float); i += 64) __builtin_prefetch(p + i);
}

/* Score c[from..to) in f32; afterwards their bounds are exact. */
static void score(struct part *p, size_t from, size_t to)
{
    const struct vectors *ix = p->s->ix;
    for (size_t i = from; i < to; i++) {
        struct cand *c = &p->c[i];
        if (i + AHEAD < to) prefetch_row(ix, c[AHEAD].row);
        if (c->lo == c->hi) continue;
        float x = kernels.dot_f32(p->s->q, row_of(ix, c->row), (size_t)ix->dim);
        c->lo = c->hi = x > 1 ? 1 : x < -1 ? -1 : x;
    }
}

/* Raise the floor to the k-th best lower bound and drop what is below it. */
static void prune(struct part *p)
{
    size_t k = p->s->k;
    if (p->n && p->n >= k) {
        select_best(p->s->ix, p->c, p->n, k);
        raise_floor(p->s, p->c[k - 1].lo);
    }
    drop_below_floor(p);
}

/* Score all that may matter, the most promising first so that they spare the rest. Leaves k. */
static void settle(struct part *p)
{
    size_t k = p->s->k;
    prune(p);
    score(p, 0, p->n < k ? p->n : k);
    prune(p);
    score(p, 0, p->n);
    prune(p);
    if (p->n > k) p->n = k;
}

static size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

/* Early on the floor is low and rises fast, so look often while there are few candidates. */
static void make_room(struct part *p)
{
    size_t cap = p->s->cap;
    prune(p);
    if (p->n > cap / 2) settle(p);
    p->full = at_most(2 * p->n + 2 * p->s->k + 16, cap);
}

static void add_candidate(struct part *p, size_t row, float approx)
{
    const struct search *s = p->s;
    float wide = ((const float *)s->ix->lost.p)[row] * s->widen + s->base;
    float lo = fminf(approx - wide, 1), hi = approx + wide;
    if (hi < atomic_load_explicit(&s->floor, memory_order_relaxed)) return;
    if (s->keep && !s->keep(s->ud, id_of(s->ix, row))) return;
    if (p->n == p->full) make_room(p);
    p->c[p->n++] = (struct cand){ .lo = lo, .hi = hi, .row = (uint32_t)row };
}

static void scan_part(void *ud, int which)
{
    struct search *s = ud;
    const struct vectors *ix = s->ix;
    const float *scale = ix->scale.p, *lost = ix->lost.p;
    struct cand own[CANDS];
    struct part p = { .s = s, .c = s->cands ? s->cands + (size_t)which * s->cap : own };
    p.full = at_most(4 * s->k + 16, s->cap);
    size_t from = (size_t)which * s->part_rows, to = from + s->part_rows;
    if (to > ix->n) to = ix->n;
    int32_t dot[BLOCK];
    uint32_t idx[BLOCK];
    for (size_t r = from; r < to; r += BLOCK) {
        size_t n = to - r < BLOCK ? to - r : BLOCK;
        kernels.scan_i8(codes_of(ix, r), n, ix->stride, s->q8, dot);
        float t = atomic_load_explicit(&s->floor, memory_order_relaxed);
        size_t m = kernels.pass_i8(dot, scale + r, lost + r, n, s->s_q, s->widen, t - s->base, idx);
        for (size_t i = 0; i < m; i++)
            add_candidate(&p, r + idx[i], (float)dot[idx[i]] * scale[r + idx[i]] * s->s_q);
    }
    settle(&p);
    for (size_t i = 0; i < p.n; i++)
        s->hits[(size_t)which * s->k + i] =
            (struct hit){ .id = id_of(ix, p.c[i].row), .score = p.c[i].lo };
    s->n_hits[which] = p.n;
}

static bool hit_before(const struct hit *a, const struct hit *b)
{
    return a->score != b->score ? a->score > b->score : a->id < b->id;
}

/* Heap sort, best first: in place, since qsort may allocate. */
static void sort_hits(struct hit *h, size_t n)
{
    for (size_t built = n / 2, end = n; end > 1;) {
        if (built) {
            built--;
        } else {
            struct hit t = h[--end];
            h[end] = h[0];
            h[0] = t;
        }
        for (size_t i = built, child; (child = 2 * i + 1) < end; i = child) {
            if (child + 1 < end && hit_before(&h[child], &h[child + 1])) child++;
            if (!hit_before(&h[i], &h[child])) break;
            struct hit t = h[i];
            h[i] = h[child];
            h[child] = t;
        }
    }
}

int vectors_scan_threads(const struct vectors *ix)
{
    return vectors_scan_bytes(ix) < PARALLEL_BYTES ? 1 : threads_count();
}

/* How the rows are dealt out. Several parts a thread, so that a thread that was held up does not
 * hold up the search; with many candidates to hold, one. */
static int n_parts(const struct vectors *ix, size_t k)
{
    int threads = vectors_scan_threads(ix), n = threads;
    if (threads > 1 && k <= FEW) n = 4 * threads;
    return n > MAX_PARTS ? MAX_PARTS : n;
}

/* Scan, then put the parts' results together. */
static size_t run(struct search *s, int parts, struct hit *out)
{
    size_t blocks = (s->ix->n + BLOCK - 1) / BLOCK, n = 0;
    s->part_rows = (blocks + (size_t)parts - 1) / (size_t)parts * BLOCK;
    threads_run(parts, scan_part, s);
    for (int i = 0; i < parts; i++) {
        memmove(s->hits + n, s->hits + (size_t)i * s->k, s->n_hits[i] * sizeof *s->hits);
        n += s->n_hits[i];
    }
    sort_hits(s->hits, n);
    if (n > s->k) n = s->k;
    memcpy(out, s->hits, n * sizeof *out);
    return n;
}

size_t vectors_search(const struct vectors *ix, const float *q, size_t k,
                      bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out)
{
    float unit[VECTORS_DIM_MAX];
    int8_t codes[VECTORS_DIM_MAX] __attribute__((aligned(64)));
    struct hit few[MAX_PARTS * FEW];
    if (k > ix->n) k = ix->n;
    if (!k || isnan(make_unit(q, ix->dim, ix->stride, unit))) return 0;
    float lost;
    struct search s = {
        .ix = ix, .q = unit, .q8 = codes, .k = k, .keep = keep, .ud = ud, .floor = -INFINITY
    };
    s.s_q = encode(unit, ix->stride, codes, &lost);
    s.widen = 1 + lost;
    s.base = lost + (float)(2 * ix->dim + 64) * 0x1p-24f;
    int parts = n_parts(ix, k);
    void *more = NULL;
    if (k > FEW) more = malloc((size_t)parts * k * (4 * sizeof *s.cands + sizeof *s.hits));
    if (more) {
        s.cap = 4 * k;
        s.hits = more;
        s.cands = (struct cand *)(s.hits + (size_t)parts * k);
    } else {
        s.k = k < FEW ? k : FEW;
        s.cap = CANDS;
        s.hits = few;
    }
    size_t got = run(&s, parts, out);
    free(more);
    return got;
}
