/* The one way untrusted binary bytes are read. See cursor.h. */
#include "base/cursor.h"

struct cursor cursor_of(const void *p, size_t n, const char *what)
{
    return (struct cursor){ .p = p, .n = n, .what = what };
}

size_t cursor_left(const struct cursor *c) { return c->bad ? 0 : c->n - c->at; }

void cursor_fail(struct cursor *c, const char *field)
{
    if (c->bad) return;
    c->bad = field;
    c->bad_at = c->at;
}

struct span cursor_bytes(struct cursor *c, size_t n, const char *field)
{
    if (!c->bad && n > c->n - c->at) cursor_fail(c, field);
    if (c->bad) return (struct span){ NULL, 0 };
    struct span s = { c->p ? (const char *)c->p + c->at : NULL, n };
    c->at += n;
    return s;
}

uint8_t cursor_u8(struct cursor *c, const char *field)
{
    struct span s = cursor_bytes(c, 1, field);
    return s.p && s.n ? (uint8_t)s.p[0] : 0;
}

uint32_t cursor_u32(struct cursor *c, const char *field)
{
    struct span s = cursor_bytes(c, 4, field);
    const uint8_t *u = (const uint8_t *)s.p;
    return u && s.n ? u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24 : 0;
}

uint64_t cursor_u64(struct cursor *c, const char *field)
{
    uint64_t lo = cursor_u32(c, field);
    return lo | (uint64_t)cursor_u32(c, field) << 32;
}

struct span cursor_lstr(struct cursor *c, const char *field)
{
    return cursor_bytes(c, cursor_u32(c, field), field);
}

int cursor_check(const struct cursor *c, struct err *err)
{
    if (!c->bad) return 0;
    return err_set(err, ERR_PARSE, "%s: field \"%s\" at byte %zu is cut off or out of range",
                   c->what, c->bad, c->bad_at);
}
