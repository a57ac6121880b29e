/* WhatsApp's text exports ("Export chat").
 *
 * Two passes over the file. The first reads only the prefixes of the lines and settles the order of
 * day and month: a number above 12 decides; else the order in which the dates of the file do not
 * run backwards, since an export is in order of time; else what the caller says; else day first.
 * The second makes pieces: a line with a prefix opens a message, other lines continue it.
 *
 * Times are those of the telephone that exported, without a zone: opts->tz_offset makes them
 * UTC. */
#include "base/str.h"
#include "text/date.h"
#include "text/fmt.h"
#include "text/whatsapp.h"

#include <stdlib.h>
#include <string.h>

struct chat {
    struct format_in *in;
    const struct format_opts *o;
    const struct piece_sink *sink;
    int day_first;
    struct buf thread;

    bool open;     /* a message is being gathered */
    bool system;   /* it is one of WhatsApp's own */
    bool marked;   /* U+200E stood before its text */
    bool cut;      /* FORMAT_PIECE_MAX was passed */
    uint64_t line; /* where it begins */
    int64_t when;
    struct buf name, text;
};

/* ---- first pass ---- */

struct order {
    struct date_order seen;
    uint64_t prefixes;
    uint64_t back[2]; /* times that the clock ran backwards: month first, day first */
    int64_t last[2];
};

static void order_see(struct order *d, const struct wa_stamp *t)
{
    d->prefixes++;
    if (t->year_first || t->dotted) return;
    date_order_see(&d->seen, t->a, t->b);
    for (int first = 0; first < 2; first++) {
        int64_t at = wa_time(t, first);
        if (at == CLOCK_NONE) continue;
        if (d->last[first] != CLOCK_NONE && at + 86400 < d->last[first]) d->back[first]++;
        d->last[first] = at;
    }
}

static int order_settle(const struct order *d, const struct format_opts *o)
{
    int first = date_order_day_first(&d->seen);
    if (first >= 0) return first;
    if (d->back[0] != d->back[1]) return d->back[1] < d->back[0];
    return o->day_first >= 0 ? o->day_first : 1;
}

static int first_pass(struct chat *c, struct err *err)
{
    struct order d = { .last = { CLOCK_NONE, CLOCK_NONE } };
    struct wa_stamp t;
    struct line ln;
    int rc;
    struct lines *l = lines_new(c->in, NULL, err);
    if (!l) return err ? err->code : ERR_PARSE;
    while ((rc = lines_next(l, &ln, err)) > 0)
        if (wa_prefix((struct span){ ln.s, ln.n }, &t)) order_see(&d, &t);
    lines_free(l);
    if (rc < 0) return rc;
    if (!d.prefixes)
        return err_set(
            err, ERR_PARSE,
            "%s: no line begins with a date and time as in a WhatsApp export (looked from "
            "line 1 to the end): export the chat again as text, or choose another format "
            "with --as",
            c->in->name);
    c->day_first = order_settle(&d, c->o);
    if (fseeko(c->in->f, 0, SEEK_SET)) return err_errno(err, "cannot read %s again", c->in->name);
    return 0;
}

/* ---- second pass ---- */

static int emit(struct chat *c, struct err *err)
{
    char phone[32] = "";
    struct buf text = BUF_INIT(0);
    int rc = 0;
    wa_unmark(&text, (struct span){ buf_str(&c->text), c->text.n });
    struct piece p = fmt_piece(PIECE_CHAT);
    p.text = buf_str(&text);
    p.author = buf_str(&c->name);
    p.author_id = wa_phone((struct span){ buf_str(&c->name), c->name.n }, phone) ? phone : "";
    p.thread = buf_str(&c->thread);
    p.written_at = c->when == CLOCK_NONE ? CLOCK_NONE : c->when - c->o->tz_offset;
    if (text.failed) rc = err_nomem(err);
    else if (span_trim(span_of(p.text)).n) rc = fmt_emit(c->o, c->sink, &p, c->line, err);
    buf_free(&text);
    return rc;
}

/* The gathered message is whole: hand it over, or say why not. */
static int finish(struct chat *c, struct err *err)
{
    int rc = 0;
    if (!c->open) return 0;
    c->open = false;
    if (c->cut) fmt_skip(c->sink, "rest of an over-long text", c->line);
    if (c->text.failed == ERR_NOMEM || c->name.failed) return err_nomem(err);
    struct span body = { buf_str(&c->text), c->text.n };
    enum wa_kind kind = wa_kind_of(body, c->marked || c->system);
    if (kind == WA_DELETED) fmt_skip(c->sink, "deleted message", c->line);
    else if (kind == WA_MISSED) fmt_skip(c->sink, "missed call", c->line);
    else if (kind == WA_SYSTEM || c->system) fmt_skip(c->sink, "system line", c->line);
    else if (kind == WA_MEDIA || !span_trim(body).n) fmt_skip(c->sink, "media", c->line);
    else {
        if (wa_strip(&c->text)) fmt_skip(c->sink, "media", c->line);
        rc = emit(c, err);
    }
    return rc;
}

/* "Name: text"; the name ends at the first ": ", or at a ":" that ends the line. */
static bool split_name(struct span s, struct span *name, struct span *text)
{
    const char *colon = s.n ? memmem(s.p, s.n, ": ", 2) : NULL;
    if (!colon && s.n && s.n < 200 && s.p[s.n - 1] == ':') colon = s.p + s.n - 1;
    if (!colon) return false;
    *name = span_trim((struct span){ s.p, (size_t)(colon - s.p) });
    *text = (struct span){ colon + 1, s.n - (size_t)(colon + 1 - s.p) };
    if (text->n) text->p++, text->n--;
    return name->n > 0 && name->n <= 400 && !wa_system_name(*name);
}

static void begin(struct chat *c, const struct line *ln, size_t prefix, const struct wa_stamp *t)
{
    struct span rest = { ln->s + prefix, ln->n - prefix }, name, text;
    bool nameless_mark;
    size_t skip = wa_blank(rest, &nameless_mark);
    buf_clear(&c->name);
    buf_clear(&c->text);
    c->open = true;
    c->cut = ln->dropped > 0;
    c->line = ln->no;
    c->when = wa_time(t, c->day_first);
    c->system = !split_name(rest, &name, &text);
    c->marked = nameless_mark;
    if (c->system) {
        buf_add(&c->text, rest.p + skip, rest.n - skip);
        return;
    }
    wa_unmark(&c->name, name);
    struct span bare = span_trim((struct span){ buf_str(&c->name), c->name.n });
    if (bare.n > 1 && *bare.p == '~') { /* "~ Anna": not in the owner's contacts */
        bare = span_trim((struct span){ bare.p + 1, bare.n - 1 });
        memmove(c->name.p, bare.p, bare.n);
        c->name.p[c->name.n = bare.n] = 0;
    }
    wa_blank(text, &c->marked);
    buf_add(&c->text, text.p, text.n);
}

static void go_on(struct chat *c, const struct line *ln)
{
    c->cut = c->cut || ln->dropped;
    if (c->cut && c->text.n + ln->n + 1 > FORMAT_PIECE_MAX) return;
    if (c->text.n + ln->n + 1 > FORMAT_PIECE_MAX) {
        c->cut = true;
        return;
    }
    buf_addc(&c->text, '\n');
    buf_add(&c->text, ln->s, ln->n);
}

static int second_pass(struct chat *c, struct err *err)
{
    struct wa_stamp t;
    struct line ln;
    int rc, done = 0;
    bool told = false;
    struct lines *l = lines_new(c->in, c->sink, err);
    if (!l) return err ? err->code : ERR_PARSE;
    while ((rc = lines_next(l, &ln, err)) > 0) {
        size_t prefix = wa_prefix((struct span){ ln.s, ln.n }, &t);
        if (prefix && wa_time(&t, c->day_first) == CLOCK_NONE) prefix = 0;
        if (prefix) {
            if ((done = finish(c, err))) break;
            begin(c, &ln, prefix, &t);
        } else if (c->open) {
            go_on(c, &ln);
        } else if (!told && span_trim((struct span){ ln.s, ln.n }).n) {
            fmt_skip(c->sink, "system line", ln.no);
            told = true;
        }
    }
    lines_free(l);
    if (done || rc < 0) return done ? done : rc;
    return finish(c, err);
}

/* The chat's name is in the file's name, or, for "_chat.txt", in the folder's. */
static void put_thread(struct chat *c)
{
    struct buf stem = BUF_INIT(0);
    struct span s, name;
    fmt_stem(c->in, &stem);
    s = (struct span){ buf_str(&stem), stem.n };
    if (str_starts(buf_str(&stem), "_chat")) {
        const char *path = c->in->path ? c->in->path : "", *slash = strrchr(path, '/');
        s.n = 0;
        if (slash && slash > path) {
            const char *up = memrchr(path, '/', (size_t)(slash - path));
            up = up ? up + 1 : path;
            s = span_trim((struct span){ up, (size_t)(slash - up) });
            if (s.n > 4 && span_ieq((struct span){ s.p + s.n - 4, 4 }, ".zip")) s.n -= 4;
        }
        if (span_eq(s, ".") || span_eq(s, "..")) s.n = 0;
    }
    if (wa_chat_name(s, &name)) s = name;
    if (!s.n || (c->in->path && !strcmp(c->in->path, "-"))) s = span_of("WhatsApp chat");
    utf8_clean(&c->thread, s.p, s.n);
    buf_free(&stem);
}

static int whatsapp_parse(struct format_in *in, const struct format_opts *o,
                          const struct piece_sink *sink, struct err *err)
{
    struct err own = { 0 };
    struct chat c = { .in = in, .o = o, .sink = sink };
    c.text.max = FORMAT_PIECE_MAX + 1;
    put_thread(&c);
    if (!err) err = &own;
    int rc = c.thread.failed ? err_nomem(err) : first_pass(&c, err);
    if (!rc) rc = second_pass(&c, err);
    buf_free(&c.thread);
    buf_free(&c.name);
    buf_free(&c.text);
    return rc;
}

/* Sure when the first line that is not blank has the prefix, and a name follows somewhere. */
static int whatsapp_score(const struct format_in *in)
{
    struct buf head = BUF_INIT(0);
    struct wa_stamp t;
    int lines = 0, prefixes = 0, named = 0;
    bool first = false;
    fmt_head_utf8(in, &head);
    for (size_t at = 0; at < head.n && lines < 200;) {
        const char *p = head.p + at, *e = memchr(p, '\n', head.n - at);
        struct span l = { p, e ? (size_t)(e - p) : head.n - at }, name, text;
        at += l.n + 1;
        if (!span_trim(l).n) continue;
        size_t k = wa_prefix(l, &t);
        first = first || (!lines && k);
        lines++;
        prefixes += k > 0;
        named += k && split_name((struct span){ l.p + k, l.n - k }, &name, &text);
    }
    buf_free(&head);
    bool file = strcasestr(in->name, "whatsapp") || str_starts(in->name, "_chat");
    if (!prefixes || (!named && !file)) return 0;
    return first ? 90 + (file ? 9 : 0) : file ? 80 : 2 * prefixes >= lines ? 60 : 10;
}

const struct format format_whatsapp = {
    .name = "whatsapp",
    .help = "WhatsApp chat, exported as text (Android or iOS)",
    .has_authors = 1,
    .score = whatsapp_score,
    .parse = whatsapp_parse,
};
