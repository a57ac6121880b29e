/* The service's own database, HOME/service.db: accounts, sessions, keys of programs, who may use
 * which persona, jobs, the audit log. It is apart from likeness.db so that a login or a job's
 * progress never waits for a file that is just coming in.
 *
 *     struct service *sv;
 *     service_open(home, vault, &sv, err);            makes it when it is not there
 *     struct row_account a = { .mail_digest = d, .body = json, .body_n = n };
 *     service_account_put(sv, &a, err);               sets a.id and a.uid
 *     service_close(sv);
 *
 * Any number of processes and threads: one connection behind a mutex here, SQLite's locks between
 * processes. Every change is a transaction of its own (WAL, synchronous=FULL), but for job progress
 * and "last seen", which a power cut may lose. Bodies are sealed under the account key of the vault
 * and bound to their row; plain are numbers, times, random uids, keyed digests, and words of our
 * own (kinds, states, actions). Row getters call back with rows that are borrowed until the
 * callback returns; the callback must not call service_*. Times are seconds since 1970. */
#ifndef LK_STORE_SERVICE_H
#define LK_STORE_SERVICE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "vault/vault.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVICE_SCHEMA 1
#define SERVICE_DIGEST 32

struct service;
int service_open(const char *home, struct vault *v, struct service **out, struct err *err);
void service_close(struct service *sv); /* accepts NULL */
/* Tests move time: what is due, expired or leased is told by this; NULL: clock_now. */
void service_clock(struct service *sv, int64_t (*now)(void));
int64_t service_now(struct service *sv);
struct vault *service_vault(struct service *sv);
const char *service_home(struct service *sv);
/* Opens every sealed row; say as in store_check. */
int service_check(struct service *sv, void (*say)(void *ud, bool problem, const char *text),
                  void *ud, uint64_t *rows, struct err *err);

/* ---- secrets and settings by name: the key of tokens, keys of remote servers ---- */
/* n 0: delete. name is not personal: "token_key", "remote.voice". */
int service_note_put(struct service *sv, const char *name, const void *p, size_t n,
                     struct err *err);
int service_note_get(struct service *sv, const char *name, struct buf *out,
                     struct err *err); /* ERR_NOTFOUND */
/* The note, made with 32 random bytes when it is not there: one winner among many processes. */
int service_note_key(struct service *sv, const char *name, uint8_t key[32], struct err *err);

/* ---- accounts ---- */
struct row_account {
    int64_t id;
    uint8_t uid[VAULT_UID];
    uint8_t mail_digest[16]; /* vault_digest of the folded address: how it is found */
    int64_t created_at;
    int64_t changed_at; /* of the password: access tokens issued before are worth nothing */
    bool disabled;
    const char *body; /* JSON, sealed: email, password hash, default persona, quotas */
    size_t body_n;
};
/* id 0: new (uid and id set; ERR_EXISTS when the digest is there); else digest, changed_at,
 * disabled and body are replaced. */
int service_account_put(struct service *sv, struct row_account *r, struct err *err);
/* By id, by uid, by digest: the first that is not 0 / NULL. ERR_NOTFOUND. */
int service_account_get(struct service *sv, int64_t id, const uint8_t *uid,
                        const uint8_t *mail_digest,
                        int (*fn)(void *ud, const struct row_account *r), void *ud,
                        struct err *err);
int service_account_each(struct service *sv, int (*fn)(void *ud, const struct row_account *r),
                         void *ud, struct err *err);
/* With sessions, keys, grants and its jobs' rows. Personas are not touched: forget them first. */
int service_account_delete(struct service *sv, int64_t id, struct err *err);

/* ---- sessions: a login, with its chain of refresh tokens ---- */
struct row_session {
    int64_t id, account;
    uint8_t uid[VAULT_UID];
    int64_t created_at, seen_at, expires_at; /* expires_at moves on with each refresh */
    bool revoked;
    const char *body; /* JSON, sealed: what the client called itself, its address */
    size_t body_n;
};
/* Makes session and first refresh token (its digest) in one transaction. Sets id, uid. */
int service_session_new(struct service *sv, struct row_session *r,
                        const uint8_t refresh[SERVICE_DIGEST], struct err *err);
enum refresh_result { REFRESH_OK, REFRESH_UNKNOWN, REFRESH_REUSED, REFRESH_OVER };
/* Take the refresh token `old` out and put `next` in its place, in one transaction. REUSED: it had
 * been taken before; the whole session is then revoked. OVER: expired, revoked, account disabled.
 * session and account are set for OK and REUSED. */
int service_session_rotate(struct service *sv, const uint8_t old[SERVICE_DIGEST],
                           const uint8_t next[SERVICE_DIGEST], int64_t expires_at,
                           enum refresh_result *what, int64_t *session, int64_t *account,
                           struct err *err);
/* By id (uid NULL) or uid. ERR_NOTFOUND. */
int service_session_get(struct service *sv, int64_t id, const uint8_t *uid,
                        int (*fn)(void *ud, const struct row_session *r), void *ud,
                        struct err *err);
int service_session_each(struct service *sv, int64_t account,
                         int (*fn)(void *ud, const struct row_session *r), void *ud,
                         struct err *err);
/* session 0: all of the account but `except` (0: none). *n (may be NULL): how many. */
int service_session_revoke(struct service *sv, int64_t account, int64_t session, int64_t except,
                           uint64_t *n, struct err *err);
void service_session_seen(struct service *sv, int64_t id);
int service_sessions_tidy(struct service *sv, int64_t before, struct err *err); /* long over */

/* ---- keys of programs ---- */
struct row_apikey {
    int64_t id, account;
    int64_t created_at, used_at; /* CLOCK_NONE: never used */
    bool revoked;
    uint8_t digest[SERVICE_DIGEST];
    const char *body; /* JSON, sealed: label, personas it may use, its first characters */
    size_t body_n;
};
int service_apikey_put(struct service *sv, struct row_apikey *r, struct err *err); /* new */
int service_apikey_get(struct service *sv, const uint8_t digest[SERVICE_DIGEST],
                       int (*fn)(void *ud, const struct row_apikey *r), void *ud,
                       struct err *err); /* ERR_NOTFOUND; marks it used, at most once a minute */
int service_apikey_each(struct service *sv, int64_t account,
                        int (*fn)(void *ud, const struct row_apikey *r), void *ud, struct err *err);
/* id 0: all of the account. ERR_NOTFOUND. */
int service_apikey_revoke(struct service *sv, int64_t account, int64_t id, struct err *err);

/* ---- grants: what an account may do with a persona ---- */
enum level { LEVEL_NONE, LEVEL_CHAT, LEVEL_READ, LEVEL_MANAGE, LEVEL_OWNER };
struct row_grant {
    uint8_t persona[VAULT_UID];
    int64_t account;
    enum level level;
    int64_t created_at;
};
int service_grant_put(struct service *sv, const uint8_t persona[VAULT_UID], int64_t account,
                      enum level level, struct err *err); /* LEVEL_NONE: take it away */
int service_grant_get(struct service *sv, const uint8_t persona[VAULT_UID], int64_t account,
                      enum level *level, struct err *err); /* LEVEL_NONE when there is none */
/* Of an account (persona NULL) or of a persona (account 0), oldest first. */
int service_grant_each(struct service *sv, const uint8_t *persona, int64_t account,
                       int (*fn)(void *ud, const struct row_grant *r), void *ud, struct err *err);
int service_grant_drop(struct service *sv, const uint8_t persona[VAULT_UID],
                       struct err *err); /* all of a persona */

/* ---- jobs: rows only; what they mean is in jobs/ ---- */
enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };
struct row_job {
    int64_t id;
    int64_t account;            /* 0: the owner of the machine */
    uint8_t persona[VAULT_UID]; /* zeros: none */
    char kind[24];
    enum job_state state;
    int priority;                                                         /* higher first */
    int attempts;                                                         /* begun so far */
    bool cancel;                                                          /* asked to stop */
    int64_t created_at, run_at /* not before */, started_at, finished_at; /* CLOCK_NONE */
    char stage[16]; /* progress: word, done, total, unit */
    uint64_t done, total;
    char unit[16];
    int64_t version; /* of service_jobs_version, when it last changed */
    const char
        *args; /* JSON, sealed; "" when the job is over and settled: it may hold a passphrase */
    size_t args_n;
    const char
        *result; /* JSON, sealed: {...} or {"error": {"code", "message"}}; "" until the end */
    size_t result_n;
};
/* id set. once: when a job of this kind for this persona is waiting, that one's id comes back
 * instead and nothing is added. ERR_LIMIT when the account has `max_waiting` (0: any) waiting. */
int service_job_put(struct service *sv, struct row_job *r, bool once, int max_waiting,
                    struct err *err);
int service_job_get(struct service *sv, int64_t id, int (*fn)(void *ud, const struct row_job *r),
                    void *ud, struct err *err); /* ERR_NOTFOUND */
/* Newest first. account -1: all; persona NULL: any; open: only waiting and running ones. before 0
 * or the id to start below; at most limit. */
int service_job_each(struct service *sv, int64_t account, const uint8_t *persona, bool open,
                     int64_t before, int limit, int (*fn)(void *ud, const struct row_job *r),
                     void *ud, struct err *err);
/* Take the next job for `worker` (random, not 0): due, not of a persona with a running job, of the
 * accounts with fewest running ones first (fairness), then priority, then age. A running job whose
 * lease is over counts as waiting, after backoff. attempts then counts this one; a job that was to
 * be cancelled is given out too, with `cancel` set, for its end to be told. *id 0: nothing to do;
 * *wait_s says until when (at most 60). kinds: comma-separated names this worker knows. */
int service_job_claim(struct service *sv, const char *kinds, int64_t worker, int lease_s,
                      int64_t *id, int *wait_s, struct err *err);
/* Progress (stage NULL: none) and a longer lease. *cancel: stop now. ERR_NOTFOUND: the lease was
 * lost. */
int service_job_beat(struct service *sv, int64_t id, int64_t worker, int lease_s, const char *stage,
                     uint64_t done, uint64_t total, const char *unit, bool *cancel,
                     struct err *err);
/* The end of an attempt, if the lease is still this worker's (else ERR_NOTFOUND and nothing). state
 * WAITING: again at run_at. */
int service_job_end(struct service *sv, int64_t id, int64_t worker, enum job_state state,
                    int64_t run_at, const char *result, size_t n, struct err *err);
/* Back to waiting, as if this attempt had not begun: the worker has to stop. ERR_NOTFOUND. */
int service_job_release(struct service *sv, int64_t id, int64_t worker, struct err *err);
/* Waiting: it is cancelled at once (*at_once, may be NULL). Running: it is asked to stop. Over:
 * nothing. ERR_NOTFOUND. */
int service_job_cancel(struct service *sv, int64_t id, bool *at_once, struct err *err);
/* Its args are worth nothing any more: what it had kept outside was removed. */
int service_job_settled(struct service *sv, int64_t id, struct err *err);
/* The jobs that are over and not settled yet. */
int service_jobs_unsettled(struct service *sv, int (*fn)(void *ud, const struct row_job *r),
                           void *ud, struct err *err);
/* Every lease is over: by whom holds the home's write lock, when it begins, as no worker can be
 * left then. Without it, what a killed process had taken is taken up when its lease runs out. */
int service_jobs_recover(struct service *sv, struct err *err);
int service_jobs_tidy(struct service *sv, int64_t before, struct err *err); /* settled ones */
/* Bumps with every change of a job by anybody: to see whether to look again. Cheap. */
int64_t service_jobs_version(struct service *sv);
/* The jobs that changed after `since`, in that order. */
int service_jobs_since(struct service *sv, int64_t since,
                       int (*fn)(void *ud, const struct row_job *r), void *ud, struct err *err);
int service_job_counts(struct service *sv, uint64_t by_state[5], struct err *err);

/* ---- audit: who read or changed which persona ---- */
struct row_audit {
    int64_t id, at;
    int64_t account;            /* who; 0: the owner of the machine */
    uint8_t persona[VAULT_UID]; /* zeros: none */
    char action[48];            /* a word of ours: "persona.search" */
    int status;                 /* HTTP status, or 0 */
    const char *body;           /* JSON, sealed: request id, address */
    size_t body_n;
};
/* Kept in memory and written together within a second, and at service_close; a change is written
 * before it is acknowledged when `now` is set. On a full disk as many as 65,536 wait in memory;
 * then ERR_FULL: a reader may go on, a change may not. at 0: now. */
int service_audit_put(struct service *sv, const struct row_audit *r, bool now, struct err *err);
/* Newest first. persona NULL: any. before 0, or the id to start below; at most limit. */
int service_audit_each(struct service *sv, const uint8_t *persona, int64_t account /* -1: any */,
                       int64_t before, int limit, int (*fn)(void *ud, const struct row_audit *r),
                       void *ud, struct err *err);

#endif
