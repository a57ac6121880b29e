/* The harness: runs the benches named on the command line (all, if none is), prints a table and
 * writes the same as JSON. Every figure stands beside the limit that this machine sets, since a
 * figure alone says more about the machine than about the program. */
#include "bench.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/threads.h"
#include "kernels/kernels.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *help;
    int (*fn)(struct bench *b, struct err *err);
} benches[] = {
    { "machine", "read bandwidth by size and threads", bench_machine },
    { "limits", "peak arithmetic, DRAM and cache bandwidth", bench_limits },
    { "mat_q8_0", "matrix products, Q8_0 weights", bench_mat_q8_0 },
    { "mat_q4_0", "matrix products, Q4_0 weights", bench_mat_q4_0 },
    { "mat_q4_k", "matrix products, Q4_K weights", bench_mat_q4_k },
    { "mat_q5_k", "matrix products, Q5_K weights", bench_mat_q5_k },
    { "mat_q6_k", "matrix products, Q6_K weights", bench_mat_q6_k },
    { "mat_f16", "matrix products, f16 weights", bench_mat_f16 },
    { "kernels", "int8 scan and f32 dot product by instruction set", bench_kernels },
    { "search_top5_10k", "vector search, 10,000 x 384", bench_search_10k },
    { "search_top5_100k", "vector search, 100,000 x 384", bench_search_100k },
    { "search_top5_1m", "vector search, 1,000,000 x 384 (needs 4 GB)", bench_search_1m },
    { "search_hnsw_100k", "approximate search, 100,000 x 384, beside libhnswlib",
      bench_graph_100k },
    { "search_hnsw_200k", "approximate search, 200,000 x 384", bench_graph_200k },
    { "search_hnsw_1m", "approximate search, 1,000,000 x 384 (minutes)", bench_graph_1m },
    { "float_products", "products with f16, f32 and bf16 weights", bench_float_products },
    { "attention", "over a cache of 8,192 positions, prompts, whole sequences", bench_attention },
    { "loops", "activations, normalisation, softmax", bench_loops },
    { "bm25", "keyword search, 5,000 chunks of 512 words", bench_bm25 },
    { "persona", "ingest_pepys, open_pepys, ask_quote: the Pepys diary as a persona",
      bench_persona },
    { "ingest_mbox_1gb", "a mailbox of a gigabyte", bench_ingest_mbox },
    { "ingest_zip_chats", "a million messages in a zip", bench_ingest_chats },
    { "retrieval_eval", "how well passages are found, by way of searching (minutes)",
      bench_retrieval },
    { "decode_llama1b_q8_0", "one stream, Llama 3.2 1B shape", bench_decode_llama1b_q8_0 },
    { "decode_llama1b_q4_0", "", bench_decode_llama1b_q4_0 },
    { "decode_llama1b_q4_k_m", "", bench_decode_llama1b_q4_k_m },
    { "decode_smollm135m_q8_0", "one stream, SmolLM2 135M shape", bench_decode_smollm135m_q8_0 },
    { "decode_smollm135m_q4_0", "", bench_decode_smollm135m_q4_0 },
    { "decode_batch8_llama1b_q4_0", "eight streams", bench_decode_batch8 },
    { "decode_shared_core", "with a busy foreign process on one core", bench_decode_shared },
    { "prefill512_llama1b_q8_0", "a prompt of 512 tokens", bench_prefill_llama1b_q8_0 },
    { "prefill512_llama1b_q4_0", "", bench_prefill_llama1b_q4_0 },
    { "prefill512_llama1b_q4_k_m", "", bench_prefill_llama1b_q4_k_m },
    { "prefill512_llama1b_f16", "", bench_prefill_llama1b_f16 },
    { "prefill512_smollm135m_q4_0", "", bench_prefill_smollm135m_q4_0 },
    { "first_token_warm", "a question with its passages, behind a kept system text",
      bench_first_token },
    { "decoder_memory", "memory of a 1B decoder with 512 tokens", bench_decoder_memory },
    { "embed_minilm_128", "sentence encoders of real shapes", bench_embed_minilm_128 },
    { "embed_minilm_512", "", bench_embed_minilm_512 },
    { "embed_bgesmall_128", "", bench_embed_bgesmall_128 },
    { "embed_bgesmall_512", "", bench_embed_bgesmall_512 },
    { "embed_static", "the table in the program", bench_embed_static },
    { "http_json", "GET /readyz, 64 connections", bench_http_json },
    { "prompt_quote_http", "POST /api/prompt/ to the Pepys diary, 64 connections",
      bench_prompt_http },
    { "sse_idle", "5,000 event streams with nothing to say (a minute)", bench_sse_idle },
    { "upload_1gb", "a file of a gigabyte", bench_upload_1gb },
    { "login_storm", "200 logins at once", bench_login_storm },
    { "tokenize_llama3", "the Pepys diary, one thread", bench_tokenize_llama3 },
    { "tokenize_wordpiece", "", bench_tokenize_wordpiece },
};
enum { N_BENCHES = sizeof benches / sizeof *benches, MAX_TIMES = 10000 };

struct bench_result {
    char name[64], unit[16], note[160];
    double value, limit, peer, to_limit, to_peer;
};

static double ratio(double value, double other, const char *unit)
{
    bool small = !strcmp(unit, "ms") || !strcmp(unit, "us") || !strcmp(unit, "s");
    if (!(value > 0) || !(other > 0)) return BENCH_NONE;
    return small ? other / value : value / other;
}

static void print_cell(double v)
{
    if (isnan(v)) printf(" %10s", "-");
    else printf(" %10.4g", v);
}

void bench_report(struct bench *b, const char *name, double value, const char *unit, double limit,
                  double peer, const char *note, ...)
{
    struct bench_result *all = realloc(b->results, (b->n + 1) * sizeof *all);
    if (!all) {
        bench_note("out of memory: %s is not reported", name);
        return;
    }
    b->results = all;
    struct bench_result *r = &all[b->n++];
    *r = (struct bench_result){ .value = value,
                                .limit = limit,
                                .peer = peer,
                                .to_limit = ratio(value, limit, unit),
                                .to_peer = ratio(value, peer, unit) };
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->unit, sizeof r->unit, "%s", unit);
    va_list ap;
    va_start(ap, note);
    vsnprintf(r->note, sizeof r->note, note, ap);
    va_end(ap);
    printf("%-28s", r->name);
    print_cell(value);
    printf(" %-5s", unit);
    print_cell(limit);
    print_cell(r->to_limit);
    print_cell(peer);
    print_cell(r->to_peer);
    printf("  %s\n", r->note);
    fflush(stdout);
}

void bench_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_time(void (*fn)(void *ud), void *ud, int least, double seconds, double *best)
{
    static double took[MAX_TIMES];
    int n = 0;
    double start = clock_mono();
    while (n < MAX_TIMES && (n < least || clock_mono() - start < seconds)) {
        double from = clock_mono();
        fn(ud);
        took[n++] = clock_mono() - from;
    }
    qsort(took, (size_t)n, sizeof *took, by_size);
    if (best) *best = took[0];
    return took[n / 2];
}

static void add_number(struct buf *out, const char *name, double v)
{
    if (isfinite(v)) buf_printf(out, ", \"%s\": %.6g", name, v);
    else buf_printf(out, ", \"%s\": null", name);
}

/* Names, units and notes are ours: nothing in them needs escaping. */
static int write_json(const struct bench *b, const char *path, struct err *err)
{
    struct buf out = BUF_INIT(0);
    buf_adds(&out, "[");
    for (size_t i = 0; i < b->n; i++) {
        const struct bench_result *r = &b->results[i];
        buf_printf(&out, "%s\n  {\"name\": \"%s\"", i ? "," : "", r->name);
        add_number(&out, "value", r->value);
        buf_printf(&out, ", \"unit\": \"%s\"", r->unit);
        add_number(&out, "limit", r->limit);
        add_number(&out, "ratio_to_limit", r->to_limit);
        add_number(&out, "peer", r->peer);
        add_number(&out, "ratio_to_peer", r->to_peer);
        buf_printf(&out, ", \"note\": \"%s\"}", r->note);
    }
    buf_adds(&out, "\n]\n");
    int rc = out.failed ? err_nomem(err) : io_write_file(path, out.p, out.n, 0644, err);
    buf_free(&out);
    return rc;
}

static int usage(FILE *f)
{
    fprintf(f, "usage: bench [--threads N] [--cpu generic|avx2|avx512] [-o FILE] [--list] "
               "[NAME...]\n"
               "Measures; prints a table and writes it as JSON to FILE (build/bench.json).\n");
    return f == stderr ? 2 : 0;
}

static bool named(const char *name, char **names, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return true;
    return n == 0;
}

static int run_benches(struct bench *b, char **names, int n)
{
    int failed = 0;
    printf("%-28s %10s %-5s %10s %10s %10s %10s\n", "name", "value", "unit", "limit", "of limit",
           "peer", "x peer");
    for (size_t i = 0; i < N_BENCHES; i++) {
        struct err err = { 0 };
        if (!named(benches[i].name, names, n)) continue;
        if (benches[i].fn(b, &err)) {
            bench_note("%s: %s", benches[i].name, err.msg);
            failed = 1;
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    struct err err = { 0 };
    const char *out = io_is_dir("build") ? "build/bench.json" : "bench.json", *cpu = NULL;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--help")) return usage(stdout);
        if (!strcmp(argv[i], "--list")) {
            for (size_t j = 0; j < N_BENCHES; j++)
                printf("%-20s %s\n", benches[j].name, benches[j].help);
            return 0;
        }
        if (i + 1 == argc) return usage(stderr);
        if (!strcmp(argv[i], "-o")) out = argv[++i];
        else if (!strcmp(argv[i], "--cpu")) cpu = argv[++i];
        else if (!strcmp(argv[i], "--threads")) b.threads = atoi(argv[++i]);
        else return usage(stderr);
    }
    for (int j = i; j < argc; j++) {
        bool known = false;
        for (size_t n = 0; n < N_BENCHES; n++) known |= !strcmp(argv[j], benches[n].name);
        if (!known) bench_note("there is no bench \"%s\"; see --list", argv[j]);
        if (!known) return 2;
    }
    if (kernels_init(cpu, &err)) {
        bench_note("%s", err.msg);
        return 2;
    }
    threads_set(b.threads);
    b.threads = threads_count();
    int failed = run_benches(&b, argv + i, argc - i);
    if (write_json(&b, out, &err)) {
        bench_note("%s", err.msg);
        failed = 1;
    }
    free(b.results);
    threads_stop();
    return failed;
}
