/* Sentences: byte ranges of UTF-8 text, by ICU's break iterator with abbreviations held together
 * ("Dr.", "e.g."), then our own repairs: line breaks that end list items, headings and chat lines
 * split; a sentence longer than SENTENCE_MAX tokens is cut at a clause mark or a word.
 *
 *     struct sentences *it = sentences_new(err);         reusable; one per thread
 *     sentences_text(it, s, n);
 *     size_t from, to;
 *     while (sentences_next(it, &from, &to)) ...         trimmed, never empty
 *     sentences_free(it); */
#ifndef LK_TEXT_SENTENCE_H
#define LK_TEXT_SENTENCE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SENTENCE_MAX 120 /* tokens */

struct sentences;
struct sentences *sentences_new(struct err *err);                  /* NULL on error */
int sentences_text(struct sentences *it, const char *s, size_t n); /* s borrowed until the next */
bool sentences_next(struct sentences *it, size_t *from, size_t *to);
void sentences_free(struct sentences *it); /* accepts NULL */

#endif
