/* Arenas: alignment, zeroes, a maximum, reset that gives back what is large. */
#include "base/arena.h"
#include "check.h"

static void blocks_are_aligned_and_zero(void **state)
{
    struct arena *a = arena_new(0);
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(a, n);
        assert_non_null(p);
        check_int((uintptr_t)p & 15, 0);
        for (size_t i = 0; i < n; i++) check_int(p[i], 0);
        memset(p, 0xAA, n);
    }
    arena_reset(a);
    unsigned char *q = arena_alloc(a, 4096);
    for (size_t i = 0; i < 4096; i++) check_int(q[i], 0);
    arena_free(a);
    arena_free(NULL);
}

static void large_things_leave_the_block_in_use(void **state)
{
    struct arena *a = arena_new(0);
    char *small = arena_alloc(a, 32);
    char *large = arena_alloc(a, 1 << 20);
    char *next = arena_alloc(a, 32);
    memset(large, 1, 1 << 20);
    check_int(next - small, 32);
    arena_reset(a);
    check_int((char *)arena_alloc(a, 32) == small, 1);
    arena_free(a);
}

static void small_blocks_hold_little(void **state)
{
    struct arena *a = arena_small(256), *b = arena_new(0);
    size_t empty = arena_bytes(a);
    assert_non_null(arena_alloc(a, 100));
    check_int(arena_bytes(a) - empty, 256);
    assert_non_null(arena_alloc(a, 100));
    check_int(arena_bytes(a) - empty, 256);
    assert_non_null(arena_alloc(a, 1000)); /* a block of its own */
    check_int(arena_bytes(a) - empty, 256 + 1008);
    assert_non_null(arena_alloc(a, 32));
    check_int(arena_bytes(a) - empty, 256 + 1008);
    arena_reset(a);
    check_int(arena_bytes(a) - empty, 256);
    assert_non_null(arena_alloc(b, 100));
    assert_true(arena_bytes(b) > arena_bytes(a));
    arena_free(a);
    arena_free(b);
}

static void maximum_holds(void **state)
{
    struct arena *a = arena_new(200000);
    assert_non_null(arena_alloc(a, 100000));
    assert_null(arena_alloc(a, 150000));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 20));
    assert_null(arena_strndup(a, "x", SIZE_MAX));
    assert_non_null(arena_alloc(a, 10));
    for (int i = 0; i < 100; i++) {
        arena_reset(a);
        assert_non_null(arena_alloc(a, 90000));
    }
    arena_free(a);
}

static void strings(void **state)
{
    struct arena *a = arena_new(0);
    check_str(arena_strdup(a, "abc"), "abc");
    assert_null(arena_strdup(a, NULL));
    check_str(arena_strndup(a, "abcdef", 3), "abc");
    check_str(arena_strndup(a, NULL, 0), "");
    check_str(arena_strndup(a, NULL, 5), "");
    check_str(arena_printf(a, "%s/%03d", "dir", 7), "dir/007");
    char *big = arena_printf(a, "%0100000d", 1);
    check_int(strlen(big), 100000);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(blocks_are_aligned_and_zero),
        cmocka_unit_test(large_things_leave_the_block_in_use),
        cmocka_unit_test(small_blocks_hold_little),
        cmocka_unit_test(maximum_holds),
        cmocka_unit_test(strings),
    };
    return check_run("base/arena", t);
}
