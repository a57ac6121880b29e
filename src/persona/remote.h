/* A language model behind an OpenAI-compatible server (Ollama, llama-server, vLLM, a hosted one,
 * another Likeness), for the voice `remote` and the embedder `remote:MODEL`.
 *
 *     remote_open(&(struct remote_opts){ .url = "http://127.0.0.1:11434/v1", .model = "llama3.2" },
 *                 &r, err);
 *     remote_chat(r, parts, n, &sampling, max_tokens, said, ud, &result, err);
 *     remote_close(r);
 *
 * May be used from any thread. */
#ifndef LK_PERSONA_REMOTE_H
#define LK_PERSONA_REMOTE_H

#include "model/engine.h"
#include "model/sampler.h"

struct remote_opts {
    const char *url;   /* up to and with /v1 */
    const char *model; /* for answers; NULL: the first that the server lists */
    const char *key;   /* NULL: none */
    const char *embed; /* model for vectors; NULL: none */
    bool plain;        /* http to other machines, too */
    int quiet_seconds;
    int tries;
};

struct remote;
int remote_open(const struct remote_opts *o, struct remote **out, struct err *err); /* no network */
void remote_close(struct remote *r);
const char *remote_model(struct remote *r); /* asks the server when none was named; "" if away */
const char *remote_host(const struct remote *r);
bool remote_is_local(const struct remote *r); /* else: text leaves this machine */
/* said: text as it comes, non-0 stops. The whole answer is appended to out. */
int remote_chat(struct remote *r, const struct template_part *parts, size_t n,
                const struct sampler_opts *sampling, int max_tokens,
                int (*said)(void *ud, const char *s, size_t n), void *ud, struct buf *out,
                struct engine_result *result, struct err *err);
/* out: [n, dim] f32, unit length; *dim is what the server's model has. */
int remote_embed(struct remote *r, const struct span *texts, size_t n, float **out, int *dim,
                 struct err *err);
/* Where the embedder `remote:MODEL` asks: set once, before threads. NULL: nowhere. */
void remote_for_embedding(struct remote *r);

#endif
