/* Named documents of a persona. The name is plain and bound to the body. */
#include "store/sql.h"

#include <string.h>

#define NAME_MAX_BYTES 64

static struct bound doc_bound(const char *name)
{
    struct bound b = { 0 };
    bound_bytes(&b, name, strlen(name));
    return b;
}

static int put_doc(struct store *st, const struct sealed *ps, const char *name, const char *body,
                   size_t n, struct err *err)
{
    struct buf sealed = BUF_INIT(0);
    struct bound b = doc_bound(name);
    int64_t id = 0;
    int rc =
        sql_int(st, &id, err, "SELECT id FROM doc WHERE persona=? AND name=?", "it", ps->id, name);
    bool fresh = !id;
    if (!rc && fresh) rc = next_id(st, "doc", &id, err);
    if (!rc) rc = row_seal(st, ps, "doc", id, "body", &b, body, n, &sealed, err);
    if (!rc && fresh)
        rc = sql_do(st, err, "INSERT INTO doc(id, persona, name, body) VALUES(?, ?, ?, ?)", "iitb",
                    id, ps->id, name, sealed.p, sealed.n);
    else if (!rc)
        rc = sql_do(st, err, "UPDATE doc SET body=? WHERE id=?", "bi", sealed.p, sealed.n, id);
    buf_free(&sealed);
    return rc;
}

int store_doc_put(struct store *st, const struct sealed *ps, const char *name, const char *body,
                  size_t n, struct err *err)
{
    struct scope sc = { 0 };
    if (!*name || strlen(name) > NAME_MAX_BYTES)
        return err_set(err, ERR_INVAL, "a document's name has 1 to %d bytes", NAME_MAX_BYTES);
    int rc = scope_begin_one(st, &sc, err);
    if (rc) return rc;
    if (n) rc = put_doc(st, ps, name, body, n, err);
    else rc = sql_do(st, err, "DELETE FROM doc WHERE persona=? AND name=?", "it", ps->id, name);
    return scope_end(st, &sc, rc, err);
}

/* Columns: id, name, body. */
static int open_doc(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct buf *body,
                    struct err *err)
{
    const char *name = (const char *)sqlite3_column_text(s, 1);
    if (!name || strlen(name) > NAME_MAX_BYTES)
        return err_set(err, ERR_SEAL, "doc %lld, column name, was changed",
                       (long long)sqlite3_column_int64(s, 0));
    struct bound b = doc_bound(name);
    return row_open(st, ps, "doc", sqlite3_column_int64(s, 0), "body", &b, s, 2, body, err);
}

int store_doc_get(struct store *st, const struct sealed *ps, const char *name, struct buf *out,
                  struct err *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sql_get(st, &s, err, "SELECT id, name, body FROM doc WHERE persona=? AND name=?", "it",
                     ps->id, name);
    if (rc) return rc;
    rc = sql_step(st, s, err);
    if (rc > 0) rc = open_doc(st, ps, s, out, err);
    else if (!rc) rc = err_set(err, ERR_NOTFOUND, "there is no document \"%s\" yet", name);
    sql_put(st, s);
    return rc;
}

#define DOC_COLS "SELECT id, name, body FROM doc WHERE persona=?1 ORDER BY name"

int store_doc_each(struct store *st, const struct sealed *ps,
                   int (*fn)(void *, const char *, const char *, size_t), void *ud, struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    int rc = sql_get(st, &s, err, DOC_COLS, "i", ps->id);
    if (rc) return rc;
    read_enter(st);
    while ((rc = sql_step(st, s, err)) > 0) {
        if ((rc = open_doc(st, ps, s, &body, err))) break;
        if ((rc = fn(ud, (const char *)sqlite3_column_text(s, 1), buf_str(&body), body.n))) break;
    }
    read_leave(st);
    sql_put(st, s);
    buf_free(&body);
    return rc;
}

const struct row_kind doc_rows = { "doc", DOC_COLS, open_doc };
