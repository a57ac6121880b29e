/* Secrets that only their name gives away: "Password: xyz", "mein Passwort ist xyz1", "the PIN is
 * 1234", "123456 is your verification code".
 *
 * People write about passwords far more often than they write one down, so the word alone is not
 * enough. After ':' or '=' the next word is taken when it looks like one nobody says (a digit or a
 * mark inside letters), or stands alone until the end of its line; after "is" only when it looks
 * like one, or is in quotation marks. A PIN or a code is 4 to 8 digits, and between it and its name
 * nothing but "is", "code" or a mark.
 *
 * All looks stay on the line and end after a few dozen bytes. */
#include "text/secrets_impl.h"

#include <string.h>
#include <strings.h>

#define VALUE_MAX 128
#define BACK_MAX  64 /* bytes after "123456 is your" in which it is called a code */

enum said { SAID_PASSWORD, SAID_PIN, SAID_CODE, SAID_CHECK };

static const struct name {
    const char *word;
    enum said what;
} names[] = {
    { "password", SAID_PASSWORD },
    { "passwd", SAID_PASSWORD },
    { "passwort", SAID_PASSWORD },
    { "kennwort", SAID_PASSWORD },
    { "passphrase", SAID_PASSWORD },
    { "passcode", SAID_PASSWORD },
    { "pwd", SAID_PASSWORD },
    { "mot de passe", SAID_PASSWORD },
    { "contrase\303\261a", SAID_PASSWORD },
    { "wachtwoord", SAID_PASSWORD },
    { "senha", SAID_PASSWORD },
    { "client_secret", SAID_PASSWORD },
    { "api key", SAID_PASSWORD },
    { "api_key", SAID_PASSWORD },
    { "apikey", SAID_PASSWORD },
    { "aws_secret_access_key", SAID_PASSWORD },
    { "secret_access_key", SAID_PASSWORD },
    { "pin", SAID_PIN },
    { "tan", SAID_PIN },
    { "otp", SAID_CODE },
    { "2fa code", SAID_CODE },
    { "verification code", SAID_CODE },
    { "security code", SAID_CODE },
    { "login code", SAID_CODE },
    { "sign-in code", SAID_CODE },
    { "access code", SAID_CODE },
    { "authentication code", SAID_CODE },
    { "confirmation code", SAID_CODE },
    { "one-time code", SAID_CODE },
    { "one time code", SAID_CODE },
    { "whatsapp code", SAID_CODE },
    { "best\xc3\xa4tigungscode", SAID_CODE },
    { "sicherheitscode", SAID_CODE },
    { "anmeldecode", SAID_CODE },
    { "code de v\xc3\xa9rification", SAID_CODE },
    { "cvv", SAID_CHECK },
    { "cvc", SAID_CHECK },
    { "cvv2", SAID_CHECK },
    { "cvc2", SAID_CHECK },
};

/* The word (no letter or digit after it); 0, or its length. */
static size_t word_at(const struct scan *x, size_t i, const char *word)
{
    size_t n = strlen(word);
    if (i > x->n || x->n - i < n || strncasecmp(x->s + i, word, n) != 0) return 0;
    char after = at(x, i + n);
    return is_alnum(after) || (after & 0x80) || after == '_' ? 0 : n;
}

static size_t spaces(const struct scan *x, size_t i)
{
    while (at(x, i) == ' ' || at(x, i) == '\t') i++;
    return i;
}

/* One of the words, and the spaces after it; i when it is none. */
static size_t any_word(const struct scan *x, size_t i, const char *const *list)
{
    for (; *list; list++) {
        size_t n = word_at(x, i, *list);
        if (n) return spaces(x, i + n);
    }
    return i;
}

static const char *const verbs[] = { "is",   "was",   "ist",    "war",      "lautet",
                                     "est",  "es",    "era",    "\xc3\xa9", "now",
                                     "code", "jetzt", "number", "nummer",   NULL };

static size_t quote_at(const struct scan *x, size_t i, size_t *end)
{
    static const char *const marks[][2] = { { "\"", "\"" },
                                            { "'", "'" },
                                            { "`", "`" },
                                            { "\xe2\x80\x9c", "\xe2\x80\x9d" },
                                            { "\xe2\x80\x9e", "\xe2\x80\x9c" },
                                            { "\xc2\xab", "\xc2\xbb" } };
    for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
        size_t n = strlen(marks[k][0]), m = strlen(marks[k][1]), to;
        if (x->n - i < n || memcmp(x->s + i, marks[k][0], n) != 0) continue;
        for (to = i + n; to < x->n && to - i < VALUE_MAX && x->s[to] != '\n'; to++)
            if (x->n - to >= m && !memcmp(x->s + to, marks[k][1], m)) {
                *end = to;
                return n;
            }
    }
    return 0;
}

/* Where the word at i ends: at a space, without the marks that end a sentence. */
static size_t value_end(const struct scan *x, size_t i)
{
    size_t to = i;
    while (to < x->n && to - i < VALUE_MAX && (unsigned char)x->s[to] > ' ') to++;
    if (to - i == VALUE_MAX) return i;
    while (to > i && strchr(".,;:!?)\"'", x->s[to - 1])) to--;
    return to;
}

/* Like nothing that is said: a digit, or a mark that no word has inside, between other characters.
 */
static bool odd_word(const char *s, size_t n)
{
    bool digit = false, letter = false, mark = false;
    for (size_t i = 0; i < n; i++) {
        digit |= is_digit(s[i]);
        letter |= is_letter(s[i]) || (s[i] & 0x80);
        mark |= strchr("!#$%&*+=?@^_~|\\<>", s[i]) != NULL;
    }
    return n >= 4 && ((digit && (letter || mark || n >= 5)) || (letter && mark));
}

static bool is_link(const char *s, size_t n)
{
    return (n > 7 && !strncasecmp(s, "http", 4)) || (n > 4 && !strncasecmp(s, "www.", 4));
}

static bool said_password(const struct scan *x, size_t i, bool mark, struct secret_hit *h)
{
    size_t end = 0, n = quote_at(x, i, &end);
    if (n) {
        i += n;
        if (end - i < 4 || memchr(x->s + i, ' ', end - i)) return false;
    } else {
        end = value_end(x, i);
        if (end - i < 4 || at(x, i) == '[' || is_link(x->s + i, end - i)) return false;
        size_t rest = spaces(x, end);
        while (at(x, rest) && strchr(".,;!?)", at(x, rest))) rest++;
        bool alone = rest >= x->n || x->s[rest] == '\n';
        bool stars = x->s[i] == '*' && x->s[end - 1] == '*';
        if (stars || (!odd_word(x->s + i, end - i) && !(mark && alone))) return false;
    }
    *h = (struct secret_hit){ SECRET_PASSWORD, i, end };
    return true;
}

/* least .. most digits, in one run or two halves ("123-456"); the end, or i. */
static size_t digits_at(const struct scan *x, size_t i, size_t least, size_t most)
{
    size_t k = i, n = 0, gaps = 0;
    if (at(x, k) == 'G' && at(x, k + 1) == '-') k += 2;
    for (; n <= most; k++) {
        if (is_digit(at(x, k))) n++;
        else if (n == 3 && !gaps++ && secret_gap(x, k) == 1 && is_digit(at(x, k + 1))) continue;
        else break;
    }
    char after = at(x, k);
    bool ends = !is_alnum(after) && after != '_' && !(after & 0x80) &&
                !(after && strchr("-.,:/", after) && is_digit(at(x, k + 1)));
    return n >= least && n <= most && ends ? k : i;
}

/* ---- the name first ---- */

/* "password for the wifi at home is": goes to the verb or mark; i when there is no such. */
static size_t what_for(const struct scan *x, size_t i)
{
    static const char *const what[] = { "for",  "to",   "of", "f\xc3\xbcr", "zum", "vom",
                                        "pour", "para", "de", "du",         NULL };
    static const char *const is[] = { "is", "was", "ist", "war", "lautet", "est", "es", NULL };
    size_t from = spaces(x, i), k = any_word(x, from, what);
    if (k == from) return i;
    for (int words = 0; words < 5; words++) {
        while (is_alnum(at(x, k)) || (at(x, k) & 0x80) || (at(x, k) && strchr("-'._", at(x, k))))
            k++;
        k = spaces(x, k);
        if (at(x, k) == ':' || at(x, k) == '=' || any_word(x, k, is) != k) return k;
    }
    return i;
}

static bool after_name(const struct scan *x, size_t i, enum said what, bool large,
                       struct secret_hit *h)
{
    bool mark = false, verb = false;
    i = what_for(x, i);
    for (int k = 0; k < 4; k++) {
        size_t from = i = spaces(x, i);
        if (at(x, i) == ':' || at(x, i) == '=') mark = true, i++;
        else if (at(x, i) == '-' && at(x, i + 1) == '>') mark = true, i += 2;
        else if ((i = any_word(x, i, verbs)) != from) verb = true;
        if (i == from) break;
    }
    if (what == SAID_PASSWORD) return (mark || verb) && said_password(x, i, mark, h);
    if (!mark && !verb && !large) return false;
    size_t least = what == SAID_CHECK ? 3 : 4, most = what == SAID_CHECK ? 4 : 8;
    size_t end = digits_at(x, i, least, most);
    if (end == i) return false;
    *h = (struct secret_hit){ SECRET_CODE, i, end };
    return true;
}

/* ---- the code first: "123456 is your Example verification code" ---- */

static bool before_name(const struct scan *x, size_t i, struct secret_hit *h)
{
    static const char *const is[] = { "is", "ist", "est", "es", NULL };
    static const char *const yours[] = { "your", "dein", "ihr", "votre", "ton", "tu", "su", NULL };
    static const char *const codes[] = { "code",          "otp",      "passcode",
                                         "c\303\263digo", "password", NULL };
    size_t end = digits_at(x, i, 4, 8), k;
    if (end == i) return false;
    size_t verb = spaces(x, end), whose = any_word(x, verb, is);
    if (whose == verb || (k = any_word(x, whose, yours)) == whose) return false;
    for (size_t stop = k + BACK_MAX; k < stop && at(x, k) && at(x, k) != '\n'; k++) {
        size_t word = k;
        while (is_letter(at(x, k)) || (at(x, k) & 0x80)) k++;
        bool code = any_word(x, word, codes) != word ||
                    (k - word > 4 && !strncasecmp(x->s + k - 4, "code", 4));
        if (!code) continue;
        *h = (struct secret_hit){ SECRET_CODE, i, end };
        return true;
    }
    return false;
}

bool secret_said(const struct scan *x, size_t i, struct secret_hit *h)
{
    char c = (char)(x->s[i] | 32);
    if (is_digit(x->s[i]) && before_name(x, i, h)) return true;
    if (c == 'g' && at(x, i + 1) == '-' && before_name(x, i, h)) return true;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const char *w = names[k].word;
        if ((*w | 32) != c || (w[1] | 32) != (at(x, i + 1) | 32)) continue;
        size_t n = word_at(x, i, names[k].word);
        bool large =
            n && x->s[i] >= 'A' && x->s[i] <= 'Z' && at(x, i + 1) >= 'A' && at(x, i + 1) <= 'Z';
        if (n && after_name(x, i + n, names[k].what, large, h)) return true;
    }
    return false;
}
