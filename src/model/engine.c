/* The engine's front: options, jobs, queue. The thread behind it is engine_run.c, its timelines are
 * engine_slots.c.
 *
 * Who may touch what. A job is made by engine_submit in the caller's thread (rendering, tokenising
 * and compiling a schema cost time that the engine's thread should not give), then belongs to the
 * engine's thread but for three things under the job's own lock: its text, its result, and the
 * condition on which a reader waits. The queue and the accounts are under the engine's lock, which
 * is never held during a step. Locks are not nested but for the engine's outside of a job's.
 *
 * A job has two holders, the engine and the caller, and goes with the last; so a caller may leave
 * early, and may read on after the engine is gone.
 *
 * Fair queueing: each account's meter counts tokens that were computed for it, those of prompts at
 * a quarter since they come many at a time. Of the accounts that wait, the one with the lowest
 * meter is next, and its oldest job. An account that comes anew starts at the lowest meter of those
 * present: absence saves up nothing. And where there are four slots or more, one account never
 * takes the last of them, so that another finds a seat at once. */
#include "model/engine_impl.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_MAX = 1024 };

static int settle(struct engine *e, struct err *err)
{
    const struct decoder_facts *f = decoder_facts(e->d);
    struct engine_opts *o = &e->o;
    if (o->slots < 0 || o->ctx < 0 || o->slice < 0 || o->queue < 0 || o->queue_account < 0 ||
        o->prefixes < 0)
        return err_set(err, ERR_INVAL, "an option of the engine is negative");
    if (!o->kv) o->kv = QUANT_F16;
    if (!o->ctx) o->ctx = 8192;
    if (f->context > 0 && o->ctx > f->context) o->ctx = f->context;
    if (!o->memory) o->memory = (size_t)2 << 30;
    if (!o->slice) o->slice = 64;
    if (o->slice > ENGINE_ROWS) o->slice = ENGINE_ROWS;
    if (!o->queue) o->queue = 64;
    if (!o->queue_account) o->queue_account = (o->queue + 3) / 4;
    if (!o->prefixes) o->prefixes = 8;
    double one = (double)decoder_cache_bytes(e->d, o->ctx, o->kv);
    double fit = (double)o->memory / (one + 1);
    if (fit < 1)
        return err_set(err, ERR_LIMIT,
                       "a conversation of %d tokens needs %.2f GB of cache and may have %.2f: "
                       "choose a shorter context, a cache of type q8_0, or give more memory",
                       o->ctx, one / 1e9, (double)o->memory / 1e9);
    if (!o->slots) o->slots = 8;
    if (o->slots > ENGINE_SLOTS) o->slots = ENGINE_SLOTS;
    if (o->slots > fit) o->slots = (int)fit;
    return 0;
}

int engine_new(struct decoder *d, const struct template *t, const struct engine_opts *o,
               struct engine **out, struct err *err)
{
    *out = NULL;
    struct engine *e = calloc(1, sizeof *e);
    if (!e) return err_nomem(err);
    e->d = d;
    e->k = decoder_tokenizer(d);
    e->t = t;
    e->o = o ? *o : (struct engine_opts){ 0 };
    e->vocab = decoder_facts(d)->vocab;
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->words_lock, NULL);
    pthread_cond_init(&e->work, NULL);
    int rc = settle(e, err);
    if (rc) goto out;
    e->slots = calloc((size_t)e->o.slots, sizeof *e->slots);
    e->pins = calloc((size_t)e->o.prefixes, sizeof *e->pins);
    size_t want = (size_t)e->o.slots + ENGINE_GUESSES;
    e->rows = calloc(ENGINE_ROWS, sizeof *e->rows);
    e->logits = malloc(want * (size_t)e->vocab * sizeof *e->logits);
    if (!e->slots || !e->pins || !e->rows || !e->logits) {
        rc = err_nomem(err);
        goto out;
    }
    if ((rc = sampler_new(e->vocab, &e->sampler, err))) goto out;
    if ((errno = pthread_create(&e->thread, NULL, engine_thread, e))) {
        rc = err_errno(err, "cannot start the engine's thread");
        goto out;
    }
    e->started = true;
    *out = e;
    return 0;
out:
    engine_free(e);
    return rc;
}

void engine_free(struct engine *e)
{
    if (!e) return;
    if (e->started) {
        pthread_mutex_lock(&e->lock);
        e->quit = true;
        pthread_cond_signal(&e->work);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    }
    for (int i = 0; e->slots && i < e->o.slots; i++) timeline_free(e->slots[i].t);
    for (int i = 0; e->pins && i < e->o.prefixes; i++) timeline_free(e->pins[i].t);
    for (struct account *a = e->accounts, *next; a; a = next) {
        next = a->next;
        free(a);
    }
    schema_vocab_free(e->words);
    sampler_free(e->sampler);
    free(e->slots);
    free(e->pins);
    free(e->rows);
    free(e->logits);
    pthread_cond_destroy(&e->work);
    pthread_mutex_destroy(&e->words_lock);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

int engine_ctx(const struct engine *e) { return e->o.ctx; }
int engine_slots(const struct engine *e) { return e->o.slots; }

void engine_load(struct engine *e, struct engine_load *out)
{
    pthread_mutex_lock(&e->lock);
    *out = e->load;
    out->running = e->running;
    out->waiting = e->waiting;
    out->slots = e->o.slots;
    pthread_mutex_unlock(&e->lock);
}

static struct engine_job *job_new(void)
{
    struct engine_job *j = calloc(1, sizeof *j);
    pthread_condattr_t attr;
    if (!j) return NULL;
    atomic_init(&j->refs, 1);
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->news, &attr);
    pthread_condattr_destroy(&attr);
    j->text = j->piece = j->out = BUF_INIT((size_t)64 << 20);
    j->submitted = clock_mono();
    return j;
}

void engine_job_unref(struct engine_job *j)
{
    if (atomic_fetch_sub(&j->refs, 1) != 1) return;
    if (j->ids) explicit_bzero(j->ids, (size_t)(j->n_prompt + j->max_tokens) * sizeof *j->ids);
    free(j->ids);
    free(j->bias);
    schema_free(j->schema);
    stops_clear(&j->stops);
    buf_free(&j->piece);
    buf_free(&j->out);
    buf_free(&j->text);
    explicit_bzero(&j->hold, sizeof j->hold);
    pthread_cond_destroy(&j->news);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* The ids of the prompt, dropping what must go; at first so that the whole answer has room. */
static int take_prompt(struct engine *e, const struct engine_ask *a, struct engine_job *j,
                       struct err *err)
{
    struct template_ids ids = { 0 };
    int ctx = e->o.ctx, rc = 0, answer = j->max_tokens < ctx / 2 ? j->max_tokens : ctx / 2;
    int least = answer < 16 ? answer : 16;
    if (a->n_parts) {
        if (!e->t)
            return err_set(err, ERR_INVAL,
                           "the model's chat template is not known; set one by name");
        struct template_opts o = { .room = (size_t)(ctx - answer), .think = a->think };
        rc = template_render(e->t, e->k, a->parts, a->n_parts, &o, &ids, err);
        if (rc == ERR_LIMIT && least < answer) {
            o.room = (size_t)(ctx - least);
            rc = template_render(e->t, e->k, a->parts, a->n_parts, &o, &ids, err);
        }
        if (rc) return rc;
    }
    size_t n = a->n_parts ? ids.n : a->n_ids;
    if (!n) rc = err_set(err, ERR_INVAL, "the prompt is empty");
    else if (n > (size_t)(ctx - least))
        rc = err_set(err, ERR_LIMIT, "the prompt has %zu tokens, and the context has %d", n, ctx);
    for (size_t i = 0; !rc && !a->n_parts && i < n; i++)
        if (a->ids[i] < 0 || a->ids[i] >= e->vocab)
            rc = err_set(err, ERR_INVAL, "token %d of the prompt is not in the vocabulary",
                         (int)a->ids[i]);
    if (rc) goto out;
    j->n_prompt = j->n = (int)n;
    if (j->max_tokens > ctx - j->n) j->max_tokens = ctx - j->n;
    j->ids = malloc((n + (size_t)j->max_tokens) * sizeof *j->ids);
    if (!j->ids) {
        rc = err_nomem(err);
        goto out;
    }
    memcpy(j->ids, a->n_parts ? ids.ids : a->ids, n * sizeof *j->ids);
    j->result.prompt_tokens = j->n;
    j->result.dropped_parts = ids.dropped;
out:
    template_ids_free(&ids);
    return rc;
}

static int take_schema(struct engine *e, const struct engine_ask *a, struct engine_job *j,
                       struct err *err)
{
    pthread_mutex_lock(&e->words_lock);
    int rc = e->words ? 0 : schema_vocab_new(e->k, &e->words, err);
    pthread_mutex_unlock(&e->words_lock);
    if (!rc) rc = schema_open(e->words, a->schema, a->n_schema, &j->schema, err);
    if (!rc) rc = schema_start(j->schema, j->max_tokens, err);
    return rc;
}

static int job_of(struct engine *e, const struct engine_ask *a, struct engine_job *j,
                  struct err *err)
{
    j->max_tokens = a->max_tokens ? a->max_tokens : 512;
    if (j->max_tokens < 0) return err_set(err, ERR_INVAL, "max_tokens is %d", a->max_tokens);
    if (!e->k) return err_set(err, ERR_INVAL, "the model's file has no tokenizer");
    int rc = sampler_check(&a->sampling, e->vocab, err);
    if (!rc) rc = stops_init(&j->stops, a->stop, a->schema ? 0 : a->n_stop, err);
    if (!rc) rc = take_prompt(e, a, j, err);
    if (!rc && a->schema) rc = take_schema(e, a, j, err);
    if (rc) return rc;
    j->sampling = a->sampling;
    if (a->sampling.n_bias > 0) {
        j->bias = mem_dup(a->sampling.bias, (size_t)a->sampling.n_bias * sizeof *j->bias);
        if (!j->bias) return err_nomem(err);
        j->sampling.bias = j->bias;
    }
    j->account = a->account;
    j->no_lookup = a->no_lookup;
    j->hold.begun = !a->n_parts; /* ready ids: the text goes on */
    j->wake = a->wake;
    j->wake_ud = a->wake_ud;
    buf_reserve(&j->text, 4096);
    buf_reserve(&j->piece, 1024);
    buf_reserve(&j->out, 1024);
    buf_reserve(&j->stops.held, 1024);
    return 0;
}

/* Under the lock. An idle account is forgotten when there are too many. */
static struct account *account_of(struct engine *e, uint64_t key)
{
    struct account *a, **spare = NULL;
    double low = -1;
    for (struct account **p = &e->accounts; *p; p = &(*p)->next) {
        a = *p;
        if (a->key == key) return a;
        if (a->waiting + a->running == 0) spare = p;
        else if (low < 0 || a->served < low) low = a->served;
    }
    if (e->n_accounts >= ACCOUNTS_MAX && spare) {
        a = *spare;
        *spare = a->next;
    } else {
        a = malloc(sizeof *a);
        if (!a) return NULL;
        e->n_accounts++;
    }
    *a = (struct account){ .key = key, .served = low < 0 ? 0 : low, .next = e->accounts };
    return e->accounts = a;
}

static int enqueue(struct engine *e, struct engine_job *j, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&e->lock);
    struct account *a = account_of(e, j->account);
    double low = -1;
    if (!a) {
        rc = err_nomem(err);
        goto out;
    }
    if (!j->keep && (e->waiting >= e->o.queue || a->waiting >= e->o.queue_account)) {
        double s = e->job_seconds * (a->waiting + 1) / e->o.slots;
        rc =
            err_set(err, ERR_BUSY, "%d requests wait already; try again in %d s",
                    e->waiting >= e->o.queue ? e->waiting : a->waiting, s > 1 ? (int)(s + 0.5) : 1);
        goto out;
    }
    for (struct account *b = e->accounts; b; b = b->next)
        if (b->waiting + b->running && (low < 0 || b->served < low)) low = b->served;
    if (!(a->waiting + a->running) && a->served < low) a->served = low;
    struct engine_job **p = &e->queue;
    while (*p) p = &(*p)->next;
    *p = j;
    j->payer = a;
    a->waiting++;
    e->waiting++;
    e->load.jobs++;
    atomic_fetch_add(&j->refs, 1);
    pthread_cond_signal(&e->work);
out:
    pthread_mutex_unlock(&e->lock);
    return rc;
}

struct account *engine_next_account(struct engine *e, struct engine_job **job)
{
    struct engine_job *best = NULL;
    int most = e->o.slots >= 4 ? e->o.slots - 1 : e->o.slots;
    for (struct engine_job *j = e->queue; j; j = j->next)
        if (j->payer->running < most && (!best || j->payer->served < best->payer->served)) best = j;
    *job = best;
    return best ? best->payer : NULL;
}

int engine_submit(struct engine *e, const struct engine_ask *a, struct engine_job **out,
                  struct err *err)
{
    *out = NULL;
    struct engine_job *j = job_new();
    if (!j) return err_nomem(err);
    int rc = job_of(e, a, j, err);
    if (!rc) rc = enqueue(e, j, err);
    if (rc) engine_job_unref(j);
    else *out = j;
    return rc;
}

int engine_read(struct engine_job *j, struct buf *text, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&j->lock);
    while (!j->text.n && j->result.stop == ENGINE_RUNNING) {
        if (ms < 0) pthread_cond_wait(&j->news, &j->lock);
        else if (pthread_cond_timedwait(&j->news, &j->lock, &until)) break;
    }
    int more = j->text.n || j->result.stop == ENGINE_RUNNING;
    buf_add(text, j->text.p, j->text.n);
    buf_clear(&j->text);
    pthread_mutex_unlock(&j->lock);
    return more;
}

void engine_cancel(struct engine_job *j) { atomic_store(&j->cancel, true); }

const struct engine_result *engine_result(struct engine_job *j)
{
    pthread_mutex_lock(&j->lock);
    j->seen = j->result;
    pthread_mutex_unlock(&j->lock);
    return &j->seen;
}

void engine_job_free(struct engine_job *j)
{
    if (!j) return;
    engine_cancel(j);
    engine_job_unref(j);
}

/* The ids that every conversation which opens with these parts begins with: what two of them have
 * in common. */
static int common_ids(struct engine *e, const struct template_part *parts, size_t n,
                      struct engine_job *j, struct err *err)
{
    struct template_ids a = { 0 }, b = { 0 };
    struct template_part *p = malloc((n + 1) * sizeof *p);
    struct template_opts o = { .room = (size_t)e->o.ctx };
    int rc = 0;
    if (!p) {
        rc = err_nomem(err);
        goto out;
    }
    if (n) memcpy(p, parts, n * sizeof *p);
    p[n] = (struct template_part){ TEMPLATE_USER, "a", 1, false, 0 };
    if ((rc = template_render(e->t, e->k, p, n + 1, &o, &a, err))) goto out;
    p[n].s = "9";
    if ((rc = template_render(e->t, e->k, p, n + 1, &o, &b, err))) goto out;
    int same = 0;
    while ((size_t)same < a.n && (size_t)same < b.n && a.ids[same] == b.ids[same]) same++;
    if (!same) {
        rc = err_set(err, ERR_INVAL, "conversations of this model do not begin alike");
        goto out;
    }
    j->ids = a.ids;
    a.ids = NULL;
    j->n = j->n_prompt = same;
out:
    free(p);
    template_ids_free(&a);
    template_ids_free(&b);
    return rc;
}

int engine_keep(struct engine *e, const struct template_part *parts, size_t n, const void *saved,
                size_t n_saved, struct buf *save, struct err *err)
{
    if (!e->t || !e->k)
        return err_set(err, ERR_INVAL, "the model's chat template is not known; set one by name");
    struct engine_job *j = job_new();
    if (!j) return err_nomem(err);
    j->keep = true;
    j->saved = saved;
    j->n_saved = n_saved;
    j->save = save;
    int rc = common_ids(e, parts, n, j, err);
    if (!rc) rc = enqueue(e, j, err);
    if (!rc) {
        struct buf none = BUF_INIT(0);
        while (engine_read(j, &none, -1)) {}
        buf_free(&none);
        const struct engine_result *r = engine_result(j);
        if (r->stop == ENGINE_FAILED) rc = err_set(err, r->err.code, "%s", r->err.msg);
        else if (r->stop != ENGINE_END) rc = err_set(err, ERR_CANCEL, "the engine was stopped");
    }
    engine_job_free(j);
    return rc;
}
