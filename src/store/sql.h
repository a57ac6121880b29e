/* Inside the store: the handle, statements, transactions, and sealed rows.
 *
 *     sqlite3_stmt *s = NULL;
 *     if ((rc = sql_get(st, &s, err, "SELECT body FROM doc WHERE persona=? AND name=?", "it", id,
 * name))) return rc; while ((rc = sql_step(st, s, err)) > 0) ...         1: a row, 0: the end, < 0:
 * an error sql_put(st, s);
 *
 * SQL texts must be string literals: the cache of prepared statements knows them by address. */
#ifndef LK_STORE_SQL_H
#define LK_STORE_SQL_H

#include "base/io.h"
#include "base/map.h"
#include "store/store.h"

#include <sqlite3.h>

#define APPLICATION_ID 0x4c6b6e73 /* "Lkns" */
#define STMT_MAX       96
#define IDS_MAX        16

struct stmt_slot {
    const char *sql;
    sqlite3_stmt *stmt;
    bool taken;
};

/* A kind of database of the home: what its file is called, and how an empty one is filled. */
struct db_kind {
    const char *file;
    int application_id, schema;
    const char *const *sql; /* statements, NULL-terminated */
};
extern const struct db_kind likeness_db; /* schema.c */

struct store {
    sqlite3 *db;
    struct vault *v; /* borrowed */
    const struct db_kind *kind;
    const char *file; /* kind->file, or, while it is being made, another name */
    char *home;
    enum store_mode mode;
    bool immutable; /* a read-only folder: no log, no locks */
    int lock_fd;    /* HOME/lock, or -1 */
    bool in_tx;     /* between store_begin and store_commit */
    int reading;    /* row callbacks under way */
    struct ids {    /* last ids given in this transaction, of tables that get many */
        const char *table;
        int64_t last;
    } ids[IDS_MAX];
    int n_ids;
    struct stmt_slot cache[STMT_MAX];
    int n_cached;
    struct map deletions; /* row id of a persona -> sources of it that were deleted */
};

/* ---- statements (sql.c) ---- */

/* A cached statement with its parameters bound. types: i int64_t, n int64_t where CLOCK_NONE is
 * NULL, t text, b blob (pointer, size_t). Texts and blobs are borrowed until sql_put. */
int sql_get(struct store *st, sqlite3_stmt **out, struct err *err, const char *sql,
            const char *types, ...);
int sql_step(struct store *st, sqlite3_stmt *s, struct err *err);
void sql_put(struct store *st, sqlite3_stmt *s); /* accepts NULL */
/* Get, run to the end, put. */
int sql_do(struct store *st, struct err *err, const char *sql, const char *types, ...);
/* The first column of the first row into *out; *out stays when there is none. */
int sql_int(struct store *st, int64_t *out, struct err *err, const char *sql, const char *types,
            ...);
int sql_exec(struct store *st, const char *sql, struct err *err); /* several, not cached */
/* The database's last error as one of ours, with a remedy. */
int sql_fail(struct store *st, struct err *err);
void sql_forget_all(struct store *st);      /* finalise the cache */
int64_t sql_time(sqlite3_stmt *s, int col); /* NULL: CLOCK_NONE */
struct span sql_blob(sqlite3_stmt *s, int col);

/* ---- writing (open.c) ---- */

int write_ready(struct store *st, struct err *err); /* may this store write now? */
/* One operation of several statements: a transaction of its own, or a savepoint inside the
 * caller's. scope_end(rc != 0) undoes it and returns rc. */
struct scope {
    bool own, save;
};
int scope_begin_one(struct store *st, struct scope *sc, struct err *err); /* no savepoint: for
                  operations whose last statement is the only change */
int scope_begin(struct store *st, struct scope *sc, struct err *err);
int scope_end(struct store *st, const struct scope *sc, int rc, struct err *err);
/* The next id of a table (a literal); never given twice. Inside a transaction or scope, or it is
 * lost. In a transaction they are counted in memory, and the last is stored by the commit. */
int next_id(struct store *st, const char *table, int64_t *id, struct err *err);

/* ---- opening, for each kind of database (open.c) ---- */
struct store *db_new(const char *home, struct vault *v, const struct db_kind *kind,
                     enum store_mode mode);
int db_open(struct store *st, struct err *err);       /* the file, and its settings */
int db_fill(struct store *st, struct err *err);       /* an empty file: tables and home id */
int db_check_home(struct store *st, struct err *err); /* ERR_KEY: made with another vault */
bool db_read_only(const char *home);                  /* the folder cannot be written */

/* HOME/lock, waiting a little. ERR_BUSY names the holder. */
int lock_take(const char *home, int *fd, struct err *err);
void lock_drop(int *fd);

/* ---- sealed rows (sealed.c) ---- */

/* Bytes of plain columns bound to a sealed one. */
struct bound {
    uint8_t p[VAULT_BOUND_MAX];
    size_t n;
};
void bound_i64(struct bound *b, int64_t v);
void bound_bytes(struct bound *b, const void *p, size_t n); /* with its length before it */

/* ps NULL: account level. */
int row_seal(struct store *st, const struct sealed *ps, const char *table, int64_t id,
             const char *column, const struct bound *b, const void *p, size_t n, struct buf *out,
             struct err *err);
/* Opens a blob column of the current row into out (cleared first). */
int row_open(struct store *st, const struct sealed *ps, const char *table, int64_t id,
             const char *column, const struct bound *b, sqlite3_stmt *s, int col, struct buf *out,
             struct err *err);

/* One sealed table, so that check.c opens every row as the getters do. sql selects the columns that
 * open() expects, for one persona (?1), in the order of the id in column 0. */
struct row_kind {
    const char *table, *sql;
    int (*open)(struct store *st, const struct sealed *ps, sqlite3_stmt *s, struct buf *body,
                struct err *err);
};
/* Every row callback runs between these: see write_ready. */
static inline void read_enter(struct store *st) { st->reading++; }
static inline void read_leave(struct store *st) { st->reading--; }
/* ERR_NOTFOUND unless the last statement changed a row. */
int must_change(struct store *st, const char *what, int64_t id, struct err *err);

bool row_is_damaged(int rc); /* its own seal or bytes, and not the store, are at fault */

extern const struct row_kind persona_rows, source_rows, piece_rows, chunk_rows, embedder_rows,
    vector_rows, doc_rows, conversation_rows, turn_rows;

/* ---- the life of the file ---- */
int schema_make(struct store *st, struct err *err); /* schema.c */
int schema_version(struct store *st, int64_t *version, struct err *err);
int store_migrate(struct store *st, int64_t from, struct err *err); /* migrate.c */
/* row_persona.c. 0 also when there is no room, or a reader is in the way: the next time does it. */
int finish_forgetting(struct store *st, struct err *err);
/* Compares turn_source with the sealed lists of ps; mend: makes it so. *wrong: how many differ. */
int turn_links(struct store *st, const struct sealed *ps, bool mend, uint64_t *wrong,
               struct err *err);
int open_turn_sources(struct store *st, const struct sealed *ps, int64_t id, sqlite3_stmt *s,
                      int col, struct buf *out, struct err *err); /* row_turn.c: i64 each */

#endif
