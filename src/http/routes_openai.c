/* The API that programs for OpenAI's servers speak, as far as a persona can answer it: models, chat
 * completions, embeddings. A persona is a model whose id is its uid; the language model that the
 * server has loaded can be asked as itself, as "model:NAME". What is not known is passed over, as
 * clients send more than servers know; what would change the answer and cannot be done is refused.
 *
 * The conversation is the client's: it comes whole with each request and is not saved. */
#include "base/arena.h"
#include "base/str.h"
#include "http/openai.h"
#include "persona/native.h"

#include <stdlib.h>
#include <string.h>

/* ---- which model ---- */

struct mine {
    uint8_t (*uid)[VAULT_UID];
    size_t n, cap;
    bool failed;
};

static int note_grant(void *ud, const struct row_grant *g)
{
    struct mine *m = ud;
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        void *grown = realloc(m->uid, cap * sizeof *m->uid);
        m->failed = !grown;
        if (!grown) return ERR_NOMEM;
        m->uid = grown;
        m->cap = cap;
    }
    memcpy(m->uid[m->n++], g->persona, VAULT_UID);
    return 0;
}

/* Personas that the caller, or the key that they use, may chat with: fn for each, open. */
static int each_mine(struct call *c, int (*fn)(void *ud, const struct persona *p, enum level level),
                     void *ud, struct err *err)
{
    struct mine m = { 0 };
    struct home *h = NULL;
    int rc = service_grant_each(c->world->service, NULL, c->who.account, note_grant, &m, err);
    if (m.failed) rc = err_nomem(err);
    if (!rc && m.n) rc = pool_read(c->world->pool, &h, err);
    for (size_t i = 0; i < m.n && !rc; i++) {
        struct persona *p = NULL;
        enum level level = LEVEL_NONE;
        rc = account_may(c->accounts, &c->who, m.uid[i], &level, err);
        if (rc || level < LEVEL_CHAT) continue;
        rc = persona_open_uid(h, m.uid[i], &p, err);
        if (!rc) rc = fn(ud, p, level);
        else if (rc == ERR_NOTFOUND) rc = 0; /* forgotten meanwhile */
        persona_close(p);
    }
    if (h) pool_read_done(c->world->pool, h);
    free(m.uid);
    return rc;
}

struct named {
    struct call *c;
    const char *name;
    int n;
};

static int same_name(void *ud, const struct persona *p, enum level level)
{
    struct named *f = ud;
    if (!persona_same_name(p->name, f->name)) return 0;
    if (!f->n++) {
        memcpy(f->c->persona, p->seal.uid, VAULT_UID);
        f->c->level = level;
    }
    return 0;
}

static bool is_plain(const struct world *w, const char *name)
{
    if (!w->model) return false;
    return !strcmp(str_starts(name, "model:") ? name + 6 : name, native_name(w->model));
}

int openai_find(struct call *c, const char *name, struct openai_model *out, struct err *err)
{
    struct named f = { c, name, 0 };
    int rc = 0;
    *out = (struct openai_model){ .as_written = name };
    if (uid_parse(name, c->persona)) {
        rc = account_may(c->accounts, &c->who, c->persona, &c->level, err);
        f.n = c->level >= LEVEL_CHAT;
    } else if (is_plain(c->world, name)) {
        out->plain = true;
        return 0;
    } else {
        rc = each_mine(c, same_name, &f, err);
    }
    if (rc || f.n == 1) return rc;
    memset(c->persona, 0, VAULT_UID);
    c->level = LEVEL_NONE;
    if (f.n)
        return err_set(err, ERR_INVAL,
                       "model: several of your personas have that name; GET /v1/models has their "
                       "ids");
    return err_set(err, ERR_NOTFOUND,
                   "there is no such model; GET /v1/models lists those there are for you");
}

/* ---- the list ---- */

static json_t *model_json(const char *id, int64_t created, const char *kind, const char *name)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:{s:s, s:s}}", "id", id, "object", "model", "created",
                     (json_int_t)created, "owned_by", "likeness", "likeness", "kind", kind, "name",
                     name);
}

static json_t *persona_json(const struct persona *p)
{
    char id[33];
    return model_json(uid_hex(p->seal.uid, id), p->created_at, "persona", p->name);
}

static json_t *plain_json(const struct world *w)
{
    char id[160];
    snprintf(id, sizeof id, "model:%s", native_name(w->model));
    return model_json(id, 0, "language model", native_name(w->model));
}

static int list_one(void *ud, const struct persona *p, enum level level)
{
    return json_array_append_new(ud, persona_json(p)) ? ERR_NOMEM : 0;
}

static int list_models(struct call *c, struct err *err)
{
    json_t *data = json_array();
    int rc = data ? each_mine(c, list_one, data, err) : ERR_NOMEM;
    if (!rc && c->world->model && json_array_append_new(data, plain_json(c->world))) rc = ERR_NOMEM;
    if (!rc) c->out = json_pack("{s:s, s:O}", "object", "list", "data", data);
    json_decref(data);
    return rc == ERR_NOMEM || (!rc && !c->out) ? err_nomem(err) : rc;
}

static int get_model(struct call *c, struct err *err)
{
    struct openai_model m;
    struct persona *p = NULL;
    struct home *h = NULL;
    int rc = openai_find(c, c->word, &m, err);
    if (!rc && !m.plain) rc = pool_read(c->world->pool, &h, err);
    if (!rc && h) rc = persona_open_uid(h, c->persona, &p, err);
    if (!rc && m.plain) c->out = plain_json(c->world);
    else if (!rc && p) c->out = persona_json(p);
    if (!rc && !c->out) rc = err_nomem(err);
    persona_close(p);
    if (h) pool_read_done(c->world->pool, h);
    return rc;
}

/* ---- fields and routes ---- */

static const struct field ABOUT[] = {
    { "kind", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "persona, or language model", NULL, NULL },
    { "name", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "its name", NULL, NULL },
    FIELD_END
};
static const struct field MODEL[] = {
    { "id", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "what requests call it", NULL, NULL },
    { "object", FIELD_WORD, FIELD_REQUIRED, 0, 0, "model", NULL, "model" },
    { "created", FIELD_INT, FIELD_REQUIRED, 0, 0, "seconds since 1970", NULL, NULL },
    { "owned_by", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "likeness", NULL, NULL },
    { "likeness", FIELD_OBJECT, 0, 0, 0, "what it is", ABOUT, NULL },
    FIELD_END
};
static const struct field A_MODEL = { NULL, FIELD_OBJECT, 0, 0, 0, "a model", MODEL, NULL };
static const struct field MODELS[] = {
    { "object", FIELD_WORD, FIELD_REQUIRED, 0, 0, "list", NULL, "list" },
    { "data", FIELD_LIST, FIELD_REQUIRED, 0, 0, "models", &A_MODEL, NULL },
    FIELD_END
};

static const struct field MESSAGE[] = {
    { "role", FIELD_WORD, FIELD_REQUIRED, 0, 0, "who says it", NULL,
      "system developer user assistant tool function" },
    { "content", FIELD_ANY, 0, 0, 0, "text, or a list of parts {type: text, text}", NULL, NULL },
    FIELD_END
};
static const struct field A_MESSAGE = { NULL, FIELD_OBJECT, 0, 0, 0, "a message", MESSAGE, NULL };
static const struct field STREAM_OPTIONS[] = { { "include_usage", FIELD_BOOL, FIELD_NULL, 0, 0,
                                                 "usage in a last event", NULL, NULL },
                                               FIELD_END };
static const struct field CHAT[] = {
    { "model", FIELD_TEXT, FIELD_REQUIRED, 1, 255,
      "a persona: its id, or its name if no other has it; or model:NAME, the language model itself",
      NULL, NULL },
    { "messages", FIELD_LIST, FIELD_REQUIRED, 1, 2048,
      "the conversation: the last one is the question", &A_MESSAGE, NULL },
    { "stream", FIELD_BOOL, FIELD_NULL, 0, 0, "answer as server-sent events", NULL, NULL },
    { "stream_options", FIELD_OBJECT, FIELD_NULL, 0, 0, "of a stream", STREAM_OPTIONS, NULL },
    { "max_tokens", FIELD_INT, FIELD_NULL, 1, 32768, "of the answer", NULL, NULL },
    { "max_completion_tokens", FIELD_INT, FIELD_NULL, 1, 32768, "the same", NULL, NULL },
    { "temperature", FIELD_NUMBER, FIELD_NULL, 0, 2, "how freely words are chosen", NULL, NULL },
    { "top_p", FIELD_NUMBER, FIELD_NULL, 0, 1, "share of likely words to choose from", NULL, NULL },
    { "frequency_penalty", FIELD_NUMBER, FIELD_NULL, -2, 2, "how much repetition is avoided", NULL,
      NULL },
    { "presence_penalty", FIELD_NUMBER, FIELD_NULL, -2, 2, "how much used words are avoided", NULL,
      NULL },
    { "seed", FIELD_INT, FIELD_NULL, 0, 0, "the same seed, the same answer", NULL, NULL },
    { "stop", FIELD_ANY, FIELD_NULL, 0, 0, "a text, or up to four, before which it ends", NULL,
      NULL },
    { "response_format", FIELD_OBJECT, FIELD_NULL, 0, 0,
      "text; of a language model also json_object and json_schema", NULL, NULL },
    { "n", FIELD_INT, FIELD_NULL, 1, 1, "one answer", NULL, NULL },
    { "logprobs", FIELD_BOOL, FIELD_NULL, 0, 0, "refused when true", NULL, NULL },
    { "tools", FIELD_LIST, FIELD_NULL, 0, 0, "refused unless empty", NULL, NULL },
    { "functions", FIELD_LIST, FIELD_NULL, 0, 0, "refused unless empty", NULL, NULL },
    { "voice", FIELD_WORD, FIELD_NULL, 0, 0, "of a persona; the server's if not given", NULL,
      "quote native remote" },
    FIELD_END
};
static const struct field USAGE[] = {
    { "prompt_tokens", FIELD_INT, FIELD_REQUIRED, 0, 0, "read", NULL, NULL },
    { "completion_tokens", FIELD_INT, 0, 0, 0, "made", NULL, NULL },
    { "total_tokens", FIELD_INT, FIELD_REQUIRED, 0, 0, "both", NULL, NULL },
    FIELD_END
};
static const struct field SAID[] = {
    { "role", FIELD_WORD, FIELD_REQUIRED, 0, 0, "assistant", NULL, "assistant" },
    { "content", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "the answer", NULL, NULL },
    FIELD_END
};
static const struct field CHOICE[] = {
    { "index", FIELD_INT, FIELD_REQUIRED, 0, 0, "0", NULL, NULL },
    { "message", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "the answer", SAID, NULL },
    { "finish_reason", FIELD_WORD, FIELD_REQUIRED, 0, 0, "why it ended", NULL, "stop length" },
    FIELD_END
};
static const struct field A_CHOICE = { NULL, FIELD_OBJECT, 0, 0, 0, "a choice", CHOICE, NULL };
static const struct field COMPLETION[] = {
    { "id", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "of this reply", NULL, NULL },
    { "object", FIELD_WORD, FIELD_REQUIRED, 0, 0, "chat.completion", NULL, "chat.completion" },
    { "created", FIELD_INT, FIELD_REQUIRED, 0, 0, "seconds since 1970", NULL, NULL },
    { "model", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "as it was asked for", NULL, NULL },
    { "choices", FIELD_LIST, FIELD_REQUIRED, 0, 0, "one", &A_CHOICE, NULL },
    { "usage", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "tokens", USAGE, NULL },
    { "likeness", FIELD_OBJECT, 0, 0, 0,
      "of a persona: kind, who made it, and with the right to read its parts and sources", NULL,
      NULL },
    FIELD_END
};

static const struct field EMBED[] = {
    { "model", FIELD_TEXT, FIELD_REQUIRED, 1, 255,
      "static; a persona, for its embedder; or model:NAME, an embedder of the shelf", NULL, NULL },
    { "input", FIELD_ANY, FIELD_REQUIRED, 0, 0, "a text, or a list of up to 2048", NULL, NULL },
    { "encoding_format", FIELD_WORD, FIELD_NULL, 0, 0, "float if not given", NULL, "float base64" },
    { "dimensions", FIELD_INT, FIELD_NULL, 1, 4096, "refused unless it is the model's own", NULL,
      NULL },
    FIELD_END
};
static const struct field VECTOR[] = {
    { "object", FIELD_WORD, FIELD_REQUIRED, 0, 0, "embedding", NULL, "embedding" },
    { "index", FIELD_INT, FIELD_REQUIRED, 0, 0, "of the text", NULL, NULL },
    { "embedding", FIELD_ANY, FIELD_REQUIRED, 0, 0,
      "numbers, or base64 of little-endian 32-bit floats", NULL, NULL },
    FIELD_END
};
static const struct field A_VECTOR = { NULL, FIELD_OBJECT, 0, 0, 0, "a vector", VECTOR, NULL };
static const struct field VECTORS[] = {
    { "object", FIELD_WORD, FIELD_REQUIRED, 0, 0, "list", NULL, "list" },
    { "data", FIELD_LIST, FIELD_REQUIRED, 0, 0, "one for each text", &A_VECTOR, NULL },
    { "model", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "as it was asked for", NULL, NULL },
    { "usage", FIELD_OBJECT, FIELD_REQUIRED, 0, 0, "tokens", USAGE, NULL },
    FIELD_END
};

#define FOR_PROGRAMS (ROUTE_KEYS | ROUTE_OPENAI | ROUTE_LOOSE)

const struct route routes_openai[] = {
    { "GET", "/v1/models", ACCESS_ACCOUNT, FOR_PROGRAMS, .reply = MODELS, .status = 200,
      .run = list_models, .name = "openai.models", .summary = "What can be asked",
      .about = "The personas that you, or this key, may chat with, by their ids; and the language "
               "model of the server, if it has one, as `model:NAME`." },
    { "GET", "/v1/models/{model}", ACCESS_ACCOUNT, FOR_PROGRAMS, .reply = MODEL, .status = 200,
      .run = get_model, .name = "openai.model", .summary = "One of them" },
    { "POST", "/v1/chat/completions", ACCESS_ACCOUNT, FOR_PROGRAMS | ROUTE_AUDIT | ROUTE_ASK,
      .body_max = 4 << 20, .body = CHAT, .reply = COMPLETION, .status = 200, .run = openai_chat_run,
      .name = "openai.chat", .summary = "Ask a persona, or a language model",
      .about =
          "The conversation comes with the request and is not saved. Of a persona the last "
          "message of the user is the question, what was said before is the conversation, and "
          "system messages are a wish about the manner of the answer, which a voice that quotes "
          "passes over. With `stream` the answer comes as server-sent events, in chunks, and "
          "ends with `data: [DONE]`." },
    { "POST", "/v1/embeddings", ACCESS_ACCOUNT, FOR_PROGRAMS, .body_max = 16 << 20, .body = EMBED,
      .reply = VECTORS, .status = 200, .run = openai_embed_run, .name = "openai.embeddings",
      .summary = "Vectors of texts", .about = "Unit vectors, in the order of the texts." },
    ROUTE_END
};
