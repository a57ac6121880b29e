/* Which variant runs, and the plain one. What costs is waiting for memory, not arithmetic: six
 * cache lines of a row of 384 bytes arrive together if they are asked for together, so every
 * variant touches rows a few steps before it needs them. */
#include "kernels/near.h"

#include <string.h>

static near_fn *chosen = near_dots_generic;

void near_dots_generic(const uint8_t *rows, size_t stride, const uint32_t *at, size_t n,
                       const uint8_t *q, int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *r = rows + at[i] * stride;
        int32_t s = 0;
        for (size_t j = 0; j < stride; j++) s += (r[j] - 128) * (q[j] - 128);
        out[i] = s;
    }
}

void near_choose(const char *cpu)
{
    chosen = near_dots_generic;
#ifdef __x86_64__
    if (!strcmp(cpu, "avx2")) chosen = near_dots_avx2;
    if (!strcmp(cpu, "avx512")) chosen = near_dots_avx512;
#endif
}

void near_dots(const uint8_t *rows, size_t stride, const uint32_t *at, size_t n, const uint8_t *q,
               int32_t *out)
{
    chosen(rows, stride, at, n, q, out);
}
