/* What a helper reads: a file as it lies, or one that only this process can read (sealed, without a
 * descriptor), which is lent to it piece by piece.
 *
 *     struct lent l;
 *     rc = lend_open(&l, f, name, journal, "zip", err);
 *     if (!rc) rc = helper_start(&h, &l.in, "zip", memory, cpu_s, err);
 *     rc = lend_piece(&l, &h, at, n, err);            for each WIRE_WANT
 *     lend_close(&l);                                 after a lend_open that went well, or not */
#ifndef LK_MEDIA_LEND_H
#define LK_MEDIA_LEND_H

#include "media/launch.h"

#include <stdio.h>

struct lent {
    FILE *f;          /* borrowed */
    const char *name; /* borrowed */
    struct helper_input in;
    uint64_t given;
    FILE *copy, *journal_copy;
};

/* f, and journal or NULL, stay the caller's, and open until lend_close. Archives and documents that
 * are zips are lent; of other kinds, which are read as a whole in any case, a file without a
 * descriptor is copied to memory. ERR_NOMEM, ERR_IO. */
int lend_open(struct lent *l, FILE *f, const char *name, FILE *journal, const char *kind,
              struct err *err);
/* To h, which asked for them, n bytes from `at` on; n at most WIRE_MAX. ERR_IO: f cannot be read;
 * ERR_PARSE: there are no such bytes; ERR_LIMIT: it asks without end, or does not take them;
 * ERR_CANCEL. A helper that is gone is no error: its pipe tells. */
int lend_piece(struct lent *l, struct helper *h, uint64_t at, uint32_t n, struct err *err);
void lend_close(struct lent *l);

#endif
