/* Server-sent events: cut anywhere, the same events come out, none larger than allowed. The first
 * byte says where to cut. */
#include "base/str.h"
#include "net/sse.h"

#include <stdlib.h>
#include <string.h>

#define MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_event(void *ud, const char *p, size_t n)
{
    if (n > MAX || p[n]) abort();
    struct buf *all = ud;
    buf_add(all, p, n);
    buf_addc(all, '\1');
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(0), parts = BUF_INIT(0);
    struct sse a = { .event = on_event, .ud = &whole, .max = MAX };
    struct sse b = { .event = on_event, .ud = &parts, .max = MAX };
    struct err err = { 0 };
    if (!size) return 0;
    size_t step = (size_t)data[0] + 1;
    const char *p = (const char *)data + 1;
    size_t n = size - 1, at = 0;
    int one = sse_feed(&a, p, n, &err), two = 0;
    if (one && !err.msg[0]) abort();
    for (; at < n && !two; at += step)
        two = sse_feed(&b, p + at, n - at < step ? n - at : step, &err);
    if (one != two || whole.n != parts.n || memcmp(buf_str(&whole), buf_str(&parts), whole.n) != 0)
        abort();
    sse_free(&a);
    sse_free(&b);
    buf_free(&whole);
    buf_free(&parts);
    return 0;
}
