/* Plain text: a file is one document, or a journal of dated entries (fmt_doc.c).
 *
 * Without markup a heading can only be guessed: a short first line, followed by a blank one, that
 * does not end like a sentence. It serves as title and stays in the text, since the guess may be
 * wrong. */
#include "base/str.h"
#include "text/date.h"
#include "text/fmt.h"

#include <string.h>

static int score(const struct format_in *in)
{
    static const char not_mine[] =
        ".json .xml .svg .ics .vcf .css .js .jsonl .ndjson .csv .tsv .html .htm .mbox .eml .yaml "
        ".yml .toml";
    if (fmt_named(in, ".txt .text")) return 20;
    return fmt_named(in, not_mine) ? 0 : 10;
}

static bool heading_like(struct span s)
{
    if (!s.n || s.n > 80) return false;
    return !strchr(".!?,;:", s.p[s.n - 1]) || (s.n > 4 && s.p[s.n - 1] == ')');
}

/* The first line is in `first`; was it a heading? Sets title, and the date when the name has
 * none. */
static int first_heading(struct doc *d, const struct buf *first, uint64_t line, struct err *err)
{
    struct span s = span_trim((struct span){ buf_str(first), first->n });
    int64_t t = CLOCK_NONE, by_name;
    bool named = date_in_name(d->in->name, &by_name);
    if (named || !doc_date_inside(s, d->o->day_first, &t)) t = CLOCK_NONE;
    if (!heading_like(s)) s.n = 0;
    return doc_entry(d, s, t, line, err);
}

static int parse(struct format_in *in, const struct format_opts *given,
                 const struct piece_sink *sink, struct err *err)
{
    struct format_opts solved = *given, *o = &solved;
    struct doc d;
    struct line ln;
    struct buf first = BUF_INIT(4096);
    bool begun = false, pending = false;
    int rc = 0;
    solved.day_first = doc_day_first(in, given);
    doc_init(&d, in, o, sink);
    d.split = doc_is_dated(in, o->day_first);
    struct lines *l = lines_new(in, sink, err);
    if (!l) rc = ERR_PARSE;
    while (!rc && (rc = lines_next(l, &ln, err)) > 0) {
        struct span s = span_trim((struct span){ ln.s, ln.n }), rest;
        int64_t t;
        rc = 0;
        if (d.split && s.n && doc_dated_heading(s, o->day_first, false, &t, &rest)) {
            rc = doc_entry(&d, s, t, ln.no, err);
            begun = true;
            continue;
        }
        if (pending && !s.n) rc = first_heading(&d, &first, ln.no - 1, err);
        pending = false;
        if (s.n && !begun) {
            begun = true;
            pending = s.n <= 200;
            if (pending) buf_add(&first, s.p, s.n);
        }
        if (pending) continue;
        if (!rc && first.n) {
            rc = doc_add(&d, false, buf_str(&first), first.n, err);
            buf_clear(&first);
        }
        if (!rc) rc = doc_add(&d, false, ln.s, ln.n, err);
    }
    if (!rc && first.n) rc = doc_add(&d, false, buf_str(&first), first.n, err);
    if (!rc) rc = doc_end(&d, err);
    lines_free(l);
    doc_clear(&d);
    buf_free(&first);
    return rc;
}

const struct format format_plain = {
    .name = "text",
    .help = "plain text: a document, or a journal with a date before each entry",
    .score = score,
    .parse = parse,
};
