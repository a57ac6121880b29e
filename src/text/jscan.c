/* See jscan.h. A value is delimited by counting brackets outside of strings; a string by its
 * closing quote; a bare word by the mark behind it. */
#include "text/jscan.h"

#include "base/str.h"
#include "text/fmt.h"

#include <string.h>

#define MAX_NESTING 2000 /* jansson's own limit is 2048 */

int jscan_init(struct jscan *j, struct format_in *in, const struct piece_sink *sink,
               struct err *err)
{
    memset(j, 0, offsetof(struct jscan, block));
    j->f = in->f;
    j->name = in->name;
    j->sink = sink;
    if (in->head_n >= 2 && (!memcmp(in->head, "\xFF\xFE", 2) || !memcmp(in->head, "\xFE\xFF", 2)))
        return err_set(err, ERR_PARSE, "%s is JSON in UTF-16: save it as UTF-8 and try again",
                       in->name);
    if (in->head_n >= 3 && !memcmp(in->head, "\xEF\xBB\xBF", 3)) {
        for (int i = 0; i < 3; i++) getc(j->f);
        j->at = 3;
    }
    return 0;
}

uint64_t jscan_at(const struct jscan *j) { return j->at - (j->to - j->from) + 1; }

static int fill(struct jscan *j, struct err *err)
{
    j->from = 0;
    j->to = fread(j->block, 1, sizeof j->block, j->f);
    j->at += j->to;
    if (ferror(j->f)) return err_errno(err, "cannot read %s", j->name);
    return fmt_consumed(j->sink, j->at, err);
}

/* The next byte without taking it: 0..255, -1 at the end of the file, < -1: error. */
static int look(struct jscan *j, struct err *err)
{
    if (j->from == j->to) {
        int rc = fill(j, err);
        if (rc) return rc - 1;
        if (!j->to) return -1;
    }
    return (unsigned char)j->block[j->from];
}

static int broken(const struct jscan *j, const char *what, struct err *err)
{
    return err_set(err, ERR_PARSE,
                   "%s, byte %llu: %s: the file is damaged or incomplete, export it "
                   "again",
                   j->name, (unsigned long long)jscan_at(j), what);
}

int jscan_peek(struct jscan *j, struct err *err)
{
    for (;;) {
        int c = look(j, err);
        if (c < -1) return c + 1;
        if (c == -1) return 0;
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c ? c : 1;
        j->from++;
    }
}

int jscan_enter(struct jscan *j, char open, struct err *err)
{
    int c = jscan_peek(j, err);
    if (c < 0) return c;
    if (c != open)
        return broken(j, open == '{' ? "'{' was expected here" : "'[' was expected here", err);
    j->from++;
    return 0;
}

int jscan_item(struct jscan *j, struct err *err)
{
    int c = jscan_peek(j, err);
    if (c == ',') {
        j->from++;
        c = jscan_peek(j, err);
    }
    if (c < 0) return c;
    if (!c) return broken(j, "the list has no end", err);
    if (c == '}' || c == ':') return broken(j, "a list ends wrongly", err);
    if (c != ']') return 1;
    j->from++;
    return 0;
}

/* A string at the opening quote, quotes included, into out. */
static int string(struct jscan *j, struct buf *out, struct err *err)
{
    bool escaped = false, ended = false;
    for (size_t k = 1; !ended;) { /* k: bytes of the block that belong to it */
        int c = look(j, err);
        if (c < -1) return c + 1;
        if (c == -1) return broken(j, "a string has no end", err);
        const char *p = j->block + j->from;
        size_t n = j->to - j->from;
        for (; k < n && !ended; k++) {
            ended = p[k] == '"' && !escaped;
            escaped = !escaped && p[k] == '\\';
        }
        if (out && !j->cut && buf_add(out, p, k)) j->cut = true;
        j->from += k;
        k = 0;
    }
    return 0;
}

int jscan_key(struct jscan *j, char *key, size_t cap, struct err *err)
{
    struct buf b = BUF_INIT(1024);
    int rc, c = jscan_peek(j, err);
    key[0] = 0;
    if (c == ',') {
        j->from++;
        c = jscan_peek(j, err);
    }
    if (c < 0) return c;
    if (c == '}') {
        j->from++;
        return 0;
    }
    if (c != '"')
        return broken(j, c ? "a name in quotes was expected here" : "an object has no end", err);
    j->cut = false;
    rc = string(j, &b, err);
    if (!rc && !j->cut && b.n >= 2 && b.n - 2 < cap) {
        memcpy(key, b.p + 1, b.n - 2);
        key[b.n - 2] = 0;
    }
    buf_free(&b);
    if (rc) return rc;
    c = jscan_peek(j, err);
    if (c < 0) return c;
    if (c != ':') return broken(j, "':' was expected here", err);
    j->from++;
    return 1;
}

int jscan_value(struct jscan *j, struct buf *out, struct err *err)
{
    uint64_t depth = 0;
    int rc, c = jscan_peek(j, err);
    j->cut = false;
    j->value_at = jscan_at(j);
    if (out) buf_clear(out);
    if (c < 0) return c;
    if (!c || strchr(",:]}", c)) return broken(j, "a value was expected here", err);
    for (;;) {
        c = look(j, err);
        if (c < -1) return c + 1;
        if (c == -1 && depth) return broken(j, "an object or list has no end", err);
        if (c == -1) break;
        if (c == '"') {
            rc = string(j, out, err);
            if (rc) return rc;
            if (!depth) break;
            continue;
        }
        bool close = c == '}' || c == ']';
        if (!depth && (close || c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) break;
        depth += c == '{' || c == '[';
        depth -= close;
        if (depth > MAX_NESTING) j->cut = true;
        j->from++;
        if (out && !j->cut && buf_addc(out, (char)c)) j->cut = true;
        if (close && !depth) break;
    }
    return out && out->failed == ERR_NOMEM ? err_nomem(err) : 0;
}

/* ---- jansson ---- */

static bool hex4(const char *p, unsigned *v)
{
    *v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                     : -1;
        if (d < 0) return false;
        *v = *v << 4 | (unsigned)d;
    }
    return true;
}

/* Half a surrogate pair, as programs write that cut text by UTF-16 units, becomes \ufffd. */
static void mend_surrogates(struct buf *b)
{
    unsigned v, w;
    for (size_t i = 0; i + 6 <= b->n; i++) {
        if (b->p[i] != '\\') continue;
        if (b->p[i + 1] != 'u' || !hex4(b->p + i + 2, &v)) {
            i++;
            continue;
        }
        bool pair = v >= 0xD800 && v < 0xDC00 && i + 12 <= b->n && b->p[i + 6] == '\\' &&
                    b->p[i + 7] == 'u' && hex4(b->p + i + 8, &w) && w >= 0xDC00 && w < 0xE000;
        if (!pair && v >= 0xD800 && v < 0xE000) memcpy(b->p + i + 2, "fffd", 4);
        i += pair ? 11 : 5;
    }
}

json_t *json_of(const char *p, size_t n)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY;
    json_error_t e;
    json_t *v = json_loadb(p, n, flags, &e);
    if (v || n > FORMAT_PIECE_MAX * 2) return v;
    struct buf b = BUF_INIT(n * 3 + 16);
    utf8_clean(&b, p, n);
    mend_surrogates(&b);
    if (!b.failed) v = json_loadb(buf_str(&b), b.n, flags, &e);
    buf_free(&b);
    return v;
}

bool json_text(const json_t *v, struct buf *out)
{
    if (json_is_string(v)) utf8_clean(out, json_string_value(v), json_string_length(v));
    else if (json_is_integer(v)) buf_printf(out, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) buf_printf(out, "%.17g", json_real_value(v));
    else if (json_is_boolean(v)) buf_adds(out, json_is_true(v) ? "true" : "false");
    else return false;
    return true;
}
