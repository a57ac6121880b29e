/* The whole way: a corpus to a searchable persona, and questions put to it.
 *
 * ingest_pepys runs in a child process, so that its peak memory is its own; the child uses the same
 * calls as the program. ask_quote then opens the home that was made, in this process, and times
 * each answer; the first rounds warm caches and are not counted. The corpus is test data and may be
 * absent. */
#include "bench.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "persona/converse.h"
#include "persona/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const questions[] = {
    "What do you think of the theatre?",
    "Did you see the fire of London?",
    "How is your wife?",
    "What did you eat for dinner?",
    "Do you like music?",
    "What do you think of the King?",
    "How much money do you have?",
    "Are you afraid of the plague?",
    "Why did you stop drinking wine?",
    "Where do you go to church?",
    "What do you think of Sir William Penn?",
    "Do you play the flageolet?",
    "When did you buy a periwig?",
    "What happened at the Tower?",
    "How are your eyes?",
    "What do you think of the Dutch war?",
    "Who is my Lord Sandwich?",
    "And why?",
    "What books did you buy?",
    "Have you been to Cambridge?",
    "Do you trust Creed?",
    "What is it like to travel by coach?",
    "How did you sleep?",
    "What do you think of women at court?",
    "Did you ever see an execution?",
    "What do you do at the office?",
    "How is your father?",
    "What work did you do with Mr. Hewer?",
    "What do you think of Shakespeare?",
    "Do you keep a diary?",
    "What do you know of quantum computing?",
    "Would you live in the country?",
};
enum { N_QUESTIONS = sizeof questions / sizeof *questions, ROUNDS = 12 };

struct place {
    char dir[256], home[300], key[300], corpus[400];
};

static bool find_corpus(struct place *p)
{
    const char *d = getenv("LIKENESS_TEST_DATA"), *t = getenv("TMPDIR");
    snprintf(p->corpus, sizeof p->corpus, "%s/corpora/pepys_diary.jsonl", d ? d : "../shared/data");
    snprintf(p->dir, sizeof p->dir, "%s/likeness-bench-XXXXXX", t ? t : "/tmp");
    if (!io_exists(p->corpus)) {
        bench_note("%s is not there: name its folder in LIKENESS_TEST_DATA", p->corpus);
        return false;
    }
    if (!mkdtemp(p->dir)) return false;
    snprintf(p->home, sizeof p->home, "%s/home", p->dir);
    snprintf(p->key, sizeof p->key, "%s/home.key", p->dir);
    return true;
}

static int ingest(const struct place *at, struct err *err)
{
    struct secret s = { .key_file = at->key };
    struct home *h = NULL;
    struct persona *p = NULL;
    struct persona_new n = { .name = "Samuel Pepys",
                             .kind = PERSONA_LEGACY,
                             .consent_by = "public domain",
                             .consent_to = "measuring",
                             .consent_at = 1,
                             .chunk_overlap = -1 };
    struct ingest_totals t;
    const char *path = at->corpus;
    int rc = home_create(at->home, &s, err);
    if (!rc) rc = home_open(at->home, &s, STORE_WRITE, &h, err);
    if (!rc) rc = persona_create(h, &n, &p, err);
    struct ingest in = { .home = h, .persona = p, .day_first = -1 };
    if (!rc) rc = ingest_paths(&in, &path, 1, &t, err);
    persona_close(p);
    home_close(h);
    return rc;
}

/* Seconds and peak bytes of an ingest in a process of its own. */
static int measured_ingest(const struct place *at, double *seconds, double *peak, struct err *err)
{
    struct rusage use;
    int status;
    double start = clock_mono();
    pid_t pid = fork();
    if (pid < 0) return err_errno(err, "cannot start a process");
    if (!pid) {
        struct err e = { 0 };
        int rc = ingest(at, &e);
        if (rc) bench_note("ingest: %s", e.msg);
        _exit(rc ? 1 : 0);
    }
    if (wait4(pid, &status, 0, &use) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(err, ERR_INTERNAL, "the ingest failed");
    *seconds = clock_mono() - start;
    *peak = (double)use.ru_maxrss * 1024;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int ask_round(struct retriever *r, double *took, size_t *n, struct err *err)
{
    struct conversation *c;
    int rc = conversation_open(r, "quote", 0, false, &c, err);
    for (size_t i = 0; i < N_QUESTIONS && !rc; i++) {
        struct answer a;
        double from = clock_mono();
        rc = conversation_ask(c, questions[i], NULL, &a, NULL, err);
        if (took) took[(*n)++] = clock_mono() - from;
        answer_clear(&a);
    }
    conversation_close(c);
    return rc;
}

static int measured_asks(struct bench *b, const struct place *at, struct err *err)
{
    struct secret s = { .key_file = at->key };
    struct home *h = NULL;
    struct persona *p = NULL;
    struct retriever *r = NULL;
    static double took[N_QUESTIONS * ROUNDS];
    size_t n = 0;
    int rc = home_open(at->home, &s, STORE_READ, &h, err);
    if (!rc) rc = persona_open(h, "", &p, err);
    double from = clock_mono();
    if (!rc) rc = retriever_open(h, p, &r, err);
    double opened = clock_mono() - from;
    if (!rc) rc = ask_round(r, NULL, NULL, err);
    for (int i = 0; i < ROUNDS && !rc; i++) rc = ask_round(r, took, &n, err);
    if (!rc) {
        qsort(took, n, sizeof *took, by_size);
        bench_report(b, "open_pepys", opened * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                     "%.0f MB of indexes", (double)retriever_bytes(r) / 1e6);
        bench_report(b, "ask_quote_p50", took[n / 2] * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                     "%zu answers in process; goal 10", n);
        bench_report(b, "ask_quote_p99", took[n * 99 / 100] * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                     "goal 30");
    }
    retriever_close(r);
    persona_close(p);
    home_close(h);
    return rc;
}

int bench_persona(struct bench *b, struct err *err)
{
    struct place at;
    double seconds = 0, peak = 0;
    if (!find_corpus(&at)) return 0;
    setenv("LIKENESS_KDF", "fast", 1);
    int rc = measured_ingest(&at, &seconds, &peak, err);
    if (!rc) {
        bench_report(b, "ingest_pepys", seconds, "s", BENCH_NONE, BENCH_NONE,
                     "1.18 million words to a searchable persona; goal 30");
        bench_report(b, "ingest_pepys_rss", peak / 1048576, "MiB", BENCH_NONE, BENCH_NONE,
                     "peak; goal 300");
        rc = measured_asks(b, &at, err);
    }
    io_remove_tree(at.dir, NULL);
    return rc;
}
