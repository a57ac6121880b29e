/* Inline Markdown, after CommonMark's rules where they matter to the words that remain.
 *
 * One pass copies the words and notes every run of *, _ or ~~ with whether it may open or close;
 * pairs are matched as they close (CommonMark 6.2), and a second pass leaves the matched marks out.
 * Links do not recurse: at "[" the matching "]" is looked up, and a small stack remembers where to
 * go on after it, so that emphasis inside a link's words is treated like any other. Every
 * look-ahead is bounded, so time is linear in the text. */
#include "text/markdown.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 2000 /* bytes looked ahead for the end of a link, tag or code span */
#define BACK  32   /* open marks looked at for a closing one */
#define LINKS 8    /* links inside each other */

struct run {
    size_t pos; /* in the copy */
    unsigned len, used;
    char c;
    bool open, close;
};

struct inline_state {
    const char *s;
    size_t n, i;
    const struct md_refs *refs;
    struct buf copy;
    struct run *runs;
    size_t n_runs, cap_runs;
    struct {
        size_t close, resume;
    } link[LINKS];
    int depth;
};

static uint64_t ref_hash(struct span id)
{
    struct buf b = BUF_INIT(4096);
    id = span_trim(id);
    if (id.n > 200) return 0;
    utf8_fold(&b, id.p, id.n);
    uint64_t h = b.n ? hash64(b.p, b.n, 0) : 0;
    buf_free(&b);
    return h;
}

void md_refs_add(struct md_refs *r, struct span id)
{
    uint64_t h = ref_hash(id);
    if (h && r->n < MD_REFS) r->id[r->n++] = h;
}

bool md_refs_has(const struct md_refs *r, struct span id)
{
    uint64_t h = ref_hash(id);
    for (size_t i = 0; r && h && i < r->n; i++)
        if (r->id[i] == h) return true;
    return false;
}

static bool space(int c) { return c == ' ' || (c >= 9 && c <= 13) || c == 0; }
static bool punct(int c)
{
    return c > 32 && c < 127 && !((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9');
}
static bool letter(int c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }

static int at(const struct inline_state *t, size_t i)
{
    return i < t->n ? (unsigned char)t->s[i] : 0;
}

/* ---- emphasis ---- */

static void match(struct inline_state *t, struct run *closer)
{
    unsigned need = closer->c == '~' ? 2 : 1;
    for (size_t k = t->n_runs, seen = 0; k-- && seen < BACK && closer->len - closer->used >= need;
         seen++) {
        struct run *o = &t->runs[k];
        if (o == closer || o->c != closer->c || !o->open || o->len - o->used < need) continue;
        unsigned a = o->len - o->used, b = closer->len - closer->used, use = a < b ? a : b;
        o->used += use;
        closer->used += use;
        for (size_t j = k + 1; &t->runs[j] < closer; j++) t->runs[j].open = false;
    }
}

static void emphasis(struct inline_state *t)
{
    char c = t->s[t->i];
    size_t from = t->i;
    while (t->i < t->n && t->s[t->i] == c) t->i++;
    int before = from ? at(t, from - 1) : 0, after = at(t, t->i);
    bool left = !space(after) && (!punct(after) || space(before) || punct(before));
    bool right = !space(before) && (!punct(before) || space(after) || punct(after));
    struct run r = {
        .pos = t->copy.n, .len = (unsigned)(t->i - from), .c = c, .open = left, .close = right
    };
    if (c == '_') {
        r.open = left && (!right || punct(before));
        r.close = right && (!left || punct(after));
    }
    buf_add(&t->copy, t->s + from, t->i - from);
    if (c == '~' && r.len < 2) return;
    if (t->n_runs == t->cap_runs) {
        size_t cap = t->cap_runs ? t->cap_runs * 2 : 32;
        struct run *more = cap > 65536 ? NULL : realloc(t->runs, cap * sizeof *more);
        if (!more) return; /* the mark stays in the text */
        t->runs = more;
        t->cap_runs = cap;
    }
    t->runs[t->n_runs++] = r;
    if (r.close) match(t, &t->runs[t->n_runs - 1]);
}

/* ---- links, code, tags ---- */

/* Index of the mark that closes the one at i; 0: none near. */
static size_t closing(const struct inline_state *t, size_t i, char open, char close)
{
    int depth = 0;
    size_t end = t->n - i > AHEAD ? i + AHEAD : t->n;
    if (!memchr(t->s + i, close, end - i)) return 0;
    for (; i < end; i++) {
        if (t->s[i] == '\\') i++;
        else if (t->s[i] == open) depth++;
        else if (t->s[i] == close && !--depth) return i;
    }
    return 0;
}

static void push_link(struct inline_state *t, size_t from, size_t close, size_t resume)
{
    if (t->depth == LINKS) { /* deeper than anyone nests: words stay as they are */
        buf_add(&t->copy, t->s + t->i, from - t->i);
    } else {
        t->link[t->depth].close = close;
        t->link[t->depth++].resume = resume;
    }
    t->i = from;
}

/* At "[" or "![": true when it was a link, image, footnote or wiki link. */
static bool link_at(struct inline_state *t)
{
    size_t from = t->i + (t->s[t->i] == '!'), close, end;
    if (at(t, from) != '[' || !(close = closing(t, from, '[', ']'))) return false;
    struct span words = { t->s + from + 1, close - from - 1 };
    if (at(t, from + 1) == '^' && words.n < 64) { /* footnote mark */
        t->i = close + 1 + (at(t, close + 1) == ':');
        return true;
    }
    if (at(t, from + 1) == '[' && at(t, close - 1) == ']') { /* [[page|words]] */
        const char *bar = memchr(words.p, '|', words.n);
        const char *block = memmem(words.p, words.n, "#^", 2);
        if (t->s[t->i] == '!') { /* a picture, or another note shown here */
            t->i = close + 1;
            return true;
        }
        push_link(t, bar ? (size_t)(bar - t->s) + 1 : from + 2 + (at(t, from + 2) == '#'),
                  block && !bar ? (size_t)(block - t->s) : close - 1, close + 1);
        return true;
    }
    if (at(t, close + 1) == '(' && (end = closing(t, close + 1, '(', ')'))) {
        push_link(t, from + 1, close, end + 1);
        return true;
    }
    if (at(t, close + 1) == '[' && (end = closing(t, close + 1, '[', ']'))) {
        struct span id = { t->s + close + 2, end - close - 2 };
        if (md_refs_has(t->refs, id.n ? id : words)) {
            push_link(t, from + 1, close, end + 1);
            return true;
        }
    }
    if (!md_refs_has(t->refs, words)) return false;
    push_link(t, from + 1, close, close + 1);
    return true;
}

static void code(struct inline_state *t)
{
    size_t k = 0, from, end = t->n - t->i > AHEAD ? t->i + AHEAD : t->n;
    while (at(t, t->i + k) == '`') k++;
    from = t->i + k;
    for (size_t j = from; j < end;) {
        size_t m = 0;
        while (j + m < t->n && t->s[j + m] == '`') m++;
        if (m == k) {
            buf_add(&t->copy, t->s + from, j - from);
            t->i = j + m;
            return;
        }
        j += m ? m : 1;
    }
    buf_add(&t->copy, t->s + t->i, k);
    t->i = from;
}

static bool tag(struct inline_state *t)
{
    const char *p = t->s + t->i;
    size_t left = t->n - t->i, look = left > AHEAD ? AHEAD : left;
    if (left >= 4 && !memcmp(p, "<!--", 4)) {
        const char *q = memmem(p, left, "-->", 3);
        if (q) t->i = (size_t)(q - t->s) + 3;
        return q;
    }
    int c = at(t, t->i + 1);
    if (!letter(c) && !(c == '/' && letter(at(t, t->i + 2)))) return false;
    const char *q = memchr(p, '>', look);
    if (!q) return false;
    struct span in = { p + 1, (size_t)(q - p) - 1 };
    bool blank = memchr(in.p, ' ', in.n), mark = memchr(in.p, ':', in.n) || memchr(in.p, '@', in.n);
    if (mark && !blank && !memchr(in.p, '=', in.n))
        buf_add(&t->copy, in.p, in.n); /* <http://...> */
    else if (in.n >= 2 && in.n <= 5 && (in.p[0] | 32) == 'b' && (in.p[1] | 32) == 'r' &&
             !letter(at(t, t->i + 3)))
        buf_addc(&t->copy, '\n');
    t->i = (size_t)(q - t->s) + 1;
    return true;
}

static bool entity(struct inline_state *t)
{
    static const struct {
        const char *name;
        uint32_t cp;
    } known[] = {
        { "amp", '&' },       { "lt", '<' },       { "gt", '>' },       { "quot", '"' },
        { "apos", '\'' },     { "nbsp", 0xA0 },    { "mdash", 0x2014 }, { "ndash", 0x2013 },
        { "hellip", 0x2026 }, { "lsquo", 0x2018 }, { "rsquo", 0x2019 }, { "ldquo", 0x201C },
        { "rdquo", 0x201D },  { "copy", 0xA9 },    { "euro", 0x20AC },
    };
    const char *p = t->s + t->i + 1;
    size_t left = t->n - t->i - 1;
    const char *q = memchr(p, ';', left > 12 ? 12 : left);
    uint32_t cp = 0;
    if (!q || q == p) return false;
    struct span name = { p, (size_t)(q - p) };
    if (*p == '#') {
        bool hex = name.n > 1 && (p[1] | 32) == 'x';
        for (const char *d = p + 1 + hex; d < q; d++) {
            uint32_t v = *d >= '0' && *d <= '9' ? (uint32_t)(*d - '0')
                         : hex && (*d | 32) >= 'a' && (*d | 32) <= 'f'
                             ? (uint32_t)((*d | 32) - 'a' + 10)
                             : 99;
            if (v == 99 || cp > 0x10FFFF) return false;
            cp = cp * (hex ? 16 : 10) + v;
        }
        if (cp < 32 || (cp >= 0x7F && cp < 0xA0)) cp = 0xFFFD;
    }
    for (size_t i = 0; !cp && i < sizeof known / sizeof *known; i++)
        if (span_eq(name, known[i].name)) cp = known[i].cp;
    if (!cp) return false;
    char c[4];
    buf_add(&t->copy, c, (size_t)utf8_put(c, cp));
    t->i = (size_t)(q - t->s) + 1;
    return true;
}

static void step(struct inline_state *t)
{
    char c = t->s[t->i];
    switch (c) {
    case '*':
    case '_':
    case '~': emphasis(t); return;
    case '`': code(t); return;
    case '\\':
        if (punct(at(t, t->i + 1))) c = t->s[++t->i];
        break;
    case '!':
    case '[':
        if (link_at(t)) return;
        break;
    case '<':
        if (tag(t)) return;
        break;
    case '&':
        if (entity(t)) return;
        break;
    }
    buf_addc(&t->copy, c);
    t->i++;
}

void markdown_inline(const char *s, size_t n, const struct md_refs *refs, struct buf *out)
{
    struct inline_state t = { .s = s, .n = n, .refs = refs, .copy = BUF_INIT(n * 3 + 64) };
    while (t.i < n) {
        /* A code span or tag may have jumped over the end of a link's words: ">=". */
        if (t.depth && t.i >= t.link[t.depth - 1].close) {
            if (t.link[t.depth - 1].resume > t.i) t.i = t.link[t.depth - 1].resume;
            t.depth--;
            continue;
        }
        size_t k = t.i, stop = t.depth ? t.link[t.depth - 1].close : n;
        while (k < stop && k < n && !strchr("*_~`\\![<&", s[k])) k++;
        buf_add(&t.copy, s + t.i, k - t.i);
        t.i = k;
        if (k < n && k < stop) step(&t);
    }
    size_t from = 0;
    for (size_t k = 0; k < t.n_runs; k++) {
        if (!t.runs[k].used) continue;
        buf_add(out, buf_str(&t.copy) + from, t.runs[k].pos - from);
        from = t.runs[k].pos + t.runs[k].used;
    }
    buf_add(out, buf_str(&t.copy) + from, t.copy.n - from);
    if (t.copy.failed && !out->failed) out->failed = t.copy.failed;
    buf_free(&t.copy);
    free(t.runs);
}
