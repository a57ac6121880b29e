/* Grounding, by content words and by meaning.
 *
 * A claim's support is the share of its content words, weighted by how rare they are in the
 * person's texts (idf), that stand in one own sentence of the passages or in its neighbours (which
 * count less), each as itself or as an everyday synonym. Words of the question carry no claim: who
 * was asked about boats may say "boats". What the embedder thinks of the two sentences fills part
 * of what is missing. Names and numbers are different: they are what models invent, so one that
 * stands in no passage at all caps the support below GROUND_ENOUGH, whatever else agrees.
 *
 * Only own sentences count. What somebody else said in a chat is no ground for what the persona
 * says. */
#include "persona/ground.h"

#include "base/str.h"
#include "kernels/kernels.h"
#include "persona/question.h"
#include "text/sentence.h"
#include "text/token.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define STEMS     48   /* content words looked at in a sentence */
#define NEIGHBOUR 0.6f /* of a match in the sentence before or after */
#define SYNONYM   0.8f
#define CLOSE     6 /* own sentences whose vectors are compared */
#define INVENTED  0.35f

struct own { /* a sentence of the persona's in a passage */
    size_t passage, seg, offset;
    const char *text;
    size_t n, n_stems;
    uint64_t stem[STEMS];
    bool joined; /* to the one before: same segment */
};

struct word {
    uint64_t stem, like[TERM_FORMS]; /* itself; synonyms */
    size_t n_like;
    float weight;
    bool exact; /* a name or number */
};

struct grounder {
    struct retriever *r;
    struct own *own;
    size_t n, cap;
    struct sentences *it;
    uint64_t asked[QUESTION_TERMS * 2]; /* stems of the question */
    size_t n_asked;
    uint64_t *seen; /* every stem of the passages, sorted */
    size_t n_seen, seen_cap;
};

static int by_stem(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool see(struct grounder *g, uint64_t stem)
{
    if (g->n_seen == g->seen_cap) {
        size_t cap = g->seen_cap ? g->seen_cap * 2 : 1024;
        uint64_t *grown = realloc(g->seen, cap * sizeof *grown);
        if (!grown) return false;
        g->seen = grown;
        g->seen_cap = cap;
    }
    g->seen[g->n_seen++] = stem;
    return true;
}

static bool add_own(struct grounder *g, struct own o)
{
    struct tokens t = tokens_of(o.text, o.n);
    if (g->n == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 128;
        struct own *grown = realloc(g->own, cap * sizeof *grown);
        if (!grown) return false;
        g->own = grown;
        g->cap = cap;
    }
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word w = token_word(o.text + t.start, t.end - t.start);
        if (!see(g, w.key)) return false;
        if (!w.stop && o.n_stems < STEMS) o.stem[o.n_stems++] = w.key;
    }
    g->own[g->n++] = o;
    return true;
}

static int read_passages(struct grounder *g, const struct passages *ps, struct err *err)
{
    for (size_t p = 0; p < ps->n; p++)
        for (size_t i = 0; i < ps->p[p].text.n_seg; i++) {
            const struct chunk_seg *s = &ps->p[p].text.seg[i];
            size_t from, to;
            bool joined = false;
            if (!s->voice) continue;
            if (sentences_text(g->it, s->text, s->text_n)) return err_nomem(err);
            while (sentences_next(g->it, &from, &to)) {
                struct own o = { .passage = p,
                                 .seg = i,
                                 .offset = s->offset + from,
                                 .text = s->text + from,
                                 .n = to - from,
                                 .joined = joined };
                if (!add_own(g, o)) return err_nomem(err);
                joined = true;
            }
        }
    if (g->n_seen) qsort(g->seen, g->n_seen, sizeof *g->seen, by_stem);
    return 0;
}

int ground_new(struct retriever *r, const struct passages *ps, const char *question,
               struct grounder **out, struct err *err)
{
    struct grounder *g = calloc(1, sizeof *g);
    struct tokens t = tokens_of(question, strlen(question));
    *out = NULL;
    if (!g) return err_nomem(err);
    g->r = r;
    g->it = sentences_new(err);
    int rc = g->it ? read_passages(g, ps, err) : ERR_NOMEM;
    while (tokens_next(&t) && g->n_asked < QUESTION_TERMS * 2)
        if (t.is_word) g->asked[g->n_asked++] = token_word(question + t.start, t.end - t.start).key;
    if (rc) ground_free(g);
    else *out = g;
    return rc;
}

void ground_free(struct grounder *g)
{
    if (!g) return;
    sentences_free(g->it);
    free(g->own);
    free(g->seen);
    free(g);
}

/* ---- one sentence ---- */

static bool was_asked(const struct grounder *g, uint64_t stem)
{
    for (size_t i = 0; i < g->n_asked; i++)
        if (g->asked[i] == stem) return true;
    return false;
}

/* Its words of content that the question did not bring. */
static size_t words_of(const struct grounder *g, const char *s, size_t n, struct word out[STEMS])
{
    struct tokens t = tokens_of(s, n);
    const struct bm25 *words = retriever_words(g->r);
    size_t k = 0;
    bool first = true;
    while (tokens_next(&t) && k < STEMS) {
        if (!t.is_word) continue;
        const char *at = s + t.start;
        struct token_word w = token_word(at, t.end - t.start);
        bool digit = isdigit((unsigned char)*at), name = !first && isupper((unsigned char)*at);
        first = false;
        if ((w.stop && !digit) || was_asked(g, w.key)) continue;
        struct word *x = &out[k++];
        *x = (struct word){ .stem = w.key, .exact = digit || (name && w.stem_n > 1) };
        x->weight = bm25_idf(words, w.key);
        if (x->weight < 0.5f) x->weight = 0.5f;
        if (!x->exact) x->n_like = synonyms_of(w.stem, w.stem_n, x->like, TERM_FORMS);
    }
    return k;
}

static float match_in(const struct own *o, const struct word *w)
{
    float best = 0;
    for (size_t i = 0; i < o->n_stems; i++) {
        if (o->stem[i] == w->stem) return 1;
        for (size_t k = 0; k < w->n_like && best < SYNONYM; k++)
            if (o->stem[i] == w->like[k]) best = SYNONYM;
    }
    return best;
}

static float cover(const struct grounder *g, size_t i, const struct word *w, size_t n)
{
    const struct own *o = &g->own[i];
    const struct own *before = o->joined ? o - 1 : NULL;
    const struct own *after = i + 1 < g->n && o[1].joined ? o + 1 : NULL;
    float sum = 0, all = 0;
    for (size_t k = 0; k < n; k++) {
        float m = match_in(o, &w[k]);
        float b = before ? NEIGHBOUR * match_in(before, &w[k]) : 0;
        float a = after ? NEIGHBOUR * match_in(after, &w[k]) : 0;
        m = m > a ? m : a;
        sum += w[k].weight * (m > b ? m : b);
        all += w[k].weight;
    }
    return all > 0 ? sum / all : 0;
}

/* A name or number that stands in no passage. */
static bool invents(const struct grounder *g, const struct word *w, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (w[k].exact &&
            (!g->n_seen || !bsearch(&w[k].stem, g->seen, g->n_seen, sizeof *g->seen, by_stem)))
            return true;
    return false;
}

struct near {
    size_t at;
    float cover;
};

/* The CLOSE best covered, best first. */
static size_t nearest(const struct grounder *g, const struct word *w, size_t n,
                      struct near best[CLOSE])
{
    size_t k = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct near x = { i, cover(g, i, w, n) };
        size_t at = k < CLOSE ? k++ : CLOSE - 1;
        if (k == CLOSE && at == CLOSE - 1 && i >= CLOSE && best[at].cover >= x.cover) continue;
        best[at] = x;
        for (; at && best[at].cover > best[at - 1].cover; at--) {
            struct near t = best[at];
            best[at] = best[at - 1];
            best[at - 1] = t;
        }
    }
    return k;
}

struct ground ground_sentence(struct grounder *g, const char *s, size_t n)
{
    struct word w[STEMS];
    struct near best[CLOSE];
    struct ground out = { 0 };
    struct embedder *e = retriever_embedding(g->r)->quick;
    int dim = e->dim;
    float v[EMBED_DIM_MAX], u[EMBED_DIM_MAX];
    size_t words = words_of(g, s, n, w), k = words ? nearest(g, w, words, best) : 0;
    out.claims = words > 0;
    bool meant = k && !embed_text(e, s, n, v);
    for (size_t i = 0; i < k; i++) {
        const struct own *o = &g->own[best[i].at];
        float support = best[i].cover, cosine = 0;
        if (meant && !embed_text(e, o->text, o->n, u)) cosine = kernels.dot_f32(v, u, (size_t)dim);
        if (cosine > 0) support += 0.4f * cosine * cosine * (1 - support);
        if (support <= out.support) continue;
        out.support = support;
        out.passage = o->passage, out.seg = o->seg, out.offset = o->offset;
        out.text = o->text, out.n = o->n;
    }
    if (out.support > INVENTED && invents(g, w, words)) out.support = INVENTED;
    return out;
}
