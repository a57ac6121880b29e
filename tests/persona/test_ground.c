/* Grounding: which made sentences rest on what was found, and which are made up. */
#include "check.h"
#include "persona_home.h"

#include "base/clock.h"
#include "persona/ground.h"

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
        "I left the mill in 1998 because of the dust. The foreman laughed when I told him why. "
        "I walked home along the canal and felt nine feet tall. My father never forgave me.");
    write_on("Goats", 2020, "I keep a goat and I love it. Her name is Duchess. She eats thistles.");
    write_on("Bread", 2021, "On Saturdays I bake rye bread in the old oven. It takes until noon.");
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    return 0;
}

static int teardown(void **state)
{
    test_home_close(&t);
    return 0;
}

struct asked {
    struct retriever *r;
    struct passages ps;
    struct grounder *g;
};

static void ask(struct asked *a, const char *question)
{
    struct err err = { 0 };
    struct query q = query_default(question);
    memset(a, 0, sizeof *a);
    check_ok(retriever_open(t.home, t.persona, &a->r, &err), err);
    check_ok(retrieve(a->r, &q, &a->ps, &err), err);
    check_ok(ground_new(a->r, &a->ps, question, &a->g, &err), err);
}

static void done(struct asked *a)
{
    ground_free(a->g);
    passages_clear(&a->ps);
    retriever_close(a->r);
}

static struct ground of(struct asked *a, const char *s)
{
    return ground_sentence(a->g, s, strlen(s));
}

static void supported(struct asked *a, const char *s, const char *by)
{
    struct ground w = of(a, s);
    char text[400];
    if (!w.claims || w.support < GROUND_ENOUGH)
        fail_msg("\"%s\": claims %d, support %.2f", s, w.claims, (double)w.support);
    snprintf(text, sizeof text, "%.*s", (int)w.n, w.text);
    check_has(text, by);
    assert_true(w.passage < a->ps.n && w.seg < a->ps.p[w.passage].text.n_seg);
}

static void made_up(struct asked *a, const char *s)
{
    struct ground w = of(a, s);
    if (!w.claims || w.support >= GROUND_ENOUGH)
        fail_msg("\"%s\": claims %d, support %.2f", s, w.claims, (double)w.support);
}

static void own_words_turned_round_are_supported(void **state)
{
    struct asked a;
    ask(&a, "Why did you leave the mill?");
    supported(&a, "Because of the dust, in 1998.", "because of the dust");
    supported(&a, "The foreman just laughed at me when I told him.", "foreman laughed");
    supported(&a, "My dad never forgave me for it.", "father never forgave"); /* a synonym */
    done(&a);
    ask(&a, "Do you have animals?");
    supported(&a, "Yes, a goat, and I love her.", "keep a goat");
    supported(&a, "Duchess eats thistles.", "eats thistles"); /* the name stands before it */
    done(&a);
}

static void inventions_are_not(void **state)
{
    struct asked a;
    ask(&a, "Why did you leave the mill?");
    made_up(&a, "I became a lawyer and moved to the city.");
    made_up(&a, "I left the mill in 1975 because of the dust."); /* another year */
    made_up(&a, "Harold told me to leave because of the dust."); /* a name from nowhere */
    made_up(&a, "My mother was proud of the money I earned.");
    done(&a);
}

static void empty_talk_claims_nothing(void **state)
{
    struct asked a;
    ask(&a, "Do you bake bread?");
    check_int(of(&a, "Yes, I do.").claims, false);
    check_int(of(&a, "Well...").claims, false);
    check_int(of(&a, "").claims, false);
    check_int(of(&a, "I bake bread.").claims, false); /* the question's own words */
    supported(&a, "Rye, on Saturdays.", "rye bread");
    done(&a);
}

static void others_words_are_no_ground(void **state)
{
    struct err err = { 0 };
    struct asked a;
    char path[600];
    struct ingest_totals tot;
    const char *chat = "01/02/2022, 10:00 - Bob: I sold my submarine to a Norwegian.\n"
                       "01/02/2022, 10:01 - Marit: Good for you, what did he say about it?\n";
    check_ok(persona_alias_add(t.home, t.persona, "Marit", &err), err);
    snprintf(path, sizeof path, "%s/WhatsApp Chat with Bob.txt", t.dir);
    check_ok(io_write_file(path, chat, strlen(chat), 0600, &err), err);
    check_int(test_home_add(&t, path, &tot), 0);
    ask(&a, "What happened to the boat?");
    made_up(&a, "I sold my submarine to a Norwegian.");
    done(&a);
}

static void nothing_found_supports_nothing(void **state)
{
    struct err err = { 0 };
    struct asked a = { 0 };
    check_ok(retriever_open(t.home, t.persona, &a.r, &err), err);
    check_ok(ground_new(a.r, &a.ps, "What?", &a.g, &err), err);
    made_up(&a, "I keep a goat and I love it.");
    done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_words_turned_round_are_supported, setup, teardown),
        cmocka_unit_test_setup_teardown(inventions_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_talk_claims_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(others_words_are_no_ground, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_found_supports_nothing, setup, teardown),
    };
    return check_run("persona/ground", tests);
}
