/* Benches: each measures something of ours, the physical limit of the same bytes or operations in
 * the same run, and, where there is one, a peer beside it.
 *
 *     int bench_thing(struct bench *b, struct err *err)
 *     {
 *         double ms = ..., limit = bytes / bench_read_rate(bytes, b->threads) * 1e3;
 *         bench_report(b, "thing", ms, "ms", limit, BENCH_NONE, "recall %.3f", recall);
 *         return 0;
 *     }
 *
 * and a line in the table of bench.c. */
#ifndef LK_BENCH_BENCH_H
#define LK_BENCH_BENCH_H

#include "base/err.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_NONE ((double)NAN)

struct bench {
    int threads;
    struct bench_result *results;
    size_t n;
};

/* One line of the table. unit "ms", "us" and "s" are better when small, all others when large.
 * ratio_to_limit is the share of the limit that was reached (1: at the limit), ratio_to_peer how
 * many times as good as the peer. limit, peer: BENCH_NONE if there is none. note may be "". */
void bench_report(struct bench *b, const char *name, double value, const char *unit, double limit,
                  double peer, const char *note, ...) __attribute__((format(printf, 7, 8)));
void bench_note(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* to stderr */

/* Call fn at least `least` times and for at least `seconds` (at most 10,000 times). Returns
 * seconds a call: the median; *best the shortest. */
double bench_time(void (*fn)(void *ud), void *ud, int least, double seconds, double *best);
double bench_median(double *v, int n); /* sorts v */

/* Bytes a second that `threads` threads read together from a buffer of this size, over and over:
 * what a scan of that many bytes cannot beat. A median, as bench_time's; 0 when there is no
 * memory. */
double bench_read_rate(size_t bytes, int threads);
/* Peak arithmetic of `threads` threads on registers: 1e9 operations a second, a multiply-add being
 * two; BENCH_NONE where it is not known how. int8 means u8 x s8 summed in int32. */
double bench_int8_rate(int threads);
double bench_fp32_rate(int threads);
size_t bench_memory_free(void); /* bytes the machine could still give */

/* bench_random.c: made data, the same in every run. */
void bench_seed(uint64_t seed);
uint64_t bench_random(void);
float bench_gauss(void); /* about normal: mean 0, deviation 1 */

/* faiss_flat.cc, or stubs that return NULL when it was not built. */
void *bench_faiss_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud,
                      int threads);
void bench_faiss_search(void *index, const float *q, int k, float *scores, long long *ids);
void bench_faiss_free(void *index);

/* hnsw_lib.cc, or stubs. One thread builds and asks; ids are 0 .. n-1. */
void *bench_hnsw_new(int dim, size_t n, const float *(*row)(void *ud, size_t i), void *ud, int m,
                     int ef_build);
void bench_hnsw_search(void *index, const float *q, int k, int ef, float *scores, long long *ids);
void bench_hnsw_free(void *index);

int bench_machine(struct bench *b, struct err *err);
int bench_limits(struct bench *b, struct err *err);
int bench_mat_q8_0(struct bench *b, struct err *err);
int bench_mat_q4_0(struct bench *b, struct err *err);
int bench_mat_q4_k(struct bench *b, struct err *err);
int bench_mat_q5_k(struct bench *b, struct err *err);
int bench_mat_q6_k(struct bench *b, struct err *err);
int bench_mat_f16(struct bench *b, struct err *err);
int bench_kernels(struct bench *b, struct err *err);
int bench_search_10k(struct bench *b, struct err *err);
int bench_search_100k(struct bench *b, struct err *err);
int bench_search_1m(struct bench *b, struct err *err);
int bench_graph_100k(struct bench *b, struct err *err);
int bench_graph_200k(struct bench *b, struct err *err);
int bench_graph_1m(struct bench *b, struct err *err);
int bench_float_products(struct bench *b, struct err *err);
int bench_attention(struct bench *b, struct err *err);
int bench_loops(struct bench *b, struct err *err);
int bench_bm25(struct bench *b, struct err *err);
int bench_persona(struct bench *b, struct err *err);
int bench_retrieval(struct bench *b, struct err *err);
int bench_ingest_mbox(struct bench *b, struct err *err);
int bench_ingest_chats(struct bench *b, struct err *err);
int bench_decode_llama1b_q8_0(struct bench *b, struct err *err);
int bench_decode_llama1b_q4_0(struct bench *b, struct err *err);
int bench_decode_llama1b_q4_k_m(struct bench *b, struct err *err);
int bench_decode_smollm135m_q8_0(struct bench *b, struct err *err);
int bench_decode_smollm135m_q4_0(struct bench *b, struct err *err);
int bench_prefill_llama1b_q8_0(struct bench *b, struct err *err);
int bench_prefill_llama1b_q4_0(struct bench *b, struct err *err);
int bench_prefill_llama1b_q4_k_m(struct bench *b, struct err *err);
int bench_prefill_llama1b_f16(struct bench *b, struct err *err);
int bench_prefill_smollm135m_q4_0(struct bench *b, struct err *err);
int bench_decode_batch8(struct bench *b, struct err *err);
int bench_decode_shared(struct bench *b, struct err *err);
int bench_decoder_memory(struct bench *b, struct err *err);
/* Path of a random model of a real shape, made when it is not there yet. */
int bench_model_file(char *path, size_t size, const char *shape, const char *type, struct err *err);
int bench_first_token(struct bench *b, struct err *err);
int bench_tokenize_llama3(struct bench *b, struct err *err);
int bench_tokenize_wordpiece(struct bench *b, struct err *err);
int bench_embed_minilm_128(struct bench *b, struct err *err);
int bench_embed_minilm_512(struct bench *b, struct err *err);
int bench_embed_bgesmall_128(struct bench *b, struct err *err);
int bench_embed_bgesmall_512(struct bench *b, struct err *err);
int bench_embed_static(struct bench *b, struct err *err);
int bench_http_json(struct bench *b, struct err *err);
int bench_prompt_http(struct bench *b, struct err *err);
int bench_sse_idle(struct bench *b, struct err *err);
int bench_upload_1gb(struct bench *b, struct err *err);
int bench_login_storm(struct bench *b, struct err *err);

#endif
