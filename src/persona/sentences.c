/* Candidate sentences of the quote voice: every sentence of the persona's own in the retrieved
 * passages, scored by how well it answers.
 *
 * A question's words need not all stand in the answering sentence: "Why did you leave?" is answered by
 * "I couldn't bear the noise" after "I handed in my notice". So coverage counts, at a discount, the words of the
 * sentence before it, of the question that somebody asked just before (a chunk keeps them together),
 * and of the piece's title. What a sentence has itself always counts most. Cosine is worked out only
 * for the best by coverage: it costs more and only settles close calls. */
#include "persona/quote.h"

#include "base/str.h"
#include "kernels/kernels.h"
#include "text/sentence.h"
#include "text/token.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WITH_COSINE 40
#define SENTENCES_MAX 6000

struct reading {
    const struct voice_in *in;
    const struct question *q;
    const struct passages *ps;
    struct arena *mem;
    struct sentences *cut;
    struct sentence *s;
    size_t n, cap;
    struct err *err;
};

float sentences_overlap(const struct sentence *a, const struct sentence *b)
{
    size_t both = 0, least = a->n_stems < b->n_stems ? a->n_stems : b->n_stems;
    for (size_t i = 0; i < a->n_stems; i++)
        for (size_t k = 0; k < b->n_stems; k++)
            if (a->stems[i] == b->stems[k]) {
                both++;
                break;
            }
    return least ? (float)both / (float)least : 0;
}

/* Words of a text against the question's terms; s may be NULL when only the match is wanted. */
static void match_words(const struct question *q, const char *text, size_t n, float *match,
                        struct sentence *s)
{
    struct tokens t = tokens_of(text, n);
    while (tokens_next(&t)) {
        char stem[64], f[64];
        if (!t.is_word) continue;
        size_t k = token_stem(text + t.start, t.end - t.start, stem, sizeof stem);
        uint64_t h = hash64(stem, k, 0);
        if (s) s->n_words++;
        if (s && s->n_stems < 48) {
            size_t fn = token_fold(text + t.start, t.end - t.start, f, sizeof f);
            if (!token_is_stop(f, fn)) s->stems[s->n_stems++] = h;
        }
        for (size_t i = 0; i < q->n; i++) {
            float m = question_match(&q->term[i], h, stem, k);
            if (m > match[i]) match[i] = m;
        }
    }
}

/* ---- surroundings ---- */

/* The question that somebody else asked right before this segment: their last sentence ending in "?". */
static const char *asked_before(struct reading *r, const struct chunk_text *t, size_t seg)
{
    const char *found = NULL;
    size_t n = 0;
    for (size_t i = seg; i-- > 0 && !t->seg[i].voice && !found;) {
        const struct chunk_seg *c = &t->seg[i];
        size_t from, to;
        if (sentences_text(r->cut, c->text, c->text_n)) break;
        while (sentences_next(r->cut, &from, &to))
            if (c->text[to - 1] == '?') found = c->text + from, n = to - from;
    }
    return found ? arena_strndup(r->mem, found, n) : "";
}

static float with(const struct question *q, const float *own, const float *other, float discount)
{
    float m[QUESTION_TERMS];
    for (size_t i = 0; i < q->n; i++) m[i] = fmaxf(own[i], discount * other[i]);
    return question_cover(q, m);
}

/* ---- quality ---- */

static bool holds_digit(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isdigit((unsigned char)s[i])) return true;
    return false;
}

static bool holds_any(const char *s, size_t n, const char *const *list)
{
    struct span sp = { s, n };
    for (; *list; list++)
        if (span_ifind(sp, *list)) return true;
    return false;
}

/* Does it look like the kind of answer that was asked for? 0..1. */
static float kind_fit(const struct question *q, const char *s, size_t n)
{
    static const char *const because[] = { "because", "since ", "so that", "reason", "that's why", "which is why",
                                           "in order to", "for the sake", " so i ", "makes me", "made me", NULL };
    static const char *const when[] = { "ago", "yesterday", "last year", "last week", "morning", "january", "february",
                                        "march", "april", "june", "july", "august", "september", "october",
                                        "november", "december", "in 19", "in 20", NULL };
    static const char *const numbers[] = { "one ", "two ", "three ", "four ", "five ", "six ", "ten ", "twelve ", "twenty",
                                           "hundred", "thousand", "half", "dozen", "every ", NULL };
    static const char *const view[] = { "i think", "i love", "i like", "i hate", "i believe", "i don't", "i never",
                                        "i will", "i'd ", "i'm ", "i was wrong", "should", "i prefer", "i can't",
                                        "i trust", "i want", NULL };
    float fit = 0;
    if (q->kind == ASKS_WHY && holds_any(s, n, because)) fit = 1;
    if (q->kind == ASKS_WHEN && (holds_any(s, n, when) || holds_digit(s, n))) fit = 1;
    if (q->kind == ASKS_HOW_MANY && (holds_digit(s, n) || holds_any(s, n, numbers))) fit = 0.8f;
    if (q->opinion && holds_any(s, n, view)) fit = fmaxf(fit, 0.7f);
    return fit;
}

/* Is it fit to be quoted on its own? 0..1. */
static float fitness(const struct sentence *s)
{
    float f = 1;
    struct span sp = { s->text, s->n };
    if (s->n && s->text[s->n - 1] == '?') f *= 0.35f;
    if (s->n_words < 3) f *= 0.45f;
    else if (s->n_words < 5) f *= 0.8f;
    if (s->n_words > 60) f *= 0.75f;
    if (span_ifind(sp, "http://") || span_ifind(sp, "https://")) f *= 0.4f;
    if (str_starts(s->text, "Dear ") || str_starts(s->text, "Hi ") || str_starts(s->text, "Hello ")) f *= 0.4f;
    if (s->n && !strchr(".!?\"')", s->text[s->n - 1]) && (unsigned char)s->text[s->n - 1] < 0x80 && s->n_words < 6)
        f *= 0.75f;                    /* a heading or a fragment */
    return f;
}

/* ---- reading ---- */

static struct sentence *add(struct reading *r)
{
    if (r->n == SENTENCES_MAX) return NULL;
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 256;
        struct sentence *grown = realloc(r->s, cap * sizeof *grown);
        if (!grown) return NULL;
        r->s = grown;
        r->cap = cap;
    }
    memset(&r->s[r->n], 0, sizeof *r->s);
    return &r->s[r->n++];
}

static void read_segment(struct reading *r, size_t passage, size_t seg, const float *title,
                         const float *chunk)
{
    const struct passage *p = &r->ps->p[passage];
    const struct chunk_seg *c = &p->text.seg[seg];
    const struct question *q = r->q;
    float asked_match[QUESTION_TERMS] = { 0 }, before[QUESTION_TERMS] = { 0 };
    const char *asked = asked_before(r, &p->text, seg);
    size_t from, to, order = 0;
    match_words(q, asked, strlen(asked), asked_match, NULL);
    if (sentences_text(r->cut, c->text, c->text_n)) return;
    while (sentences_next(r->cut, &from, &to)) {
        struct sentence *s = add(r);
        if (!s) return;
        s->text = arena_strndup(r->mem, c->text + from, to - from);
        if (!s->text) {
            r->n--;
            return;
        }
        s->n = to - from;
        s->passage = passage;
        s->seg = seg;
        s->order = order;
        s->piece = c->piece;
        s->written_at = c->written_at;
        s->offset = c->offset + from;
        s->asked = order < 2 ? asked : "";
        match_words(q, s->text, s->n, s->match, s);
        s->own = question_cover(q, s->match);
        s->cover = fmaxf(s->own, with(q, s->match, before, 0.75f));
        s->cover = fmaxf(s->cover, with(q, s->match, title, 0.7f));
        s->cover = fmaxf(s->cover, with(q, s->match, chunk, 0.4f));
        if (order < 2) s->cover = fmaxf(s->cover, with(q, s->match, asked_match, order ? 0.6f : 0.85f));
        memcpy(before, s->match, sizeof before);
        order++;
    }
}

static void read_passage(struct reading *r, size_t passage)
{
    const struct chunk_text *t = &r->ps->p[passage].text;
    float title[QUESTION_TERMS] = { 0 }, chunk[QUESTION_TERMS] = { 0 };
    match_words(r->q, t->title, strlen(t->title), title, NULL);
    for (size_t i = 0; i < t->n_seg; i++)
        if (t->seg[i].voice) match_words(r->q, t->seg[i].text, t->seg[i].text_n, chunk, NULL);
    for (size_t i = 0; i < t->n_seg; i++)
        if (t->seg[i].voice) read_segment(r, passage, i, title, chunk);
}

/* The same sentence can stand in two chunks (overlap) or two pieces (a repeated saying): keep the best. */
static int by_text(const void *a, const void *b)
{
    const struct sentence *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : x->cover != y->cover ? (x->cover < y->cover ? 1 : -1) : x->piece < y->piece ? -1 : x->piece > y->piece;
}

static int by_score(const void *a, const void *b)
{
    const struct sentence *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->piece != y->piece ? (x->piece < y->piece ? -1 : 1) : x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void drop_doubles(struct reading *r)
{
    size_t k = 0;
    if (!r->n) return;
    qsort(r->s, r->n, sizeof *r->s, by_text);
    for (size_t i = 1; i < r->n; i++)
        if (strcmp(r->s[i].text, r->s[k].text)) r->s[++k] = r->s[i];
    r->n = k + 1;
}

/* ---- scoring ---- */

static float said_effect(const struct voice_in *in, const struct sentence *s, bool elliptical)
{
    uint64_t h = hash64(s->text, s->n, 0);
    float effect = 0;
    for (size_t i = 0; i < in->n_said; i++) {
        if (in->said[i].sentence == h) return elliptical ? -0.8f : -0.05f;
        if (elliptical && in->said[i].piece == s->piece) effect = 0.18f;
    }
    return effect;
}

static void score(struct reading *r, struct sentence *s, bool with_cosine)
{
    const struct passage *p = &r->ps->p[s->passage];
    float fit = kind_fit(r->q, s->text, s->n);
    float base = 0.7f * s->cover + 0.12f * s->own + 0.06f * p->score + (s->cover > 0.25f ? 0.1f * fit : 0);
    if (r->q->elliptical && r->q->kind == ASKS_WHY) base += 0.15f * fit;
    if (with_cosine) base += 0.18f * fmaxf(0, s->cosine);
    s->score = base * fitness(s) + said_effect(r->in, s, r->q->elliptical);
}

static int add_cosines(struct reading *r)
{
    struct embedder *e = retriever_embedder(r->in->retriever);
    int dim = e->kind->dim;
    float q[dim], v[dim];
    size_t most = r->n < WITH_COSINE ? r->n : WITH_COSINE;
    if (embed_text(e, r->in->question, strlen(r->in->question), q)) return err_nomem(r->err);
    for (size_t i = 0; i < most; i++) {
        struct sentence *s = &r->s[i];
        if (embed_text(e, s->text, s->n, v)) return err_nomem(r->err);
        s->cosine = kernels.dot_f32(q, v, (size_t)dim);
        stance_read(s->text, s->n, &s->stance, &s->explicit_change);
    }
    return 0;
}

int sentences_rank(const struct voice_in *in, const struct question *q, const struct passages *ps,
                   struct arena *mem, struct sentence **out, size_t *n_out, struct err *err)
{
    struct reading r = { .in = in, .q = q, .ps = ps, .mem = mem, .err = err };
    int rc = 0;
    *out = NULL;
    *n_out = 0;
    if (!(r.cut = sentences_new(err))) return ERR_NOMEM;
    for (size_t i = 0; i < ps->n; i++) read_passage(&r, i);
    drop_doubles(&r);
    for (size_t i = 0; i < r.n; i++) score(&r, &r.s[i], false);
    if (r.n) qsort(r.s, r.n, sizeof *r.s, by_score);
    rc = add_cosines(&r);
    size_t most = r.n < WITH_COSINE ? r.n : WITH_COSINE;
    for (size_t i = 0; i < most; i++) score(&r, &r.s[i], true);
    if (most) qsort(r.s, most, sizeof *r.s, by_score);
    if (!rc && most) {
        *out = arena_alloc(mem, most * sizeof **out);
        if (*out) memcpy(*out, r.s, most * sizeof **out);
        else rc = err_nomem(err);
        *n_out = most;
    }
    sentences_free(r.cut);
    free(r.s);
    return rc;
}
