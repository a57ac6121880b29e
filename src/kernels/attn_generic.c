/* The loops of attn_impl.h, compiled for generic: eight sums at a time. */
#include <math.h>

#define ATTN_TABLE attn_loops_generic
#define TILE_M     2
#define WIDE(m)    4
#include "kernels/attn_loops.h"
