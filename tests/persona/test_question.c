/* Reading questions: terms and their weights, kinds, what leans on an earlier turn, synonyms. */
#include "check.h"

#include "base/str.h"
#include "persona/question.h"

static struct bm25 *corpus(void)
{
    static const char *const texts[] = {
        "I keep bees behind the house, and the bees keep me.",
        "Dad is poorly again, the hospital rang.",
        "We sold the boat. I miss the boat.",
        "My brother never writes.",
        "The house is cold and I think of moving.",
    };
    struct err err = { 0 };
    struct bm25 *b = bm25_new(&err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_ok(bm25_add(b, (int64_t)i + 1, texts[i], strlen(texts[i]), 1, &err), err);
    return b;
}

static const struct question_term *term(const struct question *q, const char *stem)
{
    for (size_t i = 0; i < q->n; i++)
        if (!strcmp(q->term[i].stem, stem)) return &q->term[i];
    fail_msg("no term %s", stem);
    return NULL;
}

static float match_of(const struct question *q, const char *word)
{
    float match[QUESTION_TERMS] = { 0 };
    struct token_word w = token_word(word, strlen(word));
    question_match(q, &w, match);
    return question_cover_heavy(q, match);
}

static void terms(void **state)
{
    struct bm25 *b = corpus();
    struct question q;
    question_read("What do you think of keeping bees?", NULL, b, &q);
    check_int(q.kind, ASKS_WHAT);
    assert_true(q.opinion);
    assert_true(term(&q, "think")->light);
    assert_false(term(&q, "bee")->light);
    assert_true(term(&q, "bee")->seen);
    assert_true(term(&q, "bee")->weight > 3 * term(&q, "think")->weight);
    float sum = 0;
    for (size_t i = 0; i < q.n; i++) sum += q.term[i].weight;
    check_near(sum, 1, 1e-5);

    question_read("Do you play the bassoon?", NULL, b, &q);
    assert_false(term(&q, "bassoon")->seen);
    question_read("What do you think?", NULL, b, &q); /* nothing but light words: then they count */
    check_near(q.heavy, 1, 1e-5);
    question_read("", NULL, b, &q);
    check_int(q.n, 0);
    bm25_free(b);
}

static void synonyms_and_names(void **state)
{
    struct bm25 *b = corpus();
    struct question q;
    question_read("Is your father ill?", NULL, b, &q);
    assert_true(match_of(&q, "dad") > 0.3f);
    assert_true(match_of(&q, "poorly") > 0.3f);
    assert_true(match_of(&q, "Father") > match_of(&q, "dad"));
    check_near(match_of(&q, "boat"), 0, 1e-6);
    struct bm25_term more[64];
    assert_true(question_expand(&q, more, 64) >= 2);
    check_int(question_expand(&q, more, 1), 1);

    question_read("How is Pat?", NULL, b, &q); /* a name: no synonym will do */
    assert_true(term(&q, "pat")->name);
    check_int(term(&q, "pat")->n_forms, 1);

    /* One word is not two terms: "alone" is neither lonely and single at once. */
    question_read("Were you lonely when single?", NULL, b, &q);
    assert_true(match_of(&q, "alone") < 0.6f);
    bm25_free(b);
}

static void kinds(void **state)
{
    static const struct {
        const char *text;
        enum question_kind kind;
        bool opinion;
    } cases[] = {
        { "Why did you sell the boat?", ASKS_WHY, false },
        { "How come you left?", ASKS_WHY, false },
        { "When did you sell the boat?", ASKS_WHEN, false },
        { "Where is the house?", ASKS_WHERE, false },
        { "Who wrote to you?", ASKS_WHO, false },
        { "How many bees are there?", ASKS_HOW_MANY, false },
        { "How often do you swim?", ASKS_HOW_MANY, false },
        { "How do you keep bees?", ASKS_HOW, false },
        { "How do you feel about bees?", ASKS_HOW, true },
        { "What is in the hive?", ASKS_WHAT, false },
        { "What's your view of bees?", ASKS_WHAT, true },
        { "Do you like bees?", ASKS_YES_NO, true },
        { "Should people keep bees?", ASKS_YES_NO, true },
        { "Did you sell the boat?", ASKS_YES_NO, false },
        { "And why did you?", ASKS_WHY, false },
    };
    struct bm25 *b = corpus();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct question q;
        question_read(cases[i].text, NULL, b, &q);
        if (q.kind != cases[i].kind || q.opinion != cases[i].opinion)
            fail_msg("%s: kind %d (want %d), opinion %d", cases[i].text, q.kind, cases[i].kind,
                     q.opinion);
    }
    struct question q;
    question_read("How do you keep bees?", NULL, b, &q);
    assert_true(q.method);
    question_read("Do you like bees?", NULL, b, &q);
    assert_true(q.taste);
    bm25_free(b);
}

static void leaning(void **state)
{
    static const char *const leans[] = { "And why?",
                                         "Why?",
                                         "Why not?",
                                         "When was that?",
                                         "What about the boat?",
                                         "Did that change?",
                                         "How did you feel about it?",
                                         "But is it true?" };
    static const char *const stands[] = { "Why did you sell the boat?", "Do you keep bees?",
                                          "What do you think of your brother?" };
    for (size_t i = 0; i < sizeof leans / sizeof leans[0]; i++)
        if (!question_leans(leans[i])) fail_msg("%s does not lean", leans[i]);
    for (size_t i = 0; i < sizeof stands / sizeof stands[0]; i++)
        if (question_leans(stands[i])) fail_msg("%s leans", stands[i]);
}

static void follow_ups(void **state)
{
    struct bm25 *b = corpus();
    struct question q;
    question_read("And why?", "Did you sell the boat?\nWe sold the boat.", b, &q);
    assert_true(q.elliptical && q.bare);
    assert_true(term(&q, "boat")->before);
    question_read("What about your brother?", "Did you sell the boat?\nWe sold the boat.", b, &q);
    assert_true(q.elliptical && !q.bare);
    assert_true(term(&q, "brother")->weight > 2 * term(&q, "boat")->weight);
    question_read("Do you keep bees?", "Did you sell the boat?", b, &q);
    assert_false(q.elliptical);
    for (size_t i = 0; i < q.n; i++) assert_false(q.term[i].before);
    bm25_free(b);
}

static void bounds(void **state)
{
    struct bm25 *b = corpus();
    struct buf long_one = BUF_INIT(1 << 20);
    struct question q;
    for (int i = 0; i < 3000; i++) buf_printf(&long_one, "word%d brother father ", i);
    question_read(buf_str(&long_one), buf_str(&long_one), b, &q);
    assert_true(q.n <= QUESTION_TERMS && q.n_pairs <= QUESTION_PAIRS);
    buf_free(&long_one);
    bm25_free(b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(terms),   cmocka_unit_test(synonyms_and_names), cmocka_unit_test(kinds),
        cmocka_unit_test(leaning), cmocka_unit_test(follow_ups),         cmocka_unit_test(bounds),
    };
    return check_run("persona/question", t);
}
