/* Time. Instants are int64_t seconds since 1970 UTC; CLOCK_NONE means "not known". */
#ifndef LK_BASE_CLOCK_H
#define LK_BASE_CLOCK_H

#include "base/cursor.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NONE INT64_MIN

int64_t clock_now(void);
double clock_mono(void); /* seconds, monotonic, for durations */

/* Proleptic Gregorian, any year; month 1-12, day 1-31. */
int64_t clock_from_civil(int year, int month, int day, int hour, int min, int sec);
void clock_to_civil(int64_t t, int *year, int *month, int *day);

/* "2019-03-02" (UTC), or "undated". out holds at least 24 bytes; returns out. */
char *clock_date(int64_t t, char out[24]);
/* "2019-03-02T21:14:00Z"; "" for CLOCK_NONE. */
char *clock_iso(int64_t t, char out[32]);
/* ISO 8601 dates and times: YYYY, YYYY-MM, YYYY-MM-DD, with T or space HH:MM[:SS[.f]] and Z or
 * +HH:MM; no zone means UTC. Returns false when s is something else. */
bool clock_parse_iso(struct span s, int64_t *out);

#endif
