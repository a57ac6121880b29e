/* The loops of nn_impl.h, compiled for generic; the formulas are in nn_loops.h and vec.h. */
#include <math.h>

#define NN_TABLE nn_loops_generic
#include "kernels/nn_loops.h"
