/* Safetensors: the weight files of Hugging Face folders, mapped, not copied.
 *
 *     struct safetensors *s;
 *     safetensors_open("folder", &s, err);          model.safetensors, or the parts of its index
 *     const struct st_tensor *t = safetensors_find(s, "model.norm.weight");
 *     safetensors_close(s);
 *
 * All is checked when it is opened: the JSON head, shapes against bytes, bounds, overlaps, parts
 * against the index. Names and data are borrowed until safetensors_close. */
#ifndef LK_MODEL_SAFETENSORS_H
#define LK_MODEL_SAFETENSORS_H

#include "base/cursor.h"
#include "base/err.h"
#include "kernels/quant.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ST_DIMS 8

struct st_tensor {
    const char *name;
    bool readable; /* F32, F16 or BF16; others have their bytes but no type */
    enum quant type;
    int n_dims;
    uint64_t dim[ST_DIMS]; /* dim[0] varies slowest: rows; 1 beyond n_dims */
    uint64_t n;            /* numbers */
    const void *data;      /* no alignment promised */
    size_t bytes;
};

struct safetensors;
/* path: a folder or one file. */
int safetensors_open(const char *path, struct safetensors **out, struct err *err);
int safetensors_open_mem(const void *p, size_t n, const char *what, struct safetensors **out,
                         struct err *err);     /* p borrowed */
void safetensors_close(struct safetensors *s); /* accepts NULL */
size_t safetensors_count(const struct safetensors *s);
const struct st_tensor *safetensors_at(const struct safetensors *s, size_t i); /* by name */
const struct st_tensor *safetensors_find(const struct safetensors *s, const char *name);
/* The bytes will not be read again soon. */
void safetensors_done_with(const struct safetensors *s, const struct st_tensor *t);

#endif
