/* OpenDocument text and presentations (OASIS OpenDocument 1.2 part 1, chapters 5 and 6):
 * content.xml, with what was deleted under tracked changes and the annotations left out; spaces,
 * tabs and line ends are elements of their own, and white space in the XML counts as one space. */
#include "media/office.h"

#include "base/str.h"
#include "media/xml.h"

#include <string.h>

struct reader {
    struct doctext *d;
    int silent, in_p;
    bool spaced; /* the last thing was a space, so that more of it do not count */
    bool locked;
};

static bool silences(const char *name)
{
    return !strcmp(name, "tracked-changes") || !strcmp(name, "annotation") ||
           !strcmp(name, "forms") || !strcmp(name, "note-citation") ||
           !strcmp(name, "date-time-decl") || !strcmp(name, "page-number");
}

static void spaces(struct reader *r, struct span count)
{
    int64_t n = 1;
    if (count.n && (!str_i64(count, &n) || n < 1)) n = 1;
    for (int64_t i = 0; i < n && i < 200; i++) doctext_add(r->d, " ", 1);
    r->spaced = true;
}

static void on_open(void *ud, const char *name, const struct xml_attrs *a)
{
    struct reader *r = ud;
    if (r->silent || silences(name)) {
        r->silent++;
        return;
    }
    if (!strcmp(name, "p") || !strcmp(name, "h")) {
        if (r->in_p++) doctext_line(r->d); /* a note or text box inside of a paragraph */
        r->spaced = true;
    } else if (!strcmp(name, "s")) spaces(r, xml_attr(a, "c", NULL));
    else if (!strcmp(name, "tab")) doctext_add(r->d, "\t", 1);
    else if (!strcmp(name, "line-break")) doctext_line(r->d);
}

static void on_close(void *ud, const char *name)
{
    struct reader *r = ud;
    if (r->silent) {
        r->silent--;
        return;
    }
    if (strcmp(name, "p") != 0 && strcmp(name, "h") != 0) return;
    r->in_p--;
    if (r->in_p) doctext_line(r->d);
    else doctext_para(r->d);
}

static bool blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static void on_text(void *ud, const char *s, size_t n)
{
    struct reader *r = ud;
    if (!r->in_p || r->silent) return;
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && blank(s[k])) k++;
        if (k > i && !r->spaced) doctext_add(r->d, " ", 1);
        if (k > i) r->spaced = true;
        for (i = k; k < n && !blank(s[k]);) k++;
        if (k > i) doctext_add(r->d, s + i, k - i), r->spaced = false;
        i = k;
    }
}

static void on_manifest(void *ud, const char *name, const struct xml_attrs *a)
{
    if (!strcmp(name, "encryption-data")) ((struct reader *)ud)->locked = true;
}

enum fault odt_text(const struct members *m, struct doctext *d)
{
    struct reader r = { .d = d };
    const struct buf *b = member_find(m, "content.xml", 11),
                     *list = member_find(m, "META-INF/manifest.xml", 21);
    if (list)
        xml_parse(buf_str(list), list->n, &(struct xml_handler){ .open = on_manifest, .ud = &r });
    if (r.locked) return FAULT_ENCRYPTED;
    if (!b) return m->fault ? m->fault : FAULT_BROKEN;
    part_properties(m, "meta.xml", d);
    if (!xml_parse(buf_str(b), b->n, &(struct xml_handler){ on_open, on_close, on_text, &r }))
        d->partial = true;
    d->partial |= m->fault != FAULT_NONE;
    enum fault f = doctext_finish(d);
    return f == FAULT_EMPTY && m->fault ? m->fault : f;
}
