/* INLINE: a part of a loop that is compiled once for each shape it is called with. UNROLL_BY: the
 * inner loops of such a part.
 *
 * It is always inlined, so that shapes are constants and sums stay in registers. Under sanitizers
 * it never is: each copy would carry its own checks, and compiling them takes minutes instead of
 * seconds. The numbers are the same. */
#ifndef LK_KERNELS_INLINE_H
#define LK_KERNELS_INLINE_H

#ifdef LK_SANITIZED
#define INLINE static __attribute__((noinline, unused))
#define UNROLL_BY(n)
#else
#define LK_PRAGMA(x) _Pragma(#x)
#define UNROLL_BY(n) LK_PRAGMA(GCC unroll n)
#define INLINE       static inline __attribute__((always_inline))
#endif

#endif
