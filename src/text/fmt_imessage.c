/* Apple Messages. The database itself is read by media/imessage.c, in a process that is locked in;
 * here are the lines that come back, which say it all. A chat is called what its people called it,
 * else after them, by their numbers or, where an address book is at hand, their names. */
#include "text/fmt_export.h"
#include "text/names.h"

#include "base/str.h"

#include <string.h>

static int score(const struct format_in *in)
{
    return in->head_n >= 16 && !memcmp(in->head, "SQLite format 3", 16) ? 97 : 0;
}

static void add_person(const struct names *n, struct span who, struct buf *out)
{
    char address[256];
    struct piece p = fmt_piece(PIECE_CHAT);
    who = span_trim(who);
    if (!who.n) return;
    snprintf(address, sizeof address, "%.*s", (int)(who.n < 255 ? who.n : 255), who.p);
    p.author = address;
    const char *name = names_author(n, &p);
    if (out->n) buf_adds(out, ", ");
    if (name) buf_adds(out, name);
    else buf_add(out, who.p, who.n);
}

static void chat(struct export *x, const json_t *m)
{
    struct buf id = BUF_INIT(8192), people = BUF_INIT(65536);
    export_str(json_object_get(m, "i"), &id);
    export_str(json_object_get(m, "c"), &x->thread);
    if (x->thread.n) {
        if (id.n) buf_printf(&x->thread, " (%s)", buf_str(&id));
    } else {
        export_str(json_object_get(m, "p"), &people);
        if (!people.n) buf_add(&people, buf_str(&id), id.n);
        for (const char *p = buf_str(&people); *p;) {
            size_t n = strcspn(p, ",");
            add_person(x->o->names, (struct span){ p, n }, &x->thread);
            p += n + (p[n] == ',');
        }
    }
    if (!x->thread.n) buf_adds(&x->thread, "Messages");
    buf_free(&id);
    buf_free(&people);
}

static int message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(8192), reply = BUF_INIT(8192);
    const json_t *skip = json_object_get(m, "skip");
    if (skip) {
        const char *why = export_str(skip, &x->text);
        fmt_skip(x->sink, *why ? why : "system line", where);
        return 0;
    }
    bool mine = json_is_true(json_object_get(m, "m"));
    export_str(json_object_get(m, "x"), &x->text);
    export_str(json_object_get(m, "h"), &x->author);
    export_str(json_object_get(m, "h"), &x->id);
    if (!mine && !x->author.n) buf_adds(&x->author, "?");
    chat(x, m);
    int rc = export_piece(x, PIECE_CHAT, &p, err);
    if (!rc) {
        const json_t *t = json_object_get(m, "t");
        if (json_is_integer(t)) p.written_at = json_integer_value(t);
        p.id = export_str(json_object_get(m, "g"), &id);
        p.reply_to = export_str(json_object_get(m, "r"), &reply);
        p.sent_by_owner = mine;
        rc = fmt_emit(x->o, x->sink, &p, where, err);
    }
    buf_free(&id);
    buf_free(&reply);
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct line ln;
    struct export *x = export_new(in, o, sink, err);
    struct lines *l = x ? lines_new_charset(in, "UTF-8", sink, err) : NULL;
    int rc = l ? 0 : x ? ERR_PARSE : ERR_NOMEM;
    while (!rc && (rc = lines_next(l, &ln, err)) > 0) {
        json_t *v = json_of(ln.s, ln.n);
        rc = 0;
        if (json_is_object(v)) rc = message(x, v, ln.no, err);
        else fmt_skip(sink, "broken message", ln.no);
        json_decref(v);
    }
    lines_free(l);
    export_free(x);
    return rc;
}

const struct format format_imessage = {
    .name = "imessage",
    .help = "chat.db of Apple Messages, or sms.db of a phone's backup",
    .has_authors = 1,
    .packed = FORMAT_DOCUMENT,
    .score = score,
    .parse = parse,
};
