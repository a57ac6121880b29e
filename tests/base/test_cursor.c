/* The cursor: every truncation of a record fails once, names the field, and never reads beyond. */
#include "base/buf.h"
#include "base/cursor.h"
#include "check.h"

static void record(struct buf *b)
{
    buf_u8(b, 7);
    buf_u32(b, 0xDEADBEEF);
    buf_u64(b, 0x0102030405060708u);
    buf_lstr(b, "name", 4);
    buf_lstr(b, "", 0);
    buf_add(b, "tail", 4);
}

static int read_all(struct cursor *c, struct err *err)
{
    uint8_t a = cursor_u8(c, "a");
    uint32_t b = cursor_u32(c, "b");
    uint64_t d = cursor_u64(c, "d");
    struct span name = cursor_lstr(c, "name"), none = cursor_lstr(c, "none");
    struct span tail = cursor_bytes(c, 4, "tail");
    int rc = cursor_check(c, err);
    if (rc) return rc;
    check_int(a, 7);
    check_int(b, 0xDEADBEEF);
    check_int(d, 0x0102030405060708);
    check_int(name.n, 4);
    assert_memory_equal(name.p, "name", 4);
    check_int(none.n, 0);
    assert_memory_equal(tail.p, "tail", 4);
    return 0;
}

static void reads_what_buf_wrote(void **state)
{
    struct buf b = BUF_INIT(0);
    struct err err;
    record(&b);
    struct cursor c = cursor_of(b.p, b.n, "record");
    check_ok(read_all(&c, &err), err);
    check_int(cursor_left(&c), 0);
    check_int(cursor_u8(&c, "more"), 0);
    check_int(cursor_check(&c, &err), ERR_PARSE);
    check_has(err.msg, "record");
    check_has(err.msg, "\"more\"");
    buf_free(&b);
}

static void every_truncation_fails(void **state)
{
    struct buf b = BUF_INIT(0);
    struct err err;
    record(&b);
    for (size_t n = 0; n < b.n; n++) {
        char *copy = malloc(n ? n : 1); /* so that a sanitizer sees a read beyond */
        memcpy(copy, b.p, n);
        struct cursor c = cursor_of(n ? copy : NULL, n, "record");
        check_int(read_all(&c, &err), ERR_PARSE);
        check_int(cursor_left(&c), 0);
        check_int(c.bad_at <= n, 1);
        free(copy);
    }
    buf_free(&b);
}

static void first_failure_sticks(void **state)
{
    struct cursor c = cursor_of("\x05\0\0\0abc", 7, "x");
    struct err err;
    check_int(cursor_lstr(&c, "first").n, 0);
    check_int(cursor_bytes(&c, 1, "second").n, 0);
    cursor_fail(&c, "third");
    cursor_check(&c, &err);
    check_has(err.msg, "\"first\" at byte 4");
    check_int(cursor_check(&c, NULL), ERR_PARSE);
    c = cursor_of("abc", 3, "x");
    cursor_u8(&c, "a");
    cursor_fail(&c, "mine");
    cursor_check(&c, &err);
    check_has(err.msg, "\"mine\" at byte 1");
    c = cursor_of("abc", 3, "x");
    check_int(cursor_bytes(&c, SIZE_MAX, "huge").n, 0);
    check_int(cursor_check(&c, NULL), ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(reads_what_buf_wrote),
        cmocka_unit_test(every_truncation_fails),
        cmocka_unit_test(first_failure_sticks),
    };
    return check_run("base/cursor", t);
}
