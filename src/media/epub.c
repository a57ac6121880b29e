/* Books: EPUB 2 and 3 (W3C EPUB 3.3; OPF 2.0). META-INF/container.xml names the package file, whose
 * manifest gives parts ids and whose spine puts them in order; each is a page of XHTML, read as
 * HTML is (text/html.h), inside the cell like everything here. Books under digital rights
 * management say so in META-INF/encryption.xml; fonts alone may be scrambled and do no harm. */
#include "media/office.h"

#include "base/map.h"
#include "base/str.h"
#include "media/xml.h"
#include "text/html.h"

#include <string.h>

#define PAGES 20000

struct book {
    const struct members *m;
    struct doctext *d;
    struct buf root, hrefs, text; /* package file; hrefs of the manifest, NUL after each */
    struct map by_id;             /* hash of an id -> offset in hrefs + 1 */
    int64_t date;
    int in_metadata, n;
    bool locked;
};

static void on_container(void *ud, const char *name, const struct xml_attrs *a)
{
    struct book *k = ud;
    struct span s = xml_attr(a, "full-path", NULL);
    if (!k->root.n && !strcmp(name, "rootfile")) buf_add(&k->root, s.p, s.n);
}

static void on_locks(void *ud, const char *name, const struct xml_attrs *a)
{
    struct book *k = ud;
    struct span uri = xml_attr(a, "URI", NULL);
    if (strcmp(name, "CipherReference") != 0) return;
    struct span tail = { uri.p + (uri.n > 6 ? uri.n - 6 : 0), uri.n > 6 ? 6 : uri.n };
    k->locked |= span_ifind(tail, "html") != NULL || span_ifind(tail, ".htm") != NULL;
}

static void page(struct book *k, const char *href)
{
    struct buf path = BUF_INIT(8192), text = BUF_INIT(TEXT_MAX), clean = BUF_INIT(TEXT_MAX);
    struct err err = { 0 };
    if (k->d->text.failed) return; /* enough of it, or the same page again and again */
    part_path(buf_str(&k->root), k->root.n, span_of(href), &path);
    const struct buf *b = member_find(k->m, buf_str(&path), path.n);
    if (!b) k->d->partial = true;
    else {
        utf8_clean(&clean, buf_str(b), b->n);
        if (html_text(buf_str(&clean), clean.n, &text, NULL, NULL, NULL, &err))
            k->d->partial = true;
        doctext_para(k->d);
        doctext_add(k->d, buf_str(&text), text.n);
        doctext_para(k->d);
    }
    buf_free(&path);
    buf_free(&text);
    buf_free(&clean);
}

static void package_open(void *ud, const char *name, const struct xml_attrs *a)
{
    struct book *k = ud;
    buf_clear(&k->text);
    if (!strcmp(name, "metadata")) k->in_metadata++;
    else if (!strcmp(name, "item")) {
        struct span id = xml_attr(a, "id", NULL), href = xml_attr(a, "href", NULL);
        uint64_t *at = map_slot(&k->by_id, hash64(id.p, id.n, 1));
        if (!at || *at) return;
        *at = k->hrefs.n + 1;
        buf_add(&k->hrefs, href.p, href.n);
        buf_addc(&k->hrefs, 0);
    } else if (!strcmp(name, "itemref") && k->n++ < PAGES) {
        struct span id = xml_attr(a, "idref", NULL);
        const uint64_t *at = map_get(&k->by_id, hash64(id.p, id.n, 1));
        if (at && *at <= k->hrefs.n) page(k, k->hrefs.p + *at - 1);
        else k->d->partial = true;
    }
}

static void package_text(void *ud, const char *s, size_t n)
{
    struct book *k = ud;
    if (k->in_metadata) buf_add(&k->text, s, n);
}

static void package_close(void *ud, const char *name)
{
    struct book *k = ud;
    struct span s = span_trim((struct span){ buf_str(&k->text), k->text.n });
    if (!strcmp(name, "metadata")) k->in_metadata--;
    else if (!k->in_metadata) return;
    else if (!strcmp(name, "title")) doctext_field(&k->d->title, s.p, s.n);
    else if (!strcmp(name, "creator")) doctext_author(k->d, s.p, s.n);
    else if (!strcmp(name, "date") && k->d->date == CLOCK_NONE && !clock_parse_iso(s, &k->d->date))
        k->d->date = CLOCK_NONE;
    buf_clear(&k->text);
}

static void read_xml(const struct members *m, const char *name, const struct xml_handler *h)
{
    const struct buf *b = member_find(m, name, strlen(name));
    if (b) xml_parse(buf_str(b), b->n, h);
}

enum fault epub_text(const struct members *m, struct doctext *d)
{
    struct book k = {
        .m = m, .d = d, .root = BUF_INIT(4096), .hrefs = BUF_INIT(16 << 20), .text = BUF_INIT(65536)
    };
    struct xml_handler package = { package_open, package_close, package_text, &k };
    read_xml(m, "META-INF/container.xml", &(struct xml_handler){ .open = on_container, .ud = &k });
    read_xml(m, "META-INF/encryption.xml", &(struct xml_handler){ .open = on_locks, .ud = &k });
    const struct buf *b = member_find(m, buf_str(&k.root), k.root.n);
    if (b && !k.locked && !xml_parse(buf_str(b), b->n, &package)) d->partial = true;
    d->partial |= m->fault != FAULT_NONE;
    map_free(&k.by_id);
    buf_free(&k.root);
    buf_free(&k.hrefs);
    buf_free(&k.text);
    if (k.locked) return FAULT_ENCRYPTED;
    if (!b) return m->fault ? m->fault : FAULT_BROKEN;
    enum fault f = doctext_finish(d);
    return f == FAULT_EMPTY && m->fault ? m->fault : f;
}
