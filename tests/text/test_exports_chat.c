/* Chat exports that lie in several files, or name people elsewhere: Slack, Matrix, Google Chat,
 * Signal. The texts follow what the programs write, quirks included; docs/FORMATS.md says where
 * each is described. */
#include "exports.h"

/* ---- Slack ---- */

static const char slack_users[] =
    "[\n    {\n        \"id\": \"U1\",\n        \"team_id\": \"T1\",\n        \"name\": "
    "\"ann.l\",\n"
    "        \"deleted\": false,\n        \"profile\": {\n            \"real_name\": \"Ann Lee\",\n"
    "            \"display_name\": \"ann\",\n            \"email\": \"ann@example.org\"\n        "
    "}\n"
    "    },\n    {\"id\": \"U2\", \"team_id\": \"T1\", \"name\": \"bo\", \"real_name\": \"Bo "
    "Berg\", "
    "\"profile\": {\"real_name\": \"\", \"display_name\": \"Bo\\u00eb\"}}\n]";

static void slack_day(void **state)
{
    struct fmtrun r;
    run(&r, &format_slack, "x/users.json", slack_users);
    check_int(r.n, 0);
    check_str(names_get(names, "slack", "U1"), "Ann Lee");
    check_str(names_get(names, "slack", "U2"), "Boë");
    fmtrun_clear(&r);
    run(&r, &format_slack, "x/channels.json",
        "[{\"id\":\"C1\",\"name\":\"general\",\"created\":1600000000,\"creator\":\"U1\","
        "\"members\":[\"U1\",\"U2\"]}]");
    fmtrun_clear(&r);
    run(&r, &format_slack, "x/general/2012-12-14.json",
        "[\n    {\n        \"client_msg_id\": \"c-1\",\n        \"type\": \"message\",\n"
        "        \"text\": \"<@U2> see <#C1|general>, <#C1> and "
        "<https:\\/\\/x.org\\/a?b=1&amp;c|the "
        "page> &lt;3 &amp;amp; <!here> <mailto:a@b.c|a@b.c> <https:\\/\\/y.org>\",\n"
        "        \"user\": \"U1\",\n        \"ts\": \"1355517523.000005\",\n"
        "        \"user_profile\": {\"real_name\": \"Ann B. Lee\", \"display_name\": \"a\", "
        "\"name\": \"ann.l\"},\n        \"edited\": {\"user\": \"U1\", \"ts\": "
        "\"1355517600.000000\"},\n        \"reactions\": [{\"name\": \"tada\", \"users\": "
        "[\"U2\"], \"count\": 1}]\n    },\n"
        "    {\"type\": \"message\", \"subtype\": \"channel_join\", \"user\": \"U2\", \"text\": "
        "\"<@U2> has joined the channel\", \"ts\": \"1355517524.000100\"},\n"
        "    {\"type\": \"message\", \"user\": \"U2\", \"text\": \"&gt; see\\n&gt;again\\nYes, "
        "<@U9>\", "
        "\"ts\": \"1355517525.000200\", \"thread_ts\": \"1355517523.000005\"},\n"
        "    {\"type\": \"message\", \"subtype\": \"bot_message\", \"bot_id\": \"B1\", \"text\": "
        "\"beep\", \"ts\": \"1355517526.000000\"},\n"
        "    {\"type\": \"message\", \"user\": \"U2\", \"text\": \"\", \"files\": [{\"id\": "
        "\"F1\"}], "
        "\"ts\": \"1355517527.000000\"},\n"
        "    {\"type\": \"message\", \"subtype\": \"tombstone\", \"user\": \"USLACKBOT\", "
        "\"text\": "
        "\"This message was deleted.\", \"ts\": \"1355517528.000000\"},\n"
        "    {\"type\": \"message\", \"subtype\": \"file_share\", \"user\": \"U2\", \"text\": "
        "\"<@U2> uploaded a file: <https:\\/\\/f|f> and commented: Look\", \"ts\": "
        "\"1355517529.000000\", \"file\": {\"initial_comment\": {\"comment\": \"Look\"}}},\n"
        "    {\"type\": \"message\", \"user\": \"U1\", \"text\": \"\", \"attachments\": "
        "[{\"is_share\": true, \"text\": \"Gale &amp; rain\"}], \"ts\": \"1355517530.000000\"}\n]");
    check_int(r.n, 4);
    check_str(r.p[0].text, "@Boë see #general, #general and the page <3 &amp; @here a@b.c "
                           "https://y.org");
    check_str(r.p[0].author, "Ann B. Lee");
    check_str(r.p[0].author_id, "U1");
    check_str(r.p[0].thread, "general");
    check_str(r.p[0].id, "1355517523.000005");
    check_str(r.p[0].reply_to, "");
    check_time(r.p[0].written_at, "2012-12-14T20:38:43Z");
    check_str(r.p[1].author, "Boë");
    check_str(r.p[1].text, "Yes, @U9");
    check_str(r.p[1].quoted, "see\nagain");
    check_str(r.p[1].reply_to, "1355517523.000005");
    check_str(r.p[2].text, "Look");
    check_str(r.p[3].text, "");
    check_str(r.p[3].quoted, "Gale & rain");
    check_int(r.n_skipped, 4);
    check_str(r.skipped[0], "system line");
    check_str(r.skipped[1], "message of a bot");
    check_str(r.skipped[2], "media");
    check_str(r.skipped[3], "deleted message");
    fmtrun_clear(&r);
}

static void slack_direct_messages(void **state)
{
    struct fmtrun r;
    run(&r, &format_slack, "x/dms.json",
        "[{\"id\":\"D1\",\"created\":1600000000,\"members\":[\"U1\",\"U2\"]}]");
    fmtrun_clear(&r);
    run(&r, &format_slack, "x/mpims.json", "[]");
    fmtrun_clear(&r);
    run(&r, &format_slack, "x/users.json", slack_users);
    fmtrun_clear(&r);
    run(&r, &format_slack, "x/D1/2020-01-01.json",
        "[{\"type\":\"message\",\"user\":\"U2\",\"text\":\"hi\",\"ts\":\"1577880000.000000\"}]");
    check_str(r.p[0].thread, "Ann Lee, Boë");
    fmtrun_clear(&r);
    done(state); /* alone, the same day has ids where names would be */
    run(&r, &format_slack, "D1/2020-01-01.json",
        "[{\"type\":\"message\",\"user\":\"U2\",\"text\":\"hi "
        "<@U1>\",\"ts\":\"1577880000.000000\"}]");
    check_str(r.p[0].thread, "D1");
    check_str(r.p[0].author, "U2");
    check_str(r.p[0].text, "hi @U1");
    fmtrun_clear(&r);
}

/* ---- Matrix ---- */

static void matrix_room(void **state)
{
    struct fmtrun r;
    run(&r, &format_matrix, "matrix - Boats - Chat Export.json",
        "{\n  \"room_name\": \"Boats\",\n  \"room_creator\": \"Ann\",\n  \"topic\": \"\",\n"
        "  \"export_date\": \"21 March 2022\",\n  \"exported_by\": \"Ann\",\n  \"messages\": [\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@ann:hs.org\",\"event_id\":\"$1\","
        "\"origin_server_ts\":1647856800123,\"content\":{\"msgtype\":\"m.text\",\"body\":\"Wher is "
        "it?\"},\"unsigned\":{\"age\":5}},\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$2\","
        "\"origin_server_ts\":1647856860000,\"content\":{\"msgtype\":\"m.text\",\"body\":\"> "
        "<@ann:hs.org> Wher is\\n> it?\\n\\nAt home.\\n> not a quotation\",\"format\":"
        "\"org.matrix.custom.html\",\"m.relates_to\":{\"m.in_reply_to\":{\"event_id\":\"$1\"}}}},\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@ann:hs.org\",\"event_id\":\"$3\","
        "\"origin_server_ts\":1647856900000,\"content\":{\"msgtype\":\"m.text\",\"body\":\"* Where "
        "is it?\",\"m.new_content\":{\"msgtype\":\"m.text\",\"body\":\"Where is it?\"},"
        "\"m.relates_to\":{\"rel_type\":\"m.replace\",\"event_id\":\"$1\"}}},\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$4\","
        "\"origin_server_ts\":1647856910000,\"content\":{},\"redacted_because\":{\"type\":"
        "\"m.room.redaction\"}},\n"
        "{\"type\":\"m.reaction\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$5\","
        "\"origin_server_ts\":1647856920000,\"content\":{\"m.relates_to\":{\"rel_type\":"
        "\"m.annotation\",\"event_id\":\"$1\",\"key\":\"x\"}}},\n"
        "{\"type\":\"m.room.encrypted\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$6\","
        "\"origin_server_ts\":1647856930000,\"content\":{\"algorithm\":\"m.megolm.v1.aes-sha2\"}},"
        "\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$7\","
        "\"origin_server_ts\":1647856940000,\"content\":{\"msgtype\":\"m.image\",\"body\":"
        "\"a.jpg\"}},\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$8\","
        "\"origin_server_ts\":1647856950000,\"content\":{\"msgtype\":\"m.image\",\"filename\":"
        "\"a.jpg\",\"body\":\"My boat\"}},\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@cy:hs.org\",\"event_id\":\"$9\","
        "\"origin_server_ts\":1647856960000,\"content\":{\"msgtype\":\"m.emote\",\"body\":\"old\"},"
        "\"unsigned\":{\"m.relations\":{\"m.replace\":{\"content\":{\"m.new_content\":{\"body\":"
        "\"waves\"}}}}}},\n"
        "{\"type\":\"m.room.message\",\"sender\":\"@bo:hs.org\",\"event_id\":\"$10\","
        "\"origin_server_ts\":1647856970000,\"content\":{\"msgtype\":\"m.text\",\"body\":\"oops\"}}"
        ",\n"
        "{\"type\":\"m.room.redaction\",\"redacts\":\"$10\",\"sender\":\"@bo:hs.org\","
        "\"event_id\":\"$11\",\"origin_server_ts\":1647856980000,\"content\":{}},\n"
        "{\"type\":\"m.room.member\",\"state_key\":\"@ann:hs.org\",\"sender\":\"@ann:hs.org\","
        "\"content\":{\"membership\":\"join\",\"displayname\":\"Ann\"}},\n"
        "{\"type\":\"m.room.member\",\"state_key\":\"@bo:hs.org\",\"sender\":\"@bo:hs.org\","
        "\"content\":{\"membership\":\"join\",\"displayname\":\"Bo\"}}\n  ]\n}");
    check_int(r.n, 4);
    check_str(r.p[0].text, "Where is it?"); /* the newest, once */
    check_str(r.p[0].author, "Ann");
    check_str(r.p[0].author_id, "@ann:hs.org");
    check_str(r.p[0].thread, "Boats");
    assert_true(r.p[0].sent_by_owner);
    check_time(r.p[0].written_at, "2022-03-21T10:00:00Z");
    check_str(r.p[1].author, "Bo");
    check_str(r.p[1].quoted, "Wher is\nit?");
    check_str(r.p[1].text, "At home.\n> not a quotation");
    check_str(r.p[1].reply_to, "$1");
    assert_false(r.p[1].sent_by_owner);
    check_str(r.p[2].text, "My boat");
    check_str(r.p[3].text, "waves");
    check_str(r.p[3].author, "@cy:hs.org");
    static const char *const why[] = { "edit",        "deleted message",
                                       "reaction",    "encrypted message",
                                       "media",       "deleted message",
                                       "system line", "system line",
                                       "system line" };
    check_int(r.n_skipped, 9);
    for (int i = 0; i < 9; i++) check_str(r.skipped[i], why[i]);
    fmtrun_clear(&r);
}

/* ---- Google Chat ---- */

static void gchat_space(void **state)
{
    struct fmtrun r;
    run(&r, &format_gchat, "t/Google Chat/Users/User 1/user_info.json",
        "{\"user\":{\"name\":\"Ann\",\"email\":\"ann@example.org\",\"user_type\":\"Human\"},"
        "\"membership_info\":[{\"group_id\":\"Space A\"}]}");
    fmtrun_clear(&r);
    run(&r, &format_gchat, "t/Google Chat/Groups/DM x/group_info.json",
        "{\n  \"members\": [\n    {\"name\": \"Ann\", \"email\": \"a@x.org\", \"user_type\": "
        "\"Human\"}, {\"name\": \"Bo\", \"user_type\": \"Human\"}]\n}");
    fmtrun_clear(&r);
    run(&r, &format_gchat, "t/Google Chat/Groups/DM x/messages.json",
        "{\n  \"messages\": [\n    {\n      \"creator\": {\n        \"name\": \"Ann\",\n"
        "        \"email\": \"ann@example.org\",\n        \"user_type\": \"Human\"\n      },\n"
        "      \"created_date\": \"Tuesday, January 5, 2021 at 3:15:12 PM UTC\",\n"
        "      \"text\": \"Tea at \\u003cfive\\u003e?\",\n      \"topic_id\": \"T\",\n"
        "      \"message_id\": \"S/T/T\"\n    },\n"
        "    {\"creator\": {\"name\": \"Bo\", \"email\": \"bo@example.org\", \"user_type\": "
        "\"Human\"}, \"created_date\": \"Tuesday, January 5, 2021 at 3:15:42\\u202fPM UTC\", "
        "\"updated_date\": \"Tuesday, January 5, 2021 at 3:16:00\\u202fPM UTC\", \"text\": "
        "\"Yes\", \"quoted_message_metadata\": {\"creator\": {\"name\": \"Ann\"}, \"text\": \"Tea "
        "at five?\"}, \"topic_id\": \"T\", \"message_id\": \"S/T/M2\"},\n"
        "    {\"creator\": {\"name\": \"Bo\", \"user_type\": \"Human\"}, \"created_date\": "
        "\"Tuesday, January 5, 2021 at 12:00:00\\u202fAM UTC\", \"message_state\": \"DELETED\", "
        "\"message_id\": \"S/M3/M3\"},\n"
        "    {\"creator\": {\"name\": \"Clock\", \"user_type\": \"Bot\"}, \"text\": \"ding\", "
        "\"message_id\": \"S/M4/M4\"},\n"
        "    {\"creator\": {\"name\": \"Bo\", \"user_type\": \"Human\"}, \"attached_files\": "
        "[{\"export_name\": \"File-a.png\"}], \"message_id\": \"S/M5/M5\"}\n  ]\n}");
    check_int(r.n, 2);
    check_str(r.p[0].thread, "Ann, Bo");
    check_str(r.p[0].text, "Tea at <five>?");
    check_str(r.p[0].author_id, "ann@example.org");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].reply_to, "");
    check_time(r.p[0].written_at, "2021-01-05T15:15:12Z");
    check_time(r.p[1].written_at, "2021-01-05T15:15:42Z");
    check_str(r.p[1].quoted, "Tea at five?");
    check_str(r.p[1].reply_to, "S/T/T");
    assert_false(r.p[1].sent_by_owner);
    check_int(r.n_skipped, 3);
    check_str(r.skipped[0], "deleted message");
    check_str(r.skipped[1], "message of a bot");
    check_str(r.skipped[2], "media");
    fmtrun_clear(&r);
}

/* ---- Signal ---- */

static void signal_export_lines(void **state)
{
    struct fmtrun r;
    run(&r, &format_signal, "out/Bo Berg/data.json",
        "{\"date\": \"2021-05-01T10:00:00.123000\", \"sender\": \"Me\", \"body\": \"Tea?  \", "
        "\"quote\": \"\", \"sticker\": \"\", \"reactions\": [[\"Bo Berg\", \"\u2764\"]], "
        "\"attachments\": []}\n"
        "{\"date\": \"2021-05-01T10:01:00\", \"sender\": \"Bo Berg\", \"body\": \"Yes\\nplease  "
        "\", "
        "\"quote\": \"\\n\\n> Tea?\\n> Now?\\n\\n\", \"sticker\": \"\", \"reactions\": [], "
        "\"attachments\": []}\n"
        "{\"date\": \"2021-05-01T10:02:00\", \"sender\": \"Bo Berg\", \"body\": \"  \", \"quote\": "
        "\"\", \"sticker\": \"\", \"reactions\": [], \"attachments\": [{\"name\": \"a.jpg\", "
        "\"path\": \"media/a.jpg\"}]}\n"
        "{\"date\": \"2021-05-01T10:03:00\", \"sender\": \"Bo Berg\", \"body\": \"\", \"quote\": "
        "\"\", \"sticker\": null, \"reactions\": [], \"attachments\": [], \"deleted\": true}\n"
        "{\"date\": \"2021-05-01T10:04\n");
    check_int(r.n, 2);
    check_str(r.p[0].text, "Tea?");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].thread, "Bo Berg");
    check_time(r.p[0].written_at, "2021-05-01T10:00:00Z");
    check_str(r.p[1].author, "Bo Berg");
    check_str(r.p[1].text, "Yes\nplease");
    check_str(r.p[1].quoted, "Tea?\nNow?");
    check_int(r.n_skipped, 3);
    check_str(r.skipped[0], "media");
    check_str(r.skipped[1], "deleted message");
    check_str(r.skipped[2], "broken message");
    fmtrun_clear(&r);
}

static const char signal_rows[] =
    "{\"conversations\":[{\"id\":\"c0ffee00-1\",\"type\":\"private\",\"name\":null,"
    "\"profileFullName\":\"Bo Berg\",\"e164\":\"+491701234567\",\"serviceId\":\"s-bo\"},"
    "{\"id\":\"beef0000-1\",\"type\":\"group\",\"name\":\"Boats\"}],\"messages\":["
    "{\"id\":\"m1\",\"conversationId\":\"c0ffee00-1\",\"type\":\"outgoing\",\"sent_at\":"
    "1619863200123,\"timestamp\":1619863200123,\"body\":\"Tea?\",\"sourceServiceId\":\"s-me\"},"
    "{\"id\":\"m2\",\"conversationId\":\"beef0000-1\",\"type\":\"incoming\",\"sent_at\":"
    "1619863260000,\"body\":\"\xEF\xBF\xBC, yes\",\"bodyRanges\":[{\"start\":0,\"length\":1,"
    "\"style\":1},{\"start\":0,\"length\":1,\"mentionUuid\":\"s-me\",\"replacementText\":\"Ann\"}],"
    "\"source\":\"+491701234567\",\"sourceServiceId\":\"s-bo\",\"quote\":{\"id\":1619863200123,"
    "\"text\":\"Tea?\"}},"
    "{\"conversationId\":\"c0ffee00-1\",\"type\":\"incoming\",\"sent_at\":1619863270000,\"body\":"
    "null,\"hasAttachments\":1},"
    "{\"conversationId\":\"c0ffee00-1\",\"type\":\"incoming\",\"sent_at\":1619863280000,\"body\":"
    "\"\",\"deletedForEveryone\":true},"
    "{\"conversationId\":\"c0ffee00-1\",\"type\":\"keychange\",\"sent_at\":1619863290000},"
    "{\"conversationId\":\"c0ffee00-1\",\"type\":\"incoming\",\"sent_at\":1619863300000,\"body\":"
    "\"Bye\",\"source\":null}]}";

static void signal_database(void **state)
{
    struct fmtrun r;
    run(&r, &format_signal, "signal.json", signal_rows);
    check_int(r.n, 3);
    check_str(r.p[0].thread, "Bo Berg (c0ffee00)");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].id, "1619863200123");
    check_time(r.p[0].written_at, "2021-05-01T10:00:00Z");
    check_str(r.p[1].thread, "Boats (beef0000)");
    check_str(r.p[1].author, "Bo Berg");
    check_str(r.p[1].author_id, "+491701234567");
    check_str(r.p[1].text, "@Ann, yes");
    check_str(r.p[1].reply_to, "1619863200123");
    check_str(r.p[1].quoted, "Tea?");
    check_str(r.p[2].author, "Bo Berg"); /* nobody else writes in a private chat */
    check_int(r.n_skipped, 3);
    check_str(r.skipped[0], "media");
    check_str(r.skipped[1], "deleted message");
    check_str(r.skipped[2], "system line");
    fmtrun_clear(&r);
    run(&r, &format_signal, "rows.json",
        "[{\"conversationId\":\"c0ffee00-1\",\"type\":\"incoming\",\"sent_at\":1619863300000,"
        "\"body\":\"Bye\",\"sourceUuid\":\"u-1\"}]");
    check_str(r.p[0].thread, "Signal (c0ffee00)");
    check_str(r.p[0].author, "u-1");
    fmtrun_clear(&r);
}

/* ---- Apple Messages ---- */

/* The lines that the helper makes of chat.db; tests/media/test_imessage.c has the database. */
static void imessage_lines(void **state)
{
    struct fmtrun r;
    check_int(names_contact_put(names, "0170 1234567", "Bo Berg"), 0);
    fmtrun_named(&r, &format_imessage, "chat.db",
                 "{\"g\":\"g1\",\"i\":\"+491701234567\",\"p\":\"+491701234567\",\"m\":true,\"t\":"
                 "1619807200,\"x\":\"Tea?\"}\n{\"skip\":\"reaction\"}\n"
                 "{\"g\":\"g2\",\"r\":\"g1\",\"i\":\"chat42\",\"c\":\"Boats\",\"h\":"
                 "\"+491701234567\",\"x\":\"Yes\"}\n"
                 "{\"g\":\"g3\",\"i\":\"chat43\",\"p\":\"+491701234567, cy@example.org\",\"h\":"
                 "\"cy@example.org\",\"x\":\"No\"}\nbroken\n",
                 names);
    check_ok(r.rc, r.err);
    check_int(r.n, 3);
    check_str(r.p[0].thread, "Bo Berg");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_time(r.p[0].written_at, "2021-04-30T18:26:40Z");
    check_str(r.p[1].thread, "Boats (chat42)");
    check_str(r.p[1].author, "+491701234567");
    check_str(r.p[1].author_id, "+491701234567");
    check_str(r.p[1].reply_to, "g1");
    check_str(r.p[2].thread, "Bo Berg, cy@example.org");
    check_str(r.skipped[0], "reaction");
    check_str(r.skipped[1], "broken message");
    fmtrun_clear(&r);
}

/* ---- names ---- */

static void address_book(void **state)
{
    struct piece p = fmt_piece(PIECE_CHAT);
    check_int(names_contact_put(names, "+49 (170) 123-4567", "Bo"), 0);
    check_int(names_contact_put(names, "Ann@Example.org", "Ann"), 0);
    p.author = "01701234567";
    check_str(names_author(names, &p), "Bo");
    p.author = "Bodo"; /* has a name already */
    p.author_id = "+491701234567";
    assert_null(names_author(names, &p));
    p.author = "";
    check_str(names_author(names, &p), "Bo");
    p.author_id = "ann@example.ORG";
    check_str(names_author(names, &p), "Ann");
    p.author_id = "12345";
    assert_null(names_author(names, &p));
    check_int(names_contact_put(names, "+49 170 1234567", "Bo Berg"), 0); /* the later one counts */
    p.author_id = "0170 1234567";
    check_str(names_author(names, &p), "Bo Berg");
    assert_true(names_first("a/b/users.json") && names_first("x.VCF") && !names_first("user.json"));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(slack_day, fresh, done),
        cmocka_unit_test_setup_teardown(slack_direct_messages, fresh, done),
        cmocka_unit_test_setup_teardown(matrix_room, fresh, done),
        cmocka_unit_test_setup_teardown(gchat_space, fresh, done),
        cmocka_unit_test_setup_teardown(signal_export_lines, fresh, done),
        cmocka_unit_test_setup_teardown(signal_database, fresh, done),
        cmocka_unit_test_setup_teardown(imessage_lines, fresh, done),
        cmocka_unit_test_setup_teardown(address_book, fresh, done),
    };
    return check_run("text/exports_chat", t);
}
