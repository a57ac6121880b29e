/* What counting (people.c) and joining (people_join.c) share. */
#ifndef LK_PERSONA_PEOPLE_IMPL_H
#define LK_PERSONA_PEOPLE_IMPL_H

#include "persona/persona.h"

#include <jansson.h>
#include <stdbool.h>

#define PEOPLE_DOC  "correspondents"
#define PEOPLE_SAID "correspondents.said"
#define KEY_BYTES   300

/* What makes author and id one identity, and identities of different sources the same:
 * "mail:ann@example.org", "phone:079460000", "id:discord:104", else "name:whatsapp:ann lee". False
 * when there is nothing to go by. */
bool people_key(const char *author, const char *id, const char *format, char key[KEY_BYTES]);
/* Does a folded name have two words or more? */
bool people_full_name(const char *folded);

struct people_counter;
const struct persona *people_persona(const struct people_counter *c); /* whose people */

/* {"v": 1, "same": [[KEY, KEY]...], "apart": [[KEY, KEY]...]}; an empty one when there is none. */
int people_said_load(struct home *h, const struct persona *p, json_t **out, struct err *err);

#endif
