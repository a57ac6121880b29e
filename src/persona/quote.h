/* Inside of the quote voice: the sentences that could answer, how well each does, and which way it leans.
 *
 *     struct sentence *s; size_t n;
 *     sentences_rank(in, &q, &passages, mem, &s, &n, err);     best first
 *     changed_mind(s, n, &newer, &older)                       did they change their mind? */
#ifndef LK_PERSONA_QUOTE_H
#define LK_PERSONA_QUOTE_H

#include "base/arena.h"
#include "persona/question.h"
#include "persona/voice.h"

struct sentence {
    const char *text;                /* in the passages' memory, NUL-terminated copy in mem */
    size_t n;
    size_t passage, seg, order;      /* where it stands: passage, segment, sentence number in the segment */
    int64_t piece, written_at;
    size_t offset;                   /* byte offset in the piece */
    const char *asked;               /* what somebody asked just before, or "" */
    float match[QUESTION_TERMS];     /* of its own words */
    float own;                       /* coverage of the question by its own words */
    float cover;                     /* with its surroundings: sentence before, question asked, title */
    float cosine;                    /* with the question */
    float score;                     /* what it is ranked by */
    float stance;                    /* -1 .. 1, 0: no view */
    float explicit_change;           /* 0 .. 1: says itself that a view changed */
    uint64_t stems[48];              /* of content words, for overlap */
    size_t n_stems, n_words;
};

/* mem owns the result. Passages must outlive it. */
int sentences_rank(const struct voice_in *in, const struct question *q, const struct passages *ps,
                   struct arena *mem, struct sentence **out, size_t *n_out, struct err *err);
/* Share of the smaller one's content stems that both have. */
float sentences_overlap(const struct sentence *a, const struct sentence *b);

/* Stance of a sentence by everyday words and negation; see stance.c. */
void stance_read(const char *s, size_t n, float *stance, float *explicit_change);
/* Among ranked sentences that answer (cover >= floor), the pair that shows a change of mind: newer and
 * older view of the same subject. False if there is none. */
bool stance_changed(const struct question *q, const struct sentence *s, size_t n, float floor,
                    size_t *newer, size_t *older);

/* Connecting phrases in the persona's manner; profile may be NULL. Each appends one sentence. */
void manner_unknown(const struct profile *p, const char *question, struct buf *out);
void manner_before(const struct profile *p, int64_t then, struct buf *out);
#endif
