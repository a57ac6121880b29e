/* The bytes of an archive, in memory or fetched from the program (lend.h), as libarchive wants
 * them.
 *
 * Of what is fetched one block is kept, and blocks begin at multiples of their size, as those of a
 * sealed file do; so going back a little, as reading a zip's directory does, costs nothing. A block
 * stays as it is until the next call that reads, which is as long as libarchive looks at it. */
#include "media/parts.h"

#include <archive.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK WIRE_MAX

struct supply supply_of(const void *p, size_t n) { return (struct supply){ .p = p, .n = n }; }

struct fetching {
    const struct supply *s;
    uint64_t at, from; /* from: of the block that is held */
    size_t held;
    uint8_t block[BLOCK];
};

static la_ssize_t on_read(struct archive *a, void *ud, const void **out)
{
    struct fetching *f = ud;
    uint64_t from = f->at - f->at % BLOCK;
    if (f->at >= f->s->n) return 0;
    if (!f->held || f->from != from) {
        size_t n = f->s->n - from < BLOCK ? (size_t)(f->s->n - from) : BLOCK;
        f->from = from;
        f->held = 0;
        if (f->s->fetch(f->s->ud, from, f->block, n)) {
            archive_set_error(a, EIO, "not supplied");
            return ARCHIVE_FATAL;
        }
        f->held = n;
    }
    size_t skip = (size_t)(f->at - from), n = f->held - skip;
    *out = f->block + skip;
    f->at += n;
    return (la_ssize_t)n;
}

static la_int64_t on_skip(struct archive *a, void *ud, la_int64_t n)
{
    struct fetching *f = ud;
    uint64_t left = f->s->n - f->at, k = n < 0 ? 0 : (uint64_t)n < left ? (uint64_t)n : left;
    f->at += k;
    return (la_int64_t)k;
}

static la_int64_t on_seek(struct archive *a, void *ud, la_int64_t offset, int whence)
{
    struct fetching *f = ud;
    int64_t size = (int64_t)f->s->n, to;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)f->at : size;
    if (__builtin_add_overflow(base, offset, &to) || to < 0 || to > size) return ARCHIVE_FAILED;
    f->at = (uint64_t)to;
    return to;
}

static int on_close(struct archive *a, void *ud)
{
    free(ud);
    return ARCHIVE_OK;
}

int supply_open(const struct supply *s, struct archive *a)
{
    if (s->p) return archive_read_open_memory2(a, s->p, (size_t)s->n, BLOCK);
    struct fetching *f = calloc(1, sizeof *f);
    if (!f) return ARCHIVE_FATAL;
    f->s = s;
    archive_read_set_seek_callback(a, on_seek);
    return archive_read_open2(a, f, NULL, on_read, on_skip, on_close);
}
