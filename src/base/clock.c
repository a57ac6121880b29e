/* Time. Calendar arithmetic by days since 1970 in eras of 400 years (Hinnant, "chrono-compatible
 * low-level date algorithms"): right for any year, no time zone database. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_now(void) { return (int64_t)time(NULL); }

double clock_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int64_t clock_from_civil(int year, int month, int day, int hour, int min, int sec)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    return days * 86400 + hour * 3600 + min * 60 + sec;
}

void clock_to_civil(int64_t t, int *year, int *month, int *day)
{
    int64_t z = t / 86400 - (t % 86400 < 0) + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

char *clock_date(int64_t t, char out[24])
{
    int y, m, d;
    if (t == CLOCK_NONE) return strcpy(out, "undated");
    clock_to_civil(t, &y, &m, &d);
    snprintf(out, 24, "%04d-%02d-%02d", y, m, d);
    return out;
}

char *clock_iso(int64_t t, char out[32])
{
    int y, m, d;
    if (t == CLOCK_NONE) return strcpy(out, "");
    clock_to_civil(t, &y, &m, &d);
    int s = (int)(((t % 86400) + 86400) % 86400);
    snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", y, m, d, s / 3600, s / 60 % 60, s % 60);
    return out;
}

/* Exactly `digits` decimal digits at *p. */
static bool number(const char **p, const char *end, int digits, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, ++*p) {
        if (*p >= end || **p < '0' || **p > '9') return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool mark(const char **p, const char *end, const char *any)
{
    if (*p >= end || !**p || !strchr(any, **p)) return false;
    ++*p;
    return true;
}

static bool parse_zone(const char **p, const char *end, int *offset)
{
    *offset = 0;
    if (*p == end) return true;
    if (mark(p, end, "Zz")) return *p == end;
    int sign = **p == '-' ? -1 : 1, h, m = 0;
    if (!mark(p, end, "+-") || !number(p, end, 2, &h)) return false;
    if ((mark(p, end, ":") || *p < end) && !number(p, end, 2, &m)) return false;
    *offset = sign * (h * 3600 + m * 60);
    return *p == end && h <= 15 && m <= 59;
}

static int days_in(int year, int month)
{
    static const int len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return len[month - 1] + (month == 2 && leap);
}

/* HH:MM[:SS[.f]][zone] up to end. 24:00 ends a day, :60 is a leap second. */
static bool parse_time(const char *p, const char *end, int *seconds, int *offset)
{
    int h, m, s = 0;
    if (!number(&p, end, 2, &h) || !mark(&p, end, ":") || !number(&p, end, 2, &m)) return false;
    if (mark(&p, end, ":")) {
        if (!number(&p, end, 2, &s)) return false;
        if (mark(&p, end, ".,")) {
            if (p >= end || *p < '0' || *p > '9') return false;
            while (p < end && *p >= '0' && *p <= '9') p++;
        }
    }
    *seconds = h * 3600 + m * 60 + s;
    return parse_zone(&p, end, offset) && m <= 59 && s <= 60 && (h < 24 || *seconds == 86400);
}

bool clock_parse_iso(struct span s, int64_t *out)
{
    const char *p = s.p, *end = s.p + s.n;
    int y, mo = 1, d = 1, sec = 0, off = 0;
    if (!s.n || !number(&p, end, 4, &y)) return false;
    if (p < end && (!mark(&p, end, "-") || !number(&p, end, 2, &mo))) return false;
    if (mo < 1 || mo > 12) return false;
    if (p < end) {
        if (!mark(&p, end, "-") || !number(&p, end, 2, &d)) return false;
        if (d < 1 || d > days_in(y, mo)) return false;
    }
    if (p < end && (!mark(&p, end, "Tt ") || !parse_time(p, end, &sec, &off))) return false;
    *out = clock_from_civil(y, mo, d, 0, 0, sec) - off;
    return true;
}
