/* Leaves secrets out of a piece; for ingest.c.
 *
 *     struct left_out l = { 0 };
 *     if ((rc = leave_out_secrets(&piece, &l, &report, where))) ...    ERR_NOMEM
 *     store(&piece);                                                    its strings may lie in l
 *     left_out_free(&l);                                                also after an error */
#ifndef LK_PERSONA_LEAVE_OUT_H
#define LK_PERSONA_LEAVE_OUT_H

#include "persona/internal.h"
#include "text/secrets.h"

#define LEFT_OUT_TEXTS 3

struct left_out {
    struct buf text[LEFT_OUT_TEXTS];
};
/* Text, quotation and title; what was found is noted in rep, as at `where`. 0 or ERR_NOMEM. */
int leave_out_secrets(struct piece *p, struct left_out *l, struct ingest_file *rep, uint64_t where);
void left_out_free(struct left_out *l);

#endif
