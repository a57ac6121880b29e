/* likeness model: what is on the shelf, what could be, and which of it answers. The commands that
 * compute are in cmd_model_make.c. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"
#include "model/decoder.h"
#include "model/embed.h"
#include "model/gguf.h"
#include "model/template.h"
#include "shelf/pull.h"
#include "shelf/shelf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *shelf_dir(const struct cli *c, struct err *err)
{
    const char *dir = set_str(c, SET_MODELS);
    if (!dir) err_set(err, ERR_INVAL, "HOME is not set: name the folder of models with --models");
    return dir;
}

static char *size_text(uint64_t bytes, char out[32])
{
    if (bytes >= 1000000000) snprintf(out, 32, "%.2f GB", (double)bytes / 1e9);
    else if (bytes >= 1000000) snprintf(out, 32, "%.0f MB", (double)bytes / 1e6);
    else snprintf(out, 32, "%.0f kB", (double)bytes / 1e3);
    return out;
}

static char *params_text(uint64_t n, char out[32])
{
    if (n >= 1000000000) snprintf(out, 32, "%.1f B", (double)n / 1e9);
    else if (n >= 1000000) snprintf(out, 32, "%.0f M", (double)n / 1e6);
    else snprintf(out, 32, "%.0f k", (double)n / 1e3);
    return out;
}

/* ---- what a file says of itself, without loading it ---- */

struct facts {
    char arch[32], title[96], type[16];
    uint64_t params, by_type[64]; /* numbers in tensors of each type */
    bool embeds;
};

static void facts_of(const struct gguf *g, struct facts *f)
{
    struct span a = gguf_str_or(g, "general.architecture", "unknown");
    struct span t = gguf_str_or(g, "general.name", "");
    uint64_t best = 0;
    memset(f, 0, sizeof *f);
    snprintf(f->arch, sizeof f->arch, "%.*s", (int)(a.n < 31 ? a.n : 31), a.p);
    snprintf(f->title, sizeof f->title, "%.*s", (int)utf8_cut(t.p, t.n, 95), t.p);
    f->embeds = embed_is_embedder(g);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *x = gguf_tensor_at(g, i);
        f->params += x->n;
        if ((unsigned)x->type < 64) f->by_type[x->type] += x->n;
    }
    for (unsigned q = 0; q < 64; q++)
        if (f->by_type[q] > best) {
            best = f->by_type[q];
            snprintf(f->type, sizeof f->type, "%s", quant_name((enum quant)q));
        }
}

/* ---- ls ---- */

struct listing {
    struct cli *c;
    json_t *list;
    int n, parts;
};

static bool in_use(const struct cli *c, const struct shelf_model *m)
{
    const char *used = set_str(c, SET_MODEL);
    return used && (!strcasecmp(used, m->name) || !strcmp(used, m->path));
}

static int list_one(void *ud, const struct shelf_model *m, struct err *err)
{
    struct listing *l = ud;
    struct gguf *g = NULL;
    struct err bad = { 0 };
    struct facts f;
    char size[32], params[32];
    l->n++;
    if (m->part) {
        l->parts++;
        if (l->list)
            json_array_append_new(l->list, json_pack("{s:s, s:I, s:b}", "name", m->name, "bytes",
                                                     (json_int_t)m->bytes, "unfinished", 1));
        else ui_printf("%-28s %10s  not whole yet\n", m->name, size_text(m->bytes, size));
        return 0;
    }
    if (gguf_open(m->path, &g, &bad)) {
        if (l->list)
            json_array_append_new(l->list,
                                  json_pack("{s:s, s:I, s:o}", "name", m->name, "bytes",
                                            (json_int_t)m->bytes, "problem", json_mended(bad.msg)));
        else ui_printf("%-28s %10s  damaged\n", m->name, size_text(m->bytes, size));
        return 0;
    }
    facts_of(g, &f);
    gguf_close(g);
    if (l->list)
        json_array_append_new(l->list, json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:s, s:b, s:s}",
                                                 "name", m->name, "path", m->path, "bytes",
                                                 (json_int_t)m->bytes, "architecture", f.arch,
                                                 "type", f.type, "parameters", (json_int_t)f.params,
                                                 "use", f.embeds ? "embeds" : "answers", "used",
                                                 in_use(l->c, m), "title", f.title));
    else
        ui_printf("%-28s %10s  %-10s %8s  %-7s %s%s\n", m->name, size_text(m->bytes, size), f.arch,
                  params_text(f.params, params), f.type, f.embeds ? "embeds" : "answers",
                  in_use(l->c, m) ? "  (used)" : "");
    return 0;
}

int cmd_model_ls(struct cli *c, struct err *err)
{
    const char *dir = shelf_dir(c, err);
    struct listing l = { .c = c, .list = c->json ? json_array() : NULL };
    if (!dir) return ERR_INVAL;
    int rc = shelf_each(dir, list_one, &l, err);
    if (c->json) c->out = json_pack("{s:s, s:o}", "folder", dir, "models", l.list);
    else if (!rc && !l.n)
        ui_note("No models yet. `likeness model catalogue` lists some worth having; `likeness "
                "model use FILE` takes a GGUF file that you have.");
    if (!rc && l.parts) ui_note("`likeness model pull` goes on with what is not whole.");
    return rc;
}

/* ---- catalogue ---- */

int cmd_model_catalogue(struct cli *c, struct err *err)
{
    json_t *list = c->json ? json_array() : NULL;
    for (int embeds = 0; embeds < 2; embeds++) {
        if (!list)
            ui_styled(UI_BOLD, "%s\n",
                      embeds ? "\nEmbedders: they find what bears on a question"
                             : "Models that answer");
        for (const struct shelf_entry *e = shelf_catalogue; e->name; e++) {
            if (e->embeds != embeds) continue;
            if (list)
                json_array_append_new(
                    list,
                    json_pack("{s:s, s:s, s:s, s:o, s:i, s:i, s:s, s:s}", "name", e->name, "use",
                              e->embeds ? "embeds" : "answers", "repository", e->repo, "file",
                              json_mended(e->file), "megabytes", e->mb, "memory_megabytes",
                              e->memory_mb, "licence", e->licence, "about", e->about));
            else
                ui_line(UI_PLAIN, 26, "  %-23s %5d MB, memory %5d MB, %s; %s", e->name, e->mb,
                        e->memory_mb, e->licence, e->about);
        }
    }
    if (list) c->out = json_pack("{s:o}", "models", list);
    else ui_note("\nlikeness model pull NAME fetches one; add --use to answer with it.");
    return 0;
}

/* ---- show ---- */

static void show_keys(const struct gguf *g, json_t *keys)
{
    struct buf text = BUF_INIT(65536);
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        enum gguf_type type;
        struct span k = gguf_key_at(g, i, &type, &text);
        char name[160];
        snprintf(name, sizeof name, "%.*s", (int)(k.n < 159 ? k.n : 159), k.p);
        if (keys) json_object_set_new(keys, name, json_mended(buf_str(&text)));
        else ui_line(UI_PLAIN, 6, "  %s = %s", name, buf_str(&text));
        buf_clear(&text);
    }
    buf_free(&text);
}

static void show_tensors(const struct gguf *g, json_t *list)
{
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        char shape[96], name[160];
        size_t at = 0;
        snprintf(name, sizeof name, "%.*s", (int)(t->name.n < 159 ? t->name.n : 159), t->name.p);
        for (int d = 0; d < t->n_dims; d++)
            at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%llu", d ? " x " : "",
                                   (unsigned long long)t->dim[d]);
        if (list)
            json_array_append_new(list, json_pack("{s:o, s:s, s:s}", "name", json_mended(name),
                                                  "type", quant_name(t->type), "shape", shape));
        else ui_printf("  %-40s %-6s %s\n", name, quant_name(t->type), shape);
    }
}

static void show_model(struct cli *c, const struct gguf *g, const char *path)
{
    struct facts f;
    char size[32], params[32], mem[32], part[3][32];
    struct decoder_need need = { 0 };
    struct err why = { 0 };
    const struct template *t = template_of(g);
    facts_of(g, &f);
    bool runs =
        !f.embeds && !decoder_plan(g, (int)set_int(c, SET_CONTEXT), cli_cache(c), &need, &why);
    if (c->json) {
        json_t *keys = arg_flag(c, "keys") ? json_object() : NULL;
        json_t *tensors = arg_flag(c, "tensors") ? json_array() : NULL;
        if (keys) show_keys(g, keys);
        if (tensors) show_tensors(g, tensors);
        c->out = json_pack(
            "{s:o, s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:o*, s:o, s:o*, s:o*}", "path",
            json_mended(path), "architecture", f.arch, "title", json_mended(f.title), "type",
            f.type, "parameters", (json_int_t)f.params, "bytes", (json_int_t)gguf_size(g),
            "template", json_mended(t ? template_name(t) : NULL), "memory_bytes",
            runs ? json_integer((json_int_t)need.all) : json_null(), "memory",
            runs ? json_pack("{s:I, s:I, s:I, s:i}", "weights", (json_int_t)need.weights, "cache",
                             (json_int_t)need.cache, "other", (json_int_t)need.rest, "context",
                             need.ctx)
                 : NULL,
            "problem", json_mended(why.msg[0] ? why.msg : NULL), "keys", keys, "tensors", tensors);
        return;
    }
    ui_printf("%s\n", path);
    if (f.title[0]) ui_printf("  title         %s\n", f.title);
    ui_printf("  architecture  %s, %s parameters, mostly %s, %s\n", f.arch,
              params_text(f.params, params), f.type, size_text(gguf_size(g), size));
    if (!f.embeds)
        ui_printf("  chat template %s\n", t ? template_name(t) : "not known: set chat_template");
    if (runs)
        ui_printf("  memory        %s: %s of weights, %s of %s cache for %d tokens of context, %s "
                  "for the rest\n",
                  size_text(need.all, mem), size_text(need.weights, part[0]),
                  size_text(need.cache, part[1]), quant_name(cli_cache(c)), need.ctx,
                  size_text(need.rest, part[2]));
    if (why.msg[0]) ui_line(UI_WARN, 16, "  does not run  %s", why.msg);
    if (arg_flag(c, "keys")) show_keys(g, NULL);
    if (arg_flag(c, "tensors")) show_tensors(g, NULL);
}

static int open_named(struct cli *c, const char *what, struct buf *path, struct gguf **g,
                      struct err *err)
{
    const char *dir = shelf_dir(c, err);
    if (!dir) return ERR_INVAL;
    int rc = shelf_find(dir, what, path, err);
    return rc ? rc : gguf_open(path->p, g, err);
}

int cmd_model_show(struct cli *c, struct err *err)
{
    struct buf path = BUF_INIT(0);
    struct gguf *g = NULL;
    int rc = open_named(c, c->args.pos[0], &path, &g, err);
    if (!rc) show_model(c, g, path.p);
    gguf_close(g);
    buf_free(&path);
    return rc;
}

/* ---- use ---- */

/* The setting holds a name where the model is on the shelf, else an absolute path. */
static int remember(struct cli *c, const char *what, const char *path, struct err *err)
{
    char real[4096];
    const char *value = shelf_name_ok(what) ? what : realpath(path, real);
    if (!value) return err_errno(err, "cannot find %s", path);
    int rc = config_set(c, &settings[SET_MODEL], value, err);
    return rc ? rc : config_set(c, &settings[SET_VOICE], "native", err);
}

static int use_none(struct cli *c, struct err *err)
{
    int rc = config_set(c, &settings[SET_MODEL], NULL, err);
    if (!rc) rc = config_set(c, &settings[SET_VOICE], NULL, err);
    if (!rc && c->json) c->out = json_pack("{s:n, s:s}", "model", "voice", "quote");
    else if (!rc) ui_printf("No model is used; the quote voice answers.\n");
    return rc;
}

static int use_model(struct cli *c, const char *what, struct err *err)
{
    struct buf path = BUF_INIT(0);
    struct gguf *g = NULL;
    struct facts f = { 0 };
    struct decoder_need need = { 0 };
    char mem[32], have[32];
    int rc = open_named(c, what, &path, &g, err);
    if (!rc) facts_of(g, &f);
    if (!rc && f.embeds)
        rc = err_set(err, ERR_INVAL,
                     "%s embeds texts and cannot answer; `likeness doctor --reembed %s` searches "
                     "with it",
                     what, what);
    if (!rc) rc = decoder_plan(g, (int)set_int(c, SET_CONTEXT), cli_cache(c), &need, err);
    if (!rc) rc = remember(c, what, path.p, err);
    if (!rc && c->json)
        c->out = json_pack("{s:s, s:s, s:I}", "model", what, "voice", "native", "memory_bytes",
                           (json_int_t)need.all);
    else if (!rc) {
        ui_printf("%s answers from now on; it takes about %s of memory.\n", what,
                  size_text(need.all, mem));
        if (need.all > decoder_memory_free())
            ui_note("There are %s free now: it will not open until other programs are closed, or "
                    "the context is made shorter (likeness config context 2048).",
                    size_text(decoder_memory_free(), have));
        if (!template_of(g))
            ui_note("Its chat template is not known here; plain turns are used. The setting "
                    "chat_template names another.");
        ui_note("Next: likeness chat. `likeness model use --none` goes back to quotations.");
    }
    gguf_close(g);
    buf_free(&path);
    return rc;
}

int cmd_model_use(struct cli *c, struct err *err)
{
    const char *used = set_str(c, SET_MODEL);
    if (arg_flag(c, "none")) return use_none(c, err);
    if (c->args.n_pos) return use_model(c, c->args.pos[0], err);
    if (c->json)
        c->out =
            json_pack("{s:o, s:s}", "model", json_mended(used), "voice", set_str(c, SET_VOICE));
    else if (used) ui_printf("%s, by the voice %s\n", used, set_str(c, SET_VOICE));
    else ui_printf("No model is used; the quote voice answers.\n");
    return 0;
}

/* ---- pull, rm ---- */

int cmd_model_pull(struct cli *c, struct err *err)
{
    struct buf path = BUF_INIT(0);
    char size[32], name[101];
    struct pull p = { .what = c->args.pos[0],
                      .dir = shelf_dir(c, err),
                      .name = arg_str(c, "name"),
                      .sha256 = arg_str(c, "sha256"),
                      .replace = arg_flag(c, "force") };
    if (!p.dir) return ERR_INVAL;
    p.progress = ui_progress_begin();
    int rc = pull_model(&p, &path, err);
    ui_progress_end();
    if (!rc) shelf_name_from(path.p, name);
    if (!rc && !c->json) {
        ui_printf("%s: %s in %s\n", name, size_text(p.size, size), path.p);
        ui_note(p.checked ? "Its SHA-256 is the one that was promised: %s"
                          : "Nobody promised a SHA-256; it is %s",
                p.sum);
        if (!arg_flag(c, "use")) ui_note("Next: likeness model use %s", name);
    } else if (!rc && !arg_flag(c, "use"))
        c->out = json_pack("{s:s, s:s, s:I, s:I, s:s, s:b}", "name", name, "path", path.p, "bytes",
                           (json_int_t)p.size, "resumed", (json_int_t)p.resumed, "sha256", p.sum,
                           "checked", p.checked);
    if (!rc && arg_flag(c, "use")) rc = use_model(c, name, err);
    buf_free(&path);
    return rc;
}

int cmd_model_rm(struct cli *c, struct err *err)
{
    const char *dir = shelf_dir(c, err), *what = c->args.pos[0];
    struct buf path = BUF_INIT(0), part = BUF_INIT(0), question = BUF_INIT(0);
    char size[32];
    uint64_t bytes = 0;
    if (!dir) return ERR_INVAL;
    int rc = shelf_path(dir, what, false, &path, err);
    buf_printf(&part, "%s.part", buf_str(&path));
    if (!rc && part.failed) rc = err_nomem(err);
    if (!rc && !io_exists(path.p) && !io_exists(part.p))
        rc = err_set(err, ERR_NOTFOUND, "there is no model \"%.80s\" in %s", what, dir);
    if (!rc) bytes = io_file_size(path.p) + io_file_size(part.p);
    buf_printf(&question, "Remove %s, %s?", what, size_text(bytes, size));
    if (!rc && !arg_flag(c, "yes")) {
        rc = ui_interactive() ? ui_confirm(buf_str(&question), err)
                              : err_set(err, ERR_INVAL,
                                        "to remove a model without a terminal, "
                                        "add --yes");
    }
    for (int i = 0; i < 2 && !rc; i++) {
        const char *file = i ? part.p : path.p;
        if (io_exists(file) && unlink(file)) rc = err_errno(err, "cannot remove %s", file);
    }
    buf_adds(&part, ".from");
    if (!rc && !part.failed) unlink(part.p);
    if (!rc && c->json)
        c->out = json_pack("{s:s, s:I}", "removed", what, "bytes", (json_int_t)bytes);
    else if (!rc) ui_printf("Removed %s, %s.\n", what, size);
    if (!rc && set_str(c, SET_MODEL) && !strcasecmp(set_str(c, SET_MODEL), what))
        ui_note("It was the model that answers: choose another with `likeness model use`, or none "
                "with `likeness model use --none`.");
    buf_free(&path);
    buf_free(&part);
    buf_free(&question);
    return rc;
}
