/* Fitting a table of token vectors to an encoder.
 *
 * A text's vector is u = s / |s|, s the sum of its tokens' rows. Wanted is u near the teacher's t,
 * and the cosines between texts near the teacher's, for that is what search goes by. For a group of
 * texts the loss is
 *
 *     sum_i (1 - u_i . t_i)  +  gram * sum_i,j (u_i . u_j - t_i . t_j)^2 / 2 / group
 *
 * and its gradient with respect to s_i is (g - (g . u) u) / |s| with g = dloss/du_i. Rows take
 * steps
 * by Adam (Kingma and Ba, 2015) with one second moment for the whole row: the gradient keeps its
 * direction, and a rare token, whose gradients are few, moves as far a step as a common one. The
 * step shrinks linearly to nothing.
 *
 * A batch is computed in three rounds shared by the threads: texts to vectors; groups to gradients;
 * tokens to new rows, each by one thread alone. So the result does not depend on how many there
 * are. */
#include "model/distill_fit.h"

#include "base/threads.h"
#include "kernels/kernels.h"
#include "kernels/nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH      512
#define GROUP      64 /* texts whose cosines with each other are compared */
#define TOKEN_PART 64
#define BETA1      0.9f
#define BETA2      0.99f
#define TOKENS_MAX 512 /* of a text; the rest is passed over */

struct work {
    struct fit *f;
    float *m;          /* [vocab, dim] first moments */
    float *second;     /* [vocab] second moments */
    uint32_t *steps;   /* [vocab] taken */
    uint32_t *order;   /* [n] of texts in this epoch */
    float *u, *grad;   /* [BATCH, dim] */
    float *len;        /* [BATCH] of s */
    size_t first;      /* of the batch, in order */
    size_t count;      /* texts of the batch */
    int32_t *head;     /* [vocab] first pair of a token, -1: none */
    int32_t *next;     /* [BATCH * TOKENS_MAX] pairs */
    uint16_t *text_of; /* of a pair */
    int32_t *token;    /* the batch's tokens, each once */
    size_t n_token;
    float rate;
};

static size_t tokens_of_text(const struct fit *f, size_t i)
{
    size_t n = f->at[i + 1] - f->at[i];
    return n < TOKENS_MAX ? n : TOKENS_MAX;
}

static void texts_part(void *ud, int part)
{
    struct work *w = ud;
    const struct fit *f = w->f;
    size_t dim = (size_t)f->dim;
    for (size_t b = (size_t)part * GROUP; b < w->count && b < ((size_t)part + 1) * GROUP; b++) {
        size_t text = w->order[w->first + b], n = tokens_of_text(f, text);
        float *u = w->u + b * dim;
        memset(u, 0, dim * sizeof *u);
        for (size_t k = 0; k < n; k++)
            kernels.axpy_f32(u, 1, f->row + (size_t)f->ids[f->at[text] + k] * dim, dim);
        float len = sqrtf(kernels.dot_f32(u, u, dim));
        w->len[b] = len > 1e-12f ? len : 1e-12f;
        nn_scale(u, 1 / w->len[b], dim);
    }
}

static void groups_part(void *ud, int part)
{
    struct work *w = ud;
    const struct fit *f = w->f;
    size_t dim = (size_t)f->dim, from = (size_t)part * GROUP, to = from + GROUP;
    if (to > w->count) to = w->count;
    for (size_t i = from; i < to; i++) {
        const float *u = w->u + i * dim;
        const float *t = f->target + w->order[w->first + i] * dim;
        float *g = w->grad + i * dim;
        memset(g, 0, dim * sizeof *g);
        kernels.axpy_f32(g, -1, t, dim);
        for (size_t j = from; j < to && f->gram > 0; j++) {
            if (j == i) continue;
            const float *tj = f->target + w->order[w->first + j] * dim;
            float off = kernels.dot_f32(u, w->u + j * dim, dim) - kernels.dot_f32(t, tj, dim);
            kernels.axpy_f32(g, 2 * f->gram * off / GROUP, w->u + j * dim, dim);
        }
        kernels.axpy_f32(g, -kernels.dot_f32(g, u, dim), u, dim);
        nn_scale(g, 1 / w->len[i], dim);
    }
}

static void token_step(struct work *w, int32_t id, float *g)
{
    size_t dim = (size_t)w->f->dim;
    float *m = w->m + (size_t)id * dim, *row = w->f->row + (size_t)id * dim;
    memset(g, 0, dim * sizeof *g);
    for (int32_t p = w->head[id]; p >= 0; p = w->next[p])
        kernels.axpy_f32(g, 1, w->grad + w->text_of[p] * dim, dim);
    float k = (float)++w->steps[id];
    nn_scale(m, BETA1, dim);
    kernels.axpy_f32(m, 1 - BETA1, g, dim);
    float *v = &w->second[id];
    *v = BETA2 * *v + (1 - BETA2) * kernels.dot_f32(g, g, dim) / (float)dim;
    float right1 = 1 - powf(BETA1, k), right2 = 1 - powf(BETA2, k);
    kernels.axpy_f32(row, -w->rate / right1 / (sqrtf(*v / right2) + 1e-9f), m, dim);
    w->head[id] = -1;
}

static void tokens_part(void *ud, int part)
{
    struct work *w = ud;
    float g[8192];
    size_t end = ((size_t)part + 1) * TOKEN_PART;
    for (size_t i = (size_t)part * TOKEN_PART; i < w->n_token && i < end; i++)
        token_step(w, w->token[i], g);
}

/* For each token of the batch the list of texts it is in. */
static void list_tokens(struct work *w)
{
    const struct fit *f = w->f;
    int32_t pair = 0;
    w->n_token = 0;
    for (size_t b = 0; b < w->count; b++) {
        size_t text = w->order[w->first + b], n = tokens_of_text(f, text);
        for (size_t k = 0; k < n; k++, pair++) {
            int32_t id = f->ids[f->at[text] + k];
            if (w->head[id] < 0) w->token[w->n_token++] = id;
            w->next[pair] = w->head[id];
            w->text_of[pair] = (uint16_t)b;
            w->head[id] = pair;
        }
    }
}

static uint64_t draw(uint64_t *s) /* splitmix64 */
{
    uint64_t z = (*s += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int run(struct work *w, struct progress *p)
{
    struct fit *f = w->f;
    uint64_t seed = f->seed;
    size_t total = (size_t)f->epochs * f->n, done = 0;
    for (size_t i = 0; i < f->n; i++) w->order[i] = (uint32_t)i;
    for (int e = 0; e < f->epochs; e++) {
        for (size_t i = f->n; i > 1; i--) {
            size_t j = draw(&seed) % i;
            uint32_t t = w->order[i - 1];
            w->order[i - 1] = w->order[j], w->order[j] = t;
        }
        for (w->first = 0; w->first < f->n; w->first += w->count, done += w->count) {
            w->count = f->n - w->first < BATCH ? f->n - w->first : BATCH;
            w->rate = f->rate * (1 - (float)done / (float)total);
            int groups = (int)((w->count + GROUP - 1) / GROUP);
            list_tokens(w);
            threads_run(groups, texts_part, w);
            threads_run(groups, groups_part, w);
            threads_run((int)((w->n_token + TOKEN_PART - 1) / TOKEN_PART), tokens_part, w);
        }
        int rc = progress_tick(p, "fit", (uint64_t)e + 1, (uint64_t)f->epochs, "rounds");
        if (rc) return rc;
    }
    return 0;
}

int fit_run(struct fit *f, struct progress *p, struct err *err)
{
    size_t vocab = (size_t)f->vocab, dim = (size_t)f->dim, pairs = BATCH * TOKENS_MAX;
    struct work w = { .f = f };
    if (dim > 8192) return err_set(err, ERR_INVAL, "%d numbers a row are too many", f->dim);
    w.m = calloc(vocab * dim, sizeof *w.m);
    w.second = calloc(vocab, sizeof *w.second);
    w.steps = calloc(vocab, sizeof *w.steps);
    w.order = malloc(f->n * sizeof *w.order);
    w.u = malloc(BATCH * dim * sizeof *w.u);
    w.grad = malloc(BATCH * dim * sizeof *w.grad);
    w.len = malloc(BATCH * sizeof *w.len);
    w.head = malloc(vocab * sizeof *w.head);
    w.next = malloc(pairs * sizeof *w.next);
    w.text_of = malloc(pairs * sizeof *w.text_of);
    w.token = malloc(pairs * sizeof *w.token);
    int rc;
    if (w.m && w.second && w.steps && w.order && w.u && w.grad && w.len && w.head && w.next &&
        w.text_of && w.token) {
        for (size_t i = 0; i < vocab; i++) w.head[i] = -1;
        rc = run(&w, p);
    } else {
        rc = err_nomem(err);
    }
    void *all[] = { w.m,   w.second, w.steps, w.order,   w.u,    w.grad,
                    w.len, w.head,   w.next,  w.text_of, w.token };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    return rc;
}

/* ---- reduction: eigenvectors of X'X by Jacobi's rotations (Golub and Van Loan, section 8.5)
 * ---- */

static void rotate(double *a, double *v, int n, int p, int q)
{
    double apq = a[p * n + q];
    if (fabs(apq) < 1e-14) return;
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y, a[k * n + q] = s * x + c * y;
    }
    for (int k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y, a[q * n + k] = s * x + c * y;
        x = v[p * n + k], y = v[q * n + k];
        v[p * n + k] = c * x - s * y, v[q * n + k] = s * x + c * y;
    }
}

/* v: zeros, becomes the eigenvectors of a. */
static void jacobi(double *a, double *v, int n)
{
    for (int i = 0; i < n; i++) v[i * n + i] = 1;
    for (int sweep = 0; sweep < 12; sweep++) {
        double off = 0, all = 0;
        for (int p = 0; p < n; p++)
            for (int q = 0; q < n; q++) {
                all += a[p * n + q] * a[p * n + q];
                if (p != q) off += a[p * n + q] * a[p * n + q];
            }
        if (off <= 1e-16 * all) break;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) rotate(a, v, n, p, q);
    }
}

int fit_directions(const float *x, size_t n, int dim, int k, float *out, struct err *err)
{
    size_t d = (size_t)dim;
    float *sum = calloc(d * d, sizeof *sum);
    double *a = calloc(d * d, sizeof *a), *v = calloc(d * d, sizeof *v);
    int rc = 0;
    if (!sum || !a || !v) {
        rc = err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < d; r++) kernels.axpy_f32(sum + r * d, x[i * d + r], x + i * d, d);
    for (size_t i = 0; i < d * d; i++) a[i] = (double)sum[i] / (double)n;
    jacobi(a, v, dim);
    for (int r = 0; r < k; r++) {
        int best = 0;
        for (int i = 1; i < dim; i++)
            if (a[(size_t)i * d + (size_t)i] > a[(size_t)best * d + (size_t)best]) best = i;
        for (size_t c = 0; c < d; c++) out[(size_t)r * d + c] = (float)v[(size_t)best * d + c];
        a[(size_t)best * d + (size_t)best] = -1;
    }
out:
    free(sum);
    free(a);
    free(v);
    return rc;
}

/* ---- ranks ---- */

struct pair {
    float a, b;
};

static int by_a(const void *x, const void *y)
{
    float a = ((const struct pair *)x)->a, b = ((const struct pair *)y)->a;
    return a < b ? -1 : a > b;
}

static int by_b(const void *x, const void *y)
{
    float a = ((const struct pair *)x)->b, b = ((const struct pair *)y)->b;
    return a < b ? -1 : a > b;
}

double fit_spearman(const float *a, int da, const float *b, int db, size_t n)
{
    size_t pairs = n * (n - 1) / 2, k = 0;
    struct pair *p = n < 2 ? NULL : malloc(pairs * sizeof *p);
    if (!p) return -2;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            p[k++] =
                (struct pair){ kernels.dot_f32(a + i * (size_t)da, a + j * (size_t)da, (size_t)da),
                               kernels.dot_f32(b + i * (size_t)db, b + j * (size_t)db,
                                               (size_t)db) };
    qsort(p, pairs, sizeof *p, by_a);
    for (size_t i = 0; i < pairs; i++) p[i].a = (float)i; /* ranks: ties are rare */
    qsort(p, pairs, sizeof *p, by_b);
    double sum = 0, mean = ((double)pairs - 1) / 2;
    double var = ((double)pairs * (double)pairs - 1) / 12;
    for (size_t i = 0; i < pairs; i++) sum += ((double)i - mean) * ((double)p[i].a - mean);
    free(p);
    return sum / (double)pairs / var;
}
