/* SQL on a database's file, behind the back of who keeps it. */
#ifndef LK_TESTS_STORE_BEHIND_H
#define LK_TESTS_STORE_BEHIND_H

#include "check.h"

#include <sqlite3.h>

static inline sqlite3 *behind_open(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 60000);
    return db;
}

static inline void behind_do(const char *path, const char *sql)
{
    sqlite3 *db = behind_open(path);
    char *msg = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &msg)) fail_msg("%s: %s", sql, msg);
    sqlite3_close(db);
}

/* The first column of the first row; -1 when there is none. */
static inline int64_t behind_get(const char *path, const char *sql)
{
    sqlite3 *db = behind_open(path);
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    int64_t v = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return v;
}

#endif
