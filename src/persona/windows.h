/* Windows: a passage has one vector for each stretch of about WINDOW_TOKENS tokens, cut at sentence
 * ends. A vector over 512 tokens of a diary is about everything and near nothing; of 64 it is about
 * something.
 *
 *     struct window w[WINDOWS_MAX];
 *     size_t n = windows_of(it, text, text_n, WINDOW_TOKENS, w);
 *     for (i < n) embed(title, text + w[i].from, w[i].to - w[i].from);
 *
 * Pure but for the iterator. They cover the text; at least one, also of an empty text. */
#ifndef LK_PERSONA_WINDOWS_H
#define LK_PERSONA_WINDOWS_H

#include "text/sentence.h"

#include <stddef.h>
#include <stdint.h>

#define WINDOWS_MAX   128
#define WINDOW_TOKENS 64

struct window {
    size_t from, to; /* bytes */
};

size_t windows_of(struct sentences *it, const char *s, size_t n, size_t tokens,
                  struct window out[WINDOWS_MAX]);

/* Ids of windows in an index: those of one passage side by side. */
static inline int64_t window_id(int64_t chunk, int i) { return chunk * 256 + i; }
static inline int64_t window_chunk(int64_t id) { return id / 256; }

#endif
