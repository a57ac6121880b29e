/* Rows, threads and shapes around the loops of nn_impl.h. A batch is cut into runs of rows (or of
 * numbers, where rows don't matter) that the threads take; every loop gives the same bits however
 * it is cut, so neither the number of rows nor of threads shows in a result. A batch of less than
 * LEAST numbers is done by the caller: waking a thread costs some microseconds, in which a core
 * does that many numbers. */
#include "kernels/nn.h"

#include "base/threads.h"
#include "kernels/nn_impl.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LEAST = 32768, ROPE_RUN = 256 };

static const struct nn_loops *loops = &nn_loops_generic;

void nn_choose(const char *cpu)
{
    loops = &nn_loops_generic;
#ifdef __x86_64__
    if (!strcmp(cpu, "avx2")) loops = &nn_loops_avx2;
    if (!strcmp(cpu, "avx512")) loops = &nn_loops_avx512;
#endif
}

struct job {
    void (*fn)(const struct job *j, size_t from, size_t to);
    size_t n, step; /* rows or numbers, and how many of them a part takes */
    float *y;
    const float *x, *w, *b;
    size_t dim, stride;
    float a;
    const int *pos;
    int heads, head_dim, n_rot;
    bool interleaved;
};

static void run_part(void *ud, int part)
{
    const struct job *j = ud;
    size_t from = (size_t)part * j->step, to = from + j->step;
    j->fn(j, from, to < j->n ? to : j->n);
}

/* numbers: how many a unit (a row, or one number) holds. */
static void share(struct job *j, size_t numbers)
{
    size_t threads = j->n * numbers < LEAST ? 1 : (size_t)threads_count();
    if (threads < 2) {
        j->fn(j, 0, j->n);
        return;
    }
    j->step = (j->n + 4 * threads - 1) / (4 * threads);
    if (numbers == 1) j->step = (j->step + 63) & ~(size_t)63;
    threads_run((int)((j->n + j->step - 1) / j->step), run_part, j);
}

static void rmsnorm(const struct job *j, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        loops->rmsnorm(j->y + i * j->dim, j->x + i * j->dim, j->w, j->dim, j->a);
}

void nn_rmsnorm(float *y, const float *x, const float *w, int n, int dim, float eps)
{
    struct job j = { .fn = rmsnorm, .n = (size_t)n, .y = y, .x = x, .w = w, .a = eps };
    j.dim = (size_t)dim;
    share(&j, j.dim);
}

static void layernorm(const struct job *j, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        loops->layernorm(j->y + i * j->dim, j->x + i * j->dim, j->w, j->b, j->dim, j->a);
}

void nn_layernorm(float *y, const float *x, const float *w, const float *b, int n, int dim,
                  float eps)
{
    struct job j = { .fn = layernorm, .n = (size_t)n, .y = y, .x = x, .w = w, .b = b, .a = eps };
    j.dim = (size_t)dim;
    share(&j, j.dim);
}

static void add(const struct job *j, size_t from, size_t to)
{
    loops->add(j->y + from, j->x + from, to - from);
}

void nn_add(float *y, const float *x, size_t n)
{
    struct job j = { .fn = add, .n = n, .y = y, .x = x };
    share(&j, 1);
}

static void scale(const struct job *j, size_t from, size_t to)
{
    loops->scale(j->y + from, j->a, to - from);
}

void nn_scale(float *y, float a, size_t n)
{
    struct job j = { .fn = scale, .n = n, .y = y, .a = a };
    share(&j, 1);
}

static void bias(const struct job *j, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) loops->add(j->y + i * j->dim, j->b, j->dim);
}

void nn_bias(float *y, const float *b, int n, int dim)
{
    struct job j = { .fn = bias, .n = (size_t)n, .y = y, .b = b, .dim = (size_t)dim };
    if (b) share(&j, j.dim);
}

static void silu_mul(const struct job *j, size_t from, size_t to)
{
    loops->silu_mul(j->y + from, j->x + from, to - from);
}

void nn_silu_mul(float *gate, const float *up, size_t n)
{
    struct job j = { .fn = silu_mul, .n = n, .y = gate, .x = up };
    share(&j, 1);
}

static void gelu_mul(const struct job *j, size_t from, size_t to)
{
    loops->gelu_mul(j->y + from, j->x + from, to - from);
}

void nn_gelu_mul(float *gate, const float *up, size_t n)
{
    struct job j = { .fn = gelu_mul, .n = n, .y = gate, .x = up };
    share(&j, 1);
}

static void gelu(const struct job *j, size_t from, size_t to)
{
    loops->gelu(j->y + from, to - from);
}

void nn_gelu(float *x, size_t n)
{
    struct job j = { .fn = gelu, .n = n, .y = x };
    share(&j, 1);
}

static void softcap(const struct job *j, size_t from, size_t to)
{
    loops->softcap(j->y + from, j->a, to - from);
}

void nn_softcap(float *x, float cap, size_t n)
{
    struct job j = { .fn = softcap, .n = n, .y = x, .a = cap };
    share(&j, 1);
}

void nn_softmax(float *x, int n)
{
    if (n > 0) loops->softmax(x, (size_t)n);
}

/* The table holds (cos, sin) pairs, which is what pairs want; halves want them apart. */
static void rope_halves(const struct job *j, float *x, const float *cs)
{
    float c[ROPE_RUN], s[ROPE_RUN];
    int half = j->n_rot / 2;
    for (int from = 0; from < half; from += ROPE_RUN) {
        int n = half - from < ROPE_RUN ? half - from : ROPE_RUN;
        for (int i = 0; i < n; i++) {
            c[i] = cs[2 * (from + i)];
            s[i] = cs[2 * (from + i) + 1];
        }
        for (int h = 0; h < j->heads; h++) {
            float *a = x + (size_t)h * (size_t)j->head_dim + from;
            loops->turn_halves(a, a + half, c, s, (size_t)n);
        }
    }
}

static void rope(const struct job *j, size_t from, size_t to)
{
    size_t half = (size_t)j->n_rot / 2;
    for (size_t i = from; i < to; i++) {
        float *x = j->y + i * j->stride;
        const float *cs = j->x + (size_t)j->pos[i] * half * 2;
        if (!j->interleaved) rope_halves(j, x, cs);
        else
            for (int h = 0; h < j->heads; h++)
                loops->turn_pairs(x + (size_t)h * (size_t)j->head_dim, cs, half);
    }
}

void nn_rope(float *x, const int *pos, int n, int heads, int head_dim, int n_rot, int stride,
             const float *cos_sin, int interleaved)
{
    struct job j = { .fn = rope,
                     .n = (size_t)n,
                     .y = x,
                     .x = cos_sin,
                     .pos = pos,
                     .stride = (size_t)stride,
                     .heads = heads,
                     .head_dim = head_dim,
                     .n_rot = n_rot,
                     .interleaved = interleaved };
    share(&j, (size_t)heads * (size_t)n_rot);
}

/* In double: a float angle at position 100,000 is off by thousandths of a turn. */
static void rope_table(const struct job *j, size_t from, size_t to)
{
    size_t half = (size_t)j->n_rot / 2;
    for (size_t i = 0; i < half; i++) {
        double f = pow((double)j->a, -2.0 * (double)i / j->n_rot) * (double)*j->b;
        if (j->w) f /= (double)j->w[i];
        for (size_t p = from; p < to; p++) {
            double t = (double)p * f;
            j->y[2 * (p * half + i)] = (float)cos(t);
            j->y[2 * (p * half + i) + 1] = (float)sin(t);
        }
    }
}

void nn_rope_table(float *out, int n_pos, int n_rot, float base, float by,
                   const float *freq_factors)
{
    struct job j = { .fn = rope_table,
                     .n = (size_t)n_pos,
                     .y = out,
                     .a = base,
                     .b = &by,
                     .w = freq_factors,
                     .n_rot = n_rot };
    share(&j, (size_t)n_rot);
}
