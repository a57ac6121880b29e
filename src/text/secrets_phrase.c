/* Secrets that are words: the twelve or twenty-four of a wallet (BIP 39), and pass phrases that are
 * called so; and passwords inside of addresses (RFC 3986, section 3.2.1: userinfo).
 *
 * A wallet's words come from a list of 2,048 that has no articles, pronouns or "and": a line of
 * exactly 12, 15, 18, 21 or 24 words of three to eight small letters, with none of these and no
 * mark between them, perhaps numbered, is not what people write. No list is kept here. */
#include "text/secrets_impl.h"

#include <string.h>
#include <strings.h>

#define WORDS_MAX  24
#define PHRASE_MAX 400 /* bytes */
#define USER_MAX   64
#define PASS_MAX   128

/* Words that are in nearly all sentences of a dozen words, and in no such list. */
static bool says_something(const char *s, size_t n)
{
    static const char *const list[] = {
        "the",  "and",  "but",   "for",  "not",  "are",   "was",   "his",    "her",   "had",  "has",
        "from", "our",  "she",   "were", "been", "which", "would", "could",  "into",  "them", "who",
        "its",  "did",  "got",   "went", "been", "your",  "why",   "get",    "und",   "der",  "die",
        "das",  "ist",  "nicht", "ich",  "ein",  "eine",  "mit",   "les",    "des",   "une",  "est",
        "que",  "pas",  "pour",  "con",  "los",  "las",   "por",   "una",    "della", "sono", "het",
        "een",  "niet", "nie",   "det",  "som",  "must",  "have",  "should", NULL
    };
    for (const char *const *w = list; *w; w++)
        if (strlen(*w) == n && !memcmp(s, *w, n)) return true;
    return false;
}

/* "3. " or "3) " before a word. */
static size_t number_before(const struct scan *x, size_t i)
{
    size_t k = i;
    while (k - i < 2 && is_digit(at(x, k))) k++;
    if (k == i || (at(x, k) != '.' && at(x, k) != ')')) return i;
    return at(x, k + 1) == ' ' ? k + 2 : i;
}

/* Words from i on to the end of the line: how many, 0 when something else is there. */
static int words_of_line(const struct scan *x, size_t i, size_t most, size_t *end)
{
    int n = 0;
    size_t from = i;
    for (;;) {
        size_t k = i = number_before(x, i);
        while (at(x, k) >= 'a' && at(x, k) <= 'z' && k - i < most + 1) k++;
        if (k - i < 3 || k - i > most || says_something(x->s + i, k - i)) return 0;
        if (++n > WORDS_MAX || k - from > PHRASE_MAX) return 0;
        *end = i = k;
        if (at(x, i) == ' ' && at(x, i + 1) && at(x, i + 1) != '\n') i++;
        else break;
    }
    while (at(x, i) == ' ' || at(x, i) == '\r') i++;
    return i >= x->n || x->s[i] == '\n' ? n : 0;
}

bool secret_wallet(const struct scan *x, size_t i, struct secret_hit *h)
{
    size_t end = i;
    int n = words_of_line(x, i, 8, &end);
    if (n < 12 || n % 3) return false;
    *h = (struct secret_hit){ SECRET_PHRASE, i, end };
    return true;
}

bool secret_pass_phrase(const struct scan *x, size_t i, enum secret_kind kind, struct secret_hit *h)
{
    size_t end = i;
    if (words_of_line(x, i, 12, &end) < 4) return false;
    *h = (struct secret_hit){ kind, i, end };
    return true;
}

/* "//user:password@host", i at the user. */
bool secret_in_address(const struct scan *x, size_t i, struct secret_hit *h)
{
    size_t k = i, from;
    if (i < 3 || memcmp(x->s + i - 3, "://", 3) != 0) return false;
    while (k - i < USER_MAX && at(x, k) > ' ' && !strchr("/:@?#\"'<>", at(x, k))) k++;
    if (k == i || at(x, k) != ':') return false;
    for (from = ++k; k - from < PASS_MAX && at(x, k) > ' ' && !strchr("/@?#\"'<>", at(x, k));) k++;
    if (k == from || at(x, k) != '@' || !is_alnum(at(x, k + 1)) || at(x, from) == '[') return false;
    *h = (struct secret_hit){ SECRET_PASSWORD, from, k };
    return true;
}
