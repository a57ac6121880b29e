/* Words of names: what a word may have to do with a person's name, in some twenty languages.
 *
 *     nameword("hildegard", 9)        NAME_GIVEN
 *     nameword("rose", 4)             NAME_GIVEN | NAME_COMMON
 *     nameword("neighbour", 9)        NAME_KIN
 *     nameword("boat", 4)             0
 *
 * Words are folded (token_fold). The first call makes the table, for all threads. */
#ifndef LK_TEXT_NAMEWORD_H
#define LK_TEXT_NAMEWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum name_class {
    NAME_GIVEN = 1 << 0,     /* a given name */
    NAME_COMMON = 1 << 1,    /* and a word of some language: Rose, Will */
    NAME_PROPER = 1 << 2,    /* and a place, a month, a brand: Jordan, May */
    NAME_SURNAME = 1 << 3,   /* a family name */
    NAME_HONOR = 1 << 4,     /* stands before a name: Dr, Frau, Onkel */
    NAME_AFTER = 1 << 5,     /* stands after one: -san, Hanım */
    NAME_KIN = 1 << 6,       /* what somebody is to somebody: neighbour, chef, cousine */
    NAME_CALLED = 1 << 7,    /* called, heißt, s'appelle */
    NAME_SAYS = 1 << 8,      /* what people do, after their name: said, dijo */
    NAME_MEETS = 1 << 9,     /* what is done to people, before their name; greetings */
    NAME_WITH = 1 << 10,     /* with, mit, avec */
    NAME_SPEAKS = 1 << 11,   /* after which "to" is to somebody: spoke to */
    NAME_WHERE = 1 << 12,    /* after which a place comes: in, from, nach */
    NAME_PARTICLE = 1 << 13, /* inside of names: von, de la, bin */
    NAME_THING = 1 << 14,    /* after a name: it is the name of a thing: Street, GmbH */
    NAME_PLACED = 1 << 15,   /* before a name likewise: Lake, San, rue */
    NAME_NEVER = 1 << 16,    /* no part of a name, whatever its letters: Monday, London, The */
    NAME_LETTER = 1 << 17,   /* before a letter that is no initial: vitamin C, plan B */
    NAME_ARTICLE = 1 << 18,  /* before a noun: der, ein, mein */
    NAME_NOUN = 1 << 19,     /* a noun of German */
    NAME_AND = 1 << 20,      /* and, und, et */
    NAME_OWNED = 1 << 21,    /* what people have: Rose's cat */
};

uint32_t nameword(const char *folded, size_t n);
uint32_t nameword_key(uint64_t key); /* the same, by hash64(folded, n, 5) | 1 */

/* How family names end in many languages: -mann, -ski, -sson. */
bool nameword_family(const char *folded, size_t n);

/* The tables: words separated by spaces, and what they are; ends with words NULL. */
struct nameword_list {
    uint32_t is;
    const char *words;
};
extern const struct nameword_list nameword_given[], nameword_cues[];

#endif
