/* Allocations of the program, counted, to prove that there are none where none should be. Include
 * in one file of a test program: it takes the place of malloc and its kin. Where a sanitizer has
 * taken them for itself nothing is counted; allocations_are_counted tells. */
#ifndef LK_TESTS_COUNTED_H
#define LK_TESTS_COUNTED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_long allocations; /* of all threads but those that look away */
/* Set by a thread of the test itself. */
static _Thread_local bool not_counted __attribute__((unused));
#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t m),
    *__libc_realloc(void *p, size_t n), *__libc_memalign(size_t a, size_t n);
void *malloc(size_t n)
{
    allocations += !not_counted;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t m)
{
    allocations += !not_counted;
    return __libc_calloc(n, m);
}
void *realloc(void *p, size_t n)
{
    allocations += !not_counted;
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t a, size_t n)
{
    allocations += !not_counted;
    return __libc_memalign(a, n);
}
#endif
#endif

static inline bool allocations_are_counted(void)
{
    long before = allocations;
    void *volatile p = malloc(1);
    free(p);
    return allocations > before;
}

#endif
