/* Making stored text harmless to a language model's prompt, visibly: what it says stays readable.
 *
 * What a text could try, and what becomes of it:
 *
 *   <|im_start|> <｜User｜> </s> <start_of_turn>   a space after "<" and before ">": no tokenizer
 * takes it for its control token any more [INST] [/INST] [SYSTEM_PROMPT]                a space
 * after "["
 *   <<SYS>>                                       a space between each "<"
 *   System:  ### Instruction:  **User**:          "[quoted] " before it, where it begins a line
 *   --- example 3 ends ...                        the same: a fence look-alike
 *   32 hexadecimal digits in a row                a space after the 16th: no text can hold a fence
 * word marks broken by invisible characters          these are dropped first (U+200B and kin, bidi
 * controls, tags, soft hyphens), but for joiners between characters that need them U+2028, U+2029,
 * U+0085, CR, VT, FF            become line ends, so that a line is what a model sees as one
 *
 * Two passes: the first makes plain lines without invisible characters, the second looks at what a
 * model would see. Idempotent: text that was defused once is not changed again. */
#include "persona/prompt_impl.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TAG_BYTES 72 /* longest "<...>" taken for a control mark */

/* ---- first pass: lines and invisible characters ---- */

static bool is_joiner(uint32_t c) /* some scripts and emoji need these between their characters */
{
    return c == 0x200C || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F);
}

static bool is_invisible(uint32_t c)
{
    return c == 0xAD || c == 0x34F || c == 0x61C || c == 0x115F || c == 0x1160 || c == 0x17B4 ||
           c == 0x17B5 || c == 0x180E || c == 0x200B || c == 0x200E || c == 0x200F ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0x3164 ||
           c == 0xFEFF || c == 0xFFA0 || (c >= 0xFFF0 && c <= 0xFFFB) ||
           (c >= 0xE0000 && c <= 0xE0FFF);
}

static void plain(const char *s, size_t n, bool one_line, struct buf *out)
{
    uint32_t before = ' ';
    for (const char *p = s, *end = s + n; p < end;) {
        const char *from = p;
        uint32_t c = utf8_next(&p, end);
        if (c == '\r') {
            if (p < end && *p == '\n') continue;
            c = '\n';
        } else if (c == 0x2028 || c == 0x2029 || c == 0x85 || c == 0x0B || c == 0x0C) {
            c = '\n';
        }
        if (c == '\n') {
            buf_addc(out, one_line ? ' ' : '\n');
        } else if (is_joiner(c)) {
            /* A variation selector that ends an emoji changes nothing that a model needs. */
            if (before < 0x80 || p >= end || (unsigned char)*p < 0x80) continue;
            buf_add(out, from, (size_t)(p - from));
        } else if (is_invisible(c) || (c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0)) {
            continue;
        } else if (c == 0xFFFD) {
            buf_adds(out, "\xEF\xBF\xBD");
        } else {
            buf_add(out, from, (size_t)(p - from));
        }
        before = c;
    }
}

/* ---- second pass: what a model would take for structure ---- */

static const char *const roles[] = {
    "system",      "user",          "assistant",      "human",          "ai",
    "model",       "developer",     "tool",           "ipython",        "prompt",
    "instruction", "instructions",  "response",       "observation",    "reminder",
    "reminders",   "system prompt", "system message", "end of example", "end of examples",
    NULL,
};

static const char *const fences[] = { "example", "question", "conversation", "turn",
                                      "begin",   "end",      "fence",        NULL };

/* Length of the word (or words) of the list that s begins with, 0 if none. */
static size_t begins(const char *s, size_t n, const char *const *list)
{
    size_t best = 0;
    for (; *list; list++) {
        size_t k = strlen(*list);
        if (k > n || strncasecmp(s, *list, k)) continue;
        if (k < n && (isalnum((unsigned char)s[k]) || s[k] == '_')) continue;
        if (k > best) best = k;
    }
    return best;
}

/* "System:", "### Instruction", "**User**:", "--- example 2 ends": does a line of n bytes begin
 * so? */
static bool poses(const char *s, size_t n)
{
    size_t i = 0, hashes = 0, rules = 0, k;
    for (; i < n && strchr(" \t>#*_-=~|([`\"'", s[i]) && s[i]; i++) {
        hashes += s[i] == '#';
        rules += s[i] == '-' || s[i] == '=' || s[i] == '~';
    }
    if (rules >= 3 && begins(s + i, n - i, fences)) return true;
    if (!(k = begins(s + i, n - i, roles))) return false;
    for (i += k; i < n && strchr(" \t*_#])`\"'", s[i]) && s[i]; i++) continue;
    if (i < n && s[i] == ':') return true;
    if (i + 3 <= n && !memcmp(s + i, "\xEF\xBC\x9A", 3)) return true; /* fullwidth colon */
    return hashes && i == n;
}

static bool fullwidth_bar(const char *s, size_t n)
{
    return n >= 3 && !memcmp(s, "\xEF\xBD\x9C", 3);
}

/* Is s, at a "<", a tag-like mark "<...>" in one line? Then its length, else 0. */
static size_t tag_at(const char *s, size_t n)
{
    if (n < 3 || !(isalpha((unsigned char)s[1]) || s[1] == '/' || s[1] == '_' || s[1] == '!' ||
                   s[1] == '?' || (s[1] == '0' && s[2] == 'x')))
        return 0;
    for (size_t i = 2; i < n && i < TAG_BYTES && s[i] != '\n' && s[i] != '<'; i++)
        if (s[i] == '>') return i + 1;
    return 0;
}

/* "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[TOOL_CALLS]": capitals in square brackets. */
static bool bracket_mark(const char *s, size_t n)
{
    size_t i = 1, letters = 0;
    if (i < n && s[i] == '/') i++;
    for (; i < n && i < 40 && (isupper((unsigned char)s[i]) || s[i] == '_'); i++)
        letters += s[i] != '_';
    if (i < n && s[i] == ']' && letters >= 3) return true;
    return n >= 5 && (!strncasecmp(s, "[inst", 5) || (n >= 6 && !strncasecmp(s, "[/inst", 6)));
}

static size_t hex_run(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && isxdigit((unsigned char)s[i])) i++;
    return i;
}

/* Write what stands at s; returns how many bytes of it were dealt with. */
static size_t mark(const char *s, size_t n, struct buf *out)
{
    size_t k;
    if (*s == '<') {
        buf_addc(out, '<');
        if (n > 1 && (s[1] == '|' || s[1] == '<' || fullwidth_bar(s + 1, n - 1) || tag_at(s, n)))
            buf_addc(out, ' ');
        return 1;
    }
    if (*s == '>' && n > 1 && s[1] == '>') {
        buf_adds(out, "> ");
        return 1;
    }
    if ((*s == '|' && n > 1 && s[1] == '>') || (fullwidth_bar(s, n) && n > 3 && s[3] == '>')) {
        k = *s == '|' ? 1 : 3;
        buf_add(out, s, k);
        buf_addc(out, ' ');
        return k;
    }
    if (*s == '[' && bracket_mark(s, n)) {
        buf_adds(out, "[ ");
        return 1;
    }
    if ((k = hex_run(s, n)) >= 32) {
        for (size_t i = 0; i < k; i += 16) {
            buf_add(out, s + i, k - i < 16 ? k - i : 16);
            if (k - i > 16) buf_addc(out, ' ');
        }
        return k;
    }
    if (k) {
        buf_add(out, s, k);
        return k;
    }
    buf_addc(out, *s);
    return 1;
}

static void line_out(const char *s, size_t n, enum defuse_how how, struct buf *out)
{
    if (how == DEFUSE_TEXT && poses(s, n)) buf_adds(out, "[quoted] ");
    for (size_t i = 0; i < n;) i += mark(s + i, n - i, out);
}

void prompt_defuse(const char *s, size_t n, enum defuse_how how, const char *indent,
                   struct buf *out)
{
    struct buf b = BUF_INIT(n * 3 + 16);
    if (n) plain(s, n, how == DEFUSE_LINE, &b);
    if (b.failed) out->failed = b.failed;
    for (size_t i = 0; i < b.n && !out->failed;) {
        const char *nl = memchr(b.p + i, '\n', b.n - i);
        size_t k = nl ? (size_t)(nl - (b.p + i)) : b.n - i;
        if (k) buf_adds(out, indent);
        line_out(b.p + i, k, how, out);
        if (nl) buf_addc(out, '\n');
        i += k + (nl != NULL);
    }
    buf_free(&b);
}
