/* Where the messages of an mbox begin and end (RFC 4155 and the habits it records).
 *
 * A message begins after a line "From sender date" that stands at the start of the file or after an
 * empty line. Bodies should have such lines escaped as ">From ", and often do not: "From 2019 on
 * ..." opens many a paragraph. So the line must hold a year and a time (or be one of the bare forms
 * that Thunderbird writes), and a header field must follow it. Content-Length is not believed.
 *
 * The scan keeps the first bytes of the present line and nothing else. It also counts what would
 * make a MIME parser spend time, memory or stack: header fields and their bytes, boundaries, and
 * the colons of addresses ("group: a, b;"), which GMime reads by recursion; long addresses, and
 * long runs of encoded words, cost it the square of their length. Where a count passes its limit,
 * `use` marks the place, and the parser is shown the message up to there only. Which lines are a
 * header is for the parser to say, and it passes over what is none: so whatever looks like a field
 * is counted as one, wherever it stands. */
#include "text/mail.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536
#define UNCUT UINT64_MAX

int mbox_init(struct mbox *m, FILE *f, bool split, struct err *err)
{
    *m = (struct mbox){ .f = f, .split = split };
    m->block = malloc(BLOCK);
    return m->block ? 0 : err_nomem(err);
}

void mbox_clear(struct mbox *m)
{
    if (m->block) explicit_bzero(m->block, BLOCK);
    free(m->block);
    m->block = NULL;
}

struct head { /* the first bytes of a line */
    char p[192];
    size_t n;
    uint64_t at, len; /* offset and length, line end included */
    uint64_t colons;  /* in all of it */
};

/* Others read the file between our calls, so the position is set before every read. */
static bool fill(struct mbox *m)
{
    m->i = m->n = 0;
    if (m->eof) return false;
    if (fseeko(m->f, (off_t)m->at, SEEK_SET)) m->io = errno;
    else m->n = fread(m->block, 1, BLOCK, m->f);
    if (!m->n && !m->io && ferror(m->f)) m->io = EIO;
    m->eof = !m->n;
    return m->n > 0;
}

/* The line at m->at. False at the end of the file. */
static bool take_line(struct mbox *m, struct head *h)
{
    h->n = 0;
    h->len = h->colons = 0;
    h->at = m->at;
    for (;;) {
        if (m->i == m->n && !fill(m)) break;
        const unsigned char *p = m->block + m->i, *e = memchr(p, '\n', m->n - m->i);
        size_t k = e ? (size_t)(e - p) + 1 : m->n - m->i;
        size_t keep = k - (e != NULL);
        if (keep > sizeof h->p - h->n) keep = sizeof h->p - h->n;
        memcpy(h->p + h->n, p, keep);
        h->n += keep;
        for (size_t i = 0; i < k; i++) h->colons += p[i] == ':';
        h->len += k;
        m->i += k;
        m->at += k;
        if (e) break;
    }
    if (h->n && h->p[h->n - 1] == '\r') h->n--;
    return h->len > 0;
}

/* Back to an offset already read; the block is kept where it still covers it. */
static void go_back(struct mbox *m, uint64_t to)
{
    uint64_t by = m->at - to;
    if (by <= m->i) m->i -= by;
    else m->i = m->n = 0, m->eof = false;
    m->at = to;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool mbox_field(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] > 32 && p[i] < 127 && p[i] != ':') i++;
    return i && i < n && p[i] == ':';
}

/* Could the line be a separator? The bare forms of Thunderbird ("From ", "From -") count. */
static bool separator(const char *p, size_t n)
{
    bool time = false, year = false;
    if (n < 5 || memcmp(p, "From ", 5)) return false;
    if (n <= 6 && (n == 5 || p[5] == '-')) return true;
    for (size_t i = 5; i + 3 < n; i++) {
        if (i + 4 < n && is_digit(p[i]) && is_digit(p[i + 1]) && p[i + 2] == ':' &&
            is_digit(p[i + 3]) && is_digit(p[i + 4]))
            time = true;
        if (p[i - 1] == ' ' && (!memcmp(p + i, "19", 2) || !memcmp(p + i, "20", 2)) &&
            is_digit(p[i + 2]) && is_digit(p[i + 3]))
            year = true;
    }
    return time && year;
}

bool mbox_looks(const unsigned char *p, size_t n)
{
    const char *s = (const char *)p;
    while (n && (*s == '\n' || *s == '\r')) s++, n--;
    const char *e = n ? memchr(s, '\n', n) : NULL;
    if (!e) return false;
    size_t k = (size_t)(e - s);
    if (k && s[k - 1] == '\r') k--;
    return separator(s, k) && mbox_field(e + 1, n - (size_t)(e + 1 - s));
}

/* What is counted of the message that is open. */
struct tally {
    bool in_header;         /* its own header goes on */
    bool field, address;    /* the last line that began at the margin: a field, one of addresses */
    uint64_t bytes, colons; /* of that field, folded lines included */
    uint64_t boundaries, lines, addresses; /* of the message; the last in bytes */
    uint64_t cut;                          /* where a limit was passed; UNCUT */
};

/* Length of the field's name, or 0. Laxer than RFC 5322, as GMime is: blanks may stand before the
 * colon, more than a head holds. */
static size_t field_name(const struct head *h)
{
    size_t i = 0, k;
    while (i < h->n && (unsigned char)h->p[i] > 32 && h->p[i] != ':') i++;
    for (k = i; k < h->n && (h->p[k] == ' ' || h->p[k] == '\t');) k++;
    if (k < h->n) return h->p[k] == ':' ? i : 0;
    return k == sizeof h->p && k > i ? i : 0;
}

/* The fields that GMime takes apart into addresses. */
static bool is_address(struct span name)
{
    static const char *const names[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_ieq(name, names[i])) return true;
    return false;
}

static void count_field(struct tally *t, const struct head *h)
{
    if (h->p[0] != ' ' && h->p[0] != '\t') {
        size_t k = field_name(h);
        t->field = k > 0;
        t->address = is_address((struct span){ h->p, k });
        t->bytes = t->colons = 0;
    }
    if (!t->field) return;
    t->lines++;
    t->bytes += h->len;
    t->colons += h->colons;
    if (t->address) t->addresses += h->len;
}

static bool too_much(const struct tally *t, const struct head *h, uint64_t start)
{
    return t->boundaries > MBOX_BOUNDARIES_MAX || t->lines > MBOX_FIELDS_MAX ||
           h->at - start > MBOX_BYTES_MAX || (t->field && t->bytes > MBOX_FIELD_MAX) ||
           (t->address && t->colons > MBOX_COLONS_MAX) || t->addresses > MBOX_ADDRESSES_MAX ||
           (t->in_header && h->at + h->len - start > MBOX_HEADER_MAX);
}

static void count(struct tally *t, const struct head *h, uint64_t start)
{
    if (!h->n) t->in_header = t->field = t->address = false;
    else count_field(t, h);
    t->boundaries += h->n > 2 && h->p[0] == '-' && h->p[1] == '-';
    if (t->cut == UNCUT && too_much(t, h, start)) t->cut = h->at;
}

/* Pass over what stands before the first message. */
static void open_first(struct mbox *m)
{
    struct head h;
    m->opened = true;
    m->mark = m->start = m->at;
    while (m->split && take_line(m, &h)) {
        if (!h.n && h.len < 3) continue;
        m->mark = h.at;
        m->start =
            separator(h.p, h.n) || (h.n >= 5 && !memcmp(h.p, "From ", 5)) ? h.at + h.len : h.at;
        go_back(m, m->start);
        break;
    }
}

int mbox_next(struct mbox *m, struct mbox_range *out, struct err *err)
{
    struct tally t = { .in_header = true, .cut = UNCUT };
    struct head h, cand = { .n = 0 };
    bool empty = false, waiting = false, field = false, first = true;
    if (!m->opened) open_first(m);
    *out = (struct mbox_range){ .mark = m->mark, .start = m->start };
    out->end = m->at;
    while (take_line(m, &h)) {
        if (waiting && mbox_field(h.p, h.n)) {
            out->end = cand.at;
            m->mark = cand.at;
            m->start = h.at;
            go_back(m, h.at);
            goto done;
        }
        if (first) field = mbox_field(h.p, h.n) || (h.n && h.p[0] == '>');
        first = false;
        waiting = m->split && empty && separator(h.p, h.n);
        if (waiting) cand = h;
        empty = !h.n;
        count(&t, &h, out->start);
        out->end = m->at;
    }
    if (m->io) return err_set(err, ERR_IO, "cannot read the mail file: %s", strerror(m->io));
    m->start = m->mark = m->at;
    if (out->end <= out->start) return 0;
done:
    out->use = t.cut < out->end ? t.cut : out->end;
    out->broken = !field || out->use == out->start;
    return 1;
}
