/* Which language is this? For a message, a mail, a note.
 *
 *     lang_of("Ich weiß nicht, ob wir morgen rudern.", n)     "de"
 *     lang_of("ok", 2)                                         "": too short to tell
 *
 * ISO 639-1 codes (Norwegian: "no"; Serbian and its sisters in Latin letters: "hr"). Rather "" than
 * wrong: a text of a few words is told only when they are typical. */
#ifndef LK_TEXT_LANG_H
#define LK_TEXT_LANG_H

#include <stddef.h>

const char *lang_of(const char *s, size_t n); /* static; UTF-8; the beginning is looked at */

#endif
