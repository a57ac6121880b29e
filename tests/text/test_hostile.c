/* Every format on bytes that are made to do harm: nested a million deep, in no valid encoding,
 * under another format's name. The samples are the fuzzer's (fuzz/corpus/formats): the first byte
 * is the parser's number, the second the fuzzer's options. What comes out is UTF-8 (fmtrun.h
 * looks), or an error with words. */
#include "fmtrun.h"

#include "base/io.h"

#include <stdlib.h>

#define DEEP 1000000

static const struct format *which;
static const char *sample;

static void parse(const void *p, size_t n)
{
    struct fmtrun r;
    struct format_opts o = { .now = FMTRUN_NOW, .day_first = -1, .names = names_new() };
    assert_non_null(o.names);
    fmtrun_opts(&r, which, sample, p, n, &o);
    if (r.rc && r.rc != ERR_PARSE) fail_msg("%s: %s", sample, r.err.msg);
    if (r.rc && !*r.err.msg) fail_msg("%s: no words", sample);
    fmtrun_clear(&r);
    names_free(o.names);
}

/* A million brackets at the sample's beginning, behind its first one, and in its middle. */
static void deep(const char *text, size_t n)
{
    static const char *const marks[] = { "[", "{\"a\":", "(", "<b>", "> ", "*" };
    const char *bracket = memchr(text, '[', n);
    size_t at[] = { 0, bracket ? (size_t)(bracket - text) + 1 : n / 3, n / 2 };
    for (size_t m = 0; m < sizeof marks / sizeof *marks; m++)
        for (size_t k = 0; k < 3; k++) {
            struct buf b = BUF_INIT(16 << 20);
            size_t size = strlen(marks[m]);
            buf_add(&b, text, at[k]);
            for (int i = 0; i < DEEP && (i < DEEP / 10 || m < 2); i++) buf_add(&b, marks[m], size);
            buf_add(&b, text + at[k], n - at[k]);
            parse(b.p, b.n);
            buf_free(&b);
        }
}

/* Bytes that are in no UTF-8, and UTF-16 with halves of characters. */
static void encodings(const char *text, size_t n)
{
    static const char *const bad[] = {
        "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct buf b = BUF_INIT(1 << 20);
        for (size_t i = 0; i < n; i++) {
            buf_addc(&b, text[i]);
            if (i % 5 == k % 5) buf_adds(&b, bad[k]);
        }
        parse(b.p, b.n);
        buf_free(&b);
    }
    for (int order = 0; order < 2; order++)
        for (int cut = 0; cut < 2; cut++) {
            struct buf b = BUF_INIT(1 << 20);
            buf_add(&b, order ? "\xFE\xFF" : "\xFF\xFE", 2);
            for (size_t i = 0; i < n; i++) {
                uint16_t c = i % 11 == 3 ? 0xD83D : i % 13 == 5 ? 0xDC00 : (uint8_t)text[i];
                buf_addc(&b, (char)(order ? c >> 8 : c));
                buf_addc(&b, (char)(order ? c : c >> 8));
            }
            parse(b.p, b.n - (size_t)cut);
            buf_free(&b);
        }
}

/* What a file is called does not decide what it is, and never more than an error comes of it. */
static void other_names(const char *text, size_t n)
{
    static const char *const ends[] = { ".txt",  ".md",  ".html", ".csv", ".json", ".jsonl",
                                        ".mbox", ".eml", ".ics",  ".vcf", ".pdf",  ".docx",
                                        ".zip",  ".rtf", ".db",   ".js",  ".png",  "" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const struct format *f = NULL;
        struct format_in in;
        struct err err = { 0 };
        char name[64];
        FILE *file = tmpfile();
        assert_non_null(file);
        check_int(fwrite(text, 1, n, file), n);
        snprintf(name, sizeof name, "a/b%s", ends[i]);
        int rc = format_open_file(file, name, CLOCK_NONE, NULL, &f, &in, &err);
        if (rc) {
            check_int(rc, ERR_PARSE);
            check_has(err.msg, "b");
            continue;
        }
        format_close(&in);
        which = f;
        sample = name;
        if (!f->packed) parse(text, n);
    }
}

static void (*attack)(const char *text, size_t n);

static int one_file(void *ud, const char *path, struct err *err)
{
    size_t n_formats = 0;
    struct buf b = BUF_INIT(1 << 20);
    check_ok(io_read_file(path, 1 << 20, &b, err), *err);
    while (formats[n_formats]) n_formats++;
    assert_true(b.n > 2);
    which = formats[(uint8_t)b.p[0] % n_formats];
    sample = path;
    if (!which->packed) attack(b.p + 2, b.n - 2);
    buf_free(&b);
    return 0;
}

static void each_sample(void (*fn)(const char *text, size_t n))
{
    const char *root = getenv("LIKENESS_ROOT");
    struct err err = { 0 };
    char folder[4096];
    attack = fn;
    snprintf(folder, sizeof folder, "%s/fuzz/corpus/formats", root ? root : ".");
    check_ok(io_walk(folder, one_file, NULL, &err), err);
}

static void a_million_deep(void **state) { each_sample(deep); }
static void no_valid_encoding(void **state) { each_sample(encodings); }
static void under_other_names(void **state) { each_sample(other_names); }

/* Bytes that no text is, under names that say it is one. */
static void wrong_magic(void **state)
{
    static const struct {
        const char *p;
        size_t n;
    } t[] = {
        { "\x7F"
          "ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0>\0",
          20 },
        { "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16 },
        { "MZ\x90\0\3\0\0\0\4\0\0\0\xFF\xFF\0\0", 16 },
        { "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0\0\0", 12 },
        { "SQLite format 3", 16 },
        { "PK\3\4", 4 },
        { "%PDF-1.7\n", 9 },
        { "\x1F\x8B\x08\0", 4 },
        { "\0\0\0\0\0\0\0\0", 8 },
        { "\xFF\xFE", 2 },
        { "\xFE\xFF\xD8", 3 },
        { "\xEF\xBB\xBF", 3 },
        { "[", 1 },
        { "{", 1 },
        { "From ", 5 },
        { "BEGIN:VCARD", 11 },
        { "window.YTD.tweets.part0 = ", 26 },
        { "\n\n\n", 3 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) other_names(t[i].p, t[i].n);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_million_deep),
        cmocka_unit_test(no_valid_encoding),
        cmocka_unit_test(under_other_names),
        cmocka_unit_test(wrong_magic),
    };
    return check_run("text/hostile", t);
}
