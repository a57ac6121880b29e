/* The reference arithmetic: plain C that any machine runs, and the measure that every other
 * variant is tested against. Sums are kept in eight lanes, the shape a vector unit has, so that a
 * compiler may vectorise them without being allowed to reorder floats, and so that rounding grows
 * with n / 8. */
#include "kernels/quant.h"
#include "kernels/variants.h"

#include <math.h>
#include <string.h>

float generic_dot_f32(const float *x, const float *y, size_t n)
{
    float s[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) s[j] += x[i + j] * y[i + j];
    for (int j = 0; i < n; i++, j++) s[j] += x[i] * y[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

void generic_axpy_f32(float *y, float a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

void generic_scan_i8(const int8_t *rows, size_t n, size_t dim, const int8_t *q, int32_t *out)
{
    for (size_t r = 0; r < n; r++, rows += dim) {
        int32_t s = 0;
        for (size_t i = 0; i < dim; i++) s += rows[i] * q[i];
        out[r] = s;
    }
}

float generic_quant_i8(const float *x, size_t n, int8_t *out)
{
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    if (!(most > 1e-30f)) {
        memset(out, 0, n);
        return 0;
    }
    float inv = 127.0f / most;
    for (size_t i = 0; i < n; i++) {
        int v = (int)rintf(x[i] * inv);
        out[i] = (int8_t)(v > 127 ? 127 : v < -127 ? -127 : v);
    }
    return most / 127.0f;
}

size_t generic_pass_i8(const int32_t *dot, const float *scale, const float *slack, size_t n,
                       float a, float b, float t, uint32_t *idx)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if ((float)dot[i] * scale[i] * a + slack[i] * b >= t) idx[m++] = (uint32_t)i;
    return m;
}

void generic_sum_q8_0(float *y, const void *table, size_t row_bytes, const int32_t *ids, size_t n,
                      size_t dim)
{
    for (size_t j = 0; j < dim; j++) y[j] = 0;
    for (size_t i = 0; i < n; i++) {
        const struct quant_q8_0 *b =
            (const void *)((const char *)table + (size_t)ids[i] * row_bytes);
        for (size_t j = 0; j < dim; j += 32, b++) {
            float d = f16_to_f32(b->d);
            for (size_t k = 0; k < 32; k++) y[j + k] += d * (float)b->qs[k];
        }
    }
}
