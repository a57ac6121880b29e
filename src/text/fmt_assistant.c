/* Conversations with assistants: conversations.json of ChatGPT and of Claude. The user's side is
 * the owner's voice; what the assistant said is context.
 *
 * ChatGPT: [{"title", "create_time", "mapping": {ID: {"message", "parent", "children"}},
 * "current_node", "conversation_id"}]. A conversation is a tree, since a question that was edited
 * is kept beside the new one; the branch that ends in current_node is what the user saw last, and
 * is taken; the others are reported. A message is {"author": {"role"}, "create_time", "content":
 * {"content_type", "parts": [text or object]}}.
 *
 * Claude: [{"uuid", "name", "created_at", "chat_messages": [{"uuid", "sender", "text", "content":
 * [{"type", "text"}], "created_at"}]}]. */
#include "text/fmt_export.h"

#include "base/str.h"

#include <string.h>

#define DEPTH_MAX 100000 /* of a branch: a mapping may be a circle */

static int gpt_score(const struct format_in *in)
{
    if (export_first(in) != '[') return 0;
    return export_has(in, "\"mapping\"") &&
                   (export_has(in, "\"create_time\"") || export_has(in, "\"current_node\""))
               ? 96
               : 0;
}

static int claude_score(const struct format_in *in)
{
    if (export_first(in) != '[') return 0;
    return export_has(in, "\"chat_messages\"") ? 96 : 0;
}

/* One message of a conversation: who is "" for the owner. */
static int emit(struct export *x, const char *who, int64_t at, const char *id, uint64_t where,
                struct err *err)
{
    struct piece p;
    buf_clear(&x->author);
    buf_adds(&x->author, who);
    int rc = export_piece(x, PIECE_CHAT, &p, err);
    if (rc) return rc;
    p.written_at = at;
    p.id = id;
    p.sent_by_owner = !*who;
    return fmt_emit(x->o, x->sink, &p, where, err);
}

/* Title and id, so that two conversations of one title stay two. */
static void name_thread(struct export *x, const json_t *title, const json_t *id)
{
    export_str(title, &x->thread);
    if (!x->thread.n) buf_adds(&x->thread, "Conversation");
    export_str(id, &x->id);
    if (x->id.n) buf_printf(&x->thread, " (%.8s)", buf_str(&x->id));
    buf_clear(&x->id);
}

/* ---- ChatGPT ---- */

static void parts_text(const json_t *content, struct buf *out)
{
    size_t i;
    json_t *part;
    buf_clear(out);
    json_array_foreach(json_object_get(content, "parts"), i, part)
    {
        const json_t *s = json_is_object(part) ? json_object_get(part, "text") : part;
        if (!json_is_string(s) || !json_string_length(s)) continue;
        if (out->n) buf_adds(out, "\n\n");
        json_text(s, out);
    }
}

static int gpt_message(struct export *x, const json_t *m, int64_t begun, uint64_t where,
                       struct err *err)
{
    struct buf id = BUF_INIT(256);
    const char *role = json_string_value(export_at(m, "author.role")),
               *type = json_string_value(export_at(m, "content.content_type"));
    bool user = role && !strcmp(role, "user"), other = role && !strcmp(role, "assistant");
    bool hidden = json_is_true(export_at(m, "metadata.is_visually_hidden_from_conversation"));
    if ((!user && !other) || hidden) return 0; /* system and tools: the program's own */
    if (type && strcmp(type, "text") != 0 && strcmp(type, "multimodal_text") != 0) return 0;
    parts_text(json_object_get(m, "content"), &x->text);
    if (!x->text.n) {
        fmt_skip(x->sink, "empty message", where);
        return 0;
    }
    int64_t at = export_time(x, json_object_get(m, "create_time"));
    int rc = emit(x, user ? "" : "ChatGPT", at == CLOCK_NONE ? begun : at,
                  export_str(json_object_get(m, "id"), &id), where, err);
    buf_free(&id);
    return rc;
}

/* The nodes from the root to current_node (or to the last node there is, where none is named). */
static size_t branch(const json_t *c, const json_t **out, size_t cap)
{
    json_t *mapping = json_object_get(c, "mapping"), *node = NULL, *v;
    const char *key = json_string_value(json_object_get(c, "current_node"));
    size_t n = 0;
    if (key) node = json_object_get(mapping, key);
    if (!node)
        json_object_foreach(mapping, key, v) if (!json_array_size(json_object_get(v, "children")))
            node = v;
    while (json_is_object(node) && n < cap) {
        out[n++] = node;
        key = json_string_value(json_object_get(node, "parent"));
        node = key ? json_object_get(mapping, key) : NULL;
    }
    for (size_t i = 0; i < n / 2; i++) {
        const json_t *t = out[i];
        out[i] = out[n - 1 - i];
        out[n - 1 - i] = t;
    }
    return n;
}

static int gpt_conversation(struct export *x, const json_t *c, uint64_t where, struct err *err)
{
    json_t *mapping = json_object_get(c, "mapping");
    size_t cap = json_object_size(mapping);
    const json_t *id = json_object_get(c, "conversation_id");
    if (cap > DEPTH_MAX) cap = DEPTH_MAX;
    const json_t **node = calloc(cap + 1, sizeof *node);
    if (!node) return err_nomem(err);
    size_t n = branch(c, node, cap);
    int64_t begun = export_time(x, json_object_get(c, "create_time"));
    int rc = 0;
    name_thread(x, json_object_get(c, "title"), id ? id : json_object_get(c, "id"));
    for (size_t i = 0; i < n && !rc; i++) {
        const json_t *m = json_object_get(node[i], "message");
        if (json_is_object(m)) rc = gpt_message(x, m, begun, where, err);
    }
    if (n < json_object_size(mapping))
        fmt_skip(x->sink, "conversation with edited branches", where);
    free(node);
    return rc;
}

/* ---- Claude ---- */

static int claude_message(struct export *x, const json_t *m, uint64_t where, struct err *err)
{
    size_t i;
    json_t *part;
    struct buf id = BUF_INIT(256);
    const char *sender = json_string_value(json_object_get(m, "sender"));
    buf_clear(&x->text);
    json_array_foreach(json_object_get(m, "content"), i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        if (!type || strcmp(type, "text") != 0) continue;
        if (x->text.n) buf_adds(&x->text, "\n\n");
        json_text(json_object_get(part, "text"), &x->text);
    }
    if (!x->text.n) export_str(json_object_get(m, "text"), &x->text);
    if (!x->text.n) {
        fmt_skip(x->sink, "empty message", where);
        return 0;
    }
    bool user = sender && !strcmp(sender, "human");
    int rc = emit(x, user ? "" : "Claude", export_time(x, json_object_get(m, "created_at")),
                  export_str(json_object_get(m, "uuid"), &id), where, err);
    buf_free(&id);
    return rc;
}

static int claude_conversation(struct export *x, const json_t *c, uint64_t where, struct err *err)
{
    size_t i;
    json_t *m;
    int rc = 0;
    name_thread(x, json_object_get(c, "name"), json_object_get(c, "uuid"));
    json_array_foreach(json_object_get(c, "chat_messages"), i, m) if (!rc) rc =
        claude_message(x, m, where, err);
    return rc;
}

static int gpt_parse(struct format_in *in, const struct format_opts *o,
                     const struct piece_sink *sink, struct err *err)
{
    return export_file(in, o, sink, NULL, gpt_conversation, NULL, err);
}

static int claude_parse(struct format_in *in, const struct format_opts *o,
                        const struct piece_sink *sink, struct err *err)
{
    return export_file(in, o, sink, NULL, claude_conversation, NULL, err);
}

const struct format format_chatgpt = {
    .name = "chatgpt",
    .help = "ChatGPT's conversations.json: your side is your voice",
    .score = gpt_score,
    .parse = gpt_parse,
};

const struct format format_claude = {
    .name = "claude",
    .help = "Claude's conversations.json: your side is your voice",
    .score = claude_score,
    .parse = claude_parse,
};
