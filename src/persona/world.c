/* Personas as belongings: who owns which, under what names, and what a crash left behind.
 *
 * Who may do what stands in the service's database, the persona in the home's. There is no
 * transaction over both, so the order makes it safe: the right is granted first, on a uid drawn for
 * it, then the persona is made under that uid. A crash between leaves a right on nothing, which
 * gives nobody anything and goes at the next start; never a persona that nobody can reach.
 * Forgetting goes the other way: first the persona, then the rights on it.
 *
 * Names need to differ within an account only, as people see no more than their own and what is
 * shared with them. Two requests of one account may both find a name free at the same moment; the
 * second look, with the writer in hand, is the one that counts. */
#include "persona/work.h"

#include "base/str.h"
#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT_KEPT 86400 /* seconds */
#define NEW_MS      20000 /* how long the making of a persona waits for the writer */

/* ---- rights ---- */

struct rights {
    struct buf uids; /* VAULT_UID bytes each */
    enum level least;
};

static int keep_uid(void *ud, const struct row_grant *r)
{
    struct rights *g = ud;
    if (r->level >= g->least) buf_add(&g->uids, r->persona, VAULT_UID);
    return 0;
}

static int personas_of(struct world *w, int64_t account, enum level least, struct buf *out,
                       struct err *err)
{
    struct rights g = { BUF_INIT(0), least };
    int rc = service_grant_each(w->service, NULL, account, keep_uid, &g, err);
    if (!rc && g.uids.failed) rc = err_nomem(err);
    if (rc) buf_free(&g.uids);
    *out = g.uids;
    return rc;
}

static int keep_owner(void *ud, const struct row_grant *r)
{
    if (r->level == LEVEL_OWNER) *(int64_t *)ud = r->account;
    return 0;
}

int world_owner(struct world *w, const uint8_t persona[VAULT_UID], int64_t *account,
                struct err *err)
{
    *account = 0;
    return service_grant_each(w->service, persona, 0, keep_owner, account, err);
}

char *world_shares(const uint8_t persona[VAULT_UID], char out[64])
{
    memcpy(out, "shares.", 7);
    sodium_bin2hex(out + 7, 64 - 7, persona, VAULT_UID);
    return out;
}

/* ---- new ones ---- */

int world_name_free(struct world *w, struct home *h, int64_t account, const char *name,
                    const uint8_t but[VAULT_UID], struct err *err)
{
    struct buf own = BUF_INIT(0);
    bool taken = false;
    int rc = personas_of(w, account, LEVEL_OWNER, &own, err);
    for (size_t i = 0; !rc && !taken && i < own.n; i += VAULT_UID) {
        struct persona *p = NULL;
        const uint8_t *uid = (const uint8_t *)own.p + i;
        if (but && !memcmp(uid, but, VAULT_UID)) continue;
        rc = persona_open_uid(h, uid, &p, err);
        if (!rc) taken = persona_same_name(p->name, name);
        else if (rc == ERR_NOTFOUND || rc == ERR_SEAL || rc == ERR_PARSE) rc = 0;
        persona_close(p);
    }
    if (!rc && own.n / VAULT_UID >= PERSONAS_MAX && !but)
        rc = err_set(err, ERR_LIMIT, "an account has at most %d personas", PERSONAS_MAX);
    buf_free(&own);
    if (rc || !taken) return rc;
    return err_set(err, ERR_EXISTS, "you have a persona of that name: choose another name");
}

int world_persona_new(struct world *w, int64_t account, const struct persona_new *n,
                      uint8_t uid[VAULT_UID], struct err *err)
{
    struct persona_new made = *n;
    struct persona *p = NULL;
    struct home *h;
    int rc = pool_write(w->pool, NEW_MS, &h, err);
    if (rc) return rc;
    randombytes_buf(uid, VAULT_UID);
    made.uid = uid;
    made.any_name = true;
    rc = world_name_free(w, h, account, n->name ? n->name : "", NULL, err);
    bool granted = !rc && !(rc = service_grant_put(w->service, uid, account, LEVEL_OWNER, err));
    if (!rc) rc = persona_create(h, &made, &p, err);
    if (rc && granted) service_grant_put(w->service, uid, account, LEVEL_NONE, NULL);
    persona_close(p);
    pool_wrote(w->pool, h);
    if (rc) memset(uid, 0, VAULT_UID);
    return rc;
}

/* ---- after a crash: rights on nothing ---- */

static int keep_account(void *ud, const struct row_account *r)
{
    buf_add(ud, &r->id, sizeof r->id);
    return 0;
}

static int is_there(void *ud, const struct row_persona *r) { return 0; }

static int tidy_account(struct world *w, struct home *h, int64_t account, struct err *err)
{
    struct buf all;
    int rc = personas_of(w, account, LEVEL_CHAT, &all, err);
    for (size_t i = 0; !rc && i < all.n; i += VAULT_UID) {
        const uint8_t *uid = (const uint8_t *)all.p + i;
        rc = store_persona_get(h->store, uid, is_there, NULL, err);
        if (rc == ERR_NOTFOUND) rc = service_grant_drop(w->service, uid, err);
    }
    buf_free(&all);
    return rc;
}

static int tidy_rights(struct world *w, struct home *h, struct err *err)
{
    struct buf accounts = BUF_INIT(0);
    int rc = service_account_each(w->service, keep_account, &accounts, err);
    if (!rc && accounts.failed) rc = err_nomem(err);
    for (size_t i = 0; !rc && i < accounts.n; i += sizeof(int64_t)) {
        int64_t id;
        memcpy(&id, accounts.p + i, sizeof id);
        rc = tidy_account(w, h, id, err);
    }
    buf_free(&accounts);
    return rc;
}

/* ---- after a crash: what was not settled ---- */

static int keep_stale(void *ud, const struct row_persona *r)
{
    if (r->stale && !r->forgotten && !r->unreadable) buf_add(ud, r->uid, VAULT_UID);
    return 0;
}

/* The queue is not open yet: its row alone. */
static int ask_settle(struct world *w, const uint8_t uid[VAULT_UID], struct err *err)
{
    struct row_job r = { .kind = "settle", .priority = -1, .args = "{}", .args_n = 2 };
    memcpy(r.persona, uid, VAULT_UID);
    int rc = world_owner(w, uid, &r.account, err);
    return rc ? rc : service_job_put(w->service, &r, true, 0, err);
}

static int tidy_stale(struct world *w, struct home *h, struct err *err)
{
    struct buf stale = BUF_INIT(0);
    int rc = store_persona_each(h->store, keep_stale, &stale, err);
    if (!rc && stale.failed) rc = err_nomem(err);
    for (size_t i = 0; !rc && i < stale.n; i += VAULT_UID)
        rc = ask_settle(w, (const uint8_t *)stale.p + i, err);
    buf_free(&stale);
    return rc;
}

/* ---- files that nobody waits for ---- */

struct known {
    struct buf names; /* SPOOL_NAME bytes each */
    int64_t last;     /* id of the oldest job seen */
};

static void know(struct known *k, const json_t *name)
{
    const char *s = json_string_value(name);
    if (s && strlen(s) == SPOOL_NAME) buf_add(&k->names, s, SPOOL_NAME);
}

static int know_job(void *ud, const struct row_job *r)
{
    struct known *k = ud;
    bool open = r->state == JOB_WAITING || r->state == JOB_RUNNING;
    const char *body = open ? r->args : r->result;
    size_t n = open ? r->args_n : r->result_n, i;
    k->last = r->id;
    if (!open && (r->state != JOB_DONE || strcmp(r->kind, "export") != 0)) return 0;
    json_t *j = json_loadb(body ? body : "", body ? n : 0, 0, NULL), *file;
    know(k, json_object_get(j, "spool"));
    json_array_foreach(json_object_get(j, "files"), i, file)
    {
        know(k, json_object_get(file, "spool"));
    }
    json_decref(j);
    return 0;
}

#define JOBS_AT_ONCE 200

static int know_all(struct world *w, bool open, struct known *k, struct err *err)
{
    int64_t before = 0;
    int rc = 0;
    do {
        k->last = 0;
        rc = service_job_each(w->service, -1, NULL, open, before, JOBS_AT_ONCE, know_job, k, err);
        before = k->last;
    } while (!rc && k->last);
    return !rc && k->names.failed ? err_nomem(err) : rc;
}

static bool is_known(const struct known *k, const char *name)
{
    for (size_t i = 0; i < k->names.n; i += SPOOL_NAME)
        if (!memcmp(k->names.p + i, name, SPOOL_NAME)) return true;
    return false;
}

/* Files that are not known, and those older than `age` seconds unless a job waits for them. */
static void remove_files(struct world *w, const struct known *waiting, const struct known *done,
                         int64_t age)
{
    DIR *d = opendir(w->spool_dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[4096];
        struct stat st;
        size_t n = strlen(e->d_name);
        if (*e->d_name == '.' || n < SPOOL_NAME || is_known(waiting, e->d_name)) continue;
        if (snprintf(path, sizeof path, "%s/%s", w->spool_dir, e->d_name) >= (int)sizeof path)
            continue;
        if (stat(path, &st) || !S_ISREG(st.st_mode)) continue;
        bool old = clock_now() - st.st_mtime > age;
        if (old || (done && !is_known(done, e->d_name))) unlink(path);
    }
    if (d) closedir(d);
}

void work_sweep(struct world *w)
{
    struct known waiting = { .names = BUF_INIT(0) };
    if (!know_all(w, true, &waiting, NULL)) remove_files(w, &waiting, NULL, EXPORT_KEPT);
    buf_free(&waiting.names);
}

static int tidy_files(struct world *w, struct err *err)
{
    struct known waiting = { .names = BUF_INIT(0) }, all = { .names = BUF_INIT(0) };
    int rc = know_all(w, true, &waiting, err);
    if (!rc) rc = know_all(w, false, &all, err);
    if (!rc) remove_files(w, &waiting, &all, EXPORT_KEPT);
    buf_free(&waiting.names);
    buf_free(&all.names);
    return rc;
}

int work_tidy(struct world *w, struct err *err)
{
    struct home *h;
    int rc = pool_read(w->pool, &h, err);
    if (rc) return rc;
    rc = tidy_rights(w, h, err);
    if (!rc) rc = tidy_stale(w, h, err);
    pool_read_done(w->pool, h);
    return rc ? rc : tidy_files(w, err);
}
