/* The parts of a mail body: what the sender wrote, what they quoted, signed with and forwarded.
 *
 * Splits on attribution lines ("On ... wrote:", "Am ... schrieb ...:", "Le ... a écrit :", Outlook
 * "-----Original Message-----" and header blocks), "> " quoting (top, bottom and interleaved: the
 * sender's lines between quotes are kept in order), "-- " signatures (RFC 3676 section 4.3),
 * "Sent from my ..." footers and forwarded blocks. */
#ifndef LK_TEXT_MAILTEXT_H
#define LK_TEXT_MAILTEXT_H

#include "base/buf.h"

#include <stddef.h>

/* Appends to each; any may be NULL when not wanted. Fields of buf carry failure. */
void mailtext_split(const char *body, size_t n, struct buf *own, struct buf *quoted,
                    struct buf *signature, struct buf *forwarded);

#endif
