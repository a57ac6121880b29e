/* Decoders against the float64 reference, on every architecture and weight type; and the promises
 * of decoder_step: the same bits in any company, logits only for who asks, nothing allocated, and
 * nothing changed by a step that is refused. */
#include "counted.h"
#include "tiny.h"

#include "base/threads.h"
#include "kernels/kernels.h"

static const char *const exact[] = { "llama",      "llama-scaled", "llama-linear", "qwen2",
                                     "qwen2-yarn", "qwen3",        "gemma2",       "gemma3" };
static const char *const halves[] = { "f16", "bf16" };
static const char *const integers[] = { "q8_0", "q4_0", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k" };
enum { N_EXACT = 8, N_HALVES = 2, N_INTEGERS = 7 };

/* Against the reference at two positions: the largest difference, and the root mean square of all
 * of them over that of the logits. How often the likeliest id is another. */
static void compare(const char *name, double *most, double *share, int *other)
{
    struct tiny t;
    tiny_open(&t, name, NULL);
    struct timeline *line = tiny_timeline(&t, TINY_MAX, QUANT_F32);
    float *logits = calloc((size_t)(t.n * t.vocab), sizeof *logits);
    double off = 0, all = 0;
    *most = *other = 0;
    tiny_run(&t, line, t.ids, t.n, 13, logits);
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < t.vocab; i++) {
            double want = t.want[p * t.vocab + i], got = logits[t.at[p] * t.vocab + i];
            *most = fmax(*most, fabs(got - want));
            off += (got - want) * (got - want);
            all += want * want;
        }
    *share = sqrt(off / all);
    for (int i = 0; i < t.n; i++) *other += tiny_best(logits + i * t.vocab, t.vocab) != t.best[i];
    free(logits);
    timeline_free(line);
    tiny_close(&t);
}

static void every_architecture(void **state)
{
    double most, share;
    int other;
    for (int i = 0; i < N_EXACT; i++) {
        compare(exact[i], &most, &share, &other);
        if (most > 1e-4 || other) fail_msg("%s: %g off, %d ids", exact[i], most, other);
    }
}

/* Halves are exact numbers; a CPU may multiply them in half precision. Integers see activations in
 * int8, which is 1/127 of the largest of a block at worst. */
static void every_type(void **state)
{
    double most, share;
    int other;
    for (int i = 0; i < N_HALVES; i++) {
        compare(halves[i], &most, &share, &other);
        if (share > 1e-3 || other > 1) fail_msg("%s: %g off, %d ids", halves[i], most, other);
    }
    for (int i = 0; i < N_INTEGERS; i++) {
        compare(integers[i], &most, &share, &other);
        if (share > 0.05 || other > 4)
            fail_msg("%s: %g off, %g of all, %d ids", integers[i], most, share, other);
    }
}

static void every_cpu(void **state)
{
    struct err err = { 0 };
    for (const char *const *cpu = kernels_available(); *cpu; cpu++) {
        check_ok(kernels_init(*cpu, &err), err);
        every_architecture(state);
        every_type(state);
    }
    check_ok(kernels_init(NULL, &err), err);
}

/* The state in f16 and q8_0 is near that in f32. */
static void cache_types(void **state)
{
    struct tiny t;
    tiny_open(&t, "qwen3", NULL);
    size_t n = (size_t)t.vocab;
    float *a = calloc(n * (size_t)t.n, sizeof *a), *b = calloc(n * (size_t)t.n, sizeof *b);
    const enum quant kinds[] = { QUANT_F32, QUANT_F16, QUANT_Q8_0 };
    const double tolerance[] = { 0, 0.05, 0.5 };
    for (int i = 0; i < 3; i++) {
        struct timeline *line = tiny_timeline(&t, TINY_MAX, kinds[i]);
        tiny_run(&t, line, t.ids, t.n, 48, i ? b : a);
        for (size_t k = 0; i && k < n * (size_t)t.n; k++) check_near(b[k], a[k], tolerance[i]);
        timeline_free(line);
    }
    free(a);
    free(b);
    tiny_close(&t);
}

/* A prompt beside `crowd` others, one row of each a step. */
static void run_crowded(const struct tiny *t, int crowd, float *logits)
{
    struct timeline *lines[8];
    struct decoder_row rows[8];
    struct err err = { 0 };
    float *all = calloc((size_t)(8 * t->vocab), sizeof *all);
    for (int k = 0; k < crowd; k++) lines[k] = tiny_timeline(t, 70 + 13 * k, QUANT_F16);
    for (int i = 0; i < t->n; i++) {
        for (int k = 0; k < crowd; k++)
            rows[k] = (struct decoder_row){ lines[k], t->ids[(i + k * 5) % t->n], i, true };
        rows[crowd / 2].id = t->ids[i];
        check_ok(decoder_step(t->d, rows, crowd, all, &err), err);
        memcpy(logits + i * t->vocab, all + crowd / 2 * t->vocab, (size_t)t->vocab * sizeof *all);
    }
    for (int k = 0; k < crowd; k++) timeline_free(lines[k]);
    free(all);
}

static void company(const char *name)
{
    struct tiny t;
    tiny_open(&t, name, &(struct decoder_opts){ .max_batch = 40 });
    size_t bytes = (size_t)(t.n * t.vocab) * sizeof(float);
    float *alone = malloc(bytes), *other = malloc(bytes);
    threads_set(1);
    struct timeline *line = tiny_timeline(&t, 100, QUANT_F16);
    tiny_run(&t, line, t.ids, t.n, 1, alone);
    for (int threads = 1; threads <= 3; threads++) {
        const int slices[] = { 1, 7, 64 };
        threads_set(threads);
        for (int i = 0; i < 3; i++) {
            timeline_cut(line, 0);
            tiny_run(&t, line, t.ids, t.n, slices[i], other);
            if (memcmp(alone, other, bytes))
                fail_msg("%s: not the same by %d, %d threads", name, slices[i], threads);
        }
        run_crowded(&t, 8, other);
        if (memcmp(alone, other, bytes))
            fail_msg("%s: not the same in a crowd, %d threads", name, threads);
    }
    threads_set(2);
    timeline_free(line);
    free(alone);
    free(other);
    tiny_close(&t);
}

static void same_bits_in_any_company(void **state)
{
    for (int i = 0; i < N_EXACT; i++) company(exact[i]);
    for (int i = 0; i < N_HALVES; i++) company(halves[i]);
    for (int i = 0; i < N_INTEGERS; i++) company(integers[i]);
}

/* Slices of two timelines with caches of two types and a single row of a third; some ask. */
static void mixed_rows(void **state)
{
    struct tiny t;
    struct err err = { 0 };
    tiny_open(&t, "llama", &(struct decoder_opts){ .max_batch = 9 });
    size_t width = (size_t)t.vocab, bytes = width * sizeof(float);
    float *want = calloc(width * (size_t)t.n, sizeof *want), *got = calloc(4 * width, sizeof *got);
    float *q8 = calloc(width * (size_t)t.n, sizeof *q8);
    struct timeline *a = tiny_timeline(&t, 50, QUANT_F16), *b = tiny_timeline(&t, 60, QUANT_F32),
                    *c = tiny_timeline(&t, 70, QUANT_F16), *d = tiny_timeline(&t, 70, QUANT_F32);
    tiny_run(&t, a, t.ids, t.n, 16, want);
    tiny_run(&t, d, t.ids, t.n, 16, q8);
    timeline_cut(a, 5);
    struct decoder_row rows[21];
    int n = 0;
    for (int i = 5; i < 15; i++) rows[n++] = (struct decoder_row){ a, t.ids[i], i, i == 14 };
    for (int i = 0; i < 10; i++) rows[n++] = (struct decoder_row){ b, t.ids[i], i, i > 7 };
    rows[n++] = (struct decoder_row){ c, t.ids[0], 0, true };
    check_ok(decoder_step(t.d, rows, n, got, &err), err);
    assert_memory_equal(got, want + 14 * width, bytes);
    assert_memory_equal(got + width, q8 + 8 * width, bytes);
    assert_memory_equal(got + 2 * width, q8 + 9 * width, bytes);
    assert_memory_equal(got + 3 * width, want, bytes);
    check_int(timeline_len(a), 15);
    check_int(timeline_len(b), 10);
    check_int(timeline_len(c), 1);
    timeline_free(a);
    timeline_free(b);
    timeline_free(c);
    timeline_free(d);
    free(want);
    free(got);
    free(q8);
    tiny_close(&t);
}

static void refused_steps_change_nothing(void **state)
{
    struct tiny t, u;
    struct err err = { 0 };
    tiny_open(&t, "llama", NULL);
    tiny_open(&u, "qwen3", NULL);
    struct timeline *a = tiny_timeline(&t, 4, QUANT_F16), *b = tiny_timeline(&u, 4, QUANT_F16);
    float *logits = calloc((size_t)t.vocab, sizeof *logits);
    struct decoder_row rows[] = { { a, 5, 0, false }, { a, 6, 1, true } };
    rows[1].id = t.vocab;
    check_int(decoder_step(t.d, rows, 2, logits, &err), ERR_INVAL);
    check_has(err.msg, "vocabulary");
    rows[1].id = -1;
    check_int(decoder_step(t.d, rows, 2, logits, &err), ERR_INVAL);
    rows[1] = (struct decoder_row){ a, 6, 2, true };
    check_int(decoder_step(t.d, rows, 2, logits, &err), ERR_INVAL);
    check_has(err.msg, "position 2");
    rows[1] = (struct decoder_row){ b, 6, 0, true };
    check_int(decoder_step(t.d, rows, 2, logits, &err), ERR_INVAL);
    check_int(timeline_len(a), 0);
    check_int(timeline_len(b), 0);
    tiny_run(&t, a, t.ids, 4, 4, NULL);
    rows[0].pos = 4;
    check_int(decoder_step(t.d, rows, 1, logits, &err), ERR_LIMIT);
    check_has(err.msg, "4 tokens is full");
    check_int(timeline_len(a), 4);
    check_ok(decoder_step(t.d, rows, 0, logits, &err), err);
    timeline_free(a);
    timeline_free(b);
    free(logits);
    tiny_close(&t);
    tiny_close(&u);
}

static void a_step_allocates_nothing(void **state)
{
    const char *const names[] = { "gemma2", "f16", "q4_0", "q4_k" };
    if (!allocations_are_counted()) skip();
    for (int i = 0; i < 4; i++) {
        struct tiny t;
        tiny_open(&t, names[i], NULL);
        struct timeline *line = tiny_timeline(&t, 100, QUANT_F16);
        float *logits = calloc((size_t)(t.n * t.vocab), sizeof *logits);
        tiny_run(&t, line, t.ids, 3, 3, logits); /* threads start */
        long before = allocations;
        tiny_run(&t, line, t.ids, t.n, 17, logits);
        tiny_run(&t, line, t.ids, 20, 1, logits);
        check_int(allocations - before, 0);
        timeline_free(line);
        free(logits);
        tiny_close(&t);
    }
}

/* Weights as mapped give the same numbers as weights re-laid, but for the order of sums. */
static void mapped_weights(void **state)
{
    const char *const names[] = { "llama", "q8_0", "q4_0", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k" };
    for (int i = 0; i < 8; i++) {
        struct tiny t, u;
        tiny_open(&t, names[i], NULL);
        tiny_open(&u, names[i], &(struct decoder_opts){ .keep_mapped = true });
        struct timeline *a = tiny_timeline(&t, 50, QUANT_F32),
                        *b = tiny_timeline(&u, 50, QUANT_F32);
        float *x = calloc((size_t)(t.n * t.vocab), sizeof *x),
              *y = calloc((size_t)(t.n * t.vocab), sizeof *y);
        tiny_run(&t, a, t.ids, t.n, 8, x);
        tiny_run(&u, b, t.ids, t.n, 8, y);
        for (int k = 0; k < t.n * t.vocab; k++) check_near(x[k], y[k], i ? 0.02 : 2e-4);
        timeline_free(a);
        timeline_free(b);
        free(x);
        free(y);
        tiny_close(&t);
        tiny_close(&u);
    }
}

/* The file `name` with another sliding_window_pattern: an array of n truths. */
static void with_windows(const char *name, const char *key, const uint8_t *has, size_t n,
                         const char *path)
{
    struct err err = { 0 };
    struct gguf *g;
    struct gguf_writer *w;
    char from[128];
    const char *const except[] = { key, NULL };
    snprintf(from, sizeof from, "tests/model/tiny/%s.gguf", name);
    check_ok(gguf_open(from, &g, &err), err);
    check_ok(gguf_create(path, &w, &err), err);
    check_int(gguf_copy_keys(w, g, except), 0);
    gguf_put_nums(w, key, GGUF_BOOL, has, n);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        char as[96];
        snprintf(as, sizeof as, "%.*s", (int)t->name.n, t->name.p);
        gguf_declare(w, as, t->type, t->n_dims, t->dim);
    }
    for (size_t i = 0; i < gguf_tensor_count(g); i++)
        check_ok(gguf_write(w, gguf_tensor_at(g, i)->data, gguf_tensor_at(g, i)->bytes, &err), err);
    check_ok(gguf_finish(w, &err), err);
    gguf_close(g);
}

/* Logits of the prompt's last row, of a file anywhere. */
static void say_last(const struct tiny *t, const char *path, float *out)
{
    struct err err = { 0 };
    struct tiny x = *t;
    check_ok(gguf_open(path, &x.g, &err), err);
    check_ok(decoder_open(x.g, &(struct decoder_opts){ 0 }, &x.d, &err), err);
    struct timeline *line = tiny_timeline(&x, 64, QUANT_F32);
    float *all = malloc((size_t)(x.n * x.vocab) * sizeof *all);
    tiny_run(&x, line, x.ids, x.n, 16, all);
    memcpy(out, all + (x.n - 1) * x.vocab, (size_t)x.vocab * sizeof *out);
    free(all);
    timeline_free(line);
    decoder_close(x.d);
    gguf_close(x.g);
}

/* Some writers say for each layer whether it has the window. */
static void windows_by_layer(void **state)
{
    static const char key[] = "gemma2.attention.sliding_window_pattern";
    struct err err = { 0 };
    struct tiny t;
    char path[300];
    tiny_open(&t, "gemma2", NULL);
    size_t layers = (size_t)decoder_facts(t.d)->layers, bytes = (size_t)t.vocab * sizeof(float);
    uint8_t has[16] = { 0 };
    float *want = malloc(bytes), *got = malloc(bytes);
    assert_in_range(layers, 2, 16);
    const char *dir = check_tmp_dir();
    snprintf(path, sizeof path, "%s/windows.gguf", dir);
    say_last(&t, "tests/model/tiny/gemma2.gguf", want);
    for (size_t l = 0; l < layers; l++) has[l] = l % 2 == 0; /* what gemma2 means without a word */
    with_windows("gemma2", key, has, layers, path);
    say_last(&t, path, got);
    assert_memory_equal(got, want, bytes);
    for (size_t l = 0; l < layers; l++) has[l] = l % 2 != 0;
    with_windows("gemma2", key, has, layers, path);
    say_last(&t, path, got);
    assert_memory_not_equal(got, want, bytes);

    with_windows("gemma2", key, has, layers - 1, path);
    struct gguf *g;
    struct decoder *d;
    check_ok(gguf_open(path, &g, &err), err);
    check_int(decoder_open(g, &(struct decoder_opts){ 0 }, &d, &err), ERR_PARSE);
    check_has(err.msg, "sliding_window_pattern is not an array of a truth for each layer");
    gguf_close(g);
    remove(path);
    rmdir(dir);
    free(want);
    free(got);
    tiny_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(windows_by_layer),
        cmocka_unit_test(every_architecture),
        cmocka_unit_test(every_type),
        cmocka_unit_test(every_cpu),
        cmocka_unit_test(cache_types),
        cmocka_unit_test(same_bits_in_any_company),
        cmocka_unit_test(mixed_rows),
        cmocka_unit_test(refused_steps_change_nothing),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(mapped_weights),
    };
    threads_set(2);
    if (kernels_init(NULL, NULL)) return 1;
    return check_run("model/decoder", t);
}
