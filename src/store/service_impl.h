/* Inside the service's database: the handle, its lock, and the way of a sealed row.
 *
 * Every service_* takes `mu` for as long as it uses the connection. A change is between tx_begin
 * and tx_end, a look between look_begin and look_end. */
#ifndef LK_STORE_SERVICE_IMPL_H
#define LK_STORE_SERVICE_IMPL_H

#include "store/service.h"
#include "store/sql.h"

#include <pthread.h>

struct audit_buffer; /* service_audit.c */
struct service {
    struct store *st;
    pthread_mutex_t mu; /* of st */
    int64_t (*now)(void);
    int damage; /* of the last row that did not open */
    struct audit_buffer *audit;
};

void look_begin(struct service *sv);
void look_end(struct service *sv);
/* tx_end(rc != 0) undoes it; both give the lock back when they fail. */
int tx_begin(struct service *sv, struct err *err);
int tx_end(struct service *sv, int rc, struct err *err);
/* The same, without waiting for the disk: a power cut may lose it. */
int tx_begin_light(struct service *sv, struct err *err);
int tx_end_light(struct service *sv, int rc, struct err *err);

/* One table's rows as they come out. give opens the row under `s` and calls want's callback; want
 * NULL: only opens. ROW_DAMAGED when its seal does not open; the code is in sv->damage then. */
#define ROW_DAMAGED 1
typedef int give_fn(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
                    struct err *err);
/* Gives every row of s and puts s back. lenient: damaged ones are passed over, for one must not
 * hide the others; the doctor tells of it. *n: how many were given. */
int give_rows(struct service *sv, sqlite3_stmt *s, give_fn *give, const void *want, bool lenient,
              uint64_t *n, struct err *err);
/* One look at the rows of s, which rc says was got. `none`: what to say when there is none, and
 * that it is one row which is wanted; NULL: a list, lenient. */
int give_all(struct service *sv, int rc, sqlite3_stmt *s, give_fn *give, const void *want,
             const char *none, struct err *err);
give_fn give_note, give_account, give_session, give_apikey, give_grant, give_job, give_audit;

#define ACCOUNT_COLUMNS "id, uid, mail_digest, created_at, changed_at, disabled, body"
#define SESSION_COLUMNS "id, account, uid, created_at, seen_at, expires_at, revoked, body"
#define APIKEY_COLUMNS  "id, account, created_at, used_at, revoked, digest, body"
#define GRANT_COLUMNS   "persona, account, level, created_at, body"
#define JOB_COLUMNS                                                                                \
    "id, account, persona, kind, state, priority, attempts, cancel, created_at, run_at, "          \
    "started_at, finished_at, stage, done, total, unit, version, args, result"
#define AUDIT_COLUMNS "id, at, account, persona, action, status, body"

/* Copies a blob column of n bytes; zeros when it has another length, and then its seal, which is
 * bound to it, does not open. */
void take_bytes(sqlite3_stmt *s, int col, void *out, size_t n);
void take_word(sqlite3_stmt *s, int col, char *out, size_t cap);
/* Seals a value of the account and adds it to out. */
int seal_value(struct service *sv, const char *table, int64_t id, const char *column,
               const struct bound *b, const void *p, size_t n, struct buf *out, struct err *err);

/* Opens a sealed column into out. */
int row_value(struct service *sv, sqlite3_stmt *s, int col, const char *table, int64_t id,
              const char *column, const struct bound *b, struct buf *out, struct err *err);

int audit_open(struct service *sv, struct err *err);
void audit_close(struct service *sv); /* writes what waits */

#endif
