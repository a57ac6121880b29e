/* Ingest of much at once: a mailbox of a gigabyte, and a zip with a million messages. What comes in
 * is made (made_text.h), each time the same. A process of its own ingests it, so that its peak
 * memory is its own; that of the helper which opens the zip is told beside it.
 *
 * The limit of the mailbox is reading the file, from the cache of the system. LIKENESS_BENCH_SHARE
 * (of 100) makes both smaller, for looking at profiles. */
#include "bench.h"
#include "made_text.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "base/threads.h"
#include "persona/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAILBOX  ((uint64_t)1 << 30)
#define MESSAGES 1000000

struct taken { /* written by the process that ingests */
    double seconds, settled, cpu;
    uint64_t bytes, added, voice, chunks, failed;
    char error[200];
};

struct place {
    char dir[256], home[300], key[300], file[320];
};

static uint64_t share(uint64_t n)
{
    const char *s = getenv("LIKENESS_BENCH_SHARE");
    long k = s ? strtol(s, NULL, 10) : 100;
    return k > 0 && k < 100 ? n / 100 * (uint64_t)k : n;
}

static int place_make(struct place *at, const char *file, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(at->dir, sizeof at->dir, "%s/likeness-bench-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(at->dir)) return err_errno(err, "cannot make a folder in %s", tmp ? tmp : "/tmp");
    snprintf(at->home, sizeof at->home, "%s/home", at->dir);
    snprintf(at->key, sizeof at->key, "%s/home.key", at->dir);
    snprintf(at->file, sizeof at->file, "%s/%s", at->dir, file);
    return 0;
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

/* The files, then everything that is derived: two steps of one command. */
static int ingest_both(struct home *h, struct persona *p, const char *file, struct taken *out,
                       struct err *err)
{
    struct ingest in = { .home = h, .persona = p, .day_first = -1 };
    struct ingest_file rep;
    FILE *f = fopen(file, "rb");
    if (!f) return err_errno(err, "cannot open %s", file);
    double start = clock_mono();
    int rc = ingest_opened(&in, f, file, 0, 0, &rep, err);
    out->seconds = clock_mono() - start;
    start = clock_mono();
    if (!rc) rc = persona_settle(h, p, NULL, err);
    out->settled = clock_mono() - start;
    out->bytes = io_file_size(file);
    out->added = rep.added;
    out->voice = rep.voice;
    out->chunks = rep.chunks;
    for (size_t i = 0; i < rep.n_notes; i++)
        if (!strcmp(rep.notes[i].what, "file that could not be read"))
            out->failed = rep.notes[i].count;
    return rc;
}

static int ingest_all(const struct place *at, int threads, struct taken *out, struct err *err)
{
    struct secret s = { .key_file = at->key };
    struct home *h = NULL;
    struct persona *p = NULL;
    struct persona_new n = { .name = made_person(0),
                             .kind = PERSONA_LEGACY,
                             .consent_by = "nobody",
                             .consent_to = "measuring",
                             .consent_at = 1,
                             .chunk_overlap = -1 };
    struct buf me = BUF_INIT(512);
    struct rusage use;
    threads_set(threads);
    buf_printf(&me, "%s, %s", made_person(0), made_address(0));
    int rc = home_create(at->home, &s, err);
    if (!rc) rc = home_open(at->home, &s, STORE_WRITE, &h, err);
    if (!rc) rc = persona_create(h, &n, &p, err);
    if (!rc) rc = persona_alias_add(h, p, buf_str(&me), err);
    if (!rc) rc = ingest_both(h, p, at->file, out, err);
    persona_close(p);
    home_close(h);
    buf_free(&me);
    getrusage(RUSAGE_SELF, &use);
    out->cpu = seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
    return rc;
}

/* In a process of its own. peak: bytes. */
static int measure(const struct place *at, int threads, struct taken *out, double *peak,
                   struct err *err)
{
    struct taken *t =
        mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rusage use = { 0 };
    int status = 1;
    if (t == MAP_FAILED) return err_nomem(err);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        struct err e = { 0 };
        setenv("LIKENESS_KDF", "fast", 1);
        int rc = ingest_all(at, threads, t, &e);
        snprintf(t->error, sizeof t->error, "%.190s", e.msg);
        _exit(rc ? 1 : 0);
    }
    int rc = pid < 0 ? err_errno(err, "cannot start a process") : 0;
    if (!rc && (wait4(pid, &status, 0, &use) != pid || status))
        rc = err_set(err, ERR_INTERNAL, "it did not come in: %s", t->error);
    *out = *t;
    *peak = (double)use.ru_maxrss * 1024;
    munmap(t, sizeof *t);
    return rc;
}

/* Bytes a second at which the file can be read at all. */
static double read_rate(const char *path)
{
    static char block[1 << 16];
    FILE *f = fopen(path, "rb");
    size_t all = 0, n;
    double start = clock_mono();
    while (f && (n = fread(block, 1, sizeof block, f))) all += n;
    if (f) fclose(f);
    return (double)all / (clock_mono() - start);
}

int bench_ingest_mbox(struct bench *b, struct err *err)
{
    struct place at;
    struct taken t;
    double peak = 0;
    uint64_t mails = 0;
    int rc = place_make(&at, "All mail.mbox", err);
    if (rc) return rc;
    rc = made_mbox(at.file, share(MAILBOX), &mails, err);
    double limit = rc ? 0 : read_rate(at.file);
    if (!rc) rc = measure(&at, b->threads, &t, &peak, err);
    if (!rc) {
        bench_report(b, "ingest_mbox_1gb", (double)t.bytes / t.seconds / 1e6, "MB/s", limit / 1e6,
                     BENCH_NONE,
                     "to chunks; %llu mails, %llu taken, %llu of the persona; limit: reading; "
                     "goal 60",
                     (unsigned long long)mails, (unsigned long long)t.added,
                     (unsigned long long)t.voice);
        bench_report(b, "ingest_mbox_1gb_settle", t.settled, "s", BENCH_NONE, BENCH_NONE,
                     "%llu passages embedded, topics, profile; %.1f s of processor in all",
                     (unsigned long long)t.chunks, t.cpu);
        bench_report(b, "ingest_mbox_1gb_rss", peak / 1e6, "MB", BENCH_NONE, BENCH_NONE,
                     "peak, settling included; goal 400");
    }
    io_remove_tree(at.dir, NULL);
    return rc;
}

int bench_ingest_chats(struct bench *b, struct err *err)
{
    struct place at;
    struct taken t;
    double peak = 0;
    int rc = place_make(&at, "chats.zip", err);
    if (rc) return rc;
    rc = made_chats(at.file, share(MESSAGES), err);
    if (!rc) rc = measure(&at, b->threads, &t, &peak, err);
    if (!rc && t.failed)
        rc = err_set(err, ERR_INTERNAL, "%llu entries could not be read",
                     (unsigned long long)t.failed);
    if (!rc) {
        bench_report(b, "ingest_zip_chats", t.seconds + t.settled, "s", BENCH_NONE, BENCH_NONE,
                     "%llu messages, a zip of %.0f MB, to a searchable persona; goal 90",
                     (unsigned long long)t.added, (double)t.bytes / 1e6);
        bench_report(b, "ingest_zip_chats_settle", t.settled, "s", BENCH_NONE, BENCH_NONE,
                     "of that; %.1f s of processor in all", t.cpu);
        bench_report(b, "ingest_zip_chats_rss", peak / 1e6, "MB", BENCH_NONE, BENCH_NONE, "peak");
    }
    io_remove_tree(at.dir, NULL);
    return rc;
}
