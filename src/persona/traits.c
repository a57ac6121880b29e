/* Traits of a sentence: what answers it could be, whatever is asked. Does it give a reason, a time,
 * a number, a place, a rule; is it fit to be quoted on its own; which way does each of its clauses
 * lean (stance.c)? Found in the folded sentence by everyday words and phrases, and kept with the
 * sentence. */
#include "persona/quote.h"

#include "base/str.h"
#include "persona/spot.h"
#include "text/token.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

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

static const char *const me[] = { " i ", " i'", " my ", " we ", NULL };
static const char *const links[] = { "http://", "https://", NULL };

enum { BECAUSE, WHEN, NUMBER, OFTEN, VIEW, PLACE, RULE, ME, LINK };
static const char *const *const lists[] = {
    [BECAUSE] = because, [WHEN] = when, [NUMBER] = numbers, [OFTEN] = often, [VIEW] = view,
    [PLACE] = place,     [RULE] = rule, [ME] = me,          [LINK] = links,
};

static struct spots phrases;

static void list_phrases(void)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const char *const *p = lists[i]; *p; p++) spots_add(&phrases, *p, (uint16_t)i);
}

static void note(void *ud, uint16_t list, size_t at) { *(unsigned *)ud |= 1u << list; }

/* The lists of which some phrase stands in the text, as bits. */
static unsigned lists_in(const char *folded, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned found = 0;
    pthread_once(&once, list_phrases);
    spots_find(&phrases, folded, n, note, &found);
    return found;
}

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
static float fitness(const char *s, size_t n, size_t n_words, const char *folded, bool link)
{
    float f = 1;
    if (n && s[n - 1] == '?') f *= 0.4f;
    if (n_words < 3) f *= 0.45f;
    else if (n_words < 5) f *= 0.85f;
    if (n_words > 60) f *= 0.75f;
    size_t commas = 0;
    for (size_t i = 0; i < n; i++) commas += s[i] == ',';
    if (commas > 2 && commas * 3 >= n_words) f *= 0.6f; /* a bare list */
    if (link) f *= 0.4f;
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
    unsigned in = lists_in(f, b.n);
    out->because = in >> BECAUSE & 1;
    out->when = in >> WHEN & 1;
    out->digit = holds_digit(f);
    out->number = in >> NUMBER & 1;
    out->often = in >> OFTEN & 1;
    out->names = names_someone(s, n);
    out->place = in >> PLACE & 1;
    out->imperative = imperative(s, n);
    out->rule = in >> RULE & 1;
    out->view = in >> VIEW & 1;
    out->first_person = in >> ME & 1;
    out->fitness = fitness(s, n, n_words, f, in >> LINK & 1);
    buf_free(&b);
    return rc;
}
