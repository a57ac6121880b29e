/* The journal of a SQLite database (its write-ahead log, "chat.db-wal"): pages that were written
 * and not yet put into the file. Who copies a database while its program runs has the newest of it
 * there. SQLite itself reads a journal only beside a file on disk, so this puts the pages into the
 * copy in memory (sqlite.org/walformat.html).
 *
 *     header   32 bytes: magic, version 3007000, page size, sequence, two salts, two checksums
 *     frame    24 bytes: page number, pages of the database if this ends a transaction or else 0,
 *              the salts, two checksums; then the page
 *
 * All big-endian; checksums run on from frame to frame, over words whose order the magic tells. A
 * frame counts when salts and checksums are right and a frame that ends a transaction follows, or
 * it is that. So a journal that is cut off, or was begun anew over an older one, gives what is
 * whole in it, and one that belongs to no such database gives nothing. */
#include "media/parts.h"

#include <string.h>

#define HEADER  32
#define FRAME   24
#define MAGIC   0x377F0682
#define VERSION 3007000

struct wal {
    const uint8_t *p;
    size_t n, page;
    bool big_endian;
    uint32_t salt[2], sum[2];
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sum(struct wal *w, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint32_t a = be32(p + i), b = be32(p + i + 4);
        if (!w->big_endian) a = __builtin_bswap32(a), b = __builtin_bswap32(b);
        w->sum[0] += a + w->sum[1];
        w->sum[1] += b + w->sum[0];
    }
}

static size_t page_of(const uint8_t *db, size_t n)
{
    size_t page = n < 100 ? 0 : (size_t)db[16] << 8 | db[17];
    return page == 1 ? 65536 : page;
}

static bool open_wal(struct wal *w, const uint8_t *p, size_t n, size_t page)
{
    if (n < HEADER || (be32(p) & ~1u) != MAGIC || be32(p + 4) != VERSION) return false;
    *w = (struct wal){ .p = p, .n = n, .page = be32(p + 8), .big_endian = p[3] & 1 };
    if (w->page != page || page < 512 || page > 65536 || (page & (page - 1))) return false;
    for (int i = 0; i < 2; i++) w->salt[i] = be32(p + 16 + 4 * (size_t)i);
    sum(w, p, 24);
    return w->sum[0] == be32(p + 24) && w->sum[1] == be32(p + 28);
}

static bool whole(struct wal *w, const uint8_t *frame)
{
    if (be32(frame + 8) != w->salt[0] || be32(frame + 12) != w->salt[1] || !be32(frame))
        return false;
    sum(w, frame, 8);
    sum(w, frame + FRAME, w->page);
    return be32(frame + 16) == w->sum[0] && be32(frame + 20) == w->sum[1];
}

size_t wal_apply(uint8_t *db, size_t n, size_t room, const uint8_t *journal, size_t journal_n)
{
    struct wal w;
    const uint8_t *end = NULL; /* of the last transaction that is whole */
    size_t size = n;
    if (!open_wal(&w, journal, journal_n, page_of(db, n))) return n;
    const uint8_t *p = journal + HEADER, *stop = journal + journal_n;
    for (; (size_t)(stop - p) >= FRAME + w.page && whole(&w, p); p += FRAME + w.page) {
        uint64_t pages = be32(p + 4);
        if (!pages) continue;
        if (pages * w.page > room) break;
        size = (size_t)pages * w.page;
        end = p + FRAME + w.page;
    }
    for (p = journal + HEADER; end && p < end; p += FRAME + w.page) {
        uint64_t at = (uint64_t)(be32(p) - 1) * w.page;
        if (at + w.page <= room) memcpy(db + at, p + FRAME, w.page);
    }
    return size;
}
