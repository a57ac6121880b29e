/* What is kept of passages: it changes no answer, however little of it is kept; it stays within its
 * limit; and it goes when the texts go. */
#include "check.h"
#include "persona_home.h"

#include "base/str.h"
#include "persona/converse.h"
#include "persona/quote.h"

static struct test_home t;

static const char *const questions[] = {
    "Will you ever get married again?",
    "What is love?",
    "What do you think of e-bikes?",
    "Would you live in a city?",
    "And why?",
    "When was that?",
    "How is your father?",
    "Do you swim?",
    "What do you do at the harbour?",
    "What is a quark?",
    "Who is Elspeth?",
    "Do you still think so?",
};
enum { N_QUESTIONS = sizeof questions / sizeof *questions };

static int setup(void **state)
{
    test_home_open(&t);
    test_home_sample(&t);
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

/* All answers, one after the other; limit: of what is kept, 0: the usual. */
static void ask_all(struct retriever *r, size_t limit, struct buf *out)
{
    struct err err = { 0 };
    struct conversation *c;
    check_ok(conversation_open(r, "quote", 0, false, &c, &err), err);
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        struct answer a;
        if (limit) readings_limit(retriever_readings(r, &err), limit);
        check_ok(conversation_ask(c, questions[i], NULL, &a, NULL, &err), err);
        buf_printf(out, "%d %s\n", a.kind, a.text);
        for (size_t k = 0; k < a.n_cites; k++)
            buf_printf(out, "  %lld %.9g %.9g\n", (long long)a.cite[k].chunk,
                       (double)a.cite[k].support, (double)a.cite[k].similarity);
        answer_clear(&a);
    }
    conversation_close(c);
}

static void answers_are_the_same(void **state)
{
    struct buf first = BUF_INIT(0), again = BUF_INIT(0), little = BUF_INIT(0);
    struct retriever *r = open_retriever(), *poor = open_retriever();
    ask_all(r, 0, &first);
    ask_all(r, 0, &again); /* from what is kept */
    ask_all(poor, 1, &little);
    check_str(buf_str(&again), buf_str(&first));
    check_str(buf_str(&little), buf_str(&first));
    retriever_close(r);
    retriever_close(poor);
    buf_free(&first);
    buf_free(&again);
    buf_free(&little);
}

static void limit_holds(void **state)
{
    struct err err = { 0 };
    struct retriever *r = open_retriever();
    struct readings *rs = retriever_readings(r, &err);
    const struct reading *x;
    struct passages ps;
    struct query q = query_default("What did you do in the shop?");
    q.k = 40;
    q.adaptive = false;
    check_ok(retrieve(r, &q, &ps, &err), err);
    assert_true(ps.n > 10);
    size_t alone = retriever_bytes(r), before = readings_bytes(rs);
    for (size_t i = 0; i < ps.n; i++) {
        check_ok(readings_get(rs, ps.p[i].chunk, &x, &err), err);
        assert_true(x->n > 0);
    }
    size_t all = readings_bytes(rs);
    assert_true(all > before + 10000);
    check_int(retriever_bytes(r) - alone, all - before); /* the pool sees it */
    readings_begin(rs);
    check_int(readings_bytes(rs), all);
    readings_limit(rs, all / 2);
    readings_begin(rs);
    assert_true(readings_bytes(rs) < all);
    check_ok(readings_get(rs, ps.p[ps.n - 1].chunk, &x, &err), err); /* the newest is still there */
    size_t kept = readings_bytes(rs);
    check_ok(readings_get(rs, ps.p[0].chunk, &x, &err), err); /* the oldest is read again */
    assert_true(readings_bytes(rs) > kept);
    passages_clear(&ps);
    retriever_close(r);
}

static void what_is_gone(void **state)
{
    struct err err = { 0 };
    struct retriever *r = open_retriever();
    struct readings *rs = retriever_readings(r, &err);
    const struct reading *x;
    check_int(readings_get(rs, 123456789, &x, &err), ERR_NOTFOUND);
    assert_null(x);
    retriever_close(r);
}

/* What is known of a sentence is what a look at its text gives. */
static void knows_sentences(void **state)
{
    struct err err = { 0 };
    struct retriever *r = open_retriever();
    struct readings *rs = retriever_readings(r, &err);
    struct passages ps;
    struct query q = query_default("What do you think of the ferry?");
    const struct reading *x;
    size_t lines = 0;
    check_ok(retrieve(r, &q, &ps, &err), err);
    for (size_t i = 0; i < ps.n; i++) {
        check_ok(readings_get(rs, ps.p[i].chunk, &x, &err), err);
        check_str(x->title, ps.p[i].text.title);
        for (size_t k = 0; k < x->n; k++, lines++) {
            const struct line *l = &x->line[k];
            struct tokens tok = tokens_of(l->text, l->n);
            size_t n = 0, content = 0;
            while (tokens_next(&tok)) {
                if (!tok.is_word) continue;
                struct token_word w = token_word(l->text + tok.start, tok.end - tok.start);
                check_int(l->word[n]->form.key, w.key);
                check_int(l->word[n]->stop, w.stop);
                if (!w.stop) check_int(l->content[content++], n);
                n++;
            }
            check_int(l->n_words, n);
            check_int(l->n_content, content);
            check_int(l->hash, hash64(l->text, l->n, 0));
            if (l->follows) assert_true(k > 0 && x->line[k - 1].order + 1 == l->order);
            else check_int(l->order, 0);
        }
    }
    assert_true(lines > 20);
    passages_clear(&ps);
    retriever_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_same),
        cmocka_unit_test(limit_holds),
        cmocka_unit_test(what_is_gone),
        cmocka_unit_test(knows_sentences),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("persona/reading", tests, setup, teardown);
}
