/* Traits of a sentence: what answers it could be, whatever is asked. Does it give a reason, a time, a
 * number, a place, a rule; is it fit to be quoted on its own; which way does each of its clauses
 * lean (stance.c)? Found in the folded sentence by everyday words and phrases, and kept with the
 * sentence. */
#include "persona/quote.h"

#include "base/str.h"
#include "text/token.h"

#include <ctype.h>
#include <string.h>

static bool holds_any(const char *folded, const char *const *list)
{
    for (; *list; list++)
        if (strstr(folded, *list)) return true;
    return false;
}

static bool holds_digit(const char *s)
{
    for (; *s; s++)
        if (isdigit((unsigned char)*s)) return true;
    return false;
}

static const char *const because[] = {
    " because",     " since ",      " so that",      " reason",    "that's why",
    "which is why", " in order to", " for the sake", " so i ",     "makes me",
    "made me",      " as it ",      " if you ",      "can't bear", "couldn't bear",
    "what i love",  "what i hate",  " why",          " sooner ",   NULL
};
static const char *const when[] = { " ago",     "yesterday", "last year", "last week", "morning",
                                    "january",  "february",  " march ",   "april",     " june",
                                    " july",    "august",    "september", "october",   "november",
                                    "december", "in 19",     "in 20",     "years old", "when i was",
                                    NULL };
static const char *const numbers[] = { " one ",   " two ",   " three ",  " four ",  " five ",
                                       " six ",   " seven ", " eight ",  " nine ",  " ten ",
                                       " eleven", " twelve", "teen ",    "twenty",  "thirty",
                                       "forty",   "fifty",   "sixty",    "seventy", "eighty",
                                       "ninety",  "hundred", "thousand", " half",   "dozen",
                                       " none",   NULL };
static const char *const often[] = { " every ", " each ",  " once",   " twice",  " times",
                                     " daily",  " weekly", " always", " never",  " whenever",
                                     " most ",  "days",    "sundays", "mondays", NULL };
static const char *const view[] = { " i think",   " i love",     " i like",      " i hate",
                                    " i believe", " i don't",    " i never",     " i will",
                                    " i'd ",      " i'm ",       " i was wrong", " should",
                                    " i prefer",  " i can't",    " i trust",     " i want",
                                    " i won't",   " i wouldn't", " best ",       " worst ",
                                    " better ",   NULL };
static const char *const place[] = { " in ",    " at ",  " near ",   " by the ",
                                     " street", " road", " on the ", NULL };
static const char *const rule[] = { " you ",   " your ", " always ", " never ",
                                    " first ", " then ", " if ",     NULL };

/* Does it begin like an instruction: "Oil your chain", "Never quote"? */
static bool imperative(const char *s, size_t n)
{
    struct tokens t = tokens_of(s, n);
    if (!tokens_next(&t) || !t.is_word) return false;
    struct token_word w = token_word(s + t.start, t.end - t.start);
    if (!strcmp(w.fold, "don't") || !strcmp(w.fold, "never") || !strcmp(w.fold, "always"))
        return true;
    if (w.stop || str_ends(w.fold, "s") || str_ends(w.fold, "ed") || str_ends(w.fold, "ing"))
        return false;
    if (!tokens_next(&t) || !t.is_word) return false;
    w = token_word(s + t.start, t.end - t.start);
    return !strcmp(w.fold, "the") || !strcmp(w.fold, "your") || !strcmp(w.fold, "it") ||
           !strcmp(w.fold, "a") || !strcmp(w.fold, "them") || !strcmp(w.fold, "for");
}

/* A capital inside the sentence, or a word of kin. */
static bool names_someone(const char *s, size_t n)
{
    for (size_t i = 1; i + 1 < n; i++)
        if (s[i - 1] == ' ' && isupper((unsigned char)s[i]) && islower((unsigned char)s[i + 1]))
            return true;
    return false;
}

/* Is it fit to be quoted on its own? 0..1. */
static float fitness(const char *s, size_t n, size_t n_words, const char *folded)
{
    float f = 1;
    if (n && s[n - 1] == '?') f *= 0.4f;
    if (n_words < 3) f *= 0.45f;
    else if (n_words < 5) f *= 0.85f;
    if (n_words > 60) f *= 0.75f;
    size_t commas = 0;
    for (size_t i = 0; i < n; i++) commas += s[i] == ',';
    if (commas > 2 && commas * 3 >= n_words) f *= 0.6f; /* a bare list */
    if (strstr(folded, "http://") || strstr(folded, "https://")) f *= 0.4f;
    if (str_starts(folded, " dear ") || str_starts(folded, " hi ") || str_starts(folded, " hello "))
        f *= 0.4f;
    return f;
}

int traits_read(struct words *ws, const char *s, size_t n, size_t n_words, struct arena *mem,
                struct traits *out)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_addc(&b, ' ');
    utf8_fold(&b, s, n);
    const char *f = buf_str(&b);
    int rc = b.failed ? ERR_NOMEM : leaning_read(ws, s, n, &b, mem, &out->leaning);
    out->because = holds_any(f, because);
    out->when = holds_any(f, when);
    out->digit = holds_digit(f);
    out->number = holds_any(f, numbers);
    out->often = holds_any(f, often);
    out->names = names_someone(s, n);
    out->place = holds_any(f, place);
    out->imperative = imperative(s, n);
    out->rule = holds_any(f, rule);
    out->view = holds_any(f, view);
    out->first_person =
        strstr(f, " i ") || strstr(f, " i'") || strstr(f, " my ") || strstr(f, " we ");
    out->fitness = fitness(s, n, n_words, f);
    buf_free(&b);
    return rc;
}
