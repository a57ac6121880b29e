/* An arena: many small allocations with one lifetime (a request, a file, a job).
 *
 *     struct arena *a = arena_new(0);
 *     char *s = arena_printf(a, "%s/%s", dir, name);    NULL when out of memory
 *     arena_free(a);                                    frees all, zeroed */
#ifndef LK_BASE_ARENA_H
#define LK_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(size_t max); /* max bytes in all, 0: 4 GiB; NULL when out of memory */
/* In blocks of this many bytes, for many arenas that live long and hold little. */
struct arena *arena_small(size_t block);
size_t arena_bytes(const struct arena *a);                     /* taken from the system */
void *arena_alloc(struct arena *a, size_t n);                  /* zeroed, 16-byte aligned; NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n); /* s NULL -> "" */
char *arena_strdup(struct arena *a, const char *s);            /* s NULL -> NULL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a); /* frees all but one block of ordinary size */
void arena_free(struct arena *a);  /* accepts NULL */

#endif
