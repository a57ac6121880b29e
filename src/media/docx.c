/* Word documents: WordprocessingML (ECMA-376 part 1, chapter 17), transitional and strict alike,
 * since only local names count.
 *
 * Text is what stands in <w:t>. Not text: what was deleted or moved away under revision marks,
 * field codes, hidden runs, comments (they are other people's), headers and footers (they repeat),
 * and the fallback of a drawing whose text stands there twice. Notes follow the text. */
#include "media/office.h"

#include "base/str.h"
#include "media/xml.h"

#include <string.h>

struct reader {
    struct doctext *d;
    int silent; /* depth inside of elements whose text does not count */
    int in_t, in_p_properties, in_row;
    bool hidden; /* this run */
};

static bool silences(const char *name)
{
    return !strcmp(name, "Fallback") || !strcmp(name, "moveFrom") || !strcmp(name, "del");
}

static void on_open(void *ud, const char *name, const struct xml_attrs *a)
{
    struct reader *r = ud;
    if (r->silent || silences(name)) {
        r->silent++;
        return;
    }
    if (!strcmp(name, "t")) r->in_t++;
    else if (!strcmp(name, "pPr")) r->in_p_properties++;
    else if (!strcmp(name, "tr")) r->in_row++;
    else if (!strcmp(name, "r")) r->hidden = false;
    else if (r->in_p_properties || r->hidden) return;
    else if (!strcmp(name, "vanish")) {
        struct span off = xml_attr(a, "val", NULL);
        r->hidden = !span_eq(off, "0") && !span_eq(off, "false");
    } else if (!strcmp(name, "tab")) doctext_add(r->d, "\t", 1);
    else if (!strcmp(name, "br") || !strcmp(name, "cr")) doctext_line(r->d);
    else if (!strcmp(name, "noBreakHyphen")) doctext_add(r->d, "-", 1);
}

static void on_close(void *ud, const char *name)
{
    struct reader *r = ud;
    if (r->silent) {
        r->silent--;
        return;
    }
    if (!strcmp(name, "t")) r->in_t--;
    else if (!strcmp(name, "pPr")) r->in_p_properties--;
    else if (!strcmp(name, "r")) r->hidden = false;
    else if (!strcmp(name, "tr")) {
        r->in_row--;
        doctext_para(r->d);
    } else if (!strcmp(name, "p")) {
        if (r->in_row) doctext_line(r->d);
        else doctext_para(r->d);
    }
}

static void on_text(void *ud, const char *s, size_t n)
{
    struct reader *r = ud;
    if (r->in_t && !r->silent && !r->hidden) doctext_add(r->d, s, n);
}

static void read_part(const struct buf *b, struct doctext *d)
{
    struct reader r = { .d = d };
    if (b && !xml_parse(buf_str(b), b->n, &(struct xml_handler){ on_open, on_close, on_text, &r }))
        d->partial = true;
    doctext_para(d);
}

enum fault docx_text(const struct members *m, struct doctext *d)
{
    struct buf name = BUF_INIT(8192);
    const struct buf *main = part_related(m, "", span_of(""), "/officeDocument", &name);
    if (!main) {
        buf_clear(&name);
        buf_adds(&name, "word/document.xml");
        main = member_find(m, buf_str(&name), name.n);
    }
    part_properties(m, "docProps/core.xml", d);
    read_part(main, d);
    read_part(part_related(m, buf_str(&name), span_of(""), "/footnotes", NULL), d);
    read_part(part_related(m, buf_str(&name), span_of(""), "/endnotes", NULL), d);
    d->partial |= m->fault != FAULT_NONE;
    buf_free(&name);
    if (!main) return m->fault ? m->fault : FAULT_BROKEN;
    enum fault f = doctext_finish(d);
    return f == FAULT_EMPTY && m->fault ? m->fault : f;
}
