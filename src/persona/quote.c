/* The quote voice: answers with the person's own sentences, and needs no model.
 *
 *  1. The question becomes weighted terms (question.c); retrieval brings PASSAGES passages.
 *  2. Every own sentence in them is matched (sentences.c) and scored (evidence.c).
 *  3. Weak evidence: when nothing supports an answer, the answer says so in the person's manner
 *     (manner.c), and quotes nothing.
 *  4. A change of mind (stance.c): the newest view first, then what was thought before, and when.
 *  5. Otherwise the best sentence as an excerpt: with the one it leans on ("It ..." needs what went
 *     before) and what follows it in the same paragraph; then other sentences that answer nearly as
 *     well and add something. Of those that answer equally well the newest comes first; a piece
 *     keeps its own order.
 *
 * A follow-up without a subject of its own ("And why?") is answered from beside what was quoted,
 * and never by a repetition; "When was that?" by the date of it. */
#include "persona/quote.h"

#include "base/str.h"
#include "text/token.h"

#include <string.h>

#define PASSAGES      24
#define PICKS         8
#define EXCERPTS      4
#define WORDS_MAX     110
#define EXCERPT_WORDS 55    /* of an excerpt, before it is added to */
#define EQUALLY       0.85f /* of the best score: then the newer comes first */
#define SHORT         9     /* words: such a sentence is given with the one before it */
#define NEARLY        0.55f /* of the best score, for a further excerpt */

struct composing {
    const struct voice_in *in;
    struct question q;
    struct passages ps;
    struct candidates c;
    struct picked {
        const struct sentence *s;
        float score; /* of the sentence that the excerpt was made for */
    } pick[PICKS];   /* in the order they are said */
    size_t n_pick, words;
    struct answer *out;
    struct buf text;
};

/* ---- choosing ---- */

static bool picked(const struct composing *c, const struct sentence *s)
{
    for (size_t i = 0; i < c->n_pick; i++)
        if (c->pick[i].s->piece == s->piece && c->pick[i].s->offset == s->offset) return true;
    return false;
}

static bool adds_something(const struct composing *c, const struct sentence *s)
{
    for (size_t i = 0; i < c->n_pick; i++)
        if (sentences_overlap(s, c->pick[i].s) > 0.6f) return false;
    return true;
}

static bool was_said(const struct composing *c, const struct sentence *s)
{
    for (size_t i = 0; i < c->in->n_said; i++)
        if (c->in->said[i].sentence == s->line->hash) return true;
    return false;
}

static bool room(const struct composing *c, const struct sentence *s)
{
    return c->n_pick < PICKS && c->words + s->n_words <= WORDS_MAX;
}

static void pick(struct composing *c, const struct sentence *s, float score)
{
    c->pick[c->n_pick++] = (struct picked){ s, score };
    c->words += s->n_words;
}

/* Does it begin with a word that points back? */
static bool points_back(const struct sentence *s)
{
    static const char *const words[] = { "it",    "it's",  "it'll", "it'd",   "he",
                                         "she",   "they",  "that",  "that's", "this",
                                         "these", "those", "and",   "but",    "so",
                                         "then",  "which", "he's",  "she's",  "they're",
                                         "his",   "her",   "him",   "or",     "because" };
    struct tokens t = tokens_of(s->text, s->n);
    if (!tokens_next(&t) || !t.is_word) return false;
    struct token_word w = token_word(s->text + t.start, t.end - t.start);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(w.fold, words[i])) return true;
    return false;
}

static bool quotable(const struct composing *c, const struct sentence *s)
{
    return s && !s->heading && s->n_words && !picked(c, s) && !was_said(c, s) && room(c, s);
}

/* The sentence, with the one it leans on and up to `more` that follow it in its paragraph. */
static void pick_excerpt(struct composing *c, const struct sentence *s, int more)
{
    size_t before = c->words;
    float score = s->score;
    bool leans = points_back(s) || s->n_words < SHORT;
    const struct sentence *b = s->prev;
    if (b && c->n_pick + 2 <= PICKS && !s->opens && !s->item && leans && b->piece == s->piece &&
        quotable(c, b) && b->n_words + s->n_words <= EXCERPT_WORDS && b->text[b->n - 1] != '?')
        pick(c, b, score);
    pick(c, s, score);
    for (s = s->next; more-- > 0 && quotable(c, s) && !s->opens && !s->item; s = s->next) {
        if (c->words - before + s->n_words > EXCERPT_WORDS || s->text[s->n - 1] == '?') break;
        pick(c, s, score);
    }
}

/* Further sentences that answer nearly as well. */
static void pick_more(struct composing *c, float share)
{
    float best = c->c.best[0]->score;
    size_t n = 1;
    for (size_t i = 1; i < c->c.n_best && n < EXCERPTS; i++) {
        const struct sentence *s = c->c.best[i];
        if (s->score < share * best || s->support < EVIDENCE_ENOUGH || s->n_words < 4) continue;
        if (s->own_heavy < 0.4f * c->c.best[0]->own_heavy && s->asked_cover < 0.5f) continue;
        if (!quotable(c, s) || !adds_something(c, s)) continue;
        pick_excerpt(c, s, 0);
        n++;
    }
}

/* ---- order ---- */

/* What answers about as well as the best goes before what only adds to it; of equals the newest
 * piece first; inside a piece, or an exchange, as it was written. */
static bool before(const struct picked *a, const struct picked *b, float equal)
{
    const struct sentence *x = a->s, *y = b->s;
    if (x->piece == y->piece) return x->offset < y->offset;
    if (x->passage == y->passage && x->seg != y->seg && x->written_at - y->written_at < 86400 &&
        y->written_at - x->written_at < 86400)
        return x->seg < y->seg;
    if ((a->score >= equal) != (b->score >= equal)) return a->score >= equal;
    if (x->written_at != y->written_at) return x->written_at > y->written_at;
    return x->piece < y->piece;
}

static void put_in_order(struct composing *c)
{
    float equal = EQUALLY * c->pick[0].score;
    for (size_t i = 1; i < c->n_pick; i++)
        for (size_t k = i; k && before(&c->pick[k], &c->pick[k - 1], equal); k--) {
            struct picked t = c->pick[k];
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
    p[a->n_parts] =
        (struct answer_part){ .text = arena_strdup(a->mem, text), .own = own, .cite = cite };
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
    *x = (struct answer_cite){ .source = p->source,
                               .chunk = p->chunk,
                               .piece = s->piece,
                               .written_at = s->written_at,
                               .similarity = p->similarity };
    x->support = s->support;
    const char *title =
        *p->text.title ? p->text.title : retriever_title(c->in->retriever, p->source);
    x->title = arena_strdup(a->mem, title);
    x->sentence = arena_strndup(a->mem, s->text, s->n);
    x->question = arena_strdup(a->mem, s->asked);
    return x->title && x->sentence && x->question ? (int)a->n_cites++ : -1;
}

/* Line breaks inside a quoted sentence become spaces; one without an end gets its full stop. */
static char *tidy(struct arena *mem, const struct sentence *s)
{
    char *t = arena_alloc(mem, s->n + 2);
    size_t n = 0;
    const char *from = s->text, *end = s->text + s->n;
    for (; t && from < end; from++) {
        char ch = *from == '\n' || *from == '\t' ? ' ' : *from;
        if (ch == ' ' && n && t[n - 1] == ' ') continue;
        t[n++] = ch;
    }
    if (t && n && ((t[n - 1] >= 'a' && t[n - 1] <= 'z') || (t[n - 1] >= '0' && t[n - 1] <= '9')))
        t[n++] = '.';
    return t;
}

static int say_sentence(struct composing *c, const struct sentence *s)
{
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

/* ---- the kinds of answer ---- */

static int say_picked(struct composing *c)
{
    int rc = 0;
    put_in_order(c);
    for (size_t i = 0; i < c->n_pick && !rc; i++) rc = say_sentence(c, c->pick[i].s);
    return rc;
}

static int say_phrase(struct composing *c,
                      void (*phrase)(const struct profile *, int64_t, struct buf *), int64_t when)
{
    struct buf b = BUF_INIT(4096);
    phrase(c->in->profile, when, &b);
    int rc = b.failed ? b.failed : say(c, buf_str(&b), false, -1);
    buf_free(&b);
    return rc;
}

static int say_unknown(struct composing *c)
{
    struct buf b = BUF_INIT(4096);
    c->out->kind = ANSWER_NONE;
    manner_unknown(c->in->profile, c->in->question, &b);
    int rc = b.failed ? b.failed : say(c, buf_str(&b), false, -1);
    buf_free(&b);
    return rc;
}

/* Does it say the same as the newer view: of that side, of the same subject, after the older
 * one? */
static bool sides_with(const struct composing *c, const struct sentence *s,
                       const struct sentence *older)
{
    if (s->written_at == CLOCK_NONE || s->written_at < older->written_at + 45 * 86400) return false;
    if (s->support < EVIDENCE_ENOUGH || s->score < 0.5f * c->c.best[0]->score || s->n_words < 4)
        return false;
    bool opposed = s->stance * older->stance < 0 &&
                   (s->stance - older->stance > 0.9f || older->stance - s->stance > 0.9f);
    return (opposed || s->explicit_change >= 0.75f) && s->own_heavy >= 0.45f;
}

/* The newer view, with up to two more sentences that take the same side; then the older one. */
static int say_changed(struct composing *c, const struct sentence *newer,
                       const struct sentence *older)
{
    c->out->kind = ANSWER_CHANGED;
    c->words = older->n_words;
    pick_excerpt(c, newer, 0);
    size_t most = c->n_pick + 2;
    for (size_t i = 0; i < c->c.n_best && c->n_pick < most; i++) {
        const struct sentence *s = c->c.best[i];
        if (s != older && sides_with(c, s, older) && quotable(c, s)) pick(c, s, newer->score);
    }
    int rc = say_picked(c);
    if (!rc) rc = say_phrase(c, manner_before, older->written_at);
    return rc ? rc : say_sentence(c, older);
}

static int say_found(struct composing *c)
{
    c->out->kind = ANSWER_FOUND;
    pick_excerpt(c, c->c.best[0], 2);
    pick_more(c, NEARLY);
    return say_picked(c);
}

/* "When was that?": the date of what was quoted last. */
static const struct sentence *last_said(const struct composing *c)
{
    for (size_t k = c->in->n_said; k-- > 0;)
        for (size_t i = 0; i < c->c.n; i++) {
            const struct sentence *s = &c->c.all[i];
            if (s->piece == c->in->said[k].piece && s->written_at != CLOCK_NONE &&
                s->line->hash == c->in->said[k].sentence)
                return s;
        }
    return NULL;
}

static int say_when(struct composing *c, const struct sentence *s)
{
    c->out->kind = ANSWER_FOUND;
    int rc = say_phrase(c, manner_when, s->written_at);
    return rc ? rc : say_sentence(c, s);
}

static int compose(struct composing *c)
{
    struct sentence *newer, *older;
    const struct sentence *s = c->c.n_best ? c->c.best[0] : NULL, *said;
    int rc;
    bool enough =
        s && (s->support >= EVIDENCE_ENOUGH || (c->q.bare && s->near_said)) && s->score > 0;
    if (c->q.bare && c->q.kind == ASKS_WHEN && (said = last_said(c))) rc = say_when(c, said);
    else if (!enough) rc = say_unknown(c);
    else if (stance_changed(&c->q, &c->c, &newer, &older)) rc = say_changed(c, newer, older);
    else rc = say_found(c);
    return rc ? rc : join(c);
}

static int quote_answer(const struct voice_in *in, struct answer *out, struct err *err)
{
    struct composing c = { .in = in, .out = out, .text = BUF_INIT(1 << 20) };
    struct bm25_term extra[QUESTION_TERMS * 2];
    struct query q = in->query;
    struct arena *work = arena_new(0);
    struct readings *rs = NULL;
    double start = clock_mono();
    *out = (struct answer){ .mem = arena_new(0), .text = "" };
    int rc = out->mem && work ? retriever_ready(in->retriever, err) : err_nomem(err);
    if (!rc) question_read(in->question, in->before, retriever_words(in->retriever), &c.q);
    q.text = in->question;
    q.before = c.q.elliptical ? in->before : NULL;
    q.k = PASSAGES;
    q.adaptive = false;
    q.diversity = 0;
    q.extra = extra;
    q.n_extra = question_expand(&c.q, extra, QUESTION_TERMS * 2);
    q.bare = true;
    if (!rc) rc = retrieve(in->retriever, &q, &c.ps, err);
    if (!rc && !(rs = retriever_readings(in->retriever, err))) rc = ERR_NOMEM;
    if (!rc) readings_begin(rs);
    if (!rc) rc = sentences_read(rs, &c.q, &c.ps, work, &c.c, err);
    if (!rc) rc = evidence_rank(in, &c.q, &c.ps, work, &c.c, err);
    if (!rc && compose(&c)) rc = err_nomem(err);
    passages_clear(&c.ps);
    arena_free(work);
    buf_free(&c.text);
    if (rc) answer_clear(out);
    out->seconds = clock_mono() - start;
    return rc;
}

const struct voice voice_quote = { "quote", "the person's own sentences; needs no model",
                                   quote_answer };
