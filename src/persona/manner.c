/* The few words that the quote voice must find itself, said in the persona's manner: with or
 * without contractions, plain or formal, led by an opening they are fond of. They are marked in the
 * answer as connecting phrases, never as the person's own. */
#include "persona/quote.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>

static const char *const month[] = { "January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December" };

static bool contracts(const struct profile *p)
{
    return !p || !p->words || p->contractions > 0.008f;
}
static bool formal(const struct profile *p) { return p && p->words && p->formality > 0.6f; }

/* An opening such as "Honestly," that goes before any statement. */
static const char *opener(const struct profile *p)
{
    static const char *const fit[] = { "honestly,",      "to be honest,", "well,",
                                       "truth be told,", "frankly,",      "to tell the truth,",
                                       "truthfully," };
    for (size_t i = 0; p && i < p->n_openers; i++)
        for (size_t k = 0; k < sizeof fit / sizeof fit[0]; k++)
            if (str_starts(p->openers[i], fit[k]) ||
                (strlen(p->openers[i]) + 1 == strlen(fit[k]) && str_starts(fit[k], p->openers[i])))
                return p->openers[i];
    return NULL;
}

void manner_unknown(const struct profile *p, const char *question, struct buf *out)
{
    const char *o = opener(p);
    if (o) buf_printf(out, "%s%s ", o, str_ends(o, ",") ? "" : ",");
    bool casual = p && p->words && p->formality < 0.35f;
    if (!contracts(p))
        buf_adds(out, formal(p) ? "I have not written about that."
                                : "I have not written about that, so I will not guess.");
    else if (formal(p)) buf_adds(out, "I haven't written about that, and I'd rather not guess.");
    else
        buf_adds(out, casual ? "I've never written about that."
                             : "I haven't written about that, so I won't guess.");
}

void manner_before(const struct profile *p, int64_t then, struct buf *out)
{
    int y, m, d;
    clock_to_civil(then, &y, &m, &d);
    buf_adds(out,
             contracts(p) ? "I didn't always see it that way." : "I did not always see it so.");
    buf_printf(out, " In %s %d I wrote:", month[m - 1], y);
}

void manner_when(const struct profile *p, int64_t then, struct buf *out)
{
    int y, m, d;
    clock_to_civil(then, &y, &m, &d);
    buf_printf(out,
               contracts(p) ? "That's from %d %s %d, when I wrote:"
                            : "That is from %d %s %d, when I wrote:",
               d, month[m - 1], y);
}
