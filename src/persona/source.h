/* Sources as a user sees them: what came in, from when to when, how much of it is voice. */
#ifndef LK_PERSONA_SOURCE_H
#define LK_PERSONA_SOURCE_H

#include "persona/persona.h"
#include "persona/tongues.h"

struct source {
    int64_t id;
    const char *title, *format, *path;
    int64_t added_at, from, to;
    uint64_t pieces, voice, chunks;
    const char *topics;                  /* up to three topic labels, comma-separated */
    const struct tongue_count *language; /* most pieces first; none of what came in long ago */
    size_t n_languages;
};
/* id 0: all, newest first. */
int source_each(struct home *h, const struct persona *p, int64_t id,
                int (*fn)(void *ud, const struct source *s), void *ud, struct err *err);
/* Deletes a source and all that came from it, and says what went. Topics and profile, which are
 * made of all sources, go too: settle afterwards. gone may be NULL. */
int source_delete(struct home *h, struct persona *p, int64_t id, struct gone *gone,
                  struct err *err);

#endif
