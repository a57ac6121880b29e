/* Archives of any kind, in memory and fetched block by block, and what zip_kind and members_read
 * make of them. What must hold: no crash, a stream of records that the reader (fuzz_media_wire.c)
 * would take, and nothing is fetched that is not there. */
#include "media/parts.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(void *ud, const void *p, size_t n)
{
    size_t *left = ud;
    *left = n < *left ? *left - n : 0;
    return *left == 0;
}

static int fetch(void *ud, uint64_t at, void *p, size_t n)
{
    const struct supply *whole = ud;
    if (!n || n > WIRE_MAX || at > whole->n || n > whole->n - at) abort();
    memcpy(p, whole->p + at, n);
    return 0;
}

static void walk(const struct supply *s)
{
    static struct wire_out out;
    size_t left = 64 << 20;
    out = (struct wire_out){ .put = put, .ud = &left };
    archive_walk(s, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct members m;
    setlocale(LC_ALL, "C.UTF-8");
    struct supply s = supply_of(data, size), by_block = { .n = size, .fetch = fetch, .ud = &s };
    walk(&s);
    walk(&by_block);
    zip_kind(&s);
    enum fault f = members_read(&s, ".xml .rels", &m);
    if (f >= FAULT_COUNT || (!f && !m.n && m.fault)) abort();
    members_free(&m);
    return 0;
}
