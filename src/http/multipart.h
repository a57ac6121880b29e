/* multipart/form-data taken apart as it comes (RFC 7578, RFC 2046): any size, flat memory.
 *
 *     struct multipart_sink sink = { begin, data, end, ud };
 *     multipart_new("multipart/form-data; boundary=x", &sink, &m, err);
 *     multipart_feed(m, p, n, err);  ...          calls begin, data*, end for each part
 *     multipart_finish(m, err);                   ERR_PARSE when the last boundary never came
 *     multipart_free(m);
 *
 * After an error, its own or one of the sink's, every call gives that code again. One thread at a
 * time. */
#ifndef LK_HTTP_MULTIPART_H
#define LK_HTTP_MULTIPART_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    MULTIPART_PARTS = 1000,  /* in one body */
    MULTIPART_HEAD = 8192,   /* bytes of the headers of a part */
    MULTIPART_OUTSIDE = 4096 /* bytes before the first boundary, and after the last */
};

struct multipart_part {
    char name[128]; /* UTF-8, without control characters */
    char file[256]; /* the same, without folders; "" when it was given as empty */
    bool is_file;   /* a file name was given */
};

struct multipart_sink {
    int (*begin)(void *ud, const struct multipart_part *part, struct err *err);
    int (*data)(void *ud, const char *p, size_t n, struct err *err);
    int (*end)(void *ud, struct err *err);
    void *ud;
};

struct multipart;
/* ERR_INVAL: the type is another one, or its boundary is missing or no boundary. */
int multipart_new(const char *content_type, const struct multipart_sink *sink,
                  struct multipart **out, struct err *err);
int multipart_feed(struct multipart *m, const char *p, size_t n, struct err *err);
int multipart_finish(struct multipart *m, struct err *err);
void multipart_free(struct multipart *m); /* accepts NULL */

/* A name as a client gives it (n bytes, any encoding, perhaps with folders) as one that may be
 * shown: UTF-8, the part after the last slash or backslash, no control characters, at most size - 1
 * bytes.
 * "" when nothing is left, or "." or "..". */
void multipart_file_name(const char *p, size_t n, char *out, size_t size);

#endif
