/* PDF documents (ISO 32000-1): the pages of the tree in order, then what the file says of itself.
 *
 * The tree is walked with a list of nodes already seen, so one that bites its tail ends. When there
 * is no tree to be found, all objects that say they are pages are read in the order of their
 * numbers. A text that goes on over the end of a page is one paragraph when the page does not end a
 * sentence. */
#include "media/pdf.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES      50000
#define TREE_DEPTH 64

struct pages {
    struct pdf *d;
    struct doctext *out;
    struct map seen; /* objects of the tree */
    int n, with_text;
};

static void read_page(struct pages *k, struct pdf_value page, struct pdf_value resources)
{
    char last = k->out->text.n ? k->out->text.p[k->out->text.n - 1] : '.';
    if (k->n++ >= PAGES || k->out->text.failed) {
        k->out->partial = true;
        return;
    }
    if (strchr(".!?:\"')", last)) doctext_para(k->out);
    else doctext_line(k->out);
    if (pdf_page(k->d, page, resources, k->out)) k->with_text++;
}

/* NOLINTNEXTLINE(misc-no-recursion): TREE_DEPTH */
static void walk(struct pages *k, struct pdf_value node, struct pdf_value resources, int depth)
{
    int64_t number = pdf_ref(node);
    uint64_t *seen = number >= 0 ? map_slot(&k->seen, (uint64_t)number) : NULL;
    struct pdf_value v = pdf_resolve(k->d, node), kid;
    if ((number >= 0 && (!seen || *seen)) || depth > TREE_DEPTH || !pdf_is_dict(v)) return;
    if (seen) *seen = 1;
    struct pdf_value own = pdf_get(k->d, v, "Resources"), kids = pdf_get(k->d, v, "Kids");
    if (own.p) resources = own;
    if (!pdf_is_array(kids)) {
        read_page(k, v, resources);
        return;
    }
    for (kids = pdf_inside(kids); pdf_next(&kids, &kid);) walk(k, kid, resources, depth + 1);
}

static void all_pages(struct pages *k)
{
    for (size_t i = 0; i < k->d->n_objects; i++) {
        struct pdf_value v = pdf_resolve(k->d, k->d->object[i]);
        if (pdf_is_name(pdf_get(k->d, v, "Type"), "Page"))
            read_page(k, v, pdf_get(k->d, v, "Resources"));
    }
}

/* ---- what the file says of itself ---- */

/* Text strings are UTF-16 or UTF-8 with a mark, else nearly Latin 1 (7.9.2.2). */
static void text_string(const struct pdf *d, struct pdf_value v, struct buf *out)
{
    struct buf b = BUF_INIT(65536);
    pdf_said(d, v, &b);
    const uint8_t *p = (const uint8_t *)buf_str(&b);
    bool wide = b.n >= 2 && p[0] == 0xFE && p[1] == 0xFF;
    bool utf8 = b.n >= 3 && !memcmp(p, "\xEF\xBB\xBF", 3);
    if (utf8) utf8_clean(out, b.p + 3, b.n - 3);
    for (size_t i = wide ? 2 : 0; !utf8 && i + wide < b.n; i += 1 + wide) {
        uint32_t c = wide ? (uint32_t)p[i] << 8 | p[i + 1] : pdf_encoded(span_of(""), p[i]);
        if (wide && c >= 0xD800 && c < 0xDC00 && i + 3 < b.n) {
            uint32_t low = (uint32_t)p[i + 2] << 8 | p[i + 3];
            c = 0x10000 + ((c - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
            i += 2;
        }
        char utf[4];
        if (c >= 32 && !(c >= 0xD800 && c < 0xE000)) buf_add(out, utf, (size_t)utf8_put(utf, c));
    }
    buf_free(&b);
}

/* "D:20190302211400+01'00'" (7.9.4) */
static int64_t date_of(const struct pdf *d, struct pdf_value v)
{
    struct buf b = BUF_INIT(256);
    int year = 0, part[5] = { 1, 1, 0, 0, 0 }, oh = 0, om = 0;
    char zone = 'Z';
    int64_t t = CLOCK_NONE;
    pdf_said(d, v, &b);
    const char *s = str_starts(buf_str(&b), "D:") ? b.p + 2 : buf_str(&b);
    /* NOLINTNEXTLINE(cert-err34-c): the ranges are checked */
    int n = sscanf(s, "%4d%2d%2d%2d%2d%2d%c%2d'%2d", &year, &part[0], &part[1], &part[2], &part[3],
                   &part[4], &zone, &oh, &om);
    bool fits = n >= 3 && year > 1900 && year < 10000 && part[0] >= 1 && part[0] <= 12 &&
                part[1] >= 1 && part[1] <= 31 && part[2] >= 0 && part[2] < 24 && part[3] >= 0 &&
                part[3] < 60 && part[4] >= 0 && part[4] < 60 && oh >= 0 && oh < 24 && om >= 0;
    if (fits) t = clock_from_civil(year, part[0], part[1], part[2], part[3], part[4]);
    if (fits && zone == '+') t -= oh * 3600 + om * 60;
    if (fits && zone == '-') t += oh * 3600 + om * 60;
    buf_free(&b);
    return t;
}

static void about(struct pdf *d, struct doctext *out)
{
    struct pdf_value info = pdf_resolve(d, d->info);
    struct buf b = BUF_INIT(65536);
    text_string(d, pdf_get(d, info, "Title"), &b);
    const char *title = buf_str(&b), word[] = "Microsoft Word - ";
    if (str_starts(title, word)) title += sizeof word - 1;
    doctext_field(&out->title, title, strlen(title));
    buf_clear(&b);
    text_string(d, pdf_get(d, info, "Author"), &b);
    doctext_author(out, buf_str(&b), b.n);
    out->date = date_of(d, pdf_get(d, info, "CreationDate"));
    buf_free(&b);
}

enum fault pdf_text(const uint8_t *p, size_t n, struct doctext *out)
{
    struct pdf d;
    enum fault f = pdf_open(&d, p, n);
    struct pages k = { .d = &d, .out = out };
    if (!f) {
        about(&d, out);
        walk(&k, pdf_get(&d, d.root, "Pages"), (struct pdf_value){ NULL, NULL }, 0);
        if (!k.n) all_pages(&k);
        if (!memmem(p + (n > 2048 ? n - 2048 : 0), n > 2048 ? 2048 : n, "%%EOF", 5))
            out->partial = true;
        f = k.n ? doctext_finish(out) : FAULT_CUT;
        if (f == FAULT_EMPTY) f = FAULT_SCANNED;
    }
    map_free(&k.seen);
    pdf_close(&d);
    return f;
}
