/* What would come in, told before it does: each source with its people, dates and languages, and
 * whom of them the list of people would join. Made in a dry run, where nothing is stored.
 *
 *     struct preview *v = preview_new(h, p, err);
 *     preview_add(v, &(struct preview_at){ key, title, n, "whatsapp", path }, &piece, true, false);
 *     if (preview_end(v, &out, err)) ...                out is v's
 *     preview_free(v); */
#ifndef LK_PERSONA_PREVIEW_H
#define LK_PERSONA_PREVIEW_H

#include "persona/people.h"
#include "persona/tongues.h"

#define PREVIEW_SPEAKERS 1000 /* told of one source; the others are counted */

struct preview_speaker {
    const char *name, *id;
    uint64_t messages;
    bool persona;
};

struct preview_source {
    const char *title, *format, *path;
    uint64_t pieces, known, voice; /* new ones; known ones are not counted again */
    int64_t from, to;
    struct preview_speaker *speaker; /* most messages first */
    size_t n_speakers, more_speakers;
    struct tongue_count *language; /* most pieces first */
    size_t n_languages;
};

struct ingest_preview {
    const struct preview_source *source; /* as they came */
    size_t n;
    const struct people *people; /* messages: what they write here; parts > 1: joined */
};

struct preview_at { /* where a piece would go */
    uint64_t key;   /* of the source */
    const char *title;
    size_t title_n;
    const char *format, *path;
    const char *several; /* what the source is called once its documents differ in title */
};

struct preview;
struct preview *preview_new(struct home *h, const struct persona *p, struct err *err);
/* 0 or ERR_NOMEM. */
int preview_add(struct preview *v, const struct preview_at *at, const struct piece *p, bool voice,
                bool known);
int preview_end(struct preview *v, struct ingest_preview *out, struct err *err);
void preview_free(struct preview *v); /* accepts NULL */

#endif
