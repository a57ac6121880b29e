/* A throw-away home with all that a server's handlers and jobs work with, but the network. */
#ifndef LK_TESTS_WORLD_HOME_H
#define LK_TESTS_WORLD_HOME_H

#include "persona_home.h"

#include "persona/work.h"
#include "vault/spool.h"

#include <jansson.h>

struct test_world {
    struct test_home t;
    struct world w;
    char spools[500];
};

/* On t.home, which is open to write. workers 0: jobs wait. */
static inline void test_world_start(struct test_world *x, int workers)
{
    struct err err = { 0 };
    memset(&x->w, 0, sizeof x->w);
    snprintf(x->spools, sizeof x->spools, "%s/incoming", x->t.path);
    x->w.spool_dir = x->spools;
    x->w.voice = "quote";
    x->w.k = 5;
    check_ok(io_mkdirs(x->spools, 0700, &err), err);
    check_ok(service_open(x->t.path, x->t.home->vault, &x->w.service, &err), err);
    check_ok(service_note_key(x->w.service, "spool_key", x->w.spool_key, &err), err);
    check_ok(pool_open(x->t.home, &(struct pool_opts){ .desks = 2 }, &x->w.pool, &err), err);
    check_ok(service_jobs_recover(x->w.service, &err), err);
    check_ok(work_tidy(&x->w, &err), err);
    check_ok(jobs_open(x->w.service, work_kinds, &x->w, workers, &x->w.jobs, &err), err);
}

static inline void test_world_stop(struct test_world *x)
{
    jobs_close(x->w.jobs);
    pool_close(x->w.pool);
    service_close(x->w.service);
    x->w.jobs = NULL;
}

static inline void test_world_open(struct test_world *x, int workers)
{
    test_home_open(&x->t);
    test_world_start(x, workers);
}

static inline void test_world_close(struct test_world *x)
{
    test_world_stop(x);
    test_home_close(&x->t);
}

static inline void test_world_spool(struct test_world *x, const void *p, size_t n, char name[33])
{
    struct err err = { 0 };
    char path[4096];
    struct spool *s;
    world_spool_new(name);
    check_ok(world_spool(&x->w, name, path, &err), err);
    check_ok(spool_create(path, x->w.spool_key, &s, &err), err);
    check_ok(spool_write(s, p, n, &err), err);
    check_ok(spool_finish(s, &err), err);
    spool_free(s);
}

static inline int64_t test_world_submit(struct test_world *x, const char *kind, const uint8_t *uid,
                                        const char *args)
{
    struct err err = { 0 };
    int64_t id = 0;
    struct job_ask a = { .kind = kind, .persona = uid, .args = args };
    check_ok(jobs_submit(x->w.jobs, &a, &id, &err), err);
    return id;
}

struct test_job {
    enum job_state state;
    json_t *result;
};

static inline int test_job_keep(void *ud, const struct row_job *r)
{
    struct test_job *j = ud;
    j->state = r->state;
    j->result = json_loadb(r->result ? r->result : "", r->result_n, 0, NULL);
    return 0;
}

/* Waits for its end; the caller decrefs result. */
static inline struct test_job test_world_end(struct test_world *x, int64_t id)
{
    struct err err = { 0 };
    struct test_job j = { 0 };
    check_ok(jobs_wait(x->w.jobs, id, -1, &err), err);
    check_ok(service_job_get(x->w.service, id, test_job_keep, &j, &err), err);
    return j;
}

static inline struct test_job test_world_do(struct test_world *x, const char *kind,
                                            const uint8_t *uid, const char *args)
{
    return test_world_end(x, test_world_submit(x, kind, uid, args));
}

#endif
