/* Archives of any kind, and what zip_kind and members_read make of them. What must hold: no crash,
 * and a stream of records that the reader (fuzz_media_wire.c) would take. */
#include "media/parts.h"

#include <locale.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(void *ud, const void *p, size_t n)
{
    size_t *left = ud;
    *left = n < *left ? *left - n : 0;
    return *left == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wire_out out;
    size_t left = 64 << 20;
    struct members m;
    setlocale(LC_ALL, "C.UTF-8");
    out = (struct wire_out){ .put = put, .ud = &left };
    archive_walk(data, size, &out);
    zip_kind(data, size);
    enum fault f = members_read(data, size, ".xml .rels", &m);
    if (f >= FAULT_COUNT || (!f && !m.n && m.fault)) abort();
    members_free(&m);
    return 0;
}
