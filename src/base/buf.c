/* Growing buffers. They hold personal text, so memory is zeroed before it goes back to the heap:
 * growth copies by hand instead of realloc, which could leave the old bytes behind. */
#include "base/buf.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int buf_reserve(struct buf *b, size_t more)
{
    if (b->failed) return b->failed;
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    if (max > SIZE_MAX / 4) max = SIZE_MAX / 4;
    if (more > max || b->n > max - more) return b->failed = ERR_LIMIT;
    size_t need = b->n + more + 1;
    if (need <= b->cap) return 0;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need) cap *= 2;
    if (cap > max + 1) cap = max + 1;
    char *p = malloc(cap);
    if (!p) return b->failed = ERR_NOMEM;
    if (b->p) {
        memcpy(p, b->p, b->n + 1);
        explicit_bzero(b->p, b->cap);
        free(b->p);
    } else {
        p[0] = 0;
    }
    b->p = p;
    b->cap = cap;
    return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
    int rc = buf_reserve(b, n);
    if (rc) return rc;
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
    return 0;
}

int buf_adds(struct buf *b, const char *s) { return s ? buf_add(b, s, strlen(s)) : b->failed; }
int buf_addc(struct buf *b, char c) { return buf_add(b, &c, 1); }

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) return b->failed ? b->failed : (b->failed = ERR_INVAL);
    int rc = buf_reserve(b, (size_t)n);
    if (rc) return rc;
    va_start(ap, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
    return 0;
}

int buf_u8(struct buf *b, uint8_t v) { return buf_add(b, &v, 1); }

int buf_u32(struct buf *b, uint32_t v)
{
    uint8_t t[4] = { v & 255, v >> 8 & 255, v >> 16 & 255, v >> 24 };
    return buf_add(b, t, 4);
}

int buf_u64(struct buf *b, uint64_t v)
{
    buf_u32(b, (uint32_t)v);
    return buf_u32(b, (uint32_t)(v >> 32));
}

int buf_lstr(struct buf *b, const char *s, size_t n)
{
    if (!s) n = 0;
    if (n > UINT32_MAX) return b->failed ? b->failed : (b->failed = ERR_LIMIT);
    buf_u32(b, (uint32_t)n);
    return buf_add(b, s, n);
}

const char *buf_str(const struct buf *b) { return b->p ? b->p : ""; }

void buf_clear(struct buf *b)
{
    if (b->p) {
        explicit_bzero(b->p, b->n);
        b->p[0] = 0;
    }
    b->n = 0;
    b->failed = 0;
}

char *buf_take(struct buf *b)
{
    if (buf_reserve(b, 0)) return NULL;
    char *p = b->p;
    b->p = NULL;
    b->n = b->cap = 0;
    return p;
}

void buf_free(struct buf *b)
{
    if (!b) return;
    if (b->p) {
        explicit_bzero(b->p, b->cap);
        free(b->p);
    }
    b->p = NULL;
    b->n = b->cap = 0;
}
