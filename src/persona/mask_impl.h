/* What mask.c and mask_find.c share; nobody else includes it. */
#ifndef LK_PERSONA_MASK_IMPL_H
#define LK_PERSONA_MASK_IMPL_H

#include <stddef.h>

/* Each: what begins at i (a word or mark begins there) is one; where it ends, or i. */
size_t mask_mail_at(const char *s, size_t n, size_t i);
size_t mask_phone_at(const char *s, size_t n, size_t i);
/* Seven digits and more, whatever they are: somebody's number may be written in any way. */
size_t mask_number_at(const char *s, size_t n, size_t i);
size_t mask_address_at(const char *s, size_t n, size_t i);

#endif
