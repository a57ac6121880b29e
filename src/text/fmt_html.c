/* A web page as one document. The charset is what the bytes show (BOM, valid UTF-8), then what the
 * page declares, then a guess. The date: the page's own, the file name's, the file's. */
#include "base/str.h"
#include "text/charset.h"
#include "text/date.h"
#include "text/fmt.h"
#include "text/html.h"

#include <string.h>

static int score(const struct format_in *in)
{
    size_t n = in->head_n < 2048 ? in->head_n : 2048;
    struct span s = span_trim((struct span){ (const char *)in->head, n });
    bool page = s.n && *s.p == '<' && (span_ifind(s, "<!doctype html") || span_ifind(s, "<html"));
    if (page) return 85;
    if (fmt_named(in, ".html .htm .xhtml")) return s.n && memchr(s.p, '<', s.n) ? 80 : 40;
    return 0;
}

/* The value of charset= in the head, if iconv may know it. */
static const char *declared(const struct format_in *in, char out[32])
{
    struct span s = { (const char *)in->head, in->head_n < 4096 ? in->head_n : 4096 };
    const char *p = span_ifind(s, "charset=");
    size_t n = 0;
    if (!p) return NULL;
    for (p += 8; p < s.p + s.n && (*p == '"' || *p == '\'' || *p == ' '); p++) {}
    while (n < 31 && p < s.p + s.n &&
           (*p == '-' || *p == '_' || (*p >= '0' && *p <= '9') ||
            ((*p | 32) >= 'a' && (*p | 32) <= 'z')))
        out[n++] = *p++;
    out[n] = 0;
    struct buf probe = BUF_INIT(16);
    bool known = n && !charset_to_utf8(&probe, out, "a", 1, NULL) &&
                 span_eq((struct span){ buf_str(&probe), probe.n }, "a");
    buf_free(&probe);
    if (!known) return NULL;
    return !strcasecmp(out, "iso-8859-1") || !strcasecmp(out, "us-ascii") ? "WINDOWS-1252" : out;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct buf page = BUF_INIT(FORMAT_PIECE_MAX), text = BUF_INIT(FORMAT_PIECE_MAX * 2),
               quoted = BUF_INIT(FORMAT_PIECE_MAX * 2), title = BUF_INIT(65536),
               clean[3] = { BUF_INIT(FORMAT_PIECE_MAX * 2), BUF_INIT(FORMAT_PIECE_MAX * 2),
                            BUF_INIT(65536) };
    char name[32];
    const char *cs = charset_detect(in->head, in->head_n), *said;
    struct piece p = fmt_piece(PIECE_DOC);
    int64_t date = CLOCK_NONE;
    if (cs && strncmp(cs, "UTF", 3) && (said = declared(in, name))) cs = said;
    int rc = fmt_read_all(in, cs, sink, &page, err);
    if (!rc) {
        rc = html_text(buf_str(&page), page.n, &text, &quoted, &title, &date, err);
        if (rc) err_prefix(err, rc, "%s", in->name);
    }
    if (rc) goto out;
    utf8_clean(&clean[0], buf_str(&text), text.n);
    utf8_clean(&clean[1], buf_str(&quoted), quoted.n);
    utf8_clean(&clean[2], buf_str(&title), title.n);
    if (!title.n) fmt_stem(in, &clean[2]);
    if (clean[0].failed == ERR_NOMEM || clean[1].failed == ERR_NOMEM) {
        rc = err_nomem(err);
        goto out;
    }
    p.text = buf_str(&clean[0]);
    p.quoted = buf_str(&clean[1]);
    p.title = buf_str(&clean[2]);
    p.author = fmt_author(o);
    if (date == CLOCK_NONE && !date_in_name(in->name, &date)) date = in->mtime;
    p.written_at = date;
    rc = fmt_emit(o, sink, &p, 1, err);
out:
    buf_free(&page);
    buf_free(&text);
    buf_free(&quoted);
    buf_free(&title);
    for (int i = 0; i < 3; i++) buf_free(&clean[i]);
    return rc;
}

const struct format format_html = {
    .name = "html",
    .help = "a web page: its text without scripts, menus and markup",
    .score = score,
    .parse = parse,
};
