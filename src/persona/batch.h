/* Files that share a transaction. A commit waits for the disk; an export of ten thousand small
 * files would do little else. So a file joins the transaction of those before it, until they are
 * enough, and is told of (on_file) once that is committed.
 *
 *     batch_begin(in, bytes, err);
 *     ...                                         parsed whole before it is stored, if joined
 *     batch_end(in, begun, pieces, rc, err);
 *     batch_tell(in, &rep, rc ? err : NULL, err);
 *     batch_due(in, err);                         commits, when it is time
 *     ...                                         more files
 *     batch_commit(in, err);                      and the last are told of
 *
 * in->run holds the batch. A crash takes as many of the last files as were not told of. */
#ifndef LK_PERSONA_BATCH_H
#define LK_PERSONA_BATCH_H

#include "persona/ingest.h"

typedef void batch_told_fn(void *ud, struct ingest_file *f, const struct err *e); /* e: or NULL */

struct ingest_batch {
    bool open;   /* a transaction is */
    bool joined; /* others are in it, so what is stored of this file cannot be undone alone */
    double since;
    uint64_t bytes, pieces;  /* of the files in it */
    struct told_later *told; /* to be told of when it is committed */
    size_t n_told, cap_told;
    batch_told_fn *tell; /* set by the owner of the run */
    void *ud;
};

/* A file of so many bytes begins; a large one does not join others. */
int batch_begin(struct ingest *in, uint64_t bytes, struct err *err);
/* It ended with rc, after it began to be stored or before. Undone, unless rc is 0: where it had
 * joined others and was begun, with them. */
void batch_end(struct ingest *in, bool begun, uint64_t pieces, int rc, const struct err *why);
/* Tells of a file in its turn; e NULL: it came in. Strings are copied. 0 or ERR_NOMEM. */
int batch_tell(struct ingest *in, struct ingest_file *f, const struct err *e, struct err *err);
/* Between two files: commits when there is enough, or the first has waited long enough. */
int batch_due(struct ingest *in, struct err *err);
/* 0 when there is nothing to commit, too. After an error all files since the last one are out, and
 * are told of as such, unless the error ends the run anyway. */
int batch_commit(struct ingest *in, struct err *err);
void batch_free(struct ingest_batch *b); /* accepts a zeroed one */

#endif
