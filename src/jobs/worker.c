/* Workers: one job after the other, and the heart that keeps their leases.
 *
 * A job hears that it is to end from its next tick: because somebody cancelled it, because the
 * lease was lost (the machine slept, say, and another worker has it), or because the queue closes.
 * What it then returns is judged by that: cancelled it is over, lost it is no longer ours to speak
 * of, closing gives it back as if it had not begun. A job that ticks seldom keeps its lease all the
 * same: the heart renews all of them three times in a lease.
 *
 * The end of an attempt must be written down, or the work is done again: when the disk is full it
 * is tried until it works, with the lease held meanwhile. */
#include "jobs/inside.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY 0.25 /* seconds between writes of progress */
#define TELL_STAGE 0.1  /* when the stage is another */
#define KEEP_DAYS  30   /* that an ended job can be looked at */
#define BEGUN_MAX  10   /* attempts that ended with their process */
#define RESULT_MAX ((size_t)1 << 20)

/* ---- progress ---- */

static bool must_end(struct worker *w) { return w->cancel || w->lost || w->stop; }

static void beat(struct worker *w, const char *stage, uint64_t done, uint64_t total,
                 const char *unit)
{
    bool cancel = false;
    int rc = service_job_beat(w->q->sv, w->id, w->token, JOB_LEASE, stage, done, total, unit,
                              &cancel, NULL);
    if (rc == ERR_NOTFOUND) w->lost = true;
    if (!rc && cancel) w->cancel = true;
    w->told = clock_mono();
    snprintf(w->stage, sizeof w->stage, "%s", stage);
    turn_next(w->q);
}

static int tick(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    struct worker *w = ud;
    if (must_end(w)) return ERR_CANCEL;
    if (!stage) stage = "";
    double since = clock_mono() - w->told;
    bool other = strncmp(stage, w->stage, sizeof w->stage - 1) != 0;
    if (since < (other ? TELL_STAGE : TELL_EVERY)) return 0;
    beat(w, stage, done, total, unit);
    return must_end(w) ? ERR_CANCEL : 0;
}

bool worker_note(struct jobs *q, const struct row_job *r)
{
    bool ours = false;
    pthread_mutex_lock(&q->mu);
    for (int i = 0; i < q->n_workers; i++) {
        if (q->worker[i].id != r->id) continue;
        ours = true;
        if (r->cancel) q->worker[i].cancel = true;
    }
    pthread_mutex_unlock(&q->mu);
    return ours;
}

static void renew(struct jobs *q, struct worker *w)
{
    bool cancel = false;
    pthread_mutex_lock(&q->mu);
    int64_t id = w->id;
    uint64_t run = w->run;
    pthread_mutex_unlock(&q->mu);
    if (!id) return;
    int rc = service_job_beat(q->sv, id, w->token, JOB_LEASE, NULL, 0, 0, NULL, &cancel, NULL);
    pthread_mutex_lock(&q->mu);
    if (w->run == run && w->id == id) { /* still that job */
        if (rc == ERR_NOTFOUND) w->lost = true;
        if (!rc && cancel) w->cancel = true;
    }
    pthread_mutex_unlock(&q->mu);
}

/* Once an hour, beginning at the start: what is long over goes. */
static void tidy(struct jobs *q, double *due)
{
    if (clock_mono() < *due) return;
    *due = clock_mono() + 3600;
    service_jobs_tidy(q->sv, service_now(q->sv) - KEEP_DAYS * 86400, NULL);
}

void *heart_main(void *ud)
{
    struct jobs *q = ud;
    double due = 0;
    tidy(q, &due);
    pthread_mutex_lock(&q->mu);
    while (!q->heart_stop) {
        double until = clock_mono() + JOB_LEASE / 3.0, left = until;
        while (!q->heart_stop && (left = until - clock_mono()) > 0) turn_wait(q, q->turns, left);
        if (q->heart_stop) break;
        pthread_mutex_unlock(&q->mu);
        for (int i = 0; i < q->n_workers; i++) renew(q, &q->worker[i]);
        tidy(q, &due);
        pthread_mutex_lock(&q->mu);
    }
    pthread_mutex_unlock(&q->mu);
    return NULL;
}

/* ---- the end of an attempt ---- */

static bool may_pass(int rc)
{
    return rc == ERR_BUSY || rc == ERR_IO || rc == ERR_FULL || rc == ERR_NOMEM || rc == ERR_AWAY;
}

/* 2, 8, 32, ... seconds */
static int64_t backoff(int attempts)
{
    int n = attempts < 1 ? 0 : attempts > 5 ? 4 : attempts - 1;
    return (int64_t)2 << 2 * n;
}

static void put_error(struct buf *out, int code, const char *message)
{
    json_t *j = json_pack("{s:{s:s, s:s}}", "error", "code", err_name(code), "message",
                          *message ? message : err_text(code));
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    buf_clear(out);
    buf_adds(out, text ? text : "{\"error\":{\"code\":\"NOMEM\",\"message\":\"out of memory\"}}");
    free(text);
    json_decref(j);
}

static int end_written(struct worker *w, const struct row_job *job, enum job_state state,
                       int64_t run_at, const struct buf *result)
{
    struct jobs *q = w->q;
    for (;;) {
        int rc = service_job_end(q->sv, job->id, w->token, state, run_at, buf_str(result),
                                 result->n, NULL);
        if (!may_pass(rc) || w->stop) return rc;
        pthread_mutex_lock(&q->mu);
        turn_wait(q, q->turns, 1.0);
        pthread_mutex_unlock(&q->mu);
    }
}

static void settle(struct jobs *q, const struct job_kind *k, const struct row_job *job,
                   enum job_state state)
{
    if (k && k->over) k->over(q->world, job, state);
    service_job_settled(q->sv, job->id, NULL); /* else the next start does both again */
}

static void end_job(struct worker *w, const struct job_kind *k, const struct row_job *job,
                    enum job_state state, const struct buf *result)
{
    if (!end_written(w, job, state, CLOCK_NONE, result)) settle(w->q, k, job, state);
}

static void fail_job(struct worker *w, const struct job_kind *k, const struct row_job *job,
                     int code, const char *message)
{
    struct buf result = BUF_INIT(RESULT_MAX);
    put_error(&result, code, message);
    end_job(w, k, job, JOB_FAILED, &result);
    buf_free(&result);
}

static bool is_object(const struct buf *b)
{
    json_t *j = json_loadb(buf_str(b), b->n, JSON_REJECT_DUPLICATES, NULL);
    bool yes = json_is_object(j);
    json_decref(j);
    return yes;
}

static void done_job(struct worker *w, const struct job_kind *k, const struct row_job *job,
                     struct buf *result)
{
    if (!result->n) buf_adds(result, "{}");
    if (result->failed || !is_object(result))
        fail_job(w, k, job, ERR_INTERNAL, "the job's result is not a JSON object");
    else end_job(w, k, job, JOB_DONE, result);
}

static void run_job(struct worker *w, const struct job_kind *k, const struct row_job *job)
{
    struct buf result = BUF_INIT(RESULT_MAX), none = BUF_INIT(0);
    const struct progress p = { tick, w };
    struct job_run r = { .job = job, .world = w->q->world, .progress = &p, .result = &result };
    struct err e = { 0 };
    int most = k->attempts > 0 ? k->attempts : 1, rc = k->run(&r, &e);
    if (w->lost && rc) goto out; /* another worker has it */
    if (!rc) done_job(w, k, job, &result);
    else if (w->cancel && rc == ERR_CANCEL) end_job(w, k, job, JOB_CANCELLED, &none);
    else if (w->stop && rc == ERR_CANCEL)
        service_job_release(w->q->sv, job->id, w->token, NULL); /* else its lease runs out */
    else if (may_pass(rc) && job->attempts < most)
        end_written(w, job, JOB_WAITING, service_now(w->q->sv) + backoff(job->attempts), &none);
    else fail_job(w, k, job, rc, e.msg);
out:
    buf_free(&result);
}

/* Read again: a worker of ours may have settled it just now. */
static void settle_other(struct jobs *q, int64_t id)
{
    struct row_job job;
    if (job_load(q->sv, id, &job, NULL)) return;
    if (job.args_n) settle(q, kind_of(q, job.kind), &job, job.state);
    job_clear(&job);
}

void settle_others(struct jobs *q, const struct job_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct row_job *job = &l->job[i];
        bool ours = worker_note(q, job);
        if (q->n_workers && !ours && job->args_n && job_is_over(job->state))
            settle_other(q, job->id);
    }
}

/* ---- a worker ---- */

/* A process that died during each attempt could not say so: the next one does. */
static void take_up(struct worker *w, const struct row_job *job)
{
    const struct job_kind *k = kind_of(w->q, job->kind);
    struct buf none = BUF_INIT(0);
    int most = k && k->attempts > BEGUN_MAX ? k->attempts : BEGUN_MAX;
    if (!k) fail_job(w, k, job, ERR_INTERNAL, "there is no such kind of job");
    else if (job->cancel) end_job(w, k, job, JOB_CANCELLED, &none);
    else if (job->attempts > most)
        fail_job(w, k, job, ERR_INTERNAL,
                 "given up: the process ended during each attempt (killed, or out of memory)");
    else run_job(w, k, job);
}

static void at_hand(struct worker *w, int64_t id)
{
    pthread_mutex_lock(&w->q->mu);
    w->id = id;
    w->run++;
    w->cancel = w->lost = false;
    pthread_mutex_unlock(&w->q->mu);
    w->told = 0;
    *w->stage = 0;
}

static void work_on(struct worker *w, int64_t id)
{
    struct row_job job;
    struct err e = { 0 };
    at_hand(w, id);
    turn_next(w->q);
    int rc = job_load(w->q->sv, id, &job, &e);
    if (!rc) take_up(w, &job);
    else if (rc == ERR_NOMEM) service_job_release(w->q->sv, id, w->token, NULL);
    else { /* damaged; if it is gone this does nothing */ job.id = id;
        fail_job(w, NULL, &job, rc, e.msg);
    }
    job_clear(&job);
    at_hand(w, 0);
    turn_next(w->q);
}

void *worker_main(void *ud)
{
    struct worker *w = ud;
    struct jobs *q = w->q;
    pthread_mutex_lock(&q->mu);
    while (!w->stop) {
        uint64_t turn = q->turns;
        int64_t id = 0;
        int wait = 0;
        pthread_mutex_unlock(&q->mu);
        int rc = service_job_claim(q->sv, q->names, w->token, JOB_LEASE, &id, &wait, NULL);
        if (!rc && id) work_on(w, id);
        pthread_mutex_lock(&q->mu);
        if (rc) turn = q->turns; /* busy, or no room: a moment, whatever else happens */
        if (!id && !w->stop) turn_wait(q, turn, rc ? 2.0 : wait);
    }
    pthread_mutex_unlock(&q->mu);
    return NULL;
}
