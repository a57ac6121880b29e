/* A language model behind an OpenAI-compatible server. The conversation's parts become messages;
 * what comes are server-sent events, each a piece of the answer, then the reason why it ended and
 * what it took. What is not in the API of all such servers is not sent unless it was asked for, and
 * the one name that differs (max_tokens) is tried in the other spelling when the server says so.
 *
 * Text of a server is like that of a file: cleaned of control characters before anybody sees it.
 * What a model says to itself between <think> and </think> at the beginning is no part of its
 * answer. */
#include "persona/remote.h"

#include "base/clock.h"
#include "base/str.h"
#include "persona/prompt.h"
#include "persona/remote_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT    8192
#define QUIET      300 /* seconds: a server may load a model first, and read a long prompt */
#define SEED_BITS  0x7fffffff
#define MODELS_MAX 256

void remote_close(struct remote *r)
{
    if (!r) return;
    if (r->key) explicit_bzero(r->key, strlen(r->key));
    pthread_mutex_destroy(&r->lock);
    free(r->url);
    free(r->model);
    free(r->key);
    free(r->embed);
    free(r);
}

int remote_open(const struct remote_opts *o, struct remote **out, struct err *err)
{
    *out = NULL;
    if (!o->url || !*o->url)
        return err_set(
            err, ERR_INVAL,
            "no server is named: `likeness config remote_url http://127.0.0.1:11434/v1`, "
            "say, names one");
    struct remote *r = calloc(1, sizeof *r);
    if (!r) return err_nomem(err);
    pthread_mutex_init(&r->lock, NULL);
    r->plain = o->plain;
    r->quiet_seconds = o->quiet_seconds ? o->quiet_seconds : QUIET;
    r->tries = o->tries;
    r->context = o->context ? o->context : CONTEXT;
    r->mask = o->mask;
    r->leaving = o->leaving;
    r->ud = o->ud;
    r->url = str_dup(o->url);
    r->model = str_dup(o->model);
    r->embed = str_dup(o->embed);
    r->key = o->key && *o->key ? str_dup(o->key) : NULL;
    int rc = client_host(o->url, r->host, err);
    r->local = !rc && client_is_local(o->url);
    if (!rc && (!r->url || (o->model && !r->model) || (o->embed && !r->embed) ||
                (o->key && *o->key && !r->key)))
        rc = err_nomem(err);
    for (size_t n = rc ? 0 : strlen(r->url); n && r->url[n - 1] == '/';) r->url[--n] = 0;
    if (rc) remote_close(r);
    else *out = r;
    return rc;
}

const char *remote_host(const struct remote *r) { return r->host; }
bool remote_is_local(const struct remote *r) { return r->local; }
bool remote_masks(const struct remote *r) { return r->mask ? r->mask > 0 : !r->local; }
int remote_context(const struct remote *r) { return r->context; }

/* ---- asking ---- */

static void say_leaving(struct remote *r)
{
    pthread_mutex_lock(&r->lock);
    if (r->leaving && !r->local) r->leaving(r->ud, r->host);
    r->leaving = NULL;
    pthread_mutex_unlock(&r->lock);
}

int remote_call(struct remote *r, const char *path, json_t *body, struct client_call *c,
                struct buf *reply, struct err *err)
{
    struct buf url = BUF_INIT(8192);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (body) say_leaving(r);
    buf_printf(&url, "%s%s", r->url, path);
    c->url = buf_str(&url);
    c->body = text;
    c->body_n = text ? strlen(text) : 0;
    c->key = r->key;
    c->plain = r->plain;
    c->quiet_seconds = r->quiet_seconds;
    c->tries = r->tries;
    int rc = url.failed || (body && !text) ? err_nomem(err) : client_post(c, reply, err);
    if (rc == ERR_KEY && err) {
        struct err why = *err;
        err_set(err, rc, "%.400s; `likeness remote set-key` keeps another", why.msg);
    }
    if (text) explicit_bzero(text, c->body_n);
    free(text);
    buf_free(&url);
    return rc;
}

int remote_failed(int rc, struct err *err)
{
    if (!rc || rc == ERR_NOMEM || rc == ERR_CANCEL || rc == ERR_VERSION || rc == ERR_BUSY)
        return rc;
    return err ? err_set(err, ERR_AWAY, "%s", err->msg) : ERR_AWAY;
}

int remote_json(struct remote *r, const char *path, json_t *body, json_t **out, struct err *err)
{
    struct buf reply = BUF_INIT((size_t)64 << 20);
    struct client_call c = { .max = (size_t)64 << 20 };
    int rc = remote_call(r, path, body, &c, &reply, err);
    *out = rc ? NULL : json_loadb(buf_str(&reply), reply.n, 0, NULL);
    if (!rc && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        rc = err_set(err, ERR_PARSE,
                     "%s does not speak the OpenAI API at this address: remote_url goes up to and "
                     "with /v1",
                     r->host);
    }
    buf_free(&reply);
    return rc;
}

int remote_models(struct remote *r, int (*fn)(void *ud, const char *id), void *ud, struct err *err)
{
    json_t *j = NULL, *m;
    size_t i;
    int rc = remote_json(r, "/models", NULL, &j, err), n = 0;
    json_array_foreach(json_object_get(j, "data"), i, m)
    {
        const char *id = json_string_value(json_object_get(m, "id"));
        if (rc || !id || n++ == MODELS_MAX) break;
        rc = fn(ud, id);
    }
    json_decref(j);
    return rc;
}

static int keep_first(void *ud, const char *id)
{
    char **model = ud;
    if (!*model) *model = str_dup(id);
    return 0;
}

const char *remote_model(struct remote *r)
{
    pthread_mutex_lock(&r->lock);
    if (!r->model) remote_models(r, keep_first, &r->model, NULL);
    const char *name = r->model ? r->model : "";
    pthread_mutex_unlock(&r->lock);
    return name;
}

/* ---- the request ---- */

static const char *const roles[] = {
    [TEMPLATE_SYSTEM] = "system", [TEMPLATE_USER] = "user", [TEMPLATE_ASSISTANT] = "assistant"
};

/* The lowest number that may go and is still there; 0: none. */
static int next_drop(const struct template_part *p, size_t n, int after)
{
    int least = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i].drop > after && (!least || p[i].drop < least)) least = p[i].drop;
    return least;
}

/* How many go so that the rest takes at most `room` tokens: those numbered up to the result. */
static int what_goes(const struct template_part *p, size_t n, int room, int *gone)
{
    int up_to = 0;
    for (;;) {
        int sum = 0, next = next_drop(p, n, up_to);
        *gone = 0;
        for (size_t i = 0; i < n; i++) {
            if (p[i].drop && p[i].drop <= up_to) ++*gone;
            else sum += prompt_tokens(p[i].s, p[i].n);
        }
        if (sum <= room || !next) return up_to;
        up_to = next;
    }
}

static int add_message(json_t *list, enum template_role role, const struct buf *text)
{
    return json_array_append_new(
        list, json_pack("{s:s, s:s%}", "role", roles[role], "content", buf_str(text), text->n));
}

static json_t *messages_of(const struct template_part *p, size_t n, int room, int *gone)
{
    json_t *list = json_array();
    int drop = what_goes(p, n, room, gone), bad = !list;
    for (size_t i = 0; i < n && !bad;) {
        struct buf text = BUF_INIT(0);
        enum template_role role = p[i].role;
        do
            if (!p[i].drop || p[i].drop > drop) buf_add(&text, p[i].s, p[i].n);
        while (++i < n && p[i].more);
        if (text.n) bad = add_message(list, role, &text) || text.failed;
        buf_free(&text);
    }
    if (!bad) return list;
    json_decref(list);
    return NULL;
}

static json_t *request_of(struct remote *r, const struct remote_ask *a, int *gone)
{
    const struct sampler_opts *s = a->sampling;
    int answer = a->max_tokens ? a->max_tokens : 512;
    int room = r->context - (answer < r->context / 2 ? answer : r->context / 2);
    json_t *m = messages_of(a->parts, a->n_parts, room, gone);
    json_t *q =
        json_pack("{s:s, s:o, s:b, s:{s:b}, s:i, s:f, s:f, s:f, s:f, s:I}", "model",
                  remote_model(r), "messages", m, "stream", 1, "stream_options", "include_usage", 1,
                  "max_tokens", answer, "temperature", (double)s->temperature, "top_p",
                  (double)s->top_p, "frequency_penalty", (double)s->frequency, "presence_penalty",
                  (double)s->presence, "seed", (json_int_t)(s->seed & SEED_BITS));
    if (q && s->top_k) json_object_set_new(q, "top_k", json_integer(s->top_k));
    if (q && s->min_p > 0) json_object_set_new(q, "min_p", json_real((double)s->min_p));
    if (q && a->n_stop) {
        json_t *stop = json_array();
        for (int i = 0; i < a->n_stop; i++) json_array_append_new(stop, json_string(a->stop[i]));
        json_object_set_new(q, "stop", stop);
    }
    return q;
}

/* ---- the answer ---- */

struct listening {
    const struct remote_ask *ask;
    struct engine_result *result;
    struct remote *r;
    struct buf head; /* while it is not clear whether the model is thinking aloud */
    enum { BEGINNING, THINKING, ANSWERING } stage;
    double start;
    int pieces;
    bool ended, done;
    int rc;         /* what said returned */
    int bad;        /* of the server's, or of memory */
    struct err why; /* of bad: client_post says "stopped" over it */
};

static void pass_on(struct listening *l, const char *s, size_t n)
{
    struct buf clean = BUF_INIT(0);
    utf8_clean(&clean, s, n);
    if (clean.failed) l->bad = err_nomem(&l->why);
    else if (clean.n) l->rc = l->ask->said(l->ask->ud, buf_str(&clean), clean.n);
    buf_free(&clean);
}

/* Thoughts at the beginning go; the answer follows. all: nothing more comes. */
static void take_text(struct listening *l, const char *s, size_t n, bool all)
{
    static const char open[] = "<think>", close[] = "</think>";
    if (l->stage == ANSWERING) {
        if (n) pass_on(l, s, n);
        return;
    }
    if (buf_add(&l->head, s, n)) l->bad = err_nomem(&l->why);
    struct span t = span_trim((struct span){ l->head.p, l->head.n });
    size_t known = t.n < sizeof open - 1 ? t.n : sizeof open - 1;
    bool maybe = known && !memcmp(t.p, open, known);
    if (l->stage == BEGINNING && maybe && t.n >= sizeof open - 1) l->stage = THINKING;
    const char *end = l->stage == THINKING ? memmem(t.p, t.n, close, sizeof close - 1) : NULL;
    if (l->stage == THINKING && !end) return;
    if (end) {
        const char *from = end + sizeof close - 1;
        t = span_trim((struct span){ from, (size_t)(t.p + t.n - from) });
        if (!t.n && !all) return;
        t.n = (size_t)(l->head.p + l->head.n - t.p);
    } else if ((!known || (maybe && t.n < sizeof open - 1)) && !all) {
        return;
    } else {
        t = (struct span){ l->head.p, l->head.n };
    }
    l->stage = ANSWERING;
    if (t.n) pass_on(l, t.p, t.n);
    buf_free(&l->head);
}

static void take_usage(struct engine_result *r, const json_t *u)
{
    if (!json_is_object(u)) return;
    r->prompt_tokens = (int)json_integer_value(json_object_get(u, "prompt_tokens"));
    r->output_tokens = (int)json_integer_value(json_object_get(u, "completion_tokens"));
    r->reused_tokens = (int)json_integer_value(
        json_object_get(json_object_get(u, "prompt_tokens_details"), "cached_tokens"));
}

static int server_failed(struct listening *l, const json_t *e)
{
    const char *code = json_string_value(json_object_get(e, "type"));
    char word[48] = "";
    for (size_t i = 0; code && code[i] && i < sizeof word - 1; i++)
        word[i] = code[i] > ' ' && code[i] < 127 ? code[i] : '_';
    return err_set(&l->why, ERR_IO, "%s failed while it answered%s%s", l->r->host,
                   *word ? ": " : "", word);
}

/* One event, or a whole document: the same but for the name of the text. */
static void take_document(struct listening *l, const json_t *j)
{
    const json_t *choice = json_array_get(json_object_get(j, "choices"), 0);
    const json_t *part = json_object_get(choice, "delta");
    if (!part) part = json_object_get(choice, "message");
    const char *why = json_string_value(json_object_get(choice, "finish_reason"));
    const json_t *text = json_object_get(part, "content"), *e = json_object_get(j, "error");
    if (e && !json_is_null(e)) l->bad = server_failed(l, e);
    if (!l->bad && json_string_length(text)) {
        if (!l->pieces++) l->result->first = clock_mono() - l->start;
        take_text(l, json_string_value(text), json_string_length(text), false);
    }
    if (why) {
        l->ended = true;
        l->result->stop = !strcmp(why, "length") ? ENGINE_LENGTH : ENGINE_END;
    }
    take_usage(l->result, json_object_get(j, "usage"));
}

static int on_event(void *ud, const char *data, size_t n)
{
    struct listening *l = ud;
    if (n == 6 && !memcmp(data, "[DONE]", 6)) return l->done = true;
    json_t *j = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    if (json_is_object(j)) take_document(l, j);
    else l->bad = err_set(&l->why, ERR_PARSE, "%s sent an event that is not JSON", l->r->host);
    json_decref(j);
    return l->rc || l->bad;
}

/* A reader who left is noticed while nothing comes, too. */
static int on_wait(void *ud)
{
    struct listening *l = ud;
    if (!l->rc) l->rc = l->ask->said(l->ask->ud, "", 0);
    return l->rc;
}

static int finish(struct listening *l, int rc, const struct buf *reply)
{
    if (l->bad) return l->bad;
    if (!rc && reply->n) { /* of a server that does not stream */
        json_t *j = json_loadb(reply->p, reply->n, JSON_ALLOW_NUL, NULL);
        if (!json_is_object(j))
            l->bad = err_set(&l->why, ERR_PARSE, "%s does not speak the OpenAI API at this address",
                             l->r->host);
        else take_document(l, j);
        json_decref(j);
    }
    if (l->rc) {
        l->result->stop = ENGINE_CANCELLED;
        return l->bad = l->rc == ERR_NOMEM ? err_nomem(&l->why) : 0;
    }
    if (rc && !l->done) return rc;
    if (!l->bad && !l->ended && !l->done)
        l->bad = err_set(&l->why, ERR_IO, "the answer of %s broke off", l->r->host);
    if (!l->bad) take_text(l, "", 0, true);
    return l->bad;
}

int remote_chat(struct remote *r, const struct remote_ask *a, struct engine_result *result,
                struct err *err)
{
    struct listening l = { .ask = a, .result = result, .r = r, .start = clock_mono() };
    struct buf reply = BUF_INIT((size_t)16 << 20);
    struct client_call c = { .event = on_event, .stop = on_wait, .ud = &l };
    struct err ours = { 0 };
    if (!err) err = &ours;
    *result = (struct engine_result){ .stop = ENGINE_END };
    json_t *q = request_of(r, a, &result->dropped_parts);
    int rc = q ? remote_call(r, "/chat/completions", q, &c, &reply, err) : err_nomem(err);
    if (rc == ERR_INVAL && strstr(err->msg, "max_completion_tokens")) {
        json_object_set(q, "max_completion_tokens", json_object_get(q, "max_tokens"));
        json_object_del(q, "max_tokens");
        c = (struct client_call){ .event = on_event, .stop = on_wait, .ud = &l };
        rc = remote_call(r, "/chat/completions", q, &c, &reply, err);
    }
    rc = finish(&l, rc, &reply);
    if (l.bad) *err = l.why;
    result->total = clock_mono() - l.start;
    if (!result->output_tokens) result->output_tokens = l.pieces;
    if (l.pieces > 1 && result->total > result->first)
        result->tokens_per_second = (result->output_tokens - 1) / (result->total - result->first);
    json_decref(q);
    buf_free(&reply);
    buf_free(&l.head);
    return rc;
}
