/* The English function words, folded and unstemmed. A detail of token.c: ask token_is_stop. */
#ifndef LK_TEXT_STOPWORDS_H
#define LK_TEXT_STOPWORDS_H

#include <stdbool.h>
#include <stddef.h>

bool stopword(const char *folded, size_t n);
size_t stopwords_count(void);
const char *stopwords_at(size_t i); /* in order, for tests; static */

#endif
