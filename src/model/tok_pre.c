/* Pre-tokenisers: where byte-level BPE cuts text into pieces before it merges anything.
 *
 * Each is published as a regular expression over Unicode classes (`\p{L}+`, `\p{N}{1,3}`,
 * `\s+(?!\S)`, ...). Every alternative of these expressions is decided by the class of one or two
 * characters and then takes a run, so we walk the text with a table of classes instead: no
 * backtracking, linear time, and no regular expression library. The expressions are:
 *
 *   gpt-2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   llama3   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *            ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *   qwen2    as llama3 with single numerals, \p{N}
 *   tekken   [^\r\n\p{L}\p{N}]?U*L+|[^\r\n\p{L}\p{N}]?U+L*|\p{N}|
 *            ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+  where U is upper and title case,
 *            L lower case, and both are modifiers, letters without case and marks
 *   digits   (smollm, starcoder) each numeral alone, then gpt-2 on what lies between
 *   default  runs of punctuation, then gpt-2, then numerals in threes
 *
 * A byte that is no UTF-8 counts as a character of no class. */
#include "model/tok_impl.h"

#include "base/str.h"

static const struct tok_pre_facts known[] = {
    { "gpt-2", TOK_PRE_GPT2, false, false, false },
    { "phi-2", TOK_PRE_GPT2, false, false, false },
    { "mpt", TOK_PRE_GPT2, false, false, false },
    { "olmo", TOK_PRE_GPT2, false, false, false },
    { "llama-bpe", TOK_PRE_LLAMA3, true, false, true },
    { "llama3", TOK_PRE_LLAMA3, true, false, true },
    { "llama-v3", TOK_PRE_LLAMA3, true, false, true },
    { "falcon3", TOK_PRE_LLAMA3, true, false, true },
    { "dbrx", TOK_PRE_LLAMA3, false, false, false },
    { "smaug-bpe", TOK_PRE_LLAMA3, false, false, false },
    { "qwen2", TOK_PRE_QWEN2, false, true, false },
    { "deepseek-r1-qwen", TOK_PRE_QWEN2, false, true, false },
    { "stablelm2", TOK_PRE_QWEN2, false, false, false },
    { "tekken", TOK_PRE_TEKKEN, true, false, true },
    { "smollm", TOK_PRE_DIGITS, false, false, false },
    { "starcoder", TOK_PRE_DIGITS, false, false, false },
    { "refact", TOK_PRE_DIGITS, false, false, false },
    { "command-r", TOK_PRE_DIGITS, false, false, false },
    { "codeshell", TOK_PRE_DIGITS, false, false, false },
    { "default", TOK_PRE_DEFAULT, false, false, false },
};

const struct tok_pre_facts *tok_pre_by_name(struct span name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_eq(name, known[i].name)) return &known[i];
    return NULL;
}

#define WORD (TC_LETTER | TC_NUMBER)
#define SOME (TC_LETTER | TC_NUMBER | TC_SPACE)

/* The end of the run from `at` of characters whose class has one of `any`. */
static size_t run_of(const char *s, size_t n, size_t at, int any)
{
    int len;
    while (at < n && tok_class_at(s + at, n - at, &len) & any) at += (size_t)len;
    return at;
}

static size_t run_of_none(const char *s, size_t n, size_t at, int none)
{
    int len;
    while (at < n && !(tok_class_at(s + at, n - at, &len) & none)) at += (size_t)len;
    return at;
}

/* Whitespace from `at`: all of it at the end of the text, else all but its last character, which
 * belongs to what follows; at least one. */
static size_t space_run(const char *s, size_t n, size_t at)
{
    size_t end = at, last = at;
    int len;
    while (end < n && tok_class_at(s + end, n - end, &len) & TC_SPACE)
        last = end, end += (size_t)len;
    return end < n && last > at ? last : end;
}

/* Whitespace from `at`: through its last line end, if it has one. */
static size_t line_run(const char *s, size_t n, size_t at)
{
    size_t end = at, newline = 0;
    int len, c;
    while (end < n && (c = tok_class_at(s + end, n - end, &len)) & TC_SPACE) {
        end += (size_t)len;
        if (c & TC_NL) newline = end;
    }
    return newline ? newline : space_run(s, n, at);
}

/* Bytes of 's 't 're 've 'm 'll 'd at s, 0 if none. `fold`: in any case; U+017F is an s then. */
static size_t contraction(const char *s, size_t n, bool fold)
{
    if (n < 2) return 0;
    int a = (unsigned char)s[1], b = n > 2 ? (unsigned char)s[2] : 0;
    if (fold) {
        if (a == 0xC5 && b == 0xBF) return 3;
        a |= 0x20, b |= 0x20;
    }
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (n > 2 && ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')))
        return 3;
    return 0;
}

static size_t next_gpt2(const char *s, size_t n, size_t at)
{
    size_t k, to = at;
    int len;
    if (s[at] == '\'' && (k = contraction(s + at, n - at, false))) return at + k;
    if (s[at] == ' ' && at + 1 < n) to = at + 1;
    int c = tok_class_at(s + to, n - to, &len);
    if (c & TC_LETTER) return run_of(s, n, to + (size_t)len, TC_LETTER);
    if (c & TC_NUMBER) return run_of(s, n, to + (size_t)len, TC_NUMBER);
    if (!(c & TC_SPACE)) return run_of_none(s, n, to + (size_t)len, SOME);
    return space_run(s, n, at);
}

static size_t next_llama3(const char *s, size_t n, size_t at, int digits)
{
    size_t k;
    int len, len2;
    if (s[at] == '\'' && (k = contraction(s + at, n - at, true))) return at + k;
    int c = tok_class_at(s + at, n - at, &len);
    size_t to = at + (size_t)len;
    if (c & TC_LETTER) return run_of(s, n, to, TC_LETTER);
    int c2 = to < n ? tok_class_at(s + to, n - to, &len2) : TC_SPACE;
    if (!(c & (TC_NL | TC_NUMBER)) && c2 & TC_LETTER) return run_of(s, n, to, TC_LETTER);
    if (c & TC_NUMBER) {
        for (int i = 1; i < digits && to < n && tok_class_at(s + to, n - to, &len) & TC_NUMBER; i++)
            to += (size_t)len;
        return to;
    }
    if (!(c & TC_SPACE) || (s[at] == ' ' && !(c2 & SOME)))
        return run_of(s, n, run_of_none(s, n, to, SOME), TC_NL);
    return line_run(s, n, at);
}

static size_t run_of_case(const char *s, size_t n, size_t at, int any)
{
    int len;
    while (at < n && tok_case_at(s + at, n - at, &len) & any) at += (size_t)len;
    return at;
}

/* U*L+ at `at`: its end, or `at` where it does not match. What is both gives way from the end. */
static size_t mixed_case(const char *s, size_t n, size_t at)
{
    size_t both = at;
    int len, c;
    while (at < n && (c = tok_case_at(s + at, n - at, &len)) & TOK_UPPER) {
        at += (size_t)len;
        if (c & TOK_LOWER) both = at;
    }
    size_t end = run_of_case(s, n, at, TOK_LOWER);
    return end > at ? end : both;
}

static size_t next_tekken(const char *s, size_t n, size_t at)
{
    int len, len2;
    int c = tok_class_at(s + at, n - at, &len);
    size_t after = c & (TC_NL | WORD) ? at : at + (size_t)len, end;
    for (int i = 0; i < 4; i++) { /* mixed, then upper case; each behind a character and without */
        size_t from = i % 2 ? at : after;
        end = i < 2 ? mixed_case(s, n, from) : run_of_case(s, n, from, TOK_UPPER);
        if (end > from) return end;
    }
    end = at + (size_t)len;
    if (c & TC_NUMBER) return end;
    int c2 = end < n ? tok_class_at(s + end, n - end, &len2) : TC_SPACE;
    if (c & TC_SPACE && !(s[at] == ' ' && !(c2 & SOME))) return line_run(s, n, at);
    end = run_of_none(s, n, end, SOME);
    while (end < n && (s[end] == '\r' || s[end] == '\n' || s[end] == '/')) end++;
    return end;
}

static bool is_default_punct(const char *s, size_t n, int *len)
{
    int c = tok_class_at(s, n, len);
    return c & TC_PUNCT || (*len == 1 && s[0] && strchr("$+<=>^~|", s[0]));
}

/* Of a run of numerals: what stands before its first three plain digits, else these. */
static size_t threes(const char *s, size_t n, size_t at)
{
    size_t k = at, digits = 0;
    int len;
    while (k < n && tok_class_at(s + k, n - k, &len) & TC_NUMBER) {
        digits = s[k] >= '0' && s[k] <= '9' ? digits + 1 : 0;
        k += (size_t)len;
        if (digits == 3) return k - 3 > at ? k - 3 : k;
    }
    return k;
}

/* Three splits one after the other; each sees only what the one before has left together. */
static size_t next_default(struct tok_cut *cut, const char *s, size_t n, size_t at)
{
    int len;
    if (at >= cut->limit) {
        bool punct = is_default_punct(s + at, n - at, &len);
        for (cut->limit = at; cut->limit < n; cut->limit += (size_t)len)
            if (is_default_punct(s + cut->limit, n - cut->limit, &len) != punct) break;
        if (punct) return cut->limit;
    }
    size_t left = cut->limit - at;
    if (tok_class_at(s + at, left, &len) & TC_NUMBER) return threes(s, cut->limit, at);
    if (s[at] == ' ' && left > 1 && tok_class_at(s + at + 1, left - 1, &len) & TC_NUMBER)
        return at + 1;
    return next_gpt2(s, cut->limit, at);
}

static size_t next_digits(struct tok_cut *cut, const char *s, size_t n, size_t at)
{
    int len;
    if (at >= cut->limit) {
        if (tok_class_at(s + at, n - at, &len) & TC_NUMBER) return at + (size_t)len;
        cut->limit = run_of_none(s, n, at, TC_NUMBER);
    }
    return next_gpt2(s, cut->limit, at);
}

size_t tok_pre_next(struct tok_cut *cut, const char *s, size_t n, size_t at)
{
    switch (cut->pre) {
    case TOK_PRE_LLAMA3: return next_llama3(s, n, at, 3);
    case TOK_PRE_QWEN2: return next_llama3(s, n, at, 1);
    case TOK_PRE_TEKKEN: return next_tekken(s, n, at);
    case TOK_PRE_DEFAULT: return next_default(cut, s, n, at);
    case TOK_PRE_DIGITS: return next_digits(cut, s, n, at);
    case TOK_PRE_GPT2: break;
    }
    return next_gpt2(s, n, at);
}
