/* What distill.c (the order of things), distill_texts.c (the teacher's vectors) and distill_fit.c
 * (the fit) share. */
#ifndef LK_MODEL_DISTILL_IMPL_H
#define LK_MODEL_DISTILL_IMPL_H

#include "base/buf.h"
#include "model/distill.h"
#include "model/encoder.h"

struct distill_texts {
    struct buf bytes;  /* of the file; lines are cut in it */
    struct span *line; /* [n] */
    size_t n;
    uint16_t *said; /* [n, dim of the teacher] its vectors, f16 */
    int dim;
    int32_t *ids; /* tokens of all lines, each line behind a [CLS] */
    size_t *at;   /* [n + 1] where each line's begin */
};

/* Lines of a file, at most `most` (0: all), and their tokens. */
int distill_texts_read(const char *path, size_t most, const struct tokenizer *tok,
                       struct distill_texts *t, struct err *err);
/* The teacher's vectors; cache NULL: not kept. key: of the teacher. */
int distill_texts_teach(struct distill_texts *t, struct encoder *e, const char *cache, uint64_t key,
                        struct progress *p, struct err *err);
void distill_texts_free(struct distill_texts *t);

#endif
