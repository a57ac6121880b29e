/* A language model loaded into this process, for the voice `native`.
 *
 *     struct native *n;
 *     native_open(&(struct native_opts){ .path = "x.gguf" }, &n, err);     seconds, and memory
 *     conversation_making(c, &(struct voice_making){ .model = n });
 *     conversation_ask(c, ...);
 *     native_close(n);                             after the conversations that use it
 *
 * One of these serves any number of personas and conversations at once, from any thread. */
#ifndef LK_PERSONA_NATIVE_H
#define LK_PERSONA_NATIVE_H

#include "base/err.h"
#include "model/engine.h"

struct native_opts {
    const char *path;
    const char *name;          /* what answers call it; NULL: made from the path */
    const char *chat_template; /* by name; NULL or "auto": as the file says */
    int context;               /* tokens; 0: 8192, at most what the model was trained for */
    enum quant cache;          /* QUANT_Q8_0: half the memory of a conversation; 0: QUANT_F16 */
    size_t memory;             /* bytes for weights and caches; 0: what is free */
};

struct native;
/* ERR_LIMIT when it does not fit; the message says how much it would take. */
int native_open(const struct native_opts *o, struct native **out, struct err *err);
void native_close(struct native *n); /* accepts NULL */
struct engine *native_engine(struct native *n);
const struct tokenizer *native_tokenizer(const struct native *n);
const struct decoder_facts *native_facts(const struct native *n);
const char *native_name(const struct native *n);
/* The template's name; "plain" when the file's is not known and none was named. */
const char *native_template(const struct native *n);

#endif
