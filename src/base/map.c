/* Hash map: linear probing at no more than 2/3 full. Keys are hashes already, mixed once more so
 * that small integers spread. */
#include "base/map.h"

#include <stdlib.h>

static size_t place(const struct map *m, uint64_t key)
{
    uint64_t h = key * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(h >> 20) & (m->cap - 1);
    while (m->e[i].used && m->e[i].key != key) i = (i + 1) & (m->cap - 1);
    return i;
}

static int grow(struct map *m)
{
    struct map big = { .cap = m->cap ? m->cap * 2 : 64 };
    big.e = calloc(big.cap, sizeof *big.e);
    if (!big.e) return -1;
    for (size_t i = 0; i < m->cap; i++)
        if (m->e[i].used) big.e[place(&big, m->e[i].key)] = m->e[i];
    big.n = m->n;
    free(m->e);
    *m = big;
    return 0;
}

uint64_t *map_slot(struct map *m, uint64_t key)
{
    if (m->n * 3 >= m->cap * 2 && grow(m)) return NULL;
    struct map_entry *e = &m->e[place(m, key)];
    if (!e->used) {
        *e = (struct map_entry){ .key = key, .used = true };
        m->n++;
    }
    return &e->value;
}

const uint64_t *map_get(const struct map *m, uint64_t key)
{
    if (!m->n) return NULL;
    const struct map_entry *e = &m->e[place(m, key)];
    return e->used ? &e->value : NULL;
}

size_t map_iter(const struct map *m, size_t i)
{
    while (i < m->cap)
        if (m->e[i++].used) return i;
    return 0;
}

void map_free(struct map *m)
{
    free(m->e);
    *m = (struct map){ 0 };
}
