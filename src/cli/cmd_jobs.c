/* likeness jobs: what a server is doing, seen from the command line. Jobs are rows that any process
 * may read, so this works beside a running server, which takes up what is cancelled here within a
 * second, and without one. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "jobs/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_MS 200

struct names { /* of personas */
    struct {
        uint8_t uid[VAULT_UID];
        char name[128];
    } * p;
    size_t n;
};

struct view {
    struct cli *c;
    struct names names;
    json_t *out;
    size_t n, open, failed;
    int64_t version; /* following: told up to here */
    const struct progress *progress;
    int rc;
};

static int note_name(void *ud, const struct persona *p)
{
    struct names *l = ud;
    void *grown = realloc(l->p, (l->n + 1) * sizeof *l->p);
    if (!grown) return ERR_NOMEM;
    l->p = grown;
    memcpy(l->p[l->n].uid, p->seal.uid, VAULT_UID);
    snprintf(l->p[l->n++].name, sizeof l->p->name, "%s", p->name);
    return 0;
}

static const char *name_of(const struct names *l, const uint8_t uid[VAULT_UID])
{
    for (size_t i = 0; i < l->n; i++)
        if (!memcmp(l->p[i].uid, uid, VAULT_UID)) return l->p[i].name;
    return "";
}

static void progress_text(const struct row_job *r, char out[96])
{
    char done[32], total[32];
    if (r->state == JOB_RUNNING && r->total)
        snprintf(out, 96, "%s %s of %s %s", r->stage, ui_number(r->done, done),
                 ui_number(r->total, total), r->unit);
    else if (r->state == JOB_RUNNING && *r->stage)
        snprintf(out, 96, "%s %s %s", r->stage, ui_number(r->done, done), r->unit);
    else if (r->state == JOB_WAITING && r->attempts)
        snprintf(out, 96, "tried %s before", r->attempts == 1 ? "once" : "more than once");
    else if (job_is_over(r->state) && r->started_at != CLOCK_NONE &&
             r->finished_at >= r->started_at)
        snprintf(out, 96, "after %s s",
                 ui_number((uint64_t)(r->finished_at - r->started_at), done));
    else *out = 0;
}

static enum ui_style style_of(enum job_state s)
{
    return s == JOB_DONE ? UI_GOOD : s == JOB_FAILED ? UI_BAD : UI_PLAIN;
}

/* What a failed one said. */
static void print_error(const struct row_job *r)
{
    json_t *j = json_loadb(r->result, r->result_n, JSON_REJECT_DUPLICATES, NULL);
    const char *m = json_string_value(json_object_get(json_object_get(j, "error"), "message"));
    if (m) ui_line(UI_DIM, 8, "        %s", m);
    json_decref(j);
}

static void print_job(struct view *v, const struct row_job *r)
{
    char text[96], when[32];
    bool asked = r->cancel && !job_is_over(r->state);
    progress_text(r, text);
    ui_styled(UI_BOLD, "%6lld  ", (long long)r->id);
    ui_cell(r->kind, 8);
    ui_printf("  ");
    ui_cell(name_of(&v->names, r->persona), 14);
    ui_styled(style_of(r->state), "  %-9s", asked ? "stopping" : job_state_word(r->state));
    clock_iso(r->created_at, when);
    ui_printf("  %.10s %.5s  %s\n", when, when + 11, text);
    if (r->state == JOB_FAILED) print_error(r);
}

static int show_job(void *ud, const struct row_job *r)
{
    struct view *v = ud;
    v->n++;
    if (v->out) return json_array_append_new(v->out, job_json(r)) ? ERR_NOMEM : 0;
    if (v->n == 1)
        ui_styled(UI_DIM, "%6s  %-8s  %-14s  %-9s  %s\n", "id", "kind", "persona", "state",
                  "since (UTC)");
    print_job(v, r);
    return 0;
}

static int list(struct view *v, struct service *sv, int64_t limit, struct err *err)
{
    if (v->c->json) v->out = json_array();
    int rc =
        service_job_each(sv, -1, NULL, arg_flag(v->c, "open"), 0, (int)limit, show_job, v, err);
    if (!rc && v->c->json) v->c->out = json_pack("{s:O}", "jobs", v->out);
    else if (!rc && !v->n) ui_note("There are no jobs.");
    return rc;
}

static int show_one(struct view *v, struct service *sv, int64_t id, struct err *err)
{
    v->out = v->c->json ? json_array() : NULL;
    int rc = service_job_get(sv, id, show_job, v, err);
    if (!rc && v->c->json) v->c->out = json_pack("{s:O}", "job", json_array_get(v->out, 0));
    return rc;
}

/* ---- following ---- */

/* A row as it is now: its end is a line, its progress goes where progress goes. */
static int follow_row(void *ud, const struct row_job *r)
{
    struct view *v = ud;
    if (!job_is_over(r->state)) {
        v->open++;
        if (r->state == JOB_RUNNING && *r->stage && v->open == 1)
            v->rc = progress_tick(v->progress, r->stage, r->done, r->total, r->unit);
        return 0;
    }
    if (r->version <= v->version) return 0;
    v->failed += r->state != JOB_DONE;
    if (v->out) return json_array_append_new(v->out, job_json(r)) ? ERR_NOMEM : 0;
    ui_progress_clear();
    print_job(v, r);
    return 0;
}

static int look(struct view *v, struct service *sv, int64_t id, struct err *err)
{
    int64_t version = service_jobs_version(sv);
    v->open = 0;
    int rc = id ? service_job_get(sv, id, follow_row, v, err)
                : service_job_each(sv, -1, NULL, true, 0, 10000, follow_row, v, err);
    if (!rc && !id) rc = service_jobs_since(sv, v->version, follow_row, v, err);
    v->version = version;
    return rc;
}

static int follow(struct view *v, struct service *sv, int64_t id, struct err *err)
{
    struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    int rc = 0;
    v->out = v->c->json ? json_array() : NULL;
    v->version = id ? 0 : service_jobs_version(sv);
    v->progress = ui_progress_begin();
    do {
        rc = look(v, sv, id, err);
        if (!rc && v->open) nanosleep(&pause, NULL);
        if (!rc && (v->rc || ui_interrupted(false)))
            rc = err_set(err, ERR_CANCEL, "no longer following: the job goes on");
    } while (!rc && v->open);
    ui_progress_end();
    if (!rc && v->c->json) v->c->out = json_pack("{s:O}", "jobs", v->out);
    if (!rc && v->failed) v->c->status = 1;
    return rc;
}

static int cancel(struct view *v, struct service *sv, int64_t id, struct err *err)
{
    bool at_once = false;
    int rc = service_job_cancel(sv, id, &at_once, err);
    if (rc || v->c->json) return rc ? rc : show_one(v, sv, id, err);
    if (at_once) ui_printf("Cancelled job %lld.\n", (long long)id);
    else rc = show_one(v, sv, id, err);
    return rc;
}

static int run(struct cli *c, struct service *sv, int64_t id, int64_t stop, int64_t limit,
               struct err *err)
{
    struct view v = { .c = c };
    int rc = 0;
    persona_each(c->home, note_name, &v.names, NULL); /* the rest have no name to show */
    if (stop) rc = cancel(&v, sv, stop, err);
    else if (arg_flag(c, "follow")) rc = follow(&v, sv, id, err);
    else if (id) rc = show_one(&v, sv, id, err);
    else rc = list(&v, sv, limit, err);
    json_decref(v.out);
    free(v.names.p);
    return rc;
}

/* Without service.db there were never any jobs, and none is made to look at. */
static bool has_service(const struct cli *c)
{
    char path[4200];
    return snprintf(path, sizeof path, "%s/service.db", c->home->path) < (int)sizeof path &&
           io_exists(path);
}

int cmd_jobs(struct cli *c, struct err *err)
{
    struct service *sv = NULL;
    int64_t id = 0, stop = 0, limit = 20;
    int rc = arg_i64(c, "cancel", 1, INT64_MAX, &stop, err);
    if (!rc) rc = arg_i64(c, "limit", 1, 10000, &limit, err);
    if (!rc && c->args.n_pos && (!str_i64(span_of(c->args.pos[0]), &id) || id < 1))
        rc = err_set(err, ERR_INVAL, "a job is named by its number: likeness jobs");
    if (!rc) rc = cli_open_home(c, STORE_READ, err);
    if (rc) return rc;
    if (!has_service(c)) {
        if (id || stop) return err_set(err, ERR_NOTFOUND, "there is no such job: likeness jobs");
        if (c->json) c->out = json_pack("{s:[]}", "jobs");
        else ui_note("There are no jobs.");
        return 0;
    }
    rc = service_open(c->home->path, c->home->vault, &sv, err);
    if (!rc) rc = run(c, sv, id, stop, limit, err);
    service_close(sv);
    return rc;
}
