/* Conversations. What a follow-up needs from the turns before is little: the subject (the last
 * question that had one, and the sentence that answered it) and what has been quoted already. Both
 * are rebuilt from the stored turns when a conversation is opened again.
 *
 * A turn is saved only after it was answered. The store may be open for reading, or another process
 * may be writing: the answer is given all the same, and the caller is told that it was not kept. */
#include "persona/converse.h"

#include "base/arena.h"
#include "base/str.h"
#include "persona/mask.h"
#include "persona/native.h"
#include "persona/pack.h"
#include "persona/prompt.h"
#include "persona/question.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX        64
#define TURNS_IN_PROMPT 8
#define SUBJECT_BYTES   400 /* of an answer that was given elsewhere */

struct turn {
    char *question, *answer;
    char *user; /* what a model was given; NULL */
    size_t examples_from, examples_to;
    int64_t *chunk; /* [n_chunks] the passages in it */
    size_t n_chunks;
};

struct conversation {
    struct retriever *r;
    const struct voice *voice;
    bool save;
    int64_t id, account; /* account < 0: whoever asks at this machine */
    char *subject;       /* of the last turn that had one */
    struct said said[SAID_MAX];
    size_t n_said, n_turns, cap;
    struct turn *turn;
    struct voice_making making;
    int (*take)(void *ud, struct home **out, struct err *err); /* NULL: the retriever's home */
    void (*give)(void *ud, struct home *h);
    void *keeper;
    char *template[2]; /* the persona's own system and user templates; NULL: built-in */
};

int profile_of(struct home *h, const struct persona *p, struct profile *out, struct err *err)
{
    struct buf b = BUF_INIT((size_t)16 << 20);
    memset(out, 0, sizeof *out);
    int rc = store_doc_get(h->store, &p->seal, "profile", &b, err);
    if (!rc) rc = profile_load(buf_str(&b), b.n, out, err);
    if (rc == ERR_NOTFOUND) rc = 0;
    buf_free(&b);
    return rc;
}

static const struct profile *profile_for(const struct conversation *c)
{
    const struct profile *p = NULL;
    return retriever_profile(c->r, &p, NULL) ? NULL : p;
}

static void wipe(char *s)
{
    if (s) explicit_bzero(s, strlen(s));
    free(s);
}

/* ---- memory of turns ---- */

static int remember(struct conversation *c, const char *question, const char *answer)
{
    if (c->n_turns == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        struct turn *grown = realloc(c->turn, cap * sizeof *grown);
        if (!grown) return ERR_NOMEM;
        c->turn = grown;
        c->cap = cap;
    }
    struct turn *t = &c->turn[c->n_turns];
    *t = (struct turn){ .question = str_dup(question), .answer = str_dup(answer) };
    if (!t->question || !t->answer) {
        wipe(t->question);
        wipe(t->answer);
        return ERR_NOMEM;
    }
    c->n_turns++;
    return 0;
}

/* What the model was given in the turn just remembered, so that the next begins with the same
 * words. */
static int remember_given(struct conversation *c, const struct answer *a)
{
    struct turn *t = &c->turn[c->n_turns - 1];
    if (!a->given.user) return 0;
    t->user = str_dup(a->given.user);
    t->examples_from = a->given.examples_from;
    t->examples_to = a->given.examples_to;
    t->chunk = calloc(a->given.n_chunks + 1, sizeof *t->chunk);
    if (!t->user || !t->chunk) return ERR_NOMEM;
    t->n_chunks = a->given.n_chunks;
    if (t->n_chunks) memcpy(t->chunk, a->given.chunk, t->n_chunks * sizeof *t->chunk);
    return 0;
}

static void remember_said(struct conversation *c, int64_t piece, const char *sentence)
{
    if (c->n_said == SAID_MAX) {
        memmove(c->said, c->said + 1, (SAID_MAX - 1) * sizeof *c->said);
        c->n_said--;
    }
    c->said[c->n_said++] = (struct said){ piece, hash64(sentence, strlen(sentence), 0) };
}

/* The subject of a turn: its question, when that can stand alone, and the sentence that
 * answered. */
static int remember_subject(struct conversation *c, const char *question, const char *sentence)
{
    struct buf b = BUF_INIT(65536);
    if (question_leans(question) && c->subject) return 0;
    buf_printf(&b, "%s\n%s", question, sentence ? sentence : "");
    char *s = buf_take(&b);
    if (!s) return ERR_NOMEM;
    wipe(c->subject);
    c->subject = s;
    return 0;
}

static int load_turn(void *ud, const struct row_turn *row)
{
    struct conversation *c = ud;
    json_t *j = json_loadb(row->body, row->body_n, JSON_REJECT_DUPLICATES, NULL), *s;
    const char *q = json_string_value(json_object_get(j, "question"));
    const char *a = json_string_value(json_object_get(j, "answer")), *first = NULL;
    size_t i;
    int rc = q && a ? remember(c, q, a) : 0;
    json_array_foreach(json_object_get(j, "sources"), i, s)
    {
        const char *t = json_string_value(json_object_get(s, "sentence"));
        if (t) remember_said(c, json_integer_value(json_object_get(s, "piece")), t);
        if (!first) first = t;
    }
    if (!rc && q && first) rc = remember_subject(c, q, first);
    json_decref(j);
    return rc;
}

/* which 0: system, 1: user. */
static int load_template(struct conversation *c, int which, struct err *err)
{
    static const char *const doc[] = { "template.system", "template.user" };
    struct buf b = BUF_INIT(1 << 20);
    int rc = store_doc_get(retriever_home(c->r)->store, &retriever_persona(c->r)->seal, doc[which],
                           &b, err);
    if (rc == ERR_NOTFOUND) return 0;
    if (!rc && b.n && !(c->template[which] = buf_take(&b))) rc = err_nomem(err);
    buf_free(&b);
    return rc;
}

struct find {
    int64_t id, account;
    bool there;
};

int64_t conversation_account(const char *body, size_t n)
{
    json_t *j = json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL);
    int64_t account = json_integer_value(json_object_get(j, "account"));
    json_decref(j);
    return account;
}

static int find_conversation(void *ud, int64_t id, int64_t created_at, uint64_t n, const char *body,
                             size_t body_n)
{
    struct find *f = ud;
    f->there |= id == f->id && (f->account < 0 || conversation_account(body, body_n) == f->account);
    return 0;
}

int conversation_open(struct retriever *r, const char *voice, int64_t id, bool save,
                      struct conversation **out, struct err *err)
{
    return conversation_open_as(r, voice, id, save, -1, out, err);
}

int conversation_open_as(struct retriever *r, const char *voice, int64_t id, bool save,
                         int64_t account, struct conversation **out, struct err *err)
{
    struct home *h = retriever_home(r);
    const struct persona *p = retriever_persona(r);
    struct conversation *c = calloc(1, sizeof *c);
    struct find f = { id, account, false };
    const struct profile *profile = NULL;
    int rc = 0;
    *out = NULL;
    if (!c) return err_nomem(err);
    c->r = r;
    c->save = save;
    c->id = id;
    c->account = account;
    if (!(c->voice = voice_by_name(voice ? voice : "quote")))
        rc = err_set(err, ERR_INVAL,
                     "there is no voice of that name; there are quote, native and remote");
    if (!rc) rc = retriever_profile(r, &profile, err);
    if (!rc) rc = load_template(c, 0, err);
    if (!rc) rc = load_template(c, 1, err);
    if (!rc && id) rc = store_conversation_each(h->store, &p->seal, find_conversation, &f, err);
    if (!rc && id && !f.there)
        rc = err_set(err, ERR_NOTFOUND,
                     "there is no conversation %lld: `likeness conversations` lists "
                     "them",
                     (long long)id);
    if (!rc && id) rc = store_turn_each(h->store, &p->seal, id, load_turn, c, err);
    if (rc) conversation_close(c);
    else *out = c;
    return rc;
}

void conversation_close(struct conversation *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n_turns; i++) {
        wipe(c->turn[i].question);
        wipe(c->turn[i].answer);
        wipe(c->turn[i].user);
        free(c->turn[i].chunk);
    }
    free(c->turn);
    free(c->template[0]);
    free(c->template[1]);
    wipe(c->subject);
    free(c);
}

void conversation_keeper(struct conversation *c, int (*take)(void *, struct home **, struct err *),
                         void (*give)(void *, struct home *), void *ud)
{
    c->take = take;
    c->give = give;
    c->keeper = ud;
}

int conversation_recall(struct conversation *c, const char *question, const char *answer,
                        struct err *err)
{
    if (!utf8_valid(question, strlen(question)) || !utf8_valid(answer, strlen(answer)))
        return err_set(err, ERR_INVAL, "a turn is not valid UTF-8");
    char begins[SUBJECT_BYTES + 1];
    size_t n = utf8_cut(answer, strlen(answer), SUBJECT_BYTES);
    snprintf(begins, sizeof begins, "%.*s", (int)n, answer);
    int rc =
        remember(c, question, answer) || remember_subject(c, question, begins) ? err_nomem(err) : 0;
    explicit_bzero(begins, sizeof begins);
    return rc;
}

void conversation_making(struct conversation *c, const struct voice_making *m) { c->making = *m; }

int64_t conversation_id(const struct conversation *c) { return c->id; }
size_t conversation_turns(const struct conversation *c) { return c->n_turns; }

/* ---- one turn ---- */

static const char *const kind_words[] = { "found", "changed", "none" };

static json_t *cite_json(const struct answer_cite *c)
{
    char iso[32];
    json_t *o = json_pack("{s:I, s:s, s:I, s:I, s:f, s:f, s:s}", "source", (json_int_t)c->source,
                          "title", c->title, "chunk", (json_int_t)c->chunk, "piece",
                          (json_int_t)c->piece, "similarity", (double)c->similarity, "support",
                          (double)c->support, "sentence", c->sentence);
    if (o)
        json_object_set_new(
            o, "written_at",
            c->written_at == CLOCK_NONE ? json_null() : json_string(clock_iso(c->written_at, iso)));
    if (o && *c->question) json_object_set_new(o, "answered", json_string(c->question));
    return o;
}

static json_t *part_json(const struct answer *a, const struct answer_part *p)
{
    json_t *o = json_pack("{s:s, s:b, s:i}", "text", p->text, "own", p->own, "source", p->cite);
    if (o && a->made.model) {
        json_object_set_new(o, "made", json_boolean(p->made));
        json_object_set_new(o, "unsupported", json_boolean(p->unsupported));
    }
    return o;
}

/* What the model that made the answer did: tokens, seconds, why it stopped. */
static json_t *made_json(const struct answer *a)
{
    static const char *const stop[] = {
        [ENGINE_RUNNING] = "running",     [ENGINE_END] = "end",
        [ENGINE_STOPPED] = "stop",        [ENGINE_LENGTH] = "length",
        [ENGINE_CANCELLED] = "cancelled", [ENGINE_FAILED] = "failed",
    };
    const struct engine_result *r = &a->made.result;
    json_t *remote = a->made.host
                         ? json_pack("{s:s, s:b, s:b}", "host", a->made.host, "leaves_machine",
                                     a->made.left, "masked", a->made.masked)
                         : NULL;
    return json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:I, s:I, s:o*}", "model", a->made.model, "stop",
        stop[r->stop], "prompt_tokens", r->prompt_tokens, "reused_tokens", r->reused_tokens,
        "output_tokens", r->output_tokens, "dropped_parts", r->dropped_parts, "first_token_seconds",
        r->first, "tokens_per_second", r->tokens_per_second, "unsupported",
        (json_int_t)a->made.unsupported, "refused", (json_int_t)a->made.refused, "remote", remote);
}

struct json_t *answer_json(const struct answer *a, const char *question)
{
    json_t *parts = json_array(), *cites = json_array();
    for (size_t i = 0; i < a->n_parts; i++) json_array_append_new(parts, part_json(a, &a->part[i]));
    for (size_t i = 0; i < a->n_cites; i++) json_array_append_new(cites, cite_json(&a->cite[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:o*}", "question", question, "answer",
                     a->text, "kind", kind_words[a->kind], "parts", parts, "sources", cites,
                     "seconds", a->seconds, "made", a->made.model ? made_json(a) : NULL);
}

static int save_row(struct conversation *c, struct store *st, struct row_turn *row, struct err *err)
{
    const struct sealed *ps = &retriever_persona(c->r)->seal;
    int64_t id = c->id;
    int rc = store_begin(st, err);
    if (rc) return rc;
    if (!id) {
        char body[64];
        int n = c->account > 0 ? snprintf(body, sizeof body, "{\"v\":1,\"account\":%lld}",
                                          (long long)c->account)
                               : snprintf(body, sizeof body, "{\"v\":1}");
        rc = store_conversation_new(st, ps, body, (size_t)n, 0, &id, err);
    }
    row->conversation = id;
    if (!rc) rc = store_turn_put(st, ps, row, err);
    if (!rc) rc = store_commit(st, err);
    if (rc) store_rollback(st);
    else c->id = id;
    return rc;
}

static int save_turn(struct conversation *c, const char *question, const struct answer *a,
                     struct err *err)
{
    struct home *h = retriever_home(c->r);
    json_t *j = answer_json(a, question);
    char *body = j ? json_dumps(j, JSON_COMPACT) : NULL;
    int64_t *sources = calloc(a->n_cites + 1, sizeof *sources);
    size_t n = 0;
    json_decref(j);
    int rc = body && sources ? 0 : err_nomem(err);
    for (size_t i = 0; !rc && i < a->n_cites; i++) {
        size_t k = 0;
        while (k < n && sources[k] != a->cite[i].source) k++;
        if (k == n) sources[n++] = a->cite[i].source;
    }
    struct row_turn row = { .created_at = clock_now(),
                            .sources = sources,
                            .n_sources = n,
                            .body = body,
                            .body_n = body ? strlen(body) : 0 };
    if (!rc && c->take) rc = c->take(c->keeper, &h, err);
    if (!rc) {
        rc = save_row(c, h->store, &row, err);
        if (c->take) c->give(c->keeper, h);
    }
    free(sources);
    wipe(body);
    return rc;
}

static struct voice_turn *turns_before(const struct conversation *c)
{
    struct voice_turn *v = calloc(c->n_turns + 1, sizeof *v);
    for (size_t i = 0; v && i < c->n_turns; i++) {
        const struct turn *t = &c->turn[i];
        v[i] = (struct voice_turn){ t->question,    t->answer, t->user,    t->examples_from,
                                    t->examples_to, t->chunk,  t->n_chunks };
    }
    return v;
}

/* What is said goes through the mask on its way out. */
struct veil {
    struct mask *mask; /* NULL: there is none */
    struct mask_flow flow;
    struct buf out;
    const struct voice_making *to;
};

static int say_veiled(struct veil *v, const char *s, size_t n, bool end)
{
    buf_clear(&v->out);
    int rc = mask_flow(v->mask, &v->flow, s, n, end, &v->out);
    if (rc || !v->to->said || (end && !v->out.n)) return rc;
    return v->to->said(v->to->ud, buf_str(&v->out), v->out.n);
}

static int on_said(void *ud, const char *s, size_t n) { return say_veiled(ud, s, n, false); }

static int veil_open(struct conversation *c, struct veil *v, struct voice_making *m,
                     struct err *err)
{
    *v = (struct veil){ .to = &c->making };
    if (!c->making.veil) return 0;
    m->said = on_said;
    m->ud = v;
    return mask_open(retriever_home(c->r), retriever_persona(c->r), &v->mask, err);
}

static int add_around(void *ud, const struct row_chunk *row)
{
    struct veil *v = ud;
    struct chunk_text t;
    struct arena *mem = arena_new(0);
    int rc = mem ? unpack_chunk(row->body, row->body_n, mem, &t, NULL) : ERR_NOMEM;
    if (!rc) chunk_plain(&t, false, &v->out);
    arena_free(mem);
    return rc;
}

/* With the passages that it quotes: who "Kessler" is in a sentence may be told in the one before.
 */
static int veil_answer(struct conversation *c, struct veil *v, struct answer *a)
{
    const struct sealed *ps = &retriever_persona(c->r)->seal;
    buf_clear(&v->out);
    for (size_t i = 0; i < a->n_cites; i++) {
        size_t k = 0;
        while (k < i && a->cite[k].chunk != a->cite[i].chunk) k++;
        if (k < i) continue;
        /* One that is gone meanwhile tells nothing. */
        store_chunk_get(retriever_home(c->r)->store, ps, a->cite[i].chunk, add_around, v, NULL);
        buf_adds(&v->out, "\n\n");
    }
    return v->out.failed ? ERR_NOMEM : mask_answer(v->mask, a, buf_str(&v->out));
}

static void veil_close(struct veil *v)
{
    mask_flow_free(&v->flow);
    buf_free(&v->out);
    mask_close(v->mask);
}

static int remember_answer(struct conversation *c, const char *question, const struct answer *a)
{
    int rc = remember(c, question, a->text) || remember_given(c, a) ? ERR_NOMEM : 0;
    for (size_t i = 0; i < a->n_cites; i++) remember_said(c, a->cite[i].piece, a->cite[i].sentence);
    if (!rc && a->n_cites) rc = remember_subject(c, question, a->cite[0].sentence);
    return rc;
}

int conversation_ask(struct conversation *c, const char *question, const struct query *q,
                     struct answer *a, bool *unsaved, struct err *err)
{
    struct span s = span_trim(span_of(question));
    struct voice_in in = { .retriever = c->r,
                           .profile = profile_for(c),
                           .question = question,
                           .before = c->subject,
                           .said = c->said,
                           .n_said = c->n_said,
                           .system_template = c->template[0],
                           .user_template = c->template[1],
                           .making = c->making,
                           .now = clock_now() };
    struct voice_turn *turns = NULL;
    struct err quiet = { 0 };
    struct veil veil;
    if (unsaved) *unsaved = false;
    *a = (struct answer){ 0 };
    if (!s.n) return err_set(err, ERR_INVAL, "the question is empty");
    if (s.n > 16384) return err_set(err, ERR_LIMIT, "a question is at most 16,384 bytes");
    if (!utf8_valid(question, strlen(question)))
        return err_set(err, ERR_INVAL, "the question is not valid UTF-8");
    in.query = q ? *q : query_default(question);
    if ((c->making.model || c->making.remote) && !(turns = turns_before(c))) return err_nomem(err);
    in.turns = turns;
    in.n_turns = turns ? c->n_turns : 0;
    int rc = veil_open(c, &veil, &in.making, err);
    in.mask = veil.mask;
    if (!rc) rc = c->voice->answer(&in, a, err);
    free(turns);
    if (rc) goto out;
    if (remember_answer(c, question, a)) rc = err_nomem(err);
    /* Whoever it was kept from does not read it in the conversation later, either. */
    if (!rc && veil.mask &&
        (say_veiled(&veil, "", 0, true) == ERR_NOMEM || veil_answer(c, &veil, a)))
        rc = err_nomem(err);
    if (!rc && c->save && save_turn(c, question, a, &quiet) && unsaved) *unsaved = true;
    if (rc) answer_clear(a);
out:
    veil_close(&veil);
    return rc;
}

/* ---- the prompt a language model would get ---- */

struct titles {
    const struct retriever *r;
    struct mask *mask; /* NULL: there is none */
    struct arena *mem;
};

static const char *title_of(void *ud, int64_t source)
{
    const struct titles *t = ud;
    const char *s = retriever_title(t->r, source);
    return t->mask && mask_title_of(t->mask, t->mem, &s) ? "" : s;
}

int conversation_prompt(struct conversation *c, const char *question, const struct query *q,
                        struct prompt *out, struct err *err)
{
    struct passages ps = { 0 };
    struct profile masked;
    struct titles titles = { .r = c->r };
    struct prompt_turn turns[TURNS_IN_PROMPT];
    size_t n = c->n_turns < TURNS_IN_PROMPT ? c->n_turns : TURNS_IN_PROMPT;
    struct query qq = q ? *q : query_default(question);
    qq.text = question;
    qq.before = question_leans(question) ? c->subject : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct turn *t = &c->turn[c->n_turns - n + i];
        turns[i] = (struct prompt_turn){ t->question, t->answer };
    }
    int rc = retrieve(c->r, &qq, &ps, err);
    titles.mem = ps.mem;
    struct prompt_in in = { .persona = retriever_persona(c->r),
                            .profile = profile_for(c),
                            .passages = &ps,
                            .question = question,
                            .turns = turns,
                            .n_turns = n,
                            .system_template = c->template[0],
                            .user_template = c->template[1],
                            .context_tokens = 8192,
                            .answer_tokens = 512,
                            .now = clock_now(),
                            .title = title_of,
                            .title_ud = &titles };
    if (!rc && c->making.veil) /* the texts themselves are seen to by who shows them */
        rc = mask_open(retriever_home(c->r), in.persona, &titles.mask, err);
    if (!rc && titles.mask && in.profile) {
        if (mask_profile(titles.mask, ps.mem, in.profile, &masked)) rc = err_nomem(err);
        in.profile = &masked;
    }
    if (!rc) rc = prompt_build(&in, out, err);
    mask_close(titles.mask);
    passages_clear(&ps);
    return rc;
}

/* ---- the state after the system text ---- */

#define PREFIX_DOC "native.prefix"
#define PREFIX_MAX ((size_t)96 << 20)

int conversation_warm(struct conversation *c, struct err *err)
{
    struct store *st = retriever_home(c->r)->store;
    const struct persona *p = retriever_persona(c->r);
    struct buf was = BUF_INIT(PREFIX_MAX), now = BUF_INIT(PREFIX_MAX);
    struct prompt pr = { 0 };
    char fence[33];
    if (!c->making.model) return 0;
    prompt_fence(p, fence);
    struct prompt_in in = { .persona = p,
                            .profile = profile_for(c),
                            .question = "?", /* the system text does not depend on it */
                            .system_template = c->template[0],
                            .user_template = c->template[1],
                            .now = clock_now(),
                            .fence = fence };
    int rc = prompt_build(&in, &pr, err);
    if (!rc) rc = store_doc_get(st, &p->seal, PREFIX_DOC, &was, err);
    if (rc == ERR_NOTFOUND) rc = 0;
    if (!rc) {
        struct template_part system = { TEMPLATE_SYSTEM, pr.system, strlen(pr.system), false, 0 };
        rc = engine_keep(native_engine(c->making.model), &system, 1, was.p, was.n, &now, err);
    }
    /* A state that does not fit, or a home that cannot be written, costs the next start some
     * time. */
    if (!rc && !now.failed && c->save && (now.n != was.n || memcmp(buf_str(&now), was.p, now.n)))
        store_doc_put(st, &p->seal, PREFIX_DOC, buf_str(&now), now.n, NULL);
    prompt_clear(&pr);
    buf_free(&was);
    buf_free(&now);
    return rc;
}
