#include "media/parts.h"
enum fault pdf_text(const uint8_t *p, size_t n, struct doctext *d) { return FAULT_OTHER; }
