/* Who multiplies what: the life of a matrix, the int8 form of activations, and how a product is cut
 * into parts for the threads. The arithmetic is in mat_generic.c and its faster kin, the packed
 * layout in mat_block.c.
 *
 * A part is a run of whole groups of 16 rows with all their columns, so that no sum is ever split
 * between threads and a part's weights are read once and in order. With few rows of activations a
 * part is some tens of kilobytes: small enough that a thread which lost its core holds up little,
 * large enough that taking it costs nothing; and each thread takes its parts in order from a slice
 * of its own as long as that lasts, since memory is read fastest on and on. With many, a part's
 * weights are what the second-level cache holds, for they are read again for each tile of
 * activations. */
#include "kernels/mat_impl.h"
#include "kernels/matf.h"

#include "base/threads.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct mat_ops mat_ops;

void mat_choose(const char *cpu)
{
    mat_ops_generic(&mat_ops);
    matf_fill_generic(&mat_ops);
#ifdef __x86_64__
    if (!strcmp(cpu, "avx2")) {
        mat_fill_avx2(&mat_ops);
        matf_fill_avx2(&mat_ops);
    }
    if (!strcmp(cpu, "avx512")) {
        mat_fill_avx512(&mat_ops);
        matf_fill_avx512(&mat_ops);
    }
#endif
}

static const struct mat_kind *kind_of(enum quant type)
{
    if (!mat_ops.quantise) mat_choose("generic");
    switch (type) {
    case QUANT_F32: return &mat_ops.f32;
    case QUANT_F16: return &mat_ops.f16;
    case QUANT_BF16: return &mat_ops.bf16;
    case QUANT_Q8_0: return &mat_ops.q8_0;
    case QUANT_Q4_0: return &mat_ops.q4_0;
    case QUANT_Q4_K: return &mat_ops.q4_k;
    case QUANT_Q5_K: return &mat_ops.q5_k;
    default: return &mat_ops.q6_k;
    }
}

int mat_init(struct mat *m, enum quant type, int rows, int cols, const void *data, struct err *err)
{
    *m = (struct mat){ 0 };
    if (!quant_known((uint32_t)type))
        return err_set(err, ERR_INVAL, "no matrix of number format %d", (int)type);
    if (rows < 1 || cols < 1 || cols % quant_block(type))
        return err_set(err, ERR_INVAL, "a matrix of %s cannot have %d rows of %d columns",
                       quant_name(type), rows, cols);
    *m = (struct mat){ .type = type, .rows = rows, .cols = cols, .data = data };
    return 0;
}

/* --- memory --- */

/* Packed matrices lie one after the other in large regions on huge pages: a product that reads tens
 * of gigabytes a second would otherwise wait for the page tables. A region goes when the last
 * matrix in it is cleared. */
enum { REGION = 64 << 20, HUGE_PAGE = 2 << 20 };

struct region {
    struct region *next;
    char *p;
    size_t bytes, used;
    int mats;
};
static struct region *regions;
static pthread_mutex_t regions_lock = PTHREAD_MUTEX_INITIALIZER;

static struct region *region_new(size_t bytes)
{
    struct region *g = calloc(1, sizeof *g);
    size_t all = bytes > REGION ? bytes : REGION;
    if (!g || __builtin_add_overflow(all, HUGE_PAGE, &all)) goto fail;
    all = all / HUGE_PAGE * HUGE_PAGE;
    g->p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->p == MAP_FAILED) goto fail;
    (void)madvise(g->p, all, MADV_HUGEPAGE); /* a wish; without it all is slower, not wrong */
    g->bytes = all;
    g->next = regions;
    regions = g;
    return g;
fail:
    free(g);
    return NULL;
}

/* 64-byte aligned and zeroed; NULL when there is no memory. */
static void *region_take(size_t bytes)
{
    void *p = NULL;
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + 63) / 64 * 64;
    pthread_mutex_lock(&regions_lock);
    struct region *g = regions;
    if (!g || g->bytes - g->used < bytes) g = region_new(bytes);
    if (g) {
        p = g->p + g->used;
        g->used += bytes;
        g->mats++;
    }
    pthread_mutex_unlock(&regions_lock);
    return p;
}

static void region_give(const char *p)
{
    pthread_mutex_lock(&regions_lock);
    for (struct region **at = &regions; *at; at = &(*at)->next) {
        struct region *g = *at;
        if (p < g->p || p >= g->p + g->bytes) continue;
        if (--g->mats == 0) {
            *at = g->next;
            munmap(g->p, g->bytes);
            free(g);
        }
        break;
    }
    pthread_mutex_unlock(&regions_lock);
}

/* --- packing --- */

struct pack_job {
    const struct mat *m;
    const struct mat_kind *kind;
    void *to;
    int rows_part;
};

static void pack_part(void *ud, int part)
{
    const struct pack_job *j = ud;
    int from = part * j->rows_part, to = from + j->rows_part;
    j->kind->pack(j->m, j->to, from, to < j->m->rows ? to : j->m->rows);
}

int mat_pack(struct mat *m, struct err *err)
{
    const struct mat_kind *k = kind_of(m->type);
    if (m->layout != MAT_PLAIN || !k->packed_bytes) return 0;
    size_t bytes = k->packed_bytes(m);
    struct pack_job j = { m, k, bytes ? region_take(bytes) : NULL, 64 };
    if (!j.to) return err_nomem(err);
    threads_run((m->rows - 1) / j.rows_part + 1, pack_part, &j);
    m->packed = j.to;
    m->packed_bytes = bytes;
    m->layout = MAT_PACKED;
    return 0;
}

bool mat_packed(const struct mat *m) { return m->layout != MAT_PLAIN; }

void mat_row(const struct mat *m, int r, float *x) { kind_of(m->type)->row(m, r, x); }

void mat_clear(struct mat *m)
{
    if (m->packed) region_give(m->packed);
    *m = (struct mat){ 0 };
}

/* --- activations --- */

/* The planes of q in order; each 64-byte aligned. */
static size_t acts_plan(int max_n, int max_cols, size_t at[6])
{
    size_t nums = (size_t)max_n * (size_t)max_cols, blocks = nums / 32;
    const size_t bytes[6] = { nums, 4 * blocks, 4 * blocks, 4 * blocks, 4 * blocks, 8 * blocks };
    size_t all = 0;
    for (int i = 0; i < 6; i++) {
        at[i] = all;
        all += (bytes[i] + 127) / 64 * 64;
    }
    return all;
}

struct acts_view acts_view(const struct acts *a)
{
    size_t at[6];
    char *q = a->q;
    acts_plan(a->max_n, a->max_cols, at);
    return (struct acts_view){ .q = (void *)q,
                               .d = (void *)(q + at[1]),
                               .ds = (void *)(q + at[2]),
                               .b8 = (void *)(q + at[3]),
                               .b128 = (void *)(q + at[4]),
                               .b32 = (void *)(q + at[5]) };
}

int acts_init(struct acts *a, int max_n, int max_cols, struct err *err)
{
    *a = (struct acts){ 0 };
    if (max_n < 1 || max_cols < 1)
        return err_set(err, ERR_INVAL, "no room for %d rows of %d", max_n, max_cols);
    size_t at[6], n = acts_plan(max_n, (max_cols + 31) / 32 * 32, at);
    /* Tiles are at most a third larger than what they hold, and the last may be almost empty. */
    size_t tiles = ((size_t)max_n / 3 * 4 + 32) * (size_t)((max_cols + 15) / 16) * 64;
    *a = (struct acts){ .max_n = max_n, .max_cols = (max_cols + 31) / 32 * 32 };
    a->q = aligned_alloc(64, n);
    a->f = aligned_alloc(64, tiles); /* memory only once it is written to */
    if (!a->q || !a->f) {
        acts_clear(a);
        return err_nomem(err);
    }
    memset(a->q, 0, n);
    return 0;
}

void acts_set(struct acts *a, const float *x, int n, int cols)
{
    a->x = x;
    a->n = n;
    a->cols = cols;
    a->q_ready = a->f_ready = false;
    a->f_n = n;
    a->f_first = 0;
    a->make = NULL;
}

void acts_make(struct acts *a, float *x, int n, int cols, acts_fn *make, void *ud)
{
    acts_set(a, x, n, cols);
    a->make = make;
    a->ud = ud;
}

void acts_clear(struct acts *a)
{
    free(a->q);
    free(a->f);
    *a = (struct acts){ 0 };
}

static void make_part(void *ud, int part)
{
    const struct acts *a = ud;
    int t0 = part * mat_ops.tile, left = a->n - t0;
    if (a->make) a->make(a->ud, t0, left < mat_ops.tile ? left : mat_ops.tile);
}

static void quantise_part(void *ud, int part)
{
    const struct acts *a = ud;
    int t0 = part * mat_ops.tile, left = a->n - t0;
    make_part(ud, part);
    mat_ops.quantise(a, t0, left < mat_ops.tile ? left : mat_ops.tile);
}

static void lay_tile_part(void *ud, int part)
{
    const struct acts *a = ud;
    int t = part * mat_ops.tile_f, left = a->n - t;
    mat_ops.lay_tile(a, t, left < mat_ops.tile_f ? left : mat_ops.tile_f);
}

static void make_ready(const struct mat *m, const struct mat_kind *k, struct acts *a)
{
    int parts = (a->n - 1) / mat_ops.tile + 1;
    if (k->integer && !a->q_ready) {
        threads_run(parts, quantise_part, a);
        a->q_ready = true;
    } else if (a->make) {
        /* Tiles of floats look past their last row, so all have to be there. */
        threads_run(parts, make_part, a);
    }
    a->make = NULL;
    if (!k->integer && !a->f_ready && (a->n > mat_ops.few_f || !m->packed)) {
        threads_run((a->n - 1) / mat_ops.tile_f + 1, lay_tile_part, a);
        a->f_ready = true;
    }
}

/* --- products --- */

enum {
    MOST_MATS = 4,
    MOST_SLICES = 16,
    PART_BYTES = 48 << 10,
    CACHE_BYTES = 256 << 10,
    FEW = 24 /* rows of activations */
};

struct mul_job {
    const struct mat *const *ms;
    const struct mat_kind *kinds[MOST_MATS];
    int rows_part[MOST_MATS], first[MOST_MATS + 1]; /* parts of mat i: first[i] .. first[i + 1] */
    int tokens_part[MOST_MATS], cuts[MOST_MATS];    /* of a->n, and how many such */
    const struct acts *a;
    float *const *ys;
    const int *strides;
    bool add;
    int slices; /* the parts in as many runs as there are threads */
    struct {
        alignas(64) atomic_int next;
        int end;
    } slice[MOST_SLICES];
};

static void mul_part(void *ud, int part)
{
    const struct mul_job *j = ud;
    int i = 0;
    while (part >= j->first[i + 1]) i++;
    const struct mat *m = j->ms[i];
    part -= j->first[i];
    int from = part / j->cuts[i] * j->rows_part[i], to = from + j->rows_part[i];
    int t = part % j->cuts[i] * j->tokens_part[i], left = j->a->n - t;
    struct acts some = *j->a; /* only floats are cut */
    some.x += (size_t)t * (size_t)some.cols;
    some.f_first = t;
    some.n = left < j->tokens_part[i] ? left : j->tokens_part[i];
    float *y = j->ys[i] + (size_t)t * (size_t)j->strides[i];
    j->kinds[i]->mul(m, &some, from, to < m->rows ? to : m->rows, y, j->strides[i], j->add);
}

/* One's own slice in order, then what others have not come to yet. */
static void mul_slice(void *ud, int own)
{
    struct mul_job *j = ud;
    for (int k = 0; k < j->slices; k++) {
        int i = (own + k) % j->slices, part;
        while ((part = atomic_fetch_add_explicit(&j->slice[i].next, 1, memory_order_relaxed)) <
               j->slice[i].end)
            mul_part(j, part);
    }
}

/* Rows of m that make one part. */
static int rows_a_part(const struct mat *m, int n)
{
    size_t group = MAT_GROUP * quant_row_bytes(m->type, (size_t)m->cols);
    size_t groups = (n <= FEW ? PART_BYTES : CACHE_BYTES) / group;
    size_t most = (size_t)m->rows / MAT_GROUP / (size_t)(n <= FEW ? 8 : 16) + 1;
    groups = groups < most ? groups : most;
    return (int)(groups ? groups : 1) * MAT_GROUP;
}

static void mul_all(const struct mat *const *ms, int n_mats, struct acts *a, float *const *ys,
                    const int *strides, bool add)
{
    struct mul_job j = { .ms = ms, .a = a, .ys = ys, .strides = strides, .add = add };
    for (int i = 0; i < n_mats; i++) {
        j.kinds[i] = kind_of(ms[i]->type);
        make_ready(ms[i], j.kinds[i], a);
        j.rows_part[i] = rows_a_part(ms[i], a->n);
        j.tokens_part[i] = a->n;
        if (!j.kinds[i]->integer) matf_cut(ms[i], a->n, &j.rows_part[i], &j.tokens_part[i]);
        if (j.tokens_part[i] > 0) j.cuts[i] = (a->n - 1) / j.tokens_part[i] + 1;
        int parts = ((ms[i]->rows - 1) / j.rows_part[i] + 1) * j.cuts[i];
        j.first[i + 1] = j.first[i] + parts;
    }
    int parts = j.first[n_mats], threads = threads_count();
    j.slices = threads < MOST_SLICES ? threads : MOST_SLICES;
    if (a->n > FEW || parts < 2 * j.slices) {
        threads_run(parts, mul_part, &j);
        return;
    }
    for (int i = 0; i < j.slices; i++) {
        atomic_init(&j.slice[i].next, parts * i / j.slices);
        j.slice[i].end = parts * (i + 1) / j.slices;
    }
    threads_run(j.slices, mul_slice, &j);
}

void mat_mul(const struct mat *m, struct acts *a, float *y, int stride)
{
    mul_all(&m, 1, a, &y, &stride, false);
}

void mat_mul_many(const struct mat *const *ms, int n_mats, struct acts *a, float *const *ys,
                  const int *strides)
{
    mul_all(ms, n_mats, a, ys, strides, false);
}

void mat_mul_add(const struct mat *m, struct acts *a, float *y, int stride)
{
    mul_all(&m, 1, a, &y, &stride, true);
}
