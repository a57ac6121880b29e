/* A pull scanner for JSON files of any size: walks objects and arrays without holding them, and
 * captures single values for jansson to parse. Constant memory; no recursion; any nesting.
 *
 *     struct jscan j;
 *     jscan_init(&j, in, sink);
 *     if (jscan_enter(&j, '{', err)) ...
 *     while ((rc = jscan_key(&j, key, sizeof key, err)) > 0)
 *         rc = !strcmp(key, "messages") ? take_messages(&j) : jscan_value(&j, NULL, err);
 *
 * Errors are ERR_PARSE with file and byte. Commas and colons are not policed more than is needed to
 * stay in step: what is captured is judged by jansson. */
#ifndef LK_TEXT_JSCAN_H
#define LK_TEXT_JSCAN_H

#include "base/buf.h"
#include "text/format.h"

#include <jansson.h>
#include <stdbool.h>

struct jscan {
    FILE *f;
    const char *name;
    const struct piece_sink *sink;
    uint64_t at; /* bytes read from the file into block */
    size_t from, to;
    bool cut;          /* the captured value was longer than its maximum */
    uint64_t value_at; /* 1-based byte where the last captured value began */
    char block[65536];
};

int jscan_init(struct jscan *j, struct format_in *in, const struct piece_sink *sink,
               struct err *err);
int jscan_peek(struct jscan *j, struct err *err); /* next visible character, 0 at the end, < 0 */
int jscan_enter(struct jscan *j, char open, struct err *err); /* '{' or '[' */
/* Next key of the open object, its colon passed: 1; 0: the object ended; < 0. Long keys are cut. */
int jscan_key(struct jscan *j, char *key, size_t cap, struct err *err);
int jscan_item(struct jscan *j, struct err *err); /* 1: an item stands next; 0: the array ended */
/* Bytes of the next value into out (cleared first; NULL: passed over). Beyond out->max: j->cut. */
int jscan_value(struct jscan *j, struct buf *out, struct err *err);
uint64_t jscan_at(const struct jscan *j); /* 1-based byte of the next character */

/* Parse captured bytes; a second try mends broken UTF-8, lone surrogates. NULL if hopeless. */
json_t *json_of(const char *p, size_t n);
/* String (cleaned), number or boolean as text, appended; false when v is none of these. */
bool json_text(const json_t *v, struct buf *out);

#endif
