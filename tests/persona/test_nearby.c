/* A persona that has a graph, with a threshold so low that the sample person is large: the same
 * passages as by scanning, deletions and additions, what the doctor says, what is on disk. */
#include "check.h"
#include "persona_home.h"

#include "base/threads.h"
#include "persona/doctor.h"
#include "persona/nearby.h"
#include "persona/portable.h"
#include "persona/retrieve.h"
#include "persona/source.h"

#include <dirent.h>

static const char *const questions[] = {
    "What did you say about the ferry?",
    "Do you keep bees?",
    "Who taught you to sing?",
    "What do you think of the council?",
    "How is the shop doing?",
    "What do you cook on Sundays?",
    "Did you ever live in a city?",
    "What is wrong with the harbour?",
    "Tell me about your mother",
    "What are you afraid of?",
};
enum { N_QUESTIONS = sizeof questions / sizeof *questions };

static struct test_home t;

static int setup(void **state)
{
    struct err err = { 0 };
    setenv("LIKENESS_GRAPH_FROM", "40", 1);
    test_home_open(&t);
    test_home_sample(&t);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    return 0;
}

static int teardown(void **state)
{
    test_home_close(&t);
    unsetenv("LIKENESS_GRAPH_FROM");
    return 0;
}

static bool has_part(const char *name)
{
    struct buf b = BUF_INIT(0);
    int rc = store_doc_get(t.home->store, &t.persona->seal, name, &b, NULL);
    buf_free(&b);
    return rc == 0;
}

static struct retriever *open_with(const char *from)
{
    struct err err = { 0 };
    struct retriever *r = NULL;
    setenv("LIKENESS_GRAPH_FROM", from, 1);
    check_ok(retriever_open(t.home, t.persona, &r, &err), err);
    setenv("LIKENESS_GRAPH_FROM", "40", 1);
    return r;
}

static struct passages ask(struct retriever *r, const char *text, int64_t source)
{
    struct err err = { 0 };
    struct passages ps;
    struct query q = query_default(text);
    q.mode = QUERY_VECTOR;
    q.adaptive = false;
    q.diversity = 0;
    q.source = source;
    check_ok(retrieve(r, &q, &ps, &err), err);
    return ps;
}

static void same_as_scanning(void **state)
{
    struct retriever *a = open_with("40"), *b = open_with("1000000");
    size_t same = 0, all = 0;
    assert_true(has_part("graph.0"));
    assert_true(retriever_bytes(a) > retriever_bytes(b)); /* a has a graph */
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        for (int64_t source = 0; source < 3; source++) {
            struct passages x = ask(a, questions[i], source), y = ask(b, questions[i], source);
            check_int(x.n, y.n);
            for (size_t j = 0; j < x.n; j++)
                for (size_t k = 0; k < y.n; k++)
                    if (x.p[j].chunk == y.p[k].chunk) {
                        same++;
                        check_near(x.p[j].similarity, y.p[k].similarity, 0);
                    }
            all += y.n;
            passages_clear(&x);
            passages_clear(&y);
        }
    }
    if ((double)same < 0.97 * (double)all) fail_msg("%zu of %zu passages are the same", same, all);
    retriever_close(a);
    retriever_close(b);
}

static void deleted_and_added(void **state)
{
    struct err err = { 0 };
    struct gone gone;
    const char *news = "The pelican stole a herring from the lighthouse keeper's lunch box.";
    struct retriever *r = open_with("40");
    struct passages ps = ask(r, questions[0], 0);
    assert_true(ps.n > 0);
    int64_t source = ps.p[0].source;
    passages_clear(&ps);
    check_ok(source_delete(t.home, t.persona, source, &gone, &err), err);
    retriever_close(r);
    r = open_with("40");
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        ps = ask(r, questions[i], 0);
        check_int(ps.n, 5);
        for (size_t k = 0; k < ps.n; k++) assert_true(ps.p[k].source != source);
        passages_clear(&ps);
    }
    retriever_close(r);
    check_ok(ingest_text(t.home, t.persona, "Pelican", news, strlen(news), 1, &err), err);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    r = open_with("40");
    ps = ask(r, "Which bird stole the herring of the lighthouse keeper?", 0);
    bool found = false;
    for (size_t k = 0; k < ps.n; k++) found |= strstr(ps.p[k].text.seg[0].text, "pelican") != NULL;
    assert_true(found);
    passages_clear(&ps);
    retriever_close(r);
}

struct said {
    char text[4000];
    int problems;
};

static void note(void *ud, bool problem, const char *text)
{
    struct said *s = ud;
    s->problems += problem;
    if (strstr(text, "index")) strncat(s->text, text, sizeof s->text - strlen(s->text) - 1);
}

static struct said doctor(bool repair)
{
    struct err err = { 0 };
    struct doctor_report rep;
    struct said s = { .problems = 0 };
    check_ok(doctor_run(t.home, repair, note, &s, &rep, &err), err);
    return s;
}

static void doctor_tells(void **state)
{
    struct err err = { 0 };
    struct said s = doctor(false);
    check_int(s.problems, 0);
    check_has(s.text, "finds");
    check_has(s.text, "of the ten nearest");
    check_ok(store_doc_put(t.home->store, &t.persona->seal, "graph.0", NULL, 0, &err), err);
    s = doctor(false);
    check_int(s.problems, 1);
    check_has(s.text, "no index that fits");
    assert_false(has_part("graph.0"));
    s = doctor(true);
    check_has(s.text, "was built anew");
    check_int(doctor(false).problems, 0);
    check_ok(store_doc_put(t.home->store, &t.persona->seal, "graph.0", "nonsense", 8, &err), err);
    struct retriever *r = open_with("40"); /* passed over */
    retriever_close(r);
    check_int(doctor(false).problems, 1);
    check_int(doctor(true).problems, 1);
    check_int(doctor(false).problems, 0);
}

static void small_again(void **state)
{
    struct err err = { 0 };
    check_ok(store_doc_put(t.home->store, &t.persona->seal, "graph.1", "left over", 9, &err), err);
    setenv("LIKENESS_GRAPH_FROM", "1000000", 1);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    assert_false(has_part("graph.0"));
    assert_false(has_part("graph.1"));
    check_hasnt(doctor(false).text, "index");
    setenv("LIKENESS_GRAPH_FROM", "40", 1);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    assert_true(has_part("graph.0"));
}

static int stop(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    return !strcmp(stage, "index");
}

static void cancelled(void **state)
{
    struct err err = { 0 };
    struct progress pr = { stop, NULL };
    check_ok(store_doc_put(t.home->store, &t.persona->seal, "graph.0", NULL, 0, &err), err);
    check_int(persona_settle(t.home, t.persona, &pr, &err), ERR_CANCEL);
    assert_false(has_part("graph.0"));
    struct retriever *r = open_with("40");
    struct passages ps = ask(r, questions[0], 0);
    check_int(ps.n, 5);
    passages_clear(&ps);
    retriever_close(r);
    check_ok(persona_settle(t.home, t.persona, NULL, &err), err);
    assert_true(has_part("graph.0"));
}

/* Nothing of the index in the clear: neither its mark nor runs of its links. */
static void sealed_on_disk(void **state)
{
    struct dirent *d;
    DIR *dir = opendir(t.path);
    size_t looked = 0;
    assert_non_null(dir);
    while ((d = readdir(dir))) {
        struct buf b = BUF_INIT(0);
        char path[800];
        snprintf(path, sizeof path, "%s/%s", t.path, d->d_name);
        if (io_is_dir(path) || io_read_file(path, (size_t)1 << 30, &b, NULL)) continue;
        if (b.n) assert_null(memmem(b.p, b.n, "LKG1", 4));
        looked += b.n;
        buf_free(&b);
    }
    closedir(dir);
    assert_true(looked > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_scanning),  cmocka_unit_test(sealed_on_disk),
        cmocka_unit_test(deleted_and_added), cmocka_unit_test(doctor_tells),
        cmocka_unit_test(small_again),       cmocka_unit_test(cancelled),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int rc = cmocka_run_group_tests_name("persona/nearby", tests, setup, teardown);
    threads_stop();
    return rc;
}
