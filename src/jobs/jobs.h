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
 * that may pass (ERR_BUSY, ERR_IO, ERR_FULL, ERR_NOMEM) are retried after 2, 8, 32, ... seconds
 * until `attempts`; all others fail at once. Ended jobs can be looked at for 30 days. */
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
    /* After the last attempt, however it ended: remove what the job had kept. NULL: nothing. Called
     * at least once, from a thread of jobs, in a process with workers: when this one dies just
     * then, or has none, the next one does it. */
    void (*over)(void *world, const struct row_job *job, enum job_state state);
    int attempts; /* 0: 1 */
    int priority;
};

struct jobs;
/* *out is set before the first job runs. workers 0: only submits and watches (a command line beside
 * a server); kinds may be NULL then. Who holds the home's write lock calls service_jobs_recover
 * before. */
int jobs_open(struct service *sv, const struct job_kind *const *kinds, void *world, int workers,
              struct jobs **out, struct err *err);
void jobs_close(struct jobs *q); /* accepts NULL; waits for running ones to stop */
struct service *jobs_service(struct jobs *q);

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
/* ERR_INVAL: no such kind (when the queue knows kinds), args is no JSON object; ERR_LIMIT:
 * max_waiting wait; ERR_FULL. */
int jobs_submit(struct jobs *q, const struct job_ask *a, int64_t *id, struct err *err);
int jobs_cancel(struct jobs *q, int64_t id, struct err *err); /* ERR_NOTFOUND */

/* Watching: all jobs of account (id 0; account -1: of all), or one. `changed` is called from the
 * queue's own thread: first for the job as it is, or for each one of the account that is waiting or
 * running, then with NULL ("that was the state"); from then on soon after a change, with the row as
 * it is then (changes in quick succession come as one). Changes made by other processes come within
 * a second. It must be quick, and may call nothing of jobs_* but jobs_watch_end. */
struct jobs_watch;
typedef void jobs_changed(void *ud, const struct row_job *r);
int jobs_watch(struct jobs *q, int64_t id, int64_t account, jobs_changed *changed, void *ud,
               struct jobs_watch **out, struct err *err);
void jobs_unwatch(struct jobs *q, struct jobs_watch *w); /* no call is under way when it returns */
/* The same in steps that never block, for things that end from any thread (streams): make, set up
 * who may end it, begin. jobs_watch_end may come at any time after _new, any number of times until
 * `over` is called: that happens once, from the queue's thread, after the last `changed`; then the
 * watch is gone. jobs_close ends those that are left. */
int jobs_watch_new(struct jobs *q, int64_t id, int64_t account, jobs_changed *changed,
                   void (*over)(void *ud), void *ud, struct jobs_watch **out, struct err *err);
void jobs_watch_begin(struct jobs *q, struct jobs_watch *w);
void jobs_watch_end(struct jobs *q, struct jobs_watch *w);
/* Wait until a job is over, at most ms (-1: as long as it takes): 0, or ERR_BUSY. */
int jobs_wait(struct jobs *q, int64_t id, int ms, struct err *err);
bool job_is_over(enum job_state s);
/* {"id", "kind", "state", "persona", "created_at", ..., "progress": {...}, "result" | "error"};
 * caller decrefs (jansson json_t *). */
struct json_t *job_json(const struct row_job *r);
const char *job_state_word(enum job_state s);

#endif
