/* Text of an HTML page, by Gumbo: blocks become paragraphs, list items lines, links their text;
 * script, style, head and hidden parts are left out; blockquotes go to `quoted`. */
#ifndef LK_TEXT_HTML_H
#define LK_TEXT_HTML_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <stddef.h>

/* Appends clean UTF-8. quoted and title may be NULL. *date: <meta article:published_time | date> or
 * <time>, else CLOCK_NONE; may be NULL. Nesting deeper than 400 elements is flattened, never
 * recursed into. */
int html_text(const char *html, size_t n, struct buf *text, struct buf *quoted, struct buf *title,
              int64_t *date, struct err *err);
/* As html_text for a part of a mail, of which there are many: ERR_LIMIT after so many seconds. */
int html_part(const char *html, size_t n, double seconds, struct buf *text, struct buf *quoted,
              struct err *err);

#endif
