/* Safetensors: refused with a message, or every tensor lies within the bytes. */
#include "model/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct safetensors *s;
    if (safetensors_open_mem(data, n, "fuzz", &s, &err)) {
        if (!err.code || !err.msg[0] || s) abort();
        return 0;
    }
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct st_tensor *t = safetensors_at(s, i);
        const uint8_t *p = t->data;
        if (t->bytes && (p < data || p + t->bytes > data + n)) abort();
        if (safetensors_find(s, t->name) != t) abort();
        if (t->readable && t->bytes != quant_row_bytes(t->type, t->n)) abort();
    }
    safetensors_close(s);
    return 0;
}
