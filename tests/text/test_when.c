/* Is 03/04/2019 in April or in March? Solved from the whole file, by a number above 12 anywhere in
 * it, or by the order in which its dates go. Local times take the zone that is given. */
#include "fmtrun.h"

static int64_t when(const struct format *f, const char *path, const char *text, int piece,
                    long zone)
{
    struct fmtrun r;
    fmtrun_path(&r, f, path, text, strlen(text), -1, zone);
    check_int(r.rc, 0);
    assert_true(r.n > piece);
    int64_t t = r.p[piece].written_at;
    fmtrun_clear(&r);
    return t;
}

static void is(const struct format *f, const char *path, const char *text, const char *want)
{
    char got[24];
    clock_date(when(f, path, text, 0, 0), got);
    if (strcmp(got, want) != 0) fail_msg("%s: got %s, want %s, of: %s", path, got, want, text);
}

#define ROW(date) "{\"text\": \"I went to the sea.\", \"date\": \"" date "\"}\n"
#define CSV(date) date ",I went to the sea.\n"
#define DAY(date) "## " date "\n\nI went to the sea.\n\n"
#define TXT(date) date "\n\nI went to the sea.\n\n"

static void a_number_above_twelve(void **state)
{
    is(&format_jsonl, "a.jsonl", ROW("03/04/2019") ROW("04/13/2019"), "2019-03-04");
    is(&format_jsonl, "a.jsonl", ROW("03/04/2019 10:00") ROW("13/04/2019 11:00"), "2019-04-03");
    is(&format_jsonl, "a.json", "[" ROW("03/04/2019") "," ROW("04/13/2019") "]", "2019-03-04");
    is(&format_csv, "a.csv", "date,text\n" CSV("03/04/2019") CSV("04/13/2019"), "2019-03-04");
    is(&format_csv, "a.csv", "date,text\n" CSV("03/04/2019") CSV("13/04/2019"), "2019-04-03");
    is(&format_markdown, "a.md", DAY("03/04/2019") DAY("04/13/2019"), "2019-03-04");
    is(&format_markdown, "a.md", DAY("03/04/2019") DAY("13/04/2019"), "2019-04-03");
    is(&format_plain, "a.txt", TXT("03/04/2019") TXT("04/13/2019"), "2019-03-04");
    is(&format_plain, "a.txt", TXT("03/04/2019") TXT("13/04/2019"), "2019-04-03");
}

/* Read with the day first, April comes before May; with the month first, March, April, January. */
static void the_order_of_dates(void **state)
{
    is(&format_jsonl, "a.jsonl", ROW("03/04/2019") ROW("04/04/2019") ROW("01/05/2019"),
       "2019-04-03");
    is(&format_jsonl, "a.jsonl", ROW("03/04/2019") ROW("03/05/2019") ROW("04/01/2019"),
       "2019-03-04");
    is(&format_csv, "a.csv", "date,text\n" CSV("05/01/2019") CSV("04/04/2019") CSV("04/03/2019"),
       "2019-05-01"); /* newest first */
    is(&format_plain, "a.txt", TXT("03/04/2019") TXT("03/05/2019") TXT("04/01/2019"), "2019-03-04");
    is(&format_markdown, "a.md", DAY("03/04/2019") DAY("04/04/2019") DAY("01/05/2019"),
       "2019-04-03");
    is(&format_whatsapp, "_chat.txt",
       "03/04/2019, 10:00 - A: a\n03/05/2019, 10:00 - A: b\n04/01/2019, 10:00 - A: c\n",
       "2019-03-04");
}

static void nothing_decides(void **state)
{
    is(&format_jsonl, "a.jsonl", ROW("03/04/2019"), "2019-04-03"); /* day first, as most write */
    is(&format_plain, "a.txt", TXT("03/04/2019") TXT("04/04/2019"), "2019-04-03");
    is(&format_csv, "a.csv", "date,text\n" CSV("2019-04-03") CSV("13/04/2019"), "2019-04-03");
}

static void zones(void **state)
{
    int64_t noon = clock_from_civil(2019, 4, 3, 12, 0, 0);
    const char *local = ROW("2019-04-03 12:00:00"), *zoned = ROW("2019-04-03T12:00:00+02:00");
    check_int(when(&format_jsonl, "a.jsonl", local, 0, 0), noon);
    check_int(when(&format_jsonl, "a.jsonl", local, 0, 3600), noon - 3600);
    check_int(when(&format_jsonl, "a.jsonl", zoned, 0, 3600), noon - 7200);
    check_int(when(&format_csv, "a.csv", "date,text\n" CSV("03/04/2019 12:00"), 0, 3600),
              noon - 3600);
    check_int(when(&format_whatsapp, "_chat.txt", "03/04/2019, 12:00 - A: a\n", 0, 3600),
              noon - 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_above_twelve),
        cmocka_unit_test(the_order_of_dates),
        cmocka_unit_test(nothing_decides),
        cmocka_unit_test(zones),
    };
    return check_run("text/when", tests);
}
