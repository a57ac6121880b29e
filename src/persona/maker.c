/* Answers that a language model makes from what was retrieved, whichever model it is: in this
 * process (voice_native.c) or behind a server (voice_remote.c).
 *
 *  1. Retrieval brings the passages (five, as DESIGN says); nothing found: the quote voice's phrase
 *     for that, and the model is not asked.
 *  2. The prompt is a conversation (prompt.h): system text, then each turn with the passages it
 *     got, then this question with its own. So a new turn begins with the very tokens of the last
 *     one, and the model goes on from there. What may go when the context overflows, oldest first:
 *     passages of earlier turns, then earlier turns, then passages of this one. Never the
 *     instructions. A passage that an earlier turn brought, and that certainly still stands there,
 *     is not given again: the model reads less, and is not led to say the same again. What it says
 *     may rest on it all the same. A wish of the asker about the manner of the answer goes with
 *     the question: it is theirs, and has no more weight than that.
 *  3. As text comes, sentences are split off and matched to what they rest on (ground.h). One that
 *     claims what no passage says is marked; with `strict` it is never said.
 *
 * When whoever asks is not to see other people (voice_in, mask), the model does not either:
 * passages and all parts of the prompt have pseudonyms. To mask what it says would be too late, as
 * it can be led to spell a name, to say it backwards, or to stop in the middle of an address.
 *
 * The fence word is the persona's (prompt_fence), so that the system text is the same every
 * time. */
#include "persona/maker.h"

#include "persona/ground.h"
#include "persona/mask.h"
#include "persona/prompt.h"
#include "persona/question.h"
#include "persona/quote.h"
#include "persona/voice.h"

#include "base/arena.h"
#include "base/str.h"
#include "text/sentence.h"

#include <stdlib.h>
#include <string.h>

#define TURNS_MAX    64 /* of a conversation that are given to the model */
#define PARTS_A_TURN 4  /* before, examples, after; answer */
#define TURN_WRAP    16 /* tokens that a chat template puts around the messages of a turn */

struct maker {
    const struct voice_in *in;
    const struct maker_back *back;
    struct answer *out;
    struct passages ps;
    struct grounder *ground;
    struct sentences *it;
    struct buf text; /* what the model said */
    size_t done;     /* bytes of it that became parts */
    size_t cap_parts, cap_cites;
    struct buf said; /* what the reader got */
    bool stopped;
    struct err *err;
};

/* ---- the prompt ---- */

static void add_part(struct template_part *p, size_t *n, enum template_role role, const char *s,
                     size_t len, bool more, int drop)
{
    if (!len) return;
    p[(*n)++] = (struct template_part){ role, s, len, more, drop };
}

/* A message whose retrieved text may go before the rest of it. */
static void add_message(struct template_part *p, size_t *n, const char *user, size_t from,
                        size_t to, int drop_examples, int drop_rest)
{
    size_t len = strlen(user), first = *n;
    add_part(p, n, TEMPLATE_USER, user, from, false, drop_rest);
    add_part(p, n, TEMPLATE_USER, user + from, to - from, *n > first, drop_examples);
    add_part(p, n, TEMPLATE_USER, user + to, len - to, *n > first, drop_rest);
}

static size_t turns_skipped(const struct voice_in *in)
{
    return in->n_turns > TURNS_MAX ? in->n_turns - TURNS_MAX : 0;
}

/* The whole conversation; parts has room. Drops: 1 .. n turns' examples, then n turns, then
 * ours. */
static size_t make_parts(const struct voice_in *in, const struct prompt *pr,
                         struct template_part *parts)
{
    size_t n = 0, skip = turns_skipped(in);
    int turns = (int)(in->n_turns - skip);
    add_part(parts, &n, TEMPLATE_SYSTEM, pr->system, strlen(pr->system), false, 0);
    for (int i = 0; i < turns; i++) {
        const struct voice_turn *t = &in->turns[skip + (size_t)i];
        const char *user = t->user ? t->user : t->question;
        add_message(parts, &n, user, t->user ? t->examples_from : 0, t->user ? t->examples_to : 0,
                    i + 1, turns + i + 1);
        add_part(parts, &n, TEMPLATE_ASSISTANT, t->answer, strlen(t->answer), false, turns + i + 1);
    }
    add_message(parts, &n, pr->user, pr->examples_from, pr->examples_to, 2 * turns + 1, 0);
    return n;
}

struct mask *maker_mask(const struct maker *m) { return m->back->mask; }

/* For titles and labels, which are masked in ways of their own; NULL: none. */
static struct mask *mask_for(const struct maker *m)
{
    return m->in->mask ? m->in->mask : m->back->mask;
}

static const char *title_of(void *ud, int64_t source)
{
    struct maker *m = ud;
    struct mask *mask = mask_for(m);
    const char *s = retriever_title(m->in->retriever, source);
    return mask && mask_title_of(mask, m->out->mem, &s) ? "" : s;
}

/* The question as the model gets it: with the asker's wish, if there is one. */
static const char *question_of(const struct maker *m)
{
    const char *wish = m->in->making.wish, *q = m->in->question;
    if (!wish || !*wish) return q;
    return arena_printf(m->out->mem, "(Wish for the answer: %s)\n\n%s", wish, q);
}

/* The first turn whose passages will not go, however the model counts: it is taken to count a
 * quarter more tokens than are estimated. */
static size_t first_whole_turn(const struct maker *m, const struct prompt *pr, int room)
{
    const struct voice_in *in = m->in;
    size_t first = turns_skipped(in);
    int64_t all = pr->tokens;
    for (size_t i = first; i < in->n_turns; i++) {
        const struct voice_turn *t = &in->turns[i];
        const char *user = t->user ? t->user : t->question;
        all += prompt_tokens(user, strlen(user)) + prompt_tokens(t->answer, strlen(t->answer)) +
               TURN_WRAP;
    }
    for (; first < in->n_turns && all + all / 4 > room; first++) {
        const struct voice_turn *t = &in->turns[first];
        if (t->user)
            all -= prompt_tokens(t->user + t->examples_from, t->examples_to - t->examples_from);
    }
    return first;
}

static bool is_given(const struct voice_turn *t, int64_t chunk)
{
    size_t i = 0;
    while (i < t->n_chunks && t->chunk[i] != chunk) i++;
    return i < t->n_chunks;
}

/* Of what was found, what earlier turns have brought and still hold: into p->earlier. */
static int find_earlier(struct maker *m, const struct prompt *pr, struct prompt_in *p)
{
    const struct voice_in *in = m->in;
    int64_t *list = arena_alloc(m->out->mem, (m->ps.n + 1) * sizeof *list);
    if (!list) return err_nomem(m->err);
    size_t first = first_whole_turn(m, pr, p->context_tokens - p->answer_tokens);
    for (size_t k = 0; k < m->ps.n; k++) {
        size_t i = first;
        while (i < in->n_turns && !is_given(&in->turns[i], m->ps.p[k].chunk)) i++;
        if (i < in->n_turns) list[p->n_earlier++] = m->ps.p[k].chunk;
    }
    p->earlier = list;
    return 0;
}

static int build_prompt(struct maker *m, struct prompt *pr)
{
    const struct voice_in *in = m->in;
    int ctx = m->back->context;
    int answer = in->making.max_tokens ? in->making.max_tokens : 512;
    char fence[33];
    struct profile masked;
    const struct profile *profile = in->profile;
    const char *question = question_of(m);
    if (!question) return err_nomem(m->err);
    struct mask *mask = mask_for(m);
    if (profile && mask) {
        if (mask_profile(mask, m->out->mem, profile, &masked)) return err_nomem(m->err);
        profile = &masked;
    }
    prompt_fence(retriever_persona(in->retriever), fence);
    struct prompt_in p = { .persona = retriever_persona(in->retriever),
                           .profile = profile,
                           .passages = &m->ps,
                           .question = question,
                           .system_template = in->system_template,
                           .user_template = in->user_template,
                           .context_tokens = ctx,
                           .answer_tokens = answer < ctx / 2 ? answer : ctx / 2,
                           .now = in->now,
                           .fence = fence,
                           .title = title_of,
                           .title_ud = m };
    int rc = prompt_build(&p, pr, m->err);
    if (!rc) rc = find_earlier(m, pr, &p);
    if (rc || !p.n_earlier) return rc;
    prompt_clear(pr);
    return prompt_build(&p, pr, m->err);
}

/* ---- what the sentences rest on ---- */

/* Room for one more of size bytes at the end of *list, which holds n. */
static bool grow(struct arena *mem, void *list, size_t n, size_t *cap, size_t size)
{
    void **at = list;
    if (n < *cap) return true;
    size_t more = *cap ? *cap * 2 : 16;
    void *p = arena_alloc(mem, more * size);
    if (!p) return false;
    if (n) memcpy(p, *at, n * size);
    *at = p;
    *cap = more;
    return true;
}

/* The index of the cited sentence, added when it is new; -1 when memory is short. */
static int cite(struct maker *m, const struct ground *w)
{
    struct answer *a = m->out;
    const struct passage *p = &m->ps.p[w->passage];
    const struct chunk_seg *seg = &p->text.seg[w->seg];
    for (size_t i = 0; i < a->n_cites; i++)
        if (a->cite[i].piece == seg->piece && strlen(a->cite[i].sentence) == w->n &&
            !memcmp(a->cite[i].sentence, w->text, w->n))
            return (int)i;
    if (!grow(a->mem, &a->cite, a->n_cites, &m->cap_cites, sizeof *a->cite)) return -1;
    const char *title =
        *p->text.title ? p->text.title : retriever_title(m->in->retriever, p->source);
    struct answer_cite *c = &a->cite[a->n_cites];
    *c = (struct answer_cite){ .source = p->source,
                               .chunk = p->chunk,
                               .piece = seg->piece,
                               .written_at = seg->written_at,
                               .similarity = p->similarity,
                               .support = w->support,
                               .title = arena_strdup(a->mem, title),
                               .sentence = arena_strndup(a->mem, w->text, w->n),
                               .question = "" };
    return c->title && c->sentence ? (int)a->n_cites++ : -1;
}

static void tell(struct maker *m, const char *s, size_t n)
{
    if (m->in->making.said && m->in->making.said(m->in->making.ud, s, n)) m->stopped = true;
}

/* One sentence of the answer, with the space before it: [from, to) of text, the words at `at`. */
static int add_sentence(struct maker *m, size_t from, size_t at, size_t to)
{
    struct answer *a = m->out;
    const char *s = m->text.p;
    struct ground w = ground_sentence(m->ground, s + at, to - at);
    bool bad = w.claims && w.support < GROUND_ENOUGH, strict = m->in->making.strict;
    a->made.unsupported += bad;
    if (bad && strict) {
        a->made.refused++;
        return 0;
    }
    if (!grow(a->mem, &a->part, a->n_parts, &m->cap_parts, sizeof *a->part)) return ERR_NOMEM;
    int c = w.claims && !bad ? cite(m, &w) : -1;
    if (w.claims && !bad && c < 0) return ERR_NOMEM;
    struct answer_part *p = &a->part[a->n_parts];
    *p = (struct answer_part){
        .text = arena_strndup(a->mem, s + at, to - at), .made = true, .unsupported = bad, .cite = c
    };
    if (!p->text) return ERR_NOMEM;
    a->n_parts++;
    if (buf_add(&m->said, s + from, to - from)) return ERR_NOMEM;
    if (strict) tell(m, s + from, to - from);
    return 0;
}

/* Sentences that are whole become parts; `all`: the rest too. The last one may go on yet. */
static int take_sentences(struct maker *m, bool all)
{
    size_t from, to, n = m->text.n - m->done, last = 0, last_at = 0, last_to = 0;
    bool any = false;
    int rc = 0;
    if (!n) return 0;
    const char *s = m->text.p + m->done;
    if (!all && !memchr(s, '.', n) && !memchr(s, '!', n) && !memchr(s, '?', n) &&
        !memchr(s, '\n', n))
        return 0;
    if (sentences_text(m->it, s, n)) return ERR_NOMEM;
    while (!rc && sentences_next(m->it, &from, &to)) {
        if (any) rc = add_sentence(m, m->done + last, m->done + last_at, m->done + last_to);
        last = any ? last_to : 0;
        last_at = from, last_to = to;
        any = true;
    }
    if (!rc && any && all)
        rc = add_sentence(m, m->done + last, m->done + last_at, m->done + last_to);
    if (any) m->done += all ? n : last;
    return rc;
}

/* ---- making ---- */

int maker_text(struct maker *m, const char *s, size_t n)
{
    if (n && buf_add(&m->text, s, n)) return err_nomem(m->err);
    if (!m->in->making.strict || !n) tell(m, s, n);
    if (n && take_sentences(m, false)) return err_nomem(m->err);
    return m->stopped ? ERR_CANCEL : 0;
}

static int hide_parts(struct maker *m, struct template_part *parts, size_t n)
{
    struct buf b = BUF_INIT(0);
    int rc = 0;
    for (size_t i = 0; m->in->mask && i < n && !rc; i++) {
        buf_clear(&b);
        rc = mask_text(m->in->mask, parts[i].s, parts[i].n, &b);
        parts[i].s = rc ? "" : arena_strndup(m->out->mem, buf_str(&b), b.n);
        parts[i].n = b.n;
        if (!parts[i].s) rc = ERR_NOMEM;
    }
    buf_free(&b);
    return rc ? err_nomem(m->err) : 0;
}

static int ask_model(struct maker *m, const struct prompt *pr)
{
    size_t turns = m->in->n_turns < TURNS_MAX ? m->in->n_turns : TURNS_MAX;
    struct template_part *parts = calloc(PARTS_A_TURN * (turns + 1) + 1, sizeof *parts);
    struct engine_result *r = &m->out->made.result;
    if (!parts) return err_nomem(m->err);
    size_t n = make_parts(m->in, pr, parts);
    int rc = hide_parts(m, parts, n);
    if (!rc) rc = m->back->ask(m->in, parts, n, m, r, m->err);
    if (!rc && r->stop == ENGINE_CANCELLED && !m->text.n)
        rc = err_set(m->err, ERR_CANCEL, "stopped");
    if (!rc && take_sentences(m, true)) rc = err_nomem(m->err);
    free(parts);
    return rc;
}

/* Nothing was found, or nothing of what was made may be said: the words for that. */
static int say_unknown(struct maker *m)
{
    struct answer *a = m->out;
    struct buf b = BUF_INIT(4096);
    a->kind = ANSWER_NONE;
    manner_unknown(m->in->profile, m->in->question, &b);
    a->part = arena_alloc(a->mem, sizeof *a->part);
    a->text = arena_strndup(a->mem, buf_str(&b), b.n);
    int rc = b.failed || !a->part || !a->text ? err_nomem(m->err) : 0;
    if (!rc) {
        a->part[0] = (struct answer_part){ .text = a->text, .cite = -1 };
        a->n_parts = 1;
        a->n_cites = 0;
        tell(m, a->text, strlen(a->text));
    }
    buf_free(&b);
    return rc;
}

static int finish(struct maker *m)
{
    struct answer *a = m->out;
    struct span s = span_trim((struct span){ m->said.p, m->said.n });
    bool claims = false;
    for (size_t i = 0; i < a->n_parts; i++) claims |= a->part[i].cite >= 0;
    if (!s.n || (m->in->making.strict && a->made.refused && !claims)) return say_unknown(m);
    a->kind = claims ? ANSWER_FOUND : ANSWER_NONE;
    a->text = arena_strndup(a->mem, s.p, s.n);
    return a->text ? 0 : err_nomem(m->err);
}

static int keep_given(struct maker *m, const struct prompt *pr)
{
    struct answer *a = m->out;
    a->given.user = arena_strdup(a->mem, pr->user);
    a->given.examples_from = pr->examples_from;
    a->given.examples_to = pr->examples_to;
    a->given.n_chunks = pr->examples_used;
    int64_t *chunk = arena_alloc(a->mem, (pr->examples_used + 1) * sizeof *chunk);
    a->given.chunk = chunk;
    a->made.model = arena_strdup(a->mem, m->back->name);
    if (!chunk || !a->given.user || !a->made.model) return err_nomem(m->err);
    if (pr->examples_used) memcpy(chunk, pr->chunk, pr->examples_used * sizeof *chunk);
    return 0;
}

static int hide_passage(struct maker *m, struct passage *p)
{
    struct chunk_text *t = &p->text;
    const char **text = calloc(t->n_seg + 1, sizeof *text);
    int rc = text ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < t->n_seg && !rc; i++) text[i] = t->seg[i].text;
    if (!rc) rc = mask_texts(m->in->mask, m->ps.mem, text, t->n_seg);
    if (!rc) rc = mask_title_of(m->in->mask, m->ps.mem, &t->title);
    for (size_t i = 0; i < t->n_seg && !rc; i++) {
        t->seg[i].text = text[i];
        t->seg[i].text_n = strlen(text[i]);
    }
    free(text);
    return rc ? err_nomem(m->err) : 0;
}

static int find_passages(struct maker *m)
{
    struct query q = m->in->query;
    q.text = m->in->question;
    q.before = question_leans(m->in->question) ? m->in->before : NULL;
    int rc = retrieve(m->in->retriever, &q, &m->ps, m->err);
    for (size_t i = 0; m->in->mask && i < m->ps.n && !rc; i++) rc = hide_passage(m, &m->ps.p[i]);
    return rc;
}

int maker_answer(const struct voice_in *in, const struct maker_back *back, struct answer *out,
                 struct err *err)
{
    struct maker m = { .in = in, .back = back, .out = out, .err = err };
    struct prompt pr = { 0 };
    double start = clock_mono();
    *out = (struct answer){ .mem = arena_new(0), .text = "" };
    m.it = sentences_new(err);
    int rc = out->mem && m.it ? find_passages(&m) : err_nomem(err);
    if (!rc && !m.ps.n) {
        rc = say_unknown(&m);
        goto out;
    }
    if (!rc) rc = ground_new(in->retriever, &m.ps, in->question, &m.ground, err);
    if (!rc) rc = build_prompt(&m, &pr);
    if (!rc) rc = ask_model(&m, &pr);
    if (!rc) rc = keep_given(&m, &pr);
    if (!rc) rc = finish(&m);
out:
    prompt_clear(&pr);
    ground_free(m.ground);
    sentences_free(m.it);
    passages_clear(&m.ps);
    buf_free(&m.text);
    buf_free(&m.said);
    if (rc) answer_clear(out);
    out->seconds = clock_mono() - start;
    return rc;
}
