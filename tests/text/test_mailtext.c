#include "check.h"

#include "base/str.h"
#include "text/mailtext.h"

struct parts {
    struct buf own, quoted, sig, fwd;
};

static struct parts split(const char *body)
{
    struct parts p = { { 0 }, { 0 }, { 0 }, { 0 } };
    mailtext_split(body, strlen(body), &p.own, &p.quoted, &p.sig, &p.fwd);
    return p;
}

static void drop(struct parts *p)
{
    buf_free(&p->own);
    buf_free(&p->quoted);
    buf_free(&p->sig);
    buf_free(&p->fwd);
}

static void is(const char *body, const char *own, const char *quoted, const char *sig,
               const char *fwd)
{
    struct parts p = split(body);
    check_str(buf_str(&p.own), own);
    check_str(buf_str(&p.quoted), quoted);
    check_str(buf_str(&p.sig), sig);
    check_str(buf_str(&p.fwd), fwd);
    drop(&p);
}

static void plain(void **state)
{
    is("", "", "", "", "");
    is("\n\n", "", "", "", "");
    is("Hello,\n\nyes.\n", "Hello,\n\nyes.", "", "", "");
    is("no line end", "no line end", "", "", "");
    is("one\r\ntwo\r\n", "one\ntwo", "", "", "");
    is("> only a quote", "", "only a quote", "", "");
}

static void attributions(void **state)
{
    static const char *const lines[] = {
        "On Sun, 8 Mar 2015 at 19:40, Anna Whitlock <anna@example.net> wrote:",
        "On Sun, 8 Mar 2015 at 19:40, Anna Whitlock <anna@example.net>\nwrote:",
        "On Thu, 19 Apr 2018 at 14:33, Anna <anna@example.net> wrote\n:",
        "On Mar 8, 2015, at 7:40 PM, Anna Whitlock wrote:",
        "Anna Whitlock <anna@example.net> wrote:",
        "2013-05-04 10:22 GMT+02:00 Anna Whitlock <anna@example.net>:",
        "Am 04.03.2019 um 10:22 schrieb Anna Whitlock <anna@example.net>:",
        "Am So., 8. März 2015 um 19:40 Uhr schrieb Anna Whitlock\n<anna@example.net>:",
        "Anna Whitlock <anna@example.net> schrieb am Mo., 4. März 2019, 10:22:",
        "Le dim. 8 mars 2015 à 19:40, Anna <anna@example.net> a écrit :",
        "Le dim. 8 mars 2015 à 19:40, Anna <anna@example.net> a\nécrit :",
        "El dom, 8 mar 2015 a las 19:40, Anna (<anna@example.net>) escribió:",
        "Il giorno dom 8 mar 2015 alle ore 19:40 Anna <anna@example.net> ha\nscritto:",
        "Op zo 8 mrt. 2015 om 19:40 schreef Anna <anna@example.net>:",
        "Em dom., 8 de mar. de 2015 às 19:40, Anna <anna@example.net>\nescreveu:",
        "Anna wrote:",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char body[600];
        snprintf(body, sizeof body, "My answer.\n\n%s\n\n> Her question?\n", lines[i]);
        is(body, "My answer.", "Her question?", "", "");
        snprintf(body, sizeof body, "%s\n> Her question?\n\nMy answer.\n", lines[i]);
        is(body, "My answer.", "Her question?", "", "");
        if (strchr(lines[i], '@')) {
            snprintf(body, sizeof body, "My answer.\n\n%s\n\nHer question?\nMore.\n", lines[i]);
            is(body, "My answer.", "Her question?\nMore.", "", "");
        }
    }
}

/* A letter's own words that look like an attribution. */
static void not_attributions(void **state)
{
    const char *own = "On the whole I agree with what your sister wrote:\n\nnever again.";
    is(own, own, "", "", "");
    own = "In 2019 I wrote:\n\nI was wrong.";
    is(own, own, "", "", "");
    own = "Mail me at marit@example.org and\nsay so.\n\nIt is 10:30 here:\n\nlate.";
    is(own, own, "", "", "");
    own = "To: the baker\nFrom: me\n\nBread, please.";
    is(own, own, "", "", "");
}

static void interleaved(void **state)
{
    is("On 4 March 2019 at 10:22, Anna <a@example.net> wrote:\n> One?\nYes.\n> Two?\n\nNo.\n\n> "
       "Bye\n",
       "Yes.\n\nNo.", "One?\n\nTwo?\n\nBye", "", "");
    is("> > older\n> newer, that was a rather long line which some mailer has broken up\n"
       "here\n> and so on\n\nMine.\n",
       "Mine.",
       "older\nnewer, that was a rather long line which some mailer has broken up\nhere\nand so on",
       "", "");
}

static void outlook(void **state)
{
    is("Fine.\n\n-----Original Message-----\nFrom: Anna\nSent: Monday, 4 March 2019 10:22\nTo: "
       "Marit\n"
       "Subject: RE: x\n\nHers.\n",
       "Fine.", "Hers.", "", "");
    is("Passt.\n\n________________________________\nVon: Anna\nGesendet: Montag, 4. März 2019 "
       "10:22\n"
       "An: Marit\nBetreff: x\n\nIhres.\n",
       "Passt.", "Ihres.", "", "");
    is("D'accord.\n\nDe : Anna\nEnvoyé : lundi 4 mars 2019 10:22\nÀ : Marit\nObjet : x\n\nLe "
       "sien.\n",
       "D'accord.", "Le sien.", "", "");
    is("Ok.\n\n*From:* Anna [mailto:a@example.net]\n*Sent:* Monday\n*To:* Marit\n*Subject:* "
       "x\n\nHers.",
       "Ok.", "Hers.", "", "");
    is("Bien.\n\n-----Mensaje original-----\nDe: Anna\nEnviado el: lunes\nPara: M\nAsunto: "
       "x\n\nSuyo.",
       "Bien.", "Suyo.", "", "");
}

static void forwarded(void **state)
{
    is("See below.\n\n---------- Forwarded message ---------\nFrom: Hugh <h@example.org>\n"
       "Date: Thu, 10 Feb 2022 at 10:30\nSubject: Friday\nTo: Marit <m@example.org>\n\n\nDear "
       "Marit,\n\nx\n",
       "See below.", "", "", "Dear Marit,\n\nx");
    is("Look.\n\nBegin forwarded message:\n\nFrom: Hugh\nDate: 10 February 2022\nTo: M\nSubject: "
       "y\n\nHis.\n",
       "Look.", "", "", "His.");
    is("Begin forwarded message:\n\n> From: Hugh\n> Subject: y\n>\n> His.\n", "", "", "", "His.");
    is("Hier.\n\n-------- Weitergeleitete Nachricht --------\nBetreff: x\nDatum: heute\nVon: "
       "A\n\nSeins.",
       "Hier.", "", "", "Seins.");
}

static void signatures(void **state)
{
    is("Yes.\n\n-- \nMarit\nCarrow\n", "Yes.", "", "Marit\nCarrow", "");
    is("Yes.\n--\nMarit\n", "Yes.", "", "Marit", "");
    is("Yes.\n\n-- \nMarit\n\nOn 4 Mar 2019, at 10:22, Anna <a@example.net> wrote:\n\n> Well?\n",
       "Yes.", "Well?", "Marit", "");
    is("Yes.\n\nSent from my phone\n\nOn 4 Mar 2019, at 10:22, Anna wrote:\n\n> Well?\n", "Yes.",
       "Well?", "Sent from my phone", "");
    is("Ja.\n\nVon meinem iPhone gesendet\n", "Ja.", "", "Von meinem iPhone gesendet", "");
    is("Yes.\n\nGet Outlook for Android<https://aka.ms/x>\n", "Yes.", "",
       "Get Outlook for Android<https://aka.ms/x>", "");
    const char *own = "Sent with the carrier this morning.\n\nTell me when it comes.";
    is(own, own, "", "", "");
}

static void bare(void **state)
{
    const char *html =
        "Mine.\n\nOn 4 Mar 2019, at 10:22, Anna <a@example.net> wrote:\n\nMine too.\n";
    struct buf own = { 0 }, quoted = { 0 };
    mailtext_split_bare(html, strlen(html), &own, &quoted, NULL, NULL);
    check_str(buf_str(&own), "Mine.\n\nMine too.");
    check_str(buf_str(&quoted), "");
    buf_free(&own);
    buf_free(&quoted);
}

static void unwraps(const char *in, const char *want)
{
    struct buf b = { 0 };
    mailtext_unwrap(in, strlen(in), &b);
    check_str(buf_str(&b), want);
    buf_free(&b);
}

static void hard_wrap(void **state)
{
    unwraps("", "");
    unwraps("Dear Anna,\n\n"
            "There is a flat going two doors down from us in Totterdown. Two bedrooms,\n"
            "a view of the whole of Bristol, and a landlord who is nearly human. You\n"
            "could get a job at the docks.\n\nMarit\nCarrow\n",
            "Dear Anna,\n\n"
            "There is a flat going two doors down from us in Totterdown. Two bedrooms, "
            "a view of the whole of Bristol, and a landlord who is nearly human. You "
            "could get a job at the docks.\n\nMarit\nCarrow\n");
    const char *keep = "Roses are red and they grow by the harbour wall,\nViolets are blue,\n"
                       "Sugar is sweet and it does not agree with me at all,\nAnd so are you.\n";
    unwraps(keep, keep);
    keep = "- bring the long ladder, the short one has lost two rungs to the weather\n"
           "- and rope\n- and a flask\n";
    unwraps(keep, keep);
    keep = "3 Net Loft Steps\nCarrow\nTR1 2AB\n";
    unwraps(keep, keep);
    unwraps("1. bring the long ladder, because the short one has lost two rungs to the\n"
            "   weather and one to Davy\n2. rope\n",
            "1. bring the long ladder, because the short one has lost two rungs to the "
            "weather and one to Davy\n2. rope\n");
}

static void flowed(void **state)
{
    static const char in[] =
        "A line that \ngoes on.\nFixed.\n> quoted that \n> goes on\n>> deeper \n"
        "> not joined\n ~stuffed\n-- \nMarit\n";
    struct buf b = { 0 };
    assert_true(mailtext_unflow(in, strlen(in), false, &b));
    check_str(buf_str(&b), "A line that goes on.\nFixed.\n> quoted that goes on\n>> deeper \n"
                           "> not joined\n~stuffed\n-- \nMarit\n");
    buf_clear(&b);
    assert_true(mailtext_unflow("hel \nlo\n", 8, true, &b));
    check_str(buf_str(&b), "hello\n");
    buf_clear(&b);
    assert_false(mailtext_unflow("a\nb\n", 4, false, &b));
    buf_free(&b);
}

/* Time must stay linear in what look-ahead could make quadratic. */
static void large(void **state)
{
    static const char *const units[] = {
        "On 1 wrote\n", "From: x\n", "Sent from my x\n\n\n", "--\n", "____________\n\n", "> a\nb\n",
        "\n",           "a@b\n",     "Anna wrote:\n"
    };
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        struct buf b = { 0 };
        struct parts p;
        while (b.n < 400000) buf_adds(&b, units[u]);
        p = split(b.p);
        drop(&p);
        struct buf out = { 0 };
        mailtext_unwrap(b.p, b.n, &out);
        buf_free(&out);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(attributions),
        cmocka_unit_test(not_attributions),
        cmocka_unit_test(interleaved),
        cmocka_unit_test(outlook),
        cmocka_unit_test(forwarded),
        cmocka_unit_test(signatures),
        cmocka_unit_test(bare),
        cmocka_unit_test(hard_wrap),
        cmocka_unit_test(flowed),
        cmocka_unit_test(large),
    };
    return check_run("text/mailtext", t);
}
