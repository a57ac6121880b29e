/* What ask and chat share when a language model answers: opening it, its options, and its words on
 * the terminal as they come. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"
#include "shelf/shelf.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int find_model(void *ud, const char *name, struct buf *out, struct err *err)
{
    const struct cli *c = ud;
    const char *dir = set_str(c, SET_MODELS);
    return shelf_find(dir ? dir : ".", name, out, err);
}

void cli_find_models(struct cli *c) { embed_set_finder(find_model, c); }

/* The draw is the user's when they gave a seed, and else new each time. */
int cli_sampling(const struct cli *c, struct sampler_opts *o)
{
    *o = SAMPLER_DEFAULTS;
    o->temperature = (float)set_real(c, SET_TEMPERATURE);
    o->top_p = (float)set_real(c, SET_TOP_P);
    o->frequency = (float)set_real(c, SET_FREQUENCY_PENALTY);
    o->presence = (float)set_real(c, SET_PRESENCE_PENALTY);
    if (set_str(c, SET_SEED)) o->seed = (uint64_t)set_int(c, SET_SEED);
    else if (getrandom(&o->seed, sizeof o->seed, 0) != (ssize_t)sizeof o->seed) o->seed = 1;
    return (int)set_int(c, SET_MAX_TOKENS);
}

enum quant cli_cache(const struct cli *c)
{
    return strcmp(set_str(c, SET_CACHE), "q8_0") ? QUANT_F16 : QUANT_Q8_0;
}

int cli_open_model(struct cli *c, struct native **out, struct err *err)
{
    struct buf path = BUF_INIT(0);
    const char *what = set_str(c, SET_MODEL);
    *out = NULL;
    if (!what)
        return err_set(
            err, ERR_INVAL,
            "the native voice needs a language model: `likeness model use MODEL` chooses "
            "one, `likeness model catalogue` lists some");
    int rc = find_model(c, what, &path, err);
    if (!rc) {
        struct native_opts o = { .path = path.p,
                                 .chat_template = set_str(c, SET_CHAT_TEMPLATE),
                                 .context = (int)set_int(c, SET_CONTEXT),
                                 .cache = cli_cache(c) };
        bool show = io_on_terminal(stderr) && !c->quiet && !c->json;
        if (show) fprintf(stderr, "opening the model...");
        rc = native_open(&o, out, err);
        if (show) fprintf(stderr, "\r\033[K");
    }
    buf_free(&path);
    return rc;
}

int making_open(struct cli *c, struct making *m, struct err *err)
{
    *m = (struct making){ .c = c, .stream = !c->json && ui_stdout_terminal() };
    m->max_tokens = cli_sampling(c, &m->sampling);
    if (arg_flag(c, "mask-others") && arg_flag(c, "no-mask-others"))
        return err_set(err, ERR_INVAL, "--mask-others and --no-mask-others cannot both hold");
    if (!strcmp(set_str(c, SET_VOICE), "remote")) m->remote = c->remote;
    return strcmp(set_str(c, SET_VOICE), "native") ? 0 : cli_open_model(c, &m->model, err);
}

void making_close(struct making *m) { native_close(m->model); }

static int on_text(void *ud, const char *s, size_t n)
{
    struct making *m = ud;
    if (n && m->stream) {
        ui_printf("%.*s", (int)n, s);
        fflush(stdout);
        m->streamed = true;
    }
    return ui_interrupted(false);
}

struct voice_making making_of(struct making *m)
{
    return (struct voice_making){ .model = m->model,
                                  .remote = m->remote,
                                  .sampling = &m->sampling,
                                  .max_tokens = m->max_tokens,
                                  .strict = arg_flag(m->c, "strict"),
                                  .mask = arg_flag(m->c, "mask-others")      ? 1
                                          : arg_flag(m->c, "no-mask-others") ? -1
                                                                             : 0,
                                  .veil = arg_flag(m->c, "mask-others"),
                                  .said = on_text,
                                  .ud = m };
}

void making_begin(struct making *m)
{
    m->streamed = false;
    if (m->model || m->remote) ui_catch_interrupt(true);
}

/* The answer, unless it stands there already; then what is to be known of it. */
void making_end(struct making *m, const struct answer *a)
{
    char n[64];
    if (m->model || m->remote) {
        ui_interrupted(true);
        ui_catch_interrupt(false);
    }
    if (!a) {
        if (m->streamed) ui_printf("\n");
        return;
    }
    if (m->streamed) ui_printf("\n");
    else print_answer(a);
    if (!a->made.model) return;
    if (a->made.unsupported > a->made.refused && m->streamed) {
        ui_styled(UI_WARN, "  Nothing that was found says so:\n");
        for (size_t i = 0; i < a->n_parts; i++)
            if (a->part[i].unsupported) ui_wrap(a->part[i].text, 4);
    }
    if (a->made.refused)
        ui_styled(UI_WARN, "  %s left out: nothing that was found says so.\n",
                  ui_count(a->made.refused, "sentence", "sentences", n));
}
