/* Tokenizers: text to token ids and back, as the model's file describes them.
 *
 *     struct tokenizer *t;
 *     tokenizer_open(g, &t, err);                          from the tokenizer.ggml.* keys of a GGUF
 *     size_t n = tokenizer_encode(t, s, len, 0, ids, cap);  returns how many there are; at most cap
 *                                                          are written
 *     struct utf8_hold hold = {0};
 *     tokenizer_text(t, id, &hold, &buf);                  streaming: whole characters only
 *     tokenizer_close(t);
 *
 * Kinds: byte-level BPE (gpt2, with the pre-tokenisers llama-bpe, gpt-2, qwen2, smollm, tekken,
 * default), SentencePiece BPE (llama, gemma), WordPiece (bert), SentencePiece unigram (t5: XLM-R).
 * User text never yields a special token, whatever it contains; only TOKENIZE_SPECIAL, for text of
 * our own making (templates), turns "<|eot_id|>" into its id. Thread-safe once open. */
#ifndef LK_MODEL_TOKENIZER_H
#define LK_MODEL_TOKENIZER_H

#include "base/buf.h"
#include "base/err.h"
#include "model/gguf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tokenizer_kind { TOKENIZER_BPE, TOKENIZER_SPM, TOKENIZER_WORDPIECE, TOKENIZER_UNIGRAM };
enum {
    TOKENIZE_ADD = 1,     /* the model's own begin and end tokens (BOS; [CLS] and [SEP]) */
    TOKENIZE_SPECIAL = 2, /* special tokens in the text are recognised: trusted text only */
};

struct tokenizer;
int tokenizer_open(const struct gguf *g, struct tokenizer **out, struct err *err); /* copies */
void tokenizer_close(struct tokenizer *t); /* accepts NULL */
enum tokenizer_kind tokenizer_kind(const struct tokenizer *t);
int tokenizer_size(const struct tokenizer *t); /* ids are 0 .. size-1 */
/* The pre-tokeniser the file names. *known false: we have none of that name and cut as gpt-2 does,
 * which `model show` tells. Borrowed until close. */
const char *tokenizer_pre(const struct tokenizer *t, bool *known);
/* Invalid UTF-8 is taken byte by byte where the vocabulary has bytes, else as U+FFFD. Any length;
 * time is O(n log n). Returns the number of tokens, of which min(that, cap) were written. SIZE_MAX
 * when memory is short. */
size_t tokenizer_encode(const struct tokenizer *t, const char *s, size_t n, int flags, int32_t *ids,
                        size_t cap);
/* The same with the byte offset in s at which each token begins. off: [cap], NULL if not wanted. */
size_t tokenizer_encode_at(const struct tokenizer *t, const char *s, size_t n, int flags,
                           int32_t *ids, uint32_t *off, size_t cap);

struct utf8_hold { /* the bytes of a character that is not whole yet */
    char b[4];
    int n;
    bool begun; /* SentencePiece: the very first space is dropped */
};
/* Append the text of one token; bytes of an unfinished character wait in hold. Special tokens have
 * no text. */
void tokenizer_text(const struct tokenizer *t, int32_t id, struct utf8_hold *hold, struct buf *out);
/* What is still held becomes U+FFFD: at the end of a text. */
void tokenizer_flush(struct utf8_hold *hold, struct buf *out);
/* The bytes of a token as the model means them ("\u2581the" is " the"); special ones by their
 * name. Borrowed until close. */
struct span tokenizer_bytes(const struct tokenizer *t, int32_t id);
bool tokenizer_special(const struct tokenizer *t, int32_t id);
/* -1 where the model has none. */
int32_t tokenizer_id(const struct tokenizer *t, const char *special); /* by exact name */
int32_t tokenizer_bos(const struct tokenizer *t);
bool tokenizer_adds_bos(const struct tokenizer *t); /* does its file say that texts begin so? */
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_cls(const struct tokenizer *t);
int32_t tokenizer_sep(const struct tokenizer *t);
int32_t tokenizer_unk(const struct tokenizer *t);
/* Does this token end an answer? (EOS, <|eot_id|>, <|im_end|>, <end_of_turn>, ...) */
bool tokenizer_ends(const struct tokenizer *t, int32_t id);

#endif
