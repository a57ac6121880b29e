/* The audit log: who read or changed which persona.
 *
 * A busy server answers a thousand questions a second, and each is an entry; a transaction for each
 * would wait for the disk a thousand times. So entries wait in memory, and a thread, which is there
 * from the first entry on, writes all of them together a second after. An entry about a change
 * (`now`) is written with all that wait before the change is acknowledged. Killed with the process
 * goes, at most, one second of reading.
 *
 * Locks: the buffer's own, never held while the database is used; taken inside sv->mu by nobody.
 * Who flushes takes the whole list out, writes it, and on failure puts it back in front. `writing`
 * keeps two from doing that at once, so that entries keep their order. */
#include "store/service_impl.h"

#include "base/str.h"
#include "base/threads.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AUDIT_MAX 65536
#define BATCH     128

struct entry {
    struct row_audit r; /* body owned */
    struct entry *next;
};

struct audit_buffer {
    pthread_mutex_t mu; /* of all below */
    pthread_cond_t wake;
    struct entry *first, **last;
    size_t n;
    bool running, stop;
    pthread_t thread;
    pthread_mutex_t writing;
};

struct want_audit {
    int (*fn)(void *ud, const struct row_audit *r);
    void *ud;
};

static struct bound bound_of(const struct row_audit *r)
{
    struct bound b = { 0 };
    bound_i64(&b, r->at);
    bound_i64(&b, r->account);
    bound_bytes(&b, r->persona, sizeof r->persona);
    bound_bytes(&b, r->action, strlen(r->action));
    bound_i64(&b, r->status);
    return b;
}

int give_audit(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
               struct err *err)
{
    const struct want_audit *w = want;
    struct row_audit r = { .id = sqlite3_column_int64(s, 0),
                           .at = sqlite3_column_int64(s, 1),
                           .account = sqlite3_column_int64(s, 2),
                           .status = sqlite3_column_int(s, 5) };
    take_bytes(s, 3, r.persona, sizeof r.persona);
    take_word(s, 4, r.action, sizeof r.action);
    struct bound b = bound_of(&r);
    int rc = row_value(sv, s, 6, "audit", r.id, "body", &b, body, err);
    if (rc) return rc;
    r.body = buf_str(body);
    r.body_n = body->n;
    return w ? w->fn(w->ud, &r) : 0;
}

/* ---- writing ---- */

static int write_entry(struct service *sv, const struct row_audit *r, struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct bound b = bound_of(r);
    int64_t id = 0;
    int rc = next_id(sv->st, "audit", &id, err);
    if (!rc) rc = seal_value(sv, "audit", id, "body", &b, r->body, r->body_n, &sealed, err);
    if (!rc)
        rc = sql_do(sv->st, err, "INSERT INTO audit(" AUDIT_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?)",
                    "iiibtib", id, r->at, r->account, r->persona, sizeof r->persona, r->action,
                    (int64_t)r->status, sealed.p, sealed.n);
    buf_free(&sealed);
    return rc;
}

static void free_entries(struct entry *e, const struct entry *until)
{
    while (e != until) {
        struct entry *next = e->next;
        if (e->r.body) sodium_memzero((char *)e->r.body, e->r.body_n);
        free((char *)e->r.body);
        free(e);
        e = next;
    }
}

static struct entry *take_all(struct audit_buffer *a, struct entry ***last)
{
    pthread_mutex_lock(&a->mu);
    struct entry *e = a->first;
    *last = a->last;
    a->first = NULL;
    a->last = &a->first;
    pthread_mutex_unlock(&a->mu);
    return e;
}

static void put_back(struct audit_buffer *a, struct entry *e, struct entry **last)
{
    pthread_mutex_lock(&a->mu);
    *last = a->first;
    if (!a->first) a->last = last;
    a->first = e;
    pthread_mutex_unlock(&a->mu);
}

/* Up to BATCH entries in one transaction; *rest: those after them. Only the last batch waits for
 * the disk, and that makes the ones before it safe as well. */
static int write_batch(struct service *sv, struct entry *e, struct entry **rest, size_t *n,
                       struct err *err)
{
    struct entry *end = e;
    for (*n = 0; end && *n < BATCH; end = end->next) ++*n;
    bool light = end != NULL;
    int rc = light ? tx_begin_light(sv, err) : tx_begin(sv, err);
    if (rc) return rc;
    for (struct entry *i = e; i != end && !rc; i = i->next) rc = write_entry(sv, &i->r, err);
    *rest = end;
    return light ? tx_end_light(sv, rc, err) : tx_end(sv, rc, err);
}

/* In batches, so that whoever wants to read meanwhile waits for one of them only. */
static int flush(struct service *sv, struct err *err)
{
    struct audit_buffer *a = sv->audit;
    struct entry **last, *rest = NULL;
    size_t n = 0;
    int rc = 0;
    pthread_mutex_lock(&a->writing);
    struct entry *e = take_all(a, &last);
    while (e && !(rc = write_batch(sv, e, &rest, &n, err))) {
        free_entries(e, rest);
        e = rest;
        pthread_mutex_lock(&a->mu);
        a->n -= n;
        pthread_mutex_unlock(&a->mu);
    }
    if (e) put_back(a, e, last);
    pthread_mutex_unlock(&a->writing);
    return rc;
}

/* ---- the thread ---- */

static void *flusher(void *ud)
{
    struct service *sv = ud;
    struct audit_buffer *a = sv->audit;
    pthread_mutex_lock(&a->mu);
    while (!a->stop) {
        struct timespec until;
        while (!a->stop && !a->first) pthread_cond_wait(&a->wake, &a->mu);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 900000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (!a->stop && pthread_cond_timedwait(&a->wake, &a->mu, &until) != ETIMEDOUT) continue;
        pthread_mutex_unlock(&a->mu);
        flush(sv, NULL); /* on a full disk: again in a second */
        pthread_mutex_lock(&a->mu);
    }
    pthread_mutex_unlock(&a->mu);
    return NULL;
}

int audit_open(struct service *sv, struct err *err)
{
    pthread_condattr_t attr;
    struct audit_buffer *a = calloc(1, sizeof *a);
    if (!a) return err_nomem(err);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&a->mu, NULL);
    pthread_mutex_init(&a->writing, NULL);
    pthread_cond_init(&a->wake, &attr);
    pthread_condattr_destroy(&attr);
    a->last = &a->first;
    sv->audit = a;
    return 0;
}

void audit_close(struct service *sv)
{
    struct audit_buffer *a = sv->audit;
    if (!a) return;
    pthread_mutex_lock(&a->mu);
    a->stop = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->mu);
    if (a->running) pthread_join(a->thread, NULL);
    flush(sv, NULL);
    free_entries(a->first, NULL);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->writing);
    pthread_mutex_destroy(&a->mu);
    free(a);
    sv->audit = NULL;
}

/* With a->mu held. */
static int start(struct service *sv, struct err *err)
{
    int rc = thread_start(&sv->audit->thread, flusher, sv, err);
    sv->audit->running = !rc;
    return rc;
}

static struct entry *copy(struct service *sv, const struct row_audit *r)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->r = *r;
    e->r.body = mem_dup(r->body_n ? r->body : "", r->body_n ? r->body_n : 1);
    if (!e->r.at) e->r.at = sv->now();
    if (e->r.body) return e;
    free(e);
    return NULL;
}

int service_audit_put(struct service *sv, const struct row_audit *r, bool now, struct err *err)
{
    struct audit_buffer *a = sv->audit;
    struct entry *e = copy(sv, r);
    int rc = 0;
    if (!e) return err_nomem(err);
    pthread_mutex_lock(&a->mu);
    if (a->n >= AUDIT_MAX)
        rc = err_set(err, ERR_FULL,
                     "the audit log in %s cannot be written, and too many entries wait: free "
                     "space there",
                     sv->st->home);
    else if (!now && !a->running) rc = start(sv, err);
    if (!rc) {
        *a->last = e;
        a->last = &e->next;
        a->n++;
        pthread_cond_signal(&a->wake);
    }
    pthread_mutex_unlock(&a->mu);
    if (rc) free_entries(e, NULL);
    return rc || !now ? rc : flush(sv, err);
}

/* ---- reading ---- */

int service_audit_each(struct service *sv, const uint8_t *persona, int64_t account, int64_t before,
                       int limit, int (*fn)(void *ud, const struct row_audit *r), void *ud,
                       struct err *err)
{
    const struct want_audit w = { fn, ud };
    int64_t below = before > 0 ? before : INT64_MAX, most = limit;
    sqlite3_stmt *s = NULL;
    int rc = flush(sv, err);
    if (rc && rc != ERR_FULL && rc != ERR_BUSY) return rc;
    look_begin(sv);
    if (persona)
        rc = sql_get(sv->st, &s, err,
                     "SELECT " AUDIT_COLUMNS " FROM audit WHERE persona=? AND id<?"
                     " AND (?3<0 OR account=?3) ORDER BY id DESC LIMIT ?",
                     "biii", persona, (size_t)VAULT_UID, below, account, most);
    else if (account >= 0)
        rc = sql_get(sv->st, &s, err,
                     "SELECT " AUDIT_COLUMNS " FROM audit WHERE account=? AND id<?"
                     " ORDER BY id DESC LIMIT ?",
                     "iii", account, below, most);
    else
        rc = sql_get(sv->st, &s, err,
                     "SELECT " AUDIT_COLUMNS " FROM audit WHERE id<? ORDER BY id DESC LIMIT ?",
                     "ii", below, most);
    return give_all(sv, rc, s, give_audit, &w, NULL, err);
}
