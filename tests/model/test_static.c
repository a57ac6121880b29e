/* Static tables: made from a tiny encoder, opened, refused when they are not what they should be;
 * and what the shipped one finds near, where it is in the program. */
#include "check.h"

#include "base/io.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "model/distill.h"
#include "model/distill_fit.h"
#include "model/embed.h"
#include "wanted.h"

#include <math.h>

#define RANK_LEAST 0.81

static void make(const char *dir, char *out, size_t n, struct distill_report *r)
{
    struct err err = { 0 };
    char teacher[512], corpus[512], cache[512];
    struct buf b = BUF_INIT(0);
    static const char *const words[] = { "sea", "wind", "house", "bread", "dog", "old" };
    for (int i = 0; i < 216; i++)
        buf_printf(&b, "the %s %s under a %s\n", words[i % 6], words[i / 6 % 6], words[i / 36]);
    snprintf(teacher, sizeof teacher, "tests/model/encoders/bert-mean.gguf");
    snprintf(corpus, sizeof corpus, "%s/corpus.txt", dir);
    snprintf(cache, sizeof cache, "%s/cache", dir);
    snprintf(out, n, "%s/table.gguf", dir);
    check_ok(io_write_file(corpus, b.p, b.n, 0600, &err), err);
    struct distill_opts o = { .teacher = teacher,
                              .corpus = corpus,
                              .held = corpus,
                              .out = out,
                              .cache = cache,
                              .epochs = 30 };
    check_ok(distill(&o, r, NULL, &err), err);
    buf_free(&b);
}

static void made_from_an_encoder(void **state)
{
    if (!io_exists("tests/model/encoders/bert-mean.gguf")) skip();
    struct distill_report r, again;
    struct err err = { 0 };
    char path[512], dir[256];
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    threads_set(2);
    make(dir, path, sizeof path, &r);
    check_int(r.texts, 216);
    check_int(r.dim, 32);
    /* A random encoder is no sum of words; half of its ranks are. */
    if (!(r.spearman > 0.4)) fail_msg("rank correlation %.4f", r.spearman);
    struct embedder *e = embed_open(path, NULL, 0, &err);
    if (!e) fail_msg("%s", err.msg);
    check_str(e->kind->name, "static");
    float a[32], b[64], sum = 0;
    check_int(embed_text(e, "the old sea", 11, a), 0);
    for (int i = 0; i < 32; i++) sum += a[i] * a[i];
    check_near(sum, 1, 1e-5);
    struct span s[] = { { "", 0 }, { "the old sea", 11 } };
    check_ok(embed_texts(e, EMBED_QUERY, s, 2, b, &err), err);
    assert_memory_equal(a, b + 32, sizeof a);
    check_near(b[0], 0, 0);
    char version[64];
    snprintf(version, sizeof version, "%s", e->version);
    embed_close(e);
    /* From the cache, on one thread: the same file. */
    threads_set(1);
    make(dir, path, sizeof path, &again);
    e = embed_open(path, NULL, 0, &err);
    check_str(e->version, version);
    embed_close(e);
    io_remove_tree(dir, NULL);
}

static void directions_of_a_plane(void **state)
{
    enum { N = 200, DIM = 8 };
    float x[N * DIM], out[2 * DIM];
    struct err err = { 0 };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < DIM; j++)
            x[i * DIM + j] = (j == 2) * sinf((float)i) * 3 + (j == 5) * cosf((float)i * 1.7f);
    check_ok(fit_directions(x, N, DIM, 2, out, &err), err);
    check_near(fabsf(out[2]), 1, 1e-2);
    check_near(fabsf(out[DIM + 5]), 1, 1e-2);
}

static void ranks(void **state)
{
    float a[4 * 2] = { 1, 0, 0.8f, 0.6f, 0, 1, -0.6f, 0.8f }, b[4 * 2];
    for (int i = 0; i < 8; i++) b[i] = 3 * a[i];
    check_near(fit_spearman(a, 2, b, 2, 4), 1, 1e-6);
}

static void shipped_table(void **state)
{
    struct err err = { 0 };
    struct embedder *e = embed_open("static", NULL, 0, &err);
    if (!e) {
        print_message("# skipped: %s\n", err.msg);
        skip();
    }
    static const char *const t[] = { "The doctor was kind to me.", "They took her to the hospital.",
                                     "We repaired the bicycle's brakes." };
    float v[3][EMBED_DIM_MAX];
    double near = 0, far = 0;
    for (int i = 0; i < 3; i++) check_int(embed_text(e, t[i], strlen(t[i]), v[i]), 0);
    for (int i = 0; i < e->dim; i++) near += v[0][i] * v[1][i], far += v[0][i] * v[2][i];
    if (!(near > far + 0.1)) fail_msg("hospital %.3f, bicycle %.3f", near, far);
    embed_close(e);
}

/* The shipped table and its teacher over texts that it was not fitted on: the fixture's, written
 * for this project. 0.83 was reached when the table was made; 0.90 is
 * wanted, which a sum of token vectors does not reach. */
static void shipped_ranks(void **state)
{
    struct err err = { 0 };
    struct wanted w;
    struct embedder *e = embed_open("static", NULL, 0, &err);
    if (!e || !read_wanted("minilm", &w)) skip();
    float *v = malloc(w.n * (size_t)e->dim * sizeof *v), *t = malloc(w.n * w.dim * sizeof *t);
    size_t n = 0;
    for (size_t i = 0; i < w.n; i++) { /* the empty and the odd have no words */
        if (w.text[i].n < 8) continue;
        check_int(embed_text(e, w.text[i].s, w.text[i].n, v + n * (size_t)e->dim), 0);
        memcpy(t + n++ * w.dim, w.vector + i * w.dim, w.dim * sizeof *t);
    }
    double rank = fit_spearman(v, e->dim, t, (int)w.dim, n);
    print_message("# static and its teacher: Spearman %.4f over the pairs of %zu texts\n", rank, n);
    if (!(rank >= RANK_LEAST)) fail_msg("rank correlation %.4f", rank);
    free(v);
    free(t);
    free(w.vector);
    buf_free(&w.bytes);
    embed_close(e);
}

int main(void)
{
    kernels_init(NULL, NULL);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(made_from_an_encoder),
        cmocka_unit_test(directions_of_a_plane),
        cmocka_unit_test(ranks),
        cmocka_unit_test(shipped_table),
        cmocka_unit_test(shipped_ranks),
    };
    return check_run("model/static", t);
}
