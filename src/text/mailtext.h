/* The parts of a mail body: what the sender wrote, what they quoted, signed with and forwarded.
 *
 * Splits on attribution lines ("On ... wrote:", "Am ... schrieb ...:", "Le ... a écrit :", Outlook
 * "-----Original Message-----" and header blocks), "> " quoting (top, bottom and interleaved: the
 * sender's lines between quotes are kept in order), "-- " signatures (RFC 3676 section 4.3),
 * "Sent from my ..." footers and forwarded blocks. */
#ifndef LK_TEXT_MAILTEXT_H
#define LK_TEXT_MAILTEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends to each; any may be NULL when not wanted. Fields of buf carry failure. */
void mailtext_split(const char *body, size_t n, struct buf *own, struct buf *quoted,
                    struct buf *signature, struct buf *forwarded);

/* The same for text whose quotes were taken out before (the blockquotes of HTML): an attribution
 * line goes, but what follows it without "> " is the sender's. */
void mailtext_split_bare(const char *body, size_t n, struct buf *own, struct buf *quoted,
                         struct buf *signature, struct buf *forwarded);

/* The two ways in which mail breaks lines, undone (mailwrap.c). Both append to out.
 *
 * unflow: format=flowed (RFC 3676): lines that end in a space go on in the next one of the same
 * quote depth; del_sp as the parameter DelSp=yes says. Quote marks stay, as "> " or ">> ". Returns
 * whether any line was joined. unwrap: paragraphs broken by a mailer at 60-80 columns become one
 * line each; a line is joined to the next only if the next word would not have fitted, so lists,
 * poems and addresses stay. */
bool mailtext_unflow(const char *s, size_t n, bool del_sp, struct buf *out);
void mailtext_unwrap(const char *s, size_t n, struct buf *out);

#endif
