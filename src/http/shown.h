/* Personas and what they say, as JSON of replies. Makers return new references; NULL: no memory. */
#ifndef LK_HTTP_SHOWN_H
#define LK_HTTP_SHOWN_H

#include "base/json.h"
#include "http/http.h"
#include "persona/source.h"
#include "persona/topics.h"

json_t *shown_persona(const struct persona *p, enum level level, const struct persona_counts *n);
json_t *shown_source(const struct source *s);
/* topic: its label, or NULL. */
json_t *shown_passage(const struct passage *p, const char *title, const char *topic);
/* With LEVEL_CHAT: without the passages that it rests on (asking.c says why). */
json_t *shown_answer(const struct answer *a, const char *question, enum level level);
/* Must whoever has this right not learn who the others are? One answer for all that is told. */
bool veil_needed(const struct persona *p, enum level level);
/* Pseudonyms for other people in *j, where they are needed. */
int veil_json(struct call *c, json_t **j, struct err *err);
/* c->out = j. */
int shown_reply(struct call *c, json_t *j, struct err *err);

/* What the replies of these hold, for the descriptions of routes. */
extern const struct field SHOWN_PERSONA[], SHOWN_SOURCE[], SHOWN_PASSAGE[], SHOWN_ANSWER[],
    SHOWN_JOB[];

/* A topic's label by its id, of the doc "topics". */
struct labels {
    struct topics topics;
};
int labels_of(struct home *h, const struct persona *p, struct labels *out, struct err *err);
const char *label_of(const struct topics *ts, int32_t topic); /* NULL: none */
void labels_clear(struct labels *l);

/* A home to read with c's persona open in it, and back. */
int reading_begin(struct call *c, struct home **h, struct persona **p, struct err *err);
void reading_end(struct call *c, struct home *h, struct persona *p);
/* The writer likewise; BUSY is told with Retry-After. changed: its desks are told. */
int writing_begin(struct call *c, struct home **h, struct persona **p, struct err *err);
void writing_end(struct call *c, struct home *h, struct persona *p, bool changed);
/* A job on c's persona: 202. args is taken. */
int job_accepted(struct call *c, const char *kind, json_t *args, bool once, struct err *err);

#endif
