/* likeness model bench --embed and likeness model distill: embedders. */
#include "cli/cli.h"

#include "base/str.h"
#include "model/distill.h"
#include "model/embed.h"
#include "persona/compare.h"
#include "shelf/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMBEDDERS 16

struct names {
    char *name[EMBEDDERS];
    size_t n;
};

static int add_name(struct names *l, const char *name, struct err *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->name[i], name)) return 0;
    if (l->n == EMBEDDERS)
        return err_set(err, ERR_LIMIT, "at most %d embedders at a time", EMBEDDERS);
    if (!(l->name[l->n] = str_dup(name))) return err_nomem(err);
    l->n++;
    return 0;
}

/* A model of the shelf embeds when it is an encoder or a table of one. */
static int add_encoder(void *ud, const struct shelf_model *m, struct err *err)
{
    struct gguf *g = NULL;
    char name[128];
    if (m->part || gguf_open(m->path, &g, NULL)) return 0;
    bool embeds = embed_is_embedder(g);
    gguf_close(g);
    snprintf(name, sizeof name, "model:%s", m->name);
    return embeds ? add_name(ud, name, err) : 0;
}

/* What the user calls an embedder: one of ours, or a model. */
int embedder_named(struct cli *c, const char *what, struct buf *out, struct err *err)
{
    struct buf path = BUF_INIT(0);
    const char *dir = set_str(c, SET_MODELS);
    const struct embed_kind *k = embed_kind_by_name(what);
    int rc = 0;
    buf_clear(out);
    if (k && !strcmp(k->name, what)) buf_adds(out, what);
    else if (str_starts(what, "model:") || str_starts(what, "remote:")) buf_adds(out, what);
    else if (!(rc = shelf_find(dir ? dir : ".", what, &path, err)))
        buf_printf(out, "%s%s", shelf_name_ok(what) ? "model:" : "", what);
    buf_free(&path);
    return rc ? rc : out->failed ? err_nomem(err) : 0;
}

static int choose(struct cli *c, struct names *l, struct err *err)
{
    struct buf name = BUF_INIT(0);
    const char *dir = set_str(c, SET_MODELS);
    int rc = 0;
    for (size_t i = 0; i < c->args.n_pos && !rc; i++) {
        rc = embedder_named(c, c->args.pos[i], &name, err);
        if (!rc) rc = add_name(l, buf_str(&name), err);
    }
    for (const struct embed_kind *const *k = embed_kinds; *k && !c->args.n_pos && !rc; k++)
        if (!strchr((*k)->name, ':')) rc = add_name(l, (*k)->name, err); /* not those of files */
    if (!c->args.n_pos && !rc && dir) rc = shelf_each(dir, add_encoder, l, err);
    buf_free(&name);
    return rc;
}

static void print_table(const struct names *l, const struct compared *r, const float *agree)
{
    char a[32], b[32];
    ui_printf("%s passages of this persona, %s questions made of their sentences\n\n",
              ui_number(r->n_passages, a), ui_number(r->n_questions, b));
    ui_printf("  %-26s %5s %12s %12s %9s %7s\n", "", "dim", "passages/s", "questions/s", "memory",
              "found");
    for (size_t i = 0; i < l->n; i++)
        ui_printf("%zu %-26s %5d %12.0f %12.0f %6.0f MB %5.0f %%\n", i + 1, l->name[i], r[i].dim,
                  r[i].passages_per_second, r[i].questions_per_second, (double)r[i].memory / 1e6,
                  r[i].n_questions ? 100.0 * (double)r[i].found / (double)r[i].n_questions : 0);
    ui_printf("\nOf the ten nearest passages, so many are the same:\n\n    ");
    for (size_t i = 0; i < l->n; i++) ui_printf("%6zu", i + 1);
    ui_printf("\n");
    for (size_t i = 0; i < l->n; i++) {
        ui_printf("  %zu ", i + 1);
        for (size_t k = 0; k < l->n; k++)
            ui_printf("%4.0f %%", 100.0 * (double)agree[i * l->n + k]);
        ui_printf("\n");
    }
    ui_note("\nfound: the sentence's own passage was among the ten nearest. `likeness doctor "
            "--reembed NAME` searches with another.");
}

static json_t *json_table(const struct names *l, const struct compared *r, const float *agree)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->n; i++) {
        json_t *same = json_object();
        for (size_t k = 0; k < l->n; k++)
            json_object_set_new(same, l->name[k], jreal((double)agree[i * l->n + k], 4));
        json_array_append_new(
            list, json_pack("{s:s, s:i, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:o}", "embedder",
                            l->name[i], "dim", r[i].dim, "open_seconds", r[i].open_seconds,
                            "passages_per_second", r[i].passages_per_second, "questions_per_second",
                            r[i].questions_per_second, "memory_bytes", (json_int_t)r[i].memory,
                            "index_bytes", (json_int_t)r[i].vector_bytes, "passages",
                            (json_int_t)r[i].n_passages, "questions", (json_int_t)r[i].n_questions,
                            "found", (json_int_t)r[i].found, "same_of_ten", same));
    }
    return list;
}

int model_bench_embed(struct cli *c, struct err *err)
{
    struct names l = { .n = 0 };
    struct compared *r = calloc(EMBEDDERS, sizeof *r);
    float *agree = calloc(EMBEDDERS * EMBEDDERS, sizeof *agree);
    if (!r || !agree) {
        free(r);
        free(agree);
        return err_nomem(err);
    }
    int rc = cli_open(c, false, err);
    if (!rc) rc = choose(c, &l, err);
    if (!rc)
        rc = embed_compare(c->home, c->persona, (const char *const *)l.name, l.n,
                           ui_progress_begin(), r, agree, err);
    ui_progress_end();
    if (!rc && c->json) c->out = json_pack("{s:o}", "embedders", json_table(&l, r, agree));
    else if (!rc) print_table(&l, r, agree);
    for (size_t i = 0; i < l.n; i++) free(l.name[i]);
    free(r);
    free(agree);
    return rc;
}

/* ---- distill ---- */

static int say_distilled(struct cli *c, const char *name, const char *path,
                         const struct distill_report *r, struct err *err)
{
    char a[32];
    int rc = model_made(c, name, path, err);
    if (rc) return rc;
    if (c->json) {
        json_object_set_new(c->out, "texts", json_integer((json_int_t)r->texts));
        json_object_set_new(c->out, "tokens", json_integer(r->vocab));
        json_object_set_new(c->out, "dim", json_integer(r->dim));
        json_object_set_new(c->out, "spearman", r->held ? jreal(r->spearman, 4) : json_null());
        return 0;
    }
    ui_printf("  fitted on %s texts, %d numbers for each of %d tokens\n", ui_number(r->texts, a),
              r->dim, r->vocab);
    if (r->held)
        ui_printf("  cosines of %zu other texts rank as the encoder's do: Spearman %.3f\n", r->held,
                  r->spearman);
    return 0;
}

int cmd_model_distill(struct cli *c, struct err *err)
{
    const char *dir = set_str(c, SET_MODELS);
    struct buf teacher = BUF_INIT(0), path = BUF_INIT(0);
    struct distill_report r = { 0 };
    char name[101];
    int64_t dim = 0;
    struct distill_opts o = { .corpus = arg_str(c, "corpus"),
                              .held = arg_str(c, "held"),
                              .cache = arg_str(c, "cache") };
    int rc = arg_i64(c, "dim", 32, 1024, &dim, err);
    if (!rc && !o.corpus)
        rc = err_set(err, ERR_INVAL, "distilling needs texts: --corpus FILE, a passage a line");
    if (!rc) rc = shelf_find(dir ? dir : ".", c->args.pos[0], &teacher, err);
    if (!rc) rc = model_place(c, teacher.p, "static", name, &path, err);
    if (rc) goto out;
    o.teacher = teacher.p;
    o.out = path.p;
    o.dim = (int)dim;
    struct progress bar = *ui_progress_begin();
    rc = distill(&o, &r, &bar, err);
    ui_progress_end();
    if (!rc) rc = say_distilled(c, name, path.p, &r, err);
out:
    buf_free(&teacher);
    buf_free(&path);
    return rc;
}
