/* `likeness model distill`: from an encoder to a static table (static_table.h).
 *
 *     struct distill_opts o = { .teacher = "all-MiniLM-L6-v2.gguf", .corpus = "train.txt",
 *                               .out = "static.gguf" };
 *     struct distill_report r;
 *     distill(&o, &r, progress, err);
 *
 * The corpus is a text file, one passage of 1 to 120 words a line. Takes minutes to an hour, most
 * of it in the teacher; with a cache, what the teacher has said is kept, and the next call goes on
 * from there. Uses the threads of base/threads.h. */
#ifndef LK_MODEL_DISTILL_H
#define LK_MODEL_DISTILL_H

#include "base/err.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct distill_opts {
    const char *teacher; /* GGUF of an encoder with a WordPiece vocabulary */
    const char *corpus;  /* what is fitted on */
    const char *held;    /* held-out texts, the first 1,500 are compared; NULL: no comparison */
    const char *out;     /* the table; NULL: only fill the cache */
    const char *cache;   /* the teacher's vectors of the corpus; NULL: not kept */
    int dim;             /* of the table, a multiple of 32; 0: 256, or the teacher's if smaller */
    int epochs;          /* 0: 8 */
    size_t max_texts;    /* of the corpus; 0: all */
    float rate, gram;    /* step and weight of the cosines between texts; 0 and below 0: chosen */
    bool f32;            /* the teacher as it is, not in Q8_0 */
};

struct distill_report {
    size_t texts, tokens; /* fitted on */
    int vocab, dim;
    size_t held;
    /* Spearman's rank correlation of all pairwise cosines of held-out texts, table and teacher:
     * before fitting, and of the table as written; of the teacher's reduced space; of the table
     * over as many texts that it was fitted on. */
    double spearman_first, spearman, spearman_reduced, spearman_fitted;
    double cosine; /* mean of table and teacher (in its reduced space) over held-out texts */
    uint64_t bytes;
};

int distill(const struct distill_opts *o, struct distill_report *r, struct progress *p,
            struct err *err);

#endif
