/* What a decoder takes of memory, counted before it is taken.
 *
 * Weights are the bulk: their bytes in the file, which re-laying keeps about the same, but for
 * formats that are only read and become Q8_0. Then come
 * the keys and values of each timeline, the room of one slice of rows (activations of all widths,
 * once, whatever the number of layers), and the rotations up to the longest timeline. Linux grants
 * more than it has and kills later, so what is free is asked of /proc/meminfo, where pages of
 * files count as free, and of the control group that a container or a service runs in. */
#include "base/str.h"
#include "base/threads.h"
#include "kernels/nn.h"
#include "model/decoder_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERHEAD ((size_t)16 << 20) /* the tokenizer, allocator slack */

size_t decoder_weight_bytes(const struct gguf *g)
{
    size_t sum = 0;
    bool tied = !gguf_tensor(g, "output.weight");
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        size_t bytes = quant_only_read(t->type) ? quant_row_bytes(QUANT_Q8_0, t->n) : t->bytes;
        if (tied || !span_eq(t->name, "token_embd.weight") || quant_only_read(t->type))
            sum += bytes; /* else it is looked up in the file */
    }
    return sum;
}

size_t decoder_token_bytes(const struct hparams *h, enum quant kv)
{
    size_t n = 2 * (size_t)h->heads_kv * (size_t)h->head_dim;
    size_t bytes = n * sizeof(float);
    if (kv == QUANT_F16) bytes = n * 2;
    if (kv == QUANT_Q8_0) bytes = n / 32 * sizeof(struct quant_q8_0);
    return bytes * (size_t)h->layers;
}

static int window_layers(const struct hparams *h)
{
    int n = 0;
    for (int l = 0; l < h->layers; l++) n += arch_window(h, l) > 0;
    return n;
}

/* Positions that layers with a window have room for: the window, what a slice brings, and as many
 * again, so that they seldom move and guesses can be taken back (timeline.c). */
int decoder_window_slots(const struct hparams *h, int batch, int cap)
{
    int64_t spare = batch > DECODER_BATCH ? batch : DECODER_BATCH;
    int64_t most = h->window + 2 * spare + ATTN_STEP;
    return h->window > 0 && most < cap ? (int)most : cap;
}

static size_t cache_bytes(const struct hparams *h, int batch, int ctx, enum quant kv)
{
    size_t token = decoder_token_bytes(h, kv) / (size_t)h->layers, n = (size_t)window_layers(h);
    size_t slots = (size_t)decoder_window_slots(h, batch, ctx);
    return token * (((size_t)h->layers - n) * (size_t)ctx + n * slots);
}

int decoder_check_cache(const struct hparams *h, enum quant kv, struct err *err)
{
    if (kv != QUANT_F16 && kv != QUANT_Q8_0 && kv != QUANT_F32)
        return err_set(err, ERR_INVAL, "a cache is of type f16, q8_0 or f32");
    if (kv == QUANT_Q8_0 && h->head_dim % 32)
        return err_set(err, ERR_INVAL, "heads of %d numbers do not fit a cache of type q8_0",
                       h->head_dim);
    return 0;
}

size_t decoder_cache_bytes(const struct decoder *d, int ctx, enum quant kv)
{
    return cache_bytes(&d->h, d->batch, ctx, kv);
}

/* Floats of one row of a slice: x and y, and where q, z, k and v, or gate and up, are. */
static size_t slice_floats(const struct hparams *h)
{
    size_t q = (size_t)h->heads * (size_t)h->head_dim,
           kv = (size_t)h->heads_kv * (size_t)h->head_dim;
    size_t attn = 2 * q + 2 * kv, ff = 2 * (size_t)h->ff;
    return 2 * (size_t)h->dim + (attn > ff ? attn : ff);
}

static int widest(const struct hparams *h)
{
    int q = h->heads * h->head_dim, w = h->dim > h->ff ? h->dim : h->ff;
    return q > w ? q : w;
}

/* The activations' int8 form takes two bytes a number at most. */
static size_t slice_bytes(const struct hparams *h, int batch)
{
    return (size_t)batch * (slice_floats(h) * sizeof(float) + 2 * (size_t)widest(h) +
                            sizeof(struct attn_row) + sizeof(int));
}

static size_t rope_bytes(const struct hparams *h, int cap)
{
    return (size_t)cap * (size_t)h->n_rot * sizeof(float);
}

int decoder_plan(const struct gguf *g, int ctx, enum quant kv, struct decoder_need *out,
                 struct err *err)
{
    struct hparams h;
    int rc = arch_read(g, &h, err);
    *out = (struct decoder_need){ 0 };
    if (!rc) rc = decoder_check_cache(&h, kv, err);
    if (rc) return rc;
    out->ctx = ctx < 1 || ctx > h.context ? h.context : ctx;
    out->weights = decoder_weight_bytes(g);
    out->cache = cache_bytes(&h, DECODER_BATCH, out->ctx, kv);
    out->rest = slice_bytes(&h, DECODER_BATCH) + OVERHEAD + 2 * rope_bytes(&h, out->ctx) +
                (size_t)out->ctx * sizeof(int32_t);
    out->all = out->weights + out->cache + out->rest;
    return 0;
}

int decoder_must_fit(const struct decoder *d, const struct decoder_opts *o, struct err *err)
{
    size_t need = d->facts.weight_bytes + slice_bytes(&d->h, d->batch) + OVERHEAD;
    size_t have = o->memory ? o->memory : decoder_memory_free();
    if (need <= have) return 0;
    return err_set(err, ERR_LIMIT,
                   "%s needs %.1f GB of memory, and there are %.1f GB for it: take a smaller model "
                   "or a smaller quantisation of it, or close other programs",
                   gguf_path(d->g), (double)need / 1e9, (double)have / 1e9);
}

int decoder_make_slice(struct decoder *d, struct err *err)
{
    const struct hparams *h = &d->h;
    size_t n = (size_t)d->batch, dim = n * (size_t)h->dim, ff = n * (size_t)h->ff,
           q = n * (size_t)h->heads * (size_t)h->head_dim,
           kv = n * (size_t)h->heads_kv * (size_t)h->head_dim;
    d->block = aligned_alloc(64, (n * slice_floats(h) * sizeof(float) + 63) / 64 * 64);
    d->pos = calloc(n, sizeof *d->pos);
    d->rows = calloc(n, sizeof *d->rows);
    if (!d->block || !d->pos || !d->rows) return err_nomem(err);
    d->x = d->block;
    d->y = d->x + dim;
    d->q = d->gate = d->y + dim;
    d->z = d->q + q;
    d->k = d->z + q;
    d->v = d->k + kv;
    d->up = d->gate + ff;
    return acts_init(&d->acts, d->batch, widest(h), err);
}

/* The rotations of positions below cap, of layers with a window or of the others. */
static int grow_rope(struct decoder *d, float **table, int cap, bool window)
{
    const struct hparams *h = &d->h;
    float *t = malloc(rope_bytes(h, cap));
    if (!t) return ERR_NOMEM;
    bool own_base = h->arch->base_window > 0; /* then factors are of the other layers only */
    nn_rope_table(t, cap, h->n_rot, window ? h->rope_base_window : h->rope_base,
                  window ? h->rope_scale_window : h->rope_scale,
                  window && own_base ? NULL : d->rope_divisor);
    free(*table);
    *table = t;
    return 0;
}

int decoder_room(struct decoder *d, int cap, struct err *err)
{
    int threads = threads_count();
    bool longer = cap > d->rope_n;
    if (!longer && threads <= d->scratch_threads) return 0;
    if (!longer) cap = d->rope_n;
    size_t most = 0;
    for (int l = 0; l < d->h.layers; l++)
        for (int i = 0; i < 3; i++) {
            const enum quant kinds[] = { QUANT_F32, QUANT_F16, QUANT_Q8_0 };
            struct attn_shape s = decoder_attn_shape(d, l, kinds[i]);
            size_t bytes = attn_scratch_bytes(&s, cap, threads);
            if (bytes > most) most = bytes;
        }
    void *scratch = aligned_alloc(64, (most + 64) / 64 * 64);
    if (!scratch) return err_nomem(err);
    free(d->scratch);
    d->scratch = scratch;
    d->scratch_threads = threads;
    if (!longer) return 0;
    if (grow_rope(d, &d->rope, cap, false) ||
        (d->h.window_every > 1 && grow_rope(d, &d->rope_window, cap, true)))
        return err_nomem(err);
    d->rope_n = cap;
    return 0;
}

/* A number after `key` in a small file of the system; SIZE_MAX when it is not there. */
static size_t number_in(const char *path, const char *key)
{
    char line[256], *end;
    size_t n = strlen(key), found = SIZE_MAX;
    FILE *f = fopen(path, "re");
    while (f && found == SIZE_MAX && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n)) continue;
        unsigned long long v = strtoull(line + n, &end, 10);
        if (end != line + n) found = (size_t)v;
    }
    if (f) fclose(f);
    return found;
}

size_t decoder_memory_free(void)
{
    size_t kib = number_in("/proc/meminfo", "MemAvailable:");
    size_t have = kib == SIZE_MAX ? SIZE_MAX : kib * 1024;
    size_t most = number_in("/sys/fs/cgroup/memory.max", ""),
           used = number_in("/sys/fs/cgroup/memory.current", ""),
           files = number_in("/sys/fs/cgroup/memory.stat", "file ");
    if (most != SIZE_MAX && used != SIZE_MAX) {
        if (files != SIZE_MAX && files < used) used -= files;
        size_t left = most > used ? most - used : 0;
        if (left < have) have = left;
    }
    return have;
}
