/* Matrix: a room that Element exported as JSON.
 *
 * {"room_name", "room_creator", "topic", "export_date", "exported_by", "messages": [event, ...]}.
 * Events are those of the client-server API (spec.matrix.org, "m.room.message"): {"type", "sender":
 * "@ann:example.org", "event_id", "origin_server_ts", "content": {"msgtype", "body",
 * "m.relates_to"}}.
 *
 * Events say who wrote by id alone; display names stand in m.room.member events, wherever they are,
 * so the list is walked twice. The first walk also finds edits (rel_type m.replace, or bundled in
 * unsigned) and redactions: a message is handed over once, where it was first said, with its newest
 * text. Replies carry the line they answer as "> <@bo:example.org> ..." before their own words. */
#include "text/fmt_export.h"
#include "text/names.h"

#include "base/str.h"

#include <string.h>

static int score(const struct format_in *in)
{
    if (export_first(in) != '{') return 0;
    return export_has(in, "\"room_name\" \"room_creator\" \"export_date\"") ? 97 : 0;
}

/* Keys of Matrix hold dots, which paths do not. */
static const json_t *relates(const json_t *content)
{
    return json_object_get(content, "m.relates_to");
}

static bool is_a(const json_t *e, const char *key, const char *what)
{
    const char *s = json_string_value(json_object_get(e, key));
    return s && !strcmp(s, what);
}

/* ---- first walk: names, edits, redactions ---- */

static int learn_put(struct names *n, const char *kind, const json_t *id, struct buf *name,
                     struct err *err)
{
    struct buf key = BUF_INIT(4096);
    export_str(id, &key);
    int rc = names_put(n, kind, buf_str(&key), buf_str(name));
    buf_free(&key);
    return rc ? err_nomem(err) : 0;
}

static int learn(struct export *x, const json_t *e, uint64_t where, struct err *err)
{
    struct names *n = x->ud;
    const json_t *content = json_object_get(e, "content"), *rel = relates(content);
    if (is_a(e, "type", "m.room.member")) {
        export_str(json_object_get(content, "displayname"), &x->text);
        return learn_put(n, "member", json_object_get(e, "state_key"), &x->text, err);
    }
    if (is_a(e, "type", "m.room.redaction")) {
        const json_t *id = json_object_get(e, "redacts");
        buf_clear(&x->text);
        buf_adds(&x->text, "1");
        return learn_put(n, "redacted", id ? id : json_object_get(content, "redacts"), &x->text,
                         err);
    }
    if (!is_a(rel, "rel_type", "m.replace")) return 0;
    export_str(json_object_get(json_object_get(content, "m.new_content"), "body"), &x->text);
    return learn_put(n, "edit", json_object_get(rel, "event_id"), &x->text, err);
}

/* ---- second walk ---- */

static int begin(struct export *x, struct err *err)
{
    export_str(json_object_get(x->head, "room_name"), &x->thread);
    if (!x->thread.n) buf_adds(&x->thread, "Matrix room");
    return x->thread.failed ? err_nomem(err) : 0;
}

/* "> <@bo:example.org> What he said\n> and more\n\nAn answer": the quotation to quoted. */
static void split_reply(const char *s, struct buf *text, struct buf *quoted)
{
    bool first = true;
    while (str_starts(s, "> ") || (*s == '>' && (s[1] == '\n' || !s[1]))) {
        size_t n = strcspn(s, "\n");
        struct span line = { s + 1, n - 1 };
        if (line.n && *line.p == ' ') line.p++, line.n--;
        const char *close = first ? memchr(line.p, '>', line.n) : NULL;
        size_t emote = first && line.n > 2 && !memcmp(line.p, "* ", 2) ? 2 : 0;
        if (close && line.n > emote && line.p[emote] == '<') {
            line.n -= (size_t)(close - line.p) + 1;
            line.p = close + 1;
            line = span_trim(line);
        }
        if (quoted->n) buf_addc(quoted, '\n');
        buf_add(quoted, line.p, line.n);
        first = false;
        s += n + (s[n] == '\n');
    }
    while (!first && *s == '\n') s++;
    buf_adds(text, s);
}

/* Why this is no message that somebody wrote; NULL when it is one. */
static const char *no_message(const struct names *n, const json_t *e)
{
    static const char *const said[] = { "m.text", "m.notice", "m.emote", NULL };
    const json_t *content = json_object_get(e, "content");
    const json_t *file = json_object_get(content, "filename"),
                 *body = json_object_get(content, "body");
    const char *id = json_string_value(json_object_get(e, "event_id"));
    if (is_a(e, "type", "m.room.encrypted") || is_a(content, "msgtype", "m.bad.encrypted"))
        return "encrypted message";
    if (is_a(e, "type", "m.reaction")) return "reaction";
    if (is_a(e, "type", "m.sticker")) return "media";
    if (!is_a(e, "type", "m.room.message")) return "system line";
    if (is_a(relates(content), "rel_type", "m.replace")) return "edit";
    if (!json_object_size(content) || json_object_get(e, "redacted_because") ||
        export_at(e, "unsigned.redacted_because") || names_get(n, "redacted", id))
        return "deleted message";
    for (size_t i = 0; said[i]; i++)
        if (is_a(content, "msgtype", said[i])) return NULL;
    bool caption = json_is_string(file) && json_is_string(body) && !json_equal(file, body);
    return caption ? NULL : "media"; /* the body of a file is its name, unless it says otherwise */
}

static void newest_text(struct export *x, const json_t *e, struct buf *out)
{
    const json_t *bundled = json_object_get(export_at(e, "unsigned"), "m.relations");
    bundled = json_object_get(json_object_get(bundled, "m.replace"), "content");
    bundled = json_object_get(json_object_get(bundled, "m.new_content"), "body");
    const char *edit = names_get(x->ud, "edit", json_string_value(json_object_get(e, "event_id")));
    export_str(bundled ? bundled : json_object_get(json_object_get(e, "content"), "body"), out);
    if (!edit) return;
    buf_clear(out);
    buf_adds(out, edit);
}

static int message(struct export *x, const json_t *e, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX), id = BUF_INIT(4096), reply = BUF_INIT(4096);
    const char *why = no_message(x->ud, e);
    int rc = 0;
    if (why) {
        fmt_skip(x->sink, why, where);
        return 0;
    }
    buf_clear(&x->text);
    buf_clear(&x->quoted);
    newest_text(x, e, &raw);
    const json_t *answers =
        json_object_get(relates(json_object_get(e, "content")), "m.in_reply_to");
    if (answers) split_reply(buf_str(&raw), &x->text, &x->quoted);
    else buf_adds(&x->text, buf_str(&raw));
    const char *sender = export_str(json_object_get(e, "sender"), &x->id);
    const char *name = names_get(x->ud, "member", sender);
    buf_clear(&x->author);
    buf_adds(&x->author, name ? name : sender);
    if ((rc = export_piece(x, PIECE_CHAT, &p, err))) goto out;
    p.written_at = export_time(x, json_object_get(e, "origin_server_ts"));
    p.id = export_str(json_object_get(e, "event_id"), &id);
    p.reply_to = export_str(json_object_get(answers, "event_id"), &reply);
    const char *owner = json_string_value(json_object_get(x->head, "exported_by"));
    p.sent_by_owner = owner && (!strcmp(owner, p.author) || !strcmp(owner, p.author_id));
    rc = fmt_emit(x->o, x->sink, &p, where, err);
out:
    buf_free(&raw);
    buf_free(&id);
    buf_free(&reply);
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    static const struct piece_sink nobody = { 0 };
    struct names *n = names_new();
    struct export *first = n ? export_new(in, o, &nobody, err) : NULL;
    struct export *x = first ? export_new(in, o, sink, err) : NULL;
    int rc = x ? 0 : err_nomem(err);
    if (x) first->ud = x->ud = n;
    if (!rc) rc = export_walk(first, "messages", learn, NULL, err);
    rewind(in->f);
    if (!rc) rc = export_walk(x, "messages", message, begin, err);
    export_free(first);
    export_free(x);
    names_free(n);
    return rc;
}

const struct format format_matrix = {
    .name = "matrix",
    .help = "a Matrix room that Element exported as JSON",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
