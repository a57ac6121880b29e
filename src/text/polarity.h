/* Leaning of words, for stance and tone: a small list of everyday words, written for this project.
 * Not a sentiment model: it says "love" leans one way and "awful" the other, and no more. */
#ifndef LK_TEXT_POLARITY_H
#define LK_TEXT_POLARITY_H

#include <stdbool.h>
#include <stddef.h>

/* +1, -1, or 0 for words without a leaning. folded: token_fold'ed, not stemmed. */
int polarity_word(const char *folded, size_t n);
/* "not", "never", "don't", "can't", "hardly" ... */
bool polarity_negates(const char *folded, size_t n);

#endif
