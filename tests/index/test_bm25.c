/* BM25 against a reference that keeps all words of all documents and follows the formula. */
#include "check.h"

#include "base/str.h"
#include "index/bm25.h"
#include "text/token.h"

#include <math.h>
#include <time.h>

enum { DOCS = 400, WORDS = 60, LEXICON = 120 };

static uint64_t seed = 7;

static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % n);
}

/* Words that stem to themselves: a consonant frame with a number spelt in letters. */
static void word_of(uint32_t i, char out[8])
{
    snprintf(out, 8, "k%c%cx%c", 'a' + i % 26, 'b' + i / 26 % 20, "bdfgklmp"[i % 8]);
}

static uint64_t key_of(uint32_t i)
{
    char w[8];
    word_of(i, w);
    return token_word(w, strlen(w)).key;
}

struct ref {
    bool there;
    float tf[LEXICON];
    float len;
};
static struct ref ref[DOCS];

static uint32_t skewed(void)
{
    uint32_t a = rnd(LEXICON), b = rnd(LEXICON);
    return a < b ? a : b;
}

static void add_text(struct bm25 *b, uint32_t id, float weight)
{
    struct buf text = BUF_INIT(0);
    uint32_t n = rnd(WORDS);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = skewed();
        char s[8];
        word_of(w, s);
        buf_printf(&text, "%s%s", s, rnd(9) ? " " : ", ");
        ref[id].tf[w] += weight;
        ref[id].len += weight;
    }
    ref[id].there = true;
    check_int(bm25_add(b, id, buf_str(&text), text.n, weight, NULL), 0);
    buf_free(&text);
}

static uint32_t ref_df(uint32_t w)
{
    uint32_t n = 0;
    for (int d = 0; d < DOCS; d++) n += ref[d].there && ref[d].tf[w] > 0;
    return n;
}

static double ref_score(uint32_t d, const uint32_t *words, const float *weights, size_t n)
{
    double docs = 0, len = 0, s = 0;
    for (int i = 0; i < DOCS; i++)
        if (ref[i].there) docs++, len += ref[i].len;
    for (size_t i = 0; i < n; i++) {
        double df = ref_df(words[i]), tf = ref[d].tf[words[i]];
        double idf = log(1 + (docs - df + 0.5) / (df + 0.5));
        s += weights[i] * idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * ref[d].len / (len / docs)));
    }
    return s;
}

static bool third(void *ud, int64_t id) { return id % 3 == 0; }

static void compare(struct bm25 *b, size_t k, bool (*keep)(void *, int64_t))
{
    uint32_t words[6];
    float weights[6];
    struct bm25_term terms[7];
    struct hit h[DOCS + 1];
    for (int i = 0; i < 6; i++) {
        words[i] = (uint32_t)i * 20 + rnd(20);
        weights[i] = i % 2 ? 1 : 0.5f;
        terms[i] = (struct bm25_term){ key_of(words[i]), weights[i] };
        check_int(bm25_df(b, terms[i].stem), ref_df(words[i]));
    }
    terms[6] = (struct bm25_term){ 12345, 1 }; /* in no document */
    struct err err = { 0 };
    size_t n = bm25_search(b, terms, 7, k, keep, NULL, h, &err), better = 0, matching = 0;
    bool in[DOCS] = { 0 };
    double worst = n ? (double)h[n - 1].score : 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(h[i].id >= 0 && h[i].id < DOCS && ref[h[i].id].there && !in[h[i].id]);
        assert_true(!keep || keep(NULL, h[i].id));
        in[h[i].id] = true;
        double want = ref_score((uint32_t)h[i].id, words, weights, 6);
        check_near(h[i].score, want, 1e-4 * (want + 1));
        if (i)
            assert_true(h[i - 1].score > h[i].score ||
                        (h[i - 1].score == h[i].score && h[i - 1].id < h[i].id));
    }
    for (uint32_t d = 0; d < DOCS; d++) {
        if (!ref[d].there || (keep && !keep(NULL, d))) continue;
        double s = ref_score(d, words, weights, 6);
        matching += s > 0;
        better += !in[d] && s > worst + 1e-4 * (worst + 1);
    }
    check_int(n, matching < k ? matching : k);
    check_int(better, 0);
}

static void equals_reference(void **state)
{
    struct bm25 *b = bm25_new(NULL);
    memset(ref, 0, sizeof ref);
    for (uint32_t d = 0; d < DOCS; d++) {
        add_text(b, d, 1);
        if (d % 3 == 0) add_text(b, d, 0.3f); /* context of the same chunk */
    }
    for (int round = 0; round < 40; round++) {
        size_t there = 0;
        for (int d = 0; d < DOCS; d++) there += ref[d].there;
        check_int(bm25_count(b), there);
        compare(b, 10, NULL);
        compare(b, DOCS, NULL);
        compare(b, 7, third);
        for (int i = 0; i < 25; i++) {
            uint32_t d = rnd(DOCS);
            if (i % 5 == 0) {
                add_text(b, d, 1); /* old or new, more text */
            } else {
                check_int(bm25_remove(b, d), ref[d].there);
                ref[d] = (struct ref){ 0 };
            }
        }
    }
    for (uint32_t d = 0; d < DOCS; d++) bm25_remove(b, d);
    check_int(bm25_count(b), 0);
    memset(ref, 0, sizeof ref);
    compare(b, 10, NULL);
    add_text(b, 3, 1);
    compare(b, 10, NULL);
    bm25_free(b);
}

static void terms_of_a_question(void **state)
{
    struct bm25_term t[8];
    const char *q = "What did the boats and the boat of Anna's mean?";
    size_t n = bm25_terms(q, strlen(q), t, 8);
    uint64_t boat = token_word("boat", 4).key, anna = token_word("anna", 4).key;
    bool has_boat = false, has_anna = false;
    for (size_t i = 0; i < n; i++) {
        has_boat |= t[i].stem == boat;
        has_anna |= t[i].stem == anna;
        check_near(t[i].weight, 1, 0);
    }
    assert_true(has_boat && has_anna);
    assert_true(n <= 3); /* boat once; no function words */
    check_int(bm25_terms(q, strlen(q), t, 1), 1);
    check_int(bm25_terms("the of", 6, t, 8), 2); /* nothing but function words: those */
    check_int(bm25_terms("?!", 2, t, 8), 0);
    check_int(bm25_terms("", 0, t, 8), 0);
}

static void edges(void **state)
{
    struct err err = { 0 };
    struct bm25 *b = bm25_new(&err);
    struct hit h[4];
    struct bm25_term t = { key_of(1), 1 };
    check_int(bm25_search(b, &t, 1, 4, NULL, NULL, h, &err), 0);
    check_int(bm25_add(b, 9, "", 0, 1, &err), 0); /* no words: counts, never found */
    check_int(bm25_count(b), 1);
    check_int(bm25_search(b, &t, 1, 4, NULL, NULL, h, &err), 0);
    check_int(bm25_add(b, 9, "x", 1, 0, &err), ERR_INVAL);
    check_int(bm25_add(b, 9, "x", 1, NAN, &err), ERR_INVAL);
    assert_false(bm25_remove(b, 10));
    assert_true(bm25_remove(b, 9));
    assert_false(bm25_remove(b, 9));
    check_int(bm25_df(b, t.stem), 0);
    assert_true(bm25_bytes(b) > 0);
    bm25_free(b);
    bm25_free(NULL);
}

/* 5,000 chunks of 512 words, 8 terms. The limit, of the processor's time, is loose: it is there to
 * catch a scan of the whole index, not to measure. */
static void fast_enough(void **state)
{
    struct bm25 *b = bm25_new(NULL);
    struct buf text = BUF_INIT(0);
    char s[16];
    for (int d = 0; d < 5000; d++) {
        buf_clear(&text);
        for (int i = 0; i < 512; i++) {
            uint32_t w = 1 + rnd(30000);
            w = rnd(w) + 1;
            snprintf(s, sizeof s, "w%u ", (unsigned)w);
            buf_adds(&text, s);
        }
        check_int(bm25_add(b, d, buf_str(&text), text.n, 1, NULL), 0);
    }
    struct bm25_term t[8];
    const char *q = "w1 w5 w17 w80 w300 w900 w4000 w20000";
    size_t n = bm25_terms(q, strlen(q), t, 8);
    check_int(n, 8);
    struct hit h[50];
    double best = 1;
    for (int i = 0; i < 50; i++) {
        clock_t from = clock();
        check_int(bm25_search(b, t, n, 50, NULL, NULL, h, NULL), 50);
        double took = (double)(clock() - from) / CLOCKS_PER_SEC;
        if (took < best) best = took;
    }
    print_message("# 8 terms over 5,000 chunks: %.3f ms\n", best * 1e3);
    assert_true(best < 0.02);
    buf_free(&text);
    bm25_free(b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(edges),
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(terms_of_a_question),
        cmocka_unit_test(fast_enough),
    };
    return check_run("index/bm25", t);
}
