/* store_check: is everything here what it should be, and what can be mended without losing
 * anything?
 *
 * Each part reports what it finds and the next part runs all the same: with a damaged file one
 * wants to know how much still opens. Mended are: counts (they can be counted again), links of
 * turns (the truth is sealed in the turn), vectors without chunk (they are made from chunks), a key
 * that no persona uses and files of interrupted writes, permissions. Nothing else is deleted: a row
 * that does not open today may open once a key file is put back. */
#include "store/sql.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LEFTOVER_AGE_S 60 /* a younger temporary file may be somebody's write under way */

struct checker {
    struct store *st;
    bool repair;
    void (*say)(void *ud, bool problem, const char *text);
    void *ud;
    struct store_report *rep;
    struct err *err; /* of the step under way */
};

static void say(struct checker *c, bool problem, const char *fmt, va_list ap)
{
    char text[640];
    vsnprintf(text, sizeof text, fmt, ap);
    if (c->say) c->say(c->ud, problem, text);
}

__attribute__((format(printf, 2, 3))) static void problem(struct checker *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->rep->problems++;
    say(c, true, fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void mended(struct checker *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->rep->repaired++;
    say(c, false, fmt, ap);
    va_end(ap);
}

/* ---- the database file ---- */

static int check_file(struct checker *c)
{
    sqlite3_stmt *s = NULL;
    int rc = sql_get(c->st, &s, c->err, "PRAGMA integrity_check(20)", "");
    if (rc) return rc;
    while ((rc = sql_step(c->st, s, c->err)) > 0) {
        const char *t = (const char *)sqlite3_column_text(s, 0);
        if (t && strcmp(t, "ok"))
            problem(c, "%s/likeness.db is damaged: %s; restore a backup", c->st->home, t);
    }
    sql_put(c->st, s);
    return rc;
}

static int check_foreign_keys(struct checker *c)
{
    sqlite3_stmt *s = NULL;
    bool mendable = false;
    int rc = sql_get(c->st, &s, c->err, "PRAGMA foreign_key_check", "");
    if (rc) return rc;
    while ((rc = sql_step(c->st, s, c->err)) > 0) {
        const char *table = (const char *)sqlite3_column_text(s, 0);
        const char *parent = (const char *)sqlite3_column_text(s, 2);
        problem(c, "a row of %s (%lld) belongs to a %s that is not there", table ? table : "?",
                (long long)sqlite3_column_int64(s, 1), parent ? parent : "?");
        mendable |= table && (!strcmp(table, "vector") || !strcmp(table, "turn_source"));
    }
    sql_put(c->st, s);
    if (rc || !c->repair || !mendable) return rc;
    rc = sql_do(c->st, c->err,
                "DELETE FROM vector WHERE chunk NOT IN (SELECT id FROM chunk)"
                " OR embedder NOT IN (SELECT id FROM embedder)",
                "");
    int n = sqlite3_changes(c->st->db);
    if (!rc)
        rc = sql_do(c->st, c->err,
                    "DELETE FROM turn_source WHERE turn NOT IN (SELECT id FROM turn)"
                    " OR source NOT IN (SELECT id FROM source)",
                    "");
    if (!rc) n += sqlite3_changes(c->st->db);
    if (!rc) mended(c, "removed %d vectors and links of things that are gone", n);
    return rc;
}

#define COUNTED                                                                                    \
    "(SELECT count(*) FROM piece p WHERE p.source=source.id),"                                     \
    " (SELECT coalesce(sum(voice),0) FROM piece p WHERE p.source=source.id),"                      \
    " (SELECT count(*) FROM chunk k WHERE k.source=source.id)"

static int check_counts(struct checker *c)
{
    int64_t wrong = 0;
    int rc = sql_int(
        c->st, &wrong, c->err,
        "SELECT count(*) FROM source WHERE (n_pieces, n_voice, n_chunks) <> (" COUNTED ")", "");
    if (rc || !wrong) return rc;
    problem(c, "the counts of %lld sources are wrong", (long long)wrong);
    if (!c->repair) return 0;
    rc = sql_do(c->st, c->err,
                "UPDATE source SET (n_pieces, n_voice, n_chunks) = (SELECT " COUNTED ")", "");
    if (!rc) mended(c, "counted them again");
    return rc;
}

/* ---- personas and their rows ---- */

/* A persona that does not open has no name to be called by. */
static void lost_persona(struct checker *c, int64_t id, const uint8_t *uid)
{
    problem(c,
            "persona %lld, id %02x%02x%02x%02x: %s; to give the persona up for good: "
            "likeness forget %02x%02x%02x%02x",
            (long long)id, uid[0], uid[1], uid[2], uid[3], c->err->msg, uid[0], uid[1], uid[2],
            uid[3]);
}

static int check_rows(struct checker *c, const struct sealed *ps, const struct row_kind *kind,
                      uint64_t *count)
{
    sqlite3_stmt *s = NULL;
    struct buf body = BUF_INIT(0);
    int rc = sql_get(c->st, &s, c->err, kind->sql, "i", ps->id);
    if (rc) return rc;
    while ((rc = sql_step(c->st, s, c->err)) > 0) {
        rc = kind->open(c->st, ps, s, &body, c->err);
        if (rc == ERR_NOMEM) break;
        if (!rc) c->rep->rows_opened++;
        else if (kind == &persona_rows) lost_persona(c, ps->id, ps->uid);
        else problem(c, "persona %lld: %s", (long long)ps->id, c->err->msg);
        if (count) ++*count;
        rc = 0;
    }
    sql_put(c->st, s);
    buf_free(&body);
    return rc;
}

static int check_links(struct checker *c, const struct sealed *ps)
{
    uint64_t wrong = 0;
    int rc = turn_links(c->st, ps, c->repair, &wrong, c->err);
    if (rc || !wrong) return rc;
    problem(c, "persona %lld: %llu links from answers to their sources are wrong",
            (long long)ps->id, (unsigned long long)wrong);
    if (c->repair) mended(c, "made them again from the answers");
    return 0;
}

static int check_persona_rows(struct checker *c, const struct sealed *ps)
{
    struct store_report *r = c->rep;
    const struct {
        const struct row_kind *kind;
        uint64_t *count;
    } all[] = {
        { &source_rows, &r->sources }, { &piece_rows, &r->pieces },   { &chunk_rows, &r->chunks },
        { &embedder_rows, NULL },      { &vector_rows, &r->vectors }, { &doc_rows, NULL },
        { &conversation_rows, NULL },  { &turn_rows, &r->turns },
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof all / sizeof *all; i++)
        rc = check_rows(c, ps, all[i].kind, all[i].count);
    return rc ? rc : check_links(c, ps);
}

static int check_persona(struct checker *c, int64_t id, struct span uid)
{
    struct sealed ps;
    int rc = store_persona_handle(c->st, id, &ps, c->err);
    if (rc == ERR_NOTFOUND) { /* carries the mark: being forgotten */
        problem(
            c,
            "forgetting persona %lld was interrupted: its rows go when Likeness next writes here",
            (long long)id);
        return 0;
    }
    if (rc && uid.n == VAULT_UID) lost_persona(c, id, (const uint8_t *)uid.p);
    else if (rc) problem(c, "%s", c->err->msg);
    if (rc) return rc == ERR_NOMEM ? rc : 0;
    rc = check_rows(c, &ps, &persona_rows, NULL);
    if (!rc) rc = check_persona_rows(c, &ps);
    store_sealed_clear(&ps);
    return rc;
}

static int check_personas(struct checker *c)
{
    sqlite3_stmt *s = NULL;
    int rc = sql_get(c->st, &s, c->err, "SELECT id, uid FROM persona ORDER BY id", "");
    if (rc) return rc;
    while ((rc = sql_step(c->st, s, c->err)) > 0) {
        c->rep->personas++;
        if ((rc = check_persona(c, sqlite3_column_int64(s, 0), sql_blob(s, 1)))) break;
    }
    sql_put(c->st, s);
    return rc;
}

/* ---- keys ---- */

static int check_key(void *ud, const uint8_t uid[VAULT_UID])
{
    struct checker *c = ud;
    int64_t there = 0;
    int rc = sql_int(c->st, &there, c->err, "SELECT 1 FROM persona WHERE uid=?", "b", uid,
                     (size_t)VAULT_UID);
    if (rc || there) return rc;
    problem(
        c,
        "there is a key %02x%02x... in %s/keys that no persona uses: left by an interrupted write, "
        "or the database is from an older backup than the keys",
        uid[0], uid[1], c->st->home);
    if (!c->repair) return 0;
    if ((rc = vault_persona_destroy(c->st->v, uid, c->err))) return rc;
    mended(c, "destroyed it");
    return 0;
}

static int check_mark(void *ud, const uint8_t uid[VAULT_UID])
{
    struct checker *c = ud;
    int64_t there = 0;
    int rc = sql_int(c->st, &there, c->err, "SELECT 1 FROM persona WHERE uid=?", "b", uid,
                     (size_t)VAULT_UID);
    if (!rc && !there)
        problem(c,
                "forgetting a persona was interrupted: its mark %02x%02x... in %s/keys goes when "
                "Likeness next writes here",
                uid[0], uid[1], c->st->home);
    return rc;
}

static int check_keys(struct checker *c)
{
    int rc = vault_persona_each(c->st->v, check_key, c, c->err);
    return rc ? rc : vault_doomed_each(c->st->v, check_mark, c, c->err);
}

/* ---- files ---- */

static bool ours(const char *name)
{
    static const char *const names[] = {
        "vault",           "lock",       "keys",           "likeness.db",    "likeness.db-wal",
        "likeness.db-shm", "service.db", "service.db-wal", "service.db-shm", "incoming"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

/* What SQLite puts beside a database that is being made. */
static bool beside(const char *end)
{
    return !*end || !strcmp(end, "-wal") || !strcmp(end, "-shm") || !strcmp(end, "-journal");
}

/* A temporary file of the vault (io_write_file) or of service.db, by the whole of its name: what
 * the user keeps here beside it, whatever it is called, is not ours to remove. */
static bool leftover(const char *name, bool in_keys)
{
    static const char hex[] = "0123456789abcdef";
    static const char any[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    bool db = !in_keys && !strncmp(name, "service.db.tmp-", 15);
    const char *head = in_keys ? ".key.tmp-" : db ? "service.db.tmp-" : "vault.tmp-";
    if (in_keys && strspn(name, hex) != 2 * VAULT_UID) return false;
    name += in_keys ? 2 * VAULT_UID : 0;
    if (strncmp(name, head, strlen(head))) return false;
    name += strlen(head);
    return strnlen(name, 6) == 6 && strspn(name, any) >= 6 && (db ? beside(name + 6) : !name[6]);
}

static int check_mode(struct checker *c, const char *path, const struct stat *s)
{
    if (!(s->st_mode & 077)) return 0;
    problem(c, "%s can be read by others (mode %03o)", path, (unsigned)s->st_mode & 0777);
    if (!c->repair) return 0;
    if (chmod(path, S_ISDIR(s->st_mode) ? 0700 : 0600))
        return err_errno(c->err, "cannot change the mode of %s", path);
    mended(c, "made %s private", path);
    return 0;
}

static int check_entry(struct checker *c, const char *path, const char *name, bool in_keys)
{
    struct stat s;
    if (lstat(path, &s) || S_ISLNK(s.st_mode)) return 0;
    if (S_ISREG(s.st_mode) && leftover(name, in_keys)) {
        if (time(NULL) - s.st_mtime < LEFTOVER_AGE_S) return 0;
        problem(c, "%s was left by an interrupted write", path);
        if (!c->repair) return 0;
        int rc = vault_shred(path, c->err);
        if (!rc) mended(c, "removed it");
        return rc;
    }
    return in_keys || ours(name) ? check_mode(c, path, &s) : 0;
}

static int check_folder(struct checker *c, const char *path, bool in_keys)
{
    struct stat s;
    int rc = 0;
    DIR *d = opendir(path);
    if (!d) return err_errno(c->err, "cannot list folder %s", path);
    if (!stat(path, &s)) rc = check_mode(c, path, &s);
    for (struct dirent *e; !rc && (e = readdir(d));) {
        char sub[PATH_MAX];
        if (e->d_name[0] == '.') continue;
        if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) < PATH_MAX)
            rc = check_entry(c, sub, e->d_name, in_keys);
    }
    closedir(d);
    return rc;
}

static int check_files(struct checker *c)
{
    char keys[PATH_MAX];
    if (snprintf(keys, sizeof keys, "%s/keys", c->st->home) >= PATH_MAX) return 0;
    int rc = check_folder(c, c->st->home, false);
    return rc ? rc : check_folder(c, keys, true);
}

int store_check(struct store *st, bool repair, void (*sayer)(void *, bool, const char *), void *ud,
                struct store_report *rep, struct err *err)
{
    static int (*const parts[])(struct checker *) = { check_file,   check_foreign_keys,
                                                      check_counts, check_personas,
                                                      check_keys,   check_files };
    struct err local = { 0 };
    struct checker c = { st, repair, sayer, ud, rep, &local };
    *rep = (struct store_report){ 0 };
    int rc = repair ? write_ready(st, err) : 0;
    if (!rc && repair) rc = finish_forgetting(st, err);
    if (rc) return rc;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        rc = parts[i](&c);
        if (rc == ERR_NOMEM) return err_nomem(err);
        if (rc) problem(&c, "%s", local.msg);
    }
    return 0;
}
