/* Stop strings. Held back is the longest end of the text that begins a stop string, so never more
 * than the longest of them less one byte, and that many bytes are looked at again with each piece.
 * The earliest stop in the text wins, whichever of the list it is; of those that begin at one place
 * none matters more, for the text ends there. */
#include "model/stops.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int stops_init(struct stops *s, const char *const *list, int n, struct err *err)
{
    *s = (struct stops){ .held = BUF_INIT(1 << 20) };
    if (n < 0 || n > STOPS_MAX)
        return err_set(err, ERR_INVAL, "%d stop strings; at most %d", n, STOPS_MAX);
    for (int i = 0; i < n; i++) {
        size_t len = list[i] ? strlen(list[i]) : 0;
        if (!len || len > STOPS_LEN_MAX) {
            stops_clear(s);
            return err_set(err, ERR_INVAL, "a stop string has %zu bytes, not 1 to %d", len,
                           STOPS_LEN_MAX);
        }
        if (!(s->text[s->n] = str_dup(list[i]))) {
            stops_clear(s);
            return err_nomem(err);
        }
        s->len[s->n++] = len;
    }
    return 0;
}

void stops_clear(struct stops *s)
{
    for (int i = 0; i < s->n; i++) free(s->text[i]);
    buf_free(&s->held);
    *s = (struct stops){ 0 };
}

/* Bytes at the end of p[0, n) that begin stop i. */
static size_t overlap(const struct stops *s, int i, const char *p, size_t n)
{
    size_t k = s->len[i] - 1 < n ? s->len[i] - 1 : n;
    while (k && memcmp(p + n - k, s->text[i], k) != 0) k--;
    return k;
}

static void let_go(struct stops *s, size_t n, struct buf *out)
{
    buf_add(out, s->held.p, n);
    memmove(s->held.p, s->held.p + n, s->held.n - n);
    s->held.n -= n;
}

bool stops_push(struct stops *s, const char *p, size_t n, struct buf *out)
{
    if (!s->n) {
        buf_add(out, p, n);
        return false;
    }
    if (!n || buf_add(&s->held, p, n)) {
        if (s->held.failed) out->failed = s->held.failed;
        return false;
    }
    const char *first = NULL;
    size_t wait = 0;
    for (int i = 0; i < s->n; i++) {
        const char *q = memmem(s->held.p, s->held.n, s->text[i], s->len[i]);
        if (q && (!first || q < first)) first = q;
        size_t k = overlap(s, i, s->held.p, s->held.n);
        if (k > wait) wait = k;
    }
    let_go(s, first ? (size_t)(first - s->held.p) : s->held.n - wait, out);
    if (first) buf_clear(&s->held);
    return first != NULL;
}

void stops_end(struct stops *s, struct buf *out)
{
    if (s->held.n) let_go(s, s->held.n, out);
}
