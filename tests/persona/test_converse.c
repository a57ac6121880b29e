/* Conversations: turns are stored, read back with what they said, and go with the source they rest
 * on. */
#include "check.h"
#include "persona_home.h"

#include "base/clock.h"
#include "persona/converse.h"
#include "persona/source.h"

#include <jansson.h>

static struct test_home t;

static void write_on(const char *title, int year, const char *text)
{
    struct err err = { 0 };
    check_ok(ingest_text(t.home, t.persona, title, text, strlen(text),
                         clock_from_civil(year, 3, 2, 9, 0, 0), &err),
             err);
}

static int setup(void **state)
{
    struct err err = { 0 };
    test_home_open(&t);
    write_on(
        "The mill", 2017,
        "I left the mill because of the dust. The foreman laughed when I told him why. I walked "
        "home along the canal and felt nine feet tall.");
    write_on("Goats", 2020, "I keep a goat and I love it. Her name is Duchess.");
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    return 0;
}

static int teardown(void **state)
{
    test_home_close(&t);
    return 0;
}

static struct retriever *open_retriever(void)
{
    struct err err = { 0 };
    struct retriever *r = NULL;
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    return r;
}

static struct conversation *talk(struct retriever *r, int64_t id, bool save)
{
    struct err err = { 0 };
    struct conversation *c = NULL;
    check_ok(conversation_open(r, "quote", id, save, &c, &err), err);
    return c;
}

static void say(struct conversation *c, const char *question, const char *has, const char *hasnt)
{
    struct err err = { 0 };
    struct answer a;
    bool unsaved = true;
    check_ok(conversation_ask(c, question, NULL, &a, &unsaved, &err), err);
    assert_false(unsaved);
    if (has) check_has(a.text, has);
    if (hasnt) check_hasnt(a.text, hasnt);
    answer_clear(&a);
}

static void stored_and_read_back(void **state)
{
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r, 0, true);
    check_int(conversation_id(c), 0);
    say(c, "Why did you leave the mill?", "because of the dust", NULL);
    int64_t id = conversation_id(c);
    assert_true(id > 0);
    say(c, "Do you keep a goat?", "I keep a goat", NULL);
    check_int(conversation_turns(c), 2);
    conversation_close(c);

    /* Opened again: it knows its subject and what it has said. */
    c = talk(r, id, true);
    check_int(conversation_turns(c), 2);
    say(c, "And why?", NULL, "I keep a goat and I love it");
    check_int(conversation_id(c), id);
    check_int(conversation_turns(c), 3);
    conversation_close(c);
    retriever_close(r);

    test_home_reopen(&t, STORE_WRITE);
    r = open_retriever();
    c = talk(r, id, true);
    check_int(conversation_turns(c), 3);
    conversation_close(c);
    retriever_close(r);
}

static int note_source(void *ud, const struct source *s)
{
    int64_t *id = ud;
    if (!strcmp(s->title, "The mill")) *id = s->id;
    return 0;
}

static void gone_with_its_source(void **state)
{
    struct err err = { 0 };
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r, 0, true);
    int64_t source = 0;
    say(c, "Why did you leave the mill?", "dust", NULL);
    say(c, "Do you keep a goat?", "I keep a goat", NULL);
    int64_t id = conversation_id(c);
    conversation_close(c);
    retriever_close(r);
    check_ok(source_each(t.home, t.persona, 0, note_source, &source, &err), err);
    check_ok(source_delete(t.home, t.persona, source, NULL, &err), err);
    r = open_retriever();
    c = talk(r, id, true);
    check_int(conversation_turns(c), 1);
    say(c, "Why did you leave the mill?", NULL, "dust");
    conversation_close(c);
    retriever_close(r);
}

static void unsaved_when_read_only(void **state)
{
    struct err err = { 0 };
    struct answer a;
    bool unsaved = false;
    test_home_reopen(&t, STORE_READ);
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r, 0, true);
    check_ok(conversation_ask(c, "Do you keep a goat?", NULL, &a, &unsaved, &err), err);
    assert_true(unsaved);
    check_has(a.text, "goat");
    check_int(conversation_id(c), 0);
    answer_clear(&a);
    conversation_close(c);
    c = talk(r, 0, false); /* not meant to be saved: nothing to say */
    check_ok(conversation_ask(c, "Do you keep a goat?", NULL, &a, &unsaved, &err), err);
    assert_false(unsaved);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

static void bad_calls(void **state)
{
    static char huge[20000];
    struct err err = { 0 };
    struct answer a;
    struct conversation *c = NULL;
    struct retriever *r = open_retriever();
    check_int(conversation_open(r, "quote", 424242, true, &c, &err), ERR_NOTFOUND);
    assert_null(c);
    check_int(conversation_open(r, "no such voice", 0, true, &c, &err), ERR_INVAL);
    c = talk(r, 0, false);
    check_int(conversation_ask(c, "", NULL, &a, NULL, &err), ERR_INVAL);
    check_int(conversation_ask(c, " \n\t ", NULL, &a, NULL, &err), ERR_INVAL);
    check_int(conversation_ask(c, "caf\xe9", NULL, &a, NULL, &err), ERR_INVAL);
    memset(huge, 'a', sizeof huge - 1);
    check_int(conversation_ask(c, huge, NULL, &a, NULL, &err), ERR_LIMIT);
    check_int(conversation_turns(c), 0);
    conversation_close(c);
    retriever_close(r);
}

static void as_json(void **state)
{
    struct err err = { 0 };
    struct answer a;
    struct retriever *r = open_retriever();
    struct conversation *c = talk(r, 0, false);
    check_ok(conversation_ask(c, "Why did you leave the mill?", NULL, &a, NULL, &err), err);
    json_t *j = answer_json(&a, "Why did you leave the mill?");
    check_str(json_string_value(json_object_get(j, "kind")), "found");
    check_str(json_string_value(json_object_get(j, "answer")), a.text);
    json_t *s = json_array_get(json_object_get(j, "sources"), 0);
    check_str(json_string_value(json_object_get(s, "title")), "The mill");
    check_has(json_string_value(json_object_get(s, "sentence")), "dust");
    check_has(json_string_value(json_object_get(s, "written_at")), "2017-03-02");
    json_decref(j);
    answer_clear(&a);
    conversation_close(c);
    retriever_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stored_and_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(gone_with_its_source, setup, teardown),
        cmocka_unit_test_setup_teardown(unsaved_when_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(as_json, setup, teardown),
    };
    return check_run("persona/converse", tests);
}
