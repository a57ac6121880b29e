/* What holds for any vocabulary: bytes come back, special tokens stay out of users' hands,
 * streams hold whole characters, hostile files are refused by the name of the field. */
#include "model/tok_impl.h"
#include "tok_fixture.h"

static struct tokenizer *small(const char *pre)
{
    struct vocab v = vocab_small(pre);
    struct tokenizer *t = vocab_open(&v);
    vocab_free(&v);
    return t;
}

static void check_back(const struct tokenizer *t, const char *s, size_t n)
{
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    struct buf out = { 0 };
    struct utf8_hold hold = { 0 };
    size_t k = tokenizer_encode(t, s, n, 0, ids, n + 1);
    assert_true(k <= n + 1);
    for (size_t i = 0; i < k; i++) {
        size_t before = out.n;
        tokenizer_text(t, ids[i], &hold, &out);
        assert_true(utf8_valid(buf_str(&out) + before, out.n - before));
    }
    tokenizer_flush(&hold, &out);
    check_int(out.n, n);
    assert_true(!n || !memcmp(out.p, s, n));
    buf_free(&out);
    free(ids);
}

static void bytes_come_back(void **state)
{
    static const char *const pres[] = {
        "gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "default"
    };
    static const char *const texts[] = { "",
                                         "abc abab cab",
                                         "h\xC3\xA9llo \xF0\x9F\xA6\x99\r\n\t x1234 5",
                                         "   ",
                                         "it's 'LL I'\xC5\xBF",
                                         "\n\n a\n \n",
                                         "\xE4\xBD\xA0\xE5\xA5\xBD" };
    for (size_t p = 0; p < sizeof pres / sizeof *pres; p++) {
        struct tokenizer *t = small(pres[p]);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            check_back(t, texts[i], strlen(texts[i]));
        tokenizer_close(t);
    }
}

/* Lengths of pieces as the Python package regex cuts by Mistral's expression. */
static void tekken_cuts_by_case(void **state)
{
    static const struct {
        const char *text;
        int n, len[16];
    } all[] = {
        { "Hello World, HELLOworld iPhone XMLHttp", 7, { 5, 6, 1, 11, 2, 5, 8 } },
        { "\xC3\x89"
          "COLE \xC3\xA9"
          "cole \xC7\x85ungla \xCA\xB0"
          "a \xE4\xBD\xA0\xE5\xA5\xBDWorld",
          5,
          { 6, 7, 8, 4, 12 } },
        { "a\xCC\x81"
          "B \xCC\x81 1\xCC\x81"
          "A 123 4",
          13,
          { 3, 1, 3, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1 } },
        { "path/to//\n\n  x ...\r\n/ end  ", 8, { 4, 3, 4, 1, 2, 7, 4, 2 } },
        { "'s I'LL don't  \n \n", 6, { 2, 2, 3, 4, 2, 5 } },
        { "\xCC\x80\xFFx\xE4", 3, { 2, 2, 1 } }, /* broken bytes are of no class */
    };
    check_int(tok_classes_ready(), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct tok_cut cut = { .pre = TOK_PRE_TEKKEN };
        size_t n = strlen(all[i].text), at = 0;
        for (int k = 0; k < all[i].n; k++) {
            size_t to = tok_pre_next(&cut, all[i].text, n, at);
            check_int(to - at, all[i].len[k]);
            at = to;
        }
        check_int(at, n);
    }
}

/* A long run of numerals is cut in threes, and looked at but once. */
static void default_cuts_in_threes(void **state)
{
    enum { N = 1000000 };
    static const char text[] = "\xC2\xBD"
                               "12345 678\xC2\xBD";
    static const size_t len[] = { 2, 3, 2, 1, 3, 2 };
    struct tok_cut cut = { .pre = TOK_PRE_DEFAULT };
    size_t at = 0, n = 0;
    check_int(tok_classes_ready(), 0);
    for (size_t i = 0; i < sizeof len / sizeof *len; i++) {
        size_t to = tok_pre_next(&cut, text, sizeof text - 1, at);
        check_int(to - at, len[i]);
        at = to;
    }
    check_int(at, sizeof text - 1);
    char *s = malloc(N);
    assert_non_null(s);
    memset(s, '7', N);
    cut = (struct tok_cut){ .pre = TOK_PRE_DEFAULT };
    for (at = 0; at < N; n++) at = tok_pre_next(&cut, s, N, at);
    check_int(n, (N + 2) / 3);
    free(s);
}

static void merges_in_order(void **state)
{
    struct tokenizer *t = small("gpt-2");
    int32_t ids[8];
    check_int(tokenizer_encode(t, "abc", 3, 0, ids, 8), 1);
    check_int(ids[0], 257);
    check_int(tokenizer_encode(t, " abc", 4, 0, ids, 8), 2); /* "a b" comes before " a" */
    check_int(ids[0], ' ');
    check_int(ids[1], 257);
    check_int(tokenizer_encode(t, "abc abc abc", 11, 0, ids, 2), 5); /* at most cap are written */
    tokenizer_close(t);
}

/* A long piece goes through the heap, a short one through the array: the same tokens. */
static void long_runs(void **state)
{
    enum { N = 300000 };
    struct tokenizer *t = small("gpt-2");
    char *s = malloc(N);
    int32_t *ids = malloc(N * sizeof *ids), few[64];
    for (size_t i = 0; i < N; i++) s[i] = "abcabab"[i % 7];
    size_t k = tokenizer_encode(t, s, N, 0, ids, N), m = tokenizer_encode(t, s, 42, 0, few, 64);
    check_int(m, 18);
    for (size_t i = 0; i < m; i++) check_int(ids[i], few[i]);
    assert_true(k > N / 3 && k < N / 2);
    memset(s, ' ', N);
    check_int(tokenizer_encode(t, s, N, 0, ids, N), N);
    memset(s, '!', N);
    check_int(tokenizer_encode(t, s, N, 0, ids, N), N);
    free(s);
    free(ids);
    tokenizer_close(t);
}

static void special_tokens(void **state)
{
    static const char s[] = "<|im_start|>a<tool_call>\n\n<|im_end|>";
    struct tokenizer *t = small("gpt-2");
    int32_t ids[64];
    uint32_t off[64];
    size_t n = tokenizer_encode(t, s, sizeof s - 1, 0, ids, 64);
    for (size_t i = 0; i < n; i++) assert_false(tokenizer_special(t, ids[i]));
    n = tokenizer_encode_at(t, s, sizeof s - 1, TOKENIZE_SPECIAL, ids, off, 64);
    static const int32_t want[] = { 259, 'a', 261, 263, 260 };
    static const uint32_t at[] = { 0, 12, 13, 24, 26 };
    check_int(n, 5);
    for (int i = 0; i < 5; i++) {
        check_int(ids[i], want[i] == 'a' ? 'a' : want[i]);
        check_int(off[i], at[i]);
    }
    check_int(tokenizer_id(t, "<|im_end|>"), 260);
    check_int(tokenizer_id(t, "<|im_end|"), -1);
    assert_true(tokenizer_ends(t, 260));
    assert_false(tokenizer_ends(t, 259));
    struct buf out = { 0 };
    struct utf8_hold hold = { 0 };
    tokenizer_text(t, 260, &hold, &out);
    tokenizer_text(t, -1, &hold, &out);
    tokenizer_text(t, 1 << 30, &hold, &out);
    check_int(out.n, 0);
    tokenizer_close(t);
}

/* Files that mark "<|im_end|>" as an ordinary or a user's token are corrected. */
static void control_by_name(void **state)
{
    for (int type = 1; type <= 4; type += 3) {
        struct vocab v = vocab_begin();
        const char *const s[] = { "a",  "<|eot_id|>", "<end_of_turn>",      "<|",
                                  "|>", "</s>",       "<\uff5cUser\uff5c>", "[INST]" };
        const int32_t types[] = { 1, type, type, 1, 1, type, type, type };
        const float score[8] = { 0 };
        static const char all[] = "<|eot_id|><end_of_turn></s><\uff5cUser\uff5c>[INST]";
        int32_t ids[64];
        vocab_str(&v, "model", "llama");
        vocab_strs(&v, "tokens", s, 8);
        vocab_ints(&v, "token_type", types, 8);
        vocab_floats(&v, "scores", score, 8);
        struct tokenizer *t = vocab_open(&v);
        assert_true(tokenizer_special(t, 1) && tokenizer_ends(t, 1));
        assert_true(tokenizer_special(t, 2) && tokenizer_ends(t, 2));
        size_t n = tokenizer_encode(t, all, sizeof all - 1, 0, ids, 64);
        for (size_t i = 0; i < n; i++) assert_false(tokenizer_special(t, ids[i]));
        check_int(tokenizer_encode(t, all, sizeof all - 1, TOKENIZE_SPECIAL, ids, 64), 5);
        tokenizer_close(t);
        vocab_free(&v);
    }
}

static void streams_whole_characters(void **state)
{
    struct tokenizer *t = small("gpt-2");
    static const unsigned char s[] = { 0xF0, 0x9F, 0xA6, 0x99, 'a', 0xE2, 'b', 0xC3 };
    struct buf out = { 0 };
    struct utf8_hold hold = { 0 };
    int32_t ids[8];
    check_int(tokenizer_encode(t, (const char *)s, 8, 0, ids, 8), 8);
    for (int i = 0; i < 3; i++) tokenizer_text(t, ids[i], &hold, &out);
    check_int(out.n, 0);
    tokenizer_text(t, ids[3], &hold, &out);
    check_str(buf_str(&out), "\xF0\x9F\xA6\x99");
    for (int i = 4; i < 8; i++) tokenizer_text(t, ids[i], &hold, &out);
    check_str(buf_str(&out), "\xF0\x9F\xA6\x99"
                             "a\xEF\xBF\xBD"
                             "b");
    tokenizer_flush(&hold, &out);
    check_str(buf_str(&out), "\xF0\x9F\xA6\x99"
                             "a\xEF\xBF\xBD"
                             "b\xEF\xBF\xBD");
    buf_free(&out);
    tokenizer_close(t);
}

/* qwen2 brings text to NFC; positions are those of the text that was given. */
static void nfc_keeps_positions(void **state)
{
    struct tokenizer *t = small("qwen2");
    int32_t ids[8];
    uint32_t off[8];
    check_int(tokenizer_encode_at(t, "ae\xCC\x81z", 5, 0, ids, off, 8), 4);
    check_int(ids[1], 0xC3);
    check_int(ids[2], 0xA9);
    check_int(off[1], 1);
    check_int(off[3], 4);
    tokenizer_close(t);
}

static void unknown_pre_tokeniser(void **state)
{
    bool known = true;
    struct tokenizer *t = small("gigachat-99");
    check_str(tokenizer_pre(t, &known), "gigachat-99");
    assert_false(known);
    check_back(t, "it's fine", 9);
    tokenizer_close(t);
    t = small("gpt-2");
    tokenizer_pre(t, &known);
    assert_true(known);
    tokenizer_close(t);
}

/* A token that is marked unused is taken apart into what it was joined from. */
static void unused_are_taken_apart(void **state)
{
    struct vocab v = vocab_begin();
    const char *const s[] = { "a", "b", "c", "ab", "abc", "<0x41>" };
    const int32_t types[] = { 1, 1, 1, 1, 5, 1 };
    const float score[] = { -5, -6, -7, -1, -2, -9 };
    int32_t ids[8];
    vocab_str(&v, "model", "llama");
    vocab_bool(&v, "add_space_prefix", false);
    vocab_strs(&v, "tokens", s, 6);
    vocab_ints(&v, "token_type", types, 6);
    vocab_floats(&v, "scores", score, 6);
    struct tokenizer *t = vocab_open(&v);
    check_int(tokenizer_encode(t, "abc", 3, 0, ids, 8), 2);
    check_int(ids[0], 3);
    check_int(ids[1], 2);
    tokenizer_close(t);
    vocab_free(&v);
}

static void cased_vocabularies_keep_case(void **state)
{
    struct vocab v = vocab_begin();
    const char *const s[] = { "[UNK]", "Hello", "hello", "##s", "\xC3\xA9" };
    const int32_t types[] = { 2, 1, 1, 1, 1 };
    int32_t ids[8];
    vocab_str(&v, "model", "bert");
    vocab_u32(&v, "unknown_token_id", 0);
    vocab_strs(&v, "tokens", s, 5);
    vocab_ints(&v, "token_type", types, 5);
    struct tokenizer *t = vocab_open(&v);
    check_int(tokenizer_encode(t, "Hellos hello \xC3\xA9 HELLO", 21, 0, ids, 8), 5);
    static const int32_t want[] = { 1, 3, 2, 4, 0 };
    for (int i = 0; i < 5; i++) check_int(ids[i], want[i]);
    /* U+0081, a control character, is dropped; U+0378, which is nothing yet, makes a word unknown,
     * as it does in the tokenizers that BERTs are used with. */
    check_int(tokenizer_encode(t, "Hello\xC2\x81s Hello\xCD\xB8", 16, 0, ids, 8), 3);
    check_int(ids[1], 3);
    check_int(ids[2], 0);
    tokenizer_close(t);
    vocab_free(&v);
}

static void refused(struct vocab *v, const char *field)
{
    struct err err = { 0 };
    struct tokenizer *t;
    int rc = vocab_try(v, &t, &err);
    if (!rc) tokenizer_close(t);
    assert_true(rc == ERR_PARSE || rc == ERR_LIMIT);
    check_has(err.msg, field);
    vocab_free(v);
}

static void hostile_files(void **state)
{
    const char *const s[] = { "a", "b" }, *const lost[] = { "a z" }, *const odd[] = { "ab" };
    const int32_t types[] = { 1, 99 };
    const float score[] = { 0, (float)(0.0 / 0.0) };
    struct vocab v = vocab_begin();
    vocab_str(&v, "model", "rwkv");
    refused(&v, "tokenizer.ggml.model");
    v = vocab_begin();
    vocab_str(&v, "model", "gpt2");
    refused(&v, "tokenizer.ggml.tokens");
    for (int k = 0; k < 6; k++) {
        v = vocab_begin();
        vocab_str(&v, "model", k == 4 || k == 5 ? "llama" : "gpt2");
        vocab_strs(&v, "tokens", s, 2);
        if (k == 0) vocab_strs(&v, "merges", lost, 1);
        if (k == 1) vocab_strs(&v, "merges", odd, 1);
        if (k == 2) vocab_ints(&v, "token_type", types, 2);
        if (k == 3) vocab_ints(&v, "token_type", types, 1);
        if (k == 4) vocab_floats(&v, "scores", score, 2);
        static const char *const field[] = { "merges: entry 0",     "merges: entry 0",
                                             "token_type: entry 1", "token_type has 1",
                                             "scores: entry 1",     "scores is missing" };
        char name[64];
        snprintf(name, sizeof name, "tokenizer.ggml.%s", field[k]);
        refused(&v, name);
    }
    v = vocab_small("gpt-2");
    vocab_u32(&v, "bos_token_id", 264);
    refused(&v, "tokenizer.ggml.bos_token_id is 264");
    v = vocab_begin();
    vocab_str(&v, "model", "bert");
    vocab_strs(&v, "tokens", s, 2);
    refused(&v, "tokenizer.ggml.unknown_token_id");
    v = vocab_begin();
    vocab_str(&v, "model", "t5");
    vocab_strs(&v, "tokens", s, 2);
    vocab_floats(&v, "scores", (const float[]){ 0, 0 }, 2);
    vocab_array(&v, "precompiled_charsmap", 0, 8);
    buf_u64(&v.keys, 0xFFFFFF00);
    refused(&v, "tokenizer.ggml.precompiled_charsmap");
}

/* Empty tokens, equal tokens, no byte tokens at all. */
static void poor_vocabularies(void **state)
{
    static const char *const models[] = { "gpt2", "llama", "t5", "bert" };
    const char *const s[] = { "", "a", "a", "[UNK]", "" };
    const int32_t types[] = { 4, 1, 1, 2, 3 };
    const float score[] = { 0, -1, -1, 0, 0 };
    for (int i = 0; i < 4; i++) {
        struct vocab v = vocab_begin();
        int32_t ids[16];
        vocab_str(&v, "model", models[i]);
        vocab_strs(&v, "tokens", s, 5);
        vocab_ints(&v, "token_type", types, 5);
        vocab_floats(&v, "scores", score, 5);
        vocab_strs(&v, "merges", s, 0);
        vocab_u32(&v, "unknown_token_id", 3);
        struct tokenizer *t = vocab_open(&v);
        size_t n = tokenizer_encode(t, "aa\xFFz", 4, TOKENIZE_ADD | TOKENIZE_SPECIAL, ids, 16);
        assert_true(n >= 1 && n <= 5);
        for (size_t k = 0; k < n; k++) assert_true(ids[k] == 1 || ids[k] == 3);
        tokenizer_close(t);
        vocab_free(&v);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(merges_in_order),
        cmocka_unit_test(long_runs),
        cmocka_unit_test(special_tokens),
        cmocka_unit_test(control_by_name),
        cmocka_unit_test(streams_whole_characters),
        cmocka_unit_test(nfc_keeps_positions),
        cmocka_unit_test(tekken_cuts_by_case),
        cmocka_unit_test(default_cuts_in_threes),
        cmocka_unit_test(unknown_pre_tokeniser),
        cmocka_unit_test(unused_are_taken_apart),
        cmocka_unit_test(cased_vocabularies_keep_case),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(poor_vocabularies),
    };
    return check_run("model/tokenizer", t);
}
