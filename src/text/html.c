/* Text of a page. Gumbo builds the tree (HTML5's own error recovery, so it is what a browser would
 * show); a walk without recursion, by parent links, turns blocks into paragraphs.
 *
 * Gumbo was not made for hostile input in three ways, and each has its answer here:
 * - its destructor recurses per level: all its memory comes from an arena of ours, and is freed as
 *   one, so the destructor never runs;
 * - its algorithm is quadratic in open elements and in attributes: flatten() first drops the tags
 * of elements that would stand deeper than MAX_DEPTH, and tags longer than MAX_TAG;
 * - it does not look whether malloc failed: the arena leaves by longjmp when the page wants more
 *   than MAX_MEMORY or MAX_SECONDS. Gumbo keeps no state outside that memory, so this is safe. */
#include "text/html.h"

#include "base/arena.h"
#include "base/str.h"
#include "text/date.h"

#include <gumbo.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define MAX_DEPTH   400
#define MAX_TAG     65536 /* bytes; pictures inside a tag are longer, words are not */
#define MAX_MEMORY  ((size_t)192 << 20)
#define MAX_SECONDS 10.0

/* ---- before Gumbo: no deep nesting ---- */

static const char *const uncounted[] = {
    /* void, or closed by their next sibling */
    "p",     "li",    "td",     "th",    "tr",  "dt",    "dd",   "option", "optgroup", "tbody",
    "thead", "tfoot", "br",     "hr",    "img", "input", "meta", "link",   "area",     "base",
    "col",   "embed", "source", "track", "wbr", "param", "html", "head",   "body",     NULL,
};
/* No tags inside; of these, the words of the last two are kept. */
static const char *const raw_text[] = { "script",   "style", "textarea", "iframe", "noembed",
                                        "noframes", "title", "xmp",      NULL };

static bool among(const char *const *list, struct span w)
{
    for (; *list; list++)
        if (span_ieq(w, *list)) return true;
    return false;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

/* One past the '>' that ends the tag at p, just behind its name; end if it never does. Quotes count
 * where HTML5 counts them: as the first character of a value. '=' where a name is due is a name. */
static const char *tag_end(const char *p, const char *end)
{
    enum { GAP, NAME, VALUE_DUE, VALUE } at = GAP;
    bool named = false; /* in a gap: an attribute stands before it, which may have a value yet */
    for (; p < end && *p != '>'; p++) {
        if (at == VALUE_DUE && (*p == '"' || *p == '\'')) {
            p = memchr(p + 1, *p, (size_t)(end - p) - 1);
            if (!p) return end;
            at = GAP, named = false;
        } else if (blank(*p)) {
            if (at == VALUE) named = false;
            if (at != VALUE_DUE) at = GAP;
        } else if (*p == '/' && at <= NAME) {
            at = GAP, named = false;
        } else if (*p == '=' && (at == NAME || (at == GAP && named))) {
            at = VALUE_DUE;
        } else if (at == VALUE_DUE) {
            at = VALUE;
        } else if (at == GAP) {
            at = NAME, named = true;
        }
    }
    return p < end ? p + 1 : end;
}

static bool alpha(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }

/* The elements that are open, as hashes of their names. */
struct stack {
    uint64_t open[MAX_DEPTH];
    size_t depth;
    int foreign; /* how many of them are <svg> or <math>, inside which every element counts */
};

struct tag {
    char name[64]; /* in lower case */
    bool closing;
    const char *end; /* one past its '>' */
};

/* The tag at p, a '<'. False where none begins, or its name is none that a page could need. */
static bool read_tag(const char *p, const char *end, struct tag *t)
{
    size_t n = 0;
    t->closing = p + 1 < end && p[1] == '/';
    p += 1 + t->closing;
    for (; p < end && !blank(*p) && *p != '/' && *p != '>'; p++, n++)
        if (n < sizeof t->name - 1) t->name[n] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    t->name[n < sizeof t->name ? n : sizeof t->name - 1] = 0;
    t->end = tag_end(p, end);
    return n < sizeof t->name;
}

/* Where the raw text of element `name` that begins at p ends: at its end tag. */
static const char *raw_end(const char *p, const char *end, const char *name)
{
    size_t n = strlen(name);
    while (p < end && (p = memchr(p, '<', (size_t)(end - p)))) {
        if ((size_t)(end - p) >= n + 2 && p[1] == '/' && !strncasecmp(p + 2, name, n)) return p;
        p++;
    }
    return end;
}

/* Notes the tag. Returns whether it has to go. */
static bool count_tag(struct stack *s, const struct tag *t)
{
    uint64_t h = hash64(t->name, strlen(t->name), 0);
    int foreign = !strcmp(t->name, "svg") || !strcmp(t->name, "math");
    if (!s->foreign && among(uncounted, span_of(t->name))) return false;
    if (t->closing) {
        size_t i = s->depth;
        while (i && s->open[i - 1] != h) i--;
        if (!i) return true;
        memmove(s->open + i - 1, s->open + i, (s->depth-- - i) * sizeof *s->open);
        s->foreign -= foreign;
        return false;
    }
    if (s->depth == MAX_DEPTH) return true;
    s->open[s->depth++] = h;
    s->foreign += foreign;
    return false;
}

/* Copies html without the start and end tags of elements nested deeper than MAX_DEPTH. An end tag
 * removes only its own element, so that depth is not counted too low. Comments and scripts go
 * altogether: opinions differ on where they end. */
static void flatten(const char *html, size_t n, struct buf *out)
{
    struct stack s = { .depth = 0 };
    struct tag t;
    const char *end = html + n, *run = html, *p = html;
    while (p < end && (p = memchr(p, '<', (size_t)(end - p)))) {
        char c = p + 1 < end ? p[1] : 0, d = c == '/' && p + 2 < end ? p[2] : 0;
        const char *after;
        bool drop = true;
        if (c == '!' || c == '?' || (d && !alpha(d))) {
            bool comment = end - p >= 4 && !memcmp(p, "<!--", 4);
            const char *q = comment ? memmem(p + 2, (size_t)(end - p) - 2, "-->", 3)
                                    : memchr(p, '>', (size_t)(end - p));
            after = q ? q + (comment ? 3 : 1) : end;
        } else if (!alpha(c) && !d) {
            p++;
            continue;
        } else if (!read_tag(p, end, &t) || t.end - p > MAX_TAG) {
            after = t.end;
        } else if (!t.closing && among(raw_text, span_of(t.name))) {
            bool words = !strcmp(t.name, "title") || !strcmp(t.name, "xmp");
            after = raw_end(t.end, end, t.name);
            drop = count_tag(&s, &t) || !words;
        } else {
            after = t.end;
            drop = count_tag(&s, &t);
        }
        if (drop) {
            buf_add(out, run, (size_t)(p - run));
            run = after;
        }
        p = after;
    }
    buf_add(out, run, (size_t)(end - run));
}

/* ---- memory for Gumbo ---- */

struct pool {
    struct arena *arena;
    jmp_buf full;
    double until;
    unsigned calls;
};

static void *pool_alloc(void *ud, size_t n)
{
    struct pool *pool = ud;
    void *p = arena_alloc(pool->arena, n ? n : 1);
    if (!p || ((++pool->calls & 1023) == 0 && clock_mono() > pool->until)) longjmp(pool->full, 1);
    return p;
}

static void pool_free(void *ud, void *p) {}

/* ---- the walk ---- */

struct walk {
    struct buf *text, *quoted, *title;
    struct buf title_tag, h1;
    int64_t date;
    int pre, quote, in_h1;    /* how many such elements are open */
    int text_gap, quoted_gap; /* line ends owed before the next words: 0, 1 or 2 */
    bool text_space, quoted_space;
    size_t text_from, quoted_from; /* where our output begins in the callers' buffers */
};

static struct buf *sink_of(struct walk *w) { return w->quote ? w->quoted : w->text; }

static void gap(struct walk *w, int lines)
{
    int *g = w->quote ? &w->quoted_gap : &w->text_gap;
    if (*g < lines) *g = lines;
}

/* Words: white space is folded to one blank, outside of <pre>. */
static void words(struct walk *w, const char *s, size_t n)
{
    struct buf *b = sink_of(w);
    int *g = w->quote ? &w->quoted_gap : &w->text_gap;
    bool *space = w->quote ? &w->quoted_space : &w->text_space;
    size_t from = w->quote ? w->quoted_from : w->text_from;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool blank = c == ' ' || (c >= 9 && c <= 13);
        if (blank && !(w->pre && b && b->n > from && !*g)) {
            *space = true;
            continue;
        }
        if (w->in_h1 && !w->h1.failed) {
            if (*space && w->h1.n) buf_addc(&w->h1, ' ');
            buf_addc(&w->h1, c);
        }
        if (b && b->n > from) {
            if (*g) buf_add(b, "\n\n", (size_t)*g);
            else if (*space) buf_addc(b, ' ');
        }
        *g = 0;
        *space = false;
        if (b) buf_addc(b, c);
    }
}

static bool has_hidden(const GumboElement *e)
{
    const GumboAttribute *a;
    if (gumbo_get_attribute(&e->attributes, "hidden")) return true;
    a = gumbo_get_attribute(&e->attributes, "aria-hidden");
    if (a && !strcasecmp(a->value, "true")) return true;
    a = gumbo_get_attribute(&e->attributes, "style");
    if (!a) return false;
    struct span st = span_of(a->value);
    const char *d = span_ifind(st, "display");
    const char *v = span_ifind(st, "visibility");
    if (d && span_ifind(span_of(d), "none"))
        return strcspn(d, ";") > 7 && span_ifind((struct span){ d, strcspn(d, ";") }, "none");
    return v && span_ifind((struct span){ v, strcspn(v, ";") }, "hidden");
}

static bool skipped_tag(GumboTag t)
{
    switch (t) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_MATH:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_META: return true;
    default: return false;
    }
}

/* Line ends around an element: 2 for paragraphs, 1 for lines, 0 for words in a line. */
static int breaks(GumboTag t)
{
    switch (t) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_DETAILS: return 2;
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_LEGEND: return 1;
    default: return 0;
    }
}

static void set_date(struct walk *w, const char *s)
{
    int64_t t;
    struct span v = span_trim(span_of(s));
    if (w->date == CLOCK_NONE && (clock_parse_iso(v, &t) || date_parse(v, -1, &t))) w->date = t;
}

static void meta(struct walk *w, const GumboElement *e)
{
    static const char *const names[] = { "article:published_time",
                                         "date",
                                         "dc.date",
                                         "dcterms.date",
                                         "dcterms.created",
                                         "datepublished",
                                         "og:published_time",
                                         "publish-date",
                                         "pubdate",
                                         NULL };
    static const char *const keys[] = { "property", "name", "itemprop" };
    const GumboAttribute *c = gumbo_get_attribute(&e->attributes, "content");
    for (size_t i = 0; c && i < 3; i++) {
        const GumboAttribute *a = gumbo_get_attribute(&e->attributes, keys[i]);
        if (a && among(names, span_of(a->value))) set_date(w, c->value);
    }
}

/* Returns whether the children of node are to be visited. */
static bool enter(struct walk *w, const GumboNode *node)
{
    const GumboElement *e = &node->v.element;
    if (e->tag == GUMBO_TAG_META) meta(w, e);
    if (skipped_tag(e->tag) || has_hidden(e)) return false;
    if (e->tag == GUMBO_TAG_TITLE) {
        for (unsigned i = 0; i < e->children.length; i++) {
            const GumboNode *t = e->children.data[i];
            if (t->type == GUMBO_NODE_TEXT && !w->title_tag.n)
                buf_adds(&w->title_tag, t->v.text.text);
        }
        return false;
    }
    if (e->tag == GUMBO_TAG_TIME) {
        const GumboAttribute *a = gumbo_get_attribute(&e->attributes, "datetime");
        if (a) set_date(w, a->value);
    }
    gap(w, breaks(e->tag));
    if (e->tag == GUMBO_TAG_BR) gap(w, 1);
    if (e->tag == GUMBO_TAG_TD || e->tag == GUMBO_TAG_TH) words(w, " ", 1);
    if (e->tag == GUMBO_TAG_BLOCKQUOTE) {
        w->quote++;
        gap(w, 2);
    }
    w->pre += e->tag == GUMBO_TAG_PRE;
    w->in_h1 += e->tag == GUMBO_TAG_H1;
    return true;
}

static void leave(struct walk *w, const GumboNode *node)
{
    GumboTag t = node->v.element.tag;
    w->pre -= t == GUMBO_TAG_PRE;
    w->in_h1 -= t == GUMBO_TAG_H1;
    w->quote -= t == GUMBO_TAG_BLOCKQUOTE;
    gap(w, breaks(t));
}

static const GumboVector *children(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_ELEMENT) return &node->v.element.children;
    if (node->type == GUMBO_NODE_DOCUMENT) return &node->v.document.children;
    return NULL;
}

static void walk_tree(struct walk *w, const GumboNode *root)
{
    const GumboNode *node = root;
    bool down = true;
    for (;;) {
        const GumboVector *kids = children(node);
        if (down && (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE ||
                     node->type == GUMBO_NODE_CDATA))
            words(w, node->v.text.text, strlen(node->v.text.text));
        if (down && kids && (node->type != GUMBO_NODE_ELEMENT || enter(w, node))) {
            if (kids->length) {
                node = kids->data[0];
                continue;
            }
            if (node->type == GUMBO_NODE_ELEMENT) leave(w, node);
        }
        if (node == root) return;
        const GumboNode *up = node->parent;
        const GumboVector *row = children(up);
        size_t next = node->index_within_parent + 1;
        down = next < row->length;
        if (down) {
            node = row->data[next];
        } else {
            node = up;
            if (node->type == GUMBO_NODE_ELEMENT) leave(w, node);
        }
    }
}

static void finish_title(struct walk *w)
{
    struct buf *from = w->title_tag.n ? &w->title_tag : &w->h1;
    struct span t = span_trim((struct span){ buf_str(from), from->n });
    bool space = false;
    for (size_t i = 0; w->title && i < t.n; i++) {
        bool blank = t.p[i] == ' ' || (t.p[i] >= 9 && t.p[i] <= 13);
        if (!blank && space) buf_addc(w->title, ' ');
        if (!blank) buf_addc(w->title, t.p[i]);
        space = blank;
    }
}

/* Gumbo passes on what number references say, also where no such character exists. */
static void settle(struct buf *b, size_t from)
{
    struct buf clean = BUF_INIT(0);
    if (!b || b->failed || b->n <= from) return;
    utf8_clean(&clean, b->p + from, b->n - from);
    b->n = from;
    buf_add(b, buf_str(&clean), clean.n);
    if (clean.failed) b->failed = clean.failed;
    buf_free(&clean);
}

static int read_page(const char *html, size_t n, double seconds, struct buf *text,
                     struct buf *quoted, struct buf *title, int64_t *date, struct err *err)
{
    struct buf flat = BUF_INIT(n + 16);
    struct walk w = { .text = text,
                      .quoted = quoted,
                      .title = title,
                      .date = CLOCK_NONE,
                      .text_from = text->n,
                      .quoted_from = quoted ? quoted->n : 0 };
    struct pool pool = { .until = clock_mono() + seconds };
    volatile int rc = 0;
    w.title_tag.max = w.h1.max = 4096;
    if (n > UINT32_MAX / 2) return err_set(err, ERR_LIMIT, "the page is too large");
    flatten(html, n, &flat);
    pool.arena = arena_new(MAX_MEMORY);
    if (flat.failed || !pool.arena) {
        rc = err_nomem(err);
        goto out;
    }
    if (setjmp(pool.full)) {
        rc = err_set(err, ERR_LIMIT,
                     "the page is too intricate to read: save it as plain text "
                     "in the browser and try again");
        goto out;
    }
    GumboOptions o = kGumboDefaultOptions;
    o.allocator = pool_alloc;
    o.deallocator = pool_free;
    o.userdata = &pool;
    o.max_errors = 0;
    o.stop_on_first_error = false;
    GumboOutput *tree = gumbo_parse_with_options(&o, buf_str(&flat), flat.n);
    walk_tree(&w, tree->document);
    settle(text, w.text_from);
    settle(quoted, w.quoted_from);
    settle(&w.title_tag, 0);
    settle(&w.h1, 0);
    finish_title(&w);
    if (date) *date = w.date;
    if (text->failed == ERR_NOMEM || (quoted && quoted->failed == ERR_NOMEM)) rc = err_nomem(err);
    else if (text->failed || (quoted && quoted->failed))
        rc = err_set(err, ERR_LIMIT, "the page is too long");
out:
    buf_free(&flat);
    buf_free(&w.title_tag);
    buf_free(&w.h1);
    arena_free(pool.arena);
    return rc;
}

int html_text(const char *html, size_t n, struct buf *text, struct buf *quoted, struct buf *title,
              int64_t *date, struct err *err)
{
    return read_page(html, n, MAX_SECONDS, text, quoted, title, date, err);
}

int html_part(const char *html, size_t n, double seconds, struct buf *text, struct buf *quoted,
              struct err *err)
{
    return read_page(html, n, seconds, text, quoted, NULL, NULL, err);
}
