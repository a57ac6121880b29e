/* The decoder as its users meet it: tokens a second of one stream and of eight, of prompts, beside
 * a busy foreign process, and the memory it takes.
 *
 * Files of real shapes with random weights are made once, in LIKENESS_BENCH_DIR (a folder below
 * TMPDIR unless set), and kept for the next run. Decoding reads every weight once a token, so its
 * limit is the rate at which as many bytes can be read again and again, by the same threads, over
 * the bytes of the weights; a prompt multiplies, so its limit is the peak of the arithmetic over
 * the operations of a token, counted as the peers do (2 for each weight but the embedding's, the
 * head counted in). Peers: LLAMA_BENCH, or llama-bench on the PATH, on the same file. */
#include "bench.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/threads.h"
#include "make_model.h"
#include "model/decoder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 512, STREAMS = 8, TURNS = 3 };

struct run {
    struct bench *b;
    char path[300];
    struct gguf *g;
    struct decoder *d;
    struct timeline *t[STREAMS];
    struct decoder_row *rows;
    float *logits;
    int streams, prompt;
};

static void run_close(struct run *r)
{
    for (int i = 0; i < STREAMS; i++) timeline_free(r->t[i]);
    decoder_close(r->d);
    gguf_close(r->g);
    free(r->rows);
    free(r->logits);
}

int bench_model_file(char *path, size_t size, const char *shape, const char *type, struct err *err)
{
    const char *dir = getenv("LIKENESS_BENCH_DIR"), *tmp = getenv("TMPDIR");
    char own[200];
    snprintf(own, sizeof own, "%s/likeness-bench", tmp ? tmp : "/tmp");
    if (!dir) dir = own;
    int rc = io_mkdirs(dir, 0700, err);
    if (rc) return rc;
    snprintf(path, size, "%s/%s-%s.gguf", dir, shape, type);
    return io_exists(path) ? 0 : make_model(shape, type, path, err);
}

static int run_open(struct run *r, struct bench *b, const char *shape, const char *type,
                    int streams, int cap, struct err *err)
{
    *r = (struct run){ .b = b, .streams = streams };
    int rc = bench_model_file(r->path, sizeof r->path, shape, type, err);
    if (!rc) rc = gguf_open(r->path, &r->g, err);
    if (!rc) rc = decoder_open(r->g, &(struct decoder_opts){ 0 }, &r->d, err);
    for (int i = 0; i < streams && !rc; i++) rc = timeline_new(r->d, cap, QUANT_F16, &r->t[i], err);
    if (rc) return rc;
    r->rows = calloc(MOST, sizeof *r->rows);
    r->logits = calloc((size_t)decoder_facts(r->d)->vocab * STREAMS, sizeof *r->logits);
    return r->rows && r->logits ? 0 : err_nomem(err);
}

static void step(struct run *r, int n)
{
    struct err err;
    if (decoder_step(r->d, r->rows, n, r->logits, &err)) bench_note("%s", err.msg);
}

static void one_prompt(void *ud)
{
    struct run *r = ud;
    for (int i = 0; i < r->prompt; i++)
        r->rows[i] = (struct decoder_row){ r->t[0], 1000 + i * 31 % 20000, i, i == r->prompt - 1 };
    timeline_cut(r->t[0], 0);
    step(r, r->prompt);
}

static void one_token(void *ud) /* of each stream, within a short context */
{
    struct run *r = ud;
    if (timeline_len(r->t[0]) + 1 >= timeline_cap(r->t[0]))
        for (int i = 0; i < r->streams; i++) timeline_cut(r->t[i], 0);
    for (int i = 0; i < r->streams; i++) {
        int at = timeline_len(r->t[i]);
        r->rows[i] = (struct decoder_row){ r->t[i], 1000 + (at * 31 + i * 77) % 20000, at, true };
    }
    step(r, r->streams);
}

/* Tokens a second of llama-bench on that file; prompt: of 512, else of 64 one by one. */
static double peer(const struct run *r, bool prompt)
{
    const char *program = getenv("LLAMA_BENCH");
    char line[900], *at;
    double rate = BENCH_NONE;
    snprintf(line, sizeof line, "%s -m '%s' -t %d -r 3 -p %d -n %d -o json 2>/dev/null",
             program ? program : "llama-bench", r->path, r->b->threads, prompt ? 512 : 0,
             prompt ? 0 : 64);
    if (!program && system("command -v llama-bench >/dev/null 2>&1") != 0) return rate;
    FILE *f = popen(line, "r");
    while (f && fgets(line, sizeof line, f))
        if ((at = strstr(line, "\"avg_ts\":"))) rate = strtod(at + 9, NULL);
    if (f) pclose(f);
    return rate;
}

/* Tokens a second that reading the weights allows. */
static double read_limit(const struct run *r)
{
    size_t bytes = decoder_facts(r->d)->weight_bytes;
    size_t span = bytes < (size_t)768 << 20 ? bytes : (size_t)768 << 20;
    return bench_read_rate(span, r->b->threads) / (double)bytes;
}

static double tokens_a_second(struct run *r, double seconds)
{
    double best;
    one_token(r);
    return r->streams / bench_time(one_token, r, 10, seconds, &best);
}

static int decode(struct bench *b, const char *name, const char *shape, const char *type,
                  struct err *err)
{
    struct run r;
    int rc = run_open(&r, b, shape, type, 1, 256, err);
    if (!rc) {
        double rate[TURNS], limit[TURNS]; /* in turns: the machine's bandwidth comes and goes */
        for (int i = 0; i < TURNS; i++) {
            rate[i] = tokens_a_second(&r, 1);
            limit[i] = read_limit(&r);
        }
        bench_report(b, name, bench_median(rate, TURNS), "tok/s", bench_median(limit, TURNS),
                     peer(&r, false), "%.0f MB of weights",
                     (double)decoder_facts(r.d)->weight_bytes / 1e6);
    }
    run_close(&r);
    return rc;
}

static int prefill(struct bench *b, const char *name, const char *shape, const char *type,
                   struct err *err)
{
    struct run r;
    double best;
    int rc = run_open(&r, b, shape, type, 1, 520, err);
    if (!rc) {
        const struct decoder_facts *f = decoder_facts(r.d);
        bool tied = !gguf_tensor(r.g, "output.weight"), floats = !strcmp(type, "f16");
        uint64_t head = (uint64_t)f->vocab * (uint64_t)f->dim;
        double ops = 2.0 * (double)(f->params - (tied ? 0 : head)),
               least = ops - 2.0 * (double)head;
        double peak = floats ? bench_fp32_rate(b->threads) : bench_int8_rate(b->threads);
        r.prompt = 512;
        one_prompt(&r);
        double rate = 512 / bench_time(one_prompt, &r, 3, 3, &best);
        bench_report(b, name, rate, "tok/s", peak * 1e9 / ops, peer(&r, true),
                     "%.0f %s of a peak of %.0f G, %.2f G a token done", rate * least / 1e9,
                     floats ? "GFLOPS" : "GOPS", peak, least / 1e9);
    }
    run_close(&r);
    return rc;
}

#define DECODE(name, shape, type)                                                                  \
    int bench_decode_##name(struct bench *b, struct err *err)                                      \
    {                                                                                              \
        return decode(b, "decode_" #name, shape, type, err);                                       \
    }
#define PREFILL(name, shape, type)                                                                 \
    int bench_prefill_##name(struct bench *b, struct err *err)                                     \
    {                                                                                              \
        return prefill(b, "prefill512_" #name, shape, type, err);                                  \
    }
DECODE(llama1b_q8_0, "llama-1b", "q8_0")
DECODE(llama1b_q4_0, "llama-1b", "q4_0")
DECODE(llama1b_q4_k_m, "llama-1b", "q4_k_m")
DECODE(smollm135m_q8_0, "smollm-135m", "q8_0")
DECODE(smollm135m_q4_0, "smollm-135m", "q4_0")
PREFILL(llama1b_q8_0, "llama-1b", "q8_0")
PREFILL(llama1b_q4_0, "llama-1b", "q4_0")
PREFILL(llama1b_q4_k_m, "llama-1b", "q4_k_m")
PREFILL(llama1b_f16, "llama-1b", "f16")
PREFILL(smollm135m_q4_0, "smollm-135m", "q4_0")

int bench_decode_batch8(struct bench *b, struct err *err)
{
    struct run r;
    int rc = run_open(&r, b, "llama-1b", "q4_0", STREAMS, 256, err);
    if (!rc) {
        double together = tokens_a_second(&r, 3);
        r.streams = 1;
        double one = tokens_a_second(&r, 3);
        bench_report(b, "decode_batch8_llama1b_q4_0", together, "tok/s", BENCH_NONE, BENCH_NONE,
                     "%.2f times one stream, %.1f tok/s", together / one, one);
    }
    run_close(&r);
    return rc;
}

/* While another process keeps one core busy, whatever the scheduler makes of it. */
int bench_decode_shared(struct bench *b, struct err *err)
{
    struct run r;
    int rc = run_open(&r, b, "smollm-135m", "q8_0", 1, 256, err);
    if (!rc) {
        double quiet = tokens_a_second(&r, 2);
        pid_t child = fork();
        if (child == 0)
            for (volatile unsigned i = 0;; i++) {}
        double shared = child > 0 ? tokens_a_second(&r, 4) : BENCH_NONE;
        if (child > 0) kill(child, SIGKILL), waitpid(child, NULL, 0);
        bench_report(b, "decode_shared_core", shared, "tok/s", quiet, BENCH_NONE,
                     "the limit is the quiet figure, SmolLM2 135M Q8_0");
    }
    run_close(&r);
    return rc;
}

static double status_kb(const char *key)
{
    char line[200];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) kb = strtod(line + strlen(key), NULL);
    if (f) fclose(f);
    return kb;
}

/* In a process of its own: open, read a prompt of 512 tokens, say the most it took. */
static int bench_decoder_rss(struct bench *b, const char *type, struct err *err)
{
    double said[4] = { 0 };
    int fd[2];
    if (pipe(fd)) return err_errno(err, "cannot make a pipe");
    pid_t child = fork();
    if (child == 0) {
        struct run r;
        if (run_open(&r, b, "llama-1b", type, 1, 2048, err)) _exit(1);
        r.prompt = 512;
        one_prompt(&r);
        one_token(&r);
        said[0] = status_kb("VmHWM:"), said[1] = status_kb("VmRSS:");
        said[2] = (double)gguf_size(r.g), said[3] = (double)decoder_facts(r.d)->kv_bytes_token;
        _exit(write(fd[1], said, sizeof said) != (ssize_t)sizeof said);
    }
    close(fd[1]);
    bool ok = read(fd[0], said, sizeof said) == (ssize_t)sizeof said;
    close(fd[0]);
    if (child > 0) waitpid(child, NULL, 0);
    if (!ok) return err_set(err, ERR_INTERNAL, "no word of the memory taken");
    char name[64];
    snprintf(name, sizeof name, "memory_llama1b_%s", type);
    double allowed = said[2] * 1.1 + said[3] * 512 + 60e6;
    bench_report(b, name, said[0] * 1024 / 1e6, "MB", BENCH_NONE, BENCH_NONE,
                 "at most; %.0f MB after; file + cache of 512 + 10 %% + 60 MB is %.0f MB",
                 said[1] * 1024 / 1e6, allowed / 1e6);
    return 0;
}

int bench_decoder_memory(struct bench *b, struct err *err)
{
    threads_stop();
    int rc = bench_decoder_rss(b, "q8_0", err);
    if (!rc) rc = bench_decoder_rss(b, "q4_0", err);
    return rc ? rc : bench_decoder_rss(b, "q4_k_m", err);
}
