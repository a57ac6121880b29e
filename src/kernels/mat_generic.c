/* Products with integer weights in plain C, from the file's form or from the packed one: what the
 * other variants are tested against, bit for bit, since they keep the order of float operations
 * that mat_impl.h states. And the int8 form of activations: blocks of 32 with a scale each, also
 * for the K types, where ggml uses one scale for 256; the finer blocks cost one more multiply a
 * block and halve the error of outliers.
 *
 * Float weights are multiplied here too, as plainly, until matf.c lays better over it. */
#include "kernels/mat_impl.h"

#include <math.h>
#include <string.h>

void generic_mat_quantise(const struct acts *a, int t0, int w)
{
    struct acts_view v = acts_tile(a, t0);
    int nb = a->cols / 32;
    for (int t = 0; t < w; t++)
        for (int b = 0; b < nb; b++) {
            const float *x = a->x + (size_t)(t0 + t) * (size_t)a->cols + 32 * (size_t)b;
            size_t at = (size_t)b * (size_t)w;
            int8_t *q = v.q + 32 * at;
            int32_t sum[2] = { 0, 0 };
            float most = 0;
            for (int i = 0; i < 32; i++) most = fmaxf(most, fabsf(x[i]));
            float d = most / 127, inv = 127 / most;
            if (!(most >= 1e-30f)) d = inv = 0;
            for (int i = 0; i < 32; i++) {
                int8_t n = (int8_t)lrintf(x[i] * inv);
                q[(i / 4 * w + t) * 4 + i % 4] = n;
                sum[i / 16] += n;
            }
            acts_put(v, at + (size_t)t, 2 * at + (size_t)t, w, d, sum[0], sum[1]);
        }
}

enum { TILE = 12 }; /* the widest of all variants */

/* Row r times rows t0 .. t0 + w of the activations. */
static void mul_row(const struct mat *m, const struct acts *a, int r, int t0, int w, float *acc)
{
    struct acts_view v = acts_view(a);
    int nb = m->cols / 32, off = mat_block_off(m->type);
    memset(acc, 0, (size_t)w * sizeof *acc);
    for (int b = 0; b < nb; b++) {
        struct mat_block k;
        float s[2];
        mat_block_get(m, r, b, &k);
        float min = mat_block_scale(m->type, &k, s);
        const int8_t *q = v.q + (size_t)t0 * (size_t)a->cols + (size_t)b * 32 * (size_t)w;
        size_t at = (size_t)t0 * (size_t)nb + (size_t)b * (size_t)w;
        for (int t = 0; t < w; t++) {
            int32_t sum[2] = { 0, 0 };
            for (int i = 0; i < 32; i++)
                sum[i / 16] += (k.q[i] - off) * q[(i / 4 * w + t) * 4 + i % 4];
            float f = m->type == QUANT_Q6_K ? fmaf((float)sum[1], s[1], (float)sum[0] * s[0])
                                            : (float)(sum[0] + sum[1]) * s[0];
            acc[t] = fmaf(f, v.d[at + (size_t)t], acc[t]);
            if (m->type == QUANT_Q4_K || m->type == QUANT_Q5_K)
                acc[t] = fmaf(-min, v.ds[at + (size_t)t], acc[t]);
        }
    }
}

void generic_mat_q_mul(const struct mat *m, const struct acts *a, int from, int to, float *y,
                       int stride, bool add)
{
    for (int r = from; r < to; r++)
        for (int t0 = 0; t0 < a->n; t0 += mat_ops.tile) {
            int w = a->n - t0 < mat_ops.tile ? a->n - t0 : mat_ops.tile;
            float acc[TILE];
            mul_row(m, a, r, t0, w, acc);
            for (int t = 0; t < w; t++) {
                float *to_y = &y[(size_t)(t0 + t) * (size_t)stride + (size_t)r];
                *to_y = add ? *to_y + acc[t] : acc[t];
            }
        }
}

static void float_row(const struct mat *m, int r, float *x)
{
    size_t bytes = quant_row_bytes(m->type, (size_t)m->cols);
    quant_decode(m->type, (const char *)m->data + (size_t)r * bytes, (size_t)m->cols, x);
}

static void float_mul(const struct mat *m, const struct acts *a, int from, int to, float *y,
                      int stride, bool add)
{
    enum { PIECE = 256 };
    size_t bytes = quant_row_bytes(m->type, (size_t)m->cols), one = quant_row_bytes(m->type, 1);
    for (int r = from; r < to; r++)
        for (int t = 0; t < a->n; t++) {
            const float *x = a->x + (size_t)t * (size_t)a->cols;
            double acc = 0;
            for (int c = 0; c < m->cols; c += PIECE) {
                float w[PIECE];
                int n = m->cols - c < PIECE ? m->cols - c : PIECE;
                const char *p = (const char *)m->data + (size_t)r * bytes + (size_t)c * one;
                quant_decode(m->type, p, (size_t)n, w);
                for (int i = 0; i < n; i++) acc += (double)w[i] * (double)x[c + i];
            }
            float *to_y = &y[(size_t)t * (size_t)stride + (size_t)r];
            *to_y = add ? *to_y + (float)acc : (float)acc;
        }
}

void mat_ops_generic(struct mat_ops *o)
{
    struct mat_kind f = { .row = float_row, .mul = float_mul };
    struct mat_kind q = { .packed_bytes = mat_q_packed_bytes,
                          .pack = mat_q_pack,
                          .row = mat_q_row,
                          .mul = generic_mat_q_mul,
                          .integer = true };
    *o = (struct mat_ops){ .f32 = f,
                           .f16 = f,
                           .bf16 = f,
                           .q8_0 = q,
                           .q4_0 = q,
                           .q4_k = q,
                           .q5_k = q,
                           .q6_k = q,
                           .quantise = generic_mat_quantise,
                           .tile = TILE };
}
