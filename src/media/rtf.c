/* Rich text (Microsoft, Rich Text Format Specification, version 1.9.1).
 *
 * A file is groups in braces, control words with a number, and bytes. A group inherits what holds
 * around it: whether its text counts, the charset of the font, how many bytes follow a \u for
 * readers that know no Unicode. So the reader is one loop over bytes and a stack of those few
 * values. Groups deeper than STACK inherit from the deepest that is kept.
 *
 * Bytes above 127 and \'hh are in the code page of the font (\fcharset) or of the file (\ansicpg);
 * they are gathered and turned to UTF-8 run by run, since in East Asian ones two make a letter.
 * Charsets are loaded from files by the C library, which the cell forbids: rtf_prepare opens all
 * that RTF knows beforehand. */
#include "media/parts.h"

#include "base/str.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#define STACK 1024
#define FONTS 4096

enum dest { TEXT, SKIP, FONT_TABLE, INFO, TITLE, AUTHOR, CREATED };

struct state {
    enum dest dest;
    uint16_t cp;
    uint8_t uc;
    bool hidden;
};

struct rtf {
    const uint8_t *p, *end;
    struct doctext *d;
    struct state *stack, now;
    size_t depth;
    uint16_t *font_cp; /* by number of the font; 0: that of the file */
    uint16_t cp, font; /* of the file; the font that the font table is at */
    struct buf bytes;  /* not turned into UTF-8 yet */
    int left;          /* bytes to pass over after \u */
    uint32_t high;     /* the first half of a surrogate pair */
    bool ignorable;    /* \* stands before the next word */
    struct buf title, author;
    int year, month, day, hour, minute;
};

/* ---- charsets ---- */

static struct {
    uint16_t cp;
    const char *name;
    iconv_t cd;
    bool open;
} pages[] = {
    { 1252, "CP1252", NULL, false },     { 1250, "CP1250", NULL, false },
    { 1251, "CP1251", NULL, false },     { 1253, "CP1253", NULL, false },
    { 1254, "CP1254", NULL, false },     { 1255, "CP1255", NULL, false },
    { 1256, "CP1256", NULL, false },     { 1257, "CP1257", NULL, false },
    { 1258, "CP1258", NULL, false },     { 437, "CP437", NULL, false },
    { 850, "CP850", NULL, false },       { 852, "CP852", NULL, false },
    { 866, "CP866", NULL, false },       { 874, "CP874", NULL, false },
    { 932, "CP932", NULL, false },       { 936, "CP936", NULL, false },
    { 949, "CP949", NULL, false },       { 950, "CP950", NULL, false },
    { 10000, "MACINTOSH", NULL, false },
};
#define PAGES (sizeof pages / sizeof *pages)

void rtf_prepare(void)
{
    for (size_t i = 0; i < PAGES; i++) {
        if (pages[i].open) continue;
        pages[i].cd = iconv_open("UTF-8", pages[i].name);
        pages[i].open = pages[i].cd != (iconv_t)-1; /* NOLINT(performance-no-int-to-ptr) */
    }
}

/* \fcharset of the font table to a code page. */
static uint16_t page_of(long charset)
{
    static const uint16_t map[][2] = {
        { 0, 1252 },   { 77, 10000 }, { 128, 932 },  { 129, 949 },  { 134, 936 },  { 136, 950 },
        { 161, 1253 }, { 162, 1254 }, { 163, 1258 }, { 177, 1255 }, { 178, 1256 }, { 186, 1257 },
        { 204, 1251 }, { 222, 874 },  { 238, 1250 }, { 254, 437 },  { 255, 850 },
    };
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (map[i][0] == charset) return map[i][1];
    return 0;
}

static void put(struct rtf *r, const char *s, size_t n)
{
    switch (r->now.dest) {
    case TEXT:
        if (!r->now.hidden) doctext_add(r->d, s, n);
        break;
    case TITLE: buf_add(&r->title, s, n); break;
    case AUTHOR: buf_add(&r->author, s, n); break;
    default: break;
    }
}

/* The gathered bytes, as UTF-8; what the charset does not know becomes U+FFFD. */
static void flush(struct rtf *r)
{
    char out[1024], *in = r->bytes.p;
    size_t n = r->bytes.n, i = 0;
    if (!n) return;
    while (i < PAGES - 1 && pages[i].cp != r->now.cp) i++;
    if (pages[i].cp != r->now.cp) i = 0;
    if (pages[i].open) iconv(pages[i].cd, NULL, NULL, NULL, NULL);
    while (n) {
        char *o = out;
        size_t room = sizeof out;
        size_t rc = pages[i].open ? iconv(pages[i].cd, &in, &n, &o, &room) : (size_t)-1;
        put(r, out, (size_t)(o - out));
        if (rc == (size_t)-1 && room > 16 && n) {
            put(r, "\xEF\xBF\xBD", 3);
            in++, n--;
        }
    }
    buf_clear(&r->bytes);
}

static void put_char(struct rtf *r, uint32_t cp)
{
    char utf8[4];
    flush(r);
    put(r, utf8, (size_t)utf8_put(utf8, cp));
}

static void byte(struct rtf *r, uint8_t c)
{
    if (r->left) {
        r->left--;
        return;
    }
    if (r->now.dest == SKIP || r->now.dest == INFO || r->now.dest == FONT_TABLE) return;
    buf_addc(&r->bytes, (char)c);
    if (r->bytes.n > 512 && c < 128) flush(r);
}

/* ---- control words ---- */

static void unicode(struct rtf *r, long v)
{
    uint32_t u = (uint32_t)(v < 0 ? v + 65536 : v) & 0xFFFF;
    flush(r);
    if (u >= 0xD800 && u < 0xDC00) r->high = u;
    else if (u >= 0xDC00 && u < 0xE000) {
        put_char(r, r->high ? 0x10000 + ((r->high - 0xD800) << 10) + (u - 0xDC00) : 0xFFFD);
        r->high = 0;
    } else if (u) put_char(r, u);
    r->left = r->now.uc;
}

static bool is_any(const char *w, const char *list)
{
    size_t n = strlen(w);
    for (const char *p = list; *p;) {
        size_t k = strcspn(p, " ");
        if (k == n && !memcmp(p, w, n)) return true;
        p += k + (p[k] == ' ');
    }
    return false;
}

/* Words that say what the group they open is. */
static bool destination(struct rtf *r, const char *w)
{
    static const char not_text[] =
        "colortbl stylesheet pict objdata header headerl headerr headerf footer footerl footerr "
        "footerf fldinst themedata colorschememapping datastore listtable listoverridetable "
        "rsidtbl "
        "generator xmlnstbl bkmkstart bkmkend annotation atnid atnauthor atndate atnref "
        "nonesttables "
        "pntext listtext latentstyles filetbl revtbl userprops mmathPr wgrffmtfilter objclass "
        "objname private1 pgptbl ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn nonshppict";
    enum dest was = r->now.dest;
    if (is_any(w, not_text)) r->now.dest = SKIP;
    else if (was == TEXT && is_any(w, "fonttbl")) r->now.dest = FONT_TABLE;
    else if (was == TEXT && is_any(w, "info")) r->now.dest = INFO;
    else if (was == INFO && is_any(w, "title")) r->now.dest = TITLE;
    else if (was == INFO && is_any(w, "author")) r->now.dest = AUTHOR;
    else if (was == INFO && is_any(w, "creatim")) r->now.dest = CREATED;
    else if (r->ignorable && !is_any(w, "shptxt shpinst shp")) r->now.dest = SKIP;
    else return false;
    return true;
}

static bool character(struct rtf *r, const char *w)
{
    static const struct {
        const char *word;
        uint32_t cp;
    } chars[] = { { "tab", '\t' },         { "emdash", 0x2014 }, { "endash", 0x2013 },
                  { "lquote", 0x2018 },    { "rquote", 0x2019 }, { "ldblquote", 0x201C },
                  { "rdblquote", 0x201D }, { "bullet", 0x2022 }, { "emspace", 0x2003 },
                  { "enspace", 0x2002 },   { "cell", '\t' } };
    for (size_t i = 0; i < sizeof chars / sizeof *chars; i++)
        if (!strcmp(chars[i].word, w)) {
            put_char(r, chars[i].cp);
            return true;
        }
    return false;
}

static void date_part(struct rtf *r, const char *w, long v)
{
    if (!strcmp(w, "yr")) r->year = (int)v;
    else if (!strcmp(w, "mo")) r->month = (int)v;
    else if (!strcmp(w, "dy")) r->day = (int)v;
    else if (!strcmp(w, "hr")) r->hour = (int)v;
    else if (!strcmp(w, "min")) r->minute = (int)v;
}

static void font_word(struct rtf *r, const char *w, long v)
{
    if (!strcmp(w, "f")) r->font = (uint16_t)(v >= 0 && v < FONTS ? v : FONTS - 1);
    else if (!strcmp(w, "fcharset")) r->font_cp[r->font] = page_of(v);
}

static void word(struct rtf *r, const char *w, long v, bool numbered)
{
    bool starred = r->ignorable;
    flush(r);
    if (!strcmp(w, "bin")) {
        size_t n = v > 0 ? (size_t)v : 0;
        r->p += n < (size_t)(r->end - r->p) ? n : (size_t)(r->end - r->p);
    } else if (destination(r, w)) {
    } else if (r->now.dest == FONT_TABLE) font_word(r, w, v);
    else if (r->now.dest == CREATED) date_part(r, w, v);
    else if (!strcmp(w, "u")) unicode(r, v);
    else if (!strcmp(w, "uc")) r->now.uc = (uint8_t)(v >= 0 && v < 32 ? v : 1);
    else if (!strcmp(w, "ansicpg")) r->cp = r->now.cp = (uint16_t)v;
    else if (!strcmp(w, "mac")) r->cp = r->now.cp = 10000;
    else if (!strcmp(w, "pc")) r->cp = r->now.cp = 437;
    else if (!strcmp(w, "pca")) r->cp = r->now.cp = 850;
    else if (!strcmp(w, "f")) {
        uint16_t cp = v >= 0 && v < FONTS ? r->font_cp[v] : 0;
        r->now.cp = cp ? cp : r->cp;
    } else if (!strcmp(w, "plain")) r->now.hidden = false;
    else if (!strcmp(w, "v") || !strcmp(w, "deleted")) r->now.hidden = !numbered || v;
    else if (r->now.dest == TEXT && !r->now.hidden && is_any(w, "par sect page row nestrow"))
        doctext_para(r->d);
    else if (r->now.dest == TEXT && !r->now.hidden && is_any(w, "line softline"))
        doctext_line(r->d);
    else character(r, w);
    if (starred) r->ignorable = false;
}

/* p stands behind the backslash. */
static void control(struct rtf *r)
{
    char w[33];
    size_t n = 0;
    long v = 0;
    if (r->p == r->end) return;
    int c = *r->p;
    if ((c | 32) < 'a' || (c | 32) > 'z') {
        r->p++;
        if (c == '\'' && r->end - r->p >= 2) {
            char hex[3] = { (char)r->p[0], (char)r->p[1], 0 }, *stop;
            long b = strtol(hex, &stop, 16);
            r->p += 2;
            if (stop == hex + 2) byte(r, (uint8_t)b);
        } else if (c == '*') r->ignorable = true;
        else if (c == '~') put_char(r, 0xA0);
        else if (c == '_') put_char(r, '-');
        else if (c == '\\' || c == '{' || c == '}') byte(r, (uint8_t)c);
        else if ((c == '\n' || c == '\r') && r->now.dest == TEXT) flush(r), doctext_para(r->d);
        return;
    }
    while (r->p < r->end && (*r->p | 32) >= 'a' && (*r->p | 32) <= 'z') {
        if (n < sizeof w - 1) w[n++] = (char)*r->p;
        r->p++;
    }
    w[n] = 0;
    bool minus = r->p < r->end && *r->p == '-';
    const uint8_t *digits = r->p + minus;
    if (digits < r->end && *digits >= '0' && *digits <= '9') {
        for (r->p = digits; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
            if (v < 100000000) v = v * 10 + (*r->p - '0');
        if (minus) v = -v;
        digits = NULL;
    }
    if (r->p < r->end && *r->p == ' ') r->p++;
    word(r, w, v, !digits);
}

static void group(struct rtf *r, bool open)
{
    flush(r);
    r->left = 0;
    if (open) {
        if (r->depth < STACK) r->stack[r->depth] = r->now;
        r->depth++;
    } else if (r->depth) {
        if (--r->depth < STACK) r->now = r->stack[r->depth];
    }
    r->ignorable = false;
}

static void finish(struct rtf *r)
{
    flush(r);
    doctext_field(&r->d->title, buf_str(&r->title), r->title.n);
    doctext_author(r->d, buf_str(&r->author), r->author.n);
    if (r->year > 1900 && r->year < 10000 && r->month >= 1 && r->month <= 12 && r->day >= 1 &&
        r->day <= 31 && r->hour >= 0 && r->hour < 24 && r->minute >= 0 && r->minute < 60)
        r->d->date = clock_from_civil(r->year, r->month, r->day, r->hour, r->minute, 0);
    r->d->partial |= r->depth > 0;
    buf_free(&r->bytes);
    buf_free(&r->title);
    buf_free(&r->author);
    free(r->stack);
    free(r->font_cp);
}

enum fault rtf_text(const uint8_t *p, size_t n, struct doctext *d)
{
    struct rtf r = { .p = p, .end = p + n, .d = d, .cp = 1252, .now = { .cp = 1252, .uc = 1 } };
    r.bytes.max = r.title.max = r.author.max = 65536;
    if (n < 5 || memcmp(p, "{\\rtf", 5) != 0) return FAULT_KIND;
    r.stack = calloc(STACK, sizeof *r.stack);
    r.font_cp = calloc(FONTS, sizeof *r.font_cp);
    bool closed = false;
    while (r.stack && r.font_cp && r.p < r.end && !closed) {
        uint8_t c = *r.p++;
        if (c == '\\') control(&r);
        else if (c == '{') group(&r, true);
        else if (c == '}') {
            group(&r, false);
            closed = !r.depth;
        } else if (c != '\n' && c != '\r' && c) byte(&r, c);
    }
    bool memory = r.stack && r.font_cp;
    finish(&r);
    return memory ? doctext_finish(d) : FAULT_NOMEM;
}
