/* Sampling without a sort.
 *
 * A vocabulary has up to 262,144 tokens and a choice is made for each token of each answer, so
 * nothing here is worse than a few passes over the logits. Candidates are collected once, those
 * that are hardly ever drawn (below e^-24 of the likeliest) left out. Top-k and top-p both ask for
 * the fewest candidates, best first, whose weights reach a target: weight 1 and target k, or weight
 * p and target top_p. keep_until answers that with a histogram over the logits: only the bucket in
 * which the target is reached is put in order. The kept ones stay in the order of their ids, which
 * is as good as any other for the draw.
 *
 * The same on every machine: sums run in a fixed order, in double; exp is a polynomial, in vectors
 * of the compiler's (relative error below 1e-6, the same in every lane of every width). IEEE 754
 * fixes the result of each + - * /, and the build forbids contraction into FMA. Nothing of libm is
 * used.
 *
 * The random number is a hash of seed and position (the finaliser of splitmix64, twice), so the
 * engine may sample guessed tokens ahead, or a row again, and get what the plain path gets.
 *
 * Penalties follow those of OpenAI (frequency, presence: of what was generated) and of Keskar et
 * al., CTRL, 2019 (repetition: of all that was read). */
#include "model/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FAR     24.0 /* in units of temperature: such tokens together have less than 1e-5 */
#define BUCKETS 2048
#define WINDOW  256

struct sampler {
    int vocab;
    float *l;              /* [vocab] logits of the candidates */
    float *p;              /* [vocab] their weights */
    int32_t *id;           /* [vocab] ascending */
    int32_t *in;           /* [vocab] indices of those in the bucket that is put in order */
    uint16_t *seen, *made; /* [vocab] counts, 0 between calls */
    double sum[BUCKETS];
};

typedef float vec __attribute__((vector_size(32)));
typedef int32_t ivec __attribute__((vector_size(32)));
enum { LANES = 8 };

/* p = e^((l - top) * inv), in which the argument is from about -FAR to 0. Whole vectors: up to
 * LANES - 1 numbers after n are written. 2^f by its Taylor series, |f| <= 1/2. */
static void weigh(float *p, const float *l, int n, float top, float inv)
{
    for (int i = 0; i < n; i += LANES) {
        vec y, q;
        memcpy(&y, l + i, sizeof y);
        y = (y - top) * inv * 1.44269504f;
        ivec whole = __builtin_convertvector(y - 0.5f, ivec);
        vec f = y - __builtin_convertvector(whole, vec);
        q = 1.54035304e-4f * f + 1.33335581e-3f;
        q = q * f + 9.61812911e-3f;
        q = q * f + 5.55041087e-2f;
        q = q * f + 2.40226507e-1f;
        q = q * f + 6.93147181e-1f;
        q = q * f + 1;
        ivec bits = (whole + 127) << 23;
        vec scale;
        memcpy(&scale, &bits, sizeof scale);
        q *= scale;
        memcpy(p + i, &q, sizeof q);
    }
}

/* How far below the top, in units of temperature, a candidate may be that is at least min_p. */
static float reach(float min_p)
{
    float lo = -FAR, hi = 0, l[LANES] = { 0 }, p[LANES];
    for (int i = 0; i < 40 && min_p > 0; i++) {
        l[0] = (lo + hi) / 2;
        weigh(p, l, 1, 0, 1);
        if (p[0] < min_p) lo = l[0];
        else hi = l[0];
    }
    return -lo;
}

static double total(const float *p, int n)
{
    double s[4] = { 0 };
    int i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) s[k] += (double)p[i + k];
    for (; i < n; i++) s[0] += (double)p[i];
    return s[0] + s[1] + (s[2] + s[3]);
}

int sampler_new(int vocab, struct sampler **out, struct err *err)
{
    *out = NULL;
    if (vocab < 1) return err_set(err, ERR_INVAL, "a vocabulary of %d tokens", vocab);
    size_t n = (size_t)vocab + LANES; /* vectors read and write beyond */
    struct sampler *s = calloc(1, sizeof *s);
    if (!s) return err_nomem(err);
    s->vocab = vocab;
    s->l = calloc(n, sizeof *s->l);
    s->p = calloc(n, sizeof *s->p);
    s->id = malloc(n * sizeof *s->id);
    s->in = malloc(n * sizeof *s->in);
    s->seen = calloc(n, sizeof *s->seen);
    s->made = calloc(n, sizeof *s->made);
    if (!s->l || !s->p || !s->id || !s->in || !s->seen || !s->made) {
        sampler_free(s);
        return err_nomem(err);
    }
    *out = s;
    return 0;
}

void sampler_free(struct sampler *s)
{
    if (!s) return;
    free(s->l);
    free(s->p);
    free(s->id);
    free(s->in);
    free(s->seen);
    free(s->made);
    free(s);
}

int sampler_check(const struct sampler_opts *o, int vocab, struct err *err)
{
    const struct {
        const char *name;
        float v, lo, hi;
    } r[] = {
        { "temperature", o->temperature, 0, 100 },
        { "top_p", o->top_p, 0, 1 },
        { "min_p", o->min_p, 0, 1 },
        { "repetition_penalty", o->repeat, 0, 100 },
        { "frequency_penalty", o->frequency, -100, 100 },
        { "presence_penalty", o->presence, -100, 100 },
    };
    for (size_t i = 0; i < sizeof r / sizeof *r; i++)
        if (!(r[i].v >= r[i].lo && r[i].v <= r[i].hi))
            return err_set(err, ERR_INVAL, "%s is %g, not between %g and %g", r[i].name,
                           (double)r[i].v, (double)r[i].lo, (double)r[i].hi);
    if (o->top_k < 0) return err_set(err, ERR_INVAL, "top_k is %d", o->top_k);
    if (o->window < 0 || o->window > UINT16_MAX)
        return err_set(err, ERR_INVAL, "the window of penalties is %d, not between 0 and 65535",
                       o->window);
    for (int i = 0; i < o->n_bias; i++)
        if (o->bias[i].id < 0 || o->bias[i].id >= vocab || isnan(o->bias[i].add))
            return err_set(err, ERR_INVAL, "logit_bias for token %d: the model has %d tokens",
                           (int)o->bias[i].id, vocab);
    return 0;
}

/* The last tokens: a count for each, applied when it is first met, cleared on the second walk. */
static void penalise(struct sampler *s, const struct sampler_opts *o, const struct sampler_at *at,
                     float *l)
{
    float repeat = o->repeat > 0 ? o->repeat : 1;
    if (!at || (repeat == 1 && o->frequency == 0 && o->presence == 0)) return;
    int from = at->n - (o->window ? o->window : WINDOW);
    if (from < 0) from = 0;
    for (int i = from; i < at->n; i++) {
        if (at->ids[i] < 0 || at->ids[i] >= s->vocab) continue;
        s->seen[at->ids[i]] = 1;
        if (i >= at->n_prompt) s->made[at->ids[i]]++;
    }
    for (int i = from; i < at->n; i++) {
        int32_t id = at->ids[i];
        if (id < 0 || id >= s->vocab || !s->seen[id]) continue;
        l[id] = l[id] > 0 ? l[id] / repeat : l[id] * repeat;
        if (s->made[id]) l[id] -= o->frequency * (float)s->made[id] + o->presence;
        s->seen[id] = s->made[id] = 0;
    }
}

static void mask_out(float *l, const uint32_t *mask, int vocab)
{
    for (int i = 0; i < vocab; i += 32) {
        uint32_t m = mask[i / 32];
        if (m == UINT32_MAX) continue;
        for (int k = 0; k < 32 && i + k < vocab; k++)
            if (!(m >> k & 1)) l[i + k] = -INFINITY;
    }
}

static int32_t highest(const float *l, int vocab)
{
    int32_t best = -1;
    float top = -INFINITY;
    for (int i = 0; i < vocab; i++)
        if (l[i] > top) top = l[best = i];
    return best;
}

/* Is candidate a better than b? Ids ascend with the index. */
static int before(const struct sampler *s, int32_t a, int32_t b)
{
    return s->l[a] != s->l[b] ? s->l[a] > s->l[b] : a < b;
}

static void sift(const struct sampler *s, int32_t *h, int n, int i)
{
    for (int k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && before(s, h[k], h[k + 1])) k++;
        if (before(s, h[k], h[i])) return;
        int32_t t = h[i];
        h[i] = h[k];
        h[k] = t;
    }
}

/* Best first. A heap: no memory, and no order of input makes it slow. */
static void put_in_order(const struct sampler *s, int32_t *h, int n)
{
    for (int i = n / 2; i-- > 0;) sift(s, h, n, i);
    while (n > 1) {
        int32_t t = h[--n];
        h[n] = h[0];
        h[0] = t;
        sift(s, h, n, 0);
    }
}

static int bucket_of(float top, float l, float scale)
{
    int b = (int)((top - l) * scale);
    return b < BUCKETS ? b : BUCKETS - 1;
}

/* Keep the fewest of n candidates, best first, whose weights reach target; weight NULL: 1 each.
 * Returns how many stay. */
static int keep_until(struct sampler *s, int n, const float *weight, double target)
{
    float top = s->l[0], low = s->l[0];
    for (int i = 1; i < n; i++) {
        if (s->l[i] > top) top = s->l[i];
        if (s->l[i] < low) low = s->l[i];
    }
    float scale = top > low ? (BUCKETS - 1) / (top - low) : 0;
    memset(s->sum, 0, sizeof s->sum);
    for (int i = 0; i < n; i++)
        s->sum[bucket_of(top, s->l[i], scale)] += weight ? (double)weight[i] : 1;
    int cross = 0;
    double have = 0;
    while (cross < BUCKETS && have + s->sum[cross] < target) have += s->sum[cross++];
    if (cross == BUCKETS) return n;
    int m = 0;
    for (int i = 0; i < n; i++)
        if (bucket_of(top, s->l[i], scale) == cross) s->in[m++] = i;
    put_in_order(s, s->in, m);
    int last = 0; /* the worst that stays */
    for (int i = 0; i < m && have < target; i++) {
        last = s->in[i];
        have += weight ? (double)weight[last] : 1;
    }
    if (m == 0) return n;
    int kept = 0;
    float l_last = s->l[last];
    for (int i = 0; i < n; i++) {
        if (!(s->l[i] > l_last || (i <= last && s->l[i] == l_last))) continue;
        s->l[kept] = s->l[i];
        s->p[kept] = s->p[i];
        s->id[kept++] = s->id[i];
    }
    return kept;
}

/* Candidates not more than `far` below the top, ids ascending. */
static int collect(struct sampler *s, const float *l, float top, double far)
{
    double low = (double)top - far;
    float lo = low < -3e38 ? -3e38f : (float)low;
    int n = 0;
    for (int i = 0; i < s->vocab; i++) {
        s->l[n] = l[i];
        s->id[n] = i;
        n += l[i] >= lo;
    }
    return n;
}

/* [0, 1) from seed and position. */
static double uniform(uint64_t seed, uint64_t at)
{
    uint64_t x = seed;
    for (int i = 0; i < 2; i++) {
        x += 0x9E3779B97F4A7C15u * (at + 1);
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
        x = (x ^ x >> 27) * 0x94D049BB133111EBu;
        x ^= x >> 31;
    }
    return (double)(x >> 11) * 0x1p-53;
}

int32_t sampler_pick(struct sampler *s, const struct sampler_opts *o, const struct sampler_at *at,
                     const uint32_t *mask, float *logits)
{
    if (mask) mask_out(logits, mask, s->vocab);
    for (int i = 0; i < o->n_bias; i++) logits[o->bias[i].id] += o->bias[i].add;
    penalise(s, o, at, logits);
    int32_t best = highest(logits, s->vocab);
    if (best < 0 || o->temperature <= 0 || o->top_k == 1 || isinf(logits[best])) return best;
    float top = logits[best];
    double far = (double)reach(o->min_p) * (double)o->temperature;
    int n = collect(s, logits, top, far);
    if (o->top_k > 0 && o->top_k < n) n = keep_until(s, n, NULL, o->top_k);
    weigh(s->p, s->l, n, top, 1 / o->temperature);
    if (o->top_p < 1) n = keep_until(s, n, s->p, total(s->p, n) * (double)o->top_p);
    double u = uniform(o->seed, at ? (uint64_t)(at->n - at->n_prompt) : 0) * total(s->p, n);
    for (int i = 0; i < n; i++)
        if ((u -= (double)s->p[i]) < 0) return s->id[i];
    return s->id[n - 1];
}
