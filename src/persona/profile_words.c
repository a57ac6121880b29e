/* The profile in words: sentences for the prompt and for the owner, in the second person, each with
 * the number it rests on. The thresholds are fixed and stand here beside the words, so that nothing
 * said about a person depends on anything but the counts. A profile of fewer than FEW words says
 * only that little is known: ratios of a few lines are noise. */
#include "persona/profile.h"

#include <math.h>
#include <string.h>

#define FEW 40

static bool unknown(const struct profile *p, struct buf *out, const char *what)
{
    if (p && p->words >= FEW && p->sentences) return false;
    if (!p || !p->words) buf_printf(out, "Little is known yet about %s.", what);
    else
        buf_printf(out, "Little is known yet about %s: there are only %llu words of yours.", what,
                   (unsigned long long)p->words);
    return true;
}

static const char *number(unsigned n)
{
    static const char *const w[] = { "none",  "one",   "two",  "three", "four",   "five",  "six",
                                     "seven", "eight", "nine", "ten",   "eleven", "twelve" };
    return n < sizeof w / sizeof *w ? w[n] : NULL;
}

/* "one in eight", "about half", "most", for a share in [0, 1]; "hardly any" below one in 200. */
static void share(struct buf *out, double s)
{
    if (s >= 0.95) buf_adds(out, "nearly every one");
    else if (s >= 0.55) buf_printf(out, "%.0f in a hundred", s * 100);
    else if (s >= 0.42) buf_adds(out, "about half");
    else if (s < 0.005) buf_adds(out, "hardly any");
    else {
        unsigned n = (unsigned)(1 / s + 0.5);
        if (number(n)) buf_printf(out, "one in %s", number(n));
        else buf_printf(out, "one in %u", n > 20 ? (n + 2) / 5 * 5 : n);
    }
}

/* "are" or "is", "end" or "ends", after a share. */
static bool plural(double s) { return s < 0.005 || (s >= 0.42 && s < 0.95); }

static void count_words(struct buf *out, uint64_t n)
{
    if (n >= 1000000) buf_printf(out, "%.1f million", (double)n / 1e6);
    else if (n >= 10000)
        buf_printf(out, "%llu,%03llu", (unsigned long long)n / 1000,
                   (unsigned long long)n % 1000 / 100 * 100);
    else buf_printf(out, "%llu", (unsigned long long)n);
}

/* a, b and c; each in quotation marks. */
static void list(struct buf *out, char *const *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\"%s\"", i == 0 ? "" : i + 1 == n ? " and " : ", ", s[i]);
}

void profile_style(const struct profile *p, struct buf *out)
{
    if (unknown(p, out, "how you write")) return;
    const char *manner = p->formality >= 0.75   ? "formal"
                         : p->formality >= 0.55 ? "rather formal"
                         : p->formality >= 0.40 ? "plain, neither formal nor casual"
                         : p->formality >= 0.20 ? "casual"
                                                : "very casual";
    buf_printf(out,
               "Your writing is %s (%.2f on a scale from 0, casual, to 1, formal), judged from ",
               manner, p->formality);
    count_words(out, p->words);
    buf_printf(out, " words in %llu %s of yours. ", (unsigned long long)p->pieces,
               p->pieces == 1 ? "text" : "texts");
    if (p->contractions >= 0.015)
        buf_printf(out,
                   "You use contractions such as \"don't\" freely, about %.1f in a hundred words. ",
                   p->contractions * 100);
    else if (p->contractions < 0.002) buf_adds(out, "You hardly ever use contractions. ");
    else
        buf_printf(out, "You use a contraction now and then, about %.1f in a hundred words. ",
                   p->contractions * 100);
    if (p->first_person >= 0.02)
        buf_printf(out,
                   "You speak of yourself %s: %.0f in a hundred words are \"I\", \"me\" or \"my\".",
                   p->first_person >= 0.045 ? "often" : "at times", p->first_person * 100);
    else buf_adds(out, "You seldom speak of yourself as \"I\".");
    if (p->emoji >= 0.02) {
        buf_adds(out, " You use emoji or smileys: ");
        if (p->emoji >= 1) buf_printf(out, "about %.1f in each sentence.", p->emoji);
        else buf_printf(out, "about %.0f in a hundred sentences.", p->emoji * 100);
    } else if (p->emoji < 0.002) {
        buf_adds(out, " You do not use emoji.");
    } else {
        buf_adds(out, " You rarely use emoji.");
    }
}

void profile_tone(const struct profile *p, struct buf *out)
{
    if (unknown(p, out, "your tone")) return;
    double sum = p->positive + p->negative;
    if (sum < 0.8)
        buf_printf(out,
                   "Your tone is matter-of-fact: only %.1f in a hundred words are plainly warm or "
                   "plainly dark.",
                   sum);
    else {
        double r = p->positive / sum;
        buf_printf(out,
                   "Your tone is %s: in a hundred words, about %.1f are warm and %.1f are dark.",
                   r >= 0.75   ? "warm"
                   : r >= 0.58 ? "more warm than dark"
                   : r >= 0.42 ? "mixed, warm and dark in turn"
                   : r >= 0.25 ? "more dark than warm"
                               : "dark",
                   p->positive, p->negative);
    }
    if (p->hedges >= 0.8)
        buf_printf(
            out,
            " You leave room for doubt (\"perhaps\", \"I think\"), %.1f times in a hundred words.",
            p->hedges);
    else if (p->hedges < 0.2) buf_adds(out, " You state things flatly and seldom hedge.");
    else buf_printf(out, " You hedge now and then, %.1f times in a hundred words.", p->hedges);
    if (p->intensifiers >= 0.8)
        buf_printf(out,
                   " You like to stress what you say (\"very\", \"really\"), %.1f times in a "
                   "hundred words.",
                   p->intensifiers);
    else if (p->intensifiers < 0.15)
        buf_adds(out, " You hardly ever stress a word with \"very\" or \"really\".");
    if (p->exclaims >= 0.02) {
        buf_adds(out, " Of your sentences, ");
        share(out, p->exclaims);
        buf_adds(out, plural(p->exclaims) ? " end with an exclamation mark."
                                          : " ends with an exclamation mark.");
    } else {
        buf_adds(out, " You rarely use exclamation marks.");
    }
}

void profile_common_phrases(const struct profile *p, struct buf *out)
{
    if (unknown(p, out, "the phrases you like")) return;
    if (p->n_phrases) {
        buf_adds(out, "Phrases you come back to: ");
        list(out, p->phrases, p->n_phrases);
        buf_adds(out, ".");
    }
    if (p->n_openers) {
        buf_printf(out, "%sYou like to begin sentences with ", p->n_phrases ? " " : "");
        list(out, p->openers, p->n_openers);
        buf_adds(out, ".");
    }
    if (!p->n_phrases && !p->n_openers) buf_adds(out, "No phrase of yours stands out yet.");
    else buf_adds(out, " Use them where they fit, never all at once.");
}

void profile_vocabulary(const struct profile *p, struct buf *out)
{
    if (unknown(p, out, "the words you choose")) return;
    const char *level = p->long_words >= 0.28   ? "advanced"
                        : p->long_words >= 0.22 ? "above the ordinary"
                        : p->long_words >= 0.15 ? "ordinary"
                                                : "simple";
    buf_printf(out, "Your vocabulary is %s: your words have %.1f letters on average, and ", level,
               p->word_length);
    share(out, p->long_words);
    buf_adds(out, plural(p->long_words) ? " have seven letters or more."
                                        : " has seven letters or more.");
    if (p->words >= 1000)
        buf_printf(out, " It is %s: a thousand words running hold about %.0f different ones.",
                   p->type_token >= 0.46   ? "very varied"
                   : p->type_token >= 0.40 ? "varied"
                   : p->type_token >= 0.34 ? "of usual variety"
                                           : "small, and you repeat words without fear",
                   p->type_token * 1000);
    if (p->n_words_liked) {
        buf_adds(out, " Words you use more than most people do: ");
        list(out, p->words_liked, p->n_words_liked);
        buf_adds(out, ".");
    }
}

void profile_structure(const struct profile *p, struct buf *out)
{
    if (unknown(p, out, "how you build sentences")) return;
    double m = p->words_per_sentence;
    buf_printf(out, "You write %s sentences, about %.0f %s each",
               m < 8    ? "very short"
               : m < 13 ? "short"
               : m < 19 ? "middling"
               : m < 27 ? "long"
                        : "very long",
               m < 1 ? 1.0 : m, m < 1.5 ? "word" : "words");
    if (p->questions >= 0.005) {
        buf_adds(out, "; ");
        share(out, p->questions);
        buf_adds(out, plural(p->questions) ? " are questions" : " is a question");
    } else {
        buf_adds(out, "; you hardly ever ask questions");
    }
    buf_adds(out, ".");
    if (p->sentences >= 20) {
        double v = m > 0 ? p->sentence_sd / m : 0;
        if (v >= 0.8)
            buf_printf(out, " Their length varies widely (standard deviation %.0f).",
                       p->sentence_sd);
        else if (v < 0.4)
            buf_printf(out, " They are of even length (standard deviation %.0f).", p->sentence_sd);
    }
    if (p->ellipses >= 0.03) {
        buf_adds(out, " You let sentences trail off with \"...\": ");
        share(out, p->ellipses);
        buf_adds(out, ".");
    }
    if (p->capitals_start < 0.2) buf_adds(out, " You begin sentences in lower case.");
    else if (p->capitals_start < 0.8)
        buf_printf(out, " You begin %.0f in a hundred sentences with a capital letter.",
                   p->capitals_start * 100);
}
