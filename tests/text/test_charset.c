/* Which charset, and the way to UTF-8. */
#include "check.h"

#include "base/buf.h"
#include "base/str.h"
#include "text/charset.h"

#define DETECT(s) charset_detect((const unsigned char *)(s), sizeof(s) - 1)

static void marks(void **state)
{
    check_str(DETECT(""), "UTF-8");
    check_str(DETECT("\xEF\xBB\xBFhello"), "UTF-8");
    check_str(DETECT("\xFF\xFEh\0i\0"), "UTF-16LE");
    check_str(DETECT("\xFE\xFF\0h\0i"), "UTF-16BE");
    check_str(DETECT("h\0e\0l\0l\0o\0 \0y\0o\0u\0"), "UTF-16LE");
    check_str(DETECT("\0h\0e\0l\0l\0o\0 \0y\0o\0u"), "UTF-16BE");
}

static void plain_and_legacy(void **state)
{
    check_str(DETECT("plain ASCII text\n"), "UTF-8");
    check_str(DETECT("na\xC3\xAFve caf\xC3\xA9"), "UTF-8");
    check_str(DETECT("cut in a character: caf\xC3"), "UTF-8");
    check_str(
        DETECT("un caf\xE9 tr\xE8s bon, \x93merci\x94 beaucoup, \xE0 bient\xF4t, ma ch\xE8re"),
        "WINDOWS-1252");
}

static void binary(void **state)
{
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0";
    unsigned char all[256];
    for (int i = 0; i < 256; i++) all[i] = (unsigned char)i;
    assert_null(DETECT(png));
    assert_null(charset_detect(all, sizeof all));
    assert_null(DETECT("\1\2\3\4\5\6text"));
}

static void check_conversion(const char *cs, const char *in, size_t n, const char *want)
{
    struct buf out = BUF_INIT(0);
    struct err err = { 0 };
    check_ok(charset_to_utf8(&out, cs, in, n, &err), err);
    check_str(buf_str(&out), want);
    assert_true(utf8_valid(buf_str(&out), out.n));
    buf_free(&out);
}

static void converts(void **state)
{
    check_conversion("WINDOWS-1252",
                     "\x93"
                     "caf\xE9\x94",
                     6,
                     "\xE2\x80\x9C"
                     "caf\xC3\xA9\xE2\x80\x9D");
    check_conversion("UTF-16LE", "\xFF\xFEh\0\xE9\0", 6, "h\xC3\xA9");
    check_conversion("UTF-16LE", "h\0\x00\xD8i\0", 6, "h\xEF\xBF\xBDi");
    check_conversion("UTF-8",
                     "\xEF\xBB\xBF"
                     "a\r\nb",
                     7, "a\nb");
    check_conversion("KOI8-R", "\xF0\xD2\xC9\xD7\xC5\xD4", 6, "Привет");
    struct buf out = BUF_INIT(0);
    struct err err = { 0 };
    check_int(charset_to_utf8(&out, "no-such-charset", "a", 1, &err), ERR_PARSE);
    check_has(err.msg, "UTF-8");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(marks), cmocka_unit_test(plain_and_legacy),
                                    cmocka_unit_test(binary), cmocka_unit_test(converts) };
    return check_run("text/charset", t);
}
