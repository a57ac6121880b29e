/* Arbitrary bytes as a model file. What opens must compute: a few rows through decoder_step, a
 * timeline saved and loaded. Memory is kept small, as a server's owner would. */
#include "model/decoder.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) abort();                                                                         \
    } while (0)

static void compute(struct decoder *d, struct err *err)
{
    const struct decoder_facts *f = decoder_facts(d);
    struct timeline *t = NULL;
    float *logits = calloc((size_t)f->vocab, sizeof *logits);
    if (!logits || timeline_new(d, 4, QUANT_F16, &t, err)) goto out;
    struct decoder_row rows[] = { { t, 0, 0, false }, { t, f->vocab - 1, 1, true } };
    MUST(decoder_step(d, rows, 2, logits, err) == 0);
    MUST(timeline_len(t) == 2);
    struct buf saved = BUF_INIT(64 << 20);
    if (timeline_save(t, 2, &saved, err) == 0) MUST(timeline_load(t, saved.p, saved.n, err) == 0);
    buf_free(&saved);
out:
    timeline_free(t);
    free(logits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct gguf *g = NULL;
    struct decoder *d = NULL;
    struct decoder_need need;
    if (gguf_open_mem(data, n, "fuzz", &g, &err)) return 0;
    if (decoder_plan(g, 64, QUANT_Q8_0, &need, &err)) MUST(err.msg[0]);
    int rc =
        decoder_open(g, &(struct decoder_opts){ .max_batch = 2, .memory = 64 << 20 }, &d, &err);
    MUST(rc ? !d && err.msg[0] : d != NULL);
    if (d) compute(d, &err);
    decoder_close(d);
    gguf_close(g);
    return 0;
}
