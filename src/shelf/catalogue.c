/* Models that suit a persona on a small machine. They are made and published by others, under the
 * licences named here; nothing of them comes with this program. memory_mb is file plus an f16 cache
 * of 8,192 tokens, a tenth more, and 60; for encoders, which are imported as q8_0, without the
 * cache. */
#include "shelf/shelf.h"

#include <string.h>
#include <strings.h>

#define LLAMA_32 "Llama 3.2 Community"
#define LLAMA_31 "Llama 3.1 Community"
#define GEMMA    "Gemma Terms of Use"

const struct shelf_entry shelf_catalogue[] = {
    { "smollm2-135m", false, "bartowski/SmolLM2-135M-Instruct-GGUF",
      "SmolLM2-135M-Instruct-Q8_0.gguf", 145, 427, "Apache-2.0",
      "the smallest that holds a conversation; any machine" },
    { "smollm2-360m", false, "bartowski/SmolLM2-360M-Instruct-GGUF",
      "SmolLM2-360M-Instruct-Q8_0.gguf", 386, 853, "Apache-2.0", "small and quick" },
    { "smollm2-1.7b", false, "bartowski/SmolLM2-1.7B-Instruct-GGUF",
      "SmolLM2-1.7B-Instruct-Q4_K_M.gguf", 1056, 2993, "Apache-2.0",
      "fluent; its cache takes much memory" },
    { "llama-3.2-1b", false, "bartowski/Llama-3.2-1B-Instruct-GGUF",
      "Llama-3.2-1B-Instruct-Q4_K_M.gguf", 808, 1244, LLAMA_32, "a good beginning on a laptop" },
    { "llama-3.2-3b", false, "bartowski/Llama-3.2-3B-Instruct-GGUF",
      "Llama-3.2-3B-Instruct-Q4_K_M.gguf", 2019, 3315, LLAMA_32, "the best answers within 4 GB" },
    { "llama-3.1-8b", false, "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
      "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", 4921, 6655, LLAMA_31,
      "the best of these; wants 8 GB and patience" },
    { "qwen2.5-0.5b", false, "Qwen/Qwen2.5-0.5B-Instruct-GGUF", "qwen2.5-0.5b-instruct-q8_0.gguf",
      676, 915, "Apache-2.0", "many languages, small" },
    { "qwen2.5-1.5b", false, "Qwen/Qwen2.5-1.5B-Instruct-GGUF", "qwen2.5-1.5b-instruct-q4_k_m.gguf",
      1117, 1547, "Apache-2.0", "many languages" },
    { "qwen3-0.6b", false, "Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf", 639, 1797, "Apache-2.0",
      "many languages; thinks aloud unless told not to" },
    { "qwen3-1.7b", false, "Qwen/Qwen3-1.7B-GGUF", "Qwen3-1.7B-Q8_0.gguf", 1834, 3111, "Apache-2.0",
      "many languages; thinks aloud unless told not to" },
    { "gemma-2-2b", false, "bartowski/gemma-2-2b-it-GGUF", "gemma-2-2b-it-Q4_K_M.gguf", 1709, 2697,
      GEMMA, "careful prose" },
    { "gemma-3-1b", false, "ggml-org/gemma-3-1b-it-GGUF", "gemma-3-1b-it-Q4_K_M.gguf", 806, 1012,
      GEMMA, "careful prose, many languages" },
    { "gemma-3-4b", false, "ggml-org/gemma-3-4b-it-GGUF", "gemma-3-4b-it-Q4_K_M.gguf", 2490, 3201,
      GEMMA, "careful prose, many languages" },
    { "all-minilm-l6-v2", true, "sentence-transformers/all-MiniLM-L6-v2", NULL, 91, 90,
      "Apache-2.0", "the teacher of the built-in embedder; English" },
    { "bge-small-en-v1.5", true, "BAAI/bge-small-en-v1.5", NULL, 134, 100, "MIT",
      "better retrieval; English" },
    { "bge-base-en-v1.5", true, "BAAI/bge-base-en-v1.5", NULL, 438, 190, "MIT",
      "better still, three times slower; English" },
    { "bge-large-en-v1.5", true, "BAAI/bge-large-en-v1.5", NULL, 1340, 450, "MIT",
      "slow; English" },
    { "bge-m3", true, "BAAI/bge-m3", NULL, 2271, 725, "MIT", "a hundred languages; slow" },
    { "multilingual-e5-small", true, "intfloat/multilingual-e5-small", NULL, 471, 200, "MIT",
      "a hundred languages" },
    { "gte-small", true, "thenlper/gte-small", NULL, 67, 100, "MIT", "English" },
    { "nomic-embed-text-v1.5", true, "nomic-ai/nomic-embed-text-v1.5", NULL, 547, 220, "Apache-2.0",
      "long passages; English" },
    { NULL, false, NULL, NULL, 0, 0, NULL, NULL },
};

const struct shelf_entry *shelf_entry_by_name(const char *name)
{
    for (const struct shelf_entry *e = shelf_catalogue; e->name; e++)
        if (!strcasecmp(e->name, name)) return e;
    return NULL;
}
