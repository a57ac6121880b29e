/* Products with float weights, compiled for avx512: 28 of 32 registers hold sums. */
#define MATF_FILL matf_fill_avx512
#define TILE_M    14
#define TILE_N    2
#define WIDE(m)   ((m) <= 6 ? 4 : 2)
#include "kernels/matf_loops.h"
