/* Conversations: questions and answers that remember the turns before.
 *
 *     struct conversation *c;
 *     conversation_open(r, "quote", 0, true, &c, err);     0: new, saved with its first turn
 *     conversation_ask(c, "Where do you live?", NULL, &a, NULL, err);
 *     conversation_ask(c, "And why?", NULL, &a, NULL, err);         retrieves with the first
 * question in mind conversation_close(c);
 *
 * A turn is stored sealed, with the sources it rests on, so that deleting a source deletes the
 * answers that quoted it. save false: nothing is stored. */
#ifndef LK_PERSONA_CONVERSE_H
#define LK_PERSONA_CONVERSE_H

#include "persona/voice.h"

struct conversation;
int conversation_open(struct retriever *r, const char *voice, int64_t id, bool save,
                      struct conversation **out, struct err *err);
/* The same for an account: a new one is its own, and another's is not there (ERR_NOTFOUND). */
int conversation_open_as(struct retriever *r, const char *voice, int64_t id, bool save,
                         int64_t account, struct conversation **out, struct err *err);
/* Whose it is, by the body that store_conversation_each gives; 0: made at this machine. */
int64_t conversation_account(const char *body, size_t n);
/* q: filters and k for this question, NULL for defaults. a is cleared by the caller (answer_clear).
 * A turn that could not be saved because the home is busy or read-only is still answered; *unsaved
 * (may be NULL) says so. */
int conversation_ask(struct conversation *c, const char *question, const struct query *q,
                     struct answer *a, bool *unsaved, struct err *err);
/* A turn that was had elsewhere, before the next question: for clients that bring the conversation
 * with them. Not saved. */
int conversation_recall(struct conversation *c, const char *question, const char *answer,
                        struct err *err);
/* How a model-made voice answers the turns from now on: copied, what it points to is borrowed. */
void conversation_making(struct conversation *c, const struct voice_making *m);
/* Turns are saved in the home that take hands out (0, or an error: the turn is not saved), and not
 * in the retriever's, which may be open to read only; give gets it back. */
void conversation_keeper(struct conversation *c,
                         int (*take)(void *ud, struct home **out, struct err *err),
                         void (*give)(void *ud, struct home *h), void *ud);
/* The parts that open every conversation of this persona with a model, kept by its engine: read
 * from the home when they were kept there, else computed, which takes seconds, and kept in the home
 * when it is open to write. Not needed, but makes the first answer come sooner. */
int conversation_warm(struct conversation *c, struct err *err);
int64_t conversation_id(const struct conversation *c); /* 0: not saved yet */
size_t conversation_turns(const struct conversation *c);
void conversation_close(struct conversation *c);
/* {"question":..., "answer":..., "kind":..., "sources":[...]} as --json shows it; caller decrefs
 * (jansson json_t *). */
struct json_t *answer_json(const struct answer *a, const char *question);

/* The persona's profile doc, loaded; zeroed when there is none yet. */
int profile_of(struct home *h, const struct persona *p, struct profile *out, struct err *err);
/* Builds the prompt that a language-model voice would get, with stored template overrides. With
 * making.veil titles and profile are masked; the passages are the caller's to mask. */
struct prompt;
int conversation_prompt(struct conversation *c, const char *question, const struct query *q,
                        struct prompt *out, struct err *err);

#endif
