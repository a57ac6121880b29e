/* The lines that address books and calendars consist of (RFC 6350 section 3, RFC 5545 section 3.1,
 * and vCard 2.1): "NAME;PARAM=VALUE:TEXT", folded, escaped, perhaps quoted-printable.
 *
 *     struct contentline c;
 *     rc = contentline_init(&c, in, sink, err);
 *     while (!rc && (rc = contentline_next(&c, err)) > 0)
 *         if (!strcmp(c.name, "FN")) contentline_text(&c, &out);
 *     contentline_free(&c); */
#ifndef LK_TEXT_CONTENTLINE_H
#define LK_TEXT_CONTENTLINE_H

#include "text/fmt.h"

struct contentline {
    char name[32];             /* in capitals, without its group */
    struct span params, value; /* of the last line; value is raw */
    uint64_t no;               /* line number */
    struct lines *lines;
    struct buf raw;
};

int contentline_init(struct contentline *c, struct format_in *in, const struct piece_sink *sink,
                     struct err *err);
/* 1: a line; 0: the end; < 0. Lines that are none are passed over. */
int contentline_next(struct contentline *c, struct err *err);
void contentline_free(struct contentline *c); /* accepts a zeroed one */
/* The value without escapes and encodings, clean, appended. */
void contentline_text(const struct contentline *c, struct buf *out);
/* The same of a part of it, from semicolon to semicolon: parts of a name. 0 is the first. */
void contentline_part(const struct contentline *c, int part, struct buf *out);
/* A parameter's value without quotes; n 0 when there is none. */
struct span contentline_param(const struct contentline *c, const char *name);

#endif
