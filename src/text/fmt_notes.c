/* Notes and journals in JSON: Google Keep (Takeout, one note a file) and Day One.
 *
 * Keep: {"title", "textContent" or "listContent": [{"text", "isChecked"}], "createdTimestampUsec",
 * "userEditedTimestampUsec", "isTrashed", "labels"}. Notes in the bin are left out.
 *
 * Day One: {"metadata", "entries": [{"uuid", "creationDate", "text"}]}; text is Markdown with
 * backslashes before marks, and pictures as ![](dayone-moment://...). The first heading is the
 * title. */
#include "text/fmt_export.h"

#include "base/str.h"
#include "text/markdown.h"

#include <string.h>

/* ---- Google Keep ---- */

static int keep_score(const struct format_in *in)
{
    if (export_first(in) != '{' || !export_has(in, "\"isTrashed\"")) return 0;
    return export_has(in, "\"textContent\"") || export_has(in, "\"listContent\"") ||
                   export_has(in, "\"userEditedTimestampUsec\"")
               ? 96
               : 0;
}

static void list_text(const json_t *list, struct buf *out)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (out->n) buf_addc(out, '\n');
        json_text(json_object_get(item, "text"), out);
    }
}

static int keep_note(struct export *x, const json_t *n, struct err *err)
{
    struct piece p;
    if (json_is_true(json_object_get(n, "isTrashed"))) {
        fmt_skip(x->sink, "deleted note", 1);
        return 0;
    }
    export_str(json_object_get(n, "title"), &x->title);
    export_str(json_object_get(n, "textContent"), &x->text);
    list_text(json_object_get(n, "listContent"), &x->text);
    if (!x->text.n) {
        fmt_skip(x->sink, json_object_get(n, "attachments") ? "media" : "empty message", 1);
        return 0;
    }
    int rc = export_piece(x, PIECE_DOC, &p, err);
    if (rc) return rc;
    p.written_at = export_time(x, json_object_get(n, "createdTimestampUsec"));
    if (p.written_at == CLOCK_NONE)
        p.written_at = export_time(x, json_object_get(n, "userEditedTimestampUsec"));
    p.sent_by_owner = true;
    return fmt_emit(x->o, x->sink, &p, 1, err);
}

static int keep_parse(struct format_in *in, const struct format_opts *o,
                      const struct piece_sink *sink, struct err *err)
{
    struct export *x = export_new(in, o, sink, err);
    int rc = x ? fmt_read_all(in, "UTF-8", sink, &x->item, err) : ERR_NOMEM;
    json_t *n = rc ? NULL : json_of(buf_str(&x->item), x->item.n);
    if (!rc && !json_is_object(n))
        rc = err_set(err, ERR_PARSE, "%s is not one JSON object: export the note again", in->name);
    if (!rc) rc = keep_note(x, n, err);
    json_decref(n);
    export_free(x);
    return rc;
}

const struct format format_keep = {
    .name = "keep",
    .help = "a Google Keep note from Takeout",
    .score = keep_score,
    .parse = keep_parse,
};

/* ---- Day One ---- */

static int dayone_score(const struct format_in *in)
{
    if (export_first(in) != '{') return 0;
    return export_has(in, "\"entries\" \"creationDate\"") ||
                   export_has(in, "\"metadata\" \"entries\" \"uuid\"")
               ? 96
               : 0;
}

/* A line of Markdown at a time: headings and list marks go, and what is left is plain words. */
static void entry_text(const json_t *v, struct buf *title, struct buf *out)
{
    struct buf raw = BUF_INIT(FORMAT_PIECE_MAX);
    struct md_refs refs = { .n = 0 };
    const char *s = export_str(v, &raw), *end = s + raw.n;
    buf_clear(title);
    buf_clear(out);
    while (s < end) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        struct span line = span_trim((struct span){ s, (size_t)((nl ? nl : end) - s) });
        s = nl ? nl + 1 : end;
        size_t hashes = 0;
        while (hashes < line.n && hashes < 6 && line.p[hashes] == '#') hashes++;
        bool heading = hashes && hashes < line.n && line.p[hashes] == ' ';
        if (heading) line = span_trim((struct span){ line.p + hashes, line.n - hashes });
        bool first = heading && !title->n && !out->n;
        if (!first && out->n) buf_addc(out, '\n');
        markdown_inline(line.p, line.n, &refs, first ? title : out);
    }
    buf_free(&raw);
}

static int dayone_entry(struct export *x, const json_t *e, uint64_t where, struct err *err)
{
    struct piece p;
    struct buf id = BUF_INIT(256);
    entry_text(json_object_get(e, "text"), &x->title, &x->text);
    if (!span_trim(span_of(buf_str(&x->text))).n && x->title.n) {
        buf_add(&x->text, buf_str(&x->title), x->title.n);
        buf_clear(&x->title);
    }
    if (!span_trim(span_of(buf_str(&x->text))).n) {
        fmt_skip(x->sink, "empty message", where);
        return 0;
    }
    int rc = export_piece(x, PIECE_DOC, &p, err);
    if (!rc) {
        p.written_at = export_time(x, json_object_get(e, "creationDate"));
        p.id = export_str(json_object_get(e, "uuid"), &id);
        p.sent_by_owner = true;
        rc = fmt_emit(x->o, x->sink, &p, where, err);
    }
    buf_free(&id);
    return rc;
}

static int dayone_parse(struct format_in *in, const struct format_opts *o,
                        const struct piece_sink *sink, struct err *err)
{
    return export_file(in, o, sink, "entries", dayone_entry, NULL, err);
}

const struct format format_dayone = {
    .name = "dayone",
    .help = "a Day One journal exported as JSON",
    .score = dayone_score,
    .parse = dayone_parse,
};
