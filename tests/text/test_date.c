/* Dates in seven languages, and what is not a date. */
#include "check.h"

#include "base/str.h"
#include "text/date.h"

static void check_date(const char *s, int day_first, const char *want)
{
    char got[32];
    int64_t t = CLOCK_NONE;
    if (!date_parse(span_of(s), day_first, &t)) fail_msg("\"%s\" was not taken for a date", s);
    clock_iso(t, got);
    if (strcmp(got, want)) fail_msg("\"%s\": got %s, want %s", s, got, want);
}

static void english(void **state)
{
    check_date("12 March 2019", -1, "2019-03-12T00:00:00Z");
    check_date("March 4, 2019", -1, "2019-03-04T00:00:00Z");
    check_date("Monday, March 4, 2019", -1, "2019-03-04T00:00:00Z");
    check_date("Mon, 4 Mar 2019 10:22", -1, "2019-03-04T10:22:00Z");
    check_date("Mon, 4 Mar 2019 10:22:07 +0100", -1, "2019-03-04T09:22:07Z");
    check_date("Mon Mar 4 10:22:07 2019", -1, "2019-03-04T10:22:07Z");
    check_date("4th of March, 2019 at 9:15 pm", -1, "2019-03-04T21:15:00Z");
    check_date("March 4, 2019, 12:05 a.m.", -1, "2019-03-04T00:05:00Z");
    check_date("Sept. 1st 1999 12:00 PM UTC", -1, "1999-09-01T12:00:00Z");
    check_date("August 2024", -1, "2024-08-01T00:00:00Z");
    check_date("May 1, 2020", -1, "2020-05-01T00:00:00Z");
}

static void numbers(void **state)
{
    check_date("04/03/2019", 1, "2019-03-04T00:00:00Z");
    check_date("04/03/2019", 0, "2019-04-03T00:00:00Z");
    check_date("04/03/2019", -1, "2019-03-04T00:00:00Z");
    check_date("3/25/2019", -1, "2019-03-25T00:00:00Z");
    check_date("25/3/19", 0, "2019-03-25T00:00:00Z");
    check_date("4.3.19", 0, "2019-03-04T00:00:00Z");
    check_date("4. 3. 2019, 9:05", -1, "2019-03-04T09:05:00Z");
    check_date("2019/03/02 21:14", -1, "2019-03-02T21:14:00Z");
    check_date("2019-03-02T21:14:05+02:00", -1, "2019-03-02T19:14:05Z");
    check_date("20190302", -1, "2019-03-02T00:00:00Z");
    check_date("1/2/85", 1, "1985-02-01T00:00:00Z");
}

static void languages(void **state)
{
    check_date("4. März 2019, 10:22 Uhr", -1, "2019-03-04T10:22:00Z");
    check_date("Mo, 4. Mär. 2019", -1, "2019-03-04T00:00:00Z");
    check_date("Donnerstag, den 1. Jänner 2015", -1, "2015-01-01T00:00:00Z");
    check_date("lundi 4 mars 2019 à 10h22", -1, "2019-03-04T10:22:00Z");
    check_date("mar. 1er févr. 2022", -1, "2022-02-01T00:00:00Z");
    check_date("14 août 2001", -1, "2001-08-14T00:00:00Z");
    check_date("lunes, 4 de marzo de 2019", -1, "2019-03-04T00:00:00Z");
    check_date("12 dic 2018", -1, "2018-12-12T00:00:00Z");
    check_date("lunedì 4 marzo 2019", -1, "2019-03-04T00:00:00Z");
    check_date("ma 4 mrt. 2019 om 10:22", -1, "2019-03-04T10:22:00Z");
    check_date("segunda-feira, 4 de março de 2019", -1, "2019-03-04T00:00:00Z");
    check_date("3 outubro 2020", -1, "2020-10-03T00:00:00Z");
}

static void not_dates(void **state)
{
    static const char *const no[] = { "",
                                      "hello",
                                      "12",
                                      "2019",
                                      "3.4",
                                      "March",
                                      "On 4 March 2019 we sailed",
                                      "31 February 2019",
                                      "29 Feb 2019",
                                      "13/13/2019",
                                      "4 March 2019 25:00",
                                      "4 March 2019 10:61",
                                      "99999999999999",
                                      "4/3",
                                      "10:22",
                                      "March March 2019",
                                      "4 March 20199",
                                      "1.2.3.4",
                                      "--",
                                      "\xC3" };
    int64_t t;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (date_parse(span_of(no[i]), -1, &t)) fail_msg("\"%s\" was taken for a date", no[i]);
}

static void headings(void **state)
{
    int64_t t;
    assert_true(date_heading(span_of("2019-03-02"), -1, &t));
    assert_true(date_heading(span_of("  12 March 2019 "), -1, &t));
    assert_true(date_heading(span_of("Monday, March 4, 2019"), -1, &t));
    assert_false(date_heading(span_of("12 March 2019 10:22"), -1, &t));
    assert_false(date_heading(span_of("August 2024"), -1, &t));
    assert_false(date_heading(span_of("We met on 12 March 2019"), -1, &t));
}

static void file_names(void **state)
{
    int64_t t;
    char d[24];
    assert_true(date_in_name("2019-03-02.md", &t));
    check_str(clock_date(t, d), "2019-03-02");
    assert_true(date_in_name("Journal 20190302 final.txt", &t));
    check_str(clock_date(t, d), "2019-03-02");
    assert_true(date_in_name("IMG_2019_03_02_notes.txt", &t));
    check_str(clock_date(t, d), "2019-03-02");
    assert_true(date_in_name("2019-03.md", &t));
    check_str(clock_date(t, d), "2019-03-01");
    assert_false(date_in_name("notes.txt", &t));
    assert_false(date_in_name("1234567890123.txt", &t));
    assert_false(date_in_name("2019-13-02.md", &t));
}

static void helpers(void **state)
{
    struct date_order o = { 0 };
    check_int(date_month(span_of("Dez.")), 12);
    check_int(date_month(span_of("ma")), 0);
    check_int(date_month(span_of("jui")), 0);
    assert_true(date_weekday(span_of("Freitag")));
    check_int(date_ampm(span_of("p. m.")), 12);
    check_int(date_ampm(span_of("\xE2\x80\xAF"
                                "AM")),
              0);
    check_int(date_ampm(span_of("Uhr")), -1);
    check_int(date_hour12(12, 0), 0);
    check_int(date_hour12(12, 12), 12);
    check_int(date_order_day_first(&o), -1);
    date_order_see(&o, 3, 25);
    check_int(date_order_day_first(&o), 0);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(english),   cmocka_unit_test(numbers),  cmocka_unit_test(languages),
        cmocka_unit_test(not_dates), cmocka_unit_test(headings), cmocka_unit_test(file_names),
        cmocka_unit_test(helpers),
    };
    return check_run("text/date", t);
}
