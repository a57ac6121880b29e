/* Text of pages: blocks, quotes, hidden parts, dates, and pages made to hurt. */
#include "check.h"

#include "base/buf.h"
#include "text/html.h"

struct page {
    struct buf text, quoted, title;
    int64_t date;
    struct err err;
};

static int read_page(struct page *p, const char *html, size_t n)
{
    memset(p, 0, sizeof *p);
    return html_text(html, n, &p->text, &p->quoted, &p->title, &p->date, &p->err);
}

static void clear(struct page *p)
{
    buf_free(&p->text);
    buf_free(&p->quoted);
    buf_free(&p->title);
}

static void check_text(const char *html, const char *text, const char *quoted)
{
    struct page p;
    check_ok(read_page(&p, html, strlen(html)), p.err);
    check_str(buf_str(&p.text), text);
    check_str(buf_str(&p.quoted), quoted);
    clear(&p);
}

static void blocks(void **state)
{
    check_text("<p>One <b>bold</b>\n word</p><p>Two</p>", "One bold word\n\nTwo", "");
    check_text("a<br>b<div>c</div>d", "a\nb\nc\nd", "");
    check_text("<ul><li>x<li>y</ul>z", "x\ny\n\nz", "");
    check_text("<pre>a\n  b</pre>", "a\n  b", "");
    check_text("<table><tr><td>1<td>2<tr><td>3</table>", "1 2\n3", "");
    check_text("<p>see <a href=x>this</a>.", "see this.", "");
    check_text("&lt;b&gt; &amp; &eacute;", "<b> & \xC3\xA9", "");
    check_text("a&#1;b", "ab", "");
}

static void quotes(void **state)
{
    check_text("<p>mine</p><blockquote><p>theirs</p><p>more</p></blockquote><p>mine again</p>",
               "mine\n\nmine again", "theirs\n\nmore");
}

static void left_out(void **state)
{
    check_text("<head><title>t</title><style>x{}</style></head><script>evil()</script>a", "a", "");
    check_text("<p>a</p><p hidden>b</p><p style='color:red; display : none'>c</p><nav>menu</nav>",
               "a", "");
    check_text("<p style='display:block'>shown</p><!-- comment -->", "shown", "");
}

static void title_and_date(void **state)
{
    static const char page[] =
        "<title> A \n title </title><meta property='article:published_time' "
        "content='2019-03-02T10:00:00+01:00'><h1>Head</h1><time datetime=2001-01-01>x";
    struct page p;
    char iso[32];
    check_ok(read_page(&p, page, sizeof page - 1), p.err);
    check_str(buf_str(&p.title), "A title");
    check_str(clock_iso(p.date, iso), "2019-03-02T09:00:00Z");
    clear(&p);
    check_ok(read_page(&p, "<h1>Only <i>head</i></h1>", 25), p.err);
    check_str(buf_str(&p.title), "Only head");
    assert_true(p.date == CLOCK_NONE);
    clear(&p);
}

/* 100,000 elements inside each other: neither the stack nor the clock may run out. */
static void deep(void **state)
{
    static const char *const tags[] = { "<div>",           "<b>",
                                        "<a x>",           "<span><i>",
                                        "<table><tr><td>", "<font size=1><p>",
                                        "<b><div></b>",    "<ul><li>" };
    for (size_t k = 0; k < sizeof tags / sizeof *tags; k++) {
        struct buf b = { 0 };
        struct page p;
        for (int i = 0; i < 20000; i++) buf_adds(&b, tags[k]);
        buf_adds(&b, "bottom");
        int rc = read_page(&p, buf_str(&b), b.n);
        if (rc) check_int(rc, ERR_LIMIT);
        else check_has(buf_str(&p.text), "bottom");
        clear(&p);
        buf_free(&b);
    }
}

/* Quotes hide a '>' only where HTML5 says so. */
static void tags_end(void **state)
{
    check_text("<a x=\"<p>\">a</a>", "a", "");
    check_text("<a x = '>'y=\">\">a</a>", "a", "");
    check_text("<a x==\"<p>\">a</a>", "\">a", "");
    check_text("<a =\"<p>\">a</a>", "\">a", "");
    check_text("<a x=y\"<p>\">a</a>", "\">a", "");
    check_text("<a x/=\"<p>\">a</a>", "\">a", "");
    check_text("<a x=\"y\"=\"<p>\">a</a>", "\">a", "");
    check_text("a<!-->b<!-- c --!> d -->e<!x>f</>g<?x <p>h", "abefgh", "");
    check_text("<script>'<!--<script>'</script>a<style><p></style>b", "ab", "");
    check_text("a < b <3 c", "a < b <3 c", "");
}

/* Large enough that reading it in quadratic time is given up. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOW_PAGE = 100000 };
#else
enum { SLOW_PAGE = 1000000 };
#endif

/* Whatever hides an open tag from the count, or shows it an end tag that is none, makes Gumbo slow:
 * these took ten seconds each. */
static void nothing_hides_from_the_count(void **state)
{
    static const char *const tags[] = { "<a x==\"<div>\">",   "<a =\"<div>\">",
                                        "<a x=y\"<div>\">",   "<p:x>",
                                        "<b:x></b:y>",        "<!--><div><!-- -->",
                                        "<div><!x </div>",    "<div><noframes></div></noframes>",
                                        "<svg><td></td><tr>", "<div><?x </div>" };
    for (size_t k = 0; k < sizeof tags / sizeof *tags; k++) {
        struct buf b = { 0 };
        struct page p;
        while (b.n < SLOW_PAGE) buf_adds(&b, tags[k]);
        check_ok(read_page(&p, buf_str(&b), b.n), p.err); /* ERR_LIMIT: it took too long */
        clear(&p);
        buf_free(&b);
    }
}

static void many_paragraphs_stay(void **state)
{
    struct buf b = { 0 };
    struct page p;
    for (int i = 0; i < 2000; i++) buf_adds(&b, "<p>x<br>y<li>z");
    check_ok(read_page(&p, buf_str(&b), b.n), p.err);
    check_has(buf_str(&p.text), "z\n\nx\ny\n\nz");
    clear(&p);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(blocks),   cmocka_unit_test(quotes),
        cmocka_unit_test(left_out), cmocka_unit_test(title_and_date),
        cmocka_unit_test(deep),     cmocka_unit_test(many_paragraphs_stay),
        cmocka_unit_test(tags_end), cmocka_unit_test(nothing_hides_from_the_count),
    };
    return check_run("text/html", t);
}
