/* Sentences, shown as "a|b|c". */
#include "check.h"

#include "text/sentence.h"
#include "text/token.h"

static char out[65536];

static const char *cut(const char *s)
{
    struct err err;
    struct sentences *it = sentences_new(&err);
    size_t from, to, k = 0;
    assert_non_null(it);
    check_int(sentences_text(it, s, strlen(s)), 0);
    while (sentences_next(it, &from, &to))
        k += (size_t)snprintf(out + k, sizeof out - k, "%s%.*s", k ? "|" : "", (int)(to - from),
                              s + from);
    out[k] = 0;
    assert_false(sentences_next(it, &from, &to));
    sentences_free(it);
    return out;
}

static void plain(void **state)
{
    check_str(cut(""), "");
    check_str(cut("  \n "), "");
    check_str(cut("hello"), "hello");
    check_str(cut("  One. Two? Three! Four  "), "One.|Two?|Three!|Four");
    check_str(cut("He said “Go.” Then (he left.) We slept."),
              "He said “Go.”|Then (he left.)|We slept.");
    check_str(cut("\"Really?\" she said. No."), "\"Really?\" she said.|No.");
    check_str(cut("日本語です。次の文。"), "日本語です。|次の文。");
    check_str(cut("Well... maybe not. No!!! Why?!"), "Well... maybe not.|No!!!|Why?!");
}

static void abbreviations(void **state)
{
    check_str(cut("Mr. Smith met Dr. J. R. Jones at 5 p.m. The boat left."),
              "Mr. Smith met Dr. J. R. Jones at 5 p.m.|The boat left.");
    check_str(cut("Take fruit, e.g. Apples, approx. Ten. Go."),
              "Take fruit, e.g. Apples, approx. Ten.|Go.");
    check_str(cut("The U.S. Army came to the U.S. They won."),
              "The U.S. Army came to the U.S.|They won.");
    check_str(cut("So do I. Then go. See No. 5 now."), "So do I.|Then go.|See No. 5 now.");
    check_str(cut("It cost 3.50 in St. Ives. Go on."), "It cost 3.50 in St. Ives.|Go on.");
}

static void lines(void **state)
{
    check_str(cut("ok\nsee you\nat five\n"), "ok|see you|at five");
    check_str(cut("- buy milk\n- Go home. Sleep\n\n# Title\nText here\n1. First thing\n2. Second"),
              "- buy milk|- Go home.|Sleep|# Title|Text here|1. First thing|2. Second");
    check_str(
        cut("The rain fell all night long upon the roofs of the\nTown and upon Mr.\nSmith, who had "
            "come a long way to see the sea\nand to sleep."),
        "The rain fell all night long upon the roofs of the\nTown and upon Mr.\nSmith, who had "
        "come a "
        "long way to see the sea\nand to sleep.");
    check_str(cut("It was the end of a very long day for all of us\nin the house.\nThen came the "
                  "night, and "
                  "with it the long-expected storm."),
              "It was the end of a very long day for all of us\nin the house.|Then came the night, "
              "and with "
              "it the long-expected storm.");
}

static void chat(void **state)
{
    check_str(cut("Great! 😀 See you :) Ok. All done!! :) Yes"),
              "Great! 😀|See you :)|Ok.|All done!! :)|Yes");
    check_str(cut("love it 😍 See you"), "love it 😍|See you");
    check_str(cut("i went home. then i slept. it was e.g. far"),
              "i went home.|then i slept.|it was e.g. far");
    check_str(cut("😀"), "😀");
}

static void overlong(void **state)
{
    static char s[20000];
    struct err err;
    struct sentences *it = sentences_new(&err);
    size_t k = 0, from, to, n = 0;
    for (int i = 0; i < 500; i++)
        k += (size_t)snprintf(s + k, sizeof s - k, "word%s ", i % 9 ? "" : ",");
    sentences_text(it, s, k);
    while (sentences_next(it, &from, &to)) {
        assert_true(tokens_count(s + from, to - from) <= SENTENCE_MAX);
        n += tokens_count(s + from, to - from);
        if (n < tokens_count(s, k)) check_int(s[to - 1], ',');
    }
    check_int(n, tokens_count(s, k));
    sentences_free(it);
}

/* Random texts of awkward parts: the tokens of the sentences are the tokens of the text. */
static void covers_all_tokens(void **state)
{
    static const char *const part[] = {
        "Mr",
        ".",
        " ",
        "\n",
        "\n\n",
        "word",
        "Word",
        "I",
        "e.g.",
        "?",
        "!",
        "…",
        "\"",
        "”",
        ")",
        "(",
        "😀",
        ":)",
        "’",
        "'",
        "- ",
        "# ",
        "1. ",
        ",",
        ";",
        "日",
        "。",
        "\xE2\x80\xA8",
        "\xC2\xAD",
        "e\xCC\x81",
        "\xE2\x80\x8D",
        "5",
        "\t",
    };
    struct err err;
    struct sentences *it = sentences_new(&err);
    unsigned r = 20240501;
    for (int round = 0; round < 4000; round++) {
        char s[1024];
        size_t n = 0, from, to;
        int parts = round % 60 + 1;
        for (int i = 0; i < parts; i++) {
            r = r * 1664525 + 1013904223;
            n += (size_t)snprintf(s + n, sizeof s - n, "%s",
                                  part[(r >> 12) % (sizeof part / sizeof *part)]);
        }
        struct tokens all = tokens_of(s, n);
        sentences_text(it, s, n);
        while (sentences_next(it, &from, &to)) {
            struct tokens t = tokens_of(s + from, to - from);
            size_t k = 0;
            for (; tokens_next(&t); k++) {
                assert_true(tokens_next(&all));
                check_int(from + t.start, all.start);
                check_int(from + t.end, all.end);
                if (!k) check_int(t.start, 0);
            }
            assert_true(k > 0 && k <= SENTENCE_MAX);
            check_int(from + t.end, to);
        }
        assert_false(tokens_next(&all));
    }
    sentences_free(it);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(plain),    cmocka_unit_test(abbreviations),
        cmocka_unit_test(lines),    cmocka_unit_test(chat),
        cmocka_unit_test(overlong), cmocka_unit_test(covers_all_tokens),
    };
    return check_run("text/sentence", t);
}
