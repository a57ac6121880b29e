/* Jobs on personas, in a real queue: what they leave, that doing them twice is doing them once,
 * that others write meanwhile, and that a killed process loses nothing. */
#include "check.h"
#include "world_home.h"

#include "base/str.h"
#include "persona/portable.h"
#include "persona/retrieve.h"
#include "persona/source.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

static struct err err;

static const char CHAT[] = "12/03/2021, 10:00 - Marit: The ferry was late again this morning.\n"
                           "12/03/2021, 10:01 - Jonas: Did you get the paint for the boat?\n"
                           "12/03/2021, 10:02 - Marit: I bought the blue one, as you said.\n";

static int files_in(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) n += *e->d_name != '.';
    if (d) closedir(d);
    return n;
}

/* What a job kept goes just after its end is told. */
static void check_no_files(struct test_world *x)
{
    for (int i = 0; i < 600000 && files_in(x->spools); i++) usleep(1000);
    check_int(files_in(x->spools), 0);
}

static struct persona_counts counts(struct test_world *x)
{
    struct persona_counts n;
    check_ok(persona_counts(x->t.home, x->t.persona, &n, &err), err);
    return n;
}

static int64_t account(struct test_world *x, uint8_t number)
{
    struct row_account a = { .mail_digest = { number }, .body = "{}", .body_n = 2 };
    check_ok(service_account_put(x->w.service, &a, &err), err);
    return a.id;
}

static json_int_t number(const struct test_job *j, const char *name)
{
    return json_integer_value(json_object_get(j->result, name));
}

static size_t found(struct test_world *x, const char *question, enum query_mode mode)
{
    struct desk *d;
    struct query q = query_default(question);
    struct passages ps;
    q.mode = mode;
    check_ok(pool_take(x->w.pool, x->t.persona->seal.uid, 5000, &d, &err), err);
    check_ok(retrieve(d->retriever, &q, &ps, &err), err);
    size_t n = ps.n;
    passages_clear(&ps);
    pool_give(x->w.pool, d);
    return n;
}

static bool is_stale(struct test_world *x)
{
    struct persona *p;
    check_ok(persona_open_uid(x->t.home, x->t.persona->seal.uid, &p, &err), err);
    bool stale = p->stale;
    persona_close(p);
    return stale;
}

struct totals {
    int64_t embedders, chunks, vectors;
};

static int count_embedder(void *ud, const struct row_embedder *r)
{
    ((struct totals *)ud)->embedders++;
    return 0;
}

static int count_chunk(void *ud, const struct row_chunk *r)
{
    ((struct totals *)ud)->chunks++;
    return 0;
}

static int find_current(void *ud, const struct row_embedder *r)
{
    if (r->current) *(int64_t *)ud = r->id;
    return 0;
}

static int count_vector(void *ud, int64_t chunk, const float *v, int n)
{
    ((struct totals *)ud)->vectors++;
    return 0;
}

static struct totals totals(struct test_world *x)
{
    struct totals n = { 0 };
    struct store *st = x->t.home->store;
    const struct sealed *ps = &x->t.persona->seal;
    int64_t id = 0;
    check_ok(store_embedder_each(st, ps, count_embedder, &n, &err), err);
    check_ok(store_embedder_each(st, ps, find_current, &id, &err), err);
    check_ok(store_chunk_each(st, ps, 0, count_chunk, &n, &err), err);
    check_ok(store_vector_each(st, ps, id, count_vector, &n, &err), err);
    return n;
}

/* In a home of its own, as the writer is somebody else's just now. */
static struct persona_counts counts_read(struct test_world *x)
{
    struct persona_counts n;
    struct home *h;
    check_ok(pool_read(x->w.pool, &h, &err), err);
    check_ok(persona_counts(h, x->t.persona, &n, &err), err);
    pool_read_done(x->w.pool, h);
    return n;
}

/* ---- ingest ---- */

static void files_come_in_once(void **state)
{
    struct test_world x;
    char name[33], args[300];
    test_world_open(&x, 1);
    const uint8_t *uid = x.t.persona->seal.uid;
    test_world_spool(&x, CHAT, sizeof CHAT - 1, name);
    snprintf(
        args, sizeof args,
        "{\"files\":[{\"spool\":\"%s\",\"name\":\"chat.txt\",\"bytes\":%zu}],\"me\":\"Marit\"}",
        name, sizeof CHAT - 1);
    struct test_job j = test_world_do(&x, "ingest", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 3);
    check_int(number(&j, "voice"), 2);
    json_t *file = json_array_get(json_object_get(j.result, "files"), 0);
    check_str(json_string_value(json_object_get(file, "name")), "chat.txt");
    check_str(json_string_value(json_object_get(file, "format")), "whatsapp");
    json_decref(j.result);
    check_no_files(&x);
    check_int(counts(&x).pieces, 3);
    assert_false(is_stale(&x));
    assert_true(found(&x, "the ferry", QUERY_VECTOR) > 0);
    test_world_spool(&x, CHAT, sizeof CHAT - 1, name);
    snprintf(args, sizeof args,
             "{\"files\":[{\"spool\":\"%s\",\"name\":\"chat.txt\",\"bytes\":%zu}]}", name,
             sizeof CHAT - 1);
    j = test_world_do(&x, "ingest", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 0);
    check_int(number(&j, "known"), 3);
    json_decref(j.result);
    check_int(counts(&x).pieces, 3);
    test_world_close(&x);
}

static void a_bad_file_is_told_of(void **state)
{
    struct test_world x;
    char db[33], chat[33], args[500];
    test_world_open(&x, 1);
    const uint8_t *uid = x.t.persona->seal.uid;
    test_world_spool(&x, "SQLite format 3", 16, db);
    snprintf(args, sizeof args, "{\"files\":[{\"spool\":\"%s\",\"name\":\"a.db\"}]}", db);
    struct test_job j = test_world_do(&x, "ingest", uid, args);
    check_int(j.state, JOB_FAILED);
    json_t *e = json_object_get(j.result, "error");
    check_str(json_string_value(json_object_get(e, "code")), "PARSE");
    check_has(json_string_value(json_object_get(e, "message")), "database");
    json_decref(j.result);
    check_no_files(&x);
    /* together with a good one it is a word in the result */
    test_world_spool(&x, "SQLite format 3", 16, db);
    test_world_spool(&x, "I like boats.", 13, chat);
    snprintf(args, sizeof args,
             "{\"files\":[{\"spool\":\"%s\",\"name\":\"a.db\"},"
             "{\"spool\":\"%s\",\"name\":\"b.txt\"},{\"spool\":\"../vault\",\"name\":\"c.txt\"}]}",
             db, chat);
    j = test_world_do(&x, "ingest", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 1);
    check_int(number(&j, "failed"), 2);
    json_decref(j.result);
    test_world_close(&x);
}

static void people_are_listed(void **state)
{
    struct test_world x;
    char name[33], args[300];
    static const char other[] = "12/03/2021, 10:00 - Ann: The ferry was late again.\n"
                                "12/03/2021, 10:01 - Bob: Did you get the paint?\n"
                                "12/03/2021, 10:02 - Ann: I bought the blue one.\n";
    test_world_open(&x, 1);
    test_world_spool(&x, other, sizeof other - 1, name);
    snprintf(args, sizeof args, "{\"files\":[{\"spool\":\"%s\",\"name\":\"chat.txt\"}]}", name);
    struct test_job j = test_world_do(&x, "ingest", x.t.persona->seal.uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 0);
    json_t *people = json_object_get(j.result, "people");
    check_int(json_array_size(people), 2);
    json_t *file = json_array_get(json_object_get(j.result, "files"), 0);
    check_has(json_string_value(json_object_get(json_object_get(file, "error"), "message")),
              "\"me\"");
    json_decref(j.result);
    check_int(counts(&x).pieces, 0);
    test_world_close(&x);
}

/* Days of a channel are one source, and who writes in them stands in a file that came last. */
static void files_of_one_export(void **state)
{
    static const char day[] = "[{\"type\":\"message\",\"user\":\"U1\",\"text\":\"Day %d at the "
                              "harbour\",\"ts\":\"16094592%02d.000100\"}]";
    static const char users[] = "[{\"id\":\"U1\",\"team_id\":\"T1\",\"name\":\"a\",\"profile\":"
                                "{\"real_name\":\"Ann Lee\"}}]";
    struct test_world x;
    char name[3][33], text[200], args[700];
    test_world_open(&x, 1);
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, day, i, i);
        test_world_spool(&x, text, strlen(text), name[i]);
    }
    test_world_spool(&x, users, sizeof users - 1, name[2]);
    snprintf(args, sizeof args,
             "{\"me\":\"Ann Lee\",\"files\":[{\"spool\":\"%s\",\"name\":\"2021-01-01.json\"},"
             "{\"spool\":\"%s\",\"name\":\"2021-01-02.json\"},{\"spool\":\"%s\",\"name\":"
             "\"users.json\"}]}",
             name[0], name[1], name[2]);
    struct test_job j = test_world_do(&x, "ingest", x.t.persona->seal.uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 2);
    check_int(number(&j, "voice"), 2);
    check_int(number(&j, "failed"), 0);
    json_decref(j.result);
    check_int(counts(&x).sources, 1);
    check_no_files(&x);
    test_world_close(&x);
}

/* ---- others write while a file comes in ---- */

struct crowd {
    struct test_world *x;
    atomic_bool stop;
    atomic_int wrote;
};

/* Wants the writer all the time. */
static void *crowd_write(void *ud)
{
    struct crowd *c = ud;
    struct home *w;
    while (!atomic_load(&c->stop) && !pool_write(c->x->w.pool, 60000, &w, NULL)) {
        if (!store_begin(w->store, NULL) && !store_commit(w->store, NULL))
            atomic_fetch_add(&c->wrote, 1);
        pool_wrote(c->x->w.pool, w);
    }
    return NULL;
}

static void chat_of(struct test_world *x, int from, int n, char args[300])
{
    struct buf b = BUF_INIT(1 << 24);
    char name[33];
    for (int i = from; i < from + n; i++)
        buf_printf(&b, "%02d/03/%d, %02d:%02d - Marit: The boat %d lies in the harbour.\n",
                   i % 28 + 1, 2000 + i / 2000, i % 24, i % 60, i);
    test_world_spool(x, b.p, b.n, name);
    snprintf(args, 300,
             "{\"files\":[{\"spool\":\"%s\",\"name\":\"c.txt\",\"bytes\":%zu}],\"me\":\"Marit\"}",
             name, b.n);
    buf_free(&b);
}

static void others_write_while_a_file_comes_in(void **state)
{
    struct test_world x;
    struct crowd c = { .x = &x };
    char args[300];
    pthread_t th;
    test_world_open(&x, 1);
    const uint8_t *uid = x.t.persona->seal.uid;
    check_int(pthread_create(&th, NULL, crowd_write, &c), 0);
    chat_of(&x, 0, 6000, args);
    struct test_job j = test_world_do(&x, "ingest", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 6000);
    json_decref(j.result);
    chat_of(&x, 0, 9000, args); /* a longer export of it */
    j = test_world_do(&x, "ingest", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "added"), 3000);
    check_int(number(&j, "known"), 6000);
    json_decref(j.result);
    atomic_store(&c.stop, true);
    pthread_join(th, NULL);
    assert_true(atomic_load(&c.wrote) > 4);
    struct persona_counts n = counts(&x);
    check_int(n.sources, 1);
    check_int(n.pieces, 9000);
    check_int(n.chunks, totals(&x).vectors);
    assert_false(is_stale(&x));
    test_world_close(&x);
}

/* Wherever it is cancelled, the chat is there whole or not at all. */
static void a_cancelled_file_is_taken_back(void **state)
{
    struct test_world x;
    struct crowd c = { .x = &x };
    char args[300];
    int cancelled = 0;
    pthread_t th;
    test_world_open(&x, 1);
    const uint8_t *uid = x.t.persona->seal.uid;
    check_int(pthread_create(&th, NULL, crowd_write, &c), 0);
    for (int i = 0; i < 6; i++) {
        uint64_t before = counts_read(&x).pieces;
        chat_of(&x, i * 10000, 3000, args);
        int64_t id = test_world_submit(&x, "ingest", uid, args);
        int turns = atomic_load(&c.wrote) + i * 4;
        while (atomic_load(&c.wrote) < turns && jobs_wait(x.w.jobs, id, 0, NULL)) sched_yield();
        jobs_cancel(x.w.jobs, id, NULL);
        struct test_job j = test_world_end(&x, id);
        cancelled += j.state == JOB_CANCELLED;
        uint64_t added = counts_read(&x).pieces - before;
        if (added) check_int(added, 3000);
        json_decref(j.result);
        check_no_files(&x);
    }
    atomic_store(&c.stop, true);
    pthread_join(th, NULL);
    assert_true(cancelled > 0);
    struct test_job j = test_world_do(&x, "settle", uid, NULL);
    json_decref(j.result);
    assert_false(is_stale(&x));
    check_int(counts(&x).chunks, totals(&x).vectors);
    test_world_close(&x);
}

/* ---- delete, forget, export ---- */

static int first_source(void *ud, const struct source *s)
{
    *(int64_t *)ud = s->id;
    return 0;
}

static void deleting_twice_is_deleting_once(void **state)
{
    struct test_world x;
    char args[64];
    int64_t id = 0;
    test_world_open(&x, 1);
    const uint8_t *uid = x.t.persona->seal.uid;
    check_ok(ingest_text(x.t.home, x.t.persona, "a", "The zorblax is bitter.", 22, 1, &err), err);
    check_ok(source_each(x.t.home, x.t.persona, 0, first_source, &id, &err), err);
    snprintf(args, sizeof args, "{\"source\":%lld}", (long long)id);
    struct test_job j = test_world_do(&x, "delete", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "pieces"), 1);
    json_decref(j.result);
    j = test_world_do(&x, "delete", uid, args);
    check_int(j.state, JOB_DONE);
    check_int(number(&j, "pieces"), 0);
    json_decref(j.result);
    check_int(counts(&x).pieces, 0);
    check_int(found(&x, "zorblax", QUERY_KEYWORD), 0);
    assert_false(is_stale(&x));
    test_world_close(&x);
}

static void a_persona_goes_away_and_comes_back(void **state)
{
    struct test_world x;
    char name[33], args[200], path[4096];
    uint8_t uid[VAULT_UID];
    enum level level;
    int64_t who[2];
    struct secret pass = { .passphrase = "a long passphrase", .passphrase_n = 17 };
    test_world_open(&x, 1);
    test_home_sample(&x.t);
    memcpy(uid, x.t.persona->seal.uid, VAULT_UID);
    uint64_t pieces = counts(&x).pieces;
    world_spool_new(name);
    snprintf(args, sizeof args, "{\"spool\":\"%s\",\"passphrase\":\"a long passphrase\"}", name);
    struct test_job j = test_world_do(&x, "export", uid, args);
    check_int(j.state, JOB_DONE);
    check_str(json_string_value(json_object_get(j.result, "spool")), name);
    check_ok(world_spool(&x.w, name, path, &err), err);
    check_int(number(&j, "bytes"), io_file_size(path));
    json_decref(j.result);
    for (int i = 0; i < 2; i++) {
        who[i] = account(&x, (uint8_t)i);
        check_ok(service_grant_put(x.w.service, uid, who[i], LEVEL_CHAT, &err), err);
    }
    j = test_world_do(&x, "forget", uid, NULL);
    check_int(j.state, JOB_DONE);
    json_decref(j.result);
    for (int i = 0; i < 2; i++) {
        check_ok(service_grant_get(x.w.service, uid, who[i], &level, &err), err);
        check_int(level, LEVEL_NONE);
    }
    j = test_world_do(&x, "forget", uid, NULL);
    check_int(j.state, JOB_DONE);
    json_decref(j.result);
    struct desk *d;
    check_int(pool_take(x.w.pool, uid, 0, &d, &err), ERR_NOTFOUND);
    persona_close(x.t.persona);
    check_ok(portable_import(x.t.home, path, &pass, NULL, NULL, &x.t.persona, NULL, &err), err);
    check_int(counts(&x).pieces, pieces);
    test_world_close(&x);
}

/* ---- settling while others write ---- */

struct meddler {
    struct test_world *x;
    int turns, add_at;
    const char *text;
};

/* Between two turns of the settling somebody else adds a text. */
static int meddle(void *ud, struct home **out, struct err *e)
{
    struct meddler *m = ud;
    *out = m->x->t.home;
    if (m->turns++ != m->add_at) return 0;
    struct persona *p;
    int rc = persona_open_uid(*out, m->x->t.persona->seal.uid, &p, e);
    if (!rc) rc = ingest_text(*out, p, "later", m->text, strlen(m->text), 1, e);
    persona_close(p);
    return rc;
}

static void meddled(void *ud, struct home *h) {}

static int settle_by(struct test_world *x, struct meddler *m, const struct progress *pr, bool *more)
{
    struct home_writer by = { meddle, meddled, m };
    struct home *h;
    struct persona *p;
    check_ok(pool_read(x->w.pool, &h, &err), err);
    check_ok(persona_open_uid(h, x->t.persona->seal.uid, &p, &err), err);
    int rc = persona_settle_by(h, p, &by, pr, &err);
    *more = p->stale;
    persona_close(p);
    pool_read_done(x->w.pool, h);
    return rc;
}

static void add_texts(struct test_world *x, int n)
{
    char text[100];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "The boat number %d lies in the harbour of Tollick.", i);
        check_ok(ingest_text(x->t.home, x->t.persona, NULL, text, strlen(text), i, &err), err);
    }
}

/* Wherever the text comes in, the persona stays stale, and the next settling embeds it. */
static void texts_come_in_while_settling(void **state)
{
    struct test_world x;
    bool more;
    test_world_open(&x, 0);
    int turns = 1, most = 0;
    for (int at = 0; at < turns && at < 12; at++) {
        char text[64];
        struct meddler m = { &x, 0, at, text };
        snprintf(text, sizeof text, "A later thought, number %d, on the weather.", at);
        add_texts(&x, 40 + at * 20); /* grows: learnt anew, now and then */
        check_ok(settle_by(&x, &m, NULL, &more), err);
        turns = m.turns;
        if (turns > most) most = turns;
        struct totals n = totals(&x);
        check_int(n.embedders, 1);
        check_int(more, n.vectors < n.chunks);
        check_int(is_stale(&x), more);
        m = (struct meddler){ &x, 0, -1, text };
        check_ok(settle_by(&x, &m, NULL, &more), err);
        assert_false(more);
        n = totals(&x);
        check_int(n.vectors, n.chunks);
    }
    assert_true(most >= 3);
    test_world_close(&x);
}

static int stop_after(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    return --*(int *)ud < 0;
}

static void a_stopped_settling_leaves_no_trace(void **state)
{
    struct test_world x;
    bool more;
    int rc = ERR_CANCEL, ticks = 0;
    test_world_open(&x, 0);
    add_texts(&x, 100);
    struct meddler m = { &x, 0, -1, NULL };
    for (; rc; ticks += 7) {
        int left = ticks;
        rc = settle_by(&x, &m, &(struct progress){ stop_after, &left }, &more);
        if (rc) check_int(rc, ERR_CANCEL);
        if (rc) assert_true(is_stale(&x));
        assert_true(found(&x, "the boat in the harbour", QUERY_KEYWORD) > 0);
    }
    assert_true(ticks > 14);
    struct totals n = totals(&x);
    check_int(n.embedders, 1);
    check_int(n.vectors, n.chunks);
    assert_false(is_stale(&x));
    test_world_close(&x);
}

/* ---- belongings ---- */

static void names_differ_within_an_account(void **state)
{
    struct test_world x;
    struct persona_new n = { .name = "Ann",
                             .kind = PERSONA_SELF,
                             .consent_by = "Ann",
                             .consent_to = "all",
                             .consent_at = 1,
                             .chunk_overlap = -1 };
    uint8_t a[VAULT_UID], b[VAULT_UID], nothing[VAULT_UID] = { 9 };
    int64_t owner;
    enum level level;
    test_world_open(&x, 0);
    int64_t ann = account(&x, 1), bob = account(&x, 2);
    check_ok(world_persona_new(&x.w, ann, &n, a, &err), err);
    check_ok(world_persona_new(&x.w, bob, &n, b, &err), err);
    assert_memory_not_equal(a, b, VAULT_UID);
    n.name = " ANN ";
    check_int(world_persona_new(&x.w, ann, &n, b, &err), ERR_EXISTS);
    check_ok(world_owner(&x.w, a, &owner, &err), err);
    check_int(owner, ann);
    n.name = "Bo";
    n.consent_by = "";
    check_int(world_persona_new(&x.w, ann, &n, b, &err), ERR_CONSENT);
    /* a right on nothing, as a crash leaves it, and a file that nobody waits for */
    check_ok(service_grant_put(x.w.service, nothing, ann, LEVEL_OWNER, &err), err);
    char name[33];
    test_world_spool(&x, "x", 1, name);
    check_ok(work_tidy(&x.w, &err), err);
    check_ok(service_grant_get(x.w.service, nothing, ann, &level, &err), err);
    check_int(level, LEVEL_NONE);
    check_ok(service_grant_get(x.w.service, a, ann, &level, &err), err);
    check_int(level, LEVEL_OWNER);
    check_no_files(&x);
    test_world_close(&x);
}

/* ---- kill -9 ---- */

static void child(struct test_world *x)
{
    struct err e = { 0 };
    if (home_open(x->t.path, &x->t.secret, STORE_WRITE, &x->t.home, &e)) _exit(3);
    struct crowd c = { .x = x };
    pthread_t th;
    test_world_start(x, 1);
    if (pthread_create(&th, NULL, crowd_write, &c)) _exit(4);
    for (;;) pause();
}

static void a_killed_job_is_done_in_the_end(void **state)
{
    struct test_world x;
    struct buf big = BUF_INIT(1 << 24);
    char name[33], args[300];
    unsigned seed = 11;
    test_world_open(&x, 0);
    for (int i = 0; i < 4000; i++)
        buf_printf(&big, "%02d/03/2021, %02d:%02d - Marit: The boat %d lies in the harbour.\n",
                   i % 28 + 1, i % 24, i % 60, i);
    test_world_spool(&x, big.p, big.n, name);
    buf_free(&big);
    snprintf(args, sizeof args,
             "{\"files\":[{\"spool\":\"%s\",\"name\":\"c.txt\"}],\"me\":\"Marit\"}", name);
    int64_t id = test_world_submit(&x, "ingest", x.t.persona->seal.uid, args);
    test_world_stop(&x);
    persona_close(x.t.persona);
    home_close(x.t.home);
    x.t.persona = NULL;
    x.t.home = NULL;
    for (int round = 0; round < 3; round++) { /* fewer than its attempts */
        pid_t pid = fork();
        if (!pid) child(&x);
        usleep(100000 + (useconds_t)(rand_r(&seed) % 300000));
        kill(pid, SIGKILL);
        check_int(waitpid(pid, NULL, 0), pid);
    }
    test_home_reopen(&x.t, STORE_WRITE);
    test_world_start(&x, 1);
    struct test_job j = test_world_end(&x, id);
    check_int(j.state, JOB_DONE);
    json_decref(j.result);
    check_int(counts(&x).pieces, 4000);
    check_no_files(&x);
    assert_false(is_stale(&x));
    struct totals n = totals(&x);
    check_int(n.vectors, n.chunks);
    check_int(n.embedders, 1);
    test_world_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_in_once),
        cmocka_unit_test(a_bad_file_is_told_of),
        cmocka_unit_test(people_are_listed),
        cmocka_unit_test(files_of_one_export),
        cmocka_unit_test(others_write_while_a_file_comes_in),
        cmocka_unit_test(a_cancelled_file_is_taken_back),
        cmocka_unit_test(deleting_twice_is_deleting_once),
        cmocka_unit_test(a_persona_goes_away_and_comes_back),
        cmocka_unit_test(texts_come_in_while_settling),
        cmocka_unit_test(a_stopped_settling_leaves_no_trace),
        cmocka_unit_test(names_differ_within_an_account),
        cmocka_unit_test(a_killed_job_is_done_in_the_end),
    };
    return check_run("persona/work", tests);
}
