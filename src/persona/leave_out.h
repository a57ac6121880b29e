/* Leaves secrets out of a piece; for ingest.
 *
 *     if (leave_out_find(&taped, mem)) ...                       ERR_NOMEM; in any thread
 *     leave_out_secrets(&taped, &piece, &report, where);          piece: what is stored of it */
#ifndef LK_PERSONA_LEAVE_OUT_H
#define LK_PERSONA_LEAVE_OUT_H

#include "persona/ingest.h"
#include "persona/tape.h"

/* Text, quotation and title: t->cut and t->secrets, in mem. 0 or ERR_NOMEM. */
int leave_out_find(struct tape_piece *t, struct arena *mem);
/* What was found is put in the place of p's texts, and noted in rep, as at `where`. */
void leave_out_secrets(const struct tape_piece *t, struct piece *p, struct ingest_file *rep,
                       uint64_t where);

#endif
