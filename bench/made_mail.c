/* A mailbox as people's are: some write often, most seldom; a thread goes to and fro with what was
 * said before quoted below; half of the mails have an HTML twin; parts are quoted-printable,
 * base64 or 8 bit, some in older charsets; a sixth carries an attachment, which is where most of
 * the bytes are; a quarter is newsletters. */
#include "bench.h"
#include "made_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREADS 64         /* under way at once */
#define OPENED  1262304000 /* 2010-01-01 */
#define QUOTED  1500       /* bytes of what is quoted */

struct thread {
    char subject[96], last[64], first[64];
    uint32_t with;
    enum made_tongue tongue;
    char said[QUOTED + 1];
    uint32_t by;
};

struct made_box {
    struct buf out, text, html;
    struct thread thread[THREADS];
    uint64_t n;
    int64_t now;
};

static void date_line(struct buf *out, const char *form, int64_t t)
{
    char s[64];
    time_t at = (time_t)t;
    struct tm tm;
    gmtime_r(&at, &tm);
    strftime(s, sizeof s, form, &tm);
    buf_adds(out, s);
}

static void base64(struct buf *out, const unsigned char *p, size_t n)
{
    static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0, col = 0; i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        char four[4] = { abc[v >> 18], abc[v >> 12 & 63], i + 1 < n ? abc[v >> 6 & 63] : '=',
                         i + 2 < n ? abc[v & 63] : '=' };
        buf_add(out, four, 4);
        if ((col += 4) == 76) buf_addc(out, '\n'), col = 0;
    }
    buf_addc(out, '\n');
}

static void quoted_printable(struct buf *out, const char *p, size_t n)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t col = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '\n') {
            buf_addc(out, '\n');
            col = 0;
            continue;
        }
        if (col > 72) buf_adds(out, "=\n"), col = 0;
        if (c >= 127 || c == '=') {
            char three[3] = { '=', hex[c >> 4], hex[c & 15] };
            buf_add(out, three, 3);
            col += 3;
        } else {
            buf_addc(out, (char)c);
            col++;
        }
    }
    buf_addc(out, '\n');
}

static void part(struct buf *out, const char *type, const struct buf *text)
{
    uint32_t how = made_below(10);
    buf_printf(out, "Content-Type: %s; charset=\"utf-8\"\nContent-Transfer-Encoding: %s\n\n", type,
               how < 6   ? "quoted-printable"
               : how < 8 ? "base64"
                         : "8bit");
    if (how < 6) quoted_printable(out, buf_str(text), text->n);
    else if (how < 8) base64(out, (const unsigned char *)buf_str(text), text->n);
    else buf_add(out, buf_str(text), text->n);
    buf_addc(out, '\n');
}

static void as_html(const struct buf *text, struct buf *out)
{
    buf_adds(out, "<html><head><style>p { margin: 0 0 1em 0; font-family: sans-serif }</style>"
                  "</head><body><div dir=\"ltr\"><p class=\"MsoNormal\">");
    for (const char *s = buf_str(text); *s; s++) {
        if (*s == '>' || *s == '<') buf_adds(out, *s == '>' ? "&gt;" : "&lt;");
        else if (*s == '\n') buf_adds(out, "</p>\n<p class=\"MsoNormal\"><span lang=\"EN\">");
        else buf_addc(out, *s);
    }
    buf_adds(out, "</p></div></body></html>\n");
}

/* A letter, and what it answers below it. */
static void letter(struct made_box *b, struct thread *t, uint32_t from)
{
    struct buf *s = &b->text;
    buf_clear(s);
    int paragraphs = 1 + (int)made_below(5);
    for (int i = 0; i < paragraphs; i++) {
        made_sentences(s, t->tongue, 1 + (int)made_below(6));
        buf_adds(s, "\n\n");
    }
    buf_printf(s, "%s\n", made_person(from));
    size_t own = s->n < QUOTED ? s->n : QUOTED;
    if (*t->said && made_below(4)) {
        buf_adds(s, "\nOn ");
        date_line(s, "%a, %d %b %Y at %H:%M, ", b->now - 7200);
        buf_printf(s, "%s <%s> wrote:\n", made_person(t->by), made_address(t->by));
        for (const char *p = t->said; *p; p += strcspn(p, "\n"), p += *p == '\n')
            buf_printf(s, "> %.*s\n", (int)strcspn(p, "\n"), p);
    }
    while (own && (buf_str(s)[own] & 0xC0) == 0x80) own--;
    memcpy(t->said, buf_str(s), own);
    t->said[own] = 0;
    t->by = from;
}

static void header(struct made_box *b, const struct thread *t, uint32_t from, uint32_t to)
{
    struct buf *o = &b->out;
    buf_printf(o, "From %llu@xxx ", (unsigned long long)b->n * 7919);
    date_line(o, "%a %b %d %H:%M:%S +0000 %Y\n", b->now);
    buf_printf(o, "X-GM-THRID: %llu\nX-Gmail-Labels: %s\nDelivered-To: %s\n",
               (unsigned long long)b->n, from ? "Inbox,Opened" : "Sent", made_address(to));
    for (int i = 0; i < 3; i++) {
        buf_printf(o, "Received: by 10.%u.%u.%u with SMTP id x%uabcdef;\n        ", made_below(256),
                   made_below(256), made_below(256), made_below(99999));
        date_line(o, "%a, %d %b %Y %H:%M:%S -0700 (PDT)\n", b->now);
    }
    buf_adds(o, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=mail.example; s=2019;\n");
    for (int i = 0; i < 4; i++) {
        buf_adds(o, "        ");
        for (int k = 0; k < 8; k++) buf_printf(o, "%08x", (unsigned)bench_random());
        buf_addc(o, '\n');
    }
    buf_printf(o, "From: %s <%s>\nTo: %s <%s>\nDate: ", made_person(from), made_address(from),
               made_person(to), made_address(to));
    date_line(o, "%a, %d %b %Y %H:%M:%S +0000\n", b->now);
    buf_printf(o, "Message-ID: <m%llu@mail.example>\nSubject: %s%s\n", (unsigned long long)b->n,
               *t->last ? "Re: " : "", t->subject);
    if (*t->last)
        buf_printf(o, "In-Reply-To: <%s>\nReferences: <%s> <%s>\n", t->last, t->first, t->last);
    buf_adds(o, "MIME-Version: 1.0\n");
}

static void attachment(struct made_box *b, const char *boundary)
{
    unsigned char block[3 * 1024];
    uint32_t blocks = 4 + made_below(45) * (1 + made_below(3));
    buf_printf(&b->out,
               "--%s\nContent-Type: image/jpeg; name=\"IMG_%u.jpg\"\nContent-Disposition: "
               "attachment; filename=\"IMG_%u.jpg\"\nContent-Transfer-Encoding: base64\n\n",
               boundary, made_below(9999), made_below(9999));
    for (uint32_t i = 0; i < blocks; i++) {
        for (size_t k = 0; k < sizeof block; k += 8) {
            uint64_t r = bench_random();
            memcpy(block + k, &r, 8);
        }
        base64(&b->out, block, sizeof block);
    }
}

static void mail(struct made_box *b, struct thread *t, uint32_t from, uint32_t to)
{
    bool twin = made_below(2), attached = !made_below(6);
    letter(b, t, from);
    header(b, t, from, to);
    if (attached)
        buf_adds(&b->out, "Content-Type: multipart/mixed; boundary=\"==outer\"\n\n--==outer\n");
    if (twin)
        buf_adds(&b->out,
                 "Content-Type: multipart/alternative; boundary=\"==inner\"\n\n--==inner\n");
    part(&b->out, "text/plain", &b->text);
    if (twin) {
        buf_clear(&b->html);
        as_html(&b->text, &b->html);
        buf_adds(&b->out, "--==inner\n");
        part(&b->out, "text/html", &b->html);
        buf_adds(&b->out, "--==inner--\n");
    }
    if (attached) {
        attachment(b, "==outer");
        buf_adds(&b->out, "--==outer--\n");
    }
    buf_adds(&b->out, "\n");
}

static void newsletter(struct made_box *b, struct thread *t)
{
    buf_clear(&b->text);
    for (int i = 0; i < 30; i++) {
        made_sentences(&b->text, MADE_EN, 4);
        buf_adds(&b->text, "\n\n");
    }
    header(b, t, 1 + made_below(MADE_PEOPLE - 1), 0);
    buf_adds(&b->out, "List-Id: <news.example>\nPrecedence: bulk\n");
    buf_clear(&b->html);
    as_html(&b->text, &b->html);
    part(&b->out, "text/html", &b->html);
}

/* The next mail: a newsletter, or one of a thread, or the first of a new one. */
static void next_mail(struct made_box *b)
{
    struct thread *t = &b->thread[made_below(THREADS)], news = { .subject = "News of the week" };
    b->n++;
    b->now += made_below(4000);
    if (!made_below(4)) {
        newsletter(b, &news);
        return;
    }
    if (!*t->subject || !made_below(6)) {
        struct buf s = BUF_INIT(96);
        *t = (struct thread){ .tongue = made_tongue(), .with = 1 + made_below(MADE_PEOPLE - 1) };
        made_words(&s, t->tongue, 2 + (int)made_below(4));
        memcpy(t->subject, buf_str(&s), s.n < 95 ? s.n : 0);
        if (!*t->subject) strcpy(t->subject, "hello");
        buf_free(&s);
    }
    bool mine = made_below(5) < 2;
    mail(b, t, mine ? 0 : t->with, mine ? t->with : 0);
    snprintf(t->last, sizeof t->last, "m%llu@mail.example", (unsigned long long)b->n);
    if (!*t->first) memcpy(t->first, t->last, sizeof t->first);
}

int made_mbox(const char *path, uint64_t bytes, uint64_t *n, struct err *err)
{
    static struct made_box b;
    FILE *f = fopen(path, "wb");
    uint64_t done = 0;
    int rc = f ? 0 : err_errno(err, "cannot make %s", path);
    memset(&b, 0, sizeof b);
    b.now = OPENED;
    bench_seed(822);
    while (!rc && done < bytes) {
        buf_clear(&b.out);
        next_mail(&b);
        if (b.out.failed || b.text.failed || b.html.failed) rc = err_nomem(err);
        else if (fwrite(b.out.p, 1, b.out.n, f) != b.out.n)
            rc = err_errno(err, "cannot write %s", path);
        done += b.out.n;
    }
    if (f && fclose(f) && !rc) rc = err_errno(err, "cannot write %s", path);
    *n = b.n;
    buf_free(&b.out);
    buf_free(&b.text);
    buf_free(&b.html);
    return rc;
}
