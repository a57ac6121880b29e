/* Presentations: PresentationML (ECMA-376 part 1, chapter 19). The slides come in the order of the
 * presentation's list, not of their file names; each is followed by what the speaker noted for it.
 * Numbers and dates that the program puts in by itself (fields) are left out. */
#include "media/office.h"

#include "base/str.h"
#include "media/xml.h"

#include <string.h>

#define SLIDES 5000

struct slide {
    struct doctext *d;
    int in_t, in_field;
};

static void on_open(void *ud, const char *name, const struct xml_attrs *a)
{
    struct slide *s = ud;
    if (!strcmp(name, "t")) s->in_t++;
    else if (!strcmp(name, "fld")) s->in_field++;
    else if (!strcmp(name, "br")) doctext_line(s->d);
}

static void on_close(void *ud, const char *name)
{
    struct slide *s = ud;
    if (!strcmp(name, "t")) s->in_t--;
    else if (!strcmp(name, "fld")) s->in_field--;
    else if (!strcmp(name, "p")) doctext_line(s->d);
    else if (!strcmp(name, "sp")) doctext_para(s->d);
}

static void on_text(void *ud, const char *p, size_t n)
{
    struct slide *s = ud;
    if (s->in_t && !s->in_field) doctext_add(s->d, p, n);
}

static void read_part(const struct buf *b, struct doctext *d)
{
    struct slide s = { .d = d };
    if (b && !xml_parse(buf_str(b), b->n, &(struct xml_handler){ on_open, on_close, on_text, &s }))
        d->partial = true;
    doctext_para(d);
}

struct deck {
    const struct members *m;
    struct doctext *d;
    const char *base; /* the presentation's part */
    int n;
};

static void on_slide(void *ud, const char *name, const struct xml_attrs *a)
{
    struct deck *k = ud;
    struct buf at = BUF_INIT(8192);
    if (strcmp(name, "sldId") != 0 || k->n++ >= SLIDES || k->d->text.failed) return;
    struct span id = xml_attr(a, "id", "elationships");
    const struct buf *slide = id.n ? part_related(k->m, k->base, id, NULL, &at) : NULL;
    if (!slide) k->d->partial = true;
    read_part(slide, k->d);
    if (slide) read_part(part_related(k->m, buf_str(&at), span_of(""), "/notesSlide", NULL), k->d);
    buf_free(&at);
}

enum fault pptx_text(const struct members *m, struct doctext *d)
{
    struct buf name = BUF_INIT(8192);
    const struct buf *list = part_related(m, "", span_of(""), "/officeDocument", &name);
    if (!list) {
        buf_clear(&name);
        buf_adds(&name, "ppt/presentation.xml");
        list = member_find(m, buf_str(&name), name.n);
    }
    struct deck k = { .m = m, .d = d, .base = buf_str(&name) };
    part_properties(m, "docProps/core.xml", d);
    if (list &&
        !xml_parse(buf_str(list), list->n, &(struct xml_handler){ .open = on_slide, .ud = &k }))
        d->partial = true;
    d->partial |= m->fault != FAULT_NONE;
    buf_free(&name);
    if (!list) return m->fault ? m->fault : FAULT_BROKEN;
    enum fault f = doctext_finish(d);
    return f == FAULT_EMPTY && m->fault ? m->fault : f;
}
