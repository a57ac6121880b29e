/* What the arithmetic of this machine can do: multiply-adds on registers alone, enough chains of
 * them that none waits for another. Counted as two operations each, as the peers count. Which
 * instructions are used follows the CPU, not --cpu: a limit is a property of the machine. */
#include "bench.h"

#include "base/clock.h"
#include "base/threads.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

enum { ROUNDS = 2000000, CHAINS = 16 };

struct spin {
    double (*fn)(void); /* operations of one call, in thousand millions */
    double ops[64];
};

static void spin_part(void *ud, int part)
{
    struct spin *s = ud;
    s->ops[part] = s->fn();
}

/* Thousand millions of operations a second that all threads do together; the best of half a second,
 * since neighbours on the machine take a core now and then. */
static double rate(double (*fn)(void), int threads)
{
    struct spin s = { .fn = fn };
    double best = 0;
    double end = clock_mono() + 0.5;
    for (int k = 0; k < 5 || clock_mono() < end; k++) {
        double from = clock_mono(), ops = 0;
        threads_run(threads, spin_part, &s);
        double took = clock_mono() - from;
        for (int i = 0; i < threads; i++) ops += s.ops[i];
        best = fmax(best, ops / took);
    }
    return best;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* The barrier keeps the compiler from seeing through the loop; it costs no instruction. */
#define CHAIN(x) __asm__ volatile("" : "+v"(x))

__attribute__((target("avx512f,avx512vnni"))) static double vnni_512(void)
{
    __m512i a[CHAINS], x = _mm512_set1_epi8(3);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) a[i] = _mm512_setzero_si512();
    for (int k = 0; k < ROUNDS; k++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) {
            a[i] = _mm512_dpbusd_epi32(a[i], x, x);
            CHAIN(a[i]);
        }
    }
    return (double)ROUNDS * CHAINS * 128 / 1e9;
}

__attribute__((target("avx512f"))) static double fma_512(void)
{
    __m512 a[CHAINS], x = _mm512_set1_ps(0.5f);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) a[i] = x;
    for (int k = 0; k < ROUNDS; k++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) {
            a[i] = _mm512_fmadd_ps(a[i], x, x);
            CHAIN(a[i]);
        }
    }
    return (double)ROUNDS * CHAINS * 32 / 1e9;
}

/* Without VNNI: bytes to pairs, pairs to fours, add. */
__attribute__((target("avx2"))) static double bytes_256(void)
{
    __m256i a[8], x = _mm256_set1_epi8(3), one = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) a[i] = _mm256_setzero_si256();
    for (int k = 0; k < ROUNDS; k++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            __m256i p = _mm256_maddubs_epi16(x, x);
            CHAIN(p);
            a[i] = _mm256_add_epi32(a[i], _mm256_madd_epi16(p, one));
            CHAIN(a[i]);
        }
    }
    return (double)ROUNDS * 8 * 64 / 1e9;
}

__attribute__((target("avx2,fma"))) static double fma_256(void)
{
    __m256 a[10], x = _mm256_set1_ps(0.5f);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) a[i] = x;
    for (int k = 0; k < ROUNDS; k++) {
#pragma GCC unroll 10
        for (int i = 0; i < 10; i++) {
            a[i] = _mm256_fmadd_ps(a[i], x, x);
            CHAIN(a[i]);
        }
    }
    return (double)ROUNDS * 10 * 16 / 1e9;
}

double bench_int8_rate(int threads)
{
    if (__builtin_cpu_supports("avx512vnni")) return rate(vnni_512, threads);
    return __builtin_cpu_supports("avx2") ? rate(bytes_256, threads) : BENCH_NONE;
}

double bench_fp32_rate(int threads)
{
    if (__builtin_cpu_supports("avx512f")) return rate(fma_512, threads);
    return __builtin_cpu_supports("fma") ? rate(fma_256, threads) : BENCH_NONE;
}
#else
double bench_int8_rate(int threads) { return BENCH_NONE; }
double bench_fp32_rate(int threads) { return BENCH_NONE; }
#endif

int bench_limits(struct bench *b, struct err *err)
{
    for (int t = 1; t <= b->threads; t += t < b->threads ? b->threads - 1 : 1) {
        char name[64];
        snprintf(name, sizeof name, "peak_int8_%dt", t);
        bench_report(b, name, bench_int8_rate(t), "GOPS", BENCH_NONE, BENCH_NONE, "%s", "");
        snprintf(name, sizeof name, "peak_fp32_%dt", t);
        bench_report(b, name, bench_fp32_rate(t), "GFLOP", BENCH_NONE, BENCH_NONE, "%s", "");
        snprintf(name, sizeof name, "read_dram_%dt", t);
        bench_report(b, name, bench_read_rate((size_t)512 << 20, t) / 1e9, "GB/s", BENCH_NONE,
                     BENCH_NONE, "%s", "");
        snprintf(name, sizeof name, "read_l3_%dt", t);
        bench_report(b, name, bench_read_rate((size_t)12 << 20, t) / 1e9, "GB/s", BENCH_NONE,
                     BENCH_NONE, "12 MiB");
    }
    return 0;
}
