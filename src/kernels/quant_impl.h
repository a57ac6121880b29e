/* Shared by quant.c, quant_encode.c and the products that read K blocks. */
#ifndef LK_KERNELS_QUANT_IMPL_H
#define LK_KERNELS_QUANT_IMPL_H

#include <stdint.h>

/* The 12 bytes of Q4_K and Q5_K hold eight 6-bit scales and eight 6-bit minima. */
void quant_k_scales(const uint8_t s[12], uint8_t scale[8], uint8_t min[8]);

#endif
