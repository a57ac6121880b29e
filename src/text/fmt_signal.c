/* Signal, in three shapes; its own export as JSON is read by fmt_signal_backup.c.
 *
 * What signal-export (github.com/carderne/signal-export) writes as CHAT/data.json: a line for each
 * message, {"date": "2021-05-01T10:00:00", "sender": "Me", "body": "text  ", "quote": "\n\n>
 * words\n\n", "sticker", "reactions": [["Bo", "+1"]], "attachments", "deleted", "call"}. Times are
 * local, without a zone; "Me" is the owner; two blanks end each body.
 *
 * Rows of the desktop program's decrypted database as JSON, alone or under "messages", perhaps with
 * "conversations" beside them: {"conversationId", "type": "incoming", "sent_at" (milliseconds),
 * "body", "source" (number), "sourceServiceId" or "sourceUuid", "quote": {"id" (sent_at of what is
 * quoted), "text"}, "bodyRanges", "deletedForEveryone"}. Mentions are U+FFFC in the body, named in
 * bodyRanges. The newest text of an edited message is its body. */
#include "text/fmt_signal.h"
#include "text/names.h"

#include "base/str.h"

#include <string.h>

static bool is_lines(const struct format_in *in)
{
    return export_has(in, "\"date\" \"sender\" \"body\" \"quote\" \"reactions\" \"attachments\"");
}

static int score(const struct format_in *in)
{
    char first = export_first(in);
    if (first != '{' && first != '[') return 0;
    if (signal_backup_is(in)) return 97;
    if (export_has(in, "\"conversationId\" \"sent_at\"")) return 96;
    return is_lines(in) ? 94 : 0;
}

static bool flag(const json_t *m, const char *key)
{
    const json_t *v = json_object_get(m, key);
    return json_is_true(v) || (json_is_integer(v) && json_integer_value(v));
}

/* ---- signal-export ---- */

/* The folder is the chat. */
static int line_begin(struct export *x, struct err *err)
{
    const char *slash = strrchr(x->in->path, '/'), *from = slash;
    while (from && from > x->in->path && from[-1] != '/') from--;
    if (from && slash > from) utf8_clean(&x->thread, from, (size_t)(slash - from));
    else buf_adds(&x->thread, "Signal");
    return x->thread.failed ? err_nomem(err) : 0;
}

static void unquote(const char *s, struct buf *out)
{
    while (*s) {
        size_t n = strcspn(s, "\n");
        struct span line = span_trim((struct span){ s, n });
        if (line.n && *line.p == '>') line = span_trim((struct span){ line.p + 1, line.n - 1 });
        if (line.n && out->n) buf_addc(out, '\n');
        if (line.n) buf_add(out, line.p, line.n);
        s += n + (s[n] == '\n');
    }
}

static int line_message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX);
    struct span body = span_trim(span_of(export_str(json_object_get(m, "body"), &raw)));
    buf_clear(&x->text);
    buf_clear(&x->quoted);
    buf_add(&x->text, body.p, body.n);
    unquote(export_str(json_object_get(m, "quote"), &raw), &x->quoted);
    buf_free(&raw);
    const char *why = flag(m, "deleted") ? "deleted message"
                      : flag(m, "call")  ? "system line"
                                         : NULL;
    if (!why && !x->text.n) {
        const json_t *sticker = json_object_get(m, "sticker");
        bool media = json_array_size(json_object_get(m, "attachments")) ||
                     json_object_size(sticker) || json_string_length(sticker);
        why = media ? "media" : "empty message";
    }
    if (why) {
        fmt_skip(x->sink, why, where);
        return 0;
    }
    const char *sender = export_str(json_object_get(m, "sender"), &x->author);
    bool me = !strcmp(sender, "Me");
    if (me || !strcmp(sender, "No-Sender")) buf_clear(&x->author);
    if (!me && !x->author.n) buf_adds(&x->author, "?");
    int rc = export_piece(x, PIECE_CHAT, &p, err);
    if (rc) return rc;
    p.written_at = export_time(x, json_object_get(m, "date"));
    p.sent_by_owner = me;
    return fmt_emit(x->o, x->sink, &p, where, err);
}

static int parse_lines(struct export *x, struct err *err)
{
    struct line ln;
    struct lines *l = lines_new_charset(x->in, "UTF-8", x->sink, err);
    int rc = l ? line_begin(x, err) : ERR_PARSE;
    uint64_t good = 0;
    while (!rc && (rc = lines_next(l, &ln, err)) > 0) {
        json_t *v = json_of(ln.s, ln.n);
        rc = 0;
        if (json_is_object(v)) {
            rc = line_message(x, v, ln.no, err);
            good++;
        } else if (span_trim((struct span){ ln.s, ln.n }).n) {
            fmt_skip(x->sink, "broken message", ln.no);
        }
        json_decref(v);
    }
    lines_free(l);
    if (!rc && !good)
        rc = err_set(err, ERR_PARSE, "%s has no line that is a message: export it again",
                     x->in->name);
    return rc;
}

/* ---- rows of the database ---- */

static int row_begin(struct export *x, struct err *err)
{
    static const char *const keys[] = { "name", "profileFullName", "profileName", "e164" };
    static const char *const ids[] = { "id", "serviceId", "uuid", "e164" };
    size_t i;
    json_t *c;
    int rc = 0;
    json_array_foreach(json_object_get(x->head, "conversations"), i, c)
    {
        buf_clear(&x->author);
        for (size_t k = 0; k < 4 && !x->author.n; k++)
            export_str(json_object_get(c, keys[k]), &x->author);
        for (size_t k = 0; k < 4 && !rc; k++)
            rc = names_put(x->ud, "signal", export_str(json_object_get(c, ids[k]), &x->id),
                           buf_str(&x->author));
        const char *type = json_string_value(json_object_get(c, "type"));
        export_str(json_object_get(c, "id"), &x->id);
        if (!rc && type && !strcmp(type, "private"))
            rc = names_put(x->ud, "private", buf_str(&x->id), "1");
    }
    return rc ? err_nomem(err) : 0;
}

/* The body, with what was mentioned in place of the marks for it. */
static void with_mentions(const json_t *m, const char *s, struct buf *out)
{
    const json_t *ranges = json_object_get(m, "bodyRanges");
    size_t next = 0;
    for (const char *end = s + strlen(s); s < end;) {
        const char *was = s, *name = NULL;
        if (utf8_next(&s, end) == 0xFFFC)
            while (!name && next < json_array_size(ranges))
                name = json_string_value(
                    json_object_get(json_array_get(ranges, next++), "replacementText"));
        if (name) {
            buf_addc(out, '@');
            utf8_clean(out, name, strlen(name));
        } else {
            buf_add(out, was, (size_t)(s - was));
        }
    }
}

static void row_people(struct export *x, const json_t *m, bool mine)
{
    struct buf conv = BUF_INIT(256);
    const char *id = export_str(json_object_get(m, "conversationId"), &conv);
    const char *chat = names_get(x->ud, "signal", id), *name = NULL;
    static const char *const keys[] = { "source", "sourceServiceId", "sourceUuid" };
    buf_clear(&x->thread);
    buf_clear(&x->author);
    buf_clear(&x->id);
    buf_printf(&x->thread, "%s (%.8s)", chat ? chat : "Signal", id);
    for (size_t k = 0; k < 3 && !mine && !x->id.n; k++)
        export_str(json_object_get(m, keys[k]), &x->id);
    for (size_t k = 0; k < 3 && !mine && !name; k++)
        name = names_get(x->ud, "signal", json_string_value(json_object_get(m, keys[k])));
    if (!mine && !name && names_get(x->ud, "private", id)) name = chat;
    if (!mine) buf_adds(&x->author, name ? name : x->id.n ? buf_str(&x->id) : "?");
    buf_free(&conv);
}

static const char *row_why_not(const struct export *x, const json_t *m)
{
    const char *type = json_string_value(json_object_get(m, "type"));
    if (!type || (strcmp(type, "incoming") != 0 && strcmp(type, "outgoing") != 0))
        return "system line";
    if (flag(m, "deletedForEveryone") || flag(m, "isErased")) return "deleted message";
    if (x->text.n) return NULL;
    bool media = flag(m, "hasAttachments") || json_array_size(json_object_get(m, "attachments")) ||
                 json_object_size(json_object_get(m, "sticker"));
    return media ? "media" : "empty message";
}

static int row(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX), id = BUF_INIT(64), reply = BUF_INIT(64);
    int rc = 0;
    buf_clear(&x->text);
    with_mentions(m, export_str(json_object_get(m, "body"), &raw), &x->text);
    export_str(export_at(m, "quote.text"), &x->quoted);
    const char *why = row_why_not(x, m), *type = json_string_value(json_object_get(m, "type"));
    if (why) {
        fmt_skip(x->sink, why, where);
        goto out;
    }
    bool mine = !strcmp(type, "outgoing");
    row_people(x, m, mine);
    if ((rc = export_piece(x, PIECE_CHAT, &p, err))) goto out;
    p.written_at = export_time(x, json_object_get(m, "sent_at"));
    p.id = export_str(json_object_get(m, "sent_at"), &id);
    p.reply_to = export_str(export_at(m, "quote.id"), &reply);
    p.sent_by_owner = mine;
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
    struct export *x = export_new(in, o, sink, err);
    struct names *n = x ? names_new() : NULL;
    bool rows = export_has(in, "\"conversationId\" \"sent_at\""), list = export_first(in) == '[';
    const char *key = export_has(in, "\"messsages\"") ? "messsages" : "messages"; /* sic */
    int rc = n ? 0 : err_nomem(err);
    if (!rc) x->ud = n;
    if (!rc && signal_backup_is(in)) rc = signal_backup_parse(x, err);
    else if (!rc && rows) rc = export_walk(x, list ? NULL : key, row, row_begin, err);
    else if (!rc && list) rc = export_walk(x, NULL, line_message, line_begin, err);
    else if (!rc) rc = parse_lines(x, err);
    export_free(x);
    names_free(n);
    return rc;
}

const struct format format_signal = {
    .name = "signal",
    .help =
        "Signal: its own export (main.jsonl), signal-export's data.json, or rows of the database",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
