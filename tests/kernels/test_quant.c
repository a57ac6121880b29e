/* Number formats: exact decoding, all 16-bit floats, and the errors of encoding. */
#include "check.h"
#include "kernels/quant.h"
#include "quant_vectors.h"

#include <math.h>

static const enum quant all[] = { QUANT_F32,  QUANT_F16,  QUANT_Q4_0, QUANT_Q8_0,
                                  QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K, QUANT_BF16 };
#define N_ALL (sizeof all / sizeof *all)

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static void names_and_sizes(void **state)
{
    enum quant q;
    for (size_t i = 0; i < N_ALL; i++) {
        assert_true(quant_known(all[i]));
        assert_true(quant_parse(quant_name(all[i]), &q));
        check_int(q, all[i]);
    }
    assert_true(quant_parse("Q4_K", &q) && q == QUANT_Q4_K);
    assert_false(quant_parse("q2_k", &q));
    assert_false(quant_known(10));
    check_int(quant_row_bytes(QUANT_Q4_K, 2048), 1152);
    check_int(quant_row_bytes(QUANT_Q4_K, 2047), 0);
    check_int(quant_row_bytes(QUANT_F32, SIZE_MAX), 0);
}

static void check_block(enum quant q, const uint8_t *block, size_t n, const uint32_t *want)
{
    float x[256];
    uint8_t odd[256];
    memcpy(odd + 1, block, quant_row_bytes(q, n)); /* no alignment is needed */
    quant_decode(q, odd + 1, n, x);
    for (size_t i = 0; i < n; i++)
        if (bits_of(x[i]) != want[i] && (bits_of(x[i]) | want[i]) != 0x80000000)
            fail_msg("%s[%zu]: got %08x, want %08x", quant_name(q), i, bits_of(x[i]), want[i]);
}

static void blocks_decode_exactly(void **state)
{
    check_block(QUANT_Q4_0, q4_0_block, 32, q4_0_want);
    check_block(QUANT_Q8_0, q8_0_block, 32, q8_0_want);
    check_block(QUANT_Q4_K, q4_k_block, 256, q4_k_want);
    check_block(QUANT_Q5_K, q5_k_block, 256, q5_k_want);
    check_block(QUANT_Q6_K, q6_k_block, 256, q6_k_want);
    check_block(QUANT_Q5_0, q5_0_block, 32, q5_0_want);
    check_block(QUANT_Q5_1, q5_1_block, 32, q5_1_want);
    check_block(QUANT_Q4_1, q4_1_block, 32, q4_1_want);
}

/* What is only read becomes Q8_0: Q5_0 to the bit, the others within half a step. */
static void fives_become_eights(void **state)
{
    struct quant_q8_0 b[2];
    float x[32], want[32], most;
    uint8_t two[44];
    memcpy(two, q5_0_block, 22);
    memcpy(two + 22, q5_0_block, 22);
    assert_true(quant_only_read(QUANT_Q4_1) && quant_only_read(QUANT_Q5_1));
    assert_false(quant_only_read(QUANT_Q8_0) || quant_only_read(QUANT_Q4_0));
    quant_as_q8_0(QUANT_Q5_0, two, 64, b);
    check_block(QUANT_Q8_0, (const uint8_t *)&b[0], 32, q5_0_want);
    check_block(QUANT_Q8_0, (const uint8_t *)&b[1], 32, q5_0_want);
    for (int k = 0; k < 2; k++) {
        quant_as_q8_0(k ? QUANT_Q5_1 : QUANT_Q4_1, k ? q5_1_block : q4_1_block, 32, b);
        quant_decode(QUANT_Q8_0, b, 32, x);
        memcpy(want, k ? q5_1_want : q4_1_want, sizeof want);
        most = 0;
        for (int i = 0; i < 32; i++) most = fmaxf(most, fabsf(want[i]));
        for (int i = 0; i < 32; i++) check_near(x[i], want[i], most / 127 * 0.51);
    }
}

/* Of every f16, by its definition in doubles, and back. */
static void f16_all(void **state)
{
    for (uint32_t h = 0; h < 65536; h++) {
        int e = h >> 10 & 31, m = h & 1023;
        float got = f16_to_f32((uint16_t)h);
        double want = e == 31 ? INFINITY : ldexp(e ? 1024 + m : m, (e ? e : 1) - 25);
        if (e == 31 && m) {
            assert_true(isnan(got) && isnan(f16_to_f32(f32_to_f16(got))));
            continue;
        }
        if ((double)got != (h & 0x8000 ? -want : want) || !signbit(got) != !(h & 0x8000))
            fail_msg("f16 %04x: got %g, want %g", h, (double)got, want);
        check_int(f32_to_f16(got), h);
    }
}

/* Between each two neighbours: below the middle down, above it up, in the middle to even. */
static void f16_rounds(void **state)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float a = f16_to_f32((uint16_t)h), b = f16_to_f32((uint16_t)(h + 1)), mid = (a + b) / 2;
        check_int(f32_to_f16(nextafterf(mid, a)), h);
        check_int(f32_to_f16(nextafterf(mid, b)), h + 1);
        check_int(f32_to_f16(mid), h + (h & 1));
        check_int(f32_to_f16(-mid), (h + (h & 1)) | 0x8000);
    }
    check_int(f32_to_f16(65519.99f), 0x7bff);
    check_int(f32_to_f16(65520), 0x7c00);
    check_int(f32_to_f16(-INFINITY), 0xfc00);
    check_int(f32_to_f16(1e-30f), 0);
}

static void bf16_all(void **state)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float x = bf16_to_f32((uint16_t)h);
        check_int(bits_of(x), h << 16);
        if (isnan(x)) assert_true(isnan(bf16_to_f32(f32_to_bf16(x))));
        else check_int(f32_to_bf16(x), h);
        if (isnan(x) || isinf(x) || (h & 0x7fff) == 0x7f7f) continue;
        float next = bf16_to_f32((uint16_t)(h + 1)), mid = x / 2 + next / 2;
        if ((h & 0x7fff) > 0x100) check_int(f32_to_bf16(mid), h + (h & 1));
    }
    float nan;
    memcpy(&nan, &(uint32_t){ 0x7f800001 }, 4); /* must not become infinity */
    assert_true(isnan(bf16_to_f32(f32_to_bf16(nan))));
}

static uint64_t seed = 7;
static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static double gauss(void)
{
    double s = -6;
    for (int i = 0; i < 12; i++) s += uniform();
    return s;
}

/* Relative error of a round trip, root of the mean squares. */
static double trip(enum quant q, const float *x, size_t n)
{
    uint8_t *row = malloc(quant_row_bytes(q, n));
    float *y = malloc(n * sizeof *y);
    double e = 0, s = 0;
    quant_encode(q, x, n, row);
    quant_decode(q, row, n, y);
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(y[i]));
        double was = isfinite(x[i]) ? (double)x[i] : 0, d = was - (double)y[i];
        e += d * d, s += was * was;
    }
    free(row);
    free(y);
    return s > 0 ? sqrt(e / s) : sqrt(e);
}

static void errors_are_bounded(void **state)
{
    enum { N = 64 * 256 };
    static const struct {
        enum quant q;
        double most; /* on a normal distribution */
    } bounds[] = { { QUANT_F32, 0 },       { QUANT_F16, 3e-4 },    { QUANT_BF16, 2e-3 },
                   { QUANT_Q8_0, 0.0056 }, { QUANT_Q6_K, 0.0180 }, { QUANT_Q5_K, 0.0360 },
                   { QUANT_Q4_K, 0.0720 }, { QUANT_Q4_0, 0.0820 } };
    float *x = malloc(N * sizeof *x);
    for (int i = 0; i < N; i++) x[i] = (float)gauss() * 0.02f;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        double e = trip(bounds[i].q, x, N);
        if (!(e <= bounds[i].most)) fail_msg("%s: error %g", quant_name(bounds[i].q), e);
    }
    /* One large weight among small ones, and a shifted distribution. */
    for (int i = 0; i < N; i++) x[i] = (float)gauss() * 0.01f + (i % 256 == 77 ? 0.5f : 0);
    for (size_t i = 0; i < N_ALL; i++) assert_true(trip(all[i], x, N) < 0.13);
    for (int i = 0; i < N; i++) x[i] = (float)gauss() * 0.01f - 0.05f;
    for (size_t i = 0; i < N_ALL; i++) assert_true(trip(all[i], x, N) < 0.09);
    free(x);
}

/* What a type can hold comes back nearly (Q8_0 has no code for -2 and 0.25 together), and what came
 * back comes back again as it was. */
static void codes_survive(void **state)
{
    float x[256], y[256];
    uint8_t row[256 * 4], again[256 * 4];
    for (size_t k = 0; k < N_ALL; k++) {
        for (int i = 0; i < 256; i++) x[i] = i % 16 ? (float)(i % 15 - 7) * 0.25f : -2;
        quant_encode(all[k], x, 256, row);
        quant_decode(all[k], row, 256, y);
        for (int i = 0; i < 256; i++) check_near(y[i], x[i], 0.008);
        quant_encode(all[k], y, 256, again);
        quant_decode(all[k], again, 256, x);
        for (int i = 0; i < 256; i++) check_near(x[i], y[i], 1e-6);
    }
}

static void odd_values(void **state)
{
    float x[256];
    static const float kinds[] = { 0,     -0.0f,  1e-38f, 1e-44f, 3.4e38f,  -3.4e38f,
                                   1e30f, -1e-9f, 65504,  1e9f,   INFINITY, NAN };
    for (size_t k = 0; k < N_ALL; k++) {
        if (quant_block(all[k]) == 1) continue;
        for (size_t a = 0; a < sizeof kinds / sizeof *kinds; a++) { /* all the same */
            for (int i = 0; i < 256; i++) x[i] = kinds[a];
            trip(all[k], x, 256);
        }
        for (int t = 0; t < 200; t++) { /* mixed: finite is all that is asked */
            for (int i = 0; i < 256; i++) x[i] = kinds[(size_t)(uniform() * 12)];
            trip(all[k], x, 256);
        }
        for (int i = 0; i < 256; i++) x[i] = i == 3 ? NAN : i == 200 ? -INFINITY : 0.5f;
        assert_true(trip(all[k], x, 256) < 0.1);
        for (int i = 0; i < 256; i++) x[i] = 0;
        check_near(trip(all[k], x, 256), 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(names_and_sizes),     cmocka_unit_test(blocks_decode_exactly),
        cmocka_unit_test(fives_become_eights), cmocka_unit_test(f16_all),
        cmocka_unit_test(f16_rounds),          cmocka_unit_test(bf16_all),
        cmocka_unit_test(errors_are_bounded),  cmocka_unit_test(codes_survive),
        cmocka_unit_test(odd_values),
    };
    return check_run("kernels/quant", t);
}
