/* Float matrices, packed and read back. A packed group of 16 rows is a transposed tile; packing
 * goes through blocks of 16 columns so that both sides move whole cache lines. The order of numbers
 * is all that changes: a packed matrix holds the same bits. */
#include "kernels/matf.h"

#include "base/threads.h"

#include <string.h>

static size_t number_bytes(const struct mat *m) { return m->type == QUANT_F32 ? 4 : 2; }

size_t matf_packed_bytes(const struct mat *m)
{
    size_t rows = ((size_t)m->rows + MAT_GROUP - 1) / MAT_GROUP * MAT_GROUP;
    return rows * (size_t)m->cols * number_bytes(m);
}

void matf_pack(const struct mat *m, void *packed, int from, int to)
{
    size_t one = number_bytes(m), cols = (size_t)m->cols;
    for (int g = from; g < to; g += MAT_GROUP) {
        char *out = (char *)packed + (size_t)g * cols * one;
        if (to - g < MAT_GROUP) memset(out, 0, cols * MAT_GROUP * one);
        for (size_t k = 0; k < cols; k += 16)
            for (size_t r = 0; r < MAT_GROUP && g + (int)r < to; r++) {
                const char *in = (const char *)m->data + ((size_t)g + r) * cols * one;
                for (size_t c = k; c < cols && c < k + 16; c++) {
                    char *at = out + (c * MAT_GROUP + r) * one;
                    if (one == 4) memcpy(at, in + c * 4, 4);
                    else memcpy(at, in + c * 2, 2);
                }
            }
    }
}

static float number(enum quant type, const char *at)
{
    float f;
    uint16_t h;
    if (type == QUANT_F32) {
        memcpy(&f, at, 4);
        return f;
    }
    memcpy(&h, at, 2);
    return type == QUANT_F16 ? f16_to_f32(h) : bf16_to_f32(h);
}

void matf_row(const struct mat *m, int r, float *x)
{
    size_t one = number_bytes(m), cols = (size_t)m->cols, row = (size_t)r;
    if (!m->packed) {
        quant_decode(m->type, (const char *)m->data + row * cols * one, cols, x);
        return;
    }
    const char *at = (const char *)m->packed + row / MAT_GROUP * MAT_GROUP * cols * one;
    for (size_t c = 0; c < cols; c++)
        x[c] = number(m->type, at + (c * MAT_GROUP + row % MAT_GROUP) * one);
}

void matf_gather(const struct mat *m, int r, int k, int n, float *to, int width)
{
    size_t one = number_bytes(m), cols = (size_t)m->cols;
    for (int i = 0; i < MAT_GROUP; i++) {
        const char *in = (const char *)m->data + ((size_t)(r + i) * cols + (size_t)k) * one;
        for (int c = 0; c < n; c++)
            to[c * width + i] = r + i < m->rows ? number(m->type, in + (size_t)c * one) : 0;
    }
}

/* Few rows of activations: whole tiles of 4 groups. Many: enough outputs that copying activations
 * into tiles is a small share, and where a matrix has too few of those, runs of activations. */
void matf_cut(const struct mat *m, int n, int *rows, int *tokens)
{
    enum { WIDE_PART = 4 * MAT_GROUP, CHUNK = 256 };
    int tile = mat_ops.tile_f;
    if (n <= 14) {
        if (*rows < WIDE_PART && m->rows >= 8 * WIDE_PART) *rows = WIDE_PART;
        return;
    }
    int parts = (m->rows - 1) / CHUNK + 1, want = 4 * threads_count();
    *rows = ((m->rows - 1) / parts + 32) & -32;
    if (parts >= want || want == 4) return;
    int runs = (want - 1) / parts + 1, tiles = (n - 1) / tile + 1;
    *tokens = ((tiles - 1) / runs + 1) * tile;
}
