/* Matrices of weights and their product with activations: where a model spends its time.
 *
 *     struct mat w;
 *     mat_init(&w, QUANT_Q4_K, 2048, 8192, data, err);    borrows data (a mapped file)
 *     mat_pack(&w, err);                                   re-laid for this CPU; data may go
 *     struct acts a;
 *     acts_init(&a, 512, 8192, err);                       room for 512 rows of at most 8192
 *     acts_set(&a, x, n, 8192);                            x: [n, 8192] f32, borrowed
 *     mat_mul(&w, &a, y, 2048);                            y: [n, 2048], rows 2048 floats apart
 *     mat_clear(&w);
 *
 * Nothing is allocated by acts_set and mat_mul. The work is shared among the threads of
 * base/threads.h.
 *
 * Invariance, which sampling and batching rest upon: the bits of y[t][r] depend only on x[t], on
 * row r and on the CPU variant; never on n, on the number of threads, or on whether the matrix was
 * multiplied alone or with others. */
#ifndef LK_KERNELS_MAT_H
#define LK_KERNELS_MAT_H

#include "base/err.h"
#include "kernels/quant.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mat {
    enum quant type;
    int rows, cols;   /* outputs, inputs: y = W x */
    const void *data; /* rows as in the file, quant_row_bytes(type, cols) apart; borrowed */
    void *packed;     /* re-laid copy, or NULL: then data is used */
    size_t packed_bytes;
    int layout; /* which one, private to mat*.c */
};

/* cols: a multiple of the type's block. */
int mat_init(struct mat *m, enum quant type, int rows, int cols, const void *data, struct err *err);
/* Re-lays the weights as this CPU likes them, where that pays. Afterwards data is not read again by
 * mat_mul when mat_packed() says so, and its pages can be given back. */
int mat_pack(struct mat *m, struct err *err);
bool mat_packed(const struct mat *m);
/* Row r as floats, from data or from the packed form: embedding look-up. x: [cols] */
void mat_row(const struct mat *m, int r, float *x);
void mat_clear(struct mat *m); /* frees packed; accepts a zeroed one */

/* Writes rows t .. t + n - 1 of activations. */
typedef void acts_fn(void *ud, int t, int n);

/* Activations made ready for products: the floats, and other forms of them, made when the first
 * product wants them, once for all matrices that share the input. */
struct acts {
    const float *x; /* [n, cols] */
    int n, cols;
    int max_n, max_cols;
    /* The rest is private to mat*.c. */
    acts_fn *make; /* writes rows of x; NULL: they are there */
    void *ud;
    bool q_ready, f_ready; /* q, f are made for this x */
    void *q;               /* for weights that are integers: int8 blocks with scales and sums */
    float *f;              /* for many rows and weights that are floats: tiles of f_n rows */
    int f_n, f_first;      /* and which of these x begins at */
};
int acts_init(struct acts *a, int max_n, int max_cols, struct err *err);
/* x stays the caller's and must not change until the last mat_mul with it. */
void acts_set(struct acts *a, const float *x, int n, int cols);
/* As acts_set, of rows that are not there yet: before the first product reads them, make is called
 * for each row once, by several threads for different rows. So a norm or an activation is rounded
 * for the products while the cache still has it, and the threads meet once instead of twice. */
void acts_make(struct acts *a, float *x, int n, int cols, acts_fn *make, void *ud);
void acts_clear(struct acts *a);

/* y[t][r] = sum over c of W[r][c] * x[t][c] for t < a->n, r < rows. y rows are `stride` floats
 * apart. Float weights: within 1e-5 of the exact product relative to the sum of magnitudes;
 * integer weights see x rounded to int8 in blocks of 32 (a step is 1/127 of the block's largest, so
 * the error is below half a step times the sum of |W| there; 7e-4 of the sum of magnitudes is
 * usual), and all CPU variants give the same bits. */
void mat_mul(const struct mat *m, struct acts *a, float *y, int stride);
/* Several matrices with the same input in one go (q, k and v; gate and up): one wait instead of
 * three. ms, ys and strides have n_mats entries, at most 4. */
void mat_mul_many(const struct mat *const *ms, int n_mats, struct acts *a, float *const *ys,
                  const int *strides);
/* As mat_mul, but y += instead of y = (residual streams). */
void mat_mul_add(const struct mat *m, struct acts *a, float *y, int stride);

#endif
