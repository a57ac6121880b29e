/* Which arithmetic this machine gets. A variant is the generic table with better entries laid over
 * it, set upon set, so an instruction set need only hold what it is better at. The global table
 * starts as generic, which makes a program correct before (and without) kernels_init. */
#include "kernels/kernels.h"
#include "kernels/attn_impl.h"
#include "kernels/mat_impl.h"
#include "kernels/near.h"
#include "kernels/nn_impl.h"
#include "kernels/variants.h"

#include <stdbool.h>
#include <string.h>

#define GENERIC                                                                                    \
    {                                                                                              \
        .name = "generic", .dot_f32 = generic_dot_f32, .axpy_f32 = generic_axpy_f32,               \
        .scan_i8 = generic_scan_i8, .quant_i8 = generic_quant_i8, .pass_i8 = generic_pass_i8,      \
        .sum_q8_0 = generic_sum_q8_0,                                                              \
    }

struct kernels kernels = GENERIC;

static bool has_generic(void) { return true; }

#ifdef __x86_64__
static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}
#endif

/* Each lies over the ones before it. */
static const struct variant {
    const char *name;
    bool (*has)(void);
    void (*fill)(struct kernels *k); /* NULL: the generic table itself */
} variants[] = {
    { "generic", has_generic, NULL },
#ifdef __x86_64__
    { "avx2", has_avx2, kernels_fill_avx2 },
    { "avx512", has_avx512, kernels_fill_avx512 },
#endif
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

const char *const *kernels_available(void)
{
    static const char *names[N_VARIANTS + 1];
    size_t n = 0;
    for (size_t i = 0; i < N_VARIANTS; i++)
        if (variants[i].has()) names[n++] = variants[i].name;
    return names;
}

int kernels_get(const char *name, struct kernels *k, struct err *err)
{
    struct kernels made = GENERIC;
    for (size_t i = 0; i < N_VARIANTS; i++) {
        if (!variants[i].has()) {
            if (!strcmp(name, variants[i].name))
                return err_set(err, ERR_INVAL, "this processor has no %s", name);
            continue;
        }
        if (variants[i].fill) variants[i].fill(&made);
        if (!strcmp(name, variants[i].name)) {
            *k = made;
            return 0;
        }
    }
    return err_set(err, ERR_INVAL,
                   "no arithmetic is called \"%s\"; there are generic, avx2, avx512", name);
}

int kernels_init(const char *cpu, struct err *err)
{
    if (!cpu) {
        const char *const *best = kernels_available();
        while (best[1]) best++;
        cpu = *best;
    }
    int rc = kernels_get(cpu, &kernels, err);
    if (rc) return rc;
    mat_choose(cpu);
    nn_choose(cpu);
    attn_choose(cpu);
    near_choose(cpu);
    return 0;
}
