/* Exports in JSON: messages, posts, notes. The texts follow what the programs write, quirks
 * included; docs/FORMATS.md says where each is described. */
#include "exports.h"

static void meta_messages(void **state)
{
    struct fmtrun r;
    run(&r, &format_meta, "message_1.json",
        "{\"participants\":[{\"name\":\"Ren\\u00c3\\u00a9\"},{\"name\":\"Ann\"}],\"messages\":["
        "{\"sender_name\":\"Ren\\u00c3\\u00a9\",\"timestamp_ms\":1577880000123,\"content\":"
        "\"Caf\\u00c3\\u00a9? \\u00f0\\u009f\\u0098\\u0080\",\"is_geoblocked_for_viewer\":false},"
        "{\"sender_name\":\"Ann\",\"timestamp_ms\":1577879000000,\"content\":\"Ann sent a photo.\","
        "\"photos\":[{\"uri\":\"x.jpg\"}]},"
        "{\"sender_name\":\"Ann\",\"timestamp_ms\":1577878000000,\"is_unsent\":true},"
        "{\"sender_name\":\"Ann\",\"timestamp_ms\":1577877000000,"
        "\"content\":\"Reacted \\u00f0\\u009f\\u0098\\u0080 to your message \"},"
        "{\"sender_name\":\"Ann\",\"timestamp_ms\":1577876000000,\"content\":\"na\\u00efve "
        "\\u4e2d\"}],"
        "\"title\":\"Ren\\u00c3\\u00a9\",\"thread_path\":\"inbox/rene_abc123\"}");
    check_int(r.n, 2);
    check_str(r.p[0].author, "René");
    check_str(r.p[0].text, "Café? 😀");
    check_time(r.p[0].written_at, "2020-01-01T12:00:00Z");
    check_str(r.p[0].thread, "René (rene_abc123)");
    check_str(r.p[1].text, "naïve 中"); /* no bytes: taken as it is */
    check_int(r.n_skipped, 3);
    check_str(r.skipped[0], "media");
    check_str(r.skipped[1], "deleted message");
    check_str(r.skipped[2], "system line");
    fmtrun_clear(&r);
}

static void facebook_posts(void **state)
{
    struct fmtrun r;
    run(&r, &format_facebook, "your_posts__check_ins__photos_and_videos_1.json",
        "[\n  {\n    \"timestamp\": 1242901624,\n    \"data\": [\n      {\n"
        "        \"post\": \"N\\u00c3\\u00a6sten fri\"\n      },\n      {\n"
        "        \"update_timestamp\": 1242901700\n      }\n    ],\n"
        "    \"title\": \"Ann Lee updated her status.\"\n  },\n  {\n"
        "    \"timestamp\": 1319393272,\n    \"attachments\": [\n      {\n        \"data\": [\n"
        "          {\n            \"media\": {\n              \"uri\": \"posts/media/1.mp4\",\n"
        "              \"description\": \"\"\n            }\n          }\n        ]\n      }\n"
        "    ],\n    \"data\": [\n      \n    ]\n  },\n  {\n    \"timestamp\": 1555664152,\n"
        "    \"attachments\": [\n      \n    ],\n    \"data\": [\n      {\n"
        "        \"update_timestamp\": 1555664152\n      }\n    ],\n"
        "    \"title\": \"Ann Lee shared a video.\"\n  }\n]");
    check_int(r.n, 1);
    check_str(r.p[0].text, "Næsten fri");
    check_int(r.p[0].written_at, 1242901624);
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_int(r.n_skipped, 2);
    check_str(r.skipped[0], "media");
    check_str(r.skipped[1], "system line");
    fmtrun_clear(&r);
}

static void facebook_comments(void **state)
{
    struct fmtrun r;
    run(&r, &format_facebook, "comments.json",
        "{\n  \"comments_v2\": [\n    {\n      \"timestamp\": 1239798000,\n      \"data\": [\n"
        "        {\n          \"comment\": {\n            \"timestamp\": 1239798000,\n"
        "            \"comment\": \"Vi er da bedre!\",\n            \"author\": \"Ann Lee\"\n"
        "          }\n        }\n      ],\n"
        "      \"title\": \"Ann Lee commented on Bo Berg's post.\"\n    },\n    {\n"
        "      \"timestamp\": 1457387286,\n      \"data\": [\n        {\n"
        "          \"comment\": {\n            \"timestamp\": 1457387286,\n"
        "            \"comment\": \"\",\n            \"author\": \"Ann Lee\"\n"
        "          }\n        }\n      ],\n"
        "      \"title\": \"Ann Lee replied to Bo Berg's comment.\"\n    }\n  ]\n}");
    check_int(r.n, 1);
    check_str(r.p[0].text, "Vi er da bedre!");
    check_int(r.p[0].written_at, 1239798000);
    check_str(r.p[0].title, "");
    check_int(r.n_skipped, 1);
    fmtrun_clear(&r);
}

static void discord_channel(void **state)
{
    struct fmtrun r;
    run(&r, &format_discord, "Harbour - general [42].json",
        "{\"guild\":{\"id\":\"1\",\"name\":\"Harbour\"},\"channel\":{\"id\":\"42\",\"type\":"
        "\"GuildTextChat\",\"name\":\"general\"},\"dateRange\":{\"after\":null,\"before\":null},"
        "\"messages\":["
        "{\"id\":\"100\",\"type\":\"Default\",\"timestamp\":\"2021-05-01T10:00:00.123+02:00\","
        "\"timestampEdited\":null,\"content\":\"Where is the boat?\",\"author\":{\"id\":\"7\","
        "\"name\":\"ann_l\",\"nickname\":\"Ann\",\"isBot\":false},\"attachments\":[]},"
        "{\"id\":\"101\",\"type\":\"GuildMemberJoin\",\"timestamp\":\"2021-05-01T10:01:00+02:00\","
        "\"content\":\"Joined the server.\",\"author\":{\"id\":\"8\",\"name\":\"bo\"}},"
        "{\"id\":\"102\",\"type\":\"Reply\",\"timestamp\":\"2021-05-01T10:02:00+02:00\","
        "\"content\":\"At home.\",\"author\":{\"id\":\"8\",\"name\":\"bo\"},\"reference\":"
        "{\"messageId\":\"100\",\"channelId\":\"42\"}},"
        "{\"id\":\"103\",\"type\":\"Default\",\"timestamp\":\"2021-05-01T10:03:00+02:00\","
        "\"content\":\"\",\"author\":{\"id\":\"8\",\"name\":\"bo\"},\"attachments\":[{\"id\":\"1\"}"
        "]},"
        "{\"id\":\"104\",\"type\":\"Default\",\"timestamp\":\"2021-05-01T10:04:00+02:00\","
        "\"content\":\"\",\"author\":{\"id\":\"8\",\"name\":\"bo\"},\"forwardedMessage\":"
        "{\"content\":\"Gale warning\"}}],\"messageCount\":5}");
    check_int(r.n, 3);
    check_str(r.p[0].author, "Ann");
    check_str(r.p[0].author_id, "7");
    check_str(r.p[0].thread, "Harbour / general (42)");
    check_time(r.p[0].written_at, "2021-05-01T08:00:00Z");
    check_str(r.p[1].reply_to, "100");
    check_str(r.p[1].author, "bo");
    check_str(r.p[2].quoted, "Gale warning");
    check_str(r.p[2].text, "");
    check_int(r.n_skipped, 2);
    check_str(r.skipped[0], "system line");
    check_str(r.skipped[1], "media");
    fmtrun_clear(&r);
}

/* A node of ChatGPT's tree, and its text, into out. */
static void node(struct buf *out, const char *id, const char *parent, const char *role, double at,
                 const char *text)
{
    buf_printf(
        out,
        ",\"%s\":{\"id\":\"%s\",\"parent\":\"%s\",\"children\":[],\"message\":{\"id\":\"m%s\","
        "\"author\":{\"role\":\"%s\"},\"create_time\":%.2f,\"content\":{\"content_type\":"
        "\"text\",\"parts\":[\"%s\"]}}}",
        id, id, parent, id, role, at, text);
}

static void chatgpt_takes_the_branch_that_was_seen(void **state)
{
    struct fmtrun r;
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "[{\"title\":\"Boats\",\"create_time\":1700000000.5,\"conversation_id\":"
                 "\"abcdef1234567890\",\"current_node\":\"d\",\"mapping\":{\"r\":{\"id\":\"r\","
                 "\"message\":null,\"parent\":null,\"children\":[\"s\"]}");
    node(&b, "s", "r", "system", 1700000000, "");
    node(&b, "a", "s", "user", 1700000001.25, "First try");
    node(&b, "b", "s", "user", 1700000100, "Which boat?");
    node(&b, "c", "b", "tool", 1700000101, "search");
    node(&b, "d", "c", "assistant", 1700000102, "A small one.");
    buf_adds(&b, "}}]");
    run(&r, &format_chatgpt, "conversations.json", buf_str(&b));
    check_int(r.n, 2);
    check_str(r.p[0].text, "Which boat?");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_int(r.p[0].written_at, 1700000100);
    check_str(r.p[0].thread, "Boats (abcdef12)");
    check_str(r.p[1].author, "ChatGPT");
    assert_false(r.p[1].sent_by_owner);
    check_str(r.skipped[0], "conversation with edited branches");
    fmtrun_clear(&r);
    buf_free(&b);
}

/* A mapping that runs in a circle ends all the same. */
static void chatgpt_circles_end(void **state)
{
    struct fmtrun r;
    struct buf b = BUF_INIT(0);
    buf_adds(&b,
             "[{\"title\":\"x\",\"create_time\":1,\"current_node\":\"a\",\"mapping\":{\"z\":{}");
    node(&b, "a", "b", "user", 1700000001, "one");
    node(&b, "b", "a", "user", 1700000002, "two");
    buf_adds(&b, "}}]");
    run(&r, &format_chatgpt, "conversations.json", buf_str(&b));
    assert_true(r.n >= 2 && r.n <= 3);
    fmtrun_clear(&r);
    buf_free(&b);
}

static void claude_conversation(void **state)
{
    struct fmtrun r;
    run(&r, &format_claude, "conversations.json",
        "[{\"uuid\":\"0123456789ab\",\"name\":\"\",\"created_at\":\"2024-06-01T09:00:00.000000Z\","
        "\"account\":{\"uuid\":\"z\"},\"chat_messages\":["
        "{\"uuid\":\"u1\",\"text\":\"Hello\",\"content\":[{\"type\":\"text\",\"text\":\"Hello\"}],"
        "\"sender\":\"human\",\"created_at\":\"2024-06-01T09:00:01.5Z\",\"attachments\":[]},"
        "{\"uuid\":\"u2\",\"text\":\"Old form\",\"sender\":\"assistant\","
        "\"created_at\":\"2024-06-01T09:00:02Z\"},"
        "{\"uuid\":\"u3\",\"text\":\"\",\"content\":[],\"sender\":\"human\"}]}]");
    check_int(r.n, 2);
    check_str(r.p[0].text, "Hello");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].thread, "Conversation (01234567)");
    check_time(r.p[0].written_at, "2024-06-01T09:00:01Z");
    check_str(r.p[1].author, "Claude");
    check_str(r.skipped[0], "empty message");
    fmtrun_clear(&r);
}

static void x_archive(void **state)
{
    struct fmtrun r;
    run(&r, &format_x, "tweets.js",
        "window.YTD.tweets.part0 = [\n  {\n    \"tweet\" : {\n      \"id_str\" : \"9\",\n"
        "      \"created_at\" : \"Wed Oct 10 20:19:24 +0000 2018\",\n      \"full_text\" : "
        "\"Tea &amp; boats &lt;3 https://t.co/abc\",\n      \"in_reply_to_status_id_str\" : "
        "\"8\",\n"
        "      \"entities\" : { \"urls\" : [ { \"url\" : \"https://t.co/abc\", \"expanded_url\" : "
        "\"https://example.org/boats\" } ] }\n    }\n  },\n  {\n    \"tweet\" : {\n"
        "      \"full_text\" : \"RT @bo: hello\", \"id_str\" : \"10\"\n    }\n  }\n]\n");
    check_int(r.n, 1);
    check_str(r.p[0].text, "Tea & boats <3 https://example.org/boats");
    check_time(r.p[0].written_at, "2018-10-10T20:19:24Z");
    check_str(r.p[0].reply_to, "8");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.skipped[0], "repost");
    fmtrun_clear(&r);
    run(&r, &format_x, "note-tweet.js",
        "window.YTD.note_tweet.part0 = [{\"noteTweet\":{\"noteTweetId\":\"5\",\"createdAt\":"
        "\"2023-02-08T18:00:00.000Z\",\"core\":{\"text\":\"A long one.\"}}}]");
    check_int(r.n, 1);
    check_time(r.p[0].written_at, "2023-02-08T18:00:00Z");
    fmtrun_clear(&r);
    fmtrun(&r, &format_x, "tweets.js", "window.YTD.tweets.part0 = {}");
    check_int(r.rc, ERR_PARSE);
}

static void mastodon_outbox(void **state)
{
    struct fmtrun r;
    run(&r, &format_mastodon, "outbox.json",
        "{\"@context\":\"https://www.w3.org/ns/activitystreams\",\"id\":\"outbox.json\",\"type\":"
        "\"OrderedCollection\",\"totalItems\":3,\"orderedItems\":["
        "{\"type\":\"Create\",\"published\":\"2022-11-20T08:15:00Z\",\"object\":{\"id\":\"n1\","
        "\"type\":\"Note\",\"summary\":\"boats\",\"inReplyTo\":null,\"content\":\"<p>She "
        "leaks.<br />Again &amp; again.</p>\",\"attachment\":[]}},"
        "{\"type\":\"Announce\",\"published\":\"2022-11-21T08:15:00Z\",\"object\":\"https://x/1\"},"
        "{\"type\":\"Create\",\"published\":\"2022-11-22T08:15:00Z\",\"object\":{\"id\":\"n2\","
        "\"type\":\"Note\",\"content\":\"\",\"attachment\":[{\"type\":\"Document\"}]}}]}");
    check_int(r.n, 1);
    check_str(r.p[0].title, "boats");
    check_str(r.p[0].text, "She leaks.\nAgain & again.");
    check_time(r.p[0].written_at, "2022-11-20T08:15:00Z");
    check_str(r.skipped[0], "repost");
    check_str(r.skipped[1], "media");
    fmtrun_clear(&r);
}

static void keep_notes(void **state)
{
    struct fmtrun r;
    run(&r, &format_keep, "Packing.json",
        "{\"color\":\"DEFAULT\",\"isTrashed\":false,\"isPinned\":false,\"listContent\":[{\"text\":"
        "\"rope\",\"isChecked\":true},{\"text\":\"tea\",\"isChecked\":false}],\"title\":"
        "\"Packing\","
        "\"userEditedTimestampUsec\":1600000000000000,\"createdTimestampUsec\":1500000000000000}");
    check_int(r.n, 1);
    check_str(r.p[0].title, "Packing");
    check_str(r.p[0].text, "rope\ntea");
    check_int(r.p[0].written_at, 1500000000);
    fmtrun_clear(&r);
    run(&r, &format_keep, "Old.json",
        "{\"isTrashed\":true,\"textContent\":\"gone\",\"title\":\"\"}");
    check_int(r.n, 0);
    check_str(r.skipped[0], "deleted note");
    fmtrun(&r, &format_keep, "Bad.json", "{\"isTrashed\":false,\"textContent\":");
    check_int(r.rc, ERR_PARSE);
}

static void dayone_journal(void **state)
{
    struct fmtrun r;
    run(&r, &format_dayone, "Journal.json",
        "{\"metadata\":{\"version\":\"1.0\"},\"entries\":[{\"uuid\":\"E1\",\"creationDate\":"
        "\"2023-03-04T05:06:07Z\",\"timeZone\":\"Europe\\/Oslo\",\"text\":\"# The harbour\\n\\n"
        "Rain again\\\\. **Cold**\\\\!\\n\\n![](dayone-moment:\\/\\/ABC)\\n\"},"
        "{\"uuid\":\"E2\",\"creationDate\":\"2023-03-05T05:06:07Z\",\"text\":\"\"},"
        "{\"uuid\":\"E3\",\"creationDate\":\"2023-03-06T05:06:07Z\",\"text\":\"# Alone\"}]}");
    check_int(r.n, 2);
    check_str(r.p[0].title, "The harbour");
    assert_non_null(strstr(r.p[0].text, "Rain again. Cold!"));
    check_time(r.p[0].written_at, "2023-03-04T05:06:07Z");
    check_str(r.p[0].id, "E1");
    check_str(r.p[1].text, "Alone");
    fmtrun_clear(&r);
}

/* Cut anywhere, a file is an error or a partial result, and never more than it was. */
static void cut_anywhere(void **state)
{
    static const char text[] =
        "{\"participants\":[],\"messages\":[{\"sender_name\":\"A\",\"timestamp_ms\":1577880000123,"
        "\"content\":\"one\"},{\"sender_name\":\"B\",\"timestamp_ms\":1577880000124,\"content\":"
        "\"two\"}],\"title\":\"t\",\"thread_path\":\"inbox/t\"}";
    for (size_t n = 1; n + 1 < sizeof text; n++) {
        struct fmtrun r;
        char part[sizeof text];
        snprintf(part, sizeof part, "%.*s", (int)n, text);
        fmtrun(&r, &format_meta, "message_1.json", part);
        if (!r.rc) fail_msg("cut at byte %zu of %zu was taken as whole", n, sizeof text - 1);
        check_int(r.rc, ERR_PARSE);
        assert_true(r.n <= 2);
        fmtrun_clear(&r);
    }
}

static void not_what_it_looks_like(void **state)
{
    struct fmtrun r;
    fmtrun(&r, &format_discord, "x.json", "{\"guild\":{},\"channel\":{},\"messages\":{}}");
    check_int(r.rc, ERR_PARSE);
    check_has(r.err.msg, "messages");
    fmtrun(&r, &format_discord, "x.json", "{\"messages\":[1,\"two\",{\"content\":\"three\"}]}");
    check_ok(r.rc, r.err);
    check_int(r.n, 1);
    check_str(r.skipped[0], "broken message");
    fmtrun_clear(&r);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(meta_messages),
        cmocka_unit_test(facebook_posts),
        cmocka_unit_test(facebook_comments),
        cmocka_unit_test(discord_channel),
        cmocka_unit_test(chatgpt_takes_the_branch_that_was_seen),
        cmocka_unit_test(chatgpt_circles_end),
        cmocka_unit_test(claude_conversation),
        cmocka_unit_test(x_archive),
        cmocka_unit_test(mastodon_outbox),
        cmocka_unit_test(keep_notes),
        cmocka_unit_test(dayone_journal),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(not_what_it_looks_like),
    };
    return check_run("text/exports", t);
}
