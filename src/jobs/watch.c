/* Watching jobs: one thread for all who watch.
 *
 * It waits for a turn (anything this process does to a job is one), or for a second to pass, and
 * then asks the store for its version: if that has moved, by whomever, the rows that changed are
 * read once and told to everybody who watches them. A turn also wakes workers and whoever waits in
 * jobs_wait, so what another process puts in is taken up within a second.
 *
 * Watches stand in a table by what they watch: a job, an account, or all. Five thousand idle ones
 * cost their memory and nothing else.
 *
 * Locks: watch_mu is held from before a row is told until after, so that jobs_unwatch, which takes
 * it, returns when no call is under way. The store is asked before, or from copies, never from
 * inside its own callback. What must not block (jobs_watch_end, jobs_watch_begin) takes only mu,
 * and leaves the watch on a list that this thread works off. */
#include "base/str.h"
#include "jobs/inside.h"

#include <stdlib.h>

#define OPEN_MAX_TOLD 1000 /* jobs of an account that a new watch is told of */

static struct jobs_watch **bucket(struct jobs *q, int64_t id, int64_t account)
{
    int64_t key[2] = { id, id ? 0 : account };
    return &q->table[hash64(key, sizeof key, 1) % WATCH_BUCKETS];
}

/* With watch_mu held. */
static void put_in(struct jobs *q, struct jobs_watch *w)
{
    struct jobs_watch **at = bucket(q, w->id, w->account);
    w->next = *at;
    if (w->next) w->next->at = &w->next;
    w->at = at;
    *at = w;
}

static void take_out(struct jobs_watch *w)
{
    if (!w->at) return;
    *w->at = w->next;
    if (w->next) w->next->at = w->at;
    w->at = NULL;
}

static void tell_bucket(struct jobs *q, int64_t id, int64_t account, const struct row_job *r)
{
    for (struct jobs_watch *w = *bucket(q, id, account), *next; w; w = next) {
        next = w->next;
        if (w->id == id && (id || w->account == account) && r->version > w->seen)
            w->changed(w->ud, r);
    }
}

static void tell_all(struct jobs *q, const struct job_list *l)
{
    pthread_mutex_lock(&q->watch_mu);
    for (size_t i = 0; i < l->n; i++) {
        tell_bucket(q, l->job[i].id, 0, &l->job[i]);
        tell_bucket(q, 0, l->job[i].account, &l->job[i]);
        tell_bucket(q, 0, -1, &l->job[i]);
    }
    pthread_mutex_unlock(&q->watch_mu);
}

/* Ended since the watch began, so not among the open ones. */
static void tell_ended(struct jobs *q, struct jobs_watch *w, int64_t since)
{
    struct job_list l = { 0 };
    service_jobs_since(q->sv, since, job_list_add, &l, NULL);
    for (size_t i = 0; i < l.n; i++)
        if (job_is_over(l.job[i].state) && (w->account < 0 || w->account == l.job[i].account))
            w->changed(w->ud, &l.job[i]);
    job_list_clear(&l);
}

/* The state as it is, oldest first. A row that cannot be read now is told when it changes. */
static void tell_state(struct jobs *q, struct jobs_watch *w)
{
    struct job_list l = { 0 };
    int64_t began = w->seen, version = service_jobs_version(q->sv);
    if (w->id) service_job_get(q->sv, w->id, job_list_add, &l, NULL);
    else service_job_each(q->sv, w->account, NULL, true, 0, OPEN_MAX_TOLD, job_list_add, &l, NULL);
    for (size_t i = l.n; i-- > 0;) {
        w->changed(w->ud, &l.job[i]);
        if (w->id) version = l.job[i].version;
    }
    w->changed(w->ud, NULL);
    if (!w->id && version > began) tell_ended(q, w, began);
    w->seen = version;
    job_list_clear(&l);
}

/* Ended ones leave first: a watch that is begun and ended before its turn is told nothing. */
static void work_off(struct jobs *q)
{
    struct jobs_watch *fresh, *dying, *next;
    pthread_mutex_lock(&q->watch_mu);
    pthread_mutex_lock(&q->mu);
    dying = q->dying;
    for (struct jobs_watch *w = dying; w; w = w->next_dying) take_out(w);
    fresh = q->fresh;
    q->fresh = q->dying = NULL;
    pthread_mutex_unlock(&q->mu);
    for (struct jobs_watch *w = dying; w; w = next) {
        next = w->next_dying;
        w->over(w->ud);
        free(w);
    }
    for (struct jobs_watch *w = fresh; w; w = next) {
        next = w->next;
        put_in(q, w);
        tell_state(q, w);
    }
    pthread_mutex_unlock(&q->watch_mu);
}

/* What changed since *seen, to everybody it is for. */
static void tell_changes(struct jobs *q, int64_t *seen)
{
    int64_t version = service_jobs_version(q->sv);
    struct job_list l = { 0 };
    if (version <= *seen) return;
    int rc = service_jobs_since(q->sv, *seen, job_list_add, &l, NULL);
    settle_others(q, &l);
    tell_all(q, &l);
    if (l.n && l.job[l.n - 1].version > version) version = l.job[l.n - 1].version;
    job_list_clear(&l);
    if (!rc) *seen = version;
    turn_next(q); /* for workers, and those in jobs_wait */
}

/* Jobs whose process died between their end and what comes after. */
static void settle_left(struct jobs *q)
{
    struct job_list l = { 0 };
    if (q->n_workers) service_jobs_unsettled(q->sv, job_list_add, &l, NULL);
    settle_others(q, &l);
    job_list_clear(&l);
}

void *watcher_main(void *ud)
{
    struct jobs *q = ud;
    int64_t seen = service_jobs_version(q->sv);
    uint64_t turn = 0;
    settle_left(q);
    for (bool stop = false; !stop;) {
        work_off(q);
        tell_changes(q, &seen);
        pthread_mutex_lock(&q->mu);
        if (!q->fresh && !q->dying && !q->watch_stop) turn = turn_wait(q, turn, 1.0);
        stop = q->watch_stop;
        pthread_mutex_unlock(&q->mu);
    }
    return NULL;
}

/* ---- from other threads ---- */

int jobs_watch_new(struct jobs *q, int64_t id, int64_t account, jobs_changed *changed,
                   void (*over)(void *ud), void *ud, struct jobs_watch **out, struct err *err)
{
    struct jobs_watch *w = calloc(1, sizeof *w);
    *out = w;
    if (!w) return err_nomem(err);
    w->id = id;
    w->account = account;
    w->changed = changed;
    w->over = over;
    w->ud = ud;
    return 0;
}

static void wake(struct jobs *q)
{
    q->turns++;
    pthread_cond_broadcast(&q->turn);
}

/* With mu held. */
static void add_dying(struct jobs *q, struct jobs_watch *w)
{
    w->next_dying = q->dying;
    q->dying = w;
    wake(q);
}

void jobs_watch_begin(struct jobs *q, struct jobs_watch *w)
{
    int64_t version = service_jobs_version(q->sv);
    pthread_mutex_lock(&q->mu);
    w->seen = version; /* what ends before its turn comes is told all the same */
    w->begun = true;
    if (w->dying) add_dying(q, w);
    else {
        w->next = q->fresh;
        if (w->next) w->next->at = &w->next;
        w->at = &q->fresh;
        q->fresh = w;
        wake(q);
    }
    pthread_mutex_unlock(&q->mu);
}

void jobs_watch_end(struct jobs *q, struct jobs_watch *w)
{
    pthread_mutex_lock(&q->mu);
    if (!w->dying) {
        w->dying = true;
        if (w->begun) add_dying(q, w);
    }
    pthread_mutex_unlock(&q->mu);
}

static void nothing(void *ud) {}

int jobs_watch(struct jobs *q, int64_t id, int64_t account, jobs_changed *changed, void *ud,
               struct jobs_watch **out, struct err *err)
{
    int rc = jobs_watch_new(q, id, account, changed, nothing, ud, out, err);
    if (!rc) jobs_watch_begin(q, *out);
    return rc;
}

void jobs_unwatch(struct jobs *q, struct jobs_watch *w)
{
    if (!w) return;
    pthread_mutex_lock(&q->watch_mu);
    pthread_mutex_lock(&q->mu); /* it may still stand among the fresh ones */
    take_out(w);
    pthread_mutex_unlock(&q->mu);
    pthread_mutex_unlock(&q->watch_mu);
    free(w);
}

/* When the watcher is gone. Those that had just begun come into the table first. */
void watch_all_over(struct jobs *q)
{
    work_off(q);
    pthread_mutex_lock(&q->watch_mu);
    for (size_t i = 0; i < WATCH_BUCKETS; i++)
        for (struct jobs_watch *w = q->table[i]; w; w = w->next) jobs_watch_end(q, w);
    pthread_mutex_unlock(&q->watch_mu);
    work_off(q);
}
