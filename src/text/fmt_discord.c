/* Discord, as DiscordChatExporter writes it in JSON: one channel or direct message a file.
 *
 * {"guild": {"name"}, "channel": {"id", "type", "name", "category"}, "messages": [{"id", "type",
 * "timestamp", "content", "author": {"id", "name", "nickname", "isBot"}, "reference":
 * {"messageId"}, "attachments", "embeds", "stickers", "reactions", "forwardedMessage"}]}. Mentions
 * are names already, times carry their zone. Types other than Default and Reply are the program's
 * own lines (joins, calls, pins). What was forwarded is somebody else's and becomes `quoted`. */
#include "text/fmt_export.h"

#include "base/str.h"

#include <string.h>

static int score(const struct format_in *in)
{
    if (export_first(in) != '{') return 0;
    if (export_has(in, "\"guild\" \"channel\" \"messages\"")) return 96;
    return export_has(in, "\"guild\" \"channel\" \"dateRange\"") ? 90 : 0;
}

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

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    return export_file(in, o, sink, "messages", message, begin, err);
}

const struct format format_discord = {
    .name = "discord",
    .help = "a channel or direct message from DiscordChatExporter, as JSON",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
