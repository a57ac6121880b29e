/* The rooms behind fmt_mail.c: where a message of an mbox begins and ends (mbox.c), and the text of
 * a MIME message (mailbody.c). Not for callers outside src/text.
 *
 *     struct mbox m;
 *     struct mbox_range r;
 *     mbox_init(&m, in->f, true);
 *     while ((rc = mbox_next(&m, &r, err)) > 0) use(r.start, r.end);
 *     mbox_clear(&m); */
#ifndef LK_TEXT_MAIL_H
#define LK_TEXT_MAIL_H

#include "base/buf.h"
#include "base/err.h"
#include "text/piece.h"

#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* ---- mbox.c ---- */

#define MBOX_HEADER_MAX     ((uint64_t)1 << 20)   /* bytes of a message's own header */
#define MBOX_FIELD_MAX      ((uint64_t)64 << 10)  /* bytes of one field, folded lines included */
#define MBOX_ADDRESSES_MAX  ((uint64_t)256 << 10) /* bytes of all address fields */
#define MBOX_COLONS_MAX     400                   /* in one address field */
#define MBOX_FIELDS_MAX     100000                /* lines that look like fields */
#define MBOX_BOUNDARIES_MAX 20000                 /* lines that begin with "--" */
#define MBOX_BYTES_MAX      ((uint64_t)1 << 30)   /* bytes of one message */

struct mbox_range {
    uint64_t mark;       /* offset of the "From " line, or of the message where there is none */
    uint64_t start, end; /* the message, without its "From " line */
    uint64_t use;        /* end of what a parser may be shown: < end when a limit was passed */
    bool broken;         /* no header, or one without end */
};

struct mbox {
    FILE *f;
    unsigned char *block;
    size_t n, i; /* bytes in block, next byte */
    uint64_t at; /* file offset of block[i]; may be set before the first mbox_next */
    bool split;  /* look for "From " lines; false: the whole file is one message */
    bool eof, opened;
    uint64_t mark, start; /* the message that is open */
    int io;               /* errno of a failed read */
};

int mbox_init(struct mbox *m, FILE *f, bool split, struct err *err);
/* 1: a message; 0: the end; < 0: ERR_IO. */
int mbox_next(struct mbox *m, struct mbox_range *out, struct err *err);
void mbox_clear(struct mbox *m); /* accepts a zeroed one */

/* Is p[0..n) the start of a mbox: a "From " line with a date, then a header field? */
bool mbox_looks(const unsigned char *p, size_t n);
/* "Name: value", with a field name as RFC 5322 has it. */
bool mbox_field(const char *p, size_t n);

/* ---- mailbody.c ---- */

struct mailbody {
    struct buf own, quoted; /* as piece.text and piece.quoted want them */
    bool encrypted;         /* the text is sealed: nothing to read */
};

/* The text of a parsed message. unescape: it comes from an mbox, so ">From " is unescaped.
 * Attachments and text left out are reported to sink with `where`. Returns 0 or ERR_NOMEM. */
int mailbody_read(GMimeMessage *msg, bool unescape, const struct piece_sink *sink, uint64_t where,
                  struct mailbody *out, struct err *err);
void mailbody_free(struct mailbody *b); /* accepts a zeroed one */

#endif
