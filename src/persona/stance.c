/* Which way a sentence leans, and whether two of them show a change of mind.
 *
 * Stance is counted, not understood, in the clause that holds the question's subject ("I can't
 * trust him and I'd sooner know it than hope" is about trust, not hope): leaning words
 * (text/polarity.h) and a few idioms, turned round by a negation before them; a negation without a
 * leaning word ("I will never keep a goat") leans against; a plain first-person statement leans
 * slightly for.
 *
 * A change of mind is a pair of sentences among those that answer nearly as well as the best, from
 * different pieces at least APART seconds apart, both speaking of the same subject in their own
 * words, that lean opposite ways; or whose newer one says so itself ("I was wrong about") of a
 * subject on which the older one clearly leans. A wrong pair is worse than none: without a clear
 * one there is no change. */
#include "persona/quote.h"

#include "base/str.h"
#include "persona/spot.h"
#include "text/polarity.h"
#include "text/token.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define APART      (45 * 86400)
#define PAIRS_FROM 16    /* of the best sentences */
#define NEAR_BEST  0.72f /* of the best score, for one of the two */
#define OTHER_NEAR 0.5f  /* for the other */
#define SUPERSEDED 0.4f  /* against a newer view that was itself given up later */
#define CLAUSES    12
#define HEAD       4 /* words */

static const struct {
    const char *words;
    float weight;
} marks[] = {
    { "changed my mind", 1 },
    { "change of mind", 1 },
    { "i was wrong", 1 },
    { "i've been wrong", 0.8f },
    { "was wrong about", 1 },
    { "i take it back", 1 },
    { "i take back", 0.9f },
    { "i used to", 0.8f },
    { "no longer", 0.7f },
    { "not any more", 0.7f },
    { " anymore", 0.7f },
    { " any more", 0.6f },
    { "these days", 0.5f },
    { "nowadays", 0.5f },
    { "i've come round", 1 },
    { "came round to", 0.9f },
    { "come round to", 0.9f },
    { "converted", 0.7f },
    { "i swore", 0.8f },
    { "i said i'd never", 1 },
    { "i said never", 1 },
    { "i said i would never", 1 },
    { "said i'd never", 1 },
    { "eat my words", 1 },
    { "ate my words", 1 },
    { "turns out", 0.5f },
    { "turned out", 0.4f },
    { "given up", 0.6f },
    { "i gave up", 0.6f },
    { "i've stopped", 0.7f },
    { "once thought", 0.9f },
    { "i never thought", 0.7f },
    { "who'd have thought", 0.7f },
    { " again", 0.2f },
    { " now", 0.35f },
};

/* What was thought or said once: the leaning after it is not today's. */
static const char *const reported[] = { " i said",        " i used to",       " i swore",
                                        " i was against", " i never thought", " i once ",
                                        " i was wrong",   " i've been wrong", " i told everybody" };
/* "I don't think it's worth": the negation reaches over the whole clause. */
static const char *const thinking[] = { "think",  "believe", "suppose", "reckon",
                                        "expect", "see",     "imagine" };

/* Idioms that lean as a whole; 0 takes the leaning out of a word that has one by itself. */
static const struct {
    const char *words;
    int polarity;
} idioms[] = {
    { "i'm against", -1 },
    { "i am against", -1 },
    { "am against", -1 },
    { "was against", -1 },
    { "give up", -1 },
    { "given up", -1 },
    { "gave up", -1 },
    { "giving up", -1 },
    { "go without", -1 },
    { "had enough", -1 },
    { "fed up", -1 },
    { "sick of", -1 },
    { "tired of", -1 },
    { "no use", -1 },
    { "no good", -1 },
    { "wearing me", -1 },
    { "wears me", -1 },
    { "wore me", -1 },
    { "waste of", -1 },
    { "not for me", -1 },
    { "i was wrong", 0 },
    { "been wrong", 0 },
    { "was wrong", 0 },
    { "i'm afraid", 0 },
    { "look forward", 1 },
    { "in favour", 1 },
    { "wouldn't be without", 1 },
    { "can't do without", 1 },
    { "couldn't do without", 1 },
    { "for the best", 1 },
    { "as well", 0 },
    { "like a", 0 },
    { "kind of", 0 },
    { "pretty much", 0 },
    { "good deal", 0 },
    { "would rather", 0 },
    { "stopped", -1 },
    { "keep away", -1 },
    { "get rid", -1 },
    { "put off", -1 },
    { "over my dead body", -1 },
    { "right of way", 0 },
    { "right away", 0 },
};

#define N_MARKS (sizeof marks / sizeof *marks)

static struct spots phrases; /* marks by their index, then what tells of once */

static void list_phrases(void)
{
    for (size_t i = 0; i < N_MARKS; i++) spots_add(&phrases, marks[i].words, (uint16_t)i);
    for (size_t i = 0; i < sizeof reported / sizeof *reported; i++)
        spots_add(&phrases, reported[i], N_MARKS);
}

static void note_phrase(void *ud, uint16_t id, size_t at)
{
    struct leaning *l = ud;
    if (id == N_MARKS && at < l->reported) l->reported = at;
    if (id < N_MARKS && marks[id].weight > l->told) l->told = marks[id].weight;
}

/* Does it say itself that a view changed, and what was thought once? */
static void find_phrases(const char *folded, size_t n, struct leaning *l)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, list_phrases);
    spots_find(&phrases, folded, n, note_phrase, l);
}

/* ---- clauses ---- */

struct clause {
    size_t from, to; /* bytes of the folded sentence */
    size_t cut;      /* where the words end that it is about */
};

static bool joins(const char *w, size_t n, const char *rest)
{
    static const char *const always[] = { "but",      "because", "though",
                                          "although", "whereas", "unless" };
    static const char *const who[] = { " i ",  " i'",    " he ",  " she ", " it ",
                                       " we ", " they ", " you ", " it's " };
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strlen(always[i]) == n && !memcmp(w, always[i], n)) return true;
    if (!(n == 3 && !memcmp(w, "and", 3)) && !(n == 2 && !memcmp(w, "so", 2))) return false;
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++)
        if (str_starts(rest, who[i])) return true;
    return false;
}

/* Cuts the folded sentence s into clauses. */
static size_t clauses_of(const char *s, size_t n, struct clause *out)
{
    struct tokens t = tokens_of(s, n);
    size_t k = 0;
    out[0] = (struct clause){ 0, n, n };
    while (tokens_next(&t)) {
        bool mark = !t.is_word && t.end - t.start == 1 && strchr(",;:.!()", s[t.start]);
        bool dash = !t.is_word && t.end - t.start == 3 && !memcmp(s + t.start, "\xe2\x80", 2);
        if (!mark && !dash && (!t.is_word || !joins(s + t.start, t.end - t.start, s + t.end)))
            continue;
        out[k].cut = t.start;
        if (k + 1 == CLAUSES) return k + 1;
        out[k].to = t.start;
        out[++k] = (struct clause){ t.start, n, n };
    }
    return k + 1;
}

/* The idiom that begins at s, or -1. */
static int idiom_at(const char *s)
{
    for (size_t i = 0; i < sizeof idioms / sizeof idioms[0]; i++) {
        if (idioms[i].words[0] != *s) continue;
        size_t n = strlen(idioms[i].words);
        if (!strncmp(s, idioms[i].words, n) && (!s[n] || strchr(" ,.;:!?)", s[n]))) return (int)i;
    }
    return -1;
}

/* The few words that open a clause and may be what it is about. */
struct head {
    struct span word[HEAD];
    size_t n;
};

/* Leaning of one clause, and whether it is of the person themselves. */
static float clause_lean(const char *s, const struct clause *c, bool *of_me, struct head *head)
{
    struct tokens t = tokens_of(s + c->from, c->to - c->from);
    const char *base = s + c->from;
    float sum = 0;
    int since = 99, reach = 2, words = 0, leaning = 0, negations = 0;
    bool first_person = false, about_me = false;
    size_t skip = 0;
    head->n = 0;
    while (tokens_next(&t)) {
        if (!t.is_word || t.start < skip) continue;
        const char *w = base + t.start;
        size_t n = t.end - t.start;
        int idiom = idiom_at(w), p = idiom >= 0 ? idioms[idiom].polarity : polarity_word(w, n);
        words++;
        if (idiom >= 0) skip = t.start + strlen(idioms[idiom].words);
        first_person |= (n == 1 && *w == 'i') || (n > 1 && !memcmp(w, "i'", 2)) ||
                        (n == 2 && !memcmp(w, "we", 2));
        about_me |= (n == 2 && (!memcmp(w, "me", 2) || !memcmp(w, "my", 2))) ||
                    (n == 6 && !memcmp(w, "myself", 6));
        if (idiom < 0 && polarity_negates(w, n)) {
            since = 0;
            negations++;
            continue;
        }
        since++;
        if (words <= HEAD) head->word[head->n++] = (struct span){ w, n };
        for (size_t i = 0; since == 1 && i < sizeof thinking / sizeof thinking[0]; i++)
            if (strlen(thinking[i]) == n && !memcmp(w, thinking[i], n)) reach = 14;
        if (!p) continue;
        sum += since <= reach ? -0.8f * (float)p : (float)p;
        leaning++;
    }
    if (!leaning) sum = negations ? -0.7f : first_person ? 0.35f : 0;
    *of_me = first_person || about_me;
    return sum;
}

static int read_clause(struct words *ws, const char *s, const struct clause *c, struct arena *mem,
                       struct clause_leaning *out)
{
    struct head head;
    *out = (struct clause_leaning){ .to = c->to };
    out->lean = clause_lean(s, c, &out->of_me, &head);
    out->head.w = arena_alloc(mem, HEAD * sizeof(struct word *));
    int rc = out->head.w ? words_of(ws, s + c->from, c->cut - c->from, true, mem, &out->words)
                         : ERR_NOMEM;
    for (size_t i = 0; i < head.n && !rc; i++) {
        struct word_list one;
        rc = words_of(ws, head.word[i].p, head.word[i].n, true, mem, &one);
        if (!rc && one.n) out->head.w[out->head.n++] = one.w[0];
    }
    return rc;
}

int leaning_read(struct words *ws, const char *s, size_t n, const struct buf *folded,
                 struct arena *mem, struct leaning *out)
{
    struct clause c[CLAUSES];
    const char *f = buf_str(folded);
    *out = (struct leaning){ .reported = SIZE_MAX };
    if (!n || s[n - 1] == '?') return 0;
    size_t k = clauses_of(f, folded->n, c);
    int rc = (out->clause = arena_alloc(mem, k * sizeof *out->clause)) ? 0 : ERR_NOMEM;
    for (; out->n < k && !rc; out->n++)
        rc = read_clause(ws, f, &c[out->n], mem, &out->clause[out->n]);
    find_phrases(f, folded->n, out);
    return rc;
}

/* ---- towards what is asked ---- */

static bool opens_with_subject(const struct clause_leaning *c, struct asking *a)
{
    for (size_t i = 0; i < c->head.n; i++) {
        const float *match = asking_match(a, c->head.w[i]);
        if (match && question_cover_heavy(a->q, match) > 0) return true;
    }
    return false;
}

/* How much of the question's subject a clause holds. */
static float subject_of(const struct clause_leaning *c, struct asking *a)
{
    float match[QUESTION_TERMS] = { 0 };
    asking_match_all(a, &c->words, match);
    return question_cover_heavy(a->q, match);
}

void stance_of(const struct leaning *l, struct asking *a, float *stance, float *explicit_change)
{
    float sum = 0, own = 0, most = 0;
    size_t best = 0;
    *stance = *explicit_change = 0;
    if (!l->n) return;
    for (size_t i = 0; i < l->n; i++) {
        const struct clause_leaning *c = &l->clause[i];
        /* Neither the person nor the subject at its head: what leans here is something else. */
        float lean = c->of_me || !a || opens_with_subject(c, a) ? c->lean : 0.4f * c->lean;
        float subject = a ? subject_of(c, a) : 0;
        sum += fabsf(lean) > 0.4f ? lean : 0;
        if (subject > most || !i) best = i, most = subject, own = lean;
    }
    /* The subject's clause decides; where it has no leaning the whole sentence counts, for less. */
    if (most <= 0 || !a) own = l->n == 1 ? own : sum;
    else if (fabsf(own) < 0.4f && sum != 0) own = fmaxf(-0.4f, fminf(0.4f, sum));
    *stance = tanhf(own);
    *explicit_change = l->told;
    if (l->told >= 0.75f && l->reported < l->clause[best].to && own < 0.4f) *stance = 0;
}

void stance_read(const struct question *q, const char *s, size_t n, float *stance,
                 float *explicit_change)
{
    struct arena *mem = arena_new(0);
    struct words *ws = words_new(NULL);
    struct buf b = BUF_INIT(1 << 20);
    struct leaning l = { 0 };
    struct asking a;
    *stance = *explicit_change = 0;
    buf_addc(&b, ' ');
    utf8_fold(&b, s, n);
    if (mem && ws && !b.failed && !leaning_read(ws, s, n, &b, mem, &l)) {
        asking_begin(&a, ws, q, mem);
        stance_of(&l, q ? &a : NULL, stance, explicit_change);
    }
    buf_free(&b);
    words_free(ws);
    arena_free(mem);
}

/* ---- a pair ---- */

/* Both speak of the same: share of the subject that both have, in the question's very words. */
static float shared_subject(const struct question *q, const struct sentence *a,
                            const struct sentence *b)
{
    float both = 0;
    for (size_t i = 0; i < q->n; i++)
        if (!q->term[i].light && a->match[i] >= 0.9f && b->match[i] >= 0.9f)
            both += q->term[i].weight;
    return q->heavy > 0 ? both / q->heavy : 0;
}

/* A fragment or a long report tells no view clearly. */
static bool can_tell(const struct sentence *s)
{
    if (s->n_words < 4 || s->n_words > 32) return false;
    return fabsf(s->stance) >= 0.5f || s->explicit_change >= 0.3f || s->n_words <= 14;
}

/* How well (older, newer) shows a change; 0: it does not. */
static float change_of(const struct question *q, const struct sentence *older,
                       const struct sentence *newer)
{
    if (!can_tell(older) || !can_tell(newer) || older->piece == newer->piece ||
        older->written_at == CLOCK_NONE || newer->written_at == CLOCK_NONE ||
        newer->written_at - older->written_at < APART)
        return 0;
    float subject = shared_subject(q, older, newer);
    if (subject < 0.52f || fabsf(older->stance) < 0.5f || older->explicit_change >= 0.75f) return 0;
    float against = older->stance * newer->stance < 0 ? fabsf(older->stance - newer->stance) : 0;
    float told = newer->explicit_change;
    bool opposed = against >= 0.9f, says_so = told >= 0.75f && older->stance * newer->stance <= 0;
    if (!opposed && !says_so) return 0;
    return newer->score + older->score + 0.25f * subject + 0.4f * against + 0.15f * told +
           0.2f * sentences_overlap(older, newer) + 0.5f * fminf(older->phrase, newer->phrase);
}

/* Did they take the other side again, later? */
static bool superseded(const struct question *q, const struct candidates *c, size_t most,
                       const struct sentence *newer)
{
    for (size_t i = 0; i < most; i++) {
        const struct sentence *s = c->best[i];
        if (s->written_at == CLOCK_NONE || s->written_at - newer->written_at < APART) continue;
        if (s->score < OTHER_NEAR * c->best[0]->score || fabsf(s->stance) < 0.5f) continue;
        if (s->stance * newer->stance < 0 && s->phrase >= 0.5f * newer->phrase &&
            shared_subject(q, s, newer) >= 0.45f)
            return true;
    }
    return false;
}

bool stance_changed(const struct question *q, const struct candidates *c, struct sentence **newer,
                    struct sentence **older)
{
    float best = 0, top = c->n_best ? c->best[0]->score : 0;
    size_t most = c->n_best < PAIRS_FROM ? c->n_best : PAIRS_FROM;
    if (!q->opinion) return false;
    for (size_t i = 0; i < most; i++)
        for (size_t k = 0; k < most; k++) {
            struct sentence *o = c->best[i], *w = c->best[k];
            float strong = fmaxf(o->score, w->score), weak = fminf(o->score, w->score);
            if (i == k || strong < NEAR_BEST * top || weak < OTHER_NEAR * top) continue;
            if (o->support < EVIDENCE_ENOUGH || w->support < EVIDENCE_ENOUGH) continue;
            float change = change_of(q, o, w);
            if (change > 0 && superseded(q, c, most, w)) change -= SUPERSEDED;
            if (change > best) best = change, *older = o, *newer = w;
        }
    return best > 0;
}
