/* The quote voice on small corpora written here: what it finds, when it declines, changes of mind,
 * follow-ups, and that nobody else's words are ever given as the person's. */
#include "check.h"
#include "persona_home.h"

#include "base/clock.h"
#include "persona/converse.h"
#include "persona/source.h"

static struct test_home t;

static void write_on(const char *title, int year, int month, const char *text)
{
    struct err err = { 0 };
    check_ok(ingest_text(t.home, t.persona, title, text, strlen(text),
                         clock_from_civil(year, month, 3, 9, 0, 0), &err),
             err);
}

static void settle(void)
{
    struct err err = { 0 };
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
}

static struct retriever *open_retriever(void)
{
    struct err err = { 0 };
    struct retriever *r = NULL;
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    return r;
}

static struct conversation *talk(struct retriever *r)
{
    struct err err = { 0 };
    struct conversation *c = NULL;
    check_ok(conversation_open(r, "quote", 0, false, &c, &err), err);
    return c;
}

static struct answer ask(struct conversation *c, const char *question, const struct query *q)
{
    struct err err = { 0 };
    struct answer a;
    check_ok(conversation_ask(c, question, q, &a, NULL, &err), err);
    return a;
}

/* Parts, citations and text fit together; own parts are the cited sentences. */
static void check_whole(const struct answer *a)
{
    for (size_t i = 0; i < a->n_parts; i++) {
        check_has(a->text, a->part[i].text);
        check_int(a->part[i].own, a->part[i].cite >= 0);
        if (a->part[i].own) assert_true((size_t)a->part[i].cite < a->n_cites);
    }
    for (size_t i = 0; i < a->n_cites; i++) {
        assert_true(a->cite[i].source && a->cite[i].piece && a->cite[i].chunk);
        assert_true(a->cite[i].support >= 0 && a->cite[i].support <= 1);
    }
}

static void small_corpus(void)
{
    test_home_open(&t);
    write_on("Goats", 2014, 5,
             "Rain all week. I will never keep a goat. They eat the washing and look at you while "
             "they do it.");
    write_on("Spring", 2016, 4,
             "The roof is done at last. It took nine days and most of the savings.");
    write_on("The fair", 2020, 6,
             "I was wrong about goats. I keep a goat now and I love it, her name is Duchess.");
    write_on("Leaving the mill", 2017, 9,
             "I left the mill on Friday. I left the mill because the dust was in my "
             "chest and the foreman laughed when I said so. Nobody shook my hand.");
    write_on(
        "Bread", 2018, 2,
        "# How I bake bread\n\nBake the bread every Saturday.\n\n1. Knead it for ten minutes.\n"
        "2. Let the dough rest overnight in the cold pantry.\n\nMy bread has never once been "
        "praised at home.");
    settle();
}

static int setup(void **state)
{
    small_corpus();
    return 0;
}

static int teardown(void **state)
{
    test_home_close(&t);
    return 0;
}

static void found(void **state)
{
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct answer a = ask(c, "Why did you leave the mill?", NULL);
    check_int(a.kind, ANSWER_FOUND);
    check_has(a.text, "because the dust was in my chest");
    check_str(a.cite[0].title, "Leaving the mill");
    check_int(a.cite[0].written_at, clock_from_civil(2017, 9, 3, 9, 0, 0));
    check_whole(&a);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static void list_marks_and_headings(void **state)
{
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct answer a = ask(c, "How long do you rest the dough?", NULL);
    check_int(a.kind, ANSWER_FOUND);
    check_has(a.text, "Let the dough rest overnight");
    check_hasnt(a.text, "2. ");
    answer_clear(&a);
    a = ask(c, "How do you bake bread?", NULL);
    check_hasnt(a.text, "How I bake bread");
    check_whole(&a);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static void changed_mind(void **state)
{
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct answer a = ask(c, "Would you keep a goat?", NULL);
    check_int(a.kind, ANSWER_CHANGED);
    const char *newer = strstr(a.text, "I keep a goat now"),
               *older = strstr(a.text, "I will never keep a goat");
    if (!newer || !older || newer > older) fail_msg("%s", a.text);
    check_has(a.text, "May 2014");
    check_whole(&a);
    answer_clear(&a);
    a = ask(c, "And why?", NULL); /* more of it, and nothing twice */
    assert_true(a.kind != ANSWER_NONE);
    check_hasnt(a.text, "I keep a goat now");
    check_hasnt(a.text, "I will never keep");
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static void declines(void **state)
{
    static const char *const unknown[] = { "Do you like the opera?", "Have you been to Peru?",
                                           "What is a quark?", "???",
                                           "\xd0\x9f\xd0\xbe\xd1\x87\xd0\xb5\xd0\xbc\xd1\x83?" };
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct answer a = ask(c, unknown[i], NULL);
        if (a.kind != ANSWER_NONE) fail_msg("%s: %s", unknown[i], a.text);
        check_int(a.n_cites, 0);
        assert_true(*a.text);
        check_whole(&a);
        answer_clear(&a);
    }
    conversation_close(c);
    retriever_close(r);
}

static void follow_up(void **state)
{
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct answer a = ask(c, "Did you leave the mill?", NULL);
    assert_true(a.kind == ANSWER_FOUND);
    char first[4096];
    snprintf(first, sizeof first, "%s", a.text);
    answer_clear(&a);
    a = ask(c, "When was that?", NULL);
    check_has(a.text, "3 September 2017");
    answer_clear(&a);
    a = ask(c, "What about the goat?", NULL);
    check_has(a.text, "goat");
    check_hasnt(a.text, "mill");
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static void filters(void **state)
{
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct query q = query_default("");
    q.to = clock_from_civil(2016, 1, 1, 0, 0, 0);
    struct answer a = ask(c, "Would you keep a goat?", &q);
    check_int(a.kind, ANSWER_FOUND);
    check_has(a.text, "I will never keep a goat");
    check_hasnt(a.text, "Duchess");
    answer_clear(&a);
    a = ask(c, "Why did you leave the mill?", &q);
    check_int(a.kind, ANSWER_NONE);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static int note_source(void *ud, const struct source *s)
{
    int64_t *id = ud;
    if (!strcmp(s->title, "Leaving the mill")) *id = s->id;
    return 0;
}

static void deleted(void **state)
{
    struct err err = { 0 };
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    int64_t id = 0;
    check_ok(source_each(t.home, t.persona, 0, note_source, &id, &err), err);
    assert_true(id > 0);
    check_ok(source_delete(t.home, t.persona, id, NULL, &err), err);
    struct answer a = ask(c, "Why did you leave the mill?", NULL);
    check_int(a.kind, ANSWER_NONE);
    check_hasnt(a.text, "dust");
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

/* ---- other people's words ---- */

static const char chat[] =
    "12/03/2019, 21:10 - Ben Hale: I think whisky is the finest thing in the world, do you like "
    "whisky?\n"
    "12/03/2019, 21:17 - Ada Marsh: No. It tastes like a wet fence to me\n"
    "12/03/2019, 21:18 - Ben Hale: Skydiving changed my life. Everybody should try skydiving\n"
    "12/03/2019, 21:20 - Ada Marsh: You always were a lunatic Ben\n"
    "14/03/2019, 09:00 - Ben Hale: What did you plant this year?\n"
    "14/03/2019, 09:05 - Ada Marsh: Leeks and nothing but leeks, the slugs may have the rest\n";

static void others(void **state)
{
    struct err err = { 0 };
    struct ingest_totals tot;
    char path[500];
    test_home_open(&t);
    snprintf(path, sizeof path, "%s/WhatsApp Chat with Ben Hale.txt", t.dir);
    check_ok(io_write_file(path, chat, strlen(chat), 0600, &err), err);
    check_ok(persona_alias_add(t.home, t.persona, "Ada Marsh", &err), err);
    check_int(test_home_add(&t, path, &tot), 0);
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct answer a = ask(c, "Do you like whisky?", NULL);
    check_int(a.kind, ANSWER_FOUND);
    check_has(a.text, "wet fence");
    check_has(a.cite[0].question, "do you like whisky?");
    answer_clear(&a);
    static const char *const all[] = { "Do you like whisky?", "Should everybody try skydiving?",
                                       "What did you plant this year?",
                                       "What is the finest thing in the world?",
                                       "Did skydiving change your life?" };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        a = ask(c, all[i], NULL);
        check_hasnt(a.text, "finest thing");
        check_hasnt(a.text, "kydiving");
        check_hasnt(a.text, "What did you plant");
        answer_clear(&a);
    }
    conversation_close(c);
    c = talk(r);
    a = ask(c, "What did you plant this year?", NULL);
    check_has(a.text, "Leeks");
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
    test_home_close(&t);
}

static void empty(void **state)
{
    test_home_open(&t);
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r);
    struct answer a = ask(c, "Do you keep a goat?", NULL);
    check_int(a.kind, ANSWER_NONE);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
    test_home_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(found, setup, teardown),
        cmocka_unit_test_setup_teardown(list_marks_and_headings, setup, teardown),
        cmocka_unit_test_setup_teardown(changed_mind, setup, teardown),
        cmocka_unit_test_setup_teardown(declines, setup, teardown),
        cmocka_unit_test_setup_teardown(follow_up, setup, teardown),
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(deleted, setup, teardown),
        cmocka_unit_test(others),
        cmocka_unit_test(empty),
    };
    return check_run("persona/quote", tests);
}
