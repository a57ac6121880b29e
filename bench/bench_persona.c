/* The whole way: a corpus to a searchable persona, and questions put to it.
 *
 * ingest_pepys runs in a process of its own; it uses the same calls as the program. ask_quote then
 * opens the home that was made, in this process, and times each answer. No question is asked twice.
 * The first ones find every passage sealed and unread (ask_quote_cold); the figures are of those
 * that come after WARM others, as on a server that has been up for a while. */
#include "bench.h"
#include "pepys.h"

#include "base/clock.h"
#include "persona/converse.h"

#include <stdlib.h>

enum { COLD = 100, WARM = 1000, MEASURED = 1000, QUESTIONS = WARM + MEASURED };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int ask(struct retriever *r, const char *question, double *took, struct err *err)
{
    struct conversation *c = NULL;
    struct answer a;
    double from = clock_mono();
    int rc = conversation_open(r, "quote", 0, false, &c, err);
    if (!rc) rc = conversation_ask(c, question, NULL, &a, NULL, err);
    *took = clock_mono() - from;
    if (!rc) answer_clear(&a);
    conversation_close(c);
    return rc;
}

static int measured_asks(struct bench *b, struct retriever *r, struct err *err)
{
    static double took[QUESTIONS];
    double *warm = took + WARM;
    char **q = NULL;
    int rc = pepys_questions(QUESTIONS, &q, err);
    for (size_t i = 0; i < QUESTIONS && !rc; i++) rc = ask(r, q[i], &took[i], err);
    pepys_questions_free(q, QUESTIONS);
    if (rc) return rc;
    qsort(took, COLD, sizeof *took, by_size);
    qsort(warm, MEASURED, sizeof *warm, by_size);
    bench_report(b, "ask_quote_p50", warm[MEASURED / 2] * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                 "in process, %d new questions after %d others; goal 10", MEASURED, WARM);
    bench_report(b, "ask_quote_p99", warm[MEASURED * 99 / 100] * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                 "goal 30");
    bench_report(b, "ask_quote_cold_p50", took[COLD / 2] * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                 "the first %d; p99 %.1f ms", COLD, took[COLD * 99 / 100] * 1e3);
    return 0;
}

static int measured_home(struct bench *b, const struct pepys_home *at, struct err *err)
{
    struct secret s = { .key_file = at->key };
    struct home *h = NULL;
    struct persona *p = NULL;
    struct retriever *r = NULL;
    int rc = home_open(at->home, &s, STORE_READ, &h, err);
    if (!rc) rc = persona_open(h, "", &p, err);
    double from = clock_mono();
    if (!rc) rc = retriever_open(h, p, &r, err);
    double opened = clock_mono() - from;
    if (!rc)
        bench_report(b, "open_pepys", opened * 1e3, "ms", BENCH_NONE, BENCH_NONE,
                     "%.0f MB of indexes", (double)retriever_bytes(r) / 1e6);
    if (!rc) rc = measured_asks(b, r, err);
    if (!rc)
        bench_report(b, "ask_quote_memory", (double)retriever_bytes(r) / 1e6, "MB", BENCH_NONE,
                     BENCH_NONE, "indexes and passages that were read");
    retriever_close(r);
    persona_close(p);
    home_close(h);
    return rc;
}

int bench_persona(struct bench *b, struct err *err)
{
    struct pepys_home at;
    double seconds = 0, peak = 0;
    char corpus[400];
    if (!pepys_path(corpus, sizeof corpus)) return 0;
    int rc = pepys_home_make(&at, true, &seconds, &peak, err);
    if (!rc) {
        bench_report(b, "ingest_pepys", seconds, "s", BENCH_NONE, BENCH_NONE,
                     "1.18 million words to a searchable persona; goal 30");
        bench_report(b, "ingest_pepys_rss", peak / 1048576, "MiB", BENCH_NONE, BENCH_NONE,
                     "peak; goal 300");
        rc = measured_home(b, &at, err);
    }
    pepys_home_remove(&at);
    return rc;
}
