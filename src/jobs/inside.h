/* What the files of the queue share. */
#ifndef LK_JOBS_INSIDE_H
#define LK_JOBS_INSIDE_H

#include "jobs/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- a row that outlives its callback (row.c) ---- */
int job_copy(const struct row_job *r, struct row_job *out); /* 0 or ERR_NOMEM */
void job_clear(struct row_job *r);                          /* zeroes: args may hold a passphrase */
int job_load(struct service *sv, int64_t id, struct row_job *out, struct err *err);
struct job_list {
    struct row_job *job;
    size_t n, cap;
};
int job_list_add(void *ud, const struct row_job *r); /* ud: a job_list */
void job_list_clear(struct job_list *l);

/* ---- the queue ---- */

/* A worker thread, and what it is at. */
struct worker {
    struct jobs *q;
    pthread_t thread;
    int64_t token;                  /* names it in the store */
    int64_t id;                     /* the job at hand; 0: none. Under q->mu */
    uint64_t run;                   /* counts its jobs. Under q->mu */
    atomic_bool cancel, lost, stop; /* why the job at hand is to end */
    double told;                    /* when progress was last written, and the stage; its own */
    char stage[16];
};

#define WATCH_BUCKETS 1024
struct jobs_watch {
    int64_t id, account, seen; /* seen: versions up to here have been told */
    jobs_changed *changed;
    void (*over)(void *ud);
    void *ud;
    struct jobs_watch *next, **at; /* in its bucket, under watch_mu; on `fresh`, under mu */
    struct jobs_watch *next_dying;
    bool begun, dying; /* under mu */
};

struct jobs {
    struct service *sv;
    const struct job_kind *const *kinds;
    void *world;
    char *names; /* of kinds, comma-separated */
    struct worker *worker;
    int n_workers;

    pthread_mutex_t mu;
    pthread_cond_t turn; /* something changed: broadcast */
    uint64_t turns;      /* how often */
    bool heart_stop, watch_stop;
    struct jobs_watch *fresh, *dying;

    pthread_mutex_t watch_mu; /* taken before mu: of the table, and held while it is called */
    struct jobs_watch *table[WATCH_BUCKETS];

    pthread_t heart, watcher;
    bool has_heart, has_watcher;
};

/* Waits for the next turn after `was`, at most so long; the turn it is then. With mu held. */
uint64_t turn_wait(struct jobs *q, uint64_t was, double seconds);
void turn_next(struct jobs *q); /* without mu */
const struct job_kind *kind_of(const struct jobs *q, const char *name);

void *watcher_main(void *ud); /* watch.c */
void watch_all_over(struct jobs *q);
void *worker_main(void *ud); /* worker.c */
void *heart_main(void *ud);
/* Is a worker of ours at it? If it is to be cancelled, that worker hears of it. */
bool worker_note(struct jobs *q, const struct row_job *r);
/* Of rows that changed: tells workers, and settles those that ended without one. */
void settle_others(struct jobs *q, const struct job_list *l);

#endif
