/* Rows of jobs that outlive the look at them, and jobs as JSON. */
#include "jobs/inside.h"

#include "base/json.h"
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static char *keep(const char *p, size_t n)
{
    char *s = malloc(n + 1);
    if (!s) return NULL;
    if (n) memcpy(s, p, n);
    s[n] = 0;
    return s;
}

int job_copy(const struct row_job *r, struct row_job *out)
{
    *out = *r;
    out->args = keep(r->args, r->args_n);
    out->result = keep(r->result, r->result_n);
    if (out->args && out->result) return 0;
    job_clear(out);
    return ERR_NOMEM;
}

void job_clear(struct row_job *r)
{
    if (r->args) sodium_memzero((char *)r->args, r->args_n);
    if (r->result) sodium_memzero((char *)r->result, r->result_n);
    free((char *)r->args);
    free((char *)r->result);
    *r = (struct row_job){ 0 };
}

static int take_copy(void *ud, const struct row_job *r) { return job_copy(r, ud); }

int job_load(struct service *sv, int64_t id, struct row_job *out, struct err *err)
{
    *out = (struct row_job){ 0 };
    int rc = service_job_get(sv, id, take_copy, out, err);
    return rc == ERR_NOMEM ? err_nomem(err) : rc;
}

int job_list_add(void *ud, const struct row_job *r)
{
    struct job_list *l = ud;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct row_job *more = realloc(l->job, cap * sizeof *more);
        if (!more) return ERR_NOMEM;
        l->job = more;
        l->cap = cap;
    }
    int rc = job_copy(r, &l->job[l->n]);
    if (!rc) l->n++;
    return rc;
}

void job_list_clear(struct job_list *l)
{
    for (size_t i = 0; i < l->n; i++) job_clear(&l->job[i]);
    free(l->job);
    *l = (struct job_list){ 0 };
}

/* ---- JSON ---- */

const char *job_state_word(enum job_state s)
{
    static const char *const words[] = { "waiting", "running", "done", "failed", "cancelled" };
    return (unsigned)s < sizeof words / sizeof *words ? words[s] : "unknown";
}

bool job_is_over(enum job_state s) { return s != JOB_WAITING && s != JOB_RUNNING; }

static json_t *persona_json(const uint8_t uid[VAULT_UID])
{
    char hex[2 * VAULT_UID + 1];
    if (sodium_is_zero(uid, VAULT_UID)) return json_null();
    return json_string(sodium_bin2hex(hex, sizeof hex, uid, VAULT_UID));
}

static json_t *progress_json(const struct row_job *r)
{
    json_t *total = r->total ? json_integer((json_int_t)r->total) : json_null();
    return json_pack("{s:s, s:I, s:o, s:s}", "stage", r->stage, "done", (json_int_t)r->done,
                     "total", total, "unit", r->unit);
}

struct json_t *job_json(const struct row_job *r)
{
    json_t *j =
        json_pack("{s:I, s:s, s:s, s:o, s:i, s:b, s:o, s:o, s:o, s:o}", "id", (json_int_t)r->id,
                  "kind", r->kind, "state", job_state_word(r->state), "persona",
                  persona_json(r->persona), "attempts", r->attempts, "cancel", r->cancel,
                  "created_at", json_time(r->created_at), "run_at", json_time(r->run_at),
                  "started_at", json_time(r->started_at), "finished_at", json_time(r->finished_at));
    if (!j) return NULL;
    if (r->state == JOB_RUNNING && *r->stage) json_object_set_new(j, "progress", progress_json(r));
    if (!job_is_over(r->state)) return j;
    json_t *result = json_loadb(r->result, r->result_n, JSON_REJECT_DUPLICATES, NULL);
    json_t *error = json_object_get(result, "error");
    if (r->state == JOB_FAILED && error) json_object_set(j, "error", error);
    else if (r->state == JOB_DONE && result) json_object_set(j, "result", result);
    json_decref(result);
    return j;
}
