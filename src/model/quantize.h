/* Smaller weights: a GGUF file from a GGUF file.
 *
 *     model_quantize("llama-f16.gguf", "llama-q4_k_m.gguf", "q4_k_m", &progress, err);
 *
 * What it can be: f32, f16, bf16, q8_0, q4_0, q6_k, and the mixes q4_k_m and q5_k_m, which give
 * more bits to the tensors that need them; docs/MODELS.md has the rules. */
#ifndef LK_MODEL_QUANTIZE_H
#define LK_MODEL_QUANTIZE_H

#include "base/err.h"
#include "base/progress.h"
#include "kernels/quant.h"
#include "model/gguf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quantize_mix {
    const char *name; /* "q4_k_m" */
    enum quant base;
    bool more;          /* some tensors get Q6_K */
    uint32_t file_type; /* general.file_type */
    const char *help;
};
extern const struct quantize_mix quantize_mixes[];         /* the last has no name */
const struct quantize_mix *quantize_mix(const char *name); /* case ignored; NULL: unknown */

/* The type that a tensor gets. name: of the convention ("blk.3.ffn_down.weight"); layers: of the
 * model; tied: there is no output.weight, the embeddings serve for it. */
enum quant quantize_type(const struct quantize_mix *m, const char *name, int n_dims, uint64_t cols,
                         int layers, bool tied, enum quant now);

/* Uses the threads of base/threads.h. ERR_INVAL when `what` is unknown or the file is quantised
 * already, ERR_CANCEL from progress (stage "quantize", bytes read); then no file is left. */
int model_quantize(const char *in_gguf, const char *out_gguf, const char *what,
                   const struct progress *progress, struct err *err);

/* Rows of floats of one type as rows of another, by all threads. rows of cols numbers; cols fits
 * both types. */
int quantize_rows(enum quant from, const void *in, enum quant to, void *out, size_t rows,
                  size_t cols, struct err *err);

#endif
