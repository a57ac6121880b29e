/* Text that grows in paragraphs.
 *
 * Documents say where a line or paragraph ends more often than there is one: empty paragraphs for
 * space, table cells, page breaks. So an end is only owed, and paid when the next word comes; ends
 * that follow each other are one. Space runs stay as they are but for those at the start of a
 * line. */
#include "media/parts.h"

#include "base/str.h"

#include <string.h>

void doctext_init(struct doctext *d)
{
    *d = (struct doctext){ .date = CLOCK_NONE };
    d->text.max = TEXT_MAX;
    d->title.max = d->author.max = 4096;
}

void doctext_clear(struct doctext *d)
{
    buf_free(&d->text);
    buf_free(&d->title);
    buf_free(&d->author);
}

void doctext_add(struct doctext *d, const char *s, size_t n)
{
    bool at_start = d->breaks || !d->text.n;
    while (at_start && n && (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t')) s++, n--;
    if (!n || d->text.failed) return;
    if (d->text.n)
        for (; d->breaks > 0; d->breaks--) buf_addc(&d->text, '\n');
    d->breaks = 0;
    if (buf_add(&d->text, s, n) == ERR_LIMIT) d->partial = true;
}

void doctext_line(struct doctext *d)
{
    if (d->text.n && !d->breaks) d->breaks = 1;
}

void doctext_para(struct doctext *d)
{
    if (d->text.n) d->breaks = 2;
}

enum fault doctext_finish(struct doctext *d)
{
    if (d->text.failed == ERR_NOMEM) return FAULT_NOMEM;
    d->text.failed = 0;                              /* at its limit: `partial` says so */
    if (!utf8_valid(buf_str(&d->text), d->text.n)) { /* XML with bytes that it should not have */
        struct buf clean = BUF_INIT(4 * TEXT_MAX);
        utf8_clean(&clean, d->text.p, d->text.n);
        buf_free(&d->text);
        d->text = clean;
        if (clean.failed) return FAULT_NOMEM;
    }
    struct span s = { buf_str(&d->text), d->text.n };
    return span_trim(s).n ? FAULT_NONE : FAULT_EMPTY;
}

void doctext_field(struct buf *field, const char *s, size_t n)
{
    struct buf clean = BUF_INIT(1 << 20);
    if (field->n) return;
    utf8_clean(&clean, s, n);
    struct span t = span_trim((struct span){ buf_str(&clean), clean.n });
    if (t.n) buf_add(field, t.p, utf8_cut(t.p, t.n, 250));
    buf_free(&clean);
    for (size_t i = 0; i < field->n; i++)
        if ((unsigned char)field->p[i] < 32) field->p[i] = ' ';
}

void doctext_author(struct doctext *d, const char *s, size_t n)
{
    static const char *const nobody[] = { "Microsoft Office User",
                                          "Microsoft Office-Benutzer",
                                          "Microsoft account",
                                          "Windows User",
                                          "Office User",
                                          "User",
                                          "Admin",
                                          "Administrator",
                                          "Author",
                                          "Owner",
                                          "Unknown",
                                          "Anonymous",
                                          "root",
                                          "python-docx",
                                          "python-pptx",
                                          "Un-named",
                                          "unnamed" };
    struct span t = span_trim((struct span){ s, n });
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        if (span_ieq(t, nobody[i])) return;
    doctext_field(&d->author, t.p, t.n);
}
