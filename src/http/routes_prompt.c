/* Routes that ask a persona: a prompt and its answer, a chat over a WebSocket, the conversations
 * that came of them. What a share for chatting gets to see stands in asking.c. */
#include "http/asking.h"

#include "base/clock.h"
#include "persona/converse.h"
#include "persona/prompt.h"

#include <stdlib.h>
#include <string.h>

extern const struct route routes_prompt[];

static json_t *answered(struct call *c, const struct asked *a)
{
    json_t *j = shown_answer(a->answer, a->asking->question, c->level);
    if (!j) return NULL;
    json_object_set_new(j, "conversation",
                        a->conversation ? json_integer((json_int_t)a->conversation) : json_null());
    if (a->unsaved) json_object_set_new(j, "unsaved", json_true());
    return j;
}

static struct asking asking_of(const struct call *c)
{
    const char *q = call_str(c, "prompt");
    return (struct asking){ .question = q,
                            .voice = call_str(c, "voice"),
                            .conversation = call_int(c, "conversation", 0),
                            .save = call_bool(c, "save", true),
                            .strict = call_bool(c, "strict", false),
                            .query = asking_query(c, q) };
}

static int prompt(struct call *c, struct err *err)
{
    struct asking a = asking_of(c);
    a.stream = call_bool(c, "stream", false);
    return asking_run(c, &a, answered, err);
}

static int chat(struct call *c, struct err *err)
{
    struct asking a = asking_of(c);
    return asking_run(c, &a, answered, err);
}

/* ---- what a model would get ---- */

static int model_prompt(struct call *c, struct err *err)
{
    struct asking a = asking_of(c);
    struct conversation *talk = NULL;
    struct prompt pr = { 0 };
    struct desk *d;
    int rc = pool_take(c->world->pool, c->persona, 10000, &d, err);
    if (rc == ERR_BUSY) c->retry_after = 1;
    if (rc) return rc;
    rc = conversation_open_as(d->retriever, "quote", a.conversation, false, c->who.account, &talk,
                              err);
    const char *question = asking_words(c, d->persona, a.question);
    struct voice_making m = { .veil = veil_needed(d->persona, c->level) };
    if (!rc && !question) rc = err_nomem(err);
    if (!rc) conversation_making(talk, &m);
    if (!rc) rc = conversation_prompt(talk, question, &a.query, &pr, err);
    if (!rc)
        rc = shown_reply(c,
                         json_pack("{s:o, s:o, s:i, s:i, s:i, s:i}", "system",
                                   json_mended(pr.system), "user", json_mended(pr.user), "tokens",
                                   pr.tokens, "passages", (int)pr.examples_used, "left_out",
                                   (int)pr.examples_dropped, "turns", (int)pr.turns_used),
                         err);
    prompt_clear(&pr);
    conversation_close(talk);
    pool_give(c->world->pool, d);
    return rc;
}

/* ---- conversations ---- */

struct talks {
    struct call *c;
    json_t *all;
    int64_t id; /* 0: all */
    bool found;
    struct err *err;
};

/* Its own, and for the owner those of the machine's command line. */
static bool is_mine(const struct call *c, const char *body, size_t n)
{
    int64_t account = conversation_account(body, n);
    return account == c->who.account || (!account && c->level == LEVEL_OWNER);
}

static int keep_talk(void *ud, int64_t id, int64_t created_at, uint64_t turns, const char *body,
                     size_t n)
{
    struct talks *t = ud;
    if ((t->id && t->id != id) || !is_mine(t->c, body, n)) return 0;
    t->found = true;
    if (!t->all) return 0;
    json_t *j = json_pack("{s:I, s:o, s:I}", "id", (json_int_t)id, "created_at",
                          json_time(created_at), "turns", (json_int_t)turns);
    return json_array_insert_new(t->all, 0, j) ? err_nomem(t->err) : 0; /* newest first */
}

static int talks_list(struct call *c, struct err *err)
{
    struct talks t = { .c = c, .all = json_array(), .err = err };
    struct home *h;
    struct persona *p;
    int rc = t.all ? reading_begin(c, &h, &p, err) : err_nomem(err);
    if (!rc) {
        rc = store_conversation_each(h->store, &p->seal, keep_talk, &t, err);
        reading_end(c, h, p);
    }
    if (!rc) return shown_reply(c, json_pack("{s:o}", "conversations", t.all), err);
    json_decref(t.all);
    return rc;
}

static int keep_turn(void *ud, const struct row_turn *r)
{
    struct talks *t = ud;
    json_t *j = json_loadb(r->body, r->body_n, 0, NULL), *part;
    size_t i;
    if (!j) return 0; /* damaged: the doctor's */
    if (t->c->level < LEVEL_READ) {
        json_object_set_new(j, "sources", json_array());
        json_array_foreach(json_object_get(j, "parts"), i, part)
        {
            json_object_del(part, "source");
        }
    }
    json_object_set_new(j, "at", json_time(r->created_at));
    return json_array_append_new(t->all, j) ? err_nomem(t->err) : 0;
}

static int talk_find(struct call *c, struct home *h, struct persona *p, struct err *err)
{
    struct talks t = { .c = c, .id = c->id, .err = err };
    int rc = store_conversation_each(h->store, &p->seal, keep_talk, &t, err);
    return rc || t.found ? rc : err_set(err, ERR_NOTFOUND, "there is no such conversation");
}

static int talk_show(struct call *c, struct err *err)
{
    struct talks t = { .c = c, .all = json_array(), .err = err };
    struct home *h;
    struct persona *p;
    int rc = t.all ? reading_begin(c, &h, &p, err) : err_nomem(err);
    if (!rc) {
        rc = talk_find(c, h, p, err);
        if (!rc) rc = store_turn_each(h->store, &p->seal, c->id, keep_turn, &t, err);
        reading_end(c, h, p);
    }
    if (!rc)
        return shown_reply(c, json_pack("{s:I, s:o}", "id", (json_int_t)c->id, "turns", t.all),
                           err);
    json_decref(t.all);
    return rc;
}

static int talk_delete(struct call *c, struct err *err)
{
    struct home *h;
    struct persona *p;
    int rc = writing_begin(c, &h, &p, err);
    if (rc) return rc;
    rc = talk_find(c, h, p, err);
    if (!rc) rc = store_conversation_delete(h->store, &p->seal, c->id, err);
    writing_end(c, h, p, false);
    return rc;
}

/* ---- the table ---- */

#define ASK_FIELDS                                                                                 \
    { "prompt", FIELD_TEXT, FIELD_REQUIRED, 1, 16384, "what to ask", NULL, NULL },                 \
        { "conversation", FIELD_INT, 0, 0, 9007199254740991.0, "to go on with; 0: a new one",      \
          NULL,           NULL },                                                                  \
        { "voice", FIELD_WORD, 0, 0, 0, "how to answer", NULL, "quote native remote" },            \
        { "strict", FIELD_BOOL, 0, 0, 0, "leave out what no passage supports", NULL, NULL },       \
        { "save", FIELD_BOOL, 0, 0, 0, "keep it as a conversation; true", NULL, NULL },            \
        QUERY_FIELDS
static const struct field PROMPT[] = {
    ASK_FIELDS, { "stream", FIELD_BOOL, 0, 0, 0, "as server-sent events", NULL, NULL }, FIELD_END
};
static const struct field CHAT[] = { ASK_FIELDS, FIELD_END };
static const struct field MODEL[] = {
    { "system", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "user", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "tokens", FIELD_INT, FIELD_REQUIRED, 0, 0, "an estimate", NULL, NULL },
    { "passages", FIELD_INT, FIELD_REQUIRED, 0, 0, "that are in it", NULL, NULL },
    { "left_out", FIELD_INT, FIELD_REQUIRED, 0, 0, "that found no room", NULL, NULL },
    { "turns", FIELD_INT, FIELD_REQUIRED, 0, 0, "of the conversation that are in it", NULL, NULL },
    FIELD_END
};
static const struct field TALKS[] = {
    { "conversations", FIELD_LIST, FIELD_REQUIRED, 0, 0, "newest first: id, created_at, turns",
      &(const struct field){ "conversation", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL }, NULL },
    FIELD_END
};
static const struct field TALK[] = {
    { "id", FIELD_INT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
    { "turns", FIELD_LIST, FIELD_REQUIRED, 0, 0, "as they were answered, oldest first",
      &(const struct field){ "turn", FIELD_OBJECT, 0, 0, 0, "", SHOWN_ANSWER, NULL }, NULL },
    FIELD_END
};

const struct route routes_prompt[] = {
    { "POST", "/api/personas/{persona}/prompt", ACCESS_CHAT, ROUTE_KEYS | ROUTE_AUDIT,
      .body = PROMPT, .reply = SHOWN_ANSWER, .status = 200, .run = prompt, .name = "persona.prompt",
      .summary = "Ask a persona",
      .about = "With `stream`: events `data: {\"delta\": ...}` as the answer comes, and at the end "
               "one with the whole reply and `\"done\": true`. With the right to chat only, "
               "`sources` is empty." },
    { "GET", "/api/personas/{persona}/chat", ACCESS_CHAT, ROUTE_KEYS | ROUTE_AUDIT | ROUTE_SOCKET,
      .body = CHAT, .reply = SHOWN_ANSWER, .status = 200, .run = chat, .name = "persona.chat",
      .summary = "Talk with a persona over a WebSocket",
      .about = "Each message is a question in JSON; the answers come as `{\"delta\": ...}` and, at "
               "the end, the whole reply with `\"done\": true`." },
    { "POST", "/api/personas/{persona}/model-prompt", ACCESS_READ, ROUTE_KEYS | ROUTE_AUDIT,
      .body = CHAT, .reply = MODEL, .status = 200, .run = model_prompt,
      .name = "persona.model_prompt", .summary = "What a language model would be given" },
    { "GET", "/api/personas/{persona}/conversations", ACCESS_CHAT, 0, .reply = TALKS, .status = 200,
      .run = talks_list, .name = "conversation.list",
      .summary = "Your conversations with a persona" },
    { "GET", "/api/personas/{persona}/conversations/{id}", ACCESS_CHAT, 0, .reply = TALK,
      .status = 200, .run = talk_show, .name = "conversation.show", .summary = "One conversation" },
    { "DELETE", "/api/personas/{persona}/conversations/{id}", ACCESS_CHAT, ROUTE_AUDIT,
      .status = 204, .run = talk_delete, .name = "conversation.delete",
      .summary = "Delete a conversation" },
    ROUTE_END
};
