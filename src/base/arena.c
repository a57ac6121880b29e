/* Arena: a list of blocks, bump allocation, zeroed on the way out because it holds personal
 * text. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 << 10)

struct block {
    struct block *next;
    size_t used, cap;
    _Alignas(16) unsigned char data[];
};

struct arena {
    struct block *head;       /* newest first */
    size_t total, max, block; /* block: ordinary size of one */
};

struct arena *arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->max = max ? max : (size_t)4 << 30;
    a->block = BLOCK_SIZE;
    return a;
}

struct arena *arena_small(size_t block)
{
    struct arena *a = arena_new(0);
    if (a) a->block = block;
    return a;
}

size_t arena_bytes(const struct arena *a) { return sizeof *a + a->total; }

static struct block *block_add(struct arena *a, size_t n)
{
    size_t cap = n > a->block ? n : a->block;
    if (cap > a->max - a->total) return NULL;
    struct block *b = malloc(sizeof *b + cap);
    if (!b) return NULL;
    b->used = 0;
    b->cap = cap;
    /* A block made for one large thing goes behind the head, which may still have room. */
    if (a->head && n > a->block) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    a->total += cap;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX - 16) return NULL;
    n = (n + 15) & ~(size_t)15;
    struct block *b = a->head;
    if (!b || n > b->cap - b->used) b = block_add(a, n);
    if (!b) return NULL;
    void *p = b->data + b->used;
    b->used += n;
    memset(p, 0, n);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    if (!s) n = 0;
    char *p = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
    if (p && n) memcpy(p, s, n);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p) return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

void arena_reset(struct arena *a)
{
    struct block *keep = NULL;
    for (struct block *b = a->head, *next; b; b = next) {
        next = b->next;
        explicit_bzero(b->data, b->used);
        if (!keep && b->cap == a->block) {
            keep = b;
            continue;
        }
        a->total -= b->cap;
        free(b);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->head = keep;
}

void arena_free(struct arena *a)
{
    if (!a) return;
    arena_reset(a);
    free(a->head);
    free(a);
}
