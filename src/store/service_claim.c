/* How a job is taken up, kept and ended.
 *
 * A claim is one IMMEDIATE transaction: first every lease that has run out gives its job back, then
 * the next job is chosen and leased. So two workers never get the same job, and a persona never has
 * two running ones, whichever processes they are in; a killed process holds nothing up for longer
 * than its leases.
 *
 * Fairness: the jobs of the account with the fewest running ones come first; only between jobs of
 * equally busy accounts does priority count, and then age. So an account that puts in a thousand
 * jobs delays another's first job by what is running, not by what is waiting.
 *
 * A worker names itself by a random number; whoever lost the lease finds another number (or none)
 * in the row, and nothing it says then has any effect. */
#include "store/service_job.h"

#include <limits.h>
#include <string.h>

#define WAIT_MAX 60

/* Waiting again 2, 8, 32, ... at most 512 seconds after the lease ran out; a cancelled one at once.
 * soon: the first two times at once, then after 2, 8, 32 seconds, so that a job which takes its
 * process down does not do so in a circle. */
static int end_leases(struct service *sv, int64_t now, bool soon, struct err *err)
{
    int64_t n = 0, version = 0;
    int rc =
        sql_int(sv->st, &n, err,
                "SELECT count(*) FROM job WHERE state=1 AND state<2 AND lease_until<=?", "i", now);
    if (rc || !n) return rc;
    if ((rc = job_version(sv, &version, err))) return rc;
    return sql_do(sv->st, err,
                  "UPDATE job SET state=0, worker=0, version=?1, stage='', done=0, total=0,"
                  " unit='', run_at=CASE WHEN cancel THEN ?2"
                  " WHEN ?3 THEN ?2+((2<<(2*min(attempts-1, 4)))>>4)"
                  " ELSE lease_until+min(512, 2<<(2*min(attempts-1, 4))) END"
                  " WHERE state=1 AND state<2 AND lease_until<=?2",
                  "iii", version, now, (int64_t)soon);
}

static int choose(struct service *sv, const char *kinds, int64_t now, int64_t *id, struct err *err)
{
    return sql_int(
        sv->st, id, err,
        "SELECT j.id FROM job j LEFT JOIN"
        " (SELECT account, count(*) AS n FROM job WHERE state=1 AND state<2 GROUP BY account) r"
        " ON r.account=j.account"
        " WHERE j.state=0 AND j.state<2 AND j.run_at<=?1"
        " AND instr(','||?2||',', ','||j.kind||',')>0"
        " AND (j.persona=zeroblob(16) OR NOT EXISTS"
        " (SELECT 1 FROM job o WHERE o.persona=j.persona AND o.state=1 AND o.state<2))"
        " ORDER BY coalesce(r.n, 0), j.priority DESC, j.id LIMIT 1",
        "it", now, kinds);
}

static int lease(struct service *sv, int64_t id, int64_t worker, int64_t now, int lease_s,
                 struct err *err)
{
    int64_t version = 0;
    int rc = job_version(sv, &version, err);
    if (rc) return rc;
    return sql_do(sv->st, err,
                  "UPDATE job SET state=1, worker=?, lease_until=?, started_at=?,"
                  " attempts=attempts+1, version=?, stage='', done=0, total=0, unit=''"
                  " WHERE id=?",
                  "iiiii", worker, now + lease_s, now, version, id);
}

/* Until the next waiting one is due or the next lease runs out. One that only waits for its
 * persona's running one is not counted: its end is a change of its own. */
static int until_next(struct service *sv, const char *kinds, int64_t now, int *wait_s,
                      struct err *err)
{
    int64_t at = now + WAIT_MAX;
    int rc = sql_int(sv->st, &at, err,
                     "SELECT coalesce(min(CASE state WHEN 0 THEN run_at ELSE lease_until END), ?1)"
                     " FROM job WHERE state<2 AND instr(','||?2||',', ','||kind||',')>0"
                     " AND (state=1 OR run_at>?3)",
                     "iti", at, kinds, now);
    int64_t wait = at - now;
    *wait_s = wait < 1 ? 1 : wait > WAIT_MAX ? WAIT_MAX : (int)wait;
    return rc;
}

/* Most looks find nothing, and those write nothing. */
static int any_due(struct service *sv, int64_t now, bool *due, struct err *err)
{
    int64_t n = 0;
    int rc = sql_int(sv->st, &n, err,
                     "SELECT EXISTS(SELECT 1 FROM job WHERE state<2"
                     " AND (state=0 AND run_at<=?1 OR state=1 AND lease_until<=?1))",
                     "i", now);
    *due = n > 0;
    return rc;
}

int service_job_claim(struct service *sv, const char *kinds, int64_t worker, int lease_s,
                      int64_t *id, int *wait_s, struct err *err)
{
    int64_t now = sv->now();
    bool due = false;
    *id = 0;
    *wait_s = WAIT_MAX;
    look_begin(sv);
    int rc = any_due(sv, now, &due, err);
    if (!rc && !due) rc = until_next(sv, kinds, now, wait_s, err);
    look_end(sv);
    if (rc || !due) return rc;
    if ((rc = tx_begin(sv, err))) return rc;
    rc = end_leases(sv, now, false, err);
    if (!rc) rc = choose(sv, kinds, now, id, err);
    if (!rc && *id) rc = lease(sv, *id, worker, now, lease_s, err);
    if (!rc && !*id) rc = until_next(sv, kinds, now, wait_s, err);
    rc = tx_end(sv, rc, err);
    if (rc) *id = 0;
    return rc;
}

static int lost(struct service *sv, int rc, struct err *err)
{
    if (rc || sqlite3_changes(sv->st->db)) return rc;
    return err_set(err, ERR_NOTFOUND, "the job was taken over by another worker, or is gone");
}

static int beat(struct service *sv, int64_t id, int64_t worker, int64_t until, const char *stage,
                uint64_t done, uint64_t total, const char *unit, struct err *err)
{
    int64_t version = 0;
    if (!stage)
        return sql_do(sv->st, err,
                      "UPDATE job SET lease_until=? WHERE id=? AND worker=? AND state=1", "iii",
                      until, id, worker);
    int rc = job_version(sv, &version, err);
    if (rc) return rc;
    return sql_do(sv->st, err,
                  "UPDATE job SET lease_until=?, stage=?, done=?, total=?, unit=?, version=?"
                  " WHERE id=? AND worker=? AND state=1",
                  "itiitiii", until, stage, (int64_t)done, (int64_t)total, unit ? unit : "",
                  version, id, worker);
}

int service_job_beat(struct service *sv, int64_t id, int64_t worker, int lease_s, const char *stage,
                     uint64_t done, uint64_t total, const char *unit, bool *cancel, struct err *err)
{
    int64_t asked = 0;
    int rc = tx_begin_light(sv, err);
    if (rc) return rc;
    rc = beat(sv, id, worker, sv->now() + lease_s, stage, done, total, unit, err);
    rc = lost(sv, rc, err);
    if (!rc) rc = sql_int(sv->st, &asked, err, "SELECT cancel FROM job WHERE id=?", "i", id);
    rc = tx_end_light(sv, rc, err);
    *cancel = !rc && asked;
    return rc;
}

/* What the result of job id is bound to. */
static int read_bound(struct service *sv, int64_t id, int64_t worker, struct bound *b,
                      struct err *err)
{
    struct row_job r = { 0 };
    sqlite3_stmt *s = NULL;
    int rc = sql_get(sv->st, &s, err,
                     "SELECT account, persona, kind, created_at FROM job"
                     " WHERE id=? AND worker=? AND state=1",
                     "ii", id, worker);
    if (rc) return rc;
    rc = sql_step(sv->st, s, err);
    if (!rc)
        rc = err_set(err, ERR_NOTFOUND, "the job was taken over by another worker, or is gone");
    if (rc > 0) {
        r.account = sqlite3_column_int64(s, 0);
        take_bytes(s, 1, r.persona, sizeof r.persona);
        take_word(s, 2, r.kind, sizeof r.kind);
        r.created_at = sqlite3_column_int64(s, 3);
        *b = job_bound(&r);
        rc = 0;
    }
    sql_put(sv->st, s);
    return rc;
}

static int again(struct service *sv, int64_t id, int64_t run_at, int64_t version, struct err *err)
{
    return sql_do(sv->st, err,
                  "UPDATE job SET state=0, worker=0, run_at=CASE WHEN cancel THEN ? ELSE ? END,"
                  " version=?, stage='', done=0, total=0, unit='' WHERE id=?",
                  "iiii", sv->now(), run_at, version, id);
}

int service_job_end(struct service *sv, int64_t id, int64_t worker, enum job_state state,
                    int64_t run_at, const char *result, size_t n, struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct bound b = { 0 };
    int64_t version = 0;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = read_bound(sv, id, worker, &b, err);
    if (!rc) rc = job_version(sv, &version, err);
    if (!rc && state != JOB_WAITING && n)
        rc = seal_value(sv, "job", id, "result", &b, result, n, &sealed, err);
    if (!rc && state == JOB_WAITING) rc = again(sv, id, run_at, version, err);
    else if (!rc)
        rc = sql_do(sv->st, err,
                    "UPDATE job SET state=?, worker=0, finished_at=?, version=?, result=?"
                    " WHERE id=?",
                    "iiibi", (int64_t)state, sv->now(), version, sealed.p, sealed.n, id);
    rc = tx_end(sv, rc, err);
    buf_free(&sealed);
    return rc;
}

int service_job_release(struct service *sv, int64_t id, int64_t worker, struct err *err)
{
    int64_t version = 0;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = job_version(sv, &version, err);
    if (!rc)
        rc = sql_do(sv->st, err,
                    "UPDATE job SET state=0, worker=0, attempts=attempts-1, run_at=?, version=?,"
                    " stage='', done=0, total=0, unit='' WHERE id=? AND worker=? AND state=1",
                    "iiii", sv->now(), version, id, worker);
    rc = lost(sv, rc, err);
    return tx_end(sv, rc, err);
}

int service_jobs_recover(struct service *sv, struct err *err)
{
    int64_t n = 0;
    look_begin(sv);
    int rc = sql_int(sv->st, &n, err, "SELECT count(*) FROM job WHERE state=1 AND state<2", "");
    look_end(sv);
    if (rc || !n || (rc = tx_begin(sv, err))) return rc;
    rc = sql_do(sv->st, err, "UPDATE job SET lease_until=0 WHERE state=1 AND state<2", "");
    if (!rc) rc = end_leases(sv, sv->now(), true, err);
    return tx_end(sv, rc, err);
}
