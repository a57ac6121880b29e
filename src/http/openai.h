/* What the files of the OpenAI-compatible API share (routes_openai.c, openai_chat.c,
 * openai_plain.c, openai_embed.c); nobody else includes it. */
#ifndef LK_HTTP_OPENAI_H
#define LK_HTTP_OPENAI_H

#include "http/http.h"
#include "model/engine.h"

/* What a request's "model" names: a persona, or the language model itself. */
struct openai_model {
    bool plain;             /* the language model; else the persona in c->persona, c->level */
    const char *as_written; /* what replies call it: as it was asked for */
};
/* c->persona and c->level are set for a persona that the caller may chat with. ERR_NOTFOUND: no
 * such model, or none of theirs; ERR_INVAL: a name that two of theirs have. */
int openai_find(struct call *c, const char *name, struct openai_model *out, struct err *err);

struct openai_message {
    enum template_role role;
    const char *s; /* in c->mem */
};
/* A chat completion, as it was asked for and checked. */
struct openai_chat {
    struct call *c;
    struct openai_model model;
    struct openai_message *message;
    size_t n;
    struct sampler_opts sampling;
    int max_tokens;
    const char *stop[4];
    int n_stop;
    const char *schema; /* NULL: free text */
    bool stream, with_usage;
    /* the reply */
    struct stream *out; /* NULL until the first words */
    char id[32];
    int64_t created;
    struct err *err;
    int rc; /* why it ended early */
};
struct openai_usage {
    int prompt, completion, reused;
};
/* Words of the answer; n 0: none yet, but is anybody there? Non-0: stop, q->rc says why. */
int openai_say(void *chat, const char *s, size_t n);
/* The whole reply, or the end of the stream. likeness: what is ours, taken; NULL. */
int openai_finish(struct openai_chat *q, struct span text, enum engine_stop why,
                  const struct openai_usage *u, json_t *likeness);
json_t *openai_usage_json(const struct openai_usage *u);

int openai_ask_persona(struct openai_chat *q);
int openai_ask_plain(struct openai_chat *q);
/* The handlers. */
int openai_chat_run(struct call *c, struct err *err);
int openai_embed_run(struct call *c, struct err *err);

#endif
