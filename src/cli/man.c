/* The manual page as scdoc source, from the tables: `likeness help --man | scdoc > likeness.1`. */
#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* scdoc gives meaning to * _ \ # and to - at the beginning of a line; a backslash takes it away. */
static void plain(const char *s)
{
    for (; *s; s++) {
        if (strchr("\\*_#<>[]{}~", *s)) putchar('\\');
        putchar(*s);
    }
}

static void option_entry(const struct option *o)
{
    if (o->letter) printf("*-%c*, ", o->letter);
    printf("*--");
    plain(o->name);
    putchar('*');
    if (o->arg) printf(" "), plain(o->arg);
    printf("\n\t");
    plain(o->help);
    if (o->words && strchr(o->words, ' ') && !strstr(o->help, " or "))
        printf(" ("), plain(o->words), printf(")");
    printf("\n\n");
}

static void command_entry(const struct command *c)
{
    printf("## ");
    plain(c->name);
    printf("\n\n*likeness %s*", c->name);
    if (c->options[0].name) printf(" "), plain("[OPTION...]");
    if (*c->args) printf(" "), plain(c->args);
    printf("\n\n%c", toupper((unsigned char)c->help[0]));
    plain(c->help + 1);
    printf(".\n\n");
    if (*c->about) plain(c->about), printf("\n\n");
    for (const struct option *o = c->options; o->name; o++) option_entry(o);
    if (*c->examples) printf("```\n%s\n```\n\n", c->examples);
}

static void settings_section(void)
{
    printf("# SETTINGS\n\nA setting comes from the option of its name, else from the environment, "
           "else from the config file (lines *name = value*), else it is the default.\n\n");
    for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++) {
        char env[64];
        setting_env(s, env);
        printf("*");
        plain(s->name);
        printf("*, ");
        plain(env);
        printf("\n\t");
        plain(s->help);
        if (s->fallback) printf(" (default: "), plain(s->fallback), printf(")");
        printf("\n\n");
    }
    printf("The passphrase itself may stand in ");
    plain("LIKENESS_PASSPHRASE, and a new one in LIKENESS_NEW_PASSPHRASE");
    printf("; a file is safer.\n\n");
}

void help_man(void)
{
    printf("likeness(1)\n\n# NAME\n\nlikeness - a private persona engine\n\n# SYNOPSIS\n\n"
           "*likeness* \\[OPTION...\\] _COMMAND_ \\[ARGUMENT...\\]\n\n# DESCRIPTION\n\n"
           "Takes what a person has written, and becomes a persona that answers in the first "
           "person, in their manner, from their own words, with its sources. Everything stays on "
           "this machine, sealed.\n\n# OPTIONS\n\n");
    for (const struct option *o = global_options; o->name; o++) option_entry(o);
    printf("# COMMANDS\n\n");
    for (const struct command *c = commands; c->name; c++) command_entry(c);
    settings_section();
    printf("# FILES\n\n_~/.local/share/likeness_\n\tthe home: keys and sealed store\n\n"
           "_~/.config/likeness/config_\n\tsettings\n\n"
           "_~/.config/likeness/HOMEID.key_\n\tkey file of the home; keep a copy elsewhere\n\n"
           "# EXIT STATUS\n\n");
    for (const struct exit_status *e = exit_statuses; e->help; e++)
        printf("*%d*\n\t%s\n\n", e->status, e->help);
}
