/* Real vocabularies against the ids that their makers' programs give: the 47 texts in the test
 * data, and the committed ids of tests/model/tokenizers (its README says how they were made). */
#include "tok_fixture.h"

#include "base/clock.h"

enum { CAP = 8192 };

static size_t read_ids(const char *line, const char *end, int32_t *ids)
{
    size_t n = 0;
    while (line < end) {
        char *next;
        long v = strtol(line, &next, 10);
        if (next == line || next > end) break;
        ids[n++] = (int32_t)v;
        line = next;
    }
    return n;
}

static void check_ids(const struct tokenizer *t, const char *s, size_t n, const int32_t *want,
                      size_t n_want)
{
    static int32_t got[CAP];
    static uint32_t off[CAP];
    size_t k = tokenizer_encode_at(t, s, n, 0, got, off, CAP);
    for (size_t i = 0; i < k && i < n_want; i++) {
        if (got[i] != want[i])
            fail_msg("\"%.*s\": token %zu is %d, want %d", (int)n, s, i, got[i], want[i]);
        if (off[i] > n || (i && off[i] < off[i - 1]))
            fail_msg("\"%.*s\": token %zu begins at %u", (int)n, s, i, off[i]);
    }
    if (k != n_want) fail_msg("\"%.*s\": %zu tokens, want %zu", (int)n, s, k, n_want);
}

/* BASE.inp, texts between marks, and BASE.out, ids line by line. */
static void check_vectors(const struct tokenizer *t, const char *dir, const char *base)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    struct buf in = { 0 }, out = { 0 };
    struct err err = { 0 };
    char path[512];
    int32_t want[CAP];
    int count = 0;
    snprintf(path, sizeof path, "%s/tokenizers/%s.inp", dir, base);
    check_ok(io_read_file(path, 1 << 20, &in, &err), err);
    snprintf(path, sizeof path, "%s/tokenizers/%s.out", dir, base);
    check_ok(io_read_file(path, 1 << 20, &out, &err), err);
    const char *p = in.p, *end = in.p + in.n, *line = out.p;
    for (;; count++) {
        const char *q = memmem(p, (size_t)(end - p), mark, sizeof mark - 1);
        const char *eol = strchr(line, '\n');
        const char *stop = q ? q : end;
        if (!eol) eol = out.p + out.n;
        check_ids(t, p, (size_t)(stop - p), want, read_ids(line, eol, want));
        if (!q) break;
        p = q + sizeof mark - 1, line = eol + 1;
    }
    check_int(count + 1, 47);
    buf_free(&in);
    buf_free(&out);
}

/* tests/model/tokenizers/NAME.ids: text, escaped; a tab; ids. */
static void check_fixture(const struct tokenizer *t, const char *name, int at_least)
{
    struct buf f = { 0 };
    struct err err = { 0 };
    char path[256];
    int32_t want[CAP];
    int count = 0;
    snprintf(path, sizeof path, "tests/model/tokenizers/%s.ids", name);
    check_ok(io_read_file(path, 1 << 20, &f, &err), err);
    for (char *p = f.p, *eol; (eol = strchr(p, '\n')); p = eol + 1, count++) {
        char *w = p, *r = p;
        for (; *r != '\t'; r++) {
            char c = *r;
            if (c == '\\') c = *++r == 'n' ? '\n' : *r == 'r' ? '\r' : *r == 't' ? '\t' : *r;
            *w++ = c;
        }
        check_ids(t, p, (size_t)(w - p), want, read_ids(r + 1, eol, want));
    }
    assert_true(count >= at_least);
    buf_free(&f);
}

static const char *data(void)
{
    const char *dir = check_data_dir();
    if (!dir) skip();
    return dir;
}

static void gguf_vectors(const char *base)
{
    char path[512];
    const char *dir = data();
    snprintf(path, sizeof path, "%s/tokenizers/%s", dir, base);
    struct tokenizer *t = vocab_open_file(path);
    check_vectors(t, dir, base);
    check_vectors(t, dir, base); /* what is remembered of whole tokens changes nothing */
    tokenizer_close(t);
}

static void bert(void **state) { gguf_vectors("bert/ggml-vocab-bert-bge.gguf"); }
static void llama2(void **state) { gguf_vectors("llama2/ggml-vocab-llama-spm.gguf"); }

static void llama3(void **state)
{
    const char *dir = data();
    struct tokenizer *t = vocab_llama3(dir, "llama-bpe");
    check_vectors(t, dir, "llama3/ggml-vocab-llama-bpe.gguf");
    tokenizer_close(t);
}

static void smollm(void **state)
{
    struct tokenizer *t = vocab_tokenizer_json(data(), "smollm/tokenizer.json", "gpt2", "smollm");
    check_fixture(t, "smollm", 47);
    check_fixture(t, "smollm", 47);
    tokenizer_close(t);
}

static void minilm(void **state)
{
    const char *dir = data();
    struct tokenizer *t = vocab_tokenizer_json(dir, "minilm/tokenizer.json", "bert", "");
    check_fixture(t, "minilm", 47);
    check_vectors(t, dir, "bert/ggml-vocab-bert-bge.gguf"); /* the same words */
    tokenizer_close(t);
}

static void unigram(void **state)
{
    struct tokenizer *t = vocab_open_file("tests/model/tokenizers/unigram.gguf");
    check_int(tokenizer_kind(t), TOKENIZER_UNIGRAM);
    check_fixture(t, "unigram", 150);
    check_fixture(t, "unigram", 150);
    int32_t ids[4];
    check_int(tokenizer_encode(t, "", 0, TOKENIZE_ADD, ids, 4), 2);
    check_int(ids[0], 0);
    check_int(ids[1], 2);
    tokenizer_close(t);
}

static void spm(void **state)
{
    struct tokenizer *t = vocab_open_file("tests/model/tokenizers/spm.gguf");
    check_int(tokenizer_kind(t), TOKENIZER_SPM);
    check_fixture(t, "spm", 150);
    check_fixture(t, "spm", 150);
    tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(bert),   cmocka_unit_test(llama2), cmocka_unit_test(llama3),
        cmocka_unit_test(smollm), cmocka_unit_test(minilm), cmocka_unit_test(unigram),
        cmocka_unit_test(spm),
    };
    return check_run("model/tokenizer_vectors", t);
}
