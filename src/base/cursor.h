/* A bounds-checked cursor over untrusted bytes, with a sticky first error.
 *
 *     struct cursor c = cursor_of(p, n, "export file");
 *     uint32_t count = cursor_u32(&c, "source count");
 *     if (cursor_check(&c, err)) return err->code;     names field and byte offset
 *
 * After the first failure every read returns 0 or an empty span, so a reader checks once. */
#ifndef LK_BASE_CURSOR_H
#define LK_BASE_CURSOR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct span { /* borrowed bytes; p may be NULL when n is 0 */
    const char *p;
    size_t n;
};

struct cursor {
    const uint8_t *p;
    size_t n, at;
    const char *what; /* names the input in errors; borrowed */
    const char *bad;  /* the field that failed, or NULL */
    size_t bad_at;
};

struct cursor cursor_of(const void *p, size_t n, const char *what);
uint8_t cursor_u8(struct cursor *c, const char *field);
uint32_t cursor_u32(struct cursor *c, const char *field); /* little-endian */
uint64_t cursor_u64(struct cursor *c, const char *field);
struct span cursor_bytes(struct cursor *c, size_t n, const char *field);
struct span cursor_lstr(struct cursor *c, const char *field); /* u32 length, then bytes */
void cursor_fail(struct cursor *c, const char *field);        /* a caller's own check failed */
int cursor_check(const struct cursor *c, struct err *err);    /* 0 or ERR_PARSE */
size_t cursor_left(const struct cursor *c);

#endif
