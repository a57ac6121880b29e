/* Prompt-lookup decoding (Saxena, 2023): what followed the last n-gram where it stood before is
 * likely to follow again. The longest n-gram of 3, 2, 1 tokens that was seen before wins, and of
 * equals the latest. One token says little, so it guesses at most two.
 *
 * Guesses adapt: all right doubles how many are made, more wrong than right halves it, and after
 * nothing but wrong ones it sits out a while, longer each time, so that a text without repeats
 * costs nothing. A backward scan over some thousand tokens takes microseconds where a step takes
 * milliseconds; an index would be more to keep right. */
#include "model/lookup.h"

#include <string.h>

enum { NGRAM = 3, START = 4, REST = 4, REST_MAX = 64 };

/* Where the latest earlier copy of the last g tokens ends, or 0. */
static int find(const int32_t *ids, int n, int g)
{
    const int32_t *last = ids + n - g;
    for (int i = n - g - 1; i >= 0; i--)
        if (ids[i] == last[0] && !memcmp(ids + i, last, (size_t)g * sizeof *ids)) return i + g;
    return 0;
}

int lookup_guess(struct lookup *l, const int32_t *ids, int n, int most, int32_t *guess)
{
    if (l->rest > 0) {
        l->rest--;
        return 0;
    }
    int k = l->k ? l->k : START, at = 0, g = n - 1 < NGRAM ? n - 1 : NGRAM;
    for (; g > 0 && !(at = find(ids, n, g));) g--;
    if (!at) return 0;
    if (g == 1 && k > 2) k = 2;
    if (k > most) k = most;
    if (k > n - at) k = n - at;
    for (int i = 0; i < k; i++) guess[i] = ids[at + i];
    return k > 0 ? k : 0;
}

void lookup_told(struct lookup *l, int guessed, int right)
{
    if (guessed <= 0) return;
    int k = l->k ? l->k : START;
    if (right == guessed) k = k * 2 < LOOKUP_MAX ? k * 2 : LOOKUP_MAX;
    else if (right * 2 < guessed) k = k > 2 ? k / 2 : 1;
    l->k = k;
    l->wrong = right ? 0 : l->wrong + 1;
    if (l->wrong < 2) return;
    int shift = l->wrong < 8 ? l->wrong - 2 : 6;
    l->rest = REST << shift < REST_MAX ? REST << shift : REST_MAX;
}
