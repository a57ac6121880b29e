/* likeness prompt: what a language-model voice would be told, and the templates it is made from. A
 * persona's own templates are kept as its sealed documents template.system and template.user. */
#include "cli/cli.h"

#include "base/io.h"
#include "base/str.h"
#include "persona/prompt.h"

#include <stdio.h>
#include <string.h>

#define TEMPLATE_MAX ((size_t)1 << 20)
static const char ANY_QUESTION[] = "What should I know about you?";

static int set_template(struct cli *c, const char *which, const char *doc, const char *file,
                        struct err *err)
{
    struct buf text = BUF_INIT(TEMPLATE_MAX);
    int rc = io_read_file(file, TEMPLATE_MAX, &text, err);
    if (!rc && (!text.n || !utf8_valid(text.p, text.n) || memchr(text.p, 0, text.n)))
        rc = err_set(err, ERR_PARSE, "%s is %s", file, text.n ? "not UTF-8 text" : "empty");
    if (!rc) rc = prompt_template_check(which, buf_str(&text), err);
    if (!rc) rc = store_doc_put(c->home->store, &c->persona->seal, doc, text.p, text.n, err);
    if (!rc && c->json) c->out = json_pack("{s:s, s:b}", "template", which, "own", 1);
    else if (!rc)
        ui_printf("The %s template of %s is now that of %s.\n", which, c->persona->name, file);
    buf_free(&text);
    return rc;
}

static int show_template(struct cli *c, const char *which, const char *doc, struct err *err)
{
    struct buf text = BUF_INIT(TEMPLATE_MAX);
    int rc = store_doc_get(c->home->store, &c->persona->seal, doc, &text, err);
    bool own = !rc;
    if (rc == ERR_NOTFOUND) rc = buf_adds(&text, prompt_builtin(which)) ? err_nomem(err) : 0;
    if (!rc && c->json)
        c->out = json_pack("{s:s, s:b, s:o}", "template", which, "own", own, "text",
                           json_mended(buf_str(&text)));
    else if (!rc) {
        ui_note("(%s)", own ? "this persona's own template" : "the built-in template");
        ui_printf("%s%s", buf_str(&text), str_ends(buf_str(&text), "\n") ? "" : "\n");
    }
    buf_free(&text);
    return rc;
}

static int template(struct cli *c, const char *which, struct err *err)
{
    const char *file = arg_str(c, "set");
    bool reset = arg_flag(c, "reset");
    char doc[32];
    int rc;
    if (!prompt_builtin(which))
        return err_set(err, ERR_INVAL, "there are two templates: system and user");
    if (file && reset) return err_set(err, ERR_INVAL, "--set and --reset cannot both hold");
    if ((rc = cli_open(c, file || reset, err))) return rc;
    snprintf(doc, sizeof doc, "template.%s", which);
    if (file) return set_template(c, which, doc, file, err);
    if (!reset) return show_template(c, which, doc, err);
    rc = store_doc_put(c->home->store, &c->persona->seal, doc, NULL, 0, err);
    if (rc == ERR_NOTFOUND) rc = 0;
    if (!rc && c->json) c->out = json_pack("{s:s, s:b}", "template", which, "own", 0);
    else if (!rc) ui_printf("The %s template is the built-in one again.\n", which);
    return rc;
}

static void show_prompt(struct cli *c, const struct prompt *p)
{
    if (c->json) {
        c->out = json_pack("{s:o, s:o, s:i, s:I, s:I, s:I, s:s}", "system", json_mended(p->system),
                           "user", json_mended(p->user), "tokens", p->tokens, "examples_used",
                           (json_int_t)p->examples_used, "examples_dropped",
                           (json_int_t)p->examples_dropped, "turns_used", (json_int_t)p->turns_used,
                           "fence", p->fence);
        return;
    }
    ui_styled(UI_BOLD, "----- system -----\n");
    ui_printf("%s\n", p->system);
    ui_styled(UI_BOLD, "----- user -----\n");
    ui_printf("%s\n", p->user);
    ui_note("about %d tokens; %zu examples, %zu dropped", p->tokens, p->examples_used,
            p->examples_dropped);
}

int cmd_prompt(struct cli *c, struct err *err)
{
    const char *which = arg_str(c, "template");
    struct retriever *r = NULL;
    struct conversation *v = NULL;
    struct prompt p = { 0 };
    struct query q;
    struct buf text = BUF_INIT(1 << 16);
    int rc;
    if (which) return template(c, which, err);
    if (arg_str(c, "set") || arg_flag(c, "reset") || arg_flag(c, "print"))
        return err_set(err, ERR_INVAL, "say which template: --template system or --template user");
    rc = args_joined(c, 0, &text, err);
    if (!rc && !text.n) buf_adds(&text, ANY_QUESTION);
    if (!rc) rc = query_from_args(c, &q, err);
    if (!rc) rc = cli_open(c, false, err);
    if (!rc) rc = query_check(c, &q, err);
    if (!rc) rc = retriever_open(c->home, c->persona, &r, err);
    if (!rc) rc = conversation_open(r, set_str(c, SET_VOICE), 0, false, &v, err);
    if (!rc) rc = conversation_prompt(v, buf_str(&text), &q, &p, err);
    if (!rc) show_prompt(c, &p);
    prompt_clear(&p);
    conversation_close(v);
    retriever_close(r);
    buf_free(&text);
    return rc;
}
