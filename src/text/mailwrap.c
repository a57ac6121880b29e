/* Line breaks that no writer made.
 *
 * Mail broke lines long before screens did. Two cases: format=flowed (RFC 3676), where a trailing
 * space says that the paragraph goes on; and the plain hard wrap, where nothing says so. For the
 * latter we ask of every line end the question that the mailer asked: would the next word still
 * have fitted? The width is not known, but the longest line of the paragraph is a lower bound of
 * it. In wrapped prose the next word never fits; in a poem, a list or an address it mostly does.
 * Lines under 45 columns are never joined to the next, nor are paragraphs whose longest line is
 * under 60 or over 100 columns. */
#include "base/str.h"
#include "text/mailtext.h"

#include <string.h>

/* The next line of s from *at, without its end; false at the end of the text. */
static bool next_line(const char *s, size_t n, size_t *at, struct span *out)
{
    if (*at >= n) return false;
    const char *p = s + *at, *e = memchr(p, '\n', n - *at);
    out->p = p;
    out->n = e ? (size_t)(e - p) : n - *at;
    *at += out->n + (e != NULL);
    return true;
}

static void put_quote(struct buf *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++) buf_addc(out, '>');
    if (depth) buf_addc(out, ' ');
}

bool mailtext_unflow(const char *s, size_t n, bool del_sp, struct buf *out)
{
    bool any = false, open = false; /* open: the line before ends in a soft break */
    size_t at = 0, open_depth = 0;
    struct span l;
    while (next_line(s, n, &at, &l)) {
        size_t depth = 0;
        if (l.n && l.p[l.n - 1] == '\r') l.n--;
        while (depth < l.n && l.p[depth] == '>') depth++;
        l.p += depth;
        l.n -= depth;
        if (l.n && l.p[0] == ' ') l.p++, l.n--; /* space-stuffing */
        bool sig = l.n == 3 && !memcmp(l.p, "-- ", 3);
        if (open && (depth != open_depth || sig)) {
            buf_addc(out, '\n');
            open = false;
        }
        if (!open) put_quote(out, depth);
        else any = true;
        open = l.n && l.p[l.n - 1] == ' ' && !sig;
        open_depth = depth;
        buf_add(out, l.p, l.n - (open && del_sp));
        if (!open) buf_addc(out, '\n');
    }
    if (open) buf_addc(out, '\n');
    return any;
}

/* ---- the hard wrap ---- */

static bool digit(char c) { return c >= '0' && c <= '9'; }

static size_t indent_of(struct span l)
{
    size_t i = 0;
    while (i < l.n && (l.p[i] == ' ' || l.p[i] == '\t')) i++;
    return i;
}

/* "- ", "* ", "• ", "1. ", "12) ", "a) ": the line opens an item of a list. */
static bool list_item(struct span l)
{
    size_t i = indent_of(l), d = i;
    if (i + 1 < l.n && strchr("-*+", l.p[i]) && l.p[i + 1] == ' ') return true;
    if (i + 3 < l.n &&
        (!memcmp(l.p + i, "\xE2\x80\xA2", 3) || !memcmp(l.p + i, "\xE2\x80\x93 ", 4)))
        return true;
    while (d < l.n && d < i + 3 && digit(l.p[d])) d++;
    if (d == i && d < l.n && ((l.p[d] | 32) >= 'a' && (l.p[d] | 32) <= 'z') && d + 1 < l.n &&
        l.p[d + 1] == ')')
        d++;
    return d > i && d + 1 < l.n && (l.p[d] == '.' || l.p[d] == ')') && l.p[d + 1] == ' ';
}

static int first_word_width(struct span l)
{
    size_t i = indent_of(l), e = i;
    while (e < l.n && l.p[e] != ' ') e++;
    return utf8_width(l.p + i, e - i);
}

/* A table, a row of a form, ASCII art: runs of spaces inside the line. */
static bool columns(struct span l)
{
    size_t run = 0;
    for (size_t i = indent_of(l); i < l.n; i++) {
        if (l.p[i] == '\t') return true;
        run = l.p[i] == ' ' ? run + 1 : 0;
        if (run >= 3 && i + 1 < l.n) return true;
    }
    return false;
}

/* Is the break between a and b the mailer's? longest: widest line of the paragraph; item: a belongs
 * to an item of a list, whose continuation may be indented. */
static bool soft(struct span a, struct span b, int longest, bool item)
{
    int w = utf8_width(a.p, a.n);
    if (w < 45 || longest < 60 || longest > 100) return false;
    if (list_item(b) || columns(a) || columns(b)) return false;
    if (indent_of(b) != indent_of(a) && !(item && indent_of(b) <= indent_of(a) + 4)) return false;
    return w + 1 + first_word_width(b) > longest;
}

static int longest_of(const char *s, size_t n, size_t at)
{
    int most = 0;
    struct span l;
    while (next_line(s, n, &at, &l) && span_trim(l).n) {
        if (!memchr(l.p + indent_of(l), ' ', l.n - indent_of(l)))
            continue; /* one long word: a link */
        int w = utf8_width(l.p, l.n);
        if (w > most) most = w;
    }
    return most;
}

/* "well-" + "known": the hyphen is the word's own; "rain -" + "or" is a dash. */
static bool hyphened(struct span a, struct span b)
{
    size_t i = indent_of(b);
    return a.n >= 2 && a.p[a.n - 1] == '-' && (a.p[a.n - 2] | 32) >= 'a' &&
           (a.p[a.n - 2] | 32) <= 'z' && i < b.n && b.p[i] >= 'a' && b.p[i] <= 'z';
}

static struct span trim_end(struct span l)
{
    while (l.n && (l.p[l.n - 1] == ' ' || l.p[l.n - 1] == '\t' || l.p[l.n - 1] == '\r')) l.n--;
    return l;
}

void mailtext_unwrap(const char *s, size_t n, struct buf *out)
{
    size_t at = 0, was = 0;
    int longest = 0;
    bool fresh = true, item = false, have = false;
    struct span prev = { NULL, 0 }, l;
    for (; next_line(s, n, &at, &l); was = at) {
        l = trim_end(l);
        if (!l.n) {
            if (have) buf_addc(out, '\n');
            buf_addc(out, '\n');
            have = false;
            fresh = true;
            continue;
        }
        if (fresh) longest = longest_of(s, n, was);
        if (fresh || list_item(l)) item = list_item(l);
        fresh = false;
        if (have && soft(prev, l, longest, item)) {
            size_t i = indent_of(l);
            if (!hyphened(prev, l)) buf_addc(out, ' ');
            buf_add(out, l.p + i, l.n - i);
        } else {
            if (have) buf_addc(out, '\n');
            buf_add(out, l.p, l.n);
        }
        prev = l;
        have = true;
    }
    if (have && n && s[n - 1] == '\n') buf_addc(out, '\n');
}
