/* The map against arithmetic: many keys, hostile keys, growth, iteration. */
#include "base/map.h"
#include "check.h"

static uint64_t key_of(uint64_t i) { return i * 0x2545F4914F6CDD1Du ^ i << 40; }

static void hundred_thousand_keys(void **state)
{
    enum { N = 100000 };
    struct map m = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        uint64_t *v = map_slot(&m, key_of(i));
        assert_non_null(v);
        check_int(*v, 0);
        *v = i + 1;
    }
    check_int(m.n, N);
    check_int(m.cap & (m.cap - 1), 0);
    assert_true(m.n * 3 <= m.cap * 2 + 3);
    for (uint64_t i = 0; i < N; i++) {
        const uint64_t *v = map_get(&m, key_of(i));
        assert_non_null(v);
        check_int(*v, i + 1);
    }
    for (uint64_t i = N; i < 2 * N; i++) assert_null(map_get(&m, key_of(i)));
    uint64_t sum = 0, seen = 0;
    for (size_t i = 0; (i = map_iter(&m, i)); seen++) sum += m.e[i - 1].value;
    check_int(seen, N);
    check_int(sum, (uint64_t)N * (N + 1) / 2);
    map_free(&m);
    map_free(&m);
    check_int(m.n, 0);
}

static void small_and_odd_keys(void **state)
{
    struct map m = { 0 };
    assert_null(map_get(&m, 0));
    check_int(map_iter(&m, 0), 0);
    for (uint64_t k = 0; k < 1000; k++) *map_slot(&m, k) = k;        /* 0 is a key like any */
    for (uint64_t k = 0; k < 1000; k++) *map_slot(&m, k << 54) += 1; /* equal low bits */
    *map_slot(&m, UINT64_MAX) = 5;
    for (uint64_t k = 1; k < 1000; k++) check_int(*map_get(&m, k), k);
    check_int(*map_get(&m, 0), 1);
    check_int(*map_get(&m, UINT64_MAX), 5);
    check_int(*map_slot(&m, 17), 17);
    map_free(&m);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(hundred_thousand_keys),
                                    cmocka_unit_test(small_and_odd_keys) };
    return check_run("base/map", t);
}
