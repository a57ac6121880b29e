/* Documents in dated entries: what plain text and Markdown have in common.
 *
 * A journal is often one file with a date alone on a line before each entry. It is split there when
 * the file begins with such a line or its head holds two of them; a single date further down is
 * taken for text. The date of a text without such lines is, in this order: its front matter, the
 * file's name, its first heading, the file's own time. */
#include "text/fmt.h"

#include "base/str.h"
#include "text/date.h"

#include <string.h>

#define LONG ((size_t)1 << 20) /* from here on a document is continued in a new piece */

void doc_init(struct doc *d, struct format_in *in, const struct format_opts *o,
              const struct piece_sink *sink)
{
    *d = (struct doc){ .in = in, .o = o, .sink = sink, .date = CLOCK_NONE, .line = 1 };
    d->text.max = d->quoted.max = FORMAT_PIECE_MAX * 2;
    d->title.max = d->author.max = d->stem.max = 65536;
    struct buf name = BUF_INIT(1024);
    fmt_stem(in, &name);
    if (!date_in_name(buf_str(&name), &d->file_date) &&
        !date_heading(span_of(buf_str(&name)), o->day_first, &d->file_date))
        d->file_date = in->date ? in->date : in->mtime;
    buf_free(&name);
    if (*in->title) utf8_clean(&d->stem, in->title, strlen(in->title));
    else if (in->path && !strcmp(in->path, "-")) buf_adds(&d->stem, "");
    else fmt_stem(in, &d->stem);
}

void doc_clear(struct doc *d)
{
    buf_free(&d->text);
    buf_free(&d->quoted);
    buf_free(&d->title);
    buf_free(&d->author);
    buf_free(&d->stem);
}

/* Takes blank lines off both ends, in place. */
static const char *trimmed(struct buf *b)
{
    struct span s = { buf_str(b), b->n };
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    while (s.n && *s.p == '\n') s.p++, s.n--;
    if (b->n) b->p[(size_t)(s.p - b->p) + s.n] = 0;
    return s.p;
}

static int hand_over(struct doc *d, struct err *err)
{
    struct piece p = fmt_piece(PIECE_DOC);
    if (d->text.failed == ERR_NOMEM || d->quoted.failed == ERR_NOMEM ||
        d->title.failed == ERR_NOMEM)
        return err_nomem(err);
    p.text = trimmed(&d->text);
    p.quoted = trimmed(&d->quoted);
    p.title = d->title.n ? buf_str(&d->title) : buf_str(&d->stem);
    p.author = d->author.n      ? buf_str(&d->author)
               : *d->in->author ? d->in->author
                                : fmt_author(d->o);
    p.written_at = d->date != CLOCK_NONE ? d->date : d->file_date;
    int rc = fmt_emit(d->o, d->sink, &p, d->line, err);
    buf_clear(&d->text);
    buf_clear(&d->quoted);
    return rc;
}

int doc_entry(struct doc *d, struct span title, int64_t date, uint64_t line, struct err *err)
{
    int rc = d->text.n || d->quoted.n ? hand_over(d, err) : 0;
    buf_clear(&d->title);
    if (title.n > 500) title.n = utf8_cut(title.p, title.n, 500);
    if (title.n) buf_add(&d->title, title.p, title.n);
    d->date = date;
    d->line = line;
    return rc;
}

int doc_add(struct doc *d, bool quoted, const char *s, size_t n, struct err *err)
{
    struct buf *b = quoted ? &d->quoted : &d->text;
    int rc = 0;
    if (b->n && b->n + n > LONG) rc = hand_over(d, err);
    if (n) buf_add(b, s, n);
    if (n || b->n) buf_addc(b, '\n');
    if (!rc && b->failed == ERR_NOMEM) rc = err_nomem(err);
    return rc;
}

int doc_end(struct doc *d, struct err *err)
{
    return d->text.n || d->quoted.n ? hand_over(d, err) : 0;
}

/* Length of a dash or colon that separates a date from a title at p; 0 if none stands there. */
static size_t separator(const char *p, const char *end)
{
    size_t n = (size_t)(end - p);
    if (n >= 2 && *p == ':' && p[1] == ' ') return 2;
    if (n >= 3 && (!memcmp(p, " - ", 3) || !memcmp(p, " | ", 3))) return 3;
    if (n >= 4 && !memcmp(p, "\xE2\x80\x94", 3)) return 3;
    if (n >= 4 && !memcmp(p, "\xE2\x80\x93", 3)) return 3;
    return 0;
}

bool doc_dated_heading(struct span s, int day_first, bool marked, int64_t *date, struct span *rest)
{
    s = span_trim(s);
    while (s.n && (s.p[s.n - 1] == ':' || s.p[s.n - 1] == '*' || s.p[s.n - 1] == '_')) s.n--;
    while (s.n && (*s.p == '*' || *s.p == '_')) s.p++, s.n--;
    *rest = (struct span){ s.p + s.n, 0 };
    if (!s.n || s.n > 200) return false;
    if (date_heading(s, day_first, date)) return true;
    for (const char *p = s.p + 1, *end = s.p + s.n; marked && p < end; p++) {
        size_t k = separator(p, end);
        if (!k || !date_heading((struct span){ s.p, (size_t)(p - s.p) }, day_first, date)) continue;
        *rest = span_trim((struct span){ p + k, (size_t)(end - p) - k });
        return true;
    }
    return false;
}

bool doc_date_inside(struct span s, int day_first, int64_t *date)
{
    if (s.n > 200) return false;
    for (size_t from = 0; from < s.n; from++) {
        if (from && s.p[from - 1] != ' ' && s.p[from - 1] != '(' && s.p[from - 1] != ',') continue;
        for (size_t to = s.n; to >= from + 6; to--) {
            if (to < s.n && !strchr(" .,;:)", s.p[to])) continue;
            struct span part = { s.p + from, to - from };
            bool letter = false, four = false;
            for (size_t i = 0, run = 0; i < part.n; i++) {
                run = part.p[i] >= '0' && part.p[i] <= '9' ? run + 1 : 0;
                four = four || run == 4;
                letter = letter || (part.p[i] | 32) >= 'a';
            }
            if (four && date_parse(part, day_first, date) &&
                (letter || date_heading(part, day_first, date)))
                return true;
        }
    }
    return false;
}

bool doc_is_dated(const struct format_in *in, int day_first)
{
    struct buf head = BUF_INIT(FORMAT_HEAD * 4);
    int seen = 0, lines = 0, first = 0;
    fmt_head_utf8(in, &head);
    const char *p = buf_str(&head), *end = p + head.n;
    while (p < end && seen < 2) {
        const char *q = memchr(p, '\n', (size_t)(end - p));
        if (!q) q = end;
        struct span s = span_trim((struct span){ p, (size_t)(q - p) }), rest;
        bool marked = s.n && *s.p == '#';
        int64_t t;
        while (s.n && *s.p == '#') s.p++, s.n--;
        p = q + 1;
        if (!s.n) continue;
        lines++;
        if (!doc_dated_heading(s, day_first, marked, &t, &rest)) continue;
        seen++;
        first |= lines == 1;
    }
    buf_free(&head);
    return first || seen > 1;
}

int doc_day_first(struct format_in *in, const struct format_opts *o)
{
    struct date_order order = { 0 };
    struct line ln;
    if (o->day_first >= 0 || !doc_is_dated(in, -1)) return o->day_first;
    struct lines *l = lines_new(in, NULL, NULL);
    while (l && !date_order_sure(&order) && lines_next(l, &ln, NULL) > 0) {
        struct span s = span_trim((struct span){ ln.s, ln.n }), rest;
        bool marked = s.n && *s.p == '#';
        int64_t t;
        while (s.n && (*s.p == '#' || *s.p == '*' || *s.p == '_' || *s.p == ' ')) s.p++, s.n--;
        if (s.n && doc_dated_heading(s, -1, marked, &t, &rest)) date_order_read(&order, s);
    }
    lines_free(l);
    rewind(in->f);
    return date_order_day_first(&order);
}
