/* Records of a CSV file (RFC 4180, and what programs make of it).
 *
 *     struct csv *c = csv_new(in, ',', sink, err);
 *     while ((rc = csv_next(c, err)) > 0) use(csv_field(c, 0), c->line);
 *     csv_free(c); */
#ifndef LK_TEXT_FMT_CSV_H
#define LK_TEXT_FMT_CSV_H

#include "text/fmt.h"

#define CSV_COLUMNS 512

struct csv {
    struct lines *lines;
    char delim;
    struct buf rec;           /* the fields, each NUL-terminated */
    uint32_t at[CSV_COLUMNS]; /* where each begins in rec */
    int n;
    uint64_t line;  /* where the record began */
    bool cut, open; /* too long; quotes never closed */
};

/* From the file's present offset. NULL: ERR_NOMEM or ERR_PARSE. */
struct csv *csv_new(struct format_in *in, char delim, const struct piece_sink *sink,
                    struct err *err);
void csv_free(struct csv *c); /* accepts NULL */
/* 1: a record; 0: end; < 0. Blank lines between records are passed over. */
int csv_next(struct csv *c, struct err *err);
/* "" when there is none. Until the next csv_next. */
const char *csv_field(const struct csv *c, int i);

#endif
