/* Signal's own export of all chats as JSON (Settings > Chats > Export, Android since 2026): a
 * folder with main.jsonl, metadata.json and files/. main.jsonl is a backup, frame by frame a line,
 * as protobuf's JSON mapping writes rust/message-backup/src/proto/backup.proto of
 * github.com/signalapp/libsignal: numbers of 64 bits as strings, bytes as base64.
 *
 *     {"version":"1","backupTimeMs":"...","currentAppVersion":...}
 *     {"account":{...}}
 *     {"recipient":{"id":"2","contact":{"aci","e164","nickname":{"given","family"},
 *         "systemGivenName","systemFamilyName","profileGivenName","profileFamilyName","username"}}}
 *     {"recipient":{"id":"3","group":{"snapshot":{"title":{"title":"Boats"}}}}} or {"self":{}}
 *     {"chat":{"id":"10","recipientId":"2"}}
 *     {"chatItem":{"chatId":"10","authorId":"2","dateSent":"1700000000000","incoming":{...},
 *         "standardMessage":{"text":{"body","bodyRanges":[{"start","length","mentionAci"}]},
 *         "quote":{"targetSentTimestamp","authorId","text":{"body"}}},"revisions":[...]}}
 *
 * What a line refers to stands before it. The item is the newest text of a message; revisions are
 * older ones. Mentions are U+FFFC in the body, named by bodyRanges. */
#include "text/fmt_signal.h"

#include "base/str.h"
#include "text/names.h"

#include <string.h>

bool signal_backup_is(const struct format_in *in)
{
    if (export_first(in) != '{') return false;
    return export_has(in, "\"backupTimeMs\" \"version\"") ||
           export_has(in, "\"chatItem\" \"chatId\" \"dateSent\"");
}

/* ---- names ---- */

/* "Given Family" of an object's two members. */
static bool full_name(const json_t *o, const char *given, const char *family, struct buf *out)
{
    struct buf b = BUF_INIT(4096);
    buf_clear(out);
    json_text(json_object_get(o, given), out);
    export_str(json_object_get(o, family), &b);
    if (out->n && b.n) buf_addc(out, ' ');
    buf_add(out, buf_str(&b), b.n);
    buf_free(&b);
    return out->n > 0;
}

static void contact_name(struct export *x, const json_t *c)
{
    export_str(json_object_get(c, "e164"), &x->title);
    buf_clear(&x->id);
    if (x->title.n) buf_printf(&x->id, "%s%s", *buf_str(&x->title) == '+' ? "" : "+", x->title.p);
    bool known = full_name(json_object_get(c, "nickname"), "given", "family", &x->author) ||
                 full_name(c, "systemGivenName", "systemFamilyName", &x->author) ||
                 full_name(c, "profileGivenName", "profileFamilyName", &x->author) ||
                 *export_str(json_object_get(c, "username"), &x->author);
    if (!known) buf_add(&x->author, buf_str(&x->id), x->id.n);
}

static int recipient(struct export *x, const json_t *r, struct err *err)
{
    struct names *n = x->ud;
    struct buf id = BUF_INIT(256), aci = BUF_INIT(256);
    const json_t *c = json_object_get(r, "contact");
    export_str(json_object_get(r, "id"), &id);
    export_str(json_object_get(c, "aci"), &aci);
    buf_clear(&x->id);
    if (c) contact_name(x, c);
    else if (json_object_get(r, "self")) export_str(NULL, &x->author);
    else export_str(export_at(r, "group.snapshot.title.title"), &x->author);
    int rc = names_put(n, "name", buf_str(&id), buf_str(&x->author));
    if (!rc) rc = names_put(n, "number", buf_str(&id), buf_str(&x->id));
    if (!rc) rc = names_put(n, "mention", buf_str(&aci), buf_str(&x->author));
    if (!rc && json_object_get(r, "self")) rc = names_put(n, "name", buf_str(&id), "Note to Self");
    buf_free(&id);
    buf_free(&aci);
    return rc ? err_nomem(err) : 0;
}

/* Two chats of one name stay two. */
static int chat(struct export *x, const json_t *c, struct err *err)
{
    struct names *n = x->ud;
    struct buf id = BUF_INIT(256), who = BUF_INIT(256);
    export_str(json_object_get(c, "id"), &id);
    const char *name = names_get(n, "name", export_str(json_object_get(c, "recipientId"), &who));
    buf_clear(&x->thread);
    buf_adds(&x->thread, name ? name : "Signal");
    if (names_get(n, "used", buf_str(&x->thread))) buf_printf(&x->thread, " (%s)", buf_str(&id));
    int rc = names_put(n, "used", buf_str(&x->thread), "1");
    if (!rc) rc = names_put(n, "chat", buf_str(&id), buf_str(&x->thread));
    buf_free(&id);
    buf_free(&who);
    return rc ? err_nomem(err) : 0;
}

/* ---- messages ---- */

/* The body, with who was mentioned in place of the marks for it. */
static void body(struct export *x, const json_t *text, struct buf *out)
{
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX);
    const json_t *ranges = json_object_get(text, "bodyRanges");
    const char *s = export_str(json_object_get(text, "body"), &raw), *end = s + raw.n;
    size_t next = 0;
    buf_clear(out);
    while (s < end) {
        const char *was = s, *aci = NULL;
        if (utf8_next(&s, end) == 0xFFFC)
            while (!aci && next < json_array_size(ranges))
                aci = json_string_value(
                    json_object_get(json_array_get(ranges, next++), "mentionAci"));
        const char *name = aci ? names_get(x->ud, "mention", aci) : NULL;
        if (name) buf_printf(out, "@%s", name);
        else if (!aci) buf_add(out, was, (size_t)(s - was));
    }
    buf_free(&raw);
}

/* Why an item is none that somebody said; NULL when x->text has it. */
static const char *said(struct export *x, const json_t *i)
{
    static const char *const media[] = { "contactMessage", "stickerMessage", "viewOnceMessage" };
    const json_t *m = json_object_get(i, "standardMessage");
    buf_clear(&x->text);
    buf_clear(&x->quoted);
    if (json_object_get(i, "remoteDeletedMessage") || json_object_get(i, "adminDeletedMessage"))
        return "deleted message";
    if (m) {
        body(x, json_object_get(m, "text"), &x->text);
        body(x, export_at(m, "quote.text"), &x->quoted);
        if (!x->text.n) return json_object_get(m, "attachments") ? "media" : "empty message";
    } else if (json_object_get(i, "directStoryReplyMessage")) {
        body(x, export_at(i, "directStoryReplyMessage.textReply.text"), &x->text);
        if (!x->text.n) return "reaction";
    } else if (json_object_get(i, "poll")) {
        export_str(export_at(i, "poll.question"), &x->text);
    }
    for (size_t k = 0; k < sizeof media / sizeof *media; k++)
        if (json_object_get(i, media[k])) return "media";
    bool directed = json_object_get(i, "incoming") || json_object_get(i, "outgoing");
    return directed && x->text.n ? NULL : "system line";
}

static int item(struct export *x, const json_t *i, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(256), reply = BUF_INIT(256), who = BUF_INIT(256);
    const char *why = said(x, i);
    bool mine = json_object_get(i, "outgoing") != NULL;
    int rc = 0;
    if (why) {
        fmt_skip(x->sink, why, where);
        goto out;
    }
    const char *name = names_get(x->ud, "chat", export_str(json_object_get(i, "chatId"), &who));
    buf_clear(&x->thread);
    buf_adds(&x->thread, name ? name : "Signal");
    export_str(json_object_get(i, "authorId"), &who);
    const char *author = names_get(x->ud, "name", buf_str(&who));
    const char *number = names_get(x->ud, "number", buf_str(&who));
    buf_clear(&x->author);
    buf_clear(&x->id);
    if (!mine) buf_adds(&x->author, author ? author : "?");
    if (!mine && number) buf_adds(&x->id, number);
    if ((rc = export_piece(x, PIECE_CHAT, &p, err))) goto out;
    p.written_at = export_time(x, json_object_get(i, "dateSent"));
    p.id = export_str(json_object_get(i, "dateSent"), &id);
    const json_t *quote = export_at(i, "standardMessage.quote.targetSentTimestamp");
    p.reply_to = export_str(quote, &reply);
    p.sent_by_owner = mine;
    rc = fmt_emit(x->o, x->sink, &p, where, err);
out:
    buf_free(&id);
    buf_free(&reply);
    buf_free(&who);
    return rc;
}

static int frame(struct export *x, const json_t *f, uint64_t where, struct err *err)
{
    const json_t *v;
    if ((v = json_object_get(f, "chatItem"))) return item(x, v, where, err);
    if ((v = json_object_get(f, "recipient"))) return recipient(x, v, err);
    if ((v = json_object_get(f, "chat"))) return chat(x, v, err);
    return 0; /* the account, sticker packs, folders of chats */
}

int signal_backup_parse(struct export *x, struct err *err)
{
    struct line ln;
    struct lines *l = lines_new_charset(x->in, "UTF-8", x->sink, err);
    int rc = l ? 0 : ERR_PARSE;
    while (!rc && (rc = lines_next(l, &ln, err)) > 0) {
        json_t *v = ln.dropped ? NULL : json_of(ln.s, ln.n);
        rc = 0;
        if (json_is_object(v)) rc = frame(x, v, ln.no, err);
        else if (span_trim((struct span){ ln.s, ln.n }).n)
            fmt_skip(x->sink, ln.dropped ? "over-long message" : "broken message", ln.no);
        json_decref(v);
    }
    lines_free(l);
    return rc;
}
