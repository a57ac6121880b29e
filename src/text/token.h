/* Tokens: words and marks, the unit that chunks are counted in and that the hash embedder and BM25 read.
 *
 *     struct tokens t = tokens_of(s, n);
 *     while (tokens_next(&t)) use(s + t.start, t.end - t.start, t.is_word);
 *
 * A word is a run of letters, digits and combining marks (Unicode, through ICU's uchar.h), with inner
 * apostrophes and hyphen-less: "don't" is one word, "well-read" two and a mark. CJK ideographs and kana are words of one
 * character. Every other visible character is a mark, one token each. */
#ifndef LK_TEXT_TOKEN_H
#define LK_TEXT_TOKEN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tokens {
    const char *s;
    size_t n, at;
    size_t start, end;     /* byte range of the current token */
    bool is_word;
};

struct tokens tokens_of(const char *s, size_t n);
bool tokens_next(struct tokens *t);
size_t tokens_count(const char *s, size_t n);              /* words and marks */

/* A word made ready for matching: folded (utf8_fold), possessive 's removed, Porter2-stemmed when it
 * is ASCII letters (libstemmer, English). Writes at most cap-1 bytes and NUL; returns its length.
 * Thread-safe (one stemmer a thread). */
size_t token_stem(const char *word, size_t n, char *out, size_t cap);
/* As token_stem, without the stemming. */
size_t token_fold(const char *word, size_t n, char *out, size_t cap);
/* Function words ("the", "of", "would", "what") in folded, unstemmed form: they carry no subject. */
bool token_is_stop(const char *folded, size_t n);

#endif
