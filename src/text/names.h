/* Names that one file of an export tells and the others need: Slack's users.json says who U024BE7LH
 * is, a contact's card whose number that is.
 *
 *     struct names *n = names_new();
 *     names_put(n, "slack", "U024BE7LH", "Ann Lee");          later ones replace earlier ones
 *     const char *s = names_get(n, "slack", "U024BE7LH");     NULL when nobody said
 *     names_free(n);
 *
 * One thread at a time. A NULL `struct names` takes nothing and knows nothing. */
#ifndef LK_TEXT_NAMES_H
#define LK_TEXT_NAMES_H

#include "text/piece.h"

#include <stdbool.h>

struct names;

struct names *names_new(void); /* NULL when out of memory */
void names_free(struct names *n);
/* 0 or ERR_NOMEM. Beyond a million names, and what is longer than 64 KiB, is let go. */
int names_put(struct names *n, const char *kind, const char *id, const char *name);
/* Borrowed until names_free. */
const char *names_get(const struct names *n, const char *kind, const char *id);

/* A phone number or mail address of a person in the address book, however it is written. */
int names_contact_put(struct names *n, const char *address, const char *name);
/* The name of a piece's author by the address book, when the piece itself has none but a number or
 * an address; else NULL. */
const char *names_author(const struct names *n, const struct piece *p);

/* Is this, by what it is called, a file that the others of its export need first? */
bool names_first(const char *path);

#endif
