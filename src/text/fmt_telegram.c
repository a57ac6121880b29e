/* Telegram Desktop's result.json: one chat, or the whole account.
 *
 * One chat is {"name", "type", "id", "messages": [...]}; an account holds many of these under
 * chats.list and left_chats.list, after personal_information, which tells the owner's user id. The
 * file may be hundreds of megabytes, so it is walked (jscan.h) and only one message at a time is
 * parsed. `where` in reports is the message's byte.
 *
 * What a message says in its author's own words becomes text. Forwarded messages, what inline bots
 * wrote and block quotes are other people's words and become `quoted`. Chats of the type
 * saved_messages are notes of the owner to themself: documents, not chat. */
#include "base/str.h"
#include "text/fmt.h"
#include "text/jscan.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 512

struct telegram {
    struct jscan scan;
    const struct format_opts *o;
    const struct piece_sink *sink;
    struct buf item, text, quoted, author, thread;
    char owner[32]; /* "user123", "" while not known */
    char chat_name[NAME_MAX_BYTES], chat_type[64], chat_id[32];
    uint64_t chats;
};

static int score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    if (!s.p || !s.n || *s.p != '{') return 0;
    bool messages = memmem(s.p, s.n, "\"messages\"", 10), type = memmem(s.p, s.n, "\"type\"", 6);
    bool from = memmem(s.p, s.n, "\"from_id\"", 9) || memmem(s.p, s.n, "\"date_unixtime\"", 15) ||
                memmem(s.p, s.n, "\"actor_id\"", 10);
    if (messages && type && from) return 95;
    if (memmem(s.p, s.n, "\"personal_information\"", 22) && memmem(s.p, s.n, "\"user_id\"", 9))
        return 92;
    if (messages && type && fmt_named(in, ".json")) return 70;
    return !strcmp(in->name, "result.json") ? 50 : 0;
}

/* A scalar value into out, cut to fit; "" for null and anything else. */
static int scalar(struct telegram *t, char *out, size_t cap, struct err *err)
{
    struct buf b = BUF_INIT(cap * 3);
    int rc = jscan_value(&t->scan, &t->item, err);
    out[0] = 0;
    if (rc || t->scan.cut) return rc;
    json_t *v = json_of(buf_str(&t->item), t->item.n);
    if (json_text(v, &b) && !b.failed) {
        size_t n = utf8_cut(buf_str(&b), b.n, cap - 1);
        memcpy(out, buf_str(&b), n);
        out[n] = 0;
    }
    json_decref(v);
    buf_free(&b);
    return 0;
}

/* ---- one message ---- */

/* "text": a string, or a list of strings and {"type", "text"} objects. */
static void message_text(struct telegram *t, const json_t *v, bool foreign)
{
    size_t i;
    json_t *part;
    struct buf *own = foreign ? &t->quoted : &t->text;
    if (json_is_string(v)) json_text(v, own);
    json_array_foreach(v, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *s = json_is_object(part) ? json_object_get(part, "text") : part;
        bool quote = type && !strcmp(type, "blockquote");
        if (!json_is_string(s)) continue;
        if (quote && t->quoted.n) buf_addc(&t->quoted, '\n');
        json_text(s, quote ? &t->quoted : own);
    }
}

static bool has_media(const json_t *m)
{
    static const char *const keys[] = { "photo",
                                        "file",
                                        "media_type",
                                        "poll",
                                        "location_information",
                                        "contact_information",
                                        "sticker_emoji",
                                        "game_title",
                                        "live_location_period_seconds",
                                        "dice" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(m, keys[i])) return true;
    return false;
}

static int64_t message_date(const struct telegram *t, const json_t *m)
{
    int64_t when;
    const json_t *u = json_object_get(m, "date_unixtime");
    const char *s = json_string_value(u), *local = json_string_value(json_object_get(m, "date"));
    if (json_is_integer(u)) return json_integer_value(u);
    if (s && str_i64(span_of(s), &when)) return when;
    return local && fmt_when(t->o, -1, span_of(local), &when) ? when : CLOCK_NONE;
}

static void number_text(const json_t *v, char out[32])
{
    const char *s = json_string_value(v);
    out[0] = 0;
    if (json_is_integer(v)) snprintf(out, 32, "%lld", (long long)json_integer_value(v));
    else if (s && strlen(s) < 32 && utf8_valid(s, strlen(s)))
        for (size_t i = 0; (unsigned char)s[i] >= ' '; i++) out[i] = s[i], out[i + 1] = 0;
}

static int message(struct telegram *t, const json_t *m, uint64_t where, struct err *err)
{
    const char *type = json_string_value(json_object_get(m, "type"));
    char id[32], reply[32], from_id[32];
    if (type && !strcmp(type, "service")) {
        fmt_skip(t->sink, "system line", where);
        return 0;
    }
    bool foreign = json_object_get(m, "forwarded_from") ||
                   json_object_get(m, "forwarded_from_id") || json_object_get(m, "via_bot");
    buf_clear(&t->text);
    buf_clear(&t->quoted);
    buf_clear(&t->author);
    message_text(t, json_object_get(m, "text"), foreign);
    if (!t->text.n && !t->quoted.n) {
        fmt_skip(t->sink, has_media(m) ? "media" : "empty message", where);
        return 0;
    }
    number_text(json_object_get(m, "id"), id);
    number_text(json_object_get(m, "reply_to_message_id"), reply);
    number_text(json_object_get(m, "from_id"), from_id);
    bool saved = !strcmp(t->chat_type, "saved_messages");
    struct piece p = fmt_piece(saved ? PIECE_DOC : PIECE_CHAT);
    if (!json_text(json_object_get(m, "from"), &t->author) && !saved) buf_adds(&t->author, from_id);
    if (t->text.failed || t->quoted.failed || t->author.failed) return err_nomem(err);
    p.text = buf_str(&t->text);
    p.quoted = buf_str(&t->quoted);
    p.author = buf_str(&t->author);
    p.author_id = from_id;
    p.written_at = message_date(t, m);
    p.thread = buf_str(&t->thread);
    p.id = id;
    p.reply_to = reply;
    p.sent_by_owner = saved || (t->owner[0] && !strcmp(t->owner, from_id));
    return fmt_emit(t->o, t->sink, &p, where, err);
}

static int messages(struct telegram *t, struct err *err)
{
    int rc = jscan_enter(&t->scan, '[', err);
    buf_clear(&t->thread);
    buf_adds(&t->thread, t->chat_name[0]                           ? t->chat_name
                         : !strcmp(t->chat_type, "saved_messages") ? "Saved Messages"
                                                                   : "Telegram");
    if (t->chat_id[0]) buf_printf(&t->thread, " (%s)", t->chat_id);
    while (!rc && (rc = jscan_item(&t->scan, err)) > 0) {
        rc = jscan_value(&t->scan, &t->item, err);
        if (rc) break;
        uint64_t where = t->scan.value_at;
        json_t *m = t->scan.cut ? NULL : json_of(buf_str(&t->item), t->item.n);
        if (json_is_object(m)) rc = message(t, m, where, err);
        else fmt_skip(t->sink, t->scan.cut ? "over-long message" : "broken message", where);
        json_decref(m);
    }
    return rc;
}

/* ---- the file ---- */

static int personal(struct telegram *t, struct err *err)
{
    char id[24];
    int rc = jscan_value(&t->scan, &t->item, err);
    if (rc || t->scan.cut) return rc;
    json_t *v = json_of(buf_str(&t->item), t->item.n);
    number_text(json_object_get(v, "user_id"), t->owner);
    if (t->owner[0]) {
        snprintf(id, sizeof id, "%.23s", t->owner);
        snprintf(t->owner, sizeof t->owner, "user%s", id);
    }
    json_decref(v);
    return 0;
}

/* A chat object after its key was read: name, type, id, messages; all else is passed over. */
static int chat_key(struct telegram *t, const char *key, struct err *err)
{
    if (!strcmp(key, "name")) return scalar(t, t->chat_name, sizeof t->chat_name, err);
    if (!strcmp(key, "type")) return scalar(t, t->chat_type, sizeof t->chat_type, err);
    if (!strcmp(key, "id")) return scalar(t, t->chat_id, sizeof t->chat_id, err);
    if (strcmp(key, "messages")) return jscan_value(&t->scan, NULL, err);
    t->chats++;
    return messages(t, err);
}

static int chat_list(struct telegram *t, struct err *err)
{
    char key[64];
    int rc = jscan_enter(&t->scan, '[', err);
    while (!rc && (rc = jscan_item(&t->scan, err)) > 0) {
        int c = jscan_peek(&t->scan, err);
        if (c != '{') {
            rc = c < 0 ? c : jscan_value(&t->scan, NULL, err);
            continue;
        }
        t->chat_name[0] = t->chat_type[0] = t->chat_id[0] = 0;
        rc = jscan_enter(&t->scan, '{', err);
        while (!rc && (rc = jscan_key(&t->scan, key, sizeof key, err)) > 0)
            rc = chat_key(t, key, err);
    }
    return rc;
}

static int chats(struct telegram *t, struct err *err)
{
    char key[64];
    int rc = jscan_enter(&t->scan, '{', err);
    while (!rc && (rc = jscan_key(&t->scan, key, sizeof key, err)) > 0)
        rc = !strcmp(key, "list") ? chat_list(t, err) : jscan_value(&t->scan, NULL, err);
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    char key[64];
    struct telegram *t = calloc(1, sizeof *t);
    if (!t) return err_nomem(err);
    t->o = o;
    t->sink = sink;
    t->item.max = FORMAT_PIECE_MAX * 2;
    t->text.max = t->quoted.max = FORMAT_PIECE_MAX * 6;
    t->author.max = t->thread.max = FORMAT_PIECE_MAX * 6;
    int rc = jscan_init(&t->scan, in, sink, err);
    if (!rc) rc = jscan_enter(&t->scan, '{', err);
    while (!rc && (rc = jscan_key(&t->scan, key, sizeof key, err)) > 0) {
        if (!strcmp(key, "personal_information")) rc = personal(t, err);
        else if (!strcmp(key, "chats") || !strcmp(key, "left_chats")) rc = chats(t, err);
        else rc = chat_key(t, key, err);
    }
    if (!rc && !t->chats)
        rc = err_set(err, ERR_PARSE,
                     "%s holds no messages: in Telegram Desktop, export the chat history "
                     "as \"machine-readable JSON\" and give its result.json",
                     in->name);
    buf_free(&t->item);
    buf_free(&t->text);
    buf_free(&t->quoted);
    buf_free(&t->author);
    buf_free(&t->thread);
    explicit_bzero(t, sizeof *t);
    free(t);
    return rc;
}

const struct format format_telegram = {
    .name = "telegram",
    .help = "Telegram Desktop's result.json: a chat or the whole account",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
