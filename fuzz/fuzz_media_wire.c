/* The reader of a helper's records, on whatever a helper may say. What must hold: no crash; DATA
 * only inside of an entry; every number of a fault or note is one of the list; an error has a
 * message. */
#include "media/wire.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct wire_record r;
    struct err err = { 0 };
    bool inside = false;
    int rc;
    if (fd < 0) fd = memfd_create("records", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) return 0;
    lseek(fd, 0, SEEK_SET);
    struct wire_in w = { .fd = fd };
    while ((rc = wire_next(&w, &r, &err)) > 0) {
        if (r.type == WIRE_BEGIN) inside = true;
        if ((r.type == WIRE_DATA || r.type == WIRE_END) && !inside) abort();
        if (r.type == WIRE_END) inside = false;
        if (r.type == WIRE_NOTE && !*note_text(r.note)) abort();
        if (r.type == WIRE_FAULT && !*fault_text(r.fault)) abort();
        if (r.type == WIRE_WANT && (!r.want || r.want > WIRE_MAX)) abort();
        if (r.path.n > WIRE_NAME || r.bytes.n > WIRE_MAX) abort();
    }
    if (rc < 0 && (!err.msg[0] || err.code != rc)) abort();
    wire_clear(&w);
    return 0;
}
