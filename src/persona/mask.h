/* Masks: other people in a text become pseudonyms, and back.
 *
 *     mask_open(h, p, &m, err);
 *     mask_text(m, s, n, &out);       "Anna's at ann@example.org" -> "Person 482113's at mail-..."
 *     mask_reveal(m, s, n, &out);     what a model said of them -> with the names again
 *     mask_close(m);
 *
 * Masked are: the names and accounts of everybody the persona writes with (people.h), people who
 * are only spoken of (mention.h), and whatever looks like a mail address, a telephone number or a
 * postal address and is not the persona's own. A pseudonym is made with the persona's key: the same
 * person has the same one every time, in all that leaves this machine, and nobody without the key
 * can tell who it is. Names are taken
 *  - whole ("Anna Whitlock", "Whitlock, Anna"), in large or small letters;
 *  - first and last names alone when they begin with a capital letter; a first name of four letters
 *    and more also without, unless it is a word like "mark" or "rose";
 *  - not when the persona has the same (a family's name), nor where a name is what everybody calls
 *    somebody ("Mum"), nor words of a firm's name alone.
 * A possessive stays: "Anna's" is "Person 482113's". One thread at a time. */
#ifndef LK_PERSONA_MASK_H
#define LK_PERSONA_MASK_H

#include "model/embed.h"
#include "persona/people.h"

struct mask;

int mask_open(struct home *h, const struct persona *p, struct mask **out, struct err *err);
void mask_close(struct mask *m); /* accepts NULL */
/* Lets an embedder that asks another machine send masked texts only; others stay as they are. */
int mask_embedder(struct home *h, const struct persona *p, struct embedder *e, struct err *err);
/* The same without a home: of these people only. */
int mask_of(const struct persona *p, const struct person *list, size_t n, struct mask **out,
            struct err *err);

/* Appends to out; 0 or ERR_NOMEM. s is valid UTF-8, and so is out. */
int mask_text(struct mask *m, const char *s, size_t n, struct buf *out);
/* The same for labels and phrases, where names may have small letters, and a family's name of
 * somebody who is spoken of may stand alone. */
int mask_label(struct mask *m, const char *s, size_t n, struct buf *out);
/* The same for titles: those that are names of files may have small letters and underscores. */
int mask_title(struct mask *m, const char *s, size_t n, struct buf *out);
/* The same for text that comes bit by bit: what was settled is appended to out, the rest with
 * `end`. Zeroed before the first. A little that a whole text would tell is not known yet: what
 * language it is in. */
struct mask_flow {
    struct buf text;
    size_t given, looked;
};
int mask_flow(struct mask *m, struct mask_flow *f, const char *s, size_t n, bool end,
              struct buf *out);
void mask_flow_free(struct mask_flow *f);
/* Several texts that are shown together, each put in its place, in mem: whoever has a whole name in
 * one of them is known by a part of it in all. */
int mask_texts(struct mask *m, struct arena *mem, const char **text, size_t n);
/* The same of a profile, for a prompt: what it likes to say, in mem; *out is not to be cleared. */
struct profile;
int mask_profile(struct mask *m, struct arena *mem, const struct profile *in, struct profile *out);
int mask_title_of(struct mask *m, struct arena *mem, const char **title); /* in its place */
/* An answer as others may see it: its text and parts, and of what it rests on title, sentence and
 * question. What the model was given stays (struct answer, given): it is not shown. around: what
 * its sentences stand in, not shown; who is called by a whole name there is known by a part of it
 * in the answer. 0 or ERR_NOMEM. */
struct answer;
int mask_answer(struct mask *m, struct answer *a, const char *around);
/* The name or account of somebody who is not the persona: masked also when it is nobody's that
 * people.h knows. */
int mask_author(struct mask *m, const char *name, bool account, struct buf *out);
/* The reverse, of pseudonyms of people, also those who are only spoken of (named.h), and of those
 * that this mask gave. One that stood in a text
 * before it was masked stays. */
int mask_reveal(struct mask *m, const char *s, size_t n, struct buf *out);
/* Who the pseudonyms in a text are that this persona's mask gave, at whatever time: the text with
 * the names. Looks through all that the persona has where it must. ERR_NOTFOUND: it gave none. */
int mask_who(struct home *h, const struct persona *p, const char *s, size_t n, struct buf *out,
             struct err *err);
/* The same as text comes: what may be the beginning of a pseudonym waits in held, until `end`. */
int mask_reveal_some(struct mask *m, struct buf *held, const char *s, size_t n, bool end,
                     struct buf *out);

#endif
