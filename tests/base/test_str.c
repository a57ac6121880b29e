/* Strings: folding letter by letter, broken UTF-8 of every kind, blanks that nobody sees,
 * numbers. */
#include "base/err.h"
#include "base/str.h"
#include "check.h"

static const char *folded(const char *s, size_t n)
{
    static struct buf b;
    buf_clear(&b);
    utf8_fold(&b, s, n);
    return buf_str(&b);
}

/* Every letter of Latin-1 and Latin Extended-A, and what it is folded to. */
static void fold_latin(void **state)
{
    static const struct {
        const char *letters, *plain;
    } row[] = {
        { "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ", "a a a a a a ae c e e e e i i i i" },
        { "ÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß", "d n o o o o o × o u u u u y th ss" },
        { "àáâãäåæçèéêëìíîï", "a a a a a a ae c e e e e i i i i" },
        { "ðñòóôõö÷øùúûüýþÿ", "d n o o o o o ÷ o u u u u y th y" },
        { "ĀāĂăĄąĆćĈĉĊċČčĎď", "a a a a a a c c c c c c c c d d" },
        { "ĐđĒēĔĕĖėĘęĚěĜĝĞğ", "d d e e e e e e e e e e g g g g" },
        { "ĠġĢģĤĥĦħĨĩĪīĬĭĮį", "g g g g h h h h i i i i i i i i" },
        { "İıĲĳĴĵĶķĸĹĺĻļĽľĿ", "i i ij ij j j k k k l l l l l l l" },
        { "ŀŁłŃńŅņŇňŉŊŋŌōŎŏ", "l l l n n n n n n n n n o o o o" },
        { "ŐőŒœŔŕŖŗŘřŚśŜŝŞş", "o o oe oe r r r r r r s s s s s s" },
        { "ŠšŢţŤťŦŧŨũŪūŬŭŮů", "s s t t t t t t u u u u u u u u" },
        { "ŰűŲųŴŵŶŷŸŹźŻżŽžſ", "u u u u w w y y y z z z z z z s" },
    };
    int seen = 0;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *p = row[i].letters, *end = p + strlen(p), *w = row[i].plain;
        while (p < end) {
            const char *was = p;
            char want[8];
            size_t n = strcspn(w, " ");
            uint32_t c = utf8_next(&p, end);
            check_int(c, 0xC0 + seen++);
            snprintf(want, sizeof want, "%.*s", (int)n, w);
            check_str(folded(was, (size_t)(p - was)), want);
            w += n + (w[n] == ' ');
        }
    }
    check_int(seen, 0x180 - 0xC0);
}

static void fold_words(void **state)
{
    static const char *const pair[][2] = {
        { "Hello, WORLD 42", "hello, world 42" },
        { "E\xCC\x81t\xC3\xA9", "ete" },
        { "Stra\xC3\x9F"
          "e STRA\xE1\xBA\x9E"
          "E",
          "strasse strasse" },
        { "Μαρία ΜΑΡΊΑ Νίκος ΝΊΚΟΣ", "μαρια μαρια νικοσ νικοσ" },
        { "Пётр ПЁТР Ђорђе", "пётр пётр ђорђе" },
        { "Nguyễn Thị Ánh Ơn Ưu", "nguyen thi anh on uu" },
        { "Ștefan Țuțea", "stefan tutea" },
        { "O\xE2\x80\x99"
          "Brien O\xE2\x80\x98"
          "Brien",
          "o'brien o'brien" },
        { "日本語 עברית", "日本語 עברית" },
    };
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        check_str(folded(pair[i][0], strlen(pair[i][0])), pair[i][1]);
        check_str(folded(pair[i][1], strlen(pair[i][1])), pair[i][1]); /* folding again: same */
    }
    check_str(folded("a\xFF"
                     "b",
                     3),
              "a\xEF\xBF\xBD"
              "b");
}

static void fold_is_stable(void **state)
{
    for (uint32_t c = 0x80; c < 0x30000; c++) {
        char s[4], once[64];
        int n = utf8_put(s, c);
        snprintf(once, sizeof once, "%s", folded(s, (size_t)n));
        check_str(folded(once, strlen(once)), once);
    }
}

/* ---- UTF-8 ---- */

static void every_code_point_round_trips(void **state)
{
    for (uint32_t c = 0; c < 0x110000; c++) {
        char s[4];
        const char *p = s;
        if (c >= 0xD800 && c < 0xE000) continue;
        int n = utf8_put(s, c);
        check_int(utf8_next(&p, s + n), c);
        check_int(p - s, n);
        if (!utf8_valid(s, (size_t)n)) fail_msg("U+%04X is not valid", c);
    }
    char s[4];
    check_int(utf8_put(s, 0xD800), 3);
    assert_memory_equal(s, "\xEF\xBF\xBD", 3);
    check_int(utf8_put(s, 0x110000), 3);
}

static const struct {
    const char *s;
    size_t n;
} broken[] = {
    { "\x80", 1 },
    { "\xBF\xBF", 2 },
    { "\xC0\xAF", 2 },
    { "\xC1\xBF", 2 },
    { "\xC3", 1 },
    { "\xC3(", 2 },
    { "\xE0\x80\xAF", 3 },
    { "\xE0\x9F\xBF", 3 },
    { "\xE2\x82", 2 },
    { "\xE2(\xA1", 3 },
    { "\xED\xA0\x80", 3 },
    { "\xED\xBF\xBF", 3 },
    { "\xF0\x80\x80\xAF", 4 },
    { "\xF0\x9F\x98", 3 },
    { "\xF0\x9F(\x80", 4 },
    { "\xF4\x90\x80\x80", 4 },
    { "\xF5\x80\x80\x80", 4 },
    { "\xF8\x88\x80\x80\x80", 5 },
    { "\xFE", 1 },
    { "\xFF\xFF", 2 },
};

static void broken_sequences(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char *copy = malloc(broken[i].n); /* a sanitizer sees a read beyond */
        struct buf b = BUF_INIT(0);
        memcpy(copy, broken[i].s, broken[i].n);
        const char *p = copy, *end = copy + broken[i].n;
        check_int(utf8_next(&p, end), 0xFFFD);
        check_int(p - copy, 1);
        assert_false(utf8_valid(copy, broken[i].n));
        assert_true(utf8_clean(&b, copy, broken[i].n) > 0);
        assert_true(utf8_valid(b.p, b.n));
        utf8_fold(&b, copy, broken[i].n);
        assert_true(utf8_valid(b.p, b.n));
        utf8_width(copy, broken[i].n);
        span_trim((struct span){ copy, broken[i].n });
        buf_free(&b);
        free(copy);
    }
    assert_true(utf8_valid("\xEF\xBF\xBD", 3)); /* a real U+FFFD is not broken */
    assert_true(utf8_valid(NULL, 0));
}

static void check_clean(const char *in, size_t n, const char *want, size_t bad)
{
    struct buf b = BUF_INIT(0);
    check_int(utf8_clean(&b, in, n), bad);
    check_str(buf_str(&b), want);
    buf_free(&b);
}

static void cleaned(void **state)
{
    check_clean("a\r\nb\rc\n", 7, "a\nb\nc\n", 0);
    check_clean("tab\there", 8, "tab\there", 0);
    check_clean("nul\0nul", 7, "nulnul", 1);
    check_clean("bell\a esc\x1B[1m del\x7F", 18, "bell esc[1m del", 3);
    check_clean("c1\xC2\x85x", 5, "c1x", 1);
    check_clean("\xFF"
                "a\xC3",
                3,
                "\xEF\xBF\xBD"
                "a\xEF\xBF\xBD",
                2);
    check_clean("\xEF\xBF\xBD", 3, "\xEF\xBF\xBD", 0);
    check_clean("", 0, "", 0);
    check_clean(NULL, 0, "", 0);
    check_clean("😀é", 6, "😀é", 0);
}

static void cut_on_characters(void **state)
{
    static const char s[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11 };
    for (size_t max = 0; max < sizeof want / sizeof *want; max++)
        check_int(utf8_cut(s, sizeof s - 1, max), want[max]);
    check_int(utf8_cut("\x80\x80\x80", 3, 2), 0);
}

static void widths(void **state)
{
    check_int(utf8_width("abc", 3), 3);
    check_int(utf8_width("e\xCC\x81", 3), 1);
    check_int(utf8_width("日本", 6), 4);
    check_int(utf8_width("\xE2\x80\x8E"
                         "a\xE2\x81\xA9",
                         7),
              1);
    check_int(utf8_width("😀", 4), 2);
}

/* ---- spans ---- */

static void check_trim(const char *s, const char *want)
{
    struct span t = span_trim(span_of(s));
    char got[64];
    snprintf(got, sizeof got, "%.*s", (int)t.n, t.p ? t.p : "");
    check_str(got, want);
}

static void trimmed_at_both_ends(void **state)
{
    static const char *const blanks[] = {
        " ",
        "\t",
        "\r\n",
        "\xC2\xA0",
        "\xC2\x85",
        "\xEF\xBB\xBF",
        "\xE2\x80\x8E",
        "\xE2\x80\x8F",
        "\xE2\x80\x8B",
        "\xE2\x80\xAA",
        "\xE2\x80\xAC",
        "\xE2\x80\xAF",
        "\xE2\x80\xA8",
        "\xE2\x81\xA6",
        "\xE2\x81\xA9",
        "\xE2\x81\xA0",
        "\xE2\x80\x83",
        "\xE3\x80\x80",
    };
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
        char s[64];
        snprintf(s, sizeof s, "%s%sa b%s%s", blanks[i], blanks[i], blanks[i], blanks[i]);
        check_trim(s, "a b");
        snprintf(s, sizeof s, "%s é%s", blanks[i], blanks[i]);
        check_trim(s, "é");
        snprintf(s, sizeof s, "a%sb", blanks[i]);
        check_trim(s, s);
        check_trim(blanks[i], "");
    }
    check_trim("", "");
    check_trim(NULL, "");
    check_trim("\xA0x\xA0", "\xA0x\xA0"); /* half of a character is not a blank */
    check_trim("\xE2\x80", "\xE2\x80");
    check_trim("…", "…");
}

static void compared(void **state)
{
    assert_true(span_eq(span_of("ab"), "ab"));
    assert_false(span_eq(span_of("ab"), "abc"));
    assert_true(span_eq((struct span){ NULL, 0 }, ""));
    assert_true(span_ieq(span_of("MaRit"), "mArIT"));
    assert_false(span_ieq((struct span){ "ab\0", 3 }, "ab"));
    assert_true(span_starts((struct span){ "abc", 2 }, "ab"));
    assert_false(span_starts((struct span){ "abc", 2 }, "abc")); /* not what lies behind it */
    assert_true(span_starts((struct span){ NULL, 0 }, ""));
    static const char *const list[] = { "re:", "fwd:", NULL };
    assert_true(span_istarts((struct span){ "RE: x", 3 }, "re:"));
    assert_false(span_istarts((struct span){ "RE: x", 2 }, "re:"));
    assert_true(span_istarts((struct span){ NULL, 0 }, ""));
    assert_false(span_starts(span_of("RE: x"), "re:"));
    assert_true(span_istarts_any(span_of("FWD: x"), list));
    assert_false(span_istarts_any(span_of("a re: x"), list));
    assert_false(span_istarts_any(span_of("re:"), &list[2]));
    assert_false(span_ieq(span_of("É"), "é")); /* ASCII case only */
    assert_true(str_ends("a.TXT", ".txt"));
    assert_false(str_ends("txt", ".txt"));
    assert_true(str_starts("Re: x", "re:"));
    assert_false(str_starts("Re", "re:"));
    const char *hay = "an Island, an island";
    assert_ptr_equal(span_ifind(span_of(hay), "ISLAND"), hay + 3);
    assert_ptr_equal(span_ifind(span_of(hay), ""), hay);
    assert_null(span_ifind(span_of(hay), "islands"));
    assert_null(span_ifind((struct span){ hay, 5 }, "Island"));
}

static void numbers(void **state)
{
    int64_t n = 5;
    double d = 5;
    assert_true(str_i64(span_of("-42"), &n) && n == -42);
    assert_true(str_i64(span_of("+7"), &n) && n == 7);
    assert_true(str_i64(span_of("999999999999999999"), &n) && n == 999999999999999999);
    static const char *const no_int[] = { "",    "-",   "+",
                                          "4 ",  " 4",  "4.0",
                                          "0x4", "--4", "9999999999999999999" };
    for (size_t i = 0; i < sizeof no_int / sizeof *no_int; i++)
        assert_false(str_i64(span_of(no_int[i]), &n));
    assert_true(str_f64(span_of("-1.5e3"), &d) && d == -1500);
    assert_true(str_f64(span_of(".5"), &d) && d == 0.5);
    static const char *const no_float[] = { "",     "-",  ".",  "inf", "nan",  "1e999",
                                            "0x10", " 1", "1 ", "1,5", "1.2.3" };
    for (size_t i = 0; i < sizeof no_float / sizeof *no_float; i++)
        if (str_f64(span_of(no_float[i]), &d)) fail_msg("%s was taken", no_float[i]);
    assert_false(str_f64((struct span){ "1\0", 2 }, &d));
}

/* Stored in files for ever: these values must never change. */
static void hash_is_for_ever(void **state)
{
    assert_true(hash64("", 0, 0) == UINT64_C(0x8b2200af535cdd82));
    assert_true(hash64("a", 1, 0) == UINT64_C(0x997948457d1dcd97));
    assert_true(hash64("likeness", 8, 0) == UINT64_C(0x8e9f0b3f16b7f836));
    assert_true(hash64("The quick brown fox", 19, 7) == UINT64_C(0xea14f4f5e8b8fce8));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(fold_latin),
        cmocka_unit_test(fold_words),
        cmocka_unit_test(fold_is_stable),
        cmocka_unit_test(every_code_point_round_trips),
        cmocka_unit_test(broken_sequences),
        cmocka_unit_test(cleaned),
        cmocka_unit_test(cut_on_characters),
        cmocka_unit_test(widths),
        cmocka_unit_test(trimmed_at_both_ends),
        cmocka_unit_test(compared),
        cmocka_unit_test(numbers),
        cmocka_unit_test(hash_is_for_ever),
    };
    return check_run("base/str", t);
}
