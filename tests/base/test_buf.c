/* Buffers: limits, sticky failure, stored integers, and no personal bytes left in freed memory. */
#include "base/buf.h"
#include "base/err.h"
#include "check.h"

static void grows_and_ends_with_nul(void **state)
{
    struct buf b = BUF_INIT(0);
    check_str(buf_str(&b), "");
    for (int i = 0; i < 10000; i++) {
        buf_addc(&b, (char)('a' + i % 26));
        check_int(b.p[b.n], 0);
    }
    check_int(b.n, 10000);
    check_int(b.failed, 0);
    for (int i = 0; i < 10000; i++) check_int(b.p[i], 'a' + i % 26);
    buf_printf(&b, "%d-%s", 42, "x");
    check_str(b.p + 10000, "42-x");
    buf_adds(&b, NULL);
    check_int(b.n, 10004);
    buf_free(&b);
    buf_free(&b);
    buf_free(NULL);
}

static void maximum_is_exact_and_failure_sticks(void **state)
{
    struct buf b = BUF_INIT(10);
    check_int(buf_adds(&b, "0123456789"), 0);
    check_int(buf_reserve(&b, 0), 0);
    check_int(buf_addc(&b, 'x'), ERR_LIMIT);
    check_int(buf_add(&b, NULL, 0), ERR_LIMIT);
    check_int(buf_printf(&b, "y"), ERR_LIMIT);
    check_int(buf_u64(&b, 1), ERR_LIMIT);
    check_int(buf_lstr(&b, "", 0), ERR_LIMIT);
    check_str(buf_str(&b), "0123456789");
    assert_null(buf_take(&b));
    buf_clear(&b);
    check_int(b.failed, 0);
    check_int(buf_adds(&b, "abc"), 0);
    check_str(buf_str(&b), "abc");
    check_int(buf_reserve(&b, SIZE_MAX), ERR_LIMIT);
    buf_free(&b);
    b = (struct buf){ .max = SIZE_MAX };
    check_int(buf_reserve(&b, SIZE_MAX), ERR_LIMIT);
    buf_free(&b);
}

static void maximum_bounds_memory(void **state)
{
    struct buf b = BUF_INIT(100000);
    while (!buf_addc(&b, 'z')) assert_true(b.cap <= 100001);
    check_int(b.n, 100000);
    buf_free(&b);
}

static void clear_zeroes(void **state)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "secret words");
    char *p = b.p;
    buf_clear(&b);
    for (size_t i = 0; i < 12; i++) check_int(p[i], 0);
    buf_free(&b);
}

/* Growth frees the old block; the allocator is asked for the same size at once and, as it does in
 * practice, hands out the same block: nothing of the old text may be in it. */
static void growth_zeroes_what_it_leaves(void **state)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "PRIVATE-PRIVATE-PRIVATE-PRIVATE-PRIVATE-PRIVATE-PRIVATE-PRIV");
    size_t was = b.cap;
    buf_reserve(&b, 4096);
    unsigned char *again[16];
    for (int i = 0; i < 16; i++) {
        again[i] = malloc(was);
        assert_non_null(again[i]);
        /* the first 16 bytes are the allocator's own */
        assert_null(memmem(again[i] + 16, was - 16, "PRIVATE", 7));
    }
    for (int i = 0; i < 16; i++) free(again[i]);
    buf_free(&b);
}

static void integers_are_little_endian(void **state)
{
    struct buf b = BUF_INIT(0);
    buf_u8(&b, 0xFE);
    buf_u32(&b, 0x01020304);
    buf_u64(&b, 0x1122334455667788u);
    buf_lstr(&b, "abc", 3);
    buf_lstr(&b, NULL, 99);
    static const unsigned char want[] = { 0xFE, 4,    3,    2,    1,    0x88, 0x77, 0x66,
                                          0x55, 0x44, 0x33, 0x22, 0x11, 3,    0,    0,
                                          0,    'a',  'b',  'c',  0,    0,    0,    0 };
    check_int(b.n, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
    buf_free(&b);
}

static void take_gives_away(void **state)
{
    struct buf b = BUF_INIT(0);
    char *empty = buf_take(&b);
    check_str(empty, "");
    free(empty);
    buf_adds(&b, "mine");
    char *p = buf_take(&b);
    check_str(p, "mine");
    check_int(b.n, 0);
    assert_null(b.p);
    free(p);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(grows_and_ends_with_nul),
        cmocka_unit_test(maximum_is_exact_and_failure_sticks),
        cmocka_unit_test(maximum_bounds_memory),
        cmocka_unit_test(clear_zeroes),
        cmocka_unit_test(growth_zeroes_what_it_leaves),
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(take_gives_away),
    };
    return check_run("base/buf", t);
}
