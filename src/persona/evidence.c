/* How well a sentence answers, and whether what was found is enough to answer at all.
 *
 * Two numbers are kept apart. `score` ranks: coverage of the question by the sentence and its
 * surroundings, what both mean, words that adjoin in both, the kind of answer that was asked
 * for, and whether the sentence can stand alone. `support` judges: a logistic of the evidence,
 * whose weights are set by hand,
 *
 *     z = BIAS + 4.6 cover_heavy + 2.4 max(own_heavy, 0.8 asked_cover)
 *              + near + beyond + 0.7 phrase + 0.5 fit - 2.2 unseen
 *
 * where heavy leaves the light words out ("think", "good") and unseen is the share of the
 * question's weight in words that the person's whole corpus does not have, in any form. Half of the
 * subject in the sentence's own words, with the rest around it, is enough; the same with the rest
 * never seen is not. A question for a view asks for one: without a leaning or a first person the
 * evidence is less ("Do you like geese?" is not answered by who plucked one), except in what was
 * said in reply to that very question.
 *
 * Meaning is what the quick embedder finds between question and sentence, measured against the
 * persona's own corpus (embedding.h). In the ranking all of it counts, with that of the better
 * neighbour, so that a paraphrase comes up which shares no word. In the support it
 * counts little, and least where it is asked what somebody likes: a cosine alone cannot tell that
 * nothing is known, as dogs are near to cats.
 *
 * Everything else that costs (traits.c: kind of answer, stance) is worked out only for the BEST by
 * the rest of the score, and only settles close calls. */
#include "persona/quote.h"

#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BEST  40
#define BIAS  (-3.4f)
#define REPLY 0.6f /* of the subject in what somebody asked just before */

/* ---- the kind of answer ---- */

/* A view: a word that tells one, or a leaning; best in the first person. */
static float view_fit(const struct sentence *s)
{
    const struct traits *t = s->line->traits;
    float fit = t->first_person ? 0.3f : 0;
    if (t->view) fit = 0.7f;
    if (fabsf(s->stance) >= 0.5f) fit = fmaxf(fit, t->first_person ? 0.9f : 0.7f);
    return fit;
}

static float kind_fit(const struct question *q, const struct sentence *s)
{
    const struct traits *t = s->line->traits;
    float fit = 0;
    switch (q->kind) {
    case ASKS_WHY: fit = t->because; break;
    case ASKS_WHEN: fit = t->when || t->digit; break;
    case ASKS_HOW_MANY:
        fit = t->digit || t->number ? 0.8f : 0;
        if (t->often) fit = fmaxf(fit, 0.6f) + 0.2f;
        break;
    case ASKS_WHO: fit = t->names ? 0.6f : 0; break;
    case ASKS_WHERE: fit = t->place ? 0.4f : 0; break;
    case ASKS_HOW:
        if (q->method) fit = t->imperative ? 0.9f : t->rule ? 0.5f : 0;
        break;
    default: break;
    }
    if (q->opinion) fit = fmaxf(fit, view_fit(s));
    return fit;
}

/* ---- earlier turns ---- */

static bool was_said(const struct voice_in *in, const struct sentence *s)
{
    for (size_t i = 0; s && i < in->n_said; i++)
        if (in->said[i].sentence == s->line->hash) return true;
    return false;
}

/* What was quoted already is not said again; for a follow-up, what stands near it is wanted, and
 * most of all the sentence after it. */
static float said_effect(const struct voice_in *in, const struct question *q, struct sentence *s)
{
    float same_piece = q->bare ? 0.3f : 0.08f;
    if (!in->n_said) return 0;
    if (was_said(in, s)) return q->change ? 0 : q->elliptical ? -2 : -0.05f;
    if (!q->elliptical) return 0;
    for (size_t i = 0; i < in->n_said; i++) s->near_said |= in->said[i].piece == s->piece;
    float effect = s->near_said ? same_piece : 0, beside = 0;
    if (was_said(in, s->prev)) beside = 0.3f;
    else if (was_said(in, s->next)) beside = 0.2f;
    else if (s->prev && was_said(in, s->prev->prev)) beside = 0.15f;
    s->near_said |= beside > 0;
    return effect + (q->bare ? beside : 0);
}

/* ---- scores ---- */

static float base_score(const struct sentence *s, const struct passage *p)
{
    return 0.27f * s->cover + 0.23f * s->cover_heavy + 0.07f * s->own + 0.21f * s->phrase +
           0.085f * s->lead + 0.28f * p->score + 0.22f * s->asked_cover;
}

static float unseen_share(const struct question *q)
{
    float sum = 0;
    for (size_t i = 0; i < q->n; i++)
        if (!q->term[i].light && !q->term[i].seen) sum += q->term[i].weight;
    return q->heavy > 0 ? sum / q->heavy : 0;
}

static float support(const struct question *q, const struct sentence *s)
{
    float z = BIAS + 4.6f * s->cover_heavy + 2.4f * fmaxf(s->own_heavy, 0.8f * s->asked_cover) +
              (q->taste ? 0 : s->near) + s->beyond * (q->opinion ? s->fit : 1) + 0.7f * s->phrase +
              0.5f * s->fit - 2.2f * unseen_share(q);
    if (s->asked_cover >= REPLY) return 1 / (1 + expf(-z)); /* whatever it says, it was the reply */
    if (q->opinion) z += 0.6f * s->fit - (s->fit > 0 ? 0.3f : 1.5f);
    if (q->taste && s->fit < 0.5f) z -= 2;
    return 1 / (1 + expf(-z));
}

static int by_score(const void *a, const void *b)
{
    const struct sentence *x = *(struct sentence *const *)a, *y = *(struct sentence *const *)b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->piece != y->piece    ? (x->piece < y->piece ? -1 : 1)
           : x->offset < y->offset ? -1
                                   : x->offset > y->offset;
}

/* Learnt when a sentence is first among the best. */
static int know_traits(struct readings *rs, struct line *l)
{
    size_t before = arena_bytes(l->mem);
    struct traits *t = arena_alloc(l->mem, sizeof *t);
    int rc = t ? traits_read(readings_words(rs), l->text, l->n, l->n_words, l->mem, t) : ERR_NOMEM;
    readings_grew(rs, arena_bytes(l->mem) - before);
    if (!rc) l->traits = t;
    return rc;
}

/* What costs more: once for each of the best. */
static int look_closer(const struct voice_in *in, const struct question *q, struct asking *a,
                       struct readings *rs, struct sentence *s)
{
    if (!s->line->traits && know_traits(rs, s->line)) return ERR_NOMEM;
    const struct traits *t = s->line->traits;
    stance_of(&t->leaning, a, &s->stance, &s->explicit_change);
    s->fit = kind_fit(q, s);
    /* A few words that are all in the question have a high cosine and say nothing. */
    s->score += s->meant * fminf(1, (float)s->n_words / 6) +
                (0.07f + 0.15f * (q->bare ? 1 : s->cover)) * s->fit;
    s->score *= t->fitness;
    s->score += said_effect(in, q, s);
    s->support = support(q, s);
    return 0;
}

/* What meaning weighs. Of an embedder that knows words only little comes that the words do not
 * say themselves. */
static const struct weights {
    float meant, around; /* in the score: of the sentence; of the better neighbour */
    float near, beyond;  /* in the support: above what is usual; above the floor */
} words_only = { 0.23f, 0, 1.2f, 0 }, meaning = { 0.4f, 0.2f, 1.2f, 1 };

/* How near each sentence is to the question in meaning, by the quick embedder. */
static int compare_all(const struct voice_in *in, struct arena *mem, struct sentence **all,
                       size_t n, struct err *err)
{
    const struct embedding *m = retriever_embedding(in->retriever);
    const struct weights *w = m->quick->kind->learns ? &words_only : &meaning;
    size_t dim = (size_t)m->quick->dim;
    float *q = arena_alloc(mem, dim * sizeof *q);
    int rc = q ? embed_query(m->quick, in->question, strlen(in->question), q) : ERR_NOMEM;
    for (size_t i = 0; i < n && !rc; i++) {
        float cosine = kernels.dot_f32(q, all[i]->line->vector, dim);
        all[i]->cosine = scale_level(&m->near, cosine);
        all[i]->near = w->near * all[i]->cosine;
        all[i]->beyond = w->beyond * scale_beyond(&m->near, cosine);
    }
    for (size_t i = 0; i < n && !rc; i++) {
        const struct sentence *s = all[i];
        float around = fmaxf(s->prev ? s->prev->cosine : 0, s->next ? s->next->cosine : 0);
        all[i]->meant = w->meant * s->cosine + w->around * around;
    }
    return rc ? err_nomem(err) : 0;
}

/* The best k of all, best first; equals stay in reading order. */
static void select_best(struct sentence **all, size_t n, size_t k)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct sentence *s = all[i];
        if (kept == k && by_score(&s, &all[k - 1]) >= 0) continue;
        size_t at = kept < k ? kept++ : k - 1;
        for (; at && by_score(&s, &all[at - 1]) < 0; at--) all[at] = all[at - 1];
        all[at] = s;
    }
}

int evidence_rank(const struct voice_in *in, const struct question *q, const struct passages *ps,
                  struct arena *mem, struct candidates *c, struct err *err)
{
    struct readings *rs = retriever_readings(in->retriever, err);
    size_t n = 0;
    int rc = 0;
    struct sentence **all = arena_alloc(mem, (c->n + 1) * sizeof(struct sentence *));
    if (!all || !rs) return err_nomem(err);
    for (size_t i = 0; i < c->n; i++) {
        struct sentence *s = &c->all[i];
        if (s->twice || s->heading || !s->n_words) continue;
        all[n++] = s;
    }
    if ((rc = compare_all(in, mem, all, n, err))) return rc;
    for (size_t i = 0; i < n; i++)
        all[i]->score = base_score(all[i], &ps->p[all[i]->passage]) + all[i]->meant +
                        (q->bare ? said_effect(in, q, all[i]) : 0);
    c->best = all;
    c->n_best = n < BEST ? n : BEST;
    select_best(all, n, c->n_best);
    for (size_t i = 0; i < c->n_best && !rc; i++) {
        all[i]->score = base_score(all[i], &ps->p[all[i]->passage]);
        if (look_closer(in, q, &c->asking, rs, all[i])) rc = err_nomem(err);
    }
    if (!rc && c->asking.failed) rc = err_nomem(err);
    qsort(all, c->n_best, sizeof *all, by_score);
    return rc;
}
