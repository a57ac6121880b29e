/* A hash map from uint64_t keys (usually hash64 of a word) to uint64_t values. Open addressing,
 * grows by doubling; keys cannot be removed one by one.
 *
 *     struct map m = {0};
 *     uint64_t *v = map_slot(&m, key);      made with value 0 if absent; NULL when out of memory
 *     if (v) ++*v;
 *     map_free(&m);
 *
 * A returned pointer holds until the next map_slot. */
#ifndef LK_BASE_MAP_H
#define LK_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    uint64_t key, value;
    bool used;
};

struct map {
    struct map_entry *e;
    size_t n, cap; /* cap is a power of two, or 0 */
};

uint64_t *map_slot(struct map *m, uint64_t key);
const uint64_t *map_get(const struct map *m, uint64_t key); /* NULL if absent */
/* for (size_t i = 0; (i = map_iter(m, i)); ) use m->e[i-1]: returns 0 at the end. */
size_t map_iter(const struct map *m, size_t i);
void map_free(struct map *m); /* accepts a zeroed map */

#endif
