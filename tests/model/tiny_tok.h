/* A tokenizer of bytes: the 256 bytes and a few control tokens, as a GGUF of the gpt2 kind made on
 * the spot. Every text of n bytes is n tokens, so tests can count. */
#ifndef LK_TESTS_TINY_TOK_H
#define LK_TESTS_TINY_TOK_H

#include "base/str.h"
#include "check.h"
#include "model/tokenizer.h"

enum { TINY_CONTROL = 4, TINY_VOCAB = 256 + TINY_CONTROL };

static inline struct tokenizer *tiny_tok_make(bool add_bos)
{
    static const char *const control[TINY_CONTROL] = { "<|im_start|>", "<|im_end|>", "<s>",
                                                       "</s>" };
    static char name[256][4];
    struct span tok[TINY_VOCAB];
    int32_t type[TINY_VOCAB];
    struct err err;
    struct gguf_writer *w;
    struct gguf *g;
    struct tokenizer *t;
    char path[300];
    uint32_t beyond = 256;
    for (int i = 0; i < 256; i++) { /* GPT-2 writes bytes that are not printable as U+0100 and on */
        bool plain = (i > 32 && i < 127) || (i > 160 && i != 173);
        int n = utf8_put(name[i], plain ? (uint32_t)i : beyond++);
        tok[i] = (struct span){ name[i], (size_t)n };
        type[i] = 1;
    }
    for (int i = 0; i < TINY_CONTROL; i++) {
        tok[256 + i] = span_of(control[i]);
        type[256 + i] = 3;
    }
    snprintf(path, sizeof path, "%s/tok.gguf", check_tmp_dir());
    check_ok(gguf_create(path, &w, &err), err);
    gguf_put_str(w, "general.architecture", "llama", 5);
    gguf_put_str(w, "tokenizer.ggml.model", "gpt2", 4);
    gguf_put_str(w, "tokenizer.ggml.pre", "gpt-2", 5);
    gguf_put_strs(w, "tokenizer.ggml.tokens", tok, TINY_VOCAB);
    gguf_put_nums(w, "tokenizer.ggml.token_type", GGUF_I32, type, TINY_VOCAB);
    gguf_put_strs(w, "tokenizer.ggml.merges", tok, 0);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 258);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 259);
    if (add_bos) gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    check_ok(gguf_finish(w, &err), err);
    check_ok(gguf_open(path, &g, &err), err);
    check_ok(tokenizer_open(g, &t, &err), err);
    gguf_close(g);
    unlink(path);
    return t;
}

static inline struct tokenizer *tiny_tok_open(void) { return tiny_tok_make(false); }

#endif
