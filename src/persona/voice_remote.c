/* The remote voice: a language model behind a server writes the answer (maker.c). What leaves this
 * process is the prompt: question, passages, earlier turns. The answer says where it went. */
#include "base/arena.h"
#include "persona/maker.h"
#include "persona/remote_impl.h"

static int on_text(void *ud, const char *s, size_t n) { return maker_text(ud, s, n); }

static int ask(const struct voice_in *in, const struct template_part *parts, size_t n,
               struct maker *m, struct engine_result *r, struct err *err)
{
    const struct voice_making *how = &in->making;
    struct sampler_opts usual = SAMPLER_DEFAULTS;
    struct remote_ask a = { .parts = parts,
                            .n_parts = n,
                            .sampling = how->sampling ? how->sampling : &usual,
                            .stop = how->stop,
                            .n_stop = how->n_stop,
                            .max_tokens = how->max_tokens,
                            .said = on_text,
                            .ud = m };
    return remote_failed(remote_chat(how->remote, &a, r, err), err);
}

static int remote_answer(const struct voice_in *in, struct answer *out, struct err *err)
{
    struct remote *r = in->making.remote;
    if (!r)
        return err_set(err, ERR_INVAL,
                       "the remote voice needs a server: `likeness config remote_url "
                       "http://127.0.0.1:11434/v1`, say, names one");
    struct maker_back back = { remote_model(r), remote_context(r), ask };
    int rc = maker_answer(in, &back, out, err);
    if (rc || !out->made.model) return rc;
    out->made.left = !remote_is_local(r);
    out->made.host = arena_strdup(out->mem, remote_host(r));
    if (out->made.host) return 0;
    answer_clear(out);
    return err_nomem(err);
}

const struct voice voice_remote = { "remote",
                                    "a language model behind a server; likeness config remote_url",
                                    remote_answer };
