/* Parts of a package and how they point to each other (ECMA-376 part 2, Open Packaging
 * Conventions): beside "dir/name.xml" lies "dir/_rels/name.xml.rels", a list of Id, Type and
 * Target. Properties are Dublin Core in all of these formats. */
#include "media/office.h"

#include "base/str.h"
#include "media/xml.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the last component off what stands in out after `from`. */
static void up(struct buf *out, size_t from)
{
    size_t n = out->n;
    while (n > from && out->p[n - 1] != '/') n--;
    if (n > from) n--;
    out->n = n;
    if (out->p) out->p[n] = 0;
}

void part_path(const char *base, size_t n, struct span target, struct buf *out)
{
    size_t from = out->n;
    while (n && base[n - 1] != '/') n--;
    if (n && !(target.n && *target.p == '/')) buf_add(out, base, n - 1);
    for (size_t i = 0; i < target.n && target.p[i] != '#';) {
        size_t k = i;
        while (k < target.n && target.p[k] != '/' && target.p[k] != '#') k++;
        struct span c = { target.p + i, k - i };
        if (span_eq(c, "..")) up(out, from);
        else if (c.n && !span_eq(c, ".")) {
            if (out->n > from) buf_addc(out, '/');
            for (size_t j = 0; j < c.n; j++) {
                bool coded =
                    c.p[j] == '%' && j + 2 < c.n && hex(c.p[j + 1]) >= 0 && hex(c.p[j + 2]) >= 0;
                buf_addc(out, coded ? (char)(hex(c.p[j + 1]) << 4 | hex(c.p[j + 2])) : c.p[j]);
                if (coded) j += 2;
            }
        }
        i = k < target.n && target.p[k] == '/' ? k + 1 : k;
    }
}

struct relations {
    struct span id;
    const char *type;
    struct buf target;
};

static void on_relation(void *ud, const char *name, const struct xml_attrs *a)
{
    struct relations *r = ud;
    if (r->target.n || strcmp(name, "Relationship") != 0) return;
    struct span id = xml_attr(a, "Id", NULL), type = xml_attr(a, "Type", NULL),
                to = xml_attr(a, "Target", NULL);
    size_t k = r->type ? strlen(r->type) : 0;
    bool mine = r->id.n   ? id.n == r->id.n && !memcmp(id.p, r->id.p, id.n)
                : r->type ? type.n >= k && !memcmp(type.p + type.n - k, r->type, k)
                          : false;
    if (mine && to.n < 2000 && !span_ieq(xml_attr(a, "TargetMode", NULL), "External"))
        buf_add(&r->target, to.p, to.n);
}

const struct buf *part_related(const struct members *m, const char *base, struct span id,
                               const char *type, struct buf *name)
{
    struct relations r = { .id = id, .type = type, .target = BUF_INIT(4096) };
    struct buf rels = BUF_INIT(8192), path = BUF_INIT(8192);
    const char *slash = strrchr(base, '/'), *leaf = slash ? slash + 1 : base;
    buf_printf(&rels, "%.*s_rels/%s.rels", (int)(leaf - base), base, leaf);
    const struct buf *list = member_find(m, buf_str(&rels), rels.n), *found = NULL;
    if (list)
        xml_parse(buf_str(list), list->n, &(struct xml_handler){ .open = on_relation, .ud = &r });
    if (r.target.n) {
        part_path(base, strlen(base), (struct span){ r.target.p, r.target.n }, &path);
        found = member_find(m, buf_str(&path), path.n);
        if (name) buf_add(name, buf_str(&path), path.n);
    }
    buf_free(&r.target);
    buf_free(&rels);
    buf_free(&path);
    return found;
}

/* ---- properties ---- */

struct properties {
    struct doctext *d;
    struct buf text;
    int64_t created, modified;
};

static void property_open(void *ud, const char *name, const struct xml_attrs *a)
{
    buf_clear(&((struct properties *)ud)->text);
}

static void property_text(void *ud, const char *s, size_t n)
{
    buf_add(&((struct properties *)ud)->text, s, n);
}

static void property_close(void *ud, const char *name)
{
    struct properties *p = ud;
    struct span s = span_trim((struct span){ buf_str(&p->text), p->text.n });
    int64_t t;
    if (!strcmp(name, "title")) doctext_field(&p->d->title, s.p, s.n);
    else if (!strcmp(name, "initial-creator") || !strcmp(name, "creator"))
        doctext_author(p->d, s.p, s.n);
    else if (!strcmp(name, "created") || !strcmp(name, "creation-date")) {
        if (s.n > 19 && s.p[19] == '.') s.n = 19; /* OpenDocument counts nanoseconds */
        if (clock_parse_iso(s, &t)) p->created = t;
    } else if (!strcmp(name, "modified") && clock_parse_iso(s, &t)) p->modified = t;
    buf_clear(&p->text);
}

void part_properties(const struct members *m, const char *name, struct doctext *d)
{
    const struct buf *b = member_find(m, name, strlen(name));
    struct properties p = {
        .d = d, .text = BUF_INIT(8192), .created = CLOCK_NONE, .modified = CLOCK_NONE
    };
    if (!b) return;
    xml_parse(buf_str(b), b->n,
              &(struct xml_handler){ property_open, property_close, property_text, &p });
    d->date = p.created != CLOCK_NONE ? p.created : p.modified;
    buf_free(&p.text);
}
