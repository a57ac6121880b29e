/* Posts: tweets.js of an X (Twitter) archive, and outbox.json of a Mastodon account. All of it is
 * the owner's, but for what they passed on, which is reported and left out. Of X also the direct
 * messages.
 *
 * X: `window.YTD.tweets.part0 = [{"tweet": {...}}]`, a line of JavaScript before the JSON. Text is
 * in full_text with &amp; &lt; &gt; as in HTML; links are t.co ones, and entities.urls has the real
 * addresses. A retweet begins with "RT @name: ". note-tweet.js holds the whole of posts that were
 * too long: {"noteTweet": {"core": {"text"}, "createdAt"}}.
 *
 * direct-messages.js: [{"dmConversation": {"conversationId": "42-7", "messages":
 * [{"messageCreate": {"id", "senderId", "recipientId", "text", "createdAt", "mediaUrls", "urls":
 * [{"url", "expanded"}], "reactions"}}]}}], newest first; direct-messages-group.js has one number
 * for an id, no recipient, and says who came, who went and what the chat is called
 * ("conversationNameUpdate"). People are numbers: account.js tells the owner's, and the mentions in
 * tweets some names, so these two are read first. A message is known again by sender, id and text,
 * with and without those names.
 *
 * Mastodon: an ActivityPub OrderedCollection. {"type": "Create", "published", "object": {"type":
 * "Note", "summary" (the content warning), "content" (HTML), "inReplyTo"}}; "Announce" is a boost.
 */
#include "text/fmt_export.h"

#include "base/str.h"
#include "text/html.h"
#include "text/names.h"

#include <string.h>

/* ---- X ---- */

static const char ytd[] = "window.YTD.";

static int x_score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    if (!span_starts(s, ytd)) return 0;
    struct span what = { s.p + sizeof ytd - 1, s.n - (sizeof ytd - 1) };
    if (span_starts(what, "deleted_")) return 0;
    static const char *const mine[] = { "tweet", "account.part", "direct_messages.part",
                                        "direct_messages_group.part" };
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        if (span_starts(what, mine[i])) return 97;
    return export_has(in, "\"full_text\"") || export_has(in, "\"noteTweet\"") ? 97 : 0;
}

/* Text with its t.co links as what they stand for, and HTML's three escapes undone. Of direct
 * messages a picture has such a link, too: it goes. */
static void plain_text(const json_t *text, const json_t *urls, const char *key, struct buf *out)
{
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX);
    static const struct {
        const char *from;
        char to;
    } escapes[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' } };
    const char *s = export_str(text, &raw);
    buf_clear(out);
    while (*s) {
        size_t i, n = 0;
        json_t *u;
        for (i = 0; i < 3 && !n; i++)
            if (str_starts(s, escapes[i].from)) {
                buf_addc(out, escapes[i].to);
                n = strlen(escapes[i].from);
            }
        json_array_foreach(n ? NULL : urls, i, u)
        {
            const char *from = json_string_value(json_object_get(u, "url"));
            const json_t *to = json_object_get(u, key);
            if (n || !from || !*from || !json_is_string(to) || !str_starts(s, from)) continue;
            if (!strstr(json_string_value(to), "/messages/media/")) json_text(to, out);
            n = strlen(from);
        }
        if (!n) buf_addc(out, *s);
        s += n ? n : 1;
    }
    buf_free(&raw);
}

/* Whom a tweet mentions: nothing else in the archive has names for the numbers of people. */
static int learn_names(struct export *x, const json_t *t, struct err *err)
{
    struct buf id = BUF_INIT(256), name = BUF_INIT(1024);
    size_t i;
    int rc = 0;
    json_t *m;
    json_array_foreach(x->o->names ? export_at(t, "entities.user_mentions") : NULL, i, m)
    {
        export_str(json_object_get(m, "id_str"), &id);
        if (!*export_str(json_object_get(m, "name"), &name))
            export_str(json_object_get(m, "screen_name"), &name);
        if (!rc) rc = names_put(x->o->names, "x", buf_str(&id), buf_str(&name));
    }
    buf_free(&id);
    buf_free(&name);
    return rc ? err_nomem(err) : 0;
}

static int tweet(struct export *x, const json_t *item, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(256), reply = BUF_INIT(256);
    const json_t *t = json_object_get(item, "tweet"), *note = json_object_get(item, "noteTweet");
    const json_t *at = json_object_get(t, "created_at");
    if (note) {
        export_str(export_at(note, "core.text"), &x->text);
        at = json_object_get(note, "createdAt");
        export_str(json_object_get(note, "noteTweetId"), &id);
    } else {
        if (!t) t = item;
        plain_text(json_object_get(t, "full_text"), export_at(t, "entities.urls"), "expanded_url",
                   &x->text);
        export_str(json_object_get(t, "id_str"), &id);
        export_str(json_object_get(t, "in_reply_to_status_id_str"), &reply);
    }
    int rc = learn_names(x, t, err);
    if (rc) goto out;
    if (str_starts(buf_str(&x->text), "RT @")) fmt_skip(x->sink, "repost", where);
    else if (!x->text.n) fmt_skip(x->sink, "empty message", where);
    else if (!(rc = export_piece(x, PIECE_DOC, &p, err))) {
        p.written_at = export_time(x, at ? at : json_object_get(item, "created_at"));
        p.id = buf_str(&id);
        p.reply_to = buf_str(&reply);
        p.sent_by_owner = true;
        rc = fmt_emit(x->o, x->sink, &p, where, err);
    }
out:
    buf_free(&id);
    buf_free(&reply);
    return rc;
}

/* account.js: whose archive it is. */
static int account(struct export *x, const json_t *a, uint64_t where, struct err *err)
{
    export_str(json_object_get(a, "accountId"), &x->id);
    fmt_skip(x->sink, "name of a person", where);
    return names_put(x->o->names, "x-owner", buf_str(&x->id), "1") ? err_nomem(err) : 0;
}

static bool is_owner(const struct export *x, const char *id)
{
    return names_get(x->o->names, "x-owner", id) != NULL;
}

/* The people of "42-7" but for the owner, by name or number. */
static void pair_name(const struct export *x, const char *id, struct buf *out)
{
    char one[64];
    for (size_t n; *id; id += n + (id[n] == '-')) {
        n = strcspn(id, "-");
        snprintf(one, sizeof one, "%.*s", (int)(n < sizeof one ? n : 0), id);
        if (!*one || is_owner(x, one)) continue;
        const char *name = names_get(x->o->names, "x", one);
        if (out->n) buf_adds(out, ", ");
        buf_adds(out, name ? name : one);
    }
}

/* "Bo Berg (42-7)"; a group by its newest name. The id tells two of one name apart. */
static int conversation_name(struct export *x, const json_t *c, struct err *err)
{
    struct buf id = BUF_INIT(256), at = BUF_INIT(256), newest = BUF_INIT(256);
    size_t i;
    json_t *m;
    export_str(json_object_get(c, "conversationId"), &id);
    export_str(json_object_get(c, "name"), &x->thread);
    json_array_foreach(json_object_get(c, "messages"), i, m)
    {
        const json_t *u = json_object_get(m, "conversationNameUpdate");
        if (!u || strcmp(export_str(json_object_get(u, "createdAt"), &at), buf_str(&newest)) < 0)
            continue;
        export_str(json_object_get(u, "createdAt"), &newest);
        export_str(json_object_get(u, "name"), &x->thread);
    }
    if (!x->thread.n && strchr(buf_str(&id), '-')) pair_name(x, buf_str(&id), &x->thread);
    if (!x->thread.n) buf_adds(&x->thread, "Messages");
    if (id.n) buf_printf(&x->thread, " (%s)", buf_str(&id));
    buf_free(&id);
    buf_free(&at);
    buf_free(&newest);
    return x->thread.failed ? err_nomem(err) : 0;
}

static int direct_message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(256), who = BUF_INIT(256), same = BUF_INIT(FORMAT_PIECE_MAX + 1024);
    plain_text(json_object_get(m, "text"), json_object_get(m, "urls"), "expanded", &x->text);
    export_str(json_object_get(m, "id"), &id);
    export_str(json_object_get(m, "senderId"), &who);
    bool mine = is_owner(x, buf_str(&who));
    const char *name = names_get(x->o->names, "x", buf_str(&who));
    buf_clear(&x->author);
    buf_clear(&x->id);
    if (!mine) { /* the owner of the file has no name */
        buf_adds(&x->author, name ? name : who.n ? buf_str(&who) : "?");
        buf_adds(&x->id, buf_str(&who));
    }
    int rc = export_piece(x, PIECE_CHAT, &p, err);
    if (!rc && !span_trim(span_of(p.text)).n) {
        bool media = json_array_size(json_object_get(m, "mediaUrls")) > 0;
        fmt_skip(x->sink, media ? "media" : "empty message", where);
    } else if (!rc) {
        p.written_at = export_time(x, json_object_get(m, "createdAt"));
        p.id = buf_str(&id);
        p.sent_by_owner = mine;
        buf_printf(&same, "x %s %s ", buf_str(&who), p.id);
        buf_adds(&same, p.text);
        if (who.n && id.n) p.same = buf_str(&same);
        rc = fmt_emit(x->o, x->sink, &p, where, err);
    }
    buf_free(&id);
    buf_free(&who);
    buf_free(&same);
    return rc;
}

/* Oldest first, whichever way the archive has them. */
static int conversation(struct export *x, const json_t *c, uint64_t where, struct err *err)
{
    const json_t *list = json_object_get(c, "messages");
    size_t n = json_array_size(list);
    int64_t first = CLOCK_NONE, last = CLOCK_NONE;
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_object_get(json_array_get(list, i), "messageCreate");
        if (!m) continue;
        last = export_time(x, json_object_get(m, "createdAt"));
        if (first == CLOCK_NONE) first = last;
    }
    int rc = conversation_name(x, c, err);
    for (size_t i = 0; i < n && !rc; i++) {
        const json_t *item = json_array_get(list, first > last ? n - 1 - i : i);
        const json_t *m = json_object_get(item, "messageCreate");
        if (json_is_object(m)) rc = direct_message(x, m, where, err);
        else fmt_skip(x->sink, "system line", where);
    }
    return rc;
}

static int thing(struct export *x, const json_t *item, uint64_t where, struct err *err)
{
    const json_t *c = json_object_get(item, "dmConversation"),
                 *a = json_object_get(item, "account");
    if (c) return conversation(x, c, where, err);
    return a ? account(x, a, where, err) : tweet(x, item, where, err);
}

/* The file is at the first bracket afterwards. */
static int skip_script(struct format_in *in, struct err *err)
{
    int c, n = 0;
    while ((c = getc(in->f)) != EOF && c != '[' && n++ < 256) continue;
    if (c == '[' && ungetc(c, in->f) == c) return 0;
    return err_set(err, ERR_PARSE, "%s: no list stands behind window.YTD: export the archive again",
                   in->name);
}

static int x_parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                   struct err *err)
{
    int rc = skip_script(in, err);
    return rc ? rc : export_file(in, o, sink, NULL, thing, NULL, err);
}

const struct format format_x = {
    .name = "x",
    .help = "tweets and direct messages of an X (Twitter) archive",
    .has_authors = 1,
    .score = x_score,
    .parse = x_parse,
};

/* ---- Mastodon ---- */

static int mastodon_score(const struct format_in *in)
{
    if (export_first(in) != '{') return 0;
    return export_has(in, "\"orderedItems\" \"OrderedCollection\"") ? 97 : 0;
}

static int toot(struct export *x, const json_t *a, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf html = BUF_INIT(FORMAT_PIECE_MAX * 3), id = BUF_INIT(1024), reply = BUF_INIT(1024);
    const char *type = json_string_value(json_object_get(a, "type"));
    const json_t *note = json_object_get(a, "object");
    int rc = 0;
    if (!type || strcmp(type, "Create") != 0 || !json_is_object(note)) {
        fmt_skip(x->sink, type && !strcmp(type, "Announce") ? "repost" : "system line", where);
        return 0;
    }
    buf_clear(&x->text);
    buf_clear(&x->quoted);
    export_str(json_object_get(note, "summary"), &x->title);
    export_str(json_object_get(note, "content"), &html);
    if (html.n) rc = html_text(html.p, html.n, &x->text, &x->quoted, NULL, NULL, err);
    if (!rc && !x->text.n) {
        bool media = json_array_size(json_object_get(note, "attachment")) > 0;
        fmt_skip(x->sink, media ? "media" : "empty message", where);
    } else if (!rc && !(rc = export_piece(x, PIECE_DOC, &p, err))) {
        p.written_at = export_time(x, json_object_get(a, "published"));
        p.id = export_str(json_object_get(note, "id"), &id);
        p.reply_to = export_str(json_object_get(note, "inReplyTo"), &reply);
        p.sent_by_owner = true;
        rc = fmt_emit(x->o, x->sink, &p, where, err);
    }
    buf_free(&html);
    buf_free(&id);
    buf_free(&reply);
    return rc;
}

static int mastodon_parse(struct format_in *in, const struct format_opts *o,
                          const struct piece_sink *sink, struct err *err)
{
    return export_file(in, o, sink, "orderedItems", toot, NULL, err);
}

const struct format format_mastodon = {
    .name = "mastodon",
    .help = "outbox.json of a Mastodon archive",
    .score = mastodon_score,
    .parse = mastodon_parse,
};
