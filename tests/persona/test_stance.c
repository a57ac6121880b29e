/* Stance: pairs of sentences that lean opposite ways, pairs that agree, and what is no view at
 * all. */
#include "check.h"

#include "base/clock.h"
#include "persona/quote.h"

#include <math.h>

static struct bm25 *words;

static float stance(const char *question, const char *s)
{
    struct question q;
    float lean, told;
    question_read(question, NULL, words, &q);
    stance_read(&q, s, strlen(s), &lean, &told);
    return lean;
}

static float told(const char *s)
{
    float lean, mark;
    stance_read(NULL, s, strlen(s), &lean, &mark);
    return mark;
}

static void opposite(void **state)
{
    static const struct {
        const char *question, *with, *against;
    } pairs[] = {
        { "Do you like cities?", "I love cities.", "I hate cities." },
        { "Do you like cities?", "Cities are wonderful.", "Cities are awful." },
        { "Would you keep a goat?", "I keep a goat and I'm glad of it.",
          "I will never keep a goat." },
        { "Do you trust your sister?", "I trust my sister.",
          "I can't trust my sister and I'd sooner know it than hope." },
        { "Do you drink coffee?", "I could never give up coffee.", "I have given up coffee." },
        { "Is the new road worth it?", "The new road is worth every penny.",
          "I don't think the new road is worth it." },
        { "Do you like your phone?", "I'm glad of the phone.", "I'm sick of the phone." },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        float a = stance(pairs[i].question, pairs[i].with),
              b = stance(pairs[i].question, pairs[i].against);
        if (!(a > 0.25f && b < -0.3f))
            fail_msg("%s: %.2f, %s: %.2f", pairs[i].with, a, pairs[i].against, b);
    }
}

static void agreeing(void **state)
{
    static const struct {
        const char *question, *a, *b;
    } pairs[] = {
        { "Do you like cities?", "I love cities.", "I've always liked cities." },
        { "Would you keep a goat?", "I will never keep a goat.", "I hate goats." },
        { "Do you like tea?", "Tea is a pleasure.", "I enjoy tea." },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        float a = stance(pairs[i].question, pairs[i].a), b = stance(pairs[i].question, pairs[i].b);
        if (!(a * b > 0)) fail_msg("%s: %.2f, %s: %.2f", pairs[i].a, a, pairs[i].b, b);
    }
}

static void no_view(void **state)
{
    check_near(stance("Do you like cities?", "Do I love cities?"), 0, 1e-6);
    check_near(stance("Do you like cities?", ""), 0, 1e-6);
    assert_true(fabsf(stance("Do you like cities?", "The train passed three cities on Tuesday.")) <
                0.3f);
    /* What leans in another clause is not about the subject. */
    assert_true(fabsf(stance("Do you like cities?",
                             "We passed through two cities, and the soup was awful.")) < 0.45f);
}

static void marks(void **state)
{
    assert_true(told("I was wrong about goats.") >= 0.9f);
    assert_true(told("I've changed my mind about goats.") >= 0.9f);
    assert_true(told("I don\xe2\x80\x99t keep goats any more.") >= 0.5f);
    check_near(told("I keep goats."), 0, 1e-6);
    check_near(told("Have I changed my mind?"), 0, 1e-6);
    /* What was said once is not today's leaning. */
    assert_true(stance("Would you keep a goat?", "I said I'd never keep a goat and I was wrong.") >
                -0.1f);
}

/* ---- pairs among candidates ---- */

struct told {
    const char *text;
    int year;
};

static bool changed(const char *question, const struct told *l, size_t n, const char **newer,
                    const char **older)
{
    static struct sentence s[8];
    static struct sentence *best[8];
    struct question q;
    memset(s, 0, sizeof s);
    question_read(question, NULL, words, &q);
    for (size_t i = 0; i < n; i++) {
        s[i].text = l[i].text;
        s[i].n = strlen(l[i].text);
        s[i].piece = (int64_t)i + 1;
        s[i].written_at = l[i].year ? clock_from_civil(l[i].year, 5, 1, 0, 0, 0) : CLOCK_NONE;
        s[i].score = s[i].support = 0.9f;
        struct tokens t = tokens_of(s[i].text, s[i].n);
        while (tokens_next(&t)) {
            if (!t.is_word) continue;
            struct token_word w = token_word(s[i].text + t.start, t.end - t.start);
            s[i].n_words++;
            if (!w.stop) question_match(&q, &w, s[i].match);
        }
        stance_read(&q, s[i].text, s[i].n, &s[i].stance, &s[i].explicit_change);
        best[i] = &s[i];
    }
    struct candidates c = { .all = s, .n = n, .best = best, .n_best = n };
    struct sentence *a, *b;
    if (!stance_changed(&q, &c, &a, &b)) return false;
    *newer = a->text;
    *older = b->text;
    return true;
}

static void pairs(void **state)
{
    const char *newer = "", *older = "";
    const struct told goat[] = { { "I will never keep a goat.", 2014 },
                                 { "I keep a goat and I love it.", 2020 } };
    assert_true(changed("Do you keep a goat?", goat, 2, &newer, &older));
    check_str(newer, goat[1].text);
    check_str(older, goat[0].text);

    const struct told told_so[] = { { "I was wrong about goats.", 2021 },
                                    { "I really hate goats.", 2015 } };
    assert_true(changed("What do you think of goats?", told_so, 2, &newer, &older));
    check_str(newer, told_so[0].text);

    /* Three views: the newest one counts, against the one before it. */
    const struct told thrice[] = { { "I would hate a goat of my own.", 2010 },
                                   { "I love having a goat.", 2014 },
                                   { "I am sick of having a goat.", 2020 } };
    assert_true(changed("Do you like having a goat?", thrice, 3, &newer, &older));
    check_str(newer, thrice[2].text);
    check_str(older, thrice[1].text);
}

static void no_pairs(void **state)
{
    const char *newer, *older;
    const struct told agree[] = { { "I really hate goats.", 2014 },
                                  { "I will never keep goats.", 2020 } };
    assert_false(changed("Do you like goats?", agree, 2, &newer, &older));
    const struct told apart[] = { { "I really hate goats.", 2014 },
                                  { "I love my bicycle.", 2020 } };
    assert_false(changed("Do you like goats?", apart, 2, &newer, &older));
    const struct told undated[] = { { "I hate goats.", 0 }, { "I really love goats.", 2020 } };
    assert_false(changed("Do you like goats?", undated, 2, &newer, &older));
    const struct told same_year[] = { { "I really hate goats.", 2020 },
                                      { "I really love goats.", 2020 } };
    assert_false(changed("Do you like goats?", same_year, 2, &newer, &older));
    const struct told fact[] = { { "I really hate goats.", 2014 },
                                 { "I really love goats.", 2020 } };
    assert_false(changed("How many goats do you have?", fact, 2, &newer, &older));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(opposite), cmocka_unit_test(agreeing), cmocka_unit_test(no_view),
        cmocka_unit_test(marks),    cmocka_unit_test(pairs),    cmocka_unit_test(no_pairs),
    };
    struct err err = { 0 };
    words = bm25_new(&err);
    int rc = check_run("persona/stance", t);
    bm25_free(words);
    return rc;
}
