#include "fmtrun.h"

#include "text/mail.h"

#include <time.h>

#define HEAD(from, extra)                                                                          \
    "From: " from "\nTo: marit@example.org\nDate: Mon, 4 Mar 2019 10:22:07 +0100\n"                \
    "Message-ID: <1@x>\nSubject: Re: AW: Boats\nMIME-Version: 1.0\n" extra
#define ANNA "=?UTF-8?Q?Anna_Wei=C3=9F?= <Anna@Example.NET>"
#define UTF8 "Content-Type: text/plain; charset=utf-8\n"

static void fields(void **state)
{
    struct fmtrun r;
    fmtrun(&r, &format_eml, "a.eml",
           HEAD(ANNA, UTF8 "References: <root@x>\n <mid@x>\nIn-Reply-To: <mid@x>\n") "\nHello.\n");
    check_ok(r.rc, r.err);
    check_int(r.n, 1);
    check_int(r.p[0].kind, PIECE_MAIL);
    check_str(r.p[0].text, "Hello.");
    check_str(r.p[0].author, "Anna Weiß");
    check_str(r.p[0].author_id, "anna@example.net");
    check_str(r.p[0].title, "Boats");
    check_str(r.p[0].id, "1@x");
    check_str(r.p[0].reply_to, "mid@x");
    check_str(r.p[0].thread, "root@x");
    check_int(r.p[0].written_at, clock_from_civil(2019, 3, 4, 9, 22, 7));
    assert_false(r.p[0].sent_by_owner);
    fmtrun_clear(&r);

    fmtrun(&r, &format_eml, "a.eml", HEAD("anna@example.net", UTF8) "\nHello.\n");
    check_str(r.p[0].author, "anna");
    check_str(r.p[0].thread, "1@x");
    check_str(r.p[0].reply_to, "");
    fmtrun_clear(&r);
}

static const char two[] = "From 1@xxx Mon Mar 04 10:22:07 +0000 2019\nX-Gmail-Labels: Sent\n" HEAD(
    "Marit <m@example.org>",
    UTF8) "\n>From the pew I saw.\n\nFrom 2019 on, 10:30 it is.\n"
          "\n>>From kept\n\nFrom 2@xxx Tue Mar 05 10:22:07 2019\n" HEAD(ANNA, UTF8) "\nTwo.\n\n";

static void mailboxes(void **state)
{
    struct fmtrun r;
    fmtrun(&r, &format_mbox, "a.mbox", two);
    check_ok(r.rc, r.err);
    check_int(r.n, 2);
    check_str(r.p[0].text, "From the pew I saw.\n\nFrom 2019 on, 10:30 it is.");
    check_str(r.p[0].quoted, "From kept");
    assert_true(r.p[0].sent_by_owner);
    check_str(r.p[1].text, "Two.");
    assert_false(r.p[1].sent_by_owner);
    fmtrun_clear(&r);

    struct buf b = { 0 }; /* CRLF throughout */
    for (const char *p = two; *p; p++) buf_adds(&b, *p == '\n' ? "\r\n" : (char[]){ *p, 0 });
    fmtrun(&r, &format_mbox, "a.mbox", b.p);
    check_int(r.n, 2);
    check_str(r.p[0].text, "From the pew I saw.\n\nFrom 2019 on, 10:30 it is.");
    check_str(r.p[1].text, "Two.");
    fmtrun_clear(&r);
    buf_free(&b);
}

static void sent_by_name(void **state)
{
    static const struct {
        const char *path;
        bool sent;
    } c[] = { { "x/Sent.mbox", true },    { "x/Sent", true },
              { "m/.Sent/cur/12", true }, { "Sent Messages.mbox/mbox", true },
              { "x/Gesendet", true },     { "x/Sentinel.mbox", false },
              { "x/Inbox.mbox", false },  { "Sent-1", true } };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct fmtrun r;
        const char *text = HEAD(ANNA, UTF8) "\nHello.\n";
        fmtrun_path(&r, &format_eml, c[i].path, text, strlen(text), -1, 0);
        check_int(r.n, 1);
        check_int(r.p[0].sent_by_owner, c[i].sent);
        fmtrun_clear(&r);
    }
}

static void left_out(void **state)
{
    static const struct {
        const char *head, *why;
    } c[] = {
        { "List-Id: <l.example.org>\n", "bulk mail" },
        { "Precedence: bulk\n", "bulk mail" },
        { "Auto-Submitted: auto-replied\n", "bulk mail" },
        { "X-Gmail-Labels: Drafts\n", "draft" },
        { "X-Gmail-Labels: =?UTF-8?Q?Entw=C3=BCrfe?=\n", "draft" },
        { "X-Gmail-Labels: Inbox,Spam\n", "spam" },
        { "X-Gmail-Labels: Archived,Trash,Opened\n", "deleted mail" },
        { "X-Gmail-Labels: =?UTF-8?Q?Archiviert,Papierkorb?=\n", "deleted mail" },
        { "X-Gmail-Labels: =?UTF-8?Q?Archiv=C3=A9s,Messages_envoy=C3=A9s?=,\n =?UTF-8?Q?Corb?="
          "\n =?UTF-8?Q?eille?=\n",
          "deleted mail" },
        { "X-Gmail-Labels: Archived,Important,Opened,Trashy ideas\n", NULL },
        { "Auto-Submitted: no\n", NULL },
        { "List-Id: <l.example.org>\nX-Gmail-Labels: Opened,\"Sent\"\n", NULL }
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct fmtrun r;
        char text[800];
        snprintf(text, sizeof text, "%s%s\nHello.\n", c[i].head, HEAD(ANNA, UTF8));
        fmtrun(&r, &format_eml, "a.eml", text);
        check_ok(r.rc, r.err);
        check_int(r.n, c[i].why == NULL);
        if (c[i].why) check_str(r.skipped[0], c[i].why);
        fmtrun_clear(&r);
    }
}

static void bodies(void **state)
{
    static const struct {
        const char *head, *body, *want, *quoted;
    } c[] = {
        { "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
          "quoted-printable\n",
          "caf=E9 =\nnoir\n", "café noir", "" },
        { "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n",
          "Y2Fmw6kK\n", "café", "" },
        { "Content-Type: text/plain\n", "caf\xE9 noir, d\xE9j\xE0 vu\n", "café noir, déjà vu", "" },
        { "Content-Type: text/plain; charset=nonesuch\n", "caf\xC3\xA9\n", "café", "" },
        { "", "no type\n", "no type", "" },
        { "Content-Type: text/plain; charset=utf-8; format=flowed\n",
          "One \ntwo.\n\n> hers \n> too\n", "One two.", "hers too" },
        { "Content-Type: multipart/alternative; boundary=b\n",
          "--b\nContent-Type: text/plain\n\nplain\n--b\nContent-Type: "
          "text/html\n\n<p>rich</p>\n--b--\n",
          "plain", "" },
        { "Content-Type: multipart/alternative; boundary=b\n",
          "--b\nContent-Type: text/plain\n\n \n--b\nContent-Type: "
          "text/html\n\n<p>rich</p>\n--b--\n",
          "rich", "" },
        { "Content-Type: multipart/mixed; boundary=b\n",
          "--b\nContent-Type: text/plain\n\nmine\n--b\nContent-Type: message/rfc822\n\n"
          "From: Hugh <h@x>\nSubject: s\n\nhis\n--b--\n",
          "mine", "his" },
        { "Content-Type: multipart/mixed; boundary=b\n",
          "--b\nContent-Type: text/plain\n\nmine\n--b\nContent-Type: text/plain; name=notes.txt\n"
          "Content-Disposition: attachment\n\nnot mine\n--b--\n",
          "mine", "" },
        { "Content-Type: text/html; charset=utf-8\n",
          "<p>Mine.</p><div>On Mon, 4 Mar 2019 at 10:22, A &lt;a@x.org&gt; wrote:</div>"
          "<blockquote>Hers</blockquote><p>And mine.</p>\n",
          "Mine.\n\nAnd mine.", "Hers" },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct fmtrun r;
        char text[1200];
        snprintf(text, sizeof text, "%s%s\n%s", HEAD(ANNA, ""), c[i].head, c[i].body);
        fmtrun(&r, &format_eml, "a.eml", text);
        check_ok(r.rc, r.err);
        check_int(r.n, 1);
        check_str(r.p[0].text, c[i].want);
        check_str(r.p[0].quoted, c[i].quoted);
        fmtrun_clear(&r);
    }
}

static void broken(void **state)
{
    struct fmtrun r;
    struct buf b = { 0 };
    buf_adds(&b, "From 1@xxx Mon Mar 04 10:22:07 2019\n:not a header at all\n\nx\n\n");
    size_t at = b.n;
    buf_adds(&b, "From 2@xxx Mon Mar 04 10:22:07 2019\n" HEAD("", UTF8) "\nNobody's.\n\n");
    buf_adds(&b, "From 3@xxx Mon Mar 04 10:22:07 2019\n" HEAD(ANNA, UTF8) "\nGood.\n");
    fmtrun(&r, &format_mbox, "a.mbox", b.p);
    check_ok(r.rc, r.err);
    check_int(r.n, 1);
    check_str(r.p[0].text, "Good.");
    check_int(r.n_skipped, 2);
    check_str(r.skipped[0], "broken mail");
    check_int(r.where[0], 1);
    check_str(r.skipped[1], "mail without a sender");
    check_int(r.where[1], at + 1);
    fmtrun_clear(&r);
    fmtrun(&r, &format_eml, "a.eml", "a letter\nwith secret words\n");
    check_int(r.rc, ERR_PARSE);
    check_has(r.err.msg, "a.eml");
    check_has(r.err.msg, "--as");
    check_hasnt(r.err.msg, "secret");
    fmtrun_clear(&r);
    buf_free(&b);
}

/* Shapes made to cost: many parts, deep parts, endless headers, alternatives in alternatives. */
static void hostile(void **state)
{
    struct fmtrun r;
    struct buf b = { 0 };
    clock_t was = clock();
    for (int shape = 0; shape < 4; shape++) {
        buf_clear(&b);
        buf_adds(&b, HEAD(ANNA, "Content-Type: multipart/mixed; boundary=b\n") "\n");
        buf_adds(&b, "--b\nContent-Type: text/plain\n\nGood.\n");
        for (int i = 0; shape == 0 && i < 1000000; i++) buf_adds(&b, "--b\n\nx\n");
        for (int i = 0; shape == 1 && i < 2000; i++)
            buf_printf(&b, "--%s%d\nContent-Type: multipart/alternative; boundary=c%d\n\n",
                       i ? "c" : "b", i ? i - 1 : 0, i);
        for (int i = 0; shape == 2 && i < 300000; i++) buf_adds(&b, i ? "x: y\n" : "--b\n");
        for (int i = 0; shape == 3 && i < 2000; i++)
            buf_adds(&b, "--b\nContent-Type: message/rfc822\n\n");
        fmtrun(&r, &format_eml, "a.eml", b.p);
        check_ok(r.rc, r.err);
        check_int(r.n, 1);
        check_int(strncmp(r.p[0].text, "Good.", 5), 0);
        fmtrun_clear(&r);
    }
    buf_free(&b);
    assert_true((clock() - was) / CLOCKS_PER_SEC < 20);
}

static void future(void **state)
{
    struct fmtrun r;
    fmtrun(&r, &format_eml, "a.eml",
           "From: a@x\nDate: Mon, 4 Mar 2099 10:22:07 +0000\nMessage-ID: <1@x>\n\nHello.\n");
    check_int(r.n, 1);
    check_int(r.p[0].written_at, CLOCK_NONE);
    check_str(r.skipped[0], "date in the future");
    fmtrun_clear(&r);
    fmtrun(&r, &format_eml, "a.eml",
           "From: a@x\nReceived: by y; Mon, 4 Mar 2019 10:22:07 +0000\nSubject: s\n\nHello.\n");
    check_int(r.p[0].written_at, clock_from_civil(2019, 3, 4, 10, 22, 7));
    fmtrun_clear(&r);
}

static void recognised(void **state)
{
    assert_true(fmtrun_score(&format_mbox, "x", two) > 90);
    check_int(fmtrun_score(&format_eml, "x.eml", two), 0);
    assert_true(fmtrun_score(&format_eml, "x", HEAD(ANNA, UTF8) "\nHello.\n") > 90);
    check_int(fmtrun_score(&format_mbox, "x", HEAD(ANNA, UTF8) "\nHello.\n"), 0);
    check_int(fmtrun_score(&format_mbox, "x.txt", "From the harbour we saw\nnothing.\n"), 0);
    assert_true(fmtrun_score(&format_eml, "x.txt", "Title: a\nDate: b\n\nText.\n") < 50);
    assert_true(fmtrun_score(&format_eml, "1.emlx", "120\nFrom: a@x\nDate: b\n\nText.\n") > 90);
}

static void emlx(void **state)
{
    struct fmtrun r;
    fmtrun(&r, &format_eml, "1.emlx",
           "42        \nFrom: a@x\nDate: 4 Mar 2019 10:22\n\nHello!!\n<?xml plist>\n");
    check_ok(r.rc, r.err);
    check_int(r.n, 1);
    check_str(r.p[0].text, "Hello!!");
    fmtrun_clear(&r);
}

/* What once brought the whole mailbox down costs one mail now: addresses that nest by the ten
 * thousand (GMime reads them by recursion), in the first header line and in a folded one, and a
 * page made to be slow. */
static void one_bad_mail_costs_itself(void **state)
{
    static const char *const head = "From 1@x Mon Mar 04 10:22:07 +0000 2019\n";
    struct fmtrun r;
    struct buf b = { 0 };
    for (int kind = 0; kind < 4; kind++) {
        buf_clear(&b);
        buf_printf(&b, "%s%s\nThe first.\n\n%s", head, HEAD(ANNA, UTF8), head);
        if (kind == 3) buf_adds(&b, HEAD(ANNA, "Content-Type: text/html\n") "\n");
        else buf_adds(&b, kind == 1 ? "Subject: x\nTo: a,\n " : "From: ");
        for (int i = 0; i < 60000; i++)
            buf_adds(&b, kind == 3 ? "<a x==\"<div>\">" : kind == 2 ? "(" : "a:");
        buf_printf(&b, "\n%s\n\n%s%s\nThe last.\n", kind == 3 ? "" : "Date: x\n\nbad", head,
                   HEAD(ANNA, UTF8));
        fmtrun(&r, &format_mbox, "a.mbox", b.p);
        check_ok(r.rc, r.err);
        assert_true(r.n >= 2);
        check_str(r.p[0].text, "The first.");
        check_str(r.p[r.n - 1].text, "The last.");
        fmtrun_clear(&r);
    }
    buf_clear(&b);
    buf_adds(&b, "From: ");
    for (int i = 0; i < 60000; i++) buf_adds(&b, "a:");
    buf_adds(&b, "\nDate: Mon, 4 Mar 2019 10:22:07 +0100\n\nHello.\n");
    fmtrun(&r, &format_eml, "a.eml", b.p);
    check_int(r.n, 0);
    fmtrun_clear(&r);
    buf_free(&b);
}

static void repeat(struct buf *b, const char *s, int n)
{
    while (n-- > 0) buf_adds(b, s);
}

/* Fields that GMime would read by recursion or in quadratic time, also where GMime sees a field and
 * RFC 5322 does not: behind a line that is none, with blanks before the colon. */
static void fields_made_to_cost(void **state)
{
    static const struct {
        const char *before, *again;
        int n;
    } c[] = {
        { "Content-Type: message/rfc822\n\nno field\nFrom: ", "a:", 200000 },
        { "Content-Type: message/rfc822\n\nno field\nX: y\nTo \t: ", "a:", 200000 },
        { "Content-Type: message/rfc822\n\nTo:\n", " a:\n", 50000 },
        { "Cc: ", "(,", 400000 },
        { "Cc: ", "\"a,", 300000 },
        { "Reply-To: ", "=?utf-8?q?a", 90000 },
        { "Subject: ", "=?utf-8?q?a", 90000 },
        { "X-Gmail-Labels: ", "=?utf-8?q?a", 90000 },
        { "References: ", "<a@x> ", 150000 },
    };
    struct buf b = { 0 };
    clock_t was = clock();
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct fmtrun r;
        buf_clear(&b);
        buf_printf(&b, "%s%s", HEAD(ANNA, ""), c[i].before);
        repeat(&b, c[i].again, c[i].n);
        buf_adds(&b, "\n\nHello.\n");
        fmtrun(&r, &format_eml, "a.eml", b.p);
        check_ok(r.rc, r.err);
        assert_true(r.n_skipped > 0);
        check_str(r.skipped[0], "rest of an over-long mail");
        fmtrun_clear(&r);
    }
    assert_true((clock() - was) / CLOCKS_PER_SEC < 5);
    buf_clear(&b);
    buf_adds(&b, "Subject: x\nFrom");
    repeat(&b, " ", 400);
    buf_adds(&b, ":");
    repeat(&b, "a:", 30000);
    buf_adds(&b, "\n\nHello.\n");
    struct fmtrun r;
    fmtrun(&r, &format_eml, "a.eml", b.p);
    check_int(r.n, 0);
    fmtrun_clear(&r);
    buf_free(&b);
}

/* What people do write stays whole: a thousand recipients with their departments. */
static void many_recipients_are_read(void **state)
{
    struct buf b = { 0 };
    struct fmtrun r;
    buf_adds(&b, HEAD(ANNA, UTF8) "Cc: b@x");
    repeat(&b, ",\n \"Weiss, Hugh (Sales)\" <hugh.weiss@example.org>", 1000);
    buf_adds(&b, "\n\nFrom: me (to: you): ::\n\nTo: all.\n");
    fmtrun(&r, &format_eml, "a.eml", b.p);
    check_ok(r.rc, r.err);
    check_int(r.n, 1);
    check_int(r.n_skipped, 0);
    check_has(r.p[0].text, "To: all.");
    fmtrun_clear(&r);
    buf_free(&b);
}

/* Every <p> opens 390 <font> anew. */
static void slow_page(struct buf *b)
{
    buf_adds(b, "<p>");
    for (int i = 0; i < 390; i++) buf_printf(b, "<font size=%d>", i);
    repeat(b, "<p>x", 100000);
}

/* HTML made to be slow costs its part, is reported, and twenty cost little more than one. */
static void slow_parts(void **state)
{
    struct buf b = { 0 };
    struct fmtrun r;
    clock_t was = clock();
    buf_adds(&b, HEAD(ANNA, "Content-Type: multipart/mixed; boundary=b\n") "\n");
    buf_adds(&b, "--b\nContent-Type: text/plain\n\nGood.\n");
    for (int i = 0; i < 20; i++) {
        buf_adds(&b, "--b\nContent-Type: text/html\n\n");
        slow_page(&b);
        buf_adds(&b, "\n");
    }
    buf_adds(&b, "--b--\n");
    fmtrun(&r, &format_eml, "a.eml", b.p);
    check_ok(r.rc, r.err);
    check_int(r.n, 1);
    check_int(strncmp(r.p[0].text, "Good.", 5), 0);
    assert_true(r.n_skipped > 0);
    check_str(r.skipped[0], "broken part");
    assert_true((clock() - was) / CLOCKS_PER_SEC < 10);
    fmtrun_clear(&r);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(mailboxes),
        cmocka_unit_test(sent_by_name),
        cmocka_unit_test(left_out),
        cmocka_unit_test(bodies),
        cmocka_unit_test(broken),
        cmocka_unit_test(hostile),
        cmocka_unit_test(future),
        cmocka_unit_test(recognised),
        cmocka_unit_test(emlx),
        cmocka_unit_test(one_bad_mail_costs_itself),
        cmocka_unit_test(fields_made_to_cost),
        cmocka_unit_test(many_recipients_are_read),
        cmocka_unit_test(slow_parts),
    };
    return check_run("text/mail", t);
}
