/* What is told: lists end where their room does, and say how much they left out. */
#include "check.h"

#include "persona/told.h"

static void room_ends(void **state)
{
    json_t *list = json_array();
    size_t room = 32;
    uint64_t more = 0;
    for (int i = 0; i < 4; i++)
        check_int(told_add(list, json_pack("{s:s}", "text", "0123456789"), &room, &more), 0);
    check_int(json_array_size(list), 1); /* 21 bytes and a comma */
    check_int(more, 3);
    check_int(room, 32 - 22);
    check_int(told_add(list, json_pack("{s:i}", "n", 1), &room, &more), 0); /* a smaller one fits */
    check_int(json_array_size(list), 2);
    json_decref(list);
}

static void largest_lists_fit(void **state)
{
    struct preview_speaker w[40];
    struct preview_source s[50];
    struct people nobody = { 0 };
    for (int i = 0; i < 40; i++)
        w[i] = (struct preview_speaker){ "Bo", "bo@example.org", 7, false };
    for (int i = 0; i < 50; i++)
        s[i] = (struct preview_source){ .title = "Chat",
                                        .format = "whatsapp",
                                        .path = "chat.txt",
                                        .pieces = 280,
                                        .speaker = w,
                                        .n_speakers = 40,
                                        .more_speakers = 2 };
    struct ingest_preview v = { s, 50, &nobody };
    size_t room = 20000;
    uint64_t more = 0;
    json_t *list = told_sources(&v, 30, &room, &more);
    size_t n = json_array_size(list);
    assert_true(n > 0 && n < 50);
    check_int(n + more, 50);
    assert_true(json_dumpb(list, NULL, 0, JSON_COMPACT) <= 20001);
    const json_t *first = json_array_get(list, 0);
    check_int(json_array_size(json_object_get(first, "speakers")), 30);
    check_int(json_integer_value(json_object_get(first, "more_speakers")), 12);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_ends),
        cmocka_unit_test(largest_lists_fit),
    };
    return check_run("persona/told", tests);
}
