/* Which bytes are these, and how do they become UTF-8?
 *
 * The order is by certainty: a byte order mark; the zero bytes of UTF-16 without one; text that is
 * valid UTF-8 (which no other encoding is by accident beyond a few characters); the statistics of
 * libuchardet; Windows-1252, the superset of Latin-1 that most unlabelled Western text is in.
 * uchardet gives no confidence, and on a page of Western text with three accents it may answer with
 * something exotic: in text whose high bytes are few, only the guesses that are common in practice
 * count. Zero bytes that are not UTF-16's, or many control characters, mean: not text.
 *
 * Conversion by iconv never fails on broken input: what cannot be read becomes U+FFFD. */
#include "text/charset.h"

#include "base/str.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <uchardet/uchardet.h>

/* What uchardet may answer; `latin`: believed in text of mostly plain letters. Names are
 * iconv's. */
static const struct known {
    const char *guess, *name;
    bool latin;
} known[] = {
    { "ISO-8859-1", "WINDOWS-1252", true },
    { "WINDOWS-1252", "WINDOWS-1252", true },
    { "ISO-8859-15", "ISO-8859-15", true },
    { "ISO-8859-2", "ISO-8859-2", true },
    { "WINDOWS-1250", "WINDOWS-1250", true },
    { "ISO-2022-JP", "ISO-2022-JP", true },
    { "ISO-2022-KR", "ISO-2022-KR", true },
    { "ISO-2022-CN", "ISO-2022-CN", true },
    { "ISO-8859-9", "ISO-8859-9", true },
    { "WINDOWS-1251", "WINDOWS-1251", false },
    { "KOI8-R", "KOI8-R", false },
    { "ISO-8859-5", "ISO-8859-5", false },
    { "MAC-CYRILLIC", "MAC-CYRILLIC", false },
    { "IBM866", "IBM866", false },
    { "IBM855", "IBM855", false },
    { "WINDOWS-1253", "WINDOWS-1253", false },
    { "ISO-8859-7", "ISO-8859-7", false },
    { "WINDOWS-1255", "WINDOWS-1255", false },
    { "ISO-8859-8", "ISO-8859-8", false },
    { "WINDOWS-1256", "WINDOWS-1256", false },
    { "ISO-8859-6", "ISO-8859-6", false },
    { "BIG5", "BIG5", false },
    { "GB18030", "GB18030", false },
    { "EUC-JP", "EUC-JP", false },
    { "SHIFT_JIS", "SHIFT_JIS", false },
    { "EUC-KR", "EUC-KR", false },
    { "UHC", "UHC", false },
    { "EUC-TW", "EUC-TW", false },
    { "TIS-620", "TIS-620", false },
    { "ISO-8859-11", "TIS-620", false },
    { "WINDOWS-1257", "WINDOWS-1257", false },
    { "ISO-8859-13", "ISO-8859-13", false },
    { "WINDOWS-1258", "WINDOWS-1258", false },
    { "UTF-8", "UTF-8", true },
};

/* UTF-16 without a mark: most of one half of the pairs is zero, none of the other. */
static const char *utf16_guess(const unsigned char *p, size_t n)
{
    size_t even = 0, odd = 0, pairs = n / 2;
    for (size_t i = 0; i + 1 < n; i += 2) {
        even += !p[i];
        odd += !p[i + 1];
    }
    if (pairs < 2) return NULL;
    if (odd * 2 > pairs && even * 50 <= pairs) return "UTF-16LE";
    if (even * 2 > pairs && odd * 50 <= pairs) return "UTF-16BE";
    return NULL;
}

/* Valid but for a character cut off at the end, or for a few strays among much that is valid. */
static bool mostly_utf8(const unsigned char *p, size_t n)
{
    const char *s = (const char *)p, *end = s + n;
    size_t good = 0, bad = 0;
    while (s < end) {
        const char *was = s;
        uint32_t c = utf8_next(&s, end);
        if (c < 0x80) continue;
        if (c != 0xFFFD || s - was == 3) good++;
        else if (end - was > 3) bad++;
        else if ((unsigned char)*was < 0xC2) bad++;
        else break; /* the sample ends inside this character */
    }
    return !bad || good > bad * 20;
}

static const char *guess(const unsigned char *p, size_t n, size_t high)
{
    const char *name = "WINDOWS-1252";
    uchardet_t u = uchardet_new();
    if (!u) return name;
    if (!uchardet_handle_data(u, (const char *)p, n)) {
        uchardet_data_end(u);
        const char *g = uchardet_get_charset(u);
        bool latin = high * 8 < n;
        for (size_t i = 0; g && i < sizeof known / sizeof *known; i++)
            if (!strcasecmp(g, known[i].guess) && (known[i].latin || !latin)) name = known[i].name;
    }
    uchardet_delete(u);
    return !strcmp(name, "UTF-8") ? "WINDOWS-1252" : name;
}

const char *charset_detect(const unsigned char *p, size_t n)
{
    if (!n) return "UTF-8";
    if (n >= 3 && !memcmp(p, "\xEF\xBB\xBF", 3)) return "UTF-8";
    if (n >= 4 && !memcmp(p, "\xFF\xFE\0\0", 4)) return "UTF-32LE";
    if (n >= 4 && !memcmp(p, "\0\0\xFE\xFF", 4)) return "UTF-32BE";
    if (n >= 2 && !memcmp(p, "\xFF\xFE", 2)) return "UTF-16LE";
    if (n >= 2 && !memcmp(p, "\xFE\xFF", 2)) return "UTF-16BE";
    if (memchr(p, 0, n)) return utf16_guess(p, n);
    size_t high = 0, control = 0, escape = 0;
    for (size_t i = 0; i < n; i++) {
        high += p[i] >= 0x80;
        escape += p[i] == 0x1B;
        control += p[i] < 0x20 && (p[i] < 7 || p[i] > 13) && p[i] != 0x1B;
    }
    if (control > 2 && control * 50 > n) return NULL;
    if (!high && !escape) return "UTF-8";
    if (high && mostly_utf8(p, n)) return "UTF-8";
    if (!high && !memmem(p, n, "\x1B$", 2)) return "UTF-8";
    return guess(p, n, high);
}

size_t charset_unit(const char *charset)
{
    if (!strncasecmp(charset, "UTF-16", 6) || !strncasecmp(charset, "UCS-2", 5)) return 2;
    return !strncasecmp(charset, "UTF-32", 6) || !strncasecmp(charset, "UCS-4", 5) ? 4 : 1;
}

int charset_to_utf8(struct buf *out, const char *charset, const char *p, size_t n, struct err *err)
{
    struct buf raw = BUF_INIT(out->max);
    size_t from = raw.n;
    if (!charset || !strcasecmp(charset, "UTF-8") || !strcasecmp(charset, "US-ASCII")) {
        if (n >= 3 && !memcmp(p, "\xEF\xBB\xBF", 3)) p += 3, n -= 3;
        utf8_clean(out, p, n);
        goto out;
    }
    iconv_t cd = iconv_open("UTF-8", charset);
    if (cd == (iconv_t)-1)
        return err_set(err, ERR_PARSE,
                       "the character set it names is not known here: save the "
                       "file as UTF-8 and try again");
    char *in = (char *)(uintptr_t)p, tmp[4096];
    size_t unit = charset_unit(charset);
    while (n) {
        char *o = tmp;
        size_t room = sizeof tmp, rc = iconv(cd, &in, &n, &o, &room);
        buf_add(&raw, tmp, (size_t)(o - tmp));
        if (rc != (size_t)-1 || errno == E2BIG) continue;
        buf_adds(&raw, "\xEF\xBF\xBD");
        size_t k = n < unit ? n : unit;
        in += k, n -= k;
    }
    iconv_close(cd);
    if (raw.n - from >= 3 && !memcmp(raw.p, "\xEF\xBB\xBF", 3)) from += 3;
    if (raw.n > from) utf8_clean(out, raw.p + from, raw.n - from);
    if (raw.failed && !out->failed) out->failed = raw.failed;
out:
    buf_free(&raw);
    if (out->failed == ERR_LIMIT) return err_set(err, ERR_LIMIT, "the text is too long");
    return out->failed ? err_nomem(err) : 0;
}
