/* What programs send of themselves: Discord's package, Signal's own export; and the files that come
 * along in such exports and say nothing. docs/FORMATS.md says where each is described. */
#include "exports.h"

/* ---- Discord's package ---- */

static void discord_package(void **state)
{
    struct fmtrun r;
    run(&r, &format_discord, "p/Messages/index.json",
        "{\"469641859543728149\": \"general in Boats\", \"469641859543728150\": \"Direct Message "
        "with bo#0\"}");
    check_int(r.n, 0);
    fmtrun_clear(&r);
    run(&r, &format_discord, "p/Messages/c469641859543728149/channel.json",
        "{\"id\": \"469641859543728149\", \"type\": \"GUILD_TEXT\", \"name\": \"general\", "
        "\"guild\": {\"id\": \"4\", \"name\": \"Boats\"}}");
    fmtrun_clear(&r);
    run(&r, &format_discord, "p/Messages/c469641859543728149/messages.json",
        "[{\"ID\": 469641859543728151, \"Timestamp\": \"2018-07-19 23:09:04\", \"Contents\": "
        "\"Harbour lights \\u00e9\", \"Attachments\": \"\"}, {\"ID\": 2, \"Timestamp\": "
        "\"2018-07-19 23:10:04\", \"Contents\": \"\", \"Attachments\": \"https://cdn\"}]");
    check_int(r.n, 1);
    check_str(r.p[0].text, "Harbour lights é");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].thread, "Boats / general (469641859543728149)");
    check_str(r.p[0].id, "469641859543728151");
    check_time(r.p[0].written_at, "2018-07-19T23:09:04Z");
    check_str(r.skipped[0], "media");
    fmtrun_clear(&r);
    run(&r, &format_discord, "p/Messages/c469641859543728150/messages.csv",
        "ID,Timestamp,Contents,Attachments\n"
        "7,2020-01-02 03:04:05.123000+00:00,\"One, \"\"two\"\"\nthree\",\n8,never,x,\n");
    check_int(r.n, 2);
    check_str(r.p[0].text, "One, \"two\"\nthree");
    check_str(r.p[0].thread, "Direct Message with bo#0 (469641859543728150)");
    check_time(r.p[0].written_at, "2020-01-02T03:04:05Z");
    check_int(r.p[1].written_at, CLOCK_NONE);
    check_str(r.skipped[0], "date not understood");
    fmtrun_clear(&r);
}

/* ---- Signal's own export ---- */

static void signal_own(void **state)
{
    struct fmtrun r;
    run(&r, &format_signal, "signal-export/main.jsonl",
        "{\"version\":\"1\",\"backupTimeMs\":\"1780000000000\",\"mediaRootBackupKey\":\"AA==\"}\n"
        "{\"account\":{\"givenName\":\"Ann\"}}\n"
        "{\"recipient\":{\"id\":\"1\",\"self\":{}}}\n"
        "{\"recipient\":{\"id\":\"2\",\"contact\":{\"aci\":\"Qk8=\",\"e164\":\"491701234567\","
        "\"profileGivenName\":\"Bobo\",\"systemGivenName\":\"Bo\",\"systemFamilyName\":\"Berg\"}}}"
        "\n"
        "{\"recipient\":{\"id\":\"3\",\"contact\":{\"e164\":\"+15550001111\"}}}\n"
        "{\"recipient\":{\"id\":\"4\",\"group\":{\"snapshot\":{\"title\":{\"title\":\"Boats\"}}}}}"
        "\n"
        "{\"chat\":{\"id\":\"10\",\"recipientId\":\"2\"}}\n"
        "{\"chat\":{\"id\":\"11\",\"recipientId\":\"4\"}}\n"
        "{\"chatItem\":{\"chatId\":\"10\",\"authorId\":\"1\",\"dateSent\":\"1700000000123\","
        "\"outgoing\":{\"sendStatus\":[]},\"standardMessage\":{\"text\":{\"body\":\"Tea?\"},"
        "\"reactions\":[{\"emoji\":\"x\"}]},\"revisions\":[{\"chatId\":\"10\",\"authorId\":\"1\","
        "\"dateSent\":\"1699999999000\",\"standardMessage\":{\"text\":{\"body\":\"Te\"}}}]}}\n"
        "{\"chatItem\":{\"chatId\":\"10\",\"authorId\":\"2\",\"dateSent\":\"1700000060000\","
        "\"incoming\":{\"dateReceived\":\"1\",\"read\":true},\"standardMessage\":{\"quote\":{"
        "\"targetSentTimestamp\":\"1700000000123\",\"authorId\":\"1\",\"text\":{\"body\":\"Tea?\"}}"
        ","
        "\"text\":{\"body\":\"Yes\"}}}}\n"
        "{\"chatItem\":{\"chatId\":\"11\",\"authorId\":\"3\",\"dateSent\":\"1700000120000\","
        "\"incoming\":{},\"standardMessage\":{\"text\":{\"body\":\"Ask \xEF\xBF\xBC now\","
        "\"bodyRanges\":[{\"start\":0,\"length\":3,\"style\":\"BOLD\"},{\"start\":4,\"length\":1,"
        "\"mentionAci\":\"Qk8=\"}]}}}}\n"
        "{\"chatItem\":{\"chatId\":\"10\",\"authorId\":\"2\",\"dateSent\":\"1700000180000\","
        "\"incoming\":{},\"remoteDeletedMessage\":{}}}\n"
        "{\"chatItem\":{\"chatId\":\"10\",\"authorId\":\"2\",\"dateSent\":\"1700000180000\","
        "\"directionless\":{},\"updateMessage\":{\"simpleUpdate\":{\"type\":\"JOINED_SIGNAL\"}}}}\n"
        "{\"chatItem\":{\"chatId\":\"10\",\"authorId\":\"2\",\"dateSent\":\"1700000180000\","
        "\"incoming\":{},\"standardMessage\":{\"attachments\":[{}]}}}\n"
        "{\"chatItem\":{\"chatId\":\"10\",\"authorId\":\"1\",\"dateSent\":\"1700000240000\","
        "\"outgoing\":{},\"poll\":{\"question\":\"Which "
        "boat?\",\"options\":[{\"option\":\"a\"}]}}}\n"
        "not json\n");
    check_int(r.n, 4);
    check_str(r.p[0].text, "Tea?");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].thread, "Bo Berg");
    check_time(r.p[0].written_at, "2023-11-14T22:13:20Z");
    check_str(r.p[1].text, "Yes");
    check_str(r.p[1].quoted, "Tea?");
    check_str(r.p[1].reply_to, "1700000000123");
    check_str(r.p[1].author, "Bo Berg");
    check_str(r.p[1].author_id, "+491701234567");
    check_str(r.p[2].text, "Ask @Bo Berg now");
    check_str(r.p[2].thread, "Boats");
    check_str(r.p[2].author, "+15550001111");
    check_str(r.p[3].text, "Which boat?");
    check_str(r.skipped[0], "deleted message");
    check_str(r.skipped[1], "system line");
    check_str(r.skipped[2], "media");
    check_str(r.skipped[3], "broken message");
    fmtrun_clear(&r);
}

/* ---- files beside ---- */

/* Whose is it, by path and content? */
static const char *whose(const char *path, const char *text)
{
    const struct format *f = NULL;
    const char *slash = strrchr(path, '/');
    struct format_in in = { .size = strlen(text), .path = path };
    int most = 0;
    snprintf(in.name, sizeof in.name, "%s", slash ? slash + 1 : path);
    in.head = (unsigned char *)str_dup(text);
    in.head_n = strlen(text);
    for (const struct format *const *g = formats; *g; g++) {
        int score = (*g)->score(&in);
        if (score > most) most = score, f = *g;
    }
    free(in.head);
    return f ? f->name : "none";
}

static void files_that_say_nothing(void **state)
{
    static const char *const t[][2] = {
        { "x/Takeout/archive_browser.html", "<html><body>Your archive</body></html>" },
        { "Takeout/Keep/Packing.html",
          "<html><body><div class=\"note DEFAULT\"><div class=\"heading\">" },
        { "z/My Activity/Search/MyActivity.html",
          "<html><div class=\"outer-cell mdl-cell mdl-cell--12-col\">Searched for boats" },
        { "Takeout/Chrome/Bookmarks.html", "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL>" },
        { "Takeout/Google Photos/IMG_1.jpg.json", "{\n \"title\": \"IMG_1.jpg\"\n}" },
        { "Takeout/Fit/Daily.csv", "date,text\n2020-01-01,steps\n" },
        { "fb/messages/inbox/bo/message_1.html", "<html><div class=\"_a6-g\">Hi</div>" },
        { "fb/your_facebook_activity/comments/c.json", "[{\"timestamp\": 1, \"title\": \"x\"}]" },
        { "telegram/messages.html",
          "<html><div class=\"page_wrap\"><div class=\"page_body chat_page\">" },
        { "d/general.html", "<html><div class=\"chatlog__message-group\">" },
        { "twitter/data/like.js",
          "window.YTD.like.part0 = [{\"like\":{\"fullText\":\"Not mine\"}}]" },
        { "twitter/data/deleted-tweets.js",
          "window.YTD.deleted_tweets.part0 = [{\"tweet\":{\"full_text\":\"Gone\"}}]" },
        { "twitter/data/manifest.js", "window.__THAR_CONFIG = {}" },
        { "twitter/Your archive.html", "<html></html>" },
        { "mastodon/likes.json",
          "{\"type\":\"OrderedCollection\",\"orderedItems\":[\"https://x\"]}" },
        { "mastodon/actor.json",
          "{\"preferredUsername\":\"ann\",\"outbox\":\"outbox.json\",\"summary\":\"<p>Me</p>\"}" },
        { "signal/Bo/chat.md", "[2021-05-01 10:00:00] Me: Signals in the fog  \n" },
        { "signal/Bo/index.html",
          "<!DOCTYPE html><link href=\"../style.css\"/><div class=\"msg me\">Signals" },
        { "signal/style.css", ".msg { color: red }" },
        { "gpt/chat.html", "<html><script>var jsonData = [];" },
        { "gpt/message_feedback.json", "[{\"id\":\"1\",\"conversation_id\":\"2\",\"content\":\"{}"
                                       "\",\"rating\":\"thumbs_up\"}]" },
        { "claude/users.json",
          "[{\"uuid\":\"1\",\"full_name\":\"Ann\",\"email_address\":\"a@b.c\"}]" },
        { "discord/Activity/analytics/events-1.json",
          "{\"event_type\":\"x\",\"event_id\":\"1\",\"text\":\"open\"}\n" },
        { "notion/index.html",
          "<html><a href=\"Harbour%200123456789abcdef0123456789abcdef.html\">Harbour</a>" },
        { "reddit/announcements.csv", "announcement_id,sent_at,subject,body\n1,2,3,Buy coins\n" },
        { "reddit/statistics.csv", "statistic,value\nkarma,7\n" },
        { "signal-export/metadata.json", "{\"version\":1}" },
    };
    static const char *const others[][3] = {
        { "notes/index.html", "<html><body><p>A page of mine.</p></body></html>", "html" },
        { "notes/chat.md", "# Talk\n\nWe talked.\n", "markdown" },
        { "Takeout/Keep/Packing.json",
          "{\"isTrashed\": false, \"textContent\": \"rope\", \"title\": \"P\"}", "keep" },
        { "Takeout/Drive/list.csv", "date,text\n2020-01-01,mine\n", "csv" },
        { "x/friends.csv", "name,text,date\nBo,Hello,2020-01-01\n", "csv" },
        { "README.txt", "How I keep goats.", "text" },
        { "twitter/data/tweets.js",
          "window.YTD.tweets.part0 = [{\"tweet\":{\"full_text\":\"Mine\"}}]", "x" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct fmtrun r;
        if (strcmp(whose(t[i][0], t[i][1]), "aside") != 0)
            fail_msg("%s: %s", t[i][0], whose(t[i][0], t[i][1]));
        fmtrun(&r, &format_aside, t[i][0], t[i][1]);
        check_int(r.rc, 0);
        check_int(r.n, 0);
        check_int(r.n_skipped, 1);
        fmtrun_clear(&r);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(whose(others[i][0], others[i][1]), others[i][2]) != 0)
            fail_msg("%s: %s", others[i][0], whose(others[i][0], others[i][1]));
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(discord_package, fresh, done),
        cmocka_unit_test_setup_teardown(signal_own, fresh, done),
        cmocka_unit_test(files_that_say_nothing),
    };
    return check_run("text/packages", t);
}
