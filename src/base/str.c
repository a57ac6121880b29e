/* Strings. Unicode facts (folding, letters) come from ICU in text/; here is only what needs no
 * tables beyond Latin: base depends on nothing. utf8_fold therefore covers the Latin blocks, Greek
 * with its accents, Cyrillic case, and drops the combining marks U+0300-U+036F; other scripts pass
 * unchanged.
 *
 * Case is ASCII case everywhere else, by hand: what the C library does with it depends on the
 * locale, and a file must read the same in Istanbul. */
#include "base/str.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct span span_of(const char *s) { return (struct span){ s, s ? strlen(s) : 0 }; }

/* Spaces of Unicode, line and paragraph separators, zero-width characters, bidi marks, BOM. */
static bool blank(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0xFEFF ||
           (c >= 0x2000 && c <= 0x200F) || (c >= 0x2028 && c <= 0x202F) ||
           (c >= 0x205F && c <= 0x2069) || c == 0x3000;
}

/* Bytes of the blank character at p, 0 if it is something else. */
static size_t blank_at(const char *p, size_t n)
{
    const char *at = p;
    if (!n || !blank(utf8_next(&at, p + n))) return 0;
    return (size_t)(at - p);
}

struct span span_trim(struct span s)
{
    size_t k;
    while ((k = blank_at(s.p, s.n))) {
        s.p += k;
        s.n -= k;
    }
    while (s.n) {
        k = 1;
        while (k < 3 && k < s.n && ((unsigned char)s.p[s.n - k] & 0xC0) == 0x80) k++;
        if (blank_at(s.p + s.n - k, k) != k) break;
        s.n -= k;
    }
    return s;
}

bool span_eq(struct span a, const char *s)
{
    size_t n = strlen(s);
    return a.n == n && (!n || !memcmp(a.p, s, n));
}

bool span_starts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (!n || !memcmp(s.p, prefix, n));
}

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static bool same(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

bool span_ieq(struct span a, const char *s)
{
    size_t n = strlen(s);
    return a.n == n && same(a.p, s, n);
}

bool span_istarts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && same(s.p, prefix, n);
}

bool span_istarts_any(struct span s, const char *const *list)
{
    for (; *list; list++)
        if (span_istarts(s, *list)) return true;
    return false;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && same(s + n - k, suffix, k);
}

bool str_starts(const char *s, const char *prefix)
{
    size_t k = strlen(prefix);
    return strnlen(s, k) == k && same(s, prefix, k);
}

const char *span_ifind(struct span hay, const char *needle)
{
    size_t k = strlen(needle);
    for (size_t i = 0; k <= hay.n && i <= hay.n - k; i++)
        if (same(hay.p + i, needle, k)) return hay.p + i;
    return NULL;
}

uint32_t utf8_next(const char **p, const char *end)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t left = (size_t)(end - *p);
    uint32_t c = s[0];
    int n = c < 0x80                ? 0
            : c >= 0xC2 && c < 0xE0 ? 1
            : (c & 0xF0) == 0xE0    ? 2
            : c >= 0xF0 && c < 0xF5 ? 3
                                    : -1;
    if (n == 0) {
        *p += 1;
        return c;
    }
    if (n > 0 && left > (size_t)n) {
        static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
        uint32_t v = c & (0x3Fu >> n);
        int i = 1;
        for (; i <= n && (s[i] & 0xC0) == 0x80; i++) v = v << 6 | (s[i] & 0x3F);
        if (i > n && v >= least[n] && v <= 0x10FFFF && !(v >= 0xD800 && v < 0xE000)) {
            *p += n + 1;
            return v;
        }
    }
    *p += 1;
    return 0xFFFD;
}

int utf8_put(char out[4], uint32_t cp)
{
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) cp = 0xFFFD;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 63));
        out[2] = (char)(0x80 | (cp & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 63));
    out[2] = (char)(0x80 | (cp >> 6 & 63));
    out[3] = (char)(0x80 | (cp & 63));
    return 4;
}

/* A decoded U+FFFD is a broken sequence unless the three bytes of a real U+FFFD stand there. */
static bool broken(uint32_t cp, const char *from, const char *to)
{
    return cp == 0xFFFD && to - from != 3;
}

bool utf8_valid(const char *s, size_t n)
{
    for (const char *p = s, *end = s + n; p < end;) {
        const char *was = p;
        uint32_t cp = utf8_next(&p, end);
        if (broken(cp, was, p)) return false;
    }
    return true;
}

size_t utf8_clean(struct buf *out, const char *s, size_t n)
{
    size_t bad = 0;
    const char *end = s + n, *run = s;
    for (const char *p = s; p < end;) {
        const char *was = p;
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c < 0x7F) {
            p++;
            continue;
        }
        uint32_t cp = utf8_next(&p, end);
        const char *put = NULL;
        if (broken(cp, was, p)) put = "\xEF\xBF\xBD", bad++;
        else if (cp == '\r') put = p < end && *p == '\n' ? "" : "\n";
        else if ((cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0))
            put = "", bad++;
        if (put) {
            buf_add(out, run, (size_t)(was - run));
            buf_adds(out, put);
            run = p;
        }
    }
    if (n) buf_add(out, run, (size_t)(end - run));
    return bad;
}

/* Letters with marks as their plain letter; '.': two letters, or none of this kind. */
static const char latin[] = /* U+00C0 .. U+024F */
    "aaaaaa.ceeeeiiiidnooooo.ouuuuy..aaaaaa.ceeeeiiiidnooooo.ouuuuy.y"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkkkllllllllllnnnnnnnnnoooooo.."
    "rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
    "................................oo.............uu............................aaiioouuuu"
    "uuuuuu.aaaa....ggkkoooo..j...gg..nnaa....aaaaeeeeiiiioooorrrruuuusstt..hh......aaeeoooo"
    "ooooyy............................";
static const char latin_more[] = /* U+1E00 .. U+1EFF */
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppp"
    "rrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy......aaaaaaaaaaaaaaaa"
    "aaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy......";
_Static_assert(sizeof latin - 1 == 0x250 - 0xC0 && sizeof latin_more - 1 == 0x100, "tables");

static const char *two_letters(uint32_t c)
{
    switch (c) {
    case 0xC6:
    case 0xE6: return "ae";
    case 0xDE:
    case 0xFE: return "th";
    case 0xDF:
    case 0x1E9E: return "ss";
    case 0x132:
    case 0x133: return "ij";
    case 0x152:
    case 0x153: return "oe";
    default: return NULL;
    }
}

static uint32_t fold_greek(uint32_t c)
{
    static const struct {
        uint16_t from, to;
    } accent[] = {
        { 0x386, 0x3B1 }, { 0x388, 0x3B5 }, { 0x389, 0x3B7 }, { 0x38A, 0x3B9 }, { 0x38C, 0x3BF },
        { 0x38E, 0x3C5 }, { 0x38F, 0x3C9 }, { 0x390, 0x3B9 }, { 0x3AA, 0x3B9 }, { 0x3AB, 0x3C5 },
        { 0x3AC, 0x3B1 }, { 0x3AD, 0x3B5 }, { 0x3AE, 0x3B7 }, { 0x3AF, 0x3B9 }, { 0x3B0, 0x3C5 },
        { 0x3C2, 0x3C3 }, { 0x3CA, 0x3B9 }, { 0x3CB, 0x3C5 }, { 0x3CC, 0x3BF }, { 0x3CD, 0x3C5 },
        { 0x3CE, 0x3C9 },
    };
    for (size_t i = 0; i < sizeof accent / sizeof *accent; i++)
        if (accent[i].from == c) return accent[i].to;
    return c >= 0x391 && c <= 0x3A9 && c != 0x3A2 ? c + 32 : c;
}

static uint32_t fold_one(uint32_t c)
{
    if (c >= 0xC0 && c < 0x250 && latin[c - 0xC0] != '.') return (unsigned char)latin[c - 0xC0];
    if (c >= 0x1E00 && c < 0x1F00 && latin_more[c - 0x1E00] != '.')
        return (unsigned char)latin_more[c - 0x1E00];
    if (c >= 0x386 && c < 0x3D0) return fold_greek(c);
    if (c >= 0x410 && c <= 0x42F) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    if (c == 0x2018 || c == 0x2019 || c == 0x2BC) return '\'';
    return c;
}

void utf8_fold(struct buf *out, const char *s, size_t n)
{
    const char *end = s + n;
    for (const char *p = s; p < end;) {
        uint32_t cp = utf8_next(&p, end);
        const char *two;
        char t[4];
        if (cp < 0x80) buf_addc(out, (char)lower((char)cp));
        else if (cp >= 0x300 && cp <= 0x36F) continue;
        else if ((two = two_letters(cp))) buf_adds(out, two);
        else buf_add(out, t, (size_t)utf8_put(t, fold_one(cp)));
    }
}

size_t utf8_cut(const char *s, size_t n, size_t max)
{
    if (n <= max) return n;
    while (max && ((unsigned char)s[max] & 0xC0) == 0x80) max--;
    return max;
}

int utf8_width(const char *s, size_t n)
{
    int w = 0;
    for (const char *p = s, *end = s + n; p < end;) {
        uint32_t c = utf8_next(&p, end);
        if (c < 0x20 || (c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) ||
            (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) ||
            (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF)
            continue;
        bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF);
        w += wide ? 2 : 1;
    }
    return w;
}

bool str_i64(struct span s, int64_t *out)
{
    bool neg = s.n && s.p[0] == '-';
    size_t i = neg || (s.n && s.p[0] == '+');
    if (i >= s.n || s.n - i > 18) return false;
    int64_t v = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = neg ? -v : v;
    return true;
}

bool str_f64(struct span s, double *out)
{
    char t[64], *end;
    if (!s.n || s.n >= sizeof t) return false;
    for (size_t i = 0; i < s.n; i++) /* no blanks, no hexadecimal, no words */
        if (!strchr("0123456789+-.eE", s.p[i]) || !s.p[i]) return false;
    memcpy(t, s.p, s.n);
    t[s.n] = 0;
    double v = strtod(t, &end);
    if (end != t + s.n || !isfinite(v)) return false;
    *out = v;
    return true;
}

/* Multiply-and-fold over 8-byte steps, with a final avalanche (the idea of wyhash, own
 * constants). */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t hash64(const void *data, size_t n, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = seed ^ 0x9E3779B97F4A7C15u, left = n;
    for (; left >= 8; p += 8, left -= 8) {
        uint64_t w = 0;
        for (int i = 0; i < 8; i++) w |= (uint64_t)p[i] << (8 * i);
        h = fold(h ^ w, 0xD6E8FEB86659FD93u);
    }
    uint64_t w = 0;
    for (size_t i = 0; i < left; i++) w |= (uint64_t)p[i] << (8 * i);
    h = fold(h ^ w, 0xA0761D6478BD642Fu ^ (n * 2 + 1));
    return fold(h ^ 0xE7037ED1A0B428DBu, 0x8EBC6AF09C88C6E3u);
}

void *mem_dup(const void *p, size_t n)
{
    void *q = malloc(n ? n : 1);
    if (q && n) memcpy(q, p, n);
    return q;
}

char *str_dup(const char *s) { return s ? mem_dup(s, strlen(s) + 1) : NULL; }
