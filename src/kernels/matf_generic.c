/* Products with float weights, compiled for generic: eight sums at a time. */
#define MATF_FILL matf_fill_generic
#define TILE_M    2
#define TILE_N    4
#define WIDE(m)   4
#include "kernels/matf_loops.h"
