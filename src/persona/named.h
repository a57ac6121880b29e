/* Who is only spoken of: the names that a persona's texts have, of people who need not write a word
 * themselves.
 *
 *     struct named_list all;
 *     named_load(h, p, &all, err);        empty before settling
 *     all.p[i].name                       "Hildegard Brandt"
 *     named_free(&all);
 *
 * Found by mention.h, counted when a persona is settled (people.c), kept sealed, and gone with the
 * last text that had them. The mask knows from it who "Brandt" is where a label says no more, and
 * who a pseudonym stands for that was given days ago. */
#ifndef LK_PERSONA_NAMED_H
#define LK_PERSONA_NAMED_H

#include "base/arena.h"
#include "persona/persona.h"
#include "text/mention.h"

enum { NAMED_FIRST = 1, NAMED_LAST = 2 };

struct named {
    const char *name;             /* as it stood in a text */
    uint64_t word[MENTION_WORDS]; /* as mention.h tells them */
    int n;
    uint64_t count; /* in what was looked at */
    unsigned alone; /* words that are the name and nothing else in these texts: NAMED_... */
};

struct named_list {
    struct named *p; /* in an order of their own that stays */
    size_t n;
    struct arena *mem;
};

int named_load(struct home *h, const struct persona *p, struct named_list *out, struct err *err);
void named_free(struct named_list *l); /* accepts a zeroed one */

/* ---- counting ---- */
struct named_counter;
struct named_counter *named_counter_new(void);                        /* NULL: no memory */
int named_count(struct named_counter *c, const char *text, size_t n); /* 0 or ERR_NOMEM */
int named_put(const struct named_counter *c, struct home *to, const struct persona *p,
              struct err *err);
void named_counter_free(struct named_counter *c); /* accepts NULL */

#endif
