/* Tokens, folding, stems and stop words. */
#include "check.h"

#include "base/str.h"
#include "text/stopwords.h"
#include "text/token.h"

#include <pthread.h>

/* "word|mark* |..." of a text, to compare in one go: marks are followed by '*'. */
static const char *shown(const char *s)
{
    static char out[2048];
    struct tokens t = tokens_of(s, strlen(s));
    size_t k = 0;
    while (tokens_next(&t))
        k += (size_t)snprintf(out + k, sizeof out - k, "%s%.*s%s", k ? "|" : "",
                              (int)(t.end - t.start), s + t.start, t.is_word ? "" : "*");
    out[k] = 0;
    return out;
}

static void splits(void **state)
{
    check_str(shown(""), "");
    check_str(shown(" \n\t "), "");
    check_str(shown("Don't stop, well-read man!"), "Don't|stop|,*|well|-*|read|man|!*");
    check_str(shown("don\xE2\x80\x99t 'quoted' dogs'"), "don\xE2\x80\x99t|'*|quoted|'*|dogs|'*");
    check_str(shown("3.5km at 21:14"), "3|.*|5km|at|21|:*|14");
    check_str(shown("日本カタ"), "日|本|カ|タ");
    check_str(shown("café ПРИВЕТ हिन्दी"), "café|ПРИВЕТ|हिन्दी");
    check_str(shown("ok 👍🏽👩‍👩‍👧 ❤️!"),
              "ok|👍🏽*|👩‍👩‍👧*|❤️*|!*");
    check_str(shown("zero\xE2\x80\x8Bwidth \xEF\xBB\xBFmark"), "zero\xE2\x80\x8Bwidth|mark");
    check_int(tokens_count("Go, now!", 8), 4);
}

static void long_runs_are_cut(void **state)
{
    char s[1000];
    memset(s, 'a', sizeof s);
    check_int(tokens_count(s, sizeof s), (1000 + TOKEN_BYTES - 1) / TOKEN_BYTES);
}

/* The tokens from any token's start on are the tokens of the whole. */
static void cuts_between_tokens_are_harmless(void **state)
{
    const char *s = "It’s 5'11, o'clock… 👩‍👩‍👧x e\xCC\x81\xCC\x81'n' ''a''b -- "
                    "日\xE3\x82\x99本 \xC2\xAD\xC2\xADz\xC2\xADy";
    size_t n = strlen(s);
    struct tokens t = tokens_of(s, n);
    while (tokens_next(&t)) {
        struct tokens again = tokens_of(s + t.start, n - t.start), cut = tokens_of(s, t.end);
        assert_true(tokens_next(&again));
        check_int(again.end, t.end - t.start);
        check_int(again.is_word, t.is_word);
        cut.at = t.start;
        assert_true(tokens_next(&cut));
        check_int(cut.end, t.end);
    }
}

static void folds(void **state)
{
    static const char *const t[][2] = {
        { "Anna's", "anna" },
        { "Anna\xE2\x80\x99s", "anna" },
        { "DON\xE2\x80\x99T", "don't" },
        { "It's", "it" },
        { "ZÜRICH", "zurich" },
        { "Straße", "strasse" },
        { "Việt", "viet" },
        { "x\xC2\xADy", "xy" },
        { "ПРИВЕТ", "привет" },
        { "s", "s" },
        { "'s", "'s" },
        { "", "" },
    };
    char out[64];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        check_int(token_fold(t[i][0], strlen(t[i][0]), out, sizeof out), strlen(t[i][1]));
        check_str(out, t[i][1]);
    }
}

static void stems(void **state)
{
    static const char *const t[][2] = {
        { "Boats", "boat" },  { "gardening", "garden" },    { "running", "run" },
        { "Anna's", "anna" }, { "café", "cafe" },           { "4th", "4th" },
        { "日", "日" },       { "generously", "generous" },
    };
    char out[64];
    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
            token_stem(t[i][0], strlen(t[i][0]), out, sizeof out);
            check_str(out, t[i][1]);
        }
}

static void short_room(void **state)
{
    char out[4];
    check_int(token_stem("harbour", 7, out, 4), 3);
    check_str(out, "har");
    check_int(token_fold("harbour", 7, out, 4), 3);
    check_int(token_fold("日本", 6, out, 4), 3);
    check_str(out, "日");
    check_int(token_stem("harbour", 7, out, 1), 0);
    check_str(out, "");
    check_int(token_fold("x", 1, NULL, 0), 0);
}

static void one_call(void **state)
{
    struct token_word w = token_word("Boats", 5);
    check_str(w.fold, "boats");
    check_str(w.stem, "boat");
    check_int(w.stop, 0);
    assert_true(w.key == hash64("boat", 4, 0));
    check_int(token_word("Don\xE2\x80\x99t", 7).stop, 1);
    char s[300];
    memset(s, 'b', sizeof s);
    check_int(token_word(s, TOKEN_BYTES).fold_n, TOKEN_BYTES);
}

static void stop_list(void **state)
{
    assert_true(stopwords_count() > 300);
    for (size_t i = 1; i < stopwords_count(); i++)
        if (strcmp(stopwords_at(i - 1), stopwords_at(i)) >= 0)
            fail_msg("\"%s\" does not sort before \"%s\"", stopwords_at(i - 1), stopwords_at(i));
    for (size_t i = 0; i < stopwords_count(); i++)
        assert_true(token_is_stop(stopwords_at(i), strlen(stopwords_at(i))));
    static const char *const yes[] = { "the",   "i'm",  "you're", "don't",
                                       "would", "what", "really", "just" };
    static const char *const no[] = { "boat", "th", "thee2", "music", "", "kind", "home" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(token_is_stop(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(token_is_stop(no[i], strlen(no[i])));
    assert_true(token_is_stop("theatre", 3));
}

static void *stem_much(void *ud)
{
    char w[32], out[32];
    long bad = 0;
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(w, sizeof w, "%cwalking%c", 'a' + i % 26, 'a' + i / 26 % 26);
        bad += token_fold(w, (size_t)n, out, sizeof out) != (size_t)n;
        bad += token_word("walking", 7).stem_n != 4;
        bad += token_word(w, (size_t)n).fold_n != (size_t)n;
    }
    return (void *)bad;
}

static void threads(void **state)
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&t[i], NULL, stem_much, NULL), 0);
    for (int i = 0; i < 3; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        check_int((long)bad, 0);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(long_runs_are_cut),
        cmocka_unit_test(cuts_between_tokens_are_harmless),
        cmocka_unit_test(folds),
        cmocka_unit_test(stems),
        cmocka_unit_test(short_room),
        cmocka_unit_test(one_call),
        cmocka_unit_test(stop_list),
        cmocka_unit_test(threads),
    };
    return check_run("text/token", t);
}
