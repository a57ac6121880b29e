/* The parts of an import: what the folder says of the model (hf_config.c), its vocabulary
 * (hf_vocab.c, hf_vocab_json.c, hf_spm.c), its tensors (hf_tensors.c). Each can be read without the
 * others, which is how they are fuzzed. */
#ifndef LK_MODEL_HF_IMPL_H
#define LK_MODEL_HF_IMPL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/progress.h"
#include "model/gguf.h"
#include "model/hf_import.h"
#include "model/quantize.h"
#include "model/safetensors.h"

#include <jansson.h>
#include <stdbool.h>

/* ---- configuration ---- */

enum hf_form { HF_DECODER, HF_BERT, HF_NOMIC };

struct hf_family {
    const char *model_type; /* of config.json */
    const char *arch;       /* of GGUF */
    enum hf_form form;
    bool rotate_pairs;  /* q and k rows are put in pairs (2i, 2i + 1) */
    bool norm_plus_one; /* norms are stored as their difference from 1 */
    bool four_norms;    /* post-norms have tensors of their own, so the pre-norm of the
                           * feed-forward is named otherwise */
    const char *pre;    /* pre-tokeniser of folders that have no tokenizer.json */
};

struct hf_config {
    const struct hf_family *family;
    char name[96]; /* "_name_or_path", its last part; "" if none */
    int layers, dim, heads, heads_kv, head_dim, ff, vocab, context;
    int position_offset; /* rows of the position table before position 0 */
    int token_types;     /* of encoders: rows of token_types */
    double eps, rope_base, rope_base_local;
    bool tied;
    int window, window_every; /* 0: none */
    double softcap_attn, softcap_logits, query_scalar;
    const char *rope_type; /* "", "linear", "yarn", "llama3" */
    double rope_factor, low_freq, high_freq;
    int rope_context;
    int pooling;  /* 0: none said */
    int bos, eos; /* -1: none said */
};

/* The JSON object in one file, ERR_PARSE with file and line. max: bytes. flags: of jansson, besides
 * JSON_REJECT_DUPLICATES. */
int hf_read_json(const char *folder, const char *name, size_t max, size_t flags, json_t **out,
                 struct err *err);
bool hf_has_file(const char *folder, const char *name);
/* root: config.json. */
int hf_config_read(const json_t *root, const char *what, struct hf_config *c, struct err *err);
void hf_config_put(const struct hf_config *c, struct gguf_writer *w);

/* ---- vocabulary ---- */

struct hf_vocab {
    struct arena *a;   /* owns the strings */
    const char *model; /* tokenizer.ggml.model */
    const char *pre;
    struct span *tokens; /* [n] */
    float *scores;       /* [n] */
    int32_t *types;      /* [n] as tokenizer.ggml.token_type */
    size_t n, cap;
    struct span *merges;
    size_t n_merges;
    struct span charsmap;
    int bos, eos, unk, pad, cls, sep, mask;             /* -1: none */
    int add_bos, add_eos, space_prefix, squeeze, lower; /* -1: not said */
    const char *chat_template;
};
enum { HF_NORMAL = 1, HF_UNKNOWN, HF_CONTROL, HF_USER, HF_UNUSED, HF_BYTE };

int hf_vocab_init(struct hf_vocab *v, struct err *err);
void hf_vocab_clear(struct hf_vocab *v);
int hf_vocab_size(struct hf_vocab *v, size_t n,
                  struct err *err); /* room for n tokens, all unused */
int hf_vocab_set(struct hf_vocab *v, size_t id, const char *s, size_t len, int32_t type);
int hf_vocab_find(const struct hf_vocab *v, const char *s); /* -1: absent; linear */
/* A token of WordPiece as GGUF has it: words marked, "##" gone. */
int hf_wordpiece_set(struct hf_vocab *v, size_t id, const char *s, size_t len);
/* A JSON object token -> id. */
int hf_vocab_object(struct hf_vocab *v, json_t *object, const char *what, struct err *err);
/* Give holes names that no text has. */
int hf_vocab_fill(struct hf_vocab *v, struct err *err);
/* From tokenizer.json. */
int hf_vocab_json(struct hf_vocab *v, const json_t *root, const char *what, struct err *err);
/* From a SentencePiece model. */
int hf_vocab_spm(struct hf_vocab *v, const void *p, size_t n, const char *what, struct err *err);
/* From a whole folder, with tokenizer_config.json. */
int hf_vocab_folder(struct hf_vocab *v, const char *folder, const struct hf_family *family,
                    const char *pre, struct err *err);
void hf_vocab_put(const struct hf_vocab *v, struct gguf_writer *w);

/* ---- tensors ---- */

/* The type of a mix or of the source, declared and written; s is the open weights. */
int hf_tensors(struct gguf_writer *w, const struct hf_config *c, const struct safetensors *s,
               const struct quantize_mix *mix, const char *what, const struct progress *progress,
               struct err *err);
/* As general.file_type: what most weights are. */
uint32_t hf_file_type(const struct safetensors *s, const struct quantize_mix *mix);

int llama2c_import(const char *path, const char *out_gguf, const struct import_opts *o,
                   const struct progress *progress, struct err *err);
bool llama2c_is(const char *path);

#endif
