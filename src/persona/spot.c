/* Spotting: the phrases are chained by their first two bytes, so at most places of a text there is
 * nothing to compare. Some two hundred phrases cost less than ten searches for one. */
#include "persona/spot.h"

#include <string.h>

static size_t place(const char *s)
{
    return ((size_t)(unsigned char)s[0] * 31 + (unsigned char)s[1]) % 1024;
}

void spots_add(struct spots *s, const char *words, uint16_t id)
{
    size_t n = strlen(words);
    if (s->n == SPOTS_MAX || n < 2 || n > UINT8_MAX) return;
    uint8_t *first = &s->first[place(words)];
    s->spot[s->n++] = (struct spot){ words, (uint8_t)n, *first, id };
    *first = (uint8_t)s->n;
}

void spots_find(const struct spots *s, const char *text, size_t n,
                void (*fn)(void *ud, uint16_t id, size_t at), void *ud)
{
    for (size_t at = 0; at + 1 < n; at++)
        for (size_t i = s->first[place(text + at)]; i; i = s->spot[i - 1].next) {
            const struct spot *x = &s->spot[i - 1];
            if (x->n <= n - at && !memcmp(text + at, x->words, x->n)) fn(ud, x->id, at);
        }
}
