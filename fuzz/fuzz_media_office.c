/* The XML of office documents and books, without the zip around it: the first byte picks the
 * format, then come parts, each "name NUL length(2) bytes", so that a fuzzer can change all of them
 * at once. What must hold: no crash, valid UTF-8, text when all is said to be well. */
#include "base/str.h"
#include "media/parts.h"

#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#define PARTS 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split(const uint8_t *p, size_t n, struct members *m)
{
    while (n && m->n < PARTS) {
        const uint8_t *nul = memchr(p, 0, n);
        if (!nul || (size_t)(nul - p) + 3 > n) return;
        size_t k = (size_t)(nul - p), len = nul[1] | (size_t)nul[2] << 8;
        struct member *x = &m->m[m->n++];
        x->name = str_dup((const char *)p);
        p += k + 3;
        n -= k + 3;
        if (len > n) len = n;
        buf_add(&x->b, p, len);
        p += len;
        n -= len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static enum fault (*const parse[])(
        const struct members *, struct doctext *) = { docx_text, pptx_text, odt_text, epub_text };
    struct doctext d;
    struct members m = { .m = calloc(PARTS, sizeof *m.m), .cap = PARTS };
    if (!size || !m.m) {
        free(m.m);
        return 0;
    }
    split(data + 1, size - 1, &m);
    doctext_init(&d);
    enum fault f = parse[data[0] & 3](&m, &d);
    if (f >= FAULT_COUNT || (!f && !d.text.n)) abort();
    if (!utf8_valid(buf_str(&d.text), d.text.n)) abort();
    doctext_clear(&d);
    members_free(&m);
    return 0;
}
