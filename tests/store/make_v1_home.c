/* Writes a home as schema 1 of the store wrote it: the fixture home-v1. It stands on SQLite and the
 * vault alone, not on the store, which has moved on.
 *
 *     make_v1_home FOLDER        makes FOLDER/home and FOLDER/home.key */
#include "vault/vault.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SCHEMA_1[] =
    "PRAGMA page_size=1024; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; BEGIN;"
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
    "CREATE INDEX piece_time ON piece(persona, written_at, source, seq);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY,"
    " persona INTEGER NOT NULL REFERENCES persona(id) ON DELETE CASCADE,"
    " source INTEGER NOT NULL REFERENCES source(id) ON DELETE CASCADE,"
    " written_at INTEGER, n_tokens INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
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
    "CREATE TRIGGER piece_in AFTER INSERT ON piece BEGIN"
    " UPDATE source SET n_pieces=n_pieces+1, n_voice=n_voice+NEW.voice WHERE id=NEW.source; END;"
    "CREATE TRIGGER piece_out AFTER DELETE ON piece BEGIN"
    " UPDATE source SET n_pieces=n_pieces-1, n_voice=n_voice-OLD.voice WHERE id=OLD.source; END;"
    "CREATE TRIGGER piece_voice AFTER UPDATE OF voice ON piece BEGIN"
    " UPDATE source SET n_voice=n_voice+NEW.voice-OLD.voice WHERE id=NEW.source; END;"
    "CREATE TRIGGER chunk_in AFTER INSERT ON chunk BEGIN"
    " UPDATE source SET n_chunks=n_chunks+1 WHERE id=NEW.source; END;"
    "CREATE TRIGGER chunk_out AFTER DELETE ON chunk BEGIN"
    " UPDATE source SET n_chunks=n_chunks-1 WHERE id=OLD.source; END;"
    "PRAGMA application_id=1282109043; PRAGMA user_version=1;";

static sqlite3 *db;
static struct vault *v;
static struct err err;

static void must(int bad, const char *what)
{
    if (!bad) return;
    fprintf(stderr, "%s: %s %s\n", what, err.msg, db ? sqlite3_errmsg(db) : "");
    exit(1);
}

/* Seals text for (table, id, column) with n bound integers. */
static struct buf seal(const uint8_t *key, const uint8_t *uid, const char *table, int64_t id,
                       const char *column, const void *p, size_t n, int n_bound, ...)
{
    struct buf bound = BUF_INIT(0), out = BUF_INIT(0);
    va_list ap;
    va_start(ap, n_bound);
    for (int i = 0; i < n_bound; i++) buf_u64(&bound, (uint64_t)va_arg(ap, int64_t));
    va_end(ap);
    struct vault_ad ad = { .table = table,
                           .row = id,
                           .column = column,
                           .uid = uid,
                           .bound = bound.p,
                           .bound_n = bound.n };
    must(vault_seal(key, &ad, p, n, &out, &err), "seal");
    buf_free(&bound);
    return out;
}

/* Runs sql with b as ?1 (and c as ?2), and frees them. */
static void put(const char *sql, struct buf b, struct buf c)
{
    sqlite3_stmt *s = NULL;
    must(sqlite3_prepare_v2(db, sql, -1, &s, NULL), sql);
    sqlite3_bind_blob(s, 1, b.p, (int)b.n, SQLITE_STATIC);
    if (c.p) sqlite3_bind_blob(s, 2, c.p, (int)c.n, SQLITE_STATIC);
    must(sqlite3_step(s) != SQLITE_DONE, sql);
    sqlite3_finalize(s);
    buf_free(&b);
    buf_free(&c);
}

#define I(x)    ((int64_t)(x))
#define TEXT(s) s, strlen(s)

static void put_piece(const uint8_t *key, const uint8_t *uid)
{
    struct buf bound = BUF_INIT(0), body = BUF_INIT(0), digest = BUF_INIT(0);
    uint8_t d[16];
    vault_digest(key, "piece", "I repaired the hub today.", 25, d);
    const int64_t plain[] = {
        1, 1500000100, 1, 1, 1, 16
    }; /* source, written_at, seq, kind, voice, 16 */
    for (int i = 0; i < 6; i++) buf_u64(&bound, (uint64_t)plain[i]);
    buf_add(&bound, d, 16);
    struct vault_ad ad = { .table = "piece",
                           .row = 1,
                           .column = "body",
                           .uid = uid,
                           .bound = bound.p,
                           .bound_n = bound.n };
    must(vault_seal(key, &ad, TEXT("I repaired the hub today."), &body, &err), "seal");
    buf_add(&digest, d, 16);
    buf_free(&bound);
    put("INSERT INTO piece VALUES(1, 1, 1, 1500000100, 1, 1, 1, ?2, ?1)", body, digest);
}

static void fill(const uint8_t *key, const uint8_t *uid)
{
    const struct buf none = { 0 };
    const float vec[4] = { 0.5f, -0.5f, 0.5f, 0.5f };
    const int64_t cites[] = { 1, 2, 99 }; /* 99 was removed while schema 1 was current */
    struct buf id = BUF_INIT(0);
    put("INSERT INTO meta VALUES('home', ?1)",
        seal(vault_account_key(v), NULL, "meta", 0, "home", vault_home_id(v), 16, 0), none);
    buf_add(&id, uid, VAULT_UID);
    put("INSERT INTO persona VALUES(1, ?2, 1500000000, 0, 0, ?1)",
        seal(key, uid, "persona", 1, "body", TEXT("{\"name\":\"Version One\"}"), 1, I(1500000000)),
        id);
    put("INSERT INTO source(id, persona, added_at, first_at, last_at, body)"
        " VALUES(1, 1, 1500000001, 1500000100, NULL, ?1)",
        seal(key, uid, "source", 1, "body", TEXT("{\"title\":\"journal\"}"), 3, I(1500000001),
             I(1500000100), INT64_MIN),
        none);
    put("INSERT INTO source(id, persona, added_at, first_at, last_at, body)"
        " VALUES(2, 1, 1500000002, NULL, NULL, ?1)",
        seal(key, uid, "source", 2, "body", TEXT("{\"title\":\"notes\"}"), 3, I(1500000002),
             INT64_MIN, INT64_MIN),
        none);
    put_piece(key, uid);
    put("INSERT INTO chunk VALUES(1, 1, 1, 1500000100, 6, ?1)",
        seal(key, uid, "chunk", 1, "body", TEXT("chunk of the hub"), 3, I(1), I(1500000100), I(6)),
        none);
    put("INSERT INTO embedder VALUES(1, 1, 4, 1, ?1)",
        seal(key, uid, "embedder", 1, "body", TEXT("hashed words"), 1, I(4)), none);
    put("INSERT INTO vector(embedder, chunk, body) VALUES(1, 1, ?1)",
        seal(key, uid, "vector", 1, "body", vec, sizeof vec, 1, I(1)), none);
    put("INSERT INTO doc VALUES(1, 1, 'profile', ?1)", ({
            uint8_t bound[15];
            memset(bound, 0, sizeof bound);
            bound[0] = 7;
            memcpy(bound + 8, "profile", 7);
            struct buf out = BUF_INIT(0);
            struct vault_ad ad = { .table = "doc",
                                   .row = 1,
                                   .column = "body",
                                   .uid = uid,
                                   .bound = bound,
                                   .bound_n = sizeof bound };
            must(vault_seal(key, &ad, TEXT("{\"traits\":[]}"), &out, &err), "seal");
            out;
        }),
        none);
    put("INSERT INTO conversation VALUES(1, 1, 1500000200, ?1)",
        seal(key, uid, "conversation", 1, "body", TEXT("{\"title\":\"hubs\"}"), 1, I(1500000200)),
        none);
    put("INSERT INTO turn VALUES(1, 1, 1, 1500000201, ?2, ?1)",
        seal(key, uid, "turn", 1, "body", TEXT("{\"answer\":\"I did.\"}"), 2, I(1), I(1500000201)),
        seal(key, uid, "turn", 1, "sources", cites, sizeof cites, 2, I(1), I(1500000201)));
}

int main(int argc, char **argv)
{
    char home[4000], key_file[4000], path[4100];
    uint8_t uid[VAULT_UID], key[VAULT_KEY];
    if (argc != 2) {
        fprintf(stderr, "usage: make_v1_home FOLDER\n");
        return 2;
    }
    snprintf(home, sizeof home, "%s/home", argv[1]);
    snprintf(key_file, sizeof key_file, "%s/home.key", argv[1]);
    snprintf(path, sizeof path, "%s/likeness.db", home);
    struct secret s = { .key_file = key_file };
    must(vault_create(home, &s, &err), "vault");
    must(vault_unlock(home, &s, &v, &err), "vault");
    randombytes_buf(uid, sizeof uid);
    must(vault_persona_new(v, uid, key, &err), "key");
    must(sqlite3_open(path, &db), "open");
    must(sqlite3_exec(db, SCHEMA_1, NULL, NULL, NULL), "schema");
    fill(key, uid);
    must(sqlite3_exec(db,
                      "INSERT INTO serial VALUES('persona',1),('source',2),('piece',1),('chunk',1),"
                      "('embedder',1),('doc',1),('conversation',1),('turn',1); COMMIT;"
                      "PRAGMA wal_checkpoint(TRUNCATE);",
                      NULL, NULL, NULL),
         "commit");
    sqlite3_close(db);
    vault_lock(v);
    return 0;
}
