/* Files that lie sealed, as uploads do, are lent to the helper block by block: what comes out is
 * what comes out of a plain file, nothing is copied whole into memory, and a seal that does not
 * open is an error. */
#include "made.h"

#include "media/lend.h"
#include "media/media.h"
#include "media/wire.h"
#include "vault/spool.h"

#include <dirent.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

#define SEEN  16
#define LARGE ((size_t)64 << 20)

static const uint8_t KEY[VAULT_KEY] = { 1, 2, 3 };

struct seen {
    char path[SEEN][64], text[SEEN][64], why[480];
    int n, n_bad, n_skipped, code;
    bool measured;
    uint64_t in_memory, before; /* bytes of anonymous files; VmRSS before */
    struct err err;
};
static struct seen s;

/* ---- memory ---- */

/* A number of /proc/PID/status in bytes. */
static uint64_t status_of(const char *pid, const char *field)
{
    char path[64], line[200];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, field, strlen(field)))
            sscanf(line + strlen(field), ": %llu", &kib); // NOLINT(cert-err34-c)
    if (f) fclose(f);
    return kib << 10;
}

/* The file systems' memory that this process holds open. */
static uint64_t in_memory(void)
{
    char link[64], to[64];
    uint64_t sum = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        snprintf(link, sizeof link, "/proc/self/fd/%.20s", e->d_name);
        ssize_t n = readlink(link, to, sizeof to - 1);
        to[n > 0 ? n : 0] = 0;
        if (!strncmp(to, "/memfd:", 7) && !stat(link, &st)) sum += (uint64_t)st.st_size;
    }
    closedir(d);
    return sum;
}

/* Of the helpers that are at work. */
static uint64_t helpers_peak(void)
{
    char path[64], pid[32];
    uint64_t most = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    while (f && fscanf(f, "%31s", pid) == 1) { // NOLINT(cert-err34-c)
        uint64_t peak = status_of(pid, "VmHWM");
        if (peak > most) most = peak;
    }
    if (f) fclose(f);
    return most;
}

/* ---- visiting ---- */

static int on_piece(void *ud, const struct piece *p, struct err *err)
{
    snprintf(ud, 64, "%.63s", p->text);
    return 0;
}

static int on_file(void *ud, const struct format *f, struct format_in *in, struct err *err)
{
    struct format_opts o = { .now = MADE_TIME, .day_first = -1 };
    assert_true(s.n < SEEN);
    snprintf(s.path[s.n], 64, "%s", in->path);
    struct piece_sink sink = { .piece = on_piece, .ud = s.text[s.n++] };
    if (s.measured) {
        uint64_t now = status_of("self", "VmRSS");
        s.in_memory = in_memory();
        assert_true(s.in_memory < LARGE / 16);
        assert_true(now < s.before + LARGE / 2);
        if (!__asan_init && !__tsan_init) assert_true(helpers_peak() < LARGE / 4 * 3);
    }
    return format_parse(f, in, &o, &sink, err);
}

static int on_bad(void *ud, const char *path, const char *format, const struct err *why)
{
    snprintf(s.why, sizeof s.why, "%s", why->msg);
    s.code = why->code;
    s.n_bad++;
    return 0;
}

static void on_skipped(void *ud, const char *archive, const char *format, const char *what)
{
    s.n_skipped++;
}

static int visit(FILE *f, const char *name, const struct media_limits *lim)
{
    struct media_visit v = { .file = on_file, .bad = on_bad, .skipped = on_skipped, .limits = lim };
    return media_each_file(f, name, MADE_TIME, NULL, &v, &s.err);
}

/* Sealed into a spool, and b freed. */
static const char *sealed(struct buf b)
{
    static char path[300];
    struct spool *to = NULL;
    struct err err = { 0 };
    snprintf(path, sizeof path, "%s/spool", check_tmp_dir());
    check_ok(spool_create(path, KEY, &to, &err), err);
    check_ok(spool_write(to, b.p, b.n, &err), err);
    check_ok(spool_finish(to, &err), err);
    spool_free(to);
    buf_free(&b);
    return path;
}

static FILE *open_sealed(const char *path)
{
    struct err err = { 0 };
    FILE *f = spool_fopen(path, KEY, NULL, &err);
    check_ok(f ? 0 : err.code, err);
    check_int(fileno(f), -1);
    return f;
}

static void visit_sealed(const char *name, struct buf b)
{
    memset(&s, 0, sizeof s);
    check_ok(visit(open_sealed(sealed(b)), name, NULL), s.err);
}

/* ---- tests ---- */

static void as_from_a_plain_file(void **state)
{
    /* users.json tells names, so it comes first whatever its place: the archive is read twice. */
    static const struct made_entry e[] = {
        { .name = "channels.json", .text = "[]" },
        { .name = "Chats/x.txt", .text = "I keep goats." },
        { .name = "p.png", .text = "\x89PNG\r\n\x1a\n...", .n = 12 },
        { .name = "y.md", .text = "A boat." },
        { .name = "users.json", .text = "[]" },
    };
    static const char *const how[] = { "zip", "stored", "tar", "tar.gz" };
    for (int i = 0; i < 4; i++) {
        struct buf b = made_archive(how[i], e, COUNT_OF(e));
        FILE *f = tmpfile();
        struct seen plain;
        assert_non_null(f);
        check_int(fwrite(b.p, 1, b.n, f), b.n);
        rewind(f);
        memset(&s, 0, sizeof s);
        check_ok(visit(f, "up.bin", NULL), s.err);
        plain = s;
        assert_true(plain.n >= 2);
        visit_sealed("up.bin", b);
        check_int(s.n, plain.n);
        check_int(s.n_bad, plain.n_bad);
        check_int(s.n_skipped, plain.n_skipped);
        for (int k = 0; k < s.n; k++) {
            check_str(s.path[k], plain.path[k]);
            check_str(s.text[k], plain.text[k]);
        }
    }
    visit_sealed("a.docx", made_docx("<w:p><w:r><w:t>I keep goats.</w:t></w:r></w:p>"));
    check_int(s.n, 1);
    check_str(s.text[0], "I keep goats.");
    visit_sealed("b.pdf", made_pdf("BT /F1 9 Tf (Boats.) Tj ET", MADE_FONT));
    check_int(s.n, 1); /* a document is read as a whole, from a copy */
    check_str(s.text[0], "Boats.");
}

/* A text, a picture of LARGE bytes that do not compress, and a text. */
static struct buf with_picture(const char *how, size_t n)
{
    static const uint8_t seed[randombytes_SEEDBYTES] = { 7 };
    char *noise = malloc(n);
    assert_non_null(noise);
    randombytes_buf_deterministic(noise, n, seed);
    memcpy(noise, "\x89PNG\r\n\x1a\n", 8);
    const struct made_entry e[] = { { .name = "a.txt", .text = "Before it." },
                                    { .name = "p.png", .text = noise, .n = n },
                                    { .name = "z.txt", .text = "Behind it." } };
    struct buf b = made_archive(how, e, 3);
    free(noise);
    return b;
}

static void memory_is_flat(void **state)
{
    static const char *const how[] = { "stored", "tar" };
    for (int i = 0; i < 2; i++) {
        const char *path = sealed(with_picture(how[i], LARGE));
        memset(&s, 0, sizeof s);
        s.before = status_of("self", "VmRSS");
        s.measured = true;
        assert_true(s.before > 0);
        check_ok(visit(open_sealed(path), "up.bin", NULL), s.err);
        check_int(s.n, 2);
        check_str(s.text[0], "Before it.");
        check_str(s.text[1], "Behind it.");
        check_int(s.n_skipped, 1);
        check_int(s.n_bad, 0);
        assert_true(s.in_memory > 0); /* the entry itself: what was measured is the right thing */
    }
}

static void seals_that_do_not_open(void **state)
{
    struct buf b = with_picture("tar", 400000);
    size_t behind = b.n - 3000; /* in the block of the last text */
    const char *path = sealed(b);
    FILE *f = open_sealed(path), *raw = fopen(path, "r+b");
    assert_non_null(raw);
    check_int(fseek(raw, (long)(behind + behind / 65536 * 41), SEEK_SET), 0);
    int c = fgetc(raw);
    check_int(fseek(raw, -1, SEEK_CUR), 0);
    fputc(c ^ 1, raw);
    check_int(fflush(raw), 0);
    memset(&s, 0, sizeof s);
    check_ok(visit(f, "up.tar", NULL), s.err);
    for (int i = 0; i < s.n; i++) check_str(s.text[i], "Before it.");
    check_int(s.n_bad, 1);
    check_int(s.code, ERR_IO);
    check_has(s.why, "cannot read up.tar");

    f = open_sealed(sealed(with_picture("tar", 400000))); /* and one that loses its end meanwhile */
    check_int(truncate(path, 200000), 0);
    memset(&s, 0, sizeof s);
    check_ok(visit(f, "up.tar", NULL), s.err);
    for (int i = 0; i < s.n; i++) check_str(s.text[i], "Before it.");
    check_int(s.n_bad, 1);
    check_int(s.code, ERR_IO);
    fclose(raw);
}

/* ---- helpers that ask for what they should not ---- */

static void bad_questions(void **state)
{
    static const struct {
        const char *ask, *says;
        bool lent;
    } t[] = {
        { "\\377\\0\\0\\0\\0\\0\\0\\0\\020\\0\\0\\0", "not lent", true }, /* behind the end */
        { "\\377\\377\\377\\377\\377\\377\\377\\377\\020\\0\\0\\0", "not lent", true },
        { "\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0", "length wanted", true }, /* nothing */
        { "\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\0", "length wanted", true },
        { "\\0\\0\\0\\0\\0\\0\\0\\0\\020\\0\\0\\0", "not lent", false }, /* it has the file */
    };
    static const struct made_entry e[] = { { .name = "a.txt", .text = "a" } };
    char path[300];
    snprintf(path, sizeof path, "%s/helper", check_tmp_dir());
    for (size_t i = 0; i < COUNT_OF(t); i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f, "#!/bin/sh\nprintf 'W\\014\\0\\0\\0%s'\n", t[i].ask);
        fclose(f);
        chmod(path, 0755);
        setenv("LIKENESS_MEDIA", path, 1);
        struct buf b = made_archive("zip", e, 1);
        f = t[i].lent ? fmemopen(b.p, b.n, "rb") : tmpfile();
        assert_non_null(f);
        if (!t[i].lent) check_int(fwrite(b.p, 1, b.n, f), b.n);
        memset(&s, 0, sizeof s);
        check_ok(visit(f, "x.zip", NULL), s.err);
        check_int(s.n, 0);
        check_int(s.n_bad, 1);
        check_has(s.why, t[i].says);
        buf_free(&b);
    }
    unsetenv("LIKENESS_MEDIA");
}

/* However small the file, a helper that asks again and again is told no in the end; one that takes
 * nothing of what it asked for is not waited for. */
static void asking_without_end(void **state)
{
    static char bytes[70000];
    struct lent l;
    struct err err = { 0 };
    struct helper h = { .idle_s = 0, .fd = -1 };
    int pair[2], calls = 0, rc = 0;
    FILE *f = fmemopen(bytes, sizeof bytes, "rb");
    assert_non_null(f);
    check_ok(lend_open(&l, f, "x.zip", NULL, "zip", &err), err);
    check_int(l.in.fd, -1);
    check_int(l.in.size, sizeof bytes);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    h.give = pair[0];
    while (!(rc = lend_piece(&l, &h, 0, WIRE_MAX, &err))) calls++;
    check_int(rc, ERR_LIMIT); /* the socket is full, and nobody reads */
    assert_true(h.late && calls < 1000);
    close(pair[1]);
    for (calls = 0; !(rc = lend_piece(&l, &h, 0, WIRE_MAX, &err)); calls++) continue;
    check_int(rc, ERR_LIMIT);
    assert_true(calls > 500 && calls < 2000);
    close(pair[0]);
    lend_close(&l);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(as_from_a_plain_file),   cmocka_unit_test(memory_is_flat),
        cmocka_unit_test(seals_that_do_not_open), cmocka_unit_test(bad_questions),
        cmocka_unit_test(asking_without_end),
    };
    return check_run("media/lend", t);
}
