/* A schema from anybody, and a walk through the masks that it gives. Whatever the schema, compiling
 * ends; whatever is chosen, what comes out in time is JSON; and no mask is empty before the end.
 *
 * Input: a byte for the tokens allowed, bytes that choose, a zero, then the schema. */
#include "base/str.h"
#include "model/schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void fail(const char *what)
{
    fprintf(stderr, "fuzz_schema: %s\n", what);
    abort();
}

/* 256 bytes, an end, and some longer tokens with much structure in them. */
static const char *const longer[] = { "{\"",  "\":",   "\",\"", "\"}",       "]}", "},{", "true",
                                      "null", "\": [", "12",    "a\":1,\"a", "ab", "\\\"" };
enum { N_LONGER = sizeof longer / sizeof *longer, VOCAB = 257 + N_LONGER };

static const struct schema_vocab *vocabulary(const struct tokenizer **k)
{
    static struct schema_vocab *v;
    static struct tokenizer *t;
    *k = t;
    if (v) return v;
    static char name[VOCAB][24];
    struct span tok[VOCAB];
    int32_t type[VOCAB];
    float score[VOCAB];
    struct gguf_writer *w = NULL;
    struct gguf *g = NULL;
    char path[] = "/tmp/fuzz-schema-XXXXXX";
    int fd = mkstemp(path);
    for (int i = 0; i < VOCAB; i++) {
        if (i < 256) snprintf(name[i], sizeof name[i], "<0x%02X>", (unsigned)i);
        else snprintf(name[i], sizeof name[i], "%s", i == 256 ? "</s>" : longer[i - 257]);
        tok[i] = span_of(name[i]);
        type[i] = i < 256 ? 6 : i == 256 ? 3 : 1;
        score[i] = 0;
    }
    if (fd < 0 || gguf_create(path, &w, NULL)) fail("no place for a vocabulary");
    close(fd);
    gguf_put_str(w, "tokenizer.ggml.model", "llama", 5);
    gguf_put_strs(w, "tokenizer.ggml.tokens", tok, VOCAB);
    gguf_put_nums(w, "tokenizer.ggml.token_type", GGUF_I32, type, VOCAB);
    gguf_put_nums(w, "tokenizer.ggml.scores", GGUF_F32, score, VOCAB);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 256);
    struct err err = { 0 };
    if (gguf_finish(w, &err) || gguf_open(path, &g, &err) || tokenizer_open(g, &t, &err) ||
        schema_vocab_new(t, &v, &err))
        fail(err.msg);
    gguf_close(g);
    unlink(path);
    *k = t;
    return v;
}

static int32_t nth_allowed(const uint32_t *mask, unsigned n)
{
    int32_t some[VOCAB], m = 0;
    for (int32_t id = 0; id < VOCAB; id++)
        if (mask[id / 32] >> id % 32 & 1) some[m++] = id;
    return m ? some[n % (unsigned)m] : -1;
}

static void walk(struct schema *s, const struct tokenizer *k, const uint8_t *how, size_t n,
                 int left)
{
    struct buf doc = BUF_INIT(0);
    if (schema_start(s, left, NULL)) return;
    for (size_t i = 0; left > 0 && !schema_done(s); left--, i++) {
        const uint32_t *mask = schema_mask(s, left);
        if (!mask) fail("no mask");
        unsigned pick = n ? how[i % n] * 7u + (unsigned)i : 0, tries = 0;
        int32_t id = nth_allowed(mask, pick);
        if (id < 0) fail("nothing is allowed");
        /* schema_state.c: a mask may let a token through that names a member twice */
        while (!tokenizer_ends(k, id) && schema_take(s, id)) {
            id = nth_allowed(mask, pick + ++tries);
            if (tries > VOCAB) fail("nothing that is allowed can be taken");
        }
        if (tokenizer_ends(k, id)) break;
        struct span b = tokenizer_bytes(k, id);
        buf_add(&doc, b.p, b.n);
    }
    json_t *v = json_loadb(buf_str(&doc), doc.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!v) {
        fprintf(stderr, "%s\n", buf_str(&doc));
        fail("not JSON");
    }
    json_decref(v);
    buf_free(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct tokenizer *k;
    const struct schema_vocab *v = vocabulary(&k);
    struct schema *s;
    struct err err = { 0 };
    const uint8_t *zero = n > 1 ? memchr(data + 1, 0, n - 1) : NULL;
    if (!zero) return 0;
    const char *text = (const char *)zero + 1;
    int rc = schema_open(v, text, n - (size_t)(text - (const char *)data), &s, &err);
    if (rc && (!err.msg[0] || s)) fail("refused without a reason");
    if (!rc) walk(s, k, data + 1, (size_t)(zero - data - 1), data[0]);
    schema_free(s);
    return 0;
}
