/* Strings: UTF-8, trimming, comparing, parsing numbers. Spans borrow; nothing here keeps a
 * pointer. */
#ifndef LK_BASE_STR_H
#define LK_BASE_STR_H

#include "base/buf.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span span_of(const char *s);   /* s may be NULL */
struct span span_trim(struct span s); /* Unicode space, BOM, zero width, bidi marks */
bool span_eq(struct span a, const char *s);
bool span_ieq(struct span a, const char *s); /* ASCII case ignored */
bool span_starts(struct span s, const char *prefix);
/* ASCII case ignored, here and in the next four. list: ends with NULL. */
bool span_istarts(struct span s, const char *prefix);
bool span_istarts_any(struct span s, const char *const *list);
bool str_ends(const char *s, const char *suffix);
bool str_starts(const char *s, const char *prefix);
/* First occurrence of needle in hay; NULL if none. */
const char *span_ifind(struct span hay, const char *needle);

/* Decode one code point at *p (p < end); advances *p by 1-4 bytes. Broken sequences give U+FFFD and
 * advance one byte. Never reads at or beyond end. */
uint32_t utf8_next(const char **p, const char *end);
int utf8_put(char out[4], uint32_t cp); /* bytes written */
bool utf8_valid(const char *s, size_t n);
/* Copies s with broken sequences, NULs and control characters (except \n, \t) made U+FFFD or
 * dropped, CRLF and CR made LF. Appends to out. Returns how many bytes were not as they should
 * be. */
size_t utf8_clean(struct buf *out, const char *s, size_t n);
/* Unicode case folding with combining marks removed ("É" -> "e"), for matching names and words. */
void utf8_fold(struct buf *out, const char *s, size_t n);
/* Longest prefix of s of at most max bytes that ends on a character. */
size_t utf8_cut(const char *s, size_t n, size_t max);
/* Columns on a terminal. */
int utf8_width(const char *s, size_t n);

bool str_i64(struct span s, int64_t *out); /* whole span must be a decimal number */
bool str_f64(struct span s, double *out);

uint64_t hash64(const void *p, size_t n,
                uint64_t seed);         /* fast, not cryptographic; stable for ever */
void *mem_dup(const void *p, size_t n); /* malloc + copy, NULL when out of memory */
char *str_dup(const char *s);           /* NULL -> NULL */

#endif
