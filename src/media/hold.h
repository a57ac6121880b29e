/* The bytes of one entry while they come and until they are read.
 *
 *     struct hold *h = hold_new(128 << 20);
 *     hold_add(h, p, n, err); ...           any number of bytes: memory does not grow beyond that
 *     FILE *f = hold_file(h, err);          seekable, at its beginning; fclose it
 *     hold_free(h);
 *
 * What is more than `kept` goes to a temporary file that has no name and is sealed (vault/spool.h);
 * a FILE of such a one has no descriptor (fileno < 0). */
#ifndef LK_MEDIA_HOLD_H
#define LK_MEDIA_HOLD_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct hold;
struct hold *hold_new(uint64_t kept); /* NULL when out of memory */
int hold_add(struct hold *h, const void *p, size_t n, struct err *err);
/* NULL on failure. Once; nothing can be added afterwards. */
FILE *hold_file(struct hold *h, struct err *err);
void hold_free(struct hold *h); /* accepts NULL */

/* A file in memory, for reading and writing; NULL when out of memory. */
FILE *hold_memory(void);

#endif
