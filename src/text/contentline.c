/* Unfolding: a line that begins with a blank continues the one before it. In vCard 2.1 a
 * quoted-printable value ends its lines with "=" instead. Both are undone before the line is cut at
 * its first colon outside of quotation marks. */
#include "text/contentline.h"

#include "base/str.h"
#include "text/charset.h"

#include <string.h>

int contentline_init(struct contentline *c, struct format_in *in, const struct piece_sink *sink,
                     struct err *err)
{
    *c = (struct contentline){ .raw = BUF_INIT(FORMAT_PIECE_MAX) };
    c->lines = lines_new(in, sink, err);
    return c->lines ? 0 : ERR_PARSE;
}

void contentline_free(struct contentline *c)
{
    lines_free(c->lines);
    buf_free(&c->raw);
}

struct span contentline_param(const struct contentline *c, const char *name)
{
    size_t n = strlen(name);
    const char *p = c->params.p, *end = p + c->params.n;
    while (p < end) {
        const char *q = p;
        for (bool quoted = false; q < end && (quoted || *q != ';'); q++)
            if (*q == '"') quoted = !quoted;
        if ((size_t)(q - p) > n && p[n] == '=' && !strncasecmp(p, name, n)) {
            struct span v = { p + n + 1, (size_t)(q - p) - n - 1 };
            if (v.n >= 2 && *v.p == '"' && v.p[v.n - 1] == '"') v.p++, v.n -= 2;
            return v;
        }
        p = q + (q < end);
    }
    return (struct span){ "", 0 };
}

/* vCard 2.1 also writes the encoding alone. */
static bool quoted_printable(const struct contentline *c)
{
    return span_ieq(contentline_param(c, "ENCODING"), "QUOTED-PRINTABLE") ||
           span_ifind(c->params, "QUOTED-PRINTABLE") != NULL;
}

/* Cuts c->raw into name, parameters and value. */
static bool cut(struct contentline *c)
{
    const char *p = buf_str(&c->raw), *end = p + c->raw.n, *colon = p, *semi;
    for (bool quoted = false; colon < end && (quoted || *colon != ':'); colon++)
        if (*colon == '"') quoted = !quoted;
    if (colon == end) return false;
    semi = memchr(p, ';', (size_t)(colon - p));
    const char *stop = semi ? semi : colon, *dot = memchr(p, '.', (size_t)(stop - p));
    if (dot) p = dot + 1;
    size_t n = (size_t)(stop - p);
    if (!n || n >= sizeof c->name) return false;
    for (size_t i = 0; i < n; i++)
        c->name[i] = (char)(p[i] >= 'a' && p[i] <= 'z' ? p[i] - 32 : p[i]);
    c->name[n] = 0;
    c->params = (struct span){ semi ? semi + 1 : colon, semi ? (size_t)(colon - semi) - 1 : 0 };
    c->value = (struct span){ colon + 1, (size_t)(end - colon) - 1 };
    return true;
}

static int unfold(struct contentline *c, struct err *err)
{
    struct line ln;
    int rc;
    while ((rc = lines_next(c->lines, &ln, err)) > 0) {
        if (!ln.n || (*ln.s != ' ' && *ln.s != '\t')) {
            lines_unread(c->lines);
            break;
        }
        buf_add(&c->raw, ln.s + 1, ln.n - 1);
    }
    return rc < 0 ? rc : 0;
}

int contentline_next(struct contentline *c, struct err *err)
{
    struct line ln;
    int rc;
    for (;;) {
        if ((rc = lines_next(c->lines, &ln, err)) <= 0) return rc;
        buf_clear(&c->raw);
        buf_add(&c->raw, ln.s, ln.n);
        c->no = ln.no;
        if ((rc = unfold(c, err))) return rc;
        bool whole = cut(c);
        while (whole && quoted_printable(c) && c->raw.n && c->raw.p[c->raw.n - 1] == '=') {
            if ((rc = lines_next(c->lines, &ln, err)) <= 0) break;
            c->raw.p[--c->raw.n] = 0;
            buf_add(&c->raw, ln.s, ln.n);
            whole = cut(c);
        }
        if (rc < 0) return rc;
        if (whole) return 1;
    }
}

/* ---- values ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode(const struct contentline *c, struct buf *out)
{
    struct buf bytes = BUF_INIT(FORMAT_PIECE_MAX);
    struct span cs = contentline_param(c, "CHARSET");
    char charset[32];
    for (size_t i = 0; i < c->value.n; i++) {
        char ch = c->value.p[i];
        bool coded = ch == '=' && i + 2 < c->value.n && hex(c->value.p[i + 1]) >= 0 &&
                     hex(c->value.p[i + 2]) >= 0;
        if (coded) ch = (char)(hex(c->value.p[i + 1]) << 4 | hex(c->value.p[i + 2]));
        buf_addc(&bytes, ch);
        if (coded) i += 2;
    }
    snprintf(charset, sizeof charset, "%.*s", (int)(cs.n < 31 ? cs.n : 31), cs.p);
    if (!*charset || utf8_valid(buf_str(&bytes), bytes.n) ||
        charset_to_utf8(out, charset, buf_str(&bytes), bytes.n, NULL))
        utf8_clean(out, buf_str(&bytes), bytes.n);
    buf_free(&bytes);
}

/* Backslashes undone from s on, up to the end or, for a part, to a semicolon; what follows. */
static const char *unescape(const char *s, const char *end, bool part, struct buf *out)
{
    for (; s < end && !(part && *s == ';'); s++) {
        char c = *s;
        if (c == '\\' && s + 1 < end) {
            c = *++s;
            if (c == 'n' || c == 'N') c = '\n';
            else if (!strchr(",;:\\", c)) buf_addc(out, '\\');
        }
        buf_addc(out, c);
    }
    return s;
}

static void value_of(const struct contentline *c, int part, struct buf *out)
{
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX * 3), plain = BUF_INIT(FORMAT_PIECE_MAX * 3);
    if (quoted_printable(c)) decode(c, &raw);
    else buf_add(&raw, c->value.p, c->value.n);
    const char *s = buf_str(&raw), *end = s + raw.n;
    for (int i = 0; s <= end && (part < 0 || i <= part); i++) {
        buf_clear(&plain);
        s = unescape(s, end, part >= 0, &plain) + 1;
        if (part < 0 || (s > end && i < part)) break;
    }
    utf8_clean(out, buf_str(&plain), plain.n);
    buf_free(&raw);
    buf_free(&plain);
}

void contentline_text(const struct contentline *c, struct buf *out) { value_of(c, -1, out); }

void contentline_part(const struct contentline *c, int part, struct buf *out)
{
    struct span v = c->value;
    int parts = 1;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\\') i++;
        else if (v.p[i] == ';') parts++;
    }
    if (part < parts) value_of(c, part, out);
}
