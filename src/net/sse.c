/* Server-sent events. A line ends with LF, CR or CRLF, and the two bytes of a CRLF may come in two
 * pieces: so a CR ends the line at once and an LF right after it is passed over. */
#include "net/sse.h"

#include "base/cursor.h"

#include <string.h>

static int too_long(struct sse *s, struct err *err)
{
    return s->line.failed == ERR_NOMEM || s->data.failed == ERR_NOMEM
               ? err_nomem(err)
               : err_set(err, ERR_LIMIT, "an event of more than %zu bytes", s->max);
}

static int dispatch(struct sse *s)
{
    int rc = s->has_data ? s->event(s->ud, buf_str(&s->data), s->data.n) : 0;
    buf_clear(&s->data);
    s->has_data = false;
    return rc;
}

/* A whole line stands in s->line. */
static int take_line(struct sse *s, struct err *err)
{
    static const char bom[] = "\xef\xbb\xbf", field[] = "data";
    struct span v = { buf_str(&s->line), s->line.n };
    int rc = 0;
    if (!s->begun && v.n >= 3 && !memcmp(v.p, bom, 3)) v.p += 3, v.n -= 3;
    s->begun = true;
    if (!v.n) rc = dispatch(s);
    else if (v.n >= 4 && !memcmp(v.p, field, 4) && (v.n == 4 || v.p[4] == ':')) {
        size_t skip = v.n == 4 ? 4 : v.n > 5 && v.p[5] == ' ' ? 6 : 5;
        if (s->has_data) buf_addc(&s->data, '\n');
        if (buf_add(&s->data, v.p + skip, v.n - skip)) rc = too_long(s, err);
        s->has_data = true;
    }
    buf_clear(&s->line);
    return rc;
}

int sse_feed(struct sse *s, const char *p, size_t n, struct err *err)
{
    const char *end = p + n;
    int rc = 0;
    s->line.max = s->data.max = s->max;
    while (p < end && !rc) {
        const char *q = p;
        if (s->after_cr && *p == '\n') q = ++p;
        s->after_cr = false;
        while (q < end && *q != '\n' && *q != '\r') q++;
        if (q > p && buf_add(&s->line, p, (size_t)(q - p))) return too_long(s, err);
        if (q < end) {
            s->after_cr = *q == '\r';
            rc = take_line(s, err);
            q++;
        }
        p = q;
    }
    return rc;
}

void sse_free(struct sse *s)
{
    buf_free(&s->line);
    buf_free(&s->data);
}
