/* Every variant of the scattered products gives the same integers as the plain one: all lengths,
 * odd counts, the largest values. */
#include "check.h"

#include "kernels/kernels.h"
#include "kernels/near.h"

#include <stdbool.h>

enum { ROWS = 50, MOST = 8192 };

static uint64_t seed = 88172645463325252u;

static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static void same_integers(near_fn *fn, size_t stride, bool extreme)
{
    uint8_t *rows = malloc(ROWS * stride + 1), *q = malloc(stride + 1);
    uint32_t at[ROWS];
    int32_t want[ROWS], got[ROWS + 1];
    for (size_t i = 0; i < ROWS * stride + 1; i++)
        rows[i] = extreme ? (rnd() & 1 ? 255 : 1) : (uint8_t)(rnd() % 255 + 1);
    for (size_t i = 0; i < stride + 1; i++)
        q[i] = extreme ? (rnd() & 3 ? 255 : 1) : (uint8_t)(rnd() % 255 + 1);
    if (extreme) memset(rows, 255, stride), memset(q, 255, stride);
    for (size_t n = 0; n <= ROWS; n++) {
        for (size_t i = 0; i < n; i++) at[i] = i ? rnd() % ROWS : 0;
        got[n] = 12345;
        near_dots_generic(rows + n % 2, stride, at, n, q + n % 2, want);
        fn(rows + n % 2, stride, at, n, q + n % 2, got);
        for (size_t i = 0; i < n; i++) check_int(got[i], want[i]);
        check_int(got[n], 12345);
    }
    free(rows);
    free(q);
}

static void try(near_fn *fn)
{
    for (size_t stride = 64; stride <= 1024; stride += 64) same_integers(fn, stride, false);
    same_integers(fn, 384, true);
    same_integers(fn, MOST, true);
}

static void every_variant(void **state)
{
    for (const char *const *n = kernels_available(); *n; n++) {
#ifdef __x86_64__
        if (!strcmp(*n, "avx2")) try(near_dots_avx2);
        if (!strcmp(*n, "avx512")) try(near_dots_avx512);
#endif
        near_choose(*n);
        try(near_dots);
    }
    near_choose("nonsense");
    try(near_dots);
    int32_t one;
    near_dots((const uint8_t[64]){ 130 }, 64, (uint32_t[]){ 0 }, 1, (const uint8_t[64]){ 127 },
              &one);
    check_int(one, 2 * -1 + 63 * 128 * 128);
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(every_variant) };
    return check_run("kernels/near", t);
}
