/* Statements: prepared once for each store and kept, bound by a short type string, and their errors
 * told as ours.
 *
 * The cache knows a statement by the address of its SQL literal. When a row callback runs the same
 * query again, the cached statement is busy and a second one is prepared and thrown away after.
 * SQLite's own messages name tables and columns, never values, so they may be shown. */
#include "store/sql.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static int errno_is_full(int e) { return e == ENOSPC || e == EDQUOT || e == EFBIG; }

int sql_fail(struct store *st, struct err *err)
{
    int x = st->db ? sqlite3_extended_errcode(st->db) : SQLITE_NOMEM;
    int now = errno, sys = st->db ? sqlite3_system_errno(st->db) : 0;
    if (!sys) sys = now; /* SQLite does not keep it for what fails in a commit */
    const char *msg = st->db ? sqlite3_errmsg(st->db) : "out of memory";
    switch (x & 255) {
    case SQLITE_FULL: goto full;
    case SQLITE_READONLY:
        return err_set(err, ERR_FULL,
                       "%s cannot be written (%s): put it on a disk that can be "
                       "written, or mend its permissions",
                       st->home, msg);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_BUSY,
                       "%s/%s is in use by another process (%s): try again "
                       "when it is done",
                       st->home, st->file, msg);
    case SQLITE_NOMEM: return err_nomem(err);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_PARSE,
                       "%s/%s is damaged (%s): restore a backup; run "
                       "`likeness doctor` to see how much still opens",
                       st->home, st->file, msg);
    case SQLITE_IOERR:
        if (errno_is_full(sys)) goto full;
        return err_set(err, ERR_IO, "%s/%s: %s (%s): check the disk", st->home, st->file, msg,
                       sys ? strerror(sys) : "no more is known");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(err, ERR_IO, "%s/%s cannot be opened (%s): check that it belongs to you",
                       st->home, st->file, sys ? strerror(sys) : msg);
    case SQLITE_CONSTRAINT:
        if (x == SQLITE_CONSTRAINT_FOREIGNKEY)
            return err_set(err, ERR_NOTFOUND, "what this belongs to was removed meanwhile");
        if (x == SQLITE_CONSTRAINT_UNIQUE || x == SQLITE_CONSTRAINT_PRIMARYKEY)
            return err_set(err, ERR_EXISTS, "it is stored already (%s)", msg);
        return err_set(err, ERR_INTERNAL, "the store refused a row: %s", msg);
    case SQLITE_TOOBIG: return err_set(err, ERR_LIMIT, "a value is too large for the store");
    case SQLITE_INTERRUPT: return err_set(err, ERR_CANCEL, "cancelled");
    default: return err_set(err, ERR_INTERNAL, "the store: %s (%d)", msg, x);
    }
full:
    return err_set(err, ERR_FULL, "the disk is full: free space at %s; nothing was changed",
                   st->home);
}

static int bind_all(sqlite3_stmt *s, const char *types, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; *types && !rc; types++, i++) {
        if (*types == 'i' || *types == 'n') {
            int64_t v = va_arg(ap, int64_t);
            rc = *types == 'n' && v == CLOCK_NONE ? sqlite3_bind_null(s, i)
                                                  : sqlite3_bind_int64(s, i, v);
        } else if (*types == 't') {
            rc = sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else {
            const void *p = va_arg(ap, const void *);
            size_t n = va_arg(ap, size_t);
            rc =
                p ? sqlite3_bind_blob64(s, i, p, n, SQLITE_STATIC) : sqlite3_bind_zeroblob(s, i, 0);
        }
    }
    return rc;
}

static int prepare(struct store *st, const char *sql, sqlite3_stmt **out, struct err *err)
{
    struct stmt_slot *slot = NULL;
    for (int i = 0; i < st->n_cached; i++)
        if (st->cache[i].sql == sql) {
            if (st->cache[i].taken) break;
            st->cache[i].taken = true;
            *out = st->cache[i].stmt;
            return 0;
        } else if (i == st->n_cached - 1 && st->n_cached < STMT_MAX) {
            slot = &st->cache[st->n_cached];
        }
    if (!st->n_cached) slot = &st->cache[0];
    if (sqlite3_prepare_v3(st->db, sql, -1, slot ? SQLITE_PREPARE_PERSISTENT : 0, out, NULL))
        return sql_fail(st, err);
    if (slot) {
        *slot = (struct stmt_slot){ sql, *out, true };
        st->n_cached++;
    }
    return 0;
}

static int vget(struct store *st, sqlite3_stmt **out, struct err *err, const char *sql,
                const char *types, va_list ap)
{
    *out = NULL;
    int rc = prepare(st, sql, out, err);
    if (!rc && bind_all(*out, types, ap)) {
        rc = sql_fail(st, err);
        sql_put(st, *out);
        *out = NULL;
    }
    return rc;
}

int sql_get(struct store *st, sqlite3_stmt **out, struct err *err, const char *sql,
            const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    int rc = vget(st, out, err, sql, types, ap);
    va_end(ap);
    return rc;
}

int sql_step(struct store *st, sqlite3_stmt *s, struct err *err)
{
    errno = 0; /* for sql_fail */
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) return 1;
    return rc == SQLITE_DONE ? 0 : sql_fail(st, err);
}

void sql_put(struct store *st, sqlite3_stmt *s)
{
    if (!s) return;
    for (int i = 0; i < st->n_cached; i++)
        if (st->cache[i].stmt == s) {
            sqlite3_reset(s);
            sqlite3_clear_bindings(s);
            st->cache[i].taken = false;
            return;
        }
    sqlite3_finalize(s);
}

int sql_do(struct store *st, struct err *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s = NULL;
    va_list ap;
    va_start(ap, types);
    int rc = vget(st, &s, err, sql, types, ap);
    va_end(ap);
    if (rc) return rc;
    while ((rc = sql_step(st, s, err)) > 0) continue;
    sql_put(st, s);
    return rc;
}

int sql_int(struct store *st, int64_t *out, struct err *err, const char *sql, const char *types,
            ...)
{
    sqlite3_stmt *s = NULL;
    va_list ap;
    va_start(ap, types);
    int rc = vget(st, &s, err, sql, types, ap);
    va_end(ap);
    if (rc) return rc;
    rc = sql_step(st, s, err);
    if (rc > 0) {
        *out = sqlite3_column_int64(s, 0);
        rc = 0;
    }
    sql_put(st, s);
    return rc;
}

int sql_exec(struct store *st, const char *sql, struct err *err)
{
    return sqlite3_exec(st->db, sql, NULL, NULL, NULL) ? sql_fail(st, err) : 0;
}

void sql_forget_all(struct store *st)
{
    for (int i = 0; i < st->n_cached; i++) sqlite3_finalize(st->cache[i].stmt);
    st->n_cached = 0;
}

int64_t sql_time(sqlite3_stmt *s, int col)
{
    return sqlite3_column_type(s, col) == SQLITE_NULL ? CLOCK_NONE : sqlite3_column_int64(s, col);
}

struct span sql_blob(sqlite3_stmt *s, int col)
{
    const void *p = sqlite3_column_blob(s, col);
    return (struct span){ p, (size_t)sqlite3_column_bytes(s, col) };
}
