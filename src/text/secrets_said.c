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

#include <pthread.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX 128
#define BACK_MAX  64 /* bytes after "123456 is your" in which it is called a code */

enum said {
    SAID_PASSWORD,
    SAID_ODD, /* a password that looks like one: what it is called is said of other things, too */
    SAID_PHRASE,
    SAID_WALLET,
    SAID_BEARER, /* right after it */
    SAID_WIFI,   /* the network's name may come first */
    SAID_PIN,
    SAID_CODE,
    SAID_SIX, /* five digits and more, right after it */
    SAID_CHECK
};

static const struct name {
    const char *word;
    enum said what;
} names[] = {
    { "password", SAID_PASSWORD },
    { "passwd", SAID_PASSWORD },
    { "passwort", SAID_PASSWORD },
    { "kennwort", SAID_PASSWORD },
    { "passphrase", SAID_PHRASE },
    { "pass phrase", SAID_PHRASE },
    { "seed phrase", SAID_WALLET },
    { "seed words", SAID_WALLET },
    { "recovery phrase", SAID_WALLET },
    { "mnemonic", SAID_WALLET },
    { "wallet", SAID_WALLET },
    { "passcode", SAID_PASSWORD },
    { "pwd", SAID_PASSWORD },
    { "mot de passe", SAID_PASSWORD },
    { "contrase\303\261a", SAID_PASSWORD },
    { "wachtwoord", SAID_PASSWORD },
    { "senha", SAID_PASSWORD },
    { "has\xc5\x82o", SAID_PASSWORD },
    { "l\xc3\xb6senord", SAID_PASSWORD },
    { "passord", SAID_PASSWORD },
    { "adgangskode", SAID_PASSWORD },
    { "salasana", SAID_PASSWORD },
    { "heslo", SAID_PASSWORD },
    { "\xc5\x9fifre", SAID_PASSWORD },
    { "pass", SAID_ODD },
    { "pw", SAID_ODD },
    { "parola", SAID_ODD },
    { "clave", SAID_ODD },
    { "accountkey", SAID_ODD },
    { "bearer", SAID_BEARER },
    { "wpa", SAID_ODD },
    { "wpa2", SAID_ODD },
    { "wpa key", SAID_ODD },
    { "wifi key", SAID_ODD },
    { "wifi code", SAID_ODD },
    { "wlan key", SAID_ODD },
    { "wlan-key", SAID_ODD },
    { "wlan-schl\xc3\xbcssel", SAID_ODD },
    { "netzwerkschl\xc3\xbcssel", SAID_ODD },
    { "network key", SAID_ODD },
    { "cl\xc3\xa9 wifi", SAID_ODD },
    { "wifi", SAID_WIFI },
    { "wlan", SAID_WIFI },
    { "client_secret", SAID_PASSWORD },
    { "api key", SAID_PASSWORD },
    { "api_key", SAID_PASSWORD },
    { "apikey", SAID_PASSWORD },
    { "aws_secret_access_key", SAID_PASSWORD },
    { "secret_access_key", SAID_PASSWORD },
    { "pin", SAID_PIN },
    { "tan", SAID_PIN },
    { "mtan", SAID_PIN },
    { "smstan", SAID_PIN },
    { "pushtan", SAID_PIN },
    { "otp", SAID_CODE },
    { "your code", SAID_CODE },
    { "ihr code", SAID_CODE },
    { "dein code", SAID_CODE },
    { "votre code", SAID_CODE },
    { "ton code", SAID_CODE },
    { "tu c\xc3\xb3"
      "digo",
      SAID_CODE },
    { "su c\xc3\xb3"
      "digo",
      SAID_CODE },
    { "tuo codice", SAID_CODE },
    { "suo codice", SAID_CODE },
    { "seu c\xc3\xb3"
      "digo",
      SAID_CODE },
    { "tw\xc3\xb3j kod", SAID_CODE },
    { "one-time password", SAID_CODE },
    { "door code", SAID_CODE },
    { "gate code", SAID_CODE },
    { "alarm code", SAID_CODE },
    { "entry code", SAID_CODE },
    { "safe code", SAID_CODE },
    { "t\xc3\xbcrcode", SAID_CODE },
    { "haust\xc3\xbcrcode", SAID_CODE },
    { "use code", SAID_SIX },
    { "enter code", SAID_SIX },
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

static const char *const verbs[] = { "is",       "was",   "ist",    "war",       "lautet",
                                     "est",      "es",    "era",    "\xc3\xa9",  "now",
                                     "\xc3\xa8", "jest",  "er",     "\xc3\xa4r", "to",
                                     "code",     "jetzt", "number", "nummer",    NULL };

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

/* Of a program, and no password: a call, a member. */
static bool is_code(const char *s, size_t n)
{
    return memchr(s, '(', n) || memmem(s, n, "->", 2) || (n == 2 && !memcmp(s, "&&", 2));
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
        if (is_code(x->s + i, end - i)) return false;
        size_t rest = spaces(x, end);
        while (at(x, rest) && strchr(".,;!?)", at(x, rest))) rest++;
        bool alone = rest >= x->n || x->s[rest] == '\n';
        bool stars = x->s[i] == '*' && x->s[end - 1] == '*';
        if (stars || (!odd_word(x->s + i, end - i) && !(mark && alone))) return false;
    }
    *h = (struct secret_hit){ SECRET_PASSWORD, i, end };
    return true;
}

/* "HarbourNet / boats4ever", "T:WPA;S:HarbourNet;P:boats4ever;;" */
static bool said_wifi(const struct scan *x, size_t i, struct secret_hit *h)
{
    size_t end = value_end(x, i), next;
    const char *p = memmem(x->s + i, end - i, "P:", 2);
    if (p && (p[-1] == ';' || p == x->s + i)) {
        size_t from = (size_t)(p - x->s) + 2, to = from;
        while (to < end && x->s[to] != ';') to++;
        *h = (struct secret_hit){ SECRET_PASSWORD, from, to };
        return to > from;
    }
    next = spaces(x, end);
    if (at(x, next) == '/' || at(x, next) == ',') {
        i = spaces(x, next + 1);
        end = value_end(x, i);
    }
    if (end - i < 6 || is_link(x->s + i, end - i) || !odd_word(x->s + i, end - i)) return false;
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
    static const char *const what[] = { "for", "to",   "of",   "f\xc3\xbcr", "zum",
                                        "vom", "pour", "para", "de",         "du",
                                        "at",  "from", "auf",  "chez",       NULL };
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

/* A password, by how it is called. */
static bool said_words(const struct scan *x, size_t i, enum said what, bool mark, bool verb,
                       struct secret_hit *h)
{
    if (what == SAID_WIFI) return mark && said_wifi(x, i, h);
    if (what == SAID_BEARER) {
        size_t end = value_end(x, i);
        if (end - i < 20 || !odd_word(x->s + i, end - i)) return false;
        *h = (struct secret_hit){ SECRET_TOKEN, i, end };
        return true;
    }
    if (!mark && !verb) return false;
    if (what == SAID_WALLET) return mark && secret_pass_phrase(x, i, SECRET_PHRASE, h);
    if (what == SAID_PHRASE) {
        size_t end, n = quote_at(x, i, &end);
        if (n && end - i - n >= 4) {
            *h = (struct secret_hit){ SECRET_PASSWORD, i + n, end };
            return true;
        }
        if (mark && secret_pass_phrase(x, i, SECRET_PASSWORD, h)) return true;
    }
    return said_password(x, i, mark && what != SAID_ODD, h);
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
    if (what <= SAID_WIFI) return said_words(x, i, what, mark, verb, h);
    if (what == SAID_SIX ? mark || verb : !mark && !verb && !large) return false;
    size_t least = what == SAID_CHECK ? 3
                   : what == SAID_SIX ? 5
                                      : 4,
           most = what == SAID_CHECK ? 4 : 8;
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

#define NAMES (sizeof names / sizeof *names)
static uint8_t first[32], next[NAMES]; /* by the first letter: index + 1; 0: no more */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void chain_names(void)
{
    for (size_t k = NAMES; k-- > 0;) {
        uint8_t *at = &first[(names[k].word[0] | 32) & 31];
        next[k] = *at;
        *at = (uint8_t)(k + 1);
    }
}

bool secret_said(const struct scan *x, size_t i, struct secret_hit *h)
{
    char c = (char)(x->s[i] | 32);
    if (is_digit(x->s[i]) && before_name(x, i, h)) return true;
    if (c == 'g' && at(x, i + 1) == '-' && before_name(x, i, h)) return true;
    pthread_once(&once, chain_names);
    for (size_t k = first[c & 31]; k; k = next[k - 1]) {
        const char *w = names[k - 1].word;
        if ((*w | 32) != c || (w[1] | 32) != (at(x, i + 1) | 32)) continue;
        size_t n = word_at(x, i, names[k - 1].word);
        bool large =
            n && x->s[i] >= 'A' && x->s[i] <= 'Z' && at(x, i + 1) >= 'A' && at(x, i + 1) <= 'Z';
        if (n && after_name(x, i + n, names[k - 1].what, large, h)) return true;
    }
    return false;
}
