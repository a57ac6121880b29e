/* The engine: one loaded model, many users at once.
 *
 *     struct engine *e;
 *     engine_new(d, template_of(g), &(struct engine_opts){ 0 }, &e, err);
 *     struct template_part p[] = { { TEMPLATE_SYSTEM, sys, n_sys, false, 0 },
 *                                  { TEMPLATE_USER, question, n, false, 0 } };
 *     struct engine_ask a = { .parts = p, .n_parts = 2, .sampling = SAMPLER_DEFAULTS };
 *     struct engine_job *j;
 *     engine_submit(e, &a, &j, err);                     ERR_BUSY: the queue is full
 *     struct buf text = BUF_INIT(1 << 20);
 *     while (engine_read(j, &text, -1) > 0) { print(text.p, text.n); buf_clear(&text); }
 *     const struct engine_result *r = engine_result(j);   why it stopped, usage, timings
 *     engine_job_free(j);
 *     engine_free(e);
 *
 * One thread of the engine owns the decoder. Jobs join between two steps; prompts are read in
 * slices, so that answers under way keep flowing; accounts that were served least come first. What
 * a timeline holds stays after its job, and the next prompt that begins alike starts from there.
 * The text of a job depends on its prompt, options and seed alone, never on who else is served.
 * All functions may be called from any thread; a job is read by one thread at a time. */
#ifndef LK_MODEL_ENGINE_H
#define LK_MODEL_ENGINE_H

#include "model/decoder.h"
#include "model/sampler.h"
#include "model/template.h"

struct engine_opts {   /* 0 is a good value for each */
    int slots;         /* jobs served at once; 0: 8, or as many as `memory` holds */
    int ctx;           /* tokens of prompt and answer; 0: 8192, or what the model was trained for */
    enum quant kv;     /* of the cache; QUANT_F32, which is 0, means QUANT_F16 */
    size_t memory;     /* bytes for all caches; 0: 2 GiB */
    int slice;         /* prompt tokens a step while answers flow; 0: 64 */
    int queue;         /* jobs that may wait; 0: 64 */
    int queue_account; /* of one account; 0: a quarter of `queue` */
    int prefixes;      /* kept by engine_keep; 0: 8 */
};

struct engine_ask {                    /* borrowed until engine_submit returns, but for wake_ud */
    const struct template_part *parts; /* the conversation; or, when there is none, */
    size_t n_parts;
    const int32_t *ids; /* a prompt that is ready */
    size_t n_ids;
    struct sampler_opts sampling;
    const char *const *stop; /* the answer ends before any of these; not used with a schema */
    int n_stop;
    const char *schema; /* JSON schema: the answer is a document of it; NULL: free text */
    size_t n_schema;
    int max_tokens;   /* 0: 512 */
    uint64_t account; /* whose turn it costs */
    bool think;       /* see template_opts */
    bool no_lookup;   /* do not guess ahead from the prompt: slower, the same text */
    /* Called by the engine's thread when there is something to read; must not block or call the
     * engine. NULL: none. */
    void (*wake)(void *ud);
    void *wake_ud;
};

enum engine_stop {
    ENGINE_RUNNING,
    ENGINE_END,     /* the model ended its answer, or the document is whole */
    ENGINE_STOPPED, /* by a stop string */
    ENGINE_LENGTH,  /* max_tokens, or the context is full */
    ENGINE_CANCELLED,
    ENGINE_FAILED, /* see err */
};

struct engine_result {
    enum engine_stop stop;
    struct err err; /* of ENGINE_FAILED */
    int prompt_tokens, reused_tokens, output_tokens;
    int dropped_parts;           /* that did not fit */
    int guessed, guessed_right;  /* tokens, by lookup */
    double queued, first, total; /* seconds since engine_submit: start, first token, end */
    double tokens_per_second;    /* after the first token */
};

struct engine;
struct engine_job;
/* d is borrowed and must not be used elsewhere until engine_free. t may be NULL: then only asks
 * with ids are taken. ERR_LIMIT when not even one timeline fits. */
int engine_new(struct decoder *d, const struct template *t, const struct engine_opts *o,
               struct engine **out, struct err *err);
void engine_free(struct engine *e); /* cancels all jobs, joins; jobs stay readable. Accepts NULL */
int engine_ctx(const struct engine *e); /* tokens, as settled by engine_new */
int engine_slots(const struct engine *e);
/* ERR_BUSY with a hint when to come again when too many wait; ERR_INVAL for options, schema or
 * conversation that cannot be (the message says which); ERR_LIMIT when the prompt is too long even
 * without what may go. */
int engine_submit(struct engine *e, const struct engine_ask *a, struct engine_job **out,
                  struct err *err);
/* Append text that came since the last call; wait for some at most ms milliseconds (-1: as long as
 * it takes). Returns 1: there may be more; 0: that was all. Whole UTF-8 characters only. */
int engine_read(struct engine_job *j, struct buf *text, int ms);
void engine_cancel(struct engine_job *j); /* takes effect at the next step */
/* Borrowed until engine_job_free; final once engine_read has returned 0, counts so far before. */
const struct engine_result *engine_result(struct engine_job *j);
void engine_job_free(struct engine_job *j); /* cancels; accepts NULL. May outlive the engine */

/* Keep the state after the parts that open every conversation (a persona's system prompt), so that
 * a new one starts there. saved: what an earlier call put into save, unsealed, or NULL; one that
 * is of another model or prompt is passed over. save: NULL, or gets the state, to be sealed and
 * stored by the caller. Waits until it is done. The least used one goes when there are too
 * many. */
int engine_keep(struct engine *e, const struct template_part *parts, size_t n, const void *saved,
                size_t n_saved, struct buf *save, struct err *err);

struct engine_load { /* for a status page */
    int running, waiting, slots;
    uint64_t jobs, prompt_tokens, reused_tokens, output_tokens, steps;
};
void engine_load(struct engine *e, struct engine_load *out);

#endif
