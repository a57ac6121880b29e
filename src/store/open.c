/* Opening, locking and transactions of HOME/likeness.db.
 *
 * One writer by HOME/lock (flock, so it goes with the process, however that ends), any number of
 * readers, who see the last commit (WAL). The writer's pid is in the file for the message only.
 *
 * A home that cannot be written (a read-only disk, another user's copy) still opens for reading:
 * SQLite is then told the file is immutable. That is right only while nobody changes it and while
 * no committed pages wait in the log, so both are looked at first.
 *
 * Settings that keep promises: synchronous=FULL (a commit survives a power cut), secure_delete
 * (deleted rows are overwritten with zeros), temp_store=MEMORY and mmap off (nothing of ours goes
 * to other files), auto_vacuum=INCREMENTAL (freed pages can be given back without copying the
 * file), trusted_schema off and the defensive switch (the file is not trusted to run code).
 *
 * Making a home takes longer than making its store: who does that holds HOME/lock all the while
 * (store_lock), so that no second process makes a home in the same place meanwhile.
 *
 * After SQLite itself undoes a transaction (a full disk can do that), every further change inside
 * store_begin/commit is refused: it would otherwise be committed alone. */
#include "base/str.h"
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_S 2.0

static int path_of(const char *home, const char *name, char out[PATH_MAX], struct err *err)
{
    if (snprintf(out, PATH_MAX, "%s/%s", home, name) >= PATH_MAX)
        return err_set(err, ERR_INVAL, "the path %s is too long", home);
    return 0;
}

/* ---- the lock ---- */

static int lock_busy(const char *home, int fd, struct err *err)
{
    char pid[24] = { 0 };
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    while (n > 0 && (pid[n - 1] < '0' || pid[n - 1] > '9')) pid[--n] = 0;
    if (n <= 0) snprintf(pid, sizeof pid, "unknown");
    return err_set(err, ERR_BUSY,
                   "another process (pid %s) is writing to %s: wait until it is done, "
                   "or stop it",
                   pid, home);
}

/* Waits until `until` for the lock. Who made a home in vain removes its lock file while others may
 * wait for it, so *stale says whether the path means another file by now. */
static int lock_wait(const char *home, const char *path, int fd, double until, bool *stale,
                     struct err *err)
{
    struct stat mine, there;
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return err_errno(err, "cannot lock %s", path);
        if (clock_mono() >= until) return lock_busy(home, fd, err);
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    *stale = fstat(fd, &mine) || stat(path, &there) || mine.st_dev != there.st_dev ||
             mine.st_ino != there.st_ino;
    return 0;
}

int lock_take(const char *home, int *out, struct err *err)
{
    char path[PATH_MAX], pid[24];
    int fd = -1, rc = path_of(home, "lock", path, err);
    double until = clock_mono() + LOCK_WAIT_S;
    bool stale = true;
    *out = -1;
    while (!rc && stale) {
        if (fd >= 0) close(fd);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && (errno == EACCES || errno == EPERM))
            return err_set(err, ERR_FULL,
                           "%s cannot be written: mend its permissions, or copy it to a "
                           "folder of your own",
                           home);
        if (fd < 0) return err_errno(err, "cannot open %s", path);
        rc = lock_wait(home, path, fd, until, &stale, err);
    }
    if (rc) {
        if (fd >= 0) close(fd);
        return rc;
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)n, 0) != n)
        errno = 0; /* for the message only */
    *out = fd;
    return 0;
}

void lock_drop(int *fd)
{
    if (*fd < 0) return;
    if (ftruncate(*fd, 0)) errno = 0;
    close(*fd);
    *fd = -1;
}

int store_lock(const char *home, int *lock, struct err *err) { return lock_take(home, lock, err); }
void store_unlock(int *lock) { lock_drop(lock); }

/* ---- opening ---- */

bool db_read_only(const char *home)
{
    return access(home, W_OK) && (errno == EROFS || errno == EACCES);
}

static bool log_is_empty(const char *db)
{
    char path[PATH_MAX];
    struct stat s;
    if (snprintf(path, sizeof path, "%s-wal", db) >= PATH_MAX) return false;
    return stat(path, &s) ? errno == ENOENT : s.st_size == 0;
}

/* A file: URI of path; every byte that could mean something else is written as %XX. */
static char *immutable_uri(const char *path)
{
    struct buf b = BUF_INIT(4 * PATH_MAX);
    buf_adds(&b, "file:");
    for (const char *p = path; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("/._-", *p);
        if (plain) buf_addc(&b, *p);
        else buf_printf(&b, "%%%02x", (unsigned char)*p);
    }
    buf_adds(&b, "?immutable=1");
    return buf_take(&b);
}

static int open_db(struct store *st, struct err *err)
{
    char path[PATH_MAX], abs[PATH_MAX];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
        rc = path_of(st->home, st->file, path, err);
    char *uri = NULL;
    if (rc) return rc;
    if (!io_exists(path))
        return err_set(err, ERR_NOTFOUND,
                       "%s has no %s: restore it from a backup, or make a "
                       "home with `likeness init`",
                       st->home, st->file);
    if (st->mode == STORE_READ && db_read_only(st->home)) {
        flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
        if ((st->immutable = log_is_empty(path))) {
            flags |= SQLITE_OPEN_URI;
            if (!(uri = immutable_uri(realpath(path, abs) ? abs : path))) return err_nomem(err);
        }
    }
    if (sqlite3_open_v2(uri ? uri : path, &st->db, flags, NULL)) rc = sql_fail(st, err);
    free(uri);
    if (rc) return rc;
    sqlite3_extended_result_codes(st->db, 1);
    sqlite3_busy_timeout(st->db, 5000);
    sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(st->db, SQLITE_LIMIT_ATTACHED, 0);
    return 0;
}

static int configure(struct store *st, struct err *err)
{
    int rc = sql_exec(st,
                      "PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
                      "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;"
                      "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=8388608;"
                      "PRAGMA cache_size=-16384;",
                      err);
    /* A writer that takes in a million pieces touches the whole index of digests again and again,
     * and would copy its log into the file, and wait for the disk, every four megabytes. */
    if (!rc && st->mode == STORE_WRITE)
        rc = sql_exec(st, "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=8192;", err);
    if (!rc && !st->immutable && !db_read_only(st->home))
        rc = sql_exec(st, "PRAGMA journal_mode=WAL;", err);
    if (rc && st->mode == STORE_READ && db_read_only(st->home) && !st->immutable)
        rc = err_set(
            err, ERR_FULL,
            "%s cannot be written, and its log (%s-wal) holds changes "
            "that have to be applied first: copy the whole folder to a disk that can be written",
            st->home, st->file);
    return rc;
}

/* On a full disk there is no room for the log's index (likeness.db-shm). For its only user SQLite
 * keeps that in memory, when told so before it looks at the log: so a writer gets in, who may want
 * to forget a persona. Readers are shut out as long. */
int db_open(struct store *st, struct err *err)
{
    int rc = open_db(st, err);
    if (!rc) rc = configure(st, err);
    if (rc != ERR_FULL || st->mode != STORE_WRITE || !st->db) return rc;
    sql_forget_all(st);
    sqlite3_close(st->db);
    st->db = NULL;
    rc = open_db(st, err);
    if (!rc) rc = sql_exec(st, "PRAGMA locking_mode=EXCLUSIVE;", err);
    return rc ? rc : configure(st, err);
}

/* The database was made with this vault: its first sealed value opens. */
int db_check_home(struct store *st, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf b = BUF_INIT(4096);
    int rc = sql_get(st, &s, err, "SELECT body FROM meta WHERE name='home'", "");
    if (rc) return rc;
    rc = sql_step(st, s, err);
    if (rc > 0) {
        rc = row_open(st, NULL, "meta", 0, "home", NULL, s, 0, &b, NULL);
        if (!rc && (b.n != 16 || memcmp(b.p, vault_home_id(st->v), 16))) rc = ERR_SEAL;
    } else if (!rc) {
        rc = ERR_SEAL;
    }
    if (rc == ERR_SEAL)
        rc = err_set(err, ERR_KEY,
                     "%s/%s and %s/vault do not belong together: restore both from "
                     "the same backup",
                     st->home, st->file, st->home);
    sql_put(st, s);
    buf_free(&b);
    return rc;
}

/* An older schema is brought up to date, also for a reader, who takes the lock for that moment. */
static int update_schema(struct store *st, struct err *err)
{
    int64_t version = 0;
    int rc = schema_version(st, &version, err);
    if (rc) return rc;
    if (!version)
        return err_set(err, ERR_NOTFOUND,
                       "%s/likeness.db is empty: restore it from a backup, or make a "
                       "home with `likeness init`",
                       st->home);
    if (version == STORE_SCHEMA) return 0;
    if (st->mode == STORE_READ && db_read_only(st->home))
        return err_set(err, ERR_FULL,
                       "%s was made by an older version and has to be brought up to date, "
                       "but cannot be written: copy the folder to a disk that can be written",
                       st->home);
    int fd = -1;
    if (st->lock_fd < 0 && (rc = lock_take(st->home, &fd, err))) return rc;
    rc = schema_version(st, &version, err); /* another process may have been quicker */
    if (!rc && version < STORE_SCHEMA) rc = store_migrate(st, version, err);
    lock_drop(&fd);
    return rc;
}

struct store *db_new(const char *home, struct vault *v, const struct db_kind *kind,
                     enum store_mode mode)
{
    struct store *st = calloc(1, sizeof *st);
    if (!st) return NULL;
    st->v = v;
    st->kind = kind;
    st->file = kind->file;
    st->mode = mode;
    st->lock_fd = -1;
    if (!(st->home = str_dup(home))) {
        free(st);
        return NULL;
    }
    return st;
}

void store_close(struct store *st)
{
    if (!st) return;
    store_rollback(st);
    sql_forget_all(st);
    sqlite3_close(st->db);
    lock_drop(&st->lock_fd);
    map_free(&st->deletions);
    free(st->home);
    free(st);
}

int store_open(const char *home, struct vault *v, enum store_mode mode, struct store **out,
               struct err *err)
{
    char keys[PATH_MAX];
    struct store *st = db_new(home, v, &likeness_db, mode);
    int rc = st ? 0 : err_nomem(err);
    *out = NULL;
    if (rc) return rc;
    if ((rc = path_of(home, "keys", keys, err))) goto out;
    if (!io_is_dir(keys)) {
        rc = err_set(err, ERR_KEY,
                     "the folder %s is missing, and with it the keys of all personas: "
                     "restore it from a backup",
                     keys);
        goto out;
    }
    if (mode == STORE_WRITE && (rc = lock_take(home, &st->lock_fd, err))) goto out;
    if ((rc = db_open(st, err))) goto out;
    if ((rc = update_schema(st, err))) goto out;
    if ((rc = db_check_home(st, err))) goto out;
    if (mode == STORE_WRITE) rc = finish_forgetting(st, err);
    else rc = sql_exec(st, "PRAGMA query_only=ON", err);
    if (rc) goto out;
    *out = st;
    st = NULL;
out:
    store_close(st);
    return rc;
}

static int put_home(struct store *st, struct err *err)
{
    struct buf b = BUF_INIT(4096);
    int rc = row_seal(st, NULL, "meta", 0, "home", NULL, vault_home_id(st->v), 16, &b, err);
    if (!rc) rc = sql_do(st, err, "INSERT INTO meta(name, body) VALUES('home', ?)", "b", b.p, b.n);
    buf_free(&b);
    return rc;
}

int db_fill(struct store *st, struct err *err)
{
    struct scope sc = { 0 };
    int64_t version = 0;
    int rc = open_db(st, err);
    if (!rc) rc = schema_version(st, &version, err);
    if (rc) return rc;
    if (version) return err_set(err, ERR_EXISTS, "%s/%s is there already", st->home, st->file);
    if ((rc = sql_exec(st, "PRAGMA auto_vacuum=INCREMENTAL;", err))) return rc;
    if ((rc = configure(st, err))) return rc;
    if ((rc = scope_begin(st, &sc, err))) return rc;
    rc = schema_make(st, err);
    if (!rc) rc = put_home(st, err);
    return scope_end(st, &sc, rc, err);
}

static void remove_new(const char *db)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char t[PATH_MAX];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (snprintf(t, sizeof t, "%s%s", db, ends[i]) < PATH_MAX) unlink(t);
}

/* What it made it takes away again after an error, and nothing else. */
int store_create_locked(const char *home, struct vault *v, struct err *err)
{
    char path[PATH_MAX];
    bool made = false;
    struct store *st = db_new(home, v, &likeness_db, STORE_WRITE);
    int rc = st ? path_of(home, st->file, path, err) : err_nomem(err);
    if (rc) goto out;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    made = fd >= 0;
    if (!made && errno != EEXIST) {
        rc = err_errno(err, "cannot make %s", path);
        goto out;
    }
    if (made) close(fd);
    rc = db_fill(st, err);
    if (!rc) rc = io_sync_dir(home, err);
out:
    store_close(st);
    if (rc && made) remove_new(path);
    return rc;
}

int store_create(const char *home, struct vault *v, struct err *err)
{
    int lock, rc = lock_take(home, &lock, err);
    if (!rc) rc = store_create_locked(home, v, err);
    lock_drop(&lock);
    return rc;
}

/* ---- transactions ---- */

int write_ready(struct store *st, struct err *err)
{
    if (st->mode != STORE_WRITE)
        return err_set(err, ERR_INVAL, "the store was opened for reading only");
    if (st->reading && !st->in_tx)
        return err_set(err, ERR_INVAL, "a row callback may write only inside a transaction");
    if (st->in_tx && sqlite3_get_autocommit(st->db))
        return err_set(err, ERR_IO, "the change was undone after a failure; nothing was changed");
    return 0;
}

int store_begin(struct store *st, struct err *err)
{
    int rc = write_ready(st, err);
    if (rc) return rc;
    if (st->in_tx) return err_set(err, ERR_INVAL, "a transaction is open already");
    if ((rc = sql_do(st, err, "BEGIN IMMEDIATE", ""))) return rc;
    st->in_tx = true;
    return 0;
}

int store_commit(struct store *st, struct err *err)
{
    int rc = write_ready(st, err);
    if (!rc && !st->in_tx) return err_set(err, ERR_INVAL, "no transaction is open");
    for (int i = 0; !rc && i < st->n_ids; i++)
        rc = sql_do(st, err,
                    "INSERT INTO serial(name, last) VALUES(?, ?)"
                    " ON CONFLICT(name) DO UPDATE SET last=excluded.last",
                    "ti", st->ids[i].table, st->ids[i].last);
    if (!rc) rc = sql_do(st, err, "COMMIT", "");
    if (rc) store_rollback(st);
    st->in_tx = false;
    st->n_ids = 0;
    return rc;
}

void store_rollback(struct store *st)
{
    if (st->in_tx && !sqlite3_get_autocommit(st->db)) sql_do(st, NULL, "ROLLBACK", "");
    st->in_tx = false;
    st->n_ids = 0;
}

int scope_begin(struct store *st, struct scope *sc, struct err *err)
{
    int rc = write_ready(st, err);
    if (rc) return rc;
    sc->own = sqlite3_get_autocommit(st->db);
    sc->save = !sc->own;
    return sc->own ? sql_do(st, err, "BEGIN IMMEDIATE", "") : sql_do(st, err, "SAVEPOINT op", "");
}

int scope_begin_one(struct store *st, struct scope *sc, struct err *err)
{
    int rc = write_ready(st, err);
    if (rc) return rc;
    sc->own = sqlite3_get_autocommit(st->db);
    sc->save = false;
    return sc->own ? sql_do(st, err, "BEGIN IMMEDIATE", "") : 0;
}

int scope_end(struct store *st, const struct scope *sc, int rc, struct err *err)
{
    if (!sc->own && !sc->save) return rc;
    if (!rc) rc = sc->own ? sql_do(st, err, "COMMIT", "") : sql_do(st, err, "RELEASE op", "");
    if (!rc || sqlite3_get_autocommit(st->db)) return rc;
    if (sc->own) {
        sql_do(st, NULL, "ROLLBACK", "");
    } else {
        sql_do(st, NULL, "ROLLBACK TO op", "");
        sql_do(st, NULL, "RELEASE op", "");
    }
    return rc;
}

int must_change(struct store *st, const char *what, int64_t id, struct err *err)
{
    if (sqlite3_changes(st->db)) return 0;
    return err_set(err, ERR_NOTFOUND, "there is no %s %lld here", what, (long long)id);
}

int next_id(struct store *st, const char *table, int64_t *id, struct err *err)
{
    int i = 0;
    if (!st->in_tx)
        return sql_int(st, id, err,
                       "INSERT INTO serial(name, last) VALUES(?, 1)"
                       " ON CONFLICT(name) DO UPDATE SET last=last+1 RETURNING last",
                       "t", table);
    while (i < st->n_ids && strcmp(st->ids[i].table, table) != 0) i++;
    if (i == st->n_ids) {
        int64_t last = 0;
        if (i == IDS_MAX) return err_set(err, ERR_INTERNAL, "too many tables give ids");
        int rc = sql_int(st, &last, err, "SELECT last FROM serial WHERE name=?", "t", table);
        if (rc) return rc;
        st->ids[st->n_ids++] = (struct ids){ table, last };
    }
    *id = ++st->ids[i].last;
    return 0;
}

int store_compact(struct store *st, struct err *err)
{
    int64_t busy = 0, free_pages = 0;
    int rc = write_ready(st, err);
    if (rc) return rc;
    if (st->in_tx) return err_set(err, ERR_INVAL, "not inside a transaction");
    if ((rc = sql_int(st, &free_pages, err, "PRAGMA freelist_count", ""))) return rc;
    /* Freed pages hold zeros (secure_delete); giving them back may fail on a full disk and is then
     * done another time. */
    if (free_pages && (rc = sql_exec(st, "PRAGMA incremental_vacuum", err)) && rc != ERR_FULL)
        return rc;
    if ((rc = sql_int(st, &busy, err, "PRAGMA wal_checkpoint(TRUNCATE)", ""))) return rc;
    if (busy)
        return err_set(err, ERR_BUSY,
                       "another process is reading %s, so its log could not be emptied: "
                       "close the other program and run `likeness doctor`",
                       st->home);
    return 0;
}

void store_shrink(struct store *st) { sqlite3_db_release_memory(st->db); }

int store_still(struct store *st, struct err *err)
{
    if (st->mode != STORE_READ || !sqlite3_get_autocommit(st->db))
        return err_set(err, ERR_INVAL, "only a store that is open to read can stand still, once");
    return sql_do(st, err, "BEGIN", "");
}

void store_moves(struct store *st)
{
    if (!sqlite3_get_autocommit(st->db)) sql_do(st, NULL, "ROLLBACK", "");
}

int64_t store_data_version(struct store *st)
{
    int64_t v = 0;
    sql_int(st, &v, NULL, "PRAGMA data_version", "");
    return v;
}
