/* Inside of an open GGUF, shared by gguf.c (reads and checks the file) and gguf_value.c
 * (answers). */
#ifndef LK_MODEL_GGUF_IMPL_H
#define LK_MODEL_GGUF_IMPL_H

#include "model/gguf.h"

struct gguf_value {
    struct span key;
    enum gguf_type type;
    enum gguf_type of;       /* of the elements of an array, else of the value */
    size_t n;                /* elements of an array, else 1 */
    const uint8_t *p;        /* the numbers; NULL for strings */
    const struct span *strs; /* the strings; NULL for numbers */
    struct span one;         /* what strs of a single string points to */
};

struct gguf_index { /* open addressing: position + 1 of a name, 0 where free */
    uint32_t *slot;
    size_t mask;
};

struct gguf {
    char *path;
    const uint8_t *p;
    size_t n;
    bool mapped;
    uint32_t version;
    uint64_t alignment;
    struct gguf_value *values;
    size_t n_values;
    struct gguf_tensor *tensors;
    size_t n_tensors;
    struct gguf_index by_key, by_name;
};

size_t gguf_type_size(enum gguf_type t); /* bytes of a number; 0 for strings and arrays */
const char *gguf_type_name(enum gguf_type t);
double gguf_number(enum gguf_type of, const uint8_t *p); /* any number or bool */
/* The value of a key, or NULL. */
const struct gguf_value *gguf_find(const struct gguf *g, const char *key);

#endif
