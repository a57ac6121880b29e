/* The direct messages of an X archive, with the files beside them that tell names. The texts have
 * the keys, order and blanks that the archives of 2022 to 2025 have; docs/FORMATS.md says where
 * they are described. */
#include "exports.h"

/* The files of an X archive as it writes them, blanks and all. */
static const char x_account[] = "window.YTD.account.part0 = [\n"
                                "  {\n"
                                "    \"account\" : {\n"
                                "      \"email\" : \"ann@example.org\",\n"
                                "      \"createdVia\" : \"web\",\n"
                                "      \"username\" : \"ann_lee\",\n"
                                "      \"accountId\" : \"42\",\n"
                                "      \"createdAt\" : \"2010-08-03T04:10:42.000Z\",\n"
                                "      \"accountDisplayName\" : \"Ann\"\n"
                                "    }\n"
                                "  }\n"
                                "]";

static const char x_tweets[] = "window.YTD.tweets.part0 = [\n"
                               "  {\n"
                               "    \"tweet\" : {\n"
                               "      \"id_str\" : \"9\",\n"
                               "      \"created_at\" : \"Wed Oct 10 20:19:24 +0000 2018\",\n"
                               "      \"full_text\" : \"@bo_b Tea?\",\n"
                               "      \"entities\" : {\n"
                               "        \"user_mentions\" : [\n"
                               "          {\n"
                               "            \"name\" : \"Bo Berg\",\n"
                               "            \"screen_name\" : \"bo_b\",\n"
                               "            \"indices\" : [\n"
                               "              \"0\",\n"
                               "              \"5\"\n"
                               "            ],\n"
                               "            \"id_str\" : \"7\",\n"
                               "            \"id\" : \"7\"\n"
                               "          }\n"
                               "        ],\n"
                               "        \"urls\" : [ ]\n"
                               "      }\n"
                               "    }\n"
                               "  }\n"
                               "]";

/* One message; to: "" in a group. urls: what stands between the brackets. */
static void x_message(struct buf *b, const char *from, const char *to, const char *at,
                      const char *urls, const char *text, const char *media)
{
    static int id = 100;
    buf_adds(b, "        {\n          \"messageCreate\" : {\n");
    if (*to) buf_printf(b, "            \"recipientId\" : \"%s\",\n", to);
    buf_printf(b,
               "            \"reactions\" : [\n"
               "              {\n"
               "                \"senderId\" : \"7\",\n"
               "                \"reactionKey\" : \"like\",\n"
               "                \"eventId\" : \"1927386486816542720\",\n"
               "                \"createdAt\" : \"2025-05-27T15:28:42.241Z\"\n"
               "              }\n"
               "            ],\n"
               "            \"urls\" : [%s],\n"
               "            \"text\" : \"%s\",\n"
               "            \"mediaUrls\" : [%s],\n"
               "            \"senderId\" : \"%s\",\n"
               "            \"id\" : \"%d\",\n"
               "            \"createdAt\" : \"%s\",\n"
               "            \"editHistory\" : [ ]\n"
               "          }\n"
               "        }",
               urls, text, media, from, id++, at);
}

static void x_pair(struct buf *b)
{
    static const char link[] = "\n              {\n"
                               "                \"url\" : \"https://t.co/u69Nf434eX\",\n"
                               "                \"expanded\" : \"https://example.org/boats\",\n"
                               "                \"display\" : \"example.org/boats\"\n"
                               "              }\n            ";
    static const char picture[] =
        "\n              {\n"
        "                \"url\" : \"https://t.co/pic0000000\",\n"
        "                \"expanded\" : \"https://twitter.com/messages/media/103\",\n"
        "                \"display\" : \"pic.twitter.com/pic0000000\"\n"
        "              }\n            ";
    buf_adds(b, "window.YTD.direct_messages.part0 = [\n  {\n    \"dmConversation\" : {\n"
                "      \"conversationId\" : \"7-42\",\n      \"messages\" : [\n");
    x_message(b, "7", "42", "2022-01-27T15:58:52.744Z", picture, " https://t.co/pic0000000",
              "\n              \"https://ton.twitter.com/dm/103/103/a.jpg\"\n            ");
    buf_adds(b, ",\n");
    x_message(b, "42", "7", "2022-01-27T15:58:51.900Z", link, "Look: https://t.co/u69Nf434eX &lt;3",
              " ");
    buf_adds(b, ",\n");
    x_message(b, "7", "42", "2022-01-27T15:58:51.100Z", " ", "Which boat?", " ");
    buf_adds(b, "\n      ]\n    }\n  }\n]");
}

static void x_direct_messages(void **state)
{
    struct fmtrun r;
    struct buf b = BUF_INIT(0);
    run(&r, &format_x, "data/account.js", x_account);
    check_int(r.n, 0);
    check_str(r.skipped[0], "name of a person");
    fmtrun_clear(&r);
    run(&r, &format_x, "data/tweets.js", x_tweets);
    check_str(r.p[0].text, "@bo_b Tea?");
    fmtrun_clear(&r);
    x_pair(&b);
    run(&r, &format_x, "data/direct-messages.js", buf_str(&b));
    check_int(r.n, 2);
    check_str(r.p[0].text, "Which boat?"); /* oldest first, though both are of one second */
    check_str(r.p[0].author, "Bo Berg");
    check_str(r.p[0].author_id, "7");
    check_int(r.p[0].kind, PIECE_CHAT);
    assert_false(r.p[0].sent_by_owner);
    check_time(r.p[0].written_at, "2022-01-27T15:58:51Z");
    check_str(r.p[0].thread, "Bo Berg (7-42)");
    check_str(r.p[1].text, "Look: https://example.org/boats <3");
    check_str(r.p[1].author, "");
    check_str(r.p[1].author_id, "");
    assert_true(r.p[1].sent_by_owner);
    check_int(r.n_skipped, 1);
    check_str(r.skipped[0], "media");
    fmtrun_clear(&r);
    buf_free(&b);
}

/* Without the files beside it people are numbers, and nobody is taken for the owner. */
static void x_direct_messages_alone(void **state)
{
    struct fmtrun r;
    struct buf b = BUF_INIT(0);
    x_pair(&b);
    run(&r, &format_x, "direct-messages.js", buf_str(&b));
    check_int(r.n, 2);
    check_str(r.p[1].author, "42");
    check_str(r.p[1].author_id, "42");
    assert_false(r.p[1].sent_by_owner);
    check_str(r.p[1].thread, "7, 42 (7-42)");
    fmtrun_clear(&r);
    buf_free(&b);
}

static void x_group(void **state)
{
    struct fmtrun r;
    struct buf b = BUF_INIT(0);
    check_int(names_put(names, "x-owner", "42", "1"), 0);
    buf_adds(&b, "window.YTD.direct_messages_group.part0 = [\n  {\n    \"dmConversation\" : {\n"
                 "      \"conversationId\" : \"1612345678901234567\",\n"
                 "      \"messages\" : [\n"
                 "        {\n          \"participantsLeave\" : {\n"
                 "            \"userIds\" : [\n              \"7\"\n            ],\n"
                 "            \"createdAt\" : \"2020-01-20T23:42:09.068Z\"\n"
                 "          }\n        },\n");
    x_message(&b, "42", "", "2020-01-20T22:42:09.068Z", " ", "Mine", " ");
    buf_adds(&b, ",\n        {\n          \"conversationNameUpdate\" : {\n"
                 "            \"initiatingUserId\" : \"7\",\n"
                 "            \"name\" : \"Harbour\",\n"
                 "            \"createdAt\" : \"2020-01-20T22:00:00.000Z\"\n"
                 "          }\n        },\n"
                 "        {\n          \"conversationNameUpdate\" : {\n"
                 "            \"initiatingUserId\" : \"7\",\n"
                 "            \"name\" : \"Old name\",\n"
                 "            \"createdAt\" : \"2020-01-20T21:50:00.000Z\"\n"
                 "          }\n        },\n");
    x_message(&b, "8", "", "2020-01-20T21:42:09.068Z", " ", "Salutations!", " ");
    buf_adds(&b, ",\n        {\n          \"joinConversation\" : {\n"
                 "            \"initiatingUserId\" : \"8\",\n"
                 "            \"participantsSnapshot\" : [\n              \"8\",\n"
                 "              \"42\"\n            ],\n"
                 "            \"createdAt\" : \"2020-01-20T21:40:00.000Z\"\n"
                 "          }\n        }\n      ]\n    }\n  }\n]");
    run(&r, &format_x, "direct-messages-group.js", buf_str(&b));
    check_int(r.n, 2);
    check_str(r.p[0].text, "Salutations!");
    check_str(r.p[0].author, "8");
    check_str(r.p[0].thread, "Harbour (1612345678901234567)");
    check_str(r.p[1].author, "");
    check_int(r.n_skipped, 4);
    check_str(r.skipped[0], "system line");
    fmtrun_clear(&r);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(x_direct_messages, fresh, done),
        cmocka_unit_test_setup_teardown(x_direct_messages_alone, fresh, done),
        cmocka_unit_test_setup_teardown(x_group, fresh, done),
    };
    return check_run("text/exports_x", t);
}
