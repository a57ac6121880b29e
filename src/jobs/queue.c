/* The queue: durable jobs on top of the rows in HOME/service.db.
 *
 * What it is for. Bringing a gigabyte of mail in, embedding it, forgetting somebody: these take
 * minutes to hours, must not hold up a request, and must not be lost when the connection, the
 * browser or the machine goes. So a request only writes down what is to be done, is answered with
 * 202 and the job's number, and whoever wants to know looks at the job, follows its events, or
 * comes back tomorrow.
 *
 * Why in SQLite, and not with a broker. The work changes the same home the job is about; one more
 * server to run, back up and keep in step would be more to break than it could save. A row is
 * written with a synced commit before the request is answered, and is found again after any crash.
 *
 * A job's life:
 *
 *     waiting --claim--> running --end--> done | failed | cancelled
 *        ^                  |
 *        +-- retry (later), released (closing), lease run out (its process died)
 *
 * A claim leases the job to one worker for JOB_LEASE seconds. The lease is renewed by progress, and
 * by a thread that does nothing else, so that a job may think for an hour between two ticks. When
 * it runs out, the worker is taken for dead and the job waits again, after a pause that grows; if
 * it was merely asleep, its next beat tells it that the lease is lost, and what it says from then
 * on is not heard. The store holds to that even if this file errs: every statement names the
 * worker.
 *
 * At least once. Between the last thing a job does and the commit that says so the power may fail,
 * so a kind must be able to run again (jobs.h). Exactly once is not on offer, here or elsewhere;
 * what is done twice must come to the same. `attempts` counts beginnings; a job that took its
 * process down each time is given up by the next worker that claims it, rather than taking down
 * every server for ever. What is merely in the way (busy, full, out of memory) is tried again after
 * 2, 8, 32 seconds; what is wrong fails at once, with the sentence that the work gave.
 *
 * Order. Never two running jobs of one persona: kinds need not mind each other, and the one writer
 * of the home is not fought over. Between accounts it is fair: who has fewest running comes first,
 * however many it has waiting; then priority; then age (store/service_claim.c). So priorities order
 * an account's own work and never push others aside.
 *
 * Cancelling. A waiting job is cancelled in the store, at once. A running one is marked; its worker
 * sees the mark at its next tick (from this process at once, from another within a second) and
 * stops where it leaves nothing half done. That may take until the end, and then it is done, not
 * cancelled.
 *
 * After the end. A kind may have kept something for its job (an upload); `over` takes it away, once
 * the end is written. The args, which name it, stay in the row until that is done, so whoever finds
 * an ended job with args knows that this is still due: after a crash, or when a command line
 * without workers cancelled what was waiting.
 *
 * Closing asks running jobs to stop and gives them back without counting the attempt, so a restart
 * for an update costs no job anything but the time since its last commit.
 *
 * Who sees what. Every change of a job in this process is a "turn", which wakes whoever waits for
 * one: idle workers, jobs_wait, the watcher. Changes by other processes (a command line beside a
 * server) are seen by the watcher, which looks at a counter in the store once a second (watch.c).
 *
 * Threads: `workers` of worker_main, one heart_main if there are any, one watcher_main; all signals
 * are blocked in them. Locks: watch_mu before mu; neither is held while a job runs. mu is never
 * held while the store is asked; watch_mu may be. The store's own lock is innermost. */
#include "base/threads.h"
#include "jobs/inside.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- turns ---- */

void turn_next(struct jobs *q)
{
    pthread_mutex_lock(&q->mu);
    q->turns++;
    pthread_cond_broadcast(&q->turn);
    pthread_mutex_unlock(&q->mu);
}

uint64_t turn_wait(struct jobs *q, uint64_t was, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (q->turns == was && !pthread_cond_timedwait(&q->turn, &q->mu, &until)) continue;
    return q->turns;
}

/* ---- opening and closing ---- */

const struct job_kind *kind_of(const struct jobs *q, const char *name)
{
    for (size_t i = 0; q->kinds && q->kinds[i]; i++)
        if (!strcmp(q->kinds[i]->name, name)) return q->kinds[i];
    return NULL;
}

static char *names_of(const struct job_kind *const *kinds)
{
    struct buf b = BUF_INIT(1 << 16);
    buf_adds(&b, "");
    for (size_t i = 0; kinds && kinds[i]; i++) buf_printf(&b, "%s%s", i ? "," : "", kinds[i]->name);
    return buf_take(&b);
}

static struct jobs *queue_new(struct service *sv, const struct job_kind *const *kinds, void *world,
                              int workers)
{
    pthread_condattr_t attr;
    struct jobs *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    q->sv = sv;
    q->kinds = kinds;
    q->world = world;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->turn, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&q->mu, NULL);
    pthread_mutex_init(&q->watch_mu, NULL);
    q->names = names_of(kinds);
    q->worker = calloc((size_t)workers + 1, sizeof *q->worker);
    if (q->names && q->worker) return q;
    jobs_close(q);
    return NULL;
}

static int start_workers(struct jobs *q, int workers, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < workers && !rc; i++) {
        struct worker *w = &q->worker[i];
        w->q = q;
        while (w->token <= 0) randombytes_buf(&w->token, sizeof w->token);
        pthread_mutex_lock(&q->mu);
        rc = thread_start(&w->thread, worker_main, w, err);
        if (!rc) q->n_workers++;
        pthread_mutex_unlock(&q->mu);
    }
    if (!rc && workers > 0) {
        rc = thread_start(&q->heart, heart_main, q, err);
        q->has_heart = !rc;
    }
    return rc;
}

int jobs_open(struct service *sv, const struct job_kind *const *kinds, void *world, int workers,
              struct jobs **out, struct err *err)
{
    struct jobs *q = queue_new(sv, kinds, world, workers);
    *out = q; /* before there are workers: their jobs may submit others */
    if (!q) return err_nomem(err);
    int rc = start_workers(q, workers, err);
    if (!rc) {
        rc = thread_start(&q->watcher, watcher_main, q, err);
        q->has_watcher = !rc;
    }
    if (rc) {
        *out = NULL;
        jobs_close(q);
    }
    return rc;
}

static void stop_one(struct jobs *q, bool *flag, bool running, pthread_t t)
{
    pthread_mutex_lock(&q->mu);
    *flag = true;
    pthread_mutex_unlock(&q->mu);
    turn_next(q);
    if (running) pthread_join(t, NULL);
}

void jobs_close(struct jobs *q)
{
    if (!q) return;
    pthread_mutex_lock(&q->mu);
    int n = q->n_workers;
    for (int i = 0; i < n; i++) q->worker[i].stop = true;
    pthread_mutex_unlock(&q->mu);
    turn_next(q);
    for (int i = 0; i < n; i++) pthread_join(q->worker[i].thread, NULL);
    stop_one(q, &q->heart_stop, q->has_heart, q->heart);
    stop_one(q, &q->watch_stop, q->has_watcher, q->watcher);
    watch_all_over(q);
    pthread_cond_destroy(&q->turn);
    pthread_mutex_destroy(&q->watch_mu);
    pthread_mutex_destroy(&q->mu);
    free(q->worker);
    free(q->names);
    free(q);
}

struct service *jobs_service(struct jobs *q) { return q->sv; }

/* ---- asking ---- */

static int check_ask(const struct jobs *q, const struct job_ask *a, struct err *err)
{
    struct row_job r;
    const char *args = a->args ? a->args : "{}";
    if (strlen(a->kind) >= sizeof r.kind || (q->kinds && !kind_of(q, a->kind)))
        return err_set(err, ERR_INVAL, "there is no such kind of job");
    json_t *j = json_loads(args, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(j);
    json_decref(j);
    return good ? 0 : err_set(err, ERR_INVAL, "the arguments of a job are a JSON object");
}

int jobs_submit(struct jobs *q, const struct job_ask *a, int64_t *id, struct err *err)
{
    const struct job_kind *k = kind_of(q, a->kind);
    struct row_job r = { .account = a->account,
                         .priority = a->priority + (k ? k->priority : 0),
                         .args = a->args ? a->args : "{}" };
    int rc = check_ask(q, a, err);
    if (rc) return rc;
    r.args_n = strlen(r.args);
    snprintf(r.kind, sizeof r.kind, "%s", a->kind);
    if (a->persona) memcpy(r.persona, a->persona, VAULT_UID);
    if (a->delay > 0) r.run_at = service_now(q->sv) + a->delay;
    rc = service_job_put(q->sv, &r, a->once, a->max_waiting, err);
    if (rc) return rc;
    if (id) *id = r.id;
    turn_next(q);
    return 0;
}

int jobs_cancel(struct jobs *q, int64_t id, struct err *err)
{
    int rc = service_job_cancel(q->sv, id, NULL, err);
    if (rc) return rc;
    worker_note(q, &(struct row_job){ .id = id, .cancel = true });
    turn_next(q);
    return 0;
}

static int take_state(void *ud, const struct row_job *r)
{
    *(enum job_state *)ud = r->state;
    return 0;
}

int jobs_wait(struct jobs *q, int64_t id, int ms, struct err *err)
{
    double until = clock_mono() + ms / 1e3, left = 60;
    for (;;) {
        enum job_state state = JOB_WAITING;
        pthread_mutex_lock(&q->mu);
        uint64_t turn = q->turns;
        pthread_mutex_unlock(&q->mu);
        int rc = service_job_get(q->sv, id, take_state, &state, err);
        if (rc || job_is_over(state)) return rc;
        if (ms >= 0 && (left = until - clock_mono()) <= 0)
            return err_set(err, ERR_BUSY, "the job %lld is not over yet", (long long)id);
        pthread_mutex_lock(&q->mu);
        turn_wait(q, turn, left);
        pthread_mutex_unlock(&q->mu);
    }
}
