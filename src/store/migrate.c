/* From each schema to the next, one transaction a step, with the keys at hand.
 *
 * 1 -> 2: a chunk gets a topic; the sources of a turn, until now only a sealed list in the turn,
 * are also linked in turn_source, so that removing a source can find the turns that rest on it. A
 * persona whose key is missing or does not open keeps its turns unlinked, sealed as they are;
 * store_check links them once the key is back. */
#include "store/sql.h"

#include <string.h>

static int link_turns(struct store *st, const struct sealed *ps, struct err *err)
{
    uint64_t made;
    return turn_links(st, ps, true, &made, err);
}

static int each_with_key(struct store *st,
                         int (*fn)(struct store *, const struct sealed *, struct err *),
                         struct err *err)
{
    sqlite3_stmt *s = NULL;
    struct sealed ps = { 0 };
    int rc = sql_get(st, &s, err, "SELECT id, uid FROM persona ORDER BY id", "");
    if (rc) return rc;
    while ((rc = sql_step(st, s, err)) > 0) {
        struct span uid = sql_blob(s, 1);
        ps.id = sqlite3_column_int64(s, 0);
        if (uid.n != VAULT_UID) continue;
        memcpy(ps.uid, uid.p, VAULT_UID);
        rc = vault_persona_key(st->v, ps.uid, ps.key, err);
        if (rc == ERR_NOTFOUND || row_is_damaged(rc)) continue;
        if (rc || (rc = fn(st, &ps, err))) break;
    }
    store_sealed_clear(&ps);
    sql_put(st, s);
    return rc;
}

static int step_1_to_2(struct store *st, struct err *err)
{
    int rc = sql_exec(st,
                      "ALTER TABLE chunk ADD COLUMN topic INTEGER NOT NULL DEFAULT -1;"
                      "CREATE TABLE turn_source("
                      "turn INTEGER NOT NULL REFERENCES turn(id) ON DELETE CASCADE,"
                      " source INTEGER NOT NULL REFERENCES source(id) ON DELETE CASCADE,"
                      " PRIMARY KEY(turn, source)) STRICT, WITHOUT ROWID;"
                      "CREATE INDEX turn_source_source ON turn_source(source);"
                      "CREATE INDEX piece_source_time ON piece(source, written_at, seq);",
                      err);
    return rc ? rc : each_with_key(st, link_turns, err);
}

static int (*const STEPS[])(struct store *, struct err *) = { step_1_to_2 };

int store_migrate(struct store *st, int64_t from, struct err *err)
{
    char text[64];
    if (from < 1)
        return err_set(err, ERR_VERSION, "%s has no schema %lld: this is not a store of Likeness",
                       st->home, (long long)from);
    for (int64_t v = from; v < STORE_SCHEMA; v++) {
        int rc = sql_exec(st, "BEGIN IMMEDIATE", err);
        if (rc) return rc;
        rc = STEPS[v - 1](st, err);
        snprintf(text, sizeof text, "PRAGMA user_version=%lld; COMMIT;", (long long)v + 1);
        if (!rc) rc = sql_exec(st, text, err);
        sql_forget_all(st);
        if (rc) {
            sql_exec(st, "ROLLBACK", NULL);
            return err_prefix(err, rc, "bringing %s from schema %lld to %lld", st->home,
                              (long long)v, (long long)v + 1);
        }
    }
    return 0;
}
