/* likeness help, version, config: what needs no home. */
#include "cli/cli.h"

#include "http/http.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <string.h>

static json_t *json_options(const struct option *o)
{
    json_t *list = json_array();
    for (; o->name; o++) {
        char letter[2] = { o->letter, 0 };
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s}", "name", o->name, "letter",
                                              json_mended(o->letter ? letter : NULL), "argument",
                                              json_mended(o->arg), "help", o->help));
    }
    return list;
}

static json_t *json_command(const struct command *c)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "name", c->name, "help", c->help, "arguments", c->args,
                     "options", json_options(c->options));
}

/* Those of a group, or all. */
static json_t *json_commands(const char *group)
{
    json_t *list = json_array();
    size_t n = strlen(group);
    for (const struct command *k = commands; k->name; k++)
        if (!n || (!strncmp(k->name, group, n) && k->name[n] == ' '))
            json_array_append_new(list, json_command(k));
    return list;
}

static int print_api(const char *form, struct err *err)
{
    struct buf b = BUF_INIT(0);
    int rc;
    if (!strcmp(form, "markdown")) rc = apidoc_make(&b, err);
    else if (!strcmp(form, "openapi")) rc = openapi_make(&b, err);
    else rc = err_set(err, ERR_INVAL, "--api is one of markdown, openapi");
    if (!rc) fwrite(buf_str(&b), 1, b.n, stdout);
    if (!rc && b.n && b.p[b.n - 1] != '\n') putchar('\n');
    buf_free(&b);
    return rc;
}

int cmd_help(struct cli *c, struct err *err)
{
    const char *shell = arg_str(c, "completion"), *api = arg_str(c, "api");
    const struct command *k;
    char name[128];
    if (c->json && (shell || api || arg_flag(c, "man")))
        return err_set(err, ERR_INVAL,
                       "--man, --completion and --api print text: leave --json out");
    if (arg_flag(c, "man")) {
        help_man();
        return 0;
    }
    if (shell) return help_completion(shell, err);
    if (api) return print_api(api, err);
    if (!c->args.n_pos && c->json) {
        c->out = json_pack("{s:o, s:o}", "commands", json_commands(""), "options",
                           json_options(global_options));
        return 0;
    }
    if (!c->args.n_pos) {
        help_all();
        return 0;
    }
    snprintf(name, sizeof name, "%s%s%s", c->args.pos[0], c->args.n_pos > 1 ? " " : "",
             c->args.n_pos > 1 ? c->args.pos[1] : "");
    if (c->args.n_pos == 1 && command_group(name, strlen(name))) {
        if (c->json) c->out = json_pack("{s:o}", "commands", json_commands(name));
        else help_group(name);
        return 0;
    }
    if (!(k = command_by_name(name)))
        return err_set(err, ERR_INVAL, "there is no command \"%.40s\"; see: likeness help", name);
    if (c->json) c->out = json_command(k);
    else help_command(k);
    return 0;
}

int cmd_version(struct cli *c, struct err *err)
{
    if (c->json)
        c->out = json_pack("{s:s, s:i, s:i, s:s}", "version", LIKENESS_VERSION, "schema",
                           STORE_SCHEMA, "vault_format", VAULT_FORMAT, "cpu", kernels.name);
    else
        ui_printf("likeness %s (store schema %d, vault format %d, %s)\n", LIKENESS_VERSION,
                  STORE_SCHEMA, VAULT_FORMAT, kernels.name);
    return 0;
}

static json_t *json_setting(const struct cli *c, const struct setting *s)
{
    const struct setting_value *v = &c->setting[s - settings];
    return json_pack("{s:s, s:o, s:o, s:s}", "name", s->name, "value", json_mended(v->value),
                     "origin", json_mended(v->origin), "help", s->help);
}

static void list_settings(struct cli *c)
{
    json_t *list = json_array();
    for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++) {
        const struct setting_value *v = &c->setting[s - settings];
        if (c->json) {
            json_array_append_new(list, json_setting(c, s));
            continue;
        }
        ui_styled(UI_BOLD, "%-16s", s->name);
        ui_printf(" = %-24s ", v->value ? v->value : "");
        ui_styled(UI_DIM, "%s\n", v->value ? v->origin : "not set");
        ui_line(UI_PLAIN, 4, "    %s", s->help);
    }
    if (c->json) c->out = json_pack("{s:o}", "settings", list);
    else json_decref(list);
}

int cmd_config(struct cli *c, struct err *err)
{
    const char *unset = arg_str(c, "unset"), *value = c->args.n_pos > 1 ? c->args.pos[1] : NULL;
    if (unset && c->args.n_pos)
        return err_set(err, ERR_INVAL, "--unset removes one setting: give nothing else");
    if (!unset && !c->args.n_pos) {
        list_settings(c);
        return 0;
    }
    const struct setting *s = setting_by_name(unset ? unset : c->args.pos[0], err);
    if (!s) return ERR_INVAL;
    if (!unset && !value) {
        const char *now = c->setting[s - settings].value;
        if (c->json) c->out = json_setting(c, s);
        else ui_printf("%s\n", now ? now : "");
        return 0;
    }
    int rc = config_set(c, s, value, err);
    if (rc) return rc;
    if (c->json) {
        c->out = json_pack("{s:s, s:o}", "name", s->name, "value", json_mended(value));
        return 0;
    }
    if (value) ui_printf("%s = %s\n", s->name, value);
    else ui_printf("%s is not set any more\n", s->name);
    const char *origin = c->setting[s - settings].origin;
    if (origin && (!strcmp(origin, "environment") || !strcmp(origin, "option")))
        ui_note("note: the %s says otherwise, and counts more", origin);
    return 0;
}
