/* What the voices that ask a language model share: everything but the asking.
 *
 *     static int ask(const struct voice_in *in, const struct template_part *parts, size_t n,
 *                    struct maker *m, struct engine_result *r, struct err *err)
 *     {
 *         ... while text comes: if ((rc = maker_text(m, s, len))) stop, with ENGINE_CANCELLED in r
 * ...
 *     }
 *     maker_answer(in, &(struct maker_back){ .name = "x", .context = 8192, .ask = ask }, out, err);
 */
#ifndef LK_PERSONA_MAKER_H
#define LK_PERSONA_MAKER_H

#include "persona/voice.h"

struct maker;
struct maker_back {
    const char *name; /* of the model, for the reader */
    int context;      /* tokens that the model keeps in view */
    struct mask
        *mask; /* that `ask` puts the prompt through; NULL. Titles and the profile are masked
                        * before, as what they are. */
    /* Asks, and fills r; an answer that the reader stopped is no error. */
    int (*ask)(const struct voice_in *in, const struct template_part *parts, size_t n,
               struct maker *m, struct engine_result *r, struct err *err);
};
int maker_answer(const struct voice_in *in, const struct maker_back *back, struct answer *out,
                 struct err *err);
struct mask *maker_mask(const struct maker *m); /* back's */
/* Text as it comes, whole characters; n 0: nothing yet. Non-0: stop asking (ERR_CANCEL: the reader
 * wants no more; ERR_NOMEM, said). */
int maker_text(struct maker *m, const char *s, size_t n);

#endif
