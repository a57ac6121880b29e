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
    int64_t z = (t >= 0 ? t : t - 86399) / 86400 + 719468;
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
    if (*p >= end || !strchr(any, **p)) return false;
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
    mark(p, end, ":");
    if (*p < end && !number(p, end, 2, &m)) return false;
    *offset = sign * (h * 3600 + m * 60);
    return *p == end;
}

bool clock_parse_iso(struct span s, int64_t *out)
{
    static const int len[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const char *p = s.p, *end = s.p + s.n;
    int y, mo = 1, d = 1, h = 0, mi = 0, sec = 0, off = 0;
    if (!s.n || !number(&p, end, 4, &y)) return false;
    if (p < end && (!mark(&p, end, "-") || !number(&p, end, 2, &mo))) return false;
    if (p < end && (!mark(&p, end, "-") || !number(&p, end, 2, &d))) return false;
    if (p < end) {
        if (!mark(&p, end, "Tt ") || !number(&p, end, 2, &h) || !mark(&p, end, ":") ||
            !number(&p, end, 2, &mi))
            return false;
        if (p < end && *p == ':' && (p++, !number(&p, end, 2, &sec))) return false;
        if (mark(&p, end, ".,"))
            while (p < end && *p >= '0' && *p <= '9') p++;
        if (!parse_zone(&p, end, &off)) return false;
    }
    if (p != end || mo < 1 || mo > 12 || d < 1 || d > len[mo - 1] || h > 24 || mi > 59 || sec > 60) return false;
    *out = clock_from_civil(y, mo, d, h, mi, sec) - off;
    return true;
}
