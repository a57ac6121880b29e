/* What a question asks for: its subject words with weights, and the kind of answer it wants.
 *
 *     struct question q;
 *     question_read("Why did you leave the ferry?", before, words, &q);
 *     float c = question_cover(&q, match);          match[i] in [0,1] for each of q.term */
#ifndef LK_PERSONA_QUESTION_H
#define LK_PERSONA_QUESTION_H

#include "index/bm25.h"
#include "text/token.h"

#include <stdbool.h>

#define QUESTION_TERMS 24
#define TERM_FORMS     12
#define QUESTION_PAIRS 16

enum question_kind {
    ASKS_WHAT,
    ASKS_WHY,
    ASKS_WHEN,
    ASKS_WHERE,
    ASKS_WHO,
    ASKS_HOW_MANY,
    ASKS_HOW,
    ASKS_YES_NO
};

struct term_form { /* a word that stands for the term: itself, or a synonym */
    uint64_t stem;
    float weight; /* 1 for itself, less for a synonym */
};

struct question_term {
    char stem[40];
    size_t stem_n;
    uint64_t start; /* word_start of the stem; 0: no near form will do */
    struct term_form form[TERM_FORMS];
    size_t n_forms;
    float weight;  /* of the term in the question; all sum to 1 */
    bool seen;     /* some form of it is in the corpus */
    bool light;    /* says little about the subject: "think", "good", "day" */
    bool name;     /* a proper name: only itself will do */
    bool before;   /* from an earlier turn */
    uint64_t fold; /* hash64 of the word as it stood, folded */
};

/* Two words that stood side by side, at least one of them a term: "another dog", "working for". */
struct question_pair {
    int term[2];      /* index of the term, -1: the very word below */
    uint64_t word[2]; /* hash64 of the folded word, "you" turned into "i" */
};

struct question {
    enum question_kind kind;
    bool opinion;    /* asks for a present view or habit, which may have changed: "do you like" */
    bool taste;      /* of which it asks whether they like it: only a view will do */
    bool method;     /* asks how a thing is done: steps, advice */
    bool elliptical; /* leans on the turn before: "and why?" */
    bool bare;       /* and has no subject of its own at all */
    bool change;     /* asks whether something changed: "do you still think so?" */
    struct question_term term[QUESTION_TERMS];
    size_t n;
    struct question_pair pair[QUESTION_PAIRS];
    size_t n_pairs;
    float heavy;        /* weight of the terms that are not light */
    uint64_t sieve[16]; /* a bit for each form: most words of a text are no form of any term */
};

/* before: the last turn's question, and after a line break what answered it; or NULL. words: the
 * corpus, for weights. */
void question_read(const char *text, const char *before, const struct bm25 *words,
                   struct question *out);
/* What matching looks at of a word. */
struct word_form {
    uint64_t key, fold; /* hash64 of the stem and of the folded word */
    uint64_t start;     /* word_start of the stem */
    const char *stem;
    size_t stem_n;
};
/* The first five bytes of a stem as one number; 0 when it is shorter. */
uint64_t word_start(const char *stem, size_t n);
/* Raises match[i] to how well a word stands for term i: 0..1. One word is not taken for two terms
 * in full. False: it stands for none. */
bool question_meets(const struct question *q, const struct word_form *w, float *match);
void question_match(const struct question *q, const struct token_word *w, float *match);
/* "you" -> "i", "your" -> "my": the hash of a folded word as the person would say it themselves. */
uint64_t question_turn(const char *folded, size_t n);
/* Sum of weight times match. */
float question_cover(const struct question *q, const float *match);
/* The same over the terms that are not light, as a share of their weight. */
float question_cover_heavy(const struct question *q, const float *match);
/* Does this question lean on what was said before? Used to decide whether earlier turns are
 * given. */
bool question_leans(const char *text);
/* Synonyms as search terms, for retrieval; returns how many, at most cap. */
size_t question_expand(const struct question *q, struct bm25_term *out, size_t cap);

/* Everyday synonyms: words that mean nearly the same in a question and in an answer ("dad",
 * "father"). Writes stems' hashes of the others in the word's groups; returns how many. */
size_t synonyms_of(const char *stem, size_t n, uint64_t *out, size_t cap);

#endif
