/* Keyword search: BM25 (Robertson and Zaragoza, 2009; k1 1.2, b 0.75, idf ln(1 +
 * (N-n+0.5)/(n+0.5))), postings in memory, terms as 64-bit hashes of stems (token_stem), so no
 * word is kept as text.
 *
 *     struct bm25 *b = bm25_new(err);
 *     bm25_add(b, chunk_id, text, n, 1.0f, err);      twice for one id: fields add up
 *     n = bm25_search(b, terms, n_terms, 50, NULL, NULL, hits, err); */
#ifndef LK_INDEX_BM25_H
#define LK_INDEX_BM25_H

#include "index/vectors.h"

struct bm25_term {
    uint64_t stem; /* hash64(stem, len, 0) */
    float weight;  /* 1 for a word of the question */
};

struct bm25;
struct bm25 *bm25_new(struct err *err);
/* weight scales term counts: context text counts less than the persona's own. */
int bm25_add(struct bm25 *b, int64_t id, const char *text, size_t n, float weight, struct err *err);
bool bm25_remove(struct bm25 *b, int64_t id);
size_t bm25_count(const struct bm25 *b);
size_t bm25_bytes(const struct bm25 *b);
float bm25_idf(const struct bm25 *b, uint64_t stem);
uint32_t bm25_df(const struct bm25 *b, uint64_t stem);
/* Terms of a question: distinct stems of its non-stop words (all words if only stop words).
 * Returns how many, at most cap. */
size_t bm25_terms(const char *text, size_t n, struct bm25_term *out, size_t cap);
size_t bm25_search(const struct bm25 *b, const struct bm25_term *terms, size_t n_terms, size_t k,
                   bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out, struct err *err);
void bm25_free(struct bm25 *b);

#endif
