/* HOME/service.db: making, opening, its lock, its tables, and notes.
 *
 * The file is made under another name, whole, and then linked to its own: of two processes that set
 * out to make it, one finds it there and uses it, and no crash leaves half a database. It is never
 * opened here but by SQLite, because closing any other descriptor of a file drops the locks that
 * SQLite holds on it.
 *
 * One connection behind one mutex: what is done here takes microseconds, but for a commit, which
 * waits for the disk. Transactions begin IMMEDIATE, so that no two processes read, decide and then
 * cannot both write; each waits up to some fifteen seconds for the other's.
 *
 * A commit waits for the disk (synchronous=FULL), but for those between tx_begin_light and
 * tx_end_light: job progress, leases and "last seen" may be lost with the power, and are many. They
 * are never lost with the process, nor do they harm what was committed before them.
 *
 * What is sealed, and bound to what: docs/STORAGE.md. Columns that change on their own (a job's
 * state, a revoked session) are not bound. */
#include "store/service_impl.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVICE_ID 0x4c6b7376 /* "Lksv" */
#define WAIT_MS    15000      /* for other processes */

static const char TABLES[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE serial(name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;"
    "CREATE TABLE note(name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE account(id INTEGER PRIMARY KEY, uid BLOB NOT NULL UNIQUE CHECK(length(uid)=16),"
    " mail_digest BLOB NOT NULL UNIQUE CHECK(length(mail_digest)=16),"
    " created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, disabled INTEGER NOT NULL,"
    " body BLOB NOT NULL) STRICT;"
    "CREATE TABLE session(id INTEGER PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " uid BLOB NOT NULL UNIQUE CHECK(length(uid)=16), created_at INTEGER NOT NULL,"
    " seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0,"
    " body BLOB NOT NULL) STRICT;"
    "CREATE INDEX session_account ON session(account);"
    "CREATE TABLE refresh(digest BLOB PRIMARY KEY CHECK(length(digest)=32),"
    " session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,"
    " used_at INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE INDEX refresh_session ON refresh(session);"
    "CREATE TABLE apikey(id INTEGER PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " created_at INTEGER NOT NULL, used_at INTEGER, revoked INTEGER NOT NULL DEFAULT 0,"
    " digest BLOB NOT NULL UNIQUE CHECK(length(digest)=32), body BLOB NOT NULL) STRICT;"
    "CREATE INDEX apikey_account ON apikey(account);"
    "CREATE TABLE persona_grant(persona BLOB NOT NULL CHECK(length(persona)=16),"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " level INTEGER NOT NULL, created_at INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(persona, account)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX persona_grant_account ON persona_grant(account);";

static const char WORK[] =
    "CREATE TABLE job(id INTEGER PRIMARY KEY, account INTEGER NOT NULL,"
    " persona BLOB NOT NULL CHECK(length(persona)=16), kind TEXT NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0, cancel INTEGER NOT NULL DEFAULT 0,"
    " created_at INTEGER NOT NULL, run_at INTEGER NOT NULL, started_at INTEGER,"
    " finished_at INTEGER, worker INTEGER NOT NULL DEFAULT 0, lease_until INTEGER,"
    " version INTEGER NOT NULL, stage TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,"
    " total INTEGER NOT NULL DEFAULT 0, unit TEXT NOT NULL DEFAULT '',"
    " args BLOB NOT NULL, result BLOB NOT NULL DEFAULT x'') STRICT;"
    "CREATE INDEX job_open ON job(state, run_at) WHERE state<2;"
    "CREATE INDEX job_persona ON job(persona, state) WHERE state<2;"
    "CREATE INDEX job_account ON job(account, id);"
    "CREATE INDEX job_version ON job(version);"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, account INTEGER NOT NULL,"
    " persona BLOB NOT NULL CHECK(length(persona)=16), action TEXT NOT NULL,"
    " status INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX audit_persona ON audit(persona, id);"
    "CREATE INDEX audit_account ON audit(account, id);";

static const char *const STATEMENTS[] = { TABLES, WORK, NULL };
static const struct db_kind service_db = { "service.db", SERVICE_ID, SERVICE_SCHEMA, STATEMENTS };

/* ---- the lock, transactions ---- */

void look_begin(struct service *sv) { pthread_mutex_lock(&sv->mu); }
void look_end(struct service *sv) { pthread_mutex_unlock(&sv->mu); }

static int begin(struct service *sv, bool light, struct err *err)
{
    struct scope sc = { 0 };
    int rc = 0;
    look_begin(sv);
    if (sv->st->mode == STORE_READ)
        rc = err_set(err, ERR_FULL,
                     "%s cannot be written: put it on a disk that can be written, or mend its "
                     "permissions",
                     sv->st->home);
    if (!rc && light) rc = sql_exec(sv->st, "PRAGMA synchronous=NORMAL", err);
    if (!rc) rc = scope_begin_one(sv->st, &sc, err);
    if (!rc) return 0;
    if (light) sql_exec(sv->st, "PRAGMA synchronous=FULL", NULL);
    look_end(sv);
    return rc;
}

int tx_begin(struct service *sv, struct err *err) { return begin(sv, false, err); }
int tx_begin_light(struct service *sv, struct err *err) { return begin(sv, true, err); }

int tx_end(struct service *sv, int rc, struct err *err)
{
    const struct scope sc = { .own = true };
    rc = scope_end(sv->st, &sc, rc, err);
    look_end(sv);
    return rc;
}

int tx_end_light(struct service *sv, int rc, struct err *err)
{
    const struct scope sc = { .own = true };
    rc = scope_end(sv->st, &sc, rc, err);
    sql_exec(sv->st, "PRAGMA synchronous=FULL", NULL);
    look_end(sv);
    return rc;
}

/* ---- rows ---- */

void take_bytes(sqlite3_stmt *s, int col, void *out, size_t n)
{
    struct span b = sql_blob(s, col);
    memset(out, 0, n);
    if (b.n == n) memcpy(out, b.p, n);
}

int row_value(struct service *sv, sqlite3_stmt *s, int col, const char *table, int64_t id,
              const char *column, const struct bound *b, struct buf *out, struct err *err)
{
    int rc = row_open(sv->st, NULL, table, id, column, b, s, col, out, err);
    if (!row_is_damaged(rc)) return rc;
    sv->damage =
        err_prefix(err, rc, "service.db, row %lld of %s, %s", (long long)id, table, column);
    return ROW_DAMAGED;
}

void take_word(sqlite3_stmt *s, int col, char *out, size_t cap)
{
    const char *t = (const char *)sqlite3_column_text(s, col);
    snprintf(out, cap, "%s", t ? t : "");
}

int seal_value(struct service *sv, const char *table, int64_t id, const char *column,
               const struct bound *b, const void *p, size_t n, struct buf *out, struct err *err)
{
    return row_seal(sv->st, NULL, table, id, column, b, p, n, out, err);
}

int give_rows(struct service *sv, sqlite3_stmt *s, give_fn *give, const void *want, bool lenient,
              uint64_t *n, struct err *err)
{
    struct buf body = BUF_INIT(0);
    int rc;
    while ((rc = sql_step(sv->st, s, err)) > 0) {
        rc = give(sv, s, &body, want, err);
        if (rc == ROW_DAMAGED && lenient) continue;
        ++*n;
        if (rc == ROW_DAMAGED) rc = sv->damage;
        if (rc) break;
    }
    sql_put(sv->st, s);
    buf_free(&body);
    return rc;
}

int give_all(struct service *sv, int rc, sqlite3_stmt *s, give_fn *give, const void *want,
             const char *none, struct err *err)
{
    uint64_t n = 0;
    if (!rc) rc = give_rows(sv, s, give, want, !none, &n, err);
    if (!rc && !n && none) rc = err_set(err, ERR_NOTFOUND, "%s", none);
    look_end(sv);
    return rc;
}

/* ---- making and opening ---- */

static void remove_made(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char t[PATH_MAX];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (snprintf(t, sizeof t, "%s%s", path, ends[i]) < PATH_MAX) unlink(t);
}

static int fill_at(const char *home, struct vault *v, const char *file, struct err *err)
{
    struct store *st = db_new(home, v, &service_db, STORE_WRITE);
    int rc = st ? 0 : err_nomem(err);
    if (st) st->file = file;
    if (!rc) rc = db_fill(st, err);
    store_close(st); /* the last one to close moves the log into the file */
    return rc;
}

static int make(const char *home, struct vault *v, const char *path, struct err *err)
{
    char made[PATH_MAX];
    int rc = 0, fd;
    if (snprintf(made, sizeof made, "%s.tmp-XXXXXX", path) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", home);
    if ((fd = mkostemp(made, O_CLOEXEC)) < 0) return err_errno(err, "cannot make %s", path);
    close(fd);
    rc = fill_at(home, v, made + strlen(home) + 1, err);
    if (!rc && link(made, path) && errno != EEXIST) rc = err_errno(err, "cannot make %s", path);
    remove_made(made);
    return rc ? rc : io_sync_dir(home, err);
}

/* SQLite's own way of waiting sleeps ever longer, so that of several busy processes one may never
 * come to its turn. */
static int wait_turn(void *ud, int tries)
{
    (void)ud;
    if (tries * 2 > WAIT_MS) return 0;
    nanosleep(&(struct timespec){ .tv_nsec = (1 + tries % 3) * 1000000L }, NULL);
    return 1;
}

static int ready(struct service *sv, struct err *err)
{
    int64_t version = 0;
    int rc = db_open(sv->st, err);
    if (!rc) sqlite3_busy_handler(sv->st->db, wait_turn, NULL);
    if (!rc) rc = schema_version(sv->st, &version, err);
    if (!rc && !version)
        rc = err_set(err, ERR_PARSE,
                     "%s/service.db is empty: restore it from a backup, or remove it to begin "
                     "with no accounts",
                     sv->st->home);
    if (!rc) rc = db_check_home(sv->st, err);
    return rc;
}

int service_open(const char *home, struct vault *v, struct service **out, struct err *err)
{
    char path[PATH_MAX];
    bool writable = !db_read_only(home);
    struct service *sv = calloc(1, sizeof *sv);
    int rc = 0;
    *out = NULL;
    if (!sv) return err_nomem(err);
    pthread_mutex_init(&sv->mu, NULL);
    sv->now = clock_now;
    sv->st = db_new(home, v, &service_db, writable ? STORE_WRITE : STORE_READ);
    if (!sv->st) rc = err_nomem(err);
    else if (snprintf(path, sizeof path, "%s/%s", home, service_db.file) >= PATH_MAX)
        rc = err_set(err, ERR_INVAL, "the path %s is too long", home);
    else if (writable && !io_exists(path)) rc = make(home, v, path, err);
    if (!rc) rc = ready(sv, err);
    if (!rc) rc = audit_open(sv, err);
    if (rc) {
        service_close(sv);
        return rc;
    }
    *out = sv;
    return 0;
}

void service_close(struct service *sv)
{
    if (!sv) return;
    audit_close(sv);
    store_close(sv->st);
    pthread_mutex_destroy(&sv->mu);
    free(sv);
}

void service_clock(struct service *sv, int64_t (*now)(void)) { sv->now = now ? now : clock_now; }
int64_t service_now(struct service *sv) { return sv->now(); }
struct vault *service_vault(struct service *sv) { return sv->st->v; }
const char *service_home(struct service *sv) { return sv->st->home; }

/* ---- notes ---- */

static int note_insert(struct service *sv, const char *name, const void *p, size_t n,
                       struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    int rc = seal_value(sv, "note", 0, name, NULL, p, n, &sealed, err);
    if (!rc)
        rc = sql_do(sv->st, err,
                    "INSERT INTO note(name, body) VALUES(?, ?)"
                    " ON CONFLICT(name) DO UPDATE SET body=excluded.body",
                    "tb", name, sealed.p, sealed.n);
    buf_free(&sealed);
    return rc;
}

int service_note_put(struct service *sv, const char *name, const void *p, size_t n, struct err *err)
{
    int rc = tx_begin(sv, err);
    if (rc) return rc;
    rc = n ? note_insert(sv, name, p, n, err)
           : sql_do(sv->st, err, "DELETE FROM note WHERE name=?", "t", name);
    return tx_end(sv, rc, err);
}

int give_note(struct service *sv, sqlite3_stmt *s, struct buf *body, const void *want,
              struct err *err)
{
    struct buf *const *out = want;
    const char *name = (const char *)sqlite3_column_text(s, 0);
    int rc = row_value(sv, s, 1, "note", 0, name ? name : "", NULL, body, err);
    if (rc) return rc;
    return out && buf_add(*out, body->p, body->n) ? err_nomem(err) : 0;
}

static int note_get(struct service *sv, const char *name, struct buf *out, bool *there,
                    struct err *err)
{
    sqlite3_stmt *s = NULL;
    uint64_t n = 0;
    int rc = sql_get(sv->st, &s, err, "SELECT name, body FROM note WHERE name=?", "t", name);
    if (!rc) rc = give_rows(sv, s, give_note, &out, false, &n, err);
    *there = n > 0;
    return rc;
}

int service_note_get(struct service *sv, const char *name, struct buf *out, struct err *err)
{
    bool there;
    look_begin(sv);
    int rc = note_get(sv, name, out, &there, err);
    look_end(sv);
    if (!rc && !there) rc = err_set(err, ERR_NOTFOUND, "there is no note %s", name);
    return rc;
}

static int note_key(struct service *sv, const char *name, uint8_t key[32], struct err *err)
{
    struct buf b = BUF_INIT(4096);
    bool there;
    int rc = note_get(sv, name, &b, &there, err);
    if (!rc && there && b.n != 32)
        rc = err_set(err, ERR_PARSE, "service.db: the note %s holds no key", name);
    if (!rc && there) memcpy(key, b.p, 32);
    if (!rc && !there) {
        randombytes_buf(key, 32);
        rc = note_insert(sv, name, key, 32, err);
    }
    buf_free(&b);
    return rc;
}

int service_note_key(struct service *sv, const char *name, uint8_t key[32], struct err *err)
{
    struct buf b = BUF_INIT(4096);
    bool there = false;
    int rc;
    look_begin(sv); /* most often it is there, also in a home that cannot be written */
    rc = note_get(sv, name, &b, &there, err);
    look_end(sv);
    if (!rc && there && b.n == 32) memcpy(key, b.p, 32);
    else if (!rc && !(rc = tx_begin(sv, err))) rc = tx_end(sv, note_key(sv, name, key, err), err);
    buf_free(&b);
    return rc;
}
