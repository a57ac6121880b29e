/* Candidate sentences of the quote voice: every sentence of the persona's own in the retrieved
 * passages, with what it shares with the question.
 *
 * A question's words need not all stand in the answering sentence: "Why did you leave?" is answered
 * by "I couldn't bear the noise" after "I handed in my notice". So coverage counts, at a discount,
 * the words of the sentence before it, of what somebody asked or said just before (a chunk keeps
 * them together), of the piece's title, and of the whole passage. What a sentence has itself always
 * counts most.
 *
 * Reading is the cost of an answer: each passage is split and stemmed once, and no more than
 * READ_BYTES of the best-ranked passages are read. */
#include "persona/quote.h"

#include "base/map.h"
#include "base/str.h"
#include "text/sentence.h"
#include "text/token.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define READ_BYTES    56000
#define CONTEXT_BYTES 400 /* of what the others said just before */
#define RUN_GAP       900 /* seconds between messages of one run */

#define FROM_BEFORE  0.72f /* what a surrounding word is worth against an own one */
#define FROM_ASKED   0.85f
#define FROM_CONTEXT 0.5f
#define FROM_TITLE   0.65f
#define FROM_PASSAGE 0.35f

struct reading {
    const struct question *q;
    const struct passages *ps;
    struct arena *mem;
    struct sentences *cut;
    struct sentence *s;
    size_t n, cap, bytes;
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

static void match_words(const struct question *q, const char *text, size_t n, float *match)
{
    struct tokens t = tokens_of(text, n);
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word w = token_word(text + t.start, t.end - t.start);
        if (!w.stop) question_match(q, &w, match);
    }
}

struct seen { /* a word of the sentence */
    float match[QUESTION_TERMS];
    uint64_t word;
};

static float side(const struct question_pair *p, int k, const struct seen *w)
{
    return p->term[k] >= 0 ? w->match[p->term[k]] : p->word[k] == w->word;
}

/* Which of the question's pairs stand side by side here too. */
static void match_pairs(const struct question *q, const struct seen *a, const struct seen *b,
                        float *pair)
{
    for (size_t i = 0; i < q->n_pairs; i++)
        pair[i] = fmaxf(pair[i], fminf(side(&q->pair[i], 0, a), side(&q->pair[i], 1, b)));
}

/* The sentence's own words: counted, kept as stems, matched alone and in pairs. */
static void match_own(const struct question *q, struct sentence *s)
{
    struct tokens t = tokens_of(s->text, s->n);
    struct seen w[2];
    float pair[QUESTION_PAIRS] = { 0 }, sum = 0;
    size_t first = 0;
    memset(w, 0, sizeof w);
    while (tokens_next(&t)) {
        if (!t.is_word) continue;
        struct token_word word = token_word(s->text + t.start, t.end - t.start);
        struct seen *now = &w[s->n_words & 1];
        memset(now, 0, sizeof *now);
        s->n_words++;
        now->word = question_turn(word.fold, word.fold_n);
        if (!word.stop) {
            if (s->n_stems < SENTENCE_STEMS) s->stems[s->n_stems++] = word.key;
            question_match(q, &word, now->match);
        }
        for (size_t i = 0; i < q->n; i++) {
            if (now->match[i] > 0.5f && !q->term[i].light && !first) first = s->n_words;
            s->match[i] = fmaxf(s->match[i], now->match[i]);
        }
        if (s->n_words > 1) match_pairs(q, &w[s->n_words & 1], now, pair);
    }
    for (size_t i = 0; i < q->n_pairs; i++) sum += pair[i];
    s->phrase = fminf(1, 0.4f * sum);
    s->lead = first ? 1 - (float)(first - 1) / (float)s->n_words : 0;
}

/* ---- surroundings ---- */

struct around {
    float title[QUESTION_TERMS], context[QUESTION_TERMS], asked[QUESTION_TERMS];
    const char *question; /* what was asked, "" if nothing */
};

/* The last sentence of s that ends in a question mark. */
static struct span last_question(const char *s, size_t n)
{
    size_t end = n, from;
    while (end && s[end - 1] != '?') end--;
    if (!end) return (struct span){ s, 0 };
    for (from = end - 1; from && !strchr(".!?\n", s[from - 1]); from--) {}
    return span_trim((struct span){ s + from, end - from });
}

/* What the others said right before segment seg. */
static void look_around(struct reading *r, const struct chunk_text *t, size_t seg, struct around *a)
{
    size_t left = CONTEXT_BYTES;
    memset(a->context, 0, sizeof a->context);
    memset(a->asked, 0, sizeof a->asked);
    a->question = "";
    for (size_t i = seg; i-- > 0 && !t->seg[i].voice && left;) {
        const struct chunk_seg *c = &t->seg[i];
        size_t from = c->text_n > left ? c->text_n - left : 0;
        while (from && from < c->text_n && c->text[from] != ' ') from++;
        match_words(r->q, c->text + from, c->text_n - from, a->context);
        left -= c->text_n - from;
        struct span q = last_question(c->text + from, c->text_n - from);
        if (*a->question || q.n < 3) continue;
        a->question = arena_strndup(r->mem, q.p, q.n);
        if (!a->question) a->question = "";
        match_words(r->q, q.p, q.n, a->asked);
    }
}

static void cover(const struct question *q, struct sentence *s, const struct around *a,
                  const float *passage)
{
    float m[QUESTION_TERMS];
    float asked = s->order == 0 ? FROM_ASKED : s->order == 1 ? 0.7f : FROM_CONTEXT;
    for (size_t i = 0; i < q->n; i++) {
        m[i] = fmaxf(s->match[i], FROM_TITLE * a->title[i]);
        m[i] = fmaxf(m[i], asked * a->asked[i]);
        m[i] = fmaxf(m[i], (s->order < 3 ? FROM_CONTEXT : FROM_PASSAGE) * a->context[i]);
        if (s->prev) m[i] = fmaxf(m[i], FROM_BEFORE * s->prev->match[i]);
        m[i] = fmaxf(m[i], FROM_PASSAGE * passage[i]);
    }
    s->own = question_cover(q, s->match);
    s->own_heavy = question_cover_heavy(q, s->match);
    s->cover = question_cover(q, m);
    s->cover_heavy = question_cover_heavy(q, m);
    s->asked_cover = s->order < 2 && *a->question ? question_cover_heavy(q, a->asked) : 0;
}

/* ---- reading ---- */

/* Bytes of a list mark ("- ", "2. ", "> ") at the start. */
static size_t list_mark(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && i < 3 && isdigit((unsigned char)s[i])) i++;
    if (i && i + 1 < n && (s[i] == '.' || s[i] == ')') && s[i + 1] == ' ') return i + 2;
    for (i = 0; i < n && strchr("-*#>", s[i]) && i < 4; i++) {}
    if (i && i < n && s[i] == ' ') return i + 1;
    return n > 4 && !memcmp(s, "\xe2\x80\xa2 ", 4) ? 4 : 0;
}

/* A line of its own that ends without a mark while more follows: a heading, not a sentence. */
static bool is_heading(const char *seg, size_t n, size_t from, size_t to)
{
    bool alone = (from == 0 || seg[from - 1] == '\n') && to < n && seg[to] == '\n';
    bool spaced = to + 1 < n && seg[to + 1] == '\n';
    if (!alone || to - from > 80 || (from && !spaced)) return false;
    return seg[from] == '#' || isalnum((unsigned char)seg[to - 1]) || seg[to - 1] == ')' ||
           seg[to - 1] == ':';
}

static struct sentence *add(struct reading *r, size_t passage, size_t seg, size_t from, size_t to)
{
    const struct passage *p = &r->ps->p[passage];
    const struct chunk_seg *c = &p->text.seg[seg];
    if (!r->s || r->n == r->cap) return NULL;
    struct sentence *s = &r->s[r->n++];
    memset(s, 0, sizeof *s);
    s->heading = is_heading(c->text, c->text_n, from, to);
    s->opens = from == 0 || (from > 1 && c->text[from - 1] == '\n' && c->text[from - 2] == '\n');
    size_t mark = list_mark(c->text + from, to - from);
    s->item = mark > 0 && !s->heading;
    s->text = c->text + from + mark;
    s->n = to - from - mark;
    s->passage = passage;
    s->seg = seg;
    s->piece = c->piece;
    s->written_at = c->written_at;
    s->offset = c->offset + from + mark;
    return s;
}

/* Appends the sentences of one segment; last is the sentence before it in the same run, or NULL. */
static struct sentence *read_segment(struct reading *r, size_t passage, size_t seg,
                                     struct sentence *last, const char *asked)
{
    const struct chunk_seg *c = &r->ps->p[passage].text.seg[seg];
    size_t from, to, order = last ? last->order + 1 : 0;
    if (sentences_text(r->cut, c->text, c->text_n)) return last;
    while (sentences_next(r->cut, &from, &to)) {
        struct sentence *s = add(r, passage, seg, from, to);
        if (!s) break;
        s->order = order++;
        s->asked = s->order < 2 ? asked : "";
        s->prev = last;
        if (last) last->next = s;
        match_own(r->q, s);
        last = s;
    }
    return last;
}

/* Does segment b go on where a stopped: the same message, or the next of a run? */
static bool goes_on(const struct chunk_seg *a, const struct chunk_seg *b)
{
    if (a->piece == b->piece) return true;
    return a->written_at != CLOCK_NONE && b->written_at != CLOCK_NONE &&
           b->written_at - a->written_at >= 0 && b->written_at - a->written_at < RUN_GAP;
}

static void read_passage(struct reading *r, size_t passage)
{
    const struct chunk_text *t = &r->ps->p[passage].text;
    struct around a;
    float whole[QUESTION_TERMS] = { 0 };
    size_t first = r->n, i;
    struct sentence *last = NULL;
    memset(&a, 0, sizeof a);
    match_words(r->q, t->title, strlen(t->title), a.title);
    for (i = 0; i < t->n_seg; i++) {
        if (!t->seg[i].voice) continue;
        if (!last || !i || !t->seg[i - 1].voice || !goes_on(&t->seg[i - 1], &t->seg[i]))
            last = NULL;
        look_around(r, t, i, &a);
        last = read_segment(r, passage, i, last, a.question);
        r->bytes += t->seg[i].text_n;
    }
    for (i = first; i < r->n; i++)
        for (size_t k = 0; k < r->q->n; k++) whole[k] = fmaxf(whole[k], r->s[i].match[k]);
    for (i = first; i < r->n; i++) {
        if (i == first || r->s[i].seg != r->s[i - 1].seg) look_around(r, t, r->s[i].seg, &a);
        cover(r->q, &r->s[i], &a, whole);
    }
}

/* The same sentence can stand in two chunks (overlap) or two pieces (a repeated saying): keep the
 * best. */
static int mark_doubles(struct reading *r)
{
    struct map seen = { 0 };
    int rc = 0;
    for (size_t i = 0; i < r->n && !rc; i++) {
        struct sentence *s = &r->s[i];
        uint64_t *slot = map_slot(&seen, hash64(s->text, s->n, 0) | 1);
        if (!slot) rc = ERR_NOMEM;
        else if (!*slot) *slot = i + 1;
        else {
            struct sentence *was = &r->s[*slot - 1];
            if (s->cover > was->cover) {
                was->twice = true;
                *slot = i + 1;
            } else s->twice = true;
        }
    }
    map_free(&seen);
    return rc;
}

/* Room for the sentences: one for every 30 bytes, and two for each message. */
static size_t most(const struct passages *ps)
{
    size_t n = 0;
    for (size_t i = 0; i < ps->n; i++)
        for (size_t k = 0; k < ps->p[i].text.n_seg; k++)
            if (ps->p[i].text.seg[k].voice) n += ps->p[i].text.seg[k].text_n / 30 + 2;
    return n < 3000 ? n : 3000;
}

int sentences_read(const struct voice_in *in, const struct question *q, const struct passages *ps,
                   struct arena *mem, struct candidates *out, struct err *err)
{
    struct reading r = { .q = q, .ps = ps, .mem = mem, .cap = most(ps) };
    int rc = 0;
    *out = (struct candidates){ 0 };
    if (!(r.cut = sentences_new(err))) return ERR_NOMEM;
    r.s = arena_alloc(mem, (r.cap + 1) * sizeof *r.s);
    if (!r.s) rc = err_nomem(err);
    for (size_t i = 0; i < ps->n && !rc && (i < 3 || r.bytes < READ_BYTES); i++)
        read_passage(&r, i);
    if (!rc && mark_doubles(&r)) rc = err_nomem(err);
    out->all = r.s;
    out->n = r.n;
    sentences_free(r.cut);
    return rc;
}
