/* Discord, in two shapes.
 *
 * As DiscordChatExporter writes it in JSON: one channel or direct message a file.
 *
 * {"guild": {"name"}, "channel": {"id", "type", "name", "category"}, "messages": [{"id", "type",
 * "timestamp", "content", "author": {"id", "name", "nickname", "isBot"}, "reference":
 * {"messageId"}, "attachments", "embeds", "stickers", "reactions", "forwardedMessage"}]}. Mentions
 * are names already, times carry their zone. Types other than Default and Reply are the program's
 * own lines (joins, calls, pins). What was forwarded is somebody else's and becomes `quoted`.
 *
 * The package that Discord itself sends ("Request all of my data"): what the owner wrote, and
 * nobody else. A folder c123 for each channel below messages/ (Messages/ since 2025), in it
 * messages.json, [{"ID": 1, "Timestamp": "2018-07-19 23:09:04", "Contents", "Attachments"}], until
 * 2024 messages.csv with the same columns, and channel.json, {"id", "type", "name", "guild":
 * {"name"}}; messages/index.json is {"123": "general in A Guild"}. Times are UTC. */
#include "text/fmt_csv.h"
#include "text/fmt_export.h"
#include "text/names.h"

#include "base/str.h"

#include <string.h>

enum shape { NOT_MINE, EXPORTER, PACKAGE_JSON, PACKAGE_CSV, PACKAGE_CHANNEL, PACKAGE_INDEX };

/* {"123456789012345678": "general in A Guild", ...} */
static bool is_index(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    size_t n = 0;
    if (strcmp(in->name, "index.json") != 0 || !s.n || *s.p != '{') return false;
    s = span_trim((struct span){ s.p + 1, s.n - 1 });
    if (s.n < 20 || *s.p != '"') return false;
    while (n + 1 < s.n && s.p[n + 1] >= '0' && s.p[n + 1] <= '9') n++;
    return n >= 15 && n <= 20 && s.p[n + 1] == '"';
}

static enum shape shape_of(const struct format_in *in)
{
    static const char csv[] = "ID,Timestamp,Contents";
    char first = export_first(in);
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    if (s.n >= sizeof csv && !memcmp(s.p, csv, sizeof csv - 1)) return PACKAGE_CSV;
    if (first == '[' && export_has(in, "\"ID\" \"Timestamp\" \"Contents\"")) return PACKAGE_JSON;
    if (first != '{') return NOT_MINE;
    if (export_has(in, "\"guild\" \"channel\" \"messages\"")) return EXPORTER;
    if (export_has(in, "\"guild\" \"channel\" \"dateRange\"")) return EXPORTER;
    if (!strcmp(in->name, "channel.json") && export_has(in, "\"id\" \"type\""))
        return PACKAGE_CHANNEL;
    return is_index(in) ? PACKAGE_INDEX : NOT_MINE;
}

static int score(const struct format_in *in) { return shape_of(in) ? 96 : 0; }

/* ---- DiscordChatExporter ---- */

static int begin(struct export *x, struct err *err)
{
    struct buf b = BUF_INIT(4096);
    const json_t *channel = json_object_get(x->head, "channel");
    const char *guild = export_str(export_at(x->head, "guild.name"), &b);
    if (*guild && strcmp(guild, "Direct Messages") != 0) buf_printf(&x->thread, "%s / ", guild);
    export_str(json_object_get(channel, "name"), &b);
    buf_adds(&x->thread, b.n ? buf_str(&b) : "Discord");
    export_str(json_object_get(channel, "id"), &b);
    if (b.n) buf_printf(&x->thread, " (%s)", buf_str(&b));
    buf_free(&b);
    return x->thread.failed ? err_nomem(err) : 0;
}

static bool is_system(const json_t *m)
{
    const char *type = json_string_value(json_object_get(m, "type"));
    return type && strcmp(type, "Default") != 0 && strcmp(type, "Reply") != 0 &&
           strcmp(type, "19") != 0 && strcmp(type, "0") != 0;
}

static int message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(256), reply = BUF_INIT(256);
    int rc = 0;
    if (is_system(m)) {
        fmt_skip(x->sink, "system line", where);
        return 0;
    }
    export_str(json_object_get(m, "content"), &x->text);
    export_str(export_at(m, "forwardedMessage.content"), &x->quoted);
    if (!x->text.n && !x->quoted.n) {
        bool media = json_array_size(json_object_get(m, "attachments")) ||
                     json_array_size(json_object_get(m, "stickers")) ||
                     json_array_size(json_object_get(m, "embeds"));
        fmt_skip(x->sink, media ? "media" : "empty message", where);
        goto out;
    }
    const json_t *author = json_object_get(m, "author");
    if (!*export_str(json_object_get(author, "nickname"), &x->author))
        export_str(json_object_get(author, "name"), &x->author);
    export_str(json_object_get(author, "id"), &x->id);
    if ((rc = export_piece(x, PIECE_CHAT, &p, err))) goto out;
    p.written_at = export_time(x, json_object_get(m, "timestamp"));
    p.id = export_str(json_object_get(m, "id"), &id);
    p.reply_to = export_str(export_at(m, "reference.messageId"), &reply);
    rc = fmt_emit(x->o, x->sink, &p, where, err);
out:
    buf_free(&id);
    buf_free(&reply);
    return rc;
}

/* ---- the package ---- */

/* The number of the channel, by the folder c123 that the file lies in. */
static void channel_number(const struct format_in *in, struct buf *out)
{
    const char *slash = strrchr(in->path, '/'), *from = slash;
    while (from && from > in->path && from[-1] != '/') from--;
    if (from && *from == 'c') from++;
    if (from) utf8_clean(out, from, (size_t)(slash - from));
}

static int package_begin(struct export *x, struct err *err)
{
    struct buf id = BUF_INIT(4096);
    channel_number(x->in, &id);
    const char *name = names_get(x->o->names, "discord-channel", buf_str(&id));
    if (!name) name = names_get(x->o->names, "discord-index", buf_str(&id));
    buf_adds(&x->thread, name ? name : "Discord");
    if (id.n) buf_printf(&x->thread, " (%s)", buf_str(&id));
    buf_free(&id);
    return x->thread.failed ? err_nomem(err) : 0;
}

/* "2018-07-19 23:09:04.123000+00:00", or without the zone. */
static int64_t utc(const char *s)
{
    int64_t t;
    return clock_parse_iso(span_of(s), &t) ? t : CLOCK_NONE;
}

static int own(struct export *x, const char *id, const char *at, bool media, uint64_t where,
               struct err *err)
{
    struct piece p;
    if (!span_trim(span_of(buf_str(&x->text))).n) {
        fmt_skip(x->sink, media ? "media" : "empty message", where);
        return 0;
    }
    int rc = export_piece(x, PIECE_CHAT, &p, err);
    if (rc) return rc;
    p.written_at = utc(at);
    if (p.written_at == CLOCK_NONE) fmt_skip(x->sink, "date not understood", where);
    p.id = id;
    p.sent_by_owner = true;
    return fmt_emit(x->o, x->sink, &p, where, err);
}

static int package_message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct buf id = BUF_INIT(256), at = BUF_INIT(256);
    export_str(json_object_get(m, "Contents"), &x->text);
    export_str(json_object_get(m, "ID"), &id);
    bool media = json_string_length(json_object_get(m, "Attachments")) > 0;
    const char *when = export_str(json_object_get(m, "Timestamp"), &at);
    int rc = own(x, buf_str(&id), when, media, where, err);
    buf_free(&id);
    buf_free(&at);
    return rc;
}

static int package_rows(struct export *x, struct err *err)
{
    struct csv *c = csv_new(x->in, ',', x->sink, err);
    int rc = c ? csv_next(c, err) : ERR_PARSE;
    while (rc > 0 && (rc = csv_next(c, err)) > 0) {
        const char *text = csv_field(c, 2);
        buf_clear(&x->text);
        buf_adds(&x->text, text);
        rc = own(x, csv_field(c, 0), csv_field(c, 1), *csv_field(c, 3), c->line, err);
        if (!rc) rc = 1;
        else break;
    }
    csv_free(c);
    return rc;
}

/* channel.json or index.json: one object, of names. */
static int package_names(struct export *x, bool index, struct err *err)
{
    struct names *n = x->o->names;
    const char *key;
    json_t *v;
    int rc = fmt_read_all(x->in, "UTF-8", x->sink, &x->item, err);
    json_t *o = rc ? NULL : json_of(buf_str(&x->item), x->item.n);
    if (!rc && !json_is_object(o))
        rc = err_set(err, ERR_PARSE, "%s is not one JSON object: export it again", x->in->name);
    if (!rc && index) {
        json_object_foreach(o, key, v)
        {
            if (!rc && names_put(n, "discord-index", key, export_str(v, &x->title)))
                rc = err_nomem(err);
        }
    } else if (!rc) {
        export_str(export_at(o, "guild.name"), &x->thread);
        export_str(json_object_get(o, "name"), &x->title);
        if (x->thread.n && x->title.n) buf_adds(&x->thread, " / ");
        buf_adds(&x->thread, buf_str(&x->title));
        if (!x->title.n) buf_clear(&x->thread);
        if (names_put(n, "discord-channel", export_str(json_object_get(o, "id"), &x->id),
                      buf_str(&x->thread)))
            rc = err_nomem(err);
    }
    if (!rc) fmt_skip(x->sink, "name of a channel", 1);
    json_decref(o);
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    enum shape shape = shape_of(in);
    struct export *x = export_new(in, o, sink, err);
    int rc = x ? 0 : ERR_NOMEM;
    if (!rc && shape == PACKAGE_JSON)
        rc = export_walk(x, NULL, package_message, package_begin, err);
    else if (!rc && shape == PACKAGE_CSV)
        rc = package_begin(x, err) ? ERR_NOMEM : package_rows(x, err);
    else if (!rc && shape >= PACKAGE_CHANNEL) rc = package_names(x, shape == PACKAGE_INDEX, err);
    else if (!rc) rc = export_walk(x, "messages", message, begin, err);
    export_free(x);
    return rc;
}

const struct format format_discord = {
    .name = "discord",
    .help = "Discord: a channel from DiscordChatExporter as JSON, or the package of your data",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
