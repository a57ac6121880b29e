/* Stop strings over a stream of pieces: an answer ends before the first of them, also when it comes
 * in several tokens. Text that may be the beginning of one waits until that is known.
 *
 *     struct stops s;
 *     stops_init(&s, list, n, err);                        copies
 *     if (stops_push(&s, piece, len, &out)) ...            true: it stood there; out ends before it
 *     stops_end(&s, &out);                                 what waited was text after all
 *     stops_clear(&s);
 */
#ifndef LK_MODEL_STOPS_H
#define LK_MODEL_STOPS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define STOPS_MAX     16  /* strings */
#define STOPS_LEN_MAX 256 /* bytes each */

struct stops {
    char *text[STOPS_MAX];
    size_t len[STOPS_MAX];
    int n;
    struct buf held;
};

int stops_init(struct stops *s, const char *const *list, int n, struct err *err);
void stops_clear(struct stops *s); /* zeroes; accepts a zeroed one */
bool stops_push(struct stops *s, const char *p, size_t n, struct buf *out);
void stops_end(struct stops *s, struct buf *out);

#endif
