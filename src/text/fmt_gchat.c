/* Google Chat, from Takeout: Google Chat/Groups/NAME/messages.json, group_info.json beside it, and
 * Google Chat/Users/NAME/user_info.json.
 *
 * {"messages": [{"creator": {"name", "email", "user_type"}, "created_date": "Tuesday, January 5,
 * 2021 at 3:15:12 PM UTC", "text", "annotations", "attached_files", "quoted_message_metadata",
 * "topic_id", "message_id": "SPACE/TOPIC/MESSAGE", "message_state": "DELETED"}]}. Since 2023 a
 * narrow space (U+202F) stands before AM and PM. Edits are in the text.
 *
 * What a space is called, and who the owner of the account is, the other two files say. */
#include "text/fmt_export.h"
#include "text/names.h"

#include "base/str.h"

#include <string.h>

static int score(const struct format_in *in)
{
    if (export_first(in) != '{') return 0;
    if (export_has(in, "\"messages\" \"creator\" \"user_type\" \"message_id\"")) return 97;
    if (export_has(in, "\"messages\" \"creator\" \"user_type\" \"topic_id\"")) return 97;
    if (!strcmp(in->name, "group_info.json") && export_has(in, "\"members\" \"user_type\""))
        return 97;
    return !strcmp(in->name, "user_info.json") && export_has(in, "\"membership_info\"") ? 97 : 0;
}

/* ---- names ---- */

/* The folder of the file, with all folders before it. */
static void folder(const struct format_in *in, struct buf *out)
{
    const char *slash = strrchr(in->path, '/');
    if (slash) buf_add(out, in->path, (size_t)(slash - in->path));
}

static int group_name(struct export *x, const json_t *info, struct err *err)
{
    struct buf at = BUF_INIT(0), name = BUF_INIT(4096);
    size_t i;
    json_t *m;
    folder(x->in, &at);
    export_str(json_object_get(info, "name"), &name);
    const json_t *members = name.n ? NULL : json_object_get(info, "members");
    json_array_foreach(members, i, m)
    {
        size_t before = name.n;
        if (name.n) buf_adds(&name, ", ");
        if (!json_text(json_object_get(m, "name"), &name)) name.n = before;
    }
    fmt_skip(x->sink, "name of a chat", 1);
    int rc = names_put(x->o->names, "gchat", buf_str(&at), buf_str(&name));
    buf_free(&at);
    buf_free(&name);
    return rc ? err_nomem(err) : 0;
}

static int owner_name(struct export *x, const json_t *info, struct err *err)
{
    export_str(export_at(info, "user.email"), &x->id);
    fmt_skip(x->sink, "name of a person", 1);
    return names_put(x->o->names, "gchat-owner", buf_str(&x->id), "1") ? err_nomem(err) : 0;
}

/* group_info.json or user_info.json: small, and whole. */
static int names_of(struct export *x, struct err *err)
{
    int rc = fmt_read_all(x->in, "UTF-8", x->sink, &x->item, err);
    json_t *v = rc ? NULL : json_of(buf_str(&x->item), x->item.n);
    if (!rc && !json_is_object(v))
        rc = err_set(err, ERR_PARSE, "%s is not one JSON object: export it again", x->in->name);
    if (!rc && json_object_get(v, "membership_info")) rc = owner_name(x, v, err);
    else if (!rc) rc = group_name(x, v, err);
    json_decref(v);
    return rc;
}

static int begin(struct export *x, struct err *err)
{
    struct buf at = BUF_INIT(0);
    folder(x->in, &at);
    const char *name = names_get(x->o->names, "gchat", buf_str(&at));
    const char *slash = strrchr(buf_str(&at), '/'), *last = slash ? slash + 1 : buf_str(&at);
    if (!name) name = *last ? last : "Google Chat";
    utf8_clean(&x->thread, name, strlen(name));
    buf_free(&at);
    return x->thread.failed ? err_nomem(err) : 0;
}

/* ---- messages ---- */

/* "SPACE/TOPIC/MESSAGE" answers "SPACE/TOPIC/TOPIC", the first of its topic. */
static void topic_of(const char *id, struct buf *out)
{
    const char *a = strchr(id, '/'), *b = a ? strchr(a + 1, '/') : NULL;
    if (!b || strchr(b + 1, '/') || !strncmp(a + 1, b + 1, (size_t)(b - a))) return;
    size_t n = (size_t)(b - a) - 1;
    if (strlen(b + 1) == n && !memcmp(a + 1, b + 1, n)) return;
    buf_printf(out, "%.*s%.*s", (int)(b - id) + 1, id, (int)n, a + 1);
}

static int64_t created(const struct export *x, const json_t *m)
{
    int64_t t;
    struct buf b = BUF_INIT(256);
    export_str(json_object_get(m, "created_date"), &b);
    if (!b.n || !fmt_when(x->o, 0, (struct span){ buf_str(&b), b.n }, &t)) t = CLOCK_NONE;
    buf_free(&b);
    return t;
}

static const char *no_message(const json_t *m)
{
    const char *state = json_string_value(json_object_get(m, "message_state"));
    const char *type = json_string_value(export_at(m, "creator.user_type"));
    if ((state && !strcasecmp(state, "DELETED")) || json_object_get(m, "deletion_metadata"))
        return "deleted message";
    return type && !strcasecmp(type, "Bot") ? "message of a bot" : NULL;
}

static int message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(1024), reply = BUF_INIT(1024);
    const char *why = no_message(m);
    int rc = 0;
    export_str(json_object_get(m, "text"), &x->text);
    export_str(export_at(m, "quoted_message_metadata.text"), &x->quoted);
    if (!why && !x->text.n && !x->quoted.n)
        why = json_object_get(m, "attached_files") || json_object_get(m, "annotations")
                  ? "media"
                  : "empty message";
    if (why) {
        fmt_skip(x->sink, why, where);
        return 0;
    }
    export_str(export_at(m, "creator.name"), &x->author);
    export_str(export_at(m, "creator.email"), &x->id);
    if ((rc = export_piece(x, PIECE_CHAT, &p, err))) goto out;
    p.written_at = created(x, m);
    if (p.written_at == CLOCK_NONE) fmt_skip(x->sink, "date not understood", where);
    p.id = export_str(json_object_get(m, "message_id"), &id);
    export_str(export_at(m, "quoted_message_metadata.message_id"), &reply);
    if (!reply.n) topic_of(p.id, &reply);
    p.reply_to = buf_str(&reply);
    p.sent_by_owner = names_get(x->o->names, "gchat-owner", p.author_id) != NULL;
    rc = fmt_emit(x->o, x->sink, &p, where, err);
out:
    buf_free(&id);
    buf_free(&reply);
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct export *x = export_new(in, o, sink, err);
    bool info = !strcmp(in->name, "group_info.json") || !strcmp(in->name, "user_info.json");
    int rc = x ? 0 : ERR_NOMEM;
    if (!rc) rc = info ? names_of(x, err) : export_walk(x, "messages", message, begin, err);
    export_free(x);
    return rc;
}

const struct format format_gchat = {
    .name = "gchat",
    .help = "Google Chat from Takeout: messages.json, group_info.json",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
