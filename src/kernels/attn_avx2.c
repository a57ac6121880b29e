/* The loops of attn_impl.h, compiled for avx2: 12 of 16 registers hold sums. */
#include <math.h>

#define ATTN_TABLE attn_loops_avx2
#define TILE_M     6
#define WIDE(m)    ((m) <= 3 ? 4 : 2)
#include "kernels/attn_loops.h"
