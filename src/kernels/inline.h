/* INLINE: a part of a loop that is compiled once for each shape it is called with.
 *
 * It is always inlined, so that shapes are constants and sums stay in registers. Under sanitizers
 * it never is: each copy would carry its own checks, and compiling them takes minutes instead of
 * seconds. The numbers are the same. */
#ifndef LK_KERNELS_INLINE_H
#define LK_KERNELS_INLINE_H

#ifdef LK_SANITIZED
#define INLINE static __attribute__((noinline, unused))
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#endif
