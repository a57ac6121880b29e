/* Models of other formats as GGUF: Hugging Face folders and llama2.c files.
 *
 *     struct import_opts o = { .type = "q8_0" };
 *     model_import("SmolLM2-135M-Instruct", "smollm2.gguf", &o, &progress, err);
 *
 * A folder holds config.json, model.safetensors (or its parts and their index), and tokenizer.json,
 * or vocab.txt, vocab.json with merges.txt, or tokenizer.model. Families: llama (Mistral,
 * SmolLM2), qwen2, qwen3, gemma2, gemma3, bert, xlm-roberta, nomic_bert. docs/MODELS.md has the
 * rules of each. The tokenizer alone can be imported too. */
#ifndef LK_MODEL_HF_IMPORT_H
#define LK_MODEL_HF_IMPORT_H

#include "base/err.h"
#include "base/progress.h"

#include <stdbool.h>

struct import_opts {
    const char *type;      /* of model/quantize.h; NULL: as it is in the folder */
    const char *name;      /* general.name; NULL: the folder's */
    const char *tokenizer; /* of a llama2.c file; NULL: tokenizer.bin or tok*.bin beside it */
    const char *pre;       /* tokenizer.ggml.pre, where the folder does not tell it */
    bool vocab_only;       /* no weights; config.json may be missing */
};

/* path: a folder with config.json, or a llama2.c .bin. o may be NULL. ERR_PARSE names file and
 * field; on any failure out_gguf is not made. progress: stage "import", bytes. */
int model_import(const char *path, const char *out_gguf, const struct import_opts *o,
                 const struct progress *progress, struct err *err);
/* Can model_import make something of it? A look at names and first bytes. */
bool model_importable(const char *path);

#endif
