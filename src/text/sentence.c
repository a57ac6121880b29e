/* Sentences. ICU's iterator (UAX 29) proposes boundaries; we decide which of them stand.
 *
 * ICU's own list of suppressions ("en@ss=standard") is not used: it holds "Go.", "All.", "Up." and
 * "I." together with what follows, which is wrong more often than right in letters and chats. The
 * list here is of abbreviations only, in two classes: those that never end a sentence ("Mr.",
 * "e.g."), and those that may ("p.m.", "Inc.", an initial), which end one when a function word
 * with a capital follows ("at 5 p.m. The boat ...").
 *
 * ICU breaks at every line end. Hard-wrapped prose must not; a chat message of short lines must.
 * See line_splits for how the two are told apart.
 *
 * Everything is decided between tokens: a sentence runs from the start of a token to the end of
 * one, so it is trimmed, never empty, and the tokens of the sentences are the tokens of the
 * text. */
#include "text/sentence.h"

#include "base/str.h"
#include "text/token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#define SHORT_LINE 48  /* bytes: a line this short was ended on purpose */
#define CHAT_LINE  40  /* bytes: a text with mostly such lines is a chat's */
#define LONG_LINE  140 /* nobody wraps lines here: a paragraph on one line */

struct tok {
    size_t start, end;
    bool is_word;
};

struct sentences {
    UBreakIterator *icu;
    UText ut;
    const char *s;
    size_t n;
    struct tokens t;
    struct tok next; /* the token after last; valid if has_next */
    bool has_next;
    struct tok last[4];  /* last[0] is the newest token of the sentence */
    size_t count, words; /* tokens and words since `from` */
    size_t from;
    size_t bound; /* newest boundary from ICU */
    bool icu_done;
    bool chatty;       /* most lines are short */
    bool lower;        /* written without capitals: "." and a small letter end a sentence */
    struct tokens cut; /* the rest of an overlong sentence */
};

struct sentences *sentences_new(struct err *err)
{
    struct sentences *it = calloc(1, sizeof *it);
    UErrorCode u = U_ZERO_ERROR;
    if (!it) {
        err_nomem(err);
        return NULL;
    }
    it->ut = (UText)UTEXT_INITIALIZER;
    it->icu = ubrk_open(UBRK_SENTENCE, "en", NULL, 0, &u);
    if (U_FAILURE(u)) {
        err_set(err, ERR_INTERNAL, "cannot open ICU's sentence rules: %s", u_errorName(u));
        free(it);
        return NULL;
    }
    return it;
}

void sentences_free(struct sentences *it)
{
    if (!it) return;
    ubrk_close(it->icu);
    utext_close(&it->ut);
    free(it);
}

/* Reads the next token into it->next. */
static void peek(struct sentences *it)
{
    it->has_next = tokens_next(&it->t);
    it->next = (struct tok){ it->t.start, it->t.end, it->t.is_word };
}

static void take(struct sentences *it)
{
    if (!it->count) it->from = it->next.start;
    memmove(it->last + 1, it->last, 3 * sizeof *it->last);
    it->last[0] = it->next;
    it->count++;
    it->words += it->next.is_word;
    peek(it);
}

/* What kind of writing this is, from its lines and letters. Returns whether ICU has anything to
 * find. */
static bool survey(struct sentences *it)
{
    size_t lines = 0, brief = 0, line = 0, upper = 0, ends = 0, high = 0;
    for (size_t i = 0; i <= it->n; i++) {
        unsigned char c = i < it->n ? (unsigned char)it->s[i] : '\n';
        if (c == '\n') {
            lines += line > 0;
            brief += line > 0 && line < CHAT_LINE;
            line = 0;
            continue;
        }
        line++;
        high += c >= 0x80;
        upper += c >= 'A' && c <= 'Z';
        ends += c == '.' || c == '!' || c == '?';
    }
    it->chatty = lines > 1 && brief * 4 >= lines * 3;
    it->lower = upper == 0;
    return ends || high || lines > 1;
}

int sentences_text(struct sentences *it, const char *s, size_t n)
{
    UErrorCode u = U_ZERO_ERROR;
    if (n > INT32_MAX) return ERR_LIMIT;
    it->s = n ? s : "";
    it->n = n;
    it->t = tokens_of(it->s, n);
    it->cut = tokens_of(it->s, 0);
    it->count = it->words = it->bound = 0;
    it->icu_done = !survey(it);
    peek(it);
    if (it->icu_done) return 0;
    utext_openUTF8(&it->ut, it->s, (int64_t)n, &u);
    ubrk_setUText(it->icu, &it->ut, &u);
    return U_FAILURE(u) ? ERR_NOMEM : 0;
}

/* ---- which boundaries stand ---- */

static uint32_t char_at(const struct sentences *it, size_t at)
{
    const char *p = it->s + at;
    return at < it->n ? utf8_next(&p, it->s + it->n) : 0;
}

static bool is(const struct sentences *it, struct tok t, const char *set)
{
    return t.end - t.start == 1 && strchr(set, it->s[t.start]);
}

static bool upper_at(const struct sentences *it, size_t at)
{
    return u_isUUppercase((UChar32)char_at(it, at));
}
static bool lower_at(const struct sentences *it, size_t at)
{
    return u_isULowercase((UChar32)char_at(it, at));
}

static bool closer(uint32_t c)
{
    return c == ')' || c == ']' || c == '}' || c == 0x201D || c == 0x2019 || c == 0xBB;
}

static bool quote_or_closer(uint32_t c) { return closer(c) || c == '"' || c == '\''; }

static bool emoji(const struct sentences *it, struct tok t)
{
    uint32_t c = char_at(it, t.start);
    return !t.is_word && ((c >= 0x2600 && c <= 0x27BF) || (c >= 0x1F000 && c <= 0x1FAFF));
}

/* Length of a smiley at `at`, standing free, or 0. */
static size_t smiley(const struct sentences *it, size_t at)
{
    static const char *const faces[] = { ":-)", ";-)", ":-(", ":'(", ":-D", ":)", ";)", ":(",
                                         ":D",  ":P",  ":p",  ":/",  "<3",  "xD", "XD", "^^" };
    for (size_t i = 0; i < sizeof faces / sizeof *faces; i++) {
        size_t k = strlen(faces[i]), after = at + k;
        if (after > it->n || memcmp(it->s + at, faces[i], k)) continue;
        if (after == it->n || strchr(" \n\t.!", it->s[after])) return k;
    }
    return 0;
}

enum hold { NEVER_ENDS, MAY_END, ENDS };

/* Sorted. '*': may end a sentence; the rest never do. */
static const char *const abbreviations[] = {
    "adm",  "al*",  "approx", "apr*", "apt*", "aug*", "ave*",   "blvd*", "bros*", "ca",
    "capt", "cf",   "ch",     "cmdr", "co*",  "col",  "comdr",  "corp*", "cpl",   "cpt",
    "dec*", "dept", "dr",     "eds",  "eq",   "esp",  "est",    "excl",  "feb*",  "fig",
    "figs", "fr",   "fri*",   "ft*",  "gen",  "gov",  "hon",    "hr*",   "hrs*",  "inc*",
    "incl", "insp", "jan*",   "jr*",  "jul*", "jun*", "lb*",    "lbs*",  "lieut", "lt",
    "ltd*", "maj",  "messrs", "mgr",  "min*", "misc", "mlle",   "mme",   "mr",    "mrs",
    "ms",   "mt",   "mx",     "nos",  "nov*", "oct*", "oz*",    "para",  "pp",    "pres",
    "prof", "pvt",  "rd*",    "ref",  "rep",  "rev",  "sec*",   "sen",   "sep*",  "sept*",
    "sgt",  "sr*",  "st",     "supt", "tel",  "thu*", "thurs*", "tue*",  "tues*", "univ",
    "viz",  "vol",  "vols",   "vs",   "wed*", "yr*",  "yrs*",
};

static enum hold listed(const char *w, size_t n)
{
    char f[16];
    size_t lo = 0, hi = sizeof abbreviations / sizeof *abbreviations;
    if (n >= sizeof f) return ENDS;
    n = token_fold(w, n, f, sizeof f);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2, k = strcspn(abbreviations[mid], "*");
        int d = strncmp(f, abbreviations[mid], k);
        if (!d && n > k) d = 1;
        if (!d) return abbreviations[mid][k] ? MAY_END : NEVER_ENDS;
        if (d < 0) hi = mid;
        else lo = mid + 1;
    }
    return ENDS;
}

/* Can the word w (last[1] or so), followed by the full stop, be shortened rather than last?
 * before: the two tokens before it. */
static enum hold shortened(const struct sentences *it, struct tok w, struct tok dot,
                           struct tok prev)
{
    const char *p = it->s + w.start;
    size_t n = w.end - w.start;
    bool dotted = dot.end == w.start && is(it, dot, ".") && prev.is_word && prev.end == dot.start;
    if (!w.is_word) return ENDS;
    if (dotted && prev.end - prev.start <= 2) { /* e.g.  p.m.  U.S.  Ph.D. */
        char a = (char)(it->s[prev.start] | 32), b = (char)(*p | 32);
        if ((a == 'e' && b == 'g') || (a == 'i' && b == 'e')) return NEVER_ENDS;
        return n <= 2 ? MAY_END : ENDS;
    }
    if (n == 1 && upper_at(it, w.start)) { /* an initial; "So do I." is none */
        if (*p == 'I' && it->count > 2) return ENDS;
        return MAY_END;
    }
    if (n == 2 && !memcmp(p, "No", 2)) return MAY_END; /* No. 10 */
    if (n == 1 && *p == 'p') return MAY_END;           /* p. 10 */
    return listed(p, n);
}

/* A capitalised function word begins a sentence more often than it is a name. */
static bool starter_follows(const struct sentences *it)
{
    struct tok n = it->next;
    if (!n.is_word || !upper_at(it, n.start)) return !n.is_word && !is(it, n, "([");
    return token_word(it->s + n.start, n.end - n.start).stop;
}

/* Is the end of the sentence so far, a full stop, only an abbreviation's or a list number's? */
static bool stop_is_inner(const struct sentences *it)
{
    struct tok w = it->last[1];
    if (!is(it, it->last[0], ".") || it->count < 2 || w.end != it->last[0].start) return false;
    bool digits = true;
    for (size_t i = w.start; i < w.end; i++) digits &= it->s[i] >= '0' && it->s[i] <= '9';
    if (it->count == 2 && digits && w.end - w.start <= 3) return true; /* "1. Buy milk" */
    switch (shortened(it, w, it->count > 2 ? it->last[2] : (struct tok){ 0 },
                      it->count > 3 ? it->last[3] : (struct tok){ 0 })) {
    case NEVER_ENDS: return true;
    case MAY_END: return !starter_follows(it);
    case ENDS: break;
    }
    return false;
}

/* Bytes of a list mark, heading or quote mark at the start of a line; 0 if there is none. */
static size_t item_mark(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\t')) i++;
    p += i;
    n -= i;
    if (n >= 2 && strchr("-*+>", *p) && p[1] == ' ') return 2;
    if (n >= 4 && !memcmp(p, "\xE2\x80\xA2", 3)) return 3; /* bullet */
    for (i = 0; i < n && i < 7 && p[i] == '#'; i++) continue;
    if (i && i < n && p[i] == ' ') return i + 1;
    for (i = 0; i < n && i < 4 && p[i] >= '0' && p[i] <= '9'; i++) continue;
    if (i && i + 1 < n && (p[i] == '.' || p[i] == ')') && p[i + 1] == ' ') return i + 2;
    return 0;
}

/* Last visible token is a sentence's end, closing quotes and emoji passed over. */
static bool terminal(const struct sentences *it)
{
    for (size_t i = 0; i < 3 && i < it->count; i++) {
        struct tok t = it->last[i];
        uint32_t c = char_at(it, t.start);
        if (c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x3002) return true;
        if (!quote_or_closer(c) && !emoji(it, t)) return false;
    }
    return false;
}

/* Does the line end between last[0] and next end a sentence? Blank lines, list items and headings
 * always do. A terminal mark does unless it is an abbreviation's. Without one, prose that was
 * wrapped runs on: its lines are of middling length. Short lines were ended on purpose when the
 * next begins with a capital or all lines are short; very long ones are paragraphs. */
static bool line_splits(const struct sentences *it, size_t newlines)
{
    const char *a_end = it->s + it->last[0].end, *from = it->s + it->from;
    const char *a = memrchr(from, '\n', (size_t)(a_end - from));
    a = a ? a + 1 : from;
    const char *b = it->s + it->next.start;
    while (b > it->s && b[-1] != '\n') b--;
    size_t a_n = (size_t)(a_end - a);
    if (newlines > 1 || item_mark(b, (size_t)(it->s + it->n - b))) return true;
    if (*a == '#' && item_mark(a, a_n)) return true;
    if (terminal(it)) {
        if (stop_is_inner(it)) return false;
        return !lower_at(it, it->next.start) || it->lower || it->chatty;
    }
    if (is(it, it->last[0], ",")) return false;
    if (a_n > LONG_LINE) return true;
    if (a_n >= SHORT_LINE) return false;
    return it->chatty || upper_at(it, it->next.start);
}

/* Does the boundary between last[0] and next, on one line, stand? */
static bool stands(const struct sentences *it)
{
    if (!it->words || stop_is_inner(it)) return false;
    uint32_t end = char_at(it, it->last[0].start);
    /* "Really?" she said. */
    if (quote_or_closer(end) && lower_at(it, it->next.start)) return false;
    return true;
}

static bool ends_in_smiley(const struct sentences *it)
{
    for (size_t i = 1; i < 3 && i < it->count; i++)
        if (!it->last[i].is_word &&
            it->last[i].start + smiley(it, it->last[i].start) == it->last[0].end)
            return true;
    return false;
}

/* Boundaries ICU does not propose: after an emoji or smiley before a capital, and after a full stop
 * in writing without capitals. */
static bool own_boundary(const struct sentences *it)
{
    if (!it->has_next || it->next.start == it->last[0].end || !it->words) return false;
    if (emoji(it, it->last[0]) || ends_in_smiley(it)) return upper_at(it, it->next.start);
    if (!it->lower || !lower_at(it, it->next.start) || !is(it, it->last[0], ".")) return false;
    return it->last[1].is_word && it->last[1].end - it->last[1].start > 1 && !stop_is_inner(it);
}

/* Take what belongs to the sentence just ended on its line: emoji, smileys, stray closing marks. */
static void take_trailers(struct sentences *it)
{
    while (it->has_next &&
           !memchr(it->s + it->last[0].end, '\n', it->next.start - it->last[0].end)) {
        size_t face = smiley(it, it->next.start), after = it->next.end;
        bool free_after = after >= it->n || strchr(" \n\t", it->s[after]);
        if (face) {
            size_t to = it->next.start + face;
            while (it->has_next && it->next.start < to) take(it);
        } else if (emoji(it, it->next) ||
                   (free_after && quote_or_closer(char_at(it, it->next.start))) ||
                   is(it, it->next, "!?.")) {
            take(it);
        } else {
            return;
        }
    }
}

static size_t newlines_before_next(const struct sentences *it)
{
    size_t k = 0;
    for (size_t i = it->last[0].end; i < it->next.start; i++) k += it->s[i] == '\n';
    return k;
}

/* Collect tokens up to the next boundary that stands; false at the end of the text. */
static bool collect(struct sentences *it)
{
    it->count = it->words = 0;
    if (!it->has_next) return false;
    for (;;) {
        while (it->has_next && it->next.start < it->bound) {
            take(it);
            if (own_boundary(it) && !newlines_before_next(it)) {
                take_trailers(it);
                return true;
            }
        }
        if (!it->has_next) return true;
        if (it->count && it->last[0].end <= it->bound && it->bound <= it->next.start) {
            size_t newlines = newlines_before_next(it);
            if (newlines ? line_splits(it, newlines) : stands(it)) {
                if (!newlines) take_trailers(it);
                return true;
            }
        }
        int32_t b = it->icu_done ? UBRK_DONE : ubrk_next(it->icu);
        it->icu_done = b == UBRK_DONE;
        it->bound = it->icu_done ? it->n : (size_t)b;
    }
}

/* ---- overlong sentences ---- */

/* Where to cut the tokens of t: at their end if they fit, else after the last strong clause mark of
 * the second half of the allowance, else after the last comma, else at the allowance. */
static size_t cut_at(struct tokens t)
{
    size_t strong = 0, weak = 0, end = 0;
    for (int i = 0; i < SENTENCE_MAX && tokens_next(&t); i++) {
        end = t.end;
        if (t.is_word || i < SENTENCE_MAX / 2) continue;
        char c = t.s[t.start];
        bool dash = t.end - t.start == 3 && !memcmp(t.s + t.start, "\xE2\x80\x94", 3);
        if (c == ';' || c == ':' || c == '.' || c == '!' || c == '?' || dash) strong = end;
        else if (c == ',') weak = end;
    }
    if (!tokens_next(&t)) return end;
    return strong ? strong : weak ? weak : end;
}

bool sentences_next(struct sentences *it, size_t *from, size_t *to)
{
    struct tokens rest = it->cut;
    if (!tokens_next(&rest)) {
        if (!collect(it)) return false;
        *from = it->from;
        *to = it->last[0].end;
        if (it->count <= SENTENCE_MAX) return true;
        it->cut = tokens_of(it->s, *to);
        it->cut.at = *from;
    } else {
        *from = rest.start;
    }
    it->cut.at = *to = cut_at(it->cut);
    return true;
}
