/* The public library, as a program sees it: include/likeness.h and the shared library, nothing
 * else. */
#include "check.h"

#include <likeness.h>

#include <sys/wait.h>

static lk_error err;

#define lk_ok(call)                                                                                \
    do {                                                                                           \
        int r_ = (call);                                                                           \
        if (r_) fail_msg("%s: %d (%s)", #call, r_, err.message);                                   \
        check_int(err.code, 0);                                                                    \
    } while (0)
#define lk_fails(call, want)                                                                       \
    do {                                                                                           \
        check_int(call, want);                                                                     \
        check_int(err.code, want);                                                                 \
        assert_true(*err.message != 0);                                                            \
    } while (0)

static const char *const TEXT[][2] = {
    { "Boats", "I bought the boat in spring. She leaks at the stern, but I love her. A boat "
               "teaches you patience." },
    { "Bread", "I bake on Saturdays. The secret of good bread is time: I let the dough rest for a "
               "whole night." },
    { "The city",
      "I moved to the city for the work, and I stayed because of the people on my stairs." },
};

struct place {
    char dir[300], home[400];
    lk_secret secret;
    lk_home *h;
    lk_persona *p;
};

static void place_open(struct place *x, const char *passphrase)
{
    memset(x, 0, sizeof *x);
    setenv("LIKENESS_KDF", "fast", 1);
    snprintf(x->dir, sizeof x->dir, "%s", check_tmp_dir());
    snprintf(x->home, sizeof x->home, "%s/home", x->dir);
    x->secret.passphrase = passphrase;
    lk_ok(lk_home_create(x->home, &x->secret, &err));
    lk_ok(lk_home_open(x->home, &x->secret, LK_WRITE, &x->h, &err));
    lk_ok(lk_persona_create(x->h, "Ann", "self", "Ann Lee", "all uses here", &x->p, &err));
}

static void place_close(struct place *x)
{
    lk_persona_close(x->p);
    lk_home_close(x->h);
}

static void fill(lk_persona *p)
{
    for (size_t i = 0; i < sizeof TEXT / sizeof *TEXT; i++)
        lk_ok(lk_add_text(p, TEXT[i][0], TEXT[i][1], strlen(TEXT[i][1]),
                          1000000000 + (int64_t)i * 86400, &err));
    lk_ok(lk_settle(p, &err));
}

static void names_and_codes(void **state)
{
    assert_true(strchr(lk_version(), '.') != NULL);
    check_str(lk_code_name(LK_OK), "OK");
    check_str(lk_code_name(LK_KEY), "KEY");
    check_str(lk_code_name(LK_INTERNAL), "INTERNAL");
    check_str(lk_code_name(12345), "INTERNAL");
}

static void homes(void **state)
{
    struct place x;
    lk_home *h = NULL;
    place_open(&x, "correct horse");
    check_str(lk_persona_name(x.p), "Ann");
    lk_fails(lk_home_create(x.home, &x.secret, &err), LK_EXISTS);
    lk_fails(lk_home_open(x.home, &(lk_secret){ .passphrase = "wrong" }, LK_READ, &h, &err),
             LK_KEY);
    assert_null(h);
    check_hasnt(err.message, "wrong");
    lk_fails(lk_home_open(x.home, &(lk_secret){ .key_file = "/nonexistent" }, LK_READ, &h, &err),
             LK_KEY);
    lk_fails(lk_home_open(x.dir, &x.secret, LK_READ, &h, &err), LK_NOTFOUND);
    lk_fails(lk_home_open(x.home, &(lk_secret){ 0 }, LK_READ, &h, &err), LK_INVAL);
    lk_fails(lk_home_open(x.home, NULL, LK_READ, &h, &err), LK_INVAL);
    lk_fails(lk_home_open(NULL, &x.secret, LK_READ, &h, &err), LK_INVAL);
    lk_fails(lk_home_open(x.home, &x.secret, LK_READ, NULL, &err), LK_INVAL);
    check_int(lk_home_open(x.dir, &x.secret, LK_READ, &h, NULL), LK_NOTFOUND); /* err may be NULL */
    lk_ok(lk_home_open(x.home, &x.secret, LK_READ, &h, &err));
    lk_home_close(h);
    place_close(&x);
    lk_home_close(NULL);
}

/* A second process cannot write while this one may. */
static void one_writer(void **state)
{
    struct place x;
    int status;
    place_open(&x, "correct horse");
    pid_t pid = fork();
    if (!pid) {
        lk_home *h;
        _exit(lk_home_open(x.home, &x.secret, LK_WRITE, &h, &err) == LK_BUSY ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    check_int(status, 0);
    place_close(&x);
}

static void personas(void **state)
{
    struct place x;
    lk_persona *p = NULL;
    place_open(&x, "correct horse");
    lk_fails(lk_persona_create(x.h, "Bob", "self", "", "uses", &p, &err), LK_CONSENT);
    lk_fails(lk_persona_create(x.h, "Bob", "self", "Bob", NULL, &p, &err), LK_CONSENT);
    lk_fails(lk_persona_create(x.h, "Bob", "friend", "Bob", "uses", &p, &err), LK_INVAL);
    lk_fails(lk_persona_create(x.h, NULL, "self", "Bob", "uses", &p, &err), LK_INVAL);
    lk_fails(lk_persona_create(x.h, "ANN", "self", "Bob", "uses", &p, &err), LK_EXISTS);
    assert_null(p);
    lk_fails(lk_persona_open(x.h, "Zoe", &p, &err), LK_NOTFOUND);
    lk_ok(lk_persona_open(x.h, NULL, &p, &err));
    lk_persona_close(p);
    lk_ok(lk_persona_create(x.h, "Bob", "legacy", "his children", "remembering", &p, &err));
    lk_persona_close(p);
    lk_fails(lk_persona_open(x.h, NULL, &p, &err), LK_INVAL);
    lk_fails(lk_persona_forget(x.h, NULL, &err), LK_INVAL);
    lk_fails(lk_persona_forget(x.h, "Zoe", &err), LK_NOTFOUND);
    lk_ok(lk_persona_forget(x.h, "bob", &err));
    lk_fails(lk_persona_open(x.h, "Bob", &p, &err), LK_NOTFOUND);
    lk_persona_close(NULL);
    place_close(&x);
}

static void questions(void **state)
{
    struct place x;
    lk_answer *a;
    lk_results *r;
    place_open(&x, "correct horse");
    lk_ok(lk_ask(x.p, "What about boats?", NULL, &a, &err)); /* nothing is in yet */
    check_int(lk_answer_kind(a), LK_NONE);
    lk_answer_free(a);
    fill(x.p);
    lk_ok(lk_ask(x.p, "What is the secret of good bread?", NULL, &a, &err));
    check_int(lk_answer_kind(a), LK_FOUND);
    check_has(lk_answer_text(a), "bread is time");
    assert_true(lk_answer_sources(a) >= 1);
    const lk_source *s = lk_answer_source(a, 0);
    check_str(s->title, "Bread");
    check_has(s->text, "secret");
    assert_true(s->similarity > 0 && s->similarity <= 1);
    check_int(s->written_at, 1000000000 + 86400);
    assert_true(s->source > 0);
    assert_null(lk_answer_source(a, lk_answer_sources(a)));
    lk_answer_free(a);

    lk_ok(lk_search(x.p, "boat patience", &(lk_options){ .k = 2, .fixed_k = 1 }, &r, &err));
    check_int(lk_results_count(r), 2);
    check_str(lk_results_get(r, 0)->title, "Boats");
    check_has(lk_results_get(r, 0)->text, "leaks at the stern");
    assert_null(lk_results_get(r, 2));
    int64_t boats = lk_results_get(r, 0)->source;
    lk_results_free(r);
    lk_ok(lk_search(x.p, "bread", &(lk_options){ .source = boats }, &r, &err));
    for (size_t i = 0; i < lk_results_count(r); i++) check_int(lk_results_get(r, i)->source, boats);
    lk_results_free(r);
    lk_ok(lk_search(x.p, "boat", &(lk_options){ .from = 1000000000 + 86400, .to = 2000000000 }, &r,
                    &err));
    for (size_t i = 0; i < lk_results_count(r); i++)
        assert_true(lk_results_get(r, i)->written_at >= 1000000000 + 86400);
    lk_results_free(r);

    lk_fails(lk_ask(x.p, NULL, NULL, &a, &err), LK_INVAL);
    lk_fails(lk_ask(NULL, "x", NULL, &a, &err), LK_INVAL);
    lk_fails(lk_search(x.p, NULL, NULL, &r, &err), LK_INVAL);
    assert_true(lk_ask(x.p, "boats", &(lk_options){ .voice = "nonesuch" }, &a, &err) < 0);
    assert_null(a);
    lk_answer_free(NULL);
    lk_results_free(NULL);
    place_close(&x);
}

/* "And why?" says nothing by itself; after a question it does. */
static void follow_up(void **state)
{
    static const char *const dog[] = {
        "We have a dog called Bramble. She is brown and stubborn.",
        "I call the dog Bramble because I found her among brambles behind the church.",
        "The tide table hangs next to the kettle. I look at the tide table every day.",
    };
    struct place x;
    lk_answer *a;
    lk_options o = { .remember = 1 };
    place_open(&x, "correct horse");
    fill(x.p);
    for (int i = 0; i < 3; i++)
        lk_ok(lk_add_text(x.p, "Notes", dog[i], strlen(dog[i]), 5000 + i, &err));
    lk_ok(lk_settle(x.p, &err));
    lk_ok(lk_ask(x.p, "What is your dog called?", &o, &a, &err));
    check_has(lk_answer_text(a), "Bramble");
    lk_answer_free(a);
    lk_ok(lk_ask(x.p, "And why?", &o, &a, &err));
    check_int(lk_answer_kind(a) != LK_NONE, 1);
    check_has(lk_answer_text(a), "dog");
    lk_answer_free(a);
    lk_ok(lk_ask(x.p, "And why?", NULL, &a, &err)); /* forgets what was before */
    check_int(lk_answer_kind(a), LK_NONE);
    lk_answer_free(a);
    place_close(&x);
}

static void files_and_names(void **state)
{
    static const char chat[] = "12/03/2019, 21:14 - Bob: How is the boat?\n"
                               "12/03/2019, 21:15 - Ann L: She leaks but I love her.\n"
                               "12/03/2019, 21:16 - Bob: Good.\n";
    struct place x;
    lk_added n;
    char path[500];
    place_open(&x, "correct horse");
    snprintf(path, sizeof path, "%s/WhatsApp Chat with Bob.txt", x.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(chat, f);
    fclose(f);
    lk_fails(lk_add(x.p, path, NULL, &n, &err), LK_INVAL); /* who of them is she? */
    lk_fails(lk_add(x.p, path, "nonesuch", &n, &err), LK_INVAL);
    lk_fails(lk_add(x.p, NULL, NULL, &n, &err), LK_INVAL);
    lk_fails(lk_add(x.p, "/nonexistent", NULL, &n, &err), LK_NOTFOUND);
    lk_fails(lk_persona_me(x.p, NULL, &err), LK_INVAL);
    lk_ok(lk_persona_me(x.p, "Ann L, ann@example.org", &err));
    lk_ok(lk_add(x.p, path, "whatsapp", &n, &err));
    check_int(n.files, 1);
    check_int(n.failed, 0);
    check_int(n.added, 3);
    check_int(n.voice, 1);
    check_int(n.context, 2);
    lk_ok(lk_add(x.p, path, NULL, &n, &err));
    check_int(n.added, 0);
    check_int(n.known, 3);
    lk_ok(lk_add(x.p, path, NULL, NULL, &err));
    lk_fails(lk_add_text(x.p, "t", NULL, 0, 0, &err), LK_INVAL);
    lk_fails(lk_add_text(x.p, "t", "", 0, 0, &err), LK_INVAL);
    place_close(&x);
}

/* Words of one persona are not in the other, whichever is asked first. */
static void two_homes_at_once(void **state)
{
    struct place x, y;
    lk_answer *a;
    place_open(&x, "correct horse");
    place_open(&y, "battery staple");
    fill(x.p);
    static const char other[] =
        "I keep bees. The bees are calm in the morning and I wear no gloves.";
    lk_ok(lk_add_text(y.p, "Bees", other, sizeof other - 1, LK_TIME_NONE, &err));
    lk_ok(lk_settle(y.p, &err));
    for (int i = 0; i < 3; i++) {
        lk_ok(lk_ask(y.p, "Do you keep bees?", NULL, &a, &err));
        check_has(lk_answer_text(a), "bees");
        check_int(lk_answer_source(a, 0)->written_at, LK_TIME_NONE);
        lk_answer_free(a);
        lk_ok(lk_ask(x.p, "Do you keep bees?", NULL, &a, &err));
        check_int(lk_answer_kind(a), LK_NONE);
        lk_answer_free(a);
    }
    lk_home *h;
    lk_fails(lk_home_open(x.home, &y.secret, LK_READ, &h, &err), LK_KEY);
    place_close(&y);
    lk_ok(lk_ask(x.p, "How is your boat?", NULL, &a, &err));
    check_has(lk_answer_text(a), "boat");
    lk_answer_free(a);
    place_close(&x);
}

static void readers_may_not_write_and_see_news(void **state)
{
    struct place x;
    lk_home *h;
    lk_persona *p;
    lk_answer *a;
    place_open(&x, "correct horse");
    lk_ok(lk_home_open(x.home, &x.secret, LK_READ, &h, &err));
    lk_ok(lk_persona_open(h, "Ann", &p, &err));
    lk_ok(lk_ask(p, "What is the secret of good bread?", NULL, &a, &err));
    check_int(lk_answer_kind(a), LK_NONE);
    lk_answer_free(a);
    fill(x.p);
    lk_ok(lk_ask(p, "What is the secret of good bread?", NULL, &a, &err));
    check_int(lk_answer_kind(a), LK_FOUND);
    lk_answer_free(a);
    lk_fails(lk_add_text(p, NULL, "No.", 3, 0, &err), LK_INVAL);
    lk_fails(lk_persona_me(p, "Me", &err), LK_INVAL);
    lk_persona_close(p);
    lk_home_close(h);
    place_close(&x);
}

static void forgotten(void **state)
{
    struct place x;
    lk_persona *p;
    place_open(&x, "correct horse");
    fill(x.p);
    lk_persona_close(x.p);
    x.p = NULL;
    lk_ok(lk_persona_forget(x.h, "Ann", &err));
    lk_fails(lk_persona_open(x.h, NULL, &p, &err), LK_NOTFOUND);
    lk_ok(lk_persona_create(x.h, "Ann", "self", "Ann Lee", "anew", &x.p, &err));
    lk_answer *a;
    lk_ok(lk_ask(x.p, "How is your boat?", NULL, &a, &err));
    check_int(lk_answer_kind(a), LK_NONE);
    lk_answer_free(a);
    place_close(&x);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(names_and_codes),
        cmocka_unit_test(homes),
        cmocka_unit_test(one_writer),
        cmocka_unit_test(personas),
        cmocka_unit_test(questions),
        cmocka_unit_test(follow_up),
        cmocka_unit_test(files_and_names),
        cmocka_unit_test(two_homes_at_once),
        cmocka_unit_test(readers_may_not_write_and_see_news),
        cmocka_unit_test(forgotten),
    };
    return check_run("api/api", t);
}
