/* Tokens: words and marks, the unit that chunks are counted in and that the hash embedder and BM25
 * read.
 *
 *     struct tokens t = tokens_of(s, n);
 *     while (tokens_next(&t)) use(s + t.start, t.end - t.start, t.is_word);
 *
 * A word is a run of letters, digits and combining marks (Unicode, through ICU's uchar.h), with
 * inner apostrophes and hyphen-less: "don't" is one word, "well-read" two and a mark. CJK
 * ideographs and kana are words of one character. Every other visible character is a mark, one
 * token each; an emoji with its modifiers and joiners is one mark. A run of more than TOKEN_BYTES
 * bytes is cut into several tokens.
 *
 * What a token is depends only on the bytes from its start on: the tokens of a text are the tokens
 * of its parts, wherever the cuts fall between tokens. */
#ifndef LK_TEXT_TOKEN_H
#define LK_TEXT_TOKEN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_BYTES 128

struct tokens {
    const char *s;
    size_t n, at;
    size_t start, end; /* byte range of the current token */
    bool is_word;
};

struct tokens tokens_of(const char *s, size_t n);
bool tokens_next(struct tokens *t);
size_t tokens_count(const char *s, size_t n); /* words and marks */

/* A word made ready for matching: folded (utf8_fold), possessive 's removed, Porter2-stemmed when
 * it is ASCII letters (libstemmer, English). Writes at most cap-1 bytes and NUL; returns its
 * length. Thread-safe (one stemmer a thread). */
size_t token_stem(const char *word, size_t n, char *out, size_t cap);
/* As token_stem, without the stemming. */
size_t token_fold(const char *word, size_t n, char *out, size_t cap);
/* Function words ("the", "of", "would", "what") in folded, unstemmed form: they carry no
 * subject. */
bool token_is_stop(const char *folded, size_t n);

/* All of the above about one word at once, through a cache per thread: the way to read much text.
 *
 *     struct token_word w = token_word(s + t.start, t.end - t.start);
 *     if (!w.stop) count(w.key);
 *
 * The strings are NUL-terminated and borrowed until this thread's next call of a token_
 * function. */
struct token_word {
    const char *fold, *stem;
    size_t fold_n, stem_n;
    uint64_t key; /* hash64(stem, stem_n, 0) */
    bool stop;
};
struct token_word token_word(const char *word, size_t n);

#endif
