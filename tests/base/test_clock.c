/* The calendar against the C library's, and what is and is not an ISO date. */
#include "base/clock.h"
#include "base/str.h"
#include "check.h"

#include <time.h>

static void civil_days_round_trip(void **state)
{
    for (int64_t day = -800000; day < 800000; day += 13) {
        for (int k = -1; k <= 1; k++) {
            int y, m, d;
            int64_t t = day * 86400 + k;
            time_t c = (time_t)t;
            struct tm tm;
            clock_to_civil(t, &y, &m, &d);
            gmtime_r(&c, &tm);
            check_int(y, tm.tm_year + 1900);
            check_int(m, tm.tm_mon + 1);
            check_int(d, tm.tm_mday);
            check_int(clock_from_civil(y, m, d, tm.tm_hour, tm.tm_min, tm.tm_sec), t);
        }
    }
}

static void leap_years(void **state)
{
    check_int(clock_from_civil(1970, 1, 1, 0, 0, 0), 0);
    check_int(clock_from_civil(1969, 12, 31, 23, 59, 59), -1);
    check_int(clock_from_civil(2000, 3, 1, 0, 0, 0) - clock_from_civil(2000, 2, 28, 0, 0, 0),
              172800);
    check_int(clock_from_civil(1900, 3, 1, 0, 0, 0) - clock_from_civil(1900, 2, 28, 0, 0, 0),
              86400);
    check_int(clock_from_civil(2024, 3, 1, 0, 0, 0) - clock_from_civil(2024, 2, 28, 0, 0, 0),
              172800);
    check_int(clock_from_civil(2023, 3, 1, 0, 0, 0) - clock_from_civil(2023, 2, 28, 0, 0, 0),
              86400);
}

static void shown(void **state)
{
    char s[32];
    check_str(clock_date(CLOCK_NONE, s), "undated");
    check_str(clock_iso(CLOCK_NONE, s), "");
    check_str(clock_date(-1, s), "1969-12-31");
    check_str(clock_iso(-1, s), "1969-12-31T23:59:59Z");
    check_str(clock_iso(951782400 - 1, s), "2000-02-28T23:59:59Z");
    check_str(clock_iso(951782400, s), "2000-02-29T00:00:00Z");
    clock_iso(CLOCK_NONE + 1, s); /* the edges of what is an instant */
    clock_iso(INT64_MAX, s);
    clock_date(CLOCK_NONE + 1, s);
    clock_date(INT64_MAX, s);
}

static void iso_is_read(void **state)
{
    static const struct {
        const char *text, *utc;
    } ok[] = {
        { "2019", "2019-01-01T00:00:00Z" },
        { "2019-03", "2019-03-01T00:00:00Z" },
        { "2019-03-02", "2019-03-02T00:00:00Z" },
        { "2019-03-02T21:14", "2019-03-02T21:14:00Z" },
        { "2019-03-02 21:14:05", "2019-03-02T21:14:05Z" },
        { "2019-03-02t21:14:05.123z", "2019-03-02T21:14:05Z" },
        { "2019-03-02T21:14:05,5+02:00", "2019-03-02T19:14:05Z" },
        { "2019-03-02T00:30:00+0530", "2019-03-01T19:00:00Z" },
        { "2019-12-31T23:00-05", "2020-01-01T04:00:00Z" },
        { "2019-12-31T24:00:00Z", "2020-01-01T00:00:00Z" },
        { "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
        { "2020-02-29", "2020-02-29T00:00:00Z" },
        { "2000-02-29", "2000-02-29T00:00:00Z" },
        { "1815-06-18T11:30", "1815-06-18T11:30:00Z" },
    };
    for (size_t i = 0; i < sizeof ok / sizeof *ok; i++) {
        char s[32];
        int64_t t;
        if (!clock_parse_iso(span_of(ok[i].text), &t)) fail_msg("%s was refused", ok[i].text);
        check_str(clock_iso(t, s), ok[i].utc);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "19",
        "201",
        "20190302",
        "2019-",
        "2019-3",
        "2019-13",
        "2019-00",
        "2019-03-",
        "2019-03-00",
        "2019-03-32",
        "2019-04-31",
        "2019-06-31",
        "2019-09-31",
        "2019-11-31",
        "2019-02-29",
        "2019-02-30",
        "1900-02-29",
        "2100-02-29",
        "2019-03-02T",
        "2019-03-02T2",
        "2019-03-02T21",
        "2019-03-02T21:",
        "2019-03-02T21:60",
        "2019-03-02T25:00",
        "2019-03-02T24:01",
        "2019-03-02T24:00:01",
        "2019-03-02T21:14:61",
        "2019-03-02T21:14:",
        "2019-03-02T21:14:05.",
        "2019-03-02T21:14:05.Z",
        "2019-03-02T21:14:05+",
        "2019-03-02T21:14:05+1",
        "2019-03-02T21:14:05+01:",
        "2019-03-02T21:14:05+01:6",
        "2019-03-02T21:14:05+99:00",
        "2019-03-02T21:14:05+01:75",
        "2019-03-02T21:14Zx",
        "2019-03-02T21:14:05 x",
        "2019-03-02x21:14",
        " 2019-03-02",
        "2019-03-02 ",
        "-2019-03-02",
        "2019/03/02",
    };
    int64_t t = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (clock_parse_iso(span_of(bad[i]), &t)) fail_msg("%s was taken", bad[i]);
    assert_false(clock_parse_iso((struct span){ "2019\0"
                                                "03\0"
                                                "02",
                                                10 },
                                 &t));
    assert_false(clock_parse_iso((struct span){ "2019-03-02T21:14\0", 17 }, &t));
    assert_false(clock_parse_iso((struct span){ NULL, 0 }, &t));
    check_int(t, 77);
}

/* Every cut of a long form is either a shorter form or refused, and never read beyond. */
static void cuts(void **state)
{
    static const char full[] = "2019-03-02T21:14:05.25+02:00";
    for (size_t n = 0; n < sizeof full; n++) {
        char *copy = malloc(n ? n : 1);
        int64_t t;
        memcpy(copy, full, n);
        bool ok = clock_parse_iso((struct span){ copy, n }, &t);
        bool want = n == 4 || n == 7 || n == 10 || n == 16 || n == 19 || n == 21 || n == 22 ||
                    n == 25 || n == 28;
        check_int(ok, want);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(civil_days_round_trip),
        cmocka_unit_test(leap_years),
        cmocka_unit_test(shown),
        cmocka_unit_test(iso_is_read),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(cuts),
    };
    return check_run("base/clock", t);
}
