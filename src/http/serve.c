/* Putting a server together, and taking it apart in the order that loses nothing: first no new
 * requests, then the jobs under way go back to the queue, then what both used is closed. A crash
 * needs no order: jobs are leased, uploads are sealed files whose jobs know them, and everything
 * else was a transaction. What it left is tidied up at the next start. */
#include "http/serve.h"

#include "base/io.h"
#include "base/str.h"
#include "jobs/jobs.h"
#include "persona/work.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct serve {
    struct world world;
    struct accounts *accounts;
    struct server *server;
};

static int make_spool(struct world *w, const char *home, struct err *err)
{
    struct buf dir = BUF_INIT(0);
    buf_printf(&dir, "%s/incoming", home);
    w->spool_dir = buf_take(&dir);
    if (!w->spool_dir) return err_nomem(err);
    int rc = io_mkdirs(w->spool_dir, 0700, err);
    return rc ? rc : service_note_key(w->service, WORLD_SPOOL_KEY, w->spool_key, err);
}

/* Who holds the home, for command lines beside this server. */
static int tell(struct service *sv, struct err *err)
{
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld", (long)getpid());
    return service_note_put(sv, WORLD_SERVER, pid, (size_t)n, err);
}

int serve_start(struct home *h, const struct serve_opts *o, struct serve **out, struct err *err)
{
    struct serve *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return err_nomem(err);
    struct world *w = &s->world;
    w->voice = o->voice ? o->voice : "quote";
    w->model = o->model;
    w->remote = o->remote;
    w->sampling = o->sampling;
    w->max_tokens = o->max_tokens;
    w->k = o->k;
    w->adaptive = o->adaptive;
    w->floor = o->floor;
    w->upload_quota = o->upload_quota;
    int rc = service_open(h->path, h->vault, &w->service, err);
    if (!rc) rc = make_spool(w, h->path, err);
    if (!rc) rc = pool_open(h, &o->pool, &w->pool, err);
    if (!rc) rc = accounts_open(w->service, &o->accounts, &s->accounts, err);
    if (!rc) rc = work_tidy(w, err);
    /* The home's write lock is ours, so nobody is at any job. If this fails their leases run out.
     */
    if (!rc) service_jobs_recover(w->service, NULL);
    if (!rc)
        rc = jobs_open(w->service, work_kinds, w, o->job_workers ? o->job_workers : 1, &w->jobs,
                       err);
    if (!rc) rc = server_start(&o->server, w, s->accounts, &s->server, err);
    if (!rc) rc = tell(w->service, err);
    if (rc) serve_stop(s, 0);
    else *out = s;
    return rc;
}

int serve_port(const struct serve *s) { return server_port(s->server); }
struct world *serve_world(struct serve *s) { return &s->world; }
struct accounts *serve_accounts(struct serve *s) { return s->accounts; }

void serve_stop(struct serve *s, int seconds)
{
    if (!s) return;
    if (s->server) service_note_put(s->world.service, WORLD_SERVER, NULL, 0, NULL);
    server_stop(s->server, seconds);
    jobs_close(s->world.jobs);
    accounts_close(s->accounts);
    pool_close(s->world.pool);
    service_close(s->world.service);
    sodium_memzero(s->world.spool_key, sizeof s->world.spool_key);
    free(s->world.spool_dir);
    free(s);
}
