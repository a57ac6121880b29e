/* Facebook Messenger and Instagram: message_1.json, as "Download your information" writes it; and
 * what the owner of a Facebook account posted and commented.
 *
 * {"participants": [{"name"}], "messages": [{"sender_name", "timestamp_ms", "content", ...}],
 * "title", "thread_path"}, newest first. Every byte of UTF-8 above 7F is written as an escape of
 * its own
 * (\u00c3\u00a9 for an e with an acute accent), so strings are put together again from such bytes
 * where the result is UTF-8. What the program itself writes in place of a message ("You sent an
 * attachment.") belongs to a share, photo or call beside it, and is passed over with it.
 *
 * your_posts_1.json, since 2022 your_posts__check_ins__photos_and_videos_1.json: [{"timestamp",
 * "data": [{"post"}, {"update_timestamp"}], "attachments", "title": "Ann updated her status."}].
 * comments.json: {"comments_v2": [{"timestamp", "data": [{"comment": {"timestamp", "comment",
 * "author", "group"}}], "title"}]}. The titles are the program's words. */
#include "text/fmt_export.h"

#include "base/str.h"

#include <string.h>

static int score(const struct format_in *in)
{
    if (export_first(in) != '{') return 0;
    if (export_has(in, "\"sender_name\" \"timestamp_ms\"")) return 96;
    return export_has(in, "\"participants\" \"thread_path\"") ? 96 : 0;
}

/* Code points 80..FF that stand for bytes become these bytes. */
static const char *mended(const json_t *v, struct buf *out)
{
    struct buf raw = BUF_INIT(out->max);
    const char *s = json_string_value(v), *p = s, *end = s ? s + json_string_length(v) : s;
    bool bytes = s != NULL;
    export_str(v, out);
    while (p < end && bytes) {
        uint32_t c = utf8_next(&p, end);
        bytes = c <= 0xFF;
        buf_addc(&raw, (char)c);
    }
    if (bytes && !raw.failed && utf8_valid(buf_str(&raw), raw.n)) {
        buf_clear(out);
        utf8_clean(out, buf_str(&raw), raw.n);
    }
    buf_free(&raw);
    return buf_str(out);
}

static bool has_media(const json_t *m)
{
    static const char *const keys[] = { "photos", "videos",  "audio_files",   "gifs",
                                        "files",  "sticker", "call_duration", "share" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(m, keys[i])) return true;
    return false;
}

static bool is_notice(const char *s, const json_t *m)
{
    static const char *const ends[] = { " sent an attachment.", " sent a photo.",
                                        " sent a video.",       " sent a voice message.",
                                        " shared a story.",     " sent a live location." };
    if (json_object_get(m, "call_duration")) return true;
    if (str_starts(s, "Reacted ") && strstr(s, " to your message")) return true;
    if (!strcmp(s, "Liked a message")) return true;
    if (!has_media(m)) return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(s, ends[i])) return true;
    return false;
}

/* The title, and what tells two threads of one title apart: the last part of thread_path. */
static int begin(struct export *x, struct err *err)
{
    struct buf b = BUF_INIT(4096);
    const char *path = json_string_value(json_object_get(x->head, "thread_path")),
               *slash = path ? strrchr(path, '/') : NULL;
    if (slash && slash[1]) path = slash + 1;
    const char *title = mended(json_object_get(x->head, "title"), &b);
    buf_adds(&x->thread, *title ? title : "Messages");
    if (path && *path && utf8_valid(path, strlen(path))) {
        buf_adds(&x->thread, " (");
        utf8_clean(&x->thread, path, strlen(path));
        buf_adds(&x->thread, ")");
    }
    buf_free(&b);
    return x->thread.failed ? err_nomem(err) : 0;
}

static int message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    struct piece p;
    if (json_is_true(json_object_get(m, "is_unsent"))) {
        fmt_skip(x->sink, "deleted message", where);
        return 0;
    }
    const char *text = mended(json_object_get(m, "content"), &x->text);
    if (!*text || is_notice(text, m)) {
        fmt_skip(x->sink, has_media(m) ? "media" : *text ? "system line" : "empty message", where);
        return 0;
    }
    mended(json_object_get(m, "sender_name"), &x->author);
    int rc = export_piece(x, PIECE_CHAT, &p, err);
    if (rc) return rc;
    p.written_at = export_time(x, json_object_get(m, "timestamp_ms"));
    return fmt_emit(x->o, x->sink, &p, where, err);
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    return export_file(in, o, sink, "messages", message, begin, err);
}

const struct format format_meta = {
    .name = "meta",
    .help = "Facebook Messenger's and Instagram's message_1.json",
    .has_authors = 1,
    .parts = 1,
    .score = score,
    .parse = parse,
};

/* ---- posts and comments ---- */

static int facebook_score(const struct format_in *in)
{
    char first = export_first(in);
    if (first == '{') return export_has(in, "\"comments_v2\" \"timestamp\"") ? 96 : 0;
    if (first != '[' || !str_starts(in->name, "your_posts")) return 0;
    return export_has(in, "\"timestamp\" \"data\"") ? 96 : 0;
}

static int said(struct export *x, const json_t *item, uint64_t where, struct err *err)
{
    struct piece p;
    const json_t *at = json_object_get(item, "timestamp");
    size_t i;
    json_t *d;
    buf_clear(&x->text);
    json_array_foreach(json_object_get(item, "data"), i, d)
    {
        const json_t *words = json_object_get(d, "post");
        if (!words) words = export_at(d, "comment.comment");
        if (words && !x->text.n) mended(words, &x->text);
    }
    if (!span_trim(span_of(buf_str(&x->text))).n) {
        bool media = json_array_size(json_object_get(item, "attachments")) > 0;
        fmt_skip(x->sink, media ? "media" : "system line", where);
        return 0;
    }
    int rc = export_piece(x, PIECE_DOC, &p, err);
    if (rc) return rc;
    p.written_at = export_time(x, at);
    p.sent_by_owner = true;
    return fmt_emit(x->o, x->sink, &p, where, err);
}

static int facebook_parse(struct format_in *in, const struct format_opts *o,
                          const struct piece_sink *sink, struct err *err)
{
    const char *list = export_first(in) == '[' ? NULL : "comments_v2";
    return export_file(in, o, sink, list, said, NULL, err);
}

const struct format format_facebook = {
    .name = "facebook",
    .help = "posts and comments of a Facebook download, as JSON",
    .score = facebook_score,
    .parse = facebook_parse,
};
