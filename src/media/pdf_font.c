/* Fonts of a PDF: from the bytes of a string to characters and their widths (ISO 32000-1,
 * 9.6-9.10).
 *
 * What a character is, is said by, in this order: the ToUnicode table of the font; for composite
 * fonts an encoding that is Unicode itself (UniJIS-UTF16-H and kin); for simple ones the names of
 * the glyphs in Encoding's Differences, then its base encoding. A composite font without any of
 * these says only which shape to draw: its characters are left out.
 *
 * Ligatures become their letters, so that words are found. Tables are bounded: TABLE entries. */
#include "media/pdf.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE 262144

struct pdf_font {
    bool composite, two_bytes, is_unicode;
    bool sized[5];         /* code lengths that ToUnicode's ranges speak of */
    struct map to_unicode; /* length << 32 | code -> offset in text + 1 */
    struct buf text;       /* NUL after each */
    uint32_t simple[256];
    double width[256], other_width, scale;
    struct map cid_width; /* -> bits of a float + 1 */
};

/* ---- ToUnicode ---- */

static uint64_t code_of(struct pdf_value v, size_t *n)
{
    struct buf b = BUF_INIT(64);
    uint64_t code = 0;
    pdf_string(v, &b);
    *n = b.n < 4 ? b.n : 4;
    for (size_t i = 0; i < *n; i++) code = code << 8 | (uint8_t)b.p[i];
    buf_free(&b);
    return code;
}

/* UTF-16BE to UTF-8, `plus` added to the last unit. */
static void utf16(const struct buf *s, uint32_t plus, struct buf *out)
{
    for (size_t i = 0; i + 1 < s->n; i += 2) {
        uint32_t c = (uint32_t)(uint8_t)s->p[i] << 8 | (uint8_t)s->p[i + 1];
        if (i + 3 < s->n && c >= 0xD800 && c < 0xDC00) {
            uint32_t low = (uint32_t)(uint8_t)s->p[i + 2] << 8 | (uint8_t)s->p[i + 3];
            c = 0x10000 + ((c - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
            i += 2;
        }
        if (i + 3 >= s->n) c += plus;
        char utf8[4];
        if (c && !(c >= 0xD800 && c < 0xE000) && c <= 0x10FFFF)
            buf_add(out, utf8, (size_t)utf8_put(utf8, c));
    }
}

static void learn(struct pdf_font *f, size_t bytes, uint64_t code, struct pdf_value to,
                  uint32_t plus)
{
    struct buf raw = BUF_INIT(256), one = BUF_INIT(256);
    uint64_t *at =
        f->to_unicode.n < TABLE ? map_slot(&f->to_unicode, (uint64_t)bytes << 32 | code) : NULL;
    pdf_string(to, &raw);
    utf16(&raw, plus, &one);
    if (at) {
        *at = f->text.n + 1;
        buf_add(&f->text, buf_str(&one), one.n < 32 ? one.n : 0);
        buf_addc(&f->text, 0);
    }
    buf_free(&raw);
    buf_free(&one);
}

static void range(struct pdf_font *f, struct pdf_value lo, struct pdf_value hi, struct pdf_value to)
{
    size_t n, m;
    uint64_t a = code_of(lo, &n), b = code_of(hi, &m);
    struct pdf_value in = pdf_inside(to), one;
    if (n != m || b - a > 65535) return;
    f->sized[n] = true;
    for (uint64_t c = a; c <= b && f->to_unicode.n < TABLE; c++) {
        if (!pdf_is_array(to)) learn(f, n, c, to, (uint32_t)(c - a));
        else if (pdf_next(&in, &one)) learn(f, n, c, one, 0);
        else break;
    }
}

static void read_to_unicode(struct pdf_font *f, const struct buf *b)
{
    const uint8_t *p = (const uint8_t *)buf_str(b);
    struct pdf_value at = { p, p + b->n }, v[3] = { 0 };
    enum { NOTHING, CODES, CHARS, RANGES } in = NOTHING;
    int n = 0, kind;
    while ((kind = pdf_token(&at, &v[n]))) {
        struct span w = { (const char *)v[n].p, (size_t)(v[n].end - v[n].p) };
        if (kind == 2) {
            in = span_eq(w, "begincodespacerange") ? CODES
                 : span_eq(w, "beginbfchar")       ? CHARS
                 : span_eq(w, "beginbfrange")      ? RANGES
                                                   : NOTHING;
            n = 0;
            continue;
        }
        if (in == NOTHING || ++n < (in == RANGES ? 3 : 2)) continue;
        size_t len = 0;
        uint64_t code = code_of(v[0], &len);
        f->sized[len] = true;
        if (in == CHARS) learn(f, len, code, v[1], 0);
        else if (in == RANGES) range(f, v[0], v[1], v[2]);
        n = 0;
    }
}

/* ---- simple fonts ---- */

static void read_encoding(struct pdf *d, struct pdf_font *f, struct pdf_value dict)
{
    struct pdf_value e = pdf_get(d, dict, "Encoding"), v;
    struct span base = pdf_name(pdf_is_dict(e) ? pdf_get(d, e, "BaseEncoding") : e);
    bool true_type = pdf_is_name(pdf_get(d, dict, "Subtype"), "TrueType");
    if (!base.n) base = span_of(true_type ? "WinAnsiEncoding" : "StandardEncoding");
    for (int i = 0; i < 256; i++) f->simple[i] = pdf_encoded(base, (uint8_t)i);
    struct pdf_value in = pdf_inside(pdf_get(d, e, "Differences"));
    for (int code = 0; pdf_next(&in, &v);) {
        v = pdf_resolve(d, v);
        if (pdf_name(v).n) {
            if (code >= 0 && code < 256) f->simple[code] = pdf_glyph(pdf_name(v));
            code++;
        } else {
            code = pdf_int(v, 256);
        }
    }
}

static void read_widths(struct pdf *d, struct pdf_font *f, struct pdf_value dict)
{
    struct pdf_value v, in = pdf_inside(pdf_get(d, dict, "Widths")),
                        matrix = pdf_inside(pdf_get(d, dict, "FontMatrix"));
    double missing = pdf_number(pdf_get(d, pdf_get(d, dict, "FontDescriptor"), "MissingWidth"), 0);
    f->scale = 1;
    if (pdf_is_name(pdf_get(d, dict, "Subtype"), "Type3") && pdf_next(&matrix, &v))
        f->scale = 1000 * pdf_number(pdf_resolve(d, v), 0.001);
    bool any = in.p != NULL;
    for (int i = 0; i < 256; i++) f->width[i] = any ? missing : 500;
    int code = pdf_int(pdf_get(d, dict, "FirstChar"), 0);
    for (; pdf_next(&in, &v); code++)
        if (code >= 0 && code < 256) f->width[code] = pdf_number(pdf_resolve(d, v), missing);
}

/* ---- composite fonts ---- */

static void put_cid(struct pdf_font *f, double cid, double w)
{
    float v = (float)w;
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (cid < 0 || cid > 65535 || f->cid_width.n >= TABLE) return;
    uint64_t *at = map_slot(&f->cid_width, (uint64_t)cid);
    if (at) *at = (uint64_t)bits + 1;
}

/* W: "c [w w ...]" and "first last w" (9.7.4.3). */
static void read_cid_widths(struct pdf *d, struct pdf_font *f, struct pdf_value cid_font)
{
    struct pdf_value in = pdf_inside(pdf_get(d, cid_font, "W")), a, b, w;
    f->other_width = pdf_number(pdf_get(d, cid_font, "DW"), 1000);
    while (pdf_next(&in, &a) && pdf_next(&in, &b)) {
        double cid = pdf_number(pdf_resolve(d, a), -1);
        b = pdf_resolve(d, b);
        if (pdf_is_array(b)) {
            struct pdf_value list = pdf_inside(b);
            for (; pdf_next(&list, &w); cid++) put_cid(f, cid, pdf_number(pdf_resolve(d, w), 0));
            continue;
        }
        double last = pdf_number(b, -1);
        if (!pdf_next(&in, &w)) break;
        for (int i = 0; cid <= last && i < 65536; cid++, i++)
            put_cid(f, cid, pdf_number(pdf_resolve(d, w), 0));
    }
}

static void read_composite(struct pdf *d, struct pdf_font *f, struct pdf_value dict)
{
    struct span cmap = pdf_name(pdf_get(d, dict, "Encoding"));
    struct pdf_value list = pdf_inside(pdf_get(d, dict, "DescendantFonts")), first;
    f->two_bytes = true;
    f->is_unicode = span_ifind(cmap, "UCS2") || span_ifind(cmap, "UTF16");
    f->scale = 1;
    if (pdf_next(&list, &first)) read_cid_widths(d, f, pdf_resolve(d, first));
}

struct pdf_font *pdf_font_new(struct pdf *d, struct pdf_value dict)
{
    struct pdf_font *f = calloc(1, sizeof *f);
    struct buf cmap = BUF_INIT(16 << 20);
    if (!f) return NULL;
    f->text.max = 16 << 20;
    f->composite = pdf_is_name(pdf_get(d, dict, "Subtype"), "Type0");
    if (f->composite) read_composite(d, f, dict);
    else {
        read_encoding(d, f, dict);
        read_widths(d, f, dict);
    }
    if (pdf_stream(d, pdf_get(d, dict, "ToUnicode"), &cmap)) read_to_unicode(f, &cmap);
    buf_free(&cmap);
    return f;
}

void pdf_font_free(struct pdf_font *f)
{
    if (!f) return;
    map_free(&f->to_unicode);
    map_free(&f->cid_width);
    buf_free(&f->text);
    free(f);
}

/* ---- characters ---- */

static void put_text(uint32_t cp, char text[33])
{
    static const char *const ligatures[] = { "ff", "fi", "fl", "ffi", "ffl", "st", "st" };
    text[0] = 0;
    if (cp >= 0xFB00 && cp <= 0xFB06) snprintf(text, 33, "%s", ligatures[cp - 0xFB00]);
    else if (cp == 0xA0) snprintf(text, 33, " ");
    else if (cp && cp != 0xAD) text[utf8_put(text, cp)] = 0;
}

static double width_of(const struct pdf_font *f, uint64_t code)
{
    const uint64_t *at = map_get(&f->cid_width, code);
    uint32_t bits = at ? (uint32_t)(*at - 1) : 0;
    float v;
    memcpy(&v, &bits, sizeof v);
    return at ? (double)v : f->other_width;
}

size_t pdf_font_char(const struct pdf_font *f, const uint8_t *p, size_t n, char text[33],
                     double *width)
{
    size_t len = f->composite ? 2 : 1;
    if (f->composite && f->sized[1] && !f->sized[2]) len = 1;
    if (len > n) len = n;
    uint64_t code = 0;
    for (size_t i = 0; i < len; i++) code = code << 8 | p[i];
    const uint64_t *at = map_get(&f->to_unicode, (uint64_t)len << 32 | code);
    *width = (f->composite ? width_of(f, code) : f->width[code & 255]) * f->scale;
    text[0] = 0;
    if (at && *at <= f->text.n) {
        const char *s = f->text.p + *at - 1, *q = s;
        uint32_t cp = utf8_next(&q, s + strlen(s));
        if (*s && !*q) put_text(cp, text);
        else snprintf(text, 33, "%s", s);
    } else if (!f->composite) put_text(f->simple[code & 255], text);
    else if (f->is_unicode && code >= 32 && !(code >= 0xD800 && code < 0xE000))
        put_text((uint32_t)code, text);
    return len;
}
