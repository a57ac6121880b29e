/* The integer formats, block by block: out of a file's rows, into and out of the packed layout that
 * mat_impl.h draws. Everything here is plain and exact; what must be fast reads the packed layout
 * itself. Packing interleaves 16 rows so that one 512-bit register holds the same four columns of
 * all of them: a product then needs no sum across lanes, and one multiply applies 16 scales. It
 * takes no more memory than the file, but for the scales of Q4_K and Q5_K, which are kept as whole
 * bytes (2.8 and 2.3 %). */
#include "kernels/mat_impl.h"

#include <string.h>

int mat_block_off(enum quant type)
{
    switch (type) {
    case QUANT_Q8_0: return 128;
    case QUANT_Q4_0: return 8;
    case QUANT_Q6_K: return 32;
    default: return 0;
    }
}

float mat_block_scale(enum quant type, const struct mat_block *k, float s[2])
{
    float d = f16_to_f32(k->d);
    s[0] = s[1] = d;
    if (type == QUANT_Q6_K) {
        s[0] = d * (float)(int8_t)k->sc[0];
        s[1] = d * (float)(int8_t)k->sc[1];
    } else if (type == QUANT_Q4_K || type == QUANT_Q5_K) {
        s[0] = s[1] = d * (float)k->sc[0];
        return f16_to_f32(k->dmin) * (float)k->min;
    }
    return 0;
}

/* Scale and minimum of group j of 8, packed in 12 bytes: the first four in the low 6 bits of
 * bytes 0-3 and 4-7; the last four in the nibbles of bytes 8-11 and the upper bits of the rest. */
static void six_bits(const uint8_t *p, int j, uint8_t *scale, uint8_t *min)
{
    if (j < 4) {
        *scale = p[j] & 63;
        *min = p[j + 4] & 63;
        return;
    }
    *scale = (uint8_t)((p[j + 4] & 15) | (p[j - 4] >> 6 << 4));
    *min = (uint8_t)((p[j + 4] >> 4) | (p[j] >> 6 << 4));
}

static void get_q8_0(const void *row, int b, struct mat_block *k)
{
    struct quant_q8_0 q;
    memcpy(&q, (const char *)row + (size_t)b * sizeof q, sizeof q);
    k->d = q.d;
    for (int i = 0; i < 32; i++) k->q[i] = (uint8_t)(q.qs[i] ^ 0x80);
}

static void get_q4_0(const void *row, int b, struct mat_block *k)
{
    struct quant_q4_0 q;
    memcpy(&q, (const char *)row + (size_t)b * sizeof q, sizeof q);
    k->d = q.d;
    for (int i = 0; i < 16; i++) {
        k->q[i] = q.qs[i] & 15;
        k->q[i + 16] = q.qs[i] >> 4;
    }
}

static void get_q4_k(const void *row, int b, struct mat_block *k)
{
    const char *p = (const char *)row + (size_t)(b / 8) * sizeof(struct quant_q4_k);
    struct quant_q4_k q;
    int j = b % 8;
    memcpy(&q, p, 16);
    k->d = q.d;
    k->dmin = q.dmin;
    six_bits(q.scales, j, &k->sc[0], &k->min);
    memcpy(k->q, p + 16 + 32 * (j / 2), 32);
    for (int i = 0; i < 32; i++) k->q[i] = j & 1 ? k->q[i] >> 4 : k->q[i] & 15;
}

static void get_q5_k(const void *row, int b, struct mat_block *k)
{
    const char *p = (const char *)row + (size_t)(b / 8) * sizeof(struct quant_q5_k);
    struct quant_q5_k q;
    int j = b % 8;
    memcpy(&q, p, 48);
    k->d = q.d;
    k->dmin = q.dmin;
    six_bits(q.scales, j, &k->sc[0], &k->min);
    memcpy(k->q, p + 48 + 32 * (j / 2), 32);
    for (int i = 0; i < 32; i++)
        k->q[i] = (uint8_t)((j & 1 ? k->q[i] >> 4 : k->q[i] & 15) | (q.qh[i] >> j & 1) << 4);
}

static void get_q6_k(const void *row, int b, struct mat_block *k)
{
    const char *p = (const char *)row + (size_t)(b / 8) * sizeof(struct quant_q6_k);
    struct quant_q6_k q;
    int half = b % 8 / 4, j = b % 4; /* 128 numbers in four blocks share their bytes */
    memcpy(&q, p, sizeof q);
    k->d = q.d;
    k->sc[0] = (uint8_t)q.scales[b % 8 * 2];
    k->sc[1] = (uint8_t)q.scales[b % 8 * 2 + 1];
    const uint8_t *lo = q.ql + 64 * half + 32 * (j & 1), *hi = q.qh + 32 * half;
    for (int i = 0; i < 32; i++)
        k->q[i] = (uint8_t)((j < 2 ? lo[i] & 15 : lo[i] >> 4) | (hi[i] >> 2 * j & 3) << 4);
}

struct mat_shape mat_shape(const struct mat *m)
{
    struct mat_shape s = { .nb = m->cols / 32, .step = mat_step(m->type) };
    size_t head = (size_t)s.nb;
    switch (m->type) {
    case QUANT_Q8_0:
    case QUANT_Q4_0: head *= MAT_HEAD_Q0; break;
    case QUANT_Q6_K: head = head / 8 * MAT_HEAD_Q6K; break;
    default: head = head / 8 * MAT_HEAD_Q45K; break;
    }
    s.head = (head + 63) / 64 * 64;
    s.group = s.head + (size_t)s.nb * s.step;
    return s;
}

size_t mat_q_packed_bytes(const struct mat *m)
{
    size_t groups = ((size_t)m->rows + MAT_GROUP - 1) / MAT_GROUP, n;
    return __builtin_mul_overflow(groups, mat_shape(m).group, &n) ? 0 : n;
}

/* Where the scales of block b of row i of a group are. */
static uint8_t *put16(uint8_t *head, int i) { return head + 2 * i; }

static void head_put(enum quant type, uint8_t *head, int i, int b, const struct mat_block *k)
{
    if (type == QUANT_Q8_0 || type == QUANT_Q4_0) {
        memcpy(put16(head + (size_t)b * MAT_HEAD_Q0, i), &k->d, 2);
    } else if (type == QUANT_Q6_K) {
        head += (size_t)(b / 8) * MAT_HEAD_Q6K;
        memcpy(put16(head, i), &k->d, 2);
        head[32 + b % 8 * 32 + i] = k->sc[0];
        head[32 + b % 8 * 32 + 16 + i] = k->sc[1];
    } else {
        head += (size_t)(b / 8) * MAT_HEAD_Q45K;
        memcpy(put16(head, i), &k->d, 2);
        memcpy(put16(head + 32, i), &k->dmin, 2);
        head[64 + b % 8 * 16 + i] = k->sc[0];
        head[192 + b % 8 * 16 + i] = k->min;
    }
}

static void head_get(enum quant type, const uint8_t *head, int i, int b, struct mat_block *k)
{
    if (type == QUANT_Q8_0 || type == QUANT_Q4_0) {
        memcpy(&k->d, head + (size_t)b * MAT_HEAD_Q0 + 2 * i, 2);
    } else if (type == QUANT_Q6_K) {
        head += (size_t)(b / 8) * MAT_HEAD_Q6K;
        memcpy(&k->d, head + 2 * i, 2);
        k->sc[0] = head[32 + b % 8 * 32 + i];
        k->sc[1] = head[32 + b % 8 * 32 + 16 + i];
    } else {
        head += (size_t)(b / 8) * MAT_HEAD_Q45K;
        memcpy(&k->d, head + 2 * i, 2);
        memcpy(&k->dmin, head + 32 + 2 * i, 2);
        k->sc[0] = head[64 + b % 8 * 16 + i];
        k->min = head[192 + b % 8 * 16 + i];
    }
}

/* w: the weights of one block of 16 rows; i: the row's place among them. */
static void weights_put(enum quant type, uint8_t *w, int i, const uint8_t q[32])
{
    if (type == QUANT_Q8_0) {
        for (int g = 0; g < 8; g++) memcpy(w + 64 * g + 4 * i, q + 4 * g, 4);
        return;
    }
    for (int g = 0; g < 4; g++)
        for (int c = 0; c < 4; c++)
            w[64 * g + 4 * i + c] = (uint8_t)((q[4 * g + c] & 15) | q[16 + 4 * g + c] << 4);
    for (int j = 0; j < 32; j++) {
        int g = j / 4, at = 256 + 4 * i + j % 4;
        if (type == QUANT_Q5_K) w[at] = (uint8_t)((g ? w[at] : 0) | q[j] >> 4 << g);
        if (type == QUANT_Q6_K) {
            at += 64 * (g / 4);
            w[at] = (uint8_t)((g % 4 ? w[at] : 0) | q[j] >> 4 << 2 * (g % 4));
        }
    }
}

static void weights_get(enum quant type, const uint8_t *w, int i, uint8_t q[32])
{
    if (type == QUANT_Q8_0) {
        for (int g = 0; g < 8; g++) memcpy(q + 4 * g, w + 64 * g + 4 * i, 4);
        return;
    }
    for (int j = 0; j < 32; j++) {
        int g = j / 4, at = 256 + 4 * i + j % 4, nib = w[64 * (g % 4) + 4 * i + j % 4];
        q[j] = (uint8_t)(g < 4 ? nib & 15 : nib >> 4);
        if (type == QUANT_Q5_K) q[j] |= (uint8_t)((w[at] >> g & 1) << 4);
        if (type == QUANT_Q6_K) q[j] |= (uint8_t)((w[at + 64 * (g / 4)] >> 2 * (g % 4) & 3) << 4);
    }
}

static void get_plain(const struct mat *m, int r, int b, struct mat_block *k)
{
    const char *row = (const char *)m->data + (size_t)r * quant_row_bytes(m->type, (size_t)m->cols);
    switch (m->type) {
    case QUANT_Q8_0: get_q8_0(row, b, k); break;
    case QUANT_Q4_0: get_q4_0(row, b, k); break;
    case QUANT_Q4_K: get_q4_k(row, b, k); break;
    case QUANT_Q5_K: get_q5_k(row, b, k); break;
    default: get_q6_k(row, b, k); break;
    }
}

void mat_block_get(const struct mat *m, int r, int b, struct mat_block *k)
{
    *k = (struct mat_block){ 0 };
    if (m->layout == MAT_PLAIN) {
        get_plain(m, r, b, k);
        return;
    }
    struct mat_shape s = mat_shape(m);
    const uint8_t *group = (const uint8_t *)m->packed + (size_t)(r / MAT_GROUP) * s.group;
    head_get(m->type, group, r % MAT_GROUP, b, k);
    weights_get(m->type, group + s.head + (size_t)b * s.step, r % MAT_GROUP, k->q);
}

void mat_q_pack(const struct mat *m, void *packed, int from, int to)
{
    struct mat_shape s = mat_shape(m);
    for (int r0 = from; r0 < to; r0 += MAT_GROUP) {
        uint8_t *group = (uint8_t *)packed + (size_t)(r0 / MAT_GROUP) * s.group;
        int n = to - r0 < MAT_GROUP ? to - r0 : MAT_GROUP;
        if (n < MAT_GROUP) memset(group, 0, s.group);
        for (int b = 0; b < s.nb; b++)
            for (int i = 0; i < n; i++) {
                struct mat_block k = { 0 };
                get_plain(m, r0 + i, b, &k);
                head_put(m->type, group, i, b, &k);
                weights_put(m->type, group + s.head + (size_t)b * s.step, i, k.q);
            }
    }
}

void mat_q_row(const struct mat *m, int r, float *x)
{
    if (m->layout == MAT_PLAIN) {
        size_t bytes = quant_row_bytes(m->type, (size_t)m->cols);
        quant_decode(m->type, (const char *)m->data + (size_t)r * bytes, (size_t)m->cols, x);
        return;
    }
    int off = mat_block_off(m->type);
    for (int b = 0; b < m->cols / 32; b++) {
        struct mat_block k;
        float s[2];
        mat_block_get(m, r, b, &k);
        float min = mat_block_scale(m->type, &k, s);
        for (int i = 0; i < 32; i++) x[32 * b + i] = s[i / 16] * (float)(k.q[i] - off) - min;
    }
}
