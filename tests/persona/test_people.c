/* People: identities joined across formats, counted, and what is said about them kept. */
#include "check.h"
#include "persona_home.h"

#include "persona/people.h"
#include "persona/portable.h"
#include "persona/source.h"

static struct err err;

static void write_file(struct test_home *t, const char *name, const char *text, char path[500])
{
    snprintf(path, 500, "%s/%s", t->dir, name);
    check_ok(io_write_file(path, text, strlen(text), 0600, &err), err);
}

static void add_file(struct test_home *t, const char *name, const char *text)
{
    char path[500];
    struct ingest_totals tot;
    write_file(t, name, text, path);
    check_int(test_home_add(t, path, &tot), 0);
}

static const char MAIL[] = "From ann@example.org Sat Mar  2 10:00:00 2019\n"
                           "From: Ann Lee <Ann@Example.org>\nTo: marit@example.org\n"
                           "Subject: Rowing\nDate: Sat, 2 Mar 2019 10:00:00 +0000\n"
                           "Message-ID: <1@x>\n\nShall we row on Sunday?\n\n"
                           "From marit@example.org Sat Mar  2 11:00:00 2019\n"
                           "From: Marit Penhallow <marit@example.org>\nTo: ann@example.org\n"
                           "Subject: Re: Rowing\nDate: Sat, 2 Mar 2019 11:00:00 +0000\n"
                           "Message-ID: <2@x>\nIn-Reply-To: <1@x>\nReferences: <1@x>\n\n"
                           "Yes, at nine.\n\n"
                           "From ann@work.example.com Mon Mar  4 10:00:00 2019\n"
                           "From: \"Lee, Ann\" <ann@work.example.com>\nTo: marit@example.org\n"
                           "Subject: Minutes\nDate: Mon, 4 Mar 2019 10:00:00 +0000\n"
                           "Message-ID: <3@x>\n\nThe minutes are attached.\n";
static const char CHAT[] = "[02/03/2020, 10:00:00] Marit: Morning Ann\n"
                           "[02/03/2020, 10:01:00] Ann Lee: Morning, Marit\n"
                           "[02/03/2020, 10:02:00] Ann Lee: I have the oars\n"
                           "[03/03/2020, 10:02:00] Mum: Call me please\n"
                           "[03/03/2020, 10:05:00] +44 7911 123456: Is this the rowing club?\n"
                           "[23/03/2020, 10:05:00] Marit: It is\n";
static void setup(struct test_home *t)
{
    test_home_open(t);
    check_ok(persona_alias_add(t->home, t->persona, "Marit,marit@example.org", &err), err);
    add_file(t, "mail.mbox", MAIL);
    add_file(t, "WhatsApp Chat with Rowing.txt", CHAT);
}

static struct people all;

static const struct person *find(struct test_home *t, const char *who)
{
    people_free(&all);
    check_ok(people_load(t->home, t->persona, &all, &err), err);
    return people_find(&all, who, &err);
}

static void joined_by_name_and_address(void **state)
{
    struct test_home t;
    setup(&t);
    const struct person *ann = find(&t, "Ann Lee");
    assert_non_null(ann);
    assert_ptr_equal(ann, &all.p[0]); /* wrote most */
    check_int(ann->messages, 4);
    check_int(ann->n_formats, 2);
    check_int(ann->n_ids, 2);
    check_int(ann->sources, 3); /* each address counts the mailbox */
    check_int(ann->answered, 1 + 2);
    assert_true(ann->likely);
    char from[24], to[24];
    check_str(clock_date(ann->from, from), "2019-03-02");
    check_str(clock_date(ann->to, to), "2020-03-02");
    assert_ptr_equal(people_find(&all, "ANN@work.example.com", &err), ann);
    assert_ptr_equal(people_find(&all, ann->id, &err), ann);
    const struct person *mum = people_find(&all, "mum", &err);
    assert_non_null(mum);
    assert_false(mum->likely);
    const struct person *club = people_find(&all, "00447911123456", &err);
    assert_non_null(club);
    check_str(club->name, "+447911123456");
    assert_null(people_find(&all, "Marit", &err));
    check_int(err.code, ERR_NOTFOUND);
    test_home_close(&t);
}

static void said_is_kept(void **state)
{
    struct test_home t;
    setup(&t);
    check_ok(people_confirm(t.home, t.persona, "Ann Lee", &err), err);
    assert_false(find(&t, "Ann Lee")->likely);
    check_ok(people_merge(t.home, t.persona, "Mum", "+44 7911 123456", &err), err);
    check_int(find(&t, "Mum")->messages, 2);
    check_int(people_merge(t.home, t.persona, "Mum", "07911123456", &err), ERR_EXISTS);
    check_ok(people_split(t.home, t.persona, "Ann Lee", "ann@work.example.com", &err), err);
    assert_null(find(&t, "Ann Lee"));
    check_int(err.code, ERR_INVAL); /* two of that name */
    check_int(find(&t, "ann@work.example.com")->messages, 1);
    check_int(find(&t, "ann@example.org")->messages, 3);
    assert_false(find(&t, "ann@example.org")->likely); /* what was confirmed of the rest stays */

    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    test_home_reopen(&t, STORE_WRITE);
    check_int(find(&t, "Mum")->messages, 2);
    check_int(find(&t, "ann@work.example.com")->messages, 1);
    check_int(people_split(t.home, t.persona, "Mum", "Mum", &err), 0);
    check_int(find(&t, "Mum")->messages, 1);
    check_int(people_split(t.home, t.persona, "Mum", "Mum", &err), ERR_INVAL);
    check_int(people_split(t.home, t.persona, "Mum", "Ann", &err), ERR_NOTFOUND);
    test_home_close(&t);
}

static int last_source(void *ud, const struct source *s)
{
    *(int64_t *)ud = s->id;
    return 0;
}

static void a_deleted_source_takes_its_people(void **state)
{
    struct test_home t;
    int64_t oldest = 0;
    setup(&t);
    check_ok(people_confirm(t.home, t.persona, "Ann Lee", &err), err);
    check_ok(source_each(t.home, t.persona, 0, last_source, &oldest, &err), err);
    check_ok(source_delete(t.home, t.persona, oldest, NULL, &err), err);
    assert_null(find(&t, "Ann Lee")); /* the list goes at once */
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    const struct person *ann = find(&t, "Ann Lee");
    assert_non_null(ann);
    check_int(ann->messages, 2);
    check_int(ann->n_ids, 0);
    struct buf said = BUF_INIT(0);
    check_int(store_doc_get(t.home->store, &t.persona->seal, "correspondents.said", &said, &err),
              ERR_NOTFOUND);
    buf_free(&said);
    test_home_close(&t);
}

static void names_that_join_nobody(void **state)
{
    struct test_home t;
    struct buf box = BUF_INIT(0);
    static const char *const from[] = { "Ann Lee <notify@hub.example>",
                                        "Bo Berg <notify@hub.example>",
                                        "Cy Cole <notify@hub.example>",
                                        "Di Dunn <notify@hub.example>",
                                        "Ann Lee <ann@example.org>",
                                        "Bo <bo@a.example>",
                                        "Bo <bo@b.example>" };
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        buf_printf(&box,
                   "From x Sat Mar  2 10:00:00 2019\nFrom: %s\nSubject: Row\nDate: Sat, 2 Mar 2019 "
                   "1%zu:00:00 +0000\nMessage-ID: <%zu@x>\n\nA message of number %zu.\n\n",
                   from[i], i, i, i);
    test_home_open(&t);
    check_ok(persona_alias_add(t.home, t.persona, "Marit", &err), err);
    add_file(&t, "box.mbox", buf_str(&box));
    check_int(find(&t, "notify@hub.example")->messages, 4);
    check_int(find(&t, "ann@example.org")->messages, 1);
    check_int(find(&t, "bo@a.example")->messages, 1);
    check_int(all.n, 4);
    buf_free(&box);
    test_home_close(&t);
}

static void two_accounts_of_one_service(void **state)
{
    static const char chat[] =
        "{\"name\": \"Club\", \"type\": \"private_group\", \"id\": 1, \"messages\": ["
        "{\"id\": 1, \"type\": \"message\", \"date\": \"2020-01-01T10:00:00\", \"from\": "
        "\"John Smith\", \"from_id\": \"user1\", \"text\": \"I work in Leeds\"},"
        "{\"id\": 2, \"type\": \"message\", \"date\": \"2020-01-01T10:01:00\", \"from\": "
        "\"John Smith\", \"from_id\": \"user2\", \"text\": \"I work in Bath\"}]}";
    struct test_home t;
    test_home_open(&t);
    check_ok(persona_alias_add(t.home, t.persona, "Marit", &err), err);
    add_file(&t, "result.json", chat);
    people_free(&all);
    check_ok(people_load(t.home, t.persona, &all, &err), err);
    check_int(all.n, 2);
    check_ok(people_merge(t.home, t.persona, "user1", "user2", &err), err);
    check_int(find(&t, "John Smith")->messages, 2);
    test_home_close(&t);
}

static void goes_with_an_export(void **state)
{
    struct test_home t;
    struct secret s = { .passphrase = "correct horse", .passphrase_n = 13 };
    struct persona *copy = NULL;
    char file[500];
    setup(&t);
    check_ok(people_merge(t.home, t.persona, "Mum", "+44 7911 123456", &err), err);
    snprintf(file, sizeof file, "%s/out.likeness", t.dir);
    check_ok(portable_export(t.home, t.persona, file, &s, false, NULL, NULL, &err), err);
    check_ok(persona_forget(t.home, "Marit", &err), err);
    check_ok(portable_import(t.home, file, &s, NULL, NULL, &copy, NULL, &err), err);
    persona_close(t.persona);
    t.persona = copy;
    check_int(find(&t, "Mum")->messages, 2);
    check_int(find(&t, "Ann Lee")->messages, 4);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_by_name_and_address),
        cmocka_unit_test(said_is_kept),
        cmocka_unit_test(a_deleted_source_takes_its_people),
        cmocka_unit_test(names_that_join_nobody),
        cmocka_unit_test(two_accounts_of_one_service),
        cmocka_unit_test(goes_with_an_export),
    };
    int rc = check_run("persona/people", tests);
    people_free(&all);
    return rc;
}
