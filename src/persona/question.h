/* What a question asks for: its subject words with weights, and the kind of answer it wants.
 *
 *     struct question q;
 *     question_read("Why did you leave the ferry?", before, words, &q);
 *     float c = question_cover(&q, match);          match[i] in [0,1] for each of q.term */
#ifndef LK_PERSONA_QUESTION_H
#define LK_PERSONA_QUESTION_H

#include "index/bm25.h"

#include <stdbool.h>

#define QUESTION_TERMS 24
#define TERM_FORMS 10

enum question_kind { ASKS_WHAT, ASKS_WHY, ASKS_WHEN, ASKS_WHERE, ASKS_WHO, ASKS_HOW_MANY, ASKS_HOW, ASKS_YES_NO };

struct term_form {              /* a word that stands for the term: itself, or a synonym */
    uint64_t stem;
    float weight;               /* 1 for itself, less for a synonym */
};

struct question_term {
    char stem[40];
    size_t stem_n;
    struct term_form form[TERM_FORMS];
    size_t n_forms;
    float weight;               /* of the term in the question; all sum to 1 */
    bool seen;                  /* some form of it is in the corpus */
    bool light;                 /* says little about the subject: "think", "good", "day" */
    bool before;                /* from an earlier turn */
};

struct question {
    enum question_kind kind;
    bool opinion;               /* asks for a view: think, feel, like, should ... */
    bool elliptical;            /* leans on the turn before: "and why?" */
    struct question_term term[QUESTION_TERMS];
    size_t n;
};

/* before: text of earlier turns, or NULL. words: the corpus, for weights. */
void question_read(const char *text, const char *before, const struct bm25 *words, struct question *out);
/* How well a word (stem of n bytes, with its hash) stands for term t: 0..1. */
float question_match(const struct question_term *t, uint64_t hash, const char *stem, size_t n);
/* Sum of weight times match. */
float question_cover(const struct question *q, const float *match);
/* Does this question lean on what was said before? Used to decide whether earlier turns are given. */
bool question_leans(const char *text);
/* Synonyms as search terms, for retrieval; returns how many, at most cap. */
size_t question_expand(const struct question *q, struct bm25_term *out, size_t cap);

/* Everyday synonyms: words that mean nearly the same in a question and in an answer ("dad", "father").
 * Writes stems' hashes of the others in the word's groups; returns how many. */
size_t synonyms_of(const char *stem, size_t n, uint64_t *out, size_t cap);

#endif
