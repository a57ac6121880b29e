/* The native voice: a language model in this process writes the answer (maker.c). */
#include "persona/maker.h"
#include "persona/native.h"

#define READ_MS 100

static int read_answer(struct maker *m, struct engine_job *j)
{
    struct buf piece = BUF_INIT(1 << 20);
    int rc = 0, more = 1;
    while (more) {
        buf_clear(&piece);
        more = engine_read(j, &piece, READ_MS);
        if (!rc) rc = maker_text(m, buf_str(&piece), piece.n);
        if (rc) engine_cancel(j);
    }
    buf_free(&piece);
    return rc == ERR_CANCEL ? 0 : rc;
}

static int ask(const struct voice_in *in, const struct template_part *parts, size_t n,
               struct maker *m, struct engine_result *r, struct err *err)
{
    const struct voice_making *how = &in->making;
    struct engine_job *j = NULL;
    struct engine_ask a = { .parts = parts,
                            .n_parts = n,
                            .sampling = how->sampling ? *how->sampling : SAMPLER_DEFAULTS,
                            .stop = how->stop,
                            .n_stop = how->n_stop,
                            .max_tokens = how->max_tokens,
                            .account = how->account };
    int rc = engine_submit(native_engine(how->model), &a, &j, err);
    if (!rc) rc = read_answer(m, j);
    if (!rc) {
        *r = *engine_result(j);
        if (r->stop == ENGINE_FAILED) rc = err_set(err, r->err.code, "%s", r->err.msg);
    }
    engine_job_free(j);
    return rc;
}

static int native_answer(const struct voice_in *in, struct answer *out, struct err *err)
{
    struct native *model = in->making.model;
    if (!model)
        return err_set(
            err, ERR_INVAL,
            "the native voice needs a language model: `likeness model use MODEL` chooses "
            "one, `likeness model catalogue` lists some");
    struct maker_back back = { .name = native_name(model),
                               .context = engine_ctx(native_engine(model)),
                               .ask = ask };
    return maker_answer(in, &back, out, err);
}

const struct voice voice_native = { "native",
                                    "a language model in this process; likeness model use",
                                    native_answer };
