/* Large arrays that grow without being copied: the kernel moves their pages.
 *
 *     struct grow a = {0};
 *     if (grow_to(&a, 1 << 20, err)) return err->code;     a.p is zeroed beyond what it held
 *     grow_free(&a);
 *
 * Pages are committed when first written. p is aligned to 2 MiB, so that huge pages may back it.
 * */
#ifndef LK_INDEX_GROW_H
#define LK_INDEX_GROW_H

#include "base/err.h"

#include <stddef.h>

struct grow {
    void *p;    /* NULL while cap is 0; moves when it grows */
    size_t cap; /* bytes, a multiple of the page size */
};

int grow_to(struct grow *g, size_t bytes, struct err *err); /* at least; never shrinks */
void grow_free(struct grow *g);                             /* the kernel zeroes the pages */

#endif
