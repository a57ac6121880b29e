/* The loops of nn_impl.h, compiled for avx512; the formulas are in nn_loops.h and vec.h. */
#include <math.h>

#define NN_TABLE nn_loops_avx512
#include "kernels/nn_loops.h"
