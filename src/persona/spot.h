/* Many phrases looked for in one walk over a text.
 *
 *     static struct spots all;                         zeroed
 *     spots_add(&all, " because", 0);                  once, before the first search
 *     spots_find(&all, text, n, fn, ud);               fn(ud, 0, where) for each place it stands
 *
 * Phrases have at least two bytes and are compared byte by byte. */
#ifndef LK_PERSONA_SPOT_H
#define LK_PERSONA_SPOT_H

#include <stddef.h>
#include <stdint.h>

#define SPOTS_MAX 255

struct spots {
    struct spot {
        const char *words; /* borrowed for good */
        uint8_t n, next;   /* next with the same beginning, from 1; 0: none */
        uint16_t id;
    } spot[SPOTS_MAX];
    size_t n;
    uint8_t first[1024]; /* by the first two bytes */
};

void spots_add(struct spots *s, const char *words, uint16_t id);
void spots_find(const struct spots *s, const char *text, size_t n,
                void (*fn)(void *ud, uint16_t id, size_t at), void *ud);

#endif
