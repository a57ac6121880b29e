/* The float side: products with f16 and f32 weights, attention over a cache and over whole
 * sequences, and the loops between. Limits are those of the same run: multiply-adds on registers
 * for what computes, memory read for what streams. Shapes are those of Llama 3.2 1B (32 heads of 64
 * over 8) and of MiniLM-6 (12 heads of 32). */
#include "bench.h"

#include "base/threads.h"
#include "index/grow.h"
#include "kernels/attn.h"
#include "kernels/mat.h"
#include "kernels/nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 16, CONTEXT = 8192, TOKENS = 512 };

static uint32_t seed = 1;
static float rnd_f(void)
{
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return (float)(int32_t)seed / 2147483648.0f;
}

static void *room(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

static float *randoms(size_t n)
{
    float *x = room(n * sizeof *x);
    for (size_t i = 0; x && i < n; i++) x[i] = rnd_f();
    return x;
}

/* --- products --- */

struct product {
    struct mat m;
    struct acts a;
    float *x, *y;
};

static void product_run(void *ud)
{
    struct product *p = ud;
    mat_mul(&p->m, &p->a, p->y, p->m.rows);
}

static void product_clear(struct product *p)
{
    mat_clear(&p->m);
    acts_clear(&p->a);
    free(p->x);
    free(p->y);
}

static int product_make(struct product *p, enum quant type, int rows, int cols, int n,
                        struct err *err)
{
    size_t row = quant_row_bytes(type, (size_t)cols);
    char *w = malloc(row * (size_t)rows);
    float *x = randoms((size_t)cols);
    *p = (struct product){ 0 };
    int rc = w && x ? 0 : err_nomem(err);
    for (int r = 0; !rc && r < rows; r++) {
        if (r < 64) {
            for (int c = 0; c < cols; c++) x[c] = rnd_f();
            quant_encode(type, x, (size_t)cols, w + (size_t)r * row);
        } else memcpy(w + (size_t)r * row, w + (size_t)(r % 64) * row, row);
    }
    if (!rc) rc = mat_init(&p->m, type, rows, cols, w, err);
    if (!rc) rc = mat_pack(&p->m, err);
    if (!rc) rc = acts_init(&p->a, n, cols, err);
    p->x = randoms((size_t)n * (size_t)cols);
    p->y = room((size_t)n * (size_t)rows * sizeof(float));
    if (!rc && (!p->x || !p->y)) rc = err_nomem(err);
    if (!rc) memset(p->y, 0, (size_t)n * (size_t)rows * sizeof(float));
    if (!rc) acts_set(&p->a, p->x, n, cols);
    free(w);
    free(x);
    return rc;
}

static int bench_product(struct bench *b, enum quant type, int rows, int cols, int n,
                         struct err *err)
{
    struct product p;
    char name[64];
    int rc = product_make(&p, type, rows, cols, n, err);
    if (!rc) {
        double took = bench_time(product_run, &p, 3, 0.4, NULL);
        double flop = 2.0 * rows * cols * n, bytes = (double)p.m.packed_bytes;
        snprintf(name, sizeof name, "matf_%s_%dx%d_%d", quant_name(type), rows, cols, n);
        if (n > 1)
            bench_report(b, name, flop / took / 1e9, "GFLOP", bench_fp32_rate(b->threads),
                         BENCH_NONE, "%.2f ms", took * 1e3);
        else
            bench_report(b, name, bytes / took / 1e9, "GB/s",
                         bench_read_rate((size_t)bytes, b->threads) / 1e9, BENCH_NONE, "%.2f ms",
                         took * 1e3);
    }
    product_clear(&p);
    return rc;
}

int bench_float_products(struct bench *b, struct err *err)
{
    static const enum quant types[] = { QUANT_F16, QUANT_F32, QUANT_BF16 };
    int rc = 0;
    for (int i = 0; i < 3 && !rc; i++) {
        rc = bench_product(b, types[i], 2048, 2048, TOKENS, err);
        if (!rc) rc = bench_product(b, types[i], 8192, 2048, TOKENS, err);
        if (!rc) rc = bench_product(b, types[i], 2048, 8192, TOKENS, err);
        if (!rc) rc = bench_product(b, types[i], 1536, 384, TOKENS, err);
        if (!rc) rc = bench_product(b, types[i], 65536, 2048, 1, err);
        if (!rc) rc = bench_product(b, types[i], 65536, 2048, 8, err);
    }
    return rc;
}

/* --- attention --- */

struct attending {
    struct attn_shape s;
    struct attn_row rows[TOKENS];
    int n, layer;
    char *cache;
    struct grow pages; /* of the cache: huge ones, as models are kept */
    size_t cache_bytes;
    float *q, *k, *out;
    void *scratch;
    int len[16], n_seq;
};

static void rows_run(void *ud)
{
    struct attending *a = ud;
    a->layer = (a->layer + 1) % LAYERS; /* another layer's cache each time, as a model does */
    for (int i = 0; i < a->n; i++) a->rows[i].cache = a->cache + (size_t)a->layer * a->cache_bytes;
    attn_rows(&a->s, a->rows, a->n, a->scratch);
}

static void attending_clear(struct attending *a)
{
    grow_free(&a->pages);
    free(a->q);
    free(a->k);
    free(a->out);
    free(a->scratch);
}

/* The last n of `context` positions, over caches of LAYERS layers. */
static int attending_make(struct attending *a, int n, int context, struct err *err)
{
    size_t wide = (size_t)(a->s.heads * a->s.head_dim),
           kv = (size_t)(a->s.heads_kv * a->s.head_dim);
    a->n = n;
    a->cache_bytes = (attn_cache_bytes(&a->s, context) + 63) / 64 * 64;
    if (grow_to(&a->pages, a->cache_bytes * LAYERS, err)) return ERR_NOMEM;
    a->cache = a->pages.p;
    a->q = randoms((size_t)n * wide);
    a->k = randoms((size_t)context * kv);
    a->out = room((size_t)n * wide * sizeof(float));
    a->scratch = room(attn_scratch_bytes(&a->s, context, threads_count()));
    if (!a->cache || !a->q || !a->k || !a->out || !a->scratch) return err_nomem(err);
    for (size_t i = 0; i < LAYERS; i++)
        attn_cache_put(&a->s, a->cache + i * a->cache_bytes, context, 0, context, a->k, a->k,
                       (int)kv);
    for (int i = 0; i < n; i++)
        a->rows[i] = (struct attn_row){ a->q + (size_t)i * wide, a->out + (size_t)i * wide, NULL,
                                        context, context - n + i };
    return 0;
}

static int bench_rows(struct bench *b, const char *name, enum quant type, int heads_kv, int dim,
                      int n, int context, struct err *err)
{
    struct attending a = { .s = { heads_kv * 4, heads_kv, dim, 0.125f, 0, 0, type } };
    int rc = attending_make(&a, n, context, err);
    if (!rc) {
        double took = bench_time(rows_run, &a, 3, 0.4, NULL);
        double pairs = (double)n * (context - n) + (double)n * (n + 1) / 2;
        if (n == 1)
            bench_report(b, name, (double)a.cache_bytes / took / 1e9, "GB/s",
                         bench_read_rate(a.cache_bytes * LAYERS, b->threads) / 1e9, BENCH_NONE,
                         "%.2f ms a layer", took * 1e3);
        else
            bench_report(b, name, 4 * pairs * a.s.heads * dim / took / 1e9, "GFLOP",
                         bench_fp32_rate(b->threads), BENCH_NONE, "%.2f ms a layer", took * 1e3);
    }
    attending_clear(&a);
    return rc;
}

static void full_run(void *ud)
{
    struct attending *a = ud;
    int wide = a->s.heads * a->s.head_dim;
    attn_full(&a->s, a->q, a->q + wide, a->q + 2 * wide, 3 * wide, a->out, a->len, a->n_seq,
              a->scratch);
}

static int bench_full(struct bench *b, const char *name, int len, int n_seq, struct err *err)
{
    struct attending a = { .s = { 12, 12, 32, 0.17677f, 0, 0, QUANT_F32 }, .n_seq = n_seq };
    size_t wide = 12 * 32, n = (size_t)(len * n_seq);
    a.q = randoms(n * 3 * wide);
    a.out = room(n * wide * sizeof(float));
    a.scratch = room(attn_full_scratch_bytes(&a.s, len, threads_count()));
    int rc = a.q && a.out && a.scratch ? 0 : err_nomem(err);
    for (int i = 0; i < n_seq; i++) a.len[i] = len;
    if (!rc) {
        double took = bench_time(full_run, &a, 3, 0.3, NULL);
        bench_report(b, name, 4.0 * len * len * n_seq * (double)wide / took / 1e9, "GFLOP",
                     bench_fp32_rate(b->threads), BENCH_NONE, "%.3f ms a layer and sequence",
                     took * 1e3 / n_seq);
    }
    attending_clear(&a);
    return rc;
}

int bench_attention(struct bench *b, struct err *err)
{
    int rc = bench_rows(b, "attn_decode_8k_f16", QUANT_F16, 8, 64, 1, CONTEXT, err);
    if (!rc) rc = bench_rows(b, "attn_decode_8k_q8_0", QUANT_Q8_0, 8, 64, 1, CONTEXT, err);
    if (!rc) rc = bench_rows(b, "attn_decode_8k_f16_d128", QUANT_F16, 8, 128, 1, CONTEXT, err);
    if (!rc) rc = bench_rows(b, "attn_decode_8k_mqa", QUANT_F16, 1, 256, 1, CONTEXT, err);
    if (!rc) rc = bench_rows(b, "attn_prefill_512_f16", QUANT_F16, 8, 64, TOKENS, TOKENS, err);
    if (!rc) rc = bench_rows(b, "attn_prefill_512_q8_0", QUANT_Q8_0, 8, 64, TOKENS, TOKENS, err);
    if (!rc)
        rc = bench_rows(b, "attn_prefill_last_512_of_8k", QUANT_F16, 8, 64, TOKENS, CONTEXT, err);
    if (!rc) rc = bench_full(b, "attn_full_minilm_128", 128, 1, err);
    if (!rc) rc = bench_full(b, "attn_full_minilm_128x16", 128, 16, err);
    if (!rc) rc = bench_full(b, "attn_full_minilm_512", 512, 1, err);
    return rc;
}

/* --- loops --- */

struct loop {
    const char *name;
    void (*fn)(void *ud);
    int passes; /* times each number is read or written */
};

static float *loop_x, *loop_y;
enum { LOOP_ROWS = 512, LOOP_DIM = 2048 };

static void run_silu(void *ud) { nn_silu_mul(loop_x, loop_y, (size_t)LOOP_ROWS * LOOP_DIM); }
static void run_gelu_mul(void *ud) { nn_gelu_mul(loop_x, loop_y, (size_t)LOOP_ROWS * LOOP_DIM); }
static void run_gelu(void *ud) { nn_gelu(loop_x, (size_t)LOOP_ROWS * LOOP_DIM); }
static void run_rms(void *ud) { nn_rmsnorm(loop_x, loop_y, loop_y, LOOP_ROWS, LOOP_DIM, 1e-5f); }
static void run_layer(void *ud)
{
    nn_layernorm(loop_x, loop_y, loop_y, loop_y, LOOP_ROWS, LOOP_DIM, 1e-5f);
}
static void run_softmax(void *ud) { nn_softmax(loop_x, 128256); }

int bench_loops(struct bench *b, struct err *err)
{
    static const struct loop loops[] = {
        { "nn_silu_mul", run_silu, 3 },   { "nn_gelu_mul", run_gelu_mul, 3 },
        { "nn_gelu", run_gelu, 2 },       { "nn_rmsnorm", run_rms, 2 },
        { "nn_layernorm", run_layer, 2 },
    };
    size_t n = (size_t)LOOP_ROWS * LOOP_DIM;
    loop_x = randoms(n);
    loop_y = randoms(n);
    int rc = loop_x && loop_y ? 0 : err_nomem(err);
    double rate = rc ? 0 : bench_read_rate(n * 4 * 2, b->threads) / 4e9;
    for (size_t i = 0; i < sizeof loops / sizeof *loops && !rc; i++) {
        double took = bench_time(loops[i].fn, NULL, 3, 0.1, NULL);
        bench_report(b, loops[i].name, (double)n / took / 1e9, "G/s", rate / loops[i].passes,
                     BENCH_NONE, "numbers; limit: memory passes");
    }
    if (!rc) {
        double took = bench_time(run_softmax, NULL, 3, 0.1, NULL);
        bench_report(b, "nn_softmax_128256", took * 1e6, "us", BENCH_NONE, BENCH_NONE, "%s", "");
    }
    free(loop_x);
    free(loop_y);
    return rc;
}
