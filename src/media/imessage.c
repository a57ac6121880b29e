/* chat.db, where Apple's Messages keeps what was said (~/Library/Messages/chat.db; sms.db of a
 * phone that was backed up): a line of JSON for each message, which fmt_imessage.c reads in the
 * program.
 *
 *     {"c": chat's name, "i": its identifier, "g": guid, "r": guid it answers, "h": number or
 * address of who wrote, "m": the owner did, "t": seconds since 1970, "x": text}
 *     {"skip": why it is none}
 *
 * SQLite reads the file from memory, as one whose schema is not trusted. A database in WAL mode is
 * told by two bytes of its header to want its journal: what that held was put in before (wal.c),
 * and the bytes are changed in the private copy of the page. Columns came with the years, so those
 * that are not there are NULL.
 *
 * Since macOS 13 the text of most messages stands in attributedBody alone: an NSAttributedString as
 * NeXT's typedstream wrote objects. In it, the first object of class NSString holds the characters:
 * its name, its version, then 0x84 0x01 '+', a length and UTF-8. A length is one byte below 0x80,
 * or 0x81 and two bytes, or 0x82 and four, little-endian. */
#include "media/parts.h"

#include "base/str.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_2001 978307200
#define SAID_MAX   ((size_t)1 << 20)
#define NAME_BYTES 4096

struct chats {
    sqlite3 *db;
    struct wire_out *out;
    bool begun;
    int64_t last; /* ROWID: a message of two chats is told once */
    int stop;
};

/* ---- typedstream ---- */

enum fault imessage_body(const uint8_t *p, size_t n, struct buf *out)
{
    static const char class[] = "NSString";
    const uint8_t *at = memmem(p, n, class, sizeof class - 1), *end = p + n;
    if (n < 16 || !memmem(p, 16, "streamtyped", 11) || !at) return FAULT_BROKEN;
    at += sizeof class - 1;
    size_t look = (size_t)(end - at) < 16 ? (size_t)(end - at) : 16, len;
    const uint8_t *mark = memmem(at, look, "\x84\x01+", 3);
    if (!mark || end - mark < 4) return FAULT_BROKEN;
    at = mark + 3;
    size_t wide = *at == 0x81 ? 2 : *at == 0x82 ? 4 : 0;
    if (*at > 0x82 || (size_t)(end - at) < 1 + wide) return FAULT_BROKEN;
    len = wide ? 0 : *at;
    for (size_t i = 0; i < wide; i++) len |= (size_t)at[1 + i] << (8 * i);
    at += 1 + wide;
    if (len > (size_t)(end - at)) return FAULT_CUT;
    utf8_clean(out, (const char *)at, len);
    return out->failed ? FAULT_NOMEM : FAULT_NONE;
}

/* ---- the query ---- */

static bool has(sqlite3 *db, const char *table, const char *column)
{
    sqlite3_stmt *s = NULL;
    bool there = false;
    const char *sql = column ? "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2"
                             : "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
        if (column) sqlite3_bind_text(s, 2, column, -1, SQLITE_STATIC);
        there = sqlite3_step(s) == SQLITE_ROW;
    }
    sqlite3_finalize(s);
    return there;
}

/* In this order, so many columns that may be missing. */
static const char *const columns[] = {
    "guid",
    "text",
    "attributedBody",
    "is_from_me",
    "date",
    "date_edited",
    "date_retracted",
    "associated_message_type",
    "item_type",
    "thread_originator_guid",
    "cache_has_attachments",
    "balloon_bundle_id",
};
enum {
    GUID,
    TEXT,
    BODY,
    MINE,
    DATE,
    EDITED,
    RETRACTED,
    KIND,
    ITEM,
    ANSWERS,
    FILES,
    BALLOON,
    N_COLUMNS
};

static void make_query(sqlite3 *db, struct buf *sql)
{
    buf_adds(sql, "SELECT ");
    for (size_t i = 0; i < N_COLUMNS; i++)
        buf_printf(sql, "%s%s, ", has(db, "message", columns[i]) ? "m." : "NULL AS ", columns[i]);
    buf_adds(sql, "m.ROWID, h.id, j.chat_id, c.chat_identifier, ");
    buf_adds(sql, has(db, "chat", "display_name") ? "c.display_name, " : "NULL, ");
    if (has(db, "chat_handle_join", NULL))
        buf_adds(sql, "(SELECT group_concat(p.id, ', ') FROM chat_handle_join k JOIN handle p ON "
                      "p.ROWID = k.handle_id WHERE k.chat_id = j.chat_id), ");
    else buf_adds(sql, "NULL, ");
    buf_adds(sql,
             has(db, "chat_recoverable_message_join", NULL)
                 ? "j.chat_id IS NULL AND EXISTS (SELECT 1 FROM chat_recoverable_message_join r "
                   "WHERE r.message_id = m.ROWID) "
                 : "0 ");
    buf_adds(sql, "FROM message m LEFT JOIN handle h ON h.ROWID = m.handle_id "
                  "LEFT JOIN chat_message_join j ON j.message_id = m.ROWID "
                  "LEFT JOIN chat c ON c.ROWID = j.chat_id ORDER BY m.ROWID");
}

enum { ROW = N_COLUMNS, HANDLE, CHAT, IDENTIFIER, DISPLAY, MEMBERS, DELETED };

/* ---- messages ---- */

static void text_column(sqlite3_stmt *s, int i, size_t max, struct buf *out)
{
    const void *p = sqlite3_column_text(s, i);
    size_t n = (size_t)sqlite3_column_bytes(s, i);
    buf_clear(out);
    if (p) utf8_clean(out, p, utf8_cut(p, n, max));
}

/* The text without the marks that stand for files. */
static void said(sqlite3_stmt *s, struct buf *out)
{
    struct buf raw = BUF_INIT(8 * SAID_MAX);
    text_column(s, TEXT, SAID_MAX, &raw);
    if (!raw.n && sqlite3_column_type(s, BODY) == SQLITE_BLOB) {
        const void *p = sqlite3_column_blob(s, BODY);
        buf_clear(&raw);
        if (p) imessage_body(p, (size_t)sqlite3_column_bytes(s, BODY), &raw);
    }
    buf_clear(out);
    for (const char *p = buf_str(&raw), *end = p + raw.n; p < end && out->n < SAID_MAX;) {
        const char *was = p;
        if (utf8_next(&p, end) != 0xFFFC) buf_add(out, was, (size_t)(p - was));
    }
    buf_free(&raw);
}

static const char *no_message(sqlite3_stmt *s, const struct buf *text)
{
    int kind = sqlite3_column_int(s, KIND);
    bool blank = !span_trim((struct span){ buf_str(text), text->n }).n;
    if (kind >= 2000 && kind < 4000) return "reaction";
    if (sqlite3_column_int(s, ITEM)) return "system line";
    if (sqlite3_column_int64(s, RETRACTED) || sqlite3_column_int(s, DELETED))
        return "deleted message";
    if (!blank) return NULL;
    if (sqlite3_column_int(s, FILES) || kind || sqlite3_column_type(s, BALLOON) != SQLITE_NULL)
        return "media";
    return sqlite3_column_int64(s, EDITED) ? "deleted message" : "empty message";
}

/* Nanoseconds since 2001, before iOS 11 and macOS 10.13 seconds. */
static int64_t when(int64_t v)
{
    if (!v) return CLOCK_NONE;
    if (v > 100000000000 || v < -100000000000) v /= 1000000000;
    return v + EPOCH_2001;
}

static void put(json_t *o, const char *key, sqlite3_stmt *s, int column, struct buf *b)
{
    text_column(s, column, NAME_BYTES, b);
    if (b->n) json_object_set_new(o, key, json_stringn(buf_str(b), b->n));
}

static json_t *message(sqlite3_stmt *s, const struct buf *text)
{
    struct buf b = BUF_INIT(16 * NAME_BYTES);
    json_t *o = json_object();
    int64_t t = when(sqlite3_column_int64(s, DATE));
    put(o, "g", s, GUID, &b);
    put(o, "r", s, ANSWERS, &b);
    put(o, "i", s, IDENTIFIER, &b);
    put(o, "c", s, DISPLAY, &b);
    if (!b.n) put(o, "p", s, MEMBERS, &b);
    if (sqlite3_column_int(s, MINE)) json_object_set_new(o, "m", json_true());
    else put(o, "h", s, HANDLE, &b);
    if (t != CLOCK_NONE) json_object_set_new(o, "t", json_integer(t));
    json_object_set_new(o, "x", json_stringn(buf_str(text), text->n));
    buf_free(&b);
    return o;
}

static void send(struct chats *c, json_t *o)
{
    static const struct wire_entry entry = { .mtime = CLOCK_NONE,
                                             .date = CLOCK_NONE,
                                             .text = true };
    char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (line && !c->begun) c->stop = wire_begin(c->out, &entry);
    c->begun |= line != NULL;
    if (line && !c->stop) c->stop = wire_data(c->out, line, strlen(line));
    if (line && !c->stop) c->stop = wire_data(c->out, "\n", 1);
    free(line);
    json_decref(o);
}

static void row(struct chats *c, sqlite3_stmt *s, struct buf *text)
{
    int64_t id = sqlite3_column_int64(s, ROW);
    if (id == c->last) return;
    c->last = id;
    said(s, text);
    const char *why = no_message(s, text);
    send(c, why ? json_pack("{s:s}", "skip", why) : message(s, text));
}

/* ---- the file ---- */

static sqlite3 *memory;

void imessage_prepare(void)
{
    if (sqlite3_open(":memory:", &memory) != SQLITE_OK) memory = NULL;
}

static enum fault open_database(uint8_t *p, size_t n)
{
    if (!memory) return FAULT_NOMEM;
    if (n < 512 || memcmp(p, "SQLite format 3", 16) != 0) return FAULT_DATABASE;
    if (p[18] == 2) p[18] = 1;
    if (p[19] == 2) p[19] = 1;
    sqlite3_db_config(memory, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(memory, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(memory, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(memory, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_exec(memory, "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON", NULL, NULL,
                 NULL);
    int rc = sqlite3_deserialize(memory, "main", p, (sqlite3_int64)n, (sqlite3_int64)n,
                                 SQLITE_DESERIALIZE_READONLY);
    return rc == SQLITE_OK ? FAULT_NONE : FAULT_BROKEN;
}

void imessage_walk(uint8_t *p, size_t n, struct wire_out *out)
{
    struct chats c = { .out = out, .last = INT64_MIN };
    struct buf sql = BUF_INIT(65536), text = BUF_INIT(8 * SAID_MAX);
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    enum fault f = open_database(p, n);
    c.db = memory;
    if (!f && (rc = sqlite3_exec(memory, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL)))
        f = rc == SQLITE_NOTADB ? FAULT_ENCRYPTED : FAULT_BROKEN;
    if (!f && !(has(memory, "message", "handle_id") && has(memory, "handle", "id") &&
                has(memory, "chat", "chat_identifier") && has(memory, "chat_message_join", NULL)))
        f = FAULT_DATABASE;
    if (!f) make_query(memory, &sql);
    if (!f && sqlite3_prepare_v2(memory, buf_str(&sql), -1, &s, NULL) != SQLITE_OK)
        f = FAULT_BROKEN;
    while (!f && !c.stop && (rc = sqlite3_step(s)) == SQLITE_ROW) row(&c, s, &text);
    bool bad = !f && !c.stop && rc != SQLITE_DONE;
    if (bad) f = rc == SQLITE_NOMEM ? FAULT_NOMEM : FAULT_BROKEN;
    if (!f && !c.begun) f = FAULT_EMPTY;
    if (f && !c.stop) wire_fault(out, f);
    if (c.begun && !c.stop) wire_end(out, bad);
    sqlite3_finalize(s);
    sqlite3_close(memory);
    memory = NULL;
    buf_free(&sql);
    buf_free(&text);
}
