/* The engine's thread: admit, step, sample, again.
 *
 * A job whose ids are all in its timeline but the last is answering: it puts that one into the next
 * step and samples from its logits. A job with more to read is prefilling. So there is one kind of
 * row, and a job moves from the one state to the other without anybody saying so.
 *
 * A step takes first one row of each answering job, then guesses (lookup.c), then slices of prompts
 * in the order of their accounts' meters. While answers flow, prompts get o.slice rows in all, so
 * that a token takes little longer for those who read along; otherwise they fill the step.
 *
 * Guesses. The rows of a guessed job are its last token and the guesses after it. Its tokens are
 * sampled one after the other from those logits, each as the plain path would; as long as a sampled
 * token is the guessed one, the next row's logits are those of the text as it stands. Then the
 * timeline is cut behind the last that was right. Since a row's logits have the same bits whatever
 * stands beside it, and a draw depends on seed and position alone, the text is that of the plain
 * path, sampled or greedy.
 *
 * Nothing is allocated in a step but by a text that nobody reads, and by masks (schema.c). */
#include "model/engine_impl.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

#define PROMPT_COST 0.25 /* of a prompt's token on the meter of its account */

void engine_finish(struct engine *e, struct engine_job *j, enum engine_stop stop,
                   const struct err *err)
{
    double now = clock_mono();
    if (j->slot) {
        j->slot->job = NULL;
        j->slot->used = ++e->clock;
        j->slot = NULL;
    }
    pthread_mutex_lock(&e->lock);
    e->load.output_tokens += (uint64_t)j->made;
    e->job_seconds =
        e->job_seconds > 0 ? 0.8 * e->job_seconds + 0.2 * (now - j->submitted) : now - j->submitted;
    pthread_mutex_unlock(&e->lock);
    pthread_mutex_lock(&j->lock);
    struct engine_result *r = &j->result;
    r->total = now - j->submitted;
    r->output_tokens = j->made;
    if (j->made > 1 && now > j->first_at)
        r->tokens_per_second = (j->made - 1) / (now - j->first_at);
    if (err) r->err = *err;
    r->stop = stop;
    pthread_cond_broadcast(&j->news);
    pthread_mutex_unlock(&j->lock);
    if (j->wake) j->wake(j->wake_ud);
    engine_job_unref(j);
}

/* A seated job leaves. */
static void leave(struct engine *e, struct engine_job *j, enum engine_stop stop,
                  const struct err *err)
{
    pthread_mutex_lock(&e->lock);
    j->payer->running--;
    e->running--;
    pthread_mutex_unlock(&e->lock);
    engine_finish(e, j, stop, err);
}

/* Text for the reader. */
static void deliver(struct engine_job *j)
{
    if (!j->out.n) return;
    pthread_mutex_lock(&j->lock);
    buf_add(&j->text, j->out.p, j->out.n);
    j->result.output_tokens = j->made;
    pthread_cond_broadcast(&j->news);
    pthread_mutex_unlock(&j->lock);
    buf_clear(&j->out);
    if (j->wake) j->wake(j->wake_ud);
}

/* The answer ends: what was held back is text after all, unless a stop string came. */
static void end_answer(struct engine *e, struct engine_job *j, enum engine_stop stop)
{
    if (stop != ENGINE_STOPPED) {
        buf_clear(&j->piece);
        tokenizer_flush(&j->hold, &j->piece);
        if (stops_push(&j->stops, j->piece.p, j->piece.n, &j->out)) stop = ENGINE_STOPPED;
        else stops_end(&j->stops, &j->out);
    }
    deliver(j);
    leave(e, j, stop, NULL);
}

/* One token was chosen. True while the job goes on. */
static bool take(struct engine *e, struct engine_job *j, int32_t id)
{
    if (!j->made) {
        j->first_at = clock_mono();
        pthread_mutex_lock(&j->lock);
        j->result.first = j->first_at - j->submitted;
        pthread_mutex_unlock(&j->lock);
    }
    if (tokenizer_ends(e->k, id)) {
        end_answer(e, j, ENGINE_END);
        return false;
    }
    j->ids[j->n++] = id;
    j->made++;
    buf_clear(&j->piece);
    tokenizer_text(e->k, id, &j->hold, &j->piece);
    enum engine_stop stop = ENGINE_RUNNING;
    if (stops_push(&j->stops, j->piece.p, j->piece.n, &j->out)) stop = ENGINE_STOPPED;
    else if (j->schema && schema_done(j->schema)) stop = ENGINE_END;
    else if (j->made == j->max_tokens) stop = ENGINE_LENGTH;
    if (stop == ENGINE_LENGTH && j->schema && schema_whole(j->schema)) stop = ENGINE_END;
    if (stop) end_answer(e, j, stop);
    else deliver(j);
    return !stop;
}

/* The next token. One that a schema's mask lets through and the schema does not (see schema.c; it
 * hardly happens) is forbidden, and the choice made again. */
static int32_t choose(struct engine *e, struct engine_job *j, float *logits, struct err *err)
{
    const struct sampler_at at = { j->ids, j->n, j->n_prompt };
    const uint32_t *mask = NULL;
    if (j->schema && !(mask = schema_mask(j->schema, j->max_tokens - j->made))) {
        err_nomem(err);
        return -1;
    }
    for (;;) {
        int32_t id = sampler_pick(e->sampler, &j->sampling, &at, mask, logits);
        if (id < 0) err_set(err, ERR_INTERNAL, "the model gives no token a probability");
        if (id < 0 || !j->schema || tokenizer_ends(e->k, id)) return id;
        int rc = schema_take(j->schema, id);
        if (!rc) return id;
        if (rc != ERR_INVAL) {
            err_set(err, rc, "out of memory for the schema's states");
            return -1;
        }
        logits[id] = -INFINITY;
    }
}

static void sample(struct engine *e, struct engine_job *j)
{
    struct timeline *t = j->slot->t;
    struct err err = { 0 };
    int right = 0, guessed = j->n_guess, fed = timeline_len(t) - guessed;
    for (int r = 0;; r++) {
        int32_t id = choose(e, j, e->logits + (size_t)(j->row + r) * (size_t)e->vocab, &err);
        bool hit = r < guessed && j->guess[r] == id;
        right += hit;
        if (id < 0) leave(e, j, ENGINE_FAILED, &err);
        if (id < 0 || !take(e, j, id)) {
            timeline_cut(t, fed + right);
            return;
        }
        if (!hit) break;
    }
    timeline_cut(t, fed + right);
    lookup_told(&j->lookup, guessed, right);
    if (!guessed) return;
    pthread_mutex_lock(&j->lock);
    j->result.guessed += guessed;
    j->result.guessed_right += right;
    pthread_mutex_unlock(&j->lock);
}

static int left_to_read(const struct engine_job *j) { return j->n - timeline_len(j->slot->t); }
static bool answering(const struct engine_job *j) { return !j->keep && left_to_read(j) == 1; }

/* Rows of j's next ids, then of its guesses. */
static int add_rows(struct engine *e, struct engine_job *j, int at, int n, int *want)
{
    int len = timeline_len(j->slot->t);
    bool last = !j->keep && len + n == j->n;
    j->row = *want;
    j->n_rows = n;
    for (int i = 0; i < n; i++)
        e->rows[at++] =
            (struct decoder_row){ j->slot->t, j->ids[len + i], len + i, last && i == n - 1 };
    *want += last;
    for (int i = 0; i < j->n_guess; i++, ++*want)
        e->rows[at++] = (struct decoder_row){ j->slot->t, j->guess[i], len + n + i, true };
    return at;
}

/* All that answers. The guesses of all share what costs little beside one row. */
static int add_answers(struct engine *e, int *want)
{
    int jobs = 0, at = 0;
    for (int i = 0; i < e->o.slots; i++) jobs += e->slots[i].job && answering(e->slots[i].job);
    if (!jobs) return at;
    for (int i = 0; i < e->o.slots; i++) {
        struct engine_job *j = e->slots[i].job;
        if (!j || !answering(j)) continue;
        int most = ENGINE_GUESSES / jobs, room = j->max_tokens - j->made - 1;
        if (most > LOOKUP_MAX) most = LOOKUP_MAX;
        if (most > room) most = room;
        if (!j->no_lookup && most > 0)
            j->n_guess = lookup_guess(&j->lookup, j->ids, j->n, most, j->guess);
        at = add_rows(e, j, at, 1, want);
        j->payer->served += 1;
    }
    return at;
}

/* Slices of prompts, of those first whose accounts were served least. */
static int add_prompts(struct engine *e, int at, int *want)
{
    int budget = at ? e->o.slice : ENGINE_ROWS;
    if (budget > ENGINE_ROWS - at) budget = ENGINE_ROWS - at;
    while (budget > 0) {
        struct engine_job *best = NULL;
        for (int i = 0; i < e->o.slots; i++) {
            struct engine_job *j = e->slots[i].job;
            if (j && !j->n_rows && (!best || j->payer->served < best->payer->served)) best = j;
        }
        if (!best) break;
        int n = left_to_read(best) < budget ? left_to_read(best) : budget;
        at = add_rows(e, best, at, n, want);
        budget -= n;
        best->payer->served += n * PROMPT_COST;
        e->load.prompt_tokens += (uint64_t)n;
    }
    return at;
}

static void step(struct engine *e)
{
    struct err err = { 0 };
    int want = 0;
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < e->o.slots; i++)
        if (e->slots[i].job) e->slots[i].job->n_rows = e->slots[i].job->n_guess = 0;
    int n = add_answers(e, &want);
    n = add_prompts(e, n, &want);
    e->load.steps++;
    pthread_mutex_unlock(&e->lock);
    int rc = decoder_step(e->d, e->rows, n, e->logits, &err);
    for (int i = 0; i < e->o.slots; i++) {
        struct engine_job *j = e->slots[i].job;
        if (!j || !j->n_rows) continue;
        if (rc) {
            leave(e, j, ENGINE_FAILED, &err);
        } else if (j->keep && !left_to_read(j)) {
            int kept = engine_pin(e, j, &err);
            leave(e, j, kept ? ENGINE_FAILED : ENGINE_END, kept ? &err : NULL);
        } else if (!j->keep && left_to_read(j) + j->n_guess == 0) {
            sample(e, j);
        }
    }
}

/* Under the lock: take a job from the queue. */
static void unqueue(struct engine *e, struct engine_job *j)
{
    struct engine_job **p = &e->queue;
    while (*p != j) p = &(*p)->next;
    *p = j->next;
    j->payer->waiting--;
    e->waiting--;
}

static void drop_cancelled(struct engine *e, bool all)
{
    for (int i = 0; i < e->o.slots; i++) {
        struct engine_job *j = e->slots[i].job;
        if (j && (all || atomic_load(&j->cancel))) leave(e, j, ENGINE_CANCELLED, NULL);
    }
    pthread_mutex_lock(&e->lock);
    for (struct engine_job *j = e->queue, *next; j; j = next) {
        next = j->next;
        if (!all && !atomic_load(&j->cancel)) continue;
        unqueue(e, j);
        pthread_mutex_unlock(&e->lock);
        engine_finish(e, j, ENGINE_CANCELLED, NULL);
        pthread_mutex_lock(&e->lock);
        next = e->queue; /* it may have changed meanwhile */
    }
    pthread_mutex_unlock(&e->lock);
}

static void admit(struct engine *e, struct engine_job *j)
{
    struct err err = { 0 };
    int rc = ERR_NOTFOUND;
    pthread_mutex_lock(&j->lock);
    j->result.queued = clock_mono() - j->submitted;
    pthread_mutex_unlock(&j->lock);
    if (j->keep) rc = engine_pin(e, j, &err);
    if (!rc) {
        leave(e, j, ENGINE_END, NULL);
        return;
    }
    if (rc == ERR_NOTFOUND) rc = engine_seat(e, j, &err);
    if (!rc) {
        pthread_mutex_lock(&e->lock);
        e->load.reused_tokens += (uint64_t)timeline_len(j->slot->t);
        pthread_mutex_unlock(&e->lock);
    }
    if (rc) leave(e, j, ENGINE_FAILED, &err);
}

static int free_slots(const struct engine *e)
{
    int n = 0;
    for (int i = 0; i < e->o.slots; i++) n += !e->slots[i].job;
    return n;
}

/* Seat those whose turn it is; sleep while there is nothing to do. False: quit. */
static bool prepare(struct engine *e)
{
    for (;;) {
        struct engine_job *j = NULL;
        pthread_mutex_lock(&e->lock);
        while (!e->quit && !e->queue && free_slots(e) == e->o.slots)
            pthread_cond_wait(&e->work, &e->lock);
        bool quit = e->quit;
        if (!quit && free_slots(e) && engine_next_account(e, &j)) {
            unqueue(e, j);
            j->payer->running++;
            e->running++;
        }
        pthread_mutex_unlock(&e->lock);
        if (quit) return false;
        if (!j) return true;
        admit(e, j);
    }
}

void *engine_thread(void *arg)
{
    struct engine *e = arg;
    while (prepare(e)) {
        drop_cancelled(e, false);
        if (free_slots(e) < e->o.slots) step(e);
    }
    drop_cancelled(e, true);
    return NULL;
}
