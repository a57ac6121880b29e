/* Exports that are tables, calendars, address books and notes: Reddit, ICS, vCard, Notion,
 * Obsidian, Apple Notes. docs/FORMATS.md says where each is described. */
#include "exports.h"

/* ---- Reddit ---- */

static void reddit_comments(void **state)
{
    struct fmtrun r;
    run(&r, &format_reddit, "comments.csv",
        "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\r\n"
        "c1,https://www.reddit.com/r/boats/c1/,2020-01-02 03:04:05 "
        "UTC,,boats,0,https://x,t1_c0,\"> Is it \"\"safe\"\"?\n\nYes, *very*.\",\r\n"
        "c2,https://x,2020-01-03 03:04:05 UTC,1.2.3.4,boats,0,https://x,,[removed],\r\n"
        "c3,https://x,2020-01-03 03:04:05 UTC,,goats,0,https://x,,\"Goats, yes\",\r\n"
        "c4,https://x,2020-01-03 03:04:05 UTC,,goats,0,https://x,,\"open");
    check_int(r.n, 2);
    check_str(r.p[0].text, "Yes, *very*.");
    check_str(r.p[0].quoted, "Is it \"safe\"?");
    check_str(r.p[0].author, "");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[0].thread, "r/boats");
    check_str(r.p[0].reply_to, "t1_c0");
    check_int(r.p[0].kind, PIECE_DOC);
    check_time(r.p[0].written_at, "2020-01-02T03:04:05Z");
    check_str(r.p[1].text, "Goats, yes");
    check_str(r.skipped[0], "deleted message");
    check_str(r.skipped[1], "row with an open quote");
    fmtrun_clear(&r);
}

static void reddit_posts_and_messages(void **state)
{
    struct fmtrun r;
    run(&r, &format_reddit, "posts.csv",
        "id,permalink,date,ip,subreddit,gildings,title,url,body\n"
        "p1,https://x,2020-01-02 03:04:05 UTC,,boats,0,A leak,https://x,Where is it?\n"
        "p2,https://x,2020-01-02 03:04:05 UTC,,boats,0,Look at this,https://i,\n");
    check_int(r.n, 2);
    check_str(r.p[0].title, "A leak");
    check_str(r.p[0].text, "Where is it?");
    check_str(r.p[1].title, "");
    check_str(r.p[1].text, "Look at this");
    fmtrun_clear(&r);
    run(&r, &format_reddit, "messages.csv",
        "id,permalink,thread_id,date,ip,from,to,subject,body\n"
        "m1,https://x,th1,2020-01-02 03:04:05 UTC,,bo_b,ann_l,Hello,Are you there?\n");
    check_int(r.p[0].kind, PIECE_MAIL);
    check_str(r.p[0].author, "bo_b");
    check_str(r.p[0].title, "Hello");
    check_str(r.p[0].thread, "th1");
    assert_false(r.p[0].sent_by_owner);
    fmtrun_clear(&r);
    run(&r, &format_reddit, "chat_history.csv",
        "message_id,created_at,updated_at,username,message,thread_parent_message_id,channel_url,"
        "subreddit,channel_name,conversation_type\n"
        "k1,2023-01-02 03:04:05 UTC,,ann_l,Hi,,sendbird_1,,bo_b,direct\n");
    check_int(r.p[0].kind, PIECE_CHAT);
    check_str(r.p[0].author, "ann_l");
    check_str(r.p[0].thread, "bo_b");
    fmtrun_clear(&r);
    run(&r, &format_reddit, "comment_votes.csv",
        "id,permalink,direction\nc1,https://x,up\nc2,https://x,down\n");
    check_int(r.n, 0);
    check_int(r.n_skipped, 2);
    check_str(r.skipped[0], "row without text");
    fmtrun_clear(&r);
}

/* ---- address books ---- */

static void vcards(void **state)
{
    struct fmtrun r;
    run(&r, &format_vcard, "contacts.vcf",
        "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3="
        "\r\n"
        "=B6rg;;;\r\nTEL;CELL:0170 1234567\r\nEMAIL;INTERNET:joerg@example.org\r\nEND:VCARD\r\n"
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lee;Ann;B.;Dr.;\r\nFN:Ann Lee\\, the\r\n  elder\r\n"
        "item1.EMAIL;type=INTERNET;type=pref:Ann@Example.org\r\nitem1.X-ABLabel:work\r\n"
        "END:VCARD\r\n"
        "BEGIN:VCARD\nVERSION:4.0\nFN:Bo "
        "Berg\nTEL;VALUE=uri;TYPE=\"voice,home\":tel:+49-30-555-0101;"
        "ext=2\nNICKNAME:Bobo\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:3.0\nN:;;;;\nORG:Ferries\\; Ltd;Tickets\nTEL:040 5550123\nEND:VCARD\n"
        "BEGIN:VCARD\nFN:Cut off\nTEL:0800 5550");
    check_int(r.n, 0);
    struct piece p = fmt_piece(PIECE_CHAT);
    p.author = "+49 170 1234567";
    check_str(names_author(names, &p), "Jörg Müller");
    p.author = "ann@example.org";
    check_str(names_author(names, &p), "Ann Lee, the elder");
    p.author = "+49305550101";
    check_str(names_author(names, &p), "Bo Berg");
    p.author = "+49405550123";
    check_str(names_author(names, &p), "Ferries; Ltd");
    check_int(r.n_skipped, 5);
    check_str(r.skipped[3], "name of a person");
    check_str(r.skipped[4], "broken card");
    fmtrun_clear(&r);
}

/* ---- calendars ---- */

static void calendar(void **state)
{
    struct fmtrun r;
    run(&r, &format_ics, "calendar.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VTIMEZONE\r\n"
        "TZID:Europe/Berlin\r\nBEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
        "DTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n"
        "BEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nDTSTART:19701025T030000\r\n"
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        "BEGIN:VEVENT\r\nUID:1@x\r\nDTSTART;TZID=Europe/Berlin:20210705T150000\r\n"
        "SUMMARY:Boat\\, again\r\nDESCRIPTION:Bring rope\\nand te\r\n a\\; cups \\\\ plates\r\n"
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\nEND:VALARM\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nUID:2@x\r\nDTSTART;TZID=Europe/Berlin:20210328T015959\r\n"
        "SUMMARY:Before the change\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nUID:3@x\r\nDTSTART;TZID=Europe/Berlin:20210328T030000\r\n"
        "SUMMARY:After it\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nUID:4@x\r\nDTSTART;VALUE=DATE:20991224\r\nSUMMARY:Far ahead\r\n"
        "ORGANIZER;CN=\"Bo; Berg\":mailto:bo@example.org\r\nDESCRIPTION:<p>See <b>you</b><br>there"
        "</p>\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nDTSTART:20210105T151512Z\r\nSTATUS:CANCELLED\r\nSUMMARY:Off\r\n"
        "END:VEVENT\r\n"
        "BEGIN:VEVENT\r\nDTSTART:20210105T151512Z\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nDTSTART:20211231T235959Z\r\nSUMMARY:Last\r\nEND:VEVENT\r\n"
        "END:VCALENDAR\r\n");
    check_int(r.n, 5);
    check_str(r.p[0].title, "Boat, again");
    check_str(r.p[0].text, "Bring rope\nand tea; cups \\ plates");
    check_str(r.p[0].author, "");
    check_str(r.p[0].id, "1@x");
    check_time(r.p[0].written_at, "2021-07-05T13:00:00Z");
    check_str(r.p[1].text, "Before the change");
    check_str(r.p[1].title, "");
    check_time(r.p[1].written_at, "2021-03-28T00:59:59Z");
    check_time(r.p[2].written_at, "2021-03-28T01:00:00Z");
    check_time(r.p[3].written_at, "2099-12-24T00:00:00Z");
    check_str(r.p[3].author, "Bo; Berg");
    check_str(r.p[3].author_id, "bo@example.org");
    check_str(r.p[3].text, "See you\nthere");
    check_time(r.p[4].written_at, "2021-12-31T23:59:59Z");
    check_int(r.n_skipped, 2);
    check_str(r.skipped[0], "cancelled event");
    check_str(r.skipped[1], "event without words");
    fmtrun_clear(&r);
}

/* ---- notes ---- */

static void notion_pages(void **state)
{
    static const char page[] = "The harbour 0123456789abcdef0123456789abcdef.md";
    struct fmtrun r;
    run(&r, &format_notion, page,
        "# The harbour\n\nTags: boats, rain\nCreated: January 5, 2021 3:15 PM\nDone: No\n\nNote: "
        "it "
        "rains. See [Knots](Knots%20fedcba9876543210fedcba9876543210.md).\n\n> Somebody said\n");
    check_int(r.n, 1);
    check_str(r.p[0].title, "The harbour");
    check_str(r.p[0].text, "Note: it rains. See Knots.");
    check_str(r.p[0].quoted, "Somebody said");
    check_time(r.p[0].written_at, "2021-01-05T15:15:00Z");
    check_str(r.skipped[0], "properties of a page");
    fmtrun_clear(&r);
    run(&r, &format_notion, page, "# The harbour\n\nNote: it rains,\nand it is cold.\n");
    check_str(r.p[0].text, "Note: it rains,\nand it is cold."); /* no properties */
    fmtrun_clear(&r);
    run(&r, &format_notion, page, "It rains.\n");
    check_str(r.p[0].title, "The harbour");
    fmtrun_clear(&r);
    run(&r, &format_notion, "Boats 0123456789abcdef0123456789abcdef_all.csv",
        "Name,Tags,Text\nKnots,\"a, b\",words\n");
    check_int(r.n, 0);
    check_str(r.skipped[0], "row of a database");
    fmtrun_clear(&r);
}

static void obsidian_notes(void **state)
{
    struct fmtrun r;
    run(&r, &format_markdown, "Daily/2021-01-05.md",
        "---\ntags: [boats, rain]\naliases:\n  - Harbour\ncssclass: wide\n---\nMet [[Bo Berg|Bo]] "
        "at "
        "[[Harbour#East side]], see [[Knots#^a1b2]] and [[#Plan]]. #boats ![[map.png|300]]\n\n"
        "> [!note]- My plan\n> Row out.\n> - early\n\n> [!quote] Somebody\n> Never row.\n\n"
        "> Plain quote\n");
    check_int(r.n, 1);
    check_str(r.p[0].title, "2021-01-05");
    check_time(r.p[0].written_at, "2021-01-05T00:00:00Z");
    check_str(r.p[0].text, "Met Bo at Harbour#East side, see Knots and Plan. #boats\n\n"
                           "My plan Row out.\n- early");
    check_str(r.p[0].quoted, "Somebody Never row.\n\nPlain quote");
    fmtrun_clear(&r);
    run(&r, &format_markdown, "5 January 2021.md", "Cold.\n");
    check_time(r.p[0].written_at, "2021-01-05T00:00:00Z");
    fmtrun_clear(&r);
}

/* As the Exporter app and Obsidian's importer write them, and as HTML. */
static void apple_notes(void **state)
{
    struct fmtrun r;
    run(&r, &format_markdown, "Shopping.md",
        "---\ntitle: Shopping\nCreated: 2021-01-05T15:15:12+01:00\nmodified: 2021-02-05T15:15:12Z\n"
        "---\n# Shopping\n\n- [x] rope\n- [ ] tea\n");
    check_str(r.p[0].title, "Shopping");
    check_str(r.p[0].text, "- rope\n- tea");
    check_time(r.p[0].written_at, "2021-01-05T14:15:12Z");
    fmtrun_clear(&r);
    run(&r, &format_html, "Shopping.html",
        "<html><head><title>Shopping</title></head><body><div><h1>Shopping</h1></div>\n"
        "<div>Rope &amp; tea<br></div>\n<ul class=\"Apple-dash-list\"><li>nails</li></ul></body>"
        "</html>");
    check_str(r.p[0].title, "Shopping");
    assert_non_null(strstr(r.p[0].text, "Rope & tea"));
    assert_non_null(strstr(r.p[0].text, "nails"));
    fmtrun_clear(&r);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(reddit_comments, fresh, done),
        cmocka_unit_test_setup_teardown(reddit_posts_and_messages, fresh, done),
        cmocka_unit_test_setup_teardown(vcards, fresh, done),
        cmocka_unit_test_setup_teardown(calendar, fresh, done),
        cmocka_unit_test_setup_teardown(notion_pages, fresh, done),
        cmocka_unit_test_setup_teardown(obsidian_notes, fresh, done),
        cmocka_unit_test_setup_teardown(apple_notes, fresh, done),
    };
    return check_run("text/exports_more", t);
}
