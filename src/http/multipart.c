/* The parser behind uploads, our own for three reasons: the post processor of libmicrohttpd passes
 * over a body that was cut off, knows neither filename* (RFC 5987) nor escapes in quoted names, and
 * needs a connection, so it could be neither fuzzed nor tested by itself.
 *
 * A boundary is looked for as CR LF "--" boundary. CR occurs in it once, at its front, so a failed
 * match never hides the beginning of another: what was matched is known to be data, and it is known
 * without having been kept, because it equals the front of the boundary. Hence no byte of a part is
 * ever stored here; only the headers of a part are, up to MULTIPART_HEAD. The body begins as if a
 * CR LF had come before it.
 *
 * Strict where two readers could differ about what belongs to whom (bare LF, folded headers, a
 * header or parameter given twice, other transfer encodings, no last boundary), lenient about
 * names: see multipart_file_name. */
#include "http/multipart.h"

#include "base/buf.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 4096, BOUNDARY_MAX = 70 };

struct multipart {
    struct multipart_sink sink;
    enum { OUTSIDE, AFTER, HEAD, DATA, OVER } state;
    int rc;                       /* the error there was */
    char delim[BOUNDARY_MAX + 5]; /* CR LF "--" boundary */
    size_t delim_n, matched;      /* how much of it the last bytes were */
    size_t outside, parts;
    char after[64]; /* the rest of a boundary's line */
    size_t after_n;
    struct buf head;
};

/* ---- parameters: ; name=token or ; name="quoted" (RFC 7231, 3.1.1.1) ---- */

struct param {
    char name[32]; /* lower case */
    char value[VALUE_MAX];
    size_t n;
    bool quoted;
};

static bool token_char(char c) { return c > 0x20 && c < 0x7F && !strchr("()<>@,;:\\\"/[]?={}", c); }

static struct span skip_space(struct span s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t')) s.p++, s.n--;
    return s;
}

/* A backslash escapes a quote and itself; before anything else it is a backslash, as in the paths
 * that old browsers sent. */
static bool read_quoted(struct span *s, struct param *out)
{
    for (s->p++, s->n--; s->n; s->p++, s->n--) {
        char c = *s->p;
        if (c == '"') {
            s->p++, s->n--;
            return true;
        }
        if (c == '\\' && s->n > 1 && (s->p[1] == '"' || s->p[1] == '\\')) {
            c = s->p[1];
            s->p++, s->n--;
        }
        if (out->n == VALUE_MAX) return false;
        out->value[out->n++] = c;
    }
    return false;
}

/* 1: there was one; 0: the end; -1: it is broken. */
static int next_param(struct span *s, struct param *out)
{
    size_t n = 0;
    out->n = 0;
    *s = skip_space(*s);
    if (!s->n) return 0;
    if (*s->p != ';') return -1;
    s->p++, s->n--;
    *s = skip_space(*s);
    if (!s->n) return 0;
    for (; s->n && (token_char(*s->p)); s->p++, s->n--) {
        if (n + 1 >= sizeof out->name) return -1;
        out->name[n++] = *s->p >= 'A' && *s->p <= 'Z' ? (char)(*s->p + 32) : *s->p;
    }
    out->name[n] = 0;
    if (!n || !s->n || *s->p != '=') return -1;
    s->p++, s->n--;
    if ((out->quoted = s->n && *s->p == '"')) return read_quoted(s, out) ? 1 : -1;
    for (; s->n && *s->p != ';' && *s->p != ' ' && *s->p != '\t'; s->p++, s->n--) {
        if (*s->p == '"' || out->n == VALUE_MAX) return -1;
        out->value[out->n++] = *s->p;
    }
    return out->n ? 1 : -1;
}

/* The word before the first parameter; what follows it goes to rest. */
static struct span first_word(struct span s, struct span *rest)
{
    s = skip_space(s);
    size_t n = 0;
    while (n < s.n && s.p[n] != ';' && s.p[n] != ' ' && s.p[n] != '\t') n++;
    *rest = (struct span){ s.p + n, s.n - n };
    return (struct span){ s.p, n };
}

/* ---- names ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Browsers write a quote in a quoted name as %22, and leave every other % alone. */
static void unquote(struct param *v)
{
    size_t to = 0;
    for (size_t i = 0; i < v->n; i++) {
        bool quote = v->n - i > 2 && !memcmp(v->value + i, "%22", 3);
        v->value[to++] = quote ? '"' : v->value[i];
        if (quote) i += 2;
    }
    v->n = to;
}

/* charset'language'percent-encoded (RFC 5987), in place, to UTF-8. */
static bool extended(struct param *v)
{
    struct buf out = BUF_INIT(VALUE_MAX);
    struct span s = { v->value, v->n };
    const char *end = memchr(s.p, '\'', s.n);
    if (!end) return false;
    struct span charset = { s.p, (size_t)(end - s.p) };
    bool latin = span_ieq(charset, "iso-8859-1");
    s = (struct span){ end + 1, s.n - charset.n - 1 };
    if ((!latin && !span_ieq(charset, "utf-8")) || !(end = memchr(s.p, '\'', s.n))) return false;
    const char *p = end + 1, *stop = v->value + v->n;
    while (p < stop) {
        unsigned char c = (unsigned char)*p++;
        char put[4] = { (char)c };
        size_t n = 1;
        if (c == '%') {
            int hi = p + 1 < stop ? hex_value(p[0]) : -1, lo = hi < 0 ? -1 : hex_value(p[1]);
            if (lo < 0) break;
            c = (unsigned char)(hi << 4 | lo);
            p += 2;
            put[0] = (char)c;
        }
        if (latin) n = (size_t)utf8_put(put, c);
        buf_add(&out, put, n);
    }
    bool good = p == stop && !out.failed && utf8_valid(buf_str(&out), out.n);
    if (good) memcpy(v->value, buf_str(&out), v->n = out.n);
    buf_free(&out);
    return good;
}

void multipart_file_name(const char *p, size_t n, char *out, size_t size)
{
    struct buf clean = BUF_INIT(0);
    size_t to = 0;
    *out = 0;
    for (size_t i = n; i; i--)
        if (p[i - 1] == '/' || p[i - 1] == '\\') {
            p += i;
            n -= i;
            break;
        }
    utf8_clean(&clean, p, n);
    const char *s = buf_str(&clean);
    size_t keep = utf8_cut(s, clean.n, size - 1);
    for (size_t i = 0; i < keep; i++)
        if ((unsigned char)s[i] >= 0x20) out[to++] = s[i];
    out[to] = 0;
    if (clean.failed || !strcmp(out, ".") || !strcmp(out, "..")) *out = 0;
    buf_free(&clean);
}

/* ---- the headers of a part ---- */

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_PARSE, "the upload is not good multipart/form-data: %s", what);
}

static int read_name(struct param *v, struct multipart_part *part, struct err *err)
{
    if (part->name[0]) return bad(err, "a part has two names");
    if (v->quoted) unquote(v);
    if (!v->n || v->n >= sizeof part->name || !utf8_valid(v->value, v->n))
        return bad(err, "the name of a part is empty, too long or not UTF-8");
    for (size_t i = 0; i < v->n; i++)
        if ((unsigned char)v->value[i] < 0x20 || v->value[i] == 0x7F)
            return bad(err, "the name of a part has control characters in it");
    memcpy(part->name, v->value, v->n);
    part->name[v->n] = 0;
    return 0;
}

static int read_disposition(struct span s, struct multipart_part *part, struct err *err)
{
    struct param v;
    bool plain = false, ext = false;
    int more, rc = 0;
    if (!span_ieq(first_word(s, &s), "form-data")) return bad(err, "a part is not form-data");
    while (!rc && (more = next_param(&s, &v))) {
        if (more < 0) return bad(err, "a Content-Disposition is broken");
        if (!strcmp(v.name, "name")) {
            rc = read_name(&v, part, err);
        } else if (!strcmp(v.name, "filename")) {
            if (plain) return bad(err, "a part has two file names");
            plain = true;
            if (v.quoted) unquote(&v);
            if (!ext) multipart_file_name(v.value, v.n, part->file, sizeof part->file);
        } else if (!strcmp(v.name, "filename*")) {
            if (ext) return bad(err, "a part has two file names");
            ext = true;
            if (!extended(&v)) return bad(err, "a filename* is broken, or not UTF-8");
            multipart_file_name(v.value, v.n, part->file, sizeof part->file);
        }
    }
    part->is_file = plain || ext;
    return rc;
}

static int read_header(struct span line, struct multipart_part *part, unsigned *seen,
                       struct err *err)
{
    const char *colon = memchr(line.p, ':', line.n);
    struct span name = { line.p, colon ? (size_t)(colon - line.p) : 0 }, rest;
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7F)
            return bad(err, "control characters among the headers of a part");
    for (size_t i = 0; i < name.n; i++)
        if (!token_char(name.p[i])) name.n = 0;
    if (!name.n) return bad(err, "a header of a part is broken");
    struct span value = { colon + 1, line.n - name.n - 1 };
    if (span_ieq(name, "content-disposition")) {
        if (*seen & 1) return bad(err, "a part has two Content-Dispositions");
        *seen |= 1;
        return read_disposition(value, part, err);
    }
    if (span_ieq(name, "content-type")) {
        struct span type = first_word(value, &rest);
        if (type.n >= 10 && span_ieq((struct span){ type.p, 10 }, "multipart/")) *seen |= 2;
    }
    if (span_ieq(name, "content-transfer-encoding")) {
        struct span how = first_word(value, &rest);
        if (!span_ieq(how, "binary") && !span_ieq(how, "8bit") && !span_ieq(how, "7bit"))
            return bad(err, "a part has a Content-Transfer-Encoding: send it as it is");
    }
    return 0;
}

/* m->head ends with an empty line. */
static int read_head(struct multipart *m, struct err *err)
{
    struct multipart_part part = { 0 };
    unsigned seen = 0;
    int rc = 0;
    const char *p = m->head.p, *end = m->head.p + m->head.n - 2;
    while (p < end && !rc) {
        const char *cr = memchr(p, '\r', (size_t)(end - p));
        if (!cr || cr[1] != '\n') return bad(err, "a header of a part is broken");
        rc = read_header((struct span){ p, (size_t)(cr - p) }, &part, &seen, err);
        p = cr + 2;
    }
    if (rc) return rc;
    if (!part.name[0]) return bad(err, "a part has no name");
    if (seen & 2 && !part.is_file) return bad(err, "a part is made of parts itself");
    if (++m->parts > MULTIPART_PARTS)
        return err_set(err, ERR_LIMIT, "more than %d parts in one upload: send several",
                       MULTIPART_PARTS);
    buf_clear(&m->head);
    m->state = DATA;
    return m->sink.begin(m->sink.ud, &part, err);
}

/* ---- the body ---- */

static int pass(struct multipart *m, const char *p, size_t n, struct err *err)
{
    if (m->state == DATA) return n ? m->sink.data(m->sink.ud, p, n, err) : 0;
    m->outside += n;
    return m->outside > MULTIPART_OUTSIDE ? bad(err, "it does not begin with its boundary") : 0;
}

/* Up to the end of a boundary, or of what came. */
static int find_boundary(struct multipart *m, const char **at, const char *end, struct err *err)
{
    const char *p = *at;
    int rc = 0;
    while (p < end && !rc) {
        if (!m->matched) {
            const char *cr = memchr(p, '\r', (size_t)(end - p));
            rc = pass(m, p, (size_t)((cr ? cr : end) - p), err);
            p = cr ? cr + 1 : end;
            m->matched = cr ? 1 : 0;
        } else if (*p == m->delim[m->matched]) {
            p++;
            if (++m->matched < m->delim_n) continue;
            if (m->state == DATA) rc = m->sink.end(m->sink.ud, err);
            m->matched = 0;
            m->after_n = 0;
            m->state = AFTER;
            break;
        } else {
            size_t n = m->matched;
            m->matched = 0;
            rc = pass(m, m->delim, n, err);
        }
    }
    *at = p;
    return rc;
}

/* After a boundary: "--" when it was the last, else spaces and the end of the line. */
static int read_after(struct multipart *m, char c, struct err *err)
{
    m->after[m->after_n++] = c;
    size_t n = m->after_n;
    if (n == 2 && !memcmp(m->after, "--", 2)) {
        m->state = OVER;
        m->outside = 0;
        return 0;
    }
    if (c == '\n' && n >= 2 && m->after[n - 2] == '\r') {
        m->state = HEAD;
        return 0;
    }
    bool good = c == ' ' || c == '\t' || c == '\r' || (c == '-' && n == 1);
    if (n > 1 && (m->after[n - 2] == '\r' || m->after[n - 2] == '-')) good = false;
    return good && n < sizeof m->after ? 0 : bad(err, "a boundary is followed by something else");
}

static int read_head_byte(struct multipart *m, char c, struct err *err)
{
    if (buf_addc(&m->head, c))
        return m->head.failed == ERR_NOMEM
                   ? err_nomem(err)
                   : bad(err, "the headers of a part are longer than 8 KiB");
    if (c != '\n') return 0;
    size_t n = m->head.n;
    if (n < 2 || m->head.p[n - 2] != '\r') return bad(err, "a line of it does not end with CR LF");
    bool empty = n == 2 || (n > 3 && !memcmp(m->head.p + n - 4, "\r\n", 2));
    return empty ? read_head(m, err) : 0;
}

int multipart_feed(struct multipart *m, const char *p, size_t n, struct err *err)
{
    const char *end = p + n;
    if (m->rc) return err_set(err, m->rc, "the upload went wrong before");
    while (p < end && !m->rc) {
        switch (m->state) {
        case OUTSIDE:
        case DATA: m->rc = find_boundary(m, &p, end, err); break;
        case AFTER: m->rc = read_after(m, *p++, err); break;
        case HEAD: m->rc = read_head_byte(m, *p++, err); break;
        case OVER:
            m->outside += (size_t)(end - p);
            p = end;
            if (m->outside > MULTIPART_OUTSIDE)
                m->rc = bad(err, "it goes on after its last boundary");
        }
    }
    return m->rc;
}

int multipart_finish(struct multipart *m, struct err *err)
{
    if (m->rc) return err_set(err, m->rc, "the upload went wrong before");
    if (m->state != OVER) m->rc = bad(err, "it was cut off, its last boundary is missing");
    return m->rc;
}

static int read_boundary(const char *type, struct multipart *m, struct err *err)
{
    struct span s = span_of(type);
    struct param v;
    int more;
    if (!span_ieq(first_word(s, &s), "multipart/form-data"))
        return err_set(err, ERR_INVAL, "send the files as multipart/form-data");
    while ((more = next_param(&s, &v))) {
        if (more > 0 && strcmp(v.name, "boundary") != 0) continue;
        bool good =
            more > 0 && !m->delim_n && v.n && v.n <= BOUNDARY_MAX && v.value[v.n - 1] != ' ';
        for (size_t i = 0; i < v.n; i++)
            if (v.value[i] < 0x20 || v.value[i] > 0x7E) good = false;
        if (!good) return err_set(err, ERR_INVAL, "the boundary of the multipart body is broken");
        memcpy(m->delim, "\r\n--", 4);
        memcpy(m->delim + 4, v.value, v.n);
        m->delim_n = v.n + 4;
    }
    return m->delim_n ? 0 : err_set(err, ERR_INVAL, "the multipart body has no boundary");
}

int multipart_new(const char *content_type, const struct multipart_sink *sink,
                  struct multipart **out, struct err *err)
{
    *out = NULL;
    struct multipart *m = calloc(1, sizeof *m);
    if (!m) return err_nomem(err);
    m->sink = *sink;
    m->head = BUF_INIT(MULTIPART_HEAD);
    m->matched = 2;
    int rc = read_boundary(content_type, m, err);
    if (rc) multipart_free(m);
    else *out = m;
    return rc;
}

void multipart_free(struct multipart *m)
{
    if (!m) return;
    buf_free(&m->head);
    free(m);
}
