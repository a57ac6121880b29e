/* The hash embedder: no model file, no GPU, a vector in microseconds.
 *
 * A passage is a weighted bag of features: stems of its content words, pairs of neighbouring stems,
 * and the letter n-grams of its words, so that forms the stemmer keeps apart ("gardener",
 * "gardenia"; a name and its misspelling) are still near. Stop words are no features: they would
 * give all vectors a common direction. Each feature has a fixed random direction with four
 * coordinates of +-1/2 out of 384 (sparse random projection, Achlioptas 2003; feature hashing,
 * Weinberger et al. 2009); the vector is their weighted sum, scaled to length 1. The cosine then
 * estimates that of the tf-idf vectors with an error of about 1/sqrt(384).
 *
 * What is learnt is in how many passages each stem occurs. Weights are (1 + ln tf) * idf.
 *
 * Equal input gives equal bits on every machine: hash64 is fixed, features are summed in order of
 * key, and the logarithm is our own, of operations that IEEE 754 defines to the last bit.
 *
 * State: "LKH1", u32 version, u64 passages, u64 n, then n times (u64 stem, u32 passages with it),
 * stems ascending. Little-endian. It tells which words occur: callers seal it. */
#include "base/cursor.h"
#include "base/map.h"
#include "base/str.h"
#include "model/embed.h"
#include "text/token.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIM           384
#define STATE_MAGIC   0x31484B4Cu /* "LKH1" */
#define STATE_VERSION 1
#define SEED_STEM     0x51
#define SEED_PAIR     0x52
#define SEED_GRAM     0x53

#define PAIR_WEIGHT 0.4f /* of a pair, against a stem of the same idf */
#define GRAM_WEIGHT 0.6f /* of all n-grams of a word together */

struct hash_embedder {
    struct embedder base;
    uint64_t passages;
    struct map df; /* stem -> passages with it << 32 | number of the newest, low bits */
};

extern const struct embed_kind embed_hash;

/* Natural logarithm of x > 0, to about 1e-12: 2 atanh((m - 1) / (m + 1)) for the mantissa. */
static double ln(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) m *= 2, e--;
    double t = (m - 1) / (m + 1), tt = t * t, sum = 0;
    for (int k = 17; k >= 1; k -= 2) sum = sum * tt + 1.0 / k;
    return 2 * t * sum + e * 0.69314718055994531;
}

static float idf_of(const struct embedder *base, uint64_t stem)
{
    const struct hash_embedder *e = (const struct hash_embedder *)base;
    const uint64_t *v = map_get(&e->df, stem);
    double n = (double)e->passages, df = v ? (double)(*v >> 32) : 0;
    return (float)ln(1 + (n - df + 0.5) / (df + 0.5));
}

/* ---- learning ---- */

static int hash_learn(struct embedder *base, const char *s, size_t n)
{
    struct hash_embedder *e = (struct hash_embedder *)base;
    struct tokens t = tokens_of(s, n);
    uint32_t stamp = (uint32_t)++e->passages;
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word w = token_word(s + t.start, t.end - t.start);
        if (w.stop) continue;
        uint64_t *v = map_slot(&e->df, w.key);
        if (!v) return ERR_NOMEM;
        if (!*v || (uint32_t)*v != stamp) *v = ((*v >> 32) + 1) << 32 | stamp;
    }
    return 0;
}

static uint64_t hash_learned(const struct embedder *base)
{
    return ((const struct hash_embedder *)base)->passages;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct map_entry *)a)->key, y = ((const struct map_entry *)b)->key;
    return x < y ? -1 : x > y;
}

static int hash_save(const struct embedder *base, struct buf *out)
{
    const struct hash_embedder *e = (const struct hash_embedder *)base;
    struct map_entry *all = malloc((e->df.n ? e->df.n : 1) * sizeof *all);
    if (!all) return ERR_NOMEM;
    size_t n = 0;
    for (size_t i = 0; (i = map_iter(&e->df, i));) all[n++] = e->df.e[i - 1];
    qsort(all, n, sizeof *all, by_key);
    buf_u32(out, STATE_MAGIC);
    buf_u32(out, STATE_VERSION);
    buf_u64(out, e->passages);
    buf_u64(out, n);
    for (size_t i = 0; i < n; i++) {
        buf_u64(out, all[i].key);
        buf_u32(out, (uint32_t)(all[i].value >> 32));
    }
    free(all);
    return out->failed;
}

static int load(struct hash_embedder *e, const void *state, size_t size, struct err *err)
{
    struct cursor c = cursor_of(state, size, "state of the hash embedder");
    if (cursor_u32(&c, "magic") != STATE_MAGIC) cursor_fail(&c, "magic");
    uint32_t version = cursor_u32(&c, "version");
    if (!c.bad && version > STATE_VERSION)
        return err_set(err, ERR_VERSION,
                       "the embedder's state is of version %u; this program knows "
                       "versions up to %d: use a newer one",
                       version, STATE_VERSION);
    if (version < 1) cursor_fail(&c, "version");
    e->passages = cursor_u64(&c, "passages");
    if (e->passages > UINT32_MAX) cursor_fail(&c, "passages");
    uint64_t n = cursor_u64(&c, "stems"), last = 0;
    if (n > cursor_left(&c) / 12) cursor_fail(&c, "stems");
    for (uint64_t i = 0; i < n && !c.bad; i++) {
        uint64_t key = cursor_u64(&c, "stem"), df = cursor_u32(&c, "passages of a stem");
        if ((i && key <= last) || !df || df > e->passages) cursor_fail(&c, "order of stems");
        if (c.bad) break;
        uint64_t *v = map_slot(&e->df, last = key);
        if (!v) return err_nomem(err);
        *v = df << 32;
    }
    if (cursor_left(&c)) cursor_fail(&c, "end");
    return cursor_check(&c, err);
}

static void hash_close(struct embedder *base)
{
    struct hash_embedder *e = (struct hash_embedder *)base;
    map_free(&e->df);
    free(e);
}

static struct embedder *hash_open(const char *what, const void *state, size_t n, struct err *err)
{
    struct hash_embedder *e = calloc(1, sizeof *e);
    if (!e) {
        err_nomem(err);
        return NULL;
    }
    e->base.kind = &embed_hash;
    if (state && load(e, state, n, err)) {
        hash_close(&e->base);
        return NULL;
    }
    return &e->base;
}

/* ---- embedding ---- */

struct feature {
    uint64_t key; /* pairs: mixed of both stems */
    float idf;
    uint32_t start, len; /* of the word in the passage; len 0: a pair */
};

struct bag {
    struct feature *f;
    size_t n, cap;
};

static int bag_add(struct bag *b, struct feature f)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 512;
        struct feature *q = realloc(b->f, cap * sizeof *q);
        if (!q) return ERR_NOMEM;
        b->f = q;
        b->cap = cap;
    }
    b->f[b->n++] = f;
    return 0;
}

static int by_feature(const void *x, const void *y)
{
    const struct feature *a = x, *b = y;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->start < b->start ? -1 : a->start > b->start;
}

/* Add w times the direction of feature key. */
static void project(float *v, uint64_t key, uint64_t seed, float w)
{
    uint64_t h = hash64(&key, sizeof key, seed);
    for (int i = 0; i < 4; i++, h >>= 16)
        v[(h & 0x7FFF) * DIM >> 15] += h & 0x8000 ? w * 0.5f : w * -0.5f;
}

/* Letter n-grams of 3 to 5 characters of <word>. Longer ones say more and count for more. Together
 * they weigh w. */
static void project_grams(float *v, const char *fold, size_t n, float w)
{
    char s[TOKEN_BYTES * 2 + 8];
    uint16_t at[TOKEN_BYTES * 2 + 8];
    size_t chars = 0;
    n = utf8_cut(fold, n, TOKEN_BYTES * 2);
    s[0] = '<';
    memcpy(s + 1, fold, n);
    s[n + 1] = '>';
    for (size_t i = 0; i < n + 2; i++)
        if (((unsigned char)s[i] & 0xC0) != 0x80) at[chars++] = (uint16_t)i;
    at[chars] = (uint16_t)(n + 2);
    static const float share[] = { 0.5f, 0.8f, 1.0f };
    float sum = 0;
    for (size_t k = 3; k <= 5 && k <= chars; k++)
        sum += (float)(chars - k + 1) * share[k - 3] * share[k - 3];
    if (sum <= 0) return;
    w /= sqrtf(sum);
    for (size_t k = 3; k <= 5; k++)
        for (size_t i = 0; i + k <= chars; i++)
            project(v, hash64(s + at[i], (size_t)(at[i + k] - at[i]), SEED_GRAM), SEED_GRAM,
                    w * share[k - 3]);
}

static int collect(const struct embedder *e, const char *s, size_t n, struct bag *bag)
{
    struct tokens t = tokens_of(s, n);
    struct {
        uint64_t key;
        float idf;
    } before = { 0, 0 };
    int rc = 0, since = 9; /* words since the last content word */
    while (!rc && tokens_next(&t)) {
        if (!t.is_word) {
            if (t.s[t.start] != '-') since = 9;
            continue;
        }
        struct token_word w = token_word(s + t.start, t.end - t.start);
        if (w.stop) {
            since++;
            continue;
        }
        float idf = idf_of(e, w.key);
        rc = bag_add(
            bag, (struct feature){ w.key, idf, (uint32_t)t.start, (uint32_t)(t.end - t.start) });
        if (!rc && since <= 1) {
            uint64_t pair = hash64(&w.key, sizeof w.key, before.key);
            rc = bag_add(bag,
                         (struct feature){ pair, (idf + before.idf) / 2, (uint32_t)t.start, 0 });
        }
        before.key = w.key;
        before.idf = idf;
        since = 0;
    }
    return rc;
}

static void scale(float *v)
{
    double sum = 0;
    for (int i = 0; i < DIM; i++) sum += (double)v[i] * v[i];
    float k = sum > 1e-12 ? (float)(1 / sqrt(sum)) : 0;
    for (int i = 0; i < DIM; i++) v[i] *= k;
}

static int hash_text(struct embedder *e, enum embed_role role, const char *s, size_t n, float *v)
{
    struct bag bag = { 0 };
    memset(v, 0, DIM * sizeof *v);
    int rc = n > UINT32_MAX ? ERR_LIMIT : collect(e, s, n, &bag);
    if (rc) goto out;
    if (bag.n) qsort(bag.f, bag.n, sizeof *bag.f, by_feature);
    for (size_t i = 0, j; i < bag.n; i = j) {
        const struct feature *f = &bag.f[i];
        for (j = i + 1; j < bag.n && bag.f[j].key == f->key; j++) continue;
        float w = (float)(1 + ln((double)(j - i))) * f->idf;
        if (!f->len) {
            project(v, f->key, SEED_PAIR, w * PAIR_WEIGHT);
            continue;
        }
        project(v, f->key, SEED_STEM, w);
        struct token_word tw = token_word(s + f->start, f->len);
        project_grams(v, tw.fold, tw.fold_n, w * GRAM_WEIGHT);
    }
    scale(v);
out:
    free(bag.f);
    return rc;
}

const struct embed_kind embed_hash = {
    .name = "hash",
    .version = "hash-384-1",
    .help = "words and letters, learnt from the corpus; no model file",
    .dim = DIM,
    .floor = 0.25f,
    .learns = true,
    .open = hash_open,
    .close = hash_close,
    .text = hash_text,
    .learn = hash_learn,
    .save = hash_save,
    .learned = hash_learned,
    .idf = idf_of,
};
