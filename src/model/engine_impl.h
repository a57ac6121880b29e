/* What the files of the engine share: jobs, slots, accounts. engine.c says who may touch what. */
#ifndef LK_MODEL_ENGINE_IMPL_H
#define LK_MODEL_ENGINE_IMPL_H

#include "model/engine.h"
#include "model/lookup.h"
#include "model/schema.h"
#include "model/stops.h"

#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_ROWS    256 /* of one step */
#define ENGINE_GUESSES 24  /* of them to check guesses */
#define ENGINE_SLOTS   64

struct account {
    uint64_t key;
    double served; /* tokens, those of prompts counted less */
    int waiting, running;
    struct account *next;
};

struct engine_job {
    atomic_int refs;
    atomic_bool cancel;
    /* Set by engine_submit, then constant. */
    int n_prompt, max_tokens;
    struct sampler_opts sampling;
    struct sampler_bias *bias;
    uint64_t account;
    bool no_lookup, keep; /* keep: of engine_keep, has no answer */
    void (*wake)(void *ud);
    void *wake_ud;
    const void *saved; /* of engine_keep; borrowed while it waits */
    size_t n_saved;
    struct buf *save;
    double submitted;
    /* The engine's thread, after admission. */
    int32_t *ids; /* [n_prompt + max_tokens] the prompt and what was made */
    int n, made;
    int row, n_rows; /* of the logits, in this step */
    int32_t guess[LOOKUP_MAX];
    int n_guess;
    struct slot *slot;
    struct schema *schema;
    struct lookup lookup;
    struct stops stops;
    struct utf8_hold hold;
    struct buf piece, out;
    double first_at;
    /* The engine's lock. */
    struct engine_job *next; /* in the queue */
    struct account *payer;
    /* The job's own lock. */
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct buf text;
    struct engine_result result;
    /* The reader. */
    struct engine_result seen;
};

struct slot {           /* the engine's thread only */
    struct timeline *t; /* NULL until first used */
    struct engine_job *job;
    uint64_t used; /* engine->clock when it was last of use */
};

struct engine {
    struct decoder *d;
    const struct tokenizer *k;
    const struct template *t;
    struct engine_opts o; /* all settled */
    int vocab;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_mutex_t words_lock;
    struct schema_vocab *words; /* made under words_lock when a schema first comes */
    /* Under the lock. */
    bool quit;
    struct engine_job *queue; /* in order of submission */
    struct account *accounts;
    int waiting, running, n_accounts;
    double job_seconds; /* of a job, smoothed: for the hint of ERR_BUSY */
    struct engine_load load;
    /* The engine's thread. */
    struct slot *slots; /* [o.slots] */
    struct slot *pins;  /* [o.prefixes] */
    uint64_t clock;
    struct sampler *sampler;
    struct decoder_row *rows; /* [ENGINE_ROWS] */
    float *logits;            /* [o.slots + ENGINE_GUESSES, vocab] */
};

/* engine_run.c */
void *engine_thread(void *e);
void engine_finish(struct engine *e, struct engine_job *j, enum engine_stop stop,
                   const struct err *err);
/* engine_slots.c: the engine's thread only. Give j the timeline that has most of its prompt. */
int engine_seat(struct engine *e, struct engine_job *j, struct err *err);
/* The prompt of a keep job is in its slot: keep a copy, and save it if asked. */
int engine_pin(struct engine *e, struct engine_job *j, struct err *err);
/* engine.c */
void engine_job_unref(struct engine_job *j);
struct account *engine_next_account(struct engine *e, struct engine_job **job); /* under the lock */

#endif
