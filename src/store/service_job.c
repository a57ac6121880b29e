/* Jobs as rows: put, looked at, cancelled, tidied away. How one is taken up and ended is in
 * service_claim.c.
 *
 * Each change of a row gives it a new `version`, from one counter for all: who has seen everything
 * up to N asks for what is above N (service_jobs_since), and the counter alone says whether there
 * is anything. That works between processes, and across restarts.
 *
 * Arguments and results are sealed, bound to what of the row never changes. */
#include "store/service_job.h"

#include <string.h>

struct want_job {
    int (*fn)(void *ud, const struct row_job *r);
    void *ud;
};

struct bound job_bound(const struct row_job *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->account);
    bound_bytes(&b, r->persona, sizeof r->persona);
    bound_bytes(&b, r->kind, strlen(r->kind));
    bound_i64(&b, r->created_at);
    return b;
}

static void take_job(sqlite3_stmt *s, struct row_job *r)
{
    *r = (struct row_job){ .id = sqlite3_column_int64(s, 0),
                           .account = sqlite3_column_int64(s, 1),
                           .state = (enum job_state)sqlite3_column_int(s, 4),
                           .priority = sqlite3_column_int(s, 5),
                           .attempts = sqlite3_column_int(s, 6),
                           .cancel = sqlite3_column_int(s, 7),
                           .created_at = sqlite3_column_int64(s, 8),
                           .run_at = sqlite3_column_int64(s, 9),
                           .started_at = sql_time(s, 10),
                           .finished_at = sql_time(s, 11),
                           .done = (uint64_t)sqlite3_column_int64(s, 13),
                           .total = (uint64_t)sqlite3_column_int64(s, 14),
                           .version = sqlite3_column_int64(s, 16),
                           .args = "",
                           .result = "" };
    take_bytes(s, 2, r->persona, sizeof r->persona);
    take_word(s, 3, r->kind, sizeof r->kind);
    take_word(s, 12, r->stage, sizeof r->stage);
    take_word(s, 15, r->unit, sizeof r->unit);
}

int give_job(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
             struct err *err)
{
    const struct want_job *w = want;
    struct buf result = BUF_INIT(0);
    struct row_job r;
    int rc = 0;
    take_job(s, &r);
    struct bound b = job_bound(&r);
    buf_clear(body);
    if (sql_blob(s, 17).n) rc = row_value(sv, s, 17, "job", r.id, "args", &b, body, err);
    if (!rc && sql_blob(s, 18).n)
        rc = row_value(sv, s, 18, "job", r.id, "result", &b, &result, err);
    r.args = buf_str(body);
    r.args_n = body->n;
    r.result = buf_str(&result);
    r.result_n = result.n;
    if (!rc && w) rc = w->fn(w->ud, &r);
    buf_free(&result);
    return rc;
}

int job_version(struct service *sv, int64_t *version, struct err *err)
{
    return next_id(sv->st, "job_version", version, err);
}

/* ---- put ---- */

static int find_waiting(struct service *sv, const struct row_job *r, int64_t *id, struct err *err)
{
    return sql_int(
        sv->st, id, err,
        "SELECT id FROM job WHERE persona=? AND state=0 AND state<2 AND kind=? AND cancel=0", "bt",
        r->persona, sizeof r->persona, r->kind);
}

static int check_room(struct service *sv, int64_t account, int max_waiting, struct err *err)
{
    int64_t n = 0;
    int rc =
        sql_int(sv->st, &n, err, "SELECT count(*) FROM job WHERE state=0 AND state<2 AND account=?",
                "i", account);
    if (rc || n < max_waiting) return rc;
    return err_set(err, ERR_LIMIT,
                   "%lld jobs of this account are waiting already: try again when some are done",
                   (long long)n);
}

static int insert(struct service *sv, struct row_job *r, struct err *err)
{
    struct buf args = BUF_INIT(0);
    struct bound b = job_bound(r);
    int rc = next_id(sv->st, "job", &r->id, err);
    if (!rc) rc = job_version(sv, &r->version, err);
    if (!rc) rc = seal_value(sv, "job", r->id, "args", &b, r->args, r->args_n, &args, err);
    if (!rc)
        rc = sql_do(sv->st, err,
                    "INSERT INTO job(id, account, persona, kind, priority, created_at, run_at,"
                    " version, args) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    "iibtiiiib", r->id, r->account, r->persona, sizeof r->persona, r->kind,
                    (int64_t)r->priority, r->created_at, r->run_at, r->version, args.p, args.n);
    buf_free(&args);
    return rc;
}

int service_job_put(struct service *sv, struct row_job *r, bool once, int max_waiting,
                    struct err *err)
{
    struct row_job a = *r;
    int64_t there = 0;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    if (!a.created_at) a.created_at = sv->now();
    if (!a.run_at) a.run_at = a.created_at;
    if (once) rc = find_waiting(sv, &a, &there, err);
    if (there) a.id = there;
    if (!rc && !there && max_waiting > 0) rc = check_room(sv, a.account, max_waiting, err);
    if (!rc && !there) rc = insert(sv, &a, err);
    rc = tx_end(sv, rc, err);
    if (!rc) *r = a;
    return rc;
}

/* ---- looked at ---- */

int service_job_get(struct service *sv, int64_t id, int (*fn)(void *ud, const struct row_job *r),
                    void *ud, struct err *err)
{
    const struct want_job w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err, "SELECT " JOB_COLUMNS " FROM job WHERE id=?", "i", id);
    return give_all(sv, rc, s, give_job, &w, "there is no such job", err);
}

int service_job_each(struct service *sv, int64_t account, const uint8_t *persona, bool open,
                     int64_t before, int limit, int (*fn)(void *ud, const struct row_job *r),
                     void *ud, struct err *err)
{
    static const uint8_t none[VAULT_UID];
    const struct want_job w = { fn, ud };
    const uint8_t *p = persona ? persona : none;
    int64_t below = before > 0 ? before : INT64_MAX;
    sqlite3_stmt *s = NULL;
    int rc;
    look_begin(sv);
    if (open)
        rc = sql_get(sv->st, &s, err,
                     "SELECT " JOB_COLUMNS " FROM job WHERE state<2 AND id<?"
                     " AND (?2<0 OR account=?2) AND (?3=0 OR persona=?4) ORDER BY id DESC LIMIT ?",
                     "iiibi", below, account, (int64_t)(persona != NULL), p, (size_t)VAULT_UID,
                     (int64_t)limit);
    else if (account < 0)
        rc = sql_get(sv->st, &s, err,
                     "SELECT " JOB_COLUMNS " FROM job WHERE id<? AND (?2=0 OR persona=?3)"
                     " ORDER BY id DESC LIMIT ?",
                     "iibi", below, (int64_t)(persona != NULL), p, (size_t)VAULT_UID,
                     (int64_t)limit);
    else
        rc = sql_get(sv->st, &s, err,
                     "SELECT " JOB_COLUMNS " FROM job WHERE id<? AND account=?"
                     " AND (?3=0 OR persona=?4) ORDER BY id DESC LIMIT ?",
                     "iiibi", below, account, (int64_t)(persona != NULL), p, (size_t)VAULT_UID,
                     (int64_t)limit);
    return give_all(sv, rc, s, give_job, &w, NULL, err);
}

int service_jobs_since(struct service *sv, int64_t since,
                       int (*fn)(void *ud, const struct row_job *r), void *ud, struct err *err)
{
    const struct want_job w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc =
        sql_get(sv->st, &s, err,
                "SELECT " JOB_COLUMNS " FROM job WHERE version>? ORDER BY version, id", "i", since);
    return give_all(sv, rc, s, give_job, &w, NULL, err);
}

int64_t service_jobs_version(struct service *sv)
{
    int64_t v = 0;
    look_begin(sv);
    sql_int(sv->st, &v, NULL, "SELECT last FROM serial WHERE name='job_version'", "");
    look_end(sv);
    return v;
}

int service_job_counts(struct service *sv, uint64_t by_state[5], struct err *err)
{
    sqlite3_stmt *s = NULL;
    memset(by_state, 0, 5 * sizeof *by_state);
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err, "SELECT state, count(*) FROM job GROUP BY state", "");
    while (!rc && (rc = sql_step(sv->st, s, err)) > 0) {
        int state = sqlite3_column_int(s, 0);
        if (state >= 0 && state < 5) by_state[state] = (uint64_t)sqlite3_column_int64(s, 1);
        rc = 0;
    }
    sql_put(sv->st, s);
    look_end(sv);
    return rc;
}

/* ---- cancelled, tidied away ---- */

int service_job_cancel(struct service *sv, int64_t id, bool *at_once, struct err *err)
{
    int64_t version = 0, there = 0;
    bool ended = false;
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = sql_int(sv->st, &there, err, "SELECT 1 FROM job WHERE id=?", "i", id);
    if (!rc && !there) rc = err_set(err, ERR_NOTFOUND, "there is no such job");
    if (!rc) rc = job_version(sv, &version, err);
    if (!rc)
        rc = sql_do(sv->st, err,
                    "UPDATE job SET state=4, cancel=1, finished_at=?, version=?"
                    " WHERE id=? AND state=0",
                    "iii", sv->now(), version, id);
    ended = !rc && sqlite3_changes(sv->st->db) > 0;
    if (!rc && !ended)
        rc = sql_do(sv->st, err,
                    "UPDATE job SET cancel=1, version=? WHERE id=? AND state=1 AND cancel=0", "ii",
                    version, id);
    rc = tx_end(sv, rc, err);
    if (at_once) *at_once = !rc && ended;
    return rc;
}

int service_job_settled(struct service *sv, int64_t id, struct err *err)
{
    int rc = tx_begin_light(sv, err);
    if (rc) return rc;
    rc = sql_do(sv->st, err, "UPDATE job SET args=x'' WHERE id=? AND state>1", "i", id);
    return tx_end_light(sv, rc, err);
}

int service_jobs_unsettled(struct service *sv, int (*fn)(void *ud, const struct row_job *r),
                           void *ud, struct err *err)
{
    const struct want_job w = { fn, ud };
    sqlite3_stmt *s = NULL;
    look_begin(sv);
    int rc = sql_get(sv->st, &s, err,
                     "SELECT " JOB_COLUMNS " FROM job WHERE state>1 AND length(args)>0", "");
    return give_all(sv, rc, s, give_job, &w, NULL, err);
}

int service_jobs_tidy(struct service *sv, int64_t before, struct err *err)
{
    int64_t n = 0;
    look_begin(sv); /* most often there is nothing to write */
    int rc =
        sql_int(sv->st, &n, err, "SELECT EXISTS(SELECT 1 FROM job WHERE state>1 AND finished_at<?)",
                "i", before);
    look_end(sv);
    if (rc || !n || (rc = tx_begin(sv, err))) return rc;
    rc = sql_do(sv->st, err, "DELETE FROM job WHERE state>1 AND finished_at<? AND length(args)=0",
                "i", before);
    return tx_end(sv, rc, err);
}
