/* Attention: which rows are computed together, and by which thread.
 *
 * The work is cut into tasks of one key-value head and up to ROWS query rows: the heads of a group
 * (GQA) share every key that is loaded, and so do the rows of a prefill slice. A worker per thread
 * takes tasks by an atomic counter, since causal rows are of unequal length; it has a scratch of
 * its own. The arithmetic of a row is fixed by attn_loops.h whatever the task it falls into. */
#include "kernels/attn.h"

#include "base/threads.h"
#include "kernels/attn_impl.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum {
    ROWS = 96,       /* (token, head) pairs a task: keys are widened once for them */
    GROUP_MOST = 32, /* heads a task */
    FULL_ROWS = 192, /* tokens a task in attn_full */
    LEAST = 1 << 15, /* multiply-adds below which one thread does it all */
};

/* Scratch of one worker, carved from the caller's. */
struct room {
    float *q, *o, *most, *total, *panel, *s;
    int *lo, *hi;
};

static size_t round64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static size_t room_bytes(int rows, int dim, size_t panel)
{
    size_t m = (size_t)rows, dv = (size_t)attn_dim_v(dim);
    return round64(m * (size_t)dim * 4) + round64(m * dv * 4) + 4 * round64(m * 4) +
           round64(panel * 4) + 12 * ATTN_BLOCK * 4;
}

static void *carve(char **at, size_t bytes)
{
    void *p = *at;
    *at += round64(bytes);
    return p;
}

static struct room room_at(char *at, int rows, int dim, size_t panel)
{
    size_t m = (size_t)rows, dv = (size_t)attn_dim_v(dim);
    struct room r;
    r.q = carve(&at, m * (size_t)dim * 4);
    r.o = carve(&at, m * dv * 4);
    r.most = carve(&at, m * 4);
    r.total = carve(&at, m * 4);
    r.lo = carve(&at, m * 4);
    r.hi = carve(&at, m * 4);
    r.panel = carve(&at, panel * 4);
    r.s = carve(&at, 12 * ATTN_BLOCK * 4);
    return r;
}

static struct attn_work work_in(const struct room *r, const struct attn_shape *s)
{
    return (struct attn_work){ .dim = s->head_dim,
                               .dim_v = attn_dim_v(s->head_dim),
                               .softcap = s->softcap,
                               .q = r->q,
                               .o = r->o,
                               .most = r->most,
                               .total = r->total,
                               .lo = r->lo,
                               .hi = r->hi,
                               .panel = r->panel,
                               .s = r->s };
}

static void take_query(const struct attn_shape *s, float *to, const float *q)
{
    attn_chosen()->scaled(to, q, s->scale, (size_t)s->head_dim);
}

struct rows_job {
    const struct attn_shape *s;
    const struct attn_row *rows;
    int n, heads, tokens; /* heads and tokens a task */
    char *scratch;
    size_t room;
    atomic_int next;
};

static size_t rows_panel(const struct attn_shape *s)
{
    return (size_t)ATTN_BLOCK * (size_t)(s->head_dim + attn_dim_v(s->head_dim));
}

size_t attn_scratch_bytes(const struct attn_shape *s, int max_pos, int threads)
{
    (void)max_pos; /* softmax runs along: nothing grows with the context */
    return (size_t)threads * room_bytes(ROWS, s->head_dim, rows_panel(s));
}

/* Length of the slice that starts at row i. */
static int slice_of(const struct attn_row *rows, int n, int i)
{
    int j = i + 1;
    while (j < n && rows[j].cache == rows[i].cache) j++;
    return j - i;
}

static int parts_of(int n, int step) { return (n + step - 1) / step; }

static int slice_tasks(const struct rows_job *j, int slice)
{
    int group = j->s->heads / j->s->heads_kv;
    return parts_of(slice, j->tokens) * j->s->heads_kv * parts_of(group, j->heads);
}

static int all_tasks(const struct rows_job *j)
{
    int tasks = 0;
    for (int i = 0, len; i < j->n; i += len) {
        len = slice_of(j->rows, j->n, i);
        tasks += slice_tasks(j, len);
    }
    return tasks;
}

/* Task `t` of the slice of `len` rows at `first`: the last tokens, which see most, come first. */
static void do_rows(const struct rows_job *j, const struct room *room, int first, int len, int t)
{
    const struct attn_shape *s = j->s;
    int group = s->heads / s->heads_kv, parts = parts_of(group, j->heads);
    int head = t % parts * j->heads, kv = t / parts % s->heads_kv;
    int chunk = parts_of(len, j->tokens) - 1 - t / parts / s->heads_kv;
    int heads = group - head < j->heads ? group - head : j->heads;
    int from = first + chunk * j->tokens, to = from + j->tokens;
    if (to > first + len) to = first + len;
    head += kv * group;
    struct attn_work w = work_in(room, s);
    size_t dim = (size_t)s->head_dim;
    for (int i = from; i < to; i++)
        for (int h = 0; h < heads; h++, w.m++) {
            const struct attn_row *r = &j->rows[i];
            take_query(s, room->q + (size_t)w.m * dim, r->q + (size_t)(head + h) * dim);
            room->hi[w.m] = r->pos + 1;
            room->lo[w.m] = s->window > 0 && r->pos >= s->window ? r->pos - s->window + 1 : 0;
        }
    w.kv = attn_cache_head(s, j->rows[first].cache, j->rows[first].cap, kv);
    attn_chosen()->attend(&w);
    const float *o = room->o;
    for (int i = from; i < to; i++)
        for (int h = 0; h < heads; h++, o += w.dim_v)
            memcpy(j->rows[i].out + (size_t)(head + h) * dim, o, dim * sizeof *o);
}

static void rows_worker(void *ud, int part)
{
    struct rows_job *j = ud;
    struct room room =
        room_at(j->scratch + (size_t)part * j->room, ROWS, j->s->head_dim, rows_panel(j->s));
    int first = 0, base = 0;
    int len = slice_of(j->rows, j->n, 0), tasks = slice_tasks(j, len);
    for (;;) {
        int t = atomic_fetch_add(&j->next, 1);
        while (t >= base + tasks) {
            base += tasks;
            first += len;
            if (first >= j->n) return;
            len = slice_of(j->rows, j->n, first);
            tasks = slice_tasks(j, len);
        }
        do_rows(j, &room, first, len, t - base);
    }
}

/* Large tasks share more; but every thread should have some. */
static void plan_rows(struct rows_job *j, int threads)
{
    int group = j->s->heads / j->s->heads_kv;
    j->heads = group < GROUP_MOST ? group : GROUP_MOST;
    j->tokens = ROWS / j->heads;
    while (j->tokens > 4 && all_tasks(j) < 3 * threads) j->tokens = (j->tokens + 1) / 2;
    while (j->heads > 1 && all_tasks(j) < threads) j->heads = (j->heads + 1) / 2;
}

void attn_rows(const struct attn_shape *s, const struct attn_row *rows, int n, void *scratch)
{
    if (n <= 0) return;
    struct rows_job j = { .s = s, .rows = rows, .n = n, .scratch = scratch };
    j.room = room_bytes(ROWS, s->head_dim, rows_panel(s));
    size_t work = 0;
    for (int i = 0; i < n && work < LEAST; i++)
        work += (size_t)(rows[i].pos + 1) * (size_t)s->heads * (size_t)s->head_dim * 2;
    int threads = work < LEAST ? 1 : threads_count();
    plan_rows(&j, threads);
    int tasks = all_tasks(&j);
    threads_run(tasks < threads ? tasks : threads, rows_worker, &j);
}

struct full_job {
    const struct attn_shape *s;
    const float *q, *k, *v;
    float *out;
    size_t stride;
    const int *len;
    int n_seq, max_len;
    char *scratch;
    size_t room;
    atomic_int next;
};

static size_t full_panel(const struct attn_shape *s, int len)
{
    size_t up = (size_t)parts_of(len, ATTN_SUB) * ATTN_SUB;
    return up * (size_t)(s->head_dim + attn_dim_v(s->head_dim));
}

size_t attn_full_scratch_bytes(const struct attn_shape *s, int max_len, int threads)
{
    return (size_t)threads * room_bytes(FULL_ROWS, s->head_dim, full_panel(s, max_len));
}

/* Rows of one head lie too far apart for the processor to guess the next. */
static void fetch(const float *x, size_t dim)
{
    for (size_t d = 0; d < dim; d += 16) __builtin_prefetch(x + d);
}

/* The head's keys interleaved by 16 and its values dense, as a cache has them. */
static void lay_out(const struct full_job *j, const float *k, const float *v, int len, float *to_k,
                    float *to_v)
{
    size_t dim = (size_t)j->s->head_dim, dim_v = (size_t)attn_dim_v(j->s->head_dim);
    for (size_t p = 0; p < (size_t)len; p++) fetch(k + p * j->stride, dim);
    attn_chosen()->lay_keys(to_k, k, j->stride, len, j->s->head_dim);
    for (size_t p = 0; p < (size_t)len; p++) {
        if (p + 16 < (size_t)len) fetch(v + (p + 16) * j->stride, dim);
        memcpy(to_v + p * dim_v, v + p * j->stride, dim * sizeof *v);
        memset(to_v + p * dim_v + dim, 0, (dim_v - dim) * sizeof *v);
    }
}

static void do_full(const struct full_job *j, const struct room *room, size_t first, int len, int t)
{
    const struct attn_shape *s = j->s;
    size_t dim = (size_t)s->head_dim, wide = (size_t)s->heads * dim;
    int head = t % s->heads, from = t / s->heads * FULL_ROWS;
    int to = len - from < FULL_ROWS ? len : from + FULL_ROWS, group = s->heads / s->heads_kv;
    size_t kv = first * j->stride + (size_t)(head / group) * dim;
    struct attn_work w = work_in(room, s);
    float *v = room->panel + (size_t)parts_of(len, ATTN_SUB) * ATTN_SUB * dim;
    lay_out(j, j->k + kv, j->v + kv, len, room->panel, v);
    w.kv = (struct attn_kv){ .type = QUANT_F32, .k = room->panel, .v = v };
    for (int i = from; i < to; i++, w.m++) {
        const float *q = j->q + (first + (size_t)i) * j->stride + (size_t)head * dim;
        if (i + 16 < to) fetch(q + 16 * j->stride, dim);
        take_query(s, room->q + (size_t)w.m * dim, q);
        room->lo[w.m] = s->window > 0 && i >= s->window ? i - s->window + 1 : 0;
        room->hi[w.m] = s->window > 0 && len - i > s->window ? i + s->window : len;
    }
    attn_chosen()->attend(&w);
    for (int i = 0; i < w.m; i++)
        memcpy(j->out + (first + (size_t)(from + i)) * wide + (size_t)head * dim,
               room->o + (size_t)i * (size_t)w.dim_v, dim * sizeof(float));
}

static void full_worker(void *ud, int part)
{
    struct full_job *j = ud;
    struct room room = room_at(j->scratch + (size_t)part * j->room, FULL_ROWS, j->s->head_dim,
                               full_panel(j->s, j->max_len));
    size_t first = 0;
    int seq = 0, base = 0, tasks = parts_of(j->len[0], FULL_ROWS) * j->s->heads;
    for (;;) {
        int t = atomic_fetch_add(&j->next, 1);
        while (t >= base + tasks) {
            base += tasks;
            first += (size_t)j->len[seq];
            if (++seq >= j->n_seq) return;
            tasks = parts_of(j->len[seq], FULL_ROWS) * j->s->heads;
        }
        do_full(j, &room, first, j->len[seq], t - base);
    }
}

void attn_full(const struct attn_shape *s, const float *q, const float *k, const float *v,
               int stride, float *out, const int *len, int n_seq, void *scratch)
{
    struct full_job j = { .s = s, .q = q, .k = k, .v = v, .out = out, .len = len, .n_seq = n_seq };
    size_t work = 0;
    if (n_seq <= 0) return;
    j.stride = (size_t)stride;
    j.scratch = scratch;
    for (int i = 0; i < n_seq; i++) {
        if (len[i] > j.max_len) j.max_len = len[i];
        work += (size_t)len[i] * (size_t)len[i] * (size_t)s->heads * (size_t)s->head_dim * 2;
    }
    j.room = room_bytes(FULL_ROWS, s->head_dim, full_panel(s, j.max_len));
    threads_run(work < LEAST ? 1 : threads_count(), full_worker, &j);
}
