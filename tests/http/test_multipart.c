/* Multipart bodies: what clients send, however it is cut into pieces, and what must be refused. */
#include "base/buf.h"
#include "base/str.h"
#include "check.h"
#include "http/multipart.h"

static struct err err;
static const char TYPE[] = "multipart/form-data; boundary=XyZ";

/* What the parser said, as text: (name|file)data; with * before the file's name when there is one.
 */
static struct buf said;
static int fail_at; /* a sink that fails: 1 begin, 2 data, 3 end */

static int begin(void *ud, const struct multipart_part *p, struct err *e)
{
    buf_printf(&said, "(%s%s%s)", p->name, p->is_file ? "*" : "", p->file);
    return fail_at == 1 ? err_set(e, ERR_FULL, "sink") : 0;
}

static int data(void *ud, const char *p, size_t n, struct err *e)
{
    if (!n) fail_msg("an empty piece of data");
    buf_add(&said, p, n);
    return fail_at == 2 ? err_set(e, ERR_FULL, "sink") : 0;
}

static int end(void *ud, struct err *e)
{
    buf_adds(&said, ";");
    return fail_at == 3 ? err_set(e, ERR_FULL, "sink") : 0;
}

/* Feeds body in pieces of `step`; what was said lies in `said`. */
static int parse(const char *type, const char *body, size_t n, size_t step)
{
    struct multipart_sink sink = { begin, data, end, NULL };
    struct multipart *m = NULL;
    buf_clear(&said);
    int rc = multipart_new(type, &sink, &m, &err);
    for (size_t at = 0; at < n && !rc; at += step)
        rc = multipart_feed(m, body + at, n - at < step ? n - at : step, &err);
    if (!rc) rc = multipart_finish(m, &err);
    else if (m) check_int(multipart_finish(m, NULL), rc);
    multipart_free(m);
    return rc;
}

static void good(const char *body, const char *want)
{
    for (size_t step = 1; step < 70; step += step < 8 ? 1 : 13) {
        check_ok(parse(TYPE, body, strlen(body), step), err);
        check_str(buf_str(&said), want);
    }
}

static void refused(const char *body, const char *why)
{
    for (size_t step = 1; step < 70; step += 9) {
        check_int(parse(TYPE, body, strlen(body), step), ERR_PARSE);
        check_has(err.msg, why);
    }
}

#define FIELD "Content-Disposition: form-data; name=\"a\"\r\n\r\n"
#define PART(disposition, content)                                                                 \
    "--XyZ\r\nContent-Disposition: form-data; " disposition "\r\n\r\n" content "\r\n"

static void parts(void **state)
{
    good("--XyZ\r\n" FIELD
         "one\r\n--XyZ\r\ncontent-DISPOSITION:form-data;name=b;filename=\"x.txt\"\r\n"
         "Content-Type: text/plain\r\n\r\ntwo\r\nlines\r\n\r\n--XyZ--\r\n",
         "(a)one;(b*x.txt)two\r\nlines\r\n;");
    good("--XyZ--", "");
    good("\r\n--XyZ--\r\n", "");
    good("some words before\r\n--XyZ \t\r\n" FIELD "\r\n--XyZ--after", "(a);");
    good("--XyZ\r\n" FIELD "\r\n--XY\r\r\n-\r\n--Xy\r\n--XyZ--", "(a)\r\n--XY\r\r\n-\r\n--Xy;");
    good("--XyZ\r\n" FIELD "--XyZ no\r\n--XyZ--", "(a)--XyZ no;");
    good(PART("name=a; filename=\"\"", "") "--XyZ--", "(a*);");
    check_ok(parse("Multipart/Form-Data; charset=utf-8; boundary=\"a b'c\" ; x=y",
                   "--a b'c\r\n" FIELD "z\r\n--a b'c--", 35 + strlen(FIELD) - 14, 5),
             err);
    check_str(buf_str(&said), "(a)z;");
}

static void names(void **state)
{
    static const char *const file[][2] = {
        { "name=a; filename=plain", "plain" },
        { "name=a; filename=\"with \\\"quotes\\\".txt\"", "with \"quotes\".txt" },
        { "name=a; filename=\"with %22quotes%22.txt\"", "with \"quotes\".txt" },
        { "name=a; filename=\"100%.txt\"", "100%.txt" },
        { "name=a; filename=\"semi;colon.txt\"", "semi;colon.txt" },
        { "name=a; filename=\"../../etc/passwd\"", "passwd" },
        { "name=a; filename=\"C:\\Users\\ann\\chat.txt\"", "chat.txt" },
        { "name=a; filename=\"C:\\\\Users\\\\ann\\\\chat.txt\"", "chat.txt" },
        { "name=a; filename=\"..\"", "" },
        { "name=a; filename=\"folder/\"", "" },
        { "name=a; filename=\"\xC3\xA4rger \xE6\x97\xA5.txt\"", "\xC3\xA4rger \xE6\x97\xA5.txt" },
        { "name=a; filename=\"bad \xFF.txt\"", "bad \xEF\xBF\xBD.txt" },
        { "name=a; filename*=UTF-8''%e2%82%ac%20rates.txt", "\xE2\x82\xAC rates.txt" },
        { "name=a; filename=\"old\"; filename*=utf-8'de'n%C3%A9w", "n\xC3\xA9w" },
        { "name=a; filename*=utf-8''first; filename=\"second\"", "first" },
        { "name=a; filename*=ISO-8859-1''%E9t%E9", "\xC3\xA9t\xC3\xA9" },
        { "name=a; filename*=utf-8''a%2Fb%0A%00c", "b\xEF\xBF\xBD" },
    };
    for (size_t i = 0; i < sizeof file / sizeof *file - 1; i++) {
        char body[400], want[200];
        snprintf(body, sizeof body, PART("%s", "x") "--XyZ--", file[i][0]);
        snprintf(want, sizeof want, "(a*%s)x;", file[i][1]);
        good(body, want);
    }
    char name[16];
    multipart_file_name("tr\xC3\xA4umerei.txt", 14, name, 5);
    check_str(name, "tr\xC3\xA4");
    multipart_file_name("a\nb\0c", 5, name, sizeof name);
    check_str(name, "abc");
    char longest[600], body[800];
    memset(longest, 'n', sizeof longest);
    longest[599] = 0;
    snprintf(body, sizeof body, PART("name=a; filename=%s", "x") "--XyZ--", longest);
    check_ok(parse(TYPE, body, strlen(body), 10), err);
    check_int(said.n, 3 + 255 + 3);
}

static void broken(void **state)
{
    refused("", "cut off");
    refused("--XyZ\r\n" FIELD "one", "cut off");
    refused("--XyZ\r\n" FIELD "one\r\n--XyZ", "cut off");
    refused("--XyZ\r\n" FIELD "one\r\n--XyZ\r\n", "cut off");
    refused("--XyZ\r\n" FIELD "one\n--XyZ--\n", "cut off");
    refused("--XyZ\n" FIELD "one", "followed by something else");
    refused("--XyZQ\r\n" FIELD "one", "followed by something else");
    refused("--XyZ-\r\n" FIELD "one", "followed by something else");
    refused("--XyZ\r \n" FIELD "one", "followed by something else");
    refused("--XyZ\r\n\r\none\r\n--XyZ--", "no name");
    refused("--XyZ\r\nContent-Type: text/plain\r\n\r\none\r\n--XyZ--", "no name");
    refused("--XyZ\r\nContent-Disposition: form-data; name=a\n\r\n\r\n--XyZ--", "CR LF");
    refused("--XyZ\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n\r\n--XyZ--", "header");
    refused("--XyZ\r\nContent-Disposition : form-data; name=a\r\n\r\n\r\n--XyZ--", "header");
    refused("--XyZ\r\nx\r\n\r\none", "header");
    refused("--XyZ\r\nno colon\r\n\r\n\r\n--XyZ--", "header");
    refused("--XyZ\r\nX: a\x01b\r\n\r\n\r\n--XyZ--", "control characters");
    refused(PART("name=a; name=b", "x") "--XyZ--", "two names");
    refused(PART("name=a; filename=a; filename=b", "x") "--XyZ--", "two file names");
    refused(PART("name=a; filename*=utf-8''a; filename*=utf-8''b", "x") "--XyZ--", "two file");
    refused(PART("name=a; filename*=utf-7''a", "x") "--XyZ--", "filename*");
    refused(PART("name=a; filename*=utf-8''%e2%82", "x") "--XyZ--", "filename*");
    refused(PART("name=a; filename*=utf-8''%e", "x") "--XyZ--", "filename*");
    refused(PART("name=a; filename*=a", "x") "--XyZ--", "filename*");
    refused(PART("name=\"a", "x") "--XyZ--", "Content-Disposition");
    refused(PART("name=a b", "x") "--XyZ--", "Content-Disposition");
    refused(PART("name=", "x") "--XyZ--", "Content-Disposition");
    refused(PART("=a", "x") "--XyZ--", "Content-Disposition");
    refused(PART("name=\"\xFF\"", "x") "--XyZ--", "UTF-8");
    refused(PART("name=\"\"", "x") "--XyZ--", "empty");
    refused("--XyZ\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--XyZ--",
            "not form-data");
    refused(PART("name=a\r\nContent-Disposition: form-data; name=b", "x") "--XyZ--", "two Content");
    refused(PART("name=a\r\nContent-Transfer-Encoding: base64", "x") "--XyZ--", "Encoding");
    refused(PART("name=a\r\nContent-Type: multipart/mixed; boundary=q", "x") "--XyZ--",
            "parts itself");
    good(PART("name=a; filename=f\r\nContent-Type: multipart/mixed; boundary=q", "x") "--XyZ--",
         "(a*f)x;");
    good(PART("name=a\r\nContent-Transfer-Encoding: 8BIT", "x") "--XyZ--", "(a)x;");
}

static void types(void **state)
{
    static const char *const type[] = { NULL,
                                        "",
                                        "application/json",
                                        "multipart/mixed; boundary=x",
                                        "multipart/form-data",
                                        "multipart/form-data; boundary=",
                                        "multipart/form-data; boundary=\"\"",
                                        "multipart/form-data; boundary=\"a \"",
                                        "multipart/form-data; boundary=\"a\tb\"",
                                        "multipart/form-data; boundary=\"a",
                                        "multipart/form-data; boundary=a; boundary=b",
                                        "multipart/form-data boundary=a" };
    for (size_t i = 0; i < sizeof type / sizeof *type; i++)
        check_int(parse(type[i], "", 0, 1), ERR_INVAL);
    char t[200];
    for (int n = 69; n < 73; n++) {
        snprintf(t, sizeof t, "multipart/form-data; boundary=%0*d", n, 7);
        char body[100];
        int k = snprintf(body, sizeof body, "--%0*d--", n, 7);
        check_int(parse(t, body, (size_t)k, 100), n <= 70 ? 0 : ERR_INVAL);
    }
}

static void limits(void **state)
{
    struct buf b = BUF_INIT(0);
    for (int i = 0; i < MULTIPART_PARTS; i++) buf_adds(&b, PART("name=a", "x"));
    size_t full = b.n;
    buf_adds(&b, "--XyZ--");
    check_ok(parse(TYPE, b.p, b.n, 1000), err);
    b.n = full;
    buf_adds(&b, PART("name=a", "x") "--XyZ--");
    check_int(parse(TYPE, b.p, b.n, 1000), ERR_LIMIT);
    buf_clear(&b);
    buf_adds(&b, "--XyZ\r\nX: ");
    while (b.n < MULTIPART_HEAD + 10) buf_addc(&b, 'x');
    check_int(parse(TYPE, b.p, b.n, 1000), ERR_PARSE);
    check_has(err.msg, "longer");
    buf_clear(&b);
    while (b.n < MULTIPART_OUTSIDE + 10) buf_adds(&b, "before\r\n");
    check_int(parse(TYPE, b.p, b.n, 1000), ERR_PARSE);
    check_has(err.msg, "begin");
    buf_clear(&b);
    buf_adds(&b, "--XyZ--");
    while (b.n < MULTIPART_OUTSIDE + 10) buf_addc(&b, '\n');
    check_int(parse(TYPE, b.p, b.n, 1000), ERR_PARSE);
    check_has(err.msg, "goes on");
    buf_free(&b);
}

static void sink_errors(void **state)
{
    for (fail_at = 1; fail_at <= 3; fail_at++) {
        check_int(parse(TYPE, PART("name=a", "x") "--XyZ--", 60, 7), ERR_FULL);
        check_has(err.msg, "sink");
    }
    fail_at = 0;
}

/* Bytes of every kind come through as they are, and cost no memory. */
static void large(void **state)
{
    struct multipart_sink sink = { begin, data, end, NULL };
    struct multipart *m = NULL;
    struct buf want = BUF_INIT(0);
    uint32_t x = 1;
    for (int i = 0; i < 300000; i++) {
        x = x * 1664525 + 1013904223;
        buf_addc(&want, "\r\n-Xyz\0\xFF"[x >> 29]);
    }
    buf_clear(&said);
    check_ok(multipart_new(TYPE, &sink, &m, &err), err);
    check_ok(multipart_feed(m, "--XyZ\r\n" FIELD, 7 + strlen(FIELD), &err), err);
    for (size_t at = 0, k; at < want.n; at += k) {
        x = x * 1664525 + 1013904223;
        k = x >> 20;
        if (k > want.n - at) k = want.n - at;
        check_ok(multipart_feed(m, want.p + at, k, &err), err);
    }
    check_ok(multipart_feed(m, "\r\n--XyZ--", 9, &err), err);
    check_ok(multipart_finish(m, &err), err);
    multipart_free(m);
    check_int(said.n, want.n + 4);
    check_int(memcmp(said.p + 3, want.p, want.n), 0);
    buf_free(&want);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(parts), cmocka_unit_test(names),  cmocka_unit_test(broken),
        cmocka_unit_test(types), cmocka_unit_test(limits), cmocka_unit_test(sink_errors),
        cmocka_unit_test(large),
    };
    int rc = check_run("http/multipart", t);
    buf_free(&said);
    return rc;
}
