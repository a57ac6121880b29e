/* Journals of databases: the first two bytes say how long the database before it is. What must
 * hold: no byte outside of the room, and a size that fits it. */
#include "base/str.h"
#include "media/parts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t n = (size_t)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    if (n > size) n = size;
    uint8_t *db = calloc(1, size + 1), *journal = mem_dup(data + n, size - n);
    if (db && journal) {
        memcpy(db, data, n);
        if (wal_apply(db, n, size, journal, size - n) > size) abort();
    }
    free(db);
    free(journal);
    return 0;
}
