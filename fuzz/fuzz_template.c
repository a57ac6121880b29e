/* A chat template's text from anybody, and a conversation whose contents are. Recognising it ends;
 * rendering in every known family yields as many control tokens as the conversation with empty
 * contents does, whatever the contents are; and limits hold.
 *
 * Input: a byte for the room, then parts set apart by 0xFF: the template's text, then contents of
 * system, user, assistant, user. */
#include "base/str.h"
#include "model/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void fail(const char *what)
{
    fprintf(stderr, "fuzz_template: %s\n", what);
    abort();
}

static const char *const control[] = { "<s>",          "</s>",    "<|im_start|>",
                                       "<|im_end|>",   "[INST]",  "[/INST]",
                                       "<|eot_id|>",   "<think>", "</think>",
                                       "<|user|>",     "<|end|>", "<start_of_turn>",
                                       "<end_of_turn>" };
enum { N_CONTROL = sizeof control / sizeof *control, VOCAB = 256 + N_CONTROL };

static const struct tokenizer *tokenizer(void)
{
    static struct tokenizer *t;
    if (t) return t;
    static char name[256][8];
    struct span tok[VOCAB];
    int32_t type[VOCAB];
    float score[VOCAB] = { 0 };
    struct gguf_writer *w = NULL;
    struct gguf *g = NULL;
    struct err err = { 0 };
    char path[] = "/tmp/fuzz-template-XXXXXX";
    int fd = mkstemp(path);
    for (int i = 0; i < VOCAB; i++) {
        if (i < 256) snprintf(name[i], sizeof name[i], "<0x%02X>", (unsigned)i);
        tok[i] = span_of(i < 256 ? name[i] : control[i - 256]);
        type[i] = i < 256 ? 6 : 3;
    }
    if (fd < 0 || gguf_create(path, &w, NULL)) fail("no place for a vocabulary");
    close(fd);
    gguf_put_str(w, "tokenizer.ggml.model", "llama", 5);
    gguf_put_strs(w, "tokenizer.ggml.tokens", tok, VOCAB);
    gguf_put_nums(w, "tokenizer.ggml.token_type", GGUF_I32, type, VOCAB);
    gguf_put_nums(w, "tokenizer.ggml.scores", GGUF_F32, score, VOCAB);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 256);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 257);
    if (gguf_finish(w, &err) || gguf_open(path, &g, &err) || tokenizer_open(g, &t, &err))
        fail(err.msg);
    gguf_close(g);
    unlink(path);
    return t;
}

static int controls(const struct template *t, const struct template_part *p, size_t room,
                    bool *refused)
{
    struct template_ids ids;
    struct template_opts o = { .room = room };
    int n = 0, rc = template_render(t, tokenizer(), p, 4, &o, &ids, NULL);
    *refused = rc != 0;
    if (rc && rc != ERR_LIMIT) fail("not rendered");
    if (room && ids.n > room) fail("more than there is room for");
    for (size_t i = 0; i < ids.n; i++) n += tokenizer_special(tokenizer(), ids.ids[i]);
    template_ids_free(&ids);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct template_part p[5] = { { .role = TEMPLATE_SYSTEM },
                                  { .role = TEMPLATE_USER, .drop = 1 },
                                  { .role = TEMPLATE_ASSISTANT, .drop = 1 },
                                  { .role = TEMPLATE_USER } },
                         empty[4];
    if (!n) return 0;
    const char *s = (const char *)data + 1, *end = (const char *)data + n, *text = s;
    size_t n_text = 0;
    for (int i = -1; i < 4; i++) {
        const char *q = s < end ? memchr(s, 0xFF, (size_t)(end - s)) : NULL;
        size_t len = (size_t)((q ? q : end) - s);
        if (i < 0) n_text = len;
        else p[i].s = s, p[i].n = len;
        s = q ? q + 1 : end;
    }
    const struct template *known = template_recognise(text, n_text);
    if (known && template_named(template_name(known)) != known) fail("a name of another");
    memcpy(empty, p, sizeof empty);
    for (int i = 0; i < 4; i++) empty[i].n = 0;
    for (int i = 0; template_at(i); i++) {
        bool refused;
        int want = controls(template_at(i), empty, 0, &refused);
        if (controls(template_at(i), p, 0, &refused) != want) fail("text became a control token");
        int some = controls(template_at(i), p, data[0] + 1u, &refused);
        if (!refused && some > want) fail("text became a control token when some was dropped");
    }
    return 0;
}
