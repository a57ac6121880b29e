/* What this machine can do: how fast memory of a given size can be read, and by how many threads.
 * The reader does the least that still makes the processor fetch every byte (an xor into
 * registers), with and without prefetching, and the better counts. Each thread reads its share
 * again and again inside one call, so that waking it does not count. The buffer is allocated as
 * the index allocates its own, on huge pages where the system gives them. */
#include "bench.h"

#include "base/clock.h"
#include "base/threads.h"
#include "index/grow.h"
#include "kernels/kernels.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t vec __attribute__((vector_size(32), aligned(1), may_alias));
enum { STEP = 8 * sizeof(vec), AHEAD = 2048 };

struct reading {
    const char *p;
    size_t share; /* bytes a thread, a multiple of STEP */
    int times;
    bool ahead;
};
static atomic_ulong sink; /* so that no reader is optimised away */

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif

WIDE static void read_share(void *ud, int part)
{
    const struct reading *r = ud;
    const char *from = r->p + (size_t)part * r->share, *to = from + r->share;
    vec a = { 0 }, b = a, c = a, d = a;
    for (int t = 0; t < r->times; t++)
        for (const char *p = from; p < to; p += STEP) {
            const vec *v = (const vec *)p;
            for (int i = 0; r->ahead && i < (int)STEP; i += 64) __builtin_prefetch(p + AHEAD + i);
            a ^= v[0] ^ v[4];
            b ^= v[1] ^ v[5];
            c ^= v[2] ^ v[6];
            d ^= v[3] ^ v[7];
        }
    a ^= b ^ c ^ d;
    atomic_fetch_xor(&sink, a[0] ^ a[1] ^ a[2] ^ a[3]);
}

double bench_median(double *v, int n)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j && v[j] < v[j - 1]; j--) {
            double t = v[j];
            v[j] = v[j - 1];
            v[j - 1] = t;
        }
    return v[n / 2];
}

double bench_read_rate(size_t bytes, int threads)
{
    enum { TIMES = 7 };
    struct grow g = { 0 };
    size_t share = (bytes / (size_t)threads + STEP - 1) / STEP * STEP;
    size_t all = share * (size_t)threads;
    if (grow_to(&g, all, NULL)) return 0;
    memset(g.p, 1, all);
    struct reading r = { .p = g.p, .share = share, .times = (int)(((size_t)1 << 27) / all) + 1 };
    double rates[2][TIMES];
    for (int i = 0; i < 2 * TIMES; i++) {
        r.ahead = i & 1;
        double from = clock_mono();
        threads_run(threads, read_share, &r);
        rates[i & 1][i / 2] = (double)all * r.times / (clock_mono() - from);
    }
    grow_free(&g);
    return fmax(bench_median(rates[0], TIMES), bench_median(rates[1], TIMES));
}

size_t bench_memory_free(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    size_t kb = 0;
    char line[128];
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %zu", &kb) == 1) break;
    if (f) fclose(f);
    return kb * 1024;
}

int bench_machine(struct bench *b, struct err *err)
{
    static const struct {
        const char *name;
        size_t bytes;
    } sizes[] = { { "256k", 256u << 10 },
                  { "4m", 4u << 20 },
                  { "16m", 16u << 20 },
                  { "64m", 64u << 20 },
                  { "512m", 512u << 20 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int t = 1; t <= b->threads; t += t < b->threads ? b->threads - 1 : 1) {
            char name[64];
            snprintf(name, sizeof name, "read_%s_%dt", sizes[i].name, t);
            double best = 0;
            for (int j = 0; j < 3; j++) best = fmax(best, bench_read_rate(sizes[i].bytes, t));
            bench_report(b, name, best / 1e9, "GB/s", BENCH_NONE, BENCH_NONE, "%s", "");
        }
    return 0;
}
