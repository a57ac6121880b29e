/* Databases of Apple Messages, made here as the program makes them: what comes out of them as
 * lines, and that no cut or change brings the reader down. */
#include "check.h"

#include "base/str.h"
#include "media/parts.h"

#include <sqlite3.h>
#include <stdlib.h>

#define SCHEMA                                                                                     \
    "PRAGMA page_size = 1024;"                                                                     \
    "CREATE TABLE message (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT UNIQUE NOT NULL, "   \
    "text "                                                                                        \
    "TEXT, handle_id INTEGER DEFAULT 0, attributedBody BLOB, date INTEGER, is_from_me INTEGER "    \
    "DEFAULT 0, item_type INTEGER DEFAULT 0, cache_has_attachments INTEGER DEFAULT 0, "            \
    "associated_message_type INTEGER DEFAULT 0, balloon_bundle_id TEXT, thread_originator_guid "   \
    "TEXT, "                                                                                       \
    "date_edited INTEGER DEFAULT 0, date_retracted INTEGER DEFAULT 0);"                            \
    "CREATE TABLE handle (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL);"             \
    "CREATE TABLE chat (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, chat_identifier "      \
    "TEXT, "                                                                                       \
    "display_name TEXT);"                                                                          \
    "CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER, PRIMARY KEY (chat_id, "  \
    "message_id));"                                                                                \
    "CREATE TABLE chat_handle_join (chat_id INTEGER, handle_id INTEGER);"                          \
    "CREATE TABLE chat_recoverable_message_join (chat_id INTEGER, message_id INTEGER);"            \
    "INSERT INTO handle (id) VALUES ('+491701234567'), ('cy@example.org');"                        \
    "INSERT INTO chat (guid, chat_identifier, display_name) VALUES "                               \
    "('iMessage;-;+491701234567', '+491701234567', ''), ('iMessage;+;chat42', 'chat42', "          \
    "'Boats'), "                                                                                   \
    "('iMessage;+;chat43', 'chat43', NULL);"                                                       \
    "INSERT INTO chat_handle_join VALUES (1, 1), (2, 1), (2, 2), (3, 1), (3, 2);"

/* "Hello" as macOS writes it. */
#define ATTRIBUTED                                                                                 \
    "x'040B73747265616D747970656481E803840140848484124E5341747472696275746564537472696E67008484"   \
    "084E534F626A656374008592848484084E53537472696E67019484012B0548656C6C6F86840269490105928484"   \
    "840C4E5344696374696F6E617279009484016901928496961D5F5F6B494D4D657373616765506172744174747269" \
    "627574654E616D658692848484084E534E756D626572008484074E5356616C7565009484012A84999900868686'"

static const char said[] =
    "INSERT INTO message (guid, text, handle_id, attributedBody, date, is_from_me) VALUES "
    "('g1', 'Tea?', 0, NULL, 641500000123456789, 1), ('g2', NULL, 1, " ATTRIBUTED
    ", 641500060000000000, 0);"
    "INSERT INTO message (guid, text, handle_id, date, thread_originator_guid, date_edited) VALUES "
    "('g3', 'Caf\xC3\xA9 \xF0\x9F\x98\x80', 2, 641500120000000000, 'g1', 641500130000000000);"
    "INSERT INTO message (guid, text, handle_id, date, associated_message_type) VALUES "
    "('g4', 'Loved \xE2\x80\x9CTea?\xE2\x80\x9D', 1, 641500180000000000, 2000), "
    "('g5', 'Removed a heart', 1, 641500180000000000, 3000);"
    "INSERT INTO message (guid, text, handle_id, date, date_retracted) VALUES ('g6', NULL, 1, "
    "641500240000000000, 641500250000000000);"
    "INSERT INTO message (guid, text, handle_id, date, cache_has_attachments) VALUES ('g7', "
    "'\xEF\xBF\xBC', 1, 641500300000000000, 1), ('g8', '\xEF\xBF\xBCMy boat', 1, "
    "641500360000000000, 1);"
    "INSERT INTO message (guid, text, handle_id, date, item_type) VALUES ('g9', NULL, 1, "
    "641500420000000000, 2);"
    "INSERT INTO message (guid, text, handle_id, date) VALUES ('g10', 'Old', 1, 300000000), "
    "('g11', "
    "'Gone', 1, 300000001);"
    "INSERT INTO chat_message_join SELECT CASE guid WHEN 'g3' THEN 2 WHEN 'g8' THEN 3 ELSE 1 END, "
    "ROWID FROM message WHERE guid <> 'g11';"
    "INSERT INTO chat_recoverable_message_join VALUES (1, 11);";

static uint8_t *made(const char *sql, size_t *n)
{
    sqlite3 *db;
    sqlite3_int64 size = 0;
    check_int(sqlite3_open(":memory:", &db), SQLITE_OK);
    check_int(sqlite3_exec(db, SCHEMA, NULL, NULL, NULL), SQLITE_OK);
    check_int(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    uint8_t *p = sqlite3_serialize(db, "main", &size, 0);
    assert_non_null(p);
    sqlite3_close(db);
    *n = (size_t)size;
    return p;
}

struct taken {
    struct buf text;
    enum fault fault;
    bool partial, done;
};

static int gather(void *ud, const void *p, size_t n) { return buf_add(ud, p, n); }

/* Runs the walk and reads its records as the program does, but from memory. */
static void run(uint8_t *p, size_t n, struct taken *t)
{
    static struct wire_out out;
    struct buf wire = BUF_INIT(0);
    *t = (struct taken){ .fault = FAULT_NONE };
    out = (struct wire_out){ .put = gather, .ud = &wire };
    imessage_prepare();
    imessage_walk(p, n, &out);
    wire_done(&out);
    for (size_t i = 0; i + 5 <= wire.n;) {
        const uint8_t *r = (const uint8_t *)wire.p + i;
        size_t k = (size_t)r[1] | (size_t)r[2] << 8 | (size_t)r[3] << 16 | (size_t)r[4] << 24;
        if (r[0] == WIRE_DATA) buf_add(&t->text, r + 5, k);
        if (r[0] == WIRE_FAULT) t->fault = (enum fault)r[5];
        if (r[0] == WIRE_END) t->partial = r[5];
        if (r[0] == WIRE_DONE) t->done = true;
        i += 5 + k;
    }
    assert_true(t->done);
    buf_free(&wire);
}

static void messages(void **state)
{
    struct taken t;
    size_t n;
    uint8_t *p = made(said, &n);
    p[18] = p[19] = 2; /* as it lies on a Mac: in WAL mode */
    run(p, n, &t);
    check_int(t.fault, FAULT_NONE);
    check_int(t.partial, false);
    check_str(buf_str(&t.text),
              "{\"g\":\"g1\",\"i\":\"+491701234567\",\"p\":\"+491701234567\",\"m\":true,\"t\":"
              "1619807200,\"x\":\"Tea?\"}\n"
              "{\"g\":\"g2\",\"i\":\"+491701234567\",\"p\":\"+491701234567\",\"h\":"
              "\"+491701234567\",\"t\":1619807260,\"x\":\"Hello\"}\n"
              "{\"g\":\"g3\",\"r\":\"g1\",\"i\":\"chat42\",\"c\":\"Boats\",\"h\":"
              "\"cy@example.org\",\"t\":1619807320,\"x\":\"Café 😀\"}\n"
              "{\"skip\":\"reaction\"}\n{\"skip\":\"reaction\"}\n{\"skip\":\"deleted message\"}\n"
              "{\"skip\":\"media\"}\n"
              "{\"g\":\"g8\",\"i\":\"chat43\",\"p\":\"+491701234567, cy@example.org\",\"h\":"
              "\"+491701234567\",\"t\":1619807560,\"x\":\"My boat\"}\n"
              "{\"skip\":\"system line\"}\n"
              "{\"g\":\"g10\",\"i\":\"+491701234567\",\"p\":\"+491701234567\",\"h\":"
              "\"+491701234567\",\"t\":1278307200,\"x\":\"Old\"}\n"
              "{\"skip\":\"deleted message\"}\n");
    buf_free(&t.text);
    sqlite3_free(p);
}

/* An old phone's has fewer columns and tables. */
static void of_years_ago(void **state)
{
    struct taken t;
    size_t n;
    uint8_t *p = made("DROP TABLE chat_handle_join; DROP TABLE chat_recoverable_message_join;"
                      "ALTER TABLE chat DROP COLUMN display_name; "
                      "ALTER TABLE message DROP COLUMN date_edited; "
                      "ALTER TABLE message DROP COLUMN date_retracted; "
                      "ALTER TABLE message DROP COLUMN associated_message_type; "
                      "ALTER TABLE message DROP COLUMN thread_originator_guid; "
                      "INSERT INTO message (guid, text, handle_id, date) VALUES ('a', 'Hi', 1, "
                      "300000000); INSERT INTO chat_message_join VALUES (1, 1);",
                      &n);
    run(p, n, &t);
    check_int(t.fault, FAULT_NONE);
    check_str(buf_str(&t.text),
              "{\"g\":\"a\",\"i\":\"+491701234567\",\"h\":\"+491701234567\",\"t\":"
              "1278307200,\"x\":\"Hi\"}\n");
    buf_free(&t.text);
    sqlite3_free(p);
    p = made("", &n);
    run(p, n, &t);
    check_int(t.fault, FAULT_EMPTY);
    sqlite3_free(p);
    p = made("DROP TABLE chat_message_join", &n);
    run(p, n, &t);
    check_int(t.fault, FAULT_DATABASE);
    sqlite3_free(p);
}

static void cut_or_changed(void **state)
{
    size_t n;
    uint8_t *p = made(said, &n);
    for (size_t k = 0; k < n; k += k < 120 ? 1 : 61) {
        struct taken t;
        uint8_t *part = mem_dup(p, k + 1);
        run(part, k, &t);
        buf_free(&t.text);
        free(part);
        part = mem_dup(p, n);
        part[k] ^= 0xFF;
        run(part, n, &t);
        assert_true(utf8_valid(buf_str(&t.text), t.text.n));
        buf_free(&t.text);
        free(part);
    }
    sqlite3_free(p);
}

static void attributed_text(void **state)
{
    static const char front[] = "\x04\x0Bstreamtyped\x81\xE8\x03\x84\x01@\x84\x84\x84\x12"
                                "NSAttributedString\0\x84\x84\x08NSObject\0\x85\x92\x84\x84\x84\x0F"
                                "NSMutableString\x01\x84\x84\x08NSString\x01\x95\x84\x01+";
    static const size_t lengths[] = { 1, 127, 128, 300, 70000 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf b = BUF_INIT(0), out = BUF_INIT(0);
        size_t k = lengths[i];
        buf_add(&b, front, sizeof front - 1);
        if (k < 128) buf_u8(&b, (uint8_t)k);
        else if (k < 65536) buf_u8(&b, 0x81), buf_u8(&b, (uint8_t)k), buf_u8(&b, (uint8_t)(k >> 8));
        else buf_u8(&b, 0x82), buf_u32(&b, (uint32_t)k);
        size_t head = b.n;
        for (size_t j = 0; j < k; j++) buf_addc(&b, 'x');
        check_int(imessage_body((const uint8_t *)b.p, b.n, &out), FAULT_NONE);
        check_int(out.n, k);
        for (size_t cut = 0; cut < b.n; cut += cut < head + 4 ? 1 : 997) {
            buf_clear(&out);
            enum fault f = imessage_body((const uint8_t *)b.p, cut, &out);
            assert_true(f == FAULT_BROKEN || f == FAULT_CUT);
        }
        buf_free(&b);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(of_years_ago),
        cmocka_unit_test(cut_or_changed),
        cmocka_unit_test(attributed_text),
    };
    return check_run("media/imessage", t);
}
