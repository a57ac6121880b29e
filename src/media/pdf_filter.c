/* Filters of PDF streams (ISO 32000-1, 7.4): Flate (zlib), LZW, ASCIIHex, ASCII85, RunLength, and
 * the predictors that go with the first two. Pictures' filters are refused: there is no text in
 * them. Output stops at the maximum of `out`; what came before a fault counts. */
#include "media/pdf.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static bool flate(const struct buf *in, struct buf *out)
{
    z_stream z = { .next_in = (Bytef *)in->p, .avail_in = (uInt)in->n };
    Bytef block[32768];
    int rc = Z_OK;
    if (inflateInit(&z) != Z_OK) return false;
    while (rc == Z_OK && !out->failed) {
        z.next_out = block;
        z.avail_out = sizeof block;
        rc = inflate(&z, Z_NO_FLUSH);
        size_t k = sizeof block - z.avail_out;
        buf_add(out, block, k);
        if (!k && !z.avail_in) break;
    }
    inflateEnd(&z);
    return true;
}

/* Codes of 9 to 12 bits, most significant first (7.4.4.2). early: codes grow one entry early. */
static bool lzw(const struct buf *in, bool early, struct buf *out)
{
    struct entry {
        uint16_t before, length;
        uint8_t last, first;
    } *table = calloc(4096, sizeof *table);
    uint32_t bits = 0, have = 0, width = 9, next = 258;
    int before = -1;
    uint8_t word[4096];
    if (!table) return false;
    for (int i = 0; i < 256; i++)
        table[i] = (struct entry){ .length = 1, .last = (uint8_t)i, .first = (uint8_t)i };
    for (size_t i = 0; i < in->n && !out->failed;) {
        for (; have < width && i < in->n; have += 8) bits = bits << 8 | (uint8_t)in->p[i++];
        if (have < width) break;
        uint32_t code = bits >> (have - width) & ((1u << width) - 1);
        have -= width;
        if (code == 257) break;
        if (code == 256) {
            next = 258, width = 9, before = -1;
            continue;
        }
        if (code > next || (code == next && before < 0) || (code >= 256 && code < 258)) break;
        if (before >= 0 && next < 4096) {
            uint8_t last = code == next ? table[before].first : table[code].first;
            table[next++] = (struct entry){ .before = (uint16_t)before,
                                            .length = (uint16_t)(table[before].length + 1),
                                            .last = last,
                                            .first = table[before].first };
        }
        size_t n = table[code].length, at = n;
        for (uint32_t c = code; at; c = table[c].before) word[--at] = table[c].last;
        buf_add(out, word, n);
        before = (int)code;
        while (width < 12 && next + early >= 1u << width) width++;
    }
    free(table);
    return true;
}

static bool ascii_hex(const struct buf *in, struct buf *out)
{
    struct buf s = BUF_INIT(in->n + 4);
    buf_addc(&s, '<');
    buf_add(&s, in->p, in->n);
    buf_addc(&s, '>');
    const uint8_t *p = (const uint8_t *)buf_str(&s);
    pdf_string((struct pdf_value){ p, p + s.n }, out);
    buf_free(&s);
    return true;
}

static bool ascii_85(const struct buf *in, struct buf *out)
{
    uint32_t v = 0;
    int n = 0;
    for (size_t i = 0; i < in->n && in->p[i] != '~'; i++) {
        uint8_t c = (uint8_t)in->p[i];
        if (c == 'z' && !n) buf_add(out, "\0\0\0\0", 4);
        if (c < '!' || c > 'u') continue;
        v = v * 85 + (c - '!');
        if (++n < 5) continue;
        for (int k = 3; k >= 0; k--) buf_addc(out, (char)(v >> (8 * k)));
        v = 0, n = 0;
    }
    for (int i = n; n > 1 && i < 5; i++) v = v * 85 + 84;
    for (int k = 0; k < n - 1; k++) buf_addc(out, (char)(v >> (24 - 8 * k)));
    return true;
}

static bool run_length(const struct buf *in, struct buf *out)
{
    for (size_t i = 0; i < in->n;) {
        uint8_t k = (uint8_t)in->p[i++];
        if (k == 128) break;
        if (k < 128) {
            size_t n = (size_t)k + 1 < in->n - i ? (size_t)k + 1 : in->n - i;
            buf_add(out, in->p + i, n);
            i += n;
        } else if (i < in->n) {
            for (int j = 0; j < 257 - k; j++) buf_addc(out, in->p[i]);
            i++;
        }
    }
    return true;
}

static uint8_t paeth(int a, int b, int c)
{
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* PNG's filters, row by row (RFC 2083, section 6), or TIFF's of whole bytes. In place. */
static void unpredict(struct buf *b, int predictor, size_t bpp, size_t row)
{
    uint8_t *p = (uint8_t *)b->p, *to = p, *up = NULL;
    size_t step = predictor >= 10 ? row + 1 : row;
    for (size_t at = 0; at < b->n; at += step) {
        size_t n = b->n - at < step ? b->n - at : step;
        int how = predictor >= 10 ? p[at] : 1;
        const uint8_t *from = p + at + (predictor >= 10);
        n -= predictor >= 10;
        for (size_t i = 0; i < n; i++) {
            uint8_t left = i >= bpp ? to[i - bpp] : 0, above = up ? up[i] : 0,
                    corner = up && i >= bpp ? up[i - bpp] : 0, add = 0;
            if (how == 1) add = left;
            else if (how == 2) add = above;
            else if (how == 3) add = (uint8_t)((left + above) / 2);
            else if (how == 4) add = paeth(left, above, corner);
            to[i] = (uint8_t)(from[i] + add);
        }
        up = to;
        to += n;
        if (n < row) break;
    }
    b->n = (size_t)(to - p);
}

static void predict(const struct pdf *d, struct pdf_value parms, struct buf *b)
{
    double predictor = pdf_number(pdf_get(d, parms, "Predictor"), 1);
    double colors = pdf_number(pdf_get(d, parms, "Colors"), 1);
    double bits = pdf_number(pdf_get(d, parms, "BitsPerComponent"), 8);
    double columns = pdf_number(pdf_get(d, parms, "Columns"), 1);
    bool fits =
        colors >= 1 && colors <= 64 && bits >= 1 && bits <= 16 && columns >= 1 && columns <= 1e7;
    if (predictor < 2 || !b->n || !fits) return;
    size_t bpp = ((size_t)colors * (size_t)bits + 7) / 8;
    size_t row = ((size_t)colors * (size_t)bits * (size_t)columns + 7) / 8;
    unpredict(b, predictor >= 10 ? 10 : 2, bpp, row);
}

bool pdf_filter(const struct pdf *d, struct span name, struct pdf_value parms, const struct buf *in,
                struct buf *out)
{
    if (span_eq(name, "ASCIIHexDecode") || span_eq(name, "AHx")) return ascii_hex(in, out);
    if (span_eq(name, "ASCII85Decode") || span_eq(name, "A85")) return ascii_85(in, out);
    if (span_eq(name, "RunLengthDecode") || span_eq(name, "RL")) return run_length(in, out);
    if (span_eq(name, "Crypt")) return !buf_add(out, buf_str(in), in->n);
    bool ok = false;
    if (span_eq(name, "FlateDecode") || span_eq(name, "Fl")) ok = flate(in, out);
    else if (span_eq(name, "LZWDecode") || span_eq(name, "LZW"))
        ok = lzw(in, pdf_number(pdf_get(d, parms, "EarlyChange"), 1) != 0, out);
    if (ok) predict(d, parms, out);
    return ok;
}
