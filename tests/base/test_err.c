/* Errors: codes from errno, messages that are cut whole, prefixes, NULL everywhere. */
#include "base/err.h"
#include "base/str.h"
#include "check.h"

#include <errno.h>

static void codes_have_names(void **state)
{
    check_str(err_name(0), "OK");
    check_str(err_name(ERR_CONSENT), "CONSENT");
    check_str(err_name(-999), "INTERNAL");
    check_str(err_text(ERR_FULL), "the disk is full or read-only");
    check_str(err_text(12), "internal error");
    check_int(ERR_INTERNAL, -15);
}

static void set_returns_the_code(void **state)
{
    struct err e = { 0 };
    check_int(err_set(&e, ERR_PARSE, "%s:%d", "file", 7), ERR_PARSE);
    check_int(e.code, ERR_PARSE);
    check_str(e.msg, "file:7");
    check_int(err_set(NULL, ERR_IO, "x"), ERR_IO);
    check_int(err_set(&e, ERR_IO, "<%s>", e.msg), ERR_IO);
    check_str(e.msg, "<file:7>");
    check_int(err_nomem(NULL), ERR_NOMEM);
}

static void errno_becomes_a_code(void **state)
{
    static const int table[][2] = {
        { ENOSPC, ERR_FULL },     { EROFS, ERR_FULL },   { EDQUOT, ERR_FULL },
        { EFBIG, ERR_FULL },      { ENOMEM, ERR_NOMEM }, { EEXIST, ERR_EXISTS },
        { ENOENT, ERR_NOTFOUND }, { EACCES, ERR_IO },    { EIO, ERR_IO },
    };
    struct err e;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        errno = table[i][0];
        check_int(err_errno(&e, "cannot read %s", "it"), table[i][1]);
        check_has(e.msg, "cannot read it: ");
        errno = table[i][0];
        check_int(err_errno(NULL, "x"), table[i][1]);
    }
}

static void prefix_goes_before(void **state)
{
    struct err e;
    err_set(&e, ERR_KEY, "wrong");
    check_int(err_prefix(&e, ERR_KEY, "home %d", 3), ERR_KEY);
    check_str(e.msg, "home 3: wrong");
    check_int(err_prefix(NULL, ERR_IO, "x"), ERR_IO);
}

/* Whatever the length, what is left is valid UTF-8 and ends with NUL. */
static void long_messages_are_cut_whole(void **state)
{
    char text[1200];
    struct err e;
    for (size_t lead = 0; lead < 8; lead++) {
        size_t n = lead;
        memset(text, 'a', lead);
        while (n + 4 < sizeof text) n += (size_t)utf8_put(text + n, lead % 2 ? 0x1F600 : 0xE9);
        text[n] = 0;
        err_set(&e, ERR_IO, "%s", text);
        assert_true(strlen(e.msg) < sizeof e.msg && strlen(e.msg) > sizeof e.msg - 8);
        assert_true(utf8_valid(e.msg, strlen(e.msg)));
        err_prefix(&e, ERR_IO, "vor%s", "\xC3\xA4");
        assert_true(utf8_valid(e.msg, strlen(e.msg)));
        errno = ENOENT;
        err_errno(&e, "%s", text);
        assert_true(utf8_valid(e.msg, strlen(e.msg)));
    }
    memset(text, 'b', 500);
    text[500] = 0;
    err_set(&e, ERR_IO, "%s", text);
    check_int(strlen(e.msg), sizeof e.msg - 1);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(set_returns_the_code),
        cmocka_unit_test(errno_becomes_a_code),
        cmocka_unit_test(prefix_goes_before),
        cmocka_unit_test(long_messages_are_cut_whole),
    };
    return check_run("base/err", t);
}
