/* Chat exports that lie in several files, or name people elsewhere: Slack, Matrix, Google Chat,
 * Signal. The texts follow what the programs write, quirks included; docs/FORMATS.md says where each
 * is described. */
#include "fmtrun.h"

#include "text/names.h"

static struct names *names;

static int fresh(void **state)
{
    names_free(names);
    names = names_new();
    return names ? 0 : -1;
}

static int done(void **state)
{
    names_free(names);
    names = NULL;
    return 0;
}

/* As a run does: with the names of the files before. */
static void run(struct fmtrun *r, const struct format *f, const char *path, const char *text)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    assert_true(fmtrun_score(f, base, text) > 90);
    for (const struct format *const *g = formats; *g; g++)
        if (*g != f && fmtrun_score(*g, base, text) >= fmtrun_score(f, base, text))
            fail_msg("%s is claimed by %s", path, (*g)->name);
    fmtrun_named(r, f, path, text, names);
    check_ok(r->rc, r->err);
}

static void check_time(int64_t t, const char *iso)
{
    char s[32];
    check_str(clock_iso(t, s), iso);
}

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
        cmocka_unit_test_setup_teardown(address_book, fresh, done),
    };
    return check_run("text/exports_chat", t);
}
