/* Models of real shapes with random weights, for benches: the time of a forward pass depends on the
 * shapes and the types, not on what the weights say.
 *
 *     make_model("llama-1b", "q4_k_m", "/tmp/llama1b.gguf", err);
 *
 * Shapes: llama-1b, smollm-135m, minilm, bge-small (make_model_shapes). Types: those of
 * model/quantize.h. Equal arguments give equal bytes. The vocabulary is made up but whole: a
 * tokenizer can be opened on it and splits text as finely as a real one. */
#ifndef LK_BENCH_MAKE_MODEL_H
#define LK_BENCH_MAKE_MODEL_H

#include "base/err.h"

extern const char *const make_model_shapes[]; /* NULL-terminated */
int make_model(const char *shape, const char *type, const char *path, struct err *err);

#endif
