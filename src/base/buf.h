/* A growing byte buffer with a maximum and a sticky failure.
 *
 *     struct buf b = BUF_INIT(1 << 20);        at most 1 MiB
 *     buf_adds(&b, "hello ");
 *     buf_printf(&b, "%d", 42);
 *     if (b.failed) ...                        one check at the end is enough
 *     buf_free(&b);                            zeroes what it held
 *
 * The bytes are always followed by a NUL that is not counted in n. */
#ifndef LK_BASE_BUF_H
#define LK_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    char *p;    /* NULL until the first byte */
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
    size_t max; /* 0: BUF_MAX_DEFAULT */
    int failed; /* 0, ERR_NOMEM or ERR_LIMIT; once set, additions do nothing */
};

#define BUF_MAX_DEFAULT   ((size_t)1 << 30)
#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

int buf_add(struct buf *b, const void *p, size_t n); /* 0 or b->failed */
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_reserve(struct buf *b, size_t more); /* room for `more` bytes after n */

/* Little-endian integers, for stored formats. */
int buf_u8(struct buf *b, uint8_t v);
int buf_u32(struct buf *b, uint32_t v);
int buf_u64(struct buf *b, uint64_t v);
/* u32 length, then the bytes. NULL is stored as length 0. */
int buf_lstr(struct buf *b, const char *s, size_t n);

const char *buf_str(const struct buf *b); /* "" when empty; borrowed until the next change */
void buf_clear(struct buf *b);            /* n = 0, failed = 0, zeroes, keeps memory */
char *buf_take(struct buf *b);            /* caller frees; never NULL unless failed */
void buf_free(struct buf *b);             /* zeroes and frees; accepts an empty one */

#endif
