/* The lines of a WhatsApp export: their prefix ("12/03/2019, 21:14 - ") and what a message is when
 * it is no message (whatsapp_lines.c). Not for callers outside src/text. */
#ifndef LK_TEXT_WHATSAPP_H
#define LK_TEXT_WHATSAPP_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>

struct wa_stamp {
    int a, b, c;     /* the date's numbers, as they stand */
    int h, m, s;     /* 0..23 */
    bool year_first; /* a is the year, b the month */
    bool dotted;     /* "12.03.19": always day first */
};

/* Length of the date and time before a message, with brackets or dash and the space after; 0 if the
 * line does not begin with one. */
size_t wa_prefix(struct span line, struct wa_stamp *out);
/* The instant, as if it were UTC; CLOCK_NONE if there is no such day. An order that gives no day is
 * taken the other way round. */
int64_t wa_time(const struct wa_stamp *t, int day_first);

enum wa_kind { WA_TEXT, WA_SYSTEM, WA_DELETED, WA_MISSED, WA_MEDIA };

/* What the text after "Name: " (or after the prefix) is. marked: the export put U+200E before it,
 * as it does for words of its own. */
enum wa_kind wa_kind_of(struct span body, bool marked);
/* Does the text before ": " hold words of WhatsApp's own ("Anna changed the subject to "a: b"")? */
bool wa_system_name(struct span name);
/* Take media marks and the "edited" tail out of a whole message; true if there was a media mark.
 * The caption, if any, remains in b. */
bool wa_strip(struct buf *b);
/* Copy without the marks of direction that exports put around names (U+200E, U+202A-E,
 * U+2066-9). */
void wa_unmark(struct buf *out, struct span s);
/* Bytes of white space and marks at the start of s; *ltr (may be NULL): U+200E was among them. */
size_t wa_blank(struct span s, bool *ltr);

/* A telephone number as exports show it: digits (with "+" in front if it had one) into out. */
bool wa_phone(struct span name, char out[32]);
/* "WhatsApp Chat with Anna (1)" -> "Anna"; false if the name follows no known pattern. */
bool wa_chat_name(struct span stem, struct span *out);

#endif
