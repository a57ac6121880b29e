/* What a transformer does between its matrix products, row by row. All in f32, in place unless said
 * otherwise, nothing allocated. Shapes: n rows (tokens) of dim numbers. The same bits come out for
 * a row whatever the number of rows and threads.
 *
 * Functions that take whole batches share their work among the threads of base/threads.h where it
 * pays; attention is a room of its own, kernels/attn.h. */
#ifndef LK_KERNELS_NN_H
#define LK_KERNELS_NN_H

#include <stddef.h>

/* y = x / sqrt(mean(x^2) + eps) * w   (Zhang and Sennrich, 2019). plus_one: weights are stored less
 * one (gemma before conversion); 0 in GGUF files. y may be x. */
void nn_rmsnorm(float *y, const float *x, const float *w, int n, int dim, float eps);
/* y = (x - mean) / sqrt(var + eps) * w + b   (Ba et al., 2016). b may be NULL. y may be x. */
void nn_layernorm(float *y, const float *x, const float *w, const float *b, int n, int dim,
                  float eps);
void nn_add(float *y, const float *x, size_t n);          /* y += x */
void nn_scale(float *y, float a, size_t n);               /* y *= a */
void nn_bias(float *y, const float *b, int n, int dim);   /* each row += b; b NULL: nothing */
void nn_silu_mul(float *gate, const float *up, size_t n); /* gate = silu(gate) * up */
void nn_gelu_mul(float *gate, const float *up, size_t n); /* tanh form, gemma */
void nn_gelu(float *x, size_t n);                         /* erf form, BERT */
void nn_softcap(float *x, float cap, size_t n);           /* cap * tanh(x / cap) */
void nn_softmax(float *x, int n);                         /* one row */
/* Rotate heads by position (Su et al., RoFormer, 2021, section 3.4.2). x: [n, heads, head_dim];
 * cos_sin: [n_pos, n_rot / 2, 2] made by nn_rope_table; pos: [n]. The first n_rot numbers of each
 * head are rotated: pairs (2i, 2i+1) when interleaved (LLaMA in GGUF), (i, i + n_rot/2) when not
 * (qwen, gemma, BERT with RoPE). */
void nn_rope(float *x, const int *pos, int n, int heads, int head_dim, int n_rot, int stride,
             const float *cos_sin, int interleaved);
/* freq_factors: [n_rot / 2] divisors (llama 3.1 scaling) or NULL; scale: positions are multiplied
 * by it (linear scaling), 1 usually. out: [n_pos, n_rot / 2, 2]. */
void nn_rope_table(float *out, int n_pos, int n_rot, float base, float scale,
                   const float *freq_factors);

#endif
