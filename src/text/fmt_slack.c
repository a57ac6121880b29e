/* Slack, as a workspace's owner exports it: users.json, channels.json, groups.json, mpims.json and
 * dms.json beside a folder for each channel with one file for each day.
 *
 * A day is [{"type": "message", "user": "U024BE7LH", "text", "ts": "1355517523.000005",
 * "user_profile": {"real_name", "display_name", "name"}, "thread_ts", "subtype", "edited", "files",
 * "attachments"}]. The folder's name is the channel, for direct messages its id. Text is "mrkdwn":
 * <@U024BE7LH> is a person, <#C024BE91L|general> a channel, <!here> a call to all, <url|label> a
 * link, and & < > are escaped; a line that begins with > is a quotation. Edits are in the text.
 *
 * The other files tell names alone; names.h keeps them for the days of the same run. A message is
 * known again by what the day says of it, so a day that came in without the names is the same. */
#include "text/fmt_export.h"
#include "text/names.h"

#include "base/str.h"

#include <string.h>

/* ---- recognition ---- */

/* "2019-03-02.json" */
static bool is_day(const char *name)
{
    static const char shape[] = "dddd-dd-dd.json";
    size_t i = 0;
    for (; shape[i]; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (shape[i] == 'd' ? !digit : name[i] != shape[i]) return false;
    }
    return !name[i];
}

static int score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    bool lists = names_first(in->name) || !strcmp(in->name, "integration_logs.json");
    if (!s.n || *s.p != '[') return 0;
    if (s.n < 8 && span_trim((struct span){ s.p + 1, s.n - 1 }).n == 1 && s.p[s.n - 1] == ']')
        return lists || is_day(in->name) ? 91 : 0;
    if (export_has(in, "\"type\" \"message\" \"ts\"")) return is_day(in->name) ? 96 : 92;
    if (export_has(in, "\"team_id\" \"profile\" \"real_name\"")) return 96;
    if (lists && export_has(in, "\"members\" \"created\"")) return 96;
    return lists && export_has(in, "\"service_id\" \"date\"") ? 96 : 0;
}

/* ---- names ---- */

static const char *profile_name(const json_t *profile, struct buf *out)
{
    static const char *const keys[] = { "real_name", "display_name", "name" };
    buf_clear(out);
    for (size_t i = 0; profile && i < 3 && !out->n; i++)
        export_str(json_object_get(profile, keys[i]), out);
    return buf_str(out);
}

static int user(struct export *x, const json_t *u, uint64_t where, struct err *err)
{
    struct buf id = BUF_INIT(256);
    export_str(json_object_get(u, "id"), &id);
    if (!*profile_name(json_object_get(u, "profile"), &x->author)) profile_name(u, &x->author);
    int rc = names_put(x->o->names, "slack", buf_str(&id), buf_str(&x->author));
    fmt_skip(x->sink, "name of a person", where);
    buf_free(&id);
    return rc ? err_nomem(err) : 0;
}

/* A channel's name by its id; of a direct message, the ids of those who write in it, by its id and
 * by its name. */
static int channel(struct export *x, const json_t *c, uint64_t where, struct err *err)
{
    struct buf id = BUF_INIT(256), name = BUF_INIT(1024), members = BUF_INIT(4096);
    struct names *n = x->o->names;
    size_t i;
    json_t *m;
    export_str(json_object_get(c, "id"), &id);
    export_str(json_object_get(c, "name"), &name);
    bool direct = !name.n || str_starts(buf_str(&name), "mpdm-");
    json_array_foreach(direct ? json_object_get(c, "members") : NULL, i, m)
    {
        if (members.n) buf_addc(&members, ' ');
        json_text(m, &members);
    }
    int rc = names_put(n, "slack-channel", buf_str(&id), buf_str(&name));
    if (!rc) rc = names_put(n, "slack-members", buf_str(&id), buf_str(&members));
    if (!rc) rc = names_put(n, "slack-members", buf_str(&name), buf_str(&members));
    fmt_skip(x->sink, "name of a channel", where);
    buf_free(&id);
    buf_free(&name);
    buf_free(&members);
    return rc ? err_nomem(err) : 0;
}

/* "Ann Lee, Bo" of "U1 U2". */
static void member_names(const struct names *n, const char *ids, struct buf *out)
{
    char id[64];
    while (*ids) {
        size_t k = strcspn(ids, " ");
        snprintf(id, sizeof id, "%.*s", (int)k, ids);
        const char *name = names_get(n, "slack", id);
        if (out->n) buf_adds(out, ", ");
        buf_adds(out, name ? name : id);
        ids += k + (ids[k] == ' ');
    }
}

/* The channel is the folder that the day lies in. */
static int begin(struct export *x, struct err *err)
{
    const char *path = x->in->path, *slash = strrchr(path, '/'), *from = slash;
    struct buf folder = BUF_INIT(4096);
    while (from && from > path && from[-1] != '/') from--;
    if (from && is_day(x->in->name)) utf8_clean(&folder, from, (size_t)(slash - from));
    const char *members = names_get(x->o->names, "slack-members", buf_str(&folder));
    const char *name = names_get(x->o->names, "slack-channel", buf_str(&folder));
    if (members) member_names(x->o->names, members, &x->thread);
    else buf_adds(&x->thread, name ? name : folder.n ? buf_str(&folder) : "Slack");
    buf_free(&folder);
    return x->thread.failed ? err_nomem(err) : 0;
}

/* ---- mrkdwn ---- */

/* What stands between < and >. */
static void put_token(const struct names *n, struct span t, struct buf *out)
{
    char id[64];
    const char *bar = memchr(t.p, '|', t.n);
    struct span target = { t.p, bar ? (size_t)(bar - t.p) : t.n };
    struct span label = { bar ? bar + 1 : t.p, bar ? t.n - target.n - 1 : 0 };
    snprintf(id, sizeof id, "%.*s", target.n ? (int)(target.n - 1) : 0, target.p + (target.n > 0));
    const char *name = NULL;
    char mark = target.n ? *target.p : 0;
    if (mark == '@') name = names_get(n, "slack", id);
    if (mark == '#') name = names_get(n, "slack-channel", id);
    bool sign = mark == '@' || mark == '#' || (mark == '!' && !label.n);
    if (sign) buf_addc(out, mark == '!' ? '@' : mark);
    if (name) buf_adds(out, name);
    else if (label.n) buf_add(out, label.p, label.n);
    else if (sign) buf_add(out, target.p + 1, target.n - 1);
    else if (target.n > 7 && !memcmp(target.p, "mailto:", 7))
        buf_add(out, target.p + 7, target.n - 7);
    else buf_add(out, target.p, target.n);
}

/* Escapes and tokens of a line undone, appended. */
static void put_line(const struct names *n, const char *s, const char *end, struct buf *out)
{
    static const struct {
        const char *from;
        char to;
    } escapes[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' } };
    while (s < end) {
        size_t k = 1, i = 0;
        const char *close = *s == '<' ? memchr(s, '>', (size_t)(end - s)) : NULL;
        while (*s == '&' && i < 3 && !str_starts(s, escapes[i].from)) i++;
        if (close) {
            put_token(n, (struct span){ s + 1, (size_t)(close - s) - 1 }, out);
            k = (size_t)(close - s) + 1;
        } else if (*s == '&' && i < 3) {
            buf_addc(out, escapes[i].to);
            k = strlen(escapes[i].from);
        } else {
            buf_addc(out, *s);
        }
        s += k;
    }
}

/* Lines that quote go to `quoted`, all others to text. */
static void mrkdwn(const struct names *n, const char *s, struct buf *text, struct buf *quoted)
{
    bool rest = false; /* ">>>" quotes all that follows */
    while (*s) {
        size_t len = strcspn(s, "\n");
        const char *p = s;
        bool quote = rest || str_starts(p, "&gt;");
        rest |= str_starts(p, "&gt;&gt;&gt;");
        while (quote && str_starts(p, "&gt;")) p += 4;
        if (quote && *p == ' ') p++;
        struct buf *out = quote ? quoted : text;
        if (out->n) buf_addc(out, '\n');
        put_line(n, p, s + len, out);
        s += len + (s[len] == '\n');
    }
}

/* ---- messages ---- */

static bool one_of(const char *s, const char *list)
{
    size_t n = strlen(s);
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == n && !memcmp(p, s, n)) return true;
    return false;
}

/* Why a message is none that somebody wrote; NULL when it is one. */
static const char *no_message(const json_t *m)
{
    const char *sub = json_string_value(json_object_get(m, "subtype"));
    const json_t *who = json_object_get(m, "user");
    if (!sub) sub = "";
    if (!strcmp(sub, "tombstone") || !strcmp(sub, "message_deleted")) return "deleted message";
    if (!strcmp(sub, "bot_message") || (!json_is_string(who) && json_object_get(m, "bot_id")))
        return "message of a bot";
    return one_of(sub, "thread_broadcast me_message file_share file_comment") || !*sub
               ? NULL
               : "system line";
}

/* Old exports put a line of the program's own before what was said with a file. */
static const char *said_with_file(const json_t *m, const char *text)
{
    const char *sub = json_string_value(json_object_get(m, "subtype"));
    const char *said = json_string_value(export_at(m, "file.initial_comment.comment"));
    bool own = sub && !strcmp(sub, "file_share") && str_starts(text, "<@") &&
               strstr(text, " uploaded a file: ");
    return own ? (said ? said : "") : text;
}

/* Messages that were passed on. */
static void shared(struct export *x, const json_t *m)
{
    size_t i;
    json_t *a;
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX);
    json_array_foreach(json_object_get(m, "attachments"), i, a)
    {
        bool passed = json_is_true(json_object_get(a, "is_share")) ||
                      json_is_true(json_object_get(a, "is_msg_unfurl"));
        if (!passed) continue;
        const char *s = export_str(json_object_get(a, "text"), &raw);
        mrkdwn(x->o->names, s, &x->quoted, &x->quoted);
    }
    buf_free(&raw);
}

static void author(struct export *x, const json_t *m)
{
    export_str(json_object_get(m, "user"), &x->id);
    if (*profile_name(json_object_get(m, "user_profile"), &x->author)) return;
    const char *known = names_get(x->o->names, "slack", buf_str(&x->id));
    if (!known) known = json_string_value(json_object_get(m, "username"));
    if (!known) known = buf_str(&x->id);
    utf8_clean(&x->author, known, strlen(known));
}

static int message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(256), thread = BUF_INIT(256), raw = BUF_INIT(FORMAT_PIECE_MAX),
               same = BUF_INIT(FORMAT_PIECE_MAX + 1024);
    const char *why = no_message(m);
    int rc = 0;
    buf_clear(&x->text);
    buf_clear(&x->quoted);
    if (why) {
        fmt_skip(x->sink, why, where);
        return 0;
    }
    const char *text = said_with_file(m, export_str(json_object_get(m, "text"), &raw));
    mrkdwn(x->o->names, text, &x->text, &x->quoted);
    shared(x, m);
    if (!x->text.n && !x->quoted.n) {
        bool media = json_object_get(m, "files") || json_object_get(m, "file") ||
                     json_object_get(m, "attachments");
        fmt_skip(x->sink, media ? "media" : "empty message", where);
        goto out;
    }
    author(x, m);
    export_str(json_object_get(m, "ts"), &id);
    export_str(json_object_get(m, "thread_ts"), &thread);
    if ((rc = export_piece(x, PIECE_CHAT, &p, err))) goto out;
    p.written_at = export_time(x, json_object_get(m, "ts"));
    p.id = buf_str(&id);
    p.reply_to = strcmp(buf_str(&thread), p.id) != 0 ? buf_str(&thread) : "";
    buf_printf(&same, "slack %s %s ", p.author_id, p.id);
    buf_adds(&same, text);
    if (*p.author_id && *p.id) p.same = buf_str(&same);
    rc = fmt_emit(x->o, x->sink, &p, where, err);
out:
    buf_free(&id);
    buf_free(&thread);
    buf_free(&raw);
    buf_free(&same);
    return rc;
}

static int thing(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    if (json_object_get(m, "ts")) return message(x, m, where, err);
    if (json_object_get(m, "profile")) return user(x, m, where, err);
    if (json_object_get(m, "created")) return channel(x, m, where, err);
    fmt_skip(x->sink, "system line", where);
    return 0;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    return export_file(in, o, sink, NULL, thing, begin, err);
}

const struct format format_slack = {
    .name = "slack",
    .help = "a Slack export: days of channels, and the lists of names beside them",
    .has_authors = 1,
    .parts = 1,
    .score = score,
    .parse = parse,
};
