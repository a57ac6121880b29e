/* How many pieces of each source are in which language: counted while they come in, kept in the
 * source's body ("languages": {"en": 120, "": 7}), so that it goes where the source goes.
 *
 *     struct tongues t = { 0 };
 *     tongues_add(&t, source, "en");
 *     tongues_save(&t, h, p, err);       adds to what is there
 *     tongues_clear(&t); */
#ifndef LK_PERSONA_TONGUES_H
#define LK_PERSONA_TONGUES_H

#include "base/map.h"
#include "persona/persona.h"

#include <jansson.h>

#define TONGUES_MAX 64

struct tongue_count {
    const char *code; /* "en"; "": not told */
    uint64_t pieces;
};

struct tongues {
    struct map n; /* source << 8 | tongue -> pieces */
    const char *code[TONGUES_MAX];
    size_t n_codes;
};

/* code: lang_of's. 0 or ERR_NOMEM. */
int tongues_add(struct tongues *t, int64_t source, const char *code);
int tongues_save(const struct tongues *t, struct home *h, const struct persona *p, struct err *err);
void tongues_clear(struct tongues *t); /* accepts a zeroed one */
/* Of a source, most pieces first, those not told last; at most TONGUES_MAX. How many. */
size_t tongues_of(const struct tongues *t, int64_t source, struct tongue_count *out);
/* The same of a source's body; codes borrow from it. */
size_t tongues_read(const json_t *body, struct tongue_count *out);

#endif
