/* Lines of a file of any size in constant memory: a block of bytes, a converter to UTF-8 when the
 * file is in something else, one buffer for the line.
 *
 * A line keeps at most FORMAT_PIECE_MAX - 1 bytes (the buffer is then exactly FORMAT_PIECE_MAX,
 * since buffers double); what comes after is read, counted and reported. Lines are cleaned only
 * when they need it. In a file taken for UTF-8 because its first 64 KiB were, a later line that is
 * not valid and holds no valid multi-byte character is read as Windows-1252: exports that were
 * pasted together from several sources look like that.
 *
 * Invariants: block[from..to) is decoded and not yet handed out; raw[0..raw_n) waits for iconv. In
 * converted files the byte offset of a line is that of the block it began in. */
#include "text/fmt.h"

#include "base/str.h"
#include "text/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLOCK 65536
#define KEEP  (FORMAT_PIECE_MAX - 1)

struct lines {
    FILE *f;
    const char *name;
    const struct piece_sink *sink;
    iconv_t cd;  /* (iconv_t)-1: the file is UTF-8 */
    char eol;    /* '\n', or '\r' in old Macintosh files */
    size_t unit; /* bytes to step over where iconv fails */
    bool end, unread, started;
    size_t raw_n, from, to;
    uint64_t read_at;  /* file bytes read */
    uint64_t block_at; /* file offset of block[0] */
    struct buf line, clean;
    struct line last;
    char raw[BLOCK], block[BLOCK * 2];
};

struct lines *lines_new(struct format_in *in, const struct piece_sink *sink, struct err *err)
{
    return lines_new_charset(in, NULL, sink, err);
}

struct lines *lines_new_charset(struct format_in *in, const char *charset,
                                const struct piece_sink *sink, struct err *err)
{
    if (!charset) charset = charset_detect(in->head, in->head_n);
    if (!charset) {
        err_set(err, ERR_PARSE, "%s is not text: give a text file, or the program's text export",
                in->name);
        return NULL;
    }
    struct lines *l = malloc(sizeof *l);
    if (!l) {
        err_nomem(err);
        return NULL;
    }
    memset(l, 0, offsetof(struct lines, raw));
    l->f = in->f;
    l->name = in->name;
    l->sink = sink;
    l->cd = (iconv_t)-1;
    l->unit = charset_unit(charset);
    l->line.max = l->clean.max = FORMAT_PIECE_MAX;
    l->eol = in->head_n && memchr(in->head, '\r', in->head_n) && !memchr(in->head, '\n', in->head_n)
                 ? '\r'
                 : '\n';
    if (strcasecmp(charset, "UTF-8")) {
        l->cd = iconv_open("UTF-8", charset);
        if (l->cd == (iconv_t)-1) {
            err_set(err, ERR_PARSE, "%s: its character set is not known here: save it as UTF-8",
                    in->name);
            free(l);
            return NULL;
        }
    }
    return l;
}

void lines_free(struct lines *l)
{
    if (!l) return;
    if (l->cd != (iconv_t)-1) iconv_close(l->cd);
    buf_free(&l->line);
    buf_free(&l->clean);
    explicit_bzero(l->raw, sizeof l->raw);
    explicit_bzero(l->block, sizeof l->block);
    free(l);
}

void lines_unread(struct lines *l) { l->unread = true; }

/* raw -> block, as much as fits; undecodable bytes become U+FFFD. */
static void convert(struct lines *l, bool last)
{
    char *in = l->raw, *out = l->block;
    size_t left = l->raw_n, room = sizeof l->block;
    while (left && room >= 8) {
        size_t rc = iconv(l->cd, &in, &left, &out, &room);
        if (rc != (size_t)-1 || errno == E2BIG) break;
        if (errno == EINVAL && !last) break; /* a character cut by the block's end */
        memcpy(out, "\xEF\xBF\xBD", 3);
        out += 3, room -= 3;
        size_t k = left < l->unit ? left : l->unit;
        in += k, left -= k;
    }
    memmove(l->raw, in, left);
    l->raw_n = left;
    l->from = 0;
    l->to = (size_t)(out - l->block);
}

/* Next block. 1, 0 at the end, < 0 on error. */
static int fill(struct lines *l, struct err *err)
{
    bool plain = l->cd == (iconv_t)-1;
    while (!l->end || l->raw_n) {
        char *to = plain ? l->block : l->raw + l->raw_n;
        size_t want = plain ? BLOCK : BLOCK - l->raw_n, got = 0;
        l->block_at = l->read_at - l->raw_n;
        if (!l->end && want) {
            got = fread(to, 1, want, l->f);
            if (got < want && ferror(l->f)) return err_errno(err, "cannot read %s", l->name);
            l->end = got < want;
            l->read_at += got;
        }
        if (plain) {
            l->from = 0;
            l->to = got;
        } else {
            size_t before = l->raw_n += got;
            convert(l, l->end);
            if (!l->to && l->raw_n == before && l->end) l->raw_n = 0;
        }
        int rc = fmt_consumed(l->sink, l->read_at, err);
        if (rc) return rc;
        if (!l->started && l->to) {
            l->started = true;
            if (l->to >= 3 && !memcmp(l->block, "\xEF\xBB\xBF", 3)) l->from = 3;
        }
        if (l->to > l->from) return 1;
    }
    return 0;
}

/* Only visible characters, spaces and tabs, all well-formed? Then the bytes can stand as they
 * are. */
static bool is_clean(const char *s, size_t n, bool *multi)
{
    bool ok = true;
    *multi = false;
    for (const char *p = s, *end = s + n; p < end;) {
        unsigned char c = (unsigned char)*p;
        if ((c >= 0x20 && c < 0x7F) || c == '\t') {
            p++;
            continue;
        }
        const char *was = p;
        uint32_t cp = utf8_next(&p, end);
        if (cp < 0xA0 || (cp == 0xFFFD && p - was != 3)) ok = false;
        else *multi = true;
        if (!ok && *multi) break;
    }
    return ok;
}

/* Make the collected line clean UTF-8. The clean copy is capped too: a broken byte becomes
 * three. */
static void polish(struct lines *l)
{
    struct line *ln = &l->last;
    bool multi;
    buf_clear(&l->clean);
    ln->s = buf_str(&l->line);
    ln->n = l->line.n;
    if (is_clean(ln->s, ln->n, &multi)) return;
    bool legacy = l->cd == (iconv_t)-1 && !multi && !utf8_valid(ln->s, ln->n);
    for (size_t i = 0; i < ln->n;) {
        size_t k = ln->n - i, room = (KEEP - l->clean.n) / 3;
        if (k > 4096) k = legacy ? 4096 : utf8_cut(ln->s + i, ln->n - i, 4096);
        if (!k) k = 1;
        if (k > room) {
            ln->dropped += ln->n - i;
            break;
        }
        if (legacy) charset_to_utf8(&l->clean, "WINDOWS-1252", ln->s + i, k, NULL);
        else utf8_clean(&l->clean, ln->s + i, k);
        i += k;
    }
    ln->s = buf_str(&l->clean);
    ln->n = l->clean.n;
}

int lines_next(struct lines *l, struct line *out, struct err *err)
{
    if (l->unread) {
        l->unread = false;
        *out = l->last;
        return 1;
    }
    uint64_t no = l->last.no + 1, at = 0, dropped = 0;
    bool any = false, eol = false;
    buf_clear(&l->line);
    while (!eol) {
        if (l->from == l->to) {
            int rc = fill(l, err);
            if (rc < 0) return rc;
            if (!rc) break;
        }
        if (!any) at = l->cd == (iconv_t)-1 ? l->block_at + l->from : l->block_at;
        any = true;
        const char *p = l->block + l->from, *q = memchr(p, l->eol, l->to - l->from);
        size_t k = q ? (size_t)(q - p) : l->to - l->from, keep = KEEP - l->line.n;
        if (keep > k) keep = k;
        if (dropped) keep = 0;
        buf_add(&l->line, p, keep);
        dropped += k - keep;
        l->from += k + (q != NULL);
        eol = q != NULL;
    }
    if (!any) return 0;
    if (l->line.failed) return err_nomem(err);
    if (!dropped && l->line.n && l->line.p[l->line.n - 1] == '\r') l->line.p[--l->line.n] = 0;
    if (dropped && l->line.n) {
        /* The cut may lie inside a character: go back to its start. */
        size_t k = l->line.n, back = 0;
        while (back < 3 && k && ((unsigned char)l->line.p[k - 1] & 0xC0) == 0x80) k--, back++;
        if (k && (unsigned char)l->line.p[k - 1] >= 0xC0) l->line.p[l->line.n = k - 1] = 0;
    }
    l->last = (struct line){ .no = no, .at = at, .dropped = dropped, .eol = eol };
    polish(l);
    if (l->clean.failed) return err_nomem(err);
    if (l->last.dropped) fmt_skip(l->sink, "rest of an over-long text", no);
    *out = l->last;
    return 1;
}
