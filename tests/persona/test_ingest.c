/* Ingest: what comes in twice, what grows, what is refused, and that an error leaves the store as
 * it was. Inputs are made here, so that each test shows what it is about. */
#include "check.h"
#include "persona_home.h"

#include "persona/internal.h"
#include "persona/source.h"

#include <errno.h>
#include <sys/wait.h>

static struct err err;

static const char *put(const struct test_home *t, const char *name, const char *text)
{
    static char path[8][500];
    static int turn;
    char *p = path[turn++ & 7], dir[500];
    snprintf(p, sizeof path[0], "%s/%s", t->dir, name);
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(p, '/') - p), p);
    check_ok(io_mkdirs(dir, 0700, &err), err);
    check_ok(io_write_file(p, text, strlen(text), 0600, &err), err);
    return p;
}

static void me(struct test_home *t, const char *aliases)
{
    check_ok(persona_alias_add(t->home, t->persona, aliases, &err), err);
}

static struct ingest_file last;
static char last_error[480];
static int files_told;

static void keep_file(void *ud, const struct ingest_file *f)
{
    last = *f;
    snprintf(last_error, sizeof last_error, "%s", f->error ? f->error : "");
    files_told++;
}

static int add_with(struct test_home *t, struct ingest in, const char *path,
                    struct ingest_totals *tot)
{
    in.home = t->home;
    in.persona = t->persona;
    if (!in.on_file) in.on_file = keep_file;
    files_told = 0;
    return ingest_paths(&in, &path, 1, tot, &err);
}

static struct ingest_totals add(struct test_home *t, const char *path)
{
    struct ingest_totals tot;
    check_ok(add_with(t, (struct ingest){ .day_first = -1 }, path, &tot), err);
    return tot;
}

static uint64_t n_sources(struct test_home *t)
{
    struct persona_counts n;
    check_ok(persona_counts(t->home, t->persona, &n, &err), err);
    return n.sources;
}

/* ---- chats ---- */

/* Messages from..to-1 of a chat that goes on, one an hour, by turns. */
static void chat_lines(struct buf *b, int from, int to)
{
    for (int i = from; i < to; i++)
        buf_printf(b, "%02d/03/2019, %02d:05 - %s: %s number %d about the harbour.\n", 1 + i / 24,
                   i % 24, i % 2 ? "Marit P" : "Anna", i % 2 ? "My answer" : "A question", i);
}

static const char *put_chat(struct test_home *t, const char *name, int from, int to)
{
    struct buf b = BUF_INIT(0);
    chat_lines(&b, from, to);
    const char *p = put(t, name, buf_str(&b));
    buf_free(&b);
    return p;
}

struct texts {
    struct arena *mem;
    struct buf out;
};

static int add_text(void *ud, const struct row_piece *r)
{
    struct texts *x = ud;
    struct piece p;
    check_ok(unpack_piece(r->body, r->body_n, x->mem, &p, &err), err);
    buf_printf(&x->out, "%s\n", p.text);
    return 0;
}

static void piece_texts(struct test_home *t, struct buf *out)
{
    struct texts x = { arena_new(0), BUF_INIT(0) };
    check_ok(
        store_piece_each(t->home->store, &t->persona->seal, 0, PIECE_BY_TIME, add_text, &x, &err),
        err);
    *out = x.out;
    arena_free(x.mem);
}

static int add_chunk(void *ud, const struct row_chunk *r)
{
    struct texts *x = ud;
    struct chunk_text c;
    check_ok(unpack_chunk(r->body, r->body_n, x->mem, &c, &err), err);
    chunk_plain(&c, false, &x->out);
    buf_addc(&x->out, '\n');
    return 0;
}

static void chunk_texts(struct test_home *t, struct buf *out)
{
    struct texts x = { arena_new(0), BUF_INIT(0) };
    check_ok(store_chunk_each(t->home->store, &t->persona->seal, 0, add_chunk, &x, &err), err);
    *out = x.out;
    arena_free(x.mem);
}

static void the_same_file_twice(void **state)
{
    struct test_home t;
    test_home_open(&t);
    me(&t, "Marit P");
    const char *p = put_chat(&t, "WhatsApp Chat with Anna.txt", 0, 40);
    struct ingest_totals a = add(&t, p);
    check_int(a.added, 40);
    check_int(a.voice, 20);
    check_int(last.sources_new, 1);
    a = add(&t, p);
    check_int(a.added, 0);
    check_int(a.known, 40);
    check_int(last.sources_new + last.sources_grown, 0);
    check_int(last.nobody, false);
    check_int(n_sources(&t), 1);
    test_home_close(&t);
}

/* However the parts come, the chat ends up as if it had come whole: one source, one order, the same
 * exchanges. */
static void check_growth(const char *const names[], const int from[], const int to[], int n)
{
    struct test_home whole, grown;
    struct buf w, g;
    test_home_open(&whole);
    test_home_open(&grown);
    me(&whole, "Marit P");
    me(&grown, "Marit P");
    add(&whole, put_chat(&whole, "WhatsApp Chat with Anna.txt", 0, 100));
    for (int i = 0; i < n; i++) {
        add(&grown, put_chat(&grown, names[i], from[i], to[i]));
        check_int(last.sources_new, i == 0);
        check_int(last.sources_grown, i > 0);
    }
    check_int(n_sources(&grown), 1);
    piece_texts(&whole, &w);
    piece_texts(&grown, &g);
    check_str(buf_str(&g), buf_str(&w));
    buf_free(&w);
    buf_free(&g);
    chunk_texts(&whole, &w);
    chunk_texts(&grown, &g);
    check_str(buf_str(&g), buf_str(&w));
    buf_free(&w);
    buf_free(&g);
    test_home_close(&whole);
    test_home_close(&grown);
}

static void a_longer_export_grows_the_source(void **state)
{
    static const char *const same[] = { "WhatsApp Chat with Anna.txt",
                                        "WhatsApp Chat with Anna.txt" };
    static const char *const renamed[] = { "WhatsApp Chat with Anna.txt",
                                           "WhatsApp Chat with Anna (1).txt",
                                           "later/WhatsApp Chat with Anna W.txt" };
    check_growth(same, (int[]){ 0, 0 }, (int[]){ 60, 100 }, 2);
    check_growth(renamed, (int[]){ 0, 0, 0 }, (int[]){ 30, 60, 100 }, 3);
}

static void an_earlier_beginning_comes_first(void **state)
{
    static const char *const names[] = { "WhatsApp Chat with Anna.txt",
                                         "WhatsApp Chat with Anna.txt",
                                         "WhatsApp Chat with Anna.txt" };
    check_growth(names, (int[]){ 50, 0 }, (int[]){ 100, 100 }, 2);
    check_growth(names, (int[]){ 40, 10, 0 }, (int[]){ 80, 100, 50 }, 3);
}

static void equal_messages_are_two(void **state)
{
    struct test_home t;
    test_home_open(&t);
    me(&t, "Marit P");
    const char *p = put(&t, "WhatsApp Chat with Anna.txt",
                        "12/03/2019, 21:14 - Anna: Ready?\n12/03/2019, 21:15 - Marit P: Yes\n"
                        "12/03/2019, 21:15 - Marit P: Yes\n13/03/2019, 21:15 - Marit P: Yes\n");
    check_int(add(&t, p).added, 4);
    check_int(add(&t, p).added, 0);
    test_home_close(&t);
}

/* The same greeting went to two people in one minute: that does not make them one chat. */
static void a_coincidence_does_not_join_chats(void **state)
{
    struct test_home t;
    struct buf b = BUF_INIT(0);
    test_home_open(&t);
    me(&t, "Marit P");
    chat_lines(&b, 0, 40);
    buf_adds(&b, "31/12/2019, 23:59 - Marit P: Happy new year!\n");
    add(&t, put(&t, "WhatsApp Chat with Anna.txt", buf_str(&b)));
    int64_t first = last.source;
    buf_clear(&b);
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "%02d/05/2018, 10:05 - Bob: Another question %d, quite unlike.\n",
                   1 + i % 30, i);
    buf_adds(&b, "31/12/2019, 23:59 - Marit P: Happy new year!\n");
    add(&t, put(&t, "WhatsApp Chat with Bob.txt", buf_str(&b)));
    check_int(n_sources(&t), 2);
    check_int(last.sources_new, 1);
    check_int(last.known, 1);
    assert_true(last.source != first || last.sources_new);
    buf_free(&b);
    test_home_close(&t);
}

static const char ACCOUNT[] =
    "{\"personal_information\": {\"user_id\": 7, \"first_name\": \"Marit\", \"last_name\": \"P\"},"
    " \"chats\": {\"list\": ["
    "{\"name\": \"Anna\", \"type\": \"personal_chat\", \"id\": 1, \"messages\": ["
    "{\"id\": 1, \"type\": \"message\", \"date\": \"2021-01-02T10:00:00\", \"from\": \"Anna\", "
    "\"from_id\": \"user1\","
    " \"text\": \"Did you sell the boat?\"},"
    "{\"id\": 2, \"type\": \"message\", \"date\": \"2021-01-02T10:01:00\", \"from\": \"Marit P\","
    " \"from_id\": \"user7\", \"text\": \"Never. She stays in the shed.\"}]},"
    "{\"name\": \"Bob\", \"type\": \"personal_chat\", \"id\": 2, \"messages\": ["
    "{\"id\": 1, \"type\": \"message\", \"date\": \"2021-01-03T10:00:00\", \"from\": \"Bob\", "
    "\"from_id\": \"user2\","
    " \"text\": \"Bread on Saturday?\"},"
    "{\"id\": 2, \"type\": \"message\", \"date\": \"2021-01-03T10:01:00\", \"from\": \"Marit P\","
    " \"from_id\": \"user7\", \"text\": \"Two loaves, as always.\"}]}]}}";

static void chats_of_an_account_are_sources(void **state)
{
    struct test_home t;
    test_home_open(&t);
    me(&t, "user7");
    struct ingest_totals a = add(&t, put(&t, "result.json", ACCOUNT));
    check_int(a.added, 4);
    check_int(a.voice, 2);
    check_int(last.sources_new, 2);
    check_int(n_sources(&t), 2);
    check_int(add(&t, put(&t, "again/result.json", ACCOUNT)).added, 0);
    test_home_close(&t);
}

/* ---- mail ---- */

static void mail_to(struct buf *b, int id, const char *text)
{
    buf_printf(b,
               "From x@example.org Sat Jan  3 01:05:34 2015\nFrom: Marit P <marit@example.org>\n"
               "To: anna@example.org\nSubject: Letter %d\nMessage-ID: <%d@example.org>\n"
               "Date: Sat, 3 Jan 2015 01:05:34 +0000\n\n%s\n\n",
               id, id, text);
}

static void a_mail_is_taken_once(void **state)
{
    struct test_home t;
    struct buf b = BUF_INIT(0);
    test_home_open(&t);
    me(&t, "marit@example.org");
    for (int i = 0; i < 20; i++) mail_to(&b, i, "A letter about the sea and the shed.");
    mail_to(&b, 3, "A letter about the sea and the shed."); /* a copy in the same box */
    struct ingest_totals a = add(&t, put(&t, "inbox.mbox", buf_str(&b)));
    check_int(a.added, 20);
    check_int(a.known, 1);
    buf_clear(&b);
    for (int i = 100; i < 120; i++) mail_to(&b, i, "Something else entirely.");
    mail_to(&b, 5, "A letter about the sea and the shed."); /* a copy in another */
    a = add(&t, put(&t, "sent.mbox", buf_str(&b)));
    check_int(a.added, 20);
    check_int(a.known, 1);
    check_int(n_sources(&t), 2); /* one copy does not make the boxes one */
    buf_free(&b);
    test_home_close(&t);
}

/* ---- tables, authors ---- */

static void tables_and_maps(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    test_home_open(&t);
    me(&t, "Marit P");
    const char *csv = put(&t, "posts.csv",
                          "wann,wer,was\n2020-01-02,Marit P,I painted the door blue.\n"
                          "2020-01-03,Anna,I liked it red.\n");
    struct ingest map = { .day_first = -1, .as = "csv", .map = "text=was,author=wer,date=wann" };
    check_ok(add_with(&t, map, csv, &tot), err);
    check_int(tot.added, 2);
    check_int(tot.voice, 1);
    check_int(last.from, clock_from_civil(2020, 1, 2, 0, 0, 0));
    const char *jl = put(&t, "posts.jsonl",
                         "{\"body\": \"I oiled the hinges.\", \"sender\": \"Marit P\"}\n"
                         "{\"body\": \"Nobody asked.\", \"sender\": \"Bob\"}\n");
    map = (struct ingest){ .day_first = -1, .as = "jsonl", .map = "text=body,author=sender" };
    check_ok(add_with(&t, map, jl, &tot), err);
    check_int(tot.added, 2);
    check_int(tot.voice, 1);
    map.map = "text=nothing_like_it";
    assert_true(add_with(&t, map, put(&t, "other.jsonl", "{\"body\": \"x y z\"}\n"), &tot) < 0);
    check_int(tot.failed, 1);
    test_home_close(&t);
}

static int keep_title(void *ud, const struct source *s)
{
    snprintf(ud, 100, "%s", s->title);
    return 0;
}

/* A file of many documents is called by its name, of one by its title. */
static void sources_are_named(void **state)
{
    struct test_home t;
    char title[100];
    test_home_open(&t);
    add(&t, put(&t, "year.md",
                "# A year\n\n## 3 March 2019\n\nI went to the sea.\n\n"
                "## 4 March 2019\n\nI stayed at home.\n"));
    check_ok(source_each(t.home, t.persona, last.source, keep_title, title, &err), err);
    check_str(title, "year.md");
    check_int(last.from, clock_from_civil(2019, 3, 3, 0, 0, 0));
    add(&t, put(&t, "one.md", "# On herons\n\nThey stand and wait.\n"));
    check_ok(source_each(t.home, t.persona, last.source, keep_title, title, &err), err);
    check_str(title, "On herons");
    struct ingest_totals a =
        add(&t, put(&t, "year.md",
                    "# A year\n\n## 3 March 2019\n\nI went to the sea.\n\n"
                    "## 4 March 2019\n\nI stayed at home.\n\n## 5 March 2019\n\nI left.\n"));
    check_int(a.added, 1);
    check_int(last.sources_grown, 1);
    check_ok(source_each(t.home, t.persona, last.source, keep_title, title, &err), err);
    check_str(title, "year.md");
    test_home_close(&t);
}

static void texts_by_somebody_else(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    test_home_open(&t);
    const char *p = put(&t, "poem.txt", "The tide comes in without knocking.\n");
    struct ingest by = { .day_first = -1, .by = "Bob" };
    check_ok(add_with(&t, by, p, &tot), err);
    check_int(tot.voice, 0);
    check_int(tot.context, 1);
    by.by = "Marit"; /* the persona's own name */
    check_ok(add_with(&t, by, put(&t, "own.txt", "I knock before I come in.\n"), &tot), err);
    check_int(tot.voice, 1);
    check_int(add(&t, put(&t, "none.txt", "Nobody signs a note to herself.\n")).voice, 1);
    test_home_close(&t);
}

static void nobody_known_is_reported(void **state)
{
    struct test_home t;
    test_home_open(&t);
    me(&t, "Somebody Else");
    struct ingest_totals a = add(&t, put_chat(&t, "WhatsApp Chat with Anna.txt", 0, 10));
    check_int(a.added, 10);
    check_int(a.voice, 0);
    check_int(last.nobody, true);
    add(&t, put(&t, "note.txt", "I am not named here.\n"));
    check_int(last.nobody, false);
    test_home_close(&t);
}

/* ---- what stops, what fails ---- */

static void dry_run_changes_nothing(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    test_home_open(&t);
    me(&t, "Marit P");
    int64_t before = store_data_version(t.home->store);
    struct ingest dry = { .day_first = -1, .dry_run = true };
    check_ok(add_with(&t, dry, put_chat(&t, "WhatsApp Chat with Anna.txt", 0, 10), &tot), err);
    check_int(tot.added, 10);
    check_int(tot.voice, 5);
    check_int(tot.chunks, 0);
    check_int(n_sources(&t), 0);
    check_int(t.persona->stale, false);
    check_int(store_data_version(t.home->store), before);
    test_home_close(&t);
}

struct stopper {
    const char *stage;
    int after, calls;
};

static int stop(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    struct stopper *s = ud;
    if (total && done > total)
        fail_msg("%s: %llu of %llu", stage, (unsigned long long)done, (unsigned long long)total);
    return !strcmp(stage, s->stage) && ++s->calls > s->after;
}

static void cancelled_leaves_the_store(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct stopper s = { "read", 0, 0 };
    struct progress pr = { stop, &s };
    struct ingest in = { .day_first = -1, .progress = &pr };
    test_home_open(&t);
    me(&t, "Marit P");
    const char *big = put_chat(&t, "chats/2 WhatsApp Chat with Anna.txt", 0, 700);
    check_int(add_with(&t, in, big, &tot), ERR_CANCEL);
    check_has(err.msg, "nothing of it was taken");
    check_int(n_sources(&t), 0);
    check_int(t.persona->stale, false);
    char folder[400];
    snprintf(folder, sizeof folder, "%s/chats", t.dir);
    put(&t, "chats/1.txt", "A note that comes before.\n");
    s = (struct stopper){ "look", 0, 0 };
    check_int(add_with(&t, in, folder, &tot), ERR_CANCEL);
    check_int(tot.added, 1); /* the file before it stays */
    check_int(files_told, 1);
    check_int(n_sources(&t), 1);
    s = (struct stopper){ "profile", 0, 0 }; /* and in the settling: what came in stays */
    check_int(add_with(&t, in, folder, &tot), ERR_CANCEL);
    check_has(err.msg, "doctor");
    check_int(n_sources(&t), 2);
    check_int(t.persona->stale, true);
    test_home_reopen(&t, STORE_WRITE);
    check_int(t.persona->stale, true);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    test_home_close(&t);
}

static void one_broken_file_of_a_folder(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    char folder[400];
    test_home_open(&t);
    snprintf(folder, sizeof folder, "%s/mixed", t.dir);
    put(&t, "mixed/a.txt", "I wrote this first.\n");
    put(&t, "mixed/b.pdf", "%PDF-1.4 not text\n");
    put(&t, "mixed/c.txt", "");
    put(&t, "mixed/d.csv", "no,such,column\n1,2,3\n");
    put(&t, "mixed/e.txt", "I wrote this last.\n");
    put(&t, "mixed/caf\xE9.txt", "The name of this file is Latin-1.\n"); /* not UTF-8 */
    struct ingest in = { .day_first = -1, .map = "text=body" };
    check_ok(add_with(&t, in, folder, &tot), err);
    check_int(tot.files, 6);
    check_int(tot.failed, 3);
    check_int(tot.added, 3);
    check_int(t.persona->stale, false);
    assert_true(add_with(&t, in, put(&t, "only.pdf", "%PDF-1.4\n"), &tot) == ERR_PARSE);
    check_has(err.msg, "only.pdf");
    test_home_close(&t);
}

static void pipes_and_devices_are_refused(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    char path[500];
    test_home_open(&t);
    snprintf(path, sizeof path, "%s/pipe", t.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_int(add_with(&t, (struct ingest){ .day_first = -1 }, path, &tot), ERR_INVAL);
    check_has(err.msg, "standard input");
    check_int(add_with(&t, (struct ingest){ .day_first = -1 }, "/dev/zero", &tot), ERR_INVAL);
    snprintf(path, sizeof path, "%s/nowhere", t.dir);
    check_int(add_with(&t, (struct ingest){ .day_first = -1 }, path, &tot), ERR_NOTFOUND);
    snprintf(path, sizeof path, "%s/empty", t.dir);
    check_ok(io_mkdirs(path, 0700, &err), err);
    check_int(add_with(&t, (struct ingest){ .day_first = -1 }, path, &tot), ERR_NOTFOUND);
    test_home_close(&t);
}

/* ---- who? ---- */

struct asked {
    int times;
    size_t n;
    char first[128];
    const char *answer;
};

static int choose(void *ud, const struct speaker *s, size_t n, struct buf *aliases, struct err *e)
{
    struct asked *a = ud;
    a->times++;
    a->n = n;
    snprintf(a->first, sizeof a->first, "%s", s[0].name);
    for (size_t i = 1; i < n; i++) assert_true(s[i].likely <= s[i - 1].likely);
    if (a->answer) buf_adds(aliases, a->answer);
    return 0;
}

static void drop_file(void *ud, const struct ingest_file *f) {}

static void asked_once_likeliest_first(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct asked a = { .answer = SAMPLE_ME };
    test_home_open(&t);
    check_ok(persona_rename(t.home, t.persona, "A Name That Nobody Has", &err), err);
    struct ingest in = { .day_first = -1, .who = choose, .ud = &a, .on_file = drop_file };
    check_ok(add_with(&t, in, "examples/person", &tot), err);
    check_int(a.times, 1);
    assert_true(a.n > 3);
    check_has(a.first, "Marit");
    assert_true(tot.voice > 100 && tot.context > 20);
    check_int(t.persona->n_aliases, 7);
    check_ok(add_with(&t, in, "examples/person", &tot), err);
    check_int(a.times, 1); /* known now */
    check_int(tot.added, 0);
    test_home_close(&t);
}

static void nobody_chosen_is_an_error(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct asked a = { 0 };
    test_home_open(&t);
    const char *p = put_chat(&t, "WhatsApp Chat with Anna.txt", 0, 10);
    struct ingest in = { .day_first = -1, .who = choose, .ud = &a, .on_file = drop_file };
    check_int(add_with(&t, in, p, &tot), ERR_INVAL);
    check_has(err.msg, "--me");
    check_int(a.times, 1);
    in.who = NULL;
    check_int(add_with(&t, in, p, &tot), ERR_INVAL);
    check_int(n_sources(&t), 0);
    a.answer = "Marit P"; /* in a dry run the answer is for that run */
    in.who = choose;
    in.dry_run = true;
    check_ok(add_with(&t, in, p, &tot), err);
    check_int(tot.voice, 5);
    check_int(t.persona->n_aliases, 0);
    check_ok(persona_rename(t.home, t.persona, "Marit P", &err),
             err); /* one has the name: no question */
    in.dry_run = false;
    a.times = 0;
    check_ok(add_with(&t, in, p, &tot), err);
    check_int(a.times, 0);
    check_int(tot.voice, 5);
    test_home_close(&t);
}

/* In a child, since standard input is replaced. */
static int from_stdin(struct test_home *t, const char *path, struct asked *a,
                      struct ingest_totals *tot)
{
    struct ingest in = { .day_first = -1, .who = choose, .ud = a, .on_file = drop_file };
    if (!freopen(path, "rb", stdin)) return ERR_IO;
    return add_with(t, in, "-", tot);
}

static void standard_input(void **state)
{
    struct test_home t;
    struct ingest_totals tot;
    struct asked a = { .answer = "Marit P" };
    test_home_open(&t);
    const char *p = put_chat(&t, "chat.txt", 0, 10);
    check_ok(from_stdin(&t, p, &a, &tot), err);
    check_int(a.times, 1); /* asked, though it can be read only once */
    check_int(tot.added, 10);
    check_int(tot.voice, 5);
    check_int(n_sources(&t), 1);
    check_ok(from_stdin(&t, p, &a, &tot), err);
    check_int(tot.added, 0);
    check_int(from_stdin(&t, put(&t, "none", ""), &a, &tot), ERR_PARSE);
    struct speaker *s;
    size_t n;
    const char *dash = "-";
    struct ingest in = { .home = t.home, .persona = t.persona, .day_first = -1 };
    assert_non_null(freopen(p, "rb", stdin));
    check_ok(ingest_speakers(&in, &dash, 1, &s, &n, &err), err);
    check_int(n, 2);
    free(s);
    test_home_close(&t);
}

/* ---- texts in memory ---- */

static void texts_from_memory(void **state)
{
    struct test_home t;
    struct buf big = BUF_INIT(0);
    test_home_open(&t);
    check_ok(ingest_text(t.home, t.persona, "Boats", "She leaks.", 10, 86400, &err), err);
    check_ok(ingest_text(t.home, t.persona, "Boats", "She leaks.", 10, 86400, &err), err);
    check_int(n_sources(&t), 1);
    check_ok(ingest_text(t.home, t.persona, NULL, "No title.", 9, CLOCK_NONE, &err), err);
    check_ok(
        ingest_text(t.home, t.persona, "Br\xFFoken", "By\xFFtes and \0 nul", 16, CLOCK_NONE, NULL),
        err);
    check_int(n_sources(&t), 3);
    check_int(ingest_text(t.home, t.persona, NULL, "", 0, 0, &err), ERR_INVAL);
    check_int(ingest_text(t.home, t.persona, NULL, " \n", 2, 0, &err), ERR_INVAL);
    while (big.n <= (size_t)4 << 20) buf_adds(&big, "All work and no play makes a long text. ");
    check_int(ingest_text(t.home, t.persona, NULL, big.p, big.n, 0, &err), ERR_LIMIT);
    check_int(n_sources(&t), 3);
    test_home_reopen(&t, STORE_READ);
    check_int(ingest_text(t.home, t.persona, NULL, "Late.", 5, 0, &err), ERR_INVAL);
    buf_free(&big);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_same_file_twice),
        cmocka_unit_test(a_longer_export_grows_the_source),
        cmocka_unit_test(an_earlier_beginning_comes_first),
        cmocka_unit_test(equal_messages_are_two),
        cmocka_unit_test(a_coincidence_does_not_join_chats),
        cmocka_unit_test(chats_of_an_account_are_sources),
        cmocka_unit_test(a_mail_is_taken_once),
        cmocka_unit_test(tables_and_maps),
        cmocka_unit_test(sources_are_named),
        cmocka_unit_test(texts_by_somebody_else),
        cmocka_unit_test(nobody_known_is_reported),
        cmocka_unit_test(dry_run_changes_nothing),
        cmocka_unit_test(cancelled_leaves_the_store),
        cmocka_unit_test(one_broken_file_of_a_folder),
        cmocka_unit_test(pipes_and_devices_are_refused),
        cmocka_unit_test(asked_once_likeliest_first),
        cmocka_unit_test(nobody_chosen_is_an_error),
        cmocka_unit_test(standard_input),
        cmocka_unit_test(texts_from_memory),
    };
    return check_run("persona/ingest", t);
}
