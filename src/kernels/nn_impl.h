/* Between nn.c, which knows rows and threads, and the instruction-set files nn_*.c, which know
 * loops. Each entry works on one row or one run of numbers; runs may be cut anywhere without
 * changing a bit. */
#ifndef LK_KERNELS_NN_IMPL_H
#define LK_KERNELS_NN_IMPL_H

#include <stddef.h>

struct nn_loops {
    void (*rmsnorm)(float *y, const float *x, const float *w, size_t dim, float eps);
    void (*layernorm)(float *y, const float *x, const float *w, const float *b, size_t dim,
                      float eps);
    void (*add)(float *y, const float *x, size_t n);
    void (*scale)(float *y, float a, size_t n);
    void (*silu_mul)(float *gate, const float *up, size_t n);
    void (*gelu_mul)(float *gate, const float *up, size_t n);
    void (*gelu)(float *x, size_t n);
    void (*softcap)(float *x, float cap, size_t n);
    void (*softmax)(float *x, size_t n);
    void (*turn_pairs)(float *x, const float *cos_sin, size_t n); /* n pairs (2i, 2i+1) */
    void (*turn_halves)(float *a, float *b, const float *c, const float *s, size_t n); /* (a, b) */
    void (*exp)(float *x, size_t n); /* these two for tests */
    void (*tanh)(float *x, size_t n);
};

extern const struct nn_loops nn_loops_generic, nn_loops_avx2, nn_loops_avx512;
/* By the name of a variant of kernels.h; kernels_init calls it. Unknown: generic. */
void nn_choose(const char *cpu);

#endif
