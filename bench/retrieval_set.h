/* Questions with their right passages, and how well a ranking answers them.
 *
 *     struct eval_set s;
 *     eval_set_open(&s, "tests/retrieval/questions.tsv", "pepys_diary", err);
 *     eval_set_chunk(&s, id, embed_text, plain, err);     for each passage of that corpus
 *     eval_set_judge(&s, err);                            which passages are right for what
 *     eval_score(&s, &s.q[i], ids, n)                     ids: passages, best first
 *     eval_set_close(&s);
 *
 * tests/retrieval/README.md says what is right and what the halves are for. */
#ifndef LK_BENCH_RETRIEVAL_SET_H
#define LK_BENCH_RETRIEVAL_SET_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVAL_ANCHORS 32 /* of one question: bits of a mask */
#define EVAL_DEPTH   64 /* ranks that are looked at */

enum { EVAL_OTHER, EVAL_SAME, EVAL_KEYWORD, EVAL_KINDS };

struct eval_right { /* a passage that holds an anchor */
    int64_t chunk;
    uint32_t anchors; /* bit i: anchor i */
};

struct eval_question {
    const char *id, *text;
    bool kept; /* of the half that is never tuned on */
    int kind;  /* EVAL_* */
    const char *anchor[EVAL_ANCHORS];
    size_t n_anchors;
    struct eval_right *right;
    size_t n_right, n_cover; /* n_cover: passages needed to hold all anchors, taken greedily */
    uint32_t cover[EVAL_ANCHORS];
};

struct eval_chunk {
    int64_t id;
    const char *embed;  /* what it is embedded by */
    const char *folded; /* its text, as anchors are folded */
};

struct eval_set {
    struct eval_question *q;
    struct eval_chunk *chunk;
    size_t n_q, n_chunks, cap;
    size_t unplaced; /* anchors that stand in no passage */
    struct arena *mem;
};

struct eval_score { /* each in [0, 1] */
    double recall5, recall10, ndcg10, rr;
    bool placed;
};

/* The questions of one corpus. Closing it is due after an error, too. */
int eval_set_open(struct eval_set *s, const char *path, const char *corpus, struct err *err);
int eval_set_chunk(struct eval_set *s, int64_t id, const char *embed, const char *plain,
                   struct err *err);
int eval_set_judge(struct eval_set *s, struct err *err);
bool eval_is_right(const struct eval_question *q, int64_t chunk);
/* Recall at k: the anchors in the first k against what the best k passages could hold. nDCG: a
 * passage counts when it holds an anchor that none before it held. rr: one over the rank of the
 * first right passage. */
struct eval_score eval_score(const struct eval_question *q, const int64_t *ids, size_t n);
/* Bounds of the middle 95 of 100 means of values drawn anew with replacement; always the same for
 * the same values. */
void eval_interval(const double *v, size_t n, double *lo, double *hi);
void eval_set_close(struct eval_set *s);

#endif
