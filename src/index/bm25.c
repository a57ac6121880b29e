/* Keyword search over postings in memory.
 *
 * A document is a dense number; a term is a 64-bit hash of a stem, so the index holds no words.
 * Each term has an array of (document, weighted count), grown by doubling, in which the newest
 * document stands last: adding a word looks at the last posting only. Only a second text for an
 * older document must look further.
 *
 * Removing marks a document dead and gives its id free; its postings stay until a quarter of the
 * documents are dead, then one sweep drops them and renumbers. Until then df is counted over the
 * living, so scores are exactly those of an index in which the dead never were.
 *
 * A search walks the postings of its terms once to add up scores in an array over documents, and a
 * second time to collect, which touches only documents that hold a term. Terms are weighted counts
 * tf (own words 1, context less), and a document's length is the sum of its tf:
 *
 *     score = sum of weight * idf * tf (k1 + 1) / (tf + k1 (1 - b + b * length / mean length))
 *
 * Threads: searches only read and may run side by side; adding and removing may not. */
#include "index/bm25.h"

#include "base/map.h"
#include "text/token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define K1 1.2f
#define B  0.75f

enum { SWEEP_MIN = 64 };

struct posting {
    uint32_t doc;
    float tf;
};

struct term {
    struct posting *p;
    uint32_t n, cap;
};

struct doc {
    int64_t id;
    float len; /* negative: dead */
};

struct bm25 {
    struct map term_of; /* stem hash -> index in terms + 1 */
    struct map doc_of;  /* id -> index in docs + 1; 0: removed */
    struct term *terms;
    size_t n_terms, cap_terms;
    struct doc *docs;
    size_t n_docs, cap_docs, dead;
    size_t postings; /* room for this many in all, for bm25_bytes */
    double len;      /* sum over the living */
};

struct bm25 *bm25_new(struct err *err)
{
    struct bm25 *b = calloc(1, sizeof *b);
    if (!b) err_nomem(err);
    return b;
}

void bm25_free(struct bm25 *b)
{
    if (!b) return;
    for (size_t i = 0; i < b->n_terms; i++) {
        explicit_bzero(b->terms[i].p, b->terms[i].cap * sizeof *b->terms[i].p);
        free(b->terms[i].p);
    }
    free(b->terms);
    free(b->docs);
    if (b->term_of.e) explicit_bzero(b->term_of.e, b->term_of.cap * sizeof *b->term_of.e);
    map_free(&b->term_of);
    map_free(&b->doc_of);
    free(b);
}

size_t bm25_count(const struct bm25 *b) { return b->n_docs - b->dead; }

size_t bm25_bytes(const struct bm25 *b)
{
    return sizeof *b + b->cap_terms * sizeof *b->terms + b->cap_docs * sizeof *b->docs +
           b->postings * sizeof(struct posting) +
           (b->term_of.cap + b->doc_of.cap) * sizeof(struct map_entry);
}

/* Room for one more of `size` bytes in an array that doubles. Returns the array, or NULL. */
static void *room_for_one(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return p;
    size_t more = *cap ? *cap * 2 : 16;
    void *q = more > SIZE_MAX / 2 / size ? NULL : realloc(p, more * size);
    if (q) *cap = more;
    return q;
}

static struct term *term_for(struct bm25 *b, uint64_t stem)
{
    uint64_t *slot = map_slot(&b->term_of, stem);
    if (!slot) return NULL;
    if (*slot) return &b->terms[*slot - 1];
    struct term *t = room_for_one(b->terms, b->n_terms, &b->cap_terms, sizeof *b->terms);
    if (!t) return NULL;
    b->terms = t;
    t[b->n_terms] = (struct term){ 0 };
    *slot = ++b->n_terms;
    return &t[b->n_terms - 1];
}

static const struct term *term_find(const struct bm25 *b, uint64_t stem)
{
    const uint64_t *found = map_get(&b->term_of, stem);
    return found && *found ? &b->terms[*found - 1] : NULL;
}

/* Most terms occur once or twice, so the first room is for two. */
static int term_push(struct bm25 *b, struct term *t, uint32_t doc, float tf)
{
    if (t->n == t->cap) {
        uint32_t more = t->cap ? t->cap * 2 : 2;
        struct posting *p = realloc(t->p, more * sizeof *p);
        if (!p) return ERR_NOMEM;
        b->postings += more - t->cap;
        t->p = p;
        t->cap = more;
    }
    t->p[t->n++] = (struct posting){ .doc = doc, .tf = tf };
    return 0;
}

static int count_word(struct bm25 *b, uint32_t doc, uint64_t stem, float weight)
{
    struct term *t = term_for(b, stem);
    if (!t) return ERR_NOMEM;
    bool newest = doc + 1 == b->n_docs;
    for (uint32_t i = t->n; i-- > 0;) {
        if (t->p[i].doc == doc) {
            t->p[i].tf += weight;
            return 0;
        }
        if (newest) break;
    }
    return term_push(b, t, doc, weight);
}

/* The document's number, made if new; UINT32_MAX when out of memory. */
static uint32_t doc_for(struct bm25 *b, int64_t id)
{
    uint64_t *slot = map_slot(&b->doc_of, (uint64_t)id);
    if (!slot) return UINT32_MAX;
    if (*slot) return (uint32_t)(*slot - 1);
    if (b->n_docs >= UINT32_MAX - 1) return UINT32_MAX;
    struct doc *d = room_for_one(b->docs, b->n_docs, &b->cap_docs, sizeof *b->docs);
    if (!d) return UINT32_MAX;
    b->docs = d;
    d[b->n_docs] = (struct doc){ .id = id };
    *slot = ++b->n_docs;
    return (uint32_t)(b->n_docs - 1);
}

int bm25_add(struct bm25 *b, int64_t id, const char *text, size_t n, float weight, struct err *err)
{
    if (!(weight > 0) || !isfinite(weight))
        return err_set(err, ERR_INVAL, "the weight of a text must be positive");
    uint32_t doc = doc_for(b, id);
    if (doc == UINT32_MAX) return err_nomem(err);
    struct tokens t = tokens_of(text, n);
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word w = token_word(text + t.start, t.end - t.start);
        if (!w.stem_n) continue;
        if (count_word(b, doc, w.key, weight)) {
            bm25_remove(b, id);
            return err_nomem(err);
        }
        b->docs[doc].len += weight;
        b->len += weight;
    }
    return 0;
}

/* Drop the postings of the dead and close the gaps in the numbering. `to` maps old to new. */
static void sweep(struct bm25 *b)
{
    uint32_t *to = malloc(b->n_docs * sizeof *to), n = 0;
    struct map doc_of = { 0 };
    for (size_t d = 0; to && d < b->n_docs; d++) {
        to[d] = UINT32_MAX;
        if (b->docs[d].len < 0) continue;
        uint64_t *slot = map_slot(&doc_of, (uint64_t)b->docs[d].id);
        if (!slot) goto out;
        to[d] = n++;
        *slot = n;
    }
    if (!to) goto out; /* the dead stay a little longer */
    for (size_t i = 0; i < b->n_terms; i++) {
        struct term *t = &b->terms[i];
        uint32_t kept = 0;
        for (uint32_t j = 0; j < t->n; j++)
            if (to[t->p[j].doc] != UINT32_MAX)
                t->p[kept++] = (struct posting){ .doc = to[t->p[j].doc], .tf = t->p[j].tf };
        explicit_bzero(t->p + kept, (t->n - kept) * sizeof *t->p);
        t->n = kept;
    }
    for (size_t d = 0; d < b->n_docs; d++)
        if (to[d] != UINT32_MAX) b->docs[to[d]] = b->docs[d];
    b->n_docs = n;
    b->dead = 0;
    map_free(&b->doc_of);
    b->doc_of = doc_of;
    doc_of = (struct map){ 0 };
out:
    map_free(&doc_of);
    free(to);
}

bool bm25_remove(struct bm25 *b, int64_t id)
{
    const uint64_t *found = map_get(&b->doc_of, (uint64_t)id);
    if (!found || !*found) return false;
    struct doc *d = &b->docs[*found - 1];
    *map_slot(&b->doc_of, (uint64_t)id) = 0;
    b->len -= d->len;
    d->len = -1;
    b->dead++;
    if (bm25_count(b) == 0) b->len = 0;
    if (b->dead >= SWEEP_MIN && b->dead * 4 >= b->n_docs) sweep(b);
    return true;
}

static uint32_t live(const struct bm25 *b, const struct term *t)
{
    if (!t) return 0;
    if (!b->dead) return t->n;
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; i++) n += b->docs[t->p[i].doc].len >= 0;
    return n;
}

uint32_t bm25_df(const struct bm25 *b, uint64_t stem) { return live(b, term_find(b, stem)); }

static float idf(const struct bm25 *b, uint32_t df)
{
    double n = (double)bm25_count(b);
    return (float)log1p((n - df + 0.5) / (df + 0.5));
}

float bm25_idf(const struct bm25 *b, uint64_t stem) { return idf(b, bm25_df(b, stem)); }

static size_t add_term(struct bm25_term *out, size_t n, size_t cap, uint64_t stem)
{
    for (size_t i = 0; i < n; i++)
        if (out[i].stem == stem) return n;
    if (n < cap) out[n++] = (struct bm25_term){ .stem = stem, .weight = 1 };
    return n;
}

static size_t collect_terms(const char *text, size_t len, bool stops, struct bm25_term *out,
                            size_t cap)
{
    size_t n = 0;
    struct tokens t = tokens_of(text, len);
    while (n < cap && tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word w = token_word(text + t.start, t.end - t.start);
        if (w.stem_n && (stops || !w.stop)) n = add_term(out, n, cap, w.key);
    }
    return n;
}

size_t bm25_terms(const char *text, size_t n, struct bm25_term *out, size_t cap)
{
    size_t got = collect_terms(text, n, false, out, cap);
    return got ? got : collect_terms(text, n, true, out, cap);
}

/* The k best so far: a heap with the worst on top, so that a newcomer is compared with one hit. */
struct best {
    struct hit *h;
    size_t n, k;
};

static bool worse(const struct hit *a, const struct hit *b)
{
    return a->score != b->score ? a->score < b->score : a->id > b->id;
}

static void sift(struct hit *h, size_t n, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && worse(&h[child + 1], &h[child])) child++;
        if (!worse(&h[child], &h[i])) break;
        struct hit t = h[i];
        h[i] = h[child];
        h[child] = t;
    }
}

static bool wanted(const struct best *b, const struct hit *h)
{
    return b->n < b->k || worse(&b->h[0], h);
}

static void best_add(struct best *b, struct hit h)
{
    if (b->n == b->k) {
        b->h[0] = h;
        sift(b->h, b->n, 0);
        return;
    }
    b->h[b->n++] = h;
    if (b->n == b->k)
        for (size_t i = b->n / 2; i-- > 0;) sift(b->h, b->n, i);
}

static void best_sort(struct best *b)
{
    for (size_t i = b->n / 2; i-- > 0;) sift(b->h, b->n, i);
    for (size_t end = b->n; end-- > 1;) {
        struct hit t = b->h[0];
        b->h[0] = b->h[end];
        b->h[end] = t;
        sift(b->h, end, 0);
    }
}

static void add_scores(const struct bm25 *b, const struct term *t, float weight, float *acc)
{
    float w = weight * idf(b, live(b, t)) * (K1 + 1);
    float mean = (float)(b->len / (double)bm25_count(b));
    float flat = K1 * (1 - B), slope = mean > 0 ? K1 * B / mean : 0;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct posting *p = &t->p[i];
        acc[p->doc] += w * p->tf / (p->tf + flat + slope * b->docs[p->doc].len);
    }
}

static void collect(const struct bm25 *b, const struct term *t, float *acc,
                    bool (*keep)(void *ud, int64_t id), void *ud, struct best *best)
{
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t d = t->p[i].doc;
        struct hit h = { .id = b->docs[d].id, .score = acc[d] };
        acc[d] = 0; /* a document that holds two terms is met once */
        if (!(h.score > 0) || b->docs[d].len < 0 || !wanted(best, &h)) continue;
        if (!keep || keep(ud, h.id)) best_add(best, h);
    }
}

size_t bm25_search(const struct bm25 *b, const struct bm25_term *terms, size_t n_terms, size_t k,
                   bool (*keep)(void *ud, int64_t id), void *ud, struct hit *out, struct err *err)
{
    struct best best = { .h = out, .k = k };
    if (!k || !bm25_count(b)) return 0;
    float *acc = calloc(b->n_docs, sizeof *acc);
    if (!acc) {
        err_nomem(err);
        return 0;
    }
    for (size_t i = 0; i < n_terms; i++) {
        const struct term *t = term_find(b, terms[i].stem);
        if (t && terms[i].weight > 0) add_scores(b, t, terms[i].weight, acc);
    }
    for (size_t i = 0; i < n_terms; i++) {
        const struct term *t = term_find(b, terms[i].stem);
        if (t) collect(b, t, acc, keep, ud, &best);
    }
    free(acc);
    best_sort(&best);
    return best.n;
}
