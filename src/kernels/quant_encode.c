/* Encoding: choosing the scales so that the squared error is least, nearly.
 *
 * For given quantised numbers the best scale (and minimum) is a weighted linear regression of x on
 * them; for a given scale the best numbers are found by rounding. Neither determines the other, so
 * the search tries a range of scales around the one that just covers the group, rounds, regresses,
 * and keeps what has the least error. K types then round the scales themselves to 6 or 8 bits of a
 * common step; there each group looks once more at the neighbouring codes, now with the step as it
 * is stored.
 *
 * Errors of K types are weighted by |x| plus the root mean square of the block: large weights
 * matter more for the outputs than their number says. Q4_0 and Q8_0 take the plain error.
 *
 * The block types cannot hold NaN or infinity; these become 0. A scale beyond f16 is held at the
 * largest f16, so the result is finite whatever came in. */
#include "kernels/quant.h"
#include "kernels/quant_impl.h"

#include <math.h>
#include <string.h>

#define F16_MAX 65504.0f

static float clean(float x) { return isfinite(x) ? x : 0; }

/* The nearest f16, never infinite. */
static uint16_t scale_f16(float d)
{
    return f32_to_f16(d > F16_MAX ? F16_MAX : d < -F16_MAX ? -F16_MAX : d);
}

static int round_to(float x, int lo, int hi)
{
    if (!(x > (float)lo)) return lo;
    if (!(x < (float)hi)) return hi;
    return (int)lrintf(x);
}

static float inverse(float d) { return d != 0 && isfinite(1 / d) ? 1 / d : 0; }

static void encode_q8_0(const float *x, struct quant_q8_0 *b)
{
    float most = 0;
    for (int j = 0; j < 32; j++) most = fmaxf(most, fabsf(clean(x[j])));
    b->d = scale_f16(most / 127);
    float inv = inverse(f16_to_f32(b->d));
    for (int j = 0; j < 32; j++) b->qs[j] = (int8_t)round_to(clean(x[j]) * inv, -127, 127);
}

/* Best x ~ d * q, q in [lo, hi], lo < 0: the sign of d is chosen so that the largest magnitude
 * falls on the longer side. Returns d. w NULL: all 1. steps: how many scales are tried on either
 * side, `step` apart in units of the code at the largest magnitude. */
static float fit_scale(const float *x, const float *w, int n, int lo, int hi, int steps, float step)
{
    float most = 0;
    for (int j = 0; j < n; j++)
        if (fabsf(x[j]) > fabsf(most)) most = x[j];
    if (fabsf(most) < 1e-30f) return 0;
    float best = 0, best_gain = 0;
    for (int s = -steps; s <= steps; s++) {
        float inv = ((float)lo + step * (float)s) / most, xq = 0, qq = 0;
        for (int j = 0; j < n; j++) {
            float q = (float)round_to(x[j] * inv, lo, hi), wj = w ? w[j] : 1;
            xq += wj * x[j] * q;
            qq += wj * q * q;
        }
        /* With d = xq / qq the error falls by xq^2 / qq. */
        if (qq > 0 && xq * xq > best_gain * qq) best_gain = xq * xq / qq, best = xq / qq;
    }
    return best;
}

static void encode_q4_0(const float *x, struct quant_q4_0 *b)
{
    float v[32];
    for (int j = 0; j < 32; j++) v[j] = clean(x[j]);
    b->d = scale_f16(fit_scale(v, NULL, 32, -8, 7, 8, 0.125f));
    float inv = inverse(f16_to_f32(b->d));
    for (int j = 0; j < 16; j++) {
        int a = round_to(v[j] * inv, -8, 7) + 8, c = round_to(v[j + 16] * inv, -8, 7) + 8;
        b->qs[j] = (uint8_t)(a | c << 4);
    }
}

/* ---- K types ---- */

static void weigh(const float *x, float *v, float *w)
{
    double sum = 0;
    for (int i = 0; i < 256; i++) v[i] = clean(x[i]), sum += (double)v[i] * v[i];
    float rms = (float)sqrt(sum / 256);
    if (!(rms > 1e-30f)) rms = 1e-30f;
    /* In units of rms, so that sums of w x^2 stay in range. */
    for (int i = 0; i < 256; i++) w[i] = 1 + fabsf(v[i]) / rms;
}

struct affine { /* x ~ d * q - m, m >= 0 */
    float d, m;
};

/* Weighted squared error of x ~ d * q - m with the best q in [0, top]. */
static float affine_error(const float *x, const float *w, int top, struct affine a, uint8_t *q)
{
    float inv = inverse(a.d), sum = 0;
    for (int j = 0; j < 32; j++) {
        int code = round_to((x[j] + a.m) * inv, 0, top);
        float e = a.d * (float)code - a.m - x[j];
        if (q) q[j] = (uint8_t)code;
        sum += w[j] * e * e;
    }
    return sum;
}

/* The regression of x on codes made with `a`; false when all codes are equal. */
static bool affine_regress(const float *x, const float *w, int top, struct affine *a)
{
    float inv = inverse(a->d), sw = 0, sq = 0, sqq = 0, sx = 0, sxq = 0;
    for (int j = 0; j < 32; j++) {
        float q = (float)round_to((x[j] + a->m) * inv, 0, top), wq = w[j] * q;
        sw += w[j], sq += wq, sqq += wq * q, sx += w[j] * x[j], sxq += wq * x[j];
    }
    float det = sw * sqq - sq * sq;
    if (!(det > 0)) return false;
    float d = (sw * sxq - sq * sx) / det, c = (sqq * sx - sq * sxq) / det;
    if (c > 0) c = 0, d = sxq / sqq; /* a minimum above 0 cannot be stored */
    if (!(d > 0)) return false;
    *a = (struct affine){ d, -c };
    return true;
}

static struct affine fit_affine(const float *x, const float *w, int top)
{
    float lo = 0, hi = x[0];
    for (int j = 0; j < 32; j++) lo = fminf(lo, x[j]), hi = fmaxf(hi, x[j]);
    if (!(hi - lo > 1e-30f)) return (struct affine){ 0, -lo };
    struct affine best = { (hi - lo) / (float)top, -lo };
    float least = affine_error(x, w, top, best, NULL);
    for (int s = -10; s <= 8; s++) {
        struct affine a = { (hi - lo) / ((float)top + 0.1f * (float)s), -lo };
        if (!affine_regress(x, w, top, &a)) continue;
        float e = affine_error(x, w, top, a, NULL);
        if (e < least) least = e, best = a;
    }
    return best;
}

/* What Q4_K and Q5_K have in common: steps, codes of the scales, and the numbers. */
struct affine_block {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t q[256];
};

static void pack_scales(const uint8_t scale[8], const uint8_t min[8], uint8_t out[12])
{
    for (int j = 0; j < 4; j++) {
        out[j] = (uint8_t)(scale[j] | (scale[j + 4] >> 4) << 6);
        out[j + 4] = (uint8_t)(min[j] | (min[j + 4] >> 4) << 6);
        out[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
}

/* The codes near (d / step, m / mstep) with the least error. */
static void choose_codes(const float *x, const float *w, int top, struct affine a, float step,
                         float mstep, uint8_t *scale, uint8_t *min, uint8_t *q)
{
    int s0 = round_to(a.d * inverse(step), 0, 63), m0 = round_to(a.m * inverse(mstep), 0, 63);
    float least = INFINITY;
    for (int s = s0 - 1; s <= s0 + 1; s++) {
        for (int m = m0 - 1; m <= m0 + 1; m++) {
            if (s < 0 || s > 63 || m < 0 || m > 63) continue;
            struct affine t = { step * (float)s, mstep * (float)m };
            float e = affine_error(x, w, top, t, NULL);
            if (e < least || (s == s0 && m == m0 && !(e > least)))
                least = e, *scale = (uint8_t)s, *min = (uint8_t)m;
        }
    }
    affine_error(x, w, top, (struct affine){ step * (float)*scale, mstep * (float)*min }, q);
}

static void encode_affine(const float *x, int top, struct affine_block *b)
{
    float v[256], w[256], most_d = 0, most_m = 0;
    struct affine a[8];
    uint8_t scale[8] = { 0 }, min[8] = { 0 };
    weigh(x, v, w);
    for (int g = 0; g < 8; g++) {
        a[g] = fit_affine(v + 32 * g, w + 32 * g, top);
        most_d = fmaxf(most_d, a[g].d);
        most_m = fmaxf(most_m, a[g].m);
    }
    b->d = scale_f16(most_d / 63);
    b->dmin = scale_f16(most_m / 63);
    float step = f16_to_f32(b->d), mstep = f16_to_f32(b->dmin);
    for (int g = 0; g < 8; g++)
        choose_codes(v + 32 * g, w + 32 * g, top, a[g], step, mstep, scale + g, min + g,
                     b->q + 32 * g);
    pack_scales(scale, min, b->scales);
}

static void encode_q4_k(const float *x, struct quant_q4_k *b)
{
    struct affine_block a;
    encode_affine(x, 15, &a);
    b->d = a.d, b->dmin = a.dmin;
    memcpy(b->scales, a.scales, sizeof b->scales);
    for (int i = 0; i < 128; i++) {
        const uint8_t *q = a.q + i / 32 * 64 + i % 32;
        b->qs[i] = (uint8_t)(q[0] | q[32] << 4);
    }
}

static void encode_q5_k(const float *x, struct quant_q5_k *b)
{
    struct affine_block a;
    encode_affine(x, 31, &a);
    b->d = a.d, b->dmin = a.dmin;
    memcpy(b->scales, a.scales, sizeof b->scales);
    memset(b->qh, 0, sizeof b->qh);
    for (int i = 0; i < 128; i++) {
        const uint8_t *q = a.q + i / 32 * 64 + i % 32;
        b->qs[i] = (uint8_t)((q[0] & 15) | (q[32] & 15) << 4);
        b->qh[i % 32] |= (uint8_t)((q[0] >> 4 | (q[32] >> 4) << 1) << 2 * (i / 32));
    }
}

/* Weighted squared error of 16 numbers with scale d; the codes (0..63) to q where wanted. */
static float error_q6(const float *x, const float *w, float d, uint8_t *q)
{
    float inv = inverse(d), sum = 0;
    for (int j = 0; j < 16; j++) {
        int code = round_to(x[j] * inv, -32, 31);
        float e = d * (float)code - x[j];
        if (q) q[j] = (uint8_t)(code + 32);
        sum += w[j] * e * e;
    }
    return sum;
}

static void encode_q6_k(const float *x, struct quant_q6_k *b)
{
    float v[256], w[256], d[16], most = 0;
    uint8_t q[256];
    weigh(x, v, w);
    for (int g = 0; g < 16; g++) {
        d[g] = fit_scale(v + 16 * g, w + 16 * g, 16, -32, 31, 9, 0.1f);
        if (fabsf(d[g]) > fabsf(most)) most = d[g];
    }
    b->d = scale_f16(most / -128);
    float step = f16_to_f32(b->d);
    for (int g = 0; g < 16; g++) {
        int s0 = round_to(d[g] * inverse(step), -128, 127), best = s0;
        float least = error_q6(v + 16 * g, w + 16 * g, step * (float)s0, NULL);
        for (int s = s0 - 1; s <= s0 + 1; s++) {
            if (s < -128 || s > 127) continue;
            float e = error_q6(v + 16 * g, w + 16 * g, step * (float)s, NULL);
            if (e < least) least = e, best = s;
        }
        b->scales[g] = (int8_t)best;
        error_q6(v + 16 * g, w + 16 * g, step * (float)best, q + 16 * g);
    }
    memset(b->ql, 0, sizeof b->ql);
    memset(b->qh, 0, sizeof b->qh);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, part = i % 128 / 32, j = i % 32;
        b->ql[64 * half + 32 * (part & 1) + j] |= (uint8_t)((q[i] & 15) << 4 * (part >> 1));
        b->qh[32 * half + j] |= (uint8_t)((q[i] >> 4) << 2 * part);
    }
}

#define EACH_BLOCK(type, numbers, fn)                                                              \
    for (; n >= (numbers); n -= (numbers), x += (numbers), p += sizeof(struct type)) {             \
        struct type b;                                                                             \
        fn(x, &b);                                                                                 \
        memcpy(p, &b, sizeof b);                                                                   \
    }

void quant_encode(enum quant q, const float *x, size_t n, void *row)
{
    uint8_t *p = row;
    uint16_t h;
    switch (q) {
    case QUANT_F32: memcpy(p, x, n * sizeof *x); break;
    case QUANT_F16:
        for (size_t i = 0; i < n; i++) h = f32_to_f16(x[i]), memcpy(p + 2 * i, &h, 2);
        break;
    case QUANT_BF16:
        for (size_t i = 0; i < n; i++) h = f32_to_bf16(x[i]), memcpy(p + 2 * i, &h, 2);
        break;
    case QUANT_Q4_0: EACH_BLOCK(quant_q4_0, 32, encode_q4_0) break;
    case QUANT_Q4_1:
    case QUANT_Q5_0:
    case QUANT_Q5_1: break; /* only read */
    case QUANT_Q8_0: EACH_BLOCK(quant_q8_0, 32, encode_q8_0) break;
    case QUANT_Q4_K: EACH_BLOCK(quant_q4_k, 256, encode_q4_k) break;
    case QUANT_Q5_K: EACH_BLOCK(quant_q5_k, 256, encode_q5_k) break;
    case QUANT_Q6_K: EACH_BLOCK(quant_q6_k, 256, encode_q6_k) break;
    }
}
