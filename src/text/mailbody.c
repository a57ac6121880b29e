/* The text of a MIME message: which parts are the letter, and their bytes as UTF-8.
 *
 * The walk prefers text/plain. Of a multipart/alternative it takes the plain children, and the HTML
 * ones only if those hold nothing but space (some mailers send an empty plain part). Attachments
 * are reported and never decoded. A message/rfc822 part is forwarded mail: other people's words.
 *
 * Hostile mail: depth and number of parts looked at are limited here, and a part's text is decoded
 * in steps up to a maximum, so a part of a gigabyte costs four megabytes. An alternative is walked
 * at most twice, and visits are what is counted, so nesting cannot multiply the work. HTML made to
 * be slow costs its part, and such parts of one mail together no more than HTML_SECONDS. */
#include "text/mail.h"

#include "base/str.h"
#include "text/charset.h"
#include "text/format.h"
#include "text/html.h"
#include "text/mailtext.h"

#include <string.h>

#define DEPTH_MAX    30
#define PARTS_MAX    1000
#define HTML_SECONDS 2.0 /* for all HTML of a mail; a part gets half of what is left */

enum want { WANT_PLAIN = 1, WANT_HTML = 2, WANT_ANY = 3 };

struct body_walk {
    const struct piece_sink *sink;
    uint64_t where;
    bool unescape;
    int visits;
    bool flowed;             /* soft breaks were joined: the rest of the breaks are meant */
    bool cut_told, attached; /* reported already */
    bool sealed;
    double seconds;   /* left for HTML */
    struct buf plain; /* text/plain parts, quote marks and all */
    struct buf html;  /* text of HTML parts, without their blockquotes */
    struct buf html_quoted;
    struct buf forwarded;
    struct err *err;
    int rc;
};

static void told(struct body_walk *w, const char *what)
{
    if (w->sink && w->sink->skipped) w->sink->skipped(w->sink->ud, what, w->where);
}

static bool all_blank(const struct buf *b, size_t from)
{
    return b->n <= from || !span_trim((struct span){ b->p + from, b->n - from }).n;
}

/* Decoded bytes of a part, at most FORMAT_PIECE_MAX. */
static void decode(struct body_walk *w, GMimePart *part, struct buf *out)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeStream *raw = content ? g_mime_data_wrapper_get_stream(content) : NULL;
    GMimeStream *stream = NULL;
    GMimeFilter *filter = NULL;
    char t[8192];
    if (!raw) return;
    g_mime_stream_reset(raw);
    stream = g_mime_stream_filter_new(raw);
    filter = g_mime_filter_basic_new(g_mime_data_wrapper_get_encoding(content), FALSE);
    g_mime_stream_filter_add(GMIME_STREAM_FILTER(stream), filter);
    for (;;) {
        ssize_t n = g_mime_stream_read(stream, t, sizeof t);
        if (n <= 0) break;
        size_t room = FORMAT_PIECE_MAX - out->n;
        if ((size_t)n <= room) {
            buf_add(out, t, (size_t)n);
            continue;
        }
        buf_add(out, t, room);
        if (!w->cut_told) told(w, "rest of an over-long text");
        w->cut_told = true;
        break;
    }
    explicit_bzero(t, sizeof t);
    g_object_unref(filter);
    g_object_unref(stream);
}

/* The declared charset, unless the bytes say that it is wrong. */
static int to_utf8(GMimeObject *part, const struct buf *raw, struct buf *out, struct err *err)
{
    const char *cs = g_mime_object_get_content_type_parameter(part, "charset");
    const char *p = buf_str(raw);
    struct err ignored;
    if (cs && (!strcasecmp(cs, "us-ascii") || !strcasecmp(cs, "utf-8") || !strcasecmp(cs, "utf8") ||
               !strcasecmp(cs, "ascii")))
        cs = utf8_valid(p, raw->n) ? "UTF-8" : NULL;
    size_t was = out->n;
    if (cs && *cs && !charset_to_utf8(out, cs, p, raw->n, &ignored)) return 0;
    if (out->failed) return err_nomem(err);
    if (out->p) out->p[out->n = was] = 0;
    cs = charset_detect((const unsigned char *)p, raw->n);
    return charset_to_utf8(out, cs ? cs : "WINDOWS-1252", p, raw->n, err);
}

/* mboxrd: one ">" less before "From " at the start of a line; mboxo looks the same. */
static void unescape_from(struct buf *b)
{
    size_t o = 0;
    for (size_t i = 0; i < b->n;) {
        size_t q = i;
        while (q < b->n && b->p[q] == '>') q++;
        if (q > i && b->n - q >= 5 && !memcmp(b->p + q, "From ", 5)) i++;
        const char *e = memchr(b->p + i, '\n', b->n - i);
        size_t k = e ? (size_t)(e - b->p) - i + 1 : b->n - i;
        memmove(b->p + o, b->p + i, k);
        o += k;
        i += k;
    }
    if (b->p) b->p[b->n = o] = 0;
}

static bool param_is(GMimeObject *o, const char *name, const char *want)
{
    const char *v = g_mime_object_get_content_type_parameter(o, name);
    return v && !strcasecmp(v, want);
}

static void add_plain(struct body_walk *w, GMimeObject *o, const struct buf *text)
{
    if (w->plain.n) buf_adds(&w->plain, w->plain.p[w->plain.n - 1] == '\n' ? "\n" : "\n\n");
    if (!param_is(o, "format", "flowed")) buf_add(&w->plain, text->p, text->n);
    else if (mailtext_unflow(text->p, text->n, param_is(o, "delsp", "yes"), &w->plain))
        w->flowed = true;
}

/* A part that cannot be read costs itself alone. */
static int add_html(struct body_walk *w, const struct buf *text)
{
    double from = clock_mono();
    if (w->html.n) buf_adds(&w->html, "\n\n");
    int rc = html_part(text->p, text->n, w->seconds / 2, &w->html, &w->html_quoted, w->err);
    w->seconds -= clock_mono() - from;
    if (rc != ERR_PARSE && rc != ERR_LIMIT) return rc;
    told(w, "broken part");
    return 0;
}

static void read_text(struct body_walk *w, GMimeObject *o, bool html)
{
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX + 1), text = BUF_INIT(8 * FORMAT_PIECE_MAX);
    GMimeContentEncoding enc = g_mime_part_get_content_encoding(GMIME_PART(o));
    decode(w, GMIME_PART(o), &raw);
    int rc = raw.n ? to_utf8(o, &raw, &text, w->err) : 0;
    if (!rc && w->unescape && enc != GMIME_CONTENT_ENCODING_BASE64) unescape_from(&text);
    if (!rc && !html && text.n) add_plain(w, o, &text);
    if (!rc && html && text.n) rc = add_html(w, &text);
    if (raw.failed || text.failed == ERR_NOMEM) rc = err_nomem(w->err);
    if (rc) w->rc = rc;
    buf_free(&raw);
    buf_free(&text);
}

static void walk_part(struct body_walk *w, GMimeObject *o, int depth, enum want want);

static void read_leaf(struct body_walk *w, GMimeObject *o, enum want want)
{
    GMimeContentType *type = g_mime_object_get_content_type(o);
    bool plain = g_mime_content_type_is_type(type, "text", "plain");
    bool html = g_mime_content_type_is_type(type, "text", "html");
    const char *disp = g_mime_object_get_disposition(o);
    bool attached = disp && !strcasecmp(disp, "attachment");
    bool named = g_mime_part_get_filename(GMIME_PART(o)) != NULL;
    if (g_mime_content_type_is_type(type, "application", "pkcs7-mime")) {
        w->sealed = true;
        return;
    }
    if (g_mime_content_type_is_type(type, "application", "pgp-signature") ||
        g_mime_content_type_is_type(type, "application", "pkcs7-signature") ||
        g_mime_content_type_is_type(type, "application", "x-pkcs7-signature"))
        return;
    if ((!plain && !html) || attached || (named && (w->plain.n || w->html.n))) {
        bool text = g_mime_content_type_is_type(type, "text", "*") && !attached && !named;
        if (!text && !w->attached) told(w, "attachment");
        w->attached = w->attached || !text;
        return;
    }
    if (plain && (want & WANT_PLAIN)) read_text(w, o, false);
    if (html && (want & WANT_HTML)) read_text(w, o, true);
}

/* Plain, else HTML. */
static void walk_alternative(struct body_walk *w, GMimeMultipart *m, int depth, enum want want)
{
    int n = g_mime_multipart_get_count(m);
    size_t had = w->plain.n;
    for (int i = 0; (want & WANT_PLAIN) && i < n && !w->rc && w->visits < PARTS_MAX; i++)
        walk_part(w, g_mime_multipart_get_part(m, i), depth + 1, WANT_PLAIN);
    if (!(want & WANT_HTML) || !all_blank(&w->plain, had)) return;
    for (int i = 0; i < n && !w->rc && w->visits < PARTS_MAX; i++)
        walk_part(w, g_mime_multipart_get_part(m, i), depth + 1, WANT_HTML);
}

/* A mail inside the mail: its letter, whole, is other people's words. */
static void walk_inner(struct body_walk *w, GMimeMessage *inner, int depth)
{
    GMimeObject *o = inner ? g_mime_message_get_mime_part(inner) : NULL;
    struct buf plain = w->plain, html = w->html, quoted = w->html_quoted;
    if (!o) return;
    w->plain = w->html = w->html_quoted = BUF_INIT(2 * FORMAT_PIECE_MAX);
    walk_part(w, o, depth + 1, WANT_ANY);
    struct buf *b[] = { &w->plain, &w->html, &w->html_quoted };
    for (int i = 0; i < 3; i++) {
        if (!all_blank(b[i], 0)) {
            if (w->forwarded.n) buf_adds(&w->forwarded, "\n\n");
            buf_add(&w->forwarded, b[i]->p, b[i]->n);
        }
        buf_free(b[i]);
    }
    w->plain = plain;
    w->html = html;
    w->html_quoted = quoted;
}

static void walk_part(struct body_walk *w, GMimeObject *o, int depth, enum want want)
{
    if (!o || w->rc || depth > DEPTH_MAX || w->visits >= PARTS_MAX) {
        if (o && !w->rc && !w->cut_told) {
            told(w, "rest of an over-long mail");
            w->cut_told = true;
        }
        return;
    }
    w->visits++;
    if (GMIME_IS_MESSAGE_PART(o)) {
        walk_inner(w, g_mime_message_part_get_message(GMIME_MESSAGE_PART(o)), depth);
    } else if (GMIME_IS_MULTIPART(o)) {
        GMimeMultipart *m = GMIME_MULTIPART(o);
        GMimeContentType *type = g_mime_object_get_content_type(o);
        if (g_mime_content_type_is_type(type, "multipart", "alternative")) {
            walk_alternative(w, m, depth, want);
            return;
        }
        if (GMIME_IS_MULTIPART_ENCRYPTED(o)) {
            w->sealed = true;
            return;
        }
        int n = g_mime_multipart_get_count(m);
        for (int i = 0; i < n && !w->rc && w->visits < PARTS_MAX; i++)
            walk_part(w, g_mime_multipart_get_part(m, i), depth + 1, want);
    } else if (GMIME_IS_PART(o)) {
        read_leaf(w, o, want);
    }
}

static void add_paragraph(struct buf *out, const struct buf *b)
{
    struct span s = span_trim((struct span){ buf_str(b), b->n });
    if (s.n && out->n) buf_adds(out, "\n\n");
    buf_add(out, s.p, s.n);
}

/* Sort the words of the walk into own and quoted. */
static void sort_words(struct body_walk *w, struct mailbody *out)
{
    struct buf own = BUF_INIT(0), quoted = BUF_INIT(0), fwd = BUF_INIT(0);
    if (!all_blank(&w->plain, 0)) mailtext_split(w->plain.p, w->plain.n, &own, &quoted, NULL, &fwd);
    if (w->flowed) add_paragraph(&out->own, &own);
    else mailtext_unwrap(buf_str(&own), own.n, &out->own);
    add_paragraph(&out->quoted, &quoted);
    add_paragraph(&out->quoted, &fwd);
    buf_clear(&own);
    buf_clear(&quoted);
    buf_clear(&fwd);
    if (!all_blank(&w->html, 0)) {
        if (w->html_quoted.n) mailtext_split_bare(w->html.p, w->html.n, &own, &quoted, NULL, &fwd);
        else mailtext_split(w->html.p, w->html.n, &own, &quoted, NULL, &fwd);
        add_paragraph(&out->own, &own);
        add_paragraph(&out->quoted, &quoted);
        add_paragraph(&out->quoted, &fwd);
    }
    if (!all_blank(&w->html_quoted, 0)) add_paragraph(&out->quoted, &w->html_quoted);
    if (!all_blank(&w->forwarded, 0)) add_paragraph(&out->quoted, &w->forwarded);
    if (own.failed || quoted.failed || fwd.failed) w->rc = err_nomem(w->err);
    buf_free(&own);
    buf_free(&quoted);
    buf_free(&fwd);
}

int mailbody_read(GMimeMessage *msg, bool unescape, const struct piece_sink *sink, uint64_t where,
                  struct mailbody *out, struct err *err)
{
    struct body_walk w = {
        .sink = sink, .where = where, .unescape = unescape, .seconds = HTML_SECONDS, .err = err
    };
    struct buf *b[] = { &w.plain, &w.html, &w.html_quoted, &w.forwarded };
    memset(out, 0, sizeof *out);
    for (int i = 0; i < 4; i++) *b[i] = BUF_INIT((size_t)64 << 20);
    walk_part(&w, g_mime_message_get_mime_part(msg), 0, WANT_ANY);
    if (!w.rc) sort_words(&w, out);
    for (int i = 0; i < 4; i++) {
        if (!w.rc && b[i]->failed == ERR_NOMEM) w.rc = err_nomem(err);
        buf_free(b[i]);
    }
    out->encrypted = w.sealed;
    if (!w.rc && (out->own.failed || out->quoted.failed)) w.rc = err_nomem(err);
    if (w.rc) mailbody_free(out);
    return w.rc;
}

void mailbody_free(struct mailbody *b)
{
    buf_free(&b->own);
    buf_free(&b->quoted);
}
