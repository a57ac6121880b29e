/* Number formats: names, sizes, the 16-bit floats, and decoding of each block type.
 *
 * Decoding is exact wherever the format allows it. The scale of a block has 11 significant bits (it
 * is f16), a sub-scale at most 7 and a quantised number at most 8, so every product below fits the
 * 24 bits of a float and is rounded nowhere; only the subtraction of a minimum (Q4_K, Q5_K) rounds,
 * once. A test holds that against vectors worked out in exact arithmetic.
 *
 * Blocks are copied to the stack before use: rows in a file have no alignment to speak of. Encoding
 * is in quant_encode.c. */
#include "kernels/quant.h"

#include "kernels/quant_impl.h"

#include <string.h>
#include <strings.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are mapped as they are stored");
_Static_assert(sizeof(struct quant_q4_0) == 18 && sizeof(struct quant_q8_0) == 34, "layout");
_Static_assert(sizeof(struct quant_q4_1) == 20, "layout");
_Static_assert(sizeof(struct quant_q5_0) == 22 && sizeof(struct quant_q5_1) == 24, "layout");
_Static_assert(sizeof(struct quant_q4_k) == 144 && sizeof(struct quant_q5_k) == 176, "layout");
_Static_assert(sizeof(struct quant_q6_k) == 210, "layout");

static const struct format {
    uint32_t number;
    const char *name;
    int block, bytes;
} formats[] = {
#define X(id, number, name, n, bytes) { number, name, n, bytes },
    QUANT_LIST(X)
#undef X
};

static const struct format *format_of(uint32_t number)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].number == number) return &formats[i];
    return NULL;
}

bool quant_known(uint32_t number) { return format_of(number) != NULL; }

const char *quant_name(enum quant q)
{
    const struct format *f = format_of(q);
    return f ? f->name : "unknown";
}

bool quant_parse(const char *name, enum quant *out)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcasecmp(name, formats[i].name)) continue;
        *out = (enum quant)formats[i].number;
        return true;
    }
    return false;
}

int quant_block(enum quant q)
{
    const struct format *f = format_of(q);
    return f ? f->block : 0;
}

size_t quant_row_bytes(enum quant q, size_t n)
{
    const struct format *f = format_of(q);
    size_t bytes;
    if (!f || n % (size_t)f->block) return 0;
    if (__builtin_mul_overflow(n / (size_t)f->block, (size_t)f->bytes, &bytes)) return 0;
    return bytes;
}

/* ---- 16-bit floats ---- */

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
    if (e == 31) return float_of(sign | 0x7f800000 | (m ? 0x400000 | m << 13 : 0));
    if (e == 0) return float_of(sign | bits_of((float)m * 0x1p-24f));
    return float_of(sign | (e + 112) << 23 | m << 13);
}

uint16_t f32_to_f16(float x)
{
    uint32_t u = bits_of(x), a = u & 0x7fffffff;
    uint16_t sign = u >> 16 & 0x8000;
    if (a > 0x7f800000) return sign | 0x7e00 | (a >> 13 & 0x1ff);
    if (a >= 0x477ff000) return sign | 0x7c00; /* from 65520 on, half a step above the largest */
    /* Below 2^-14 the steps are 2^-24, which is the step of floats in [0.5, 1): let the addition
     * round. */
    if (a < 0x38800000) return sign | (uint16_t)(bits_of(float_of(a) + 0.5f) - 0x3f000000);
    a += 0xfff + (a >> 13 & 1);
    return sign | (uint16_t)((a >> 13) - (112 << 10));
}

float bf16_to_f32(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t f32_to_bf16(float x)
{
    uint32_t u = bits_of(x);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* ---- decoding, a block each ---- */

static void decode_q4_0(const struct quant_q4_0 *b, float *x)
{
    float d = f16_to_f32(b->d);
    for (int j = 0; j < 16; j++) {
        x[j] = d * (float)((b->qs[j] & 15) - 8);
        x[j + 16] = d * (float)((b->qs[j] >> 4) - 8);
    }
}

/* The 32 numbers of five bits. */
static void fives(const uint8_t qh[4], const uint8_t qs[16], int8_t q[32])
{
    for (int j = 0; j < 32; j++)
        q[j] = (int8_t)((qs[j % 16] >> (j < 16 ? 0 : 4) & 15) | (qh[j / 8] >> j % 8 & 1) << 4);
}

static void decode_q4_1(const struct quant_q4_1 *b, float *x)
{
    float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
    for (int j = 0; j < 16; j++) {
        x[j] = d * (float)(b->qs[j] & 15) + m;
        x[j + 16] = d * (float)(b->qs[j] >> 4) + m;
    }
}

static void decode_q5_0(const struct quant_q5_0 *b, float *x)
{
    int8_t q[32];
    float d = f16_to_f32(b->d);
    fives(b->qh, b->qs, q);
    for (int j = 0; j < 32; j++) x[j] = d * (float)(q[j] - 16);
}

static void decode_q5_1(const struct quant_q5_1 *b, float *x)
{
    int8_t q[32];
    float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
    fives(b->qh, b->qs, q);
    for (int j = 0; j < 32; j++) x[j] = d * (float)q[j] + m;
}

static void decode_q8_0(const struct quant_q8_0 *b, float *x)
{
    float d = f16_to_f32(b->d);
    for (int j = 0; j < 32; j++) x[j] = d * (float)b->qs[j];
}

void quant_k_scales(const uint8_t s[12], uint8_t scale[8], uint8_t min[8])
{
    for (int j = 0; j < 4; j++) {
        scale[j] = s[j] & 63;
        min[j] = s[j + 4] & 63;
        scale[j + 4] = (s[j + 8] & 15) | (s[j] >> 6) << 4;
        min[j + 4] = s[j + 8] >> 4 | (s[j + 4] >> 6) << 4;
    }
}

static void decode_q4_k(const struct quant_q4_k *b, float *x)
{
    float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t scale[8], min[8];
    quant_k_scales(b->scales, scale, min);
    for (int g = 0; g < 8; g++) {
        const uint8_t *q = b->qs + g / 2 * 32;
        float ds = d * (float)scale[g], dm = dmin * (float)min[g];
        for (int j = 0; j < 32; j++) x[32 * g + j] = ds * (float)(q[j] >> 4 * (g & 1) & 15) - dm;
    }
}

static void decode_q5_k(const struct quant_q5_k *b, float *x)
{
    float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t scale[8], min[8];
    quant_k_scales(b->scales, scale, min);
    for (int g = 0; g < 8; g++) {
        const uint8_t *q = b->qs + g / 2 * 32;
        float ds = d * (float)scale[g], dm = dmin * (float)min[g];
        for (int j = 0; j < 32; j++) {
            int v = (q[j] >> 4 * (g & 1) & 15) | (b->qh[j] >> g & 1) << 4;
            x[32 * g + j] = ds * (float)v - dm;
        }
    }
}

static void decode_q6_k(const struct quant_q6_k *b, float *x)
{
    float d = f16_to_f32(b->d);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, part = i % 128 / 32, j = i % 32; /* see docs/MODELS.md */
        int lo = b->ql[64 * half + 32 * (part & 1) + j] >> 4 * (part >> 1) & 15;
        int hi = b->qh[32 * half + j] >> 2 * part & 3;
        size_t group = (size_t)i / 16;
        x[i] = d * (float)b->scales[group] * (float)((lo | hi << 4) - 32);
    }
}

/* Copy each block to the stack and hand it to fn. */
#define EACH_BLOCK(type, numbers, fn)                                                              \
    for (; n >= (numbers); n -= (numbers), x += (numbers), p += sizeof(struct type)) {             \
        struct type b;                                                                             \
        memcpy(&b, p, sizeof b);                                                                   \
        fn(&b, x);                                                                                 \
    }

void quant_decode(enum quant q, const void *row, size_t n, float *x)
{
    const uint8_t *p = row;
    uint16_t h;
    switch (q) {
    case QUANT_F32: memcpy(x, p, n * sizeof *x); break;
    case QUANT_F16:
        for (size_t i = 0; i < n; i++) memcpy(&h, p + 2 * i, 2), x[i] = f16_to_f32(h);
        break;
    case QUANT_BF16:
        for (size_t i = 0; i < n; i++) memcpy(&h, p + 2 * i, 2), x[i] = bf16_to_f32(h);
        break;
    case QUANT_Q4_0: EACH_BLOCK(quant_q4_0, 32, decode_q4_0) break;
    case QUANT_Q4_1: EACH_BLOCK(quant_q4_1, 32, decode_q4_1) break;
    case QUANT_Q5_0: EACH_BLOCK(quant_q5_0, 32, decode_q5_0) break;
    case QUANT_Q5_1: EACH_BLOCK(quant_q5_1, 32, decode_q5_1) break;
    case QUANT_Q8_0: EACH_BLOCK(quant_q8_0, 32, decode_q8_0) break;
    case QUANT_Q4_K: EACH_BLOCK(quant_q4_k, 256, decode_q4_k) break;
    case QUANT_Q5_K: EACH_BLOCK(quant_q5_k, 256, decode_q5_k) break;
    case QUANT_Q6_K: EACH_BLOCK(quant_q6_k, 256, decode_q6_k) break;
    }
}

bool quant_only_read(enum quant q) { return q == QUANT_Q4_1 || q == QUANT_Q5_0 || q == QUANT_Q5_1; }

void quant_as_q8_0(enum quant q, const void *row, size_t n, void *out)
{
    size_t in = quant_row_bytes(q, 32), each = sizeof(struct quant_q8_0);
    for (size_t b = 0; b < n / 32; b++) {
        const uint8_t *from = (const uint8_t *)row + b * in;
        uint8_t *to = (uint8_t *)out + b * each;
        if (q == QUANT_Q5_0) {
            struct quant_q5_0 five;
            struct quant_q8_0 eight;
            memcpy(&five, from, sizeof five);
            fives(five.qh, five.qs, eight.qs);
            for (int j = 0; j < 32; j++) eight.qs[j] -= 16;
            eight.d = five.d;
            memcpy(to, &eight, each);
        } else {
            float x[32];
            quant_decode(q, from, 32, x);
            quant_encode(QUANT_Q8_0, x, 32, to);
        }
    }
}
