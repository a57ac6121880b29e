/* Key phrases. */
#include "check.h"

#include "base/str.h"
#include "text/phrase.h"
#include "text/token.h"

static struct phrase out[16];

static const char *phrases(const char *s, float (*idf)(void *, uint64_t), size_t cap)
{
    static char shown[2048];
    size_t n = phrases_of(s, strlen(s), idf, NULL, out, cap), k = 0;
    shown[0] = 0;
    for (size_t i = 0; i < n; i++)
        k += (size_t)snprintf(shown + k, sizeof shown - k, "%s%s", i ? "|" : "", out[i].text);
    return shown;
}

static float rare_boat(void *ud, uint64_t stem) { return stem == hash64("boat", 4, 0) ? 5 : 1; }
static float none(void *ud, uint64_t stem) { return 0; }

static void finds(void **state)
{
    check_str(phrases("", NULL, 8), "");
    check_str(phrases("What would you do with that?", NULL, 8), "");
    check_str(
        phrases("The old boat is here. Old boats need paint. I gave him the old boat.", NULL, 1),
        "old boat");
    check_str(phrases("I like tea and a boat", rare_boat, 1), "boat");
    check_str(phrases("tea, tea and more tea", NULL, 8), "tea");
    check_str(phrases("tea", none, 8), "");
    check_str(phrases("tea", NULL, 0), "");
}

static void names_keep_their_capitals(void **state)
{
    check_str(phrases("We sailed to Bergen. Then on from Bergen by night.", NULL, 1), "Bergen");
    check_str(phrases("Boats are fine. I have two boats.", NULL, 1), "boats");
    check_str(phrases("I saw Anna's boat", NULL, 1), "saw Anna's boat");
    check_str(phrases("I met Anna\xE2\x80\x99s and Anna", NULL, 1), "Anna");
}

static void forms_share_a_key(void **state)
{
    phrases("an old boat", NULL, 1);
    uint64_t one = out[0].key;
    phrases("the Old Boats", NULL, 1);
    assert_true(one == out[0].key);
    phrases("the new boats", NULL, 1);
    assert_true(one != out[0].key);
    check_near(out[0].weight, 1.25, 1e-6);
}

static void nothing_twice(void **state)
{
    size_t n;
    const char *s = "red wool coat, red wool coat, wool, coat, red";
    n = phrases_of(s, strlen(s), NULL, NULL, out, 16);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (strstr(out[k].text, out[i].text)) fail_msg("%s is in %s", out[i].text, out[k].text);
}

static void long_words_do_not_fit(void **state)
{
    char s[TOKEN_BYTES];
    memset(s, 'a', sizeof s);
    check_int(phrases_of(s, sizeof s, NULL, NULL, out, 16), 0);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(names_keep_their_capitals),
        cmocka_unit_test(forms_share_a_key),
        cmocka_unit_test(nothing_twice),
        cmocka_unit_test(long_words_do_not_fit),
    };
    return check_run("text/phrase", t);
}
