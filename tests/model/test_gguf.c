/* GGUF: what is written is read again, and what is wrong is refused by name. */
#include "base/io.h"
#include "base/str.h"
#include "check.h"
#include "model/gguf.h"
#include "model/quantize.h"

static char *in_tmp(const char *dir, const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* ---- files by hand ---- */

static void str(struct buf *b, const char *s)
{
    buf_u64(b, strlen(s));
    buf_adds(b, s);
}

static void head(struct buf *b, uint32_t version, uint64_t tensors, uint64_t keys)
{
    buf_adds(b, "GGUF");
    buf_u32(b, version);
    buf_u64(b, tensors);
    buf_u64(b, keys);
}

static void key_u32(struct buf *b, const char *key, uint32_t v)
{
    str(b, key);
    buf_u32(b, GGUF_U32);
    buf_u32(b, v);
}

static void info(struct buf *b, const char *name, uint64_t cols, uint64_t rows, uint32_t type,
                 uint64_t offset)
{
    str(b, name);
    buf_u32(b, 2);
    buf_u64(b, cols);
    buf_u64(b, rows);
    buf_u32(b, type);
    buf_u64(b, offset);
}

static void data(struct buf *b, size_t n)
{
    while (b->n % 32) buf_u8(b, 0);
    while (n--) buf_u8(b, 1);
}

/* b is refused with a message that holds part; frees b. */
static void refused(struct buf *b, int code, const char *part)
{
    struct gguf *g = NULL;
    struct err err = { 0 };
    char *exact = malloc(b->n ? b->n : 1); /* so that a read beyond is seen */
    memcpy(exact, b->p ? b->p : "", b->n);
    check_int(gguf_open_mem(exact, b->n, "x.gguf", &g, &err), code);
    check_has(err.msg, part);
    assert_null(g);
    free(exact);
    buf_free(b);
}

static void bad_starts(void **state)
{
    struct buf b = BUF_INIT(0);
    refused(&b, ERR_PARSE, "not a GGUF file");
    buf_adds(&b, "GGML\3\0\0\0");
    refused(&b, ERR_PARSE, "not a GGUF file");
    head(&b, 1, 0, 0);
    refused(&b, ERR_PARSE, "version 1");
    head(&b, 4, 0, 0);
    refused(&b, ERR_VERSION, "version 4");
    head(&b, 0x03000000, 0, 0);
    refused(&b, ERR_PARSE, "big-endian");
    head(&b, 3, 1ull << 63, 0);
    refused(&b, ERR_PARSE, "\"number of tensors\" at byte 8");
    head(&b, 3, 0, 1ull << 63);
    refused(&b, ERR_PARSE, "\"number of keys\" at byte 16");
    head(&b, 3, 0, 1);
    refused(&b, ERR_PARSE, "number of keys");
}

static void bad_keys(void **state)
{
    struct buf b = BUF_INIT(0);
    head(&b, 3, 0, 2);
    key_u32(&b, "twice", 1), key_u32(&b, "twice", 2);
    refused(&b, ERR_PARSE, "key \"twice\" at byte 45 is there twice");
    head(&b, 3, 0, 1);
    str(&b, "odd"), buf_u32(&b, 13), buf_u64(&b, 0);
    refused(&b, ERR_PARSE, "key \"odd\" at byte 24 has the unknown type 13");
    head(&b, 3, 0, 1);
    str(&b, "many"), buf_u32(&b, GGUF_ARRAY), buf_u32(&b, GGUF_STR), buf_u64(&b, 1ull << 61);
    refused(&b, ERR_PARSE, "\"many\" at byte 40 has 2305843009213693952 elements");
    head(&b, 3, 0, 1);
    str(&b, "deep"), buf_u32(&b, GGUF_ARRAY), buf_u32(&b, GGUF_ARRAY), buf_u64(&b, 0);
    refused(&b, ERR_PARSE, "array of type 9");
    head(&b, 3, 0, 1);
    buf_u64(&b, UINT64_MAX), buf_u64(&b, 0);
    refused(&b, ERR_PARSE, "\"key\" at byte 24");
    head(&b, 3, 0, 1);
    str(&b, "s"), buf_u32(&b, GGUF_STR), buf_u64(&b, 1000), buf_adds(&b, "short");
    refused(&b, ERR_PARSE, "\"string\"");
    head(&b, 3, 0, 1);
    key_u32(&b, "general.alignment", 24);
    refused(&b, ERR_PARSE, "general.alignment");
    head(&b, 3, 0, 2);
    key_u32(&b, "split.count", 3), key_u32(&b, "split.no", 1);
    refused(&b, ERR_INVAL, "part 2 of 3 of a model. Merge them first");
}

static void bad_tensors(void **state)
{
    struct buf b = BUF_INIT(0);
    head(&b, 3, 1, 0), info(&b, "t", 32, 1, 10, 0), data(&b, 128);
    refused(&b, ERR_PARSE, "\"t\" has type 10 (q2_k), which this program does not read: take");
    head(&b, 3, 1, 0), info(&b, "t", 32, 1, 99, 0), data(&b, 128);
    refused(&b, ERR_PARSE, "type 99, which");
    head(&b, 3, 1, 0), info(&b, "t", 33, 1, QUANT_Q4_0, 0), data(&b, 128);
    refused(&b, ERR_PARSE, "33 columns, not a multiple of the 32 of q4_0");
    head(&b, 3, 1, 0), info(&b, "t", 1ull << 32, 1ull << 31, QUANT_F32, 0), data(&b, 128);
    refused(&b, ERR_PARSE, "impossible shape");
    head(&b, 3, 1, 0), info(&b, "t", 1ull << 31, 1ull << 31, QUANT_F32, 0), data(&b, 128);
    refused(&b, ERR_PARSE, "too large");
    head(&b, 3, 1, 0), info(&b, "t", 0, 1, QUANT_F32, 0), data(&b, 128);
    refused(&b, ERR_PARSE, "impossible shape");
    head(&b, 3, 1, 0), info(&b, "t", 32, 2, QUANT_F32, 0), data(&b, 255);
    refused(&b, ERR_PARSE, "beyond the end of the file: is the download complete?");
    head(&b, 3, 1, 0), info(&b, "t", 32, 1, QUANT_F32, 8), data(&b, 256);
    refused(&b, ERR_PARSE, "offset 8, not aligned to 32");
    head(&b, 3, 1, 0), info(&b, "t", 32, 1, QUANT_F32, UINT64_MAX - 31), data(&b, 256);
    refused(&b, ERR_PARSE, "beyond the end");
    head(&b, 3, 2, 0), info(&b, "a", 32, 1, QUANT_F32, 32), info(&b, "b", 32, 1, QUANT_F32, 0);
    data(&b, 256);
    refused(&b, ERR_PARSE, "tensors \"b\" and \"a\" overlap");
    head(&b, 3, 2, 0), info(&b, "a", 32, 1, QUANT_F32, 0), info(&b, "a", 32, 1, QUANT_F32, 128);
    data(&b, 256);
    refused(&b, ERR_PARSE, "tensor \"a\" at byte 65 is there twice");
    head(&b, 3, 1, 0), str(&b, "t"), buf_u32(&b, 5), data(&b, 256);
    refused(&b, ERR_PARSE, "5 dimensions");
}

/* ---- written and read ---- */

static const char *words[] = { "the", "", "\xff\0", "four" };

static int write_sample(const char *path, struct err *err)
{
    struct gguf_writer *w;
    struct span strs[4] = { span_of("the"), { "", 0 }, { "\xff\0", 2 }, span_of("four") };
    int64_t nums[3] = { -5, 1ll << 40, 7 };
    float x[64], v[3] = { 1, 2, 3 };
    int rc = gguf_create(path, &w, err);
    if (rc) return rc;
    gguf_put_str(w, "general.architecture", "llama", 5);
    gguf_put_u32(w, "llama.block_count", 2);
    gguf_put_f32(w, "llama.eps", 0.25f);
    gguf_put_bool(w, "yes", true);
    gguf_put_strs(w, "words", strs, 4);
    gguf_put_nums(w, "nums", GGUF_I64, nums, 3);
    gguf_declare(w, "blk.0.attn_q.weight", QUANT_F32, 2, (uint64_t[]){ 32, 2 });
    gguf_declare(w, "blk.0.attn_norm.weight", QUANT_F32, 1, (uint64_t[]){ 3 });
    for (int i = 0; i < 64; i++) x[i] = (float)i;
    rc = gguf_write(w, x, 100, err); /* in uneven pieces */
    if (!rc) rc = gguf_write(w, (char *)x + 100, sizeof x - 100, err);
    if (!rc) rc = gguf_write(w, v, sizeof v, err);
    if (!rc) return gguf_finish(w, err);
    gguf_abandon(w);
    return rc;
}

static void writes_and_reads(void **state)
{
    const char *dir = check_tmp_dir(), *path = in_tmp(dir, "a.gguf");
    struct err err = { 0 };
    struct gguf *g;
    struct gguf_array a;
    uint32_t u;
    check_ok(write_sample(path, &err), err);
    check_ok(gguf_open(path, &g, &err), err);
    check_int(gguf_size(g), io_file_size(path));
    check_str(gguf_path(g), path);
    check_ok(gguf_u32(g, "llama.block_count", &u, &err), err);
    check_int(u, 2);
    check_int(gguf_u32(g, "none", &u, &err), ERR_PARSE);
    check_has(err.msg, "has no key \"none\"");
    check_int(gguf_u32(g, "general.architecture", &u, &err), ERR_PARSE);
    check_int(gguf_u32(g, "llama.eps", &u, &err), ERR_PARSE);
    check_int(gguf_u32_or(g, "none", 9), 9);
    check_near(gguf_f32_or(g, "llama.eps", 1), 0.25, 0);
    check_near(gguf_f32_or(g, "llama.block_count", 1), 2, 0);
    assert_true(gguf_bool_or(g, "yes", false));
    assert_true(span_eq(gguf_str_or(g, "general.architecture", "x"), "llama"));
    assert_true(span_eq(gguf_str_or(g, "yes", "x"), "x"));
    assert_true(gguf_array(g, "words", &a) && a.of == GGUF_STR && a.n == 4);
    assert_true(span_eq(gguf_array_str(&a, 0), words[0]) && gguf_array_str(&a, 1).n == 0);
    check_int(gguf_array_str(&a, 2).n, 2);
    check_int(gguf_array_str(&a, 4).n, 0);
    assert_true(gguf_array(g, "nums", &a));
    check_near(gguf_array_num(&a, 0), -5, 0);
    check_near(gguf_array_num(&a, 1), 1099511627776.0, 0);
    assert_false(gguf_array(g, "yes", &a));
    const struct gguf_tensor *t = gguf_tensor(g, "blk.0.attn_q.weight");
    check_int(t->dim[0], 32);
    check_int(t->dim[1], 2);
    check_int(t->n, 64);
    for (int i = 0; i < 64; i++) check_near(((const float *)t->data)[i], i, 0);
    gguf_done_with(g, t->data, t->bytes);
    check_near(((const float *)gguf_tensor(g, "blk.0.attn_norm.weight")->data)[2], 3, 0);
    assert_null(gguf_tensor(g, "blk.1.attn_q.weight"));
    gguf_close(g);
}

static void texts_of_values(void **state)
{
    const char *dir = check_tmp_dir(), *path = in_tmp(dir, "a.gguf");
    struct err err = { 0 };
    struct gguf *g;
    struct buf b = BUF_INIT(0);
    check_ok(write_sample(path, &err), err);
    check_ok(gguf_open(path, &g, &err), err);
    check_int(gguf_key_count(g), 6);
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        gguf_key_at(g, i, NULL, &b);
        buf_addc(&b, '|');
    }
    check_has(buf_str(&b), "llama|2|0.25|yes|4 string: the, ");
    check_has(buf_str(&b), "|3 i64: -5, 1099511627776, 7|");
    buf_free(&b);
    gguf_close(g);
}

static void leaves_nothing_half_done(void **state)
{
    const char *dir = check_tmp_dir();
    char path[400], part[410];
    struct gguf_writer *w;
    struct err err = { 0 };
    float x[8] = { 0 };
    snprintf(path, sizeof path, "%s/b.gguf", dir);
    snprintf(part, sizeof part, "%s.part", path);
    check_ok(gguf_create(path, &w, &err), err);
    gguf_declare(w, "t", QUANT_F32, 1, (uint64_t[]){ 16 });
    check_ok(gguf_write(w, x, sizeof x, &err), err);
    assert_true(io_exists(part));
    check_int(gguf_finish(w, &err), ERR_INTERNAL); /* half of the tensor is missing */
    assert_false(io_exists(part) || io_exists(path));
    check_ok(gguf_create(path, &w, &err), err);
    gguf_abandon(w);
    assert_false(io_exists(part) || io_exists(path));
    check_int(gguf_create("/nowhere/at/all.gguf", &w, &err), ERR_NOTFOUND);
    check_ok(write_sample(path, &err), err);
    check_ok(gguf_create(path, &w, &err), err); /* the old one stands until the end */
    gguf_declare(w, "t", QUANT_F32, 1, (uint64_t[]){ 8 });
    check_int(gguf_write(w, (float[16]){ 0 }, 64, &err), ERR_INTERNAL);
    gguf_abandon(w);
    struct gguf *g;
    check_ok(gguf_open(path, &g, &err), err);
    check_int(gguf_tensor_count(g), 2);
    gguf_close(g);
}

/* Every truncation of a good file is refused (or, within the padding at the end, read). */
static void truncations(void **state)
{
    const char *dir = check_tmp_dir(), *path = in_tmp(dir, "a.gguf");
    struct err err = { 0 };
    struct buf b = BUF_INIT(0);
    check_ok(write_sample(path, &err), err);
    check_ok(io_read_file(path, 1 << 20, &b, &err), err);
    for (size_t n = 0; n < b.n; n++) {
        struct gguf *g = NULL;
        char *exact = malloc(n ? n : 1);
        memcpy(exact, b.p, n);
        int rc = gguf_open_mem(exact, n, "cut", &g, &err);
        assert_true(rc == 0 ? b.n - n < 32 : rc == ERR_PARSE);
        gguf_close(g);
        free(exact);
    }
    buf_free(&b);
}

/* ---- quantising ---- */

static void mixes(void **state)
{
    const struct quantize_mix *m = quantize_mix("Q4_K_M");
    assert_non_null(m);
    assert_null(quantize_mix("q4_k"));
    check_int(quantize_type(m, "token_embd.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q6_K);
    check_int(quantize_type(m, "token_embd.weight", 2, 2048, 16, false, QUANT_F16), QUANT_Q4_K);
    check_int(quantize_type(m, "output.weight", 2, 2048, 16, false, QUANT_F16), QUANT_Q6_K);
    check_int(quantize_type(m, "blk.0.attn_v.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q6_K);
    check_int(quantize_type(m, "blk.2.attn_v.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q4_K);
    check_int(quantize_type(m, "blk.4.ffn_down.weight", 2, 8192, 16, true, QUANT_F16), QUANT_Q6_K);
    check_int(quantize_type(m, "blk.4.ffn_up.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q4_K);
    check_int(quantize_type(m, "blk.4.ffn_up.weight", 2, 576, 16, true, QUANT_F16), QUANT_Q8_0);
    check_int(quantize_type(m, "blk.4.ffn_up.weight", 2, 100, 16, true, QUANT_F16), QUANT_F16);
    check_int(quantize_type(m, "blk.4.ffn_norm.weight", 1, 2048, 16, true, QUANT_F32), QUANT_F32);
    m = quantize_mix("q4_0");
    check_int(quantize_type(m, "blk.4.ffn_up.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q4_0);
    check_int(quantize_type(m, "token_embd.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q6_K);
    m = quantize_mix("q8_0");
    check_int(quantize_type(m, "token_embd.weight", 2, 2048, 16, true, QUANT_F16), QUANT_Q8_0);
}

static int stop(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    return ERR_CANCEL;
}

static void quantises_files(void **state)
{
    const char *dir = check_tmp_dir();
    char in[400], out[400], again[400];
    struct err err = { 0 };
    struct gguf *g;
    float x[64];
    snprintf(in, sizeof in, "%s/in.gguf", dir);
    snprintf(out, sizeof out, "%s/out.gguf", dir);
    snprintf(again, sizeof again, "%s/again.gguf", dir);
    check_ok(write_sample(in, &err), err);
    check_int(model_quantize(in, out, "q3", NULL, &err), ERR_INVAL);
    check_int(model_quantize(in, out, "q8_0", &(struct progress){ stop, NULL }, &err), ERR_CANCEL);
    assert_false(io_exists(out));
    check_ok(model_quantize(in, out, "q8_0", NULL, &err), err);
    check_ok(gguf_open(out, &g, &err), err);
    const struct gguf_tensor *t = gguf_tensor(g, "blk.0.attn_q.weight");
    check_int(t->type, QUANT_Q8_0);
    quant_decode(t->type, t->data, 64, x);
    for (int i = 0; i < 64; i++) check_near(x[i], i, 0.3);
    check_int(gguf_tensor(g, "blk.0.attn_norm.weight")->type, QUANT_F32);
    check_int(gguf_u32_or(g, "general.file_type", 99), 7);
    check_int(gguf_count(g, "words", NULL), 4);
    gguf_close(g);
    check_ok(model_quantize(out, again, "q4_0", NULL, &err), err); /* from q8_0 it may go on */
    check_int(model_quantize(again, out, "q8_0", NULL, &err), ERR_INVAL);
    check_has(err.msg, "is q4_0 already");
    check_ok(model_quantize(again, out, "f16", NULL, &err), err);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(bad_starts),      cmocka_unit_test(bad_keys),
        cmocka_unit_test(bad_tensors),     cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(texts_of_values), cmocka_unit_test(leaves_nothing_half_done),
        cmocka_unit_test(truncations),     cmocka_unit_test(mixes),
        cmocka_unit_test(quantises_files),
    };
    return check_run("model/gguf", t);
}
