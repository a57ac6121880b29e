/* Jobs: long work that outlives the request, the connection and the process that asked for it.
 *
 *     static const struct job_kind INGEST = { "ingest", run_ingest, .attempts = 3, .priority = 0 };
 *     const struct job_kind *kinds[] = { &INGEST, NULL };
 *     jobs_open(service, kinds, world, 1, &q, err);            starts one worker thread
 *     jobs_submit(q, &(struct job_ask){ .kind = "ingest", .persona = uid, .args = "{...}" }, &id,
 *                 err);                                        durable when it returns
 *     jobs_watch(q, id, account, on_change, ud, &w, err);      ... jobs_unwatch(w);
 *     jobs_close(q);       asks running ones to stop; they go back and are taken up again later
 *
 * Semantics: at least once. A job is leased to a worker for LEASE seconds; progress renews it; when
 * the process dies the lease runs out and another worker takes the job up (attempts counts). A kind
 * must therefore be able to run twice: what it does is keyed by the job or is known again. Errors
 * that may pass (ERR_BUSY, ERR_IO, ERR_FULL, ERR_NOMEM) are retried after 2, 8, 32, ... seconds until
 * `attempts`; all others fail at once. */
#ifndef LK_JOBS_JOBS_H
#define LK_JOBS_JOBS_H

#include "base/progress.h"
#include "store/service.h"

#define JOB_LEASE 30 /* seconds */

struct job_run {
    const struct row_job *job;       /* as claimed; args are JSON */
    void *world;                     /* as given to jobs_open */
    const struct progress *progress; /* tick it: it renews the lease, and says ERR_CANCEL */
    struct buf *result;              /* JSON object to be stored; empty: {} */
};

struct job_kind {
    const char *name; /* at most 23 characters */
    const char *help; /* "brings a file in" */
    int (*run)(struct job_run *r, struct err *err);
    /* After the last attempt, however it ended: remove what the job had kept. NULL: nothing. */
    void (*over)(void *world, const struct row_job *job, enum job_state state);
    int attempts; /* 0: 1 */
    int priority;
};

struct jobs;
/* workers 0: only submits and watches (a command line beside a server). */
int jobs_open(struct service *sv, const struct job_kind *const *kinds, void *world, int workers,
              struct jobs **out, struct err *err);
void jobs_close(struct jobs *q); /* accepts NULL; waits for running ones to stop */

struct job_ask {
    const char *kind;
    int64_t account;
    const uint8_t *persona; /* NULL: none */
    const char *args;       /* JSON object; NULL: {} */
    int priority;           /* added to the kind's */
    bool once;              /* see service_job_put */
    int max_waiting;        /* of this account; 0: any */
    int delay;              /* seconds */
};
int jobs_submit(struct jobs *q, const struct job_ask *a, int64_t *id, struct err *err);
int jobs_cancel(struct jobs *q, int64_t id, struct err *err);

/* Called from a thread of jobs, soon after a change: once for each job that changed, with its row.
 * Must be quick and must not call jobs_*. Watches all jobs of account (id 0) or one. */
struct jobs_watch;
int jobs_watch(struct jobs *q, int64_t id, int64_t account /* -1: all */,
               void (*changed)(void *ud, const struct row_job *r), void *ud,
               struct jobs_watch **out, struct err *err);
void jobs_unwatch(struct jobs *q, struct jobs_watch *w); /* no call is under way when it returns */
/* Wait until a job is over, at most ms (-1: as long as it takes): 0, or ERR_BUSY. */
int jobs_wait(struct jobs *q, int64_t id, int ms, struct err *err);
/* {"id", "kind", "state", "persona", "created_at", ..., "progress": {...}, "result" | "error"};
 * caller decrefs (jansson json_t *). */
struct json_t *job_json(const struct row_job *r);
const char *job_state_word(enum job_state s);

#endif
