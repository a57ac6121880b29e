/* Tokenizing the Pepys diary, entry by entry on one thread, in MB/s of text.
 *
 * The vocabularies are the real ones of the test data (LIKENESS_TEST_DATA, else ../shared/data):
 * Llama 3's encoder.json and vocab.bpe, and the GGUF of a BERT. Without them nothing is reported.
 * The limit is what one thread can read: no tokenizer comes near, since each piece costs a look-
 * up. */
#include "bench.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "model/tokenizer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work {
    const struct tokenizer *t;
    struct span *text;
    size_t n, tokens;
    int32_t *ids;
    size_t cap;
};

static const char *data_dir(void)
{
    const char *d = getenv("LIKENESS_TEST_DATA");
    return d ? d : "../shared/data";
}

static void encode_all(void *ud)
{
    struct work *w = ud;
    w->tokens = 0;
    for (size_t i = 0; i < w->n; i++)
        w->tokens += tokenizer_encode(w->t, w->text[i].p, w->text[i].n, 0, w->ids, w->cap);
}

/* The "text" of each line; the texts live in *all. Returns how many there are. */
static size_t read_texts(struct buf *all, struct span **out, struct err *err)
{
    struct buf file = { 0 };
    char path[512];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/corpora/pepys_diary.jsonl", data_dir());
    if (io_read_file(path, (size_t)1 << 28, &file, err)) return 0;
    for (char *p = file.p, *eol; (eol = strchr(p, '\n')); p = eol + 1) {
        json_t *j = json_loadb(p, (size_t)(eol - p), 0, NULL);
        const char *s = json_string_value(json_object_get(j, "text"));
        if (s) buf_add(all, s, strlen(s) + 1), n++;
        json_decref(j);
    }
    buf_free(&file);
    *out = all->failed ? NULL : malloc((n ? n : 1) * sizeof **out);
    if (!*out) return err_nomem(err), 0;
    const char *p = all->p;
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = (struct span){ p, strlen(p) };
        p += (*out)[i].n + 1;
    }
    return n;
}

static int report(struct bench *b, const char *name, const struct gguf *g, struct err *err)
{
    struct buf all = { 0 };
    struct work w = { .cap = 1 << 20 };
    struct tokenizer *t = NULL;
    double best, from = clock_mono(), opened;
    int rc = tokenizer_open(g, &t, err);
    opened = clock_mono() - from;
    w.t = t;
    w.ids = malloc(w.cap * sizeof *w.ids);
    if (!rc) w.n = read_texts(&all, &w.text, err);
    if (!rc && w.ids && w.n) {
        double s = bench_time(encode_all, &w, 5, 0.5, &best);
        double bytes = (double)(all.n - w.n);
        bench_report(b, name, bytes / s / 1e6, "MB/s", bench_read_rate(all.n, 1) / 1e6, BENCH_NONE,
                     "%zu tokens of %.1f bytes; opened in %.1f ms", w.tokens,
                     bytes / (double)w.tokens, opened * 1e3);
    }
    free(w.text);
    free(w.ids);
    buf_free(&all);
    tokenizer_close(t);
    return rc;
}

static void put_text(struct buf *b, const char *s, size_t n)
{
    buf_u64(b, n);
    buf_add(b, s, n);
}

static void put_key(struct buf *b, const char *key, uint32_t type)
{
    put_text(b, key, strlen(key));
    buf_u32(b, type);
}

/* Llama 3's files as a GGUF in memory. */
static int llama3_gguf(struct buf *out, struct err *err)
{
    struct buf merges = { 0 };
    char path[512];
    const char *name;
    json_t *x;
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/tokenizers/llama3/vocab.bpe", data_dir());
    if (io_read_file(path, 1 << 24, &merges, err)) return err ? err->code : ERR_IO;
    snprintf(path, sizeof path, "%s/tokenizers/llama3/encoder.json", data_dir());
    json_t *ids = json_load_file(path, 0, NULL);
    const char **s = calloc(json_object_size(ids) + 1, sizeof *s);
    if (!ids || !s) {
        json_decref(ids);
        free(s);
        buf_free(&merges);
        return err_set(err, ERR_NOTFOUND, "%s cannot be read", path);
    }
    size_t size = json_object_size(ids);
    json_object_foreach(ids, name, x) if ((size_t)json_integer_value(x) < size)
        s[json_integer_value(x)] = name;
    buf_adds(out, "GGUF");
    buf_u32(out, 3);
    buf_u64(out, 0);
    buf_u64(out, 4);
    put_key(out, "tokenizer.ggml.model", 8);
    put_text(out, "gpt2", 4);
    put_key(out, "tokenizer.ggml.pre", 8);
    put_text(out, "llama-bpe", 9);
    put_key(out, "tokenizer.ggml.tokens", 9);
    buf_u32(out, 8);
    buf_u64(out, size);
    for (size_t i = 0; i < size; i++) put_text(out, s[i] ? s[i] : "", s[i] ? strlen(s[i]) : 0);
    for (char *p = merges.p, *q; (q = strchr(p, '\n')); p = q + 1) n += q > p;
    put_key(out, "tokenizer.ggml.merges", 9);
    buf_u32(out, 8);
    buf_u64(out, n);
    for (char *p = merges.p, *q; (q = strchr(p, '\n')); p = q + 1)
        if (q > p) put_text(out, p, (size_t)(q - p));
    while (out->n % 32) buf_u8(out, 0);
    json_decref(ids);
    free(s);
    buf_free(&merges);
    return out->failed ? err_nomem(err) : 0;
}

int bench_tokenize_llama3(struct bench *b, struct err *err)
{
    struct buf file = { 0 };
    struct gguf *g = NULL;
    int rc = llama3_gguf(&file, err);
    if (rc) {
        bench_note("tokenize_llama3: the vocabulary is not there");
        buf_free(&file);
        return 0;
    }
    rc = gguf_open_mem(file.p, file.n, "llama3", &g, err);
    if (!rc) rc = report(b, "tokenize_llama3", g, err);
    gguf_close(g);
    buf_free(&file);
    return rc;
}

int bench_tokenize_wordpiece(struct bench *b, struct err *err)
{
    struct gguf *g = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/tokenizers/bert/ggml-vocab-bert-bge.gguf", data_dir());
    if (gguf_open(path, &g, err)) {
        bench_note("tokenize_wordpiece: the vocabulary is not there");
        return 0;
    }
    int rc = report(b, "tokenize_wordpiece", g, err);
    gguf_close(g);
    return rc;
}
