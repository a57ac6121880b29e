/* Routes of jobs: list, look, cancel, follow.
 *
 * An account sees the jobs it asked for, and a program's key those of its personas; any other is
 * the same 404 as none. To follow is a stream of server-sent events that no thread waits for: the
 * queue's own thread offers each change to it (jobs_watch), and a client that cannot keep up is let
 * go.
 *
 * A follower is owned by its watch: whoever is the first to end it (the client leaves, the job is
 * over, the queue closes) ends the watch, and `over`, which comes once and last, ends the stream
 * and frees the rest. stream_keep comes before jobs_watch_begin, after which the handler touches
 * none of it. Only the queue's thread uses `list`, so it needs no lock. */
#include "http/http.h"
#include "jobs/jobs.h"

#include <stdlib.h>
#include <string.h>

extern const struct route routes_jobs[];

static bool is_theirs(const struct principal *who, const struct row_job *r)
{
    if (!who->account || r->account != who->account) return false;
    for (size_t i = 0; i < who->n_only; i++)
        if (!memcmp(who->only[i], r->persona, VAULT_UID)) return true;
    return !who->n_only;
}

/* ---- one job ---- */

struct look {
    struct call *c;
    json_t *job;
};

static int take_job(void *ud, const struct row_job *r)
{
    struct look *l = ud;
    if (!is_theirs(&l->c->who, r)) return ERR_NOTFOUND;
    memcpy(l->c->persona, r->persona, VAULT_UID); /* for the audit log */
    json_decref(l->job);
    l->job = job_json(r);
    return l->job ? 0 : ERR_NOMEM;
}

static int find_job(struct look *l, struct err *err)
{
    int rc = service_job_get(l->c->world->service, l->c->id, take_job, l, err);
    if (rc == ERR_NOTFOUND) return err_set(err, rc, "there is no such job");
    return rc == ERR_NOMEM ? err_nomem(err) : rc;
}

static int reply_job(struct look *l, int rc)
{
    if (rc) json_decref(l->job);
    else l->c->out = l->job;
    return rc;
}

static int show(struct call *c, struct err *err)
{
    struct look l = { .c = c };
    return reply_job(&l, find_job(&l, err));
}

static int cancel(struct call *c, struct err *err)
{
    struct look l = { .c = c };
    int rc = find_job(&l, err);
    if (!rc) rc = jobs_cancel(c->world->jobs, c->id, err);
    if (!rc) rc = find_job(&l, err);
    return reply_job(&l, rc);
}

/* ---- the list ---- */

struct page {
    struct call *c;
    json_t *jobs;
    int64_t last;
    int64_t seen;
};

static int list_job(void *ud, const struct row_job *r)
{
    struct page *p = ud;
    p->seen++;
    p->last = r->id;
    if (!is_theirs(&p->c->who, r)) return 0;
    return json_array_append_new(p->jobs, job_json(r)) ? ERR_NOMEM : 0;
}

static int list(struct call *c, struct err *err)
{
    struct page p = { .c = c, .jobs = json_array() };
    int64_t limit = call_int(c, "limit", 50);
    int rc = service_job_each(c->world->service, c->who.account, NULL, call_bool(c, "open", false),
                              call_int(c, "before", 0), (int)limit, list_job, &p, err);
    if (rc == ERR_NOMEM) err_nomem(err);
    json_t *next = p.seen == limit ? json_integer(p.last) : json_null();
    if (!rc) c->out = json_pack("{s:O, s:O}", "jobs", p.jobs, "next", next);
    json_decref(p.jobs);
    json_decref(next);
    return rc || c->out ? rc : err_nomem(err);
}

/* ---- following ---- */

struct follower {
    struct stream *stream;
    struct jobs *queue;
    struct jobs_watch *watch;
    struct principal who;
    bool one;     /* job, whose end is the stream's */
    bool said;    /* anything yet */
    json_t *list; /* of an account: the state, as it comes in; NULL once it was said */
};

static void say(struct follower *f, const char *event, json_t *j)
{
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    if (!text || stream_offer(f->stream, event, text, strlen(text)))
        jobs_watch_end(f->queue, f->watch);
    f->said = true;
    free(text);
    json_decref(j);
}

static void say_state(struct follower *f)
{
    if (f->list) say(f, "jobs", json_pack("{s:o}", "jobs", f->list));
    else if (!f->said) jobs_watch_end(f->queue, f->watch); /* it is gone meanwhile */
    f->list = NULL;
}

static void changed(void *ud, const struct row_job *r)
{
    struct follower *f = ud;
    if (!r) {
        say_state(f);
        return;
    }
    if (!is_theirs(&f->who, r)) return;
    if (f->list) {
        if (json_array_append_new(f->list, job_json(r))) jobs_watch_end(f->queue, f->watch);
        return;
    }
    say(f, "job", job_json(r));
    if (!f->one || !job_is_over(r->state)) return;
    say(f, "end", json_object());
    jobs_watch_end(f->queue, f->watch);
}

static void client_left(void *ud)
{
    struct follower *f = ud;
    jobs_watch_end(f->queue, f->watch);
}

static void over(void *ud)
{
    struct follower *f = ud;
    stream_end(f->stream);
    json_decref(f->list);
    free(f);
}

/* id 0: all of the account. */
static int follow(struct call *c, int64_t id, struct err *err)
{
    struct follower *f = calloc(1, sizeof *f);
    int rc = f ? call_events(c, &f->stream, err) : err_nomem(err);
    if (rc) goto fail;
    f->queue = c->world->jobs;
    f->who = c->who;
    f->one = id != 0;
    if (!id && !(f->list = json_array())) rc = err_nomem(err);
    if (!rc) rc = jobs_watch_new(f->queue, id, c->who.account, changed, over, f, &f->watch, err);
    if (rc) goto fail; /* the stream was not kept, so it ends with the handler */
    struct jobs_watch *w = f->watch;
    stream_keep(f->stream, client_left, f);
    jobs_watch_begin(c->world->jobs, w);
    return 0;
fail:
    if (f) json_decref(f->list);
    free(f);
    return rc;
}

static int follow_one(struct call *c, struct err *err)
{
    struct look l = { .c = c };
    int rc = find_job(&l, err);
    json_decref(l.job);
    return rc ? rc : follow(c, c->id, err);
}

static int follow_all(struct call *c, struct err *err) { return follow(c, 0, err); }

/* ---- the table ---- */

static const struct field PROGRESS[] = {
    { "stage", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what it is at: \"read\", \"embed\"", NULL, NULL },
    { "done", FIELD_INT, FIELD_REQUIRED, 0, 0, "how far", NULL, NULL },
    { "total", FIELD_INT, FIELD_REQUIRED | FIELD_NULL, 0, 0, "of how much; null: not known", NULL,
      NULL },
    { "unit", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "of both: \"bytes\", \"pieces\"", NULL, NULL },
    FIELD_END,
};
static const struct field ERROR[] = {
    { "code", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "\"PARSE\", \"FULL\", ...", NULL, NULL },
    { "message", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what went wrong, and what to do", NULL, NULL },
    FIELD_END,
};
static const struct field JOB[] = {
    { "id", FIELD_INT, FIELD_REQUIRED, 0, 0, "of the job", NULL, NULL },
    { "kind", FIELD_TEXT, FIELD_REQUIRED, 0, 0,
      "\"ingest\", \"embed\", \"delete\", \"export\", ...", NULL, NULL },
    { "state", FIELD_WORD, FIELD_REQUIRED, 0, 0, "where it stands", NULL,
      "waiting running done failed cancelled" },
    { "persona", FIELD_UID, FIELD_REQUIRED | FIELD_NULL, 0, 0, "the persona it is about", NULL,
      NULL },
    { "attempts", FIELD_INT, FIELD_REQUIRED, 0, 0, "begun so far", NULL, NULL },
    { "cancel", FIELD_BOOL, FIELD_REQUIRED, 0, 0, "somebody asked it to stop", NULL, NULL },
    { "created_at", FIELD_TIME, FIELD_REQUIRED, 0, 0, "when it was asked for", NULL, NULL },
    { "run_at", FIELD_TIME, FIELD_REQUIRED, 0, 0, "it does not begin before", NULL, NULL },
    { "started_at", FIELD_TIME, FIELD_REQUIRED | FIELD_NULL, 0, 0, "of the last attempt", NULL,
      NULL },
    { "finished_at", FIELD_TIME, FIELD_REQUIRED | FIELD_NULL, 0, 0, "when it was over", NULL,
      NULL },
    { "progress", FIELD_OBJECT, 0, 0, 0, "of a running one", PROGRESS, NULL },
    { "result", FIELD_OBJECT, 0, 0, 0, "of one that is done; each kind has its own", NULL, NULL },
    { "error", FIELD_OBJECT, 0, 0, 0, "of one that failed", ERROR, NULL },
    FIELD_END,
};
static const struct field EACH[] = { { "", FIELD_OBJECT, 0, 0, 0, "a job", JOB, NULL }, FIELD_END };
static const struct field JOBS[] = {
    { "jobs", FIELD_LIST, FIELD_REQUIRED, 0, 0, "newest first", EACH, NULL },
    { "next", FIELD_INT, FIELD_REQUIRED | FIELD_NULL, 0, 0,
      "give it as `before` for the next page; null: this was the last", NULL, NULL },
    FIELD_END,
};
static const struct field PAGE[] = {
    { "before", FIELD_INT, 0, 1, 9007199254740991.0, "only jobs with a lower id", NULL, NULL },
    { "limit", FIELD_INT, 0, 1, 200, "how many at most; 50", NULL, NULL },
    { "open", FIELD_BOOL, 0, 0, 0, "only those that wait or run", NULL, NULL },
    FIELD_END,
};

const struct route routes_jobs[] = {
    { "GET", "/api/jobs", ACCESS_ACCOUNT, ROUTE_KEYS, .query = PAGE, .reply = JOBS, .status = 200,
      .run = list, .name = "job.list", .summary = "Your jobs" },
    { "GET", "/api/jobs/events", ACCESS_ACCOUNT, ROUTE_KEYS, .status = 200, .run = follow_all,
      .name = "job.events", .summary = "Follow all your jobs",
      .about = "Server-sent events. The first is `jobs`, with those that wait or run: "
               "{\"jobs\": [...]}. Then a `job` for each change, with the job as it is then." },
    { "GET", "/api/jobs/{id}", ACCESS_ACCOUNT, ROUTE_KEYS, .reply = JOB, .status = 200, .run = show,
      .name = "job.show", .summary = "How a job stands" },
    { "POST", "/api/jobs/{id}/cancel", ACCESS_ACCOUNT, ROUTE_KEYS | ROUTE_AUDIT, .reply = JOB,
      .status = 200, .run = cancel, .name = "job.cancel", .summary = "Stop a job",
      .about =
          "A waiting job is cancelled at once. A running one stops where it leaves nothing half "
          "done; look at its state. One that is over stays as it is." },
    { "GET", "/api/jobs/{id}/events", ACCESS_ACCOUNT, ROUTE_KEYS, .status = 200, .run = follow_one,
      .name = "job.follow", .summary = "Follow a job",
      .about = "Server-sent events: a `job` with the job as it is, another for each change, and "
               "`end` after the last." },
    ROUTE_END
};
