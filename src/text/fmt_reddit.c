/* Reddit, as "Request your data" delivers it: a zip of CSV files, known by their header rows.
 *
 * comments.csv: id, permalink, date, ip, subreddit, gildings, link, parent, body, media
 * posts.csv: id, permalink, date, ip, subreddit, gildings, title, url, body
 * messages.csv, messages_archive.csv: id, permalink, thread_id, date, ip, from, to, subject, body
 * chat_history.csv: message_id, created_at, updated_at, username, message,
 *     thread_parent_message_id, channel_url, subreddit, channel_name, conversation_type
 *
 * Columns are found by name, since some come and go; post_headers.csv and the like are the same
 * rows without words, and votes and saved posts are lists of links: they are told and passed over.
 * Dates are "2020-01-02 03:04:05 UTC". Bodies are Markdown; lines that begin with ">" quote
 * somebody else. Posts and comments are the owner's, who is not named; in messages both sides are.
 */
#include "text/fmt_csv.h"

#include "base/str.h"

#include <string.h>

enum column { ID, DATE, PLACE, TITLE, BODY, PARENT, LINK, FROM, TO, THREAD, CHANNEL, URL, COLUMNS };

static const char *const names_of[COLUMNS] = {
    [ID] = "id message_id",
    [DATE] = "date created_at",
    [PLACE] = "subreddit",
    [TITLE] = "title subject",
    [BODY] = "body message",
    [PARENT] = "parent thread_parent_message_id",
    [LINK] = "link",
    [FROM] = "from username",
    [TO] = "to",
    [THREAD] = "thread_id",
    [CHANNEL] = "channel_name",
    [URL] = "channel_url",
};

static int score(const struct format_in *in)
{
    struct span s = span_trim((struct span){ (const char *)in->head, in->head_n });
    const char *nl = memchr(s.p, '\n', s.n);
    if (nl) s.n = (size_t)(nl - s.p);
    if (s.n >= 13 && !memcmp(s.p, "id,permalink,", 13)) return 95;
    if (s.n == 12 && !memcmp(s.p, "id,permalink", 12)) return 95;
    bool chat = s.n > 11 && !memcmp(s.p, "message_id,", 11);
    return chat && memmem(s.p, s.n, ",channel_url,", 13) ? 95 : 0;
}

static void find_columns(const struct csv *c, int col[COLUMNS])
{
    for (int k = 0; k < COLUMNS; k++) {
        col[k] = -1;
        for (const char *p = names_of[k]; *p && col[k] < 0; p += strcspn(p, " "), p += *p == ' ') {
            size_t n = strcspn(p, " ");
            for (int i = 0; i < c->n && col[k] < 0; i++) {
                struct span f = span_trim(span_of(csv_field(c, i)));
                if (f.n == n && !memcmp(f.p, p, n)) col[k] = i;
            }
        }
    }
}

/* Lines that begin with ">" to quoted, the others to text. */
static void split_quotes(const char *s, struct buf *text, struct buf *quoted)
{
    while (*s) {
        size_t n = strcspn(s, "\n");
        struct span line = { s, n };
        size_t mark = 0;
        while (mark < n && s[mark] == ' ') mark++;
        bool quote = s[mark] == '>' || str_starts(s + mark, "&gt;");
        if (quote) {
            mark += s[mark] == '>' ? 1 : 4;
            line = span_trim((struct span){ s + mark, mark < n ? n - mark : 0 });
        }
        struct buf *out = quote ? quoted : text;
        if (out->n) buf_addc(out, '\n');
        buf_add(out, line.p, line.n);
        s += n + (s[n] == '\n');
    }
}

static bool removed(const char *s)
{
    struct span t = span_trim(span_of(s));
    return span_eq(t, "[deleted]") || span_eq(t, "[removed]");
}

struct rows {
    struct csv *c;
    int col[COLUMNS];
    const struct format_opts *o;
    const struct piece_sink *sink;
    struct buf text, quoted, thread;
};

static const char *at(const struct rows *r, enum column k) { return csv_field(r->c, r->col[k]); }

static int row(struct rows *r, struct err *err)
{
    bool chat = r->col[URL] >= 0, mail = !chat && r->col[FROM] >= 0;
    struct piece p = fmt_piece(chat ? PIECE_CHAT : mail ? PIECE_MAIL : PIECE_DOC);
    struct csv *c = r->c;
    const char *body = at(r, BODY), *title = chat ? "" : at(r, TITLE);
    buf_clear(&r->text);
    buf_clear(&r->quoted);
    buf_clear(&r->thread);
    if (c->cut) fmt_skip(r->sink, "rest of an over-long text", c->line);
    if (removed(body) || removed(title)) {
        fmt_skip(r->sink, "deleted message", c->line);
        return 0;
    }
    split_quotes(body, &r->text, &r->quoted);
    if (!span_trim(span_of(buf_str(&r->text))).n && *title) { /* a post that is a link: its title */
        buf_clear(&r->text);
        buf_adds(&r->text, title);
        title = "";
    }
    if (!r->text.n && !r->quoted.n) {
        fmt_skip(r->sink, "row without text", c->line);
        return 0;
    }
    if (*at(r, PLACE)) buf_printf(&r->thread, "r/%s", at(r, PLACE));
    if (mail) buf_adds(&r->thread, at(r, THREAD));
    if (chat) buf_clear(&r->thread);
    if (chat) buf_adds(&r->thread, *at(r, CHANNEL) ? at(r, CHANNEL) : at(r, URL));
    p.text = buf_str(&r->text);
    p.quoted = buf_str(&r->quoted);
    p.thread = buf_str(&r->thread);
    p.title = title;
    p.id = at(r, ID);
    p.reply_to = *at(r, PARENT) ? at(r, PARENT) : "";
    p.author = p.author_id = chat || mail ? at(r, FROM) : "";
    p.sent_by_owner = !chat && !mail;
    struct span when = span_of(at(r, DATE));
    if (!fmt_when(r->o, 0, when, &p.written_at)) {
        p.written_at = CLOCK_NONE;
        if (when.n) fmt_skip(r->sink, "date not understood", c->line);
    }
    return r->text.failed == ERR_NOMEM || r->thread.failed
               ? err_nomem(err)
               : fmt_emit(r->o, r->sink, &p, c->line, err);
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    struct rows r = { .c = csv_new(in, ',', sink, err),
                      .o = o,
                      .sink = sink,
                      .text = BUF_INIT(FORMAT_PIECE_MAX),
                      .quoted = BUF_INIT(FORMAT_PIECE_MAX),
                      .thread = BUF_INIT(FORMAT_PIECE_MAX * 2) };
    int rc = r.c ? csv_next(r.c, err) : ERR_PARSE;
    if (!rc) rc = err_set(err, ERR_PARSE, "%s has no header row: request the data again", in->name);
    if (rc > 0) find_columns(r.c, r.col);
    while (rc >= 0 && (rc = csv_next(r.c, err)) > 0) {
        if (r.c->open) fmt_skip(sink, "row with an open quote", r.c->line);
        else if (r.col[BODY] < 0) fmt_skip(sink, "row without text", r.c->line);
        else if ((rc = row(&r, err))) break;
    }
    csv_free(r.c);
    buf_free(&r.text);
    buf_free(&r.quoted);
    buf_free(&r.thread);
    return rc;
}

const struct format format_reddit = {
    .name = "reddit",
    .help = "comments, posts and messages of a Reddit data request (CSV)",
    .has_authors = 1,
    .score = score,
    .parse = parse,
};
