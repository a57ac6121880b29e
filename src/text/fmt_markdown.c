/* Markdown notes and journals, to plain words. Not a Markdown renderer: what is wanted is what the
 * author wrote, in lines and paragraphs, so a line reader with a few states is enough and works in
 * constant memory.
 *
 * Lines gather into blocks (paragraph, list item, heading, quote); a finished block goes through
 * markdown_inline and into the document. Left out: front matter, fenced code, tables' rulers, link
 * definitions. Soft line breaks become blanks, hard ones stay. "> " quotes are other people's words
 * and go to `quoted`; a line without ">" after one is the author's own again, although CommonMark
 * would count it to the quote, because that is how people answer.
 *
 * The first heading is the title and is not repeated in the text.
 *
 * Two dialects need care. Obsidian marks callouts like quotes ("> [!note] Title"), and they are the
 * author's own words. Notion writes the columns of a database under a page's title ("Created:
 * January 5, 2021 3:15 PM"), which are nobody's: their dates count, and they go. */
#include "base/str.h"
#include "text/date.h"
#include "text/fmt.h"
#include "text/html.h"
#include "text/markdown.h"

#include <stdlib.h>
#include <string.h>

enum block { NONE, TEXT, QUOTE, HTML };

struct md {
    struct doc doc;
    const struct format_opts *o;
    enum block kind;
    struct buf block, words;
    int block_lines;
    bool hard;    /* the last line ended with two blanks or a backslash */
    bool gap[2];  /* a blank line is owed in text, quoted */
    bool comment; /* inside <!-- ... */
    char fence;   /* '`' or '~' while inside fenced code */
    size_t fence_n;
    bool titled, named; /* has a title; the file's name holds its date */
    bool notion;        /* properties may stand under the title */
    bool callout;       /* inside one: the author's own words, though marked like a quote */
    uint64_t line;
    struct md_refs refs;
};

/* ---- recognition ---- */

static int score(const struct format_in *in)
{
    if (fmt_named(in, ".md .markdown .mdown .mkd")) return 75;
    if (fmt_named(in,
                  ".txt .text .csv .tsv .json .jsonl .html .htm .eml .mbox .xml .yaml .yml .toml"))
        return 0;
    struct span s = { (const char *)in->head, in->head_n };
    bool front = s.n > 8 && (!memcmp(s.p, "---\n", 4) || !memcmp(s.p, "---\r\n", 5));
    if (front &&
        (memmem(s.p + 3, s.n - 3, "\n---\n", 5) || memmem(s.p + 3, s.n - 3, "\n---\r\n", 6)))
        return 40;
    int marks = 0;
    for (const char *p = s.p, *end = s.p + s.n; p < end;) {
        const char *q = memchr(p, '\n', (size_t)(end - p));
        if (!q) q = end;
        if (q - p > 3 && (!memcmp(p, "# ", 2) || !memcmp(p, "## ", 3))) marks += 2;
        p = q + 1;
    }
    return marks >= 4 ? 30 : 0;
}

/* ---- blocks ---- */

static int add(struct md *m, bool quoted, const char *s, size_t n, struct err *err)
{
    int rc = m->gap[quoted] ? doc_add(&m->doc, quoted, "", 0, err) : 0;
    m->gap[quoted] = false;
    return rc ? rc : doc_add(&m->doc, quoted, s, n, err);
}

static int heading(struct md *m, struct err *err)
{
    struct span s = span_trim((struct span){ buf_str(&m->words), m->words.n }), rest;
    int64_t t;
    if (!s.n) return 0;
    if (m->doc.split && doc_dated_heading(s, m->o->day_first, true, &t, &rest)) {
        m->titled = true;
        m->gap[0] = m->gap[1] = false;
        return doc_entry(&m->doc, rest.n ? rest : s, t, m->line, err);
    }
    if (!m->titled && !m->doc.text.n) {
        m->titled = true;
        if (m->doc.date == CLOCK_NONE && !m->named && doc_date_inside(s, m->o->day_first, &t))
            m->doc.date = t;
        buf_clear(&m->doc.title);
        buf_add(&m->doc.title, s.p, utf8_cut(s.p, s.n, 500));
        return 0;
    }
    if (m->doc.title.n && span_eq(s, buf_str(&m->doc.title)) && !m->doc.text.n) return 0;
    m->gap[0] = m->doc.text.n > 0;
    int rc = add(m, false, s.p, s.n, err);
    m->gap[0] = true;
    return rc;
}

static int html_block(struct md *m, struct err *err)
{
    struct buf t = BUF_INIT(FORMAT_PIECE_MAX), q = BUF_INIT(FORMAT_PIECE_MAX);
    int rc = html_text(buf_str(&m->block), m->block.n, &t, &q, NULL, NULL, err);
    if (rc == ERR_LIMIT) rc = 0; /* intricate markup is no loss of words */
    struct buf *part[] = { &t, &q };
    for (int i = 0; i < 2 && !rc; i++) {
        buf_clear(&m->words);
        utf8_clean(&m->words, buf_str(part[i]), part[i]->n);
        if (m->words.n) rc = add(m, i == 1, buf_str(&m->words), m->words.n, err);
    }
    buf_free(&t);
    buf_free(&q);
    return rc;
}

/* ---- Notion's properties ---- */

static bool at_properties(const struct md *m) { return m->notion && m->titled && !m->doc.text.n; }

/* Are all lines of the block "Key: value"? */
static bool all_properties(struct span block)
{
    for (const char *p = block.p, *end = p + block.n; p < end;) {
        const char *q = memchr(p, '\n', (size_t)(end - p));
        if (!q) q = end;
        const char *colon = memmem(p, (size_t)(q - p), ": ", 2);
        if (!colon || colon == p || colon - p > 60) return false;
        p = q + 1;
    }
    return block.n > 0;
}

static void property(struct md *m, struct span key, struct span v)
{
    static const char *const created[] = { "created", "created time", "date", "date created",
                                           NULL };
    int64_t t;
    for (int i = 0; created[i]; i++)
        if (span_ieq(key, created[i]) && fmt_when(m->o, 0, v, &t)) m->doc.date = t;
    bool edited = span_ieq(key, "last edited time") || span_ieq(key, "last edited");
    if (edited && m->doc.date == CLOCK_NONE && fmt_when(m->o, 0, v, &t)) m->doc.date = t;
}

static void properties(struct md *m)
{
    struct span b = { buf_str(&m->block), m->block.n };
    for (const char *p = b.p, *end = p + b.n; p < end;) {
        const char *q = memchr(p, '\n', (size_t)(end - p));
        if (!q) q = end;
        const char *colon = memmem(p, (size_t)(q - p), ": ", 2);
        property(m, span_trim((struct span){ p, (size_t)(colon - p) }),
                 span_trim((struct span){ colon + 2, (size_t)(q - colon) - 2 }));
        p = q + 1;
    }
    fmt_skip(m->doc.sink, "properties of a page", m->line);
    m->notion = false;
}

/* Finish the block at hand. as_heading: it turned out to be one. */
static int flush(struct md *m, bool as_heading, struct err *err)
{
    int64_t t;
    struct span rest;
    int rc = 0;
    if (m->kind == NONE) return 0;
    if (m->kind == HTML) {
        rc = html_block(m, err);
    } else if (m->kind == TEXT && !as_heading && at_properties(m) &&
               all_properties((struct span){ buf_str(&m->block), m->block.n })) {
        properties(m);
    } else {
        buf_clear(&m->words);
        markdown_inline(buf_str(&m->block), m->block.n, &m->refs, &m->words);
        struct span s = { buf_str(&m->words), m->words.n };
        bool dated = m->kind == TEXT && m->doc.split && m->block_lines == 1 &&
                     doc_dated_heading(s, m->o->day_first, false, &t, &rest);
        if (m->words.failed == ERR_NOMEM) rc = err_nomem(err);
        else if (as_heading || dated) rc = heading(m, err);
        else if ((s = span_trim(s)).n) rc = add(m, m->kind == QUOTE, s.p, s.n, err);
    }
    buf_clear(&m->block);
    m->kind = NONE;
    m->block_lines = 0;
    m->hard = m->comment = false;
    return rc;
}

/* A line into the block of that kind; `fresh` begins a new one (list items, table rows). */
static int gather(struct md *m, enum block kind, bool fresh, struct span s, struct err *err)
{
    int rc = 0;
    bool hard = s.n >= 2 && !memcmp(s.p + s.n - 2, "  ", 2);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    if (m->kind != NONE &&
        (fresh || m->kind != kind || m->block.n + s.n + 2 > FORMAT_PIECE_MAX - 1))
        rc = flush(m, false, err);
    if (s.n && s.p[s.n - 1] == '\\' && kind != HTML) hard = true, s.n--;
    if (m->kind != NONE) buf_addc(&m->block, m->hard || kind == HTML ? '\n' : ' ');
    buf_add(&m->block, s.p, s.n);
    m->kind = kind;
    m->hard = hard || (kind == TEXT && at_properties(m));
    m->block_lines++;
    return rc ? rc : m->block.failed == ERR_NOMEM ? err_nomem(err) : 0;
}

/* ---- what kind of line? ---- */

static struct span skip_blanks(struct span s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t')) s.p++, s.n--;
    return s;
}

/* How many of c begin s. */
static size_t run_of(struct span s, char c)
{
    size_t n = 0;
    while (n < s.n && s.p[n] == c) n++;
    return n;
}

/* Only c, blanks and at least `least` of it. */
static bool ruler(struct span s, char c, size_t least)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == c) n++;
        else if (s.p[i] != ' ' && s.p[i] != '\t') return false;
    }
    return n >= least;
}

/* Bytes of a list marker with its blanks, 0 if none. */
static size_t list_marker(struct span s)
{
    size_t n = 0;
    if (s.n && strchr("-*+", *s.p)) n = 1;
    else {
        while (n < s.n && n < 9 && s.p[n] >= '0' && s.p[n] <= '9') n++;
        if (!n || n >= s.n || (s.p[n] != '.' && s.p[n] != ')')) return 0;
        n++;
    }
    return n < s.n && (s.p[n] == ' ' || s.p[n] == '\t') ? n + 1 : 0;
}

static bool table_ruler(struct span s)
{
    bool dash = false, bar = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!strchr("|-: \t", s.p[i])) return false;
        dash |= s.p[i] == '-';
        bar |= s.p[i] == '|';
    }
    return dash && bar;
}

/* "[id]: url", and its id. */
static bool definition(struct span s, struct span *id)
{
    const char *q = s.n > 3 && *s.p == '[' && s.p[1] != '^' ? memchr(s.p, ']', s.n) : NULL;
    if (!q || q + 2 >= s.p + s.n || q[1] != ':') return false;
    *id = (struct span){ s.p + 1, (size_t)(q - s.p) - 1 };
    return id->n && memchr(id->p, '[', id->n) == NULL;
}

static bool html_start(struct span s)
{
    if (s.n < 3 || *s.p != '<') return false;
    if (s.n >= 4 && !memcmp(s.p, "<!--", 4)) return true;
    size_t i = 1 + (s.p[1] == '/');
    size_t from = i;
    while (i < s.n && ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z')) i++;
    while (i < s.n && i > from && s.p[i] >= '0' && s.p[i] <= '9') i++;
    return i > from && i < s.n && (s.p[i] == '>' || s.p[i] == ' ' || s.p[i] == '/');
}

static int list_item(struct md *m, enum block kind, struct span s, size_t marker, struct err *err)
{
    struct span rest = { s.p + marker, s.n - marker };
    bool bullet = strchr("-*+", *s.p) != NULL;
    if (rest.n >= 4 && rest.p[0] == '[' && rest.p[2] == ']' && strchr(" xX", rest.p[1]))
        rest.p += 3, rest.n -= 3;
    rest = skip_blanks(rest);
    int rc = gather(m, kind, true, (struct span){ s.p, 0 }, err);
    if (bullet) buf_adds(&m->block, "- ");
    else {
        buf_add(&m->block, s.p, marker - 2);
        buf_adds(&m->block, ". ");
    }
    buf_add(&m->block, rest.p, rest.n);
    m->block_lines = 2; /* never a dated heading */
    return rc;
}

static int table_row(struct md *m, struct span s, struct err *err)
{
    int rc = gather(m, TEXT, true, (struct span){ s.p, 0 }, err);
    bool blank = false;
    for (size_t i = 0; i < s.n; i++) { /* bars and the blanks beside them: one blank */
        bool bar = s.p[i] == '|' && (!i || s.p[i - 1] != '\\');
        if (bar || s.p[i] == ' ' || s.p[i] == '\t') {
            blank = true;
            continue;
        }
        if (blank && m->block.n) buf_addc(&m->block, ' ');
        buf_addc(&m->block, s.p[i]);
        blank = false;
    }
    m->block_lines = 2;
    return rc;
}

static int text_line(struct md *m, struct span s, struct err *err);

/* "[!note]- Title": *rest is the title. Of [!quote] the words are somebody else's. */
static bool callout(struct span s, struct span *rest, bool *own)
{
    const char *q = s.n > 3 && s.p[0] == '[' && s.p[1] == '!' ? memchr(s.p, ']', s.n) : NULL;
    if (!q || q - s.p > 40) return false;
    struct span type = { s.p + 2, (size_t)(q - s.p) - 2 };
    *rest = (struct span){ q + 1, (size_t)(s.p + s.n - q) - 1 };
    if (rest->n && strchr("+-", *rest->p)) rest->p++, rest->n--;
    *rest = span_trim(*rest);
    *own = !span_ieq(type, "quote") && !span_ieq(type, "cite");
    return true;
}

static int quote_line(struct md *m, struct span s, struct err *err)
{
    struct span title;
    bool begins = m->kind != QUOTE && !m->callout, own = false;
    while (s.n && *s.p == '>') {
        s.p++, s.n--;
        s = skip_blanks(s);
    }
    if (begins && callout(s, &title, &own)) s = title;
    if (own) {
        int rc = flush(m, false, err);
        m->callout = true;
        return rc || !title.n ? rc : gather(m, TEXT, true, title, err);
    }
    if (m->callout && s.n) return text_line(m, s, err);
    size_t h = run_of(s, '#');
    if (h && h < s.n && s.p[h] == ' ') s.p += h + 1, s.n -= h + 1;
    if (!s.n) {
        int rc = flush(m, false, err);
        m->gap[1] = m->doc.quoted.n > 0;
        return rc;
    }
    size_t marker = list_marker(s);
    return marker ? list_item(m, QUOTE, s, marker, err) : gather(m, QUOTE, h > 0, s, err);
}

static int text_line(struct md *m, struct span s, struct err *err)
{
    int rc;
    struct span id;
    size_t h = run_of(s, '#'), marker;
    if (*s.p == '>') return quote_line(m, s, err);
    if (h && h <= 6 && (h == s.n || s.p[h] == ' ' || s.p[h] == '\t')) {
        s = span_trim((struct span){ s.p + h, s.n - h });
        while (s.n && s.p[s.n - 1] == '#') s.n--;
        if ((rc = flush(m, false, err)) || (rc = gather(m, TEXT, true, span_trim(s), err)))
            return rc;
        return flush(m, true, err);
    }
    bool under = m->kind == TEXT && m->block_lines == 1;
    if (under && (ruler(s, '=', 1) || ruler(s, '-', 2)) && !memchr(s.p, ' ', span_trim(s).n))
        return flush(m, true, err);
    if (ruler(s, '-', 3) || ruler(s, '*', 3) || ruler(s, '_', 3)) {
        rc = flush(m, false, err);
        m->gap[0] = m->doc.text.n > 0;
        return rc;
    }
    if (m->kind != TEXT && definition(s, &id)) return 0;
    if (table_ruler(s)) return flush(m, false, err);
    if (*s.p == '|') return table_row(m, s, err);
    if ((marker = list_marker(s))) return list_item(m, TEXT, s, marker, err);
    return gather(m, TEXT, false, s, err);
}

static int one_line(struct md *m, const struct line *ln, struct err *err)
{
    struct span s = skip_blanks((struct span){ ln->s, ln->n });
    char mark = s.n ? *s.p : 0;
    size_t fence = mark == '`' || mark == '~' ? run_of(s, mark) : 0;
    int rc;
    m->line = ln->no;
    if (mark != '>') m->callout = false;
    if (m->fence) {
        if (mark == m->fence && fence >= m->fence_n &&
            !span_trim((struct span){ s.p + fence, s.n - fence }).n)
            m->fence = 0;
        return 0;
    }
    if (m->kind == HTML && (m->comment || s.n)) {
        if (m->comment && s.n && memmem(s.p, s.n, "-->", 3)) m->comment = false;
        return gather(m, HTML, false, s, err);
    }
    if (!span_trim(s).n) {
        rc = flush(m, false, err);
        m->gap[0] = m->doc.text.n > 0;
        m->gap[1] = m->doc.quoted.n > 0;
        return rc;
    }
    if (fence >= 3 && !(mark == '`' && memchr(s.p + fence, '`', s.n - fence))) {
        m->fence = mark;
        m->fence_n = fence;
        return flush(m, false, err);
    }
    if (m->kind == NONE && html_start(s)) {
        m->comment = !memcmp(s.p, "<!-", 3) && !memmem(s.p, s.n, "-->", 3);
        bool comment = m->comment;
        rc = gather(m, HTML, true, s, err);
        m->comment = comment;
        return rc;
    }
    return text_line(m, s, err);
}

/* ---- front matter ---- */

static struct span yaml_value(struct span s)
{
    s = span_trim(s);
    if (s.n && *s.p == '[') { /* the first of a list */
        s.p++, s.n--;
        size_t k = 0;
        while (k < s.n && s.p[k] != ',' && s.p[k] != ']') k++;
        s = span_trim((struct span){ s.p, k });
    }
    if (s.n >= 2 && (*s.p == '"' || *s.p == '\'') && s.p[s.n - 1] == *s.p) s.p++, s.n -= 2;
    else {
        const char *c = memmem(s.p, s.n, " #", 2);
        if (c) s.n = (size_t)(c - s.p);
    }
    return span_trim(s);
}

/* As Obsidian's plugins, Joplin and exporters of Apple Notes call it. */
static bool is_birth(struct span key)
{
    static const char *const names[] = { "created",     "published",    "created_at",
                                         "created-at",  "date created", "creation date",
                                         "date-created" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_ieq(key, names[i])) return true;
    return false;
}

static void front_key(struct md *m, struct span key, struct span v)
{
    int64_t t;
    if (!v.n) return;
    if (span_ieq(key, "title") && !m->titled) {
        buf_add(&m->doc.title, v.p, utf8_cut(v.p, v.n, 500));
        m->titled = true;
    } else if ((span_ieq(key, "date") || (is_birth(key) && m->doc.date == CLOCK_NONE)) &&
               fmt_when(m->o, m->o->day_first, v, &t)) {
        m->doc.date = t;
    } else if ((span_ieq(key, "author") || span_ieq(key, "authors") || span_ieq(key, "by")) &&
               !m->doc.author.n) {
        buf_add(&m->doc.author, v.p, utf8_cut(v.p, v.n, 200));
    }
}

/* Is there front matter that ends within the head? */
static bool has_front(const struct format_in *in)
{
    struct buf head = BUF_INIT(FORMAT_HEAD * 4);
    bool front = false;
    fmt_head_utf8(in, &head);
    const char *p = buf_str(&head), *end = p + head.n;
    for (int line = 0; p < end && !front; line++) {
        const char *q = memchr(p, '\n', (size_t)(end - p));
        if (!q) q = end;
        struct span s = span_trim((struct span){ p, (size_t)(q - p) });
        if (!line && !span_eq(s, "---")) break;
        if (line && !memchr(s.p, ':', s.n) && s.n && !strchr("-#. [{\"'", *s.p) && *p != ' ' &&
            *p != '\t')
            break;
        front = line && (span_eq(s, "---") || span_eq(s, "..."));
        p = q + 1;
    }
    buf_free(&head);
    return front;
}

static int read_front(struct md *m, struct lines *l, struct err *err)
{
    struct line ln;
    int rc;
    char last[32] = "";
    for (bool first = true; (rc = lines_next(l, &ln, err)) > 0; first = false) {
        struct span s = span_trim((struct span){ ln.s, ln.n });
        if (!first && (span_eq(s, "---") || span_eq(s, "..."))) return 0;
        const char *colon = memchr(s.p, ':', s.n);
        if (s.n && ln.n && *ln.s != ' ' && *ln.s != '-' && colon) {
            struct span key = { s.p, (size_t)(colon - s.p) };
            snprintf(last, sizeof last, "%.*s", (int)(key.n < 31 ? key.n : 31), key.p);
            front_key(m, span_trim(key), yaml_value((struct span){ colon + 1, s.n - key.n - 1 }));
        } else if (s.n > 1 && *s.p == '-' && s.p[1] == ' ') { /* an item of a list below its key */
            front_key(m, span_of(last), yaml_value((struct span){ s.p + 1, s.n - 1 }));
        }
    }
    return rc;
}

static void find_refs(const struct format_in *in, struct md_refs *refs, struct lines *all)
{
    struct line ln;
    struct span id;
    while (lines_next(all, &ln, NULL) > 0 && refs->n < MD_REFS)
        if (definition(skip_blanks((struct span){ ln.s, ln.n }), &id)) md_refs_add(refs, id);
    rewind(in->f);
}

static int parse(struct format_in *in, const struct format_opts *given,
                 const struct piece_sink *sink, struct err *err)
{
    struct format_opts solved = *given, *o = &solved;
    struct line ln;
    int64_t t;
    int rc = 0;
    struct md *m = calloc(1, sizeof *m);
    if (!m) return err_nomem(err);
    solved.day_first = doc_day_first(in, given);
    doc_init(&m->doc, in, o, sink);
    m->o = o;
    m->block.max = FORMAT_PIECE_MAX;
    m->words.max = FORMAT_PIECE_MAX * 4;
    m->named = date_in_name(in->name, &t);
    m->notion = fmt_notion_name(in->name) > 0;
    m->doc.split = doc_is_dated(in, o->day_first);
    struct lines *l = lines_new(in, NULL, err);
    if (l) find_refs(in, &m->refs, l);
    lines_free(l);
    l = l ? lines_new(in, sink, err) : NULL;
    if (!l) rc = ERR_PARSE;
    if (!rc && has_front(in)) rc = read_front(m, l, err);
    while (!rc && (rc = lines_next(l, &ln, err)) > 0) rc = one_line(m, &ln, err);
    if (!rc) rc = flush(m, false, err);
    if (!rc) rc = doc_end(&m->doc, err);
    lines_free(l);
    doc_clear(&m->doc);
    buf_free(&m->block);
    buf_free(&m->words);
    free(m);
    return rc;
}

const struct format format_markdown = {
    .name = "markdown",
    .help = "Markdown notes and journals, with YAML front matter",
    .score = score,
    .parse = parse,
};
