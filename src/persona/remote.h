/* A language model behind an OpenAI-compatible server (Ollama, llama-server, vLLM, a hosted one,
 * another Likeness), for the voice `remote` and the embedder `remote:MODEL`.
 *
 *     remote_open(&(struct remote_opts){ .url = "http://127.0.0.1:11434/v1", .model = "llama3.2" },
 *                 &r, err);
 *     remote_chat(r, &(struct remote_ask){ .parts = p, .n_parts = n, .sampling = &s, .said = f },
 *                 &result, err);
 *     remote_close(r);
 *
 * May be used from any thread. Messages name the host, never what was asked. */
#ifndef LK_PERSONA_REMOTE_H
#define LK_PERSONA_REMOTE_H

#include "model/embed.h"
#include "model/engine.h"
#include "model/sampler.h"

struct remote_opts {
    const char *url;   /* up to and with /v1 */
    const char *model; /* for answers; NULL: the first that the server lists */
    const char *key;   /* NULL: none */
    const char *embed; /* model for vectors, of an embedder that names none; NULL: none */
    bool plain;        /* http to other machines, too */
    int quiet_seconds; /* without a byte; 0: 300 */
    int tries;         /* 0: 3 */
    int context;       /* tokens of prompt and answer; 0: 8192 */
    int mask;          /* other people are pseudonyms to it (mask.h): 1 yes, -1 no, 0: elsewhere */
    /* Called once, before text goes to another machine for the first time. NULL: nobody is told. */
    void (*leaving)(void *ud, const char *host);
    void *ud;
};

struct remote;
int remote_open(const struct remote_opts *o, struct remote **out, struct err *err); /* no network */
void remote_close(struct remote *r);        /* accepts NULL */
const char *remote_model(struct remote *r); /* asks the server when none was named; "" if away */
const char *remote_host(const struct remote *r);
bool remote_is_local(const struct remote *r); /* else: text leaves this machine */
bool remote_masks(const struct remote *r);
int remote_context(const struct remote *r);
/* What the server has: fn for each, non-0 ends it and is returned. */
int remote_models(struct remote *r, int (*fn)(void *ud, const char *id), void *ud, struct err *err);

struct remote_ask {
    const struct template_part *parts;
    size_t n_parts;
    const struct sampler_opts *sampling;
    const char *const *stop;
    int n_stop, max_tokens; /* 0: 512 */
    /* Text as it comes, and now and then nothing (n 0); non-0 stops, which is no error: the result
     * then says ENGINE_CANCELLED. */
    int (*said)(void *ud, const char *s, size_t n);
    void *ud;
};
/* Errors are those of client.h. Counts of tokens are the server's; of one that does not count, the
 * pieces that came. */
int remote_chat(struct remote *r, const struct remote_ask *a, struct engine_result *result,
                struct err *err);

/* out: [n, *dim] f32, unit length, malloc'ed; of a blank text all 0. *dim 0: whatever the server's
 * model has, else it has to be that (ERR_VERSION). model NULL: that of the options. */
int remote_embed(struct remote *r, const char *model, const struct span *texts, size_t n,
                 float **out, int *dim, struct err *err);
/* Where embedders `remote:MODEL` ask: set once, before threads; borrowed. NULL: nowhere, which they
 * say. */
void remote_for_embedding(struct remote *r);
/* Is this one of them, and is what it sends to be masked? */
bool remote_embeds(const struct embedder *e);

#endif
