/* Server-sent events, read as they come (WHATWG HTML, 9.2.6): what follows "data:", the lines of
 * one event joined by newlines. Names, ids and retry times of events are passed over: the OpenAI
 * API has none.
 *
 *     struct sse s = { .event = on_event, .ud = x, .max = 1 << 20 };
 *     sse_feed(&s, p, n, err);              any number of times, cut anywhere
 *     sse_free(&s);                         an event without its empty line was cut off: dropped */
#ifndef LK_NET_SSE_H
#define LK_NET_SSE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct sse {
    int (*event)(void *ud, const char *data, size_t n); /* data: NUL follows; non-0 stops */
    void *ud;
    size_t max; /* bytes of one event */
    /* the parser's own */
    struct buf line, data;
    bool after_cr, begun, has_data;
};
/* 0; what event returned; ERR_LIMIT; ERR_NOMEM. */
int sse_feed(struct sse *s, const char *p, size_t n, struct err *err);
void sse_free(struct sse *s); /* zeroes what it held */

#endif
