/* Posts: tweets.js of an X (Twitter) archive, and outbox.json of a Mastodon account. All of it is
 * the owner's, but for what they passed on, which is reported and left out.
 *
 * X: `window.YTD.tweets.part0 = [{"tweet": {...}}]`, a line of JavaScript before the JSON. Text is
 * in full_text with &amp; &lt; &gt; as in HTML; links are t.co ones, and entities.urls has the real
 * addresses. A retweet begins with "RT @name: ". note-tweet.js holds the whole of posts that were
 * too long: {"noteTweet": {"core": {"text"}, "createdAt"}}.
 *
 * Mastodon: an ActivityPub OrderedCollection. {"type": "Create", "published", "object": {"type":
 * "Note", "summary" (the content warning), "content" (HTML), "inReplyTo"}}; "Announce" is a boost.
 */
#include "text/fmt_export.h"

#include "base/str.h"
#include "text/html.h"

#include <string.h>

/* ---- X ---- */

static const char ytd[] = "window.YTD.";

static int x_score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    if (s.n < sizeof ytd || memcmp(s.p, ytd, sizeof ytd - 1) != 0) return 0;
    if (str_starts(s.p + sizeof ytd - 1, "deleted_")) return 0;
    return export_has(in, "\"full_text\"") || export_has(in, "\"noteTweet\"") ||
                   !strncmp(s.p + sizeof ytd - 1, "tweet", 5)
               ? 97
               : 0;
}

/* Text with its t.co links as what they stand for, and HTML's three escapes undone. */
static void tweet_text(const json_t *t, struct buf *out)
{
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX);
    static const struct {
        const char *from;
        char to;
    } escapes[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' } };
    const char *s = export_str(json_object_get(t, "full_text"), &raw);
    buf_clear(out);
    while (*s) {
        size_t i, n = 0;
        json_t *u;
        for (i = 0; i < 3 && !n; i++)
            if (str_starts(s, escapes[i].from)) {
                buf_addc(out, escapes[i].to);
                n = strlen(escapes[i].from);
            }
        json_array_foreach(n ? NULL : export_at(t, "entities.urls"), i, u)
        {
            const char *from = json_string_value(json_object_get(u, "url"));
            const json_t *to = json_object_get(u, "expanded_url");
            if (n || !from || !*from || !json_is_string(to) || !str_starts(s, from)) continue;
            json_text(to, out);
            n = strlen(from);
        }
        if (!n) buf_addc(out, *s);
        s += n ? n : 1;
    }
    buf_free(&raw);
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
        tweet_text(t ? t : item, &x->text);
        export_str(json_object_get(t ? t : item, "id_str"), &id);
        export_str(json_object_get(t ? t : item, "in_reply_to_status_id_str"), &reply);
    }
    int rc = 0;
    if (str_starts(buf_str(&x->text), "RT @")) fmt_skip(x->sink, "repost", where);
    else if (!x->text.n) fmt_skip(x->sink, "empty message", where);
    else if (!(rc = export_piece(x, PIECE_DOC, &p, err))) {
        p.written_at = export_time(x, at ? at : json_object_get(item, "created_at"));
        p.id = buf_str(&id);
        p.reply_to = buf_str(&reply);
        p.sent_by_owner = true;
        rc = fmt_emit(x->o, x->sink, &p, where, err);
    }
    buf_free(&id);
    buf_free(&reply);
    return rc;
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
    return rc ? rc : export_file(in, o, sink, NULL, tweet, NULL, err);
}

const struct format format_x = {
    .name = "x",
    .help = "tweets.js and note-tweet.js of an X (Twitter) archive",
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
