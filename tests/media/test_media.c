/* Archives and documents through the helper, as the program sees them: which files come out, under
 * which names, and that no archive gets more than the limits give it. */
#include "made.h"

#include "base/clock.h"
#include "base/str.h"
#include "media/media.h"
#include "media/wire.h"

#include <fcntl.h>
#include <unistd.h>

#define SEEN 64

struct seen {
    char path[SEEN][256], format[SEEN][16], text[SEEN][200];
    int64_t mtime[SEEN];
    int n;
    char bad[SEEN][256], why[SEEN][480];
    int code[SEEN], n_bad;
    char skipped[SEEN][64];
    int n_skipped, stop;
    uint64_t bytes, calls;
    struct err err;
};

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    snprintf(ud, 200, "%s", p->text);
    return 0;
}

static int on_file(void *ud, const struct format *f, struct format_in *in, struct err *err)
{
    struct seen *s = ud;
    struct format_opts o = { .now = clock_now(), .day_first = -1 };
    s->calls++;
    if (s->stop) return err_set(err, s->stop, "enough");
    s->bytes += in->size;
    if (s->n == SEEN) return 0;
    snprintf(s->path[s->n], 256, "%s", in->path);
    snprintf(s->format[s->n], 16, "%s", f->name);
    s->mtime[s->n] = in->mtime;
    struct piece_sink sink = { .piece = on_piece, .ud = s->text[s->n++] };
    return format_parse(f, in, &o, &sink, err);
}

static int on_bad(void *ud, const char *path, const char *format, const struct err *why)
{
    struct seen *s = ud;
    if (s->n_bad == SEEN) return 0;
    snprintf(s->bad[s->n_bad], 256, "%s", path);
    snprintf(s->why[s->n_bad], 480, "%s", why->msg);
    s->code[s->n_bad++] = why->code;
    return 0;
}

static void on_skipped(void *ud, const char *archive, const char *format, const char *what)
{
    struct seen *s = ud;
    if (s->n_skipped < SEEN) snprintf(s->skipped[s->n_skipped], 64, "%s", what);
    s->n_skipped++;
}

static FILE *memory(const struct buf *b)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    check_int(fwrite(buf_str(b), 1, b->n, f), b->n);
    rewind(f);
    return f;
}

/* Visits b under this name and frees it. */
static int visit_as(struct seen *s, const char *name, const char *as, struct buf b,
                    const struct media_limits *lim)
{
    struct media_visit v = {
        .file = on_file, .bad = on_bad, .skipped = on_skipped, .limits = lim, .ud = s
    };
    int stop = s->stop;
    memset(s, 0, sizeof *s);
    s->stop = stop;
    int rc = media_each_file(memory(&b), name, 1500000000, as, &v, &s->err);
    buf_free(&b);
    return rc;
}

static int visit(struct seen *s, const char *name, struct buf b)
{
    return visit_as(s, name, NULL, b, NULL);
}

static struct seen s; /* too large for a stack */

static void entries_in_place(void **state)
{
    static const struct made_entry e[] = {
        { .name = "Chats/x.txt", .text = "I keep goats." },
        { .name = "p.png", .text = "\x89PNG\r\n\x1a\n...", .n = 12 },
        { .name = "empty.txt", .text = "" },
        { .name = "y.md", .text = "# 2019-03-02\nA boat.", .mtime = 1000000000 },
    };
    static const char *const how[] = { "zip", "stored", "tar", "tar.gz" };
    for (int i = 0; i < 4; i++) {
        check_ok(visit(&s, "dir/export.bin", made_archive(how[i], e, 4)), s.err);
        check_int(s.n, 2);
        check_int(s.n_bad, 0);
        check_int(s.n_skipped, 2);
        int x = strstr(s.path[0], "x.txt") ? 0 : 1;
        check_str(s.path[x], "dir/export.bin/Chats/x.txt");
        check_str(s.format[x], "text");
        check_str(s.text[x], "I keep goats.");
        check_int(s.mtime[x], MADE_TIME);
        check_str(s.path[!x], "dir/export.bin/y.md");
        check_str(s.format[!x], "markdown");
        check_int(s.mtime[!x], 1000000000);
    }
}

static void single_file(void **state)
{
    static const struct made_entry e[] = { { .name = "data", .text = "A note on boats." } };
    check_ok(visit(&s, "notes.txt.gz", made_archive("gz", e, 1)), s.err);
    check_int(s.n, 1);
    check_str(s.path[0], "notes.txt.gz/notes.txt");
    check_str(s.text[0], "A note on boats.");
}

static void documents(void **state)
{
    check_ok(visit(&s, "d/a.docx", made_docx("<w:p><w:r><w:t>I keep goats.</w:t></w:r></w:p>")),
             s.err);
    check_int(s.n, 1);
    check_str(s.path[0], "d/a.docx");
    check_str(s.format[0], "docx");
    check_str(s.text[0], "I keep goats.");
    check_ok(visit(&s, "b.pdf", made_pdf("BT /F1 9 Tf (Boats.) Tj ET", MADE_FONT)), s.err);
    check_str(s.format[0], "pdf");
    check_str(s.text[0], "Boats.");
    check_ok(visit(&s, "noname", made_odt("<text:p>Goats.</text:p>")), s.err);
    check_str(s.format[0], "odt");
    struct buf rtf = BUF_INIT(0);
    buf_adds(&rtf, made_rtf);
    check_ok(visit(&s, "x.rtf", rtf), s.err);
    check_str(s.format[0], "rtf");
    check_has(s.text[0], "I keep goats");
}

/* What an upload is read from has no descriptor that a helper could be given. */
static void no_descriptor(void **state)
{
    static const struct made_entry e[] = { { .name = "a.txt", .text = "I keep goats." } };
    struct buf b = made_archive("zip", e, 1);
    struct media_visit v = { .file = on_file, .bad = on_bad, .ud = &s };
    memset(&s, 0, sizeof s);
    FILE *f = fmemopen(b.p, b.n, "rb");
    assert_non_null(f);
    check_int(fileno(f), -1);
    check_ok(media_each_file(f, "up.zip", CLOCK_NONE, NULL, &v, &s.err), s.err);
    check_int(s.n, 1);
    check_str(s.path[0], "up.zip/a.txt");
    check_str(s.text[0], "I keep goats.");
    buf_free(&b);
}

static struct buf nested(int depth)
{
    struct made_entry one = { .name = "deep.txt", .text = "At the bottom." };
    struct buf b = made_archive("zip", &one, 1);
    for (int i = 1; i < depth; i++) {
        struct made_entry e = { .name = "in.zip", .text = buf_str(&b), .n = b.n };
        struct buf out = made_archive(i & 1 ? "tar.gz" : "zip", &e, 1);
        buf_free(&b);
        b = out;
    }
    return b;
}

static void archives_in_archives(void **state)
{
    check_ok(visit(&s, "a.zip", nested(3)), s.err);
    check_int(s.n, 1);
    check_str(s.path[0], "a.zip/in.zip/in.zip/deep.txt");
    check_int(s.n_bad, 0);
    check_ok(visit(&s, "a.zip", nested(4)), s.err);
    check_int(s.n, 0);
    check_int(s.n_bad, 1);
    check_str(s.bad[0], "a.zip/in.zip/in.zip/in.zip");
    check_int(s.code[0], ERR_LIMIT);
    check_has(s.why[0], "more than 3 archives");
}

static void names_are_names(void **state)
{
    static const struct made_entry e[] = {
        { .name = "../../etc/passwd.txt", .text = "one" },
        { .name = "/abs/two.txt", .text = "two" },
        { .name = "C:\\Users\\three.txt", .text = "three" },
        { .name = "a\x1b[31m\x07.txt", .text = "four" },
        { .name = "same.txt", .text = "five" },
        { .name = "same.txt", .text = "six" },
        { .name = "link.txt", .link = "/etc/passwd" },
        { .name = "..", .text = "seven" },
    };
    static const char *const want[] = { "x.tar/etc/passwd.txt",
                                        "x.tar/abs/two.txt",
                                        "x.tar/C:/Users/three.txt",
                                        NULL,
                                        "x.tar/same.txt",
                                        "x.tar/same.txt",
                                        "x.tar/x.tar" };
    check_ok(visit(&s, "x.tar", made_archive("tar", e, COUNT_OF(e))), s.err);
    check_int(s.n, 7);
    for (int i = 0; i < 7; i++) {
        if (want[i]) check_str(s.path[i], want[i]);
        check_hasnt(s.path[i], "\x1b");
    }
    check_int(s.n_skipped, 1);
    check_str(s.skipped[0], "link or device");
}

static void as_a_format(void **state)
{
    static const struct made_entry e[] = { { .name = "x", .text = "a,b\n1,2\n" } };
    check_ok(visit_as(&s, "x.zip", "text", made_archive("zip", e, 1), NULL), s.err);
    check_str(s.format[0], "text");
    check_ok(visit_as(&s, "x.zip", "docx", made_archive("zip", e, 1), NULL), s.err);
    check_int(s.n_bad, 1);
    check_has(s.why[0], "--as");
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "Only text, no archive at all.");
    check_ok(visit_as(&s, "x.txt", "zip", b, NULL), s.err);
    check_int(s.n_bad, 1);
    check_has(s.why[0], "--as");
}

/* ---- limits ---- */

static void bombs(void **state)
{
    struct media_limits lim = media_limits_default;
    size_t n = 32 << 20;
    char *zeros = malloc(n);
    assert_non_null(zeros);
    memset(zeros, 'a', n);
    struct made_entry e[] = { { .name = "a.txt", .text = zeros, .n = n },
                              { .name = "b.txt", .text = zeros, .n = n } };
    struct buf b = made_archive("zip", e, 2);
    assert_true(b.n < n / 500);
    lim.free_bytes = 16 << 20;
    check_ok(visit_as(&s, "bomb.zip", NULL, b, &lim), s.err);
    check_int(s.n_bad, 1);
    check_int(s.code[0], ERR_LIMIT);
    check_has(s.why[0], "200 times its size");
    check_int(s.n, 0);
    lim.free_bytes = lim.total = (40 << 20);
    check_ok(visit_as(&s, "bomb.zip", NULL, made_archive("stored", e, 2), &lim), s.err);
    check_int(s.n, 1);
    check_has(s.why[0], "more than 40 MiB come out");
    lim = media_limits_default;
    lim.entry = 8 << 20;
    e[1].n = 100;
    check_ok(visit_as(&s, "x.zip", NULL, made_archive("zip", e, 2), &lim), s.err);
    check_int(s.n, 1);
    check_str(s.path[0], "x.zip/b.txt");
    check_int(s.n_bad, 1);
    check_has(s.why[0], "larger than 8 MiB");
    free(zeros);
}

/* What is too much for memory goes through a sealed file, and comes out the same. */
static void large_entries(void **state)
{
    struct media_limits lim = media_limits_default;
    struct buf text = BUF_INIT(8 << 20), inner;
    for (int i = 0; text.n < (3 << 20); i++)
        buf_printf(&text, "Line %d of a long letter about goats.\n", i);
    struct made_entry e[] = { { .name = "long.txt", .text = buf_str(&text), .n = text.n },
                              { .name = "short.txt", .text = "Boats." } };
    static const char *const how[] = { "zip", "stored", "tar", "tar.gz" };
    lim.kept = 100000;
    for (int i = 0; i < 4; i++) {
        check_ok(visit_as(&s, "x.bin", NULL, made_archive(how[i], e, 2), &lim), s.err);
        check_int(s.n, 2);
        check_int(s.n_bad, 0);
        check_int(s.bytes, text.n + 6);
        check_has(s.text[0], "of a long letter about goats");
        check_str(s.text[1], "Boats.");
    }
    check_ok(visit_as(&s, "long.txt.gz", NULL, made_archive("gz", e, 1), &lim), s.err);
    check_int(s.bytes, text.n);
    inner = made_archive("stored", e, 2);
    struct made_entry outer = { .name = "in.zip", .text = buf_str(&inner), .n = inner.n };
    check_ok(visit_as(&s, "out.tar", NULL, made_archive("tar", &outer, 1), &lim), s.err);
    check_int(s.n, 2);
    check_int(s.bytes, text.n + 6);
    lim.inner = 1 << 20;
    check_ok(visit_as(&s, "out.tar", NULL, made_archive("tar", &outer, 1), &lim), s.err);
    check_int(s.n, 0);
    check_int(s.n_bad, 1);
    check_int(s.code[0], ERR_LIMIT);
    check_has(s.why[0], "in.zip is larger than 1 MiB and lies in an archive");
    char *was = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    setenv("TMPDIR", "/no/such/folder", 1);
    check_ok(visit_as(&s, "x.bin", NULL, made_archive("zip", e, 2), &lim), s.err);
    check_int(s.n_bad, 1);
    check_has(s.why[0], "TMPDIR");
    if (was) setenv("TMPDIR", was, 1);
    else unsetenv("TMPDIR");
    free(was);
    buf_free(&inner);
    buf_free(&text);
}

/* Zips in zips in zips, of which each level holds eight: what comes out is counted over all. */
static void bombs_in_bombs(void **state)
{
    struct media_limits lim = media_limits_default;
    size_t n = 4 << 20;
    char *zeros = calloc(1, n);
    assert_non_null(zeros);
    memset(zeros, 'a', n);
    struct made_entry leaf = { .name = "0.txt", .text = zeros, .n = n };
    struct buf b = made_archive("zip", &leaf, 1);
    for (int level = 0; level < 2; level++) {
        struct made_entry e[8];
        for (int i = 0; i < 8; i++)
            e[i] = (struct made_entry){ .name = "lib.zip", .text = buf_str(&b), .n = b.n };
        struct buf out = made_archive("zip", e, 8);
        buf_free(&b);
        b = out;
    }
    lim.free_bytes = 16 << 20;
    check_ok(visit_as(&s, "42.zip", NULL, b, &lim), s.err); /* 256 MiB in all */
    assert_true(s.bytes <= lim.free_bytes + n);
    assert_true(s.n_bad >= 1);
    check_int(s.code[0], ERR_LIMIT);
    check_has(s.why[0], "200 times its size");
    free(zeros);
}

static void tar_sum(char h[512])
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += (uint8_t)h[i];
    snprintf(h + 148, 8, "%06o", sum);
}

/* A header of tar by hand: what libarchive's writer would not make. */
static void tar_entry(struct buf *b, const char *name, size_t name_n, char type, const char *text)
{
    char h[512] = { 0 };
    memcpy(h, name, name_n < 100 ? name_n : 100);
    snprintf(h + 100, 8, "0000644");
    snprintf(h + 124, 12, "%011o", (unsigned)strlen(text));
    snprintf(h + 136, 12, "%011o", (unsigned)MADE_TIME);
    h[156] = type;
    snprintf(h + 157, 100, "/etc/passwd");
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    tar_sum(h);
    buf_add(b, h, 512);
    if (*text) {
        memset(h, 0, sizeof h);
        memcpy(h, text, strlen(text));
        buf_add(b, h, 512);
    }
}

/* Devices, pipes and links are told and never opened; names of all kinds are only names. */
static void devices_and_names(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    char end[1024] = { 0 };
    static const char types[] = "1234567";
    for (const char *t = types; *t; t++) {
        if (*t == '5') continue; /* a folder */
        tar_entry(&b, "dev/x", 5, *t, *t == '7' ? "Contiguous." : "");
    }
    tar_entry(&b, "a\0b.txt", 7, '0', "Up to the zero.");
    tar_entry(&b, "././././x/.././y.txt", 20, '0', "Dots.");
    tar_entry(&b, "\xFF\xFE\x80.txt", 7, '0', "Not UTF-8.");
    tar_entry(&b, "CON\nAUX\t.txt", 12, '0', "Control.");
    buf_add(&b, end, sizeof end);
    check_ok(visit(&s, "x.tar", b), s.err);
    b = BUF_INIT(1 << 20);
    check_int(s.n_bad, 0);
    check_int(s.n_skipped, 5);
    for (int i = 0; i < 5; i++) check_str(s.skipped[i], "link or device");
    check_int(s.n, 5);
    check_str(s.path[1], "x.tar/a");
    check_str(s.path[2], "x.tar/x/y.txt");
    check_str(s.path[4], "x.tar/CON AUX .txt");
    for (int i = 0; i < s.n; i++) assert_true(utf8_valid(s.path[i], strlen(s.path[i])));
    char *name = malloc(70001);
    assert_non_null(name);
    for (int i = 0; i < 70000; i++) name[i] = i % 50 == 49 ? '/' : 'n';
    for (int i = 0; i < 3; i++) { /* GNU's long name: an entry that holds it */
        size_t k = i == 0 ? 310 : i == 1 ? 5010 : 69990;
        tar_entry(&b, "././@LongLink", 13, 'L', "");
        snprintf(b.p + b.n - 512 + 124, 12, "%011o", (unsigned)k);
        tar_sum(b.p + b.n - 512);
        buf_add(&b, name, k);
        while (b.n % 512) buf_addc(&b, 0);
        tar_entry(&b, "short.txt", 9, '0', "A long way.");
    }
    buf_add(&b, end, sizeof end);
    check_ok(visit(&s, "long.tar", b), s.err);
    if (!(s.n == 3 || (s.n >= 1 && s.n_bad))) fail_msg("%d files, %d bad", s.n, s.n_bad);
    check_str(s.text[0], "A long way.");
    free(name);
}

static void many_entries(void **state)
{
    struct media_limits lim = media_limits_default;
    static struct made_entry e[3000];
    for (int i = 0; i < 3000; i++) e[i] = (struct made_entry){ .name = "n.txt", .text = "x" };
    lim.entries = 2000;
    check_ok(visit_as(&s, "many.tar", NULL, made_archive("tar", e, 3000), &lim), s.err);
    check_int(s.calls, 2000);
    check_int(s.n_bad, 1);
    check_has(s.why[0], "more than 2000 files");
}

/* A zip whose directory lists one stored entry a thousand times, all in the same bytes. */
static void overlapping_entries(void **state)
{
    static const struct made_entry e[] = { { .name = "kernel.txt", .text = "0123456789" } };
    struct buf one = made_archive("stored", e, 1), b = BUF_INIT(64 << 20);
    const char *dir = memmem(one.p, one.n, "PK\1\2", 4);
    const char *end = memmem(one.p, one.n, "PK\5\6", 4);
    assert_true(dir && end);
    size_t row = (size_t)(end - dir), head = (size_t)(dir - one.p);
    buf_add(&b, one.p, head);
    for (int i = 0; i < 1000; i++) buf_add(&b, dir, row);
    size_t at = b.n;
    buf_add(&b, end, one.n - (size_t)(end - one.p));
    uint32_t size = (uint32_t)(row * 1000);
    for (int i = 0; i < 2; i++) b.p[at + 8 + i] = b.p[at + 10 + i] = (char)(1000 >> (8 * i));
    for (int i = 0; i < 4; i++) b.p[at + 12 + i] = (char)(size >> (8 * i));
    buf_free(&one);
    struct media_limits lim = media_limits_default;
    lim.total = 5000;
    check_ok(visit_as(&s, "overlap.zip", NULL, b, &lim), s.err);
    assert_true(s.bytes <= 5000);
    assert_true(s.calls <= 500);
}

static void stops_when_told(void **state)
{
    static const struct made_entry e[] = { { .name = "a.txt", .text = "a" },
                                           { .name = "b.txt", .text = "b" } };
    s.stop = ERR_CANCEL;
    check_int(visit(&s, "x.zip", made_archive("zip", e, 2)), ERR_CANCEL);
    check_int(s.calls, 1);
    check_int(s.n_bad, 0);
    s.stop = 0;
}

/* ---- damage ---- */

static void encrypted(void **state)
{
    static const struct made_entry e[] = { { .name = "a.txt", .text = "secret text" } };
    struct buf b = made_archive("stored", e, 1);
    char *dir = memmem(b.p, b.n, "PK\1\2", 4);
    assert_non_null(dir);
    b.p[6] |= 1; /* general purpose bit 0, in both headers */
    dir[8] |= 1;
    check_ok(visit(&s, "locked.zip", b), s.err);
    check_int(s.n, 0);
    check_int(s.n_bad, 1);
    check_has(s.why[0], "protected by a password");
}

static void cut_off(void **state)
{
    char text[4000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 50 == 49 ? '\n' : (char)('a' + i * 7 % 23);
    const struct made_entry e[] = { { .name = "a.txt", .text = "The first is whole." },
                                    { .name = "b.txt", .text = text, .n = sizeof text } };
    static const char *const how[] = { "stored", "tar" };
    for (int i = 0; i < 2; i++) {
        struct buf b = made_archive(how[i], e, 2);
        b.n = 3000;
        check_ok(visit(&s, "cut.bin", b), s.err);
        assert_true(s.n >= 1);
        check_str(s.text[0], "The first is whole.");
        assert_true(s.n_bad || s.n == 2); /* the second comes in part, or is told */
    }
    for (size_t n = 4; n < 200; n += 13) {
        struct buf b = made_archive("zip", e, 1);
        b.n = n < b.n ? n : b.n;
        check_ok(visit(&s, "cut.zip", b), s.err);
        check_int(s.n + s.n_bad + s.n_skipped > 0, 1);
    }
}

/* ---- helpers that fail ---- */

static char *script(const char *body)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/helper", check_tmp_dir());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    chmod(path, 0755);
    return path;
}

static void bad_helpers(void **state)
{
    static const struct {
        const char *body, *says;
    } t[] = {
        { "kill -SEGV $$", "stopped on it" },
        { "exit 1", "stopped on it" },
        { "kill -SYS $$", "does not need" },
        { "kill -XCPU $$", "too long" },
        { "sleep 30", "too long" },
        { "exit 3", "lock in" },
        { "exit 0", "damaged" },
        { "printf 'what is this'", "answer" },
        { "printf 'Z\\0\\0\\0\\0Z\\0\\0\\0\\0'", "no files" },
        { "printf 'K\\007\\0\\0\\0\\003\\0\\0\\0csv'", "answer" },
        { "printf 'D\\001\\0\\0\\0x'", "order of records" },
        { "printf 'K\\377\\377\\377\\377'", "answer" },
    };
    static const struct made_entry e[] = { { .name = "a.txt", .text = "a" } };
    struct media_limits lim = media_limits_default;
    lim.idle_s = 1;
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        setenv("LIKENESS_MEDIA", script(t[i].body), 1);
        check_ok(visit_as(&s, "x.zip", NULL, made_archive("zip", e, 1), &lim), s.err);
        check_int(s.n, 0);
        check_int(s.n_bad, 1);
        check_has(s.why[0], t[i].says);
    }
    setenv("LIKENESS_MEDIA", "/no/such/helper", 1);
    check_ok(visit(&s, "x.zip", made_archive("zip", e, 1)), s.err);
    check_has(s.why[0], "/no/such/helper");
    unsetenv("LIKENESS_MEDIA");
}

/* ---- records ---- */

static int keep(void *ud, const void *p, size_t n) { return buf_add(ud, p, n); }

static void records_come_back(void **state)
{
    struct buf b = BUF_INIT(1 << 20);
    static struct wire_out w;
    struct wire_record r;
    struct err err;
    int pipe_fd[2];
    char block[1000];
    memset(block, 'x', sizeof block);
    w = (struct wire_out){ .put = keep, .ud = &b };
    wire_kind(&w, "zip");
    wire_begin(&w,
               &(struct wire_entry){ .path = "a", .title = "b", .mtime = 7, .date = CLOCK_NONE });
    for (int i = 0; i < 50; i++) wire_data(&w, block, sizeof block);
    wire_end(&w, true);
    wire_note(&w, NOTE_LINK);
    check_int(wire_done(&w), 0);
    assert_int_equal(pipe(pipe_fd), 0);
    assert_true(b.n < 60000); /* less than a pipe holds */
    check_int(write(pipe_fd[1], b.p, b.n), b.n);
    close(pipe_fd[1]);
    struct wire_in in = { .fd = pipe_fd[0] };
    check_int(wire_next(&in, &r, &err), 1);
    check_int(r.type, WIRE_KIND);
    check_int(wire_next(&in, &r, &err), 1);
    check_int(r.mtime, 7);
    check_int(r.date, CLOCK_NONE);
    assert_true(span_eq(r.title, "b"));
    check_int(wire_next(&in, &r, &err), 1);
    check_int(r.bytes.n, 50000);
    check_int(wire_next(&in, &r, &err), 1);
    check_int(r.partial, true);
    check_int(wire_next(&in, &r, &err), 1);
    check_str(note_text(r.note), "link or device");
    check_int(wire_next(&in, &r, &err), 1);
    check_int(in.done, true);
    check_int(wire_next(&in, &r, &err), 0);
    wire_clear(&in);
    close(pipe_fd[0]);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(entries_in_place),
        cmocka_unit_test(single_file),
        cmocka_unit_test(documents),
        cmocka_unit_test(no_descriptor),
        cmocka_unit_test(archives_in_archives),
        cmocka_unit_test(names_are_names),
        cmocka_unit_test(as_a_format),
        cmocka_unit_test(bombs),
        cmocka_unit_test(large_entries),
        cmocka_unit_test(bombs_in_bombs),
        cmocka_unit_test(devices_and_names),
        cmocka_unit_test(many_entries),
        cmocka_unit_test(overlapping_entries),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(encrypted),
        cmocka_unit_test(cut_off),
        cmocka_unit_test(bad_helpers),
        cmocka_unit_test(records_come_back),
    };
    return check_run("media/media", t);
}
