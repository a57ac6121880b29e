/* Products with float weights, compiled for avx2: 12 of 16 registers hold sums. */
#define MATF_FILL matf_fill_avx2
#define TILE_M    6
#define TILE_N    2
#define WIDE(m)   ((m) <= 3 ? 4 : 2)
#include "kernels/matf_loops.h"
