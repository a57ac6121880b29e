/* Who answers a chat completion: a persona, by its voice, or the language model of the server as
 * itself. Both are left when the client is. */
#include "base/arena.h"
#include "base/str.h"
#include "http/asking.h"
#include "http/openai.h"
#include "persona/native.h"

#include <stdlib.h>
#include <string.h>

#define DESK_MS      5000
#define READ_MS      100
#define QUESTION_MAX 16384
#define BETWEEN      "\n\n" /* messages of one role that follow each other */

/* ---- a persona ---- */

static int append(struct buf *to, const char *s)
{
    if (to->n) buf_adds(to, BETWEEN);
    return buf_adds(to, s);
}

/* Earlier turns into the conversation; the question and the wish come back. What the assistant says
 * before anybody asked is passed over. */
static int recall(struct openai_chat *q, struct conversation *v, struct buf *question,
                  struct buf *wish)
{
    int rc = 0;
    for (size_t i = 0; i < q->n && !rc; i++) {
        const struct openai_message *m = &q->message[i];
        if (m->role == TEMPLATE_SYSTEM) append(wish, m->s);
        else if (m->role == TEMPLATE_USER) append(question, m->s);
        else if (question->n) {
            rc = conversation_recall(v, buf_str(question), m->s, q->err);
            buf_clear(question);
        }
    }
    if (!rc && (question->failed == ERR_NOMEM || wish->failed == ERR_NOMEM)) rc = err_nomem(q->err);
    if (!rc && (question->n > QUESTION_MAX || question->failed || wish->failed))
        rc = err_set(q->err, ERR_INVAL, "messages: a question is at most %d bytes", QUESTION_MAX);
    return rc;
}

static int count(const struct desk *d, const char *s)
{
    return (int)embed_tokens(retriever_embedder(d->retriever), s, strlen(s), NULL, 0);
}

static void usage_of(const struct openai_chat *q, const struct desk *d, const struct answer *a,
                     struct openai_usage *u)
{
    const struct engine_result *r = &a->made.result;
    if (a->made.model) {
        *u = (struct openai_usage){ r->prompt_tokens, r->output_tokens, r->reused_tokens };
        return;
    }
    for (size_t i = 0; i < q->n; i++) u->prompt += count(d, q->message[i].s);
    u->completion = count(d, a->text);
}

/* What is ours of an answer. Parts and sources are for those who may read the persona. */
static json_t *ours(const struct openai_chat *q, const struct answer *a)
{
    static const char *const all[] = { "kind", "made" }, *const readers[] = { "parts", "sources" };
    json_t *whole = (json_t *)answer_json(a, ""), *j = json_object(), *v;
    for (size_t i = 0; whole && j && i < 2; i++) {
        if ((v = json_object_get(whole, all[i]))) json_object_set(j, all[i], v);
        if (q->c->level >= LEVEL_READ && (v = json_object_get(whole, readers[i])))
            json_object_set(j, readers[i], v);
    }
    json_decref(whole);
    return j;
}

static int ask_desk(struct openai_chat *q, struct desk *d)
{
    const struct world *w = q->c->world;
    const char *voice = call_str(q->c, "voice");
    struct buf question = BUF_INIT(QUESTION_MAX + 1), wish = BUF_INIT(QUESTION_MAX);
    struct conversation *v = NULL;
    struct answer a = { 0 };
    struct openai_usage u = { 0 };
    struct query query = query_default(NULL);
    int rc = conversation_open(d->retriever, voice ? voice : w->voice, 0, false, &v, q->err);
    if (!rc) rc = recall(q, v, &question, &wish);
    if (rc) goto out;
    if (w->k) query.k = w->k;
    query.adaptive = w->adaptive;
    query.floor = w->floor;
    conversation_making(v, &(struct voice_making){ .model = w->model,
                                                   .remote = w->remote,
                                                   .sampling = &q->sampling,
                                                   .stop = q->stop,
                                                   .n_stop = q->n_stop,
                                                   .wish = wish.n ? buf_str(&wish) : NULL,
                                                   .max_tokens = q->max_tokens,
                                                   .account = (uint64_t)q->c->who.account,
                                                   .veil = veil_needed(d->persona, q->c->level),
                                                   .said = openai_say,
                                                   .ud = q });
    q->c->veiled = true;
    const char *words = asking_words(q->c, d->persona, buf_str(&question));
    rc = words ? 0 : err_nomem(q->err);
    if (!rc) rc = conversation_ask(v, words, &query, &a, NULL, q->err);
    if (!rc && q->rc) rc = q->rc;
    if (rc == ERR_LIMIT) q->c->status = 400; /* too long, not too often */
    if (rc == ERR_BUSY) q->c->retry_after = 1;
    if (rc) goto out;
    usage_of(q, d, &a, &u);
    rc = openai_finish(q, span_of(a.text), a.made.model ? a.made.result.stop : ENGINE_END, &u,
                       ours(q, &a));
out:
    answer_clear(&a);
    conversation_close(v);
    buf_free(&question);
    buf_free(&wish);
    return rc;
}

int openai_ask_persona(struct openai_chat *q)
{
    struct desk *d = NULL;
    int rc = pool_take(q->c->world->pool, q->c->persona, DESK_MS, &d, q->err);
    if (!rc) rc = ask_desk(q, d);
    else if (rc == ERR_BUSY) q->c->retry_after = 1;
    pool_give(q->c->world->pool, d);
    return rc;
}

/* ---- the language model itself ---- */

/* System messages go before all others; the oldest of the rest may go when there is no room. */
static size_t parts_of(const struct openai_chat *q, struct template_part *p)
{
    size_t n = 0;
    for (int system = 1; system >= 0; system--)
        for (size_t i = 0; i < q->n; i++) {
            const struct openai_message *m = &q->message[i];
            int drop = m->role == TEMPLATE_SYSTEM || i + 1 == q->n ? 0 : (int)i + 1;
            if ((m->role == TEMPLATE_SYSTEM) != system) continue;
            bool more = n && p[n - 1].role == m->role;
            if (more) p[n++] = (struct template_part){ m->role, BETWEEN, 2, true, drop };
            p[n++] = (struct template_part){ m->role, m->s, strlen(m->s), more, drop };
        }
    return n;
}

static int read_model(struct openai_chat *q, struct engine_job *j, struct buf *all)
{
    struct buf piece = BUF_INIT(1 << 20);
    int more = 1;
    while (more) {
        buf_clear(&piece);
        more = engine_read(j, &piece, READ_MS);
        buf_add(all, buf_str(&piece), piece.n);
        if (openai_say(q, buf_str(&piece), piece.n)) engine_cancel(j);
    }
    buf_free(&piece);
    return q->rc ? q->rc : all->failed ? err_nomem(q->err) : 0;
}

int openai_ask_plain(struct openai_chat *q)
{
    struct template_part *p = arena_alloc(q->c->mem, (2 * q->n + 1) * sizeof *p);
    struct engine_job *j = NULL;
    struct buf all = BUF_INIT(16 << 20);
    if (!p) return err_nomem(q->err);
    struct engine_ask ask = { .parts = p,
                              .n_parts = parts_of(q, p),
                              .sampling = q->sampling,
                              .stop = q->n_stop ? q->stop : NULL,
                              .n_stop = q->schema ? 0 : q->n_stop,
                              .schema = q->schema,
                              .n_schema = q->schema ? strlen(q->schema) : 0,
                              .max_tokens = q->max_tokens,
                              .account = (uint64_t)q->c->who.account };
    int rc = engine_submit(native_engine(q->c->world->model), &ask, &j, q->err);
    if (rc == ERR_LIMIT) q->c->status = 400; /* too long, not too often */
    if (rc == ERR_BUSY) q->c->retry_after = 1;
    if (!rc) rc = read_model(q, j, &all);
    if (!rc) {
        const struct engine_result *r = engine_result(j);
        struct openai_usage u = { r->prompt_tokens, r->output_tokens, r->reused_tokens };
        if (r->stop == ENGINE_FAILED) rc = err_set(q->err, r->err.code, "%s", r->err.msg);
        else rc = openai_finish(q, (struct span){ buf_str(&all), all.n }, r->stop, &u, NULL);
    }
    engine_job_free(j);
    buf_free(&all);
    return rc;
}
