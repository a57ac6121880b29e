/* Help on the terminal, from the tables. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *title, *names;
} groups[] = {
    { "Begin", "init,new,add,me" },
    { "Use", "ask,chat,search,topics,sources,people,prompt,conversations" },
    { "Keep", "personas,show,rename,set,export,import,forget" },
    { "Models", "model catalogue,model pull,model use,model ls,model show,model rm,model import,"
                "model quantize,model bench,"
                "model distill" },
    { "A server for answers", "remote use,remote show,remote set-key,remote forget-key" },
    { "Serve", "serve,jobs,account ls,account new,account passwd,account disable,account enable,"
               "account rm,account import,account give,account take" },
    { "Look after", "passphrase,config,doctor,help,version" },
};

void help_all(void)
{
    ui_line(UI_BOLD, 2,
            "likeness: a private persona engine. What a person wrote, answering in their words.");
    ui_printf("\nusage: likeness [OPTION...] COMMAND [ARGUMENT...]\n");
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        ui_styled(UI_BOLD, "\n%s\n", groups[g].title);
        for (const char *p = groups[g].names; *p;) {
            char name[32];
            size_t n = strcspn(p, ",");
            snprintf(name, sizeof name, "%.*s", (int)n, p);
            ui_line(UI_PLAIN, 21, "  %-18s %s", name, command_by_name(name)->help);
            p += n + (p[n] == ',');
        }
    }
    ui_printf("\nFirst steps:\n  likeness init\n  likeness new YOUR-NAME --kind self\n"
              "  likeness add \"WhatsApp Chat with Bob.txt\"\n  likeness chat\n\n"
              "likeness help COMMAND tells more; man likeness has it all.\n");
}

void help_group(const char *word)
{
    size_t n = strlen(word);
    ui_printf("usage: likeness %s VERB [ARGUMENT...]\n\n", word);
    for (const struct command *k = commands; k->name; k++)
        if (!strncmp(k->name, word, n) && k->name[n] == ' ')
            ui_line(UI_PLAIN, 15, "  %-12s %s", k->name + n + 1, k->help);
    ui_printf("\nlikeness help %s VERB tells more.\n", word);
}

static void show_option(const struct option *o)
{
    char left[64], s[8] = "    ";
    if (o->letter) snprintf(s, sizeof s, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", s, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    bool list = o->words && strchr(o->words, ' ') && !strstr(o->help, " or ");
    ui_line(UI_PLAIN, ui_width() < 72 ? 8 : 33, "  %-30s %s%s%s%s", left, o->help, list ? " (" : "",
            list ? o->words : "", list ? ")" : "");
}

static void show_examples(const char *s)
{
    if (!*s) return;
    ui_styled(UI_BOLD, "\nExamples\n");
    for (const char *p = s; *p;) {
        size_t n = strcspn(p, "\n");
        ui_line(UI_PLAIN, 6, "  %.*s", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

void help_command(const struct command *c)
{
    ui_line(UI_BOLD, 2, "likeness %s: %s", c->name, c->help);
    ui_printf("\nusage: likeness %s%s%s%s\n", c->name, c->options[0].name ? " [OPTION...]" : "",
              *c->args ? " " : "", c->args);
    if (*c->about) {
        ui_printf("\n");
        ui_wrap(c->about, 0);
    }
    if (c->options[0].name) ui_styled(UI_BOLD, "\nOptions\n");
    for (const struct option *o = c->options; o->name; o++) show_option(o);
    show_examples(c->examples);
    ui_styled(UI_BOLD, "\nOptions of every command\n");
    for (const struct option *o = global_options; o->name; o++) {
        bool hidden = false;
        for (const struct option *own = c->options; own->name; own++)
            hidden |= !strcmp(own->name, o->name);
        if (!hidden) show_option(o);
    }
}
