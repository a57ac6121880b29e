/* One vector of floats, under the same names for every instruction set, so that a formula is
 * written once (nn_loops.h, attn_loops.h, matf_loops.h) and compiled by each instruction-set file
 * with its own flags. VN lanes: 16 with AVX-512, 8 with AVX2, 1 in plain C.
 *
 * vf_loadn and vf_storen touch only the first n lanes' memory (0 < n <= VN; the others are 0), so
 * ends are computed by the same instructions as the middle and nothing is read past them. */
#ifndef LK_KERNELS_VEC_H
#define LK_KERNELS_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include "kernels/vec_avx512.h"
#elif defined(__AVX2__)
#include "kernels/vec_avx2.h"
#else
#include "kernels/vec_plain.h"
#endif

/* Adding this to |x| < 2^22 rounds x to the nearest integer, kept in the low bits of the sum. */
#define VEC_ROUND 12582912.0f

/* e^x within 1.5 units in the last place; 0 below -87.3, infinity above 88.73; NaN stays.
 * x = n ln 2 + r, |r| <= ln 2 / 2, and e^r by a polynomial fitted for least relative error. */
static inline vf vf_exp(vf x)
{
    vf low = vf_set1(-87.33f);
    vf c = vf_max(low, vf_min(vf_set1(88.8f), x));
    vf t = vf_fma(c, vf_set1(1.44269504f), vf_set1(VEC_ROUND));
    vf n = vf_sub(t, vf_set1(VEC_ROUND));
    vf r = vf_fma(n, vf_set1(-0.693359375f), c);
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    vf p = vf_set1(1.381422819e-03f);
    p = vf_fma(p, r, vf_set1(8.368900399e-03f));
    p = vf_fma(p, r, vf_set1(4.166840576e-02f));
    p = vf_fma(p, r, vf_set1(1.666651912e-01f));
    p = vf_fma(p, r, vf_set1(4.999999335e-01f));
    p = vf_add(vf_fma(vf_mul(r, r), p, r), vf_set1(1));
    return vf_if_less(x, low, vf_set1(0), vf_pow2(p, t));
}

/* Within 2.5 units in the last place. Near 0 an odd polynomial, else from e^2|x|. */
static inline vf vf_tanh(vf x)
{
    vf a = vf_abs(x), s = vf_mul(x, x);
    vf p = vf_set1(-5.717011497e-03f);
    p = vf_fma(p, s, vf_set1(2.065055877e-02f));
    p = vf_fma(p, s, vf_set1(-5.374348985e-02f));
    p = vf_fma(p, s, vf_set1(1.333149120e-01f));
    p = vf_fma(p, s, vf_set1(-3.333328392e-01f));
    p = vf_fma(vf_mul(s, x), p, x);
    vf e = vf_add(vf_exp(vf_add(a, a)), vf_set1(1));
    vf big = vf_sub(vf_set1(1), vf_div(vf_set1(2), e));
    return vf_if_less(a, vf_set1(0.625f), p, vf_copysign(big, x));
}

static inline vf vf_silu(vf x)
{
    return vf_div(x, vf_add(vf_set1(1), vf_exp(vf_sub(vf_set1(0), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), which is x times a logistic. */
static inline vf vf_gelu_tanh(vf x)
{
    vf s = vf_mul(x, x);
    vf t = vf_fma(s, vf_set1(-0.0713548162726f), vf_set1(-1.59576912161f));
    return vf_div(x, vf_add(vf_set1(1), vf_exp(vf_mul(x, t))));
}

/* 0.5 x (1 + erf(x / sqrt 2)) within 5e-7: max(x, 0) - |x| g(|x|), where g = erfc(x / sqrt 2) / 2
 * is a polynomial in |x| / 2.75 - 1, fitted on [0, 5.5] for least error of |x| g. */
static inline vf vf_gelu_erf(vf x)
{
    static const float c[] = { 5.327528107e-03f,  3.013072838e-02f,  -4.350773974e-02f,
                               -4.907468966e-02f, 1.332052055e-01f,  -3.492547769e-02f,
                               -1.630587215e-01f, 2.184349267e-01f,  -5.139725765e-02f,
                               -1.771654156e-01f, 2.718897517e-01f,  -2.068080505e-01f,
                               9.455793458e-02f,  -2.500806284e-02f, 2.979774168e-03f };
    vf a = vf_min(vf_set1(5.5f), vf_abs(x));
    vf u = vf_fma(a, vf_set1(0.363636364f), vf_set1(-1)), g = vf_set1(-5.580437163e-03f);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) g = vf_fma(g, u, vf_set1(c[i]));
    return vf_sub(vf_max(vf_set1(0), x), vf_mul(a, g));
}

#endif
