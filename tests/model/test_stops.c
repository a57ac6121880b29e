/* Stop strings in any cutting of the stream; guesses from what was said. */
#include "check.h"
#include "model/lookup.h"
#include "model/stops.h"

static void however_the_stream_is_cut(void **state)
{
    static const struct {
        const char *text, *want;
        bool stopped;
    } t[] = {
        { "Hello there.\nUser: and", "Hello there.", true },
        { "Hello there.\nUse it", "Hello there.\nUse it", false },
        { "aaab", "a", true }, /* the earliest of two */
        { "no end #", "no end #", false },
        { "###", "", true },
        { "\nUs\nUser:", "\nUs", true },
        { "", "", false },
    };
    const char *const list[] = { "\nUser:", "aab", "###" };
    struct err err;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (size_t step = 1; step <= strlen(t[i].text) + 1; step++) {
            struct stops s;
            struct buf out = BUF_INIT(0);
            bool hit = false;
            check_ok(stops_init(&s, list, 3, &err), err);
            for (size_t at = 0, n = strlen(t[i].text); !hit && at < n; at += step)
                hit = stops_push(&s, t[i].text + at, at + step < n ? step : n - at, &out);
            if (!hit) stops_end(&s, &out);
            check_str(buf_str(&out), t[i].want);
            check_int(hit, t[i].stopped);
            stops_clear(&s);
            buf_free(&out);
        }
}

static void text_waits_no_longer_than_it_must(void **state)
{
    const char *const list[] = { "END" };
    struct stops s;
    struct err err;
    struct buf out = BUF_INIT(0);
    check_ok(stops_init(&s, list, 1, &err), err);
    stops_push(&s, "The E", 5, &out);
    check_str(buf_str(&out), "The ");
    stops_push(&s, "N", 1, &out);
    check_str(buf_str(&out), "The ");
    stops_push(&s, "E", 1, &out);
    check_str(buf_str(&out), "The EN");
    check_int(stops_push(&s, "ND", 2, &out), 1);
    check_str(buf_str(&out), "The EN");
    stops_clear(&s);
    buf_free(&out);
    const char *const bad[] = { "fine", "" };
    check_int(stops_init(&s, bad, 2, &err), ERR_INVAL);
    check_int(stops_init(&s, bad, STOPS_MAX + 1, &err), ERR_INVAL);
    stops_clear(&s);
}

static void guesses_follow_the_longest_copy(void **state)
{
    struct lookup l = { 0 };
    int32_t g[LOOKUP_MAX];
    const int32_t a[] = { 1, 2, 3, 4, 5, 6, 2, 3, 9, 1, 2, 3 };
    check_int(lookup_guess(&l, a, 12, LOOKUP_MAX, g), 4); /* after 1 2 3, not after 2 3 */
    check_int(g[0], 4);
    check_int(g[3], 2);
    check_int(lookup_guess(&l, a, 12, 2, g), 2);
    const int32_t b[] = { 7, 8, 1, 7 };
    check_int(lookup_guess(&l, b, 4, LOOKUP_MAX, g), 2); /* one token says little */
    check_int(g[0], 8);
    check_int(lookup_guess(&l, a, 5, LOOKUP_MAX, g), 0);
    check_int(lookup_guess(&l, a, 1, LOOKUP_MAX, g), 0);
    check_int(lookup_guess(&l, a, 0, LOOKUP_MAX, g), 0);
}

static void guesses_adapt(void **state)
{
    struct lookup l = { 0 };
    int32_t ids[80], g[LOOKUP_MAX];
    for (int i = 0; i < 80; i++) ids[i] = i % 40;
    lookup_told(&l, 4, 4);
    check_int(lookup_guess(&l, ids, 80, LOOKUP_MAX, g), 8);
    lookup_told(&l, 8, 8);
    lookup_told(&l, 16, 16);
    check_int(lookup_guess(&l, ids, 80, 100, g), LOOKUP_MAX);
    for (int i = 0; i < 20; i++) lookup_told(&l, 4, 0);
    int made = 0;
    for (int i = 0; i < 60; i++) made += lookup_guess(&l, ids, 80, LOOKUP_MAX, g);
    check_int(made, 0);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(however_the_stream_is_cut),
        cmocka_unit_test(text_waits_no_longer_than_it_must),
        cmocka_unit_test(guesses_follow_the_longest_copy),
        cmocka_unit_test(guesses_adapt),
    };
    return check_run("model/stops", t);
}
