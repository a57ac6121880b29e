/* A piece: the smallest thing somebody wrote that has one author and one time: a message, a mail, a
 * journal entry, a document. Every format parser turns a file into pieces, in file order.
 *
 * All strings are valid UTF-8 (utf8_clean'ed), LF line ends, borrowed for the duration of the sink
 * call. A string that is not known is "" (never NULL); a time that is not known is CLOCK_NONE. */
#ifndef LK_TEXT_PIECE_H
#define LK_TEXT_PIECE_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum piece_kind {
    PIECE_DOC = 0,  /* journal entry, note, essay, row of a table: long-form, stands alone */
    PIECE_CHAT = 1, /* a message of a chat: short, makes sense with its neighbours */
    PIECE_MAIL = 2, /* a mail: stands alone, answers another */
};

struct piece {
    enum piece_kind kind;
    const char *text;      /* what the author wrote, without quoted replies, signature, forward */
    const char *author;    /* display name as the format has it; "" = the owner of the file */
    const char *author_id; /* mail address, phone number, user id; "" if none */
    int64_t written_at;
    const char *title;    /* subject, heading, file title */
    const char *thread;   /* name of chat or stable id of the mail thread; "" if none */
    const char *id;       /* the format's own id (Message-ID, message number); "" if none */
    const char *reply_to; /* id of what this answers; "" if none */
    const char *quoted;   /* what was quoted or forwarded in it: other people's words; "" if none */
    const char *same;     /* what it is known again by, when names in author and text may differ
                             from file to file; "" or NULL: by author, time and text */
    const char *lang;     /* ISO 639-1 code of the text's language; "" or NULL: not told */
    bool sent_by_owner;   /* the format itself says so (label Sent, own user id of the export) */
};

/* Receives the pieces. Returns 0 to go on; any other code stops the parser, which returns it. */
struct piece_sink {
    int (*piece)(void *ud, const struct piece *p, struct err *err);
    /* A part of the input that was passed over, for the report: what ("system line", "media",
     * "broken mail", "deleted message"), where (line or byte, 1-based). May be NULL. */
    void (*skipped)(void *ud, const char *what, uint64_t where);
    /* Bytes of input consumed so far, for progress; non-zero return cancels. May be NULL. */
    int (*consumed)(void *ud, uint64_t bytes);
    void *ud;
};

#endif
