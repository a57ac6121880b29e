/* likeness model: import, quantize, bench. What makes models out of others, and measures them. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "base/threads.h"
#include "model/decoder.h"
#include "model/embed.h"
#include "model/gguf.h"
#include "model/hf_import.h"
#include "model/quantize.h"
#include "shelf/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Where a new model goes: `given`, or made from `from` and `ending`; not on one that is there. */
int model_place(const struct cli *c, const char *from, const char *ending, char name[101],
                struct buf *path, struct err *err)
{
    const char *dir = set_str(c, SET_MODELS), *given = arg_str(c, "name");
    char base[101];
    if (!dir)
        return err_set(err, ERR_INVAL, "HOME is not set: name the folder of models with --models");
    shelf_name_from(from, base);
    if (given) snprintf(name, 101, "%s", given);
    else
        snprintf(name, 101, "%.*s%s%s", (int)(99 - strlen(ending)), base, *ending ? "-" : "",
                 ending);
    int rc = shelf_path(dir, name, true, path, err);
    if (!rc && io_exists(path->p) && !arg_flag(c, "force"))
        rc = err_set(err, ERR_EXISTS,
                     "there is a model %s already: give another name with --name, or replace it "
                     "with --force",
                     name);
    return rc;
}

int model_made(struct cli *c, const char *name, const char *path, struct err *err)
{
    struct gguf *g = NULL;
    int rc = gguf_open(path, &g, err);
    if (rc) return rc;
    uint64_t bytes = gguf_size(g);
    bool embeds = embed_is_embedder(g);
    gguf_close(g);
    if (c->json)
        c->out =
            json_pack("{s:s, s:s, s:I}", "name", name, "path", path, "bytes", (json_int_t)bytes);
    else {
        ui_printf("%s, %.1f MB, in %s\n", name, (double)bytes / 1e6, path);
        ui_note(embeds ? "Next: likeness doctor --reembed %s" : "Next: likeness model use %s",
                name);
    }
    return 0;
}

/* ---- import ---- */

/* A GGUF file is copied through the reader and the writer, so what is on the shelf is whole. */
static int copy_gguf(const char *from, const char *to, struct err *err)
{
    struct gguf *g = NULL;
    struct gguf_writer *w = NULL;
    int rc = gguf_open(from, &g, err);
    if (!rc) rc = gguf_create(to, &w, err);
    if (!rc) rc = gguf_copy_keys(w, g, NULL);
    for (size_t i = 0; !rc && i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(t->name.n < 255 ? t->name.n : 255), t->name.p);
        gguf_declare(w, name, t->type, t->n_dims, t->dim);
    }
    for (size_t i = 0; !rc && i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        rc = gguf_write(w, t->data, t->bytes, err);
    }
    if (!rc) rc = gguf_finish(w, err);
    else gguf_abandon(w);
    gguf_close(g);
    return rc;
}

int cmd_model_import(struct cli *c, struct err *err)
{
    const char *from = c->args.pos[0], *type = arg_str(c, "type");
    struct buf path = BUF_INIT(0);
    struct import_opts o = { .type = type };
    char name[101];
    bool file = str_ends(from, ".gguf");
    int rc = model_place(c, from, type ? type : "", name, &path, err);
    if (!rc && !io_exists(from))
        rc = err_set(err, ERR_NOTFOUND, "there is no file or folder %s", from);
    if (!rc && !file && !model_importable(from))
        rc = err_set(err, ERR_PARSE,
                     "%s is no model: name a folder with config.json and safetensors, a llama2.c "
                     ".bin file, or a .gguf file",
                     from);
    const struct progress *p = rc ? NULL : ui_progress_begin();
    if (!rc && file && type) rc = model_quantize(from, path.p, type, p, err);
    else if (!rc && file) rc = copy_gguf(from, path.p, err);
    else if (!rc) rc = model_import(from, path.p, &o, p, err);
    ui_progress_end();
    if (!rc) rc = model_made(c, name, path.p, err);
    buf_free(&path);
    return rc;
}

int cmd_model_quantize(struct cli *c, struct err *err)
{
    const char *dir = set_str(c, SET_MODELS), *type = c->args.pos[1];
    struct buf from = BUF_INIT(0), to = BUF_INIT(0);
    char name[101];
    int rc = shelf_find(dir ? dir : ".", c->args.pos[0], &from, err);
    if (!rc && !quantize_mix(type)) {
        struct buf list = BUF_INIT(400);
        for (const struct quantize_mix *m = quantize_mixes; m->name; m++)
            buf_printf(&list, "%s%s", m == quantize_mixes ? "" : ", ", m->name);
        rc = err_set(err, ERR_INVAL, "there is no type \"%.20s\"; there are: %s", type,
                     buf_str(&list));
        buf_free(&list);
    }
    if (!rc) rc = model_place(c, from.p, type, name, &to, err);
    const struct progress *p = rc ? NULL : ui_progress_begin();
    if (!rc) rc = model_quantize(from.p, to.p, type, p, err);
    ui_progress_end();
    if (!rc) rc = model_made(c, name, to.p, err);
    buf_free(&from);
    buf_free(&to);
    return rc;
}

/* ---- bench ---- */

struct bench {
    struct decoder *d;
    struct timeline *t;
    float *logits;
    int prompt, generate;
    double read_rate, make_rate; /* tokens a second */
    double perplexity;
};

/* Any tokens do: how fast a model reads does not depend on what. */
static int read_prompt(struct bench *b, struct err *err)
{
    struct decoder_row *rows = calloc((size_t)b->prompt, sizeof *rows);
    int vocab = decoder_facts(b->d)->vocab, rc = rows ? 0 : err_nomem(err);
    for (int i = 0; i < b->prompt && rows; i++)
        rows[i] =
            (struct decoder_row){ b->t, (int32_t)((i * 7919 + 13) % vocab), i, i == b->prompt - 1 };
    double from = clock_mono();
    if (!rc) rc = decoder_step(b->d, rows, b->prompt, b->logits, err);
    b->read_rate = b->prompt / (clock_mono() - from);
    free(rows);
    return rc;
}

static int make_tokens(struct bench *b, struct err *err)
{
    int vocab = decoder_facts(b->d)->vocab, rc = 0;
    double from = clock_mono();
    for (int i = 0; i < b->generate && !rc; i++) {
        struct decoder_row row = { b->t, (int32_t)((i * 104729 + 7) % vocab), b->prompt + i, true };
        rc = decoder_step(b->d, &row, 1, b->logits, err);
    }
    b->make_rate = b->generate / (clock_mono() - from);
    return rc;
}

static int text_perplexity(struct bench *b, const char *path, struct err *err)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    const struct tokenizer *t = decoder_tokenizer(b->d);
    int rc = io_read_file(path, (size_t)64 << 20, &text, err), ctx = decoder_facts(b->d)->context;
    size_t n = rc || !t ? 0 : tokenizer_encode(t, buf_str(&text), text.n, 0, NULL, 0);
    int32_t *ids = calloc(n + 1, sizeof *ids);
    if (!rc && (!ids || n == SIZE_MAX)) rc = err_nomem(err);
    if (!rc) tokenizer_encode(t, buf_str(&text), text.n, 0, ids, n);
    if (!rc)
        rc = decoder_perplexity(b->d, ids, n, ctx && ctx < 512 ? ctx : 512, &b->perplexity, err);
    free(ids);
    buf_free(&text);
    return rc;
}

static int bench_model(struct cli *c, const char *what, json_t *list, struct err *err)
{
    const char *dir = set_str(c, SET_MODELS), *text = arg_str(c, "text");
    struct buf path = BUF_INIT(0);
    struct gguf *g = NULL;
    struct rusage use;
    int64_t prompt = 512, generate = 64;
    struct bench b = { 0 };
    int rc = arg_i64(c, "prompt", 1, 131072, &prompt, err);
    if (!rc) rc = arg_i64(c, "generate", 1, 131072, &generate, err);
    if (!rc) rc = shelf_find(dir ? dir : ".", what, &path, err);
    if (!rc) rc = gguf_open(path.p, &g, err);
    double from = clock_mono();
    if (!rc) rc = decoder_open(g, &(struct decoder_opts){ .max_batch = 0 }, &b.d, err);
    double opened = clock_mono() - from;
    b.prompt = (int)prompt, b.generate = (int)generate;
    if (!rc) rc = timeline_new(b.d, b.prompt + b.generate, QUANT_F16, &b.t, err);
    if (!rc && !(b.logits = malloc((size_t)decoder_facts(b.d)->vocab * sizeof *b.logits)))
        rc = err_nomem(err);
    if (!rc) rc = read_prompt(&b, err);
    if (!rc) rc = make_tokens(&b, err);
    if (!rc && text) rc = text_perplexity(&b, text, err);
    getrusage(RUSAGE_SELF, &use);
    if (!rc && list)
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:i, s:f, s:i, s:f, s:I, s:o, s:i}", "model",
                                        what, "open_seconds", opened, "prompt_tokens", b.prompt,
                                        "prompt_tokens_per_second", b.read_rate, "output_tokens",
                                        b.generate, "output_tokens_per_second", b.make_rate,
                                        "peak_memory_bytes", (json_int_t)use.ru_maxrss * 1024,
                                        "perplexity", text ? json_real(b.perplexity) : json_null(),
                                        "threads", threads_count()));
    else if (!rc) {
        ui_printf("%s, %d threads\n", what, threads_count());
        ui_printf("  opened in      %8.2f s\n", opened);
        ui_printf("  reads a prompt %8.1f tokens/s (%d tokens)\n", b.read_rate, b.prompt);
        ui_printf("  answers        %8.1f tokens/s (%d tokens)\n", b.make_rate, b.generate);
        ui_printf("  memory         %8.0f MB at most\n", (double)use.ru_maxrss / 1e3);
        if (text) ui_printf("  perplexity     %8.3f\n", b.perplexity);
    }
    free(b.logits);
    timeline_free(b.t);
    decoder_close(b.d);
    gguf_close(g);
    buf_free(&path);
    return rc;
}

int cmd_model_bench(struct cli *c, struct err *err)
{
    const char *used = set_str(c, SET_MODEL);
    json_t *list = c->json ? json_array() : NULL;
    int rc = 0;
    if (arg_flag(c, "embed")) {
        json_decref(list);
        return model_bench_embed(c, err);
    }
    if (!c->args.n_pos && !used)
        rc =
            err_set(err, ERR_INVAL, "name a model: `likeness model ls` lists those that are there");
    for (size_t i = 0; i < c->args.n_pos && !rc; i++)
        rc = bench_model(c, c->args.pos[i], list, err);
    if (!rc && !c->args.n_pos) rc = bench_model(c, used, list, err);
    if (list) c->out = json_pack("{s:o}", "models", list);
    return rc;
}
