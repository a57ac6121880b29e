/* The loops of attn_impl.h, compiled for avx512: 24 of 32 registers hold sums. */
#include <math.h>

#define ATTN_TABLE attn_loops_avx512
#define TILE_M     12
#define WIDE(m)    ((m) <= 6 ? 4 : 2)
#include "kernels/attn_loops.h"
