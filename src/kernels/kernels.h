/* The arithmetic: one table of functions, filled at start-up with the best this CPU has.
 *
 *     kernels_init(NULL);                       or "generic", "avx2", "avx512"
 *     float c = kernels.dot_f32(a, b, 384);
 *
 * Each instruction set lives in its own file with its own flags (generic.c, avx2.c, avx512.c) and
 * overrides entries of the generic table. Every variant is tested against generic on odd sizes:
 * integers equal, floats within 1e-5 relative to the sum of magnitudes. */
#ifndef LK_KERNELS_KERNELS_H
#define LK_KERNELS_KERNELS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct kernels {
    const char *name; /* "avx2" */
    /* Sum of x[i] * y[i], n floats, any alignment. */
    float (*dot_f32)(const float *x, const float *y, size_t n);
    /* y += a * x. */
    void (*axpy_f32)(float *y, float a, const float *x, size_t n);
    /* n rows of dim int8 (row stride = dim, a multiple of 32, at most 8192) against q:
     * out[r] = sum of rows[r][i] * q[i], exact in int32. Values are in [-127, 127]. */
    void (*scan_i8)(const int8_t *rows, size_t n, size_t dim, const int8_t *q, int32_t *out);
    /* x -> round(x / scale) in [-127, 127], scale = max|x| / 127 (returned). A vector whose
     * largest magnitude is below 1e-30 becomes zeros with scale 0. x is finite. */
    float (*quant_i8)(const float *x, size_t n, int8_t *out);
    /* The rows of a scan that may matter: writes to idx (room for n) every i, ascending, with
     * dot[i] * scale[i] * a + slack[i] * b >= t; returns how many. */
    size_t (*pass_i8)(const int32_t *dot, const float *scale, const float *slack, size_t n, float a,
                      float b, float t, uint32_t *idx);
    /* y = the sum of the rows ids[0..n) of a Q8_0 table [.., dim] (quant.h), row_bytes apart: added
     * in the order of ids, so that every variant gives the same bits. */
    void (*sum_q8_0)(float *y, const void *table, size_t row_bytes, const int32_t *ids, size_t n,
                     size_t dim);
};

extern struct kernels kernels;
/* cpu NULL: best available. ERR_INVAL if unknown or not on this machine. Call once, before
 * threads. */
int kernels_init(const char *cpu, struct err *err);
/* Names available on this machine, best last, NULL-terminated. */
const char *const *kernels_available(void);
/* Fill *k with the variant `name`; for tests and benches. */
int kernels_get(const char *name, struct kernels *k, struct err *err);

#endif
