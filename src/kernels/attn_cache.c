/* The cache of keys and values: where a number lies and how it gets there.
 *
 * Each key-value head is a region of its own, so that scoring one head reads memory in order:
 *
 *     k       [cap / 16][head_dim][16]          16 positions interleaved: one vector is 16 keys
 *     k scales [cap / 16][head_dim / 32][16]    q8_0 only, f16
 *     v       [cap][dim_v]                      dim_v = head_dim rounded up to 16, zero-filled
 *     v scales [cap][head_dim / 32]             q8_0 only, f16
 *
 * with cap rounded up to 16. Interleaving makes a score a plain multiply-add per vector, with no
 * sum across lanes; storing one position then touches head_dim cache lines of the same 16-position
 * stripe, which the next 15 positions find warm. */
#include "kernels/attn.h"
#include "kernels/attn_impl.h"

#include <math.h>
#include <string.h>

static const struct attn_loops *loops = &attn_loops_generic;

void attn_choose(const char *cpu)
{
    loops = &attn_loops_generic;
#ifdef __x86_64__
    if (!strcmp(cpu, "avx2")) loops = &attn_loops_avx2;
    if (!strcmp(cpu, "avx512")) loops = &attn_loops_avx512;
#endif
}

const struct attn_loops *attn_chosen(void) { return loops; }

static size_t number_bytes(enum quant type)
{
    return type == QUANT_F32 ? 4 : type == QUANT_F16 ? 2 : 1;
}

/* One head's region: offsets of its four parts and its size. */
struct region {
    size_t ks, v, vs, bytes, one;
};

static struct region region_of(const struct attn_shape *s, int cap)
{
    struct region r = { .one = number_bytes(s->type) };
    size_t up = ((size_t)cap + ATTN_SUB - 1) / ATTN_SUB * ATTN_SUB, dim = (size_t)s->head_dim;
    size_t scales = s->type == QUANT_Q8_0 ? up * (dim / ATTN_GROUP) * 2 : 0;
    r.ks = up * dim * r.one;
    r.v = r.ks + scales;
    r.vs = r.v + up * (size_t)attn_dim_v(s->head_dim) * r.one;
    r.bytes = r.vs + scales;
    return r;
}

int attn_dim_v(int head_dim) { return (head_dim + ATTN_SUB - 1) / ATTN_SUB * ATTN_SUB; }

size_t attn_cache_bytes(const struct attn_shape *s, int cap)
{
    return region_of(s, cap).bytes * (size_t)s->heads_kv;
}

struct attn_kv attn_cache_head(const struct attn_shape *s, const void *cache, int cap, int head)
{
    struct region r = region_of(s, cap);
    const char *at = (const char *)cache + r.bytes * (size_t)head;
    return (struct attn_kv){ .type = s->type,
                             .k = at,
                             .v = at + r.v,
                             .ks = (const void *)(at + r.ks),
                             .vs = (const void *)(at + r.vs) };
}

/* One position of one head, ready to be stored. */
struct packed {
    float x[ATTN_MAX_DIM];
    uint16_t h[ATTN_MAX_DIM];
    int8_t q[ATTN_MAX_DIM];
    uint16_t scale[ATTN_MAX_DIM / ATTN_GROUP];
};

/* 32 numbers as d * code. The code is made with d as it is stored, so that what is read back is as
 * near as can be. */
static uint16_t encode_group(const float *x, int8_t *q)
{
    float most = 0;
    for (int i = 0; i < ATTN_GROUP; i++) most = fmaxf(most, fabsf(x[i]));
    uint16_t d = f32_to_f16(fminf(most / 127, 65504));
    float by = f16_to_f32(d) > 0 ? 1 / f16_to_f32(d) : 0;
    for (int i = 0; i < ATTN_GROUP; i++) q[i] = (int8_t)rintf(fmaxf(-127, fminf(127, x[i] * by)));
    return d;
}

static void pack(const struct attn_shape *s, const float *x, struct packed *p)
{
    size_t n = (size_t)s->head_dim;
    if (s->type == QUANT_F32) memcpy(p->x, x, n * sizeof *x);
    else if (s->type == QUANT_F16) loops->to_f16(p->h, x, n);
    else
        for (size_t i = 0; i < n; i += ATTN_GROUP)
            p->scale[i / ATTN_GROUP] = encode_group(x + i, p->q + i);
}

static void put_key(const struct attn_shape *s, const struct packed *p, char *at,
                    const struct region *r, size_t pos)
{
    size_t dim = (size_t)s->head_dim, first = pos / ATTN_SUB * dim * ATTN_SUB + pos % ATTN_SUB;
    for (size_t d = 0, i = first; d < dim; d++, i += ATTN_SUB) {
        if (s->type == QUANT_F32) ((float *)at)[i] = p->x[d];
        else if (s->type == QUANT_F16) ((uint16_t *)at)[i] = p->h[d];
        else ((int8_t *)at)[i] = p->q[d];
    }
    if (s->type != QUANT_Q8_0) return;
    size_t groups = dim / ATTN_GROUP;
    uint16_t *scale = (uint16_t *)(at + r->ks) + pos / ATTN_SUB * groups * ATTN_SUB;
    for (size_t g = 0; g < groups; g++) scale[g * ATTN_SUB + pos % ATTN_SUB] = p->scale[g];
}

static void put_value(const struct attn_shape *s, const struct packed *p, char *at,
                      const struct region *r, size_t pos)
{
    size_t dim = (size_t)s->head_dim, dim_v = (size_t)attn_dim_v(s->head_dim);
    char *to = at + r->v + pos * dim_v * r->one;
    const void *from = s->type == QUANT_F32   ? (const void *)p->x
                       : s->type == QUANT_F16 ? (const void *)p->h
                                              : (const void *)p->q;
    memcpy(to, from, dim * r->one);
    memset(to + dim * r->one, 0, (dim_v - dim) * r->one);
    if (s->type == QUANT_Q8_0)
        memcpy(at + r->vs + pos * (dim / ATTN_GROUP) * 2, p->scale, dim / ATTN_GROUP * 2);
}

void attn_cache_put(const struct attn_shape *s, void *cache, int cap, int pos, int n,
                    const float *k, const float *v, int stride)
{
    struct region r = region_of(s, cap);
    struct packed p;
    for (int h = 0; h < s->heads_kv; h++) {
        char *at = (char *)cache + r.bytes * (size_t)h;
        size_t from = (size_t)h * (size_t)s->head_dim;
        for (int i = 0; i < n; i++, from += (size_t)stride) {
            pack(s, k + from, &p);
            put_key(s, &p, at, &r, (size_t)pos + (size_t)i);
            pack(s, v + from, &p);
            put_value(s, &p, at, &r, (size_t)pos + (size_t)i);
        }
    }
}

static void move_key(const struct attn_shape *s, char *at, const struct region *r, size_t from,
                     size_t to)
{
    size_t dim = (size_t)s->head_dim, groups = dim / ATTN_GROUP;
    size_t a = from / ATTN_SUB * dim * ATTN_SUB + from % ATTN_SUB;
    size_t b = to / ATTN_SUB * dim * ATTN_SUB + to % ATTN_SUB;
    for (size_t d = 0; d < dim; d++, a += ATTN_SUB, b += ATTN_SUB)
        memcpy(at + b * r->one, at + a * r->one, r->one);
    if (s->type != QUANT_Q8_0) return;
    uint16_t *scale = (uint16_t *)(at + r->ks);
    a = from / ATTN_SUB * groups * ATTN_SUB + from % ATTN_SUB;
    b = to / ATTN_SUB * groups * ATTN_SUB + to % ATTN_SUB;
    for (size_t g = 0; g < groups; g++, a += ATTN_SUB, b += ATTN_SUB) scale[b] = scale[a];
}

void attn_cache_move(const struct attn_shape *s, void *cache, int cap, int from, int to, int n)
{
    struct region r = region_of(s, cap);
    size_t row = (size_t)attn_dim_v(s->head_dim) * r.one, scales = 0, count = (size_t)n;
    if (s->type == QUANT_Q8_0) scales = (size_t)(s->head_dim / ATTN_GROUP) * 2;
    for (int h = 0; h < s->heads_kv && n > 0; h++) {
        char *at = (char *)cache + r.bytes * (size_t)h;
        for (size_t i = 0; i < count; i++) move_key(s, at, &r, (size_t)from + i, (size_t)to + i);
        char *v = at + r.v, *vs = at + r.vs;
        memmove(v + (size_t)to * row, v + (size_t)from * row, count * row);
        memmove(vs + (size_t)to * scales, vs + (size_t)from * scales, count * scales);
    }
}

/* Zero the lanes from `used` on in the last stripe of 16: what they held is not the caller's. */
static void clear_lanes(char *stripe, size_t rows, size_t used, size_t one)
{
    for (size_t i = 0; i < rows; i++)
        memset(stripe + (i * ATTN_SUB + used) * one, 0, (ATTN_SUB - used) * one);
}

void attn_cache_copy(const struct attn_shape *s, void *to, int to_cap, const void *from,
                     int from_cap, int n)
{
    struct region a = region_of(s, to_cap), b = region_of(s, from_cap), few = region_of(s, n);
    size_t dim = (size_t)s->head_dim, groups = dim / ATTN_GROUP, used = (size_t)n % ATTN_SUB;
    size_t last = (size_t)n / ATTN_SUB, row = (size_t)attn_dim_v(s->head_dim) * a.one;
    for (int h = 0; h < s->heads_kv && n > 0; h++) {
        char *x = (char *)to + a.bytes * (size_t)h;
        const char *y = (const char *)from + b.bytes * (size_t)h;
        memcpy(x, y, few.ks);
        memcpy(x + a.ks, y + b.ks, few.v - few.ks);
        memcpy(x + a.v, y + b.v, few.vs - few.v);
        memcpy(x + a.vs, y + b.vs, few.bytes - few.vs);
        if (used == 0) continue;
        clear_lanes(x + last * dim * ATTN_SUB * a.one, dim, used, a.one);
        memset(x + a.v + (size_t)n * row, 0, (ATTN_SUB - used) * row);
        if (s->type != QUANT_Q8_0) continue;
        clear_lanes(x + a.ks + last * groups * ATTN_SUB * 2, groups, used, 2);
        memset(x + a.vs + (size_t)n * groups * 2, 0, (ATTN_SUB - used) * groups * 2);
    }
}
