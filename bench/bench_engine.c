/* What a user waits for: a persona's system text is kept (600 tokens), a question of 60 tokens
 * with five passages of 100; then a next question, with passages of its own, behind all that. The
 * model is Llama 3.2 1B in shape, Q4_0, with random weights, so tokens are just numbers. */
#include "bench.h"

#include "base/buf.h"
#include "model/engine.h"

#include <stdlib.h>

enum { SYSTEM = 600, ASKED = 560, ANSWER = 24 };

/* One question: its seconds to the first token. ids: [n]. */
static int ask(struct engine *e, const int32_t *ids, int n, int answer, struct engine_result *r,
               struct err *err)
{
    struct buf text = BUF_INIT(1 << 20);
    struct engine_job *j = NULL;
    struct engine_ask a = {
        .ids = ids, .n_ids = (size_t)n, .max_tokens = answer, .no_lookup = true
    };
    a.sampling = SAMPLER_DEFAULTS;
    a.sampling.temperature = 0;
    int rc = engine_submit(e, &a, &j, err);
    while (!rc && engine_read(j, &text, -1) > 0) buf_clear(&text);
    if (!rc) *r = *engine_result(j);
    engine_job_free(j);
    buf_free(&text);
    return rc;
}

static int measure(struct bench *b, struct decoder *d, struct err *err)
{
    struct engine *e = NULL;
    struct engine_result r;
    int32_t *ids = calloc(SYSTEM + 3 * ASKED, sizeof *ids);
    int rc =
        ids ? engine_new(d, NULL, &(struct engine_opts){ .ctx = 4096 }, &e, err) : err_nomem(err);
    for (int i = 0; ids && i < SYSTEM + 3 * ASKED; i++) ids[i] = 1000 + (i * 7919) % 100000;
    if (!rc) rc = ask(e, ids, SYSTEM, 1, &r, err);
    if (!rc) rc = ask(e, ids, SYSTEM + ASKED, ANSWER, &r, err);
    if (!rc)
        bench_report(b, "first_token_warm", r.first, "s", BENCH_NONE, BENCH_NONE,
                     "%d of %d tokens were there; %.1f tok/s after it", r.reused_tokens,
                     r.prompt_tokens, r.tokens_per_second);
    if (!rc) rc = ask(e, ids, SYSTEM + ASKED + 60, ANSWER, &r, err);
    if (!rc)
        bench_report(b, "first_token_next_60", r.first, "s", BENCH_NONE, BENCH_NONE,
                     "a next question of 60 tokens; %d of %d were there", r.reused_tokens,
                     r.prompt_tokens);
    engine_free(e);
    free(ids);
    return rc;
}

int bench_first_token(struct bench *b, struct err *err)
{
    char path[512];
    struct gguf *g = NULL;
    struct decoder *d = NULL;
    int rc = bench_model_file(path, sizeof path, "llama-1b", "q4_0", err);
    if (!rc) rc = gguf_open(path, &g, err);
    if (!rc) rc = decoder_open(g, &(struct decoder_opts){ 0 }, &d, err);
    if (!rc) rc = measure(b, d, err);
    decoder_close(d);
    gguf_close(g);
    return rc;
}
