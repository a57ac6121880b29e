/* Encoders against a float64 reference: tiny ones of every kind (tools/make_tiny_encoders.py), and
 * the real all-MiniLM-L6-v2 where LIKENESS_TEST_MINILM names its folder
 * (tools/encoder_reference.py). What a text becomes does not depend on its neighbours. */
#include "check.h"

#include "base/io.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "model/embed.h"
#include "model/encoder.h"
#include "model/hf_import.h"
#include "wanted.h"

#include <math.h>

static double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++)
        ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
    return ab / sqrt(aa * bb);
}

static struct encoder *open_encoder(const char *path, bool q8, int rows, struct gguf **g)
{
    struct err err = { 0 };
    struct encoder *e;
    check_ok(gguf_open(path, g, &err), err);
    check_ok(encoder_open(*g, &(struct encoder_opts){ .q8 = q8, .max_rows = rows }, &e, &err), err);
    return e;
}

/* The least cosine over all texts. */
static double worst(struct encoder *e, const struct wanted *w)
{
    struct err err = { 0 };
    float *v = malloc(w->n * w->dim * sizeof *v);
    double least = 1;
    check_int(encoder_facts(e)->dim, w->dim);
    check_ok(encoder_embed(e, w->text, w->n, v, &err), err);
    for (size_t i = 0; i < w->n; i++) {
        double c = cosine(v + i * w->dim, w->vector + i * w->dim, w->dim);
        if (!(c >= least)) least = c;
    }
    free(v);
    return least;
}

static void drop(struct wanted *w, struct encoder *e, struct gguf *g)
{
    free(w->vector);
    buf_free(&w->bytes);
    encoder_close(e);
    gguf_close(g);
}

static void tiny(const char *name)
{
    struct wanted w;
    struct gguf *g;
    char path[512];
    if (!read_wanted(name, &w)) skip();
    snprintf(path, sizeof path, "%s/%s.gguf", folder(), name);
    struct encoder *e = open_encoder(path, false, 0, &g);
    double c = worst(e, &w);
    if (!(c >= 0.99999)) fail_msg("%s: cosine %.7f", name, c);
    encoder_close(e);
    gguf_close(g);
    e = open_encoder(path, true, 0, &g);
    c = worst(e, &w);
    if (!(c >= 0.995)) fail_msg("%s in q8_0: cosine %.7f", name, c);
    drop(&w, e, g);
}

static void bert_mean(void **state) { tiny("bert-mean"); }
static void bert_cls(void **state) { tiny("bert-cls"); }
static void nomic(void **state) { tiny("nomic"); }
static void xlmr(void **state) { tiny("xlmr"); }

/* Alone, together, in small batches, on other threads: the same bits. */
static void neighbours_change_nothing(void **state)
{
    struct wanted w;
    struct gguf *g, *g2;
    struct err err = { 0 };
    char path[512];
    if (!read_wanted("bert-mean", &w)) skip();
    snprintf(path, sizeof path, "%s/bert-mean.gguf", folder());
    for (int q8 = 0; q8 < 2; q8++) {
        struct encoder *e = open_encoder(path, q8, 0, &g), *small = open_encoder(path, q8, 24, &g2);
        float *all = malloc(w.n * w.dim * sizeof *all), *one = malloc(w.n * w.dim * sizeof *one);
        threads_set(3);
        check_ok(encoder_embed(e, w.text, w.n, all, &err), err);
        check_ok(encoder_embed(small, w.text, w.n, one, &err), err);
        assert_memory_equal(all, one, w.n * w.dim * sizeof *all);
        threads_set(1);
        for (size_t i = 0; i < w.n; i++)
            check_ok(encoder_embed(e, &w.text[i], 1, one + i * w.dim, &err), err);
        assert_memory_equal(all, one, w.n * w.dim * sizeof *all);
        free(all);
        free(one);
        encoder_close(e);
        gguf_close(g);
        encoder_close(small);
        gguf_close(g2);
    }
    free(w.vector);
    buf_free(&w.bytes);
}

static void ids_as_text(void **state)
{
    struct gguf *g;
    struct err err = { 0 };
    char path[512];
    snprintf(path, sizeof path, "%s/bert-cls.gguf", folder());
    if (!io_exists(path)) skip();
    struct encoder *e = open_encoder(path, false, 0, &g);
    float a[2 * 32], b[2 * 32];
    struct encoder_text t[] = { { "the sea", 7, ENCODER_PASSAGE }, { "dog", 3, ENCODER_QUERY } };
    int32_t ids[] = { 5, 7, 11 };
    int n[] = { 2, 1 };
    check_int(encoder_facts(e)->dim, 32);
    check_ok(encoder_embed(e, t, 2, a, &err), err);
    check_ok(encoder_embed_ids(e, ids, n, 2, b, &err), err);
    assert_memory_equal(a, b, sizeof a);
    ids[1] = 99999;
    check_int(encoder_embed_ids(e, ids, n, 2, b, &err), ERR_INVAL);
    encoder_close(e);
    gguf_close(g);
}

static void minilm(bool q8, double least)
{
    struct wanted w;
    struct gguf *g;
    const char *from = getenv("LIKENESS_TEST_MINILM");
    if (!from || !read_wanted("minilm", &w)) skip();
    struct err err = { 0 };
    char path[512], dir[256];
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    snprintf(path, sizeof path, "%s/minilm.gguf", dir);
    check_ok(model_import(from, path, &(struct import_opts){ .type = "f32" }, NULL, &err), err);
    struct encoder *e = open_encoder(path, q8, 0, &g);
    io_remove_tree(dir, NULL); /* mapped */
    double c = worst(e, &w);
    print_message("# all-MiniLM-L6-v2%s: least cosine %.7f of %zu texts\n", q8 ? " in q8_0" : "", c,
                  w.n);
    if (!(c >= least)) fail_msg("cosine %.7f, want %.4f", c, least);
    drop(&w, e, g);
}

static void minilm_f32(void **state) { minilm(false, 0.9999); }
static void minilm_q8_0(void **state) { minilm(true, 0.999); }

static void embedder_of_a_file(void **state)
{
    struct err err = { 0 };
    char path[512];
    snprintf(path, sizeof path, "%s/bert-mean.gguf", folder());
    if (!io_exists(path)) skip();
    struct embedder *e = embed_open(path, NULL, 0, &err);
    if (!e) fail_msg("%s", err.msg);
    check_int(e->dim, 32);
    check_has(e->version, "bert-32-q8_0-");
    check_str(e->name, path);
    float a[32], b[64];
    check_int(embed_text(e, "the sea", 7, a), 0);
    struct span s[] = { { "dog", 3 }, { "the sea", 7 } };
    check_ok(embed_texts(e, EMBED_PASSAGE, s, 2, b, &err), err);
    assert_memory_equal(a, b + 32, sizeof a);
    check_int(embed_text(e, " \n", 2, a), 0);
    check_near(a[0], 0, 0);
    uint32_t off[4];
    check_int(embed_tokens(e, "the  sea", 8, off, 4), 2);
    check_int(off[1], 5);
    embed_close(e);
    check_int(embed_open("model:nothing", NULL, 0, &err) == NULL, 1);
    check_int(err.code, ERR_NOTFOUND);
}

int main(void)
{
    kernels_init(NULL, NULL);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(bert_mean),
        cmocka_unit_test(bert_cls),
        cmocka_unit_test(nomic),
        cmocka_unit_test(xlmr),
        cmocka_unit_test(ids_as_text),
        cmocka_unit_test(neighbours_change_nothing),
        cmocka_unit_test(minilm_f32),
        cmocka_unit_test(minilm_q8_0),
        cmocka_unit_test(embedder_of_a_file),
    };
    return check_run("model/encoder", t);
}
