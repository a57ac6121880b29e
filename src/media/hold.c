/* Entries on their way. Most are small and lie in an anonymous memory file. A mailbox of gigabytes
 * in an archive would fill the memory, and a file on disk would leave its words in free blocks for
 * years; so beyond `kept` bytes it is written to a spool without a name, under a key that goes with
 * this process, and what memory held goes first. */
#include "media/hold.h"

#include "vault/spool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct hold {
    uint64_t kept, n;
    FILE *memory;
    struct spool *spool;
};

FILE *hold_memory(void)
{
    int fd = memfd_create("likeness", MFD_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "w+b") : NULL;
    if (!f && fd >= 0) close(fd);
    return f;
}

struct hold *hold_new(uint64_t kept)
{
    struct hold *h = calloc(1, sizeof *h);
    if (h && !(h->memory = hold_memory())) {
        free(h);
        return NULL;
    }
    if (h) h->kept = kept;
    return h;
}

static int spill(struct hold *h, struct err *err)
{
    char block[65536];
    size_t n;
    int rc = fflush(h->memory) ? err_nomem(err) : spool_temporary(&h->spool, err);
    rewind(h->memory);
    while (!rc && (n = fread(block, 1, sizeof block, h->memory)))
        rc = spool_write(h->spool, block, n, err);
    explicit_bzero(block, sizeof block);
    fclose(h->memory);
    h->memory = NULL;
    return rc;
}

int hold_add(struct hold *h, const void *p, size_t n, struct err *err)
{
    int rc = 0;
    h->n += n;
    if (h->memory && h->n > h->kept) rc = spill(h, err);
    if (rc) return rc;
    if (h->spool) return spool_write(h->spool, p, n, err);
    return h->memory && fwrite(p, 1, n, h->memory) == n ? 0 : err_nomem(err);
}

FILE *hold_file(struct hold *h, struct err *err)
{
    if (h->spool) return spool_reread(h->spool, NULL, err);
    FILE *f = h->memory;
    h->memory = NULL;
    if (f && !fflush(f) && !fseeko(f, 0, SEEK_SET)) return f;
    if (f) fclose(f);
    err_set_nomem(err);
    return NULL;
}

void hold_free(struct hold *h)
{
    if (!h) return;
    if (h->memory) fclose(h->memory);
    spool_free(h->spool);
    free(h);
}
