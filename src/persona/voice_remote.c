/* The remote voice: a language model behind a server writes the answer (maker.c). What leaves this
 * process is the prompt: question, passages, earlier turns. The answer says where it went.
 *
 * To another machine it goes masked (mask.h), unless the owner wants it as it is: the model hears
 * of "Person 482113", and whoever asked reads the name, since it is put back as the text comes. All
 * that follows, the marks for what no passage says, too, sees the text with the names in it. */
#include "base/arena.h"
#include "persona/maker.h"
#include "persona/mask.h"
#include "persona/remote_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- with masks ---- */

struct masked {
    struct mask *mask;
    struct maker *maker;
    struct template_part *parts;
    const char **stop;
    struct buf *text; /* of parts, then of stop */
    size_t n_text;
    struct buf held, out; /* of the answer */
};

static int open_masked(struct masked *x, const struct voice_in *in,
                       const struct template_part *parts, size_t n, struct err *err)
{
    size_t n_stop = (size_t)in->making.n_stop;
    int rc = 0;
    x->parts = calloc(n + 1, sizeof *x->parts);
    x->stop = calloc(n_stop + 1, sizeof *x->stop);
    x->text = calloc(n + n_stop + 1, sizeof *x->text);
    if (!x->parts || !x->stop || !x->text) return err_nomem(err);
    for (size_t i = 0; i < n && !rc; i++) {
        struct buf *b = &x->text[x->n_text++];
        rc = mask_text(x->mask, parts[i].s, parts[i].n, b);
        x->parts[i] = parts[i];
        x->parts[i].s = buf_str(b);
        x->parts[i].n = b->n;
    }
    for (size_t i = 0; i < n_stop && !rc; i++) {
        struct buf *b = &x->text[x->n_text++];
        rc = mask_text(x->mask, in->making.stop[i], strlen(in->making.stop[i]), b);
        x->stop[i] = buf_str(b);
    }
    return rc ? err_nomem(err) : 0;
}

static void close_masked(struct masked *x)
{
    for (size_t i = 0; i < x->n_text; i++) buf_free(&x->text[i]);
    free(x->text);
    free(x->parts);
    free(x->stop);
    buf_free(&x->held);
    buf_free(&x->out);
}

static int reveal(struct masked *x, const char *s, size_t n, bool end)
{
    buf_clear(&x->out);
    int rc = mask_reveal_some(x->mask, &x->held, s, n, end, &x->out);
    return rc ? rc : maker_text(x->maker, buf_str(&x->out), x->out.n);
}

static int on_masked(void *ud, const char *s, size_t n) { return reveal(ud, s, n, false); }

/* ---- asking ---- */

static int on_text(void *ud, const char *s, size_t n) { return maker_text(ud, s, n); }

static bool wants_mask(const struct voice_making *how)
{
    return how->mask ? how->mask > 0 : remote_masks(how->remote);
}

static int ask(const struct voice_in *in, const struct template_part *parts, size_t n,
               struct maker *m, struct engine_result *r, struct err *err)
{
    const struct voice_making *how = &in->making;
    struct sampler_opts usual = SAMPLER_DEFAULTS;
    struct masked x = { .mask = maker_mask(m), .maker = m };
    struct remote_ask a = { .parts = parts,
                            .n_parts = n,
                            .sampling = how->sampling ? how->sampling : &usual,
                            .stop = how->stop,
                            .n_stop = how->n_stop,
                            .max_tokens = how->max_tokens,
                            .said = on_text,
                            .ud = m };
    if (!x.mask) return remote_failed(remote_chat(how->remote, &a, r, err), err);
    int rc = open_masked(&x, in, parts, n, err);
    a.parts = x.parts;
    a.stop = x.stop;
    a.said = on_masked;
    a.ud = &x;
    if (!rc) rc = remote_failed(remote_chat(how->remote, &a, r, err), err);
    if (!rc && reveal(&x, "", 0, true) == ERR_NOMEM) rc = err_nomem(err);
    close_masked(&x);
    return rc;
}

static int remote_answer(const struct voice_in *in, struct answer *out, struct err *err)
{
    struct remote *r = in->making.remote;
    if (!r)
        return err_set(err, ERR_INVAL,
                       "the remote voice needs a server: `likeness config remote_url "
                       "http://127.0.0.1:11434/v1`, say, names one");
    const struct retriever *of = in->retriever;
    struct maker_back back = { .name = remote_model(r), .context = remote_context(r), .ask = ask };
    bool masked = wants_mask(&in->making);
    int rc = masked ? mask_open(retriever_home(of), retriever_persona(of), &back.mask, err) : 0;
    if (rc) return rc;
    rc = maker_answer(in, &back, out, err);
    mask_close(back.mask);
    if (rc || !out->made.model) return rc;
    out->made.left = !remote_is_local(r);
    out->made.masked = masked;
    out->made.host = arena_strdup(out->mem, remote_host(r));
    if (out->made.host) return 0;
    answer_clear(out);
    return err_nomem(err);
}

const struct voice voice_remote = { "remote",
                                    "a language model behind a server; likeness config remote_url",
                                    remote_answer };
