/* Mail addresses, telephone numbers and postal addresses, by how they look.
 *
 * A number is a telephone's when it begins with "+", "00", a trunk zero, or is written as in North
 * America; dates, times and amounts are none. A postal address is a number and a few words of which
 * the last is a kind of street ("12 Harbour Street"), the same the German way round ("Hafenstraße
 * 12"), the French ("12 rue du Port"), or a British post code. All looks are bounded. */
#include "persona/mask_impl.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define LOCAL_MAX  64
#define DOMAIN_MAX 255
#define PHONE_LONG 40 /* bytes */
#define WORD_MAX   40
#define WORDS_MAX  4 /* before "Street" */

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool letter(char c) { return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c & 0x80); }
static bool large(char c) { return (c >= 'A' && c <= 'Z') || (c & 0x80); }

static char at(const char *s, size_t n, size_t i) { return i < n ? s[i] : 0; }

size_t mask_mail_at(const char *s, size_t n, size_t i)
{
    size_t k = i, from, dot = 0;
    while (k < n && k - i <= LOCAL_MAX &&
           (letter(s[k]) || digit(s[k]) || strchr("._%+-'", s[k] ? s[k] : ' ')))
        k++;
    if (k == i || k - i > LOCAL_MAX || at(s, n, k) != '@') return i;
    for (from = ++k; k < n && k - from < DOMAIN_MAX; k++) {
        if (s[k] == '.' && k > from && (letter(at(s, n, k + 1)) || digit(at(s, n, k + 1)))) dot = k;
        else if (!letter(s[k]) && !digit(s[k]) && s[k] != '-') break;
    }
    if (k - from >= DOMAIN_MAX) return i;
    return dot && letter(at(s, n, dot + 1)) && k - dot > 2 ? k : i;
}

/* ---- telephones ---- */

static size_t gap(const char *s, size_t n, size_t i)
{
    char c = at(s, n, i);
    if (c == '\xc2') return at(s, n, i + 1) == '\xa0' ? 2 : 0;
    if (c == '\xe2' && at(s, n, i + 1) == '\x80')
        return (at(s, n, i + 2) >= '\x90' && at(s, n, i + 2) <= '\x93') || at(s, n, i + 2) == '\xaf'
                   ? 3
                   : 0;
    return c && strchr(" -./()", c) ? 1 : 0;
}

struct shape { /* of digits and what is between them */
    char s[PHONE_LONG + 1];
    size_t n, digits, end;
};

/* Digits as 'd', everything between as one mark of it; ends with the last digit. */
static void shape_of(const char *s, size_t n, size_t i, struct shape *out)
{
    size_t k = i, marks = 0;
    *out = (struct shape){ .end = i };
    if (at(s, n, k) == '+') out->s[out->n++] = '+', k++;
    while (k < n && out->n < PHONE_LONG) {
        size_t g = digit(s[k]) ? 0 : gap(s, n, k);
        if (digit(s[k])) {
            out->s[out->n++] = 'd';
            out->digits++;
            out->end = ++k;
            marks = 0;
        } else if (g && ++marks <= 3) {
            out->s[out->n++] = g > 1 ? '-' : s[k];
            k += g;
        } else {
            break;
        }
    }
    while (out->n && out->s[out->n - 1] != 'd') out->n--;
    out->s[out->n] = 0;
}

static bool is_shape(const struct shape *p, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(p->s, *list)) return true;
    return false;
}

size_t mask_phone_at(const char *s, size_t n, size_t i)
{
    static const char *const american[] = { "(ddd) ddd-dddd",   "(ddd)ddd-dddd",
                                            "ddd-ddd-dddd",     "ddd.ddd.dddd",
                                            "d-ddd-ddd-dddd",   "(ddd) ddd dddd",
                                            "d (ddd) ddd-dddd", NULL };
    static const char *const french[] = { "dd.dd.dd.dd.dd", NULL };
    struct shape p;
    if (!digit(s[i]) && s[i] != '+' && s[i] != '(') return i;
    shape_of(s, n, i, &p);
    char after = at(s, n, p.end);
    if (p.digits < 7 || p.digits > 15 || (letter(after) && !(after & 0x80)) || after == '_' ||
        after == ':' || digit(after))
        return i;
    if (is_shape(&p, american) || is_shape(&p, french)) return p.end;
    if (s[i] == '+') return p.digits >= 8 ? p.end : i;
    size_t zero = s[i] == '(' ? i + 1 : i;
    if (at(s, n, zero) != '0' || p.digits < 9 || strchr(p.s, '.')) return i;
    const char *slash = strchr(p.s, '/');
    return slash && strchr(slash + 1, '/') ? i : p.end;
}

size_t mask_number_at(const char *s, size_t n, size_t i)
{
    struct shape p;
    if (!digit(s[i]) && s[i] != '+' && s[i] != '(') return i;
    shape_of(s, n, i, &p);
    return p.digits >= 7 && p.digits <= 15 && !digit(at(s, n, p.end)) ? p.end : i;
}

/* ---- streets ---- */

static size_t word_end(const char *s, size_t n, size_t i)
{
    size_t k = i;
    while (k < n && k - i < WORD_MAX && (letter(s[k]) || s[k] == '\'' || s[k] == '-')) k++;
    return k - i < WORD_MAX ? k : i;
}

static bool one_of(const char *s, size_t n, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == n && !strncasecmp(s, *list, n)) return true;
    return false;
}

static size_t number_end(const char *s, size_t n, size_t i)
{
    size_t k = i;
    while (k < n && k - i < 5 && digit(s[k])) k++;
    if (k == i || k - i > 4) return i;
    if (letter(at(s, n, k)) && !(s[k] & 0x80) && !letter(at(s, n, k + 1))) k++;
    return letter(at(s, n, k)) || digit(at(s, n, k)) ? i : k;
}

/* "12 Harbour Street", "12 rue du Port" */
static size_t number_first(const char *s, size_t n, size_t i)
{
    static const char *const kinds[] = { "street", "st",     "road",    "rd",       "avenue",
                                         "ave",    "lane",   "ln",      "drive",    "close",
                                         "court",  "square", "terrace", "crescent", "boulevard",
                                         "blvd",   "row",    "gardens", "place",    "hill",
                                         NULL };
    static const char *const french[] = { "rue",    "avenue", "boulevard", "place",
                                          "chemin", "quai",   NULL };
    size_t k = number_end(s, n, i), to;
    if (k == i) return i;
    k += at(s, n, k) == ',';
    if (at(s, n, k) != ' ') return i;
    to = word_end(s, n, ++k);
    bool from_left = to > k && s[k] >= 'a' && one_of(s + k, to - k, french);
    for (int words = 0; words < WORDS_MAX && to > k; words++) {
        if (from_left) {
            bool name = words && large(s[k]);
            if (name) return to;
        } else if (!large(s[k])) {
            return i;
        } else if (words && one_of(s + k, to - k, kinds)) {
            return to + (at(s, n, to) == '.');
        }
        if (at(s, n, to) != ' ') return i;
        k = to + 1;
        to = word_end(s, n, k);
    }
    return i;
}

/* "Hafenstraße 12" */
static size_t number_last(const char *s, size_t n, size_t i)
{
    static const char *const ends[] = { "stra\303\237e", "strasse", "str",  "weg",  "gasse",
                                        "platz",         "allee",   "ufer", "damm", NULL };
    size_t to = word_end(s, n, i);
    if (!large(s[i])) return i;
    for (const char *const *e = ends; *e; e++) {
        size_t len = strlen(*e), k = to;
        if (to - i <= len + 2 || strncasecmp(s + to - len, *e, len) != 0) continue;
        k += at(s, n, k) == '.';
        if (at(s, n, k) != ' ') return i;
        size_t end = number_end(s, n, k + 1);
        return end > k + 1 ? end : i;
    }
    return i;
}

/* "TR26 1AB" */
static size_t post_code(const char *s, size_t n, size_t i)
{
    size_t k = i;
    while (k - i < 2 && at(s, n, k) >= 'A' && at(s, n, k) <= 'Z') k++;
    if (k == i || !digit(at(s, n, k))) return i;
    k++;
    if (digit(at(s, n, k)) || (at(s, n, k) >= 'A' && at(s, n, k) <= 'Z')) k++;
    if (at(s, n, k++) != ' ' || !digit(at(s, n, k++))) return i;
    for (int j = 0; j < 2; j++, k++)
        if (!(at(s, n, k) >= 'A' && at(s, n, k) <= 'Z')) return i;
    return letter(at(s, n, k)) || digit(at(s, n, k)) ? i : k;
}

size_t mask_address_at(const char *s, size_t n, size_t i)
{
    if (digit(s[i])) return number_first(s, n, i);
    size_t k = post_code(s, n, i);
    return k > i ? k : number_last(s, n, i);
}
