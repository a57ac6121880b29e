/* The doctor's look at service.db: is the file whole, and does every sealed row open? Nothing is
 * mended: there is nothing in it that could be made again from something else. */
#include "store/service_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct look {
    struct service *sv;
    void (*say)(void *ud, bool problem, const char *text);
    void *ud;
    uint64_t *rows;
};

static void problem(const struct look *l, const char *text)
{
    if (l->say) l->say(l->ud, true, text);
}

static int check_file(const struct look *l, struct err *err)
{
    sqlite3_stmt *s = NULL;
    char text[640];
    int rc = sql_get(l->sv->st, &s, err, "PRAGMA integrity_check(20)", "");
    if (rc) return rc;
    while ((rc = sql_step(l->sv->st, s, err)) > 0) {
        const char *t = (const char *)sqlite3_column_text(s, 0);
        if (!t || !strcmp(t, "ok")) continue;
        snprintf(text, sizeof text, "%s/service.db is damaged: %s; restore a backup",
                 l->sv->st->home, t);
        problem(l, text);
    }
    sql_put(l->sv->st, s);
    return rc;
}

static int check_links(const struct look *l, struct err *err)
{
    sqlite3_stmt *s = NULL;
    char text[640];
    int rc = sql_get(l->sv->st, &s, err, "PRAGMA foreign_key_check", "");
    if (rc) return rc;
    while ((rc = sql_step(l->sv->st, s, err)) > 0) {
        const char *table = (const char *)sqlite3_column_text(s, 0);
        const char *parent = (const char *)sqlite3_column_text(s, 2);
        snprintf(text, sizeof text,
                 "service.db: a row of %s belongs to a row of %s that is not there: restore a "
                 "backup",
                 table ? table : "?", parent ? parent : "?");
        problem(l, text);
    }
    sql_put(l->sv->st, s);
    return rc;
}

static int check_rows(const struct look *l, const char *sql, give_fn *give, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    struct err e = { 0 };
    int rc = sql_get(l->sv->st, &s, err, sql, "");
    while (!rc && (rc = sql_step(l->sv->st, s, err)) > 0) {
        rc = give(l->sv, s, &body, NULL, &e);
        if (rc == ROW_DAMAGED) {
            problem(l, e.msg);
            rc = 0;
        } else if (!rc && l->rows) ++*l->rows;
    }
    sql_put(l->sv->st, s);
    buf_free(&body);
    return rc;
}

int service_check(struct service *sv, void (*say)(void *ud, bool problem, const char *text),
                  void *ud, uint64_t *rows, struct err *err)
{
    static const struct {
        const char *sql;
        give_fn *give;
    } all[] = {
        { "SELECT name, body FROM note", give_note },
        { "SELECT " ACCOUNT_COLUMNS " FROM account ORDER BY id", give_account },
        { "SELECT " SESSION_COLUMNS " FROM session ORDER BY id", give_session },
        { "SELECT " APIKEY_COLUMNS " FROM apikey ORDER BY id", give_apikey },
        { "SELECT " GRANT_COLUMNS " FROM persona_grant", give_grant },
        { "SELECT " JOB_COLUMNS " FROM job ORDER BY id", give_job },
        { "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY id", give_audit },
    };
    const struct look l = { sv, say, ud, rows };
    if (rows) *rows = 0;
    look_begin(sv);
    int rc = check_file(&l, err);
    if (!rc) rc = check_links(&l, err);
    for (size_t i = 0; i < sizeof all / sizeof *all && !rc; i++)
        rc = check_rows(&l, all[i].sql, all[i].give, err);
    look_end(sv);
    return rc;
}
