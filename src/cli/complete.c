/* Completion scripts for bash, zsh and fish, from the tables. Names of personas are not completed:
 * they are sealed, and a Tab should not ask for a passphrase. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void options_of(const struct option *o)
{
    for (; o->name; o++) {
        printf("--%s ", o->name);
        if (o->letter) printf("-%c ", o->letter);
    }
}

/* Is c the first of its group? Commands of one group stand together in the table. */
static bool opens_group(const struct command *c)
{
    size_t n = strcspn(c->name, " ");
    return c->name[n] && (c == commands || strncmp(c[-1].name, c->name, n + 1) != 0);
}

/* First words: of names of two words each group once. */
static void first_words(const char *between)
{
    for (const struct command *c = commands; c->name; c++)
        if (!strchr(c->name, ' ') || opens_group(c))
            printf("%s%.*s", c == commands ? "" : between, (int)strcspn(c->name, " "), c->name);
}

static void groups(const char *between)
{
    int k = 0;
    for (const struct command *c = commands; c->name; c++)
        if (opens_group(c))
            printf("%s%.*s", k++ ? between : "", (int)strcspn(c->name, " "), c->name);
}

/* The second words of the group that c opens. */
static void verbs(const struct command *c, const char *between)
{
    size_t n = strcspn(c->name, " ") + 1;
    const char *group = c->name;
    for (; c->name && !strncmp(c->name, group, n); c++)
        printf("%s%s", c->name == group ? "" : between, c->name + n);
}

static bool takes_files(const struct command *c)
{
    return strstr(c->args, "FILE") || strstr(c->args, "FOLDER") || strstr(c->args, "MODEL") ||
           strstr(c->args, "PATH");
}

static void bash_words(const struct option *o)
{
    for (; o->name; o++)
        if (o->words)
            printf("    --%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", o->name,
                   o->words);
}

static void bash_script(void)
{
    printf("# bash completion of likeness, made by `likeness help --completion bash`\n"
           "_likeness() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
           "cmd= w i\n"
           "  COMPREPLY=()\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    w=${COMP_WORDS[i]}\n"
           "    case $w in\n");
    printf("    ");
    first_words("|");
    printf(") cmd=$w; break ;;\n    esac\n  done\n"
           "  [[ '|");
    groups("|");
    printf("|' == *\"|$cmd|\"* && $COMP_CWORD -gt $((i + 1)) ]] && "
           "cmd=\"$cmd ${COMP_WORDS[i+1]}\"\n"
           "  case $prev in\n");
    bash_words(global_options);
    for (const struct command *c = commands; c->name; c++) {
        if (!strcmp(c->name, "ask") || !strcmp(c->name, "new") || !strcmp(c->name, "add") ||
            !strcmp(c->name, "prompt") || !strcmp(c->name, "help"))
            bash_words(c->options);
    }
    /* readline's own completion of file names knows of spaces and quotes; compgen -f does not */
    printf("    --*file|--set|--home) compopt -o default; return ;;\n  esac\n"
           "  case $cur in\n  -*)\n    case $cmd in\n");
    for (const struct command *c = commands; c->name; c++) {
        printf("    '%s') w='", c->name);
        options_of(c->options);
        printf("' ;;\n");
    }
    printf("    *) w= ;;\n    esac\n    COMPREPLY=($(compgen -W \"$w ");
    options_of(global_options);
    printf("\" -- \"$cur\")); return ;;\n  esac\n  case $cmd in\n  '') COMPREPLY=($(compgen -W '");
    first_words(" ");
    printf("' -- \"$cur\")) ;;\n  help) COMPREPLY=($(compgen -W '");
    first_words(" ");
    printf("' -- \"$cur\")) ;;\n");
    for (const struct command *c = commands; c->name; c++) {
        if (!opens_group(c)) continue;
        printf("  %.*s) COMPREPLY=($(compgen -W '", (int)strcspn(c->name, " "), c->name);
        verbs(c, " ");
        printf("' -- \"$cur\")) ;;\n");
    }
    printf("  config) COMPREPLY=($(compgen -W '");
    for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++)
        printf("%s ", s->name);
    printf("' -- \"$cur\")) ;;\n");
    for (const struct command *c = commands; c->name; c++)
        if (takes_files(c)) printf("  '%s') compopt -o default ;;\n", c->name);
    printf("  esac\n}\ncomplete -F _likeness likeness\n");
}

/* Help texts stand in single quotes; none of ours may end them, and [ ] : mean something to zsh. */
static void quoted(const char *s)
{
    for (; *s; s++) {
        if (*s == '\'') printf("'\\''");
        else if (strchr("[]:\\", *s)) printf("\\%c", *s);
        else putchar(*s);
    }
}

static void zsh_options(const struct option *o)
{
    for (; o->name; o++) {
        bool path = o->arg && (!strcmp(o->arg, "FILE") || !strcmp(o->arg, "DIR"));
        const char *action = path ? "_files" : " ";
        printf("      '--%s%s[", o->name, o->arg ? "=" : "");
        quoted(o->help);
        if (o->arg && o->words) printf("]:%s:(%s)' \\\n", o->arg, o->words);
        else if (o->arg) printf("]:%s:%s' \\\n", o->arg, action);
        else printf("]' \\\n");
    }
}

static void zsh_script(void)
{
    printf("#compdef likeness\n# made by `likeness help --completion zsh`\n_likeness() {\n"
           "  local -a commands\n  commands=(\n");
    for (const struct command *c = commands; c->name; c++) {
        size_t n = strcspn(c->name, " ");
        if (c->name[n] && !opens_group(c)) continue;
        printf("    '%.*s:", (int)n, c->name);
        if (c->name[n]) printf("see\\: likeness help %.*s", (int)n, c->name);
        else quoted(c->help);
        printf("'\n");
    }
    printf("  )\n  local cmd=${words[(r)(");
    first_words("|");
    printf(")]}\n  local at=${words[(i)$cmd]}\n  case $cmd in\n");
    for (const struct command *c = commands; c->name; c++) {
        if (!opens_group(c)) continue;
        printf("  %.*s) if (( CURRENT == at + 1 )); then compadd ", (int)strcspn(c->name, " "),
               c->name);
        verbs(c, " ");
        printf("; return; fi; cmd=\"$cmd ${words[at+1]}\" ;;\n");
    }
    printf("  esac\n  case $cmd in\n");
    for (const struct command *c = commands; c->name; c++) {
        printf("  '%s')\n    _arguments \\\n", c->name);
        zsh_options(c->options);
        zsh_options(global_options);
        printf("      '*:argument:%s' ;;\n", takes_files(c) ? "_files" : " ");
    }
    printf("  *)\n    _arguments \\\n");
    zsh_options(global_options);
    printf("      '1:command:->command'\n    [[ $state == command ]] && _describe command commands "
           ";;\n"
           "  esac\n}\n_likeness \"$@\"\n");
}

static void fish_options(const struct option *o, const char *condition)
{
    for (; o->name; o++) {
        printf("complete -c likeness -n '%s' -l %s", condition, o->name);
        if (o->letter) printf(" -s %c", o->letter);
        if (o->words) printf(" -x -a '%s'", o->words);
        else if (o->arg) printf(" -r");
        printf(" -d '");
        quoted(o->help);
        printf("'\n");
    }
}

static void fish_script(void)
{
    printf("# made by `likeness help --completion fish`\ncomplete -c likeness -f\n");
    for (const struct command *c = commands; c->name; c++) {
        char when[160];
        const char *verb = strchr(c->name, ' ');
        int n = (int)strcspn(c->name, " ");
        if (opens_group(c))
            printf("complete -c likeness -n __fish_use_subcommand -a %.*s -d 'see: likeness help "
                   "%.*s'\n",
                   n, c->name, n, c->name);
        if (verb)
            printf("complete -c likeness -n '__fish_seen_subcommand_from %.*s' -a %s -d '", n,
                   c->name, verb + 1);
        else printf("complete -c likeness -n __fish_use_subcommand -a %s -d '", c->name);
        quoted(c->help);
        printf("'\n");
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %.*s", n, c->name);
        if (verb)
            snprintf(when + strlen(when), sizeof when - strlen(when),
                     "; and __fish_seen_subcommand_from %s", verb + 1);
        fish_options(c->options, when);
    }
    fish_options(global_options, "true");
    for (const struct command *c = commands; c->name; c++)
        if (takes_files(c))
            printf("complete -c likeness -n '__fish_seen_subcommand_from %.*s' -F\n",
                   (int)strcspn(c->name, " "), c->name);
}

int help_completion(const char *shell, struct err *err)
{
    if (!strcmp(shell, "bash")) bash_script();
    else if (!strcmp(shell, "zsh")) zsh_script();
    else if (!strcmp(shell, "fish")) fish_script();
    else return err_set(err, ERR_INVAL, "there are completions for bash, zsh and fish");
    return 0;
}
