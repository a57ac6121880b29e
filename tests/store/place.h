/* The service's database in a fresh home, for the tests of it. */
#ifndef LK_TESTS_STORE_PLACE_H
#define LK_TESTS_STORE_PLACE_H

#include "base/io.h"
#include "behind.h"
#include "store/service.h"

static struct err err;
static const struct secret PASS = { .passphrase = "correct horse", .passphrase_n = 13 };

struct place {
    char home[300], db[340];
    struct vault *v;
    struct service *sv;
};

static inline void place_make(struct place *p)
{
    memset(p, 0, sizeof *p);
    snprintf(p->home, sizeof p->home, "%s/home", check_tmp_dir());
    snprintf(p->db, sizeof p->db, "%s/service.db", p->home);
    check_ok(vault_create(p->home, &PASS, &err), err);
    check_ok(vault_unlock(p->home, &PASS, &p->v, &err), err);
    check_ok(service_open(p->home, p->v, &p->sv, &err), err);
}

static inline void place_reopen(struct place *p)
{
    service_close(p->sv);
    p->sv = NULL;
    check_ok(service_open(p->home, p->v, &p->sv, &err), err);
}

static inline void place_done(struct place *p)
{
    service_close(p->sv);
    vault_lock(p->v);
    memset(p, 0, sizeof *p);
}

static inline void meddle(const struct place *p, const char *sql) { behind_do(p->db, sql); }
static inline int64_t peek(const struct place *p, const char *sql)
{
    return behind_get(p->db, sql);
}

static inline int64_t add_account(struct service *sv, const char *mail)
{
    struct row_account a = { .body = mail, .body_n = strlen(mail), .changed_at = 5 };
    snprintf((char *)a.mail_digest, sizeof a.mail_digest, "%s", mail);
    check_ok(service_account_put(sv, &a, &err), err);
    return a.id;
}

static inline int64_t add_job(struct service *sv, int64_t account, int persona, const char *kind,
                              int priority)
{
    struct row_job r = {
        .account = account, .priority = priority, .args = "{\"file\":\"saxifrage\"}", .args_n = 20
    };
    r.persona[0] = (uint8_t)persona;
    snprintf(r.kind, sizeof r.kind, "%s", kind);
    check_ok(service_job_put(sv, &r, false, 0, &err), err);
    return r.id;
}

struct seen_job { /* the last row, and how many */
    struct row_job r;
    char args[256], result[256];
    int n;
};

static inline int see_job(void *ud, const struct row_job *r)
{
    struct seen_job *s = ud;
    s->r = *r;
    snprintf(s->args, sizeof s->args, "%s", r->args);
    snprintf(s->result, sizeof s->result, "%s", r->result);
    s->n++;
    return 0;
}

static inline struct seen_job job_at(struct service *sv, int64_t id)
{
    struct seen_job s = { 0 };
    check_ok(service_job_get(sv, id, see_job, &s, &err), err);
    return s;
}

/* A clock that tests move. */
static int64_t test_time = 1000000;
static inline int64_t test_now(void) { return test_time; }

#endif
