/* Texts and the vectors that an encoder should make of them: files of
 * tools/encoder_reference.py. */
#ifndef LK_TESTS_WANTED_H
#define LK_TESTS_WANTED_H

#include "check.h"

#include "base/cursor.h"
#include "base/io.h"
#include "model/encoder.h"

#define MOST 256

struct wanted { /* of a .vec file */
    struct buf bytes;
    size_t n, dim;
    struct encoder_text text[MOST];
    float *vector;
};

static inline const char *folder(void)
{
    const char *d = getenv("LIKENESS_TEST_ENCODERS");
    return d ? d : "tests/model/encoders";
}

static inline bool read_wanted(const char *name, struct wanted *w)
{
    char path[512];
    struct err err = { 0 };
    memset(w, 0, sizeof *w);
    w->bytes = BUF_INIT(0);
    snprintf(path, sizeof path, "%s/%s.vec", folder(), name);
    if (!io_exists(path)) return false;
    check_ok(io_read_file(path, (size_t)1 << 28, &w->bytes, &err), err);
    struct cursor c = cursor_of(w->bytes.p, w->bytes.n, path);
    check_int(cursor_u32(&c, "magic"), 0x56454B4C);
    w->n = cursor_u32(&c, "texts");
    w->dim = cursor_u32(&c, "dim");
    assert_true(w->n <= MOST && w->dim <= 4096);
    w->vector = malloc(w->n * w->dim * sizeof(float));
    for (size_t i = 0; i < w->n; i++) {
        struct span s = cursor_lstr(&c, "text");
        uint32_t bits = cursor_u32(&c, "scale");
        struct span v = cursor_bytes(&c, w->dim * 2, "vector");
        float scale;
        memcpy(&scale, &bits, 4);
        w->text[i] = (struct encoder_text){ s.p, s.n, ENCODER_PASSAGE };
        for (size_t j = 0; j < w->dim && v.n; j++) {
            int16_t q;
            memcpy(&q, v.p + 2 * j, 2);
            w->vector[i * w->dim + j] = scale * q;
        }
    }
    check_ok(cursor_check(&c, &err), err);
    return true;
}

#endif
