/* Numbers for made data, the same in every run (SplitMix64, Steele et al., 2014). */
#include "bench.h"

static uint64_t state;

void bench_seed(uint64_t seed) { state = seed; }

uint64_t bench_random(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Near enough to a normal distribution: four 16-bit numbers added. */
float bench_gauss(void)
{
    uint64_t z = bench_random();
    int s = (int)(z & 0xffff) + (int)(z >> 16 & 0xffff) + (int)(z >> 32 & 0xffff) + (int)(z >> 48);
    return (float)(s - 131070) * (1.0f / 37837);
}
