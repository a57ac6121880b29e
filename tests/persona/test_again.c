/* One chat from two programs, one mail from two mailboxes: in once, and nothing lost by it. */
#include "check.h"
#include "persona_home.h"

#include "persona/internal.h"
#include "persona/source.h"

static struct err err;
static long zone;

static struct ingest_totals add(struct test_home *t, const char *name, const char *text)
{
    char path[500];
    const char *one = path;
    struct ingest_totals tot;
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    check_ok(io_write_file(path, text, strlen(text), 0600, &err), err);
    struct ingest in = {
        .home = t->home, .persona = t->persona, .day_first = 1, .tz_offset = zone
    };
    check_ok(ingest_paths(&in, &one, 1, &tot, &err), err);
    return tot;
}

static void setup(struct test_home *t)
{
    test_home_open(t);
    zone = 0;
    check_ok(persona_alias_add(t->home, t->persona, "Marit,marit@example.org", &err), err);
}

static uint64_t sources(struct test_home *t)
{
    struct persona_counts n;
    check_ok(persona_counts(t->home, t->persona, &n, &err), err);
    return n.sources;
}

static const char IOS[] = "[02/03/2020, 10:00:05] Marit: Morning Bo\n"
                          "[02/03/2020, 10:01:31] Bo Berg: Morning, Marit\n"
                          "[02/03/2020, 10:02:07] Bo Berg: ok\n"
                          "[02/03/2020, 10:02:40] Bo Berg: ok\n"
                          "[02/03/2020, 10:03:00] Marit: Shall we row?\n"
                          "[02/03/2020, 10:04:11] Bo Berg: Yes, at nine\n";
static const char ANDROID[] = "02/03/2020, 10:00 - Marit: Morning Bo\n"
                              "02/03/2020, 10:01 - Bo: Morning, Marit\n"
                              "02/03/2020, 10:02 - Bo: ok\n"
                              "02/03/2020, 10:02 - Bo: ok\n"
                              "02/03/2020, 10:02 - Bo: ok\n"
                              "02/03/2020, 10:03 - Marit: Shall we row?\n"
                              "02/03/2020, 10:04 - Bo: Yes, at nine\n"
                              "03/03/2020, 09:00 - Marit: I am here\n";

static void seconds_and_minutes(void **state)
{
    for (int ios_first = 0; ios_first < 2; ios_first++) {
        struct test_home t;
        struct ingest_totals n;
        setup(&t);
        if (ios_first) {
            check_int(add(&t, "WhatsApp Chat - Bo Berg.txt", IOS).added, 6);
            n = add(&t, "WhatsApp Chat with Bo.txt", ANDROID);
            check_int(n.known, 6);
            check_int(n.added, 2); /* the third ok, and the last message */
        } else {
            check_int(add(&t, "WhatsApp Chat with Bo.txt", ANDROID).added, 8);
            n = add(&t, "WhatsApp Chat - Bo Berg.txt", IOS);
            check_int(n.known, 6);
            check_int(n.added, 0);
        }
        check_int(sources(&t), 1);
        check_int(add(&t, "WhatsApp Chat - Bo Berg.txt", IOS).added, 0);
        check_int(add(&t, "WhatsApp Chat with Bo.txt", ANDROID).added, 0);
        test_home_close(&t);
    }
}

static void equal_messages_of_one_minute_stay(void **state)
{
    static const char before[] = "[02/03/2020, 10:02:40] Bo: ok\n"
                                 "[02/03/2020, 10:03:00] Marit: Shall we row?\n"
                                 "[02/03/2020, 10:04:11] Bo: Yes, at nine\n";
    static const char longer[] = "[02/03/2020, 10:02:07] Bo: ok\n"
                                 "[02/03/2020, 10:02:40] Bo: ok\n"
                                 "[02/03/2020, 10:03:00] Marit: Shall we row?\n"
                                 "[02/03/2020, 10:04:11] Bo: Yes, at nine\n"
                                 "[02/03/2020, 10:04:20] Bo: Yes, at nine\n";
    struct test_home t;
    setup(&t);
    check_int(add(&t, "WhatsApp Chat - Bo.txt", before).added, 3);
    struct ingest_totals n = add(&t, "WhatsApp Chat - Bo (1).txt", longer);
    check_int(n.known, 3);
    check_int(n.added, 2);
    test_home_close(&t);
}

static void another_chat_is_another(void **state)
{
    static const char other[] = "02/03/2020, 10:02 - Cy: ok\n"
                                "02/03/2020, 10:02 - Cy: ok\n"
                                "02/03/2020, 10:05 - Marit: We row at nine, Cy\n"
                                "02/03/2020, 10:06 - Cy: Good\n"
                                "02/03/2020, 10:07 - Cy: See you\n";
    static const char tiny[] = "02/03/2020, 10:02 - Di: ok\n";
    struct test_home t;
    setup(&t);
    check_int(add(&t, "WhatsApp Chat - Bo Berg.txt", IOS).added, 6);
    check_int(add(&t, "WhatsApp Chat with Cy.txt", other).added, 5);
    check_int(add(&t, "WhatsApp Chat with Di.txt", tiny).added, 1);
    check_int(sources(&t), 3);
    test_home_close(&t);
}

static void another_program_and_zone(void **state)
{
    static const char rows[] =
        "{\"author\": \"Marit\", \"date\": \"2020-03-02T09:00:05Z\", \"thread\": \"b\", \"text\": "
        "\"Morning Bo\"}\n"
        "{\"author\": \"+4479111\", \"date\": \"2020-03-02T09:01:31Z\", \"thread\": \"b\", "
        "\"text\": "
        "\"Morning,  Marit\"}\n"
        "{\"author\": \"Marit\", \"date\": \"2020-03-02T09:03:00Z\", \"thread\": \"b\", \"text\": "
        "\"Shall we row?\"}\n"
        "{\"author\": \"+4479111\", \"date\": \"2020-03-02T09:04:11Z\", \"thread\": \"b\", "
        "\"text\": "
        "\"Yes, at nine\"}\n";
    for (int said = 0; said < 2; said++) {
        struct test_home t;
        setup(&t);
        zone = said ? 3600 : 0; /* the text export is in local time */
        check_int(add(&t, "WhatsApp Chat - Bo Berg.txt", IOS).added, 6);
        check_int(add(&t, "rows.jsonl", rows).known, said ? 4 : 0);
        test_home_close(&t);
    }
}

#define HEAD(id)                                                                                   \
    "From bo@example.org Sat Mar  2 10:00:00 2019\nFrom: Bo <bo@example.org>\n" id                 \
    "Date: Sat, 2 Mar 2019 10:00:00 +0000\nSubject: Rowing\n\n"

static void mails_without_an_id(void **state)
{
    static const char with[] = HEAD("Message-ID: <1@x>\n") "Shall we row on Sunday, or is the wind "
                                                           "too strong?\n";
    static const char wrapped[] =
        HEAD("To: marit@example.org\n") "Shall we row on Sunday,\nor is the "
                                        "wind\ntoo strong?\n";
    static const char other_id[] = HEAD("Message-ID: <2@x>\n") "Shall we row on Sunday, or is the "
                                                               "wind too strong?\n";
    static const char later[] = HEAD("Message-ID: <1@x>\nX-Folder: Archive\n") "Shall we row on "
                                                                               "Sunday?\n";
    struct test_home t;
    setup(&t);
    check_int(add(&t, "inbox.mbox", with).added, 1);
    check_int(add(&t, "archive.mbox", wrapped).known, 1);
    check_int(add(&t, "same-id.mbox", later).known, 1);
    check_int(add(&t, "other-id.mbox", other_id).added, 1);
    test_home_close(&t);
    setup(&t);
    check_int(add(&t, "archive.mbox", wrapped).added, 1);
    check_int(add(&t, "inbox.mbox", with).known, 1);
    test_home_close(&t);
}

#define LONG 150 /* messages: more than are read between two turns */

/* One chat as two programs write it. */
static void long_chat(struct buf *b, bool ios)
{
    for (int i = 0; i < LONG; i++) {
        const char *who = i % 2 ? "Marit" : "Bo";
        int hour = 8 + i / 60, minute = i % 60;
        if (ios) buf_printf(b, "[02/03/2020, %02d:%02d:05] %s: Message %d\n", hour, minute, who, i);
        else buf_printf(b, "02/03/2020, %02d:%02d - %s: Message %d\n", hour, minute, who, i);
    }
}

struct deleting {
    struct test_home *t;
    struct ingest_run *run;
    int turns, at; /* at which of them the source is deleted */
    int64_t source;
};

static bool always(void *ud) { return true; }

static int delete_it(void *ud, struct err *e)
{
    struct deleting *d = ud;
    if (d->turns++ != d->at) return 0;
    return source_delete(d->t->home, d->t->persona, d->source, NULL, e);
}

static int take(struct deleting *d, const char *name, const char *text, struct ingest_file *rep)
{
    char path[500];
    struct ingest in = { .home = d->t->home,
                         .persona = d->t->persona,
                         .day_first = 1,
                         .wanted = always,
                         .turn = delete_it,
                         .ud = d,
                         .run = d->run };
    snprintf(path, sizeof path, "%s/%s", d->t->dir, name);
    check_ok(io_write_file(path, text, strlen(text), 0600, &err), err);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    return ingest_opened(&in, f, name, 0, 0, rep, &err);
}

/* What a message was known from goes while others write: the file is looked at once more, and no
 * message is lost. The turns before the last are in the first pass, or in the second. */
static void what_was_known_is_deleted(void **state)
{
    struct buf ios = BUF_INIT(1 << 20), android = BUF_INIT(1 << 20);
    long_chat(&ios, true);
    long_chat(&android, false);
    for (int at = 0; at < 2; at++) {
        struct test_home t;
        struct persona_counts n;
        struct ingest_file rep;
        setup(&t);
        struct deleting d = { .t = &t, .at = -1 };
        check_int(take(&d, "WhatsApp Chat - Bo.txt", buf_str(&ios), &rep), 0);
        check_int(rep.added, LONG);
        d = (struct deleting){ .t = &t, .at = at, .source = rep.source };
        check_int(take(&d, "WhatsApp Chat with Bo.txt", buf_str(&android), &rep), ERR_BUSY);
        check_int(take(&d, "WhatsApp Chat with Bo.txt", buf_str(&android), &rep), 0);
        check_ok(persona_counts(t.home, t.persona, &n, &err), err);
        check_int(n.pieces, LONG);
        check_int(n.sources, 1);
        test_home_close(&t);
    }
    buf_free(&ios);
    buf_free(&android);
}

static void deleted_between_files(void **state)
{
    struct ingest_run run = { .names = NULL };
    struct test_home t;
    struct ingest_file rep;
    struct ingest in = { .run = NULL };
    setup(&t);
    check_ok(ingest_run_begin(&in, &run, &err), err);
    struct deleting d = { .t = &t, .run = &run, .at = -1 };
    check_int(take(&d, "WhatsApp Chat - Bo Berg.txt", IOS, &rep), 0);
    int64_t bo = rep.source;
    check_int(take(&d, "WhatsApp Chat with Di.txt", "02/03/2020, 10:02 - Di: Hello\n", &rep), 0);
    check_ok(source_delete(t.home, t.persona, bo, NULL, &err), err);
    check_int(take(&d, "WhatsApp Chat with Bo.txt", ANDROID, &rep), 0);
    check_int(rep.added, 8);
    check_int(sources(&t), 2);
    ingest_run_end(&in, &run);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_and_minutes),
        cmocka_unit_test(equal_messages_of_one_minute_stay),
        cmocka_unit_test(another_chat_is_another),
        cmocka_unit_test(another_program_and_zone),
        cmocka_unit_test(mails_without_an_id),
        cmocka_unit_test(what_was_known_is_deleted),
        cmocka_unit_test(deleted_between_files),
    };
    return check_run("persona/again", tests);
}
