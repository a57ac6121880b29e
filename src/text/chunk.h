/* Chunks: passages of at most N tokens, cut at sentence ends, with an overlap, that the persona is
 * searched by. Documents are packed sentence by sentence. Chat messages and mails of one thread are
 * grouped into exchanges: what the others said, then what the persona answered, so that an answer
 * keeps the question it answered.
 *
 *     struct chunker *c = chunker_new(&(struct chunk_opts){ .max_tokens = 512, .overlap = 64 },
 * on_chunk, ud, err); for each piece of a thread, in time order: chunker_add(c, &p, err);
 *     chunker_flush(c, err);                              at the end of each thread or document
 *     chunker_free(c);
 *
 * Rules: (1) no chunk exceeds max_tokens; (2) cuts fall at sentence ends; (3) consecutive chunks of
 * one document, or of one unbroken exchange, share up to `overlap` tokens of whole sentences; (4) a
 * silence longer than gap_seconds ends an exchange; (5) a chunk never ends with the others' words
 * when the persona's answer follows within the gap and fits; when an answer is itself too long for
 * one chunk, each of its chunks begins with (up to overlap tokens of) the question; (6) a chunk
 * without any word of the persona is not produced.
 *
 * What the others said and the persona did not answer is left out. Of a long question the last
 * max_tokens / 2 tokens are kept. Every token of the persona is new in exactly one chunk. */
#ifndef LK_TEXT_CHUNK_H
#define LK_TEXT_CHUNK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_COUNTED_MIN                                                                          \
    256 /* least max_tokens with a counter: no word has more than half of it */

struct chunk_opts {
    int max_tokens; /* 16 .. 8192 */
    int overlap;    /* 0 .. max_tokens / 2 */
    int64_t gap_seconds;
    /* Who counts: NULL, and a token is a word or mark (token.h); else a model's tokenizer, asked
     * for the tokens of one sentence. off: [cap], the byte at which each begins, in order; returns
     * how many there are, SIZE_MAX when memory is short. Cuts still fall between words. */
    size_t (*tokens)(void *ud, const char *s, size_t n, uint32_t *off, size_t cap);
    void *tokens_ud;
};

/* What goes in: a piece as it is stored. Strings are copied as needed. */
struct chunk_piece {
    int64_t piece; /* row id, comes back in the segments */
    bool voice;    /* the persona's own words; else context */
    bool alone;    /* a document: never grouped with its neighbours */
    int64_t written_at;
    const char *author; /* shown name; "" for the persona */
    const char *text;
    size_t text_n;
};

/* A stretch of one piece inside a chunk. */
struct chunk_seg {
    int64_t piece;
    bool voice;
    bool overlap; /* repeated from the chunk before (or a kept question): do not quote twice */
    int64_t written_at;
    const char *author;
    const char *text; /* borrowed during the callback; NUL-terminated */
    size_t text_n;
    size_t offset; /* where it begins in the piece's text */
};

struct chunk_out {
    const struct chunk_seg *seg;
    size_t n_seg;
    int n_tokens;
    int64_t written_at; /* of the newest voice segment */
};

struct chunker;
struct chunker *chunker_new(const struct chunk_opts *o,
                            int (*fn)(void *ud, const struct chunk_out *c, struct err *err),
                            void *ud, struct err *err);
int chunker_add(struct chunker *c, const struct chunk_piece *p, struct err *err);
int chunker_flush(struct chunker *c, struct err *err);
void chunker_free(struct chunker *c);

#endif
