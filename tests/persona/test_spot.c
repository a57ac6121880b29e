/* Phrases found in one walk: where, how often, and none that are not there. */
#include "check.h"

#include "persona/spot.h"

#include <stdio.h>
#include <string.h>

struct found {
    char text[400];
};

static void note(void *ud, uint16_t id, size_t at)
{
    struct found *f = ud;
    size_t n = strlen(f->text);
    snprintf(f->text + n, sizeof f->text - n, "%u@%zu ", id, at);
}

static const char *find(const struct spots *s, const char *text)
{
    static struct found f;
    f.text[0] = 0;
    spots_find(s, text, strlen(text), note, &f);
    return f.text;
}

static void finds_all(void **state)
{
    static struct spots s;
    spots_add(&s, " so i ", 7);
    spots_add(&s, "so", 1);
    spots_add(&s, "sooner", 2);
    spots_add(&s, "r or", 3);
    spots_add(&s, "x", 4); /* too short to be looked for */
    check_str(find(&s, ""), "");
    check_str(find(&s, "s"), "");
    check_str(find(&s, "so"), "1@0 ");
    check_str(find(&s, "soon"), "1@0 ");
    check_str(find(&s, "x x"), "");
    check_str(find(&s, "sos"), "1@0 ");
    check_str(find(&s, "soso"), "1@0 1@2 ");
    const char *both = find(&s, "sooner or");
    assert_true(strstr(both, "1@0 ") && strstr(both, "2@0 ") && strstr(both, "3@5 "));
    assert_non_null(strstr(find(&s, "and so i went"), "7@3 "));
}

/* Every phrase of a long list, each in a text of its own. */
static void finds_each_of_many(void **state)
{
    static struct spots s;
    static char words[SPOTS_MAX + 1][8];
    for (size_t i = 0; i <= SPOTS_MAX; i++) {
        snprintf(words[i], sizeof words[i], "w%zuq", i * 37);
        spots_add(&s, words[i], (uint16_t)i);
    }
    check_int(s.n, SPOTS_MAX); /* one more than there is room for */
    for (size_t i = 0; i < SPOTS_MAX; i++) {
        char text[40], want[40], w[8];
        memcpy(w, words[i], sizeof w);
        snprintf(text, sizeof text, "... %.7s ...", w);
        snprintf(want, sizeof want, "%zu@4 ", i);
        check_str(find(&s, text), want);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = { cmocka_unit_test(finds_all),
                                    cmocka_unit_test(finds_each_of_many) };
    return check_run("persona/spot", t);
}
