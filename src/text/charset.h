/* To UTF-8, from whatever the bytes are: BOM, then valid UTF-8, then libuchardet's guess, then
 * Windows-1252. Conversion by iconv. */
#ifndef LK_TEXT_CHARSET_H
#define LK_TEXT_CHARSET_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/* Name of the charset of a sample ("UTF-8", "UTF-16LE", "WINDOWS-1252"); NULL: binary. Static
 * string. */
const char *charset_detect(const unsigned char *p, size_t n);
/* Append p[0..n) as clean UTF-8 (utf8_clean). ERR_PARSE if `charset` is unknown to iconv. */
int charset_to_utf8(struct buf *out, const char *charset, const char *p, size_t n, struct err *err);
/* Bytes of its code unit: 2 for UTF-16, 4 for UTF-32, else 1: what to step over in broken input. */
size_t charset_unit(const char *charset);

#endif
