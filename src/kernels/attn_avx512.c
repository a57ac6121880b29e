/* The loops of attn_impl.h, compiled for avx512: 24 of 32 registers hold sums. */
#include <math.h>

#define ATTN_TABLE attn_loops_avx512
#define TILE_M     6
#define TILE_N     4
#include "kernels/attn_loops.h"
