#include "fmtrun.h"

#include "text/whatsapp.h"

#define LRM   "\xE2\x80\x8E"
#define NNBSP "\xE2\x80\xAF"

static void prefixes(void **state)
{
    static const struct {
        const char *line, *rest;
        int a, b, c, h, m, s;
    } c[] = {
        { "12/03/2019, 21:14 - Anna: hi", "Anna: hi", 12, 3, 2019, 21, 14, 0 },
        { "3/12/19, 9:14 PM - Anna: hi", "Anna: hi", 3, 12, 19, 21, 14, 0 },
        { "3/12/19, 9:14" NNBSP "PM - Anna: hi", "Anna: hi", 3, 12, 19, 21, 14, 0 },
        { "12.03.19, 21:14 - Anna: hi", "Anna: hi", 12, 3, 19, 21, 14, 0 },
        { "2019-03-12, 21:14 - Anna: hi", "Anna: hi", 2019, 3, 12, 21, 14, 0 },
        { "12/3/2019 9:14 p. m. - Anna: hi", "Anna: hi", 12, 3, 2019, 21, 14, 0 },
        { "12/3/2019 9:14 p.\xC2\xA0m. - Anna: hi", "Anna: hi", 12, 3, 2019, 21, 14, 0 },
        { "12/3/2019, 12:05 a. m. - Anna: hi", "Anna: hi", 12, 3, 2019, 0, 5, 0 },
        { "12/03/2019 à 21:14 - Anna: hi", "Anna: hi", 12, 3, 2019, 21, 14, 0 },
        { "[12.03.19, 21:14:05] Anna: hi", "Anna: hi", 12, 3, 19, 21, 14, 5 },
        { "[3/12/19, 9:14:05" NNBSP "PM] Anna: hi", "Anna: hi", 3, 12, 19, 21, 14, 5 },
        { LRM "[12/03/2019, 21:14:05] Anna: hi", "Anna: hi", 12, 3, 2019, 21, 14, 5 },
        { "\xEF\xBB\xBF"
          "12/03/2019, 21:14 - Anna: hi",
          "Anna: hi", 12, 3, 2019, 21, 14, 0 },
    };
    static const char *const not [] = { "",
                                        "12/03/2019",
                                        "21:14 - hi",
                                        "12/03/2019, 21:14 hi",
                                        "hello - hi",
                                        "12/03.2019, 21:14 - x",
                                        "1/2/3, 21:14 - x",
                                        "12/03/2019, 25:14 - x",
                                        "12/03/2019, 21:1 - x",
                                        "[12/03/2019, 21:14",
                                        "12/03/2019, 21:14-15 - x",
                                        "On 12/03/2019, 21:14 - x" };
    struct wa_stamp t;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        size_t k = wa_prefix(span_of(c[i].line), &t);
        check_str(c[i].line + k, c[i].rest);
        check_int(t.a, c[i].a);
        check_int(t.b, c[i].b);
        check_int(t.c, c[i].c);
        check_int(t.h * 3600 + t.m * 60 + t.s, c[i].h * 3600 + c[i].m * 60 + c[i].s);
    }
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        check_int(wa_prefix(span_of(not [i]), &t), 0);
}

static void android(void **state)
{
    struct fmtrun r;
    const char *s =
        "12/03/2019, 21:08 - Messages and calls are end-to-end encrypted. Tap to learn more.\n"
        "12/03/2019, 21:14 - Anna: She lives!\n"
        "12/03/2019, 21:15 - Marit P: One: two\n\nthree\n"
        "13/03/2019, 21:15 - +44 7700 900123: hello\n"
        "13/03/2019, 21:16 - Anna: <Media omitted>\n"
        "13/03/2019, 21:16 - Anna: IMG-20190313-WA0001.jpg (file attached)\nThe boat\n"
        "13/03/2019, 21:17 - Anna: This message was deleted\n"
        "13/03/2019, 21:17 - Missed voice call\n"
        "13/03/2019, 21:18 - Marit P: I left <This message was edited>\n"
        "13/03/2019, 21:18 - Anna changed the subject from \"a: b\" to \"c\"\n"
        "13/03/2019, 21:19 - Kerra left\n"
        "13/03/2019, 21:20 - Anna: null\n"
        "13/03/2019, 21:20 - Anna:\n"
        "13/03/2019, 21:21 - Anna: bye";
    fmtrun_path(&r, &format_whatsapp, "d/WhatsApp Chat with Anna W.txt", s, strlen(s), -1, 3600);
    check_ok(r.rc, r.err);
    check_int(r.n, 6);
    check_str(r.p[0].author, "Anna");
    check_str(r.p[0].text, "She lives!");
    check_str(r.p[0].thread, "Anna W");
    check_int(r.p[0].kind, PIECE_CHAT);
    check_int(r.p[0].written_at, clock_from_civil(2019, 3, 12, 20, 14, 0));
    check_str(r.p[1].text, "One: two\n\nthree");
    check_str(r.p[2].author, "+44 7700 900123");
    check_str(r.p[2].author_id, "+447700900123");
    check_str(r.p[3].text, "The boat");
    check_str(r.p[4].text, "I left");
    check_str(r.p[5].text, "bye");
    static const char *const why[] = { "system line",     "media",       "media",
                                       "deleted message", "missed call", "system line",
                                       "system line",     "media",       "media" };
    check_int(r.n_skipped, sizeof why / sizeof *why);
    for (int i = 0; i < r.n_skipped; i++) check_str(r.skipped[i], why[i]);
    check_int(r.where[0], 1);
    check_int(r.where[1], 7);
    fmtrun_clear(&r);
}

static void ios(void **state)
{
    struct fmtrun r;
    const char *s =
        "[14/06/2022, 09:03:11] Boats: " LRM "Messages and calls are end-to-end encrypted.\r\n"
        "[14/06/2022, 09:03:11] Boats: " LRM "Kerra created this group\r\n"
        "[14/06/2022, 09:05:02] Kerra: right, dad left it and added you\r\n" LRM
        "[14/06/2022, 09:06:21] Davy: " LRM "image omitted\r\n" LRM
        "[14/06/2022, 09:06:22] Davy: Our boat " LRM "<attached: 00000211-PHOTO.jpg>\r\n" LRM
        "[14/06/2022, 09:06:23] Davy: plan.pdf \xE2\x80\xA2 " LRM "3 pages " LRM
        "document omitted\r\n"
        "[14/06/2022, 09:06:24] Davy: " LRM "This message was deleted.\r\n"
        "[14/06/2022, 09:06:25] Davy: " LRM "Missed voice call, " LRM "Tap to call back\r\n"
        "[14/06/2022, 09:07:00] ~" NNBSP "Jem: hi \xE2\x81\xA8@Davy\xE2\x81\xA9 " LRM
        "<This message was edited>\r\n"
        "[14/06/2022, 09:07:05] \xE2\x80\xAA+44\xC2\xA0"
        "7700\xC2\xA0"
        "900123\xE2\x80\xAC: who\r\n";
    fmtrun_path(&r, &format_whatsapp, "x/WhatsApp Chat - Boats/_chat.txt", s, strlen(s), -1, 0);
    check_ok(r.rc, r.err);
    check_int(r.n, 4);
    check_str(r.p[0].text, "right, dad left it and added you");
    check_str(r.p[0].thread, "Boats");
    check_int(r.p[0].written_at, clock_from_civil(2022, 6, 14, 9, 5, 2));
    check_str(r.p[1].text, "Our boat");
    check_str(r.p[2].author, "Jem");
    check_str(r.p[2].text, "hi @Davy");
    check_str(r.p[3].author_id, "+447700900123");
    static const char *const why[] = { "system line", "system line",     "media",      "media",
                                       "media",       "deleted message", "missed call" };
    check_int(r.n_skipped, sizeof why / sizeof *why);
    for (int i = 0; i < r.n_skipped; i++) check_str(r.skipped[i], why[i]);
    fmtrun_clear(&r);
}

static int64_t first_time(const char *s, int day_first)
{
    struct fmtrun r;
    fmtrun_path(&r, &format_whatsapp, "_chat.txt", s, strlen(s), day_first, 0);
    check_ok(r.rc, r.err);
    check_str(r.p[0].thread, "WhatsApp chat");
    int64_t t = r.p[0].written_at;
    fmtrun_clear(&r);
    return t;
}

static void day_order(void **state)
{
    int64_t march4 = clock_from_civil(2019, 3, 4, 9, 0, 0),
            april3 = clock_from_civil(2019, 4, 3, 9, 0, 0);
    check_int(first_time("3/4/19, 9:00 AM - A: x\n3/13/19, 9:00 AM - A: y\n", 1), march4);
    check_int(first_time("3/4/19, 09:00 - A: x\n13/4/19, 09:00 - A: y\n", 0), april3);
    /* nothing above 12: the clock of a chat does not run backwards */
    check_int(first_time("3/4/19, 09:00 - A: x\n3/5/19, 09:00 - A: y\n4/1/19, 09:00 - A: z\n", 1),
              march4);
    check_int(first_time("3/4/19, 09:00 - A: x\n5/4/19, 09:00 - A: y\n1/5/19, 09:00 - A: z\n", 0),
              april3);
    /* nothing decides */
    check_int(first_time("3/4/19, 09:00 - A: x\n", 0), march4);
    check_int(first_time("3/4/19, 09:00 - A: x\n", 1), april3);
    check_int(first_time("3/4/19, 09:00 - A: x\n", -1), april3);
    check_int(first_time("3.4.19, 09:00 - A: x\n", 0), april3);
    check_int(first_time("2019-04-03, 09:00 - A: x\n", 0), april3);
}

static void own_words(void **state)
{
    static const struct {
        const char *s;
        bool marked;
        enum wa_kind kind;
    } c[] = {
        { "You deleted this message", false, WA_DELETED },
        { "Diese Nachricht wurde gelöscht.", false, WA_DELETED },
        { "Ce message a été supprimé", true, WA_DELETED },
        { "Se eliminó este mensaje", true, WA_DELETED },
        { "Questo messaggio è stato eliminato", true, WA_DELETED },
        { "Dit bericht is verwijderd", true, WA_DELETED },
        { "Mensagem apagada", false, WA_DELETED },
        { "Verpasster Sprachanruf", true, WA_MISSED },
        { "Appel vidéo manqué", true, WA_MISSED },
        { "Missed call from my mother, what now?", false, WA_TEXT },
        { "Anna left", true, WA_SYSTEM },
        { "Anna left", false, WA_TEXT },
        { "Anna hat die Gruppe verlassen", true, WA_SYSTEM },
        { "Location: https://maps.google.com/?q=1,2", false, WA_MEDIA },
        { "Location: http://example.org is where I put it", false, WA_TEXT },
        { "This message was deleted by me, sorry", false, WA_TEXT },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        if (wa_kind_of(span_of(c[i].s), c[i].marked) != c[i].kind)
            fail_msg("kind of \"%s\"", c[i].s);
}

static void not_ours(void **state)
{
    struct fmtrun r;
    fmtrun(&r, &format_whatsapp, "n.txt", "secret diary\nof a gate\n");
    check_int(r.rc, ERR_PARSE);
    check_has(r.err.msg, "n.txt");
    check_has(r.err.msg, "--as");
    check_hasnt(r.err.msg, "secret");
    fmtrun(&r, &format_whatsapp, "n.txt", "1/1/2099, 10:00 - A: x\n31/2/2019, 10:00 - not a day\n");
    check_int(r.n, 1);
    check_int(r.p[0].written_at, CLOCK_NONE);
    check_str(r.p[0].text, "x\n31/2/2019, 10:00 - not a day");
    check_str(r.skipped[0], "date in the future");
    fmtrun_clear(&r);
    assert_true(fmtrun_score(&format_whatsapp, "n.txt", "12/03/2019, 21:14 - Anna: hi\n") >= 90);
    check_int(fmtrun_score(&format_whatsapp, "n.txt", "12/03/2019\nA walk.\n"), 0);
    assert_true(
        fmtrun_score(&format_whatsapp, "n.md", "# Log\na\nb\n12/03/2019, 21:14 - Anna: hi\n") < 50);
}

static void names(void **state)
{
    static const char *const c[][2] = { { "WhatsApp Chat with Anna", "Anna" },
                                        { "WhatsApp-Chat mit Anna", "Anna" },
                                        { "Chat de WhatsApp con Anna", "Anna" },
                                        { "Discussion WhatsApp avec Anna", "Anna" },
                                        { "Chat WhatsApp con Anna", "Anna" },
                                        { "WhatsApp-chat met Anna", "Anna" },
                                        { "Conversa do WhatsApp com Anna", "Anna" },
                                        { "WhatsApp Chat with Anna (1)", "Anna" },
                                        { "Letters", NULL } };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct span n = { "", 0 };
        check_int(wa_chat_name(span_of(c[i][0]), &n), c[i][1] != NULL);
        if (c[i][1]) assert_true(span_eq(n, c[i][1]));
    }
    char phone[32];
    assert_true(wa_phone(span_of("+49 (170) 123-4567"), phone));
    check_str(phone, "+491701234567");
    assert_false(wa_phone(span_of("Anna 2"), phone));
    assert_false(wa_phone(span_of("12"), phone));
}

static void large(void **state)
{
    struct fmtrun r;
    struct buf b = { 0 };
    buf_adds(&b, "12/03/2019, 21:14 - Anna: x\n");
    while (b.n < FORMAT_PIECE_MAX + 100000) buf_adds(&b, "a line that goes on and on and on\n");
    buf_adds(&b, "12/03/2019, 21:15 - Anna: after\n");
    fmtrun(&r, &format_whatsapp, "n.txt", b.p);
    check_ok(r.rc, r.err);
    check_int(r.n, 2);
    assert_true(strlen(r.p[0].text) <= FORMAT_PIECE_MAX);
    check_str(r.p[1].text, "after");
    check_str(r.skipped[0], "rest of an over-long text");
    fmtrun_clear(&r);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(prefixes),  cmocka_unit_test(android),   cmocka_unit_test(ios),
        cmocka_unit_test(day_order), cmocka_unit_test(own_words), cmocka_unit_test(not_ours),
        cmocka_unit_test(names),     cmocka_unit_test(large),
    };
    return check_run("text/whatsapp", t);
}
