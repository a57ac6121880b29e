/* Dates as people write them, in the languages our formats meet (English, German, French, Spanish,
 * Italian, Dutch, Portuguese), and the small helpers that other date readers share.
 *
 *     int64_t t;
 *     if (date_parse(span_of("Monday, March 4, 2019"), 1, &t)) ...
 *
 * The whole of s must be a date: words that are no part of one make it fail, so that a sentence
 * that holds a date is not taken for a heading. */
#ifndef LK_TEXT_DATE_H
#define LK_TEXT_DATE_H

#include "base/clock.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "12 March 2019", "4. März 2019, 10:22 Uhr", "Mon, 4 Mar 2019 10:22:07 +0100", "04/03/2019 9:15
 * pm", "4.3.19", "2019-03-02", "2019/03/02 21:14". day_first: 1, 0 (month first) or -1 (day first
 * unless that is impossible; dots always mean day first). A weekday is allowed and not checked. No
 * zone means UTC; *zoned (may be NULL) says whether one stood there. Two-digit years: 70-99 are
 * 19xx. */
bool date_parse(struct span s, int day_first, int64_t *out);
bool date_parse_zone(struct span s, int day_first, int64_t *out, bool *zoned);

/* Like date_parse, but only calendar days alone on a line: no time of day, a year is required, and
 * bare numbers other than ISO ("3.4") are refused. For headings of journals. */
bool date_heading(struct span s, int day_first, int64_t *out);

/* A date inside a file name: the first "2019-03-02", "2019_03_02", "20190302" (not part of a longer
 * number). "2019-03" alone counts as the first of the month. */
bool date_in_name(const char *name, int64_t *out);

/* 1..12 for a month's name or abbreviation (any case, with or without marks and final dot), else
 * 0. */
int date_month(struct span word);
bool date_weekday(struct span word);
/* "AM", "p.m.", "a. m.", with narrow spaces: 0 for am, 12 for pm, -1 if s is neither. */
int date_ampm(struct span s);
/* Hour of a 12-hour clock with date_ampm's answer: 12 am -> 0, 12 pm -> 12. */
int date_hour12(int hour, int ampm);
/* True for a day that exists (29 February only in leap years) in the years 1000..9999. */
bool date_valid(int year, int month, int day);
/* Which order fits the dates of a file, "a/b/year"? Feed each, then ask. A number above 12 decides;
 * else the order in which dates go one way, forwards or backwards, with fewer turns. */
struct date_order {
    unsigned first_over_12, second_over_12, seen;
    unsigned dated, forward[2], back[2]; /* by date_order_read: as month first, day first */
    int64_t last[2];
};
void date_order_see(struct date_order *o, int a, int b);
/* The date that s is or begins with: false when it is not of the kind "03/04/2019". */
bool date_order_read(struct date_order *o, struct span s);
int date_order_day_first(const struct date_order *o); /* 1, 0, or -1: nothing decides */
/* Has a number decided, so that the rest of the file need not be looked at? */
bool date_order_sure(const struct date_order *o);

#endif
