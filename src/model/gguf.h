/* GGUF files (v2 and v3, little-endian): key-values and tensors, mapped, not copied.
 *
 *     struct gguf *g;
 *     gguf_open("model.gguf", &g, err);
 *     uint32_t layers;
 *     gguf_u32(g, "llama.block_count", &layers, err);      ERR_PARSE names file and key
 *     const struct gguf_tensor *t = gguf_tensor(g, "blk.0.attn_q.weight");
 *     gguf_close(g);
 *
 * Everything read is checked once, by gguf_open: counts, lengths, types, overlaps, alignment, that
 * every tensor lies within the file. Strings and tensor data are borrowed until gguf_close. */
#ifndef LK_MODEL_GGUF_H
#define LK_MODEL_GGUF_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "kernels/quant.h"

#include <stdbool.h>

#define GGUF_DIMS 4

struct gguf_tensor {
    struct span name;
    enum quant type;
    int n_dims;
    uint64_t dim[GGUF_DIMS]; /* dim[0] varies fastest: columns; 1 beyond n_dims */
    uint64_t n;              /* numbers */
    const void *data;
    size_t bytes;
};

enum gguf_type { /* of values */
                 GGUF_U8,
                 GGUF_I8,
                 GGUF_U16,
                 GGUF_I16,
                 GGUF_U32,
                 GGUF_I32,
                 GGUF_F32,
                 GGUF_BOOL,
                 GGUF_STR,
                 GGUF_ARRAY,
                 GGUF_U64,
                 GGUF_I64,
                 GGUF_F64,
};

struct gguf;
int gguf_open(const char *path, struct gguf **out, struct err *err);
/* The same over bytes in memory, borrowed until gguf_close: tests, fuzzers, embedded files. */
int gguf_open_mem(const void *p, size_t n, const char *what, struct gguf **out, struct err *err);
void gguf_close(struct gguf *g); /* accepts NULL */
const char *gguf_path(const struct gguf *g);
uint64_t gguf_size(const struct gguf *g); /* bytes of the file */

/* Values. The _or forms give `def` when the key is absent or of another kind; any integer width is
 * taken where an integer is asked for, integers also where a float is. The plain forms are
 * ERR_PARSE, with file and key in the message, when it is absent or unfit. */
bool gguf_has(const struct gguf *g, const char *key);
int gguf_u32(const struct gguf *g, const char *key, uint32_t *out, struct err *err);
uint32_t gguf_u32_or(const struct gguf *g, const char *key, uint32_t def);
float gguf_f32_or(const struct gguf *g, const char *key, float def);
bool gguf_bool_or(const struct gguf *g, const char *key, bool def);
struct span gguf_str_or(const struct gguf *g, const char *key, const char *def);
/* Arrays: how many (0 if absent or not an array of that kind), and the i-th. Strings are O(1). */
size_t gguf_count(const struct gguf *g, const char *key, enum gguf_type *of);
struct gguf_array { /* found once, read often */
    enum gguf_type of;
    size_t n;
    const void *p; /* private */
};
bool gguf_array(const struct gguf *g, const char *key, struct gguf_array *out);
struct span gguf_array_str(const struct gguf_array *a, size_t i);
double gguf_array_num(const struct gguf_array *a, size_t i); /* any number or bool */

size_t gguf_tensor_count(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i);
const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name); /* NULL: absent */
/* Keys in file order, for `likeness model show`: name, type, and a short text of the value. */
size_t gguf_key_count(const struct gguf *g);
struct span gguf_key_at(const struct gguf *g, size_t i, enum gguf_type *type, struct buf *text);
/* Tell the system that the pages of [p, p + n) will not be read again soon (MADV_DONTNEED of the
 * mapping; a later read brings them back from the file). */
void gguf_done_with(const struct gguf *g, const void *p, size_t n);

/* Writing. Values first, then all tensors declared, then their data in the order declared. */
struct gguf_writer;
int gguf_create(const char *path, struct gguf_writer **out, struct err *err); /* path.part first */
void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t v);
void gguf_put_f32(struct gguf_writer *w, const char *key, float v);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool v);
void gguf_put_str(struct gguf_writer *w, const char *key, const char *s, size_t n);
/* Arrays element by element between begin and end. */
void gguf_put_strs(struct gguf_writer *w, const char *key, const struct span *s, size_t n);
void gguf_put_nums(struct gguf_writer *w, const char *key, enum gguf_type of, const void *p,
                   size_t n); /* p: array of the C type of `of` */
int gguf_copy_keys(struct gguf_writer *w, const struct gguf *g, const char *const *except);
void gguf_declare(struct gguf_writer *w, const char *name, enum quant type, int n_dims,
                  const uint64_t *dim);
int gguf_write(struct gguf_writer *w, const void *data, size_t n, struct err *err); /* in pieces */
/* Checks that all data came, syncs, renames into place; frees w whatever comes. On failure, and by
 * _abandon (which also frees w), nothing stays. */
int gguf_finish(struct gguf_writer *w, struct err *err);
void gguf_abandon(struct gguf_writer *w); /* accepts NULL */

#endif
