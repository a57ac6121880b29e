/* Timelines: one sequence of tokens with its keys and values in every layer.
 *
 * The memory of a timeline is one anonymous mapping, so that a long context costs what is used of
 * it: pages come with the first position written into them. Cutting only forgets; positions after
 * the end are never read.
 *
 * A layer with a window never looks further back than that, so it has room for its window and some
 * more (decoder_window_slots), and when that is full the last of it moves to the front. The first
 * position kept, `base`, is a multiple of ATTN_STEP, so that moving changes no bit of an answer.
 * Positions are rotated before they are kept and stay as they are. What such layers have forgotten
 * cannot come back: a timeline can be cut to any length while base is 0, and afterwards only to one
 * whose window is still there. There is always a slice's worth of positions before the window, for
 * guesses that are taken back.
 *
 * Saved form, little-endian: "LKT1", u32 version, u64 mark of the weights (decoder_load.c), u32
 * number of the cache's type, u32 positions, u32 base, their tokens (u32 each), then layer by layer
 * a cache with room for just these positions, or in a layer with a window for those from base on
 * (kernels/attn.h). It is what a person said, in another form: callers seal it. */
#include "base/cursor.h"
#include "model/decoder_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STATE_MAGIC   0x31544B4Cu /* "LKT1" */
#define STATE_VERSION 2
#define CAP_MAX       (1 << 24)

static struct attn_shape shape_of(const struct timeline *t)
{
    return decoder_attn_shape(t->d, 0, t->kv);
}

static int full_layers(const struct decoder *d)
{
    int n = 0;
    for (int l = 0; l < d->h.layers; l++) n += d->layers[l].window == 0;
    return n;
}

struct layer_cache timeline_cache(const struct timeline *t, int layer)
{
    const struct layer *w = &t->d->layers[layer];
    size_t nth = (size_t)w->nth;
    if (!w->window) return (struct layer_cache){ t->cache + nth * t->full_bytes, t->cap, 0 };
    char *windows = t->cache + (size_t)full_layers(t->d) * t->full_bytes;
    return (struct layer_cache){ windows + nth * t->window_bytes, t->slots, t->base };
}

/* Can the next position be len? */
static bool reaches(const struct timeline *t, int len)
{
    return t->base == 0 || len >= t->base + t->d->h.window - 1;
}

void timeline_advance(struct timeline *t, int pos, int n)
{
    if (pos + n - t->base <= t->slots) return;
    const struct decoder *d = t->d;
    int spare = d->batch > DECODER_BATCH ? d->batch : DECODER_BATCH;
    int base = (pos - d->h.window - spare) / ATTN_STEP * ATTN_STEP;
    struct attn_shape s = shape_of(t);
    for (int l = 0; l < d->h.layers; l++)
        if (d->layers[l].window)
            attn_cache_move(&s, timeline_cache(t, l).at, t->slots, base - t->base, 0, pos - base);
    t->base = base;
}

int timeline_new(struct decoder *d, int cap, enum quant kv, struct timeline **out, struct err *err)
{
    *out = NULL;
    if (cap < 1 || cap > CAP_MAX)
        return err_set(err, ERR_INVAL, "a context of %d tokens is not from 1 to %d", cap, CAP_MAX);
    int rc = decoder_check_cache(&d->h, kv, err);
    if (rc) return rc;
    struct attn_shape s = decoder_attn_shape(d, 0, kv);
    int slots = decoder_window_slots(&d->h, d->batch, cap);
    size_t ids = ((size_t)cap * sizeof(int32_t) + 63) / 64 * 64,
           full = (attn_cache_bytes(&s, cap) + 63) / 64 * 64,
           window = (attn_cache_bytes(&s, slots) + 63) / 64 * 64, all, windows,
           n_full = (size_t)full_layers(d), n_windows = (size_t)d->h.layers - n_full;
    if (__builtin_mul_overflow(full, n_full, &all) ||
        __builtin_mul_overflow(window, n_windows, &windows) ||
        __builtin_add_overflow(all, windows, &all) || __builtin_add_overflow(all, ids, &all) ||
        all > decoder_memory_free())
        return err_set(
            err, ERR_LIMIT,
            "a context of %d tokens needs %.1f GB of memory, and there are %.1f GB: ask "
            "for a shorter one, or for a cache of type q8_0",
            cap, (double)full * (double)n_full / 1e9 + (double)window * (double)n_windows / 1e9,
            (double)decoder_memory_free() / 1e9);
    if ((rc = decoder_room(d, cap, err))) return rc;
    struct timeline *t = calloc(1, sizeof *t);
    void *block = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!t || block == MAP_FAILED) {
        free(t);
        if (block != MAP_FAILED) munmap(block, all);
        return err_nomem(err);
    }
    *t = (struct timeline){ .d = d,
                            .cap = cap,
                            .kv = kv,
                            .ids = block,
                            .cache = (char *)block + ids,
                            .full_bytes = full,
                            .window_bytes = window,
                            .slots = slots,
                            .block = block,
                            .block_bytes = all };
    *out = t;
    return 0;
}

/* The system zeroes pages before anyone sees them again; swapped ones it forgets. */
void timeline_free(struct timeline *t)
{
    if (!t) return;
    munmap(t->block, t->block_bytes);
    free(t);
}

int timeline_len(const struct timeline *t) { return t->len; }
int timeline_cap(const struct timeline *t) { return t->cap; }
const int32_t *timeline_ids(const struct timeline *t) { return t->ids; }

void timeline_cut(struct timeline *t, int len)
{
    if (len < 0 || len >= t->len) return;
    t->len = reaches(t, len) ? len : 0;
    if (t->len == 0) t->base = 0;
}

int timeline_common(const struct timeline *t, const int32_t *ids, int n)
{
    int i = 0;
    while (i < n && i < t->len && t->ids[i] == ids[i]) i++;
    return reaches(t, i) ? i : 0;
}

static int check_len(const struct timeline *t, int len, int room, struct err *err)
{
    if (len < 0 || len > t->len)
        return err_set(err, ERR_INVAL, "%d positions of a timeline of %d", len, t->len);
    if (len > room)
        return err_set(err, ERR_LIMIT, "%d positions do not fit a context of %d tokens", len, room);
    if (!reaches(t, len))
        return err_set(err, ERR_INVAL, "layers with a window have forgotten position %d", len);
    return 0;
}

/* Of the keys and values of a saved timeline. */
static size_t saved_bytes(const struct timeline *t, int base, int len)
{
    struct attn_shape s = shape_of(t);
    size_t n_full = (size_t)full_layers(t->d), n_windows = (size_t)t->d->h.layers - n_full;
    return n_full * attn_cache_bytes(&s, len) + n_windows * attn_cache_bytes(&s, len - base);
}

int timeline_copy(struct timeline *t, const struct timeline *from, int len, struct err *err)
{
    int rc = check_len(from, len, t->cap, err);
    if (rc) return rc;
    if (t->d != from->d || t->kv != from->kv)
        return err_set(err, ERR_INVAL, "the timelines are of different models or types");
    if (t == from) {
        timeline_cut(t, len);
        return 0;
    }
    struct attn_shape s = shape_of(t);
    for (int l = 0; l < t->d->h.layers; l++) {
        struct layer_cache a = timeline_cache(t, l), b = timeline_cache(from, l);
        attn_cache_copy(&s, a.at, a.cap, b.at, b.cap, len - b.base);
    }
    t->base = from->base;
    memcpy(t->ids, from->ids, (size_t)len * sizeof *t->ids);
    t->len = len;
    return 0;
}

int timeline_save(const struct timeline *t, int len, struct buf *out, struct err *err)
{
    int rc = check_len(t, len, t->cap, err);
    if (rc) return rc;
    struct attn_shape s = shape_of(t);
    buf_u32(out, STATE_MAGIC);
    buf_u32(out, STATE_VERSION);
    buf_u64(out, t->d->mark);
    buf_u32(out, t->kv);
    buf_u32(out, (uint32_t)len);
    buf_u32(out, (uint32_t)t->base);
    for (int i = 0; i < len; i++) buf_u32(out, (uint32_t)t->ids[i]);
    buf_reserve(out, saved_bytes(t, t->base, len));
    for (int l = 0; l < t->d->h.layers && !out->failed; l++) {
        struct layer_cache c = timeline_cache(t, l);
        int n = len - c.base;
        if (buf_reserve(out, attn_cache_bytes(&s, n))) break;
        attn_cache_copy(&s, out->p + out->n, n, c.at, c.cap, n);
        out->n += attn_cache_bytes(&s, n);
    }
    if (!out->failed && out->p) out->p[out->n] = 0;
    if (!out->failed) return 0;
    return err_set(err, out->failed, "the state of %d tokens takes more memory than it may", len);
}

int timeline_load(struct timeline *t, const void *p, size_t n, struct err *err)
{
    struct attn_shape s = shape_of(t);
    struct cursor c = cursor_of(p, n, "saved state");
    if (cursor_u32(&c, "mark") != STATE_MAGIC) cursor_fail(&c, "mark");
    uint32_t version = cursor_u32(&c, "version");
    if (!c.bad && version > STATE_VERSION)
        return err_set(err, ERR_VERSION, "the saved state was made by a newer version");
    if (version != STATE_VERSION) cursor_fail(&c, "version");
    uint64_t mark = cursor_u64(&c, "model");
    uint32_t kv = cursor_u32(&c, "type"), len = cursor_u32(&c, "positions"),
             base = cursor_u32(&c, "base");
    if (cursor_check(&c, err)) return ERR_PARSE;
    if (mark != t->d->mark || kv != t->kv)
        return err_set(err, ERR_INVAL, "the saved state is of another model or cache type");
    if (len > (uint32_t)t->cap)
        return err_set(err, ERR_LIMIT, "the saved state of %u tokens does not fit a context of %d",
                       len, t->cap);
    bool some = full_layers(t->d) < t->d->h.layers; /* have a window */
    if (base > 0 && (!some || base % ATTN_STEP || len < base + (uint32_t)t->d->h.window - 1 ||
                     len - base > (uint32_t)t->slots))
        return err_set(err, ERR_PARSE, "the saved state begins at position %u of %u", base, len);
    if (cursor_left(&c) != len * sizeof(uint32_t) + saved_bytes(t, (int)base, (int)len))
        return err_set(err, ERR_PARSE, "the saved state is cut short or too long");
    for (uint32_t i = 0; i < len; i++) {
        uint32_t id = cursor_u32(&c, "token");
        if (id >= (uint32_t)t->d->h.vocab) cursor_fail(&c, "token");
        if (!c.bad) t->ids[i] = (int32_t)id;
    }
    t->len = t->base = 0;
    if (cursor_check(&c, err)) return ERR_PARSE;
    t->base = (int)base;
    for (int l = 0; l < t->d->h.layers; l++) {
        struct layer_cache to = timeline_cache(t, l);
        int k = (int)len - to.base;
        const char *from = cursor_bytes(&c, attn_cache_bytes(&s, k), "keys and values").p;
        attn_cache_copy(&s, to.at, to.cap, from, k, k);
    }
    t->len = (int)len;
    return 0;
}
