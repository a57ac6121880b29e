/* Candidate sentences of the quote voice: every sentence of the persona's own in the retrieved
 * passages, with what it shares with the question.
 *
 * A question's words need not all stand in the answering sentence: "Why did you leave?" is answered
 * by "I couldn't bear the noise" after "I handed in my notice". So coverage counts, at a discount,
 * the words of the sentence before it, of what somebody asked or said just before (a chunk keeps
 * them together), of the piece's title, and of the whole passage. What a sentence has itself always
 * counts most.
 *
 * What a passage is made of is known already (reading.c); a question costs a look at each different
 * word, and then little more than adding up. No more than READ_BYTES of the best-ranked passages
 * are looked at. */
#include "persona/quote.h"

#include <string.h>

#define READ_BYTES 56000
#define MOST       3000 /* sentences */
#define STEMS      40   /* of a sentence, compared with another */

#define FROM_BEFORE  0.72f /* what a surrounding word is worth against an own one */
#define FROM_ASKED   0.85f
#define FROM_CONTEXT 0.5f
#define FROM_TITLE   0.65f
#define FROM_PASSAGE 0.35f

struct reader {
    struct asking *a;
    const struct question *q;
    struct sentence *s;
    size_t n, cap, bytes;
};

static uint64_t stem_at(const struct sentence *s, size_t i)
{
    return s->line->word[s->line->content[i]]->form.key;
}

static size_t stems_of(const struct sentence *s)
{
    size_t n = s->line ? s->line->n_content : 0;
    return n < STEMS ? n : STEMS;
}

float sentences_overlap(const struct sentence *a, const struct sentence *b)
{
    size_t both = 0, na = stems_of(a), nb = stems_of(b), least = na < nb ? na : nb;
    for (size_t i = 0; i < na; i++)
        for (size_t k = 0; k < nb; k++)
            if (stem_at(a, i) == stem_at(b, k)) {
                both++;
                break;
            }
    return least ? (float)both / (float)least : 0;
}

static float larger(float a, float b) { return a > b ? a : b; }
static float smaller(float a, float b) { return a < b ? a : b; }

static float side(const struct question_pair *p, int k, const struct word *w, const float *match)
{
    return p->term[k] >= 0 ? (match ? match[p->term[k]] : 0) : p->word[k] == w->turned;
}

/* Which of the question's pairs stand side by side here too: one of each is a term. */
static void match_pairs(struct reader *r, struct word *const w[2], float *pair)
{
    const float *a = asking_match(r->a, w[0]), *b = asking_match(r->a, w[1]);
    for (size_t i = 0; i < r->q->n_pairs; i++) {
        const struct question_pair *p = &r->q->pair[i];
        pair[i] = larger(pair[i], smaller(side(p, 0, w[0], a), side(p, 1, w[1], b)));
    }
}

/* The sentence's own words: matched alone and in pairs. */
static void match_own(struct reader *r, struct sentence *s)
{
    const struct line *l = s->line;
    const struct question *q = r->q;
    float pair[QUESTION_PAIRS] = { 0 }, sum = 0;
    size_t first = 0;
    for (size_t c = 0; c < l->n_content; c++) {
        size_t at = l->content[c];
        const float *m = asking_match(r->a, l->word[at]);
        if (!m) continue;
        for (size_t i = 0; i < q->n; i++) {
            if (m[i] > 0.5f && !q->term[i].light && !first) first = at + 1;
            s->match[i] = larger(s->match[i], m[i]);
        }
        if (at) match_pairs(r, l->word + at - 1, pair);
        if (at + 1 < l->n_words) match_pairs(r, l->word + at, pair);
    }
    for (size_t i = 0; i < q->n_pairs; i++) sum += pair[i];
    s->phrase = smaller(1, 0.4f * sum);
    s->lead = first ? 1 - (float)(first - 1) / (float)s->n_words : 0;
}

/* ---- surroundings ---- */

struct surroundings {
    float title[QUESTION_TERMS], whole[QUESTION_TERMS]; /* of the passage */
    float context[QUESTION_TERMS], asked[QUESTION_TERMS];
};

static void cover(const struct question *q, struct sentence *s, const struct surroundings *a)
{
    float m[QUESTION_TERMS];
    float asked = s->order == 0 ? FROM_ASKED : s->order == 1 ? 0.7f : FROM_CONTEXT;
    for (size_t i = 0; i < q->n; i++) {
        m[i] = larger(s->match[i], FROM_TITLE * a->title[i]);
        m[i] = larger(m[i], asked * a->asked[i]);
        m[i] = larger(m[i], (s->order < 3 ? FROM_CONTEXT : FROM_PASSAGE) * a->context[i]);
        if (s->prev) m[i] = larger(m[i], FROM_BEFORE * s->prev->match[i]);
        m[i] = larger(m[i], FROM_PASSAGE * a->whole[i]);
    }
    s->own = question_cover(q, s->match);
    s->own_heavy = question_cover_heavy(q, s->match);
    s->cover = question_cover(q, m);
    s->cover_heavy = question_cover_heavy(q, m);
    s->asked_cover =
        s->order < 2 && *s->line->around->question ? question_cover_heavy(q, a->asked) : 0;
}

static void begin(struct sentence *s, struct line *l, size_t passage)
{
    *s = (struct sentence){ .line = l,
                            .text = l->text,
                            .n = l->n,
                            .passage = passage,
                            .seg = l->seg,
                            .order = l->order,
                            .piece = l->piece,
                            .written_at = l->written_at,
                            .offset = l->offset,
                            .asked = l->order < 2 ? l->around->question : "",
                            .heading = l->heading,
                            .item = l->item,
                            .opens = l->opens,
                            .n_words = l->n_words };
    if (!l->follows) return;
    s->prev = s - 1;
    s->prev->next = s;
}

static void read_passage(struct reader *r, size_t passage, const struct reading *x)
{
    size_t n = x->n < r->cap - r->n ? x->n : r->cap - r->n;
    struct sentence *s = r->s + r->n;
    struct surroundings a;
    memset(&a, 0, sizeof a);
    r->n += n;
    r->bytes += x->bytes;
    asking_match_all(r->a, &x->title_words, a.title);
    for (size_t i = 0; i < n; i++) {
        begin(&s[i], &x->line[i], passage);
        match_own(r, &s[i]);
        for (size_t k = 0; k < r->q->n; k++) a.whole[k] = larger(a.whole[k], s[i].match[k]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct around *around = x->line[i].around;
        if (!i || around != x->line[i - 1].around) {
            memset(a.context, 0, sizeof a.context);
            memset(a.asked, 0, sizeof a.asked);
            asking_match_all(r->a, &around->context, a.context);
            asking_match_all(r->a, &around->asked, a.asked);
        }
        cover(r->q, &s[i], &a);
    }
}

/* The same sentence can stand in two chunks (overlap) or two pieces (a repeated saying): keep the
 * best. */
static int mark_doubles(struct reader *r, struct arena *mem)
{
    size_t cap = 64;
    while (cap < 2 * r->n) cap *= 2;
    struct sentence **seen = arena_alloc(mem, cap * sizeof(struct sentence *));
    if (!seen) return ERR_NOMEM;
    for (struct sentence *s = r->s; s < r->s + r->n; s++) {
        size_t at = s->line->hash & (cap - 1);
        while (seen[at] && seen[at]->line->hash != s->line->hash) at = (at + 1) & (cap - 1);
        struct sentence *was = seen[at];
        if (was) (s->cover > was->cover ? was : s)->twice = true;
        if (!was || s->cover > was->cover) seen[at] = s;
    }
    return 0;
}

int sentences_read(struct readings *rs, const struct question *q, struct passages *ps,
                   struct arena *mem, struct candidates *out, struct err *err)
{
    struct reader r = { .a = &out->asking, .q = q };
    size_t n = 0;
    int rc = 0;
    *out = (struct candidates){ 0 };
    asking_begin(&out->asking, readings_words(rs), q, mem);
    const struct reading **x = arena_alloc(mem, (ps->n + 1) * sizeof(const struct reading *));
    if (!x) return err_nomem(err);
    for (size_t i = 0; i < ps->n && !rc; i++) {
        rc = readings_get(rs, ps->p[i].chunk, &x[i], err);
        if (rc == ERR_NOTFOUND) rc = 0; /* deleted since: the next question reads anew */
        if (!x[i]) continue;
        r.cap += x[i]->most;
        n += x[i]->n;
        ps->p[i].text.title = x[i]->title;
    }
    if (rc) return rc;
    if (r.cap > MOST) r.cap = MOST;
    if (r.cap > n) r.cap = n;
    r.s = arena_alloc(mem, (r.cap + 1) * sizeof *r.s);
    if (!r.s) return err_nomem(err);
    for (size_t i = 0, read = 0; i < ps->n && (read < 3 || r.bytes < READ_BYTES); i++) {
        if (!x[i]) continue;
        read_passage(&r, i, x[i]);
        read++;
    }
    if (mark_doubles(&r, mem) || out->asking.failed) return err_nomem(err);
    out->all = r.s;
    out->n = r.n;
    return 0;
}
