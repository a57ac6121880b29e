/* vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350): an address book, one card or many in a file.
 *
 * Nobody wrote anything in it: what it gives is whose a number or a mail address is (names.h), for
 * the chats that are read in the same run and know people by their numbers alone. */
#include "text/contentline.h"

#include "base/str.h"

#include <string.h>

#define ADDRESSES ((size_t)1 << 16) /* bytes of one card's */

struct card {
    struct buf full, name, nick, org, addresses; /* addresses: one a line */
    bool open;
    uint64_t no;
};

static int score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    return s.n >= 11 && !strncasecmp(s.p, "BEGIN:VCARD", 11) ? 97 : 0;
}

static void clear(struct card *c)
{
    struct buf *all[] = { &c->full, &c->name, &c->nick, &c->org, &c->addresses };
    for (size_t i = 0; i < 5; i++) buf_clear(all[i]);
}

/* Family;Given;Additional;Prefixes;Suffixes, as the person is called. */
static void name_of(const struct contentline *l, struct buf *out)
{
    static const int order[] = { 1, 2, 0 };
    struct buf part = BUF_INIT(4096);
    for (int i = 0; i < 3; i++) {
        buf_clear(&part);
        contentline_part(l, order[i], &part);
        struct span s = span_trim((struct span){ buf_str(&part), part.n });
        if (s.n && out->n) buf_addc(out, ' ');
        buf_add(out, s.p, s.n);
    }
    buf_free(&part);
}

static void address(const struct contentline *l, struct buf *out)
{
    struct buf v = BUF_INIT(4096);
    contentline_text(l, &v);
    const char *s = buf_str(&v);
    if (!strncasecmp(s, "tel:", 4)) s += 4;
    if (!strncasecmp(s, "mailto:", 7)) s += 7;
    size_t n = strcspn(s, "\n;"); /* "tel:+49-30-1;ext=2" */
    buf_add(out, s, n);
    buf_addc(out, '\n');
    buf_free(&v);
}

/* The card is whole: its addresses are its person's. */
static int card_end(struct card *c, const struct format_opts *o, const struct piece_sink *sink,
                    struct err *err)
{
    const struct buf *const by_rank[] = { &c->full, &c->name, &c->nick, &c->org };
    const char *name = "";
    int rc = 0;
    for (size_t i = 0; i < 4 && !*name; i++)
        if (span_trim(span_of(buf_str(by_rank[i]))).n) name = buf_str(by_rank[i]);
    if (c->full.failed || c->name.failed || c->nick.failed || c->org.failed) name = "";
    for (char *s = c->addresses.p; s && *s && *name && !rc;) {
        size_t n = strcspn(s, "\n");
        bool more = s[n] == '\n';
        s[n] = 0;
        rc = names_contact_put(o->names, s, name);
        s += n + more;
    }
    fmt_skip(sink, *name ? "name of a person" : "card without a name", c->no);
    clear(c);
    c->open = false;
    return rc ? err_nomem(err) : 0;
}

static int line(struct card *c, const struct contentline *l, const struct format_opts *o,
                const struct piece_sink *sink, struct err *err)
{
    bool begin = !strcmp(l->name, "BEGIN"), end = !strcmp(l->name, "END");
    if ((begin || end) && span_ieq(span_trim(l->value), "VCARD")) {
        if (end) return c->open ? card_end(c, o, sink, err) : 0;
        if (c->open) fmt_skip(sink, "broken card", c->no);
        clear(c);
        c->open = true;
        c->no = l->no;
    }
    if (!strcmp(l->name, "FN") && !c->full.n) contentline_text(l, &c->full);
    else if (!strcmp(l->name, "N") && !c->name.n) name_of(l, &c->name);
    else if (!strcmp(l->name, "NICKNAME") && !c->nick.n) contentline_text(l, &c->nick);
    else if (!strcmp(l->name, "ORG") && !c->org.n) contentline_part(l, 0, &c->org);
    else if (!strcmp(l->name, "TEL") || !strcmp(l->name, "EMAIL")) address(l, &c->addresses);
    return 0;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct contentline l;
    struct card c = { .full = BUF_INIT(4096),
                      .name = BUF_INIT(4096),
                      .nick = BUF_INIT(4096),
                      .org = BUF_INIT(4096),
                      .addresses = BUF_INIT(ADDRESSES) };
    int rc = contentline_init(&l, in, sink, err);
    while (!rc && (rc = contentline_next(&l, err)) > 0) rc = line(&c, &l, o, sink, err);
    if (!rc && c.open) fmt_skip(sink, "broken card", c.no);
    contentline_free(&l);
    struct buf *all[] = { &c.full, &c.name, &c.nick, &c.org, &c.addresses };
    for (size_t i = 0; i < 5; i++) buf_free(all[i]);
    return rc;
}

const struct format format_vcard = {
    .name = "vcard",
    .help = "an address book (vCard): whose the numbers and addresses in chats are",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
