/* Multipart bodies from strangers. The first byte says how the rest is cut into pieces; it is
 * parsed whole and in pieces, and both must tell the same. With bit 7 the input's first line is the
 * Content-Type. */
#include "base/buf.h"
#include "base/str.h"
#include "http/multipart.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int begin(void *ud, const struct multipart_part *part, struct err *err)
{
    if (!part->name[0] || !utf8_valid(part->name, strlen(part->name))) abort();
    if (!utf8_valid(part->file, strlen(part->file)) || strchr(part->file, '/')) abort();
    buf_printf(ud, "(%s|%d%s)", part->name, part->is_file, part->file);
    return 0;
}

static int data(void *ud, const char *p, size_t n, struct err *err)
{
    if (!n) abort();
    buf_add(ud, p, n);
    return 0;
}

static int end(void *ud, struct err *err)
{
    buf_addc(ud, ';');
    return 0;
}

static int parse(const char *type, const char *p, size_t n, size_t step, struct buf *out)
{
    struct multipart_sink sink = { begin, data, end, out };
    struct multipart *m = NULL;
    int rc = multipart_new(type, &sink, &m, NULL);
    for (size_t at = 0; at < n && !rc; at += step)
        rc = multipart_feed(m, p + at, n - at < step ? n - at : step, NULL);
    if (!rc) rc = multipart_finish(m, NULL);
    multipart_free(m);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf whole = BUF_INIT(1 << 20), pieces = BUF_INIT(1 << 20);
    char type[200] = "multipart/form-data; boundary=b";
    if (!n) return 0;
    size_t step = 1 + (p[0] & 0x7F);
    bool own = p[0] & 0x80;
    const char *body = (const char *)p + 1;
    n--;
    const char *line = own ? memchr(body, '\n', n) : NULL;
    if (line && (size_t)(line - body) < sizeof type) {
        memcpy(type, body, (size_t)(line - body));
        type[line - body] = 0;
        n -= (size_t)(line - body) + 1;
        body = line + 1;
    }
    int a = parse(type, body, n, n ? n : 1, &whole), b = parse(type, body, n, step, &pieces);
    if (a != b || whole.n != pieces.n || memcmp(buf_str(&whole), buf_str(&pieces), whole.n))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
