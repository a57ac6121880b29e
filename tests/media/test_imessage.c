/* Databases of Apple Messages, made here as the program makes them: what comes out of them as
 * lines, and that no cut or change brings the reader down. */
#include "made.h"

#include "base/io.h"
#include "base/str.h"
#include "media/media.h"
#include "media/parts.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

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

/* ---- journals ---- */

struct copied {
    struct buf db, journal;
};

static void sql(sqlite3 *db, const char *what)
{
    char *why = NULL;
    if (sqlite3_exec(db, what, NULL, NULL, &why)) fail_msg("%s: %s", what, why);
}

static void say(sqlite3 *db, int i)
{
    char s[256];
    snprintf(
        s, sizeof s,
        "INSERT INTO message (guid, text, handle_id, date) VALUES ('w%d', 'Message %d', 1, %d);"
        "INSERT INTO chat_message_join VALUES (1, last_insert_rowid())",
        i, i, 300000000 + i);
    sql(db, s);
}

/* Messages as they lie while the program runs: so many in the file, so many more in the journal. */
static struct copied running(int in_file, int in_journal)
{
    char path[300], wal[310];
    struct err err;
    struct copied c = { BUF_INIT(0), BUF_INIT(0) };
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/chat.db", check_tmp_dir());
    snprintf(wal, sizeof wal, "%s-wal", path);
    check_int(sqlite3_open(path, &db), SQLITE_OK);
    sql(db, "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;");
    sql(db, SCHEMA);
    for (int i = 0; i < in_file; i++) say(db, i);
    sql(db, "PRAGMA wal_checkpoint(RESTART)");
    for (int i = 0; i < in_journal; i++) say(db, in_file + i);
    check_ok(io_read_file(path, 1 << 24, &c.db, &err), err);
    if (in_journal) check_ok(io_read_file(wal, 1 << 24, &c.journal, &err), err);
    sqlite3_close(db);
    return c;
}

static void copied_free(struct copied *c)
{
    buf_free(&c->db);
    buf_free(&c->journal);
}

static int lines_of(const struct taken *t)
{
    int n = 0;
    for (size_t i = 0; i < t->text.n; i++) n += t->text.p[i] == '\n';
    return n;
}

/* How many messages database and journal have together. */
static int count(const struct copied *c, const char *journal, size_t n)
{
    struct taken t;
    size_t room = c->db.n + n;
    uint8_t *p = calloc(1, room + 1), *j = mem_dup(journal, n ? n : 1);
    assert_non_null(p);
    assert_non_null(j);
    memcpy(p, c->db.p, c->db.n);
    size_t size = wal_apply(p, c->db.n, room, j, n);
    assert_true(size <= room);
    run(p, size, &t);
    int lines = t.fault && t.fault != FAULT_EMPTY ? -(int)t.fault : lines_of(&t);
    buf_free(&t.text);
    free(p);
    free(j);
    return lines;
}

static void journals(void **state)
{
    static const int sizes[][2] = { { 0, 1 }, { 3, 4 }, { 40, 200 }, { 5, 0 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct copied c = running(sizes[i][0], sizes[i][1]);
        check_int(count(&c, "", 0), sizes[i][0]);
        check_int(count(&c, buf_str(&c.journal), c.journal.n), sizes[i][0] + sizes[i][1]);
        copied_free(&c);
    }
}

/* Cut anywhere, it gives the transactions that are whole: one message more each. */
static void journals_cut(void **state)
{
    struct copied c = running(3, 6), other = running(2, 3);
    int before = 3;
    bool between = false;
    for (size_t n = 0; n <= c.journal.n; n += n < 200 || c.journal.n - n < 200 ? 1 : 37) {
        int k = count(&c, c.journal.p, n);
        if (k < before || k > before + 1) fail_msg("cut to %zu: %d after %d", n, k, before);
        before = k;
    }
    check_int(before, 9);
    for (size_t n = 0; n < c.journal.n; n += n < 200 ? 1 : 41) {
        c.journal.p[n] ^= 0x40;
        int k = count(&c, c.journal.p, c.journal.n); /* what stands before it counts */
        if (k < 3 || k > 9 || (n < 32 + 24 && k != 3)) fail_msg("changed at %zu: %d", n, k);
        between |= k > 3 && k < 9;
        c.journal.p[n] ^= 0x40;
    }
    assert_true(between);
    /* An older journal behind the end of a new one: its salts are others. */
    struct buf both = BUF_INIT(0);
    size_t frames = 32 + 2 * (size_t)(24 + 1024);
    assert_true(other.journal.n > frames);
    buf_add(&both, other.journal.p, other.journal.n);
    buf_add(&both, c.journal.p + 32, c.journal.n - 32);
    check_int(count(&other, both.p, both.n), 5);
    uint8_t tiny[8] = { 0 };
    check_int(wal_apply(tiny, sizeof tiny, sizeof tiny, (const uint8_t *)c.journal.p, c.journal.n),
              sizeof tiny);
    buf_free(&both);
    copied_free(&c);
    copied_free(&other);
}

struct found {
    int pieces, files, n_bad, n_skipped;
    char why[480], skipped[64];
};

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    ((struct found *)ud)->pieces++;
    return 0;
}

static int on_file(void *ud, const struct format *f, struct format_in *in, struct err *err)
{
    struct found *x = ud;
    struct format_opts o = { .day_first = -1 };
    struct piece_sink sink = { .piece = on_piece, .ud = x };
    x->files++;
    return format_parse(f, in, &o, &sink, err);
}

static int on_bad(void *ud, const char *path, const char *format, const struct err *why)
{
    struct found *x = ud;
    x->n_bad++;
    snprintf(x->why, sizeof x->why, "%s", why->msg);
    return 0;
}

static void on_skipped(void *ud, const char *archive, const char *format, const char *what)
{
    struct found *x = ud;
    x->n_skipped++;
    snprintf(x->skipped, sizeof x->skipped, "%s", what);
}

static struct found visit_within(const char *path, const struct media_limits *lim)
{
    struct found x = { 0 };
    struct media_visit v = {
        .file = on_file, .bad = on_bad, .skipped = on_skipped, .limits = lim, .ud = &x
    };
    struct err err;
    check_ok(media_each(path, NULL, &v, &err), err);
    return x;
}

static struct found visit(const char *path) { return visit_within(path, NULL); }

static void put_file(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    check_int(fwrite(buf_str(b), 1, b->n, f), b->n);
    fclose(f);
}

/* Through the helper: beside each other in a folder, and in an archive in either order. */
static void journals_found(void **state)
{
    char folder[256], path[300], name[320];
    struct copied c = running(3, 4);
    snprintf(folder, sizeof folder, "%s", check_tmp_dir());
    snprintf(path, sizeof path, "%s/chat.db", folder);
    put_file(path, &c.db);
    check_int(visit(path).pieces, 3);
    snprintf(name, sizeof name, "%s-wal", path);
    put_file(name, &c.journal);
    check_int(visit(path).pieces, 7);
    struct found x = visit(name);
    check_int(x.files + x.n_bad, 0);
    check_str(x.skipped, "journal, read with its database");
    struct buf index = BUF_INIT(0);
    buf_add(&index, "\x18\xE2\x2D\0\0\0\0\0", 8);
    const struct made_entry e[] = {
        { .name = "Messages/chat.db-wal", .text = c.journal.p, .n = c.journal.n },
        { .name = "Messages/chat.db-shm", .text = index.p, .n = index.n },
        { .name = "Messages/chat.db", .text = c.db.p, .n = c.db.n },
        { .name = "Messages/chat.db-wal", .text = c.journal.p, .n = c.journal.n },
        { .name = "other/chat.db", .text = c.db.p, .n = c.db.n },
    };
    static const char *const how[] = { "zip", "tar" };
    for (int i = 0; i < 4; i++) {
        struct buf b = made_archive(how[i & 1], i < 2 ? e : e + 2, 3);
        snprintf(name, sizeof name, "%s/%d.bin", folder, i);
        put_file(name, &b);
        x = visit(name);
        check_int(x.n_bad, 0);
        check_int(x.pieces, i < 2 ? 7 : 7 + 3);
        buf_free(&b);
    }
    struct buf b = made_archive("zip", e, 2);
    snprintf(name, sizeof name, "%s/alone.zip", folder);
    put_file(name, &b);
    x = visit(name);
    check_int(x.n_bad, 1);
    check_has(x.why, "chat.db-wal is the journal of a database that is not beside it");
    struct media_limits lim = media_limits_default;
    lim.inner = c.journal.n - 1;
    x = visit_within(name, &lim);
    check_int(x.n_bad, 1);
    check_has(x.why, "chat.db-wal is a journal too large to be read in an archive");
    buf_free(&b);
    buf_free(&index);
    copied_free(&c);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(messages),       cmocka_unit_test(of_years_ago),
        cmocka_unit_test(cut_or_changed), cmocka_unit_test(attributed_text),
        cmocka_unit_test(journals),       cmocka_unit_test(journals_cut),
        cmocka_unit_test(journals_found),
    };
    return check_run("media/imessage", t);
}
