/* The quote voice: answers with the person's own sentences, and needs no model.
 *
 *  1. The question becomes weighted terms (question.c); retrieval brings PASSAGES passages.
 *  2. Every own sentence in them is scored by how much of the question it answers (sentences.c).
 *  3. Weak evidence: when no sentence covers enough of the question's weight, the answer says that
 *     nothing was written about it, in the person's manner (manner.c), and quotes nothing.
 *  4. A change of mind (stance.c): the newest view first, then what was thought before, and when.
 *  5. Otherwise the best sentence, and up to MORE others that add something, each with the sentence it
 *     leans on. Sentences of one piece stand together in their own order; pieces follow in order of time. */
#include "persona/quote.h"

#include "base/str.h"

#include <string.h>

#define PASSAGES 24
#define MORE 3
#define WORDS_MAX 110
#define COVER_FLOOR 0.5f               /* of the question's weight, to answer at all */
#define OWN_FLOOR 0.3f                 /* of it in the sentence's own words, or the question it answered */

struct composing {
    const struct voice_in *in;
    struct question q;
    struct passages ps;
    struct sentence *s;
    size_t n;
    size_t pick[MORE + 3];             /* indices into s, in the order they are said */
    size_t n_pick;
    struct answer *out;
    struct buf text;
};

/* ---- choosing ---- */

static bool answers(const struct sentence *s)
{
    return s->cover >= COVER_FLOOR && (s->own >= OWN_FLOOR || *s->asked);
}

/* The best sentence that really answers; -1: none does. */
static long best_of(const struct composing *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (answers(&c->s[i]) && c->s[i].score >= 0.32f) return (long)i;
    return -1;
}

static size_t words_picked(const struct composing *c)
{
    size_t w = 0;
    for (size_t i = 0; i < c->n_pick; i++) w += c->s[c->pick[i]].n_words;
    return w;
}

static bool adds_something(const struct composing *c, const struct sentence *s)
{
    for (size_t i = 0; i < c->n_pick; i++)
        if (sentences_overlap(s, &c->s[c->pick[i]]) > 0.6f) return false;
    return words_picked(c) + s->n_words <= WORDS_MAX;
}

static bool picked(const struct composing *c, size_t k)
{
    for (size_t i = 0; i < c->n_pick; i++)
        if (c->pick[i] == k) return true;
    return false;
}

static void pick_more(struct composing *c, float share)
{
    float best = c->s[c->pick[0]].score;
    size_t want = c->n_pick + MORE;
    for (size_t i = 0; i < c->n && c->n_pick < want; i++) {
        const struct sentence *s = &c->s[i];
        if (picked(c, i) || !answers(s) || s->score < share * best) continue;
        if (s->n_words >= 4 && adds_something(c, s)) c->pick[c->n_pick++] = i;
    }
}

/* ---- order ---- */

/* Newest piece last, but the piece of the best sentence first. */
static bool before(const struct composing *c, size_t a, size_t b, int64_t lead)
{
    const struct sentence *x = &c->s[a], *y = &c->s[b];
    if (x->piece == y->piece) return x->offset < y->offset;
    if (x->piece == lead || y->piece == lead) return x->piece == lead;
    if (x->written_at != y->written_at) return x->written_at < y->written_at;
    return x->piece < y->piece;
}

static void put_in_order(struct composing *c, size_t from)
{
    int64_t lead = c->s[c->pick[0]].piece;
    for (size_t i = from + 1; i < c->n_pick; i++)
        for (size_t k = i; k > from && before(c, c->pick[k], c->pick[k - 1], lead); k--) {
            size_t t = c->pick[k];
            c->pick[k] = c->pick[k - 1];
            c->pick[k - 1] = t;
        }
}

/* ---- saying ---- */

static int say(struct composing *c, const char *text, bool own, int cite)
{
    struct answer *a = c->out;
    struct answer_part *p = arena_alloc(a->mem, (a->n_parts + 1) * sizeof *p);
    if (!p) return ERR_NOMEM;
    if (a->n_parts) memcpy(p, a->part, a->n_parts * sizeof *p);
    p[a->n_parts] = (struct answer_part){ arena_strdup(a->mem, text), own, cite };
    a->part = p;
    return p[a->n_parts++].text ? 0 : ERR_NOMEM;
}

static int cite(struct composing *c, const struct sentence *s)
{
    struct answer *a = c->out;
    const struct passage *p = &c->ps.p[s->passage];
    struct answer_cite *g = arena_alloc(a->mem, (a->n_cites + 1) * sizeof *g), *x;
    if (!g) return -1;
    if (a->n_cites) memcpy(g, a->cite, a->n_cites * sizeof *g);
    a->cite = g;
    x = &g[a->n_cites];
    *x = (struct answer_cite){ .source = p->source, .chunk = p->chunk, .piece = s->piece,
                               .written_at = s->written_at, .similarity = p->similarity };
    x->support = s->cover > 1 ? 1 : s->cover;
    const char *title = *p->text.title ? p->text.title : retriever_title(c->in->retriever, p->source);
    x->title = arena_strdup(a->mem, title);
    x->sentence = arena_strndup(a->mem, s->text, s->n);
    x->question = arena_strdup(a->mem, s->asked);
    return x->title && x->sentence && x->question ? (int)a->n_cites++ : -1;
}

/* Line breaks inside a quoted sentence become spaces; a fragment gets its full stop. */
static char *tidy(struct arena *mem, const struct sentence *s)
{
    char *t = arena_alloc(mem, s->n + 2);
    size_t n = 0;
    const char *from = s->text, *end = s->text + s->n;
    if (s->n > 2 && strchr("-*#>", from[0]) && (from[1] == ' ' || from[1] == '#')) {
        while (from < end && strchr("-*#> ", *from)) from++;
    }
    for (; t && from < end; from++) {
        char ch = *from == '\n' || *from == '\t' ? ' ' : *from;
        if (ch == ' ' && n && t[n - 1] == ' ') continue;
        t[n++] = ch;
    }
    if (t && n && ((t[n - 1] >= 'a' && t[n - 1] <= 'z') || (t[n - 1] >= '0' && t[n - 1] <= '9'))) t[n++] = '.';
    return t;
}

static int say_sentence(struct composing *c, size_t k)
{
    const struct sentence *s = &c->s[k];
    int at = cite(c, s);
    char *t = tidy(c->out->mem, s);
    return at < 0 || !t ? ERR_NOMEM : say(c, t, true, at);
}

static int join(struct composing *c)
{
    struct answer *a = c->out;
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct answer_part *p = &a->part[i], *was = i ? &a->part[i - 1] : NULL;
        bool same = was && p->own && was->own && a->cite[p->cite].piece == a->cite[was->cite].piece;
        if (was) buf_adds(&c->text, same || (p->own && !was->own) ? " " : "\n");
        buf_adds(&c->text, p->text);
    }
    a->text = arena_strndup(a->mem, buf_str(&c->text), c->text.n);
    return c->text.failed || !a->text ? ERR_NOMEM : 0;
}

/* ---- the three kinds of answer ---- */

static int say_unknown(struct composing *c)
{
    struct buf b = BUF_INIT(4096);
    c->out->kind = ANSWER_NONE;
    manner_unknown(c->in->profile, c->in->question, &b);
    int rc = b.failed ? b.failed : say(c, buf_str(&b), false, -1);
    buf_free(&b);
    return rc;
}

static int say_changed(struct composing *c, size_t newer, size_t older)
{
    struct buf b = BUF_INIT(4096);
    int rc = 0;
    c->out->kind = ANSWER_CHANGED;
    c->pick[c->n_pick++] = newer;
    for (size_t i = 0; i < c->n && c->n_pick < 2; i++) {      /* one more from the newer piece */
        const struct sentence *s = &c->s[i];
        if (i != newer && s->piece == c->s[newer].piece && s->cover >= COVER_FLOOR &&
            s->n_words >= 4 && adds_something(c, s))
            c->pick[c->n_pick++] = i;
    }
    put_in_order(c, 0);
    for (size_t i = 0; i < c->n_pick && !rc; i++) rc = say_sentence(c, c->pick[i]);
    manner_before(c->in->profile, c->s[older].written_at, &b);
    if (!rc) rc = b.failed ? b.failed : say(c, buf_str(&b), false, -1);
    if (!rc) rc = say_sentence(c, older);
    buf_free(&b);
    return rc;
}

static int say_found(struct composing *c, size_t best)
{
    int rc = 0;
    c->out->kind = ANSWER_FOUND;
    c->pick[c->n_pick++] = best;
    pick_more(c, 0.72f);
    put_in_order(c, 0);
    for (size_t i = 0; i < c->n_pick && !rc; i++) rc = say_sentence(c, c->pick[i]);
    return rc;
}

static int compose(struct composing *c)
{
    size_t newer, older;
    long best = best_of(c);
    float floor = best < 0 ? 0 : COVER_FLOOR > 0.7f * c->s[best].cover ? COVER_FLOOR : 0.7f * c->s[best].cover;
    int rc;
    if (best < 0) rc = say_unknown(c);
    else if (!c->q.elliptical && stance_changed(&c->q, c->s, c->n, floor, &newer, &older))
        rc = say_changed(c, newer, older);
    else rc = say_found(c, (size_t)best);
    return rc ? rc : join(c);
}

static int quote_answer(const struct voice_in *in, struct answer *out, struct err *err)
{
    struct composing c = { .in = in, .out = out, .text = BUF_INIT(1 << 20) };
    struct bm25_term extra[QUESTION_TERMS * 2];
    struct query q = in->query;
    double start = clock_mono();
    *out = (struct answer){ .mem = arena_new(0), .text = "" };
    int rc = out->mem ? 0 : err_nomem(err);
    if (rc) return rc;
    question_read(in->question, in->before, retriever_words(in->retriever), &c.q);
    q.text = in->question;
    q.before = c.q.elliptical ? in->before : NULL;
    q.k = PASSAGES;
    q.adaptive = false;
    q.diversity = 0;
    q.extra = extra;
    q.n_extra = question_expand(&c.q, extra, QUESTION_TERMS * 2);
    rc = retrieve(in->retriever, &q, &c.ps, err);
    if (!rc) rc = sentences_rank(in, &c.q, &c.ps, out->mem, &c.s, &c.n, err);
    if (!rc && compose(&c)) rc = err_nomem(err);
    passages_clear(&c.ps);
    buf_free(&c.text);
    if (rc) answer_clear(out);
    out->seconds = clock_mono() - start;
    return rc;
}

const struct voice voice_quote = { "quote", "the person's own sentences; needs no model", quote_answer };
