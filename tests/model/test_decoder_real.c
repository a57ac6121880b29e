/* Real models, where ../shared/data is: logits and text equal to those of other implementations,
 * and how much perplexity quantising costs. */
#include "tiny.h"

#include "base/io.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "model/hf_import.h"

#include <jansson.h>

struct real {
    char dir[300], file[400];
    struct gguf *g;
    struct decoder *d;
};

/* Imports ../shared/data/models/NAME as `type`; false (and skip) if it is not there. */
static bool real_open(struct real *r, const char *name, const char *type)
{
    struct err err = { 0 };
    char from[400];
    *r = (struct real){ 0 };
    if (!check_data_dir()) return false;
    snprintf(from, sizeof from, "%s/models/%s", check_data_dir(), name);
    if (!io_exists(from)) return false;
    snprintf(r->dir, sizeof r->dir, "%s", check_tmp_dir());
    snprintf(r->file, sizeof r->file, "%s/model.gguf", r->dir);
    check_ok(model_import(from, r->file, &(struct import_opts){ .type = type }, NULL, &err), err);
    check_ok(gguf_open(r->file, &r->g, &err), err);
    check_ok(decoder_open(r->g, &(struct decoder_opts){ 0 }, &r->d, &err), err);
    return true;
}

static void real_close(struct real *r)
{
    decoder_close(r->d);
    gguf_close(r->g);
    check_int(io_remove_tree(r->dir, NULL), 0);
}

/* Greedy: the ids that follow the n in ids, up to cap in all or the end token. Returns how many. */
static int continue_greedily(const struct real *r, int32_t *ids, int n, int cap, int end)
{
    struct err err = { 0 };
    struct timeline *t;
    int vocab = decoder_facts(r->d)->vocab;
    float *logits = calloc((size_t)vocab, sizeof *logits);
    check_ok(timeline_new(r->d, cap, QUANT_F32, &t, &err), err);
    for (int at = 0; at < n && n < cap; at++) {
        struct decoder_row row = { t, ids[at], at, at == n - 1 };
        check_ok(decoder_step(r->d, &row, 1, logits, &err), err);
        if (at < n - 1) continue;
        ids[n] = tiny_best(logits, vocab);
        if (ids[n++] == end) break;
    }
    timeline_free(t);
    free(logits);
    return n;
}

static void tinystories_is_as_expected(void **state)
{
    struct real r;
    if (!real_open(&r, "tinystories-656k", NULL)) skip();
    struct err err = { 0 };
    char path[400];
    struct buf text = BUF_INIT(0);
    snprintf(path, sizeof path, "%s/models/tinystories-656k/expected.json", check_data_dir());
    check_ok(io_read_file(path, 1 << 22, &text, &err), err);
    json_t *want = json_loadb(text.p, text.n, 0, NULL);
    json_t *prompt = json_object_get(want, "prompt_ids"),
           *more = json_object_get(want, "generated_ids"),
           *rows = json_object_get(want, "logits_after_each_prompt_token");
    int n = (int)json_array_size(prompt), m = (int)json_array_size(more);
    int vocab = decoder_facts(r.d)->vocab;
    int32_t ids[512], got[512];
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(prompt, (size_t)i));

    const char *said = json_string_value(json_object_get(want, "prompt"));
    check_int(tokenizer_encode(decoder_tokenizer(r.d), said, strlen(said), TOKENIZE_ADD, got, 512),
              n);
    assert_memory_equal(got, ids, (size_t)n * sizeof *ids);

    struct timeline *t;
    struct decoder_row in[512];
    float *logits = calloc((size_t)(n * vocab), sizeof *logits);
    check_ok(timeline_new(r.d, n, QUANT_F32, &t, &err), err);
    for (int i = 0; i < n; i++) in[i] = (struct decoder_row){ t, ids[i], i, true };
    check_ok(decoder_step(r.d, in, n, logits, &err), err);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < vocab; k++) {
            json_t *x = json_array_get(json_array_get(rows, (size_t)i), (size_t)k);
            check_near(logits[i * vocab + k], json_number_value(x), 1e-4);
        }
    check_int(continue_greedily(&r, ids, n, n + m, -1), n + m);
    for (int i = 0; i < m; i++)
        check_int(ids[n + i], json_integer_value(json_array_get(more, (size_t)i)));
    timeline_free(t);
    free(logits);
    json_decref(want);
    buf_free(&text);
    real_close(&r);
}

static void stories260k_tells_the_same(void **state)
{
    struct real r;
    if (!real_open(&r, "stories260k/stories260K.bin", NULL)) skip();
    struct err err = { 0 };
    char path[400];
    struct buf want = BUF_INIT(0), plain = BUF_INIT(0), got = BUF_INIT(0);
    struct utf8_hold hold = { 0 };
    snprintf(path, sizeof path, "%s/models/stories260k/expected.txt", check_data_dir());
    check_ok(io_read_file(path, 1 << 20, &want, &err), err);
    int32_t ids[256] = { 1 };
    int n = continue_greedily(&r, ids, 1, 256, 1);
    for (int i = 1; i < n; i++) tokenizer_text(decoder_tokenizer(r.d), ids[i], &hold, &got);
    for (const char *p = buf_str(&want) + 1; *p && *p != '\n'; p++) { /* after a first space */
        bool line = !strncmp(p, "<0x0A>", 6);
        buf_addc(&plain, line ? '\n' : *p);
        if (line) p += 5;
    }
    if (got.n > plain.n) got.p[plain.n] = 0; /* the reference stopped after so many tokens */
    check_str(buf_str(&got), buf_str(&plain));
    buf_free(&want);
    buf_free(&plain);
    buf_free(&got);
    real_close(&r);
}

static const char *const story =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big tree with a red ball in it. She wanted the ball, but it was too high. "
    "Her friend Tom came and said, \"I can help you.\" Tom was tall. He climbed the tree and got "
    "the ball. Lily was very happy. She said, \"Thank you, Tom!\" They played with the ball all "
    "day. Then it was time to go home. Lily's mom asked, \"Did you have fun?\" Lily said, \"Yes, I "
    "made a new friend.\" Her mom smiled and gave her a big hug. The next day, Lily and Tom went "
    "to "
    "the park again. They saw a little bird on the ground. The bird was sad because it could not "
    "fly. Tom said, \"We must help the bird.\" They took the bird home and gave it some food and "
    "water. Soon the bird was strong. It could fly again! The bird sang a song for them and flew "
    "away into the blue sky. Lily and Tom waved goodbye.";

static double perplexity(const char *type)
{
    struct real r;
    struct err err = { 0 };
    int32_t ids[1024];
    double p = 0;
    if (!real_open(&r, "tinystories-656k", type)) skip();
    size_t n =
        tokenizer_encode(decoder_tokenizer(r.d), story, strlen(story), TOKENIZE_ADD, ids, 1024);
    check_ok(decoder_perplexity(r.d, ids, n, 128, &p, &err), err);
    check_int(decoder_perplexity(r.d, ids, 1, 128, &p, &err), ERR_INVAL);
    ids[3] = 5000;
    check_int(decoder_perplexity(r.d, ids, n, 128, &(double){ 0 }, &err), ERR_INVAL);
    ids[3] = 10;
    check_ok(decoder_perplexity(r.d, ids, n, 128, &p, &err), err);
    real_close(&r);
    return p;
}

/* A model of 128 numbers a token is hurt more by rounding than those people use. */
static void quantising_costs_little(void **state)
{
    static const struct {
        const char *type;
        double most; /* times the perplexity of f32 */
    } all[] = { { "f16", 1.001 }, { "bf16", 1.01 }, { "q8_0", 1.03 }, { "q4_0", 1.25 } };
    double exact = perplexity("f32");
    assert_true(exact > 2 && exact < 100);
    for (int i = 0; i < 4; i++) {
        double p = perplexity(all[i].type);
        if (!(p < exact * all[i].most && p > exact / all[i].most))
            fail_msg("%s: perplexity %.4f, f32 %.4f", all[i].type, p, exact);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(tinystories_is_as_expected),
        cmocka_unit_test(stories260k_tells_the_same),
        cmocka_unit_test(quantising_costs_little),
    };
    threads_set(2);
    if (kernels_init(NULL, NULL)) return 1;
    return check_run("model/decoder_real", t);
}
