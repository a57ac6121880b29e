/* An array on its own mapping. Growing reserves a larger range of addresses and has mremap move
 * the pages there, which costs page-table entries, not bytes: a million vectors are never copied
 * to make room for one more. Both ranges start on 2 MiB, so that huge pages move whole. Huge pages
 * are asked for from 4 MiB up: a scan of 384 MB then misses the address cache 200 times instead of
 * 100,000. */
#include "index/grow.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)

int grow_to(struct grow *g, size_t bytes, struct err *err)
{
    if (bytes <= g->cap) return 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (bytes > SIZE_MAX / 4) return err_nomem(err);
    bytes = (bytes + page - 1) / page * page;
    char *range =
        mmap(NULL, bytes + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return err_nomem(err);
    char *at = range + (HUGE - (uintptr_t)range % HUGE) % HUGE;
    void *p = g->cap ? mremap(g->p, g->cap, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at)
                     : mmap(at, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED) {
        munmap(range, bytes + HUGE);
        return err_nomem(err);
    }
    if (at > range) munmap(range, (size_t)(at - range));
    char *end = at + bytes, *range_end = range + bytes + HUGE;
    if (range_end > end) munmap(end, (size_t)(range_end - end));
    if (bytes >= 2 * HUGE) madvise(p, bytes, MADV_HUGEPAGE);
    g->p = p;
    g->cap = bytes;
    return 0;
}

void grow_free(struct grow *g)
{
    if (g->cap) munmap(g->p, g->cap);
    *g = (struct grow){ 0 };
}
