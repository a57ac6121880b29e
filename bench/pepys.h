/* The diary of Samuel Pepys, for benches of the whole way: where it is, a home with it as a
 * persona, and many different questions to it. Test data may be absent: then benches are passed
 * over. */
#ifndef LK_BENCH_PEPYS_H
#define LK_BENCH_PEPYS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

bool pepys_path(char *path, size_t size); /* false: not there, and says so */

struct pepys_home {
    char dir[256], home[300], key[300]; /* dir is a new folder with both */
};
/* text: false for a persona without the diary. seconds, peak (bytes) of the ingest, in a process of
 * its own; may be NULL. LIKENESS_KDF is fast meanwhile. */
int pepys_home_make(struct pepys_home *h, bool text, double *seconds, double *peak,
                    struct err *err);
void pepys_home_remove(struct pepys_home *h);

/* n different questions, made of the diary's words: the same in every run. Each is malloc'ed, like
 * the list. */
int pepys_questions(size_t n, char ***out, struct err *err);
void pepys_questions_free(char **q, size_t n);

#endif
