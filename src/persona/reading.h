/* Passages as the quote voice reads them: cut into sentences, words looked up, sentences embedded.
 * All of it is the same whatever is asked, so it is kept for the next question.
 *
 *     readings_begin(rs);                          what was got before may be gone from here on
 *     const struct reading *x;
 *     readings_get(rs, chunk, &x, err);            from memory, or read now
 *     struct asking a;
 *     asking_begin(&a, readings_words(rs), &q, mem);
 *     const float *match = asking_match(&a, x->title.w[0]);     NULL: no word of the question's
 *
 * Belongs to one retriever, and like it to one thread at a time. */
#ifndef LK_PERSONA_READING_H
#define LK_PERSONA_READING_H

#include "model/embed.h"
#include "persona/pack.h"
#include "persona/persona.h"
#include "persona/question.h"

/* ---- words: each once, wherever it stands ---- */

struct word {
    uint64_t asked; /* number of the asking it was last matched for, and what came of it */
    const float *match;
    uint64_t turned; /* question_turn of it */
    struct word_form form;
    bool stop;
};
struct word_list {
    struct word **w;
    size_t n;
};

struct words;
struct words *words_new(struct err *err);
void words_free(struct words *ws); /* accepts NULL */
size_t words_bytes(const struct words *ws);
/* The words of a text, in order, in mem; content: without function words. 0 or ERR_NOMEM. */
int words_of(struct words *ws, const char *s, size_t n, bool content, struct arena *mem,
             struct word_list *out);

struct asking {
    const struct question *q;
    struct arena *mem;
    uint64_t number;
    bool failed; /* out of memory: some words were not matched */
};
void asking_begin(struct asking *a, struct words *ws, const struct question *q, struct arena *mem);
/* Matches a word that was not met in this asking before. */
const float *asking_meet(struct asking *a, struct word *w);
/* How well a word stands for each term, [q->n]; NULL: for none of them. Some ten thousand times a
 * question, and most often known. */
static inline const float *asking_match(struct asking *a, struct word *w)
{
    return w->asked == a->number ? w->match : asking_meet(a, w);
}
/* Raises match by all words of a list. */
void asking_match_all(struct asking *a, const struct word_list *l, float *match);

/* ---- passages ---- */

struct around { /* of a segment: what the others said right before it */
    struct word_list context, asked;
    const char *question; /* what was asked there, "" if nothing */
};

struct line; /* a sentence: quote.h */
struct reading {
    const char *title;
    struct word_list title_words;
    struct line *line; /* in order */
    size_t n;
    size_t bytes; /* of own words */
    size_t most;  /* sentences that are read of it */
    struct arena *mem;
};

struct readings;
/* quick embeds sentences; all are borrowed. */
struct readings *readings_new(struct home *h, const struct persona *p, struct embedder *quick,
                              struct err *err);
void readings_free(struct readings *rs); /* zeroes; accepts NULL */
size_t readings_bytes(const struct readings *rs);
/* How much may be kept; 96 MiB unless told. Counts from the next readings_begin on. */
void readings_limit(struct readings *rs, size_t bytes);
void readings_begin(struct readings *rs);
/* ERR_NOTFOUND: there is no such chunk any more. Holds until readings_begin. */
int readings_get(struct readings *rs, int64_t chunk, const struct reading **out, struct err *err);
struct words *readings_words(const struct readings *rs);
/* What was learnt of a sentence later lies in its reading's memory too: counts that. */
void readings_grew(struct readings *rs, size_t bytes);

#endif
