/* Chat completions: reading the request, and the reply, whole or in chunks. A stream begins with
 * the first words, so that what fails before still has a status of its own. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "http/openai.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- the request ---- */

static int refuse(struct openai_chat *q, const char *what)
{
    return err_set(q->err, ERR_INVAL, "%s", what);
}

/* The text of a message: a string, or the text parts of a list, joined. */
static const char *content_text(struct openai_chat *q, const json_t *v)
{
    struct buf all = BUF_INIT(0);
    const json_t *part;
    const char *s = NULL;
    size_t i;
    if (!v || json_is_null(v)) return "";
    if (json_is_string(v)) return json_string_value(v);
    if (!json_is_array(v)) {
        refuse(q, "messages: content is a text, or a list of parts");
        return NULL;
    }
    json_array_foreach(v, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const char *text = json_string_value(json_object_get(part, "text"));
        if (!type || strcmp(type, "text") != 0 || !text) {
            refuse(q, "messages: only parts of the type text can be read");
            goto out;
        }
        buf_printf(&all, "%s%s", i ? "\n" : "", text);
    }
    s = arena_strndup(q->c->mem, buf_str(&all), all.n);
    if (!s || all.failed) {
        err_nomem(q->err);
        s = NULL;
    }
out:
    buf_free(&all);
    return s;
}

static int read_messages(struct openai_chat *q)
{
    const json_t *list = call_json(q->c, "messages"), *m;
    size_t i;
    q->message = arena_alloc(q->c->mem, json_array_size(list) * sizeof *q->message);
    if (!q->message) return err_nomem(q->err);
    json_array_foreach(list, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        struct openai_message *to = &q->message[q->n];
        if (!strcmp(role, "tool") || !strcmp(role, "function"))
            return refuse(q, "messages: there are no tools here, and so no results of tools");
        to->role = !strcmp(role, "user")        ? TEMPLATE_USER
                   : !strcmp(role, "assistant") ? TEMPLATE_ASSISTANT
                                                : TEMPLATE_SYSTEM;
        if (!(to->s = content_text(q, json_object_get(m, "content")))) return q->err->code;
        if (*to->s) q->n++;
    }
    if (!q->n || q->message[q->n - 1].role != TEMPLATE_USER)
        return refuse(q, "messages: the last one should be the user's, and not empty");
    return 0;
}

static int read_stop(struct openai_chat *q)
{
    const json_t *v = call_json(q->c, "stop"), *one;
    size_t i;
    if (json_is_string(v)) {
        q->stop[q->n_stop++] = json_string_value(v);
    } else if (json_is_array(v) && json_array_size(v) <= sizeof q->stop / sizeof *q->stop) {
        json_array_foreach(v, i, one) if (json_is_string(one)) q->stop[q->n_stop++] =
            json_string_value(one);
        if ((size_t)q->n_stop != json_array_size(v)) return refuse(q, "stop: a list of texts");
    } else if (v) {
        return refuse(q, "stop: a text, or at most four");
    }
    for (int k = 0; k < q->n_stop; k++)
        if (!*q->stop[k]) return refuse(q, "stop: an empty text");
    return 0;
}

static int read_format(struct openai_chat *q)
{
    const json_t *f = call_json(q->c, "response_format");
    const char *type = json_string_value(json_object_get(f, "type"));
    if (!f || (type && !strcmp(type, "text"))) return 0;
    if (!type) return refuse(q, "response_format: it has no type");
    if (!q->model.plain) return refuse(q, "response_format: a persona answers in words");
    if (!strcmp(type, "json_object")) {
        q->schema = "{\"type\":\"object\"}";
        return 0;
    }
    if (strcmp(type, "json_schema") != 0)
        return refuse(q, "response_format: text, json_object or json_schema");
    const json_t *s = json_object_get(json_object_get(f, "json_schema"), "schema");
    char *text = json_is_object(s) ? json_dumps(s, JSON_COMPACT) : NULL;
    if (!text) return refuse(q, "response_format: json_schema.schema should be an object");
    q->schema = arena_strdup(q->c->mem, text);
    free(text);
    return q->schema ? 0 : err_nomem(q->err);
}

static int read_sampling(struct openai_chat *q)
{
    struct call *c = q->c;
    struct sampler_opts *s = &q->sampling;
    int64_t tokens = call_int(c, "max_completion_tokens", call_int(c, "max_tokens", 0));
    *s = c->world->sampling;
    s->temperature = (float)call_num(c, "temperature", (double)s->temperature);
    s->top_p = (float)call_num(c, "top_p", (double)s->top_p);
    s->frequency = (float)call_num(c, "frequency_penalty", (double)s->frequency);
    s->presence = (float)call_num(c, "presence_penalty", (double)s->presence);
    if (call_json(c, "seed")) s->seed = (uint64_t)call_int(c, "seed", 0);
    else if (getrandom(&s->seed, sizeof s->seed, 0) != (ssize_t)sizeof s->seed) s->seed = 1;
    if (s->top_p <= 0) return refuse(q, "top_p: it should be more than 0");
    q->max_tokens = tokens ? (int)tokens : c->world->max_tokens;
    return 0;
}

static int read_request(struct openai_chat *q)
{
    struct call *c = q->c;
    if (call_bool(c, "logprobs", false) || call_json(c, "top_logprobs"))
        return refuse(q, "logprobs: they are not to be had here");
    if (json_array_size(call_json(c, "tools")) || json_array_size(call_json(c, "functions")))
        return refuse(q, "tools: nothing here calls tools");
    q->stream = call_bool(c, "stream", false);
    q->with_usage = json_is_true(json_object_get(call_json(c, "stream_options"), "include_usage"));
    q->created = clock_now();
    snprintf(q->id, sizeof q->id, "chatcmpl-%s", c->request_id);
    int rc = openai_find(c, call_str(c, "model"), &q->model, q->err);
    if (!rc) rc = read_messages(q);
    if (!rc) rc = read_stop(q);
    if (!rc) rc = read_format(q);
    return rc ? rc : read_sampling(q);
}

int openai_chat_run(struct call *c, struct err *err)
{
    struct openai_chat q = { .c = c, .err = err };
    int rc = read_request(&q);
    if (rc) return rc;
    return q.model.plain ? openai_ask_plain(&q) : openai_ask_persona(&q);
}

/* ---- the reply ---- */

json_t *openai_usage_json(const struct openai_usage *u)
{
    return json_pack("{s:i, s:i, s:i, s:{s:i}}", "prompt_tokens", u->prompt, "completion_tokens",
                     u->completion, "total_tokens", u->prompt + u->completion,
                     "prompt_tokens_details", "cached_tokens", u->reused);
}

static int send_json(struct openai_chat *q, json_t *j)
{
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    int rc = text ? stream_send(q->out, NULL, text, strlen(text)) : err_nomem(q->err);
    if (rc == ERR_CANCEL) err_set(q->err, rc, "the client has left");
    free(text);
    json_decref(j);
    return rc;
}

/* delta NULL: an event without choices. Both delta and why are taken. */
static json_t *chunk(struct openai_chat *q, json_t *delta, json_t *why)
{
    json_t *choices = delta ? json_pack("[{s:i, s:o, s:n, s:o}]", "index", 0, "delta", delta,
                                        "logprobs", "finish_reason", why)
                            : json_array();
    json_t *j = json_pack("{s:s, s:s, s:I, s:s, s:o}", "id", q->id, "object",
                          "chat.completion.chunk", "created", (json_int_t)q->created, "model",
                          q->model.as_written, "choices", choices);
    if (j && q->with_usage) json_object_set_new(j, "usage", json_null());
    return j;
}

static int begin(struct openai_chat *q)
{
    int rc = call_events(q->c, &q->out, q->err);
    if (rc) return rc;
    return send_json(
        q, chunk(q, json_pack("{s:s, s:s}", "role", "assistant", "content", ""), json_null()));
}

int openai_say(void *chat, const char *s, size_t n)
{
    struct openai_chat *q = chat;
    if (q->rc) return q->rc;
    if (!q->out && call_gone(q->c)) q->rc = err_set(q->err, ERR_CANCEL, "the client has left");
    if (q->out && !n && stream_gone(q->out))
        q->rc = err_set(q->err, ERR_CANCEL, "the client has left");
    if (q->rc || !n || !q->stream) return q->rc;
    if (!q->out) q->rc = begin(q);
    if (!q->rc) q->rc = send_json(q, chunk(q, json_pack("{s:s%}", "content", s, n), json_null()));
    return q->rc;
}

static int finish_stream(struct openai_chat *q, struct span text, json_t *why,
                         const struct openai_usage *u, json_t *likeness)
{
    int rc = q->rc;
    if (!rc && !q->out) rc = openai_say(q, text.p, text.n); /* of a voice that does not stream */
    if (!rc && !q->out) rc = begin(q);                      /* nothing at all was said */
    json_t *last = rc ? NULL : chunk(q, json_object(), json_incref(why));
    if (last && likeness) json_object_set(last, "likeness", likeness);
    if (!rc) rc = send_json(q, last);
    if (!rc && q->with_usage) {
        json_t *j = chunk(q, NULL, NULL);
        if (j) json_object_set_new(j, "usage", openai_usage_json(u));
        rc = send_json(q, j);
    }
    if (!rc) rc = stream_send(q->out, NULL, "[DONE]", 6);
    return rc;
}

int openai_finish(struct openai_chat *q, struct span text, enum engine_stop why,
                  const struct openai_usage *u, json_t *likeness)
{
    json_t *reason = json_string(why == ENGINE_LENGTH ? "length" : "stop");
    int rc = 0;
    if (q->stream) {
        rc = finish_stream(q, text, reason, u, likeness);
    } else {
        q->c->out =
            json_pack("{s:s, s:s, s:I, s:s, s:[{s:i, s:{s:s, s:s%, s:n}, s:n, s:O}], s:o}", "id",
                      q->id, "object", "chat.completion", "created", (json_int_t)q->created,
                      "model", q->model.as_written, "choices", "index", 0, "message", "role",
                      "assistant", "content", text.p, text.n, "refusal", "logprobs",
                      "finish_reason", reason, "usage", openai_usage_json(u));
        if (!q->c->out) rc = err_nomem(q->err);
        else if (likeness) json_object_set(q->c->out, "likeness", likeness);
    }
    json_decref(likeness);
    json_decref(reason);
    return rc;
}
