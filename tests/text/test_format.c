/* Recognition, every document and table parser on small files, their quirks and errors. Mail and
 * WhatsApp have tests of their own. */
#include "check.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"
#include "text/fmt.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#define NOW   1700000000 /* November 2023 */
#define MTIME 1400000000 /* 2014-05-13 */
#define MAX   64

/* What came out of a parse, copied. */
struct got {
    struct err err;
    int rc, n, n_skip;
    const struct format *f;
    struct {
        char *text, *author, *author_id, *title, *thread, *id, *reply_to, *quoted;
        int64_t at;
        enum piece_kind kind;
        bool own;
    } p[MAX];
    char skip[MAX][64];
    uint64_t where[MAX], text_bytes;
};

static char dir[256];
static struct format_opts opts = { .now = NOW, .day_first = -1 };

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    struct got *g = ud;
    const char *const all[] = { p->text,   p->author, p->author_id, p->title,
                                p->thread, p->id,     p->reply_to,  p->quoted };
    for (size_t i = 0; i < 8; i++) {
        assert_non_null(all[i]);
        assert_true(utf8_valid(all[i], strlen(all[i])));
    }
    g->text_bytes += strlen(p->text);
    if (g->n == MAX || strlen(p->text) > 100000) return 0;
    g->p[g->n].text = str_dup(p->text);
    g->p[g->n].author = str_dup(p->author);
    g->p[g->n].author_id = str_dup(p->author_id);
    g->p[g->n].title = str_dup(p->title);
    g->p[g->n].thread = str_dup(p->thread);
    g->p[g->n].id = str_dup(p->id);
    g->p[g->n].reply_to = str_dup(p->reply_to);
    g->p[g->n].quoted = str_dup(p->quoted);
    g->p[g->n].at = p->written_at;
    g->p[g->n].kind = p->kind;
    g->p[g->n++].own = p->sent_by_owner;
    return 0;
}

static void on_skipped(void *ud, const char *what, uint64_t where)
{
    struct got *g = ud;
    if (g->n_skip == MAX) return;
    snprintf(g->skip[g->n_skip], sizeof g->skip[0], "%s", what);
    g->where[g->n_skip++] = where;
}

static char *file_of(const char *name, const void *p, size_t n)
{
    static char path[512];
    struct err err = { 0 };
    struct utimbuf t = { MTIME, MTIME };
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check_ok(io_write_file(path, p, n, 0600, &err), err);
    utime(path, &t);
    return path;
}

static void read_path(struct got *g, const char *path, const char *as)
{
    struct format_in in;
    struct piece_sink sink = { on_piece, on_skipped, NULL, g };
    memset(g, 0, sizeof *g);
    g->rc = format_open(path, as, &g->f, &in, &g->err);
    if (g->rc) return;
    g->rc = format_parse(g->f, &in, &opts, &sink, &g->err);
    format_close(&in);
}

static void read_bytes(struct got *g, const char *name, const void *p, size_t n)
{
    read_path(g, file_of(name, p, n), NULL);
}

static void read_text(struct got *g, const char *name, const char *s)
{
    read_bytes(g, name, s, strlen(s));
}

static void drop(struct got *g)
{
    for (int i = 0; i < g->n; i++) {
        free(g->p[i].text), free(g->p[i].author), free(g->p[i].author_id), free(g->p[i].title);
        free(g->p[i].thread), free(g->p[i].id), free(g->p[i].reply_to), free(g->p[i].quoted);
    }
    g->n = 0;
}

static void check_day(int64_t t, const char *want)
{
    char d[24];
    check_str(clock_date(t, d), want);
}

/* ---- recognition ---- */

static void recognises(void **state)
{
    static const struct {
        const char *name, *content, *format;
    } t[] = {
        { "a.txt", "Just words.\n", "text" },
        { "noext", "Just words.\n", "text" },
        { "a.md", "Just words.\n", "markdown" },
        { "a.html", "<p>x</p>", "html" },
        { "page", "<!DOCTYPE html><p>x", "html" },
        { "a.csv", "text,date\na,b\n", "csv" },
        { "table", "date;body\n2019-01-01;x\n2019-01-02;y\n", "csv" },
        { "a.jsonl", "{\"text\":\"x\"}\n", "jsonl" },
        { "rows", "{\"text\":\"x\"}\n{\"text\":\"y\"}\n", "jsonl" },
        { "a.json", "[{\"text\":\"x\"}]", "jsonl" },
        { "result.json",
          "{\"name\":\"A\",\"type\":\"personal_chat\",\"id\":1,\"messages\":[{\"id\":1,\"type\":"
          "\"message\",\"from_id\":\"user1\",\"text\":\"x\"}]}",
          "telegram" },
        { "prose.txt", "Dear all, I came, I saw, I left.\nThen, again, nothing.\nSo, well.\n",
          "text" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct got g;
        read_text(&g, t[i].name, t[i].content);
        check_ok(g.rc, g.err);
        check_str(g.f->name, t[i].format);
        check_int(g.n, t[i].format[0] == 'c' && t[i].name[0] == 't' ? 2
                       : !strcmp(t[i].name, "rows")                 ? 2
                                                                    : 1);
        drop(&g);
    }
    assert_null(format_by_name("nonsense"));
    check_str(format_by_name("CSV")->name, "csv");
}

static void refuses(void **state)
{
    static const struct {
        const char *name, *content;
        size_t n;
        const char *says;
    } t[] = {
        { "e.txt", "", 0, "empty" },
        { "b.txt", " \n\n ", 4, "empty" },
        { "x.zip", "PK\3\4zip", 7, "packed" },
        { "x.txt", "%PDF-1.7 x", 10, "packed" },
        { "x.png", "\x89PNG\r\n\x1A\n", 8, "picture" },
        { "bin", "a\0b\1\2\3\0\0\0x", 10, "binary" },
        { "x.xml", "<a><b/></a>", 11, "--as" },
        { "x.json", "{\"a\": {\"b\":\n 1}}", 16, "--as" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct got g;
        read_bytes(&g, t[i].name, t[i].content, t[i].n);
        check_int(g.rc, ERR_PARSE);
        check_has(g.err.msg, t[i].name);
        check_has(g.err.msg, t[i].says);
        drop(&g);
    }
    struct got g;
    read_path(&g, "/no/such/file", NULL);
    check_int(g.rc, ERR_NOTFOUND);
    read_path(&g, dir, NULL);
    check_int(g.rc, ERR_INVAL);
}

/* ---- plain text ---- */

static void plain_document(void **state)
{
    struct got g;
    read_text(&g, "2019-03-02 boat.txt", "THE BOAT\r\n\r\nShe leaks.\r\n");
    check_int(g.n, 1);
    check_str(g.p[0].title, "THE BOAT");
    check_str(g.p[0].text, "THE BOAT\n\nShe leaks.");
    check_day(g.p[0].at, "2019-03-02");
    drop(&g);
    read_text(&g, "note.txt", "One line that ends like a sentence.\n");
    check_str(g.p[0].title, "note");
    check_int(g.p[0].at, MTIME);
    drop(&g);
    read_text(&g, "bergen.txt", "BERGEN, August 2024\n\nfish\n");
    check_int(g.p[0].at, CLOCK_NONE); /* the future, seen from NOW */
    check_str(g.skip[0], "date in the future");
    drop(&g);
}

static void plain_journal(void **state)
{
    struct got g;
    read_text(&g, "j.txt",
              "Monday, March 4, 2019\nDid things.\n\nMore.\n\n12 March 2019:\nSecond.\n"
              "2019-03-20\nOn 21 March 2019 nothing.\n");
    check_int(g.n, 3);
    check_str(g.p[0].text, "Did things.\n\nMore.");
    check_day(g.p[0].at, "2019-03-04");
    check_day(g.p[1].at, "2019-03-12");
    check_str(g.p[2].text, "On 21 March 2019 nothing.");
    check_day(g.p[2].at, "2019-03-20");
    drop(&g);
    read_text(&g, "one.txt", "Some text\nfirst.\n2019-03-20\nIts only date.\n");
    check_int(g.n, 1);
    drop(&g);
}

static void charsets(void **state)
{
    static const char latin[] = "Caf\xE9\n\nIl a \xE9t\xE9 tr\xE8s content, \xE0 sa fa\xE7on.\n";
    static const char u16[] = "\xFF\xFEH\0\xE9\0\r\0\n\0b\0";
    struct got g;
    read_bytes(&g, "l.txt", latin, sizeof latin - 1);
    check_str(g.p[0].title, "Café");
    drop(&g);
    read_bytes(&g, "u.txt", u16, sizeof u16 - 1);
    check_str(g.p[0].text, "Hé\nb");
    drop(&g);
    read_text(&g, "mac.txt", "one\rtwo\rthree");
    check_str(g.p[0].text, "one\ntwo\nthree");
    drop(&g);
}

/* ---- Markdown ---- */

static void check_md(const char *md, const char *want)
{
    struct got g;
    read_text(&g, "n.md", md);
    check_ok(g.rc, g.err);
    check_int(g.n, 1);
    check_str(g.p[0].text, want);
    drop(&g);
}

static void markdown_words(void **state)
{
    check_md("a **b _c_ d** `e*f*` ~~g~~\n", "a b c d e*f* g");
    check_md("***both*** and *a **b** c* __x__\n", "both and a b c x");
    check_md("2 * 3 * 4, snake_case_name, a*b*c, \\*lit\\*, lone * star **\n",
             "2 * 3 * 4, snake_case_name, abc, *lit*, lone * star **");
    check_md("[one *two*](http://a.b/(c) \"t\") ![alt](i.png) <http://x.y>\n",
             "one two alt http://x.y");
    check_md("[ref][1] [short] [not] [[page|wiki]]\n\n[1]: http://a\n[SHORT]: <b>\n",
             "ref short [not] wiki");
    check_md("x &amp; y &#233; <b>z</b><!-- c -->[^1]\n\n[^1]: note\n", "x & y é z\n\nnote");
    check_md("soft\nbreak  \nhard\\\nharder\n", "soft break\nhard\nharder");
}

static void markdown_blocks(void **state)
{
    check_md("p\n\n- one\n* two\n  more\n+ [x] three\n3) four\n",
             "p\n\n- one\n- two more\n- three\n3. four");
    check_md("p\n\n```c\ncode\n```\n~~~\n# x\n~~~\nq\n", "p\n\nq");
    check_md("p\n\n***\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n", "p\n\na b\n1 2");
    check_md("p\n\n<div>html <i>x</i>\n<script>no()</script></div>\n\nq\n", "p\n\nhtml x\n\nq");
    check_md("p\n\n<!-- a\n\nb -->\n\nq\n", "p\n\nq");
    check_md("p\n\nPart\n----\nq\n## Sub ##\nr\n", "p\n\nPart\n\nq\n\nSub\n\nr");
}

static void markdown_document(void **state)
{
    struct got g;
    read_text(&g, "n.md",
              "---\ntitle: \"A: title\"\ndate: 2019-03-02 10:00  # c\nauthors:\n  - Anna\n"
              "tags: [x, y]\n---\n\n# Head\n\nText.\n\n> their *words*\n> more\nmy answer\n");
    check_int(g.n, 1);
    check_str(g.p[0].title, "A: title");
    check_str(g.p[0].author, "Anna");
    check_int(g.p[0].at, 1551520800);
    check_str(g.p[0].text, "Head\n\nText.\n\nmy answer");
    check_str(g.p[0].quoted, "their words more");
    drop(&g);
    read_text(&g, "2011-01-01.md", "Title\n=====\n\nText\n");
    check_str(g.p[0].title, "Title");
    check_str(g.p[0].text, "Text");
    check_day(g.p[0].at, "2011-01-01");
    drop(&g);
    read_text(&g, "j.md",
              "# Journal\n\n## 2019-03-02 - The boat\n\nShe leaks.\n\n### Why\n\nOld.\n\n"
              "## March 4, 2019\n\nDry.\n\n**5 March 2019**\n\nWet.\n");
    check_int(g.n, 3);
    check_str(g.p[0].title, "The boat");
    check_str(g.p[0].text, "She leaks.\n\nWhy\n\nOld.");
    check_str(g.p[1].text, "Dry.");
    check_day(g.p[2].at, "2019-03-05");
    drop(&g);
}

/* ---- tables ---- */

static void csv_rows(void **state)
{
    struct got g;
    read_text(
        &g, "a.csv",
        "\xEF\xBB\xBFid;Datum;Von;Text;Chat\r\n1;04/03/2019 10:22;Anna;\"a; \"\"b\"\"\r\n c\";X\r\n"
        "2;25/03/2019;Bo;d;X\r\n\r\n3;1551400000;Bo;e;X\r\n4\r\n5;never;Bo;f;X");
    check_ok(g.rc, g.err);
    check_int(g.n, 4);
    check_str(g.p[0].text, "a; \"b\"\n c");
    check_str(g.p[0].author, "Anna");
    check_str(g.p[0].id, "1");
    check_str(g.p[0].thread, "X");
    check_int(g.p[0].kind, PIECE_CHAT);
    check_day(g.p[0].at, "2019-03-04");
    check_int(g.p[2].at, 1551400000);
    check_int(g.p[3].at, CLOCK_NONE);
    check_str(g.skip[0], "row with too few columns");
    check_int(g.where[0], 7);
    check_str(g.skip[1], "date not understood");
    drop(&g);
    read_text(&g, "us.csv", "body\tdate\nx\t3/4/2019\ny\t3/25/2019\n");
    check_day(g.p[0].at, "2019-03-04");
    drop(&g);
    read_text(&g, "de.csv", "Zeitstempel;Verfasser;Nachricht\n12.03.2019;Anna;x\n");
    check_day(g.p[0].at, "2019-03-12");
    check_str(g.p[0].author, "Anna");
    drop(&g);
    read_text(&g, "odd.jsonl", "{\"body\":\"x\",\"who\":\"Clara\",\"at\":\"2019-03-04\"}\n");
    check_str(g.p[0].author, "Clara"); /* else her words would pass for the owner's */
    check_day(g.p[0].at, "2019-03-04");
    drop(&g);
    read_text(&g, "open.csv", "text,id\nfine,1\n\"never closed,2\nx,3\n");
    check_int(g.n, 1);
    check_str(g.skip[0], "row with an open quote");
    check_int(g.where[0], 3);
    drop(&g);
}

static void maps(void **state)
{
    struct got g;
    read_text(&g, "a.csv", "x,y\n1,2\n3,4\n");
    check_int(g.rc, ERR_PARSE);
    check_has(g.err.msg, "a.csv, line 1");
    check_has(g.err.msg, "--map");
    opts.map = "text=y, title=1";
    read_text(&g, "a.csv", "x,y\n1,2\n3,4\n");
    check_str(g.p[1].text, "4");
    check_str(g.p[1].title, "3");
    drop(&g);
    opts.map = "text=z";
    read_text(&g, "a.csv", "x,y\n1,2\n");
    check_int(g.rc, ERR_PARSE);
    opts.map = "texts=z";
    read_text(&g, "a.csv", "x,y\n1,2\n");
    check_int(g.rc, ERR_INVAL);
    opts.map = "text=m.body,date=meta.date";
    read_text(&g, "a.jsonl",
              "{\"m\":{\"body\":\"hi\"},\"meta\":{\"date\":\"2019-03-02\"},\"text\":\"no\"}\n");
    check_str(g.p[0].text, "hi");
    check_day(g.p[0].at, "2019-03-02");
    drop(&g);
    opts.map = NULL;
}

static void jsonl_rows(void **state)
{
    struct got g;
    read_text(
        &g, "a.jsonl",
        "{\"id\":7,\"date\":null,\"text\":\"a\\u00e9\\ud83d b\\n\",\"from\":\"Bo\"}\n\n{broken\n"
        "{\"id\":8,\"date\":1551520800000,\"text\":[\"x\",\"y\"]}\n{\"id\":9}\n"
        "{\"text\":\"t\",\"text\":\"u\"}\n{\"text\":\"z\",\"date\":\"2031-01-01\"}");
    check_ok(g.rc, g.err);
    check_int(g.n, 3);
    check_str(g.p[0].text, "aé\xEF\xBF\xBD b\n");
    check_str(g.p[0].author, "Bo");
    check_str(g.p[0].id, "7");
    check_int(g.p[0].at, CLOCK_NONE);
    check_str(g.p[1].text, "x\ny");
    check_int(g.p[1].at, 1551520800);
    check_int(g.p[2].at, CLOCK_NONE);
    check_int(g.n_skip, 4);
    check_str(g.skip[0], "broken line");
    check_int(g.where[0], 3);
    check_str(g.skip[3], "date in the future");
    drop(&g);
    read_text(&g, "bad.jsonl", "{\"text\":\"a\"}\nsecret words\nmore secret\n");
    check_int(g.rc, ERR_PARSE);
    check_int(g.n, 0);
    check_has(g.err.msg, "line 2");
    check_hasnt(g.err.msg, "secret");
    read_text(&g, "list.json", "[ {\"body\":\"a\"},\n {\"body\":\"b\"} ]");
    check_int(g.n, 2);
    drop(&g);
    read_text(&g, "cut.json", "[ {\"body\":\"a\"},\n {\"body\":\"b");
    check_int(g.rc, ERR_PARSE);
    check_has(g.err.msg, "byte");
    drop(&g);
}

/* ---- Telegram ---- */

static const char account[] =
    "{\"about\":\"x\",\"personal_information\":{\"user_id\":42,\"first_name\":\"M\"},"
    "\"contacts\":{\"list\":[{\"name\":\"messages\"}]},"
    "\"chats\":{\"about\":\"\",\"list\":[{\"name\":\"Anna\",\"type\":\"personal_chat\",\"id\":7,"
    "\"messages\":["
    "{\"id\":1,\"type\":\"service\",\"date\":\"2019-02-16T08:01:55\",\"text\":\"\"},"
    "{\"id\":2,\"type\":\"message\",\"date\":\"2019-02-16T08:02:10\",\"date_unixtime\":"
    "\"1550304130\",\"edited\":\"x\","
    "\"from\":\"Anna\",\"from_id\":\"user7\",\"text\":\"Hi \\\"you\\\" ]}\"},"
    "{\"id\":3,\"type\":\"message\",\"date\":\"2019-02-16T08:03:00\",\"from\":\"M\",\"from_id\":"
    "\"user42\","
    "\"reply_to_message_id\":2,\"text\":[\"see \",{\"type\":\"bold\",\"text\":\"this\"},\"!\"]},"
    "{\"id\":4,\"type\":\"message\",\"date_unixtime\":\"1550304200\",\"from\":\"M\",\"from_id\":"
    "\"user42\","
    "\"photo\":\"p.jpg\",\"text\":\"\"},"
    "{\"id\":5,\"type\":\"message\",\"date_unixtime\":\"1550304200\",\"from\":\"M\",\"from_id\":"
    "\"user42\","
    "\"photo\":\"p.jpg\",\"text\":\"caption\"},"
    "{\"id\":6,\"type\":\"message\",\"date_unixtime\":\"1550304200\",\"from\":\"M\",\"from_id\":"
    "\"user42\","
    "\"forwarded_from\":null,\"text\":\"not mine\"},"
    "{\"id\":7,\"type\":\"message\",\"text\":\"x\",\"text\":\"y\"},"
    "{\"id\":8,\"type\":\"message\",\"date_unixtime\":\"1550304200\",\"from\":null,\"from_id\":"
    "\"user9\",\"text\":\"gone\"}"
    "]},{\"type\":\"saved_messages\",\"id\":42,\"messages\":[{\"id\":1,\"type\":\"message\","
    "\"from\":\"M\","
    "\"from_id\":\"user42\",\"date_unixtime\":\"1550304200\",\"text\":\"milk\"}]}]},"
    "\"left_chats\":{\"list\":[{\"name\":\"Club\",\"type\":\"private_group\",\"id\":9,\"messages\":"
    "[]}]}}";

static void telegram_account(void **state)
{
    struct got g;
    opts.tz_offset = 3600;
    read_text(&g, "result.json", account);
    opts.tz_offset = 0;
    check_ok(g.rc, g.err);
    check_str(g.f->name, "telegram");
    check_int(g.n, 6);
    check_str(g.p[0].text, "Hi \"you\" ]}");
    check_str(g.p[0].thread, "Anna (7)");
    check_int(g.p[0].at, 1550304130);
    check_int(g.p[0].own, 0);
    check_str(g.p[1].text, "see this!");
    check_str(g.p[1].reply_to, "2");
    check_int(g.p[1].own, 1);
    check_int(g.p[1].at, 1550304180 - 3600);
    check_str(g.p[2].text, "caption");
    check_str(g.p[3].text, "");
    check_str(g.p[3].quoted, "not mine");
    check_str(g.p[4].author, "user9");
    check_str(g.p[5].thread, "Saved Messages (42)");
    check_int(g.p[5].kind, PIECE_DOC);
    check_int(g.p[5].own, 1);
    check_str(g.skip[0], "system line");
    check_str(g.skip[1], "media");
    check_str(g.skip[2], "broken message");
    drop(&g);
}

/* Cut at every byte: never a crash, always an error that names the byte. */
/* Times outside of the years 1 to 9999 are none, also where no present is known to compare with. */
static void absurd_times(void **state)
{
    static const char *const times[] = { "-9223372036854775800", "-62135596801", "253402300800",
                                         "9223372036854775807" };
    static const char *const forms[] = {
        "{\"name\":\"A\",\"type\":\"personal_chat\",\"id\":1,\"messages\":[{\"id\":1,\"type\":"
        "\"message\",\"from_id\":\"user1\",\"from\":\"B\",\"date_unixtime\":%s,\"text\":\"x\"}]}",
        "{\"text\":\"x\",\"date\":%s}\n",
    };
    const char *const names[] = { "result.json", "a.jsonl" };
    struct format_opts was = opts;
    opts.now = 0;
    for (size_t i = 0; i < 8; i++) {
        struct got g;
        char t[512];
        snprintf(t, sizeof t, forms[i / 4], times[i % 4]);
        read_text(&g, names[i / 4], t);
        check_ok(g.rc, g.err);
        check_int(g.n, 1);
        if (i < 4) {
            check_int(g.p[0].at, CLOCK_NONE);
            check_int(g.n_skip, 1);
            check_str(g.skip[0], "date out of range");
        } else {
            assert_true(g.p[0].at == CLOCK_NONE || g.p[0].at >= -62135596800);
        }
        drop(&g);
    }
    opts = was;
}

/* What comes through a pipe is kept in memory: no file appears, and too much is refused. */
static void pipes(void **state)
{
    static const struct {
        const char *text;
        size_t times;
        int rc;
    } c[] = { { "Just words.\n", 3, 0 },
              { "Many words to fill a pipe with.\n", 9 << 20, ERR_LIMIT } };
    char path[512];
    snprintf(path, sizeof path, "%s/pipe", dir);
    check_int(mkfifo(path, 0600), 0);
    setenv("TMPDIR", "/nonexistent", 1);
    for (size_t i = 0; i < 2; i++) {
        struct got g;
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            FILE *f = fopen(path, "w");
            signal(SIGPIPE, SIG_IGN);
            for (size_t k = 0; f && k < c[i].times; k++)
                if (fputs(c[i].text, f) < 0) break;
            if (f) fclose(f);
            _exit(0);
        }
        read_path(&g, path, "text");
        check_int(g.rc, c[i].rc);
        if (c[i].rc) check_has(g.err.msg, "save it as a file");
        else check_has(g.p[0].text, "Just words.");
        drop(&g);
        check_int(waitpid(child, NULL, 0), child);
    }
    unsetenv("TMPDIR");
}

static void telegram_cut(void **state)
{
    for (size_t n = 200; n < sizeof account - 2; n += 7) {
        struct got g;
        read_path(&g, file_of("result.json", account, n), "telegram");
        check_int(g.rc, ERR_PARSE);
        check_has(g.err.msg, "result.json, byte");
        drop(&g);
    }
}

/* ---- size ---- */

static void one_huge_line(void **state)
{
    struct got g;
    struct rusage before, after;
    char *path = file_of("huge.txt", "x", 1), block[65536];
    FILE *f = fopen(path, "w");
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1024; i++) fwrite(block, 1, sizeof block, f); /* 64 MiB */
    fclose(f);
    utime(path, &(struct utimbuf){ MTIME, MTIME });
    getrusage(RUSAGE_SELF, &before);
    read_path(&g, path, NULL);
    getrusage(RUSAGE_SELF, &after);
    unlink(path);
    check_ok(g.rc, g.err);
    check_int(g.n_skip, 1);
    check_str(g.skip[0], "rest of an over-long text");
    check_int(g.where[0], 1);
    assert_true(g.text_bytes > 4000000 && g.text_bytes <= FORMAT_PIECE_MAX);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(after.ru_maxrss - before.ru_maxrss < 20 * 1024);
#endif
    drop(&g);
}

static void long_document_continues(void **state)
{
    struct buf b = { 0 };
    struct got g;
    for (int i = 0; i < 60000; i++) buf_adds(&b, "A line of a very long document that goes on.\n");
    read_bytes(&g, "long.txt", b.p, b.n);
    check_ok(g.rc, g.err);
    check_int(g.n_skip, 0);
    assert_true(g.text_bytes >= b.n - 4 && g.text_bytes <= b.n);
    drop(&g);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(recognises),
        cmocka_unit_test(refuses),
        cmocka_unit_test(plain_document),
        cmocka_unit_test(plain_journal),
        cmocka_unit_test(charsets),
        cmocka_unit_test(markdown_words),
        cmocka_unit_test(markdown_blocks),
        cmocka_unit_test(markdown_document),
        cmocka_unit_test(csv_rows),
        cmocka_unit_test(maps),
        cmocka_unit_test(jsonl_rows),
        cmocka_unit_test(telegram_account),
        cmocka_unit_test(absurd_times),
        cmocka_unit_test(pipes),
        cmocka_unit_test(telegram_cut),
        cmocka_unit_test(one_huge_line),
        cmocka_unit_test(long_document_continues),
    };
    snprintf(dir, sizeof dir, "%s", check_tmp_dir());
    int failed = check_run("text/format", t);
    io_remove_tree(dir, NULL);
    return failed;
}
