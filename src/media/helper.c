/* likeness-media KIND MEMORY CPU [journal | asks=SIZE]: reads the file on descriptor 0, and the
 * journal of that database on 3, writes records (wire.h) to 1. With asks, descriptor 0 is a socket
 * by which the pieces of an archive come that it asks for (lend.h).
 *
 * Started by the program for one file and gone after it. All that needs the world outside (mapping
 * the file, the locale, charsets) happens first; then the cell is shut; then the first byte of the
 * file is looked at. The parts allocate freely: their memory goes with the process.
 *
 * Exit status: 0 done, 2 wrong use, 3 the cell could not be shut. */
#include "base/str.h"
#include "media/parts.h"
#include "media/sandbox.h"

#include <iconv.h>
#include <libxml/parser.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kinds of which pieces do, and those that are read as a whole. */
#define FETCHED "zip tar gz docx pptx odt epub"
#define WHOLE   "rtf pdf imessage"

static int put(void *ud, const void *p, size_t n)
{
    const char *s = p;
    while (n) {
        ssize_t k = write(1, s, n);
        if (k <= 0) return -1;
        s += k;
        n -= (size_t)k;
    }
    return 0;
}

static void send_document(struct wire_out *out, enum fault f, struct doctext *d)
{
    struct wire_entry e = { .title = buf_str(&d->title),
                            .author = buf_str(&d->author),
                            .mtime = CLOCK_NONE,
                            .date = d->date,
                            .text = true };
    int rc = f ? wire_fault(out, f) : wire_begin(out, &e);
    if (!f && !rc) rc = wire_data(out, buf_str(&d->text), d->text.n);
    if (!f && !rc) wire_end(out, d->partial);
}

static enum fault package(const char *kind, const struct supply *s, struct doctext *d)
{
    struct members m;
    enum fault f = members_read(s, ".xml .rels .opf .xhtml .html .htm", &m);
    if (!f && !strcmp(kind, "docx")) f = docx_text(&m, d);
    else if (!f && !strcmp(kind, "pptx")) f = pptx_text(&m, d);
    else if (!f && !strcmp(kind, "odt")) f = odt_text(&m, d);
    else if (!f) f = epub_text(&m, d);
    members_free(&m);
    return f;
}

/* Bytes of the file from the program, which has it. */
static int fetch(void *ud, uint64_t at, void *p, size_t n)
{
    uint8_t *s = p;
    if (wire_want(ud, at, (uint32_t)n)) return -1;
    while (n) {
        ssize_t k = read(0, s, n);
        if (k <= 0) return -1;
        s += k;
        n -= (size_t)k;
    }
    return 0;
}

static bool is(const char *kind, const char *list)
{
    size_t k = strlen(kind);
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == k && !memcmp(p, kind, k)) return true;
    return false;
}

/* p: the whole file; NULL: it is fetched from s. */
static void work(const char *asked, uint8_t *p, size_t n, const struct supply *s,
                 struct wire_out *out)
{
    struct doctext d;
    const char *kind = asked;
    enum fault f = FAULT_NONE;
    bool zipped = is(asked, "docx pptx odt epub");
    if (zipped || !strcmp(asked, "zip")) kind = zip_kind(s);
    if (!kind) f = FAULT_OTHER;
    else if (zipped && !strcmp(kind, "zip")) f = FAULT_KIND;
    wire_kind(out, kind ? kind : asked);
    if (!f && is(kind, "zip tar gz")) {
        archive_walk(s, out);
    } else if (!f && !strcmp(kind, "imessage")) {
        imessage_walk(p, n, out);
    } else {
        doctext_init(&d);
        if (!f && !strcmp(kind, "rtf")) f = rtf_text(p, n, &d);
        else if (!f && !strcmp(kind, "pdf")) f = pdf_text(p, n, &d);
        else if (!f) f = package(kind, s, &d);
        send_document(out, f, &d);
        doctext_clear(&d);
    }
    wire_done(out);
}

/* What libraries load from files when they first need it. */
static void prepare(const char *kind)
{
    static const char *const used[] = { "UTF-8", "UTF-16LE", "UTF-16BE" };
    static iconv_t kept[3];       /* open, so that the C library keeps what it loaded */
    setlocale(LC_ALL, "C.UTF-8"); /* names in archives: UTF-8, or bytes as they are */
    for (int i = 0; i < 3; i++)
        if ((kept[i] = iconv_open("UTF-8", used[i])) == (iconv_t)-1) kept[i] = NULL;
    if (!strcmp(kind, "rtf")) rtf_prepare();
    if (!strcmp(kind, "imessage")) imessage_prepare();
    xmlInitParser();
}

/* A file as bytes that may be changed and be followed by `more` of them. NULL: it cannot be. */
static uint8_t *map_file(int fd, size_t more, size_t *n)
{
    struct stat st;
    if (fstat(fd, &st)) return NULL;
    *n = (size_t)st.st_size;
    int anon = MAP_PRIVATE | MAP_ANONYMOUS;
    uint8_t *p = mmap(NULL, *n + more + 1, PROT_READ | PROT_WRITE, anon, -1, 0);
    if (p == MAP_FAILED || !*n) return p == MAP_FAILED ? NULL : p;
    void *q = mmap(p, *n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0); /* own copy */
    return q == MAP_FAILED ? NULL : p;
}

int main(int argc, char **argv)
{
    static struct wire_out out = { .put = put };
    struct err err;
    bool paired = argc == 5 && !strcmp(argv[4], "journal");
    bool asks = argc == 5 && str_starts(argv[4], "asks=");
    size_t n = 0, journal_n = 0;
    if ((argc != 4 && !paired && !asks) || !is(argv[1], asks ? FETCHED : FETCHED " " WHOLE))
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would read the answer */
    uint8_t *journal = paired ? map_file(3, 0, &journal_n) : NULL;
    uint8_t *p = asks ? NULL : map_file(0, journal_n, &n);
    if ((!p && !asks) || (paired && !journal)) return 2;
    struct supply s = supply_of(p, n);
    if (asks)
        s = (struct supply){ .n = strtoull(argv[4] + 5, NULL, 10), .fetch = fetch, .ud = &out };
    struct sandbox cell = { .memory = strtoull(argv[2], NULL, 10) + n + 2 * journal_n,
                            .cpu_s = strtoull(argv[3], NULL, 10) };
    if (paired) close(3);
    prepare(argv[1]);
    if (sandbox_enter(&cell, &err)) return 3;
    if (paired) n = wal_apply(p, n, n + journal_n, journal, journal_n);
    work(argv[1], p, n, &s, &out);
    _exit(0);
}
