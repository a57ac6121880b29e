/* The tables, in the newest schema. docs/STORAGE.md tells what is in each; migrate.c how an older
 * file comes here.
 *
 * Plain are: numbers, times, sizes, keyed digests, the random uid. Everything a person wrote or is
 * called is in a sealed `body`. Ids come from `serial` and are never given twice, because a row's
 * id is part of what its body is sealed to. The counts in `source` are kept by triggers, so that no
 * way of removing rows (also by cascade) can forget them. */
#include "store/sql.h"

static const char TABLES[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE serial(name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;"
    "CREATE TABLE persona(id INTEGER PRIMARY KEY, uid BLOB NOT NULL UNIQUE CHECK(length(uid)=16),"
    " created_at INTEGER NOT NULL, stale INTEGER NOT NULL DEFAULT 0,"
    " forgetting INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE source(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " added_at INTEGER NOT NULL, first_at INTEGER, last_at INTEGER,"
    " n_pieces INTEGER NOT NULL DEFAULT 0, n_voice INTEGER NOT NULL DEFAULT 0,"
    " n_chunks INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX source_persona ON source(persona);"
    "CREATE TABLE piece(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " source INTEGER NOT NULL REFERENCES source(id) ON DELETE CASCADE,"
    " written_at INTEGER, seq INTEGER NOT NULL, kind INTEGER NOT NULL, voice INTEGER NOT NULL,"
    " digest BLOB NOT NULL CHECK(length(digest)=16), body BLOB NOT NULL,"
    " UNIQUE(persona, digest)) STRICT;"
    "CREATE INDEX piece_source ON piece(source, seq);"
    "CREATE INDEX piece_source_time ON piece(source, written_at, seq);"
    "CREATE INDEX piece_time ON piece(persona, written_at, source, seq);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " source INTEGER NOT NULL REFERENCES source(id) ON DELETE CASCADE,"
    " written_at INTEGER, n_tokens INTEGER NOT NULL, body BLOB NOT NULL,"
    " topic INTEGER NOT NULL DEFAULT -1) STRICT;"
    "CREATE INDEX chunk_persona ON chunk(persona);"
    "CREATE INDEX chunk_source ON chunk(source);"
    "CREATE TABLE embedder(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " dim INTEGER NOT NULL, current INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX embedder_persona ON embedder(persona);"
    "CREATE TABLE vector(id INTEGER PRIMARY KEY,"
    " embedder INTEGER NOT NULL REFERENCES embedder(id) ON DELETE CASCADE,"
    " chunk INTEGER NOT NULL REFERENCES chunk(id) ON DELETE CASCADE,"
    " body BLOB NOT NULL, UNIQUE(embedder, chunk)) STRICT;"
    "CREATE INDEX vector_chunk ON vector(chunk);"
    "CREATE TABLE doc(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL, body BLOB NOT NULL, UNIQUE(persona, name)) STRICT;"
    "CREATE TABLE conversation(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " created_at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX conversation_persona ON conversation(persona);"
    "CREATE TABLE turn(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,"
    " created_at INTEGER NOT NULL, sources BLOB NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX turn_conversation ON turn(conversation);"
    "CREATE INDEX turn_persona ON turn(persona);"
    "CREATE TABLE turn_source(turn INTEGER NOT NULL REFERENCES turn(id) ON DELETE CASCADE,"
    " source INTEGER NOT NULL REFERENCES source(id) ON DELETE CASCADE,"
    " PRIMARY KEY(turn, source)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX turn_source_source ON turn_source(source);";

static const char TRIGGERS[] =
    "CREATE TRIGGER piece_in AFTER INSERT ON piece BEGIN"
    " UPDATE source SET n_pieces=n_pieces+1, n_voice=n_voice+NEW.voice WHERE id=NEW.source; END;"
    "CREATE TRIGGER piece_out AFTER DELETE ON piece BEGIN"
    " UPDATE source SET n_pieces=n_pieces-1, n_voice=n_voice-OLD.voice WHERE id=OLD.source; END;"
    "CREATE TRIGGER piece_voice AFTER UPDATE OF voice ON piece BEGIN"
    " UPDATE source SET n_voice=n_voice+NEW.voice-OLD.voice WHERE id=NEW.source; END;"
    "CREATE TRIGGER chunk_in AFTER INSERT ON chunk BEGIN"
    " UPDATE source SET n_chunks=n_chunks+1 WHERE id=NEW.source; END;"
    "CREATE TRIGGER chunk_out AFTER DELETE ON chunk BEGIN"
    " UPDATE source SET n_chunks=n_chunks-1 WHERE id=OLD.source; END;";

static const char *const STATEMENTS[] = { TABLES, TRIGGERS, NULL };
const struct db_kind likeness_db = { "likeness.db", APPLICATION_ID, STORE_SCHEMA, STATEMENTS };

int schema_make(struct store *st, struct err *err)
{
    char text[96];
    int rc = 0;
    for (const char *const *sql = st->kind->sql; *sql && !rc; sql++) rc = sql_exec(st, *sql, err);
    if (rc) return rc;
    snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             st->kind->application_id, st->kind->schema);
    return sql_exec(st, text, err);
}

/* The file's schema, after a look at whether it is one of ours at all. 0: an empty file. */
int schema_version(struct store *st, int64_t *version, struct err *err)
{
    int64_t app = 0, tables = 0;
    *version = 0;
    int rc = sql_int(st, &app, err, "PRAGMA application_id", "");
    if (!rc) rc = sql_int(st, version, err, "PRAGMA user_version", "");
    if (!rc) rc = sql_int(st, &tables, err, "SELECT count(*) FROM sqlite_schema", "");
    if (rc) return rc;
    if (!app && !*version && !tables) return 0;
    if (app != st->kind->application_id || *version < 1)
        return err_set(err, ERR_PARSE, "%s/%s is another program's database: restore a backup",
                       st->home, st->file);
    if (*version > st->kind->schema)
        return err_set(err, ERR_VERSION,
                       "%s/%s has schema %lld, made by a newer version of "
                       "Likeness than this one (which knows %d): update the program",
                       st->home, st->file, (long long)*version, st->kind->schema);
    return 0;
}
