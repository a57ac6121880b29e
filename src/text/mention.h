/* Mentions: people who are named in a text, also those who never wrote a word themselves.
 *
 *     struct mentions m;
 *     mentions_begin(&m, s, n);
 *     struct tokens t = tokens_of(s, n);
 *     while (tokens_next(&t))
 *         if (mentions_next(&m, &t, &who)) use(s + who.from, who.to - who.from);
 *
 * Every token is given, in order, and none twice; those inside a mention give no further one. A
 * name is what surroundings and lists speak for (mention.c has the rules); where they leave a doubt
 * between a person and a common word, it is a person; between a person and a place, a place. What
 * is found at a word depends on the words before it in the text and on MENTION_AHEAD tokens after
 * it. Linear in the text, without memory of its own. */
#ifndef LK_TEXT_MENTION_H
#define LK_TEXT_MENTION_H

#include "text/token.h"

#define MENTION_WORDS 6
#define MENTION_AHEAD 24
#define MENTION_SEEN  256 /* a power of two */

struct mention {
    size_t from, to;              /* bytes, without titles and a possessive */
    uint64_t word[MENTION_WORDS]; /* mention_key of its words */
    int n;
    size_t first; /* bytes of the first of them */
};

struct mention_word {
    size_t start, end, base; /* base: its end without a possessive */
    uint64_t key;
    uint32_t is;
    uint8_t chars;                              /* 255: and more */
    bool large, caps, first, owns, any, letter; /* any: there is such a word */
};

struct mentions {
    const char *s;
    size_t n;
    struct mention_word before[3];
    size_t done;          /* where the last mention ended */
    const char *language; /* NULL: not looked at yet */
    uint64_t seen[MENTION_SEEN];
    int n_seen;
};

void mentions_begin(struct mentions *m, const char *s, size_t n);
bool mentions_next(struct mentions *m, const struct tokens *t, struct mention *out);
/* The token belongs to what the caller knows for a person of his own: context for the next ones. */
void mentions_known(struct mentions *m, const struct tokens *t);
/* What a word of a name is compared by. */
uint64_t mention_key(const char *word, size_t n);

#endif
