/* Inside of the quote voice: the sentences that could answer, how well each does, and which way it
 * leans.
 *
 *     struct candidates c;
 *     readings_begin(rs);
 *     sentences_read(rs, &q, &passages, mem, &c, err);         every own sentence, matched
 *     evidence_rank(in, &q, &passages, mem, &c, err);          scored; c.best[0] is the best
 *     if (c.n_best && c.best[0]->support >= EVIDENCE_ENOUGH) it answers
 *     stance_changed(&q, &c, &newer, &older)                   did they change their mind? */
#ifndef LK_PERSONA_QUOTE_H
#define LK_PERSONA_QUOTE_H

#include "base/arena.h"
#include "persona/question.h"
#include "persona/reading.h"
#include "persona/voice.h"

#define EVIDENCE_ENOUGH 0.5f
#define SENTENCE_STEMS  40

/* Which way a sentence leans, as far as that does not depend on the question. */
struct leaning {
    struct clause_leaning {
        float lean;
        bool of_me; /* speaks of the person, so it counts whatever it is about */
        size_t to;  /* byte of the folded sentence where it ends */
        struct word_list words;
        struct word_list head; /* of its first few, those that can be what it is about */
    } * clause;
    size_t n;        /* 0: no view */
    float told;      /* 0..1: says itself that a view changed */
    size_t reported; /* byte where it tells what was thought or said once; SIZE_MAX: nowhere */
};

/* What answers a sentence could be, to any question. */
struct traits {
    bool because, when, digit, number, often, names, place, imperative, rule, view, first_person;
    float fitness; /* to be quoted on its own, 0..1 */
    struct leaning leaning;
};

/* A sentence as reading.c keeps it: what is the same for every question. */
struct line {
    const char *text; /* n bytes, no list mark */
    uint32_t n, n_words;
    uint32_t seg, order; /* segment of the passage, number of the sentence in its run */
    int64_t piece, written_at;
    size_t offset; /* byte offset in the piece */
    const struct around *around;
    struct word **word;      /* all its words */
    const uint16_t *content; /* indexes of those that are no function words, n_content of them */
    const float *vector;     /* by the quick embedder; NULL: there is nothing to embed */
    uint64_t hash;           /* hash64 of its text, seed 0 */
    struct traits *traits;   /* NULL: it was never among the best */
    struct arena *mem;       /* of its reading */
    uint16_t n_content;
    bool heading, item, opens; /* a heading; a list item; the first of its paragraph */
    bool follows;              /* the one before it in the reading, in the same run */
};

struct sentence {
    struct line *line; /* holds until the readings begin again */
    const char *text;  /* n bytes, no list mark */
    size_t n;
    size_t passage, seg,
        order; /* where it stands: passage, segment, sentence number in the segment */
    int64_t piece, written_at;
    size_t offset;     /* byte offset in the piece */
    const char *asked; /* what somebody asked just before, or "" */
    struct sentence *prev,
        *next; /* in reading order, in the same run of own words; NULL at its ends */
    bool heading, item, opens; /* a heading; a list item; the first of its paragraph */
    bool near_said;            /* beside what an earlier turn quoted, or in the same piece */
    bool twice;                /* the same words stand elsewhere and are ranked there */
    size_t n_words;
    float match[QUESTION_TERMS]; /* of its own words */
    float own, own_heavy;     /* coverage of the question by its own words; without light terms */
    float cover, cover_heavy; /* with its surroundings: sentence before, question asked, title */
    float asked_cover; /* of the question by what somebody asked just before, without light terms */
    float phrase;      /* 0..1: pairs of words of the question stand side by side here too */
    float lead;        /* 0..1: how early the subject comes */
    float cosine;      /* to the question, on the scale of what is usual: 0..1 */
    float meant;       /* what meaning adds to its score */
    float near, beyond;    /* and to its support; beyond: what unrelated sentences never reach */
    float fit;             /* the kind of answer that was asked for, 0..1 */
    float score;           /* what it is ranked by */
    float support;         /* 0..1: the evidence that it answers at all */
    float stance;          /* -1 .. 1, 0: no view */
    float explicit_change; /* 0 .. 1: says itself that a view changed */
};

struct candidates {
    struct sentence *all; /* in reading order, passage by passage */
    size_t n;
    struct asking asking;   /* matches further words */
    struct sentence **best; /* the best few, best first */
    size_t n_best;
};

/* mem owns the result; what it points to holds until the readings begin again. A passage that is no
 * more has no sentences. Fills in the titles of the passages. */
int sentences_read(struct readings *rs, const struct question *q, struct passages *ps,
                   struct arena *mem, struct candidates *out, struct err *err);
/* Share of the smaller one's content stems that both have. */
float sentences_overlap(const struct sentence *a, const struct sentence *b);

/* Scores what was read and fills best. */
int evidence_rank(const struct voice_in *in, const struct question *q, const struct passages *ps,
                  struct arena *mem, struct candidates *c, struct err *err);

/* What s could be quoted for; mem owns what it points to. 0 or ERR_NOMEM. */
int traits_read(struct words *ws, const char *s, size_t n, size_t n_words, struct arena *mem,
                struct traits *out);

/* folded: a space, then the folded sentence s. 0 or ERR_NOMEM. */
int leaning_read(struct words *ws, const char *s, size_t n, const struct buf *folded,
                 struct arena *mem, struct leaning *out);
/* Stance towards the subject of what is asked, by everyday words and negation; a NULL: of the whole
 * sentence. */
void stance_of(const struct leaning *l, struct asking *a, float *stance, float *explicit_change);
/* Both at once, for a sentence that is not kept; q NULL: of the whole sentence. */
void stance_read(const struct question *q, const char *s, size_t n, float *stance,
                 float *explicit_change);
/* The pair among the best that shows a change of mind: newer and older view of the same subject.
 * False if there is none. */
bool stance_changed(const struct question *q, const struct candidates *c, struct sentence **newer,
                    struct sentence **older);

/* Connecting phrases in the persona's manner; profile may be NULL. Each appends one sentence. */
void manner_unknown(const struct profile *p, const char *question, struct buf *out);
void manner_before(const struct profile *p, int64_t then, struct buf *out);
void manner_when(const struct profile *p, int64_t then, struct buf *out);
#endif
